//! One MSRP connection.

use std::net::SocketAddr;

use msrp_session::{TimerKey, Timestamp};
use msrp_switch::LegKey;
use msrp_wire::{Decoder, Limits, MsrpPathBuf, TransactionId};
use ring_io::ConnKey;
use smallvec::SmallVec;

use super::intake::Intake;
use super::layer::Layered;
use super::outbox::Outbox;
use super::route::Route;
use super::stand_in::Carrier;

/// A connection and the sessions it carries.
pub(super) struct Connection {
    pub(super) peer: SocketAddr,
    /// Taken out while it reads.
    pub(super) decoder: Option<Box<Decoder>>,
    pub(super) phase: Phase,
    /// Set while it has to name a session.
    pub(super) naming: Option<TimerKey>,
    /// The sessions bound to it; in use nearly always exactly one.
    pub(super) sessions: SmallVec<[LegKey; 1]>,
    pub(super) inbound: Inbound,
    /// The header section that is arriving, as far as it came in earlier reads: whoever its session
    /// belongs to gets it whole. The decoder bounds it.
    pub(super) head_octets: Vec<u8>,
    /// Whether the octets that come next belong to a request whose header section has been read.
    pub(super) is_in_request: bool,
    /// Other shards with sessions on it.
    pub(super) routes: Vec<Route>,
    /// Who has the socket, when this one stands in for it.
    pub(super) carrier: Option<Box<Carrier>>,
    /// What lies between its socket and MSRP; on plain TCP nothing.
    pub(super) layer: Option<Box<Layered>>,
    pub(super) intake: Intake,
    pub(super) outbox: Outbox,
    pub(super) is_dirty: bool,
    /// Slow connections that this one's sessions send to; while there is one, it is not read.
    pub(super) slowed_by: SmallVec<[ConnKey; 1]>,
    /// Connections that are not read because this one is slow.
    pub(super) slows: Vec<ConnKey>,
    /// When it last took something while octets waited.
    pub(super) progress: Timestamp,
    pub(super) is_stall_timed: bool,
}

/// Where a connection stands.
#[derive(Debug)]
pub(super) enum Phase {
    /// We are opening it for a session.
    Opening(LegKey),
    /// Accepted; no request has named a session that it carries from then on.
    Unnamed,
    /// Its first request names a session whose participant has not answered our offer. What it
    /// sent waits.
    Early(LegKey),
    /// It carries sessions.
    Serving,
    /// Its sessions have ended: what waits is written, nothing is read any more.
    Closing,
    /// Everything is written; the peer closes.
    Lingering,
}

/// The request that is arriving.
#[derive(Debug)]
pub(super) enum Inbound {
    /// Between requests, or in one whose octets nobody needs.
    Idle,
    /// A request of a session of another shard.
    Forwarded(usize),
    /// A SEND of a session.
    Send {
        leg: LegKey,
        transaction_id: TransactionId,
        /// Where its answer goes when that is not the first URI of the session's path.
        reply_to: Option<MsrpPathBuf>,
        /// Whether it has been answered.
        is_answered: bool,
    },
}

impl Connection {
    pub(super) fn new(peer: SocketAddr, phase: Phase, now: Timestamp) -> Self {
        Self {
            peer,
            decoder: Some(Box::new(Decoder::new(Limits::default()))),
            phase,
            naming: None,
            sessions: SmallVec::new(),
            inbound: Inbound::Idle,
            head_octets: Vec::new(),
            is_in_request: false,
            routes: Vec::new(),
            carrier: None,
            layer: None,
            intake: Intake::default(),
            outbox: Outbox::default(),
            is_dirty: false,
            slowed_by: SmallVec::new(),
            slows: Vec::new(),
            progress: now,
            is_stall_timed: false,
        }
    }

    /// Whether it carries no session of any shard.
    pub(super) fn is_unused(&self) -> bool {
        self.sessions.is_empty() && !self.routes.iter().any(|route| route.is_bound)
    }

    /// Puts its first request, of which this came in the last read, aside until the participant of
    /// the session has answered. False when it has carried a request already.
    pub(super) fn wait_for_answer(&mut self, leg: LegKey, request: &[u8]) -> bool {
        if !matches!(self.phase, Phase::Unnamed) || !self.is_unused() {
            return false;
        }
        let mut octets = std::mem::take(&mut self.head_octets);
        octets.extend_from_slice(request);
        self.intake.put_back(octets.into());
        self.decoder = Some(Box::new(Decoder::new(Limits::default())));
        self.phase = Phase::Early(leg);
        true
    }

    /// Whether what arrives is still looked at.
    pub(super) fn is_read(&self) -> bool {
        match self.phase {
            Phase::Opening(_) | Phase::Unnamed | Phase::Early(_) | Phase::Serving => true,
            Phase::Closing | Phase::Lingering => false,
        }
    }
}

/// All connections of a shard, by key.
#[derive(Default)]
pub(super) struct Connections {
    sockets: Slots,
    /// Stand-ins for connections of other shards; their keys have indices that no socket has.
    stand_ins: Slots,
    free_stand_ins: Vec<u32>,
    generation: u32,
}

/// Connections by the index of their key.
#[derive(Default)]
struct Slots {
    slots: Vec<Option<(ConnKey, Box<Connection>)>>,
    count: usize,
}

impl Slots {
    fn insert(&mut self, index: usize, key: ConnKey, connection: Connection) {
        if self.slots.len() <= index {
            self.slots.resize_with(index + 1, || None);
        }
        self.slots[index] = Some((key, Box::new(connection)));
        self.count += 1;
    }

    fn remove(&mut self, index: usize, key: ConnKey) -> Option<Box<Connection>> {
        let (_, connection) = self.slots.get_mut(index)?.take_if(|(k, _)| *k == key)?;
        self.count -= 1;
        Some(connection)
    }

    fn get(&self, index: usize, key: ConnKey) -> Option<&Connection> {
        let (k, connection) = self.slots.get(index)?.as_ref()?;
        (*k == key).then_some(connection)
    }

    fn get_mut(&mut self, index: usize, key: ConnKey) -> Option<&mut Connection> {
        let (k, connection) = self.slots.get_mut(index)?.as_mut()?;
        (*k == key).then_some(connection)
    }
}

impl Connections {
    pub(super) fn insert(&mut self, key: ConnKey, connection: Connection) {
        self.sockets.insert(key.index(), key, connection);
    }

    /// `None`, and the connection dropped, when no more stand-ins can be named.
    pub(super) fn insert_stand_in(&mut self, connection: Connection) -> Option<ConnKey> {
        let index = match self.free_stand_ins.pop() {
            Some(index) => index,
            None => u32::try_from(self.stand_ins.slots.len()).ok()?,
        };
        self.generation = self.generation.wrapping_add(1);
        let key = ConnKey::new(index.checked_add(STAND_IN)?, self.generation);
        self.stand_ins.insert(index as usize, key, connection);
        Some(key)
    }

    /// Whether the key names a stand-in. A backend takes it for one that is stale.
    pub(super) fn is_stand_in(key: ConnKey) -> bool {
        key.index() >= STAND_IN as usize
    }

    pub(super) fn remove(&mut self, key: ConnKey) -> Option<Box<Connection>> {
        if !Self::is_stand_in(key) {
            return self.sockets.remove(key.index(), key);
        }
        let index = key.index() - STAND_IN as usize;
        let removed = self.stand_ins.remove(index, key)?;
        self.free_stand_ins.extend(u32::try_from(index));
        Some(removed)
    }

    pub(super) fn get(&self, key: ConnKey) -> Option<&Connection> {
        if Self::is_stand_in(key) {
            self.stand_ins.get(key.index() - STAND_IN as usize, key)
        } else {
            self.sockets.get(key.index(), key)
        }
    }

    pub(super) fn get_mut(&mut self, key: ConnKey) -> Option<&mut Connection> {
        if Self::is_stand_in(key) {
            self.stand_ins.get_mut(key.index() - STAND_IN as usize, key)
        } else {
            self.sockets.get_mut(key.index(), key)
        }
    }

    /// How many sockets there are.
    pub(super) fn count(&self) -> usize {
        self.sockets.count
    }

    /// Those with a socket.
    pub(super) fn keys(&self) -> Vec<ConnKey> {
        let sockets = self.sockets.slots.iter().flatten();
        sockets.map(|(key, _)| *key).collect()
    }
}

/// The first index of a stand-in: more sockets than that one process cannot have.
const STAND_IN: u32 = 1 << 31;
