//! Who takes part, told to those who subscribe.

use msrp_testkit::sip::{ConferenceUser, ConferenceView, Notify, subscribe};
use msrp_testkit::{AdHoc, Config, Daemon, Dialog, Invite, Participant, SipPeer};
use msrpd_tests::{
    ALICE, BOB, CAROL, Document, FACTORY, FRIENDS, WAYS, Way, config_with_friends, friends,
};

/// A subscription of its own dialog, with what its subscriber knows.
struct Watch {
    agent: SipPeer,
    dialog: Dialog,
    view: ConferenceView,
}

impl Watch {
    /// Subscribes and takes the first document.
    async fn start(way: Way, daemon: &Daemon, to: &str, identity: &str) -> Self {
        let agent = way.agent(daemon).await;
        let request = subscribe(&agent, to, identity);
        let dialog = agent.open(request).await;
        let mut watch = Self {
            agent,
            dialog,
            view: ConferenceView::default(),
        };
        let notify = watch.next().await;
        assert_eq!(notify.info().state, "full");
        watch
    }

    /// Takes the next document.
    async fn next(&mut self) -> Notify {
        let notify = self.dialog.expect_notify("conference").await;
        self.view.apply(&notify.info());
        notify
    }

    /// Takes documents until these take part.
    async fn expect(&mut self, users: &[&str]) -> Notify {
        loop {
            let notify = self.next().await;
            assert_eq!(notify.info().state, "partial");
            if self.view.entities() == users {
                return notify;
            }
        }
    }

    async fn resubscribe(&self, expires: &str) -> msrp_testkit::SipMessage {
        let request = self
            .dialog
            .request("SUBSCRIBE")
            .with("Event", "conference")
            .with("Expires", expires);
        self.dialog.exchange(request).await
    }
}

// covers: CTRL-7.2.1.1-08, CTRL-7.2.1.4-14, CTRL-7.2.1.10-05, CONF-D.1-01, CONF-M.1-01, CONF-M.1-02
// covers: CONF-7.2.1.12-08, CONF-7.2.1.12-09, CONF-7.2.1.12-10, CONF-7.2.1.12-11
// covers: CLI-7.1.1.1-11, CLI-7.1.1.11-01
// covers: CONF-7.2.2.10-01, CONF-7.2.2.10-03, CONF-7.2.2.10-04, CONF-7.2.2.10-05, CONF-7.2.2.10-06, CONF-7.2.2.10-07
// covers: CONF-7.2.2.10-11, CONF-7.2.2.10-14, CONF-7.2.2.10-15, CONF-7.2.2.10-16, CONF-7.2.2.10-17, CONF-7.2.2.10-18
#[tokio::test]
async fn subscribers_follow_who_comes_and_goes() {
    for way in WAYS {
        let daemon = way.start(config_with_friends()).await;
        let alice = way.join(&daemon, FRIENDS, ALICE).await;
        let bob = way.join(&daemon, FRIENDS, BOB).await;
        let mut by_group = Watch::start(way, &daemon, FRIENDS, ALICE).await;
        let response = by_group.dialog.initial();
        assert_eq!(response.status(), 200);
        assert_eq!(response.header("Expires"), Some("600"));
        assert_eq!(
            by_group.dialog.remote_target(),
            alice.dialog.remote_target()
        );
        // The session identity names the same session.
        let session = bob.dialog.remote_target();
        let mut by_session = Watch::start(way, &daemon, &session, BOB).await;
        for (watch, own) in [(&by_group, ALICE), (&by_session, BOB)] {
            assert_eq!(watch.view.entities(), [ALICE, BOB]);
            assert_eq!(watch.view.own, [own]);
        }
        let carol = way.join(&daemon, FRIENDS, CAROL).await;
        for watch in [&mut by_group, &mut by_session] {
            let info = watch.expect(&[ALICE, BOB, CAROL]).await.info();
            assert_eq!(info.entity, FRIENDS);
            assert_eq!(info.roster(), [(CAROL, "connected")]);
        }
        carol.leave().await;
        for watch in [&mut by_group, &mut by_session] {
            let info = watch.expect(&[ALICE, BOB]).await.info();
            assert_eq!(info.roster(), [(CAROL, "disconnected")]);
        }
        let (first, second) = (by_group.dialog, by_session.dialog);
        first.peer().assert_no_request_left();
        second.peer().assert_no_request_left();
    }
}

// covers: CONF-7.2.2.10-05, CONF-7.2.2.10-09, CTRL-7.2.2.2-16, CTRL-7.2.1.1-08
#[tokio::test]
async fn invitee_that_accepts_is_told_to_subscribers() {
    for way in WAYS {
        let proxy = way.proxy().await;
        let daemon = way
            .start(Config::new().outbound_proxy(&proxy.proxy_uri()))
            .await;
        let calling = way
            .dial(FACTORY, ALICE)
            .invite(|invite| invite.list(&[BOB, CAROL]))
            .start(&daemon)
            .await;
        let bob = Participant::accept(&proxy.accept_invite(|uri| uri == BOB).await).await;
        let alice = calling.complete().await;
        let carol = proxy.accept_invite(|uri| uri == CAROL).await;
        let mut watch = Watch::start(way, &daemon, &alice.room, ALICE).await;
        assert_eq!(watch.view.entities(), [ALICE, BOB]);
        let carol = Participant::accept(&carol).await;
        let info = watch.expect(&[ALICE, BOB, CAROL]).await.info();
        assert_eq!(info.entity, alice.room);
        bob.leave().await;
        watch.expect(&[ALICE, CAROL]).await;
        drop(carol);
    }
}

// covers: ALIAS-7.2.3.2-09, ALIAS-7.2.3.2-10, CONF-7.2.2.10-08, CONF-7.2.2.10-12, CONF-7.2.2.10-13, CONF-M.1-03, CLI-7.1.1.11-02, CLI-7.1.1.15-01
#[tokio::test]
async fn hidden_participant_learns_its_alias() {
    for way in WAYS {
        let daemon = way.start(config_with_friends()).await;
        let bob = way.join(&daemon, FRIENDS, BOB).await;
        let mut legs = Vec::new();
        for identity in [ALICE, CAROL] {
            let join = way.dial(FRIENDS, identity);
            let join = join.invite(|invite| invite.anonymous("Miss Joy"));
            legs.push(join.join(&daemon).await);
        }
        let watch = Watch::start(way, &daemon, FRIENDS, CAROL).await;
        let [own] = watch.view.own.as_slice() else {
            panic!("{:?}", watch.view);
        };
        assert!(own.ends_with("@anonymous.invalid"), "{own}");
        let name = watch.view.users[own].clone().unwrap();
        assert!(name.starts_with("Miss Joy") && name != "Miss Joy", "{name}");
        for secret in ["alice", "carol"] {
            assert!(!format!("{:?}", watch.view).contains(secret));
        }
        // The name that it learned is the one that it may write under.
        let mut hidden = legs.remove(1);
        hidden.identity = own.clone();
        hidden.say("guess who").await;
        bob.expect_text(own, "guess who").await;
    }
}

// covers: CONF-7.2.1.12-01, CONF-7.2.1.12-02, CONF-7.2.1.12-03, CONF-7.2.1.12-04, CONF-7.2.1.12-06, CONF-7.2.1.12-07
#[tokio::test]
async fn subscription_that_is_not_granted_is_refused_with_the_reason() {
    let secret = "sip:secret@localhost";
    let actions = "<allow-initiate-conference>true</allow-initiate-conference>\
                   <join-handling>true</join-handling><allow-conference-state>false</allow-conference-state>";
    let document = Document::new(secret).members(&[ALICE]).member_rule(actions);
    for way in WAYS {
        let config = config_with_friends().group("secret", &document.xml());
        let daemon = way.start(config).await;
        let agent = way.agent(&daemon).await;
        let ask = async |to: &str, change: &[(&str, &str)]| {
            let mut request = subscribe(&agent, to, ALICE);
            for (name, value) in change {
                request = request.replaced(name, value);
            }
            agent.request(request).await
        };
        let idle = ask(FRIENDS, &[]).await;
        assert!(idle.status() == 403 && idle.has_warning(122));
        let bob = way.join(&daemon, FRIENDS, BOB).await;
        let stranger = ask(FRIENDS, &[]).await;
        assert!(stranger.status() == 403 && stranger.has_warning(122));
        let _alice = way.join(&daemon, secret, ALICE).await;
        let forbidden = ask(secret, &[]).await;
        assert!(forbidden.status() == 403 && forbidden.has_warning(122));
        let session = bob.dialog.remote_target();
        let digit = if session.contains('0') {
            ('0', "1")
        } else {
            ('1', "2")
        };
        let other = session.replacen(digit.0, digit.1, 1);
        for to in ["sip:other@localhost", FACTORY, &other] {
            assert_eq!(ask(to, &[]).await.status(), 404, "{to}");
        }
        let event = ask(FRIENDS, &[("Event", "presence")]).await;
        assert_eq!(event.status(), 489);
        assert!(event.lists("Allow-Events", "conference"));
        let brief = ask(FRIENDS, &[("Expires", "10")]).await;
        assert_eq!(
            (brief.status(), brief.header("Min-Expires")),
            (423, Some("60"))
        );
        let accept = ask(FRIENDS, &[("Accept", "application/pidf+xml")]).await;
        assert_eq!(accept.status(), 406);
        agent.assert_no_request_left();
    }
}

// covers: CLI-7.1.1.11-03
#[tokio::test]
async fn subscription_is_refreshed_and_given_up() {
    for way in WAYS {
        let daemon = way.start(config_with_friends()).await;
        let _alice = way.join(&daemon, FRIENDS, ALICE).await;
        let mut watch = Watch::start(way, &daemon, FRIENDS, ALICE).await;
        let response = watch.resubscribe("300").await;
        assert_eq!(
            (response.status(), response.header("Expires")),
            (200, Some("300"))
        );
        let notify = watch.next().await;
        assert_eq!(notify.info().state, "full");
        assert_eq!(notify.state(), "active;expires=300");
        assert_eq!(watch.resubscribe("0").await.status(), 200);
        let last = watch.next().await;
        assert_eq!(last.ended(), Some("timeout"));
        assert_eq!(watch.resubscribe("300").await.status(), 481);
        // A look without a subscription.
        let request = subscribe(&watch.agent, FRIENDS, ALICE).replaced("Expires", "0");
        let dialog = watch.agent.open(request).await;
        let once = dialog.expect_notify("conference").await;
        assert_eq!(
            (once.ended(), once.info().roster()),
            (Some("timeout"), vec![(ALICE, "connected")])
        );
    }
}

// covers: CONF-7.2.2.11-01, CONF-7.2.2.11-02, CONF-7.2.2.11-03, CONF-7.2.2.11-04, CONF-7.2.1.12-12, CTRL-7.2.1.10-04
#[tokio::test]
async fn subscription_ends_with_its_participant_and_with_the_session() {
    for way in WAYS {
        let proxy = way.proxy().await;
        let daemon = way
            .start(config_with_friends().outbound_proxy(&proxy.proxy_uri()))
            .await;
        let _alice = way.join(&daemon, FRIENDS, ALICE).await;
        let bob = way.join(&daemon, FRIENDS, BOB).await;
        let mut watch = Watch::start(way, &daemon, FRIENDS, BOB).await;
        bob.leave().await;
        assert_eq!(watch.next().await.ended(), Some("noresource"));
        let again = watch
            .agent
            .request(subscribe(&watch.agent, FRIENDS, BOB))
            .await;
        assert!(again.status() == 403 && again.has_warning(122));
        let session = AdHoc::start(&daemon, &proxy, ALICE, &[BOB]).await;
        let mut watches = Vec::new();
        for identity in [ALICE, BOB] {
            watches.push(Watch::start(way, &daemon, &session.inviter.room, identity).await);
        }
        session.inviter.leave().await;
        session.invitees[0].dialog.expect_bye().await;
        for watch in &mut watches {
            let last = watch.dialog.expect_notify("conference").await;
            assert_eq!(last.ended(), Some("noresource"));
            assert_eq!(last.info().state, "deleted");
        }
        let request = subscribe(&watches[1].agent, &session.inviter.room, BOB);
        assert_eq!(watches[1].agent.request(request).await.status(), 404);
    }
}

#[tokio::test]
async fn subscription_may_share_the_dialog_of_the_session() {
    for way in WAYS {
        let daemon = way.start(config_with_friends()).await;
        let alice = way.join(&daemon, FRIENDS, ALICE).await;
        let ask = |expires: &str| {
            let request = alice.dialog.request("SUBSCRIBE");
            request
                .with("Event", "conference;id=7")
                .with("Expires", expires)
        };
        assert_eq!(alice.dialog.exchange(ask("600")).await.status(), 200);
        let first = alice.dialog.expect_notify("conference").await;
        assert_eq!(first.request.header("Event"), Some("conference;id=7"));
        let _bob = way.join(&daemon, FRIENDS, BOB).await;
        let second = alice.dialog.expect_notify("conference").await;
        assert_eq!(second.info().roster(), [(BOB, "connected")]);
        assert!(second.request.cseq().0 > first.request.cseq().0);
        assert_eq!(alice.dialog.exchange(ask("0")).await.status(), 200);
        let last = alice.dialog.expect_notify("conference").await;
        assert_eq!(last.ended(), Some("timeout"));
        // The session goes on.
        alice.say("still here").await;
        alice.leave().await;
    }
}

#[tokio::test]
async fn subscriber_that_has_forgotten_its_subscription_is_dropped() {
    for way in WAYS {
        let daemon = way.start(config_with_friends()).await;
        let _alice = way.join(&daemon, FRIENDS, ALICE).await;
        let gone = Watch::start(way, &daemon, FRIENDS, ALICE).await;
        let mut kept = Watch::start(way, &daemon, FRIENDS, ALICE).await;
        let _bob = way.join(&daemon, FRIENDS, BOB).await;
        let notify = gone.dialog.expect_request("NOTIFY").await;
        notify.respond(481, "Subscription Does Not Exist").await;
        kept.expect(&[ALICE, BOB]).await;
        let _carol = way.join(&daemon, FRIENDS, CAROL).await;
        kept.expect(&[ALICE, BOB, CAROL]).await;
        assert_eq!(gone.resubscribe("600").await.status(), 481);
        gone.agent.assert_no_request_left();
    }
}

#[tokio::test]
async fn names_of_a_group_are_told_whatever_they_hold() {
    let name = "R&D <\"private\"> ]]> \u{1f600}";
    let escaped = name
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    let entry =
        format!("<entry uri=\"{ALICE}\"><rl:display-name>{escaped}</rl:display-name></entry>");
    let xml = friends()
        .xml()
        .replace(&format!("<entry uri=\"{ALICE}\"/>"), &entry);
    assert!(xml.contains(&escaped));
    let way = WAYS[0];
    let daemon = way.start(Config::new().group("friends", &xml)).await;
    let _alice = way.join(&daemon, FRIENDS, ALICE).await;
    let watch = Watch::start(way, &daemon, FRIENDS, ALICE).await;
    assert_eq!(watch.view.users[ALICE].as_deref(), Some(name));
}

#[tokio::test]
async fn large_conference_is_told_in_one_document() {
    let everybody = (0..100).map(msrpd_tests::person).collect::<Vec<_>>();
    let document = Document::new(FRIENDS).members(&everybody);
    for way in [WAYS[0], WAYS[1]] {
        let daemon = way
            .start(Config::new().group("friends", &document.xml()))
            .await;
        let agent = way.agent(&daemon).await;
        for identity in &everybody {
            let media = msrp_testkit::Media::new("msrp://127.0.0.1:9/x;tcp").setup("passive");
            let invite = Invite::new(FRIENDS, identity).media(&media.setup("active"));
            agent.call(&invite).await;
        }
        let watch = Watch::start(way, &daemon, FRIENDS, &everybody[0]).await;
        let mut expected: Vec<&str> = everybody.iter().map(String::as_str).collect();
        expected.sort_unstable();
        assert_eq!(watch.view.entities(), expected);
    }
}

#[tokio::test]
async fn refer_and_subscribe_are_advertised() {
    let daemon = WAYS[0].start(config_with_friends()).await;
    let alice = WAYS[0].join(&daemon, FRIENDS, ALICE).await;
    for method in ["REFER", "SUBSCRIBE", "NOTIFY"] {
        assert!(alice.dialog.initial().lists("Allow", method), "{method}");
    }
    assert!(alice.dialog.initial().lists("Allow-Events", "conference"));
}

// covers: MSRP-7701-7.4-01
#[tokio::test]
async fn nicknames_are_told_to_subscribers_as_they_change() {
    for way in WAYS {
        let daemon = way.start(config_with_friends()).await;
        let alice = way.join(&daemon, FRIENDS, ALICE).await;
        let bob = way.join(&daemon, FRIENDS, BOB).await;
        bob.msrp.ask_nickname("Dopey <Donkey>", 200).await;
        let mut watch = Watch::start(way, &daemon, FRIENDS, ALICE).await;
        alice.msrp.ask_nickname("Alice the great", 200).await;
        let told = async |watch: &mut Watch| {
            let info = watch.next().await.info();
            let told = |user: ConferenceUser| (user.entity, user.nickname, user.status);
            info.users.into_iter().map(told).collect::<Vec<_>>()
        };
        let entry = |user: &str, nickname: Option<&str>| {
            let nickname = nickname.map(str::to_owned);
            (user.to_owned(), nickname, "connected".to_owned())
        };
        // The last change before a NOTIFY counts; what the first document told is not told again.
        let mut news = told(&mut watch).await;
        if news == [entry(BOB, Some("Dopey <Donkey>"))] {
            news = told(&mut watch).await;
        }
        assert!(
            news.contains(&entry(ALICE, Some("Alice the great"))),
            "{news:?}"
        );
        bob.msrp.ask_nickname("", 200).await;
        assert_eq!(told(&mut watch).await, [entry(BOB, None)]);
    }
}
