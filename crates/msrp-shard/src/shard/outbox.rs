//! What waits to leave on one connection.
//!
//! ```text
//!   push -> items (this turn, shared) --send--> kernel
//!                    |
//!                    +--the kernel did not take it--> backlog (own memory) --writable--> kernel
//! ```
//!
//! Items live one turn: they share the receive buffers. The backlog is a copy and bounded; while
//! there is one, new items join it, so that the order is kept.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::ops::Range;
use std::rc::Rc;

use msrp_session::Piece;
use msrp_switch::{LegKey, MessageKey};

use crate::limits::SLICES_PER_SEND_MAX;

/// A copy of a message: the message and its recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CopyRef {
    pub(super) leg: LegKey,
    pub(super) message: MessageKey,
    /// Whether an answer settles it, so that being written does not.
    pub(super) is_asked: bool,
}

/// What is known when a mark has been written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// A copy is complete.
    Copy(CopyRef),
    /// So many octets are written that another shard gave.
    Lent { home: usize, octets: usize },
}

/// Something that another shard is to write.
pub(super) enum Lent<'a> {
    /// A piece with its path lines.
    Piece(&'a Rc<Piece>, &'a Rc<[u8]>),
    /// Responses and reports.
    Control(&'a [u8]),
}

#[derive(Debug)]
enum Item {
    /// A piece with the recipient's own path lines.
    Piece { piece: Rc<Piece>, paths: Rc<[u8]> },
    /// A range of `control`: responses and reports.
    Control(Range<usize>),
}

/// What waits to leave on one connection.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    items: VecDeque<Item>,
    control: Vec<u8>,
    backlog: Vec<u8>,
    /// Octets at the start of `backlog` that have left.
    backlog_left: usize,
    /// Octets pushed and octets written since the connection began.
    pushed_octets: u64,
    written_octets: u64,
    /// What is known when so many octets have been written.
    marks: VecDeque<(u64, Mark)>,
    /// Octets that another shard has been given and has not written.
    lent_octets: usize,
}

impl Outbox {
    /// Queues a piece. `done` is what is known when it is written.
    pub(super) fn push_piece(&mut self, piece: Rc<Piece>, paths: Rc<[u8]>, done: Option<Mark>) {
        let octets = piece.octets_without_paths() + paths.len();
        self.pushed_octets += octets as u64;
        self.items.push_back(Item::Piece { piece, paths });
        self.mark(done);
    }

    /// Queues octets that `write` appends.
    pub(super) fn push_control(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.control.len();
        write(&mut self.control);
        let end = self.control.len();
        self.pushed_octets += (end - start) as u64;
        match self.items.back_mut() {
            Some(Item::Control(range)) if range.end == start => range.end = end,
            Some(_) | None => self.items.push_back(Item::Control(start..end)),
        }
    }

    /// Queues what was kept for a session before it had a connection.
    pub(super) fn push_early(&mut self, octets: &[u8], marks: &[(usize, CopyRef)]) {
        let before = self.pushed_octets;
        self.push_control(|out| out.extend_from_slice(octets));
        for (offset, copy) in marks {
            let mark = Mark::Copy(*copy);
            self.marks.push_back((before + *offset as u64, mark));
        }
    }

    /// Marks the end of what is queued.
    pub(super) fn mark(&mut self, done: Option<Mark>) {
        if let Some(mark) = done {
            self.marks.push_back((self.pushed_octets, mark));
        }
    }

    /// Gives everything that is queued to another shard, in order. It counts as waiting until it is
    /// written there.
    pub(super) fn lend(&mut self, mut to: impl FnMut(Lent<'_>)) {
        for item in self.items.drain(..) {
            match &item {
                Item::Piece { piece, paths } => {
                    self.lent_octets += piece.octets_without_paths() + paths.len();
                    to(Lent::Piece(piece, paths));
                }
                Item::Control(range) => {
                    self.lent_octets += range.len();
                    to(Lent::Control(&self.control[range.clone()]));
                }
            }
        }
        self.control.clear();
    }

    /// The other shard has written octets of what it was given.
    pub(super) fn lent_written(&mut self, octets: usize) {
        let octets = octets.min(self.lent_octets);
        self.lent_octets -= octets;
        self.written_octets += octets as u64;
    }

    /// Octets that the kernel, or the shard that writes, has not taken.
    pub(super) fn backlog_octets(&self) -> usize {
        self.backlog.len() - self.backlog_left + self.lent_octets
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty() && self.backlog_octets() == 0
    }

    /// Appends the slices to send now and returns their octets. With a backlog these are the
    /// backlog's.
    pub(super) fn gather<'a>(&'a self, slices: &mut Vec<IoSlice<'a>>) -> usize {
        if self.backlog_octets() > 0 {
            slices.push(IoSlice::new(&self.backlog[self.backlog_left..]));
            return self.backlog_octets();
        }
        let room_end = slices.len() + SLICES_PER_SEND_MAX;
        let mut octets = 0;
        for part in self.items.iter().flat_map(|item| self.parts(item)) {
            if slices.len() == room_end {
                break;
            }
            if !part.is_empty() {
                octets += part.len();
                slices.push(IoSlice::new(part));
            }
        }
        octets
    }

    fn parts<'a>(&'a self, item: &'a Item) -> impl Iterator<Item = &'a [u8]> {
        let (head, body, end): ([&[u8]; 3], &[bytes::Bytes], &[u8]) = match item {
            Item::Piece { piece, paths } => (
                [piece.start(), paths, piece.tail()],
                piece.body(),
                piece.end(),
            ),
            Item::Control(range) => ([&self.control[range.clone()], &[], &[]], &[], &[]),
        };
        head.into_iter()
            .chain(body.iter().map(AsRef::as_ref))
            .chain(std::iter::once(end))
    }

    /// The kernel took `octets` of what [`Outbox::gather`] gave. Items that left whole are gone.
    /// With `rest_stays` the others wait for the next gathering; else they, all of them, move to
    /// the backlog. Returns the body octets that were copied.
    pub(super) fn taken(&mut self, octets: usize, rest_stays: bool) -> u64 {
        self.written_octets += octets as u64;
        if self.backlog_octets() > 0 {
            self.backlog_left += octets;
            if self.backlog_octets() == 0 {
                self.backlog = Vec::new();
                self.backlog_left = 0;
            }
            return 0;
        }
        let mut left = octets;
        while let Some(item) = self.items.front() {
            let item_octets: usize = self.parts(item).map(<[u8]>::len).sum();
            if item_octets > left {
                break;
            }
            left -= item_octets;
            self.items.pop_front();
        }
        if left > 0 || !rest_stays {
            return self.spill(left);
        }
        if self.items.is_empty() {
            self.control.clear();
        }
        0
    }

    /// Moves all items but their first `skip` octets to the backlog. Returns the body octets that
    /// were copied.
    pub(super) fn spill(&mut self, mut skip: usize) -> u64 {
        if self.backlog_left > 0 {
            self.backlog.drain(..self.backlog_left);
            self.backlog_left = 0;
        }
        let mut backlog = std::mem::take(&mut self.backlog);
        let mut body_octets = 0;
        for item in &self.items {
            if let Item::Piece { piece, .. } = item {
                body_octets += piece.body_octets() as u64;
            }
            for part in self.parts(item) {
                let skipped = skip.min(part.len());
                skip -= skipped;
                backlog.extend_from_slice(&part[skipped..]);
            }
        }
        self.backlog = backlog;
        self.items.clear();
        self.control.clear();
        body_octets
    }

    /// Takes the next mark up to which everything has been written.
    pub(super) fn written_mark(&mut self) -> Option<Mark> {
        let (end, mark) = *self.marks.front()?;
        if end > self.written_octets {
            return None;
        }
        self.marks.pop_front();
        Some(mark)
    }

    /// An idle connection keeps no heap.
    pub(super) fn release(&mut self) {
        if self.is_empty() {
            self.control = Vec::new();
            self.items = VecDeque::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use msrp_session::{PieceBody, PieceFields};
    use msrp_wire::{
        ByteRange, ContentTypeBuf, ContinuationFlag, FailureReport, MessageId, RelayedHeadersBuf,
        SuccessReport, TransactionId,
    };
    use proptest::prelude::*;

    use super::*;

    fn piece(body: &[u8], slices: usize) -> Rc<Piece> {
        let fields = PieceFields {
            message_id: MessageId::parse(b"m1234").unwrap(),
            byte_range: ByteRange::WHOLE,
            success_report: SuccessReport::No,
            failure_report: FailureReport::Partial,
            relayed: Rc::new(RelayedHeadersBuf::default()),
            content_type: Rc::new(ContentTypeBuf::parse("message/cpim").unwrap()),
            flag: ContinuationFlag::Last,
        };
        let body: PieceBody = body
            .chunks(body.len().div_ceil(slices).max(1))
            .map(Bytes::copy_from_slice)
            .collect();
        let id = TransactionId::parse(b"abcd1234").unwrap();
        Rc::new(Piece::compose(&fields, body, || id))
    }

    fn gathered(outbox: &Outbox) -> Vec<u8> {
        let mut slices = Vec::new();
        outbox.gather(&mut slices);
        slices.iter().flat_map(|slice| slice.to_vec()).collect()
    }

    #[derive(Debug, Clone)]
    enum Step {
        Piece(Vec<u8>, usize),
        Control(Vec<u8>),
        /// Send; the kernel takes this part of what is offered, in 256ths.
        Send(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (proptest::collection::vec(any::<u8>(), 0..300), 1_usize..4)
                .prop_map(|(body, slices)| Step::Piece(body, slices)),
            proptest::collection::vec(any::<u8>(), 1..60).prop_map(Step::Control),
            (0_usize..=256).prop_map(Step::Send),
        ]
    }

    proptest! {
        #[test]
        fn outbox_octets_leave_once_and_in_order(
            steps in proptest::collection::vec(step(), 1..40),
        ) {
            let mut outbox = Outbox::default();
            let (mut expected, mut left) = (Vec::new(), Vec::new());
            let paths: Rc<[u8]> = Rc::from(&b"To-Path: x\r\n"[..]);
            for step in steps.into_iter().chain([Step::Send(256), Step::Send(256)]) {
                match step {
                    Step::Piece(body, slices) => {
                        let piece = piece(&body, slices);
                        expected.extend_from_slice(piece.start());
                        expected.extend_from_slice(&paths);
                        expected.extend_from_slice(piece.tail());
                        expected.extend_from_slice(&body);
                        expected.extend_from_slice(piece.end());
                        outbox.push_piece(piece, Rc::clone(&paths), None);
                    }
                    Step::Control(octets) => {
                        expected.extend_from_slice(&octets);
                        outbox.push_control(|out| out.extend_from_slice(&octets));
                    }
                    Step::Send(part) => {
                        let offered = gathered(&outbox);
                        let taken = offered.len() * part / 256;
                        left.extend_from_slice(&offered[..taken]);
                        outbox.taken(taken, taken == offered.len());
                    }
                }
            }
            while !outbox.is_empty() {
                let offered = gathered(&outbox);
                left.extend_from_slice(&offered);
                outbox.taken(offered.len(), true);
            }
            prop_assert_eq!(left, expected);
        }
    }

    #[test]
    fn outbox_many_small_items_leave_in_several_sends() {
        let mut outbox = Outbox::default();
        let paths: Rc<[u8]> = Rc::from(&b"To-Path: x\r\n"[..]);
        for _ in 0..1000 {
            outbox.push_piece(piece(b"hello", 1), Rc::clone(&paths), None);
        }
        let mut sends = 0;
        while !outbox.is_empty() {
            let mut slices = Vec::new();
            let octets = outbox.gather(&mut slices);
            assert!(slices.len() <= SLICES_PER_SEND_MAX);
            drop(slices);
            outbox.taken(octets, true);
            sends += 1;
        }
        assert!(sends > 1);
    }
}
