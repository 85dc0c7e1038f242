//! Faults of the process itself: it dies, it stands still, it gets nothing more from the system.

use std::net::UdpSocket;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use msrp_testkit::{Config, Daemon, Invite, MsrpEndpoint};
use msrpd_tests::{ALICE, DAVE, FRIENDS, Way, config_with_friends};

use crate::talk::Talk;
use crate::{MESSAGES, assert_served, moment, repeat, run};

#[tokio::test]
async fn kill_of_the_daemon_leaves_no_false_success_and_the_next_one_serves_at_once() {
    repeat(async |way, number| {
        let talk = Talk::begin(way.start(config_with_friends()).await, way).await;
        talk.say(0..MESSAGES);
        talk.wait_reports(moment(number)).await;
        talk.daemon.signal("KILL");
        let ends = talk.end_as_it_comes().await;
        ends.assert_truth();

        assert_serves_at_once(way).await;
    })
    .await;
}

/// Starts another daemon, and says how long its first answer to a text takes.
async fn assert_serves_at_once(way: Way) {
    let start = Instant::now();
    let daemon = way.start(config_with_friends()).await;
    let alice = way.join(&daemon, FRIENDS, ALICE).await;
    alice.say("back").await;
    println!("first 200 after the kill: {:?}", start.elapsed());
}

#[tokio::test]
async fn daemon_that_stands_still_for_a_while_loses_nothing() {
    repeat(async |way, number| {
        let talk = Talk::begin(way.start(config_with_friends()).await, way).await;
        talk.say_first_half(number).await;
        talk.daemon.signal("STOP");
        talk.say_second_half();
        talk.daemon.signal("CONT");
        talk.wait_reports(MESSAGES).await;
        talk.end_with_nothing_lost().await;
    })
    .await;
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
        talk.say_second_half();
        talk.wait_reports(MESSAGES).await;
        talk.end_with_nothing_lost().await;
    })
    .await;
}

/// Asks so many long questions over SIP; each is remembered for a while when it is answered.
fn ask(daemon: &Daemon, from: u32, questions: u32) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let subject = "x".repeat(3000);
    for number in from..from + questions {
        let question = format!(
            "OPTIONS {FRIENDS} SIP/2.0\r\nVia: SIP/2.0/UDP {address};branch=z9hG4bK-{number}\r\n\
             From: <{ALICE}>;tag={number}\r\nTo: <{FRIENDS}>\r\nCall-ID: {number}\r\n\
             CSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nSubject: {subject}\r\nContent-Length: 0\r\n\r\n"
        );
        // A full buffer loses some, as datagrams are lost.
        let _lost = socket.send_to(question.as_bytes(), daemon.sip_udp());
    }
}

/// Questions of one look at what has become of the daemon.
const QUESTIONS: u32 = 500;

/// What the process of a conversation needs when nothing is wrong.
async fn usual_octets(way: Way) -> u32 {
    let talk = Talk::begin(way.start(config_with_friends()).await, way).await;
    let resident = talk.daemon.metric("process_resident_memory_bytes").await;
    resident.to_string().parse().unwrap()
}

/// A configuration that takes nothing new with so many octets more than a conversation needs.
async fn bounded(way: Way, more: u32) -> Config {
    let bound = usual_octets(way).await + more;
    config_with_friends().set("limits", "memory_octets_max", bound)
}

/// Asks until the bound is reached.
async fn fill_to_the_bound(daemon: &Daemon) {
    let is_reached = |daemon: &Daemon| {
        let mut lines = daemon.log_lines().into_iter();
        lines.any(|line| line.message().starts_with("a bound is reached"))
    };
    let mut turn = tokio::time::interval(Duration::from_millis(50));
    let fill = async {
        for from in (0..).step_by(QUESTIONS as usize) {
            if is_reached(daemon) {
                return;
            }
            ask(daemon, from, QUESTIONS);
            turn.tick().await;
        }
    };
    let filled = tokio::time::timeout(Duration::from_secs(60), fill).await;
    filled.unwrap();
}

async fn assert_newcomer_refused(daemon: &Daemon, way: Way) {
    let invite = Invite::new(FRIENDS, DAVE).media(&MsrpEndpoint::bind().await.media());
    let calling = way.agent(daemon).await.invite(&invite).await;
    calling.expect_failure(503).await;
}

#[tokio::test]
async fn memory_at_its_bound_keeps_newcomers_out_and_disturbs_nobody() {
    repeat(async |way, number| {
        let config = bounded(way, 6 << 20).await;
        let talk = Talk::begin(way.start(config).await, way).await;
        talk.say_first_half(number).await;
        fill_to_the_bound(&talk.daemon).await;
        assert_newcomer_refused(&talk.daemon, way).await;
        talk.say_second_half();
        talk.wait_reports(MESSAGES).await;
        talk.end_with_nothing_lost().await;
    })
    .await;
}

/// A file of the control group of the tests, by its name in the newer or the older version.
fn group_file(newer: &str, older: &str) -> PathBuf {
    let group = PathBuf::from(std::env::var_os("FAULT_CGROUP").unwrap());
    let files = [newer, older].map(|name| group.join(name));
    files.into_iter().find(|file| file.exists()).unwrap()
}

/// Puts a daemon into the control group, which may have so many octets more than it has.
fn confine(daemon: &Daemon, octets: u32) {
    let limit = group_file("memory.max", "memory.limit_in_bytes");
    std::fs::write(limit, octets.to_string()).unwrap();
    let members = group_file("cgroup.procs", "cgroup.procs");
    std::fs::write(members, daemon.pid().to_string()).unwrap();
}

/// Leaves the control group hardly more than it uses.
fn tighten() {
    let used = group_file("memory.current", "memory.usage_in_bytes");
    let used = std::fs::read_to_string(used).unwrap();
    let octets = used.trim().parse::<u64>().unwrap() + (64 << 10);
    // Refused while more is in use than that: the next look finds less, or a dead daemon.
    let limit = group_file("memory.max", "memory.limit_in_bytes");
    let _refused = std::fs::write(limit, octets.to_string());
}

#[tokio::test]
#[ignore = "needs a control group: tests/faults/run"]
async fn memory_that_a_control_group_bounds_is_not_reached_with_a_bound_of_our_own() {
    repeat(async |way, number| {
        let config = bounded(way, 6 << 20).await;
        let talk = Talk::begin(way.start(config).await, way).await;
        confine(&talk.daemon, 32 << 20);
        talk.say_first_half(number).await;
        fill_to_the_bound(&talk.daemon).await;
        // What kills a daemon without a bound: the next test.
        ask(&talk.daemon, 1_000_000, 8000);
        assert_newcomer_refused(&talk.daemon, way).await;
        talk.say_second_half();
        talk.wait_reports(MESSAGES).await;
        talk.end_with_nothing_lost().await;
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a control group: tests/faults/run"]
async fn kill_by_the_control_group_leaves_no_false_success_and_the_next_one_serves_at_once() {
    repeat(async |way, number| {
        let mut talk = Talk::begin(way.start(config_with_friends()).await, way).await;
        confine(&talk.daemon, 4 << 20);
        talk.say(0..MESSAGES);
        talk.wait_reports(moment(number)).await;
        let daemon = &talk.daemon;
        let asking = async {
            let mut turn = tokio::time::interval(Duration::from_millis(20));
            for from in (0..).step_by(QUESTIONS as usize) {
                ask(daemon, from, QUESTIONS);
                tighten();
                turn.tick().await;
            }
        };
        tokio::select! {
            () = asking => {}
            () = daemon.outputs_closed() => {}
            () = tokio::time::sleep(Duration::from_secs(60)) => panic!("it was not killed"),
        }
        let status = talk.daemon.wait_end().await;
        assert_eq!(status.signal(), Some(9));
        talk.end_as_it_comes().await.assert_truth();
        assert_serves_at_once(way).await;
    })
    .await;
}
