//! What errors of a recipient do to it and to the others.

use msrp_control::EndReason;
use msrp_testkit::{Draft, Flag, Frame, Mode, MsrpEndpoint, MsrpPeer};

use crate::node::{Node, ROOM, backends, config, expect_lost, identity, node};

fn text(text: &str) -> Draft {
    Draft::text(&identity("alice"), ROOM, text)
}

/// A room in which bob answers nothing by itself.
async fn three(node: &Node) -> [MsrpPeer; 3] {
    let alice = node.join("alice").await;
    let bob = node.join("bob").await;
    let carol = node.join("carol").await;
    bob.set_mode(Mode::Manual);
    [alice, bob, carol]
}

// covers: MSRP-4975-10-08, MSRP-4975-10-09, MSRP-4975-7.3.2-05
#[tokio::test]
async fn session_that_its_peer_does_not_know_ends_and_a_new_one_has_a_new_uri() {
    for (want, status) in backends().into_iter().zip([481, 506]) {
        let node = node(config(want, 1)).await;
        let mut events = node.client.subscribe();
        let [alice, bob, carol] = three(&node).await;
        alice.send_ok(&text("one")).await;
        let chunk = bob.expect_chunk().await;
        bob.respond(&chunk, status, "Gone");
        let lost = expect_lost(&mut events, "bob").await;
        assert_eq!(lost, EndReason::SessionOver);
        alice.send_ok(&text("two")).await;
        carol.expect_text(&identity("alice"), "one").await;
        carol.expect_text(&identity("alice"), "two").await;
        let again = node.join("bob").await;
        assert_ne!(again.remote_path(), bob.remote_path());
        alice.send_ok(&text("three")).await;
        again.expect_text(&identity("alice"), "three").await;
    }
}

// covers: MSRP-4975-7.3.2-02, MSRP-4975-7.3.2-04
#[tokio::test]
async fn failure_report_on_octets_that_did_not_come_through_ends_the_session() {
    let node = node(config(backends()[0], 1)).await;
    let mut events = node.client.subscribe();
    let [alice, bob, carol] = three(&node).await;
    let draft = text(&"x".repeat(20_000)).chunk_octets(10_000);
    let tid = alice.send_chunk(&draft, 0, 10_000, Flag::More);
    alice.expect_status(&tid, 200).await;
    let chunk = bob.expect_chunk().await;
    let id = chunk.message_id().unwrap();
    let report = Frame::request("REPORT", "tidrep001", bob.remote_path(), bob.uri())
        .with("Message-ID", id)
        .with("Byte-Range", "1-9999/20000")
        .with("Status", "000 408 Timeout");
    bob.write(&report);
    let lost = expect_lost(&mut events, "bob").await;
    assert_eq!(lost, EndReason::SessionOver);
    alice.send_chunk(&draft, 10_000, draft.octets(), Flag::Last);
    assert_eq!(carol.expect_message().await.ended, Flag::Last);
}

// covers: MSRP-4975-10-03, MSRP-4975-7.3.2-03
#[tokio::test]
async fn recipient_that_wants_no_more_gets_the_abort_and_the_next_message() {
    let node = node(config(backends()[0], 1)).await;
    let [alice, bob, carol] = three(&node).await;
    let draft = text(&"x".repeat(20_000)).chunk_octets(10_000);
    let tid = alice.send_chunk(&draft, 0, 10_000, Flag::More);
    alice.expect_status(&tid, 200).await;
    let chunk = bob.expect_chunk().await;
    bob.respond(&chunk, 413, "Stop");
    let message = bob.expect_message().await;
    assert_eq!(message.ended, Flag::Abort);
    alice.send_chunk(&draft, 10_000, draft.octets(), Flag::Last);
    assert_eq!(carol.expect_message().await.ended, Flag::Last);
    bob.set_mode(Mode::Auto);
    alice.send_ok(&text("next")).await;
    bob.expect_text(&identity("alice"), "next").await;
}

// covers: MSRP-4975-10-06
#[tokio::test]
async fn type_that_a_recipient_does_not_understand_is_not_sent_to_it_again() {
    let node = node(config(backends()[0], 1)).await;
    let alice = node.join("alice").await;
    let mut others = Vec::new();
    for name in ["bob", "carol"] {
        let endpoint = MsrpEndpoint::bind().await;
        let mut media = endpoint.media();
        media.accept_wrapped_types = vec!["*".to_owned()];
        let answer = node.offer(name, &media).await;
        let peer = endpoint.connect(&answer).await;
        peer.bind().await;
        others.push(peer);
    }
    let [bob, carol] = &others[..] else {
        unreachable!()
    };
    bob.set_mode(Mode::Manual);
    let html = |body: &str| Draft::wrapped(&identity("alice"), ROOM, "text/html", body.as_bytes());
    let accepts = node.metric("msrp_copies_total", Some("refused"));
    alice.send_ok(&html("one")).await;
    carol.expect_text(&identity("alice"), "one").await;
    let chunk = bob.expect_chunk().await;
    bob.expect_message().await;
    bob.respond(&chunk, 415, "Unsupported");
    let settled = Draft::empty();
    bob.send_ok(&settled).await;
    bob.set_mode(Mode::Auto);
    alice.send_ok(&html("two")).await;
    carol.expect_text(&identity("alice"), "two").await;
    alice.send_ok(&text("three")).await;
    bob.expect_text(&identity("alice"), "three").await;
    assert_eq!(
        node.metric("msrp_copies_total", Some("refused")),
        accepts + 1
    );
}

// covers: MSRP-4975-12-02
#[tokio::test]
async fn method_that_nobody_knows_is_501_and_the_session_goes_on() {
    let node = node(config(backends()[0], 1)).await;
    let [alice, bob, _carol] = three(&node).await;
    let request = Frame::request("FETCH", "tidfetch1", alice.remote_path(), alice.uri());
    alice.write(&request);
    alice.expect_status("tidfetch1", 501).await;
    alice.send_ok(&text("hello")).await;
    bob.expect_text(&identity("alice"), "hello").await;
}
