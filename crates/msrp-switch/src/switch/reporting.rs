//! Final reports: the results of the copies gathered, and the report sent.

use std::rc::Rc;

use bytes::Bytes;
use msrp_session::{PieceBody, PieceFields, Timestamp};
use msrp_wire::{
    ByteRange, ContentTypeBuf, ContinuationFlag, FailureReport, MessageId, RelayedHeadersBuf,
    StatusCode, SuccessReport, cpim,
};

use super::{Output, Switch};
use crate::final_report::{FinalReport, Parcel, ReportKey, ReportLeg, Status, Subject};
use crate::leg::{Awaited, LegKey};
use crate::limits::FINAL_REPORTS_MAX;
use crate::message::{Message, MessageKey};
use crate::refused::Refused;

impl Switch {
    /// A REPORT came from a recipient. Returns whether it belongs to a message whose results are
    /// being gathered, or says that one under way has failed; others change nothing. No REPORT is
    /// relayed or answered.
    ///
    /// # Spec
    /// RFC 7701 s.6.3; FR-5.7.3-04; AMB-04.
    pub fn handle_report(
        &mut self,
        leg: LegKey,
        message_id: MessageId,
        byte_range: Option<ByteRange>,
        status: StatusCode,
    ) -> bool {
        if self.is_bridged(leg) {
            return self.handle_bridged_report(leg, (message_id, byte_range, status), None);
        }
        let awaited = self
            .legs
            .get(leg.0)
            .and_then(|leg| leg.awaited_under(message_id));
        let Some(awaited) = awaited else {
            return !status.is_success() && self.settle_reported(leg, message_id, status);
        };
        let Some(report) = self.reports.get_mut(awaited.report.0) else {
            return false;
        };
        let message = report.message;
        if status.is_success() {
            report.cover(awaited.index, byte_range.unwrap_or(ByteRange::WHOLE));
            if report.is_covered(awaited.index) {
                self.close_report_leg(
                    (awaited.report, awaited.index),
                    Status::Code(StatusCode::OK),
                );
            }
        } else {
            let kind = self
                .messages
                .get(message.0)
                .and_then(|message| message.kind);
            self.settle_refused(leg, message, kind, status);
            self.close_report_leg((awaited.report, awaited.index), Status::Code(status));
        }
        self.check_invariants_in_debug();
        true
    }

    /// A failure REPORT about a message of which nobody gathers the results: what an error response
    /// would be. Returns whether there is an open copy of it.
    ///
    /// # Spec
    /// MSRP-4975-7.3.2-02.
    fn settle_reported(&mut self, leg: LegKey, id: MessageId, status: StatusCode) -> bool {
        let copies = self.legs.get(leg.0).map(|leg| &leg.receiving);
        let mut copies = copies.into_iter().flatten();
        let found = copies.find_map(|key| {
            let message = self.messages.get(key.0)?;
            (message.relayed_id == id).then_some((*key, message.kind))
        });
        if let Some((message, kind)) = found {
            self.settle_refused(leg, message, kind, status);
        }
        found.is_some()
    }

    /// The last octet of a copy whose answer is awaited was written.
    pub fn handle_written(&mut self, now: Timestamp, leg: LegKey, message: MessageKey) {
        if let Some(awaited) = self.awaited(leg, message)
            && let Some(report) = self.reports.get_mut(awaited.report.0)
        {
            report.written(awaited.index);
            self.look_at_report(awaited.report);
            self.time_reports(now);
        }
    }

    /// Whether one more message of this leg may ask for a final report.
    pub(super) fn admit_report(
        &self,
        legs: Option<&Vec<ReportLeg>>,
        sender: LegKey,
    ) -> Result<(), Refused> {
        let sender = self.legs.get(sender.0).filter(|_| legs.is_some());
        if sender.is_some_and(|leg| leg.reports.len() >= FINAL_REPORTS_MAX) {
            return Err(Refused::TooManyReports);
        }
        Ok(())
    }

    /// Begins to gather the results of a message that is about to be relayed.
    pub(super) fn start_report(
        &mut self,
        key: MessageKey,
        legs: Vec<ReportLeg>,
        sender_uri: Box<str>,
    ) {
        let Some(message) = self.messages.get(key.0) else {
            return;
        };
        let (Some(sender), relayed_id) = (message.sender, message.relayed_id) else {
            return;
        };
        let awaited: Vec<(usize, LegKey)> = legs
            .iter()
            .enumerate()
            .filter_map(|(index, leg)| leg.key.map(|key| (index, key)))
            .collect();
        let subject = Subject {
            sender,
            sender_uri,
            message: key,
            message_id: message.id,
            is_report_form: message.success_report == SuccessReport::Yes,
        };
        let Some(report) = self
            .reports
            .insert(FinalReport::new(subject, legs))
            .map(ReportKey)
        else {
            return;
        };
        for (index, leg) in awaited {
            if let Some(leg) = self.legs.get_mut(leg.0) {
                leg.awaited.push(Awaited {
                    id: relayed_id,
                    report,
                    index,
                });
            }
        }
        if let Some(sender) = self.legs.get_mut(sender.0) {
            sender.reports.push(report);
        }
        if let Some(message) = self.messages.get_mut(key.0) {
            message.report = Some(report);
        }
    }

    /// The sender's last chunk has come and every octet has left. Returns whether a final report
    /// takes the place of the plain REPORT.
    pub(super) fn finish_report(&mut self, key: MessageKey, total: u64) -> bool {
        let Some(key) = self.messages.get(key.0).and_then(|message| message.report) else {
            return false;
        };
        let Some(report) = self.reports.get_mut(key.0) else {
            return false;
        };
        report.total = Some(total);
        let covered: Vec<usize> = (0..report.legs.len())
            .filter(|index| report.is_covered(*index))
            .collect();
        for index in covered {
            self.close_report_leg((key, index), Status::Code(StatusCode::OK));
        }
        self.look_at_report(key);
        true
    }

    /// The result that a leg's copy waits for, while the message is on its way.
    pub(super) fn awaited(&self, leg: LegKey, message: MessageKey) -> Option<Awaited> {
        let report = self.messages.get(message.0)?.report?;
        self.legs.get(leg.0)?.awaited_in(report)
    }

    /// Every piece of a leg's copy was answered with 200: its REPORT is still to come.
    pub(super) fn note_answered(&mut self, awaited: Awaited) {
        if let Some(report) = self.reports.get_mut(awaited.report.0) {
            report.written(awaited.index);
        }
        self.look_at_report(awaited.report);
    }

    /// A leg is final; nothing that comes from it later counts.
    pub(super) fn close_report_leg(&mut self, (key, index): (ReportKey, usize), status: Status) {
        let report = self.reports.get_mut(key.0);
        let leg = report.and_then(|report| report.close(index, status));
        if let Some(leg) = leg.and_then(|leg| self.legs.get_mut(leg.0)) {
            leg.forget_awaited(key);
        }
        self.look_at_report(key);
    }

    /// Sends a report that is complete; one whose copies are all written gets its deadline next.
    fn look_at_report(&mut self, key: ReportKey) {
        let Some(report) = self.reports.get(key.0) else {
            return;
        };
        if report.is_complete() {
            if let Some(report) = self.take_report(key) {
                self.send_report(report);
            }
            return;
        }
        if report.is_to_be_timed() {
            self.untimed_reports.push(key);
        }
        if self.rules.interim_reports && report.has_interim_results() {
            self.interim_reports.push(key);
        }
    }

    /// Gives a deadline to the reports that wait for nothing but REPORTs.
    pub(super) fn time_reports(&mut self, now: Timestamp) {
        let deadline = now.after(self.final_report_ns);
        for key in self.untimed_reports.drain(..) {
            if let Some(report) = self
                .reports
                .get_mut(key.0)
                .filter(|report| report.is_to_be_timed())
            {
                report.deadline = Some(deadline);
                self.report_deadlines.insert((deadline, key));
            }
        }
    }

    /// Those that have not reported in time are final with 408.
    ///
    /// # Spec
    /// AMB-05.
    pub(super) fn end_late_reports(&mut self, now: Timestamp) {
        while let Some(&(deadline, key)) = self.report_deadlines.first()
            && deadline <= now
        {
            self.report_deadlines.pop_first();
            let legs = self.reports.get_mut(key.0).map_or(0, |report| {
                report.is_late = true;
                report.legs.len()
            });
            for index in 0..legs {
                self.close_report_leg((key, index), Status::Code(StatusCode::TIMEOUT));
            }
        }
    }

    /// The message was refused or given up: its sender knows, and gets no report.
    pub(super) fn discard_report(&mut self, message: MessageKey) {
        let message = self.messages.get_mut(message.0);
        if let Some(key) = message.and_then(|message| message.report.take()) {
            self.take_report(key);
        }
    }

    /// The sender of these reports is gone: nobody can be told.
    pub(super) fn skip_reports(&mut self, reports: Vec<ReportKey>) {
        for key in reports {
            if let Some(report) = self.take_report(key) {
                self.tell_report(&report, false);
                self.sums.final_reports_skipped = self.sums.final_reports_skipped.saturating_add(1);
            }
        }
    }

    /// Takes a report out of everything that knows it.
    fn take_report(&mut self, key: ReportKey) -> Option<FinalReport> {
        let report = self.reports.remove(key.0)?;
        for leg in report.legs.iter().filter(|leg| leg.is_open()) {
            if let Some(leg) = leg.key.and_then(|leg| self.legs.get_mut(leg.0)) {
                leg.forget_awaited(key);
            }
        }
        if let Some(sender) = self.legs.get_mut(report.sender.0) {
            sender.reports.retain(|other| *other != key);
        }
        if let Some(deadline) = report.deadline {
            self.report_deadlines.remove(&(deadline, key));
        }
        if let Some(message) = self.messages.get_mut(report.message.0) {
            message.report = None;
        }
        Some(report)
    }

    /// Tells what is known of reports that are not complete.
    ///
    /// # Spec
    /// FR-5.7.3-07; AMB-05.
    pub(super) fn send_interim_reports(&mut self) {
        for key in std::mem::take(&mut self.interim_reports) {
            let report = self.reports.get_mut(key.0);
            if let Some(report) = report.filter(|report| report.has_interim_results()) {
                let parcel = report.parcel(false);
                self.send_parcel(parcel);
            }
        }
    }

    fn send_report(&mut self, mut report: FinalReport) {
        let is_late = report.is_late;
        let is_sent = self.send_parcel(report.parcel(true));
        self.tell_report(&report, is_sent);
        let sum = match (is_sent, is_late) {
            (true, false) => &mut self.sums.final_reports_sent,
            (true, true) => &mut self.sums.final_reports_timed_out,
            (false, _) => &mut self.sums.final_reports_skipped,
        };
        *sum = sum.saturating_add(1);
    }

    /// Sends documents in the form that the sender wants, or as REPORTs when its session only sends.
    /// `false` when it does not list their type and the rules are strict about it (AMB-01).
    fn send_parcel(&mut self, mut parcel: Parcel) -> bool {
        let Some(sender) = self.legs.get(parcel.sender.0) else {
            return false;
        };
        // One that does not receive messages can still be told in this way.
        parcel.is_report_form |= !sender.may_receive;
        let form = sender.acceptance.final_report_form();
        if self.rules.strict_report_types && !parcel.is_report_form && !form.is_listed {
            return false;
        }
        let Ok(content_type) = ContentTypeBuf::parse(form.content_type()) else {
            return false;
        };
        for document in std::mem::take(&mut parcel.documents) {
            if parcel.is_report_form {
                self.send_as_report(&parcel, content_type.clone(), document.into());
            } else {
                self.send_as_message(&parcel, &content_type, form.is_bare, document);
            }
        }
        true
    }

    fn send_as_report(&mut self, parcel: &Parcel, content_type: ContentTypeBuf, document: Bytes) {
        self.outputs.push_back(Output::Report {
            leg: parcel.sender,
            message_id: parcel.message_id,
            byte_range: ByteRange {
                start: 1,
                end: Some(parcel.total),
                total: Some(parcel.total),
            },
            status: parcel.status,
            body: Some((content_type, document)),
        });
    }

    /// The form of a message of our own, in a wrapper when the sender takes the type in no other
    /// way.
    ///
    /// # Spec
    /// AMB-02.
    fn send_as_message(
        &mut self,
        parcel: &Parcel,
        content_type: &ContentTypeBuf,
        is_bare: bool,
        document: Vec<u8>,
    ) {
        let body = if is_bare {
            document
        } else {
            self.wrap_report(parcel, content_type, &document)
        };
        let content_type = if is_bare {
            content_type.clone()
        } else {
            msrp_wire::ContentType::MESSAGE_CPIM.to_buf()
        };
        let octets = body.len() as u64;
        let fields = PieceFields {
            message_id: self.ids.message_id(),
            byte_range: ByteRange {
                start: 1,
                end: Some(octets),
                total: Some(octets),
            },
            success_report: SuccessReport::No,
            failure_report: FailureReport::No,
            relayed: Rc::new(RelayedHeadersBuf::default()),
            content_type: Rc::new(content_type),
            flag: ContinuationFlag::Last,
        };
        self.outputs.push_back(Output::OwnMessage {
            leg: parcel.sender,
            fields,
            body: PieceBody::from_iter([Bytes::from(body)]),
        });
    }

    fn wrap_report(
        &self,
        parcel: &Parcel,
        content_type: &ContentTypeBuf,
        document: &[u8],
    ) -> Vec<u8> {
        let room = self.legs.get(parcel.sender.0).map(|leg| leg.room);
        let room = room.and_then(|room| self.rooms.get(room.0));
        let from = room.map_or("", |room| &room.uri);
        let to = [cpim::Address::of(&parcel.sender_uri)];
        let mut body = Vec::new();
        cpim::write(
            &mut body,
            &cpim::NewWrapper::new(
                cpim::Address::of(from),
                &to,
                content_type.as_content_type(),
                document,
            ),
        );
        body
    }

    /// Every report is known where it is looked for, and waits for something.
    pub(super) fn are_reports_sound(&self) -> bool {
        let open: usize = self
            .reports
            .iter()
            .map(|(_, report)| report.open_count)
            .sum();
        let awaited: usize = self.legs.iter().map(|(_, leg)| leg.awaited.len()).sum();
        let sent: usize = self.legs.iter().map(|(_, leg)| leg.reports.len()).sum();
        open == awaited
            && sent == self.reports.len()
            && self
                .reports
                .iter()
                .all(|(key, report)| self.is_report_sound(ReportKey(key), report))
    }

    fn is_report_sound(&self, key: ReportKey, report: &FinalReport) -> bool {
        let mut open = 0_usize;
        for (index, leg) in report
            .legs
            .iter()
            .enumerate()
            .filter(|(_, leg)| leg.is_open())
        {
            open = open.saturating_add(1);
            let awaited = leg.key.and_then(|leg| self.legs.get(leg.0));
            let awaited = awaited.and_then(|leg| leg.awaited_in(key));
            if awaited.is_none_or(|awaited| awaited.index != index) {
                return false;
            }
        }
        let message = self.messages.get(report.message.0);
        let is_arriving =
            message.is_some_and(|m| m.report == Some(key) && Message::is_unfinished(m));
        let sender = self.legs.get(report.sender.0);
        open == report.open_count
            && report.unwritten_count <= open
            && !report.is_complete()
            && sender.is_some_and(|leg| leg.reports.contains(&key))
            && (report.total.is_some() || is_arriving)
            && report
                .deadline
                .is_none_or(|deadline| self.report_deadlines.contains(&(deadline, key)))
    }
}
