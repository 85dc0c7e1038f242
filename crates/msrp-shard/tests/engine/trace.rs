//! What a trace shows, and what it does not.

use msrp_control::{Direction, ErrorCode, ParticipantId, TraceScope, TraceStream};
use msrp_shard::Origins;
use msrp_testkit::Draft;

use crate::crossing::{Town, town};
use crate::node::{ROOM, backends, config, identity, node};
use crate::websocket;

/// The next frame: whose it is, which way it went, and its octets.
async fn frame(stream: &mut TraceStream) -> (String, Direction, String) {
    let mut text = Vec::new();
    loop {
        let record = stream.next().await.unwrap();
        assert_eq!(record.dropped, 0);
        text.extend_from_slice(&record.octets);
        if record.ends_frame {
            let text = String::from_utf8(text).unwrap();
            return (record.participant.to_string(), record.direction, text);
        }
    }
}

/// Expects a frame whose start line has this word and that holds this text.
async fn expect(stream: &mut TraceStream, who: &str, way: Direction, word: &str, text: &str) {
    let (participant, direction, octets) = frame(stream).await;
    assert_eq!((participant.as_str(), direction), (who, way), "{octets}");
    let start = octets.lines().next().unwrap();
    assert_eq!(start.split(' ').nth(2), Some(word), "{octets}");
    assert!(
        octets.contains(text) && octets.ends_with("$\r\n"),
        "{octets}"
    );
}

#[tokio::test]
async fn trace_of_one_session_shows_both_ways_and_nobody_else() {
    for want in backends() {
        let node = node(config(want, 1)).await;
        let alice = node.join("alice").await;
        let bob = node.join("bob").await;
        let carol = node.join("carol").await;
        let bobs = TraceScope::Participant(node.room.clone(), ParticipantId::new("bob").unwrap());
        let mut trace = node.client.trace(bobs).await.unwrap();
        carol
            .send_ok(&Draft::text(&identity("carol"), ROOM, "from carol"))
            .await;
        bob.expect_text(&identity("carol"), "from carol").await;
        alice.expect_text(&identity("carol"), "from carol").await;
        bob.send_ok(&Draft::text(&identity("bob"), ROOM, "from bob"))
            .await;
        expect(&mut trace, "bob", Direction::Out, "SEND", "from carol").await;
        expect(&mut trace, "bob", Direction::In, "SEND", "from bob").await;
        expect(&mut trace, "bob", Direction::Out, "200", "MSRP ").await;
        // It ends with the session.
        node.remove("bob").await;
        assert_eq!(trace.next().await, None);
    }
}

#[tokio::test]
async fn trace_of_a_room_shows_who_comes_later_from_the_first_request_on() {
    for want in backends() {
        let node = node(config(want, 2)).await;
        let mut trace = node
            .client
            .trace(TraceScope::Room(node.room.clone()))
            .await
            .unwrap();
        let _alice = node.join("alice").await;
        let (who, way, text) = frame(&mut trace).await;
        assert_eq!((who.as_str(), way), ("alice", Direction::In));
        assert!(
            text.starts_with("MSRP ") && text.contains(" SEND\r\n"),
            "{text}"
        );
        expect(&mut trace, "alice", Direction::Out, "200", "To-Path").await;
        node.client.close_room(node.room.clone()).await.unwrap();
        assert_eq!(trace.next().await, None);
    }
}

#[tokio::test]
async fn trace_of_a_websocket_session_shows_msrp_and_no_frames_of_websocket() {
    for want in backends() {
        let node = websocket::served(want, 1, Origins::any()).await;
        let alice = node.join("alice").await;
        let bob = websocket::join(&node, "bob").await;
        let bobs = TraceScope::Participant(node.room.clone(), ParticipantId::new("bob").unwrap());
        let mut trace = node.client.trace(bobs).await.unwrap();
        alice
            .send_ok(&Draft::text(&identity("alice"), ROOM, "to bob"))
            .await;
        bob.expect_text(&identity("alice"), "to bob").await;
        bob.send_ok(&Draft::text(&identity("bob"), ROOM, "from bob"))
            .await;
        expect(&mut trace, "bob", Direction::Out, "SEND", "to bob").await;
        expect(&mut trace, "bob", Direction::In, "SEND", "from bob").await;
        expect(&mut trace, "bob", Direction::Out, "200", "MSRP ").await;
    }
}

#[tokio::test]
async fn trace_of_the_node_shows_rooms_of_every_shard() {
    for want in backends() {
        let here = node(config(want, 2)).await;
        let there = here.another("there").await;
        let mut trace = here.client.trace(TraceScope::Node).await.unwrap();
        let _alice = here.join("alice").await;
        let _bob = there.join("bob").await;
        let mut seen = std::collections::BTreeSet::new();
        while seen.len() < 4 {
            let record = trace.next().await.unwrap();
            let who = format!("{} {}", record.room, record.participant);
            seen.insert((who, record.direction.as_str()));
        }
        let expected =
            ["room alice", "there bob"].map(|who| ["in", "out"].map(|way| (who.to_owned(), way)));
        assert_eq!(seen, expected.concat().into_iter().collect());
    }
}

#[tokio::test]
async fn trace_leaves_out_the_other_sessions_of_a_connection() {
    for want in backends() {
        let Town {
            here,
            there,
            gateway,
            second,
            alice,
            bob,
        } = town(want).await;
        let mut in_there = there
            .client
            .trace(TraceScope::Room(there.room.clone()))
            .await
            .unwrap();
        let mut in_here = here
            .client
            .trace(TraceScope::Room(here.room.clone()))
            .await
            .unwrap();
        alice
            .send_ok(&Draft::text(&identity("alice"), ROOM, "here"))
            .await;
        gateway.expect_text(&identity("alice"), "here").await;
        gateway.send_ok(&second.text("second", "there")).await;
        bob.expect_text(&identity("second"), "there").await;
        expect(&mut in_there, "second", Direction::In, "SEND", "there").await;
        let mut seen = Vec::new();
        for _ in 0..2 {
            let (who, way, text) = frame(&mut in_there).await;
            assert_eq!(way, Direction::Out);
            assert!(!text.contains("\r\n\r\nhere"), "{text}");
            seen.push(who);
        }
        seen.sort_unstable();
        assert_eq!(seen, ["bob", "second"]);
        expect(&mut in_here, "alice", Direction::In, "SEND", "here").await;
        let mut seen = Vec::new();
        for _ in 0..2 {
            let (who, way, _) = frame(&mut in_here).await;
            assert_eq!(way, Direction::Out);
            seen.push(who);
        }
        seen.sort_unstable();
        assert_eq!(seen, ["alice", "gateway"]);
    }
}

#[tokio::test]
async fn trace_of_nobody_and_one_too_many_are_refused() {
    let node = node(config(ring_io::Want::Epoll, 1)).await;
    let nobody = ParticipantId::new("nobody").unwrap();
    let nobody = TraceScope::Participant(node.room.clone(), nobody);
    let refused = node.client.trace(nobody).await;
    assert_eq!(refused.unwrap_err().code, ErrorCode::NoSuchParticipant);
    let mut traces = Vec::new();
    for _ in 0..msrp_shard::limits::TRACES_MAX {
        traces.push(
            node.client
                .trace(TraceScope::Room(node.room.clone()))
                .await
                .unwrap(),
        );
    }
    let refused = node.client.trace(TraceScope::Room(node.room.clone())).await;
    assert_eq!(refused.unwrap_err().code, ErrorCode::Limit);
    traces.pop();
    node.client
        .trace(TraceScope::Room(node.room.clone()))
        .await
        .unwrap();
}
