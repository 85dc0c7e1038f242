//! Latencies: a histogram with three significant digits, and what is quoted from it.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::clock::nanoseconds;
use crate::limits::LATENCY_MAX;

/// A distribution of latencies.
#[derive(Debug, Clone)]
pub struct Latencies(Option<Histogram<u64>>);

/// What is quoted of a distribution, in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Quantiles {
    /// How many there were.
    pub count: u64,
    /// Half of them were at most this.
    pub p50_ms: f64,
    /// 90 in 100 were at most this.
    pub p90_ms: f64,
    /// 99 in 100 were at most this.
    pub p99_ms: f64,
    /// 999 in 1000 were at most this.
    pub p999_ms: f64,
    /// The longest.
    pub max_ms: f64,
}

impl Latencies {
    /// An empty distribution. About 200 KiB.
    #[must_use]
    pub fn new() -> Self {
        let max = nanoseconds(LATENCY_MAX);
        // The bounds are constants that the crate accepts; without them nothing would be recorded.
        Self(Histogram::new_with_bounds(LATENCY_NS_MIN, max, SIGNIFICANT_DIGITS).ok())
    }

    /// Records one latency. Below a microsecond it counts as one, above two minutes as two minutes.
    pub fn record(&mut self, nanoseconds: u64) {
        if let Some(histogram) = &mut self.0 {
            histogram.saturating_record(nanoseconds);
        }
    }

    /// Adds all latencies of another distribution.
    pub fn merge(&mut self, other: &Self) {
        if let (Some(histogram), Some(other)) = (&mut self.0, &other.0) {
            // Both have the same bounds.
            let _ = histogram.add(other);
        }
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        if let Some(histogram) = &mut self.0 {
            histogram.reset();
        }
    }

    /// What is quoted.
    #[must_use]
    pub fn quantiles(&self) -> Quantiles {
        let Some(histogram) = &self.0 else {
            return Quantiles::default();
        };
        let at = |quantile| milliseconds(histogram.value_at_quantile(quantile));
        Quantiles {
            count: histogram.len(),
            p50_ms: at(0.5),
            p90_ms: at(0.9),
            p99_ms: at(0.99),
            p999_ms: at(0.999),
            max_ms: milliseconds(histogram.max()),
        }
    }
}

impl Default for Latencies {
    fn default() -> Self {
        Self::new()
    }
}

fn milliseconds(nanoseconds: u64) -> f64 {
    Duration::from_nanos(nanoseconds).as_secs_f64() * 1e3
}

const LATENCY_NS_MIN: u64 = 1000;
const SIGNIFICANT_DIGITS: u8 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_of_a_known_distribution_are_right() {
        let mut latencies = Latencies::new();
        for micros in 1..=1000 {
            latencies.record(micros * 1000);
        }
        let quantiles = latencies.quantiles();
        assert_eq!(quantiles.count, 1000);
        let near = |value: f64, expected: f64| (value - expected).abs() <= expected / 500.0;
        assert!(near(quantiles.p50_ms, 0.5), "{quantiles:?}");
        assert!(near(quantiles.p99_ms, 0.99), "{quantiles:?}");
        assert!(near(quantiles.max_ms, 1.0), "{quantiles:?}");
    }

    #[test]
    fn latencies_merged_and_cleared_count_right() {
        let (mut one, mut other) = (Latencies::new(), Latencies::new());
        one.record(5_000_000);
        other.record(u64::MAX);
        one.merge(&other);
        assert_eq!(one.quantiles().count, 2);
        assert!(one.quantiles().max_ms > 100_000.0);
        one.clear();
        assert_eq!(one.quantiles().count, 0);
    }
}
