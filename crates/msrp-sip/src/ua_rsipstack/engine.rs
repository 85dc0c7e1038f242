//! The engine's one task: takes turns between the network, the focus and the clock.

mod bounds;
mod uac;
mod uas;

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ipnet::IpNet;
use rsipstack::transaction::TransactionTimer;
use rsipstack::transaction::key::TransactionKey;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use self::uac::{Client, Outgoing};
use self::uas::Server;
use super::dialog::Dialogs;
use super::limits::BACKLOG_MAX;
use super::net::{Arrival, ConnectionId, Ingress};
use super::paths::{Found, Paths};
use super::refusals::Refusals;
use super::screen::{Incoming, Screen, Start};
use super::sources::Sources;
use super::stack::{Output, Stack, Times};
use super::unfinished::Unfinished;
use super::value::Target;
use crate::ua::{Answer, Body, DialogId, Headers, Method, OutRequest, Request, TxnId, UaEvent};
use crate::ua_rsipstack::UaStats;

/// What the focus asks for.
#[derive(Debug)]
pub(super) enum Command {
    /// `SipUa::answer`.
    Answer(TxnId, Answer),
    /// `SipUa::accept_subscription`.
    Subscription(TxnId, DialogId, Answer),
    /// `SipUa::forget`.
    Forget(DialogId),
    /// `SipUa::invite`.
    Invite(DialogId, OutRequest),
    /// `SipUa::cancel`.
    Cancel(DialogId),
    /// `SipUa::request`.
    Request(TxnId, DialogId, Method, Headers, Option<Body>),
    /// `SipUa::send`.
    Send(TxnId, OutRequest),
    /// `SipUa::bye`.
    Bye(TxnId, DialogId, Headers),
    /// `UaHandle::refuse_new`.
    RefuseNew(bool),
    /// `UaHandle::stats`.
    Stats(oneshot::Sender<UaStats>),
}

/// Where the engine's inputs come from.
pub(super) struct Inputs {
    /// The focus.
    pub(super) commands: mpsc::UnboundedReceiver<Command>,
    /// The network.
    pub(super) ingress: mpsc::Receiver<Ingress>,
    /// Searches for ways.
    pub(super) found: mpsc::UnboundedReceiver<Found>,
}

/// What the engine is told at its start.
pub(super) struct Settings {
    /// The value of User-Agent and Server.
    pub(super) user_agent: String,
    /// The host in Call-ID.
    pub(super) domain: String,
    /// Where requests of ours go: the next hop and the Route value.
    pub(super) proxy: Option<(Target, String)>,
    /// The times.
    pub(super) times: Times,
    /// Dialogs at most.
    pub(super) dialogs_max: usize,
    /// Transactions at most.
    pub(super) transactions_max: usize,
    /// INVITEs without ACK, and BYEs and NOTIFYs without answer, at most.
    pub(super) unfinished_max: usize,
    /// Requests outside of dialogs that one source may send in a second; 0 is no bound.
    pub(super) source_requests_per_s: u32,
    /// INVITEs of one source without ACK at most; 0 is no bound.
    pub(super) source_unfinished_max: usize,
    /// Those to whom the bounds of one source do not apply.
    pub(super) trusted_peers: Vec<IpNet>,
}

/// The state of the engine.
pub(super) struct Engine {
    settings: Settings,
    screen: Screen,
    stack: Stack,
    paths: Paths<Outgoing>,
    dialogs: Dialogs,
    servers: HashMap<TxnId, Server>,
    server_of: HashMap<TransactionKey, TxnId>,
    /// The requests outside of a dialog that have no final response, by what copies of them on
    /// other ways have in common (RFC 3261 s.8.2.2.2).
    merging: HashMap<(String, String, u32), TransactionKey>,
    clients: HashMap<TransactionKey, Client>,
    invite_of: HashMap<DialogId, TransactionKey>,
    /// What is lost when a connection goes.
    on_connection: HashMap<ConnectionId, HashSet<TransactionKey>>,
    deadlines: BTreeMap<DeadlineKey, Deadline>,
    deadlines_count: u64,
    events: mpsc::Sender<UaEvent>,
    backlog: VecDeque<UaEvent>,
    last_id: Arc<AtomicU64>,
    /// Whether the process can carry nothing new.
    refuses_new: bool,
    unfinished: Unfinished,
    sources: Sources,
    refusals: Arc<Refusals>,
}

/// What happens next.
enum Turn {
    Command(Command),
    Ingress(Ingress),
    Found(Found),
    Timers(Vec<TransactionTimer>),
    Deadline,
    /// The focus has room for an event that waits.
    Room,
    End,
}

/// Names a deadline: its time, and a number of its own.
type DeadlineKey = (Instant, u64);

/// What happens when time has passed.
#[derive(Debug, Clone)]
enum Deadline {
    /// The focus has not answered.
    Unanswered(TxnId),
    /// The peer has not answered our INVITE.
    Unfinished(TransactionKey),
    /// The peer has not answered an INVITE that we cancelled.
    Uncancelled(TransactionKey),
    /// An INVITE of ours is over for good.
    Forget(TransactionKey),
}

impl Engine {
    /// An engine without dialogs.
    pub(super) fn new(
        settings: Settings,
        stack: Stack,
        paths: Paths<Outgoing>,
        events: mpsc::Sender<UaEvent>,
        last_id: Arc<AtomicU64>,
        refusals: Arc<Refusals>,
    ) -> Self {
        Self {
            unfinished: Unfinished::default(),
            sources: Sources::new(settings.source_requests_per_s, Instant::now()),
            refusals,
            screen: Screen::new(&settings.user_agent),
            settings,
            stack,
            paths,
            dialogs: Dialogs::default(),
            servers: HashMap::new(),
            server_of: HashMap::new(),
            merging: HashMap::new(),
            clients: HashMap::new(),
            invite_of: HashMap::new(),
            on_connection: HashMap::new(),
            deadlines: BTreeMap::new(),
            deadlines_count: 0,
            events,
            backlog: VecDeque::new(),
            last_id,
            refuses_new: false,
        }
    }

    /// Works until the focus is gone.
    pub(super) async fn run(mut self, mut inputs: Inputs) {
        loop {
            match self.next_turn(&mut inputs).await {
                Turn::End => return,
                Turn::Command(command) => self.on_command(command),
                Turn::Ingress(ingress) => self.on_ingress(ingress),
                Turn::Found(found) => self.on_found(found),
                Turn::Timers(timers) => self.on_timers(timers),
                Turn::Deadline => self.on_deadlines(),
                Turn::Room => self.tell_backlog(),
            }
        }
    }

    async fn next_turn(&self, inputs: &mut Inputs) -> Turn {
        let next = self.deadlines.keys().next().map(|(at, _)| *at);
        let room = self.backlog.len() < BACKLOG_MAX;
        tokio::select! {
            command = inputs.commands.recv() => command.map_or(Turn::End, Turn::Command),
            Some(ingress) = inputs.ingress.recv(), if room => Turn::Ingress(ingress),
            Some(found) = inputs.found.recv() => Turn::Found(found),
            timers = self.stack.timers() => Turn::Timers(timers),
            () = sleep_until(next) => Turn::Deadline,
            _ = self.events.reserve(), if !self.backlog.is_empty() => Turn::Room,
        }
    }

    fn on_timers(&mut self, timers: Vec<TransactionTimer>) {
        for timer in timers {
            let mut out = Vec::new();
            self.stack.fire(timer, &mut out);
            self.on_outputs(out);
        }
    }

    fn tell_backlog(&mut self) {
        while let Some(event) = self.backlog.pop_front() {
            match self.events.try_send(event) {
                Ok(()) => {}
                Err(mpsc::error::TrySendError::Full(event)) => {
                    return self.backlog.push_front(event);
                }
                // Nobody listens any more.
                Err(mpsc::error::TrySendError::Closed(_)) => self.backlog.clear(),
            }
        }
    }

    fn on_command(&mut self, command: Command) {
        match command {
            Command::Answer(transaction, answer) => self.answer(transaction, &answer),
            Command::Subscription(transaction, dialog, answer) => {
                self.accept_subscription(transaction, dialog, &answer);
            }
            // What came inside and is unanswered is still the focus's to answer.
            Command::Forget(dialog) => {
                self.dialogs.remove(dialog);
            }
            Command::Invite(dialog, request) => self.invite(dialog, request),
            Command::Cancel(dialog) => self.cancel(dialog),
            Command::Request(transaction, dialog, method, headers, body) => {
                self.request(transaction, dialog, method, headers, body);
            }
            Command::Send(transaction, request) => self.send(transaction, request),
            Command::Bye(transaction, dialog, headers) => self.bye(transaction, dialog, headers),
            Command::RefuseNew(refuses) => {
                self.refuses_new = refuses;
                if refuses {
                    self.give_up_old();
                }
            }
            Command::Stats(answer) => {
                answer.send(self.stats()).ok();
            }
        }
    }

    fn stats(&self) -> UaStats {
        UaStats {
            dialogs: self.dialogs.len(),
            unfinished: self.unfinished.len(),
            transactions_open: self
                .stack
                .open_count()
                .max(self.servers.len() + self.clients.len()),
            transactions_finished: self.stack.len() - self.stack.open_count(),
            connections: self.paths.connections_count(),
            events_waiting: self.backlog.len(),
        }
    }

    fn on_ingress(&mut self, ingress: Ingress) {
        match ingress {
            Ingress::Opened(connection) => self.paths.opened(connection),
            Ingress::Message(incoming, arrival) => match &incoming.start {
                Start::Request { .. } => self.on_request(&incoming, &arrival),
                Start::Response { .. } => self.on_response(&incoming, &arrival),
            },
            Ingress::Closed(id) => {
                self.paths.closed(id);
                for key in self.on_connection.remove(&id).unwrap_or_default() {
                    self.on_server_lost(&key);
                    self.on_client_lost(&key);
                }
            }
        }
    }

    fn on_outputs(&mut self, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Cancelled(key) => self.on_cancelled(&key),
                Output::Answered(key, status) => self.on_answered(&key, status),
                Output::Ended(key) => {
                    self.unfinished.end(&key);
                    self.on_server_ended(&key);
                    self.on_client_ended(&key);
                }
            }
        }
    }

    fn on_deadlines(&mut self) {
        let now = Instant::now();
        while let Some(entry) = self.deadlines.first_entry() {
            if entry.key().0 > now {
                return;
            }
            match entry.remove() {
                Deadline::Unanswered(transaction) => self.on_unanswered(transaction),
                Deadline::Unfinished(key) => self.on_unfinished(&key),
                Deadline::Uncancelled(key) => self.on_uncancelled(&key),
                Deadline::Forget(key) => self.forget_client(&key),
            }
        }
    }

    /// Gives the name under which the deadline can be cancelled.
    fn set_deadline(&mut self, wait: std::time::Duration, deadline: Deadline) -> DeadlineKey {
        self.deadlines_count += 1;
        let at = (Instant::now() + wait, self.deadlines_count);
        self.deadlines.insert(at, deadline);
        at
    }

    fn cancel_deadline(&mut self, key: Option<DeadlineKey>) {
        if let Some(key) = key {
            self.deadlines.remove(&key);
        }
    }

    /// Tells the focus; what it has no room for waits.
    fn emit(&mut self, event: UaEvent) {
        if !self.backlog.is_empty() {
            self.backlog.push_back(event);
        } else if let Err(mpsc::error::TrySendError::Full(event)) = self.events.try_send(event) {
            self.backlog.push_back(event);
        }
    }

    /// Whether the focus has no room for another event.
    fn is_busy(&self) -> bool {
        !self.backlog.is_empty() || self.events.capacity() == 0 || self.events.is_closed()
    }

    fn next_transaction(&self) -> TxnId {
        TxnId(self.last_id.fetch_add(1, Ordering::Relaxed))
    }

    fn next_dialog(&self) -> DialogId {
        DialogId(self.last_id.fetch_add(1, Ordering::Relaxed))
    }

    fn watch(&mut self, id: Option<ConnectionId>, key: &TransactionKey) {
        if let Some(id) = id {
            self.on_connection
                .entry(id)
                .or_default()
                .insert(key.clone());
        }
    }

    fn unwatch(&mut self, id: Option<ConnectionId>, key: &TransactionKey) {
        let Some(id) = id else { return };
        if let Some(keys) = self.on_connection.get_mut(&id) {
            keys.remove(key);
            if keys.is_empty() {
                self.on_connection.remove(&id);
            }
        }
    }
}

/// The request in the words of the contract.
fn request_of(incoming: &Incoming, method: &Method, uri: &str) -> Request {
    Request {
        method: method.clone(),
        uri: uri.to_owned(),
        headers: incoming.headers.clone(),
        body: incoming.body.clone(),
    }
}

fn connection_of(arrival: &Arrival) -> Option<ConnectionId> {
    match arrival {
        Arrival::Udp(..) => None,
        Arrival::Stream(connection) => Some(connection.id),
    }
}

/// The address that a response to a datagram goes to.
fn reply_to(incoming: &Incoming) -> SocketAddr {
    incoming.ids.reply_to
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
