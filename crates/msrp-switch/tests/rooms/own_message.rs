//! Messages of the switch itself.

use bytes::Bytes;
use msrp_switch::limits::{DISPLAY_NAME_OCTETS_MAX, OWN_MESSAGE_OCTETS_MAX};
use msrp_switch::{MessageTo, Outcome, OwnMessage, OwnMessageError};
use msrp_wire::{ContentTypeBuf, cpim};

use crate::harness::*;

fn own(to: MessageTo, content_type: &str, body: &[u8]) -> OwnMessage {
    OwnMessage {
        to,
        from_display_name: Some("SysAdmin".to_owned()),
        content_type: ContentTypeBuf::parse(content_type).unwrap(),
        body: Bytes::copy_from_slice(body),
        datetime: cpim::datetime(1_735_689_599),
    }
}

fn notice(to: MessageTo) -> OwnMessage {
    own(to, "text/plain;charset=utf-8", b"The room closes at noon.")
}

// covers: SYS-7.2.3.5-01, SYS-7.2.3.5-02, SYS-7.2.3.5-03, SYS-7.2.3.5-04
#[test]
fn own_message_is_one_send_for_each_recipient_in_its_own_wrapper() {
    let alias = "sip:anonymous@anonymous.invalid";
    let hidden = guest("c").hidden_as(alias);
    let mut house = House::new([
        guest("a").also_known_as("tel:+15550100"),
        guest("b"),
        hidden,
    ]);
    let late = house.add(guest("d"));
    let room = house.room;
    let sent = house.switch.send_message(room, &notice(MessageTo::Room));
    assert_eq!(sent, Ok(()));
    house.drain();
    for (who, to) in [(0, address("a")), (1, address("b")), (2, alias.to_owned())] {
        let [text] = &house.texts(who)[..] else {
            panic!("one message to {who}");
        };
        let parsed = cpim::Wrapper::parse(text).unwrap();
        assert_eq!(parsed.to.len(), 1);
        assert_eq!(parsed.to[0].uri, to);
        assert_eq!(parsed.from.uri, ROOM);
        let text = String::from_utf8(text.clone()).unwrap();
        assert!(
            text.starts_with(&format!("From: \"SysAdmin\" <{ROOM}>\r\n")),
            "{text}"
        );
        assert!(text.contains("DateTime: 2024-12-31T23:59:59Z\r\n"));
        assert!(
            text.ends_with(
                "Content-Type: text/plain;charset=utf-8\r\n\r\nThe room closes at noon."
            )
        );
        assert_eq!(house.pieces(who).len(), 1);
    }
    assert!(house.pieces(late).is_empty(), "not joined yet");
    let sums = house.switch.sums();
    assert_eq!((sums.opened, sums.sent), (3, 3));
    assert!(house.switch.is_idle());
}

#[test]
fn own_message_to_some_reaches_them_once() {
    let mut house = House::new(["a", "b", "c"].map(guest));
    let (room, to) = (house.room, vec![house.key(2), house.key(0), house.key(2)]);
    house
        .switch
        .send_message(room, &notice(MessageTo::Legs(to)))
        .unwrap();
    house.drain();
    let counts = [0, 1, 2].map(|who| house.texts(who).len());
    assert_eq!(counts, [1, 0, 1]);
}

// covers: SYS-7.2.3.5-05, SYS-7.2.3.5-06
#[test]
fn own_message_of_any_type_reaches_those_who_take_it() {
    let external = "message/external-body;access-type=\"URL\";URL=\"http://example.com/notice\"";
    for (content_type, getters) in [
        (external, vec![0, 1]),
        ("text/html", vec![0, 2]),
        ("image/png", vec![0]),
    ] {
        let guests = [
            guest("a"),
            guest("b").takes("message/cpim", "message/external-body", None),
            guest("c").takes("message/cpim", "text/*", Some(1000)),
            guest("d").takes("text/plain", "*", None),
            guest("e").may(true, false),
            guest("f").max_size(50),
        ];
        let mut house = House::new(guests);
        let room = house.room;
        let message = own(MessageTo::Room, content_type, b"\0\xff binary \r\n");
        house.switch.send_message(room, &message).unwrap();
        house.drain();
        let all = 0..6;
        let got: Vec<Who> = all.filter(|who| !house.texts(*who).is_empty()).collect();
        assert_eq!(got, getters, "{content_type}");
        let text = &house.texts(0)[0];
        let end = format!("Content-Type: {content_type}\r\n\r\n");
        assert!(text.ends_with(&[end.as_bytes(), b"\0\xff binary \r\n"].concat()));
        let sums = house.switch.sums();
        let sent = getters.len() as u64;
        assert_eq!((sums.opened, sums.sent, sums.refused), (6, sent, 6 - sent));
    }
}

#[test]
fn own_message_that_cannot_be_sent_reaches_nobody() {
    let mut house = House::new(["a", "b"].map(guest));
    let (room, b) = (house.room, house.key(1));
    let other = house.switch.create_room(room_spec()).unwrap();
    let stranger = house.switch.add_leg(other, guest("x").spec).unwrap();
    let long = vec![b'x'; OWN_MESSAGE_OCTETS_MAX + 1];
    let mut named = notice(MessageTo::Room);
    named.from_display_name = Some("x".repeat(DISPLAY_NAME_OCTETS_MAX + 1));
    let to_stranger = notice(MessageTo::Legs(vec![b, stranger]));
    let table = [
        (
            own(MessageTo::Room, "text/plain", &long),
            OwnMessageError::BodyTooLong,
        ),
        (named, OwnMessageError::DisplayNameTooLong),
        (to_stranger, OwnMessageError::NoSuchLeg),
    ];
    for (message, error) in table {
        assert_eq!(house.switch.send_message(room, &message), Err(error));
        assert!(!error.to_string().is_empty());
    }
    house.switch.close_room(other);
    let to_gone = notice(MessageTo::Room);
    let gone = house.switch.send_message(other, &to_gone);
    assert_eq!(gone, Err(OwnMessageError::NoSuchRoom));
    house.drain();
    assert!(house.pieces(0).is_empty() && house.pieces(1).is_empty());
    let mut longest = own(MessageTo::Room, "text/plain", &long[1..]);
    longest.from_display_name = Some("x".repeat(DISPLAY_NAME_OCTETS_MAX));
    house.switch.send_message(room, &longest).unwrap();
    house.drain();
    assert_eq!(house.texts(1).len(), 1);
    assert!(house.switch.is_idle());
}

#[test]
fn own_message_is_settled_like_any_other() {
    let mut house = House::new(["a", "b", "c"].map(guest));
    house.settling = Settling::ByTest;
    let room = house.room;
    house
        .switch
        .send_message(room, &notice(MessageTo::Room))
        .unwrap();
    house.drain();
    assert!(!house.switch.is_idle());
    let piece = house.pieces(1)[0].clone();
    house.settle(0, piece.key, Outcome::Sent);
    let code = msrp_wire::StatusCode::UNSUPPORTED_MEDIA_TYPE;
    house
        .switch
        .settle_refused(house.key(1), piece.key, piece.kind, code);
    house.leave(2);
    let sums = house.switch.sums();
    assert_eq!((sums.sent, sums.refused, sums.failed), (1, 1, 1));
    assert!(house.switch.is_idle());
    let before = house.texts(1).len();
    house
        .switch
        .send_message(room, &notice(MessageTo::Room))
        .unwrap();
    house.drain();
    assert_eq!(house.texts(1).len(), before, "415 is remembered");
    assert_eq!(house.texts(0).len(), 2);
}
