//! Who gets a message: From, To, types, direction, joining and leaving.

use msrp_switch::{Refused, RoomSpec};
use msrp_wire::FailureReport;

use crate::harness::*;

fn room_of(names: &[&str]) -> House {
    House::new(names.iter().map(|name| guest(name)))
}

// covers: UPS-7.2.3.1-06, UPS-7.2.3.3-02, UPS-7.2.3.3-06, UPS-7.2.3.3-07, MSRP-7701-6.1-07
#[test]
fn message_to_any_room_address_reaches_all_but_the_sender() {
    for to in [
        ROOM,
        GROUP,
        "sip:room@EXAMPLE.com;transport=tcp",
        "sips:group@example.com",
    ] {
        let mut house = room_of(&["a", "b", "c", "d"]);
        let message = wrapped("b", &[to], b"hello\r\n-------\0\xff");
        assert_eq!(house.say(1, &whole("mess1", &message)), [200], "{to}");
        assert_eq!(house.getters(&message), [0, 2, 3], "{to}");
        assert_eq!(house.flags(0), [Last]);
        assert!(house.switch.is_idle());
        assert_eq!(house.switch.sums().sent, 3);
    }
}

// covers: MSRP-7701-6.1-20
#[test]
fn message_of_a_user_with_two_sessions_reaches_the_other_one() {
    let mut house = room_of(&["a", "a", "b"]);
    let message = wrapped("a", &[ROOM], "hello");
    house.say(0, &whole("mess1", &message));
    assert_eq!(house.getters(&message), [1, 2]);
}

// covers: UPS-7.2.3.1-04, UPS-7.2.3.3-01, MSRP-7701-6.1-05, MSRP-7701-6.3-04, MSRP-7701-6.2-02
#[test]
fn from_that_is_not_the_senders_is_refused_for_the_whole_message() {
    let table = [
        (
            "From: <sip:b@example.com>\r\nTo: <sip:room@example.com>",
            403,
        ),
        (
            "From: <sip:b@example.com>\r\nTo: <sip:nobody@example.com>",
            403,
        ),
        (
            "From: <sip:a@example.com>\r\nTo: <sip:room@example.com>",
            200,
        ),
        (
            "From: B <sip:a@EXAMPLE.com;x=y>\r\nTo: <sip:room@example.com>",
            200,
        ),
        (
            "From: <sip:alias@anonymous.invalid>\r\nTo: <sip:room@example.com>",
            200,
        ),
    ];
    for (headers, status) in table {
        let a = guest("a").also_known_as("sip:alias@anonymous.invalid");
        let mut house = House::new([a, guest("b")]);
        let message =
            format!("{headers}\r\n\r\nContent-Type: text/plain\r\n\r\nhello").into_bytes();
        let cut = message.len() - 3;
        let first = chunk("mess1", &message, 0..cut, None, More);
        let second = chunk("mess1", &message, cut..message.len(), None, Last);
        assert_eq!(house.say(0, &first), [status], "{headers}");
        assert_eq!(house.say(0, &second), [status], "{headers}");
        let getters: &[Who] = if status == 200 { &[1] } else { &[] };
        assert_eq!(house.getters(&message), getters);
        assert_eq!(house.pieces(1).len(), if status == 200 { 2 } else { 0 });
        assert!(house.switch.is_idle());
    }
}

// covers: MSRP-3862-4-01
#[test]
fn wrapper_without_from_or_to_is_forbidden() {
    for headers in ["To: <sip:room@example.com>", "From: <sip:a@example.com>"] {
        let mut house = room_of(&["a", "b"]);
        let message = format!("{headers}\r\n\r\nContent-Type: text/plain\r\n\r\nhello");
        assert_eq!(house.say(0, &whole("mess1", message.as_bytes())), [403]);
        assert!(house.pieces(1).is_empty());
    }
}

// covers: UPS-7.2.3.1-07, UPS-7.2.3.3-09, PM-7.2.3.4-01, PM-7.2.3.4-05, PM-7.2.3.4-06, PM-7.2.3.4-09
// covers: MSRP-7701-6.2-03, MSRP-7701-6.2-06, MSRP-7701-6.2-07
#[test]
pub(crate) fn private_message_reaches_those_it_names() {
    let (a, b, b2, c) = (0, 1, 2, 3);
    let table: &[(&[&str], u16, &[Who])] = &[
        (&["sip:b@example.com"], 200, &[b, b2]),
        (&["sip:c@example.com"], 200, &[c]),
        (
            &["sip:c@example.com", "sip:b@example.com"],
            200,
            &[b, b2, c],
        ),
        (&["sip:c@example.com", "sip:c@example.com"], 200, &[c]),
        (&["sip:nobody@example.com"], 404, &[]),
        (&["sip:nobody@example.com", "sip:c@example.com"], 200, &[c]),
        (&["sip:a@example.com"], 200, &[]),
        (&["sip:a@example.com", "sip:c@example.com"], 200, &[c]),
        (&["sip:c@example.com", ROOM], 200, &[b, b2, c]),
        (&["sip:late@example.com"], 404, &[]),
    ];
    for (to, status, getters) in table {
        let mut house = room_of(&["a", "b", "b", "c"]);
        house.add(guest("late"));
        let message = wrapped("a", to, "psst");
        assert_eq!(house.say(a, &whole("mess1", &message)), [*status], "{to:?}");
        assert_eq!(house.getters(&message), *getters, "{to:?}");
        let nobody_else = (0..5).filter(|who| !getters.contains(who));
        assert!(
            nobody_else
                .into_iter()
                .all(|who| house.pieces(who).is_empty())
        );
    }
}

// covers: PM-7.2.3.4-05
#[test]
fn cc_of_a_private_message_counts_like_to() {
    let mut house = room_of(&["a", "b", "c"]);
    let headers = "From: <sip:a@example.com>\r\nTo: <sip:b@example.com>\r\ncc: <sip:c@example.com>";
    let message = format!("{headers}\r\n\r\nContent-Type: text/plain\r\n\r\npsst").into_bytes();
    assert_eq!(house.say(0, &whole("mess1", &message)), [200]);
    assert_eq!(house.getters(&message), [1, 2]);
}

#[test]
fn private_message_with_too_many_names_is_forbidden() {
    for (count, status) in [(256, 200), (257, 403)] {
        let mut house = room_of(&["a", "b"]);
        let mut to: Vec<String> = (1..count).map(|i| format!("sip:{i}@h")).collect();
        to.push(address("b"));
        let to: Vec<&str> = to.iter().map(String::as_str).collect();
        let message = wrapped("a", &to, "psst");
        assert_eq!(house.say(0, &whole("mess1", &message)), [status]);
    }
}

// covers: PM-7.2.3.4-03, PM-7.2.3.4-08
#[test]
fn private_message_in_a_room_without_them_is_forbidden() {
    let spec = RoomSpec {
        private_messages: false,
        ..room_spec()
    };
    let mut house = House::with(spec, FailureReport::Partial, [guest("a"), guest("b")]);
    let message = wrapped("a", &["sip:b@example.com"], "psst");
    assert_eq!(house.say(0, &whole("mess1", &message)), [403]);
    assert!(house.pieces(1).is_empty());
    let message = wrapped("a", &["sip:b@example.com", ROOM], "hello");
    assert_eq!(house.say(0, &whole("mess2", &message)), [200]);
    assert_eq!(house.getters(&message), [1]);
}

#[test]
fn room_has_the_rules_that_it_was_given_last() {
    let mut house = House::new([guest("a"), guest("b")]);
    let spec = RoomSpec {
        uri: "sip:other@example.com".to_owned(),
        addresses: vec![identity("sip:other@example.com")],
        message_octets_max: 400,
        private_messages: false,
        addressing: msrp_switch::Addressing::Rfc7701,
        nicknames: false,
    };
    house.switch.update_room(house.room, spec.clone());
    let now = house.switch.room_spec(house.room).unwrap();
    assert_eq!(format!("{now:?}"), format!("{spec:?}"));
    let message = wrapped("a", &["sip:b@example.com"], "psst");
    assert_eq!(house.say(0, &whole("mess1", &message)), [403]);
    let message = wrapped("a", &["sip:other@example.com"], "x".repeat(500));
    assert_eq!(house.say(0, &whole("mess2", &message)), [413]);
}

#[test]
fn participant_is_who_it_was_said_to_be_last() {
    let mut house = House::new([guest("a"), guest("b")]);
    let b = house.key(1);
    let now = |house: &House| format!("{:?}", house.switch.participant(b).unwrap());
    assert_eq!(now(&house), format!("{:?}", participant("b")));
    house.switch.update_participant(b, participant("c"));
    assert_eq!(now(&house), format!("{:?}", participant("c")));
    house.leave(1);
    assert!(house.switch.participant(b).is_none());
}

#[test]
fn rooms_have_an_index_each() {
    let mut house = House::new([]);
    let rooms = [(); 2].map(|()| house.switch.create_room(room_spec()).unwrap());
    let indices = [house.room.index(), rooms[0].index(), rooms[1].index()];
    assert_eq!(indices, [0, 1, 2]);
}

// covers: MSRP-7701-6.1-09, MSRP-7701-6.1-10
#[test]
fn wrapped_type_is_sent_only_to_those_who_take_it() {
    let guests = || {
        [
            guest("a"),
            guest("b").takes("message/cpim text/plain", "", None),
            guest("c").takes("message/cpim", "image/*", None),
            guest("d").takes("text/plain", "*", None),
            guest("e"),
        ]
    };
    let table: &[(&str, &[Who])] = &[
        ("Content-Type: text/plain\r\n\r\n", &[1, 4]),
        ("Content-Type: TEXT/Plain; charset=utf-8\r\n\r\n", &[1, 4]),
        ("Content-Type: image/png\r\n\r\n", &[2, 4]),
        (
            "Content-ID: <x@y>\r\nContent-Type: image/png\r\n\r\n",
            &[2, 4],
        ),
        ("Content-Type: application/x\r\n\r\n", &[4]),
        ("\r\n", &[1, 4]),
        ("no MIME headers at all", &[1, 4]),
    ];
    for (content, getters) in table {
        let headers = format!("From: <sip:a@example.com>\r\nTo: <{ROOM}>\r\n\r\n");
        let message = format!("{headers}{content}octets").into_bytes();
        for cut in 1..message.len() {
            let mut house = House::new(guests());
            let first = chunk("mess1", &message, 0..cut, None, More);
            let second = chunk("mess1", &message, cut..message.len(), None, Last);
            assert_eq!(house.say(0, &first), [200]);
            assert_eq!(house.say(0, &second), [200]);
            assert_eq!(house.getters(&message), *getters, "{content} cut at {cut}");
            assert_eq!(house.switch.sums().refused, 4 - getters.len() as u64);
        }
    }
}

#[test]
fn content_headers_without_end_reach_only_those_who_take_everything() {
    let image = guest("c").takes("message/cpim", "image/*", None);
    let text = guest("b").takes("message/cpim text/plain", "", None);
    let mut house = House::new([guest("a"), text, image, guest("d")]);
    let headers =
        format!("From: <sip:a@example.com>\r\nTo: <{ROOM}>\r\n\r\nContent-Type: image/png\r\n");
    let filler = format!("X: {}\r\n", "x".repeat(20_000));
    let message = format!("{headers}{filler}\r\n").into_bytes();
    let cut = message.len() - 1;
    assert_eq!(
        house.say(0, &chunk("mess1", &message, 0..cut, None, More)),
        [200]
    );
    assert_eq!(
        house.say(0, &chunk("mess1", &message, cut..cut + 1, None, Last)),
        [200]
    );
    assert_eq!(house.getters(&message), [3]);
}

#[test]
fn direction_of_the_description_is_kept() {
    let mut house = House::new([
        guest("a"),
        guest("b").may(true, false),
        guest("c").may(false, true),
    ]);
    for (who, name, status) in [(0, "a", 200), (1, "b", 200), (2, "c", 403)] {
        let message = wrapped(name, &[ROOM], format!("from {name}"));
        assert_eq!(
            house.say(who, &whole("mess1", &message)),
            [status],
            "{name}"
        );
    }
    assert_eq!(house.texts(0).len(), 1);
    assert_eq!(house.texts(1).len(), 0);
    assert_eq!(house.texts(2).len(), 2);
}

// covers: UPS-7.2.3.3-12, MSRP-7701-6.1-13, MSRP-7701-6.1-14, MSRP-7701-6.1-15
#[test]
fn participant_that_joins_in_the_middle_gets_nothing_of_the_message() {
    let mut house = room_of(&["a", "b"]);
    let message = wrapped("a", &[ROOM], "x".repeat(5000));
    house.say(0, &chunk("mess1", &message, 0..3000, None, More));
    let late = house.add(guest("late"));
    house.join(late);
    house.say(
        0,
        &chunk("mess1", &message, 3000..message.len(), None, Last),
    );
    assert_eq!(house.getters(&message), [1]);
    assert!(house.pieces(late).is_empty());
    let next = wrapped("a", &[ROOM], "next");
    house.say(0, &whole("mess2", &next));
    assert_eq!(house.getters(&next), [1, late]);
}

// covers: UPS-7.2.3.3-12
#[test]
fn participant_that_leaves_in_the_middle_gets_no_more() {
    let mut house = room_of(&["a", "b", "c"]);
    let message = wrapped("a", &[ROOM], "x".repeat(5000));
    house.say(0, &chunk("mess1", &message, 0..3000, None, More));
    house.leave(1);
    house.say(
        0,
        &chunk("mess1", &message, 3000..message.len(), None, Last),
    );
    assert_eq!(house.getters(&message), [2]);
    assert_eq!(house.flags(1), [More]);
    assert_eq!(house.switch.sums().failed, 1);
    assert!(house.switch.is_idle());
}

// covers: UPS-7.2.3.1-03
#[test]
fn participant_that_left_is_known_no_more() {
    let mut house = room_of(&["a", "b", "c"]);
    let to_b = wrapped("a", &["sip:b@example.com"], "psst");
    house.say(0, &whole("mess1", &to_b));
    assert_eq!(house.getters(&to_b), [1]);
    house.leave(1);
    let again = wrapped("a", &["sip:b@example.com"], "still there?");
    let before = house.told.len();
    house.say(0, &whole("mess2", &again));
    assert_eq!(house.answers_since(before), [404]);
    assert_eq!(house.switch.legs_count(house.room), 2);
}

#[test]
fn leg_that_has_not_joined_gets_nothing() {
    let mut house = room_of(&["a", "b"]);
    let late = house.add(guest("late"));
    let message = wrapped("a", &[ROOM], "hello");
    house.say(0, &whole("mess1", &message));
    assert_eq!(house.getters(&message), [1]);
    assert!(house.pieces(late).is_empty());
}

#[test]
fn rooms_do_not_hear_each_other() {
    let mut house = room_of(&["a", "b"]);
    let spec = room_spec();
    let (first, other) = (house.room, house.switch.create_room(spec).unwrap());
    house.room = other;
    let stranger = house.add(guest("a"));
    house.join(stranger);
    house.say(0, &whole("mess1", &wrapped("a", &[ROOM], "hello")));
    house.say(
        0,
        &whole(
            "mess2",
            &wrapped("a", &[&address("b"), &address("a")], "psst"),
        ),
    );
    assert!(house.pieces(stranger).is_empty());
    house.switch.close_room(first);
    assert_eq!(house.switch.legs_count(first), 0);
    assert_eq!(house.switch.legs_count(other), 1);
    assert!(house.switch.add_leg(first, guest("x").spec).is_none());
}

#[test]
fn reasons_have_a_name_each() {
    use msrp_wire::StatusCode;
    let all = [
        Refused::NoCpim,
        Refused::MalformedCpim,
        Refused::NoSenderOrRecipient,
        Refused::FromNotSender,
        Refused::SenderMayNotSend,
        Refused::NoSuchRecipient,
        Refused::TooManyRecipients,
        Refused::NoPrivateMessages,
        Refused::RecipientLacksRelease,
        Refused::PrivateMessagesUnsupported,
        Refused::TooLarge,
        Refused::NotTheStart,
        Refused::BeyondTheEnd,
        Refused::TooManyHoles,
        Refused::TooManyUnfinished,
        Refused::SenderSilent,
        Refused::NobodyTakesIt,
        Refused::StillRefused(StatusCode::FORBIDDEN),
    ];
    let names: std::collections::BTreeSet<String> = all.iter().map(Refused::to_string).collect();
    assert_eq!(names.len(), all.len());
}
