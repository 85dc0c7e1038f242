//! Sessions made by an INVITE with a list to the conference factory.

use msrp_testkit::{
    AdHoc, Config, Daemon, Draft, Flag, Invitation, MsrpEndpoint, Participant, SipPeer,
};
use msrpd_tests::{ALICE, BOB, CAROL, DAVE, FACTORY, WAYS, Way, accept, person, seated};

/// The switch lists it in each of its descriptions (AMB-01).
const FINAL_REPORT: &str = "application/vnd.oma.poc.final-report+xml";

/// A daemon whose requests go to the agent.
async fn node(way: Way) -> (Daemon, SipPeer) {
    node_with(way, Config::new()).await
}

async fn node_with(way: Way, config: Config) -> (Daemon, SipPeer) {
    let proxy = way.proxy().await;
    let daemon = way.start(config.outbound_proxy(&proxy.proxy_uri())).await;
    (daemon, proxy)
}

/// A session of alice and those of the list who accept.
async fn session(
    way: Way,
    daemon: &Daemon,
    proxy: &SipPeer,
    list: &[&str],
    accepting: &[&str],
) -> AdHoc {
    let join = way.dial(FACTORY, ALICE).invite(|invite| invite.list(list));
    let joining = join.start(daemon).await;
    let mut invitees = Vec::new();
    for identity in accepting {
        let invitation = invitation_for(proxy, identity).await;
        invitees.push(accept(daemon, &invitation, Some("active")).await);
    }
    AdHoc {
        inviter: joining.complete().await,
        invitees,
    }
}

#[tokio::test]
async fn invitee_misses_nothing_that_is_said_once_its_connection_is_answered() {
    for way in WAYS {
        let (daemon, proxy) = node(way).await;
        let join = way.dial(FACTORY, ALICE);
        let joining = join
            .invite(|invite| invite.list(&[BOB, CAROL]))
            .start(&daemon)
            .await;
        let bob = invitation_for(&proxy, BOB).await;
        let carol = invitation_for(&proxy, CAROL).await;
        let bob = Participant::accept(&bob).await;
        let alice = joining.complete().await;
        alice.say("to bob").await;
        bob.expect_text(ALICE, "to bob").await;
        // Nobody waits for the focus here: the answered connection is enough.
        let carol = Participant::accept(&carol).await;
        alice.say("to both").await;
        carol.expect_text(ALICE, "to both").await;
        bob.expect_text(ALICE, "to both").await;
    }
}

#[tokio::test]
async fn ad_hoc_invitation_is_cancelled_and_acknowledged_when_the_node_ends() {
    for way in WAYS {
        let (mut daemon, proxy) = node(way).await;
        let join = way.dial(FACTORY, ALICE);
        let joining = join
            .invite(|invite| invite.list(&[BOB, CAROL]))
            .start(&daemon)
            .await;
        let bob = invitation_for(&proxy, BOB).await;
        let carol = invitation_for(&proxy, CAROL).await;
        bob.ring().await;
        carol.ring().await;
        // The CANCELs follow only once the node has seen the provisional responses.
        joining.calling.expect_provisional(180).await;
        daemon.signal("TERM");
        let caller = async {
            joining.calling.expect_failure(503).await;
        };
        tokio::join!(bob.expect_cancel(), carol.expect_cancel(), caller);
        assert!(daemon.wait_end().await.success());
    }
}

async fn invitation_for(proxy: &SipPeer, identity: &str) -> Invitation {
    proxy.accept_invite(|uri| uri == identity).await
}

// covers: CTRL-7.2.2.1-01, CTRL-7.2.2.1-02, CTRL-7.2.2.1-03, CTRL-7.2.2.1-04, CTRL-7.2.2.1-05
// covers: CTRL-7.2.2.1-07, CTRL-7.2.2.1-08, CTRL-7.2.2.1-09, CTRL-7.2.2.1-10, CTRL-7.2.2.1-12
// covers: CTRL-7.2.2.2-01, CTRL-7.2.2.2-02, CTRL-7.2.2.2-03, CTRL-7.2.2.2-05, CTRL-7.2.2.2-06
// covers: CTRL-7.2.2.2-07, CTRL-7.2.1.2-10, MSRP-6135-4.2.2-02, MSRP-6135-4.2.2-04, SEC-14.1.2-03
#[tokio::test]
async fn ad_hoc_invitation_carries_what_the_focus_has_to_say() {
    for way in WAYS {
        let (daemon, proxy) = node(way).await;
        let join = way
            .dial(FACTORY, ALICE)
            .invite(|invite| {
                let invite = invite.list(&[BOB, CAROL]);
                invite.asserted(&format!("\"Alice A.\" <{ALICE}>"))
            })
            .offer(|media| {
                let media = media.accept_types("message/cpim text/plain image/png");
                media.max_size(70_000).setup("active")
            });
        let joining = join.start(&daemon).await;
        let mut call_ids = Vec::new();
        let mut dialogs = Vec::new();
        for identity in [BOB, CAROL] {
            let invitation = invitation_for(&proxy, identity).await;
            let request = invitation.request();
            assert_eq!(request.to_uri(), identity);
            assert!(request.to_tag().is_none() && request.from_tag().is_some());
            call_ids.push(request.call_id().to_owned());
            assert!(
                request
                    .header("Accept-Contact")
                    .unwrap()
                    .contains("+g.oma.sip-im")
            );
            assert!(
                request
                    .header("User-Agent")
                    .unwrap()
                    .starts_with("IM-serv/OMA1.0")
            );
            assert_eq!(request.asserted_uris(), [ALICE]);
            assert!(
                request
                    .header("P-Asserted-Identity")
                    .unwrap()
                    .contains("Alice A.")
            );
            assert!(request.header("Referred-By").unwrap().contains(ALICE));
            let contact = request.header("Contact").unwrap();
            assert!(
                contact.contains(";isfocus") && contact.contains(";+g.oma.sip-im"),
                "{contact}"
            );
            assert_eq!(
                request.header("Session-Expires"),
                Some("1800;refresher=uas")
            );
            assert!(request.lists("Supported", "timer"));
            assert!(request.lists("Allow", "INVITE") && request.lists("Allow", "BYE"));
            assert!(request.header("Privacy").is_none());
            assert_eq!(request.header("Content-Type"), Some("application/sdp"));
            let offer = request.media();
            assert_eq!(
                offer.accept_types,
                ["message/cpim", FINAL_REPORT, "text/plain", "image/png"]
            );
            assert_eq!(offer.max_size, Some(70_000));
            assert_eq!(offer.setup.as_deref(), Some("actpass"));
            assert_eq!(offer.address(), daemon.msrp_addr());
            let participant = accept(&daemon, &invitation, Some("active")).await;
            assert_eq!(participant.room, request.contact_uri().unwrap());
            dialogs.push(participant);
        }
        call_ids.dedup();
        assert_eq!(call_ids.len(), 2, "one dialog for each invitee");
        let alice = joining.complete().await;
        assert_eq!(alice.room, dialogs[0].room);
        assert!(alice.dialog.initial().header("Privacy").is_none());
    }
}

// covers: CTRL-7.2.1.1-04, CTRL-7.2.1.1-06, CTRL-7.2.1.2-07, CTRL-7.2.1.2-11, CTRL-7.2.1.2-12
// covers: CTRL-7.2.1.2-13, CTRL-7.2.1.2-14, CTRL-7.2.1.2-15, CTRL-7.2.1.2-16, CTRL-7.2.1.2-19
// covers: CTRL-7.2.2.2-15
#[tokio::test]
async fn ad_hoc_first_acceptance_answers_the_caller_and_the_next_joins() {
    for way in WAYS {
        let (daemon, proxy) = node(way).await;
        let join = way
            .dial(FACTORY, ALICE)
            .invite(|invite| invite.list(&[BOB, CAROL, DAVE]))
            .offer(|media| media.accept_types("message/cpim text/plain image/png"));
        let joining = join.start(&daemon).await;
        let bob = invitation_for(&proxy, BOB).await;
        let carol = invitation_for(&proxy, CAROL).await;
        let dave = invitation_for(&proxy, DAVE).await;
        carol.ring().await;
        let ringing = joining.calling.expect_provisional(180).await;
        assert!(
            ringing
                .header("Server")
                .unwrap()
                .starts_with("IM-serv/OMA1.0")
        );
        assert_eq!(ringing.asserted_uris(), [FACTORY]);
        assert!(ringing.header("Contact").unwrap().contains(";isfocus"));
        bob.ring().await;
        dave.reject(486, "Busy Here").await;
        let endpoint = MsrpEndpoint::bind().await;
        let answer = endpoint
            .media()
            .setup("active")
            .accept_types("message/cpim image/png");
        let bob = Participant::accept_with(&bob, endpoint, &answer).await;
        seated(&daemon, &bob).await;
        let alice = joining.complete().await;
        let response = alice.dialog.initial();
        assert_eq!(response.asserted_uris(), [FACTORY]);
        let contact = response.header("Contact").unwrap();
        assert!(
            contact.contains(";isfocus") && contact.contains(";+g.oma.sip-im"),
            "{contact}"
        );
        let media = response.media();
        assert_eq!(
            media.accept_types,
            ["message/cpim", FINAL_REPORT, "image/png"]
        );
        assert_eq!(media.address(), daemon.msrp_addr());
        alice.say("before carol").await;
        bob.expect_text(ALICE, "before carol").await;
        let carol = accept(&daemon, &carol, Some("active")).await;
        alice.say("with carol").await;
        carol.expect_text(ALICE, "with carol").await;
        bob.expect_text(ALICE, "with carol").await;
        // The 200 was the only final response.
        assert_eq!(
            daemon.metric("msrp_sip_invites_total{code=\"200\"}").await,
            1.0
        );
        alice.dialog.peer().assert_no_request_left();
    }
}

// covers: CTRL-7.2.1.2-17
#[tokio::test]
async fn ad_hoc_list_that_refuses_gives_the_lowest_status() {
    for way in WAYS {
        let (daemon, proxy) = node(way).await;
        let join = way.dial(FACTORY, ALICE);
        let joining = join
            .invite(|invite| invite.list(&[BOB, CAROL, DAVE]))
            .start(&daemon)
            .await;
        for (identity, status) in [(DAVE, 603), (BOB, 486), (CAROL, 480)] {
            let invitation = invitation_for(&proxy, identity).await;
            invitation.reject(status, "No").await;
        }
        joining.calling.expect_failure(480).await;
        daemon.wait_metric("msrp_rooms", |count| count == 0.0).await;
        daemon
            .wait_metric("msrp_sip_dialogs", |count| count == 0.0)
            .await;
    }
}

// covers: CTRL-7.2.1.2-20, CTRL-7.2.2.4-01, CTRL-7.2.2.4-02, CLI-7.1.1.13-01, CLI-7.1.2.4-01
#[tokio::test]
async fn ad_hoc_call_that_is_cancelled_cancels_its_invitations() {
    for way in WAYS {
        let (daemon, proxy) = node(way).await;
        let join = way.dial(FACTORY, ALICE);
        let joining = join
            .invite(|invite| invite.list(&[BOB, CAROL]))
            .start(&daemon)
            .await;
        let bob = invitation_for(&proxy, BOB).await;
        let carol = invitation_for(&proxy, CAROL).await;
        bob.ring().await;
        carol.ring().await;
        joining.calling.expect_provisional(180).await;
        joining.calling.cancel().await;
        joining.calling.expect_failure(487).await;
        bob.expect_cancel().await;
        // Carol's acceptance crosses the CANCEL.
        let cancel = carol.expect_cancel_request().await;
        cancel.respond(200, "OK").await;
        let endpoint = MsrpEndpoint::bind().await;
        let dialog = carol.accept(&endpoint.media().setup("passive")).await;
        dialog.expect_bye().await;
        daemon.wait_metric("msrp_rooms", |count| count == 0.0).await;
        let session = carol.request().contact_uri().unwrap().to_owned();
        let late = way.dial(&session, BOB).start(&daemon).await;
        assert!(late.calling.expect_failure(403).await.has_warning(123));
    }
}

// covers: CTRL-7.2.1.2-21, CTRL-7.2.2.2-02
#[tokio::test]
async fn ad_hoc_list_with_duplicates_and_the_caller_invites_each_other_once() {
    for way in WAYS {
        let (daemon, proxy) = node(way).await;
        let list = [BOB, ALICE, "sip:bob@EXAMPLE.com", CAROL, BOB];
        let session = session(way, &daemon, &proxy, &list, &[BOB, CAROL]).await;
        session.inviter.say("hello").await;
        for invitee in &session.invitees {
            invitee.expect_text(ALICE, "hello").await;
        }
        proxy.assert_no_request_left();
        assert_eq!(daemon.metric("msrp_participants").await, 3.0);
    }
}

// covers: CTRL-7.2.1.2-01, CTRL-7.2.1.2-22, REL-7.2.2.8-10, REL-7.2.2.8-08, CLI-7.1.1.16-01
#[tokio::test]
async fn ad_hoc_list_of_one_is_a_session_of_two() {
    for way in WAYS {
        let (daemon, proxy) = node(way).await;
        for is_caller_first in [true, false] {
            let joining = way
                .dial(FACTORY, ALICE)
                .invite(|invite| invite.list(&[BOB]))
                .start(&daemon)
                .await;
            let invitation = invitation_for(&proxy, BOB).await;
            assert_eq!(invitation.request().asserted_uris(), [ALICE]);
            let bob = accept(&daemon, &invitation, Some("active")).await;
            let alice = joining.complete().await;
            alice.say("you and me").await;
            bob.expect_text(ALICE, "you and me").await;
            bob.say("yes").await;
            alice.expect_text(BOB, "yes").await;
            let (leaver, other) = if is_caller_first {
                (&alice, &bob)
            } else {
                (&bob, &alice)
            };
            leaver.leave().await;
            leaver.msrp.expect_closed().await;
            other.expect_removed().await;
        }
    }
}

// covers: REL-7.2.2.8-08, CTRL-7.2.2.2-11, CTRL-7.2.2.5-01, CTRL-7.2.2.12-01, CTRL-7.2.2.12-03, CTRL-7.2.1.10-01, CTRL-7.2.1.10-03
#[tokio::test]
async fn ad_hoc_session_ends_with_its_originator() {
    for way in WAYS {
        let (daemon, proxy) = node(way).await;
        let list = [BOB, CAROL, DAVE];
        let session = session(way, &daemon, &proxy, &list, &list).await;
        session.inviter.leave().await;
        session.inviter.msrp.expect_closed().await;
        for invitee in &session.invitees {
            let bye = invitee.expect_removed().await;
            // It goes to the Contact of the 200.
            assert!(bye.request_uri().contains(&proxy.address().to_string()));
            assert!(
                invitee
                    .identity
                    .starts_with(bye.request_uri().split('@').next().unwrap())
            );
        }
        daemon.wait_metric("msrp_rooms", |count| count == 0.0).await;
        daemon
            .wait_metric("msrp_participants", |count| count == 0.0)
            .await;
        daemon
            .wait_metric("msrp_connections", |count| count == 0.0)
            .await;
        daemon
            .wait_metric("msrp_sip_dialogs", |count| count == 0.0)
            .await;
    }
}

// covers: REL-7.2.2.8-07, REL-7.2.2.8-11
#[tokio::test]
async fn ad_hoc_session_ends_when_one_is_left() {
    for way in WAYS {
        let (daemon, proxy) = node(way).await;
        let list = [BOB, CAROL];
        let session = session(way, &daemon, &proxy, &list, &list).await;
        session.invitees[0].leave().await;
        session.inviter.say("two are enough").await;
        session.invitees[1]
            .expect_text(ALICE, "two are enough")
            .await;
        session.invitees[1].leave().await;
        session.inviter.expect_removed().await;
    }
}

// covers: CTRL-7.2.1.2-18
#[tokio::test]
async fn ad_hoc_caller_that_is_left_alone_is_removed() {
    for way in WAYS {
        let (daemon, proxy) = node(way).await;
        let joining = way
            .dial(FACTORY, ALICE)
            .invite(|invite| invite.list(&[BOB, CAROL]))
            .start(&daemon)
            .await;
        let bob = invitation_for(&proxy, BOB).await;
        let carol = invitation_for(&proxy, CAROL).await;
        let bob = accept(&daemon, &bob, Some("active")).await;
        let alice = joining.complete().await;
        bob.leave().await;
        carol.reject(603, "Decline").await;
        alice.expect_removed().await;
    }
}

// covers: MSRP-6135-4.2.2-09, MSRP-4975-6.2-01, MSRP-4975-5.4-02, MSRP-4975-5.4-03, MSRP-4975-5.4-04, MSRP-4975-5.4-05
// covers: CTRL-7.2.1.2-16, UPS-7.2.3.1-06
#[tokio::test]
async fn ad_hoc_invitees_of_every_setup_talk_in_all_directions() {
    for way in WAYS {
        let (daemon, proxy) = node(way).await;
        let joining = way
            .dial(FACTORY, ALICE)
            .invite(|invite| invite.list(&[BOB, CAROL, DAVE]))
            .start(&daemon)
            .await;
        let mut people = Vec::new();
        for (identity, setup) in [
            (BOB, Some("active")),
            (CAROL, Some("passive")),
            (DAVE, None),
        ] {
            let invitation = invitation_for(&proxy, identity).await;
            people.push(accept(&daemon, &invitation, setup).await);
        }
        people.push(joining.complete().await);
        for speaker in &people {
            let text = format!("this is {}", speaker.identity);
            speaker.say(&text).await;
            for other in people.iter().filter(|p| p.identity != speaker.identity) {
                other.expect_text(&speaker.identity, &text).await;
            }
            speaker.msrp.assert_nothing_left();
        }
    }
}

// covers: CTRL-7.2.2.12-01
#[tokio::test]
async fn ad_hoc_invitee_that_cannot_be_connected_to_is_removed() {
    for way in WAYS {
        let (daemon, proxy) = node(way).await;
        let joining = way
            .dial(FACTORY, ALICE)
            .invite(|invite| invite.list(&[BOB, CAROL]))
            .start(&daemon)
            .await;
        let bob = invitation_for(&proxy, BOB).await;
        let carol = invitation_for(&proxy, CAROL).await;
        let bob = accept(&daemon, &bob, Some("active")).await;
        let alice = joining.complete().await;
        let nobody = {
            // The port is free again, so nobody listens there.
            MsrpEndpoint::bind().await.media().setup("passive")
        };
        let dialog = carol.accept(&nobody).await;
        let bye = dialog.expect_bye().await;
        assert!(bye.header("Reason").is_some());
        alice.say("two are left").await;
        bob.expect_text(ALICE, "two are left").await;
    }
}

// covers: MSRP-4975-5.4-10, CTRL-7.2.2.2-15, MSRP-4975-3-01
#[tokio::test]
async fn ad_hoc_invitee_that_connects_before_its_answer_is_served_with_it() {
    for way in WAYS {
        let (daemon, proxy) = node(way).await;
        let joining = way
            .dial(FACTORY, ALICE)
            .invite(|invite| invite.list(&[BOB]))
            .start(&daemon)
            .await;
        let invitation = invitation_for(&proxy, BOB).await;
        let endpoint = MsrpEndpoint::bind().await;
        let answer = endpoint.media().setup("active");
        let msrp = endpoint.connect(&invitation.media()).await;
        let sent = msrp.send(&Draft::empty());
        msrp.flushed().await;
        daemon
            .wait_metric("msrp_connections_accepted_total", |count| count >= 1.0)
            .await;
        let dialog = invitation.accept(&answer).await;
        msrp.expect_all(&sent, 200).await;
        let alice = joining.complete().await;
        let bob = Participant {
            identity: BOB.into(),
            room: alice.room.clone(),
            dialog,
            msrp,
        };
        bob.say("early").await;
        alice.expect_text(BOB, "early").await;
        alice.say("indeed").await;
        bob.expect_text(ALICE, "indeed").await;
    }
}

// covers: UPS-7.2.3.3-06, UPS-7.2.3.3-07, MSRP-4975-7.1.1-24, MSRP-7701-6.1-07
#[tokio::test]
async fn ad_hoc_message_of_five_megabytes_arrives_whole_at_all() {
    for way in WAYS {
        let (daemon, proxy) = node(way).await;
        let list = (1..5).map(person).collect::<Vec<_>>();
        let list = list.iter().map(String::as_str).collect::<Vec<_>>();
        let session = session(way, &daemon, &proxy, &list, &list).await;
        let octets = (0..5_000_000_u32).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0]);
        let body = octets.collect::<Vec<u8>>();
        let draft = Draft::wrapped(ALICE, &session.inviter.room, "text/plain", &body);
        let sent = session
            .inviter
            .msrp
            .send(&draft.clone().chunk_octets(60_000));
        for invitee in &session.invitees {
            let message = invitee.msrp.expect_message().await;
            assert_eq!(
                (message.ended, message.body.len()),
                (Flag::Last, draft.octets())
            );
            assert!(message.cpim().body == body, "other octets");
        }
        session.inviter.msrp.expect_all(&sent, 200).await;
    }
}

// covers: CTRL-7.2.2.1-11, UPS-7.2.3.1-05, COM-5.1-04
#[tokio::test]
async fn ad_hoc_caller_that_hides_is_shown_under_its_alias() {
    for way in WAYS {
        let (daemon, proxy) = node(way).await;
        let join = way
            .dial(FACTORY, ALICE)
            .invite(|invite| invite.list(&[BOB]).anonymous("Miss Joy"));
        let joining = join.start(&daemon).await;
        let invitation = invitation_for(&proxy, BOB).await;
        let request = invitation.request();
        assert_eq!(request.header("Privacy"), Some("id"));
        let head = format!("{:?}", request.headers);
        assert!(!head.contains("alice"), "{head}");
        let bob = accept(&daemon, &invitation, Some("active")).await;
        let alice = joining.complete().await;
        let alias = "sip:anonymous@anonymous.invalid";
        let sent = alice.msrp.send(&alice.text("this is alice"));
        alice.msrp.expect_all(&sent, 403).await;
        alice
            .msrp
            .send_ok(&Draft::text(alias, &alice.room, "guess"))
            .await;
        bob.expect_text(alias, "guess").await;
        bob.whisper(alias, "who are you").await;
        alice.expect_text(BOB, "who are you").await;
    }
}
