//! The final report: what became of a message at each participant, for the sender that asks for it
//! in the wrapper.
//!
//! ```text
//!   wrapper read --> Open legs: each waits for its REPORT --sender's last chunk, no leg open--> sent
//!                         |                                        |
//!                         |                 every last octet written: a timer; at its end
//!                         |                 the open legs are final with 408
//!                         +--sender's message refused or given up, sender gone--> none is sent
//! ```
//!
//! A leg is final with
//!
//! - 200 when success REPORTs cover the whole message,
//! - the code of an error response or error REPORT of the recipient,
//! - 408 when a transaction or the timer runs out, 481 when its session ends,
//! - 415, 9999 or 404 from the start, or when its max-size is passed, when the switch withholds the
//!   message.
//!
//! A 200 response alone does not make a leg final: it says that the next hop has the octets, not that
//! the participant has them. So a recipient that answers every piece and never reports ends with 408.
//!
//! # Spec
//! OMA SIMPLE IM s.5.7, Appendix O.1; AMB-01 to AMB-07.

pub(crate) mod document;

use std::rc::Rc;

use msrp_session::{Coverage, Key, Timestamp};
use msrp_wire::{ByteRange, MessageId, StatusCode};

use crate::leg::LegKey;
use crate::limits::{REPORT_OCTETS_MAX, REPORT_URI_OCTETS_MAX};
use crate::message::MessageKey;

/// The namespace of the header that asks for the report, and of the report's XML.
pub(crate) const NAMESPACE: &str = "urn:oma:xml:poc:final-report";

/// The media type of final reports, as it is registered: the one that is sent unless a session lists
/// another spelling alone (AMB-01).
pub const MEDIA_TYPE: &str = "application/vnd.oma.poc.final-report+xml";

/// Names a final report that is being collected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ReportKey(pub(crate) Key);

/// How the message ended for a participant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    /// An MSRP status code.
    Code(StatusCode),
    /// Withheld because of this max-size: 9999 in the document.
    TooLarge(u64),
}

impl Status {
    /// The code that may stand in MSRP (AMB-03).
    pub(crate) fn code(self) -> StatusCode {
        match self {
            Self::Code(code) => code,
            Self::TooLarge(_) => StatusCode::STOP_SENDING,
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum LegState {
    /// It has not reported.
    Open {
        /// Whether the last octet was written to it.
        is_written: bool,
        /// What its success REPORTs cover.
        covered: Coverage,
    },
    /// Nothing that comes later counts.
    Final(Status),
}

/// One participant in a report.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ReportLeg {
    /// Who gets the message; `None` when it is withheld.
    pub(crate) key: Option<LegKey>,
    /// The address shown to the sender.
    pub(crate) uri: Rc<str>,
    pub(crate) state: LegState,
    /// Whether a document that was sent names it.
    pub(crate) is_reported: bool,
}

impl ReportLeg {
    /// A participant that gets the message.
    pub(crate) fn open(key: LegKey, uri: &Rc<str>) -> Self {
        let state = LegState::Open {
            is_written: false,
            covered: Coverage::new(),
        };
        Self {
            key: Some(key),
            uri: Rc::clone(uri),
            state,
            is_reported: false,
        }
    }

    /// A participant from which the message is withheld.
    pub(crate) fn withheld(uri: &Rc<str>, status: Status) -> Self {
        Self {
            key: None,
            uri: Rc::clone(uri),
            state: LegState::Final(status),
            is_reported: false,
        }
    }

    /// An addressee that is nobody here. An address longer than a report can carry is cut.
    pub(crate) fn unknown(uri: &str) -> Self {
        let end = uri.floor_char_boundary(REPORT_URI_OCTETS_MAX);
        let uri = uri.get(..end).unwrap_or_default();
        Self::withheld(&Rc::from(uri), Status::Code(StatusCode::NOT_FOUND))
    }

    /// The status that a document has still to tell.
    pub(crate) fn unreported(&self) -> Option<Status> {
        match self.state {
            LegState::Final(status) if !self.is_reported => Some(status),
            LegState::Final(_) | LegState::Open { .. } => None,
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        matches!(self.state, LegState::Open { .. })
    }
}

/// The results of one message as they come in.
#[derive(Debug)]
pub(crate) struct FinalReport {
    pub(crate) sender: LegKey,
    /// The address that the sender wrote into its wrapper.
    pub(crate) sender_uri: Box<str>,
    pub(crate) message: MessageKey,
    /// The id that the sender gave the message.
    pub(crate) message_id: MessageId,
    /// Whether the sender wants it as a REPORT.
    pub(crate) is_report_form: bool,
    /// Octets of the message, once the sender's last chunk has come.
    pub(crate) total: Option<u64>,
    pub(crate) legs: Vec<ReportLeg>,
    /// Legs that are not final.
    pub(crate) open_count: usize,
    /// Legs that are not final and to which the last octet has not been written.
    pub(crate) unwritten_count: usize,
    pub(crate) deadline: Option<Timestamp>,
    /// Whether the time for it is over.
    pub(crate) is_late: bool,
}

/// What a final report is about.
#[derive(Debug)]
pub(crate) struct Subject {
    pub(crate) sender: LegKey,
    pub(crate) sender_uri: Box<str>,
    pub(crate) message: MessageKey,
    pub(crate) message_id: MessageId,
    pub(crate) is_report_form: bool,
}

/// Documents on their way to the sender of a message.
#[derive(Debug)]
pub(crate) struct Parcel {
    pub(crate) sender: LegKey,
    pub(crate) sender_uri: Box<str>,
    pub(crate) message_id: MessageId,
    pub(crate) is_report_form: bool,
    pub(crate) total: u64,
    /// The Status of the REPORT form.
    pub(crate) status: StatusCode,
    pub(crate) documents: Vec<Vec<u8>>,
}

impl FinalReport {
    pub(crate) fn new(subject: Subject, legs: Vec<ReportLeg>) -> Self {
        let open_count = legs.iter().filter(|leg| leg.is_open()).count();
        Self {
            sender: subject.sender,
            sender_uri: subject.sender_uri,
            message: subject.message,
            message_id: subject.message_id,
            is_report_form: subject.is_report_form,
            total: None,
            legs,
            open_count,
            unwritten_count: open_count,
            deadline: None,
            is_late: false,
        }
    }

    /// The last octet was written to a leg.
    pub(crate) fn written(&mut self, index: usize) {
        if let Some(leg) = self.legs.get_mut(index)
            && let LegState::Open { is_written, .. } = &mut leg.state
            && !std::mem::replace(is_written, true)
        {
            self.unwritten_count = self.unwritten_count.saturating_sub(1);
        }
    }

    /// A leg is final, unless it was before. Returns the leg that does not have to be heard any more.
    pub(crate) fn close(&mut self, index: usize, status: Status) -> Option<LegKey> {
        self.written(index);
        let leg = self.legs.get_mut(index).filter(|leg| leg.is_open())?;
        leg.state = LegState::Final(status);
        self.open_count = self.open_count.saturating_sub(1);
        leg.key
    }

    /// A success REPORT of a leg. One that leaves too many holes is ignored.
    pub(crate) fn cover(&mut self, index: usize, range: ByteRange) {
        if let Some(leg) = self.legs.get_mut(index)
            && let LegState::Open { covered, .. } = &mut leg.state
        {
            let start = range.start.saturating_sub(1);
            let end = range.end.or(range.total).unwrap_or(u64::MAX);
            let _ = covered.add(start, end.saturating_sub(start));
        }
    }

    /// Whether the success REPORTs of a leg cover the whole message.
    pub(crate) fn is_covered(&self, index: usize) -> bool {
        self.total
            .zip(self.legs.get(index))
            .is_some_and(|(total, leg)| match &leg.state {
                LegState::Open { covered, .. } => covered.covers(total) && covered.end() > 0,
                LegState::Final(_) => false,
            })
    }

    /// Whether the time of those that have not reported begins now.
    pub(crate) fn is_to_be_timed(&self) -> bool {
        self.total.is_some() && self.unwritten_count == 0 && self.deadline.is_none()
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.total.is_some() && self.open_count == 0
    }

    /// Whether there is something to tell before the report is complete.
    pub(crate) fn has_interim_results(&self) -> bool {
        let mut legs = self.legs.iter();
        self.total.is_some() && legs.any(|leg| leg.unreported().is_some())
    }

    /// Documents with the results that were not told before; `is_last`: no others follow.
    pub(crate) fn parcel(&mut self, is_last: bool) -> Parcel {
        let documents = document::write(self.message_id, &self.legs, REPORT_OCTETS_MAX, is_last);
        for leg in self.legs.iter_mut().filter(|leg| !leg.is_open()) {
            leg.is_reported = true;
        }
        Parcel {
            sender: self.sender,
            sender_uri: self.sender_uri.clone(),
            message_id: self.message_id,
            is_report_form: self.is_report_form,
            total: self.total.unwrap_or_default(),
            status: self.overall(),
            documents,
        }
    }

    /// The Status of the REPORT form: that of the first leg that failed so far.
    ///
    /// # Spec
    /// AMB-03.
    fn overall(&self) -> StatusCode {
        let codes = self.legs.iter().filter_map(|leg| match &leg.state {
            LegState::Final(status) => Some(status.code()),
            LegState::Open { .. } => None,
        });
        let mut failures = codes.filter(|code| *code != StatusCode::OK);
        failures.next().unwrap_or(StatusCode::OK)
    }
}
