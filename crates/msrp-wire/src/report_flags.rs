//! The Success-Report and Failure-Report header fields.

/// Whether the sender of a message wants to be told of success.
///
/// # Spec
/// RFC 4975 s.7.1.1. Absent means `no`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SuccessReport {
    /// A REPORT is wanted.
    Yes,
    /// No REPORT is wanted; the default.
    #[default]
    No,
}

/// Which failures the sender of a message wants to be told of.
///
/// # Spec
/// RFC 4975 s.7.1.1. Absent means `yes`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum FailureReport {
    /// Every request is answered, failures are reported; the default.
    #[default]
    Yes,
    /// No answer and no report at all.
    No,
    /// Only errors are answered and reported.
    Partial,
}

impl SuccessReport {
    /// Reads the value; case does not matter. An unknown value counts as absent.
    #[must_use]
    pub fn parse(text: &[u8]) -> Self {
        if text.eq_ignore_ascii_case(b"yes") {
            Self::Yes
        } else {
            Self::No
        }
    }

    /// The value as it stands in the header field.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
        }
    }
}

impl FailureReport {
    /// Reads the value; case does not matter. An unknown value counts as absent, so that nothing is lost silently.
    #[must_use]
    pub fn parse(text: &[u8]) -> Self {
        if text.eq_ignore_ascii_case(b"no") {
            Self::No
        } else if text.eq_ignore_ascii_case(b"partial") {
            Self::Partial
        } else {
            Self::Yes
        }
    }

    /// The value as it stands in the header field.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Partial => "partial",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // covers: MSRP-4975-7.1.1-09, MSRP-4975-7.1.1-10
    #[test]
    fn report_flags_absent_or_unknown_are_the_defaults() {
        assert_eq!(SuccessReport::default(), SuccessReport::No);
        assert_eq!(FailureReport::default(), FailureReport::Yes);
        assert_eq!(SuccessReport::parse(b"maybe"), SuccessReport::No);
        assert_eq!(FailureReport::parse(b"maybe"), FailureReport::Yes);
    }

    #[test]
    fn report_flags_in_any_case_are_read() {
        assert_eq!(SuccessReport::parse(b"YES"), SuccessReport::Yes);
        assert_eq!(FailureReport::parse(b"Partial"), FailureReport::Partial);
        assert_eq!(FailureReport::parse(b"NO"), FailureReport::No);
    }

    #[test]
    fn report_flags_round_trip() {
        for flag in [SuccessReport::Yes, SuccessReport::No] {
            assert_eq!(SuccessReport::parse(flag.as_str().as_bytes()), flag);
        }
        for flag in [
            FailureReport::Yes,
            FailureReport::No,
            FailureReport::Partial,
        ] {
            assert_eq!(FailureReport::parse(flag.as_str().as_bytes()), flag);
        }
    }
}
