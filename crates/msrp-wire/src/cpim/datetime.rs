//! The value of a DateTime header field, from a number of seconds.

/// `2026-11-21T02:46:05Z` for the seconds since 1970-01-01T00:00:00Z. Takes the time as a number: this crate reads no
/// clock. One allocation.
///
/// # Spec
/// RFC 3862 s.4.2, RFC 3339 s.5.6.
#[must_use]
pub fn datetime(unix_seconds: u64) -> String {
    let (year, month, day) = civil(unix_seconds / DAY_S);
    let of_day = unix_seconds % DAY_S;
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Year, month and day of a day counted from 1970-01-01, by the calendar's period of 400 years, in which the year
/// begins with March so that the leap day is its last.
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days.saturating_add(DAYS_FROM_MARCH_0);
    let (era, of_era) = (shifted / ERA_DAYS, shifted % ERA_DAYS);
    let leap_days = (of_era / 1460)
        .saturating_add(of_era / 146_096)
        .saturating_sub(of_era / 36_524);
    let year_of_era = of_era.saturating_sub(leap_days) / 365;
    let before_year = year_of_era
        .saturating_mul(365)
        .saturating_add(year_of_era / 4)
        .saturating_sub(year_of_era / 100);
    let of_year = of_era.saturating_sub(before_year);
    let month_from_march = of_year.saturating_mul(5).saturating_add(2) / 153;
    let before_month = month_from_march.saturating_mul(153).saturating_add(2) / 5;
    let day = of_year.saturating_sub(before_month).saturating_add(1);
    let year = era.saturating_mul(400).saturating_add(year_of_era);
    if month_from_march < 10 {
        (year, month_from_march.saturating_add(3), day)
    } else {
        (
            year.saturating_add(1),
            month_from_march.saturating_sub(9),
            day,
        )
    }
}

const DAY_S: u64 = 86_400;
/// Days of 400 years.
const ERA_DAYS: u64 = 146_097;
/// Days from 0000-03-01 to 1970-01-01.
const DAYS_FROM_MARCH_0: u64 = 719_468;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datetime_known_times_are_written() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (68_169_599, "1972-02-28T23:59:59Z"),
            (68_169_600, "1972-02-29T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_735_689_599, "2024-12-31T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(datetime(seconds), text);
        }
    }

    #[test]
    fn datetime_goes_on_day_by_day() {
        let is_leap = |year: u64| {
            year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
        };
        let mut day = 0;
        for year in 1970..2500 {
            for month in 1..=12 {
                let days = match month {
                    2 => 28 + u64::from(is_leap(year)),
                    4 | 6 | 9 | 11 => 30,
                    _ => 31,
                };
                for of_month in 1..=days {
                    assert_eq!(civil(day), (year, month, of_month));
                    day += 1;
                }
            }
        }
    }
}
