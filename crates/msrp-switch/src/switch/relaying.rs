//! The sending side: cutting what has arrived into pieces, and keeping the account of copies.

use std::rc::Rc;

use msrp_session::limits::{PIECE_OCTETS_MAX, PIECE_OCTETS_MIN};
use msrp_session::{Arena, PieceBody, PieceFields, Timestamp};
use msrp_wire::{
    ByteRange, ContentTypeBuf, ContinuationFlag, FailureReport, MessageId, SuccessReport,
};

use super::{Output, Switch};
use crate::defect::Defect;
use crate::final_report::Status;
use crate::late::Late;
use crate::ledger::Outcome;
use crate::leg::{Leg, LegKey};
use crate::limits::HOLD_NS;
use crate::message::{Message, MessageKey, Stage};
use crate::recipients::{Recipients, smaller};
use crate::relay::Relay;

impl Switch {
    /// Opens a copy for each recipient.
    pub(super) fn start_relay(
        &mut self,
        key: MessageKey,
        recipients: Recipients,
        from: Option<Box<str>>,
        inner: Option<ContentTypeBuf>,
    ) {
        let with_late: Vec<LegKey>;
        let everybody = if recipients.late.is_empty() {
            recipients.to.as_slice()
        } else {
            with_late = [recipients.to.as_slice(), &recipients.late].concat();
            &with_late
        };
        let id = self.free_id(key, everybody);
        for leg in everybody {
            if let Some(leg) = self.legs.get_mut(leg.0) {
                leg.receiving.push(key);
            }
        }
        let withheld = recipients
            .unfit_count
            .saturating_add(recipients.oversize_count);
        self.sums
            .open(everybody.len().saturating_add(withheld) as u64);
        for _ in 0..withheld {
            self.settle_sums(key, Outcome::Refused);
        }
        let is_hidden = self.is_sender_hidden(key);
        let is_confirmed = self.note_sent(key);
        self.messages.relay_under(key.0, id);
        let Some(message) = self.messages.get_mut(key.0) else {
            return;
        };
        if is_hidden {
            message.hide_client();
        }
        message.stage = Stage::Relaying(Relay {
            open_copies: everybody.len(),
            fitting_count: everybody.len(),
            to: Rc::new(recipients.to),
            is_stale: false,
            has_left: false,
            is_end_shown: false,
            head_octets: 0,
            refused_count: 0,
            smallest_max_size: recipients.smallest_max_size,
            oversize_count: recipients.oversize_count,
            is_complete: false,
            hold_deadline: None,
            is_confirmed,
            late: (!recipients.late.is_empty())
                .then(|| Box::new(Late::new(recipients.late, inner))),
        });
        if let Some((legs, from)) = recipients.report.zip(from) {
            self.start_report(key, legs, from);
        }
    }

    fn is_sender_hidden(&self, key: MessageKey) -> bool {
        let sender = self.messages.get(key.0).and_then(|message| message.sender);
        let sender = sender.and_then(|sender| self.legs.get(sender.0));
        sender.is_some_and(|leg| leg.is_hidden)
    }

    /// The sender's Message-ID, or a fresh one when the sender is hidden (its client may have put
    /// its host or user into it), when a recipient is getting another unfinished message under it,
    /// or got a part of one, or when one has still to report on such a one (AMB-28).
    fn free_id(&mut self, key: MessageKey, to: &[LegKey]) -> MessageId {
        let Some(id) = self.messages.get(key.0).map(|message| message.id) else {
            return self.ids.message_id();
        };
        let message = self.messages.get(key.0);
        if message.is_some_and(|message| self.is_bridged_message(message)) {
            return id;
        }
        let is_shared = self.messages.share_id(id);
        let collides = to.iter().filter_map(|leg| self.legs.get(leg.0)).any(|leg| {
            let is_awaited = leg.awaited_under(id).is_some();
            is_awaited
                || is_shared
                    && leg
                        .receiving
                        .iter()
                        .filter_map(|other| self.messages.get(other.0))
                        .any(|other| other.relayed_id == id)
        });
        let collides = collides || self.messages.is_spent(id);
        let collides = collides && !self.planted.is(Defect::ReusedId);
        let is_hidden = self.is_sender_hidden(key) && !self.planted.is(Defect::LeakedAlias);
        if collides || is_hidden {
            self.ids.message_id()
        } else {
            id
        }
    }

    /// Cuts pieces of the greatest size while more than one such piece is held.
    pub(super) fn cut_full_pieces(&mut self, key: MessageKey) {
        while let Some(message) = self.messages.get_mut(key.0)
            && message.held.octets() > PIECE_OCTETS_MAX
        {
            let (start, body) = message.held.take(PIECE_OCTETS_MAX);
            self.write_piece(key, start, body, PIECE_OCTETS_MAX, ContinuationFlag::More);
        }
    }

    /// Writes everything that is held, the last piece of it with this flag. With `#` and `$`
    /// there is always a last piece, if need be without body.
    pub(super) fn flush(&mut self, key: MessageKey, flag: ContinuationFlag) {
        self.cut_full_pieces(key);
        let Some(message) = self.messages.get_mut(key.0) else {
            return;
        };
        let octets = message.held.octets();
        if octets == 0 && flag == ContinuationFlag::More {
            return;
        }
        let (start, body) = if octets == 0 {
            let end = message.coverage.end();
            (message.counted_total.unwrap_or(end), PieceBody::new())
        } else {
            message.held.take(octets)
        };
        self.write_piece(key, start, body, octets, flag);
    }

    /// At the end of a turn: what is long enough leaves, but for the last octet; the rest lets go
    /// of its receive buffer.
    pub(super) fn flush_open(&mut self, key: MessageKey, now: Timestamp) {
        let Some(message) = self.messages.get_mut(key.0) else {
            return;
        };
        message.is_dirty = false;
        message.heard = Some(now);
        let is_only_end_missing = message.announced_total == Some(message.held.end());
        let octets = message.held.octets();
        if message.relay().is_some() && octets > PIECE_OCTETS_MIN && !is_only_end_missing {
            self.write_held_but_one(key);
        }
        let Some(message) = self.messages.get_mut(key.0) else {
            return;
        };
        let copied = message.held.own();
        self.sums.held_octets_copied = self.sums.held_octets_copied.saturating_add(copied as u64);
        let has_to_leave = message.held.octets() > 1;
        if let Some(relay) = message.relay_mut()
            && has_to_leave
            && relay.hold_deadline.is_none()
        {
            let deadline = now.after(HOLD_NS);
            relay.hold_deadline = Some(deadline);
            self.holding.push_back((deadline, key));
        }
    }

    /// The time of held octets is over: they leave although their chunk is open. Messages whose
    /// sender was silent for too long are aborted.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        while let Some(&(deadline, key)) = self.holding.front()
            && deadline <= now
        {
            self.holding.pop_front();
            let message = self.messages.get_mut(key.0);
            let Some(relay) = message.and_then(Message::relay_mut) else {
                continue;
            };
            if relay.hold_deadline == Some(deadline) {
                relay.hold_deadline = None;
                self.write_held_but_one(key);
            }
        }
        self.end_late_reports(now);
        self.end_patience(now);
        self.end_silent(now);
        self.check_invariants_in_debug();
    }

    /// More than one octet is held: a piece without octets would say nothing.
    fn write_held_but_one(&mut self, key: MessageKey) {
        let Some(message) = self.messages.get_mut(key.0) else {
            return;
        };
        let octets = message.held.octets().saturating_sub(1);
        let (start, body) = message.held.take(octets);
        self.write_piece(key, start, body, octets, ContinuationFlag::More);
    }

    fn write_piece(
        &mut self,
        key: MessageKey,
        start: u64,
        body: PieceBody,
        octets: usize,
        flag: ContinuationFlag,
    ) {
        self.strike_out(key);
        let body = if self.planted.is(Defect::AlteredBody) {
            altered(body)
        } else {
            body
        };
        let Some(message) = self.messages.get_mut(key.0) else {
            return;
        };
        let is_kept = message.tally.is_some();
        let Some(relay) = message.relay_mut() else {
            return;
        };
        relay.hold_deadline = None;
        relay.is_end_shown |= flag == ContinuationFlag::Last;
        if relay.late.is_some() && flag != ContinuationFlag::Abort {
            self.keep_for_late(key, start, &body);
        }
        if is_kept {
            self.keep_content(key, start, &body);
        }
        let Some(relay) = self.messages.get_mut(key.0).and_then(Message::relay_mut) else {
            return;
        };
        if relay.to.is_empty() {
            return;
        }
        relay.has_left = true;
        let to = Rc::clone(&relay.to);
        let Some(message) = self.messages.get(key.0) else {
            return;
        };
        let fields = self.fields(message, start, octets, flag);
        let is_last = message.has_left();
        let (sender, kind, class) = (message.sender, message.kind, message.class);
        self.outputs.push_back(Output::Piece {
            fields,
            body,
            to,
            message: key,
            is_last,
            sender,
            kind,
            class,
        });
    }

    /// Ends one copy in the middle of its message: the recipient gets `#` when it got a part and
    /// the rest has not left. Returns whether the copy was open.
    ///
    /// # Spec
    /// RFC 4975 s.7.3.2, s.10.5; AMB-73.
    pub(super) fn end_copy(&mut self, leg: LegKey, key: MessageKey, outcome: Outcome) -> bool {
        if !self.take_copy(leg, key) {
            return false;
        }
        let was_late = self.forget_late(leg, key);
        self.note_settled(leg, key, outcome);
        self.drop_copy(key, outcome);
        if was_late {
            return true;
        }
        let Some(message) = self.messages.get(key.0) else {
            return true;
        };
        let has_all_left = message.has_left();
        let is_under_way = |relay: &&Relay| relay.has_left && !relay.is_complete && !has_all_left;
        if message.relay().filter(is_under_way).is_some() {
            let start = message.held.start();
            let fields = self.fields(message, start, 0, ContinuationFlag::Abort);
            let (sender, kind, class) = (message.sender, message.kind, message.class);
            self.outputs.push_back(Output::Piece {
                fields,
                body: PieceBody::new(),
                to: Rc::new(vec![leg]),
                message: key,
                is_last: false,
                sender,
                kind,
                class,
            });
        }
        true
    }

    /// The header fields of a piece.
    pub(super) fn fields(
        &self,
        message: &Message,
        start: u64,
        octets: usize,
        flag: ContinuationFlag,
    ) -> PieceFields {
        let (success_report, failure_report) = match message.report {
            Some(_) => (SuccessReport::Yes, FailureReport::Yes),
            None if self.is_bridged_message(message) => {
                (message.success_report, message.failure_report)
            }
            None if message.relay().is_some_and(|relay| relay.is_confirmed) => {
                (SuccessReport::No, FailureReport::Yes)
            }
            None => (SuccessReport::No, self.failure_report),
        };
        PieceFields {
            message_id: message.relayed_id,
            byte_range: ByteRange {
                start: start.saturating_add(1),
                // A piece without octets has no last one; `*` is the one legal way to say so.
                end: (octets > 0).then(|| start.saturating_add(octets as u64)),
                total: message.total(),
            },
            success_report,
            failure_report,
            relayed: Rc::clone(&message.relayed),
            content_type: Rc::clone(&message.content_type),
            flag,
        }
    }

    /// Strikes out the recipients whose copy has ended.
    pub(super) fn strike_out(&mut self, key: MessageKey) {
        let relay = self.messages.get_mut(key.0).and_then(Message::relay_mut);
        if let Some(relay) = relay.filter(|relay| relay.is_stale) {
            relay.is_stale = false;
            relay.to = Rc::new(with_open_copy(&self.legs, key, &relay.to));
        }
    }

    /// A queued piece as it is to be written now: without those whose copy has ended since it was
    /// cut. They get nothing more but the `#` itself.
    pub(super) fn is_wanted(&self, output: &mut Output) -> bool {
        let Output::Piece {
            fields,
            to,
            message,
            ..
        } = output
        else {
            return true;
        };
        let relay = self.messages.get(message.0).and_then(Message::relay);
        if fields.flag != ContinuationFlag::Abort
            && relay.is_some_and(|relay| relay.is_stale || !Rc::ptr_eq(to, &relay.to))
        {
            *to = Rc::new(with_open_copy(&self.legs, *message, to));
        }
        !to.is_empty()
    }

    /// Ends the copies of those whose max-size the message passes at this position.
    ///
    /// # Spec
    /// AMB-07 (b).
    pub(super) fn withhold_oversize(&mut self, key: MessageKey, end: u64) {
        let relay = self.messages.get(key.0).and_then(Message::relay);
        if relay
            .and_then(|relay| relay.smallest_max_size)
            .is_none_or(|max| end <= max)
        {
            return;
        }
        self.strike_out(key);
        let Some(message) = self.messages.get_mut(key.0) else {
            return;
        };
        let left_until = message.held.start();
        let Some(relay) = message.relay_mut() else {
            return;
        };
        let legs = &self.legs;
        let max_size = |leg: &LegKey| legs.get(leg.0).and_then(|leg| leg.acceptance.max_size);
        let (over, fits): (Vec<LegKey>, Vec<LegKey>) = relay
            .to
            .iter()
            .partition(|leg| max_size(leg).is_some_and(|max| end > max));
        relay.smallest_max_size = fits.iter().map(max_size).fold(None, smaller);
        relay.oversize_count = relay.oversize_count.saturating_add(over.len());
        relay.fitting_count = relay.fitting_count.saturating_sub(over.len());
        let over = Rc::new(over);
        relay.to = Rc::clone(&over);
        if relay.has_left {
            let body = PieceBody::new();
            self.write_piece(key, left_until, body, 0, ContinuationFlag::Abort);
        }
        if let Some(relay) = self.messages.get_mut(key.0).and_then(Message::relay_mut) {
            relay.to = Rc::new(fits);
        }
        for leg in over.iter() {
            self.withhold(*leg, key);
        }
    }

    fn withhold(&mut self, leg: LegKey, key: MessageKey) {
        let awaited = self.awaited(leg, key);
        if self.take_copy(leg, key) {
            self.note_settled(leg, key, Outcome::Refused);
            self.close_copy(key, Outcome::Refused);
        }
        let max_size = self.legs.get(leg.0).and_then(|leg| leg.acceptance.max_size);
        if let Some((awaited, max)) = awaited.zip(max_size) {
            self.close_report_leg((awaited.report, awaited.index), Status::TooLarge(max));
        }
    }

    /// The message ends in its middle: those who got a part of it get `#`, the others nothing.
    pub(super) fn stop_relay(&mut self, key: MessageKey) {
        let relay = self.messages.get(key.0).and_then(Message::relay);
        if relay.is_some_and(|relay| relay.has_left) {
            self.flush(key, ContinuationFlag::Abort);
        }
        let relay = self.messages.get_mut(key.0).and_then(Message::relay_mut);
        let to = relay
            .map(|relay| std::mem::take(&mut relay.to))
            .unwrap_or_default();
        for leg in to.iter().copied().chain(self.take_late(key)) {
            self.settle(leg, key, Outcome::Aborted);
        }
        self.discard_report(key);
    }

    /// Every octet has left; the message goes when its copies are settled.
    pub(super) fn complete(&mut self, key: MessageKey) {
        let Some(relay) = self.messages.get_mut(key.0).and_then(Message::relay_mut) else {
            return;
        };
        relay.is_complete = true;
        self.end_waiting(key);
        let Some(relay) = self.messages.get(key.0).and_then(Message::relay) else {
            return;
        };
        if relay.open_copies == 0 {
            self.forget(key);
        }
    }

    /// A copy has an outcome; the recipient's own list knows it already.
    pub(super) fn close_copy(&mut self, key: MessageKey, outcome: Outcome) {
        self.settle_sums(key, outcome);
        let Some(relay) = self.messages.get_mut(key.0).and_then(Message::relay_mut) else {
            return;
        };
        relay.open_copies = relay.open_copies.saturating_sub(1);
        if relay.is_complete && relay.open_copies == 0 {
            self.forget(key);
        }
    }

    /// As [`Switch::close_copy`], and the recipient gets nothing more of the message. O(1).
    pub(super) fn drop_copy(&mut self, key: MessageKey, outcome: Outcome) {
        if let Some(relay) = self.messages.get_mut(key.0).and_then(Message::relay_mut) {
            relay.is_stale = true;
            if outcome == Outcome::Refused {
                relay.refused_count = relay.refused_count.saturating_add(1);
            }
            if relay.has_left {
                self.messages.spend_id(key.0);
            }
        }
        self.close_copy(key, outcome);
    }
}

/// A body with another last octet.
fn altered(mut body: PieceBody) -> PieceBody {
    if let Some(last) = body.last_mut()
        && let Some((octet, rest)) = last.split_last()
    {
        *last = [rest, &[!octet]].concat().into();
    }
    body
}

/// Those of the legs that have an open copy of the message, in their order.
fn with_open_copy(legs: &Arena<Leg>, message: MessageKey, to: &[LegKey]) -> Vec<LegKey> {
    let has_copy = |leg: &&LegKey| legs.get(leg.0).is_some_and(|leg| leg.has_copy(message));
    to.iter().filter(has_copy).copied().collect()
}
