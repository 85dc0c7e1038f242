//! The protocol of an `m=` line.

use std::fmt;

/// What MSRP runs over.
///
/// # Spec
/// RFC 4975 s.8.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// MSRP over TCP.
    TcpMsrp,
    /// MSRP over TLS over TCP.
    TcpTlsMsrp,
}

impl Protocol {
    /// The protocol that the token names, without regard to case.
    #[must_use]
    pub fn from_token(token: &str) -> Option<Self> {
        [Self::TcpMsrp, Self::TcpTlsMsrp]
            .into_iter()
            .find(|protocol| protocol.token().eq_ignore_ascii_case(token))
    }

    /// The token as the `m=` line has it.
    #[must_use]
    pub fn token(self) -> &'static str {
        match self {
            Self::TcpMsrp => "TCP/MSRP",
            Self::TcpTlsMsrp => "TCP/TLS/MSRP",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.token())
    }
}
