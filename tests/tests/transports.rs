//! The daemon with a listener of each transport.
#![expect(
    clippy::unwrap_used,
    reason = "a test stops where something is missing"
)]

#[path = "../../crates/msrp-shard/tests/engine/gateway.rs"]
mod gateway;
#[path = "../../crates/msrp-shard/tests/engine/tls_peer.rs"]
mod tls_peer;

use msrp_testkit::daemon::LogLine;
use msrp_testkit::{Config, Daemon, Join, MsrpEndpoint, Participant};
use msrpd_tests::{ALICE, BOB, CAROL, DAVE, FRIENDS, WAYS, Way, config_with_friends};
use rcgen::{CertifiedKey, KeyPair};
use tls_peer::{client_of, over_tls, self_signed, shake_hands};

const LISTENERS: [&str; 4] = [
    "name = \"plain\"\nbind = \"127.0.0.1:0\"\n",
    "name = \"tls\"\nbind = \"127.0.0.1:0\"\ntransport = \"tls\"\ncert = \"cert.pem\"\nkey = \"key.pem\"\n",
    "name = \"ws\"\nbind = \"127.0.0.1:0\"\ntransport = \"ws\"\n",
    "name = \"wss\"\nbind = \"127.0.0.1:0\"\ntransport = \"wss\"\ncert = \"cert.pem\"\nkey = \"key.pem\"\n\
     origins = [\"https://chat.example.com\"]\n",
];

fn served(key: &CertifiedKey<KeyPair>) -> Config {
    config_with_friends()
        .listeners(&LISTENERS)
        .file("cert.pem", &key.cert.pem())
        .file("key.pem", &key.signing_key.serialize_pem())
}

/// Dials in with a path of this scheme and transport, and comes through what lies between.
async fn join(
    daemon: &Daemon,
    way: Way,
    identity: &str,
    (scheme, transport): (&str, &str),
    trusted: &CertifiedKey<KeyPair>,
) -> Participant {
    let endpoint = MsrpEndpoint::bind().await.reached_over(scheme, transport);
    let dial: Join = way.dial(FRIENDS, identity).endpoint(endpoint);
    let (dialog, endpoint, identity, room) = dial.start(daemon).await.answered().await;
    let answer = dialog.remote_media();
    let mut address = answer.address();
    if scheme == "msrps" {
        address = over_tls(client_of(trusted), address).await;
    }
    if transport == "ws" {
        let gateway = tokio::task::spawn_blocking(move || gateway::over_websocket(address));
        address = gateway.await.unwrap();
    }
    let msrp = endpoint.connect_to(address, &answer.path.join(" ")).await;
    msrp.bind().await;
    Participant {
        identity,
        room,
        dialog,
        msrp,
    }
}

// covers: SEC-14.1.4-01, MSRP-4975-8.1-02
#[tokio::test]
async fn members_on_every_transport_talk_to_each_other() {
    let key = self_signed();
    for way in WAYS {
        let daemon = way.start(served(&key)).await;
        let people = [
            way.join(&daemon, FRIENDS, ALICE).await,
            join(&daemon, way, BOB, ("msrps", "tcp"), &key).await,
            join(&daemon, way, CAROL, ("msrp", "ws"), &key).await,
            join(&daemon, way, DAVE, ("msrps", "ws"), &key).await,
        ];
        for sender in &people {
            let text = format!("{} {}", sender.identity, "x".repeat(100_000));
            sender.say(&text).await;
            for recipient in &people {
                if recipient.identity != sender.identity {
                    recipient.expect_text(&sender.identity, &text).await;
                }
            }
        }
        people[2].leave().await;
        people[2].msrp.expect_closed().await;
        people[0].say("one has gone").await;
        people[3].expect_text(ALICE, "one has gone").await;
    }
}

#[tokio::test]
async fn certificate_that_is_renewed_is_shown_from_then_on_and_no_session_is_lost() {
    let (first, second) = (self_signed(), self_signed());
    for is_asked in [true, false] {
        let way = WAYS[0];
        let daemon = way.start(served(&first)).await;
        let alice = way.join(&daemon, FRIENDS, ALICE).await;
        let bob = join(&daemon, way, BOB, ("msrps", "tcp"), &first).await;
        daemon.write_file("cert.pem", &second.cert.pem());
        daemon.write_file("key.pem", &second.signing_key.serialize_pem());
        if is_asked {
            daemon.signal("HUP");
        }
        let is_read = |line: &LogLine| line.message() == "certificates read";
        daemon.wait_log("certificates read", is_read).await;
        let carol = join(&daemon, way, CAROL, ("msrps", "tcp"), &second).await;
        alice.say("still here").await;
        bob.expect_text(ALICE, "still here").await;
        carol.expect_text(ALICE, "still here").await;
        shake_hands(&client_of(&second), daemon.msrp_addr_of("tls")).await;
    }
}

#[tokio::test]
async fn member_of_a_transport_without_listener_is_refused_with_488() {
    for way in WAYS {
        let daemon = way.start(config_with_friends()).await;
        for (scheme, transport) in [("msrps", "tcp"), ("msrp", "ws"), ("msrps", "ws")] {
            let endpoint = MsrpEndpoint::bind().await.reached_over(scheme, transport);
            let joining = way
                .dial(FRIENDS, BOB)
                .endpoint(endpoint)
                .start(&daemon)
                .await;
            assert_eq!(joining.calling.expect_final().await.status(), 488);
        }
    }
}
