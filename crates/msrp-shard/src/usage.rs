//! The way of usage records from the shards to whoever writes them.
//!
//! ```text
//!   shards --try_send--> bounded queue --> one receiver, on a thread of its own
//!               \--full--> counted as lost
//! ```
//!
//! A shard never waits. While nobody receives, no record is made.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use msrp_control::UsageNote;

/// Where the shards put records.
#[derive(Debug, Default)]
pub(crate) struct UsageTap {
    sender: OnceLock<SyncSender<UsageNote>>,
    sessions: AtomicU64,
    waiting: AtomicU64,
    lost: AtomicU64,
}

impl UsageTap {
    /// Whether anybody receives.
    pub(crate) fn is_open(&self) -> bool {
        self.sender.get().is_some()
    }

    /// A number for a new session, from 1; 0 while nobody receives.
    pub(crate) fn number_session(&self) -> u64 {
        if self.is_open() {
            self.sessions.fetch_add(1, Ordering::Relaxed) + 1
        } else {
            0
        }
    }

    /// Puts a note into the queue, or counts it as lost.
    pub(crate) fn put(&self, note: UsageNote) {
        let Some(sender) = self.sender.get() else {
            return;
        };
        self.waiting.fetch_add(1, Ordering::Relaxed);
        if sender.try_send(note).is_err() {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Opens the queue. `None` when it is open already.
    pub(crate) fn open(self: &Arc<Self>, records_max: usize) -> Option<UsageRecords> {
        let (sender, receiver) = sync_channel(records_max);
        self.sender.set(sender).ok()?;
        Some(UsageRecords {
            receiver,
            tap: Arc::clone(self),
        })
    }
}

/// The records of all shards, in the order in which each shard made them.
#[derive(Debug)]
pub struct UsageRecords {
    receiver: Receiver<UsageNote>,
    tap: Arc<UsageTap>,
}

impl UsageRecords {
    /// The next one; waits that long for it. `None` when none came.
    #[must_use]
    pub fn next(&self, wait: Duration) -> Option<UsageNote> {
        match self.receiver.recv_timeout(wait) {
            Ok(note) => {
                self.tap.waiting.fetch_sub(1, Ordering::Relaxed);
                Some(note)
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => None,
        }
    }

    /// What can be read of the queue while another thread receives.
    #[must_use]
    pub fn gauge(&self) -> UsageGauge {
        UsageGauge(Arc::clone(&self.tap))
    }
}

/// How full the queue is.
#[derive(Debug, Clone)]
pub struct UsageGauge(Arc<UsageTap>);

impl UsageGauge {
    /// Records that wait.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        self.0.waiting.load(Ordering::Relaxed)
    }

    /// Records that were lost because the queue was full.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.0.lost.load(Ordering::Relaxed)
    }
}
