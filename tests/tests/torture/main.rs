//! Messages that test the reader of SIP: legal ones in unusual forms, and illegal ones of every kind. Each gets its
//! answer or none, and the daemon serves on.
//!
//! # Spec
//! The classes of RFC 4475: s.3.1.1 legal messages, s.3.1.2 illegal ones, s.3.2 to s.3.4 transactions and applications.
#![expect(
    clippy::unwrap_used,
    reason = "a test stops where something is missing"
)]

mod case;
mod hostile;
mod illegal;
mod legal;
mod refused;
mod wire;

use msrp_testkit::daemon::LogLine;
use msrp_testkit::{Daemon, MsrpEndpoint, SipMessage};
use msrpd_tests::{ALICE, BOB, FRIENDS, WAYS, config_with_friends};
use tokio::net::UdpSocket;

use case::Case;
use case::Expected::{Silence, Status};
use case::with_body;
use wire::{exchange, tcp, udp};

async fn run(cases: Vec<Case>) {
    let daemon = WAYS[0].start(config_with_friends()).await;
    let mut faults = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        let mut wires = vec![udp(&daemon).await];
        if case.is_framed {
            wires.push(tcp(&daemon).await);
        }
        for wire in wires {
            let transport = wire.name();
            let statuses = within(case, exchange(number, case, wire)).await;
            let expected = match case.expected {
                Status(status) => vec![status],
                Silence => vec![],
            };
            if statuses != expected {
                faults.push(format!(
                    "{}, {transport}: {statuses:?}, not {expected:?}",
                    case.name
                ));
            }
        }
    }
    assert!(
        faults.is_empty(),
        "{}\n{}",
        faults.join("\n"),
        daemon.transcript()
    );
    assert_serves(&daemon).await;
}

async fn within(case: &Case, answer: impl Future<Output = Vec<u16>>) -> Vec<u16> {
    match tokio::time::timeout(msrp_testkit::DEADLINE, answer).await {
        Ok(statuses) => statuses,
        Err(_) => panic!("no answer to the probe after: {}", case.name),
    }
}

async fn assert_serves(daemon: &Daemon) {
    let alice = WAYS[0].join(daemon, FRIENDS, ALICE).await;
    let bob = WAYS[1].join(daemon, FRIENDS, BOB).await;
    alice.say("still here").await;
    bob.expect_text(ALICE, "still here").await;
}

#[tokio::test]
async fn legal_messages_in_unusual_forms_are_served() {
    run(legal::legal()).await;
}

#[tokio::test]
async fn illegal_messages_are_refused_or_dropped() {
    run(illegal::illegal()).await;
}

#[tokio::test]
async fn requests_that_are_not_served_are_told_why() {
    run(refused::refused()).await;
}

#[tokio::test]
async fn descriptions_beyond_their_bounds_are_refused() {
    run(hostile::hostile()).await;
}

#[tokio::test]
async fn call_in_compact_and_folded_form_joins_the_group() {
    let media = MsrpEndpoint::bind().await.media().to_string();
    let length: &'static str = Box::leak(format!("l: {}", media.len()).into_boxed_str());
    let call = with_body(
        "compact call",
        Status(200),
        &[
            "INVITE sip:friends@localhost SIP/2.0",
            "v: %VIA%",
            "f: sip:alice@example.com;tag=1",
            "t:",
            " <sip:friends@localhost>",
            "i: %ID%",
            "m: <sip:alice@127.0.0.1:9>",
            "CSeq: 1",
            "\tINVITE",
            "p-asserted-identity : \"Alice\"",
            "  <sip:alice@example.com>",
            "k: timer",
            "x: 1800;",
            " refresher=uac",
            "c:",
            " application/sdp",
            length,
        ],
        media.as_bytes(),
    );
    let daemon = WAYS[0].start(config_with_friends()).await;
    let bob = WAYS[0].join(&daemon, FRIENDS, BOB).await;
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let octets = call.filled(0, "UDP", socket.local_addr().unwrap().port());
    socket.send_to(&octets, daemon.sip_udp()).await.unwrap();
    let is_it =
        |line: &LogLine| line.message() == "participant joined" && line.field("entity") == ALICE;
    daemon.wait_log("alice joined", is_it).await;
    let mut buffer = vec![0; 65_535];
    let answer = async {
        loop {
            let length = socket.recv(&mut buffer).await.unwrap();
            let response = SipMessage::parse(&buffer[..length]).unwrap();
            if response.status() >= 200 {
                return response;
            }
        }
    };
    let answer = tokio::time::timeout(msrp_testkit::DEADLINE, answer)
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.header("Session-Expires"), Some("1800;refresher=uac"));
    assert_eq!(answer.media().address(), daemon.msrp_addr());
    bob.say("to whom it may concern").await;
}
