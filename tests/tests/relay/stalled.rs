//! A recipient behind the relay that does not read.

use msrp_testkit::{Daemon, Draft, Mode, MsrpEndpoint};

use crate::client::{ALICE, Client, config};

#[tokio::test]
async fn what_a_stalled_recipient_did_not_take_is_reported_and_memory_stays_bounded() {
    for backend in ["auto", "epoll"] {
        let config = config().backend(backend).set("limits", "stall_s", 2);
        let relay = Daemon::start(config).await;
        let mut alice = Client::of(&relay, &ALICE).await;
        let endpoint = MsrpEndpoint::bind().await;
        let bob = endpoint.receive_buffer_octets(4096);
        let bob = bob.connect_to(relay.msrp_addr(), &alice.path).await;
        bob.bind().await;
        alice.talk_to(bob.uri());
        bob.set_mode(Mode::Deaf);
        let before = resident_octets(relay.pid());
        let drafts: Vec<_> = (0..MESSAGES)
            .map(|_| Draft::new("text/plain", "x".repeat(OCTETS)))
            .collect();
        let mut sent = Vec::new();
        for draft in &drafts {
            sent.push(alice.peer.send(draft));
        }
        // All are answered once nobody waits for the recipient, and each ends in a report of failure or was sent in time.
        let ended = |what: &str| format!("msrp_relay_sends_total{{outcome=\"{what}\"}}");
        relay
            .wait_metric(&ended("failed"), |count| count > 0.0)
            .await;
        for (draft, sent) in drafts.iter().zip(&sent) {
            let status = alice.peer.expect_response(&sent.tids[0]).await.status();
            match status {
                // Acknowledged by the relay alone: the recipient has acknowledged none, so each is reported.
                Some(200) => {
                    let report = alice.peer.expect_report().await;
                    assert_ne!(report.report_status(), Some(200), "{}", draft.message_id);
                }
                Some(408 | 413 | 481) => {}
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(
            relay.metric(&ended("delivered")).await,
            1.0,
            "the first empty one"
        );
        let after = resident_octets(relay.pid());
        assert!(after < before + 32 * 1024 * 1024, "{before} {after}");
    }
}

/// The memory of a process.
fn resident_octets(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib: u64 = line
        .unwrap()
        .split_whitespace()
        .nth(1)
        .unwrap()
        .parse()
        .unwrap();
    kib * 1024
}

const MESSAGES: usize = 200;
const OCTETS: usize = 300_000;
