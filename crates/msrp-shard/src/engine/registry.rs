//! Which rooms run where. Controllers share it; no chunk touches it.

use dashmap::DashMap;
use msrp_control::RoomId;

use super::chat_functions::ChatFunctions;

/// All rooms of the node.
pub(crate) type Rooms = DashMap<RoomId, Residence>;

/// Where a room lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Residence {
    /// The shard that owns the room.
    pub(crate) shard: usize,
    /// How many sessions it had when one last came or went.
    pub(crate) sessions_count: usize,
    /// What its session descriptions declare.
    pub(crate) chat: ChatFunctions,
}

impl Residence {
    /// Of a room without sessions.
    pub(crate) fn new(shard: usize, chat: ChatFunctions) -> Self {
        Self {
            shard,
            sessions_count: 0,
            chat,
        }
    }
}
