//! How a message is cut into pieces, and when they leave.

use msrp_session::limits::{PIECE_OCTETS_MAX, PIECE_OCTETS_MIN};
use msrp_switch::limits::{HOLD_NS, UNFINISHED_MESSAGES_MAX};
use msrp_switch::{LegKey, Outcome, Output};
use msrp_wire::ByteRange;

use crate::harness::*;

fn two() -> House {
    House::new([guest("a"), guest("b")])
}

/// A chunk without its last `held_back` octets on the wire, and these.
fn cut(house: &mut House, chunk: &Chunk, body_octets: usize) -> (Vec<u8>, Vec<u8>) {
    let mut wire = house.encode(chunk);
    let body = wire
        .windows(chunk.body.len())
        .position(|window| window == chunk.body)
        .unwrap();
    let rest = wire.split_off(body + body_octets);
    (wire, rest)
}

// covers: UPS-7.2.3.1-08, UPS-7.2.3.3-08, PM-7.2.3.4-07, MSRP-4975-7.3.1-04, MSRP-7701-6.1-11
#[test]
fn octets_leave_before_the_last_chunk_arrives() {
    for to in [ROOM, "sip:b@example.com"] {
        let mut house = two();
        let message = wrapped("a", &[to], "x".repeat(100));
        let half = message.len() - 50;
        house.say(
            0,
            &chunk("mess1", &message, 0..half, Some(message.len()), More),
        );
        assert_eq!(house.pieces(1).len(), 1);
        assert_eq!(house.pieces(1)[0].octets, half);
        house.say(
            0,
            &chunk(
                "mess1",
                &message,
                half..message.len(),
                Some(message.len()),
                Last,
            ),
        );
        assert_eq!(house.flags(1), [More, Last]);
        assert_eq!(house.getters(&message), [1]);
    }
}

#[test]
fn open_chunk_leaves_turn_by_turn_but_for_its_last_octet() {
    let mut house = two();
    let message = wrapped("a", &[ROOM], "x".repeat(20_000));
    let (mut wire, rest) = {
        let all = whole("mess1", &message);
        cut(&mut house, &all, message.len())
    };
    let mut seen = 0;
    while !wire.is_empty() {
        let rest = wire.split_off(wire.len().min(4000));
        house.read(0, &wire);
        house.end_turn();
        wire = rest;
        if !wire.is_empty() {
            assert_eq!(house.pieces(1).len(), seen + 1, "each turn one piece");
            seen += 1;
        }
    }
    house.read(0, &rest);
    assert_eq!(house.getters(&message), [1]);
    assert!(house.pieces(1).iter().all(|piece| piece.octets > 0));
    assert_eq!(
        house.pieces(1).iter().filter(|piece| piece.is_last).count(),
        1
    );
}

#[test]
fn held_octets_leave_after_the_hold_time_whatever_else_arrives() {
    let mut house = two();
    let message = wrapped("a", &[ROOM], "x".repeat(600));
    let start = message.len() - 400;
    let (wire, rest) = {
        let all = chunk("mess1", &message, 0..message.len(), None, Last);
        cut(&mut house, &all, start)
    };
    house.read(0, &wire);
    house.end_turn();
    assert_eq!(house.pieces(1).len(), 0);
    let due = house.switch.poll_timeout().unwrap();
    assert_eq!(due, house.now.after(HOLD_NS));
    for i in 0..9 {
        house.pass_ns(HOLD_NS / 10);
        house.read(0, &rest[i..=i]);
        house.end_turn();
        assert_eq!(house.pieces(1).len(), 0);
    }
    house.pass_ns(HOLD_NS / 10);
    assert_eq!(house.pieces(1).len(), 1);
    assert_eq!(house.pieces(1)[0].octets, start + 9 - 1);
    house.read(0, &rest[9..20]);
    house.end_turn();
    assert_eq!(house.switch.poll_timeout(), Some(house.now.after(HOLD_NS)));
    house.read(0, &rest[20..]);
    assert_eq!(house.getters(&message), [1]);
    assert!(house.pieces(1).iter().all(|piece| piece.octets > 0));
    house.pass_ns(HOLD_NS);
    assert_eq!(house.switch.poll_timeout(), None);
    assert!(house.switch.is_idle());
}

// covers: MSRP-4975-7.1.1-24, MSRP-7701-6.1-08
#[test]
fn large_chunk_leaves_in_pieces_of_64_kib() {
    let mut house = two();
    let message = wrapped("a", &[ROOM], vec![b'-'; 200_000]);
    house.say(0, &whole("mess1", &message));
    let octets: Vec<usize> = house.pieces(1).iter().map(|piece| piece.octets).collect();
    assert_eq!(octets, [65_536, 65_536, 65_536, message.len() - 3 * 65_536]);
    assert_eq!(house.flags(1), [More, More, More, Last]);
    assert_eq!(house.getters(&message), [1]);
}

// covers: MSRP-4975-7.1.1-28, UPS-7.2.3.3-07
#[test]
fn message_cut_anywhere_arrives_whole() {
    let message = wrapped("a", &[ROOM], "hello\r\n-------abcdefgh$\r\n\r\n");
    for at in 0..=message.len() {
        for announced in [None, Some(message.len())] {
            let mut house = two();
            let first = chunk("mess1", &message, 0..at, announced, More);
            let second = chunk("mess1", &message, at..message.len(), announced, Last);
            assert_eq!(house.say(0, &first), [200], "cut at {at}");
            assert_eq!(house.say(0, &second), [200], "cut at {at}");
            assert_eq!(house.getters(&message), [1], "cut at {at}");
            assert!(house.switch.is_idle());
        }
    }
}

#[test]
fn message_in_reads_of_any_size_arrives_whole() {
    for size in 1..40 {
        let mut house = two();
        let message = wrapped("a", &[ROOM], "y".repeat(100));
        let wire = { house.encode(&whole("mess1", &message)) };
        for read in wire.chunks(size) {
            house.read(0, read);
            house.end_turn();
        }
        assert_eq!(house.getters(&message), [1]);
        assert_eq!(house.answers_since(0), [200]);
        assert_eq!(house.flags(1), [Last]);
    }
}

// covers: MSRP-4975-7.3.1-01
#[test]
fn byte_range_that_lies_changes_nothing() {
    let message = wrapped("a", &[ROOM], "x".repeat(500));
    let cut = message.len() - 100;
    for lie in [None, Some(cut), Some(cut + 1), Some(100_000)] {
        let mut house = two();
        let mut first = chunk("mess1", &message, 0..cut, lie, More);
        first.range.as_mut().unwrap().end = Some(3);
        let second = chunk("mess1", &message, cut..message.len(), None, Last);
        assert_eq!(house.say(0, &first), [200]);
        assert_eq!(house.say(0, &second), [200]);
        assert_eq!(house.getters(&message), [1], "{lie:?}");
    }
}

// covers: MSRP-4975-7.3.1-02, MSRP-4975-7.3.1-05
#[test]
fn chunks_out_of_order_are_complete_when_the_hole_is_filled() {
    let message = wrapped("a", &[ROOM], "0123456789".repeat(60));
    let n = message.len();
    let (b, c) = (n - 400, n - 200);
    let orders: [&[(usize, usize, _)]; 4] = [
        &[(0, b, More), (c, n, Last), (b, c, More)],
        &[(0, b, More), (c, n, More), (b, c, Last)],
        &[(0, b, More), (n, n, Last), (c, n, More), (b, c, More)],
        &[(0, b, More), (c, n, Last), (c, n, Last), (b, c, Last)],
    ];
    for order in orders {
        let mut house = two();
        for &(start, end, flag) in order {
            let mut part = chunk("mess1", &message, start..end, None, flag).success();
            if start == end {
                part = part.without_body();
            }
            assert_eq!(house.say(0, &part), [200], "{order:?}");
        }
        assert_eq!(house.getters(&message), [1], "{order:?}");
        let last: Vec<bool> = house.pieces(1).iter().map(|piece| piece.is_last).collect();
        assert_eq!(last.iter().filter(|last| **last).count(), 1, "{order:?}");
        assert_eq!(last.last(), Some(&true), "{order:?}");
        let range = format!("1-{n}/{n}");
        assert_eq!(house.reports(), [(0, "mess1", range.as_str(), 200)]);
        assert!(house.switch.is_idle());
    }
}

// covers: MSRP-4975-7.3.1-05
#[test]
fn octets_that_fill_the_hole_behind_the_wrapper_leave_in_the_last_piece() {
    let message = wrapped("a", &[ROOM], "0123456789".repeat(60));
    let n = message.len();
    let (a, b, c) = (20, n - 400, n - 200);
    let mut house = two();
    house.say(0, &chunk("mess1", &message, 0..a, None, More));
    house.say(0, &chunk("mess1", &message, c..n, None, Last));
    let rest = house.encode(&chunk("mess1", &message, a..c, None, More));
    // The end of the wrapper and a part of the hole in one read, the rest of the hole in another.
    let (wrapper, hole) = rest.split_at(rest.len() - (c - b));
    house.read(0, wrapper);
    house.read(0, hole);
    house.end_turn();
    assert_eq!(house.getters(&message), [1]);
    let last: Vec<bool> = house.pieces(1).iter().map(|piece| piece.is_last).collect();
    assert_eq!(last.iter().filter(|last| **last).count(), 1, "{last:?}");
    assert_eq!(last.last(), Some(&true), "{last:?}");
    assert_eq!(house.flags(1), [More, Last, More]);
    assert!(house.switch.is_idle());
}

#[test]
fn octets_behind_the_end_that_was_shown_are_refused() {
    let mut house = two();
    let message = wrapped("a", &[ROOM], "x".repeat(600));
    let n = message.len();
    house.say(0, &chunk("mess1", &message, 0..n - 400, None, More));
    house.say(0, &chunk("mess1", &message, n - 200..n - 100, None, Last));
    assert_eq!(
        house.say(0, &chunk("mess1", &message, n - 100..n, None, More)),
        [400]
    );
    assert_eq!(
        house.say(0, &chunk("mess1", &message, n - 400..n - 200, None, Last)),
        [400]
    );
    assert_eq!(house.flags(1), [More, Last, Abort]);
    assert!(house.switch.is_idle());
}

#[test]
fn later_chunk_that_overlaps_is_relayed_where_it_belongs() {
    let mut house = two();
    let message = wrapped("a", &[ROOM], "0123456789".repeat(30));
    let n = message.len();
    house.say(0, &chunk("mess1", &message, 0..n - 50, None, More));
    house.say(0, &chunk("mess1", &message, 0..n - 20, None, More));
    house.say(0, &chunk("mess1", &message, n - 70..n, None, Last));
    assert_eq!(house.getters(&message), [1]);
}

// covers: MSRP-4975-7.3.1-03
#[test]
fn octets_that_come_again_are_relayed_again_and_the_later_ones_count() {
    let mut house = two();
    let first = wrapped("a", &[ROOM], "0123456789".repeat(30));
    let second = wrapped("a", &[ROOM], "abcdefghij".repeat(30));
    let n = first.len();
    house.say(0, &chunk("mess1", &first, 0..n - 50, None, More));
    house.say(0, &chunk("mess1", &second, n - 100..n - 50, None, More));
    house.say(0, &chunk("mess1", &first, n - 50..n, None, Last));
    let expected = [
        &first[..n - 100],
        &second[n - 100..n - 50],
        &first[n - 50..],
    ]
    .concat();
    assert_eq!(house.texts(1), [expected]);
}

// covers: UPS-7.2.3.3-11
#[test]
fn messages_of_one_sender_begin_in_its_order_and_those_of_many_take_turns() {
    let mut house = House::new([guest("a"), guest("b"), guest("c")]);
    let messages: Vec<Vec<u8>> = (0..4)
        .map(|i| wrapped(["a", "b"][i % 2], &[ROOM], format!("{i}").repeat(300)))
        .collect();
    for part in 0..2 {
        for (i, message) in messages.iter().enumerate() {
            let (start, end, flag) = [(0, 200, More), (200, message.len(), Last)][part];
            house.say(
                i % 2,
                &chunk(&format!("mess{i}"), message, start..end, None, flag),
            );
        }
    }
    let begun: Vec<&str> = house.inbox(2).iter().map(|got| got.id.as_str()).collect();
    assert_eq!(begun, ["mess0", "mess1", "mess2", "mess3"]);
    assert_eq!(house.texts(2), messages);
}

#[test]
fn open_chunks_of_one_turn_leave_in_the_order_of_their_arrival() {
    let mut house = House::new([guest("a"), guest("b"), guest("c"), guest("d")]);
    for (who, name) in ["a", "b", "c"].into_iter().enumerate() {
        let message = wrapped(name, &[ROOM], "x".repeat(5000));
        let part = chunk(
            &format!("mess{who}"),
            &message,
            0..message.len(),
            None,
            Last,
        );
        let (wire, _) = cut(&mut house, &part, 4000);
        house.read(who, &wire);
    }
    house.end_turn();
    let begun: Vec<&str> = house.inbox(3).iter().map(|got| got.id.as_str()).collect();
    assert_eq!(begun, ["mess0", "mess1", "mess2"]);
}

// covers: MSRP-4975-7.1.1-02
#[test]
pub(crate) fn message_id_of_two_senders_is_fresh_for_the_second() {
    let mut house = House::new([guest("a"), guest("b"), guest("c")]);
    let (one, two) = (wrapped("a", &[ROOM], "one"), wrapped("b", &[ROOM], "two"));
    let parts = |message: &[u8]| {
        let n = message.len();
        [
            chunk("same", message, 0..n - 1, None, More).success(),
            chunk("same", message, n - 1..n, None, Last).success(),
        ]
    };
    let (first, second) = (parts(&one), parts(&two));
    house.say(0, &first[0]);
    house.say(1, &second[0]);
    house.say(0, &first[1]);
    house.say(1, &second[1]);
    assert_eq!(house.texts(2), [one, two]);
    let ids: Vec<&str> = house.inbox(2).iter().map(|got| got.id.as_str()).collect();
    assert_eq!(ids[0], "same");
    assert_ne!(ids[1], "same");
    let reported: Vec<(Who, &str)> = house.reports().iter().map(|r| (r.0, r.1)).collect();
    assert_eq!(reported, [(0, "same"), (1, "same")]);
}

#[test]
fn message_id_of_two_senders_is_kept_where_nobody_gets_both() {
    let mut house = House::new(["a", "b", "c", "d"].map(guest));
    for (from, name, to) in [(0, "a", "b"), (2, "c", "d")] {
        let message = wrapped(name, &[&address(to)], "psst");
        let half = chunk("same", &message, 0..message.len() - 1, None, More);
        assert_eq!(house.say(from, &half), [200]);
        assert_eq!(house.inbox(from + 1)[0].id, "same");
    }
}

#[test]
fn message_id_used_again_while_a_copy_is_open_is_fresh() {
    let mut house = two();
    house.settling = Settling::ByTest;
    let (one, two) = (wrapped("a", &[ROOM], "one"), wrapped("a", &[ROOM], "two"));
    house.say(0, &whole("same", &one));
    house.say(0, &whole("same", &two));
    assert_ne!(house.inbox(1)[1].id, "same");
    assert_eq!(house.texts(1), [one.clone(), two]);
    while house.settle_next().is_some() {}
    house.say(0, &whole("same", &one));
    assert_eq!(house.inbox(1)[2].id, "same");
}

#[test]
fn message_id_of_a_message_that_ended_in_part_is_fresh_for_the_next() {
    let mut house = House::new([guest("a"), guest("b"), guest("c")]);
    let (one, two) = (wrapped("a", &[ROOM], "one"), wrapped("b", &[ROOM], "two"));
    let n = one.len();
    house.say(0, &chunk("same", &one, 0..n - 1, None, More));
    house.say(0, &chunk("same", &one, n - 1..n, None, Abort));
    house.say(1, &whole("same", &two));
    let ids: Vec<&str> = house.inbox(2).iter().map(|got| got.id.as_str()).collect();
    assert_eq!(ids[0], "same");
    // The rest of the first may still wait for a slow recipient.
    assert_ne!(ids[1], "same");
}

// covers: MSRP-4975-7.1.1-29
#[test]
fn header_fields_of_the_sender_travel_on() {
    let mut house = two();
    let mut message = whole("mess1", &wrapped("a", &[ROOM], "hello"));
    message.extra = "X-Extra: kept\r\n".to_owned();
    house.say(0, &message);
    assert_eq!(house.pieces(1)[0].extra.as_deref(), Some("kept"));
}

#[test]
fn wrapper_spread_over_chunks_is_read_when_it_is_complete() {
    let mut house = two();
    let message = wrapped("a", &[ROOM], "hello");
    let n = message.len();
    for i in 0..n - 1 {
        assert_eq!(
            house.say(0, &chunk("mess1", &message, i..i + 1, None, More)),
            [200]
        );
    }
    assert_eq!(
        house.say(0, &chunk("mess1", &message, n - 1..n, None, Last)),
        [200]
    );
    assert_eq!(house.getters(&message), [1]);
    let begun_at = n - "hello".len();
    assert_eq!(house.pieces(1)[0].octets, begun_at);
}

#[test]
fn message_that_does_not_begin_with_its_first_octet_is_refused() {
    let mut house = two();
    let message = wrapped("a", &[ROOM], "hello");
    let n = message.len();
    assert_eq!(
        house.say(0, &chunk("mess1", &message, 5..n, None, More)),
        [400]
    );
    assert_eq!(
        house.say(0, &chunk("mess1", &message, 0..5, None, Last)),
        [400]
    );
    assert!(house.pieces(1).is_empty());
    assert!(house.switch.is_idle());
}

#[test]
fn octets_ahead_of_the_wrapper_wait_for_it() {
    let message = wrapped("a", &[ROOM], "x".repeat(500));
    let n = message.len();
    // The parts behind the first one, in the order in which they come, and the flag of the last.
    let orders: [&[(usize, usize)]; 7] = [
        &[(6, n), (5, 6)],
        &[(60, n), (20, 60), (5, 20)],
        &[(300, n), (5, 300)],
        &[(400, n), (20, 30), (5, 20), (30, 400)],
        // Some octets come twice.
        &[(300, n), (5, 320)],
        &[(300, n), (320, 330), (5, 300)],
        &[(20, n), (30, 40), (5, 20)],
    ];
    for order in orders {
        let mut house = two();
        assert_eq!(
            house.say(0, &chunk("mess1", &message, 0..5, None, More).success()),
            [200]
        );
        for (start, end) in order {
            let flag = if *end == n { Last } else { More };
            let part = chunk("mess1", &message, *start..*end, None, flag).success();
            assert_eq!(house.say(0, &part), [200], "{order:?}");
        }
        assert_eq!(house.getters(&message), [1], "{order:?}");
        let last = house.pieces(1).iter().position(|piece| piece.is_last);
        assert_eq!(last, Some(house.pieces(1).len() - 1), "{order:?}");
        let range = format!("1-{n}/{n}");
        assert_eq!(house.reports(), [(0, "mess1", range.as_str(), 200)]);
        assert!(house.switch.is_idle());
    }
}

#[test]
fn abort_by_the_chunk_that_makes_a_message_whole_ends_it_once() {
    let message = wrapped("a", &[ROOM], "x".repeat(500));
    let n = message.len();
    let mut house = two();
    for (start, end, flag) in [(0, 5, More), (300, n, Last), (5, 300, Abort)] {
        let part = chunk("mess1", &message, start..end, None, flag).success();
        assert_eq!(house.say(0, &part), [200]);
    }
    let ends: Vec<_> = house
        .pieces(1)
        .iter()
        .map(|piece| (piece.flag, piece.is_last))
        .collect();
    assert!(ends.is_empty() || ends == [(Abort, true)], "{ends:?}");
    assert_eq!(house.reports(), []);
    assert!(house.switch.is_idle());
}

#[test]
fn octets_ahead_of_the_wrapper_are_bounded() {
    for (octets, answer) in [(16_384 - 5, 200), (16_384 - 4, 400)] {
        let mut house = two();
        let message = wrapped("a", &[ROOM], "x".repeat(40_000));
        house.say(0, &chunk("mess1", &message, 0..5, None, More));
        let half = octets / 2;
        let first = chunk("mess1", &message, 1000..1000 + half, None, More);
        let second = chunk(
            "mess1",
            &message,
            20_000..20_000 + octets - half,
            None,
            More,
        );
        assert_eq!(house.say(0, &first), [200]);
        assert_eq!(house.say(0, &second), [answer]);
        assert!(house.pieces(1).is_empty());
    }
}

#[test]
pub(crate) fn wrapper_that_comes_again_never_takes_the_place_of_the_first() {
    let good = wrapped("a", &[ROOM], "x".repeat(300));
    let forged = wrapped("b", &[ROOM], "y".repeat(300));
    assert_eq!(good.len(), forged.len());
    let n = good.len();
    let head = n - 300;
    let orders: [&[(bool, usize, usize)]; 5] = [
        // The flag says whether a part is a forged one.
        &[(false, 0, n - 10), (true, 0, n - 10), (false, n - 10, n)],
        &[
            (false, 0, 5),
            (false, 5, n - 10),
            (true, 0, 40),
            (false, n - 10, n),
        ],
        &[(false, 0, 40), (true, 0, 30), (false, 40, n)],
        &[
            (false, 0, 5),
            (true, 30, 40),
            (false, 5, n - 10),
            (false, n - 10, n),
        ],
        &[
            (false, 0, 0),
            (true, 100, n - 10),
            (false, 0, 100),
            (false, n - 10, n),
        ],
    ];
    for order in orders {
        let mut house = two();
        for (is_forged, start, end) in order {
            let from = if *is_forged { &forged } else { &good };
            let flag = if *end == n { Last } else { More };
            house.say(0, &chunk("mess1", from, *start..*end, None, flag));
        }
        for got in house.inbox(1) {
            let octets: Vec<Option<u8>> = good.iter().copied().map(Some).collect();
            assert_eq!(got.octets[..head], octets[..head], "{order:?}");
        }
    }
}

#[test]
fn message_with_too_many_holes_is_refused() {
    let mut house = two();
    let message = wrapped("a", &[ROOM], "x".repeat(1000));
    let first = message.len() - 1000;
    house.say(0, &chunk("mess1", &message, 0..first, None, More));
    for i in 1..64 {
        let at = first + 2 * i;
        assert_eq!(
            house.say(0, &chunk("mess1", &message, at..at + 1, None, More)),
            [200]
        );
    }
    let part = chunk("mess1", &message, first + 200..first + 201, None, More);
    assert_eq!(house.say(0, &part), [400]);
    assert!(house.inbox(1)[0].is_aborted);
}

#[test]
fn unfinished_messages_are_bounded_and_refused_ones_make_room() {
    let mut house = two();
    let message = wrapped("a", &[ROOM], "hello");
    let n = message.len();
    let first = |id: &str| chunk(id, &message, 0..n - 1, None, More);
    let rest = |id: &str| chunk(id, &message, n - 1..n, None, Last);
    assert_eq!(
        house.say(0, &first("refu1").content_type("text/plain")),
        [415]
    );
    for i in 1..UNFINISHED_MESSAGES_MAX {
        assert_eq!(house.say(0, &first(&format!("mess{i}"))), [200]);
    }
    assert_eq!(
        house.say(0, &first("more1")),
        [200],
        "the refused one makes room"
    );
    assert_eq!(house.say(0, &first("more2")), [413]);
    assert_eq!(
        house.say(0, &rest("refu1").content_type("text/plain")),
        [413]
    );
    assert_eq!(house.say(0, &rest("mess1")), [200]);
    assert_eq!(house.say(0, &first("more3")), [200]);
    assert_eq!(house.texts(1).len(), 1);
    house.leave(0);
    assert!(house.switch.is_idle());
    let aborted = house.inbox(1).iter().filter(|got| got.is_aborted).count();
    assert_eq!(aborted, UNFINISHED_MESSAGES_MAX);
}

#[test]
fn chunk_without_byte_range_is_a_whole_message() {
    let mut house = two();
    let message = wrapped("a", &[ROOM], "hello");
    let mut only = whole("mess1", &message);
    only.range = None;
    assert_eq!(house.say(0, &only), [200]);
    let n = message.len() as u64;
    let expected = ByteRange {
        start: 1,
        end: Some(n),
        total: Some(n),
    };
    assert_eq!(house.pieces(1)[0].range, expected);
}

#[test]
fn octets_of_a_later_chunk_wait_the_whole_hold_time() {
    let mut house = two();
    let message = wrapped("a", &[ROOM], "x".repeat(600));
    let n = message.len();
    let first = chunk("mess1", &message, 0..n - 400, None, More);
    let (wire, rest) = cut(&mut house, &first, n - 450);
    house.read(0, &wire);
    house.end_turn();
    house.pass_ns(HOLD_NS / 2);
    house.read(0, &rest);
    assert_eq!(house.pieces(1).len(), 1);
    let second = chunk("mess1", &message, n - 400..n, None, Last);
    let (wire, rest) = cut(&mut house, &second, 100);
    house.read(0, &wire);
    house.end_turn();
    house.pass_ns(HOLD_NS - 1);
    assert_eq!(house.pieces(1).len(), 1);
    house.pass_ns(1);
    assert_eq!(house.pieces(1).len(), 2);
    house.read(0, &rest);
    assert_eq!(house.getters(&message), [1]);
}

#[test]
fn last_piece_of_a_message_whose_hole_is_filled_slowly_is_the_very_last() {
    for filling in [5000, 150_000] {
        let mut house = two();
        let message = wrapped("a", &[ROOM], "x".repeat(400 + filling));
        let n = message.len();
        let hole = n - 200 - filling..n - 200;
        house.say(0, &chunk("mess1", &message, 0..hole.start, None, More));
        house.say(0, &chunk("mess1", &message, hole.end..n, None, Last));
        let fill = chunk("mess1", &message, hole, None, More);
        let (wire, rest) = cut(&mut house, &fill, filling);
        house.read(0, &wire);
        house.end_turn();
        assert!(house.pieces(1).iter().all(|piece| !piece.is_last));
        house.read(0, &rest);
        let last: Vec<bool> = house.pieces(1).iter().map(|p| p.is_last).collect();
        assert_eq!(last.iter().position(|last| *last), Some(last.len() - 1));
        assert_eq!(house.getters(&message), [1]);
    }
}

#[test]
fn message_as_long_as_the_longest_piece_leaves_in_one() {
    let mut house = two();
    let head = wrapped("a", &[ROOM], "").len();
    let message = wrapped("a", &[ROOM], "x".repeat(PIECE_OCTETS_MAX - head));
    house.say(0, &whole("mess1", &message));
    assert_eq!(house.flags(1), [Last]);
}

#[test]
fn open_chunk_leaves_at_the_end_of_a_turn_from_the_shortest_piece_on() {
    for (held, left) in [
        (PIECE_OCTETS_MIN, 0),
        (PIECE_OCTETS_MIN + 1, PIECE_OCTETS_MIN),
    ] {
        let mut house = two();
        let message = wrapped("a", &[ROOM], "x".repeat(3000));
        let (wire, _) = cut(&mut house, &whole("mess1", &message), held);
        house.read(0, &wire);
        house.end_turn();
        let octets: usize = house.pieces(1).iter().map(|piece| piece.octets).sum();
        assert_eq!(octets, left);
        // Nothing is to be done for a last octet alone before the rest of its chunk comes.
        let is_timed = house.switch.poll_timeout() == Some(house.now.after(HOLD_NS));
        assert_eq!(is_timed, left == 0);
    }
}

#[test]
fn queued_piece_leaves_without_those_whose_copy_ended_before_the_next_was_cut() {
    let mut house = House::new(["a", "b", "c"].map(guest));
    let (now, bob, carol) = (house.now, house.key(1), house.key(2));
    let message = wrapped("a", &[ROOM], "x".repeat(2 * PIECE_OCTETS_MAX + 5000));
    let (wire, _) = cut(&mut house, &whole("mess1", &message), message.len() - 1000);
    let mut recipients: Vec<Vec<LegKey>> = Vec::new();
    house.read_raw(0, &wire, |switch, output| {
        if let Output::Piece { to, message, .. } = output {
            if recipients.is_empty() {
                switch.settle(bob, *message, Outcome::Failed);
                switch.end_turn(now);
            }
            recipients.push(to.to_vec());
        }
    });
    assert_eq!(recipients, [vec![bob, carol], vec![carol], vec![carol]]);
}
