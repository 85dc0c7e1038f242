//! Time of one run: nanoseconds since its start, the same for all threads.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Counts from the start of the run.
#[derive(Debug, Clone, Copy)]
pub struct Clock(Instant);

impl Clock {
    /// Starts now.
    #[must_use]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Nanoseconds since the start.
    #[must_use]
    pub fn now_ns(&self) -> u64 {
        nanoseconds(self.0.elapsed())
    }
}

/// A duration as nanoseconds; the largest number when it is longer than five centuries.
#[must_use]
pub fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// The present time as a DateTime header field has it. A clock before 1970 shows its first second.
#[must_use]
pub fn datetime_now() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    msrp_wire::cpim::datetime(since.map_or(0, |since| since.as_secs()))
}
