//! Senders that stop in the middle of a message.
//!
//! A message would wait for its next chunk for ever, and its copies with it. One walk over all
//! messages finds the silent ones; it comes seldom, so that a message costs nothing for it.

use msrp_session::Timestamp;

use super::Switch;
use crate::leg::OpenChunk;
use crate::limits::SILENCE_NS;
use crate::message::{Message, MessageKey};
use crate::refused::Refused;

impl Switch {
    /// Sees to it that there is a next walk while there are messages.
    pub(super) fn watch_silence(&mut self, now: Timestamp) {
        if self.silence_walk.is_none() && !self.messages.is_empty() {
            self.silence_walk = Some(now.after(SILENCE_NS));
        }
    }

    /// Aborts the unfinished messages of which nothing was heard for the whole time.
    ///
    /// # Spec
    /// RFC 7701 s.6.1; MSRP-7701-6.1-16, MSRP-7701-6.1-17.
    pub(super) fn end_silent(&mut self, now: Timestamp) {
        if self.silence_walk.is_none_or(|walk| walk > now) {
            return;
        }
        let end = |message: &Message| {
            let heard = message.heard.filter(|_| message.is_unfinished());
            heard.map(|heard| heard.after(SILENCE_NS))
        };
        let is_over = |message: &Message| end(message).is_some_and(|end| end <= now);
        let silent: Vec<MessageKey> = self
            .messages
            .iter()
            .filter(|(_, message)| is_over(message))
            .map(|(key, _)| MessageKey(key))
            .collect();
        for key in silent {
            self.end_silent_message(key);
        }
        let next = self.messages.iter().filter_map(|(_, m)| end(m)).min();
        let soonest = now.after(SILENCE_NS / WALKS_PER_SILENCE);
        self.silence_walk = next.map(|next| next.max(soonest));
    }

    fn end_silent_message(&mut self, key: MessageKey) {
        let Some(sender) = self.messages.get(key.0).and_then(|message| message.sender) else {
            return;
        };
        let Some(leg) = self.legs.get_mut(sender.0) else {
            return;
        };
        match leg.chunk {
            OpenChunk::Of { message, .. } if message == key => {
                self.refuse(sender, Some(key), Refused::SenderSilent);
            }
            OpenChunk::Discarded(Some(message)) if message == key => {}
            OpenChunk::Of { .. }
            | OpenChunk::Discarded(_)
            | OpenChunk::Empty
            | OpenChunk::Closed => {
                leg.forget_sending(key);
                self.abort(key);
            }
        }
    }
}

/// How often the walk comes at most in the time that a sender may be silent.
const WALKS_PER_SILENCE: u64 = 8;
