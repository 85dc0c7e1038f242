//! What a hop between two shards costs: a bounded channel of the standard library, and a wake of the thread that waits in
//! its `Io`. The floor of the hop is the wake alone; the floor of a burst is the channel alone.
#![expect(
    clippy::unwrap_used,
    reason = "a bench stops where something is missing"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ring_io::{Config, Event, Io, Waker, Want};

/// What travels: about the size of a message between shards.
type Letter = Box<[u64; 16]>;

/// Messages of a burst.
const BURST: u64 = 64;

/// Letters that a mailbox holds.
const MAILBOX: usize = 1024;

/// A thread with a mailbox. It counts what it gets, and answers each turn's letters with one wake.
struct Peer {
    letters: SyncSender<Letter>,
    waker: Waker,
    thread: JoinHandle<()>,
}

/// Our end.
struct Near {
    io: Box<dyn Io>,
    events: Vec<Event>,
    counted: Arc<AtomicU64>,
}

impl Near {
    fn new(want: Want) -> Self {
        let (io, _) = ring_io::open(want, &Config::default()).unwrap();
        Self {
            io,
            events: Vec::new(),
            counted: Arc::new(AtomicU64::new(0)),
        }
    }

    /// Waits, asleep, until the other side has counted this many.
    fn wait_for(&mut self, count: u64) {
        while self.counted.load(Ordering::Acquire) < count {
            self.io.wait(Some(LONGEST), &mut self.events).unwrap();
            self.events.clear();
        }
    }
}

/// Starts the other side. `takes`: what one wake of it is worth; the letters in the mailbox, or one without any.
fn start(
    near: &Near,
    want: Want,
    takes: impl Fn(&Receiver<Letter>) -> Option<u64> + Send + 'static,
) -> Peer {
    let (letters, mailbox) = sync_channel(MAILBOX);
    let (ready, is_ready) = sync_channel(1);
    let (counted, back) = (Arc::clone(&near.counted), near.io.waker());
    let thread = thread::spawn(move || {
        let (mut io, _) = ring_io::open(want, &Config::default()).unwrap();
        ready.send(io.waker()).unwrap();
        let mut events = Vec::new();
        loop {
            io.wait(Some(LONGEST), &mut events).unwrap();
            if !events.drain(..).any(|event| matches!(event, Event::Woken)) {
                continue;
            }
            let Some(count) = takes(&mailbox) else {
                return;
            };
            counted.fetch_add(count, Ordering::Release);
            back.wake();
        }
    });
    Peer {
        letters,
        waker: is_ready.recv().unwrap(),
        thread,
    }
}

impl Peer {
    fn end(self) {
        drop(self.letters);
        self.waker.wake();
        self.thread.join().unwrap();
    }
}

/// Empties a mailbox; `None` when nobody will write any more.
fn all_letters(mailbox: &Receiver<Letter>) -> Option<u64> {
    let mut count = 0;
    loop {
        match mailbox.try_recv() {
            Ok(letter) => count += u64::from(letter[0] == 1),
            Err(std::sync::mpsc::TryRecvError::Empty) => return Some(count),
            Err(std::sync::mpsc::TryRecvError::Disconnected) => return None,
        }
    }
}

/// A wake without a letter counts as one; a mailbox that nobody can write to ends the thread.
fn wake_alone(mailbox: &Receiver<Letter>) -> Option<u64> {
    match mailbox.try_recv() {
        Err(std::sync::mpsc::TryRecvError::Disconnected) => None,
        _ => Some(1),
    }
}

/// Sends `burst` letters with a wake for each, waits for the answer, `rounds` times.
fn run(near: &mut Near, peer: &Peer, rounds: u64, burst: u64) -> Duration {
    let start = Instant::now();
    let mut until = near.counted.load(Ordering::Acquire);
    for _ in 0..rounds {
        for _ in 0..burst {
            peer.letters.send(Box::new([1; 16])).unwrap();
            peer.waker.wake();
        }
        until += burst;
        near.wait_for(until);
    }
    start.elapsed()
}

fn mailbox(c: &mut Criterion) {
    let mut group = c.benchmark_group("mailbox");
    for (name, want) in [("uring", Want::Uring), ("epoll", Want::Epoll)] {
        if ring_io::open(want, &Config::default()).is_err() {
            continue;
        }
        let mut near = Near::new(want);
        let peer = start(&near, want, all_letters);
        group.throughput(Throughput::Elements(1));
        group.bench_function(format!("round_trip_{name}"), |b| {
            b.iter_custom(|rounds| run(&mut near, &peer, rounds, 1));
        });
        group.throughput(Throughput::Elements(BURST));
        group.bench_function(format!("burst_{BURST}_{name}"), |b| {
            b.iter_custom(|rounds| run(&mut near, &peer, rounds, BURST));
        });
        peer.end();
        let mut near = Near::new(want);
        let peer = start(&near, want, wake_alone);
        group.throughput(Throughput::Elements(1));
        group.bench_function(format!("floor_wakes_alone_{name}"), |b| {
            b.iter_custom(|rounds| {
                let start = Instant::now();
                for _ in 0..rounds {
                    let until = near.counted.load(Ordering::Acquire) + 1;
                    peer.waker.wake();
                    near.wait_for(until);
                }
                start.elapsed()
            });
        });
        peer.end();
    }
    burst_floor(&mut group);
    group.finish();
}

/// The same burst between two threads that block on channels.
fn burst_floor(group: &mut criterion::BenchmarkGroup<'_, criterion::measurement::WallTime>) {
    let (letters, mailbox) = sync_channel::<Letter>(MAILBOX);
    let (back, answers) = sync_channel::<()>(1);
    let thread = thread::spawn(move || {
        while let Ok(letter) = mailbox.recv() {
            let mut count = u64::from(letter[0] == 1);
            while count < BURST {
                count += u64::from(mailbox.recv().is_ok());
            }
            if back.send(()).is_err() {
                return;
            }
        }
    });
    group.throughput(Throughput::Elements(BURST));
    group.bench_function(format!("floor_burst_{BURST}_channels_alone"), |b| {
        b.iter(|| {
            for _ in 0..BURST {
                letters.send(Box::new([1; 16])).unwrap();
            }
            answers.recv().unwrap();
        });
    });
    drop(letters);
    thread.join().unwrap();
}

/// Longest wait; nothing here takes that long.
const LONGEST: Duration = Duration::from_secs(10);

criterion_group!(benches, mailbox);
criterion_main!(benches);
