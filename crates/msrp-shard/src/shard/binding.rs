//! How connections come, name their session, move between shards, and go.
//!
//! ```text
//!   accepted --> Unnamed --first request names a session--> Serving --last session ended--> Closing
//!                  |   \                                       |                              |
//!                  |    +--it lives on another shard: handed   +--connection lost--> gone     v
//!                  +--nothing in time--> gone                                      Lingering --> gone
//!   Unnamed --it names a session that waits for an answer--> Early --answer known--> Unnamed
//!   opened ----> Opening --connected: we send an empty SEND--> Serving
//! ```
//!
//! # Spec
//! RFC 4975 s.5.4: the To-Path of the first request binds a connection to a session; a session
//! has one connection; a lost connection ends its sessions.

use std::os::fd::OwnedFd;

use msrp_control::{EndReason, Event, Source};
use msrp_session::limits::TRANSACTION_NS;
use msrp_session::{Question, Timestamp};
use msrp_switch::{LegKey, Outcome};
use msrp_transport::Layer;
use msrp_wire::{
    ByteRange, ContinuationFlag, FailureReport, Method, RelayedHeaders, SuccessReport, encode,
};
use ring_io::{ConnKey, Io, Read};

use super::Shard;
use super::arrivals::Newcomer;
use super::connection::{Connection, Phase};
use super::layer::Layered;
use super::session::{Asked, Early, Link};
use super::timers::Timer;
use crate::census::Counted;
use crate::crossing::What;
use crate::defect::Defect;
use crate::limits::{LINGER_NS, SESSIONS_PER_CONNECTION_MAX};
use crate::mailbox::ShardMessage;
use crate::metrics::Cell;

impl<I: Io> Shard<I> {
    /// A peer connected.
    pub(super) fn accept(&mut self, now: Timestamp, newcomer: Newcomer) {
        self.ask_for_room();
        let counters = &self.environment.counters;
        counters.count(Cell::ConnectionsAccepted);
        let Some(counted) = newcomer.counted else {
            counters.count(Cell::LimitConnections);
            tracing::warn!("a connection was refused: connections_max is reached");
            return self.refuse(newcomer.stream);
        };
        if !self.may_come(newcomer.source) {
            return self.refuse(newcomer.stream);
        }
        let mut doors = self.doors.iter();
        let door = doors.find(|(key, _)| *key == newcomer.listener);
        let layer = match door.map_or(Ok(None), |(_, door)| door.accept()) {
            Ok(layer) => layer,
            Err(error) => {
                tracing::error!(%error, "a connection cannot be served");
                return;
            }
        };
        if let Ok(conn) = self.io.adopt(newcomer.stream, Read::Once) {
            self.insert_unnamed(now, (conn, Some(newcomer.source)), layer, counted);
        }
    }

    fn refuse(&self, stream: OwnedFd) {
        self.environment.counters.count(Cell::ConnectionsRefused);
        ring_io::reset(stream);
    }

    /// A connection comes from another shard, which has read its first octets.
    pub(super) fn adopt(
        &mut self,
        now: Timestamp,
        (stream, layer): (OwnedFd, Option<Box<Layer>>),
        octets: Vec<u8>,
        counted: Counted,
    ) {
        if let Ok(conn) = self.io.adopt(stream, Read::Paused) {
            let addresses = self.io.addresses(conn);
            let source = addresses.map(|(_, peer)| Source::of(peer.ip()));
            if source.is_some_and(|source| !self.may_come(source)) {
                self.environment.counters.count(Cell::ConnectionsRefused);
                self.io.close(conn);
                return;
            }
            let has_layer = layer.is_some();
            self.insert_unnamed(now, (conn, source), layer, counted);
            if has_layer {
                self.mark_dirty(conn);
            }
            self.take_in(now, conn, octets.into());
        }
    }

    fn insert_unnamed(
        &mut self,
        now: Timestamp,
        (conn, source): (ConnKey, Option<Source>),
        layer: Option<Box<Layer>>,
        counted: Counted,
    ) {
        if let Some(source) = source {
            self.count_unnamed(conn, source);
        }
        let mut connection = Connection::new(Phase::Unnamed, &self.spares);
        connection.layer = layer.map(|layer| Box::new(Layered::new(*layer)));
        connection.counted = Some(counted);
        let deadline = now.after(self.environment.limits.unbound_ns);
        if !self.environment.planted.strikes(Defect::NamingForgotten) {
            connection.naming = self.timers.set(deadline, Timer::Unnamed(conn));
        }
        self.connections.insert(conn, connection);
        self.keep_alive(now, conn);
    }

    /// Hands the connection with the octets of its request so far to another shard. `false` when it
    /// cannot be.
    pub(super) fn hand_over(&mut self, conn: ConnKey, shard: usize, request: &[u8]) -> bool {
        let Some(handle) = self
            .environment
            .peers
            .get()
            .and_then(|peers| peers.get(shard))
        else {
            return false;
        };
        let Some(stream) = self.io.detach(conn) else {
            return false;
        };
        let Some(connection) = self.connections.remove(conn) else {
            return false;
        };
        self.unnamed.remove(conn);
        if let Some(timer) = connection.naming {
            self.timers.cancel(timer);
        }
        let mut connection = *connection;
        let Some(counted) = connection.counted else {
            return false;
        };
        let mut octets = Vec::from(connection.head_octets);
        if !self.environment.planted.strikes(Defect::HandOverCut) {
            octets.extend_from_slice(request);
        }
        connection.intake.drain_into(&mut octets);
        self.environment.counters.count(Cell::HandedOver);
        let message = ShardMessage::Connection {
            stream,
            layer: connection.layer.map(|layered| layered.into_layer()),
            octets,
            counted,
        };
        // A shard whose mailbox is full does not get it; dropping the message closes the socket.
        let _ = handle.post(message);
        true
    }

    /// Binds a session to the connection that named it. `false` when it has another one.
    pub(super) fn bind(&mut self, now: Timestamp, conn: ConnKey, leg: LegKey) -> bool {
        let Some(session) = self.sessions.get_mut(leg) else {
            return false;
        };
        let early = match &mut session.link {
            Link::Bound(bound) => return *bound == conn,
            Link::Opening(opening, early) if *opening == conn => std::mem::take(early),
            Link::Opening(..) => return false,
            Link::Waiting(early) => std::mem::take(early),
        };
        let Some(connection) = self.connections.get_mut(conn) else {
            return false;
        };
        if connection.sessions.len() >= SESSIONS_PER_CONNECTION_MAX {
            session.link = Link::Waiting(early);
            self.environment.counters.count(Cell::LimitShared);
            return false;
        }
        session.link = Link::Bound(conn);
        connection.sessions.push(leg);
        let is_first = !matches!(connection.phase, Phase::Serving);
        connection.phase = Phase::Serving;
        if let Some(timer) = session.binding.take() {
            self.timers.cancel(timer);
        }
        self.end_naming(conn);
        if is_first {
            self.io.read(conn, Read::Continuous);
        }
        self.sessions.note_bound();
        self.tell_bound(conn);
        self.tap_bound(leg);
        let Some(session) = self.sessions.get(leg) else {
            return false;
        };
        self.environment.counters.count(Cell::SessionsBound);
        if session.is_bridged {
            self.bridge_bound(conn, leg);
        } else {
            let (room, participant) = (session.room.clone(), session.participant.clone());
            self.environment
                .hub
                .publish(&Event::ParticipantBound { room, participant });
        }
        self.send_early(now, conn, leg, *early);
        self.join_when_ready(now, leg);
        true
    }

    fn send_early(&mut self, now: Timestamp, conn: ConnKey, leg: LegKey, early: Early) {
        if let Some(session) = self.sessions.get_mut(leg) {
            for (question, is_last) in early.asked {
                let question = Question {
                    deadline: Some(now.after(TRANSACTION_NS)),
                    ..*question
                };
                let forgotten = session.transactions.open(question.into(), is_last);
                if let Some(forgotten) = forgotten
                    && let Asked::Piece { message, .. } = forgotten.context
                {
                    self.switch.settle(leg, message, Outcome::Failed);
                }
            }
            self.time_transactions(leg);
        }
        if !early.octets.is_empty()
            && let Some(connection) = self.connections.get_mut(conn)
        {
            connection.outbox.push_early(&early.octets, &early.marks);
            self.mark_dirty(conn);
        }
        self.note_missed(leg, conn);
    }

    /// A connection that we opened is up: an empty SEND names the session at once.
    ///
    /// # Spec
    /// MSRP-4975-5.4-04, MSRP-4975-5.4-05.
    pub(super) fn connected(&mut self, now: Timestamp, conn: ConnKey) {
        let Some(connection) = self.connections.get_mut(conn) else {
            return;
        };
        let phase = connection.phase;
        if matches!(phase, Phase::Opening(_) | Phase::Reaching(_)) && connection.is_shaking_hands()
        {
            self.mark_dirty(conn);
            return;
        }
        if let Phase::Reaching(hop) = phase {
            return self.hop_connected(now, conn, hop);
        }
        let Phase::Opening(leg) = phase else {
            return;
        };
        let Some(connection) = self.connections.get_mut(conn) else {
            return;
        };
        let Some(session) = self.sessions.get_mut(leg) else {
            return;
        };
        let id = self.ids.transaction_id();
        let message_id = self.ids.message_id();
        let paths = std::rc::Rc::clone(&session.paths);
        connection.outbox.push_control(|out| {
            encode::start_line(out, id, &Method::Send);
            out.extend_from_slice(&paths);
            let tail = encode::SendTail {
                message_id,
                byte_range: Some(ByteRange {
                    start: 1,
                    end: Some(0),
                    total: Some(0),
                }),
                success_report: SuccessReport::No,
                failure_report: FailureReport::Yes,
                relayed: RelayedHeaders::default(),
                content_type: None,
            };
            encode::send_headers_tail(out, &tail);
            encode::end_line(out, id, ContinuationFlag::Last);
        });
        let question = Question {
            id,
            deadline: Some(now.after(TRANSACTION_NS)),
            context: Asked::Opening,
        };
        session.transactions.open(question.into(), true);
        self.time_transactions(leg);
        self.mark_dirty(conn);
        self.bind(now, conn, leg);
    }

    /// A connection broke, or could not be opened.
    pub(super) fn failed(&mut self, now: Timestamp, conn: ConnKey) {
        let phase = self
            .connections
            .get(conn)
            .map(|connection| &connection.phase);
        let reason = match phase {
            Some(Phase::Opening(_)) => EndReason::ConnectFailed,
            Some(
                Phase::Reaching(_)
                | Phase::Unnamed
                | Phase::Early(_)
                | Phase::Serving
                | Phase::Closing
                | Phase::Lingering,
            ) => EndReason::ConnectionLost,
            None => return,
        };
        self.end_connection(now, conn, reason);
    }

    /// The connection is gone, and its sessions with it.
    pub(super) fn end_connection(&mut self, now: Timestamp, conn: ConnKey, reason: EndReason) {
        let Some(connection) = self.connections.get_mut(conn) else {
            return;
        };
        let phase = connection.phase;
        if let Phase::Opening(leg) = phase
            && self.has_next_address(leg)
        {
            self.close(conn);
            return self.try_next_address(now, leg);
        }
        let Some(connection) = self.connections.get_mut(conn) else {
            return;
        };
        let opening = match phase {
            Phase::Opening(leg) => Some(leg),
            Phase::Reaching(hop) => return self.hop_failed(conn, hop),
            Phase::Unnamed
            | Phase::Early(_)
            | Phase::Serving
            | Phase::Closing
            | Phase::Lingering => None,
        };
        let sessions = std::mem::take(&mut connection.sessions);
        self.abandon_routes(conn, reason);
        if let Some(carrier) = self.forget_carrier(conn) {
            let ended = What::Ended(reason);
            self.crossings.tell(carrier.shard, carrier.conn, ended);
        }
        self.close(conn);
        for leg in sessions.into_iter().chain(opening) {
            self.end_session(now, leg, reason);
        }
    }

    /// Closes the socket and forgets the connection.
    pub(super) fn close(&mut self, conn: ConnKey) {
        self.release_senders(conn);
        self.abandon_routes(conn, EndReason::ConnectionLost);
        self.end_naming(conn);
        if let Some(connection) = self.connections.remove(conn) {
            if connection.is_relaying {
                self.forget_relayed(conn);
            }
            for slow in connection.slowed_by {
                if let Some(slow) = self.connections.get_mut(slow) {
                    slow.slows.retain(|sender| *sender != conn);
                }
            }
            self.io.close(conn);
        }
    }

    /// A session does not use the connection any more.
    pub(super) fn leave_connection(&mut self, conn: ConnKey, leg: LegKey) {
        self.untap(conn, leg);
        let Some(connection) = self.connections.get_mut(conn) else {
            return;
        };
        connection.sessions.retain(|other| *other != leg);
        if connection.carrier.is_some() {
            self.crossings.visited.push(conn);
        } else if connection.is_unused() {
            self.begin_closing(conn);
        }
    }

    /// Everything is written on a connection without sessions: half-close, and let the peer
    /// close, so that nothing that is on its way to it is lost.
    pub(super) fn linger(&mut self, now: Timestamp, conn: ConnKey) {
        if self.close_layer(conn) {
            return;
        }
        if let Some(connection) = self.connections.get_mut(conn) {
            connection.phase = Phase::Lingering;
            self.io.shutdown(conn);
            self.io.read(conn, Read::Continuous);
            if !self.environment.planted.strikes(Defect::LingerForgotten) {
                self.timers.set(now.after(LINGER_NS), Timer::Linger(conn));
            }
        }
    }
}

impl super::Environment {
    /// Counts one more connection; `None` when the node has as many as it may have.
    pub(super) fn admit(&self) -> Option<Counted> {
        self.census.admit(self.limits.connections_max)
    }
}
