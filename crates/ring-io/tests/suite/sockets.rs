//! Accepting, connecting, receiving, closing.

use std::collections::HashSet;
use std::io::{ErrorKind, Read as _, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use ring_io::{ConnKey, Event, Read, bind_reuseport};

use crate::rig::{Backend, DEADLINE, Rig, pair, pattern};

/// Accepts `count` connections and adopts them.
fn accept(rig: &mut Rig, count: usize) -> Vec<ConnKey> {
    rig.until("accepted", |log| log.accepted.len() >= count);
    let accepted = std::mem::take(&mut rig.log.accepted);
    accepted
        .into_iter()
        .map(|(_, stream, _)| rig.io.adopt(stream, Read::Continuous).unwrap())
        .collect()
}

#[test]
fn connection_that_is_reset_is_broken_for_its_peer() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    ring_io::reset(listener.accept().unwrap().0.into());
    let error = peer.read(&mut [0; 8]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

pub(crate) fn echo_returns_every_octet(backend: Backend) {
    let mut rig = backend.rig();
    let listener = bind_reuseport("127.0.0.1:0".parse().unwrap()).unwrap();
    let addr = listener.local_addr().unwrap();
    rig.io.listen(listener).unwrap();
    let peer = thread::spawn(move || {
        let octets = pattern(1, 300_000);
        let mut stream = TcpStream::connect(addr).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let mut writer = stream.try_clone().unwrap();
        let expected = octets.clone();
        let writing = thread::spawn(move || {
            octets
                .chunks(7001)
                .for_each(|chunk| writer.write_all(chunk).unwrap());
            writer.shutdown(Shutdown::Write).unwrap();
        });
        let mut back = Vec::new();
        stream.read_to_end(&mut back).unwrap();
        writing.join().unwrap();
        assert!(back == expected);
    });
    let conn = accept(&mut rig, 1)[0];
    while rig.log.closed.is_empty() || rig.log.octets(conn) > 0 {
        for data in rig.log.received.remove(&conn).unwrap_or_default() {
            rig.send_all(conn, &data);
        }
        if rig.log.closed.is_empty() {
            rig.turn(Duration::from_secs(1));
        }
    }
    rig.io.close(conn);
    rig.settle();
    peer.join().unwrap();
}

pub(crate) fn accepted_peer_address_is_the_peers(backend: Backend) {
    let mut rig = backend.rig();
    for bind in ["127.0.0.1:0", "[::1]:0"] {
        let Ok(listener) = bind_reuseport(bind.parse().unwrap()) else {
            continue;
        };
        let addr = listener.local_addr().unwrap();
        let key = rig.io.listen(listener).unwrap();
        let peer = TcpStream::connect(addr).unwrap();
        rig.until("accepted", |log| !log.accepted.is_empty());
        let (listener, _stream, address) = rig.log.accepted.remove(0);
        assert_eq!((listener, address), (key, peer.local_addr().unwrap()));
    }
}

pub(crate) fn connect_to_a_listener_connects_and_receives(backend: Backend) {
    let mut rig = backend.rig();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let conn = rig.io.connect(listener.local_addr().unwrap()).unwrap();
    rig.io.want_writable(conn);
    let (mut peer, _) = listener.accept().unwrap();
    peer.write_all(b"hello").unwrap();
    rig.until("all", |log| {
        log.connected == [conn] && log.text(conn) == b"hello" && log.writable == [conn]
    });
    rig.send_all(conn, b"world");
    let mut back = [0; 5];
    peer.read_exact(&mut back).unwrap();
    assert_eq!(&back, b"world");
}

pub(crate) fn connect_to_nobody_fails_once(backend: Backend) {
    let mut rig = backend.rig();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    drop(listener);
    let conn = rig.io.connect(addr).unwrap();
    rig.until("failed", |log| !log.failed.is_empty());
    rig.settle();
    assert_eq!(rig.log.failed.len(), 1);
    assert_eq!(rig.log.failed[0].0, conn);
    assert_eq!(rig.log.failed[0].1.kind(), ErrorKind::ConnectionRefused);
    assert!(rig.log.connected.is_empty());
    rig.io.close(conn);
}

pub(crate) fn peer_close_is_reported_once_and_sending_goes_on(backend: Backend) {
    let mut rig = backend.rig();
    let (conn, mut peer) = rig.pair(Read::Continuous);
    peer.write_all(b"last words").unwrap();
    peer.shutdown(Shutdown::Write).unwrap();
    rig.until("closed", |log| !log.closed.is_empty());
    rig.settle();
    assert_eq!(rig.log.closed, [conn]);
    assert_eq!(rig.log.text(conn), b"last words");
    rig.send_all(conn, b"answer");
    rig.io.read(conn, Read::Continuous);
    rig.settle();
    assert_eq!(rig.log.closed, [conn]);
    rig.io.close(conn);
    rig.settle();
    let mut back = Vec::new();
    peer.read_to_end(&mut back).unwrap();
    assert_eq!(back, b"answer");
}

pub(crate) fn peer_reset_fails_the_connection_once(backend: Backend) {
    let mut rig = backend.rig();
    let (conn, peer) = rig.pair(Read::Continuous);
    rig.send_all(conn, b"never read");
    // Closing a socket with unread octets in it resets the connection.
    peer.peek(&mut [0; 1]).unwrap();
    drop(peer);
    rig.until("failed", |log| !log.failed.is_empty());
    rig.settle();
    assert_eq!(rig.log.failed.len(), 1);
    assert_eq!(rig.log.failed[0].0, conn);
    assert_eq!(rig.log.failed[0].1.kind(), ErrorKind::ConnectionReset);
}

pub(crate) fn shutdown_ends_the_stream_after_the_sent_octets(backend: Backend) {
    let mut rig = backend.rig();
    let (conn, mut peer) = rig.pair(Read::Continuous);
    rig.send_all(conn, b"all of it");
    rig.io.shutdown(conn);
    let mut back = Vec::new();
    peer.read_to_end(&mut back).unwrap();
    assert_eq!(back, b"all of it");
    peer.write_all(b"still heard").unwrap();
    rig.until("heard", |log| log.text(conn) == b"still heard");
}

pub(crate) fn paused_connection_receives_nothing_until_resumed(backend: Backend) {
    let mut rig = backend.rig();
    let (conn, mut peer) = rig.pair(Read::Continuous);
    peer.write_all(b"one").unwrap();
    rig.until("one", |log| log.text(conn) == b"one");
    for round in 0..20 {
        rig.log.received.clear();
        rig.io.read(conn, Read::Paused);
        rig.settle();
        let (other, mut other_peer) = rig.pair(Read::Continuous);
        peer.write_all(b"two").unwrap();
        other_peer.write_all(b"barrier").unwrap();
        rig.until("barrier", |log| log.text(other) == b"barrier");
        rig.settle();
        assert_eq!(rig.log.octets(conn), 0, "round {round}");
        rig.io.read(conn, Read::Continuous);
        // Changing one's mind before anything was submitted must not matter.
        rig.io.read(conn, Read::Paused);
        rig.io.read(conn, Read::Continuous);
        rig.until("two", |log| log.text(conn) == b"two");
        rig.io.close(other);
    }
}

pub(crate) fn read_once_delivers_one_receive(backend: Backend) {
    let mut rig = backend.rig();
    let (conn, mut peer) = rig.pair(Read::Once);
    peer.write_all(b"first").unwrap();
    rig.until("first", |log| log.octets(conn) > 0);
    peer.write_all(b"second").unwrap();
    rig.settle();
    assert_eq!(rig.log.text(conn), b"first");
    rig.io.read(conn, Read::Once);
    rig.until("second", |log| log.text(conn) == b"firstsecond");
    rig.io.read(conn, Read::Continuous);
    peer.write_all(b"third").unwrap();
    rig.until("third", |log| log.text(conn) == b"firstsecondthird");
    rig.io.read(conn, Read::Once);
    peer.write_all(b"fourth").unwrap();
    rig.until("fourth", |log| log.text(conn) == b"firstsecondthirdfourth");
    rig.settle();
    assert!(rig.io.detach(conn).is_some());
}

pub(crate) fn detach_after_once_hands_over_without_a_lost_octet(backend: Backend) {
    for target in [backend, Backend::EPOLL] {
        let mut first = backend.rig();
        let mut second = target.rig();
        let (conn, mut peer) = first.pair(Read::Once);
        let octets = pattern(2, 1_000_000);
        let expected = octets.clone();
        let writing = thread::spawn(move || {
            octets
                .chunks(997)
                .for_each(|chunk| peer.write_all(chunk).unwrap());
        });
        first.until("first octets", |log| log.octets(conn) > 0);
        // A poll that is armed does not hold the socket back.
        first.io.want_writable(conn);
        let stream = first.io.detach(conn).unwrap();
        let mut all = first.log.text(conn);
        let moved = second.io.adopt(stream, Read::Continuous).unwrap();
        let rest = expected.len() - all.len();
        second.until("the rest", |log| log.octets(moved) >= rest);
        all.extend(second.log.text(moved));
        first.settle();
        assert!(
            first.log.writable.is_empty(),
            "no event of a detached connection"
        );
        assert!(all == expected);
        writing.join().unwrap();
    }
}

pub(crate) fn detach_while_receiving_is_refused(backend: Backend) {
    let mut rig = backend.rig();
    let (conn, mut peer) = rig.pair(Read::Continuous);
    assert!(rig.io.detach(conn).is_none());
    peer.write_all(b"on").unwrap();
    rig.until("on", |log| log.text(conn) == b"on");
    assert!(rig.io.detach(conn).is_none());
    rig.io.read(conn, Read::Paused);
    rig.settle();
    assert!(rig.io.detach(conn).is_some());
    assert!(rig.io.detach(conn).is_none());
}

pub(crate) fn closed_index_reused_gets_no_stale_events(backend: Backend) {
    let mut rig = backend.rig();
    let mut live = HashSet::new();
    let mut seen = HashSet::new();
    let mut peers = Vec::new();
    let mut reused = 0;
    for round in 0..200u32 {
        let (ours, mut peer) = pair();
        peer.write_all(&round.to_be_bytes()).unwrap();
        let conn = rig.io.adopt(ours, Read::Continuous).unwrap();
        reused += usize::from(!seen.insert(conn.index()));
        rig.io.want_writable(conn);
        live.insert(conn);
        if round % 3 == 0 {
            rig.turn(Duration::ZERO);
        }
        if round % 2 == 0 {
            rig.io.close(conn);
            live.remove(&conn);
            rig.log.received.remove(&conn);
            rig.log.writable.retain(|key| *key != conn);
        } else {
            peers.push((conn, round, peer));
        }
        let (received, writable) = (rig.log.received.keys(), &rig.log.writable);
        assert!(
            received.chain(writable).all(|key| live.contains(key)),
            "round {round}"
        );
    }
    rig.until("all live ones", |log| {
        peers.iter().all(|(conn, ..)| log.octets(*conn) == 4)
    });
    rig.settle();
    assert!(rig.log.received.keys().all(|key| live.contains(key)));
    assert!(rig.log.closed.is_empty() && rig.log.failed.is_empty());
    peers
        .iter()
        .for_each(|(conn, round, _)| assert_eq!(rig.log.text(*conn), round.to_be_bytes()));
    assert!(reused > 0, "the test is about reused indices");
}

pub(crate) fn stale_keys_are_harmless(backend: Backend) {
    let mut rig = backend.rig();
    let (old, _peer) = rig.pair(Read::Continuous);
    rig.io.close(old);
    rig.settle();
    let (new, mut peer) = rig.pair(Read::Continuous);
    assert_eq!(new.index(), old.index());
    rig.io.close(old);
    rig.io.shutdown(old);
    rig.io.read(old, Read::Paused);
    rig.io.want_writable(old);
    assert!(rig.io.detach(old).is_none());
    peer.write_all(b"untouched").unwrap();
    rig.until("untouched", |log| log.text(new) == b"untouched");
    assert!(rig.log.writable.is_empty());
}

pub(crate) fn closed_listener_accepts_no_more(backend: Backend) {
    let mut rig = backend.rig();
    let listener = bind_reuseport("127.0.0.1:0".parse().unwrap()).unwrap();
    let addr = listener.local_addr().unwrap();
    let second = bind_reuseport(addr).unwrap();
    let key = rig.io.listen(listener).unwrap();
    rig.settle();
    rig.io.close_listener(key);
    rig.io.close_listener(key);
    rig.settle();
    drop(second);
    assert!(TcpStream::connect(addr).is_err());
    assert!(rig.log.accepted.is_empty());
}

pub(crate) fn many_connections_are_byte_exact(backend: Backend) {
    const CONNECTIONS: usize = 100;
    const OCTETS: usize = 64 * 1024;
    let mut rig = backend.rig();
    let listener = bind_reuseport("127.0.0.1:0".parse().unwrap()).unwrap();
    let addr = listener.local_addr().unwrap();
    rig.io.listen(listener).unwrap();
    let peers = thread::spawn(move || {
        let streams: Vec<_> = (0..CONNECTIONS)
            .map(|_| TcpStream::connect(addr).unwrap())
            .collect();
        let writers = streams.into_iter().zip(0u64..).map(|(mut stream, seed)| {
            thread::spawn(move || {
                let port = stream.local_addr().unwrap().port();
                let octets = pattern(seed, OCTETS);
                octets
                    .chunks(5003)
                    .for_each(|chunk| stream.write_all(chunk).unwrap());
                (port, checksum(&octets), stream)
            })
        });
        writers
            .collect::<Vec<_>>()
            .into_iter()
            .map(|writer| writer.join().unwrap())
            .collect::<Vec<_>>()
    });
    rig.until("accepted", |log| log.accepted.len() == CONNECTIONS);
    let accepted = std::mem::take(&mut rig.log.accepted);
    let conns: Vec<_> = accepted
        .into_iter()
        .map(|(_, stream, peer)| (peer.port(), rig.io.adopt(stream, Read::Continuous).unwrap()))
        .collect();
    // Copied out as they come, as slots are fewer than the connections' octets.
    let mut texts = vec![Vec::new(); CONNECTIONS];
    while texts.iter().any(|text| text.len() < OCTETS) {
        assert!(rig.turn(DEADLINE) > 0, "timed out");
        for ((_, conn), text) in conns.iter().zip(&mut texts) {
            rig.log
                .received
                .remove(conn)
                .unwrap_or_default()
                .iter()
                .for_each(|data| text.extend(data));
        }
    }
    for (port, sum, _) in &peers.join().unwrap() {
        let position = conns.iter().position(|(other, _)| other == port).unwrap();
        assert_eq!(checksum(&texts[position]), *sum);
    }
}

/// FNV-1a, 64 bits.
fn checksum(octets: &[u8]) -> u64 {
    octets.iter().fold(0xcbf2_9ce4_8422_2325, |sum, octet| {
        (sum ^ u64::from(*octet)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

pub(crate) fn dropped_backend_closes_its_sockets(backend: Backend) {
    let mut rig = backend.rig();
    let listener = bind_reuseport("127.0.0.1:0".parse().unwrap()).unwrap();
    let addr = listener.local_addr().unwrap();
    rig.io.listen(listener).unwrap();
    let (_conn, mut peer) = rig.pair(Read::Continuous);
    rig.settle();
    // Accepted by the kernel, never looked at.
    let mut unseen = TcpStream::connect(addr).unwrap();
    unseen.set_read_timeout(Some(DEADLINE)).unwrap();
    drop(rig);
    // `read_to_end` goes on when the end of the ring interrupts it.
    assert_eq!(peer.read_to_end(&mut Vec::new()).unwrap(), 0);
    match unseen.read_to_end(&mut Vec::new()) {
        Ok(octets) => assert_eq!(octets, 0),
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
    let mut events: Vec<Event> = Vec::new();
    backend
        .rig()
        .io
        .wait(Some(Duration::ZERO), &mut events)
        .unwrap();
    assert!(events.is_empty());
}
