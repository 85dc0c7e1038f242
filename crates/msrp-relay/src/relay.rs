//! The relay: who may send what through it, and what became of it.
//!
//! # Contract
//!
//! One input, then [`Relay::poll_output`] until `None`. A connection is announced by [`Relay::handle_opened`] before its
//! first request. For each request: [`Relay::handle_request`], [`Relay::handle_body`] for each run of its octets in order,
//! [`Relay::handle_end`]. When all input of a turn has been handled, [`Relay::end_turn`]. [`Relay::handle_written`] tells
//! that the last octet of a request with a transaction id has left; its 30 s run from then on. At the time of
//! [`Relay::poll_timeout`] comes [`Relay::handle_timeout`]. A connection that ended is told by [`Relay::handle_closed`],
//! also one that [`Output::Close`] asked for.
//!
//! # The way of a SEND
//!
//! ```text
//!   header section -> refused: answered at once, the rest is dropped
//!        |
//!      taken: body octets -> pieces of 2 to 64 KiB -> next hop -> 200, error, 30 s, or lost
//!        |                                                            |
//!      end line: 200 to the previous hop         every piece has ended: delivered, sent, refused, failed;
//!                                                of a failure the sender gets one REPORT on the octets of its SEND
//! ```
//!
//! A failure that is known while the SEND still comes in is its response, and no REPORT follows.
//!
//! # Spec
//! RFC 4976 s.6.

mod auth;
mod forward;
mod idle;
mod outgoing;
mod request;
mod response;
mod route;
mod settle;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use bytes::Bytes;
use msrp_session::{Arena, IdSource, Key, Piece, Timestamp};
use msrp_wire::{
    Host, Ident, MsrpUri, MsrpUriBuf, Rejected, RequestHead, StatusCode, TransactionId, encode,
};

use crate::address::AddressPolicy;
use crate::authenticator::Authenticator;
use crate::connection::{Connection, ConnectionFacts, ConnectionId, Inbound};
use crate::handle::Handles;
use crate::ledger::Sums;
use crate::limits::{
    EXPIRES_DEFAULT_S, EXPIRES_MAX_S, EXPIRES_MIN_S, PROBATION_FAILURES_MAX, PROBATION_NS,
};
use crate::outgoing::{Hop, Pending, Transit};
use crate::users::Users;

/// How a relay behaves.
#[derive(Debug, Clone)]
pub struct RelayConfig {
    /// The URI that the URIs of Use-Path are made from: a full name and a port, no session-id.
    pub advertised: MsrpUriBuf,
    /// Other URIs under which clients and relays know this relay, mostly the same without port.
    pub aliases: Vec<MsrpUriBuf>,
    /// The realm of challenges.
    pub realm: Box<str>,
    /// What the session-id of every URI begins with: characters of an ident, at most 10. It tells the caller where the
    /// relay is that gave the URI.
    pub handle_prefix: Box<str>,
    /// Where the relay connects to.
    pub addresses: AddressPolicy,
    /// Lifetimes of URIs, in seconds: shortest, longest, and the one that is given when none is asked for.
    pub expires_s: (u32, u32, u32),
    /// AUTH is taken on connections without TLS too: for tests on one machine.
    pub allow_plain_auth: bool,
    /// Requests with unknown methods are answered with 501 instead of being forwarded.
    pub block_unknown_methods: bool,
}

/// Why a configuration makes no relay; the operator's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotARelay {
    /// RFC 4976 s.4.2 wants a fully qualified name and an explicit port in every URI of Use-Path.
    AdvertisedUri,
    /// Shortest, default and longest lifetime are not in this order, or the shortest is zero.
    Expires,
    /// No session-id can begin with the prefix.
    Prefix,
}

/// What the caller is to do.
#[derive(Debug)]
pub enum Output {
    /// Write one SEND: the start line of the piece, these path lines, then the rest of the piece.
    Piece {
        /// Where.
        connection: ConnectionId,
        /// The piece.
        piece: Rc<Piece>,
        /// To-Path and From-Path lines, shared by all pieces of the SEND.
        paths: Rc<[u8]>,
        /// On which connection its octets came: the one that waits when this one is slow. It may have ended.
        previous: ConnectionId,
    },
    /// Write these octets: a whole request or response.
    Frame {
        /// Where.
        connection: ConnectionId,
        /// The octets.
        octets: Bytes,
        /// For a request whose answer is awaited: say when it is written.
        written: Option<TransactionId>,
    },
    /// Connect to this next hop, over TLS when its scheme is `msrps`, and ask [`AddressPolicy::check`] about each address
    /// that its name resolves to. Then [`Relay::handle_connected`] or [`Relay::handle_unreachable`].
    Connect {
        /// Names the next hop.
        hop: HopKey,
        /// Where to.
        uri: MsrpUriBuf,
    },
    /// Close this connection once what was to be written is written.
    Close {
        /// Which.
        connection: ConnectionId,
        /// Why.
        reason: CloseReason,
    },
}

/// Names a next hop that the relay wants to be connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HopKey(pub(crate) Key);

/// Why the relay closes a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseReason {
    /// A request was not addressed to this relay (RFC 4976 s.6.2).
    NotAddressedHere,
    /// No request was accepted in time (RFC 4976 s.6.1).
    Probation,
    /// Too many requests were refused and none accepted (RFC 4976 s.6.1).
    OnlyRefused,
    /// Too many wrong credentials (RFC 4976 s.6.3).
    AuthFailures,
    /// A next hop was connected when nobody waited for it any more.
    TooLate,
    /// It was not used for long, and no session needs it (RFC 4976 s.6.5).
    Idle,
}

/// A relay. See the module's text.
#[derive(Debug)]
pub struct Relay<U> {
    config: RelayConfig,
    authenticator: Authenticator<U>,
    connections: BTreeMap<ConnectionId, Connection>,
    /// Connections to relays, by the name in the certificate.
    relays: BTreeSet<(Box<str>, ConnectionId)>,
    /// All connections, those that were not used for the longest time first. See `relay/idle.rs`.
    unused: BTreeSet<(Timestamp, ConnectionId)>,
    handles: Handles,
    hops: Arena<Hop>,
    hops_by_device: BTreeMap<Box<str>, Key>,
    transits: Arena<Transit>,
    pending: BTreeMap<(ConnectionId, TransactionId), Pending>,
    timers: BTreeSet<(Timestamp, Timer)>,
    /// Changes with everything that the way of a request depends on.
    version: u64,
    /// Connections with octets that arrived in this turn.
    dirty: BTreeSet<ConnectionId>,
    outputs: VecDeque<Output>,
    ids: IdSource,
    sums: Sums,
}

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    Answer(ConnectionId, TransactionId),
    Handle(Ident),
    Probation(ConnectionId),
    Hop(Key),
    Held(ConnectionId),
}

impl RelayConfig {
    /// A relay under this URI, with everything else as it is by default.
    #[must_use]
    pub fn new(advertised: MsrpUriBuf, realm: &str) -> Self {
        Self {
            advertised,
            aliases: Vec::new(),
            realm: realm.into(),
            handle_prefix: "".into(),
            addresses: AddressPolicy::default(),
            expires_s: (EXPIRES_MIN_S, EXPIRES_MAX_S, EXPIRES_DEFAULT_S),
            allow_plain_auth: false,
            block_unknown_methods: false,
        }
    }

    fn check(&self) -> Result<(), NotARelay> {
        let uri = self.advertised.as_uri();
        let has_name =
            matches!(uri.host(), Host::Name(name) if name.contains('.') || name == "localhost");
        if !has_name || uri.port().is_none() || uri.session_id().is_some() {
            return Err(NotARelay::AdvertisedUri);
        }
        let (min, max, default) = self.expires_s;
        let is_ordered = min > 0 && min <= default && default <= max;
        is_ordered.then_some(()).ok_or(NotARelay::Expires)?;
        let longest = format!("{}{}", self.handle_prefix, Ident::from_random(u128::MAX));
        match Ident::parse(longest.as_bytes()) {
            Ok(_) => Ok(()),
            Err(_) => Err(NotARelay::Prefix),
        }
    }

    /// Whether a URI has the host and port of this relay, whatever its session-id is.
    #[must_use]
    pub fn is_own(&self, uri: &MsrpUri<'_>) -> bool {
        let same = |own: &MsrpUriBuf| crate::handle::same_device(&own.as_uri(), uri);
        same(&self.advertised) || self.aliases.iter().any(same)
    }
}

impl<U: Users> Relay<U> {
    /// A relay without connections. The seed: 32 octets that nobody else knows.
    ///
    /// # Errors
    /// [`NotARelay`]; the operator's fault.
    pub fn new(config: RelayConfig, users: U, seed: [u8; 32]) -> Result<Self, NotARelay> {
        config.check()?;
        let mut seeds = IdSource::from_seed(seed);
        let mut next_seed = || {
            let mut seed = [0; 32];
            for half in seed.chunks_mut(16) {
                half.copy_from_slice(&seeds.bits().to_be_bytes());
            }
            seed
        };
        Ok(Self {
            authenticator: Authenticator::new(users, &config.realm, next_seed()),
            ids: IdSource::from_seed(next_seed()),
            config,
            connections: BTreeMap::new(),
            relays: BTreeSet::new(),
            unused: BTreeSet::new(),
            handles: Handles::default(),
            hops: Arena::new(),
            hops_by_device: BTreeMap::new(),
            transits: Arena::new(),
            pending: BTreeMap::new(),
            timers: BTreeSet::new(),
            version: 0,
            dirty: BTreeSet::new(),
            outputs: VecDeque::new(),
            sums: Sums::default(),
        })
    }

    /// A connection that somebody else opened.
    pub fn handle_opened(&mut self, now: Timestamp, id: ConnectionId, facts: ConnectionFacts) {
        self.note_relay(id, &facts);
        self.insert_connection(id, Connection::new(now, facts));
        self.timers
            .insert((now.after(PROBATION_NS), Timer::Probation(id)));
    }

    /// A request whose header section is not legal; its body was dropped.
    pub fn handle_rejected(&mut self, id: ConnectionId, rejected: &Rejected<'_>) {
        let is_due = match rejected.method {
            msrp_wire::Method::Report => false,
            _ => rejected.failure_report != Some(msrp_wire::FailureReport::No),
        };
        if let (true, Some(to), Some(from)) = (is_due, rejected.from_path, rejected.to_path) {
            let mut octets = Vec::new();
            let status = StatusCode::BAD_REQUEST;
            let phrase = Some(status.phrase());
            let from = from.first();
            encode::response(
                &mut octets,
                rejected.transaction_id,
                status,
                phrase,
                to,
                from,
            );
            self.write(id, octets);
        }
        self.note_refused(id);
        self.check_invariants_in_debug();
    }

    /// What is to be done next.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Relay::handle_timeout`] has to be called next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let timer = self.timers.first().map(|(deadline, _)| *deadline);
        [timer, self.idle_deadline()].into_iter().flatten().min()
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        while let Some((deadline, timer)) = self.timers.first().copied() {
            if deadline > now {
                break;
            }
            self.timers.pop_first();
            match timer {
                Timer::Answer(connection, id) => self.answer_is_late(connection, id),
                Timer::Handle(session) => self.drop_handle(session),
                Timer::Probation(connection) => self.probation_is_over(connection),
                Timer::Hop(hop) => self.hop_failed(HopKey(hop)),
                Timer::Held(connection) => self.hold_is_over(connection, deadline),
            }
        }
        self.close_idle(now);
        self.check_invariants_in_debug();
    }

    /// What has become of everything so far.
    #[must_use]
    pub fn sums(&self) -> &Sums {
        &self.sums
    }

    /// Whether a request to this URI is for this relay: it names a URI that the relay gave and that is valid.
    #[must_use]
    pub fn knows(&self, now: Timestamp, uri: &MsrpUri<'_>) -> bool {
        self.config.is_own(uri) && self.handles.find(now, uri).is_some()
    }

    /// Whether a connection is the relay's.
    #[must_use]
    pub fn has_connection(&self, id: ConnectionId) -> bool {
        self.connections.contains_key(&id)
    }

    /// How many sessions a connection carries: URIs that lead to it, and URIs whose peer it is.
    #[must_use]
    pub fn sessions_count(&self, id: ConnectionId) -> usize {
        self.connections
            .get(&id)
            .map_or(0, |c| c.owned.len().saturating_add(c.bound.len()))
    }

    /// How many URIs are valid.
    #[must_use]
    pub fn handles_count(&self) -> usize {
        self.handles.len()
    }

    /// How many SENDs are under way.
    #[must_use]
    pub fn sends_open_count(&self) -> usize {
        self.transits.len()
    }

    /// Compares the sums with what is under way.
    ///
    /// # Panics
    /// When a SEND or a piece was lost or ended twice, a sender was not told, or a table names what is not there.
    pub fn check_invariants(&self) {
        let open = self.transits.len() as u64;
        assert_eq!(
            self.sums.sends_taken,
            self.sums.sends_ended().saturating_add(open),
            "SENDs"
        );
        let pieces: u64 = self.transits.iter().map(|(_, t)| u64::from(t.pieces)).sum();
        assert_eq!(
            self.sums.pieces_made,
            self.sums.pieces_ended().saturating_add(pieces),
            "pieces"
        );
        let failed = self.sums.refused.saturating_add(self.sums.failed);
        assert_eq!(failed, self.sums.failures_told(), "who was told");
        for (session, handle) in self.handles.iter() {
            for (_, peer) in &handle.peers {
                let is_known = self
                    .connections
                    .get(peer)
                    .is_some_and(|c| c.bound.contains(session));
                assert!(is_known, "the peer of a URI has a connection");
            }
            if let crate::handle::Owner::Client(owner) = &handle.owner {
                let is_known = self
                    .connections
                    .get(owner)
                    .is_some_and(|c| c.owned.contains(session));
                assert!(is_known, "the owner of a URI has a connection");
            }
        }
        for (connection, id) in self.pending.keys() {
            let is_known = self
                .connections
                .get(connection)
                .is_some_and(|c| c.awaited.contains(id));
            assert!(is_known, "an answer can come");
        }
        for (id, connection) in &self.connections {
            if let Inbound::Send(send) = &connection.inbound {
                let is_open = self
                    .transits
                    .get(send.transit)
                    .is_some_and(|t| t.is_open && t.previous == *id);
                assert!(is_open, "a SEND that comes in is under way");
            }
        }
    }

    fn check_invariants_in_debug(&self) {
        // Each check walks the tables: with large ones it would be felt in every call.
        if cfg!(debug_assertions) && self.pending.len() <= CHECKED_PENDING_MAX {
            self.check_invariants();
        }
    }

    /// Writes octets whose answer nobody awaits.
    fn write(&mut self, connection: ConnectionId, octets: Vec<u8>) {
        if self.connections.contains_key(&connection) {
            self.outputs.push_back(Output::Frame {
                connection,
                octets: octets.into(),
                written: None,
            });
        }
    }

    /// Answers a request with the whole From-Path as the way, or its first URI for a SEND.
    fn respond(
        &mut self,
        connection: ConnectionId,
        head: &RequestHead<'_>,
        status: StatusCode,
        fields: &[(&'static str, &str)],
    ) {
        let mut octets = Vec::new();
        encode::status_line(
            &mut octets,
            head.transaction_id,
            status,
            Some(status.phrase()),
        );
        let from = head.to_path.first();
        match head.method {
            msrp_wire::Method::Send => encode::paths(&mut octets, head.from_path.first(), from),
            _ => encode::paths(&mut octets, head.from_path, from),
        }
        for (name, value) in fields {
            encode::text_field(&mut octets, name, value);
        }
        encode::end_line(
            &mut octets,
            head.transaction_id,
            msrp_wire::ContinuationFlag::Last,
        );
        self.write(connection, octets);
    }

    fn close(&mut self, id: ConnectionId, reason: CloseReason) {
        if let Some(connection) = self.connections.get_mut(&id)
            && !connection.is_closing
        {
            connection.is_closing = true;
            self.version = self.version.wrapping_add(1);
            self.outputs.push_back(Output::Close {
                connection: id,
                reason,
            });
        }
    }

    fn note_relay(&mut self, id: ConnectionId, facts: &ConnectionFacts) {
        self.version = self.version.wrapping_add(1);
        if let Some(name) = &facts.relay {
            self.relays.insert((name.to_ascii_lowercase().into(), id));
        }
    }

    fn note_accepted(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.is_proven = true;
        }
    }

    fn note_refused(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        connection.refused = connection.refused.saturating_add(1);
        if !connection.is_proven && connection.refused >= PROBATION_FAILURES_MAX {
            self.close(id, CloseReason::OnlyRefused);
        }
    }

    fn probation_is_over(&mut self, id: ConnectionId) {
        if self.connections.get(&id).is_some_and(|c| !c.is_proven) {
            self.close(id, CloseReason::Probation);
        }
    }
}

/// Up to so many unanswered requests the invariants are checked after every call of a debug build.
const CHECKED_PENDING_MAX: usize = 256;
