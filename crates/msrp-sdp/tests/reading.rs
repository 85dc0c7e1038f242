//! What is read from a peer, and what is refused.

#![expect(clippy::unwrap_used, reason = "test code")]

use msrp_sdp::{Description, Direction, MessageMedia, SdpError, Setup, limits};

const HEAD: &str = "v=0\r\no=a 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n";
const TYPES: &str = "a=accept-types:message/cpim";
const PATH: &str = "a=path:msrp://192.0.2.1:7394/s1;tcp";

/// Reads a description with these lines from the first `m=` line on.
fn read_from(lines: &[&str]) -> Result<MessageMedia, SdpError> {
    let text = format!("{HEAD}{}\r\n", lines.join("\r\n"));
    Description::parse(&text).and_then(|description| description.message_media())
}

/// Reads a section that has what it must have, and these lines.
fn read_with(lines: &[&str]) -> Result<MessageMedia, SdpError> {
    read_from(&[&["m=message 7394 TCP/MSRP *", TYPES, PATH], lines].concat())
}

/// A section that has what it must have, and these lines.
fn media(lines: &[&str]) -> MessageMedia {
    read_with(lines).unwrap()
}

fn bad(result: Result<MessageMedia, SdpError>, attribute: &str) {
    let error = result.unwrap_err();
    assert!(error.is_malformed(), "{error}");
    assert!(
        matches!(error, SdpError::BadAttribute { name, .. } if name == attribute),
        "{error}"
    );
}

// covers: MSRP-4975-8.2-01
#[test]
fn section_without_path_is_not_acceptable() {
    let error = read_from(&["m=message 7394 TCP/MSRP *", TYPES]).unwrap_err();
    assert_eq!(error, SdpError::NoPath);
    assert!(!error.is_malformed());
}

// covers: MSRP-4975-8.6-01
#[test]
fn section_without_accept_types_is_not_acceptable() {
    let error = read_from(&["m=message 7394 TCP/MSRP *", PATH]).unwrap_err();
    assert_eq!(error, SdpError::NoAcceptTypes);
    assert!(!error.is_malformed());
}

#[test]
fn accept_types_without_any_type_is_malformed() {
    for line in [
        "a=accept-types",
        "a=accept-types:",
        "a=accept-types: ",
        "a=accept-types:plain / text/ ;",
    ] {
        bad(
            read_from(&["m=message 7394 TCP/MSRP *", PATH, line]),
            "accept-types",
        );
    }
}

#[test]
fn description_without_usable_section_says_why() {
    let cases: [(&[&str], SdpError); 6] = [
        (&[], SdpError::NoMessageMedia),
        (&["m=audio 4000 RTP/AVP 0"], SdpError::NoMessageMedia),
        (&["m=message 0 TCP/MSRP *"], SdpError::MediaRefused),
        (
            &["m=message 9 SCTP/MSRP *"],
            SdpError::UnsupportedProtocol("SCTP/MSRP".to_owned()),
        ),
        (
            &["m=message 0 TCP/MSRP *", "m=message 9 UDP/X *"],
            SdpError::UnsupportedProtocol("UDP/X".to_owned()),
        ),
        (
            &["m=audio 4000 RTP/AVP 0", "m=message 0 TCP/MSRP *"],
            SdpError::MediaRefused,
        ),
    ];
    for (lines, expected) in cases {
        let error = read_from(lines).unwrap_err();
        assert_eq!(error, expected);
        assert!(!error.is_malformed());
    }
}

// covers: MSRP-4975-8.1-05
#[test]
fn refused_sections_are_passed_over() {
    let found = read_from(&[
        "m=audio 4000 RTP/AVP 0",
        "m=message 0 TCP/MSRP *",
        "m=message 9 UDP/MSRP *",
        "m=Message 7394 tcp/msrp *",
        TYPES,
        PATH,
    ]);
    assert_eq!(found.unwrap().index, 3);
}

// covers: MSRP-4975-8.1-06
#[test]
fn sections_with_equal_ports_are_separate_sessions() {
    let first = [
        "m=message 7394 TCP/MSRP *",
        TYPES,
        "a=path:msrp://192.0.2.1:7394/one;tcp",
        "a=sendonly",
    ];
    let second = [
        "m=message 7394 TCP/MSRP *",
        "a=accept-types:image/*",
        "a=path:msrp://192.0.2.1:7394/two;tcp",
    ];
    let text = format!(
        "{HEAD}{}\r\n",
        [first.as_slice(), second.as_slice()].concat().join("\r\n")
    );
    let description = Description::parse(&text).unwrap();
    let (one, two) = (
        description.message_media_at(0).unwrap(),
        description.message_media_at(1).unwrap(),
    );
    assert_eq!(description.media_count(), 2);
    assert_ne!(one.path, two.path);
    assert_eq!(
        (one.direction, two.direction),
        (Direction::SendOnly, Direction::SendRecv)
    );
    assert_eq!(two.accept_types, ["image/*"]);
    assert_eq!(
        description.message_media_at(2),
        Err(SdpError::NoMessageMedia)
    );
}

#[test]
fn path_that_cannot_be_used_is_malformed() {
    for line in [
        "a=path",
        "a=path:",
        "a=path:http://192.0.2.1:7394/s1",
        "a=path:msrp://192.0.2.1:7394/s1",
        "a=path:msrp://192.0.2.1/s1;tcp",
        "a=path:msrp://192.0.2.1:0/s1;tcp",
        "a=path:msrp://192.0.2.1:7394/s1;tcp nonsense",
        "a=path:msrp://192.0.2.1:7394/s1;tcp msrp://192.0.2.1/s1;tcp",
    ] {
        bad(
            read_from(&["m=message 7394 TCP/MSRP *", TYPES, line]),
            "path",
        );
    }
}

#[test]
fn two_different_paths_are_malformed_and_equal_ones_are_not() {
    bad(read_with(&["a=path:msrp://192.0.2.1:7394/s2;tcp"]), "path");
    assert_eq!(media(&[PATH]).path.len(), 1);
}

#[test]
fn path_beyond_sixteen_uris_is_too_large() {
    let path = |count| {
        let uris: Vec<String> = (0..count)
            .map(|index| format!("msrp://192.0.2.1:7394/s{index};tcp"))
            .collect();
        read_from(&[
            "m=message 7394 TCP/MSRP *",
            TYPES,
            &format!("a=path:{}", uris.join(" ")),
        ])
    };
    assert_eq!(path(16).unwrap().path.len(), 16);
    assert!(matches!(path(17), Err(SdpError::TooLarge { max: 16, .. })));
}

#[test]
fn tls_protocol_with_a_plain_first_uri_is_refused() {
    bad(
        read_from(&["m=message 7394 TCP/TLS/MSRP *", TYPES, PATH]),
        "path",
    );
    let mixed = "a=path:msrps://192.0.2.1:1/s1;tcp msrp://192.0.2.1:2/s2;tcp";
    assert!(read_from(&["m=message 7394 TCP/TLS/MSRP *", TYPES, mixed]).is_ok());
    assert!(
        read_from(&[
            "m=message 7394 TCP/MSRP *",
            TYPES,
            "a=path:msrps://192.0.2.1:1/s1;tcp"
        ])
        .is_ok()
    );
}

#[test]
fn media_types_match_as_listed() {
    let list = "a=accept-types:Text/Plain image/* application/x;v=\"a b; c\" */";
    let peer = read_from(&[
        "m=message 7394 TCP/MSRP *",
        PATH,
        list,
        "a=accept-wrapped-types:audio/ogg",
    ])
    .unwrap();
    assert_eq!(
        peer.accept_types,
        ["Text/Plain", "image/*", "application/x;v=\"a b; c\""]
    );
    let cases = [
        ("text/plain", true, true),
        ("TEXT/PLAIN; charset=utf-8", true, true),
        ("image/png", true, true),
        ("application/x", true, true),
        ("text/html", false, false),
        ("imagex/png", false, false),
        ("audio/ogg", false, true),
        ("audio/*", false, false),
        ("*", false, false),
        ("", false, false),
        ("text/", false, false),
    ];
    for (media_type, alone, wrapped) in cases {
        assert_eq!(peer.accepts(media_type), alone, "{media_type}");
        assert_eq!(peer.accepts_wrapped(media_type), wrapped, "{media_type}");
    }
    assert!(!peer.accepts_inside("message/cpim", "text/plain"));
}

#[test]
fn star_allows_every_media_type() {
    let peer = read_from(&["m=message 7394 TCP/MSRP *", PATH, "a=accept-types:*"]).unwrap();
    assert!(peer.accepts("text/plain") && peer.accepts("message/cpim"));
    assert!(!peer.accepts("plain"));
}

// covers: MSRP-4975-8.6-02
#[test]
fn listed_type_is_preferred_over_one_that_a_star_allows() {
    let peer = read_from(&[
        "m=message 7394 TCP/MSRP *",
        PATH,
        "a=accept-types:text/html *",
    ])
    .unwrap();
    assert_eq!(
        peer.preferred(&["text/plain", "text/html"]),
        Some("text/html")
    );
    assert_eq!(
        peer.preferred(&["text/plain", "image/png"]),
        Some("text/plain")
    );
    assert_eq!(media(&[]).preferred(&["text/plain"]), None);
}

#[test]
fn accept_types_of_several_lines_are_one_list() {
    assert_eq!(
        media(&["a=accept-types:text/plain"]).accept_types,
        ["message/cpim", "text/plain"]
    );
}

#[test]
fn accept_types_beyond_the_bound_are_too_large() {
    let types: Vec<String> = (0..=limits::FORMAT_ENTRIES_MAX)
        .map(|index| format!("a/{index}"))
        .collect();
    let found = read_from(&[
        "m=message 7394 TCP/MSRP *",
        PATH,
        &format!("a=accept-types:{}", types.join(" ")),
    ]);
    assert!(matches!(found, Err(SdpError::TooLarge { .. })));
}

#[test]
fn max_size_is_read() {
    let cases = [
        ("0", 0),
        ("2048", 2048),
        ("4294967296", 1 << 32),
        ("99999999999999999999999", u64::MAX),
    ];
    for (value, expected) in cases {
        assert_eq!(
            media(&[&format!("a=max-size:{value}")]).max_size,
            Some(expected)
        );
    }
    for line in [
        "a=max-size",
        "a=max-size:",
        "a=max-size:-1",
        "a=max-size:+1",
        "a=max-size:1k",
        "a=max-size:1 2",
    ] {
        bad(read_with(&[line]), "max-size");
    }
    bad(read_with(&["a=max-size:1", "a=max-size:2"]), "max-size");
}

#[test]
fn direction_of_the_section_wins_over_that_of_the_description() {
    let session = format!("{HEAD}a=recvonly\r\nm=message 7394 TCP/MSRP *\r\n{TYPES}\r\n{PATH}\r\n");
    let read = |text: &str| {
        Description::parse(text)
            .unwrap()
            .message_media()
            .unwrap()
            .direction
    };
    assert_eq!(read(&session), Direction::RecvOnly);
    assert_eq!(
        read(&format!("{session}a=sendrecv\r\n")),
        Direction::SendRecv
    );
    assert_eq!(media(&["a=inactive"]).direction, Direction::Inactive);
    assert_eq!(media(&[]).direction, Direction::SendRecv);
}

#[test]
fn contradicting_directions_are_malformed() {
    bad(read_with(&["a=sendonly", "a=recvonly"]), "sendonly");
    assert_eq!(
        media(&["a=sendonly", "a=sendonly"]).direction,
        Direction::SendOnly
    );
}

#[test]
fn direction_reverses_and_narrows() {
    let cases = [
        (Direction::SendRecv, Direction::SendRecv, true, true),
        (Direction::SendOnly, Direction::RecvOnly, true, false),
        (Direction::RecvOnly, Direction::SendOnly, false, true),
        (Direction::Inactive, Direction::Inactive, false, false),
    ];
    for (direction, reversed, may_send, may_receive) in cases {
        assert_eq!(direction.reverse(), reversed);
        assert_eq!(
            (direction.may_send(), direction.may_receive()),
            (may_send, may_receive)
        );
        assert_eq!(direction.within(Direction::SendRecv), direction);
        assert_eq!(direction.within(Direction::Inactive), Direction::Inactive);
    }
    assert_eq!(
        Direction::SendOnly.within(Direction::RecvOnly),
        Direction::Inactive
    );
}

// covers: MSRP-6135-4.2.1-02
#[test]
fn setup_roles_are_read() {
    for setup in [Setup::Active, Setup::Passive, Setup::ActPass] {
        assert_eq!(
            media(&[&format!("a=setup:{}", setup.token())]).setup,
            Some(setup)
        );
    }
    assert_eq!(media(&["a=setup: ACTPASS "]).setup, Some(Setup::ActPass));
    assert_eq!(media(&[]).setup, None);
    bad(read_with(&["a=setup:maybe"]), "setup");
    bad(read_with(&["a=setup:active", "a=setup:passive"]), "setup");
}

#[test]
fn setup_of_the_description_counts_when_the_section_has_none() {
    let text =
        format!("{HEAD}a=setup:active\r\nm=message 7394 TCP/MSRP *\r\n{TYPES}\r\n{PATH}\r\n");
    let read = |text: &str| {
        Description::parse(text)
            .unwrap()
            .message_media()
            .unwrap()
            .setup
    };
    assert_eq!(read(&text), Some(Setup::Active));
    assert_eq!(
        read(&format!("{text}a=setup:passive\r\n")),
        Some(Setup::Passive)
    );
}

// covers: MSRP-6135-4.2.1-04
#[test]
fn holdconn_counts_as_no_setup() {
    let without = media(&[]);
    let with = media(&["a=setup:holdconn"]);
    assert_eq!(with.setup, without.setup);
    assert_eq!(
        msrp_sdp::answer_setup(Some(Setup::HoldConn)),
        msrp_sdp::answer_setup(None)
    );
    assert_eq!(
        msrp_sdp::offerer_connects(Some(Setup::HoldConn)),
        msrp_sdp::offerer_connects(None)
    );
}

// covers: MSRP-6135-4.4-02
#[test]
fn connection_attribute_changes_nothing() {
    let mut with = media(&["a=connection:existing"]);
    with.attributes.pop();
    assert_eq!(with, media(&[]));
}

#[test]
fn chatroom_tokens_are_read_once() {
    let cases: [(&str, &[&str]); 4] = [
        ("a=chatroom", &[]),
        ("a=chatroom:", &[]),
        (
            "a=chatroom:nickname private-messages",
            &["nickname", "private-messages"],
        ),
        (
            "a=chatroom:nickname NICKNAME com.example.chat.foo",
            &["nickname", "com.example.chat.foo"],
        ),
    ];
    for (line, expected) in cases {
        assert_eq!(media(&[line]).chatroom.unwrap(), expected, "{line}");
    }
    assert_eq!(media(&[]).chatroom, None);
    assert!(!media(&["a=chatroom"]).supports_nicknames());
    assert!(media(&["a=chatroom:nicknames"]).supports_nicknames());
    let tokens: Vec<String> = (0..=limits::CHAT_TOKENS_MAX)
        .map(|index| format!("t{index}"))
        .collect();
    let many = read_with(&[&format!("a=chatroom:{}", tokens.join(" "))]);
    assert!(matches!(many, Err(SdpError::TooLarge { .. })));
}

#[test]
fn fingerprint_with_sha256_is_taken_first() {
    let lines = [
        "a=fingerprint:sha-1 AB:CD",
        "a=fingerprint:SHA-256 01:ef",
        "a=fingerprint:sha-256 02:03",
    ];
    assert_eq!(media(&lines).fingerprint.as_deref(), Some("SHA-256 01:ef"));
    assert_eq!(
        media(&lines[..1]).fingerprint.as_deref(),
        Some("sha-1 AB:CD")
    );
}

#[test]
fn broken_fingerprint_matters_only_with_tls() {
    let tls = [
        "m=message 7394 TCP/TLS/MSRP *",
        TYPES,
        "a=path:msrps://192.0.2.1:7394/s1;tcp",
    ];
    for line in [
        "a=fingerprint",
        "a=fingerprint:sha-256",
        "a=fingerprint:sha-256 0",
        "a=fingerprint:sha-256 0G:11",
    ] {
        assert_eq!(media(&[line]).fingerprint, None);
        bad(
            read_from(&[tls.as_slice(), &[line]].concat()),
            "fingerprint",
        );
    }
}

#[test]
fn copyable_attributes_are_those_about_content() {
    let peer = media(&[
        "a=max-size:5",
        "a=setup:active",
        "a=connection:new",
        "a=FILE-selector:name:\"a\"",
        "a=file-range:1-2",
        "a=fingerprint:sha-256 AA",
        "a=msrp-cema",
        "a=candidate:1 1 TCP 1 192.0.2.1 9 typ host",
        "a=ice-ufrag:x",
        "a=ice-pwd:x",
        "a=chatroom:nickname",
        "a=accept-wrapped-types:text/plain",
        "a=label:1",
        "a=lang:de",
        "a=content:slides",
        "a=x-vendor:1",
        "a=file",
        "a=recvonly",
    ]);
    let names: Vec<String> = peer
        .copyable_attributes()
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(
        names,
        [
            "FILE-selector",
            "file-range",
            "label",
            "lang",
            "content",
            "recvonly"
        ]
    );
}

#[test]
fn attributes_keep_their_order_and_their_values() {
    let peer = media(&["a=x:1:2", "a=y", "a=z:"]);
    let expected = [("x", Some("1:2")), ("y", None), ("z", Some(""))];
    let found: Vec<_> = peer
        .attributes
        .iter()
        .skip(2)
        .map(|(name, value)| (name.as_str(), value.as_deref()))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn connection_line_of_the_section_wins() {
    let found = read_from(&[
        "m=message 7394 TCP/MSRP *",
        "c=IN IP6 2001:db8::1",
        TYPES,
        PATH,
    ])
    .unwrap();
    assert_eq!(found.connection.as_deref(), Some("2001:db8::1"));
    assert_eq!(media(&[]).connection.as_deref(), Some("192.0.2.1"));
}

#[test]
fn sloppy_descriptions_are_read() {
    let bare_lf = format!("v=0\nm=message 7394 TCP/MSRP *\n{TYPES}\n{PATH}");
    assert!(
        Description::parse(&bare_lf)
            .unwrap()
            .message_media()
            .is_ok()
    );
    let unknown_lines = format!(
        "{HEAD}x=1\r\nm=message 7394/2 TCP/MSRP text/plain\r\ny=2\r\n{TYPES}\r\n{PATH}\r\n"
    );
    assert!(
        Description::parse(&unknown_lines)
            .unwrap()
            .message_media()
            .is_ok()
    );
}

#[test]
fn broken_descriptions_name_the_line() {
    let cases = [
        ("", 0),
        ("hello", 1),
        ("v=1\r\n", 1),
        ("o=a 1 1 IN IP4 h\r\n", 0),
        ("v=0\r\nm=message x TCP/MSRP *\r\n", 2),
        ("v=0\r\nm=message 70000 TCP/MSRP *\r\n", 2),
        ("v=0\r\nm=message 9 TCP/MSRP\r\n", 2),
        ("v=0\r\nc=IN IP4 a\r\nc=IN IP4 b\r\n", 3),
        ("v=0\r\na=x\0y\r\n", 2),
        ("v=0\r\na=x\ry\r\n", 2),
    ];
    for (text, expected) in cases {
        let error = Description::parse(text).unwrap_err();
        assert!(error.is_malformed());
        assert!(
            matches!(error, SdpError::Malformed { line, .. } if line == expected),
            "{text:?}: {error:?}"
        );
    }
}

#[test]
fn descriptions_beyond_the_bounds_are_too_large() {
    let octets = "a=x\r\n".repeat(limits::DESCRIPTION_OCTETS_MAX / 5);
    let lines = "\n".repeat(limits::LINES_MAX);
    let line = format!("a={}\r\n", "x".repeat(limits::LINE_OCTETS_MAX));
    let sections = "m=audio 0 RTP/AVP 0\r\n".repeat(limits::MEDIA_SECTIONS_MAX + 1);
    let attributes = "a=x\r\n".repeat(limits::ATTRIBUTES_MAX + 1);
    let section_attributes = format!("m=audio 0 RTP/AVP 0\r\n{attributes}");
    for more in [
        octets,
        lines,
        line,
        sections,
        attributes,
        section_attributes,
    ] {
        let error = Description::parse(&format!("{HEAD}{more}")).unwrap_err();
        assert!(matches!(error, SdpError::TooLarge { .. }), "{error}");
        assert!(!error.is_malformed());
    }
}

#[test]
fn origin_tells_whether_the_peer_changed_something() {
    let description = Description::parse("v=0\r\no=a 12 34 IN IP4 192.0.2.1\r\ns=-\r\n").unwrap();
    assert_eq!(description.origin(), ("12", 34));
}

#[test]
fn no_error_and_no_debug_text_shows_a_session_id() {
    const SECRET: &str = "s3cr3t";
    let path =
        |uri: &str| read_from(&["m=message 7394 TCP/MSRP *", TYPES, &format!("a=path:{uri}")]);
    for uri in [
        "msrp://192.0.2.1/s3cr3t;tcp",
        "msrp:/192.0.2.1/s3cr3t;tcp",
        "msrp://192.0.2.1:99999/s3cr3t;tcp",
    ] {
        let error = path(uri).unwrap_err();
        assert!(!format!("{error} {error:?}").contains(SECRET));
    }
    let text = format!(
        "{HEAD}m=message 7394 TCP/MSRP *\r\n{TYPES}\r\na=path:msrp://192.0.2.1:7394/s3cr3t;tcp\r\n"
    );
    let description = Description::parse(&text).unwrap();
    assert!(!format!("{description:?}").contains(SECRET));
    let peer = description.message_media().unwrap();
    assert!(!format!("{peer:?}").contains(SECRET));
    let local = msrp_sdp::Local::new(("192.0.2.1".to_owned(), 7394), peer.path[0].clone(), 1);
    assert!(!format!("{local:?}").contains(SECRET));
}

#[test]
fn error_texts_fit_into_a_warning() {
    let errors = [
        Description::parse("v=0\r\nm=x y z w\r\n").unwrap_err(),
        read_from(&["m=message 9 \"<\u{7f}é>\\UDP;x, *"]).unwrap_err(),
        SdpError::NoMessageMedia,
        SdpError::NoPath,
        SdpError::NoAcceptTypes,
        SdpError::MediaRefused,
        SdpError::AddressMismatch,
        SdpError::TooLarge {
            what: "octets",
            max: 1,
        },
        SdpError::BadAttribute {
            name: "path",
            why: "it has no URI",
        },
    ];
    for error in errors {
        let text = error.to_string();
        assert!(text.starts_with("The ") && text.ends_with('.'), "{text}");
        assert!(
            text.bytes()
                .all(|octet| (b' '..=b'~').contains(&octet) && octet != b'"' && octet != b'\\'),
            "{text}"
        );
    }
}
