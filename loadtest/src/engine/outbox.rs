//! What one participant sends: units, messages, chunks, and the answers to them.
//!
//! ```text
//!   schedule or window --> jobs (units) --> drafts (messages) --> open (chunks) --> out --> socket
//!                                                                   |
//!                                             transactions, outstanding <-- responses
//! ```

use std::collections::VecDeque;

use msrp_wire::encode::{self, SendTail};
use msrp_wire::{
    ByteRange, ContentType, ContinuationFlag, FailureReport, MessageId, Method, RelayedHeaders,
    ResponseHead, SuccessReport, TransactionId,
};

use super::Seat;
use super::connection::Out;
use super::desk::Desk;
use crate::account::Excused;
use crate::content::{self, Wrapping};
use crate::limits::{JOBS_MAX, OUTSTANDING_MAX};
use crate::mix::{Kind, Scope};
use crate::plan::Role;
use crate::schedule::Schedule;
use crate::stamp::Stamp;

/// The sending side of one participant.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    /// The times of an open loop.
    pub(super) schedule: Option<Schedule>,
    /// Intended times of units that were not begun.
    jobs: VecDeque<u64>,
    /// Units of a closed loop that wait for their answer.
    in_flight: u32,
    /// Messages that were not begun.
    drafts: VecDeque<Draft>,
    open: Option<Open>,
    /// The octets of the open message; kept for the next one.
    octets: Vec<u8>,
    outstanding: VecDeque<Outstanding>,
    /// The number of the first in `outstanding`.
    first: u64,
    transactions: VecDeque<(TransactionId, u64)>,
    sent_to_room: u64,
    sent_private: Vec<u64>,
    excused: Vec<Excused>,
}

/// A message to send.
#[derive(Debug, Clone, Copy)]
struct Draft {
    kind: Kind,
    /// The place of the only recipient.
    target: Option<u32>,
    intended_ns: u64,
    ends_unit: bool,
}

/// The message that is being sent.
#[derive(Debug, Clone, Copy)]
struct Open {
    id: MessageId,
    number: u64,
    at: usize,
}

/// A message without a complete answer.
#[derive(Debug, Clone, Copy)]
struct Outstanding {
    draft: Draft,
    sequence: u64,
    unanswered: u32,
    is_sent: bool,
    is_done: bool,
    refusal: Option<u16>,
}

impl Outbox {
    /// Moves what is due from the schedule to the jobs. Gives the next time, if there is one in this stage.
    pub(super) fn take_due(&mut self, desk: &mut Desk) -> Option<u64> {
        let end_ns = desk.stage?.end_ns;
        let schedule = self.schedule.as_mut()?;
        while schedule.peek() <= desk.now_ns && schedule.peek() < end_ns {
            if self.jobs.len() >= JOBS_MAX {
                return Some(desk.now_ns + FULL_PAUSE_NS);
            }
            let time = schedule.take();
            desk.figures.offered += u64::from(desk.measures(time));
            self.jobs.push_back(time);
        }
        Some(schedule.peek()).filter(|next| *next < end_ns)
    }

    /// Ends a stage: what was not begun is not sent any more.
    pub(super) fn end_stage(&mut self, desk: &mut Desk) {
        desk.figures.unsent += self.jobs.len() as u64;
        self.jobs.clear();
        let (Some(schedule), Some(stage)) = (&mut self.schedule, desk.stage) else {
            return;
        };
        while schedule.peek() < stage.end_ns {
            let time = schedule.take();
            desk.figures.offered += u64::from(stage.measures(time));
            desk.figures.unsent += 1;
        }
        self.schedule = None;
    }

    /// Queues an answer of a recipient to the sender of a message.
    pub(super) fn reply(&mut self, kind: Kind, target: u32, desk: &mut Desk) {
        desk.totals.pending += 1;
        self.drafts.push_back(Draft {
            kind,
            target: Some(target),
            intended_ns: desk.now_ns,
            ends_unit: false,
        });
    }

    /// Composes the next chunk. `false`: there is none, or it has to wait for answers.
    pub(super) fn write_next(&mut self, out: &mut Out, seat: &Seat, desk: &mut Desk) -> bool {
        if self.open.is_none() && !self.begin(seat, desk) {
            return false;
        }
        self.write_chunk(out.tail(), seat, desk);
        true
    }

    /// Takes a response. `false`: there is no such transaction.
    pub(super) fn take_response(
        &mut self,
        head: &ResponseHead<'_>,
        seat: &Seat,
        desk: &mut Desk,
    ) -> bool {
        // Switches answer in order, so the first one is nearly always the right one.
        let mut ids = self.transactions.iter();
        let Some(at) = ids.position(|(id, _)| *id == head.transaction_id) else {
            return false;
        };
        let number = match at {
            0 => self.transactions.pop_front(),
            _ => self.transactions.remove(at),
        };
        let Some((_, number)) = number else {
            return false;
        };
        let index = usize::try_from(number - self.first).unwrap_or(usize::MAX);
        let Some(message) = self.outstanding.get_mut(index) else {
            return false;
        };
        message.unanswered = message.unanswered.saturating_sub(1);
        if !head.status.is_success() {
            message.refusal.get_or_insert(head.status.value());
            // A refused message is not continued.
            message.is_sent = true;
            self.open = self.open.filter(|open| open.number != number);
        }
        if message.is_sent && message.unanswered == 0 && !message.is_done {
            message.is_done = true;
            let message = *message;
            self.complete(message, seat, desk);
        }
        while self.outstanding.front().is_some_and(|m| m.is_done) {
            self.outstanding.pop_front();
            self.first += 1;
        }
        true
    }

    /// Gives up what is not answered. For the end of the run, and of the connection.
    pub(super) fn give_up(&mut self, desk: &mut Desk) {
        for message in self.outstanding.drain(..).filter(|m| !m.is_done) {
            desk.counts.unanswered += 1;
            desk.totals.pending -= 1;
            self.excused.push(message.excuse());
        }
        desk.totals.pending -= self.drafts.len() as u64;
        self.drafts.clear();
        self.jobs.clear();
        self.schedule = None;
        self.open = None;
        self.transactions.clear();
    }

    /// What was sent to the room, to single participants, and what of it was not accepted.
    pub(super) fn into_sent(self) -> (u64, Vec<u64>, Vec<Excused>) {
        (self.sent_to_room, self.sent_private, self.excused)
    }

    fn complete(&mut self, message: Outstanding, seat: &Seat, desk: &mut Desk) {
        desk.totals.pending -= 1;
        if message.draft.ends_unit {
            self.in_flight = self.in_flight.saturating_sub(1);
        }
        if let Some(status) = message.refusal {
            *desk.counts.refused.entry(status).or_default() += 1;
            self.excused.push(message.excuse());
            return;
        }
        desk.counts.accepted += 1;
        desk.totals.accepted += 1;
        desk.totals.owed += match message.draft.kind.scope() {
            Scope::Room => desk.rooms[seat.room].recipients(),
            Scope::Private => 1,
        };
        if desk.measures(desk.now_ns) {
            desk.figures.accepted += 1;
        }
        if desk.measures(message.draft.intended_ns) {
            let latency = desk.now_ns.saturating_sub(message.draft.intended_ns);
            desk.figures.transaction.record(latency);
        }
    }

    /// Begins the next message. `false`: there is none, or it has to wait.
    fn begin(&mut self, seat: &Seat, desk: &mut Desk) -> bool {
        if self.outstanding.len() >= OUTSTANDING_MAX {
            return false;
        }
        if self.drafts.is_empty() && !self.begin_unit(seat, desk) {
            return false;
        }
        let Some(draft) = self.drafts.pop_front() else {
            return false;
        };
        let id = desk.draw_message_id();
        let sequence = self.next_sequence(draft, seat, desk);
        self.compose(draft, sequence, id, seat, desk);
        self.open = Some(Open {
            id,
            number: self.first + self.outstanding.len() as u64,
            at: 0,
        });
        self.outstanding.push_back(Outstanding {
            draft,
            sequence,
            unanswered: 0,
            is_sent: false,
            is_done: false,
            refusal: None,
        });
        desk.counts.sent += 1;
        desk.totals.sent += 1;
        desk.figures.sent += u64::from(desk.measures(desk.now_ns));
        true
    }

    fn begin_unit(&mut self, seat: &Seat, desk: &mut Desk) -> bool {
        let window = if seat.role == Role::Sender {
            desk.window()
        } else {
            0
        };
        let intended_ns = match self.jobs.pop_front() {
            Some(time) => time,
            None if self.in_flight < window => {
                desk.figures.offered += u64::from(desk.measures(desk.now_ns));
                desk.now_ns
            }
            None => return false,
        };
        // In an open loop nobody asks for this number.
        self.in_flight += 1;
        let unit = desk.load.mix.unit();
        desk.totals.pending += unit.len() as u64;
        let drafts = unit.iter().enumerate().map(|(index, kind)| Draft {
            kind: *kind,
            target: None,
            intended_ns,
            ends_unit: index + 1 == unit.len(),
        });
        self.drafts.extend(drafts);
        true
    }

    fn next_sequence(&mut self, draft: Draft, seat: &Seat, desk: &Desk) -> u64 {
        let counter = match draft.target {
            None => &mut self.sent_to_room,
            Some(target) => {
                let places = desk.rooms[seat.room].senders as usize;
                if self.sent_private.is_empty() {
                    self.sent_private = vec![0; places];
                }
                &mut self.sent_private[target as usize]
            }
        };
        *counter += 1;
        *counter - 1
    }

    fn compose(&mut self, draft: Draft, sequence: u64, id: MessageId, seat: &Seat, desk: &Desk) {
        let room = &desk.rooms[seat.room];
        let asks = !desk.load.mix.replies(draft.kind).is_empty();
        let wrapping = Wrapping {
            from: &room.identities[seat.place as usize],
            to: match draft.target {
                None => &room.uri,
                Some(target) => &room.identities[target as usize],
            },
            datetime: &desk.datetime,
            imdn_id: asks.then(|| id.as_str()),
        };
        let stamp = Stamp {
            run: desk.load.run,
            kind: draft.kind,
            origin: seat.number,
            sequence,
            intended_ns: draft.intended_ns,
            pattern_octets: content::pattern_octets(draft.kind, desk.load.size),
            head_sum: 0,
        };
        self.octets.clear();
        content::compose(&mut self.octets, &wrapping, stamp);
    }

    fn write_chunk(&mut self, out: &mut Vec<u8>, seat: &Seat, desk: &mut Desk) {
        let Some(mut open) = self.open.take() else {
            return;
        };
        let total = self.octets.len();
        let end = open.at.saturating_add(desk.load.chunk).min(total);
        let is_last = end == total;
        let tid = desk.draw_transaction_id();
        let tail = SendTail {
            message_id: open.id,
            byte_range: Some(ByteRange {
                start: open.at as u64 + 1,
                end: Some(end as u64),
                total: Some(total as u64),
            }),
            success_report: if desk.load.success_report {
                SuccessReport::Yes
            } else {
                SuccessReport::No
            },
            failure_report: FailureReport::Yes,
            relayed: RelayedHeaders::default(),
            content_type: Some(ContentType::MESSAGE_CPIM),
        };
        encode::start_line(out, tid, &Method::Send);
        encode::paths(out, &seat.session.remote, &seat.session.local);
        encode::send_headers_tail(out, &tail);
        out.extend_from_slice(&self.octets[open.at..end]);
        let flag = if is_last {
            ContinuationFlag::Last
        } else {
            ContinuationFlag::More
        };
        encode::body_end(out, tid, flag);
        desk.counts.requests_sent += 1;
        self.transactions.push_back((tid, open.number));
        let index = usize::try_from(open.number - self.first).unwrap_or(usize::MAX);
        if let Some(message) = self.outstanding.get_mut(index) {
            message.unanswered += 1;
            message.is_sent = is_last;
        }
        open.at = end;
        self.open = (!is_last).then_some(open);
    }
}

impl Outstanding {
    fn excuse(&self) -> Excused {
        Excused {
            target: self.draft.target,
            sequence: self.sequence,
        }
    }
}

/// How long a schedule waits when too many units were not begun.
const FULL_PAUSE_NS: u64 = 1_000_000;
