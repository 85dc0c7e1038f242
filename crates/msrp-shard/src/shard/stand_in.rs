//! The home's side of a connection that another shard carries.
//!
//! A *stand-in* is a [`Connection`] without a socket. What its carrier forwards is taken in and read
//! as if it had been received; what is written to it is lent to the carrier, and counts as waiting
//! until the carrier says that it was written. So sessions, pacing and settling of copies work as on
//! a connection of this shard.

use std::net::IpAddr;
use std::rc::Rc;

use bytes::Bytes;
use msrp_control::EndReason;
use msrp_session::Timestamp;
use msrp_wire::{StatusCode, TransactionId};
use ring_io::{ConnKey, Io};

use super::Shard;
use super::connection::{Connection, Phase};
use super::crossings::Outgoing;
use super::outbox::Queued;
use crate::crossing::What;
use crate::limits::SESSIONS_PER_CONNECTION_MAX;
use crate::metrics::Cell;

/// Who carries a connection.
#[derive(Debug)]
pub(super) struct Carrier {
    pub(super) shard: usize,
    /// The carrier's key.
    pub(super) conn: ConnKey,
    /// Whether TLS protects the connection.
    pub(super) is_secure: bool,
    /// The peer's certificate, when it has shown one.
    pub(super) certificate: Option<Box<[u8]>>,
    /// From where it comes, or where it leads.
    pub(super) source: IpAddr,
    /// The trusted relay that it leads to.
    pub(super) relay: Option<Box<str>>,
    /// Path lines that the carrier knows by their number.
    paths: Vec<Rc<[u8]>>,
}

impl Carrier {
    /// The number of path lines, which are told to the carrier once.
    fn number_of(&mut self, paths: &Rc<[u8]>, outgoing: &mut Outgoing) -> usize {
        if let Some(number) = self.paths.iter().position(|told| Rc::ptr_eq(told, paths)) {
            return number;
        }
        // A session gets new ones when it is negotiated again; then old numbers are used again.
        if self.paths.len() >= SESSIONS_PER_CONNECTION_MAX * 2 {
            self.paths.clear();
        }
        let number = self.paths.len();
        self.paths.push(Rc::clone(paths));
        let octets = Box::from(&paths[..]);
        outgoing.push(self.conn, What::Paths { number, octets });
        number
    }
}

impl<I: Io> Shard<I> {
    /// A connection of another shard names a session of this one.
    pub(super) fn open_stand_in(
        &mut self,
        (shard, conn): (usize, ConnKey),
        is_secure: bool,
        certificate: Option<Box<[u8]>>,
        (source, relay): (IpAddr, Option<Box<str>>),
    ) {
        let mut connection = Connection::new(Phase::Serving, &self.spares);
        connection.carrier = Some(Box::new(Carrier {
            shard,
            conn,
            is_secure,
            certificate,
            source,
            relay,
            paths: Vec::new(),
        }));
        let Some(key) = self.connections.insert_stand_in(connection) else {
            self.crossings
                .tell(shard, conn, What::Ended(EndReason::ConnectionLost));
            return;
        };
        self.crossings.add_stand_in((shard, conn), key);
    }

    /// The carrier forwards octets. Those for a stand-in that is gone mean nothing.
    pub(super) fn take_in_for(&mut self, now: Timestamp, of: (usize, ConnKey), octets: Bytes) {
        if let Some(key) = self.crossings.stand_in(of) {
            self.crossings.visited.push(key);
            self.take_in(now, key, octets);
        }
    }

    /// Octets of a stand-in are being read: its carrier may forward as many more.
    pub(super) fn acknowledge(&mut self, conn: ConnKey, octets: usize) {
        if let Some(connection) = self.connections.get(conn)
            && let Some(carrier) = &connection.carrier
        {
            self.crossings
                .tell(carrier.shard, carrier.conn, What::Taken(octets));
        }
    }

    pub(super) fn handle_remote_answer(
        &mut self,
        now: Timestamp,
        of: (usize, ConnKey),
        (id, status): (TransactionId, StatusCode),
        is_certain: bool,
    ) {
        if let Some(key) = self.crossings.stand_in(of) {
            self.tap_answer(key, id, status);
            if !self.handle_answer(now, key, (&id, status)) && is_certain {
                self.environment.counters.count(Cell::ResponsesUnknown);
            }
            self.carry_out(now);
        }
    }

    /// A session was bound to this connection; the carrier of a stand-in has to know.
    pub(super) fn tell_bound(&mut self, conn: ConnKey) {
        if let Some(connection) = self.connections.get(conn)
            && let Some(carrier) = &connection.carrier
        {
            self.crossings
                .tell(carrier.shard, carrier.conn, What::Bound);
        }
    }

    /// Lends everything that waits on stand-ins to their carriers, and posts it: they write while this
    /// shard writes to its own connections.
    pub(super) fn lend_all(&mut self, now: Timestamp) {
        for conn in std::mem::take(&mut self.crossings.dirty) {
            self.lend(now, conn);
        }
        self.post_crossings();
    }

    fn lend(&mut self, now: Timestamp, conn: ConnKey) {
        let Some(connection) = self.connections.get_mut(conn) else {
            return;
        };
        connection.is_dirty = false;
        let Some(carrier) = connection.carrier.as_deref_mut() else {
            connection.outbox.lend(|_, _| {});
            return;
        };
        let Some(outgoing) = self.crossings.to(carrier.shard) else {
            return;
        };
        let there = carrier.conn;
        connection.outbox.lend(|lent, number| match lent {
            Queued::Piece(piece, paths) => {
                let paths = carrier.number_of(paths, outgoing);
                let index = outgoing.index_of(piece);
                let what = What::Piece {
                    index,
                    paths,
                    number,
                };
                outgoing.push(there, what);
            }
            Queued::Control(octets) => {
                let control = &mut outgoing.crossing().control;
                let start = control.len();
                control.extend_from_slice(octets);
                let end = control.len();
                outgoing.push(there, What::Control { start, end, number });
            }
        });
        if matches!(connection.phase, Phase::Closing) {
            self.end_connection(now, conn, EndReason::ProtocolError);
        } else if connection.outbox.backlog_octets() > 0 {
            self.watch(now, conn);
        }
    }

    /// The carrier has written what it was lent under this number.
    pub(super) fn written_elsewhere(&mut self, now: Timestamp, of: (usize, ConnKey), number: u32) {
        let Some(key) = self.crossings.stand_in(of) else {
            return;
        };
        let Some(connection) = self.connections.get_mut(key) else {
            return;
        };
        connection.outbox.lent_written(number, &mut self.done);
        self.written = now;
        self.settle_done(now, key);
        self.after_send(now, key);
    }

    /// The carrier has lost the connection. What it forwarded before is read first.
    pub(super) fn lose_stand_in(
        &mut self,
        now: Timestamp,
        of: (usize, ConnKey),
        reason: EndReason,
    ) {
        let Some(key) = self.crossings.stand_in(of) else {
            return;
        };
        self.forget_carrier(key);
        if reason == EndReason::ConnectionLost {
            self.peer_closed(now, key);
        } else {
            self.end_connection(now, key, reason);
        }
    }

    /// At the end of a turn: carriers are told of stand-ins that came to carry no session. Each stays
    /// until its carrier agrees, for a request may be on its way that has to be answered.
    pub(super) fn retire_stand_ins(&mut self) {
        let mut visited = std::mem::take(&mut self.crossings.visited);
        visited.retain(|&key| {
            let Some(connection) = self.connections.get(key) else {
                return false;
            };
            let Some(carrier) = &connection.carrier else {
                return false;
            };
            if !connection.is_unused() {
                return false;
            }
            let is_read = connection.intake.is_empty();
            if is_read {
                self.crossings.tell(carrier.shard, carrier.conn, What::Left);
            }
            !is_read
        });
        self.crossings.visited = visited;
    }

    /// The carrier has failed: the sessions that it carried are lost.
    pub(super) fn end_stand_ins(&mut self, now: Timestamp, shard: usize) {
        let lost = self.crossings.stand_ins_of(shard);
        for key in lost {
            self.forget_carrier(key);
            self.end_connection(now, key, EndReason::ShardFailed);
        }
    }

    /// The carrier is told no more of this stand-in.
    pub(super) fn forget_carrier(&mut self, conn: ConnKey) -> Option<Box<Carrier>> {
        let carrier = self.connections.get_mut(conn)?.carrier.take()?;
        self.crossings
            .remove_stand_in((carrier.shard, carrier.conn));
        Some(carrier)
    }
}
