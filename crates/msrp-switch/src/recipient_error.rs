//! What an error of a recipient means: the one table.

use msrp_wire::{ByteRange, StatusCode};

use crate::ledger::Outcome;

/// What an error response or a failure REPORT of a recipient says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecipientError {
    /// It wants no more of this message, or must not have it.
    MessageRefused,
    /// It does not understand the type of the content: no more of that in its session.
    TypeRefused,
    /// The octets did not come through in time: as if no answer had come.
    TimedOut,
    /// The session does not go on: the caller ends it. A new one needs new URIs, so it needs the
    /// signalling.
    SessionOver,
}

impl RecipientError {
    /// What the status of a response means.
    ///
    /// # Spec
    /// RFC 4975 s.10.3 to s.10.10.
    #[must_use]
    pub fn of_response(status: StatusCode) -> Self {
        match status {
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Self::TypeRefused,
            StatusCode::TIMEOUT => Self::TimedOut,
            StatusCode::NO_SESSION | StatusCode::SESSION_ELSEWHERE => Self::SessionOver,
            _ => Self::MessageRefused,
        }
    }

    /// What the Status of a REPORT means: what it means in a response, except that octets which are
    /// known not to have come through end the session.
    ///
    /// # Spec
    /// RFC 4975 s.7.3.2.
    #[must_use]
    pub fn of_report(status: StatusCode, byte_range: Option<ByteRange>) -> Self {
        match Self::of_response(status) {
            Self::TimedOut if byte_range.is_some() => Self::SessionOver,
            other => other,
        }
    }

    /// How the copy ends.
    pub(crate) fn outcome(self) -> Outcome {
        match self {
            Self::MessageRefused | Self::TypeRefused => Outcome::Refused,
            Self::TimedOut | Self::SessionOver => Outcome::Failed,
        }
    }
}
