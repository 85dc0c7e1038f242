//! Times as a terminal shows them. All are UTC, as in the log.

use std::time::Duration;

/// The time of day, from milliseconds since 1970.
pub(super) fn clock_time(time_ms: u64) -> String {
    let seconds = time_ms / 1000 % (24 * 3600);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{hours:02}:{minutes:02}:{seconds:02}")
}

/// How long something has lasted, in its two largest units.
pub(super) fn age(age: Duration) -> String {
    let seconds = age.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min {} s", seconds % 60),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_and_age_are_short() {
        assert_eq!(clock_time(86_400_000 + 3_723_000), "01:02:03");
        assert_eq!(age(Duration::from_secs(59)), "59 s");
        assert_eq!(age(Duration::from_secs(61)), "1 min 1 s");
        assert_eq!(age(Duration::from_secs(7260)), "2 h 1 min");
        assert_eq!(age(Duration::from_secs(90_000)), "1 d 1 h");
    }
}
