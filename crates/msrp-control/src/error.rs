//! What can be wrong with a command.

use std::fmt;

/// The stable part of a [`ControlError`]: what a program decides on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// A room of this id runs already. The caller's fault.
    RoomExists,
    /// No room of this id runs.
    NoSuchRoom,
    /// The room has a participant of this id already.
    ParticipantExists,
    /// The room has no participant of this id.
    NoSuchParticipant,
    /// The command does not fit what happened before, for example an answer without an offer.
    WrongState,
    /// The session description could not be read.
    MalformedSdp,
    /// The session description is legal and cannot be served.
    NotAcceptable,
    /// An address in the command is not a URI.
    MalformedAddress,
    /// A message to send has no media type, or is longer than it may be; or an id for charging is too
    /// long, or is not of visible ASCII characters.
    MalformedContent,
    /// A configured bound is reached.
    Limit,
    /// A bridge of this id is there already. The caller's fault.
    BridgeExists,
    /// No bridge of this id is there.
    NoSuchBridge,
    /// The node is going down and takes no new work.
    Draining,
    /// The shard that owns the room does not answer.
    Unavailable,
}

impl ErrorCode {
    /// Every code, for tables and documents.
    pub const ALL: [Self; 14] = [
        Self::RoomExists,
        Self::NoSuchRoom,
        Self::ParticipantExists,
        Self::NoSuchParticipant,
        Self::WrongState,
        Self::MalformedSdp,
        Self::NotAcceptable,
        Self::MalformedAddress,
        Self::MalformedContent,
        Self::Limit,
        Self::BridgeExists,
        Self::NoSuchBridge,
        Self::Draining,
        Self::Unavailable,
    ];

    /// The SIP status with which a focus answers a request that failed for this reason.
    #[must_use]
    pub fn sip_status(self) -> u16 {
        match self {
            Self::MalformedSdp | Self::MalformedAddress | Self::MalformedContent => 400,
            Self::NoSuchRoom | Self::NoSuchParticipant | Self::NoSuchBridge => 404,
            Self::NotAcceptable => 488,
            Self::Limit | Self::Draining | Self::Unavailable => 503,
            Self::RoomExists | Self::ParticipantExists | Self::BridgeExists | Self::WrongState => {
                500
            }
        }
    }

    /// The code as one lower-case word for APIs and logs. Never changes.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RoomExists => "room_exists",
            Self::NoSuchRoom => "no_such_room",
            Self::ParticipantExists => "participant_exists",
            Self::NoSuchParticipant => "no_such_participant",
            Self::WrongState => "wrong_state",
            Self::MalformedSdp => "malformed_sdp",
            Self::NotAcceptable => "not_acceptable",
            Self::MalformedAddress => "malformed_address",
            Self::MalformedContent => "malformed_content",
            Self::Limit => "limit",
            Self::BridgeExists => "bridge_exists",
            Self::NoSuchBridge => "no_such_bridge",
            Self::Draining => "draining",
            Self::Unavailable => "unavailable",
        }
    }
}

/// A refused command: a stable code and a sentence that says what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlError {
    /// What a program decides on.
    pub code: ErrorCode,
    /// What a person reads. Holds no session URI and no body.
    pub detail: String,
}

impl ControlError {
    /// Builds an error from its code and its sentence.
    pub fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
        }
    }
}

impl fmt::Display for ControlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.detail, self.code.as_str())
    }
}

impl std::error::Error for ControlError {}
