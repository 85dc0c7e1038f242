//! A crowd of connections that want nothing: silent ones, slow ones, half-open TLS handshakes, AUTH without credentials.
//!
//! They come from many addresses of loopback. The relay takes as many as it may have, refuses the rest, gets rid of all of them in
//! their time, and two clients that talk meanwhile notice little of it.

use std::net::{Ipv4Addr, SocketAddr};
use std::thread;
use std::time::{Duration, Instant};

use msrp_testkit::{Daemon, Draft};
use tokio::net::{TcpSocket, TcpStream};

use crate::client::{ALICE, Client, config, pair, uri_of};
use crate::tls_peer::self_signed;

/// How many come: `MSRPD_CROWD`, or as many as a process has descriptors for by default.
fn crowd() -> usize {
    let set = std::env::var("MSRPD_CROWD").ok();
    set.map_or(700, |crowd| crowd.parse().unwrap())
}

/// Seconds after which a connection that names no session is closed.
const UNBOUND_S: u64 = 10;
/// Most connections that the relay may have here: fewer than a process has descriptors for.
const HELD_MAX: usize = 15_000;
/// Connections that come from one address.
const PER_ADDRESS: usize = 1000;
/// Connections after which those are let go that were refused.
const SWEEP: usize = 100;
/// Kernel memory is not the process's: what one connection may cost it, and what comes on top for all of them.
const CONNECTION_KIB_MAX: usize = 8;
const BASE_KIB: usize = 32 * 1024;

#[test]
fn crowd_of_slow_connections_is_bounded_and_disturbs_nobody() {
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_all().build().unwrap();
    runtime.block_on(withstand());
}

async fn withstand() {
    let max = (crowd() * 6 / 10).min(HELD_MAX);
    let key = self_signed();
    let relay = config().shards(2).listeners(&[
        "name = \"relay\"\nbind = \"127.0.0.1:0\"\nadvertise = \"localhost:0\"\n",
        "name = \"tls\"\nbind = \"127.0.0.1:0\"\ntransport = \"tls\"\ncert = \"cert.pem\"\nkey = \"key.pem\"\n",
    ]);
    let relay = relay
        .file("cert.pem", &key.cert.pem())
        .file("key.pem", &key.signing_key.serialize_pem())
        .set("relay", "listener", "relay")
        .set("limits", "connections_max", u32::try_from(max).unwrap())
        .set("limits", "unbound_s", UNBOUND_S);
    let relay = Daemon::start(relay).await;
    let (alice, bob) = pair(&relay).await;
    let before = resident_kib(&relay);
    let quiet = talk(&alice, &bob, || false).await;

    let to = (relay.msrp_addr(), relay.msrp_addr_of("tls"), uri_of(&relay));
    let started = Instant::now();
    let coming = thread::spawn(move || come(&to));
    let during = talk(&alice, &bob, || !coming.is_finished()).await;
    let came = coming.join().unwrap();
    let (peak, refused) = (resident_kib(&relay), refused(&relay).await);
    let count = relay.metric("msrp_connections").await;
    println!(
        "{} connections in {:?}: {count} held, {refused} refused, {} KiB before, {peak} KiB with them",
        crowd(),
        started.elapsed(),
        before
    );
    assert!(count <= as_f64(max), "{count}");
    assert!(refused > 0.0);
    assert!(
        peak < before + BASE_KIB + max * CONNECTION_KIB_MAX,
        "{peak}"
    );
    // Those that are left say nothing more, and are closed in their time.
    let held = talk(&alice, &bob, || false).await;
    relay
        .wait_metric_within(Duration::from_secs(90), "msrp_connections", |count| {
            count == 2.0
        })
        .await;
    let gone = started.elapsed();
    drop(came);
    let after = talk(&alice, &bob, || false).await;
    let carol = Client::of(&relay, &ALICE).await;
    drop(carol);
    println!("all gone after {gone:?}, {} KiB then", resident_kib(&relay));
    for (when, times) in [
        ("before", quiet),
        ("while they came", during),
        ("while they stayed", held),
        ("after", after),
    ] {
        let at = |share: usize| times[(times.len() - 1) * share / 1000];
        println!(
            "{when}: {} messages, median {:?}, p99 {:?}, longest {:?}",
            times.len(),
            at(500),
            at(990),
            at(1000)
        );
    }
}

/// Messages from one to the other, and how long each took, shortest first: two hundred, and on while it is asked for more.
async fn talk(alice: &Client, bob: &Client, is_on: impl Fn() -> bool) -> Vec<Duration> {
    let mut times = Vec::new();
    while times.len() < 200 || is_on() {
        let text = format!("message {}", times.len());
        let sent = Instant::now();
        alice
            .peer
            .send_ok(&Draft::new("text/plain", text.as_str()))
            .await;
        assert_eq!(bob.peer.expect_message().await.text(), text);
        times.push(sent.elapsed());
    }
    times.sort_unstable();
    times
}

/// Opens the crowd from many addresses, a part of each kind, and gives what was not refused.
fn come((plain, tls, uri): &(SocketAddr, SocketAddr, String)) -> Vec<TcpStream> {
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_all().build().unwrap();
    runtime.block_on(async {
        let mut came = Vec::new();
        for number in 0..crowd() {
            let to = if number % 4 == 2 { *tls } else { *plain };
            if let Some(stream) = connect(number, to).await {
                let octets = said(number, uri);
                let _ = stream.try_write(octets.as_bytes());
                came.push(stream);
            }
            if number % SWEEP == 0 {
                tokio::task::yield_now().await;
                came.retain(is_open);
            }
        }
        came
    })
}

/// Whether the relay has not closed a connection, as far as that has come here.
fn is_open(stream: &TcpStream) -> bool {
    let mut octets = [0; 2048];
    match stream.try_read(&mut octets) {
        Ok(octets) => octets > 0,
        Err(error) => error.kind() == std::io::ErrorKind::WouldBlock,
    }
}

async fn connect(number: usize, to: SocketAddr) -> Option<TcpStream> {
    let address = u32::try_from(number / PER_ADDRESS + 2).unwrap();
    let source = Ipv4Addr::from(u32::from(Ipv4Addr::new(127, 0, 1, 0)) + address);
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from((source, 0))).unwrap();
    socket.connect(to).await.ok()
}

/// What each of the crowd says: nothing, the beginning of a header section, of a TLS handshake, or a whole AUTH.
fn said(number: usize, uri: &str) -> String {
    match number % 4 {
        0 => String::new(),
        1 => format!("MSRP slow0001 SEND\r\nTo-Path: {uri}"),
        2 => "\u{16}\u{3}\u{1}\u{2}".to_owned(),
        _ => format!(
            "MSRP auth0001 AUTH\r\nTo-Path: {uri}\r\nFrom-Path: msrp://crowd.invalid:9/c{number};tcp\r\n\
             -------auth0001$\r\n"
        ),
    }
}

async fn refused(relay: &Daemon) -> f64 {
    relay.metric("msrp_connections_refused_total").await
}

fn as_f64(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap())
}

fn resident_kib(relay: &Daemon) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", relay.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.unwrap()
        .trim()
        .split(' ')
        .next()
        .unwrap()
        .parse()
        .unwrap()
}
