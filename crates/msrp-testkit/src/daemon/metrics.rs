//! Values in the Prometheus text format.

use std::time::Duration;

/// Pause between two readings while a test waits for a value.
pub(super) const POLL: Duration = Duration::from_millis(10);

/// The value of a series as written with its labels.
pub(super) fn value(text: &str, series: &str) -> Option<f64> {
    text.lines().find_map(|line| {
        line.strip_prefix(series)?
            .strip_prefix(' ')?
            .split(' ')
            .next()?
            .parse()
            .ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn value_of_a_series_is_found_by_its_full_name() {
        let text = "# HELP a_total x\na_total{k=\"v\"} 1\na_total_b 2\na_total 3.5 1700000000\n";
        assert_eq!(value(text, "a_total"), Some(3.5));
        assert_eq!(value(text, "a_total{k=\"v\"}"), Some(1.0));
        assert_eq!(value(text, "a"), None);
    }
}
