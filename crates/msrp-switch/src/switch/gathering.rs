//! The beginning of a message: its octets until the wrapper is complete.
//!
//! Octets may arrive ahead of others that complete the wrapper. They are kept, with what is there of
//! the wrapper, up to the bound of a wrapper; then they leave as if they had come later.
//!
//! Octets of the wrapper that come again are dropped, whatever they are: the decision was made from
//! the first ones, so no others may reach a recipient in their place. Other octets that come again
//! are relayed again, and the later ones count (RFC 4975 s.7.3.1).

use bytes::{Buf as _, Bytes};
use msrp_wire::{ContentType, ContinuationFlag};

use super::Switch;
use crate::content_class::ContentClass;
use crate::defect::Defect;
use crate::leg::LegKey;
use crate::limits::CPIM_HEAD_OCTETS_MAX;
use crate::message::{Message, MessageKey, Stage};
use crate::recipients::{self, Question, Recipients};
use crate::refused::Refused;
use crate::wrapper::Wrapper;

impl Switch {
    /// Takes octets of a message whose wrapper is not complete.
    ///
    /// # Spec
    /// AMB-27.
    pub(super) fn gather(
        &mut self,
        key: MessageKey,
        start: u64,
        octets: Bytes,
    ) -> Result<(), Refused> {
        self.mark_dirty(key);
        let Some(message) = self.messages.get_mut(key.0) else {
            return Ok(());
        };
        if start > message.held.end() {
            let kept = message.held.octets().saturating_add(message.ahead.octets());
            if kept.saturating_add(octets.len()) > CPIM_HEAD_OCTETS_MAX {
                return Err(Refused::NotTheStart);
            }
            self.sums.held_octets_copied = self
                .sums
                .held_octets_copied
                .saturating_add(octets.len() as u64);
            message.ahead.push(start, Bytes::copy_from_slice(&octets));
            return Ok(());
        }
        let (start, octets) = from_position(start, octets, message.held.end());
        let pushed = octets.len();
        if pushed > 0 {
            message.held.push(start, octets);
            if message.held.may_end_section(pushed) {
                self.read_wrapper(key, false)?;
            }
        }
        while let Some(message) = self.messages.get_mut(key.0)
            && matches!(message.stage, Stage::Gathering)
            && let Some((start, octets)) = message.ahead.pop_until(message.held.end())
        {
            let (start, octets) = from_position(start, octets, message.held.end());
            let pushed = octets.len();
            if pushed > 0 {
                message.held.push(start, octets);
                if message.held.may_end_section(pushed) {
                    self.read_wrapper(key, false)?;
                }
            }
        }
        Ok(())
    }

    /// Fixes the recipients as soon as the wrapper's headers and those of its content are complete:
    /// both say who can take the message. `is_whole`: no more octets come.
    fn read_wrapper(&mut self, key: MessageKey, is_whole: bool) -> Result<(), Refused> {
        let Some(message) = self.messages.get(key.0) else {
            return Ok(());
        };
        let Some((sender, leg)) = message
            .sender
            .and_then(|key| self.legs.get(key.0).map(|leg| (key, leg)))
        else {
            return Ok(());
        };
        let Some(room) = self.rooms.get_mut(leg.room.0) else {
            return Ok(());
        };
        let (mut recipients, from, kind, class, content, kept, mut head_octets) = {
            let octets = message.held.contiguous();
            let Some(wrapper) = Wrapper::read(&octets, is_whole)? else {
                return Ok(());
            };
            let inner = wrapper.inner.unwrap_or(ContentType::TEXT_PLAIN);
            let kind = room.kinds.number(&inner);
            let question = Question {
                sender,
                wrapper: &wrapper,
                total: message.announced_total,
                kind,
                private_refusal: self.rules.private_refusal(room),
            };
            let recipients = recipients::decide(room, &self.legs, &question)?;
            let from = recipients
                .report
                .as_ref()
                .map(|_| wrapper.cpim.from.uri.into());
            let head_octets = wrapper.cpim.inner_body_offset.unwrap_or(octets.len());
            let class = ContentClass::of(&inner);
            let content = (!recipients.late.is_empty()).then(|| inner.to_buf());
            let kept = self.kept(&inner);
            (recipients, from, kind, class, content, kept, head_octets)
        };
        self.spoil(&mut recipients, sender);
        if self.planted.is(Defect::UncheckedFrom) {
            head_octets = 0;
        }
        self.admit_report(recipients.report.as_ref(), sender)?;
        // Also what came ahead, so that nothing leaves to those who have no room for it.
        let end = message.coverage.end();
        self.note_accepted(key, sender, class, kept);
        if let Some(message) = self.messages.get_mut(key.0) {
            message.kind = kind;
        }
        self.start_relay(key, recipients, from, content);
        if let Some(relay) = self.messages.get_mut(key.0).and_then(Message::relay_mut) {
            relay.head_octets = head_octets as u64;
        }
        self.withhold_oversize(key, end);
        self.cut_full_pieces(key);
        self.replay_ahead(key);
        Ok(())
    }

    /// Carries out planted defects of the decision.
    fn spoil(&self, recipients: &mut Recipients, sender: LegKey) {
        if self.planted.is(Defect::WrongRecipient) {
            let room = self.legs.get(sender.0).map(|leg| leg.room);
            let room = room.and_then(|room| self.rooms.get(room.0));
            let mut legs = room.into_iter().flat_map(|room| &room.legs);
            let is_wrong = |leg: &&LegKey| **leg != sender && !recipients.to.contains(leg);
            recipients.to.extend(legs.find(is_wrong));
        }
        if self.planted.is(Defect::LostLeg) {
            recipients.to.pop();
        }
        if self.planted.is(Defect::LostReportLeg)
            && let Some(report) = &mut recipients.report
        {
            report.pop();
        }
    }

    /// What came ahead of the octets that completed the wrapper leaves, but for the last run of it: that waits for the end of
    /// the open chunk, which may still abort the message. A run stays in `ahead` until what is in front of it has left: only
    /// the piece with the last octets in hand is the last one.
    fn replay_ahead(&mut self, key: MessageKey) {
        if let Some(message) = self.messages.get_mut(key.0) {
            message.ahead.advance_to(message.held.end());
        }
        while let Some(message) = self.messages.get(key.0)
            && let Some(start) = message.ahead.start()
        {
            if !message.held.is_followed_by(start) {
                self.flush(key, ContinuationFlag::More);
            }
            if let Some(message) = self.messages.get_mut(key.0)
                && let Some((start, octets)) = message.ahead.pop_until(start)
            {
                message.held.push(start, octets);
            }
        }
    }

    /// A chunk of a message has ended, at `end` when it was one with `$`. When no octet is missing,
    /// the wrapper is complete now, or never.
    pub(super) fn end_gathering(
        &mut self,
        key: MessageKey,
        end: Option<u64>,
    ) -> Result<(), Refused> {
        let Some(message) = self.messages.get_mut(key.0) else {
            return Ok(());
        };
        if !matches!(message.stage, Stage::Gathering) {
            return Ok(());
        }
        let counted = end.map(|end| end.max(message.coverage.end()));
        let Some(total) = message.counted_total.or(counted) else {
            return Ok(());
        };
        if message.coverage.covers(total) {
            return self.read_wrapper(key, true);
        }
        message.counted_total = Some(total);
        Ok(())
    }

    /// The octets that wait for more of their chunk leave; those of a wrapper that is not complete
    /// stay. The piece that reaches a total which was shown before the wrapper was complete is the
    /// one with `$`.
    pub(super) fn flush_relayed(&mut self, key: MessageKey) {
        let Some(message) = self.messages.get(key.0) else {
            return;
        };
        let Some(relay) = message.relay() else {
            return;
        };
        let is_end = !relay.is_end_shown && message.counted_total == Some(message.held.end());
        let flag = if is_end && message.held.octets() > 0 {
            ContinuationFlag::Last
        } else {
            ContinuationFlag::More
        };
        self.flush(key, flag);
    }
}

/// Octets without those that lie in front of a position.
pub(super) fn from_position(start: u64, mut octets: Bytes, position: u64) -> (u64, Bytes) {
    let before = usize::try_from(position.saturating_sub(start)).unwrap_or(usize::MAX);
    let before = before.min(octets.len());
    octets.advance(before);
    (start.saturating_add(before as u64), octets)
}
