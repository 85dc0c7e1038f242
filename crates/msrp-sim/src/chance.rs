//! Chance that is the same again for the same seed.

use std::ops::RangeInclusive;

/// A small generator (SplitMix64). Good enough to vary a world; ids that must not be guessed come from elsewhere.
#[derive(Debug, Clone)]
pub(crate) struct Chance(u64);

impl Chance {
    /// The chance of this seed.
    #[must_use]
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d)
    }

    /// 64 bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number in this range.
    pub(crate) fn within(&mut self, range: RangeInclusive<u64>) -> u64 {
        let span = range.end().saturating_sub(*range.start()).saturating_add(1);
        range.start() + self.bits() % span.max(1)
    }

    /// An index below `count`; 0 when there is none.
    pub(crate) fn index(&mut self, count: usize) -> usize {
        let index = self.bits() % (count.max(1) as u64);
        usize::try_from(index).unwrap_or(0)
    }

    /// A count of octets in this range.
    pub(crate) fn octets(&mut self, range: RangeInclusive<usize>) -> usize {
        let span = range.end().saturating_sub(*range.start()).saturating_add(1);
        range.start() + self.index(span)
    }

    /// True once in so many times.
    pub(crate) fn one_in(&mut self, times: u64) -> bool {
        self.bits().is_multiple_of(times.max(1))
    }

    /// One of these.
    pub(crate) fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        of.get(self.index(of.len()))
    }

    /// Mixes the order.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.index(last + 1));
        }
    }

    /// A generator of its own, for another part of the world.
    #[must_use]
    pub(crate) fn fork(&mut self) -> Self {
        Self::new(self.bits())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_of_one_seed_is_the_same_and_of_another_is_not() {
        let draw = |seed| {
            let mut chance = Chance::new(seed);
            (0..50).map(|_| chance.bits()).collect::<Vec<_>>()
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        let mut chance = Chance::new(1);
        let seen: std::collections::BTreeSet<_> = (0..200).map(|_| chance.within(3..=7)).collect();
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), [3, 4, 5, 6, 7]);
    }
}
