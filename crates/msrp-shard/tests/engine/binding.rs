//! How connections and sessions find each other.

use msrp_control::{
    EndReason, ErrorCode, LocalMedia, Media as Offer, ParticipantConfig, ParticipantId, RoomId,
};
use msrp_testkit::{Draft, Media, MsrpEndpoint};

use crate::node::{ROOM, backends, config, expect_lost, identity, node};

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
        is_hidden: false,
        may_send_private: true,
        shows_release: false,
        charging: None,
    };
    let offer = Offer::Offer("v=0\r\nnonsense".to_owned());
    let error = node
        .client
        .add_participant(node.room.clone(), bob, config, offer, LocalMedia::default())
        .await
        .unwrap_err();
    assert_eq!(error.code, ErrorCode::MalformedSdp);
}

#[tokio::test]
async fn session_named_on_the_wrong_shard_is_handed_over_whatever_the_read_borders() {
    for want in backends() {
        let node = node(config(want, 3)).await;
        // Enough connections that some come in on another shard than the room's.
        for index in 0..24 {
            let name = format!("p{index}");
            let endpoint = MsrpEndpoint::bind().await;
            let answer = node.offer(&name, &endpoint.media()).await;
            let peer = endpoint.connect(&answer).await;
            let frames = Draft::empty()
                .tids(&["tid00001"])
                .frames(peer.remote_path(), peer.uri());
            let octets = frames[0].to_octets();
            for part in octets.chunks(40) {
                peer.write_raw(part);
                peer.flushed().await;
            }
            peer.expect_status("tid00001", 200).await;
        }
        assert!(node.metric("msrp_connections_handed_over_total", None) > 0);
    }
}

// covers: MSRP-4975-5.4-02, MSRP-4975-5.4-04, MSRP-4975-5.4-05
#[tokio::test]
async fn session_that_the_engine_offers_is_opened_by_an_empty_send() {
    for want in backends() {
        let node = node(config(want, 2)).await;
        let alice = node.join("alice").await;
        let endpoint = MsrpEndpoint::bind().await;
        let offer = node.invite("bob").await;
        node.answer("bob", &endpoint.media()).await;
        let bob = endpoint.accept(&offer).await;
        bob.expect_empty().await;
        alice
            .send_ok(&Draft::text(&identity("alice"), ROOM, "to you"))
            .await;
        bob.expect_text(&identity("alice"), "to you").await;
        bob.send_ok(&Draft::text(&identity("bob"), ROOM, "to all"))
            .await;
        alice.expect_text(&identity("bob"), "to all").await;
    }
}

#[tokio::test]
async fn connection_that_comes_before_the_answer_waits_and_misses_nothing_once_answered() {
    for want in backends() {
        let node = node(config(want, 3)).await;
        let alice = node.join("alice").await;
        let endpoint = MsrpEndpoint::bind().await;
        let media = endpoint.media().setup("active");
        let offer = node.invite("bob").await;
        let bob = endpoint.connect(&offer).await;
        let binding = bob.send(&Draft::empty());
        let text = bob.send(&Draft::text(&identity("bob"), ROOM, "early words"));
        bob.flushed().await;
        alice.send_ok(&Draft::empty()).await;
        bob.assert_nothing_left();
        node.answer("bob", &media).await;
        bob.expect_all(&binding, 200).await;
        bob.expect_all(&text, 200).await;
        alice.expect_text(&identity("bob"), "early words").await;
        alice
            .send_ok(&Draft::text(&identity("alice"), ROOM, "hello"))
            .await;
        bob.expect_text(&identity("alice"), "hello").await;
    }
}

#[tokio::test]
async fn connection_that_waits_for_an_answer_hears_of_the_end_of_its_session() {
    let node = node(config(ring_io::Want::Auto, 1)).await;
    let offer = node.invite("bob").await;
    let bob = MsrpEndpoint::bind().await.connect(&offer).await;
    let binding = bob.send(&Draft::empty());
    bob.flushed().await;
    node.remove("bob").await;
    bob.expect_all(&binding, 481).await;
}

/// The media as a participant describes it that is known by a name.
fn named(media: &Media, name: &str) -> Media {
    let uri = |host: &str| format!("msrp://{host}:");
    Media::parse(&media.to_string().replace(&uri("127.0.0.1"), &uri(name)))
}

#[tokio::test]
async fn participant_that_is_known_by_name_is_looked_up_and_connected() {
    for want in backends() {
        let node = node(config(want, 2)).await;
        let alice = node.join("alice").await;
        let endpoint = MsrpEndpoint::bind().await;
        let offer = node.invite("bob").await;
        let media = named(&endpoint.media(), "localhost");
        node.answer("bob", &media).await;
        let bob = endpoint
            .accept_as(&media.path.join(" "), &offer.path.join(" "))
            .await;
        bob.expect_empty().await;
        alice
            .send_ok(&Draft::text(&identity("alice"), ROOM, "to you"))
            .await;
        bob.expect_text(&identity("alice"), "to you").await;
    }
}

#[tokio::test]
async fn session_whose_peer_has_a_name_that_nobody_knows_or_an_address_of_ours_ends() {
    // A label of 64 octets: no resolver has to be asked to know that it does not exist.
    let nobody = "x".repeat(64);
    for (want, is_ours) in backends().into_iter().zip([false, true]) {
        let node = node(config(want, 1)).await;
        let mut events = node.client.subscribe();
        let mut media = named(&MsrpEndpoint::bind().await.media(), &nobody);
        let offer = node.invite("bob").await;
        if is_ours {
            let own = named(&offer, "localhost").path.join(" ");
            let session_id = own.rfind('/').unwrap_or(own.len());
            media.path = vec![format!("{}/other;tcp", &own[..session_id])];
        }
        node.answer("bob", &media).await;
        assert_eq!(
            expect_lost(&mut events, "bob").await,
            EndReason::ConnectFailed
        );
    }
}

#[tokio::test]
async fn session_whose_peer_cannot_be_reached_ends() {
    for want in backends() {
        let node = node(config(want, 1)).await;
        let mut events = node.client.subscribe();
        let media = MsrpEndpoint::bind().await.media();
        node.invite("bob").await;
        node.answer("bob", &media).await;
        assert_eq!(
            expect_lost(&mut events, "bob").await,
            EndReason::ConnectFailed
        );
    }
}

#[tokio::test]
async fn session_and_connection_that_never_find_each_other_end_in_time() {
    for want in backends() {
        let mut config = config(want, 1);
        config.limits.unbound_ns = 200_000_000;
        let node = node(config).await;
        let mut events = node.client.subscribe();
        let endpoint = MsrpEndpoint::bind().await;
        let answer = node.offer("alice", &endpoint.media()).await;
        let silent = endpoint.connect(&answer).await;
        assert_eq!(
            expect_lost(&mut events, "alice").await,
            EndReason::NeverBound
        );
        silent.expect_closed().await;
        assert_eq!(node.metric("msrp_connections_never_bound_total", None), 1);
    }
}

// covers: MSRP-4975-5.4-23
#[tokio::test]
async fn connection_of_a_removed_participant_closes_after_what_was_written() {
    for want in backends() {
        let node = node(config(want, 1)).await;
        let alice = node.join("alice").await;
        let bob = node.join("bob").await;
        alice
            .send_ok(&Draft::text(&identity("alice"), ROOM, "last words"))
            .await;
        node.remove("bob").await;
        bob.expect_text(&identity("alice"), "last words").await;
        bob.expect_closed().await;
        alice.send_ok(&Draft::empty()).await;
    }
}
