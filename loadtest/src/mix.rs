//! What is sent: the kinds of messages and the mixes of them.

use clap::ValueEnum;
use serde::Serialize;

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A text for the room.
    Text,
    /// A large message for the room.
    File,
    /// A typing notice for the room (RFC 3994).
    Composing,
    /// A notification to the sender of a text that it was delivered (RFC 5438).
    Delivered,
    /// A notification to the sender of a text that it was displayed (RFC 5438).
    Displayed,
}

/// Who gets a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Everybody in the room but the sender.
    Room,
    /// One participant.
    Private,
}

/// What each sender sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mix {
    /// Texts.
    Text,
    /// Large messages in chunks.
    File,
    /// What a chat service makes of one text: two typing notices before it, and two notifications from each recipient.
    Carrier,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 5] = [
        Self::Text,
        Self::File,
        Self::Composing,
        Self::Delivered,
        Self::Displayed,
    ];

    /// The letter in a stamp.
    #[must_use]
    pub fn letter(self) -> u8 {
        match self {
            Self::Text => b't',
            Self::File => b'f',
            Self::Composing => b'c',
            Self::Delivered => b'd',
            Self::Displayed => b'r',
        }
    }

    /// The kind of a letter.
    #[must_use]
    pub fn of_letter(letter: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.letter() == letter)
    }

    /// Who gets it.
    #[must_use]
    pub fn scope(self) -> Scope {
        match self {
            Self::Text | Self::File | Self::Composing => Scope::Room,
            Self::Delivered | Self::Displayed => Scope::Private,
        }
    }

    /// Whether its size is the one that was asked for; the others have fixed contents.
    #[must_use]
    pub fn is_sized(self) -> bool {
        matches!(self, Self::Text | Self::File)
    }
}

impl Mix {
    /// The messages of one unit, in the order in which they leave. The last one ends the unit.
    #[must_use]
    pub fn unit(self) -> &'static [Kind] {
        match self {
            Self::Text => &[Kind::Text],
            Self::File => &[Kind::File],
            Self::Carrier => &[Kind::Composing, Kind::Composing, Kind::Text],
        }
    }

    /// What each recipient of a message sends back to its sender.
    #[must_use]
    pub fn replies(self, kind: Kind) -> &'static [Kind] {
        match (self, kind) {
            (Self::Carrier, Kind::Text) => &[Kind::Delivered, Kind::Displayed],
            _ => &[],
        }
    }

    /// SENDs on all connections of a room for one unit, in both directions, when each message is one chunk.
    #[must_use]
    pub fn requests_per_unit(self, participants: u64) -> u64 {
        let recipients = participants.saturating_sub(1);
        let sent = self.unit().len() as u64;
        let replies: u64 = self
            .unit()
            .iter()
            .map(|k| self.replies(*k).len() as u64)
            .sum();
        // Each reply travels twice: to the switch, and from it to the one who sent the text.
        sent + sent * recipients + 2 * replies * recipients
    }

    /// Copies that one unit makes, replies included.
    #[must_use]
    pub fn copies_per_unit(self, participants: u64) -> u64 {
        let recipients = participants.saturating_sub(1);
        let replies: usize = self.unit().iter().map(|k| self.replies(*k).len()).sum();
        (self.unit().len() + replies) as u64 * recipients
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn carrier_text_makes_three_and_seven_for_each_recipient() {
        for participants in [2, 5, 10, 100] {
            let expected = 3 + 7 * (participants - 1);
            assert_eq!(Mix::Carrier.requests_per_unit(participants), expected);
            assert_eq!(
                Mix::Carrier.copies_per_unit(participants),
                5 * (participants - 1)
            );
        }
    }

    #[test]
    fn text_and_file_make_one_request_for_each_participant() {
        for mix in [Mix::Text, Mix::File] {
            assert_eq!(mix.requests_per_unit(10), 10);
            assert_eq!(mix.copies_per_unit(10), 9);
        }
    }

    #[test]
    fn kind_letters_round_trip() {
        for kind in Kind::ALL {
            assert_eq!(Kind::of_letter(kind.letter()), Some(kind));
        }
        assert_eq!(Kind::of_letter(b'x'), None);
    }
}
