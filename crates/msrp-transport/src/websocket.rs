//! The server's side of a WebSocket that carries MSRP.
//!
//! ```text
//!   Handshake --request accepted--> Open --Close from either side--> Closed
//!       |                            |
//!       +--refused: HTTP status      +--a rule broken: Close frame
//! ```
//!
//! Payload is read as it comes: no frame and no message is ever held, so their length costs no memory.
//! Text is taken as octets (RFC 7977 s.4.2). No extension is accepted, so nothing is compressed.
//!
//! The codec is our own: libraries for WebSocket read whole messages into memory of their own and take
//! the socket over, which would copy every body once more.
//!
//! # Spec
//! RFC 6455, RFC 7977.

mod close_code;
mod frame;
mod handshake;

use std::sync::Arc;

use crate::Failure;
use crate::limits::{CONTROL_OCTETS_MAX, MESSAGE_OCTETS_MAX};

pub use close_code::CloseCode;
use frame::{Header, Opcode, PartialHeader};
pub use handshake::Origins;

/// The server's side of one WebSocket.
#[derive(Debug)]
pub(crate) struct WebSocket {
    state: State,
    has_sent_close: bool,
}

#[derive(Debug)]
enum State {
    /// The request is arriving.
    Handshake {
        head: Vec<u8>,
        origins: Arc<Origins>,
    },
    Open(Reader),
    /// The peer sends no more, or nothing that is looked at.
    Closed,
}

/// Where in the stream of frames the peer is.
#[derive(Debug, Default)]
struct Reader {
    header: PartialHeader,
    /// The frame whose payload is arriving, and octets of it that have come.
    frame: Option<(Header, u64)>,
    /// Octets of the unfinished message so far.
    message_octets: Option<u64>,
    /// The payload of a control frame.
    control: Vec<u8>,
}

/// What has to be done about a frame that ended.
enum Ended {
    Nothing,
    Ping,
    Close,
}

impl WebSocket {
    pub(crate) fn accept(origins: Arc<Origins>) -> Self {
        Self {
            state: State::Handshake {
                head: Vec::new(),
                origins,
            },
            has_sent_close: false,
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        matches!(self.state, State::Open(_))
    }

    pub(crate) fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    /// Reads octets of the peer: MSRP is appended to `plain`, what has to be answered to `answer`.
    /// `may_pong` says whether a ping is to be answered now.
    ///
    /// # Errors
    /// A [`Failure`]; what the peer has to be told is in `answer`.
    pub(crate) fn receive(
        &mut self,
        octets: &[u8],
        (plain, answer): (&mut Vec<u8>, &mut Vec<u8>),
        may_pong: bool,
    ) -> Result<(), Failure> {
        let State::Handshake { head, origins } = &mut self.state else {
            return self.read_frames(octets, (plain, answer), may_pong);
        };
        head.extend_from_slice(octets);
        match handshake::read(head, origins, answer) {
            Ok(None) => Ok(()),
            Ok(Some(end)) => {
                let frames = head.split_off(end);
                self.state = State::Open(Reader::default());
                self.read_frames(&frames, (plain, answer), may_pong)
            }
            Err(failure) => {
                self.state = State::Closed;
                self.has_sent_close = true;
                Err(failure)
            }
        }
    }

    fn read_frames(
        &mut self,
        mut octets: &[u8],
        (plain, answer): (&mut Vec<u8>, &mut Vec<u8>),
        may_pong: bool,
    ) -> Result<(), Failure> {
        while !octets.is_empty()
            && let State::Open(reader) = &mut self.state
        {
            match reader.step(&mut octets, plain) {
                Ok(Ended::Nothing) => {}
                Ok(Ended::Ping) => {
                    if may_pong {
                        frame::write_header(answer, Opcode::Pong, reader.control.len());
                        answer.extend_from_slice(&reader.control);
                    }
                }
                Ok(Ended::Close) => match reader.close_code() {
                    Ok(code) => {
                        self.state = State::Closed;
                        self.close(code, answer);
                    }
                    Err(failure) => return self.fail(failure, answer),
                },
                Err(failure) => return self.fail(failure, answer),
            }
        }
        Ok(())
    }

    fn fail(&mut self, failure: Failure, answer: &mut Vec<u8>) -> Result<(), Failure> {
        let code = if failure == Failure::MessageTooLong {
            CloseCode::TOO_LONG
        } else {
            CloseCode::PROTOCOL_ERROR
        };
        self.close(Some(code), answer);
        self.state = State::Closed;
        Err(failure)
    }

    /// Appends the header of a message of so many octets.
    pub(crate) fn begin_message(out: &mut Vec<u8>, octets: usize) {
        frame::write_header(out, Opcode::Binary, octets);
    }

    /// Appends a Close frame, once.
    pub(crate) fn close(&mut self, code: Option<CloseCode>, out: &mut Vec<u8>) {
        let is_handshake = matches!(self.state, State::Handshake { .. });
        if is_handshake || std::mem::replace(&mut self.has_sent_close, true) {
            return;
        }
        let payload = code.map(|code| code.number().to_be_bytes());
        frame::write_header(
            out,
            Opcode::Close,
            payload.map_or(0, |payload| payload.len()),
        );
        out.extend(payload.into_iter().flatten());
    }

    /// Appends a ping.
    pub(crate) fn ping(out: &mut Vec<u8>) {
        frame::write_header(out, Opcode::Ping, 0);
    }
}

impl Reader {
    /// Reads to the end of a header, of a frame, or of what is there.
    fn step(&mut self, octets: &mut &[u8], plain: &mut Vec<u8>) -> Result<Ended, Failure> {
        let (header, done) = match self.frame {
            Some(frame) => frame,
            None => {
                let Some(header) = self.header.take(octets)? else {
                    return Ok(Ended::Nothing);
                };
                self.begin(&header)?;
                (header, 0)
            }
        };
        let left = header.octets.saturating_sub(done);
        let count = usize::try_from(left).map_or(octets.len(), |left| left.min(octets.len()));
        let (payload, rest) = octets.split_at_checked(count).unwrap_or((octets, &[]));
        *octets = rest;
        let out = if header.opcode.is_control() {
            &mut self.control
        } else {
            plain
        };
        let start = out.len();
        out.extend_from_slice(payload);
        frame::unmask(out.get_mut(start..).unwrap_or_default(), header.mask, done);
        let done = done.saturating_add(count as u64);
        if done < header.octets {
            self.frame = Some((header, done));
            return Ok(Ended::Nothing);
        }
        self.frame = None;
        Ok(self.end(&header))
    }

    fn begin(&mut self, header: &Header) -> Result<(), Failure> {
        match (header.opcode, self.message_octets) {
            (Opcode::Close | Opcode::Ping | Opcode::Pong, _) => {
                self.control.clear();
                self.control.reserve_exact(CONTROL_OCTETS_MAX);
                return Ok(());
            }
            (Opcode::Continuation, Some(_)) | (Opcode::Text | Opcode::Binary, None) => {}
            (Opcode::Continuation, None) | (Opcode::Text | Opcode::Binary, Some(_)) => {
                return Err(Failure::Frame);
            }
        }
        let octets = self
            .message_octets
            .unwrap_or(0)
            .saturating_add(header.octets);
        if octets > MESSAGE_OCTETS_MAX {
            return Err(Failure::MessageTooLong);
        }
        self.message_octets = Some(octets);
        Ok(())
    }

    fn end(&mut self, header: &Header) -> Ended {
        match header.opcode {
            Opcode::Ping => Ended::Ping,
            Opcode::Close => Ended::Close,
            Opcode::Pong => Ended::Nothing,
            Opcode::Continuation | Opcode::Text | Opcode::Binary => {
                if header.is_final {
                    self.message_octets = None;
                }
                Ended::Nothing
            }
        }
    }

    /// The code of the Close frame that has come, if it has one.
    fn close_code(&self) -> Result<Option<CloseCode>, Failure> {
        match self.control.as_slice() {
            [] => Ok(None),
            [high, low, ..] => {
                let code = CloseCode::from_wire(u16::from_be_bytes([*high, *low]));
                code.map(Some).ok_or(Failure::Frame)
            }
            [_] => Err(Failure::Frame),
        }
    }
}

#[cfg(test)]
mod tests;
