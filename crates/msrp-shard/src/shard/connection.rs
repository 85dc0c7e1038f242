//! One MSRP connection.

use std::rc::Rc;

use msrp_relay::HopKey;
use msrp_session::{RareVec, TimerKey, Timestamp};
use msrp_switch::LegKey;
use msrp_wire::{
    ByteRange, ContentTypeBuf, Decoder, Limits, MessageId, MsrpPathBuf, StatusCode, TransactionId,
};
use ring_io::ConnKey;
use smallvec::SmallVec;

use super::intake::Intake;
use super::layer::Layered;
use super::outbox::{Outbox, Spares};
use super::pacing::Pace;
use super::route::Route;
use super::stand_in::Carrier;
use crate::census::Counted;

/// A connection and the sessions it carries.
pub(super) struct Connection {
    pub(super) reading: Reading,
    pub(super) phase: Phase,
    /// Set while it has to name a session.
    pub(super) naming: Option<TimerKey>,
    /// The sessions bound to it; in use nearly always exactly one.
    pub(super) sessions: SmallVec<[LegKey; 1]>,
    /// Whether the relay has it, beside sessions or alone.
    pub(super) is_relaying: bool,
    pub(super) inbound: Inbound,
    /// The header section that is arriving, as far as it came in earlier reads: whoever its session
    /// belongs to gets it whole. The decoder bounds it.
    pub(super) head_octets: RareVec<u8>,
    /// Whether the octets that come next belong to a request whose header section has been read.
    pub(super) is_in_request: bool,
    /// Other shards with sessions on it.
    pub(super) routes: RareVec<Route>,
    /// Who has the socket, when this one stands in for it.
    pub(super) carrier: Option<Box<Carrier>>,
    /// It is one of the node's connections; `None` for a stand-in, which has no socket.
    pub(super) counted: Option<Counted>,
    /// What lies between its socket and MSRP; on plain TCP nothing.
    pub(super) layer: Option<Box<Layered>>,
    pub(super) intake: Intake,
    pub(super) outbox: Outbox,
    pub(super) is_dirty: bool,
    /// Slow connections that this one's sessions send to; while there is one, it is not read.
    pub(super) slowed_by: RareVec<ConnKey>,
    /// Connections that are not read because this one is slow.
    pub(super) slows: RareVec<ConnKey>,
    pub(super) pace: Pace,
}

/// Who reads the octets of a connection.
#[derive(Debug)]
pub(super) enum Reading {
    /// Nobody: the next octet begins a frame, and any decoder at its start may read it.
    BetweenFrames,
    /// A decoder that is in a frame.
    InFrame(Box<Decoder>),
    /// A decoder that is at work.
    Now,
}

/// Decoders at the start of a frame, for whichever connection needs one next. So an idle connection
/// has none, and none is made for each read.
#[derive(Debug, Default)]
pub(super) struct Decoders(
    #[expect(clippy::vec_box, reason = "decoders move into connections")] Vec<Box<Decoder>>,
);

impl Decoders {
    /// The decoder that goes on with a connection. `None` while one is at work.
    pub(super) fn take(&mut self, reading: &mut Reading) -> Option<Box<Decoder>> {
        match std::mem::replace(reading, Reading::Now) {
            Reading::BetweenFrames => {
                let new = || Box::new(Decoder::new(Limits::default()));
                Some(self.0.pop().unwrap_or_else(new))
            }
            Reading::InFrame(decoder) => Some(decoder),
            Reading::Now => None,
        }
    }

    /// A decoder has read what there was.
    pub(super) fn put_back(&mut self, mut decoder: Box<Decoder>) -> Reading {
        decoder.release();
        if !decoder.is_between_frames() {
            return Reading::InFrame(decoder);
        }
        if self.0.len() < DECODERS_SPARE_MAX {
            self.0.push(decoder);
        }
        Reading::BetweenFrames
    }
}

/// Most decoders that wait for work: one reads at a time, and few reads lead to another.
const DECODERS_SPARE_MAX: usize = 4;

/// Where a connection stands.
#[derive(Debug, Clone, Copy)]
pub(super) enum Phase {
    /// We are opening it for a session.
    Opening(LegKey),
    /// We are opening it for the relay.
    Reaching(HopKey),
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
    /// A request for the relay.
    Relayed,
    /// A SEND of a session.
    Send {
        leg: LegKey,
        transaction_id: TransactionId,
        /// Where its answer goes when that is not the first URI of the session's path.
        reply_to: Option<Box<MsrpPathBuf>>,
        /// Whether it has been answered.
        is_answered: bool,
        /// When the first octet was read of what has not left yet.
        since: Timestamp,
    },
    /// A REPORT with a document, for the other side of a bridge.
    Report(Box<ArrivingReport>),
}

/// A REPORT of which the document is arriving.
#[derive(Debug)]
pub(super) struct ArrivingReport {
    pub(super) leg: LegKey,
    pub(super) about: (MessageId, Option<ByteRange>, StatusCode),
    pub(super) content_type: ContentTypeBuf,
    pub(super) body: Vec<u8>,
}

impl Connection {
    /// A new one, which uses the spare lists of its shard.
    pub(super) fn new(phase: Phase, spares: &Rc<Spares>) -> Self {
        Self {
            reading: Reading::BetweenFrames,
            phase,
            naming: None,
            sessions: SmallVec::new(),
            is_relaying: false,
            inbound: Inbound::Idle,
            head_octets: RareVec::default(),
            is_in_request: false,
            routes: RareVec::default(),
            carrier: None,
            counted: None,
            layer: None,
            intake: Intake::default(),
            outbox: Outbox::new(spares),
            is_dirty: false,
            slowed_by: RareVec::default(),
            slows: RareVec::default(),
            pace: Pace::default(),
        }
    }

    /// Whether it carries no session of any shard.
    pub(super) fn is_unused(&self) -> bool {
        self.sessions.is_empty()
            && !self.is_relaying
            && !self.routes.iter().any(|route| route.is_bound)
    }

    /// Puts its first request, of which this came in the last read, aside until the participant of
    /// the session has answered. False when it has carried a request already.
    pub(super) fn wait_for_answer(&mut self, leg: LegKey, request: &[u8]) -> bool {
        if !matches!(self.phase, Phase::Unnamed) || !self.is_unused() {
            return false;
        }
        let mut octets = Vec::from(std::mem::take(&mut self.head_octets));
        octets.extend_from_slice(request);
        self.intake.put_back(octets.into());
        self.reading = Reading::BetweenFrames;
        self.phase = Phase::Early(leg);
        true
    }

    /// The index of its transport in [`Connections::by_transport`]. It never changes.
    fn transport(&self) -> usize {
        self.layer.as_ref().map_or(0, |layer| layer.transport())
    }

    /// Whether what arrives is still looked at.
    pub(super) fn is_read(&self) -> bool {
        match self.phase {
            Phase::Opening(_)
            | Phase::Reaching(_)
            | Phase::Unnamed
            | Phase::Early(_)
            | Phase::Serving => true,
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
    by_transport: [usize; TRANSPORTS],
}

/// How many transports are told apart: none between MSRP and TCP, TLS, WebSocket, and WebSocket over TLS.
pub(super) const TRANSPORTS: usize = 4;

impl Slots {
    fn insert(&mut self, index: usize, key: ConnKey, connection: Connection) {
        if self.slots.len() <= index {
            self.slots.resize_with(index + 1, || None);
        }
        self.by_transport[connection.transport()] += 1;
        self.slots[index] = Some((key, Box::new(connection)));
        self.count += 1;
    }

    fn remove(&mut self, index: usize, key: ConnKey) -> Option<Box<Connection>> {
        let (_, connection) = self.slots.get_mut(index)?.take_if(|(k, _)| *k == key)?;
        self.count -= 1;
        self.by_transport[connection.transport()] -= 1;
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

    /// How many sockets there are of each transport.
    pub(super) fn by_transport(&self) -> [usize; TRANSPORTS] {
        self.sockets.by_transport
    }

    /// Those with a socket.
    pub(super) fn keys(&self) -> Vec<ConnKey> {
        let sockets = self.sockets.slots.iter().flatten();
        sockets.map(|(key, _)| *key).collect()
    }
}

/// The first index of a stand-in: more sockets than that one process cannot have.
const STAND_IN: u32 = 1 << 31;
