//! What planted defects do to the outputs of the switch.

use std::rc::Rc;

use bytes::Bytes;
use msrp_switch::{LegKey, Output};
use msrp_wire::{ContinuationFlag, StatusCode};
use ring_io::Io;

use super::Shard;
use crate::defect::Defect;

/// What a defect remembers.
#[derive(Default)]
pub(super) struct Spoiling {
    /// Who got the last piece.
    last_to: Vec<LegKey>,
    /// Outputs that come later than they should.
    late: Vec<Output>,
    /// Whether a late one has waited for another output.
    is_due: bool,
}

impl<I: Io> Shard<I> {
    /// The next output that is spoiled enough.
    pub(super) fn poll_spoiled(&mut self) -> Option<Output> {
        if self.spoiling.is_due
            && let Some(output) = self.spoiling.late.pop()
        {
            self.spoiling.is_due = false;
            return Some(output);
        }
        loop {
            let mut output = self.switch.poll_output()?;
            self.spoiling.is_due = !self.spoiling.late.is_empty();
            if self.spoil(&mut output) {
                return Some(output);
            }
        }
    }

    fn strikes(&self, defect: Defect) -> bool {
        self.environment.planted.strikes(defect)
    }

    /// `false` when the output is lost.
    fn spoil(&mut self, output: &mut Output) -> bool {
        match output {
            Output::Respond { status, .. } => {
                if status.is_success() {
                    if self.strikes(Defect::SuccessAsRefusal) {
                        *status = StatusCode::FORBIDDEN;
                    }
                    !self.strikes(Defect::AnswerForgotten)
                } else {
                    if self.strikes(Defect::RefusalAsSuccess) {
                        *status = StatusCode::OK;
                    }
                    true
                }
            }
            Output::Piece { .. } => self.spoil_piece(output),
            Output::Report { .. } => self.spoil_report(output),
            Output::OwnMessage { .. } | Output::HoldSender { .. } | Output::TooLate { .. } => true,
        }
    }

    fn spoil_piece(&mut self, output: &mut Output) -> bool {
        let Output::Piece {
            fields,
            body,
            to,
            message,
            is_last,
            sender,
            kind,
            class,
        } = output
        else {
            return true;
        };
        if sender.is_none() && self.strikes(Defect::NoticeForgotten) {
            return false;
        }
        let octets: usize = body.iter().map(Bytes::len).sum();
        match fields.flag {
            ContinuationFlag::Abort if self.strikes(Defect::AbortAsLast) => {
                fields.flag = ContinuationFlag::Last;
            }
            ContinuationFlag::Abort if self.strikes(Defect::AbortForgotten) => return false,
            ContinuationFlag::Last if self.strikes(Defect::LastAsMore) => {
                fields.flag = ContinuationFlag::More;
            }
            _ => {}
        }
        if octets > 1
            && self.strikes(Defect::BodyAltered)
            && let Some(first) = body.first_mut()
        {
            let mut own = first.to_vec();
            own[0] ^= 1;
            *first = own.into();
        }
        if octets > 1
            && self.strikes(Defect::BodyCut)
            && let Some(last) = body.last_mut()
        {
            last.truncate(last.len() - 1);
        }
        if self.strikes(Defect::RangeShifted) {
            fields.byte_range.start += 1;
        }
        if self.strikes(Defect::TotalWrong) {
            fields.byte_range.total = fields.byte_range.total.map(|total| total + 1);
        }
        if to.len() > 1 && self.strikes(Defect::CopyLate) {
            let first = to[0];
            Rc::make_mut(to).remove(0);
            self.spoiling.late.push(Output::Piece {
                fields: fields.clone(),
                body: body.clone(),
                to: Rc::new(vec![first]),
                message: *message,
                is_last: *is_last,
                sender: *sender,
                kind: *kind,
                class: *class,
            });
        }
        let last = to.last().copied();
        if self.strikes(Defect::CopyForgotten) {
            Rc::make_mut(to).pop();
        }
        if self.strikes(Defect::CopyTwice) {
            Rc::make_mut(to).extend(last);
        }
        let stranger = self.spoiling.last_to.iter().find(|leg| !to.contains(leg));
        if let Some(stranger) = stranger.copied()
            && self.strikes(Defect::CopyToStranger)
        {
            Rc::make_mut(to).push(stranger);
        }
        self.spoiling.last_to = to.to_vec();
        !self.strikes(Defect::PieceForgotten)
    }

    fn spoil_report(&mut self, output: &mut Output) -> bool {
        let Output::Report {
            leg,
            message_id,
            byte_range,
            status,
            body,
        } = output
        else {
            return true;
        };
        if let Some((_, document)) = body
            && self.strikes(Defect::ReportRosy)
        {
            let text = String::from_utf8_lossy(document);
            let rosy = ["408", "413", "481", "415", "400", "501"]
                .iter()
                .fold(text.into_owned(), |text, code| {
                    text.replace(&format!("status=\"{code}\""), "status=\"200\"")
                });
            *document = rosy.into_bytes().into();
        }
        if self.strikes(Defect::ReportTwice) {
            self.spoiling.late.push(Output::Report {
                leg: *leg,
                message_id: *message_id,
                byte_range: *byte_range,
                status: *status,
                body: body.clone(),
            });
            self.spoiling.is_due = true;
        }
        if let Some(stranger) = self.spoiling.last_to.first().copied()
            && self.strikes(Defect::ReportToStranger)
        {
            *leg = stranger;
        }
        !self.strikes(Defect::ReportForgotten)
    }
}
