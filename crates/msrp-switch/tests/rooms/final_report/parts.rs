//! Final reports that come in more than one REPORT.

use msrp_switch::limits::FINAL_REPORT_NS;
use msrp_switch::{RoomSpec, Rules};
use msrp_wire::FailureReport;

use super::{asking, deliver_all, documents, house, leg, report};
use crate::harness::*;

// covers: FR-5.7.3-07, FR-5.7.3-11, FR-5.7.3-17, FR-O.1-05, MSRP-4975-7.1-06
#[test]
fn final_report_of_a_large_room_is_split() {
    let long = |index: usize| format!("sip:p{index}@{}.example.com", "y".repeat(900));
    let guests = (0..100).map(|index| {
        let mut guest = guest(&format!("p{index}"));
        guest.spec.participant.entity = long(index);
        guest
    });
    let mut house = house(guests);
    house.say(0, &whole("mess1", &asking("p0", &[ROOM])).success());
    for who in 1..100 {
        report(&mut house, who, 200);
    }
    let documents = documents(&house);
    assert_eq!(documents.len(), 10);
    let lasts: Vec<bool> = documents
        .iter()
        .map(|(_, document)| document.is_last)
        .collect();
    assert_eq!(lasts.iter().position(|is_last| *is_last), Some(9));
    let uris = documents
        .iter()
        .flat_map(|(_, document)| &document.legs)
        .map(|leg| leg.uri.clone());
    assert_eq!(
        uris.collect::<Vec<_>>(),
        (1..100).map(long).collect::<Vec<_>>()
    );
}

// covers: FR-5.7.3-07, FR-5.7.3-17, FR-O.1-05
#[test]
fn final_report_comes_in_parts_where_interim_reports_are_wanted() {
    let spec = RoomSpec {
        message_octets_max: 10_000,
        ..room_spec()
    };
    let guests = [guest("a"), guest("b"), guest("c"), guest("d").max_size(10)];
    let mut house = House::with_rules(
        spec,
        FailureReport::Partial,
        Rules {
            interim_reports: true,
            ..Rules::default()
        },
        guests,
    );
    house.settling = Settling::ByTest;
    let message = asking("a", &[ROOM]);
    let n = message.len();
    house.say(
        0,
        &chunk("mess1", &message, 0..n - 10, Some(n), More).success(),
    );
    assert!(house.outputs_seen.is_empty(), "not before the last chunk");
    house.say(
        0,
        &chunk("mess1", &message, n - 10..n, Some(n), Last).success(),
    );
    assert_eq!(documents(&house).len(), 1);
    house.end_turn();
    report(&mut house, 1, 200);
    house.end_turn();
    deliver_all(&mut house);
    house.pass_ns(FINAL_REPORT_NS);
    let documents = documents(&house);
    let seen: Vec<_> = documents
        .iter()
        .map(|(status, document)| (*status, document.is_last, document.legs.len()))
        .collect();
    assert_eq!(seen, [(413, false, 1), (413, false, 1), (408, true, 1)]);
    let legs: Vec<_> = documents
        .iter()
        .map(|(_, document)| document.legs[0].clone())
        .collect();
    assert_eq!(legs[0].max_size, Some(10));
    assert_eq!(legs[1..], [leg("b", 200), leg("c", 408)]);
    let sums = house.switch.sums();
    let ended = (sums.final_reports_sent, sums.final_reports_timed_out);
    assert_eq!(ended, (0, 1));
    assert!(house.switch.is_idle());
}
