//! The parsed header sections of requests and responses.

use crate::byte_range::ByteRange;
use crate::header::{Headers, RelayedHeaders};
use crate::ident::{MessageId, TransactionId};
use crate::malformed::Malformed;
use crate::method::Method;
use crate::path::Path;
use crate::report_flags::{FailureReport, SuccessReport};
use crate::status::{Status, StatusCode};

/// Start line and header fields of a request, borrowed from the bytes it came in.
///
/// A SEND always has a Message-ID. A header field that may stand once and stands twice has made the request
/// [`Rejected`], or, where two do no harm, the first one counts.
///
/// # Spec
/// RFC 4975 s.7.1, s.9.
#[derive(Clone, Copy, Debug)]
pub struct RequestHead<'a> {
    /// Names the request on its connection.
    pub transaction_id: TransactionId,
    /// What is asked for.
    pub method: Method,
    /// The way still to go, next hop first.
    pub to_path: Path<'a>,
    /// The way that led here, previous hop first.
    pub from_path: Path<'a>,
    /// Names the message; always there in a SEND.
    pub message_id: Option<MessageId>,
    /// Which octets of the message the body is; absent means [`ByteRange::WHOLE`].
    pub byte_range: Option<ByteRange>,
    /// Whether success is to be reported.
    pub success_report: SuccessReport,
    /// Which failures are to be answered and reported.
    pub failure_report: FailureReport,
    /// What became of the message that a REPORT is about.
    pub status: Option<Status>,
    /// The Content-Type value, not checked; see [`ContentType`](crate::ContentType).
    pub content_type: Option<&'a [u8]>,
    /// The value of Use-Nickname with its quotes (RFC 7701 s.7.1), not checked; see [`UseNickname`](crate::UseNickname).
    pub use_nickname: Option<&'a [u8]>,
    /// Whether a blank line ended the header section, so that a body, perhaps empty, follows. A peer that writes the
    /// blank line of a request without a body by mistake shows as a body of no octets without a Content-Type.
    pub has_body: bool,
    /// Whether there are header lines that a switch carries over.
    pub(crate) has_relayed: bool,
    pub(crate) headers: Headers<'a>,
}

/// Start line and header fields of a response. The header fields are not looked at until they are asked for: there is a
/// response for each copy of a message, and what it says is in its start line.
///
/// # Spec
/// RFC 4975 s.7.2, s.9.
#[derive(Clone, Copy, Debug)]
pub struct ResponseHead<'a> {
    /// The transaction that is answered.
    pub transaction_id: TransactionId,
    /// The answer.
    pub status: StatusCode,
    /// The text behind the status code.
    pub comment: Option<&'a [u8]>,
    pub(crate) headers: Headers<'a>,
}

/// A request whose borders were clear but whose header section is not legal. Its body was skipped.
///
/// Answer 400 when it is not a REPORT, its From-Path could be read and its Failure-Report is not `no`.
#[derive(Clone, Copy, Debug)]
pub struct Rejected<'a> {
    /// Names the request on its connection.
    pub transaction_id: TransactionId,
    /// What was asked for.
    pub method: Method,
    /// The first From-Path, when it is legal.
    pub from_path: Option<Path<'a>>,
    /// The first To-Path, when it is legal.
    pub to_path: Option<Path<'a>>,
    /// The first Failure-Report, when there is one.
    pub failure_report: Option<FailureReport>,
    /// What is wrong.
    pub reason: Malformed,
}

impl<'a> RequestHead<'a> {
    /// All header lines in their order, also those that this crate has no name for.
    #[must_use]
    pub fn headers(&self) -> Headers<'a> {
        self.headers
    }

    /// The header lines that a switch carries over to its copies.
    #[must_use]
    pub fn relayed_headers(&self) -> RelayedHeaders<'a> {
        if self.has_relayed {
            RelayedHeaders::of(self.headers)
        } else {
            RelayedHeaders::default()
        }
    }
}

impl<'a> ResponseHead<'a> {
    /// The way back to the sender of the request. `None` when it is missing or not legal.
    #[must_use]
    pub fn to_path(&self) -> Option<Path<'a>> {
        Path::parse(self.to_path_text()?).ok()
    }

    /// The same as a text, whether legal or not.
    #[must_use]
    pub fn to_path_text(&self) -> Option<&'a [u8]> {
        self.headers.value("To-Path")
    }

    /// Who answers. `None` when it is missing or not legal.
    #[must_use]
    pub fn from_path(&self) -> Option<Path<'a>> {
        Path::parse(self.headers.value("From-Path")?).ok()
    }

    /// All header lines in their order.
    #[must_use]
    pub fn headers(&self) -> Headers<'a> {
        self.headers
    }
}
