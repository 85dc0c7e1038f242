//! One table for each header field: what is legal, what is tolerated, what is refused, and how.
//!
//! A header section that is not legal is answered with 400 and the connection lives on; one whose borders are lost
//! closes the connection. A flag that is not known counts as absent.

use msrp_wire::limits::{HEAD_OCTETS_MAX, HEADER_LINES_MAX, PATH_URIS_MAX, URI_OCTETS_MAX};
use msrp_wire::{
    ContentType, Decoder, Event, FailureReport, Limits, Place, RequestHead, SuccessReport,
};

/// What becomes of a request.
#[derive(Debug, PartialEq)]
enum Fate {
    /// It is read; the text is what the table looks at.
    Read(String),
    /// 400 for this request.
    Status400(Place),
    /// The connection closes.
    Closes(Place),
}

use Fate::{Closes, Status400};

fn read(text: impl Into<String>) -> Fate {
    Fate::Read(text.into())
}

const TO: &str = "To-Path: msrp://bob.example.com:8888/9di4;tcp";
const FROM: &str = "From-Path: msrp://alice.example.com:7777/iau3;tcp";
const ID: &str = "Message-ID: 87652491";
const START: &str = "MSRP a786hjs2 SEND";
const END: &str = "-------a786hjs2$";

/// Reads a request of these lines, and what follows it.
fn fate(lines: &[&str], look: fn(&RequestHead<'_>) -> String) -> Fate {
    let text = lines.join("\r\n") + "\r\n";
    let mut decoder = Decoder::new(Limits::default());
    match decoder.decode(text.as_bytes()) {
        Err(malformed) => Closes(malformed.at),
        Ok(step) => match step.event.unwrap() {
            Event::Request(head) => Fate::Read(look(&head)),
            Event::Rejected(rejected) => {
                assert!(rejected.from_path.is_some() || lines.iter().all(|line| *line != FROM));
                let at = rejected.reason.at;
                let mut after = Decoder::new(Limits::default());
                let again = [text.as_bytes(), text.as_bytes()].concat();
                let consumed = after.decode(&again).unwrap().consumed;
                assert_eq!(consumed, text.len(), "the connection lives on behind it");
                Status400(at)
            }
            other => panic!("{other:?}"),
        },
    }
}

/// A SEND with one header line among the others.
fn with(line: &str, look: fn(&RequestHead<'_>) -> String) -> Fate {
    fate(&[START, TO, FROM, ID, line, END], look)
}

fn check(cases: &[(&str, Fate)], run: impl Fn(&str) -> Fate) {
    for (text, expected) in cases {
        assert_eq!(&run(text), expected, "{text:?}");
    }
}

#[test]
fn start_line_in_each_form_has_its_fate() {
    let look = |head: &RequestHead<'_>| format!("{} {}", head.transaction_id, head.method);
    let id32 = "a".repeat(32);
    let id33 = "a".repeat(33);
    let method32 = "M".repeat(32);
    let run = |start: &str| {
        let id = start.split(' ').nth(1).unwrap_or_default();
        fate(&[start, TO, FROM, ID, &format!("-------{id}$")], look)
    };
    check(
        &[
            ("MSRP abcd SEND", read("abcd SEND")),
            ("MSRP a.-+%=Z SEND", read("a.-+%=Z SEND")),
            ("MSRP abcd REPORT", read("abcd REPORT")),
            ("MSRP abcd NICKNAME", read("abcd NICKNAME")),
            ("MSRP abcd X", read("abcd X")),
            // Tolerated: blanks at the end.
            ("MSRP abcd SEND \t", read("abcd SEND")),
            ("MSRP abc SEND", Closes(Place::TransactionId)),
            ("MSRP -abc SEND", Closes(Place::TransactionId)),
            ("MSRP ab_c SEND", Closes(Place::TransactionId)),
            ("MSRP  abcd SEND", Closes(Place::TransactionId)),
            ("MSRP\tabcd SEND", Closes(Place::Protocol)),
            ("msrp abcd SEND", Closes(Place::Protocol)),
            ("MSRP abcd Send", Closes(Place::Method)),
            ("MSRP abcd SEND x", Closes(Place::Method)),
            ("MSRP abcd", Closes(Place::StartLine)),
        ],
        run,
    );
    assert_eq!(
        run(&format!("MSRP {id32} SEND")),
        read(format!("{id32} SEND"))
    );
    assert_eq!(
        run(&format!("MSRP {id33} SEND")),
        Closes(Place::TransactionId)
    );
    assert_eq!(
        run(&format!("MSRP abcd {method32}")),
        read(format!("abcd {method32}"))
    );
    assert_eq!(
        run(&format!("MSRP abcd {method32}M")),
        Closes(Place::Method)
    );
}

#[test]
fn path_in_each_form_has_its_fate() {
    let cases = [
        ("msrp://h:1/x;tcp", read("1 msrp://h:1/x;tcp")),
        ("msrps://h/x;ws", read("1 msrps://h/x;ws")),
        (
            "msrp://h:1/x;tcp msrps://[2001:db8::1]:2/y;tcp",
            read("2 msrps://[2001:db8::1]:2/y;tcp"),
        ),
        (
            "msrp://[::ffff:10.0.0.1]:2/y;tcp",
            read("1 msrp://[::ffff:10.0.0.1]:2/y;tcp"),
        ),
        ("msrp://u@h:1/x;tcp;p=v", read("1 msrp://u@h:1/x;tcp;p=v")),
        ("msrps://h;tcp", read("1 msrps://h;tcp")),
        // Tolerated: spacing, case, an empty port, other characters of a URI path in the session-id.
        (
            " \tmsrp://h:1/x;tcp \t msrp://h:2/y;tcp ",
            read("2 msrp://h:2/y;tcp"),
        ),
        ("MSRP://H:1/x;TCP", read("1 MSRP://H:1/x;TCP")),
        ("msrp://h:/x;tcp", read("1 msrp://h:/x;tcp")),
        (
            "msrp://h:00001/a@b:c/d;tcp",
            read("1 msrp://h:00001/a@b:c/d;tcp"),
        ),
        ("", Status400(Place::PathLength)),
        ("<msrp://h:1/x;tcp>", Status400(Place::ToPath)),
        (
            "msrp://h:1/x;tcp,msrp://h:2/y;tcp",
            Status400(Place::ToPath),
        ),
        ("msrp://h:1/x", Status400(Place::ToPath)),
        ("msrp://h:1/;tcp", Status400(Place::ToPath)),
        ("msrp://h:65536/x;tcp", Status400(Place::ToPath)),
        ("msrp://[2001:db8::1/x;tcp", Status400(Place::ToPath)),
        ("msrp://2001:db8::1/x;tcp", Status400(Place::ToPath)),
        ("sip:alice@h", Status400(Place::ToPath)),
        ("msrp://h:1/x;tcp sip:alice@h", Status400(Place::ToPath)),
        ("msrp://h:1/\u{e9};tcp", Status400(Place::ToPath)),
    ];
    let look = |head: &RequestHead<'_>| format!("{} {}", head.to_path.len(), head.to_path.last());
    for name in ["To-Path: ", "to-path:", "TO-PATH:\t  "] {
        check(&cases, |value| {
            fate(&[START, FROM, ID, &format!("{name}{value}"), END], look)
        });
    }
    let look =
        |head: &RequestHead<'_>| format!("{} {}", head.from_path.len(), head.from_path.last());
    check(&cases, |value| {
        match fate(&[START, TO, &format!("From-Path:{value}"), ID, END], look) {
            Status400(Place::FromPath) => Status400(Place::ToPath),
            other => other,
        }
    });
}

#[test]
fn path_beyond_a_limit_is_400() {
    let look = |head: &RequestHead<'_>| head.to_path.len().to_string();
    let uris = |count| {
        format!(
            "To-Path: {}",
            ["msrp://h:1/x;tcp"; PATH_URIS_MAX + 1][..count].join(" ")
        )
    };
    let run = |line: &str| fate(&[START, line, FROM, ID, END], look);
    assert_eq!(run(&uris(PATH_URIS_MAX)), read("16"));
    assert_eq!(run(&uris(PATH_URIS_MAX + 1)), Status400(Place::PathLength));
    let long = |octets: usize| {
        let rest = octets - "msrp://h:1/;tcp".len();
        format!("To-Path: msrp://h:1/{};tcp", "x".repeat(rest))
    };
    assert_eq!(run(&long(URI_OCTETS_MAX)), read("1"));
    assert_eq!(run(&long(URI_OCTETS_MAX + 1)), Status400(Place::ToPath));
    assert_eq!(run(&long(HEAD_OCTETS_MAX)), Closes(Place::HeadTooLong));
}

#[test]
fn message_id_in_each_form_has_its_fate() {
    let look = |head: &RequestHead<'_>| head.message_id.unwrap().to_string();
    let long = format!("Message-ID: {}", "a".repeat(32));
    let longer = format!("Message-ID: {}", "a".repeat(33));
    check(
        &[
            ("Message-ID: 8765", read("8765")),
            ("Message-ID: a.b-c+d%e=", read("a.b-c+d%e=")),
            (&long, read("a".repeat(32))),
            ("MESSAGE-ID:\t8765  ", read("8765")),
            ("Message-ID: 876", Status400(Place::MessageId)),
            (&longer, Status400(Place::MessageId)),
            ("Message-ID: <8765@h>", Status400(Place::MessageId)),
            ("Message-ID: 87 65", Status400(Place::MessageId)),
            ("Message-ID:", Status400(Place::MessageId)),
            ("X: y", Status400(Place::MessageIdMissing)),
        ],
        |line| fate(&[START, TO, FROM, line, END], look),
    );
}

#[test]
fn byte_range_in_each_form_has_its_fate() {
    let look = |head: &RequestHead<'_>| match head.byte_range {
        Some(range) => range.to_string(),
        None => "absent".to_owned(),
    };
    check(
        &[
            ("X: y", read("absent")),
            ("Byte-Range: 1-16/16", read("1-16/16")),
            ("Byte-Range: 1-*/16", read("1-*/16")),
            ("Byte-Range: 17-32/*", read("17-32/*")),
            ("Byte-Range: 1-*/*", read("1-*/*")),
            ("Byte-Range: 1-0/0", read("1-0/0")),
            ("Byte-Range: 17-16/16", read("17-16/16")),
            ("Byte-Range: 17-*/16", read("17-*/16")),
            // Tolerated: spacing at the ends, case, leading zeros.
            ("byte-range:  001-016/016\t", read("1-16/16")),
            ("Byte-Range: 0-16/16", Status400(Place::ByteRange)),
            ("Byte-Range: 18-16/16", Status400(Place::ByteRange)),
            ("Byte-Range: 18-*/16", Status400(Place::ByteRange)),
            ("Byte-Range: 1-17/16", Status400(Place::ByteRange)),
            ("Byte-Range: 1 - 16/16", Status400(Place::ByteRange)),
            ("Byte-Range: 1-16 / 16", Status400(Place::ByteRange)),
            ("Byte-Range: 1-16", Status400(Place::ByteRange)),
            ("Byte-Range: */*", Status400(Place::ByteRange)),
            ("Byte-Range: bytes 1-16/16", Status400(Place::ByteRange)),
            ("Byte-Range: -1-16/16", Status400(Place::ByteRange)),
            ("Byte-Range: 1-**/16", Status400(Place::ByteRange)),
            ("Byte-Range: 1-16/16x", Status400(Place::ByteRange)),
            (
                "Byte-Range: 1-18446744073709551616/*",
                Status400(Place::ByteRange),
            ),
            ("Byte-Range:", Status400(Place::ByteRange)),
        ],
        |line| with(line, look),
    );
}

#[test]
fn report_flags_in_each_form_have_their_meaning() {
    use {FailureReport as F, SuccessReport as S};
    let cases = [
        ("X: y", S::No, F::Yes),
        ("Success-Report: yes", S::Yes, F::Yes),
        ("success-report:YES ", S::Yes, F::Yes),
        ("Success-Report: no", S::No, F::Yes),
        ("Success-Report: maybe", S::No, F::Yes),
        ("Success-Report:", S::No, F::Yes),
        ("Success-Report: yes\r\nSuccess-Report: no", S::Yes, F::Yes),
        ("Failure-Report: yes", S::No, F::Yes),
        ("Failure-Report: no", S::No, F::No),
        ("FAILURE-REPORT:\tNo\t", S::No, F::No),
        ("Failure-Report: Partial", S::No, F::Partial),
        // An unknown value counts as absent, so that nothing is lost in silence.
        ("Failure-Report: never", S::No, F::Yes),
        ("Failure-Report:", S::No, F::Yes),
        ("Failure-Report: no\r\nFailure-Report: yes", S::No, F::No),
    ];
    let look =
        |head: &RequestHead<'_>| format!("{:?} {:?}", head.success_report, head.failure_report);
    for (line, success, failure) in cases {
        assert_eq!(
            with(line, look),
            read(format!("{success:?} {failure:?}")),
            "{line:?}"
        );
    }
}

#[test]
fn status_in_each_form_has_its_fate() {
    let look = |head: &RequestHead<'_>| {
        let status = head.status.unwrap();
        format!("{:03} {}", status.namespace, status.code)
    };
    check(
        &[
            ("Status: 000 200 OK", read("000 200")),
            ("Status: 000 413", read("000 413")),
            ("Status: 999 999 a b  c", read("999 999")),
            // Tolerated: spacing, case.
            ("STATUS:000  200\tOK ", read("000 200")),
            ("Status: 000\t200", read("000 200")),
            ("Status: 200 OK", Status400(Place::Status)),
            ("Status: 0 200 OK", Status400(Place::Status)),
            ("Status: 000 2000", Status400(Place::Status)),
            ("Status: 000 200OK", Status400(Place::Status)),
            ("Status: 000", Status400(Place::Status)),
            ("Status:", Status400(Place::Status)),
        ],
        |line| with(line, look),
    );
}

#[test]
fn content_type_in_each_form_has_its_fate() {
    let look = |head: &RequestHead<'_>| {
        let raw = head.content_type.unwrap_or(b"absent");
        match ContentType::parse(raw) {
            Ok(_) => String::from_utf8_lossy(raw).into_owned(),
            Err(_) => "415".to_owned(),
        }
    };
    let run = |line: &str| fate(&[START, TO, FROM, ID, line, "", "body", END], look);
    check(
        &[
            ("Content-Type: message/cpim", read("message/cpim")),
            (
                "content-type:Message/CPIM;charset=utf-8 ",
                read("Message/CPIM;charset=utf-8"),
            ),
            ("Content-Type: a/b ; c=\"d e\"", read("a/b ; c=\"d e\"")),
            // Not the reader's to refuse: whoever takes the body answers 415.
            ("X: y", read("415")),
            ("Content-Type:", read("415")),
            ("Content-Type: text", read("415")),
            ("Content-Type: text/", read("415")),
            (
                "Content-Type: text/plain\u{7f}",
                Status400(Place::HeaderValue),
            ),
        ],
        run,
    );
}

#[test]
fn other_header_line_in_each_form_has_its_fate() {
    let look = |head: &RequestHead<'_>| {
        let line = head.headers().nth(3).unwrap();
        format!("{}={}", line.name.escape_ascii(), line.value.escape_ascii())
    };
    check(
        &[
            ("X-Y: z", read("X-Y=z")),
            ("x!#$%&'*+-.^_`{|}~1:z", read("x!#$%&\\'*+-.^_`{|}~1=z")),
            ("X:", read("X=")),
            ("X: : ", read("X=:")),
            ("X:\ta\tb ", read("X=a\\tb")),
            ("X: \u{e9}", read("X=\\xc3\\xa9")),
            ("X y: z", Status400(Place::HeaderLine)),
            ("X : z", Status400(Place::HeaderLine)),
            ("1X: z", Status400(Place::HeaderLine)),
            (": z", Status400(Place::HeaderLine)),
            ("X", Status400(Place::HeaderLine)),
            (" folded", Status400(Place::HeaderLine)),
            ("\u{e9}: z", Status400(Place::HeaderLine)),
            ("X: \u{1}", Status400(Place::HeaderValue)),
            ("X: \0", Closes(Place::Nul)),
            ("X: a\nb", Closes(Place::LineEnd)),
            ("X: a\rb", Closes(Place::LineEnd)),
        ],
        |line| with(line, look),
    );
    let many = |count| vec!["X: y"; count];
    let run = |lines: &[&str]| {
        let all = [&[START, TO, FROM, ID], lines, &[END]].concat();
        fate(&all, |head| head.headers().count().to_string())
    };
    assert_eq!(run(&many(HEADER_LINES_MAX - 3)), read("64"));
    assert_eq!(
        run(&many(HEADER_LINES_MAX - 2)),
        Closes(Place::TooManyHeaders)
    );
}

#[test]
fn response_in_each_form_has_its_fate() {
    let long = format!("MSRP abcd 200 {}", "x".repeat(1000));
    let cases = [
        ("MSRP abcd 200", Ok((200, ""))),
        ("MSRP abcd 200 OK", Ok((200, "OK"))),
        (
            "MSRP abcd 481 No such session",
            Ok((481, "No such session")),
        ),
        ("MSRP abcd 999 \u{e9}", Ok((999, "\u{e9}"))),
        // Tolerated: spacing; control characters make the comment unreadable, not the answer.
        ("MSRP abcd 200  \t", Ok((200, ""))),
        ("MSRP abcd 200   OK\t", Ok((200, "OK"))),
        ("MSRP abcd 200 a\u{1}", Ok((200, ""))),
        (&long, Ok((200, &long[14..]))),
        ("MSRP abcd 20", Err(Place::StatusCode)),
        ("MSRP abcd 2000", Err(Place::StatusCode)),
        ("MSRP abcd 200OK", Err(Place::StatusCode)),
        ("MSRP abcd 200\tOK", Err(Place::StatusCode)),
        ("MSRP abcd  200", Err(Place::Method)),
        ("MSRP abc 200", Err(Place::TransactionId)),
    ];
    for (start, expected) in cases {
        for lines in ["", "X\r\n", "To-Path: nonsense\r\nTo-Path: nonsense\r\n"] {
            let text = format!("{start}\r\n{lines}-------abcd$\r\n");
            let mut decoder = Decoder::new(Limits::default());
            let seen = match decoder.decode(text.as_bytes()) {
                Err(malformed) => Err(malformed.at),
                Ok(step) => match step.event {
                    Some(Event::Response(head)) => {
                        let comment = head.comment.unwrap_or_default();
                        Ok((
                            head.status.value(),
                            String::from_utf8_lossy(comment).into_owned(),
                        ))
                    }
                    other => panic!("{other:?}"),
                },
            };
            assert_eq!(
                seen,
                expected.map(|(code, text)| (code, text.to_owned())),
                "{start:?}"
            );
        }
    }
}
