//! What we write: offers, answers, and what we support.

#![expect(clippy::unwrap_used, reason = "test code")]

use msrp_sdp::{Description, Direction, Local, MessageMedia, Protocol, SdpError, Setup};

const OFFER: &str = "v=0\r\no=a 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
    m=message 7394 TCP/MSRP *\r\na=accept-types:*\r\na=path:msrp://192.0.2.1:7394/s1;tcp\r\n";

fn local() -> Local {
    let path = "msrp://192.0.2.9:2855/k3;tcp".parse().unwrap();
    Local {
        accept_types: vec!["message/cpim".to_owned(), "text/plain".to_owned()],
        accept_wrapped_types: vec!["text/plain".to_owned(), "image/*".to_owned()],
        max_size: Some(1 << 20),
        chatroom: Some(vec!["nickname".to_owned(), "private-messages".to_owned()]),
        session_version: 3,
        ..Local::new(("192.0.2.9".to_owned(), 2855), path, 77)
    }
}

fn parse(text: &str) -> (Description, MessageMedia) {
    let description = Description::parse(text).unwrap();
    let media = description.message_media().unwrap();
    (description, media)
}

/// The answer to an offer of one section with these further lines.
fn answer(local: &Local, further: &str) -> String {
    let (offer, media) = parse(&format!("{OFFER}{further}"));
    local.answer(&offer, &media)
}

fn lines<'a>(text: &'a str, start: &str) -> Vec<&'a str> {
    text.split("\r\n")
        .filter(|line| line.starts_with(start))
        .collect()
}

// covers: UPS-7.2.3-01, MSRP-4975-8.1-01, MSRP-4975-8.1-02, MSRP-4975-8.1-03, MSRP-4975-8.1-04, MSRP-4975-8.1-05, MSRP-4975-8.2-01, MSRP-4975-8.2-02, MSRP-4975-8.6-01, MSRP-4975-8.6-05, MSRP-4975-8.6-10, MSRP-7701-8-01, MSRP-6135-4.2.2-02
#[test]
fn offer_has_every_line_of_an_msrp_session() {
    let expected = "v=0\r\n\
        o=- 77 3 IN IP4 192.0.2.9\r\n\
        s=-\r\n\
        c=IN IP4 192.0.2.9\r\n\
        t=0 0\r\n\
        m=message 2855 TCP/MSRP *\r\n\
        a=accept-types:message/cpim text/plain\r\n\
        a=accept-wrapped-types:text/plain image/*\r\n\
        a=max-size:1048576\r\n\
        a=path:msrp://192.0.2.9:2855/k3;tcp\r\n\
        a=setup:actpass\r\n\
        a=chatroom:nickname private-messages\r\n";
    assert_eq!(local().offer(), expected);
}

#[test]
fn answer_has_every_line_of_an_msrp_session() {
    let expected = local()
        .offer()
        .replace("a=setup:actpass", "a=setup:passive");
    assert_eq!(answer(&local(), ""), expected);
}

// covers: MSRP-4975-8.1-02
#[test]
fn offer_with_tls_names_the_tls_protocol() {
    let path = "msrps://im.example.com:2855/k3;tcp".parse().unwrap();
    let local = Local::new(("im.example.com".to_owned(), 2855), path, 1);
    assert_eq!(local.protocol, Protocol::TcpTlsMsrp);
    assert_eq!(
        lines(&local.offer(), "m="),
        ["m=message 2855 TCP/TLS/MSRP *"]
    );
}

// covers: MSRP-4975-8.1-01, MSRP-4975-8.1-05, MSRP-4975-8.2-02
#[test]
fn connection_line_repeats_host_and_port_of_the_path() {
    let cases = [
        (
            "msrp://192.0.2.9:2855/k;tcp",
            "c=IN IP4 192.0.2.9",
            "m=message 2855 TCP/MSRP *",
        ),
        (
            "msrp://[2001:db8::1]:4000/k;tcp",
            "c=IN IP6 2001:db8::1",
            "m=message 4000 TCP/MSRP *",
        ),
        (
            "msrp://im.example.com:4001/k;tcp",
            "c=IN IP4 im.example.com",
            "m=message 4001 TCP/MSRP *",
        ),
        (
            "msrp://im.example.com/k;tcp",
            "c=IN IP4 im.example.com",
            "m=message 2856 TCP/MSRP *",
        ),
    ];
    for (path, connection, media) in cases {
        let offer =
            Local::new(("[2001:db8::5]".to_owned(), 2856), path.parse().unwrap(), 1).offer();
        assert_eq!(lines(&offer, "c="), [connection]);
        assert_eq!(lines(&offer, "m="), [media]);
        assert_eq!(lines(&offer, "o="), ["o=- 1 1 IN IP6 2001:db8::5"]);
        assert!(parse(&offer).1.path[0].as_uri().port().is_some());
    }
}

// covers: MSRP-4975-8.2-03
#[test]
fn path_ends_with_our_own_uri() {
    let local = local();
    let media = parse(&local.offer()).1;
    assert_eq!(media.path.last(), Some(&local.session_uri()));
    assert_eq!(local.session_uri(), local.path);
}

// covers: MSRP-4975-8.4-03
#[test]
fn unchanged_values_give_the_same_origin_line() {
    assert_eq!(local().offer(), local().offer());
    let changed = Local {
        session_version: 4,
        ..local()
    };
    assert_eq!(lines(&changed.offer(), "o="), ["o=- 77 4 IN IP4 192.0.2.9"]);
}

// covers: MSRP-4975-8.4-01
#[test]
fn answer_to_a_later_offer_has_the_path_of_now() {
    let first = answer(&local(), "");
    let moved = Local {
        path: "msrp://192.0.2.9:2855/k4;tcp".parse().unwrap(),
        session_version: 4,
        ..local()
    };
    let second = answer(&moved, "");
    assert_eq!(
        lines(&first, "a=path"),
        ["a=path:msrp://192.0.2.9:2855/k3;tcp"]
    );
    assert_eq!(
        lines(&second, "a=path"),
        ["a=path:msrp://192.0.2.9:2855/k4;tcp"]
    );
}

// covers: MSRP-6135-4.2.1-01, MSRP-6135-4.2.1-03, MSRP-6135-4.2.2-02, MSRP-6135-4.2.2-03, MSRP-6135-4.2.2-04
#[test]
fn offers_are_actpass_or_active() {
    let cases = [
        (Setup::ActPass, "a=setup:actpass"),
        (Setup::Passive, "a=setup:actpass"),
        (Setup::HoldConn, "a=setup:actpass"),
        (Setup::Active, "a=setup:active"),
    ];
    for (setup, expected) in cases {
        assert_eq!(
            lines(&Local { setup, ..local() }.offer(), "a=setup"),
            [expected]
        );
    }
}

// covers: MSRP-6135-4.2.1-01, MSRP-6135-4.2.1-03, MSRP-6135-4.2.2-05, MSRP-6135-4.2.2-06, MSRP-6135-4.2.2-07, MSRP-6135-4.2.2-08, MSRP-6135-4.2.1-04
#[test]
fn answers_complete_the_role_of_the_offer() {
    let cases = [
        ("", Setup::ActPass, "passive"),
        ("", Setup::Active, "passive"),
        ("a=setup:holdconn\r\n", Setup::HoldConn, "passive"),
        ("a=setup:actpass\r\n", Setup::ActPass, "passive"),
        ("a=setup:actpass\r\n", Setup::HoldConn, "passive"),
        ("a=setup:actpass\r\n", Setup::Active, "active"),
        ("a=setup:active\r\n", Setup::Active, "passive"),
        ("a=setup:active\r\n", Setup::ActPass, "passive"),
        ("a=setup:passive\r\n", Setup::Passive, "active"),
        ("a=setup:passive\r\n", Setup::ActPass, "active"),
    ];
    for (offered, setup, expected) in cases {
        let answer = answer(&Local { setup, ..local() }, offered);
        assert_eq!(
            lines(&answer, "a=setup"),
            [format!("a=setup:{expected}")],
            "{offered}{setup:?}"
        );
    }
}

#[test]
fn offerer_connects_unless_the_answer_is_active() {
    assert!(msrp_sdp::offerer_connects(None));
    assert!(msrp_sdp::offerer_connects(Some(Setup::Passive)));
    assert!(msrp_sdp::offerer_connects(Some(Setup::ActPass)));
    assert!(!msrp_sdp::offerer_connects(Some(Setup::Active)));
}

// covers: MSRP-6135-4.4-01
#[test]
fn connection_attribute_is_never_written() {
    let attributes = vec![("connection".to_owned(), Some("new".to_owned()))];
    let local = Local {
        attributes,
        ..local()
    };
    assert!(!local.offer().contains("a=connection"));
    assert!(!answer(&local, "a=connection:new\r\n").contains("a=connection"));
}

#[test]
fn answer_direction_stays_within_the_offer() {
    use Direction::{Inactive, RecvOnly, SendOnly, SendRecv};
    let cases = [
        (SendRecv, SendRecv, SendRecv),
        (SendRecv, SendOnly, SendOnly),
        (SendOnly, SendRecv, RecvOnly),
        (SendOnly, RecvOnly, RecvOnly),
        (SendOnly, SendOnly, Inactive),
        (RecvOnly, SendRecv, SendOnly),
        (Inactive, SendRecv, Inactive),
    ];
    for (offered, wanted, expected) in cases {
        let answer = answer(
            &Local {
                direction: wanted,
                ..local()
            },
            &format!("a={}\r\n", offered.name()),
        );
        assert_eq!(
            parse(&answer).1.direction,
            expected,
            "{offered:?} {wanted:?}"
        );
    }
}

const MANY: &str = "v=0\r\no=a 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
    m=audio 4000/2 RTP/AVP 0 8\r\na=rtpmap:0 PCMU/8000\r\n\
    m=message 7394 TCP/MSRP *\r\na=accept-types:*\r\na=path:msrp://192.0.2.1:7394/s1;tcp\r\n\
    m=video 0 RTP/SAVPF 96\r\n\
    m=message 7394 TCP/MSRP *\r\na=accept-types:*\r\na=path:msrp://192.0.2.1:7394/s2;tcp\r\n";

// covers: MSRP-4975-8.1-05
#[test]
fn answer_refuses_the_other_sections_with_port_zero() {
    let (offer, media) = parse(MANY);
    let answer = local().answer(&offer, &media);
    let expected = [
        "m=audio 0 RTP/AVP 0 8",
        "m=message 2855 TCP/MSRP *",
        "m=video 0 RTP/SAVPF 96",
        "m=message 0 TCP/MSRP *",
    ];
    assert_eq!(lines(&answer, "m="), expected);
    assert_eq!(lines(&answer, "a=path").len(), 1);
    assert_eq!(parse(&answer).1.index, 1);
}

#[test]
fn answer_accepts_several_sections_with_a_session_each() {
    let offer = Description::parse(MANY).unwrap();
    let (one, two) = (
        offer.message_media_at(1).unwrap(),
        offer.message_media_at(3).unwrap(),
    );
    let other = Local {
        path: "msrp://im2.example.com:2860/k9;tcp".parse().unwrap(),
        ..local()
    };
    let answer =
        Description::parse(&local().answer_all(&offer, &[(&local(), &one), (&other, &two)]))
            .unwrap();
    assert_eq!(answer.media_count(), 4);
    let (first, second) = (
        answer.message_media_at(1).unwrap(),
        answer.message_media_at(3).unwrap(),
    );
    assert_eq!(first.path, [local().path]);
    assert_eq!(first.connection.as_deref(), Some("192.0.2.9"));
    assert_eq!(second.path, [other.path]);
    assert_eq!(
        (second.connection.as_deref(), second.port),
        (Some("im2.example.com"), 2860)
    );
}

#[test]
fn answer_none_refuses_every_section() {
    let offer = Description::parse(MANY).unwrap();
    let answer = local().answer_none(&offer);
    let expected = [
        "m=audio 0 RTP/AVP 0 8",
        "m=message 0 TCP/MSRP *",
        "m=video 0 RTP/SAVPF 96",
        "m=message 0 TCP/MSRP *",
    ];
    assert_eq!(lines(&answer, "m="), expected);
    assert!(lines(&answer, "a=").is_empty());
    assert_eq!(lines(&answer, "c=").len(), 1);
}

#[test]
fn answer_of_another_protocol_is_refused() {
    let path = "msrps://192.0.2.9:2855/k3;tcp".parse().unwrap();
    let secure = Local::new(("192.0.2.9".to_owned(), 2855), path, 1);
    assert_eq!(
        lines(&answer(&secure, ""), "m="),
        ["m=message 0 TCP/MSRP *"]
    );
}

#[test]
fn later_offer_keeps_the_places_of_all_sections() {
    let (peer, media) = parse(MANY);
    let offer = local().offer_again(&peer, &media);
    let expected = [
        "m=audio 0 RTP/AVP 0 8",
        "m=message 2855 TCP/MSRP *",
        "m=video 0 RTP/SAVPF 96",
        "m=message 0 TCP/MSRP *",
    ];
    assert_eq!(lines(&offer, "m="), expected);
    assert_eq!(lines(&offer, "a=setup"), ["a=setup:actpass"]);
}

#[test]
fn supported_has_media_types_and_size_and_no_path() {
    let expected = "v=0\r\n\
        o=- 77 3 IN IP4 192.0.2.9\r\n\
        s=-\r\n\
        c=IN IP4 192.0.2.9\r\n\
        t=0 0\r\n\
        m=message 0 TCP/MSRP *\r\n\
        a=accept-types:message/cpim text/plain\r\n\
        a=accept-wrapped-types:text/plain image/*\r\n\
        a=max-size:1048576\r\n";
    assert_eq!(local().supported(), expected);
    assert_eq!(
        Description::parse(expected).unwrap().message_media(),
        Err(SdpError::MediaRefused)
    );
}

// covers: MSRP-7701-8-01, MSRP-7701-8-02
#[test]
fn chatroom_tokens_are_written_once() {
    let cases: [(&[&str], &[&str]); 4] = [
        (&[], &["a=chatroom"]),
        (&["nickname"], &["a=chatroom:nickname"]),
        (
            &["nickname", "private-messages", "Nickname"],
            &["a=chatroom:nickname private-messages"],
        ),
        (&["no token", "", "a\r\nb"], &["a=chatroom"]),
    ];
    for (tokens, expected) in cases {
        let chatroom = Some(tokens.iter().map(|token| (*token).to_owned()).collect());
        assert_eq!(
            lines(
                &Local {
                    chatroom,
                    ..local()
                }
                .offer(),
                "a=chatroom"
            ),
            expected
        );
    }
    assert!(
        lines(
            &Local {
                chatroom: None,
                ..local()
            }
            .offer(),
            "a=chatroom"
        )
        .is_empty()
    );
}

// covers: MSRP-4975-8.6-01
#[test]
fn accept_types_are_written_even_when_nothing_is_left() {
    let accept_types = vec!["no type".to_owned(), "a/b\r\na=x".to_owned(), String::new()];
    let local = Local {
        accept_types,
        accept_wrapped_types: vec!["x".to_owned()],
        ..local()
    };
    assert_eq!(lines(&local.offer(), "a=accept"), ["a=accept-types:*"]);
}

#[test]
fn entry_that_would_swallow_or_add_others_is_left_out() {
    let kept = r#"a/b;x="1 \" 2""#;
    let entries = [
        r#"a/b;x="1" c/d "2""#,
        r#"a/b;x="1\""#,
        r#"a/b;x="1"#,
        r#"a/b;x=""#,
        kept,
        "e/f",
    ];
    let local = Local {
        accept_types: entries.map(str::to_owned).to_vec(),
        ..local()
    };
    assert_eq!(parse(&local.offer()).1.accept_types, [kept, "e/f"]);
}

#[test]
fn further_attributes_are_written_unless_they_repeat_our_own() {
    let line = |name: &str, value: Option<&str>| (name.to_owned(), value.map(str::to_owned));
    let attributes = vec![
        line("file-selector", Some("name:\"a b\" size:3")),
        line("label", Some("1")),
        line("fingerprint", Some("sha-256 AA")),
        line("flag", None),
        line("sendonly", None),
        line("PATH", Some("msrp://192.0.2.66:1/x;tcp")),
        line("setup", Some("active")),
        line("msrp-cema", None),
        line("no token", None),
        line("a:b", Some("c")),
        line("", None),
    ];
    let offer = Local {
        attributes,
        ..local()
    }
    .offer();
    let added: Vec<&str> = lines(&offer, "a=").into_iter().skip(6).collect();
    let expected = [
        "a=file-selector:name:\"a b\" size:3",
        "a=label:1",
        "a=fingerprint:sha-256 AA",
        "a=flag",
    ];
    assert_eq!(added, expected);
}

#[test]
fn copied_attributes_arrive_at_the_others() {
    let media = parse(&format!(
        "{OFFER}a=sendonly\r\na=file-selector:name:\"x\"\r\na=ice-ufrag:1\r\n"
    ))
    .1;
    let towards_others = Local {
        direction: media.direction,
        attributes: media.copyable_attributes(),
        ..local()
    };
    let seen = parse(&towards_others.offer()).1;
    assert_eq!(seen.direction, Direction::SendOnly);
    assert_eq!(
        seen.attributes.last(),
        Some(&("file-selector".to_owned(), Some("name:\"x\"".to_owned())))
    );
    assert_eq!(lines(&towards_others.offer(), "a=sendonly").len(), 1);
}

#[test]
fn illegal_listener_host_is_replaced_by_that_of_the_path() {
    for host in ["", "a b", "h\r\nm=x", "[", "é"] {
        let path = "msrp://192.0.2.9:2855/k3;tcp".parse().unwrap();
        let offer = Local::new((host.to_owned(), 1), path, 1).offer();
        assert_eq!(lines(&offer, "o="), ["o=- 1 1 IN IP4 192.0.2.9"]);
        assert_eq!(lines(&offer, "m=").len(), 1);
    }
}
