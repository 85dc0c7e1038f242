//! Events for one subscriber, with what it wants beside those that always come.
//!
//! Events of single messages may come by the ten thousand in a second. They are made only while
//! somebody wants them, they take no room from the others, and what finds none is counted and told.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use futures_channel::mpsc;

use crate::{Event, EventStream};

/// Most events of messages that wait for one subscriber. Further ones are dropped and counted.
pub const MESSAGE_EVENTS_MAX: usize = 32_768;

/// What a subscriber wants, and how far it is. Its clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Interest(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// Who wants events of messages from this subscription.
    wants_messages: AtomicUsize,
    /// Who wants them from any subscription of the engine.
    wanted: Arc<AtomicUsize>,
    /// Events of messages that wait.
    waiting: AtomicUsize,
    /// Events of messages that were dropped and not told.
    lost: AtomicU64,
}

/// Keeps the events of messages coming until it is dropped.
#[derive(Debug)]
pub struct MessagesWanted(Arc<Shared>);

impl Interest {
    /// For an engine that counts in `wanted` how many want events of messages.
    #[must_use]
    pub fn counted_in(wanted: &Arc<AtomicUsize>) -> Self {
        Self(Arc::new(Shared {
            wanted: Arc::clone(wanted),
            ..Shared::default()
        }))
    }

    /// Has events of messages come as well, until what is returned is dropped.
    #[must_use]
    pub fn in_messages(&self) -> MessagesWanted {
        self.0.wants_messages.fetch_add(1, Ordering::Relaxed);
        self.0.wanted.fetch_add(1, Ordering::Relaxed);
        MessagesWanted(Arc::clone(&self.0))
    }

    /// Whether the subscriber wants events of messages at present.
    #[must_use]
    pub fn is_in_messages(&self) -> bool {
        self.0.wants_messages.load(Ordering::Relaxed) > 0
    }

    /// Takes a place for one event of a message; `false` when there is none, which is counted.
    #[must_use]
    pub fn admit(&self) -> bool {
        if self.0.waiting.load(Ordering::Relaxed) >= MESSAGE_EVENTS_MAX {
            self.note_lost(1);
            return false;
        }
        self.0.waiting.fetch_add(1, Ordering::Relaxed);
        true
    }

    /// Events of messages were dropped before they came here.
    pub fn note_lost(&self, count: u64) {
        self.0.lost.fetch_add(count, Ordering::Relaxed);
    }
}

impl Drop for MessagesWanted {
    fn drop(&mut self) {
        self.0.wants_messages.fetch_sub(1, Ordering::Relaxed);
        self.0.wanted.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What a subscriber gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// An event.
    Event(Event),
    /// So many events of messages were dropped: too many were waiting.
    MessagesLost(u64),
}

/// The events of an engine, in order, from the moment of subscription.
#[derive(Debug)]
pub struct Subscription {
    events: EventStream,
    interest: Interest,
    /// What was read while a loss had to be told first.
    next: Option<Event>,
}

impl Subscription {
    /// The reading end of a channel to which an engine writes as this interest says.
    #[must_use]
    pub fn new(events: EventStream, interest: Interest) -> Self {
        Self {
            events,
            interest,
            next: None,
        }
    }

    /// What the subscriber wants; may be changed at any time.
    #[must_use]
    pub fn interest(&self) -> Interest {
        self.interest.clone()
    }

    /// The next event. `None` when the engine has cut the subscriber off, or is gone. Loses nothing
    /// when it is dropped while it waits.
    pub async fn next(&mut self) -> Option<Told> {
        if let Some(event) = self.next.take() {
            return Some(Told::Event(event));
        }
        let event = match self.events.try_recv() {
            Ok(event) => event,
            Err(mpsc::TryRecvError::Closed) => return None,
            Err(mpsc::TryRecvError::Empty) => self.events.recv().await.ok()?,
        };
        let shared = &self.interest.0;
        if event.is_of_message() {
            shared.waiting.fetch_sub(1, Ordering::Relaxed);
        }
        match shared.lost.swap(0, Ordering::Relaxed) {
            0 => Some(Told::Event(event)),
            lost => {
                self.next = Some(event);
                Some(Told::MessagesLost(lost))
            }
        }
    }
}
