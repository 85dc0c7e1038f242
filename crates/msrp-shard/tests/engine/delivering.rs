//! Rooms that deliver messages: late recipients, senders that wait, and who has everything.

use msrp_control::{Delivery, ErrorCode, Event, ParticipantId};
use msrp_testkit::{Draft, Flag, Media, Mode, MsrpEndpoint, MsrpPeer};

use crate::node::{Node, ROOM, backends, config, identity, node};

fn id(name: &str) -> ParticipantId {
    ParticipantId::new(name).unwrap()
}

async fn delivering(want: ring_io::Want, late_octets_max: u64, late_ms: u64) -> Node {
    let node = node(config(want, 2)).await;
    let delivery = Delivery {
        late_octets_max,
        late_ms,
        is_single: false,
        takes_bare: false,
    };
    let set = node.client.set_delivery(node.room.clone(), delivery);
    set.await.unwrap();
    node
}

fn text(octets: u32) -> String {
    let letter = |i: u32| char::from(b'a' + (i % 23) as u8);
    (0..octets).map(letter).collect()
}

/// Accepts what the node offered, and connects.
async fn accept(node: &Node, name: &str, offer: &Media) -> MsrpPeer {
    let endpoint = MsrpEndpoint::bind().await;
    let answer = endpoint.media().setup("active");
    node.answer(name, &answer).await;
    let peer = endpoint.connect(offer).await;
    peer.bind().await;
    peer
}

#[tokio::test]
async fn large_message_waits_for_recipients_that_accept_and_connect_late() {
    for want in backends() {
        let node = delivering(want, 100_000, 30_000).await;
        let alice = node.join("alice").await;
        let bob = node.invite("bob").await;
        let carol = node.invite("carol").await;
        let bob = accept(&node, "bob", &bob).await;
        let text = text(5_000_000);
        let draft = Draft::text(&identity("alice"), ROOM, &text).chunk_octets(100_000);
        let sent = alice.send(&draft);
        // The sender is not read: the rest stays with it.
        node.until("msrp_senders_paused_total", None, |times| times > 0)
            .await;
        let carol = accept(&node, "carol", &carol).await;
        for peer in [&bob, &carol] {
            let message = peer.expect_message().await;
            assert!(message.cpim().text() == text, "other octets");
        }
        alice.expect_all(&sent, 200).await;
        for name in ["bob", "carol"] {
            let served = node.client.await_served(node.room.clone(), id(name));
            served.await.unwrap();
        }
    }
}

#[tokio::test]
async fn recipient_that_does_not_come_in_time_holds_nobody_up() {
    for want in backends() {
        let node = delivering(want, 100_000, 200).await;
        let mut events = node.client.subscribe();
        let alice = node.join("alice").await;
        let bob = node.invite("bob").await;
        node.invite("carol").await;
        let bob = accept(&node, "bob", &bob).await;
        let text = text(2_000_000);
        let draft = Draft::text(&identity("alice"), ROOM, &text).chunk_octets(100_000);
        let sent = alice.send(&draft);
        bob.expect_text(&identity("alice"), &text).await;
        alice.expect_all(&sent, 200).await;
        loop {
            if let Event::ParticipantTooLate { participant, .. } = events.recv().await.unwrap() {
                assert_eq!(participant, id("carol"));
                break;
            }
        }
    }
}

#[tokio::test]
async fn recipient_has_everything_when_it_has_acknowledged_everything() {
    for want in backends() {
        let node = delivering(want, 100_000, 1000).await;
        let alice = node.join("alice").await;
        let bob = node.invite("bob").await;
        let bob = accept(&node, "bob", &bob).await;
        bob.set_mode(Mode::Manual);
        alice
            .send_ok(&Draft::text(&identity("alice"), ROOM, "slowly"))
            .await;
        node.remove("alice").await;
        let chunk = bob.expect_chunk().await;
        assert_eq!(chunk.header("Failure-Report"), None, "yes is the default");
        let served = node.client.await_served(node.room.clone(), id("bob"));
        tokio::pin!(served);
        let later = node.client.status();
        tokio::select! {
            biased;
            _ = &mut served => panic!("nothing was acknowledged"),
            status = later => { status.unwrap(); }
        }
        bob.respond(&chunk, 200, "OK");
        served.await.unwrap();
    }
}

#[tokio::test]
async fn wait_for_a_participant_that_goes_ends_with_it() {
    for want in backends() {
        let node = delivering(want, 100_000, 1000).await;
        let alice = node.join("alice").await;
        node.invite("bob").await;
        let room = node.room.clone();
        alice
            .send_ok(&Draft::text(&identity("alice"), ROOM, "hello"))
            .await;
        let served = node.client.await_served(room.clone(), id("bob"));
        let excused = node.client.excuse_participant(room.clone(), id("bob"), 486);
        let (served, excused) = tokio::join!(served, excused);
        excused.unwrap();
        assert_eq!(served.unwrap_err().code, ErrorCode::NoSuchParticipant);
        let nobody = node.client.await_served(room.clone(), id("bob")).await;
        assert_eq!(nobody.unwrap_err().code, ErrorCode::NoSuchParticipant);
        let odd = node.client.excuse_participant(room, id("bob"), 1000).await;
        assert_eq!(odd.unwrap_err().code, ErrorCode::MalformedContent);
    }
}

#[tokio::test]
async fn sender_that_is_lost_in_the_middle_ends_what_others_got() {
    for want in backends() {
        let node = delivering(want, 200_000, 30_000).await;
        let alice = node.join("alice").await;
        let bob = node.invite("bob").await;
        let carol = node.invite("carol").await;
        let bob = accept(&node, "bob", &bob).await;
        let text = text(100_000);
        let draft = Draft::text(&identity("alice"), ROOM, &text).chunk_octets(50_000);
        let tid = alice.send_chunk(&draft, 0, 50_000, Flag::More);
        alice.expect_status(&tid, 200).await;
        alice.close();
        assert_eq!(bob.expect_message().await.ended, Flag::Abort);
        let served = node.client.await_served(node.room.clone(), id("carol"));
        served.await.unwrap();
        let carol = accept(&node, "carol", &carol).await;
        carol.assert_nothing_left();
    }
}

#[tokio::test]
async fn large_message_reaches_a_room_over_two_shards_and_the_late_one_in_it() {
    for want in backends() {
        let node = delivering(want, 100_000, 30_000).await;
        let alice = node.join("alice").await;
        let mut peers = Vec::new();
        for number in 0..40 {
            let name = format!("p{number}");
            let offer = node.invite(&name).await;
            peers.push(accept(&node, &name, &offer).await);
        }
        let late = node.invite("late").await;
        let text = text(1_000_000);
        let draft = Draft::text(&identity("alice"), ROOM, &text).chunk_octets(100_000);
        let sent = alice.send(&draft);
        node.until("msrp_senders_paused_total", None, |times| times > 0)
            .await;
        peers.push(accept(&node, "late", &late).await);
        assert!(node.metric("msrp_routes_opened_total", None) > 0);
        for peer in &peers {
            let message = peer.expect_message().await;
            assert_eq!(message.ended, Flag::Last);
            assert!(message.cpim().text() == text, "other octets");
        }
        alice.expect_all(&sent, 200).await;
        for name in ["p0", "p39", "late"] {
            let served = node.client.await_served(node.room.clone(), id(name));
            served.await.unwrap();
        }
    }
}
