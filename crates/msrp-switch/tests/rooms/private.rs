//! Who may write to single participants, and who gets such messages.

use msrp_switch::{Acceptance, Addressing, RoomSpec, Rules};
use msrp_wire::FailureReport;

use crate::harness::*;

fn house(addressing: Addressing, rules: Rules, guests: impl IntoIterator<Item = Guest>) -> House {
    let spec = RoomSpec {
        addressing,
        ..room_spec()
    };
    House::with_rules(spec, FailureReport::Partial, rules, guests)
}

fn says_428() -> Rules {
    Rules {
        private_refusal_is_428: true,
        ..Rules::default()
    }
}

// covers: PM-7.2.3.4-02
#[test]
fn sender_without_permission_is_403_and_may_still_write_to_the_room() {
    for rules in [Rules::default(), says_428()] {
        for addressing in [Addressing::Oma, Addressing::Rfc7701] {
            let a = guest("a").private(false, true, true);
            let mut house = house(addressing, rules, [a, guest("b")]);
            let private = wrapped("a", &[&address("b")], "psst");
            assert_eq!(house.say(0, &whole("mess1", &private)), [403]);
            assert!(house.pieces(1).is_empty());
            let public = wrapped("a", &[ROOM], "hello");
            assert_eq!(house.say(0, &whole("mess2", &public)), [200]);
            assert_eq!(house.getters(&public), [1]);
            assert!(house.switch.is_idle());
        }
    }
}

// covers: PM-7.2.3.4-04, MSRP-7701-6.2-01, MSRP-7701-6.2-04, MSRP-7701-6.2-05, MSRP-7701-5.2-07
#[test]
fn recipient_needs_the_release_or_the_token() {
    let table = [
        (Addressing::Oma, Rules::default(), 403),
        (Addressing::Oma, says_428(), 428),
        (Addressing::Rfc7701, Rules::default(), 428),
    ];
    for (addressing, rules, refusal) in table {
        for (release, declared) in [(false, false), (true, false), (false, true), (true, true)] {
            let b = guest("b").private(true, release, declared);
            let mut house = house(addressing, rules, [guest("a"), b]);
            let private = wrapped("a", &[&address("b")], "psst");
            let takes = release || declared;
            let answer = if takes { 200 } else { refusal };
            assert_eq!(house.say(0, &whole("mess1", &private)), [answer]);
            assert_eq!(house.pieces(1).is_empty(), !takes);
            let public = wrapped("a", &[ROOM], "hello");
            assert_eq!(house.say(0, &whole("mess2", &public)), [200]);
            assert_eq!(house.getters(&public), [1], "the room reaches everybody");
        }
    }
}

// covers: PM-7.2.3.4-04, MSRP-7701-6.2-05
#[test]
fn private_message_to_several_reaches_those_who_take_it() {
    let lacking = || guest("c").private(true, false, false);
    let table: [(&[&str], u16, &[Who]); 6] = [
        (&["b", "c"], 200, &[1]),
        (&["c", "nobody"], 403, &[]),
        (&["c", "a"], 403, &[]),
        (&["b", "nobody"], 200, &[1]),
        (&["nobody"], 404, &[]),
        (&["a"], 200, &[]),
    ];
    for (to, answer, getters) in table {
        let guests = [guest("a"), guest("b"), lacking()];
        let mut house = house(Addressing::Oma, Rules::default(), guests);
        let to: Vec<String> = to.iter().map(|name| address(name)).collect();
        let to: Vec<&str> = to.iter().map(String::as_str).collect();
        let message = wrapped("a", &to, "psst");
        assert_eq!(house.say(0, &whole("mess1", &message)), [answer], "{to:?}");
        assert_eq!(house.getters(&message), getters, "{to:?}");
        assert!(house.switch.is_idle());
        let sums = house.switch.sums();
        assert_eq!(sums.opened, sums.settled());
    }
}

// covers: MSRP-7701-6.1-02, MSRP-7701-6.1-06, MSRP-7701-6.2-01
#[test]
fn addressing_of_the_rfc_takes_one_recipient() {
    let cc = |message: Vec<u8>| {
        let text = String::from_utf8(message).unwrap();
        let line = format!("cc: <{}>\r\nDateTime", address("b"));
        text.replacen("DateTime", &line, 1).into_bytes()
    };
    let b = address("b");
    let table = [
        (wrapped("a", &[ROOM], "x"), 200),
        (wrapped("a", &[&b], "x"), 200),
        (wrapped("a", &[ROOM, &b], "x"), 403),
        (wrapped("a", &[&b, &b], "x"), 403),
        (wrapped("a", &[&b, "sip:@example.com"], "x"), 403),
        (cc(wrapped("a", &[ROOM], "x")), 403),
        (cc(wrapped("a", &[&address("c")], "x")), 403),
        (wrapped("a", &[&address("nobody")], "x"), 404),
    ];
    for (message, answer) in table {
        let guests = ["a", "b", "c"].map(guest);
        let mut house = house(Addressing::Rfc7701, Rules::default(), guests);
        assert_eq!(house.say(0, &whole("mess1", &message)), [answer]);
        assert_eq!(house.pieces(1).is_empty(), answer != 200);
    }
}

// covers: MSRP-7701-8-03, MSRP-4975-3-03
#[test]
fn new_description_without_the_token_switches_private_messages_off() {
    let guests = ["a", "b"].map(guest);
    let mut house = house(Addressing::Rfc7701, Rules::default(), guests);
    let private = wrapped("a", &[&address("b")], "psst");
    assert_eq!(house.say(0, &whole("mess1", &private)), [200]);
    let (b, description) = (house.key(1), Acceptance::everything());
    let without = description.with_private_messages(false);
    house.switch.set_acceptance(b, without.clone(), true, true);
    assert_eq!(house.say(0, &whole("mess2", &private)), [428]);
    let with = without.with_private_messages(true);
    house.switch.set_acceptance(b, with, true, true);
    assert_eq!(house.say(0, &whole("mess3", &private)), [200]);
    assert_eq!(house.texts(1).len(), 2);
}

#[test]
fn participant_that_changes_in_the_middle_leaves_messages_under_way_alone() {
    let mut house = House::new(["a", "b", "c"].map(guest));
    let message = wrapped("a", &[&address("b")], "x".repeat(500));
    let n = message.len();
    house.say(0, &chunk("mess1", &message, 0..n - 100, Some(n), More));
    let mut a = participant("a2");
    a.may_send_private = false;
    house.switch.update_participant(house.key(0), a);
    house
        .switch
        .update_participant(house.key(1), participant("b2"));
    let rest = chunk("mess1", &message, n - 100..n, Some(n), Last);
    assert_eq!(house.say(0, &rest), [200]);
    assert_eq!(house.getters(&message), [1]);
    assert_eq!(house.say(0, &whole("mess2", &message)), [403], "old From");
    let renamed = wrapped("a2", &[&address("b2")], "psst");
    assert_eq!(house.say(0, &whole("mess3", &renamed)), [403], "no right");
    house
        .switch
        .update_participant(house.key(0), participant("a2"));
    assert_eq!(house.say(0, &whole("mess4", &message)), [403]);
    assert_eq!(house.say(0, &whole("mess5", &renamed)), [200]);
    assert_eq!(house.getters(&renamed), [1]);
    let to_old = wrapped("a2", &[&address("b")], "psst");
    assert_eq!(house.say(0, &whole("mess6", &to_old)), [404]);
}
