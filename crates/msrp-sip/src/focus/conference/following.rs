//! What a conference does when the document of its group changes.
//!
//! # Spec
//! REL-7.2.2.8-14.

use std::sync::Arc;

use crate::focus::conference::engine::reason;
use crate::focus::conference::seating::participant_id;
use crate::focus::conference::{Conference, Env, Kind};
use crate::focus::desk::Asked;
use crate::focus::participant::Participant;
use crate::focus::refusal::Refusal;
use crate::groups::{Caller, Group};

impl Conference {
    /// The group has another document: it holds from now on, and who may not take part by it is
    /// removed. Its length counts from the start of the session, which ends at once when it has
    /// lasted longer. Who may write to single participants is told to the room.
    ///
    /// # Spec
    /// REL-7.2.2.8-06, REL-7.2.2.8-14, PM-7.2.3.4-02.
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
        self.ends_ns = self.kind.end_of(self.started_ns, env.policy);
        for key in excluded {
            tracing::info!(room = %self.room, participant = %participant_id(key), reason = "no_longer_allowed", "participant removed");
            let farewell = reason(403, "No longer allowed");
            self.dismiss(key, &Refusal::JoinForbidden, farewell, env);
        }
        self.follow_private_right(env);
        self.settle(env);
    }

    /// Tells the room whose right to write to single participants is another now.
    fn follow_private_right(&mut self, env: &mut Env<'_>) {
        let is_changed = |(key, p): (&u64, &Participant)| {
            let may_send = self.may_send_private(&p.addresses, p.is_hidden, env);
            (p.is_counted() && may_send != p.may_send_private).then_some((*key, may_send))
        };
        let changed: Vec<(u64, bool)> = self.participants.iter().filter_map(is_changed).collect();
        for (key, may_send) in changed {
            let Some(participant) = self.participants.get_mut(&key) else {
                continue;
            };
            participant.may_send_private = may_send;
            for (_, update) in self.updates(key) {
                env.desk.command(Asked::Forget, update);
            }
        }
    }
}
