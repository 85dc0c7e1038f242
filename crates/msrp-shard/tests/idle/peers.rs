//! The peers: plain sockets, driven by lines on the standard input.
//!
//! `bind URI ...` connects to sessions and sends an empty SEND on each; `fill N OCTETS` sends a message that is refused;
//! `say N M` sends a text from the Nth peer to the room of the Mth, who reads it. Each is answered with a line.

use std::io::{BufRead as _, Read as _, Write as _};
use std::net::TcpStream;

/// Begins the answers, which stand among the lines of the test harness.
pub(crate) const DONE: &str = "peers: done";

pub(crate) fn own_uri(number: usize) -> String {
    format!("msrp://127.0.0.1:9/peer{number:08};tcp")
}

struct Peer {
    stream: TcpStream,
    to_path: String,
    number: usize,
}

pub(crate) fn run() {
    let mut peers = Vec::new();
    for line in std::io::stdin().lock().lines() {
        let line = line.unwrap();
        let words: Vec<&str> = line.split(' ').collect();
        let number = |at: usize| words[at].parse::<usize>().unwrap();
        match words[0] {
            "bind" => bind(&mut peers, &words[1..]),
            "fill" => peers[number(1)].fill(number(2)),
            "say" => {
                peers[number(1)].say(words[3], words[4]);
                peers[number(2)].hear();
            }
            other => panic!("no such command: {other}"),
        }
        println!("{DONE}");
    }
}

fn bind(peers: &mut Vec<Peer>, uris: &[&str]) {
    let first = peers.len();
    for uri in uris {
        peers.push(Peer::bind(peers.len(), uri));
    }
    for peer in &mut peers[first..] {
        peer.expect("MSRP bind 200");
    }
}

impl Peer {
    fn bind(number: usize, uri: &str) -> Self {
        let address = uri.split('/').nth(2).unwrap();
        let mut peer = Self {
            stream: TcpStream::connect(address).unwrap(),
            to_path: uri.to_owned(),
            number,
        };
        peer.stream.set_nodelay(true).unwrap();
        peer.send("bind", "Byte-Range: 1-0/0\r\n-------bind$\r\n");
        peer
    }

    fn send(&mut self, id: &str, rest: &str) {
        let (to, from) = (&self.to_path, own_uri(self.number));
        let text = format!(
            "MSRP {id} SEND\r\nTo-Path: {to}\r\nFrom-Path: {from}\r\nMessage-ID: {id}\r\n{rest}"
        );
        self.stream.write_all(text.as_bytes()).unwrap();
    }

    /// Reads what arrives up to the end of a frame, which contains `wanted`.
    fn expect(&mut self, wanted: &str) {
        let mut octets = Vec::new();
        while !octets.ends_with(b"$\r\n") {
            let mut part = [0; 4096];
            let count = self.stream.read(&mut part).unwrap();
            assert!(count > 0, "the connection was closed");
            octets.extend_from_slice(&part[..count]);
        }
        let text = String::from_utf8_lossy(&octets);
        assert!(text.contains(wanted), "{text}");
    }

    fn fill(&mut self, octets: usize) {
        self.send(
            "fill",
            &format!("Byte-Range: 1-*/{octets}\r\nContent-Type: text/plain\r\n\r\n"),
        );
        let part = [b'f'; 65_536];
        for _ in 0..octets.div_ceil(part.len()) {
            self.stream.write_all(&part).unwrap();
        }
        self.stream.write_all(b"\r\n-------fill$\r\n").unwrap();
        self.expect("MSRP fill 4");
    }

    fn say(&mut self, from: &str, to: &str) {
        let body = format!(
            "From: <{from}>\r\nTo: <{to}>\r\n\r\nContent-Type: text/plain\r\n\r\nstill here"
        );
        let octets = body.len();
        self.send("say1", &format!(
            "Byte-Range: 1-{octets}/{octets}\r\nContent-Type: message/cpim\r\n\r\n{body}\r\n-------say1$\r\n"
        ));
        self.expect("MSRP say1 200");
    }

    fn hear(&mut self) {
        self.expect("still here");
    }
}
