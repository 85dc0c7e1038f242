//! How fast MESSAGEs may leave.
//!
//! Each MESSAGE takes its share of a second. What was not used is kept for at most
//! [`PAGER_BURST_NS`], so that a late look at the clock does not slow the whole.

use crate::limits::{NS_PER_S, PAGER_BURST_NS};

/// The pace of what is sent.
#[derive(Debug)]
pub(crate) struct Rate {
    interval_ns: u64,
    /// When the next MESSAGE would leave at an even pace.
    even_ns: u64,
}

impl Rate {
    /// So many in a second; none means one.
    pub(crate) fn new(per_s: u32) -> Self {
        Self {
            interval_ns: NS_PER_S.checked_div(u64::from(per_s)).unwrap_or(NS_PER_S),
            even_ns: 0,
        }
    }

    /// When the next one may leave.
    pub(crate) fn next_ns(&self) -> u64 {
        self.even_ns.saturating_sub(PAGER_BURST_NS)
    }

    /// Takes one, if one may leave now.
    pub(crate) fn take(&mut self, now: u64) -> bool {
        if now < self.next_ns() {
            return false;
        }
        self.even_ns = self.even_ns.max(now).saturating_add(self.interval_ns);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(rate: &mut Rate, from: u64, to: u64, step: usize) -> usize {
        (from..to)
            .step_by(step)
            .map(|now| {
                std::iter::repeat_with(|| rate.take(now))
                    .take_while(|t| *t)
                    .count()
            })
            .sum()
    }

    #[test]
    fn rate_over_seconds_is_kept() {
        let mut rate = Rate::new(200);
        let count = taken(&mut rate, NS_PER_S, 11 * NS_PER_S, 7_000_000);
        assert!((2000..=2000 + 12).contains(&count), "{count}");
    }

    #[test]
    fn pause_gives_no_more_than_a_burst() {
        let mut rate = Rate::new(100);
        taken(&mut rate, 0, 1, 1);
        let after = taken(&mut rate, 100 * NS_PER_S, 100 * NS_PER_S + 1, 1);
        assert!(after <= 6, "{after}");
        assert!(!rate.take(100 * NS_PER_S));
        assert!(rate.take(rate.next_ns()));
    }
}
