//! A shard that fails while others go on.

use std::cell::Cell;

use msrp_testkit::Daemon;
use msrp_testkit::daemon::LogLine;
use msrpd_tests::{ALICE, BOB, Document, Way, config_with_friends};

use crate::injection::{Injection, threads};
use crate::talk::{RECIPIENTS, Talk};
use crate::{MESSAGES, assert_conversation_begins, repeat};

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
    let broke = |line: &LogLine| {
        let message = line.message();
        message == "the backend broke" || message == "panicked"
    };
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

/// One shard has the conversation, another one a room beside it, and one of them fails.
async fn assert_fails_alone(way: Way, number: usize, fail: impl AsyncFnOnce(&Daemon, &str)) {
    let others = Document::new(OTHERS).members(&[ALICE, BOB]);
    let config = config_with_friends().group("others", &others.xml());
    let talk = Talk::begin(way.start(config).await, way).await;
    let of_talk = shard_of_room(&talk.daemon, 1).await;
    let alice = way.join(&talk.daemon, OTHERS, ALICE).await;
    let bob = way.join(&talk.daemon, OTHERS, BOB).await;
    let of_others = shard_of_room(&talk.daemon, 2).await;
    assert_ne!(of_talk, of_others);
    let fails_talk = (number / 4).is_multiple_of(2);
    let failing = if fails_talk { of_talk } else { of_others };
    talk.say_first_half(number).await;
    talk.say_second_half();
    fail(&talk.daemon, &failing).await;
    let (daemon, ends) = if fails_talk {
        alice.say("still here").await;
        bob.expect_text(ALICE, "still here").await;
        talk.end_after_failure().await
    } else {
        talk.wait_reports(MESSAGES).await;
        tokio::join!(alice.expect_removed(), bob.expect_removed());
        let (daemon, ends) = talk.end_with_daemon().await;
        ends.assert_delivered(MESSAGES, &RECIPIENTS);
        (daemon, ends)
    };
    ends.assert_truth();
    ends.assert_one_shard_lost();
    assert_conversation_begins(&daemon, way).await;
    let series = "msrp_sessions_ended_total{reason=\"shard_failed\"}";
    let lost = daemon.metric(series).await;
    assert_eq!(lost, if fails_talk { 4.0 } else { 2.0 });
}

#[tokio::test]
#[ignore = "needs a tracer: tests/faults/run"]
async fn shard_whose_kernel_interface_breaks_ends_its_own_sessions_and_serves_again() {
    repeat(async |way, number| {
        // What io_uring does is no system call of its own.
        let backend = "epoll";
        assert_fails_alone(Way { backend, ..way }, number, async |daemon, shard| {
            let thread = threads(daemon, &format!("shard-{shard}"));
            let injection = Injection::of_threads(&thread, "epoll_wait", "error=ENOMEM:when=1");
            wait_failed_and_back(daemon).await;
            injection.end();
        })
        .await;
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a build with the feature test-faults: tests/faults/run"]
async fn shard_that_panics_ends_its_own_sessions_and_serves_again() {
    repeat(async |way, number| {
        assert_fails_alone(way, number, async |daemon, shard| {
            daemon.signal(if shard == "0" { "USR1" } else { "USR2" });
            wait_failed_and_back(daemon).await;
        })
        .await;
    })
    .await;
}
