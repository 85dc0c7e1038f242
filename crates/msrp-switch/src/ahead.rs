//! Octets of a message that are not in its row yet: mostly those that arrived before others which
//! lie in front of them.

use bytes::Bytes;
use smallvec::SmallVec;

/// Runs of octets by their position. They do not overlap: of octets that come twice the later ones stay.
///
/// # Spec
/// RFC 4975 s.7.3.1.
#[derive(Debug, Default)]
pub(crate) struct Ahead {
    /// Sorted by position, the last one first.
    runs: Vec<Run>,
    octets: usize,
}

type Run = (u64, Bytes);

impl Ahead {
    /// How many octets are kept.
    pub(crate) fn octets(&self) -> usize {
        self.octets
    }

    /// Keeps octets at this position.
    pub(crate) fn push(&mut self, start: u64, octets: Bytes) {
        let end = start.saturating_add(octets.len() as u64);
        let first = self.runs.partition_point(|(other, _)| *other >= end);
        let behind = self.runs.partition_point(|run| end_of(run) > start);
        let overlapped = self.runs.get(first..behind).unwrap_or_default();
        let mut replacement: SmallVec<[Run; 3]> = SmallVec::new();
        replacement.extend(overlapped.first().and_then(|run| from(run, end)));
        replacement.push((start, octets));
        replacement.extend(overlapped.last().and_then(|run| until(run, start)));
        let gone = octets_of(overlapped);
        self.octets = self.octets.saturating_sub(gone);
        self.octets = self.octets.saturating_add(octets_of(&replacement));
        self.runs.splice(first..behind.max(first), replacement);
    }

    /// Forgets the octets before this position.
    pub(crate) fn advance_to(&mut self, position: u64) {
        while let Some(run) = self.pop_until(position) {
            if let Some(rest) = from(&run, position) {
                self.octets = self.octets.saturating_add(rest.1.len());
                self.runs.push(rest);
                return;
            }
        }
    }

    /// Where the first run starts.
    pub(crate) fn start(&self) -> Option<u64> {
        self.runs.last().map(|(start, _)| *start)
    }

    /// The first run, if it starts at this position or before.
    pub(crate) fn pop_until(&mut self, position: u64) -> Option<(u64, Bytes)> {
        let run = self.runs.pop_if(|(start, _)| *start <= position)?;
        self.octets = self.octets.saturating_sub(run.1.len());
        Some(run)
    }
}

fn end_of((start, octets): &Run) -> u64 {
    start.saturating_add(octets.len() as u64)
}

fn octets_of(runs: &[Run]) -> usize {
    runs.iter().map(|(_, octets)| octets.len()).sum()
}

/// What of a run lies at this position and behind: a copy, so that little never keeps much in memory.
fn from((start, octets): &Run, position: u64) -> Option<Run> {
    let before = usize::try_from(position.saturating_sub(*start)).unwrap_or(usize::MAX);
    let rest = octets.get(before..).filter(|rest| !rest.is_empty())?;
    Some(((*start).max(position), Bytes::copy_from_slice(rest)))
}

/// What of a run lies before this position, as a copy.
fn until((start, octets): &Run, position: u64) -> Option<Run> {
    let before = usize::try_from(position.saturating_sub(*start)).unwrap_or(usize::MAX);
    let rest = octets.get(..before.min(octets.len()))?;
    (!rest.is_empty()).then(|| (*start, Bytes::copy_from_slice(rest)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn runs_come_back_in_the_order_of_their_positions() {
        let mut ahead = Ahead::default();
        for start in [30, 10, 20, 16] {
            ahead.push(start, Bytes::from_static(b"octets"));
        }
        assert_eq!(ahead.octets(), 22);
        assert_eq!(ahead.pop_until(9), None);
        let starts: Vec<u64> = std::iter::from_fn(|| ahead.pop_until(29))
            .map(|(start, _)| start)
            .collect();
        assert_eq!(starts, [10, 16, 22]);
        assert_eq!(ahead.octets(), 6);
        assert_eq!(ahead.pop_until(30).map(|(start, _)| start), Some(30));
        assert_eq!(ahead.octets(), 0);
    }

    fn runs(ahead: &mut Ahead) -> Vec<(u64, Bytes)> {
        std::iter::from_fn(|| ahead.pop_until(u64::MAX)).collect()
    }

    #[test]
    fn octets_before_a_position_go() {
        let mut ahead = Ahead::default();
        for (start, octets) in [(10, "ab"), (12, "cdef"), (30, "g")] {
            ahead.push(start, Bytes::from_static(octets.as_bytes()));
        }
        ahead.advance_to(14);
        assert_eq!((ahead.octets(), ahead.start()), (3, Some(14)));
        ahead.advance_to(16);
        assert_eq!((ahead.octets(), ahead.start()), (1, Some(30)));
        assert_eq!(runs(&mut ahead), [(30, Bytes::from("g"))]);
        assert_eq!((ahead.octets(), ahead.start()), (0, None));
    }

    proptest! {
        /// The same as a map of single octets.
        #[test]
        fn later_octets_stay(pushed in prop::collection::vec((0_u8..60, 1_usize..20), 1..12)) {
            let (mut ahead, mut single) = (Ahead::default(), BTreeMap::new());
            for (number, (start, len)) in (0_u8..).zip(pushed) {
                let start = u64::from(start);
                ahead.push(start, Bytes::from(vec![number; len]));
                single.extend((start..).take(len).map(|position| (position, number)));
            }
            prop_assert_eq!(ahead.octets(), single.len());
            let kept: Vec<(u64, u8)> = runs(&mut ahead)
                .iter()
                .flat_map(|(start, octets)| (*start..).zip(octets.to_vec()))
                .collect();
            prop_assert_eq!(kept, single.into_iter().collect::<Vec<_>>());
            prop_assert_eq!(ahead.octets(), 0);
        }
    }
}
