//! What became of messages and sessions, in numbers; and apart from that, what messages held.

use std::sync::Arc;

use crate::ParticipantId;

/// Messages towards recipients, by how they ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CopyCounts {
    /// The recipient answered every piece with 200.
    pub delivered: u32,
    /// Everything was written; no answer was asked for.
    pub sent: u32,
    /// The recipient refused it, or its session cannot take it.
    pub refused: u32,
    /// The recipient's session ended first, or no answer came in time.
    pub failed: u32,
    /// The sender gave it up, or its session ended first.
    pub aborted: u32,
}

/// What a message held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MessageClass {
    /// Text.
    Text,
    /// A typing notice.
    Composing,
    /// A delivery notice.
    Disposition,
    /// A file.
    File,
    /// Something else.
    Other,
}

impl MessageClass {
    /// The class as one lower-case word for APIs. Never changes.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Composing => "composing",
            Self::Disposition => "disposition",
            Self::File => "file",
            Self::Other => "other",
        }
    }
}

/// The end of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageOutcome {
    /// Whose message it was; `None` when it was the room's own, or its sender is gone.
    pub participant: Option<ParticipantId>,
    /// The Message-ID that the sender gave it.
    pub message_id: String,
    /// Octets that arrived, with the wrapper.
    pub octets: u64,
    /// What it held; `None` when it was refused before that was read.
    pub class: Option<MessageClass>,
    /// The MSRP status with which the sender was refused.
    pub refused: Option<u16>,
    /// What became of its copies.
    pub copies: CopyCounts,
}

/// What one message held, without its wrapper.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageContent {
    /// Whose message it was; `None` when its sender is gone.
    pub participant: Option<ParticipantId>,
    /// The Message-ID that the sender gave it.
    pub message_id: String,
    /// The type of the content, with its parameters.
    pub content_type: String,
    /// The content from its first octet on, up to the engine's bound.
    pub octets: Arc<[u8]>,
    /// Whether that is all of it.
    pub is_whole: bool,
}

/// The end of one final report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportOutcome {
    /// The sender of the message; `None` when it is gone.
    pub participant: Option<ParticipantId>,
    /// The Message-ID that the sender gave it.
    pub message_id: String,
    /// Whether the sender was told.
    pub is_sent: bool,
    /// How many recipients ended with each status, in the order of the statuses. 9999: the message
    /// was longer than the recipient takes.
    pub results: Vec<(u16, u32)>,
}

/// What a session carried from its beginning to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SessionStatistics {
    /// How long the session was there, in milliseconds.
    pub duration_ms: u64,
    /// Messages of the participant that were accepted.
    pub messages_sent: u32,
    /// Requests of the participant that were refused.
    pub requests_refused: u32,
    /// Octets of the bodies of its SENDs, with wrappers and with what was refused, as in usage records.
    pub octets_sent: u64,
    /// Messages towards the participant, by how they ended.
    pub received: CopyCounts,
    /// Octets of the messages that it got whole.
    pub octets_received: u64,
}
