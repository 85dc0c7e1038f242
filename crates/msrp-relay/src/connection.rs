//! What the relay knows of a connection.

use std::collections::{BTreeSet, VecDeque};
use std::net::IpAddr;
use std::rc::Rc;

use msrp_session::{Key, PieceBody, PieceFields, Timestamp};
use msrp_wire::{Ident, Method, TransactionId};

use crate::known_route::{KnownRoute, KnownRoutes};

/// The caller's name for a connection. Never used again for another one while the relay lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// What the caller has found out about a connection before the first request.
#[derive(Debug, Clone)]
pub struct ConnectionFacts {
    /// Whether it is encrypted. AUTH needs it.
    pub is_tls: bool,
    /// From where it comes.
    pub source: IpAddr,
    /// The name in the verified certificate of the other side, when that side is a relay; RFC 4976 s.6.3 asks for mutual TLS.
    pub relay: Option<Box<str>>,
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) facts: ConnectionFacts,
    pub(crate) inbound: Inbound,
    pub(crate) known: KnownRoutes,
    /// Whether a request of it was accepted: its probation is over.
    pub(crate) is_proven: bool,
    pub(crate) refused: u32,
    pub(crate) auth_failures: u32,
    /// URIs that lead to it, and URIs whose peer it is.
    pub(crate) owned: BTreeSet<Ident>,
    pub(crate) bound: BTreeSet<Ident>,
    /// Requests that wait for an answer, or to be written.
    pub(crate) awaited: BTreeSet<TransactionId>,
    /// Those among them of which only an error would be told, oldest first.
    pub(crate) unasked: VecDeque<TransactionId>,
    /// When a request came on it or left on it, and under which time the relay has it among the unused ones.
    pub(crate) used: Timestamp,
    pub(crate) filed: Timestamp,
    /// How many next hops are being connected because of it.
    pub(crate) connecting: usize,
    /// The next hop that we connected it for.
    pub(crate) hop: Option<Key>,
    pub(crate) is_closing: bool,
}

/// The request that is coming in.
#[derive(Debug)]
pub(crate) enum Inbound {
    /// None, or one whose rest nobody wants.
    Nothing,
    /// One that is being forwarded as it comes.
    Send(Box<OpenSend>),
    /// One that is forwarded whole.
    Whole(Box<OpenRequest>),
}

/// A SEND that is being forwarded as it comes.
#[derive(Debug)]
pub(crate) struct OpenSend {
    pub(crate) transit: Key,
    pub(crate) id: TransactionId,
    pub(crate) route: Rc<KnownRoute>,
    /// Header fields of its pieces.
    pub(crate) head: SendHead,
    /// Octets that are in no piece yet, and the number of the first of them.
    pub(crate) held: PieceBody,
    pub(crate) held_octets: usize,
    /// Until when few octets wait for more.
    pub(crate) held_until: Option<Timestamp>,
    pub(crate) position: u64,
    pub(crate) has_pieces: bool,
}

/// The header fields of a SEND that travel on.
#[derive(Debug)]
pub(crate) enum SendHead {
    /// With a body: range and flag are those of the piece.
    Chunk(PieceFields),
    /// Without: the header lines as they leave.
    Bodiless(Vec<u8>),
}

/// A request that is forwarded when it is complete.
#[derive(Debug)]
pub(crate) struct OpenRequest {
    pub(crate) id: TransactionId,
    pub(crate) method: Method,
    pub(crate) route: Rc<KnownRoute>,
    /// The other header lines.
    pub(crate) lines: Vec<u8>,
    pub(crate) body: Option<Vec<u8>>,
    pub(crate) has_credentials: bool,
}

impl Connection {
    pub(crate) fn new(now: Timestamp, facts: ConnectionFacts) -> Self {
        Self {
            facts,
            inbound: Inbound::Nothing,
            known: KnownRoutes::default(),
            is_proven: false,
            refused: 0,
            auth_failures: 0,
            owned: BTreeSet::new(),
            bound: BTreeSet::new(),
            awaited: BTreeSet::new(),
            unasked: VecDeque::new(),
            used: now,
            filed: now,
            connecting: 0,
            hop: None,
            is_closing: false,
        }
    }
    /// Whether closing it would end a session: a URI leads to it, the peer of a URI is behind it, something is under way.
    /// One that we opened ourselves, or one to a relay, is opened again when a session needs it.
    pub(crate) fn is_needed(&self) -> bool {
        let comes_back = self.hop.is_some() || self.facts.relay.is_some();
        let is_busy = !matches!(self.inbound, Inbound::Nothing) || !self.awaited.is_empty();
        let has_peer = !self.bound.is_empty() && !comes_back;
        !self.owned.is_empty() || has_peer || is_busy || self.connecting > 0
    }
}
