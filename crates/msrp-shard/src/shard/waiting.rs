//! Octets in the order in which they came, nearly always none or one piece.

use std::collections::VecDeque;

use bytes::Bytes;

/// Pieces of octets that wait. One needs no heap, so octets that are read as they come cost none, and
/// nothing is kept when none wait.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    first: Option<Bytes>,
    /// What comes behind the first; never empty.
    #[expect(clippy::box_collection, reason = "a quarter of the size")]
    more: Option<Box<VecDeque<Bytes>>>,
}

impl Waiting {
    pub(super) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    pub(super) fn push_back(&mut self, octets: Bytes) {
        if self.first.is_none() {
            self.first = Some(octets);
        } else {
            self.more.get_or_insert_default().push_back(octets);
        }
    }

    pub(super) fn push_front(&mut self, octets: Bytes) {
        if let Some(second) = self.first.replace(octets) {
            self.more.get_or_insert_default().push_front(second);
        }
    }

    /// How many octets there are.
    pub(super) fn octets(&self) -> usize {
        let more = self.more.iter().flat_map(|more| more.iter());
        self.first.iter().chain(more).map(Bytes::len).sum()
    }

    /// Puts other octets in the place of each piece. Returns how many octets there are.
    pub(super) fn replace(&mut self, with: impl Fn(&Bytes) -> Bytes) -> usize {
        let more = self.more.iter_mut().flat_map(|more| more.iter_mut());
        let mut octets = 0;
        for piece in self.first.iter_mut().chain(more) {
            *piece = with(piece);
            octets += piece.len();
        }
        octets
    }

    pub(super) fn front_mut(&mut self) -> Option<&mut Bytes> {
        self.first.as_mut()
    }

    pub(super) fn pop_front(&mut self) -> Option<Bytes> {
        let first = self.first.take()?;
        if let Some(more) = &mut self.more {
            self.first = more.pop_front();
            if more.is_empty() {
                self.more = None;
            }
        }
        Some(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_octets_come_out_in_order_and_leave_no_heap() {
        let mut waiting = Waiting::default();
        waiting.push_back(Bytes::from_static(b"b"));
        waiting.push_back(Bytes::from_static(b"c"));
        waiting.push_front(Bytes::from_static(b"a"));
        waiting.push_back(Bytes::from_static(b"d"));
        assert_eq!(waiting.front_mut().unwrap(), &b"a"[..]);
        let all: Vec<u8> = std::iter::from_fn(|| waiting.pop_front())
            .flatten()
            .collect();
        assert_eq!(all, b"abcd");
        assert!(waiting.is_empty() && waiting.more.is_none());
    }
}
