//! The carrier's side of a connection with sessions of other shards.
//!
//! A *route* leads from a connection to one other shard. Frames that name a session of that shard are
//! forwarded whole and unread; what that shard lends is written among the connection's own. So that
//! neither the mailbox nor the receive buffers run full, only so many octets may be on their way
//! unread; with more the connection is not read.
//!
//! ```text
//!   none --a request names a session there--> open --it has no session left, or failed--> none
//!                                                \--connection gone: the home is told--> none
//! ```

use std::rc::Rc;

use bytes::Bytes;
use msrp_control::EndReason;
use msrp_session::{Piece, Timestamp};
use msrp_wire::ResponseHead;
use ring_io::{ConnKey, Io, Read};

use super::Shard;
use super::connection::{Inbound, Phase};
use super::outbox::{Mark, Parcel, Recipient};
use crate::crossing::What;
use crate::limits::FORWARDED_OCTETS_MAX;
use crate::metrics::Cell;

/// A way from a connection to the home of sessions that it carries.
#[derive(Debug)]
pub(super) struct Route {
    pub(super) home: usize,
    /// Octets that were forwarded and that the home has not read.
    unread_octets: usize,
    is_full: bool,
    /// Whether the home has a session on the connection, as far as it has told.
    pub(super) is_bound: bool,
    /// Path lines of the home's sessions, by number.
    paths: Vec<Rc<[u8]>>,
}

/// Stands among the slow recipients of a connection for a home that does not keep up.
fn full_mark(home: usize) -> ConnKey {
    ConnKey::new(u32::MAX, u32::try_from(home).unwrap_or(u32::MAX))
}

impl<I: Io> Shard<I> {
    /// The request that is arriving belongs to another shard.
    pub(super) fn begin_forwarding(&mut self, conn: ConnKey, home: usize) {
        let (relay, source) = (self.relay_name(conn), self.source_of(conn));
        let Some(connection) = self.connections.get_mut(conn) else {
            return;
        };
        connection.inbound = Inbound::Forwarded(home);
        let head = std::mem::take(&mut connection.head_octets);
        let is_secure = connection.is_secure();
        let certificate = connection.peer_certificate().map(Box::from);
        if connection.routes.iter().all(|route| route.home != home) {
            connection.routes.push(Route {
                home,
                unread_octets: 0,
                is_full: false,
                is_bound: false,
                paths: Vec::new(),
            });
            let opened = What::Opened {
                is_secure,
                certificate,
                source,
                relay,
            };
            self.crossings.tell(home, conn, opened);
            self.environment.counters.count(Cell::Routes);
        }
        if !head.is_empty() {
            self.forward(conn, home, Vec::from(head).into());
        }
    }

    /// Gives octets of the frame that is arriving to its home.
    pub(super) fn forward(&mut self, conn: ConnKey, home: usize, octets: Bytes) {
        let Some(connection) = self.connections.get_mut(conn) else {
            return;
        };
        let Some(route) = connection.routes.iter_mut().find(|r| r.home == home) else {
            return;
        };
        let Some(outgoing) = self.crossings.to(home) else {
            return;
        };
        route.unread_octets += octets.len();
        if route.unread_octets > FORWARDED_OCTETS_MAX && !route.is_full {
            route.is_full = true;
            connection.slowed_by.push(full_mark(home));
            self.io.read(conn, Read::Paused);
        }
        let crossing = outgoing.crossing();
        crossing.octets.push(octets);
        let index = crossing.octets.len() - 1;
        outgoing.push(conn, What::Octets(index));
    }

    /// A response that answers no request of this shard's sessions. `false` when nobody else could have asked.
    pub(super) fn forward_answer(&mut self, conn: ConnKey, head: &ResponseHead<'_>) -> bool {
        let Some(connection) = self.connections.get(conn) else {
            return false;
        };
        let is_certain = connection.routes.len() == 1;
        for route in connection.routes.iter() {
            if let Some(outgoing) = self.crossings.to(route.home) {
                let crossing = outgoing.crossing();
                crossing.answers.push((head.transaction_id, head.status));
                let index = crossing.answers.len() - 1;
                outgoing.push(conn, What::Answered { index, is_certain });
            }
        }
        !connection.routes.is_empty()
    }

    /// The home has bound a session to the connection.
    pub(super) fn route_is_bound(&mut self, home: usize, conn: ConnKey) {
        if let Some(route) = self.route(conn, home) {
            route.is_bound = true;
        }
        let Some(connection) = self.connections.get_mut(conn) else {
            return;
        };
        if !matches!(connection.phase, Phase::Unnamed) {
            return;
        }
        connection.phase = Phase::Serving;
        self.end_naming(conn);
        self.receive_again(conn);
    }

    pub(super) fn keep_paths(&mut self, home: usize, conn: ConnKey, number: usize, octets: &[u8]) {
        if let Some(route) = self.route(conn, home) {
            let paths = Rc::from(octets);
            match route.paths.get_mut(number) {
                Some(place) => *place = paths,
                None => route.paths.push(paths),
            }
        }
    }

    fn route(&mut self, conn: ConnKey, home: usize) -> Option<&mut Route> {
        let connection = self.connections.get_mut(conn)?;
        connection.routes.iter_mut().find(|r| r.home == home)
    }

    pub(super) fn carry_piece(
        &mut self,
        (home, number): (usize, u32),
        conn: ConnKey,
        piece: &Rc<Piece>,
        paths: usize,
    ) {
        let Some(route) = self.route(conn, home) else {
            return;
        };
        let Some(paths) = route.paths.get(paths).map(Rc::clone) else {
            return;
        };
        if let Some(connection) = self.connections.get_mut(conn) {
            let written = Some(Mark::Lent { home, number });
            let parcel = Parcel::marked(Rc::clone(piece), written);
            let to = Recipient { leg: None, paths };
            connection.outbox.push_piece(&parcel, to);
            self.mark_dirty(conn);
        }
    }

    pub(super) fn carry_control(
        &mut self,
        (home, number): (usize, u32),
        conn: ConnKey,
        octets: &[u8],
    ) {
        if self.route(conn, home).is_none() {
            return;
        }
        if let Some(connection) = self.connections.get_mut(conn) {
            connection.outbox.push_marked(
                |out| out.extend_from_slice(octets),
                Some(Mark::Lent { home, number }),
            );
            self.mark_dirty(conn);
        }
    }

    /// The home has read octets that were forwarded.
    pub(super) fn route_is_taken(&mut self, home: usize, conn: ConnKey, octets: usize) {
        let Some(route) = self.route(conn, home) else {
            return;
        };
        route.unread_octets = route.unread_octets.saturating_sub(octets);
        if route.is_full && route.unread_octets <= FORWARDED_OCTETS_MAX / 2 {
            route.is_full = false;
            self.clear_full_mark(conn, home);
            self.receive_again(conn);
        }
    }

    fn clear_full_mark(&mut self, conn: ConnKey, home: usize) {
        if let Some(connection) = self.connections.get_mut(conn) {
            connection.slowed_by.retain(|slow| *slow != full_mark(home));
        }
    }

    /// The home has no session on the connection. The route goes, unless something is on its way there
    /// that has to be answered; the connection closes when it carries nothing else.
    pub(super) fn leave_route(&mut self, home: usize, conn: ConnKey) {
        let Some(connection) = self.connections.get_mut(conn) else {
            return;
        };
        let is_in_frame = matches!(connection.inbound, Inbound::Forwarded(to) if to == home);
        let Some(route) = connection.routes.iter_mut().find(|r| r.home == home) else {
            return;
        };
        route.is_bound = false;
        if route.unread_octets == 0 && !is_in_frame && self.take_route(conn, home) {
            let lost = What::Lost(EndReason::ConnectionLost);
            self.crossings.tell(home, conn, lost);
        }
        let Some(connection) = self.connections.get_mut(conn) else {
            return;
        };
        if matches!(connection.phase, Phase::Unnamed) {
            // It was not read while the home decided.
            self.io.read(conn, Read::Once);
        } else if connection.is_unused() {
            self.begin_closing(conn);
        }
    }

    /// The connection carries no session any more: what waits is written, then it closes.
    pub(super) fn begin_closing(&mut self, conn: ConnKey) {
        self.abandon_routes(conn, EndReason::ConnectionLost);
        if let Some(connection) = self.connections.get_mut(conn) {
            connection.phase = Phase::Closing;
            self.mark_dirty(conn);
        }
    }

    /// Forgets a route. `false` when there is none.
    fn take_route(&mut self, conn: ConnKey, home: usize) -> bool {
        let Some(connection) = self.connections.get_mut(conn) else {
            return false;
        };
        let before = connection.routes.len();
        connection.routes.retain(|route| route.home != home);
        if connection.routes.len() == before {
            return false;
        }
        if matches!(connection.inbound, Inbound::Forwarded(to) if to == home) {
            connection.inbound = Inbound::Idle;
        }
        self.clear_full_mark(conn, home);
        true
    }

    /// The connection is gone, or of no use any more: the homes of its sessions are told.
    pub(super) fn abandon_routes(&mut self, conn: ConnKey, reason: EndReason) {
        let Some(connection) = self.connections.get_mut(conn) else {
            return;
        };
        for route in std::mem::take(&mut connection.routes) {
            self.crossings.tell(route.home, conn, What::Lost(reason));
        }
    }

    /// A home has failed: connections that carried nothing else end.
    pub(super) fn end_routes(&mut self, now: Timestamp, home: usize) {
        for conn in self.connections.keys() {
            if self.take_route(conn, home) {
                let is_unused = self.connections.get(conn).is_some_and(|c| c.is_unused());
                if is_unused {
                    self.end_connection(now, conn, EndReason::ShardFailed);
                } else {
                    self.receive_again(conn);
                }
            }
        }
    }
}
