//! Status codes, and the Status header field of a REPORT.

use std::fmt;

use crate::malformed::{Malformed, Place};
use crate::octets;

/// A status code: 0 to 999, three digits on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StatusCode(u16);

/// The Status header field of a REPORT. Its comment is not kept; look at the header lines for it.
///
/// # Spec
/// RFC 4975 s.7.1.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Status {
    /// What the code belongs to; 0 for the codes of RFC 4975, and 999 at most.
    pub namespace: u16,
    /// What became of the message.
    pub code: StatusCode,
}

impl StatusCode {
    /// Success.
    pub const OK: Self = Self(200);
    /// The request was unintelligible.
    pub const BAD_REQUEST: Self = Self(400);
    /// The request needs credentials (RFC 4976).
    pub const UNAUTHORIZED: Self = Self(401);
    /// The action is not allowed.
    pub const FORBIDDEN: Self = Self(403);
    /// The recipient is not known (RFC 7701).
    pub const NOT_FOUND: Self = Self(404);
    /// A transaction further on did not complete in time.
    pub const TIMEOUT: Self = Self(408);
    /// The recipient wants no more of this message.
    pub const STOP_SENDING: Self = Self(413);
    /// The media type is not understood.
    pub const UNSUPPORTED_MEDIA_TYPE: Self = Self(415);
    /// A parameter is out of bounds.
    pub const OUT_OF_BOUNDS: Self = Self(423);
    /// The nickname has a form that is not allowed (RFC 7701).
    pub const NICKNAME_MALFORMED: Self = Self(424);
    /// The nickname is reserved or in use (RFC 7701).
    pub const NICKNAME_RESERVED: Self = Self(425);
    /// The recipient does not take private messages (RFC 7701).
    pub const PRIVATE_MESSAGES_UNSUPPORTED: Self = Self(428);
    /// The session does not exist.
    pub const NO_SESSION: Self = Self(481);
    /// The method is not understood.
    pub const UNKNOWN_METHOD: Self = Self(501);
    /// The session is bound to another connection.
    pub const SESSION_ELSEWHERE: Self = Self(506);

    /// A code of 0 to 999.
    #[must_use]
    pub const fn new(code: u16) -> Option<Self> {
        if code <= 999 { Some(Self(code)) } else { None }
    }

    /// Reads exactly three digits.
    ///
    /// # Errors
    /// [`Malformed`] at [`Place::StatusCode`].
    pub fn parse(text: &[u8]) -> Result<Self, Malformed> {
        three_digits(text)
            .map(Self)
            .ok_or(Malformed::new(Place::StatusCode, 0))
    }

    /// The number.
    #[must_use]
    pub const fn value(self) -> u16 {
        self.0
    }

    /// 200 to 299.
    #[must_use]
    pub const fn is_success(self) -> bool {
        self.0 / 100 == 2
    }

    /// A short text for people, in our words; empty for a code that this crate has no name for.
    #[must_use]
    pub fn phrase(self) -> &'static str {
        match self.0 {
            200 => "OK",
            400 => "Bad Request",
            401 => "Unauthorized",
            403 => "Forbidden",
            404 => "Not Found",
            408 => "Request Timeout",
            413 => "Stop Sending",
            415 => "Unsupported Media Type",
            423 => "Parameter Out Of Bounds",
            424 => "Malformed Nickname",
            425 => "Nickname Reserved Or In Use",
            428 => "Private Messages Not Supported",
            481 => "No Such Session",
            501 => "Unknown Method",
            506 => "Session Bound Elsewhere",
            _ => "",
        }
    }

    /// The three digits as they stand on the wire.
    #[must_use]
    pub fn digits(self) -> [u8; 3] {
        digits(self.0)
    }
}

impl Status {
    /// A status in the namespace of RFC 4975.
    #[must_use]
    pub const fn new(code: StatusCode) -> Self {
        Self { namespace: 0, code }
    }

    /// Reads `namespace code [comment]`. Several blanks and tabs are tolerated.
    ///
    /// # Errors
    /// [`Malformed`] at [`Place::Status`].
    pub fn parse(text: &[u8]) -> Result<Self, Malformed> {
        Self::read(text).ok_or(Malformed::new(Place::Status, 0))
    }

    fn read(text: &[u8]) -> Option<Self> {
        let mut words = text
            .split(|c| matches!(c, b' ' | b'\t'))
            .filter(|word| !word.is_empty());
        let (namespace, code) = (words.next()?, words.next()?);
        Some(Self {
            namespace: three_digits(namespace)?,
            code: StatusCode(three_digits(code)?),
        })
    }
}

fn three_digits(text: &[u8]) -> Option<u16> {
    let number = if text.len() == 3 {
        octets::number(text)
    } else {
        None
    };
    number.and_then(|n| u16::try_from(n).ok())
}

/// Three decimal digits of a number; the thousands are cut off.
pub(crate) fn digits(number: u16) -> [u8; 3] {
    [100, 10, 1].map(|unit: u16| {
        let digit = number.checked_div(unit).unwrap_or(0) % 10;
        b'0'.saturating_add(u8::try_from(digit).unwrap_or(0))
    })
}

impl fmt::Debug for StatusCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:03}", self.0)
    }
}

impl fmt::Display for StatusCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:03}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_code_of_three_digits_round_trips() {
        for text in ["200", "481", "000", "999", "042"] {
            let code = StatusCode::parse(text.as_bytes()).unwrap();
            assert_eq!(code.to_string(), text);
            assert_eq!(code.digits(), text.as_bytes());
        }
        for text in ["", "20", "2000", "2x0", "-20"] {
            assert!(StatusCode::parse(text.as_bytes()).is_err(), "{text}");
        }
        assert_eq!(StatusCode::new(1000), None);
    }

    // covers: MSRP-4975-10-07
    #[test]
    fn status_code_of_each_document_has_a_phrase() {
        for code in [
            200, 400, 403, 404, 408, 413, 415, 423, 424, 425, 428, 481, 501, 506,
        ] {
            assert!(
                !StatusCode::new(code).unwrap().phrase().is_empty(),
                "{code}"
            );
        }
        assert_eq!(StatusCode::new(299).unwrap().phrase(), "");
    }

    #[test]
    fn status_with_and_without_comment_is_read() {
        let ok = Status::new(StatusCode::OK);
        assert_eq!(Status::parse(b"000 200 OK"), Ok(ok));
        assert_eq!(Status::parse(b"000 200"), Ok(ok));
        assert_eq!(
            Status::parse(b"123 200 a b c"),
            Ok(Status {
                namespace: 123,
                ..ok
            })
        );
        assert_eq!(Status::parse(b"000  200\tOK"), Ok(ok));
        for text in ["200", "000", "00 200", "000 20", "000 200OK"] {
            assert!(Status::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
