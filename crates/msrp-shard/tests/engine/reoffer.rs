//! Offers inside a running session.

use std::time::{Duration, Instant};

use msrp_control::{EndReason, ErrorCode, LocalMedia, Media as Offer, ParticipantId};
use msrp_testkit::{DEADLINE, Draft, Flag, Media, Mode, MsrpEndpoint};

use crate::node::{Node, ROOM, backends, config, expect_lost, identity, node};

async fn reoffer(node: &Node, name: &str, media: &Media) -> Result<Media, ErrorCode> {
    let answer = change(node, name, Offer::Offer(media.to_string())).await;
    answer.map(|sdp| Media::parse(&sdp))
}

async fn change(node: &Node, name: &str, offer: Offer) -> Result<String, ErrorCode> {
    let participant = ParticipantId::new(name).unwrap();
    let local = LocalMedia::default();
    let changed = node
        .client
        .reoffer(node.room.clone(), participant, offer, local);
    changed.await.map_err(|e| e.code)
}

/// The line that says whether anything has changed.
fn origin(sdp: &str) -> String {
    let line = sdp.lines().find(|line| line.starts_with("o="));
    line.unwrap().to_owned()
}

fn says(from: &str, text: &str) -> Draft {
    Draft::text(&identity(from), ROOM, text)
}

// covers: MSRP-4975-8.4-03
#[tokio::test]
async fn reoffer_that_changes_nothing_gets_the_same_description_and_keeps_the_connection() {
    for want in backends() {
        let node = node(config(want, 2)).await;
        let (alice, endpoint) = (node.join("alice").await, MsrpEndpoint::bind().await);
        let media = endpoint.media();
        let first = node.offer("bob", &media).await;
        let bob = endpoint.connect(&first).await;
        bob.bind().await;
        let offer = || Offer::Offer(media.to_string());
        let again = change(&node, "bob", offer()).await.unwrap();
        assert_eq!(Media::parse(&again), first);
        assert_eq!(change(&node, "bob", offer()).await, Ok(again.clone()));
        let other = Offer::Offer(media.clone().line("a=inactive").to_string());
        let changed = change(&node, "bob", other).await.unwrap();
        assert_ne!(origin(&changed), origin(&again));
        let back = change(&node, "bob", offer()).await.unwrap();
        assert_ne!(origin(&back), origin(&changed));
        alice.send_ok(&says("alice", "still here")).await;
        bob.expect_text(&identity("alice"), "still here").await;
    }
}

#[tokio::test]
async fn reoffer_changes_types_size_and_direction_on_the_same_connection() {
    for want in backends() {
        let node = node(config(want, 1)).await;
        let (alice, endpoint) = (node.join("alice").await, MsrpEndpoint::bind().await);
        let media = endpoint.media();
        let first = node.offer("bob", &media).await;
        let bob = endpoint.connect(&first).await;
        bob.bind().await;
        let deaf = [
            media.clone().accept_wrapped_types("image/png"),
            media.clone().max_size(20),
            media.clone().line("a=sendonly"),
            media.clone().line("a=inactive"),
        ];
        for deaf in deaf {
            let answer = reoffer(&node, "bob", &deaf).await.unwrap();
            assert_eq!(answer.path, first.path);
            alice.send_ok(&says("alice", "not for bob")).await;
            reoffer(&node, "bob", &media).await.unwrap();
            alice.send_ok(&says("alice", "for bob")).await;
            bob.expect_text(&identity("alice"), "for bob").await;
        }
        let mute = media.clone().line("a=recvonly");
        let answer = reoffer(&node, "bob", &mute).await.unwrap();
        assert!(answer.lines.contains(&"a=sendonly".to_owned()), "{answer}");
        let refused = bob.send(&says("bob", "mute"));
        bob.expect_all(&refused, 403).await;
        let loud = reoffer(&node, "bob", &media).await.unwrap();
        assert_eq!(
            loud.lines,
            ["a=chatroom:nickname private-messages"],
            "{loud}"
        );
        bob.send_ok(&says("bob", "loud")).await;
        alice.expect_text(&identity("bob"), "loud").await;
    }
}

#[tokio::test]
async fn reoffer_that_cannot_be_served_changes_nothing() {
    let node = node(config(ring_io::Want::Auto, 1)).await;
    let (alice, endpoint) = (node.join("alice").await, MsrpEndpoint::bind().await);
    let media = endpoint.media();
    let first = node.offer("bob", &media).await;
    let bob = endpoint.connect(&first).await;
    bob.bind().await;
    let moved = MsrpEndpoint::bind().await;
    let secure = moved
        .media()
        .to_string()
        .replace("TCP/MSRP", "TCP/TLS/MSRP");
    let secure = secure.replace("path:msrp:", "path:msrps:");
    let nowhere = moved.media().setup("passive").to_string();
    let nowhere = nowhere.replace("path:msrp://127.0.0.1", "path:msrp://0.0.0.0");
    let untyped = moved.media().to_string().replace("a=accept-types", "a=x");
    let refused = moved.media().to_string();
    let refused = refused.replace(&format!("m=message {}", moved.media().port), "m=message 0");
    for sdp in [secure, nowhere, untyped, refused] {
        let code = change(&node, "bob", Offer::Offer(sdp.clone())).await;
        assert_eq!(code, Err(ErrorCode::NotAcceptable), "{sdp}");
    }
    let code = change(&node, "bob", Offer::Offer("v=0\r\nnonsense".into())).await;
    assert_eq!(code, Err(ErrorCode::MalformedSdp));
    alice.send_ok(&says("alice", "as before")).await;
    bob.expect_text(&identity("alice"), "as before").await;
    assert_eq!(reoffer(&node, "bob", &media).await, Ok(first));

    assert_eq!(
        reoffer(&node, "carol", &media).await,
        Err(ErrorCode::NoSuchParticipant)
    );
    node.invite("dave").await;
    let early = reoffer(&node, "dave", &media).await;
    assert_eq!(early, Err(ErrorCode::WrongState));
}

// covers: MSRP-4975-8.4-01, MSRP-4975-8.4-02, MSRP-4975-5.4-14, MSRP-4975-5.4-15, MSRP-4975-5.4-22
#[tokio::test]
async fn reoffer_with_another_path_makes_a_fresh_session_in_the_place_of_the_old() {
    for want in backends() {
        let node = node(config(want, 3)).await;
        let (alice, old) = (node.join("alice").await, MsrpEndpoint::bind().await);
        let first = node.offer("bob", &old.media()).await;
        let old = old.connect(&first).await;
        old.bind().await;
        // A peer that is dropped hangs up, and its participant is lost.
        let mut kept = Vec::new();
        for setup in [None, Some("passive")] {
            let endpoint = MsrpEndpoint::bind().await;
            let mut media = endpoint.media();
            media.setup = setup.map(str::to_owned);
            let answer = reoffer(&node, "bob", &media).await.unwrap();
            assert_ne!(answer.path, first.path);
            // What is said before the new connection is there is kept for it.
            alice.send_ok(&says("alice", "first words")).await;
            let bob = if setup.is_none() {
                old.expect_closed().await;
                let stale = MsrpEndpoint::bind().await.connect(&first).await;
                let sent = stale.send(&Draft::empty());
                stale.expect_all(&sent, 481).await;
                let bob = endpoint.connect(&answer).await;
                bob.bind().await;
                bob
            } else {
                let bob = endpoint.accept(&answer).await;
                bob.expect_empty().await;
                bob
            };
            bob.expect_text(&identity("alice"), "first words").await;
            bob.send_ok(&says("bob", "moved")).await;
            alice.expect_text(&identity("bob"), "moved").await;
            assert_eq!(
                reoffer(&node, "bob", &media).await.unwrap().path,
                answer.path
            );
            kept.push(bob);
        }
    }
}

// covers: MSRP-4975-5.4-21
#[tokio::test]
async fn messages_under_way_end_when_their_session_is_made_anew() {
    let node = node(config(ring_io::Want::Auto, 1)).await;
    let (alice, old) = (node.join("alice").await, MsrpEndpoint::bind().await);
    let first = node.offer("bob", &old.media()).await;
    let old = old.connect(&first).await;
    old.bind().await;

    alice.set_mode(Mode::Manual);
    old.set_mode(Mode::Manual);
    let long = says("alice", &"a".repeat(4000));
    let tid = alice.send_chunk(&long, 0, 3000, Flag::More);
    alice.expect_status(&tid, 200).await;
    old.expect_chunk().await;
    let tid = old.send_chunk(&says("bob", &"b".repeat(4000)), 0, 3000, Flag::More);
    old.expect_status(&tid, 200).await;
    alice.expect_chunk().await;

    let endpoint = MsrpEndpoint::bind().await;
    let answer = reoffer(&node, "bob", &endpoint.media()).await.unwrap();
    assert_eq!(alice.expect_chunk().await.flag, Flag::Abort);
    let bob = endpoint.connect(&answer).await;
    bob.bind().await;
    let rest = alice.send_chunk(&long, 3000, long.octets(), Flag::Last);
    alice.expect_status(&rest, 200).await;
    alice.send_ok(&says("alice", "next")).await;
    bob.expect_text(&identity("alice"), "next").await;
    bob.assert_nothing_left();
}

#[tokio::test]
async fn offer_of_the_present_session_is_answered_with_what_changes() {
    for want in backends() {
        let node = node(config(want, 1)).await;
        let (alice, endpoint) = (node.join("alice").await, MsrpEndpoint::bind().await);
        let media = endpoint.media();
        let first = node.offer("bob", &media).await;
        let bob = endpoint.connect(&first).await;
        bob.bind().await;
        let text = change(&node, "bob", Offer::MakeOffer).await.unwrap();
        assert_eq!(
            change(&node, "bob", Offer::MakeOffer).await.as_ref(),
            Ok(&text)
        );
        let offer = Media::parse(&text);
        assert_eq!(offer.path, first.path);
        assert_eq!(offer.setup.as_deref(), Some("actpass"));
        node.answer("bob", &media.clone().line("a=inactive")).await;
        alice.send_ok(&says("alice", "not for bob")).await;
        node.answer("bob", &media).await;
        alice.send_ok(&says("alice", "for bob")).await;
        bob.expect_text(&identity("alice"), "for bob").await;

        // The answer may name another path; ours is the one that was offered.
        let endpoint = MsrpEndpoint::bind().await;
        let moved = endpoint.media().setup("active");
        node.answer("bob", &moved).await;
        bob.expect_closed().await;
        let bob = endpoint.connect(&offer).await;
        bob.bind().await;
        alice.send_ok(&says("alice", "there")).await;
        bob.expect_text(&identity("alice"), "there").await;
    }
}

#[tokio::test]
async fn session_that_was_made_anew_has_the_whole_time_to_be_bound() {
    const UNBOUND: Duration = Duration::from_millis(600);
    let mut config = config(ring_io::Want::Auto, 1);
    config.limits.unbound_ns = 600_000_000;
    let node = node(config).await;
    let mut events = node.client.subscribe();
    let alice = node.join("alice").await;
    let began = Instant::now();
    let _bob = node.join("bob").await;
    // Talk until the time of the first session is nearly over.
    while began.elapsed() < UNBOUND * 2 / 3 {
        alice.send_ok(&Draft::empty()).await;
    }
    let moved = MsrpEndpoint::bind().await.media();
    reoffer(&node, "bob", &moved).await.unwrap();
    let began = Instant::now();
    let lost = tokio::time::timeout(DEADLINE, expect_lost(&mut events, "bob"));
    let reason = lost.await.unwrap();
    assert_eq!(reason, EndReason::NeverBound);
    assert!(began.elapsed() >= UNBOUND * 9 / 10, "{:?}", began.elapsed());
}
