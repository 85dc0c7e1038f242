//! How often something may happen: a bucket of tokens that fills by one in each interval.
//!
//! The bucket is kept as the time up to which what happened is paid for, so it needs no timer and eight octets:
//! each time moves it on by one interval, and it may not be further ahead than a burst of them.

use msrp_session::Timestamp;

/// How often something may happen: `count` times in `per_ns` on average, `burst` times at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How often in `per_ns`; 0 counts as 1.
    pub count: u32,
    /// The time, in nanoseconds.
    pub per_ns: u64,
    /// How often at once.
    pub burst: u32,
}

/// What has happened so far.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Paid {
    until: Timestamp,
}

/// The rate of one participant's messages, and what it has sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    pub(crate) rate: Rate,
    pub(crate) paid: Paid,
}

impl Paid {
    /// Whether it may happen once more; counts it if so.
    pub(crate) fn take(&mut self, now: Timestamp, rate: Rate) -> bool {
        let interval_ns = rate
            .per_ns
            .checked_div(rate.count.into())
            .unwrap_or(rate.per_ns);
        let until = self.until.max(now).after(interval_ns);
        let is_within = until.since(now) <= interval_ns.saturating_mul(rate.burst.into());
        if is_within {
            self.until = until;
        }
        is_within
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bucket_gives_a_burst_and_then_one_in_each_interval() {
        let rate = Rate {
            count: 10,
            per_ns: 1000,
            burst: 3,
        };
        let mut paid = Paid::default();
        let at = |ns| Timestamp::default().after(ns);
        let taken = |paid: &mut Paid, ns| (0..5).filter(|_| paid.take(at(ns), rate)).count();
        assert_eq!(taken(&mut paid, 1000), 3);
        assert_eq!(taken(&mut paid, 1099), 0);
        assert_eq!(taken(&mut paid, 1100), 1);
        assert_eq!(taken(&mut paid, 1250), 1);
        assert_eq!(taken(&mut paid, 1300), 1);
        assert_eq!(
            taken(&mut paid, 9000),
            3,
            "it never holds more than a burst"
        );
    }
}
