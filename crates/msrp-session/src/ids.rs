//! Ids that no peer can predict.

use msrp_wire::{MessageId, TransactionId};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// Draws transaction ids, Message-IDs and session ids of 128 bits each from a cryptographic
/// generator. The seed comes in: in service from the operating system, in a simulation from the
/// run's seed.
///
/// # Spec
/// RFC 4975 s.7.1 (64 bits), s.14.1 (80 bits).
#[derive(Debug, Clone)]
pub struct IdSource {
    generator: ChaCha12Rng,
}

impl IdSource {
    /// A source that draws the same ids for the same seed.
    #[must_use]
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self {
            generator: ChaCha12Rng::from_seed(seed),
        }
    }

    /// 128 unpredictable bits.
    pub fn bits(&mut self) -> u128 {
        let high = u128::from(self.generator.next_u64());
        let low = u128::from(self.generator.next_u64());
        (high << 64) | low
    }

    /// A new transaction id.
    pub fn transaction_id(&mut self) -> TransactionId {
        TransactionId::from_random(self.bits())
    }

    /// A new Message-ID.
    pub fn message_id(&mut self) -> MessageId {
        MessageId::from_random(self.bits())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // covers: MSRP-4975-7.1-02, MSRP-4975-7.1.1-01
    #[test]
    fn ids_of_one_seed_differ_from_each_other_and_are_the_same_again() {
        let draw = || {
            let mut ids = IdSource::from_seed([3; 32]);
            (0..1000)
                .map(|_| ids.transaction_id())
                .collect::<std::collections::BTreeSet<_>>()
        };
        assert_eq!(draw().len(), 1000);
        assert_eq!(draw(), draw());
        let mut other = IdSource::from_seed([4; 32]);
        assert!(!draw().contains(&other.transaction_id()));
    }
}
