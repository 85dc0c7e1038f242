//! What a conference does when the document of its group changes.
//!
//! # Spec
//! REL-7.2.2.8-14.

use std::sync::Arc;

use crate::focus::conference::engine::reason;
use crate::focus::conference::seating::participant_id;
use crate::focus::conference::{Conference, Env, Kind};
use crate::focus::participant::Participant;
use crate::focus::refusal::Refusal;
use crate::groups::{Caller, Group};

impl Conference {
    /// The group has another document: it holds from now on, and who may not take part by it is
    /// removed. The length of the session and the room's rule for private messages stay as they
    /// were at the start.
    ///
    /// # Spec
    /// REL-7.2.2.8-14.
    pub(crate) fn follow_group(&mut self, group: Arc<Group>, env: &mut Env<'_>) {
        let is_excluded = |participant: &Participant| {
            let rights = group.rights(&Caller {
                addresses: &participant.addresses,
                is_anonymous: participant.is_hidden,
            });
            !rights.join || (participant.is_hidden && !rights.anonymity)
        };
        let excluded: Vec<u64> = self
            .participants
            .iter()
            .filter(|(_, p)| p.is_counted() && is_excluded(p))
            .map(|(key, _)| *key)
            .collect();
        self.kind = Kind::Group(group);
        for key in excluded {
            tracing::info!(room = %self.room, participant = %participant_id(key), reason = "no_longer_allowed", "participant removed");
            let farewell = reason(403, "No longer allowed");
            self.dismiss(key, &Refusal::JoinForbidden, farewell, env);
        }
        self.settle(env);
    }
}
