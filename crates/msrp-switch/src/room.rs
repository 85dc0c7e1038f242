//! A chat room: its addresses and its legs.

use std::rc::Rc;

use msrp_session::Key;
use msrp_wire::{Identity, StatusCode};

use crate::delivery::Delivery;
use crate::kind::Kinds;
use crate::leg::LegKey;
use crate::nicknames::Nicknames;

/// Names a room of a [`Switch`](crate::Switch).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoomKey(pub(crate) Key);

impl RoomKey {
    /// The slot number: dense, small, used again after the room is gone.
    #[must_use]
    pub fn index(self) -> usize {
        self.0.index()
    }
}

/// The rules of a room.
#[derive(Debug, Clone)]
pub struct RoomSpec {
    /// The conference URI as a text: From of the messages that the switch writes itself.
    pub uri: String,
    /// The addresses that mean everybody in a CPIM To.
    pub addresses: Vec<Identity>,
    /// Longest message in octets of the whole CPIM message.
    pub message_octets_max: u64,
    /// Whether messages may name single participants.
    pub private_messages: bool,
    /// Whether participants may be known by nicknames.
    pub nicknames: bool,
    /// How messages name their recipients.
    pub addressing: Addressing,
}

/// How messages of a room name their recipients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Addressing {
    /// As OMA SIMPLE IM has it: several recipients may be named (AMB-30). Who takes no private
    /// messages is 403, or 428 where the switch is told so (AMB-31).
    #[default]
    Oma,
    /// As RFC 7701 has it: one recipient, the room or a participant; more are 403 (s.6.1, s.6.2).
    /// Who takes no private messages is 428.
    Rfc7701,
}

#[derive(Debug)]
pub(crate) struct Room {
    pub(crate) uri: Box<str>,
    pub(crate) addresses: Box<[Identity]>,
    pub(crate) message_octets_max: u64,
    pub(crate) private_messages: bool,
    pub(crate) addressing: Addressing,
    /// The kinds of content that were met in it.
    pub(crate) kinds: Kinds,
    pub(crate) has_nicknames: bool,
    pub(crate) nicknames: Nicknames,
    /// In the order in which they came.
    pub(crate) legs: Vec<LegKey>,
    /// Set when it delivers messages; `None` for a conversation.
    pub(crate) delivery: Option<Box<Delivery>>,
    /// Who was to take part and never did, with the status that final reports give.
    pub(crate) excused: Vec<(Rc<str>, StatusCode)>,
}

impl Room {
    pub(crate) fn new(spec: RoomSpec) -> Self {
        Self {
            uri: spec.uri.into(),
            addresses: spec.addresses.into_boxed_slice(),
            message_octets_max: spec.message_octets_max,
            private_messages: spec.private_messages,
            addressing: spec.addressing,
            kinds: Kinds::default(),
            has_nicknames: spec.nicknames,
            nicknames: Nicknames::default(),
            legs: Vec::new(),
            delivery: None,
            excused: Vec::new(),
        }
    }

    /// Its rules at present.
    pub(crate) fn update(&mut self, spec: RoomSpec) {
        self.uri = spec.uri.into();
        self.addresses = spec.addresses.into();
        self.message_octets_max = spec.message_octets_max;
        self.private_messages = spec.private_messages;
        self.addressing = spec.addressing;
        self.has_nicknames = spec.nicknames;
    }

    pub(crate) fn spec(&self) -> RoomSpec {
        RoomSpec {
            uri: self.uri.as_ref().to_owned(),
            addresses: self.addresses.to_vec(),
            message_octets_max: self.message_octets_max,
            private_messages: self.private_messages,
            nicknames: self.has_nicknames,
            addressing: self.addressing,
        }
    }

    /// Whether this address means everybody in the room.
    pub(crate) fn is(&self, identity: &Identity) -> bool {
        self.addresses.contains(identity)
    }
}
