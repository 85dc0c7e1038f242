//! What MSRP runs on between a peer and its next hop.

use std::fmt;

use msrp_wire::{Scheme, Transport};

use crate::{MessageMedia, Protocol};

/// What MSRP runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MediaTransport {
    /// TCP.
    Tcp,
    /// TLS.
    Tls,
    /// WebSocket without TLS.
    WebSocket,
    /// WebSocket over TLS.
    SecureWebSocket,
}

impl MediaTransport {
    /// What a peer asks for by its protocol and by the first URI of its path.
    ///
    /// # Spec
    /// RFC 4975 s.8.1, RFC 7977 s.5.2.
    #[must_use]
    pub fn of(media: &MessageMedia) -> Self {
        let next_hop = media.path.first();
        let is_websocket =
            next_hop.is_some_and(|uri| matches!(uri.as_uri().transport(), Transport::Ws));
        match (media.protocol, is_websocket) {
            (Protocol::TcpMsrp, false) => Self::Tcp,
            (Protocol::TcpTlsMsrp, false) => Self::Tls,
            (Protocol::TcpMsrp, true) => Self::WebSocket,
            (Protocol::TcpTlsMsrp, true) => Self::SecureWebSocket,
        }
    }

    /// Whether TLS protects it.
    #[must_use]
    pub fn is_secure(self) -> bool {
        match self {
            Self::Tls | Self::SecureWebSocket => true,
            Self::Tcp | Self::WebSocket => false,
        }
    }

    /// Whether WebSocket carries it.
    #[must_use]
    pub fn is_websocket(self) -> bool {
        match self {
            Self::WebSocket | Self::SecureWebSocket => true,
            Self::Tcp | Self::Tls => false,
        }
    }

    /// What a URI of it begins and ends with.
    #[must_use]
    pub fn uri_parts(self) -> (Scheme, Transport<'static>) {
        let scheme = if self.is_secure() {
            Scheme::Msrps
        } else {
            Scheme::Msrp
        };
        let transport = if self.is_websocket() {
            Transport::Ws
        } else {
            Transport::Tcp
        };
        (scheme, transport)
    }
}

impl fmt::Display for MediaTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "plain TCP",
            Self::Tls => "TLS",
            Self::WebSocket => "plain WebSocket",
            Self::SecureWebSocket => "WebSocket over TLS",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Description;

    // covers: MSRP-7977-5.2.2-01
    #[test]
    fn transport_follows_the_protocol_and_the_first_uri() {
        let table = [
            (
                "TCP/MSRP",
                "msrp://a.example.com:2855/s123;tcp",
                MediaTransport::Tcp,
            ),
            (
                "TCP/TLS/MSRP",
                "msrps://a.example.com:2855/s123;tcp",
                MediaTransport::Tls,
            ),
            (
                "TCP/MSRP",
                "msrp://a.example.com:80/s123;ws",
                MediaTransport::WebSocket,
            ),
            (
                "TCP/TLS/MSRP",
                "msrps://a.example.com:443/s123;ws msrps://b.invalid:9/c123;tcp",
                MediaTransport::SecureWebSocket,
            ),
        ];
        for (protocol, path, transport) in table {
            let sdp = format!(
                "v=0\r\no=- 1 1 IN IP4 a.example.com\r\ns=-\r\nc=IN IP4 a.example.com\r\nt=0 0\r\n\
                 m=message 2855 {protocol} *\r\na=accept-types:*\r\na=path:{path}\r\n"
            );
            let media = Description::parse(&sdp)
                .and_then(|d| d.message_media())
                .unwrap();
            assert_eq!(MediaTransport::of(&media), transport, "{path}");
            let (scheme, end) = transport.uri_parts();
            assert_eq!(scheme, media.path[0].as_uri().scheme());
            assert_eq!(
                matches!(end, Transport::Ws),
                matches!(media.path[0].as_uri().transport(), Transport::Ws)
            );
        }
    }
}
