//! Messages that end early, and copies that are settled.

use msrp_switch::Outcome;
use msrp_switch::limits::SILENCE_NS;
use msrp_wire::FailureReport;

use crate::harness::*;

fn three() -> House {
    House::new([guest("a"), guest("b"), guest("c")])
}

// covers: UPS-7.2.3.3-13, MSRP-4975-7.1-12
#[test]
fn abort_reaches_those_who_got_a_part_and_no_others() {
    let message = wrapped("a", &[ROOM], "x".repeat(3000));
    // How far the message has come: nothing of it was relayed for the first two.
    let table = [
        (0, 20, 0),
        (0, 500, 0),
        (500, 600, 2),
        (500, 500, 2),
        (2900, 3000, 2),
    ];
    for (before, until, flags) in table {
        for by_leaving in [false, true] {
            let mut house = three();
            if before > 0 {
                house.say(0, &chunk("mess1", &message, 0..before, None, More));
            }
            let last = chunk("mess1", &message, before..until, None, Abort);
            let last = if before == until {
                last.without_body()
            } else {
                last
            };
            if by_leaving {
                let mut wire = house.encode(&last);
                wire.truncate(wire.len() - 15);
                house.read(0, &wire);
                house.end_turn();
                house.leave(0);
            } else {
                assert_eq!(house.say(0, &last), [200]);
            }
            for who in [1, 2] {
                assert_eq!(
                    house.flags(who).len(),
                    flags,
                    "{before} {until} {by_leaving}"
                );
                assert_eq!(house.flags(who).last(), (flags > 0).then_some(&Abort));
            }
            assert!(house.switch.is_idle(), "{before} {until} {by_leaving}");
        }
    }
}

// covers: UPS-7.2.3.3-13
#[test]
fn leaver_ends_all_its_messages_and_none_of_others() {
    let mut house = three();
    let mine = wrapped("a", &[ROOM], "x".repeat(300));
    let yours = wrapped("b", &[ROOM], "y".repeat(300));
    for id in ["mess1", "mess2"] {
        house.say(0, &chunk(id, &mine, 0..200, None, More));
    }
    house.say(1, &chunk("mess3", &yours, 0..200, None, More));
    house.leave(0);
    house.say(1, &chunk("mess3", &yours, 200..yours.len(), None, Last));
    let ends: Vec<bool> = house.inbox(2).iter().map(|got| got.is_aborted).collect();
    assert_eq!(ends, [true, true, false]);
    assert_eq!(house.getters(&yours), [2]);
    let sums = house.switch.sums();
    assert_eq!((sums.aborted, sums.failed, sums.sent), (4, 1, 1));
    assert!(house.switch.is_idle());
}

#[test]
fn room_about_to_close_ends_half_a_message_for_everybody() {
    let mut house = three();
    let message = wrapped("c", &[ROOM], "x".repeat(300));
    house.say(2, &chunk("mess1", &message, 0..200, None, More));
    house.switch.end_messages(house.room);
    house.drain();
    for who in [0, 1] {
        assert_eq!(house.flags(who).last(), Some(&Abort));
    }
    assert_eq!(house.switch.sums().aborted, 2);
    assert!(house.switch.is_idle());
}

#[test]
fn room_that_closes_ends_everything() {
    let mut house = three();
    let message = wrapped("a", &[ROOM], "x".repeat(300));
    house.say(0, &chunk("mess1", &message, 0..200, None, More));
    house.switch.close_room(house.room);
    house.drain();
    assert!(house.switch.is_idle());
    assert_eq!(house.switch.legs_count(house.room), 0);
    let sums = house.switch.sums();
    assert_eq!(sums.opened, sums.settled());
    house.read(
        0,
        b"MSRP tid12345 SEND\r\nTo-Path: msrp://a.example:1/x;tcp\r\n\
        From-Path: msrp://b.example:1/y;tcp\r\nMessage-ID: mess1\r\n-------tid12345$\r\n",
    );
    assert_eq!(
        house.answers_since(0),
        [200],
        "only the chunk before was answered"
    );
}

#[test]
fn settling_twice_changes_nothing() {
    for failure_report in [FailureReport::Partial, FailureReport::Yes] {
        let spec = room_spec();
        let guests = [guest("a"), guest("b"), guest("c")];
        let mut house = House::with(spec, failure_report, guests);
        house.settling = Settling::ByTest;
        let message = wrapped("a", &[ROOM], "hello");
        house.say(0, &whole("mess1", &message));
        let key = house.pieces(1)[0].key;
        let good = house.good_outcome();
        assert!(!house.switch.is_idle());
        house.settle(0, key, good);
        assert_eq!(house.switch.sums().settled(), 0, "the sender has no copy");
        house.settle(1, key, good);
        house.settle(1, key, Outcome::Failed);
        assert!(!house.switch.is_idle());
        house.settle(2, key, Outcome::Failed);
        house.settle(2, key, good);
        assert!(house.switch.is_idle());
        let sums = house.switch.sums();
        assert_eq!((sums.opened, sums.failed), (2, 1));
        assert_eq!(sums.delivered + sums.sent, 1);
        house.settle(1, key, Outcome::Refused);
        assert_eq!(house.switch.sums(), sums);
    }
}

#[test]
fn copy_that_failed_gets_nothing_more() {
    for outcome in [Outcome::Failed, Outcome::Refused] {
        let mut house = three();
        let message = wrapped("a", &[ROOM], "x".repeat(300));
        house.say(0, &chunk("mess1", &message, 0..200, None, More));
        let key = house.pieces(1)[0].key;
        house.settle(1, key, outcome);
        house.say(0, &chunk("mess1", &message, 200..250, None, More));
        house.say(0, &chunk("mess1", &message, 250..message.len(), None, Last));
        assert_eq!(house.flags(1), [More]);
        assert_eq!(house.getters(&message), [2]);
        assert!(house.switch.is_idle());
    }
}

#[test]
fn copy_that_fails_while_pieces_are_queued_gets_none_of_them() {
    let mut house = three();
    let message = wrapped("a", &[ROOM], vec![b'x'; 300_000]);
    let wire = { house.encode(&whole("mess1", &message)) };
    let failing = house.key(1);
    let mut pieces = [0; 3];
    house.read_raw(0, &wire, |switch, output| {
        if let msrp_switch::Output::Piece { to, message, .. } = output {
            for leg in to.iter() {
                pieces[leg.index()] += 1;
            }
            switch.settle(failing, *message, Outcome::Failed);
        }
    });
    assert_eq!(pieces, [0, 1, 5]);
}

// covers: MSRP-7701-6.1-16, MSRP-7701-6.1-17, MSRP-7701-6.1-18, MSRP-7701-6.1-19
#[test]
fn message_whose_sender_is_silent_is_aborted() {
    let mut house = three();
    let message = wrapped("a", &[ROOM], "x".repeat(300));
    let part = |start: usize, flag| chunk("mess1", &message, start..start + 50, None, flag);
    house.say(0, &part(0, More));
    house.say(
        1,
        &chunk("mess2", &message, 0..50, None, More).content_type("text/plain"),
    );
    house.say(0, &chunk("mess3", &message, 0..200, None, More));
    house.pass_ns(SILENCE_NS - 1);
    assert_eq!(house.say(0, &part(50, More)), [200]);
    house.pass_ns(1);
    assert!(house.inbox(1)[0].is_aborted, "the one that was silent");
    let heard = chunk("mess1", &message, 100..message.len(), None, Last);
    assert_eq!(house.say(0, &heard), [200], "the other one goes on");
    assert_eq!(house.getters(&message), [1, 2]);
    assert!(house.switch.is_idle(), "the refused one is forgotten");
    let late = chunk("mess3", &message, 200..300, None, More);
    assert_eq!(house.say(0, &late), [400]);
}

// covers: MSRP-7701-6.1-17
#[test]
fn chunk_that_stays_open_in_silence_is_413() {
    let mut house = three();
    let message = wrapped("a", &[ROOM], "x".repeat(300));
    let mut wire = house.encode(&whole("mess1", &message));
    let rest = wire.split_off(wire.len() - 60);
    house.read(0, &wire);
    house.end_turn();
    house.pass_ns(SILENCE_NS / 2);
    assert!(house.told.is_empty());
    house.pass_ns(SILENCE_NS / 2);
    assert_eq!(house.answers_since(0), [413]);
    assert_eq!(house.flags(1), [More, Abort]);
    house.read(0, &rest);
    assert_eq!(house.answers_since(0), [413], "answered once");
    assert!(house.switch.is_idle());
    assert_eq!(house.switch.poll_timeout(), None);
}

#[test]
fn silence_of_a_message_leaves_the_open_chunk_of_another_alone() {
    let mut house = three();
    let message = wrapped("a", &[ROOM], "x".repeat(300));
    house.say(0, &chunk("mess1", &message, 0..200, None, More));
    house.pass_ns(SILENCE_NS / 2);
    let mut wire = house.encode(&whole("mess2", &message));
    let rest = wire.split_off(wire.len() - 60);
    house.read(0, &wire);
    house.end_turn();
    house.pass_ns(SILENCE_NS / 2);
    assert!(house.inbox(1)[0].is_aborted);
    let before = house.told.len();
    house.read(0, &rest);
    assert_eq!(house.answers_since(before), [200]);
    assert_eq!(house.getters(&message), [1, 2]);
}

#[test]
fn refused_message_is_known_as_long_as_its_chunk_is_open_whoever_else_is_silent() {
    let mut house = three();
    let message = wrapped("a", &[ROOM], "x".repeat(300));
    house.say(0, &chunk("mess1", &message, 0..200, None, More));
    let false_one = wrapped("b", &[ROOM], "x".repeat(300));
    let first = chunk("mess2", &false_one, 0..250, None, More);
    let mut wire = house.encode(&first);
    let rest = wire.split_off(wire.len() - 60);
    house.read(0, &wire);
    house.end_turn();
    house.pass_ns(SILENCE_NS + 1);
    assert!(house.inbox(1)[0].is_aborted, "the one before is silent");
    house.read(0, &rest);
    let before = house.told.len();
    house.say(0, &chunk("mess2", &false_one, 250..300, None, More));
    assert_eq!(house.answers_since(before), [403], "refused as before");
}

#[test]
fn messages_that_fall_silent_one_after_the_other_end_each_at_its_time() {
    let mut house = three();
    let message = wrapped("a", &[ROOM], "x".repeat(300));
    house.say(0, &chunk("mess1", &message, 0..200, None, More));
    house.pass_ns(SILENCE_NS / 2);
    house.say(0, &chunk("mess2", &message, 0..200, None, More));
    for ends in [[true, false], [true, true]] {
        house.pass_ns(SILENCE_NS / 2);
        let aborted: Vec<bool> = house.inbox(1).iter().map(|got| got.is_aborted).collect();
        assert_eq!(aborted, ends);
    }
}

#[test]
fn copy_that_waits_for_its_answer_outlives_the_silence() {
    let mut house = three();
    house.settling = Settling::ByTest;
    house.say(0, &whole("mess1", &wrapped("a", &[ROOM], "hello")));
    house.pass_ns(2 * SILENCE_NS);
    assert_eq!(house.switch.sums().settled(), 0);
    while house.settle_next().is_some() {}
    assert!(house.switch.is_idle());
    assert_eq!(house.switch.sums().sent, 2);
}
