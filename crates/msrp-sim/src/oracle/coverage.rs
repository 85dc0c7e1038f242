//! Which octets have been seen.

/// Ranges, sorted and apart.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Coverage(Vec<(usize, usize)>);

impl Coverage {
    /// Octets from `start` to before `end` were seen.
    pub(crate) fn add(&mut self, start: usize, end: usize) {
        let (mut start, mut end) = (start, end);
        self.0.retain(|(first, behind)| {
            let touches = *first <= end && start <= *behind;
            if touches {
                start = start.min(*first);
                end = end.max(*behind);
            }
            !touches
        });
        let at = self.0.partition_point(|(first, _)| *first < start);
        self.0.insert(at, (start, end));
    }

    /// Whether one of these octets was seen before.
    pub(crate) fn overlaps(&self, start: usize, end: usize) -> bool {
        self.0
            .iter()
            .any(|(first, behind)| *first < end && start < *behind)
    }

    /// Whether all of so many octets were seen.
    pub(crate) fn is_whole(&self, octets: usize) -> bool {
        self.0 == [(0, octets)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coverage_is_whole_when_nothing_is_missing() {
        let mut coverage = Coverage::default();
        coverage.add(6, 9);
        coverage.add(0, 3);
        assert!(!coverage.is_whole(9));
        coverage.add(2, 6);
        assert!(coverage.is_whole(9));
        coverage.add(9, 9);
        assert!(coverage.is_whole(9) && !coverage.is_whole(10));
    }
}
