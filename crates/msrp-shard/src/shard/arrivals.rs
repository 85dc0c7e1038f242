//! Who comes, and who goes without having named a session: last in a turn, and a few in each.
//!
//! A system call or three for each add up when hundreds come or go at once, as in a flood of connections; those who talk
//! do not wait for that.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use msrp_control::Source;
use msrp_session::Timestamp;
use ring_io::{ConnKey, Io, ListenerKey};

use super::Shard;
use super::connection::Phase;
use crate::census::Counted;
use crate::limits::{ARRIVALS_WAITING_MAX, TURN_ARRIVALS_MAX};

/// What waits for its turn, oldest first.
pub(super) type Arrivals = VecDeque<Arrival>;

/// A connection that came or goes.
#[derive(Debug)]
pub(super) enum Arrival {
    /// It was accepted.
    Came(Newcomer),
    /// Its peer will send no more.
    Ended(ConnKey),
    /// It broke.
    Broke(ConnKey),
    /// It has named no session in time.
    Overdue(ConnKey),
}

/// A connection that was accepted.
#[derive(Debug)]
pub(super) struct Newcomer {
    pub(super) listener: ListenerKey,
    pub(super) stream: OwnedFd,
    pub(super) source: Source,
    /// `None` when the node has as many connections as it may have.
    pub(super) counted: Option<Counted>,
}

impl<I: Io> Shard<I> {
    /// A connection was accepted. It is counted from now on.
    pub(super) fn came(
        &mut self,
        now: Timestamp,
        listener: ListenerKey,
        (stream, peer): (OwnedFd, SocketAddr),
    ) {
        let newcomer = Newcomer {
            listener,
            stream,
            source: Source::of(peer.ip()),
            counted: self.environment.admit(),
        };
        self.put_off(now, Arrival::Came(newcomer));
    }

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
            Some(Arrival::Came(newcomer)) => self.accept(now, newcomer),
            Some(Arrival::Ended(conn)) => self.peer_closed(now, conn),
            Some(Arrival::Broke(conn)) => self.failed(now, conn),
            Some(Arrival::Overdue(conn)) => self.end_unnamed(conn),
            None => {}
        }
    }
}
