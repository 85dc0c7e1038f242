//! What threads do to each other, checked in every order and with every value that a load may return.
//!
//! Compiled with `--cfg loom` alone; the code under test is the code that serves. A lost wake shows as a deadlock. Messages
//! are relaxed atomics: what makes them visible is the waker, or they are not seen.

use std::io;
use std::os::fd::RawFd;

use bytes::Bytes;
use loom::cell::UnsafeCell;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;

use crate::pool::Pool;
use crate::{Bell, Config, Waker};

/// An eventfd that the model can wait in.
pub(crate) struct EventFd {
    count: Mutex<u64>,
    changed: Condvar,
}

impl EventFd {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            count: Mutex::new(0),
            changed: Condvar::new(),
        })
    }

    pub(crate) fn raise(&self) {
        *self.count.lock().unwrap() += 1;
        self.changed.notify_one();
    }

    pub(crate) fn clear(&self) {
        *self.count.lock().unwrap() = 0;
    }

    pub(crate) fn fd(&self) -> RawFd {
        -1
    }

    /// Returns when it is readable.
    pub(crate) fn wait(&self) {
        let mut count = self.count.lock().unwrap();
        while *count == 0 {
            count = self.changed.wait(count).unwrap();
        }
    }
}

/// Runs it in every order in which threads are interrupted so often at most, wherever they are; three threads that may be
/// interrupted everywhere have too many.
fn check(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(PREEMPTIONS_MAX));
    builder.check(model);
}

const PREEMPTIONS_MAX: usize = 3;

/// A mailbox that says nothing by itself: only a wake makes visible what was put in.
#[derive(Clone)]
struct Mailbox([Arc<AtomicUsize>; 2]);

impl Mailbox {
    fn new() -> Self {
        Self([0, 1].map(|_| Arc::new(AtomicUsize::new(0))))
    }

    fn put(&self, place: usize) {
        self.0[place].store(1, Ordering::Relaxed);
    }

    fn count(&self) -> usize {
        self.0.iter().map(|cell| cell.load(Ordering::Relaxed)).sum()
    }
}

/// What a thread with this waker does until so many messages have come.
fn serve(waker: &Waker, mailbox: &Mailbox, messages: usize) {
    let mut seen = 0;
    while seen < messages {
        waker.wait();
        if waker.acknowledge() {
            seen = mailbox.count();
        }
    }
}

fn pool(slots: usize, waker: Waker) -> Pool {
    let config = Config {
        slots,
        slot_octets: 512,
        ..Config::default()
    };
    Pool::new(&config, waker).unwrap()
}

/// Takes a slot and gives it away whole.
fn lend(pool: &mut Pool) -> Bytes {
    let slot = pool.take().unwrap();
    let data = pool.consume(slot, 512).unwrap();
    pool.finish(slot);
    data
}

/// What a backend does that has nothing to receive into, until it has so many free slots.
fn starve_until(pool: &mut Pool, waker: &Waker, slots: usize) -> Vec<Bytes> {
    let mut taken = Vec::new();
    loop {
        while taken.len() < slots && pool.starve() {
            taken.push(lend(pool));
        }
        if taken.len() == slots {
            return taken;
        }
        waker.wait();
        let _ = waker.acknowledge();
    }
}

#[test]
fn wakes_of_two_threads_lose_no_message() {
    check(|| {
        let waker = Waker::new().unwrap();
        let mailbox = Mailbox::new();
        for place in 0..2 {
            let (waker, mailbox) = (waker.clone(), mailbox.clone());
            thread::spawn(move || {
                mailbox.put(place);
                waker.wake();
            });
        }
        serve(&waker, &mailbox, 2);
    });
}

#[test]
fn wakes_of_one_thread_after_the_other_lose_no_message() {
    check(|| {
        let waker = Waker::new().unwrap();
        let mailbox = Mailbox::new();
        let (other, messages) = (waker.clone(), mailbox.clone());
        thread::spawn(move || {
            for place in 0..2 {
                messages.put(place);
                other.wake();
            }
        });
        serve(&waker, &mailbox, 2);
    });
}

#[test]
fn bell_that_is_hung_anew_loses_no_message() {
    check(|| {
        let bell = Arc::new(Bell::new(Waker::new().unwrap()));
        let mailbox = Mailbox::new();
        for place in 0..2 {
            let (bell, mailbox) = (Arc::clone(&bell), mailbox.clone());
            thread::spawn(move || {
                mailbox.put(place);
                bell.ring();
            });
        }
        let second = Waker::new().unwrap();
        bell.hang(second.clone());
        serve(&second, &mailbox, 2);
    });
}

#[test]
fn bell_that_is_hung_twice_loses_no_message() {
    check(|| {
        let bell = Arc::new(Bell::new(Waker::new().unwrap()));
        let mailbox = Mailbox::new();
        let (ringing, messages) = (Arc::clone(&bell), mailbox.clone());
        thread::spawn(move || {
            messages.put(0);
            ringing.ring();
        });
        bell.hang(Waker::new().unwrap());
        let third = Waker::new().unwrap();
        bell.hang(third.clone());
        serve(&third, &mailbox, 1);
    });
}

#[test]
fn starving_pool_gets_the_slots_that_two_threads_drop() {
    check(|| {
        let waker = Waker::new().unwrap();
        let mut pool = pool(2, waker.clone());
        for data in [lend(&mut pool), lend(&mut pool)] {
            thread::spawn(move || drop(data));
        }
        starve_until(&mut pool, &waker, 2);
    });
}

#[test]
fn starving_pool_and_messages_share_a_waker_without_loss() {
    check(|| {
        let waker = Waker::new().unwrap();
        let mailbox = Mailbox::new();
        let mut pool = pool(1, waker.clone());
        let data = lend(&mut pool);
        thread::spawn(move || drop(data));
        let (other, messages) = (waker.clone(), mailbox.clone());
        thread::spawn(move || {
            messages.put(0);
            other.wake();
        });
        let (mut slots, mut seen) = (0, 0);
        while slots + seen < 2 {
            if slots == 0 && pool.starve() {
                slots = 1;
                continue;
            }
            waker.wait();
            if waker.acknowledge() {
                seen = mailbox.count();
            }
        }
    });
}

/// The way without fences, which would order more than the pool needs.
#[test]
fn slot_is_written_again_only_after_its_reader_has_read() {
    check(|| {
        let mut pool = pool(1, Waker::new().unwrap());
        // Stands for the octets of the slot: the model sees who reads and who writes.
        let octets = Arc::new(UnsafeCell::new(()));
        let data = lend(&mut pool);
        octets.with_mut(|_| ());
        let read = Arc::clone(&octets);
        thread::spawn(move || {
            read.with(|_| ());
            drop(data);
        });
        while pool.take().is_none() {
            thread::yield_now();
            pool.reclaim();
        }
        octets.with_mut(|_| ());
    });
}

#[test]
fn slices_in_two_threads_bring_their_slot_back_once() {
    check(|| {
        let waker = Waker::new().unwrap();
        let mut pool = pool(1, waker.clone());
        let data = lend(&mut pool);
        for part in [data.slice(..100), data] {
            thread::spawn(move || drop(part));
        }
        let again = starve_until(&mut pool, &waker, 1);
        assert!(pool.take().is_none());
        drop(again);
    });
}
