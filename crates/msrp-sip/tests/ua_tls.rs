//! SIP over TLS: who is let in, and who is believed.
#![expect(clippy::unwrap_used, reason = "test code")]

#[path = "ua_support/support.rs"]
mod support;

use std::fs;
use std::path::PathBuf;

use msrp_sip::ua::{Method, Origin, SipUa, Transport, UaEvent};
use msrp_sip::ua_rsipstack::{StartError, TlsFiles, Ua, UaConfig, start};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use support::*;
use tempfile::TempDir;
use tokio::net::TcpStream;

/// A certification authority with a directory for its files.
struct Authority {
    directory: TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        fs::write(directory.path().join("ca.pem"), issuer.pem()).unwrap();
        Self { directory, issuer }
    }

    fn roots(&self) -> Option<PathBuf> {
        Some(self.directory.path().join("ca.pem"))
    }

    /// A certificate for these names, and its key.
    fn certificate(&self, names: &[&str]) -> Option<(PathBuf, PathBuf)> {
        let file = |end: &str| {
            self.directory
                .path()
                .join(format!("{}.{end}", names.join("+")))
        };
        let key = KeyPair::generate().unwrap();
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let params = CertificateParams::new(names).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        fs::write(file("pem"), certificate.pem()).unwrap();
        fs::write(file("key"), key.serialize_pem()).unwrap();
        Some((file("pem"), file("key")))
    }

    /// A configuration that listens on TLS with a certificate for these names.
    fn config(&self, names: &[&str]) -> UaConfig {
        UaConfig {
            tls: TlsFiles {
                certificate: self.certificate(names),
                roots: self.roots(),
                client_roots: None,
            },
            ..config(&[Transport::Tls])
        }
    }
}

/// A request that has to fail: the server is not reached, or closes the connection when the handshake
/// is over for the client.
async fn assert_not_sent(client: &mut Ua, server: &Ua) {
    let sent = client.handle.send(out(Method::Options, &uri(server, "b")));
    let failed = response(client, sent).await;
    assert_eq!((failed.status, failed.origin), (503, Origin::Transport));
}

/// A request that has to be answered.
async fn assert_served(client: &mut Ua, server: &mut Ua, target: &str) {
    let sent = client.handle.send(out(Method::Options, target));
    let (transaction, ..) = requested(server).await;
    server.handle.answer(transaction, answer(200));
    assert_eq!(response(client, sent).await.status, 200);
}

// covers: SEC-14.1.2-01
#[tokio::test]
async fn call_over_tls_is_made_and_ended() {
    let authority = Authority::new();
    let mut a = start(authority.config(&["127.0.0.1"])).await.unwrap();
    let mut b = start(authority.config(&["127.0.0.1"])).await.unwrap();
    let (ours, theirs) = call(&mut a, &mut b).await;
    // In the other direction the request takes the connection that stands.
    let bye = b.handle.bye(theirs, Default::default());
    assert!(matches!(event(&mut a).await, UaEvent::Ended { dialog, .. } if dialog == ours));
    assert_eq!(response(&mut b, bye).await.status, 200);
}

#[tokio::test]
async fn sips_uri_is_reached_over_tls() {
    let authority = Authority::new();
    let mut a = start(authority.config(&["127.0.0.1"])).await.unwrap();
    let mut b = start(authority.config(&["127.0.0.1"])).await.unwrap();
    let target = format!("sips:b@{}", address(&b));
    assert_served(&mut a, &mut b, &target).await;
}

#[tokio::test]
async fn server_that_is_somebody_else_is_not_used() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let mut a = start(authority.config(&["127.0.0.1"])).await.unwrap();
    let other_name = start(authority.config(&["other.example"])).await.unwrap();
    let other_root = start(stranger.config(&["127.0.0.1"])).await.unwrap();
    assert_not_sent(&mut a, &other_name).await;
    assert_not_sent(&mut a, &other_root).await;
}

#[tokio::test]
async fn client_without_a_certificate_is_turned_away_where_one_is_asked_for() {
    let authority = Authority::new();
    let mut strict = authority.config(&["127.0.0.1"]);
    strict.tls.client_roots = authority.roots();
    let mut server = start(strict).await.unwrap();
    let mut nobody = start(UaConfig {
        tls: TlsFiles {
            roots: authority.roots(),
            ..TlsFiles::default()
        },
        ..config(&[Transport::Tcp])
    })
    .await
    .unwrap();
    assert_not_sent(&mut nobody, &server).await;
    let mut known = start(authority.config(&["client.example"])).await.unwrap();
    let target = uri(&server, "b");
    assert_served(&mut known, &mut server, &target).await;
}

#[tokio::test]
async fn handshake_that_stalls_holds_up_nobody() {
    let authority = Authority::new();
    let mut a = start(authority.config(&["127.0.0.1"])).await.unwrap();
    let mut b = start(authority.config(&["127.0.0.1"])).await.unwrap();
    let _silent = TcpStream::connect(address(&b)).await.unwrap();
    let target = uri(&b, "b");
    assert_served(&mut a, &mut b, &target).await;
}

#[tokio::test]
async fn octets_without_tls_end_their_connection() {
    let authority = Authority::new();
    let b = start(authority.config(&["127.0.0.1"])).await.unwrap();
    let mut raw = Raw::new(&b).await;
    raw.send("OPTIONS sip:b@test.invalid SIP/2.0\r\n\r\n").await;
    assert!(raw.is_closed().await);
}

#[tokio::test]
async fn certificate_that_is_read_anew_is_shown_to_the_next_client() {
    let authority = Authority::new();
    let config = authority.config(&["wrong.example"]);
    let b_files = config.tls.certificate.clone().unwrap();
    let mut b = start(config).await.unwrap();
    let mut a = start(authority.config(&["127.0.0.1"])).await.unwrap();
    assert_not_sent(&mut a, &b).await;
    let (certificate, key) = authority.certificate(&["127.0.0.1"]).unwrap();
    fs::copy(certificate, &b_files.0).unwrap();
    fs::write(&b_files.1, "no key").unwrap();
    let error = b.handle.read_tls().err().unwrap();
    assert!(error.to_string().contains("wrong.example.key"), "{error}");
    fs::copy(key, &b_files.1).unwrap();
    b.handle.read_tls().unwrap()();
    let target = uri(&b, "b");
    assert_served(&mut a, &mut b, &target).await;
}

#[tokio::test]
async fn listener_without_a_certificate_does_not_start() {
    let error = start(config(&[Transport::Tls])).await.unwrap_err();
    assert!(matches!(error, StartError::Tls(_)), "{error}");
    let mut missing = config(&[Transport::Tls]);
    missing.tls.certificate = Some(("/nowhere/cert.pem".into(), "/nowhere/key.pem".into()));
    let error = start(missing).await.unwrap_err();
    assert!(error.to_string().contains("/nowhere/cert.pem"), "{error}");
}
