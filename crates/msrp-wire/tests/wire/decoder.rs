//! Rules of the decoder, one table each.

use msrp_wire::{
    Body, ContinuationFlag, Decoder, Event, FailureReport, Limits, Method, Place, SuccessReport,
};

use crate::seen::{self, PATHS, Seen};

/// Gives the first event of a text to `check`.
fn with_first<T>(text: &[u8], check: impl FnOnce(Event<'_>) -> T) -> T {
    let mut decoder = Decoder::new(Limits::default());
    check(decoder.decode(text).unwrap().event.unwrap())
}

fn place_of(text: &[u8]) -> Place {
    match seen::decode(text).last() {
        Some(Seen::Closed(malformed)) => malformed.at,
        other => panic!("not closed: {other:?}"),
    }
}

fn rejection_of(text: &[u8]) -> Place {
    with_first(text, |event| match event {
        Event::Rejected(rejected) => rejected.reason.at,
        other => panic!("not rejected: {other:?}"),
    })
}

// covers: MSRP-4975-7.1-08
#[test]
fn request_without_body_ends_directly_behind_its_headers() {
    let seen = seen::decode(&seen::send("", None));
    assert!(matches!(
        seen.as_slice(),
        [Seen::Request(_), Seen::End(ContinuationFlag::Last)]
    ));
}

#[test]
fn request_with_empty_body_is_read_with_and_without_its_own_line_end() {
    for body in ["\r\n", ""] {
        let text = format!(
            "MSRP a786hjs2 SEND\r\n{PATHS}Message-ID: 87652491\r\nContent-Type: text/plain\r\n\r\n{body}-------a786hjs2+\r\n"
        );
        let seen = seen::decode(text.as_bytes());
        assert!(
            matches!(
                seen.as_slice(),
                [Seen::Request(_), Seen::End(ContinuationFlag::More)]
            ),
            "{seen:?}"
        );
    }
}

// covers: MSRP-4975-7.1-11, MSRP-4975-7.1-12, MSRP-4975-7.1-13
#[test]
fn end_line_flag_is_told() {
    for (octet, flag) in [
        ("$", ContinuationFlag::Last),
        ("+", ContinuationFlag::More),
        ("#", ContinuationFlag::Abort),
    ] {
        let text = String::from_utf8(seen::send("", Some(b"x")))
            .unwrap()
            .replace("hjs2$", &format!("hjs2{octet}"));
        for pieces in [vec![text.as_bytes()], text.as_bytes().chunks(1).collect()] {
            assert_eq!(seen::decode_pieces(pieces).last(), Some(&Seen::End(flag)));
        }
    }
}

// covers: MSRP-4975-7.1-09, MSRP-4975-7.1-10
#[test]
fn body_that_looks_like_an_end_line_stays_body() {
    let bodies: [&[u8]; 20] = [
        b"-------",
        b"\r\n-------\r\n--------------\r\n",
        b"\r\n-------a786hjs2\r\n",
        b"\r\n-------a786hjs2*\r\n",
        b"\r\n-------a786hjs2$ \r\n",
        b"\r\n-------a786hjs2$x\r\n",
        b"\r\n-------a786hjs2$\n",
        b"\r\n-------a786hjs2$\r",
        b"\r\n-------a786hjs2$\rx\r\n",
        b"\n-------a786hjs2$\r\n",
        b"\r-------a786hjs2$\r\n",
        b"x-------a786hjs2$\r\n",
        b"\r\n------a786hjs2$\r\n",
        b"\r\n--------a786hjs2$\r\n",
        b"\r\n-------a786hjs3$\r\n",
        b"\r\n-------A786hjs2$\r\n",
        b"\r\n-------a786hjs2$$\r\n",
        b"\r\n\r\n-------a786hjs\r\n-------a786hjs2",
        b"\r\r\r\n\r",
        b"-------a786hjs2$\r",
    ];
    for body in bodies {
        let text = seen::send("", Some(body));
        assert_eq!(seen::only_body(&seen::decode(&text)), body);
        assert_eq!(seen::only_body(&seen::decode_pieces(text.chunks(1))), body);
        for cut in 0..text.len() {
            let (one, two) = text.split_at(cut);
            assert_eq!(
                seen::only_body(&seen::decode_pieces([one, two])),
                body,
                "cut at {cut}"
            );
        }
    }
}

#[test]
fn requests_and_responses_back_to_back_are_told_in_order() {
    let mut text = seen::send("", Some(b"one"));
    text.extend_from_slice(format!("MSRP zz99 200 OK\r\n{PATHS}-------zz99$\r\n").as_bytes());
    text.extend(seen::send("", None));
    let seen = seen::decode(&text);
    assert!(matches!(
        seen.as_slice(),
        [
            Seen::Request(_),
            Seen::Body(_),
            Seen::End(_),
            Seen::Response(_),
            Seen::Request(_),
            Seen::End(_)
        ]
    ));
}

#[test]
fn input_that_is_left_always_gives_an_event() {
    // A caller that stops when its input is empty misses nothing.
    for text in [
        seen::send("", None),
        seen::send("", Some(b"body")),
        seen::send("", Some(b"")),
    ] {
        for size in 1..text.len() {
            let mut decoder = Decoder::new(Limits::default());
            let mut ends = 0;
            for piece in text.chunks(size) {
                let mut rest = piece;
                while !rest.is_empty() {
                    let step = decoder.decode(rest).unwrap();
                    ends += usize::from(matches!(step.event, Some(Event::End(_))));
                    rest = &rest[step.consumed..];
                }
            }
            assert_eq!(ends, 1);
            assert!(decoder.is_between_frames());
        }
    }
}

#[test]
fn body_in_one_input_is_a_range_of_it() {
    for body in [&b"Hey Bob"[..], &[b'x'; 4000]] {
        let text = seen::send("", Some(body));
        // With its end, and without.
        for end_octets in [0, b"\r\n-------a786hjs2$\r\n".len()] {
            let mut decoder = Decoder::new(Limits::default());
            let start = decoder.decode(&text).unwrap().consumed;
            let end = text.len() - end_octets;
            let step = decoder.decode(&text[start..end]).unwrap();
            let Some(Event::Body(Body::Input(range))) = step.event else {
                panic!("no body in the input")
            };
            assert_eq!(&text[start..][range], body);
        }
    }
}

#[test]
fn decoder_between_requests_holds_no_memory() {
    let text = seen::send("", Some(b"Hey Bob"));
    let mut decoder = Decoder::new(Limits::default());
    assert!(decoder.is_between_frames());
    seen::decode_with(&mut decoder, [&text[..20]]);
    assert!(!decoder.is_between_frames());
    seen::decode_with(&mut decoder, [&text[20..]]);
    assert!(decoder.is_between_frames());
    assert!(format!("{decoder:?}").contains("carry_octets: 0"));
}

#[test]
fn memory_is_given_back_only_when_nothing_is_kept_in_it() {
    let text = seen::send("Success-Report: yes\r\n", Some(b"Hey Bob"));
    let whole = seen::decode(&text);
    for cut in 1..text.len() {
        let mut decoder = Decoder::new(Limits::default());
        let mut seen = seen::decode_with(&mut decoder, [&text[..cut]]);
        decoder.release();
        for event in seen::decode_with(&mut decoder, [&text[cut..]]) {
            match (seen.last_mut(), event) {
                (Some(Seen::Body(body)), Seen::Body(more)) => body.extend(more),
                (_, event) => seen.push(event),
            }
        }
        assert_eq!(seen, whole, "cut at {cut}");
    }
}

#[test]
fn lines_that_are_relayed_can_be_kept_and_sorted_out() {
    let lines = "X-One: 1\r\nContent-Disposition: inline\r\nX-Two:  2 \r\n";
    with_first(&seen::send(lines, Some(b"x")), |event| {
        let Event::Request(head) = event else {
            panic!("{event:?}")
        };
        let all = head.relayed_headers().to_buf();
        let names = |buf: &msrp_wire::RelayedHeadersBuf| -> Vec<String> {
            let text = |line: msrp_wire::HeaderLine<'_>| {
                format!("{}={}", line.name.escape_ascii(), line.value.escape_ascii())
            };
            buf.lines().map(text).collect()
        };
        assert_eq!(
            names(&all),
            ["X-One=1", "Content-Disposition=inline", "X-Two=2"]
        );
        let some = all.filtered(|line| line.name != b"X-One");
        assert_eq!(names(&some), ["Content-Disposition=inline", "X-Two=2"]);
        assert!(!all.is_empty() && !some.is_empty());
        assert!(all.filtered(|_| false).is_empty());
    });
}

#[test]
fn header_whose_name_begins_like_a_known_one_is_another() {
    let lines = "Success-Reports: yes\r\nFailure-Report2: no\r\nTo-PathX: y\r\n";
    with_first(&seen::send(lines, None), |event| {
        let Event::Request(head) = event else {
            panic!("{event:?}")
        };
        assert_eq!(head.success_report, SuccessReport::No);
        assert_eq!(head.failure_report, FailureReport::Yes);
        assert_eq!(head.headers().value("To-PathX"), Some(&b"y"[..]));
    });
}

// covers: MSRP-4975-7.1.1-09, MSRP-4975-7.1.1-10
#[test]
fn request_head_has_every_field() {
    let lines = "Byte-Range: 1-*/*\r\nSuccess-Report: yes\r\nFailure-Report: partial\r\nUse-Nickname: \"A\"\r\n";
    with_first(&seen::send(lines, Some(b"x")), |event| {
        let Event::Request(head) = event else {
            panic!("{event:?}")
        };
        assert_eq!(head.method, Method::Send);
        assert_eq!(head.transaction_id.as_str(), "a786hjs2");
        assert_eq!(head.to_path.raw(), b"msrp://bob.example.com:8888/9di4;tcp");
        assert_eq!(
            head.from_path.first().session_id(),
            Some(b"iau3".as_slice())
        );
        assert_eq!(head.byte_range.unwrap().to_string(), "1-*/*");
        assert_eq!(
            (head.success_report, head.failure_report),
            (SuccessReport::Yes, FailureReport::Partial)
        );
        assert_eq!(head.use_nickname, Some(b"\"A\"".as_slice()));
        assert_eq!(head.content_type, Some(b"text/plain".as_slice()));
        assert!(head.has_body);
    });
    with_first(&seen::send("", None), |event| {
        let Event::Request(head) = event else {
            panic!("{event:?}")
        };
        assert_eq!(
            (head.success_report, head.failure_report),
            (SuccessReport::No, FailureReport::Yes)
        );
        assert!(!head.has_body && head.content_type.is_none());
    });
}

// covers: MSRP-4975-12-01, MSRP-4975-7.1.1-29
#[test]
fn unknown_headers_are_ignored_and_relayed() {
    let lines = "X-One: 1\r\nContent-Disposition: inline\r\nAuthorization: secret\r\nx-two:\r\nExpires: 3\r\n";
    with_first(&seen::send(lines, Some(b"x")), |event| {
        let Event::Request(head) = event else {
            panic!("{event:?}")
        };
        let relayed: Vec<_> = head
            .relayed_headers()
            .map(|line| (line.name, line.value))
            .collect();
        let expected: [(&[u8], &[u8]); 3] = [
            (b"X-One", b"1"),
            (b"Content-Disposition", b"inline"),
            (b"x-two", b""),
        ];
        assert_eq!(relayed, expected);
        assert_eq!(head.headers().count(), 9);
        assert_eq!(head.headers().value("x-ONE"), Some(b"1".as_slice()));
        assert_eq!(head.relayed_headers().to_buf().lines().count(), 3);
    });
    let text = format!("MSRP zz99 200 OK\r\n{PATHS}Message-ID: !!\r\nX-One: 1\r\n-------zz99$\r\n");
    with_first(text.as_bytes(), |event| {
        assert!(matches!(event, Event::Response(_)), "{event:?}")
    });
}

#[test]
fn headers_in_odd_spelling_and_order_are_read() {
    let text = "MSRP a786hjs2 SEND \r\ncontent-TYPE:text/plain  \r\nMESSAGE-id:\t87652491\t\r\n\
                FROM-PATH:   msrp://alice.example.com:7777/iau3;tcp\r\n\
                to-path: msrp://a.example.com:1/x;tcp  \tmsrp://bob.example.com:8888/9di4;tcp \r\n\r\nx\r\n-------a786hjs2$\r\n";
    with_first(text.as_bytes(), |event| {
        let Event::Request(head) = event else {
            panic!("{event:?}")
        };
        assert_eq!(head.to_path.len(), 2);
        assert_eq!(head.message_id.unwrap().as_str(), "87652491");
        assert_eq!(head.content_type, Some(b"text/plain".as_slice()));
    });
}

#[test]
fn illegal_header_section_with_clear_borders_is_rejected() {
    let cases = [
        ("X\r\n", Place::HeaderLine),
        (": x\r\n", Place::HeaderLine),
        ("X Y: z\r\n", Place::HeaderLine),
        (" folded\r\n", Place::HeaderLine),
        ("X: a\u{1}\r\n", Place::HeaderValue),
        (
            "To-Path: msrp://bob.example.com:8888/9di4;tcp\r\n",
            Place::Duplicate,
        ),
        (
            "from-path: msrp://bob.example.com:8888/9di4;tcp\r\n",
            Place::Duplicate,
        ),
        ("Message-ID: 87652491\r\n", Place::Duplicate),
        (
            "Byte-Range: 1-*/*\r\nByte-Range: 1-*/*\r\n",
            Place::Duplicate,
        ),
        ("Byte-Range: 0-1/2\r\n", Place::ByteRange),
        ("Byte-Range: 1-99999999999999999999/*\r\n", Place::ByteRange),
        ("Status: 200\r\n", Place::Status),
    ];
    for (lines, place) in cases {
        for body in [None, Some(b"body".as_slice())] {
            let text = seen::send(lines, body);
            let mut whole = text.clone();
            whole.extend(seen::send("", None));
            let seen = seen::decode(&whole);
            assert!(
                matches!(
                    seen.as_slice(),
                    [Seen::Rejected(_), Seen::Request(_), Seen::End(_)]
                ),
                "{lines} {seen:?}"
            );
            assert_eq!(rejection_of(&text), place, "{lines}");
        }
    }
}

#[test]
fn request_that_lacks_a_header_is_rejected() {
    let to = "To-Path: msrp://bob.example.com:8888/9di4;tcp\r\n";
    let from = "From-Path: msrp://alice.example.com:7777/iau3;tcp\r\n";
    let id = "Message-ID: 87652491\r\n";
    let cases = [
        (format!("{from}{id}"), Place::ToPathMissing),
        (format!("{to}{id}"), Place::FromPathMissing),
        (format!("{to}{from}"), Place::MessageIdMissing),
        (format!("To-Path: \r\n{from}{id}"), Place::PathLength),
        (format!("To-Path: sip:bob@x\r\n{from}{id}"), Place::ToPath),
        (format!("{to}From-Path: msrp://x\r\n{id}"), Place::FromPath),
        (format!("{to}{from}Message-ID: abc\r\n"), Place::MessageId),
    ];
    for (headers, place) in cases {
        let text = format!("MSRP a786hjs2 SEND\r\n{headers}-------a786hjs2$\r\n");
        assert_eq!(rejection_of(text.as_bytes()), place, "{headers}");
    }
}

#[test]
fn rejected_request_keeps_what_its_answer_needs() {
    let text = seen::send("Failure-Report: no\r\nByte-Range: x\r\n", Some(b"body"));
    with_first(&text, |event| {
        let Event::Rejected(rejected) = event else {
            panic!("{event:?}")
        };
        assert_eq!(rejected.method, Method::Send);
        assert_eq!(rejected.transaction_id.as_str(), "a786hjs2");
        assert_eq!(
            rejected.from_path.unwrap().raw(),
            b"msrp://alice.example.com:7777/iau3;tcp"
        );
        assert_eq!(
            rejected.to_path.unwrap().raw(),
            b"msrp://bob.example.com:8888/9di4;tcp"
        );
        assert_eq!(rejected.failure_report, Some(FailureReport::No));
        let line = b"Byte-Range: x";
        let offset = text.windows(line.len()).position(|w| w == line).unwrap();
        assert_eq!(rejected.reason.offset as usize, offset);
    });
}

#[test]
fn response_without_legal_paths_still_answers_its_transaction() {
    with_first(b"MSRP zz99 200 OK\r\nX: y\r\n-------zz99$\r\n", |event| {
        let Event::Response(head) = event else {
            panic!("{event:?}")
        };
        assert_eq!(head.transaction_id.as_bytes(), b"zz99");
        assert!(head.to_path().is_none() && head.from_path().is_none());
    });
}

#[test]
fn response_has_its_fields_and_a_body_is_skipped() {
    for (start, comment) in [
        ("200 OK then", Some("OK then")),
        ("200", None),
        ("200 ", None),
        ("200 a\u{1}", None),
    ] {
        for body in ["", "\r\nbody\r\n-------zz9$\r\n\r\n"] {
            let text = format!("MSRP zz99 {start}\r\n{PATHS}{body}-------zz99$\r\n");
            with_first(text.as_bytes(), |event| {
                let Event::Response(head) = event else {
                    panic!("{event:?}")
                };
                assert_eq!(head.status.value(), 200);
                assert_eq!(head.comment, comment.map(str::as_bytes));
                assert_eq!(head.to_path().unwrap().len(), 1);
                assert_eq!(head.headers().value("From-Path").unwrap().len(), 38);
            });
            assert_eq!(seen::decode_pieces(text.as_bytes().chunks(1)).len(), 1);
        }
    }
}

#[test]
fn request_of_unknown_method_is_told_with_its_name() {
    let text = format!("MSRP zz99 FOO\r\n{PATHS}-------zz99$\r\n");
    with_first(text.as_bytes(), |event| {
        let Event::Request(head) = event else {
            panic!("{event:?}")
        };
        assert_eq!(head.method.as_str(), "FOO");
    });
}

#[test]
fn input_that_is_not_msrp_closes() {
    let cases: [(&[u8], Place); 22] = [
        (b"\x16\x03\x01", Place::Protocol),
        (b"GET / HTTP/1.1\r\n", Place::Protocol),
        (b"msrp abcd SEND\r\n", Place::Protocol),
        (b"\r\n", Place::Protocol),
        (b"MSRX", Place::Protocol),
        (b"MSRP  abcd SEND\r\n", Place::TransactionId),
        (b"MSRP abcd\r\n", Place::StartLine),
        (b"MSRP abc SEND\r\n", Place::TransactionId),
        (b"MSRP abc_d SEND\r\n", Place::TransactionId),
        (
            b"MSRP 123456789012345678901234567890123 SEND\r\n",
            Place::TransactionId,
        ),
        (b"MSRP abcd send\r\n", Place::Method),
        (b"MSRP abcd \r\n", Place::Method),
        (b"MSRP abcd SEND X\r\n", Place::Method),
        (b"MSRP abcd 20\r\n", Place::StatusCode),
        (b"MSRP abcd 2000\r\n", Place::StatusCode),
        (b"MSRP abcd SEND\n", Place::LineEnd),
        (b"MSRP abcd SEND\rX", Place::LineEnd),
        (b"MSRP abcd SEND\r\nX: y\n", Place::LineEnd),
        (b"MSRP abcd SEND\r\nX: y\0\r\n", Place::Nul),
        (b"MSRP abcd SEND\r\n-------abce$\r\n", Place::EndLine),
        (b"MSRP abcd SEND\r\n-------abcd*\r\n", Place::EndLine),
        (b"MSRP abcd SEND\r\n-------abcd$ \r\n", Place::EndLine),
    ];
    for (text, place) in cases {
        assert_eq!(place_of(text), place, "{}", text.escape_ascii());
    }
}

#[test]
fn decoder_after_an_error_stays_closed() {
    let mut decoder = Decoder::new(Limits::default());
    let malformed = decoder.decode(b"GET").unwrap_err();
    assert_eq!(
        decoder.decode(&seen::send("", None)).unwrap_err(),
        malformed
    );
    assert!(!decoder.is_between_frames());
    assert_eq!(
        malformed.to_string(),
        "a start line must begin with `MSRP` and a space (at octet 0)"
    );
}

#[test]
fn request_before_an_error_is_delivered() {
    let mut text = seen::send("", Some(b"x"));
    text.extend_from_slice(b"garbage");
    let seen = seen::decode(&text);
    assert!(matches!(
        seen.as_slice(),
        [
            Seen::Request(_),
            Seen::Body(_),
            Seen::End(_),
            Seen::Closed(_)
        ]
    ));
}

#[test]
fn header_section_beyond_a_limit_closes_wherever_it_is_cut() {
    let limits = Limits {
        head_octets_max: 300,
        header_lines_max: 4,
    };
    let long = seen::send(&format!("X: {}\r\n", "y".repeat(300)), None);
    let many = seen::send("X: 1\r\nX: 2\r\n", None);
    for (text, place) in [(long, Place::HeadTooLong), (many, Place::TooManyHeaders)] {
        for size in [1, 7, 100, text.len()] {
            let mut decoder = Decoder::new(limits);
            let seen = seen::decode_with(&mut decoder, text.chunks(size));
            let Some(Seen::Closed(malformed)) = seen.first() else {
                panic!("{seen:?}")
            };
            assert_eq!(malformed.at, place);
        }
    }
}

// covers: MSRP-4975-14.5-01, MSRP-4975-7.3.1-01
#[test]
fn byte_range_that_announces_too_much_costs_nothing() {
    let text = seen::send(
        "Byte-Range: 1-18446744073709551615/18446744073709551615\r\n",
        Some(b"four"),
    );
    assert_eq!(seen::only_body(&seen::decode(&text)), b"four");
}

#[test]
fn decoder_is_small() {
    // 100,000 idle connections cost this many octets each.
    assert!(size_of::<Decoder>() <= 256, "{}", size_of::<Decoder>());
}
