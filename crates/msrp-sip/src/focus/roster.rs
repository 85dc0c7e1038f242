//! Who takes part, with the order of the changes.
//!
//! Each change gets the next revision. A subscriber that was told up to some revision is owed the
//! entries that changed after it; so a subscription holds one number, not a copy of the list, and
//! what it is owed is found without a look at those who stay.
//!
//! # Spec
//! RFC 4575 s.4.4; CONF-7.2.2.10-18; AMB-36.

use std::collections::{BTreeMap, BTreeSet, HashSet};

/// The users of one conference by the address that others see.
#[derive(Debug, Default)]
pub(crate) struct Roster {
    entries: BTreeMap<String, Entry>,
    /// Who changed in which revision; the last change of an entry counts.
    changes: BTreeSet<(u64, String)>,
    revision: u64,
    present_count: usize,
}

/// One user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The name that belongs to the address.
    pub(crate) display_name: Option<String>,
    /// The nickname that it chose.
    pub(crate) nickname: Option<String>,
    /// Whether it takes part.
    pub(crate) is_present: bool,
    /// The revision in which it came, absences that not everybody was told of left out.
    came_at: u64,
    /// The revision of its last change.
    changed_at: u64,
}

/// What a user is called.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Names<'a> {
    /// The name that belongs to the address.
    pub(crate) display_name: Option<&'a str>,
    /// The nickname that it chose.
    pub(crate) nickname: Option<&'a str>,
}

impl Entry {
    fn names(&self) -> Names<'_> {
        Names {
            display_name: self.display_name.as_deref(),
            nickname: self.nickname.as_deref(),
        }
    }
}

impl Roster {
    /// The revision of the last change.
    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    /// Takes those who are present now; of several with one address the first counts. True when
    /// anything changed. O(users).
    pub(crate) fn update<'a>(
        &mut self,
        present: impl Iterator<Item = (&'a str, Names<'a>)>,
    ) -> bool {
        let revision = self.revision.saturating_add(1);
        let mut is_changed = false;
        let mut seen = HashSet::new();
        for (entity, names) in present {
            if seen.insert(entity) {
                is_changed |= self.note_present(entity, names, revision);
            }
        }
        for (entity, entry) in &mut self.entries {
            if entry.is_present && !seen.contains(entity.as_str()) {
                entry.is_present = false;
                entry.changed_at = revision;
                self.changes.insert((revision, entity.clone()));
                is_changed = true;
            }
        }
        self.present_count = seen.len();
        if is_changed {
            self.revision = revision;
        }
        is_changed
    }

    fn note_present(&mut self, entity: &str, names: Names<'_>, revision: u64) -> bool {
        let Some(entry) = self.entries.get_mut(entity) else {
            let entry = Entry {
                display_name: names.display_name.map(str::to_owned),
                nickname: names.nickname.map(str::to_owned),
                is_present: true,
                came_at: revision,
                changed_at: revision,
            };
            self.entries.insert(entity.to_owned(), entry);
            self.changes.insert((revision, entity.to_owned()));
            return true;
        };
        if entry.is_present && entry.names() == names {
            return false;
        }
        entry.display_name = names.display_name.map(str::to_owned);
        entry.nickname = names.nickname.map(str::to_owned);
        entry.is_present = true;
        entry.changed_at = revision;
        self.changes.insert((revision, entity.to_owned()));
        true
    }

    /// How many are present.
    pub(crate) fn present_count(&self) -> usize {
        self.present_count
    }

    /// Those who are present.
    pub(crate) fn present(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.entries
            .iter()
            .filter(|(_, entry)| entry.is_present)
            .map(|(entity, entry)| (entity.as_str(), entry))
    }

    /// What a subscriber does not know that was told up to this revision, in the order of the
    /// changes. Users that came and went in between are left out.
    pub(crate) fn since(&self, told_at: u64) -> impl Iterator<Item = (&str, &Entry)> {
        let first = (told_at.saturating_add(1), String::new());
        self.changes
            .range(first..)
            .filter_map(|(revision, entity)| {
                let entry = self.entries.get(entity)?;
                (entry.changed_at == *revision).then_some((entity.as_str(), entry))
            })
            .filter(move |(_, entry)| entry.is_present || entry.came_at <= told_at)
    }

    /// Forgets the users who left, and the changes, as far as everybody was told up to this
    /// revision.
    pub(crate) fn forget_told(&mut self, told_at: u64) {
        self.changes = self
            .changes
            .split_off(&(told_at.saturating_add(1), String::new()));
        self.entries
            .retain(|_, entry| entry.is_present || entry.changed_at > told_at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn update(roster: &mut Roster, present: &[&str]) -> bool {
        roster.update(present.iter().map(|entity| (*entity, Names::default())))
    }

    fn since(roster: &Roster, told_at: u64) -> Vec<(String, bool)> {
        let owed = roster.since(told_at);
        owed.map(|(entity, entry)| (entity.to_owned(), entry.is_present))
            .collect()
    }

    #[test]
    fn roster_owes_each_change_once() {
        let mut roster = Roster::default();
        assert!(update(&mut roster, &["a", "b"]));
        let first = roster.revision();
        assert!(!update(&mut roster, &["b", "a", "a"]));
        assert_eq!(roster.revision(), first);
        assert!(update(&mut roster, &["a", "c"]));
        assert_eq!(
            since(&roster, first),
            [("b".to_owned(), false), ("c".to_owned(), true)]
        );
        assert!(since(&roster, roster.revision()).is_empty());
        // What everybody was told is forgotten; who comes back is new.
        let told_at = roster.revision();
        roster.forget_told(told_at);
        assert!(roster.changes.is_empty() && !roster.entries.contains_key("b"));
        assert!(update(&mut roster, &["a", "b", "c"]));
        assert_eq!(since(&roster, told_at), [("b".to_owned(), true)]);
        assert_eq!(roster.present_count(), 3);
    }

    #[test]
    fn roster_does_not_tell_of_users_who_came_and_went() {
        let mut roster = Roster::default();
        update(&mut roster, &["a"]);
        let told_at = roster.revision();
        update(&mut roster, &["a", "b"]);
        update(&mut roster, &["a"]);
        assert!(since(&roster, told_at).is_empty());
        // One who was known, left, came and left again is told of.
        update(&mut roster, &[]);
        update(&mut roster, &["a"]);
        update(&mut roster, &[]);
        assert_eq!(since(&roster, told_at), [("a".to_owned(), false)]);
    }

    #[test]
    fn roster_tells_a_new_name() {
        let mut roster = Roster::default();
        update(&mut roster, &["a"]);
        let named = |name| Names {
            display_name: Some(name),
            nickname: None,
        };
        let nicknamed = Names {
            nickname: Some("Al"),
            ..named("A")
        };
        for names in [named("A"), nicknamed, named("A")] {
            let told_at = roster.revision();
            assert!(roster.update([("a", names)].into_iter()));
            assert_eq!(since(&roster, told_at), [("a".to_owned(), true)]);
            assert!(!roster.update([("a", names)].into_iter()));
        }
    }
}
