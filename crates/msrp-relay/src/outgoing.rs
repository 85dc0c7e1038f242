//! What leaves, and what is known of it until its answer comes.

use std::collections::VecDeque;
use std::rc::Rc;

use bytes::Bytes;
use msrp_session::{Key, Piece, Timestamp};
use msrp_wire::{FailureReport, MessageId, StatusCode, TransactionId};

use crate::connection::ConnectionId;
use crate::known_route::KnownRoute;

/// Where a request goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Over a connection that exists.
    Connection(ConnectionId),
    /// To a next hop of ours, perhaps not connected yet.
    Hop(Key),
}

/// One complete request.
#[derive(Debug)]
pub(crate) enum Outgoing {
    /// A piece of a SEND.
    Piece {
        piece: Rc<Piece>,
        paths: Rc<[u8]>,
        transit: Key,
    },
    /// Anything else, as octets.
    Frame {
        id: TransactionId,
        octets: Bytes,
        awaited: Option<Awaited>,
    },
}

/// What an answer is for.
#[derive(Debug)]
pub(crate) enum Awaited {
    /// A piece of this SEND.
    Piece(Key),
    /// A request of somebody else.
    Request(Box<BackWay>),
}

/// How a response to a forwarded request finds back.
#[derive(Debug)]
pub(crate) struct BackWay {
    pub(crate) connection: ConnectionId,
    /// The id that the previous hop gave the request.
    pub(crate) id: TransactionId,
    pub(crate) route: Rc<KnownRoute>,
    /// Whether it is an AUTH with credentials: a 401 to it counts against the client.
    pub(crate) has_credentials: bool,
}

/// A request that was given to the caller.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) awaited: Awaited,
    /// `None` until its last octet is written.
    pub(crate) deadline: Option<Timestamp>,
}

/// A next hop that the relay connects to.
#[derive(Debug)]
pub(crate) struct Hop {
    /// Scheme, host and port, in lower case.
    pub(crate) device: Box<str>,
    pub(crate) state: HopState,
}

/// How far a next hop is.
#[derive(Debug)]
pub(crate) enum HopState {
    /// Asked for; requests wait.
    Connecting {
        /// Because of whom.
        asker: ConnectionId,
        waiting: VecDeque<Outgoing>,
        octets: usize,
        deadline: Timestamp,
    },
    /// Connected.
    Up(ConnectionId),
}

/// A SEND from its header section until its last piece has ended.
#[derive(Debug)]
pub(crate) struct Transit {
    pub(crate) previous: ConnectionId,
    pub(crate) route: Rc<KnownRoute>,
    pub(crate) message_id: MessageId,
    /// The number of its first octet, and how many have come.
    pub(crate) start: u64,
    pub(crate) octets: u64,
    pub(crate) total: Option<u64>,
    pub(crate) failure_report: FailureReport,
    /// Pieces that have not ended.
    pub(crate) pieces: u32,
    pub(crate) is_open: bool,
    /// The first failure.
    pub(crate) failure: Option<Failure>,
    /// Whether the sender has been answered with an error.
    pub(crate) is_told: bool,
}

/// What a SEND failed of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) status: StatusCode,
    /// Whether the next hop said so.
    pub(crate) is_refusal: bool,
}

/// How a piece ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PieceEnd {
    Delivered,
    Sent,
    Failed(Failure),
}

impl Outgoing {
    pub(crate) fn id(&self) -> TransactionId {
        match self {
            Self::Piece { piece, .. } => piece.id(),
            Self::Frame { id, .. } => *id,
        }
    }

    pub(crate) fn octets(&self) -> usize {
        match self {
            Self::Piece { piece, paths, .. } => {
                piece.octets_without_paths().saturating_add(paths.len())
            }
            Self::Frame { octets, .. } => octets.len(),
        }
    }
}
