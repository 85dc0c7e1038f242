//! From session-ids to legs, without a second copy of the ids.
//!
//! The table knows a hash of each id; the sessions know the ids. Whoever looks one up says how to
//! compare. Ids whose hashes are equal, if that ever happens, stand in a list beside.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasher as _, RandomState};

use msrp_switch::LegKey;

/// The legs by the session-id of their sessions.
#[derive(Debug, Default)]
pub(super) struct SessionIds {
    keys: RandomState,
    legs: HashMap<u64, LegKey>,
    collided: Vec<LegKey>,
}

impl SessionIds {
    pub(super) fn insert(&mut self, session_id: &[u8], leg: LegKey) {
        self.insert_hash(self.keys.hash_one(session_id), leg);
    }

    fn insert_hash(&mut self, hash: u64, leg: LegKey) {
        match self.legs.entry(hash) {
            Entry::Occupied(_) => self.collided.push(leg),
            Entry::Vacant(vacant) => {
                vacant.insert(leg);
            }
        }
    }

    pub(super) fn remove(&mut self, session_id: &[u8], leg: LegKey) {
        self.remove_hash(self.keys.hash_one(session_id), leg);
    }

    fn remove_hash(&mut self, hash: u64, leg: LegKey) {
        if self.legs.get(&hash) == Some(&leg) {
            self.legs.remove(&hash);
        } else {
            self.collided.retain(|other| *other != leg);
        }
    }

    /// The leg whose session has this id; `is_it` compares.
    pub(super) fn find(&self, session_id: &[u8], is_it: impl Fn(LegKey) -> bool) -> Option<LegKey> {
        self.find_hash(self.keys.hash_one(session_id), is_it)
    }

    fn find_hash(&self, hash: u64, is_it: impl Fn(LegKey) -> bool) -> Option<LegKey> {
        let first = self.legs.get(&hash).into_iter();
        first.chain(&self.collided).copied().find(|leg| is_it(*leg))
    }

    pub(super) fn count(&self) -> usize {
        self.legs.len() + self.collided.len()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use msrp_switch::{
        Acceptance, Addressing, LegSpec, Participant, RoomSpec, Switch, SwitchConfig,
    };
    use msrp_wire::FailureReport;

    use super::*;

    pub(in super::super) fn legs() -> [LegKey; 2] {
        let mut switch = Switch::new(&SwitchConfig {
            failure_report: FailureReport::Partial,
            final_report_ns: 0,
            rules: msrp_switch::Rules::default(),
            seed: [0; 32],
        });
        let room = switch.create_room(RoomSpec {
            uri: String::new(),
            addresses: Vec::new(),
            message_octets_max: 0,
            private_messages: false,
            nicknames: false,
            addressing: Addressing::Oma,
        });
        [0, 1].map(|_| {
            let spec = LegSpec {
                participant: Participant {
                    identities: Vec::new(),
                    entity: String::new(),
                    is_hidden: false,
                    may_send_private: false,
                    shows_release: false,
                },
                acceptance: Acceptance::everything(),
                may_send: true,
                may_receive: true,
            };
            switch.add_leg(room.unwrap(), spec).unwrap()
        })
    }

    #[test]
    fn session_ids_with_equal_hashes_find_their_own_legs() {
        let [first, second] = legs();
        let mut ids = SessionIds::default();
        ids.insert_hash(7, first);
        ids.insert_hash(7, second);
        assert_eq!(ids.count(), 2);
        assert_eq!(ids.find_hash(7, |leg| leg == second), Some(second));
        ids.remove_hash(7, first);
        assert_eq!(ids.find_hash(7, |leg| leg == first), None);
        assert_eq!(ids.find_hash(7, |leg| leg == second), Some(second));
        ids.remove_hash(7, second);
        assert_eq!(ids.count(), 0);
    }
}
