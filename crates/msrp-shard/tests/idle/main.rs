//! What a session costs that says nothing: memory, and processor time.
//!
//! The engine has a process of its own, so that its resident memory is that of the sessions alone, and
//! the peers have another one. Both are this test again, started with a role in the environment.
#![expect(clippy::unwrap_used, reason = "test code")]

mod meter;
mod node;
mod peers;

use std::process::{Command, Stdio};

/// Names what a process of this test is there for.
const ROLE: &str = "MSRP_IDLE_ROLE";

/// This test again, in another role, with as many files as it may have.
fn process(role: &str) -> Command {
    let mut command = Command::new("sh");
    command
        .args(["-c", "ulimit -n \"$(ulimit -Hn)\"; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", TEST, "--nocapture"])
        .env(ROLE, role)
        .stdin(Stdio::null());
    command
}

/// Sessions to hold, when the limit of files allows them.
const SESSIONS: usize = 15_000;
/// Sessions on the backend that is chosen by itself: what differs there is only what it keeps for a socket.
const SESSIONS_FEWER: usize = 12_000;

/// The only test.
const TEST: &str = "session_that_is_idle_costs_little_memory_and_no_time";

#[test]
fn session_that_is_idle_costs_little_memory_and_no_time() {
    match std::env::var(ROLE).ok().as_deref() {
        Some("peers") => peers::run(),
        Some("any") => node::run(ring_io::Want::Auto, SESSIONS_FEWER),
        Some("epoll") => node::run(ring_io::Want::Epoll, SESSIONS),
        Some(other) => panic!("no such role: {other}"),
        None => {
            for role in ["epoll", "any"] {
                assert!(process(role).status().unwrap().success(), "{role}");
            }
        }
    }
}
