//! Requests inside a running session: refreshes, and offers that change it.

use msrp_testkit::{Draft, Media, MsrpEndpoint, Participant, SipMessage};
use msrpd_tests::{ALICE, BOB, FRIENDS, WAYS, Way, config_with_friends};

/// Alice and bob talk; bob's endpoint has gone into his session, so its description is given too.
async fn talk(way: Way) -> (msrp_testkit::Daemon, Participant, Participant, Media) {
    let daemon = way.start(config_with_friends()).await;
    let alice = way.join(&daemon, FRIENDS, ALICE).await;
    let endpoint = MsrpEndpoint::bind().await;
    let media = endpoint.media();
    let bob = way
        .dial(FRIENDS, BOB)
        .endpoint(endpoint)
        .join(&daemon)
        .await;
    (daemon, alice, bob, media)
}

fn origin(message: &SipMessage) -> &str {
    let line = message.text().lines().find(|line| line.starts_with("o="));
    line.expect("an o= line")
}

// covers: CTRL-7.2.1.6-02, CTRL-7.2.1.6-03, CTRL-7.2.1.6-04, CTRL-7.2.1.6-07, MSRP-4975-8.4-01, CLI-7.1.1.5-01
#[tokio::test]
async fn reinvite_changes_what_one_participant_takes_and_keeps_its_connection() {
    for way in WAYS {
        let (_daemon, alice, bob, media) = talk(way).await;
        let path = bob.dialog.remote_media().path;
        for deaf in [
            media.clone().accept_wrapped_types("image/png"),
            media.clone().max_size(10),
            media.clone().line("a=inactive"),
        ] {
            let answer = bob.dialog.reinvite(&deaf).await;
            assert_eq!(answer.media().path, path);
            assert!(answer.header("Contact").unwrap().contains(";isfocus"));
            alice.say("not for bob").await;
            bob.dialog.reinvite(&media).await;
            alice.say("for bob").await;
            bob.expect_text(ALICE, "for bob").await;
        }
        let answer = bob.dialog.reinvite(&media.clone().line("a=recvonly")).await;
        assert!(answer.media().lines.contains(&"a=sendonly".to_owned()));
        let refused = bob.msrp.send(&bob.text("mute"));
        bob.msrp.expect_all(&refused, 403).await;
        bob.dialog.reinvite(&media).await;
        bob.say("loud").await;
        alice.expect_text(BOB, "loud").await;
    }
}

// covers: MSRP-4975-8.4-03, CTRL-7.2.1.11-01
#[tokio::test]
async fn refresh_that_changes_nothing_repeats_the_description() {
    for way in WAYS {
        let (_daemon, alice, bob, media) = talk(way).await;
        let first = origin(bob.dialog.initial()).to_owned();
        for (method, offers) in [("INVITE", true), ("UPDATE", true), ("UPDATE", false)] {
            let request = bob.dialog.request(method).with("Supported", "timer");
            let request = if offers {
                request.with_media(&media)
            } else {
                request
            };
            let response = bob.dialog.exchange(request).await;
            assert_eq!(response.status(), 200, "{method}");
            assert_eq!(response.header("Require"), Some("timer"));
            assert!(response.lists("Allow", "UPDATE"));
            if offers {
                assert_eq!(origin(&response), first, "{method}");
            } else {
                assert_eq!(response.text(), "");
            }
        }
        alice.say("still here").await;
        bob.expect_text(ALICE, "still here").await;
    }
}

// covers: CTRL-7.2.1.6-01, MSRP-4975-8.6-07
#[tokio::test]
async fn reinvite_that_cannot_be_served_leaves_everything_as_it_was() {
    for way in WAYS {
        let (_daemon, alice, bob, media) = talk(way).await;
        let moved = MsrpEndpoint::bind().await.media();
        let mut secure = moved.clone();
        secure.protocol = "TCP/TLS/MSRP".into();
        secure.path[0] = secure.path[0].replace("msrp:", "msrps:");
        let mut refused = moved.clone();
        refused.port = 0;
        for offer in [secure, refused, moved.clone().accept_types("text/plain")] {
            let request = bob.dialog.request("INVITE").with_media(&offer);
            let response = bob.dialog.exchange(request).await;
            assert_eq!(response.status(), 488, "{offer}");
            assert!(response.header("Warning").is_some());
        }
        let broken = bob.dialog.request("INVITE");
        let broken = broken.with_body("application/sdp", "v=0\r\nnonsense");
        assert_eq!(bob.dialog.exchange(broken).await.status(), 400);
        alice.say("as before").await;
        bob.expect_text(ALICE, "as before").await;
        bob.say("so it is").await;
        alice.expect_text(BOB, "so it is").await;
        bob.dialog.reinvite(&media).await;
        bob.leave().await;
    }
}

// covers: MSRP-4975-8.4-02, MSRP-4975-5.4-14, MSRP-4975-5.4-15, MSRP-4975-5.4-22
#[tokio::test]
async fn reinvite_with_another_path_moves_the_session_to_a_new_connection() {
    for way in WAYS {
        let (_daemon, alice, bob, _) = talk(way).await;
        let Participant { dialog, msrp, .. } = &bob;
        let before = dialog.remote_media();
        // A connection that closes while it is the session's own would end the session.
        let mut connections = Vec::new();
        for setup in ["active", "passive"] {
            let endpoint = MsrpEndpoint::bind().await;
            let answer = dialog
                .reinvite(&endpoint.media().setup(setup))
                .await
                .media();
            assert_ne!(answer.path, before.path);
            let moved = if setup == "active" {
                msrp.expect_closed().await;
                let stale = MsrpEndpoint::bind().await.connect(&before).await;
                let sent = stale.send(&Draft::empty());
                stale.expect_all(&sent, 481).await;
                let moved = endpoint.connect(&answer).await;
                moved.bind().await;
                moved
            } else {
                let moved = endpoint.accept(&answer).await;
                moved.expect_empty().await;
                moved
            };
            moved.send_ok(&bob.text("moved")).await;
            alice.expect_text(BOB, "moved").await;
            alice.say("found you").await;
            moved.expect_text(ALICE, "found you").await;
            connections.push(moved);
        }
        bob.leave().await;
    }
}

#[tokio::test]
async fn reinvite_without_offer_gets_one_and_the_ack_answers_it() {
    for way in WAYS {
        let (_daemon, alice, bob, media) = talk(way).await;
        let Participant { dialog, .. } = &bob;
        for (answer, text) in [
            (media.clone().line("a=inactive"), None),
            (media.clone().setup("active"), Some("awake")),
        ] {
            let reinvite = dialog.request("INVITE");
            let cseq = reinvite.cseq().0;
            let transaction = dialog.send(reinvite).await;
            let offer = transaction.expect_status(200).await.media();
            assert_eq!(offer.path, dialog.remote_media().path);
            assert_eq!(offer.setup.as_deref(), Some("actpass"));
            dialog.acknowledge_with(cseq, &answer).await;
            // The focus takes the requests of a dialog in turn, and the switch what concerns a room: it has the
            // answer once an offer of somebody else, which came after it, is answered.
            let update = dialog.exchange(dialog.request("UPDATE")).await;
            assert_eq!(update.status(), 200);
            alice.dialog.reinvite(&Media::new(alice.msrp.uri())).await;
            match text {
                None => alice.say("not for bob").await,
                Some(text) => alice.say(text).await,
            };
        }
        bob.expect_text(ALICE, "awake").await;
    }
}

#[tokio::test]
async fn session_that_moves_while_others_talk_gets_what_is_said_from_then_on() {
    let daemon = WAYS[1].start(config_with_friends()).await;
    let alice = Participant::join(&daemon, FRIENDS, ALICE).await;
    let bob = Participant::join(&daemon, FRIENDS, BOB).await;
    let endpoint = MsrpEndpoint::bind().await;
    let answer = bob.dialog.reinvite(&endpoint.media()).await.media();
    for number in 0..20 {
        alice.say(&format!("line {number}")).await;
    }
    let moved = endpoint.connect(&answer).await;
    moved.bind().await;
    for number in 0..20 {
        moved.expect_text(ALICE, &format!("line {number}")).await;
    }
}
