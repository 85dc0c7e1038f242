//! Time and chance of a simulated run.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use msrp_session::{IdSource, Timestamp};

/// The clock that the caller sets, and a generator that gives the same again for the same seed.
#[derive(Debug)]
pub struct Run {
    now_ns: AtomicU64,
    chance: Mutex<IdSource>,
}

impl Run {
    /// A run of this seed, at the time 0.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut octets = [0; 32];
        octets[..8].copy_from_slice(&seed.to_le_bytes());
        Self {
            now_ns: AtomicU64::new(0),
            chance: Mutex::new(IdSource::from_seed(octets)),
        }
    }

    /// It is so many nanoseconds after the start. Time that would go back stands still.
    pub fn set_now_ns(&self, now_ns: u64) {
        self.now_ns.fetch_max(now_ns, Ordering::Relaxed);
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_ns(self.now_ns.load(Ordering::Relaxed))
    }

    pub(crate) fn unix_seconds(&self) -> u64 {
        START_UNIX_SECONDS + self.now_ns.load(Ordering::Relaxed) / 1_000_000_000
    }

    pub(crate) fn fill(&self, octets: &mut [u8]) {
        let mut chance = self.chance.lock().unwrap_or_else(PoisonError::into_inner);
        for part in octets.chunks_mut(16) {
            let bits = chance.bits().to_le_bytes();
            let (bits, _) = bits.split_at(part.len());
            part.copy_from_slice(bits);
        }
    }
}

/// The time of day at which every run begins.
const START_UNIX_SECONDS: u64 = 1_700_000_000;
