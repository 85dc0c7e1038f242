//! What kinds of participants there are.

use std::fmt;
use std::str::FromStr;

/// How a participant behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Temper {
    /// Does what the standard says, at once.
    Correct,
    /// Does what the standard allows and hardly anybody does: chunks out of order and again, chunks of a few octets,
    /// messages mixed with each other, answers that nobody asked for.
    Lax,
    /// Reads little at a time, and late.
    Slow,
    /// Goes away in the middle: closed, broken, or silent.
    Dying,
    /// Wants to do harm on its own.
    Hostile,
    /// Tells others what it sees, so that they can do harm with it.
    Colluding,
}

impl Temper {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Correct,
        Self::Lax,
        Self::Slow,
        Self::Dying,
        Self::Hostile,
        Self::Colluding,
    ];

    /// One lower-case word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Correct => "correct",
            Self::Lax => "lax",
            Self::Slow => "slow",
            Self::Dying => "dying",
            Self::Hostile => "hostile",
            Self::Colluding => "colluding",
        }
    }

    /// Whether it breaks no rule, so that nothing may happen to it that it did not ask for.
    #[must_use]
    pub fn is_honest(self) -> bool {
        match self {
            Self::Correct | Self::Lax | Self::Slow => true,
            Self::Dying | Self::Hostile | Self::Colluding => false,
        }
    }
}

impl fmt::Display for Temper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Temper {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|temper| temper.as_str() == text);
        found.ok_or_else(|| {
            let known: Vec<_> = Self::ALL.iter().map(|temper| temper.as_str()).collect();
            format!("{text:?} is no temper; one of: {}", known.join(", "))
        })
    }
}
