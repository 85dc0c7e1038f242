//! Why a description cannot be used.

use std::fmt;

/// Why a description of a peer cannot be used.
///
/// The text of [`Display`](fmt::Display) is one sentence without quotes and line breaks. It fits into a SIP Warning, and
/// never holds a URI of the path, because the session id in it is a secret.
///
/// The fault is always the peer's. [`is_malformed`](Self::is_malformed) tells 400 from 488.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SdpError {
    /// Not SDP: 400.
    Malformed {
        /// The line, from 1. 0 when no single line is to blame.
        line: usize,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A bound of [`limits`](crate::limits) is passed: 488.
    TooLarge {
        /// What there is too much of, with its unit.
        what: &'static str,
        /// The largest accepted count.
        max: usize,
    },
    /// No section with the media `message`: 488.
    NoMessageMedia,
    /// The message section has port 0. In an answer: the peer refuses it. In an offer: there is nothing to answer but port 0.
    MediaRefused,
    /// Every message section has a protocol other than TCP/MSRP and TCP/TLS/MSRP: 488. Holds the first one, made printable.
    UnsupportedProtocol(String),
    /// The message section has no path: 488.
    NoPath,
    /// The message section has no accept-types: 488.
    NoAcceptTypes,
    /// An attribute that we need breaks its own grammar, or contradicts another line: 400.
    BadAttribute {
        /// The attribute.
        name: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The connection line differs from the path and the peer does not announce msrp-cema: 488.
    /// Only [`MessageMedia::require_address_match`](crate::MessageMedia::require_address_match) gives this.
    AddressMismatch,
}

impl SdpError {
    /// Whether the peer broke a grammar (SIP 400). Otherwise the description is legal and not acceptable (SIP 488).
    #[must_use]
    pub fn is_malformed(&self) -> bool {
        match self {
            Self::Malformed { .. } | Self::BadAttribute { .. } => true,
            Self::TooLarge { .. }
            | Self::NoMessageMedia
            | Self::MediaRefused
            | Self::UnsupportedProtocol(_)
            | Self::NoPath
            | Self::NoAcceptTypes
            | Self::AddressMismatch => false,
        }
    }
}

impl fmt::Display for SdpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed { line: 0, what } => {
                write!(f, "The session description is malformed: {what}.")
            }
            Self::Malformed { line, what } => {
                write!(
                    f,
                    "The session description is malformed in line {line} ({what})."
                )
            }
            Self::TooLarge { what, max } => {
                write!(
                    f,
                    "The session description is too large: more than {max} {what}."
                )
            }
            Self::NoMessageMedia => f.write_str("The session description has no message media."),
            Self::MediaRefused => f.write_str("The message media has port 0."),
            Self::UnsupportedProtocol(protocol) => {
                write!(
                    f,
                    "The protocol {protocol} is not supported, only TCP/MSRP and TCP/TLS/MSRP are."
                )
            }
            Self::NoPath => f.write_str("The message media has no path attribute."),
            Self::NoAcceptTypes => f.write_str("The message media has no accept-types attribute."),
            Self::BadAttribute { name, why } => {
                write!(f, "The attribute {name} cannot be used: {why}.")
            }
            Self::AddressMismatch => f.write_str(
                "The connection address differs from the path and msrp-cema is not announced.",
            ),
        }
    }
}

impl std::error::Error for SdpError {}
