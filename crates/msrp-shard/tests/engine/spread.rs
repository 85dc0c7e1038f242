//! Rooms whose connections are spread over several shards.

use std::collections::BTreeSet;
use std::sync::Arc;

use msrp_control::{EndReason, Event, RoomId};
use msrp_shard::EngineConfig;
use msrp_testkit::{Draft, Flag, Mode, MsrpEndpoint, MsrpPeer};

use crate::node::{Node, ROOM, backends, config, expect_lost, identity, node};

/// Participants of a room that is spread.
const PARTICIPANTS: usize = 60;
/// From this one on they are placed on both shards in turn.
const SPREAD_FROM: usize = 4;

async fn spread(want: ring_io::Want) -> (Node, Vec<MsrpPeer>) {
    spread_with(config(want, 2), PARTICIPANTS).await
}

async fn spread_with(mut config: EngineConfig, participants: usize) -> (Node, Vec<MsrpPeer>) {
    config.limits.spread_participants_min = SPREAD_FROM;
    let node = node(config).await;
    let mut peers = Vec::new();
    for index in 0..participants {
        peers.push(node.join(&format!("p{index}")).await);
    }
    // Half of those that came when the room was large enough.
    let routes = (participants - SPREAD_FROM) / 2;
    assert_eq!(node.metric("msrp_routes_opened_total", None), routes as u64);
    (node, peers)
}

fn is_carried_elsewhere(peer: &MsrpPeer) -> bool {
    let (_, session_id) = peer.remote_path().rsplit_once('/').unwrap();
    session_id[..2] != session_id[2..4]
}

fn text(index: usize, text: &str) -> Draft {
    Draft::text(&identity(&format!("p{index}")), ROOM, text)
}

/// The texts of the next messages that a peer gets.
async fn next_texts(peer: &MsrpPeer, count: usize) -> Vec<String> {
    let mut texts = Vec::new();
    for _ in 0..count {
        let message = peer.expect_message().await;
        assert_eq!(message.ended, Flag::Last);
        texts.push(message.cpim().text().to_owned());
    }
    texts
}

/// The small ones of them. Large ones may end in another order than they began.
fn small_ones(texts: &[String]) -> Vec<&String> {
    texts.iter().filter(|text| text.contains("says")).collect()
}

#[tokio::test]
async fn room_over_two_shards_gets_every_message_once_and_in_one_order() {
    for want in backends() {
        let (node, peers) = spread(want).await;
        let before = node.metric("msrp_shard_crossings_total", None);
        let long = "long ".repeat(8_000);
        let senders = [0, 1, PARTICIPANTS - 1, PARTICIPANTS - 2];
        assert!(
            senders
                .iter()
                .any(|&index| is_carried_elsewhere(&peers[index]))
        );
        // A round at a time: nobody falls so far behind that something is withheld from it.
        let mut messages = 0;
        for round in 0..5 {
            let mut sent = Vec::new();
            for index in senders {
                let small = text(index, &format!("{index} says {round}"));
                sent.push((index, peers[index].send(&small)));
                let large = text(index, &format!("{index} {round} {long}"));
                sent.push((index, peers[index].send(&large.chunk_octets(15_000))));
            }
            for (index, sent) in &sent {
                peers[*index].expect_all(sent, 200).await;
            }
            messages += sent.len();
            // Everybody gets what all others said; who says nothing sees the one order of the room.
            let order = next_texts(&peers[3], sent.len()).await;
            for (index, peer) in peers.iter().enumerate().filter(|(index, _)| *index != 3) {
                let own = format!("{index} ");
                let mut expected = order.clone();
                expected.retain(|text| !text.starts_with(&own));
                let mut seen = next_texts(peer, expected.len()).await;
                assert_eq!(small_ones(&seen), small_ones(&expected), "{index}");
                seen.sort();
                expected.sort();
                assert!(seen == expected, "{index}");
            }
        }
        for peer in &peers {
            peer.assert_nothing_left();
        }
        let copies = (messages * (PARTICIPANTS - 1)) as u64;
        assert_eq!(node.metric("msrp_copies_opened_total", None), copies);
        node.until("msrp_copies_total", Some("sent"), |count| count >= copies)
            .await;
        // Never one crossing for each recipient.
        let crossings = node.metric("msrp_shard_crossings_total", None) - before;
        assert!(
            crossings < copies / 4,
            "{crossings} crossings, {copies} copies"
        );
    }
}

#[tokio::test]
async fn room_over_two_shards_loses_a_shard_and_the_others_go_on() {
    for want in backends() {
        let (node, peers) = spread(want).await;
        let mut events = node.client.subscribe();
        // The room's home is the first shard.
        node.engine.fail_shard(1);
        let mut carried = BTreeSet::new();
        for (index, peer) in peers.iter().enumerate() {
            if is_carried_elsewhere(peer) {
                peer.expect_closed().await;
                carried.insert(format!("p{index}"));
            }
        }
        while !carried.is_empty() {
            match events.recv().await.unwrap() {
                Event::ParticipantLost {
                    participant,
                    reason,
                    ..
                } => {
                    assert_eq!(reason, EndReason::ShardFailed);
                    assert!(carried.remove(participant.as_str()), "{participant}");
                }
                Event::RoomLost { room, .. } => panic!("{room} is lost"),
                _ => {}
            }
        }
        peers[0].send_ok(&text(0, "who is left")).await;
        for peer in &peers[1..] {
            if !is_carried_elsewhere(peer) {
                peer.expect_text(&identity("p0"), "who is left").await;
            }
        }
        // Who comes back is carried by the shard that is back.
        let back = [node.join("back1").await, node.join("back2").await];
        assert!(back.iter().any(is_carried_elsewhere));
        peers[0].send_ok(&text(0, "welcome")).await;
        for peer in &back {
            peer.expect_text(&identity("p0"), "welcome").await;
        }
    }
}

#[tokio::test]
async fn room_over_two_shards_that_closes_ends_everybody_and_what_was_on_its_way() {
    for want in backends() {
        let (node, peers) = spread(want).await;
        let half = text(0, &"h".repeat(90_000))
            .chunk_octets(60_000)
            .stop_after(60_000, Flag::More);
        let sent = peers[0].send(&half);
        peers[0].expect_all(&sent, 200).await;
        let room = RoomId::new("room").unwrap();
        node.client.close_room(room).await.unwrap();
        for peer in &peers[1..] {
            assert_eq!(peer.expect_message().await.ended, Flag::Abort);
        }
        for peer in &peers {
            let closed = peer.expect_closed().await;
            assert_eq!((closed.rest, closed.unfinished), (vec![], vec![]));
        }
        node.until("msrp_participants", None, |count| count == 0)
            .await;
        node.until("msrp_connections", None, |count| count == 0)
            .await;
    }
}

#[tokio::test]
async fn sender_on_another_shard_that_leaves_in_a_message_ends_it_for_everybody() {
    for want in backends() {
        let (_node, mut peers) = spread(want).await;
        let at = peers.iter().position(is_carried_elsewhere).unwrap();
        let sender = peers.remove(at);
        let half = text(at, &"h".repeat(90_000))
            .chunk_octets(60_000)
            .stop_after(60_000, Flag::More);
        let sent = sender.send(&half);
        sender.expect_all(&sent, 200).await;
        sender.close();
        for peer in &peers {
            assert_eq!(peer.expect_message().await.ended, Flag::Abort);
        }
    }
}

#[tokio::test]
async fn recipient_on_another_shard_that_takes_nothing_is_shed_and_the_others_get_everything() {
    for want in backends() {
        let mut config = config(want, 2);
        config.limits.stall_ns = 1_000_000_000;
        let (node, peers) = spread_with(config, 8).await;
        let mut events = node.client.subscribe();
        let mut deaf = None;
        while deaf
            .as_ref()
            .is_none_or(|(_, peer)| !is_carried_elsewhere(peer))
        {
            let name = deaf.as_ref().map_or("deaf0", |_| "deaf1").to_owned();
            let endpoint = MsrpEndpoint::bind().await.receive_buffer_octets(4096);
            let answer = node.offer(&name, &endpoint.media()).await;
            let peer = endpoint.connect(&answer).await;
            peer.bind().await;
            deaf = Some((name, peer));
        }
        let (name, deaf) = deaf.unwrap();
        deaf.set_mode(Mode::Deaf);
        let long = Arc::new("s".repeat(3_000_000));
        let sent = peers[0].send(&text(0, &long).chunk_octets(60_000));
        for peer in &peers[1..] {
            peer.expect_text(&identity("p0"), &long).await;
        }
        peers[0].expect_all(&sent, 200).await;
        assert_eq!(expect_lost(&mut events, &name).await, EndReason::Stalled);
        assert!(node.metric("msrp_copies_total", Some("failed")) >= 1);
    }
}

#[tokio::test]
async fn recipients_on_another_shard_that_are_asked_settle_their_copies_as_delivered() {
    for want in backends() {
        let mut config = config(want, 2);
        config.limits.spread_participants_min = 0;
        config.ask_recipients = true;
        let node = node(config).await;
        let mut peers = Vec::new();
        for index in 0..6 {
            peers.push(node.join(&format!("p{index}")).await);
        }
        assert!(peers.iter().any(is_carried_elsewhere));
        peers[0].send_ok(&text(0, "answer me")).await;
        for peer in &peers[1..] {
            peer.expect_text(&identity("p0"), "answer me").await;
        }
        node.until("msrp_copies_total", Some("delivered"), |count| count >= 5)
            .await;
    }
}
