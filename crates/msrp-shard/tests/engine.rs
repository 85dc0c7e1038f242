//! The engine with real sockets: sessions, binding, fan-out and refusals, on both backends.
#![expect(
    clippy::unwrap_used,
    reason = "a test stops where something is missing"
)]

use std::sync::Arc;

use msrp_control::{
    Client, EndReason, ErrorCode, Event, LocalMedia, Media as Offer, ParticipantConfig,
    ParticipantId, RoomConfig, RoomId,
};
use msrp_shard::{EngineConfig, EngineLimits, ListenerConfig, ShardEngine};
use msrp_testkit::{Draft, Media, MsrpEndpoint, MsrpPeer};

const ROOM: &str = "sip:room@example.com";

struct Node {
    engine: Arc<ShardEngine>,
    client: Client,
    room: RoomId,
}

impl Drop for Node {
    fn drop(&mut self) {
        self.engine.shutdown();
    }
}

fn config(want: ring_io::Want, shards: usize) -> EngineConfig {
    EngineConfig {
        want,
        shards,
        listeners: vec![ListenerConfig {
            name: "lo".to_owned(),
            bind: "127.0.0.1:0".parse().unwrap(),
            advertise: None,
        }],
        limits: EngineLimits::default(),
        ask_recipients: false,
    }
}

async fn node(config: EngineConfig) -> Node {
    let started = msrp_shard::start(&config).unwrap();
    let client = Client::new(started.engine.clone());
    let room = RoomId::new("room").unwrap();
    let rules = RoomConfig {
        uris: vec![ROOM.to_owned()],
        message_octets_max: None,
        private_messages: true,
    };
    client.create_room(room.clone(), rules).await.unwrap();
    Node {
        engine: started.engine,
        client,
        room,
    }
}

fn identity(name: &str) -> String {
    format!("sip:{name}@example.com")
}

impl Node {
    async fn offer(&self, name: &str, media: &Media) -> Media {
        let config = ParticipantConfig {
            identities: vec![identity(name)],
            entity: identity(name),
        };
        let participant = ParticipantId::new(name).unwrap();
        let offer = Offer::Offer(media.to_string());
        let answer = self
            .client
            .add_participant(
                self.room.clone(),
                participant,
                config,
                offer,
                LocalMedia::default(),
            )
            .await
            .unwrap();
        Media::parse(&answer)
    }

    async fn join(&self, name: &str) -> MsrpPeer {
        let endpoint = MsrpEndpoint::bind().await;
        let answer = self.offer(name, &endpoint.media()).await;
        let peer = endpoint.connect(&answer).await;
        peer.bind().await;
        peer
    }
}

fn backends() -> [ring_io::Want; 2] {
    [ring_io::Want::Auto, ring_io::Want::Epoll]
}

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
#[tokio::test]
async fn session_named_wrongly_or_by_a_second_connection_is_refused() {
    for want in backends() {
        let node = node(config(want, 2)).await;
        let endpoint = MsrpEndpoint::bind().await;
        let answer = node.offer("alice", &endpoint.media()).await;
        let alice = endpoint.connect(&answer).await;
        alice.bind().await;

        let thief = MsrpEndpoint::bind().await;
        let thief = thief.connect(&answer).await;
        let sent = thief.send(&Draft::empty());
        thief.expect_all(&sent, 506).await;

        let unknown = answer.to_string().replace(";tcp", "x;tcp");
        let stranger = MsrpEndpoint::bind().await;
        let stranger = stranger.connect(&Media::parse(&unknown)).await;
        let sent = stranger.send(&Draft::empty());
        stranger.expect_all(&sent, 481).await;
        alice.send_ok(&Draft::empty()).await;
    }
}

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
        let total = 20_000;
        alice.send_chunk(&draft, 0, 10_000, msrp_testkit::Flag::More);
        assert!(total > 10_000);
        alice.close();
        let message = bob.expect_message().await;
        assert_eq!(message.ended, msrp_testkit::Flag::Abort);
        loop {
            match events.recv().await.unwrap() {
                Event::ParticipantLost {
                    participant,
                    reason,
                    ..
                } => {
                    assert_eq!(participant.as_str(), "alice");
                    assert_eq!(reason, EndReason::ConnectionLost);
                    break;
                }
                Event::ParticipantBound { .. } => {}
                Event::RoomLost { .. } => panic!("the room must live"),
            }
        }
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
async fn commands_that_do_not_fit_are_refused_with_their_code() {
    let node = node(config(ring_io::Want::Auto, 1)).await;
    let other = RoomId::new("other").unwrap();
    let error = node.client.close_room(other).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::NoSuchRoom);
    let bob = ParticipantId::new("bob").unwrap();
    let error = node
        .client
        .remove_participant(node.room.clone(), bob.clone())
        .await
        .unwrap_err();
    assert_eq!(error.code, ErrorCode::NoSuchParticipant);
    let config = ParticipantConfig {
        identities: vec![identity("bob")],
        entity: identity("bob"),
    };
    let offer = Offer::Offer("v=0\r\nnonsense".to_owned());
    let error = node
        .client
        .add_participant(node.room.clone(), bob, config, offer, LocalMedia::default())
        .await
        .unwrap_err();
    assert_eq!(error.code, ErrorCode::MalformedSdp);
}
