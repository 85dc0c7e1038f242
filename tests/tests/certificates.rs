//! Certificates that change while the daemon runs.
#![expect(clippy::unwrap_used, reason = "test code")]

use std::cell::Cell;
use std::net::SocketAddr;
use std::sync::Arc;

use msrp_testkit::Daemon;
use msrp_testkit::daemon::{Config, LogLine};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

const CERTIFICATE: &str = "sip.pem";
const KEY: &str = "sip.key";

fn certificate() -> CertifiedKey<rcgen::KeyPair> {
    generate_simple_self_signed(["localhost".to_owned()]).unwrap()
}

fn connector(trusted: &[&CertifiedKey<rcgen::KeyPair>]) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    for certificate in trusted {
        roots.add(certificate.cert.der().clone()).unwrap();
    }
    let config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

async fn connect(connector: &TlsConnector, address: SocketAddr) -> TlsStream<TcpStream> {
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    connector.connect(name, stream).await.unwrap()
}

/// The certificate that a new connection is shown.
async fn shown(connector: &TlsConnector, address: SocketAddr) -> Vec<u8> {
    let stream = connect(connector, address).await;
    let (_, session) = stream.get_ref();
    session.peer_certificates().unwrap()[0].to_vec()
}

/// Asks for OPTIONS on a connection; gives the status line.
async fn ask(stream: &mut TlsStream<TcpStream>, number: u32) -> String {
    let request = format!(
        "OPTIONS sip:localhost SIP/2.0\r\n\
         Via: SIP/2.0/TLS 127.0.0.1:5061;branch=z9hG4bK{number}\r\n\
         From: <sip:alice@localhost>;tag=a\r\nTo: <sip:localhost>\r\n\
         Call-ID: {number}@test\r\nCSeq: {number} OPTIONS\r\nMax-Forwards: 70\r\n\
         Content-Length: 0\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut read = Vec::new();
    while !read.ends_with(b"\r\n\r\n") {
        assert!(stream.read_buf(&mut read).await.unwrap() > 0, "{read:?}");
    }
    let text = String::from_utf8(read).unwrap();
    text.lines().next().unwrap().to_owned()
}

/// How often the files were read with success so far.
fn reads(daemon: &Daemon) -> usize {
    let lines = daemon.log_lines();
    lines.iter().filter(|line| is_read(line)).count()
}

fn is_read(line: &LogLine) -> bool {
    line.message() == "certificates read"
}

/// Waits until the files were read this often with success.
async fn wait_reads(daemon: &Daemon, count: usize) {
    let seen = Cell::new(0);
    let is_it = |line: &LogLine| {
        seen.set(seen.get() + usize::from(is_read(line)));
        seen.get() == count
    };
    daemon.wait_log("certificates read", is_it).await;
}

#[tokio::test]
async fn certificates_are_read_anew_and_broken_ones_are_refused() {
    let (first, second, third) = (certificate(), certificate(), certificate());
    let config = Config::new()
        .set(
            "sip",
            "bind",
            ["udp:127.0.0.1:0", "tcp:127.0.0.1:0", "tls:127.0.0.1:0"],
        )
        .set("sip", "cert", CERTIFICATE)
        .set("sip", "key", KEY)
        .file(CERTIFICATE, &first.cert.pem())
        .file(KEY, &first.signing_key.serialize_pem());
    let daemon = Daemon::start(config).await;
    let is_tls = |line: &LogLine| {
        line.message() == "listening"
            && line.field("kind") == "sip"
            && line.field("transport") == "tls"
    };
    let listening = daemon.wait_log("the TLS address", is_tls).await;
    let address: SocketAddr = listening.field("address").parse().unwrap();
    let connector = connector(&[&first, &second, &third]);
    let mut standing = connect(&connector, address).await;
    assert!(ask(&mut standing, 1).await.starts_with("SIP/2.0 "));
    assert_eq!(shown(&connector, address).await, first.cert.der().to_vec());

    daemon.write_file(CERTIFICATE, &second.cert.pem());
    daemon.write_file(KEY, "no key");
    daemon.signal("HUP");
    let is_refused = |line: &LogLine| {
        line.message().contains("certificates were refused") && line.field("error").contains(KEY)
    };
    daemon.wait_log("the refused key", is_refused).await;
    assert_eq!(shown(&connector, address).await, first.cert.der().to_vec());

    daemon.write_file(KEY, &second.signing_key.serialize_pem());
    daemon.signal("HUP");
    wait_reads(&daemon, 1).await;
    assert_eq!(shown(&connector, address).await, second.cert.der().to_vec());

    // Without a signal: both files are found changed sooner or later.
    daemon.write_file(KEY, &third.signing_key.serialize_pem());
    daemon.write_file(CERTIFICATE, &third.cert.pem());
    loop {
        let before = reads(&daemon);
        if shown(&connector, address).await == third.cert.der().to_vec() {
            break;
        }
        wait_reads(&daemon, before + 1).await;
    }
    // The connection that stood all the time is served on.
    assert!(ask(&mut standing, 2).await.starts_with("SIP/2.0 "));
}

#[tokio::test]
async fn certificates_of_all_kinds_are_taken_together_or_not_at_all() {
    let (first, second) = (certificate(), certificate());
    let (pem, key) = (second.cert.pem(), second.signing_key.serialize_pem());
    let tokens = format!("one read {}\n", "0".repeat(64));
    let tls = "name = \"tls\"\nbind = \"127.0.0.1:0\"\ntransport = \"tls\"\n\
               cert = \"msrp.pem\"\nkey = \"msrp.key\"\n";
    let config = Config::new()
        .listeners(&[tls])
        .set("sip", "bind", ["tcp:127.0.0.1:0", "tls:127.0.0.1:0"])
        .set("sip", "cert", CERTIFICATE)
        .set("sip", "key", KEY)
        .set("admin", "tokens", "tokens")
        .file("tokens", &tokens)
        .file("msrp.pem", &first.cert.pem())
        .file("msrp.key", &first.signing_key.serialize_pem())
        .file(CERTIFICATE, &first.cert.pem())
        .file(KEY, &first.signing_key.serialize_pem());
    let daemon = Daemon::start(config).await;
    let mut addresses = Vec::new();
    for kind in ["sip", "msrp"] {
        let is_tls = |line: &LogLine| {
            line.message() == "listening"
                && line.field("kind") == kind
                && line.field("transport") == "tls"
        };
        let line = daemon.wait_log("a TLS address", is_tls).await;
        addresses.push(line.field("address").parse().unwrap());
    }
    let connector = connector(&[&first, &second]);
    // At every moment something is wrong, since changed files are found without a signal too.
    let wrong = "nothing of use\n";
    daemon.write_file("tokens", wrong);
    daemon.write_file("msrp.key", wrong);
    for (name, text) in [(CERTIFICATE, &pem), (KEY, &key), ("msrp.pem", &pem)] {
        daemon.write_file(name, text);
    }
    for (file, good) in [("tokens", &tokens), ("msrp.key", &key)] {
        daemon.signal("HUP");
        let is_refused = |line: &LogLine| {
            line.message().contains("reload was refused") && line.field("reason").contains(file)
        };
        daemon.wait_log("the refusal", is_refused).await;
        for address in &addresses {
            assert_eq!(shown(&connector, *address).await, first.cert.der().to_vec());
        }
        daemon.write_file(file, good);
    }
    daemon.signal("HUP");
    let is_taken = |line: &LogLine| line.message() == "reloaded";
    daemon.wait_log("the reload", is_taken).await;
    for address in &addresses {
        assert_eq!(
            shown(&connector, *address).await,
            second.cert.der().to_vec()
        );
    }
}
