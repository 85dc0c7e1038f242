//! One core: a loop that turns completions into submissions.
//!
//! ```text
//!   wait -> events -> mailbox -> timers -> end of turn -> one send for each dirty connection -> wait
//! ```
//!
//! All input of a turn is handled before anything is sent, so that everything ready for one
//! connection leaves in one send. Sends end inside the submission; what the kernel does not take
//! is copied to the connection's backlog. So no receive buffer is pinned beyond its turn by a
//! recipient that does not read.
//!
//! The shard only routes; each concern has its own file below.

mod accounting;
mod backlog;
mod binding;
mod commands;
mod connection;
mod crossings;
mod describing;
mod description;
mod inbound;
mod intake;
mod layer;
mod naming;
mod outbound;
mod outbox;
mod own_message;
mod pacing;
mod reporting;
mod route;
mod session;
mod session_ids;
mod stand_in;
mod timers;
mod waiting;
mod wording;

use std::collections::HashMap;
use std::net::TcpListener;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use msrp_control::{ParticipantId, RoomId};
use msrp_session::{IdSource, Timestamp};
use msrp_switch::{LegKey, RoomKey, Rules, Switch, SwitchConfig};
use msrp_transport::Door;
use msrp_wire::FailureReport;
use rand_core::{OsRng, TryRngCore};
use ring_io::{ConnKey, Io, ListenerKey};

use crate::config::EngineLimits;
use crate::crossing::Epochs;
use crate::engine::{Hub, Rooms};
use crate::limits::{RETRY_NS, SLEEP_NS_MAX};
use crate::mailbox::{ShardHandle, ShardMessage};
use crate::metrics::{Cell, Counters, Run};
use crate::usage::UsageTap;

use connection::{Connections, Decoders};
use crossings::Crossings;
use intake::Turn;
use outbox::Mark;
pub(crate) use pacing::WaitedBy;
use session::Sessions;
use timers::Timers;

/// What a shard shares with the engine.
#[derive(Clone)]
pub(crate) struct Environment {
    pub(crate) index: usize,
    /// All shards, to hand connections over.
    pub(crate) peers: Arc<OnceLock<Vec<ShardHandle>>>,
    /// How often each shard was started again.
    pub(crate) epochs: Arc<Epochs>,
    pub(crate) hub: Arc<Hub>,
    /// The registry of rooms; the shard takes out what it has ended.
    pub(crate) rooms: Arc<Rooms>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) usage: Arc<UsageTap>,
    /// The node goes down: a shard that fails is not started again.
    pub(crate) is_stopping: Arc<AtomicBool>,
    pub(crate) limits: EngineLimits,
    pub(crate) ask_recipients: bool,
    pub(crate) rules: Rules,
    /// What the connections of each listener begin with, in the listeners' order.
    pub(crate) doors: Arc<[Door]>,
    pub(crate) clock: Instant,
}

/// One core's connections, sessions and rooms.
pub(crate) struct Shard<I: Io> {
    io: I,
    mailbox: Rc<Receiver<ShardMessage>>,
    environment: Environment,
    switch: Switch,
    ids: IdSource,
    sessions: Sessions,
    connections: Connections,
    decoders: Decoders,
    rooms: HashMap<RoomId, RunningRoom>,
    timers: Timers,
    crossings: Crossings,
    /// What the connections of each listener begin with.
    doors: Vec<(ListenerKey, Door)>,
    /// What is known of what has just been written; empty between writes.
    done: Vec<Mark>,
    /// Connections with something to send.
    dirty: Vec<ConnKey>,
    /// Connections with octets beyond their budget, to be read in the next turn.
    unread: Vec<ConnKey>,
    turn: Turn,
    /// When the last send ended.
    written: Timestamp,
    /// How long what has just been written was on its way.
    latency: Run,
    is_stopping: bool,
}

/// Why a shard's loop ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It was told to.
    Stopped,
    /// Its backend broke; everything it served is lost.
    BackendBroke,
}

/// A room with the names that the controller gave.
struct RunningRoom {
    key: RoomKey,
    participants: HashMap<ParticipantId, LegKey>,
    started: Timestamp,
}

impl<I: Io> Shard<I> {
    /// Puts a shard together on its own thread and starts to accept.
    pub(crate) fn new(
        mut io: I,
        mailbox: Rc<Receiver<ShardMessage>>,
        environment: Environment,
        listeners: Vec<TcpListener>,
    ) -> std::io::Result<Self> {
        let mut doors = Vec::new();
        for (listener, door) in listeners.into_iter().zip(environment.doors.iter()) {
            doors.push((io.listen(listener)?, door.clone()));
        }
        let config = SwitchConfig {
            failure_report: if environment.ask_recipients {
                FailureReport::Yes
            } else {
                FailureReport::Partial
            },
            final_report_ns: environment.limits.final_report_ns,
            rules: environment.rules,
            seed: seed()?,
        };
        let crossings = Crossings::new(environment.index, &environment.epochs);
        Ok(Self {
            crossings,
            doors,
            io,
            mailbox,
            environment,
            switch: Switch::new(&config),
            ids: IdSource::from_seed(seed()?),
            sessions: Sessions::default(),
            connections: Connections::default(),
            decoders: Decoders::default(),
            rooms: HashMap::new(),
            timers: Timers::default(),
            done: Vec::new(),
            dirty: Vec::new(),
            unread: Vec::new(),
            turn: Turn::default(),
            written: Timestamp::default(),
            latency: Run::default(),
            is_stopping: false,
        })
    }

    /// Runs until it is told to stop or its backend breaks.
    pub(crate) fn run(mut self) -> Ended {
        let mut events = Vec::new();
        let mut now = self.now();
        while !self.is_stopping {
            let sleep = self.sleep(now);
            if let Err(error) = self.io.wait(Some(sleep), &mut events) {
                tracing::error!(shard = self.environment.index, %error, "the backend broke");
                return Ended::BackendBroke;
            }
            let began = self.take_turn(&mut events);
            let ended = self.now();
            let counters = &self.environment.counters;
            counters.business.end_turn(began.as_ns(), ended.as_ns());
            counters.turns.add(ended.since(began), 1);
            counters.alive_ns.store(ended.as_ns(), Ordering::Relaxed);
            now = ended;
        }
        Ended::Stopped
    }

    /// Handles one batch of events and everything that follows from it. Returns when it began.
    fn take_turn(&mut self, events: &mut Vec<ring_io::Event>) -> Timestamp {
        let now = self.now();
        self.turn.begin();
        self.notice_failures(now);
        self.read_unread(now);
        for event in events.drain(..) {
            self.handle_event(now, event);
        }
        while let Ok(message) = self.mailbox.try_recv() {
            self.handle_message(now, message);
        }
        self.handle_timers(now);
        self.switch.handle_timeout(now);
        self.switch.end_turn(now);
        self.carry_out(now);
        self.flush(now);
        self.retire_stand_ins();
        self.post_crossings();
        self.latency.end(&self.environment.counters.latency);
        self.publish_counters();
        now
    }

    fn handle_event(&mut self, now: Timestamp, event: ring_io::Event) {
        match event {
            ring_io::Event::Accepted {
                listener, stream, ..
            } => self.accept(now, listener, stream),
            ring_io::Event::AcceptFailed { error, .. } => {
                tracing::warn!(%error, "a connection could not be accepted");
            }
            ring_io::Event::Connected { conn } => self.connected(now, conn),
            ring_io::Event::Received { conn, data } => self.received(now, conn, data),
            ring_io::Event::PeerClosed { conn } => self.peer_closed(now, conn),
            ring_io::Event::Failed { conn, .. } => self.failed(now, conn),
            ring_io::Event::Writable { conn } => self.writable(now, conn),
            ring_io::Event::Woken => {}
        }
    }

    fn now(&self) -> Timestamp {
        let elapsed = self.environment.clock.elapsed().as_nanos();
        Timestamp::from_ns(u64::try_from(elapsed).unwrap_or(u64::MAX))
    }

    fn sleep(&self, now: Timestamp) -> Duration {
        if !self.unread.is_empty() {
            return Duration::ZERO;
        }
        let deadlines = [self.timers.deadline(), self.switch.poll_timeout()];
        let nearest = deadlines.into_iter().flatten().min();
        let ns = nearest.map_or(SLEEP_NS_MAX, |deadline| {
            deadline.since(now).min(SLEEP_NS_MAX)
        });
        let is_held_up = self.crossings.is_held_up();
        Duration::from_nanos(if is_held_up { ns.min(RETRY_NS) } else { ns })
    }

    /// Copies the numbers that live elsewhere to where readers see them.
    fn publish_counters(&self) {
        let counters = &self.environment.counters;
        let sums = self.switch.sums();
        counters.set_total(Cell::CopiesOpened, sums.opened);
        counters.set_total(Cell::CopiesDelivered, sums.delivered);
        counters.set_total(Cell::CopiesSent, sums.sent);
        counters.set_total(Cell::CopiesRefused, sums.refused);
        counters.set_total(Cell::CopiesFailed, sums.failed);
        counters.set_total(Cell::CopiesAborted, sums.aborted);
        counters.set_total(Cell::MessagesText, sums.messages.text);
        counters.set_total(Cell::MessagesComposing, sums.messages.composing);
        counters.set_total(Cell::MessagesDisposition, sums.messages.disposition);
        counters.set_total(Cell::MessagesFile, sums.messages.file);
        counters.set_total(Cell::MessagesOther, sums.messages.other);
        counters.set_total(Cell::CopiedHeld, sums.held_octets_copied);
        counters.set_total(Cell::FinalReportsSent, sums.final_reports_sent);
        counters.set_total(Cell::FinalReportsTimedOut, sums.final_reports_timed_out);
        counters.set_total(Cell::FinalReportsSkipped, sums.final_reports_skipped);
        counters.set(Cell::Connections, self.connections.count() as u64);
        let transports = self.connections.by_transport();
        for (cell, count) in TRANSPORT_CELLS.into_iter().zip(transports) {
            counters.set(cell, count as u64);
        }
        let (sessions, bound) = (self.sessions.count(), self.sessions.bound_count());
        counters.set(Cell::Participants, sessions as u64);
        counters.set(Cell::SessionsWaiting, (sessions - bound) as u64);
        counters.set(Cell::SessionsAtConnection, bound as u64);
        let pool = self.io.pool();
        counters.set(Cell::ReceiveSlots, pool.slots as u64);
        counters.set(Cell::ReceiveSlotsInUse, pool.slots_in_use as u64);
        counters.set_total(Cell::ReceivePauses, pool.pauses);
        counters.count(Cell::Turns);
    }
}

/// What counts the connections of each transport, in the order of [`Connections::by_transport`].
const TRANSPORT_CELLS: [Cell; connection::TRANSPORTS] = [
    Cell::TransportTcp,
    Cell::TransportTls,
    Cell::TransportWs,
    Cell::TransportWss,
];

/// A seed from the operating system.
fn seed() -> std::io::Result<[u8; 32]> {
    let mut seed = [0; 32];
    OsRng
        .try_fill_bytes(&mut seed)
        .map_err(|error| std::io::Error::other(error.to_string()))?;
    Ok(seed)
}
