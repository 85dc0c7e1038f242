//! What controllers are told of single messages, and what is counted for each participant.

use msrp_switch::limits::{TOLD_CONTENT_OCTETS_MAX, TOLD_MAX};
use msrp_switch::{ContentClass, CopySums, LegSums, MessageContent, MessageEnd, Told};
use msrp_wire::{FailureReport, StatusCode};

use crate::harness::*;

fn message_of(house: &mut House) -> MessageEnd {
    match house.switch.poll_told() {
        Some(Told::Message(end)) => end,
        other => panic!("{other:?}"),
    }
}

/// What a message held, behind its end.
fn content_of(house: &mut House) -> Option<MessageContent> {
    message_of(house);
    match house.switch.poll_told() {
        Some(Told::Content(content)) => Some(content),
        None => None,
        other => panic!("{other:?}"),
    }
}

#[test]
fn content_of_a_message_is_told_only_while_it_is_wanted_and_without_its_wrapper() {
    let mut house = House::new(["a", "b"].map(guest));
    house.switch.tell_messages(true);
    let text = wrapped("a", &[ROOM], "hello");
    house.say(0, &whole("msg1", &text));
    assert_eq!(content_of(&mut house), None);
    house.switch.tell_content(true);
    let total = Some(text.len());
    for (at, octet) in text.iter().enumerate() {
        let flag = if at + 1 == text.len() { Last } else { More };
        house.say(0, &chunk("msg2", &text, at..at + 1, total, flag));
        assert_eq!(text[at], *octet);
    }
    let content = content_of(&mut house).unwrap();
    assert_eq!(content.octets, b"hello");
    assert_eq!(
        (content.sender, content.is_whole),
        (Some(house.key(0)), true)
    );
    assert_eq!(content.content_type, "text/plain");
    assert_eq!(content.message_id.as_str(), "msg2");
}

#[test]
fn content_that_is_too_long_or_given_up_is_told_as_a_part() {
    let mut house = House::new(["a", "b"].map(guest));
    house.switch.tell_messages(true);
    house.switch.tell_content(true);
    let long = "x".repeat(TOLD_CONTENT_OCTETS_MAX + 1);
    let text = wrapped("a", &[ROOM], &long);
    house.say(0, &whole("msg1", &text));
    let content = content_of(&mut house).unwrap();
    assert_eq!(content.octets.len(), TOLD_CONTENT_OCTETS_MAX);
    assert!(!content.is_whole);
    let text = wrapped("a", &[ROOM], "given up");
    let most = text.len() - 3;
    let total = Some(text.len());
    house.say(0, &chunk("msg2", &text, 0..most, total, More));
    house.pass_ns(msrp_switch::limits::HOLD_NS);
    house.say(0, &chunk("msg2", &text, most..text.len() - 1, total, Abort));
    let content = content_of(&mut house).unwrap();
    assert!(b"given up".starts_with(&content.octets));
    assert!(!content.is_whole);
}

#[test]
fn messages_that_nobody_wants_to_know_of_are_not_told() {
    let mut house = House::new(["a", "b"].map(guest));
    let text = wrapped("a", &[ROOM], "hello");
    house.say(0, &whole("msg1", &text));
    house.end_turn();
    assert_eq!(house.switch.poll_told(), None);
    // What is counted for participants is counted all the same.
    assert_eq!(house.switch.leg_sums(house.key(0)).accepted.text, 1);
}

#[test]
fn message_is_told_once_with_the_outcome_of_every_copy() {
    let mut house = House::new([guest("a"), guest("b"), guest("c"), guest("d").max_size(10)]);
    house.switch.tell_messages(true);
    let text = wrapped("a", &[ROOM], "hello");
    house.say(0, &whole("msg1", &text));
    house.end_turn();
    let told = message_of(&mut house);
    let expected = MessageEnd {
        room: house.room,
        sender: Some(house.key(0)),
        message_id: told.message_id,
        octets: text.len() as u64,
        class: Some(ContentClass::Text),
        refused: None,
        copies: CopySums {
            sent: 2,
            refused: 1,
            ..CopySums::default()
        },
    };
    assert_eq!(told, expected);
    assert_eq!(told.message_id.as_str(), "msg1");
    assert_eq!(house.switch.poll_told(), None);
    let got = house.switch.leg_sums(house.key(1));
    let sent = CopySums {
        sent: 1,
        ..CopySums::default()
    };
    assert_eq!((got.copies, got.octets_received), (sent, text.len() as u64));
}

#[test]
fn message_that_is_refused_is_told_with_the_status() {
    let mut house = House::new(["a", "b"].map(guest));
    house.switch.tell_messages(true);
    let text = wrapped("b", &[ROOM], "not mine");
    assert_eq!(house.say(0, &whole("msg1", &text)), [403]);
    house.end_turn();
    let told = message_of(&mut house);
    assert_eq!(told.refused, Some(StatusCode::FORBIDDEN));
    assert_eq!((told.copies, told.class), (CopySums::default(), None));
    let sums = house.switch.leg_sums(house.key(0));
    assert_eq!((sums.accepted.total(), sums.refused), (0, 1));
}

#[test]
fn sums_of_a_leg_hold_octets_that_were_refused_and_what_the_caller_saw_leave() {
    let mut house = House::new(["a", "b"].map(guest));
    let text = wrapped("b", &[ROOM], "not mine");
    assert_eq!(house.say(0, &whole("msg1", &text)), [403]);
    let a = house.key(0);
    house.switch.count_left(a, 10, None);
    house.switch.count_left(a, 5, Some(ContentClass::File));
    let sums = house.switch.leg_sums(a);
    assert_eq!(sums.octets_sent, text.len() as u64);
    assert_eq!((sums.octets_left, sums.left.file), (15, 1));
    assert_eq!((sums.left.total(), sums.accepted.total()), (1, 0));
}

#[test]
fn sums_of_a_leg_tell_what_became_of_what_was_for_it() {
    let mut house = House::with(room_spec(), FailureReport::Yes, ["a", "b"].map(guest));
    house.settling = Settling::ByTest;
    let text = wrapped("a", &[ROOM], "hello");
    house.say(0, &whole("msg1", &text));
    house.end_turn();
    house.settle_next().unwrap();
    house.say(0, &whole("msg2", &text));
    house.end_turn();
    let b = house.key(1);
    let sums = house.switch.leave(b);
    let copies = CopySums {
        delivered: 1,
        failed: 1,
        ..CopySums::default()
    };
    let expected = LegSums {
        copies,
        octets_received: text.len() as u64,
        ..LegSums::default()
    };
    assert_eq!(sums, expected);
    let sums = house.switch.leave(house.key(0));
    let octets_sent = 2 * text.len() as u64;
    assert_eq!((sums.accepted.text, sums.octets_sent), (2, octets_sent));
}

#[test]
fn what_is_not_told_because_too_much_waits_is_counted_once() {
    let mut house = House::new(["a", "b"].map(guest));
    house.switch.tell_messages(true);
    let text = wrapped("a", &[ROOM], "x");
    for number in 0..TOLD_MAX + 2 {
        house.say(0, &whole(&format!("mess{number}"), &text));
    }
    let told = std::iter::from_fn(|| house.switch.poll_told()).count();
    assert_eq!(told, TOLD_MAX);
    assert_eq!([(); 2].map(|()| house.switch.take_untold()), [2, 0]);
}
