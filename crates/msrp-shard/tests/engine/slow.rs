//! Recipients that are slow or take nothing.

use msrp_control::EndReason;
use msrp_testkit::{Draft, Mode, MsrpEndpoint};

use crate::node::{ROOM, backends, config, expect_lost, identity, node};

#[tokio::test]
async fn recipient_that_takes_nothing_is_shed_and_the_others_get_everything() {
    for want in backends() {
        let mut config = config(want, 1);
        config.limits.stall_ns = 300_000_000;
        let node = node(config).await;
        let mut events = node.client.subscribe();
        let alice = node.join("alice").await;
        let bob = node.join("bob").await;
        let endpoint = MsrpEndpoint::bind().await.receive_buffer_octets(4096);
        let answer = node.offer("deaf", &endpoint.media()).await;
        let deaf = endpoint.connect(&answer).await;
        deaf.bind().await;
        deaf.set_mode(Mode::Deaf);
        let text = "s".repeat(3_000_000);
        let sent = alice.send(&Draft::text(&identity("alice"), ROOM, &text).chunk_octets(60_000));
        bob.expect_text(&identity("alice"), &text).await;
        alice.expect_all(&sent, 200).await;
        assert_eq!(expect_lost(&mut events, "deaf").await, EndReason::Stalled);
        assert!(node.metric("msrp_senders_paused_total", None) > 0);
        assert_eq!(node.metric("msrp_copies_total", Some("failed")), 1);
    }
}

#[tokio::test]
async fn recipient_that_reads_late_gets_everything_and_its_sender_waits() {
    for want in backends() {
        let node = node(config(want, 1)).await;
        let alice = node.join("alice").await;
        let endpoint = MsrpEndpoint::bind().await.receive_buffer_octets(4096);
        let answer = node.offer("late", &endpoint.media()).await;
        let late = endpoint.connect(&answer).await;
        late.bind().await;
        late.set_mode(Mode::Deaf);
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
