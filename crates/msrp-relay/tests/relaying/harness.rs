//! A relay with its connections, driven by octets.

use std::collections::BTreeMap;

use bytes::Bytes;
use msrp_relay::{
    Algorithm, CloseReason, ConnectionFacts, ConnectionId, Ha1, HopKey, Output, Proof, Relay,
    RelayConfig, UserList,
};
use msrp_session::Timestamp;
use msrp_wire::{Body, Decoder, Event, Limits, MsrpUriBuf, TransactionId};

/// A relay and what it has asked for.
pub(crate) struct World {
    pub(crate) relay: Relay<UserList>,
    pub(crate) now: Timestamp,
    decoders: BTreeMap<u64, Decoder>,
    /// What was written to each connection and not looked at yet.
    written: BTreeMap<u64, Vec<String>>,
    /// Requests that wait to be told as written.
    unwritten: Vec<(ConnectionId, TransactionId)>,
    pub(crate) tells_written: bool,
    pub(crate) connects: Vec<(HopKey, MsrpUriBuf)>,
    pub(crate) closes: Vec<(u64, CloseReason)>,
}

pub(crate) const RELAY: &str = "msrps://relay.example.com:2855;tcp";
pub(crate) const BARE: &str = "msrps://relay.example.com;tcp";
pub(crate) const ALICE: &str = "msrps://alice.invalid:9892/98cjs;tcp";
pub(crate) const BOB: &str = "msrp://bob.example.net:8888/9di4;tcp";
pub(crate) const SECOND: u64 = 1_000_000_000;

pub(crate) fn config() -> RelayConfig {
    let mut config = RelayConfig::new(RELAY.parse().unwrap(), "relay.example.com");
    config.aliases = vec![BARE.parse().unwrap()];
    config
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(config())
    }

    pub(crate) fn with(config: RelayConfig) -> Self {
        let users: Vec<String> = ["alice", "carol"]
            .iter()
            .map(|user| format!("{user}:relay.example.com:SHA-256:{}", "ab".repeat(32)))
            .collect();
        let users = UserList::parse(&users.join("\n")).unwrap();
        Self {
            relay: Relay::new(config, users, [9; 32]).unwrap(),
            now: Timestamp::from_ns(SECOND),
            decoders: BTreeMap::new(),
            written: BTreeMap::new(),
            unwritten: Vec::new(),
            tells_written: true,
            connects: Vec::new(),
            closes: Vec::new(),
        }
    }

    pub(crate) fn facts(relay: Option<&str>) -> ConnectionFacts {
        ConnectionFacts {
            is_tls: true,
            source: "192.0.2.7".parse().unwrap(),
            relay: relay.map(Into::into),
        }
    }

    pub(crate) fn open(&mut self, id: u64) {
        self.open_with(id, Self::facts(None));
    }

    pub(crate) fn open_with(&mut self, id: u64, facts: ConnectionFacts) {
        self.decoders.insert(id, Decoder::new(Limits::default()));
        self.relay.handle_opened(self.now, ConnectionId(id), facts);
    }

    pub(crate) fn close(&mut self, id: u64) {
        self.decoders.remove(&id);
        self.relay.handle_closed(ConnectionId(id));
        self.drain();
    }

    /// Connects the next hop that was asked for first.
    pub(crate) fn connect(&mut self, id: u64, relay: Option<&str>) -> MsrpUriBuf {
        let (hop, uri) = self.connects.remove(0);
        self.decoders.insert(id, Decoder::new(Limits::default()));
        self.relay
            .handle_connected(self.now, hop, ConnectionId(id), Self::facts(relay));
        self.drain();
        uri
    }

    /// Octets of one turn.
    pub(crate) fn feed(&mut self, id: u64, octets: impl AsRef<[u8]>) {
        self.feed_part(id, octets);
        self.relay.end_turn(self.now);
        self.drain();
    }

    pub(crate) fn feed_part(&mut self, id: u64, octets: impl AsRef<[u8]>) {
        let connection = ConnectionId(id);
        let mut rest = octets.as_ref();
        loop {
            let decoder = self.decoders.get_mut(&id).unwrap();
            let step = decoder.decode(rest).unwrap();
            match step.event {
                None => break,
                Some(Event::Request(head)) => {
                    self.relay.handle_request(self.now, connection, &head)
                }
                Some(Event::Body(Body::Input(range))) => {
                    let octets = Bytes::copy_from_slice(&rest[range]);
                    self.relay.handle_body(connection, octets);
                }
                Some(Event::Body(Body::Carried(octets))) => {
                    let octets = Bytes::copy_from_slice(octets);
                    self.relay.handle_body(connection, octets);
                }
                Some(Event::End(flag)) => self.relay.handle_end(connection, flag),
                Some(Event::Response(head)) => self.relay.handle_response(connection, &head),
                Some(Event::Rejected(rejected)) => {
                    self.relay.handle_rejected(connection, &rejected)
                }
            }
            rest = &rest[step.consumed..];
        }
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.relay.poll_output() {
            match output {
                Output::Piece {
                    connection,
                    piece,
                    paths,
                    ..
                } => {
                    let mut octets = piece.start().to_vec();
                    octets.extend_from_slice(&paths);
                    octets.extend_from_slice(piece.tail());
                    piece
                        .body()
                        .iter()
                        .for_each(|run| octets.extend_from_slice(run));
                    octets.extend_from_slice(piece.end());
                    self.wrote(connection, &octets, Some(piece.id()));
                }
                Output::Frame {
                    connection,
                    octets,
                    written,
                } => self.wrote(connection, &octets, written),
                Output::Connect { hop, uri } => self.connects.push((hop, uri)),
                Output::Close { connection, reason } => self.closes.push((connection.0, reason)),
            }
        }
        if self.tells_written {
            for (connection, id) in std::mem::take(&mut self.unwritten) {
                self.relay.handle_written(self.now, connection, id);
            }
        }
        if self.relay.sends_open_count() < 300 {
            self.relay.check_invariants();
        }
    }

    fn wrote(&mut self, connection: ConnectionId, octets: &[u8], written: Option<TransactionId>) {
        let text = String::from_utf8_lossy(octets).into_owned();
        self.written.entry(connection.0).or_default().push(text);
        self.unwritten.extend(written.map(|id| (connection, id)));
    }

    /// What was written to a connection since the last look.
    pub(crate) fn seen(&mut self, id: u64) -> Vec<String> {
        self.written.remove(&id).unwrap_or_default()
    }

    /// The one thing that was written to a connection since the last look.
    pub(crate) fn only(&mut self, id: u64) -> String {
        let mut seen = self.seen(id);
        assert_eq!(seen.len(), 1, "{seen:?}");
        seen.remove(0)
    }

    pub(crate) fn pass(&mut self, seconds: u64) {
        self.now = self.now.after(seconds * SECOND);
        self.relay.handle_timeout(self.now);
        self.drain();
    }

    pub(crate) fn make_room(&mut self) -> bool {
        let has_room = self.relay.make_room(self.now);
        self.drain();
        has_room
    }

    /// A client gets a URI; returns it.
    pub(crate) fn admit(&mut self, id: u64, to: &str, from: &str, more: &str) -> String {
        let answer = self.auth(id, to, from, more);
        field(&answer, "Use-Path").unwrap_or_else(|| panic!("{answer}"))
    }

    /// An AUTH that is challenged and comes again with right credentials; returns the last answer.
    pub(crate) fn auth(&mut self, id: u64, to: &str, from: &str, more: &str) -> String {
        self.feed(id, request("AUTH", "auth0001", to, from, ""));
        let nonce = nonce(&self.only(id));
        let last = to.rsplit(' ').next().unwrap();
        let credentials = credentials("alice", &nonce, 1, last);
        let lines = format!("Authorization: {credentials}\r\n{more}");
        self.feed(id, request("AUTH", "auth0002", to, from, &lines));
        self.only(id)
    }

    /// Answers a request that was written to a connection, as its receiver does.
    pub(crate) fn answer(&mut self, id: u64, request: &str, status: &str) {
        let (to, from) = (
            field(request, "From-Path").unwrap(),
            field(request, "To-Path").unwrap(),
        );
        let to = to.split(' ').next().unwrap();
        self.feed(id, response(&tid(request), status, to, &from, ""));
    }
}

pub(crate) fn request(method: &str, tid: &str, to: &str, from: &str, lines: &str) -> String {
    format!("MSRP {tid} {method}\r\nTo-Path: {to}\r\nFrom-Path: {from}\r\n{lines}-------{tid}$\r\n")
}

pub(crate) fn response(tid: &str, status: &str, to: &str, from: &str, lines: &str) -> String {
    format!("MSRP {tid} {status}\r\nTo-Path: {to}\r\nFrom-Path: {from}\r\n{lines}-------{tid}$\r\n")
}

/// A SEND with a body and more header lines.
pub(crate) fn send(tid: &str, to: &str, from: &str, lines: &str, body: &str, flag: char) -> String {
    format!(
        "MSRP {tid} SEND\r\nTo-Path: {to}\r\nFrom-Path: {from}\r\nMessage-ID: msg00001\r\n{lines}\
         Content-Type: text/plain\r\n\r\n{body}\r\n-------{tid}{flag}\r\n"
    )
}

pub(crate) fn field(text: &str, name: &str) -> Option<String> {
    let mut lines = text.split("\r\n").filter_map(|line| line.split_once(": "));
    lines
        .find(|(n, _)| *n == name)
        .map(|(_, value)| value.to_owned())
}

pub(crate) fn tid(text: &str) -> String {
    text.split(' ').nth(1).unwrap().to_owned()
}

pub(crate) fn body(text: &str) -> &str {
    let (_, body) = text.split_once("\r\n\r\n").unwrap();
    let end = body.rfind("\r\n-------").unwrap();
    &body[..end]
}

pub(crate) fn flag(text: &str) -> char {
    text.chars().rev().nth(2).unwrap()
}

pub(crate) fn nonce(challenge: &str) -> String {
    let (_, rest) = challenge
        .split_once("nonce=\"")
        .unwrap_or_else(|| panic!("{challenge}"));
    rest[..64].to_owned()
}

pub(crate) fn credentials(user: &str, nonce: &str, count: u32, uri: &str) -> String {
    let ha1 = Ha1::parse(Algorithm::Sha256, &"ab".repeat(32)).unwrap();
    let nc = format!("{count:08x}");
    let proof = Proof {
        nonce,
        nc: &nc,
        cnonce: "0a4f113b",
        uri,
    };
    let response = ha1.response(Algorithm::Sha256, &proof);
    format!(
        "Digest username=\"{user}\", realm=\"relay.example.com\", nonce=\"{nonce}\", qop=auth, nc={nc}, \
         cnonce=\"0a4f113b\", response=\"{response}\", algorithm=SHA-256"
    )
}
