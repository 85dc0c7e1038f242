//! What errors of a recipient do to the messages that it gets.

use msrp_switch::{Outcome, RecipientError};
use msrp_wire::{ByteRange, FailureReport, MessageId, StatusCode};

use crate::harness::*;

fn code(status: u16) -> StatusCode {
    StatusCode::new(status).unwrap()
}

/// A message of which the first half has left to two recipients.
fn half() -> (House, Vec<u8>) {
    let mut house = House::new(["a", "b", "c"].map(guest));
    house.settling = Settling::ByTest;
    let message = wrapped("a", &[ROOM], "x".repeat(400));
    let n = message.len();
    house.say(0, &chunk("mess1", &message, 0..n / 2, Some(n), More));
    (house, message)
}

fn say_rest(house: &mut House, message: &[u8]) -> Vec<u16> {
    let n = message.len();
    house.say(0, &chunk("mess1", message, n / 2..n, Some(n), Last))
}

fn answer(house: &mut House, who: Who, status: u16) {
    let piece = house.pieces(who)[0].clone();
    let leg = house.key(who);
    house
        .switch
        .settle_refused(leg, piece.key, piece.kind, code(status));
    house.drain();
}

// covers: MSRP-4975-10-01, MSRP-4975-10-03, MSRP-4975-7.3.2-03
#[test]
fn error_in_the_middle_ends_that_copy_with_abort_and_no_other() {
    for (status, outcome) in [
        (400, Outcome::Refused),
        (403, Outcome::Refused),
        (408, Outcome::Failed),
        (413, Outcome::Refused),
        (415, Outcome::Refused),
        (481, Outcome::Failed),
        (506, Outcome::Failed),
        (599, Outcome::Refused),
    ] {
        let (mut house, message) = half();
        answer(&mut house, 1, status);
        assert_eq!(house.flags(1), [More, Abort], "{status}");
        answer(&mut house, 1, status);
        assert_eq!(say_rest(&mut house, &message), [200]);
        assert_eq!(house.flags(1), [More, Abort], "{status}");
        assert!(house.inbox(1)[0].is_aborted);
        assert_eq!(house.getters(&message), [2]);
        let sums = house.switch.sums();
        let counted = (sums.refused, sums.failed);
        let refused = u64::from(outcome == Outcome::Refused);
        assert_eq!(counted, (refused, 1 - refused), "{status}");
    }
}

// covers: MSRP-4975-10-01
#[test]
fn answer_that_does_not_come_in_time_ends_the_copy_as_408_does() {
    let (mut house, message) = half();
    let (leg, key) = (house.key(1), house.pieces(1)[0].key);
    house.switch.settle_timed_out(leg, key);
    house.drain();
    say_rest(&mut house, &message);
    let (mut other, message) = half();
    answer(&mut other, 1, 408);
    say_rest(&mut other, &message);
    assert_eq!(house.flags(1), [More, Abort]);
    assert_eq!(house.flags(1), other.flags(1));
    assert_eq!(house.switch.sums(), other.switch.sums());
}

#[test]
fn error_after_the_last_piece_ends_nothing_more() {
    let (mut house, message) = half();
    say_rest(&mut house, &message);
    answer(&mut house, 1, 413);
    assert_eq!(house.flags(1).last(), Some(&Last));
    house.settle(2, house.pieces(2)[0].key, Outcome::Sent);
    assert!(house.switch.is_idle());
}

// covers: MSRP-4975-7.3.2-02, MSRP-4975-7.3.2-03, MSRP-4975-7.1.4-07
#[test]
fn failure_report_does_what_the_response_of_its_code_does() {
    for status in [400, 403, 408, 413, 415, 423, 481, 501, 506, 599] {
        let (mut by_report, message) = half();
        let id = by_report.pieces(1)[0].id.clone();
        let id = MessageId::parse(id.as_bytes()).unwrap();
        let leg = by_report.key(1);
        let success = by_report
            .switch
            .handle_report(leg, id, None, StatusCode::OK);
        assert!(!success, "nobody asked for it");
        let is_known = by_report.switch.handle_report(leg, id, None, code(status));
        assert!(is_known);
        by_report.drain();
        let (mut by_response, _) = half();
        answer(&mut by_response, 1, status);
        for house in [&mut by_report, &mut by_response] {
            say_rest(house, &message);
            house.say(0, &whole("mess2", &message));
        }
        assert_eq!(by_report.flags(1), by_response.flags(1), "{status}");
        assert_eq!(by_report.switch.sums(), by_response.switch.sums());
        let is_known = by_report.switch.handle_report(leg, id, None, code(status));
        assert!(!is_known, "once");
    }
}

// covers: MSRP-4975-10-06
#[test]
fn type_answered_with_415_is_not_sent_again_in_that_session() {
    let mut house = House::new(["a", "b", "c"].map(guest));
    let text = wrapped("a", &[ROOM], "hello");
    let image = |message: &[u8]| {
        let text = String::from_utf8(message.to_vec()).unwrap();
        text.replace("text/plain", "Image/PNG;x=y").into_bytes()
    };
    let picture = image(&text);
    house.say(0, &whole("mess1", &picture));
    assert!(
        house.switch.is_idle(),
        "the answer comes when the message is gone"
    );
    answer(&mut house, 1, 415);
    house.say(0, &whole("mess2", &picture));
    house.say(0, &whole("mess3", &text));
    assert_eq!(house.texts(1), [picture.clone(), text.clone()]);
    assert_eq!(house.texts(2), [picture.clone(), picture.clone(), text]);
    assert_eq!(house.switch.sums().refused, 1);
    house.leave(1);
    let again = house.add(guest("b"));
    house.join(again);
    house.say(0, &whole("mess4", &picture));
    assert_eq!(house.texts(again).len(), 1, "a new session is asked again");
}

// covers: MSRP-4975-10-08, MSRP-4975-10-09, MSRP-4975-7.3.2-04
#[test]
fn errors_that_end_the_session_are_told_from_those_that_do_not() {
    let range = ByteRange::parse(b"1-10/20").unwrap();
    for status in 300..=999 {
        let over = matches!(status, 481 | 506);
        let response = RecipientError::of_response(code(status));
        assert_eq!(response == RecipientError::SessionOver, over, "{status}");
        let report = RecipientError::of_report(code(status), None);
        assert_eq!(report, response);
        let of_octets = RecipientError::of_report(code(status), Some(range));
        let over = over || status == 408;
        assert_eq!(of_octets == RecipientError::SessionOver, over, "{status}");
    }
}

#[test]
fn stop_of_every_recipient_is_413_for_the_next_chunk() {
    let (mut house, message) = half();
    answer(&mut house, 1, 413);
    let n = message.len();
    let next = chunk("mess1", &message, n / 2..n - 50, Some(n), More);
    assert_eq!(house.say(0, &next), [200], "one still takes it");
    answer(&mut house, 2, 413);
    let last = chunk("mess1", &message, n - 50..n, Some(n), Last);
    assert_eq!(house.say(0, &last), [413]);
    assert_eq!(house.flags(1), [More, Abort]);
    assert_eq!(house.flags(2), [More, More, Abort]);
    assert!(house.switch.is_idle());
}

#[test]
fn copies_of_a_session_that_ends_in_order_end_with_abort() {
    let (mut house, message) = half();
    let whole_one = wrapped("c", &[ROOM], "whole");
    house.say(2, &whole("mess2", &whole_one));
    let leg = house.key(1);
    house.switch.end_copies(leg);
    house.drain();
    house.leave(1);
    let flags = house.flags(1);
    assert_eq!(flags, [More, Last, Abort]);
    let n = message.len();
    let rest = chunk("mess1", &message, n / 2..n, Some(n), Last).failure(FailureReport::No);
    house.say(0, &rest);
    assert_eq!(house.getters(&message), [2]);
    assert_eq!(house.switch.sums().failed, 2);
}
