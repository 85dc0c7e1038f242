//! One participant: its connection, its session, and both directions of it.

use msrp_wire::encode::{self, SendTail};
use msrp_wire::{
    ByteRange, ContinuationFlag, Decoder, Event, FailureReport, Limits, Malformed, Method,
    RelayedHeaders, ResponseHead, SuccessReport, TransactionId,
};
use ring_io::ConnKey;

use super::Seat;
use super::desk::Desk;
use super::inbox::Inbox;
use super::outbox::Outbox;
use crate::account::Ledger;

/// One participant.
pub(super) struct Leg {
    pub(super) seat: Seat,
    pub(super) conn: ConnKey,
    pub(super) state: State,
    pub(super) outbox: Outbox,
    /// Whether the socket takes nothing at the moment.
    pub(super) is_blocked: bool,
    /// Whether the leg stands in the list of those with something to send.
    pub(super) is_dirty: bool,
    /// Whether reading rests because answers cannot be written.
    pub(super) is_resting: bool,
    inbox: Inbox,
    decoder: Decoder,
}

/// How far a session is.
///
/// ```text
///   Connecting --connected--> Binding --2xx--> Up
///        \-----------------------\--------------\----> Lost
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum State {
    /// The connection is being opened.
    Connecting,
    /// The first request waits for its answer.
    Binding(TransactionId),
    /// In the room.
    Up,
    /// Over before the end of the run: why.
    Lost(String),
}

/// What input led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// Nothing in the state.
    None,
    /// The session is bound.
    Bound,
    /// The first request was refused with this status.
    Refused(u16),
}

impl Leg {
    pub(super) fn new(seat: Seat, conn: ConnKey, desk: &Desk) -> Self {
        Self {
            inbox: Inbox::new(&seat, desk),
            seat,
            conn,
            state: State::Connecting,
            outbox: Outbox::default(),
            is_blocked: false,
            is_dirty: false,
            is_resting: false,
            decoder: Decoder::new(Limits::default()),
        }
    }

    /// Whether the session can be used.
    pub(super) fn is_up(&self) -> bool {
        self.state == State::Up
    }

    /// Writes the request that binds the session to the connection: a SEND without a body.
    ///
    /// # Spec
    /// RFC 4975 s.5.4.
    pub(super) fn bind(&mut self, desk: &mut Desk) {
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
        let (out, session) = (&mut self.outbox.out, &self.seat.session);
        encode::start_line(out, tid, &Method::Send);
        encode::paths(out, &session.remote, &session.local);
        encode::send_headers_tail(out, &tail);
        encode::end_line(out, tid, ContinuationFlag::Last);
        self.state = State::Binding(tid);
    }

    /// Takes octets of the connection.
    ///
    /// # Errors
    /// [`Malformed`]: the peer does not speak MSRP.
    pub(super) fn handle_input(
        &mut self,
        input: &[u8],
        desk: &mut Desk,
    ) -> Result<Change, Malformed> {
        let Self {
            seat,
            inbox,
            outbox,
            decoder,
            state,
            ..
        } = self;
        let (mut rest, mut change) = (input, Change::None);
        loop {
            let step = decoder.decode(rest)?;
            let Some(event) = step.event else {
                return Ok(change);
            };
            match event {
                Event::Request(head) => inbox.on_request(&head, seat, desk),
                Event::Body(body) => inbox.on_body(body, rest),
                Event::End(flag) => inbox.on_end(flag, seat, outbox, desk),
                Event::Response(head) => match state {
                    State::Binding(tid) if *tid == head.transaction_id => {
                        change = bound(&head);
                    }
                    _ => {
                        let is_known = outbox.take_response(&head, seat, desk);
                        desk.counts.unmatched_responses += u64::from(!is_known);
                    }
                },
                Event::Rejected(_) => desk.counts.illegal_requests += 1,
            }
            rest = rest.get(step.consumed..).unwrap_or_default();
        }
    }

    /// Composes what is to be sent.
    pub(super) fn fill(&mut self, desk: &mut Desk) {
        if self.is_up() {
            self.outbox.fill(&self.seat, desk);
        }
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
                State::Connecting | State::Binding(_) => Some("was never in the room".to_owned()),
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
