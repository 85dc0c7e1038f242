//! Departures, losses and the end of sessions.

use msrp_control::{EndReason, Event, ParticipantId};

use super::world::{Call, World, caller, policy, sdp, uri};
use crate::focus::Policy;
use crate::groups::{ActivePolicy, Group};
use crate::ua::{DialogEnd, DialogId, Headers};

const GROUP: &str = "sip:club@im.example";

fn group() -> Group {
    let members = ["alice", "bob", "carol"].map(|user| format!("sip:{user}@example.com"));
    members.iter().fold(Group::new(uri(GROUP)), |g, member| {
        g.with_member(uri(member), None)
    })
}

/// A group session of these users; all dialogs stand.
fn group_session(world: &mut World, users: &[&str]) -> Vec<Call> {
    let calls: Vec<Call> = users
        .iter()
        .map(|user| world.invite(GROUP, caller(user), sdp(user)))
        .collect();
    for call in &calls {
        world.acknowledge(*call);
    }
    world.sent.clear();
    calls
}

/// An ad-hoc session of alice, bob and carol; all dialogs stand.
fn trio(world: &mut World) -> (Call, DialogId, DialogId) {
    let call = world.ad_hoc(&["sip:bob@example.com", "sip:carol@example.com"]);
    let invites = world.invites();
    world.accept(invites[0].0);
    world.accept(invites[1].0);
    world.acknowledge(call);
    world.sent.clear();
    (call, invites[0].0, invites[1].0)
}

fn bye_dialogs(world: &mut World) -> Vec<DialogId> {
    let byes = world.byes();
    for (_, transaction, _) in &byes {
        world.finish_request(*transaction, 200, Headers::new());
    }
    byes.into_iter().map(|(dialog, _, _)| dialog).collect()
}

// covers: CTRL-7.2.1.10-02, CTRL-7.2.1.10-03
#[test]
fn bye_takes_the_participant_out_of_the_room() {
    let mut world = World::new();
    let (_, bob, _) = trio(&mut world);
    world.end(bob, DialogEnd::Bye);
    assert_eq!(world.commands("remove").len(), 1);
    assert_eq!(world.participants_count(), 2);
    assert!(world.byes().is_empty());
    world.finish();
}

// covers: REL-7.2.2.8-10, CTRL-7.2.2.12-01, CTRL-7.2.2.12-03
#[test]
fn one_to_one_ends_when_one_leaves() {
    let mut world = World::new();
    let (call, bob) = world.one_to_one();
    world.end(bob, DialogEnd::Bye);
    let byes = world.byes();
    assert_eq!((byes.len(), byes[0].0), (1, call.dialog));
    // The media stay until the answer.
    assert_eq!(world.participants_count(), 1);
    world.finish_request(byes[0].1, 200, Headers::new());
    assert!(world.engine.rooms.is_empty());
    assert!(world.focus.is_idle());
    world.finish();
}

// covers: CTRL-7.2.2.12-03
#[test]
fn unanswered_bye_releases_the_media_too() {
    let mut world = World::new();
    let (_, bob) = world.one_to_one();
    world.end(bob, DialogEnd::Bye);
    let byes = world.byes();
    world.finish_request(byes[0].1, 408, Headers::new());
    assert!(world.engine.rooms.is_empty());
    world.finish();
}

// covers: REL-7.2.2.8-08
#[test]
fn ad_hoc_ends_with_its_originator() {
    let mut world = World::new();
    let (call, bob, carol) = trio(&mut world);
    world.end(call.dialog, DialogEnd::Bye);
    assert_eq!(bye_dialogs(&mut world), [bob, carol]);
    assert!(world.focus.is_idle());
    world.finish();
}

// covers: REL-7.2.2.8-07, REL-7.2.2.8-11
#[test]
fn ad_hoc_ends_when_one_is_left() {
    let mut world = World::new();
    let (call, bob, carol) = trio(&mut world);
    world.end(bob, DialogEnd::Bye);
    assert!(world.byes().is_empty());
    world.end(carol, DialogEnd::Bye);
    assert_eq!(bye_dialogs(&mut world), [call.dialog]);
    world.finish();
}

#[test]
fn open_invitation_keeps_an_ad_hoc_session() {
    let mut world = World::new();
    let call = world.ad_hoc(&["sip:bob@example.com", "sip:carol@example.com"]);
    let invites = world.invites();
    world.accept(invites[0].0);
    world.acknowledge(call);
    world.end(invites[0].0, DialogEnd::Bye);
    assert!(world.byes().is_empty());
    world.accept(invites[1].0);
    assert_eq!(world.participants_count(), 2);
    world.finish();
}

// covers: CTRL-7.2.1.2-18
#[test]
fn caller_who_was_answered_leaves_when_all_invitations_failed() {
    let mut world = World::new();
    let call = world.ad_hoc(&["sip:bob@example.com", "sip:carol@example.com"]);
    let invites = world.invites();
    world.accept(invites[0].0);
    world.acknowledge(call);
    let room = world.room();
    let participant = ParticipantId::new("p1").unwrap();
    world.engine_event(&Event::ParticipantLost {
        room,
        participant,
        reason: EndReason::ConnectFailed,
    });
    assert_eq!(bye_dialogs(&mut world), [invites[0].0]);
    world.respond(invites[1].0, 486, Headers::new(), None);
    assert_eq!(bye_dialogs(&mut world), [call.dialog]);
    assert!(world.focus.is_idle());
    world.finish();
}

// covers: REL-7.2.2.8-05, REL-7.2.2.8-01
#[test]
fn group_goes_on_without_its_originator() {
    let mut world = World::with(policy(), [group()]);
    let calls = group_session(&mut world, &["alice", "bob"]);
    world.end(calls[0].dialog, DialogEnd::Bye);
    assert!(world.byes().is_empty());
    world.end(calls[1].dialog, DialogEnd::Bye);
    assert!(world.engine.rooms.is_empty());
    world.finish();
}

// covers: REL-7.2.2.8-02, REL-7.2.2.8-04, REL-7.2.2.8-09
#[test]
fn group_with_auto_release_ends_with_its_originator() {
    for (of_group, of_operator, ends) in [
        (Some(true), false, true),
        (None, true, true),
        (Some(false), true, false),
    ] {
        let group = Group {
            auto_release: of_group,
            ..group()
        };
        let mut world = World::with(
            Policy {
                auto_release: of_operator,
                ..policy()
            },
            [group],
        );
        let calls = group_session(&mut world, &["alice", "bob", "carol"]);
        world.end(calls[0].dialog, DialogEnd::Bye);
        assert_eq!(bye_dialogs(&mut world).len(), if ends { 2 } else { 0 });
        world.finish();
    }
}

#[test]
fn group_ends_below_its_minimum_once_it_was_reached() {
    let active_policy = ActivePolicy {
        participants_min: Some(2),
        ..ActivePolicy::default()
    };
    let mut world = World::with(
        policy(),
        [Group {
            active_policy,
            ..group()
        }],
    );
    let calls = group_session(&mut world, &["alice", "bob"]);
    world.end(calls[0].dialog, DialogEnd::Bye);
    assert_eq!(bye_dialogs(&mut world), [calls[1].dialog]);
    world.finish();
}

// covers: REL-7.2.2.8-02, REL-7.2.2.8-06, REL-7.2.2.8-12
#[test]
fn session_ends_at_its_longest() {
    let active_policy = ActivePolicy {
        duration_s_max: Some(500),
        ..ActivePolicy::default()
    };
    for (of_group, of_operator, expected) in [
        (ActivePolicy::default(), 600, 600),
        (active_policy, 600, 500),
        (active_policy, 400, 500),
        (active_policy, 0, 500),
    ] {
        let group = Group {
            active_policy: of_group,
            ..group()
        };
        let mut world = World::with(
            Policy {
                session_max_s: of_operator,
                ..policy()
            },
            [group],
        );
        group_session(&mut world, &["alice", "bob"]);
        assert_eq!(world.wait(), expected);
        assert_eq!(bye_dialogs(&mut world).len(), 2);
        assert!(world.focus.is_idle());
        world.finish();
    }
}

#[test]
fn bye_waits_for_the_acknowledgement() {
    let mut world = World::new();
    let call = world.ad_hoc(&["sip:bob@example.com"]);
    let bob = world.invites()[0].0;
    world.accept(bob);
    world.end(bob, DialogEnd::Bye);
    assert!(world.byes().is_empty());
    world.acknowledge(call);
    assert_eq!(bye_dialogs(&mut world), [call.dialog]);
    world.finish();
}

#[test]
fn caller_who_never_acknowledges_is_gone() {
    let mut world = World::new();
    let call = world.ad_hoc(&["sip:bob@example.com"]);
    let bob = world.invites()[0].0;
    world.accept(bob);
    world.end(call.dialog, DialogEnd::NoAck);
    assert_eq!(bye_dialogs(&mut world), [bob]);
    world.finish();
}

#[test]
fn byes_that_cross_end_the_dialog_once() {
    let mut world = World::new();
    let (call, bob) = world.one_to_one();
    world.end(bob, DialogEnd::Bye);
    let byes = world.byes();
    world.end(call.dialog, DialogEnd::Bye);
    assert!(world.focus.is_idle());
    world.finish_request(byes[0].1, 481, Headers::new());
    assert_eq!(world.commands("remove").len(), 2);
    assert_eq!(world.commands("close").len(), 1);
    world.finish();
}

#[test]
fn lost_media_end_the_dialog_with_a_reason() {
    let mut world = World::new();
    let (_, bob, _) = trio(&mut world);
    let room = world.room();
    let participant = ParticipantId::new("p1").unwrap();
    world.engine_event(&Event::ParticipantLost {
        room,
        participant,
        reason: EndReason::Stalled,
    });
    let byes = world.byes();
    assert_eq!((byes.len(), byes[0].0), (1, bob));
    assert_eq!(
        byes[0].2.first("Reason"),
        Some("SIP;cause=503;text=\"MSRP session ended: stalled\"")
    );
    world.finish_request(byes[0].1, 200, Headers::new());
    // The engine said itself that it is gone.
    assert!(world.commands("remove").is_empty());
    world.finish();
}

#[test]
fn participant_that_another_controller_removed_gets_bye() {
    let mut world = World::new();
    let (call, bob, carol) = trio(&mut world);
    let (room, participant) = (world.room(), ParticipantId::new("p1").unwrap());
    world.engine_event(&Event::ParticipantRemoved {
        room: room.clone(),
        participant,
    });
    let byes = world.byes();
    assert_eq!((byes.len(), byes[0].0), (1, bob));
    assert_eq!(byes[0].2.first("Reason"), None);
    world.finish_request(byes[0].1, 200, Headers::new());
    // It is out already; nobody is to be taken out a second time.
    assert!(world.commands("remove").is_empty());
    world.engine_event(&Event::RoomClosed { room });
    assert_eq!(bye_dialogs(&mut world), [call.dialog, carol]);
    assert!(world.commands("close").is_empty());
    assert!(world.focus.is_idle());
    world.finish();
}

#[test]
fn lost_room_ends_all_dialogs() {
    let mut world = World::new();
    let (call, bob, carol) = trio(&mut world);
    let room = world.room();
    world.engine_event(&Event::RoomLost {
        room,
        reason: EndReason::ShardFailed,
    });
    assert_eq!(bye_dialogs(&mut world), [call.dialog, bob, carol]);
    assert!(world.commands("close").is_empty());
    assert!(world.focus.is_idle());
    world.finish();
}

#[test]
fn shutdown_ends_dialogs_and_pending_calls() {
    let mut world = World::new();
    world.one_to_one();
    let pending = world.ad_hoc(&["sip:dave@example.com"]);
    let dave = world.invites()[0].0;
    world.focus.begin_shutdown(world.now);
    world.settle();
    assert_eq!(world.final_of(pending).status, 503);
    assert_eq!(world.cancels(), [dave]);
    assert_eq!(bye_dialogs(&mut world).len(), 2);
    assert!(!world.focus.is_idle());
    world.respond(dave, 487, Headers::new(), None);
    assert!(world.focus.is_idle());
    world.finish();
}
