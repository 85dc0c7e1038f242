//! Octets of a message between their arrival and the piece in which they leave.

use std::rc::Rc;

use bytes::Bytes;
use msrp_session::PieceBody;

use crate::late::Late;
use crate::leg::{HoldDeadline, LegKey};

/// Octets that have arrived and have not left: buffers without a hole between them.
#[derive(Debug, Default)]
pub(crate) struct Held {
    slices: PieceBody,
    octets: usize,
    /// Position in the message of the first held octet, from zero.
    start: u64,
    /// Octets that lie in memory of our own, not in a receive buffer. They are the first ones.
    owned_octets: usize,
}

impl Held {
    pub(crate) fn octets(&self) -> usize {
        self.octets
    }

    /// The position of the first held octet, or of the next to come when none is held.
    pub(crate) fn start(&self) -> u64 {
        self.start
    }

    /// The position after the last held octet.
    pub(crate) fn end(&self) -> u64 {
        self.start.saturating_add(self.octets as u64)
    }

    /// Whether octets at this position follow the held ones.
    pub(crate) fn is_followed_by(&self, position: u64) -> bool {
        self.octets == 0 || self.end() == position
    }

    /// Forgets the held octets.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Appends octets that follow the held ones.
    pub(crate) fn push(&mut self, position: u64, octets: Bytes) {
        if self.octets == 0 {
            self.start = position;
            self.owned_octets = 0;
        }
        self.octets = self.octets.saturating_add(octets.len());
        self.slices.push(octets);
    }

    /// Whether reading the beginning again may find more than before the last `pushed` octets came: a blank line may
    /// have ended in them, or as much more is there as makes a look worth it. So chunks of one octet do not cost a look
    /// at everything each.
    pub(crate) fn may_end_section(&self, pushed: usize) -> bool {
        let before = self.octets.saturating_sub(pushed);
        if before < BLANK_LINE.len() || before / LOOK_OCTETS != self.octets / LOOK_OCTETS {
            return true;
        }
        let backwards = self
            .slices
            .iter()
            .rev()
            .flat_map(|slice| slice.iter().rev());
        let mut matched = 0_usize;
        for octet in backwards.take(pushed.saturating_add(BLANK_LINE.len().saturating_sub(1))) {
            let is_next = BLANK_LINE.iter().rev().nth(matched) == Some(octet);
            matched = match (is_next, octet) {
                (true, _) => matched.saturating_add(1),
                (false, b'\n') => 1,
                (false, _) => 0,
            };
            if matched == BLANK_LINE.len() {
                return true;
            }
        }
        false
    }

    /// Takes the first `octets` octets, with the position of the first. Shares the buffers.
    pub(crate) fn take(&mut self, octets: usize) -> (u64, PieceBody) {
        let start = self.start;
        let mut wanted = octets.min(self.octets);
        self.octets = self.octets.saturating_sub(wanted);
        self.start = self.start.saturating_add(wanted as u64);
        self.owned_octets = self.owned_octets.saturating_sub(wanted);
        let mut taken = PieceBody::new();
        let mut whole = 0_usize;
        for slice in &mut self.slices {
            if slice.len() > wanted {
                if wanted > 0 {
                    taken.push(slice.split_to(wanted));
                }
                break;
            }
            wanted = wanted.saturating_sub(slice.len());
            taken.push(std::mem::take(slice));
            whole = whole.saturating_add(1);
        }
        self.slices.drain(..whole);
        (start, taken)
    }

    /// Moves the held octets out of the receive buffers, so that an open chunk does not pin them.
    /// Returns how many octets were copied.
    pub(crate) fn own(&mut self) -> usize {
        let copied = self.octets.saturating_sub(self.owned_octets);
        if copied > 0 {
            let joined = self.joined();
            self.slices.clear();
            self.slices.push(joined.into());
            self.owned_octets = self.octets;
        }
        copied
    }

    /// All held octets in one piece of memory: borrowed when they lie so, else copied.
    pub(crate) fn contiguous(&self) -> std::borrow::Cow<'_, [u8]> {
        match self.slices.as_slice() {
            [] => (&[][..]).into(),
            [one] => one[..].into(),
            [_, _, ..] => self.joined().into(),
        }
    }

    fn joined(&self) -> Vec<u8> {
        let mut all = Vec::with_capacity(self.octets);
        for slice in &self.slices {
            all.extend_from_slice(slice);
        }
        all
    }
}

/// The sending side of a message: who gets it, and how many copies are still open.
#[derive(Debug)]
pub(crate) struct Relay {
    /// Who gets the pieces from now on. Shared with pieces on their way.
    pub(crate) to: Rc<Vec<LegKey>>,
    /// Whether `to` still names legs whose copy has ended. They are struck out before the next
    /// piece, all at once, so that the end of one copy costs the same in a room of any size.
    pub(crate) is_stale: bool,
    /// Whether a piece has left: only then is there something to end with `#`.
    pub(crate) has_left: bool,
    /// Whether the piece with `$` has left.
    pub(crate) is_end_shown: bool,
    /// Octets of the wrapper and of the content's headers. The decision was made from them, so no
    /// later chunk may take their place.
    pub(crate) head_octets: u64,
    /// Copies that have no outcome yet.
    pub(crate) open_copies: usize,
    /// The smallest max-size among `to`.
    pub(crate) smallest_max_size: Option<u64>,
    /// Recipients left out because of their max-size.
    pub(crate) oversize_count: usize,
    /// Recipients not left out because of it, also those whose copy has ended.
    pub(crate) fitting_count: usize,
    /// Recipients that refused it themselves.
    pub(crate) refused_count: usize,
    /// Whether every octet has arrived and left.
    pub(crate) is_complete: bool,
    /// When held octets must leave although their chunk is open.
    pub(crate) hold_deadline: Option<HoldDeadline>,
    /// Whether every piece asks for an answer, whatever the switch asks for elsewhere.
    pub(crate) is_confirmed: bool,
    /// What is kept for recipients that have not joined.
    pub(crate) late: Option<Box<Late>>,
}

impl Relay {
    /// That of a message of the switch itself: its pieces are made at once.
    pub(crate) fn of_own(to: Vec<LegKey>) -> Self {
        Self {
            open_copies: to.len(),
            fitting_count: to.len(),
            to: Rc::new(to),
            is_stale: false,
            has_left: true,
            is_end_shown: true,
            head_octets: 0,
            smallest_max_size: None,
            oversize_count: 0,
            refused_count: 0,
            is_complete: true,
            hold_deadline: None,
            is_confirmed: false,
            late: None,
        }
    }

    /// Whether it is too large for every recipient.
    pub(crate) fn is_too_large_for_all(&self) -> bool {
        self.oversize_count > 0 && self.fitting_count == 0
    }

    /// Whether every recipient that it was not too large for has refused it.
    pub(crate) fn is_refused_by_all(&self) -> bool {
        self.fitting_count > 0 && self.refused_count == self.fitting_count
    }
}

/// How a header section ends: the end of its last line, and the blank line.
const BLANK_LINE: &[u8] = b"\n\r\n";
/// Octets after which the beginning is looked at although no blank line came: it may be too long. A part of
/// [`CPIM_HEAD_OCTETS_MAX`](crate::limits::CPIM_HEAD_OCTETS_MAX), so that this bound is seen when it is reached.
const LOOK_OCTETS: usize = crate::limits::CPIM_HEAD_OCTETS_MAX / 4;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn section_ends_where_a_blank_line_came_however_it_was_cut(
            inputs in proptest::collection::vec("[\\r\\na]{1,6}", 0..30),
        ) {
            let (mut held, mut text) = (Held::default(), String::new());
            for input in &inputs {
                let before = text.len();
                held.push(before as u64, Bytes::copy_from_slice(input.as_bytes()));
                text.push_str(input);
                let ends = text.match_indices("\r\n").map(|(at, blank)| at + blank.len());
                let mut ends = ends.filter(|end| *end > before);
                let is_end = |end: usize| end == 2 || text.as_bytes().get(end - 3) == Some(&b'\n');
                prop_assert_eq!(
                    held.may_end_section(input.len()),
                    before < 3 || ends.any(is_end)
                );
            }
        }

        #[test]
        fn section_that_does_not_end_is_looked_at_now_and_then(octets in 1_usize..5) {
            let mut held = Held::default();
            let pushed = (0..3 * LOOK_OCTETS).step_by(octets).filter(|at| {
                held.push(*at as u64, Bytes::from(vec![b'x'; octets]));
                held.may_end_section(octets)
            });
            prop_assert!((3..=3 + 3).contains(&pushed.count()));
        }
    }

    proptest! {
        #[test]
        fn held_octets_leave_as_they_came(
            inputs in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..20), 0..12),
            cuts in proptest::collection::vec((0_usize..30, any::<bool>()), 0..20),
        ) {
            let mut held = Held::default();
            let mut all = Vec::new();
            for input in &inputs {
                held.push(all.len() as u64, Bytes::copy_from_slice(input));
                all.extend_from_slice(input);
            }
            prop_assert_eq!(&held.contiguous()[..], &all[..]);
            let (mut out, mut is_own) = (Vec::new(), false);
            for (octets, own) in cuts.into_iter().chain([(usize::MAX, false)]) {
                if own {
                    let foreign = if is_own { 0 } else { all.len() - out.len() };
                    prop_assert_eq!(held.own(), foreign);
                    prop_assert_eq!(held.own(), 0);
                    is_own = true;
                }
                let (start, body) = held.take(octets);
                prop_assert_eq!(start, out.len() as u64);
                for slice in body {
                    prop_assert!(!slice.is_empty());
                    out.extend_from_slice(&slice);
                }
                prop_assert_eq!(held.octets(), all.len() - out.len());
            }
            prop_assert_eq!(out, all);
        }
    }
}
