//! Offers inside the dialogs of a conference.

use msrp_control::{Command, EndReason, ErrorCode, Event, LocalMedia, Media};

use super::world::{World, caller, sdp, sdp_text, sdp_with};
use crate::ua::{Answer, Body, DialogEnd, DialogId, Headers, Method, Request, TxnId, UaEvent};

fn timer() -> Headers {
    Headers::new()
        .with("Supported", "timer")
        .with("Session-Expires", "1800;refresher=uac")
}

fn reinvite(world: &mut World, dialog: DialogId, body: Option<Body>) -> Answer {
    world.request(Some(dialog), Method::Invite, timer(), body)
}

/// The commands of this kind with their participants.
fn reoffers(world: &World) -> Vec<(String, Media, LocalMedia)> {
    let told = |command| match command {
        Command::Reoffer {
            participant,
            media,
            local,
            ..
        } => (participant.to_string(), media, local),
        _ => unreachable!(),
    };
    world.commands("reoffer").into_iter().map(told).collect()
}

fn held() -> Body {
    let held = sdp_text("alice", "message/cpim text/plain", "active") + "a=inactive\r\n";
    Body {
        content_type: "application/sdp".into(),
        octets: held.into_bytes(),
    }
}

// covers: CTRL-7.2.1.6-02, CTRL-7.2.1.6-03, CTRL-7.2.1.6-04
#[test]
fn reoffer_goes_to_the_engine_and_its_answer_to_the_peer() {
    let mut world = World::new();
    let (call, bob) = world.one_to_one();
    for (body, types, direction) in [
        (sdp("alice-moved"), vec!["message/cpim", "text/plain"], None),
        (held(), vec!["message/cpim", "text/plain"], Some("inactive")),
        (
            sdp_with("alice", "message/cpim image/png"),
            vec!["message/cpim"],
            None,
        ),
    ] {
        let answer = reinvite(&mut world, call.dialog, Some(body.clone()));
        assert_eq!(answer.status, 200);
        assert_eq!(
            answer.headers.first("Session-Expires"),
            Some("1800;refresher=uac")
        );
        let text = String::from_utf8(answer.body.unwrap().octets).unwrap();
        assert!(text.contains("/room-p0;tcp"), "{text}");
        let (participant, media, local) = reoffers(&world).pop().unwrap();
        assert_eq!(participant, "p0");
        let offer = String::from_utf8(body.octets).unwrap();
        assert_eq!(media, Media::Offer(offer));
        assert_eq!(local.accept_types.unwrap(), types);
        let direction = direction.map(|name: &str| (name.to_owned(), None));
        assert_eq!(local.attributes, Vec::from_iter(direction));
    }
    // The invitee may name no more than it was offered.
    let wide = sdp_with("bob", "message/cpim text/plain video/x");
    assert_eq!(reinvite(&mut world, bob, Some(wide)).status, 200);
    let (_, _, local) = reoffers(&world).pop().unwrap();
    assert_eq!(local.accept_types.unwrap(), ["message/cpim", "text/plain"]);
    world.finish();
}

// covers: CTRL-7.2.1.6-01
#[test]
fn reoffer_that_cannot_be_served_is_refused_and_the_session_goes_on() {
    let mut world = World::new();
    let (call, _) = world.one_to_one();
    let without_wrapper = sdp_with("alice", "text/plain");
    let answer = reinvite(&mut world, call.dialog, Some(without_wrapper));
    assert_eq!(answer.status, 488);
    assert!(answer.body.is_some() && answer.headers.first("Warning").is_some());
    assert!(reoffers(&world).is_empty());

    world
        .engine
        .fails
        .insert("reoffer", ErrorCode::NotAcceptable);
    let moved = reinvite(&mut world, call.dialog, Some(sdp("moved")));
    assert_eq!(moved.status, 488);
    world.engine.fails.insert("reoffer", ErrorCode::Unavailable);
    let busy = reinvite(&mut world, call.dialog, Some(sdp("moved")));
    assert_eq!(
        (busy.status, busy.headers.first("Retry-After")),
        (500, Some("5"))
    );
    let empty = Body {
        content_type: "text/plain".into(),
        octets: b"x".to_vec(),
    };
    assert_eq!(reinvite(&mut world, call.dialog, Some(empty)).status, 415);
    assert_eq!(world.participants_count(), 2);
    assert!(world.byes().is_empty());
    world.finish();
}

#[test]
fn reoffer_under_way_refuses_the_next_and_ends_with_its_dialog() {
    for ends in ["peer", "engine", "nobody"] {
        let mut world = World::new();
        let (call, _) = world.one_to_one();
        world.engine.is_held = true;
        world.focus.handle_ua(
            world.now,
            UaEvent::Request {
                transaction: TxnId(5000),
                dialog: Some(call.dialog),
                request: Request {
                    method: Method::Invite,
                    uri: "sip:x".into(),
                    headers: timer(),
                    body: Some(held()),
                },
                peer: super::world::peer(),
            },
        );
        world.settle();
        let second = reinvite(&mut world, call.dialog, Some(held()));
        assert_eq!(
            (second.status, second.headers.first("Retry-After")),
            (500, Some("5"))
        );
        match ends {
            "peer" => world.end(call.dialog, DialogEnd::Bye),
            "engine" => {
                let lost = Event::ParticipantLost {
                    room: world.room(),
                    participant: msrp_control::ParticipantId::new("p0").unwrap(),
                    reason: EndReason::ConnectionLost,
                };
                world.engine_event(&lost);
            }
            _ => {}
        }
        let expected = if ends == "nobody" { 200 } else { 487 };
        world.engine.is_held = false;
        world.settle();
        assert_eq!(world.answers_to(TxnId(5000)), [expected], "{ends}");
        world.finish();
    }
}

#[test]
fn reinvite_without_offer_gets_one_and_its_ack_is_the_answer() {
    let mut world = World::new();
    let (call, _) = world.one_to_one();
    let acknowledge = |world: &mut World, body| {
        let dialog = call.dialog;
        world.ua(UaEvent::Acknowledged { dialog, body });
    };
    // Nobody was asked.
    acknowledge(&mut world, sdp("stray"));
    let answer = reinvite(&mut world, call.dialog, None);
    assert_eq!(answer.status, 200);
    let text = String::from_utf8(answer.body.unwrap().octets).unwrap();
    assert!(text.contains("a=setup:actpass"), "{text}");
    assert_eq!(reoffers(&world).pop().unwrap().1, Media::MakeOffer);
    let before = world.commands("answer").len();
    acknowledge(&mut world, sdp("alice"));
    assert_eq!(world.commands("answer").len(), before, "nothing changed");

    reinvite(&mut world, call.dialog, None);
    acknowledge(&mut world, sdp("moved"));
    let Some(Command::SetAnswer { sdp: told, .. }) = world.commands("answer").pop() else {
        unreachable!()
    };
    assert_eq!(told.into_bytes(), sdp("moved").octets);
    assert!(world.byes().is_empty());

    reinvite(&mut world, call.dialog, None);
    acknowledge(&mut world, sdp_with("moved", "text/plain"));
    let byes = world.byes();
    assert_eq!(byes[0].0, call.dialog);
    assert!(byes[0].2.first("Reason").unwrap().contains("cause=488"));
    for (_, transaction, _) in byes {
        world.finish_request(transaction, 200, Headers::new());
    }
    world.finish();
}

#[test]
fn answer_to_a_refresh_of_ours_may_change_the_session() {
    let mut world = World::new();
    world.ad_hoc(&["sip:bob@example.com"]);
    let bob = world.invites()[0].0;
    world.respond(bob, 200, Headers::new(), Some(sdp("bob")));
    world.wait();
    let (dialog, transaction, ..) = world.requests().remove(0);
    assert_eq!(dialog, bob);
    let before = world.commands("answer").len();
    world.finish_with(transaction, 200, Headers::new(), Some(sdp("bob-moved")));
    assert_eq!(world.commands("answer").len(), before + 1);
    assert_eq!(world.participants_count(), 2);
    world.finish();
}

// covers: COM-F.1-03
#[test]
fn software_of_peers_is_remembered() {
    let mut world = World::new();
    let headers = caller("alice").with("User-Agent", "IM-client/OMA1.0 Acme/1");
    let call = world.invite(
        super::world::FACTORY,
        headers,
        super::world::list_body("alice", &["sip:bob@example.com", "sip:carol@example.com"]),
    );
    let invites = world.invites();
    let server = Headers::new().with("Server", "im-serv/oma1.0");
    world.respond(invites[0].0, 200, server, Some(sdp("bob")));
    let other = Headers::new().with("Server", "Other/1.0");
    world.respond(invites[1].0, 200, other, Some(sdp("carol")));
    let shows = |dialog| world.focus.shows_release(dialog);
    assert_eq!(shows(call.dialog), Some(true));
    assert_eq!(shows(invites[0].0), Some(true));
    assert_eq!(shows(invites[1].0), Some(false));
    assert_eq!(shows(DialogId(9999)), None);
    world.finish();
}
