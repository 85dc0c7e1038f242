//! Batches, short sends, full sockets.

use std::io::{IoSlice, Read as _, Write};
use std::thread;

use ring_io::{ConnKey, Read, SendOp, SendOutcome};

use crate::rig::{Backend, pattern};

pub(crate) fn parts_of_many_sends_arrive_in_order(backend: Backend) {
    let mut rig = backend.rig();
    for sends in [1u32, 7, 8, 32, 600] {
        let (conn, mut peer) = rig.pair(Read::Continuous);
        let texts: Vec<String> = (0..sends * 3).map(|part| format!("<{part}>")).collect();
        let slices: Vec<_> = texts
            .iter()
            .map(|text| IoSlice::new(text.as_bytes()))
            .collect();
        let mut ops: Vec<_> = (0..sends)
            .map(|send| SendOp::new(conn, send * 3..send * 3 + 3))
            .collect();
        rig.io.send_batch(&slices, &mut ops).unwrap();
        for op in &ops {
            let octets: usize = slices[op.parts.start as usize..op.parts.end as usize]
                .iter()
                .map(|part| part.len())
                .sum();
            assert_eq!(op.outcome, SendOutcome::Sent(octets));
        }
        rig.io.shutdown(conn);
        let mut back = String::new();
        peer.read_to_string(&mut back).unwrap();
        assert_eq!(back, texts.concat());
        rig.io.close(conn);
    }
}

pub(crate) fn one_batch_serves_many_connections(backend: Backend) {
    let mut rig = backend.rig();
    let mut pairs: Vec<_> = (0..90).map(|_| rig.pair(Read::Continuous)).collect();
    let texts: Vec<String> = (0..pairs.len())
        .map(|number| format!("you are {number:03}"))
        .collect();
    let mut slices = vec![IoSlice::new(b"hello, ")];
    slices.extend(texts.iter().map(|text| IoSlice::new(text.as_bytes())));
    // Four operations for each connection: more than go into one submission.
    let mut ops = Vec::new();
    for (part, (conn, _)) in (1u32..).zip(&pairs) {
        ops.extend(
            [0..1, part..part + 1, 0..1, part..part + 1].map(|parts| SendOp::new(*conn, parts)),
        );
    }
    rig.io.send_batch(&slices, &mut ops).unwrap();
    assert!(
        ops.iter()
            .all(|op| matches!(op.outcome, SendOutcome::Sent(_)))
    );
    for ((_, peer), text) in pairs.iter_mut().zip(&texts) {
        let expected = format!("hello, {text}hello, {text}");
        let mut back = vec![0; expected.len()];
        peer.read_exact(&mut back).unwrap();
        assert_eq!(back, expected.as_bytes());
    }
}

pub(crate) fn full_socket_blocks_then_turns_writable(backend: Backend) {
    let mut rig = backend.rig();
    let (conn, mut peer) = rig.pair(Read::Continuous);
    let others: Vec<_> = (0..8).map(|_| rig.pair(Read::Continuous)).collect();
    let octets = pattern(3, 64 * 1024);
    let mut taken = 0;
    let mut short = false;
    let mut cursor = 0;
    loop {
        let slices = [IoSlice::new(&octets[cursor..]), IoSlice::new(b"x")];
        let mut ops = vec![SendOp::new(conn, 0..1)];
        ops.extend(others.iter().map(|(other, _)| SendOp::new(*other, 1..2)));
        rig.io.send_batch(&slices, &mut ops).unwrap();
        assert!(
            ops[1..].iter().all(|op| op.outcome == SendOutcome::Sent(1)),
            "others are not held up"
        );
        match ops[0].outcome {
            SendOutcome::Sent(sent) => {
                assert!(sent > 0 && sent <= octets.len() - cursor);
                short |= cursor + sent < octets.len();
                taken += sent;
                cursor = (cursor + sent) % octets.len();
            }
            SendOutcome::WouldBlock => break,
            SendOutcome::Failed(error) => panic!("{error}"),
        }
    }
    assert!(short, "a full socket takes a part before it takes nothing");
    rig.io.want_writable(conn);
    rig.io.want_writable(conn);
    rig.settle();
    assert!(
        rig.log.writable.is_empty(),
        "not writable before the peer has read"
    );
    let reading = thread::spawn(move || {
        let mut back = Vec::new();
        peer.read_to_end(&mut back).unwrap();
        back
    });
    rig.until("writable", |log| !log.writable.is_empty());
    rig.settle();
    assert_eq!(rig.log.writable, [conn]);
    rig.send_all(conn, &octets[cursor..]);
    taken += octets.len() - cursor;
    rig.io.close(conn);
    rig.settle();
    let back = reading.join().unwrap();
    assert_eq!(back.len(), taken);
    assert!(back.chunks(octets.len()).all(|chunk| chunk == octets));
}

pub(crate) fn send_to_a_broken_connection_fails(backend: Backend) {
    let mut rig = backend.rig();
    for copies in [1, 10] {
        let (conn, peer) = rig.pair(Read::Paused);
        rig.send_all(conn, b"unread");
        peer.peek(&mut [0; 1]).unwrap();
        drop(peer);
        // The reset is there as soon as the socket says so; sends may still be taken before.
        let slices = [IoSlice::new(b"x")];
        let deadline = std::time::Instant::now() + crate::rig::DEADLINE;
        loop {
            let mut ops = vec![SendOp::new(conn, 0..1); copies];
            rig.io.send_batch(&slices, &mut ops).unwrap();
            if let Some(SendOutcome::Failed(error)) = ops.last().map(|op| op.outcome) {
                assert!(
                    [libc::ECONNRESET, libc::EPIPE].contains(&error.number()),
                    "{error}"
                );
                break;
            }
            assert!(std::time::Instant::now() < deadline);
        }
        rig.io.close(conn);
    }
}

pub(crate) fn misfit_operations_fail_alone(backend: Backend) {
    let mut rig = backend.rig();
    let (gone, _gone_peer) = rig.pair(Read::Continuous);
    rig.io.close(gone);
    let (conn, mut peer) = rig.pair(Read::Continuous);
    let slices = [IoSlice::new(b"ok")];
    for copies in [1, 10] {
        let mut ops = Vec::new();
        for _ in 0..copies {
            ops.extend([
                SendOp::new(gone, 0..1),
                SendOp::new(conn, 0..1),
                SendOp::new(conn, 0..2),
                SendOp::new(ConnKey::new(999_999, 0), 0..1),
                SendOp::new(conn, 0..0),
            ]);
        }
        rig.io.send_batch(&slices, &mut ops).unwrap();
        for group in ops.chunks(5) {
            assert!(matches!(group[0].outcome, SendOutcome::Failed(_)));
            assert_eq!(group[1].outcome, SendOutcome::Sent(2));
            assert!(matches!(group[2].outcome, SendOutcome::Failed(_)));
            assert!(matches!(group[3].outcome, SendOutcome::Failed(_)));
            assert_eq!(group[4].outcome, SendOutcome::Sent(0));
        }
        let mut back = vec![0; copies * 2];
        peer.read_exact(&mut back).unwrap();
        assert_eq!(back, "ok".repeat(copies).as_bytes());
    }
    rig.io.send_batch(&[], &mut []).unwrap();
}

pub(crate) fn receives_during_a_batch_are_kept(backend: Backend) {
    let mut rig = backend.rig();
    let mut pairs: Vec<_> = (0..20).map(|_| rig.pair(Read::Continuous)).collect();
    let slices = [IoSlice::new(b"ping")];
    for _ in 0..50 {
        for (_, peer) in &mut pairs {
            peer.write_all(b"pong").unwrap();
        }
        let mut ops: Vec<_> = pairs
            .iter()
            .map(|(conn, _)| SendOp::new(*conn, 0..1))
            .collect();
        rig.io.send_batch(&slices, &mut ops).unwrap();
        assert!(ops.iter().all(|op| op.outcome == SendOutcome::Sent(4)));
    }
    rig.until("all", |log| {
        pairs.iter().all(|(conn, _)| log.octets(*conn) == 200)
    });
    assert!(
        pairs
            .iter()
            .all(|(conn, _)| rig.log.text(*conn) == b"pong".repeat(50))
    );
}

pub(crate) fn parts_beyond_the_kernels_bound_are_left_over(backend: Backend) {
    let mut rig = backend.rig();
    let (conn, mut peer) = rig.pair(Read::Continuous);
    let slices = vec![IoSlice::new(b"x"); ring_io::limits::SEND_PARTS_MAX + 100];
    let parts = 0..slices.len() as u32;
    for copies in [1, 8] {
        let mut ops = vec![SendOp::new(conn, parts.clone()); copies];
        rig.io.send_batch(&slices, &mut ops).unwrap();
        let taken = ring_io::limits::SEND_PARTS_MAX;
        assert!(ops.iter().all(|op| op.outcome == SendOutcome::Sent(taken)));
        peer.read_exact(&mut vec![0; copies * taken]).unwrap();
    }
}
