//! Sessions of pre-defined groups.
#![expect(clippy::unwrap_used, reason = "test code")]

use std::collections::BTreeSet;

use msrp_testkit::{Config, Draft, Flag, Invite, Join, Mode, MsrpEndpoint, Participant};
use msrpd_tests::{
    ALICE, BOB, CAROL, DAVE, Document, FRIENDS, WAYS, accept, config_with_friends, friends, person,
};

// covers: CTRL-7.2.1.1-01, CTRL-7.2.1.1-05, CTRL-7.2.1.1-06, CTRL-7.2.1.1-07
// covers: CTRL-7.2.1.3-10, CTRL-7.2.1.3-12, CTRL-7.2.1.3-13, CTRL-7.2.1.4-10, CTRL-7.2.1.4-11, CTRL-7.2.1.4-13, CTRL-7.2.2.3-03
#[tokio::test]
async fn group_member_that_calls_is_answered_by_a_focus() {
    for way in WAYS {
        let daemon = way.start(config_with_friends()).await;
        let proxy = way.proxy().await;
        let alice = way.join(&daemon, FRIENDS, ALICE).await;
        let bob = way.join(&daemon, FRIENDS, BOB).await;
        let response = alice.dialog.initial();
        assert_eq!(response.status(), 200);
        assert!(response.to_tag().is_some());
        let contact = response.header("Contact").unwrap();
        assert!(
            contact.contains(";isfocus") && contact.contains(";+g.oma.sip-im"),
            "{contact}"
        );
        for method in ["INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "UPDATE"] {
            assert!(response.lists("Allow", method), "{method} in Allow");
        }
        assert_eq!(response.asserted_uris(), [FRIENDS]);
        let server = response.header("Server").unwrap();
        assert!(server.starts_with("IM-serv/OMA1.0"), "{server}");
        // The session identity is one for all, and nobody is invited by a group that does not say so.
        assert_eq!(bob.dialog.remote_target(), alice.dialog.remote_target());
        let user = alice.dialog.remote_target();
        let user = user
            .strip_prefix("sip:")
            .unwrap()
            .split('@')
            .next()
            .unwrap();
        assert!(user.len() >= 32, "{user} can be guessed");
        proxy.assert_no_request_left();
        alice.say("hello").await;
        bob.expect_text(ALICE, "hello").await;
    }
}

// covers: CTRL-7.2.1.1-03
#[tokio::test]
async fn group_session_timer_follows_the_offer_of_the_caller() {
    let daemon = WAYS[0].start(config_with_friends()).await;
    let timer = |supported: bool, asked: Option<&'static str>| {
        let join = Join::new(FRIENDS, ALICE).invite(move |invite| {
            let invite = match asked {
                Some(value) => invite.header("Session-Expires", value),
                None => invite.without("Session-Expires"),
            };
            if supported {
                invite
            } else {
                invite.without("Supported")
            }
        });
        let daemon = &daemon;
        async move {
            let alice = join.join(daemon).await;
            let response = alice.dialog.initial().clone();
            alice.leave().await;
            let value = response.header("Session-Expires").unwrap().to_owned();
            (value, response.lists("Require", "timer"))
        }
    };
    let agreed = |value: &str, required| (value.to_owned(), required);
    assert_eq!(
        timer(true, Some("1800;refresher=uac")).await,
        agreed("1800;refresher=uac", true)
    );
    assert_eq!(
        timer(true, Some("600;refresher=uas")).await,
        agreed("600;refresher=uas", true)
    );
    assert_eq!(
        timer(true, Some("600")).await,
        agreed("600;refresher=uac", true)
    );
    assert_eq!(timer(true, None).await, agreed("1800;refresher=uac", true));
    assert_eq!(
        timer(false, None).await,
        agreed("1800;refresher=uas", false)
    );
}

// covers: UPS-7.2.3-01, UPS-7.2.3.1-01, UPS-7.2.3.1-02, CTRL-7.2.1.4-12
// covers: MSRP-4975-8.1-01, MSRP-4975-8.1-02, MSRP-4975-8.1-03, MSRP-4975-8.1-04, MSRP-4975-8.1-05
// covers: MSRP-4975-8.2-01, MSRP-4975-8.2-02, MSRP-4975-8.2-04, MSRP-4975-8.6-01, MSRP-4975-8.6-10
// covers: MSRP-4975-5.4-22
// covers: MSRP-6135-4.2.1-01, MSRP-6135-4.2.2-06, MSRP-6135-4.2.2-07
#[tokio::test]
async fn group_answer_describes_a_session_of_its_own() {
    for way in WAYS {
        let daemon = way.start(config_with_friends()).await;
        let mut paths = BTreeSet::new();
        for (identity, setup) in [(ALICE, "actpass"), (BOB, "active"), (CAROL, "actpass")] {
            let join = way
                .dial(FRIENDS, identity)
                .offer(move |media| media.setup(setup).accept_types("message/cpim text/plain"));
            let (dialog, endpoint, ..) = join.start(&daemon).await.answered().await;
            let answer = dialog.remote_media();
            assert_eq!(answer.protocol, "TCP/MSRP");
            assert_eq!(answer.address(), daemon.msrp_addr());
            assert_eq!(
                (answer.host.as_str(), answer.port),
                (
                    daemon.msrp_addr().ip().to_string().as_str(),
                    daemon.msrp_addr().port()
                )
            );
            assert_eq!(answer.setup.as_deref(), Some("passive"));
            assert!(answer.accept_types.iter().any(|t| t == "message/cpim"));
            assert_eq!(answer.max_size, Some(4_294_967_296));
            assert_eq!(answer.path.len(), 1);
            assert!(answer.path[0].ends_with(";tcp"), "{}", answer.path[0]);
            assert!(paths.insert(answer.path[0].clone()), "a path twice");
            endpoint.connect(&answer).await.bind().await;
        }
    }
}

// covers: MSRP-6135-4.2.2-08, MSRP-6135-4.2.2-09, MSRP-4975-5.4-04, MSRP-4975-5.4-05
#[tokio::test]
async fn group_caller_that_offers_passive_is_connected_to() {
    for way in WAYS {
        let daemon = way.start(config_with_friends()).await;
        let bob = way.join(&daemon, FRIENDS, BOB).await;
        let join = way
            .dial(FRIENDS, ALICE)
            .offer(|media| media.setup("passive"));
        let (dialog, endpoint, identity, room) = join.start(&daemon).await.answered().await;
        let answer = dialog.remote_media();
        assert_eq!(answer.setup.as_deref(), Some("active"));
        let msrp = endpoint.accept(&answer).await;
        msrp.expect_empty().await;
        let alice = Participant {
            identity,
            room,
            dialog,
            msrp,
        };
        alice.say("here I am").await;
        bob.expect_text(ALICE, "here I am").await;
        bob.say("welcome").await;
        alice.expect_text(BOB, "welcome").await;
    }
}

/// Everybody says some texts at once; gives what each heard, in its order.
async fn round(people: &[Participant], texts: usize) -> Vec<Vec<String>> {
    let mut sent = Vec::new();
    for text in 0..texts {
        for person in people {
            let draft = person.text(&format!("{} {text}", person.identity));
            sent.push((person, person.msrp.send(&draft)));
        }
    }
    for (person, sent) in &sent {
        person.msrp.expect_all(sent, 200).await;
    }
    let mut heard = Vec::new();
    for person in people {
        let mut texts_heard = Vec::new();
        for _ in 0..(people.len() - 1) * texts {
            let message = person.msrp.expect_message().await;
            let cpim = message.cpim();
            let from = cpim.from_uri().unwrap().to_owned();
            assert_eq!(message.ended, Flag::Last);
            assert!(cpim.text().starts_with(&format!("{from} ")));
            texts_heard.push(cpim.text().to_owned());
        }
        heard.push(texts_heard);
    }
    heard
}

// covers: UPS-7.2.3.1-06, UPS-7.2.3.3-02, UPS-7.2.3.3-06, UPS-7.2.3.3-11, CTRL-7.2.1.3-17
#[tokio::test]
async fn group_texts_reach_all_others_once_and_in_one_order() {
    const TEXTS: usize = 3;
    for way in WAYS {
        let everybody = (0..20).map(person).collect::<Vec<_>>();
        let document = Document::new(FRIENDS).members(&everybody);
        let daemon = way
            .start(Config::new().group("friends", &document.xml()))
            .await;
        let mut people = Vec::new();
        for identity in &everybody {
            people.push(way.join(&daemon, FRIENDS, identity).await);
            if ![2, 3, 20].contains(&people.len()) {
                continue;
            }
            let heard = round(&people, TEXTS).await;
            for (own, texts) in people.iter().zip(&heard) {
                for other in people.iter().filter(|p| p.identity != own.identity) {
                    let start = format!("{} ", other.identity);
                    let from_other = texts.iter().filter_map(|t| t.strip_prefix(&start));
                    let numbers = from_other
                        .map(|t| t.parse().unwrap())
                        .collect::<Vec<usize>>();
                    assert_eq!(numbers, (0..TEXTS).collect::<Vec<_>>());
                }
                own.msrp.assert_nothing_left();
            }
            // What two participants both hear they hear in one order.
            let both = |texts: &[String]| {
                let ours = |t: &&String| !(0..2).any(|i| t.starts_with(&format!("{} ", person(i))));
                texts.iter().filter(ours).cloned().collect::<Vec<_>>()
            };
            assert_eq!(both(&heard[0]), both(&heard[1]));
        }
    }
}

// covers: MSRP-7701-6.1-20, MSRP-7701-6.2-07
#[tokio::test]
async fn group_member_that_is_there_twice_is_served_twice() {
    for way in WAYS {
        let daemon = way.start(config_with_friends()).await;
        let alice = [
            way.join(&daemon, FRIENDS, ALICE).await,
            way.join(&daemon, FRIENDS, ALICE).await,
        ];
        let bob = way.join(&daemon, FRIENDS, BOB).await;
        bob.say("to all").await;
        bob.whisper(ALICE, "to alice").await;
        for leg in &alice {
            leg.expect_text(BOB, "to all").await;
            leg.expect_text(BOB, "to alice").await;
        }
        alice[0].say("from here").await;
        alice[1].expect_text(ALICE, "from here").await;
        bob.expect_text(ALICE, "from here").await;
        alice[0].leave().await;
        bob.say("one left").await;
        alice[1].expect_text(BOB, "one left").await;
        alice[1].msrp.assert_nothing_left();
    }
}

// covers: UPS-7.2.3.1-07, UPS-7.2.3.3-09, MSRP-7701-6.2-06, MSRP-7701-6.2-03, CLI-7.1.3.2-03, CLI-7.1.3.3-01
#[tokio::test]
async fn group_private_message_reaches_those_named() {
    for way in WAYS {
        let daemon = way.start(config_with_friends()).await;
        let alice = way.join(&daemon, FRIENDS, ALICE).await;
        let bob = way.join(&daemon, FRIENDS, BOB).await;
        let carol = way.join(&daemon, FRIENDS, CAROL).await;
        let dave = way.join(&daemon, FRIENDS, DAVE).await;
        alice.whisper(BOB, "for bob").await;
        let angled = [ALICE, BOB, DAVE].map(|uri| format!("<{uri}>"));
        let headers = [
            ("From", angled[0].as_str()),
            ("To", &angled[1]),
            ("To", &angled[2]),
        ];
        let draft = Draft::wrapped_with(&headers, "text/plain", b"for bob and dave");
        alice.msrp.send_ok(&draft).await;
        let sent = alice
            .msrp
            .send(&Draft::text(ALICE, "sip:eve@example.com", "for nobody"));
        alice.msrp.expect_all(&sent, 404).await;
        alice.say("for all").await;
        bob.expect_text(ALICE, "for bob").await;
        // By its To a client tells what is private from what is for the conference.
        for named in [&bob, &dave] {
            let private = named.expect_text(ALICE, "for bob and dave").await;
            assert_eq!(private.cpim().to_uris(), [BOB, DAVE]);
        }
        for other in [&bob, &carol, &dave] {
            let public = other.expect_text(ALICE, "for all").await;
            assert_eq!(public.cpim().to_uris(), [FRIENDS]);
            other.msrp.assert_nothing_left();
        }
        alice.msrp.assert_nothing_left();
    }
}

// covers: PM-7.2.3.4-02, PM-7.2.3.4-04, MSRP-7701-6.2-04, MSRP-7701-6.2-05
#[tokio::test]
async fn group_private_message_needs_the_right_of_its_sender_and_the_release_of_its_recipient() {
    for way in WAYS {
        let rights = |private: bool| {
            format!(
                "<allow-initiate-conference>true</allow-initiate-conference>\
                 <join-handling>true</join-handling>\
                 <oxe:allow-private-message>{private}</oxe:allow-private-message>"
            )
        };
        for (may, says) in [(true, 403), (true, 428), (false, 428)] {
            let document = friends().member_rule(&rights(may));
            let config = Config::new().group("friends", &document.xml()).set(
                "policy",
                "private_refusal_status",
                u32::from(says),
            );
            let daemon = way.start(config).await;
            let alice = way.join(&daemon, FRIENDS, ALICE).await;
            let bob = way.join(&daemon, FRIENDS, BOB).await;
            let other = |invite: Invite| invite.header("User-Agent", "Vendor/3");
            let carol = way.dial(FRIENDS, CAROL).invite(other).join(&daemon).await;
            let whisper = |to| alice.msrp.send(&Draft::text(ALICE, to, "psst"));
            if may {
                alice.whisper(BOB, "psst").await;
                bob.expect_text(ALICE, "psst").await;
                alice.msrp.expect_all(&whisper(CAROL), says).await;
            } else {
                alice.msrp.expect_all(&whisper(BOB), 403).await;
            }
            alice.say("for all").await;
            for recipient in [&bob, &carol] {
                recipient.expect_text(ALICE, "for all").await;
                recipient.msrp.assert_nothing_left();
            }
        }
    }
}

// covers: UPS-7.2.3.3-12, UPS-7.2.3.1-08, UPS-7.2.3.3-08, MSRP-7701-6.1-11, MSRP-7701-6.1-14
#[tokio::test]
async fn group_participant_that_joins_during_a_message_gets_nothing_of_it() {
    for way in WAYS {
        let daemon = way.start(config_with_friends()).await;
        let alice = way.join(&daemon, FRIENDS, ALICE).await;
        let bob = way.join(&daemon, FRIENDS, BOB).await;
        bob.msrp.set_mode(Mode::Manual);
        let text = "x".repeat(6_000);
        let draft = alice.text(&text);
        let first = alice.msrp.send_chunk(&draft, 0, 4_000, Flag::More);
        alice.msrp.expect_status(&first, 200).await;
        bob.msrp.expect_chunk().await;
        bob.msrp.set_mode(Mode::Auto);
        let carol = way.join(&daemon, FRIENDS, CAROL).await;
        let last = alice
            .msrp
            .send_chunk(&draft, 4_000, draft.octets(), Flag::Last);
        alice.msrp.expect_status(&last, 200).await;
        alice.say("done").await;
        bob.expect_text(ALICE, &text).await;
        bob.expect_text(ALICE, "done").await;
        carol.expect_text(ALICE, "done").await;
        carol.msrp.assert_nothing_left();
    }
}

// covers: CTRL-7.2.1.10-01, CTRL-7.2.1.10-02, UPS-7.2.3.3-12, REL-7.2.2.8-05, CLI-7.1.1.12-01
#[tokio::test]
async fn group_participant_that_leaves_is_gone_and_the_others_go_on() {
    for way in WAYS {
        let daemon = way.start(config_with_friends()).await;
        let alice = way.join(&daemon, FRIENDS, ALICE).await;
        let bob = way.join(&daemon, FRIENDS, BOB).await;
        let carol = way.join(&daemon, FRIENDS, CAROL).await;
        let whole = carol.text(&"c".repeat(6_000));
        let chunk = carol.msrp.send_chunk(&whole, 0, 4_000, Flag::More);
        carol.msrp.expect_status(&chunk, 200).await;
        alice.leave().await;
        alice.msrp.expect_closed().await;
        carol.leave().await;
        let closed = carol.msrp.expect_closed().await;
        assert!(closed.unfinished.is_empty() && closed.rest.is_empty());
        // What carol had begun is given up.
        let message = bob.msrp.expect_message().await;
        assert_eq!(message.ended, Flag::Abort);
        // A conference goes on without the one who started it.
        let dave = way.join(&daemon, FRIENDS, DAVE).await;
        bob.say("still here").await;
        dave.expect_text(BOB, "still here").await;
        bob.msrp.assert_nothing_left();
        bob.dialog.peer().assert_no_request_left();
        daemon
            .wait_metric("msrp_participants", |count| count == 2.0)
            .await;
    }
}

// covers: CTRL-7.2.1.10-01
#[tokio::test]
async fn group_participant_that_leaves_before_it_connects_leaves_nothing() {
    for way in WAYS {
        let daemon = way.start(config_with_friends()).await;
        let alice = way.join(&daemon, FRIENDS, ALICE).await;
        let joining = way.dial(FRIENDS, BOB).start(&daemon).await;
        let (dialog, endpoint, ..) = joining.answered().await;
        alice.say("for bob").await;
        dialog.bye().await;
        daemon
            .wait_metric("msrp_participants", |count| count == 1.0)
            .await;
        let late = endpoint.connect(&dialog.remote_media()).await;
        let sent = late.send(&Draft::empty());
        late.expect_all(&sent, 481).await;
        alice.leave().await;
        daemon.wait_metric("msrp_rooms", |count| count == 0.0).await;
    }
}

// covers: CTRL-7.2.1.5-11, CTRL-7.2.1.5-13, CTRL-7.2.1.5-14, CTRL-7.2.1.5-16, CLI-7.1.1.9-01
// covers: CTRL-7.2.1.5-01, CTRL-7.2.1.5-02, CTRL-7.2.1.5-03, CTRL-7.2.1.5-04
#[tokio::test]
async fn group_participant_comes_back_by_the_session_identity_while_it_lives() {
    for way in WAYS {
        let daemon = way.start(config_with_friends()).await;
        let alice = way.join(&daemon, FRIENDS, ALICE).await;
        let bob = way.join(&daemon, FRIENDS, BOB).await;
        let session = bob.dialog.remote_target();
        bob.leave().await;
        alice.say("nobody hears this").await;
        let again = way.join(&daemon, &session, BOB).await;
        alice.say("welcome back").await;
        again.expect_text(ALICE, "welcome back").await;
        again.say("thanks").await;
        alice.expect_text(BOB, "thanks").await;
        let eve = way.dial(&session, "sip:eve@example.com");
        let refusal = eve.start(&daemon).await.calling.expect_failure(403).await;
        assert!(refusal.has_warning(122));
        again.leave().await;
        alice.leave().await;
        daemon
            .wait_metric("msrp_sip_conferences", |count| count == 0.0)
            .await;
        let late = way.dial(&session, BOB).start(&daemon).await;
        let refusal = late.calling.expect_failure(403).await;
        assert!(refusal.has_warning(123));
    }
}

// covers: CTRL-7.2.1.3-01, CTRL-7.2.1.3-02, CTRL-7.2.1.3-03, CTRL-7.2.1.3-04, CTRL-7.2.1.3-05
// covers: CTRL-7.2.1.4-01, CTRL-7.2.1.4-02, CTRL-7.2.1.4-03, CTRL-7.2.2.3-01, CTRL-7.2.2.9-04
// covers: CTRL-7.2.1.5-05, CTRL-7.2.1.5-06, SEC-14.2-01
#[tokio::test]
async fn group_caller_that_may_not_come_is_told_why() {
    let service = |name: &str| {
        format!(
            "<oxe:supported-services><oxe:service enabler=\"{name}\"><oxe:group-media/></oxe:service>\
             </oxe:supported-services>"
        )
    };
    let guests = "<cp:ruleset><cp:rule id=\"one\"><cp:conditions><is-list-member/></cp:conditions><cp:actions>\
        <allow-initiate-conference>true</allow-initiate-conference><join-handling>true</join-handling></cp:actions>\
        </cp:rule><cp:rule id=\"two\"><cp:conditions><cp:identity><cp:one id=\"sip:eve@example.com\"/></cp:identity>\
        </cp:conditions><cp:actions><join-handling>true</join-handling></cp:actions></cp:rule></cp:ruleset>";
    let documents = Config::new()
        .group(
            "friends",
            &friends()
                .element("<max-participant-count>2</max-participant-count>")
                .xml(),
        )
        .group(
            "guests",
            &Document::new("sip:guests@localhost")
                .members(&[ALICE])
                .element(guests)
                .xml(),
        )
        .group(
            "voice",
            &Document::new("sip:voice@localhost")
                .members(&[ALICE])
                .element(&service("org.example:PoC"))
                .xml(),
        );
    for way in WAYS {
        let daemon = way.start(documents.clone()).await;
        let refused = |uri: &'static str,
                       identity: &'static str,
                       contact: Option<&'static str>,
                       status: u16| {
            let join = way.dial(uri, identity).invite(|invite| match contact {
                Some(value) => invite.header("Contact", value),
                None => invite,
            });
            let daemon = &daemon;
            async move {
                join.start(daemon)
                    .await
                    .calling
                    .expect_failure(status)
                    .await
            }
        };
        let eve = "sip:eve@example.com";
        refused("sip:nowhere@localhost", ALICE, None, 404).await;
        refused("sip:voice@localhost", ALICE, None, 404).await;
        assert!(refused(FRIENDS, eve, None, 403).await.has_warning(127));
        // A guest may join a session and not start one.
        let guests = "sip:guests@localhost";
        assert!(refused(guests, eve, None, 403).await.has_warning(127));
        let host = way.join(&daemon, guests, ALICE).await;
        let guest = way.join(&daemon, guests, eve).await;
        guest.say("in").await;
        host.expect_text(eve, "in").await;

        let focus = Some("<sip:other@127.0.0.1:9>;isfocus");
        assert!(refused(FRIENDS, ALICE, focus, 403).await.has_warning(105));
        let alice = way.join(&daemon, FRIENDS, ALICE).await;
        assert!(refused(FRIENDS, BOB, focus, 403).await.has_warning(105));
        assert!(refused(FRIENDS, eve, None, 403).await.has_warning(127));
        let bob = way.join(&daemon, FRIENDS, BOB).await;
        assert!(refused(FRIENDS, CAROL, None, 486).await.has_warning(102));
        let session = way.dial(&alice.dialog.remote_target(), CAROL);
        let full = session
            .start(&daemon)
            .await
            .calling
            .expect_failure(486)
            .await;
        assert!(full.has_warning(102));
        bob.leave().await;
        way.join(&daemon, FRIENDS, CAROL).await;
    }
}

// covers: REL-7.2.2.8-04, REL-7.2.2.8-09, CTRL-7.2.2.5-01
// covers: CTRL-7.2.2.12-01, CTRL-7.2.2.12-03, CTRL-7.2.1.10-03
#[tokio::test]
async fn group_with_auto_release_ends_with_its_originator() {
    for way in WAYS {
        let document = friends().element("<auto-release>true</auto-release>");
        let config = Config::new().group("friends", &document.xml());
        let daemon = way.start(config).await;
        let alice = way.join(&daemon, FRIENDS, ALICE).await;
        let bob = way.join(&daemon, FRIENDS, BOB).await;
        let carol = way.join(&daemon, FRIENDS, CAROL).await;
        carol.leave().await;
        bob.say("carol may go").await;
        alice.expect_text(BOB, "carol may go").await;
        let session = bob.dialog.remote_target();
        alice.leave().await;
        let bye = bob.expect_removed().await;
        assert_eq!(bye.method(), "BYE");
        daemon.wait_metric("msrp_rooms", |count| count == 0.0).await;
        let late = way.dial(&session, BOB).start(&daemon).await;
        assert!(late.calling.expect_failure(403).await.has_warning(123));
    }
}

// covers: CTRL-7.2.2.12-02
#[tokio::test]
async fn group_participant_is_removed_along_its_route() {
    for way in WAYS {
        let daemon = way.start(config_with_friends()).await;
        let agent = way.agent(&daemon).await;
        let endpoint = MsrpEndpoint::bind().await;
        let route = format!("<{}>", agent.proxy_uri());
        let invite = Invite::new(FRIENDS, ALICE)
            .media(&endpoint.media())
            .header("Record-Route", &route);
        // The Contact of the caller is where nobody listens: only the route leads back to it.
        let invite = invite.header("Contact", "<sip:alice@192.0.2.1:9>;+g.oma.sip-im");
        let dialog = agent.call(&invite).await;
        assert_eq!(dialog.initial().values("Record-Route"), [route.as_str()]);
        let msrp = endpoint.connect(&dialog.remote_media()).await;
        msrp.bind().await;
        daemon.signal("TERM");
        let bye = dialog.expect_bye().await;
        assert_eq!(bye.values("Route"), [route.as_str()]);
        assert_eq!(bye.request_uri(), "sip:alice@192.0.2.1:9");
        msrp.expect_closed().await;
    }
}

// covers: REL-7.2.2.8-03
#[tokio::test]
async fn group_session_follows_the_active_policy_of_its_document() {
    let policy = |conditions: &str| {
        let element =
            format!("<oxe:session-active-policy>{conditions}</oxe:session-active-policy>");
        Config::new().group("friends", &friends().element(&element).xml())
    };
    for way in WAYS {
        let short = policy("<oxe:max-duration>1</oxe:max-duration>");
        let daemon = way.start(short).await;
        let alice = way.join(&daemon, FRIENDS, ALICE).await;
        let bob = way.join(&daemon, FRIENDS, BOB).await;
        tokio::join!(alice.expect_removed(), bob.expect_removed());

        let three = policy("<oxe:min-participant-count>3</oxe:min-participant-count>");
        let daemon = way.start(three).await;
        let mut people = Vec::new();
        for identity in [ALICE, BOB, CAROL] {
            people.push(way.join(&daemon, FRIENDS, identity).await);
        }
        people[2].leave().await;
        tokio::join!(people[0].expect_removed(), people[1].expect_removed());
    }
}

// covers: REL-7.2.2.8-06, REL-7.2.2.8-12
#[tokio::test]
async fn group_session_that_lasts_too_long_ends_for_all() {
    for way in WAYS {
        let config = config_with_friends().set("limits", "session_max_s", 1);
        let daemon = way.start(config).await;
        let alice = way.join(&daemon, FRIENDS, ALICE).await;
        let bob = way.join(&daemon, FRIENDS, BOB).await;
        tokio::join!(alice.expect_removed(), bob.expect_removed());
    }
}

// covers: CTRL-7.2.1.3-11, CTRL-7.2.1.3-14, CTRL-7.2.1.3-16, CTRL-7.2.2.3-02, CTRL-7.2.2.2-04
// covers: CTRL-7.2.2.1-06, CTRL-7.2.2.1-07, CTRL-7.2.2.1-13, COM-5.1-02
#[tokio::test]
async fn group_that_invites_its_members_answers_with_the_first() {
    for way in WAYS {
        let document = friends()
            .element("<display-name>Friends</display-name>")
            .element("<invite-members>true</invite-members>")
            .element("<oxe:subject>Tonight</oxe:subject>");
        let proxy = way.proxy().await;
        let config = Config::new()
            .group("friends", &document.xml())
            .outbound_proxy(&proxy.proxy_uri());
        let daemon = way.start(config).await;
        let joining = way.dial(FRIENDS, ALICE).start(&daemon).await;
        let mut invitations = Vec::new();
        for identity in [BOB, CAROL, DAVE] {
            let invitation = proxy.accept_invite(|uri| uri == identity).await;
            let request = invitation.request();
            assert_eq!(request.asserted_uris(), [FRIENDS]);
            assert!(
                request
                    .header("P-Asserted-Identity")
                    .unwrap()
                    .contains("Friends")
            );
            assert!(request.header("Referred-By").unwrap().contains(ALICE));
            assert_eq!(request.header("Subject"), Some("Tonight"));
            invitations.push(invitation);
        }
        let bob = accept(&daemon, &invitations[0], Some("active")).await;
        let alice = joining.complete().await;
        let carol = accept(&daemon, &invitations[1], Some("active")).await;
        invitations[2].reject(486, "Busy Here").await;
        alice.say("hello").await;
        for member in [&bob, &carol] {
            member.expect_text(ALICE, "hello").await;
        }
        carol.msrp.send_ok(&Draft::text(CAROL, FRIENDS, "hi")).await;
        alice.expect_text(CAROL, "hi").await;
        proxy.assert_no_request_left();
    }
}

// covers: CTRL-7.2.2.2-12, CTRL-7.2.2.2-13
#[tokio::test]
async fn group_member_that_accepts_anonymously_without_leave_is_released() {
    for way in WAYS {
        let document = friends()
            .element("<invite-members>true</invite-members>")
            .member_rule(
                "<allow-initiate-conference>true</allow-initiate-conference>\
                 <join-handling>true</join-handling><allow-anonymity>false</allow-anonymity>",
            );
        let proxy = way.proxy().await;
        let config = Config::new()
            .group("friends", &document.xml())
            .outbound_proxy(&proxy.proxy_uri());
        let daemon = way.start(config).await;
        let joining = way.dial(FRIENDS, ALICE).start(&daemon).await;
        let hidden = proxy.accept_invite(|uri| uri == BOB).await;
        let shown = proxy.accept_invite(|uri| uri == CAROL).await;
        let endpoint = MsrpEndpoint::bind().await;
        let response = hidden.response(200, "OK").with("Privacy", "id");
        let response = response.with_media(&endpoint.media().setup("active"));
        hidden.accept_with(&response).await.expect_bye().await;
        let carol = accept(&daemon, &shown, Some("active")).await;
        let alice = joining.complete().await;
        alice.say("two of us").await;
        carol.expect_text(ALICE, "two of us").await;
    }
}

// covers: CTRL-7.2.1.3-18
#[tokio::test]
async fn group_whose_members_all_refuse_gives_the_lowest_status() {
    let document = friends().element("<invite-members>true</invite-members>");
    let proxy = WAYS[0].proxy().await;
    let config = Config::new()
        .group("friends", &document.xml())
        .outbound_proxy(&proxy.proxy_uri());
    let daemon = WAYS[0].start(config).await;
    let joining = WAYS[0].dial(FRIENDS, ALICE).start(&daemon).await;
    for (identity, status) in [(CAROL, 603), (BOB, 480), (DAVE, 486)] {
        let invitation = proxy.accept_invite(|uri| uri == identity).await;
        invitation.reject(status, "No").await;
    }
    joining.calling.expect_failure(480).await;
}

// covers: MSRP-4975-8.4-01
#[tokio::test]
async fn group_participant_that_refreshes_stays_as_it_is() {
    for way in WAYS {
        let daemon = way.start(config_with_friends()).await;
        let bob = way.join(&daemon, FRIENDS, BOB).await;
        let endpoint = MsrpEndpoint::bind().await;
        let media = endpoint.media();
        let join = way.dial(FRIENDS, ALICE).endpoint(endpoint);
        let alice = join.join(&daemon).await;
        let response = alice.dialog.reinvite(&media).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.media().path, alice.dialog.remote_media().path);
        let update = alice.dialog.request("UPDATE").with("Supported", "timer");
        let update = update.with("Session-Expires", "1800;refresher=uac");
        let response = alice.dialog.exchange(update).await;
        assert_eq!(response.status(), 200);
        alice.say("as before").await;
        bob.expect_text(ALICE, "as before").await;
        bob.say("indeed").await;
        alice.expect_text(BOB, "indeed").await;
    }
}
