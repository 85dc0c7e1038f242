//! How the octets of a SEND are cut into pieces, and how long few of them wait for more.

use msrp_relay::limits::HOLD_NS;
use msrp_session::limits::{PIECE_OCTETS_MAX, PIECE_OCTETS_MIN};

use crate::forwarding::pair;
use crate::harness::{ALICE, BOB, World, body, flag, send};

/// A SEND of Alice with so many octets, in two parts: what stands before its body, and the rest.
fn parts(tid: &str, uri: &str, octets: usize) -> (String, String) {
    let to = format!("{uri} {BOB}");
    let mut head = send(tid, &to, ALICE, "", &"x".repeat(octets), '$');
    let rest = head.split_off(head.find("\r\n\r\n").unwrap() + 4);
    (head, rest)
}

/// Lengths and flags of what was written to Bob since the last look.
fn pieces(world: &mut World) -> Vec<(usize, char)> {
    let seen = world.seen(2);
    seen.iter()
        .map(|piece| (body(piece).len(), flag(piece)))
        .collect()
}

fn pass_ns(world: &mut World, ns: u64) {
    world.now = world.now.after(ns);
    world.pass(0);
}

#[test]
fn send_as_long_as_the_longest_piece_leaves_in_one() {
    let (mut world, uri) = pair();
    let (head, rest) = parts("send0001", &uri, PIECE_OCTETS_MAX);
    world.feed(1, head + &rest);
    assert_eq!(pieces(&mut world), [(PIECE_OCTETS_MAX, '$')]);
}

#[test]
fn open_send_leaves_at_the_end_of_a_turn_from_the_shortest_piece_on() {
    let long = [(PIECE_OCTETS_MIN, '+')];
    for (octets, left) in [(PIECE_OCTETS_MIN, &[][..]), (PIECE_OCTETS_MIN + 1, &long)] {
        let (mut world, uri) = pair();
        let (head, rest) = parts("send0001", &uri, 3000);
        world.feed(1, head + &rest[..octets]);
        assert_eq!(pieces(&mut world), left);
        // Nothing is to be done for a last octet alone before the rest of its SEND comes.
        let is_timed = world.relay.poll_timeout() == Some(world.now.after(HOLD_NS));
        assert_eq!(is_timed, left.is_empty());
    }
}

#[test]
fn octets_that_come_turn_by_turn_wait_no_longer_than_the_first_of_them() {
    let (mut world, uri) = pair();
    let (head, rest) = parts("send0001", &uri, 100);
    world.feed(1, head + &rest[..5]);
    pass_ns(&mut world, HOLD_NS / 2);
    world.feed(1, &rest[5..8]);
    pass_ns(&mut world, HOLD_NS / 2 - 1);
    assert_eq!(pieces(&mut world), []);
    pass_ns(&mut world, 1);
    assert_eq!(pieces(&mut world), [(7, '+')]);
}

#[test]
fn octets_of_a_send_wait_their_own_time_behind_one_that_has_ended() {
    let (mut world, uri) = pair();
    let (head, rest) = parts("send0001", &uri, 100);
    world.feed(1, head + &rest[..5]);
    pass_ns(&mut world, HOLD_NS / 2);
    let (head, next) = parts("send0002", &uri, 100);
    world.feed(1, format!("{}{head}{}", &rest[5..], &next[..5]));
    assert_eq!(pieces(&mut world), [(100, '$')]);
    pass_ns(&mut world, HOLD_NS / 2);
    assert_eq!(pieces(&mut world), []);
    pass_ns(&mut world, HOLD_NS / 2);
    assert_eq!(pieces(&mut world), [(4, '+')]);
}

#[test]
fn hold_time_that_is_over_when_all_has_left_makes_no_piece_without_octets() {
    let (mut world, uri) = pair();
    let (head, rest) = parts("send0001", &uri, 5000);
    world.feed(1, head + &rest[..5]);
    pass_ns(&mut world, HOLD_NS / 2);
    world.feed(1, &rest[5..3000]);
    assert_eq!(pieces(&mut world), [(2999, '+')]);
    pass_ns(&mut world, HOLD_NS);
    assert_eq!(pieces(&mut world), []);
    world.feed(1, &rest[3000..]);
    assert_eq!(pieces(&mut world), [(2001, '$')]);
}
