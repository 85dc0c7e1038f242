//! A shard that fails takes its own rooms down and nothing else, and serves again at once.

use std::time::{Duration, Instant};

use msrp_control::{BridgeConfig, BridgeEvent, EndReason, Engine as _, Event, EventStream};
use msrp_testkit::Draft;

use crate::node::{Node, ROOM, backends, config, identity, node};

/// What is promised: a new room on a shard that failed, from the failure on.
const BACK: Duration = Duration::from_millis(100);

/// How often a backend may try to keep it.
const TRIES: usize = 5;

async fn expect_room_lost(events: &mut EventStream, room: &str) {
    loop {
        match events.recv().await.unwrap() {
            Event::RoomLost { room: lost, reason } => {
                assert_eq!((lost.as_str(), reason), (room, EndReason::ShardFailed));
                return;
            }
            Event::ParticipantLost {
                reason: EndReason::ConnectionLost,
                ..
            }
            | Event::RoomStarted { .. }
            | Event::SessionEnded { .. }
            | Event::ShardLost { .. }
            | Event::ParticipantJoined { .. }
            | Event::ParticipantBound { .. } => {}
            event => panic!("{event:?} came before the end of {room}"),
        }
    }
}

async fn say(node: &Node, name: &str) {
    let (talker, listener) = (format!("{name}1"), format!("{name}2"));
    let (from, to) = (node.join(&talker).await, node.join(&listener).await);
    from.send_ok(&Draft::text(&identity(&talker), ROOM, name))
        .await;
    to.expect_text(&identity(&talker), name).await;
}

#[tokio::test]
async fn shard_that_fails_loses_its_own_rooms_and_serves_again_at_once() {
    for want in backends() {
        // On a machine with other work a thread may wait for its turn longer than that, but not every time.
        let mut took = Vec::new();
        while took.len() < TRIES && took.last().is_none_or(|last| *last >= BACK) {
            took.push(time_without_shard(want).await);
        }
        assert!(took.last().is_some_and(|last| *last < BACK), "{took:?}");
    }
}

/// Has a shard fail under load; how long it took until new rooms were served on it. Nobody else notices anything.
async fn time_without_shard(want: ring_io::Want) -> Duration {
    let kept = node(config(want, 2)).await;
    let lost = kept.another("lost").await;
    let mut events = kept.client.subscribe();
    let (alice, bob) = (kept.join("alice").await, kept.join("bob").await);
    let (carol, dave) = (lost.join("carol").await, lost.join("dave").await);
    let texts: Vec<String> = (0..200).map(|index| format!("text {index}")).collect();
    let (before, after) = texts.split_at(100);
    let drafts = |texts: &[String]| {
        texts
            .iter()
            .map(|text| alice.send(&Draft::text(&identity("alice"), ROOM, text)))
            .collect::<Vec<_>>()
    };
    let mut sent = drafts(before);
    let failed_at = Instant::now();
    kept.engine.fail_shard(1);
    sent.extend(drafts(after));
    expect_room_lost(&mut events, "lost").await;
    // Rooms go to the shards in turn.
    let on_first = kept.another("first").await;
    let on_failed = kept.another("second").await;
    let took = failed_at.elapsed();
    say(&on_failed, "new").await;
    say(&on_first, "old").await;
    carol.expect_closed().await;
    dave.expect_closed().await;
    for text in &texts {
        bob.expect_text(&identity("alice"), text).await;
    }
    for sent in &sent {
        alice.expect_all(sent, 200).await;
    }
    assert!(kept.engine.is_alive());
    assert_eq!(kept.metric("msrp_shard_restarts_total", None), 1);
    assert_eq!(
        kept.metric("msrp_sessions_ended_total", Some("shard_failed")),
        2
    );
    took
}

#[tokio::test]
async fn shard_that_fails_over_and_over_is_started_again_each_time_and_stops_when_told() {
    for want in backends() {
        let node = node(config(want, 1)).await;
        let mut events = node.client.subscribe();
        let mut rooms = vec![node];
        for round in 0..4 {
            let node = &rooms[round];
            node.engine.fail_shard(0);
            expect_room_lost(&mut events, node.room.as_str()).await;
            let next = node.another(&format!("round{round}")).await;
            say(&next, &format!("r{round}-")).await;
            rooms.push(next);
        }
        let node = &rooms[0];
        assert_eq!(node.metric("msrp_shard_restarts_total", None), 4);
        node.engine.fail_shard(0);
        node.engine.shutdown();
    }
}

#[tokio::test]
async fn bridge_of_a_shard_that_fails_is_told_and_its_id_is_free_again() {
    for want in backends() {
        let node = node(config(want, 1)).await;
        let mut events = node.client.subscribe();
        let media = msrp_testkit::MsrpEndpoint::bind().await.media();
        crate::bridges::offer(&node, &media, BridgeConfig::default()).await;
        node.engine.fail_shard(0);
        loop {
            if let Event::Bridge(BridgeEvent::Ended {
                bridge,
                reason,
                state,
                ..
            }) = events.recv().await.unwrap()
            {
                assert_eq!((bridge.as_str(), reason), ("call", EndReason::ShardFailed));
                assert_eq!(state, None);
                break;
            }
        }
        crate::bridges::offer(&node, &media, BridgeConfig::default()).await;
    }
}
