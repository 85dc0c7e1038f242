//! What a peer sent and saw, and the deadline of every wait.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a wait lasts before it panics.
pub const DEADLINE: Duration = Duration::from_secs(10);

/// Entries kept; the oldest go first.
const ENTRIES_MAX: usize = 1000;
/// Octets shown of one entry.
const SHOWN_OCTETS_MAX: usize = 1500;

/// The record of one peer. Clones share the record.
#[derive(Clone)]
pub struct Transcript {
    shared: Arc<Shared>,
}

struct Shared {
    name: String,
    started: Instant,
    entries: Mutex<VecDeque<String>>,
}

impl Transcript {
    /// An empty record under the name of its peer.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            shared: Arc::new(Shared {
                name: name.into(),
                started: Instant::now(),
                entries: Mutex::new(VecDeque::new()),
            }),
        }
    }

    /// Adds one event in words.
    pub fn note(&self, what: impl fmt::Display) {
        let at = self.shared.started.elapsed();
        let mut entries = lock(&self.shared.entries);
        if entries.len() == ENTRIES_MAX {
            entries.pop_front();
        }
        entries.push_back(format!("{:>9.3} ms  {what}", at.as_secs_f64() * 1000.0));
    }

    /// Adds octets that left (`->`) or arrived (`<-`).
    pub fn octets(&self, direction: &str, octets: &[u8]) {
        let shown = octets.get(..SHOWN_OCTETS_MAX).unwrap_or(octets);
        let mut text = format!("{direction} {} octets", octets.len());
        for line in shown.split(|octet| *octet == b'\n') {
            text.push_str("\n              | ");
            text.push_str(
                line.strip_suffix(b"\r")
                    .unwrap_or(line)
                    .escape_ascii()
                    .to_string()
                    .as_str(),
            );
        }
        if shown.len() < octets.len() {
            text.push_str("\n              | [cut here]");
        }
        self.note(text);
    }

    /// Waits for a future until the deadline.
    ///
    /// # Panics
    /// When the deadline passes; the message names `what` and prints the record.
    pub async fn within<T>(&self, what: &str, future: impl Future<Output = T>) -> T {
        match tokio::time::timeout(DEADLINE, future).await {
            Ok(value) => value,
            Err(_) => panic!(
                "{} waited {DEADLINE:?} in vain for {what}\n{self}",
                self.shared.name
            ),
        }
    }
}

impl fmt::Display for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "--- transcript of {}", self.shared.name)?;
        for entry in lock(&self.shared.entries).iter() {
            writeln!(f, "{entry}")?;
        }
        write!(f, "--- end of transcript")
    }
}

/// A panic elsewhere must not hide the record, so poison is ignored.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transcript_shows_octets_escaped_and_cut() {
        let transcript = Transcript::new("alice");
        transcript.octets("->", b"MSRP a SEND\r\n\x00");
        transcript.octets("<-", &[b'x'; 5000]);
        let text = transcript.to_string();
        assert!(text.contains("transcript of alice"), "{text}");
        assert!(text.contains("| MSRP a SEND\n"), "{text}");
        assert!(text.contains("| \\x00"), "{text}");
        assert!(
            text.contains("<- 5000 octets") && text.contains("[cut here]"),
            "{text}"
        );
    }
}
