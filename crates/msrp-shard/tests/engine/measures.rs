//! What the engine counts of itself.

use msrp_control::{Engine, RoomId};
use msrp_testkit::Draft;

use crate::node::{ROOM, backends, config, identity, node};

#[tokio::test]
async fn sessions_and_connections_are_counted_by_where_they_stand() {
    for want in backends() {
        let node = node(config(want, 2)).await;
        let alice = node.join("alice").await;
        let _bob = node.join("bob").await;
        node.invite("carol").await;
        for (state, count) in [("bound", 2), ("waiting", 1)] {
            node.until("msrp_sessions", Some(state), |now| now == count)
                .await;
        }
        node.until("msrp_transport_connections", Some("tcp"), |now| now == 2)
            .await;
        assert_eq!(node.metric("msrp_transport_connections", None), 2);
        alice.close();
        node.remove("carol").await;
        for (state, count) in [("bound", 1), ("waiting", 0)] {
            node.until("msrp_sessions", Some(state), |now| now == count)
                .await;
        }
        node.until("msrp_transport_connections", None, |now| now == 1)
            .await;
        node.remove("bob").await;
        node.until("msrp_sessions", None, |now| now == 0).await;
    }
}

#[tokio::test]
async fn bound_that_is_reached_is_counted_by_its_name() {
    for want in backends() {
        let mut config = config(want, 1);
        config.limits.rooms_max = 1;
        config.limits.message_octets_max = 1000;
        config.limits.participants_per_room_max = 1;
        let node = node(config).await;
        let alice = node.join("alice").await;
        let reached = |limit| node.metric("msrp_limits_reached_total", Some(limit));
        assert_eq!(reached("rooms_max"), 0);
        let room = RoomId::new("second").unwrap();
        let rules = node.client.room(node.room.clone()).await.unwrap().config;
        assert!(node.client.create_room(room, rules).await.is_err());
        assert_eq!(reached("rooms_max"), 1);
        let media = msrp_testkit::MsrpEndpoint::bind().await.media();
        assert!(node.try_offer("bob", &media).await.is_err());
        assert_eq!(reached("participants_per_room_max"), 1);
        let long = Draft::text(&identity("alice"), ROOM, &"x".repeat(2000));
        alice.expect_all(&alice.send(&long), 413).await;
        assert_eq!(reached("message_octets_max"), 1);
    }
}

#[tokio::test]
async fn time_through_the_server_is_counted_once_for_each_copy_of_a_piece() {
    for want in backends() {
        let node = node(config(want, 2)).await;
        let alice = node.join("alice").await;
        let others = [node.join("bob").await, node.join("carol").await];
        alice
            .send_ok(&Draft::text(&identity("alice"), ROOM, "hello"))
            .await;
        for other in &others {
            other.expect_text(&identity("alice"), "hello").await;
        }
        node.until("msrp_copies_total", Some("sent"), |now| now == 2)
            .await;
        let read = |name| {
            let all = node.engine.histograms();
            all.into_iter()
                .find(|histogram| histogram.name == name)
                .unwrap()
        };
        let forward = read("msrp_forward_seconds");
        assert_eq!(forward.count, 2);
        let classic: u64 = forward.classic.iter().map(|(_, count)| count).sum();
        let native: u64 = forward.native.buckets.iter().map(|(_, count)| count).sum();
        assert_eq!((classic, native), (2, 2));
        assert!(forward.sum_ns > 1000, "{forward:?}");
        assert!(read("msrp_shard_turn_seconds").count > 5);
    }
}

#[tokio::test]
async fn load_tells_memory_sessions_and_connections() {
    for want in backends() {
        let node = node(config(want, 1)).await;
        let _alice = node.join("alice").await;
        node.until("msrp_sessions", Some("bound"), |now| now == 1)
            .await;
        let load = node.engine.load();
        assert!(load.resident_octets > 1_000_000, "{load:?}");
        assert!(load.busy_permille <= 1000, "{load:?}");
        assert_eq!((load.sessions_count, load.connections_count), (1, 1));
        assert!(node.metric("msrp_shard_busy_seconds_total", Some("0")) > 0);
        assert!(node.metric("msrp_shard_longest_turn_seconds", Some("0")) > 0);
    }
}
