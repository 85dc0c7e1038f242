//! What senders were told agrees with what recipients saw.

use super::{Oracle, Sent, Verdict, Witness};
use crate::kernel::PeerId;
use crate::message::{Ending, Fate, Number, To};

impl Oracle {
    /// A final report said this of one participant.
    ///
    /// # Errors
    /// It says that somebody has a message who has not, or names somebody twice, or somebody to whom it did not go.
    pub(crate) fn on_final_report(
        &mut self,
        number: Number,
        legs: &[(String, u16)],
        is_last: bool,
    ) -> Verdict {
        self.see("final report");
        for (uri, status) in legs {
            let sent = &mut self.sent[number];
            if sent.reported.insert(uri.clone(), *status).is_some() {
                return Err(format!(
                    "the final report of message {number} names {uri} twice"
                ));
            }
            let room = sent.message.room;
            let to = sent.message.to.clone();
            let sender = sent.message.sender;
            let is_it = |(id, witness): &(PeerId, &Witness)| {
                witness.entity == *uri
                    && witness.room == room
                    && *id != sender
                    && match &to {
                        To::Room => true,
                        To::Peers(peers) => peers.contains(id),
                        To::Nobody => false,
                    }
            };
            let found: Vec<_> = self.witnesses.iter().enumerate().filter(is_it).collect();
            if found.is_empty() {
                return Err(format!(
                    "the final report of message {number} names {uri}, to whom it did not go"
                ));
            }
            let has_it = |(_, witness): &(PeerId, &Witness)| {
                witness
                    .copies
                    .get(&number)
                    .is_some_and(|copy| copy.is_complete && copy.is_reported)
            };
            let is_liar = |(_, witness): &(PeerId, &Witness)| !witness.temper.is_honest();
            if *status == 200 && !found.iter().any(has_it) && !found.iter().any(is_liar) {
                return Err(format!(
                    "the sender of message {number} is told that {uri} has it, which is not so"
                ));
            }
        }
        let sent = &mut self.sent[number];
        if is_last && std::mem::replace(&mut sent.is_report_complete, true) {
            return Err(format!("a second final report of message {number}"));
        }
        Ok(())
    }

    /// At the end of a world, when everything has healed: nothing was lost in silence.
    ///
    /// # Errors
    /// A message that somebody should have and does not, or a copy that never ended, or a report that never came.
    pub(crate) fn check_ledger(&self) -> Verdict {
        let mut missing = vec![Vec::new(); self.witnesses.len()];
        for (number, sent) in self.sent.iter().enumerate() {
            self.check_report(number, sent)?;
            self.check_refusal(number, sent)?;
            for (peer, witness) in self.witnesses.iter().enumerate() {
                self.check_end(peer, witness, number, sent)?;
                // A copy that ended with `#` was not lost in silence.
                let is_over = |copy: &super::Copy| copy.is_complete || copy.is_aborted;
                if self.must_have(peer, witness, sent)
                    && !witness.copies.get(&number).is_some_and(is_over)
                {
                    missing[peer].push(number);
                }
            }
        }
        for (peer, (witness, missing)) in self.witnesses.iter().zip(missing).enumerate() {
            let lives = witness.gone_ns.is_none() && witness.temper.is_honest();
            let own_missing = witness.own_due.saturating_sub(witness.own_seen);
            let own_missing = if lives { own_missing } else { 0 };
            let untold = (missing.len() + own_missing).saturating_sub(witness.missed_told);
            if untold > 0 && !self.relay_may_have_lost(witness, untold) {
                return Err(format!(
                    "peer {peer} ({}) never got messages {missing:?} and {own_missing} of the room itself, and was told of {} only",
                    witness.temper, witness.missed_told
                ));
            }
        }
        Ok(())
    }

    /// Whether the sender of a message did all that it should.
    fn is_sound(&self, sent: &Sent) -> bool {
        let sender = &self.witnesses[sent.message.sender];
        let is_whole = sent.written_ns.is_some() && sent.message.ending == Ending::Last;
        // Who wants to hear of no failure is not told what a relay could not pass on.
        let is_heard = sent.message.failure_report != "no" || !sender.is_relayed || self.is_calm;
        is_whole
            && is_heard
            && sent.message.fate == Fate::Accepted
            && sent.refused.is_none()
            && sender.gone_ns.is_none()
            && sender.surely_from_ns.is_some()
            && !sender.is_muted
    }

    fn must_have(&self, peer: PeerId, witness: &Witness, sent: &Sent) -> bool {
        let is_addressed = match &sent.message.to {
            To::Room => true,
            To::Peers(peers) => peers.contains(&peer),
            To::Nobody => false,
        };
        let was_here = witness
            .surely_from_ns
            .zip(sent.begun_ns)
            .is_some_and(|(from, begun)| from <= begun);
        let is_honest = witness.temper.is_honest();
        let is_other = peer != sent.message.sender && witness.room == sent.message.room;
        self.is_sound(sent)
            && is_addressed
            && was_here
            && is_honest
            && is_other
            && witness.gone_ns.is_none()
    }

    /// A copy that began ends, while the session lives.
    fn check_end(&self, peer: PeerId, witness: &Witness, number: Number, sent: &Sent) -> Verdict {
        let Some(copy) = witness.copies.get(&number) else {
            return Ok(());
        };
        let is_over = copy.is_complete || copy.is_aborted || copy.is_refused;
        let lives = witness.gone_ns.is_none() && witness.temper.is_honest();
        let sender = &self.witnesses[sent.message.sender];
        if self.relay_may_have_lost(witness, 1) {
            return Ok(());
        }
        let sender_ended = sent.written_ns.is_some() || sender.gone_ns.is_some();
        if lives && sender_ended && !is_over && sent.message.fate != Fate::Any {
            return Err(format!(
                "peer {peer}: message {number} began and never ended: {copy:?}"
            ));
        }
        Ok(())
    }

    /// A final report that was asked for came, and names everybody.
    fn check_report(&self, number: Number, sent: &Sent) -> Verdict {
        if !sent.message.asks_for_report || !self.is_sound(sent) {
            return Ok(());
        }
        let sender = &self.witnesses[sent.message.sender];
        if !sent.is_report_complete && self.relay_may_have_lost(sender, 1) {
            return Ok(());
        }
        if !sent.is_report_complete {
            return Err(format!("message {number}: the final report never came"));
        }
        for (peer, witness) in self.witnesses.iter().enumerate() {
            let is_named = sent.reported.contains_key(&witness.entity);
            if self.must_have(peer, witness, sent) && !is_named {
                return Err(format!(
                    "the final report of message {number} does not name peer {peer}"
                ));
            }
            let copy = witness.copies.get(&number);
            let has_it = copy.is_some_and(|copy| copy.is_reported);
            let told = sent.reported.get(&witness.entity);
            if self.must_have(peer, witness, sent)
                && has_it
                && told.is_some_and(|told| *told != 200 && *told != 408)
            {
                return Err(format!(
                    "message {number}: peer {peer} has it, and its sender was told {told:?}"
                ));
            }
        }
        Ok(())
    }
}
