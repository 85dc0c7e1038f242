//! Everything that is to be told to other shards, collected until it is posted.

use std::collections::HashMap;
use std::rc::Rc;

use msrp_session::{Piece, Timestamp};
use ring_io::{ConnKey, Io};

use super::Shard;
use crate::crossing::{Crossing, Epochs, What};
use crate::defect::Defect;
use crate::mailbox::ShardMessage;
use crate::metrics::Cell;

/// What waits for the other shards, and what this one knows of them.
pub(super) struct Crossings {
    outgoing: Vec<Outgoing>,
    own_epoch: u32,
    /// The stand-ins of this shard, by the carrier and the index of its key: the carrier's key and
    /// ours. A report comes for every copy, so there is no hash.
    stand_ins: Vec<Vec<Option<(ConnKey, ConnKey)>>>,
    /// Stand-ins with something to write.
    pub(super) dirty: Vec<ConnKey>,
    /// Stand-ins that may have no session when the turn ends.
    pub(super) visited: Vec<ConnKey>,
}

/// What waits for one shard.
#[derive(Default)]
pub(super) struct Outgoing {
    /// The start of that shard that everything shared with it belongs to.
    epoch: u32,
    crossing: Crossing,
    /// The pieces of the crossing. Held, so that an address stands for one piece.
    held: Vec<Rc<Piece>>,
    index_of: HashMap<*const Piece, usize>,
    /// Where the next piece is expected.
    cursor: usize,
}

impl Outgoing {
    pub(super) fn push(&mut self, conn: ConnKey, what: What) {
        self.crossing.push(conn, what);
    }

    pub(super) fn crossing(&mut self) -> &mut Crossing {
        &mut self.crossing
    }

    /// The index of a piece, which is put into the crossing once.
    pub(super) fn index_of(&mut self, piece: &Rc<Piece>) -> usize {
        let is_at = |index: usize| {
            let held = self.held.get(index);
            held.is_some_and(|held| Rc::ptr_eq(held, piece))
        };
        // The one after the last, or the first again: the next recipient gets the same ones.
        let index = if is_at(self.cursor) {
            self.cursor
        } else if is_at(0) {
            0
        } else {
            let held = &mut self.held;
            let pieces = &mut self.crossing.pieces;
            *self.index_of.entry(Rc::as_ptr(piece)).or_insert_with(|| {
                held.push(Rc::clone(piece));
                pieces.push(Piece::clone(piece));
                held.len() - 1
            })
        };
        self.cursor = index + 1;
        index
    }

    fn clear(&mut self) {
        self.crossing = Crossing::default();
        self.held.clear();
        self.index_of.clear();
        self.cursor = 0;
    }
}

impl Crossings {
    pub(super) fn new(index: usize, epochs: &Epochs) -> Self {
        let outgoing = |shard| Outgoing {
            epoch: epochs.of(shard),
            ..Outgoing::default()
        };
        Self {
            outgoing: (0..epochs.shards_count()).map(outgoing).collect(),
            own_epoch: epochs.of(index),
            stand_ins: vec![Vec::new(); epochs.shards_count()],
            dirty: Vec::new(),
            visited: Vec::new(),
        }
    }

    /// The stand-in for a connection of another shard.
    pub(super) fn stand_in(&self, (carrier, conn): (usize, ConnKey)) -> Option<ConnKey> {
        let (there, here) = (*self.stand_ins.get(carrier)?.get(conn.index())?)?;
        (there == conn).then_some(here)
    }

    pub(super) fn add_stand_in(&mut self, (carrier, conn): (usize, ConnKey), key: ConnKey) {
        if let Some(known) = self.stand_ins.get_mut(carrier) {
            if known.len() <= conn.index() {
                known.resize(conn.index() + 1, None);
            }
            known[conn.index()] = Some((conn, key));
        }
    }

    pub(super) fn remove_stand_in(&mut self, (carrier, conn): (usize, ConnKey)) {
        let known = self.stand_ins.get_mut(carrier);
        if let Some(place) = known.and_then(|known| known.get_mut(conn.index())) {
            place.take_if(|(there, _)| *there == conn);
        }
    }

    /// The stand-ins for connections of a shard.
    pub(super) fn stand_ins_of(&self, carrier: usize) -> Vec<ConnKey> {
        let known = self.stand_ins.get(carrier).into_iter().flatten();
        known.flatten().map(|(_, key)| *key).collect()
    }

    /// What waits for this shard. `None` when there is no such shard.
    pub(super) fn to(&mut self, shard: usize) -> Option<&mut Outgoing> {
        self.outgoing.get_mut(shard)
    }

    pub(super) fn tell(&mut self, shard: usize, conn: ConnKey, what: What) {
        if let Some(outgoing) = self.to(shard) {
            outgoing.push(conn, what);
        }
    }

    /// Whether something could not be posted yet.
    pub(super) fn is_held_up(&self) -> bool {
        self.outgoing.iter().any(|o| !o.crossing.is_empty())
    }
}

impl<I: Io> Shard<I> {
    /// Posts what waits, one message for each shard. What a full mailbox does not take waits on.
    pub(super) fn post_crossings(&mut self) {
        let Some(peers) = self.environment.peers.get() else {
            return;
        };
        let crossings = &mut self.crossings;
        for (outgoing, handle) in crossings.outgoing.iter_mut().zip(peers) {
            if outgoing.crossing.is_empty() {
                continue;
            }
            let mut crossing = std::mem::take(&mut outgoing.crossing);
            crossing.from = self.environment.index;
            crossing.from_epoch = crossings.own_epoch;
            crossing.to_epoch = outgoing.epoch;
            match handle.post(ShardMessage::Crossing(Box::new(crossing))) {
                Err(ShardMessage::Crossing(crossing)) => outgoing.crossing = *crossing,
                Ok(()) | Err(_) => {
                    self.environment.counters.count(Cell::Crossings);
                    outgoing.clear();
                }
            }
        }
    }

    /// Another shard tells what happened.
    pub(super) fn handle_crossing(&mut self, now: Timestamp, crossing: Crossing) {
        if self.environment.planted.strikes(Defect::CrossingForgotten) {
            return;
        }
        self.notice_failures(now);
        let known = self.crossings.to(crossing.from).map(|o| o.epoch);
        if crossing.to_epoch != self.crossings.own_epoch || known != Some(crossing.from_epoch) {
            return;
        }
        let from = crossing.from;
        let pieces: Vec<_> = crossing.pieces.into_iter().map(Rc::new).collect();
        for step in crossing.steps {
            let conn = step.conn;
            match step.what {
                What::Opened {
                    is_secure,
                    certificate,
                    source,
                    relay,
                } => {
                    let origin = (source, relay);
                    self.open_stand_in((from, conn), is_secure, certificate, origin);
                }
                What::Octets(index) => {
                    if let Some(octets) = crossing.octets.get(index) {
                        self.take_in_for(now, (from, conn), octets.clone());
                    }
                }
                What::Answered { index, is_certain } => {
                    if let Some(answer) = crossing.answers.get(index) {
                        self.handle_remote_answer(now, (from, conn), *answer, is_certain);
                    }
                }
                What::Written(number) => self.written_elsewhere(now, (from, conn), number),
                What::WaitedBy(by) => self.waited_elsewhere((from, conn), by),
                What::Lost(reason) => self.lose_stand_in(now, (from, conn), reason),
                What::Bound => self.route_is_bound(from, conn),
                What::Paths { number, octets } => self.keep_paths(from, conn, number, &octets),
                What::Piece {
                    index,
                    paths,
                    number,
                } => {
                    if let Some(piece) = pieces.get(index) {
                        self.carry_piece((from, number), conn, piece, paths);
                    }
                }
                What::Control { start, end, number } => {
                    if let Some(octets) = crossing.control.get(start..end) {
                        self.carry_control((from, number), conn, octets);
                    }
                }
                What::Taken(octets) => self.route_is_taken(from, conn, octets),
                What::Left => self.leave_route(from, conn),
                What::Ended(reason) => self.end_connection(now, conn, reason),
            }
        }
    }

    /// Looks whether another shard has failed: everything that was shared with it is gone.
    pub(super) fn notice_failures(&mut self, now: Timestamp) {
        for shard in 0..self.crossings.outgoing.len() {
            let epoch = self.environment.epochs.of(shard);
            let is_own = shard == self.environment.index;
            let Some(outgoing) = self.crossings.to(shard).filter(|_| !is_own) else {
                continue;
            };
            if outgoing.epoch != epoch {
                outgoing.epoch = epoch;
                if self.environment.planted.strikes(Defect::FailureUnnoticed) {
                    continue;
                }
                self.end_stand_ins(now, shard);
                self.end_routes(now, shard);
                // What waits was for the start that failed.
                if let Some(outgoing) = self.crossings.to(shard) {
                    outgoing.clear();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use msrp_session::{PieceBody, PieceFields};
    use msrp_wire::{
        ByteRange, ContentTypeBuf, ContinuationFlag, FailureReport, MessageId, RelayedHeadersBuf,
        SuccessReport, TransactionId,
    };
    use proptest::prelude::*;

    use super::*;

    fn piece() -> Rc<Piece> {
        let fields = PieceFields {
            message_id: MessageId::parse(b"m1234").unwrap(),
            byte_range: ByteRange::WHOLE,
            success_report: SuccessReport::No,
            failure_report: FailureReport::Partial,
            relayed: Rc::new(RelayedHeadersBuf::default()),
            content_type: Rc::new(ContentTypeBuf::parse("message/cpim").unwrap()),
            flag: ContinuationFlag::Last,
        };
        let id = TransactionId::parse(b"abcd1234").unwrap();
        Rc::new(Piece::compose(&fields, PieceBody::new(), || id))
    }

    proptest! {
        #[test]
        fn piece_is_in_a_crossing_once_whoever_gets_it(
            lent in proptest::collection::vec(0_usize..6, 1..60),
        ) {
            let pieces: Vec<_> = (0..6).map(|_| piece()).collect();
            let mut outgoing = Outgoing::default();
            let mut seen: Vec<Option<usize>> = vec![None; pieces.len()];
            for &which in &lent {
                let index = outgoing.index_of(&pieces[which]);
                prop_assert_eq!(*seen[which].get_or_insert(index), index);
            }
            let different = seen.iter().flatten().count();
            prop_assert_eq!(outgoing.crossing.pieces.len(), different);
            let mut indices: Vec<_> = seen.into_iter().flatten().collect();
            indices.sort_unstable();
            prop_assert_eq!(indices, (0..different).collect::<Vec<_>>());
        }
    }

    #[test]
    fn stand_in_is_found_by_the_key_it_was_made_for_alone() {
        let mut crossings = Crossings::new(0, &Epochs::new(2));
        let there = ConnKey::new(3, 1);
        crossings.add_stand_in((1, there), ConnKey::new(9, 9));
        assert_eq!(crossings.stand_in((1, there)), Some(ConnKey::new(9, 9)));
        assert_eq!(crossings.stand_in((1, ConnKey::new(3, 2))), None);
        assert_eq!(crossings.stand_in((0, there)), None);
        crossings.remove_stand_in((1, ConnKey::new(3, 2)));
        assert_eq!(crossings.stand_ins_of(1), [ConnKey::new(9, 9)]);
        crossings.remove_stand_in((1, there));
        assert!(crossings.stand_ins_of(1).is_empty());
    }
}
