//! How often a participant may begin a message.

use std::fmt;

/// How often a participant may begin a message: so many in so many seconds on average, so many at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageRate {
    messages: u32,
    per_s: u32,
    burst: u32,
}

/// A number of a [`MessageRate`] is out of its bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateError {
    /// Which one: `messages`, `per_s` or `burst`.
    pub name: &'static str,
    /// The largest that is taken; the smallest is 1.
    pub max: u32,
}

impl MessageRate {
    /// This many `messages` in each `per_s` seconds, and a `burst` at once after a silence.
    ///
    /// # Errors
    /// A number is 0, or above [`RATE_MESSAGES_MAX`], [`RATE_SECONDS_MAX`] or [`RATE_BURST_MAX`].
    pub fn new(messages: u32, per_s: u32, burst: u32) -> Result<Self, RateError> {
        let bounds = [
            ("messages", messages, RATE_MESSAGES_MAX),
            ("per_s", per_s, RATE_SECONDS_MAX),
            ("burst", burst, RATE_BURST_MAX),
        ];
        match bounds
            .iter()
            .find(|(_, value, max)| !(1..=*max).contains(value))
        {
            Some((name, _, max)) => Err(RateError { name, max: *max }),
            None => Ok(Self {
                messages,
                per_s,
                burst,
            }),
        }
    }

    /// Messages in [`MessageRate::per_s`] seconds.
    #[must_use]
    pub fn messages(self) -> u32 {
        self.messages
    }

    /// The seconds.
    #[must_use]
    pub fn per_s(self) -> u32 {
        self.per_s
    }

    /// Messages at once.
    #[must_use]
    pub fn burst(self) -> u32 {
        self.burst
    }
}

impl fmt::Display for RateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of a rate has to be 1 to {}", self.name, self.max)
    }
}

impl std::error::Error for RateError {}

/// Most messages of a rate.
pub const RATE_MESSAGES_MAX: u32 = 1_000_000;
/// Longest time of a rate, in seconds: a day.
pub const RATE_SECONDS_MAX: u32 = 86_400;
/// Largest burst of a rate.
pub const RATE_BURST_MAX: u32 = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_rate_names_the_number_that_is_out_of_bounds() {
        let name =
            |messages, per_s, burst| MessageRate::new(messages, per_s, burst).map_err(|e| e.name);
        assert_eq!(name(0, 1, 1), Err("messages"));
        assert_eq!(name(1, RATE_SECONDS_MAX + 1, 1), Err("per_s"));
        assert_eq!(name(1, 1, 0), Err("burst"));
        let most = name(RATE_MESSAGES_MAX, RATE_SECONDS_MAX, RATE_BURST_MAX);
        assert!(most.is_ok());
    }
}
