//! What was queued for one connection in this turn.
//!
//! A piece goes to a thousand connections in one turn, and each of them gets sixteen pieces. What is the same
//! for all of them stands once, in a [`Parcel`]; what a connection keeps for each is a pointer to it. Else the
//! lists of a large room would not fit in the processor's cache, and writing them would cost more than the sends.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::IoSlice;
use std::ops::Range;
use std::rc::Rc;

use msrp_session::{Piece, Timestamp};
use msrp_switch::{LegKey, MessageKey};

use super::{CopyRef, Mark};
use crate::limits::{SLICES_PER_SEND_MAX, SPARE_BATCHES_MAX};

/// A piece on its way, as all its recipients share it.
#[derive(Debug)]
pub(in crate::shard) struct Parcel {
    pub(in crate::shard) piece: Rc<Piece>,
    /// When its first octet was read, where that is to be known.
    pub(in crate::shard) since: Option<Timestamp>,
    /// What is known when it has left.
    pub(in crate::shard) done: Option<Done>,
}

/// What is known when a piece has left.
#[derive(Debug, Clone, Copy)]
pub(in crate::shard) enum Done {
    /// The recipient's copy of this message is complete.
    Copy {
        message: MessageKey,
        /// Whether an answer settles it, so that being written does not.
        is_asked: bool,
    },
    /// Something of the only recipient.
    Other(Mark),
}

/// Whom a piece goes to.
#[derive(Debug, Clone)]
pub(in crate::shard) struct Recipient {
    /// Its leg; `None` when nothing is known of a copy.
    pub(in crate::shard) leg: Option<LegKey>,
    /// Its path lines.
    pub(in crate::shard) paths: Rc<[u8]>,
}

impl Recipient {
    fn is(&self, other: &Self) -> bool {
        self.leg == other.leg && Rc::ptr_eq(&self.paths, &other.paths)
    }
}

impl Parcel {
    /// A piece for one recipient, of which nothing more is known.
    pub(in crate::shard) fn plain(piece: Rc<Piece>) -> Rc<Self> {
        Self::marked(piece, None)
    }

    /// A piece for one recipient, and what is known when it has left.
    pub(in crate::shard) fn marked(piece: Rc<Piece>, mark: Option<Mark>) -> Rc<Self> {
        Rc::new(Self {
            piece,
            since: None,
            done: mark.map(Done::Other),
        })
    }

    fn done(&self, leg: Option<LegKey>) -> Option<Mark> {
        match self.done? {
            Done::Copy { message, is_asked } => leg.map(|leg| {
                Mark::Copy(CopyRef {
                    leg,
                    message,
                    is_asked,
                })
            }),
            Done::Other(mark) => Some(mark),
        }
    }
}

/// Sixteen octets: see the module's text.
#[derive(Debug)]
enum Item {
    /// A piece, and the number of its recipient.
    Piece { parcel: Rc<Parcel>, to: u32 },
    /// A range of `control`: responses and reports.
    Control { start: u32, end: u32 },
    /// The same, and what is known when it has left.
    Marked(Box<(Range<u32>, Mark)>),
}

const _: () = assert!(size_of::<Item>() == 16);

/// Something that waits.
pub(in crate::shard) enum Queued<'a> {
    /// A piece with the recipient's own path lines.
    Piece(&'a Rc<Piece>, &'a Rc<[u8]>),
    /// Responses and reports.
    Control(&'a [u8]),
}

impl<'a> Queued<'a> {
    pub(in crate::shard) fn octets(&self) -> usize {
        match self {
            Self::Piece(piece, paths) => piece.octets_without_paths() + paths.len(),
            Self::Control(octets) => octets.len(),
        }
    }

    pub(in crate::shard) fn body_octets(&self) -> usize {
        match self {
            Self::Piece(piece, _) => piece.body_octets(),
            Self::Control(_) => 0,
        }
    }

    /// As [`Piece::continues`].
    pub(in crate::shard) fn continues(&self) -> Option<u32> {
        match self {
            Self::Piece(piece, _) => piece.continues(),
            Self::Control(_) => None,
        }
    }

    pub(in crate::shard) fn parts(&self) -> impl Iterator<Item = &'a [u8]> + Clone + use<'a> {
        let (head, body, end): ([&'a [u8]; 3], &'a [bytes::Bytes], &'a [u8]) = match *self {
            Self::Piece(piece, paths) => (
                [piece.start(), paths, piece.tail()],
                piece.body(),
                piece.end(),
            ),
            Self::Control(octets) => ([octets, &[], &[]], &[], &[]),
        };
        head.into_iter()
            .chain(body.iter().map(AsRef::as_ref))
            .chain(std::iter::once(end))
    }

    /// Appends its parts, as many as there is room for. `false` when that was not all.
    fn gather(&self, slices: &mut Vec<IoSlice<'a>>, room_end: usize) -> bool {
        for part in self.parts() {
            if part.is_empty() {
                continue;
            }
            if slices.len() == room_end {
                return false;
            }
            slices.push(IoSlice::new(part));
        }
        true
    }
}

/// What was queued for one connection in this turn, in order. It shares the receive buffers.
#[derive(Debug, Default)]
pub(super) struct Batch {
    items: VecDeque<Item>,
    octets: usize,
    control: Vec<u8>,
    /// Whom the pieces go to: nearly always one.
    recipients: Vec<Recipient>,
}

impl Batch {
    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub(super) fn octets(&self) -> usize {
        self.octets
    }

    pub(super) fn push_piece(&mut self, parcel: &Rc<Parcel>, to: Recipient) {
        self.octets += parcel.piece.octets_without_paths() + to.paths.len();
        if self.recipients.last().is_none_or(|last| !last.is(&to)) {
            self.recipients.push(to);
        }
        self.items.push_back(Item::Piece {
            parcel: Rc::clone(parcel),
            to: place(self.recipients.len() - 1),
        });
    }

    /// Queues octets that `write` appends, and returns them.
    pub(super) fn push_control(
        &mut self,
        write: impl FnOnce(&mut Vec<u8>),
        done: Option<Mark>,
    ) -> &[u8] {
        let from = self.control.len();
        write(&mut self.control);
        let added = &self.control[from..];
        self.octets += added.len();
        let (start, end) = (place(from), place(self.control.len()));
        match (self.items.back_mut(), done) {
            (_, None) if added.is_empty() => {}
            (Some(Item::Control { end: before, .. }), None) if *before == start => *before = end,
            (_, None) => self.items.push_back(Item::Control { start, end }),
            (_, Some(mark)) => self
                .items
                .push_back(Item::Marked(Box::new((start..end, mark)))),
        }
        added
    }

    fn queued<'a>(&'a self, item: &'a Item) -> Queued<'a> {
        let control = |range: Range<u32>| {
            let range = range.start as usize..range.end as usize;
            Queued::Control(self.control.get(range).unwrap_or_default())
        };
        match item {
            Item::Piece { parcel, to } => {
                Queued::Piece(&parcel.piece, &self.recipients[*to as usize].paths)
            }
            Item::Control { start, end } => control(*start..*end),
            Item::Marked(marked) => control(marked.0.clone()),
        }
    }

    /// What is known when the item has left: when its first octet was read, and the rest.
    fn marks(&self, item: &Item) -> (Option<Timestamp>, Option<Mark>) {
        match item {
            Item::Piece { parcel, to } => {
                let leg = self.recipients.get(*to as usize).and_then(|to| to.leg);
                (parcel.since, parcel.done(leg))
            }
            Item::Control { .. } => (None, None),
            Item::Marked(marked) => (None, Some(marked.1)),
        }
    }

    /// Everything that waits, in order, each with what is known when it has left.
    pub(super) fn iter(
        &self,
    ) -> impl Iterator<Item = (Queued<'_>, (Option<Timestamp>, Option<Mark>))> {
        self.items
            .iter()
            .map(|item| (self.queued(item), self.marks(item)))
    }

    /// Appends the slices of what leaves next and returns their octets.
    pub(super) fn gather<'a>(&'a self, slices: &mut Vec<IoSlice<'a>>) -> usize {
        let start = slices.len();
        let room_end = start + SLICES_PER_SEND_MAX;
        for item in &self.items {
            if !self.queued(item).gather(slices, room_end) {
                let gathered = slices.get(start..).unwrap_or_default();
                return gathered.iter().map(|slice| slice.len()).sum();
            }
        }
        self.octets
    }

    /// So many octets have left. What left whole is gone, and what is known then is added to `done`. Returns
    /// how many octets of the next one have left.
    pub(super) fn taken(&mut self, octets: usize, done: &mut Vec<Mark>) -> usize {
        let mut left = octets;
        while let Some(item) = self.items.front() {
            let octets = self.queued(item).octets();
            if octets > left {
                break;
            }
            left -= octets;
            let (since, mark) = self.marks(item);
            done.extend(since.map(Mark::Piece));
            done.extend(mark);
            self.items.pop_front();
        }
        self.octets -= octets;
        if self.items.is_empty() {
            self.clear();
        }
        left
    }

    pub(super) fn clear(&mut self) {
        self.items.clear();
        self.octets = 0;
        self.control.clear();
        self.recipients.clear();
    }

    /// Whether it holds so little memory that it may be kept for others.
    fn is_small(&self) -> bool {
        self.items.capacity() <= ITEMS_KEPT_MAX
            && self.control.capacity() <= CONTROL_OCTETS_KEPT_MAX
            && self.recipients.capacity() <= RECIPIENTS_KEPT_MAX
    }
}

/// A place in a list of one connection, none of which comes near 2^32.
fn place(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}

/// What a batch may hold, empty, to be kept.
const ITEMS_KEPT_MAX: usize = 64;
const CONTROL_OCTETS_KEPT_MAX: usize = 1024;
const RECIPIENTS_KEPT_MAX: usize = 8;

/// Empty batches of a shard, for whichever connection queues something next. So an idle connection has none, and
/// none is made in each turn.
#[derive(Debug, Default)]
pub(in crate::shard) struct Spares(
    #[expect(clippy::vec_box, reason = "batches move into connections")] RefCell<Vec<Box<Batch>>>,
);

impl Spares {
    pub(super) fn take(&self) -> Box<Batch> {
        self.0.borrow_mut().pop().unwrap_or_default()
    }

    pub(super) fn give(&self, batch: Box<Batch>) {
        let mut spares = self.0.borrow_mut();
        if batch.is_empty() && batch.is_small() && spares.len() < SPARE_BATCHES_MAX {
            spares.push(batch);
        }
    }
}
