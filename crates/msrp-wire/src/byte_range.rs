//! The Byte-Range header field.

use std::fmt;

use crate::malformed::{Malformed, Place};
use crate::octets;

/// Which octets of a message a chunk or a report is about. The first octet of a message is number 1.
///
/// An empty message has the range `1-0/0`. The numbers are what the peer said: the real length of a chunk is the length
/// of its body, and nobody may allocate by these numbers.
///
/// # Spec
/// RFC 4975 s.7.1.1, s.14.5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ByteRange {
    /// Number of the first octet, 1 or more.
    pub start: u64,
    /// Number of the last octet; `None` is `*`, not known or interruptible.
    pub end: Option<u64>,
    /// Octets of the whole message; `None` is `*`, not known.
    pub total: Option<u64>,
}

impl ByteRange {
    /// `1-*/*`: what a request without the header field means.
    pub const WHOLE: Self = Self {
        start: 1,
        end: None,
        total: None,
    };

    /// Reads `start-end/total`.
    ///
    /// # Errors
    /// [`Malformed`] at [`Place::ByteRange`]: other characters, a number beyond 64 bits, a start of 0, an end before
    /// the octet in front of the start, or a range beyond the total.
    pub fn parse(text: &[u8]) -> Result<Self, Malformed> {
        Self::read(text).ok_or(Malformed::new(Place::ByteRange, 0))
    }

    fn read(text: &[u8]) -> Option<Self> {
        let (start, rest) = octets::leading_number(text)?;
        let (end, rest) = number_or_star(rest.strip_prefix(b"-")?)?;
        let (total, rest) = number_or_star(rest.strip_prefix(b"/")?)?;
        let range = Self { start, end, total };
        (rest.is_empty() && range.is_legal()).then_some(range)
    }

    fn is_legal(&self) -> bool {
        let Some(before) = self.start.checked_sub(1) else {
            return false;
        };
        let last = self.end.unwrap_or(before);
        last >= before && self.total.is_none_or(|total| total >= last)
    }
}

/// A number or a star, and what is behind it.
fn number_or_star(text: &[u8]) -> Option<(Option<u64>, &[u8])> {
    if let Some(rest) = text.strip_prefix(b"*") {
        return Some((None, rest));
    }
    octets::leading_number(text).map(|(number, rest)| (Some(number), rest))
}

impl fmt::Display for ByteRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-", self.start)?;
        match self.end {
            Some(end) => write!(f, "{end}/")?,
            None => f.write_str("*/")?,
        }
        match self.total {
            Some(total) => write!(f, "{total}"),
            None => f.write_str("*"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // covers: MSRP-4975-7.1.1-14, MSRP-4975-7.1.1-15, MSRP-4975-7.1.1-16, MSRP-4975-7.1.1-17, MSRP-4975-7.1.1-18, MSRP-4975-7.1.1-20
    #[test]
    fn byte_range_of_legal_text_round_trips() {
        let cases = [
            ("1-16/16", 1, Some(16), Some(16)),
            ("1-*/*", 1, None, None),
            ("1-*/25", 1, None, Some(25)),
            ("5-8/*", 5, Some(8), None),
            ("1-0/0", 1, Some(0), Some(0)),
            ("9-8/8", 9, Some(8), Some(8)),
            (
                "18446744073709551615-18446744073709551615/18446744073709551615",
                u64::MAX,
                Some(u64::MAX),
                Some(u64::MAX),
            ),
        ];
        for (text, start, end, total) in cases {
            let range = ByteRange::parse(text.as_bytes()).unwrap();
            assert_eq!(range, ByteRange { start, end, total });
            assert_eq!(range.to_string(), text);
        }
    }

    #[test]
    fn byte_range_of_illegal_text_is_malformed() {
        let cases = [
            "",
            "1",
            "1-2",
            "1/2",
            "-2/3",
            "1-/3",
            "1-2/",
            "*-2/3",
            "0-2/3",
            "5-3/9",
            "1-9/8",
            "9-*/7",
            "1-2/3/4",
            "+1-2/3",
            "1 -2/3",
            "a-b/c",
            "18446744073709551616-*/*",
        ];
        for text in cases {
            assert!(ByteRange::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
