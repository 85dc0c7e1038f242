//! What one receiver has had from one sender: each sequence number once, in order.

use serde::Serialize;

use crate::limits::GAPS_MAX;

/// Follows the sequence numbers of one sender at one receiver. A few octets while nothing goes wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tracker {
    /// One more than the highest number that came.
    next: u64,
    /// Numbers below `next` that have not come: ranges, end excluded, in order.
    gaps: Vec<(u64, u64)>,
}

/// What a number was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Arrival {
    /// The next one.
    InOrder,
    /// Beyond the next one; those between have not come.
    Early,
    /// One that later ones had overtaken.
    Late,
    /// One that had come before.
    Duplicate,
}

impl Tracker {
    /// Takes a number.
    pub fn take(&mut self, sequence: u64) -> Arrival {
        if sequence == self.next {
            self.next = sequence.saturating_add(1);
            return Arrival::InOrder;
        }
        if sequence > self.next {
            if self.gaps.len() >= GAPS_MAX {
                self.gaps.remove(0);
            }
            self.gaps.push((self.next, sequence));
            self.next = sequence.saturating_add(1);
            return Arrival::Early;
        }
        self.fill(sequence)
    }

    /// Whether a number has come.
    #[must_use]
    pub fn has(&self, sequence: u64) -> bool {
        let in_gap = |&(from, to): &(u64, u64)| (from..to).contains(&sequence);
        sequence < self.next && !self.gaps.iter().any(in_gap)
    }

    /// How many of the numbers below `sent` have not come.
    #[must_use]
    pub fn missing(&self, sent: u64) -> u64 {
        let inside: u64 = self.gaps.iter().map(|(from, to)| to - from).sum();
        inside + sent.saturating_sub(self.next)
    }

    fn fill(&mut self, sequence: u64) -> Arrival {
        let at = self
            .gaps
            .iter()
            .position(|&(from, to)| (from..to).contains(&sequence));
        let Some(at) = at else {
            return Arrival::Duplicate;
        };
        let (from, to) = self.gaps[at];
        let rest = [(from, sequence), (sequence + 1, to)];
        let rest = rest.into_iter().filter(|(from, to)| from < to);
        self.gaps.splice(at..=at, rest);
        Arrival::Late
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tracker_of_a_perfect_run_misses_nothing() {
        let mut tracker = Tracker::default();
        for sequence in 0..1000 {
            assert_eq!(tracker.take(sequence), Arrival::InOrder);
        }
        assert_eq!(tracker.missing(1000), 0);
        assert_eq!(tracker.missing(1003), 3);
        assert!(tracker.has(999) && !tracker.has(1000));
    }

    #[test]
    fn tracker_tells_early_late_and_duplicate_apart() {
        let mut tracker = Tracker::default();
        let arrivals: Vec<Arrival> = [0, 4, 2, 2, 4, 5, 1, 3, 3]
            .into_iter()
            .map(|sequence| tracker.take(sequence))
            .collect();
        use Arrival::{Duplicate, Early, InOrder, Late};
        assert_eq!(
            arrivals,
            [
                InOrder, Early, Late, Duplicate, Duplicate, InOrder, Late, Late, Duplicate
            ]
        );
        assert_eq!(tracker.missing(6), 0);
    }

    #[test]
    fn tracker_counts_what_is_missing_in_the_middle_and_at_the_end() {
        let mut tracker = Tracker::default();
        tracker.take(3);
        tracker.take(5);
        assert_eq!(tracker.missing(8), 3 + 1 + 2);
        assert!(!tracker.has(4) && tracker.has(5));
    }

    #[test]
    fn tracker_stays_bounded() {
        let mut tracker = Tracker::default();
        for sequence in 0..3 * GAPS_MAX as u64 {
            tracker.take(sequence * 2 + 1);
        }
        assert_eq!(tracker.gaps.len(), GAPS_MAX);
    }
}
