//! A stage of a run: one pace for one time, and the figures of it.

use std::time::Duration;

use crate::latency::Latencies;
use crate::schedule::Spacing;

/// How senders decide when to send.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// Open loop: this many units a second and sender, whatever the server does.
    Rate(f64, Spacing),
    /// Closed loop: this many units of a sender wait for their answer at any time.
    Window(u32),
}

/// One stage. Times are nanoseconds since the start of the run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stage {
    /// The pace.
    pub pace: Pace,
    /// When sending starts.
    pub start_ns: u64,
    /// When measuring starts: warm-up is over.
    pub measure_ns: u64,
    /// When sending and measuring end.
    pub end_ns: u64,
}

/// The figures of one stage, of one load thread or of all.
#[derive(Debug, Clone, Default)]
pub struct StageFigures {
    /// Units that the schedule had in the measured time; in a closed loop those that were begun.
    pub offered: u64,
    /// Units that were not begun before the end of the stage.
    pub unsent: u64,
    /// Messages sent in the measured time, replies included.
    pub sent: u64,
    /// Messages accepted (200 to every chunk) in the measured time.
    pub accepted: u64,
    /// Copies that arrived in the measured time.
    pub copies: u64,
    /// Octets of the messages of those copies.
    pub copy_octets: u64,
    /// From the intended time to the end of the copy, for copies intended in the measured time; slow and stalled readers
    /// not among them.
    pub end_to_end: Latencies,
    /// The same for slow and stalled readers.
    pub end_to_end_apart: Latencies,
    /// From the intended time to the last 200, for messages intended in the measured time.
    pub transaction: Latencies,
    /// The same as `end_to_end`, since the last live line.
    pub interval: Latencies,
    /// Processor time of the load thread in the measured time; of all threads the most.
    pub busy: Option<Duration>,
}

impl Stage {
    /// Whether a time is in the measured part.
    #[must_use]
    pub fn measures(&self, time_ns: u64) -> bool {
        (self.measure_ns..self.end_ns).contains(&time_ns)
    }

    /// How long the measured part is.
    #[must_use]
    pub fn measured(&self) -> Duration {
        Duration::from_nanos(self.end_ns.saturating_sub(self.measure_ns))
    }
}

impl StageFigures {
    /// Adds the figures of another thread.
    pub fn merge(&mut self, other: &Self) {
        self.offered += other.offered;
        self.unsent += other.unsent;
        self.sent += other.sent;
        self.accepted += other.accepted;
        self.copies += other.copies;
        self.copy_octets += other.copy_octets;
        self.end_to_end.merge(&other.end_to_end);
        self.end_to_end_apart.merge(&other.end_to_end_apart);
        self.transaction.merge(&other.transaction);
        self.interval.merge(&other.interval);
        self.busy = self.busy.max(other.busy);
    }
}
