//! What became of every copy.
//!
//! A *copy* is one message towards one recipient. It is opened when the switch accepts the message
//! for that recipient, and settled exactly once:
//!
//! ```text
//!            +-> delivered   every piece answered with 200
//!            +-> sent        every piece written, no answer was asked for
//!   open ----+-> refused     the recipient answered with an error, or cannot take it
//!            +-> failed      the recipient's session ended, or it did not answer
//!            +-> aborted     the sender gave up, or its session ended
//! ```

use crate::content_class::ClassSums;

/// How a copy ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The recipient answered every piece with 200.
    Delivered,
    /// Every piece was written; no answer was asked for (AMB-28).
    Sent,
    /// The recipient refused it, or its session cannot take it (type, size, direction).
    Refused,
    /// The recipient's session ended first, or no answer came in time.
    Failed,
    /// The sender ended the message with `#`, or its session ended first.
    Aborted,
}

/// Copies by outcome since the switch was made. `opened` is the sum of the others and of those
/// that are still open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sums {
    /// Copies that were accepted for a recipient.
    pub opened: u64,
    /// [`Outcome::Delivered`].
    pub delivered: u64,
    /// [`Outcome::Sent`].
    pub sent: u64,
    /// [`Outcome::Refused`].
    pub refused: u64,
    /// [`Outcome::Failed`].
    pub failed: u64,
    /// [`Outcome::Aborted`].
    pub aborted: u64,
    /// Final reports that were sent with what every recipient said.
    pub final_reports_sent: u64,
    /// Final reports that were sent when the time for them was over.
    pub final_reports_timed_out: u64,
    /// Final reports that were not sent because their sender was gone or does not receive.
    pub final_reports_skipped: u64,
    /// Messages that were accepted, by what they hold.
    pub messages: ClassSums,
    /// Body octets that were copied in user space because their chunk was still open at the end
    /// of a turn.
    pub held_octets_copied: u64,
}

impl Sums {
    pub(crate) fn open(&mut self, copies: u64) {
        self.opened = self.opened.saturating_add(copies);
    }

    pub(crate) fn settle(&mut self, outcome: Outcome) {
        let sum = match outcome {
            Outcome::Delivered => &mut self.delivered,
            Outcome::Sent => &mut self.sent,
            Outcome::Refused => &mut self.refused,
            Outcome::Failed => &mut self.failed,
            Outcome::Aborted => &mut self.aborted,
        };
        *sum = sum.saturating_add(1);
    }

    /// Copies that have ended.
    #[must_use]
    pub fn settled(&self) -> u64 {
        [
            self.delivered,
            self.sent,
            self.refused,
            self.failed,
            self.aborted,
        ]
        .iter()
        .fold(0, |all, sum| all.saturating_add(*sum))
    }
}
