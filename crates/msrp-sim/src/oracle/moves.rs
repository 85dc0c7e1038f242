//! A participant that goes on with another session in the place of its old one.
//!
//! What was under way fails, so that no message is on both. From the answer to its offer on everything that is said reaches
//! the new session.
//!
//! # Spec
//! RFC 4975 s.5.4, s.8.4.

use super::{Oracle, Witness};
use crate::kernel::PeerId;
use crate::message::Ending;

/// What a message counts as refused with that was under way when its sender moved.
const MOVED: u16 = 481;

impl Witness {
    /// What it was in the middle of is over.
    fn forget_session(&mut self, now_ns: u64) {
        self.surely_from_ns = Some(now_ns);
        self.is_bound = false;
        self.waiting.clear();
        self.wanted.clear();
        self.heads.clear();
        self.own_due = self.own_seen;
        for copy in self.copies.values_mut() {
            copy.is_aborted |= !copy.is_complete;
        }
    }
}

impl Oracle {
    /// A participant's old session is over, and its new one begins.
    pub(crate) fn moved(&mut self, peer: PeerId, now_ns: u64) {
        self.see("move to another session");
        self.witnesses[peer].forget_session(now_ns);
        for sent in &mut self.sent {
            let message = &sent.message;
            // Without an answer nobody knows what has reached the room.
            let is_through = message.failure_report == "yes"
                && !message.asks_for_report
                && message.ending == Ending::Last
                && sent.written_ns.is_some()
                && sent.accepted == sent.sends;
            if message.sender == peer && !is_through {
                sent.refused.get_or_insert(MOVED);
                if sent.begun_ns.is_some() {
                    sent.written_ns.get_or_insert(now_ns);
                }
            }
        }
    }
}
