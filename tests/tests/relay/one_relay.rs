//! Two clients of one relay, and peers that are none.

use std::time::{Duration, Instant};

use msrp_testkit::{Config, Daemon, Draft, Event, Join, Mode, MsrpEndpoint};
use msrpd_tests::{Document, FRIENDS, WAYS, friends};

use crate::client::{ALICE, BOB, Client, config, pair, uri_of};

// covers: MSRP-4976-6.4.1-01, MSRP-4976-9.1-01
#[tokio::test]
async fn two_clients_that_authenticate_by_md5_and_sha_256_talk_through_one_relay() {
    for way in WAYS {
        let relay = Daemon::start(config().backend(way.backend).shards(2)).await;
        let (alice, bob) = pair(&relay).await;
        for octets in [1, 2_000, 300_000] {
            let draft = Draft::new("text/plain", "x".repeat(octets));
            alice.peer.send_ok(&draft).await;
            assert_eq!(bob.peer.expect_message().await.body.len(), octets);
            let draft = Draft::new("text/plain", "y".repeat(octets)).chunk_octets(2048);
            bob.peer.send_ok(&draft).await;
            assert_eq!(alice.peer.expect_message().await.body.len(), octets);
        }
        let delivered = "msrp_relay_sends_total{outcome=\"delivered\"}";
        let sends = 5.0 + f64::from(300_000_u32.div_ceil(2048));
        relay.wait_metric(delivered, |count| count == sends).await;
        assert_eq!(relay.metric("msrp_relay_sends_open").await, 0.0);
        assert_eq!(relay.metric("msrp_relay_uris").await, 2.0);
    }
}

// covers: MSRP-4976-6.4.2-01, MSRP-4976-6.4.1-10
#[tokio::test]
async fn report_of_a_recipient_comes_back_through_the_relay_whole() {
    let relay = Daemon::start(config().shards(2)).await;
    let (alice, bob) = pair(&relay).await;
    let draft = Draft::new("text/plain", "hello").success_report("yes");
    let sent = alice.peer.send_ok(&draft).await;
    let message = bob.peer.expect_message().await;
    assert_eq!(
        message.header("From-Path"),
        Some(bob_sees(&alice, &bob).as_str())
    );
    bob.peer.report(&message, "1-5/5", "000 200 OK");
    let report = alice.peer.expect_report_of(&sent.message_id, 200).await;
    assert_eq!(report.header("Byte-Range"), Some("1-5/5"));
}

/// The From-Path of what one client of a relay gets from another one.
fn bob_sees(alice: &Client, bob: &Client) -> String {
    format!("{} {}", bob.relay_uri(), alice.path)
}

#[tokio::test]
async fn relay_connects_to_an_endpoint_and_takes_its_requests_on_the_same_connection() {
    for host in ["127.0.0.1", "localhost"] {
        let relay = Daemon::start(config().shards(2)).await;
        let endpoint = MsrpEndpoint::bind().await;
        let uri = endpoint.uri().replace("127.0.0.1", host);
        let mut alice = Client::of(&relay, &ALICE).await;
        alice.talk_to(&uri);
        let sent = alice.peer.send(&Draft::new("text/plain", "first"));
        let bob = endpoint.accept_as(&uri, &alice.path).await;
        alice.peer.expect_all(&sent, 200).await;
        assert_eq!(bob.expect_message().await.text(), "first");
        bob.send_ok(&Draft::new("text/plain", "back")).await;
        assert_eq!(alice.peer.expect_message().await.text(), "back");
    }
}

#[tokio::test]
async fn endpoint_that_connects_itself_reaches_a_client_and_is_answered() {
    let relay = Daemon::start(config().shards(4)).await;
    let mut alice = Client::of(&relay, &ALICE).await;
    // Which shard the kernel gives a connection to is chance: several endpoints, one URI for each.
    for text in ["one", "two", "three", "four"] {
        let endpoint = MsrpEndpoint::bind().await;
        let bob = endpoint.connect_to(relay.msrp_addr(), &alice.path).await;
        bob.send_ok(&Draft::new("text/plain", text)).await;
        assert_eq!(alice.peer.expect_message().await.text(), text);
        let peer = bob.uri().to_owned();
        alice.talk_to(&peer);
        alice
            .peer
            .send_ok(&Draft::new("text/plain", "answer"))
            .await;
        assert_eq!(bob.expect_message().await.text(), "answer");
    }
}

#[tokio::test]
async fn member_of_a_room_uses_its_connection_for_the_relay_too() {
    let others = "sip:others@localhost";
    let document = Document::new(others).members(&[ALICE_ID, BOB_ID]);
    let config: Config = config()
        .shards(2)
        .group("friends", &friends().xml())
        .group("others", &document.xml());
    let relay = Daemon::start(config).await;
    let mut bob = Client::of(&relay, &BOB).await;
    // The two rooms live on different shards; the relay lives on one of them.
    for room in [FRIENDS, others] {
        let alice = Join::new(room, ALICE_ID).join(&relay).await;
        let login = ALICE;
        let use_path = alice.msrp.use_path(&uri_of(&relay), &login).await;
        bob.talk_to(&format!("{use_path} {}", alice.msrp.uri()));
        for octets in [5, 100_000] {
            bob.peer
                .send_ok(&Draft::new("text/plain", "x".repeat(octets)))
                .await;
            assert_eq!(alice.msrp.expect_message().await.body.len(), octets);
        }
        alice.say("to the room").await;
        let second = Join::new(room, BOB_ID).join(&relay).await;
        second.say("hello").await;
        alice.expect_text(BOB_ID, "hello").await;
    }
    let delivered = "msrp_relay_sends_total{outcome=\"delivered\"}";
    relay.wait_metric(delivered, |count| count == 4.0).await;
}

const ALICE_ID: &str = msrpd_tests::ALICE;
const BOB_ID: &str = msrpd_tests::BOB;

#[tokio::test]
async fn send_towards_nobody_is_reported_with_408_as_its_failure_report_says() {
    let relay = Daemon::start(config()).await;
    let mut alice = Client::of(&relay, &ALICE).await;
    // A port that was free a moment ago, and nobody listens on.
    let gone = MsrpEndpoint::bind().await.uri().to_owned();
    alice.talk_to(&gone);
    for report in ["yes", "partial", "no"] {
        let draft = Draft::new("text/plain", "hello").failure_report(report);
        let sent = alice.peer.send_ok(&draft).await;
        if report != "no" {
            alice.peer.expect_report_of(&sent.message_id, 408).await;
        }
    }
    let untold = "msrp_relay_failures_told_total{how=\"not_asked_for\"}";
    relay.wait_metric(untold, |count| count == 1.0).await;
    alice.peer.assert_nothing_left();
}

// covers: MSRP-4976-6.4.3-03, MSRP-4976-6.4.1-05
#[tokio::test]
async fn refusal_of_the_recipient_is_reported_to_the_sender_with_its_status() {
    let relay = Daemon::start(config()).await;
    let (alice, bob) = pair(&relay).await;
    bob.peer.set_mode(Mode::Manual);
    let sent = alice.peer.send_ok(&Draft::new("text/plain", "hello")).await;
    let chunk = bob.peer.expect_chunk().await;
    bob.peer.respond(&chunk, 415, "Unknown type");
    alice.peer.expect_report_of(&sent.message_id, 415).await;
}

// covers: MSRP-4976-6.3-06
#[tokio::test]
async fn client_that_goes_away_ends_what_is_on_its_way_and_its_uri() {
    let relay = Daemon::start(config().shards(2)).await;
    let (alice, bob) = pair(&relay).await;
    bob.peer.set_mode(Mode::Manual);
    let sent = alice.peer.send_ok(&Draft::new("text/plain", "hello")).await;
    bob.peer.expect_chunk().await;
    bob.peer.close();
    alice.peer.expect_report_of(&sent.message_id, 481).await;
    let late = alice.peer.send(&Draft::new("text/plain", "late"));
    alice.peer.expect_all(&late, 481).await;
}

// covers: MSRP-4976-6.4.1-03, MSRP-4976-6.4.1-04
#[tokio::test]
async fn recipient_that_never_answers_is_reported_with_408_after_30_seconds() {
    let relay = Daemon::start(config()).await;
    let (alice, bob) = pair(&relay).await;
    bob.peer.set_mode(Mode::Manual);
    let began = Instant::now();
    let sent = alice.peer.send_ok(&Draft::new("text/plain", "hello")).await;
    bob.peer.expect_chunk().await;
    let failed = "msrp_relay_sends_total{outcome=\"failed\"}";
    let deadline = Duration::from_secs(45);
    relay
        .wait_metric_within(deadline, failed, |count| count == 1.0)
        .await;
    assert!(
        began.elapsed() >= Duration::from_secs(30),
        "{:?}",
        began.elapsed()
    );
    alice.peer.expect_report_of(&sent.message_id, 408).await;
    // What comes too late changes nothing.
    alice.peer.assert_nothing_left();
}

#[tokio::test]
async fn slow_typing_is_passed_on_before_the_chunk_ends() {
    let relay = Daemon::start(config()).await;
    let (alice, bob) = pair(&relay).await;
    bob.peer.set_mode(Mode::Manual);
    let draft = Draft::new("text/plain", "slow typing");
    let frame = draft.frames(alice.peer.remote_path(), alice.peer.uri());
    let octets = frame[0].to_octets();
    let (first, rest) = octets.split_at(octets.len() - 30);
    alice.peer.write_raw(first);
    let chunk = bob.peer.expect_chunk().await;
    assert!("slow typing".as_bytes().starts_with(&chunk.body.unwrap()));
    alice.peer.write_raw(rest);
    assert_eq!(bob.peer.expect_message().await.text(), "slow typing");
    let none = |event: &Event| matches!(event, Event::Response(_));
    alice.peer.expect_nothing_until("the answer", none).await;
}
