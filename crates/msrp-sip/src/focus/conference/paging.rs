//! Whom a MESSAGE to the session reaches.
//!
//! # Spec
//! PGR-8.3.2.1-11.

use super::Conference;
use crate::focus::pager::Recipient;

impl Conference {
    /// The participants other than this one, each user once.
    pub(crate) fn others(&self, sender: u64) -> Vec<Recipient> {
        let own = self.participants.get(&sender);
        let own: Vec<String> = own
            .iter()
            .flat_map(|p| &p.addresses)
            .map(|a| a.key())
            .collect();
        let mut seen = std::collections::HashSet::new();
        let present = self.participants.values().filter(|p| p.is_connected());
        present
            .filter_map(|p| Some((p.addresses.first()?, p.is_hidden)))
            .filter(|(uri, _)| !own.contains(&uri.key()) && seen.insert(uri.key()))
            .map(|(uri, is_hidden)| Recipient {
                uri: uri.clone(),
                is_hidden,
            })
            .collect()
    }

    /// Whether a participant is hidden, by its place.
    pub(crate) fn is_hidden(&self, key: u64) -> bool {
        self.participants.get(&key).is_some_and(|p| p.is_hidden)
    }
}
