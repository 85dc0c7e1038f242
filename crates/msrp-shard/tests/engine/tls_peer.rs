//! A TLS client between a scripted peer, which speaks MSRP over TCP, and a listener.

use std::net::SocketAddr;
use std::sync::Arc;

use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tokio_rustls::{TlsConnector, client};

/// A certificate for loopback that nobody else has signed.
pub(crate) fn self_signed() -> CertifiedKey<KeyPair> {
    generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap()
}

pub(crate) fn roots(trusted: &CertifiedKey<KeyPair>) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.cert.der().clone()).unwrap();
    roots
}

/// A client that trusts one certificate and has none.
pub(crate) fn client_of(trusted: &CertifiedKey<KeyPair>) -> TlsConnector {
    let config = ClientConfig::builder().with_root_certificates(roots(trusted));
    TlsConnector::from(Arc::new(config.with_no_client_auth()))
}

pub(crate) async fn shake_hands(
    connector: &TlsConnector,
    to: SocketAddr,
) -> client::TlsStream<TcpStream> {
    let stream = TcpStream::connect(to).await.unwrap();
    let name = ServerName::from(to.ip());
    connector.connect(name, stream).await.unwrap()
}

/// Takes one connection and carries its octets over TLS to `to`.
pub(crate) async fn over_tls(connector: TlsConnector, to: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut peer, _) = listener.accept().await.unwrap();
        let mut stream = shake_hands(&connector, to).await;
        let _ = copy_bidirectional(&mut peer, &mut stream).await;
    });
    address
}
