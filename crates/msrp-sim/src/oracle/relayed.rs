//! What holds where a relay is in between.
//!
//! A relay answers for itself: its 200 says that it has the octets, what becomes of them it tells by a REPORT. A piece that
//! it could not pass on may have arrived all the same. In a calm world, where nothing breaks and nobody is slow, nothing
//! of that may happen.
//!
//! # Spec
//! RFC 4976 s.6.4.

use msrp_testkit::Flag;

use super::{Oracle, Sent, Verdict, Witness};
use crate::kernel::PeerId;
use crate::message::{Fate, Number, number_of};

/// Octets of a message that came together.
pub(super) struct Piece {
    /// The place of the first one, from 0.
    pub(super) start: usize,
    pub(super) body: Vec<u8>,
    pub(super) flag: Flag,
}

/// What a relay says of what it could not pass on, or not in time; and what a room says of a message whose first part it
/// never got.
const OF_RELAY: [u16; 4] = [400, 408, 413, 481];

impl Oracle {
    /// A participant got a REPORT without a final report in it.
    ///
    /// # Errors
    /// It asked for none, or the REPORT says what is not so.
    pub(crate) fn on_failure_report(
        &mut self,
        peer: PeerId,
        number: Number,
        status: u16,
    ) -> Verdict {
        let witness = &self.witnesses[peer];
        if !witness.is_relayed {
            return Ok(());
        }
        let sent = &self.sent[number];
        let is_excused = witness.is_hurt || witness.is_muted || !witness.temper.is_honest();
        if sent.message.failure_report == "no" && !is_excused {
            return Err(format!(
                "peer {peer}: a REPORT of {status} on message {number}, which asked for none"
            ));
        }
        if status != 200 && !is_excused && !self.may_fail(peer, number, status) {
            return Err(format!(
                "peer {peer}: a REPORT says that message {number} failed with {status}, which is not so"
            ));
        }
        self.see("report of a failure");
        if status != 200 {
            self.sent[number].refused.get_or_insert(status);
        }
        Ok(())
    }

    /// A relay cuts where it likes, so what a message is may stand in several of its pieces: their octets together, from the
    /// first one on, when they tell it. `None` when more has to come.
    pub(super) fn gather_head(&mut self, peer: PeerId, id: &str, piece: Piece) -> Option<Piece> {
        let witness = &mut self.witnesses[peer];
        if !witness.is_relayed {
            return Some(piece);
        }
        let heads = &mut witness.heads;
        if piece.start == 0 {
            heads.insert(id.to_owned(), Vec::new());
        }
        let head = heads.get_mut(id).filter(|head| head.len() == piece.start);
        let Some(head) = head else {
            return Some(piece);
        };
        head.extend_from_slice(&piece.body);
        let is_last = piece.flag == Flag::Last;
        let is_told = number_of(head).is_some();
        if is_told || is_last {
            let body = heads.remove(id)?;
            return Some(Piece {
                start: 0,
                body,
                flag: piece.flag,
            });
        }
        if piece.flag == Flag::Abort {
            heads.remove(id);
        }
        None
    }

    /// Whether a message of somebody behind a relay may fail so.
    pub(super) fn may_fail(&self, peer: PeerId, number: Number, status: u16) -> bool {
        let message = &self.sent[number].message;
        let is_relays = OF_RELAY.contains(&status) && !self.is_calm;
        let is_right = match message.fate {
            Fate::Accepted if status == 404 => self.are_gone(&message.to),
            Fate::Accepted if status == 413 => self.is_refused(number),
            Fate::Accepted => false,
            Fate::Refused(expected) => status == expected,
            Fate::Any => true,
        };
        self.witnesses[peer].is_relayed && (is_relays || is_right)
    }

    /// Whether what a relay lost may be what is missing here.
    pub(super) fn relay_may_have_lost(&self, witness: &Witness, count: usize) -> bool {
        witness.is_relayed && !self.is_calm && count <= self.lost_by_relay
    }

    /// Who asked to hear of failures and sent through a relay what the room refuses was told so.
    pub(super) fn check_refusal(&self, number: Number, sent: &Sent) -> Verdict {
        let message = &sent.message;
        let sender = &self.witnesses[message.sender];
        let is_refused = matches!(message.fate, Fate::Refused(_));
        let was_there = sent.written_ns.is_some() && sender.gone_ns.is_none();
        let is_due = sender.is_relayed && message.failure_report != "no" && was_there;
        if is_due && is_refused && sender.temper.is_honest() && sent.refused.is_none() {
            return Err(format!(
                "message {number} was refused, and its sender {} behind a relay was not told",
                message.sender
            ));
        }
        Ok(())
    }
}
