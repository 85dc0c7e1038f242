//! What a gigabyte through the relay costs, beside a bare loop that copies octets from one socket to another.
//!
//! One client sends one large message in chunks of 64 KiB to an endpoint; nobody is asked for answers. The figures are the wall
//! time, and the time that the relaying thread spent on its core (user and system, as the scheduler counts it). Loop and
//! relay take turns in one run; what counts is their ratio.
//!
//! ```sh
//! cargo bench -p msrpd-benches --bench relay
//! ```
#![expect(
    clippy::cast_precision_loss,
    reason = "the numbers of a bench are small"
)]
#![expect(
    clippy::unwrap_used,
    reason = "a bench stops where something is missing"
)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Instant;

use msrp_relay::{Algorithm, Ha1, Proof};
use msrp_shard::{
    EngineConfig, EngineLimits, ListenerConfig, RelayOptions, RelayUsers, SystemNames, UserList,
};

/// Octets of a chunk's body, and of one read of the bare loop.
const CHUNK_OCTETS: usize = 64 * 1024;

const ALICE: &str = "msrp://alice.invalid:9/alice001;tcp";
const BOB: &str = "msrp://bob.invalid:9/bob00001;tcp";
const HA1: &str = "abababababababababababababababababababababababababababababababab";

/// What one way cost.
struct Cost {
    wall_s: f64,
    cpu_s: f64,
}

fn main() {
    let is_bench = std::env::args().any(|arg| arg == "--bench");
    let (rounds, octets) = if is_bench { (5, 1 << 30) } else { (1, 1 << 22) };
    println!("way,gigabytes_per_s,cpu_s_per_gigabyte");
    let (mut loops, mut relays) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let gigabytes = octets as f64 / 1e9;
        for (name, cost, all) in [
            ("copy loop", copy_loop(octets), &mut loops),
            ("relay", relay(octets), &mut relays),
        ] {
            println!(
                "{name},{:.3},{:.3}",
                gigabytes / cost.wall_s,
                cost.cpu_s / gigabytes
            );
            all.push(cost);
        }
    }
    let sum = |all: &[Cost], of: fn(&Cost) -> f64| all.iter().map(of).sum::<f64>();
    println!(
        "relay against copy loop: {:.2} of its throughput, {:.2} of its processor time",
        sum(&loops, |c| c.wall_s) / sum(&relays, |c| c.wall_s),
        sum(&relays, |c| c.cpu_s) / sum(&loops, |c| c.cpu_s),
    );
}

/// A thread that reads from one socket and writes to another, and nothing else.
fn copy_loop(octets: usize) -> Cost {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (from, to) = (
        TcpStream::connect(address).unwrap(),
        TcpStream::connect(address).unwrap(),
    );
    let (mut source, _) = listener.accept().unwrap();
    let (mut sink, _) = listener.accept().unwrap();
    let thread = std::thread::Builder::new().name("copy-loop".to_owned());
    let (done, is_measured) = std::sync::mpsc::channel();
    let copying = thread.spawn(move || {
        let mut buffer = vec![0; CHUNK_OCTETS];
        loop {
            let read = source.read(&mut buffer).unwrap();
            if read == 0 {
                break;
            }
            sink.write_all(&buffer[..read]).unwrap();
        }
        // Its time is read while it is there.
        is_measured.recv().unwrap();
    });
    let cost = measure("copy-loop", octets, from, to, None);
    done.send(()).unwrap();
    copying.unwrap().join().unwrap();
    cost
}

fn relay(octets: usize) -> Cost {
    let users = UserList::parse(&format!("alice:localhost:SHA-256:{HA1}")).unwrap();
    let config = EngineConfig {
        pin_shards: false,
        want: ring_io::Want::Auto,
        shards: 1,
        listeners: vec![ListenerConfig {
            name: "lo".to_owned(),
            bind: "127.0.0.1:0".parse().unwrap(),
            advertise: Some(("localhost".to_owned(), 0)),
            transport: Default::default(),
        }],
        limits: EngineLimits::default(),
        ask_recipients: false,
        rules: Default::default(),
    };
    let options = RelayOptions {
        listener: None,
        realm: "localhost".to_owned(),
        users: RelayUsers::new(users),
        expires_s: (60, 3600, 600),
        allowed_addresses: Vec::new(),
        relays: Vec::new(),
        roots: None,
        allow_plain_auth: true,
        names: Arc::new(SystemNames),
    };
    let started = msrp_shard::start_with_relay(&config, options).unwrap();
    let address = started.listeners[0].1;
    let (alice, uri) = authenticate(address);
    let mut bob = TcpStream::connect(address).unwrap();
    let hello = format!(
        "MSRP hello001 SEND\r\nTo-Path: {uri} {ALICE}\r\nFrom-Path: {BOB}\r\nMessage-ID: hello1\r\n\
         Byte-Range: 1-0/0\r\nFailure-Report: no\r\n-------hello001$\r\n"
    );
    bob.write_all(hello.as_bytes()).unwrap();
    // The relay knows Bob once Alice has heard of him.
    let mut alice = alice;
    read_frame(&mut alice);
    let cost = measure("shard-0", octets, alice, bob, Some(&uri));
    started.engine.shutdown();
    cost
}

/// A client with its URI.
fn authenticate(address: SocketAddr) -> (TcpStream, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    let own = format!("msrp://localhost:{};tcp", address.port());
    let mut ask = |lines: &str| {
        let frame = format!(
            "MSRP auth0001 AUTH\r\nTo-Path: {own}\r\nFrom-Path: {ALICE}\r\n{lines}-------auth0001$\r\n"
        );
        stream.write_all(frame.as_bytes()).unwrap();
        read_frame(&mut stream)
    };
    let challenge = ask("");
    let nonce = between(&challenge, "nonce=\"", "\"").to_owned();
    let proof = Proof {
        nonce: &nonce,
        nc: "00000001",
        cnonce: "0a4f113b",
        uri: &own,
    };
    let ha1 = Ha1::parse(Algorithm::Sha256, HA1).unwrap();
    let response = ha1.response(Algorithm::Sha256, &proof);
    let answer = ask(&format!(
        "Authorization: Digest username=\"alice\", realm=\"localhost\", nonce=\"{nonce}\", qop=auth, nc=00000001, \
         cnonce=\"0a4f113b\", response=\"{response}\", algorithm=SHA-256\r\n"
    ));
    let uri = between(&answer, "Use-Path: ", "\r\n").to_owned();
    (stream, uri)
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let (_, rest) = text.split_once(before).unwrap();
    rest.split_once(after).unwrap().0
}

/// One small frame, to its end line.
fn read_frame(stream: &mut TcpStream) -> String {
    let mut read = Vec::new();
    while !read.ends_with(b"$\r\n") {
        let mut octet = [0];
        stream.read_exact(&mut octet).unwrap();
        read.push(octet[0]);
    }
    String::from_utf8(read).unwrap()
}

/// Sends so many octets on one connection, as MSRP when there is a relay between, and takes them from the other.
fn measure(
    thread: &str,
    octets: usize,
    mut from: TcpStream,
    mut to: TcpStream,
    uri: Option<&str>,
) -> Cost {
    let path = uri.map(|uri| format!("{uri} {BOB}"));
    let before = cpu_s(thread);
    let began = Instant::now();
    let writing = std::thread::spawn(move || {
        let body = vec![b'x'; CHUNK_OCTETS];
        for start in (0..octets).step_by(CHUNK_OCTETS) {
            let end = start + CHUNK_OCTETS;
            let (head, tail) = match &path {
                Some(path) => (
                    format!(
                        "MSRP chunk001 SEND\r\nTo-Path: {path}\r\nFrom-Path: {ALICE}\r\nMessage-ID: large1\r\n\
                         Byte-Range: {}-{end}/{octets}\r\nFailure-Report: no\r\nContent-Type: text/plain\r\n\r\n",
                        start + 1
                    ),
                    format!(
                        "\r\n-------chunk001{}\r\n",
                        if end == octets { '$' } else { '+' }
                    ),
                ),
                None => (String::new(), String::new()),
            };
            let parts = [head.as_bytes(), &body, tail.as_bytes()].concat();
            from.write_all(&parts).unwrap();
        }
        from
    });
    let (mut taken, mut buffer, mut last) = (0, vec![0; 1 << 20], [0; 3]);
    while taken < octets || (uri.is_some() && last != *b"$\r\n") {
        let read = to.read(&mut buffer).unwrap();
        assert!(read > 0, "the way ended");
        taken += read;
        for octet in &buffer[read.saturating_sub(3)..read] {
            last = [last[1], last[2], *octet];
        }
    }
    let cost = Cost {
        wall_s: began.elapsed().as_secs_f64(),
        cpu_s: cpu_s(thread) - before,
    };
    drop(writing.join().unwrap());
    cost
}

/// The time that a thread of this process spent on its core.
fn cpu_s(thread: &str) -> f64 {
    for task in std::fs::read_dir("/proc/self/task").unwrap() {
        let folder = task.unwrap().path();
        // A thread may end between the listing and the look.
        let name = std::fs::read_to_string(folder.join("comm")).unwrap_or_default();
        if name.trim_end() == thread {
            let text = std::fs::read_to_string(folder.join("schedstat")).unwrap();
            let ns: u64 = text.split(' ').next().unwrap().parse().unwrap();
            return ns as f64 / 1e9;
        }
    }
    // It has not begun.
    0.0
}
