//! Puts the chunks of incoming messages together, within bounds.

use std::collections::HashMap;

use msrp_wire::MessageId;

/// Why a chunk was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ChunkError {
    /// It starts behind octets that never came: 400.
    Gap,
    /// The message is longer than [`MESSAGE_OCTETS_MAX`], or too many have begun: 413.
    TooMuch,
}

/// The messages whose last chunk has not come.
#[derive(Debug, Default)]
pub(super) struct Assembly {
    messages: HashMap<MessageId, Vec<u8>>,
}

impl Assembly {
    /// Takes the octets of one chunk; `start` is the number of its first octet, from 1.
    pub(super) fn put(
        &mut self,
        id: MessageId,
        start: u64,
        octets: &[u8],
    ) -> Result<(), ChunkError> {
        if !self.messages.contains_key(&id) && self.messages.len() >= MESSAGES_MAX {
            return Err(ChunkError::TooMuch);
        }
        let message = self.messages.entry(id).or_default();
        let at = usize::try_from(start.saturating_sub(1)).map_err(|_| ChunkError::TooMuch)?;
        let end = at.saturating_add(octets.len());
        if end > MESSAGE_OCTETS_MAX {
            return Err(ChunkError::TooMuch);
        }
        if at > message.len() {
            return Err(ChunkError::Gap);
        }
        // A chunk that comes a second time overwrites what it brought the first time.
        let overlap = (message.len() - at).min(octets.len());
        message[at..at + overlap].copy_from_slice(&octets[..overlap]);
        message.extend_from_slice(&octets[overlap..]);
        Ok(())
    }

    /// Gives a message back; also for one that was given up.
    pub(super) fn take(&mut self, id: MessageId) -> Vec<u8> {
        self.messages.remove(&id).unwrap_or_default()
    }
}

/// Longest message that the client takes, octets. It is written into `a=max-size`; a longer message
/// is answered 413.
pub(super) const MESSAGE_OCTETS_MAX: usize = 1 << 18;
/// Most messages whose last chunk has not come; the first chunk of one more is answered 413.
pub(super) const MESSAGES_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> MessageId {
        MessageId::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn assembly_chunks_of_two_messages_are_kept_apart() {
        let mut assembly = Assembly::default();
        assembly.put(id("aaaa"), 1, b"hel").unwrap();
        assembly.put(id("bbbb"), 1, b"wor").unwrap();
        assembly.put(id("aaaa"), 4, b"lo").unwrap();
        assembly.put(id("bbbb"), 3, b"rld").unwrap();
        assert_eq!(assembly.take(id("aaaa")), b"hello");
        assert_eq!(assembly.take(id("bbbb")), b"world");
        assert_eq!(assembly.take(id("aaaa")), b"");
    }

    #[test]
    fn assembly_chunk_behind_a_gap_is_refused() {
        let mut assembly = Assembly::default();
        assembly.put(id("aaaa"), 1, b"ab").unwrap();
        assert_eq!(assembly.put(id("aaaa"), 4, b"d"), Err(ChunkError::Gap));
    }

    #[test]
    fn assembly_is_bounded() {
        let mut assembly = Assembly::default();
        let long = vec![0; MESSAGE_OCTETS_MAX + 1];
        assert_eq!(assembly.put(id("aaaa"), 1, &long), Err(ChunkError::TooMuch));
        assert_eq!(
            assembly.put(id("aaaa"), u64::MAX, b"x"),
            Err(ChunkError::TooMuch)
        );
        assembly.take(id("aaaa"));
        for n in 0..MESSAGES_MAX {
            assembly.put(id(&format!("m{n:04}")), 1, b"x").unwrap();
        }
        assert_eq!(assembly.put(id("last"), 1, b"x"), Err(ChunkError::TooMuch));
        assembly.put(id("m0000"), 2, b"y").unwrap();
    }
}
