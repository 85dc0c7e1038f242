//! The calls that proxies have made, by Call-ID.

use std::collections::{BTreeMap, HashMap};

use msrp_control::{BridgeId, Side};
use sha2::{Digest as _, Sha256};

/// One call. There is one as long as the engine has its bridge.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) bridge: BridgeId,
    pub(crate) from_tag: String,
    /// The tag of the other side, once it has answered.
    pub(crate) to_tag: Option<String>,
    /// Seconds since 1970.
    pub(crate) created_s: u64,
    /// When something was last said about it, in seconds since 1970.
    pub(crate) signalled_s: u64,
}

impl Call {
    /// Which side has this tag.
    pub(crate) fn side(&self, tag: &str) -> Option<Side> {
        if self.from_tag == tag {
            Some(Side::Offerer)
        } else if self.to_tag.as_deref() == Some(tag) {
            Some(Side::Answerer)
        } else {
            None
        }
    }
}

/// All calls.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    by_call_id: BTreeMap<String, Call>,
    by_bridge: HashMap<BridgeId, String>,
}

impl Calls {
    pub(crate) fn get(&self, call_id: &str) -> Option<&Call> {
        self.by_call_id.get(call_id)
    }

    pub(crate) fn get_mut(&mut self, call_id: &str) -> Option<&mut Call> {
        self.by_call_id.get_mut(call_id)
    }

    pub(crate) fn insert(&mut self, call_id: &str, call: Call) {
        self.by_bridge
            .insert(call.bridge.clone(), call_id.to_owned());
        self.by_call_id.insert(call_id.to_owned(), call);
    }

    /// A bridge has ended.
    pub(crate) fn forget(&mut self, bridge: &BridgeId) {
        if let Some(call_id) = self.by_bridge.remove(bridge) {
            self.by_call_id.remove(&call_id);
        }
    }

    /// The first Call-IDs in their order.
    pub(crate) fn list(&self, limit: usize) -> impl Iterator<Item = &str> {
        self.by_call_id.keys().map(String::as_str).take(limit)
    }

    pub(crate) fn bridges(&self) -> Vec<BridgeId> {
        self.by_bridge.keys().cloned().collect()
    }
}

/// The bridge of a call: its Call-ID may have any characters and any length, an id of a bridge may not.
pub(crate) fn bridge_of(call_id: &str) -> Option<BridgeId> {
    let hash = Sha256::digest(call_id.as_bytes());
    let mut name = String::from("ng-");
    for octet in hash.iter().take(HASH_OCTETS) {
        name.push_str(&format!("{octet:02x}"));
    }
    BridgeId::new(&name).ok()
}

/// Octets of the hash that make an id: nobody finds two Call-IDs with one.
const HASH_OCTETS: usize = 16;
