//! The Byte-Range header field.

use std::fmt;

/// `start-end/total`; the first octet of a message has the position 1.
///
/// # Spec
/// RFC 4975 s.7.1.1 and s.9.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteRange {
    /// Position of the first octet.
    pub start: u64,
    /// Position of the last octet; `None` is `*`.
    pub end: Option<u64>,
    /// Octets of the whole message; `None` is `*`.
    pub total: Option<u64>,
}

impl ByteRange {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let fault = || format!("Byte-Range {text:?}");
        let (start, rest) = text.split_once('-').ok_or_else(fault)?;
        let (end, total) = rest.split_once('/').ok_or_else(fault)?;
        Ok(Self {
            start: number(start).ok_or_else(fault)?,
            end: number_or_star(end).ok_or_else(fault)?,
            total: number_or_star(total).ok_or_else(fault)?,
        })
    }

    /// The position of the last octet of a body; one before the start when the body is empty.
    pub(crate) fn reached(&self, octets: u64) -> u64 {
        (self.start - 1).saturating_add(octets)
    }

    /// Checks the range against itself and against the octets of the body it came with.
    pub(crate) fn check(&self, body_octets: Option<usize>) -> Result<(), String> {
        let octets = u64::try_from(body_octets.unwrap_or(0)).expect("usize fits u64");
        if self.start == 0 {
            return Err(format!("Byte-Range {self} starts before octet 1"));
        }
        let reached = self.reached(octets);
        if self.end.is_some_and(|end| end != reached) {
            return Err(format!("Byte-Range {self} with a body of {octets} octets"));
        }
        if self.total.is_some_and(|total| total < reached) {
            return Err(format!(
                "Byte-Range {self} with a body of {octets} octets passes its total"
            ));
        }
        if body_octets.is_none() && self.start != 1 {
            return Err(format!("Byte-Range {self} without a body"));
        }
        Ok(())
    }
}

impl fmt::Display for ByteRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let star = |number: Option<u64>| number.map_or("*".into(), |number| number.to_string());
        write!(f, "{}-{}/{}", self.start, star(self.end), star(self.total))
    }
}

fn number(text: &str) -> Option<u64> {
    if text.bytes().all(|octet| octet.is_ascii_digit()) {
        text.parse().ok()
    } else {
        None
    }
}

/// The outer option is the verdict, the inner one the value.
#[expect(
    clippy::option_option,
    reason = "a legal star and an illegal text are different"
)]
fn number_or_star(text: &str) -> Option<Option<u64>> {
    if text == "*" {
        Some(None)
    } else {
        number(text).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn byte_range_legal_is_written_as_read() {
        for text in ["1-25/25", "1-*/*", "1-0/0", "26-50/*", "5-*/8"] {
            assert_eq!(ByteRange::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn byte_range_illegal_is_refused() {
        for text in [
            "", "1", "1-2", "-2/3", "*-2/3", "1-+2/3", "1-2/", "1-2/3/4", "1 -2/3", "1-2/3 ",
        ] {
            assert!(ByteRange::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn byte_range_against_body_must_be_exact() {
        let check = |text: &str, octets| ByteRange::parse(text).unwrap().check(octets).is_ok();
        assert!(check("1-3/3", Some(3)) && check("1-3/9", Some(3)) && check("4-*/*", Some(3)));
        assert!(check("1-0/0", None) && check("1-0/0", Some(0)) && check("4-3/9", Some(0)));
        assert!(!check("1-3/3", Some(2)) && !check("1-3/2", Some(3)) && !check("0-2/3", Some(3)));
        assert!(!check("4-*/5", Some(3)) && !check("4-3/9", None));
    }
}
