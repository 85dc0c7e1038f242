//! Bridges: two legs back to back, and nothing of a chat room between them.
//!
//! What one half sends goes to the other, of any type and with the flags, the Message-ID and the octets that it had.
//! Answers are given hop by hop. What the other half answers or reports comes back to the sender:
//!
//! ```text
//!   sender --SEND--> half | other half --SEND--> recipient
//!          <--200---      |            <--200--
//!          <-error--  the message still comes in  <--error--   at once, on what comes of it
//!          <-REPORT-  it has arrived              <--error--   one on all its octets
//!          <-REPORT-                              <--REPORT-   the same Message-ID, range and status
//! ```
//!
//! A recipient that has gone counts as 481, one that did not answer, or had no room, as 408.
//!
//! # Spec
//! RFC 4975 s.5, s.7.1.3, s.7.1.4, s.7.2.

use bytes::Bytes;
use msrp_session::answering::is_failure_report_due;
use msrp_wire::{ByteRange, ContentTypeBuf, FailureReport, MessageId, RequestHead, StatusCode};

use super::{Output, Switch};
use crate::acceptance::Acceptance;
use crate::bridge::{BridgeSums, Bridged, Left};
use crate::leg::{LegKey, LegSpec, OpenChunk, Participant};
use crate::message::{Message, MessageKey, Stage};
use crate::recipients::Recipients;
use crate::refused::Refused;
use crate::room::{Addressing, RoomKey, RoomSpec};

/// A message of a bridge that did not get through.
#[derive(Debug, Clone, Copy)]
pub(super) struct Failure {
    sender: LegKey,
    key: MessageKey,
    id: MessageId,
    /// All its octets, once they have arrived.
    total: Option<u64>,
    failure_report: FailureReport,
}

impl Switch {
    /// Makes a bridge: a room of two legs of which each gets what the other sends, unchanged, once both have
    /// [joined](Switch::join). It ends as a room does, with [`Switch::close_room`]. `None` when no more fit
    /// into memory.
    pub fn create_bridge(&mut self) -> Option<(RoomKey, [LegKey; 2])> {
        let room = self.create_room(RoomSpec {
            uri: String::new(),
            addresses: Vec::new(),
            message_octets_max: u64::MAX,
            private_messages: false,
            nicknames: false,
            addressing: Addressing::Oma,
        })?;
        let legs = [half(), half()].map(|spec| self.add_leg(room, spec));
        let [Some(first), Some(second)] = legs else {
            self.close_room(room);
            return None;
        };
        for (leg, other) in [(first, second), (second, first)] {
            if let Some(leg) = self.legs.get_mut(leg.0) {
                leg.bridged = Some(Box::new(Bridged::new(other)));
            }
        }
        Some((room, [first, second]))
    }

    /// Whether the leg is one half of a bridge.
    #[must_use]
    pub fn is_bridged(&self, leg: LegKey) -> bool {
        self.legs
            .get(leg.0)
            .is_some_and(|leg| leg.bridged.is_some())
    }

    /// What came from one half of a bridge; `None` for another leg.
    #[must_use]
    pub fn bridge_sums(&self, leg: LegKey) -> Option<BridgeSums> {
        let bridged = self.legs.get(leg.0)?.bridged.as_ref()?;
        Some(bridged.sums)
    }

    pub(super) fn is_bridged_message(&self, message: &Message) -> bool {
        message.sender.is_some_and(|sender| self.is_bridged(sender))
    }

    /// The first chunk of a message, which may begin anywhere in it.
    pub(super) fn open_bridged(
        &mut self,
        leg: LegKey,
        head: &RequestHead<'_>,
        range: ByteRange,
    ) -> Result<OpenChunk, (Option<MessageKey>, Refused)> {
        let message = self
            .start_message(leg, head, range)
            .map_err(|refused| (None, refused))?;
        let sender = self.legs.get_mut(leg.0);
        let Some(bridged) = sender.and_then(|sender| sender.bridged.as_mut()) else {
            return Ok(OpenChunk::Discarded(Some(message)));
        };
        bridged.sums.messages = bridged.sums.messages.saturating_add(1);
        let other = bridged.other;
        if !self.legs.get(other.0).is_some_and(|other| other.is_joined) {
            return Err((Some(message), Refused::NobodyTakesIt));
        }
        let recipients = Recipients {
            to: vec![other],
            ..Recipients::default()
        };
        self.start_relay(message, recipients, None, None);
        let position = range.start.saturating_sub(1);
        Ok(OpenChunk::Of { message, position })
    }

    /// A whole REPORT came from one half of a bridge: it is passed on to the other one, with its document. `false`
    /// when there is no other one any more.
    pub fn handle_bridged_report(
        &mut self,
        leg: LegKey,
        (message_id, byte_range, status): (MessageId, Option<ByteRange>, StatusCode),
        body: Option<(ContentTypeBuf, Bytes)>,
    ) -> bool {
        let half = self.legs.get_mut(leg.0);
        let Some(bridged) = half.and_then(|half| half.bridged.as_mut()) else {
            return false;
        };
        bridged.sums.reports = bridged.sums.reports.saturating_add(1);
        let leg = bridged.other;
        self.outputs.push_back(Output::Report {
            leg,
            message_id,
            byte_range: byte_range.unwrap_or(ByteRange::WHOLE),
            status,
            body,
        });
        true
    }

    /// A message has arrived and left. When no answer to it comes but an error, it is kept in mind for that.
    pub(super) fn remember_bridged(&mut self, key: MessageKey, total: u64) {
        let Some(message) = self.messages.get(key.0) else {
            return;
        };
        if message.failure_report != FailureReport::Partial {
            return;
        }
        let (sender, id) = (message.sender, message.id);
        let sender = sender.and_then(|sender| self.legs.get_mut(sender.0));
        if let Some(bridged) = sender.and_then(|sender| sender.bridged.as_mut()) {
            bridged.remember(Left {
                message: key,
                id,
                total,
            });
        }
    }

    /// What has to be told of a message when its copy fails; `None` for one that is not of a bridge.
    pub(super) fn bridged_failure(&self, key: MessageKey) -> Option<Failure> {
        let message = self.messages.get(key.0)?;
        let sender = message.sender.filter(|sender| self.is_bridged(*sender))?;
        Some(Failure {
            sender,
            key,
            id: message.id,
            total: message.counted_total.filter(|_| !message.is_unfinished()),
            failure_report: message.failure_report,
        })
    }

    /// As [`Switch::bridged_failure`], also of a message that has left and is gone, when it is not told yet.
    pub(super) fn open_or_late_failure(
        &mut self,
        recipient: LegKey,
        key: MessageKey,
    ) -> Option<Failure> {
        let recipient = self.legs.get(recipient.0)?;
        let is_open = recipient.has_copy(key);
        let sender = recipient.bridged.as_ref()?.other;
        let late = self
            .legs
            .get_mut(sender.0)
            .and_then(|sender| sender.bridged.as_mut())
            .and_then(|bridged| bridged.recall(key));
        if is_open {
            return self.bridged_failure(key);
        }
        late.map(|left| Failure {
            sender,
            key,
            id: left.id,
            total: Some(left.total),
            failure_report: FailureReport::Partial,
        })
    }

    /// Tells the sender that its message did not get through: by the answer to what still comes of it, else by one
    /// REPORT, unless it does not want to know.
    pub(super) fn tell_bridged_failure(&mut self, failure: Option<Failure>, status: StatusCode) {
        let Some(failure) = failure else { return };
        let Some(sender) = self.legs.get_mut(failure.sender.0) else {
            return;
        };
        let is_arriving =
            matches!(sender.chunk, OpenChunk::Of { message, .. } if message == failure.key);
        if let Some(bridged) = &mut sender.bridged {
            bridged.sums.failed = bridged.sums.failed.saturating_add(1);
        }
        if is_arriving {
            let refused = Refused::StillRefused(status);
            return self.refuse(failure.sender, Some(failure.key), refused);
        }
        let Some(total) = failure.total else {
            self.stop_relay(failure.key);
            if let Some(message) = self.messages.get_mut(failure.key.0) {
                message.held.clear();
                message.stage = Stage::Refused(status);
            }
            return;
        };
        if is_failure_report_due(failure.failure_report) {
            self.outputs.push_back(Output::Report {
                leg: failure.sender,
                message_id: failure.id,
                byte_range: ByteRange {
                    start: 1,
                    end: Some(total),
                    total: Some(total),
                },
                status,
                body: None,
            });
        }
    }
}

/// A leg of a bridge: takes everything, has no name.
fn half() -> LegSpec {
    LegSpec {
        participant: Participant {
            identities: Vec::new(),
            entity: String::new(),
            is_hidden: false,
            may_send_private: false,
            shows_release: false,
        },
        acceptance: Acceptance::everything(),
        may_send: true,
        may_receive: true,
    }
}
