//! Rules of the wrapper.

use msrp_wire::ContentType;
use msrp_wire::cpim::{Address, Error, NewWrapper, Parsed, Place, Wrapper, write};
use proptest::prelude::*;

const FROM_TO: &str = "From: <sip:a@x>\r\nTo: <sip:b@x>\r\n";

fn with(lines: &str) -> String {
    format!("{FROM_TO}{lines}\r\nContent-Type: text/plain\r\n\r\nbody")
}

fn parse(text: &str) -> Parsed<'_> {
    Wrapper::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text:?}"))
}

fn place(text: &[u8]) -> Place {
    match Wrapper::parse(text) {
        Err(Error::Malformed { at, .. }) => at,
        other => panic!("not malformed: {other:?}"),
    }
}

// covers: MSRP-3862-2.2-06, MSRP-3862-2.2-10
#[test]
fn address_in_each_form_is_read() {
    let cases = [
        ("<im:p@x>", None, "im:p@x"),
        ("MR SANDERS <im:p@x>", Some("MR SANDERS"), "im:p@x"),
        (
            "\"A <b> \\\"c\\\"\" <im:p@x>",
            Some("A <b> \"c\""),
            "im:p@x",
        ),
        ("\"\" <im:p@x>", None, "im:p@x"),
        ("\\<im:p@x>", None, "im:p@x"),
        ("Zo\\u00eb<im:p@x;y=z>", Some("Zo\u{eb}"), "im:p@x;y=z"),
        ("sip:p@x", None, "sip:p@x"),
        ("< sip:p@x >", None, "sip:p@x"),
        ("<p@x>", None, "p@x"),
        ("p@x:5070;lr", None, "p@x:5070;lr"),
        ("P <p@x>", Some("P"), "p@x"),
    ];
    for (value, display, uri) in cases {
        for line in [
            format!("From: {value}"),
            format!("From:{value} "),
            format!("  From:   {value}"),
        ] {
            let text = format!("{line}\r\nTo: {value}\r\ncc: {value}\r\n\r\n");
            let parsed = parse(&text);
            for mbox in [&parsed.from, &parsed.to[0], &parsed.cc[0]] {
                assert_eq!(
                    (mbox.display.as_deref(), mbox.uri),
                    (display, uri),
                    "{line}"
                );
            }
        }
    }
}

#[test]
fn address_of_illegal_form_is_malformed() {
    for value in [
        "",
        "Bob",
        "<>",
        "<bob>",
        "<sip:a b@x>",
        "<sip:a@x",
        "Bob sip:a@x",
        "\"Bob <sip:a@x>",
        "<sip:a@x> x",
        "<a@>",
        "<@x>",
        "<a b@x>",
        "a@x <",
        "<1:x>",
    ] {
        assert_eq!(
            place(format!("From: {value}\r\nTo: <sip:b@x>\r\n\r\n").as_bytes()),
            Place::From,
            "{value}"
        );
        assert_eq!(
            place(format!("From: <sip:a@x>\r\nTo: {value}\r\n\r\n").as_bytes()),
            Place::To,
            "{value}"
        );
        assert_eq!(
            place(with(&format!("cc: {value}\r\n")).as_bytes()),
            Place::Cc,
            "{value}"
        );
    }
}

// covers: MSRP-4975-13-06, MSRP-4975-13-12
#[test]
fn headers_that_may_repeat_are_all_kept_in_order() {
    let text = with(
        "To: <sip:c@x>\r\ncc: <sip:d@x>\r\ncc: <sip:e@x>\r\nRequire: a.b, c\r\nRequire: d\r\n",
    );
    let parsed = parse(&text);
    assert_eq!(
        parsed.to.iter().map(|m| m.uri).collect::<Vec<_>>(),
        ["sip:b@x", "sip:c@x"]
    );
    assert_eq!(
        parsed.cc.iter().map(|m| m.uri).collect::<Vec<_>>(),
        ["sip:d@x", "sip:e@x"]
    );
    assert_eq!(parsed.require.as_slice(), ["a.b", "c", "d"]);
}

// covers: MSRP-4975-13-11
#[test]
fn header_that_may_not_repeat_is_malformed() {
    for line in [
        "From: <sip:a@x>",
        "DateTime: 2000-12-13T13:40:00Z\r\nDateTime: 2000-12-13T13:40:00Z",
    ] {
        assert_eq!(
            place(with(&format!("{line}\r\n")).as_bytes()),
            Place::Duplicate
        );
    }
}

// covers: MSRP-3862-4-01, MSRP-3862-2.2-11
#[test]
fn wrapper_without_sender_or_recipient_says_so() {
    let cases = [
        ("\r\n", Place::FromMissing),
        ("To: <sip:b@x>\r\n\r\n", Place::FromMissing),
        (
            "from: <sip:a@x>\r\nTo: <sip:b@x>\r\n\r\n",
            Place::FromMissing,
        ),
        ("From: <sip:a@x>\r\n\r\n", Place::ToMissing),
        ("From: <sip:a@x>\r\nTO: <sip:b@x>\r\n\r\n", Place::ToMissing),
    ];
    for (text, at) in cases {
        let error = Wrapper::parse(text.as_bytes()).unwrap_err();
        assert!(error.names_no_sender_or_recipient());
        assert_eq!(place(text.as_bytes()), at, "{text}");
    }
}

// covers: MSRP-3862-2.2-03, MSRP-3862-2.2-07, MSRP-3862-2.2-08, MSRP-3862-2.2-09
#[test]
fn header_of_illegal_form_is_malformed() {
    let cases: [(&[u8], Place); 12] = [
        (
            b"From: <sip:a@x>\nTo: <sip:b@x>\r\n\r\n",
            Place::ControlCharacter,
        ),
        (
            b"From: <sip:a@x>\r\nTo: <sip:b@x>\rX: y\r\n\r\n",
            Place::ControlCharacter,
        ),
        (b"X: a\x01\r\n\r\n", Place::ControlCharacter),
        (b"X: a\tb\r\n\r\n", Place::ControlCharacter),
        (b"X: \xff\r\n\r\n", Place::Utf8),
        (b"X\r\n\r\n", Place::Header),
        (b": x\r\n\r\n", Place::Header),
        (b"X y: x\r\n\r\n", Place::Header),
        (b"X : x\r\n\r\n", Place::Header),
        (b".x: x\r\n\r\n", Place::Header),
        (b"Subject: a\r\n folded\r\n\r\n", Place::Header),
        (b"Subject:;lang=\"x y\r\n\r\n", Place::Parameters),
    ];
    for (text, at) in cases {
        assert_eq!(place(text), at, "{}", text.escape_ascii());
    }
}

#[test]
fn subject_with_parameters_is_read() {
    let text = with("Subject:;lang=fr;x=\"a b\" Objet\\u0021\r\nSubject:plain\r\nSubject:;x=y\r\n");
    let subjects: Vec<_> = parse(&text)
        .subjects
        .iter()
        .map(|s| (s.lang, s.text.to_string()))
        .collect();
    assert_eq!(
        subjects,
        [
            (Some("fr"), "Objet!".into()),
            (None, "plain".into()),
            (None, String::new())
        ]
    );
}

#[test]
fn parameter_ends_where_its_quotes_end_and_escapes_stay_inside() {
    let text = with(
        "Subject:;x=\"a\\\" b\" one\r\nSubject:;x=\"a\\\\\" two\r\nSubject:;x=\"a\\\\\\\" b\" three\r\n",
    );
    let subjects = parse(&text).subjects;
    let texts: Vec<String> = subjects.iter().map(|s| s.text.to_string()).collect();
    assert_eq!(texts, ["one", "two", "three"]);
}

// covers: MSRP-4975-13-08, MSRP-4975-13-13, MSRP-3862-3.4-03, FR-5.7.1-03
#[test]
fn namespace_holds_from_its_declaration_on() {
    let text = with(
        "q.Final-Report: early\r\nNS: q <urn:oma:xml:poc:final-report>\r\nq.Final-Report: yes\r\n\
         NS: x <urn:ietf:params:cpim-headers:>\r\nx.cc: <sip:d@x>\r\nPlain: 1\r\nNS: <urn:other>\r\nPlain: 2\r\n\
         To: 3\r\nNS: q <urn:new>\r\nq.Final-Report: \\u0021\r\n",
    );
    let parsed = parse(&text);
    let other: Vec<_> = parsed
        .other
        .iter()
        .map(|h| (h.namespace, h.prefix, h.name, h.value))
        .collect();
    let expected = [
        (None, Some("q"), "Final-Report", "early"),
        (
            Some("urn:oma:xml:poc:final-report"),
            Some("q"),
            "Final-Report",
            "yes",
        ),
        (None, None, "Plain", "1"),
        (Some("urn:other"), None, "Plain", "2"),
        (Some("urn:other"), None, "To", "3"),
        (Some("urn:new"), Some("q"), "Final-Report", "\\u0021"),
    ];
    assert_eq!(other, expected);
    assert_eq!(parsed.cc[0].uri, "sip:d@x");
    assert_eq!(parsed.other("urn:new", "Final-Report").unwrap().text(), "!");
    assert!(
        parsed
            .other("urn:oma:xml:poc:final-report", "final-report")
            .is_none()
    );
}

// covers: MSRP-3862-3.4-01, MSRP-3862-3.4-02
#[test]
fn namespace_that_is_not_absolute_is_malformed() {
    for value in [
        "FR urn:x",
        "FR <x>",
        "FR <urn:x#y>",
        "F R <urn:x>",
        "a.b <urn:x>",
        "<>",
        "<urn: >",
        "<ur n:x>",
        "<urn:x>y>",
        "< :x>",
    ] {
        assert_eq!(
            place(with(&format!("NS: {value}\r\n")).as_bytes()),
            Place::Ns,
            "{value}"
        );
    }
    let many: String = (0..33).map(|i| format!("NS: p{i} <urn:x>\r\n")).collect();
    assert_eq!(place(with(&many).as_bytes()), Place::Ns);
}

// covers: FR-5.7.1-03
#[test]
fn namespace_with_blanks_in_its_brackets_is_the_same() {
    for value in [
        "q <urn:oma:xml:poc: final-report>",
        "q < urn:oma:xml:poc:final-report >",
        "q<urn: oma:xml:poc:final-report>",
        "q <urn :oma:xml:poc:final-report>",
    ] {
        let text = with(&format!(
            "NS: {value}\r\nq.Final-Report: yes\r\nNS: c <urn:ietf:params: cpim-headers:>\r\nc.cc: <d@x>\r\n"
        ));
        let parsed = parse(&text);
        let found = parsed.other("urn:oma:xml:poc:final-report", "Final-Report");
        assert_eq!(found.map(|header| header.value), Some("yes"), "{value}");
        assert!(
            parsed
                .other("urn:oma:xml:poc:final", "Final-Report")
                .is_none()
        );
        assert_eq!(parsed.cc[0].uri, "d@x");
    }
}

#[test]
fn content_behind_its_own_blank_line_is_found() {
    let text = with("");
    let parsed = parse(&text);
    assert_eq!(&text[..parsed.head_octets], format!("{FROM_TO}\r\n"));
    assert_eq!(parsed.content_type, Some(b"text/plain".as_slice()));
    assert_eq!(&text[parsed.inner_body_offset.unwrap()..], "body");
}

// covers: MSRP-3862-2.4-01
#[test]
fn content_without_headers_is_found() {
    let text = format!("{FROM_TO}\r\n\r\nbody");
    let parsed = parse(&text);
    assert_eq!(parsed.content_type, None);
    assert_eq!(&text[parsed.inner_body_offset.unwrap()..], "body");
}

#[test]
fn content_headers_not_complete_leave_the_wrapper_readable() {
    let text = format!("{FROM_TO}\r\nContent-Type: text/plain\r\n");
    let parsed = parse(&text);
    assert_eq!(
        (parsed.content_type, parsed.inner_body_offset),
        (None, None)
    );
    assert_eq!(parsed.head_octets, FROM_TO.len() + 2);
}

#[test]
fn content_headers_among_the_cpim_headers_are_found() {
    let text = format!(
        "{FROM_TO}content-type: multipart/mixed;\r\n\tboundary=x\r\nContent-ID: <a>\r\n\r\nbody"
    );
    let parsed = parse(&text);
    assert_eq!(parsed.content_type, Some(b"multipart/mixed;".as_slice()));
    assert_eq!(
        parsed.content_headers.value("Content-ID"),
        Some(b"<a>".as_slice())
    );
    assert_eq!(&text[parsed.inner_body_offset.unwrap()..], "body");
    assert!(parsed.other.is_empty());
    let hidden = format!("{FROM_TO}Content-Type: text/plain\r\nFrom: <sip:eve@x>\r\n\r\nbody");
    assert_eq!(place(hidden.as_bytes()), Place::Duplicate);
    let hidden = format!("{FROM_TO}Content-Type: text/plain\r\n x\rFrom: <sip:eve@x>\r\n\r\nbody");
    assert_eq!(place(hidden.as_bytes()), Place::ControlCharacter);
}

#[test]
fn wrapper_needs_more_until_its_blank_line() {
    let text = with("Subject: x\r\n");
    let head_octets = parse(&text).head_octets;
    for len in 0..head_octets {
        assert_eq!(
            Wrapper::parse(&text.as_bytes()[..len]).unwrap_err(),
            Error::NeedMore
        );
    }
    assert!(Wrapper::parse(&text.as_bytes()[..head_octets]).is_ok());
}

// covers: MSRP-3862-2.2-05
#[test]
fn wrapper_beyond_its_limits_is_malformed() {
    let line = |octets| format!("{FROM_TO}X: {}\r\n\r\n", "y".repeat(octets));
    assert!(Wrapper::parse(line(16_000).as_bytes()).is_ok());
    assert_eq!(place(line(17_000).as_bytes()), Place::TooLong);
    let many = "X:\r\n".repeat(1100);
    assert_eq!(place(with(&many).as_bytes()), Place::TooManyHeaders);
}

// covers: MSRP-4975-13-02, MSRP-4975-13-09, MSRP-3862-2.2-10, MSRP-3862-3-01
#[test]
fn wrapper_is_written_as_the_grammar_says() {
    let mut out = Vec::new();
    let to = [
        Address::of("sip:b@x"),
        Address {
            display: Some("B \"c\""),
            uri: "sip:c@x",
        },
    ];
    let wrapper = NewWrapper {
        datetime: Some("2000-12-13T13:40:00Z"),
        subject: Some("a\r\nb"),
        namespaces: &[("FR", "urn:oma:xml:poc:final-report")],
        headers: &[("FR.Final-Report", "yes")],
        ..NewWrapper::new(
            Address::of("sip:a@x"),
            &to,
            ContentType::TEXT_PLAIN,
            b"body",
        )
    };
    write(&mut out, &wrapper);
    let expected = "From: <sip:a@x>\r\nTo: <sip:b@x>\r\nTo: \"B \\\"c\\\"\" <sip:c@x>\r\n\
                    DateTime: 2000-12-13T13:40:00Z\r\nSubject: a\\r\\nb\r\n\
                    NS: FR <urn:oma:xml:poc:final-report>\r\nFR.Final-Report: yes\r\n\r\n\
                    Content-Type: text/plain\r\n\r\nbody";
    assert_eq!(std::str::from_utf8(&out).unwrap(), expected);
}

// covers: MSRP-3862-2.2-04
#[test]
fn wrapper_is_written_with_one_header_a_line() {
    let evil = "a\r\nFrom: <sip:eve@x>\r\n\r\nb";
    let to = [
        Address {
            display: Some(evil),
            uri: evil,
        },
        Address::of("sip:c@x"),
    ];
    let wrapper = NewWrapper {
        cc: &to,
        datetime: Some(evil),
        subject: Some(evil),
        namespaces: &[(evil, evil)],
        headers: &[(evil, evil)],
        ..NewWrapper::new(Address::of(evil), &to, ContentType::TEXT_PLAIN, b"body")
    };
    let mut out = Vec::new();
    write(&mut out, &wrapper);
    let text = std::str::from_utf8(&out).unwrap();
    let (head, content) = text.split_once("\r\n\r\n").unwrap();
    assert_eq!(content, "Content-Type: text/plain\r\n\r\nbody");
    let names: Vec<_> = head
        .split("\r\n")
        .map(|line| line.split_once(": ").unwrap().0)
        .collect();
    let written = ["From", "To", "To", "cc", "cc", "DateTime", "Subject", "NS"];
    assert_eq!(names[..8], written);
    assert_eq!(names.len(), 9, "{head}");
}

// covers: MSRP-3862-2.2-02, MSRP-3862-3.5-02
#[test]
fn wrapper_that_requires_something_unknown_is_read_where_it_lies() {
    let text = with("NS: z <urn:z>\r\nRequire: z.Unheard-Of, Subject\r\nz.Unheard-Of: yes\r\n");
    let parsed = parse(&text);
    assert_eq!(parsed.require.as_slice(), ["z.Unheard-Of", "Subject"]);
    let here = text.as_bytes().as_ptr_range();
    let texts = [
        parsed.from.uri,
        parsed.to[0].uri,
        parsed.require[0],
        parsed.other[0].value,
    ];
    for part in texts {
        assert!(here.contains(&part.as_ptr()), "{part} is a copy");
    }
    assert_eq!(&text[parsed.inner_body_offset.unwrap()..], "body");
}

proptest! {
    #[test]
    fn wrapper_round_trips(display in any::<String>(), subject in "\\PC{0,40}", value in any::<String>(), body in any::<Vec<u8>>()) {
        let to = [Address { display: Some(&display), uri: "sip:b\r\n<>@x" }];
        let headers = [("X-\r\nY", value.as_str())];
        let wrapper = NewWrapper {
            subject: Some(&subject),
            headers: &headers,
            ..NewWrapper::new(Address::of("sip:a@x"), &to, ContentType::TEXT_PLAIN, &body)
        };
        let mut out = Vec::new();
        write(&mut out, &wrapper);
        let parsed = Wrapper::parse(&out).unwrap();
        prop_assert_eq!(parsed.to[0].display.as_deref().unwrap_or_default(), display.as_str());
        prop_assert_eq!(parsed.to[0].uri, "sip:b%0D%0A%3C%3E@x");
        prop_assert_eq!(parsed.subjects[0].text.as_ref(), subject.trim_matches(' '));
        prop_assert_eq!(parsed.other[0].name, "X-Y");
        prop_assert_eq!(parsed.other[0].text(), value.trim_matches(' '));
        prop_assert_eq!(&out[parsed.inner_body_offset.unwrap()..], body.as_slice());
    }

    #[test]
    fn wrapper_of_garbage_never_panics(text in "(From|To|cc|NS|Subject|Content-Type|\\PC{0,4})[:; .]{0,3}(\\PC|[<>\"\\\\\r\n]){0,60}(\r\n\r\n)?") {
        let _ = Wrapper::parse(text.as_bytes());
    }

    #[test]
    fn wrapper_of_octets_never_panics(octets in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Wrapper::parse(&[octets.as_slice(), b"\r\n\r\n"].concat());
    }
}
