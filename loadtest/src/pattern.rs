//! The octets that fill a message: they depend on sender, sequence number and position, so that a swapped, cut or shifted
//! piece shows.
//!
//! A table of printable octets is made once, twice as long as its period. The octets of a message are a window on it that
//! starts at a place of its own and wraps at the period, which is a prime: no chunk size divides it. Filling and checking
//! are therefore memory copies and comparisons. There is no CR, LF or hyphen in it, so no end line can occur in it.

use std::sync::OnceLock;

/// The octets behind one stamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pattern {
    start: usize,
}

impl Pattern {
    /// The pattern of a message.
    #[must_use]
    pub fn of(origin: u32, sequence: u64) -> Self {
        let mixed = mix(u64::from(origin).rotate_left(40) ^ sequence);
        Self {
            start: usize::try_from(mixed % PERIOD as u64).unwrap_or(0),
        }
    }

    /// Appends the first `octets`.
    pub fn write(&self, out: &mut Vec<u8>, octets: usize) {
        let mut at = 0;
        while at < octets {
            let part = self.window(at, octets - at);
            out.extend_from_slice(part);
            at += part.len();
        }
    }

    /// Whether these octets are those from number `at` on.
    #[must_use]
    pub fn matches(&self, at: usize, octets: &[u8]) -> bool {
        let mut done = 0;
        while done < octets.len() {
            let part = self.window(at + done, octets.len() - done);
            if octets[done..done + part.len()] != *part {
                return false;
            }
            done += part.len();
        }
        true
    }

    /// At most `octets` of the pattern from number `at` on, at least one.
    fn window(&self, at: usize, octets: usize) -> &'static [u8] {
        let from = (self.start + at) % PERIOD;
        &table()[from..from + octets.min(PERIOD)]
    }
}

/// Spreads the bits of a number.
#[must_use]
pub fn mix(value: u64) -> u64 {
    let mut x = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// A checksum over octets: order counts, and every octet counts. Not for secrets.
#[must_use]
pub fn sum(octets: &[u8]) -> u64 {
    let mut state = 0x243f_6a88_85a3_08d3 ^ octets.len() as u64;
    let (words, rest) = octets.as_chunks::<8>();
    for word in words {
        state = (state ^ u64::from_le_bytes(*word)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        state ^= state >> 32;
    }
    for octet in rest {
        state = (state ^ u64::from(*octet)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        state ^= state >> 32;
    }
    mix(state)
}

fn table() -> &'static [u8] {
    static TABLE: OnceLock<Vec<u8>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let letter = |at: u64| ALPHABET[usize::try_from(mix(at) >> 58).unwrap_or(0)];
        let once: Vec<u8> = (0..PERIOD as u64).map(letter).collect();
        [once.as_slice(), once.as_slice()].concat()
    })
}

/// Octets after which the table starts again; a prime.
const PERIOD: usize = 65_521;

/// What the table is made of; text for people who look at a capture.
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pattern_matches_itself_in_pieces_of_any_size() {
        let pattern = Pattern::of(3, 77);
        let mut octets = Vec::new();
        pattern.write(&mut octets, 200_000);
        assert_eq!(octets.len(), 200_000);
        for size in [1, 7, 2048, 65_521, 150_000] {
            let mut at = 0;
            for piece in octets.chunks(size) {
                assert!(pattern.matches(at, piece), "piece of {size} at {at}");
                at += piece.len();
            }
        }
    }

    #[test]
    fn pattern_shows_a_changed_octet_a_shift_and_another_message() {
        let pattern = Pattern::of(3, 77);
        let mut octets = Vec::new();
        pattern.write(&mut octets, 5000);
        assert!(!pattern.matches(1, &octets));
        assert!(!pattern.matches(2048, &octets));
        assert!(!Pattern::of(3, 78).matches(0, &octets));
        assert!(!Pattern::of(4, 77).matches(0, &octets));
        for at in [0, 2500, 4999] {
            let mut damaged = octets.clone();
            damaged[at] ^= 1;
            assert!(!pattern.matches(0, &damaged));
        }
    }

    #[test]
    fn pattern_cannot_hold_an_end_line() {
        assert!(table().iter().all(|c| !matches!(c, b'-' | b'\r' | b'\n')));
    }

    #[test]
    fn sum_shows_each_octet_order_and_length() {
        let octets = b"From: <sip:a@b>\r\nTo: <sip:c@d>\r\n\r\n";
        let whole = sum(octets);
        for at in 0..octets.len() {
            let mut changed = octets.to_vec();
            changed[at] ^= 0x20;
            assert_ne!(sum(&changed), whole);
        }
        let mut swapped = octets.to_vec();
        swapped.swap(1, 9);
        assert_ne!(sum(&swapped), whole);
        assert_ne!(sum(&octets[1..]), whole);
        assert_ne!(sum(b""), sum(b"\0"));
    }
}
