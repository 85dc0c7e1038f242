//! What is wrong with a peer's bytes, and where.

use std::fmt;

/// The peer's bytes break the grammar.
///
/// Always the peer's fault. As the error of [`Decoder::decode`](crate::Decoder::decode) it means that the borders of
/// requests are lost and the connection must be closed; inside [`Rejected`](crate::Rejected) it means that one request
/// gets a 400 and the connection lives on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// Which element is wrong.
    pub at: Place,
    /// Octets between the start of the parsed text and the element: of the request or response for the decoder, of the
    /// value for the parsers of single values.
    pub offset: u32,
}

/// The element of the grammar that is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Place {
    /// The first octets are not `MSRP` and a space.
    Protocol,
    /// The start line has the wrong parts.
    StartLine,
    /// The transaction identifier is not an ident of 4 to 32 characters.
    TransactionId,
    /// The method is not 1 to 32 capital letters.
    Method,
    /// The status code is not three digits.
    StatusCode,
    /// A line ends with a line feed alone, or a carriage return stands alone.
    LineEnd,
    /// A NUL octet in the header section.
    Nul,
    /// An end line in the header section that does not belong to the start line.
    EndLine,
    /// The header section is longer than [`Limits::head_octets_max`](crate::Limits::head_octets_max).
    HeadTooLong,
    /// The header section has more lines than [`Limits::header_lines_max`](crate::Limits::header_lines_max).
    TooManyHeaders,
    /// A header line without a name and a colon.
    HeaderLine,
    /// A header value with control characters.
    HeaderValue,
    /// The To-Path header field.
    ToPath,
    /// The From-Path header field.
    FromPath,
    /// The To-Path header field is absent.
    ToPathMissing,
    /// The From-Path header field is absent.
    FromPathMissing,
    /// A path with more than [`PATH_URIS_MAX`](crate::limits::PATH_URIS_MAX) URIs, or without any.
    PathLength,
    /// The Message-ID header field.
    MessageId,
    /// A SEND without a Message-ID header field.
    MessageIdMissing,
    /// The Byte-Range header field.
    ByteRange,
    /// The Status header field.
    Status,
    /// The Use-Nickname header field.
    UseNickname,
    /// A header field that may stand only once stands twice.
    Duplicate,
    /// An ident that is not 4 to 32 of its characters.
    Ident,
    /// The scheme of an MSRP URI.
    UriScheme,
    /// The host or the port of an MSRP URI.
    UriAuthority,
    /// The session-id of an MSRP URI.
    UriSessionId,
    /// The transport of an MSRP URI.
    UriTransport,
    /// A parameter of an MSRP URI.
    UriParameter,
    /// An MSRP URI longer than [`URI_OCTETS_MAX`](crate::limits::URI_OCTETS_MAX).
    UriLength,
    /// A media type.
    MediaType,
}

impl Malformed {
    /// An error at `offset`; offsets beyond 4 GiB are shown as 4 GiB.
    #[must_use]
    pub fn new(at: Place, offset: usize) -> Self {
        Self {
            at,
            offset: u32::try_from(offset).unwrap_or(u32::MAX),
        }
    }

    /// The same error seen from a text that starts `octets` earlier.
    #[must_use]
    pub fn moved_by(self, octets: usize) -> Self {
        let by = u32::try_from(octets).unwrap_or(u32::MAX);
        Self {
            offset: self.offset.saturating_add(by),
            ..self
        }
    }
}

impl Place {
    /// What was expected there, as part of a sentence.
    #[must_use]
    pub fn expectation(self) -> &'static str {
        match self {
            Self::Protocol => "a start line must begin with `MSRP` and a space",
            Self::StartLine => {
                "a start line must be `MSRP`, a transaction id, and a method or a status code"
            }
            Self::TransactionId => "a transaction id must be 4 to 32 letters, digits or `.-+%=`",
            Self::Method => "a method must be 1 to 32 capital letters",
            Self::StatusCode => "a status code must be three digits",
            Self::LineEnd => "a line must end with CR LF",
            Self::Nul => "a header section must not contain NUL",
            Self::EndLine => {
                "an end line must be seven hyphens, the id of the start line, and `$`, `+` or `#`"
            }
            Self::HeadTooLong => "the header section is longer than the limit",
            Self::TooManyHeaders => "the header section has more lines than the limit",
            Self::HeaderLine => "a header line must be a name, a colon and a value",
            Self::HeaderValue => "a header value must not contain control characters",
            Self::ToPath => "To-Path must be a list of MSRP URIs",
            Self::FromPath => "From-Path must be a list of MSRP URIs",
            Self::ToPathMissing => "To-Path is missing",
            Self::FromPathMissing => "From-Path is missing",
            Self::PathLength => "a path must have 1 to 16 URIs",
            Self::MessageId => "Message-ID must be 4 to 32 letters, digits or `.-+%=`",
            Self::MessageIdMissing => "a SEND must have a Message-ID",
            Self::ByteRange => "Byte-Range must be `start-end/total` with a start of 1 or more",
            Self::Status => "Status must be a namespace and a status code",
            Self::UseNickname => "Use-Nickname must be a quoted string of at most 1023 octets",
            Self::Duplicate => "the header field may stand only once",
            Self::Ident => "an ident must be 4 to 32 letters, digits or `.-+%=`",
            Self::UriScheme => "an MSRP URI must begin with `msrp://` or `msrps://`",
            Self::UriAuthority => "an MSRP URI must name a host and a legal port",
            Self::UriSessionId => {
                "the session-id of an MSRP URI has an illegal character or is empty"
            }
            Self::UriTransport => "an MSRP URI must name its transport after a semicolon",
            Self::UriParameter => "a parameter of an MSRP URI has an illegal character",
            Self::UriLength => "an MSRP URI is longer than the limit",
            Self::MediaType => "a media type must be `type/subtype`",
        }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (at octet {})", self.at.expectation(), self.offset)
    }
}

impl std::error::Error for Malformed {}
