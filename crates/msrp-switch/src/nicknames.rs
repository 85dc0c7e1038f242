//! Who holds which nickname in a room.

use std::collections::BTreeMap;

use crate::leg::LegKey;
use crate::nickname::Nickname;

/// The nicknames of one room. A nickname has several holders only when they are sessions of one
/// user. Costs nothing where nobody asks for a nickname.
#[derive(Debug, Default)]
pub(crate) struct Nicknames {
    by_leg: BTreeMap<LegKey, Nickname>,
    /// Every nickname in the form in which nicknames are compared, with its holders.
    by_key: BTreeMap<Box<str>, Vec<LegKey>>,
}

impl Nicknames {
    /// The nickname of a session as it is shown.
    pub(crate) fn of(&self, leg: LegKey) -> Option<&str> {
        self.by_leg.get(&leg).map(|nickname| &*nickname.shown)
    }

    /// Those who hold a nickname that is the same.
    pub(crate) fn holders(&self, nickname: &Nickname) -> &[LegKey] {
        self.by_key.get(&nickname.key).map_or(&[], Vec::as_slice)
    }

    /// Gives a session the nickname in the place of the one that it holds.
    pub(crate) fn take(&mut self, leg: LegKey, nickname: Nickname) {
        self.release(leg);
        self.by_key
            .entry(nickname.key.clone())
            .or_default()
            .push(leg);
        self.by_leg.insert(leg, nickname);
    }

    /// Frees what a session holds. Whether it held any.
    pub(crate) fn release(&mut self, leg: LegKey) -> bool {
        let Some(nickname) = self.by_leg.remove(&leg) else {
            return false;
        };
        if let Some(holders) = self.by_key.get_mut(&nickname.key) {
            holders.retain(|holder| *holder != leg);
            if holders.is_empty() {
                self.by_key.remove(&nickname.key);
            }
        }
        true
    }

    /// Whether both ways of looking agree, and nobody holds anything who is not there.
    pub(crate) fn is_sound(&self, is_there: impl Fn(LegKey) -> bool) -> bool {
        let holders: usize = self.by_key.values().map(Vec::len).sum();
        holders == self.by_leg.len()
            && self
                .by_leg
                .iter()
                .all(|(leg, nickname)| is_there(*leg) && self.holders(nickname).contains(leg))
    }
}
