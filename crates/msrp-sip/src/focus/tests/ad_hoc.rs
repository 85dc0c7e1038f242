//! INVITEs to the conference factory.

use msrp_control::{Command, ErrorCode, Media};

use super::world::{
    FACTORY, World, anonymous, caller, list_body, multipart, policy, sdp, sdp_with,
};
use crate::focus::Policy;
use crate::ua::{DialogEnd, Headers};

// covers: CTRL-7.2.1.2-01, CTRL-7.2.1.2-07, CTRL-7.2.1.2-10, CTRL-7.2.1.2-11, CTRL-7.2.1.2-12, CTRL-7.2.1.2-15, CTRL-7.2.1.2-16
#[test]
fn one_to_one_first_acceptance_answers_the_caller() {
    let mut world = World::new();
    let call = world.ad_hoc(&["sip:bob@example.com"]);
    assert!(world.is_unanswered(call));
    let (bob, invite) = world.invites().remove(0);
    assert_eq!(invite.uri, "sip:bob@example.com");
    world.accept(bob);
    let answer = world.final_of(call);
    assert_eq!(answer.status, 200);
    let body = answer.body.unwrap();
    assert_eq!(body.content_type, "application/sdp");
    assert!(
        String::from_utf8(body.octets)
            .unwrap()
            .contains("a=path:msrp://192.0.2.1:7654/room-p0;tcp")
    );
    let names: Vec<_> = world.engine.log.iter().map(super::world::name).collect();
    assert_eq!(names, ["create", "offer", "answer", "enter"]);
    assert_eq!(world.participants_count(), 2);
    world.acknowledge(call);
    world.finish();
}

// covers: CTRL-7.2.1.1-01, CTRL-7.2.1.1-03, CTRL-7.2.1.1-04, CTRL-7.2.1.1-06, CTRL-7.2.1.1-07
#[test]
fn ok_to_the_caller_has_the_fields_of_a_focus() {
    let mut world = World::new();
    let call = world.ad_hoc(&["sip:bob@example.com"]);
    let (bob, _) = world.invites().remove(0);
    world.accept(bob);
    let headers = world.final_of(call).headers;
    let room = world.room();
    assert_eq!(
        headers.first("Contact"),
        Some(format!("<sip:{room}@192.0.2.9:5060>;isfocus;+g.oma.sip-im").as_str())
    );
    assert_eq!(
        headers.first("P-Asserted-Identity"),
        Some("<sip:conference-factory@im.example>")
    );
    assert!(
        headers
            .first("Server")
            .unwrap()
            .starts_with("IM-serv/OMA1.0")
    );
    assert_eq!(headers.first("Session-Expires"), Some("1800;refresher=uac"));
    assert_eq!(headers.first("Require"), Some("timer"));
    assert!(headers.first("Allow").unwrap().contains("UPDATE"));
    world.finish();
}

// covers: CTRL-7.2.2.1-01, CTRL-7.2.2.1-02, CTRL-7.2.2.1-03, CTRL-7.2.2.1-05, CTRL-7.2.2.1-07, CTRL-7.2.2.1-08, CTRL-7.2.2.1-09, CTRL-7.2.2.1-10, CTRL-7.2.2.1-12, CTRL-7.2.2.2-01, CTRL-7.2.2.2-02, CTRL-7.2.2.2-03, CTRL-7.2.2.2-05, CTRL-7.2.1.2-22
#[test]
fn invitation_has_the_fields_of_a_focus_and_no_list() {
    let mut world = World::new();
    world.ad_hoc(&["sip:bob@example.com", "tel:+15550100"]);
    let invites = world.invites();
    let uris: Vec<_> = invites.iter().map(|(_, r)| r.uri.as_str()).collect();
    assert_eq!(uris, ["sip:bob@example.com", "tel:+15550100"]);
    let room = world.room();
    let request = &invites[0].1;
    let inviter = "\"alice pai\" <sip:alice@example.com>";
    assert_eq!(
        (request.from.as_str(), request.to.as_str()),
        (inviter, "<sip:bob@example.com>")
    );
    assert_eq!(
        request.contact,
        Some(format!("<sip:{room}@192.0.2.9:5060>;isfocus;+g.oma.sip-im"))
    );
    let expected = [
        ("Accept-Contact", "*;+g.oma.sip-im"),
        ("P-Asserted-Identity", inviter),
        ("Referred-By", inviter),
        ("Session-Expires", "1800;refresher=uas"),
        ("Supported", "timer"),
        (
            "Allow",
            "INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE, REFER, SUBSCRIBE, NOTIFY, MESSAGE",
        ),
    ];
    for (name, value) in expected {
        assert_eq!(request.headers.first(name), Some(value), "{name}");
    }
    assert_eq!(request.headers.first("Privacy"), None);
    assert_eq!(request.headers.first("Subject"), None);
    let body = request.body.as_ref().unwrap();
    assert_eq!(body.content_type, "application/sdp");
    assert!(body.octets.starts_with(b"v=0"));
    world.finish();
}

// covers: CTRL-7.2.1.2-21
#[test]
fn list_duplicates_and_the_caller_are_not_invited() {
    let mut world = World::new();
    world.ad_hoc(&[
        "sip:bob@example.com",
        "sip:bob@EXAMPLE.com;x=y",
        "sip:alice@example.com",
        "sip:carol@example.com",
    ]);
    let uris: Vec<_> = world.invites().into_iter().map(|(_, r)| r.uri).collect();
    assert_eq!(uris, ["sip:bob@example.com", "sip:carol@example.com"]);
    world.sent.clear();
    let mut world = World::new();
    let call = world.ad_hoc(&["sip:alice@example.com"]);
    assert_eq!(world.final_of(call).status, 400);
    world.finish();
}

// covers: CTRL-L-01, CTRL-L-02, CTRL-L-03
#[test]
fn invitation_that_extends_a_session_of_two_replaces_it_for_that_user_alone() {
    let mut world = World::new();
    world.ad_hoc(&[
        "sip:bob@example.com?Replaces=c%40h%3Bto-tag%3D7%3Bfrom-tag%3D9",
        "sip:carol@example.com",
    ]);
    let invites = world.invites();
    let (bob, carol) = (&invites[0].1, &invites[1].1);
    assert_eq!(bob.uri, "sip:bob@example.com");
    assert_eq!(
        bob.headers.first("Replaces"),
        Some("c@h;to-tag=7;from-tag=9")
    );
    assert_eq!(bob.headers.first("Require"), Some("replaces"));
    assert!(bob.headers.first("Referred-By").unwrap().contains("alice"));
    assert!(bob.contact.as_ref().unwrap().contains(";isfocus"));
    assert_eq!(carol.headers.first("Replaces"), None);
    assert_eq!(carol.headers.first("Require"), None);
    let bob = invites[0].0;
    world.accept(bob);
    // The dialog of the two is theirs to end.
    assert!(world.byes().is_empty());
    world.finish();
}

// covers: CTRL-7.2.1.2-13
#[test]
fn answer_types_are_those_of_caller_and_first_invitee() {
    let mut world = World::new();
    let body = multipart(
        &sdp_with("alice", "message/cpim text/plain a/b"),
        LIST_OF_BOB,
    );
    let call = world.invite(FACTORY, caller("alice"), body);
    let (bob, _) = world.invites().remove(0);
    world.respond(
        bob,
        200,
        Headers::new(),
        Some(sdp_with("bob", "message/cpim a/b c/d")),
    );
    let Command::AddParticipant { local, .. } = world.commands("enter").remove(0) else {
        unreachable!()
    };
    assert_eq!(local.accept_types.unwrap(), ["message/cpim", "a/b"]);
    assert_eq!(
        local.accept_wrapped_types.unwrap(),
        ["text/plain", "image/png", "a/b"]
    );
    assert_eq!(world.final_of(call).status, 200);
    world.finish();
}

// covers: CTRL-7.2.2.2-06, CTRL-7.2.1.2-14
#[test]
fn media_lines_are_repeated_without_the_transport() {
    let mut world = World::new();
    let text = String::from_utf8(sdp("alice").octets).unwrap()
        + "a=max-size:5000\r\na=sendonly\r\na=file-selector:name:\"x\"\r\na=fingerprint:sha-1 AA\r\n";
    let body = multipart(
        &crate::ua::Body {
            content_type: String::new(),
            octets: text.into_bytes(),
        },
        LIST_OF_BOB,
    );
    world.invite(FACTORY, caller("alice"), body);
    let Command::AddParticipant { local, media, .. } = world.commands("offer").remove(0) else {
        unreachable!()
    };
    assert_eq!(media, Media::MakeOffer);
    assert_eq!(local.accept_types.unwrap(), ["message/cpim", "text/plain"]);
    assert_eq!(
        local.accept_wrapped_types.unwrap(),
        ["text/plain", "image/png"]
    );
    assert_eq!(local.max_size, Some(5000));
    let names: Vec<_> = local
        .attributes
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(names, ["sendonly", "file-selector"]);
    let (bob, _) = world.invites().remove(0);
    world.accept(bob);
    let Command::AddParticipant { local, .. } = world.commands("enter").remove(0) else {
        unreachable!()
    };
    let names: Vec<_> = local
        .attributes
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(names, ["recvonly", "file-selector"]);
    world.finish();
}

// covers: COM-5.1-01, COM-5.5-06
#[test]
fn asserted_addresses_are_the_identities_of_the_caller() {
    let mut world = World::new();
    let headers = Headers::new()
        .with("From", "<sip:somebody@else.example>;tag=1")
        .with(
            "P-Asserted-Identity",
            "<tel:+15551234>, \"Alice\" <sip:alice@example.com>",
        );
    world.invite(
        FACTORY,
        headers,
        list_body("alice", &["sip:bob@example.com"]),
    );
    let (bob, invite) = world.invites().remove(0);
    assert_eq!(invite.from, "\"Alice\" <sip:alice@example.com>");
    world.accept(bob);
    let Command::AddParticipant { config, .. } = world.commands("enter").remove(0) else {
        unreachable!()
    };
    assert_eq!(config.entity, "sip:alice@example.com");
    assert_eq!(
        config.identities,
        ["sip:alice@example.com", "tel:+15551234"]
    );
    let Command::AddParticipant { config, .. } = world.commands("offer").remove(0) else {
        unreachable!()
    };
    assert_eq!(config.identities, ["sip:bob@example.com"]);
    world.finish();
}

// covers: PM-7.2.3.4-03, PM-7.2.3.4-04, COM-F.1-03
#[test]
fn releases_and_rights_of_both_sides_reach_the_engine() {
    for private_messages in [true, false] {
        let policy = Policy {
            private_messages,
            ..policy()
        };
        let mut world = World::with(policy, []);
        let headers = caller("alice").with("User-Agent", "IM-client/OMA1.0 Vendor/3");
        let list = ["sip:bob@example.com", "sip:carol@example.com"];
        world.invite(FACTORY, headers, list_body("alice", &list));
        let invites = world.invites();
        world.accept_with(invites[0].0, "im-serv/oma2.0");
        world.accept_with(invites[1].0, "Vendor/3");
        let config = |command: Command| match command {
            Command::AddParticipant { config, .. } | Command::UpdateParticipant { config, .. } => {
                (config.entity, config.shows_release, config.may_send_private)
            }
            _ => unreachable!(),
        };
        let of = |name: &str| format!("sip:{name}@example.com");
        let entered: Vec<_> = world.commands("enter").into_iter().map(config).collect();
        assert_eq!(entered, [(of("alice"), true, private_messages)]);
        let offered: Vec<_> = world.commands("offer").into_iter().map(config).collect();
        let expected = ["bob", "carol"].map(|name| (of(name), false, private_messages));
        assert_eq!(offered, expected, "nothing is known of them yet");
        let updated: Vec<_> = world.commands("update").into_iter().map(config).collect();
        assert_eq!(updated, [(of("bob"), true, private_messages)]);
        world.finish();
    }
}

#[test]
fn contact_follows_the_transport_of_the_peer() {
    let mut world = World::new();
    world.ad_hoc(&["sip:bob@192.0.2.7;transport=TCP", "sip:carol@192.0.2.7"]);
    let contacts: Vec<_> = world
        .invites()
        .into_iter()
        .filter_map(|(_, r)| r.contact)
        .collect();
    assert!(contacts[0].contains("@192.0.2.9:5061;transport=tcp>;isfocus"));
    assert!(contacts[1].contains("@192.0.2.9:5060>;isfocus"));
}

#[test]
fn room_answers_to_all_forms_of_the_session_identity() {
    let mut world = World::new();
    world.ad_hoc(&["sip:bob@example.com"]);
    let Command::CreateRoom { room, config } = world.commands("create").remove(0) else {
        unreachable!()
    };
    let expected = [
        format!("sip:{room}@im.example"),
        format!("sip:{room}@192.0.2.9:5060"),
        format!("sip:{room}@192.0.2.9:5061;transport=tcp"),
    ];
    assert_eq!(config.uris, expected);
    assert!(
        room.as_str()
            .strip_prefix("im-")
            .is_some_and(|digits| digits.len() == 32)
    );
    world.finish();
}

#[test]
fn session_identities_are_never_the_same() {
    let mut world = World::new();
    for _ in 0..20 {
        world.ad_hoc(&["sip:bob@example.com"]);
    }
    assert_eq!(world.engine.rooms.len(), 20);
    world.finish();
}

// covers: CTRL-7.2.1.2-19
#[test]
fn ringing_is_told_to_the_caller_once() {
    let mut world = World::new();
    let call = world.ad_hoc(&["sip:bob@example.com", "sip:carol@example.com"]);
    let invites = world.invites();
    world.respond(invites[0].0, 183, Headers::new(), None);
    assert!(world.provisionals(call).is_empty());
    world.respond(invites[0].0, 180, Headers::new(), None);
    world.respond(invites[1].0, 180, Headers::new(), None);
    let provisionals = world.provisionals(call);
    assert_eq!(provisionals.len(), 1);
    let headers = &provisionals[0].headers;
    assert!(headers.first("Server").is_some() && headers.first("Allow").is_some());
    assert!(headers.first("Contact").unwrap().contains("isfocus"));
    assert_eq!(
        headers.first("P-Asserted-Identity"),
        Some("<sip:conference-factory@im.example>")
    );
    assert_eq!(provisionals[0].body, None);
    world.finish();
}

// covers: CTRL-7.2.1.2-17
#[test]
fn all_refused_gives_the_caller_the_lowest_status() {
    let mut world = World::new();
    let call = world.ad_hoc(&[
        "sip:bob@example.com",
        "sip:carol@example.com",
        "sip:dave@example.com",
    ]);
    let invites = world.invites();
    world.respond(invites[0].0, 603, Headers::new(), None);
    world.respond(invites[1].0, 486, Headers::new(), None);
    assert!(world.is_unanswered(call));
    world.respond(invites[2].0, 500, Headers::new(), None);
    assert_eq!(world.final_of(call).status, 486);
    assert!(world.engine.rooms.is_empty());
    world.finish();
}

#[test]
fn challenged_invitation_counts_as_forbidden() {
    let mut world = World::new();
    let call = world.ad_hoc(&["sip:bob@example.com"]);
    let bob = world.invites()[0].0;
    world.respond(bob, 407, Headers::new(), None);
    assert_eq!(world.final_of(call).status, 403);
    world.finish();
}

// covers: CTRL-7.2.2.2-15
#[test]
fn later_refusal_does_not_disturb_the_session() {
    let mut world = World::new();
    let call = world.ad_hoc(&[
        "sip:bob@example.com",
        "sip:carol@example.com",
        "sip:dave@example.com",
    ]);
    let invites = world.invites();
    world.accept(invites[1].0);
    assert_eq!(world.final_of(call).status, 200);
    world.respond(invites[0].0, 603, Headers::new(), None);
    world.accept(invites[2].0);
    assert_eq!(world.participants_count(), 3);
    assert_eq!(world.commands("answer").len(), 2);
    world.finish();
}

#[test]
fn silent_invitee_is_cancelled_and_counts_as_timeout() {
    let mut world = World::new();
    let call = world.ad_hoc(&["sip:bob@example.com"]);
    let bob = world.invites()[0].0;
    assert_eq!(world.wait(), 180);
    assert_eq!(world.final_of(call).status, 408);
    assert_eq!(world.cancels(), [bob]);
    world.respond(bob, 487, Headers::new(), None);
    world.finish();
}

// covers: CTRL-7.2.1.2-20
#[test]
fn cancel_ends_the_pending_invitations() {
    let mut world = World::new();
    let call = world.ad_hoc(&["sip:bob@example.com", "sip:carol@example.com"]);
    let invites = world.invites();
    world.end(call.dialog, DialogEnd::Cancelled);
    assert_eq!(world.cancels(), [invites[0].0, invites[1].0]);
    assert!(world.engine.rooms.is_empty());
    world.respond(invites[0].0, 487, Headers::new(), None);
    // The answer of the other crossed the CANCEL.
    world.accept(invites[1].0);
    let byes = world.byes();
    assert_eq!(byes.len(), 1);
    assert_eq!(byes[0].0, invites[1].0);
    assert!(world.focus.is_idle());
    world.finish();
}

#[test]
fn cancel_before_the_engine_answers_leaves_nothing() {
    let mut world = World::new();
    world.engine.is_held = true;
    let call = world.ad_hoc(&["sip:bob@example.com"]);
    world.end(call.dialog, DialogEnd::Cancelled);
    world.engine.is_held = false;
    world.settle();
    assert!(world.invites().is_empty() && world.engine.rooms.is_empty());
    world.finish();
}

// covers: CTRL-7.2.1.2-05, CTRL-7.2.2.2-08, CTRL-7.2.2.2-10
#[test]
fn methods_of_the_peers_are_kept() {
    let mut world = World::new();
    let call = world.ad_hoc(&["sip:bob@example.com"]);
    assert_eq!(
        world.focus.peer_methods(call.dialog),
        Some("INVITE, ACK, BYE, CANCEL, UPDATE")
    );
    let bob = world.invites()[0].0;
    assert_eq!(world.focus.peer_methods(bob), None);
    world.respond(bob, 180, Headers::new().with("Allow", "INVITE"), None);
    assert_eq!(world.focus.peer_methods(bob), Some("INVITE"));
    world.respond(
        bob,
        200,
        Headers::new().with("Allow", "INVITE, BYE"),
        Some(sdp("bob")),
    );
    assert_eq!(world.focus.peer_methods(bob), Some("INVITE, BYE"));
    world.finish();
}

#[test]
fn engine_that_makes_no_room_is_told_to_the_caller() {
    for (step, code, status) in [
        ("create", ErrorCode::Limit, 503),
        ("offer", ErrorCode::Limit, 503),
        ("create", ErrorCode::Unavailable, 503),
    ] {
        let mut world = World::new();
        world.engine.fails.insert(step, code);
        let call = world.ad_hoc(&["sip:bob@example.com"]);
        assert_eq!(world.final_of(call).status, status, "{step}");
        world.finish();
    }
}

#[test]
fn engine_that_refuses_the_caller_releases_the_invitee() {
    let mut world = World::new();
    world.engine.fails.insert("enter", ErrorCode::NotAcceptable);
    let call = world.ad_hoc(&["sip:bob@example.com"]);
    let bob = world.invites()[0].0;
    world.accept(bob);
    let answer = world.final_of(call);
    assert_eq!(answer.status, 488);
    assert!(answer.body.is_some());
    let byes = world.byes();
    assert_eq!(byes[0].0, bob);
    world.finish_request(byes[0].1, 200, Headers::new());
    world.finish();
}

#[test]
fn invitee_with_an_unusable_answer_is_released() {
    for body in [
        None,
        Some(crate::ua::Body {
            content_type: "application/sdp".into(),
            octets: b"v=0\r\nm=audio 1 RTP/AVP 0\r\n".to_vec(),
        }),
    ] {
        let mut world = World::new();
        let call = world.ad_hoc(&["sip:bob@example.com"]);
        let bob = world.invites()[0].0;
        world.respond(bob, 200, Headers::new(), body);
        let byes = world.byes();
        assert_eq!(byes.len(), 1);
        assert_eq!(world.final_of(call).status, 488);
        world.finish_request(byes[0].1, 200, Headers::new());
        world.finish();
    }
}

#[test]
fn small_interval_of_an_invitee_is_raised_once() {
    let mut world = World::new();
    let call = world.ad_hoc(&["sip:bob@example.com"]);
    let first = world.invites()[0].0;
    world.respond(first, 422, Headers::new().with("Min-SE", "3600"), None);
    let (second, request) = world.invites().remove(0);
    assert_ne!(first, second);
    assert_eq!(
        request.headers.first("Session-Expires"),
        Some("3600;refresher=uas")
    );
    world.respond(second, 422, Headers::new().with("Min-SE", "7200"), None);
    assert!(world.invites().is_empty());
    assert_eq!(world.final_of(call).status, 422);
    world.finish();
}

// covers: COM-5.1-04, ALIAS-7.2.3.2-04, CTRL-7.2.2.1-11
#[test]
fn hidden_caller_is_shown_to_nobody() {
    let mut world = World::new();
    let call = world.invite(
        FACTORY,
        anonymous("alice"),
        list_body("x", &["sip:bob@example.com"]),
    );
    let (bob, invite) = world.invites().remove(0);
    assert!(!format!("{invite:?}").contains("alice"), "{invite:?}");
    assert_eq!(invite.from, "\"Joy\" <sip:anonymous@anonymous.invalid>");
    assert_eq!(invite.headers.first("Privacy"), Some("id"));
    assert_eq!(invite.headers.first("P-Asserted-Identity"), None);
    assert_eq!(
        invite.headers.first("Referred-By"),
        Some("\"Joy\" <sip:anonymous@anonymous.invalid>")
    );
    world.accept(bob);
    let Command::AddParticipant { config, .. } = world.commands("enter").remove(0) else {
        unreachable!()
    };
    assert_eq!(config.entity, "sip:anonymous@anonymous.invalid");
    assert_eq!(config.identities, ["sip:anonymous@anonymous.invalid"]);
    assert_eq!(world.final_of(call).status, 200);
    world.finish();
}

// covers: CTRL-7.2.1.2-04
#[test]
fn hidden_caller_is_refused_where_anonymity_is_off() {
    let mut world = World::with(
        Policy {
            anonymity: false,
            ..policy()
        },
        [],
    );
    let call = world.invite(
        FACTORY,
        anonymous("alice"),
        list_body("x", &["sip:bob@example.com"]),
    );
    assert_eq!(
        world.refusal(call),
        (
            403,
            Some("399 im.example \"119 Anonymity not allowed\"".into())
        )
    );
    world.finish();
}

// covers: CTRL-7.2.1.2-09
#[test]
fn too_many_invitees_are_refused_and_nobody_is_invited() {
    let mut world = World::with(
        Policy {
            adhoc_participants_max: 2,
            ..policy()
        },
        [],
    );
    let call = world.ad_hoc(&["sip:b@h", "sip:c@h", "sip:d@h"]);
    assert_eq!(
        world.refusal(call),
        (
            486,
            Some("399 im.example \"102 Too many participants\"".into())
        )
    );
    assert!(world.invites().is_empty() && world.engine.log.is_empty());
    let call = world.ad_hoc(&["sip:b@h", "sip:c@h", "sip:alice@example.com"]);
    assert!(world.is_unanswered(call));
    world.finish();
}

// covers: CTRL-7.2.1.5-11, CTRL-7.2.1.5-13, CTRL-7.2.1.5-14, CTRL-7.2.1.5-16, CTRL-7.2.2.9-01
#[test]
fn user_of_the_list_comes_back_with_the_session_identity() {
    let mut world = World::new();
    let call = world.ad_hoc(&["sip:bob@example.com", "sip:carol@example.com"]);
    let invites = world.invites();
    world.accept(invites[0].0);
    world.accept(invites[1].0);
    world.acknowledge(call);
    world.end(invites[0].0, DialogEnd::Bye);
    let room = world.room();
    let back = world.invite(
        &format!("sip:{room}@192.0.2.9:5060"),
        caller("bob"),
        sdp("bob2"),
    );
    let answer = world.final_of(back);
    assert_eq!(answer.status, 200);
    assert!(
        answer
            .headers
            .first("Contact")
            .unwrap()
            .contains(room.as_str())
    );
    assert_eq!(world.participants_count(), 3);
    world.finish();
}

// covers: CTRL-7.2.1.5-01, CTRL-7.2.1.5-02, CTRL-7.2.1.5-03, CTRL-7.2.1.5-04, CTRL-7.2.2.9-03
#[test]
fn strangers_and_unknown_sessions_are_refused() {
    let mut world = World::new();
    world.one_to_one();
    let room = world.room();
    let stranger = world.invite(
        &format!("sip:{room}@im.example"),
        caller("mallory"),
        sdp("m"),
    );
    assert_eq!(
        world.refusal(stranger),
        (
            403,
            Some("399 im.example \"122 Function not allowed\"".into())
        )
    );
    let gone = world.invite(
        &format!("sip:im-{}@im.example", "0".repeat(32)),
        caller("bob"),
        sdp("b"),
    );
    assert_eq!(
        world.refusal(gone),
        (
            403,
            Some("399 im.example \"123 Session does not exist\"".into())
        )
    );
    world.finish();
}

const LIST_OF_BOB: &str = "<resource-lists xmlns=\"urn:ietf:params:xml:ns:resource-lists\"><list><entry uri=\"sip:bob@example.com\"/></list></resource-lists>";
