//! Who comes, and who goes without having named a session: last in a turn, and a few in each.
//!
//! A system call or three for each add up when hundreds come or go at once, as in a flood of connections; those who talk
//! do not wait for that.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;

use msrp_session::Timestamp;
use ring_io::{ConnKey, Io, ListenerKey};

use super::Shard;
use super::connection::Phase;
use crate::limits::{ARRIVALS_WAITING_MAX, TURN_ARRIVALS_MAX};

/// What waits for its turn, oldest first.
pub(super) type Arrivals = VecDeque<Arrival>;

/// A connection that came or goes.
#[derive(Debug)]
pub(super) enum Arrival {
    /// It was accepted.
    Came(ListenerKey, OwnedFd),
    /// Its peer will send no more.
    Ended(ConnKey),
    /// It broke.
    Broke(ConnKey),
    /// It has named no session in time.
    Overdue(ConnKey),
}

impl<I: Io> Shard<I> {
    /// Lets it wait until those who talk have been heard.
    pub(super) fn put_off(&mut self, now: Timestamp, arrival: Arrival) {
        self.arrivals.push_back(arrival);
        if self.arrivals.len() > ARRIVALS_WAITING_MAX {
            self.handle_arrival(now);
        }
    }

    /// Whether it has named no session.
    pub(super) fn is_unnamed(&self, conn: ConnKey) -> bool {
        let connection = self.connections.get(conn);
        connection.is_some_and(|connection| matches!(connection.phase, Phase::Unnamed))
    }

    pub(super) fn handle_arrivals(&mut self, now: Timestamp) {
        for _ in 0..TURN_ARRIVALS_MAX.min(self.arrivals.len()) {
            self.handle_arrival(now);
        }
    }

    fn handle_arrival(&mut self, now: Timestamp) {
        match self.arrivals.pop_front() {
            Some(Arrival::Came(listener, stream)) => self.accept(now, listener, stream),
            Some(Arrival::Ended(conn)) => self.peer_closed(now, conn),
            Some(Arrival::Broke(conn)) => self.failed(now, conn),
            Some(Arrival::Overdue(conn)) => self.end_unnamed(conn),
            None => {}
        }
    }
}
