//! How much of what a connection sends is looked at, and when.
//!
//! The kernel may hand over megabytes of one sender in one turn, before anything of them could be
//! sent on. So each connection has a budget for a turn. What is beyond it, and everything of a
//! connection whose recipients are slow, waits unread, and the connection is not received from
//! until that has been read: the sender feels it by TCP.
//!
//! Connections that have sent more than their budget, or that fill one receive buffer after the other, are *bounded*: they are
//! read when what the others said has left, and all together have one small budget: so who says little waits for little,
//! however many say much. They are received from one read at a time, so that they leave receive buffers to the others.

use bytes::Bytes;
use msrp_control::EndReason;
use msrp_session::Timestamp;
use ring_io::{ConnKey, Io, Read};

use super::Shard;
use super::connection::Phase;
use super::waiting::Waiting;
use crate::defect::Defect;
use crate::limits::{
    BOUNDED_OCTETS_MAX, BOUNDED_REQUESTS_MAX, FULL_READS, HELD_BACK_OCTETS_MAX, READ_OCTETS,
    READ_OCTETS_DENSE, READ_REQUESTS_MANY, SHORT_READS, TURN_COPIES_MAX, TURN_COPY_OCTETS_MAX,
    TURN_OCTETS_MAX, TURN_REQUESTS_MAX, TURN_REQUESTS_OF_ALL_MAX,
};
use crate::metrics::Cell;

/// What has arrived on a connection and waits to be read.
#[derive(Debug, Default)]
pub(super) struct Intake {
    unread: Waiting,
    /// The turn for which the sums count. They are small, as every idle connection has them.
    turn: u64,
    used_octets: u32,
    /// Requests that were read in it.
    requests: u32,
    /// Whether the last read had many requests, so that the next one is short.
    is_dense: bool,
    /// The peer has sent everything it will send.
    is_at_end: bool,
    /// Whether the connection stands in the shard's list of those to be read on.
    is_listed: bool,
    /// Whether what waits is in memory of its own, and not in the receive buffers.
    is_own: bool,
    /// Short reads until it is received from without bounds again; 0 when it is.
    short_reads_left: u8,
    /// Reads in a row that were not short.
    full_reads: u8,
}

impl Intake {
    pub(super) fn is_empty(&self) -> bool {
        self.unread.is_empty()
    }

    /// Puts octets back that were read too early.
    pub(super) fn put_back(&mut self, octets: Bytes) {
        self.unread.push_front(octets);
    }

    /// No more may be read in this turn.
    pub(super) fn end_turn(&mut self) {
        self.used_octets = u32::MAX;
    }

    /// Octets that wait.
    #[cfg(feature = "simulation")]
    pub(super) fn octets(&self) -> usize {
        self.unread.octets()
    }

    /// Takes everything, for another shard.
    pub(super) fn drain_into(&mut self, all: &mut Vec<u8>) {
        while let Some(octets) = self.unread.pop_front() {
            all.extend_from_slice(&octets);
        }
    }

    /// Frees the receive buffers of what waits, unless it is so much that it is better bounded by them. Returns
    /// the octets that were copied.
    fn copy_out(&mut self) -> usize {
        if self.is_own || self.unread.octets() > HELD_BACK_OCTETS_MAX {
            return 0;
        }
        self.is_own = true;
        self.unread.replace(|octets| Bytes::copy_from_slice(octets))
    }

    /// Takes what may be read in this turn.
    fn next(&mut self, turn: u64) -> Option<Bytes> {
        if self.turn != turn {
            self.turn = turn;
            self.used_octets = 0;
            self.requests = 0;
        }
        let budget = TURN_OCTETS_MAX.saturating_sub(self.used_octets as usize);
        let may_read = budget > 0 && (self.requests as usize) < TURN_REQUESTS_MAX;
        let first = self.unread.front_mut().filter(|_| may_read)?;
        let budget = budget.min(if self.is_dense {
            READ_OCTETS_DENSE
        } else {
            READ_OCTETS
        });
        let octets = if first.len() <= budget {
            self.unread.pop_front()?
        } else {
            first.split_to(budget)
        };
        self.used_octets = sum(self.used_octets, octets.len());
        Some(octets)
    }

    /// Whether it has read all that it may in this turn.
    fn has_spent(&self, turn: u64) -> bool {
        let octets = self.used_octets as usize;
        self.turn == turn
            && (self.requests as usize >= TURN_REQUESTS_MAX || octets >= TURN_OCTETS_MAX)
    }

    /// From now on it is bounded.
    fn begin_bounds(&mut self) {
        self.short_reads_left = SHORT_READS;
    }

    /// Whether it has sent more than its budget not long ago.
    fn is_bounded(&self) -> bool {
        self.short_reads_left > 0
    }

    /// A read arrived.
    fn arrived(&mut self, octets: Bytes) {
        if octets.len() >= READ_OCTETS {
            self.full_reads = self.full_reads.saturating_add(1);
            if self.is_bounded() || self.full_reads >= FULL_READS {
                self.begin_bounds();
            }
        } else {
            self.full_reads = 0;
            self.short_reads_left = self.short_reads_left.saturating_sub(1);
        }
        self.unread.push_back(octets);
        self.is_own = false;
    }

    /// How it is received from.
    fn mode(&self) -> Read {
        if self.is_bounded() {
            Read::Once
        } else {
            Read::Continuous
        }
    }

    /// So many requests were in what was taken last.
    fn count(&mut self, requests: usize) {
        self.requests = sum(self.requests, requests);
        self.is_dense = requests > READ_REQUESTS_MANY || (self.is_dense && requests > 1);
    }
}

/// The turn of the shard, and what it has queued in it.
#[derive(Debug, Default)]
pub(super) struct Turn {
    number: u64,
    copies: usize,
    copy_octets: usize,
    requests: usize,
    read_octets: usize,
}

impl Turn {
    pub(super) fn begin(&mut self) {
        *self = Self {
            number: self.number.wrapping_add(1),
            ..Self::default()
        };
    }

    /// A piece of so many octets was queued for so many recipients.
    pub(super) fn count(&mut self, copies: usize, octets: usize) {
        self.copies += copies;
        self.copy_octets += copies.saturating_mul(octets);
    }

    /// A request was read.
    pub(super) fn count_request(&mut self) {
        self.requests += 1;
    }

    /// Octets were taken to be read.
    fn count_read(&mut self, octets: usize) {
        self.read_octets += octets;
    }

    /// What bounded connections may have, however much the others had, begins.
    fn begin_bounded(&mut self) {
        *self = Self {
            number: self.number,
            ..Self::default()
        };
    }

    /// Whether as much has been read as all bounded connections together may have.
    fn has_spent_bounds(&self) -> bool {
        self.requests >= BOUNDED_REQUESTS_MAX || self.read_octets >= BOUNDED_OCTETS_MAX
    }

    fn is_full(&self) -> bool {
        self.copies >= TURN_COPIES_MAX
            || self.copy_octets >= TURN_COPY_OCTETS_MAX
            || self.requests >= TURN_REQUESTS_OF_ALL_MAX
    }
}

impl<I: Io> Shard<I> {
    /// Octets arrived on a connection.
    pub(super) fn received(&mut self, now: Timestamp, conn: ConnKey, octets: Bytes) {
        self.environment
            .counters
            .add(Cell::OctetsReceived, octets.len() as u64);
        let Some(connection) = self.connections.get_mut(conn) else {
            return;
        };
        let is_bounded = connection.intake.is_bounded();
        if connection.layer.is_some() {
            self.receive_layered(now, conn, &octets);
        } else {
            self.take_in(now, conn, octets);
        }
        if is_bounded {
            self.receive_again(conn);
        }
    }

    /// Octets of a connection are to be read. Those that another shard received were counted there.
    pub(super) fn take_in(&mut self, now: Timestamp, conn: ConnKey, mut octets: Bytes) {
        if octets.len() > 1 && self.environment.planted.strikes(Defect::OctetForgotten) {
            octets.truncate(octets.len() - 1);
        }
        let Some(connection) = self.connections.get_mut(conn) else {
            return;
        };
        if connection.is_read() {
            let was_waiting = !connection.intake.unread.is_empty();
            connection.intake.arrived(octets);
            if was_waiting {
                self.hold_back(conn);
            } else if connection.intake.is_bounded() {
                self.read_later(conn);
            } else {
                self.read_on(now, conn);
            }
        }
    }

    /// The peer will send no more; what has arrived before is read first.
    pub(super) fn peer_closed(&mut self, now: Timestamp, conn: ConnKey) {
        let Some(connection) = self.connections.get_mut(conn) else {
            return;
        };
        if self.environment.planted.strikes(Defect::CloseForgotten) {
            return;
        }
        connection.intake.is_at_end = true;
        if connection.intake.unread.is_empty() {
            self.end_connection(now, conn, EndReason::ConnectionLost);
        }
    }

    /// Reads what has arrived, as far as the budget and the recipients allow.
    pub(super) fn read_on(&mut self, now: Timestamp, conn: ConnKey) {
        while !self.turn.is_full()
            && let Some(connection) = self.connections.get_mut(conn)
            && connection.slowed_by.is_empty()
            && !matches!(connection.phase, Phase::Early(_))
            && !(connection.intake.is_bounded() && self.turn.has_spent_bounds())
            && let Some(octets) = connection.intake.next(self.turn.number)
        {
            let before = self.turn.requests;
            self.turn.count_read(octets.len());
            self.decode(now, conn, &octets);
            let requests = self.turn.requests - before;
            if let Some(connection) = self.connections.get_mut(conn) {
                connection.intake.count(requests);
            }
        }
        let Some(connection) = self.connections.get_mut(conn) else {
            return;
        };
        if !connection.intake.unread.is_empty() {
            if connection.intake.has_spent(self.turn.number) {
                connection.intake.begin_bounds();
            }
            self.io.read(conn, Read::Paused);
            if !self.hold_back(conn) {
                self.read_later(conn);
            }
        } else if connection.intake.is_at_end {
            self.end_connection(now, conn, EndReason::ConnectionLost);
        }
    }

    /// A connection that is not read on for some time, for its recipients or its session's answer, must
    /// not keep receive buffers, of which all connections have need. `false` when it is read on.
    fn hold_back(&mut self, conn: ConnKey) -> bool {
        let Some(connection) = self.connections.get_mut(conn) else {
            return false;
        };
        if connection.slowed_by.is_empty() && !matches!(connection.phase, Phase::Early(_)) {
            return false;
        }
        let copied = connection.intake.copy_out();
        self.environment
            .counters
            .add(Cell::CopiedHeldBack, copied as u64);
        true
    }

    /// Reads those for whom the turn before was too short. Those that have to wait once more are the first ones
    /// next time.
    pub(super) fn read_unread(&mut self, now: Timestamp) {
        let waiting = std::mem::take(&mut self.unread);
        let mut left = self.read_each(now, waiting, |turn| !turn.is_full());
        left.append(&mut self.unread);
        self.unread = left;
    }

    /// Reads those that are bounded. What the others said leaves before that.
    pub(super) fn read_bounded(&mut self, now: Timestamp) {
        if self.bounded.is_empty() {
            return;
        }
        self.flush(now);
        self.turn.begin_bounded();
        let waiting = std::mem::take(&mut self.bounded);
        let mut left = self.read_each(now, waiting, |turn| !turn.has_spent_bounds());
        left.append(&mut self.bounded);
        self.bounded = left;
    }

    /// Reads one after the other as long as the turn allows it. Returns those that were not read.
    fn read_each(
        &mut self,
        now: Timestamp,
        waiting: Vec<ConnKey>,
        may_read: impl Fn(&Turn) -> bool,
    ) -> Vec<ConnKey> {
        let mut waiting = waiting.into_iter();
        while may_read(&self.turn)
            && let Some(conn) = waiting.next()
        {
            if let Some(connection) = self.connections.get_mut(conn) {
                connection.intake.is_listed = false;
            }
            self.read_on(now, conn);
            self.receive_again(conn);
        }
        waiting.collect()
    }

    fn read_later(&mut self, conn: ConnKey) {
        if let Some(connection) = self.connections.get_mut(conn)
            && !std::mem::replace(&mut connection.intake.is_listed, true)
        {
            if connection.intake.is_bounded() {
                self.bounded.push(conn);
            } else {
                self.unread.push(conn);
            }
        }
    }

    /// A sender that waited for slow recipients, or for its next turn, is received from again
    /// when everything it sent has been read.
    pub(super) fn receive_again(&mut self, conn: ConnKey) {
        let Some(connection) = self.connections.get_mut(conn) else {
            return;
        };
        if !connection.slowed_by.is_empty() || !matches!(connection.phase, Phase::Serving) {
            return;
        }
        if connection.intake.unread.is_empty() {
            self.io.read(conn, connection.intake.mode());
        } else {
            self.read_later(conn);
        }
    }
}

fn sum(sum: u32, more: usize) -> u32 {
    sum.saturating_add(u32::try_from(more).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connection_beyond_its_budget_is_received_from_read_by_read_until_its_reads_are_short() {
        let mut intake = Intake::default();
        let arrive = |intake: &mut Intake, octets| intake.arrived(Bytes::from(vec![0; octets]));
        arrive(&mut intake, 4 * READ_OCTETS);
        assert_eq!(intake.mode(), Read::Continuous);
        intake.begin_bounds();
        for _ in 1..SHORT_READS {
            arrive(&mut intake, READ_OCTETS - 1);
        }
        assert_eq!(intake.mode(), Read::Once);
        arrive(&mut intake, READ_OCTETS);
        for _ in 0..SHORT_READS {
            assert_eq!(intake.mode(), Read::Once);
            arrive(&mut intake, 1);
        }
        assert_eq!(intake.mode(), Read::Continuous);
    }

    #[test]
    fn connection_that_fills_one_receive_buffer_after_the_other_is_bounded() {
        let mut intake = Intake::default();
        let mut read = |octets| {
            intake.arrived(Bytes::from(vec![0; octets]));
            intake.unread = Waiting::default();
            intake.is_bounded()
        };
        for _ in 1..FULL_READS {
            assert!(!read(READ_OCTETS));
        }
        assert!(!read(READ_OCTETS - 1));
        for _ in 1..FULL_READS {
            assert!(!read(READ_OCTETS));
        }
        assert!(read(READ_OCTETS));
    }

    #[test]
    fn bounded_connections_have_one_budget_whatever_the_others_read() {
        let after = |requests, octets| {
            let mut turn = Turn::default();
            (0..TURN_REQUESTS_OF_ALL_MAX).for_each(|_| turn.count_request());
            turn.begin_bounded();
            (0..requests).for_each(|_| turn.count_request());
            turn.count_read(octets);
            turn.has_spent_bounds()
        };
        assert!(!after(BOUNDED_REQUESTS_MAX - 1, BOUNDED_OCTETS_MAX - 1));
        assert!(after(BOUNDED_REQUESTS_MAX, 0));
        assert!(after(0, BOUNDED_OCTETS_MAX));
    }

    #[test]
    fn connection_has_spent_its_turn_with_its_own_octets_or_requests_only() {
        let mut intake = Intake::default();
        intake.arrived(Bytes::from(vec![0; 2 * TURN_OCTETS_MAX]));
        assert!(!intake.has_spent(1));
        assert!(intake.next(1).is_some() && !intake.has_spent(1));
        intake.count(TURN_REQUESTS_MAX);
        assert!(intake.has_spent(1) && !intake.has_spent(2));
        while intake.next(2).is_some() {
            assert!(intake.used_octets as usize == TURN_OCTETS_MAX || !intake.has_spent(2));
        }
        assert!(intake.has_spent(2));
    }

    #[test]
    fn connection_with_many_requests_reads_little_at_a_time_and_waits_for_its_next_turn() {
        let mut intake = Intake::default();
        intake
            .unread
            .push_back(Bytes::from(vec![0; 4 * READ_OCTETS]));
        let read = |intake: &mut Intake, turn, requests| {
            let octets = intake.next(turn).map(|octets| octets.len());
            intake.count(requests);
            octets
        };
        assert_eq!(read(&mut intake, 1, 2), Some(READ_OCTETS));
        assert_eq!(read(&mut intake, 1, TURN_REQUESTS_MAX), Some(READ_OCTETS));
        assert_eq!(read(&mut intake, 1, 30), None);
        assert_eq!(read(&mut intake, 2, 30), Some(READ_OCTETS_DENSE));
        assert_eq!(read(&mut intake, 2, 30), Some(READ_OCTETS_DENSE));
        assert_eq!(read(&mut intake, 2, 30), Some(READ_OCTETS_DENSE));
        assert_eq!(intake.next(2), None);
        // A large message follows.
        assert_eq!(read(&mut intake, 3, 1), Some(READ_OCTETS_DENSE));
        assert_eq!(read(&mut intake, 3, 0), Some(READ_OCTETS));
    }
}
