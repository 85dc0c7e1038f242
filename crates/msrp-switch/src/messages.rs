//! The messages that are under way, and the Message-IDs under which they are relayed.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use msrp_wire::MessageId;

use crate::limits::SPENT_IDS_MAX;
use crate::message::Message;
use msrp_session::{Arena, Key};

/// See the module's text.
#[derive(Debug)]
pub(crate) struct Messages {
    arena: Arena<Message>,
    /// How many messages have each Message-ID towards recipients.
    ids: BTreeMap<MessageId, usize>,
    /// Ids of which a recipient got a part only: the rest of it, or its `#`, may still wait for the recipient.
    spent: BTreeSet<MessageId>,
    /// The same, the oldest first.
    spent_order: VecDeque<MessageId>,
}

impl Messages {
    pub(crate) fn new() -> Self {
        Self {
            arena: Arena::new(),
            ids: BTreeMap::new(),
            spent: BTreeSet::new(),
            spent_order: VecDeque::new(),
        }
    }

    /// `None` when there is no room for one more.
    pub(crate) fn insert(&mut self, message: Message) -> Option<Key> {
        let id = message.relayed_id;
        let key = self.arena.insert(message)?;
        self.note_id(id);
        Some(key)
    }

    pub(crate) fn remove(&mut self, key: Key) -> Option<Message> {
        let message = self.arena.remove(key)?;
        self.forget_id(message.relayed_id);
        Some(message)
    }

    /// From now on the message goes to its recipients under this id.
    pub(crate) fn relay_under(&mut self, key: Key, id: MessageId) {
        let Some(message) = self.arena.get_mut(key) else {
            return;
        };
        let before = std::mem::replace(&mut message.relayed_id, id);
        if before != id {
            self.forget_id(before);
            self.note_id(id);
        }
    }

    fn note_id(&mut self, id: MessageId) {
        let count = self.ids.entry(id).or_default();
        *count = count.saturating_add(1);
    }

    fn forget_id(&mut self, id: MessageId) {
        if let Some(count) = self.ids.get_mut(&id) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.ids.remove(&id);
            }
        }
    }

    /// Whether more than one message has this id.
    pub(crate) fn share_id(&self, id: MessageId) -> bool {
        self.ids.get(&id).is_some_and(|count| *count > 1)
    }

    /// A recipient gets no more of a message of which a part has left. No other message may go under its id
    /// for a while: it would start before the part that still waits for a slow recipient.
    pub(crate) fn spend_id(&mut self, key: Key) {
        let Some(id) = self.arena.get(key).map(|message| message.relayed_id) else {
            return;
        };
        if !self.spent.insert(id) {
            return;
        }
        self.spent_order.push_back(id);
        if self.spent_order.len() > SPENT_IDS_MAX
            && let Some(oldest) = self.spent_order.pop_front()
        {
            self.spent.remove(&oldest);
        }
    }

    /// Whether this id is not to be used again.
    pub(crate) fn is_spent(&self, id: MessageId) -> bool {
        self.spent.contains(&id)
    }

    pub(crate) fn get(&self, key: Key) -> Option<&Message> {
        self.arena.get(key)
    }

    /// [`Messages::relay_under`] changes the id of a message; nothing else may.
    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut Message> {
        self.arena.get_mut(key)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Key, &Message)> {
        self.arena.iter()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.arena.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use msrp_session::Coverage;
    use msrp_wire::{ContentType, FailureReport, RelayedHeadersBuf, SuccessReport};

    use super::*;
    use crate::ahead::Ahead;
    use crate::content_class::ContentClass;
    use crate::message::Stage;
    use crate::relay::Held;

    fn id(text: &str) -> MessageId {
        MessageId::parse(text.as_bytes()).unwrap()
    }

    fn message(id: MessageId) -> Message {
        Message {
            sender: None,
            id,
            relayed_id: id,
            success_report: SuccessReport::No,
            failure_report: FailureReport::Yes,
            relayed: Rc::new(RelayedHeadersBuf::default()),
            content_type: Rc::new(ContentType::TEXT_PLAIN.to_buf()),
            kind: None,
            class: ContentClass::Other,
            coverage: Coverage::new(),
            announced_total: None,
            counted_total: None,
            held: Held::default(),
            ahead: Ahead::default(),
            is_dirty: false,
            heard: None,
            report: None,
            tally: None,
            stage: Stage::Gathering,
        }
    }

    #[test]
    fn ids_are_counted_while_their_messages_are_there() {
        let mut messages = Messages::new();
        let (same, fresh) = (id("same"), id("fresh"));
        let one = messages.insert(message(same)).unwrap();
        assert!(!messages.share_id(same) && !messages.share_id(fresh));
        let two = messages.insert(message(same)).unwrap();
        assert!(messages.share_id(same));
        messages.relay_under(one, same);
        assert!(messages.share_id(same));
        messages.relay_under(two, fresh);
        assert!(!messages.share_id(same));
        let [three, four] = [(); 2].map(|()| messages.insert(message(fresh)).unwrap());
        assert!(messages.remove(three).is_some());
        assert!(messages.share_id(fresh));
        for key in [one, two, four] {
            assert!(messages.remove(key).is_some());
        }
        assert!(messages.ids.is_empty());
    }

    #[test]
    fn spent_ids_are_bounded_and_the_oldest_is_free_first() {
        let mut messages = Messages::new();
        let name = |number: usize| id(&format!("spent{number}"));
        for number in 0..=SPENT_IDS_MAX {
            let key = messages.insert(message(name(number))).unwrap();
            for _ in 0..=number % 2 {
                messages.spend_id(key);
            }
            assert!(messages.is_spent(name(number)));
            assert_eq!(messages.is_spent(name(0)), number < SPENT_IDS_MAX);
        }
        assert!(messages.is_spent(name(1)));
        assert_eq!(messages.spent.len(), messages.spent_order.len());
    }
}
