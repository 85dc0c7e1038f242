//! One message with the answer that has to come.

use std::fmt::Write as _;

/// What has to come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// A final response with this status.
    Status(u16),
    /// Nothing.
    Silence,
}

/// One message: its name, its lines, its body, what has to come back.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    octets: Vec<u8>,
    pub(crate) expected: Expected,
    /// Whether the message can be cut out of a stream, so that it is sent over TCP too.
    pub(crate) is_framed: bool,
}

/// A header section of lines without line ends; VIA, ID and LENGTH are put in by the sender.
pub(crate) fn case(name: &'static str, expected: Expected, lines: &[&str]) -> Case {
    with_body(name, expected, lines, b"")
}

pub(crate) fn with_body(
    name: &'static str,
    expected: Expected,
    lines: &[&str],
    body: &[u8],
) -> Case {
    let mut text = String::new();
    for line in lines {
        write!(text, "{line}\r\n").unwrap();
    }
    text.push_str("\r\n");
    let mut octets = text.into_bytes();
    octets.extend_from_slice(body);
    Case {
        name,
        octets,
        expected,
        is_framed: true,
    }
}

impl Case {
    pub(crate) fn udp_only(mut self) -> Self {
        self.is_framed = false;
        self
    }

    /// The message over a transport, with a branch and a Call-ID of its own.
    pub(crate) fn filled(&self, number: usize, transport: &str, port: u16) -> Vec<u8> {
        let via =
            format!("SIP/2.0/{transport} 127.0.0.1:{port};branch=z9hG4bKcase{number}{transport}");
        let id = format!("case{number}{transport}@example.com");
        let mut octets = Vec::new();
        let mut rest = self.octets.as_slice();
        while let Some((&first, next)) = rest.split_first() {
            let replaced = [("%VIA%", &via), ("%ID%", &id)]
                .into_iter()
                .find(|(mark, _)| rest.starts_with(mark.as_bytes()));
            match replaced {
                Some((mark, value)) => {
                    octets.extend_from_slice(value.as_bytes());
                    rest = &rest[mark.len()..];
                }
                None => {
                    octets.push(first);
                    rest = next;
                }
            }
        }
        octets
    }
}

impl Case {
    pub(crate) fn followed_by(mut self, octets: &[u8]) -> Self {
        self.octets.extend_from_slice(octets);
        self.is_framed = false;
        self
    }

    /// Puts octets that are no text in the place of a mark.
    pub(crate) fn with_octets(mut self, mark: &[u8], octets: &[u8]) -> Self {
        let at = self
            .octets
            .windows(mark.len())
            .position(|w| w == mark)
            .unwrap();
        self.octets
            .splice(at..at + mark.len(), octets.iter().copied());
        self
    }
}

/// The fields that a request needs beside Via, for a method.
macro_rules! usual {
    ($method:literal, $uri:literal $(, $line:expr)* $(,)?) => {
        &[
            concat!($method, " ", $uri, " SIP/2.0"),
            "Via: %VIA%",
            "Max-Forwards: 70",
            "From: <sip:alice@example.com>;tag=1",
            "To: <sip:friends@localhost>",
            "Call-ID: %ID%",
            concat!("CSeq: 1 ", $method),
            $($line,)*
            "Content-Length: 0",
        ]
    };
}

pub(crate) use usual;
