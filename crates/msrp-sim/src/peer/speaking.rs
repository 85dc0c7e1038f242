//! What a participant writes: its messages, and the order of the octets.

use std::collections::VecDeque;

use msrp_testkit::Frame;

use super::{Peer, Scene};
use crate::message::{self, Cut, Ending, Fate, Message, Number, To};
use crate::oracle::{SECRET, Wanted};
use crate::temper::Temper;

/// What waits to be written.
#[derive(Debug, Default)]
pub(crate) struct Speech {
    parts: VecDeque<Part>,
}

/// Octets that are written together.
#[derive(Debug, Default)]
pub(crate) struct Part {
    pub(super) octets: Vec<u8>,
    pub(super) written: usize,
    /// Not before this time.
    pub(super) from_ns: u64,
    /// How long after the part before it.
    pause_ns: u64,
    /// Whether it begins a frame: other frames may go before it.
    is_start: bool,
    /// The message whose first octet is in it.
    pub(super) begins: Option<Number>,
    /// The message whose last octet is in it.
    pub(super) ends: Option<Number>,
}

impl Part {
    pub(super) fn new(octets: Vec<u8>) -> Self {
        Self {
            octets,
            is_start: true,
            ..Self::default()
        }
    }
}

impl Speech {
    pub(super) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    pub(super) fn octets(&self) -> usize {
        self.parts
            .iter()
            .map(|part| part.octets.len() - part.written)
            .sum()
    }

    pub(super) fn front_mut(&mut self) -> Option<&mut Part> {
        self.parts.front_mut()
    }

    pub(super) fn pop_front(&mut self, now_ns: u64) {
        self.parts.pop_front();
        if let Some(next) = self.parts.front_mut() {
            next.from_ns = next.from_ns.max(now_ns + next.pause_ns);
        }
    }

    pub(super) fn push_back(&mut self, part: Part) {
        self.parts.push_back(part);
    }

    /// Puts a frame before everything that can wait.
    pub(super) fn push_soon(&mut self, octets: Vec<u8>) {
        let at = self.next_start(0);
        self.parts.insert(at, Part::new(octets));
    }

    /// The first place from here on where a frame may stand.
    fn next_start(&self, from: usize) -> usize {
        let begun = usize::from(self.parts.front().is_some_and(|part| part.written > 0));
        let from = from.max(begun);
        let behind = self.parts.iter().skip(from);
        from.min(self.parts.len()) + behind.take_while(|part| !part.is_start).count()
    }

    /// Puts the parts of a frame at the first possible place from here on. Returns the place behind them.
    fn insert(&mut self, from: usize, parts: Vec<Part>) -> usize {
        let mut at = self.next_start(from);
        for part in parts {
            self.parts.insert(at, part);
            at += 1;
        }
        at
    }
}

impl Peer {
    /// A transaction id of its own.
    pub(super) fn transaction_id(&mut self, number: Option<Number>) -> String {
        self.requests += 1;
        let (id, request) = (self.id, self.requests);
        match number {
            Some(number) => format!("p{id}r{request}n{number}"),
            None => format!("p{id}r{request}x"),
        }
    }

    /// Names its session by a SEND without content.
    pub(super) fn bind(&mut self, scene: &mut Scene<'_>) {
        if self.node_uri.is_none() {
            return;
        }
        let (id, to_path) = (self.transaction_id(None), self.to_path());
        let own_uri = &self.own_uri;
        let octets = format!(
            "MSRP {id} SEND\r\nTo-Path: {to_path}\r\nFrom-Path: {own_uri}\r\n\
             Message-ID: b{id}\r\nByte-Range: 1-0/0\r\n-------{id}$\r\n"
        );
        scene.oracle.asks(self.id, &id, None, true);
        self.naming = Some(id);
        self.out.push_back(Part::new(octets.into_bytes()));
    }

    /// Says something.
    pub(super) fn speak(&mut self, scene: &mut Scene<'_>) {
        if self.does_harm(scene) {
            return;
        }
        let to = self.choose_recipients(scene);
        let octets = self.choose_size(scene);
        self.say(scene, to, octets);
    }

    /// Asks for a nickname, or gives the one that it has back.
    pub(super) fn ask_nickname(&mut self, scene: &mut Scene<'_>, text: &str) {
        let (id, to_path) = (self.transaction_id(None), self.to_path());
        let frame = Frame::request("NICKNAME", &id, &to_path, &self.own_uri)
            .with("Use-Nickname", format!("\"{text}\""));
        let wanted = Wanted {
            text: text.to_owned(),
            sent_ns: scene.now_ns,
        };
        scene.oracle.wants_nickname(self.id, &id, wanted);
        self.out.push_back(Part::new(frame.to_octets()));
    }

    /// Says something that everybody in the room must get.
    pub(crate) fn probe(&mut self, scene: &mut Scene<'_>) {
        self.says_ns.clear();
        self.say(scene, To::Room, 50);
        let now_ns = scene.now_ns;
        self.wake_for(Some(now_ns));
    }

    fn say(&mut self, scene: &mut Scene<'_>, to: To, octets: usize) {
        let fate = match to {
            To::Nobody => Fate::Refused(404),
            To::Room | To::Peers(_) => Fate::Accepted,
        };
        let from = self.entity.clone();
        let message = self.compose(scene, (to, fate, &from), octets);
        self.send(scene, message);
    }

    fn choose_size(&mut self, scene: &mut Scene<'_>) -> usize {
        let octets = match self.chance.within(0..=39) {
            0..=9 if scene.is_pressing => self.chance.octets(50_000..=400_000),
            0 => self.chance.octets(20_000..=300_000),
            1..=3 => self.chance.octets(3_000..=20_000),
            4..=12 => self.chance.octets(500..=3_000),
            _ => self.chance.octets(0..=500),
        };
        let octets = octets.min(*scene.budget);
        *scene.budget -= octets;
        octets
    }

    fn choose_recipients(&mut self, scene: &Scene<'_>) -> To {
        if !self.chance.one_in(4) {
            return To::Room;
        }
        if self.chance.one_in(6) {
            return To::Nobody;
        }
        let is_there = |witness: &&crate::oracle::Witness| {
            witness.room == self.room
                && witness.surely_from_ns.is_some()
                && witness.gone_ns.is_none()
        };
        let witnesses = scene.oracle.witnesses.iter().enumerate();
        let here: Vec<_> = witnesses
            .filter(|(id, witness)| *id != self.id && is_there(witness))
            .map(|(id, _)| id)
            .collect();
        let mut peers: Vec<_> = (0..self.chance.within(1..=3))
            .filter_map(|_| self.chance.pick(&here).copied())
            .collect();
        peers.sort_unstable();
        peers.dedup();
        if peers.is_empty() {
            To::Room
        } else {
            To::Peers(peers)
        }
    }

    pub(super) fn compose(
        &mut self,
        scene: &mut Scene<'_>,
        (to, fate, from): (To, Fate, &str),
        octets: usize,
    ) -> Message {
        let number = scene.oracle.sent.len();
        let addresses = match &to {
            To::Room => vec![self.room_uri.clone()],
            To::Peers(peers) => peers
                .iter()
                .map(|peer| scene.oracle.witnesses[*peer].entity.clone())
                .collect(),
            To::Nobody => vec!["sip:nobody@example.com".to_owned()],
        };
        let asks_for_report = self.chance.one_in(8) && fate == Fate::Accepted;
        let head = message::head(number, from, &addresses, asks_for_report);
        let rumour = if self.temper == Temper::Colluding {
            self.chance.pick(scene.rumours).cloned().unwrap_or_default()
        } else {
            String::new()
        };
        let mut body = head.clone();
        body.extend(message::text(&mut self.chance, octets, &rumour));
        let failure_report = match self.chance.within(0..=5) {
            _ if asks_for_report => "yes",
            0 => "no",
            1 => "partial",
            _ => "yes",
        };
        let is_aborted = fate == Fate::Accepted && octets > 100 && self.chance.one_in(20);
        let secret = if self.is_hidden { SECRET } else { "m" };
        // A client may use an id again when its message is through: it is its own business.
        let is_plain = fate == Fate::Accepted && !asks_for_report && !self.is_hidden;
        let may_share = is_plain && !scene.oracle.has_relay;
        let id = if self.chance.one_in(10) && may_share {
            "shared1".to_owned()
        } else {
            format!("{secret}{}x.{}", self.id, number)
        };
        Message {
            number,
            sender: self.id,
            room: self.room,
            to,
            id,
            head_octets: head.len(),
            octets: body,
            failure_report,
            asks_for_report: asks_for_report && !is_aborted,
            ending: if is_aborted {
                Ending::Abort
            } else {
                Ending::Last
            },
            fate,
        }
    }

    /// Queues all chunks of a message.
    pub(super) fn send(&mut self, scene: &mut Scene<'_>, mut message: Message) {
        if message.id == "shared1" && !self.out.is_empty() {
            message.id = format!("again{}.{}", self.id, message.number);
        }
        let is_lax = self.temper == Temper::Lax;
        let cuts = message::cuts(&mut self.chance, &message, is_lax);
        scene.oracle.add_message(message.clone());
        let mut place = if is_lax && self.chance.one_in(2) {
            0
        } else {
            usize::MAX
        };
        let last = cuts.len() - 1;
        for (index, cut) in cuts.into_iter().enumerate() {
            let mut parts = self.chunk(scene, &message, cut);
            if let Some(first) = parts.first_mut().filter(|_| index == 0) {
                first.begins = Some(message.number);
            }
            if let Some(end) = parts.last_mut().filter(|_| index == last) {
                end.ends = Some(message.number);
            }
            let from = place.min(self.out.parts.len());
            place = self.out.insert(from, parts).max(place);
            if is_lax && place < self.out.parts.len() {
                place += self.chance.octets(0..=2);
            }
        }
    }

    /// One SEND, in parts with pauses between them.
    pub(super) fn chunk(
        &mut self,
        scene: &mut Scene<'_>,
        message: &Message,
        cut: Cut,
    ) -> Vec<Part> {
        let id = self.transaction_id(Some(message.number));
        let is_due = message.failure_report == "yes";
        scene
            .oracle
            .asks(self.id, &id, Some(message.number), is_due);
        let mut octets = self.chunk_head(&id, message, cut);
        octets.extend_from_slice(message.octets.get(cut.start..cut.end).unwrap_or_default());
        octets.extend_from_slice(format!("\r\n-------{id}{}\r\n", char::from(cut.flag)).as_bytes());
        if !self.chance.one_in(6) {
            return vec![Part::new(octets)];
        }
        let rest = octets.split_off(self.chance.octets(1..=octets.len() - 1));
        let pause_ns = self.chance.within(100_000..=400_000_000);
        let rest = Part {
            octets: rest,
            pause_ns,
            ..Part::default()
        };
        vec![Part::new(octets), rest]
    }

    fn chunk_head(&mut self, id: &str, message: &Message, cut: Cut) -> Vec<u8> {
        let (node_uri, own_uri) = (self.to_path(), &self.own_uri);
        let is_lax = self.temper == Temper::Lax;
        let mut head = format!(
            "MSRP {id} SEND\r\nTo-Path: {node_uri}\r\nFrom-Path: {own_uri}\r\nMessage-ID: {}\r\n",
            message.id
        );
        let total = message.octets.len();
        let (start, end) = (cut.start + 1, cut.end);
        let range = match self.chance.within(0..=5) {
            0 if is_lax => format!("{start}-*/*"),
            1 if is_lax => format!("{start}-{end}/*"),
            2 => format!("{start}-*/{total}"),
            _ => format!("{start}-{end}/{total}"),
        };
        head += &format!("Byte-Range: {range}\r\n");
        if message.asks_for_report {
            head += "Success-Report: yes\r\n";
        }
        if message.failure_report != "yes" || self.chance.one_in(3) {
            head += &format!("Failure-Report: {}\r\n", message.failure_report);
        }
        if is_lax && self.chance.one_in(3) {
            head += "X-Something: of its own\r\n";
        }
        head += "Content-Type: message/cpim\r\n\r\n";
        head.into_bytes()
    }
}
