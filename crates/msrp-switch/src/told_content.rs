//! The beginning of what a message held, kept while a controller wants it.

use bytes::Bytes;
use msrp_wire::{ContentType, MessageId};

use crate::leg::LegKey;
use crate::limits::TOLD_CONTENT_OCTETS_MAX;
use crate::room::RoomKey;

/// What a message of a participant held, as far as it was relayed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageContent {
    /// The room.
    pub room: RoomKey,
    /// Whose message it was, which may be gone.
    pub sender: Option<LegKey>,
    /// The id that the sender gave it.
    pub message_id: MessageId,
    /// The type of the content without the wrapper, with its parameters.
    pub content_type: String,
    /// The content from its first octet on, at most [`TOLD_CONTENT_OCTETS_MAX`].
    pub octets: Vec<u8>,
    /// Whether that is all of it.
    pub is_whole: bool,
}

/// What is kept of a message while it is relayed.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) content_type: String,
    pub(crate) octets: Vec<u8>,
}

impl Kept {
    pub(crate) fn new(content_type: &ContentType<'_>) -> Self {
        Self {
            content_type: String::from_utf8_lossy(content_type.raw()).into_owned(),
            octets: Vec::new(),
        }
    }

    /// Takes octets that begin at this position of the content, when they go on where the last ones ended. Octets
    /// behind a hole, or beyond the bound, are left out, and so the rest is shorter than the content.
    pub(crate) fn take(&mut self, position: u64, slice: &Bytes) {
        let known = self.octets.len() as u64;
        let skipped = known.checked_sub(position).map(usize::try_from);
        let Some(Ok(skipped)) = skipped else {
            return;
        };
        let room = TOLD_CONTENT_OCTETS_MAX.saturating_sub(self.octets.len());
        let new = slice.get(skipped..).unwrap_or_default();
        self.octets
            .extend_from_slice(new.get(..room.min(new.len())).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept() -> Kept {
        Kept::new(&ContentType::TEXT_PLAIN)
    }

    #[test]
    fn content_is_kept_without_repetitions_and_up_to_the_first_hole() {
        let mut kept = kept();
        kept.take(0, &Bytes::from_static(b"abc"));
        kept.take(1, &Bytes::from_static(b"bcd"));
        kept.take(0, &Bytes::from_static(b"a"));
        kept.take(6, &Bytes::from_static(b"gh"));
        assert_eq!(kept.octets, b"abcd");
    }

    #[test]
    fn content_is_kept_up_to_the_bound() {
        let mut kept = kept();
        let half = Bytes::from(vec![1; TOLD_CONTENT_OCTETS_MAX / 2 + 1]);
        kept.take(0, &half);
        kept.take(half.len() as u64, &half);
        assert_eq!(kept.octets.len(), TOLD_CONTENT_OCTETS_MAX);
    }
}
