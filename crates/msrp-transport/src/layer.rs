//! The layers of one connection, and what waits to leave through them.
//!
//! ```text
//!   socket --receive--> [ TLS ] -> [ WebSocket ] --> MSRP
//!   MSRP --write--> [ WebSocket ] -> [ TLS ] --> wire --took--> socket
//! ```
//!
//! What is written is copied once, into the wire buffer. Whoever writes can learn when each part of it
//! has left: a part has a number of its own choice, and [`Layer::took`] gives the numbers back.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use crate::Failure;
use crate::chunks::messages;
use crate::limits::PONG_BEHIND_OCTETS_MAX;
use crate::websocket::{CloseCode, Origins, WebSocket};

/// What the peer has said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// The stream goes on.
    Open,
    /// The peer sends no more MSRP: it has closed the WebSocket or TLS.
    Ended,
}

/// The layers of one connection. It can go to another thread with its socket.
///
/// After every call the octets of [`Layer::wire`] are to be written.
pub struct Layer {
    websocket: Option<WebSocket>,
    /// Octets for the socket, and how many of them have left.
    wire: Vec<u8>,
    wire_left: usize,
    /// Octets that have left since the beginning.
    sent_octets: u64,
    /// The number of each part, and how many octets have left when it has.
    parts: VecDeque<(u64, usize)>,
    is_opened: bool,
    is_closing: bool,
}

impl fmt::Debug for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Layer")
            .field("is_websocket", &self.websocket.is_some())
            .field("is_opened", &self.is_opened)
            .field("wire_octets", &self.wire().len())
            .finish_non_exhaustive()
    }
}

impl Layer {
    pub(crate) fn accept(origins: Option<Arc<Origins>>) -> Self {
        Self {
            websocket: origins.map(WebSocket::accept),
            wire: Vec::new(),
            wire_left: 0,
            sent_octets: 0,
            parts: VecDeque::new(),
            is_opened: false,
            is_closing: false,
        }
    }

    /// Whether TLS protects the connection.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        false
    }

    /// Whether MSRP is carried by WebSocket.
    #[must_use]
    pub fn is_websocket(&self) -> bool {
        self.websocket.is_some()
    }

    /// Whether all handshakes are done. `true` once and for all.
    #[must_use]
    pub fn is_opened(&self) -> bool {
        self.is_opened
    }

    /// Reads octets of the socket and appends the MSRP in them to `plain`.
    ///
    /// # Errors
    /// [`Failure`], the peer's fault: nothing more is read or written. What it has to be told waits in
    /// the wire buffer.
    pub fn receive(&mut self, octets: &[u8], plain: &mut Vec<u8>) -> Result<Received, Failure> {
        let waiting = self.wire().len();
        let mut answer = Vec::new();
        let mut result = Ok(Received::Open);
        if let Some(websocket) = &mut self.websocket {
            let may_pong = waiting < PONG_BEHIND_OCTETS_MAX;
            let read = websocket.receive(octets, (plain, &mut answer), may_pong);
            self.is_opened |= websocket.is_open();
            let is_closed = websocket.is_closed();
            self.is_closing |= is_closed;
            result = match read {
                Ok(()) if is_closed => Ok(Received::Ended),
                Ok(()) => Ok(Received::Open),
                Err(failure) => Err(failure),
            };
        } else {
            plain.extend_from_slice(octets);
        }
        self.put(&answer);
        result
    }

    /// Writes MSRP messages, each whole. `part` is given back by [`Layer::took`] when all of it has left.
    ///
    /// With WebSocket each message becomes one WebSocket message.
    pub fn write(&mut self, octets: &[u8], part: usize) {
        if self.websocket.is_some() {
            for message in messages(octets) {
                self.write_parts(message.len(), [message].into_iter());
            }
        } else {
            self.put(octets);
        }
        self.end_part(part);
    }

    /// Writes one MSRP message of so many octets that lies in several places.
    pub fn write_message<'a>(
        &mut self,
        octets: usize,
        message: impl Iterator<Item = &'a [u8]>,
        part: usize,
    ) {
        self.write_parts(octets, message);
        self.end_part(part);
    }

    fn write_parts<'a>(&mut self, octets: usize, message: impl Iterator<Item = &'a [u8]>) {
        if self.is_closing {
            return;
        }
        if self.websocket.is_some() {
            let mut header = Vec::new();
            WebSocket::begin_message(&mut header, octets);
            self.put(&header);
        }
        for octets in message {
            self.put(octets);
        }
    }

    fn put(&mut self, octets: &[u8]) {
        self.wire.extend_from_slice(octets);
    }

    /// Everything that was written goes to the wire buffer. Called after the last write of a turn.
    pub fn flush(&mut self) {}

    fn end_part(&mut self, part: usize) {
        let end = self.sent_octets.saturating_add(self.wire().len() as u64);
        self.parts.push_back((end, part));
    }

    /// Nothing more is written; the peer is told why.
    pub fn close(&mut self, code: CloseCode) {
        let mut frame = Vec::new();
        if let Some(websocket) = &mut self.websocket {
            websocket.close(Some(code), &mut frame);
        }
        self.put(&frame);
        self.is_closing = true;
    }

    /// Asks the peer for a sign of life, where the layers have a way to ask.
    pub fn ping(&mut self) {
        if self.is_opened && !self.is_closing && self.websocket.is_some() {
            let mut frame = Vec::new();
            WebSocket::ping(&mut frame);
            self.put(&frame);
        }
    }

    /// The octets to be written to the socket.
    #[must_use]
    pub fn wire(&self) -> &[u8] {
        self.wire.get(self.wire_left..).unwrap_or_default()
    }

    /// The socket took so many octets of [`Layer::wire`]. The parts that have left whole with them
    /// come out of [`Layer::next_gone`].
    pub fn took(&mut self, octets: usize) {
        self.wire_left = self.wire_left.saturating_add(octets);
        self.sent_octets = self.sent_octets.saturating_add(octets as u64);
        if self.wire_left >= self.wire.len() {
            self.wire = Vec::new();
            self.wire_left = 0;
        } else if self.wire_left > self.wire.len() / 2 {
            self.wire.drain(..self.wire_left);
            self.wire_left = 0;
        }
    }

    /// The next part that has left whole.
    pub fn next_gone(&mut self) -> Option<usize> {
        let (end, part) = *self.parts.front()?;
        if end > self.sent_octets {
            return None;
        }
        self.parts.pop_front();
        if self.parts.is_empty() {
            self.parts = VecDeque::new();
        }
        Some(part)
    }
}
