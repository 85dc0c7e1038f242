//! From octets of a connection to the switch.

use std::ops::Range;

use bytes::{Buf as _, Bytes};
use msrp_control::EndReason;
use msrp_session::{RareVec, Timestamp, answering};
use msrp_switch::{LegKey, Outcome, RecipientError};
use msrp_wire::{
    Body, ContinuationFlag, Event, FailureReport, Malformed, Method, MsrpPathBuf, Rejected,
    RequestHead, ResponseHead, Scheme, StatusCode, TransactionId, encode,
};
use ring_io::{ConnKey, Io, Read};

use super::Shard;
use super::connection::{Connection, Connections, Inbound, Phase};
use super::session::Asked;
use crate::defect::Defect;
use crate::engine::Homes;
use crate::metrics::Cell;

/// What became of octets.
enum Fate {
    /// They were read; the connection is still here.
    Read,
    /// The connection has gone to another shard with them, or they wait with it.
    HandedOver,
}

/// The session that a request names.
pub(super) enum Named {
    /// It is bound to this connection.
    Here(LegKey),
    /// No session of this node has this id.
    Unknown,
    /// It is bound to another connection.
    BoundElsewhere,
    /// Its participant has not answered our offer.
    Unanswered(LegKey),
    /// The connection belongs to this other shard.
    OnShard(usize),
    /// It belongs to this other shard, and the connection stays here.
    Homed(usize),
    /// None: the request is for the relay, which is here.
    Relayed,
}

impl<I: Io> Shard<I> {
    /// Reads octets of a connection and does what they say.
    pub(super) fn decode(&mut self, now: Timestamp, conn: ConnKey, octets: &Bytes) {
        let Some(connection) = self.connections.get_mut(conn).filter(|c| c.is_read()) else {
            return;
        };
        let Some(mut decoder) = self.decoders.take(&mut connection.reading) else {
            return;
        };
        let mut is_tapped = connection.outbox.tap.is_some();
        self.acknowledge(conn, octets.len());
        let mut rest = octets.clone();
        let mut request_start = 0;
        loop {
            let step = match decoder.decode(&rest) {
                Ok(step) => step,
                Err(malformed) => {
                    self.tap_inbound(conn, &rest, true);
                    return self.reject_stream(now, conn, malformed);
                }
            };
            let Some(event) = step.event else {
                self.tap_inbound(conn, &rest, false);
                break;
            };
            let consumed = step.consumed;
            let is_body = matches!(event, Event::Body(_));
            let is_end = !is_body && !matches!(event, Event::Request(_));
            if is_tapped {
                self.tap_inbound(conn, rest.get(..consumed).unwrap_or(&rest), is_end);
            }
            let request = octets.get(request_start..).unwrap_or_default();
            match self.handle_wire(now, conn, (&rest, request), event) {
                Fate::Read => rest.advance(consumed),
                Fate::HandedOver => return,
            }
            if is_end {
                let end = octets.len() - rest.len();
                self.end_frame(conn, octets, request_start..end);
                request_start = end;
            } else if !is_body {
                if !is_tapped && !self.traces.is_empty() {
                    let head = octets.get(request_start..octets.len() - rest.len());
                    is_tapped = self.tap_first(conn, head.unwrap_or_default());
                }
                let Some(connection) = self.connections.get_mut(conn) else {
                    continue;
                };
                connection.is_in_request = true;
                connection.head_octets = RareVec::default();
            }
        }
        let mut reading = self.decoders.put_back(decoder);
        if self.environment.planted.strikes(Defect::DecoderMixed) {
            reading = super::connection::Reading::BetweenFrames;
        }
        let Some(connection) = self.connections.get_mut(conn) else {
            return;
        };
        connection.reading = reading;
        self.keep_rest(conn, octets, request_start..octets.len());
        self.read_unnamed(conn);
    }

    /// A connection without session is read bit by bit, and not while another shard decides.
    pub(super) fn read_unnamed(&mut self, conn: ConnKey) {
        if let Some(connection) = self.connections.get(conn)
            && matches!(connection.phase, Phase::Unnamed)
            && connection.routes.is_empty()
        {
            self.io.read(conn, Read::Once);
        }
    }

    /// A frame ends in this read, where these octets of it lie.
    fn end_frame(&mut self, conn: ConnKey, octets: &Bytes, range: Range<usize>) {
        let Some(connection) = self.connections.get_mut(conn) else {
            return;
        };
        connection.is_in_request = false;
        connection.head_octets = RareVec::default();
        if let Inbound::Forwarded(home) = connection.inbound {
            connection.inbound = Inbound::Idle;
            self.forward(conn, home, octets.slice(range));
        }
    }

    /// The frame whose octets lie at the end of this read goes on in the next.
    fn keep_rest(&mut self, conn: ConnKey, octets: &Bytes, range: Range<usize>) {
        let Some(connection) = self.connections.get_mut(conn) else {
            return;
        };
        if range.is_empty() {
            return;
        }
        if let Inbound::Forwarded(home) = connection.inbound {
            self.forward(conn, home, octets.slice(range));
        } else if !connection.is_in_request && connection.head_octets.len() < HEAD_OCTETS_MAX {
            // More than a header section may have is in what is refused, or a response with a body.
            let head = octets.get(range).unwrap_or_default();
            let room = HEAD_OCTETS_MAX - connection.head_octets.len();
            connection
                .head_octets
                .extend_from_slice(head.get(..room).unwrap_or(head));
        }
    }

    /// The octets are not MSRP: what came before them is answered, then the connection closes.
    fn reject_stream(&mut self, now: Timestamp, conn: ConnKey, malformed: Malformed) {
        self.blame_in_layer(conn);
        let Some(connection) = self.connections.get_mut(conn) else {
            return;
        };
        self.environment.counters.count(Cell::ConnectionsMalformed);
        tracing::info!(reason = %malformed, "connection closed: not MSRP");
        let sessions = std::mem::take(&mut connection.sessions);
        connection.phase = Phase::Closing;
        self.abandon_routes(conn, EndReason::ProtocolError);
        self.leave_relay(conn);
        for leg in sessions {
            self.end_session(now, leg, EndReason::ProtocolError);
        }
        self.mark_dirty(conn);
    }

    fn handle_wire(
        &mut self,
        now: Timestamp,
        conn: ConnKey,
        (data, request): (&Bytes, &[u8]),
        event: Event<'_>,
    ) -> Fate {
        match event {
            Event::Request(head) => return self.handle_request(now, conn, request, &head),
            Event::Body(body) => self.handle_body(conn, data, &body),
            Event::End(flag) => self.handle_end(conn, flag),
            Event::Response(head) => self.handle_response(now, conn, &head),
            Event::Rejected(rejected) => self.handle_rejected(conn, &rejected),
        }
        self.carry_out(now);
        Fate::Read
    }

    /// `request` is the request's octets so far, of these that came in this read.
    fn handle_request(
        &mut self,
        now: Timestamp,
        conn: ConnKey,
        request: &[u8],
        head: &RequestHead<'_>,
    ) -> Fate {
        self.turn.count_request();
        if let Some(connection) = self.connections.get_mut(conn) {
            connection.inbound = Inbound::Idle;
        }
        let mut named = self.find_addressee(now, conn, head);
        // The shard that takes the connection over reads the request again, and counts it.
        if let Named::OnShard(shard) = named
            && self.hand_over(conn, shard, request)
        {
            return Fate::HandedOver;
        }
        if let Named::Homed(home) = named {
            self.begin_forwarding(conn, home);
            return Fate::Read;
        }
        if let Named::Unanswered(leg) = named {
            named = self.keep_early_bird(now, conn, leg, request);
            if matches!(named, Named::Unanswered(_)) {
                return Fate::HandedOver;
            }
        }
        self.environment.counters.count(match head.method {
            Method::Send => Cell::RequestsSend,
            Method::Report => Cell::RequestsReport,
            Method::Nickname => Cell::RequestsNickname,
            Method::Auth | Method::Other(_) => Cell::RequestsOther,
        });
        match named {
            Named::Here(leg) => self.handle_named(now, conn, leg, head),
            Named::Relayed => self.relay_request(now, conn, head),
            Named::Unknown | Named::OnShard(_) | Named::Homed(_) => {
                self.answer(conn, head, StatusCode::NO_SESSION);
            }
            Named::BoundElsewhere | Named::Unanswered(_) => {
                self.answer(conn, head, StatusCode::SESSION_ELSEWHERE);
            }
        }
        self.carry_out(now);
        Fate::Read
    }

    /// Finds the session of a request, and binds it to the connection when it has none.
    ///
    /// # Spec
    /// RFC 4975 s.5.4, s.7.3: exactly one URI, that of a session of this connection. The
    /// session-id decides; the rest of the URI may have been rewritten on the way (RFC 6714). What
    /// `msrps` names is reached over TLS alone, and over TLS nothing else is.
    pub(super) fn find_named(
        &mut self,
        now: Timestamp,
        conn: ConnKey,
        head: &RequestHead<'_>,
    ) -> Named {
        if head.to_path.len() != 1 {
            return Named::Unknown;
        }
        let first = head.to_path.first();
        let is_secure = first.scheme() == Scheme::Msrps;
        if self
            .connections
            .get(conn)
            .is_some_and(|c| c.is_secure() != is_secure)
        {
            return Named::Unknown;
        }
        let Some(session_id) = first.session_id() else {
            return Named::Unknown;
        };
        let Some(connection) = self.connections.get(conn) else {
            return Named::Unknown;
        };
        let is_named = |leg: &&LegKey| {
            let session = self.sessions.get(**leg);
            session.is_some_and(|session| session.session_id() == session_id)
        };
        if let Some(&leg) = connection.sessions.iter().find(is_named) {
            return Named::Here(leg);
        }
        self.find_unbound(now, conn, session_id)
    }

    /// Finds a session that is not bound to this connection of the shard.
    fn find_unbound(&mut self, now: Timestamp, conn: ConnKey, session_id: &[u8]) -> Named {
        let Some(connection) = self.connections.get(conn) else {
            return Named::Unknown;
        };
        // One that has gone a way to another shard stays, so that its answers find it.
        let may_go = matches!(connection.phase, Phase::Unnamed) && connection.routes.is_empty();
        let shards_count = self.environment.epochs.shards_count();
        let own = self.environment.index;
        let is_other = |shard| shard != own && shard < shards_count;
        let homes = Homes::of_session_id(session_id);
        if let Some(Homes { carrier, .. }) = homes
            && may_go
            && is_other(carrier)
        {
            return Named::OnShard(carrier);
        }
        let is_unanswered = |leg| self.sessions.get(leg).is_some_and(|s| !s.is_answered());
        let is_secure = connection.is_secure();
        let is_fit = |leg: &LegKey| {
            let session = self.sessions.get(*leg);
            session.is_some_and(|session| session.is_secure() == is_secure)
        };
        match (self.sessions.find(session_id).filter(is_fit), homes) {
            (Some(leg), _) if is_unanswered(leg) => Named::Unanswered(leg),
            (Some(leg), _) if self.is_impostor(conn, leg) => {
                self.environment.counters.count(Cell::LayerCertificate);
                self.end_session(now, leg, EndReason::ProtocolError);
                Named::Unknown
            }
            (Some(leg), _) if self.bind(now, conn, leg) => Named::Here(leg),
            (Some(_), _) => Named::BoundElsewhere,
            // A stand-in is at home already.
            (None, Some(Homes { home, .. }))
                if is_other(home) && !Connections::is_stand_in(conn) =>
            {
                Named::Homed(home)
            }
            (None, _) => Named::Unknown,
        }
    }

    /// Whether the peer shows another certificate than the session's participant has named.
    ///
    /// # Spec
    /// RFC 4975 s.14.4; MSRP-4975-14.4-02: then the session ends at once.
    fn is_impostor(&self, conn: ConnKey, leg: LegKey) -> bool {
        let connection = self.connections.get(conn);
        let shown = connection.and_then(Connection::peer_certificate);
        let session = self.sessions.get(leg);
        let named = session.and_then(|session| session.fingerprint.as_deref());
        shown
            .zip(named)
            .is_some_and(|(shown, named)| !named.is_of(shown))
    }

    fn handle_named(&mut self, now: Timestamp, conn: ConnKey, leg: LegKey, head: &RequestHead<'_>) {
        match head.method {
            Method::Send => {
                let reply_to = self.reply_to(leg, head);
                if let Some(connection) = self.connections.get_mut(conn) {
                    connection.inbound = Inbound::Send {
                        leg,
                        transaction_id: head.transaction_id,
                        reply_to: reply_to.map(Box::new),
                        is_answered: false,
                        since: now,
                    };
                }
                self.switch.handle_chunk(now, leg, head);
            }
            Method::Report => self.handle_report(now, leg, head),
            Method::Nickname => self.handle_nickname(now, conn, leg, head),
            Method::Auth | Method::Other(_) => {
                self.answer(conn, head, StatusCode::UNKNOWN_METHOD);
            }
        }
    }

    /// A recipient's REPORT ends here (RFC 7701 s.6.3): a final report may wait for it, and a failure
    /// does what an error response does. One of a status namespace that we do not know says nothing
    /// (RFC 4975 s.7.1.2).
    fn handle_report(&mut self, now: Timestamp, leg: LegKey, head: &RequestHead<'_>) {
        let Some((message_id, status)) = head.message_id.zip(head.status) else {
            return;
        };
        if status.namespace != 0 {
            return;
        }
        let (range, code) = (head.byte_range, status.code);
        self.environment
            .counters
            .count(Cell::of_report_received(code));
        if self.begin_bridged_report(leg, head, (message_id, range, code)) {
            return;
        }
        self.switch.handle_report(leg, message_id, range, code);
        // What a side of a bridge reports is for the other side.
        let is_failure = !code.is_success() && !self.switch.is_bridged(leg);
        if is_failure && RecipientError::of_report(code, range) == RecipientError::SessionOver {
            self.carry_out(now);
            self.end_session(now, leg, EndReason::SessionOver);
        }
    }

    /// Where the answer to a SEND goes: the leftmost URI of its From-Path. `None` when that is the
    /// one of the session's path, as nearly always: then nothing is copied.
    fn reply_to(&self, leg: LegKey, head: &RequestHead<'_>) -> Option<MsrpPathBuf> {
        let from = head.from_path.first();
        let session = self.sessions.get(leg);
        let is_usual = session.is_some_and(|session| session.peer_first_raw() == from.raw());
        if is_usual {
            None
        } else {
            MsrpPathBuf::join([from]).ok()
        }
    }

    fn handle_body(&mut self, conn: ConnKey, data: &Bytes, body: &Body<'_>) {
        let Some(connection) = self.connections.get_mut(conn) else {
            return;
        };
        if let Inbound::Report(report) = &mut connection.inbound {
            return report.push(match body {
                Body::Input(range) => data.get(range.clone()).unwrap_or_default(),
                Body::Carried(octets) => octets,
            });
        }
        let to = match connection.inbound {
            Inbound::Send { leg, .. } => Some(leg),
            Inbound::Relayed => None,
            Inbound::Idle | Inbound::Forwarded(_) | Inbound::Report(_) => return,
        };
        let octets = match body {
            Body::Input(range) => data.slice(range.clone()),
            Body::Carried(octets) => {
                self.environment
                    .counters
                    .add(Cell::CopiedSplit, octets.len() as u64);
                Bytes::copy_from_slice(octets)
            }
        };
        let Some(leg) = to else {
            return self.relay_body(conn, octets);
        };
        self.switch.handle_body(leg, octets);
    }

    fn handle_end(&mut self, conn: ConnKey, flag: ContinuationFlag) {
        let Some(connection) = self.connections.get_mut(conn) else {
            return;
        };
        match connection.inbound {
            Inbound::Send { leg, .. } => self.switch.handle_end(leg, flag),
            Inbound::Relayed => self.relay_end(conn, flag),
            Inbound::Report(_) => {
                let report = std::mem::replace(&mut connection.inbound, Inbound::Idle);
                self.end_bridged_report(report);
            }
            Inbound::Idle | Inbound::Forwarded(_) => {}
        }
    }

    /// A response tells what became of a piece.
    fn handle_response(&mut self, now: Timestamp, conn: ConnKey, head: &ResponseHead<'_>) {
        self.environment
            .counters
            .count(Cell::of_response_received(head.status));
        let answer = (&head.transaction_id, head.status);
        if !self.handle_answer(now, conn, answer)
            && !self.relay_response(conn, head)
            && !self.forward_response(conn)
            && !self.forward_answer(conn, head)
        {
            self.environment.counters.count(Cell::ResponsesUnknown);
        }
    }

    /// `false` when no session on the connection has asked for it.
    pub(super) fn handle_answer(
        &mut self,
        now: Timestamp,
        conn: ConnKey,
        (id, status): (&TransactionId, StatusCode),
    ) -> bool {
        let Some(connection) = self.connections.get(conn) else {
            return false;
        };
        let answered = connection.sessions.iter().find_map(|&leg| {
            let (question, is_last) = self.sessions.get_mut(leg)?.transactions.answer(id)?;
            Some((leg, question.context, is_last))
        });
        match answered {
            Some((
                leg,
                Asked::Piece {
                    message,
                    kind,
                    is_only,
                },
                is_last,
            )) => {
                let is_misread = self.environment.planted.strikes(Defect::SuccessMisread);
                if !status.is_success() || is_misread {
                    self.switch.settle_refused(leg, message, kind, status);
                    if RecipientError::of_response(status) == RecipientError::SessionOver {
                        self.carry_out(now);
                        self.end_session(now, leg, EndReason::SessionOver);
                    }
                } else if is_only
                    || self
                        .sessions
                        .get_mut(leg)
                        .is_some_and(|session| session.completes_copy(message, is_last))
                {
                    self.switch.settle(leg, message, Outcome::Delivered);
                }
            }
            Some((leg, Asked::Opening, _)) if !status.is_success() => {
                self.end_session(now, leg, EndReason::ConnectFailed);
            }
            Some((_, Asked::Opening, _)) => {}
            None => return false,
        }
        true
    }

    fn handle_rejected(&mut self, conn: ConnKey, rejected: &Rejected<'_>) {
        self.environment.counters.count(Cell::RequestsRejected);
        self.turn.count_request();
        if self.relay_rejected(conn, rejected) {
            return;
        }
        let is_answered = rejected.method != Method::Report;
        let failure_report = rejected.failure_report.unwrap_or(FailureReport::Yes);
        if !is_answered || !answering::is_response_due(failure_report, StatusCode::BAD_REQUEST) {
            return;
        }
        let (Some(from), Some(to)) = (&rejected.from_path, &rejected.to_path) else {
            return;
        };
        let Some(connection) = self.connections.get_mut(conn) else {
            return;
        };
        let reason = rejected.reason.to_string();
        connection.outbox.push_control(|out| {
            let status = StatusCode::BAD_REQUEST;
            encode::response(
                out,
                rejected.transaction_id,
                status,
                Some(&reason),
                from,
                to,
            );
        });
        self.count_response(StatusCode::BAD_REQUEST);
        self.mark_dirty(conn);
    }

    /// Answers a request that no session's switch sees. REPORTs are never answered.
    ///
    /// # Spec
    /// RFC 4975 s.7.2: the answer to a SEND goes to the leftmost URI of its From-Path, any other
    /// to the whole path.
    pub(super) fn answer(&mut self, conn: ConnKey, head: &RequestHead<'_>, status: StatusCode) {
        let is_due = head.method != Method::Report
            && answering::is_response_due(head.failure_report, status);
        let Some(connection) = self.connections.get_mut(conn).filter(|_| is_due) else {
            return;
        };
        connection.outbox.push_control(|out| {
            let comment = Some(status.phrase());
            let (id, own) = (head.transaction_id, head.to_path.first());
            if head.method == Method::Send {
                encode::response(out, id, status, comment, head.from_path.first(), own);
            } else {
                encode::response(out, id, status, comment, head.from_path, own);
            }
        });
        tracing::debug!(status = status.value(), "request answered");
        self.count_response(status);
        self.mark_dirty(conn);
    }
}

/// Octets of a header section that are kept at most: the decoder takes no longer ones.
const HEAD_OCTETS_MAX: usize = msrp_wire::limits::HEAD_OCTETS_MAX;
