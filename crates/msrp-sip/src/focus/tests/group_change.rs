//! Groups whose documents change while their sessions run.

use msrp_control::Command;

use super::world::{Call, World, anonymous, caller, policy, sdp, uri};
use crate::groups::{ActivePolicy, Condition, Group, Identity, Rights, Rule};
use crate::limits::NS_PER_S;
use crate::ua::Headers;

const GROUP: &str = "sip:club@im.example";

fn group() -> Group {
    let members = ["alice", "bob", "carol"];
    members.iter().fold(Group::new(uri(GROUP)), |g, user| {
        g.with_member(uri(&format!("sip:{user}@example.com")), None)
    })
}

fn inviting() -> Group {
    Group {
        invite_members: true,
        ..group()
    }
}

fn world(group: Group) -> World {
    World::with(policy(), [group])
}

fn call(world: &mut World, user: &str) -> Call {
    world.invite(GROUP, caller(user), sdp(user))
}

fn set_groups(world: &mut World, groups: impl IntoIterator<Item = Group>) {
    let groups = crate::groups::StaticGroups::new(groups);
    world.focus.set_groups(world.now, Box::new(groups));
    world.settle();
}

fn answer_byes(world: &mut World) -> Vec<(crate::ua::DialogId, Option<String>)> {
    let byes = world.byes();
    for (_, transaction, _) in &byes {
        world.finish_request(*transaction, 200, Headers::new());
    }
    let told = |(dialog, _, headers): (_, _, Headers)| {
        (dialog, headers.first("Reason").map(str::to_owned))
    };
    byes.into_iter().map(told).collect()
}

// covers: REL-7.2.2.8-13
#[test]
fn group_that_is_deleted_ends_its_session() {
    for without_im in [false, true] {
        let mut world = world(inviting());
        let alice = call(&mut world, "alice");
        let invites = world.invites();
        world.accept(invites[0].0);
        world.acknowledge(alice);
        let gone = Group {
            supports_im: false,
            ..inviting()
        };
        set_groups(&mut world, without_im.then_some(gone));
        assert_eq!(world.cancels(), [invites[1].0]);
        world.respond(invites[1].0, 487, Headers::new(), None);
        let byes = answer_byes(&mut world);
        assert_eq!(byes.len(), 2);
        assert!(world.focus.is_idle() && world.engine.rooms.is_empty());
        let late = call(&mut world, "bob");
        assert_eq!(world.final_of(late).status, 404);
        world.finish();
    }
}

#[test]
fn group_that_is_deleted_refuses_a_caller_who_waits() {
    let mut world = world(inviting());
    let alice = call(&mut world, "alice");
    set_groups(&mut world, []);
    assert_eq!(world.final_of(alice).status, 404);
    world.finish();
}

// covers: REL-7.2.2.8-14, SEC-14.3-01
#[test]
fn group_that_is_changed_removes_who_may_not_take_part_and_keeps_the_others() {
    let mut world = world(group());
    let alice = call(&mut world, "alice");
    let bob = call(&mut world, "bob");
    let carol = world.invite(GROUP, anonymous("carol"), sdp("carol"));
    for call in [alice, bob, carol] {
        assert_eq!(world.final_of(call).status, 200);
        world.acknowledge(call);
    }
    // The same document again changes nothing.
    set_groups(&mut world, [group()]);
    assert!(world.byes().is_empty());

    let without_bob = Group {
        members: group()
            .members
            .into_iter()
            .filter(|m| m.uri != uri("sip:bob@example.com"))
            .collect(),
        ..group()
    };
    set_groups(&mut world, [without_bob.clone()]);
    let reason = Some("SIP;cause=403;text=\"No longer allowed\"".to_owned());
    assert_eq!(answer_byes(&mut world), [(bob.dialog, reason.clone())]);
    assert_eq!(world.participants_count(), 2);
    let again = call(&mut world, "bob");
    assert_eq!(world.final_of(again).status, 403);

    // Carol may stay as a member, and not hidden.
    let rights = Rights {
        initiate: true,
        join: true,
        ..Rights::default()
    };
    let conditions = vec![Condition::ListMember];
    let open = Group {
        rules: Some(vec![Rule { conditions, rights }]),
        ..without_bob
    };
    set_groups(&mut world, [open.clone()]);
    assert_eq!(answer_byes(&mut world), [(carol.dialog, reason)]);
    assert_eq!(world.participants_count(), 1);

    // What the new document says holds for those who come.
    let small = Group {
        participants_max: Some(1),
        ..open
    };
    set_groups(&mut world, [small]);
    let late = call(&mut world, "carol");
    assert_eq!(world.final_of(late).status, 486);
    world.finish();
}

#[test]
fn invitation_of_somebody_who_was_taken_off_the_group_is_cancelled() {
    let mut world = world(inviting());
    let alice = call(&mut world, "alice");
    let invites = world.invites();
    world.accept(invites[0].0);
    world.acknowledge(alice);
    let without_carol = Group {
        members: group()
            .members
            .into_iter()
            .filter(|m| m.uri != uri("sip:carol@example.com"))
            .collect(),
        ..inviting()
    };
    set_groups(&mut world, [without_carol]);
    assert_eq!(world.cancels(), [invites[1].0]);
    assert!(world.byes().is_empty());
    world.respond(invites[1].0, 487, Headers::new(), None);
    world.finish();
}

// covers: REL-7.2.2.8-06, REL-7.2.2.8-12
#[test]
fn group_whose_length_is_changed_ends_by_the_new_one_from_its_start() {
    let lasting = |duration_s_max| Group {
        active_policy: ActivePolicy {
            duration_s_max,
            ..ActivePolicy::default()
        },
        ..group()
    };
    let mut world = world(lasting(None));
    let begun = world.now;
    let alice = call(&mut world, "alice");
    world.acknowledge(alice);
    let timer = world.focus.poll_timeout();
    world.now = begun + 100 * NS_PER_S;
    set_groups(&mut world, [lasting(Some(300))]);
    assert_eq!(world.focus.poll_timeout(), Some(begun + 300 * NS_PER_S));
    // Without a length it lasts as long as its participants refresh.
    set_groups(&mut world, [lasting(None)]);
    assert_eq!(world.focus.poll_timeout(), timer);
    // One that is over already ends the session at once.
    set_groups(&mut world, [lasting(Some(60))]);
    assert!(world.byes().is_empty());
    assert_eq!(world.wait(), 0);
    assert_eq!(answer_byes(&mut world).len(), 1);
    world.finish();
}

// covers: PM-7.2.3.4-02
#[test]
fn group_whose_rule_for_private_messages_is_changed_tells_the_room() {
    let mut world = world(group());
    for user in ["alice", "bob"] {
        let call = call(&mut world, user);
        world.acknowledge(call);
    }
    let told = |world: &World| -> Vec<(String, bool)> {
        let updates = world.commands("update").into_iter();
        let told = updates.map(|command| match command {
            Command::UpdateParticipant { config, .. } => (config.entity, config.may_send_private),
            other => panic!("{other:?}"),
        });
        told.collect()
    };
    assert_eq!(told(&world), []);
    let rule = |user: &str, private_messages| Rule {
        conditions: vec![Condition::Identity(vec![Identity::One(format!(
            "sip:{user}@example.com"
        ))])],
        rights: Rights {
            private_messages,
            ..Rights::of_member()
        },
    };
    let changed = Group {
        rules: Some(vec![rule("alice", true), rule("bob", false)]),
        ..group()
    };
    set_groups(&mut world, [changed]);
    let without = ("sip:bob@example.com".to_owned(), false);
    assert_eq!(told(&world), std::slice::from_ref(&without));
    assert!(world.byes().is_empty());
    set_groups(&mut world, [group()]);
    let with = ("sip:bob@example.com".to_owned(), true);
    assert_eq!(told(&world), [without, with]);
    world.finish();
}
