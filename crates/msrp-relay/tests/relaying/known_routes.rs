//! Ways that are remembered for the next request with the same paths.

use msrp_relay::ConnectionId;
use msrp_relay::limits::KNOWN_ROUTES_MAX;
use msrp_wire::Path;

use crate::forwarding::pair;
use crate::harness::{ALICE, BARE, BOB, SECOND, World, body, send};

const CAROL: &str = "msrp://carol.example.net:8888/x;tcp";

#[test]
fn sends_of_one_connection_to_two_next_hops_each_find_their_own() {
    let (mut world, uri) = pair();
    let say = |world: &mut World, to: &str, text: &str| {
        world.feed(
            1,
            send("send0001", &format!("{uri} {to}"), ALICE, "", text, '$'),
        );
        assert!(world.only(1).starts_with("MSRP send0001 200 "));
    };
    say(&mut world, CAROL, "first");
    world.connect(3, None);
    world.seen(3);
    for round in ["one", "two", "three"] {
        say(&mut world, BOB, &format!("{round} for Bob"));
        say(&mut world, CAROL, &format!("{round} for Carol"));
        assert_eq!(body(&world.only(2)), format!("{round} for Bob"));
        assert_eq!(body(&world.only(3)), format!("{round} for Carol"));
    }
}

#[test]
fn sends_of_one_connection_keep_the_type_of_each() {
    let (mut world, uri) = pair();
    for content_type in ["text/plain", "text/html", "text/html", "text/plain"] {
        let said = send("send0001", &format!("{uri} {BOB}"), ALICE, "", "x", '$');
        world.feed(1, said.replace("text/plain", content_type));
        let line = format!("Content-Type: {content_type}\r\n");
        assert!(world.only(2).contains(&line));
    }
}

#[test]
fn way_that_was_used_ends_at_the_moment_at_which_its_uri_does() {
    let mut world = World::new();
    world.open(1);
    let uri = world.admit(1, BARE, ALICE, "Expires: 60\r\n");
    let ends = world.now.after(60 * SECOND);
    let to = format!("{uri} {BOB}");
    world.feed(1, send("send0001", &to, ALICE, "", "x", '$'));
    world.connect(2, None);
    for (before_ns, status) in [(2, 200), (1, 200), (0, 481)] {
        world.now = msrp_session::Timestamp::from_ns(ends.as_ns() - before_ns);
        world.seen(1);
        world.feed(1, send("send0002", &to, ALICE, "", "x", '$'));
        let answer = world.only(1);
        assert!(
            answer.starts_with(&format!("MSRP send0002 {status} ")),
            "{answer}"
        );
        let uri: msrp_wire::MsrpUriBuf = uri.parse().unwrap();
        assert_eq!(world.relay.knows(world.now, &uri.as_uri()), status == 200);
    }
}

fn has_route(world: &World, id: u64, to: &str) -> bool {
    let (to, from) = (Path::parse(to.as_bytes()), Path::parse(ALICE.as_bytes()));
    let id = ConnectionId(id);
    world
        .relay
        .has_route(world.now, id, &to.unwrap(), &from.unwrap())
}

#[test]
fn way_is_known_once_a_request_has_gone_it() {
    let (mut world, uri) = pair();
    let (to, other) = (format!("{uri} {BOB}"), format!("{uri} {CAROL}"));
    world.feed(1, send("send0001", &to, ALICE, "", "x", '$'));
    assert!(has_route(&world, 1, &to));
    assert!(!has_route(&world, 1, &other) && !has_route(&world, 2, &to));
}

#[test]
fn oldest_ways_are_forgotten_when_there_are_too_many() {
    let (mut world, uri) = pair();
    let ways: Vec<String> = (0..KNOWN_ROUTES_MAX + 2)
        .map(|number| format!("{uri} msrp://bob{number}.example.net:1/x;tcp"))
        .collect();
    for to in &ways {
        world.feed(1, send("send0001", to, ALICE, "", "x", '$'));
    }
    let known: Vec<bool> = ways.iter().map(|to| has_route(&world, 1, to)).collect();
    assert_eq!(known[..2], [false, false]);
    assert!(known[2..].iter().all(|is_known| *is_known));
}
