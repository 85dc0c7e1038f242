//! Rooms that deliver one message: who is not there yet, who never comes, who is told.

use msrp_switch::limits::{LATE_OCTETS_SLACK, LATE_OCTETS_TOTAL_MAX};
use msrp_switch::{Delivery, Outcome, Refused};
use msrp_wire::StatusCode;
use proptest::prelude::*;

use crate::harness::{
    Abort, House, Last, More, ROOM, Seen, Settling, Told, Who, address, chunk, guest, whole,
    wrapped,
};

const ALICE: Who = 0;
const BOB: Who = 1;
const CAROL: Who = 2;
const DAVE: Who = 3;

const SECOND: u64 = 1_000_000_000;

fn delivery() -> Delivery {
    Delivery {
        late_octets_max: 100_000,
        late_ns: 10 * SECOND,
        is_single: false,
        takes_bare: false,
    }
}

/// Alice sends; bob, carol and dave are invited and have not joined.
fn house(delivery: Delivery) -> House {
    let names = ["bob", "carol", "dave"];
    let others = names.map(|name| guest(name).may(false, true));
    House::delivering(
        delivery,
        std::iter::once(guest("alice").may(true, false)).chain(others),
    )
}

fn message(octets: usize) -> Vec<u8> {
    let text: Vec<u8> = (b'a'..=b'w').cycle().take(octets).collect();
    wrapped("alice", &[ROOM], text)
}

/// A message whose sender asks for a final report.
fn reported(octets: usize) -> Vec<u8> {
    let head = "NS: f <urn:oma:xml:poc:final-report>\r\nf.Final-Report: yes\r\n";
    let message = message(octets);
    let at = message.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 2;
    [&message[..at], head.as_bytes(), &message[at..]].concat()
}

// covers: LRG-9.3.2.1-09
#[test]
fn recipient_that_joins_late_gets_the_message_whole() {
    let mut house = house(delivery());
    let message = message(90_000);
    house.join(BOB);
    let parts = [0..40_000, 40_000..80_000, 80_000..message.len()];
    for (number, part) in parts.into_iter().enumerate() {
        let flag = if number == 2 { Last } else { More };
        let part = chunk("mess", &message, part, Some(message.len()), flag);
        assert_eq!(house.say(ALICE, &part), [200]);
        if number == 0 {
            house.join(CAROL);
        }
    }
    assert_eq!(house.getters(&message), [BOB, CAROL]);
    assert!(!house.switch.is_served(house.key(DAVE)));
    house.join(DAVE);
    assert_eq!(house.getters(&message), [BOB, CAROL, DAVE]);
    assert!(house.switch.is_idle() && house.held.is_empty());
}

#[test]
fn recipient_is_served_when_its_sender_has_left() {
    let mut house = house(delivery());
    let message = message(5000);
    assert_eq!(house.say(ALICE, &whole("mess", &message)), [200]);
    house.leave(ALICE);
    house.join(BOB);
    assert_eq!(house.getters(&message), [BOB]);
    house.leave(CAROL);
    house.leave(DAVE);
    assert!(house.switch.is_idle());
}

#[test]
fn sender_that_leaves_in_the_middle_leaves_nothing_to_the_late() {
    let mut house = house(delivery());
    let message = message(50_000);
    house.join(BOB);
    house.say(ALICE, &chunk("mess", &message, 0..30_000, None, More));
    house.leave(ALICE);
    assert_eq!(house.flags(BOB).last(), Some(&Abort));
    assert!(house.switch.is_served(house.key(CAROL)));
    house.join(CAROL);
    assert!(house.pieces(CAROL).is_empty());
    assert!(house.switch.is_idle());
}

#[test]
fn copy_is_served_when_its_last_octet_was_acknowledged_and_not_before() {
    let mut house = house(delivery());
    house.settling = Settling::ByTest;
    let message = message(10);
    house.join(BOB);
    house.say(ALICE, &whole("mess", &message));
    assert_eq!(house.getters(&message), [BOB]);
    assert!(!house.switch.is_served(house.key(BOB)));
    let (who, key) = *house.unsettled.front().unwrap();
    assert_eq!(who, BOB);
    house.settle(BOB, key, Outcome::Delivered);
    assert!(house.switch.is_served(house.key(BOB)));
}

#[test]
fn sender_waits_for_the_late_and_goes_on_when_all_are_there() {
    let mut house = house(delivery());
    let message = message(400_000);
    let chunk = |part: std::ops::Range<usize>, flag| {
        chunk("mess", &message, part, Some(message.len()), flag)
    };
    house.join(BOB);
    house.say(ALICE, &chunk(0..150_000, More));
    assert_eq!(house.held, [ALICE]);
    house.join(CAROL);
    assert_eq!(house.held, [ALICE]);
    house.pass_ns(9 * SECOND);
    house.join(DAVE);
    assert!(house.held.is_empty() && house.too_late.is_empty());
    house.say(ALICE, &chunk(150_000..message.len(), Last));
    assert_eq!(house.getters(&message), [BOB, CAROL, DAVE]);
    assert!(house.switch.is_idle() && house.switch.poll_timeout().is_none());
}

#[test]
fn sender_waits_from_the_first_octet_beyond_what_may_be_kept() {
    let mut house = house(delivery());
    let message = message(400_000);
    house.join(BOB);
    let say = |house: &mut House, part: std::ops::Range<usize>| {
        house.say(ALICE, &chunk("mess", &message, part, None, More));
    };
    say(&mut house, 0..60_000);
    say(&mut house, 60_000..100_000);
    assert!(house.held.is_empty());
    say(&mut house, 100_000..100_001);
    assert_eq!(house.held, [ALICE]);
    // The time runs once, from then on.
    let deadline = house.switch.poll_timeout().unwrap();
    house.pass_ns(SECOND);
    say(&mut house, 100_001..100_100);
    assert!(house.switch.poll_timeout().unwrap() <= deadline);
    assert_eq!(house.held, [ALICE]);
    house.pass_ns(deadline.since(house.now));
    assert_eq!(house.too_late, [CAROL, DAVE]);
}

#[test]
fn sender_that_goes_on_is_kept_up_to_the_slack_and_no_further() {
    for (octets, is_kept) in [(0, true), (1, false)] {
        let mut house = house(delivery());
        let most = 100_000 + usize::try_from(LATE_OCTETS_SLACK).unwrap();
        let message = message(most + 1000);
        house.join(BOB);
        let part = chunk("mess", &message, 0..most + octets, None, More);
        house.say(ALICE, &part);
        assert_eq!(house.too_late.is_empty(), is_kept, "{octets}");
    }
}

#[test]
fn recipient_that_joins_late_gets_only_what_its_session_takes() {
    let late = |wrapped| {
        guest("bob")
            .may(false, true)
            .takes("message/cpim", wrapped, None)
    };
    for (wrapped, gets_it) in [("image/png", false), ("text/plain", true)] {
        let alice = guest("alice").may(true, false);
        let mut house = House::delivering(delivery(), [alice, late(wrapped)]);
        let message = message(3000);
        house.say(ALICE, &whole("mess", &message));
        house.join(BOB);
        assert_eq!(house.getters(&message) == [BOB], gets_it, "{wrapped}");
        assert_eq!(house.pieces(BOB).is_empty(), !gets_it, "{wrapped}");
        assert!(house.switch.is_idle());
    }
}

#[test]
fn octets_are_kept_for_the_late_of_all_rooms_up_to_a_bound() {
    const OCTETS: usize = 512 * 1024;
    let mut house = house(Delivery {
        late_octets_max: 1024 * 1024,
        ..delivery()
    });
    let message = message(OCTETS - message(0).len());
    assert_eq!(message.len(), OCTETS);
    for number in 0..LATE_OCTETS_TOTAL_MAX / OCTETS as u64 {
        house.say(ALICE, &whole(&format!("mess{number}"), &message));
        assert!(house.too_late.is_empty(), "{number}");
    }
    house.say(ALICE, &whole("one-more", &message[..300]));
    assert_eq!(house.too_late, [BOB, CAROL, DAVE]);
}

#[test]
fn sender_goes_on_at_the_end_and_the_late_have_time() {
    let mut house = house(delivery());
    let message = message(150_000);
    house.join(BOB);
    let parts = [(0..120_000, More), (120_000..message.len(), Last)];
    for (part, flag) in parts {
        house.say(ALICE, &chunk("mess", &message, part, None, flag));
        let is_waiting = flag == More;
        assert_eq!(house.held == [ALICE], is_waiting, "{flag:?}");
        assert_eq!(house.held.is_empty(), !is_waiting, "{flag:?}");
    }
    house.pass_ns(60 * SECOND);
    assert!(house.too_late.is_empty());
    house.join(CAROL);
    assert_eq!(house.getters(&message), [BOB, CAROL]);
}

#[test]
fn recipient_that_joins_before_the_end_is_shown_gets_it_from_what_follows() {
    let mut house = house(Delivery {
        late_octets_max: 200_000,
        ..delivery()
    });
    let message = message(150_000);
    let (a, b) = (20, message.len() - 1000);
    house.join(BOB);
    house.say(ALICE, &chunk("mess", &message, 0..a, None, More));
    house.say(
        ALICE,
        &chunk("mess", &message, b..message.len(), None, Last),
    );
    // All octets are here, and some have left; the chunk that brought the wrapper is still open.
    let rest = house.encode(&chunk("mess", &message, a..b, None, More));
    let end_line = rest.len() - 5;
    house.read(ALICE, &rest[..end_line]);
    house.join(CAROL);
    assert!(house.flags(CAROL).iter().all(|flag| *flag == More));
    house.read(ALICE, &rest[end_line..]);
    house.end_turn();
    assert_eq!(house.getters(&message), [BOB, CAROL]);
}

#[test]
fn recipient_that_got_what_was_kept_gets_the_abort_and_who_got_nothing_does_not() {
    for (octets, flags) in [(30_000, &[More, Abort][..]), (100, &[])] {
        let mut house = house(delivery());
        let message = message(50_000);
        let part = house.encode(&chunk("mess", &message, 0..octets, None, More));
        // What is short waits for more of its chunk.
        house.read(ALICE, &part[..part.len() - 20]);
        house.end_turn();
        house.join(BOB);
        house.leave(ALICE);
        assert_eq!(house.flags(BOB), flags, "{octets}");
    }
}

#[test]
fn recipients_that_were_excused_are_told_with_what_was_said_of_each_last() {
    let mut house = house(delivery());
    for (who, statuses) in [(BOB, &[480, 486][..]), (CAROL, &[603]), (DAVE, &[404])] {
        for status in statuses {
            let leg = house.key(who);
            house.switch.excuse(leg, StatusCode::new(*status).unwrap());
        }
        house.leave(who);
    }
    let late = house.add(guest("erin").may(false, true));
    house.say(ALICE, &whole("mess", &reported(10)));
    house.leave(late);
    let mut legs = report(&house);
    legs.sort();
    let expected = [
        ("bob", "486"),
        ("carol", "603"),
        ("dave", "404"),
        ("erin", "481"),
    ]
    .map(|(name, status)| (address(name), status.to_owned()));
    assert_eq!(legs, expected);
}

#[test]
fn recipient_that_comes_after_the_time_is_told_to_be_too_late() {
    let mut house = house(delivery());
    let message = message(400_000);
    house.join(BOB);
    let first = chunk("mess", &message, 0..150_000, None, More);
    house.say(ALICE, &first);
    let deadline = house.switch.poll_timeout().unwrap();
    house.pass_ns(deadline.since(house.now));
    assert_eq!(house.too_late, [CAROL, DAVE]);
    assert!(house.held.is_empty());
    house.join(CAROL);
    assert!(house.pieces(CAROL).is_empty());
    let rest = chunk("mess", &message, 150_000..message.len(), None, Last);
    assert_eq!(house.say(ALICE, &rest), [200]);
    assert_eq!(house.getters(&message), [BOB]);
}

#[test]
fn sender_that_does_not_wait_is_relayed_without_the_late() {
    let mut house = house(delivery());
    let octets = 100_000 + usize::try_from(LATE_OCTETS_SLACK).unwrap() + 70_000;
    let message = message(octets);
    house.join(BOB);
    assert_eq!(house.say(ALICE, &whole("mess", &message)), [200]);
    assert_eq!(house.too_late, [CAROL, DAVE]);
    assert!(house.held.is_empty());
    assert_eq!(house.getters(&message), [BOB]);
}

#[test]
fn octets_that_do_not_follow_each_other_are_not_kept() {
    let mut house = house(delivery());
    let message = message(5000);
    house.join(BOB);
    let total = Some(message.len());
    house.say(ALICE, &chunk("mess", &message, 0..3000, total, More));
    house.say(
        ALICE,
        &chunk("mess", &message, 4000..message.len(), total, More),
    );
    assert_eq!(house.too_late, [CAROL, DAVE]);
    house.say(ALICE, &chunk("mess", &message, 3000..4000, total, Last));
    house.join(CAROL);
    assert!(house.pieces(CAROL).is_empty());
}

#[test]
fn room_that_keeps_nothing_serves_those_who_are_there() {
    let mut house = house(Delivery {
        late_octets_max: 0,
        ..delivery()
    });
    let message = message(100);
    house.join(BOB);
    house.say(ALICE, &whole("mess", &message));
    assert_eq!(house.too_late, [CAROL, DAVE]);
    assert_eq!(house.getters(&message), [BOB]);
}

/// The final report as pairs of address and status.
fn report(house: &House) -> Vec<(String, String)> {
    let mut legs = Vec::new();
    for seen in &house.outputs_seen {
        let Seen::Report { who, body, .. } = seen else {
            panic!("the sender does not receive messages: {seen:?}");
        };
        assert_eq!(*who, ALICE);
        let (_, document) = body.as_ref().expect("a document");
        let text = String::from_utf8(document.to_vec()).unwrap();
        for leg in text.split("<leg ").skip(1) {
            let value = |name: &str| {
                let start = leg.find(&format!("{name}=\"")).unwrap() + name.len() + 2;
                leg[start..].split('"').next().unwrap().to_owned()
            };
            legs.push((value("uri"), value("status")));
        }
    }
    legs
}

// covers: LRG-9.4.5-01
#[test]
fn final_report_names_everybody_who_was_invited() {
    let names = ["bob", "carol", "dave", "erin", "frank", "grace"];
    let others = names.map(|name| guest(name).may(false, true));
    let small = guest("heidi").may(false, true).max_size(50);
    let mut house = House::delivering(
        delivery(),
        std::iter::once(guest("alice").may(true, false))
            .chain(others)
            .chain([small]),
    );
    let (erin, frank, grace, heidi) = (4, 5, 6, 7);
    // Bob declines before, carol while the message is kept for her.
    let bob = house.key(BOB);
    house.switch.excuse(bob, StatusCode::new(603).unwrap());
    house.leave(BOB);
    house.join(DAVE);
    let message = reported(3000);
    house.say(ALICE, &whole("mess", &message));
    let carol = house.key(CAROL);
    house.switch.excuse(carol, StatusCode::new(486).unwrap());
    house.leave(CAROL);
    house.join(heidi);
    house.join(erin);
    house.leave(frank);
    for who in [DAVE, erin] {
        let piece = house.pieces(who)[0].clone();
        let id = msrp_wire::MessageId::parse(piece.id.as_bytes()).unwrap();
        let range = msrp_wire::ByteRange {
            start: 1,
            end: Some(message.len() as u64),
            total: Some(message.len() as u64),
        };
        let leg = house.key(who);
        house
            .switch
            .handle_report(leg, id, Some(range), StatusCode::OK);
    }
    house.drain();
    assert!(report(&house).is_empty(), "grace may still come");
    house.leave(grace);
    let status = |name: &str, status: &str| (address(name), status.to_owned());
    let mut legs = report(&house);
    legs.sort();
    assert_eq!(
        legs,
        [
            status("bob", "603"),
            status("carol", "486"),
            status("dave", "200"),
            status("erin", "200"),
            status("frank", "481"),
            status("grace", "481"),
            status("heidi", "9999"),
        ]
    );
}

#[test]
fn recipient_that_was_excused_and_joins_is_named_once() {
    let mut house = house(delivery());
    let bob = house.key(BOB);
    house.switch.excuse(bob, StatusCode::new(486).unwrap());
    house.leave(BOB);
    let again = house.add(guest("bob").may(false, true));
    house.join(again);
    house.leave(CAROL);
    house.leave(DAVE);
    house.say(ALICE, &whole("mess", &reported(10)));
    house.leave(again);
    let mut legs = report(&house);
    legs.sort();
    let gone = ["bob", "carol", "dave"].map(|name| (address(name), "481".to_owned()));
    assert_eq!(legs, gone);
}

// covers: LRG-4.2.1-01
#[test]
fn second_message_is_relayed_or_refused_as_the_room_says() {
    for is_single in [false, true] {
        let mut house = house(Delivery {
            is_single,
            ..delivery()
        });
        house.join(BOB);
        // What was refused does not count.
        let false_from = wrapped("mallory", &[ROOM], "hello");
        assert_eq!(house.say(ALICE, &whole("mess0", &false_from)), [403]);
        assert_eq!(house.say(ALICE, &whole("mess1", &message(10))), [200]);
        let status = if is_single { 403 } else { 200 };
        assert_eq!(house.say(ALICE, &whole("mess2", &message(20))), [status]);
        let is_refused = house.told.iter().any(|told| {
            matches!(told, Told::Answer { refused, .. } if *refused == Some(Refused::OneMessageOnly))
        });
        assert_eq!(is_refused, is_single);
        assert_eq!(house.texts(BOB).len(), if is_single { 1 } else { 2 });
    }
}

// covers: LRG-9.4.4-01, LRG-9.4.4-02, LRG-9.4.4-03
#[test]
fn only_the_sender_speaks_and_only_to_everybody() {
    let mut house = house(delivery());
    house.join(BOB);
    let to_bob = wrapped("alice", &[&address("bob")], "psst");
    assert_eq!(house.say(ALICE, &whole("mess1", &to_bob)), [403]);
    let from_bob = wrapped("bob", &[ROOM], "me too");
    assert_eq!(house.say(BOB, &whole("mess2", &from_bob)), [403]);
    let sign_of_life = whole("mess3", b"").without_body();
    assert_eq!(house.say(BOB, &sign_of_life), [200]);
    let from_other = wrapped("bob", &[ROOM], "hello");
    assert_eq!(house.say(ALICE, &whole("mess4", &from_other)), [403]);
    assert!(house.pieces(BOB).is_empty() && house.pieces(CAROL).is_empty());
}

#[test]
fn content_without_wrapper_is_relayed_where_the_room_takes_it() {
    for takes_bare in [false, true] {
        let mut house = House::delivering(
            Delivery {
                takes_bare,
                ..delivery()
            },
            [
                guest("alice").may(true, false),
                guest("bob").takes("image/png", "", None).may(false, true),
                guest("carol")
                    .takes("text/plain", "", None)
                    .may(false, true),
                guest("dave").takes("image/png", "", None).may(false, true),
            ],
        );
        house.join(BOB);
        house.join(CAROL);
        let picture: Vec<u8> = (0..=255).cycle().take(70_000).collect();
        let chunk = whole("mess", &picture).content_type("image/png");
        let status = if takes_bare { 200 } else { 415 };
        assert_eq!(house.say(ALICE, &chunk), [status]);
        let sums = house.switch.leg_sums(house.key(ALICE));
        assert_eq!(sums.accepted.file, u64::from(takes_bare));
        house.join(DAVE);
        let expected: &[Who] = if takes_bare { &[BOB, DAVE] } else { &[] };
        assert_eq!(house.getters(&picture), expected);
    }
}

#[test]
fn content_without_wrapper_is_withheld_from_those_it_is_too_large_for() {
    let guests = [("bob", 99), ("carol", 100), ("dave", 101)]
        .map(|(name, octets)| guest(name).max_size(octets).may(false, true));
    let mut house = House::delivering(
        Delivery {
            takes_bare: true,
            ..delivery()
        },
        std::iter::once(guest("alice").may(true, false)).chain(guests),
    );
    for who in [BOB, CAROL, DAVE] {
        house.join(who);
    }
    let picture = [b'x'; 100];
    let chunk = whole("mess", &picture).content_type("image/png");
    assert_eq!(house.say(ALICE, &chunk), [200]);
    assert_eq!(house.getters(&picture), [CAROL, DAVE]);
}

#[test]
fn content_without_wrapper_says_nothing_of_a_hidden_sender() {
    let delivery = Delivery {
        takes_bare: true,
        ..delivery()
    };
    let hidden = guest("alice").hidden_as("sip:anonymous@anonymous.invalid");
    let mut house = House::delivering(delivery, [hidden, guest("bob")]);
    house.join(BOB);
    let chunk = whole("mess", b"x").content_type("image/png");
    assert_eq!(house.say(ALICE, &chunk), [415]);
}

/// What happens in a room that delivers.
#[derive(Debug, Clone)]
enum Step {
    Say(usize),
    End,
    Join(Who),
    Leave(Who),
    Excuse(Who),
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1_usize..90_000).prop_map(Step::Say),
        1 => Just(Step::End),
        2 => (1_usize..6).prop_map(Step::Join),
        1 => (0_usize..6).prop_map(Step::Leave),
        1 => (1_usize..6).prop_map(Step::Excuse),
        1 => (0_u64..20).prop_map(|s| Step::Pass(s * SECOND)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Whoever has joined in time and stays gets exactly the message; nobody gets a part without `#`.
    #[test]
    fn deliveries_are_whole_or_ended(steps in proptest::collection::vec(step(), 1..24)) {
        let names = ["bob", "carol", "dave", "erin", "frank"];
        let others = names.map(|name| guest(name).may(false, true));
        let mut house = House::delivering(
            delivery(),
            std::iter::once(guest("alice").may(true, false)).chain(others),
        );
        let text = message(600_000);
        let (mut position, mut is_over) = (0, false);
        let mut gone = [false; 6];
        for step in steps {
            match step {
                Step::Say(octets) if !is_over && !gone[ALICE] => {
                    let end = (position + octets).min(text.len());
                    house.say(ALICE, &chunk("mess", &text, position..end, None, More));
                    position = end;
                }
                Step::End if !is_over && !gone[ALICE] && position > 0 => {
                    house.say(ALICE, &chunk("mess", &text, position..position, None, Last));
                    is_over = true;
                }
                Step::Join(who) if !gone[who] => house.join(who),
                Step::Leave(who) if !gone[who] => {
                    house.leave(who);
                    gone[who] = true;
                }
                Step::Excuse(who) if !gone[who] => {
                    let leg = house.key(who);
                    house.switch.excuse(leg, StatusCode::new(486).unwrap());
                }
                Step::Pass(ns) => house.pass_ns(ns),
                _ => {}
            }
            house.drain();
        }
        for (who, is_gone) in gone.into_iter().enumerate().skip(1) {
            for got in house.inbox(who) {
                let octets = got.text();
                prop_assert!(text.starts_with(&octets));
                if is_over && !is_gone {
                    prop_assert_eq!(octets.len(), position);
                }
                prop_assert!(!is_over || got.is_complete() || is_gone || got.is_aborted);
            }
        }
    }
}
