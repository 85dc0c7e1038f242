//! Bridges: what one half sends comes out of the other as it was, and what becomes of it comes back.

use msrp_switch::Outcome;
use msrp_wire::{ByteRange, FailureReport, MessageId, StatusCode, SuccessReport};

use proptest::prelude::*;

use crate::harness::*;

const HTML: &[u8] = b"<p>no wrapper at all</p>";

fn plain(id: &str, message: &[u8]) -> Chunk {
    whole(id, message).content_type("text/html;charset=utf-8")
}

fn heard_text(house: &House, who: Who) -> String {
    let last = house.heard(who).pop().unwrap();
    String::from_utf8(last).unwrap()
}

fn report(house: &mut House, from: Who, id: &str, status: u16) {
    let range = ByteRange {
        start: 1,
        end: Some(24),
        total: Some(24),
    };
    let (leg, id) = (house.key(from), MessageId::parse(id.as_bytes()).unwrap());
    let status = StatusCode::new(status).unwrap();
    house.switch.handle_report(leg, id, Some(range), status);
    house.drain();
}

#[test]
fn bridge_passes_any_type_and_all_that_the_sender_asked_for() {
    for failure in [
        FailureReport::Yes,
        FailureReport::Partial,
        FailureReport::No,
    ] {
        let mut house = House::bridge();
        let mut said = plain("mess1", HTML).failure(failure).success();
        said.extra = "X-Extra: kept\r\n".to_owned();
        let due = usize::from(failure == FailureReport::Yes);
        assert_eq!(house.say(0, &said), [200][..due]);
        assert_eq!(house.texts(1), [HTML]);
        assert_eq!(house.inbox(1)[0].id, "mess1");
        assert_eq!(house.success_reports(1), [SuccessReport::Yes]);
        assert_eq!(house.pieces(1)[0].extra.as_deref(), Some("kept"));
        let text = heard_text(&house, 1);
        assert!(
            text.contains("Content-Type: text/html;charset=utf-8\r\n"),
            "{text}"
        );
        assert!(text.contains("Byte-Range: 1-24/24\r\n"), "{text}");
        let line = format!("Failure-Report: {}\r\n", failure.as_str());
        assert!(
            failure == FailureReport::Yes || text.contains(&line),
            "{text}"
        );
        assert_eq!(house.inbox(0).len(), 0);
        assert_eq!(house.reports(), []);
    }
}

#[test]
fn bridge_reports_of_the_recipient_come_back_under_the_same_id() {
    let mut house = House::bridge();
    house.say(1, &plain("mess7", HTML).success());
    report(&mut house, 0, "mess7", 200);
    report(&mut house, 0, "mess7", 413);
    let expected = [(1, "mess7", "1-24/24", 200), (1, "mess7", "1-24/24", 413)];
    assert_eq!(house.reports(), expected);
}

#[test]
fn bridge_error_after_the_end_is_one_report_unless_unwanted() {
    for (failure, is_written, expected) in [
        (FailureReport::Yes, false, 1),
        (FailureReport::Partial, false, 1),
        (FailureReport::Partial, true, 1),
        (FailureReport::No, false, 0),
    ] {
        let mut house = House::bridge();
        house.say(0, &plain("mess1", HTML).failure(failure));
        let piece = house.pieces(1)[0].clone();
        if is_written {
            house.settle(1, piece.key, Outcome::Sent);
        }
        house.stop_copy(1, &piece, 415);
        house.stop_copy(1, &piece, 415);
        let reports = [(0, "mess1", "1-24/24", 415)];
        assert_eq!(
            house.reports(),
            reports[..expected],
            "{failure:?} {is_written}"
        );
        assert!(house.switch.is_idle());
        let sums = house.switch.bridge_sums(house.key(0)).unwrap();
        assert_eq!((sums.messages, sums.octets, sums.failed), (1, 24, 1));
    }
}

#[test]
fn bridge_error_to_any_of_the_last_messages_is_told() {
    let mut house = House::bridge();
    for id in ["mess1", "mess2", "mess3"] {
        house.say(0, &plain(id, HTML).failure(FailureReport::Partial));
    }
    let pieces = house.pieces(1).to_vec();
    for piece in &pieces {
        house.settle(1, piece.key, Outcome::Sent);
    }
    house.stop_copy(1, &pieces[1], 415);
    house.stop_copy(1, &pieces[0], 415);
    let expected = ["mess2", "mess1"].map(|id| (0, id, "1-24/24", 415));
    assert_eq!(house.reports(), expected);
}

#[test]
fn bridge_error_in_the_middle_answers_what_still_comes() {
    let message = [b'x'; 400];
    let mut house = House::bridge();
    let part = |range, flag| chunk("mess1", &message, range, Some(400), flag);
    house.say(0, &part(0..200, More));
    let piece = house.pieces(1)[0].clone();
    house.stop_copy(1, &piece, 413);
    assert_eq!(house.flags(1), [More, Abort]);
    assert_eq!(house.say(0, &part(200..400, Last)), [413]);
    assert_eq!(house.reports(), []);
    assert!(house.switch.is_idle());
}

#[test]
fn bridge_error_within_an_open_chunk_answers_it_at_once() {
    let message = [b'x'; 9000];
    let mut house = House::bridge();
    let said = chunk("mess1", &message, 0..9000, Some(9000), Last);
    let octets = house.encode(&said);
    house.read(0, &octets[..6000]);
    house.end_turn();
    let piece = house.pieces(1)[0].clone();
    house.stop_copy(1, &piece, 403);
    assert_eq!(house.answers_since(0), [403]);
    house.read(0, &octets[6000..]);
    house.end_turn();
    assert_eq!(house.answers_since(0), [403]);
    assert_eq!(house.flags(1), [More, Abort]);
    assert!(house.switch.is_idle());
}

#[test]
fn bridge_silence_of_the_recipient_is_408_and_its_end_481() {
    for is_gone in [false, true] {
        let mut house = House::bridge();
        house.say(0, &plain("mess1", HTML));
        let piece = house.pieces(1)[0].clone();
        if is_gone {
            house.leave(1);
        } else {
            house.switch.settle_timed_out(house.key(1), piece.key);
            house.drain();
        }
        let status = if is_gone { 481 } else { 408 };
        assert_eq!(house.reports(), [(0, "mess1", "1-24/24", status)]);
        assert!(house.switch.is_idle());
    }
}

#[test]
fn bridge_copy_without_room_is_told_as_408() {
    let mut house = House::bridge();
    house.say(0, &plain("mess1", HTML));
    let piece = house.pieces(1)[0].clone();
    house.settle(1, piece.key, Outcome::Failed);
    assert_eq!(house.reports(), [(0, "mess1", "1-24/24", 408)]);
}

#[test]
fn bridge_takes_octets_in_any_order_and_passes_an_abort() {
    let mut house = House::bridge();
    let message: Vec<u8> = (0..=255).cycle().take(3000).collect();
    let part = |id: &str, range, flag| chunk(id, &message, range, Some(3000), flag);
    assert_eq!(house.say(0, &part("mess1", 0..1000, More)), [200]);
    assert_eq!(house.say(0, &part("mess1", 2000..3000, Last)), [200]);
    assert_eq!(house.say(0, &part("mess1", 1000..2000, More)), [200]);
    assert_eq!(house.texts(1), [&message[..]]);
    house.say(0, &part("mess2", 0..1000, More));
    house.say(0, &part("mess2", 1000..1000, Abort));
    assert!(house.inbox(1)[1].is_aborted);
}

#[test]
fn bridge_half_that_has_not_joined_gets_nothing_and_the_sender_413() {
    let mut house = House::bridge_of_one();
    assert_eq!(house.say(0, &plain("mess1", HTML)), [413]);
    assert_eq!(house.pieces(1).len(), 0);
}

#[test]
fn bridge_sign_of_life_is_answered_and_goes_nowhere() {
    let mut house = House::bridge();
    assert_eq!(house.say(0, &plain("alive", b"").without_body()), [200]);
    assert_eq!(house.pieces(1).len(), 0);
    assert_eq!(house.switch.bridge_sums(house.key(0)).unwrap().requests, 1);
}

#[test]
fn bridge_message_without_octets_arrives() {
    let mut house = House::bridge();
    let mut empty = plain("empty", b"");
    empty.range = Some(ByteRange {
        start: 1,
        end: Some(0),
        total: Some(0),
    });
    assert_eq!(house.say(0, &empty), [200]);
    assert_eq!(house.texts(1), [b""]);
}

/// One message of a walk: its octets, its chunks, what its sender wants to know, and the status with which the recipient
/// answers once so many chunks are in.
#[derive(Debug, Clone)]
struct Planned {
    octets: usize,
    chunks: usize,
    failure: FailureReport,
    error: Option<(usize, u16)>,
}

fn planned() -> impl Strategy<Value = Planned> {
    let failure = prop_oneof![
        Just(FailureReport::Yes),
        Just(FailureReport::Partial),
        Just(FailureReport::No)
    ];
    let status = prop_oneof![Just(400_u16), Just(408), Just(413), Just(415)];
    let error = proptest::option::of((1_usize..5, status));
    (1_usize..9000, 1_usize..5, failure, error).prop_map(|(octets, chunks, failure, error)| {
        Planned {
            octets,
            chunks,
            failure,
            error,
        }
    })
}

/// Says one message, and gives the errors that its sender was told: by answers, and by REPORTs.
fn walk(house: &mut House, id: &str, sender: Who, planned: &Planned) -> (usize, usize) {
    let message: Vec<u8> = (0..=255).cycle().take(planned.octets).collect();
    let (answers_before, pieces_before) = (house.told.len(), house.pieces(1 - sender).len());
    let reports_before = house.reports().len();
    let step = planned.octets.div_ceil(planned.chunks);
    let mut is_answered = false;
    for (number, start) in (0..planned.octets).step_by(step).enumerate() {
        let end = (start + step).min(planned.octets);
        let flag = if end == planned.octets { Last } else { More };
        let said = chunk(id, &message, start..end, Some(planned.octets), flag);
        house.say(sender, &said.failure(planned.failure));
        let first = house.pieces(1 - sender).get(pieces_before).cloned();
        if let Some(((after, status), piece)) = planned.error.zip(first)
            && number + 1 == after
        {
            house.stop_copy(1 - sender, &piece, status);
            is_answered = true;
        }
    }
    if !is_answered {
        let piece = house.pieces(1 - sender)[pieces_before].clone();
        house.settle(1 - sender, piece.key, Outcome::Delivered);
        assert!(house.texts(1 - sender).contains(&message));
    }
    let answers = house.answers_since(answers_before);
    let errors = answers.iter().filter(|status| **status != 200).count();
    (errors, house.reports().len() - reports_before)
}

proptest! {
    #[test]
    fn bridge_messages_arrive_whole_or_their_sender_is_told(
        messages in proptest::collection::vec((planned(), 0_usize..2), 1..12),
    ) {
        let mut house = House::bridge();
        for (number, (planned, sender)) in messages.iter().enumerate() {
            let (errors, reports) = walk(&mut house, &format!("mess{number}"), *sender, planned);
            let chunks = planned.octets.div_ceil(planned.octets.div_ceil(planned.chunks));
            let failed_after = planned.error.map(|(after, _)| after).filter(|after| *after <= chunks);
            let expected = match (failed_after, planned.failure) {
                (None, _) | (_, FailureReport::No) => (0, 0),
                (Some(after), _) if after == chunks => (0, 1),
                (Some(after), _) => (chunks - after, 0),
            };
            prop_assert_eq!((errors, reports), expected, "{:?}", planned);
            prop_assert!(house.switch.is_idle());
        }
    }
}
