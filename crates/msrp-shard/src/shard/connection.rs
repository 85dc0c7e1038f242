//! One MSRP connection.

use std::net::SocketAddr;

use msrp_session::Timestamp;
use msrp_switch::LegKey;
use msrp_wire::{Decoder, Limits, MsrpPathBuf, TransactionId};
use ring_io::ConnKey;
use smallvec::SmallVec;

use super::intake::Intake;
use super::outbox::Outbox;

/// A connection and the sessions it carries.
pub(super) struct Connection {
    pub(super) peer: SocketAddr,
    /// Taken out while it reads.
    pub(super) decoder: Option<Box<Decoder>>,
    pub(super) phase: Phase,
    /// The sessions bound to it; in use nearly always exactly one.
    pub(super) sessions: SmallVec<[LegKey; 1]>,
    pub(super) inbound: Inbound,
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
    /// Accepted; no request has named a session of this shard yet.
    Unnamed(Prelude),
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

/// What is kept of the request that is arriving on a connection without session, in case it names
/// a session of another shard.
#[derive(Debug)]
pub(super) enum Prelude {
    /// The part of its header section that has been read. The decoder bounds it.
    Head(Vec<u8>),
    /// Nothing: it has been refused.
    Refused,
}

impl Default for Prelude {
    fn default() -> Self {
        Self::Head(Vec::new())
    }
}

/// The request that is arriving.
#[derive(Debug)]
pub(super) enum Inbound {
    /// Between requests, or in one whose octets nobody needs.
    Idle,
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
            sessions: SmallVec::new(),
            inbound: Inbound::Idle,
            intake: Intake::default(),
            outbox: Outbox::default(),
            is_dirty: false,
            slowed_by: SmallVec::new(),
            slows: Vec::new(),
            progress: now,
            is_stall_timed: false,
        }
    }

    /// Puts its first request, of which this came in the last read, aside until the participant of
    /// the session has answered. False when it is not its first.
    pub(super) fn wait_for_answer(&mut self, leg: LegKey, request: &[u8]) -> bool {
        let Phase::Unnamed(Prelude::Head(head)) = &mut self.phase else {
            return false;
        };
        let mut octets = std::mem::take(head);
        octets.extend_from_slice(request);
        self.intake.put_back(octets.into());
        self.decoder = Some(Box::new(Decoder::new(Limits::default())));
        self.phase = Phase::Early(leg);
        true
    }

    /// Whether what arrives is still looked at.
    pub(super) fn is_read(&self) -> bool {
        match self.phase {
            Phase::Opening(_) | Phase::Unnamed(_) | Phase::Early(_) | Phase::Serving => true,
            Phase::Closing | Phase::Lingering => false,
        }
    }
}

/// All connections of a shard, by key.
#[derive(Default)]
pub(super) struct Connections {
    slots: Vec<Option<(ConnKey, Box<Connection>)>>,
    count: usize,
}

impl Connections {
    pub(super) fn insert(&mut self, key: ConnKey, connection: Connection) {
        if self.slots.len() <= key.index() {
            self.slots.resize_with(key.index() + 1, || None);
        }
        self.slots[key.index()] = Some((key, Box::new(connection)));
        self.count += 1;
    }

    pub(super) fn remove(&mut self, key: ConnKey) -> Option<Box<Connection>> {
        let (_, connection) = self
            .slots
            .get_mut(key.index())?
            .take_if(|(k, _)| *k == key)?;
        self.count -= 1;
        Some(connection)
    }

    pub(super) fn get(&self, key: ConnKey) -> Option<&Connection> {
        let (k, connection) = self.slots.get(key.index())?.as_ref()?;
        (*k == key).then_some(connection)
    }

    pub(super) fn get_mut(&mut self, key: ConnKey) -> Option<&mut Connection> {
        let (k, connection) = self.slots.get_mut(key.index())?.as_mut()?;
        (*k == key).then_some(connection)
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    pub(super) fn keys(&self) -> Vec<ConnKey> {
        self.slots.iter().flatten().map(|(key, _)| *key).collect()
    }
}
