//! Faults in the middle of a conversation. What a final report calls delivered was delivered; what was not delivered is
//! never called so; and while the daemon lives, every message gets its report.
//!
//! Each fault comes at a place that a seed decides. `FAULT_REPEATS` says how often (2 without it). Faults of the network
//! need a namespace of their own: `tests/faults/run` makes it and asks for them by name. `docs/faults.md` has the table.
#![expect(clippy::unwrap_used, reason = "test code")]

mod books;
mod talk;

use std::io::{Read, Write};
use std::process::Command;
use std::time::Instant;

use msrp_testkit::Daemon;
use msrpd_tests::{ALICE, BOB, CAROL, DAVE, FRIENDS, WAYS, Way, config_with_friends};
use talk::{Ends, Talk};

/// Messages of one conversation: as many as may wait for their final report at once.
const MESSAGES: usize = 16;

/// Runs a fault so often as asked for, each time with another number and way.
async fn repeat(fault: impl AsyncFn(Way, usize)) {
    let repeats = std::env::var("FAULT_REPEATS").map_or(2, |count| count.parse().unwrap());
    for number in 0..repeats {
        fault(WAYS[number % WAYS.len()], number).await;
    }
}

/// How many reports are there when the fault comes: spread over the conversation.
fn moment(number: usize) -> usize {
    number * 7 % (MESSAGES - 4)
}

/// Runs a program of the system that must succeed.
fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {} {said}",
        output.status
    );
}

#[tokio::test]
async fn kill_of_the_daemon_leaves_no_false_success_and_the_next_one_serves_at_once() {
    repeat(async |way, number| {
        let talk = Talk::begin(way.start(config_with_friends()).await, way).await;
        talk.say(0..MESSAGES);
        talk.wait_reports(moment(number)).await;
        talk.daemon.signal("KILL");
        let ends = talk.end_as_it_comes().await;
        ends.assert_truth();

        let start = Instant::now();
        let daemon = way.start(config_with_friends()).await;
        let alice = way.join(&daemon, FRIENDS, ALICE).await;
        alice.say("back").await;
        println!("first 200 after the kill: {:?}", start.elapsed());
    })
    .await;
}

#[tokio::test]
async fn daemon_that_stands_still_for_a_while_loses_nothing() {
    repeat(async |way, number| {
        let talk = Talk::begin(way.start(config_with_friends()).await, way).await;
        talk.say(0..MESSAGES / 2);
        talk.wait_reports(moment(number) / 2).await;
        talk.daemon.signal("STOP");
        talk.say(MESSAGES / 2..MESSAGES);
        talk.daemon.signal("CONT");
        talk.wait_reports(MESSAGES).await;
        let ends = talk.end().await;
        ends.assert_truth();
        ends.assert_delivered(MESSAGES, &[BOB, CAROL, DAVE]);
    })
    .await;
}

#[tokio::test]
async fn recipient_that_resets_its_connection_is_reported_and_the_others_get_everything() {
    repeat(async |way, number| {
        let talk = Talk::begin(way.start(config_with_friends()).await, way).await;
        talk.say(0..MESSAGES / 2);
        talk.wait_reports(moment(number) / 2).await;
        // What he does not read is on its way to him when he goes.
        talk.deafen(BOB);
        talk.say(MESSAGES / 2..MESSAGES);
        let copies = (MESSAGES * 3) as f64;
        talk.daemon
            .wait_metric("msrp_copies_opened_total", |opened| opened >= copies)
            .await;
        talk.reset(BOB);
        talk.wait_reports(MESSAGES).await;
        let ends = talk.end().await;
        ends.assert_truth();
        ends.assert_delivered(MESSAGES, &[CAROL, DAVE]);
        ends.assert_some_failed(BOB);
    })
    .await;
}

#[tokio::test]
async fn sender_that_resets_its_connection_leaves_whole_messages_only() {
    repeat(async |way, number| {
        let talk = Talk::begin(way.start(config_with_friends()).await, way).await;
        talk.say(0..MESSAGES);
        talk.wait_reports(moment(number)).await;
        talk.reset(ALICE);
        let ends = talk.end().await;
        ends.assert_truth();
    })
    .await;
}

/// A stranger gets an answer.
fn assert_served(daemon: &Daemon) {
    let mut stranger = std::net::TcpStream::connect(daemon.msrp_addr()).unwrap();
    let request = "MSRP abcdefgh SEND\r\nTo-Path: msrp://127.0.0.1:1/nobody;tcp\r\n\
From-Path: msrp://127.0.0.1:2/stranger;tcp\r\nMessage-ID: abcdefgh\r\n-------abcdefgh$\r\n";
    stranger.write_all(request.as_bytes()).unwrap();
    let mut answer = [0; 17];
    stranger.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"MSRP abcdefgh 481");
}

#[tokio::test]
async fn lack_of_file_descriptors_keeps_newcomers_out_and_disturbs_nobody() {
    repeat(async |way, _| {
        let talk = Talk::begin(way.start(config_with_friends()).await, way).await;
        let pid = talk.daemon.pid().to_string();
        let open = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
        let limit = open
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .map(|number| number.parse::<usize>().unwrap() + 1)
            .max()
            .unwrap();
        let limit_to = |soft: &str| run("prlimit", &["--pid", &pid, &format!("--nofile={soft}:")]);
        limit_to(&limit.to_string());
        let newcomers: Vec<_> = (0..3)
            .map(|_| std::net::TcpStream::connect(talk.daemon.msrp_addr()).unwrap())
            .collect();
        talk.say(0..MESSAGES / 2);
        talk.wait_reports(MESSAGES / 2).await;
        limit_to("1024");
        drop(newcomers);
        assert_served(&talk.daemon);
        talk.say(MESSAGES / 2..MESSAGES);
        talk.wait_reports(MESSAGES).await;
        let ends = talk.end().await;
        ends.assert_truth();
        ends.assert_delivered(MESSAGES, &[BOB, CAROL, DAVE]);
    })
    .await;
}

/// Starts a daemon that gives a recipient up after two seconds.
async fn impatient(way: Way) -> Daemon {
    way.start(
        config_with_friends()
            .set("limits", "stall_s", 2)
            .set("limits", "final_report_s", 5),
    )
    .await
}

#[tokio::test]
#[ignore = "needs a network namespace: tests/faults/run"]
async fn network_that_swallows_a_recipient_is_a_stall_and_the_others_get_everything() {
    repeat(async |way, number| {
        let talk = Talk::begin(impatient(way).await, way).await;
        talk.say(0..MESSAGES / 2);
        talk.wait_reports(moment(number) / 2).await;
        let port = talk.port(BOB).to_string();
        run("nft", &["add", "table", "inet", "fault"]);
        let chain = "add chain inet fault out { type filter hook output priority 0; }";
        run("nft", &[chain]);
        run(
            "nft",
            &[&format!("add rule inet fault out tcp dport {port} drop")],
        );
        run(
            "nft",
            &[&format!("add rule inet fault out tcp sport {port} drop")],
        );
        talk.say(MESSAGES / 2..MESSAGES);
        talk.wait_reports(MESSAGES).await;
        run("nft", &["delete", "table", "inet", "fault"]);
        let ends: Ends = talk.end().await;
        ends.assert_truth();
        ends.assert_delivered(MESSAGES, &[CAROL, DAVE]);
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
        talk.say(0..MESSAGES / 2);
        talk.wait_reports(moment(number) / 2).await;
        let shape = "qdisc add dev lo root tbf rate 1mbit burst 16k latency 5s";
        run("tc", &shape.split(' ').collect::<Vec<_>>());
        talk.say(MESSAGES / 2..MESSAGES);
        talk.wait_reports(MESSAGES).await;
        run("tc", &["qdisc", "del", "dev", "lo", "root"]);
        let ends = talk.end().await;
        ends.assert_truth();
        ends.assert_delivered(MESSAGES, &[BOB, CAROL, DAVE]);
    })
    .await;
}
