//! The signals that end a process, and those that have it read its files anew.

use std::io;
use std::sync::LazyLock;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// SIGTERM and SIGINT, from the moment of [`Signals::listen`].
pub struct Signals {
    term: Signal,
    int: Signal,
}

impl Signals {
    /// Starts listening; from now on neither signal ends the process by itself.
    ///
    /// # Errors
    /// The operating system's.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            term: signal(SignalKind::terminate())?,
            int: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for a signal and names it.
    pub async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.term.recv() => "SIGTERM",
            _ = self.int.recv() => "SIGINT",
        }
    }

    /// From now on the next signal ends the process at once, with status [`STATUS`].
    pub fn end_at_next(mut self) {
        tokio::spawn(async move {
            let name = self.next().await;
            tracing::warn!(signal = name, "ended by a second signal");
            crate::log::flush();
            std::process::exit(STATUS);
        });
    }
}

/// Hang-ups that were passed on, from the moment of [`Hangups::listen`]: read anew what you follow.
///
/// They are one for the process, like the signal that they come from.
pub struct Hangups(watch::Receiver<u64>);

impl Hangups {
    /// Starts listening.
    ///
    /// # Errors
    /// None today; a signal of its own would have those of the operating system.
    pub fn listen() -> io::Result<Self> {
        Ok(Self(PASSED_ON.subscribe()))
    }

    /// Tells all who listen.
    pub fn pass_on() {
        PASSED_ON.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Waits for a hang-up. Several that come at once count as one.
    pub async fn next(&mut self) {
        // The sender lives as long as the process.
        let _ = self.0.changed().await;
    }
}

static PASSED_ON: LazyLock<watch::Sender<u64>> = LazyLock::new(|| watch::channel(0).0);

/// The status of a process that a second signal ended.
pub const STATUS: i32 = 130;
