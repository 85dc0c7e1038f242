//! A client behind two relays that know each other by their certificates.

use msrp_testkit::{Config, Daemon, Draft, Login, Mode, MsrpEndpoint, MsrpPeer};
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};

use crate::client::{ALICE, BOB};
use crate::tls_peer::{client_of, over_tls};
use crate::zone::{Record, Zone};

pub(crate) fn certificate() -> CertifiedKey<KeyPair> {
    generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap()
}

/// A relay over TLS with a certificate of its own, that trusts those of all relays here.
pub(crate) fn config(own: &CertifiedKey<KeyPair>, all: &[&CertifiedKey<KeyPair>]) -> Config {
    let roots: String = all.iter().map(|key| key.cert.pem()).collect();
    let users = [ALICE.line("localhost"), BOB.line("localhost")].concat();
    Config::new()
        .listeners(&[
            "name = \"relay\"\nbind = \"127.0.0.1:0\"\nadvertise = \"localhost:0\"\ntransport = \"tls\"\n\
             cert = \"cert.pem\"\nkey = \"key.pem\"\n",
        ])
        .shards(2)
        .file("cert.pem", &own.cert.pem())
        .file("key.pem", &own.signing_key.serialize_pem())
        .file("ca.pem", &roots)
        .file("users", &users)
        .set("relay", "users", "users")
        .set("relay", "ca", "ca.pem")
        .set("relay", "relays", ["localhost"])
        .set("relay", "allow_addresses", ["127.0.0.1"])
}

pub(crate) fn uri_of(relay: &Daemon) -> String {
    format!("msrps://localhost:{};tcp", relay.msrp_addr().port())
}

/// A client of a relay, over TLS.
pub(crate) async fn client(
    relay: &Daemon,
    key: &CertifiedKey<KeyPair>,
    login: &Login<'_>,
) -> (MsrpPeer, String) {
    let address = over_tls(client_of(key), relay.msrp_addr()).await;
    let uri = uri_of(relay);
    let peer = MsrpEndpoint::bind().await.connect_to(address, &uri).await;
    let path = peer.use_path(&uri, login).await;
    (peer, path)
}

// covers: MSRP-4976-6.3-01, MSRP-4976-6.3-05, MSRP-4976-6.4.2-02
// covers: MSRP-4976-6.1-01, MSRP-4976-9.2-01, MSRP-4976-9.2-03
#[tokio::test]
async fn client_behind_two_relays_and_one_behind_the_second_talk() {
    let (first_key, second_key) = (certificate(), certificate());
    let keys = [&first_key, &second_key];
    let first = Daemon::start(config(&first_key, &keys)).await;
    let second = Daemon::start(config(&second_key, &keys)).await;
    let (mut alice, inner) = client(&first, &first_key, &ALICE).await;
    // The second AUTH goes through the first relay.
    let to = format!("{inner} {}", uri_of(&second));
    let both = alice.use_path(&to, &BOB).await;
    assert_eq!(both.split(' ').next(), Some(inner.as_str()));
    let (mut bob, bobs) = client(&second, &second_key, &BOB).await;
    let outer = both.split(' ').nth(1).unwrap();
    alice.set_remote_path(&format!("{both} {bobs} {}", bob.uri()));
    bob.set_remote_path(&format!("{bobs} {outer} {inner} {}", alice.uri()));
    for octets in [3, 200_000] {
        let draft = Draft::new("text/plain", "x".repeat(octets)).success_report("yes");
        let sent = alice.send_ok(&draft).await;
        let message = bob.expect_message().await;
        assert_eq!(message.body.len(), octets);
        bob.report(&message, &format!("1-{octets}/{octets}"), "000 200 OK");
        alice.expect_report_of(&sent.message_id, 200).await;
        bob.send_ok(&Draft::new("text/plain", "y".repeat(octets)))
            .await;
        assert_eq!(alice.expect_message().await.body.len(), octets);
    }
    // One connection between the relays for all of it: each has its client and the other relay.
    for relay in [&first, &second] {
        assert_eq!(relay.metric("msrp_connections").await, 2.0);
    }
}

#[tokio::test]
async fn failure_behind_two_relays_is_reported_to_the_sender_by_the_one_that_saw_it() {
    let (first_key, second_key) = (certificate(), certificate());
    let keys = [&first_key, &second_key];
    let first = Daemon::start(config(&first_key, &keys)).await;
    let second = Daemon::start(config(&second_key, &keys)).await;
    let (mut alice, inner) = client(&first, &first_key, &ALICE).await;
    let both = alice
        .use_path(&format!("{inner} {}", uri_of(&second)), &BOB)
        .await;
    let (bob, bobs) = client(&second, &second_key, &BOB).await;
    alice.set_remote_path(&format!("{both} {bobs} {}", bob.uri()));
    bob.set_mode(Mode::Manual);
    let sent = alice.send_ok(&Draft::new("text/plain", "hello")).await;
    let chunk = bob.expect_chunk().await;
    bob.respond(&chunk, 415, "Unknown type");
    alice.expect_report_of(&sent.message_id, 415).await;
    bob.close();
    second
        .wait_metric("msrp_relay_uris", |uris| uris == 1.0)
        .await;
    let sent = alice.send_ok(&Draft::new("text/plain", "anybody?")).await;
    alice.expect_report_of(&sent.message_id, 481).await;
}

// covers: MSRP-4976-6.3-01
#[tokio::test]
async fn auth_through_a_relay_that_shows_no_trusted_certificate_is_refused() {
    let (first_key, second_key) = (certificate(), certificate());
    let first = Daemon::start(config(&first_key, &[&first_key, &second_key])).await;
    // The second one does not know who signed for the first.
    let second = Daemon::start(config(&second_key, &[&second_key])).await;
    let (alice, inner) = client(&first, &first_key, &ALICE).await;
    let to = format!("{inner} {}", uri_of(&second));
    let answer = alice.expect_response(&alice.send_auth(&to, &[])).await;
    assert_eq!(answer.status(), Some(403));
    // A next hop whose own certificate is not trusted is not talked to.
    let third = Daemon::start(config(&second_key, &[&second_key])).await;
    let (alice, inner) = client(&third, &second_key, &ALICE).await;
    let to = format!("{inner} {}", uri_of(&first));
    let answer = alice.expect_response(&alice.send_auth(&to, &[])).await;
    assert_eq!(answer.status(), Some(408));
}

// covers: MSRP-4976-8-04
#[tokio::test]
async fn second_relay_is_found_by_its_domain_alone_where_a_service_record_says() {
    let first_key = certificate();
    let second_key =
        generate_simple_self_signed(vec!["relay.example".to_owned(), "localhost".to_owned()])
            .unwrap();
    let keys = [&first_key, &second_key];
    let second = Daemon::start(
        config(&second_key, &keys).listeners(&[
            "name = \"relay\"\nbind = \"127.0.0.1:0\"\nadvertise = \"relay.example:0\"\ntransport = \"tls\"\n\
             cert = \"cert.pem\"\nkey = \"key.pem\"\n",
        ]),
    )
    .await;
    let zone = |address: [u8; 4]| {
        Zone::serve(vec![
            (
                "_msrps._tcp.relay.example",
                Record::Service(second.msrp_addr().port(), "one.relay.example"),
            ),
            ("one.relay.example", Record::Address(address.into())),
            ("relay.example", Record::Address([127, 0, 0, 9].into())),
        ])
    };
    let right = zone([127, 0, 0, 1]);
    let first = config(&first_key, &keys).set("relay", "relays", ["relay.example"]);
    let first = first.set("sip", "name_servers", [right.address().as_str()]);
    let first = Daemon::start(first).await;
    let (alice, inner) = client(&first, &first_key, &ALICE).await;
    let to = format!("{inner} msrps://relay.example;tcp");
    let both = alice.use_path(&to, &BOB).await;
    let port = second.msrp_addr().port();
    let outer = both.split(' ').nth(1).unwrap();
    assert!(outer.starts_with(&format!("msrps://relay.example:{port}/")));
    // A record that leads to an address that is denied leads nowhere.
    let wrong = zone([127, 0, 0, 2]);
    let other = config(&first_key, &keys).set("sip", "name_servers", [wrong.address().as_str()]);
    let other = Daemon::start(other).await;
    let (alice, inner) = client(&other, &first_key, &ALICE).await;
    let to = format!("{inner} msrps://relay.example;tcp");
    let answer = alice.expect_response(&alice.send_auth(&to, &[])).await;
    assert_eq!(answer.status(), Some(408));
    let denied = "msrp_relay_addresses_denied_total";
    other.wait_metric(denied, |count| count == 1.0).await;
}
