//! Messages that the switch itself writes into a room, for whoever drives it.

use std::fmt;

use bytes::Bytes;
use msrp_wire::ContentTypeBuf;

use crate::leg::LegKey;
use crate::limits::{DISPLAY_NAME_OCTETS_MAX, OWN_MESSAGE_OCTETS_MAX};

/// Who gets a message of the switch itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MessageTo {
    /// Everybody who has joined.
    Room,
    /// These legs, each once.
    Legs(Vec<LegKey>),
}

/// A message of the switch itself. Each recipient gets it in a wrapper of its own, from the
/// conference URI to its own address.
///
/// # Spec
/// SYS-7.2.3.5-01 to -06; AMB-32.
#[derive(Debug, Clone)]
pub struct OwnMessage {
    /// Who gets it.
    pub to: MessageTo,
    /// The kind of service, as the display name of From: `SysAdmin`, `Announcement`. At most
    /// [`DISPLAY_NAME_OCTETS_MAX`] octets.
    pub from_display_name: Option<String>,
    /// The type of the content, with its parameters.
    pub content_type: ContentTypeBuf,
    /// The content, at most [`OWN_MESSAGE_OCTETS_MAX`] octets.
    pub body: Bytes,
    /// When it is sent, in the form of RFC 3339 ([`msrp_wire::cpim::datetime`]): the switch reads no
    /// clock.
    pub datetime: String,
}

/// Why a message of the switch itself was not sent to anybody. The caller's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnMessageError {
    /// The room is gone.
    NoSuchRoom,
    /// A recipient is not in the room.
    NoSuchLeg,
    /// The content is too long.
    BodyTooLong,
    /// The display name is too long.
    DisplayNameTooLong,
    /// Too many messages are on their way.
    TooManyMessages,
}

impl fmt::Display for OwnMessageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchRoom => f.write_str("the room is gone"),
            Self::NoSuchLeg => f.write_str("a recipient is not in the room"),
            Self::BodyTooLong => {
                write!(f, "the content has at most {OWN_MESSAGE_OCTETS_MAX} octets")
            }
            Self::DisplayNameTooLong => {
                write!(
                    f,
                    "the display name has at most {DISPLAY_NAME_OCTETS_MAX} octets"
                )
            }
            Self::TooManyMessages => f.write_str("too many messages are on their way"),
        }
    }
}

impl std::error::Error for OwnMessageError {}
