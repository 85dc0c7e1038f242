//! Pre-defined groups.

use msrp_control::Command;

use super::world::{Call, World, anonymous, caller, policy, sdp, sdp_with, uri};
use crate::groups::{ActivePolicy, Condition, Group, Identity, Rights, Rule};
use crate::ua::{DialogEnd, Headers};

const GROUP: &str = "sip:club@im.example";

fn group() -> Group {
    let group = Group::new(uri(GROUP)).with_display_name("Book club");
    ["alice", "bob", "carol"].iter().fold(group, |g, user| {
        let name = format!("{user} of the club");
        g.with_member(uri(&format!("sip:{user}@example.com")), Some(&name))
    })
}

fn inviting() -> Group {
    Group {
        invite_members: true,
        subject: Some("Books".into()),
        ..group()
    }
}

fn world(group: Group) -> World {
    World::with(policy(), [group])
}

fn call(world: &mut World, user: &str) -> Call {
    world.invite(GROUP, caller(user), sdp(user))
}

// covers: PM-7.2.3.4-02
#[test]
fn group_rules_say_who_may_write_to_single_participants() {
    let may = |private_messages, user: &str| Rule {
        conditions: vec![Condition::Identity(vec![Identity::One(
            uri(&format!("sip:{user}@example.com")).key(),
        )])],
        rights: Rights {
            initiate: true,
            join: true,
            private_messages,
            ..Rights::default()
        },
    };
    for (rules, expected) in [
        (None, [true, true]),
        (
            Some(vec![may(true, "alice"), may(false, "bob")]),
            [true, false],
        ),
        (
            Some(vec![may(false, "alice"), may(false, "bob")]),
            [false, false],
        ),
    ] {
        let mut world = world(Group { rules, ..group() });
        for user in ["alice", "bob"] {
            let call = call(&mut world, user);
            assert_eq!(world.final_of(call).status, 200);
        }
        let rights: Vec<_> = world
            .commands("enter")
            .into_iter()
            .map(|command| match command {
                Command::AddParticipant { config, .. } => config.may_send_private,
                _ => unreachable!(),
            })
            .collect();
        assert_eq!(rights, expected);
        world.finish();
    }
}

// covers: CTRL-7.2.1.1-05, CTRL-7.2.1.3-10, CTRL-7.2.1.3-12, CTRL-7.2.2.3-03
#[test]
fn group_without_invitations_answers_at_once() {
    let mut world = world(group());
    let alice = call(&mut world, "alice");
    let answer = world.final_of(alice);
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.headers.first("P-Asserted-Identity"),
        Some("\"Book club\" <sip:club@im.example>")
    );
    assert!(world.invites().is_empty());
    let Command::CreateRoom { config, room } = world.commands("create").remove(0) else {
        unreachable!()
    };
    assert_eq!(
        config.uris[..2],
        [GROUP.to_owned(), format!("sip:{room}@im.example")]
    );
    world.finish();
}

// covers: CTRL-7.2.1.3-11, CTRL-7.2.1.3-14, CTRL-7.2.1.3-15, CTRL-7.2.1.3-16, CTRL-7.2.1.3-17, CTRL-7.2.2.3-02, CTRL-7.2.2.2-04, CTRL-7.2.1.4-10
#[test]
fn group_members_are_invited_and_the_first_answers_the_caller() {
    let mut world = world(inviting());
    let alice = call(&mut world, "alice");
    assert!(world.is_unanswered(alice));
    let invites = world.invites();
    let uris: Vec<_> = invites.iter().map(|(_, r)| r.uri.as_str()).collect();
    assert_eq!(uris, ["sip:bob@example.com", "sip:carol@example.com"]);
    world.respond(
        invites[0].0,
        200,
        Headers::new(),
        Some(sdp_with("bob", "message/cpim text/plain x/y")),
    );
    assert_eq!(world.final_of(alice).status, 200);
    let Command::AddParticipant { local, .. } = world.commands("enter").remove(0) else {
        unreachable!()
    };
    assert_eq!(local.accept_types.unwrap(), ["message/cpim", "text/plain"]);
    world.accept(invites[1].0);
    assert_eq!(world.participants_count(), 3);
    world.finish();
}

// covers: CTRL-7.2.2.1-06, CTRL-7.2.2.1-07, CTRL-7.2.2.1-13, COM-5.1-02, COM-5.5-05
#[test]
fn group_invitation_comes_from_the_group() {
    let mut world = world(inviting());
    call(&mut world, "alice");
    let (_, request) = world.invites().remove(0);
    let group = "\"Book club\" <sip:club@im.example>";
    assert_eq!(request.from, group);
    assert_eq!(request.to, "\"bob of the club\" <sip:bob@example.com>");
    assert_eq!(request.headers.first("P-Asserted-Identity"), Some(group));
    // The name that the group gives its member comes first.
    assert_eq!(
        request.headers.first("Referred-By"),
        Some("\"alice of the club\" <sip:alice@example.com>")
    );
    assert_eq!(request.headers.first("Subject"), Some("Books"));
    world.finish();
}

// covers: CTRL-7.2.1.3-18
#[test]
fn group_all_refused_gives_the_caller_the_lowest_status() {
    let mut world = world(inviting());
    let alice = call(&mut world, "alice");
    let invites = world.invites();
    world.respond(invites[0].0, 603, Headers::new(), None);
    world.respond(invites[1].0, 480, Headers::new(), None);
    assert_eq!(world.final_of(alice).status, 480);
    assert!(world.engine.rooms.is_empty());
    world.finish();
}

// covers: CTRL-7.2.1.3-19
#[test]
fn group_caller_who_was_answered_leaves_when_all_refused() {
    let mut world = world(inviting());
    let alice = call(&mut world, "alice");
    let invites = world.invites();
    // Bob calls by himself, which lets alice in before any invitation is answered.
    let bob = call(&mut world, "bob");
    assert_eq!(world.final_of(alice).status, 200);
    world.acknowledge(alice);
    world.acknowledge(bob);
    world.respond(invites[0].0, 486, Headers::new(), None);
    world.end(bob.dialog, DialogEnd::Bye);
    assert!(world.byes().is_empty());
    world.respond(invites[1].0, 486, Headers::new(), None);
    let byes = world.byes();
    assert_eq!((byes.len(), byes[0].0), (1, alice.dialog));
    world.finish_request(byes[0].1, 200, Headers::new());
    assert!(world.focus.is_idle());
    world.finish();
}

// covers: CTRL-7.2.1.3-02, CTRL-7.2.1.3-01, COM-11.2-01
#[test]
fn unknown_groups_and_groups_without_im_are_not_found() {
    let mut world = world(Group {
        supports_im: false,
        ..group()
    });
    let alice = call(&mut world, "alice");
    assert_eq!(world.refusal(alice), (404, None));
    let other = world.invite("sip:other@im.example", caller("alice"), sdp("alice"));
    assert_eq!(world.refusal(other), (404, None));
    world.finish();
}

// covers: CTRL-7.2.1.3-03, CTRL-7.2.1.4-01
#[test]
fn group_refuses_a_focus() {
    let mut world = world(group());
    for contact in ["<sip:c@192.0.2.1>;isfocus", "<sip:c@192.0.2.1;isfocus>"] {
        let headers = Headers::new()
            .with("From", "<sip:alice@example.com>")
            .with("P-Asserted-Identity", "<sip:alice@example.com>")
            .with("Contact", contact);
        let alice = world.invite(GROUP, headers, sdp("alice"));
        assert_eq!(
            world.refusal(alice),
            (
                403,
                Some("399 im.example \"105 isfocus already assigned\"".into())
            )
        );
        assert_eq!(
            world.final_of(alice).headers.first("P-Refused-URI-List"),
            Some("<sip:club@im.example>")
        );
    }
    world.finish();
}

// covers: CTRL-7.2.1.3-04, CTRL-7.2.1.3-05, CTRL-7.2.2.3-01
#[test]
fn group_initiation_needs_the_right() {
    let mut world = world(group());
    let mallory = call(&mut world, "mallory");
    assert_eq!(
        world.refusal(mallory),
        (
            403,
            Some("399 im.example \"127 Service not authorised\"".into())
        )
    );
    assert!(world.engine.log.is_empty());
    world.finish();
}

// covers: CTRL-7.2.1.3-13, CTRL-7.2.1.4-11, CTRL-7.2.1.4-12, CTRL-7.2.1.4-13
#[test]
fn group_that_runs_is_joined() {
    let mut world = world(group());
    let alice = call(&mut world, "alice");
    let bob = call(&mut world, "bob");
    let answer = world.final_of(bob);
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.headers.first("Contact"),
        world.final_of(alice).headers.first("Contact")
    );
    assert_eq!(
        (world.engine.rooms.len(), world.participants_count()),
        (1, 2)
    );
    let Command::AddParticipant { local, .. } = world.commands("enter").remove(1) else {
        unreachable!()
    };
    assert_eq!(local.accept_types.unwrap(), ["message/cpim"]);
    world.finish();
}

// covers: CTRL-7.2.1.4-02, CTRL-7.2.2.9-04
#[test]
fn group_join_needs_the_right() {
    let mut world = world(group());
    call(&mut world, "alice");
    let mallory = call(&mut world, "mallory");
    assert_eq!(
        world.refusal(mallory),
        (
            403,
            Some("399 im.example \"127 Service not authorised\"".into())
        )
    );
    world.finish();
}

// covers: CTRL-7.2.1.4-03, CTRL-7.2.1.5-05, CTRL-7.2.1.5-06
#[test]
fn group_that_is_full_refuses() {
    let mut world = world(Group {
        participants_max: Some(2),
        ..group()
    });
    call(&mut world, "alice");
    call(&mut world, "bob");
    let full = (
        486,
        Some("399 im.example \"102 Too many participants\"".to_owned()),
    );
    let carol = call(&mut world, "carol");
    assert_eq!(world.refusal(carol), full);
    let room = world.room();
    let carol = world.invite(
        &format!("sip:{room}@im.example"),
        caller("carol"),
        sdp("carol"),
    );
    assert_eq!(world.refusal(carol), full);
    world.finish();
}

#[test]
fn group_member_who_calls_takes_the_place_of_its_invitation() {
    let mut world = world(Group {
        participants_max: Some(3),
        ..inviting()
    });
    let alice = call(&mut world, "alice");
    let bob = call(&mut world, "bob");
    assert_eq!(world.final_of(bob).status, 200);
    // Somebody is there, so the first caller need not wait any longer.
    assert_eq!(world.final_of(alice).status, 200);
    world.finish();
}

#[test]
fn group_member_named_twice_is_invited_once() {
    let twice = uri("sip:bob@EXAMPLE.com");
    let mut world = world(inviting().with_member(twice, None));
    call(&mut world, "alice");
    assert_eq!(world.invites().len(), 2);
}

// covers: CTRL-7.2.2.3-04
#[test]
fn group_invitations_are_capped() {
    let mut world = world(Group {
        participants_max: Some(2),
        ..inviting()
    });
    call(&mut world, "alice");
    let uris: Vec<_> = world.invites().into_iter().map(|(_, r)| r.uri).collect();
    assert_eq!(uris, ["sip:bob@example.com"]);
    world.sent.clear();
}

// covers: CTRL-7.2.1.3-09, CTRL-7.2.1.4-09
#[test]
fn group_refuses_unacceptable_media() {
    let mut world = world(group());
    for _ in 0..2 {
        let bad = world.invite(GROUP, caller("alice"), sdp_with("alice", "text/plain"));
        assert_eq!(world.final_of(bad).status, 488);
        call(&mut world, "alice");
    }
    world.finish();
}

// covers: ALIAS-7.2.3.2-02, ALIAS-7.2.3.2-03
#[test]
fn group_may_forbid_hidden_callers() {
    let open = Group {
        rules: Group::open_to_all(uri(GROUP)).rules,
        ..group()
    };
    let mut world = world(open);
    let hidden = world.invite(GROUP, anonymous("alice"), sdp("a"));
    assert_eq!(
        world.refusal(hidden),
        (
            403,
            Some("399 im.example \"119 Anonymity not allowed\"".into())
        )
    );
    world.finish();
}

// covers: CTRL-7.2.1.3-08, CTRL-7.2.1.4-08, ALIAS-7.2.3.2-05, ALIAS-7.2.3.2-08
#[test]
fn group_gives_each_hidden_caller_an_alias_of_its_own() {
    let mut world = world(group());
    for user in ["alice", "bob"] {
        let hidden = world.invite(GROUP, anonymous(user), sdp(user));
        assert_eq!(world.final_of(hidden).status, 200);
    }
    let entities: Vec<_> = world
        .commands("enter")
        .into_iter()
        .map(|c| match c {
            Command::AddParticipant { config, .. } => (config.entity, config.identities.len()),
            _ => unreachable!(),
        })
        .collect();
    let expected = [
        ("sip:anonymous@anonymous.invalid".to_owned(), 1),
        ("sip:anonymous2@anonymous.invalid".to_owned(), 1),
    ];
    assert_eq!(entities, expected);
    world.finish();
}

// covers: CTRL-7.2.2.2-12, CTRL-7.2.2.2-13
#[test]
fn group_releases_an_invitee_who_wants_to_be_hidden() {
    let rights = Rights {
        initiate: true,
        join: true,
        ..Rights::default()
    };
    let rules = Some(vec![Rule {
        conditions: Vec::new(),
        rights,
    }]);
    let mut world = world(Group {
        rules,
        ..inviting()
    });
    let alice = call(&mut world, "alice");
    let invites = world.invites();
    world.respond(
        invites[0].0,
        200,
        Headers::new().with("Privacy", "id"),
        Some(sdp("bob")),
    );
    let byes = world.byes();
    assert_eq!((byes.len(), byes[0].0), (1, invites[0].0));
    assert!(world.is_unanswered(alice));
    world.finish_request(byes[0].1, 200, Headers::new());
    world.accept(invites[1].0);
    assert_eq!(world.final_of(alice).status, 200);
    world.finish();
}

// covers: CTRL-7.2.1.3-06, CTRL-7.2.1.4-06
#[test]
fn group_callers_methods_are_kept() {
    let mut world = world(group());
    let alice = call(&mut world, "alice");
    let bob = call(&mut world, "bob");
    for dialog in [alice.dialog, bob.dialog] {
        assert_eq!(
            world.focus.peer_methods(dialog),
            Some("INVITE, ACK, BYE, CANCEL, UPDATE")
        );
    }
    world.finish();
}

// covers: CTRL-7.2.2.9-08
#[test]
fn group_with_conditions_that_are_not_known_is_not_started() {
    let active_policy = ActivePolicy {
        has_unknown_condition: true,
        ..ActivePolicy::default()
    };
    let mut world = World::with(
        policy(),
        [Group {
            active_policy,
            ..group()
        }],
    );
    let alice = call(&mut world, "alice");
    assert_eq!(world.final_of(alice).status, 403);
    let mut aged = World::with(
        policy(),
        [Group {
            is_age_restricted: true,
            ..group()
        }],
    );
    let alice = call(&mut aged, "alice");
    let warning = "399 im.example \"124 Service not allowed due to the age limit\"";
    assert_eq!(aged.refusal(alice), (403, Some(warning.into())));
    world.finish();
    aged.finish();
}

#[test]
fn group_that_ended_starts_anew() {
    let mut world = world(group());
    let alice = call(&mut world, "alice");
    world.acknowledge(alice);
    let first = world.room();
    world.end(alice.dialog, DialogEnd::Bye);
    assert!(world.engine.rooms.is_empty());
    let again = call(&mut world, "alice");
    assert_eq!(world.final_of(again).status, 200);
    assert_ne!(world.room(), first);
    world.finish();
}

// covers: CTRL-7.2.1.5-07, CTRL-7.2.1.5-09, CTRL-7.2.1.5-10, CTRL-7.2.1.5-12
#[test]
fn group_session_identity_lets_members_back() {
    let mut world = world(group());
    call(&mut world, "alice");
    let room = world.room();
    let target = format!("sip:{room}@im.example");
    let bob = world.invite(&target, caller("bob"), sdp("bob"));
    assert_eq!(world.final_of(bob).status, 200);
    assert_eq!(
        world.focus.peer_methods(bob.dialog),
        Some("INVITE, ACK, BYE, CANCEL, UPDATE")
    );
    let Command::AddParticipant { local, .. } = world.commands("enter").remove(1) else {
        unreachable!()
    };
    assert_eq!(local.accept_types.unwrap(), ["message/cpim"]);
    let bad = world.invite(&target, caller("bob"), sdp_with("bob", "text/plain"));
    assert_eq!(world.final_of(bad).status, 488);
    let hidden = world.invite(&target, anonymous("carol"), sdp("carol"));
    assert_eq!(world.final_of(hidden).status, 200);
    let Command::AddParticipant { config, .. } = world.commands("enter").remove(2) else {
        unreachable!()
    };
    assert_eq!(config.entity, "sip:anonymous@anonymous.invalid");
    world.finish();
}
