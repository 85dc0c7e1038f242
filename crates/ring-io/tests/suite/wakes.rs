//! The waker.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::rig::{Backend, DEADLINE};

pub(crate) fn wakes_coalesce_into_one_event(backend: Backend) {
    let mut rig = backend.rig();
    let waker = rig.io.waker();
    thread::spawn(move || (0..1000).for_each(|_| waker.clone().wake()))
        .join()
        .unwrap();
    rig.until("woken", |log| log.woken > 0);
    assert_eq!(rig.turn(Duration::ZERO), 0);
    assert_eq!(rig.log.woken, 1);
}

pub(crate) fn no_wake_is_lost(backend: Backend) {
    const MESSAGES: u32 = 10_000;
    let mut rig = backend.rig();
    let waker = rig.io.waker();
    let (mailbox, inbox) = mpsc::channel();
    let (acknowledge, acknowledged) = mpsc::channel();
    let sending = thread::spawn(move || {
        for number in 0..MESSAGES {
            mailbox.send(number).unwrap();
            waker.wake();
            // Every other time the receiver is let go to sleep first; else wakes race with its draining.
            if number % 2 == 0 {
                acknowledged.recv_timeout(DEADLINE).unwrap();
            }
        }
    });
    let mut next = 0;
    while next < MESSAGES {
        let before = Instant::now();
        let woken = rig.log.woken;
        rig.turn(DEADLINE);
        assert!(
            before.elapsed() < DEADLINE,
            "a wake was lost before message {next}"
        );
        if rig.log.woken > woken {
            for number in inbox.try_iter() {
                assert_eq!(number, next);
                next += 1;
                if number % 2 == 0 {
                    acknowledge.send(()).unwrap();
                }
            }
        }
    }
    sending.join().unwrap();
}

pub(crate) fn wait_without_events_ends_at_its_timeout(backend: Backend) {
    let mut rig = backend.rig();
    for timeout in [
        Duration::ZERO,
        Duration::from_millis(5),
        Duration::from_micros(300),
    ] {
        let before = Instant::now();
        assert_eq!(rig.turn(timeout), 0);
        assert!(before.elapsed() >= timeout);
    }
}
