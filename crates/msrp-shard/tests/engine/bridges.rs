//! Bridges: two sessions back to back, with each side in any model of connecting.

use msrp_control::{
    BridgeConfig, BridgeEvent, BridgeId, BridgeState, EndReason, ErrorCode, Event, EventStream,
    LegLink, Side,
};
use msrp_shard::EngineConfig;
use msrp_testkit::{Draft, Flag, Frame, Media, Mode, MsrpEndpoint, MsrpPeer};

use crate::node::{Node, backends, config, listener, node};

pub(crate) fn id(name: &str) -> BridgeId {
    BridgeId::new(name).unwrap()
}

pub(crate) async fn offer(node: &Node, media: &Media, config: BridgeConfig) -> Media {
    let sdp = node
        .client
        .create_bridge(id("call"), media.to_string(), config);
    Media::parse(&sdp.await.unwrap())
}

pub(crate) async fn answer(node: &Node, media: &Media) -> Media {
    let sdp = node.client.answer_bridge(id("call"), media.to_string());
    Media::parse(&sdp.await.unwrap())
}

/// Alice has offered, Bob has answered as RFC 4975 has it: Alice connects to us, we to Bob.
async fn bridged(config: EngineConfig) -> (Node, MsrpPeer, MsrpPeer) {
    let node = node(config).await;
    let (alice, bob) = call(&node).await;
    (node, alice, bob)
}

async fn call(node: &Node) -> (MsrpPeer, MsrpPeer) {
    let (alice, bob) = (MsrpEndpoint::bind().await, MsrpEndpoint::bind().await);
    let to_bob = offer(node, &alice.media(), BridgeConfig::default()).await;
    let to_alice = answer(node, &bob.media()).await;
    let bob = bob.accept(&to_bob).await;
    bob.expect_empty().await;
    let alice = alice.connect(&to_alice).await;
    alice.bind().await;
    (alice, bob)
}

async fn ended(events: &mut EventStream) -> (EndReason, Option<Side>, BridgeState) {
    loop {
        if let Event::Bridge(BridgeEvent::Ended {
            reason,
            side,
            state,
            ..
        }) = events.recv().await.unwrap()
        {
            return (reason, side, *state.unwrap());
        }
    }
}

fn html(body: &str) -> Draft {
    Draft::new("text/html", body)
}

#[tokio::test]
async fn bridge_passes_messages_and_reports_both_ways_without_change() {
    for want in backends() {
        for shards in [1, 2] {
            let (node, alice, bob) = bridged(config(want, shards)).await;
            for (from, to) in [(&alice, &bob), (&bob, &alice)] {
                let draft = html("<p>hello</p>")
                    .success_report("yes")
                    .header("X-Extra", "kept");
                let sent = from.send_ok(&draft).await;
                let got = to.expect_message().await;
                assert_eq!(got.text(), "<p>hello</p>");
                assert_eq!(got.id, sent.message_id);
                assert_eq!(got.content_type(), Some("text/html"));
                assert_eq!(got.header("X-Extra"), Some("kept"));
                assert_eq!(got.header("Success-Report"), Some("yes"));
                assert_eq!(got.chunks[0].byte_range.as_deref(), Some("1-12/12"));
                to.report(&got, "1-12/12", "000 200 OK");
                let report = from.expect_report_of(&sent.message_id, 200).await;
                assert_eq!(report.header("Byte-Range"), Some("1-12/12"));
            }
            let state = node.client.bridge(id("call")).await.unwrap();
            for leg in state.legs {
                assert_eq!(leg.link, LegLink::Connected);
                assert_eq!((leg.messages, leg.octets, leg.failed), (1, 12, 0));
                assert_eq!(leg.reports, 1);
            }
            assert!(state.is_answered);
        }
    }
}

#[tokio::test]
async fn bridge_report_with_a_document_passes_whole() {
    for want in backends() {
        let (_node, alice, bob) = bridged(config(want, 1)).await;
        let sent = alice.send_ok(&html("x")).await;
        bob.expect_message().await;
        for octets in [5, 10_000, 12_000] {
            let document = "d".repeat(octets);
            let mut report = Frame::request("REPORT", "tid12345", bob.remote_path(), bob.uri())
                .with("Message-ID", &sent.message_id)
                .with("Byte-Range", "1-1/1")
                .with("Status", "000 200 OK")
                .with("Content-Type", "application/x-document");
            report.body = Some(document.clone().into_bytes());
            bob.write(&report);
            let got = alice.expect_report_of(&sent.message_id, 200).await;
            let expected = (octets <= 10_239).then_some(document.into_bytes());
            assert_eq!(got.body, expected);
        }
    }
}

#[tokio::test]
async fn bridge_large_message_is_relayed_before_it_is_complete() {
    for want in backends() {
        let (_node, alice, bob) = bridged(config(want, 1)).await;
        let body: String = (0..300_000_u32)
            .map(|n| char::from(b"abcdefghijklmnopqrstuvw"[n as usize % 23]))
            .collect();
        let draft = html(&body);
        bob.set_mode(Mode::Manual);
        alice.send_chunk(&draft, 0, 100_000, Flag::More);
        let first = bob.expect_chunk().await;
        assert_eq!(first.byte_range().unwrap().start, 1);
        alice.send_chunk(&draft, 100_000, 300_000, Flag::Last);
        let mut last = first;
        while last.flag != Flag::Last {
            last = bob.expect_chunk().await;
        }
        assert_eq!(last.byte_range().unwrap().total, Some(300_000));
    }
}

#[tokio::test]
async fn bridge_error_of_one_side_reaches_the_other_by_report() {
    for want in backends() {
        for (failure, expected) in [("yes", true), ("partial", true), ("no", false)] {
            let (_node, alice, bob) = bridged(config(want, 1)).await;
            bob.set_mode(Mode::Manual);
            let sent = alice.send(&html("x").failure_report(failure));
            let chunk = bob.expect_chunk().await;
            bob.respond(&chunk, 415, "no html");
            if failure == "yes" {
                alice.expect_all(&sent, 200).await;
            }
            if expected {
                let report = alice.expect_report_of(&sent.message_id, 415).await;
                assert_eq!(report.header("Byte-Range"), Some("1-1/1"));
            }
            alice.send_ok(&Draft::empty()).await;
            alice.assert_nothing_left();
        }
    }
}

// covers: MSRP-6135-3-01, MSRP-6135-4.2.2-01, MSRP-6135-4.2.2-09
#[tokio::test]
async fn bridge_sides_connect_in_every_model() {
    for want in backends() {
        for (alice_setup, bob_setup) in [
            (None, None),
            (Some("active"), Some("passive")),
            (Some("actpass"), Some("active")),
            (Some("passive"), Some("active")),
            (Some("passive"), Some("passive")),
        ] {
            let node = node(config(want, 2)).await;
            let (alice, bob) = (MsrpEndpoint::bind().await, MsrpEndpoint::bind().await);
            let (mut a, mut b) = (alice.media(), bob.media());
            a.setup = alice_setup.map(str::to_owned);
            b.setup = bob_setup.map(str::to_owned);
            let to_bob = offer(&node, &a, BridgeConfig::default()).await;
            assert_eq!(to_bob.setup.as_deref(), Some("actpass"));
            let to_alice = answer(&node, &b).await;
            let alice_waits = alice_setup == Some("passive");
            let expected = if alice_waits { "active" } else { "passive" };
            assert_eq!(to_alice.setup.as_deref(), Some(expected));
            let bob = join(bob, &to_bob, bob_setup != Some("active")).await;
            let alice = join(alice, &to_alice, alice_waits).await;
            alice.send_ok(&html("over")).await;
            assert_eq!(bob.expect_message().await.text(), "over");
            bob.send_ok(&html("back")).await;
            assert_eq!(alice.expect_message().await.text(), "back");
        }
    }
}

/// A peer that waits for our connection and its first SEND, or connects to us.
async fn join(endpoint: MsrpEndpoint, remote: &Media, waits: bool) -> MsrpPeer {
    if waits {
        let peer = endpoint.accept(remote).await;
        peer.expect_empty().await;
        peer
    } else {
        let peer = endpoint.connect(remote).await;
        peer.bind().await;
        peer
    }
}

// covers: MSRP-6135-4.2.2-05
#[tokio::test]
async fn bridge_engine_is_active_where_it_is_wanted_to_be() {
    for want in backends() {
        let node = node(config(want, 1)).await;
        let (alice, bob) = (MsrpEndpoint::bind().await, MsrpEndpoint::bind().await);
        let mut wanted = BridgeConfig::default();
        wanted.legs[0].is_active = true;
        wanted.legs[1].is_active = true;
        let to_bob = offer(&node, &alice.media().setup("actpass"), wanted).await;
        assert_eq!(to_bob.setup.as_deref(), Some("active"));
        let to_alice = answer(&node, &bob.media().setup("passive")).await;
        assert_eq!(to_alice.setup.as_deref(), Some("active"));
        let bob = join(bob, &to_bob, true).await;
        let alice = join(alice, &to_alice, true).await;
        alice.send_ok(&html("x")).await;
        bob.expect_message().await;
    }
}

// covers: MSRP-6714-4.2-01, MSRP-6714-4.2-02, MSRP-6714-4.2-06, MSRP-6714-4.3-04, MSRP-6714-4.3-05
// covers: MSRP-6714-4.3-07, MSRP-6714-4.5-01
#[tokio::test]
async fn bridge_with_cema_connects_to_the_connection_line_and_keeps_the_path() {
    for want in backends() {
        let node = node(config(want, 1)).await;
        let (alice, bob) = (MsrpEndpoint::bind().await, MsrpEndpoint::bind().await);
        // A middlebox has put itself into the c= and m= lines; the paths name nobody who is there.
        let hidden = |endpoint: &MsrpEndpoint, name: &str| {
            let mut media = endpoint.media().line("a=msrp-cema");
            media.path = vec![format!("msrp://192.0.2.7:9/{name};tcp")];
            media
        };
        let a = hidden(&alice, "alice").setup("passive");
        let to_bob = offer(&node, &a, BridgeConfig::default()).await;
        assert!(to_bob.lines.contains(&"a=msrp-cema".to_owned()));
        assert_eq!(to_bob.address().port(), to_bob.port);
        let to_alice = answer(&node, &hidden(&bob, "bob").setup("passive")).await;
        assert!(to_alice.lines.contains(&"a=msrp-cema".to_owned()));
        for (endpoint, media, name) in [(bob, &to_bob, "bob"), (alice, &to_alice, "alice")] {
            let peer = endpoint.accept(media).await;
            let own = format!("msrp://192.0.2.7:9/{name};tcp");
            peer.add_uri(&own);
            let first = peer.expect_empty().await;
            assert_eq!(first.to_path(), [own.as_str()]);
        }
    }
}

// covers: MSRP-6714-4.2-04, MSRP-6714-4.2-05
#[tokio::test]
async fn bridge_answer_without_cema_from_behind_a_middlebox_is_refused_until_offered_without() {
    let node = node(config(ring_io::Want::Auto, 1)).await;
    let (alice, bob) = (MsrpEndpoint::bind().await, MsrpEndpoint::bind().await);
    let a = alice.media().line("a=msrp-cema");
    offer(&node, &a, BridgeConfig::default()).await;
    let mut b = bob.media().setup("active");
    b.path = vec!["msrp://192.0.2.7:9/bob;tcp".to_owned()];
    let refused = node.client.answer_bridge(id("call"), b.to_string()).await;
    assert_eq!(refused.unwrap_err().code, ErrorCode::NotAcceptable);
    node.client.delete_bridge(id("call")).await.unwrap();
    let mut without = BridgeConfig::default();
    without.legs[1].ignores_cema = true;
    let to_bob = offer(&node, &a, without).await;
    assert!(!to_bob.lines.contains(&"a=msrp-cema".to_owned()));
    answer(&node, &b).await;
}

// covers: MSRP-6714-4.3-02, MSRP-6714-4.3-03
#[tokio::test]
async fn bridge_answers_a_relay_user_that_connects_without_cema() {
    let node = node(config(ring_io::Want::Auto, 1)).await;
    let (alice, bob) = (MsrpEndpoint::bind().await, MsrpEndpoint::bind().await);
    let mut a = alice.media().line("a=msrp-cema").setup("active");
    a.path
        .insert(0, "msrp://192.0.2.8:2855/relay;tcp".to_owned());
    offer(&node, &a, BridgeConfig::default()).await;
    let to_alice = answer(&node, &bob.media().line("a=msrp-cema")).await;
    assert!(!to_alice.lines.contains(&"a=msrp-cema".to_owned()));
}

#[tokio::test]
async fn bridge_joins_ipv4_and_ipv6() {
    for want in backends() {
        let mut config = config(want, 1);
        let mut six = listener("six", Default::default());
        six.bind = "[::1]:0".parse().unwrap();
        config.listeners.push(six);
        let node = node(config).await;
        let (alice, bob) = (MsrpEndpoint::bind().await, MsrpEndpoint::bind().await);
        let mut wanted = BridgeConfig::default();
        wanted.legs[1].listener = Some("six".to_owned());
        let to_bob = offer(&node, &alice.media(), wanted).await;
        assert!(to_bob.address().is_ipv6() && to_bob.host == "::1");
        let to_alice = answer(&node, &bob.media().setup("active")).await;
        assert!(to_alice.address().is_ipv4());
        let bob = join(bob, &to_bob, false).await;
        let alice = join(alice, &to_alice, false).await;
        bob.send_ok(&html("six to four")).await;
        assert_eq!(alice.expect_message().await.text(), "six to four");
    }
}

#[tokio::test]
async fn bridge_that_loses_a_side_tells_the_other_of_open_messages_and_ends() {
    for want in backends() {
        let (node, alice, bob) = bridged(config(want, 1)).await;
        let mut events = node.client.subscribe();
        bob.set_mode(Mode::Manual);
        let sent = alice.send(&html("x"));
        bob.expect_chunk().await;
        bob.close();
        alice.expect_all(&sent, 200).await;
        alice.expect_report_of(&sent.message_id, 481).await;
        alice.expect_closed().await;
        let (reason, side, state) = ended(&mut events).await;
        assert_eq!(reason, EndReason::ConnectionLost);
        assert_eq!(side, Some(Side::Answerer));
        assert_eq!(state.legs[0].failed, 1);
        let gone = node.client.bridge(id("call")).await.unwrap_err();
        assert_eq!(gone.code, ErrorCode::NoSuchBridge);
        node.until("msrp_bridges", None, |count| count == 0).await;
    }
}

#[tokio::test]
async fn bridge_deleted_ends_half_a_message_and_both_sides() {
    for want in backends() {
        let (node, alice, bob) = bridged(config(want, 1)).await;
        let draft = html(&"y".repeat(10_000));
        bob.set_mode(Mode::Manual);
        alice.send_chunk(&draft, 0, 5_000, Flag::More);
        bob.expect_chunk().await;
        let state = node.client.delete_bridge(id("call")).await.unwrap();
        assert_eq!(state.legs[0].messages, 1);
        assert_eq!(bob.expect_chunk().await.flag, Flag::Abort);
        bob.expect_closed().await;
    }
}

#[tokio::test]
async fn bridge_without_answer_and_without_life_ends_after_its_bounds() {
    for want in backends() {
        let mut config = config(want, 1);
        config.limits.bridge_unanswered_ns = 700_000_000;
        config.limits.bridge_idle_ns = 1_000_000_000;
        let node = node(config).await;
        let mut events = node.client.subscribe();
        let alice = MsrpEndpoint::bind().await;
        offer(&node, &alice.media(), BridgeConfig::default()).await;
        assert_eq!(ended(&mut events).await.0, EndReason::Unanswered);
        let (alice, bob) = call(&node).await;
        alice.send_ok(&html("x")).await;
        bob.expect_message().await;
        assert_eq!(ended(&mut events).await.0, EndReason::Idle);
        bob.expect_closed().await;
    }
}

#[tokio::test]
async fn bridge_side_that_moves_gets_a_new_session_and_the_other_keeps_its_own() {
    for want in backends() {
        for mover in Side::BOTH {
            let (node, alice, bob) = bridged(config(want, 2)).await;
            let peers = [alice, bob];
            let moved = MsrpEndpoint::bind().await;
            let stays = &peers[mover.other().index()];
            let sdp = moved.media().to_string();
            let out = node.client.reoffer_bridge(id("call"), mover, sdp).await;
            let out = Media::parse(&out.unwrap());
            assert_eq!(out.path, [stays.remote_path()]);
            let stayed = Media::new(stays.uri()).to_string();
            let back = node.client.answer_bridge(id("call"), stayed.clone()).await;
            let back = Media::parse(&back.unwrap());
            assert_ne!(back.path, [peers[mover.index()].remote_path()]);
            // The same answer again changes nothing.
            let again = node.client.answer_bridge(id("call"), stayed).await;
            assert_eq!(Media::parse(&again.unwrap()), back);
            let moved = join(moved, &back, false).await;
            moved.send_ok(&html("from elsewhere")).await;
            assert_eq!(stays.expect_message().await.text(), "from elsewhere");
            stays.send_ok(&html("to elsewhere")).await;
            assert_eq!(moved.expect_message().await.text(), "to elsewhere");
        }
    }
}

#[tokio::test]
async fn bridge_reoffer_of_the_same_path_keeps_everything() {
    let (node, alice, bob) = bridged(config(ring_io::Want::Auto, 1)).await;
    let same = |peer: &MsrpPeer| Media::new(peer.uri()).line("a=sendonly").to_string();
    let out = node
        .client
        .reoffer_bridge(id("call"), Side::Offerer, same(&alice))
        .await
        .unwrap();
    assert!(out.contains("a=sendonly\r\n"));
    let back = node.client.answer_bridge(id("call"), same(&bob)).await;
    assert_eq!(Media::parse(&back.unwrap()).path, [alice.remote_path()]);
    alice.send_ok(&html("still here")).await;
    bob.expect_message().await;
}

#[tokio::test]
async fn bridge_refused_answer_passes_and_ends_it() {
    let node = node(config(ring_io::Want::Auto, 1)).await;
    let alice = MsrpEndpoint::bind().await;
    offer(&node, &alice.media(), BridgeConfig::default()).await;
    let refusal = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=message 0 TCP/MSRP *\r\n";
    let out = node
        .client
        .answer_bridge(id("call"), refusal.to_owned())
        .await;
    assert_eq!(out.unwrap(), refusal);
    assert_eq!(node.client.bridges(None, 10).await.unwrap(), []);
}

#[tokio::test]
async fn bridge_commands_that_cannot_be_carried_out_say_why() {
    let mut config = config(ring_io::Want::Auto, 1);
    config.limits.bridges_max = 1;
    let node = node(config).await;
    let alice = MsrpEndpoint::bind().await;
    let sdp = alice.media().to_string();
    let create = |name: &str, sdp: &str, wanted: BridgeConfig| {
        node.client.create_bridge(id(name), sdp.to_owned(), wanted)
    };
    let code = |result: Result<String, msrp_control::ControlError>| result.unwrap_err().code;
    let refused = create("a", "nonsense", BridgeConfig::default()).await;
    assert_eq!(code(refused), ErrorCode::MalformedSdp);
    let mut wanted = BridgeConfig::default();
    wanted.legs[1].listener = Some("nowhere".to_owned());
    assert_eq!(
        code(create("a", &sdp, wanted).await),
        ErrorCode::NotAcceptable
    );
    create("a", &sdp, BridgeConfig::default()).await.unwrap();
    let refused = create("b", &sdp, BridgeConfig::default()).await;
    assert_eq!(code(refused), ErrorCode::Limit);
    let totals = node.client.bridge_totals().await.unwrap();
    assert_eq!((totals.bridges, totals.unanswered), (1, 1));
    assert_eq!((totals.started, totals.refused), (1, 1));
    let refused = node.client.answer_bridge(id("b"), sdp.clone()).await;
    assert_eq!(code(refused), ErrorCode::NoSuchBridge);
    let refused = node
        .client
        .reoffer_bridge(id("a"), Side::Answerer, sdp.clone());
    assert_eq!(code(refused.await), ErrorCode::WrongState);
    assert_eq!(node.client.bridges(None, 10).await.unwrap(), [id("a")]);
    node.client.delete_bridge(id("a")).await.unwrap();
    node.client
        .set_draining(msrp_control::Drain::Rooms, None)
        .await
        .unwrap();
    let refused = create("b", &sdp, BridgeConfig::default()).await;
    assert_eq!(code(refused), ErrorCode::Draining);
}

#[tokio::test]
async fn bridge_slow_side_slows_the_other_and_loses_nothing() {
    for want in backends() {
        let node = node(config(want, 1)).await;
        let alice = MsrpEndpoint::bind().await;
        let bob = MsrpEndpoint::bind().await.receive_buffer_octets(4096);
        let to_bob = offer(&node, &alice.media(), BridgeConfig::default()).await;
        let to_alice = answer(&node, &bob.media().setup("active")).await;
        let bob = join(bob, &to_bob, false).await;
        let alice = join(alice, &to_alice, false).await;
        bob.set_mode(Mode::Deaf);
        let body = "z".repeat(8_000_000);
        let sent = alice.send(&html(&body).chunk_octets(60_000));
        node.until("msrp_senders_paused_total", None, |count| count > 0)
            .await;
        bob.set_mode(Mode::Auto);
        assert_eq!(bob.expect_message().await.text().len(), body.len());
        alice.expect_all(&sent, 200).await;
        assert_eq!(node.metric("msrp_copies_without_room_total", None), 0);
    }
}
