//! Properties: what we write is read back, nothing adds a line, and no text makes the reader panic.

#![expect(clippy::unwrap_used, reason = "test code")]

use msrp_sdp::{Description, Direction, Local, Protocol, Setup};
use proptest::{collection::vec, option, prelude::*};

const SEED: &str = "v=0\r\no=alice 2890844526 2890844526 IN IP4 host.atlanta.example.com\r\ns=\r\n\
    c=IN IP4 host.atlanta.example.com\r\nt=0 0\r\na=recvonly\r\n\
    m=audio 4000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n\
    m=message 7654 TCP/TLS/MSRP *\r\ni=picture\r\na=sendonly\r\n\
    a=accept-types:message/cpim text/plain;charset=\"utf 8\" *\r\na=accept-wrapped-types:*\r\n\
    a=path:msrps://[2001:db8::7]:2855/r;tcp msrps://atlanta.example.com:7654/jshA7we;tcp\r\n\
    a=max-size:1000\r\na=setup:actpass\r\na=chatroom:nickname private-messages\r\na=msrp-cema\r\n\
    a=fingerprint:sha-256 4A:AD:B9\r\na=file-selector:name:\"My \\\"cool\\\" picture.jpg\" size:32349\r\n";

fn local() -> impl Strategy<Value = Local> {
    let host = prop_oneof![
        "[a-z]{1,8}\\.example\\.com",
        Just("192.0.2.9".to_owned()),
        Just("[2001:db8::1]".to_owned())
    ];
    let media_type = prop_oneof![
        "[a-z]{1,8}/[a-z0-9.+-]{1,12}",
        "[a-z]{1,8}/\\*",
        Just("*".to_owned()),
        quoted_type()
    ];
    let direction = prop_oneof![
        Just(Direction::SendRecv),
        Just(Direction::SendOnly),
        Just(Direction::RecvOnly),
        Just(Direction::Inactive)
    ];
    let setup = prop_oneof![Just(Setup::Active), Just(Setup::ActPass)];
    let attribute = ("x-[a-z]{1,8}", option::of("[ -~äß]{0,20}"));
    (
        (host, 1_u16.., "[A-Za-z0-9]{8,24}", any::<bool>()),
        (
            vec(media_type.clone(), 1..6),
            vec(media_type, 0..6),
            option::of(any::<u64>()),
        ),
        (
            direction,
            setup,
            option::of(proptest::collection::btree_set("[a-z.-]{1,12}", 0..4)),
            any::<bool>(),
        ),
        (vec(attribute, 0..5), any::<u64>(), any::<u64>()),
    )
        .prop_map(
            |(
                (host, port, session, tls),
                (types, wrapped, max_size),
                (direction, setup, chatroom, cema),
                rest,
            )| {
                let scheme = if tls { "msrps" } else { "msrp" };
                let path = format!("{scheme}://{host}:{port}/{session};tcp")
                    .parse()
                    .unwrap();
                Local {
                    accept_types: types,
                    accept_wrapped_types: wrapped,
                    max_size,
                    direction,
                    setup,
                    chatroom: chatroom.map(|tokens| tokens.into_iter().collect()),
                    cema,
                    attributes: rest.0,
                    session_version: rest.2,
                    ..Local::new((host, port), path, rest.1)
                }
            },
        )
}

fn quoted_type() -> impl Strategy<Value = String> {
    "[a-z ;=]{0,12}".prop_map(|value| format!("text/plain;x=\"{value}\""))
}

/// Text with what breaks lines and entries.
fn poison() -> impl Strategy<Value = String> {
    vec(
        prop_oneof![
            "[ -~]",
            Just("\r\n".to_owned()),
            Just("\n".to_owned()),
            Just("\0".to_owned()),
            Just("a=path:x".to_owned())
        ],
        0..12,
    )
    .prop_map(|parts| parts.concat())
}

/// Reads a text as far as it goes, and composes from what was found.
fn exercise(text: &str) {
    let Ok(description) = Description::parse(text) else {
        return;
    };
    let local = Local::new(
        ("192.0.2.9".to_owned(), 2855),
        "msrp://192.0.2.9:2855/k;tcp".parse().unwrap(),
        1,
    );
    for index in 0..description.media_count() {
        if let Ok(media) = description.message_media_at(index) {
            assert!(!media.path.is_empty() && !media.accept_types.is_empty());
            let _ = (
                media.address_match(),
                media.connect_address(true),
                media.preferred(&["text/plain"]),
            );
            let copying = Local {
                attributes: media.copyable_attributes(),
                ..local.clone()
            };
            let answer = Description::parse(&copying.answer(&description, &media)).unwrap();
            assert_eq!(answer.media_count(), description.media_count());
        }
    }
    let refusal = Description::parse(&local.answer_none(&description)).unwrap();
    assert_eq!(refusal.media_count(), description.media_count());
    let _ = description
        .message_media()
        .map_err(|error| error.to_string());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn offer_is_read_back_as_it_was_meant(local in local()) {
        let description = Description::parse(&local.offer()).unwrap();
        let media = description.message_media().unwrap();
        prop_assert_eq!(description.media_count(), 1);
        let session_id = local.session_id.to_string();
        prop_assert_eq!(description.origin(), (session_id.as_str(), local.session_version));
        prop_assert_eq!(media.protocol, local.protocol);
        prop_assert_eq!(media.port, local.address.1);
        prop_assert_eq!(&media.path, std::slice::from_ref(&local.path));
        prop_assert_eq!(&media.accept_types, &local.accept_types);
        prop_assert_eq!(&media.accept_wrapped_types, &local.accept_wrapped_types);
        prop_assert_eq!(media.max_size, local.max_size);
        prop_assert_eq!(media.direction, local.direction);
        prop_assert_eq!(media.setup, Some(local.setup));
        prop_assert_eq!(&media.chatroom, &local.chatroom);
        prop_assert_eq!(media.cema, local.cema);
        prop_assert_eq!(media.address_match(), msrp_sdp::AddressMatch::Matches);
        let written = media.attributes.len() - local.attributes.len();
        prop_assert_eq!(&media.attributes[written..], &local.attributes[..]);
    }

    #[test]
    fn no_value_adds_a_line(
        host in poison(), types in vec(poison(), 0..4), wrapped in vec(poison(), 0..4), tokens in vec(poison(), 0..4),
        attributes in vec((poison(), option::of(poison())), 0..6),
    ) {
        let path = "msrp://192.0.2.9:2855/k;tcp".parse().unwrap();
        let attributes_count = attributes.len();
        let local = Local {
            accept_types: types,
            accept_wrapped_types: wrapped,
            chatroom: Some(tokens),
            attributes,
            ..Local::new((host, 1), path, 1)
        };
        let offer = local.offer();
        let lines: Vec<&str> = offer.strip_suffix("\r\n").unwrap().split("\r\n").collect();
        prop_assert!(lines.iter().all(|line| !line.contains(['\r', '\n', '\0'])));
        prop_assert!(lines.len() <= 10 + 1 + attributes_count);
        prop_assert_eq!(lines.iter().filter(|line| line.starts_with("a=path:")).count(), 1);
        prop_assert_eq!(lines.iter().filter(|line| line.starts_with("m=")).count(), 1);
        prop_assert!(lines.iter().all(|line| line.as_bytes().get(1) == Some(&b'=')));
        let media = Description::parse(&offer).unwrap().message_media().unwrap();
        prop_assert_eq!(media.path, [local.path]);
        prop_assert_eq!(media.protocol, Protocol::TcpMsrp);
    }

    #[test]
    fn changed_descriptions_never_panic(
        changes in vec((0..SEED.len(), any::<u8>(), 0_u8..4), 1..12),
    ) {
        let mut octets = SEED.as_bytes().to_vec();
        for (at, octet, kind) in changes {
            if octets.is_empty() {
                break;
            }
            let at = at.min(octets.len() - 1);
            match kind {
                0 => octets[at] = octet,
                1 => octets.insert(at, octet),
                2 => drop(octets.remove(at)),
                _ => octets.truncate(at.max(1)),
            }
        }
        exercise(&String::from_utf8_lossy(&octets));
    }

    #[test]
    fn shuffled_lines_never_panic(order in vec(0..SEED.lines().count(), 0..60)) {
        let lines: Vec<&str> = SEED.lines().collect();
        let text: Vec<&str> = order.iter().map(|index| lines[*index]).collect();
        exercise(&format!("v=0\r\n{}\r\n", text.join("\r\n")));
    }
}

#[test]
fn description_cut_at_every_octet_never_panics() {
    for end in 0..=SEED.len() {
        exercise(SEED.get(..end).unwrap());
    }
    assert!(Description::parse(SEED).unwrap().message_media().is_ok());
}
