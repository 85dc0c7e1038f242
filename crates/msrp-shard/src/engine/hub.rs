//! Spreads events from the shards to the subscribers.

use std::sync::{Mutex, PoisonError};

use futures_channel::mpsc;
use msrp_control::{Event, EventStream};

use crate::limits::EVENTS_MAX;

/// The subscribers. Shards touch it when a session or a room begins or ends, never for a chunk.
#[derive(Debug, Default)]
pub(crate) struct Hub {
    subscribers: Mutex<Vec<mpsc::Sender<Event>>>,
}

impl Hub {
    pub(crate) fn subscribe(&self) -> EventStream {
        let (sender, stream) = mpsc::channel(EVENTS_MAX);
        self.subscribers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(sender);
        stream
    }

    /// Gives the event to every subscriber; one that is too far behind is cut off.
    pub(crate) fn publish(&self, event: &Event) {
        let mut subscribers = self
            .subscribers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        subscribers.retain_mut(|subscriber| subscriber.try_send(event.clone()).is_ok());
    }
}
