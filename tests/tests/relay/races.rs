//! Many connections claim the same session at the same time: one gets it.
//!
//! Eight connections name themselves the peer of a session that nobody has spoken in yet, for fifty sessions at once, all at the
//! same moment. Who is heard first is chance; that all others are answered with 506 is not.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;

use msrp_testkit::{Challenge, Daemon, MsrpEndpoint};

use crate::client::{ALICE, config, uri_of};

/// Who claims each session.
const RACERS: usize = 8;
/// Sessions that are claimed at the same time.
const AT_ONCE: usize = 50;
/// URIs of one client, and sessions of each: both below what the relay gives.
const URIS: usize = 102;
const PEERS: usize = 4;

/// How many sessions are fought for: `MSRPD_RACES`, or a number that takes seconds.
fn races() -> usize {
    let set = std::env::var("MSRPD_RACES").ok();
    set.map_or(400, |races| races.parse().unwrap())
}

/// A session: the URI of the relay, and the client behind it.
struct Session {
    to_path: String,
    peer: String,
}

#[tokio::test]
async fn session_has_one_peer_however_many_claim_it_at_the_same_time() {
    let relay = Daemon::start(config().shards(2)).await;
    let mut sessions = Vec::new();
    let mut owners = Vec::new();
    let heard = Arc::new(AtomicUsize::new(0));
    while sessions.len() < RACERS + races() {
        let (owner, more) = owner(&relay, owners.len()).await;
        sessions.extend(more);
        let heard = Arc::clone(&heard);
        let stream = owner.try_clone().unwrap();
        let reader = thread::spawn(move || answer_all(&owner, &heard));
        owners.push((stream, reader));
    }
    let own = sessions.split_off(sessions.len() - RACERS);
    sessions.truncate(races());
    let address = relay.msrp_addr();
    let sessions = Arc::new(sessions);
    let claims = Arc::clone(&sessions);
    let won = tokio::task::spawn_blocking(move || race(address, &own, &claims));
    let won = won.await.unwrap();
    for (number, won) in won.iter().enumerate() {
        assert_eq!(*won, (1, RACERS - 1), "session {number}");
    }
    let delivered = "msrp_relay_sends_total{outcome=\"delivered\"}";
    let all = f64::from(u32::try_from(sessions.len() + RACERS).unwrap());
    relay.wait_metric(delivered, |count| count == all).await;
    assert_eq!(heard.load(Ordering::SeqCst), sessions.len() + RACERS);
    for (stream, reader) in owners {
        stream.shutdown(std::net::Shutdown::Both).unwrap();
        reader.join().unwrap();
    }
}

/// A client with as many URIs as one connection uses here, and their sessions.
async fn owner(relay: &Daemon, number: usize) -> (TcpStream, Vec<Session>) {
    let uri = uri_of(relay);
    // The scripted peer knows how to read a challenge; the rest are plain octets.
    let asking = MsrpEndpoint::bind().await;
    let asking = asking.connect_to(relay.msrp_addr(), &uri).await;
    let challenge = asking
        .expect_status(&asking.send_auth(&uri, &[]), 401)
        .await;
    let challenge = Challenge::of(&challenge, ALICE.algorithm);
    let stream = TcpStream::connect(relay.msrp_addr()).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut sessions = Vec::new();
    for index in 0..URIS {
        let own = format!("msrp://owner.invalid:9/o{number}x{index};tcp");
        let count = u32::try_from(index + 1).unwrap();
        let authorization = ALICE.answer(&challenge, count, &uri);
        let frame = format!(
            "MSRP auth{index:04} AUTH\r\nTo-Path: {uri}\r\nFrom-Path: {own}\r\n\
             Authorization: {authorization}\r\n-------auth{index:04}$\r\n"
        );
        (&stream).write_all(frame.as_bytes()).unwrap();
        let answer = frame_of(&mut reader).unwrap();
        let given = answer.lines().find_map(|l| l.strip_prefix("Use-Path: "));
        let given = given.unwrap_or_else(|| panic!("{answer}"));
        sessions.extend((0..PEERS).map(|peer| Session {
            to_path: format!("{given} {own}"),
            peer: format!("msrp://peer.invalid:9/o{number}x{index}p{peer};tcp"),
        }));
    }
    (stream, sessions)
}

/// Answers whatever a client is sent, until its connection ends.
fn answer_all(stream: &TcpStream, heard: &AtomicUsize) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    while let Some(frame) = frame_of(&mut reader) {
        heard.fetch_add(1, Ordering::SeqCst);
        let field = |name: &str| {
            let value = frame.lines().find_map(|line| line.strip_prefix(name));
            value.unwrap().split(' ').next().unwrap().to_owned()
        };
        let id = frame.split(' ').nth(1).unwrap();
        let (to, from) = (field("From-Path: "), field("To-Path: "));
        let answer =
            format!("MSRP {id} 200 OK\r\nTo-Path: {to}\r\nFrom-Path: {from}\r\n-------{id}$\r\n");
        let mut stream = stream;
        if stream.write_all(answer.as_bytes()).is_err() {
            break;
        }
    }
}

/// For each session, how many of its racers were answered with 200 and with 506. Each racer has a session of its own before: a
/// connection that is refused only is closed.
fn race(relay: SocketAddr, own: &[Session], sessions: &Arc<Vec<Session>>) -> Vec<(usize, usize)> {
    let barrier = Arc::new(Barrier::new(RACERS));
    let racers: Vec<_> = own
        .iter()
        .map(|own| {
            let (barrier, sessions) = (Arc::clone(&barrier), Arc::clone(sessions));
            let stream = TcpStream::connect(relay).unwrap();
            stream.set_nodelay(true).unwrap();
            let mut proven = BufReader::new(stream.try_clone().unwrap());
            (&stream).write_all(claim((0, own)).as_bytes()).unwrap();
            assert!(frame_of(&mut proven).unwrap().contains(" 200 "));
            thread::spawn(move || claim_all(&stream, &sessions, &barrier))
        })
        .collect();
    let mut won = vec![(0, 0); sessions.len()];
    for racer in racers {
        for (won, status) in won.iter_mut().zip(racer.join().unwrap()) {
            match status.as_str() {
                "200" => won.0 += 1,
                "506" => won.1 += 1,
                _ => {}
            }
        }
    }
    won
}

/// Claims all sessions, as many at once as the others, and gives the status of each claim. One that has no answer has none.
fn claim_all(mut stream: &TcpStream, sessions: &[Session], barrier: &Barrier) -> Vec<String> {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut statuses = Vec::new();
    for sessions in sessions.chunks(AT_ONCE) {
        let claims: String = sessions.iter().enumerate().map(claim).collect();
        barrier.wait();
        let _ = stream.write_all(claims.as_bytes());
        for _ in sessions {
            let answer = frame_of(&mut reader).unwrap_or_default();
            let status = answer.split_whitespace().nth(2);
            statuses.push(status.unwrap_or_default().to_owned());
        }
    }
    statuses
}

/// What a peer says first in a session.
fn claim((number, session): (usize, &Session)) -> String {
    let Session { to_path, peer } = session;
    format!(
        "MSRP race{number:04} SEND\r\nTo-Path: {to_path}\r\nFrom-Path: {peer}\r\n\
         Message-ID: race{number:04}\r\nByte-Range: 1-4/4\r\nContent-Type: text/plain\r\n\r\n\
         mine\r\n-------race{number:04}$\r\n"
    )
}

/// The next frame. `None` when the connection has ended.
fn frame_of(reader: &mut BufReader<TcpStream>) -> Option<String> {
    let mut frame = String::new();
    loop {
        let start = frame.len();
        match reader.read_line(&mut frame) {
            Ok(0) | Err(_) => return None,
            Ok(_) if frame[start..].starts_with("-------") => return Some(frame),
            Ok(_) => {}
        }
    }
}
