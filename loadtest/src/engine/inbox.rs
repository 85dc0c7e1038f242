//! What one participant receives: chunks of copies, reports, and what it answers.

use msrp_wire::encode::{self, Report};
use msrp_wire::{
    Body, ByteRange, ContentType, ContinuationFlag, FailureReport, Method, MsrpPathBuf,
    RequestHead, Status, StatusCode, SuccessReport,
};

use super::Seat;
use super::connection::Out;
use super::desk::Desk;
use super::outbox::Outbox;
use crate::assembly::{Assembly, Verdict};
use crate::limits::ASSEMBLIES_MAX;
use crate::mix::Scope;
use crate::plan::Role;
use crate::stamp::Stamp;
use crate::tracker::Tracker;

/// The receiving side of one participant.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    /// The answer to the request that is being read; sent with its end.
    answer: Vec<u8>,
    /// The message of the chunk that is being read.
    open: Option<Assembly>,
    /// Who wants to know that the open message arrived.
    report_to: Option<MsrpPathBuf>,
    /// Messages of which more chunks will come.
    unfinished: Vec<Assembly>,
    /// What came for the room, by place of the sender.
    from_room: Vec<Tracker>,
    /// What came for this participant alone, by place of the sender.
    from_private: Vec<Tracker>,
}

impl Inbox {
    /// For a participant of this room.
    pub(super) fn new(seat: &Seat, desk: &Desk) -> Self {
        let room = &desk.rooms[seat.room];
        let is_told = seat.role == Role::Sender
            && desk
                .load
                .mix
                .unit()
                .iter()
                .any(|kind| !desk.load.mix.replies(*kind).is_empty());
        let private = if is_told { room.identities.len() } else { 0 };
        Self {
            from_room: vec![Tracker::default(); room.senders as usize],
            from_private: vec![Tracker::default(); private],
            ..Self::default()
        }
    }

    /// The header section of a request.
    pub(super) fn on_request(&mut self, head: &RequestHead<'_>, seat: &Seat, desk: &mut Desk) {
        desk.counts.requests_received += 1;
        desk.totals.requests += 1;
        self.answer.clear();
        self.open = None;
        self.report_to = None;
        let own = &seat.session.local;
        let is_ours = head.to_path.raw() == own.as_str().as_bytes()
            || head.to_path.last().same_as(&own.as_uri());
        desk.counts.misdelivered += u64::from(!is_ours);
        match head.method {
            Method::Send => {
                let status = if is_ours {
                    StatusCode::OK
                } else {
                    StatusCode::NO_SESSION
                };
                self.prepare_answer(head, status, seat, desk);
                if is_ours && is_cpim(head) {
                    self.begin_chunk(head, desk);
                }
            }
            Method::Report => {
                let status = head.status.map_or(0, |status| status.code.value());
                *desk.counts.reports.entry(status).or_default() += 1;
            }
            Method::Auth | Method::Nickname | Method::Other(_) => {
                self.prepare_answer(head, StatusCode::UNKNOWN_METHOD, seat, desk);
            }
        }
    }

    /// A part of the body of the request.
    pub(super) fn on_body(&mut self, body: Body<'_>, input: &[u8]) {
        let Some(assembly) = &mut self.open else {
            return;
        };
        match body {
            Body::Input(range) => assembly.feed(input.get(range).unwrap_or_default()),
            Body::Carried(octets) => assembly.feed(octets),
        }
    }

    /// The end line of the request.
    pub(super) fn on_end(
        &mut self,
        flag: ContinuationFlag,
        seat: &Seat,
        out: &mut Out,
        outbox: &mut Outbox,
        desk: &mut Desk,
    ) {
        out.tail().extend_from_slice(&self.answer);
        let Some(mut assembly) = self.open.take() else {
            return;
        };
        match (assembly.end_chunk(flag), flag) {
            (Some(verdict), _) => {
                let octets = assembly.octets();
                self.report_success(&assembly, seat, out, desk);
                self.on_message(verdict, octets, seat, outbox, desk);
            }
            (None, ContinuationFlag::Abort) => desk.counts.aborted += 1,
            (None, ContinuationFlag::More | ContinuationFlag::Last) => {
                if self.unfinished.len() >= ASSEMBLIES_MAX {
                    self.unfinished.remove(0);
                }
                self.unfinished.push(assembly);
            }
        }
    }

    /// What came from whom.
    pub(super) fn into_trackers(self) -> (Vec<Tracker>, Vec<Tracker>) {
        (self.from_room, self.from_private)
    }

    fn begin_chunk(&mut self, head: &RequestHead<'_>, desk: &Desk) {
        let Some(id) = head.message_id else {
            return;
        };
        let range = head.byte_range.unwrap_or(ByteRange::WHOLE);
        let known = self.unfinished.iter().position(|message| message.id == id);
        let known = known.map(|at| self.unfinished.swap_remove(at));
        let mut assembly = known.unwrap_or_else(|| Assembly::new(id, desk.load.is_verified));
        assembly.begin_chunk(range);
        self.open = Some(assembly);
        if head.success_report == SuccessReport::Yes {
            self.report_to = Some(head.from_path.to_buf());
        }
    }

    fn prepare_answer(
        &mut self,
        head: &RequestHead<'_>,
        status: StatusCode,
        seat: &Seat,
        desk: &Desk,
    ) {
        let is_asked = match head.failure_report {
            FailureReport::Yes => true,
            FailureReport::Partial => !status.is_success(),
            FailureReport::No => false,
        };
        if !is_asked || !desk.load.is_responding {
            return;
        }
        let (tid, own) = (head.transaction_id, &seat.session.local);
        match head.method {
            Method::Send => {
                encode::response(
                    &mut self.answer,
                    tid,
                    status,
                    None,
                    head.from_path.first(),
                    own,
                );
            }
            _ => encode::response(&mut self.answer, tid, status, None, head.from_path, own),
        }
    }

    fn report_success(&mut self, message: &Assembly, seat: &Seat, out: &mut Out, desk: &mut Desk) {
        let Some(to) = self.report_to.take().filter(|_| desk.load.is_responding) else {
            return;
        };
        let report = Report {
            message_id: message.id,
            byte_range: Some(ByteRange {
                start: 1,
                end: Some(message.octets()),
                total: Some(message.octets()),
            }),
            status: Status::new(StatusCode::OK),
            comment: None,
            body: None,
        };
        let tid = desk.draw_transaction_id();
        encode::report(out.tail(), tid, to, &seat.session.local, &report);
    }

    fn on_message(
        &mut self,
        verdict: Verdict,
        octets: u64,
        seat: &Seat,
        outbox: &mut Outbox,
        desk: &mut Desk,
    ) {
        match verdict {
            Verdict::Stamped(stamp, fault) if stamp.run == desk.load.run => {
                if let Some(fault) = fault {
                    desk.counts.corrupted.add(fault);
                }
                self.on_copy(stamp, octets, seat, outbox, desk);
            }
            Verdict::Unreadable => desk.counts.corrupted.stamp += 1,
            Verdict::Stamped(..) | Verdict::Foreign => desk.counts.foreign += 1,
        }
    }

    fn on_copy(
        &mut self,
        stamp: Stamp,
        octets: u64,
        seat: &Seat,
        outbox: &mut Outbox,
        desk: &mut Desk,
    ) {
        let place = stamp.origin.checked_sub(desk.rooms[seat.room].first);
        let place = place.filter(|place| *place != seat.place);
        let trackers = match stamp.kind.scope() {
            Scope::Room => &mut self.from_room,
            Scope::Private => &mut self.from_private,
        };
        let tracker = place.and_then(|place| trackers.get_mut(place as usize));
        let (Some(tracker), Some(place)) = (tracker, place) else {
            desk.counts.misdelivered += 1;
            return;
        };
        let arrival = tracker.take(stamp.sequence);
        if !desk.counts.take_arrival(arrival) {
            return;
        }
        if seat.role != Role::Stalled {
            desk.totals.copies += 1;
        }
        if desk.measures(desk.now_ns) {
            desk.figures.copies += 1;
            desk.figures.copy_octets += octets;
        }
        let latency = desk.now_ns.saturating_sub(stamp.intended_ns);
        let is_measured = desk.measures(stamp.intended_ns);
        match seat.role {
            Role::Sender | Role::Reader => {
                desk.figures.interval.record(latency);
                if is_measured {
                    desk.figures.end_to_end.record(latency);
                }
            }
            // These show how slowly they read, not how fast the server is.
            Role::Slow | Role::Stalled if is_measured => {
                desk.figures.end_to_end_apart.record(latency);
            }
            Role::Slow | Role::Stalled => {}
        }
        for kind in desk.load.mix.replies(stamp.kind) {
            outbox.reply(*kind, place, desk);
        }
    }
}

fn is_cpim(head: &RequestHead<'_>) -> bool {
    let value = head.content_type.map(ContentType::parse);
    matches!(value, Some(Ok(value)) if value == ContentType::MESSAGE_CPIM)
}
