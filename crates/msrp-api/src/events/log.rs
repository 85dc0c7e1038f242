//! The last events, numbered.

use std::collections::VecDeque;
use std::fmt;
use std::iter::Peekable;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use msrp_control::RoomId;
use serde_json::Value;
use tokio::sync::watch;

use super::detail_of;
use crate::limits::EVENTS_OCTETS_MAX;

/// A place in the events of one run of the node: behind the event of this number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cursor {
    run: u64,
    pub(crate) seq: u64,
}

impl Cursor {
    /// A place of no run: a gap is behind it.
    pub(crate) const NEVER: Self = Self { run: 0, seq: 0 };

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
    /// `None` when it concerns the node or a relay.
    pub(crate) room: Option<RoomId>,
    pub(crate) json: String,
}

/// What stands behind a cursor.
#[derive(Debug)]
pub(crate) enum Behind {
    /// The next events.
    Events(Page),
    /// Events that are gone, or a run of the node that has ended.
    Gap,
}

/// Some events.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) events: Vec<Arc<Entry>>,
    /// Behind all that was looked at, also where nothing was wanted.
    pub(crate) upto: Cursor,
    /// Whether events of messages behind the cursor are gone, or were never made.
    pub(crate) lacks_messages: bool,
}

/// The last events. Those of messages have a ring of their own, so that they push no others out.
/// Readers never keep the writer for longer than one page takes.
#[derive(Debug)]
pub(crate) struct EventLog {
    run: u64,
    events_max: usize,
    rings: Mutex<Rings>,
    /// The number of the last event.
    last: watch::Sender<u64>,
}

#[derive(Debug)]
struct Rings {
    /// The number of the next event.
    next: u64,
    /// By the detail of their events.
    kept: [Ring; Detail::COUNT],
}

/// What a reader wants, each with what stands before it. Those of messages are made only for who wants them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Detail {
    /// All events but those of messages.
    Others,
    /// What became of messages.
    Messages,
    /// What messages held.
    Content,
}

impl Detail {
    const COUNT: usize = 3;
}

#[derive(Debug)]
struct Ring {
    entries: VecDeque<Arc<Entry>>,
    /// The lowest number from which on nothing is missing.
    first: u64,
    octets: usize,
}

impl Ring {
    fn new() -> Self {
        Self {
            entries: VecDeque::new(),
            first: 1,
            octets: 0,
        }
    }

    fn push(&mut self, entry: Arc<Entry>, events_max: usize) {
        self.octets += entry.json.len();
        self.entries.push_back(entry);
        while self.entries.len() > events_max || self.octets > EVENTS_OCTETS_MAX {
            if let Some(oldest) = self.entries.pop_front() {
                self.octets -= oldest.json.len();
                self.first = oldest.cursor.seq + 1;
            }
        }
    }

    /// Everything before this number is missing.
    fn begin_at(&mut self, first: u64) {
        self.entries.clear();
        self.octets = 0;
        self.first = first;
    }

    fn behind(&self, seq: u64) -> impl Iterator<Item = &Arc<Entry>> {
        let skipped = self
            .entries
            .partition_point(|entry| entry.cursor.seq <= seq);
        self.entries.iter().skip(skipped)
    }
}

impl EventLog {
    /// An empty log of a run with this number, for so many events.
    pub(crate) fn new(run: u64, events_max: usize) -> Self {
        Self {
            run,
            events_max: events_max.max(1),
            rings: Mutex::new(Rings {
                next: 1,
                kept: [Ring::new(), Ring::new(), Ring::new()],
            }),
            last: watch::Sender::new(0),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Rings> {
        self.rings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes one event.
    pub(crate) fn push(&self, kind: &'static str, room: Option<RoomId>, mut document: Value) {
        let mut rings = self.lock();
        let cursor = Cursor {
            run: self.run,
            seq: rings.next,
        };
        document["cursor"] = cursor.to_string().into();
        document["time_ms"] = now_ms().into();
        let entry = Arc::new(Entry {
            cursor,
            kind,
            room,
            json: document.to_string(),
        });
        rings.next += 1;
        rings.kept[detail_of(kind) as usize].push(entry, self.events_max);
        self.last.send_replace(cursor.seq);
    }

    /// Some events have been missed: every cursor so far has a gap behind it.
    pub(crate) fn skip(&self) {
        let mut rings = self.lock();
        rings.next += 1;
        let first = rings.next;
        rings.kept.iter_mut().for_each(|ring| ring.begin_at(first));
        self.last.send_replace(first - 1);
    }

    /// Events of this detail begin to come, or come no more: those before this are gone.
    pub(crate) fn begin(&self, detail: Detail) {
        let mut rings = self.lock();
        let first = rings.next;
        rings.kept[detail as usize].begin_at(first);
    }

    /// Behind the last event.
    pub(crate) fn end(&self) -> Cursor {
        Cursor {
            run: self.run,
            seq: self.lock().next - 1,
        }
    }

    /// What stands behind a cursor, at most so many events of this detail.
    pub(crate) fn read(&self, cursor: Cursor, max: usize, detail: Detail) -> Behind {
        let rings = self.lock();
        let wanted = cursor.seq.saturating_add(1);
        let (others, more) = rings.kept[..=detail as usize].split_at(1);
        if cursor.run != self.run || wanted < others[0].first || wanted > rings.next {
            return Behind::Gap;
        }
        let all = others.iter().chain(more);
        let mut all: Vec<_> = all.map(|ring| ring.behind(cursor.seq).peekable()).collect();
        let mut events = Vec::new();
        while events.len() < max {
            let seq_of = |ring: &mut Peekable<_>| ring.peek().map(|e: &&Arc<Entry>| e.cursor.seq);
            let oldest = all
                .iter_mut()
                .filter_map(|ring| Some((seq_of(ring)?, ring)));
            match oldest.min_by_key(|(seq, _)| *seq) {
                Some((_, ring)) => events.extend(ring.next().map(Arc::clone)),
                None => break,
            }
        }
        let is_whole = events.len() < max;
        let last = events.last().map_or(cursor.seq, |entry| entry.cursor.seq);
        Behind::Events(Page {
            events,
            upto: Cursor {
                run: self.run,
                seq: if is_whole { rings.next - 1 } else { last },
            },
            lacks_messages: more.iter().any(|ring| wanted < ring.first),
        })
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
            log.push("room_started", Some(room), json!({}));
        }
        log
    }

    fn seqs(log: &EventLog, seq: u64) -> Option<Vec<u64>> {
        match log.read(Cursor { run: 7, seq }, 3, Detail::Messages) {
            Behind::Events(page) => Some(page.events.iter().map(|e| e.cursor.seq).collect()),
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
            log.read(Cursor { run: 8, seq: 2 }, 3, Detail::Messages),
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
        log.push("room_started", RoomId::new("r").ok(), json!({}));
        assert_eq!(seqs(&log, 6), Some(vec![7]));
    }

    #[test]
    fn events_of_messages_push_no_others_out_and_come_in_order() {
        let log = log(3, 3);
        for _ in 0..10 {
            log.push("message_ended", RoomId::new("r").ok(), json!({}));
        }
        log.push("room_closed", RoomId::new("r").ok(), json!({}));
        let read = |seq, detail| match log.read(Cursor { run: 7, seq }, 9, detail) {
            Behind::Events(page) => {
                let seqs: Vec<_> = page.events.iter().map(|e| e.cursor.seq).collect();
                (seqs, page.upto.seq, page.lacks_messages)
            }
            Behind::Gap => panic!("a gap behind {seq}"),
        };
        assert_eq!(read(1, Detail::Others), (vec![2, 3, 14], 14, false));
        assert_eq!(
            read(1, Detail::Messages),
            (vec![2, 3, 11, 12, 13, 14], 14, true)
        );
        assert_eq!(read(11, Detail::Messages), (vec![12, 13, 14], 14, false));
        log.begin(Detail::Messages);
        assert_eq!(read(11, Detail::Messages), (vec![14], 14, true));
        assert_eq!(read(14, Detail::Messages), (vec![], 14, false));
    }
}
