//! What reaches whom.

use msrp_control::EndReason;
use msrp_testkit::{Draft, Flag, Mode, MsrpEndpoint};

use crate::node::{ROOM, backends, config, expect_lost, identity, node};

// covers: UPS-7.2.3.1-01, UPS-7.2.3.1-06, UPS-7.2.3.3-02, UPS-7.2.3.3-06, UPS-7.2.3.3-07
#[tokio::test]
async fn room_message_reaches_everyone_but_its_sender_untouched() {
    for want in backends() {
        let node = node(config(want, 2)).await;
        let alice = node.join("alice").await;
        let others = [node.join("bob").await, node.join("carol").await];
        let draft = Draft::text(&identity("alice"), ROOM, "hello");
        alice.send_ok(&draft).await;
        for other in &others {
            other.expect_text(&identity("alice"), "hello").await;
        }
        alice
            .send_ok(&Draft::text(&identity("alice"), ROOM, "again"))
            .await;
        others[0].expect_text(&identity("alice"), "again").await;
        alice.assert_nothing_left();
    }
}

// covers: UPS-7.2.3.1-04, UPS-7.2.3.3-01
#[tokio::test]
async fn room_message_with_a_false_from_is_refused_and_not_relayed() {
    for want in backends() {
        let node = node(config(want, 1)).await;
        let alice = node.join("alice").await;
        let bob = node.join("bob").await;
        let sent = alice.send(&Draft::text(&identity("bob"), ROOM, "lie"));
        alice.expect_all(&sent, 403).await;
        alice
            .send_ok(&Draft::text(&identity("alice"), ROOM, "truth"))
            .await;
        bob.expect_text(&identity("alice"), "truth").await;
        bob.assert_nothing_left();
    }
}

// covers: MSRP-4975-5.4-11, MSRP-4975-5.4-12, MSRP-4975-7.3-01, MSRP-4975-7.3-02
// covers: UPS-7.2.3.1-08, UPS-7.2.3.3-08, UPS-7.2.3.3-13
#[tokio::test]
async fn message_of_a_lost_sender_ends_with_an_abort_for_the_others() {
    for want in backends() {
        let node = node(config(want, 1)).await;
        let mut events = node.client.subscribe();
        let alice = node.join("alice").await;
        let bob = node.join("bob").await;
        let text = "x".repeat(20_000);
        let draft = Draft::text(&identity("alice"), ROOM, &text).chunk_octets(10_000);
        alice.send_chunk(&draft, 0, 10_000, Flag::More);
        alice.close();
        let message = bob.expect_message().await;
        assert_eq!(message.ended, Flag::Abort);
        assert_eq!(
            expect_lost(&mut events, "alice").await,
            EndReason::ConnectionLost
        );
    }
}

#[tokio::test]
async fn message_of_five_megabytes_in_chunks_arrives_whole() {
    for want in backends() {
        let node = node(config(want, 2)).await;
        let alice = node.join("alice").await;
        let bob = node.join("bob").await;
        let carol = node.join("carol").await;
        let text: String = (0..5_000_000_u32)
            .map(|i| char::from(b'a' + (i % 23) as u8))
            .collect();
        let draft = Draft::text(&identity("alice"), ROOM, &text).chunk_octets(100_000);
        let sent = alice.send(&draft);
        for peer in [&bob, &carol] {
            let message = peer.expect_message().await;
            let cpim = message.cpim();
            let received = cpim.text();
            let same = received
                .bytes()
                .zip(text.bytes())
                .take_while(|(a, b)| a == b)
                .count();
            assert_eq!(
                (received.len(), same),
                (text.len(), text.len()),
                "{:?}",
                message.chunks
            );
        }
        alice.expect_all(&sent, 200).await;
    }
}

#[tokio::test]
async fn message_to_a_participant_without_connection_waits_for_it() {
    for want in backends() {
        let node = node(config(want, 1)).await;
        let alice = node.join("alice").await;
        let endpoint = MsrpEndpoint::bind().await;
        let answer = node.offer("bob", &endpoint.media()).await;
        alice
            .send_ok(&Draft::text(&identity("alice"), ROOM, "early"))
            .await;
        assert!(node.metric("msrp_body_octets_copied_total", Some("not_yet_bound")) > 0);
        let bob = endpoint.connect(&answer).await;
        bob.bind().await;
        bob.expect_text(&identity("alice"), "early").await;
    }
}

#[tokio::test]
async fn message_too_long_for_a_participant_without_connection_ends_with_an_abort_for_it() {
    for want in backends() {
        let node = node(config(want, 1)).await;
        let alice = node.join("alice").await;
        let carol = node.join("carol").await;
        let endpoint = MsrpEndpoint::bind().await;
        let answer = node.offer("bob", &endpoint.media()).await;
        let text = "y".repeat(600_000);
        let sent = alice.send(&Draft::text(&identity("alice"), ROOM, &text).chunk_octets(50_000));
        carol.expect_text(&identity("alice"), &text).await;
        alice.expect_all(&sent, 200).await;
        let bob = endpoint.connect(&answer).await;
        bob.bind().await;
        assert_eq!(bob.expect_message().await.ended, Flag::Abort);
        let notice = "1 message was not delivered to you: too much was waiting for you.";
        bob.expect_text(ROOM, notice).await;
        alice
            .send_ok(&Draft::text(&identity("alice"), ROOM, "next"))
            .await;
        bob.expect_text(&identity("alice"), "next").await;
    }
}

#[tokio::test]
async fn recipients_that_are_asked_settle_their_copies_as_delivered_or_refused() {
    for want in backends() {
        let mut config = config(want, 1);
        config.ask_recipients = true;
        let node = node(config).await;
        let alice = node.join("alice").await;
        let bob = node.join("bob").await;
        let carol = node.join("carol").await;
        carol.set_mode(Mode::Manual);
        alice
            .send_ok(&Draft::text(&identity("alice"), ROOM, "asked"))
            .await;
        bob.expect_text(&identity("alice"), "asked").await;
        carol.respond(&carol.expect_chunk().await, 413, "too much");
        // A further message through the shard shows that the answers have been read.
        carol.send_ok(&Draft::empty()).await;
        bob.send_ok(&Draft::empty()).await;
        assert_eq!(node.metric("msrp_copies_total", Some("delivered")), 1);
        assert_eq!(node.metric("msrp_copies_total", Some("refused")), 1);
    }
}

#[tokio::test]
async fn body_of_large_pieces_is_not_copied_for_recipients_that_keep_up() {
    for want in backends() {
        let node = node(config(want, 1)).await;
        let alice = node.join("alice").await;
        let bob = node.join("bob").await;
        let draft = Draft::text(&identity("alice"), ROOM, &"z".repeat(20_000));
        alice.send_ok(&draft).await;
        bob.expect_message().await;
        for why in ["backlog", "not_yet_bound"] {
            assert_eq!(
                node.metric("msrp_body_octets_copied_total", Some(why)),
                0,
                "{why}"
            );
        }
    }
}
