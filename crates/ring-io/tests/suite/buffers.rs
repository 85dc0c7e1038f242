//! The receive slots: who holds them, what happens when they run out.

use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use ring_io::{ConnKey, Read};

use crate::rig::{Backend, DEADLINE, Rig, pattern};

pub(crate) fn octets_outlive_the_backend(backend: Backend) {
    let mut rig = backend.rig();
    let (conn, mut peer) = rig.pair(Read::Continuous);
    let octets = pattern(4, 50_000);
    peer.write_all(&octets).unwrap();
    rig.until("all", |log| log.octets(conn) == octets.len());
    let Rig { io, log } = rig;
    drop(io);
    assert!(thread::spawn(move || log.text(conn)).join().unwrap() == octets);
}

/// Fills every slot with octets of one connection that the log holds; says how many octets the peer will have written.
fn exhaust(rig: &mut Rig) -> (ConnKey, thread::JoinHandle<Vec<u8>>) {
    let (conn, mut peer) = rig.pair(Read::Continuous);
    let writing = thread::spawn(move || {
        let octets = pattern(5, 40_000);
        octets
            .chunks(400)
            .for_each(|chunk| peer.write_all(chunk).unwrap());
        octets
    });
    let deadline = Instant::now() + DEADLINE;
    while rig.io.pool().pauses == 0 {
        assert!(Instant::now() < deadline);
        rig.turn(Duration::from_millis(200));
    }
    let stats = rig.io.pool();
    assert_eq!(stats.slots_in_use, stats.slots, "{stats:?}");
    (conn, writing)
}

/// Takes what came, copied out, so that the slots come back.
fn copy_out(rig: &mut Rig, conn: ConnKey, text: &mut Vec<u8>) {
    rig.log
        .received
        .remove(&conn)
        .unwrap_or_default()
        .iter()
        .for_each(|data| text.extend(data));
}

pub(crate) fn held_slots_pause_receiving_and_returned_slots_resume_it(backend: Backend) {
    let mut rig = backend.tiny_rig(4, 1024);
    let (greedy, writing) = exhaust(&mut rig);
    let (modest, mut peer) = rig.pair(Read::Continuous);
    peer.write_all(b"may I?").unwrap();
    rig.settle();
    assert_eq!(rig.log.octets(modest), 0, "there is no slot left");
    let (mut text, mut other) = (Vec::new(), Vec::new());
    while text.len() < 40_000 || other.len() < 6 {
        copy_out(&mut rig, greedy, &mut text);
        copy_out(&mut rig, modest, &mut other);
        if text.len() < 40_000 || other.len() < 6 {
            assert!(
                rig.turn(DEADLINE) > 0 || rig.turn(DEADLINE) > 0,
                "receiving did not resume"
            );
        }
    }
    assert!(text == writing.join().unwrap());
    assert_eq!(other, b"may I?");
    assert_eq!(rig.io.pool().slots, 4);
    assert_eq!(rig.io.pool().slot_octets, 1024);
}

pub(crate) fn slot_returned_by_another_thread_ends_the_wait(backend: Backend) {
    let mut rig = backend.tiny_rig(2, 512);
    let (conn, _writing) = exhaust(&mut rig);
    for _ in 0..20 {
        let held: Vec<Bytes> = rig.log.received.remove(&conn).unwrap_or_default();
        // Starting the thread takes longer than going to sleep, so nearly every round sleeps first.
        let dropping = thread::spawn(move || drop(held));
        let before = Instant::now();
        while rig.log.octets(conn) < 512 {
            rig.turn(DEADLINE);
            assert!(
                before.elapsed() < DEADLINE,
                "the returned slot went unnoticed"
            );
        }
        dropping.join().unwrap();
        assert_eq!(rig.log.woken, 0, "a returned slot is no wake");
    }
}

pub(crate) fn starved_wait_does_not_spin(backend: Backend) {
    let mut rig = backend.tiny_rig(2, 512);
    let (_conn, _writing) = exhaust(&mut rig);
    let (_other, mut peer) = rig.pair(Read::Continuous);
    peer.write_all(b"readable, but there is no room").unwrap();
    rig.settle();
    let timeout = Duration::from_millis(50);
    let waits = (0..10).filter(|_| {
        let before = Instant::now();
        rig.turn(timeout);
        before.elapsed() >= timeout
    });
    assert!(waits.count() >= 8, "waits ended early without an event");
}

pub(crate) fn tiny_slots_keep_streams_apart(backend: Backend) {
    const OCTETS: usize = 200_000;
    let mut rig = backend.tiny_rig(8, 2048);
    let mut streams = Vec::new();
    let mut writers = Vec::new();
    for seed in 0..12 {
        let (conn, mut peer) = rig.pair(if seed % 3 == 0 {
            Read::Once
        } else {
            Read::Continuous
        });
        streams.push((conn, seed, pattern(seed, OCTETS), Vec::new()));
        writers.push(thread::spawn(move || {
            let octets = pattern(seed, OCTETS);
            octets
                .chunks(100 + 37 * seed as usize)
                .for_each(|chunk| peer.write_all(chunk).unwrap());
            peer
        }));
    }
    // Holds octets for a while, drops them in another order, now and then on another thread.
    let dice = pattern(99, 65_536);
    let mut throws = dice.iter().cycle();
    let mut held: Vec<Bytes> = Vec::new();
    while streams.iter().any(|(.., text)| text.len() < OCTETS) {
        if rig.turn(Duration::from_millis(20)) == 0 {
            held.clear();
        }
        for (conn, seed, expected, text) in &mut streams {
            for data in rig.log.received.remove(conn).unwrap_or_default() {
                let place = text.len();
                text.extend_from_slice(&data);
                assert!(
                    data == expected[place..text.len()],
                    "stream {seed} at {place}"
                );
                held.push(data);
            }
            if *seed % 3 == 0 {
                rig.io.read(*conn, Read::Once);
            } else if throws.next().unwrap().is_multiple_of(16) {
                rig.io.read(*conn, Read::Paused);
                rig.io.read(*conn, Read::Continuous);
            }
        }
        let keep = usize::from(throws.next().unwrap() % 8);
        while held.len() > keep {
            let data = held.swap_remove(usize::from(*throws.next().unwrap()) % held.len());
            if throws.next().unwrap().is_multiple_of(8) {
                thread::spawn(move || drop(data)).join().unwrap();
            }
        }
    }
    writers
        .into_iter()
        .for_each(|writer| drop(writer.join().unwrap()));
}

pub(crate) fn closed_connection_while_starved_is_forgotten(backend: Backend) {
    let mut rig = backend.tiny_rig(2, 512);
    let (conn, writing) = exhaust(&mut rig);
    rig.io.close(conn);
    rig.log.received.clear();
    let (other, mut peer) = rig.pair(Read::Continuous);
    peer.write_all(b"room again").unwrap();
    rig.until("room again", |log| log.text(other) == b"room again");
    rig.settle();
    assert!(!rig.log.received.contains_key(&conn));
    assert!(rig.log.failed.is_empty());
    drop(rig);
    // The writer's connection was closed under it.
    drop(writing.join());
}
