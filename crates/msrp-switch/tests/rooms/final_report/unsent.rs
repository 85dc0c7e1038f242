//! Final reports that nobody gets, or that there is no room for.

use msrp_switch::limits::FINAL_REPORTS_MAX;
use msrp_switch::{Outcome, Rules};
use msrp_wire::FailureReport;

use super::{asking, deliver_all, house, key_of, refuse, report, report_on, report_range, three};
use crate::harness::*;

#[test]
fn final_report_is_not_sent_for_what_was_refused_or_given_up() {
    let message = asking("a", &[ROOM]);
    let n = message.len();
    for end in ["abort", "leave", "all refuse"] {
        let mut house = three();
        house.say(
            0,
            &chunk("mess1", &message, 0..n - 20, None, More).success(),
        );
        house.say(
            0,
            &chunk("mess1", &message, n - 20..n - 10, None, More).success(),
        );
        match end {
            "abort" => {
                house.say(
                    0,
                    &chunk("mess1", &message, n - 10..n, None, Abort).success(),
                );
            }
            "leave" => house.leave(0),
            _ => {
                refuse(&mut house, 1, 413);
                refuse(&mut house, 2, 413);
                let last = chunk("mess1", &message, n - 10..n, None, Last).success();
                assert_eq!(house.say(0, &last), [413]);
            }
        }
        assert!(!report_range(&mut house, 1, None, 200));
        assert!(house.outputs_seen.is_empty(), "{end}");
        assert!(house.switch.is_idle(), "{end}");
    }
}

// covers: MSRP-4975-7.1.2-09
#[test]
fn final_report_whose_sender_is_gone_is_skipped_and_counted() {
    let mut house = three();
    house.say(0, &whole("mess1", &asking("a", &[ROOM])).success());
    house.leave(0);
    assert!(!report(&mut house, 1, 200));
    deliver_all(&mut house);
    assert!(house.outputs_seen.is_empty());
    assert!(house.switch.is_idle());
    assert_eq!(house.switch.sums().final_reports_skipped, 1);
    assert_eq!(house.switch.poll_timeout(), None);
}

#[test]
fn final_reports_of_one_session_are_bounded() {
    let mut house = house([guest("a"), guest("b")]);
    let message = asking("a", &[ROOM]);
    for index in 0..FINAL_REPORTS_MAX {
        assert_eq!(
            house.say(0, &whole(&format!("mess{index}"), &message)),
            [200]
        );
    }
    assert_eq!(house.say(0, &whole("more1", &message)), [413]);
    let plain = wrapped("a", &[ROOM], "hello");
    assert_eq!(house.say(0, &whole("more2", &plain)), [200]);
    report_on(&mut house, 1, "mess3", None, 200);
    assert_eq!(house.say(0, &whole("more3", &message)), [200]);
}

#[test]
fn final_report_is_kept_from_who_does_not_list_it_only_where_the_rules_are_strict() {
    let table = [
        (false, "message/cpim", "text/plain", 1),
        (true, "message/cpim", "text/plain", 0),
        (true, "message/cpim", "application/*", 1),
        (true, "message/cpim application/vnd.oma.final+xml", "", 1),
    ];
    for (strict_report_types, types, wrapped_types, sent) in table {
        let rules = Rules {
            strict_report_types,
            ..Rules::default()
        };
        for is_report_form in [false, true] {
            let guests = [guest("a").takes(types, wrapped_types, None), guest("b")];
            let partial = FailureReport::Partial;
            let mut house = House::with_rules(room_spec(), partial, rules, guests);
            house.settling = Settling::ByTest;
            let mut message = whole("mess1", &asking("a", &[ROOM]));
            if is_report_form {
                message = message.success();
            }
            house.say(0, &message);
            report(&mut house, 1, 200);
            house.settle(1, key_of(&house, 1), Outcome::Delivered);
            let sent = if is_report_form { 1 } else { sent };
            assert_eq!(house.outputs_seen.len(), sent, "{types} {wrapped_types}");
            let sums = house.switch.sums();
            let expected = (sent as u64, 1 - sent as u64);
            assert_eq!(
                (sums.final_reports_sent, sums.final_reports_skipped),
                expected
            );
            assert!(house.switch.is_idle());
        }
    }
}
