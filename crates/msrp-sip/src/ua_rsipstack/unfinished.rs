//! The transactions that hold much memory and end when the peer says so: INVITEs of peers until their ACK has come, BYEs
//! and NOTIFYs of ours until they are answered.
//!
//! A peer that says nothing keeps each for 64 T1. So they are counted, by kind and for each source, and when there are too
//! many the oldest of those that wait for the peer alone is given up before its time. The kinds are counted apart: one
//! change in a large conference makes a NOTIFY for each subscriber, and must keep nobody from joining.

use std::collections::{BTreeMap, HashMap};

use msrp_control::Source;
use rsipstack::transaction::key::TransactionKey;
use tokio::time::Instant;

/// What a transaction belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A session: an INVITE or a BYE.
    Session,
    /// A subscription: a NOTIFY.
    Subscription,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Unfinished {
    entries: HashMap<TransactionKey, Entry>,
    sessions: Queue,
    subscriptions: Queue,
    of_source: HashMap<Source, usize>,
    /// The number of the next one that waits.
    next: u64,
}

/// Those of one kind.
#[derive(Debug, Default)]
struct Queue {
    count: usize,
    /// Those that wait for the peer alone, oldest first, with the time since when.
    waiting: BTreeMap<u64, (Instant, TransactionKey)>,
}

#[derive(Debug)]
struct Entry {
    kind: Kind,
    /// Who made it, when that is counted.
    source: Option<Source>,
    /// Its place among those that wait.
    place: Option<u64>,
}

impl Unfinished {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// How many there are of this kind.
    pub(super) fn len_of(&self, kind: Kind) -> usize {
        self.of_kind(kind).count
    }

    fn of_kind(&self, kind: Kind) -> &Queue {
        match kind {
            Kind::Session => &self.sessions,
            Kind::Subscription => &self.subscriptions,
        }
    }

    fn queue(&mut self, kind: Kind) -> &mut Queue {
        match kind {
            Kind::Session => &mut self.sessions,
            Kind::Subscription => &mut self.subscriptions,
        }
    }

    /// How many this source has made.
    pub(super) fn count_of(&self, source: Source) -> usize {
        self.of_source.get(&source).copied().unwrap_or_default()
    }

    /// One begins that is ours to answer. `source` is counted if it is given.
    pub(super) fn begin(&mut self, key: &TransactionKey, kind: Kind, source: Option<Source>) {
        self.end(key);
        self.queue(kind).count += 1;
        if let Some(source) = source {
            *self.of_source.entry(source).or_default() += 1;
        }
        let entry = Entry {
            kind,
            source,
            place: None,
        };
        self.entries.insert(key.clone(), entry);
    }

    /// From now on this one waits for the peer alone. Nothing happens when there is none of this name, or when it waits
    /// already.
    pub(super) fn wait(&mut self, key: &TransactionKey, now: Instant) {
        let entry = self.entries.get_mut(key);
        if let Some(entry) = entry.filter(|entry| entry.place.is_none()) {
            let (kind, place) = (entry.kind, self.next);
            entry.place = Some(place);
            self.next += 1;
            self.queue(kind).waiting.insert(place, (now, key.clone()));
        }
    }

    /// One is over.
    pub(super) fn end(&mut self, key: &TransactionKey) {
        let Some(entry) = self.entries.remove(key) else {
            return;
        };
        let queue = self.queue(entry.kind);
        queue.count -= 1;
        if let Some(place) = entry.place {
            queue.waiting.remove(&place);
        }
        let Some(source) = entry.source else { return };
        if let Some(count) = self.of_source.get_mut(&source) {
            *count -= 1;
            if *count == 0 {
                self.of_source.remove(&source);
            }
        }
    }

    /// The one of this kind that has waited for the peer longest, if it has since this moment or longer.
    pub(super) fn oldest(&self, kind: Kind, since: Instant) -> Option<TransactionKey> {
        let (at, key) = self.of_kind(kind).waiting.values().next()?;
        (*at <= since).then(|| key.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rsipstack::transaction::key::TransactionRole;

    use super::*;

    fn key(branch: &str) -> TransactionKey {
        let text = format!(
            "INVITE sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK{branch}\r\nFrom: <sip:a@h>;tag=1\r\n\
             To: <sip:b@h>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n\r\n"
        );
        let request = rsipstack::sip::Request::try_from(text.as_bytes()).unwrap();
        TransactionKey::from_request(&request, TransactionRole::Server).unwrap()
    }

    fn source(address: [u8; 4]) -> Source {
        Source::of(address.into())
    }

    #[test]
    fn oldest_that_waits_for_the_peer_is_the_first_to_go() {
        let (mut all, start) = (Unfinished::default(), Instant::now());
        let later = start + Duration::from_secs(2);
        for branch in ["a", "b", "c"] {
            all.begin(&key(branch), Kind::Session, None);
        }
        assert_eq!(all.oldest(Kind::Session, later), None);
        all.wait(&key("b"), start);
        all.wait(&key("a"), later);
        // It does not become younger.
        all.wait(&key("b"), later);
        assert_eq!(all.oldest(Kind::Session, start), Some(key("b")));
        all.end(&key("b"));
        assert_eq!(all.oldest(Kind::Session, start), None);
        assert_eq!(all.oldest(Kind::Session, later), Some(key("a")));
        assert_eq!(all.len(), 2);
    }

    #[test]
    fn kinds_are_counted_and_given_up_apart() {
        let (mut all, start) = (Unfinished::default(), Instant::now());
        all.begin(&key("a"), Kind::Subscription, None);
        all.begin(&key("b"), Kind::Session, None);
        all.wait(&key("a"), start);
        let lens = |all: &Unfinished| [Kind::Session, Kind::Subscription].map(|k| all.len_of(k));
        assert_eq!((lens(&all), all.len()), ([1, 1], 2));
        assert_eq!(all.oldest(Kind::Session, start), None);
        assert_eq!(all.oldest(Kind::Subscription, start), Some(key("a")));
        all.end(&key("a"));
        assert_eq!(lens(&all), [1, 0]);
        assert_eq!(all.oldest(Kind::Subscription, start), None);
    }

    #[test]
    fn source_is_counted_until_its_last_one_is_over() {
        let mut all = Unfinished::default();
        all.begin(&key("a"), Kind::Session, Some(source([192, 0, 2, 1])));
        all.begin(&key("b"), Kind::Session, Some(source([192, 0, 2, 1])));
        all.begin(&key("b"), Kind::Session, Some(source([192, 0, 2, 1])));
        all.begin(&key("c"), Kind::Session, None);
        assert_eq!(all.count_of(source([192, 0, 2, 1])), 2);
        assert_eq!(all.count_of(source([192, 0, 2, 2])), 0);
        all.end(&key("a"));
        all.end(&key("b"));
        all.end(&key("b"));
        assert_eq!(all.count_of(source([192, 0, 2, 1])), 0);
        assert!(all.of_source.is_empty());
        assert_eq!(all.len(), 1);
    }
}
