//! Octets of a message that are not in its row yet: mostly those that arrived before others which
//! lie in front of them.

use bytes::Bytes;

/// Runs of octets by their position.
#[derive(Debug, Default)]
pub(crate) struct Ahead {
    /// Sorted by position, the last one first.
    runs: Vec<(u64, Bytes)>,
    octets: usize,
}

impl Ahead {
    /// How many octets are kept.
    pub(crate) fn octets(&self) -> usize {
        self.octets
    }

    /// Keeps octets at this position.
    pub(crate) fn push(&mut self, start: u64, octets: Bytes) {
        self.octets = self.octets.saturating_add(octets.len());
        let place = self.runs.partition_point(|(other, _)| *other > start);
        self.runs.insert(place, (start, octets));
    }

    /// The first run, if it starts at this position or before.
    pub(crate) fn pop_until(&mut self, position: u64) -> Option<(u64, Bytes)> {
        let run = self.runs.pop_if(|(start, _)| *start <= position)?;
        self.octets = self.octets.saturating_sub(run.1.len());
        Some(run)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_come_back_in_the_order_of_their_positions() {
        let mut ahead = Ahead::default();
        for start in [30, 10, 20, 10] {
            ahead.push(start, Bytes::from_static(b"octets"));
        }
        assert_eq!(ahead.octets(), 24);
        assert_eq!(ahead.pop_until(9), None);
        let starts: Vec<u64> = std::iter::from_fn(|| ahead.pop_until(29))
            .map(|(start, _)| start)
            .collect();
        assert_eq!(starts, [10, 10, 20]);
        assert_eq!(ahead.octets(), 6);
        assert_eq!(ahead.pop_until(30).map(|(start, _)| start), Some(30));
        assert_eq!(ahead.octets(), 0);
    }
}
