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
use crate::limits::{PONG_BEHIND_OCTETS_MAX, RECORD_OCTETS_MAX};
use crate::tls::{KnownHosts, Tls};
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
    tls: Option<Box<Tls>>,
    websocket: Option<WebSocket>,
    /// Octets that wait to fill a TLS record, within a turn.
    record: Vec<u8>,
    /// The numbers of parts that end in that record.
    record_parts: Vec<usize>,
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
    pub(crate) fn accept(tls: Option<Tls>, origins: Option<Arc<Origins>>) -> Self {
        Self {
            tls: tls.map(Box::new),
            websocket: origins.map(WebSocket::accept),
            record: Vec::new(),
            record_parts: Vec::new(),
            wire: Vec::new(),
            wire_left: 0,
            sent_octets: 0,
            parts: VecDeque::new(),
            is_opened: false,
            is_closing: false,
        }
    }

    /// The layer of a connection of ours. Its first octets are there at once.
    pub(crate) fn connect(tls: Tls) -> Self {
        let mut layer = Self::accept(Some(tls), None);
        // The handshake begins with a message of ours; nothing can be wrong with it yet.
        let _ = layer.receive(&[], &mut Vec::new());
        layer
    }

    /// Whether TLS protects the connection.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.tls.is_some()
    }

    /// The peer's certificate in DER, when it has shown one.
    #[must_use]
    pub fn peer_certificate(&self) -> Option<&[u8]> {
        self.tls.as_ref()?.peer_certificate()
    }

    /// Which of these hosts the peer is, by a certificate of its own that they trust and whose key it has shown to have.
    #[must_use]
    pub fn peer_host<'a>(&self, hosts: &'a KnownHosts) -> Option<&'a str> {
        hosts.find(self.tls.as_ref()?.peer_chain())
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
        let Some(tls) = &mut self.tls else {
            return self.receive_plain(octets, plain);
        };
        let mut inner = Vec::new();
        let read = if self.websocket.is_some() {
            tls.receive(octets, &mut inner, &mut self.wire)
        } else {
            tls.receive(octets, plain, &mut self.wire)
        };
        let is_ended = tls.is_ended();
        let is_tls_open = tls.is_open();
        self.is_closing |= is_ended;
        let above = if self.websocket.is_some() {
            self.receive_plain(&inner, plain)
        } else {
            self.is_opened |= is_tls_open;
            Ok(Received::Open)
        };
        read?;
        match above? {
            Received::Open if is_ended => Ok(Received::Ended),
            received => Ok(received),
        }
    }

    /// Reads octets that nothing protects any more.
    fn receive_plain(&mut self, octets: &[u8], plain: &mut Vec<u8>) -> Result<Received, Failure> {
        let may_pong = self.wire().len() < PONG_BEHIND_OCTETS_MAX;
        let Some(websocket) = &mut self.websocket else {
            plain.extend_from_slice(octets);
            return Ok(Received::Open);
        };
        let mut answer = Vec::new();
        let read = websocket.receive(octets, (plain, &mut answer), may_pong);
        self.is_opened |= websocket.is_open();
        let is_closed = websocket.is_closed();
        self.put(&answer);
        self.flush();
        self.is_closing |= is_closed;
        read.map(|()| {
            if is_closed {
                Received::Ended
            } else {
                Received::Open
            }
        })
    }

    /// Makes room for so many octets that are to be written next, so that the wire buffer need not grow by copying.
    pub fn reserve(&mut self, octets: usize) {
        // Headers of frames and records are a small part more.
        let with_headers = octets
            .saturating_add(octets / 8)
            .saturating_add(HEADERS_OCTETS);
        self.wire.reserve(with_headers);
        if self.tls.is_some() {
            self.record.reserve(octets.min(RECORD_OCTETS_MAX));
        }
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
            self.write_parts(octets.len(), [octets].into_iter());
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

    fn put(&mut self, mut octets: &[u8]) {
        if self.tls.is_none() {
            self.wire.extend_from_slice(octets);
            return;
        }
        while !octets.is_empty() {
            let room = RECORD_OCTETS_MAX.saturating_sub(self.record.len());
            let (now, later) = octets.split_at_checked(room).unwrap_or((octets, &[]));
            self.record.extend_from_slice(now);
            octets = later;
            if self.record.len() >= RECORD_OCTETS_MAX {
                self.write_record();
            }
        }
    }

    /// Encrypts what waits to fill a record.
    fn write_record(&mut self) {
        if let Some(tls) = &mut self.tls
            && !self.record.is_empty()
        {
            // Where TLS has ended nothing can be written, and the parts in it never leave.
            if tls.encrypt(&self.record, &mut self.wire).is_err() {
                self.is_closing = true;
                self.record_parts.clear();
            }
            self.record.clear();
        }
        for part in std::mem::take(&mut self.record_parts) {
            self.end_part_on_wire(part);
        }
    }

    /// Everything that was written goes to the wire buffer. To be called after the last write of a turn.
    pub fn flush(&mut self) {
        self.write_record();
        self.record = Vec::new();
    }

    fn end_part(&mut self, part: usize) {
        if self.is_closing {
            return;
        }
        if self.record.is_empty() {
            self.end_part_on_wire(part);
        } else {
            self.record_parts.push(part);
        }
    }

    fn end_part_on_wire(&mut self, part: usize) {
        let end = self.sent_octets.saturating_add(self.wire().len() as u64);
        self.parts.push_back((end, part));
    }

    /// Nothing more is written; the peer is told why.
    pub fn close(&mut self, code: CloseCode) {
        if std::mem::replace(&mut self.is_closing, true) {
            return;
        }
        let mut frame = Vec::new();
        if let Some(websocket) = &mut self.websocket {
            websocket.close(Some(code), &mut frame);
        }
        self.put(&frame);
        self.flush();
        if let Some(tls) = &mut self.tls {
            tls.close(&mut self.wire);
        }
    }

    /// Asks the peer for a sign of life, where the layers have a way to ask.
    pub fn ping(&mut self) {
        if self.is_opened && !self.is_closing && self.websocket.is_some() {
            let mut frame = Vec::new();
            WebSocket::ping(&mut frame);
            self.put(&frame);
            self.flush();
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

    /// Octets that have left since the beginning.
    #[must_use]
    pub fn sent_octets(&self) -> u64 {
        self.sent_octets
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

/// Room for the headers around a small message, octets.
const HEADERS_OCTETS: usize = 128;
