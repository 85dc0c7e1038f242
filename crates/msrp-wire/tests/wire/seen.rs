//! Runs a decoder over pieces of input and keeps what it says.

use msrp_wire::{Body, ContinuationFlag, Decoder, Event, Limits, Malformed};

/// An event without its borrow. Heads are kept as their debug text, which shows every field and header line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Request(String),
    Body(Vec<u8>),
    End(ContinuationFlag),
    Response(String),
    Rejected(String),
    Closed(Malformed),
}

/// Feeds `pieces` one after the other. Neighbouring body parts are joined.
pub(crate) fn decode_pieces<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Seen> {
    let mut decoder = Decoder::new(Limits::default());
    decode_with(&mut decoder, pieces)
}

/// Feeds a whole text at once.
pub(crate) fn decode(text: &[u8]) -> Vec<Seen> {
    decode_pieces([text])
}

/// Feeds `pieces` to a decoder of the caller.
pub(crate) fn decode_with<'a>(
    decoder: &mut Decoder,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Vec<Seen> {
    let mut seen = Vec::new();
    for piece in pieces {
        let mut rest = piece;
        loop {
            let step = match decoder.decode(rest) {
                Ok(step) => step,
                Err(malformed) => {
                    seen.push(Seen::Closed(malformed));
                    return seen;
                }
            };
            let consumed = step.consumed;
            let Some(event) = step.event else {
                assert_eq!(consumed, rest.len(), "input left over without an event");
                break;
            };
            note(&mut seen, event, rest);
            rest = &rest[consumed..];
        }
    }
    seen
}

fn note(seen: &mut Vec<Seen>, event: Event<'_>, input: &[u8]) {
    match event {
        Event::Request(head) => seen.push(Seen::Request(format!("{head:?}"))),
        Event::Body(Body::Input(range)) => note_body(seen, &input[range]),
        Event::Body(Body::Carried(octets)) => {
            assert!(octets.len() <= 44, "{} octets carried", octets.len());
            note_body(seen, octets);
        }
        Event::End(flag) => seen.push(Seen::End(flag)),
        Event::Response(head) => seen.push(Seen::Response(format!("{head:?}"))),
        Event::Rejected(rejected) => seen.push(Seen::Rejected(format!("{rejected:?}"))),
    }
}

fn note_body(seen: &mut Vec<Seen>, octets: &[u8]) {
    assert!(!octets.is_empty(), "a body event without octets");
    match seen.last_mut() {
        Some(Seen::Body(body)) => body.extend_from_slice(octets),
        _ => seen.push(Seen::Body(octets.to_vec())),
    }
}

/// The body that was seen, when there was exactly one request with one.
pub(crate) fn only_body(seen: &[Seen]) -> Vec<u8> {
    match seen {
        [Seen::Request(_), Seen::End(_)] => Vec::new(),
        [Seen::Request(_), Seen::Body(body), Seen::End(_)] => body.clone(),
        other => panic!("not one request: {other:?}"),
    }
}

/// A SEND with paths, a Message-ID, the given further header lines, a body, and its end line.
pub(crate) fn send(lines: &str, body: Option<&[u8]>) -> Vec<u8> {
    let mut text =
        format!("MSRP a786hjs2 SEND\r\n{PATHS}Message-ID: 87652491\r\n{lines}").into_bytes();
    if let Some(body) = body {
        text.extend_from_slice(b"Content-Type: text/plain\r\n\r\n");
        text.extend_from_slice(body);
        text.extend_from_slice(b"\r\n");
    }
    text.extend_from_slice(b"-------a786hjs2$\r\n");
    text
}

/// Two legal path lines.
pub(crate) const PATHS: &str = "To-Path: msrp://bob.example.com:8888/9di4;tcp\r\nFrom-Path: msrp://alice.example.com:7777/iau3;tcp\r\n";
