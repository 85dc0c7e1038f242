//! Large messages: sessions that exist for one message.

use msrp_control::{Command, Event, LocalMedia, ParticipantId};

use super::world::{
    Call, FACTORY, World, anonymous, caller, list_body, multipart, policy, sdp_text, sdp_with, uri,
};
use crate::focus::{LargePolicy, Policy};
use crate::groups::Group;
use crate::ua::{Body, DialogEnd, DialogId, Headers};

const BOB: &str = "sip:bob@example.com";
const CAROL: &str = "sip:carol@example.com";
const DAVE: &str = "sip:dave@example.com";
const GROUP: &str = "sip:friends@im.example";
const TAG: &str = "+g.oma.sip-im.large-message";

fn sender() -> Headers {
    caller("alice").with("Accept-Contact", format!("*;+g.oma.sip-im;{TAG}"))
}

/// An offer as a client makes it for a large message.
fn offer(session: &str, types: &str) -> Body {
    let text = sdp_text(session, types, "active") + "a=max-size:5000000\r\na=sendonly\r\n";
    Body {
        content_type: "application/sdp".into(),
        octets: text.into_bytes(),
    }
}

fn list(uris: &[&str]) -> Body {
    let entries: String = uris
        .iter()
        .map(|uri| format!("<entry uri=\"{uri}\"/>"))
        .collect();
    let list = format!(
        "<resource-lists xmlns=\"urn:ietf:params:xml:ns:resource-lists\"><list>{entries}</list></resource-lists>"
    );
    multipart(&offer("alice", "message/cpim text/plain image/png"), &list)
}

/// Alice sends a large message to these.
fn send(world: &mut World, uris: &[&str]) -> (Call, Vec<DialogId>) {
    let call = world.invite(FACTORY, sender(), list(uris));
    let dialogs = world.invites().iter().map(|(dialog, _)| *dialog).collect();
    (call, dialogs)
}

fn id(name: &str) -> ParticipantId {
    ParticipantId::new(name).unwrap()
}

fn offers(world: &World) -> Vec<LocalMedia> {
    let offers = world.commands("offer").into_iter().map(|command| {
        let Command::AddParticipant { local, .. } = command else {
            panic!("{command:?}");
        };
        local
    });
    offers.collect()
}

// covers: LRG-9.3.1.1-01, LRG-9.3.1.1-02, LRG-9.3.2.1-01, LRG-9.3.2.1-02, LRG-9.3.2.1-05, LRG-9.3.2.1-06
#[test]
fn large_message_to_a_list_invites_each_with_the_feature_tag() {
    let mut world = World::new();
    let call = world.invite(
        FACTORY,
        sender(),
        list(&[BOB, CAROL, BOB, "sip:alice@example.com"]),
    );
    let invites = world.invites();
    let uris: Vec<_> = invites.iter().map(|(_, r)| r.uri.as_str()).collect();
    assert_eq!(uris, [BOB, CAROL]);
    let room = world.room();
    for (_, invite) in &invites {
        assert_eq!(
            invite.headers.first("Accept-Contact"),
            Some(format!("*;+g.oma.sip-im;{TAG}").as_str())
        );
        let contact = format!("<sip:{room}@192.0.2.9:5060>;isfocus;+g.oma.sip-im;{TAG}");
        assert_eq!(invite.contact.as_deref(), Some(contact.as_str()));
        assert_eq!(
            invite.headers.first("Session-Expires"),
            Some("1800;refresher=uas")
        );
        assert!(
            invite
                .headers
                .first("Referred-By")
                .unwrap()
                .contains("alice")
        );
    }
    for local in offers(&world) {
        let types = local.accept_types.unwrap();
        assert_eq!(types, ["message/cpim", "text/plain", "image/png"]);
        assert_eq!(local.max_size, Some(5_000_000));
        assert_eq!(local.attributes, [("sendonly".to_owned(), None)]);
    }
    let names: Vec<_> = world.engine.log.iter().map(super::world::name).collect();
    assert_eq!(names, ["create", "delivery", "offer", "offer"]);
    assert!(world.is_unanswered(call));
    world.finish();
}

// covers: LRG-9.3.1.1-01
#[test]
fn large_message_is_recognised_in_either_header_and_not_by_its_direction() {
    let in_contact =
        caller("alice").with("Contact", format!("<sip:a@192.0.2.1>;+g.oma.sip-im;{TAG}"));
    let cases = [
        (sender(), true),
        (in_contact, true),
        (
            caller("alice").with("Accept-Contact", format!("*;{}", TAG.to_uppercase())),
            true,
        ),
        (caller("alice"), false),
        (
            caller("alice").with("Accept-Contact", format!("*;{TAG}r")),
            false,
        ),
    ];
    for (headers, is_large) in cases {
        let mut world = World::new();
        world.invite(FACTORY, headers.clone(), list(&[BOB]));
        assert_eq!(
            world.commands("delivery").len(),
            usize::from(is_large),
            "{headers:?}"
        );
        world.finish();
    }
}

// covers: LRG-9.3.1.1-04, LRG-9.3.1.1-05, LRG-9.3.1.1-06, LRG-9.3.2.1-08
#[test]
fn large_message_sender_is_answered_by_the_first_acceptance() {
    let mut world = World::new();
    let (call, dialogs) = send(&mut world, &[BOB, CAROL]);
    let answer = Headers::new().with("Session-Expires", "1800;refresher=uas");
    let body = sdp_with("bob", "message/cpim image/png text/html");
    world.respond(dialogs[0], 200, answer, Some(body));
    let ok = world.final_of(call);
    assert_eq!(ok.status, 200);
    assert!(ok.headers.first("Contact").unwrap().ends_with(TAG));
    let Command::AddParticipant { local, .. } = world.commands("enter").remove(0) else {
        panic!("no caller");
    };
    assert_eq!(local.accept_types.unwrap(), ["message/cpim", "image/png"]);
    assert!(local.attributes.contains(&("recvonly".to_owned(), None)));
    world.acknowledge(call);
    world.accept(dialogs[1]);
    assert_eq!(world.participants_count(), 3);
    world.finish();
}

// covers: LRG-9.3.1.1-08
#[test]
fn large_message_that_all_refuse_is_refused_with_the_lowest_status() {
    let mut world = World::new();
    let (call, dialogs) = send(&mut world, &[BOB, CAROL, DAVE]);
    for (dialog, status) in dialogs.iter().zip([603, 486, 480]) {
        world.respond(*dialog, status, Headers::new(), None);
    }
    assert_eq!(world.final_of(call).status, 480);
    world.finish();
}

// covers: LRG-9.3.1.1-09
#[test]
fn large_message_sender_is_removed_when_everybody_has_gone() {
    let mut world = World::new();
    let (call, dialogs) = send(&mut world, &[BOB, CAROL]);
    world.accept(dialogs[0]);
    world.acknowledge(call);
    world.end(dialogs[0], DialogEnd::Bye);
    assert!(world.byes().is_empty(), "carol may come");
    world.respond(dialogs[1], 603, Headers::new(), None);
    let byes = world.byes();
    assert_eq!(byes.len(), 1);
    assert_eq!(byes[0].0, call.dialog);
    world.finish_request(byes[0].1, 200, Headers::new());
    assert!(world.engine.rooms.is_empty());
    world.finish();
}

#[test]
fn invited_people_that_do_not_come_are_named_to_the_room() {
    let mut world = World::new();
    let erin = "sip:erin@example.com";
    let frank = "sip:frank@example.com";
    let (call, dialogs) = send(&mut world, &[BOB, CAROL, DAVE, erin, frank]);
    world.accept(dialogs[0]);
    world.acknowledge(call);
    world.respond(dialogs[1], 486, Headers::new(), None);
    world.respond(dialogs[2], 407, Headers::new(), None);
    // An answer without a description, and one that never comes.
    world.respond(dialogs[3], 200, Headers::new(), None);
    let bye = world.byes().remove(0);
    world.finish_request(bye.1, 200, Headers::new());
    world.wait();
    assert_eq!(world.cancels(), [dialogs[4]]);
    world.respond(dialogs[4], 487, Headers::new(), None);
    let excused: Vec<_> = world
        .commands("excuse")
        .into_iter()
        .map(|command| match command {
            Command::ExcuseParticipant {
                participant,
                status,
                ..
            } => (participant.as_str().to_owned(), status),
            other => panic!("{other:?}"),
        })
        .collect();
    let named = |name: &str, status| (name.to_owned(), status);
    assert_eq!(
        excused,
        [
            named("p2", 486),
            named("p3", 403),
            named("p4", 488),
            named("p5", 408)
        ]
    );
    world.finish();
}

// covers: LRG-9.3.1.2-01
#[test]
fn large_message_that_is_cancelled_cancels_its_invitations() {
    let mut world = World::new();
    let (call, dialogs) = send(&mut world, &[BOB, CAROL]);
    world.end(call.dialog, DialogEnd::Cancelled);
    assert_eq!(world.cancels(), dialogs);
    assert!(world.engine.rooms.is_empty());
    for dialog in dialogs {
        world.respond(dialog, 487, Headers::new(), None);
    }
    world.finish();
}

// covers: LRG-9.3.1.3-02, LRG-9.3.1.3-05
#[test]
fn recipients_are_released_one_by_one_when_they_have_everything() {
    let mut world = World::new();
    let (call, dialogs) = send(&mut world, &[BOB, CAROL, DAVE]);
    world.accept(dialogs[0]);
    world.acknowledge(call);
    world.accept(dialogs[1]);
    world.engine.unserved = [id("p1"), id("p2"), id("p3")].into();
    world.end(call.dialog, DialogEnd::Bye);
    assert!(world.byes().is_empty() && world.cancels().is_empty());
    world.serve("p2");
    let byes = world.byes();
    assert_eq!(byes.len(), 1);
    assert_eq!(byes[0].0, dialogs[1]);
    world.finish_request(byes[0].1, 200, Headers::new());
    // Dave accepts after the sender has gone, and is served.
    world.accept(dialogs[2]);
    world.serve("p3");
    let dave = world.byes().remove(0);
    assert_eq!(dave.0, dialogs[2]);
    world.finish_request(dave.1, 200, Headers::new());
    assert_eq!(world.engine.rooms.len(), 1);
    world.serve("p1");
    let bob = world.byes().remove(0);
    assert_eq!(bob.0, dialogs[0]);
    world.finish_request(bob.1, 200, Headers::new());
    assert!(world.engine.rooms.is_empty());
    world.finish();
}

// covers: LRG-9.3.1.3-02
#[test]
fn invitations_are_cancelled_when_nothing_is_kept_for_them() {
    let mut world = World::new();
    let (call, dialogs) = send(&mut world, &[BOB, CAROL]);
    world.accept(dialogs[0]);
    world.acknowledge(call);
    world.end(call.dialog, DialogEnd::Bye);
    let bob = world.byes().remove(0);
    assert_eq!(bob.0, dialogs[0]);
    world.finish_request(bob.1, 200, Headers::new());
    assert_eq!(world.cancels(), [dialogs[1]]);
    world.respond(dialogs[1], 487, Headers::new(), None);
    assert!(world.engine.rooms.is_empty());
    world.finish();
}

#[test]
fn recipient_that_is_too_late_is_released_whatever_it_does() {
    let mut world = World::new();
    let (call, dialogs) = send(&mut world, &[BOB, CAROL, DAVE]);
    world.accept(dialogs[0]);
    world.acknowledge(call);
    world.accept(dialogs[1]);
    let room = world.room();
    let too_late = |participant: &str| Event::ParticipantTooLate {
        room: room.clone(),
        participant: id(participant),
    };
    world.engine_event(&too_late("p2"));
    let (dialog, bye, headers) = world.byes().remove(0);
    assert_eq!(dialog, dialogs[1]);
    assert!(headers.first("Reason").unwrap().contains("cause=480"));
    world.engine_event(&too_late("p3"));
    assert_eq!(world.cancels(), [dialogs[2]]);
    world.respond(dialogs[2], 487, Headers::new(), None);
    world.finish_request(bye, 200, Headers::new());
    assert_eq!(world.participants_count(), 2);
    world.finish();
}

#[test]
fn recipient_that_wants_to_talk_has_no_word() {
    let mut world = World::new();
    let (_, dialogs) = send(&mut world, &[BOB, CAROL]);
    world.accept(dialogs[0]);
    let text = sdp_text("carol", "message/cpim text/plain", "active") + "a=recvonly\r\n";
    let body = Body {
        content_type: "application/sdp".into(),
        octets: text.into_bytes(),
    };
    world.respond(dialogs[1], 200, Headers::new(), Some(body));
    let muted = world.commands("mute");
    assert_eq!(muted.len(), 1);
    assert!(matches!(
        &muted[0],
        Command::SetMuted { participant, is_muted: true, .. } if *participant == id("p1")
    ));
    world.finish();
}

fn friends() -> Group {
    Group::open_to_all(uri(GROUP))
        .with_member(uri("sip:alice@example.com"), None)
        .with_member(uri(BOB), Some("Bob B."))
        .with_member(uri(CAROL), None)
}

fn plain_offer() -> Body {
    offer("alice", "message/cpim text/plain")
}

// covers: LRG-9.3.1.1-03, LRG-9.3.2.1-03
#[test]
fn large_message_to_a_group_invites_its_members_beside_its_session() {
    let mut world = World::with(policy(), [friends()]);
    let talk = world.invite(GROUP, caller("bob"), plain_offer());
    assert_eq!(world.final_of(talk).status, 200);
    world.acknowledge(talk);
    let call = world.invite(GROUP, sender(), plain_offer());
    let invites = world.invites();
    let uris: Vec<_> = invites.iter().map(|(_, r)| r.uri.as_str()).collect();
    assert_eq!(uris, [BOB, CAROL]);
    assert_eq!(invites[0].1.from, format!("<{GROUP}>"));
    world.accept(invites[0].0);
    assert_eq!(world.final_of(call).status, 200);
    assert_eq!(world.engine.rooms.len(), 2);
    // The session in which the group talks is still the one to join.
    let carol = world.invite(GROUP, caller("carol"), plain_offer());
    assert_eq!(world.final_of(carol).status, 200);
    assert_eq!(world.engine.rooms.len(), 2);
    world.acknowledge(call);
    world.finish();
}

// covers: LRG-9.3.1.1-02, LRG-9.3.1.1-03
#[test]
fn large_message_is_checked_as_an_invitation_to_talk_is() {
    let mut closed = friends();
    closed.rules = Some(Vec::new());
    let mut no_messages = friends();
    no_messages.supports_pager = false;
    no_messages.supports_im = false;
    let alone = Group::open_to_all(uri(GROUP)).with_member(uri("sip:alice@example.com"), None);
    let cases = [
        (closed, sender(), 403),
        (no_messages, sender(), 404),
        (alone, sender(), 480),
        (
            friends(),
            Headers::new().with("Accept-Contact", format!("*;{TAG}")),
            403,
        ),
        (
            friends(),
            anonymous("alice").with("Accept-Contact", format!("*;{TAG}")),
            403,
        ),
    ];
    for (group, headers, status) in cases {
        let mut world = World::with(policy(), [group]);
        let call = world.invite(GROUP, headers, plain_offer());
        assert_eq!(world.final_of(call).status, status);
        world.finish();
    }
    let few = Policy {
        adhoc_participants_max: 1,
        ..policy()
    };
    let mut world = World::with(few, []);
    let (call, _) = send(&mut world, &[BOB, CAROL]);
    assert_eq!(world.refusal(call).0, 486);
    let nobody = world.invite(FACTORY, sender(), plain_offer());
    assert_eq!(world.final_of(nobody).status, 400);
    world.finish();
}

#[test]
fn large_message_that_is_not_offered_to_be_sent_is_refused() {
    let mut world = World::new();
    let text = sdp_text("alice", "message/cpim", "active") + "a=recvonly\r\n";
    let body = Body {
        content_type: "application/sdp".into(),
        octets: text.into_bytes(),
    };
    let list = "<resource-lists xmlns=\"urn:ietf:params:xml:ns:resource-lists\"><list>\
        <entry uri=\"sip:bob@example.com\"/></list></resource-lists>";
    let call = world.invite(FACTORY, sender(), multipart(&body, list));
    assert_eq!(world.final_of(call).status, 488);
    world.finish();
}

#[test]
fn large_message_of_others_cannot_be_joined_or_changed() {
    let mut world = World::new();
    let (call, dialogs) = send(&mut world, &[BOB, CAROL]);
    world.accept(dialogs[0]);
    world.acknowledge(call);
    let session = format!("sip:{}@im.example", world.room());
    let carol = world.invite(&session, caller("carol"), plain_offer());
    assert_eq!(world.final_of(carol).status, 403);
    let refer = Headers::new().with("Refer-To", "<sip:dave@example.com>");
    let answer = world.request(Some(call.dialog), crate::ua::Method::Refer, refer, None);
    assert_eq!(answer.status, 403);
    world.finish();
}

// covers: LRG-4.2.1-01
#[test]
fn large_message_rules_are_those_of_the_operator() {
    for one_message in [false, true] {
        let large = LargePolicy {
            hold_octets: 1234,
            hold_ms: 5678,
            one_message,
        };
        let mut world = World::with(Policy { large, ..policy() }, []);
        send(&mut world, &[BOB]);
        let Command::SetDelivery { delivery, .. } = world.commands("delivery").remove(0) else {
            panic!("no rules");
        };
        assert_eq!((delivery.late_octets_max, delivery.late_ms), (1234, 5678));
        assert_eq!(delivery.is_single, one_message);
        assert!(!delivery.takes_bare);
        world.finish();
    }
}

#[test]
fn large_message_without_wrapper_is_relayed_as_its_sender_offers_it() {
    let mut world = World::new();
    let bare = offer("alice", "image/png");
    let list = "<resource-lists xmlns=\"urn:ietf:params:xml:ns:resource-lists\"><list>\
        <entry uri=\"sip:bob@example.com\"/></list></resource-lists>";
    let call = world.invite(FACTORY, sender(), multipart(&bare, list));
    let (bob, _) = world.invites().remove(0);
    world.respond(bob, 200, Headers::new(), Some(sdp_with("bob", "image/png")));
    assert_eq!(world.final_of(call).status, 200);
    let Command::SetDelivery { delivery, .. } = world.commands("delivery").remove(0) else {
        panic!("no rules");
    };
    assert!(delivery.takes_bare);
    world.acknowledge(call);
    // In a session in which people talk the wrapper says who speaks.
    let talk = world.invite(FACTORY, caller("alice"), multipart(&bare, list));
    assert_eq!(world.final_of(talk).status, 488);
    world.finish();
}

#[test]
fn talk_is_not_delivered() {
    let mut world = World::new();
    world.invite(FACTORY, caller("alice"), list_body("alice", &[BOB]));
    assert!(world.commands("delivery").is_empty());
    let invite = &world.invites()[0].1;
    assert!(!format!("{:?}", invite.headers).contains("large"));
    world.finish();
}
