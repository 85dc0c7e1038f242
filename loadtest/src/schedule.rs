//! When a sender of an open loop means to send: fixed or exponential spacing, the same for the same seed.
//!
//! The times do not depend on how fast the server is. A sender that cannot keep up works off its schedule late, and every
//! latency counts from the time in the schedule: a server that stops for a second shows a second, not one slow message.

use clap::ValueEnum;
use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};
use serde::Serialize;

/// How the messages of a sender lie in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Spacing {
    /// Random, as independent people send: a Poisson process.
    Exponential,
    /// The same gap between all; senders are spread over the first gap.
    Fixed,
}

/// The times of one sender, in nanoseconds since the start of the run. Never ends.
#[derive(Debug, Clone)]
pub struct Schedule {
    next_ns: f64,
    gap_ns: f64,
    spacing: Spacing,
    random: ChaCha8Rng,
}

impl Schedule {
    /// The times of sender number `sender` from `start_ns` on, at `rate` a second.
    #[must_use]
    pub fn new(spacing: Spacing, rate: f64, start_ns: u64, seed: u64, sender: u32) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(u64::from(sender));
        let mut schedule = Self {
            next_ns: 0.0,
            gap_ns: 1e9 / rate,
            spacing,
            random,
        };
        let first = match spacing {
            Spacing::Exponential => schedule.gap(),
            Spacing::Fixed => schedule.gap_ns * schedule.fraction(),
        };
        schedule.next_ns = to_f64(start_ns) + first;
        schedule
    }

    /// The next time, without taking it.
    #[must_use]
    pub fn peek(&self) -> u64 {
        to_u64(self.next_ns)
    }

    /// Takes the next time.
    pub fn take(&mut self) -> u64 {
        let time = self.peek();
        self.next_ns += self.gap();
        time
    }

    fn gap(&mut self) -> f64 {
        match self.spacing {
            Spacing::Exponential => -self.gap_ns * (1.0 - self.fraction()).ln(),
            Spacing::Fixed => self.gap_ns,
        }
    }

    /// At least 0, below 1.
    fn fraction(&mut self) -> f64 {
        to_f64(self.random.next_u64() >> 11) / to_f64(1 << 53)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "never negative; a run of a hundred days is exact to the nanosecond"
)]
fn to_u64(value: f64) -> u64 {
    value as u64
}

fn to_f64(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixed_schedule_has_one_gap() {
        let mut schedule = Schedule::new(Spacing::Fixed, 1000.0, 5_000_000, 1, 2);
        let first = schedule.take();
        assert!((5_000_000..6_000_000).contains(&first), "{first}");
        for count in 1..100 {
            let time = schedule.take();
            assert!(time.abs_diff(first + count * 1_000_000) <= 1, "{time}");
        }
    }

    #[test]
    fn exponential_schedule_has_its_mean_and_its_spread() {
        let mut schedule = Schedule::new(Spacing::Exponential, 1000.0, 0, 7, 0);
        let times: Vec<u64> = (0..100_000).map(|_| schedule.take()).collect();
        assert!(times.is_sorted());
        let mean = times[99_999] / 100_000;
        assert!((980_000..1_020_000).contains(&mean), "{mean}");
        // Of an exponential distribution 1/e are longer than the mean.
        let longer = times.windows(2).filter(|w| w[1] - w[0] > 1_000_000).count();
        assert!((36_000..37_600).contains(&longer), "{longer}");
    }

    #[test]
    fn schedule_follows_seed_and_sender() {
        let times = |seed, sender| {
            let mut schedule = Schedule::new(Spacing::Exponential, 10.0, 0, seed, sender);
            [(); 5].map(|()| schedule.take())
        };
        assert_eq!(times(1, 1), times(1, 1));
        assert_ne!(times(1, 1), times(1, 2));
        assert_ne!(times(1, 1), times(2, 1));
    }
}
