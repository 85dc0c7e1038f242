//! The last events, numbered.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use msrp_control::RoomId;
use serde_json::Value;
use tokio::sync::watch;

use crate::limits::EVENTS_OCTETS_MAX;

/// A place in the events of one run of the node: behind the event of this number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cursor {
    run: u64,
    pub(crate) seq: u64,
}

impl Cursor {
    /// Reads what [`fmt::Display`] writes.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (run, seq) = text.split_once('-')?;
        Some(Self {
            run: u64::from_str_radix(run, 16).ok()?,
            seq: seq.parse().ok()?,
        })
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}-{}", self.run, self.seq)
    }
}

/// One event.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) cursor: Cursor,
    pub(crate) kind: &'static str,
    /// Absent when it is about something else than a room.
    pub(crate) room: Option<RoomId>,
    pub(crate) json: String,
}

/// What stands behind a cursor.
#[derive(Debug)]
pub(crate) enum Behind {
    /// These events, the next ones. None when it is the end.
    Events(Vec<Arc<Entry>>),
    /// Events that are gone, or a run of the node that has ended.
    Gap,
}

/// A ring of the last events. Readers never keep the writer for longer than one page takes.
#[derive(Debug)]
pub(crate) struct EventLog {
    run: u64,
    events_max: usize,
    ring: Mutex<Ring>,
    /// The number of the last event.
    last: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Ring {
    entries: VecDeque<Arc<Entry>>,
    /// The number of the next event.
    next: u64,
    /// The lowest number from which on nothing is missing.
    first: u64,
    octets: usize,
}

impl EventLog {
    /// An empty log of a run with this number, for so many events.
    pub(crate) fn new(run: u64, events_max: usize) -> Self {
        Self {
            run,
            events_max: events_max.max(1),
            ring: Mutex::new(Ring {
                next: 1,
                first: 1,
                ..Ring::default()
            }),
            last: watch::Sender::new(0),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes one event.
    pub(crate) fn push(
        &self,
        kind: &'static str,
        room: impl Into<Option<RoomId>>,
        mut document: Value,
    ) {
        let mut ring = self.lock();
        let cursor = Cursor {
            run: self.run,
            seq: ring.next,
        };
        document["cursor"] = cursor.to_string().into();
        document["time_ms"] = now_ms().into();
        let entry = Entry {
            cursor,
            kind,
            room: room.into(),
            json: document.to_string(),
        };
        ring.next += 1;
        ring.octets += entry.json.len();
        ring.entries.push_back(Arc::new(entry));
        while ring.entries.len() > self.events_max || ring.octets > EVENTS_OCTETS_MAX {
            if let Some(oldest) = ring.entries.pop_front() {
                ring.octets -= oldest.json.len();
                ring.first = oldest.cursor.seq + 1;
            }
        }
        self.last.send_replace(cursor.seq);
    }

    /// Some events have been missed: every cursor so far has a gap behind it.
    pub(crate) fn skip(&self) {
        let mut ring = self.lock();
        ring.entries.clear();
        ring.octets = 0;
        ring.next += 1;
        ring.first = ring.next;
        self.last.send_replace(ring.next - 1);
    }

    /// Behind the last event.
    pub(crate) fn end(&self) -> Cursor {
        Cursor {
            run: self.run,
            seq: self.lock().next - 1,
        }
    }

    /// What stands behind a cursor, at most so many events.
    pub(crate) fn read(&self, cursor: Cursor, max: usize) -> Behind {
        let ring = self.lock();
        let wanted = cursor.seq.saturating_add(1);
        if cursor.run != self.run || wanted < ring.first || wanted > ring.next {
            return Behind::Gap;
        }
        let skipped = usize::try_from(wanted - ring.first).unwrap_or(usize::MAX);
        let page = ring.entries.iter().skip(skipped).take(max);
        Behind::Events(page.cloned().collect())
    }

    /// Tells when there is something new.
    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.last.subscribe()
    }
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn log(events: u64, events_max: usize) -> EventLog {
        let log = EventLog::new(7, events_max);
        for _ in 0..events {
            let room = RoomId::new("r").unwrap();
            log.push("room_started", room, json!({}));
        }
        log
    }

    fn seqs(log: &EventLog, seq: u64) -> Option<Vec<u64>> {
        match log.read(Cursor { run: 7, seq }, 3) {
            Behind::Events(events) => Some(events.iter().map(|e| e.cursor.seq).collect()),
            Behind::Gap => None,
        }
    }

    #[test]
    fn log_gives_what_stands_behind_a_cursor() {
        let log = log(5, 10);
        assert_eq!(seqs(&log, 0), Some(vec![1, 2, 3]));
        assert_eq!(seqs(&log, 3), Some(vec![4, 5]));
        assert_eq!(seqs(&log, 5), Some(vec![]));
        assert_eq!(log.end().to_string(), "7-5");
        assert_eq!(Cursor::parse("7-5"), Some(log.end()));
    }

    #[test]
    fn log_that_has_wrapped_has_a_gap_behind_old_cursors() {
        let log = log(5, 3);
        assert_eq!(seqs(&log, 1), None);
        assert_eq!(seqs(&log, 2), Some(vec![3, 4, 5]));
    }

    #[test]
    fn log_of_another_run_or_a_cursor_of_the_future_is_a_gap() {
        let log = log(5, 10);
        assert_eq!(seqs(&log, 6), None);
        assert!(matches!(
            log.read(Cursor { run: 8, seq: 2 }, 3),
            Behind::Gap
        ));
        assert_eq!(Cursor::parse("7"), None);
        assert_eq!(Cursor::parse("x-1"), None);
    }

    #[test]
    fn log_that_missed_events_has_a_gap_behind_every_cursor_so_far() {
        let log = log(5, 10);
        log.skip();
        assert_eq!(seqs(&log, 5), None);
        assert_eq!(seqs(&log, log.end().seq), Some(vec![]));
        log.push("room_started", RoomId::new("r").unwrap(), json!({}));
        assert_eq!(seqs(&log, 6), Some(vec![7]));
    }
}
