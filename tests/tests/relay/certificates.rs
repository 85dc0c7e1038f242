//! Who a relay is, whom it believes, and clients that show what nobody asked for.

use std::sync::Arc;

use msrp_testkit::{Config, Daemon, Draft, MsrpEndpoint, daemon};
use rcgen::{CertificateParams, CertifiedKey, KeyPair, date_time_ymd};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, ServerName};

use crate::client::{ALICE, BOB};
use crate::gateway;
use crate::tls_peer::{client_of, over_tls, roots};
use crate::two_relays::{certificate, client, config, uri_of};

/// A certificate for these names that nobody else has signed.
fn certificate_of(names: &[&str], is_over: bool) -> CertifiedKey<KeyPair> {
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    if is_over {
        params.not_after = date_time_ymd(2020, 1, 1);
    }
    let signing_key = KeyPair::generate().unwrap();
    let cert = params.self_signed(&signing_key).unwrap();
    CertifiedKey { cert, signing_key }
}

// covers: MSRP-4976-9.2-02
#[tokio::test]
async fn certificate_of_a_relay_has_the_name_that_its_uris_have() {
    let key = certificate_of(&["localhost"], false);
    let relay = Daemon::start(config(&key, &[&key])).await;
    // A client that verifies the name of the URI comes in.
    let stream = TcpStream::connect(relay.msrp_addr()).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    client_of(&key).connect(name, stream).await.unwrap();
}

// covers: MSRP-4976-9.2-02
#[tokio::test]
async fn relay_whose_certificate_has_another_name_does_not_start() {
    let key = certificate_of(&["127.0.0.1", "other.example"], false);
    let text = "
        [[msrp.listener]]
        name = \"relay\"
        bind = \"127.0.0.1:0\"
        advertise = \"localhost:0\"
        transport = \"tls\"
        cert = \"cert.pem\"
        key = \"key.pem\"
        [sip]
        bind = [\"udp:127.0.0.1:0\"]
        [admin]
        bind = \"127.0.0.1:0\"
        [relay]
        users = \"users\"
    ";
    let output = daemon::run(
        &["serve", "--config", "msrpd.toml"],
        &[
            ("msrpd.toml", text),
            ("users", &ALICE.line("localhost")),
            ("cert.pem", &key.cert.pem()),
            ("key.pem", &key.signing_key.serialize_pem()),
        ],
    )
    .await;
    let said = &output.stderr;
    assert!(!output.status.success(), "{said}");
    assert!(
        said.contains("names localhost among its subject alternative names"),
        "{said}"
    );
}

// covers: MSRP-4976-9.2-05
#[tokio::test]
async fn next_hop_is_believed_when_its_certificate_is_valid_for_the_host_of_its_uri() {
    let own = certificate();
    for (names, is_over, is_known, status) in [
        (["localhost", "a.example"], false, true, 481),
        (["other.example", "a.example"], false, true, 408),
        (["localhost", "a.example"], true, true, 408),
        (["localhost", "a.example"], false, false, 408),
    ] {
        let key = certificate_of(&names, is_over);
        let trusted = if is_known {
            vec![&own, &key]
        } else {
            vec![&own]
        };
        let relay = Daemon::start(config(&own, &trusted)).await;
        let other = Config::new()
            .listeners(&[
                "name = \"tls\"\nbind = \"127.0.0.1:0\"\ntransport = \"tls\"\ncert = \"cert.pem\"\nkey = \"key.pem\"\n",
            ])
            .file("cert.pem", &key.cert.pem())
            .file("key.pem", &key.signing_key.serialize_pem());
        let other = Daemon::start(other).await;
        let (mut alice, path) = client(&relay, &own, &ALICE).await;
        let port = other.msrp_addr().port();
        alice.set_remote_path(&format!("{path} msrps://localhost:{port}/nobody;tcp"));
        // A node that is believed answers that it has no such session.
        let sent = alice.send_ok(&Draft::new("text/plain", "hello")).await;
        alice.expect_report_of(&sent.message_id, status).await;
    }
}

// covers: MSRP-4976-9.2-06
#[tokio::test]
async fn certificate_of_a_client_changes_nothing_unless_it_is_that_of_a_known_relay() {
    let own = certificate();
    let relay = Daemon::start(config(&own, &[&own])).await;
    let (mut bob, bobs) = client(&relay, &own, &BOB).await;
    // The last one has the name of a relay that is trusted, and no signature that is.
    for (names, is_over) in [
        (["stranger"], false),
        (["stranger"], true),
        (["localhost"], false),
    ] {
        let shown = certificate_of(&names, is_over);
        let der = PrivateKeyDer::try_from(shown.signing_key.serialize_der()).unwrap();
        let connector = ClientConfig::builder()
            .with_root_certificates(roots(&own))
            .with_client_auth_cert(vec![shown.cert.der().clone()], der)
            .unwrap();
        let connector = TlsConnector::from(Arc::new(connector));
        let address = over_tls(connector, relay.msrp_addr()).await;
        let uri = uri_of(&relay);
        let mut alice = MsrpEndpoint::bind().await.connect_to(address, &uri).await;
        // It is a client like any other: challenged, then let in as what its password says.
        let path = alice.use_path(&uri, &ALICE).await;
        alice.set_remote_path(&format!("{path} {bobs} {}", bob.uri()));
        bob.set_remote_path(&format!("{bobs} {path} {}", alice.uri()));
        alice.send_ok(&Draft::new("text/plain", "hello")).await;
        assert_eq!(bob.expect_message().await.text(), "hello");
        bob.send_ok(&Draft::new("text/plain", "back")).await;
        assert_eq!(alice.expect_message().await.text(), "back");
    }
}

// covers: MSRP-7977-5.3.1-01, MSRP-7977-7-03
#[tokio::test]
async fn client_over_websocket_sends_through_the_relay_when_it_has_authenticated() {
    let own = certificate();
    let config = config(&own, &[&own]).listeners(&[
        "name = \"relay\"\nbind = \"127.0.0.1:0\"\nadvertise = \"localhost:0\"\ntransport = \"tls\"\n\
         cert = \"cert.pem\"\nkey = \"key.pem\"\n",
        "name = \"web\"\nbind = \"127.0.0.1:0\"\ntransport = \"wss\"\ncert = \"cert.pem\"\nkey = \"key.pem\"\n",
    ]);
    let relay = Daemon::start(config).await;
    let (mut bob, bobs) = client(&relay, &own, &BOB).await;
    let address = over_tls(client_of(&own), relay.msrp_addr_of("wss")).await;
    let gateway = tokio::task::spawn_blocking(move || gateway::over_websocket(address));
    let uri = uri_of(&relay);
    let alice = MsrpEndpoint::bind().await.reached_over("msrps", "ws");
    let mut alice = alice.connect_to(gateway.await.unwrap(), &uri).await;
    // Before it has shown who it is, nothing of it is passed on, whatever way it names.
    for (to, status) in [
        (format!("{uri} {bobs} {}", bob.uri()), 481),
        (format!("{uri} {}", bob.uri()), 481),
    ] {
        let sent = alice.send(&Draft::new("text/plain", "x").to_path(&to));
        alice.expect_all(&sent, status).await;
    }
    alice.expect_status(&alice.send_auth(&uri, &[]), 401).await;
    let path = alice.use_path(&uri, &ALICE).await;
    alice.set_remote_path(&format!("{path} {bobs} {}", bob.uri()));
    bob.set_remote_path(&format!("{bobs} {path} {}", alice.uri()));
    alice
        .send_ok(&Draft::new("text/plain", "from a page"))
        .await;
    assert_eq!(bob.expect_message().await.text(), "from a page");
    bob.send_ok(&Draft::new("text/plain", "to a page")).await;
    assert_eq!(alice.expect_message().await.text(), "to a page");
}
