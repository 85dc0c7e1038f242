//! Rooms that deliver messages: those who have not joined are waited for, served or given up.
//!
//! See [`Delivery`].

use std::rc::Rc;

use msrp_session::{PieceBody, Timestamp};
use msrp_wire::{ContinuationFlag, StatusCode};

use super::{Output, Switch};
use crate::delivery::Delivery;
use crate::final_report::Status;
use crate::late::{Late, Patience};
use crate::ledger::Outcome;
use crate::leg::{Leg, LegKey};
use crate::limits::{EXCUSED_MAX, LATE_OCTETS_MAX, LATE_OCTETS_SLACK, LATE_OCTETS_TOTAL_MAX};
use crate::message::{Message, MessageKey};
use crate::recipients::{self, smaller};
use crate::relay::Relay;
use crate::room::RoomKey;

impl Switch {
    /// Says how a room delivers messages from now on; `None` makes it a conversation again. Messages
    /// under way keep what was decided for them.
    pub fn set_delivery(&mut self, room: RoomKey, delivery: Option<Delivery>) {
        if let Some(room) = self.rooms.get_mut(room.0) {
            room.delivery = delivery.map(Box::new);
        }
    }

    /// Whether a room delivers messages.
    #[must_use]
    pub fn delivers(&self, room: RoomKey) -> bool {
        self.rooms
            .get(room.0)
            .is_some_and(|room| room.delivery.is_some())
    }

    /// Whether nothing is on its way to a leg and nothing is kept for it. In a room with [`Delivery`]
    /// every octet that it was given has been acknowledged then, or has failed.
    #[must_use]
    pub fn is_served(&self, leg: LegKey) -> bool {
        self.legs
            .get(leg.0)
            .is_none_or(|leg| leg.receiving.is_empty())
    }

    /// A leg will never join. Final reports of its room name it with this status from now on, those
    /// that wait for it included. The caller ends the leg.
    ///
    /// # Spec
    /// FR-5.7.3-17.
    pub fn excuse(&mut self, key: LegKey, status: StatusCode) {
        let Some(leg) = self.legs.get(key.0).filter(|leg| !leg.is_joined) else {
            return;
        };
        let (room, entity) = (leg.room, Rc::clone(&leg.entity));
        for message in leg.receiving.clone() {
            let awaited = self.awaited(key, message);
            self.end_copy(key, message, Outcome::Refused);
            if let Some(awaited) = awaited {
                self.close_report_leg((awaited.report, awaited.index), Status::Code(status));
            }
        }
        if let Some(room) = self.rooms.get_mut(room.0) {
            room.excused.retain(|(other, _)| *other != entity);
            if room.excused.len() < EXCUSED_MAX {
                room.excused.push((entity, status));
            }
        }
        self.check_invariants_in_debug();
    }

    /// A leg that has not joined leaves a room that delivers: final reports name it with 481, unless it
    /// was excused with another status.
    pub(super) fn remember_unserved(&mut self, key: LegKey) {
        let Some(leg) = self.legs.get(key.0).filter(|leg| !leg.is_joined) else {
            return;
        };
        let (room, entity) = (leg.room, Rc::clone(&leg.entity));
        if let Some(room) = self.rooms.get_mut(room.0)
            && room.delivery.is_some()
            && room.excused.len() < EXCUSED_MAX
            && !room.excused.iter().any(|(other, _)| *other == entity)
        {
            room.excused.push((entity, StatusCode::NO_SESSION));
        }
    }

    /// A message is about to be relayed. Whether every piece of it asks for an answer.
    pub(super) fn note_sent(&mut self, key: MessageKey) -> bool {
        let sender = self.messages.get(key.0).and_then(|message| message.sender);
        let leg = sender.and_then(|sender| self.legs.get_mut(sender.0));
        let room = leg.map(|leg| {
            leg.has_sent = true;
            leg.room
        });
        room.is_some_and(|room| self.delivers(room))
    }

    /// Relays a message that has no wrapper from its first octet on, where that is allowed.
    pub(super) fn relay_bare(&mut self, leg: LegKey, key: MessageKey) {
        let room = self.legs.get(leg.0).map(|leg| leg.room);
        let (Some(room), Some(message)) = (
            room.and_then(|room| self.rooms.get(room.0)),
            self.messages.get(key.0),
        ) else {
            return;
        };
        let content_type = message.content_type.as_content_type();
        if content_type == msrp_wire::ContentType::MESSAGE_CPIM {
            return;
        }
        let total = message.announced_total;
        let class = crate::content_class::ContentClass::of(&content_type);
        let recipients = recipients::everybody(room, &self.legs, leg, &content_type, total);
        let kept = self.kept(&content_type);
        self.note_accepted(key, leg, class, kept);
        self.start_relay(key, recipients, None, None);
    }

    /// Keeps a piece for those who have not joined. When that is too much the sender waits for them;
    /// when it comes all the same they are too late.
    pub(super) fn keep_for_late(&mut self, key: MessageKey, start: u64, body: &PieceBody) {
        let delivery = self.delivery_of(key);
        let total = self.late_octets;
        let Some((sender, late)) = self.late_mut(key) else {
            return;
        };
        let octets = body.iter().fold(0, |octets: u64, slice| {
            octets.saturating_add(slice.len() as u64)
        });
        let wanted = late.octets.saturating_add(octets);
        let soft = delivery.map_or(0, |delivery| delivery.late_octets_max.min(LATE_OCTETS_MAX));
        let hard = if soft == 0 {
            0
        } else {
            soft.saturating_add(LATE_OCTETS_SLACK)
        };
        // Octets that do not follow each other are not kept: they may come in any number.
        if start != late.octets
            || wanted > hard
            || total.saturating_add(octets) > LATE_OCTETS_TOTAL_MAX
        {
            return self.give_up_late(key);
        }
        late.keep(body);
        let has_to_wait = wanted > soft && late.patience == Patience::Unneeded;
        if has_to_wait {
            late.patience = Patience::Begun;
        }
        self.late_octets = total.saturating_add(octets);
        if has_to_wait {
            self.patience_begun.push(key);
            self.hold_sender(sender, true);
        }
    }

    /// A leg has joined: it gets the beginning of what is kept for it, and then what the others get.
    pub(super) fn serve_late(&mut self, key: LegKey) {
        let Some(leg) = self.legs.get(key.0) else {
            return;
        };
        let entity = Rc::clone(&leg.entity);
        let (room, waiting) = (leg.room, leg.receiving.clone());
        if let Some(room) = self.rooms.get_mut(room.0) {
            room.excused.retain(|(other, _)| *other != entity);
        }
        for message in waiting {
            let is_late = |(_, late): (_, &mut Late)| late.legs.contains(&key);
            if self.late_mut(message).is_some_and(is_late) {
                self.serve(key, message);
            }
        }
    }

    fn serve(&mut self, key: LegKey, message: MessageKey) {
        if let Err(status) = self.fitness_for(key, message) {
            return self.withhold_late(key, message, status);
        }
        self.strike_out(message);
        let max_size = self.legs.get(key.0).and_then(|leg| leg.acceptance.max_size);
        self.write_kept(key, message);
        if let Some(relay) = self.relay_of(message) {
            relay.to = Rc::new(relay.to.iter().copied().chain([key]).collect());
            relay.smallest_max_size = smaller(relay.smallest_max_size, max_size);
        }
        self.forget_late(key, message);
    }

    /// Whether a leg takes a message that was kept for it.
    fn fitness_for(&self, key: LegKey, message: MessageKey) -> Result<(), Status> {
        let (Some(leg), Some(message)) = (self.legs.get(key.0), self.messages.get(message.0))
        else {
            return Ok(());
        };
        let late = message.relay().and_then(|relay| relay.late.as_deref());
        let inner = late.and_then(|late| late.inner.as_ref());
        let takes_type = match inner {
            Some(inner) => leg.acceptance.takes(Some(&inner.as_content_type())),
            None => leg
                .acceptance
                .takes_bare(&message.content_type.as_content_type()),
        };
        let total = message.total().unwrap_or(message.coverage.end());
        recipients::fitness(leg, takes_type, Some(total))
    }

    /// Writes what is kept of a message to one leg, as it was written to the others.
    fn write_kept(&mut self, key: LegKey, message_key: MessageKey) {
        let Some(message) = self.messages.get(message_key.0) else {
            return;
        };
        let Some(relay) = message.relay() else { return };
        let Some(late) = relay.late.as_deref() else {
            return;
        };
        let has_all_left = relay.is_end_shown && message.has_arrived();
        let count = late.pieces.len();
        let mut start = 0_u64;
        let mut outputs = Vec::with_capacity(count);
        for (number, piece) in (1..).zip(&late.pieces) {
            let is_last = number == count && has_all_left;
            let flag = if is_last {
                ContinuationFlag::Last
            } else {
                ContinuationFlag::More
            };
            outputs.push(Output::Piece {
                fields: self.fields(message, start, piece.len(), flag),
                body: PieceBody::from_iter([piece.clone()]),
                to: Rc::new(vec![key]),
                message: message_key,
                is_last,
                sender: message.sender,
                kind: message.kind,
                class: message.class,
            });
            start = start.saturating_add(piece.len() as u64);
        }
        self.outputs.extend(outputs);
        if count > 0
            && let Some(relay) = self.relay_of(message_key)
        {
            relay.has_left = true;
        }
    }

    /// A leg that was waited for cannot take the message.
    fn withhold_late(&mut self, key: LegKey, message: MessageKey, status: Status) {
        let awaited = self.awaited(key, message);
        self.take_copy(key, message);
        self.forget_late(key, message);
        if let Some(relay) = self.relay_of(message) {
            relay.fitting_count = relay.fitting_count.saturating_sub(1);
            if matches!(status, Status::TooLarge(_)) {
                relay.oversize_count = relay.oversize_count.saturating_add(1);
            }
        }
        self.close_copy(message, Outcome::Refused);
        if let Some(awaited) = awaited {
            self.close_report_leg((awaited.report, awaited.index), status);
        }
    }

    /// Nothing more is kept of a message: those who have not joined miss it.
    fn give_up_late(&mut self, message: MessageKey) {
        for key in self.take_late(message) {
            let awaited = self.awaited(key, message);
            if self.take_copy(key, message) {
                self.drop_copy(message, Outcome::Failed);
                self.outputs.push_back(Output::TooLate { leg: key });
            }
            if let Some(awaited) = awaited {
                let status = Status::Code(StatusCode::TIMEOUT);
                self.close_report_leg((awaited.report, awaited.index), status);
            }
        }
    }

    /// A leg is not waited for any more. Whether it was; when it was the last one, nothing is kept
    /// any longer.
    pub(super) fn forget_late(&mut self, key: LegKey, message: MessageKey) -> bool {
        let Some((_, late)) = self.late_mut(message) else {
            return false;
        };
        let was_late = late.forget(key);
        if late.legs.is_empty() {
            self.take_late(message);
        }
        was_late
    }

    /// Lets go of what is kept of a message, and of its sender. Returns who was waited for.
    pub(super) fn take_late(&mut self, message: MessageKey) -> Vec<LegKey> {
        let sender = self.messages.get(message.0).and_then(|m| m.sender);
        let late = self.relay_of(message).and_then(|relay| relay.late.take());
        let Some(late) = late else {
            return Vec::new();
        };
        self.late_octets = self.late_octets.saturating_sub(late.octets);
        match late.patience {
            Patience::Unneeded => {}
            Patience::Begun => self.hold_sender(sender, false),
            Patience::Until(deadline) => {
                self.patience_ends.remove(&(deadline, message));
                self.hold_sender(sender, false);
            }
        }
        late.legs
    }

    /// Every octet of a message has come: its sender has nothing to wait for, and those who have not
    /// joined can take their time.
    pub(super) fn end_waiting(&mut self, key: MessageKey) {
        let Some((sender, late)) = self.late_mut(key) else {
            return;
        };
        let patience = std::mem::replace(&mut late.patience, Patience::Unneeded);
        if let Patience::Until(deadline) = patience {
            self.patience_ends.remove(&(deadline, key));
        }
        if patience != Patience::Unneeded {
            self.hold_sender(sender, false);
        }
    }

    fn hold_sender(&mut self, sender: Option<LegKey>, is_held: bool) {
        if let Some(leg) = sender {
            self.outputs.push_back(Output::HoldSender { leg, is_held });
        }
    }

    /// Gives a deadline to the senders that have begun to wait.
    pub(super) fn time_patience(&mut self, now: Timestamp) {
        for key in std::mem::take(&mut self.patience_begun) {
            let late_ns = self.delivery_of(key).map_or(0, |delivery| delivery.late_ns);
            let deadline = now.after(late_ns);
            if let Some((_, late)) = self.late_mut(key)
                && late.patience == Patience::Begun
            {
                late.patience = Patience::Until(deadline);
                self.patience_ends.insert((deadline, key));
            }
        }
    }

    /// Senders have waited long enough.
    pub(super) fn end_patience(&mut self, now: Timestamp) {
        while let Some(&(deadline, key)) = self.patience_ends.first()
            && deadline <= now
        {
            self.patience_ends.pop_first();
            self.give_up_late(key);
        }
    }

    /// How the room of a message delivers.
    fn delivery_of(&self, key: MessageKey) -> Option<Delivery> {
        let sender = self
            .messages
            .get(key.0)
            .and_then(|message| message.sender)?;
        let room = self.legs.get(sender.0).map(|leg: &Leg| leg.room)?;
        self.rooms.get(room.0)?.delivery.as_deref().copied()
    }

    fn late_mut(&mut self, key: MessageKey) -> Option<(Option<LegKey>, &mut Late)> {
        let message = self.messages.get_mut(key.0)?;
        let sender = message.sender;
        let late = message.relay_mut()?.late.as_deref_mut()?;
        Some((sender, late))
    }

    fn relay_of(&mut self, key: MessageKey) -> Option<&mut Relay> {
        self.messages.get_mut(key.0).and_then(Message::relay_mut)
    }

    /// What is kept is counted, and those who are waited for have an open copy.
    pub(super) fn are_late_sound(&self) -> bool {
        let mut octets = 0_u64;
        for (key, message) in self.messages.iter() {
            let late = message.relay().and_then(|relay| relay.late.as_deref());
            let Some(late) = late else { continue };
            octets = octets.saturating_add(late.octets);
            let has_copy = |leg: &LegKey| {
                let leg = self.legs.get(leg.0);
                leg.is_some_and(|leg| !leg.is_joined && leg.has_copy(MessageKey(key)))
            };
            if late.legs.is_empty() || !late.legs.iter().all(has_copy) {
                return false;
            }
        }
        octets == self.late_octets
    }
}
