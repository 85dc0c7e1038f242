//! What is known of a leg that is one half of a bridge.

use std::collections::VecDeque;

use msrp_wire::MessageId;

use crate::leg::LegKey;
use crate::limits::BRIDGED_RECENT_MAX;
use crate::message::MessageKey;

/// What came from one half of a bridge since it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BridgeSums {
    /// SENDs, signs of life among them. It grows as long as the half is heard.
    pub requests: u64,
    /// Messages of which a chunk was accepted.
    pub messages: u64,
    /// Octets of bodies, repeated ones counted again.
    pub octets: u64,
    /// Messages that did not get through: refused by the other half, unanswered, or without room.
    pub failed: u64,
    /// REPORTs that were passed on to the other half.
    pub reports: u64,
}

/// One half of a bridge.
#[derive(Debug)]
pub(crate) struct Bridged {
    /// The other half.
    pub(crate) other: LegKey,
    pub(crate) sums: BridgeSums,
    /// The last messages of it that left and of which only an error would come back.
    recent: VecDeque<Left>,
}

/// A message that has left.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Left {
    pub(crate) message: MessageKey,
    pub(crate) id: MessageId,
    pub(crate) total: u64,
}

impl Bridged {
    pub(crate) fn new(other: LegKey) -> Self {
        Self {
            other,
            sums: BridgeSums::default(),
            recent: VecDeque::new(),
        }
    }

    pub(crate) fn count_request(&mut self) {
        self.sums.requests = self.sums.requests.saturating_add(1);
    }

    pub(crate) fn count_octets(&mut self, octets: usize) {
        self.sums.octets = self.sums.octets.saturating_add(octets as u64);
    }

    pub(crate) fn remember(&mut self, left: Left) {
        if self.recent.len() >= BRIDGED_RECENT_MAX {
            self.recent.pop_front();
        }
        self.recent.push_back(left);
    }

    /// Takes a message that has left, so that it fails once.
    pub(crate) fn recall(&mut self, message: MessageKey) -> Option<Left> {
        let position = self
            .recent
            .iter()
            .position(|left| left.message == message)?;
        self.recent.remove(position)
    }
}
