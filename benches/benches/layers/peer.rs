//! A client's connection over one transport.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use rcgen::{CertifiedKey, KeyPair};
use rustls::client::Resumption;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// What lies under MSRP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    Tcp,
    Tls,
    Ws,
    Wss,
}

/// Whether TLS sessions are resumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trust {
    Full,
    Resuming,
}

/// A connection on which octets of MSRP go through its layers.
pub(crate) trait Stream: Read + Write {}

impl<T: Read + Write> Stream for T {}

impl Transport {
    pub(crate) const ALL: [Self; 4] = [Self::Tcp, Self::Tls, Self::Ws, Self::Wss];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Ws => "ws",
            Self::Wss => "wss",
        }
    }

    fn is_secure(self) -> bool {
        matches!(self, Self::Tls | Self::Wss)
    }

    pub(crate) fn is_websocket(self) -> bool {
        matches!(self, Self::Ws | Self::Wss)
    }

    /// Scheme and transport of a URI, and the protocol of a media line.
    pub(crate) fn names(self) -> [&'static str; 3] {
        let (scheme, protocol) = if self.is_secure() {
            ("msrps", "TCP/TLS/MSRP")
        } else {
            ("msrp", "TCP/MSRP")
        };
        [
            scheme,
            if self.is_websocket() { "ws" } else { "tcp" },
            protocol,
        ]
    }

    /// Connects, and comes through what lies between.
    pub(crate) fn connect(self, to: SocketAddr, config: &Arc<ClientConfig>) -> Box<dyn Stream> {
        let stream = TcpStream::connect(to).unwrap();
        stream.set_nodelay(true).unwrap();
        let mut stream: Box<dyn Stream> = if self.is_secure() {
            let name = ServerName::from(to.ip());
            let connection = ClientConnection::new(Arc::clone(config), name).unwrap();
            let mut stream = StreamOwned::new(connection, stream);
            while stream.conn.is_handshaking() {
                stream.conn.complete_io(&mut stream.sock).unwrap();
            }
            Box::new(stream)
        } else {
            Box::new(stream)
        };
        if self.is_websocket() {
            stream.write_all(UPGRADE).unwrap();
            let mut answer = Vec::new();
            while !answer.ends_with(b"\r\n\r\n") {
                let mut octet = [0];
                stream.read_exact(&mut octet).unwrap();
                answer.extend(octet);
            }
            assert!(answer.starts_with(b"HTTP/1.1 101 "));
        }
        stream
    }

    /// A request as it goes into the stream.
    pub(crate) fn wrapped(self, request: &str) -> Vec<u8> {
        let length = u16::try_from(request.len()).unwrap().to_be_bytes();
        // A mask of zeros changes nothing and is unmasked all the same.
        let header = [&[0x82, 0xfe][..], &length, &[0; 4]].concat();
        let header = if self.is_websocket() {
            header
        } else {
            Vec::new()
        };
        [header, request.as_bytes().to_vec()].concat()
    }
}

impl Trust {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Resuming => "resumed",
        }
    }

    /// A client that trusts this certificate.
    pub(crate) fn config(self, key: &CertifiedKey<KeyPair>) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(key.cert.der().clone()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        let mut config = builder.with_root_certificates(roots).with_no_client_auth();
        if self == Self::Full {
            config.resumption = Resumption::disabled();
        }
        Arc::new(config)
    }
}

const UPGRADE: &[u8] = b"GET / HTTP/1.1\r\nHost: a.example.com\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Protocol: msrp\r\nSec-WebSocket-Version: 13\r\n\r\n";
