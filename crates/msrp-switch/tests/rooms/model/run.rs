//! The switch and the model side by side.

use std::collections::BTreeMap;

use msrp_switch::limits::HOLD_NS;
use msrp_switch::{MessageKey, Outcome, RoomSpec};

use super::plan::{GUESTS_MAX, Plan, Step, Takes};
use super::{Guest, Message, Model, State, name, name_of};
use crate::harness::*;

/// Runs a plan through the switch and the model side by side.
pub(super) struct Run {
    house: House,
    model: Model,
    fates: Vec<u8>,
    keys: BTreeMap<MessageKey, usize>,
    told_seen: usize,
}

impl Run {
    pub(super) fn new(plan: &Plan) -> Self {
        let spec = RoomSpec {
            uri: ROOM.to_owned(),
            addresses: vec![identity(ROOM)],
            message_octets_max: plan.room_max as u64,
            private_messages: plan.private_messages,
            nicknames: true,
        };
        let mut house = House::with(spec, plan.failure_report, []);
        house.settling = Settling::ByTest;
        for guest_plan in &plan.guests {
            let (types, wrapped) = match guest_plan.takes {
                Takes::Everything => ("*", ""),
                Takes::Text => ("message/cpim", "text/plain"),
                Takes::Images => ("message/cpim", "image/*"),
                Takes::NoCpim => ("text/plain image/png", ""),
            };
            let guest = guest(&name_of(guest_plan.name))
                .takes(types, wrapped, guest_plan.max_size.map(|max| max as u64))
                .may(guest_plan.may_send, guest_plan.may_receive);
            let who = house.add(guest);
            if guest_plan.is_early {
                house.join(who);
            }
        }
        let messages = (0..).zip(&plan.messages);
        Self {
            house,
            model: Model {
                room_max: plan.room_max,
                private_messages: plan.private_messages,
                guests: plan.guests.iter().map(Guest::new).collect(),
                messages: messages
                    .map(|(index, message)| Message::new(index, message, &plan.guests))
                    .collect(),
                expected: Vec::new(),
                expected_reports: Vec::new(),
                opened: 0,
                outcomes: BTreeMap::new(),
            },
            fates: plan.fates.clone(),
            keys: BTreeMap::new(),
            told_seen: 0,
        }
    }

    pub(super) fn step(&mut self, step: Step) {
        let guests = self.model.guests.len();
        match step {
            Step::Speak {
                who,
                message,
                octets,
            } => self.speak(who % guests, message, octets),
            Step::EndTurn => self.house.end_turn(),
            Step::Pass(ns) => self.house.pass_ns(ns),
            Step::Quiet => {
                self.house.end_turn();
                self.house.pass_ns(HOLD_NS);
            }
            Step::Join(who) => {
                let who = who % guests;
                self.house.join(who);
                self.model.guests[who].is_joined = true;
            }
            Step::Leave(who) => {
                let who = who % guests;
                self.house.leave(who);
                self.model.leave(who);
            }
            Step::SettleNext => self.settle_next(),
        }
        self.look_at_pieces();
        self.compare_told();
        if matches!(step, Step::Leave(_)) {
            for (who, guest) in self.model.guests.iter_mut().enumerate() {
                if !guest.is_here {
                    let pieces = self.house.pieces(who).len();
                    guest.pieces_at_leave.get_or_insert(pieces);
                }
            }
        }
        if matches!(step, Step::Quiet) {
            self.check_nothing_waits();
        }
    }

    fn settle_next(&mut self) {
        if let Some((who, key)) = self.house.settle_next() {
            let message = self.keys[&key];
            let outcome = self.house.good_outcome();
            self.model.settle(message, who, outcome);
        }
    }

    /// A guest sends the next octets of its chunk, or of the next chunk of one of its messages.
    fn speak(&mut self, who: Who, selector: usize, octets: usize) {
        if !self.model.guests[who].is_here {
            return;
        }
        if self.model.guests[who].wire.is_empty() {
            let Some(index) = self.next_message(who, selector) else {
                return;
            };
            let chunk = self.model.messages[index].chunk().unwrap();
            let wire = self.house.encode(&chunk);
            let guest = &mut self.model.guests[who];
            (guest.wire, guest.speaking) = (wire, index);
        }
        let rest = {
            let wire = &mut self.model.guests[who].wire;
            wire.split_off(octets.min(wire.len()))
        };
        let now = std::mem::replace(&mut self.model.guests[who].wire, rest);
        let Self {
            house,
            model,
            fates,
            keys,
            told_seen,
        } = self;
        house.read_and_tell(who, &now, |house, given| {
            match given {
                Given::Head(head) => {
                    let start = head.byte_range.unwrap().start - 1;
                    let speaking = model.guests[who].speaking;
                    let start = usize::try_from(start).unwrap();
                    model.on_head(speaking, start, head.has_body);
                }
                Given::Body(octets) => model.on_body(who, octets),
                Given::End(flag) => model.on_end(who, flag),
            }
            look_at_pieces(house, model, fates, keys);
            compare_told(house, model, told_seen);
        });
    }

    /// A message of this guest of which something is to be sent. Two messages of one sender under
    /// one id follow each other.
    fn next_message(&self, who: Who, selector: usize) -> Option<usize> {
        let messages = &self.model.messages;
        let is_blocked = |index: usize| {
            messages[..index].iter().any(|other| {
                other.plan.sender == who
                    && other.plan.id == messages[index].plan.id
                    && (other.state != State::Unknown || !other.chunks.is_empty())
            })
        };
        let ready: Vec<usize> = (0..messages.len())
            .filter(|i| messages[*i].plan.sender == who)
            .filter(|i| !messages[*i].chunks.is_empty() && !is_blocked(*i))
            .collect();
        (!ready.is_empty()).then(|| ready[selector % ready.len()])
    }

    fn look_at_pieces(&mut self) {
        look_at_pieces(
            &mut self.house,
            &mut self.model,
            &self.fates,
            &mut self.keys,
        );
    }

    fn compare_told(&mut self) {
        compare_told(&self.house, &mut self.model, &mut self.told_seen);
    }

    /// Of every open copy all octets have left, but for the last one of an open chunk.
    fn check_nothing_waits(&self) {
        for (index, message) in self.model.messages.iter().enumerate() {
            if message.state != State::Relaying {
                continue;
            }
            for (who, copy) in &message.copies {
                if copy.outcome.is_none() {
                    assert!(
                        copy.octets + 1 >= message.accepted_octets,
                        "message {index} to {who}: {} of {} left",
                        copy.octets,
                        message.accepted_octets
                    );
                }
            }
        }
    }

    pub(super) fn finish(&mut self) {
        let guests = self.model.guests.len();
        for _ in 0..200 {
            for who in 0..guests {
                self.step(Step::Speak {
                    who,
                    message: 0,
                    octets: 40_000,
                });
            }
        }
        self.step(Step::Quiet);
        while !self.house.unsettled.is_empty() {
            self.step(Step::SettleNext);
        }
        let messages = &self.model.messages;
        if messages
            .iter()
            .all(|message| message.state == State::Unknown)
        {
            assert!(self.house.switch.is_idle());
        }
        for who in 0..guests {
            self.step(Step::Leave(who));
        }
        self.house.pass_ns(HOLD_NS);
        assert!(self.house.switch.is_idle());
        assert_eq!(self.house.switch.poll_timeout(), None);
        self.check_sums();
        for who in 0..guests {
            self.check_inbox(who);
        }
    }

    fn check_sums(&self) {
        let sums = self.house.switch.sums();
        let of = |outcome| self.model.outcomes.get(name(outcome)).copied().unwrap_or(0);
        assert_eq!(sums.opened, self.model.opened);
        assert_eq!(sums.delivered, of(Outcome::Delivered));
        assert_eq!(sums.sent, of(Outcome::Sent));
        assert_eq!(sums.refused, of(Outcome::Refused));
        assert_eq!(sums.failed, of(Outcome::Failed));
        assert_eq!(sums.aborted, of(Outcome::Aborted));
    }

    fn check_inbox(&self, who: Who) {
        let guest = &self.model.guests[who];
        assert_eq!(guest.pieces_at_leave, Some(self.house.pieces(who).len()));
        for (index, message) in self.model.messages.iter().enumerate() {
            let tag = format!("Subject: m{index:02}\r\n").into_bytes();
            let got: Vec<&Got> = self
                .house
                .inbox(who)
                .iter()
                .filter(|got| got.octets.iter().zip(&tag).all(|(a, b)| *a == Some(*b)))
                .collect();
            let Some(copy) = message.copies.get(&who) else {
                assert!(got.is_empty(), "message {index} was not for {who}");
                continue;
            };
            assert!(got.len() <= 1, "message {index} twice to {who}");
            for got in &got {
                let octets = got.octets.iter().zip(&message.body);
                assert!(octets.into_iter().all(|(a, b)| a.is_none_or(|a| a == *b)));
            }
            match copy.outcome.expect("an outcome") {
                Outcome::Delivered | Outcome::Sent => {
                    let is_same = got[0].text() == message.body;
                    assert!(is_same, "message {index} to {who} changed");
                    assert!(got[0].is_complete());
                }
                Outcome::Aborted => {
                    assert!(got.iter().all(|got| got.is_aborted), "{index} to {who}");
                }
                Outcome::Refused | Outcome::Failed => {
                    if copy.is_withheld {
                        assert!(got.iter().all(|got| got.is_aborted), "{index} to {who}");
                    } else {
                        assert_eq!(Some(copy.pieces), copy.pieces_at_end, "{index} to {who}");
                    }
                }
            }
        }
    }
}

/// Counts the pieces that have come, and lets recipients refuse or fail as their fate says.
fn look_at_pieces(
    house: &mut House,
    model: &mut Model,
    fates: &[u8],
    keys: &mut BTreeMap<MessageKey, usize>,
) {
    for who in 0..model.guests.len() {
        let seen = model.guests[who].pieces_seen;
        let pieces: Vec<GotPiece> = house.pieces(who)[seen..].to_vec();
        model.guests[who].pieces_seen += pieces.len();
        for piece in pieces {
            let index = *keys.entry(piece.key).or_insert_with(|| {
                let tag = String::from_utf8_lossy(&piece.begin[9..12]).into_owned();
                tag[1..].parse().unwrap()
            });
            let message = &mut model.messages[index];
            let Some(copy) = message.copies.get_mut(&who) else {
                panic!("message {index} is not for {who}");
            };
            copy.pieces += 1;
            copy.octets += piece.octets;
            let pieces = copy.pieces;
            if copy
                .outcome
                .is_some_and(|outcome| outcome != Outcome::Aborted)
                && !copy.is_withheld
            {
                panic!("message {index} goes on to {who}");
            }
            let fate = match (fates[index * GUESTS_MAX + who], pieces) {
                (0, 1) | (1, 2) => Some(Outcome::Refused),
                (2, 1) | (3, 2) => Some(Outcome::Failed),
                _ => None,
            };
            if let Some(outcome) = fate {
                house.drop_copy(who, &piece, outcome);
                model.settle(index, who, outcome);
            }
        }
    }
}

fn compare_told(house: &House, model: &mut Model, seen: &mut usize) {
    let (mut answers, mut reports) = (Vec::new(), Vec::new());
    for told in &house.told[*seen..] {
        match told {
            Told::Answer {
                who,
                status,
                is_due,
                ..
            } => answers.push((*who, *status, *is_due)),
            Told::Report {
                who,
                id,
                range,
                status,
            } => reports.push((*who, id.clone(), range.clone(), *status)),
        }
    }
    *seen = house.told.len();
    let expected: Vec<_> = std::mem::take(&mut model.expected_reports)
        .into_iter()
        .map(|(who, id, n, status)| (who, id, format!("1-{n}/{n}"), status))
        .collect();
    assert_eq!(answers, std::mem::take(&mut model.expected), "answers");
    assert_eq!(reports, expected, "reports");
}
