//! From the switch's outputs to one send for each connection.

use std::io::IoSlice;
use std::rc::Rc;

use msrp_control::EndReason;
use msrp_session::limits::TRANSACTION_NS;
use msrp_session::{Piece, PieceBody, PieceFields, Question, Timestamp};
use msrp_switch::{ContentClass, Kind, LegKey, MessageKey, Outcome, Output, Refused};
use msrp_wire::{
    ByteRange, ContinuationFlag, FailureReport, Status, StatusCode, SuccessReport, TransactionId,
    encode,
};
use ring_io::{ConnKey, Io, SendOp, SendOutcome};

use super::Shard;
use super::arrivals::Arrival;
use super::connection::{Connections, Inbound, Phase};
use super::outbox::{CopyRef, Done, Mark, Parcel, Recipient};
use super::session::{Asked, Link, Session};
use super::timers::Timer;
use crate::crossing::What;
use crate::defect::Defect;
use crate::limits::BACKLOG_OCTETS_SOFT;
use crate::metrics::Cell;

/// Whose piece it is.
#[derive(Clone, Copy)]
struct Of {
    message: MessageKey,
    kind: Option<Kind>,
    is_last: bool,
    ended: Option<ContentClass>,
    sender: Option<LegKey>,
}

/// One piece on its way to its recipients.
struct FanOut<'a> {
    parcel: Rc<Parcel>,
    question: Rc<Question<Asked>>,
    fields: &'a PieceFields,
    message: MessageKey,
    is_last: bool,
    /// What the message is, when the piece ends it.
    ended: Option<ContentClass>,
    sender: Option<ConnKey>,
}

impl FanOut<'_> {
    fn is_asked(&self) -> bool {
        self.question.deadline.is_some()
    }

    fn body_octets(&self) -> u64 {
        self.parcel.piece.body_octets() as u64
    }

    /// The same piece under another transaction id.
    fn renamed(&self, draw: impl FnMut() -> TransactionId) -> (Rc<Parcel>, Rc<Question<Asked>>) {
        let piece = Rc::new(self.parcel.piece.renamed(draw));
        let question = Question {
            id: piece.id(),
            ..*self.question
        };
        let Parcel { since, done, .. } = *self.parcel;
        let parcel = Parcel { piece, since, done };
        (Rc::new(parcel), Rc::new(question))
    }
}

impl<I: Io> Shard<I> {
    /// Does what the switch wants done.
    pub(super) fn carry_out(&mut self, now: Timestamp) {
        while let Some(output) = self.next_output() {
            match output {
                Output::Respond {
                    leg,
                    status,
                    is_due,
                    refused,
                } => {
                    self.respond(leg, status, is_due, refused);
                }
                Output::Piece {
                    fields,
                    body,
                    to,
                    message,
                    is_last,
                    sender,
                    kind,
                    class,
                } => {
                    let is_ended = is_last && fields.flag == ContinuationFlag::Last;
                    let of = Of {
                        message,
                        kind,
                        is_last,
                        ended: is_ended.then_some(class),
                        sender,
                    };
                    self.fan_out(now, &fields, body, &to, of);
                }
                Output::Report {
                    leg,
                    message_id,
                    byte_range,
                    status,
                    body,
                } => {
                    self.report(
                        leg,
                        encode::Report {
                            message_id,
                            byte_range: Some(byte_range),
                            status: Status::new(status),
                            comment: Some(status.phrase()),
                            body: body.as_ref().map(|(content_type, body)| {
                                (content_type.as_content_type(), body.as_ref())
                            }),
                        },
                    );
                }
                Output::HoldSender { leg, is_held } => self.hold_sender(leg, is_held),
                Output::TooLate { leg } => self.tell_too_late(leg),
                Output::OwnMessage { leg, fields, body } => self.send_own(leg, &fields, body),
            }
        }
        self.carry_out_relay();
    }

    #[cfg(not(feature = "planted-defects"))]
    #[inline]
    fn next_output(&mut self) -> Option<Output> {
        self.switch.poll_output()
    }

    #[cfg(feature = "planted-defects")]
    fn next_output(&mut self) -> Option<Output> {
        self.poll_spoiled()
    }

    /// Answers the SEND that is arriving on the leg's connection.
    fn respond(&mut self, leg: LegKey, status: StatusCode, is_due: bool, refused: Option<Refused>) {
        let Some(session) = self.sessions.get(leg) else {
            return;
        };
        if let Some(refused) = refused {
            let (room, participant) = (&session.room, &session.participant);
            tracing::info!(%room, %participant, status = status.value(), reason = %refused, "message refused");
            if refused == Refused::TooFast {
                self.environment.counters.count(Cell::MessagesTooFast);
            }
        }
        let Some(conn) = session.bound() else {
            return;
        };
        let Some(connection) = self.connections.get_mut(conn) else {
            return;
        };
        let Inbound::Send {
            leg: open,
            transaction_id,
            reply_to,
            is_answered,
            ..
        } = &mut connection.inbound
        else {
            return;
        };
        if *open != leg || std::mem::replace(is_answered, true) || !is_due {
            return;
        }
        let (mut id, reply_to) = (*transaction_id, reply_to.take());
        if self.environment.planted.strikes(Defect::AnswerToNobody) {
            id = self.ids.transaction_id();
        }
        let path = match &reply_to {
            Some(reply_to) => reply_to.as_path(),
            None => session.peer(),
        };
        let Some(path) = path else {
            return;
        };
        let is_twice = self.environment.planted.strikes(Defect::AnswerTwice);
        for _ in 0..1 + usize::from(is_twice) {
            connection.outbox.push_control(|out| {
                encode::response(
                    out,
                    id,
                    status,
                    Some(refused.map_or(status.phrase(), Refused::phrase)),
                    path.first(),
                    &session.own,
                );
            });
        }
        self.count_response(status);
        self.mark_dirty(conn);
    }

    fn fan_out(
        &mut self,
        now: Timestamp,
        fields: &PieceFields,
        body: PieceBody,
        to: &[LegKey],
        of: Of,
    ) {
        let ids = &mut self.ids;
        let piece = Rc::new(Piece::compose(fields, body, || ids.transaction_id()));
        let sender = of
            .sender
            .and_then(|sender| self.sessions.get(sender))
            .and_then(|session| session.bound());
        let is_asked = fields.failure_report == FailureReport::Yes;
        // A final report counts its time from the moment when everything is written.
        let is_reported = fields.success_report == SuccessReport::Yes;
        let message = of.message;
        let done = Done::Copy { message, is_asked };
        let question = Question {
            id: piece.id(),
            deadline: is_asked.then(|| now.after(TRANSACTION_NS)),
            context: Asked::Piece {
                message,
                kind: of.kind,
                is_only: of.is_last && fields.byte_range.start == 1,
            },
        };
        let octets = piece.octets_without_paths();
        let fan_out = FanOut {
            parcel: Rc::new(Parcel {
                since: Some(self.read_since(now, sender)),
                done: (of.is_last && (!is_asked || is_reported)).then_some(done),
                piece,
            }),
            question: Rc::new(question),
            fields,
            message,
            is_last: of.is_last,
            ended: of.ended,
            sender,
        };
        self.turn.count(to.len(), octets);
        for &leg in to {
            self.queue_piece(leg, &fan_out);
        }
        self.environment
            .counters
            .add(Cell::PiecesSent, to.len() as u64);
    }

    /// When the first octet of the piece was read that comes from this connection now. The next piece
    /// of the same chunk begins where this one ends.
    fn read_since(&mut self, now: Timestamp, sender: Option<ConnKey>) -> Timestamp {
        let connection = sender.and_then(|sender| self.connections.get_mut(sender));
        match connection.map(|connection| &mut connection.inbound) {
            Some(Inbound::Send { since, .. }) => std::mem::replace(since, now),
            Some(Inbound::Idle | Inbound::Forwarded(_) | Inbound::Relayed | Inbound::Report(_))
            | None => now,
        }
    }

    fn queue_piece(&mut self, leg: LegKey, fan_out: &FanOut<'_>) {
        let conn = match self.sessions.get(leg).map(|session| &session.link) {
            Some(Link::Bound(conn)) => *conn,
            Some(Link::Waiting(_) | Link::Opening(..)) => return self.keep_early(leg, fan_out),
            None => return,
        };
        if !self.has_room(conn, fan_out.sender, &fan_out.parcel.piece) {
            return self.end_copy(leg, fan_out);
        }
        let (Some(connection), Some(session)) =
            (self.connections.get_mut(conn), self.sessions.get_mut(leg))
        else {
            return;
        };
        if session.account.is_kept() {
            self.switch
                .count_left(leg, fan_out.body_octets(), fan_out.ended);
        }
        let renamed;
        let (parcel, question) = if connection.sessions.len() > 1 && connection.sessions[0] != leg {
            // Two sessions on one connection must not share a transaction id.
            let ids = &mut self.ids;
            renamed = fan_out.renamed(|| ids.transaction_id());
            (&renamed.0, &renamed.1)
        } else {
            (&fan_out.parcel, &fan_out.question)
        };
        let forgotten = session
            .transactions
            .open(Rc::clone(question), fan_out.is_last);
        let to = Recipient {
            leg: Some(leg),
            paths: Rc::clone(&session.paths),
        };
        connection.outbox.push_piece(parcel, to);
        if fan_out.is_asked() {
            self.time_transactions(leg);
        }
        if let Some(forgotten) = forgotten
            && let Asked::Piece { message, .. } = forgotten.context
        {
            self.switch.settle_timed_out(leg, message);
        }
        self.mark_dirty(conn);
        self.pace(conn, fan_out.sender, &fan_out.parcel.piece);
    }

    /// Keeps a piece for a session that has no connection yet.
    fn keep_early(&mut self, leg: LegKey, fan_out: &FanOut<'_>) {
        let Some(Session {
            link: Link::Waiting(early) | Link::Opening(_, early),
            paths,
            account,
            ..
        }) = self.sessions.get_mut(leg)
        else {
            return;
        };
        let Parcel { piece, done, .. } = &*fan_out.parcel;
        let copy = done.map(|_| CopyRef {
            leg,
            message: fan_out.message,
            is_asked: fan_out.is_asked(),
        });
        if !self.environment.planted.strikes(Defect::EarlyForgotten)
            && !early.push(piece, paths, copy)
        {
            self.environment.counters.count(Cell::LimitEarly);
            return self.end_copy(leg, fan_out);
        }
        let octets = fan_out.body_octets();
        if account.is_kept() {
            self.switch.count_left(leg, octets, fan_out.ended);
        }
        if fan_out.is_asked() {
            let question = Rc::clone(&fan_out.question);
            early.asked.push((question, fan_out.is_last));
        }
        self.environment.counters.add(Cell::CopiedEarly, octets);
    }

    /// There is no room for a piece to a recipient: its copy ends, with `#` when a part has gone before.
    ///
    /// # Spec
    /// RFC 4975 s.5.1.
    fn end_copy(&mut self, leg: LegKey, fan_out: &FanOut<'_>) {
        self.environment.counters.count(Cell::CopiesWithoutRoom);
        self.switch.settle(leg, fan_out.message, Outcome::Failed);
        let Some(session) = self.sessions.get_mut(leg) else {
            return;
        };
        if !self.environment.planted.strikes(Defect::MissedForgotten) {
            session.missed = session.missed.saturating_add(1);
        }
        if let Some(conn) = session.bound() {
            self.note_missed(leg, conn);
        }
        if fan_out.fields.byte_range.start == 1
            || self.environment.planted.strikes(Defect::EndForgotten)
        {
            return;
        }
        let fields = PieceFields {
            flag: ContinuationFlag::Abort,
            byte_range: ByteRange {
                end: None,
                ..fan_out.fields.byte_range
            },
            ..fan_out.fields.clone()
        };
        let ids = &mut self.ids;
        let abort = Rc::new(Piece::compose(&fields, PieceBody::new(), || {
            ids.transaction_id()
        }));
        let Some(session) = self.sessions.get_mut(leg) else {
            return;
        };
        match &mut session.link {
            Link::Waiting(early) | Link::Opening(_, early) => {
                early.push_unbounded(&abort, &session.paths);
            }
            Link::Bound(conn) => {
                let conn = *conn;
                let paths = Rc::clone(&session.paths);
                if let Some(connection) = self.connections.get_mut(conn) {
                    let to = Recipient { leg: None, paths };
                    connection.outbox.push_piece(&Parcel::plain(abort), to);
                    self.mark_dirty(conn);
                }
            }
        }
    }

    pub(super) fn mark_dirty(&mut self, conn: ConnKey) {
        if let Some(connection) = self.connections.get_mut(conn)
            && !connection.is_dirty
            && !self.environment.planted.strikes(Defect::DirtyForgotten)
        {
            connection.is_dirty = true;
            if Connections::is_stand_in(conn) {
                self.crossings.dirty.push(conn);
            } else {
                self.dirty.push(conn);
            }
        }
    }

    /// One send for each connection that has something to send, again for those with more than
    /// one send takes.
    pub(super) fn flush(&mut self, now: Timestamp) {
        while !self.dirty.is_empty() || !self.crossings.dirty.is_empty() {
            self.lend_all(now);
            let dirty = std::mem::take(&mut self.dirty);
            let ops = self.send(now, &dirty);
            self.written = self.now();
            for (op, offered) in ops {
                self.sent(now, &op, offered);
            }
            self.carry_out(now);
        }
    }

    /// Sends what is dirty; connections with a backlog only collect. Returns the sends with the
    /// octets that each offered.
    fn send(&mut self, now: Timestamp, dirty: &[ConnKey]) -> Vec<(SendOp, usize)> {
        for &conn in dirty {
            self.spill_behind_backlog(now, conn);
        }
        let mut slices: Vec<IoSlice<'_>> = Vec::with_capacity(dirty.len() * SLICES_USUAL);
        let mut ops = Vec::with_capacity(dirty.len());
        let mut offered = Vec::with_capacity(dirty.len());
        for &conn in dirty {
            let Some(connection) = self.connections.get(conn) else {
                continue;
            };
            let start = slices.len();
            if let Some(layered) = &connection.layer {
                let Some(wire) = layered.offer() else {
                    continue;
                };
                slices.push(IoSlice::new(wire));
                offered.push(wire.len());
            } else if connection.outbox.backlog_octets() > 0 {
                continue;
            } else {
                offered.push(connection.outbox.gather(&mut slices));
            }
            ops.push(SendOp::new(conn, slice_range(start, slices.len())));
        }
        if let Err(error) = self.io.send_batch(&slices, &mut ops) {
            tracing::error!(%error, "the backend broke while sending");
            ops.clear();
        }
        ops.into_iter().zip(offered).collect()
    }

    fn spill_behind_backlog(&mut self, now: Timestamp, conn: ConnKey) {
        if self.encode(now, conn) {
            return;
        }
        let Some(connection) = self.connections.get_mut(conn) else {
            return;
        };
        connection.is_dirty = false;
        if connection.outbox.backlog_octets() > 0 {
            let copied = connection.outbox.spill(0);
            self.environment.counters.add(Cell::CopiedBacklog, copied);
            self.watch(now, conn);
        }
    }

    /// A send has ended.
    fn sent(&mut self, now: Timestamp, op: &SendOp, offered: usize) {
        let Some(connection) = self.connections.get_mut(op.conn) else {
            return;
        };
        let planted = &self.environment.planted;
        let octets = match op.outcome {
            SendOutcome::Sent(octets) if octets == offered => octets,
            SendOutcome::Sent(_) if planted.strikes(Defect::ShortSendForgotten) => offered,
            SendOutcome::Sent(_) if planted.strikes(Defect::ShortSendRepeated) => 0,
            SendOutcome::Sent(octets) => octets,
            SendOutcome::WouldBlock => 0,
            SendOutcome::Failed(_) => {
                self.end_connection(now, op.conn, EndReason::ConnectionLost);
                return;
            }
        };
        if connection.layer.is_some() {
            return self.wire_sent(now, op.conn, (octets, offered));
        }
        let copied = connection
            .outbox
            .taken(octets, octets == offered, &mut self.done);
        let counters = &self.environment.counters;
        counters.add(Cell::OctetsSent, octets as u64);
        counters.add(Cell::CopiedBacklog, copied);
        self.settle_done(now, op.conn);
        self.after_send(now, op.conn);
    }

    /// What follows from the state of a connection's outbox.
    pub(super) fn after_send(&mut self, now: Timestamp, conn: ConnKey) {
        let Some(connection) = self.connections.get_mut(conn) else {
            return;
        };
        let waiting = connection
            .outbox
            .backlog_octets()
            .max(connection.wire_octets());
        if waiting > 0 {
            self.watch(now, conn);
        } else if !connection.outbox.is_empty() {
            self.mark_dirty(conn);
        } else {
            connection.outbox.release();
            if matches!(connection.phase, Phase::Closing) {
                self.linger(now, conn);
            }
        }
        if waiting <= BACKLOG_OCTETS_SOFT / 2 {
            self.keeps_up(conn);
        }
    }

    /// The socket takes octets again.
    pub(super) fn writable(&mut self, now: Timestamp, conn: ConnKey) {
        if self.unblock_layer(conn) {
            return;
        }
        self.written = now;
        let Some(connection) = self.connections.get_mut(conn) else {
            return;
        };
        let mut slices = Vec::new();
        connection.outbox.offer_backlog(&mut slices);
        let mut ops = [SendOp::new(conn, slice_range(0, slices.len()))];
        if self.io.send_batch(&slices, &mut ops).is_err() {
            return;
        }
        match ops[0].outcome {
            SendOutcome::Sent(octets) => {
                self.environment
                    .counters
                    .add(Cell::OctetsSent, octets as u64);
                connection.outbox.backlog_taken(octets, &mut self.done);
                self.settle_done(now, conn);
            }
            SendOutcome::WouldBlock => {}
            SendOutcome::Failed(_) => {
                self.end_connection(now, conn, EndReason::ConnectionLost);
                return;
            }
        }
        self.after_send(now, conn);
    }

    /// What is known after a connection was written to.
    pub(super) fn settle_done(&mut self, now: Timestamp, conn: ConnKey) {
        let mut done = std::mem::take(&mut self.done);
        for mark in done.drain(..) {
            let defect = match mark {
                Mark::Copy(_) | Mark::Relayed(_) | Mark::Piece(_) => Defect::SettlingForgotten,
                Mark::Lent { .. } => Defect::LentForgotten,
            };
            if self.environment.planted.strikes(defect) {
                continue;
            }
            match mark {
                Mark::Copy(copy) if copy.is_asked => {
                    self.switch.handle_written(now, copy.leg, copy.message);
                }
                Mark::Copy(copy) => self.switch.settle(copy.leg, copy.message, Outcome::Sent),
                Mark::Relayed(id) => self.relay_written(now, conn, id),
                Mark::Piece(since) => {
                    let buckets = &self.environment.counters.latency;
                    self.latency.add(self.written.since(since), buckets);
                }
                Mark::Lent { home, number } => {
                    self.crossings.tell(home, conn, What::Written(number));
                }
            }
        }
        self.done = done;
    }

    /// Sees to it that a timer runs for the oldest transaction of a session.
    pub(super) fn time_transactions(&mut self, leg: LegKey) {
        if let Some(session) = self.sessions.get_mut(leg)
            && !session.is_transaction_timed
            && let Some(deadline) = session.transactions.deadline()
        {
            session.is_transaction_timed = true;
            self.timers.set(deadline, Timer::Transaction(leg));
        }
    }

    pub(super) fn handle_timers(&mut self, now: Timestamp) {
        while let Some(timer) = self.timers.due(now) {
            match timer {
                Timer::Unnamed(conn) => self.put_off(now, Arrival::Overdue(conn)),
                Timer::Unbound(leg) => self.end_unbound(now, leg),
                Timer::Look(conn) => self.check_pace(now, conn),
                Timer::Transaction(leg) => self.expire_transactions(now, leg),
                Timer::Bridge(leg) => self.look_at_bridge(now, leg),
                Timer::Linger(conn) => self.close(conn),
                Timer::Ping(conn) => self.check_alive(now, conn),
            }
        }
    }

    pub(super) fn end_unnamed(&mut self, conn: ConnKey) {
        let phase = self
            .connections
            .get(conn)
            .map(|connection| &connection.phase);
        if matches!(phase, Some(Phase::Unnamed | Phase::Early(_))) {
            self.environment.counters.count(Cell::ConnectionsNeverBound);
            tracing::info!(reason = "it named no session in time", "connection closed");
            self.close(conn);
        }
    }

    fn end_unbound(&mut self, now: Timestamp, leg: LegKey) {
        let unbound_ns = self.environment.limits.unbound_ns;
        let is_late = |since: Timestamp| since.after(unbound_ns) <= now;
        if self
            .sessions
            .get(leg)
            .and_then(|session| session.waits_since())
            .is_some_and(is_late)
        {
            self.end_session(now, leg, EndReason::NeverBound);
        }
    }

    fn expire_transactions(&mut self, now: Timestamp, leg: LegKey) {
        if self.environment.planted.strikes(Defect::ExpiryForgotten) {
            return;
        }
        let Some(session) = self.sessions.get_mut(leg) else {
            return;
        };
        session.is_transaction_timed = false;
        let mut unanswered = Vec::new();
        while let Some(question) = session.transactions.expire(now) {
            unanswered.push(question.context);
        }
        for asked in unanswered {
            match asked {
                Asked::Piece { message, .. } => self.switch.settle_timed_out(leg, message),
                Asked::Opening => self.end_session(now, leg, EndReason::ConnectFailed),
            }
        }
        self.time_transactions(leg);
    }

    pub(super) fn count_response(&self, status: StatusCode) {
        let counters = &self.environment.counters;
        counters.count(Cell::of_response_sent(status));
        if status == StatusCode::STOP_SENDING {
            counters.count(Cell::LimitMessage);
        }
    }
}

/// A range of slices as a send wants it. A batch never has 2^32 of them.
fn slice_range(start: usize, end: usize) -> std::ops::Range<u32> {
    let index = |i: usize| u32::try_from(i).unwrap_or(u32::MAX);
    index(start)..index(end)
}

/// Slices of a connection with one piece: start, paths, tail, body, end, and a response.
const SLICES_USUAL: usize = 6;
