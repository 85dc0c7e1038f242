//! A switch with rooms and participants, and what must hold for what it says.

use std::collections::BTreeSet;

use bytes::Bytes;
use msrp_session::limits::PIECE_OCTETS_MAX;
use msrp_session::{PieceBody, PieceFields, Timestamp};
use msrp_switch::limits::{FINAL_REPORT_NS, HOLD_NS};
use msrp_switch::{
    Acceptance, Addressing, Delivery, LegKey, LegSpec, MessageKey, Outcome, Output, RoomKey,
    RoomSpec, Switch, SwitchConfig,
};
use msrp_wire::{Body, ByteRange, Decoder, Event, Identity, Limits, MessageId, StatusCode};

use super::talk::{NAMES, ROOM, Talk, WRAPPER_OCTETS_MAX, address, octet_at};
use crate::input::Input;

/// One participant; it stays here when it has left, so that inputs can name it then too.
struct Participant {
    key: LegKey,
    room: usize,
    name: usize,
    decoder: Decoder,
    /// What it has begun to say and not finished.
    pending: Vec<u8>,
    /// The number of the octet that goes on with each of its messages.
    next: [u64; 4],
}

pub(super) struct World {
    pub(super) switch: Switch,
    now: Timestamp,
    rooms: Vec<RoomKey>,
    participants: Vec<Participant>,
    /// Messages of which a piece was written, with their ids towards recipients.
    messages: Vec<(MessageKey, MessageId)>,
    /// Copies whose last piece was written and that are not settled.
    unsettled: Vec<(LegKey, MessageKey)>,
    /// The copies that have ended.
    ended: BTreeSet<(LegKey, MessageKey)>,
}

impl World {
    pub(super) fn new(config: &SwitchConfig, settings: u8) -> Self {
        let mut world = Self {
            switch: Switch::new(config),
            now: Timestamp::from_ns(1_000_000_000),
            rooms: Vec::new(),
            participants: Vec::new(),
            messages: Vec::new(),
            unsettled: Vec::new(),
            ended: BTreeSet::new(),
        };
        let octets_max = [1_000_000, 3000, 300, 1_000_000][usize::from(settings / 4 % 4)];
        for _ in 0..2 {
            let room = world
                .switch
                .create_room(room_spec(octets_max, settings & 16 == 0));
            if let Some(room) = room.filter(|_| settings & 32 != 0) {
                let delivery = Delivery {
                    late_octets_max: 500,
                    late_ns: 1_000_000_000,
                    is_single: settings & 64 != 0,
                    takes_bare: settings & 128 != 0,
                };
                world.switch.set_delivery(room, Some(delivery));
            }
            world.rooms.extend(room);
        }
        for name in 0..3 {
            world.add(0, name, Acceptance::everything());
        }
        world
    }

    fn add(&mut self, room: usize, name: usize, acceptance: Acceptance) -> Option<LegKey> {
        let key = self
            .switch
            .add_leg(self.rooms[room], leg_spec(name, acceptance))?;
        // In a room that delivers, somebody is late.
        if name == 0 || !self.switch.delivers(self.rooms[room]) {
            self.switch.join(key);
        }
        self.participants.push(Participant {
            key,
            room,
            name,
            decoder: Decoder::new(Limits::default()),
            pending: Vec::new(),
            next: [1; 4],
        });
        Some(key)
    }

    pub(super) fn add_leg(&mut self, input: &mut Input<'_>) {
        if self.participants.len() >= PARTICIPANTS_MAX {
            return;
        }
        let (room, name) = (input.below(self.rooms.len()), input.below(NAMES));
        let acceptance = acceptance(input);
        if self.add(room, name, acceptance).is_none() {
            assert!(
                self.switch.legs_count(self.rooms[room]) == 0,
                "a room is full"
            );
        }
    }

    pub(super) fn set_acceptance(&mut self, leg: LegKey, input: &mut Input<'_>) {
        let acceptance = acceptance(input);
        let rights = input.octet();
        self.switch
            .set_acceptance(leg, acceptance, rights & 1 == 0, rights & 2 == 0);
    }

    pub(super) fn pick_leg(&self, input: &mut Input<'_>) -> LegKey {
        self.participants[input.below(self.participants.len())].key
    }

    pub(super) fn pick_message(&self, input: &mut Input<'_>) -> Option<MessageKey> {
        let at = input.below(self.messages.len());
        self.messages.get(at).map(|(key, _)| *key)
    }

    /// The usual way: a copy whose last piece was written is settled.
    pub(super) fn settle(&mut self, input: &mut Input<'_>) {
        let at = input.below(self.unsettled.len());
        if at < self.unsettled.len() {
            let (leg, message) = self.unsettled.swap_remove(at);
            self.switch.settle(leg, message, Outcome::Delivered);
        }
    }

    pub(super) fn refuse(&mut self, leg: LegKey, input: &mut Input<'_>) {
        let status = StatusCode::new(input.short() % 1000).unwrap_or(StatusCode::OK);
        if let Some(message) = self.pick_message(input) {
            self.switch.settle_refused(leg, message, None, status);
        }
    }

    /// A recipient's REPORT about something it got, or about anything.
    pub(super) fn report(&mut self, leg: LegKey, input: &mut Input<'_>) {
        let at = input.below(self.messages.len());
        let status =
            StatusCode::new(input.pick(&[200, 200, 413, 999, 0])).unwrap_or(StatusCode::OK);
        let start = u64::from(input.octet()) + 1;
        let range = ByteRange {
            start,
            end: Some(start + u64::from(input.short())),
            total: None,
        };
        let range = (input.octet() & 1 == 0).then_some(range);
        if let Some((_, id)) = self.messages.get(at) {
            self.switch.handle_report(leg, *id, range, status);
        }
    }

    pub(super) fn written(&mut self, leg: LegKey, input: &mut Input<'_>) {
        if let Some(message) = self.pick_message(input) {
            self.switch.handle_written(self.now, leg, message);
        }
    }

    pub(super) fn end_turn(&mut self) {
        self.switch.end_turn(self.now);
    }

    pub(super) fn pass_ns(&mut self, ns: u64) {
        self.end_turn();
        self.now = self.now.after(ns);
        self.switch.handle_timeout(self.now);
        if let Some(deadline) = self.switch.poll_timeout() {
            assert!(deadline > self.now, "a deadline that was due stays");
        }
    }

    pub(super) fn end_room(&mut self, input: &mut Input<'_>) {
        let room = self.rooms[input.below(self.rooms.len())];
        match input.below(4) {
            0 => {
                self.switch.close_room(room);
                assert_eq!(self.switch.legs_count(room), 0);
            }
            _ => self.switch.end_messages(room),
        }
    }

    /// Octets that no header section announced.
    pub(super) fn stray_body(&mut self, leg: LegKey, input: &mut Input<'_>) {
        let octets = vec![b'?'; input.below(64)];
        if !self
            .participants
            .iter()
            .any(|p| p.key == leg && !p.pending.is_empty())
        {
            self.switch.handle_body(leg, Bytes::from(octets));
        }
    }

    /// A participant says the next part of a SEND, or begins one.
    pub(super) fn speak(&mut self, leg: LegKey, input: &mut Input<'_>) {
        let Some(at) = self.participants.iter().position(|p| p.key == leg) else {
            return;
        };
        let how = input.octet();
        let participant = &mut self.participants[at];
        if participant.pending.is_empty() {
            let talk = Talk::read(input, participant.name, &mut participant.next);
            participant.pending = talk.text;
        }
        let octets = match how % 4 {
            0 => usize::from(how),
            _ => participant.pending.len(),
        };
        let rest = participant
            .pending
            .split_off(octets.min(participant.pending.len()));
        let said = std::mem::replace(&mut participant.pending, rest);
        self.hear(at, Bytes::from(said));
    }

    fn hear(&mut self, at: usize, mut data: Bytes) {
        let participant = &mut self.participants[at];
        let leg = participant.key;
        loop {
            let step = participant
                .decoder
                .decode(&data)
                .unwrap_or_else(|e| panic!("{e}"));
            match step.event {
                None => return,
                Some(Event::Request(head)) => self.switch.handle_chunk(self.now, leg, &head),
                Some(Event::Body(Body::Input(range))) => {
                    self.switch.handle_body(leg, data.slice(range));
                }
                Some(Event::Body(Body::Carried(octets))) => {
                    self.switch.handle_body(leg, Bytes::copy_from_slice(octets));
                }
                Some(Event::End(flag)) => self.switch.handle_end(leg, flag),
                // A SEND that the reader refuses does not come to the switch.
                Some(Event::Rejected(_)) => {}
                Some(Event::Response(head)) => panic!("{head:?}"),
            }
            data = data.slice(step.consumed..);
        }
    }

    pub(super) fn drain(&mut self) {
        while let Some(output) = self.switch.poll_output() {
            self.look_at(output);
        }
        self.switch.check_invariants();
        let sums = self.switch.sums();
        assert!(sums.settled() <= sums.opened);
    }

    fn look_at(&mut self, output: Output) {
        match output {
            Output::Respond { leg, .. }
            | Output::HoldSender { leg, .. }
            | Output::TooLate { leg } => self.assert_is_known(leg),
            Output::Report {
                leg, byte_range, ..
            } => {
                self.assert_is_known(leg);
                assert_eq!(
                    ByteRange::parse(byte_range.to_string().as_bytes()),
                    Ok(byte_range)
                );
            }
            Output::OwnMessage { leg, fields, body } => {
                self.assert_is_known(leg);
                assert_eq!(octets_of(&body), range_octets(&fields));
            }
            Output::Piece {
                fields,
                body,
                to,
                message,
                is_last,
                sender,
                kind: _,
                class: _,
            } => {
                check_piece(&fields, &body);
                if !self.messages.iter().any(|(known, _)| *known == message) {
                    self.messages.push((message, fields.message_id));
                }
                for leg in to.iter() {
                    self.check_recipient(*leg, sender, message);
                    if is_last {
                        assert!(self.ended.insert((*leg, message)), "a copy ends twice");
                        self.unsettled.push((*leg, message));
                    }
                }
            }
        }
    }

    fn check_recipient(&self, leg: LegKey, sender: Option<LegKey>, message: MessageKey) {
        assert_ne!(Some(leg), sender, "an echo");
        let room = |key| {
            self.participants
                .iter()
                .find(|p| p.key == key)
                .map(|p| p.room)
        };
        if let Some(sender) = sender {
            assert_eq!(room(leg), room(sender), "a copy for another room");
        }
        assert!(
            !self.ended.contains(&(leg, message)),
            "a piece behind the last one"
        );
    }

    fn assert_is_known(&self, leg: LegKey) {
        assert!(self.participants.iter().any(|p| p.key == leg));
    }

    /// Everybody leaves: nothing stays.
    pub(super) fn finish(&mut self) {
        self.pass_ns(HOLD_NS);
        self.drain();
        for at in 0..self.participants.len() {
            self.switch.leave(self.participants[at].key);
            self.drain();
        }
        self.pass_ns(FINAL_REPORT_NS);
        self.drain();
        assert!(self.switch.is_idle(), "something stays");
        assert_eq!(self.switch.poll_timeout(), None);
        let sums = self.switch.sums();
        assert_eq!(sums.settled(), sums.opened, "{sums:?}");
    }
}

/// The octets of a piece are those that its Byte-Range names.
fn check_piece(fields: &PieceFields, body: &PieceBody) {
    assert!(octets_of(body) <= PIECE_OCTETS_MAX as u64);
    assert_eq!(octets_of(body), range_octets(fields));
    let positions = fields.byte_range.start - 1..;
    for (position, octet) in positions.zip(body.iter().flatten()) {
        if position >= WRAPPER_OCTETS_MAX {
            let is_right = *octet == octet_at(position) || *octet == b'?';
            assert!(is_right, "another octet at {position}");
        }
    }
}

/// A piece without octets has no last one.
fn range_octets(fields: &PieceFields) -> u64 {
    let range = fields.byte_range;
    let end = range.end.unwrap_or(range.start - 1);
    assert!(range.total.is_none_or(|total| total >= end), "{range}");
    end + 1 - range.start
}

fn octets_of(body: &PieceBody) -> u64 {
    body.iter().map(|octets| octets.len() as u64).sum()
}

fn room_spec(octets_max: u64, private_messages: bool) -> RoomSpec {
    RoomSpec {
        uri: ROOM.to_owned(),
        addresses: vec![identity(ROOM)],
        message_octets_max: octets_max,
        private_messages,
        addressing: Addressing::Oma,
        nicknames: true,
    }
}

fn leg_spec(name: usize, acceptance: Acceptance) -> LegSpec {
    LegSpec {
        participant: msrp_switch::Participant {
            identities: vec![identity(&address(name))],
            entity: address(name),
            is_hidden: name.is_multiple_of(3),
            may_send_private: true,
            shows_release: !name.is_multiple_of(4),
        },
        acceptance,
        may_send: true,
        may_receive: true,
    }
}

fn acceptance(input: &mut Input<'_>) -> Acceptance {
    let (types, wrapped): (&[&str], &[&str]) = input.pick(&[
        (["*"].as_slice(), [].as_slice()),
        (&["message/cpim"], &["text/plain"]),
        (&["message/cpim"], &["image/*"]),
        (&["text/plain", "image/png"], &[]),
    ]);
    let list = |types: &[&str]| {
        types
            .iter()
            .map(|&text| text.to_owned())
            .collect::<Vec<_>>()
    };
    let max_size = match input.octet() {
        0..128 => None,
        octets => Some(u64::from(octets) * 8),
    };
    Acceptance::new(&list(types), &list(wrapped), max_size).unwrap_or_else(|e| panic!("{e:?}"))
}

fn identity(text: &str) -> Identity {
    Identity::parse(text).unwrap_or_else(|e| panic!("{e}"))
}

/// Participants of one input. Our choice: enough for every kind of meeting.
const PARTICIPANTS_MAX: usize = 12;
