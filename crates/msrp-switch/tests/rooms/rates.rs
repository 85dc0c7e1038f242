//! How often a participant may begin a message.

use msrp_switch::{Rate, Refused};

use crate::harness::*;

const SECOND_NS: u64 = 1_000_000_000;

fn two_at_once_and_one_a_second() -> Option<Rate> {
    Some(Rate {
        count: 1,
        per_ns: SECOND_NS,
        burst: 2,
    })
}

fn hello(id: &str) -> Chunk {
    whole(id, &wrapped("a", &[ROOM], "hello"))
}

#[test]
fn message_above_the_rate_of_its_sender_is_refused_with_413_until_time_has_passed() {
    let mut house = House::new(["a", "b"].map(guest));
    let a = house.key(0);
    house.switch.set_rate(a, two_at_once_and_one_a_second());
    assert_eq!(house.say(0, &hello("mess1")), [200]);
    assert_eq!(house.say(0, &hello("mess2")), [200]);
    assert_eq!(house.say(0, &hello("mess3")), [413]);
    assert_eq!(house.switch.leg_sums(a).refused, 1);
    house.pass_ns(SECOND_NS - 1);
    assert_eq!(house.say(0, &hello("mess4")), [413]);
    house.pass_ns(1);
    assert_eq!(house.say(0, &hello("mess5")), [200]);
    assert_eq!(
        house.say(1, &whole("mess6", &wrapped("b", &[ROOM], "mine"))),
        [200]
    );
    assert_eq!(house.switch.leg_sums(a).accepted.text, 3);
}

#[test]
fn chunks_of_a_message_that_was_begun_count_once() {
    let mut house = House::new(["a", "b"].map(guest));
    let a = house.key(0);
    house.switch.set_rate(a, two_at_once_and_one_a_second());
    let text = wrapped("a", &[ROOM], "a message in parts");
    let total = Some(text.len());
    for start in (0..text.len()).step_by(20) {
        let end = text.len().min(start + 20);
        let flag = if end == text.len() { Last } else { More };
        assert_eq!(
            house.say(0, &chunk("mess1", &text, start..end, total, flag)),
            [200]
        );
    }
    assert_eq!(house.say(0, &hello("mess2")), [200]);
    assert_eq!(house.say(0, &hello("mess3")), [413]);
}

#[test]
fn message_that_is_refused_for_another_reason_takes_nothing_of_the_rate() {
    let mut house = House::new(["a", "b"].map(guest));
    let a = house.key(0);
    house.switch.set_rate(a, two_at_once_and_one_a_second());
    house.switch.set_muted(a, true);
    assert!(house.switch.is_muted(a) && !house.switch.is_muted(house.key(1)));
    for id in ["mess1", "mess2", "mess3"] {
        assert_eq!(house.say(0, &hello(id)), [403]);
    }
    house.switch.set_muted(a, false);
    assert!(!house.switch.is_muted(a));
    assert_eq!(house.say(0, &hello("mess4")), [200]);
    assert_eq!(house.say(0, &hello("mess5")), [200]);
}

#[test]
fn rate_that_changes_keeps_what_was_sent_and_one_that_is_taken_away_holds_nobody() {
    let mut house = House::new(["a", "b"].map(guest));
    let a = house.key(0);
    house.switch.set_rate(a, two_at_once_and_one_a_second());
    house.say(0, &hello("mess1"));
    house.say(0, &hello("mess2"));
    house.switch.set_rate(a, two_at_once_and_one_a_second());
    assert_eq!(house.switch.rate(a), two_at_once_and_one_a_second());
    assert_eq!(house.say(0, &hello("mess3")), [413]);
    house.switch.set_rate(a, None);
    assert_eq!(house.say(0, &hello("mess4")), [200]);
}

#[test]
fn sender_above_its_rate_is_told_to_slow_down() {
    assert_eq!(Refused::TooFast.phrase(), "Too Many Messages, Slow Down");
    assert_eq!(Refused::TooLarge.phrase(), "Stop Sending");
}
