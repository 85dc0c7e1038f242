//! The reader of connections.

use msrp_wire::{Body, Decoder, Event, Limits, MsrpUri, Path, RequestHead};

use crate::mutation::Numbers;

/// What is worth inserting.
pub(crate) const WORDS: &[&str] = &[
    "MSRP abcd SEND\r\n",
    "MSRP abcd 200 OK\r\n",
    "MSRP abcd REPORT\r\n",
    "To-Path: msrp://a.example:1/x;tcp\r\n",
    "From-Path: msrps://[::1]:2/y;tcp msrp://b/z;ws\r\n",
    "Message-ID: 8765\r\n",
    "Byte-Range: 1-*/*\r\n",
    "Failure-Report: partial\r\n",
    "Success-Report: yes\r\n",
    "Status: 000 200 OK\r\n",
    "Content-Type: message/cpim\r\n",
    "\r\n\r\n",
    "\r\n-------abcd$\r\n",
    "-------abcd",
    "+\r\n",
    "#\r\n",
    "-------",
    "\r\n",
];

/// The first two octets say where reads cut the others.
pub fn decoder(input: &[u8]) {
    let Some((cuts, text)) = input.split_first_chunk::<2>() else {
        return;
    };
    let mut numbers = Numbers::of_seed(u64::from(u16::from_be_bytes(*cuts)));
    let whole = read([text]);
    assert_eq!(whole, read(pieces(text, &mut numbers)), "cut at random");
    assert_eq!(whole, read(text.chunks(1)), "octet by octet");
}

fn pieces<'a>(text: &'a [u8], numbers: &mut Numbers) -> Vec<&'a [u8]> {
    let longest = 1 + numbers.below(64);
    let mut pieces = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (piece, tail) = rest.split_at((1 + numbers.below(longest)).min(rest.len()));
        pieces.push(piece);
        rest = tail;
    }
    pieces
}

/// Reads pieces, and gives the events as text. Neighbouring parts of a body are one.
fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<String> {
    let mut decoder = Decoder::new(Limits::default());
    let mut told = Told::default();
    for piece in pieces {
        let mut rest = piece;
        loop {
            let step = match decoder.decode(rest) {
                Ok(step) => step,
                Err(malformed) => {
                    told.note(format!("closed {malformed:?}"));
                    assert_eq!(decoder.decode(rest).err(), Some(malformed));
                    return told.finish();
                }
            };
            let consumed = step.consumed;
            let Some(event) = step.event else {
                assert_eq!(consumed, rest.len(), "octets are left without an event");
                break;
            };
            told.event(event, rest);
            rest = &rest[consumed..];
        }
    }
    told.note(format!("between frames: {}", decoder.is_between_frames()));
    told.finish()
}

#[derive(Default)]
struct Told {
    events: Vec<String>,
    body: Vec<u8>,
    is_in_request: bool,
}

impl Told {
    fn event(&mut self, event: Event<'_>, input: &[u8]) {
        match event {
            Event::Request(head) => {
                assert!(!self.is_in_request, "a request inside a request");
                self.is_in_request = true;
                check_head(&head);
                self.note(format!("{head:?}"));
            }
            Event::Body(Body::Input(range)) => self.body(&input[range]),
            Event::Body(Body::Carried(octets)) => {
                assert!(octets.len() <= 44, "{} octets carried", octets.len());
                self.body(octets);
            }
            Event::End(flag) => {
                assert!(self.is_in_request, "an end without a request");
                self.is_in_request = false;
                self.note(format!("{flag:?}"));
            }
            Event::Response(head) => {
                let paths = (head.to_path().is_some(), head.from_path().is_some());
                self.note(format!("{head:?} {paths:?}"));
            }
            Event::Rejected(rejected) => self.note(format!("{rejected:?}")),
        }
    }

    fn body(&mut self, octets: &[u8]) {
        assert!(self.is_in_request, "a body without a request");
        assert!(!octets.is_empty(), "a body event without octets");
        self.body.extend_from_slice(octets);
    }

    fn note(&mut self, text: String) {
        if !self.body.is_empty() {
            let body = std::mem::take(&mut self.body);
            self.events.push(format!("body {}", body.escape_ascii()));
        }
        self.events.push(text);
    }

    fn finish(self) -> Vec<String> {
        self.events
    }
}

/// Nothing in a head can break out of a line that is written from it.
fn check_head(head: &RequestHead<'_>) {
    for path in [head.to_path, head.from_path] {
        assert_clean(path.raw());
        assert!(Path::parse(path.raw()).is_ok_and(|again| again == path));
        let all: Vec<MsrpUri<'_>> = path.iter().collect();
        assert_eq!(all.len(), path.len());
        assert_eq!(all.first(), Some(&path.first()));
        assert_eq!(all.last(), Some(&path.last()));
    }
    for line in head.headers() {
        assert_clean(line.name);
        assert_clean(line.value);
        let known = std::str::from_utf8(line.name).is_ok_and(|name| {
            let first = head.headers().value(name);
            first.is_some()
        });
        assert!(known, "a header that cannot be found");
    }
    assert!(head.headers().count() <= Limits::default().header_lines_max);
    let relayed: Vec<_> = head.relayed_headers().collect();
    let copied = head.relayed_headers().to_buf();
    assert_eq!(relayed, copied.lines().collect::<Vec<_>>());
}

fn assert_clean(text: &[u8]) {
    let is_forbidden = |c: &u8| c.is_ascii_control() && *c != b'\t';
    assert!(!text.iter().any(is_forbidden), "{}", text.escape_ascii());
}
