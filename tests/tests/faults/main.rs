//! Faults in the middle of a conversation. What a final report calls delivered was delivered; what was not delivered is
//! never called so; and while the daemon lives, every message gets its report, and its books say of every copy what the
//! ends saw.
//!
//! Each fault comes at a place that a seed decides. `FAULT_REPEATS` says how often (2 without it). Faults of the network
//! need a namespace of their own, others more of the system: `tests/faults/run` makes it and asks for them by name.
//! `docs/faults.md` has the table.
#![expect(clippy::unwrap_used, reason = "test code")]

mod books;
mod disk;
mod doors;
mod injection;
mod network;
mod peers;
mod process;
mod shard;
mod talk;

use std::io::{Read, Write};
use std::process::Command;

use msrp_testkit::{Config, Daemon};
use msrpd_tests::{ALICE, BOB, FRIENDS, WAYS, Way, config_with_friends, friends};

/// Messages of one conversation: as many as may wait for their final report at once.
const MESSAGES: usize = 16;

/// A fifth member of the group.
const EVE: &str = "sip:eve@example.com";

/// A configuration with a group that [`EVE`] belongs to as well.
fn config_with_eve() -> Config {
    Config::new().group("friends", &friends().members(&[EVE]).xml())
}

/// Runs a fault so often as asked for, each time with another number and way.
async fn repeat(fault: impl AsyncFn(Way, usize)) {
    let repeats = std::env::var("FAULT_REPEATS").map_or(2, |count| count.parse().unwrap());
    for number in 0..repeats {
        fault(WAYS[number % WAYS.len()], number).await;
    }
    let thread = std::thread::current();
    println!("{repeats} times: {}", thread.name().unwrap_or_default());
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

/// Starts a daemon that gives a recipient up after two seconds.
async fn impatient(way: Way) -> Daemon {
    way.start(
        config_with_friends()
            .set("limits", "stall_s", 2)
            .set("limits", "final_report_s", 5),
    )
    .await
}

/// People join, and what one says reaches the other.
async fn assert_conversation_begins(daemon: &Daemon, way: Way) {
    let alice = way.join(daemon, FRIENDS, ALICE).await;
    let bob = way.join(daemon, FRIENDS, BOB).await;
    alice.say("again").await;
    bob.expect_text(ALICE, "again").await;
}
