//! The example messages of the documents.

use std::fs;
use std::path::PathBuf;

use msrp_wire::cpim::Wrapper;
use msrp_wire::{Body, ContinuationFlag, Decoder, Event, Limits, RequestHead};

use crate::seen;

// covers: MSRP-4975-7.1-05, MSRP-4975-7.1-09, MSRP-4975-7.1-10
#[test]
fn example_messages_of_each_document_are_read_as_expected() {
    let expected = String::from_utf8(vector("expected.tsv")).unwrap();
    let mut count = 0;
    for row in expected.lines() {
        let (name, _) = row.split_once('\t').unwrap();
        assert_eq!(summary(name, &vector(name)), row);
        count += 1;
    }
    let files = fs::read_dir(folder()).unwrap().filter(|f| {
        f.as_ref()
            .unwrap()
            .path()
            .extension()
            .is_some_and(|e| e == "msrp")
    });
    assert_eq!(count, files.count());
}

#[test]
fn example_messages_cut_at_every_octet_read_the_same() {
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "msrp") {
            continue;
        }
        let text = fs::read(path).unwrap();
        let whole = seen::decode(&text);
        for cut in 0..=text.len() {
            let (one, two) = text.split_at(cut);
            assert_eq!(seen::decode_pieces([one, two]), whole, "cut at {cut}");
        }
        assert_eq!(seen::decode_pieces(text.chunks(1)), whole);
    }
}

// covers: MSRP-4975-13-02, MSRP-4975-13-05, MSRP-4975-13-07, MSRP-4975-13-08, MSRP-4975-13-14
#[test]
fn example_wrapper_of_rfc_3862_has_its_headers() {
    for (name, donkey) in [
        ("rfc3862-s5.1-message.cpim", "Depressed Donkey"),
        ("rfc3862-s5.2-signed.cpim", "Dopey Donkey"),
    ] {
        let text = vector(name);
        let parsed = Wrapper::parse(&text).unwrap();
        assert_eq!(parsed.from.display.as_deref(), Some("MR SANDERS"));
        assert_eq!(parsed.from.uri, "im:piglet@100akerwood.com");
        assert_eq!(parsed.to[0].display.as_deref(), Some(donkey));
        assert_eq!(parsed.to[0].uri, "im:eeyore@100akerwood.com");
        assert_eq!(parsed.datetime, Some("2000-12-13T13:40:00-08:00"));
        let subjects: Vec<_> = parsed
            .subjects
            .iter()
            .map(|s| (s.lang, s.text.as_ref()))
            .collect();
        let expected = [
            (None, "the weather will be fine today"),
            (Some("fr"), "beau temps prevu pour aujourd'hui"),
        ];
        assert_eq!(subjects, expected);
        assert_eq!(parsed.require.as_slice(), ["MyFeatures.VitalMessageOption"]);
        let option = parsed
            .other("mid:MessageFeatures@id.foo.com", "WackyMessageOption")
            .unwrap();
        assert_eq!(
            (option.prefix, option.value),
            (Some("MyFeatures"), "Use-silly-font")
        );
        assert_eq!(parsed.other.len(), 2);
        assert_eq!(
            parsed.content_type,
            Some(b"text/xml; charset=utf-8".as_slice())
        );
        assert_eq!(
            parsed.content_headers.value("content-id"),
            Some(b"<1234567890@foo.com>".as_slice())
        );
        assert!(text[parsed.inner_body_offset.unwrap()..].starts_with(b"<body>\r\n"));
    }
}

#[test]
fn example_wrappers_inside_send_have_their_headers() {
    let cases = [
        (
            "rfc4975-s11.4-d93kswow-send.msrp",
            "sip:alice@example.com",
            "sip:bob@example.com",
            "ABCD",
        ),
        (
            "rfc7701-s9.3-3490visdm-send.msrp",
            "sip:alice@atlanta.example.com",
            "sip:chatroom22@chat.example.com;transport=tcp",
            "Hello guys, how are you today?",
        ),
        (
            "rfc7701-s9.4-6959ssdf-send.msrp",
            "sip:alice@example.com",
            "sip:bob@example.com",
            "Hello Bob.",
        ),
    ];
    for (name, from, to, content) in cases {
        let body = seen::only_body(&seen::decode(&vector(name)));
        let parsed = Wrapper::parse(&body).unwrap();
        assert_eq!((parsed.from.uri, parsed.to[0].uri), (from, to));
        assert_eq!(parsed.content_type, Some(b"text/plain".as_slice()));
        assert_eq!(
            &body[parsed.inner_body_offset.unwrap()..],
            content.as_bytes(),
            "{name}"
        );
    }
}

#[test]
fn example_wrapper_spread_over_chunks_needs_more_until_both_are_there() {
    let mut body = seen::only_body(&seen::decode(&vector("rfc7701-s9.5-7443ruls-send.msrp")));
    assert_eq!(
        Wrapper::parse(&body).unwrap_err(),
        msrp_wire::cpim::Error::NeedMore
    );
    body.extend_from_slice(b"\r\n");
    body.extend(seen::only_body(&seen::decode(&vector(
        "rfc7701-s9.5-7443ruls-send-2.msrp",
    ))));
    assert_eq!(
        Wrapper::parse(&body).unwrap().datetime,
        Some("2009-03-02T15:02:31-03:00")
    );
}

/// One row of the expectations, made from what the decoder says.
fn summary(name: &str, text: &[u8]) -> String {
    let mut decoder = Decoder::new(Limits::default());
    let mut rest = text;
    let mut row = vec![name.to_owned()];
    let mut body_octets = None;
    let mut flag = "-";
    while !rest.is_empty() {
        let step = decoder.decode(rest).unwrap();
        let consumed = step.consumed;
        match step.event.unwrap() {
            Event::Request(head) => {
                body_octets = head.has_body.then_some(0);
                row.extend(request_columns(&head));
            }
            Event::Body(Body::Input(range)) => {
                body_octets = body_octets.map(|octets| octets + range.len())
            }
            Event::Body(Body::Carried(octets)) => panic!("carried {octets:?} from a whole text"),
            Event::End(end) => flag = flag_text(end),
            Event::Response(head) => {
                let to = head.to_path().unwrap().len().to_string();
                let columns = [
                    "response".into(),
                    head.transaction_id.to_string(),
                    head.status.to_string(),
                    to,
                ];
                row.extend(columns);
                row.push(head.from_path().unwrap().last().to_string());
                row.extend(["-"; 6].map(str::to_owned));
                return row.join("\t");
            }
            Event::Rejected(rejected) => {
                let method = rejected.method.to_string();
                row.extend([
                    "rejected".into(),
                    rejected.transaction_id.to_string(),
                    method,
                ]);
                row.extend(["-"; 8].map(str::to_owned));
                return row.join("\t");
            }
        }
        rest = &rest[consumed..];
    }
    assert!(decoder.is_between_frames());
    row.push(body_octets.map_or("-".into(), |octets| octets.to_string()));
    row.push(flag.to_owned());
    row.join("\t")
}

fn request_columns(head: &RequestHead<'_>) -> Vec<String> {
    let or_absent = |text: Option<String>| text.unwrap_or("-".into());
    vec![
        "request".into(),
        head.transaction_id.to_string(),
        head.method.to_string(),
        head.to_path.len().to_string(),
        head.from_path.last().to_string(),
        or_absent(head.message_id.map(|id| id.to_string())),
        or_absent(head.byte_range.map(|range| range.to_string())),
        or_absent(
            head.status
                .map(|status| format!("{:03} {}", status.namespace, status.code)),
        ),
        or_absent(
            head.content_type
                .map(|text| String::from_utf8(text.to_vec()).unwrap()),
        ),
    ]
}

fn flag_text(flag: ContinuationFlag) -> &'static str {
    match flag {
        ContinuationFlag::Last => "$",
        ContinuationFlag::More => "+",
        ContinuationFlag::Abort => "#",
    }
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")
}

fn vector(name: &str) -> Vec<u8> {
    fs::read(folder().join(name)).unwrap()
}
