//! Nicknames in sessions of the real daemon.

use msrp_testkit::{AdHoc, Config, Daemon, Frame, Participant};
use msrpd_tests::{ALICE, BOB, CAROL, FRIENDS, WAYS, Way, config_with_friends};

async fn three(way: Way) -> (Daemon, [Participant; 3]) {
    let daemon = way.start(config_with_friends()).await;
    let alice = way.join(&daemon, FRIENDS, ALICE).await;
    let bob = way.join(&daemon, FRIENDS, BOB).await;
    let carol = way.join(&daemon, FRIENDS, CAROL).await;
    (daemon, [alice, bob, carol])
}

/// The chatroom lines of the description that the participant got.
fn chatroom(participant: &Participant) -> Vec<String> {
    let lines = participant.dialog.remote_media().lines;
    let chatroom = |line: &String| line.starts_with("a=chatroom");
    lines.into_iter().filter(chatroom).collect()
}

async fn expect_answer(participant: &Participant, request: &Frame, status: u16) -> Frame {
    participant.msrp.write(request);
    participant.msrp.expect_status(&request.tid, status).await
}

// covers: MSRP-7701-7.1-01, MSRP-7701-7.1-10, MSRP-7701-7.1-11, MSRP-7701-7-01, MSRP-7701-11-03, MSRP-7701-8-01
#[tokio::test]
async fn nickname_is_had_by_one_user_until_it_is_changed_or_its_holder_leaves() {
    for way in WAYS {
        let (daemon, [alice, bob, carol]) = three(way).await;
        assert_eq!(chatroom(&alice), ["a=chatroom:nickname private-messages"]);
        alice.msrp.ask_nickname("Alice the great", 200).await;
        bob.msrp.ask_nickname("ALICE  THE GREAT", 425).await;
        bob.msrp.ask_nickname("SysAdmin", 425).await;
        bob.msrp.ask_nickname("Alice in Wonderland", 200).await;
        alice.msrp.ask_nickname("alice in wonderland", 425).await;
        carol.msrp.ask_nickname("alice the great", 425).await;
        bob.msrp.ask_nickname("Bob", 200).await;
        carol.msrp.ask_nickname("alice in wonderland", 200).await;
        alice.leave().await;
        daemon
            .wait_metric("msrp_participants", |count| count == 2.0)
            .await;
        bob.msrp.ask_nickname("alice the great", 200).await;
        bob.say("nobody heard of it").await;
        carol.expect_text(BOB, "nobody heard of it").await;
        carol.msrp.assert_nothing_left();
    }
}

// covers: MSRP-7701-7.1-02, MSRP-7701-7.1-03, MSRP-7701-7.1-04, MSRP-7701-7.1-09, MSRP-7701-7.3-01
#[tokio::test]
async fn nickname_request_is_answered_by_its_value_whatever_else_it_carries() {
    for way in WAYS {
        let (_daemon, [alice, bob, carol]) = three(way).await;
        let long = format!("\"{}\"", "x".repeat(1024));
        let malformed = [
            None,
            Some(""),
            Some("Alice"),
            Some("\"Alice"),
            Some("\"a\\n\""),
            Some("\"a\u{1}b\""),
            Some("\" \""),
            Some(&long),
        ];
        for value in malformed {
            let request = alice.msrp.nickname_request(value);
            expect_answer(&alice, &request, 424).await;
        }
        for value in ["yes", "partial", "no"] {
            let name = format!("\"Bob {value}\"");
            let request = bob.msrp.nickname_request(Some(&name));
            let request = request.with("Failure-Report", value);
            expect_answer(&bob, &request.with("Success-Report", "yes"), 200).await;
        }
        let relayed = format!("msrp://127.0.0.1:9/relay;tcp {}", carol.msrp.uri());
        carol.msrp.add_uri(&relayed);
        let mut request = carol
            .msrp
            .nickname_request(Some("\"Say \\\"hi\\\" \\\\o/\""));
        request.headers[1].1 = relayed.clone();
        let response = expect_answer(&carol, &request, 200).await;
        assert_eq!(response.header("To-Path"), Some(relayed.as_str()));
        alice.msrp.ask_nickname("say \"HI\" \\o/", 425).await;
        carol.msrp.ask_nickname("", 200).await;
        carol.msrp.ask_nickname("", 200).await;
        alice.msrp.ask_nickname("say \"HI\" \\o/", 200).await;
        bob.msrp.assert_nothing_left();
    }
}

// covers: MSRP-7701-7.1-05, MSRP-7701-8-01
#[tokio::test]
async fn nickname_where_the_policy_forbids_it_is_refused_and_not_declared() {
    for way in WAYS {
        let config = config_with_friends().set("policy", "nicknames", false);
        let daemon = way.start(config).await;
        let alice = way.join(&daemon, FRIENDS, ALICE).await;
        assert_eq!(chatroom(&alice), ["a=chatroom:private-messages"]);
        for value in [None, Some("\"Alice\""), Some("\"\"")] {
            let request = alice.msrp.nickname_request(value);
            expect_answer(&alice, &request, 403).await;
        }
    }
}

// covers: MSRP-7701-7.1-08, MSRP-7701-7.1-12, MSRP-7701-7.1-13
#[tokio::test]
async fn nickname_on_a_second_device_is_had_when_it_is_asked_for() {
    for way in WAYS {
        let (daemon, [alice, bob, _carol]) = three(way).await;
        alice.msrp.ask_nickname("Al", 200).await;
        let phone = way.join(&daemon, FRIENDS, ALICE).await;
        alice.leave().await;
        daemon
            .wait_metric("msrp_participants", |count| count == 3.0)
            .await;
        bob.msrp.ask_nickname("al", 200).await;
        bob.msrp.ask_nickname("", 200).await;
        phone.msrp.ask_nickname("Al", 200).await;
        let tablet = way.join(&daemon, FRIENDS, ALICE).await;
        tablet.msrp.ask_nickname("AL", 200).await;
        phone.leave().await;
        daemon
            .wait_metric("msrp_participants", |count| count == 3.0)
            .await;
        bob.msrp.ask_nickname("al", 425).await;
        tablet.leave().await;
        daemon
            .wait_metric("msrp_participants", |count| count == 2.0)
            .await;
        bob.msrp.ask_nickname("al", 200).await;
    }
}

// covers: MSRP-7701-7.1-01
#[tokio::test]
async fn nickname_in_an_ad_hoc_session_is_for_callers_and_invitees() {
    for way in WAYS {
        let proxy = way.proxy().await;
        let config = Config::new().outbound_proxy(&proxy.proxy_uri());
        let daemon = way.start(config).await;
        let session = AdHoc::start(&daemon, &proxy, ALICE, &[BOB]).await;
        let (alice, bob) = (&session.inviter, &session.invitees[0]);
        for participant in [alice, bob] {
            let declared = chatroom(participant);
            assert_eq!(declared, ["a=chatroom:nickname private-messages"]);
        }
        bob.msrp.ask_nickname("Builder", 200).await;
        alice.msrp.ask_nickname("builder", 425).await;
        alice.msrp.ask_nickname("Architect", 200).await;
    }
}
