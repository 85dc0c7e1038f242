//! The receiving side: a chunk from its header section to its end line.

use std::rc::Rc;

use bytes::Bytes;
use msrp_session::{Coverage, Timestamp};
use msrp_wire::{
    ByteRange, ContentType, ContentTypeBuf, ContinuationFlag, RequestHead, StatusCode,
};

use super::gathering::from_position;
use super::{Output, Switch};
use crate::ahead::Ahead;
use crate::content_class::ContentClass;
use crate::leg::{LegKey, OpenChunk};
use crate::limits::UNFINISHED_MESSAGES_MAX;
use crate::message::{Message, MessageKey, Stage};
use crate::refused::Refused;
use crate::relay::Held;

impl Switch {
    /// A SEND begins on a leg. A refusal is answered at once; the octets that follow are dropped.
    ///
    /// # Spec
    /// RFC 4975 s.5.3, s.7.3.1; AMB-24, AMB-27, AMB-70.
    pub fn handle_chunk(&mut self, now: Timestamp, leg: LegKey, head: &RequestHead<'_>) {
        let Some(sender) = self.legs.get_mut(leg.0) else {
            return;
        };
        sender.chunk_failure_report = head.failure_report;
        if let Some(bridged) = &mut sender.bridged {
            bridged.count_request();
        }
        sender.chunk = OpenChunk::Discarded(None);
        match self.open_chunk(now, leg, head) {
            Ok(chunk) => {
                if let Some(sender) = self.legs.get_mut(leg.0) {
                    sender.chunk = chunk;
                }
                if let OpenChunk::Of { message, .. } = chunk {
                    self.mark_dirty(message);
                }
            }
            Err((message, refused)) => {
                if let Some(message) = message {
                    self.mark_dirty(message);
                }
                self.refuse(leg, message, refused);
            }
        }
        self.check_invariants_in_debug();
    }

    /// Octets of the open chunk. They stay in their buffer.
    pub fn handle_body(&mut self, leg: LegKey, octets: Bytes) {
        let Some(sender) = self.legs.get_mut(leg.0) else {
            return;
        };
        if let Some(bridged) = &mut sender.bridged {
            bridged.count_octets(octets.len());
        } else {
            let sums = sender.sums();
            sums.octets_sent = sums.octets_sent.saturating_add(octets.len() as u64);
        }
        match &mut sender.chunk {
            OpenChunk::Closed | OpenChunk::Discarded(_) => {}
            OpenChunk::Empty => self.refuse(leg, None, Refused::NoCpim),
            OpenChunk::Of { message, position } => {
                let (message, start) = (*message, *position);
                *position = position.saturating_add(octets.len() as u64);
                if let Err(refused) = self.accept(message, start, octets) {
                    self.refuse(leg, Some(message), refused);
                }
            }
        }
        self.check_invariants_in_debug();
    }

    /// The open chunk ends.
    ///
    /// # Spec
    /// RFC 4975 s.7.1, s.7.3.1; UPS-7.2.3.3-13.
    pub fn handle_end(&mut self, leg: LegKey, flag: ContinuationFlag) {
        let Some(sender) = self.legs.get_mut(leg.0) else {
            return;
        };
        match std::mem::replace(&mut sender.chunk, OpenChunk::Closed) {
            OpenChunk::Closed | OpenChunk::Discarded(None) => {}
            OpenChunk::Discarded(Some(message)) => {
                if flag != ContinuationFlag::More {
                    self.forget_refused(leg, message);
                }
            }
            OpenChunk::Empty => self.respond(leg, StatusCode::OK, None),
            OpenChunk::Of { message, position } => self.end_chunk(leg, message, position, flag),
        }
        self.check_invariants_in_debug();
    }

    /// All input of a turn has been handled: octets that would wait leave, or let go of their
    /// receive buffers.
    pub fn end_turn(&mut self, now: Timestamp) {
        let mut dirty = std::mem::take(&mut self.dirty);
        for key in dirty.drain(..) {
            self.flush_open(key, now);
        }
        self.dirty = dirty;
        self.time_reports(now);
        self.time_patience(now);
        self.send_interim_reports();
        self.watch_silence(now);
        self.check_invariants_in_debug();
    }

    fn open_chunk(
        &mut self,
        now: Timestamp,
        leg: LegKey,
        head: &RequestHead<'_>,
    ) -> Result<OpenChunk, (Option<MessageKey>, Refused)> {
        let range = head.byte_range.unwrap_or(ByteRange::WHOLE);
        let position = range.start.saturating_sub(1);
        let id = head.message_id;
        let Some(sender) = self.legs.get(leg.0) else {
            return Ok(OpenChunk::Closed);
        };
        if let Some(key) = id.and_then(|id| sender.unfinished(id)) {
            return self.continue_message(key, position);
        }
        if !head.has_body || head.content_type.is_none() {
            return Ok(OpenChunk::Empty);
        }
        if sender.bridged.is_some() {
            return self.open_bridged(leg, head, range);
        }
        let verdict = self.admit(leg, head, range);
        let verdict = verdict.and_then(|()| self.pay(now, leg));
        let key = self
            .start_message(leg, head, range)
            .map_err(|refused| (None, refused))?;
        match verdict {
            Ok(()) => {
                self.relay_bare(leg, key);
                Ok(OpenChunk::Of {
                    message: key,
                    position,
                })
            }
            Err(refused) => Err((Some(key), refused)),
        }
    }

    fn continue_message(
        &self,
        key: MessageKey,
        position: u64,
    ) -> Result<OpenChunk, (Option<MessageKey>, Refused)> {
        match self.messages.get(key.0).map(|message| &message.stage) {
            Some(Stage::Refused(status)) => Err((Some(key), Refused::StillRefused(*status))),
            Some(Stage::Relaying(relay)) if relay.is_refused_by_all() => {
                Err((Some(key), Refused::NobodyTakesIt))
            }
            Some(Stage::Gathering | Stage::Relaying(_)) => Ok(OpenChunk::Of {
                message: key,
                position,
            }),
            None => Ok(OpenChunk::Discarded(None)),
        }
    }

    /// What can be said of a message before its wrapper is read.
    fn admit(&self, leg: LegKey, head: &RequestHead<'_>, range: ByteRange) -> Result<(), Refused> {
        let Some(sender) = self.legs.get(leg.0) else {
            return Ok(());
        };
        if !sender.may_send || sender.is_muted {
            return Err(Refused::SenderMayNotSend);
        }
        let content_type = head
            .content_type
            .and_then(|value| ContentType::parse(value).ok());
        let room = self.rooms.get(sender.room.0);
        let delivery = room.and_then(|room| room.delivery.as_deref());
        if delivery.is_some_and(|delivery| delivery.is_single) && sender.has_sent {
            return Err(Refused::OneMessageOnly);
        }
        // Without a wrapper nothing could say under which name a hidden sender speaks.
        let may_be_bare = delivery.is_some_and(|d| d.takes_bare) && !sender.is_hidden;
        if content_type != Some(ContentType::MESSAGE_CPIM) && !may_be_bare {
            return Err(Refused::NoCpim);
        }
        if range.start != 1 {
            return Err(Refused::NotTheStart);
        }
        let max = room.map_or(0, |room| room.message_octets_max);
        if range.total.is_some_and(|total| total > max) {
            return Err(Refused::TooLarge);
        }
        Ok(())
    }

    /// Counts a message against the rate of its sender, when it has one.
    fn pay(&mut self, now: Timestamp, leg: LegKey) -> Result<(), Refused> {
        let sender = self.legs.get_mut(leg.0);
        let pace = sender.and_then(|sender| sender.pace.as_mut());
        match pace.is_none_or(|pace| pace.paid.take(now, pace.rate)) {
            true => Ok(()),
            false => Err(Refused::TooFast),
        }
    }

    pub(super) fn start_message(
        &mut self,
        leg: LegKey,
        head: &RequestHead<'_>,
        range: ByteRange,
    ) -> Result<MessageKey, Refused> {
        self.make_room_for_message(leg)?;
        let id = head.message_id.ok_or(Refused::NotTheStart)?;
        let content_type = ContentTypeBuf::parse(head.content_type.unwrap_or_default())
            .map_err(|_| Refused::NoCpim)?;
        let room = self.legs.get(leg.0).map(|leg| leg.room);
        let message = Message {
            sender: Some(leg),
            id,
            relayed_id: id,
            kind: None,
            class: ContentClass::Other,
            success_report: head.success_report,
            failure_report: head.failure_report,
            relayed: Rc::new(head.relayed_headers().to_buf()),
            content_type: Rc::new(content_type),
            coverage: Coverage::new(),
            announced_total: range.total,
            counted_total: None,
            held: Held::default(),
            ahead: Ahead::default(),
            is_dirty: false,
            heard: None,
            report: None,
            tally: room.and_then(|room| self.tally(room, None)),
            stage: Stage::Gathering,
        };
        let key = MessageKey(
            self.messages
                .insert(message)
                .ok_or(Refused::TooManyUnfinished)?,
        );
        if let Some(sender) = self.legs.get_mut(leg.0) {
            sender.sending.push((id, key));
        }
        Ok(key)
    }

    /// Forgets the oldest refused message of a leg that has too many unfinished ones.
    fn make_room_for_message(&mut self, leg: LegKey) -> Result<(), Refused> {
        let Some(sender) = self.legs.get(leg.0) else {
            return Ok(());
        };
        if sender.sending.len() < UNFINISHED_MESSAGES_MAX {
            return Ok(());
        }
        let is_refused = |key: &MessageKey| {
            let stage = self.messages.get(key.0).map(|message| &message.stage);
            matches!(stage, Some(Stage::Refused(_)))
        };
        let oldest = sender.sending.iter().map(|(_, key)| *key).find(is_refused);
        self.forget_refused(leg, oldest.ok_or(Refused::TooManyUnfinished)?);
        Ok(())
    }

    pub(super) fn forget_refused(&mut self, leg: LegKey, message: MessageKey) {
        if let Some(sender) = self.legs.get_mut(leg.0) {
            sender.forget_sending(message);
        }
        self.forget(message);
    }

    /// The end of the turn has to look at this message.
    pub(super) fn mark_dirty(&mut self, key: MessageKey) {
        if let Some(message) = self.messages.get_mut(key.0)
            && !std::mem::replace(&mut message.is_dirty, true)
        {
            self.dirty.push(key);
        }
    }

    /// Answers the open chunk with an error, drops the rest of it, and ends what has left of the
    /// message already.
    pub(super) fn refuse(&mut self, leg: LegKey, message: Option<MessageKey>, refused: Refused) {
        self.respond(leg, refused.status(), Some(refused));
        if let Some(key) = message {
            self.stop_relay(key);
            if let Some(message) = self.messages.get_mut(key.0) {
                message.held.clear();
                message.ahead = Ahead::default();
                message.stage = Stage::Refused(refused.status());
            }
        }
        if let Some(sender) = self.legs.get_mut(leg.0) {
            let sums = sender.sums();
            sums.refused = sums.refused.saturating_add(1);
            sender.chunk = OpenChunk::Discarded(message);
        }
    }

    /// Counts octets of a message and queues them, or reads its wrapper with them.
    fn accept(&mut self, key: MessageKey, start: u64, octets: Bytes) -> Result<(), Refused> {
        let Some(message) = self.messages.get_mut(key.0) else {
            return Ok(());
        };
        let end = start.saturating_add(octets.len() as u64);
        let sender = message.sender.and_then(|sender| self.legs.get(sender.0));
        let room = sender.map(|leg| leg.room);
        let max = room
            .and_then(|room| self.rooms.get(room.0))
            .map_or(0, |r| r.message_octets_max);
        if end > max {
            return Err(Refused::TooLarge);
        }
        if message.counted_total.is_some_and(|total| end > total) {
            return Err(Refused::BeyondTheEnd);
        }
        self.make_way(key, start, end);
        let Some(message) = self.messages.get_mut(key.0) else {
            return Ok(());
        };
        message
            .coverage
            .add(start, octets.len() as u64)
            .map_err(|_| Refused::TooManyHoles)?;
        let (start, octets) = match &message.stage {
            Stage::Gathering => return self.gather(key, start, octets),
            Stage::Relaying(relay) => from_position(start, octets, relay.head_octets),
            Stage::Refused(_) => return Ok(()),
        };
        if octets.is_empty() {
            return Ok(());
        }
        message.held.push(start, octets);
        self.mark_dirty(key);
        self.cut_full_pieces(key);
        Ok(())
    }

    /// Lets leave what octets between these positions do not follow. They have not arrived by then, so no piece that leaves is
    /// taken for the last one.
    fn make_way(&mut self, key: MessageKey, start: u64, end: u64) {
        let message = self.messages.get(key.0);
        let Some((message, relay)) = message.and_then(|message| Some((message, message.relay()?)))
        else {
            return;
        };
        let start = start.max(relay.head_octets);
        if start >= end {
            return;
        }
        let is_followed = message.held.is_followed_by(start);
        self.withhold_oversize(key, end);
        if !is_followed {
            self.flush_relayed(key);
        }
    }

    fn end_chunk(&mut self, leg: LegKey, key: MessageKey, position: u64, flag: ContinuationFlag) {
        match flag {
            ContinuationFlag::More | ContinuationFlag::Last => {
                let is_last = flag == ContinuationFlag::Last;
                if let Err(refused) = self.end_gathering(key, is_last.then_some(position)) {
                    self.refuse(leg, Some(key), refused);
                    self.forget_refused(leg, key);
                    if let Some(sender) = self.legs.get_mut(leg.0) {
                        sender.chunk = OpenChunk::Closed;
                    }
                    return;
                }
                self.respond(leg, StatusCode::OK, None);
                if is_last {
                    self.end_message(key, position);
                } else {
                    self.flush_relayed(key);
                }
            }
            ContinuationFlag::Abort => {
                self.respond(leg, StatusCode::OK, None);
                if let Some(sender) = self.legs.get_mut(leg.0) {
                    sender.forget_sending(key);
                }
                self.abort(key);
                return;
            }
        }
        if self.messages.get(key.0).is_some_and(Message::has_arrived) {
            self.finish(key);
        }
    }

    /// A chunk with `$` ends at `position`. The total is counted from what arrived: octets behind
    /// the end of that chunk belong to the message too. What leaves has `$` once, at the total.
    ///
    /// # Spec
    /// RFC 4975 s.7.3.1.
    fn end_message(&mut self, key: MessageKey, position: u64) {
        let Some(message) = self.messages.get_mut(key.0) else {
            return;
        };
        if message.relay().is_none() || message.counted_total.is_some() {
            self.flush_relayed(key);
            return;
        }
        let total = position.max(message.coverage.end());
        let is_at_end = message.held.octets() == 0 || message.held.end() == total;
        if !is_at_end {
            self.flush(key, ContinuationFlag::More);
        }
        if let Some(message) = self.messages.get_mut(key.0) {
            message.counted_total = Some(total);
        }
        self.flush(key, ContinuationFlag::Last);
    }

    /// Every octet has arrived and left: the sender is told what it asked to know.
    ///
    /// # Spec
    /// RFC 4975 s.7.1.3; AMB-04, AMB-07 (c).
    fn finish(&mut self, key: MessageKey) {
        let Some(message) = self.messages.get(key.0) else {
            return;
        };
        let total = message.counted_total.unwrap_or_default();
        let Some(relay) = message.relay() else { return };
        let is_too_large_for_all = relay.is_too_large_for_all();
        let is_bridged = self.is_bridged_message(message);
        let Some(sender) = message.sender else {
            return;
        };
        let status = if is_too_large_for_all {
            msrp_session::answering::is_failure_report_due(message.failure_report)
                .then_some(StatusCode::STOP_SENDING)
        } else {
            (message.success_report == msrp_wire::SuccessReport::Yes && !is_bridged)
                .then_some(StatusCode::OK)
        };
        let message_id = message.id;
        if is_bridged {
            self.remember_bridged(key, total);
        }
        let is_reported = self.finish_report(key, total);
        if let Some(status) = status.filter(|_| !is_reported) {
            let byte_range = ByteRange {
                start: 1,
                end: Some(total),
                total: Some(total),
            };
            self.outputs.push_back(Output::Report {
                leg: sender,
                message_id,
                byte_range,
                status,
                body: None,
            });
        }
        if let Some(sender) = self.legs.get_mut(sender.0) {
            sender.forget_sending(key);
        }
        self.complete(key);
    }
}
