//! Which octets of a message have arrived.

use std::fmt;

use smallvec::SmallVec;

use crate::limits::COVERAGE_RANGES_MAX;

/// The octets of one message that have been counted, as separate ranges.
///
/// Positions count from zero and are taken from octets that arrived, never from what a
/// Byte-Range announced (RFC 4975 s.7.3.1). A message that arrives in order needs no heap.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Sorted, apart from each other: `(start, end)`, the end exclusive.
    ranges: SmallVec<[(u64, u64); 1]>,
}

/// The chunk would leave more than [`COVERAGE_RANGES_MAX`] separate ranges. The sender's fault:
/// 400, the session lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooManyHoles;

impl fmt::Display for TooManyHoles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the chunks leave more than {COVERAGE_RANGES_MAX} separate ranges"
        )
    }
}

impl std::error::Error for TooManyHoles {}

impl Coverage {
    /// Nothing has arrived.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts `octets` octets from position `start`. Octets counted before are not counted twice.
    ///
    /// # Errors
    /// [`TooManyHoles`]; nothing is counted then.
    pub fn add(&mut self, start: u64, octets: u64) -> Result<(), TooManyHoles> {
        let end = start.saturating_add(octets);
        if start == end {
            return Ok(());
        }
        if let Some(last) = self.ranges.last_mut()
            && last.1 == start
        {
            last.1 = end;
            return Ok(());
        }
        self.merge(start, end)
    }

    fn merge(&mut self, start: u64, end: u64) -> Result<(), TooManyHoles> {
        let before = self.ranges.iter().take_while(|r| r.1 < start).count();
        let touched = self
            .ranges
            .iter()
            .skip(before)
            .take_while(|r| r.0 <= end)
            .count();
        if touched == 0 {
            if self.ranges.len() >= COVERAGE_RANGES_MAX {
                return Err(TooManyHoles);
            }
            self.ranges.insert(before, (start, end));
            return Ok(());
        }
        let merged = self
            .ranges
            .iter()
            .skip(before)
            .take(touched)
            .fold((start, end), |all, r| (all.0.min(r.0), all.1.max(r.1)));
        self.ranges.drain(before..before.saturating_add(touched));
        self.ranges.insert(before, merged);
        Ok(())
    }

    /// Whether every octet of a message of `total` octets has arrived.
    #[must_use]
    pub fn covers(&self, total: u64) -> bool {
        total == 0
            || self
                .ranges
                .first()
                .is_some_and(|r| r.0 == 0 && r.1 >= total)
    }

    /// The position after the last octet that arrived.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.ranges.last().map_or(0, |r| r.1)
    }

    /// How many different octets have arrived.
    #[must_use]
    pub fn octets(&self) -> u64 {
        self.ranges
            .iter()
            .fold(0, |sum, r| sum.saturating_add(r.1.saturating_sub(r.0)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    // covers: MSRP-4975-7.3.1-02
    #[test]
    fn coverage_chunks_out_of_order_are_complete_when_the_hole_is_filled() {
        let mut coverage = Coverage::new();
        coverage.add(0, 10).unwrap();
        coverage.add(20, 10).unwrap();
        assert!(!coverage.covers(30));
        coverage.add(5, 20).unwrap();
        assert!(coverage.covers(30));
        assert_eq!(coverage.octets(), 30);
    }

    #[test]
    fn coverage_too_many_ranges_refuses_and_keeps_what_it_had() {
        let mut coverage = Coverage::new();
        for i in 0..COVERAGE_RANGES_MAX as u64 {
            coverage.add(i * 2, 1).unwrap();
        }
        assert_eq!(coverage.add(1000, 1), Err(TooManyHoles));
        assert_eq!(coverage.octets(), COVERAGE_RANGES_MAX as u64);
    }

    proptest! {
        #[test]
        fn coverage_agrees_with_a_set_of_octets(
            chunks in proptest::collection::vec((0_u64..200, 0_u64..40), 0..40),
        ) {
            let mut coverage = Coverage::new();
            let mut set = std::collections::BTreeSet::new();
            for (start, octets) in chunks {
                coverage.add(start, octets).unwrap();
                set.extend(start..start + octets);
            }
            prop_assert_eq!(coverage.octets(), set.len() as u64);
            prop_assert_eq!(coverage.end(), set.last().map_or(0, |p| p + 1));
            let prefix = (0..).take_while(|p| set.contains(p)).count() as u64;
            prop_assert!(coverage.covers(prefix));
            prop_assert!(!coverage.covers(prefix + 1));
        }
    }
}
