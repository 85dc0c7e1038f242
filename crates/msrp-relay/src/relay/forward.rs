//! Requests that come in.

use std::rc::Rc;

use bytes::Bytes;
use msrp_session::answering::is_response_due;
use msrp_session::limits::{PIECE_OCTETS_MAX, PIECE_OCTETS_MIN};
use msrp_session::{Key, Piece, PieceBody, PieceFields, Timestamp};
use msrp_wire::{
    ByteRange, ContinuationFlag, FailureReport, Method, RelayedHeaders, RequestHead, StatusCode,
    TransactionId, encode,
};

use super::route::Route;
use super::{CloseReason, Relay, Timer};
use crate::connection::{ConnectionId, Inbound, OpenSend, SendHead};
use crate::known_route::KnownRoute;
use crate::ledger::count;
use crate::limits::HOLD_NS;
use crate::outgoing::{Awaited, Failure, Outgoing, Transit, Way};
use crate::refused::Refused;
use crate::users::Users;

impl<U: Users> Relay<U> {
    /// The header section of a request. What is refused is answered at once, as far as its sender wants to hear it.
    ///
    /// # Spec
    /// RFC 4976 s.6.2 to s.6.4.2.
    pub fn handle_request(&mut self, now: Timestamp, id: ConnectionId, head: &RequestHead<'_>) {
        let Some(connection) = self.connections.get_mut(&id).filter(|c| !c.is_closing) else {
            return;
        };
        connection.inbound = Inbound::Nothing;
        connection.used = now;
        let is_encrypted = connection.facts.is_tls || self.config.allow_plain_auth;
        let is_blocked =
            matches!(head.method, Method::Other(_)) && self.config.block_unknown_methods;
        match self.route(now, id, &head.to_path, &head.from_path) {
            Err(refused) => self.refuse(id, head, refused),
            Ok(_) if head.method == Method::Auth && !is_encrypted => {
                self.refuse(id, head, Refused::NotTrusted)
            }
            Ok(_) if is_blocked => self.refuse(id, head, Refused::UnknownMethod),
            Ok(Route::Here) => match head.method {
                Method::Auth => self.auth(now, id, head),
                Method::Send | Method::Report => self.refuse(id, head, Refused::NoEndpoint),
                Method::Nickname | Method::Other(_) => {
                    self.refuse(id, head, Refused::UnknownMethod)
                }
            },
            Ok(Route::On(route)) => match head.method {
                Method::Send => self.begin_send(id, head, route),
                Method::Report | Method::Auth | Method::Nickname | Method::Other(_) => {
                    self.begin_request(id, head, route);
                }
            },
        }
        self.check_invariants_in_debug();
    }

    /// The next octets of the body of the request that is coming in.
    pub fn handle_body(&mut self, id: ConnectionId, octets: Bytes) {
        match self.take_inbound(id) {
            Inbound::Nothing => {}
            Inbound::Send(send) => self.send_octets(id, send, octets),
            Inbound::Whole(request) => self.request_octets(id, request, &octets),
        }
        self.check_invariants_in_debug();
    }

    /// The end line of the request that is coming in.
    pub fn handle_end(&mut self, id: ConnectionId, flag: ContinuationFlag) {
        match self.take_inbound(id) {
            Inbound::Nothing => {}
            Inbound::Send(send) => self.send_ends(id, send, flag),
            Inbound::Whole(request) => self.request_ends(id, &request, flag),
        }
        self.check_invariants_in_debug();
    }

    /// All input of the turn was handled: what has waited for more leaves, except small amounts, which wait
    /// [`HOLD_NS`](crate::limits::HOLD_NS) and are copied so that no receive buffer stays in use.
    pub fn end_turn(&mut self, now: Timestamp) {
        for id in std::mem::take(&mut self.dirty) {
            let mut send = match self.take_inbound(id) {
                Inbound::Send(send) => send,
                // Behind the SEND another request has begun.
                other => {
                    self.put_inbound(id, other);
                    continue;
                }
            };
            if send.held_octets > PIECE_OCTETS_MIN {
                let octets = send.held_octets.saturating_sub(1);
                if let Err(failure) = self.cut(&mut send, octets, ContinuationFlag::More) {
                    self.send_fails(id, *send, failure);
                    continue;
                }
            }
            self.sums.octets_copied = self
                .sums
                .octets_copied
                .saturating_add(send.held_octets as u64);
            let mut copy = Vec::with_capacity(send.held_octets);
            send.held.iter().for_each(|run| copy.extend_from_slice(run));
            send.held = PieceBody::from_iter([Bytes::from(copy)]);
            if send.held_octets > 1 && send.held_until.is_none() {
                let until = now.after(HOLD_NS);
                send.held_until = Some(until);
                self.timers.insert((until, Timer::Held(id)));
            }
            self.put_inbound(id, Inbound::Send(send));
        }
        self.check_invariants_in_debug();
    }

    /// Few octets of a SEND have waited long enough for more: they leave.
    pub(super) fn hold_is_over(&mut self, id: ConnectionId, until: Timestamp) {
        let mut send = match self.take_inbound(id) {
            Inbound::Send(send) if send.held_until == Some(until) => send,
            other => return self.put_inbound(id, other),
        };
        send.held_until = None;
        let octets = send.held_octets.saturating_sub(1);
        if octets > 0
            && let Err(failure) = self.cut(&mut send, octets, ContinuationFlag::More)
        {
            return self.send_fails(id, *send, failure);
        }
        self.put_inbound(id, Inbound::Send(send));
    }

    /// Answers a request that goes nowhere.
    pub(super) fn refuse(&mut self, id: ConnectionId, head: &RequestHead<'_>, refused: Refused) {
        let status = refused.status();
        let is_due = match head.method {
            Method::Report => false,
            Method::Send => is_response_due(head.failure_report, status),
            Method::Auth | Method::Nickname | Method::Other(_) => true,
        };
        match head.method {
            Method::Send => count(&mut self.sums.sends_refused),
            Method::Report => count(&mut self.sums.reports_dropped),
            Method::Auth | Method::Nickname | Method::Other(_) => {}
        }
        if is_due {
            self.respond(id, head, status, &[]);
        }
        self.note_refused(id);
        if refused == Refused::NotAddressedHere {
            self.close(id, CloseReason::NotAddressedHere);
        }
    }

    pub(super) fn take_inbound(&mut self, id: ConnectionId) -> Inbound {
        self.connections.get_mut(&id).map_or(Inbound::Nothing, |c| {
            std::mem::replace(&mut c.inbound, Inbound::Nothing)
        })
    }

    pub(super) fn put_inbound(&mut self, id: ConnectionId, inbound: Inbound) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.inbound = inbound;
        }
    }

    fn begin_send(&mut self, id: ConnectionId, head: &RequestHead<'_>, route: Rc<KnownRoute>) {
        if !self.has_room(route.way, 0) {
            return self.refuse(id, head, Refused::TooMuchWaiting);
        }
        let (Some(message_id), Some(fields)) = (head.message_id, self.send_head(id, head)) else {
            return self.refuse(id, head, Refused::Body);
        };
        let range = head.byte_range.unwrap_or(ByteRange::WHOLE);
        let transit = Transit {
            previous: id,
            route: Rc::clone(&route),
            message_id,
            start: range.start,
            octets: 0,
            total: range.total,
            failure_report: head.failure_report,
            pieces: 0,
            is_open: true,
            failure: None,
            is_told: false,
        };
        let Some(transit) = self.transits.insert(transit) else {
            return self.refuse(id, head, Refused::Full);
        };
        count(&mut self.sums.sends_taken);
        self.note_accepted(id);
        let send = OpenSend {
            transit,
            id: head.transaction_id,
            route,
            head: fields,
            held: PieceBody::new(),
            held_octets: 0,
            held_until: None,
            position: range.start,
            has_pieces: false,
        };
        self.put_inbound(id, Inbound::Send(Box::new(send)));
    }

    /// The header fields of a SEND that travel on; `None` when its Content-Type is not legal.
    fn send_head(&mut self, id: ConnectionId, head: &RequestHead<'_>) -> Option<SendHead> {
        let message_id = head.message_id?;
        let Some(content_type) = head.content_type.filter(|_| head.has_body) else {
            let mut lines = Vec::new();
            let tail = encode::SendTail {
                message_id,
                byte_range: head.byte_range,
                success_report: head.success_report,
                failure_report: head.failure_report,
                relayed: RelayedHeaders::default(),
                content_type: None,
            };
            encode::send_headers_tail(&mut lines, &tail);
            return Some(SendHead::Bodiless(lines));
        };
        let connection = self.connections.get_mut(&id)?;
        let relayed = head.relayed_headers();
        Some(SendHead::Chunk(PieceFields {
            message_id,
            byte_range: ByteRange::WHOLE,
            success_report: head.success_report,
            failure_report: head.failure_report,
            relayed: Rc::new(relayed.to_buf()),
            content_type: connection.known.content_type(content_type)?,
            flag: ContinuationFlag::More,
        }))
    }

    fn send_octets(&mut self, id: ConnectionId, mut send: Box<OpenSend>, octets: Bytes) {
        if octets.is_empty() {
            return self.put_inbound(id, Inbound::Send(send));
        }
        if !self.takes_octets(&send, octets.len()) {
            let failure = failure(Refused::Body);
            return self.send_fails(id, *send, failure);
        }
        send.held_octets = send.held_octets.saturating_add(octets.len());
        send.held.push(octets);
        // The last octet is kept back, so that the flag of its piece is known when the piece is made.
        while send.held_octets > PIECE_OCTETS_MAX {
            if let Err(failure) = self.cut(&mut send, PIECE_OCTETS_MAX, ContinuationFlag::More) {
                return self.send_fails(id, *send, failure);
            }
        }
        self.dirty.insert(id);
        self.put_inbound(id, Inbound::Send(send));
    }

    /// Counts octets of a SEND. False when it has no type for them, or they lie beyond the message's end.
    fn takes_octets(&mut self, send: &OpenSend, octets: usize) -> bool {
        let Some(transit) = self.transits.get_mut(send.transit) else {
            return false;
        };
        let all = transit.octets.saturating_add(octets as u64);
        let before = transit.start.saturating_sub(1);
        let fits = before
            .checked_add(all)
            .is_some_and(|last| transit.total.is_none_or(|total| last <= total));
        let takes = fits && matches!(send.head, SendHead::Chunk(_));
        if takes {
            transit.octets = all;
        }
        takes
    }

    fn send_ends(&mut self, id: ConnectionId, mut send: Box<OpenSend>, flag: ContinuationFlag) {
        let octets = send.held_octets;
        if let Err(failure) = self.cut(&mut send, octets, flag) {
            return self.send_fails(id, *send, failure);
        }
        let Some(transit) = self.transits.get_mut(send.transit) else {
            return;
        };
        transit.is_open = false;
        if transit.failure_report == FailureReport::Yes {
            self.write(id, answer(send.id, StatusCode::OK, &send.route));
        }
        self.finish(send.transit);
    }

    /// Makes a piece of the first octets that are held and sends it on. An error when the SEND has failed.
    fn cut(
        &mut self,
        send: &mut OpenSend,
        octets: usize,
        flag: ContinuationFlag,
    ) -> Result<(), Failure> {
        if !self.has_room(send.route.way, octets) {
            return Err(failure(self.why_no_room(send.route.way)));
        }
        let body = taken(&mut send.held, octets);
        send.held_octets = send.held_octets.saturating_sub(octets);
        let start = send.position;
        send.position = start.saturating_add(octets as u64);
        send.has_pieces = true;
        let Some(transit) = self.transits.get_mut(send.transit) else {
            return Err(failure(Refused::Lost));
        };
        transit.pieces = transit.pieces.saturating_add(1);
        count(&mut self.sums.pieces_made);
        let range = ByteRange {
            start,
            end: send.position.checked_sub(1),
            total: transit.total,
        };
        let outgoing = self.outgoing(send, range, body, flag);
        self.send_on(send.route.way, outgoing);
        let failed = self
            .transits
            .get(send.transit)
            .and_then(|transit| transit.failure);
        failed.map_or(Ok(()), Err)
    }

    fn why_no_room(&self, way: Way) -> Refused {
        let is_there = match way {
            Way::Connection(id) => self.connections.contains_key(&id),
            Way::Hop(key) => self.hops.get(key).is_some(),
        };
        if is_there {
            Refused::TooMuchWaiting
        } else {
            Refused::Lost
        }
    }

    fn outgoing(
        &mut self,
        send: &OpenSend,
        range: ByteRange,
        body: PieceBody,
        flag: ContinuationFlag,
    ) -> Outgoing {
        let ids = &mut self.ids;
        match &send.head {
            SendHead::Chunk(fields) => {
                let fields = PieceFields {
                    byte_range: range,
                    flag,
                    ..fields.clone()
                };
                Outgoing::Piece {
                    piece: Rc::new(Piece::compose(&fields, body, || ids.transaction_id())),
                    paths: Rc::clone(&send.route.paths),
                    transit: send.transit,
                }
            }
            SendHead::Bodiless(lines) => {
                let id = ids.transaction_id();
                let mut octets = Vec::new();
                encode::start_line(&mut octets, id, &Method::Send);
                octets.extend_from_slice(&send.route.paths);
                octets.extend_from_slice(lines);
                encode::end_line(&mut octets, id, flag);
                let awaited = Some(Awaited::Piece(send.transit));
                Outgoing::Frame {
                    id,
                    octets: octets.into(),
                    awaited,
                }
            }
        }
    }

    /// Ends a SEND that is still coming in: its sender is answered, its next hop gets `#`.
    pub(super) fn send_fails(&mut self, id: ConnectionId, mut send: OpenSend, failure: Failure) {
        let Some(transit) = self.transits.get_mut(send.transit) else {
            return;
        };
        let failure = *transit.failure.get_or_insert(failure);
        let is_due = is_response_due(transit.failure_report, failure.status);
        // Who has refused it gets nothing more of it (RFC 4975 s.10.5); who has only not answered would wait for the rest.
        if send.has_pieces && !failure.is_refusal {
            send.held = PieceBody::new();
            send.held_octets = 0;
            // Nothing more can be done when this fails too.
            let _ = self.cut(&mut send, 0, ContinuationFlag::Abort);
        }
        let is_there = self.connections.contains_key(&id);
        if is_due && is_there {
            self.write(id, answer(send.id, failure.status, &send.route));
        }
        if let Some(transit) = self.transits.get_mut(send.transit) {
            transit.is_open = false;
            transit.is_told = is_due && is_there;
        }
        self.finish(send.transit);
    }

    /// The next hop has refused or lost a part of a SEND that is still coming in.
    pub(super) fn fail_open(&mut self, key: Key, failure: Failure) {
        let Some(previous) = self
            .transits
            .get(key)
            .filter(|t| t.is_open)
            .map(|t| t.previous)
        else {
            return;
        };
        match self.take_inbound(previous) {
            Inbound::Send(send) if send.transit == key => self.send_fails(previous, *send, failure),
            other => self.put_inbound(previous, other),
        }
    }

    /// The sender of a SEND that is coming in has gone: what is there leaves, ended by `#`.
    pub(super) fn sender_goes(&mut self, id: ConnectionId) -> Option<Key> {
        let Inbound::Send(mut send) = self.take_inbound(id) else {
            return None;
        };
        let octets = send.held_octets;
        let _ = self.cut(&mut send, octets, ContinuationFlag::Abort);
        if let Some(transit) = self.transits.get_mut(send.transit) {
            transit.is_open = false;
            transit.failure.get_or_insert(failure(Refused::Lost));
        }
        Some(send.transit)
    }
}

/// A response to a SEND: its way is the previous hop alone.
fn answer(id: TransactionId, status: StatusCode, route: &KnownRoute) -> Vec<u8> {
    let mut octets =
        Vec::with_capacity(route.answer_paths.len().saturating_add(ANSWER_OCTETS_USUAL));
    encode::status_line(&mut octets, id, status, Some(status.phrase()));
    octets.extend_from_slice(&route.answer_paths);
    encode::end_line(&mut octets, id, ContinuationFlag::Last);
    octets
}

/// A failure of our own making.
pub(super) fn failure(refused: Refused) -> Failure {
    Failure {
        status: refused.status(),
        is_refusal: false,
    }
}

/// Takes the first octets of some runs.
fn taken(held: &mut PieceBody, octets: usize) -> PieceBody {
    let mut body = PieceBody::new();
    let mut left = octets;
    while left > 0 && !held.is_empty() {
        let run = held.remove(0);
        if run.len() <= left {
            left = left.saturating_sub(run.len());
            body.push(run);
        } else {
            body.push(run.slice(..left));
            held.insert(0, run.slice(left..));
            left = 0;
        }
    }
    body
}

/// Octets of a response without its paths are seldom more.
const ANSWER_OCTETS_USUAL: usize = 96;
