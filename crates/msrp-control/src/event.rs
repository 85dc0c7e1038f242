//! What the engine tells its controllers unasked.

use std::fmt;

use crate::{
    BridgeEvent, Drain, MessageContent, MessageOutcome, ParticipantId, ReportOutcome, RoomId,
    SessionStatistics,
};

/// Something that happened in the engine: in a room, to a bridge, or at the node. Events of one room, and of one
/// bridge, come in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A controller made the room.
    RoomStarted {
        /// The room.
        room: RoomId,
    },
    /// A controller changed the rules of the room.
    RoomUpdated {
        /// The room.
        room: RoomId,
    },
    /// A controller closed the room, or the node goes down. Its participants are gone with it; no
    /// event follows for them.
    RoomClosed {
        /// The room.
        room: RoomId,
    },
    /// A controller put the participant into the room. Its session may still wait for an answer
    /// and for a connection.
    ParticipantJoined {
        /// The room.
        room: RoomId,
        /// The participant.
        participant: ParticipantId,
        /// The address shown to others.
        entity: String,
    },
    /// A controller changed who the participant is, what it may do, or its session.
    ParticipantUpdated {
        /// The room.
        room: RoomId,
        /// The participant.
        participant: ParticipantId,
    },
    /// A controller removed the participant.
    ParticipantRemoved {
        /// The room.
        room: RoomId,
        /// The participant.
        participant: ParticipantId,
    },
    /// The participant's session was bound to a connection: its first request arrived, or the
    /// engine's own first SEND was answered.
    ParticipantBound {
        /// The room.
        room: RoomId,
        /// The participant.
        participant: ParticipantId,
    },
    /// The participant's session ended without a command. It is no longer in the room; the
    /// controller ends the signalling.
    ParticipantLost {
        /// The room.
        room: RoomId,
        /// The participant.
        participant: ParticipantId,
        /// Why the session ended.
        reason: EndReason,
    },
    /// A participant whose session did not stand yet misses a message of a room that delivers
    /// messages: more of it has come than may be kept.
    ParticipantTooLate {
        /// The room.
        room: RoomId,
        /// The participant.
        participant: ParticipantId,
    },
    /// A participant's session ended, for whatever reason: what it carried. Comes right before the
    /// event that says how the participant left.
    SessionEnded {
        /// The room.
        room: RoomId,
        /// The participant.
        participant: ParticipantId,
        /// Why the session ended.
        reason: EndReason,
        /// What it carried.
        statistics: Box<SessionStatistics>,
    },
    /// A message came to its end. Only for those who have an
    /// [interest](crate::Interest) in messages.
    MessageEnded {
        /// The room.
        room: RoomId,
        /// What became of it.
        message: Box<MessageOutcome>,
    },
    /// What a message of a participant held, as far as it was relayed. Comes behind its end, and only for those who
    /// have an [interest](crate::Interest) in content.
    MessageContent {
        /// The room.
        room: RoomId,
        /// What it held.
        content: Box<MessageContent>,
    },
    /// The final report that a sender asked for is complete, or nobody is left to get it. Only for
    /// those who have an [interest](crate::Interest) in messages.
    FinalReport {
        /// The room.
        room: RoomId,
        /// What it says.
        report: Box<ReportOutcome>,
    },
    /// The node drains, or takes everything again.
    DrainChanged {
        /// What it refuses from now on.
        drain: Drain,
        /// Seconds until it ends what is left; `None` when it waits for as long as it takes.
        deadline_s: Option<u64>,
    },
    /// A shard failed and is started again. Its rooms are told as [`Event::RoomLost`].
    ShardLost {
        /// Its number.
        shard: usize,
    },
    /// Something was refused because a bound is reached. Told once a second for each bound at most.
    LimitReached {
        /// The bound, as one lower-case word.
        limit: &'static str,
    },
    /// The participant is known by another nickname from now on, or by none. When it leaves, its
    /// nickname goes with it, and this event does not come.
    NicknameChanged {
        /// The room.
        room: RoomId,
        /// The participant.
        participant: ParticipantId,
        /// The nickname as it is shown, at most 1023 octets of any characters but control
        /// characters. Unique in the room but for other sessions of the same user.
        nickname: Option<String>,
    },
    /// The room ended without a command (its shard failed). Its participants are gone with it;
    /// no [`Event::ParticipantLost`] follows for them.
    RoomLost {
        /// The room.
        room: RoomId,
        /// Why the room ended.
        reason: EndReason,
    },
    /// Something happened to a bridge.
    Bridge(BridgeEvent),
}

impl Event {
    /// The room in which it happened; `None` when it concerns a bridge or the node.
    #[must_use]
    pub fn room(&self) -> Option<&RoomId> {
        match self {
            Self::Bridge(_)
            | Self::DrainChanged { .. }
            | Self::ShardLost { .. }
            | Self::LimitReached { .. } => None,
            Self::RoomStarted { room }
            | Self::RoomUpdated { room }
            | Self::RoomClosed { room }
            | Self::ParticipantJoined { room, .. }
            | Self::ParticipantUpdated { room, .. }
            | Self::ParticipantRemoved { room, .. }
            | Self::ParticipantBound { room, .. }
            | Self::ParticipantLost { room, .. }
            | Self::ParticipantTooLate { room, .. }
            | Self::SessionEnded { room, .. }
            | Self::MessageEnded { room, .. }
            | Self::MessageContent { room, .. }
            | Self::FinalReport { room, .. }
            | Self::NicknameChanged { room, .. }
            | Self::RoomLost { room, .. } => Some(room),
        }
    }
}

impl Event {
    /// Whether it comes only to those who want events of messages.
    #[must_use]
    pub fn is_of_message(&self) -> bool {
        matches!(
            self,
            Self::MessageEnded { .. } | Self::FinalReport { .. } | Self::MessageContent { .. }
        )
    }

    /// Octets of a message's content, with its type, that the event holds; `None` when it is of another kind.
    #[must_use]
    pub fn content_octets(&self) -> Option<usize> {
        match self {
            Self::MessageContent { content, .. } => Some(
                content
                    .octets
                    .len()
                    .saturating_add(content.content_type.len()),
            ),
            _ => None,
        }
    }
}

/// Why a session or a room ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EndReason {
    /// A controller removed the participant.
    Removed,
    /// A controller closed the room.
    RoomClosed,
    /// The peer closed the connection, or the network did.
    ConnectionLost,
    /// No connection named the session within the limit.
    NeverBound,
    /// The engine could not open a connection to the peer.
    ConnectFailed,
    /// The recipient took nothing for the stall time.
    Stalled,
    /// The peer sent octets that are not MSRP.
    ProtocolError,
    /// The peer answered that the session does not go on: it has none of this name (481) or has it
    /// on another connection (506), or octets did not come through to it. A new session needs new
    /// URIs, so it needs the signalling.
    SessionOver,
    /// Nobody answered the offer of a bridge within the limit.
    Unanswered,
    /// Nothing came from either side of a bridge within the limit.
    Idle,
    /// The shard that served the session failed.
    ShardFailed,
    /// The node went down.
    Shutdown,
}

impl EndReason {
    /// Every reason, for tables and metrics.
    pub const ALL: [Self; 12] = [
        Self::Removed,
        Self::RoomClosed,
        Self::ConnectionLost,
        Self::NeverBound,
        Self::ConnectFailed,
        Self::Stalled,
        Self::ProtocolError,
        Self::SessionOver,
        Self::Unanswered,
        Self::Idle,
        Self::ShardFailed,
        Self::Shutdown,
    ];

    /// The reason as one lower-case word for APIs, logs and metric labels. Never changes.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Removed => "removed",
            Self::RoomClosed => "room_closed",
            Self::ConnectionLost => "connection_lost",
            Self::NeverBound => "never_bound",
            Self::ConnectFailed => "connect_failed",
            Self::Stalled => "stalled",
            Self::ProtocolError => "protocol_error",
            Self::SessionOver => "session_over",
            Self::Unanswered => "unanswered",
            Self::Idle => "idle",
            Self::ShardFailed => "shard_failed",
            Self::Shutdown => "shutdown",
        }
    }
}

impl fmt::Display for EndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
