//! The signals that end a process.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

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
            std::process::exit(STATUS);
        });
    }
}

/// SIGHUP, from the moment of [`Hangups::listen`]: read what can be read anew.
pub struct Hangups(Signal);

impl Hangups {
    /// Starts listening; from now on the signal does not end the process.
    ///
    /// # Errors
    /// The operating system's.
    pub fn listen() -> io::Result<Self> {
        signal(SignalKind::hangup()).map(Self)
    }

    /// Waits for the signal. Several that come at once count as one.
    pub async fn next(&mut self) {
        self.0.recv().await;
    }
}

/// The status of a process that a second signal ended.
pub const STATUS: i32 = 130;
