//! How fast copies go, and whose go first.

use super::super::world::{FACTORY, World, caller, uri};
use super::{entries, list, marked, message_over, plain, with_pager};
use crate::focus::PagerPolicy;
use crate::groups::Group;
use crate::limits::NS_PER_S;
use crate::ua::Transport;

#[test]
fn one_address_has_one_message_at_a_time() {
    let mut world = World::new();
    for text in ["1", "2", "3"] {
        let body = marked(
            "<entry uri=\"sip:bob@example.com\"/>",
            &format!("Content-Type: text/plain\r\n\r\n{text}"),
        );
        assert_eq!(world.message(FACTORY, caller("alice"), body).status, 202);
    }
    for text in ["1", "2", "3"] {
        let copies = world.answered(200);
        assert_eq!(copies.len(), 1);
        assert_eq!(copies[0].body, Some(plain(text)));
    }
    assert!(world.messages().is_empty());
    world.finish();
}

#[test]
fn thousand_recipients_are_served_at_the_pace_of_the_operator() {
    let mut world = World::with(
        with_pager(PagerPolicy {
            messages_per_s: 100,
            ..PagerPolicy::default()
        }),
        [],
    );
    let users: Vec<String> = (0..1000).map(|n| format!("sip:u{n}@example.com")).collect();
    let body = marked(&entries(&users), "Content-Type: text/plain\r\n\r\nHello");
    assert_eq!(message_over(&mut world, Transport::Tcp, body), [202]);
    let started = world.now;
    let mut reached = Vec::new();
    while reached.len() < 1000 {
        let sent = world.answered(200);
        let seconds = (world.now - started) / NS_PER_S;
        reached.extend(sent.into_iter().map(|copy| copy.uri));
        let allowed = 100 * (seconds + 1) + 6;
        assert!(
            u64::try_from(reached.len()).unwrap() <= allowed,
            "{seconds} s"
        );
        if reached.len() < 1000 {
            world.wait();
        }
    }
    assert!((world.now - started) / NS_PER_S <= 10);
    assert_eq!(reached, users);
    world.finish();
}

#[test]
fn short_list_does_not_wait_for_a_long_one() {
    let mut world = World::with(
        with_pager(PagerPolicy {
            messages_per_s: 10,
            ..PagerPolicy::default()
        }),
        [],
    );
    let many: Vec<String> = (0..20).map(|n| format!("u{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(
        world.message(FACTORY, caller("alice"), list(&many)).status,
        202
    );
    assert_eq!(
        world
            .message(FACTORY, caller("carol"), list(&["x", "y"]))
            .status,
        202
    );
    let mut order = Vec::new();
    while order.len() < 22 {
        order.extend(world.answered(200).into_iter().map(|copy| copy.uri));
        if order.len() < 22 {
            world.wait();
        }
    }
    let place = |user: &str| {
        order
            .iter()
            .position(|u| *u == format!("sip:{user}@example.com"))
    };
    assert!(place("y") < place("u5"), "{order:?}");
    assert!(place("u18") < place("u19"));
    world.finish();
}

#[test]
fn more_copies_than_may_wait_are_refused_until_some_have_gone() {
    let users = (0..10_000).map(|n| uri(&format!("sip:u{n}@example.com")));
    let group = "sip:all@im.example";
    let all = users.fold(Group::open_to_all(uri(group)), |all, user| {
        all.with_member(user, None)
    });
    let mut world = World::with(
        with_pager(PagerPolicy {
            messages_per_s: 20,
            recipients_max: 10_000,
            ..PagerPolicy::default()
        }),
        [all],
    );
    let mut send = || world.message(group, caller("alice"), plain("Hello"));
    for _ in 0..10 {
        assert_eq!(send().status, 202);
    }
    let full = send();
    assert_eq!(full.status, 503);
    assert!(full.headers.first("Retry-After").is_some());
    // Those that went at once are what the pace allows.
    assert!((1..=2).contains(&world.messages().len()));
}
