//! Final delivery reports over real connections.

use msrp_control::{LocalMedia, Media as Offer, ParticipantConfig, ParticipantId};
use msrp_testkit::{Draft, Flag, Frame, Media, Mode, MsrpEndpoint, MsrpPeer};

use crate::node::{Node, ROOM, backends, config, identity, node};
use crate::report_document::{ReportDocument, ReportedLeg};

const TYPE: &str = "application/vnd.oma.poc.final-report+xml";

fn draft(from: &str, text: &str) -> Draft {
    let (from, to) = (format!("<{}>", identity(from)), format!("<{ROOM}>"));
    let headers = [
        ("From", from.as_str()),
        ("To", to.as_str()),
        ("NS", "Rep <urn:oma:xml:poc:final-report>"),
        ("Rep.Final-Report", "yes"),
    ];
    Draft::wrapped_with(&headers, "text/plain", text.as_bytes())
}

/// The next message, reported on with this status.
async fn take_and_report(peer: &MsrpPeer, status: &str) {
    let message = peer.expect_message().await;
    assert_eq!(message.ended, Flag::Last);
    assert_eq!(message.header("Success-Report"), Some("yes"));
    assert!(matches!(
        message.header("Failure-Report"),
        None | Some("yes")
    ));
    let octets = message.body.len();
    peer.report(&message, &format!("1-{octets}/{octets}"), status);
}

fn document(report: &Frame) -> ReportDocument {
    assert_eq!(report.header("Content-Type"), Some(TYPE));
    assert_eq!(report.header("Success-Report"), None);
    assert_eq!(report.header("Failure-Report"), None);
    let body = report.body.as_deref().unwrap();
    assert!(body.len() < 10_240);
    ReportDocument::parse(body)
}

fn leg(name: &str, status: u16) -> ReportedLeg {
    ReportedLeg {
        uri: identity(name),
        status,
        max_size: None,
    }
}

async fn join_with(node: &Node, name: &str, media: impl FnOnce(Media) -> Media) -> MsrpPeer {
    let endpoint = MsrpEndpoint::bind().await;
    let answer = node.offer(name, &media(endpoint.media())).await;
    let peer = endpoint.connect(&answer).await;
    peer.bind().await;
    peer
}

// covers: FR-5.7.1-01, FR-5.7.1-05, FR-5.7.3-01, FR-5.7.3-02, FR-5.7.3-03, FR-5.7.3-06
// covers: FR-5.7.3-08, FR-5.7.3-09, FR-5.7.3-10, FR-5.7.3-11, FR-5.7.3-12, FR-5.7.3-19
// covers: FR-O.1-01, FR-O.1-02, FR-O.1-03, FR-O.1-04, FR-O.1-10, FR-O.1-11, UPS-7.2.3.3-10
#[tokio::test]
async fn final_report_of_a_delivered_message_comes_as_a_report() {
    for want in backends() {
        let node = node(config(want, 2)).await;
        let alice = node.join("alice").await;
        let others = [node.join("bob").await, node.join("carol").await];
        let draft = draft("alice", "hello").success_report("yes");
        let sent = alice.send_ok(&draft).await;
        for other in &others {
            take_and_report(other, "000 200 OK").await;
        }
        let report = alice.expect_report_of(&sent.message_id, 200).await;
        let octets = draft.octets();
        assert_eq!(
            report.header("Byte-Range"),
            Some(format!("1-{octets}/{octets}").as_str())
        );
        let document = document(&report);
        assert_eq!(document.message_id, sent.message_id);
        assert!(document.is_last);
        assert_eq!(document.legs, [leg("bob", 200), leg("carol", 200)]);
        alice.send_ok(&Draft::empty()).await;
        alice.assert_nothing_left();
        assert_eq!(node.metric("msrp_copies_total", Some("delivered")), 2);
    }
}

// covers: FR-5.7.3-04, FR-5.7.3-05, FR-5.7.3-17, FR-O.1-06, FR-O.1-07, FR-O.1-08
#[tokio::test]
async fn final_report_tells_of_each_failure() {
    for want in backends() {
        let mut config = config(want, 1);
        config.limits.final_report_ns = 1_000_000_000;
        let node = node(config).await;
        let alice = node.join("alice").await;
        let bob = node.join("bob").await;
        let carol = node.join("carol").await;
        let dave = node.join("dave").await;
        let erin = node.join("erin").await;
        let frank = join_with(&node, "frank", |media| media.max_size(100)).await;
        let grace = join_with(&node, "grace", |media| {
            media.accept_wrapped_types("image/*")
        })
        .await;
        carol.set_mode(Mode::Manual);
        let sent = alice
            .send_ok(&draft("alice", &"x".repeat(500)).success_report("yes"))
            .await;
        take_and_report(&bob, "000 200 OK").await;
        carol.respond(&carol.expect_chunk().await, 413, "too much");
        dave.expect_message().await;
        dave.close();
        // Takes it and never reports.
        erin.expect_message().await;
        let report = alice.expect_report_of(&sent.message_id, 413).await;
        let mut expected = [
            leg("bob", 200),
            leg("carol", 413),
            leg("dave", 481),
            leg("erin", 408),
            leg("frank", 9999),
            leg("grace", 415),
        ];
        expected[4].max_size = Some(100);
        assert_eq!(document(&report).legs, expected);
        for withheld in [&frank, &grace] {
            withheld.send_ok(&Draft::empty()).await;
            withheld.assert_nothing_left();
        }
    }
}

// covers: FR-5.7.3-13, FR-5.7.3-14, FR-5.7.3-15, FR-5.7.3-16
#[tokio::test]
async fn final_report_without_success_report_comes_as_a_message() {
    for want in backends() {
        for is_bare in [true, false] {
            let node = node(config(want, 2)).await;
            let types = if is_bare {
                "message/cpim application/*"
            } else {
                "message/cpim"
            };
            let alice = join_with(&node, "alice", |media| media.accept_types(types)).await;
            let bob = node.join("bob").await;
            let sent = alice.send_ok(&draft("alice", "hello")).await;
            take_and_report(&bob, "000 200 OK").await;
            let message = alice.expect_message().await;
            assert_ne!(message.id, sent.message_id);
            assert_eq!(message.header("Failure-Report"), Some("no"));
            assert_eq!(message.header("Success-Report"), None);
            let document = if is_bare {
                assert_eq!(message.content_type(), Some(TYPE));
                ReportDocument::parse(&message.body)
            } else {
                let cpim = message.cpim();
                assert_eq!(cpim.from_uri(), Some(ROOM));
                assert_eq!(cpim.to_uris(), [identity("alice")]);
                assert_eq!(cpim.content_type(), Some(TYPE));
                ReportDocument::parse(cpim.text().as_bytes())
            };
            assert_eq!(document.message_id, sent.message_id);
            assert_eq!(document.legs, [leg("bob", 200)]);
            alice.send_ok(&Draft::empty()).await;
            alice.assert_nothing_left();
        }
    }
}

#[tokio::test]
async fn final_report_waits_for_a_recipient_that_connects_late() {
    for want in backends() {
        let node = node(config(want, 1)).await;
        let alice = node.join("alice").await;
        let endpoint = MsrpEndpoint::bind().await;
        let answer = node.offer("bob", &endpoint.media()).await;
        let draft = draft("alice", "hello").success_report("yes");
        let sent = alice.send_ok(&draft).await;
        let bob = endpoint.connect(&answer).await;
        bob.bind().await;
        take_and_report(&bob, "000 200 OK").await;
        let report = alice.expect_report_of(&sent.message_id, 200).await;
        assert_eq!(document(&report).legs, [leg("bob", 200)]);
        alice.send_ok(&Draft::empty()).await;
        bob.send_ok(&Draft::empty()).await;
        assert_eq!(node.metric("msrp_copies_total", Some("delivered")), 1);
    }
}

// covers: FR-5.7.3-07, FR-5.7.3-11, FR-5.7.3-17, FR-O.1-05
#[tokio::test]
async fn final_report_of_a_large_room_comes_in_parts() {
    for want in backends() {
        let node = node(config(want, 1)).await;
        let alice = node.join("alice").await;
        let long = |index: usize| format!("sip:p{index}@{}.example.com", "y".repeat(900));
        let mut others = Vec::new();
        for index in 0..25 {
            let endpoint = MsrpEndpoint::bind().await;
            let name = format!("p{index}");
            let config = ParticipantConfig {
                identities: vec![identity(&name)],
                entity: long(index),
                is_hidden: false,
                may_send_private: true,
                shows_release: false,
                charging: None,
            };
            let offer = Offer::Offer(endpoint.media().to_string());
            let participant = ParticipantId::new(&name).unwrap();
            let local = LocalMedia::default();
            let added =
                node.client
                    .add_participant(node.room.clone(), participant, config, offer, local);
            let peer = endpoint.connect(&Media::parse(&added.await.unwrap())).await;
            peer.bind().await;
            others.push(peer);
        }
        let draft = draft("alice", "hello").success_report("yes");
        let sent = alice.send_ok(&draft).await;
        for other in &others {
            take_and_report(other, "000 200 OK").await;
        }
        let mut uris = Vec::new();
        for is_last in [false, false, true] {
            let report = alice.expect_report_of(&sent.message_id, 200).await;
            let document = document(&report);
            assert_eq!(document.is_last, is_last);
            uris.extend(document.legs.into_iter().map(|leg| leg.uri));
        }
        assert_eq!(uris, (0..25).map(long).collect::<Vec<_>>());
    }
}

// covers: FR-5.7.3-18
#[tokio::test]
async fn report_of_a_recipient_goes_no_further_without_a_final_report() {
    for want in backends() {
        let node = node(config(want, 1)).await;
        let alice = node.join("alice").await;
        let bob = node.join("bob").await;
        let draft = Draft::text(&identity("alice"), ROOM, "hello").success_report("yes");
        let sent = alice.send_ok(&draft).await;
        let plain = alice.expect_report_of(&sent.message_id, 200).await;
        assert_eq!(plain.body, None);
        let message = bob.expect_message().await;
        bob.report(&message, "1-5/5", "000 200 OK");
        bob.report(&message, "1-5/5", "000 413 no");
        bob.send_ok(&Draft::empty()).await;
        alice.send_ok(&Draft::empty()).await;
        alice.assert_nothing_left();
    }
}
