//! Seeded mutations of inputs, for machines without a fuzzer.

/// A stream of numbers that a seed fixes: splitmix64.
#[derive(Clone, Debug)]
pub struct Numbers(u64);

impl Numbers {
    /// The stream of a seed.
    #[must_use]
    pub fn of_seed(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn next_number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`; 0 for a bound of 0.
    pub fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.next_number() % bound).unwrap_or(0)
    }
}

/// Changes an input in one to eight places.
///
/// `words` are inserted whole; `others` lend parts of theirs.
#[must_use]
pub fn mutate(numbers: &mut Numbers, input: &[u8], others: &[Vec<u8>], words: &[&str]) -> Vec<u8> {
    let mut octets = input.to_vec();
    for _ in 0..=numbers.below(8) {
        change(numbers, &mut octets, others, words);
    }
    octets.truncate(INPUT_OCTETS_MAX);
    octets
}

fn change(numbers: &mut Numbers, octets: &mut Vec<u8>, others: &[Vec<u8>], words: &[&str]) {
    let at = numbers.below(octets.len() + 1);
    let end = at + numbers.below((octets.len() - at).min(32) + 1);
    match numbers.below(8) {
        0 => {
            if let Some(octet) = octets.get_mut(at) {
                *octet ^= 1 << numbers.below(8);
            }
        }
        1 => {
            let octet = any_octet(numbers);
            if let Some(place) = octets.get_mut(at) {
                *place = octet;
            }
        }
        2 => {
            let new: Vec<u8> = (0..=numbers.below(4)).map(|_| any_octet(numbers)).collect();
            octets.splice(at..at, new);
        }
        3 => {
            octets.drain(at..end);
        }
        4 => {
            let part = octets[at..end].to_vec();
            let to = numbers.below(octets.len() + 1);
            octets.splice(to..to, part);
        }
        5 if !words.is_empty() => {
            let word = words[numbers.below(words.len())];
            octets.splice(at..at, word.bytes());
        }
        6 if !others.is_empty() => {
            let other = &others[numbers.below(others.len())];
            let start = numbers.below(other.len() + 1);
            let part = &other[start..start + numbers.below(other.len() - start + 1)];
            octets.splice(at..end, part.iter().copied());
        }
        _ => octets.truncate(at.max(1)),
    }
}

fn any_octet(numbers: &mut Numbers) -> u8 {
    let [octet, ..] = numbers.next_number().to_le_bytes();
    octet
}

/// Octets of one mutated input. Our choice: several requests fit.
pub const INPUT_OCTETS_MAX: usize = 4096;
