//! Why a request is not forwarded, and the one table of what is answered.

use msrp_wire::StatusCode;

use crate::address::DeniedAddress;

/// A legal request that is not allowed or not possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// The first URI of the To-Path is none of this relay: the connection is closed (RFC 4976 s.6.2).
    NotAddressedHere,
    /// The URI was never given, or is no longer valid.
    NoHandle,
    /// A SEND or a REPORT that ends here: this relay is no endpoint.
    NoEndpoint,
    /// The request neither comes from the owner of the URI nor goes to it.
    NotOwner,
    /// The session's peer has another connection.
    PeerElsewhere,
    /// The next hop may not be connected to.
    Denied(DeniedAddress),
    /// The next hop speaks a transport other than TCP.
    Transport,
    /// The next hop is an address, over TLS and without a port (RFC 4976 s.8).
    NoPort,
    /// Too many URIs of this relay in a path.
    Loop,
    /// The path would be longer than paths may be.
    PathTooLong,
    /// A bound of tables.
    Full,
    /// A bound of what may wait: stop sending this message.
    TooMuchWaiting,
    /// A body without a Content-Type, a body beyond the Byte-Range's total or one too long for its method.
    Body,
    /// AUTH without TLS, or by a relay under another name than its certificate has.
    NotTrusted,
    /// A method that ends here and is not understood, or one that the operator blocks.
    UnknownMethod,
    /// The next hop cannot be connected, or does not answer in time.
    Timeout,
    /// The connection to the next hop has ended.
    Lost,
}

impl Refused {
    /// The status that the sender gets.
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Self::Body | Self::PathTooLong | Self::NoPort => StatusCode::BAD_REQUEST,
            Self::NotOwner
            | Self::Denied(_)
            | Self::Transport
            | Self::Loop
            | Self::Full
            | Self::NotTrusted => StatusCode::FORBIDDEN,
            Self::Timeout => StatusCode::TIMEOUT,
            Self::TooMuchWaiting => StatusCode::STOP_SENDING,
            Self::NotAddressedHere | Self::NoHandle | Self::NoEndpoint | Self::Lost => {
                StatusCode::NO_SESSION
            }
            Self::UnknownMethod => StatusCode::UNKNOWN_METHOD,
            Self::PeerElsewhere => StatusCode::SESSION_ELSEWHERE,
        }
    }
}
