//! Faults of the network between the daemon and those who take part.

use std::process::Command;
use std::time::Duration;

use msrp_testkit::Daemon;
use msrpd_tests::{ALICE, BOB, CAROL, DAVE, FRIENDS, Way, config_with_friends};

use crate::talk::{RECIPIENTS, Talk};
use crate::{
    EVE, MESSAGES, assert_conversation_begins, config_with_eve, impatient, moment, repeat, run,
};

/// Rules for packets that leave, on loopback all there are. They go with the value.
struct Filter;

impl Filter {
    /// Each rule is what stands behind `add rule TABLE CHAIN`.
    fn new(rules: &[String]) -> Self {
        let mut script = "add table inet fault; \
add chain inet fault out { type filter hook output priority 0; }"
            .to_owned();
        for rule in rules {
            script.push_str(&format!("; add rule inet fault out {rule}"));
        }
        run("nft", &[&script]);
        Self
    }

    /// Nothing comes to this port, and nothing from it.
    fn silence(port: u16) -> Self {
        Self::new(&[
            format!("tcp dport {port} drop"),
            format!("tcp sport {port} drop"),
        ])
    }
}

impl Drop for Filter {
    fn drop(&mut self) {
        run("nft", &["delete", "table", "inet", "fault"]);
    }
}

#[tokio::test]
#[ignore = "needs a network namespace: tests/faults/run"]
async fn network_that_swallows_a_recipient_is_a_stall_and_the_others_get_everything() {
    repeat(async |way, number| {
        let talk = Talk::begin(impatient(way).await, way).await;
        talk.say_first_half(number).await;
        let silence = Filter::silence(talk.port(BOB));
        talk.say_second_half();
        talk.wait_reports(MESSAGES).await;
        drop(silence);
        talk.end_with_bob_failed(way).await;
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a network namespace: tests/faults/run"]
async fn network_that_comes_back_before_the_stall_loses_nothing() {
    repeat(async |way, number| {
        let talk = Talk::begin(way.start(config_with_friends()).await, way).await;
        talk.say_first_half(number).await;
        let silence = Filter::silence(talk.port(BOB));
        talk.say_second_half();
        talk.wait_opened(MESSAGES).await;
        drop(silence);
        talk.wait_reports(MESSAGES).await;
        talk.end_with_nothing_lost().await;
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a network namespace: tests/faults/run"]
async fn network_that_carries_one_direction_only_is_a_stall_whichever_it_is() {
    repeat(async |way, number| {
        let talk = Talk::begin(impatient(way).await, way).await;
        talk.say_first_half(number).await;
        let direction = ["dport", "sport"][number / 4 % 2];
        let port = talk.port(BOB);
        let half = Filter::new(&[format!("tcp {direction} {port} drop")]);
        talk.say_second_half();
        talk.wait_reports(MESSAGES).await;
        drop(half);
        talk.end_with_bob_failed(way).await;
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a network namespace: tests/faults/run"]
async fn network_that_resets_a_recipient_is_reported_and_the_others_get_everything() {
    repeat(async |way, number| {
        let talk = Talk::begin(way.start(config_with_friends()).await, way).await;
        talk.say_first_half(number).await;
        let port = talk.port(BOB);
        let resets = Filter::new(&[format!("tcp dport {port} reject with tcp reset")]);
        talk.say_second_half();
        talk.wait_reports(MESSAGES).await;
        drop(resets);
        let (daemon, ends) = talk.end_with_daemon().await;
        ends.assert_truth();
        ends.assert_delivered(MESSAGES, &[CAROL, DAVE]);
        assert_conversation_begins(&daemon, way).await;
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a network namespace: tests/faults/run"]
async fn connection_that_the_system_destroys_ends_one_session_and_no_other() {
    repeat(async |way, number| {
        let talk = Talk::begin(way.start(config_with_friends()).await, way).await;
        talk.say_first_half(number).await;
        // What he does not read is not answered when his connection goes.
        talk.deafen(BOB);
        talk.say_second_half();
        talk.wait_opened(MESSAGES).await;
        let port = talk.port(BOB);
        run("ss", &["-K", "dport", "=", &format!(":{port}")]);
        talk.wait_reports(MESSAGES).await;
        talk.hear_again(BOB);
        talk.end_with_bob_failed(way).await;
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a network namespace: tests/faults/run"]
async fn connections_that_the_system_destroys_end_the_conversation_and_not_the_daemon() {
    repeat(async |way, number| {
        let talk = Talk::begin(way.start(config_with_friends()).await, way).await;
        talk.say(0..MESSAGES);
        talk.wait_reports(moment(number)).await;
        let port = talk.daemon.msrp_addr().port();
        run("ss", &["-K", "sport", "=", &format!(":{port}")]);
        let metric = "msrp_connections";
        talk.daemon.wait_metric(metric, |count| count == 0.0).await;
        let (daemon, ends) = talk.end_with_daemon().await;
        ends.assert_truth();
        let alice = way.join(&daemon, FRIENDS, ALICE).await;
        alice.say("back").await;
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a network namespace: tests/faults/run"]
async fn network_of_one_megabit_is_slow_and_loses_nothing() {
    repeat(async |way, number| {
        let talk = Talk::begin(way.start(config_with_friends()).await, way).await;
        talk.say_first_half(number).await;
        let shape = "qdisc add dev lo root tbf rate 1mbit burst 16k latency 5s";
        run("tc", &shape.split(' ').collect::<Vec<_>>());
        talk.say_second_half();
        talk.wait_reports(MESSAGES).await;
        run("tc", &["qdisc", "del", "dev", "lo", "root"]);
        talk.end_with_nothing_lost().await;
    })
    .await;
}

/// An address of the machine. It goes with the value.
struct Address;

impl Address {
    const IP: &str = "10.99.0.1";

    fn new() -> Self {
        run("ip", &["address", "add", Self::IP, "dev", "lo"]);
        Self
    }
}

impl Drop for Address {
    fn drop(&mut self) {
        run(
            "ip",
            &["address", "del", &format!("{}/32", Self::IP), "dev", "lo"],
        );
    }
}

/// Starts a daemon whose listener has an address of its own.
async fn at_address(way: Way, stall_s: u32) -> Daemon {
    let ip = Address::IP;
    let listener = format!("name = \"away\"\nbind = \"{ip}:0\"\ntransport = \"tcp\"\n");
    let config = config_with_friends().listeners(&[&listener]);
    way.start(config.set("limits", "stall_s", stall_s)).await
}

/// Has more said than the recipients' kernels take, takes the address away, and lets the recipients read.
async fn lose_address(talk: &Talk, address: Address) {
    RECIPIENTS.into_iter().for_each(|one| talk.deafen(one));
    talk.say_long(MESSAGES / 2..MESSAGES, |_| 200_000);
    let begun = (MESSAGES / 2 * 3) as f64;
    let series = "msrp_copies_opened_total";
    talk.daemon
        .wait_metric(series, |opened| opened > begun)
        .await;
    drop(address);
    RECIPIENTS.into_iter().for_each(|one| talk.hear_again(one));
}

/// Waits until the kernel has tried in vain to send something again, from this port or to it.
async fn wait_in_vain(port: u16) {
    let mut turn = tokio::time::interval(Duration::from_millis(20));
    let port = format!(":{port}");
    let seen = async {
        loop {
            turn.tick().await;
            let arguments = ["-tinH", "sport", "=", &port, "or", "dport", "=", &port];
            let output = Command::new("ss").args(arguments).output().unwrap();
            if String::from_utf8_lossy(&output.stdout).contains(" backoff:") {
                return;
            }
        }
    };
    let seen = tokio::time::timeout(msrp_testkit::DEADLINE, seen).await;
    seen.unwrap();
}

#[tokio::test]
#[ignore = "needs a network namespace: tests/faults/run"]
async fn address_that_comes_back_before_the_stall_loses_no_session_and_nothing_in_silence() {
    repeat(async |way, number| {
        let address = Address::new();
        let talk = Talk::begin(at_address(way, 30).await, way).await;
        talk.say_first_half(number).await;
        lose_address(&talk, address).await;
        wait_in_vain(talk.daemon.msrp_addr().port()).await;
        let _address = Address::new();
        talk.wait_reports(MESSAGES).await;
        let (daemon, ends) = talk.end_with_daemon().await;
        ends.assert_truth();
        // Who was behind may have missed a message, and then everybody knows.
        ends.assert_told_exactly(MESSAGES);
        assert_conversation_begins(&daemon, way).await;
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a network namespace: tests/faults/run"]
async fn address_that_stays_away_ends_sessions_and_its_return_brings_new_ones() {
    repeat(async |way, number| {
        let address = Address::new();
        let talk = Talk::begin(at_address(way, 2).await, way).await;
        talk.say_first_half(number).await;
        lose_address(&talk, address).await;
        let stalled = "msrp_sessions_ended_total{reason=\"stalled\"}";
        talk.daemon.wait_metric(stalled, |count| count >= 3.0).await;
        let _address = Address::new();
        let (daemon, ends) = talk.end_with_daemon().await;
        ends.assert_truth();
        assert_conversation_begins(&daemon, way).await;
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a network namespace: tests/faults/run"]
async fn answers_that_the_system_refuses_to_send_go_out_when_it_takes_them_again() {
    repeat(async |way, number| {
        // What is sent over UDP fails in the call itself: it may not be sent.
        let way = Way { tcp: false, ..way };
        let talk = Talk::begin(way.start(config_with_eve()).await, way).await;
        talk.say_first_half(number).await;
        // What was said before she joined is not for her.
        talk.wait_opened(MESSAGES / 2).await;
        let port = talk.daemon.sip_udp().port();
        let silence = Filter::new(&[format!("udp sport {port} drop")]);
        let answered = async {
            // Four have joined, and the fifth answer is on its way.
            let answered = "msrp_sip_invites_total{code=\"200\"}";
            talk.daemon
                .wait_metric(answered, |count| count == 5.0)
                .await;
            drop(silence);
        };
        let join = way.join(&talk.daemon, FRIENDS, EVE);
        let (eve, ()) = tokio::join!(join, answered);
        eve.leave().await;
        let participants = "msrp_participants";
        talk.daemon
            .wait_metric(participants, |count| count == 4.0)
            .await;
        talk.say_second_half();
        talk.wait_reports(MESSAGES).await;
        talk.end_with_nothing_lost().await;
    })
    .await;
}
