//! What is wrong with a wrapper.

use std::fmt;

/// Why a wrapper could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The blank line behind the CPIM headers is not there yet. Nobody's fault.
    NeedMore,
    /// The headers break the grammar; the sender's fault.
    Malformed {
        /// What is wrong.
        at: Place,
        /// Octets between the start of the wrapper and the line that is wrong.
        offset: u32,
    },
}

/// The element of a wrapper that is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Place {
    /// More than [`CPIM_HEAD_OCTETS_MAX`](crate::limits::CPIM_HEAD_OCTETS_MAX) octets of headers.
    TooLong,
    /// More than [`CPIM_LINES_MAX`](crate::limits::CPIM_LINES_MAX) headers.
    TooManyHeaders,
    /// The headers are not UTF-8.
    Utf8,
    /// A control character, or a line end other than CR LF.
    ControlCharacter,
    /// A line without a legal name and a colon.
    Header,
    /// The parameters between the colon and the value.
    Parameters,
    /// The From header.
    From,
    /// A To header.
    To,
    /// A cc header.
    Cc,
    /// An NS header.
    Ns,
    /// There is no From header.
    FromMissing,
    /// There is no To header.
    ToMissing,
    /// A second From or DateTime header.
    Duplicate,
}

impl Error {
    /// A malformed line at `offset`.
    pub(super) fn at(at: Place, offset: usize) -> Self {
        Self::Malformed {
            at,
            offset: u32::try_from(offset).unwrap_or(u32::MAX),
        }
    }

    /// Whether the wrapper is well formed but does not say who wrote it, or to whom.
    ///
    /// # Spec
    /// RFC 4975 s.13, RFC 3862 s.4.
    #[must_use]
    pub fn names_no_sender_or_recipient(&self) -> bool {
        matches!(
            self,
            Self::Malformed {
                at: Place::FromMissing | Place::ToMissing,
                ..
            }
        )
    }
}

impl Place {
    /// What was expected there, as a sentence.
    #[must_use]
    pub fn expectation(self) -> &'static str {
        match self {
            Self::TooLong => "the CPIM headers are longer than the limit",
            Self::TooManyHeaders => "there are more CPIM headers than the limit",
            Self::Utf8 => "CPIM headers must be UTF-8",
            Self::ControlCharacter => {
                "a CPIM header must not contain control characters and must end with CR LF"
            }
            Self::Header => "a CPIM header must be a name, a colon and a value",
            Self::Parameters => {
                "parameters of a CPIM header must be `;name=value` and end with a space"
            }
            Self::From => "From must be an optional name and a URI in angle brackets",
            Self::To => "To must be an optional name and a URI in angle brackets",
            Self::Cc => "cc must be an optional name and a URI in angle brackets",
            Self::Ns => "NS must be an optional prefix and an absolute URI in angle brackets",
            Self::FromMissing => "the From header is missing",
            Self::ToMissing => "the To header is missing",
            Self::Duplicate => "the header may stand only once",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NeedMore => f.write_str("the CPIM headers are not complete yet"),
            Self::Malformed { at, offset } => write!(f, "{} (at octet {offset})", at.expectation()),
        }
    }
}

impl std::error::Error for Error {}
