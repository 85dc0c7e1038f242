//! What lies above MSRP on a WebSocket listener.

use msrp_transport::{Door, Layer, Origins, Received};

use crate::input::Input;

/// What is worth inserting.
pub(crate) const WORDS: &[&str] = &[
    "GET / HTTP/1.1\r\n",
    "Host: a\r\n",
    "Upgrade: websocket\r\n",
    "Connection: Upgrade\r\n",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
    "Sec-WebSocket-Version: 13\r\n",
    "Sec-WebSocket-Protocol: msrp\r\n",
    "Sec-WebSocket-Extensions: permessage-deflate\r\n",
    "Origin: http://a\r\n",
    "\r\n",
    "\u{2}\u{5}",
    "\u{8}",
    "\u{9}",
];

/// Two octets say where reads cut, the rest is what a client sends. With the first octet odd a right handshake goes
/// before it. The same MSRP, answers and end, wherever reads cut.
pub fn websocket(input: &[u8]) {
    let mut choices = Input::new(input);
    let (kind, step) = (choices.octet(), usize::from(choices.octet()).max(1));
    let mut octets = Vec::new();
    if kind % 2 == 1 {
        octets.extend_from_slice(HANDSHAKE);
    }
    octets.extend_from_slice(input.get(2..).unwrap_or_default());
    let whole = read([octets.as_slice()].into_iter());
    let cut = read(octets.chunks(step));
    assert_eq!(whole, cut, "reads of {step} octets");
    assert!(whole.plain.len() <= octets.len());
}

const HANDSHAKE: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: msrp\r\n\r\n";

#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    plain: Vec<u8>,
    answers: Vec<u8>,
    ended: Option<String>,
}

/// What a server makes of the reads of one connection.
fn read<'a>(reads: impl Iterator<Item = &'a [u8]>) -> Outcome {
    let door = Door::default().websocket(Origins::any());
    let layer: Option<Box<Layer>> = door.accept().unwrap_or_else(|e| panic!("{e}"));
    let mut layer = layer.unwrap_or_else(|| panic!("a WebSocket is a layer"));
    let mut outcome = Outcome {
        plain: Vec::new(),
        answers: Vec::new(),
        ended: None,
    };
    for octets in reads {
        let received = layer.receive(octets, &mut outcome.plain);
        outcome.answers.extend_from_slice(layer.wire());
        let sent = layer.wire().len();
        layer.took(sent);
        match received {
            Ok(Received::Open) => {}
            Ok(Received::Ended) => outcome.ended = Some("closed".to_owned()),
            Err(failure) => outcome.ended = Some(format!("{failure:?}")),
        }
        if outcome.ended.is_some() {
            break;
        }
    }
    outcome
}
