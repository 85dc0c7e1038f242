//! Requests that are refused before anything is created.

use super::world::{FACTORY, World, caller, list_body, multipart, peer, sdp, sdp_text, sdp_with};
use crate::ua::{Body, Headers, Method, Peer, Transport};

const NOT_AUTHORISED: &str = "399 im.example \"127 Service not authorised\"";

fn body() -> Body {
    list_body("alice", &["sip:bob@example.com"])
}

// covers: COM-5.1-06, COM-5.1-07, COM-5.1-03, COM-5.6-02, COM-5.6-03, COM-5.6-05, COM-5.1-05
#[test]
fn callers_without_identity_are_refused() {
    let from = || Headers::new().with("From", "<sip:alice@example.com>");
    let untrusted = Peer {
        address: "192.0.2.66:5060".parse().unwrap(),
        transport: Transport::Udp,
    };
    let cases = [
        (peer(), from()),
        (
            peer(),
            from().with("P-Preferred-Identity", "<sip:alice@example.com>"),
        ),
        (peer(), from().with("P-Asserted-Identity", "nonsense")),
        (untrusted, caller("alice")),
    ];
    let mut world = World::new();
    for (peer, headers) in cases {
        let call = world.invite_from(peer, FACTORY, headers, Some(body()));
        assert_eq!(world.refusal(call), (403, Some(NOT_AUTHORISED.into())));
    }
    assert!(world.engine.log.is_empty());
    world.finish();
}

// covers: COM-5.1-06, COM-5.1-07
#[test]
fn other_requests_without_identity_are_refused() {
    let mut world = World::new();
    for method in [
        Method::Message,
        Method::Refer,
        Method::Subscribe,
        Method::Publish,
    ] {
        let answer = world.request(None, method.clone(), Headers::new(), None);
        assert_eq!(
            (answer.status, answer.headers.first("Warning")),
            (403, Some(NOT_AUTHORISED)),
            "{method:?}"
        );
    }
    world.finish();
}

#[test]
fn other_methods_are_answered_honestly() {
    let mut world = World::new();
    let cases = [
        (Method::Options, 200),
        (Method::Notify, 481),
        (Method::Publish, 405),
        (Method::Info, 405),
        (Method::Register, 405),
    ];
    for (method, status) in cases {
        let answer = world.request(None, method.clone(), caller("alice"), None);
        assert_eq!(answer.status, status, "{method:?}");
        assert_eq!(
            answer.headers.first("Allow"),
            Some("INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE, REFER, SUBSCRIBE, NOTIFY, MESSAGE")
        );
    }
    world.finish();
}

// covers: CTRL-7.2.1.2-02, COM-11.1-01
#[test]
fn unknown_addresses_are_not_found() {
    let mut world = World::new();
    for uri in [
        "sip:other-factory@im.example",
        "sip:bob@elsewhere.example",
        "sip:im-xyz@im.example",
        "tel:+1555",
    ] {
        let call = world.invite(uri, caller("alice"), body());
        assert_eq!(world.refusal(call), (404, None), "{uri}");
    }
    let call = world.invite("x:y", caller("alice"), body());
    assert_eq!(world.final_of(call).status, 416);
    world.finish();
}

#[test]
fn unknown_extensions_are_named() {
    let mut world = World::new();
    let call = world.invite(
        FACTORY,
        caller("alice").with("Require", "recipient-list-invite, 100rel, foo"),
        body(),
    );
    let answer = world.final_of(call);
    assert_eq!(
        (answer.status, answer.headers.first("Unsupported")),
        (420, Some("100rel, foo"))
    );
    let call = world.invite(
        FACTORY,
        caller("alice").with("Require", "Recipient-List-Invite, timer, pref"),
        body(),
    );
    assert!(world.is_unanswered(call));
    let replacing = caller("alice")
        .with("Require", "replaces, recipient-list-subscribe")
        .with("Replaces", "c@h;to-tag=1;from-tag=2");
    let call = world.invite(FACTORY, replacing, body());
    assert_eq!(world.final_of(call).status, 481);
    world.finish();
}

#[test]
fn small_session_interval_is_refused() {
    let mut world = World::new();
    let call = world.invite(
        FACTORY,
        caller("alice").with("Session-Expires", "60"),
        body(),
    );
    let answer = world.final_of(call);
    assert_eq!(
        (answer.status, answer.headers.first("Min-SE")),
        (422, Some("90"))
    );
    world.finish();
}

#[test]
fn unreadable_header_fields_are_named() {
    let mut world = World::new();
    let call = world.invite(
        FACTORY,
        caller("alice").with("Session-Expires", "soon"),
        body(),
    );
    let warning = "399 im.example \"The header field Session-Expires cannot be read\"";
    assert_eq!(world.refusal(call), (400, Some(warning.into())));
    world.finish();
}

// covers: CTRL-7.2.1.2-08
#[test]
fn unacceptable_media_are_refused_with_what_is_supported() {
    let with_text = |text: &str| {
        multipart(
            &Body {
                content_type: String::new(),
                octets: text.as_bytes().to_vec(),
            },
            "<x/>",
        )
    };
    let good = sdp_text("a", "message/cpim", "active");
    let cases = [
        with_text("v=0\r\no=- 1 1 IN IP4 h\r\ns=-\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n"),
        with_text(&good.replace("TCP/MSRP", "TCP/FOO")),
        with_text(&good.replace("message/cpim", "text/html")),
        Body {
            content_type: "application/resource-lists+xml".into(),
            octets: b"<x/>".to_vec(),
        },
    ];
    let mut world = World::new();
    for body in cases {
        let call = world.invite(FACTORY, caller("alice"), body);
        let answer = world.final_of(call);
        assert_eq!(answer.status, 488);
        assert!(
            answer
                .headers
                .first("Warning")
                .unwrap()
                .starts_with("399 im.example \"The ")
        );
        let body = answer.body.unwrap();
        assert_eq!(body.content_type, "application/sdp");
        let text = String::from_utf8(body.octets).unwrap();
        assert!(
            text.contains("m=message 0 TCP/MSRP *\r\na=accept-types:message/cpim\r\n"),
            "{text}"
        );
    }
    let call = world.invite_from(peer(), FACTORY, caller("alice"), None);
    assert_eq!(world.final_of(call).status, 488);
    world.finish();
}

#[test]
fn malformed_bodies_are_refused_and_the_fault_is_named() {
    let list = |xml: &str| multipart(&sdp("alice"), xml);
    let bad_sdp = multipart(
        &Body {
            content_type: String::new(),
            octets: b"nonsense".to_vec(),
        },
        "<x/>",
    );
    let cases = [
        (bad_sdp, "session description"),
        (list("<resource-lists"), "resource list"),
        (
            list("<resource-lists xmlns=\"urn:ietf:params:xml:ns:resource-lists\"/>"),
            "names nobody",
        ),
        (
            list(
                "<resource-lists xmlns=\"urn:ietf:params:xml:ns:resource-lists\"><list><external/></list></resource-lists>",
            ),
            "line 1",
        ),
        (sdp("alice"), "no resource list"),
        (
            Body {
                content_type: "multipart/mixed;boundary=x".into(),
                octets: b"zzz".to_vec(),
            },
            "multipart",
        ),
    ];
    let mut world = World::new();
    for (body, part) in cases {
        let call = world.invite(FACTORY, caller("alice"), body);
        let (status, warning) = world.refusal(call);
        let warning = warning.unwrap();
        assert!(
            status == 400 && warning.contains(part),
            "{status} {warning}"
        );
    }
    assert!(world.engine.log.is_empty());
    world.finish();
}

#[test]
fn unknown_bodies_are_refused_with_the_known_ones() {
    let mut world = World::new();
    let call = world.invite(
        FACTORY,
        caller("alice"),
        Body {
            content_type: "text/plain".into(),
            octets: b"hi".to_vec(),
        },
    );
    let answer = world.final_of(call);
    assert_eq!(answer.status, 415);
    assert!(
        answer
            .headers
            .first("Accept")
            .unwrap()
            .contains("multipart/mixed")
    );
    let call = world.invite(
        FACTORY,
        caller("alice").with("Content-Encoding", "gzip"),
        body(),
    );
    let answer = world.final_of(call);
    assert_eq!(
        (answer.status, answer.headers.first("Accept-Encoding")),
        (415, Some("identity"))
    );
    world.finish();
}

#[test]
fn draining_node_takes_no_new_sessions() {
    let mut world = World::new();
    world.focus.begin_shutdown(world.now);
    let call = world.ad_hoc(&["sip:bob@example.com"]);
    assert_eq!(world.refusal(call).0, 503);
    world.finish();
}

#[test]
fn refusals_and_answers_are_counted_without_names() {
    let mut world = World::new();
    world.invite(
        "sip:nobody@im.example",
        caller("alice"),
        sdp_with("a", "message/cpim"),
    );
    world.one_to_one();
    let samples = world.focus.samples();
    let value = |name: &str, label: Option<&str>| {
        let found = samples
            .iter()
            .find(|s| s.name == name && s.labels.first().map(|(_, v)| v.as_str()) == label);
        found.map(|s| s.value)
    };
    assert_eq!(value("msrp_sip_invites_total", Some("404")), Some(1));
    assert_eq!(value("msrp_sip_invites_total", Some("200")), Some(1));
    assert_eq!(
        value("msrp_sip_refusals_total", Some("unknown_address")),
        Some(1)
    );
    assert_eq!(value("msrp_sip_conferences", None), Some(1));
    assert_eq!(value("msrp_sip_dialogs", None), Some(2));
    assert!(!format!("{samples:?}").contains("alice"));
    world.finish();
}
