//! Which lines a conference offers to whom, and who takes them.
//!
//! ```text
//!   caller's INVITE --> lines --> INVITE to each invitee --> answers, line by line --> 200 to the caller
//!   file in a re-INVITE --> line --> re-INVITE to each other participant --> answers --> 200 to its owner
//! ```
//! A line that nobody takes is answered with port 0. A line that ended is shown with port 0 by an offer of
//! ours to each who had it.
//!
//! # Spec
//! RFC 5547 s.8; RFC 3264 s.6, s.8; AMB-77.

use msrp_control::{ControlError, LocalMedia, Media, Reply};

use crate::focus::conference::delivering::Purpose;
use crate::focus::conference::{Conference, Env};
use crate::focus::desk::{Asked, Step};
use crate::focus::media::{PeerDescription, Remote};
use crate::focus::participant::{Participant, State};
use crate::focus::refusal::Refusal;
use crate::focus::slots::{Leg, LineId};
use crate::limits::FILES_MAX;

impl Conference {
    /// Opens the lines that a caller's offer starts a conference with, the first of them for what the
    /// conference is about. Gives their places in the offer, in its order.
    pub(super) fn open_lines(
        &mut self,
        offer: &PeerDescription,
        purpose: Option<Purpose>,
        env: &mut Env<'_>,
    ) -> Vec<(usize, LineId)> {
        let talk = offer.talk().filter(|_| purpose != Some(Purpose::File));
        let files = offer.files().filter(|_| purpose != Some(Purpose::Message));
        let file = Some(Purpose::File);
        let mut wanted: Vec<_> = talk
            .map(|(at, remote)| (at, remote, purpose))
            .into_iter()
            .collect();
        wanted.extend(files.take(FILES_MAX).map(|(at, remote)| (at, remote, file)));
        if wanted.is_empty() {
            // A large message may be described as a file.
            wanted.extend(
                offer
                    .files()
                    .take(1)
                    .map(|(at, remote)| (at, remote, purpose)),
            );
        }
        let open = |(at, remote, purpose)| (at, self.open_line(purpose, remote, OWNER, env));
        let mut places: Vec<(usize, LineId)> = wanted.into_iter().map(open).collect();
        places.sort_unstable();
        places
    }

    /// What our offer to invitees says of each line.
    pub(super) fn sections_for_invitees(
        &self,
        offer: &PeerDescription,
        places: &[(usize, LineId)],
    ) -> Vec<(LineId, LocalMedia)> {
        let section = |(place, line): &(usize, LineId)| {
            let remote = offer.at(*place)?;
            Some((*line, self.offer_for_invitees(remote)))
        };
        places.iter().filter_map(section).collect()
    }

    /// Reads what an invitee takes.
    ///
    /// # Errors
    /// [`Refusal::MalformedBody`], [`Refusal::NotAcceptable`]: it takes nothing that it could be served
    /// with, or does not talk where people talk.
    pub(super) fn read_first_answer(
        &mut self,
        key: u64,
        octets: &[u8],
        env: &mut Env<'_>,
    ) -> Result<(), Refusal> {
        let answer = PeerDescription::read(octets)?.with_session()?;
        let Some(participant) = self.participants.get_mut(&key) else {
            return Ok(());
        };
        participant.slots.agree(answer.count());
        let places = 0..participant.slots.count();
        let lines: Vec<(usize, LineId)> = places
            .filter_map(|at| Some((at, participant.slots.leg_at(at)?.line)))
            .collect();
        let mut refused = Vec::new();
        for (place, line) in &lines {
            match answer.at(*place) {
                Some(remote) => {
                    self.check_wrapper(*line, remote)?;
                    self.keep_remote(key, *line, remote);
                }
                None => refused.push(*line),
            }
        }
        if refused.len() == lines.len() || refused.iter().any(|line| self.is_talk(*line)) {
            return Err(Refusal::NotAcceptable(
                "The answer takes no message media that was offered.".into(),
            ));
        }
        for line in refused {
            self.refuse_line(key, line, DECLINED, env);
        }
        Ok(())
    }

    pub(super) fn keep_remote(&mut self, key: u64, line: LineId, remote: &Remote) {
        let participant = self.participants.get_mut(&key);
        if let Some(leg) = participant.and_then(|p| p.slots.leg_mut(line)) {
            leg.remote = Some(remote.clone());
        }
    }

    /// Offers a line to everybody who takes part, except its owner.
    pub(super) fn offer_line(
        &mut self,
        (owner, line): (u64, LineId),
        local: &LocalMedia,
        env: &mut Env<'_>,
    ) {
        let others = |(key, p): (&u64, &Participant)| {
            (*key != owner && p.is_connected() && !p.slots.lines().is_empty()).then_some(*key)
        };
        let keys: Vec<u64> = self.participants.iter().filter_map(others).collect();
        for key in keys {
            let mut leg = Leg::of_ours(line, local);
            leg.is_offered = true;
            let participant = self.participants.get_mut(&key);
            if !participant.is_some_and(|p| p.slots.add(leg)) {
                continue;
            }
            if let Some(command) = self.adding(key, line, Media::MakeOffer, local.clone()) {
                let asked = Asked::Leg(self.seat(key), Step::Extend, line);
                env.desk.command(asked, command);
            }
        }
    }

    /// The engine made the offer of a line for somebody who takes part, or not.
    pub(super) fn on_extended(
        &mut self,
        (key, line): (u64, LineId),
        result: Result<Reply, ControlError>,
        env: &mut Env<'_>,
    ) {
        let Some(participant) = self.participants.get_mut(&key) else {
            return;
        };
        match result {
            Ok(Reply::Sdp(sdp)) => participant.slots.take(line, sdp),
            Ok(_) => self.leave_line(key, line, env),
            Err(_) => {
                if let Some(leg) = participant.slots.leg_mut(line) {
                    leg.is_in_room = false;
                }
                self.leave_line(key, line, env);
            }
        }
        self.offer_soon(key, env);
    }

    /// Our description of a participant's lines changed: offers it as soon as may be.
    pub(super) fn offer_soon(&mut self, key: u64, env: &mut Env<'_>) {
        if let Some(participant) = self.participants.get_mut(&key) {
            participant.offer_due = true;
        }
        self.try_offer(key, env);
    }

    /// Sends the offer that is due, unless another offer is under way.
    ///
    /// # Spec
    /// RFC 3261 s.14.1.
    pub(super) fn try_offer(&mut self, key: u64, env: &mut Env<'_>) {
        let is_ready = |p: &Participant| {
            let is_free = !p.is_refreshing && p.reoffer.is_none() && !p.awaits_answer;
            let is_acknowledged = matches!(
                p.state,
                State::Joined {
                    is_acknowledged: true,
                    ..
                }
            );
            p.offer_due && is_free && is_acknowledged && !p.slots.legs().any(Leg::is_unwritten)
        };
        if !self.is_closing && self.participants.get(&key).is_some_and(is_ready) {
            self.send_refresh(key, env);
        }
    }

    /// An offer of ours was answered: what was new in it and was not taken is refused.
    pub(super) fn refuse_offered(&mut self, key: u64, status: u16, env: &mut Env<'_>) {
        let Some(participant) = self.participants.get(&key) else {
            return;
        };
        let legs = participant.slots.legs();
        let offered = legs.filter(|leg| leg.is_offered && leg.is_sent);
        let lines: Vec<LineId> = offered.map(|leg| leg.line).collect();
        for line in lines {
            self.refuse_line(key, line, status, env);
        }
        if let Some(participant) = self.participants.get_mut(&key) {
            participant.slots.retract();
        }
    }

    /// Reads the answer to an offer of ours inside a session: gives it to the engine where it is news.
    ///
    /// # Errors
    /// [`Refusal`]: it cannot be served.
    pub(super) fn read_answer(
        &mut self,
        key: u64,
        octets: &[u8],
        env: &mut Env<'_>,
    ) -> Result<(), Refusal> {
        let answer = PeerDescription::read(octets)?;
        let unserved = || Refusal::NotAcceptable("The answer ends a session.".into());
        if let Some(participant) = self.participants.get_mut(&key) {
            participant.slots.agree(answer.count());
        }
        for place in 0..answer.count() {
            let participant = self.participants.get_mut(&key);
            let Some(leg) = participant.and_then(|p| p.slots.leg_at(place)) else {
                // We ended it meanwhile.
                if !answer.is_closed(place)
                    && let Some(participant) = self.participants.get_mut(&key)
                {
                    participant.offer_due = true;
                }
                continue;
            };
            let (line, is_offered) = (leg.line, leg.is_offered);
            let is_known = leg.remote.as_ref();
            let is_known = is_known
                .zip(answer.at(place))
                .is_some_and(|(a, b)| a.is_same(b));
            match answer.at(place) {
                Some(_) if is_known && !is_offered => {}
                Some(remote) => {
                    self.check_wrapper(line, remote)?;
                    self.keep_remote(key, line, remote);
                    self.change(key, line, env);
                }
                None if is_offered => self.refuse_line(key, line, DECLINED, env),
                None if self.is_file(line) && answer.is_closed(place) => {
                    self.close_for(key, line, env);
                }
                None => return Err(unserved()),
            }
        }
        // What the answer leaves out is not wanted.
        self.refuse_offered(key, DECLINED, env);
        Ok(())
    }

    fn change(&mut self, key: u64, line: LineId, env: &mut Env<'_>) {
        let participant = self.participants.get_mut(&key);
        if let Some(leg) = participant.and_then(|p| p.slots.leg_mut(line)) {
            leg.is_offered = false;
        }
        let participant = self.participants.get(&key);
        let leg = participant.and_then(|p| p.slots.leg(line));
        if let Some(command) = leg.and_then(|leg| self.answering(key, leg)) {
            let asked = Asked::Leg(self.seat(key), Step::Change, line);
            env.desk.command(asked, command);
        }
    }

    /// A participant wants no more of a file. When it is its owner, nobody gets more of it.
    pub(super) fn close_for(&mut self, key: u64, line: LineId, env: &mut Env<'_>) {
        let is_owner = self.lines.get(&line).is_some_and(|l| l.owner == key);
        self.leave_line(key, line, env);
        if is_owner {
            self.end_line(line, env);
        }
    }

    /// Whether a line is about a file.
    pub(super) fn is_file(&self, line: LineId) -> bool {
        let line = self.lines.get(&line);
        line.is_some_and(|line| line.purpose == Some(Purpose::File))
    }

    /// Lets those in who wait for somebody to take what they offer.
    pub(super) fn proceed(&mut self, env: &mut Env<'_>) {
        let is_met = self.is_taken() || self.participants.values().any(Participant::is_connected);
        let mut lines = self.lines.keys();
        if is_met && lines.all(|line| self.is_talk(*line) || self.is_decided(*line)) {
            self.enter_waiting(env);
        }
        let now = env.now;
        let is_due = |(key, p): (&u64, &Participant)| {
            let reoffer = p.reoffer.as_ref()?;
            let is_late = reoffer.decides_ns? <= now;
            let is_decided = reoffer.adds.iter().all(|line| self.is_decided(*line));
            (is_late || is_decided).then_some(*key)
        };
        let due: Vec<u64> = self.participants.iter().filter_map(is_due).collect();
        for key in due {
            self.ask_reoffer(key, env);
        }
    }
}

/// The key of whoever starts a conference.
const OWNER: u64 = 0;

/// The status that a sender's report says of somebody who does not want a file. Source: RFC 3261 s.21.6.2.
const DECLINED: u16 = 603;
