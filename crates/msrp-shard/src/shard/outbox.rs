//! What waits to leave on one connection.
//!
//! ```text
//!   push -> batch (this turn, shared) --send--> kernel
//!                    |
//!                    +--the kernel did not take it--> backlog (own memory) --writable--> kernel
//! ```
//!
//! A [`Batch`] lives one turn: it shares the receive buffers. The [`Backlog`] is a copy and bounded; while
//! there is one, new items join it.
//!
//! The items of a stand-in are lent to the shard that writes them, and count as waiting until it says
//! which of them have left. Those of a connection with a layer are lent to the layer, a bounded part at a
//! time: the rest is the backlog, too.

mod batch;

use std::collections::VecDeque;
use std::io::IoSlice;
use std::rc::Rc;

use msrp_session::{Piece, Timestamp};
use msrp_switch::{LegKey, MessageKey};
use msrp_wire::TransactionId;

use batch::Batch;
pub(super) use batch::{Done, Parcel, Queued, Recipient, Spares};

use super::backlog::Backlog;
use super::tap::Tap;

/// A copy of a message: the message and its recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CopyRef {
    pub(super) leg: LegKey,
    pub(super) message: MessageKey,
    /// Whether an answer settles it, so that being written does not.
    pub(super) is_asked: bool,
}

/// What is known when something has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// A copy is complete.
    Copy(CopyRef),
    /// A request of the relay has left whole.
    Relayed(TransactionId),
    /// A piece whose first octet was read then has left.
    Piece(Timestamp),
    /// What another shard gave under this number has left.
    Lent { home: usize, number: u32 },
}

/// What waits to leave on one connection.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    /// What was queued in this turn; there is none while nothing was.
    batch: Option<Box<Batch>>,
    spares: Rc<Spares>,
    /// Kept while octets wait that the kernel did not take.
    backlog: Option<Box<Backlog>>,
    /// Set once another shard was given something.
    lent: Option<Box<LentItems>>,
    written_octets: u64,
    /// Who looks at the connection; nearly always nobody.
    pub(super) tap: Option<Box<Tap>>,
}

/// What another shard was given and has not written, in order.
#[derive(Debug, Default)]
struct LentItems {
    items: VecDeque<LentItem>,
    /// The number of the first one.
    first_number: u32,
    octets: usize,
    /// Those that continue a message.
    flow_octets: usize,
}

#[derive(Debug)]
struct LentItem {
    /// `None` once it is written.
    octets: Option<usize>,
    continues: bool,
    done: Option<Mark>,
    since: Option<Timestamp>,
}

impl Outbox {
    /// An empty one, which uses the spare batches of its shard.
    pub(super) fn new(spares: &Rc<Spares>) -> Self {
        Self {
            spares: Rc::clone(spares),
            ..Self::default()
        }
    }

    fn batch(&mut self) -> &mut Batch {
        self.batch.get_or_insert_with(|| self.spares.take())
    }

    /// Queues a piece.
    pub(super) fn push_piece(&mut self, parcel: &Rc<Parcel>, to: Recipient) {
        if let Some(tap) = self.tap.as_deref_mut() {
            let queued = Queued::Piece(&parcel.piece, &to.paths);
            if !tap.outbound(&to.paths, &queued.parts()) {
                self.tap = None;
            }
        }
        self.batch().push_piece(parcel, to);
    }

    /// Queues octets that `write` appends.
    pub(super) fn push_control(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        self.push_marked(write, None);
    }

    /// Queues octets that `write` appends. `done` is what is known when they have left.
    pub(super) fn push_marked(&mut self, write: impl FnOnce(&mut Vec<u8>), done: Option<Mark>) {
        let batch = self.batch.get_or_insert_with(|| self.spares.take());
        let octets = batch.push_control(write, done);
        if let Some(tap) = self.tap.as_deref_mut()
            && !octets.is_empty()
            && !tap.outbound(octets, &[octets].into_iter())
        {
            self.tap = None;
        }
    }

    /// Queues what was kept for a session before it had a connection.
    pub(super) fn push_early(&mut self, octets: &[u8], marks: &[(usize, CopyRef)]) {
        let mut start = 0;
        for (end, copy) in marks {
            let part = octets.get(start..*end).unwrap_or_default();
            self.push_marked(|out| out.extend_from_slice(part), Some(Mark::Copy(*copy)));
            start = *end;
        }
        let rest = octets.get(start..).unwrap_or_default();
        self.push_control(|out| out.extend_from_slice(rest));
    }

    /// Gives everything that is queued to another shard, in order, each with its number. It counts as
    /// waiting until it is written there.
    pub(super) fn lend(&mut self, mut to: impl FnMut(Queued<'_>, u32)) {
        let lent = self.lent.get_or_insert_default();
        let Some(batch) = self.batch.as_deref_mut() else {
            return;
        };
        for (queued, (since, done)) in batch.iter() {
            let count = u32::try_from(lent.items.len()).unwrap_or(u32::MAX);
            let number = lent.first_number.wrapping_add(count);
            let octets = queued.octets();
            let continues = queued.continues().is_some();
            to(queued, number);
            lent.octets += octets;
            lent.flow_octets += if continues { octets } else { 0 };
            lent.items.push_back(LentItem {
                octets: Some(octets),
                continues,
                done,
                since,
            });
        }
        batch.clear();
    }

    /// Gives what leaves next from the backlog to the layer of the connection, in parts of whole messages,
    /// each with its number. It counts as waiting until it is written there. `false` when there is nothing.
    pub(super) fn lend_next(&mut self, mut to: impl FnMut(&[u8], u32)) -> bool {
        let Some(backlog) = self.backlog.as_deref_mut() else {
            return false;
        };
        let lent = self.lent.get_or_insert_default();
        let is_lent = backlog.take_next(|octets, continues, done| {
            let count = u32::try_from(lent.items.len()).unwrap_or(u32::MAX);
            to(octets, lent.first_number.wrapping_add(count));
            lent.octets += octets.len();
            lent.flow_octets += if continues { octets.len() } else { 0 };
            lent.items.push_back(LentItem {
                octets: Some(octets.len()),
                continues,
                done,
                since: None,
            });
        });
        if backlog.octets() == 0 {
            self.backlog = None;
        }
        is_lent
    }

    /// Whether something waits that was not lent.
    pub(super) fn has_backlog(&self) -> bool {
        self.backlog.is_some()
    }

    /// Octets of this turn.
    pub(super) fn item_octets(&self) -> usize {
        self.batch.as_ref().map_or(0, |batch| batch.octets())
    }

    /// The other shard, or the layer, has written what it was given under this number.
    pub(super) fn lent_written(&mut self, number: u32, done: &mut Vec<Mark>) {
        let Some(lent) = self.lent.as_deref_mut() else {
            return;
        };
        let index = number.wrapping_sub(lent.first_number) as usize;
        let Some(item) = lent.items.get_mut(index) else {
            return;
        };
        if let Some(octets) = item.octets.take() {
            lent.octets -= octets;
            lent.flow_octets -= if item.continues { octets } else { 0 };
            self.written_octets += octets as u64;
            done.extend(item.since.map(Mark::Piece));
            done.extend(item.done);
        }
        while lent
            .items
            .pop_front_if(|item| item.octets.is_none())
            .is_some()
        {
            lent.first_number = lent.first_number.wrapping_add(1);
        }
    }

    /// Octets that the kernel, or the shard that writes, has not taken.
    pub(super) fn backlog_octets(&self) -> usize {
        let backlog = self.backlog.as_ref().map_or(0, |backlog| backlog.octets());
        backlog + self.lent.as_ref().map_or(0, |lent| lent.octets)
    }

    /// Octets of the backlog that a piece has to wait for: one that continues a message for the others of
    /// its kind, one that starts a message not for them.
    pub(super) fn octets_before(&self, piece: &Piece) -> usize {
        let continues = piece.continues().is_some();
        let backlog = self.backlog.as_ref();
        let lent = self.lent.as_ref().map_or(0, |lent| {
            if continues {
                lent.flow_octets
            } else {
                lent.octets - lent.flow_octets
            }
        });
        lent + backlog.map_or(0, |backlog| backlog.octets_of_kind(continues))
    }

    /// Octets that wait, those of this turn included.
    pub(super) fn waiting_octets(&self) -> usize {
        self.backlog_octets() + self.item_octets()
    }

    /// Octets that have left since the connection began.
    pub(super) fn written_octets(&self) -> u64 {
        self.written_octets
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.batch.as_ref().is_none_or(|batch| batch.is_empty()) && self.backlog_octets() == 0
    }

    /// Appends the slices of what was queued in this turn and returns their octets.
    pub(super) fn gather<'a>(&'a self, slices: &mut Vec<IoSlice<'a>>) -> usize {
        self.batch.as_ref().map_or(0, |batch| batch.gather(slices))
    }

    /// Appends the slices of the backlog that are to leave next and returns their octets.
    pub(super) fn offer_backlog<'a>(&'a mut self, slices: &mut Vec<IoSlice<'a>>) -> usize {
        let backlog = self.backlog.as_deref_mut();
        backlog.map_or(0, |backlog| backlog.offer(slices))
    }

    /// The kernel took `octets` of what [`Outbox::gather`] gave; what is known then is added to `done`. Items that left whole are gone.
    /// With `rest_stays` the others wait for the next gathering; else they, all of them, move to
    /// the backlog. Returns the body octets that were copied.
    pub(super) fn taken(&mut self, octets: usize, rest_stays: bool, done: &mut Vec<Mark>) -> u64 {
        self.written_octets += octets as u64;
        let Some(batch) = self.batch.as_deref_mut() else {
            return 0;
        };
        let left = batch.taken(octets, done);
        if left > 0 || !rest_stays {
            return self.spill(left);
        }
        0
    }

    /// The kernel took `octets` of what [`Outbox::offer_backlog`] gave.
    pub(super) fn backlog_taken(&mut self, octets: usize, done: &mut Vec<Mark>) {
        self.written_octets += octets as u64;
        if let Some(backlog) = self.backlog.as_deref_mut() {
            backlog.taken(octets, done);
            if backlog.octets() == 0 {
                self.backlog = None;
            }
        }
    }

    /// Moves everything of this turn to the backlog, the first of it without its first `skip` octets, which have
    /// left. Returns the body octets that were copied.
    pub(super) fn spill(&mut self, mut skip: usize) -> u64 {
        let Some(batch) = self.batch.as_deref_mut() else {
            return 0;
        };
        let mut backlog = self.backlog.take().unwrap_or_default();
        let mut body_octets = 0;
        for (queued, (since, done)) in batch.iter() {
            body_octets += queued.body_octets() as u64;
            let octets = queued.octets();
            let marks = since.map(Mark::Piece).into_iter().chain(done);
            if skip > 0 {
                let octets = octets - skip;
                let rest = queued.parts().map(|part| {
                    let skipped = skip.min(part.len());
                    skip -= skipped;
                    &part[skipped..]
                });
                backlog.push_rest(rest, octets, marks);
            } else {
                backlog.push(queued.parts(), octets, queued.continues(), marks);
            }
        }
        batch.clear();
        self.backlog = (backlog.octets() > 0).then_some(backlog);
        body_octets
    }

    /// An idle connection keeps no heap.
    pub(super) fn release(&mut self) {
        if let Some(batch) = self.batch.take_if(|batch| batch.is_empty()) {
            self.spares.give(batch);
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
    use crate::limits::SLICES_PER_SEND_MAX;

    fn fields() -> PieceFields {
        PieceFields {
            message_id: MessageId::parse(b"m1234").unwrap(),
            byte_range: ByteRange::WHOLE,
            success_report: SuccessReport::No,
            failure_report: FailureReport::Partial,
            relayed: Rc::new(RelayedHeadersBuf::default()),
            content_type: Rc::new(ContentTypeBuf::parse("message/cpim").unwrap()),
            flag: ContinuationFlag::Last,
        }
    }

    fn piece(body: &[u8], slices: usize) -> Rc<Piece> {
        let body: PieceBody = body
            .chunks(body.len().div_ceil(slices).max(1))
            .map(Bytes::copy_from_slice)
            .collect();
        let id = TransactionId::parse(b"abcd1234").unwrap();
        Rc::new(Piece::compose(&fields(), body, || id))
    }

    fn to(paths: &Rc<[u8]>) -> Recipient {
        Recipient {
            leg: None,
            paths: Rc::clone(paths),
        }
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

    /// Lets the kernel take a part, in 256ths, of what is offered next. Returns what left.
    fn send(outbox: &mut Outbox, part: usize) -> Vec<u8> {
        let mut slices = Vec::new();
        if outbox.backlog_octets() > 0 {
            outbox.spill(0);
            outbox.offer_backlog(&mut slices);
            let offered: Vec<u8> = slices.iter().flat_map(|slice| slice.to_vec()).collect();
            let taken = offered.len() * part / 256;
            outbox.backlog_taken(taken, &mut Vec::new());
            return offered[..taken].to_vec();
        }
        let offered = gathered(outbox);
        let taken = offered.len() * part / 256;
        outbox.taken(taken, taken == offered.len(), &mut Vec::new());
        offered[..taken].to_vec()
    }

    proptest! {
        /// A piece is never empty and control goes with the pieces that start a message, so without pieces
        /// that continue one everything leaves in order.
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
                        outbox.push_piece(&Parcel::plain(piece), to(&paths));
                    }
                    Step::Control(octets) => {
                        expected.extend_from_slice(&octets);
                        outbox.push_control(|out| out.extend_from_slice(&octets));
                    }
                    Step::Send(part) => left.extend(send(&mut outbox, part)),
                }
                let waiting = outbox.waiting_octets();
                prop_assert_eq!(waiting, expected.len() - left.len());
                prop_assert_eq!(outbox.written_octets(), left.len() as u64);
            }
            while !outbox.is_empty() {
                left.extend(send(&mut outbox, 256));
            }
            prop_assert_eq!(left, expected);
        }
    }

    #[test]
    fn small_message_is_lent_to_a_layer_before_the_rest_of_a_large_one() {
        let mut outbox = Outbox::default();
        let paths: Rc<[u8]> = Rc::from(&b"paths"[..]);
        let mark = |number| Some(Mark::Lent { home: 0, number });
        let large = |start| {
            let fields = PieceFields {
                byte_range: ByteRange {
                    start,
                    ..ByteRange::WHOLE
                },
                ..fields()
            };
            let body = PieceBody::from_iter([Bytes::from(vec![b'L'; 50_000])]);
            let id = TransactionId::parse(b"abcd1234").unwrap();
            Rc::new(Piece::compose(&fields, body, || id))
        };
        for number in 0..3 {
            let start = 1 + 50_000 * u64::from(number);
            let parcel = Parcel::marked(large(start), mark(number));
            outbox.push_piece(&parcel, to(&paths));
        }
        outbox.spill(0);
        assert!(outbox.has_backlog());
        let waiting = outbox.waiting_octets();
        let mut numbers = Vec::new();
        assert!(outbox.lend_next(|octets, number| {
            assert!(octets.len() > 50_000);
            numbers.push(number);
        }));
        // What comes now goes next.
        outbox.push_piece(&Parcel::marked(piece(b"small", 1), mark(7)), to(&paths));
        outbox.spill(0);
        let order = (0..3).map(|_| {
            let mut length = 0;
            let is_lent = outbox.lend_next(|octets, number| {
                length = octets.len();
                numbers.push(number);
            });
            assert!(is_lent);
            length > 50_000
        });
        assert_eq!(order.collect::<Vec<_>>(), [false, true, true]);
        assert!(!outbox.lend_next(|_, _| {}) && !outbox.has_backlog());
        assert!(outbox.waiting_octets() > waiting);
        let mut done = Vec::new();
        for number in numbers {
            outbox.lent_written(number, &mut done);
        }
        let marks = [0, 7, 1, 2].map(|number| Mark::Lent { home: 0, number });
        assert_eq!(done, marks);
        assert!(outbox.is_empty());
    }

    #[test]
    fn marks_of_lent_items_come_when_each_is_written_in_any_order() {
        let mut outbox = Outbox::default();
        let paths: Rc<[u8]> = Rc::from(&b"To-Path: x\r\n"[..]);
        let mark = |number| Mark::Lent { home: 0, number };
        for number in 0..3 {
            let parcel = Parcel::marked(piece(b"hello", 1), Some(mark(number)));
            outbox.push_piece(&parcel, to(&paths));
        }
        let mut numbers = Vec::new();
        outbox.lend(|_, number| numbers.push(number));
        assert_eq!(numbers, [0, 1, 2]);
        let waiting = outbox.backlog_octets();
        let mut done = Vec::new();
        outbox.lent_written(2, &mut done);
        assert_eq!(done, [mark(2)]);
        assert_eq!(outbox.backlog_octets() * 3, waiting * 2);
        // Twice, or of nothing: no effect.
        for number in [2, 7, 0, 1] {
            outbox.lent_written(number, &mut done);
        }
        assert_eq!(done, [mark(2), mark(0), mark(1)]);
        assert!(outbox.is_empty());
        // Numbers go on.
        outbox.push_control(|out| out.push(b'x'));
        outbox.lend(|_, number| assert_eq!(number, 3));
    }

    #[test]
    fn outbox_many_small_items_leave_in_several_sends() {
        let mut outbox = Outbox::default();
        let paths: Rc<[u8]> = Rc::from(&b"To-Path: x\r\n"[..]);
        for _ in 0..1000 {
            outbox.push_piece(&Parcel::plain(piece(b"hello", 1)), to(&paths));
        }
        let mut sends = 0;
        while !outbox.is_empty() {
            let mut slices = Vec::new();
            let octets = outbox.gather(&mut slices);
            assert!(slices.len() <= SLICES_PER_SEND_MAX);
            drop(slices);
            outbox.taken(octets, true, &mut Vec::new());
            sends += 1;
        }
        assert!(sends > 1);
    }
}
