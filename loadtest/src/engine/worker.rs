//! The loop of one load thread.
//!
//! ```text
//!   wait -> all input -> what is due -> fill -> one send for each connection -> wait
//! ```
//!
//! A turn's arrivals all count from the moment at which the wait ended. What lay in the kernel while the thread was busy
//! therefore counts as late: a generator that cannot keep up shows in the latencies, and in its share of the time that it was busy.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::IoSlice;
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use ring_io::{Config, ConnKey, Io, Kind, Read, SendOp, SendOutcome, Waker};

use super::desk::Desk;
use super::leg::{Change, Leg, State};
use super::{Command, Event, Finish, Progress, Seat};
use crate::clock::Clock;
use crate::limits::OUT_OCTETS_SOFT;
use crate::plan::Role;
use crate::process;
use crate::schedule::Schedule;
use crate::stage::{Pace, Stage, StageFigures};

/// What a new thread says when it runs: its waker and the choice of its backend, or why it does not.
pub(super) type Ready = mpsc::Sender<Result<(Waker, String), String>>;

/// Runs a load thread to its end.
pub(super) fn run(
    desk: Desk,
    clock: Clock,
    ready: &Ready,
    commands: mpsc::Receiver<Command>,
    events: mpsc::Sender<Event>,
    progress: Arc<Progress>,
) {
    let (io, choice) = match ring_io::open(desk.load.backend, &Config::default()) {
        Ok(opened) => opened,
        Err(error) => {
            // The one who starts the thread waits for this.
            let _ = ready.send(Err(error.to_string()));
            return;
        }
    };
    let _ = ready.send(Ok((io.waker(), choice.reason)));
    let mut worker = Worker {
        io,
        is_coarse: choice.backend == Kind::Epoll,
        clock,
        desk,
        commands,
        events,
        progress,
        legs: Vec::new(),
        by_conn: Vec::new(),
        dirty: Vec::new(),
        timers: BinaryHeap::new(),
        cpu_at_measure: None,
    };
    if let Err(error) = worker.serve() {
        let _ = worker.events.send(Event::Failed(error.to_string()));
    }
    worker.finish();
}

struct Worker {
    io: Box<dyn Io>,
    /// Whether waits end at whole milliseconds only.
    is_coarse: bool,
    clock: Clock,
    desk: Desk,
    commands: mpsc::Receiver<Command>,
    events: mpsc::Sender<Event>,
    progress: Arc<Progress>,
    legs: Vec<Leg>,
    /// By index of the connection: the leg.
    by_conn: Vec<usize>,
    /// Legs with something to send.
    dirty: Vec<usize>,
    timers: BinaryHeap<Reverse<(u64, Timer)>>,
    /// The thread's processor time when measuring began.
    cpu_at_measure: Option<Duration>,
}

/// What is due at some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// A sender has to look at its schedule.
    Send(usize),
    /// A slow reader may read again.
    Read(usize),
    /// Warm-up is over.
    Measure,
    /// The stage is over.
    EndStage,
}

impl Worker {
    fn serve(&mut self) -> std::io::Result<()> {
        let mut happened = Vec::new();
        loop {
            let timeout = self.timeout();
            self.io.wait(timeout, &mut happened)?;
            self.desk.set_time(self.clock.now_ns());
            for event in happened.drain(..) {
                if !self.on_event(event) {
                    return Ok(());
                }
            }
            self.run_timers();
            self.flush()?;
            self.publish();
        }
    }

    /// How long the next wait may be.
    fn timeout(&self) -> Option<Duration> {
        if self.desk.load.is_spinning || !self.dirty.is_empty() {
            return Some(Duration::ZERO);
        }
        let due = self.timers.peek().map(|Reverse((due, _))| *due);
        let left = due.map_or(WAIT_MAX, |due| {
            Duration::from_nanos(due.saturating_sub(self.clock.now_ns())).min(WAIT_MAX)
        });
        // A wait of whole milliseconds is rounded up; the last one is spent looking.
        let rounding = if self.is_coarse && left < WAIT_MAX {
            Duration::from_millis(1)
        } else {
            Duration::ZERO
        };
        Some(left.saturating_sub(rounding))
    }

    /// `false`: the run is over.
    fn on_event(&mut self, event: ring_io::Event) -> bool {
        match event {
            ring_io::Event::Connected { conn } => {
                if let Some(index) = self.leg_of(conn) {
                    self.legs[index].bind(&mut self.desk);
                    self.mark(index);
                }
            }
            ring_io::Event::Received { conn, data } => {
                if let Some(index) = self.leg_of(conn) {
                    self.on_data(index, &data);
                }
            }
            ring_io::Event::Writable { conn } => {
                if let Some(index) = self.leg_of(conn) {
                    self.legs[index].is_blocked = false;
                    self.mark(index);
                }
            }
            ring_io::Event::PeerClosed { conn } => {
                self.lose_conn(conn, "the server closed the connection");
            }
            ring_io::Event::Failed { conn, error } => self.lose_conn(conn, &error.to_string()),
            ring_io::Event::Woken => {
                while let Ok(command) = self.commands.try_recv() {
                    if !self.on_command(command) {
                        return false;
                    }
                }
            }
            ring_io::Event::Accepted { .. } | ring_io::Event::AcceptFailed { .. } => {}
        }
        true
    }

    fn on_command(&mut self, command: Command) -> bool {
        match command {
            Command::Attach(seat) => self.attach(*seat),
            Command::Begin(stage) => self.begin(stage),
            Command::Tick => {
                let interval = self.desk.figures.interval.clone();
                self.desk.figures.interval.clear();
                self.tell(Event::Interval(Box::new(interval)));
            }
            Command::Collect => {
                let figures = std::mem::take(&mut self.desk.figures);
                self.tell(Event::Collected(Box::new(figures)));
            }
            Command::Finish => return false,
        }
        true
    }

    fn attach(&mut self, seat: Seat) {
        let number = seat.number;
        match self.io.connect(seat.session.connect) {
            Ok(conn) => {
                let index = self.legs.len();
                self.legs.push(Leg::new(seat, conn, &self.desk));
                if self.by_conn.len() <= conn.index() {
                    self.by_conn.resize(conn.index() + 1, usize::MAX);
                }
                self.by_conn[conn.index()] = index;
            }
            Err(error) => self.tell(Event::Lost(number, error.to_string())),
        }
    }

    fn begin(&mut self, stage: Stage) {
        self.desk.stage = Some(stage);
        self.desk.figures = StageFigures::default();
        self.timers
            .push(Reverse((stage.measure_ns, Timer::Measure)));
        self.timers.push(Reverse((stage.end_ns, Timer::EndStage)));
        for index in 0..self.legs.len() {
            let leg = &mut self.legs[index];
            match leg.seat.role {
                Role::Sender => {
                    if let Pace::Rate(rate, spacing) = stage.pace {
                        let (seed, number) = (self.desk.load.seed, leg.seat.number);
                        let times = Schedule::new(spacing, rate, stage.start_ns, seed, number);
                        leg.outbox.schedule = Some(times);
                    }
                    self.timers
                        .push(Reverse((stage.start_ns, Timer::Send(index))));
                }
                Role::Slow => self.io.read(leg.conn, Read::Once),
                Role::Reader | Role::Stalled => {}
            }
        }
    }

    fn end_stage(&mut self) {
        let used = self.cpu_at_measure.take().zip(process::thread_cpu());
        self.desk.figures.busy = used.map(|(from, to)| to.saturating_sub(from));
        for leg in &mut self.legs {
            leg.outbox.end_stage(&mut self.desk);
            // What slow readers have not read yet they read now, so that the account can be closed.
            if leg.seat.role == Role::Slow && leg.is_up() {
                self.io.read(leg.conn, Read::Continuous);
            }
        }
    }

    fn on_data(&mut self, index: usize, data: &[u8]) {
        let leg = &mut self.legs[index];
        match leg.handle_input(data, &mut self.desk) {
            Ok(Change::None) => {}
            Ok(Change::Bound) => self.on_bound(index),
            Ok(Change::Refused(status)) => {
                self.lose(index, format!("the session was refused with {status}"));
                return;
            }
            Err(malformed) => {
                self.lose(
                    index,
                    format!("the server sent octets that are not MSRP: {malformed}"),
                );
                return;
            }
        }
        let leg = &mut self.legs[index];
        let is_running = self.desk.stage.is_some_and(|s| self.desk.now_ns < s.end_ns);
        if leg.seat.role == Role::Slow && leg.is_up() && is_running {
            let pause = data.len() as u64 * NS_PER_S / u64::from(self.desk.load.slow_rate);
            let due = self.desk.now_ns + pause;
            self.timers.push(Reverse((due, Timer::Read(index))));
        } else if leg.outbox.waiting().len() > REST_OCTETS && !leg.is_resting {
            leg.is_resting = true;
            self.io.read(leg.conn, Read::Paused);
        }
        self.mark(index);
    }

    fn on_bound(&mut self, index: usize) {
        let leg = &mut self.legs[index];
        leg.state = State::Up;
        if leg.seat.role == Role::Stalled {
            self.io.read(leg.conn, Read::Paused);
        }
        let number = leg.seat.number;
        self.tell(Event::Up(number));
    }

    fn run_timers(&mut self) {
        while let Some(Reverse((due, timer))) = self.timers.peek().copied() {
            if due > self.desk.now_ns {
                return;
            }
            self.timers.pop();
            match timer {
                Timer::Send(index) => {
                    let next = self.legs[index].outbox.take_due(&mut self.desk);
                    if let Some(next) = next {
                        self.timers.push(Reverse((next, Timer::Send(index))));
                    }
                    self.mark(index);
                }
                Timer::Read(index) => {
                    let is_running = self.desk.stage.is_some_and(|s| self.desk.now_ns < s.end_ns);
                    if is_running && self.legs[index].is_up() {
                        self.io.read(self.legs[index].conn, Read::Once);
                    }
                }
                Timer::Measure => self.cpu_at_measure = process::thread_cpu(),
                Timer::EndStage => self.end_stage(),
            }
        }
    }

    /// Sends what legs have, one operation for each; those with more to say come again in the next turn.
    fn flush(&mut self) -> std::io::Result<()> {
        let mut dirty = std::mem::take(&mut self.dirty);
        for index in &dirty {
            let leg = &mut self.legs[*index];
            leg.is_dirty = false;
            if !leg.is_blocked {
                leg.fill(&mut self.desk);
            }
        }
        let is_ready = |leg: &Leg| !leg.is_blocked && !leg.outbox.waiting().is_empty();
        dirty.retain(|index| is_ready(&self.legs[*index]));
        let legs = &self.legs;
        let slices: Vec<IoSlice<'_>> = dirty
            .iter()
            .map(|index| IoSlice::new(legs[*index].outbox.waiting()))
            .collect();
        let mut ops: Vec<SendOp> = (0_u32..)
            .zip(&dirty)
            .map(|(at, index)| SendOp::new(legs[*index].conn, at..at + 1))
            .collect();
        if !ops.is_empty() {
            self.io.send_batch(&slices, &mut ops)?;
        }
        drop(slices);
        for (op, index) in ops.iter().zip(dirty.drain(..)) {
            self.on_sent(index, op.outcome);
        }
        if self.dirty.is_empty() {
            // Nothing came back: keep the memory of the list.
            self.dirty = dirty;
        }
        Ok(())
    }

    fn on_sent(&mut self, index: usize, outcome: SendOutcome) {
        let leg = &mut self.legs[index];
        let octets = match outcome {
            SendOutcome::Sent(octets) => octets,
            SendOutcome::WouldBlock => 0,
            SendOutcome::Failed(error) => {
                self.lose(index, error.to_string());
                return;
            }
        };
        if !leg.outbox.advance(octets) {
            leg.is_blocked = true;
            self.io.want_writable(leg.conn);
            return;
        }
        if leg.is_resting {
            leg.is_resting = false;
            self.io.read(leg.conn, Read::Continuous);
        }
        if leg.outbox.has_work() {
            self.mark(index);
        }
    }

    fn lose_conn(&mut self, conn: ConnKey, reason: &str) {
        if let Some(index) = self.leg_of(conn) {
            self.lose(index, reason.to_owned());
        }
    }

    fn lose(&mut self, index: usize, reason: String) {
        let leg = &mut self.legs[index];
        if matches!(leg.state, State::Lost(_)) {
            return;
        }
        self.io.close(leg.conn);
        if let Some(entry) = self.by_conn.get_mut(leg.conn.index()) {
            *entry = usize::MAX;
        }
        leg.outbox.give_up(&mut self.desk);
        leg.state = State::Lost(reason.clone());
        let number = leg.seat.number;
        self.tell(Event::Lost(number, reason));
    }

    fn finish(self) {
        let Self {
            mut desk,
            legs,
            events,
            ..
        } = self;
        let mut ledgers = Vec::with_capacity(legs.len());
        for mut leg in legs {
            leg.outbox.give_up(&mut desk);
            ledgers.push(leg.into_ledger());
        }
        let counts = desk.counts;
        // Without anybody who waits the run was given up.
        let _ = events.send(Event::Finished(Box::new(Finish { counts, ledgers })));
    }

    fn leg_of(&self, conn: ConnKey) -> Option<usize> {
        let index = *self.by_conn.get(conn.index())?;
        self.legs
            .get(index)
            .filter(|leg| leg.conn == conn)
            .map(|_| index)
    }

    fn mark(&mut self, index: usize) {
        let leg = &mut self.legs[index];
        let is_over = matches!(leg.state, State::Lost(_));
        if !leg.is_dirty && !is_over {
            leg.is_dirty = true;
            self.dirty.push(index);
        }
    }

    fn tell(&self, event: Event) {
        // Without anybody who listens the run was given up.
        let _ = self.events.send(event);
    }

    fn publish(&self) {
        let (shown, totals) = (&self.progress, &self.desk.totals);
        shown.sent.store(totals.sent, Ordering::Relaxed);
        shown.accepted.store(totals.accepted, Ordering::Relaxed);
        shown.pending.store(totals.pending, Ordering::Relaxed);
        shown.owed.store(totals.owed, Ordering::Relaxed);
        shown.copies.store(totals.copies, Ordering::Relaxed);
        shown.requests.store(totals.requests, Ordering::Relaxed);
    }
}

/// Longest wait: how late the main thread may see the totals.
const WAIT_MAX: Duration = Duration::from_millis(20);
/// Octets that wait for a socket above which it is not read: answers must not pile up without end.
const REST_OCTETS: usize = 16 * OUT_OCTETS_SOFT;
const NS_PER_S: u64 = 1_000_000_000;
