//! Final delivery reports.

mod happenings;
mod parts;
mod unsent;

use msrp_switch::limits::FINAL_REPORT_NS;
use msrp_switch::{FINAL_REPORT_TYPE, MessageKey, Outcome, Rules};
use msrp_wire::{ByteRange, FailureReport, MessageId, StatusCode, SuccessReport};

use crate::harness::*;
use crate::report_document::{ReportDocument, ReportedLeg};

const ASKS: &str = "NS: Rep <urn:oma:xml:poc:final-report>\r\nRep.Final-Report: yes\r\n";

/// A wrapped text with these header lines.
fn with_lines(from: &str, to: &[&str], lines: &str, octets: usize) -> Vec<u8> {
    let plain = String::from_utf8(wrapped(from, to, "x".repeat(octets))).unwrap();
    plain
        .replacen("\r\n\r\n", &format!("\r\n{lines}\r\n"), 1)
        .into_bytes()
}

fn asking(from: &str, to: &[&str]) -> Vec<u8> {
    with_lines(from, to, ASKS, 100)
}

fn house(guests: impl IntoIterator<Item = Guest>) -> House {
    let mut house = House::new(guests);
    house.settling = Settling::ByTest;
    house
}

fn three() -> House {
    house([guest("a"), guest("b"), guest("c")])
}

fn code(status: u16) -> StatusCode {
    StatusCode::new(status).unwrap()
}

fn leg(name: &str, status: u16) -> ReportedLeg {
    ReportedLeg {
        uri: address(name),
        status,
        max_size: None,
    }
}

/// A recipient reports on octets of the message that it got last.
fn report_range(house: &mut House, who: Who, range: Option<&str>, status: u16) -> bool {
    let id = house.pieces(who).last().unwrap().id.clone();
    report_on(house, who, &id, range, status)
}

fn report_on(house: &mut House, who: Who, id: &str, range: Option<&str>, status: u16) -> bool {
    let range = range.map(|range| ByteRange::parse(range.as_bytes()).unwrap());
    let id = MessageId::parse(id.as_bytes()).unwrap();
    let is_awaited = house
        .switch
        .handle_report(house.key(who), id, range, code(status));
    house.drain();
    is_awaited
}

fn report(house: &mut House, who: Who, status: u16) -> bool {
    let total = house.pieces(who).last().unwrap().range.total.unwrap();
    report_range(house, who, Some(&format!("1-{total}/{total}")), status)
}

fn key_of(house: &House, who: Who) -> MessageKey {
    house.pieces(who).last().unwrap().key
}

fn refuse(house: &mut House, who: Who, status: u16) {
    let key = key_of(house, who);
    house
        .switch
        .settle_refused(house.key(who), key, None, code(status));
    house.drain();
}

fn deliver_all(house: &mut House) {
    while house.settle_next().is_some() {}
    house.end_turn();
}

/// The documents of REPORTs with bodies, with their status.
fn documents(house: &House) -> Vec<(u16, ReportDocument)> {
    let documents = house.outputs_seen.iter().filter_map(|seen| match seen {
        Seen::Report {
            who,
            status,
            body: Some((content_type, body)),
        } => {
            assert_eq!(*who, 0);
            assert!(content_type.as_content_type().is(FINAL_REPORT_TYPE));
            assert!(body.len() < 10_240);
            Some((status.value(), ReportDocument::parse(body)))
        }
        Seen::Report { body: None, .. } | Seen::Message { .. } => None,
    });
    documents.collect()
}

/// The one document there is.
fn document(house: &House) -> (u16, ReportDocument) {
    assert_eq!(house.outputs_seen.len(), 1, "{:?}", house.outputs_seen);
    let documents = documents(house);
    assert!(documents[0].1.is_last);
    documents[0].clone()
}

// covers: FR-5.7.1-03, FR-5.7.1-04, FR-5.7.3-01, FR-5.7.3-18, UPS-7.2.3.3-10
#[test]
fn final_report_is_asked_for_by_the_header_in_its_namespace() {
    let table = [
        (ASKS, true),
        (
            "NS: x < urn:oma:xml:poc:final-report >\r\nx.Final-Report: YES\r\n",
            true,
        ),
        (
            "NS: <urn:oma:xml:poc:final-report>\r\nFinal-Report: Yes\r\n",
            true,
        ),
        (
            "NS: Rep <urn:oma:xml:poc:final-report>\r\nRep.Final-Report: no\r\n",
            false,
        ),
        (
            "NS: Rep <urn:oma:xml:poc:final-report>\r\nRep.Final-Report: maybe\r\n",
            false,
        ),
        (
            "NS: Rep <urn:oma:xml:poc:final-report>\r\nRep.Other: yes\r\n",
            false,
        ),
        ("NS: Rep <urn:other>\r\nRep.Final-Report: yes\r\n", false),
        ("Rep.Final-Report: yes\r\n", false),
        ("Final-Report: yes\r\n", false),
        ("", false),
    ];
    for (lines, is_asked) in table {
        let mut house = three();
        let message = with_lines("a", &[ROOM], lines, 100);
        assert_eq!(house.say(0, &whole("mess1", &message).success()), [200]);
        deliver_all(&mut house);
        let asked = if is_asked {
            SuccessReport::Yes
        } else {
            SuccessReport::No
        };
        for who in [1, 2] {
            assert_eq!(house.success_reports(who), [asked], "{lines}");
            assert_eq!(report(&mut house, who, 200), is_asked, "{lines}");
        }
        assert_eq!(house.getters(&message), [1, 2]);
        assert_eq!(documents(&house).len(), usize::from(is_asked), "{lines}");
        assert_eq!(house.reports().len(), 1);
        assert!(house.switch.is_idle());
    }
}

// covers: FR-5.7.1-01, FR-5.7.1-02, FR-5.7.1-05, FR-5.7.3-02, FR-5.7.3-03, FR-5.7.3-04
// covers: FR-5.7.3-06, FR-5.7.3-08, FR-5.7.3-09, FR-5.7.3-10, FR-5.7.3-11, FR-5.7.3-12
// covers: FR-5.7.3-17, FR-5.7.3-19, FR-O.1-01, FR-O.1-02, FR-O.1-03, FR-O.1-04, FR-O.1-05
// covers: FR-O.1-06, FR-O.1-07, FR-O.1-11
#[test]
fn final_report_of_a_delivered_message_is_one_report_in_place_of_the_plain_one() {
    let mut house = three();
    let message = asking("a", &[ROOM]);
    let n = message.len();
    house.say(0, &whole("mess1", &message).success());
    deliver_all(&mut house);
    assert!(report(&mut house, 2, 200));
    assert!(house.reports().is_empty());
    assert!(report(&mut house, 1, 200));
    assert!(!report(&mut house, 1, 413), "a leg is final once");
    let range = format!("1-{n}/{n}");
    assert_eq!(house.reports(), [(0, "mess1", range.as_str(), 200)]);
    let (_, document) = document(&house);
    assert_eq!(document.message_id, "mess1");
    assert_eq!(document.legs, [leg("b", 200), leg("c", 200)]);
    assert!(house.switch.is_idle());
    let sums = house.switch.sums();
    assert_eq!((sums.opened, sums.sent, sums.final_reports_sent), (2, 2, 1));
}

// covers: FR-5.7.3-13, FR-5.7.3-14, FR-5.7.3-15, FR-5.7.3-16
#[test]
fn final_report_without_success_report_is_a_message_of_the_switch() {
    let other = "application/vnd.oma.final-report+xml";
    let table = [
        ("*", "", FINAL_REPORT_TYPE, true),
        (
            "message/cpim application/vnd.oma.final-report+xml",
            "*",
            other,
            true,
        ),
        ("message/cpim", "*", FINAL_REPORT_TYPE, false),
        ("message/cpim", "text/plain", FINAL_REPORT_TYPE, false),
        (
            "message/cpim",
            "application/vnd.oma.final-report+xml",
            other,
            false,
        ),
    ];
    for (types, wrapped, content_type, is_bare) in table {
        let mut house = house([guest("a").takes(types, wrapped, None), guest("b")]);
        house.say(0, &whole("mess1", &asking("a", &[ROOM])));
        deliver_all(&mut house);
        report(&mut house, 1, 200);
        assert!(house.reports().is_empty());
        let [Seen::Message { who, fields, body }] = &house.outputs_seen[..] else {
            panic!("{:?}", house.outputs_seen);
        };
        assert_eq!(*who, 0);
        assert_ne!(fields.message_id.as_str(), "mess1");
        assert_eq!(fields.failure_report, FailureReport::No);
        assert_eq!(fields.success_report, SuccessReport::No);
        assert_eq!(fields.flag, Last);
        let octets = body.len();
        assert_eq!(
            fields.byte_range.to_string(),
            format!("1-{octets}/{octets}")
        );
        let sent = fields.content_type.as_content_type();
        let document = if is_bare {
            assert!(sent.is(content_type));
            ReportDocument::parse(body)
        } else {
            assert!(sent.is("message/cpim"));
            let cpim = msrp_wire::cpim::Wrapper::parse(body).unwrap();
            assert_eq!((cpim.from.uri, cpim.to[0].uri), (ROOM, "sip:a@example.com"));
            assert_eq!(cpim.content_type, Some(content_type.as_bytes()));
            ReportDocument::parse(&body[cpim.inner_body_offset.unwrap()..])
        };
        assert_eq!(document.legs, [leg("b", 200)]);
        assert!(document.is_last);
        assert!(house.switch.is_idle());
    }
}

// covers: FR-5.7.3-04, FR-5.7.3-05, FR-5.7.3-17, FR-5.7.3-19, FR-O.1-07, FR-O.1-08
// covers: MSRP-4975-7.1.1-06
#[test]
pub(crate) fn final_report_names_everybody_addressed_with_what_became_of_the_message() {
    let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let mut guests: Vec<Guest> = names.iter().map(|name| guest(name)).collect();
    guests[5] = guest("f").takes("message/cpim", "image/*", None);
    guests[6] = guest("g").max_size(50);
    guests[7] = guest("h").may(true, false);
    let mut house = house(guests);
    let nobody = ["sip:nobody@example.com", "SIP:nobody@example.com", "im:x&y"];
    let named: Vec<String> = names.iter().map(|name| address(name)).collect();
    let to: Vec<&str> = named.iter().map(String::as_str).chain(nobody).collect();
    let message = asking("a", &to);
    let n = message.len();
    house.say(0, &whole("mess1", &message).success());
    let outputs = house.outputs_seen.len();
    assert_eq!(outputs, 0);
    refuse(&mut house, 1, 413);
    house.leave(2);
    let key = key_of(&house, 3);
    house.settle(3, key, Outcome::Failed);
    report_range(&mut house, 4, None, 403);
    let range = format!("1-{n}/{n}");
    assert_eq!(house.reports(), [(0, "mess1", range.as_str(), 413)]);
    let (_, document) = document(&house);
    let mut expected = vec![
        leg("b", 413),
        leg("c", 481),
        leg("d", 408),
        leg("e", 403),
        leg("f", 415),
        leg("g", 9999),
        leg("h", 415),
    ];
    expected[5].max_size = Some(50);
    for uri in ["sip:nobody@example.com", "im:x&y"] {
        expected.push(ReportedLeg {
            uri: uri.to_owned(),
            status: 404,
            max_size: None,
        });
    }
    assert_eq!(document.legs, expected);
    deliver_all(&mut house);
    assert!(house.switch.is_idle());
    let sums = house.switch.sums();
    assert_eq!((sums.refused, sums.failed, sums.settled()), (5, 2, 7));
}

#[test]
fn final_report_says_of_one_that_has_not_joined_what_it_says_of_nobody() {
    let mut house = house(["a", "b"].map(guest));
    house.add(guest("c"));
    let message = asking("a", &[&address("b"), &address("c")]);
    house.say(0, &whole("mess1", &message).success());
    deliver_all(&mut house);
    report(&mut house, 1, 200);
    assert_eq!(document(&house).1.legs, [leg("b", 200), leg("c", 404)]);
}

// covers: MSRP-4975-7.1.2-06
#[test]
fn final_report_status_is_that_of_the_first_failed_leg() {
    let table = [
        ([200, 200], 200),
        ([200, 415], 415),
        ([403, 415], 403),
        ([202, 200], 200),
    ];
    for (statuses, overall) in table {
        let mut house = three();
        house.say(0, &whole("mess1", &asking("a", &[ROOM])).success());
        report(&mut house, 1, statuses[0]);
        report(&mut house, 2, statuses[1]);
        assert_eq!(document(&house).0, overall, "{statuses:?}");
    }
    let mut house = house([guest("a"), guest("b").max_size(10)]);
    house.say(0, &whole("mess1", &asking("a", &[ROOM])).success());
    assert_eq!(document(&house).0, 413);
}

// covers: MSRP-4975-7.1.1-05
#[test]
fn final_report_counts_its_time_from_the_last_octet_written() {
    let mut house = three();
    house.say(0, &whole("mess1", &asking("a", &[ROOM])).success());
    let key = key_of(&house, 1);
    let (b, c) = (house.key(1), house.key(2));
    house.switch.handle_written(house.now, b, key);
    house.pass_ns(FINAL_REPORT_NS);
    assert!(house.reports().is_empty(), "one copy is not written");
    house.switch.handle_written(house.now, c, key);
    assert_eq!(
        house.switch.poll_timeout(),
        Some(house.now.after(FINAL_REPORT_NS))
    );
    report(&mut house, 2, 200);
    house.pass_ns(FINAL_REPORT_NS - 1);
    assert!(house.reports().is_empty());
    house.pass_ns(1);
    let (status, document) = document(&house);
    assert_eq!(status, 408);
    assert_eq!(document.legs, [leg("b", 408), leg("c", 200)]);
    assert!(!report(&mut house, 1, 200), "too late");
    deliver_all(&mut house);
    assert!(house.switch.is_idle());
}

// covers: FR-5.7.3-05
#[test]
fn final_report_of_answers_without_report_is_408_in_time() {
    let mut house = house([guest("a"), guest("b")]);
    house.say(0, &whole("mess1", &asking("a", &[ROOM])).success());
    deliver_all(&mut house);
    house.pass_ns(FINAL_REPORT_NS);
    assert_eq!(document(&house).1.legs, [leg("b", 408)]);
    assert!(house.switch.is_idle());
}

#[test]
fn final_report_waits_for_the_last_chunk_of_its_sender() {
    let mut house = three();
    let message = asking("a", &[ROOM]);
    let n = message.len();
    house.say(
        0,
        &chunk("mess1", &message, 0..n - 50, Some(n), More).success(),
    );
    house.say(
        0,
        &chunk("mess1", &message, n - 50..n - 20, Some(n), More).success(),
    );
    report_range(&mut house, 1, None, 200);
    report_range(&mut house, 2, None, 413);
    house.pass_ns(FINAL_REPORT_NS);
    assert!(house.outputs_seen.is_empty());
    house.say(
        0,
        &chunk("mess1", &message, n - 20..n, Some(n), Last).success(),
    );
    assert_eq!(document(&house).1.legs, [leg("b", 200), leg("c", 413)]);
    assert_eq!(
        house.flags(2).last(),
        Some(&Abort),
        "who refused is told that no more comes"
    );
}

// covers: MSRP-4975-7.1.3-03
#[test]
fn final_report_needs_reports_on_every_octet() {
    let mut house = house([guest("a"), guest("b")]);
    let message = asking("a", &[ROOM]);
    let n = message.len();
    house.say(0, &whole("mess1", &message).success());
    deliver_all(&mut house);
    for range in [format!("1-100/{n}"), format!("120-{n}/{n}")] {
        assert!(report_range(&mut house, 1, Some(&range), 200));
        assert!(house.outputs_seen.is_empty());
    }
    assert!(!report_on(&mut house, 1, "other", None, 200));
    assert!(!report_on(&mut house, 0, "mess1", None, 200));
    assert!(house.outputs_seen.is_empty());
    report_range(&mut house, 1, Some(&format!("101-119/{n}")), 200);
    assert_eq!(document(&house).1.legs, [leg("b", 200)]);
}

// covers: FR-O.1-08
#[test]
fn final_report_takes_the_place_of_the_report_that_a_message_is_too_large() {
    for total in [true, false] {
        let mut house = house([
            guest("a"),
            guest("b").max_size(200),
            guest("c").max_size(210),
        ]);
        let message = asking("a", &[ROOM]);
        let n = message.len();
        for (start, end, flag) in [(0, 190, More), (190, n, Last)] {
            let part = chunk("mess1", &message, start..end, total.then_some(n), flag);
            house.say(0, &part.success());
        }
        let (status, document) = document(&house);
        assert_eq!(status, 413);
        let sizes: Vec<_> = document
            .legs
            .iter()
            .map(|leg| (leg.status, leg.max_size))
            .collect();
        assert_eq!(sizes, [(9999, Some(200)), (9999, Some(210))]);
        assert!(house.switch.is_idle());
        assert_eq!(house.switch.sums().refused, 2);
    }
}

#[test]
fn final_report_of_a_message_to_nobody_else_is_empty() {
    let mut house = house([guest("a")]);
    house.say(0, &whole("mess1", &asking("a", &[ROOM])).success());
    let (status, document) = document(&house);
    assert_eq!((status, document.legs), (200, Vec::new()));
    assert!(house.switch.is_idle());
}

// covers: MSRP-4975-7.3.2-01
#[test]
fn final_reports_of_two_messages_with_one_id_do_not_mix() {
    let mut house = three();
    house.say(0, &whole("mess1", &asking("a", &[ROOM])).success());
    deliver_all(&mut house);
    house.say(1, &whole("mess1", &asking("b", &[ROOM])).success());
    deliver_all(&mut house);
    let ids: Vec<String> = house
        .pieces(2)
        .iter()
        .map(|piece| piece.id.clone())
        .collect();
    assert_eq!(ids[0], "mess1");
    assert_ne!(ids[1], "mess1");
    report_on(&mut house, 2, &ids[1], None, 415);
    report_on(&mut house, 2, "mess1", None, 200);
    report_on(&mut house, 1, "mess1", None, 200);
    assert_eq!(document(&house).1.legs, [leg("b", 200), leg("c", 200)]);
    let id = house.pieces(0)[0].id.clone();
    report_on(&mut house, 0, &id, None, 200);
    let reports: Vec<_> = house.reports().iter().map(|r| (r.0, r.1, r.3)).collect();
    assert_eq!(reports, [(0, "mess1", 200), (1, "mess1", 415)]);
}

#[test]
fn final_report_of_a_private_message_names_those_who_take_none() {
    for (rules, status) in [
        (Rules::default(), 403),
        (
            Rules {
                private_refusal_is_428: true,
                ..Rules::default()
            },
            428,
        ),
    ] {
        let guests = [
            guest("a"),
            guest("b"),
            guest("c").private(true, false, false),
        ];
        let mut house = House::with_rules(room_spec(), FailureReport::Partial, rules, guests);
        house.settling = Settling::ByTest;
        let to = [address("b"), address("c"), address("nobody")];
        let to = to.each_ref().map(String::as_str);
        house.say(0, &whole("mess1", &asking("a", &to)).success());
        report(&mut house, 1, 200);
        deliver_all(&mut house);
        assert!(house.pieces(2).is_empty());
        let legs = document(&house).1.legs;
        assert_eq!(legs, [leg("b", 200), leg("c", status), leg("nobody", 404)]);
    }
}
#[test]
fn final_report_is_told_to_controllers_with_its_results() {
    for is_there in [true, false] {
        let mut house = three();
        house.switch.tell_messages(true);
        let text = asking("a", &[ROOM]);
        house.say(0, &whole("asks1", &text));
        house.end_turn();
        report(&mut house, 1, 200);
        if is_there {
            report(&mut house, 2, 413);
        } else {
            house.leave(0);
        }
        let mut told = std::iter::from_fn(|| house.switch.poll_told());
        let end = told.find_map(|told| match told {
            msrp_switch::Told::Report(end) => Some(end),
            msrp_switch::Told::Message(_) | msrp_switch::Told::Content(_) => None,
        });
        let end = end.unwrap();
        let results = if is_there {
            vec![(200, 1), (413, 1)]
        } else {
            vec![(200, 1)]
        };
        assert_eq!((end.is_sent, end.results), (is_there, results));
        assert_eq!(end.message_id.as_str(), "asks1");
    }
}

#[test]
fn switch_waits_for_ends_alone_once_no_report_and_no_output_is_left() {
    let mut house = three();
    let (message, refused) = (asking("a", &[ROOM]), wrapped("c", &[ROOM], "false"));
    let half = chunk("mess1", &refused, 0..refused.len() - 1, None, More);
    assert_eq!(house.say(0, &half), [403]);
    assert!(house.switch.is_waiting_for_ends() && !house.switch.is_idle());
    let begun = wrapped("b", &[ROOM], "begun");
    house.say(1, &chunk("mess2", &begun, 0..begun.len() - 1, None, More));
    assert!(!house.switch.is_waiting_for_ends(), "half a message");
    house.switch.leave(house.key(1));
    assert!(
        !house.switch.is_waiting_for_ends(),
        "its end is to be written"
    );
    house.drain();
    assert!(house.switch.is_waiting_for_ends());
    house.say(0, &whole("mess3", &message).success());
    deliver_all(&mut house);
    assert!(!house.switch.is_waiting_for_ends(), "a report is to come");
    report(&mut house, 2, 200);
    assert!(house.switch.is_waiting_for_ends());
}
