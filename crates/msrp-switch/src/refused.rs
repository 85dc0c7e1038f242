//! Why a request is refused, and the one table from reason to status.

use std::fmt;

use msrp_wire::StatusCode;

/// A legal request that is not allowed here. The session stays usable; nothing of the chunk is
/// relayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refused {
    /// The body is not wrapped in Message/CPIM.
    NoCpim,
    /// The wrapper's headers cannot be read, or do not end within their bound.
    MalformedCpim,
    /// The wrapper does not say who wrote it, or to whom.
    NoSenderOrRecipient,
    /// The wrapper's From is not an address of the sender.
    FromNotSender,
    /// The sender's media description says that it does not send, or the sender is muted.
    SenderMayNotSend,
    /// The wrapper names nobody in this room.
    NoSuchRecipient,
    /// The wrapper names too many recipients.
    TooManyRecipients,
    /// The room has no private messages, or the sender may not send any.
    NoPrivateMessages,
    /// No participant that the wrapper names takes private messages, and the room says so with 403.
    RecipientLacksRelease,
    /// As [`Refused::RecipientLacksRelease`], where the room says so with 428.
    PrivateMessagesUnsupported,
    /// The message is longer than the room allows.
    TooLarge,
    /// The first chunk of a message does not start at its first octet, or too much came ahead of
    /// its wrapper.
    NotTheStart,
    /// Octets lie behind the end of the message that an earlier chunk with `$` showed.
    BeyondTheEnd,
    /// The chunks of a message leave too many holes.
    TooManyHoles,
    /// The participant begins messages more often than it may.
    TooFast,
    /// The session has too many unfinished messages.
    TooManyUnfinished,
    /// Too many final reports are being collected for the session.
    TooManyReports,
    /// The sender was silent for too long in the middle of the message.
    SenderSilent,
    /// Every recipient has refused the message.
    NobodyTakesIt,
    /// The session has sent the one message that it may send.
    OneMessageOnly,
    /// The room has no nicknames.
    NoNicknames,
    /// The session asks for nicknames too often.
    TooManyNicknames,
    /// What was asked for is no nickname, or nothing was asked for.
    MalformedNickname,
    /// The nickname is one that nobody may have.
    NicknameReserved,
    /// Somebody else has the nickname.
    NicknameInUse,
    /// A later chunk of a message that was refused before.
    StillRefused(StatusCode),
}

impl Refused {
    /// The status that the sender gets.
    ///
    /// # Spec
    /// RFC 4975 s.10, RFC 7701 s.6; MSRP-3862-4-01; AMB-31, AMB-73.
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Self::NoCpim => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::MalformedCpim | Self::NotTheStart | Self::BeyondTheEnd | Self::TooManyHoles => {
                StatusCode::BAD_REQUEST
            }
            Self::NoSenderOrRecipient
            | Self::FromNotSender
            | Self::SenderMayNotSend
            | Self::TooManyRecipients
            | Self::NoPrivateMessages
            | Self::RecipientLacksRelease
            | Self::OneMessageOnly
            | Self::NoNicknames
            | Self::TooManyNicknames => StatusCode::FORBIDDEN,
            Self::PrivateMessagesUnsupported => StatusCode::PRIVATE_MESSAGES_UNSUPPORTED,
            Self::MalformedNickname => StatusCode::NICKNAME_MALFORMED,
            Self::NicknameReserved | Self::NicknameInUse => StatusCode::NICKNAME_RESERVED,
            Self::NoSuchRecipient => StatusCode::NOT_FOUND,
            Self::TooLarge
            | Self::TooFast
            | Self::TooManyUnfinished
            | Self::TooManyReports
            | Self::SenderSilent
            | Self::NobodyTakesIt => StatusCode::STOP_SENDING,
            Self::StillRefused(status) => status,
        }
    }

    /// The comment behind the status: that of the status, unless it is of use to know more.
    #[must_use]
    pub fn phrase(self) -> &'static str {
        match self {
            Self::TooFast => "Too Many Messages, Slow Down",
            other => other.status().phrase(),
        }
    }

    /// The reason as one lower-case word for logs and metric labels. Never changes.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoCpim => "no_cpim",
            Self::MalformedCpim => "malformed_cpim",
            Self::NoSenderOrRecipient => "no_sender_or_recipient",
            Self::FromNotSender => "from_not_sender",
            Self::SenderMayNotSend => "sender_may_not_send",
            Self::NoSuchRecipient => "no_such_recipient",
            Self::TooManyRecipients => "too_many_recipients",
            Self::NoPrivateMessages => "no_private_messages",
            Self::RecipientLacksRelease => "recipient_lacks_release",
            Self::PrivateMessagesUnsupported => "private_messages_unsupported",
            Self::TooLarge => "too_large",
            Self::NotTheStart => "not_the_start",
            Self::BeyondTheEnd => "beyond_the_end",
            Self::TooManyHoles => "too_many_holes",
            Self::TooFast => "too_fast",
            Self::TooManyUnfinished => "too_many_unfinished",
            Self::TooManyReports => "too_many_reports",
            Self::SenderSilent => "sender_silent",
            Self::NobodyTakesIt => "nobody_takes_it",
            Self::OneMessageOnly => "one_message_only",
            Self::NoNicknames => "no_nicknames",
            Self::TooManyNicknames => "too_many_nicknames",
            Self::MalformedNickname => "malformed_nickname",
            Self::NicknameReserved => "nickname_reserved",
            Self::NicknameInUse => "nickname_in_use",
            Self::StillRefused(_) => "still_refused",
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
