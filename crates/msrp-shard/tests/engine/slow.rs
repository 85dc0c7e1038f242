//! Recipients that are slow or take nothing.

use msrp_control::EndReason;
use msrp_testkit::{Draft, Flag, Mode, MsrpEndpoint, MsrpPeer};

use crate::node::{Node, ROOM, backends, config, expect_lost, identity, node};

/// Joins a participant with a small receive buffer, and lets it stop to read.
async fn deaf(node: &Node, name: &str) -> MsrpPeer {
    let endpoint = MsrpEndpoint::bind().await.receive_buffer_octets(4096);
    let mut media = endpoint.media();
    media.lines.push("a=chatroom:private-messages".to_owned());
    let answer = node.offer(name, &media).await;
    let peer = endpoint.connect(&answer).await;
    peer.bind().await;
    peer.set_mode(Mode::Deaf);
    peer
}

#[tokio::test]
async fn recipient_that_takes_nothing_is_shed_and_the_others_get_everything() {
    for want in backends() {
        let mut config = config(want, 1);
        config.limits.stall_ns = 300_000_000;
        let node = node(config).await;
        let mut events = node.client.subscribe();
        let alice = node.join("alice").await;
        let bob = node.join("bob").await;
        let _deaf = deaf(&node, "deaf").await;
        let text = "s".repeat(3_000_000);
        let sent = alice.send(&Draft::text(&identity("alice"), ROOM, &text).chunk_octets(60_000));
        bob.expect_text(&identity("alice"), &text).await;
        alice.expect_all(&sent, 200).await;
        assert_eq!(expect_lost(&mut events, "deaf").await, EndReason::Stalled);
        assert!(node.metric("msrp_senders_paused_total", None) > 0);
        assert_eq!(node.metric("msrp_copies_total", Some("failed")), 1);
    }
}

// covers: MSRP-7701-6.4-02, MSRP-7701-6.4-03
#[tokio::test]
async fn recipient_that_takes_nothing_holds_nobody_up_and_may_come_back() {
    for want in backends() {
        let node = node(config(want, 1)).await;
        let alice = node.join("alice").await;
        let bob = node.join("bob").await;
        let late = deaf(&node, "late").await;
        let from = identity("alice");
        // More than the buffers and what is kept for it together.
        let large = "l".repeat(3_000_000);
        let sent = alice.send(&Draft::text(&from, ROOM, &large).chunk_octets(60_000));
        bob.expect_text(&from, &large).await;
        alice.expect_all(&sent, 200).await;
        assert_eq!(node.metric("msrp_recipients_behind_total", None), 1);
        assert_eq!(node.metric("msrp_copies_without_room_total", None), 1);
        assert_eq!(node.metric("msrp_copies_total", Some("failed")), 1);
        // Now nobody waits any more, and what does not fit is not begun.
        alice
            .send_ok(&Draft::text(&from, ROOM, &large).chunk_octets(60_000))
            .await;
        bob.expect_text(&from, &large).await;
        assert_eq!(node.metric("msrp_copies_without_room_total", None), 2);
        // It reads again: what it had a part of was given up, it is told, a new message comes whole.
        late.set_mode(Mode::Auto);
        let notice = "2 messages were not delivered to you: too much was waiting for you.";
        let mut aborted = 0;
        let mut is_told = false;
        while aborted == 0 || !is_told {
            let message = late.expect_message().await;
            if message.ended == Flag::Abort {
                aborted += 1;
            } else {
                assert_eq!(message.cpim().text(), notice);
                is_told = true;
            }
        }
        alice.send_ok(&Draft::text(&from, ROOM, "again")).await;
        let mut message = late.expect_message().await;
        if message.ended == Flag::Abort {
            message = late.expect_message().await;
        }
        assert_eq!(message.cpim().text(), "again");
        bob.expect_text(&from, "again").await;
    }
}

#[tokio::test]
async fn small_message_goes_before_the_rest_of_a_large_one() {
    for want in backends() {
        let node = node(config(want, 1)).await;
        let alice = node.join("alice").await;
        let bob = node.join("bob").await;
        let late = deaf(&node, "late").await;
        let large = "l".repeat(3_000_000);
        alice.send(&Draft::text(&identity("alice"), ROOM, &large).chunk_octets(60_000));
        // Its sender waits: there is a backlog.
        node.until("msrp_senders_paused_total", None, |count| count > 0)
            .await;
        bob.send_ok(&Draft::text(&identity("bob"), ROOM, "small"))
            .await;
        alice.expect_text(&identity("bob"), "small").await;
        late.set_mode(Mode::Auto);
        late.expect_text(&identity("bob"), "small").await;
        late.expect_text(&identity("alice"), &large).await;
    }
}

#[tokio::test]
async fn recipient_that_reads_late_gets_everything_and_its_sender_waits() {
    for want in backends() {
        let node = node(config(want, 1)).await;
        let alice = node.join("alice").await;
        let late = deaf(&node, "late").await;
        let text = "s".repeat(3_000_000);
        let sent = alice.send(&Draft::text(&identity("alice"), ROOM, &text).chunk_octets(60_000));
        while node.metric("msrp_senders_paused_total", None) == 0 {
            tokio::task::yield_now().await;
        }
        late.set_mode(Mode::Auto);
        late.expect_text(&identity("alice"), &text).await;
        alice.expect_all(&sent, 200).await;
    }
}

#[tokio::test]
async fn senders_that_wait_keep_no_receive_buffers_from_the_others() {
    for want in backends() {
        let node = node(config(want, 1)).await;
        let mut senders = Vec::new();
        for index in 0..10 {
            senders.push(node.join(&format!("sender{index}")).await);
        }
        let _late = deaf(&node, "late").await;
        let large = "l".repeat(400_000);
        for (index, sender) in senders.iter().enumerate() {
            let from = identity(&format!("sender{index}"));
            let to = identity("late");
            sender.send(&Draft::text(&from, &to, &large).chunk_octets(60_000));
        }
        node.until("msrp_senders_paused_total", None, |count| count >= 10)
            .await;
        let other = node.another("other").await;
        let alice = other.join("alice").await;
        let bob = other.join("bob").await;
        alice
            .send_ok(&Draft::text(&identity("alice"), ROOM, "still there"))
            .await;
        bob.expect_text(&identity("alice"), "still there").await;
        node.until("msrp_receive_slots_in_use", None, |count| count == 0)
            .await;
        assert!(node.metric("msrp_body_octets_copied_total", Some("held_back")) > 0);
    }
}
