//! Contents of any kind: passed on untouched, and counted by what they are for.

use msrp_switch::{Acceptance, ClassSums};
use msrp_wire::{FailureReport, SuccessReport};

use crate::harness::*;

fn holding(content_type: &str, content: &[u8]) -> Vec<u8> {
    let head = format!(
        "From: <{}>\r\nTo: <{ROOM}>\r\n\r\nContent-Type: {content_type}\r\n\r\n",
        address("a")
    );
    [head.as_bytes(), content].concat()
}

// covers: MSRP-4975-7.3.1-07, MSRP-4975-13-03, MSRP-4975-14.3-01, CLI-7.1.3.2-05, CLI-7.1.3.2-07, CLI-7.1.3.4-01, PAR-N-01, CLI-N.2-01
#[test]
fn contents_of_any_kind_pass_untouched_and_are_counted_apart() {
    let composing = b"<?xml version=\"1.0\"?><isComposing><state>active</state></isComposing>";
    let imdn = b"<?xml version=\"1.0\"?><imdn><message-id>1</message-id></imdn>";
    let parts = b"--x\r\nContent-Type: text/plain\r\n\r\none\r\n--x\r\n\r\ntwo\r\n--x--\r\n";
    let signed = b"--x\r\n\r\none\r\n--x\r\nContent-Type: application/pkcs7-signature\r\n\r\n\x30\x80\r\n--x--\r\n";
    let elsewhere = b"Content-Type: image/png\r\n\r\n";
    let table: [(&str, &[u8]); 11] = [
        (
            "message/external-body;access-type=URL;URL=\"http://example.com/a.png\"",
            elsewhere,
        ),
        (
            "multipart/signed;protocol=\"application/pkcs7-signature\";boundary=x",
            signed,
        ),
        (
            "application/pkcs7-mime;smime-type=enveloped-data",
            b"\x30\x80\0\xff",
        ),
        ("text/plain", b"hello :-) (L) ;-P"),
        ("TEXT/html;charset=utf-8", b"<p>hello</p>"),
        ("application/im-iscomposing+xml", composing),
        ("Application/IM-isComposing+XML;x=y", composing),
        ("message/imdn+xml", imdn),
        ("multipart/mixed;boundary=x", parts),
        ("multipart/alternative;boundary=x", parts),
        ("image/png", b"\x89PNG\r\n\0\xff-------"),
    ];
    let mut house = House::new(["a", "b", "c"].map(guest));
    for (content_type, content) in table {
        let message = holding(content_type, content);
        assert_eq!(house.say(0, &whole("mess1", &message)), [200]);
        assert_eq!(house.getters(&message), [1, 2], "{content_type}");
    }
    let expected = ClassSums {
        text: 2,
        composing: 2,
        disposition: 1,
        file: 1,
        other: 5,
    };
    assert_eq!(house.switch.sums().messages, expected);
    let forged = wrapped("b", &[ROOM], "hello");
    assert_eq!(house.say(0, &whole("mess2", &forged)), [403]);
    assert_eq!(house.switch.sums().messages, expected, "not accepted");
    let untyped = format!("From: <{}>\r\nTo: <{ROOM}>\r\n\r\n\r\nhello", address("a"));
    assert_eq!(house.say(0, &whole("mess3", untyped.as_bytes())), [200]);
    assert_eq!(house.switch.sums().messages.text, 3, "text by default");
}

// covers: MSRP-7701-6.1-01, MSRP-7701-6.3-06, MSRP-4975-7.1.1-04
#[test]
fn flags_of_the_sender_are_its_own_and_those_of_a_copy_are_the_same_in_all_pieces() {
    for failure in [
        FailureReport::Yes,
        FailureReport::Partial,
        FailureReport::No,
    ] {
        for is_reported in [true, false] {
            let mut house = House::new(["a", "b"].map(guest));
            let message = wrapped("a", &[ROOM], "x".repeat(200_000));
            let n = message.len();
            for (start, end, flag) in [(0, 1000, More), (1000, 150_000, More), (150_000, n, Last)] {
                let mut part = chunk("mess1", &message, start..end, None, flag).failure(failure);
                // A sender that changes its mind in the middle changes nothing for others.
                if is_reported && start == 0 {
                    part = part.success();
                }
                house.say(0, &part);
            }
            assert_eq!(house.getters(&message), [1]);
            assert!(house.pieces(1).len() > 3);
            let flags = house.success_reports(1);
            assert!(flags.iter().all(|flag| *flag == SuccessReport::No));
            for octets in house.heard(1) {
                let head = String::from_utf8_lossy(&octets[..300]).into_owned();
                assert!(head.contains("\r\nFailure-Report: partial\r\n"), "{head}");
            }
            assert_eq!(house.reports().len(), usize::from(is_reported));
        }
    }
}

// covers: MSRP-4975-7.1.1-25
#[test]
fn open_chunk_below_the_least_size_waits_for_more_of_it() {
    let mut house = House::new(["a", "b"].map(guest));
    let message = wrapped("a", &[ROOM], "x".repeat(6000));
    let n = message.len();
    let octets = house.encode(&chunk("mess1", &message, 0..n, Some(n), Last));
    for part in octets.chunks(500) {
        house.read(0, part);
        house.end_turn();
    }
    let sizes: Vec<usize> = house.pieces(1).iter().map(|piece| piece.octets).collect();
    let (_, all_but_the_last) = sizes.split_last().unwrap();
    assert!(all_but_the_last.len() >= 2);
    assert!(
        all_but_the_last.iter().all(|size| *size >= 2048),
        "{sizes:?}"
    );
}

// covers: MSRP-7701-6.1-12
#[test]
fn nothing_leaves_before_the_checks() {
    let good = wrapped("a", &[ROOM], "x".repeat(5000));
    let forged = wrapped("b", &[ROOM], "x".repeat(5000));
    let lost = wrapped("a", &[&address("nobody")], "x".repeat(5000));
    let table = [
        (chunk("mess1", &forged, 0..4000, None, More), 403),
        (chunk("mess1", &lost, 0..4000, None, More), 404),
        (chunk("mess1", &good, 0..4000, Some(2_000_000), More), 413),
        (
            chunk("mess1", &good, 0..4000, None, More).content_type("text/plain"),
            415,
        ),
        (chunk("mess1", &good, 10..4000, None, More), 400),
    ];
    for (first, answer) in table {
        let mut house = House::new(["a", "b"].map(guest));
        assert_eq!(house.say(0, &first), [answer]);
        assert!(house.pieces(1).is_empty());
    }
    let mut house = House::new(["a", "b"].map(guest));
    let head = good.len() - 5000;
    house.say(0, &chunk("mess1", &good, 0..head - 1, None, More));
    assert!(house.pieces(1).is_empty(), "the wrapper is not complete");
    house.say(0, &chunk("mess1", &good, head - 1..4000, None, More));
    assert!(!house.pieces(1).is_empty(), "long before the end");
}

#[test]
fn description_without_wrapped_types_takes_what_it_lists() {
    let types = ["message/cpim".to_owned(), "text/plain".to_owned()];
    let mut b = guest("b");
    b.spec.acceptance = Acceptance::new(&types, &[], None).unwrap();
    let mut house = House::new([guest("a"), b]);
    house.say(0, &whole("mess1", &holding("text/plain", b"hello")));
    house.say(0, &whole("mess2", &holding("text/html", b"hello")));
    assert_eq!(house.texts(1).len(), 1);
}
