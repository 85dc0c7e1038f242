//! One participant: its session, and both directions of it.

use std::sync::Arc;

use msrp_wire::encode::{self, SendTail};
use msrp_wire::{
    Body, ByteRange, ContinuationFlag, FailureReport, Method, MsrpPathBuf, RelayedHeaders,
    RequestHead, ResponseHead, SuccessReport, TransactionId,
};

use super::Seat;
use super::connection::Out;
use super::desk::Desk;
use super::inbox::Inbox;
use super::outbox::Outbox;
use crate::account::Ledger;
use crate::authorization::{Authorization, Grant, Verdict};
use crate::sessions::Binding;

/// One participant.
pub(super) struct Leg {
    pub(super) seat: Seat,
    /// The index of its connection.
    pub(super) connection: usize,
    pub(super) state: State,
    pub(super) outbox: Outbox,
    /// Whether it waits for its turn to write on the connection.
    pub(super) is_queued: bool,
    inbox: Inbox,
    /// The URI that a relay gives, when the session goes over one.
    authorization: Option<Authorization>,
}

/// How far a session is.
///
/// ```text
///   Connecting --connected--> Binding --2xx----------------------> Up
///        |  \--over a relay--> Authorizing --URIs of both known---^ |
///        '--------------------------'------------------------------'---> Lost
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum State {
    /// The connection is being opened.
    Connecting,
    /// The first request waits for its answer.
    Binding(TransactionId),
    /// The relay is asked for a URI, or the other one of the pair has none yet.
    Authorizing,
    /// In the room.
    Up,
    /// Over before the end of the run: why.
    Lost(String),
}

/// What input led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    /// The session is bound.
    Bound,
    /// The first request was refused with this status.
    Refused(u16),
    /// The relay has to be asked with credentials.
    Challenged,
    /// The relay gave URIs.
    Granted(Grant),
    /// The relay gives no URI: why.
    Denied(String),
}

impl Leg {
    pub(super) fn new(seat: Seat, connection: usize, desk: &Desk) -> Self {
        let authorization = match &seat.session.binding {
            Binding::Send => None,
            Binding::Auth(user, relay) => {
                let (user, relay) = (Arc::clone(user), relay.clone());
                Some(Authorization::new(user, relay, seat.session.local.clone()))
            }
        };
        Self {
            inbox: Inbox::new(&seat, desk),
            authorization,
            seat,
            connection,
            state: State::Connecting,
            outbox: Outbox::default(),
            is_queued: false,
        }
    }

    /// Whether the session can be used.
    pub(super) fn is_up(&self) -> bool {
        self.state == State::Up
    }

    /// Writes the request that binds the session to the connection: AUTH to a relay, or a SEND without a body.
    ///
    /// # Errors
    /// A sentence: the challenge of the relay cannot be answered.
    ///
    /// # Spec
    /// RFC 4975 s.5.4, RFC 4976 s.5.1.
    pub(super) fn bind(&mut self, out: &mut Out, desk: &mut Desk) -> Result<(), String> {
        if self.authorization.is_some() {
            self.state = State::Authorizing;
            return self.authorize(out, desk);
        }
        self.bind_by_send(out, desk);
        Ok(())
    }

    /// Asks the relay for a URI, or for the one that is there to be kept.
    ///
    /// # Errors
    /// A sentence: the challenge of the relay cannot be answered.
    pub(super) fn authorize(&mut self, out: &mut Out, desk: &mut Desk) -> Result<(), String> {
        match &mut self.authorization {
            Some(authorization) => authorization.request(out.tail(), desk.draw_transaction_id()),
            None => Ok(()),
        }
    }

    /// Sends over these URIs from now on. `true` when the session can be used only now.
    pub(super) fn route(&mut self, way: MsrpPathBuf) -> bool {
        self.seat.session.remote = way;
        self.state == State::Authorizing
    }

    fn bind_by_send(&mut self, out: &mut Out, desk: &mut Desk) {
        let tid = desk.draw_transaction_id();
        let tail = SendTail {
            message_id: desk.draw_message_id(),
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
        let (out, session) = (out.tail(), &self.seat.session);
        encode::start_line(out, tid, &Method::Send);
        encode::paths(out, &session.remote, &session.local);
        encode::send_headers_tail(out, &tail);
        encode::end_line(out, tid, ContinuationFlag::Last);
        self.state = State::Binding(tid);
    }

    /// The header section of a request for this participant.
    pub(super) fn on_request(&mut self, head: &RequestHead<'_>, desk: &mut Desk) {
        self.inbox.on_request(head, &self.seat, desk);
    }

    /// A part of its body.
    pub(super) fn on_body(&mut self, body: Body<'_>, input: &[u8]) {
        self.inbox.on_body(body, input);
    }

    /// Its end line.
    pub(super) fn on_end(&mut self, flag: ContinuationFlag, out: &mut Out, desk: &mut Desk) {
        let (seat, outbox) = (&self.seat, &mut self.outbox);
        self.inbox.on_end(flag, seat, out, outbox, desk);
    }

    /// A response to this participant. Gives what it changed in the state.
    pub(super) fn on_response(
        &mut self,
        head: &ResponseHead<'_>,
        desk: &mut Desk,
    ) -> Option<Change> {
        let awaiting = self.authorization.as_mut();
        if let Some(authorization) = awaiting.filter(|a| a.awaits(head.transaction_id)) {
            return Some(match authorization.handle_response(head) {
                Verdict::Challenged => Change::Challenged,
                Verdict::Granted(grant) => Change::Granted(grant),
                Verdict::Refused(reason) => Change::Denied(reason),
            });
        }
        match self.state {
            State::Binding(tid) if tid == head.transaction_id => Some(bound(head)),
            _ => {
                let is_known = self.outbox.take_response(head, &self.seat, desk);
                desk.counts.unmatched_responses += u64::from(!is_known);
                None
            }
        }
    }

    /// Composes the next chunk. `false`: there is none.
    pub(super) fn write_next(&mut self, out: &mut Out, desk: &mut Desk) -> bool {
        self.is_up() && self.outbox.write_next(out, &self.seat, desk)
    }

    /// What the account needs.
    pub(super) fn into_ledger(self) -> Ledger {
        let (from_room, from_private) = self.inbox.into_trackers();
        let (sent_to_room, sent_private, excused) = self.outbox.into_sent();
        Ledger {
            number: self.seat.number,
            lost: match self.state {
                State::Lost(reason) => Some(reason),
                State::Up => None,
                State::Connecting | State::Binding(_) | State::Authorizing => {
                    Some("was never in the room".to_owned())
                }
            },
            from_room,
            from_private,
            sent_to_room,
            sent_private,
            excused,
        }
    }
}

fn bound(head: &ResponseHead<'_>) -> Change {
    if head.status.is_success() {
        Change::Bound
    } else {
        Change::Refused(head.status.value())
    }
}
