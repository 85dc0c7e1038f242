//! What the sender is told.

use msrp_switch::{Outcome, Refused};
use msrp_wire::FailureReport;

use crate::harness::*;

fn two() -> House {
    House::new([guest("a"), guest("b")])
}

// covers: MSRP-4975-7.1.4-01, MSRP-4975-7.1.4-03, MSRP-4975-7.1.4-04, MSRP-4975-7.1.4-05
// covers: MSRP-4975-7.2-01, MSRP-4975-7.2-02, MSRP-7701-6.3-01, MSRP-7701-6.3-02, MSRP-7701-6.3-05
#[test]
fn response_follows_failure_report() {
    let table = [
        (FailureReport::Yes, "a", Some(200)),
        (FailureReport::Partial, "a", None),
        (FailureReport::No, "a", None),
        (FailureReport::Yes, "b", Some(403)),
        (FailureReport::Partial, "b", Some(403)),
        (FailureReport::No, "b", None),
    ];
    for (failure, from, status) in table {
        let mut house = two();
        let message = wrapped(from, &[ROOM], "hello");
        let answers = house.say(0, &whole("mess1", &message).failure(failure));
        assert_eq!(answers, Vec::from_iter(status), "{failure:?} {from}");
        assert_eq!(house.told.len(), 1);
        assert_eq!(house.texts(1).len(), usize::from(from == "a"));
    }
}

// covers: MSRP-4975-7.3.1-06, MSRP-7701-6.3-03
#[test]
fn chunk_that_is_no_cpim_is_415_and_the_rest_of_it_too() {
    for content_type in ["text/plain", "multipart/mixed", "message/cpimx", "nonsense"] {
        let mut house = two();
        let message = wrapped("a", &[ROOM], "hello");
        let n = message.len();
        let first = chunk("mess1", &message, 0..n - 2, None, More).content_type(content_type);
        let second = chunk("mess1", &message, n - 2..n, None, Last).content_type(content_type);
        assert_eq!(house.say(0, &first), [415], "{content_type}");
        assert_eq!(house.say(0, &second), [415], "{content_type}");
        assert!(house.pieces(1).is_empty());
        assert!(house.switch.is_idle());
    }
    let mut house = two();
    let message = whole("mess1", &wrapped("a", &[ROOM], "hello"));
    let parameters = message.content_type("Message/CPIM;x=y");
    assert_eq!(house.say(0, &parameters), [200]);
}

#[test]
fn wrapper_that_cannot_be_read_is_400() {
    let bad: [&[u8]; 5] = [
        b"not a header\r\n\r\nContent-Type: text/plain\r\n\r\nhello",
        b"From: <sip:a@example.com>\r\nTo: <sip:room@example.com>\r\n",
        b"From: <sip:a@example.com>",
        b"From: <sip:a@example.com>\r\nFrom: <sip:a@example.com>\r\nTo: <sip:room@example.com>\r\n\r\n\r\n",
        b"From: <sip:a@example.com>\nTo: <sip:room@example.com>\n\n\n",
    ];
    for message in bad {
        let mut house = two();
        assert_eq!(house.say(0, &whole("mess1", message)), [400]);
        assert!(house.pieces(1).is_empty());
        assert!(house.switch.is_idle());
    }
}

#[test]
fn wrapper_longer_than_its_bound_is_400() {
    let headers = |filler: usize| {
        let filler = "x".repeat(filler);
        format!("From: <sip:a@example.com>\r\nTo: <{ROOM}>\r\nSubject: {filler}\r\n\r\n")
    };
    let base = headers(0).len();
    for (octets, status) in [(16_384, 200), (16_385, 400), (40_000, 400)] {
        for size in [octets, 5000] {
            let mut house = two();
            let text = headers(octets - base);
            assert_eq!(text.len(), octets);
            let message = (text + "Content-Type: text/plain\r\n\r\nhello").into_bytes();
            let mut statuses = Vec::new();
            let mut start = 0;
            while start < message.len() {
                let end = message.len().min(start + size);
                let flag = if end == message.len() { Last } else { More };
                statuses.extend(house.say(0, &chunk("mess1", &message, start..end, None, flag)));
                start = end;
            }
            assert_eq!(statuses.last(), Some(&status), "{octets} by {size}");
            assert_eq!(house.getters(&message).len(), usize::from(status == 200));
        }
    }
}

fn wrapper_without_end(octets: usize) -> Vec<u8> {
    let line = "X: y\r\n";
    let head = format!("From: <sip:a@example.com>\r\nTo: <{ROOM}>\r\n");
    (head + &line.repeat(octets / line.len())).into_bytes()
}

#[test]
fn wrapper_without_end_in_small_chunks_is_refused_soon_after_its_bound() {
    let mut house = two();
    let message = wrapper_without_end(40_000);
    let refused = (0..message.len()).step_by(100).find(|start| {
        let part = *start..message.len().min(start + 100);
        house.say(0, &chunk("mess1", &message, part, None, More)) == [400]
    });
    let looked_at = 16_384 - 100..16_384 + 4096;
    assert!(looked_at.contains(&refused.unwrap()), "{refused:?}");
}

#[test]
fn octets_of_a_refused_message_are_not_kept() {
    let mut house = two();
    let message = wrapper_without_end(20_000);
    let part = chunk("mess1", &message, 0..message.len(), None, More);
    assert_eq!(house.say(0, &part), [400]);
    assert_eq!(house.switch.sums().held_octets_copied, 0);
}

#[test]
fn chunk_of_which_no_octet_is_content_is_200_with_or_without_a_type() {
    let mut house = two();
    for rest in ["Content-Type: text/plain\r\n", "\r\n\r\n"] {
        let wire = format!(
            "MSRP tid12345 SEND\r\nTo-Path: msrp://a.example:1/x;tcp\r\n\
            From-Path: msrp://b.example:1/y;tcp\r\nMessage-ID: mess1\r\n{rest}-------tid12345$\r\n"
        );
        let before = house.told.len();
        house.read(0, wire.as_bytes());
        assert_eq!(house.answers_since(before), [200], "{rest:?}");
    }
    assert!(house.switch.is_idle() && house.pieces(1).is_empty());
}

#[test]
fn chunk_without_body_is_200_and_goes_no_further() {
    let mut house = House::new([guest("a").may(false, true), guest("b")]);
    for flag in [Last, More, Abort] {
        let keep_alive = chunk("keep1", b"", 0..0, None, flag).without_body();
        assert_eq!(house.say(0, &keep_alive), [200]);
        let silent = keep_alive.failure(FailureReport::Partial).success();
        assert_eq!(house.say(0, &silent), [0; 0]);
    }
    assert!(house.pieces(1).is_empty());
    assert!(house.reports().is_empty());
    assert!(house.switch.is_idle());
}

#[test]
fn body_without_content_type_is_415() {
    let mut house = two();
    let wire = b"MSRP tid12345 SEND\r\nTo-Path: msrp://a.example:1/x;tcp\r\n\
        From-Path: msrp://b.example:1/y;tcp\r\nMessage-ID: mess1\r\n\r\nhello\r\n-------tid12345$\r\n";
    house.read(0, wire);
    assert_eq!(house.answers_since(0), [415]);
    assert!(house.pieces(1).is_empty());
    assert!(house.switch.is_idle());
}

// covers: MSRP-4975-7.1.2-04, MSRP-4975-7.1.3-01, MSRP-4975-7.1.3-02, MSRP-4975-7.1.3-05
#[test]
fn success_report_is_one_for_the_whole_message() {
    for failure in [
        FailureReport::Yes,
        FailureReport::Partial,
        FailureReport::No,
    ] {
        let mut house = House::new([guest("a"), guest("b"), guest("c")]);
        let message = wrapped("a", &[ROOM], "x".repeat(300));
        let n = message.len();
        let first = chunk("mess1", &message, 0..200, None, More);
        let second = chunk("mess1", &message, 200..n, None, Last);
        house.say(0, &first.failure(failure).success());
        assert!(house.reports().is_empty());
        house.say(0, &second.failure(failure).success());
        let range = format!("1-{n}/{n}");
        assert_eq!(house.reports(), [(0, "mess1", range.as_str(), 200)]);
    }
}

// covers: MSRP-4975-7.1.3-05
#[test]
fn success_report_is_not_sent_unasked_nor_for_what_was_refused_or_given_up() {
    let mut house = two();
    let good = wrapped("a", &[ROOM], "hello");
    let forged = wrapped("b", &[ROOM], "hello");
    house.say(0, &whole("mess1", &good));
    house.say(0, &whole("mess2", &forged).success());
    house.say(
        0,
        &chunk("mess3", &good, 0..good.len(), None, Abort).success(),
    );
    house.say(
        0,
        &chunk("mess4", &good, 0..good.len(), None, More).success(),
    );
    house.leave(0);
    assert!(house.reports().is_empty());
}

#[test]
fn refused_message_keeps_its_status_until_it_ends() {
    let mut house = two();
    let message = wrapped("b", &[ROOM], "x".repeat(500));
    let part = |start: usize, flag| chunk("mess1", &message, start..start + 200, None, flag);
    assert_eq!(house.say(0, &part(0, More)), [403]);
    assert_eq!(house.say(0, &part(200, More)), [403]);
    let reasons: Vec<Option<Refused>> = house
        .told
        .iter()
        .map(|told| match told {
            Told::Answer { refused, .. } => *refused,
            Told::Report { .. } => None,
        })
        .collect();
    assert_eq!(reasons[0], Some(Refused::FromNotSender));
    assert!(matches!(reasons[1], Some(Refused::StillRefused(status)) if status.value() == 403));
    assert_eq!(house.say(0, &part(400, Abort)), [403]);
    assert!(house.switch.is_idle());
    let good = wrapped("a", &[ROOM], "hello");
    assert_eq!(
        house.say(0, &whole("mess1", &good)),
        [200],
        "the id is free again"
    );
    assert_eq!(house.getters(&good), [1]);
}

#[test]
fn message_that_all_recipients_refuse_is_413_from_the_next_chunk_on() {
    let mut house = House::new([guest("a"), guest("b"), guest("c")]);
    let message = wrapped("a", &[ROOM], "x".repeat(400));
    let part = |start: usize, flag| chunk("mess1", &message, start..start + 100, None, flag);
    assert_eq!(house.say(0, &part(0, More)), [200]);
    assert_eq!(house.say(0, &part(100, More)), [200]);
    let key = house.pieces(1)[0].key;
    house.settle(1, key, Outcome::Refused);
    house.settle(1, key, Outcome::Refused);
    assert_eq!(house.say(0, &part(200, More)), [200]);
    assert_eq!(house.pieces(1).len(), 1);
    assert_eq!(house.pieces(2).len(), 2);
    house.settle(2, key, Outcome::Refused);
    assert_eq!(house.say(0, &part(300, More)), [413]);
    assert_eq!(house.say(0, &part(300, Last)), [413]);
    assert!(house.switch.is_idle());
    assert_eq!(house.switch.sums().refused, 2);
}
