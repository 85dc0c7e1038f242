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

/// Most octets of messages' content that wait for one subscriber: 16 MiB. Events of further ones are dropped and
/// counted.
pub const CONTENT_OCTETS_WAITING_MAX: usize = 16 * 1024 * 1024;

/// How many want events of messages from an engine.
#[derive(Debug, Default)]
pub struct Wanted {
    messages: AtomicUsize,
    /// Those of them who want what messages hold.
    content: AtomicUsize,
}

impl Wanted {
    /// Whether anybody wants events of messages.
    #[must_use]
    pub fn has_messages(&self) -> bool {
        self.messages.load(Ordering::Relaxed) > 0
    }

    /// Whether anybody wants what messages hold.
    #[must_use]
    pub fn has_content(&self) -> bool {
        self.content.load(Ordering::Relaxed) > 0
    }

    fn count(&self, is_content: bool) {
        self.messages.fetch_add(1, Ordering::Relaxed);
        self.content
            .fetch_add(usize::from(is_content), Ordering::Relaxed);
    }

    fn discount(&self, is_content: bool) {
        self.messages.fetch_sub(1, Ordering::Relaxed);
        self.content
            .fetch_sub(usize::from(is_content), Ordering::Relaxed);
    }
}

/// What a subscriber wants, and how far it is. Its clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Interest(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// Who wants events of messages from this subscription.
    here: Wanted,
    /// Who wants them from any subscription of the engine.
    wanted: Arc<Wanted>,
    /// Events of messages that wait.
    waiting: AtomicUsize,
    /// Octets of content that wait.
    waiting_octets: AtomicUsize,
    /// Events of messages that were dropped and not told.
    lost: AtomicU64,
}

/// Keeps the events of messages coming until it is dropped.
#[derive(Debug)]
pub struct MessagesWanted {
    shared: Arc<Shared>,
    is_content: bool,
}

impl Interest {
    /// For an engine that counts in `wanted` how many want events of messages.
    #[must_use]
    pub fn counted_in(wanted: &Arc<Wanted>) -> Self {
        Self(Arc::new(Shared {
            wanted: Arc::clone(wanted),
            ..Shared::default()
        }))
    }

    /// Has events of messages come as well, until what is returned is dropped.
    #[must_use]
    pub fn in_messages(&self) -> MessagesWanted {
        self.want(false)
    }

    /// The same with what messages hold.
    #[must_use]
    pub fn in_content(&self) -> MessagesWanted {
        self.want(true)
    }

    fn want(&self, is_content: bool) -> MessagesWanted {
        self.0.here.count(is_content);
        self.0.wanted.count(is_content);
        MessagesWanted {
            shared: Arc::clone(&self.0),
            is_content,
        }
    }

    /// Whether the subscriber wants events of messages at present.
    #[must_use]
    pub fn is_in_messages(&self) -> bool {
        self.0.here.has_messages()
    }

    /// Takes a place for this event of a message; `false` when it is not wanted, or when there is none, which is
    /// counted.
    #[must_use]
    pub fn admit(&self, event: &Event) -> bool {
        let octets = event.content_octets();
        let is_wanted = match octets {
            Some(_) => self.0.here.has_content(),
            None => self.0.here.has_messages(),
        };
        if !is_wanted {
            return false;
        }
        let octets = octets.unwrap_or_default();
        let waiting_octets = self.0.waiting_octets.load(Ordering::Relaxed);
        if self.0.waiting.load(Ordering::Relaxed) >= MESSAGE_EVENTS_MAX
            || waiting_octets.saturating_add(octets) > CONTENT_OCTETS_WAITING_MAX
        {
            self.note_lost(1);
            return false;
        }
        self.0.waiting.fetch_add(1, Ordering::Relaxed);
        self.0.waiting_octets.fetch_add(octets, Ordering::Relaxed);
        true
    }

    /// Events of messages were dropped before they came here.
    pub fn note_lost(&self, count: u64) {
        self.0.lost.fetch_add(count, Ordering::Relaxed);
    }
}

impl Drop for MessagesWanted {
    fn drop(&mut self) {
        self.shared.here.discount(self.is_content);
        self.shared.wanted.discount(self.is_content);
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
            let octets = event.content_octets().unwrap_or_default();
            shared.waiting_octets.fetch_sub(octets, Ordering::Relaxed);
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
