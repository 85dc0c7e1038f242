//! What one shard tells another about the connections that carry sessions of both.
//!
//! The *carrier* of a connection is the shard that has its socket; the *home* of a session is the
//! shard that has its room. A crossing holds everything that one shard has to tell another at one
//! moment: one mailbox message, whatever the number of connections. Body octets travel as counted
//! handles, and a piece travels once, however many recipients it has.
//!
//! Both shards are named with the number of their start ([`Epochs`]). A crossing from or to an
//! earlier start is dropped: after a failure the same connection key may name somebody else.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use msrp_control::EndReason;
use msrp_session::Piece;
use msrp_wire::{StatusCode, TransactionId};
use ring_io::ConnKey;

use crate::shard::WaitedBy;

/// One message from shard to shard.
#[derive(Default)]
pub(crate) struct Crossing {
    pub(crate) from: usize,
    /// The start of the sender, and the start of the receiver that it means.
    pub(crate) from_epoch: u32,
    pub(crate) to_epoch: u32,
    /// What happened, in order.
    pub(crate) steps: Vec<Step>,
    /// What steps refer to by index.
    pub(crate) octets: Vec<Bytes>,
    pub(crate) answers: Vec<(TransactionId, StatusCode)>,
    pub(crate) pieces: Vec<Piece>,
    pub(crate) control: Vec<u8>,
}

/// Something that happened on a connection, by the carrier's key.
pub(crate) struct Step {
    pub(crate) conn: ConnKey,
    pub(crate) what: What,
}

/// What happened.
pub(crate) enum What {
    /// To the home: the connection names a session of the home, over TLS or not, and with this
    /// certificate of the peer; it comes from this address, or from this trusted relay. Whole frames follow.
    Opened {
        is_secure: bool,
        certificate: Option<Box<[u8]>>,
        source: IpAddr,
        relay: Option<Box<str>>,
    },
    /// To the home: octets of frames.
    Octets(usize),
    /// To the home: a response that is to no request of the carrier's own sessions. It is certain to be
    /// the home's when no third shard has sessions on the connection.
    Answered { index: usize, is_certain: bool },
    /// To the home: what it gave under this number has been written.
    Written(u32),
    /// To the home: who is to wait for the connection when it is slow.
    WaitedBy(WaitedBy),
    /// To the home: the connection is gone.
    Lost(EndReason),
    /// To the carrier: a session was bound to the connection.
    Bound,
    /// To the carrier: path lines that pieces will refer to.
    Paths { number: usize, octets: Box<[u8]> },
    /// To the carrier: write this piece with these path lines.
    Piece {
        index: usize,
        paths: usize,
        number: u32,
    },
    /// To the carrier: write this part of `control`.
    Control {
        start: usize,
        end: usize,
        number: u32,
    },
    /// To the carrier: so many octets of what it gave have been read.
    Taken(usize),
    /// To the carrier: the home has no session on the connection, and has read everything so far. The
    /// carrier answers with `Lost`, unless more octets are on their way; then this comes again.
    Left,
    /// To the carrier: the connection has to be closed.
    Ended(EndReason),
}

impl Crossing {
    pub(crate) fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    pub(crate) fn push(&mut self, conn: ConnKey, what: What) {
        self.steps.push(Step { conn, what });
    }
}

/// How often each shard has been started again. A shard that sees another's number change knows
/// that everything it shared with it is gone.
#[derive(Debug)]
pub(crate) struct Epochs(Box<[AtomicU32]>);

impl Epochs {
    pub(crate) fn new(shards_count: usize) -> Self {
        Self((0..shards_count).map(|_| AtomicU32::new(0)).collect())
    }

    pub(crate) fn shards_count(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn of(&self, shard: usize) -> u32 {
        self.0
            .get(shard)
            .map_or(0, |epoch| epoch.load(Ordering::Acquire))
    }

    /// The shard has failed: what it knew and what is known of it is void from now on.
    pub(crate) fn advance(&self, shard: usize) {
        if let Some(epoch) = self.0.get(shard) {
            epoch.fetch_add(1, Ordering::AcqRel);
        }
    }
}
