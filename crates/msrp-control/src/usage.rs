//! What a session used: for whoever is to be paid for it.

use std::sync::Arc;
use std::time::SystemTime;

use crate::{EndReason, ParticipantId, RoomId};

/// By what the accounts of a session are put together with those of other systems. Whoever adds the
/// participant gives it; the engine keeps it and does not look into it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Charging {
    /// The Call-ID of the SIP dialog, at most [`CHARGING_OCTETS_MAX`].
    pub call_id: Option<String>,
    /// The charging identity: `icid-value` of P-Charging-Vector, or what the application server
    /// calls it; at most [`CHARGING_OCTETS_MAX`].
    pub charging_id: Option<String>,
}

impl Charging {
    /// What is there, shared; `None` when nothing is.
    #[must_use]
    pub fn shared(self) -> Option<Arc<Self>> {
        let is_there = self.call_id.is_some() || self.charging_id.is_some();
        is_there.then(|| Arc::new(self))
    }

    /// Whether each id is short enough and of visible ASCII characters.
    #[must_use]
    pub fn is_legal(&self) -> bool {
        let is_legal = |id: &String| {
            id.len() <= CHARGING_OCTETS_MAX && id.bytes().all(|b| b.is_ascii_graphic())
        };
        self.call_id.iter().chain(&self.charging_id).all(is_legal)
    }
}

/// Messages by what they hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ClassCounts {
    /// Text.
    pub text: u32,
    /// Notices that somebody is writing.
    pub composing: u32,
    /// Delivery notices.
    pub disposition: u32,
    /// Files, and announcements of files.
    pub file: u32,
    /// Everything else.
    pub other: u32,
}

/// What went through a session so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SessionUsage {
    /// Messages of the participant that were accepted.
    pub messages_received: ClassCounts,
    /// Octets of its SEND bodies, refused ones included.
    pub octets_received: u64,
    /// Messages that were put on their way to the participant to the end.
    pub messages_sent: ClassCounts,
    /// Octets of the SEND bodies that were put on their way to it.
    pub octets_sent: u64,
}

/// When a record was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UsageEvent {
    /// The session began: the participant was added.
    Start,
    /// The session goes on.
    Interim,
    /// The session ended.
    Stop(EndReason),
}

/// The account of a session at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageRecord {
    /// The number of the session, which no other one of this run of the engine has.
    pub session: u64,
    /// When in the life of the session.
    pub event: UsageEvent,
    /// When on the clock.
    pub at: SystemTime,
    /// Since its beginning, in milliseconds.
    pub duration_ms: u64,
    /// The room.
    pub room: RoomId,
    /// The participant.
    pub participant: ParticipantId,
    /// The address shown to others.
    pub entity: String,
    /// All its addresses, in the form in which they are compared.
    pub identities: Vec<String>,
    /// What other systems call it.
    pub charging: Option<Arc<Charging>>,
    /// What it used.
    pub usage: SessionUsage,
}

/// What whoever keeps the accounts is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UsageNote {
    /// The account of a session.
    Record(Box<UsageRecord>),
    /// A room was lost with its shard: its sessions ended, and nothing is known of what they used
    /// since their last record.
    RoomLost {
        /// The room.
        room: RoomId,
        /// When.
        at: SystemTime,
    },
}

/// Longest id of a [`Charging`], in octets.
pub const CHARGING_OCTETS_MAX: usize = 256;
