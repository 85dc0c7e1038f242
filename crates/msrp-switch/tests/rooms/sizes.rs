//! max-size of recipients, and the longest message of a room.

use msrp_switch::RoomSpec;
use msrp_wire::FailureReport;

use crate::harness::*;

const TEXT: usize = 5000;

fn message() -> Vec<u8> {
    wrapped("a", &[ROOM], "x".repeat(TEXT))
}

fn room(max_sizes: &[u64]) -> House {
    let limited = max_sizes.iter().map(|max| guest("b").max_size(*max));
    House::new(std::iter::once(guest("a")).chain(limited))
}

// covers: UPS-7.2.3.3-03, UPS-7.2.3.3-04
#[test]
fn message_with_known_total_is_withheld_from_those_it_is_too_large_for() {
    let message = message();
    let n = message.len() as u64;
    let mut house = room(&[n - 1, n, n + 1]);
    house.add(guest("c"));
    house.join(4);
    assert_eq!(house.say(0, &whole("mess1", &message)), [200]);
    assert_eq!(house.getters(&message), [2, 3, 4]);
    assert!(house.pieces(1).is_empty());
    assert!(house.reports().is_empty(), "some could take it");
    assert_eq!(house.switch.sums().refused, 1);
    assert!(house.switch.is_idle());
}

#[test]
fn message_with_unknown_total_ends_with_abort_where_it_passes_the_limit() {
    let message = message();
    let n = message.len();
    let mut house = room(&[2000, 3000, n as u64 - 1, n as u64]);
    for (start, end, flag) in [(0, 2500, More), (2500, n - 1, More), (n - 1, n, Last)] {
        assert_eq!(
            house.say(0, &chunk("mess1", &message, start..end, None, flag)),
            [200]
        );
    }
    assert_eq!(house.flags(1), [], "never began");
    assert_eq!(house.flags(2), [More, Abort]);
    assert_eq!(house.flags(3), [More, More, Abort]);
    assert_eq!(house.flags(4), [More, More, Last]);
    assert_eq!(house.getters(&message), [4]);
    assert!(house.reports().is_empty());
    assert_eq!(house.switch.sums().refused, 3);
    assert!(house.switch.is_idle());
}

#[test]
fn abort_goes_to_those_who_got_a_part_even_when_the_sender_starts_again() {
    let message = message();
    let mut house = room(&[2000, 3000]);
    house.say(0, &chunk("mess1", &message, 0..1500, None, More));
    house.say(0, &chunk("mess1", &message, 0..2500, None, More));
    assert_eq!(house.flags(1), [More, Abort]);
    assert_eq!(house.flags(2), [More, More]);
}

#[test]
fn abort_stands_behind_the_last_octet_that_left() {
    let message = message();
    for is_refused in [false, true] {
        let mut house = room(&[3000]);
        house.say(0, &chunk("mess1", &message, 0..2500, None, More));
        if is_refused {
            let piece = house.pieces(1)[0].clone();
            house.stop_copy(1, &piece, 413);
        } else {
            house.say(0, &chunk("mess1", &message, 2500..3001, None, More));
        }
        assert_eq!(house.flags(1), [More, Abort]);
        assert_eq!(house.pieces(1)[1].range.to_string(), "2501-*/*");
    }
}

// covers: UPS-7.2.3.3-05, MSRP-4975-7.1.4-02, MSRP-4975-7.1.4-03, MSRP-4975-7.1.4-06
// covers: MSRP-4975-7.1.4-08
#[test]
fn message_that_nobody_can_take_is_reported_once() {
    let message = message();
    let n = message.len();
    let range = format!("1-{n}/{n}");
    for total in [Some(n), None] {
        for failure in [
            FailureReport::Yes,
            FailureReport::Partial,
            FailureReport::No,
        ] {
            let mut house = room(&[1000, 2000]);
            for (start, end, flag) in [(0, 1500, More), (1500, n, Last)] {
                let part = chunk("mess1", &message, start..end, total, flag);
                house.say(0, &part.failure(failure));
            }
            if failure == FailureReport::No {
                assert!(house.reports().is_empty());
            } else {
                assert_eq!(house.reports(), [(0, "mess1", range.as_str(), 413)]);
            }
            assert!(house.getters(&message).is_empty());
            assert!(house.switch.is_idle());
        }
    }
}

#[test]
fn message_that_a_leaver_could_take_is_not_reported_as_too_large() {
    let message = message();
    let n = message.len();
    let mut house = room(&[1000, 1_000_000]);
    house.say(0, &chunk("mess1", &message, 0..500, None, More));
    house.leave(2);
    assert_eq!(
        house.say(0, &chunk("mess1", &message, 500..n, None, Last)),
        [200]
    );
    assert!(house.reports().is_empty());
    assert!(house.switch.is_idle());
}

#[test]
fn message_longer_than_the_room_allows_is_413() {
    let message = message();
    let n = message.len();
    let house = |max: usize| {
        let spec = RoomSpec {
            message_octets_max: max as u64,
            ..room_spec()
        };
        House::with(spec, FailureReport::Partial, [guest("a"), guest("b")])
    };
    let parts = |total| {
        [
            chunk("mess1", &message, 0..1500, total, More),
            chunk("mess1", &message, 1500..n, total, Last),
        ]
    };
    let say = |house: &mut House, total| -> Vec<u16> {
        parts(total)
            .iter()
            .flat_map(|part| house.say(0, part))
            .collect()
    };
    for total in [Some(n), None] {
        let mut equal = house(n);
        assert_eq!(say(&mut equal, total), [200, 200]);
        assert_eq!(equal.getters(&message), [1]);
    }
    let mut known = house(n - 1);
    assert_eq!(say(&mut known, Some(n)), [413, 413]);
    assert!(known.pieces(1).is_empty());
    assert!(known.switch.is_idle());
    let mut unknown = house(n - 1);
    assert_eq!(say(&mut unknown, None), [200, 413]);
    assert_eq!(unknown.flags(1), [More, Abort]);
    assert!(unknown.switch.is_idle());
    assert_eq!(unknown.switch.sums().aborted, 1);
}
