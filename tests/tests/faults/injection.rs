//! System calls that fail although nothing is wrong with what they are about. A tracer has the daemon see it.
//!
//! The data path runs on epoll here: what io_uring does is no system call of its own.

use std::cell::Cell;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Stdio};

use msrp_testkit::Daemon;
use msrp_testkit::daemon::LogLine;
use msrpd_tests::{ALICE, BOB, CAROL, DAVE, Document, Way, config_with_friends};

use crate::talk::Talk;
use crate::{MESSAGES, assert_conversation_begins, assert_served, moment, repeat};

/// Makes system calls of the shards fail while it lives.
struct Injection {
    tracer: Child,
    /// Its first words are that it began; the rest is read so that it is not held up.
    _words: BufReader<ChildStderr>,
    calls: PathBuf,
}

impl Injection {
    /// In all shards.
    fn new(daemon: &Daemon, calls: &str, fault: &str) -> Self {
        Self::of_threads(&threads(daemon, "shard-"), calls, fault)
    }

    fn of_threads(threads: &[String], calls: &str, fault: &str) -> Self {
        let file = std::env::temp_dir().join(format!("msrpd-calls-{}", threads[0]));
        let mut command = Command::new("strace");
        command.args(threads.iter().flat_map(|thread| ["-p", thread]));
        command.arg("-o").arg(&file);
        command.args(["-e", &format!("trace={calls}")]);
        command.args(["-e", &format!("inject={calls}:{fault}")]);
        let mut tracer = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut words = BufReader::new(tracer.stderr.take().unwrap());
        for _ in threads {
            let mut word = String::new();
            words.read_line(&mut word).unwrap();
            assert!(word.contains("attached"), "{word}");
        }
        Self {
            tracer,
            _words: words,
            calls: file,
        }
    }

    /// Lets calls succeed again. Some must have failed.
    fn end(self) {
        let file = self.calls.clone();
        drop(self);
        let calls = std::fs::read_to_string(&file).unwrap();
        std::fs::remove_file(&file).unwrap();
        assert!(calls.contains("(INJECTED)"), "nothing failed: {calls}");
    }
}

impl Drop for Injection {
    fn drop(&mut self) {
        let pid = self.tracer.id().to_string();
        let told = Command::new("kill").args(["-s", "INT", &pid]).status();
        assert!(told.unwrap().success());
        self.tracer.wait().unwrap();
    }
}

/// The threads of a daemon whose names begin like this.
fn threads(daemon: &Daemon, name: &str) -> Vec<String> {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", daemon.pid())).unwrap();
    let tasks = tasks.map(|task| task.unwrap());
    let named = tasks.filter(|task| {
        let comm = std::fs::read_to_string(task.path().join("comm")).unwrap();
        comm.starts_with(name)
    });
    named
        .map(|task| task.file_name().into_string().unwrap())
        .collect()
}

/// Begins a conversation on the backend whose calls are seen.
async fn begin(way: Way) -> Talk {
    let way = Way {
        backend: "epoll",
        ..way
    };
    Talk::begin(way.start(config_with_friends()).await, way).await
}

/// The fault comes in the middle of a conversation; it is one that goes by.
async fn assert_goes_by(calls: &'static str, faults: &'static [&'static str]) {
    repeat(async |way, number| {
        let talk = begin(way).await;
        talk.say(0..MESSAGES / 2);
        talk.wait_reports(moment(number) / 2).await;
        let fault = faults[number % faults.len()];
        let injection = Injection::new(&talk.daemon, calls, fault);
        talk.say(MESSAGES / 2..MESSAGES);
        talk.wait_reports(MESSAGES).await;
        injection.end();
        let (daemon, ends) = talk.end_with_daemon().await;
        ends.assert_truth();
        ends.assert_delivered(MESSAGES, &[BOB, CAROL, DAVE]);
        assert_conversation_begins(&daemon, way).await;
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a tracer: tests/faults/run"]
async fn send_that_would_block_or_is_interrupted_loses_nothing() {
    let faults = &["error=EAGAIN:when=1+2", "error=EINTR:when=1+2"];
    assert_goes_by("sendmsg", faults).await;
}

#[tokio::test]
#[ignore = "needs a tracer: tests/faults/run"]
async fn receive_that_would_block_or_is_interrupted_loses_nothing() {
    let faults = &["error=EAGAIN:when=1+2", "error=EINTR:when=1+2"];
    assert_goes_by("recvfrom", faults).await;
}

#[tokio::test]
#[ignore = "needs a tracer: tests/faults/run"]
async fn wait_that_is_interrupted_loses_nothing() {
    assert_goes_by("epoll_wait", &["error=EINTR:when=1+2"]).await;
}

/// The fault ends connections in the middle of a conversation, whichever they are.
async fn assert_is_told(calls: &'static str, faults: &'static [&'static str]) {
    repeat(async |way, number| {
        let talk = begin(way).await;
        talk.say(0..MESSAGES / 2);
        talk.wait_reports(moment(number) / 2).await;
        let fault = format!("{}:when={}", faults[number % faults.len()], 1 + number % 3);
        let injection = Injection::new(&talk.daemon, calls, &fault);
        talk.say(MESSAGES / 2..MESSAGES);
        let lost = "msrp_sessions_ended_total{reason=\"connection_lost\"}";
        talk.daemon.wait_metric(lost, |count| count > 0.0).await;
        injection.end();
        talk.wait_reports_or_end(MESSAGES).await;
        let (daemon, ends) = talk.end_with_daemon().await;
        ends.assert_truth();
        assert_conversation_begins(&daemon, way).await;
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a tracer: tests/faults/run"]
async fn send_that_fails_ends_its_session_and_is_told() {
    let faults = &[
        "error=ECONNRESET",
        "error=ENOBUFS",
        "error=EPIPE",
        "error=ENOMEM",
    ];
    assert_is_told("sendmsg", faults).await;
}

#[tokio::test]
#[ignore = "needs a tracer: tests/faults/run"]
async fn receive_that_fails_ends_its_session_and_is_told() {
    let faults = &["error=ECONNRESET", "error=ETIMEDOUT", "error=ENOMEM"];
    assert_is_told("recvfrom", faults).await;
}

#[tokio::test]
#[ignore = "needs a tracer: tests/faults/run"]
async fn accept_that_fails_keeps_newcomers_waiting_and_disturbs_nobody() {
    repeat(async |way, number| {
        let talk = begin(way).await;
        let faults = [
            "ECONNABORTED",
            "EMFILE",
            "ENFILE",
            "ENOMEM",
            "ENOBUFS",
            "EINTR",
        ];
        let fault = format!("error={}:when=1..3", faults[number % faults.len()]);
        let injection = Injection::new(&talk.daemon, "accept4", &fault);
        let address = talk.daemon.msrp_addr();
        let newcomers: Vec<_> = (0..3)
            .map(|_| std::net::TcpStream::connect(address).unwrap())
            .collect();
        talk.say(0..MESSAGES);
        talk.wait_reports(MESSAGES).await;
        assert_served(&talk.daemon);
        injection.end();
        drop(newcomers);
        let (daemon, ends) = talk.end_with_daemon().await;
        ends.assert_truth();
        ends.assert_delivered(MESSAGES, &[BOB, CAROL, DAVE]);
        assert_conversation_begins(&daemon, way).await;
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a tracer: tests/faults/run"]
async fn newcomer_that_cannot_be_watched_is_closed_and_disturbs_nobody() {
    repeat(async |way, number| {
        let talk = begin(way).await;
        let fault = format!("error={}:when=1", ["ENOMEM", "ENOSPC"][number % 2]);
        let injection = Injection::new(&talk.daemon, "epoll_ctl", &fault);
        let mut newcomer = std::net::TcpStream::connect(talk.daemon.msrp_addr()).unwrap();
        let mut octet = [0];
        assert!(!matches!(newcomer.read(&mut octet), Ok(1)), "{octet:?}");
        talk.say(0..MESSAGES);
        talk.wait_reports(MESSAGES).await;
        injection.end();
        let (daemon, ends) = talk.end_with_daemon().await;
        ends.assert_truth();
        ends.assert_delivered(MESSAGES, &[BOB, CAROL, DAVE]);
        assert_conversation_begins(&daemon, way).await;
    })
    .await;
}

/// The group that is not the conversation's.
const OTHERS: &str = "sip:others@localhost";

/// When a line of the log was written, in milliseconds of its day.
fn millis(line: &LogLine) -> u64 {
    let timestamp = line.field("timestamp");
    let (_, clock) = timestamp.trim_end_matches('Z').split_once('T').unwrap();
    let (clock, fraction) = clock.split_once('.').unwrap();
    let seconds = clock.split(':').map(|part| part.parse::<u64>().unwrap());
    let seconds = seconds.fold(0, |sum, part| sum * 60 + part);
    seconds * 1000 + fraction[..3].parse::<u64>().unwrap()
}

/// Waits until a shard has failed and serves again, and says how long that took.
async fn wait_failed_and_back(daemon: &Daemon) {
    let broke = |line: &LogLine| line.message() == "the backend broke";
    let back = |line: &LogLine| line.message() == "the shard serves again";
    let broke = daemon.wait_log("the failure", broke).await;
    let back = daemon.wait_log("the next start", back).await;
    let day = 24 * 60 * 60 * 1000;
    let took = (millis(&back) + day - millis(&broke)) % day;
    println!("shard back after the failure: {took} ms");
    assert!(took < 1000, "{took} ms");
}

/// The shard of the room that began as the first, the second or a later one.
async fn shard_of_room(daemon: &Daemon, number: usize) -> String {
    let started = Cell::new(0);
    let is_it = |line: &LogLine| {
        let is_start = line.message() == "room started";
        started.set(started.get() + usize::from(is_start));
        is_start && started.get() == number
    };
    daemon.wait_log("a room", is_it).await.field("shard")
}

#[tokio::test]
#[ignore = "needs a tracer: tests/faults/run"]
async fn shard_that_fails_ends_its_own_sessions_and_no_others_and_serves_again() {
    repeat(async |way, number| {
        let way = Way {
            backend: "epoll",
            ..way
        };
        let others = Document::new(OTHERS).members(&[ALICE, BOB]);
        let config = config_with_friends().group("others", &others.xml());
        let talk = Talk::begin(way.start(config).await, way).await;
        let of_talk = shard_of_room(&talk.daemon, 1).await;
        let alice = way.join(&talk.daemon, OTHERS, ALICE).await;
        let bob = way.join(&talk.daemon, OTHERS, BOB).await;
        let of_others = shard_of_room(&talk.daemon, 2).await;
        assert_ne!(of_talk, of_others);
        let fails_talk = number / 4 % 2 == 0;
        let failing = if fails_talk { of_talk } else { of_others };
        talk.say(0..MESSAGES / 2);
        talk.wait_reports(moment(number) / 2).await;
        let thread = threads(&talk.daemon, &format!("shard-{failing}"));
        let fault = "error=ENOMEM:when=1";
        let injection = Injection::of_threads(&thread, "epoll_wait", fault);
        talk.say(MESSAGES / 2..MESSAGES);
        wait_failed_and_back(&talk.daemon).await;
        injection.end();
        let daemon = if fails_talk {
            alice.say("still here").await;
            bob.expect_text(ALICE, "still here").await;
            let (daemon, ends) = talk.end_after_failure().await;
            ends.assert_truth();
            daemon
        } else {
            talk.wait_reports(MESSAGES).await;
            alice.msrp.expect_closed().await;
            bob.msrp.expect_closed().await;
            let (daemon, ends) = talk.end_with_daemon().await;
            ends.assert_truth();
            ends.assert_delivered(MESSAGES, &[BOB, CAROL, DAVE]);
            daemon
        };
        assert_conversation_begins(&daemon, way).await;
        let lost = daemon
            .metric("msrp_sessions_ended_total{reason=\"shard_failed\"}")
            .await;
        assert_eq!(lost, if fails_talk { 4.0 } else { 2.0 });
    })
    .await;
}
