//! The names under which participants are shown.

use super::world::{FACTORY, World, caller, list_body, multipart, policy, sdp, uri};
use crate::groups::Group;
use crate::ua::{DialogId, Headers};

const GROUP: &str = "sip:club@im.example";

fn shown(world: &World, dialog: DialogId) -> Option<&str> {
    let seat = world.focus.desk.dialogs.get(&dialog).unwrap();
    world.focus.conferences[&seat.room].display_name(seat.key)
}

/// A caller that names itself in From alone.
fn plain(user: &str) -> Headers {
    Headers::new()
        .with(
            "From",
            format!("\"{user} from\" <sip:{user}@example.com>;tag=1"),
        )
        .with("P-Asserted-Identity", format!("<sip:{user}@example.com>"))
}

// covers: CTRL-7.2.1.2-06, CTRL-7.2.1.5-08, COM-5.5-06, COM-5.5-07, SEC-14.3-04
#[test]
fn ad_hoc_caller_is_shown_by_its_asserted_name_before_that_of_from() {
    for (headers, name) in [
        (caller("alice"), "alice pai"),
        (plain("alice"), "alice from"),
    ] {
        let mut world = World::new();
        let list = list_body("alice", &["sip:bob@example.com", "sip:carol@example.com"]);
        let alice = world.invite(FACTORY, headers, list);
        let invites = world.invites();
        assert_eq!(
            invites[0].1.from,
            format!("\"{name}\" <sip:alice@example.com>")
        );
        assert_eq!(shown(&world, alice.dialog), Some(name));
        world.accept(invites[0].0);
        world.acknowledge(alice);
        // Carol comes by herself, with the session identity.
        let session = format!("sip:{}@im.example", world.room());
        let carol = world.invite(&session, caller("carol"), sdp("carol"));
        assert_eq!(shown(&world, carol.dialog), Some("carol pai"));
        world.cancels();
        world.finish();
    }
}

// covers: CTRL-7.2.1.3-07, CTRL-7.2.1.4-07, COM-5.5-05
#[test]
fn group_member_is_shown_by_the_name_that_the_group_gives() {
    let group = Group::open_to_all(uri(GROUP))
        .with_member(uri("sip:alice@example.com"), Some("Alice of the club"))
        .with_member(uri("sip:bob@example.com"), Some("Bob of the club"));
    let mut world = World::with(policy(), [group]);
    let alice = world.invite(GROUP, caller("alice"), sdp("alice"));
    let bob = world.invite(GROUP, caller("bob"), sdp("bob"));
    let carol = world.invite(GROUP, caller("carol"), sdp("carol"));
    let dave = world.invite(GROUP, plain("dave"), sdp("dave"));
    assert_eq!(shown(&world, alice.dialog), Some("Alice of the club"));
    assert_eq!(shown(&world, bob.dialog), Some("Bob of the club"));
    assert_eq!(shown(&world, carol.dialog), Some("carol pai"));
    assert_eq!(shown(&world, dave.dialog), Some("dave from"));
    world.finish();
}

// covers: CTRL-7.2.2.1-15
#[test]
fn invitee_is_shown_by_the_name_in_its_answer() {
    let asserted = Headers::new()
        .with("To", "\"bob to\" <sip:bob@example.com>;tag=2")
        .with("P-Asserted-Identity", "\"bob pai\" <sip:bob@example.com>");
    let to = Headers::new().with("To", "\"bob to\" <sip:bob@example.com>;tag=2");
    let none = Headers::new().with("To", "<sip:bob@example.com>;tag=2");
    for (headers, ad_hoc, in_group) in [
        (asserted, "bob pai", "Bob of the club"),
        (to, "bob to", "Bob of the club"),
        (none, "bob on the list", "Bob of the club"),
    ] {
        let mut world = World::new();
        let list = "<resource-lists xmlns=\"urn:ietf:params:xml:ns:resource-lists\"><list>\
             <entry uri=\"sip:bob@example.com\"><display-name>bob on the list</display-name></entry>\
             </list></resource-lists>";
        world.invite(FACTORY, caller("alice"), multipart(&sdp("alice"), list));
        let bob = world.invites()[0].0;
        world.respond(bob, 200, headers.clone(), Some(sdp("bob")));
        assert_eq!(shown(&world, bob), Some(ad_hoc));
        world.finish();

        let group = Group::new(uri(GROUP))
            .with_member(uri("sip:alice@example.com"), None)
            .with_member(uri("sip:bob@example.com"), Some("Bob of the club"));
        let group = Group {
            invite_members: true,
            ..group
        };
        let mut world = World::with(policy(), [group]);
        world.invite(GROUP, caller("alice"), sdp("alice"));
        let bob = world.invites()[0].0;
        world.respond(bob, 200, headers, Some(sdp("bob")));
        assert_eq!(shown(&world, bob), Some(in_group));
        world.finish();
    }
}
