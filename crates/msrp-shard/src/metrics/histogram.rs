//! How long something took, in buckets.
//!
//! Two sets of buckets are counted side by side. The *classic* ones have the bounds that people put
//! into rules; there are few, so quantiles between them are guesses. The *native* ones grow by the
//! eighth root of two, so a quantile is never off by more than a tenth; only one of the formats in
//! which Prometheus reads can carry them.
//!
//! What leaves at once has been on its way for equally long: equal times that come one after the
//! other are kept as a run, which costs one comparison each, and go into the buckets together.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use msrp_control::metrics::{Histogram, Native};

/// The numbers of one shard. The shard alone writes; anybody reads.
#[derive(Debug)]
pub(crate) struct Buckets {
    native: [AtomicU64; NATIVE_BOUNDS + 1],
    classic: [AtomicU64; CLASSIC_BOUNDS_NS.len() + 1],
    sum_ns: AtomicU64,
}

impl Default for Buckets {
    fn default() -> Self {
        Self {
            native: [const { AtomicU64::new(0) }; NATIVE_BOUNDS + 1],
            classic: [const { AtomicU64::new(0) }; CLASSIC_BOUNDS_NS.len() + 1],
            sum_ns: AtomicU64::new(0),
        }
    }
}

impl Buckets {
    /// Something took so long, so many times.
    pub(crate) fn add(&self, ns: u64, count: u64) {
        let native = BOUNDS_NS.partition_point(|bound| *bound < ns);
        let classic = CLASSIC_BOUNDS_NS.partition_point(|bound| *bound < ns);
        let cells = [self.native.get(native), self.classic.get(classic)];
        for cell in cells.into_iter().flatten() {
            raise(cell, count);
        }
        raise(&self.sum_ns, ns.saturating_mul(count));
    }

    fn read(&self) -> (Vec<u64>, Vec<u64>, u64) {
        let read = |cells: &[AtomicU64]| cells.iter().map(load).collect();
        (read(&self.native), read(&self.classic), load(&self.sum_ns))
    }
}

/// Equal times that came one after the other.
#[derive(Debug, Default)]
pub(crate) struct Run {
    ns: u64,
    count: u64,
}

impl Run {
    /// Something took so long.
    pub(crate) fn add(&mut self, ns: u64, buckets: &Buckets) {
        if ns != self.ns {
            self.end(buckets);
            self.ns = ns;
        }
        self.count += 1;
    }

    /// Puts what was kept into the buckets.
    pub(crate) fn end(&mut self, buckets: &Buckets) {
        if self.count > 0 {
            buckets.add(self.ns, std::mem::take(&mut self.count));
        }
    }
}

/// The sum of all shards.
pub(crate) fn sum(
    (name, help): (&'static str, &'static str),
    shards: impl Iterator<Item = Arc<super::Counters>>,
    of: fn(&super::Counters) -> &Buckets,
) -> Histogram {
    let mut native = vec![0_u64; NATIVE_BOUNDS + 1];
    let mut classic = vec![0_u64; CLASSIC_BOUNDS_NS.len() + 1];
    let mut sum_ns = 0_u64;
    for shard in shards {
        let read = of(&shard).read();
        let pairs = native.iter_mut().zip(read.0);
        for (sum, count) in pairs.chain(classic.iter_mut().zip(read.1)) {
            *sum = sum.wrapping_add(count);
        }
        sum_ns = sum_ns.wrapping_add(read.2);
    }
    let zero_count = native.first().copied().unwrap_or_default();
    let buckets = (FIRST_INDEX + 1..).zip(native.iter().copied().skip(1));
    Histogram {
        name,
        help,
        sum_ns,
        // Both sets hold the same, but are read one after the other.
        count: classic.iter().sum::<u64>().max(native.iter().sum()),
        classic: CLASSIC_BOUNDS_NS.into_iter().zip(classic).collect(),
        native: Native {
            schema: SCHEMA,
            zero_threshold_s: bound_s(FIRST_INDEX),
            zero_count,
            buckets: buckets.filter(|(_, count)| *count > 0).collect(),
        },
    }
}

fn raise(cell: &AtomicU64, by: u64) {
    cell.store(load(cell).wrapping_add(by), Ordering::Relaxed);
}

fn load(cell: &AtomicU64) -> u64 {
    cell.load(Ordering::Relaxed)
}

/// The upper bound of a native bucket, in seconds.
fn bound_s(index: i32) -> f64 {
    2_f64.powf(f64::from(index) / f64::from(1 << SCHEMA))
}

/// The upper bounds of the native buckets, in nanoseconds, rounded down: whole numbers on either side
/// of a bound stay there.
static BOUNDS_NS: LazyLock<[u64; NATIVE_BOUNDS]> = LazyLock::new(|| {
    let mut index = FIRST_INDEX;
    std::array::from_fn(|_| {
        let ns = bound_s(index) * 1e9;
        index += 1;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 953 and 64 thousand million"
        )]
        let ns = ns as u64;
        ns
    })
});

/// Each doubling is cut into eight buckets.
const SCHEMA: i32 = 3;
/// The lowest bound is 2^-20 s, about a microsecond: below it nothing is told apart.
const FIRST_INDEX: i32 = -20 * 8;
/// The highest bound is 2^6 s: what takes longer is counted in the bucket above it.
const NATIVE_BOUNDS: usize = 26 * 8 + 1;
/// From what a node without load needs to the time after which a recipient is given up.
const CLASSIC_BOUNDS_NS: [u64; 15] = [
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    1_000_000_000,
    5_000_000_000,
    10_000_000_000,
    30_000_000_000,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Counters;

    fn histogram(times: &[(u64, u64)]) -> Histogram {
        let counters = Arc::new(Counters::default());
        for (ns, count) in times {
            counters.latency.add(*ns, *count);
        }
        sum(("a", "b"), [counters].into_iter(), |c| &c.latency)
    }

    #[test]
    fn histogram_puts_each_time_below_the_bounds_that_it_does_not_pass() {
        // One second is a bound of both sets, and belongs below it.
        let read = histogram(&[
            (1_000_000_000, 1),
            (1_000_000_001, 2),
            (500, 4),
            (u64::MAX / 8, 1),
        ]);
        assert_eq!((read.count, read.native.zero_count), (8, 4));
        assert_eq!(read.native.buckets, [(0, 1), (1, 2), (49, 1)]);
        let classic: Vec<_> = read
            .classic
            .iter()
            .filter(|(_, count)| *count > 0)
            .collect();
        assert_eq!(
            classic,
            [&(100_000, 4), &(1_000_000_000, 1), &(5_000_000_000, 2)]
        );
    }

    #[test]
    fn histogram_native_buckets_are_a_tenth_wide_at_most() {
        for pair in BOUNDS_NS.windows(2) {
            assert!(
                pair[0] < pair[1] && pair[1] * 10 <= pair[0] * 11,
                "{pair:?}"
            );
        }
        assert_eq!(
            (BOUNDS_NS[0], BOUNDS_NS[NATIVE_BOUNDS - 1]),
            (953, 64_000_000_000)
        );
    }

    #[test]
    fn run_of_equal_times_is_counted_whole() {
        let buckets = Buckets::default();
        let mut run = Run::default();
        for ns in [5, 5, 5, 2_000_000, 5] {
            run.add(ns, &buckets);
        }
        assert_eq!(
            buckets.read().1.iter().sum::<u64>(),
            4,
            "the last one is kept"
        );
        run.end(&buckets);
        run.end(&buckets);
        let (native, classic, sum_ns) = buckets.read();
        assert_eq!((native[0], classic[0], classic[4]), (4, 4, 1));
        assert_eq!(sum_ns, 2_000_020);
    }
}
