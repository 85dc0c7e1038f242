//! The loop of one load thread.
//!
//! ```text
//!   wait -> all input -> what is due -> fill -> one send for each connection -> wait
//! ```
//!
//! A turn's arrivals all count from the moment at which the wait ended. What lay in the kernel while the thread was busy
//! therefore counts as late: a generator that cannot keep up shows in the latencies, and in its share of the time that it was busy.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::io::IoSlice;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use msrp_wire::MsrpPathBuf;
use ring_io::{Config, ConnKey, Io, Kind, Read, SendOp, SendOutcome, Waker};

use super::connection::Connection;
use super::desk::Desk;
use super::layer::Layer;
use super::leg::{Change, Leg, State};
use super::{Command, Event, Finish, Progress, Seat};
use crate::authorization::Grant;
use crate::clock::{Clock, nanoseconds};
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
        connections: Vec::new(),
        shared: HashMap::new(),
        by_key: Vec::new(),
        dirty: Vec::new(),
        timers: BinaryHeap::new(),
        cpu_at_measure: None,
        changes: Vec::new(),
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
    connections: Vec<Connection>,
    /// By address and next hop: the connection that has room for one more session.
    shared: HashMap<(SocketAddr, Box<str>), usize>,
    /// By index of the key: the connection.
    by_key: Vec<usize>,
    /// Connections with something to send.
    dirty: Vec<usize>,
    timers: BinaryHeap<Reverse<(u64, Timer)>>,
    /// The thread's processor time when measuring began.
    cpu_at_measure: Option<Duration>,
    /// What input changed in sessions; kept for the next one.
    changes: Vec<(usize, Change)>,
}

/// What is due at some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// A sender has to look at its schedule.
    Send(usize),
    /// A slow reader may read again.
    Read(usize),
    /// A relay has to be asked again, before it forgets the participant.
    Refresh(usize),
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
                if let Some(at) = self.connection_of(conn) {
                    self.on_connected(at);
                }
            }
            ring_io::Event::Received { conn, data } => {
                if let Some(at) = self.connection_of(conn) {
                    self.on_octets(at, &data);
                }
            }
            ring_io::Event::Writable { conn } => {
                if let Some(at) = self.connection_of(conn) {
                    self.connections[at].is_blocked = false;
                    self.mark(at);
                }
            }
            ring_io::Event::PeerClosed { conn } => {
                self.lose_connection(conn, "the server closed the connection");
            }
            ring_io::Event::Failed { conn, error } => {
                self.lose_connection(conn, &error.to_string());
            }
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

    /// The socket is connected: the handshakes of the layer begin, or its sessions are bound.
    fn on_connected(&mut self, at: usize) {
        let connection = &mut self.connections[at];
        connection.is_connected = true;
        if let Some(layer) = &mut connection.layer {
            let key = connection.key;
            match layer.begin() {
                Ok(()) => self.mark(at),
                Err(reason) => self.lose_connection(key, &reason),
            }
        } else {
            self.on_open(at);
        }
    }

    fn on_open(&mut self, at: usize) {
        self.connections[at].is_open = true;
        for index in self.connections[at].legs.clone() {
            self.bind(index);
        }
    }

    /// Octets of a socket, which are MSRP when no layer lies between.
    fn on_octets(&mut self, at: usize, octets: &[u8]) {
        let connection = &mut self.connections[at];
        let Some(layer) = &mut connection.layer else {
            return self.on_data(at, octets);
        };
        let mut plain = Vec::with_capacity(octets.len());
        let read = layer.receive(octets, &mut plain);
        let is_new = layer.is_open() && !connection.is_open;
        if let Err(reason) = read {
            let key = connection.key;
            return self.lose_connection(key, &reason);
        }
        self.mark(at);
        if is_new {
            self.on_open(at);
        }
        self.on_data(at, &plain);
    }

    fn on_command(&mut self, command: Command) -> bool {
        match command {
            Command::Attach(seat) => self.attach(*seat),
            Command::Route(number, way) => self.route(number, *way),
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
        let at = match self.connection_for(&seat) {
            Ok(at) => at,
            Err(error) => {
                self.tell(Event::Lost(number, error.to_string()));
                return;
            }
        };
        let index = self.legs.len();
        self.connections[at].add(index, seat.session.local.as_str());
        self.legs.push(Leg::new(seat, at, &self.desk));
        if self.connections[at].is_open {
            self.bind(index);
        }
    }

    /// The connection for a session: one that has room, or a new one. Slow and stalled readers have one of their own,
    /// for they would stop everybody else on it.
    ///
    /// # Spec
    /// RFC 4975 s.5.4: a connection is used again when the next hop is the same.
    fn connection_for(&mut self, seat: &Seat) -> std::io::Result<usize> {
        let is_sharing = match seat.role {
            Role::Sender | Role::Reader => self.desk.load.per_connection > 1,
            Role::Slow | Role::Stalled => false,
        };
        if !is_sharing {
            return self.connect(seat);
        }
        let next_hop = (seat.session.connect, seat.session.next_hop().into());
        if let Some(at) = self.shared.get(&next_hop).copied() {
            let connection = &self.connections[at];
            if connection.legs.len() < self.desk.load.per_connection && !connection.is_lost {
                return Ok(at);
            }
        }
        let at = self.connect(seat)?;
        self.shared.insert(next_hop, at);
        Ok(at)
    }

    fn connect(&mut self, seat: &Seat) -> std::io::Result<usize> {
        let layer = Layer::of(&seat.session).map_err(std::io::Error::other)?;
        let key = self.io.connect(seat.session.connect)?;
        let at = self.connections.len();
        self.connections.push(Connection::new(key, layer));
        if self.by_key.len() <= key.index() {
            self.by_key.resize(key.index() + 1, usize::MAX);
        }
        self.by_key[key.index()] = at;
        self.desk.counts.connections += 1;
        Ok(at)
    }

    /// Sends the first request of a session.
    fn bind(&mut self, index: usize) {
        let leg = &mut self.legs[index];
        let at = leg.connection;
        match leg.bind(&mut self.connections[at].out, &mut self.desk) {
            Ok(()) => self.mark(at),
            Err(reason) => self.lose(index, reason),
        }
    }

    /// Asks the relay of a session again.
    fn authorize(&mut self, index: usize) {
        let leg = &mut self.legs[index];
        if matches!(leg.state, State::Lost(_)) {
            return;
        }
        let at = leg.connection;
        match leg.authorize(&mut self.connections[at].out, &mut self.desk) {
            Ok(()) => self.mark(at),
            Err(reason) => self.lose(index, reason),
        }
    }

    fn on_granted(&mut self, index: usize, grant: Grant) {
        if let Some(expires) = grant.expires {
            let due = self.desk.now_ns + nanoseconds(expires) / REFRESH_OF * REFRESH_AT;
            self.timers.push(Reverse((due, Timer::Refresh(index))));
        }
        let number = self.legs[index].seat.number;
        self.tell(Event::Granted(number, Box::new(grant.use_path)));
    }

    fn route(&mut self, number: u32, way: MsrpPathBuf) {
        // Sessions that are there already are attached in the order of their numbers.
        let found = self
            .legs
            .binary_search_by_key(&number, |leg| leg.seat.number);
        if let Ok(index) = found
            && self.legs[index].route(way)
        {
            self.on_bound(index);
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
                Role::Slow => {
                    let key = self.connections[leg.connection].key;
                    self.io.read(key, Read::Once);
                }
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
                let key = self.connections[leg.connection].key;
                self.io.read(key, Read::Continuous);
            }
        }
    }

    fn on_data(&mut self, at: usize, data: &[u8]) {
        let mut changes = std::mem::take(&mut self.changes);
        let connection = &mut self.connections[at];
        let read = connection.handle_input(data, &mut self.legs, &mut self.desk, &mut changes);
        for (index, change) in changes.drain(..) {
            match change {
                Change::Bound => self.on_bound(index),
                Change::Challenged => self.authorize(index),
                Change::Granted(grant) => self.on_granted(index, grant),
                Change::Denied(reason) => self.lose(index, reason),
                Change::Refused(status) => {
                    self.lose(index, format!("the session was refused with {status}"));
                }
            }
        }
        self.changes = changes;
        if let Err(malformed) = read {
            let key = self.connections[at].key;
            let reason = format!("the server sent octets that are not MSRP: {malformed}");
            self.lose_connection(key, &reason);
        }
        let connection = &mut self.connections[at];
        if connection.is_lost {
            return;
        }
        let is_running = self.desk.stage.is_some_and(|s| self.desk.now_ns < s.end_ns);
        let slow = connection.legs.first().copied().filter(|index| {
            let leg = &self.legs[*index];
            leg.seat.role == Role::Slow && leg.is_up() && is_running
        });
        if let Some(index) = slow {
            let pause = data.len() as u64 * NS_PER_S / u64::from(self.desk.load.slow_rate);
            let due = self.desk.now_ns + pause;
            self.timers.push(Reverse((due, Timer::Read(index))));
        } else if connection.out.waiting().len() > REST_OCTETS && !connection.is_resting {
            connection.is_resting = true;
            self.io.read(connection.key, Read::Paused);
        }
        self.mark(at);
    }

    fn on_bound(&mut self, index: usize) {
        let leg = &mut self.legs[index];
        leg.state = State::Up;
        if leg.seat.role == Role::Stalled {
            let key = self.connections[leg.connection].key;
            self.io.read(key, Read::Paused);
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
                    self.queue(index);
                }
                Timer::Read(index) => {
                    let is_running = self.desk.stage.is_some_and(|s| self.desk.now_ns < s.end_ns);
                    if is_running && self.legs[index].is_up() {
                        let key = self.connections[self.legs[index].connection].key;
                        self.io.read(key, Read::Once);
                    }
                }
                Timer::Refresh(index) => self.authorize(index),
                Timer::Measure => self.cpu_at_measure = process::thread_cpu(),
                Timer::EndStage => self.end_stage(),
            }
        }
    }

    /// Sends what connections have, one operation for each; those with more to say come again in the next turn.
    fn flush(&mut self) -> std::io::Result<()> {
        let mut dirty = std::mem::take(&mut self.dirty);
        for at in &dirty {
            let connection = &mut self.connections[*at];
            connection.is_dirty = false;
            if !connection.is_blocked {
                connection.fill(&mut self.legs, &mut self.desk);
                if let Err(reason) = connection.encode() {
                    let key = connection.key;
                    self.lose_connection(key, &reason);
                }
            }
        }
        let is_ready = |c: &Connection| c.is_connected && !c.is_blocked && !c.to_send().is_empty();
        dirty.retain(|at| is_ready(&self.connections[*at]));
        let connections = &self.connections;
        let slices: Vec<IoSlice<'_>> = dirty
            .iter()
            .map(|at| IoSlice::new(connections[*at].to_send()))
            .collect();
        let mut ops: Vec<SendOp> = (0_u32..)
            .zip(&dirty)
            .map(|(part, at)| SendOp::new(connections[*at].key, part..part + 1))
            .collect();
        if !ops.is_empty() {
            self.io.send_batch(&slices, &mut ops)?;
        }
        drop(slices);
        for (op, at) in ops.iter().zip(dirty.drain(..)) {
            self.on_sent(at, op.outcome);
        }
        if self.dirty.is_empty() {
            // Nothing came back: keep the memory of the list.
            self.dirty = dirty;
        }
        Ok(())
    }

    fn on_sent(&mut self, at: usize, outcome: SendOutcome) {
        let connection = &mut self.connections[at];
        let octets = match outcome {
            SendOutcome::Sent(octets) => octets,
            SendOutcome::WouldBlock => 0,
            SendOutcome::Failed(error) => {
                let key = connection.key;
                self.lose_connection(key, &error.to_string());
                return;
            }
        };
        if !connection.advance(octets) {
            connection.is_blocked = true;
            self.io.want_writable(connection.key);
            return;
        }
        if connection.is_resting {
            connection.is_resting = false;
            self.io.read(connection.key, Read::Continuous);
        }
        if connection.has_work() {
            self.mark(at);
        }
    }

    /// Ends a connection and all sessions on it.
    fn lose_connection(&mut self, key: ConnKey, reason: &str) {
        if let Some(at) = self.connection_of(key) {
            for index in self.connections[at].legs.clone() {
                self.lose(index, reason.to_owned());
            }
        }
    }

    /// Ends a session, and its connection when it was the last one there.
    fn lose(&mut self, index: usize, reason: String) {
        let leg = &mut self.legs[index];
        if matches!(leg.state, State::Lost(_)) {
            return;
        }
        leg.outbox.give_up(&mut self.desk);
        leg.state = State::Lost(reason.clone());
        let (number, at) = (leg.seat.number, leg.connection);
        let is_lost = |index: &usize| matches!(self.legs[*index].state, State::Lost(_));
        let connection = &mut self.connections[at];
        if connection.legs.iter().all(is_lost) {
            connection.is_lost = true;
            self.io.close(connection.key);
            if let Some(entry) = self.by_key.get_mut(connection.key.index()) {
                *entry = usize::MAX;
            }
        }
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

    fn connection_of(&self, key: ConnKey) -> Option<usize> {
        let at = *self.by_key.get(key.index())?;
        let connection = self.connections.get(at)?;
        (connection.key == key).then_some(at)
    }

    /// Gives a leg a turn to write.
    fn queue(&mut self, index: usize) {
        let leg = &mut self.legs[index];
        let at = leg.connection;
        self.connections[at].queue(index, leg);
        self.mark(at);
    }

    /// Notes that a connection may have something to send.
    fn mark(&mut self, at: usize) {
        let connection = &mut self.connections[at];
        if !connection.is_dirty && !connection.is_lost {
            connection.is_dirty = true;
            self.dirty.push(at);
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
/// A URI of a relay is asked for again when three of four parts of its time are over.
const REFRESH_AT: u64 = 3;
const REFRESH_OF: u64 = 4;
const NS_PER_S: u64 = 1_000_000_000;
