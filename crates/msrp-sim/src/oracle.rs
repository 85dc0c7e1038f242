//! What must be so, whatever happens.
//!
//! The oracle knows what every participant did and saw. It knows nothing of pieces, buffers or turns. It holds that
//!
//! - nobody sees an octet of a message that is not for it, nor one that was not sent (privacy, smuggling),
//! - all participants see messages of a room begin in one order ([`order`]),
//! - what a sender was told agrees with what the recipients saw, and nothing is lost in silence ([`ledger`]),
//! - who breaks no rule keeps its session.

mod coverage;
mod ledger;
mod moves;
mod nicknames;
mod order;
mod relayed;

use std::collections::{BTreeMap, BTreeSet};

use msrp_testkit::{Flag, Frame};

use crate::kernel::PeerId;
use crate::message::{Fate, Message, Number, To, number_of};
use crate::temper::Temper;

use coverage::Coverage;
use nicknames::Held;
pub(crate) use nicknames::{MALFORMED, Wanted};
use relayed::Piece;

/// What a room writes of messages that somebody missed.
const MISSED: &str = " not delivered to you: too much was waiting for you.";

/// What no other participant may ever see of a hidden one.
pub(crate) const SECRET: &str = "zq9hid";

/// What stands in every request that a body tries to smuggle.
pub(crate) const SMUGGLED: &str = "zq9smug";

/// What is known of a participant.
#[derive(Debug)]
pub(crate) struct Witness {
    pub(crate) room: usize,
    pub(crate) temper: Temper,
    pub(crate) entity: String,
    /// Since when it may be in the room, and since when it surely is.
    pub(crate) maybe_from_ns: Option<u64>,
    pub(crate) surely_from_ns: Option<u64>,
    /// From when on it may be gone.
    pub(crate) gone_ns: Option<u64>,
    /// Whether something was done to it that may cost it its session.
    pub(crate) is_hurt: bool,
    /// Whether its connection broke, so that its session has to end by itself.
    is_to_be_lost: bool,
    /// Whether the controller took it out, or was told that its session ended.
    is_out: bool,
    /// Whether it may be told that it must not send.
    pub(crate) is_muted: bool,
    /// Whether it comes through a relay.
    pub(crate) is_relayed: bool,
    /// What it got, by the Message-ID that it was shown.
    inbox: BTreeMap<String, Number>,
    /// Beginnings that do not tell yet of which message they are, by Message-ID.
    heads: BTreeMap<String, Vec<u8>>,
    pub(crate) copies: BTreeMap<Number, Copy>,
    /// The messages in the order in which they began.
    pub(crate) starts: Vec<Number>,
    /// Whether it has a connection that names its session.
    pub(crate) is_bound: bool,
    /// Messages of the room itself that it got, and those that it has to get.
    pub(crate) own_seen: usize,
    pub(crate) own_due: usize,
    /// How many messages it was told to have missed.
    pub(crate) missed_told: usize,
    /// Requests that wait for an answer.
    waiting: BTreeMap<String, Option<Number>>,
    answered: BTreeSet<String>,
    /// Nicknames that it has asked for, by transaction.
    wanted: BTreeMap<String, Wanted>,
}

/// What one participant saw of one message.
#[derive(Debug, Default)]
pub(crate) struct Copy {
    pub(crate) covered: Coverage,
    pub(crate) is_complete: bool,
    pub(crate) is_aborted: bool,
    /// It reported that it has all of it.
    pub(crate) is_reported: bool,
    /// It refused it, or a part of it.
    pub(crate) is_refused: bool,
}

/// A message and what its sender was told.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) message: Message,
    /// When its first octet could leave.
    pub(crate) begun_ns: Option<u64>,
    /// When all of it had been written.
    pub(crate) written_ns: Option<u64>,
    /// SENDs that were answered with 200, and their number.
    pub(crate) accepted: usize,
    pub(crate) sends: usize,
    /// The first other status.
    pub(crate) refused: Option<u16>,
    /// What final reports said, by address.
    pub(crate) reported: BTreeMap<String, u16>,
    pub(crate) is_report_complete: bool,
}

/// The oracle of one world.
#[derive(Debug, Default)]
pub(crate) struct Oracle {
    pub(crate) witnesses: Vec<Witness>,
    pub(crate) sent: Vec<Sent>,
    /// Nobody is slow, means harm or dies, and nothing breaks.
    pub(crate) is_calm: bool,
    /// Whether there is a relay. It knows nothing of messages, so nobody may use a Message-ID again.
    pub(crate) has_relay: bool,
    /// How many requests the relay says that it could not pass on.
    pub(crate) lost_by_relay: usize,
    /// Who was known by which nickname, and when.
    pub(crate) nicknames: Vec<Held>,
    /// How often each thing was seen, to know that a world is worth its name.
    pub(crate) sights: BTreeMap<&'static str, u64>,
}

/// What is wrong.
pub(crate) type Verdict = Result<(), String>;

impl Oracle {
    pub(crate) fn see(&mut self, what: &'static str) {
        *self.sights.entry(what).or_default() += 1;
    }

    pub(crate) fn add_witness(&mut self, room: usize, temper: Temper, entity: &str) {
        self.witnesses.push(Witness {
            room,
            temper,
            entity: entity.to_owned(),
            maybe_from_ns: None,
            surely_from_ns: None,
            gone_ns: None,
            is_hurt: false,
            is_to_be_lost: false,
            is_out: false,
            is_muted: false,
            is_relayed: false,
            inbox: BTreeMap::new(),
            heads: BTreeMap::new(),
            copies: BTreeMap::new(),
            starts: Vec::new(),
            is_bound: false,
            own_seen: 0,
            own_due: 0,
            missed_told: 0,
            waiting: BTreeMap::new(),
            answered: BTreeSet::new(),
            wanted: BTreeMap::new(),
        });
    }

    pub(crate) fn add_message(&mut self, message: Message) {
        self.sent.push(Sent {
            message,
            begun_ns: None,
            written_ns: None,
            accepted: 0,
            sends: 0,
            refused: None,
            reported: BTreeMap::new(),
            is_report_complete: false,
        });
    }

    /// Something was done to a participant that may cost it its session from now on.
    pub(crate) fn hurt(&mut self, peer: PeerId, now_ns: u64) {
        let witness = &mut self.witnesses[peer];
        witness.is_hurt = true;
        witness.gone_ns.get_or_insert(now_ns);
    }

    /// A room is about to say something itself.
    pub(crate) fn expect_own_message(&mut self, room: usize) {
        for witness in &mut self.witnesses {
            let is_here = witness.surely_from_ns.is_some() && witness.is_bound;
            witness.own_due += usize::from(is_here && witness.room == room);
        }
    }

    /// The controller takes a participant out.
    pub(crate) fn remove(&mut self, peer: PeerId, now_ns: u64) {
        self.hurt(peer, now_ns);
        self.witnesses[peer].is_out = true;
    }

    /// A participant's connection broke: its session has to end.
    pub(crate) fn expect_loss(&mut self, peer: PeerId) {
        self.witnesses[peer].is_to_be_lost = true;
    }

    /// Sessions whose connection broke have ended by now.
    pub(crate) fn check_losses(&self) -> Verdict {
        let kept = self.witnesses.iter().enumerate().find(|(_, witness)| {
            witness.is_to_be_lost && !witness.is_out && witness.maybe_from_ns.is_some()
        });
        match kept {
            Some((peer, _)) => Err(format!(
                "the connection of peer {peer} broke, and its session lives"
            )),
            None => Ok(()),
        }
    }

    /// A participant's session ended.
    pub(crate) fn lost(&mut self, peer: PeerId, now_ns: u64, reason: &str) -> Verdict {
        let witness = &mut self.witnesses[peer];
        // A relay that is in trouble takes those with it who come through it.
        let is_in_trouble = witness.is_relayed && !self.is_calm;
        let is_expected = witness.is_hurt || !witness.temper.is_honest() || is_in_trouble;
        if is_in_trouble {
            witness.is_hurt = true;
        }
        witness.is_out = true;
        witness.gone_ns.get_or_insert(now_ns);
        if is_expected {
            Ok(())
        } else {
            Err(format!(
                "peer {peer} ({}) broke no rule and lost its session: {reason}",
                witness.temper
            ))
        }
    }

    /// A participant sends a request that is to be answered, or not.
    pub(crate) fn asks(&mut self, peer: PeerId, id: &str, number: Option<Number>, is_due: bool) {
        if is_due {
            self.witnesses[peer].waiting.insert(id.to_owned(), number);
        }
        if let Some(number) = number {
            self.sent[number].sends += 1;
        }
    }

    /// A participant asks for a nickname.
    pub(crate) fn wants_nickname(&mut self, peer: PeerId, id: &str, wanted: Wanted) {
        self.asks(peer, id, None, true);
        self.witnesses[peer].wanted.insert(id.to_owned(), wanted);
    }

    /// Whether all requests of a participant were answered.
    pub(crate) fn is_answered(&self, peer: PeerId) -> bool {
        self.witnesses[peer].waiting.is_empty()
    }

    /// The requests of a participant that were not answered.
    pub(crate) fn unanswered(&self, peer: PeerId) -> Vec<String> {
        self.witnesses[peer].waiting.keys().cloned().collect()
    }

    /// A participant got a text: nothing of a hidden one may be in it but what is its own.
    pub(crate) fn on_text(&self, peer: PeerId, text: &[u8]) -> Verdict {
        let mut rest = text;
        while let Some(at) = find(rest, SECRET.as_bytes()) {
            rest = rest.get(at + SECRET.len()..).unwrap_or_default();
            let own = format!("{peer}x");
            if !rest.starts_with(own.as_bytes()) {
                return Err(format!("peer {peer} sees a secret of a hidden participant"));
            }
        }
        Ok(())
    }

    /// A participant got a response.
    pub(crate) fn on_response(
        &mut self,
        (peer, now_ns): (PeerId, u64),
        id: &str,
        status: u16,
    ) -> Verdict {
        let witness = &mut self.witnesses[peer];
        if let Some(wanted) = witness.wanted.remove(id) {
            witness.waiting.remove(id);
            witness.answered.insert(id.to_owned());
            return self.on_nickname_answer(peer, now_ns, (&wanted, status));
        }
        let Some(number) = witness.waiting.remove(id) else {
            let is_partial = status != 200 && witness.answered.insert(id.to_owned());
            let is_rough = !witness.temper.is_honest();
            return if is_partial || is_rough {
                self.note_partial(peer, id, status);
                Ok(())
            } else {
                Err(format!(
                    "peer {peer}: a response {status} to {id}, which asked for none"
                ))
            };
        };
        witness.answered.insert(id.to_owned());
        let Some(number) = number else { return Ok(()) };
        self.note_status(number, status);
        let witness = &self.witnesses[peer];
        let is_excused = witness.is_hurt || witness.is_muted || !witness.temper.is_honest();
        let sent = &self.sent[number];
        let is_right = match sent.message.fate {
            _ if witness.is_relayed => status == 200 || self.may_fail(peer, number, status),
            Fate::Accepted if status == 404 => self.are_gone(&sent.message.to),
            Fate::Accepted if status == 413 => self.is_refused(number),
            Fate::Accepted => status == 200,
            Fate::Refused(expected) => status == expected,
            Fate::Any => true,
        };
        if is_right || is_excused {
            Ok(())
        } else {
            let message = &sent.message;
            Err(format!(
                "peer {peer}: message {number} ({:?} to {:?}) was answered with {status}",
                message.fate, message.to
            ))
        }
    }

    /// Whether all whom a message names may have left.
    fn are_gone(&self, to: &To) -> bool {
        match to {
            To::Room | To::Nobody => false,
            To::Peers(peers) => peers
                .iter()
                .all(|peer| self.witnesses[*peer].gone_ns.is_some()),
        }
    }

    /// Whether somebody may have refused a message.
    fn is_refused(&self, number: Number) -> bool {
        let room = self.sent[number].message.room;
        let others = self.witnesses.iter().filter(|witness| witness.room == room);
        let mut others = others.filter(|witness| witness.maybe_from_ns.is_some());
        others.any(|witness| {
            let copy = witness.copies.get(&number);
            // Who means harm may refuse what it has not even read.
            !witness.temper.is_honest() || copy.is_some_and(|copy| copy.is_refused)
        })
    }

    /// An error to a SEND whose Failure-Report is `partial`.
    fn note_partial(&mut self, peer: PeerId, id: &str, status: u16) {
        let number = id.rsplit('n').next().and_then(|digits| digits.parse().ok());
        if let Some(number) = number
            && self
                .sent
                .get(number)
                .is_some_and(|sent: &Sent| sent.message.sender == peer)
        {
            self.note_status(number, status);
        }
    }

    fn note_status(&mut self, number: Number, status: u16) {
        let sent = &mut self.sent[number];
        if status == 200 {
            sent.accepted += 1;
        } else {
            sent.refused.get_or_insert(status);
        }
        self.see(if status == 200 { "accepted" } else { "refused" });
    }

    /// A participant got a SEND. Returns the message when this SEND completes it.
    pub(crate) fn on_send(
        &mut self,
        peer: PeerId,
        now_ns: u64,
        frame: &Frame,
    ) -> Result<Option<Number>, String> {
        let Some(body) = &frame.body else {
            return Ok(None);
        };
        let id = frame.message_id().unwrap_or_default();
        let start = frame.byte_range().map_or(1, |range| range.start);
        let piece = Piece {
            start: usize::try_from(start).unwrap_or(usize::MAX) - 1,
            body: body.clone(),
            flag: frame.flag,
        };
        let Some(Piece { start, body, .. }) = self.gather_head(peer, id, piece) else {
            return Ok(None);
        };
        let body = body.as_slice();
        if start == 0 && !body.is_empty() {
            let Some(number) = number_of(body) else {
                return self.on_room_message(peer, body).map(|()| None);
            };
            self.begin_copy(peer, now_ns, number)?;
            self.witnesses[peer].inbox.insert(id.to_owned(), number);
        }
        let Some(number) = self.witnesses[peer].inbox.get(id).copied() else {
            return Err(format!(
                "peer {peer} gets the middle of a message {id} that never began"
            ));
        };
        self.see("piece");
        let sent = &self.sent[number];
        let whole = &sent.message.octets;
        let end = start + body.len();
        if whole.get(start..end) != Some(body) {
            return Err(format!(
                "peer {peer} gets other octets of message {number} than were sent, at {start}..{end}"
            ));
        }
        let (octets, is_exact) = (whole.len(), sent.message.fate != Fate::Any);
        let is_once = is_exact && self.witnesses[sent.message.sender].temper != Temper::Lax;
        let is_cut_short = self.witnesses[peer].is_relayed && !self.is_calm;
        let copy = self.witnesses[peer].copies.entry(number).or_default();
        if copy.is_aborted && is_cut_short {
            // A relay that had no room for a part passes on what was under way behind it.
            return Ok(None);
        }
        if copy.is_aborted {
            return Err(format!(
                "peer {peer} gets more of message {number} after its `#`"
            ));
        }
        if copy.is_complete {
            return Err(format!(
                "peer {peer} gets more of message {number}, of which it had everything"
            ));
        }
        if is_once && copy.covered.overlaps(start, end) {
            return Err(format!("peer {peer} gets octets of message {number} twice"));
        }
        copy.covered.add(start, end);
        match frame.flag {
            Flag::More => Ok(None),
            Flag::Abort => {
                copy.is_aborted = true;
                self.see("abort");
                Ok(None)
            }
            Flag::Last if copy.covered.is_whole(octets) => {
                copy.is_complete = true;
                self.see("complete");
                Ok(Some(number))
            }
            // A relay that had no room for a part passes on what was under way behind it.
            Flag::Last if is_cut_short => {
                copy.is_aborted = true;
                Ok(None)
            }
            Flag::Last if is_exact => Err(format!(
                "peer {peer}: message {number} ends with `$`, but octets are missing: {:?} of {octets}",
                copy.covered
            )),
            Flag::Last => Ok(None),
        }
    }

    fn begin_copy(&mut self, peer: PeerId, now_ns: u64, number: Number) -> Verdict {
        let Some(sent) = self.sent.get(number) else {
            return Err(format!(
                "peer {peer} gets message {number}, which nobody sent"
            ));
        };
        let message = &sent.message;
        let witness = &self.witnesses[peer];
        let sender = &self.witnesses[message.sender];
        let is_known = sent.begun_ns.is_some();
        let is_addressed = match &message.to {
            To::Room => true,
            To::Peers(peers) => peers.contains(&peer),
            To::Nobody => false,
        };
        let was_here = witness.maybe_from_ns.is_some_and(|from| from <= now_ns);
        let may_relay = !matches!(message.fate, Fate::Refused(_)) && sent.refused != Some(403);
        let is_fine = is_known
            && is_addressed
            && was_here
            && witness.room == message.room
            && peer != message.sender
            && may_relay;
        if !is_fine {
            return Err(format!(
                "peer {peer} ({}) gets message {number} of peer {} ({}), {:?} to {:?}, refused with {:?}",
                witness.temper,
                message.sender,
                sender.temper,
                message.fate,
                message.to,
                sent.refused
            ));
        }
        let witness = &mut self.witnesses[peer];
        if !witness.starts.contains(&number) {
            witness.starts.push(number);
        }
        Ok(())
    }

    /// A message that the room itself wrote.
    fn on_room_message(&mut self, peer: PeerId, body: &[u8]) -> Verdict {
        let text = String::from_utf8_lossy(body);
        let content = text.rsplit("\r\n\r\n").next().unwrap_or_default();
        if content.ends_with(MISSED) {
            let count = content
                .split(' ')
                .next()
                .and_then(|count| count.parse().ok());
            let count: usize = count.ok_or("a notice of missed messages without their number")?;
            self.witnesses[peer].missed_told += count;
            self.see("missed notice");
            return Ok(());
        }
        if content.starts_with("own message") {
            self.witnesses[peer].own_seen += 1;
            self.see("own message");
            return Ok(());
        }
        Err(format!(
            "peer {peer} gets a message that nobody sent: {text:?}"
        ))
    }

    /// A participant saw that its session is over: what it began to get will not end.
    pub(crate) fn note_refusal(&mut self, peer: PeerId, number: Number) {
        self.witnesses[peer]
            .copies
            .entry(number)
            .or_default()
            .is_refused = true;
    }

    /// The message that a participant gets under this id.
    pub(crate) fn number_under(&self, peer: PeerId, id: &str) -> Option<Number> {
        self.witnesses[peer].inbox.get(id).copied()
    }

    /// A participant reported that it has all of a message.
    pub(crate) fn note_report(&mut self, peer: PeerId, number: Number) {
        self.witnesses[peer]
            .copies
            .entry(number)
            .or_default()
            .is_reported = true;
    }
}

fn find(octets: &[u8], word: &[u8]) -> Option<usize> {
    let first = word.first()?;
    let mut from = 0;
    while let Some(at) = octets.get(from..)?.iter().position(|octet| octet == first) {
        from += at;
        if octets.get(from..)?.starts_with(word) {
            return Some(from);
        }
        from += 1;
    }
    None
}
