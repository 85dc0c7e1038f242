//! What is written is read back as it was meant.

use msrp_wire::encode::{self, Report, SendTail};
use msrp_wire::{
    ByteRange, ContentType, ContinuationFlag, Decoder, EndLine, Event, FailureReport, Limits,
    MessageId, Method, MsrpPathBuf, MsrpUriBuf, RelayedHeaders, RelayedHeadersBuf, Status,
    StatusCode, SuccessReport, TransactionId,
};
use proptest::prelude::*;

use crate::seen;

fn tid() -> TransactionId {
    TransactionId::parse(b"a786hjs2").unwrap()
}

fn message_id() -> MessageId {
    MessageId::parse(b"87652491").unwrap()
}

fn bob() -> MsrpUriBuf {
    MsrpUriBuf::parse("msrp://bob.example.com:8888/9di4;tcp").unwrap()
}

fn alice() -> MsrpUriBuf {
    MsrpUriBuf::parse("msrp://alice.example.com:7777/iau3;tcp").unwrap()
}

fn text(out: &[u8]) -> &str {
    std::str::from_utf8(out).unwrap()
}

fn tail(content_type: Option<ContentType<'_>>) -> SendTail<'_> {
    SendTail {
        message_id: message_id(),
        byte_range: Some(ByteRange::WHOLE),
        success_report: SuccessReport::No,
        failure_report: FailureReport::Yes,
        relayed: RelayedHeaders::default(),
        content_type,
    }
}

fn write_send(tail: &SendTail<'_>, body: &[u8], flag: ContinuationFlag) -> Vec<u8> {
    let mut out = Vec::new();
    encode::start_line(&mut out, tid(), &Method::Send);
    encode::paths(&mut out, bob(), alice());
    encode::send_headers_tail(&mut out, tail);
    if tail.content_type.is_some() {
        out.extend_from_slice(body);
        encode::body_end(&mut out, tid(), flag);
    } else {
        encode::end_line(&mut out, tid(), flag);
    }
    out
}

// covers: MSRP-4975-7.1.1-30
#[test]
fn send_is_binary_and_says_nothing_of_its_encoding() {
    let body: Vec<u8> = (0..=u8::MAX).collect();
    let lines = "Content-Transfer-Encoding: base64\r\nCONTENT-TRANSFER-ENCODING: 7bit\r\nX: y\r\n";
    let arrived = seen::send(lines, Some(&body));
    let mut decoder = Decoder::new(Limits::default());
    let Some(Event::Request(head)) = decoder.decode(&arrived).unwrap().event else {
        panic!("no request")
    };
    let relayed = head.relayed_headers().to_buf();
    let tail = SendTail {
        relayed: relayed.lines(),
        ..tail(Some(ContentType::TEXT_PLAIN))
    };
    let out = write_send(&tail, &body, ContinuationFlag::Last);
    assert!(out.windows(body.len()).any(|window| window == body));
    let lines = String::from_utf8_lossy(&out).to_ascii_lowercase();
    assert!(lines.contains("\r\nx: y\r\n"));
    assert!(!lines.contains("transfer-encoding"), "{lines}");
}

// covers: MSRP-4975-7.1-03, MSRP-4975-7.1-04, MSRP-4975-7.1-05, MSRP-4975-7.1-09, MSRP-4975-7.1-10, MSRP-4975-7.1.1-12
#[test]
fn send_with_body_is_written_as_the_grammar_says() {
    let out = write_send(
        &tail(Some(ContentType::TEXT_PLAIN)),
        b"Hi",
        ContinuationFlag::Last,
    );
    let expected = "MSRP a786hjs2 SEND\r\n\
                    To-Path: msrp://bob.example.com:8888/9di4;tcp\r\n\
                    From-Path: msrp://alice.example.com:7777/iau3;tcp\r\n\
                    Message-ID: 87652491\r\n\
                    Byte-Range: 1-*/*\r\n\
                    Content-Type: text/plain\r\n\r\n\
                    Hi\r\n-------a786hjs2$\r\n";
    assert_eq!(text(&out), expected);
}

// covers: MSRP-4975-7.1.1-03, MSRP-4975-7.1-04
#[test]
fn send_with_other_reporting_and_relayed_headers_has_content_type_last() {
    let original = seen::send("X-One: 1\r\nContent-ID: <a>\r\nExpires: 3\r\n", Some(b"x"));
    let mut decoder = Decoder::new(Limits::default());
    let Some(Event::Request(head)) = decoder.decode(&original).unwrap().event else {
        panic!("no request")
    };
    let kept: RelayedHeadersBuf = head.relayed_headers().to_buf();
    for relayed in [head.relayed_headers(), kept.lines()] {
        let mut out = Vec::new();
        let tail = SendTail {
            success_report: SuccessReport::Yes,
            failure_report: FailureReport::Partial,
            relayed,
            ..tail(Some(ContentType::MESSAGE_CPIM))
        };
        encode::send_headers_tail(&mut out, &tail);
        let expected = "Message-ID: 87652491\r\nByte-Range: 1-*/*\r\nSuccess-Report: yes\r\nFailure-Report: partial\r\n\
                        X-One: 1\r\nContent-ID: <a>\r\nContent-Type: message/cpim\r\n\r\n";
        assert_eq!(text(&out), expected);
    }
}

// covers: MSRP-4975-7.1-07, MSRP-4975-7.1-08
#[test]
fn send_without_body_has_no_mime_header_and_no_blank_line() {
    let section = seen::send("Content-ID: <a>\r\n", None);
    let mut decoder = Decoder::new(Limits::default());
    let Some(Event::Request(head)) = decoder.decode(&section).unwrap().event else {
        panic!("no request")
    };
    let tail = SendTail {
        relayed: head.relayed_headers(),
        byte_range: None,
        ..tail(None)
    };
    let out = write_send(&tail, b"", ContinuationFlag::Last);
    assert!(text(&out).ends_with("Message-ID: 87652491\r\n-------a786hjs2$\r\n"));
}

// covers: MSRP-4975-7.2-03, MSRP-4975-7.2-06
#[test]
fn response_is_written_as_the_grammar_says() {
    let mut out = Vec::new();
    encode::response(
        &mut out,
        tid(),
        StatusCode::OK,
        Some("OK\r\nX: y"),
        alice(),
        bob(),
    );
    let expected = "MSRP a786hjs2 200 OK  X: y\r\n\
                    To-Path: msrp://alice.example.com:7777/iau3;tcp\r\n\
                    From-Path: msrp://bob.example.com:8888/9di4;tcp\r\n-------a786hjs2$\r\n";
    assert_eq!(text(&out), expected);
    let mut out = Vec::new();
    let path = MsrpPathBuf::join([alice().as_uri(), bob().as_uri()]).unwrap();
    encode::response(
        &mut out,
        tid(),
        StatusCode::UNKNOWN_METHOD,
        None,
        path,
        bob(),
    );
    assert!(text(&out).starts_with(
        "MSRP a786hjs2 501\r\nTo-Path: msrp://alice.example.com:7777/iau3;tcp msrp://bob.example.com:8888/9di4;tcp\r\n"
    ));
}

// covers: MSRP-4975-7.1.2-01, MSRP-4975-7.1.2-02, MSRP-4975-7.1.2-03, MSRP-4975-7.1.2-05
#[test]
fn report_is_written_as_the_grammar_says() {
    let mut report = Report {
        message_id: message_id(),
        byte_range: ByteRange::parse(b"1-25/25").ok(),
        status: Status::new(StatusCode::OK),
        comment: Some("OK"),
        body: None,
    };
    let mut out = Vec::new();
    encode::report(&mut out, tid(), alice(), bob(), &report);
    let head = "MSRP a786hjs2 REPORT\r\n\
                To-Path: msrp://alice.example.com:7777/iau3;tcp\r\n\
                From-Path: msrp://bob.example.com:8888/9di4;tcp\r\n\
                Message-ID: 87652491\r\nByte-Range: 1-25/25\r\nStatus: 000 200 OK\r\n";
    assert_eq!(text(&out), format!("{head}-------a786hjs2$\r\n"));
    report.body = Some((ContentType::TEXT_PLAIN, b"more"));
    let mut out = Vec::new();
    encode::report(&mut out, tid(), alice(), bob(), &report);
    assert_eq!(
        text(&out),
        format!("{head}Content-Type: text/plain\r\n\r\nmore\r\n-------a786hjs2$\r\n")
    );
    assert_eq!(seen::only_body(&seen::decode(&out)), b"more");
}

#[test]
fn nickname_is_written_in_quotes_and_cannot_end_its_line() {
    let mut out = Vec::new();
    encode::use_nickname(&mut out, "Al \"the\" \\ great\r\nX: y");
    assert_eq!(
        text(&out),
        "Use-Nickname: \"Al \\\"the\\\" \\\\ great  X: y\"\r\n"
    );
}

#[test]
fn end_line_has_both_forms() {
    let line = EndLine::new(tid(), ContinuationFlag::Abort);
    assert_eq!(line.after_headers(), b"-------a786hjs2#\r\n");
    assert_eq!(line.after_body(), b"\r\n-------a786hjs2#\r\n");
    let longest = TransactionId::parse(&[b'x'; 32]).unwrap();
    assert_eq!(
        EndLine::new(longest, ContinuationFlag::More)
            .after_body()
            .len(),
        44
    );
}

fn flag() -> impl Strategy<Value = ContinuationFlag> {
    prop_oneof![
        Just(ContinuationFlag::Last),
        Just(ContinuationFlag::More),
        Just(ContinuationFlag::Abort)
    ]
}

fn byte_range() -> impl Strategy<Value = ByteRange> {
    (
        1..u64::MAX / 4,
        prop::option::of(0..u64::MAX / 4),
        prop::option::of(0..u64::MAX / 4),
    )
        .prop_map(|(start, octets, more)| {
            let end = octets.map(|octets| start - 1 + octets);
            ByteRange {
                start,
                end,
                total: more.map(|more| end.unwrap_or(start) + more),
            }
        })
}

proptest! {
    #[test]
    fn send_round_trips(
        bits in any::<(u128, u128)>(),
        range in prop::option::of(byte_range()),
        body in prop::collection::vec(any::<u8>(), 0..300),
        flag in flag(),
        wants in any::<(bool, bool)>(),
    ) {
        let tid = TransactionId::from_random(bits.0);
        let tail = SendTail {
            message_id: MessageId::from_random(bits.1),
            byte_range: range,
            success_report: if wants.0 { SuccessReport::Yes } else { SuccessReport::No },
            failure_report: if wants.1 { FailureReport::Partial } else { FailureReport::No },
            ..tail(Some(ContentType::MESSAGE_CPIM))
        };
        let mut out = Vec::new();
        encode::start_line(&mut out, tid, &Method::Send);
        encode::paths(&mut out, bob(), alice());
        encode::send_headers_tail(&mut out, &tail);
        out.extend_from_slice(&body);
        encode::body_end(&mut out, tid, flag);

        let mut decoder = Decoder::new(Limits::default());
        {
            let Some(Event::Request(head)) = decoder.decode(&out).unwrap().event else { panic!("no request") };
            prop_assert_eq!(head.transaction_id, tid);
            prop_assert_eq!(head.message_id, Some(tail.message_id));
            prop_assert_eq!(head.byte_range, range);
            prop_assert_eq!((head.success_report, head.failure_report), (tail.success_report, tail.failure_report));
            prop_assert!(head.to_path.first().same_as(&bob().as_uri()));
        }
        let seen = seen::decode(&out);
        prop_assert_eq!(seen.last(), Some(&seen::Seen::End(flag)));
        prop_assert_eq!(seen::only_body(&seen), body);
    }

    #[test]
    fn byte_range_round_trips(range in byte_range()) {
        prop_assert_eq!(ByteRange::parse(range.to_string().as_bytes()), Ok(range));
    }
}

#[test]
fn lines_behind_paths_are_handed_on_without_the_paths() {
    let input =
        b"MSRP a786hjs2 NICKNAME\r\nTo-Path: msrp://a:1/b;tcp\r\nFrom-Path: msrp://c:1/d;tcp\r\n\
                  Use-Nickname: \"x\"\r\nX-Other:  y \r\n-------a786hjs2$\r\n";
    let mut decoder = Decoder::new(Limits::default());
    let step = decoder.decode(input).unwrap();
    let Some(Event::Request(head)) = step.event else {
        panic!("{step:?}");
    };
    let mut out = Vec::new();
    encode::lines_behind_paths(&mut out, head.headers());
    encode::blank_line(&mut out);
    assert_eq!(out, b"Use-Nickname: \"x\"\r\nX-Other: y\r\n\r\n");
}

#[test]
fn text_field_with_control_characters_stays_one_line() {
    let mut out = Vec::new();
    encode::text_field(&mut out, "Expires", "9\r\nX: y");
    assert_eq!(out, b"Expires: 9  X: y\r\n");
}
