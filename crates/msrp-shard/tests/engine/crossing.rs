//! Connections that carry sessions of several shards.

use msrp_control::EndReason;
use msrp_testkit::{Draft, Media, Mode, MsrpPeer};

use crate::node::{Node, ROOM, backends, config, expect_lost, identity, node};

/// A session on a connection that another session has made.
pub(crate) struct Second {
    own: String,
    theirs: String,
}

impl Second {
    async fn on(peer: &MsrpPeer, node: &Node, name: &str) -> Self {
        let own = format!("msrp://127.0.0.1:9/{name};tcp");
        let answer = node.offer(name, &Media::new(own.clone())).await;
        peer.add_uri(&own);
        let theirs = answer.path.join(" ");
        Self { own, theirs }
    }

    pub(crate) fn draft(&self, draft: Draft) -> Draft {
        draft.to_path(&self.theirs).from_path(&self.own)
    }

    pub(crate) fn text(&self, name: &str, text: &str) -> Draft {
        self.draft(Draft::text(&identity(name), ROOM, text))
    }
}

/// Two rooms on two shards, with a gateway that has a session in both on one connection.
pub(crate) struct Town {
    pub(crate) here: Node,
    pub(crate) there: Node,
    pub(crate) gateway: MsrpPeer,
    pub(crate) second: Second,
    pub(crate) alice: MsrpPeer,
    pub(crate) bob: MsrpPeer,
}

pub(crate) async fn town(want: ring_io::Want) -> Town {
    let here = node(config(want, 2)).await;
    let there = here.another("there").await;
    let gateway = here.join("gateway").await;
    let second = Second::on(&gateway, &there, "second").await;
    gateway.send_ok(&second.draft(Draft::empty())).await;
    let alice = here.join("alice").await;
    let bob = there.join("bob").await;
    Town {
        here,
        there,
        gateway,
        second,
        alice,
        bob,
    }
}

// covers: MSRP-4975-7.2-07
#[tokio::test]
async fn session_of_another_shard_shares_a_connection_and_both_rooms_are_served() {
    for want in backends() {
        let town = town(want).await;
        let Town {
            gateway,
            second,
            alice,
            bob,
            ..
        } = &town;
        let long = "l".repeat(300_000);
        for round in 0..20 {
            let (near, far) = (format!("near {round}"), format!("far {round}"));
            let mine = gateway.send(&Draft::text(&identity("gateway"), ROOM, &near));
            let theirs = gateway.send(&second.text("second", &far));
            let large = gateway.send(&second.text("second", &long).chunk_octets(70_000));
            alice.expect_text(&identity("gateway"), &near).await;
            bob.expect_text(&identity("second"), &far).await;
            bob.expect_text(&identity("second"), &long).await;
            for sent in [&mine, &theirs, &large] {
                gateway.expect_all(sent, 200).await;
            }
        }
        bob.send_ok(&Draft::text(&identity("bob"), ROOM, &long))
            .await;
        let message = gateway.expect_text(&identity("bob"), &long).await;
        assert_eq!(message.header("To-Path"), Some(second.own.as_str()));
        alice
            .send_ok(&Draft::text(&identity("alice"), ROOM, "here"))
            .await;
        gateway.expect_text(&identity("alice"), "here").await;
        // One ends, the other goes on; with the last the connection ends.
        town.there.remove("second").await;
        let sent = gateway.send(&second.draft(Draft::empty()));
        gateway.expect_all(&sent, 481).await;
        alice
            .send_ok(&Draft::text(&identity("alice"), ROOM, "still here"))
            .await;
        gateway.expect_text(&identity("alice"), "still here").await;
        town.here.remove("gateway").await;
        gateway.expect_closed().await;
        assert_eq!(town.here.metric("msrp_responses_unknown_total", None), 0);
    }
}

#[tokio::test]
async fn request_that_crosses_the_end_of_its_session_is_answered() {
    for want in backends() {
        let town = town(want).await;
        town.there.remove("second").await;
        for round in 0..40 {
            let name = format!("round{round}");
            let second = Second::on(&town.gateway, &town.there, &name).await;
            town.gateway.send_ok(&second.draft(Draft::empty())).await;
            let mut sent = town.gateway.send(&second.draft(Draft::empty()));
            town.there.remove(&name).await;
            for _ in 0..10 {
                let more = town.gateway.send(&second.draft(Draft::empty()));
                sent.tids.extend(more.tids);
                town.gateway.flushed().await;
            }
            for tid in &sent.tids {
                let status = town.gateway.expect_response(tid).await.status();
                assert!(matches!(status, Some(200 | 481)), "{status:?}");
            }
        }
    }
}

#[tokio::test]
async fn connection_whose_first_session_ends_serves_the_one_of_another_shard() {
    for want in backends() {
        let town = town(want).await;
        let Town {
            gateway,
            second,
            bob,
            ..
        } = &town;
        town.here.remove("gateway").await;
        gateway.send_ok(&second.text("second", "alone")).await;
        bob.expect_text(&identity("second"), "alone").await;
        town.there.remove("second").await;
        gateway.expect_closed().await;
    }
}

#[tokio::test]
async fn connection_whose_last_session_ends_in_a_forwarded_request_closes() {
    for want in backends() {
        let town = town(want).await;
        let Town {
            gateway,
            second,
            bob,
            ..
        } = &town;
        town.here.remove("gateway").await;
        let draft = second.text("second", &"h".repeat(100_000));
        let octets = draft.frames(&second.theirs, &second.own)[0].to_octets();
        gateway.write_raw(&octets[..50_000]);
        let opened = "msrp_copies_opened_total";
        town.there.until(opened, None, |count| count > 0).await;
        town.there.remove("second").await;
        gateway.expect_closed().await;
        let message = bob.expect_message().await;
        assert_eq!(message.ended, msrp_testkit::Flag::Abort);
    }
}

// covers: MSRP-4975-5.4-11
#[tokio::test]
async fn session_of_another_shard_named_wrongly_or_bound_elsewhere_is_refused() {
    for want in backends() {
        let town = town(want).await;
        let Town {
            gateway,
            second,
            bob,
            ..
        } = &town;
        let long = "x".repeat(200_000);
        let wrong = second.theirs.replace(";tcp", "x;tcp");
        let taken = bob.remote_path().to_owned();
        for (path, status) in [(&wrong, 481), (&taken, 506)] {
            for text in ["short", &long] {
                let draft = second.text("second", text).to_path(path);
                let sent = gateway.send(&draft);
                gateway.expect_all(&sent, status).await;
            }
        }
        // A stranger's connection that names nothing else stays without session.
        let stranger = town.there.stranger(&wrong).await;
        let sent = stranger.send(&Draft::text(&identity("bob"), ROOM, &long));
        stranger.expect_all(&sent, 481).await;
        gateway.send_ok(&second.text("second", "in the end")).await;
        bob.expect_text(&identity("second"), "in the end").await;
    }
}

#[tokio::test]
async fn connection_that_is_lost_ends_its_sessions_on_all_shards() {
    for want in backends() {
        let Town {
            here,
            gateway,
            second,
            bob,
            there: _there,
            alice: _alice,
        } = town(want).await;
        let mut events = here.client.subscribe();
        // In the middle of a message, whose recipients see it end.
        let draft = second
            .text("second", &"h".repeat(100_000))
            .chunk_octets(50_000)
            .stop_after(60_000, msrp_testkit::Flag::More);
        let sent = gateway.send(&draft);
        gateway.expect_all(&sent, 200).await;
        gateway.close();
        let reason = expect_lost(&mut events, "second").await;
        assert_eq!(reason, EndReason::ConnectionLost);
        let message = bob.expect_message().await;
        assert_eq!(message.ended, msrp_testkit::Flag::Abort);
    }
}

#[tokio::test]
async fn recipient_on_another_shard_that_reads_late_slows_the_sender_of_a_shared_connection() {
    for want in backends() {
        let here = node(config(want, 2)).await;
        let there = here.another("there").await;
        let gateway = here.join("gateway").await;
        let second = Second::on(&gateway, &there, "second").await;
        gateway.send_ok(&second.draft(Draft::empty())).await;
        let late = there.join("late").await;
        late.set_mode(Mode::Deaf);
        let text = "s".repeat(30_000_000);
        let sent = gateway.send(&second.text("second", &text).chunk_octets(60_000));
        here.until("msrp_senders_paused_total", None, |count| count > 0)
            .await;
        // While others talk on, the carrier takes no more of it: both pools together have 128 buffers.
        let (carol, dave) = (here.join("carol").await, there.join("dave").await);
        for _ in 0..300 {
            for peer in [&carol, &dave] {
                peer.send_ok(&Draft::empty()).await;
            }
        }
        assert!(gateway.unwritten_octets() > 0);
        let slots = here.metric("msrp_receive_slots_in_use", None);
        assert!(slots < 32, "{slots} receive buffers are held");
        late.set_mode(Mode::Auto);
        late.expect_text(&identity("second"), &text).await;
        gateway.expect_all(&sent, 200).await;
        assert_eq!(here.metric("msrp_copies_total", Some("failed")), 0);
    }
}

#[tokio::test]
async fn home_that_fails_takes_its_session_and_leaves_the_connection() {
    for want in backends() {
        let town = town(want).await;
        let Town {
            gateway,
            second,
            alice,
            bob,
            ..
        } = &town;
        town.here.engine.fail_shard(1);
        bob.expect_closed().await;
        town.here
            .until("msrp_shard_restarts_total", None, |count| count > 0)
            .await;
        let sent = gateway.send(&second.draft(Draft::empty()));
        gateway.expect_all(&sent, 481).await;
        gateway
            .send_ok(&Draft::text(&identity("gateway"), ROOM, "after"))
            .await;
        alice.expect_text(&identity("gateway"), "after").await;
    }
}

#[tokio::test]
async fn carrier_that_fails_takes_the_sessions_it_carried_and_leaves_their_room() {
    for want in backends() {
        let town = town(want).await;
        let mut events = town.there.client.subscribe();
        let carol = town.there.join("carol").await;
        town.here.engine.fail_shard(0);
        town.gateway.expect_closed().await;
        loop {
            use msrp_control::Event;
            match events.recv().await.unwrap() {
                Event::ParticipantLost {
                    participant,
                    reason,
                    ..
                } => {
                    assert_eq!(participant.as_str(), "second");
                    assert_eq!(reason, EndReason::ShardFailed);
                    break;
                }
                Event::RoomLost { room, .. } => assert_eq!(room.as_str(), "room"),
                _ => {}
            }
        }
        carol
            .send_ok(&Draft::text(&identity("carol"), ROOM, "we go on"))
            .await;
        town.bob.expect_text(&identity("carol"), "we go on").await;
    }
}

#[tokio::test]
async fn nickname_of_a_session_of_another_shard_is_answered_and_told() {
    for want in backends() {
        let town = town(want).await;
        let mut events = town.there.client.subscribe();
        let second = &town.second;
        for (nickname, status) in [("\"Sec\"", 200), ("bad", 424)] {
            let mut request = town.gateway.nickname_request(Some(nickname));
            request.headers[0].1.clone_from(&second.theirs);
            request.headers[1].1.clone_from(&second.own);
            town.gateway.write(&request);
            let response = town.gateway.expect_status(&request.tid, status).await;
            assert_eq!(response.header("To-Path"), Some(second.own.as_str()));
        }
        town.bob.ask_nickname("SEC", 425).await;
        town.gateway.ask_nickname("SEC", 200).await;
        for expected in ["second", "gateway"] {
            match events.recv().await.unwrap() {
                msrp_control::Event::NicknameChanged { participant, .. } => {
                    assert_eq!(participant.as_str(), expected);
                }
                event => panic!("{event:?}"),
            }
        }
    }
}
