//! The messages that are under way, and the Message-IDs under which they are relayed.

use std::collections::BTreeMap;

use msrp_wire::MessageId;

use crate::message::Message;
use msrp_session::{Arena, Key};

/// See the module's text.
#[derive(Debug)]
pub(crate) struct Messages {
    arena: Arena<Message>,
    /// How many messages have each Message-ID towards recipients.
    ids: BTreeMap<MessageId, usize>,
}

impl Messages {
    pub(crate) fn new() -> Self {
        Self {
            arena: Arena::new(),
            ids: BTreeMap::new(),
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
