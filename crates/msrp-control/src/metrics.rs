//! The shape of a metric sample, for whoever renders them.

/// How a metric behaves over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows while the process lives.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Time that only grows while the process lives. The value is in nanoseconds; it is shown in
    /// seconds.
    CounterNs,
    /// Time that goes up and down, in nanoseconds; it is shown in seconds.
    GaugeNs,
}

impl Kind {
    /// The word of the Prometheus formats.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Counter | Self::CounterNs => "counter",
            Self::Gauge | Self::GaugeNs => "gauge",
        }
    }
}

/// One value of one metric. Labels never hold a user, a room or a call.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The metric's name.
    pub name: &'static str,
    /// One sentence about it, with its unit.
    pub help: &'static str,
    /// How it behaves.
    pub kind: Kind,
    /// Label names and values.
    pub labels: Vec<(&'static str, String)>,
    /// The value, in the unit of its kind.
    pub value: u64,
}

/// How long something took, in two sets of buckets that hold the same.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    /// The metric's name, which ends with `_seconds`.
    pub name: &'static str,
    /// One sentence about it.
    pub help: &'static str,
    /// How many times there were.
    pub count: u64,
    /// Their sum, in nanoseconds.
    pub sum_ns: u64,
    /// Upper bounds in nanoseconds, ascending, and how many times are above the bound before and not
    /// above this one. What is above the last bound is in `count` alone.
    pub classic: Vec<(u64, u64)>,
    /// The fine buckets.
    pub native: Native,
}

/// Buckets that grow by the same factor each.
#[derive(Debug, Clone, PartialEq)]
pub struct Native {
    /// A bucket of this index has 2^(index / 2^schema) s as its upper bound.
    pub schema: i32,
    /// What takes this long or less, in seconds, is in none of the buckets.
    pub zero_threshold_s: f64,
    /// How many times that was.
    pub zero_count: u64,
    /// Indices, ascending, and counts of the buckets that hold something.
    pub buckets: Vec<(i32, u64)>,
}
