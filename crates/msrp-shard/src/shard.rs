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
mod arrivals;
mod backlog;
mod binding;
mod bridges;
mod commands;
mod connection;
mod crossings;
mod delivering;
mod describing;
mod description;
#[cfg(feature = "simulation")]
mod holdings;
mod inbound;
mod intake;
mod keepalive;
mod layer;
mod naming;
mod outbound;
mod outbox;
mod own_message;
mod pacing;
mod relaying;
mod reporting;
mod route;
mod seeking;
mod session;
mod session_ids;
#[cfg(feature = "planted-defects")]
mod spoiling;
mod stand_in;
mod tap;
mod telling;
mod timers;
mod unnamed;
mod waiting;
mod wording;

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::net::TcpListener;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use msrp_control::{BridgeId, ParticipantId, RoomId};
use msrp_session::{IdSource, Timestamp};
use msrp_switch::{LegKey, RoomKey, Rules, Switch, SwitchConfig};
use msrp_transport::Door;
use msrp_wire::FailureReport;
use ring_io::{ConnKey, Io, ListenerKey};

use crate::census::Census;
use crate::config::EngineLimits;
use crate::crossing::Epochs;
use crate::defect::Planted;
use crate::engine::{Bridges, Hub, RelayDoor, Resolver, Rooms};
use crate::limits::{RETRY_NS, SLEEP_NS_MAX};
use crate::mailbox::{ShardHandle, ShardMessage};
use crate::metrics::{Cell, Counters, Run};
use crate::source::Source;
use crate::usage::UsageTap;

use arrivals::{Arrival, Arrivals};
use bridges::RunningBridge;
use connection::{Connections, Decoders};
use crossings::Crossings;
use delivering::Awaited;
#[cfg(feature = "simulation")]
pub use holdings::Holdings;
use intake::Turn;
use outbox::{Mark, Spares};
pub(crate) use pacing::WaitedBy;
use relaying::Relaying;
use session::Sessions;
use timers::Timers;
use unnamed::Unnamed;

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
    /// The registry of bridges, as that of rooms.
    pub(crate) bridges: Arc<Bridges>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) usage: Arc<UsageTap>,
    /// The node goes down: a shard that fails is not started again.
    pub(crate) is_stopping: Arc<AtomicBool>,
    pub(crate) limits: EngineLimits,
    /// The connections of the node.
    pub(crate) census: Census,
    pub(crate) ask_recipients: bool,
    pub(crate) rules: Rules,
    /// What the connections of each listener begin with, in the listeners' order.
    pub(crate) doors: Arc<[Door]>,
    /// The addresses that are really bound; the engine never connects to itself.
    pub(crate) bound: Arc<[SocketAddr]>,
    /// Where names of peers are looked up.
    pub(crate) resolver: Arc<Resolver>,
    /// The relay of the node, where there is one.
    pub(crate) relay: Option<Arc<RelayDoor>>,
    /// Where time and chance come from.
    pub(crate) source: Source,
    /// The defect that it is to have in a test.
    pub(crate) planted: Planted,
}

impl Environment {
    /// What is another shard's own, beside what all share.
    pub(crate) fn of_shard(&self, index: usize) -> Self {
        Self {
            index,
            counters: Arc::default(),
            ..self.clone()
        }
    }
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
    unnamed: Unnamed,
    decoders: Decoders,
    rooms: HashMap<RoomId, RunningRoom>,
    bridges: HashMap<BridgeId, RunningBridge>,
    timers: Timers,
    /// What connections queue things in, while they queue nothing.
    spares: Rc<Spares>,
    crossings: Crossings,
    /// The relay, on the shard that it runs on.
    relaying: Option<Box<Relaying>>,
    /// Who looks at sessions of this shard; nearly always nobody.
    traces: Vec<tap::Trace>,
    /// What the connections of each listener begin with.
    doors: Vec<(ListenerKey, Door)>,
    /// What is known of what has just been written; empty between writes.
    done: Vec<Mark>,
    /// Connections with something to send.
    dirty: Vec<ConnKey>,
    /// Connections for whose octets the turn was too short, to be read first in the next one.
    unread: Vec<ConnKey>,
    /// Connections that have sent more than their budget, to be read last.
    bounded: Vec<ConnKey>,
    arrivals: Arrivals,
    /// Who wants to know when a session has everything that it is to have.
    awaited: Awaited,
    turn: Turn,
    /// When the last send ended.
    written: Timestamp,
    /// How long what has just been written was on its way.
    latency: Run,
    is_stopping: bool,
    /// When the last turn ended.
    turned_at: Timestamp,
    #[cfg(feature = "planted-defects")]
    spoiling: spoiling::Spoiling,
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
    /// In one order, so that one run does as another.
    participants: BTreeMap<ParticipantId, LegKey>,
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
            seed: environment.source.seed()?,
        };
        let crossings = Crossings::new(environment.index, &environment.epochs);
        let turned_at = environment.source.now();
        let door = environment.relay.as_deref();
        let relaying = match door.filter(|door| door.home == environment.index) {
            Some(door) => Some(Box::new(Relaying::open(door, environment.source.seed()?)?)),
            None => None,
        };
        Ok(Self {
            crossings,
            relaying,
            traces: Vec::new(),
            doors,
            io,
            mailbox,
            switch: Switch::new(&config),
            ids: IdSource::from_seed(environment.source.seed()?),
            environment,
            sessions: Sessions::default(),
            connections: Connections::default(),
            unnamed: Unnamed::default(),
            decoders: Decoders::default(),
            rooms: HashMap::new(),
            bridges: HashMap::new(),
            timers: Timers::default(),
            spares: Rc::default(),
            done: Vec::new(),
            dirty: Vec::new(),
            unread: Vec::new(),
            bounded: Vec::new(),
            arrivals: Arrivals::new(),
            awaited: Awaited::default(),
            turn: Turn::default(),
            written: Timestamp::default(),
            latency: Run::default(),
            is_stopping: false,
            turned_at,
            #[cfg(feature = "planted-defects")]
            spoiling: Default::default(),
        })
    }

    /// Runs until it is told to stop or its backend breaks.
    pub(crate) fn run(mut self) -> Ended {
        let mut events = Vec::new();
        while !self.is_stopping {
            if let Err(error) = self.step(&mut events) {
                tracing::error!(shard = self.environment.index, %error, "the backend broke");
                return Ended::BackendBroke;
            }
        }
        Ended::Stopped
    }

    /// Waits for something to do, and does it. `events` is empty before and after.
    pub(crate) fn step(&mut self, events: &mut Vec<ring_io::Event>) -> std::io::Result<()> {
        let sleep = self.sleep(self.turned_at);
        self.io.wait(Some(sleep), events)?;
        let began = self.take_turn(events);
        let ended = self.now();
        let counters = &self.environment.counters;
        counters.business.end_turn(began.as_ns(), ended.as_ns());
        counters.turns.add(ended.since(began), 1);
        counters.alive_ns.store(ended.as_ns(), Ordering::Relaxed);
        self.turned_at = ended;
        Ok(())
    }

    /// Handles one batch of events and everything that follows from it. Returns when it began.
    fn take_turn(&mut self, events: &mut Vec<ring_io::Event>) -> Timestamp {
        let now = self.now();
        self.turn.begin();
        let hub = &self.environment.hub;
        self.switch.tell_messages(hub.wants_messages());
        self.switch.tell_content(hub.wants_content());
        self.notice_failures(now);
        self.read_unread(now);
        for event in events.drain(..) {
            self.handle_event(now, event);
        }
        while let Ok(message) = self.mailbox.try_recv() {
            self.handle_message(now, message);
        }
        self.read_bounded(now);
        self.handle_timers(now);
        self.handle_arrivals(now);
        self.switch.handle_timeout(now);
        self.switch.end_turn(now);
        self.end_relay_turn(now);
        self.carry_out(now);
        self.tell_messages(None);
        self.flush(now);
        self.answer_served();
        self.retire_stand_ins();
        self.post_crossings();
        self.latency.end(&self.environment.counters.latency);
        self.publish_counters();
        now
    }

    fn handle_event(&mut self, now: Timestamp, event: ring_io::Event) {
        match event {
            ring_io::Event::Accepted {
                listener,
                stream,
                peer,
            } => self.came(now, listener, (stream, peer)),
            ring_io::Event::AcceptFailed { error, .. } => {
                tracing::warn!(%error, "a connection could not be accepted");
            }
            ring_io::Event::Connected { conn } => self.connected(now, conn),
            ring_io::Event::Received { conn, data } => self.received(now, conn, data),
            ring_io::Event::PeerClosed { conn } if self.is_unnamed(conn) => {
                self.put_off(now, Arrival::Ended(conn));
            }
            ring_io::Event::PeerClosed { conn } => self.peer_closed(now, conn),
            ring_io::Event::Failed { conn, .. } if self.is_unnamed(conn) => {
                self.put_off(now, Arrival::Broke(conn));
            }
            ring_io::Event::Failed { conn, .. } => self.failed(now, conn),
            ring_io::Event::Writable { conn } => self.writable(now, conn),
            ring_io::Event::Woken => {}
        }
    }

    fn now(&self) -> Timestamp {
        self.environment.source.now()
    }

    fn sleep(&self, now: Timestamp) -> Duration {
        if self.has_put_off() {
            return Duration::ZERO;
        }
        let ns = self.deadline().map_or(SLEEP_NS_MAX, |deadline| {
            deadline.since(now).min(SLEEP_NS_MAX)
        });
        let is_held_up = self.crossings.is_held_up();
        Duration::from_nanos(if is_held_up { ns.min(RETRY_NS) } else { ns })
    }

    /// Whether something of this turn waits for the next.
    fn has_put_off(&self) -> bool {
        !(self.unread.is_empty() && self.bounded.is_empty() && self.arrivals.is_empty())
    }

    /// When it has something to do next, unless something happens before.
    fn deadline(&self) -> Option<Timestamp> {
        let relaying = self.relaying.as_ref();
        let deadlines = [
            self.timers.deadline(),
            self.switch.poll_timeout(),
            relaying.and_then(|relaying| relaying.deadline()),
        ];
        deadlines.into_iter().flatten().min()
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
        let in_bridges = self.bridges.len().saturating_mul(2);
        let participants = self.sessions.count().saturating_sub(in_bridges);
        counters.set(Cell::Participants, participants as u64);
        counters.set(Cell::Bridges, self.bridges.len() as u64);
        let transports = self.connections.by_transport();
        for (cell, count) in TRANSPORT_CELLS.into_iter().zip(transports) {
            counters.set(cell, count as u64);
        }
        let (sessions, bound) = (self.sessions.count(), self.sessions.bound_count());
        counters.set(Cell::SessionsWaiting, (sessions - bound) as u64);
        counters.set(Cell::SessionsAtConnection, bound as u64);
        let pool = self.io.pool();
        counters.set(Cell::ReceiveSlots, pool.slots as u64);
        counters.set(Cell::ReceiveSlotsInUse, pool.slots_in_use as u64);
        counters.set_total(Cell::ReceivePauses, pool.pauses);
        counters.set(Cell::Timers, self.timers.len() as u64);
        self.publish_relay();
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
