//! The switch: routes inputs to rooms, legs and messages, and says what to write.
//!
//! # Contract
//!
//! One input, then [`Switch::poll_output`] until `None`. For each request that is a SEND on a
//! leg: [`Switch::handle_chunk`], [`Switch::handle_body`] for each run of its octets in order,
//! [`Switch::handle_end`]. When all input of a turn has been handled, [`Switch::end_turn`]. The
//! caller settles each copy that an [`Output::Piece`] ended: [`Switch::settle`], or
//! [`Switch::settle_refused`] with the status of an error response. REPORTs of recipients go to
//! [`Switch::handle_report`]. Of a piece whose `success_report` is `Yes` a final report is made:
//! when the last one is written, [`Switch::handle_written`] starts its time.
//!
//! # What stays in memory
//!
//! Receive buffers are shared by handle until the end of the turn; what must wait longer is
//! copied and counted ([`Sums::held_octets_copied`]). A message keeps its last octet back while
//! its chunk is open, so that the flag of a piece is known when the piece is made and no piece
//! needs to be empty.

mod bridging;
mod chunk;
mod delivering;
mod gathering;
mod naming;
mod own_message;
mod relaying;
mod reporting;
mod silence;
mod telling;

use std::cell::Cell;
use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;

use bytes::Bytes;
use msrp_session::{Arena, IdSource, PieceBody, PieceFields, Timestamp};
use msrp_wire::{ByteRange, ContentTypeBuf, FailureReport, MessageId, StatusCode};

use crate::acceptance::Acceptance;
use crate::content_class::ContentClass;
use crate::defect::Planted;
use crate::final_report::{FinalReport, ReportKey, Status};
use crate::kind::Kind;
use crate::ledger::{Outcome, Sums};
use crate::leg::{Leg, LegKey, LegSpec, OpenChunk, Participant};
use crate::message::{Message, MessageKey, Stage};
use crate::messages::Messages;
use crate::rate::{Pace, Rate};
use crate::recipient_error::RecipientError;
use crate::refused::Refused;
use crate::room::{Room, RoomKey, RoomSpec};
use crate::rules::Rules;
use crate::told::{LegSums, Told};

pub use naming::NicknameChange;

/// What the caller is to do.
#[derive(Debug)]
pub enum Output {
    /// Answer the chunk that is open on this leg, unless its Failure-Report forbids it.
    Respond {
        /// The leg.
        leg: LegKey,
        /// The status.
        status: StatusCode,
        /// Whether the sender wants to hear it.
        is_due: bool,
        /// Why, when it is not 200.
        refused: Option<Refused>,
    },
    /// Write one SEND to each of these legs.
    Piece {
        /// Its header fields.
        fields: PieceFields,
        /// Its body.
        body: PieceBody,
        /// The recipients, in the order in which they joined.
        to: Rc<Vec<LegKey>>,
        /// The message.
        message: MessageKey,
        /// Whether it is the last piece of the message: once it is written, or answered where
        /// an answer is asked for, the caller settles the copies.
        is_last: bool,
        /// Whose message it is; `None` when it is the switch's own.
        sender: Option<LegKey>,
        /// What its content is; belongs into [`Switch::settle_refused`] with an error response.
        kind: Option<Kind>,
        /// What its content is for.
        class: ContentClass,
    },
    /// Send a REPORT to the sender of a message.
    Report {
        /// The sender's leg.
        leg: LegKey,
        /// The message, under the id that the sender gave it.
        message_id: MessageId,
        /// The octets that are reported on.
        byte_range: ByteRange,
        /// What became of them.
        status: StatusCode,
        /// A document of a final report, with its type.
        body: Option<(ContentTypeBuf, Bytes)>,
    },
    /// Stop reading what this leg sends, or go on with it: others that its message is for are not
    /// there yet. Advice; what comes all the same is relayed.
    HoldSender {
        /// The leg.
        leg: LegKey,
        /// Whether it is to wait from now on.
        is_held: bool,
    },
    /// A leg that had not joined misses a message: as much of it as may be kept has passed.
    TooLate {
        /// The leg.
        leg: LegKey,
    },
    /// Write a SEND of the switch itself to this leg. No answer comes to it.
    OwnMessage {
        /// The leg.
        leg: LegKey,
        /// Its header fields.
        fields: PieceFields,
        /// Its body.
        body: PieceBody,
    },
}

/// How a switch behaves in all rooms.
#[derive(Debug, Clone)]
pub struct SwitchConfig {
    /// The Failure-Report value of what leaves: `Partial` spares the recipients their 200
    /// (AMB-28), `Yes` asks for it.
    pub failure_report: FailureReport,
    /// How long a final report waits for REPORTs after the last octet was written to the slowest
    /// recipient, in nanoseconds.
    pub final_report_ns: u64,
    /// What the operator decided.
    pub rules: Rules,
    /// The seed of the Message-IDs that the switch makes.
    pub seed: [u8; 32],
}

/// All rooms of one core.
#[derive(Debug)]
pub struct Switch {
    rooms: Arena<Room>,
    legs: Arena<Leg>,
    messages: Messages,
    outputs: VecDeque<Output>,
    /// Messages that hold octets which arrived in this turn.
    dirty: Vec<MessageKey>,
    /// Messages that hold octets over a turn, earliest deadline first.
    holding: VecDeque<(Timestamp, MessageKey)>,
    /// When to look for messages whose sender is silent.
    silence_walk: Option<Timestamp>,
    failure_report: FailureReport,
    rules: Rules,
    /// Final reports that are being collected.
    reports: Arena<FinalReport>,
    /// Those of which every copy is written and that have no deadline yet.
    untimed_reports: Vec<ReportKey>,
    report_deadlines: BTreeSet<(Timestamp, ReportKey)>,
    final_report_ns: u64,
    /// Reports of which something may be told at the end of the turn.
    interim_reports: Vec<ReportKey>,
    /// Messages whose sender has begun to wait for those who have not joined.
    patience_begun: Vec<MessageKey>,
    patience_ends: BTreeSet<(Timestamp, MessageKey)>,
    /// Octets kept for those who have not joined, of all messages.
    late_octets: u64,
    ids: IdSource,
    sums: Sums,
    /// Whether controllers want to know of single messages.
    tells_messages: bool,
    tells_content: bool,
    told: VecDeque<Told>,
    untold: u64,
    planted: Planted,
    /// Calls since the invariants were checked last.
    unchecked_calls: Cell<usize>,
}

impl Switch {
    /// A switch without rooms.
    #[must_use]
    pub fn new(config: &SwitchConfig) -> Self {
        Self {
            rooms: Arena::new(),
            legs: Arena::new(),
            messages: Messages::new(),
            outputs: VecDeque::new(),
            dirty: Vec::new(),
            holding: VecDeque::new(),
            silence_walk: None,
            failure_report: config.failure_report,
            rules: config.rules,
            reports: Arena::new(),
            untimed_reports: Vec::new(),
            report_deadlines: BTreeSet::new(),
            final_report_ns: config.final_report_ns,
            interim_reports: Vec::new(),
            patience_begun: Vec::new(),
            patience_ends: BTreeSet::new(),
            late_octets: 0,
            ids: IdSource::from_seed(config.seed),
            sums: Sums::default(),
            tells_messages: false,
            tells_content: false,
            told: VecDeque::new(),
            untold: 0,
            planted: Planted::default(),
            unchecked_calls: Cell::default(),
        }
    }

    /// From now on the switch has this defect.
    #[cfg(feature = "planted-defects")]
    pub fn plant(&mut self, defect: crate::Defect) {
        self.planted.plant(defect);
    }

    /// Makes a room. `None` when no more rooms fit into memory.
    pub fn create_room(&mut self, spec: RoomSpec) -> Option<RoomKey> {
        self.rooms.insert(Room::new(spec)).map(RoomKey)
    }

    /// Ends every unfinished message of a room: those who got a part of it get `#`. For a room that
    /// is about to close, so that nobody is left with half a message because it was served first.
    pub fn end_messages(&mut self, room: RoomKey) {
        let legs = self.rooms.get(room.0).map(|room| room.legs.clone());
        for key in legs.unwrap_or_default() {
            let Some(leg) = self.legs.get_mut(key.0) else {
                continue;
            };
            leg.chunk = OpenChunk::Closed;
            for (_, message) in std::mem::take(&mut leg.sending) {
                self.abort(message);
            }
        }
        self.check_invariants_in_debug();
    }

    /// Ends a room: every leg leaves, then the room is gone.
    pub fn close_room(&mut self, key: RoomKey) {
        let legs = self
            .rooms
            .get_mut(key.0)
            .map(|room| std::mem::take(&mut room.legs))
            .unwrap_or_default();
        for leg in legs {
            self.leave(leg);
        }
        self.rooms.remove(key.0);
    }

    /// Puts a participant's session into a room. It gets messages once it has
    /// [joined](Switch::join).
    pub fn add_leg(&mut self, room: RoomKey, spec: LegSpec) -> Option<LegKey> {
        self.rooms.get(room.0)?;
        let key = LegKey(self.legs.insert(Leg::new(room, spec))?);
        self.rooms.get_mut(room.0)?.legs.push(key);
        Some(key)
    }

    /// Sets what a leg takes and may do, from its session description.
    pub fn set_acceptance(
        &mut self,
        leg: LegKey,
        mut acceptance: Acceptance,
        may_send: bool,
        may_receive: bool,
    ) {
        let room = self
            .legs
            .get(leg.0)
            .and_then(|leg| self.rooms.get(leg.room.0));
        let others = room.map_or(&[][..], |room| &room.legs);
        others
            .iter()
            .take(ACCEPTANCES_COMPARED_MAX)
            .filter_map(|other| self.legs.get(other.0))
            .any(|other| acceptance.share(&other.acceptance));
        if let Some(leg) = self.legs.get_mut(leg.0) {
            leg.acceptance = acceptance;
            leg.may_send = may_send;
            leg.may_receive = may_receive;
        }
    }

    /// From now on the leg gets the messages that start. In a room with [`Delivery`](crate::Delivery) it gets what is kept
    /// for it as well.
    pub fn join(&mut self, key: LegKey) {
        if let Some(leg) = self.legs.get_mut(key.0) {
            leg.is_joined = true;
        }
        self.serve_late(key);
        self.check_invariants_in_debug();
    }

    /// Ends a leg. Messages that it was sending end with `#` towards the others; its open copies
    /// have failed. Returns what it has sent and got.
    ///
    /// # Spec
    /// UPS-7.2.3.3-12, UPS-7.2.3.3-13; CTRL-7.2.1.10-02.
    pub fn leave(&mut self, key: LegKey) -> LegSums {
        self.restart(key);
        let Some(leg) = self.legs.get_mut(key.0) else {
            return LegSums::default();
        };
        let sums = leg.sums.as_deref().copied().unwrap_or_default();
        let room = leg.room;
        let reports = std::mem::take(&mut leg.reports);
        self.skip_reports(reports.into());
        self.remember_unserved(key);
        self.legs.remove(key.0);
        if let Some(room) = self.rooms.get_mut(room.0) {
            room.legs.retain(|leg| *leg != key);
            room.nicknames.release(key);
        }
        self.check_invariants_in_debug();
        sums
    }

    /// A leg goes on with another session in the place of the one it had. Messages that it was
    /// sending end with `#` towards the others; its open copies have failed. It stays in the room,
    /// with everything else that is known of it.
    ///
    /// # Spec
    /// RFC 4975 s.5.4: a message is not split over two sessions.
    pub fn restart(&mut self, key: LegKey) {
        let Some(leg) = self.legs.get_mut(key.0) else {
            return;
        };
        leg.chunk = OpenChunk::Closed;
        let sending = std::mem::take(&mut leg.sending);
        let receiving = std::mem::take(&mut leg.receiving);
        let awaited = std::mem::take(&mut leg.awaited);
        for (_, message) in sending {
            self.abort(message);
        }
        for message in receiving {
            let failed = self.bridged_failure(message);
            self.forget_late(key, message);
            self.note_settled(key, message, Outcome::Failed);
            self.drop_copy(message, Outcome::Failed);
            self.tell_bridged_failure(failed, StatusCode::NO_SESSION);
        }
        for awaited in awaited {
            let ended = Status::Code(StatusCode::NO_SESSION);
            self.close_report_leg((awaited.report, awaited.index), ended);
        }
        self.check_invariants_in_debug();
    }

    /// Tells what became of a copy. Settling a copy twice, or one that the switch has settled
    /// itself, changes nothing. After an outcome other than delivered and sent the leg gets
    /// nothing more of the message.
    pub fn settle(&mut self, leg: LegKey, message: MessageKey, outcome: Outcome) {
        let is_good = matches!(outcome, Outcome::Delivered | Outcome::Sent);
        if is_good && self.settle_at_once(leg, message, outcome) {
            return;
        }
        let awaited = self.awaited(leg, message);
        if !self.take_copy(leg, message) {
            return;
        }
        self.forget_late(leg, message);
        self.note_settled(leg, message, outcome);
        match outcome {
            Outcome::Delivered | Outcome::Sent => self.close_copy(message, outcome),
            Outcome::Failed => {
                let failed = self.bridged_failure(message);
                self.drop_copy(message, outcome);
                self.tell_bridged_failure(failed, StatusCode::TIMEOUT);
            }
            Outcome::Refused | Outcome::Aborted => self.drop_copy(message, outcome),
        }
        let Some(awaited) = awaited else { return };
        let status = match outcome {
            Outcome::Delivered | Outcome::Sent => return self.note_answered(awaited),
            Outcome::Refused => StatusCode::STOP_SENDING,
            Outcome::Failed => StatusCode::TIMEOUT,
            // The message ends, and its report with it.
            Outcome::Aborted => return,
        };
        self.close_report_leg((awaited.report, awaited.index), Status::Code(status));
    }

    /// Settles a copy that the recipient answered with an error. A message that is still under way
    /// ends with `#` for it; a final report says the status. After 415 the leg gets no more of that
    /// kind, also when the message itself is gone. Whether the session goes on is said by
    /// [`RecipientError`]: the caller ends it where it does not.
    ///
    /// # Spec
    /// RFC 4975 s.10; MSRP-4975-10-01, -03, -06; AMB-73.
    pub fn settle_refused(
        &mut self,
        leg: LegKey,
        message: MessageKey,
        kind: Option<Kind>,
        status: StatusCode,
    ) {
        let error = RecipientError::of_response(status);
        if error == RecipientError::TypeRefused
            && let Some((leg, kind)) = self.legs.get_mut(leg.0).zip(kind)
        {
            leg.refused_kinds.insert(kind);
        }
        let awaited = self.awaited(leg, message);
        let failed = self.open_or_late_failure(leg, message);
        let was_open = self.end_copy(leg, message, error.outcome());
        self.tell_bridged_failure(failed, status);
        if let Some(awaited) = awaited.filter(|_| was_open) {
            self.close_report_leg((awaited.report, awaited.index), Status::Code(status));
        }
        self.check_invariants_in_debug();
    }

    /// Settles a copy of which an answer did not come in time: as an answer of 408.
    ///
    /// # Spec
    /// MSRP-4975-10-01.
    pub fn settle_timed_out(&mut self, leg: LegKey, message: MessageKey) {
        self.settle_refused(leg, message, None, StatusCode::TIMEOUT);
    }

    /// Ends every open copy of a leg: with `#` where a part of the message has left. For a session
    /// that is about to end in good order, so that its participant is not left with half a message.
    pub fn end_copies(&mut self, key: LegKey) {
        let copies = self.legs.get(key.0).map(|leg| leg.receiving.clone());
        for message in copies.unwrap_or_default() {
            let awaited = self.awaited(key, message);
            let failed = self.bridged_failure(message);
            self.end_copy(key, message, Outcome::Failed);
            self.tell_bridged_failure(failed, StatusCode::NO_SESSION);
            if let Some(awaited) = awaited {
                let ended = Status::Code(StatusCode::NO_SESSION);
                self.close_report_leg((awaited.report, awaited.index), ended);
            }
        }
        self.check_invariants_in_debug();
    }

    /// A participant is somebody else from now on, or may do something else. Messages of which the
    /// wrapper was read keep the decision that was made.
    pub fn update_participant(&mut self, leg: LegKey, participant: Participant) {
        if let Some(leg) = self.legs.get_mut(leg.0) {
            leg.update(participant);
        }
    }

    /// Takes the word from a participant, or gives it back. While it is muted, the messages that it
    /// starts are refused with [`Refused::SenderMayNotSend`](crate::Refused::SenderMayNotSend).
    pub fn set_muted(&mut self, leg: LegKey, is_muted: bool) {
        if let Some(leg) = self.legs.get_mut(leg.0) {
            leg.is_muted = is_muted;
        }
    }

    /// Whether the word was taken from a participant.
    #[must_use]
    pub fn is_muted(&self, leg: LegKey) -> bool {
        self.legs.get(leg.0).is_some_and(|leg| leg.is_muted)
    }

    /// Says how often a participant may begin a message; `None` as often as it likes. Beyond that its messages are
    /// refused with [`Refused::TooFast`](crate::Refused::TooFast). What it has sent under an earlier rate counts.
    pub fn set_rate(&mut self, leg: LegKey, rate: Option<Rate>) {
        let Some(leg) = self.legs.get_mut(leg.0) else {
            return;
        };
        let paid = leg.pace.as_ref().map(|pace| pace.paid).unwrap_or_default();
        leg.pace = rate.map(|rate| Box::new(Pace { rate, paid }));
    }

    /// How often a participant may begin a message; `None` when nobody said so.
    #[must_use]
    pub fn rate(&self, leg: LegKey) -> Option<Rate> {
        Some(self.legs.get(leg.0)?.pace.as_ref()?.rate)
    }

    /// Who the participant of a leg is at present. Copies; for controllers, not for chunks.
    #[must_use]
    pub fn participant(&self, leg: LegKey) -> Option<Participant> {
        self.legs.get(leg.0).map(Leg::participant)
    }

    /// A room has other rules from now on. Messages of which the wrapper was read keep what was decided
    /// for them, and nicknames stay with those who have them.
    pub fn update_room(&mut self, room: RoomKey, spec: RoomSpec) {
        if let Some(room) = self.rooms.get_mut(room.0) {
            room.update(spec);
        }
    }

    /// The rules of a room. Copies; for controllers, not for chunks.
    #[must_use]
    pub fn room_spec(&self, room: RoomKey) -> Option<RoomSpec> {
        self.rooms.get(room.0).map(Room::spec)
    }

    /// The earliest moment at which [`Switch::handle_timeout`] has something to do.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let walk = self.silence_walk.filter(|_| !self.messages.is_empty());
        let held = self.holding.front().map(|(deadline, _)| *deadline);
        let report = self.report_deadlines.first().map(|(deadline, _)| *deadline);
        let patience = self.patience_ends.first().map(|(deadline, _)| *deadline);
        held.into_iter()
            .chain(walk)
            .chain(report)
            .chain(patience)
            .min()
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        while let Some(mut output) = self.outputs.pop_front() {
            if self.is_wanted(&mut output) {
                return Some(output);
            }
        }
        None
    }

    /// Whether no message is on its way: none is arriving, no copy is open, no final report waits,
    /// nothing is left to do.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.messages.is_empty() && self.reports.is_empty() && self.outputs.is_empty()
    }

    /// Whether only refused messages are left, whose senders have not said that they end.
    #[must_use]
    pub fn is_waiting_for_ends(&self) -> bool {
        let is_refused = |message: &Message| matches!(message.stage, Stage::Refused(_));
        self.messages.iter().all(|(_, message)| is_refused(message))
            && self.reports.is_empty()
            && self.outputs.is_empty()
    }

    /// Copies by outcome.
    #[must_use]
    pub fn sums(&self) -> Sums {
        self.sums
    }

    /// How many legs the room has.
    #[must_use]
    pub fn legs_count(&self, room: RoomKey) -> usize {
        self.rooms.get(room.0).map_or(0, |room| room.legs.len())
    }

    /// The ledger is whole: every copy that was opened is settled or known to be open at both
    /// ends, and every message is known to its sender or waits for a copy.
    ///
    /// # Panics
    /// When it is not: a defect of the switch.
    #[expect(
        clippy::panic,
        reason = "a broken ledger means wrong outcomes; stop where it is seen"
    )]
    pub fn check_invariants(&self) {
        let open: usize = self
            .messages
            .iter()
            .filter_map(|(_, m)| m.relay())
            .map(|r| r.open_copies)
            .sum();
        let receiving: usize = self.legs.iter().map(|(_, leg)| leg.receiving.len()).sum();
        let unsettled = self.sums.opened.saturating_sub(self.sums.settled());
        let sound = open == receiving
            && unsettled == open as u64
            && self.sums.settled() <= self.sums.opened
            && self.are_reports_sound()
            && self.are_nicknames_sound()
            && self.are_late_sound()
            && self
                .legs
                .iter()
                .flat_map(|(_, leg)| &leg.receiving)
                .all(|message| {
                    self.messages
                        .get(message.0)
                        .is_some_and(|message| message.relay().is_some())
                })
            && self
                .messages
                .iter()
                .all(|(key, message)| self.is_kept_for_a_reason(MessageKey(key), message));
        if !sound {
            panic!(
                "ledger: {:?}, open {open}, receiving {receiving}",
                self.sums
            );
        }
    }

    fn is_kept_for_a_reason(&self, key: MessageKey, message: &Message) -> bool {
        let sender = message.sender.and_then(|sender| self.legs.get(sender.0));
        let is_sending =
            sender.is_some_and(|leg| leg.sending.iter().any(|(_, other)| *other == key));
        let has_open_copies = message.relay().is_some_and(|relay| relay.open_copies > 0);
        if message.is_unfinished() {
            is_sending
        } else {
            has_open_copies && !is_sending
        }
    }

    /// A check walks over everything. While there are many legs only every so manyth call checks, so that
    /// a call costs a debug build the same whatever their number.
    fn check_invariants_in_debug(&self) {
        if cfg!(debug_assertions) {
            let calls = self.unchecked_calls.get().saturating_add(1);
            let is_due = calls > self.legs.len() / LEGS_CHECKED_AT_ONCE;
            self.unchecked_calls.set(if is_due { 0 } else { calls });
            if is_due {
                self.check_invariants();
            }
        }
    }

    /// A copy ended well and nobody who is late is waited for: the usual case, in which everything is looked up once.
    /// `false` when it is another case; nothing has happened then.
    fn settle_at_once(&mut self, to: LegKey, key: MessageKey, outcome: Outcome) -> bool {
        let Some((message, leg)) = (self.messages.get_mut(key.0)).zip(self.legs.get_mut(to.0))
        else {
            return false;
        };
        let octets = message.counted_total;
        let octets = octets.unwrap_or_else(|| message.coverage.end());
        let report = message.report;
        let Some(relay) = message.relay_mut().filter(|relay| relay.late.is_none()) else {
            return false;
        };
        if !leg.take_copy(key) {
            return true;
        }
        relay.open_copies = relay.open_copies.saturating_sub(1);
        let is_over = relay.is_complete && relay.open_copies == 0;
        if let Some(tally) = &mut message.tally {
            tally.copies.count(outcome);
        }
        leg.sums().settle(outcome, octets);
        let awaited = report.and_then(|report| leg.awaited_in(report));
        self.sums.settle(outcome);
        if is_over {
            self.forget(key);
        }
        if let Some(awaited) = awaited {
            self.note_answered(awaited);
        }
        true
    }

    /// Whether the leg had an open copy of the message; it has none afterwards.
    fn take_copy(&mut self, leg: LegKey, message: MessageKey) -> bool {
        self.legs
            .get_mut(leg.0)
            .is_some_and(|leg| leg.take_copy(message))
    }

    fn respond(&mut self, leg: LegKey, status: StatusCode, refused: Option<Refused>) {
        let failure_report = match self.legs.get(leg.0) {
            Some(leg) => leg.chunk_failure_report,
            None => return,
        };
        let is_due = msrp_session::answering::is_response_due(failure_report, status);
        self.outputs.push_back(Output::Respond {
            leg,
            status,
            is_due,
            refused,
        });
    }

    /// Ends a message because its sender did.
    fn abort(&mut self, key: MessageKey) {
        self.stop_relay(key);
        self.forget(key);
    }
}

/// Participants of a room with whom a new one's list of types is compared, to keep it once.
const ACCEPTANCES_COMPARED_MAX: usize = 8;

/// Legs up to which a debug build checks the invariants at every call.
const LEGS_CHECKED_AT_ONCE: usize = 256;
