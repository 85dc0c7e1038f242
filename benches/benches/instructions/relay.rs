//! A SEND of 200 octets through the relay without a network: read, passed on, answered, and the next hop's answer.

use std::hint::black_box;
use std::ops::Range;

use bytes::Bytes;
use msrp_relay::{
    Algorithm, ConnectionFacts, ConnectionId, Ha1, Output, Proof, Relay, RelayConfig, UserList,
};
use msrp_session::Timestamp;
use msrp_wire::{Body, Decoder, Event, Limits, TransactionId};

const OWN: &str = "msrp://relay.example.com:2855;tcp";
const ALICE: &str = "msrp://alice.invalid:9/alice001;tcp";
const BOB: &str = "msrp://bob.invalid:9/bob00001;tcp";
const OWNER: ConnectionId = ConnectionId(1);
const PEER: ConnectionId = ConnectionId(2);

/// Relays a SEND so often from the peer of a URI to its owner.
pub(crate) fn relay_send(rounds: usize) {
    let mut town = Town::new();
    let uri = town.admit();
    let body = "x".repeat(200);
    let request = Bytes::from(format!(
        "MSRP a786hjs2aB SEND\r\nTo-Path: {uri} {ALICE}\r\nFrom-Path: {BOB}\r\nMessage-ID: 87652491ab\r\n\
         Byte-Range: 1-200/200\r\nContent-Type: text/plain\r\n\r\n{body}\r\n-------a786hjs2aB$\r\n"
    ));
    let id = "0123456789abcdef012345";
    let mut answer =
        format!("MSRP {id} 200 OK\r\nTo-Path: {uri}\r\nFrom-Path: {ALICE}\r\n-------{id}$\r\n")
            .into_bytes();
    let places = [
        5..5 + id.len(),
        answer.len() - 3 - id.len()..answer.len() - 3,
    ];
    for _ in 0..rounds {
        town.feed(PEER, &request);
        let piece = town.sent.take().unwrap();
        answer_with(&mut answer, &places, piece);
        town.feed(OWNER, &Bytes::copy_from_slice(&answer));
    }
    assert_eq!(town.relay.sums().delivered, rounds as u64);
}

/// Writes the id of a piece into both lines of its answer that have it.
fn answer_with(answer: &mut Vec<u8>, places: &[Range<usize>; 2], id: TransactionId) {
    let id = id.as_str().as_bytes();
    for place in places.iter().rev() {
        answer.splice(place.clone(), id.iter().copied());
    }
    assert_eq!(id.len(), places[0].len(), "ids are all of one length");
}

struct Town {
    relay: Relay<UserList>,
    decoders: [Decoder; 2],
    now: Timestamp,
    sent: Option<TransactionId>,
    frames: Vec<Bytes>,
}

impl Town {
    fn new() -> Self {
        let mut config = RelayConfig::new(OWN.parse().unwrap(), "localhost");
        config.allow_plain_auth = true;
        let user = format!("alice:localhost:SHA-256:{}", "ab".repeat(32));
        let users = UserList::parse(&user).unwrap();
        let mut relay = Relay::new(config, users, [7; 32]).unwrap();
        let now = Timestamp::from_ns(1);
        for id in [OWNER, PEER] {
            let facts = ConnectionFacts {
                is_tls: false,
                source: [192, 0, 2, 1].into(),
                relay: None,
            };
            relay.handle_opened(now, id, facts);
        }
        Self {
            relay,
            decoders: [(); 2].map(|()| Decoder::new(Limits::default())),
            now,
            sent: None,
            frames: Vec::new(),
        }
    }

    /// The owner gets a URI.
    fn admit(&mut self) -> String {
        let ask = |lines: &str| {
            let head = "MSRP auth0001 AUTH\r\nTo-Path: ";
            let frame = format!("{head}{OWN}\r\nFrom-Path: {ALICE}\r\n{lines}-------auth0001$\r\n");
            Bytes::from(frame)
        };
        self.feed(OWNER, &ask(""));
        let challenge = self.frames.pop().unwrap();
        let nonce = between(&challenge, "nonce=\"", "\"");
        let proof = Proof {
            nonce: &nonce,
            nc: "00000001",
            cnonce: "0a4f113b",
            uri: OWN,
        };
        let ha1 = Ha1::parse(Algorithm::Sha256, &"ab".repeat(32)).unwrap();
        let response = ha1.response(Algorithm::Sha256, &proof);
        self.feed(
            OWNER,
            &ask(&format!(
                "Authorization: Digest username=\"alice\", realm=\"localhost\", nonce=\"{nonce}\", qop=auth, \
                 nc=00000001, cnonce=\"0a4f113b\", response=\"{response}\", algorithm=SHA-256\r\n"
            )),
        );
        between(&self.frames.pop().unwrap(), "Use-Path: ", "\r\n")
    }

    /// A turn with these octets on a connection.
    fn feed(&mut self, id: ConnectionId, octets: &Bytes) {
        let decoder = &mut self.decoders[usize::from(id == PEER)];
        let (relay, now) = (&mut self.relay, self.now);
        let mut start = 0;
        while start < octets.len() {
            let step = decoder.decode(&octets[start..]).unwrap();
            match step.event {
                Some(Event::Request(head)) => relay.handle_request(now, id, &head),
                Some(Event::Body(Body::Input(range))) => {
                    relay.handle_body(id, octets.slice(start + range.start..start + range.end));
                }
                Some(Event::End(flag)) => relay.handle_end(id, flag),
                Some(Event::Response(head)) => relay.handle_response(id, &head),
                _ => {}
            }
            start += step.consumed;
        }
        relay.end_turn(now);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.relay.poll_output() {
            match black_box(output) {
                Output::Piece {
                    connection, piece, ..
                } => {
                    self.relay.handle_written(self.now, connection, piece.id());
                    self.sent = Some(piece.id());
                }
                Output::Frame { octets, .. } => {
                    self.frames.clear();
                    self.frames.push(octets);
                }
                Output::Connect { .. } | Output::Close { .. } => {}
            }
        }
    }
}

fn between(octets: &[u8], before: &str, after: &str) -> String {
    let text = std::str::from_utf8(octets).unwrap();
    let (_, rest) = text.split_once(before).unwrap();
    rest.split_once(after).unwrap().0.to_owned()
}
