//! Why a layer gave up.

use std::fmt;

/// Why a layer cannot go on. The peer's fault, save [`Failure::Certificate`], which may be either's.
///
/// What the peer is told lies in the layer's wire buffer. The connection carries nothing any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Failure {
    /// The TLS handshake failed, or a record was damaged. An alert tells the peer.
    Tls,
    /// A TLS certificate is not the one that was agreed, or is not valid for the host.
    Certificate,
    /// The octets are not the HTTP request that opens a WebSocket. Answered with 400.
    NotWebSocket,
    /// The request asks for another version of WebSocket. Answered with 426.
    Version,
    /// The request does not offer the sub-protocol `msrp`. Answered with 400.
    Subprotocol,
    /// The request comes from a page of another origin than those allowed. Answered with 403.
    Origin,
    /// The request is too long. Answered with 431.
    HandshakeTooLong,
    /// A frame breaks the rules of WebSocket. Close code 1002.
    Frame,
    /// A message is too long. Close code 1009.
    MessageTooLong,
}

impl Failure {
    /// Every failure, in the order of the metrics.
    pub const ALL: [Self; 9] = [
        Self::Tls,
        Self::Certificate,
        Self::NotWebSocket,
        Self::Version,
        Self::Subprotocol,
        Self::Origin,
        Self::HandshakeTooLong,
        Self::Frame,
        Self::MessageTooLong,
    ];

    /// One lower-case word for metrics and logs. Never changes.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tls => "tls",
            Self::Certificate => "certificate",
            Self::NotWebSocket => "not_websocket",
            Self::Version => "version",
            Self::Subprotocol => "subprotocol",
            Self::Origin => "origin",
            Self::HandshakeTooLong => "handshake_too_long",
            Self::Frame => "frame",
            Self::MessageTooLong => "message_too_long",
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tls => "the TLS handshake or a TLS record failed",
            Self::Certificate => "the peer's certificate is not the one that was agreed",
            Self::NotWebSocket => "its first octets are no WebSocket handshake",
            Self::Version => "it asks for another version of WebSocket than 13",
            Self::Subprotocol => "it does not offer the sub-protocol msrp",
            Self::Origin => "the origin of its page is not allowed",
            Self::HandshakeTooLong => "its WebSocket handshake is too long",
            Self::Frame => "a frame breaks the rules of WebSocket",
            Self::MessageTooLong => "a WebSocket message is too long",
        })
    }
}

impl std::error::Error for Failure {}
