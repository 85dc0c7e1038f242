//! Spreads events from the shards to the subscribers.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_channel::mpsc;
use msrp_control::{Event, EventStream, Interest, MESSAGE_EVENTS_MAX, Subscription, Wanted};

use crate::limits::EVENTS_MAX;

/// The subscribers. Shards touch it when a session or a room begins or ends, never for a chunk; for a
/// message only while somebody wants to know of messages.
#[derive(Debug, Default)]
pub(crate) struct Hub {
    subscribers: Mutex<Vec<Subscriber>>,
    /// How many want events of messages.
    wanted: Arc<Wanted>,
}

#[derive(Debug)]
struct Subscriber {
    sender: mpsc::Sender<Event>,
    interest: Interest,
}

impl Hub {
    fn lock(&self) -> MutexGuard<'_, Vec<Subscriber>> {
        self.subscribers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn subscribe(&self) -> EventStream {
        self.add(Interest::default(), EVENTS_MAX)
    }

    pub(crate) fn subscribe_with_interest(&self) -> Subscription {
        let interest = Interest::counted_in(&self.wanted);
        // Events of messages have a bound of their own, so that they take no room from the others.
        let stream = self.add(interest.clone(), EVENTS_MAX + MESSAGE_EVENTS_MAX);
        Subscription::new(stream, interest)
    }

    fn add(&self, interest: Interest, events_max: usize) -> EventStream {
        let (sender, stream) = mpsc::channel(events_max);
        self.lock().push(Subscriber { sender, interest });
        stream
    }

    /// Whether anybody wants events of messages.
    pub(crate) fn wants_messages(&self) -> bool {
        self.wanted.has_messages()
    }

    /// Whether anybody wants what messages hold.
    pub(crate) fn wants_content(&self) -> bool {
        self.wanted.has_content()
    }

    /// Gives the event to every subscriber that wants it; one that is too far behind is cut off.
    pub(crate) fn publish(&self, event: &Event) {
        let is_of_message = event.is_of_message();
        self.lock().retain_mut(|subscriber| {
            let interest = &subscriber.interest;
            if is_of_message && !interest.admit(event) {
                return true;
            }
            subscriber.sender.try_send(event.clone()).is_ok()
        });
    }

    /// Events of messages were dropped by a shard.
    pub(crate) fn note_lost(&self, count: u64) {
        for subscriber in self.lock().iter() {
            if subscriber.interest.is_in_messages() {
                subscriber.interest.note_lost(count);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use msrp_control::{
        CONTENT_OCTETS_WAITING_MAX, CopyCounts, MessageContent, MessageOutcome, RoomId, Told,
    };

    use super::*;

    fn message() -> Event {
        Event::MessageEnded {
            room: RoomId::new("r").unwrap(),
            message: Box::new(MessageOutcome {
                participant: None,
                message_id: "1".to_owned(),
                octets: 1,
                class: None,
                refused: None,
                copies: CopyCounts::default(),
            }),
        }
    }

    fn next(subscription: &mut Subscription) -> Option<Told> {
        subscription.next().now_or_never().flatten()
    }

    #[test]
    fn events_of_messages_come_only_while_they_are_wanted() {
        let hub = Hub::default();
        let (mut plain, mut chosen) = (hub.subscribe(), hub.subscribe_with_interest());
        assert!(!hub.wants_messages());
        hub.publish(&message());
        let wanted = chosen.interest().in_messages();
        assert!(hub.wants_messages());
        hub.publish(&message());
        drop(wanted);
        assert!(!hub.wants_messages());
        hub.publish(&message());
        assert_eq!(next(&mut chosen), Some(Told::Event(message())));
        assert_eq!(next(&mut chosen), None);
        assert!(plain.try_recv().is_err());
    }

    fn content(octets: usize) -> Event {
        Event::MessageContent {
            room: RoomId::new("r").unwrap(),
            content: Box::new(MessageContent {
                participant: None,
                message_id: "1".to_owned(),
                content_type: String::new(),
                octets: vec![0; octets].into(),
                is_whole: true,
            }),
        }
    }

    #[test]
    fn content_of_messages_comes_only_to_who_wants_it() {
        let hub = Hub::default();
        let mut numbers = hub.subscribe_with_interest();
        let mut reader = hub.subscribe_with_interest();
        let _numbers = numbers.interest().in_messages();
        assert!(!hub.wants_content());
        let content_wanted = reader.interest().in_content();
        assert!(hub.wants_content());
        hub.publish(&content(5));
        assert_eq!(next(&mut numbers), None);
        assert_eq!(next(&mut reader), Some(Told::Event(content(5))));
        drop(content_wanted);
        assert!(!hub.wants_content() && hub.wants_messages());
    }

    #[test]
    fn content_that_waits_is_bounded_in_octets() {
        let hub = Hub::default();
        let mut reader = hub.subscribe_with_interest();
        let _wanted = reader.interest().in_content();
        let half = CONTENT_OCTETS_WAITING_MAX / 2;
        for _ in 0..3 {
            hub.publish(&content(half));
        }
        assert_eq!(next(&mut reader), Some(Told::MessagesLost(1)));
        assert_eq!(next(&mut reader), Some(Told::Event(content(half))));
        hub.publish(&content(half));
        assert_eq!(next(&mut reader), Some(Told::Event(content(half))));
        assert_eq!(next(&mut reader), Some(Told::Event(content(half))));
        assert_eq!(next(&mut reader), None);
    }

    #[test]
    fn events_of_messages_that_find_no_room_are_counted_and_cut_nobody_off() {
        let hub = Hub::default();
        let mut subscription = hub.subscribe_with_interest();
        let _wanted = subscription.interest().in_messages();
        for _ in 0..MESSAGE_EVENTS_MAX + 7 {
            hub.publish(&message());
        }
        hub.note_lost(3);
        let room = RoomId::new("r").unwrap();
        hub.publish(&Event::RoomStarted { room: room.clone() });
        assert_eq!(next(&mut subscription), Some(Told::MessagesLost(10)));
        for _ in 0..MESSAGE_EVENTS_MAX {
            assert_eq!(next(&mut subscription), Some(Told::Event(message())));
        }
        let started = Event::RoomStarted { room };
        assert_eq!(next(&mut subscription), Some(Told::Event(started)));
    }
}
