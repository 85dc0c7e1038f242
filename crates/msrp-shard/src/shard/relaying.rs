//! The relay of this node, driven by its shard.
//!
//! ```text
//!   a request names the relay, or a URI that it gave --> the connection is the relay's as well
//!   header section, body, end, response, written, closed, time --> msrp-relay
//!   msrp-relay --> pieces and frames into the outboxes, next hops to be connected, connections to be closed
//! ```
//!
//! The relay runs on one shard, the home: two of its clients have to find each other. A connection whose first
//! request is for the relay goes there; one that carries sessions of rooms stays where it is, and its frames for the
//! relay cross to a stand-in. A connection may carry both.
//!
//! # Spec
//! RFC 4976.

mod next_hops;

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;

use bytes::Bytes;
use msrp_relay::{ConnectionFacts, ConnectionId, HopKey, Output, Relay};
use msrp_session::{Piece, Timestamp};
use msrp_wire::{ContinuationFlag, Method, Rejected, RequestHead, ResponseHead, TransactionId};
use ring_io::{ConnKey, Io, Read};

use super::Shard;
use super::connection::{Inbound, Phase};
use super::inbound::Named;
use super::outbox::{Mark, Parcel, Recipient};
use crate::defect::Defect;
use crate::engine::{Homes, RelayDoor};
use crate::metrics::Cell;
use crate::relay::SharedUsers;
use next_hops::Attempt;

/// The relay, on the shard that it runs on.
pub(super) struct Relaying {
    relay: Relay<SharedUsers>,
    /// Next hops that are being connected.
    attempts: HashMap<HopKey, Attempt>,
    /// How many connections came in this turn although few more can be had.
    room_wanted: u32,
}

impl Relaying {
    /// The relay without connections.
    pub(super) fn open(door: &RelayDoor, seed: [u8; 32]) -> std::io::Result<Self> {
        let relay = Relay::new(door.config.clone(), door.users.clone(), seed);
        let fault = |fault| std::io::Error::other(format!("{fault:?}"));
        Ok(Self {
            relay: relay.map_err(fault)?,
            attempts: HashMap::new(),
            room_wanted: 0,
        })
    }

    pub(super) fn deadline(&self) -> Option<Timestamp> {
        self.relay.poll_timeout()
    }

    /// What became of SENDs; how many are under way, and how many URIs are valid. Panics when its books are wrong.
    #[cfg(feature = "simulation")]
    pub(super) fn holdings(&self) -> (msrp_relay::Sums, (usize, usize)) {
        self.relay.check_invariants();
        let counts = (self.relay.sends_open_count(), self.relay.handles_count());
        (*self.relay.sums(), counts)
    }
}

impl<I: Io> Shard<I> {
    /// Whom a request is for: the relay, or a session.
    pub(super) fn find_addressee(
        &mut self,
        now: Timestamp,
        conn: ConnKey,
        head: &RequestHead<'_>,
    ) -> Named {
        if self.environment.relay.is_none() {
            return self.find_named(now, conn, head);
        }
        if let Some(named) = self.find_relayed(now, conn, head) {
            return named;
        }
        // On a connection of the relay, the relay answers what is nobody's, and counts it.
        match self.find_named(now, conn, head) {
            Named::Unknown if self.is_relaying(conn) => Named::Relayed,
            named => named,
        }
    }

    /// `None` when the request is not for the relay.
    fn find_relayed(&self, now: Timestamp, conn: ConnKey, head: &RequestHead<'_>) -> Option<Named> {
        let door = self.environment.relay.as_deref()?;
        let connection = self.connections.get(conn)?;
        let (to, from) = (&head.to_path, &head.from_path);
        if let Some(relaying) = &self.relaying
            && connection.is_relaying
            && relaying.relay.has_route(now, id_of(conn), to, from)
        {
            return Some(Named::Relayed);
        }
        let first = to.first();
        if !door.config.is_own(&first) {
            return None;
        }
        let is_secure = first.scheme() == msrp_wire::Scheme::Msrps;
        let is_for_relay = match (&self.relaying, first.session_id()) {
            (Some(relaying), Some(_)) => relaying.relay.knows(now, &first),
            (_, None) => head.method == Method::Auth || connection.is_relaying,
            // A session of a room is the only URI of its To-Path.
            (None, Some(session_id)) => {
                let homes = Homes::of_session_id(session_id);
                head.to_path.len() > 1 && homes.is_some_and(|homes| homes.home == door.home)
            }
        };
        let is_right = is_secure == connection.is_secure() || connection.is_relaying;
        if !is_for_relay || !is_right {
            return None;
        }
        if self.relaying.is_some() {
            return Some(Named::Relayed);
        }
        let is_free = matches!(connection.phase, Phase::Unnamed) && connection.routes.is_empty();
        Some(if is_free {
            Named::OnShard(door.home)
        } else {
            Named::Homed(door.home)
        })
    }

    fn is_relaying(&self, conn: ConnKey) -> bool {
        self.connections.get(conn).is_some_and(|c| c.is_relaying)
    }

    /// The header section of a request for the relay.
    pub(super) fn relay_request(&mut self, now: Timestamp, conn: ConnKey, head: &RequestHead<'_>) {
        self.join_relay(now, conn);
        if let Some(connection) = self.connections.get_mut(conn) {
            connection.inbound = Inbound::Relayed;
        }
        if let Some(relaying) = &mut self.relaying {
            relaying.relay.handle_request(now, id_of(conn), head);
        }
    }

    /// From now on the relay knows the connection.
    fn join_relay(&mut self, now: Timestamp, conn: ConnKey) {
        if self.is_relaying(conn) {
            return;
        }
        let facts = self.facts_of(conn);
        let Some(connection) = self.connections.get_mut(conn) else {
            return;
        };
        connection.is_relaying = true;
        if matches!(connection.phase, Phase::Unnamed) {
            connection.phase = Phase::Serving;
            self.io.read(conn, Read::Continuous);
        }
        self.end_naming(conn);
        self.tell_bound(conn);
        if let Some(relaying) = &mut self.relaying {
            relaying.relay.handle_opened(now, id_of(conn), facts);
        }
    }

    /// From where a connection comes, or where it leads.
    pub(super) fn source_of(&self, conn: ConnKey) -> IpAddr {
        let carrier = self.connections.get(conn).and_then(|c| c.carrier.as_ref());
        if let Some(carrier) = carrier {
            return carrier.source;
        }
        let addresses = self.io.addresses(conn);
        addresses.map_or(Ipv4Addr::UNSPECIFIED.into(), |(_, peer)| peer.ip())
    }

    /// What is known of a connection.
    fn facts_of(&self, conn: ConnKey) -> ConnectionFacts {
        let connection = self.connections.get(conn);
        ConnectionFacts {
            is_tls: connection.is_some_and(|c| c.is_secure()),
            source: self.source_of(conn),
            relay: self.relay_name(conn),
        }
    }

    /// The name of the trusted relay that a connection leads to.
    pub(super) fn relay_name(&self, conn: ConnKey) -> Option<Box<str>> {
        let door = self.environment.relay.as_deref()?;
        self.connections.get(conn)?.peer_host(&door.relays)
    }

    /// Octets of the body of a request for the relay.
    pub(super) fn relay_body(&mut self, conn: ConnKey, octets: Bytes) {
        if let Some(relaying) = &mut self.relaying {
            relaying.relay.handle_body(id_of(conn), octets);
        }
    }

    /// The end line of a request for the relay.
    pub(super) fn relay_end(&mut self, conn: ConnKey, flag: ContinuationFlag) {
        if let Some(relaying) = &mut self.relaying {
            relaying.relay.handle_end(id_of(conn), flag);
        }
    }

    /// A response on a connection of the relay that no session has asked for. `false` on any other connection.
    pub(super) fn relay_response(&mut self, conn: ConnKey, head: &ResponseHead<'_>) -> bool {
        let is_relaying = self.is_relaying(conn);
        if let Some(relaying) = &mut self.relaying
            && is_relaying
        {
            let mut head = *head;
            if self.environment.planted.strikes(Defect::RelayErrorMisread) {
                head.status = msrp_wire::StatusCode::OK;
            }
            relaying.relay.handle_response(id_of(conn), &head);
        }
        is_relaying
    }

    /// A response that no session here has asked for, on a connection that also carries frames to the relay on another
    /// shard: it goes there whole. `false` when there is no such way.
    pub(super) fn forward_response(&mut self, conn: ConnKey) -> bool {
        let home = self.environment.relay.as_deref().map(|door| door.home);
        let connection = self.connections.get(conn);
        let way = home.filter(|home| {
            connection.is_some_and(|c| c.routes.iter().all(|r| r.home == *home))
                && connection.is_some_and(|c| !c.routes.is_empty())
        });
        if let Some(home) = way {
            self.begin_forwarding(conn, home);
        }
        way.is_some()
    }

    /// A request with an illegal header section on a connection of the relay. `false` on any other connection.
    pub(super) fn relay_rejected(&mut self, conn: ConnKey, rejected: &Rejected<'_>) -> bool {
        let is_relaying = self.is_relaying(conn);
        if let Some(relaying) = &mut self.relaying
            && is_relaying
        {
            relaying.relay.handle_rejected(id_of(conn), rejected);
        }
        is_relaying
    }

    /// The last octet of a request of the relay has left.
    pub(super) fn relay_written(&mut self, now: Timestamp, conn: ConnKey, id: TransactionId) {
        if let Some(relaying) = &mut self.relaying {
            relaying.relay.handle_written(now, id_of(conn), id);
        }
    }

    /// The connection is of no use to the relay any more.
    pub(super) fn leave_relay(&mut self, conn: ConnKey) {
        if let Some(connection) = self.connections.get_mut(conn)
            && std::mem::take(&mut connection.is_relaying)
        {
            self.forget_relayed(conn);
        }
    }

    /// A connection of the relay is gone.
    pub(super) fn forget_relayed(&mut self, conn: ConnKey) {
        let planted = &self.environment.planted;
        if self.relaying.is_some() && planted.strikes(Defect::RelayClosedForgotten) {
            return;
        }
        if let Some(relaying) = &mut self.relaying {
            relaying.relay.handle_closed(id_of(conn));
        }
    }

    /// How many sessions of the relay a connection carries.
    pub(super) fn relayed_sessions_count(&self, conn: ConnKey) -> usize {
        let relaying = self.relaying.as_ref();
        let relaying = relaying.filter(|_| self.is_relaying(conn));
        relaying.map_or(0, |relaying| relaying.relay.sessions_count(id_of(conn)))
    }

    /// All input of the turn was handled.
    pub(super) fn end_relay_turn(&mut self, now: Timestamp) {
        if let Some(relaying) = &mut self.relaying {
            relaying.relay.handle_timeout(now);
            relaying.relay.end_turn(now);
            for _ in 0..std::mem::take(&mut relaying.room_wanted) {
                if !relaying.relay.make_room(now) {
                    break;
                }
            }
        }
    }

    /// Does what the relay wants done.
    pub(super) fn carry_out_relay(&mut self) {
        while let Some(output) = self.poll_relay() {
            match output {
                Output::Piece {
                    connection,
                    piece,
                    paths,
                    previous,
                } => self.queue_relayed(connection, &piece, paths, previous),
                Output::Frame {
                    connection,
                    octets,
                    written,
                } => {
                    let conn = key_of(connection);
                    let planted = &self.environment.planted;
                    if planted.strikes(Defect::RelayFrameForgotten) {
                        continue;
                    }
                    if let Some(connection) = self.connections.get_mut(conn) {
                        let mark = written.map(Mark::Relayed);
                        connection
                            .outbox
                            .push_marked(|out| out.extend_from_slice(&octets), mark);
                        self.mark_dirty(conn);
                    }
                }
                Output::Connect { hop, uri } => self.reach(hop, uri),
                Output::Close { connection, reason } => {
                    tracing::info!(?reason, "the relay closes a connection");
                    self.environment.counters.count(Cell::RelayClosed);
                    self.close_relayed(key_of(connection));
                }
            }
        }
    }

    /// Queues a piece for its next hop, as far as that one has room. Its sender waits for a slow one.
    fn queue_relayed(
        &mut self,
        to: ConnectionId,
        piece: &Rc<Piece>,
        paths: Rc<[u8]>,
        previous: ConnectionId,
    ) {
        let (conn, sender) = (key_of(to), Some(key_of(previous)));
        let planted = &self.environment.planted;
        if planted.strikes(Defect::RelayedForgotten) {
            return;
        }
        if !self.has_room(conn, sender, piece) {
            return self.refuse_piece(to, piece.id());
        }
        self.turn.count(1, piece.octets_without_paths());
        if let Some(connection) = self.connections.get_mut(conn) {
            let mark = Some(Mark::Relayed(piece.id()));
            let parcel = Parcel::marked(Rc::clone(piece), mark);
            let to = Recipient { leg: None, paths };
            connection.outbox.push_piece(&parcel, to);
            self.mark_dirty(conn);
            self.pace(conn, sender, piece);
        }
    }

    /// The relay is done with a connection, which closes when it carries nothing else.
    fn close_relayed(&mut self, conn: ConnKey) {
        self.leave_relay(conn);
        if self.connections.get(conn).is_some_and(|c| c.is_unused()) {
            self.begin_closing(conn);
        }
    }

    fn poll_relay(&mut self) -> Option<Output> {
        self.relaying.as_mut()?.relay.poll_output()
    }

    fn refuse_piece(&mut self, connection: ConnectionId, id: TransactionId) {
        self.environment.counters.count(Cell::RelayWithoutRoom);
        if let Some(relaying) = &mut self.relaying {
            relaying.relay.handle_no_room(connection, id);
        }
    }

    /// Copies the relay's numbers to where readers see them.
    pub(super) fn publish_relay(&self) {
        let Some(relaying) = &self.relaying else {
            return;
        };
        let counters = &self.environment.counters;
        let sums = relaying.relay.sums();
        counters.set(Cell::RelayUris, relaying.relay.handles_count() as u64);
        counters.set(Cell::RelayOpen, relaying.relay.sends_open_count() as u64);
        for (cell, value) in [
            (Cell::RelayUrisGiven, sums.handles_given),
            (Cell::RelayTaken, sums.sends_taken),
            (Cell::RelayNotTaken, sums.sends_refused),
            (Cell::RelayDelivered, sums.delivered),
            (Cell::RelaySent, sums.sent),
            (Cell::RelayRefused, sums.refused),
            (Cell::RelayFailed, sums.failed),
            (Cell::RelayPieces, sums.pieces_made),
            (Cell::RelayRequests, sums.requests_forwarded),
            (Cell::RelayResponses, sums.responses_forwarded),
            (Cell::RelayToldResponse, sums.told_by_response),
            (Cell::RelayToldReport, sums.told_by_report),
            (Cell::RelayToldNothing, sums.told_nothing),
            (Cell::RelayToldNobody, sums.sender_gone),
            (Cell::RelayDropped, sums.reports_dropped),
            (Cell::CopiedRelay, sums.octets_copied),
        ] {
            counters.set_total(cell, value);
        }
    }
}

/// The relay's name for a connection.
fn id_of(conn: ConnKey) -> ConnectionId {
    let index = conn.index() as u64;
    ConnectionId((index << 32) | u64::from(conn.generation()))
}

/// The connection of this name.
fn key_of(id: ConnectionId) -> ConnKey {
    let half = |bits: u64| u32::try_from(bits & u64::from(u32::MAX)).unwrap_or(u32::MAX);
    ConnKey::new(half(id.0 >> 32), half(id.0))
}
