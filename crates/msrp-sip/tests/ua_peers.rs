//! Peers that write octets of their own: unreadable, cut, repeated, silent.

#[path = "ua_support/support.rs"]
mod support;

use std::time::Duration;

use msrp_sip::ua::{Body, DialogEnd, Headers, Method, Origin, SipUa, Transport, UaEvent};
use msrp_sip::ua_rsipstack::{Ua, start};
use support::*;

const TRANSPORTS: [Transport; 2] = [Transport::Udp, Transport::Tcp];

/// The peer is still served.
async fn assert_served(ua: &mut Ua, raw: &mut Raw, branch: &str) {
    let options = raw.request("OPTIONS", branch, "", "", "");
    raw.send(&options).await;
    let (transaction, ..) = requested(ua).await;
    ua.handle.answer(transaction, answer(200));
    let head = raw.receive_final().await;
    assert!(head.starts_with("SIP/2.0 200 OK\r\n"), "{head}");
    assert!(field(&head, "Via").contains(branch), "{head}");
}

#[tokio::test]
async fn request_with_a_fault_is_answered_and_its_connection_kept() {
    for transport in TRANSPORTS {
        let mut ua = ua(transport).await;
        let mut raw = Raw::new(&ua).await;
        let good = raw.request("MESSAGE", "f", "", "", "hello");
        let local = raw.local().to_string();
        for (n, (old, new, status)) in [
            ("MESSAGE", "FROBNICATE", "501 Not Implemented"),
            ("MESSAGE", "message", "501 Not Implemented"),
            (";tag=raw", "", "400 Missing From Tag"),
            (
                "CSeq: 1 MESSAGE",
                "CSeq: 1 INFO",
                "400 CSeq Method Does Not Match",
            ),
            (
                "CSeq: 1 MESSAGE",
                "CSeq: 4294967296 MESSAGE",
                "400 Bad CSeq",
            ),
            (
                "sip:b@test.invalid SIP/2.0",
                "sip: SIP/2.0",
                "400 Bad Request-URI",
            ),
            (
                "SIP/2.0\r\nVia",
                "SIP/7.0\r\nVia",
                "505 Version Not Supported",
            ),
            (
                "Max-Forwards: 70",
                "nonsense",
                "400 Header Field Without Colon",
            ),
            ("To: <sip:b@test.invalid>", "To: <sip:b", "400 Bad To"),
            (
                "Max-Forwards",
                "From: <sip:x@y>;tag=2\r\nMax-Forwards",
                "400 Several From",
            ),
        ]
        .into_iter()
        .enumerate()
        {
            raw.send(&good.replace(old, new)).await;
            let (head, _) = raw.receive().await;
            assert!(
                head.starts_with(&format!("SIP/2.0 {status}\r\n")),
                "{new}: {head}"
            );
            assert!(field(&head, "Via").contains(&local), "{head}");
            assert_eq!(field(&head, "Server"), "test-ua/1");
            assert!(head.contains("To: ") && head.contains(";tag="), "{head}");
            assert_served(&mut ua, &mut raw, &format!("good{n}")).await;
        }
    }
}

#[tokio::test]
async fn message_that_cannot_be_answered_is_dropped_without_harm() {
    for transport in TRANSPORTS {
        let mut ua = ua(transport).await;
        let mut raw = Raw::new(&ua).await;
        let good = raw.request("MESSAGE", "f", "", "", "hello");
        for (old, new) in [
            ("Via", "X-Via"),
            ("Call-ID", "X-Call-ID"),
            ("CSeq: 1 MESSAGE\r\n", ""),
            ("MESSAGE sip:b@test.invalid SIP/2.0", "SIP/2.0 200 OK"),
            ("MESSAGE sip:b@test.invalid SIP/2.0", "SIP/2.0 xyz OK"),
            ("MESSAGE sip:b@test.invalid SIP/2.0", "GET / HTTP/1.1"),
        ] {
            let text = good.replace(old, new);
            raw.send(&text).await;
            if new.starts_with("GET") {
                let (head, _) = raw.receive().await;
                assert!(head.starts_with("SIP/2.0 400 "), "{head}");
            }
        }
        let ack = raw.request("ACK", "lost", "nobody", "", "");
        raw.send(&ack).await;
        assert_served(&mut ua, &mut raw, "good").await;
    }
}

#[tokio::test]
async fn datagrams_of_rubbish_are_dropped() {
    let mut ua = ua(Transport::Udp).await;
    let mut raw = Raw::new(&ua).await;
    let mut rubbish = vec![0u8; 2000];
    let mut seed = 7u32;
    for n in 0..200 {
        for octet in &mut rubbish {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *octet = seed.to_be_bytes()[0];
        }
        if let Raw::Udp(socket, to) = &raw {
            let octets = usize::try_from(seed % 2000).unwrap();
            socket.send_to(&rubbish[..octets], *to).await.unwrap();
        }
        if n % 20 == 19 {
            assert_served(&mut ua, &mut raw, &format!("good{n}")).await;
        }
    }
}

#[tokio::test]
async fn bad_length_in_a_datagram_gets_400() {
    let mut ua = ua(Transport::Udp).await;
    let mut raw = Raw::new(&ua).await;
    let good = raw.request("MESSAGE", "f", "", "", "hello");
    for (length, reason) in [
        ("6", "Body Is Shorter Than Content-Length"),
        (
            "18446744073709551615",
            "Body Is Shorter Than Content-Length",
        ),
        ("-1", "Bad Content-Length"),
        ("five", "Bad Content-Length"),
    ] {
        let bad = good.replace("Content-Length: 5", &format!("Content-Length: {length}"));
        raw.send(&bad).await;
        let (head, _) = raw.receive().await;
        assert!(
            head.starts_with(&format!("SIP/2.0 400 {reason}\r\n")),
            "{head}"
        );
    }
    // Without the field the body is the rest; with a shorter one the rest is ignored.
    for (n, (line, body)) in [("", "hello"), ("l: 4\r\n", "hell")]
        .into_iter()
        .enumerate()
    {
        let text = raw.request(
            "MESSAGE",
            &format!("l{n}"),
            "",
            "Content-Type: text/plain\r\n",
            "hello",
        );
        raw.send(&text.replace("Content-Length: 5\r\n", line)).await;
        let (transaction, _, request) = requested(&mut ua).await;
        assert_eq!(request.body, Some(support::text(body)));
        ua.handle.answer(transaction, answer(200));
        assert!(raw.receive_final().await.starts_with("SIP/2.0 200"));
    }
}

#[tokio::test]
async fn stream_without_a_way_on_is_answered_and_closed() {
    let ua = ua(Transport::Tcp).await;
    for (new, status) in [
        ("", "400 Missing Content-Length"),
        ("Content-Length: x\r\n", "400 Bad Content-Length"),
        ("Content-Length: 1\r\nl: 2\r\n", "400 Bad Content-Length"),
        ("Content-Length: 262145\r\n", "413 Request Entity Too Large"),
    ] {
        let mut raw = Raw::new(&ua).await;
        let good = raw.request("MESSAGE", "f", "", "", "hello");
        raw.send(&good.replace("Content-Length: 5\r\n", new)).await;
        let (head, _) = raw.receive().await;
        assert!(head.starts_with(&format!("SIP/2.0 {status}\r\n")), "{head}");
        assert!(raw.is_closed().await);
    }
    let mut raw = Raw::new(&ua).await;
    raw.send(&"x".repeat(40_000)).await;
    assert!(raw.is_closed().await);
    let mut raw = Raw::new(&ua).await;
    raw.send("rubbish\r\n\r\n").await;
    assert!(raw.is_closed().await);
}

#[tokio::test]
async fn stream_with_joined_and_cut_messages_gives_each_once() {
    let mut ua = ua(Transport::Tcp).await;
    let mut raw = Raw::new(&ua).await;
    let mut text = "\r\n\r\n".to_owned();
    for (cseq, n) in (1u32..).zip(0..10) {
        let body = "b".repeat(n);
        text += &raw.numbered("MESSAGE", cseq, &format!("p{n}"), "", "", &body);
    }
    for part in text.as_bytes().chunks(97) {
        raw.send(std::str::from_utf8(part).unwrap()).await;
        tokio::task::yield_now().await;
    }
    let mut answers = Vec::new();
    for n in 0..10 {
        let (transaction, _, request) = requested(&mut ua).await;
        assert_eq!(request.body.map_or(0, |b| b.octets.len()), n);
        answers.push(transaction);
    }
    for transaction in answers {
        ua.handle.answer(transaction, answer(200));
    }
    // The sign of life comes first, as a bare line end.
    for n in 0..10 {
        let head = raw.receive_final().await;
        assert!(field(&head, "Via").ends_with(&format!("p{n}")), "{head}");
    }
}

#[tokio::test]
async fn short_names_and_folds_are_understood() {
    for transport in TRANSPORTS {
        let mut ua = ua(transport).await;
        let mut raw = Raw::new(&ua).await;
        let text = raw
            .request("MESSAGE", "c", "", "", "hello")
            .replace("Via:", "v:")
            .replace("From: <sip", "f:\r\n <sip")
            .replace("To:", "t:")
            .replace("Call-ID:", "i :")
            .replace("Contact:", "m:")
            .replace("Content-Length:", "l:");
        raw.send(&text).await;
        let (transaction, _, request) = requested(&mut ua).await;
        assert_eq!(request.headers.first("Call-ID"), Some("raw-call"));
        assert!(request.headers.first("Contact").is_some());
        ua.handle.answer(transaction, answer(200));
        assert!(raw.receive_final().await.starts_with("SIP/2.0 200"));
    }
}

#[tokio::test]
async fn peer_that_never_reads_holds_up_nobody() {
    let mut ua = ua(Transport::Tcp).await;
    let mut deaf = Raw::new(&ua).await;
    let mut other = Raw::new(&ua).await;
    let mut transactions = Vec::new();
    for n in 0..400u32 {
        deaf.send(&deaf.numbered("OPTIONS", n + 1, &format!("d{n}"), "", "", ""))
            .await;
        transactions.push(requested(&mut ua).await.0);
    }
    // 24 MB of answers: more than the kernel takes for a peer that does not read.
    for (n, transaction) in transactions.into_iter().enumerate() {
        let mut large = answer(200);
        large.body = Some(text(&"x".repeat(60_000)));
        ua.handle.answer(transaction, large);
        if n % 40 == 0 {
            assert_served(&mut ua, &mut other, &format!("o{n}")).await;
        }
    }
    assert_served(&mut ua, &mut other, "last").await;
    assert!(deaf.is_closed().await);
}

#[tokio::test]
async fn request_that_is_repeated_is_told_once_and_answered_alike() {
    let mut ua = ua(Transport::Udp).await;
    let mut raw = Raw::new(&ua).await;
    let message = raw.request("MESSAGE", "r", "", "", "");
    raw.send(&message).await;
    let (transaction, ..) = requested(&mut ua).await;
    raw.send(&message).await;
    ua.handle.answer(transaction, answer(200));
    let first = raw.receive_final().await;
    raw.send(&message).await;
    assert_eq!(raw.receive_final().await, first);
    let merged = raw.request("MESSAGE", "other", "", "", "");
    let invite = raw
        .request("INVITE", "inv", "", "", "")
        .replace("raw-call", "c2");
    raw.send(&invite).await;
    let (transaction, ..) = invited(&mut ua).await;
    raw.send(&invite.replace("z9hG4bKinv", "z9hG4bKfork")).await;
    let refused = loop {
        let head = raw.receive_final().await;
        if head != first {
            break head;
        }
    };
    assert!(refused.starts_with("SIP/2.0 482"), "{refused}");
    ua.handle.answer(transaction, answer(486));
    assert!(raw.receive_final().await.starts_with("SIP/2.0 486"));
    let ack = raw
        .request("ACK", "inv", "x", "", "")
        .replace("raw-call", "c2");
    raw.send(&ack).await;
    // Once the first is answered, the same numbers make a new transaction.
    raw.send(&merged).await;
    let (transaction, ..) = requested(&mut ua).await;
    ua.handle.answer(transaction, answer(200));
}

#[tokio::test]
async fn end_of_the_engine_writes_what_waits() {
    for transport in TRANSPORTS {
        let mut ua = ua(transport).await;
        let mut raw = Raw::new(&ua).await;
        let options = raw.request("OPTIONS", "last", "", "", "");
        raw.send(&options).await;
        let (transaction, ..) = requested(&mut ua).await;
        ua.handle.answer(transaction, answer(200));
        ua.handle.shutdown().await;
        let head = raw.receive_final().await;
        assert!(head.starts_with("SIP/2.0 200 OK\r\n"), "{head}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn end_of_the_engine_acknowledges_the_last_final() {
    // The tasks of the engine run beside each other: many rounds meet every order of their ends.
    for _ in 0..100 {
        let mut caller = start(config(&[Transport::Tcp])).await.unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = format!("sip:x@{};transport=tcp", listener.local_addr().unwrap());
        let ours = caller.handle.invite(out(Method::Invite, &target));
        let mut raw = Raw::Tcp(listener.accept().await.unwrap().0, Vec::new());
        let (invite, _) = raw.receive().await;
        raw.send(&Raw::reply(&invite, "486 Busy Here", "t1", ""))
            .await;
        assert_eq!(ringing_or_final(&mut caller, ours).await.status, 486);
        caller.handle.shutdown().await;
        let (ack, _) = raw.receive().await;
        assert!(ack.starts_with("ACK "), "{ack}");
        assert!(raw.is_closed().await);
    }
}

#[tokio::test]
async fn ack_with_a_body_is_told_after_what_it_establishes() {
    for transport in TRANSPORTS {
        let mut ua = ua(transport).await;
        let mut raw = Raw::new(&ua).await;
        let invite = raw.request("INVITE", "i", "", "", "");
        raw.send(&invite).await;
        let (transaction, dialog, ..) = invited(&mut ua).await;
        ua.handle.answer(transaction, answer(200));
        let tag = to_tag(&raw.receive_final().await);
        raw.send(&raw.request("ACK", "a", &tag, "", "")).await;
        assert_eq!(event(&mut ua).await, UaEvent::Established { dialog });
        // Inside the dialog only the body tells anything, and a copy of the ACK tells nothing.
        raw.send(&raw.numbered("INVITE", 2, "i2", &tag, "", ""))
            .await;
        let (transaction, inside, _) = requested(&mut ua).await;
        assert_eq!(inside, Some(dialog));
        ua.handle.answer(transaction, answer(200));
        assert!(raw.receive_final().await.contains("2 INVITE"));
        let ack = raw.numbered("ACK", 2, "a2", &tag, "Content-Type: text/x\r\n", "yes");
        raw.send(&ack).await;
        raw.send(&ack).await;
        let body = Body {
            content_type: "text/x".into(),
            octets: b"yes".to_vec(),
        };
        let acknowledged = UaEvent::Acknowledged { dialog, body };
        assert_eq!(event(&mut ua).await, acknowledged);
        raw.send(&raw.numbered("BYE", 3, "b", &tag, "", "")).await;
        let why = DialogEnd::Bye;
        assert_eq!(event(&mut ua).await, UaEvent::Ended { dialog, why });
    }
}

#[tokio::test]
async fn accepted_invite_is_repeated_until_its_ack() {
    let mut ua = start(hasty(config(&[Transport::Udp]))).await.unwrap();
    let mut raw = Raw::new(&ua).await;
    let invite = raw.request(
        "INVITE",
        "i",
        "",
        "Record-Route: <sip:p1;lr>, <sip:p2;lr>\r\n",
        "",
    );
    raw.send(&invite).await;
    let (transaction, dialog, ..) = invited(&mut ua).await;
    assert!(raw.receive().await.0.starts_with("SIP/2.0 100"));
    ua.handle.answer(transaction, answer(200));
    let first = raw.receive_final().await;
    assert!(
        first.contains("Record-Route: <sip:p1;lr>\r\nRecord-Route: <sip:p2;lr>\r\n"),
        "{first}"
    );
    for _ in 0..3 {
        assert_eq!(raw.receive_final().await, first);
    }
    let tag = to_tag(&first);
    raw.send(&raw.request("ACK", "a", &tag, "", "")).await;
    assert_eq!(event(&mut ua).await, UaEvent::Established { dialog });
    // An ACK once more changes nothing; a BYE with an old number is refused, a new one ends it.
    raw.send(&raw.request("ACK", "a2", &tag, "", "")).await;
    raw.send(&raw.numbered("BYE", 2, "b", &tag, "", "")).await;
    let bye = loop {
        let head = raw.receive_final().await;
        if head.contains("2 BYE") {
            break head;
        }
    };
    assert!(bye.starts_with("SIP/2.0 200"), "{bye}");
    let why = DialogEnd::Bye;
    assert_eq!(event(&mut ua).await, UaEvent::Ended { dialog, why });
    raw.send(&raw.numbered("BYE", 3, "b3", &tag, "", "")).await;
    assert!(raw.receive_final().await.starts_with("SIP/2.0 481"));
}

#[tokio::test]
async fn missing_ack_ends_the_call_with_a_bye() {
    for transport in TRANSPORTS {
        let mut ua = start(hasty(config(&[transport]))).await.unwrap();
        let mut raw = Raw::new(&ua).await;
        raw.send(&raw.request("INVITE", "i", "", "", "")).await;
        let (transaction, dialog, ..) = invited(&mut ua).await;
        ua.handle.answer(transaction, answer(200));
        let why = DialogEnd::NoAck;
        assert_eq!(event(&mut ua).await, UaEvent::Ended { dialog, why });
        let bye = loop {
            let head = raw.receive_final().await;
            if !head.starts_with("SIP/2.0 200") {
                break head;
            }
        };
        assert!(
            bye.starts_with(&format!("BYE sip:raw@{}", raw.local())),
            "{bye}"
        );
        assert_eq!(field(&bye, "CSeq"), "1 BYE");
    }
}

#[tokio::test]
async fn numbers_out_of_order_and_unknown_dialogs_are_refused() {
    for transport in TRANSPORTS {
        let mut ua = ua(transport).await;
        let mut raw = Raw::new(&ua).await;
        raw.send(&raw.numbered("INVITE", 5, "i", "", "", "")).await;
        let (transaction, dialog, ..) = invited(&mut ua).await;
        ua.handle.answer(transaction, answer(200));
        let tag = to_tag(&raw.receive_final().await);
        raw.send(&raw.numbered("ACK", 5, "a", &tag, "", "")).await;
        assert_eq!(event(&mut ua).await, UaEvent::Established { dialog });
        raw.send(&raw.numbered("INFO", 4, "old", &tag, "", ""))
            .await;
        assert!(raw.receive_final().await.starts_with("SIP/2.0 500 CSeq"));
        raw.send(&raw.numbered("INFO", 9, "x", "wrong", "", ""))
            .await;
        assert!(raw.receive_final().await.starts_with("SIP/2.0 481"));
        raw.send(&raw.numbered("BYE", 9, "y", "", "", "")).await;
        assert!(raw.receive_final().await.starts_with("SIP/2.0 481"));
        raw.send(&raw.numbered("CANCEL", 9, "z", "", "", "")).await;
        assert!(raw.receive_final().await.starts_with("SIP/2.0 481"));
        // A gap is legal (RFC 3261 s.12.2.2).
        raw.send(&raw.numbered("INVITE", 90, "re", &tag, "", ""))
            .await;
        let (reinvite, inside, _) = requested(&mut ua).await;
        assert_eq!(inside, Some(dialog));
        raw.send(&raw.numbered("INVITE", 91, "re2", &tag, "", ""))
            .await;
        let refused = raw.receive_final().await;
        assert!(
            refused.starts_with("SIP/2.0 500 INVITE Pending"),
            "{refused}"
        );
        assert!(refused.contains("Retry-After: "), "{refused}");
        raw.send(&raw.numbered("CANCEL", 90, "re", &tag, "", ""))
            .await;
        let mut both = [raw.receive_final().await, raw.receive_final().await];
        both.sort();
        assert!(
            both[0].starts_with("SIP/2.0 200") && both[1].starts_with("SIP/2.0 487"),
            "{both:?}"
        );
        ua.handle.answer(reinvite, answer(200));
        raw.send(&raw.numbered("BYE", 92, "bye", &tag, "", ""))
            .await;
        let why = DialogEnd::Bye;
        assert_eq!(event(&mut ua).await, UaEvent::Ended { dialog, why });
    }
}

#[tokio::test]
async fn subscription_goes_both_ways_until_it_is_forgotten() {
    for transport in TRANSPORTS {
        let mut ua = ua(transport).await;
        let mut raw = Raw::new(&ua).await;
        for method in ["SUBSCRIBE", "REFER"] {
            let branch = |n: u8| format!("{method}{n}");
            raw.send(&raw.numbered(method, 5, &branch(1), "", "", ""))
                .await;
            let (transaction, none, _) = requested(&mut ua).await;
            assert_eq!(none, None);
            let accepted = ua.handle.accept_subscription(transaction, answer(200));
            let dialog = accepted.unwrap();
            let tag = to_tag(&raw.receive_final().await);
            let state = Headers::new().with("Subscription-State", "active;expires=60");
            let notify = ua.handle.request(dialog, Method::Notify, state, None);
            let seen = raw.receive_final().await;
            assert!(seen.starts_with("NOTIFY "), "{seen}");
            assert!(field(&seen, "From").ends_with(&format!(";tag={tag}")));
            raw.send(&Raw::reply(&seen, "200 OK", "", "")).await;
            assert_eq!(response(&mut ua, notify).await.status, 200);
            raw.send(&raw.numbered("SUBSCRIBE", 6, &branch(2), &tag, "", ""))
                .await;
            let (refresh, inside, _) = requested(&mut ua).await;
            assert_eq!(inside, Some(dialog));
            // What came before the end is the focus's to answer; what comes after is not told.
            ua.handle.forget(dialog);
            ua.handle.answer(refresh, answer(481));
            let refused = raw.receive_final().await;
            assert!(refused.starts_with("SIP/2.0 481"), "{refused}");
            raw.send(&raw.numbered("SUBSCRIBE", 7, &branch(3), &tag, "", ""))
                .await;
            let refused = raw.receive_final().await;
            assert!(refused.starts_with("SIP/2.0 481"), "{refused}");
        }
        assert_eq!(ua.handle.stats().await.dialogs, 0);
    }
}

#[tokio::test]
async fn bye_while_it_rings_ends_the_invite_with_487() {
    for transport in TRANSPORTS {
        let mut ua = ua(transport).await;
        let mut raw = Raw::new(&ua).await;
        raw.send(&raw.request("INVITE", "i", "", "", "")).await;
        let (transaction, dialog, ..) = invited(&mut ua).await;
        ua.handle.answer(transaction, answer(180));
        let tag = to_tag(&raw.receive_final().await);
        raw.send(&raw.numbered("BYE", 2, "b", &tag, "", "")).await;
        let mut both = [raw.receive_final().await, raw.receive_final().await];
        both.sort();
        assert!(
            both[0].starts_with("SIP/2.0 200") && both[0].contains("BYE"),
            "{both:?}"
        );
        assert!(
            both[1].starts_with("SIP/2.0 487") && both[1].contains("INVITE"),
            "{both:?}"
        );
        let why = DialogEnd::Bye;
        assert_eq!(event(&mut ua).await, UaEvent::Ended { dialog, why });
        ua.handle.answer(transaction, answer(200));
    }
}

#[tokio::test]
async fn outgoing_invite_keeps_the_rules_of_cancel_and_ack() {
    for transport in TRANSPORTS {
        let mut caller = start(config(&[transport])).await.unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let to = match transport {
            Transport::Udp => socket.local_addr().unwrap(),
            Transport::Tcp | Transport::Tls => listener.local_addr().unwrap(),
        };
        let target = format!("sip:x@{to};transport={transport}");
        let ours = caller.handle.invite(out(Method::Invite, &target));
        let mut raw = match transport {
            Transport::Udp => Raw::Udp(socket, address(&caller)),
            Transport::Tcp | Transport::Tls => {
                Raw::Tcp(listener.accept().await.unwrap().0, Vec::new())
            }
        };
        let (invite, _) = raw.receive().await;
        assert!(
            invite.starts_with(&format!("INVITE {target} SIP/2.0\r\n")),
            "{invite}"
        );
        assert!(
            field(&invite, "Call-ID").ends_with("@test.invalid"),
            "{invite}"
        );
        assert_eq!(field(&invite, "Max-Forwards"), "70");
        caller.handle.cancel(ours);
        raw.send(&Raw::reply(&invite, "180 Ringing", "t1", ""))
            .await;
        assert_eq!(ringing_or_final(&mut caller, ours).await.status, 180);
        let (cancel, _) = raw.receive().await;
        assert!(
            cancel.starts_with(&format!("CANCEL {target} SIP/2.0\r\n")),
            "{cancel}"
        );
        for name in ["Via", "From", "To", "Call-ID"] {
            assert_eq!(field(&cancel, name), field(&invite, name));
        }
        assert_eq!(field(&cancel, "CSeq"), "1 CANCEL");
        raw.send(&Raw::reply(&cancel, "200 OK", "t1", "")).await;
        raw.send(&Raw::reply(&invite, "487 Request Terminated", "t1", ""))
            .await;
        let (ack, _) = raw.receive().await;
        assert!(
            ack.starts_with(&format!("ACK {target} SIP/2.0\r\n")),
            "{ack}"
        );
        assert_eq!(field(&ack, "Via"), field(&invite, "Via"));
        assert_eq!(field(&ack, "CSeq"), "1 ACK");
        assert_eq!(to_tag(&ack), "t1");
        assert_eq!(ringing_or_final(&mut caller, ours).await.status, 487);
    }
}

#[tokio::test]
async fn accepted_call_uses_routes_and_ends_other_forks() {
    let mut caller = start(config(&[Transport::Udp])).await.unwrap();
    let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let to = socket.local_addr().unwrap();
    let mut raw = Raw::Udp(socket, address(&caller));
    let ours = caller
        .handle
        .invite(out(Method::Invite, &format!("sip:x@{to}")));
    let (invite, _) = raw.receive().await;
    let more = format!(
        "Record-Route: <sip:far.invalid;lr>\r\nRecord-Route: <sip:{to};lr;n=1>\r\n\
         Contact: \"X\" <sip:target@far.invalid:5070;a=b?c=d>;q=1\r\n"
    );
    let accepted = Raw::reply(&invite, "200 OK", "t1", &more);
    let accepted = accepted.replacen("Contact", "X-No: 1\r\nContact", 1);
    raw.send(&accepted).await;
    let (ack, _) = raw.receive().await;
    assert!(
        ack.starts_with("ACK sip:target@far.invalid:5070;a=b?c=d SIP/2.0\r\n"),
        "{ack}"
    );
    let routes = format!("Route: <sip:{to};lr;n=1>\r\nRoute: <sip:far.invalid;lr>\r\n");
    assert!(ack.contains(&routes), "{ack}");
    assert_ne!(field(&ack, "Via"), field(&invite, "Via"));
    assert_eq!(ringing_or_final(&mut caller, ours).await.status, 200);
    // The same 2xx gets the same ACK; one of another fork is acknowledged and ended.
    raw.send(&accepted).await;
    assert_eq!(raw.receive().await.0, ack);
    raw.send(&accepted.replace("tag=t1", "tag=t2")).await;
    let (second, _) = raw.receive().await;
    assert!(
        second.starts_with("ACK ") && to_tag(&second) == "t2",
        "{second}"
    );
    let (bye, _) = raw.receive().await;
    assert!(bye.starts_with("BYE ") && to_tag(&bye) == "t2", "{bye}");
    raw.send(&Raw::reply(&bye, "200 OK", "", "")).await;
    let info = caller
        .handle
        .request(ours, Method::Info, Headers::new(), None);
    let (request, _) = raw.receive().await;
    assert!(
        request.starts_with("INFO sip:target@far.invalid:5070"),
        "{request}"
    );
    assert!(request.contains(&routes), "{request}");
    assert_eq!(
        (field(&request, "CSeq"), to_tag(&request)),
        ("2 INFO".into(), "t1".into())
    );
    raw.send(&Raw::reply(&request, "200 OK", "", "")).await;
    assert_eq!(response(&mut caller, info).await.status, 200);
}

#[tokio::test]
async fn strict_route_takes_the_place_of_the_target() {
    let mut callee = ua(Transport::Udp).await;
    let mut raw = Raw::new(&callee).await;
    let local = raw.local();
    let routes = format!("Record-Route: <sip:{local}>, <sip:second.invalid;lr>\r\n");
    raw.send(&raw.request("INVITE", "i", "", &routes, "")).await;
    let (transaction, dialog, ..) = invited(&mut callee).await;
    callee.handle.answer(transaction, answer(200));
    let tag = to_tag(&raw.receive_final().await);
    raw.send(&raw.request("ACK", "a", &tag, "", "")).await;
    assert_eq!(event(&mut callee).await, UaEvent::Established { dialog });
    callee.handle.bye(dialog, Headers::new());
    let bye = loop {
        let head = raw.receive_final().await;
        if head.starts_with("BYE") {
            break head;
        }
    };
    assert!(
        bye.starts_with(&format!("BYE sip:{local} SIP/2.0\r\n")),
        "{bye}"
    );
    let contact =
        format!("Route: <sip:second.invalid;lr>\r\nRoute: <sip:raw@{local};transport=udp>\r\n");
    assert!(bye.contains(&contact), "{bye}");
}

#[tokio::test]
async fn connection_that_ends_takes_its_transactions_along() {
    let mut callee = ua(Transport::Tcp).await;
    let mut raw = Raw::new(&callee).await;
    raw.send(&raw.request("INVITE", "i", "", "", "")).await;
    let (transaction, dialog, ..) = invited(&mut callee).await;
    drop(raw);
    let why = DialogEnd::TransportLost;
    assert_eq!(event(&mut callee).await, UaEvent::Ended { dialog, why });
    callee.handle.answer(transaction, answer(200));

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = format!("sip:x@{};transport=tcp", listener.local_addr().unwrap());
    let message = callee.handle.send(out(Method::Message, &target));
    let mut raw = Raw::Tcp(listener.accept().await.unwrap().0, Vec::new());
    let (head, _) = raw.receive().await;
    assert!(head.starts_with("MESSAGE "));
    drop(raw);
    let failed = response(&mut callee, message).await;
    assert_eq!((failed.status, failed.origin), (503, Origin::Transport));
}

#[tokio::test]
async fn target_out_of_reach_is_served_on_its_own_connection() {
    let mut callee = ua(Transport::Tcp).await;
    let mut raw = Raw::new(&callee).await;
    let invite = raw.request("INVITE", "i", "", "", "");
    let contact = format!("<sip:raw@{};transport=tcp>", raw.local());
    raw.send(&invite.replace(&contact, "<sip:raw@nowhere.invalid;transport=tcp>"))
        .await;
    let (transaction, dialog, ..) = invited(&mut callee).await;
    callee.handle.answer(transaction, answer(200));
    let tag = to_tag(&raw.receive_final().await);
    raw.send(&raw.request("ACK", "a", &tag, "", "")).await;
    assert_eq!(event(&mut callee).await, UaEvent::Established { dialog });
    let bye = callee.handle.bye(dialog, Headers::new());
    let request = raw.receive_final().await;
    assert!(
        request.starts_with("BYE sip:raw@nowhere.invalid;transport=tcp "),
        "{request}"
    );
    raw.send(&Raw::reply(&request, "200 OK", "", "")).await;
    assert_eq!(response(&mut callee, bye).await.status, 200);
}

#[tokio::test]
async fn focus_that_does_not_listen_gets_no_new_requests() {
    let mut config = config(&[Transport::Udp]);
    config.limits.events_max = 2;
    let mut callee = start(config).await.unwrap();
    let mut raw = Raw::new(&callee).await;
    raw.send(&raw.request("INVITE", "i", "", "", "")).await;
    let (transaction, dialog, ..) = invited(&mut callee).await;
    callee.handle.answer(transaction, answer(200));
    let tag = to_tag(&raw.receive_final().await);
    raw.send(&raw.request("ACK", "a", &tag, "", "")).await;
    assert_eq!(event(&mut callee).await, UaEvent::Established { dialog });
    for n in 0..4 {
        let text = raw.request("MESSAGE", &format!("m{n}"), "", "", "");
        raw.send(&text.replace("raw-call", &format!("m{n}"))).await;
    }
    for _ in 0..2 {
        let refused = raw.receive_final().await;
        assert!(refused.starts_with("SIP/2.0 503 "), "{refused}");
        assert!(refused.contains("Retry-After: "), "{refused}");
    }
    for n in 0..4 {
        raw.send(&raw.numbered("INFO", 10 + n, &format!("n{n}"), &tag, "", ""))
            .await;
    }
    for n in 0..6 {
        let (transaction, inside, _) = requested(&mut callee).await;
        assert_eq!(inside.is_some(), n >= 2);
        callee.handle.answer(transaction, answer(200));
        assert!(raw.receive_final().await.starts_with("SIP/2.0 200"));
    }
}

#[tokio::test]
async fn connection_above_the_bound_is_closed() {
    let mut config = config(&[Transport::Tcp]);
    config.limits.tcp_connections_max = 1;
    let mut callee = start(config).await.unwrap();
    let mut first = Raw::new(&callee).await;
    assert_served(&mut callee, &mut first, "one").await;
    let mut second = Raw::new(&callee).await;
    assert!(second.is_closed().await);
    assert_served(&mut callee, &mut first, "two").await;
}

#[tokio::test]
async fn silent_connection_is_closed() {
    let mut config = config(&[Transport::Tcp]);
    config.limits.tcp_idle_wait = Duration::from_millis(50);
    let callee = start(config).await.unwrap();
    let mut raw = Raw::new(&callee).await;
    assert!(raw.is_closed().await);
}

#[tokio::test]
async fn answer_goes_where_via_says() {
    let mut callee = ua(Transport::Udp).await;
    let mut raw = Raw::new(&callee).await;
    let other = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let wanted = other.local_addr().unwrap();
    let local = raw.local().to_string();
    let text = raw.request("OPTIONS", "v", "", "", "");
    let via = format!("SIP/2.0/UDP {local}");
    raw.send(&text.replace(&via, &format!("SIP/2.0/UDP host.invalid:{}", wanted.port())))
        .await;
    let (transaction, ..) = requested(&mut callee).await;
    callee.handle.answer(transaction, answer(200));
    let mut other = Raw::Udp(other, address(&callee));
    let head = other.receive_final().await;
    assert!(
        field(&head, "Via").ends_with(";received=127.0.0.1"),
        "{head}"
    );
    // With rport it goes back to the source.
    let text = raw.request("OPTIONS", "w", "", "", "");
    let named = format!("SIP/2.0/UDP host.invalid:{};rport", wanted.port());
    raw.send(&text.replace(&via, &named).replace("raw-call", "c2"))
        .await;
    let (transaction, ..) = requested(&mut callee).await;
    callee.handle.answer(transaction, answer(200));
    let head = raw.receive_final().await;
    assert!(
        field(&head, "Via").contains(&format!(";rport={}", raw.local().port())),
        "{head}"
    );
}
