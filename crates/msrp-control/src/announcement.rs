//! Messages of the server to users, outside of any room.
//!
//! The engine knows rooms alone; who reaches users is the SIP side. So the door for such messages is a
//! trait of its own, which that side implements and any API may call.

use futures_channel::oneshot;

use crate::ControlError;

/// A message of the server to users.
///
/// # Spec
/// SYS-5.4.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// Who gets it, by address (`sip`, `sips` or `tel`); each address once. At least one.
    pub recipients: Vec<String>,
    /// What it says.
    pub content: AnnouncementContent,
    /// Whether users are to answer. Only a document can be answered.
    pub wants_answer: bool,
}

/// What a message of the server says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AnnouncementContent {
    /// This content; at most what one MESSAGE carries over UDP.
    Inline {
        /// Its media type, with parameters.
        content_type: String,
        /// Its octets.
        body: Vec<u8>,
    },
    /// The HTML document at this `http` or `https` URL.
    Document(String),
}

/// Where an [`Announcer`] puts its one answer: the number of recipients, or why nobody gets anything.
/// Dropping it unused means that the node goes down.
pub type AnnouncementReply = oneshot::Sender<Result<usize, ControlError>>;

/// Who sends messages of the server to users.
pub trait Announcer: Send + Sync + 'static {
    /// Sends a message at the pace of all others. Answers through `reply` exactly once, before the
    /// first recipient has it. Never blocks.
    ///
    /// The answer is [`ErrorCode::MalformedAddress`](crate::ErrorCode::MalformedAddress) for an address that
    /// cannot be read, [`ErrorCode::MalformedContent`](crate::ErrorCode::MalformedContent) for content
    /// that cannot be sent, [`ErrorCode::Limit`](crate::ErrorCode::Limit) for too many recipients or too
    /// many messages that wait, [`ErrorCode::Draining`](crate::ErrorCode::Draining) when the node takes
    /// none.
    fn announce(&self, announcement: Announcement, reply: AnnouncementReply);

    /// Takes note that a user answered such a message in another way than by SIP. Nothing happens for one
    /// that owes no answer.
    ///
    /// # Errors
    /// [`ErrorCode::MalformedAddress`](crate::ErrorCode::MalformedAddress). The caller's fault.
    fn note_answer(&self, user: &str) -> Result<(), ControlError>;
}
