//! Nonces that need no memory until somebody shows one, and the counts of those that were shown.
//!
//! ```text
//!   nonce = hex( time it was made, 8 octets | random, 8 octets | first 16 octets of HMAC-SHA-256(key, time|random|realm) )
//! ```
//!
//! A challenge costs nothing, so a flood of unauthenticated AUTHs fills no table. Only a nonce with which somebody has shown
//! right credentials has a row. When the table is full the oldest row goes, and every nonce made at that time or before is
//! stale from then on: a count that is forgotten is never accepted again.

use std::collections::{BTreeMap, VecDeque};

use hmac::{Hmac, KeyInit as _, Mac as _};
use msrp_session::Timestamp;
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use crate::digest::hex;
use crate::limits::{NONCE_NS, NONCES_MAX};

/// Makes and checks the nonces of one realm.
pub(crate) struct Nonces {
    key: [u8; 32],
    realm: Box<str>,
    /// The highest count that was used, by the time and random part of the nonce.
    counts: BTreeMap<(u64, u64), u32>,
    /// Nonces made at this moment or before are stale.
    forgotten_until: Option<u64>,
}

/// What a nonce is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Made here, not too old.
    Fresh(FreshNonce),
    /// Made here, too old or forgotten.
    Stale,
    /// Not made here.
    Foreign,
}

/// A nonce that was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FreshNonce((u64, u64));

impl Nonces {
    pub(crate) fn new(key: [u8; 32], realm: &str) -> Self {
        Self {
            key,
            realm: realm.into(),
            counts: BTreeMap::new(),
            forgotten_until: None,
        }
    }

    /// A new nonce; `random` makes two of one moment differ.
    pub(crate) fn make(&self, now: Timestamp, random: u64) -> String {
        let (time, random) = (now.as_ns().to_be_bytes(), random.to_be_bytes());
        let seal = self.seal(time, random);
        format!("{}{}{}", hex(&time), hex(&random), hex(&seal))
    }

    /// Looks at a nonce that a client shows.
    pub(crate) fn check(&self, now: Timestamp, nonce: &str) -> Standing {
        let Some((made, random, seal)) = taken_apart(nonce) else {
            return Standing::Foreign;
        };
        let expected = self.seal(made.to_be_bytes(), random.to_be_bytes());
        if !bool::from(expected.as_slice().ct_eq(&seal)) {
            return Standing::Foreign;
        }
        let is_forgotten = self.forgotten_until.is_some_and(|until| made <= until);
        if is_forgotten || now.since(Timestamp::from_ns(made)) > NONCE_NS {
            return Standing::Stale;
        }
        Standing::Fresh(FreshNonce((made, random)))
    }

    /// Uses a count of a nonce. False when it or a higher one was used: somebody plays back.
    pub(crate) fn use_count(&mut self, now: Timestamp, nonce: FreshNonce, count: u32) -> bool {
        self.forget_old(now);
        let used = self.counts.entry(nonce.0).or_insert(0);
        let is_new = count > *used;
        *used = (*used).max(count);
        if self.counts.len() > NONCES_MAX
            && let Some(((made, _), _)) = self.counts.pop_first()
        {
            self.forgotten_until = self.forgotten_until.max(Some(made));
        }
        is_new
    }

    fn forget_old(&mut self, now: Timestamp) {
        while let Some(oldest) = self.counts.first_entry() {
            if now.since(Timestamp::from_ns(oldest.key().0)) <= NONCE_NS {
                return;
            }
            oldest.remove();
        }
    }

    fn seal(&self, time: [u8; 8], random: [u8; 8]) -> [u8; SEAL_OCTETS] {
        let mut seal = [0; SEAL_OCTETS];
        // A key of any length is taken.
        if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.key) {
            mac.update(&time);
            mac.update(&random);
            mac.update(self.realm.as_bytes());
            let whole = mac.finalize().into_bytes();
            seal.iter_mut().zip(whole).for_each(|(to, from)| *to = from);
        }
        seal
    }
}

impl std::fmt::Debug for Nonces {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Nonces")
            .field("counts", &self.counts.len())
            .finish_non_exhaustive()
    }
}

/// The time, the random part and the seal of 64 lower-case hexadecimal digits.
fn taken_apart(nonce: &str) -> Option<(u64, u64, [u8; SEAL_OCTETS])> {
    let is_legal = nonce.len() == 64
        && nonce
            .bytes()
            .all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'));
    let part = |range: std::ops::Range<usize>| nonce.get(range).filter(|_| is_legal);
    let time = u64::from_str_radix(part(0..16)?, 16).ok()?;
    let random = u64::from_str_radix(part(16..32)?, 16).ok()?;
    let seal = u128::from_str_radix(part(32..64)?, 16).ok()?;
    Some((time, random, seal.to_be_bytes()))
}

/// Octets of the seal: 128 bits cannot be guessed.
const SEAL_OCTETS: usize = 16;

/// Wrong credentials by source, in windows of time.
#[derive(Debug)]
pub(crate) struct Failures<S> {
    by_source: BTreeMap<S, (Timestamp, u32)>,
    /// In the order in which their windows began.
    order: VecDeque<(Timestamp, S)>,
}

impl<S: Ord + Copy> Failures<S> {
    pub(crate) fn new() -> Self {
        Self {
            by_source: BTreeMap::new(),
            order: VecDeque::new(),
        }
    }

    /// How many there were in the source's present window.
    pub(crate) fn count(&mut self, now: Timestamp, source: S, window_ns: u64) -> u32 {
        while let Some((began, old)) = self.order.front().copied() {
            if now.since(began) < window_ns {
                break;
            }
            self.order.pop_front();
            self.by_source.remove(&old);
        }
        self.by_source.get(&source).map_or(0, |(_, count)| *count)
    }

    /// Counts one more. The source whose window began first is forgotten when there are too many.
    pub(crate) fn add(&mut self, now: Timestamp, source: S, sources_max: usize) {
        if let Some((_, count)) = self.by_source.get_mut(&source) {
            *count = count.saturating_add(1);
            return;
        }
        if self.by_source.len() >= sources_max
            && let Some((_, oldest)) = self.order.pop_front()
        {
            self.by_source.remove(&oldest);
        }
        self.by_source.insert(source, (now, 1));
        self.order.push_back((now, source));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nonces() -> Nonces {
        Nonces::new([7; 32], "r")
    }

    fn at(ns: u64) -> Timestamp {
        Timestamp::from_ns(ns)
    }

    fn fresh(standing: Standing) -> FreshNonce {
        match standing {
            Standing::Fresh(nonce) => nonce,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn nonce_is_fresh_for_its_time_and_stale_then() {
        let nonces = nonces();
        let nonce = nonces.make(at(5), 1);
        assert!(matches!(
            nonces.check(at(5 + NONCE_NS), &nonce),
            Standing::Fresh(_)
        ));
        assert_eq!(nonces.check(at(6 + NONCE_NS), &nonce), Standing::Stale);
    }

    #[test]
    fn nonce_with_one_digit_changed_or_of_another_realm_is_foreign() {
        let nonces = nonces();
        let nonce = nonces.make(at(5), 1);
        for place in 0..nonce.len() {
            let mut other = nonce.clone().into_bytes();
            other[place] = if other[place] == b'0' { b'1' } else { b'0' };
            let other = String::from_utf8(other).unwrap();
            assert_eq!(nonces.check(at(5), &other), Standing::Foreign);
        }
        assert_eq!(nonces.check(at(5), &nonce[1..]), Standing::Foreign);
        assert_eq!(nonces.check(at(5), ""), Standing::Foreign);
        for other in [format!("{nonce}0"), nonce.to_uppercase()] {
            assert_eq!(nonces.check(at(5), &other), Standing::Foreign, "{other}");
        }
        let other = Nonces::new([7; 32], "s");
        assert_eq!(other.check(at(5), &nonce), Standing::Foreign);
    }

    #[test]
    fn nonce_count_is_taken_once_and_only_upwards() {
        let mut nonces = nonces();
        let nonce = nonces.make(at(5), 1);
        let nonce = fresh(nonces.check(at(5), &nonce));
        assert!(nonces.use_count(at(5), nonce, 1));
        assert!(!nonces.use_count(at(5), nonce, 1));
        assert!(nonces.use_count(at(5), nonce, 3));
        assert!(!nonces.use_count(at(5), nonce, 2));
    }

    #[test]
    fn nonce_whose_count_was_forgotten_is_stale() {
        let mut nonces = nonces();
        let first = nonces.make(at(5), 0);
        for number in 0..=NONCES_MAX {
            let number = u64::try_from(number).unwrap();
            let nonce = nonces.make(at(5 + number), 0);
            let nonce = fresh(nonces.check(at(100_000), &nonce));
            assert!(nonces.use_count(at(100_000), nonce, 1));
        }
        assert_eq!(nonces.counts.len(), NONCES_MAX);
        assert_eq!(nonces.check(at(100_000), &first), Standing::Stale);
    }

    #[test]
    fn count_of_a_nonce_is_forgotten_when_the_nonce_is_stale() {
        let mut nonces = nonces();
        for (now, rows) in [(5, 1), (5 + NONCE_NS, 2), (6 + NONCE_NS, 2)] {
            let nonce = nonces.make(at(now), 1);
            let nonce = fresh(nonces.check(at(now), &nonce));
            assert!(nonces.use_count(at(now), nonce, 1));
            assert_eq!(nonces.counts.len(), rows);
        }
    }

    #[test]
    fn failures_are_counted_in_a_window_and_in_a_bounded_table() {
        let mut failures = Failures::new();
        failures.add(at(0), 'a', 2);
        failures.add(at(5), 'a', 2);
        failures.add(at(6), 'b', 2);
        assert_eq!(failures.count(at(9), 'a', 10), 2);
        assert_eq!(failures.count(at(10), 'a', 10), 0);
        assert_eq!(failures.count(at(10), 'b', 10), 1);
        failures.add(at(11), 'c', 2);
        failures.add(at(12), 'd', 2);
        assert_eq!(failures.count(at(12), 'b', 10), 0);
        assert_eq!(failures.by_source.len(), failures.order.len());
    }
}
