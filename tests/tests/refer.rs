//! Participants who add and remove others.

use msrp_testkit::sip::{ConferenceView, refer, resource_list, subscribe};
use msrp_testkit::{AdHoc, Config, Daemon, Dialog, Participant, SipMessage, SipPeer};
use msrpd_tests::{
    ALICE, BOB, CAROL, DAVE, FRIENDS, WAYS, Way, accept, config_with_friends, friends,
};

/// A daemon whose invitations reach a proxy.
async fn start(way: Way, config: Config) -> (Daemon, SipPeer) {
    let proxy = way.proxy().await;
    let daemon = way.start(config.outbound_proxy(&proxy.proxy_uri())).await;
    (daemon, proxy)
}

fn removing(uri: &str) -> String {
    format!("<{uri};method=BYE>")
}

fn inside(dialog: &Dialog, refer_to: &str) -> SipMessage {
    dialog.request("REFER").with("Refer-To", refer_to)
}

/// The reports until the last one: their statuses.
async fn reports(dialog: &Dialog) -> Vec<u16> {
    let mut statuses = Vec::new();
    loop {
        let notify = dialog.expect_notify("refer").await;
        statuses.push(notify.fragment().0);
        if let Some(reason) = notify.ended() {
            assert_eq!(reason, "noresource");
            return statuses;
        }
    }
}

// covers: CTRL-7.2.1.7-04, CTRL-7.2.1.7-08, CTRL-7.2.1.7-09, CTRL-7.2.1.7-11, CTRL-7.2.1.7-13, CTRL-7.2.2.1-07
// covers: CTRL-7.2.1.7-10, CLI-7.1.1.7-01
#[tokio::test]
async fn participant_adds_a_user_who_then_takes_part() {
    for way in WAYS {
        let (daemon, proxy) = start(way, Config::new()).await;
        let session = AdHoc::start(&daemon, &proxy, ALICE, &[BOB]).await;
        let bob = &session.invitees[0];
        let agent = way.agent(&daemon).await;
        let request = refer(&agent, &session.inviter.room, BOB, &format!("<{DAVE}>"));
        let dialog = agent.open(request).await;
        let response = dialog.initial();
        assert_eq!(response.status(), 202);
        assert!(response.lists("Supported", "norefersub"));
        let invitation = proxy.accept_invite(|uri| uri == DAVE).await;
        let referred_by = invitation.request().header("Referred-By").unwrap();
        assert!(referred_by.contains(BOB), "{referred_by}");
        assert_eq!(invitation.request().asserted_uris(), [BOB]);
        let dave = accept(&daemon, &invitation, Some("active")).await;
        let statuses = reports(&dialog).await;
        assert_eq!((statuses[0], *statuses.last().unwrap()), (100, 200));
        dave.say("thanks").await;
        session.inviter.expect_text(DAVE, "thanks").await;
        bob.expect_text(DAVE, "thanks").await;
        // The other way: nothing is told.
        let quiet = refer(&agent, &session.inviter.room, BOB, &format!("<{CAROL}>"));
        let response = agent.request(quiet.with("Refer-Sub", "false")).await;
        let is_quiet = response.header("Refer-Sub") == Some("false");
        assert!(response.status() == 202 && is_quiet);
        let invitation = proxy.accept_invite(|uri| uri == CAROL).await;
        accept(&daemon, &invitation, Some("active")).await;
        agent.assert_no_request_left();
    }
}

// covers: CTRL-7.2.1.7-14
#[tokio::test]
async fn referrer_hears_how_an_invitation_failed() {
    for way in WAYS {
        let (daemon, proxy) = start(way, Config::new()).await;
        let session = AdHoc::start(&daemon, &proxy, ALICE, &[BOB]).await;
        let alice = &session.inviter.dialog;
        assert_eq!(
            alice
                .exchange(inside(alice, &format!("<{DAVE}>")))
                .await
                .status(),
            202
        );
        let trying = alice.expect_notify("refer").await;
        assert_eq!((trying.fragment().0, trying.ended()), (100, None));
        assert_eq!(trying.request.header("Event"), Some("refer"));
        let invitation = proxy.accept_invite(|uri| uri == DAVE).await;
        let conflict = "399 example.com \"105 isfocus already assigned\"";
        let response = invitation.response(403, "Forbidden");
        invitation.send(&response.with("Warning", conflict)).await;
        let failed = alice.expect_notify("refer").await;
        assert_eq!(failed.ended(), Some("noresource"));
        let warning = format!("Warning: {conflict}");
        assert_eq!(failed.fragment(), (403, vec![warning.as_str()]));
        // A second REFER in the dialog has its number in its reports.
        let second = inside(alice, &format!("<{CAROL}>"));
        let number = second.cseq().0;
        assert_eq!(alice.exchange(second).await.status(), 202);
        let trying = alice.expect_notify("refer").await;
        let event = format!("refer;id={number}");
        assert_eq!(trying.request.header("Event"), Some(event.as_str()));
        let invitation = proxy.accept_invite(|uri| uri == CAROL).await;
        invitation.reject(486, "Busy Here").await;
        let failed = alice.expect_notify("refer").await;
        assert_eq!(failed.fragment().0, 486);
        // The session goes on.
        session.inviter.say("alone again").await;
        session.invitees[0].expect_text(ALICE, "alone again").await;
    }
}

// covers: CTRL-7.2.1.7-05, CTRL-7.2.1.7-06, CTRL-7.2.1.7-07, CTRL-7.2.1.7-10, CTRL-7.2.2.9-02, CLI-7.1.1.7-02
#[tokio::test]
async fn participant_adds_a_list_of_users_without_reports() {
    for way in WAYS {
        let config = Config::new().set("limits", "adhoc_participants_max", 3);
        let (daemon, proxy) = start(way, config).await;
        let session = AdHoc::start(&daemon, &proxy, ALICE, &[BOB]).await;
        let agent = way.agent(&daemon).await;
        let ask = async |uris: &[&str]| {
            let request = refer(
                &agent,
                &session.inviter.room,
                ALICE,
                "<cid:list@example.com>",
            )
            .with("Require", "multiple-refer, norefersub")
            .with("Refer-Sub", "false")
            .with("Content-ID", "<list@example.com>")
            .with("Content-Disposition", "recipient-list")
            .with_body("application/resource-lists+xml", resource_list(uris));
            agent.request(request).await
        };
        let full = ask(&[CAROL, DAVE, "sip:erin@example.com"]).await;
        assert!(full.status() == 486 && full.has_warning(102));
        let response = ask(&[CAROL, DAVE, CAROL, BOB]).await;
        assert_eq!(
            (response.status(), response.header("Refer-Sub")),
            (202, Some("false"))
        );
        let mut added = Vec::new();
        for identity in [CAROL, DAVE] {
            let invitation = proxy.accept_invite(|uri| uri == identity).await;
            added.push(accept(&daemon, &invitation, Some("active")).await);
        }
        session.invitees[0].say("welcome").await;
        for participant in &added {
            participant.expect_text(BOB, "welcome").await;
        }
        agent.assert_no_request_left();
        proxy.assert_no_request_left();
    }
}

// covers: CTRL-7.2.1.8-03, CTRL-7.2.1.8-04, CTRL-7.2.1.8-06, CTRL-7.2.1.8-08, CTRL-7.2.1.8-11, CTRL-7.2.2.12-04
#[tokio::test]
async fn originator_removes_a_participant() {
    for way in WAYS {
        let (daemon, proxy) = start(way, Config::new()).await;
        let session = AdHoc::start(&daemon, &proxy, ALICE, &[BOB, CAROL]).await;
        let (room, bob) = (&session.inviter.room, &session.invitees[0]);
        let mut watches = Vec::new();
        for identity in [BOB, CAROL] {
            let agent = way.agent(&daemon).await;
            let dialog = agent.open(subscribe(&agent, room, identity)).await;
            let mut view = ConferenceView::default();
            view.apply(&dialog.expect_notify("conference").await.info());
            watches.push((dialog, view));
        }
        let agent = way.agent(&daemon).await;
        let dialog = agent.open(refer(&agent, room, ALICE, &removing(BOB))).await;
        assert_eq!(dialog.initial().status(), 202);
        assert!(dialog.initial().lists("Supported", "norefersub"));
        bob.expect_removed().await;
        assert_eq!(reports(&dialog).await, [100, 200]);
        let last = watches[0].0.expect_notify("conference").await;
        assert_eq!(last.ended(), Some("noresource"));
        let (carol, view) = &mut watches[1];
        let info = carol.expect_notify("conference").await.info();
        view.apply(&info);
        assert_eq!(info.roster(), [(BOB, "disconnected")]);
        assert_eq!(view.entities(), [ALICE, CAROL]);
        // Whoever was removed stays out until it is invited again.
        let calling = way.dial(room, BOB).start(&daemon).await.calling;
        assert!(calling.expect_failure(403).await.has_warning(122));
        session.inviter.say("two of us").await;
        session.invitees[1].expect_text(ALICE, "two of us").await;
    }
}

// covers: CTRL-7.2.1.7-01, CTRL-7.2.1.7-02, CTRL-7.2.1.8-01, CTRL-7.2.1.8-02, CTRL-7.2.1.8-09, CTRL-7.2.1.8-10
#[tokio::test]
async fn refer_of_one_who_may_not_changes_nothing() {
    for way in WAYS {
        let (daemon, proxy) = start(way, config_with_friends()).await;
        let alice = way.join(&daemon, FRIENDS, ALICE).await;
        let bob = way.join(&daemon, FRIENDS, BOB).await;
        let agent = way.agent(&daemon).await;
        let unknown = "sip:im-00000000000000000000000000000000@localhost";
        let stranger = format!("<{CAROL}>");
        let mallory = "<sip:mallory@example.com>".to_owned();
        for (to, from, refer_to) in [
            (FRIENDS, DAVE, &stranger),
            (FRIENDS, ALICE, &mallory),
            (FRIENDS, ALICE, &removing(BOB)),
            (FRIENDS, DAVE, &removing(BOB)),
            (unknown, ALICE, &removing(BOB)),
            (FRIENDS, BOB, &removing(FRIENDS)),
        ] {
            let response = agent.request(refer(&agent, to, from, refer_to)).await;
            let is_refused = response.status() == 403 && response.has_warning(122);
            assert!(is_refused, "{from} refers {to} to {refer_to}");
        }
        let ended = agent
            .request(refer(&agent, unknown, ALICE, &stranger))
            .await;
        assert!(ended.status() == 403 && ended.has_warning(123));
        let elsewhere = refer(&agent, "sip:other@localhost", ALICE, &stranger);
        assert_eq!(agent.request(elsewhere).await.status(), 404);
        alice.say("all here").await;
        bob.expect_text(ALICE, "all here").await;
        proxy.assert_no_request_left();
        agent.assert_no_request_left();
    }
}

// covers: CTRL-7.2.1.7-12, CTRL-7.2.2.7-01, CTRL-7.2.2.7-02, CTRL-7.2.1.7-03
#[tokio::test]
async fn member_of_a_group_adds_another_and_stays_hidden() {
    for way in WAYS {
        let (daemon, proxy) = start(way, config_with_friends()).await;
        let alice = way.join(&daemon, FRIENDS, ALICE).await;
        let list = resource_list(&["sip:mallory@example.com", BOB]);
        let request = inside(&alice.dialog, "<cid:l@example.com>")
            .with("Require", "multiple-refer")
            .with("Content-ID", "<l@example.com>")
            .with("Privacy", "id")
            .with_body("application/resource-lists+xml", list);
        assert_eq!(alice.dialog.exchange(request).await.status(), 202);
        let invitation = proxy.accept_invite(|uri| uri == BOB).await;
        let text = String::from_utf8(invitation.request().to_octets()).unwrap();
        assert!(!text.contains("alice"), "{text}");
        assert_eq!(invitation.request().header("Privacy"), Some("id"));
        let bob = accept(&daemon, &invitation, Some("active")).await;
        bob.say("who called?").await;
        alice.expect_text(BOB, "who called?").await;
        proxy.assert_no_request_left();
    }
}

// covers: CTRL-7.2.1.8-05, CTRL-7.2.1.8-07, CLI-7.1.1.14-01
#[tokio::test]
async fn removal_of_the_last_other_ends_the_session() {
    for way in WAYS {
        let (daemon, proxy) = start(way, Config::new()).await;
        let session = AdHoc::start(&daemon, &proxy, ALICE, &[BOB]).await;
        let alice = &session.inviter;
        let request = inside(&alice.dialog, &removing(BOB)).with("Refer-Sub", "false");
        let response = alice.dialog.exchange(request).await;
        assert_eq!(
            (response.status(), response.header("Refer-Sub")),
            (202, Some("false"))
        );
        session.invitees[0].expect_removed().await;
        alice.expect_removed().await;
        daemon.wait_metric("msrp_rooms", |count| count == 0.0).await;
        alice.dialog.peer().assert_no_request_left();
    }
}

#[tokio::test]
async fn participant_with_the_right_removes_others_from_a_group() {
    let actions = "<allow-initiate-conference>true</allow-initiate-conference>\
                   <join-handling>true</join-handling><oxe:allow-expelling>true</oxe:allow-expelling>";
    let document = friends().member_rule(actions);
    for way in WAYS {
        let config = Config::new().group("friends", &document.xml());
        let (daemon, _proxy) = start(way, config).await;
        let _alice = way.join(&daemon, FRIENDS, ALICE).await;
        let bob = way.join(&daemon, FRIENDS, BOB).await;
        let carol: Participant = way.join(&daemon, FRIENDS, CAROL).await;
        let request = inside(&bob.dialog, &removing(CAROL));
        assert_eq!(bob.dialog.exchange(request).await.status(), 202);
        carol.expect_removed().await;
        assert_eq!(reports(&bob.dialog).await, [100, 200]);
        // The rules of the group let her come back.
        way.join(&daemon, FRIENDS, CAROL).await;
        // Whoever removes itself leaves.
        let request = inside(&bob.dialog, &removing(BOB));
        assert_eq!(bob.dialog.exchange(request).await.status(), 202);
        assert_eq!(reports(&bob.dialog).await, [200]);
        bob.expect_removed().await;
    }
}
