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
