//! How many requests outside of dialogs each source has sent in the present second.

use std::collections::HashMap;
use std::time::Duration;

use msrp_control::Source;
use tokio::time::Instant;

use super::limits::SOURCES_MAX;

/// The counts of one second. All begin again with the next one.
#[derive(Debug)]
pub(super) struct Sources {
    /// Most of one source in a second; 0 is no bound.
    requests_max: u32,
    begun: Instant,
    counts: HashMap<Source, u32>,
    /// Those whom the table has no room for, together.
    others: u32,
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Count {
    /// It is within the bound.
    Within,
    /// It is the first of this second that is not.
    First,
    /// It is beyond the bound, as others of this second were.
    Beyond,
}

impl Sources {
    /// Nothing has been counted.
    pub(super) fn new(requests_max: u32, now: Instant) -> Self {
        Self {
            requests_max,
            begun: now,
            counts: HashMap::new(),
            others: 0,
        }
    }

    /// Counts a request.
    pub(super) fn count(&mut self, source: Source, now: Instant) -> Count {
        if self.requests_max == 0 {
            return Count::Within;
        }
        if now.duration_since(self.begun) >= SECOND {
            self.begun = now;
            self.counts.clear();
            self.others = 0;
        }
        let has_room = self.counts.len() < SOURCES_MAX;
        let count = match self.counts.get_mut(&source) {
            Some(count) => count,
            None if has_room => self.counts.entry(source).or_default(),
            None => &mut self.others,
        };
        *count = count.saturating_add(1);
        match count.checked_sub(self.requests_max) {
            None | Some(0) => Count::Within,
            Some(1) => Count::First,
            Some(_) => Count::Beyond,
        }
    }
}

const SECOND: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn source(number: u32) -> Source {
        Source::of(Ipv4Addr::from_bits(number).into())
    }

    #[test]
    fn source_beyond_its_bound_is_told_apart_from_others_until_the_second_is_over() {
        let start = Instant::now();
        let mut sources = Sources::new(2, start);
        assert_eq!(sources.count(source(1), start), Count::Within);
        assert_eq!(sources.count(source(1), start), Count::Within);
        assert_eq!(sources.count(source(1), start), Count::First);
        assert_eq!(sources.count(source(1), start), Count::Beyond);
        assert_eq!(sources.count(source(2), start), Count::Within);
        assert_eq!(sources.count(source(1), start + SECOND), Count::Within);
    }

    #[test]
    fn sources_beyond_the_table_have_one_count_together() {
        let start = Instant::now();
        let mut sources = Sources::new(1, start);
        for number in 0..u32::try_from(SOURCES_MAX).unwrap() {
            assert_eq!(sources.count(source(number), start), Count::Within);
        }
        assert_eq!(sources.count(source(u32::MAX), start), Count::Within);
        assert_eq!(sources.count(source(u32::MAX - 1), start), Count::First);
        assert_eq!(sources.counts.len(), SOURCES_MAX);
        assert_eq!(sources.count(source(0), start), Count::First);
    }

    #[test]
    fn bound_of_zero_is_none() {
        let start = Instant::now();
        let mut sources = Sources::new(0, start);
        for _ in 0..1000 {
            assert_eq!(sources.count(source(1), start), Count::Within);
        }
        assert!(sources.counts.is_empty());
    }
}
