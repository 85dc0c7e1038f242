//! Nicknames: who may have which, and for how long.

use msrp_switch::limits::{NICKNAME_NS, NICKNAMES_AT_ONCE_MAX};
use msrp_switch::{NicknameChange, Refused, RoomSpec};
use msrp_wire::FailureReport;

use crate::harness::{GROUP, House, ROOM, Who, address, guest, identity};

const ALICE: Who = 0;
const BOB: Who = 1;

type Asked = Result<NicknameChange, Refused>;

impl House {
    /// Asks for a nickname with the value of a Use-Nickname header field, not too soon after the
    /// one before.
    fn use_nickname(&mut self, who: Who, value: Option<&[u8]>) -> Asked {
        self.now = self.now.after(NICKNAME_NS);
        self.switch.handle_nickname(self.now, self.key(who), value)
    }

    fn name(&mut self, who: Who, nickname: &str) -> Asked {
        self.use_nickname(who, Some(format!("\"{nickname}\"").as_bytes()))
    }

    fn known_as(&self, who: Who) -> Option<&str> {
        self.switch.nickname(self.key(who))
    }
}

fn house() -> House {
    House::new([guest("alice"), guest("bob")])
}

fn spec(nicknames: bool) -> RoomSpec {
    RoomSpec {
        uri: ROOM.to_owned(),
        addresses: vec![identity(ROOM), identity(GROUP)],
        message_octets_max: 1_000_000,
        private_messages: true,
        addressing: msrp_switch::Addressing::Oma,
        nicknames,
    }
}

fn taken(nickname: &str) -> Asked {
    Ok(NicknameChange::Taken(nickname.to_owned()))
}

fn status(asked: &Asked) -> u16 {
    asked
        .as_ref()
        .map_or_else(|refused| refused.status().value(), |_| 200)
}

// covers: MSRP-7701-7.1-11, MSRP-7701-7.1-06
#[test]
fn nickname_that_is_free_is_taken_as_the_rules_leave_it() {
    let mut house = house();
    assert_eq!(
        house.name(ALICE, "  Alice  the\u{3000}great "),
        taken("Alice the great")
    );
    assert_eq!(house.known_as(ALICE), Some("Alice the great"));
    assert_eq!(house.known_as(BOB), None);
}

// covers: MSRP-7701-7-01, MSRP-7701-7.1-06, MSRP-7701-7.1-10, MSRP-7701-11-03
#[test]
fn nickname_of_another_user_is_refused_in_every_form_that_compares_equal() {
    let mut house = house();
    assert_eq!(
        house.name(ALICE, "Stra\u{df}e \u{2163}"),
        taken("Stra\u{df}e IV")
    );
    for same in [
        "Stra\u{df}e IV",
        "STRASSE IV",
        " strasse  iv ",
        "Strasse \u{2173}",
        "\u{ff33}TRA\u{1e9e}E IV",
    ] {
        let asked = house.name(BOB, same);
        assert_eq!(asked, Err(Refused::NicknameInUse), "{same:?}");
        assert_eq!(status(&asked), 425);
    }
    assert_eq!(house.known_as(BOB), None);
    assert_eq!(house.name(BOB, "Stra\u{df}e V"), taken("Stra\u{df}e V"));
}

// covers: MSRP-7701-7.1-10
#[test]
fn nickname_that_is_reserved_is_refused() {
    let mut house = house();
    for reserved in [
        "SysAdmin",
        "announcement",
        "Advertisement ",
        "sip:bob@example.com",
        "TEL:+12125551234",
    ] {
        let asked = house.name(ALICE, reserved);
        assert_eq!(asked, Err(Refused::NicknameReserved), "{reserved:?}");
        assert_eq!(status(&asked), 425);
    }
}

// covers: MSRP-7701-7.1-02, MSRP-7701-7.1-03, MSRP-7701-7.1-09
#[test]
fn nickname_that_is_malformed_or_missing_is_refused() {
    let mut house = house();
    let (longest, longer) = ("x".repeat(1023), format!("\"{}\"", "x".repeat(1024)));
    for value in [
        None,
        Some(&b""[..]),
        Some(b"Alice"),
        Some(b"\"Alice"),
        Some(b"\"a\\b\""),
        Some(b"\"\xff\""),
        Some(b"\"a\x01b\""),
        Some(b"\"   \""),
        Some("\"\u{202e}a\"".as_bytes()),
        Some(longer.as_bytes()),
    ] {
        let asked = house.use_nickname(ALICE, value);
        assert_eq!(asked, Err(Refused::MalformedNickname), "{value:?}");
        assert_eq!(status(&asked), 424);
    }
    assert_eq!(house.name(ALICE, &longest), taken(&longest));
}

// covers: MSRP-7701-7.1-05
#[test]
fn nickname_in_a_room_without_nicknames_is_forbidden_whatever_is_asked() {
    let mut house = House::with(spec(false), FailureReport::Partial, [guest("alice")]);
    for value in [None, Some(&b"\"Alice\""[..]), Some(b"\"\""), Some(b"bad")] {
        let asked = house.use_nickname(ALICE, value);
        assert_eq!(asked, Err(Refused::NoNicknames), "{value:?}");
        assert_eq!(status(&asked), 403);
    }
}

/// A nickname stays when another is refused, and is free once another is taken: RFC 7701 s.7.2.
#[test]
fn nickname_is_changed_only_by_a_request_that_is_accepted() {
    let mut house = house();
    assert_eq!(house.name(BOB, "Bob"), taken("Bob"));
    assert_eq!(house.name(ALICE, "Al"), taken("Al"));
    for refused in ["bob", "sysadmin", "\u{200b}"] {
        assert!(house.name(ALICE, refused).is_err());
        assert_eq!(house.known_as(ALICE), Some("Al"));
        assert_eq!(house.name(BOB, "al"), Err(Refused::NicknameInUse));
    }
    assert_eq!(house.name(ALICE, "Al"), Ok(NicknameChange::Nothing));
    assert_eq!(house.name(ALICE, "AL"), taken("AL"));
    assert_eq!(house.name(ALICE, "Alice"), taken("Alice"));
    assert_eq!(house.name(BOB, "al"), taken("al"));
    assert_eq!(house.name(ALICE, "bob"), taken("bob"));
}

// covers: MSRP-7701-7.3-01
#[test]
fn nickname_that_is_given_back_is_free() {
    let mut house = house();
    assert_eq!(
        house.use_nickname(ALICE, Some(b"\"\"")),
        Ok(NicknameChange::Nothing)
    );
    assert_eq!(house.name(ALICE, "Al"), taken("Al"));
    assert_eq!(
        house.use_nickname(ALICE, Some(b"\"\"")),
        Ok(NicknameChange::GivenBack)
    );
    assert_eq!(house.known_as(ALICE), None);
    assert_eq!(house.name(BOB, "Al"), taken("Al"));
}

// covers: MSRP-7701-7.1-08, MSRP-7701-7.1-12, MSRP-7701-7.1-13
#[test]
fn nickname_on_a_second_session_of_a_user_is_had_only_when_it_is_asked_for() {
    let mut house = house();
    assert_eq!(house.name(ALICE, "Al"), taken("Al"));
    let second = house.add(guest("alice"));
    house.join(second);
    assert_eq!(house.known_as(second), None);
    assert_eq!(house.name(second, "Phone"), taken("Phone"));
    assert_eq!(house.name(second, "al"), taken("al"));
    assert_eq!(house.known_as(ALICE), Some("Al"));
    house.leave(ALICE);
    assert_eq!(house.name(BOB, "Al"), Err(Refused::NicknameInUse));
    house.leave(second);
    assert_eq!(house.name(BOB, "Al"), taken("Al"));
}

// covers: MSRP-7701-11-03
#[test]
fn nickname_is_not_shared_over_an_address_that_is_not_the_first() {
    let shared = address("anonymous");
    let mut house = House::new([
        guest("alias1").also_known_as(&shared),
        guest("alias2").also_known_as(&shared),
    ]);
    assert_eq!(house.name(ALICE, "Al"), taken("Al"));
    assert_eq!(house.name(BOB, "Al"), Err(Refused::NicknameInUse));
}

#[test]
fn nickname_of_one_room_is_free_in_another() {
    let mut house = house();
    assert_eq!(house.name(ALICE, "Al"), taken("Al"));
    let other = house.switch.create_room(spec(true)).unwrap();
    let bob = house.switch.add_leg(other, guest("bob").spec).unwrap();
    let now = house.now;
    let asked = house.switch.handle_nickname(now, bob, Some(b"\"Al\""));
    assert_eq!(asked, taken("Al"));
    assert_eq!(house.name(BOB, "Al"), Err(Refused::NicknameInUse));
}

#[test]
fn nicknames_of_a_session_are_bounded_in_time() {
    let mut house = house();
    let (now, alice, bob) = (house.now, house.key(ALICE), house.key(BOB));
    let ask = |house: &mut House, now, key, n| {
        let value = format!("\"n{n}\"");
        house
            .switch
            .handle_nickname(now, key, Some(value.as_bytes()))
    };
    for n in 0..NICKNAMES_AT_ONCE_MAX {
        assert!(ask(&mut house, now, alice, n).is_ok(), "{n}");
    }
    let over = ask(&mut house, now, alice, 99);
    assert_eq!(over, Err(Refused::TooManyNicknames));
    assert_eq!(status(&over), 403);
    assert_eq!(ask(&mut house, now, bob, 98), taken("n98"));
    let later = now.after(NICKNAME_NS);
    assert_eq!(ask(&mut house, later, alice, 99), taken("n99"));
    assert!(ask(&mut house, later, alice, 97).is_err());
}

#[test]
fn nicknames_end_with_their_room() {
    let mut house = house();
    assert!(house.name(ALICE, "Al").is_ok());
    assert!(house.name(BOB, "Bob").is_ok());
    house.switch.close_room(house.room);
    assert_eq!(house.known_as(ALICE), None);
    assert_eq!(house.name(ALICE, "Al"), Err(Refused::NoNicknames));
}
