//! System calls that fail although nothing is wrong with what they are about. A tracer has the daemon see it.
//!
//! The data path runs on epoll here: what io_uring does is no system call of its own.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Stdio};

use msrp_testkit::Daemon;
use msrpd_tests::{Way, config_with_friends};

use crate::talk::Talk;
use crate::{MESSAGES, assert_conversation_begins, assert_served, repeat};

/// Makes system calls of the shards fail while it lives.
pub(crate) struct Injection {
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

    pub(crate) fn of_threads(threads: &[String], calls: &str, fault: &str) -> Self {
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
    pub(crate) fn end(self) {
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
pub(crate) fn threads(daemon: &Daemon, name: &str) -> Vec<String> {
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
        talk.say_first_half(number).await;
        let fault = faults[number % faults.len()];
        let injection = Injection::new(&talk.daemon, calls, fault);
        talk.say_second_half();
        talk.wait_reports(MESSAGES).await;
        injection.end();
        let daemon = talk.end_with_nothing_lost().await;
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
        talk.say_first_half(number).await;
        let fault = format!("{}:when={}", faults[number % faults.len()], 1 + number % 3);
        let injection = Injection::new(&talk.daemon, calls, &fault);
        talk.say_second_half();
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
        let daemon = talk.end_with_nothing_lost().await;
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
        let daemon = talk.end_with_nothing_lost().await;
        assert_conversation_begins(&daemon, way).await;
    })
    .await;
}
