//! The beginning of a message, kept for those who have not joined.

use bytes::Bytes;
use msrp_session::{PieceBody, Timestamp};
use msrp_wire::ContentTypeBuf;

use crate::leg::LegKey;

/// See the module's text.
#[derive(Debug)]
pub(crate) struct Late {
    /// Who has an open copy and got nothing of it.
    pub(crate) legs: Vec<LegKey>,
    /// Every octet that has left to the others, in pieces as they were cut, in memory of their own.
    pub(crate) pieces: Vec<Bytes>,
    /// Octets of them.
    pub(crate) octets: u64,
    /// The type of the content inside the wrapper; `None` when it has no wrapper.
    pub(crate) inner: Option<ContentTypeBuf>,
    pub(crate) patience: Patience,
}

/// Whether the sender waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// It does not.
    Unneeded,
    /// It does, since this turn.
    Begun,
    /// It does, until then.
    Until(Timestamp),
}

impl Late {
    pub(crate) fn new(legs: Vec<LegKey>, inner: Option<ContentTypeBuf>) -> Self {
        Self {
            legs,
            pieces: Vec::new(),
            octets: 0,
            inner,
            patience: Patience::Unneeded,
        }
    }

    /// Keeps a copy of a piece. Returns its octets.
    pub(crate) fn keep(&mut self, body: &PieceBody) -> u64 {
        let mut octets = Vec::new();
        for slice in body {
            octets.extend_from_slice(slice);
        }
        let count = octets.len() as u64;
        self.octets = self.octets.saturating_add(count);
        self.pieces.push(octets.into());
        count
    }

    /// Whether the leg was waited for; it is not afterwards.
    pub(crate) fn forget(&mut self, leg: LegKey) -> bool {
        let before = self.legs.len();
        self.legs.retain(|other| *other != leg);
        self.legs.len() != before
    }
}
