//! A switch with participants around it that speak in real requests.
//!
//! What a participant says is encoded, parsed by the decoder and given to the switch. What the
//! switch writes is composed, parsed by the recipient's own decoder and put together again.

use std::collections::VecDeque;

use bytes::{Buf, Bytes};
use msrp_session::{IdSource, Piece, PieceFields, Timestamp};
use msrp_switch::limits::FINAL_REPORT_NS;
use msrp_switch::{
    Acceptance, Addressing, Delivery, Kind, LegKey, LegSpec, MessageKey, Outcome, Output,
    Participant, Refused, RoomKey, RoomSpec, Rules, Switch, SwitchConfig,
};
use msrp_wire::{
    Body, ByteRange, ContentTypeBuf, ContinuationFlag, Decoder, Event, FailureReport, Identity,
    Limits, Method, MsrpUriBuf, RequestHead, StatusCode, Step, SuccessReport, TransactionId,
    encode,
};

pub(crate) const ROOM: &str = "sip:room@example.com";
pub(crate) const GROUP: &str = "sip:group@example.com";

pub(crate) use ContinuationFlag::{Abort, Last, More};

/// Names a participant by the order in which it came.
pub(crate) type Who = usize;

/// What a participant was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Told {
    /// A response that it wants, or one that it does not want and that is not written.
    Answer {
        who: Who,
        status: u16,
        is_due: bool,
        refused: Option<Refused>,
    },
    /// A REPORT.
    Report {
        who: Who,
        id: String,
        range: String,
        status: u16,
    },
}

/// What the switch sent of its own.
#[derive(Debug)]
pub(crate) enum Seen {
    Report {
        who: Who,
        status: StatusCode,
        body: Option<(ContentTypeBuf, Bytes)>,
    },
    Message {
        who: Who,
        fields: PieceFields,
        body: Vec<u8>,
    },
}

/// One piece as its recipient read it.
#[derive(Debug, Clone)]
pub(crate) struct GotPiece {
    pub(crate) id: String,
    pub(crate) key: MessageKey,
    pub(crate) kind: Option<Kind>,
    pub(crate) range: ByteRange,
    pub(crate) octets: usize,
    pub(crate) flag: ContinuationFlag,
    pub(crate) is_last: bool,
    pub(crate) extra: Option<String>,
    /// The first octets of its body.
    pub(crate) begin: Vec<u8>,
}

/// One message as its recipient put it together.
#[derive(Debug, Clone)]
pub(crate) struct Got {
    pub(crate) id: String,
    pub(crate) octets: Vec<Option<u8>>,
    total: Option<usize>,
    pub(crate) is_aborted: bool,
    /// The recipient has refused the rest.
    is_dropped: bool,
}

impl Got {
    /// Every octet up to the end that `$` showed is there.
    pub(crate) fn is_complete(&self) -> bool {
        self.total.is_some_and(|total| {
            assert!(self.octets.len() <= total, "octets beyond the end");
            self.octets.len() == total && self.octets.iter().all(Option::is_some)
        })
    }

    fn is_open(&self) -> bool {
        !self.is_aborted && !self.is_dropped && !self.is_complete()
    }

    pub(crate) fn text(&self) -> Vec<u8> {
        self.octets.iter().map(|octet| octet.unwrap()).collect()
    }
}

struct Seat {
    key: LegKey,
    speaks: Decoder,
    hears: Decoder,
    inbox: Vec<Got>,
    pieces: Vec<GotPiece>,
    /// Requests as they came, with one id in place of those that the switch drew.
    heard: Vec<Vec<u8>>,
    pub(crate) success_reports: Vec<SuccessReport>,
}

/// What becomes of a copy once its last piece was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Settling {
    /// At once.
    AtOnce,
    /// When the test says so.
    ByTest,
}

/// A room with participants.
pub(crate) struct House {
    pub(crate) switch: Switch,
    pub(crate) room: RoomKey,
    participants: Vec<Seat>,
    pub(crate) now: Timestamp,
    pub(crate) told: Vec<Told>,
    pub(crate) settling: Settling,
    pub(crate) unsettled: VecDeque<(Who, MessageKey)>,
    /// REPORTs and messages of the switch itself.
    pub(crate) outputs_seen: Vec<Seen>,
    /// Senders that are to wait.
    pub(crate) held: Vec<Who>,
    /// Who was told to be too late.
    pub(crate) too_late: Vec<Who>,
    failure_report: FailureReport,
    ids: IdSource,
}

/// How a participant is set up.
pub(crate) struct Guest {
    pub(crate) spec: LegSpec,
}

/// Somebody who may write to everybody and shows no release.
pub(crate) fn participant(name: &str) -> Participant {
    Participant {
        identities: vec![identity(&address(name))],
        entity: address(name),
        is_hidden: false,
        may_send_private: true,
        shows_release: false,
    }
}

pub(crate) fn guest(name: &str) -> Guest {
    Guest {
        spec: LegSpec {
            participant: participant(name),
            acceptance: Acceptance::everything(),
            may_send: true,
            may_receive: true,
        },
    }
}

impl Guest {
    pub(crate) fn takes(mut self, types: &str, wrapped: &str, max_size: Option<u64>) -> Self {
        self.spec.acceptance = acceptance(types, wrapped, max_size);
        self
    }

    pub(crate) fn max_size(self, octets: u64) -> Self {
        self.takes("*", "*", Some(octets))
    }

    pub(crate) fn also_known_as(mut self, address: &str) -> Self {
        self.spec.participant.identities.push(identity(address));
        self
    }

    /// Takes part under this alias, which takes the place of its address.
    pub(crate) fn hidden_as(mut self, alias: &str) -> Self {
        self.spec.participant.identities = vec![identity(alias)];
        self.spec.participant.entity = alias.to_owned();
        self.spec.participant.is_hidden = true;
        self
    }

    /// Whether it may send private messages, whether its client shows a release, and whether its
    /// session description declares private messages.
    pub(crate) fn private(mut self, send: bool, release: bool, declared: bool) -> Self {
        self.spec.participant.may_send_private = send;
        self.spec.participant.shows_release = release;
        self.spec.acceptance = self.spec.acceptance.with_private_messages(declared);
        self
    }

    pub(crate) fn may(mut self, send: bool, receive: bool) -> Self {
        self.spec.may_send = send;
        self.spec.may_receive = receive;
        self
    }
}

pub(crate) fn acceptance(types: &str, wrapped: &str, max_size: Option<u64>) -> Acceptance {
    let list = |text: &str| {
        text.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let acceptance = Acceptance::new(&list(types), &list(wrapped), max_size);
    acceptance.unwrap().with_private_messages(true)
}

/// A room with private messages.
pub(crate) fn room_spec() -> RoomSpec {
    RoomSpec {
        uri: ROOM.to_owned(),
        addresses: vec![identity(ROOM)],
        message_octets_max: 1_000_000,
        private_messages: true,
        addressing: Addressing::Oma,
        nicknames: true,
    }
}

pub(crate) fn identity(text: &str) -> Identity {
    Identity::parse(text).unwrap()
}

pub(crate) fn address(name: &str) -> String {
    format!("sip:{name}@example.com")
}

/// A wrapped text from `from` to the addresses.
pub(crate) fn wrapped(from: &str, to: &[&str], text: impl AsRef<[u8]>) -> Vec<u8> {
    let mut octets = format!("From: <{}>\r\n", address(from));
    for to in to {
        octets += &format!("To: <{to}>\r\n");
    }
    octets += "DateTime: 2026-01-02T03:04:05Z\r\n\r\nContent-Type: text/plain\r\n\r\n";
    let mut octets = octets.into_bytes();
    octets.extend_from_slice(text.as_ref());
    octets
}

/// One SEND.
#[derive(Clone)]
pub(crate) struct Chunk {
    pub(crate) id: String,
    pub(crate) range: Option<ByteRange>,
    pub(crate) success: SuccessReport,
    pub(crate) failure: FailureReport,
    pub(crate) content_type: Option<String>,
    /// Header lines with their line ends.
    pub(crate) extra: String,
    pub(crate) body: Vec<u8>,
    pub(crate) flag: ContinuationFlag,
}

/// A chunk of a message: its octets `start..end`, counted from zero, of `total`.
pub(crate) fn chunk(
    id: &str,
    message: &[u8],
    octets: std::ops::Range<usize>,
    total: Option<usize>,
    flag: ContinuationFlag,
) -> Chunk {
    Chunk {
        id: id.to_owned(),
        range: Some(ByteRange {
            start: octets.start as u64 + 1,
            end: None,
            total: total.map(|total| total as u64),
        }),
        success: SuccessReport::No,
        failure: FailureReport::Yes,
        content_type: Some("message/cpim".to_owned()),
        extra: String::new(),
        body: message[octets].to_vec(),
        flag,
    }
}

/// A message in one chunk with its total.
pub(crate) fn whole(id: &str, message: &[u8]) -> Chunk {
    chunk(id, message, 0..message.len(), Some(message.len()), Last)
}

impl Chunk {
    pub(crate) fn failure(mut self, failure: FailureReport) -> Self {
        self.failure = failure;
        self
    }

    pub(crate) fn success(mut self) -> Self {
        self.success = SuccessReport::Yes;
        self
    }

    pub(crate) fn content_type(mut self, content_type: &str) -> Self {
        self.content_type = Some(content_type.to_owned());
        self
    }

    pub(crate) fn without_body(mut self) -> Self {
        self.content_type = None;
        self.body.clear();
        self
    }

    pub(crate) fn encode(&self, id: TransactionId) -> Vec<u8> {
        let mut out = Vec::new();
        encode::start_line(&mut out, id, &Method::Send);
        paths(&mut out);
        let mut lines = format!("Message-ID: {}\r\n", self.id);
        if let Some(range) = self.range {
            lines += &format!("Byte-Range: {range}\r\n");
        }
        lines += &format!("Success-Report: {}\r\n", self.success.as_str());
        lines += &format!("Failure-Report: {}\r\n", self.failure.as_str());
        lines += &self.extra;
        out.extend_from_slice(lines.as_bytes());
        match &self.content_type {
            Some(content_type) => {
                out.extend_from_slice(format!("Content-Type: {content_type}\r\n\r\n").as_bytes());
                out.extend_from_slice(&self.body);
                encode::body_end(&mut out, id, self.flag);
            }
            None => encode::end_line(&mut out, id, self.flag),
        }
        out
    }
}

fn paths(out: &mut Vec<u8>) {
    let to = MsrpUriBuf::parse(b"msrp://switch.example.com:2855/s1;tcp").unwrap();
    let from = MsrpUriBuf::parse(b"msrp://client.example.com:7654/s2;tcp").unwrap();
    encode::paths(out, &to, &from);
}

/// What the switch was given; a model of it listens here.
#[derive(Debug)]
pub(crate) enum Given<'a> {
    Head(&'a RequestHead<'a>),
    Body(usize),
    End(ContinuationFlag),
}

impl House {
    pub(crate) fn new(guests: impl IntoIterator<Item = Guest>) -> Self {
        let spec = RoomSpec {
            addresses: vec![identity(ROOM), identity(GROUP)],
            ..room_spec()
        };
        Self::with(spec, FailureReport::Partial, guests)
    }

    pub(crate) fn with(
        spec: RoomSpec,
        failure_report: FailureReport,
        guests: impl IntoIterator<Item = Guest>,
    ) -> Self {
        Self::with_rules(spec, failure_report, Rules::default(), guests)
    }

    pub(crate) fn with_rules(
        spec: RoomSpec,
        failure_report: FailureReport,
        rules: Rules,
        guests: impl IntoIterator<Item = Guest>,
    ) -> Self {
        let mut switch = Switch::new(&SwitchConfig {
            failure_report,
            final_report_ns: FINAL_REPORT_NS,
            rules,
            seed: [7; 32],
        });
        #[cfg(feature = "planted-defects")]
        if let Some(defect) = crate::planted::planted() {
            switch.plant(defect);
        }
        let room = switch.create_room(spec).unwrap();
        let mut house = Self {
            switch,
            room,
            participants: Vec::new(),
            now: Timestamp::from_ns(1_000_000_000),
            told: Vec::new(),
            settling: Settling::AtOnce,
            unsettled: VecDeque::new(),
            outputs_seen: Vec::new(),
            held: Vec::new(),
            too_late: Vec::new(),
            failure_report,
            ids: IdSource::from_seed([9; 32]),
        };
        for guest in guests {
            let who = house.add(guest);
            house.join(who);
        }
        house
    }

    /// Two halves of a bridge, both of which take part.
    pub(crate) fn bridge() -> Self {
        let mut house = Self::bridge_of_one();
        house.join(1);
        house
    }

    /// As [`House::bridge`]; the second half does not take part yet.
    pub(crate) fn bridge_of_one() -> Self {
        let mut house = Self::new([]);
        house.settling = Settling::ByTest;
        let (room, legs) = house.switch.create_bridge().unwrap();
        house.room = room;
        for key in legs {
            house.seat(key);
        }
        house.join(0);
        house
    }

    /// A room that delivers messages, in which nobody has joined.
    pub(crate) fn delivering(delivery: Delivery, guests: impl IntoIterator<Item = Guest>) -> Self {
        let spec = RoomSpec {
            private_messages: false,
            ..room_spec()
        };
        let mut house = Self::with(spec, FailureReport::Partial, []);
        house.switch.set_delivery(house.room, Some(delivery));
        house.failure_report = FailureReport::Yes;
        for guest in guests {
            house.add(guest);
        }
        house
    }

    pub(crate) fn add(&mut self, guest: Guest) -> Who {
        let key = self.switch.add_leg(self.room, guest.spec).unwrap();
        self.seat(key)
    }

    fn seat(&mut self, key: LegKey) -> Who {
        self.participants.push(Seat {
            key,
            speaks: Decoder::new(Limits::default()),
            hears: Decoder::new(Limits::default()),
            inbox: Vec::new(),
            pieces: Vec::new(),
            heard: Vec::new(),
            success_reports: Vec::new(),
        });
        self.participants.len() - 1
    }

    pub(crate) fn join(&mut self, who: Who) {
        self.switch.join(self.key(who));
        self.drain();
    }

    pub(crate) fn leave(&mut self, who: Who) {
        self.switch.leave(self.key(who));
        self.drain();
    }

    pub(crate) fn key(&self, who: Who) -> LegKey {
        self.participants[who].key
    }

    pub(crate) fn settle(&mut self, who: Who, message: MessageKey, outcome: Outcome) {
        self.switch.settle(self.key(who), message, outcome);
        self.drain();
    }

    /// A recipient wants no more of the message that this piece belongs to.
    pub(crate) fn drop_copy(&mut self, who: Who, piece: &GotPiece, outcome: Outcome) {
        let mut inbox = self.participants[who].inbox.iter_mut();
        if let Some(got) = inbox.find(|got| got.id == piece.id && got.is_open()) {
            got.is_dropped = true;
        }
        self.settle(who, piece.key, outcome);
    }

    /// A recipient answers the piece with an error.
    pub(crate) fn stop_copy(&mut self, who: Who, piece: &GotPiece, status: u16) {
        let status = StatusCode::new(status).unwrap();
        let leg = self.key(who);
        self.switch
            .settle_refused(leg, piece.key, piece.kind, status);
        self.drain();
    }

    pub(crate) fn end_turn(&mut self) {
        self.switch.end_turn(self.now);
        self.drain();
    }

    pub(crate) fn pass_ns(&mut self, ns: u64) {
        self.now = self.now.after(ns);
        self.switch.handle_timeout(self.now);
        self.drain();
    }

    /// Says a whole chunk in one read, and gives the statuses of the responses that were due.
    pub(crate) fn say(&mut self, who: Who, chunk: &Chunk) -> Vec<u16> {
        let before = self.told.len();
        let octets = self.encode(chunk);
        self.read(who, &octets);
        self.end_turn();
        self.answers_since(before)
    }

    pub(crate) fn answers_since(&self, before: usize) -> Vec<u16> {
        let answers = self.told[before..].iter().filter_map(|told| match told {
            Told::Answer { status, is_due, .. } => is_due.then_some(*status),
            Told::Report { .. } => None,
        });
        answers.collect()
    }

    pub(crate) fn reports(&self) -> Vec<(Who, &str, &str, u16)> {
        let reports = self.told.iter().filter_map(|told| match told {
            Told::Answer { .. } => None,
            Told::Report {
                who,
                id,
                range,
                status,
            } => Some((*who, id.as_str(), range.as_str(), *status)),
        });
        reports.collect()
    }

    pub(crate) fn encode(&mut self, chunk: &Chunk) -> Vec<u8> {
        chunk.encode(self.ids.transaction_id())
    }

    /// Octets of a participant's connection arrive.
    pub(crate) fn read(&mut self, who: Who, octets: &[u8]) {
        self.read_and_tell(who, octets, |_, _| {});
    }

    /// As [`House::read`]; `tell` hears of each input of the switch after it was carried out.
    pub(crate) fn read_and_tell(
        &mut self,
        who: Who,
        octets: &[u8],
        mut tell: impl FnMut(&mut Self, Given<'_>),
    ) {
        let key = self.key(who);
        let mut data = Bytes::copy_from_slice(octets);
        let fresh = Decoder::new(Limits::default());
        let mut decoder = std::mem::replace(&mut self.participants[who].speaks, fresh);
        loop {
            let step = decoder.decode(&data).unwrap();
            let consumed = step.consumed;
            match step.event {
                None => break,
                Some(Event::Request(head)) => {
                    self.switch.handle_chunk(self.now, key, &head);
                    self.drain();
                    tell(self, Given::Head(&head));
                }
                Some(Event::Body(body)) => {
                    let body = match body {
                        Body::Input(range) => data.slice(range),
                        Body::Carried(octets) => Bytes::copy_from_slice(octets),
                    };
                    let octets = body.len();
                    self.switch.handle_body(key, body);
                    self.drain();
                    tell(self, Given::Body(octets));
                }
                Some(Event::End(flag)) => {
                    self.switch.handle_end(key, flag);
                    self.drain();
                    tell(self, Given::End(flag));
                }
                Some(other) => panic!("{other:?}"),
            }
            data.advance(consumed);
        }
        self.participants[who].speaks = decoder;
    }

    /// As [`House::read`] of octets that lie in one buffer; each output goes to `carry_out` while
    /// the ones behind it are still queued.
    pub(crate) fn read_raw(
        &mut self,
        who: Who,
        octets: &[u8],
        mut carry_out: impl FnMut(&mut Switch, &Output),
    ) {
        let key = self.key(who);
        let mut data = Bytes::copy_from_slice(octets);
        let mut decoder = Decoder::new(Limits::default());
        while let Step {
            consumed,
            event: Some(event),
        } = decoder.decode(&data).unwrap()
        {
            match event {
                Event::Request(head) => self.switch.handle_chunk(self.now, key, &head),
                Event::Body(Body::Input(range)) => self.switch.handle_body(key, data.slice(range)),
                Event::End(flag) => self.switch.handle_end(key, flag),
                other => panic!("{other:?}"),
            }
            while let Some(output) = self.switch.poll_output() {
                carry_out(&mut self.switch, &output);
                self.switch.check_invariants();
            }
            data.advance(consumed);
        }
    }

    pub(crate) fn drain(&mut self) {
        self.switch.check_invariants();
        while let Some(output) = self.switch.poll_output() {
            match output {
                Output::Respond {
                    leg,
                    status,
                    is_due,
                    refused,
                } => self.answered(leg, status, is_due, refused),
                Output::Report {
                    leg,
                    message_id,
                    byte_range,
                    status,
                    body,
                } => {
                    let told = Told::Report {
                        who: self.who(leg),
                        id: message_id.as_str().to_owned(),
                        range: byte_range.to_string(),
                        status: status.value(),
                    };
                    self.told.push(told);
                    self.outputs_seen.push(Seen::Report {
                        who: self.who(leg),
                        status,
                        body,
                    });
                }
                Output::HoldSender { leg, is_held } => {
                    let who = self.who(leg);
                    self.held.retain(|held| *held != who);
                    if is_held {
                        self.held.push(who);
                    }
                }
                Output::TooLate { leg } => self.too_late.push(self.who(leg)),
                Output::OwnMessage { leg, fields, body } => {
                    let (who, body) = (self.who(leg), body.concat());
                    self.outputs_seen.push(Seen::Message { who, fields, body });
                }
                Output::Piece {
                    fields,
                    body,
                    to,
                    message,
                    is_last,
                    sender,
                    kind,
                    class: _,
                } => {
                    assert!(sender.is_none_or(|sender| !to.contains(&sender)), "no echo");
                    let is_reported = fields.success_report == SuccessReport::Yes;
                    let failure = if is_reported {
                        FailureReport::Yes
                    } else {
                        self.failure_report
                    };
                    let is_bridged = sender.is_some_and(|leg| self.switch.is_bridged(leg));
                    assert!(is_bridged || fields.failure_report == failure);
                    let piece = Piece::compose(&fields, body, || self.ids.transaction_id());
                    for &leg in to.iter() {
                        self.hear(leg, &piece, (message, kind), is_last);
                    }
                }
            }
        }
        self.switch.check_invariants();
    }

    fn answered(
        &mut self,
        leg: LegKey,
        status: StatusCode,
        is_due: bool,
        refused: Option<Refused>,
    ) {
        assert_eq!(refused.is_none(), status == StatusCode::OK);
        let who = self.who(leg);
        self.told.push(Told::Answer {
            who,
            status: status.value(),
            is_due,
            refused,
        });
    }

    fn who(&self, leg: LegKey) -> Who {
        let position = self.participants.iter().position(|p| p.key == leg);
        position.expect("a known leg")
    }

    fn hear(
        &mut self,
        leg: LegKey,
        piece: &Piece,
        (key, kind): (MessageKey, Option<Kind>),
        is_last: bool,
    ) {
        let who = self.who(leg);
        let mut octets = piece.start().to_vec();
        paths(&mut octets);
        octets.extend_from_slice(piece.tail());
        for slice in piece.body() {
            octets.extend_from_slice(slice);
        }
        octets.extend_from_slice(piece.end());
        self.participants[who].hear(&octets, (key, kind), is_last);
        if is_last {
            self.unsettled.push_back((who, key));
            if self.settling == Settling::AtOnce {
                self.settle_next();
            }
        }
    }

    /// The caller's part for the oldest copy whose last piece was written.
    pub(crate) fn settle_next(&mut self) -> Option<(Who, MessageKey)> {
        let (who, key) = self.unsettled.pop_front()?;
        let outcome = self.good_outcome();
        self.switch.settle(self.key(who), key, outcome);
        self.switch.settle(self.key(who), key, Outcome::Failed);
        Some((who, key))
    }

    pub(crate) fn good_outcome(&self) -> Outcome {
        match self.failure_report {
            FailureReport::Yes => Outcome::Delivered,
            FailureReport::Partial | FailureReport::No => Outcome::Sent,
        }
    }

    /// The messages that a participant got, in the order in which they began.
    pub(crate) fn inbox(&self, who: Who) -> &[Got] {
        &self.participants[who].inbox
    }

    pub(crate) fn pieces(&self, who: Who) -> &[GotPiece] {
        &self.participants[who].pieces
    }

    /// Every request that a participant got, whole. The transaction id and the n-th Message-ID are
    /// replaced by plain words.
    pub(crate) fn heard(&self, who: Who) -> Vec<Vec<u8>> {
        self.participants[who].heard.clone()
    }

    /// The flags of the pieces that a participant got.
    pub(crate) fn flags(&self, who: Who) -> Vec<ContinuationFlag> {
        self.pieces(who).iter().map(|piece| piece.flag).collect()
    }

    /// The Success-Report values of the pieces that a participant got.
    pub(crate) fn success_reports(&self, who: Who) -> &[SuccessReport] {
        &self.participants[who].success_reports
    }

    /// The complete messages of a participant.
    pub(crate) fn texts(&self, who: Who) -> Vec<Vec<u8>> {
        let complete = self.inbox(who).iter().filter(|got| got.is_complete());
        complete.map(Got::text).collect()
    }

    /// Who got this message complete.
    pub(crate) fn getters(&self, message: &[u8]) -> Vec<Who> {
        let all = 0..self.participants.len();
        all.filter(|who| self.texts(*who).iter().any(|text| text == message))
            .collect()
    }
}

impl Seat {
    fn hear(&mut self, octets: &[u8], (key, kind): (MessageKey, Option<Kind>), is_last: bool) {
        let mut rest = octets;
        let mut head = None;
        let mut body = Vec::new();
        let flag = loop {
            let step = self.hears.decode(rest).unwrap();
            match step.event.expect("a complete request") {
                Event::Request(h) => {
                    let extra = h.headers().value("X-Extra");
                    head = Some((
                        h.message_id.unwrap().as_str().to_owned(),
                        h.byte_range.expect("a Byte-Range in every chunk"),
                        extra.map(|value| String::from_utf8(value.to_vec()).unwrap()),
                    ));
                    self.success_reports.push(h.success_report);
                }
                Event::Body(Body::Input(range)) => body.extend_from_slice(&rest[range]),
                Event::End(flag) => {
                    assert_eq!(step.consumed, rest.len());
                    break flag;
                }
                other => panic!("{other:?}"),
            }
            rest = &rest[step.consumed..];
        };
        let (id, range, extra) = head.unwrap();
        self.note(octets, &id);
        assert!(body.len() <= 65_536, "a piece of {} octets", body.len());
        let end = range.start + body.len() as u64 - 1;
        let end = (!body.is_empty()).then_some(end);
        assert_eq!(range.end, end, "exact Byte-Range");
        self.pieces.push(GotPiece {
            id: id.clone(),
            key,
            kind,
            range,
            octets: body.len(),
            flag,
            is_last,
            extra,
            begin: body.iter().copied().take(16).collect(),
        });
        self.put_together(id, range, &body, flag);
    }

    fn note(&mut self, octets: &[u8], id: &str) {
        let known = self.pieces.iter().position(|piece| piece.id == id);
        let number = known.unwrap_or(self.pieces.len());
        let text: String = octets.iter().map(|octet| char::from(*octet)).collect();
        let transaction = text.split(' ').nth(1).unwrap();
        let text = text.replace(transaction, "transaction");
        let line = format!("Message-ID: {id}\r\n");
        assert!(text.contains(&line));
        let text = text.replace(&line, &format!("Message-ID: message{number}\r\n"));
        self.heard.push(text.into_bytes());
    }

    fn put_together(&mut self, id: String, range: ByteRange, body: &[u8], flag: ContinuationFlag) {
        let open = self
            .inbox
            .iter()
            .position(|got| got.id == id && got.is_open());
        let index = open.unwrap_or_else(|| {
            assert_eq!(range.start, 1, "a message begins with its first octet");
            assert_ne!(flag, Abort, "nothing to abort");
            self.inbox.push(Got {
                id,
                octets: Vec::new(),
                total: None,
                is_aborted: false,
                is_dropped: false,
            });
            self.inbox.len() - 1
        });
        let got = &mut self.inbox[index];
        let start = usize::try_from(range.start).unwrap() - 1;
        let end = start + body.len();
        if !body.is_empty() {
            let octets = got.octets.len().max(end);
            got.octets.resize(octets, None);
            for (place, octet) in got.octets[start..].iter_mut().zip(body) {
                *place = Some(*octet);
            }
        }
        match flag {
            More => {}
            Abort => got.is_aborted = true,
            Last => {
                assert_eq!(got.total, None, "$ once");
                assert_eq!(range.total, Some(end as u64), "$ at the total");
                got.total = Some(end);
            }
        }
    }
}
