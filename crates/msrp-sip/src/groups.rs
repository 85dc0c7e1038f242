//! Pre-defined groups: who belongs to them and what each member may do.
//!
//! The focus asks through [`Groups`] and knows nothing of where the answer comes from.
//! [`DirectoryGroups`] reads XDM list-service documents; [`StaticGroups`] holds groups that the
//! program made.

#![cfg_attr(
    not(test),
    deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

mod directory;
mod document;
mod group;
mod rules;

use std::collections::HashMap;
use std::sync::Arc;

pub use directory::{DirectoryGroups, GroupsError, Refresh};
pub use document::parse as parse_document;
pub use group::{ActivePolicy, Group, Member};
pub use rules::{Caller, Condition, Identity, Rights, Rule};

use crate::address::Uri;

/// Where the focus learns about pre-defined groups.
pub trait Groups {
    /// The group of this address. Called once per request; answers from memory.
    fn group(&self, uri: &Uri) -> Option<Arc<Group>>;
}

/// Groups that the program made itself.
#[derive(Debug, Clone, Default)]
pub struct StaticGroups {
    groups: HashMap<String, Arc<Group>>,
}

impl StaticGroups {
    /// Holds these groups. Of two groups with one address the later stays.
    #[must_use]
    pub fn new(groups: impl IntoIterator<Item = Group>) -> Self {
        let groups = groups
            .into_iter()
            .map(|group| (group.uri.key(), Arc::new(group)))
            .collect();
        Self { groups }
    }
}

impl Groups for StaticGroups {
    fn group(&self, uri: &Uri) -> Option<Arc<Group>> {
        self.groups.get(&uri.key()).cloned()
    }
}
