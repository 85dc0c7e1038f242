//! What a switch tells its controllers of single messages: ids, sizes and outcomes. What they held is told
//! apart, and only while somebody wants that.
//!
//! It costs nothing until somebody wants it: a message that began while nobody did has no account.

use msrp_wire::{MessageId, StatusCode};

use crate::content_class::{ClassSums, ContentClass};
use crate::ledger::Outcome;
use crate::leg::LegKey;
use crate::room::RoomKey;
use crate::told_content::{Kept, MessageContent};

/// Something that happened to one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// Every copy of a message has its outcome, or the message was refused or given up.
    Message(MessageEnd),
    /// A final report is complete.
    Report(ReportEnd),
    /// What a message held; comes right behind its end.
    Content(MessageContent),
}

/// The end of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageEnd {
    /// The room.
    pub room: RoomKey,
    /// Whose message it was, which may be gone; `None` when it was the switch's own.
    pub sender: Option<LegKey>,
    /// The id that the sender gave it.
    pub message_id: MessageId,
    /// Octets that arrived, with the wrapper.
    pub octets: u64,
    /// What it held; `None` when its wrapper was never read.
    pub class: Option<ContentClass>,
    /// With what the sender was refused.
    pub refused: Option<StatusCode>,
    /// What became of its copies.
    pub copies: CopySums,
}

/// The end of a final report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportEnd {
    /// The room.
    pub room: RoomKey,
    /// The sender of the message, which is gone when the report was not sent for this reason.
    pub sender: LegKey,
    /// The id that the sender gave the message.
    pub message_id: MessageId,
    /// Whether the sender was told.
    pub is_sent: bool,
    /// How many recipients ended with each status, in the order of the statuses.
    pub results: Vec<(u16, u32)>,
}

/// Copies by outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CopySums {
    /// [`Outcome::Delivered`].
    pub delivered: u32,
    /// [`Outcome::Sent`].
    pub sent: u32,
    /// [`Outcome::Refused`].
    pub refused: u32,
    /// [`Outcome::Failed`].
    pub failed: u32,
    /// [`Outcome::Aborted`].
    pub aborted: u32,
}

/// What a leg has sent and got: the only account of it that is kept. Grows as long as the leg is there.
///
/// The first two fields are all that the end of a copy touches, so they stay side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(C)]
pub struct LegSums {
    /// Octets of the messages that it got whole, with their wrappers.
    pub octets_received: u64,
    /// Messages towards it, by outcome.
    pub copies: CopySums,
    /// Requests of it that were refused.
    pub refused: u32,
    /// Octets of the bodies of its SENDs, wrappers and what was refused included.
    pub octets_sent: u64,
    /// Messages of it that were accepted for relaying.
    pub accepted: ClassSums,
    /// Messages of which the last piece left towards it, as [`Switch::count_left`](crate::Switch::count_left) was told.
    pub left: ClassSums,
    /// Octets of pieces that left towards it, as it was told.
    pub octets_left: u64,
}

/// The account of one message while somebody wants it.
#[derive(Debug)]
pub(crate) struct Tally {
    pub(crate) room: RoomKey,
    pub(crate) class: Option<ContentClass>,
    pub(crate) copies: CopySums,
    /// What it holds, while somebody wants that.
    pub(crate) kept: Option<Kept>,
}

impl CopySums {
    pub(crate) fn count(&mut self, outcome: Outcome) {
        let sum = match outcome {
            Outcome::Delivered => &mut self.delivered,
            Outcome::Sent => &mut self.sent,
            Outcome::Refused => &mut self.refused,
            Outcome::Failed => &mut self.failed,
            Outcome::Aborted => &mut self.aborted,
        };
        *sum = sum.saturating_add(1);
    }
}

impl LegSums {
    /// A copy towards the leg has ended; `octets` is the length of the message.
    pub(crate) fn settle(&mut self, outcome: Outcome, octets: u64) {
        self.copies.count(outcome);
        if matches!(outcome, Outcome::Delivered | Outcome::Sent) {
            self.octets_received = self.octets_received.saturating_add(octets);
        }
    }
}
