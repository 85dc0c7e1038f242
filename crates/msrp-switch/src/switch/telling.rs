//! What controllers are told of single messages, and what is counted for each leg.

use std::collections::BTreeMap;

use msrp_session::PieceBody;
use msrp_wire::ContentType;

use super::Switch;
use super::gathering::from_position;
use crate::content_class::ContentClass;
use crate::final_report::{FinalReport, LegState, Status};
use crate::ledger::Outcome;
use crate::leg::LegKey;
use crate::limits::TOLD_MAX;
use crate::message::{Message, MessageKey, Stage};
use crate::room::RoomKey;
use crate::told::{LegSums, MessageEnd, ReportEnd, Tally, Told};
use crate::told_content::{Kept, MessageContent};

impl Switch {
    /// From now on an account is kept of every message that begins, and [`Switch::poll_told`] tells
    /// its end; or no more. Messages under way keep what they have.
    pub fn tell_messages(&mut self, is_wanted: bool) {
        self.tells_messages = is_wanted;
    }

    /// From now on what a message holds is kept as well while it is relayed, and told with its end; or no more.
    /// Messages of the switch itself are not told so. Wants [`Switch::tell_messages`].
    pub fn tell_content(&mut self, is_wanted: bool) {
        self.tells_content = is_wanted;
    }

    /// The next thing to tell controllers. At most [`TOLD_MAX`] wait.
    pub fn poll_told(&mut self) -> Option<Told> {
        self.told.pop_front()
    }

    /// How many things were not told since the last call because too many waited.
    pub fn take_untold(&mut self) -> u64 {
        std::mem::take(&mut self.untold)
    }

    /// What a leg has sent and got so far.
    #[must_use]
    pub fn leg_sums(&self, leg: LegKey) -> LegSums {
        let sums = self.legs.get(leg.0).and_then(|leg| leg.sums.as_deref());
        sums.copied().unwrap_or_default()
    }

    /// A piece is on its way to a leg; with `ended`, the last one of a message of this class. For callers that want
    /// it in [`LegSums`]: nothing else depends on it.
    pub fn count_left(&mut self, leg: LegKey, octets: u64, ended: Option<ContentClass>) {
        let Some(leg) = self.legs.get_mut(leg.0) else {
            return;
        };
        let sums = leg.sums();
        sums.octets_left = sums.octets_left.saturating_add(octets);
        if let Some(class) = ended {
            sums.left.count(class);
        }
    }

    /// The account of a message that begins now, when one is wanted.
    pub(super) fn tally(&self, room: RoomKey, class: Option<ContentClass>) -> Option<Box<Tally>> {
        self.tells_messages.then(|| {
            Box::new(Tally {
                room,
                class,
                copies: Default::default(),
                kept: None,
            })
        })
    }

    /// Room for what a message of this type holds, when that is to be told.
    pub(super) fn kept(&self, content_type: &ContentType<'_>) -> Option<Kept> {
        self.tells_content.then(|| Kept::new(content_type))
    }

    /// A message was accepted for relaying; with room for what it holds, when that is to be told.
    pub(super) fn note_accepted(
        &mut self,
        key: MessageKey,
        sender: LegKey,
        class: ContentClass,
        kept: Option<Kept>,
    ) {
        self.sums.messages.count(class);
        if let Some(leg) = self.legs.get_mut(sender.0) {
            leg.sums().accepted.count(class);
        }
        let Some(message) = self.messages.get_mut(key.0) else {
            return;
        };
        message.class = class;
        if let Some(tally) = &mut message.tally {
            tally.class = Some(class);
            tally.kept = kept;
        }
    }

    /// A piece of a message leaves: its octets are kept when what it holds is to be told.
    pub(super) fn keep_content(&mut self, key: MessageKey, start: u64, body: &PieceBody) {
        let Some(message) = self.messages.get_mut(key.0) else {
            return;
        };
        let head_octets = message.relay().map_or(0, |relay| relay.head_octets);
        let kept = message.tally.as_mut().and_then(|tally| tally.kept.as_mut());
        let Some(kept) = kept else { return };
        let mut start = start;
        for slice in body {
            let (position, content) = from_position(start, slice.clone(), head_octets);
            kept.take(position.saturating_sub(head_octets), &content);
            start = start.saturating_add(slice.len() as u64);
        }
    }

    /// Counts the outcome of a copy for all together and for its message.
    pub(super) fn settle_sums(&mut self, key: MessageKey, outcome: Outcome) {
        self.sums.settle(outcome);
        let message = self.messages.get_mut(key.0);
        if let Some(tally) = message.and_then(|message| message.tally.as_mut()) {
            tally.copies.count(outcome);
        }
    }

    /// Counts the outcome of a copy for its recipient. The message has to be known still.
    pub(super) fn note_settled(&mut self, leg: LegKey, key: MessageKey, outcome: Outcome) {
        let message = self.messages.get(key.0);
        let octets = message.map_or(0, |message| {
            let end = message.coverage.end();
            message.counted_total.unwrap_or(end)
        });
        if let Some(leg) = self.legs.get_mut(leg.0) {
            leg.sums().settle(outcome, octets);
        }
    }

    /// Takes a message out, and tells of it.
    pub(super) fn forget(&mut self, key: MessageKey) {
        let Some(mut message) = self.messages.remove(key.0) else {
            return;
        };
        if let Some(mut tally) = message.tally.take() {
            let kept = tally.kept.take();
            self.tell(Told::Message(message_end(&message, &tally)));
            if let Some(kept) = kept {
                self.tell(Told::Content(content(&message, tally.room, kept)));
            }
        }
    }

    /// A final report is complete, or nobody is there to get it.
    pub(super) fn tell_report(&mut self, report: &FinalReport, is_sent: bool) {
        if !self.tells_messages {
            return;
        }
        let Some(room) = self.legs.get(report.sender.0).map(|leg| leg.room) else {
            return;
        };
        let mut results = BTreeMap::<u16, u32>::new();
        for leg in &report.legs {
            if let LegState::Final(status) = leg.state {
                let code = match status {
                    Status::Code(code) => code.value(),
                    Status::TooLarge(_) => TOO_LARGE,
                };
                let count = results.entry(code).or_default();
                *count = count.saturating_add(1);
            }
        }
        self.tell(Told::Report(ReportEnd {
            room,
            sender: report.sender,
            message_id: report.message_id,
            is_sent,
            results: results.into_iter().collect(),
        }));
    }

    fn tell(&mut self, told: Told) {
        if self.told.len() < TOLD_MAX {
            self.told.push_back(told);
        } else {
            self.untold = self.untold.saturating_add(1);
        }
    }
}

fn message_end(message: &Message, tally: &Tally) -> MessageEnd {
    MessageEnd {
        room: tally.room,
        sender: message.sender,
        message_id: message.id,
        octets: message.counted_total.unwrap_or(message.coverage.end()),
        class: tally.class,
        refused: match message.stage {
            Stage::Refused(status) => Some(status),
            Stage::Gathering | Stage::Relaying(_) => None,
        },
        copies: tally.copies,
    }
}

fn content(message: &Message, room: RoomKey, kept: Kept) -> MessageContent {
    let head_octets = message.relay().map_or(0, |relay| relay.head_octets);
    let end = head_octets.saturating_add(kept.octets.len() as u64);
    MessageContent {
        room,
        sender: message.sender,
        message_id: message.id,
        content_type: kept.content_type,
        octets: kept.octets,
        is_whole: message.counted_total == Some(end),
    }
}

/// What stands in a document for a recipient whose max-size the message passes (AMB-07).
const TOO_LARGE: u16 = 9999;
