//! Kinds of content: media types with a number, so that a set of them is one word.
//!
//! A recipient that answers 415 gets no more of that type in its session. The answer may come when
//! the message is gone, so whoever waits for answers keeps the number with the request.

use msrp_wire::{ContentType, ContentTypeBuf};

use crate::limits::KINDS_MAX;

/// The media type of a message's content, as a number of its room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind(u8);

/// The media types that were met in a room, in the order of their numbers.
#[derive(Debug, Default)]
pub(crate) struct Kinds {
    types: Vec<ContentTypeBuf>,
}

impl Kinds {
    /// The number of a type. `None` when there are too many: refusals of it are not remembered.
    pub(crate) fn number(&mut self, content_type: &ContentType<'_>) -> Option<Kind> {
        let is_it = |known: &ContentTypeBuf| known.as_content_type() == *content_type;
        let known = self.types.iter().position(is_it);
        let number = match known {
            Some(number) => number,
            None if self.types.len() < KINDS_MAX => {
                let essence = ContentTypeBuf::parse(content_type.essence()).ok()?;
                self.types.push(essence);
                self.types.len().saturating_sub(1)
            }
            None => return None,
        };
        u8::try_from(number).ok().map(Kind)
    }
}

/// A set of kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct KindSet(u64);

impl KindSet {
    pub(crate) fn insert(&mut self, kind: Kind) {
        self.0 |= bit(kind);
    }

    pub(crate) fn contains(self, kind: Kind) -> bool {
        self.0 & bit(kind) != 0
    }
}

fn bit(kind: Kind) -> u64 {
    1_u64.checked_shl(u32::from(kind.0)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_one_number_for_a_type_and_bounded() {
        let mut kinds = Kinds::default();
        let plain = ContentType::parse(b"text/plain").unwrap();
        let same = ContentType::parse(b"TEXT/Plain;charset=utf-8").unwrap();
        let number = kinds.number(&plain).unwrap();
        assert_eq!(kinds.number(&same), Some(number));
        let mut set = KindSet::default();
        for n in 1..KINDS_MAX {
            let other = format!("text/x{n}");
            let other = kinds.number(&ContentType::parse(other.as_bytes()).unwrap());
            assert!(!set.contains(other.unwrap()));
            set.insert(other.unwrap());
            assert!(set.contains(other.unwrap()));
        }
        assert!(!set.contains(number));
        let one_more = ContentType::parse(b"text/more").unwrap();
        assert_eq!(kinds.number(&one_more), None);
        assert_eq!(kinds.number(&plain), Some(number));
    }
}
