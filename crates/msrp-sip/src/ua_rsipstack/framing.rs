//! Cuts messages out of a stream (RFC 3261 s.18.3).
//!
//! ```text
//! CRLF CRLF | start line CRLF fields CRLF CRLF | body of Content-Length octets | next ...
//! keep-alive           head                        missing or bad length: no way to go on
//! ```

use bytes::{Buf, Bytes, BytesMut};

use super::head::{ContentLength, Head};
use super::limits::{BODY_OCTETS_MAX, HEAD_OCTETS_MAX};
use super::screen::Fault;

/// What stands next in a stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Framed {
    /// More octets are needed.
    NeedMore,
    /// The double line end that asks for a sign of life (RFC 5626 s.3.5.1).
    Ping,
    /// A message.
    Message(Head, Bytes),
    /// A message whose end is not known: answer it, then close.
    Broken(Head, Fault),
    /// Nothing that could be answered: close.
    Endless,
}

/// The octets of a stream that are not yet messages.
#[derive(Debug, Default)]
pub(super) struct Framer {
    buffer: BytesMut,
    /// The head that waits for its body, with the octets of the body.
    head: Option<(Head, usize)>,
    /// Octets without an end of the head, so that no octet is searched twice.
    searched: usize,
}

impl Framer {
    /// Where the next octets go.
    pub(super) fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// Whether a message has begun and not ended.
    pub(super) fn is_partial(&self) -> bool {
        self.head.is_some() || self.buffer.iter().any(|b| !b"\r\n".contains(b))
    }

    /// Cuts the next piece.
    pub(super) fn poll(&mut self) -> Framed {
        if self.head.is_none() {
            if self.buffer.starts_with(b"\r\n\r\n") {
                self.buffer.advance(4);
                return Framed::Ping;
            }
            if self.buffer.as_ref() == b"\r\n\r" {
                return Framed::NeedMore;
            }
            while self.buffer.starts_with(b"\r\n") && self.buffer.len() > 2 {
                self.buffer.advance(2);
            }
            if let Some(framed) = self.cut_head() {
                return framed;
            }
        }
        self.cut_body()
    }

    fn cut_head(&mut self) -> Option<Framed> {
        let from = self.searched.saturating_sub(3);
        let rest = self.buffer.get(from..).unwrap_or_default();
        let Some(end) = memchr::memmem::find(rest, b"\r\n\r\n").map(|at| from + at) else {
            self.searched = self.buffer.len();
            let too_long = self.buffer.len() > HEAD_OCTETS_MAX;
            return Some(if too_long {
                Framed::Endless
            } else {
                Framed::NeedMore
            });
        };
        self.searched = 0;
        let octets = self.buffer.split_to(end);
        self.buffer.advance(4);
        if octets.len() > HEAD_OCTETS_MAX {
            return Some(Framed::Endless);
        }
        let head = Head::read(&octets);
        let fault = match head.content_length() {
            ContentLength::Octets(octets) if octets <= BODY_OCTETS_MAX => {
                self.head = Some((head, octets));
                return None;
            }
            ContentLength::Octets(_) => Fault {
                status: 413,
                reason: "Request Entity Too Large",
            },
            ContentLength::Absent => Fault::bad("Missing Content-Length"),
            ContentLength::Unreadable => Fault::bad("Bad Content-Length"),
        };
        Some(Framed::Broken(head, fault))
    }

    fn cut_body(&mut self) -> Framed {
        match self.head.take() {
            Some((head, octets)) if self.buffer.len() >= octets => {
                Framed::Message(head, self.buffer.split_to(octets).freeze())
            }
            waiting => {
                self.head = waiting;
                Framed::NeedMore
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &[u8] =
        b"\r\n\r\n\r\nA b c\r\nl: 3\r\n\r\nxyzD e f\r\nContent-Length: 0\r\n\r\n\r\n\r\n";

    fn all(framer: &mut Framer) -> Vec<String> {
        let mut out = Vec::new();
        loop {
            match framer.poll() {
                Framed::NeedMore => return out,
                Framed::Ping => out.push("ping".to_owned()),
                Framed::Message(head, body) => {
                    out.push(format!("{}|{}", head.start, String::from_utf8_lossy(&body)));
                }
                Framed::Broken(_, fault) => {
                    out.push(fault.reason.to_owned());
                    return out;
                }
                Framed::Endless => {
                    out.push("endless".to_owned());
                    return out;
                }
            }
        }
    }

    #[test]
    fn stream_cut_at_every_octet_gives_the_same_messages() {
        for cut in 0..=TWO.len() {
            let mut framer = Framer::default();
            let mut out = Vec::new();
            for part in [&TWO[..cut], &TWO[cut..]] {
                framer.buffer().extend_from_slice(part);
                out.extend(all(&mut framer));
            }
            let messages: Vec<_> = out.iter().filter(|o| *o != "ping").collect();
            assert_eq!(messages, ["A b c|xyz", "D e f|"], "cut at {cut}");
            assert!(!framer.is_partial(), "cut at {cut}");
        }
    }

    #[test]
    fn stream_without_readable_length_is_broken() {
        for (head, reason) in [
            ("A b c", "Missing Content-Length"),
            ("A b c\r\nl: x", "Bad Content-Length"),
            (
                "A b c\r\nl: 18446744073709551615",
                "Request Entity Too Large",
            ),
            ("A b c\r\nl: 262145", "Request Entity Too Large"),
        ] {
            let mut framer = Framer::default();
            framer.buffer().extend_from_slice(head.as_bytes());
            framer.buffer().extend_from_slice(b"\r\n\r\n");
            assert_eq!(all(&mut framer), [reason]);
        }
    }

    #[test]
    fn stream_without_end_of_head_is_endless_at_the_bound() {
        let mut framer = Framer::default();
        framer.buffer().extend_from_slice(&[b'x'; HEAD_OCTETS_MAX]);
        assert_eq!(all(&mut framer), Vec::<String>::new());
        framer.buffer().extend_from_slice(b"x");
        assert_eq!(all(&mut framer), ["endless"]);
    }
}
