//! A message on its way through the switch.
//!
//! ```text
//!   first chunk --> Gathering ----headers complete----> Relaying --last octet, every copy
//!                       |                                    |       settled--> gone
//!                       +--refused--> Refused <--too large---+
//!                                        |
//!                                        +--the sender's last chunk--> gone
//! ```

use std::rc::Rc;

use msrp_session::{Coverage, Key, Timestamp};
use msrp_wire::{
    ContentType, ContentTypeBuf, FailureReport, MessageId, RelayedHeadersBuf, StatusCode,
    SuccessReport,
};

use crate::ahead::Ahead;
use crate::content_class::ContentClass;
use crate::final_report::ReportKey;
use crate::kind::Kind;
use crate::leg::LegKey;
use crate::relay::{Held, Relay};
use crate::told::Tally;

/// Names a message of a [`Switch`](crate::Switch).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageKey(pub(crate) Key);

#[derive(Debug)]
pub(crate) struct Message {
    /// Whose message it is; `None` when it is the switch's own.
    pub(crate) sender: Option<LegKey>,
    /// The id that the sender gave it.
    pub(crate) id: MessageId,
    /// The id under which it leaves: the sender's, or a fresh one where that would collide or the
    /// sender is hidden.
    pub(crate) relayed_id: MessageId,
    pub(crate) success_report: SuccessReport,
    pub(crate) failure_report: FailureReport,
    pub(crate) relayed: Rc<RelayedHeadersBuf>,
    pub(crate) content_type: Rc<ContentTypeBuf>,
    /// What its content is, once the wrapper is read.
    pub(crate) kind: Option<Kind>,
    /// What that is for.
    pub(crate) class: ContentClass,
    /// What has arrived.
    pub(crate) coverage: Coverage,
    /// The total that the sender announced.
    pub(crate) announced_total: Option<u64>,
    /// The total that the end of the chunk with `$` showed.
    pub(crate) counted_total: Option<u64>,
    pub(crate) held: Held,
    /// What came before octets of the wrapper were there that lie in front of it.
    pub(crate) ahead: Ahead,
    /// Whether octets arrived in this turn and wait for its end.
    pub(crate) is_dirty: bool,
    /// The end of the last turn in which its sender was heard; `None` in the first one.
    pub(crate) heard: Option<Timestamp>,
    /// The final report that its sender asked for.
    pub(crate) report: Option<ReportKey>,
    /// What is told of it at its end, while somebody wants to know.
    pub(crate) tally: Option<Box<Tally>>,
    pub(crate) stage: Stage,
}

#[derive(Debug)]
pub(crate) enum Stage {
    /// The CPIM headers are not complete: nobody has got anything.
    Gathering,
    /// The recipients are fixed.
    Relaying(Relay),
    /// The sender was told this status; what comes of it is dropped.
    Refused(StatusCode),
}

impl Message {
    /// The total to write into a Byte-Range: counted, or announced and not yet proven wrong.
    pub(crate) fn total(&self) -> Option<u64> {
        let plausible = self
            .announced_total
            .filter(|total| *total >= self.coverage.end());
        self.counted_total.or(plausible)
    }

    /// Lets nothing leave that the sender's client made, except the message itself: header fields
    /// that describe the content stay, those that may name a host or a user go.
    ///
    /// # Spec
    /// MSRP-7701-6.1-04; AMB-28.
    pub(crate) fn hide_client(&mut self) {
        let is_harmless = |name: &[u8]| {
            [&b"Content-Disposition"[..], b"Content-Description"]
                .iter()
                .any(|harmless| name.eq_ignore_ascii_case(harmless))
        };
        if !self.relayed.is_empty() {
            self.relayed = Rc::new(self.relayed.filtered(|line| is_harmless(line.name)));
        }
        self.content_type = Rc::new(ContentType::MESSAGE_CPIM.to_buf());
    }

    /// Whether every octet has arrived.
    pub(crate) fn has_arrived(&self) -> bool {
        self.counted_total
            .is_some_and(|total| self.coverage.covers(total))
    }

    /// Whether every octet has arrived and left.
    pub(crate) fn has_left(&self) -> bool {
        self.has_arrived() && self.held.octets() == 0 && self.ahead.octets() == 0
    }

    /// Whether more of it may come.
    pub(crate) fn is_unfinished(&self) -> bool {
        self.relay().is_none_or(|relay| !relay.is_complete)
    }

    pub(crate) fn relay(&self) -> Option<&Relay> {
        match &self.stage {
            Stage::Relaying(relay) => Some(relay),
            Stage::Gathering | Stage::Refused(_) => None,
        }
    }

    pub(crate) fn relay_mut(&mut self) -> Option<&mut Relay> {
        match &mut self.stage {
            Stage::Relaying(relay) => Some(relay),
            Stage::Gathering | Stage::Refused(_) => None,
        }
    }
}
