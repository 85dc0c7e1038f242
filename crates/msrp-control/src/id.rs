//! Caller-chosen names of rooms, participants and bridges.

use std::fmt;
use std::sync::Arc;

/// Why a name was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdError {
    /// The name is empty.
    Empty,
    /// The name is longer than [`ID_OCTETS_MAX`].
    TooLong,
    /// The name holds a character outside `A-Z a-z 0-9 - _ . ~`.
    IllegalCharacter,
}

impl fmt::Display for IdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the id is empty"),
            Self::TooLong => write!(f, "the id is longer than {ID_OCTETS_MAX} octets"),
            Self::IllegalCharacter => {
                f.write_str("the id may hold only letters, digits, '-', '_', '.' and '~'")
            }
        }
    }
}

impl std::error::Error for IdError {}

fn check(text: &str) -> Result<(), IdError> {
    if text.is_empty() {
        return Err(IdError::Empty);
    }
    if text.len() > ID_OCTETS_MAX {
        return Err(IdError::TooLong);
    }
    let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~');
    if text.bytes().all(legal) {
        Ok(())
    } else {
        Err(IdError::IllegalCharacter)
    }
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes a name that the controller chose. Cheap to clone afterwards.
            ///
            /// # Errors
            /// [`IdError`] when the name is empty, too long or has an illegal character: the
            /// caller's fault.
            pub fn new(text: &str) -> Result<Self, IdError> {
                check(text)?;
                Ok(Self(text.into()))
            }

            /// The name as the controller wrote it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", &self.0)
            }
        }
    };
}

id! {
    /// Names a chat room of this node. Chosen by the controller, unique among the running rooms.
    RoomId
}
id! {
    /// Names a participant inside its room. Chosen by the controller.
    ParticipantId
}

id! {
    /// Names a bridge of this node. Chosen by the controller, unique among the bridges.
    BridgeId
}

/// The longest name, in octets.
pub const ID_OCTETS_MAX: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_legal_text_is_kept() {
        assert_eq!(RoomId::new("a-Z_0.~").unwrap().as_str(), "a-Z_0.~");
    }

    #[test]
    fn id_illegal_text_is_refused() {
        assert_eq!(RoomId::new(""), Err(IdError::Empty));
        assert_eq!(RoomId::new("a b"), Err(IdError::IllegalCharacter));
        assert_eq!(RoomId::new(&"a".repeat(129)), Err(IdError::TooLong));
    }
}
