//! The load threads: sockets, messages out, copies in.
//!
//! Each thread has one `Io` and serves its participants in turns: all input first, then what is due, then one send for
//! each connection with something to say. No task and no lock for a connection; threads share nothing but counters that
//! the main thread reads.

mod connection;
mod desk;
mod inbox;
mod layer;
mod leg;
mod outbox;
mod worker;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};

use msrp_wire::MsrpPathBuf;
use ring_io::Waker;

use crate::account::{Counts, Ledger};
use crate::clock::Clock;
use crate::latency::Latencies;
use crate::plan::{Load, Role, Room};
use crate::sessions::Session;
use crate::stage::{Stage, StageFigures};

/// A participant, on its way to a load thread.
#[derive(Debug)]
pub struct Seat {
    /// Its number in the run.
    pub number: u32,
    /// The index of its room.
    pub room: usize,
    /// Its place in the room.
    pub place: u32,
    /// What it does.
    pub role: Role,
    /// Its session.
    pub session: Session,
}

/// What the main thread asks of a load thread.
#[derive(Debug)]
pub enum Command {
    /// Connect and bind this session. [`Event::Up`] or [`Event::Lost`] follows.
    Attach(Box<Seat>),
    /// Send what this participant says this way. The first time it is bound by that: [`Event::Up`] follows.
    Route(u32, Box<MsrpPathBuf>),
    /// Run this stage.
    Begin(Stage),
    /// Send [`Event::Interval`].
    Tick,
    /// Send [`Event::Collected`] and start the figures anew.
    Collect,
    /// Send [`Event::Finished`], close everything and end.
    Finish,
}

/// What a load thread tells.
#[derive(Debug)]
pub enum Event {
    /// A session is bound.
    Up(u32),
    /// A relay gave a participant these URIs, at first or when they were asked for again.
    Granted(u32, Box<MsrpPathBuf>),
    /// A session ended: number and reason.
    Lost(u32, String),
    /// Latencies of copies since the last tick.
    Interval(Box<Latencies>),
    /// The figures of a stage.
    Collected(Box<StageFigures>),
    /// What the thread has at the end.
    Finished(Box<Finish>),
    /// The thread cannot go on.
    Failed(String),
}

/// What a load thread has at the end.
#[derive(Debug)]
pub struct Finish {
    /// Its counts.
    pub counts: Counts,
    /// Its participants.
    pub ledgers: Vec<Ledger>,
}

/// What a load thread shows while it runs; totals since the start.
#[derive(Debug, Default)]
pub struct Progress {
    /// Messages sent.
    pub sent: AtomicU64,
    /// Messages accepted.
    pub accepted: AtomicU64,
    /// Messages that are to be sent or wait for their answer.
    pub pending: AtomicU64,
    /// Copies that accepted messages owe to those who read.
    pub owed: AtomicU64,
    /// Copies that those who read have had.
    pub copies: AtomicU64,
    /// Requests that came in.
    pub requests: AtomicU64,
}

/// The sum of [`Progress`] over all threads at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Messages sent.
    pub sent: u64,
    /// Messages accepted.
    pub accepted: u64,
    /// Messages that are to be sent or wait for their answer.
    pub pending: u64,
    /// Copies owed.
    pub owed: u64,
    /// Copies received.
    pub copies: u64,
    /// Requests received.
    pub requests: u64,
}

/// All load threads.
pub struct Engine {
    threads: Vec<Thread>,
    events: mpsc::Receiver<Event>,
}

struct Thread {
    commands: mpsc::Sender<Command>,
    waker: Waker,
    progress: Arc<Progress>,
    join: Option<JoinHandle<()>>,
}

impl Engine {
    /// Starts the threads. Also gives the sentences that say which kernel interface they use.
    ///
    /// # Errors
    /// A sentence: a thread or its `Io` could not be had.
    pub fn start(
        threads: usize,
        load: &Arc<Load>,
        rooms: &Arc<Vec<Room>>,
        clock: Clock,
    ) -> Result<(Self, String), String> {
        let (events, receiver) = mpsc::channel();
        let mut reason = String::new();
        let mut list = Vec::new();
        for number in 0..threads {
            let (thread, choice) = Thread::start(number, load, rooms, clock, events.clone())?;
            reason = choice;
            list.push(thread);
        }
        let engine = Self {
            threads: list,
            events: receiver,
        };
        Ok((engine, reason))
    }

    /// Gives a participant to its thread.
    pub fn attach(&self, seat: Seat) {
        let thread = self.thread_of(seat.number);
        thread.tell(Command::Attach(Box::new(seat)));
    }

    /// Tells a participant which way its messages go.
    pub fn route(&self, number: u32, way: MsrpPathBuf) {
        let thread = self.thread_of(number);
        thread.tell(Command::Route(number, Box::new(way)));
    }

    fn thread_of(&self, number: u32) -> &Thread {
        &self.threads[number as usize % self.threads.len()]
    }

    /// Tells all threads the same.
    pub fn tell_all(&self, command: impl Fn() -> Command) {
        self.threads
            .iter()
            .for_each(|thread| thread.tell(command()));
    }

    /// How many threads there are.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.threads.len()
    }

    /// What the threads tell.
    #[must_use]
    pub fn events(&self) -> &mpsc::Receiver<Event> {
        &self.events
    }

    /// How far all are.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let sum = |of: fn(&Progress) -> &AtomicU64| {
            let values = self.threads.iter();
            values
                .map(|t| of(&t.progress).load(Ordering::Relaxed))
                .sum()
        };
        Totals {
            sent: sum(|p| &p.sent),
            accepted: sum(|p| &p.accepted),
            pending: sum(|p| &p.pending),
            owed: sum(|p| &p.owed),
            copies: sum(|p| &p.copies),
            requests: sum(|p| &p.requests),
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.tell_all(|| Command::Finish);
        for thread in &mut self.threads {
            if let Some(join) = thread.join.take() {
                // A thread that panicked has said so.
                let _ = join.join();
            }
        }
    }
}

impl Thread {
    fn start(
        number: usize,
        load: &Arc<Load>,
        rooms: &Arc<Vec<Room>>,
        clock: Clock,
        events: mpsc::Sender<Event>,
    ) -> Result<(Self, String), String> {
        let (commands, inbox) = mpsc::channel();
        let progress = Arc::new(Progress::default());
        let (ready, is_ready) = mpsc::channel();
        let desk = desk::Desk::new(Arc::clone(load), Arc::clone(rooms))?;
        let shown = Arc::clone(&progress);
        let run = move || worker::run(desk, clock, &ready, inbox, events, shown);
        let join = thread::Builder::new()
            .name(format!("load-{number}"))
            .spawn(run)
            .map_err(|e| e.to_string())?;
        let started = is_ready.recv().map_err(|e| e.to_string())?;
        let (waker, reason) = started?;
        let thread = Self {
            commands,
            waker,
            progress,
            join: Some(join),
        };
        Ok((thread, reason))
    }

    fn tell(&self, command: Command) {
        // A thread that has ended has said why.
        let _ = self.commands.send(command);
        self.waker.wake();
    }
}
