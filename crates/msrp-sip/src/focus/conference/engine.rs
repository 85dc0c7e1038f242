//! Answers and events of the media engine.

use msrp_control::{Command, ControlError, EndReason, ErrorCode, ParticipantId, Reply};
use msrp_sdp::Direction;

use crate::focus::conference::lines::MAIN;
use crate::focus::conference::seating::participant_id;
use crate::focus::conference::{Conference, Env};
use crate::focus::desk::{Asked, Step};
use crate::focus::headers::{ALLOW, SOFTWARE};
use crate::focus::invitation;
use crate::focus::media::sdp_body;
use crate::focus::participant::{Invitation, Participant, State};
use crate::focus::refusal::Refusal;
use crate::focus::release::ReleaseReason;
use crate::focus::session_timer::{Agreement, SessionTimer};
use crate::focus::slots::{Leg, LineId};
use crate::focus::subscription::{ALLOW_EVENTS, fragment, phrase_of};
use crate::limits::INVITATION_NS_MAX;
use crate::ua::{Answer, Body, DialogId, Headers};

impl Conference {
    /// The room was created, or not.
    pub(crate) fn on_created(&mut self, result: &Result<Reply, ControlError>, env: &mut Env<'_>) {
        if let Err(error) = result {
            tracing::warn!(room = %self.room, code = error.code.as_str(), "the engine created no room");
            self.lose_room(error.code, env);
        }
    }

    /// The engine ended the room by itself.
    pub(crate) fn on_room_lost(&mut self, reason: EndReason, env: &mut Env<'_>) {
        tracing::warn!(room = %self.room, reason = reason.as_str(), "the engine lost the room");
        self.lose_room(ErrorCode::Unavailable, env);
    }

    fn lose_room(&mut self, code: ErrorCode, env: &mut Env<'_>) {
        if let Some(line) = self.lines.get_mut(&MAIN) {
            line.runs = false;
        }
        let waiting: Vec<u64> = self
            .participants
            .iter()
            .filter(|(_, p)| matches!(p.state, State::Waiting(_) | State::Entering(_)))
            .map(|(key, _)| *key)
            .collect();
        for key in waiting {
            self.dismiss(key, &Refusal::Engine(code), Headers::new(), env);
        }
        self.release(ReleaseReason::Engine, env);
        self.settle(env);
    }

    /// Our offer for an invitee is there, or not.
    pub(super) fn on_offer(
        &mut self,
        key: u64,
        result: Result<(), ControlError>,
        env: &mut Env<'_>,
    ) {
        let Some(participant) = self.participants.get_mut(&key) else {
            return;
        };
        if !matches!(participant.state, State::Offered) {
            return;
        }
        match result {
            Ok(()) => {
                participant.slots.offer();
                self.send_invitation(key, env.policy.session_expires_s, env);
            }
            Err(error) => self.fail_invitation(key, error.code.sip_status(), env),
        }
    }

    /// Sends the INVITE to an invitee whose offer is there.
    ///
    /// # Spec
    /// CTRL-7.2.2.2-02, CTRL-7.2.2.2-04, CTRL-7.2.2.2-05.
    pub(super) fn send_invitation(&mut self, key: u64, interval_s: u32, env: &mut Env<'_>) {
        let seat = self.seat(key);
        let is_large = self.is_large();
        let transport = self.participants.get(&key).map(|p| p.transport);
        let contact = self.contact(transport, env);
        let (Some(participant), Some(invitee)) =
            (self.participants.get_mut(&key), self.invitees.get(&key))
        else {
            return;
        };
        let sdp = participant.slots.text().unwrap_or_default();
        let request = invitation::build(
            env.policy,
            self.referrers.get(&key).unwrap_or(&self.inviter),
            invitee,
            contact,
            sdp,
            (interval_s, is_large),
        );
        let gives_up_ns = env.now.saturating_add(INVITATION_NS_MAX);
        participant.state = State::Invited(Invitation {
            dialog: None,
            gives_up_ns,
            interval_s,
        });
        env.desk.invite(seat, request);
    }

    /// An invitation came to nothing.
    ///
    /// # Spec
    /// AMB-22.
    pub(super) fn fail_invitation(&mut self, key: u64, status: u16, env: &mut Env<'_>) {
        let status = invitation::mapped_status(status);
        self.note_failure(key, status);
        tracing::info!(room = %self.room, participant = %participant_id(key), status, "invitation failed");
        self.remove(key, env);
    }

    pub(super) fn note_failure(&mut self, key: u64, status: u16) {
        if let Some(participant) = self.participants.get_mut(&key) {
            participant.absence = Some(status);
        }
        let text = fragment(status, phrase_of(status), None);
        self.notifier.note_outcome(key, false, &text);
        self.lowest_failure = Some(
            self.lowest_failure
                .map_or(status, |lowest| lowest.min(status)),
        );
    }

    /// Gives the answer of an invitee to the engine.
    pub(super) fn accept(
        &mut self,
        key: u64,
        dialog: DialogId,
        agreement: Agreement,
        env: &mut Env<'_>,
    ) {
        let Some(participant) = self.participants.get_mut(&key) else {
            return;
        };
        participant.state = State::Accepting { dialog, agreement };
        // The rooms learned of it before its client showed anything, and before it had a dialog.
        let (is_hidden, is_news) = (
            participant.is_hidden,
            participant.shows_release() || participant.charging.is_some(),
        );
        let updates = self.updates(key);
        if is_hidden {
            // Nobody may hear of it before the rooms know it by its alias alone.
            return self.ask(key, Step::Hide, updates, env);
        }
        for (_, update) in updates.into_iter().filter(|_| is_news) {
            env.desk.command(Asked::Forget, update);
        }
        self.silence_recipient(key, env);
        self.give_answer(key, env);
    }

    /// What tells the rooms who a participant is.
    pub(super) fn updates(&self, key: u64) -> Vec<(LineId, Command)> {
        let Some(participant) = self.participants.get(&key) else {
            return Vec::new();
        };
        let in_room = participant.slots.legs().filter(|leg| leg.is_in_room);
        let update = |leg: &Leg| {
            let command = Command::UpdateParticipant {
                room: self.lines.get(&leg.line)?.room.clone(),
                participant: participant.id.clone(),
                config: participant.config(),
            };
            Some((leg.line, command))
        };
        in_room.filter_map(update).collect()
    }

    /// The rooms know a hidden invitee by its alias, or not: then it cannot take part.
    ///
    /// # Spec
    /// CTRL-7.2.2.2-14.
    pub(super) fn on_hidden(
        &mut self,
        key: u64,
        result: Result<(), ControlError>,
        env: &mut Env<'_>,
    ) {
        match result {
            Ok(()) => self.give_answer(key, env),
            Err(error) => self.on_accepted(key, Err(error), env),
        }
    }

    fn give_answer(&mut self, key: u64, env: &mut Env<'_>) {
        self.let_receivers_in(key, env);
        let Some(participant) = self.participants.get(&key) else {
            return;
        };
        let answer = |leg: &Leg| Some((leg.line, self.answering(key, leg)?));
        let commands: Vec<_> = participant.slots.legs().filter_map(answer).collect();
        self.ask(key, Step::Accept, commands, env);
    }

    /// An invitee that gives a file may do so as soon as the engine knows its answer: who asked for it is in the room
    /// before, or the file would be for nobody.
    fn let_receivers_in(&mut self, key: u64, env: &mut Env<'_>) {
        let Some(participant) = self.participants.get(&key) else {
            return;
        };
        let gives = |leg: &Leg| {
            let direction = leg.remote.as_ref().map(|remote| remote.media.direction);
            !self.is_talk(leg.line) && direction.is_some_and(Direction::may_send)
        };
        if !self.is_large() && participant.slots.legs().any(gives) {
            for line in participant.slots.lines() {
                self.note_taken(key, line);
            }
            self.proceed(env);
        }
    }

    /// What gives the answer of a participant about a leg to the engine.
    pub(super) fn answering(&self, key: u64, leg: &Leg) -> Option<Command> {
        Some(Command::SetAnswer {
            room: self.lines.get(&leg.line)?.room.clone(),
            participant: self.participants.get(&key)?.id.clone(),
            sdp: leg.remote.as_ref()?.sdp.clone(),
        })
    }

    /// The engine took the answer of an invitee, or not. The first acceptance lets the caller in.
    ///
    /// # Spec
    /// CTRL-7.2.1.2-11, CTRL-7.2.1.3-14, CTRL-7.2.2.2-15.
    pub(super) fn on_accepted(
        &mut self,
        key: u64,
        result: Result<(), ControlError>,
        env: &mut Env<'_>,
    ) {
        let Some(participant) = self.participants.get_mut(&key) else {
            return;
        };
        let State::Accepting { dialog, agreement } = participant.state else {
            return;
        };
        match result {
            Ok(()) => {
                participant.state = State::Joined {
                    dialog,
                    is_acknowledged: true,
                };
                participant.timer = Some(SessionTimer::start(env.now, agreement));
                tracing::info!(room = %self.room, participant = %participant.id, entity = %participant.entity, shows_release = participant.shows_release(), "participant joined");
                for line in participant.slots.lines() {
                    self.note_taken(key, line);
                }
                self.note_joined(key);
                self.try_offer(key, env);
            }
            Err(error) => {
                tracing::info!(room = %self.room, participant = %participant.id, code = error.code.as_str(), "the answer cannot be served");
                self.note_failure(key, error.code.sip_status());
                self.dismiss(
                    key,
                    &Refusal::SessionEnded,
                    reason(488, "The answer is not acceptable"),
                    env,
                );
            }
        }
        self.settle(env);
    }

    /// The engine took the offer of a caller, or not.
    pub(super) fn on_entered(
        &mut self,
        key: u64,
        result: Result<(), ControlError>,
        env: &mut Env<'_>,
    ) {
        let state = self.participants.get(&key).map(|p| &p.state);
        if !matches!(state, Some(State::Entering(_))) {
            return;
        }
        match result {
            Ok(()) => self.welcome(key, env),
            Err(error) => {
                let refusal = Refusal::of_engine(error);
                self.dismiss(key, &refusal, Headers::new(), env);
            }
        }
    }

    /// Sends the 200 OK to a caller.
    ///
    /// # Spec
    /// CTRL-7.2.1.1.
    fn welcome(&mut self, key: u64, env: &mut Env<'_>) {
        let Some((knock, mut headers)) = self.caller_headers(key, env) else {
            return;
        };
        let Some(participant) = self.participants.get_mut(&key) else {
            return;
        };
        let sdp = participant.slots.answer(participant.slots.count());
        knock.2.write(&mut headers);
        let answer = Answer {
            status: 200,
            reason: None,
            headers,
            body: Some(sdp_body(&sdp)),
        };
        env.desk.answer_invite(knock.0, answer);
        if let Some(participant) = self.participants.get_mut(&key) {
            participant.state = State::Joined {
                dialog: knock.1,
                is_acknowledged: false,
            };
            participant.timer = Some(SessionTimer::start(env.now, knock.2));
            tracing::info!(room = %self.room, participant = %participant.id, entity = %participant.entity, shows_release = participant.shows_release(), "participant joined");
            self.note_joined(key);
        }
    }

    /// Tells waiting callers that an invitee rings, once.
    ///
    /// # Spec
    /// CTRL-7.2.1.2-19; AMB-21.
    pub(super) fn relay_ringing(&mut self, env: &mut Env<'_>) {
        if !env.policy.relay_ringing || std::mem::replace(&mut self.has_rung, true) {
            return;
        }
        let answer = |headers, body: Option<Body>| Answer {
            status: 180,
            reason: None,
            headers,
            body,
        };
        if let Some((knock, headers)) = self.caller_headers(self.originator, env) {
            env.desk.answer(knock.0, answer(headers, None));
        }
    }

    /// What is needed to answer a caller, and the header fields that all answers to it share.
    fn caller_headers(
        &self,
        key: u64,
        env: &Env<'_>,
    ) -> Option<((crate::ua::TxnId, DialogId, Agreement), Headers)> {
        let participant = self.participants.get(&key)?;
        let (State::Waiting(knock) | State::Entering(knock)) = &participant.state else {
            return None;
        };
        let headers = Headers::new()
            .with("Contact", self.contact(Some(participant.transport), env))
            .with("P-Asserted-Identity", self.asserted_identity())
            .with("Allow", ALLOW)
            .with("Allow-Events", ALLOW_EVENTS)
            .with("Server", SOFTWARE);
        Some(((knock.transaction, knock.dialog, knock.agreement), headers))
    }

    /// The engine lost the session of a participant: the signalling follows.
    pub(crate) fn on_participant_lost(
        &mut self,
        line: LineId,
        id: &ParticipantId,
        why: EndReason,
        env: &mut Env<'_>,
    ) {
        tracing::info!(room = %self.room, participant = %id, reason = why.as_str(), "participant lost");
        let farewell = reason(503, &format!("MSRP session ended: {why}"));
        let refusal = Refusal::Engine(ErrorCode::Unavailable);
        self.follow_the_engine(line, id, (&refusal, farewell), env);
    }

    /// Another controller took a participant out of the room: the signalling follows.
    pub(crate) fn on_participant_removed(
        &mut self,
        line: LineId,
        id: &ParticipantId,
        env: &mut Env<'_>,
    ) {
        let last = (&Refusal::SessionEnded, Headers::new());
        self.follow_the_engine(line, id, last, env);
    }

    /// Ends the dialog of a participant that is in the room no more. When that was the room of a file, and it
    /// has something else, the file alone ends.
    fn follow_the_engine(
        &mut self,
        line: LineId,
        id: &ParticipantId,
        (refusal, farewell): (&Refusal, Headers),
        env: &mut Env<'_>,
    ) {
        let Some(key) = self.key_of(id) else {
            return;
        };
        if !self.lose_leg(key, line, env) {
            if self
                .participants
                .get(&key)
                .is_some_and(Participant::is_pending)
            {
                self.note_failure(key, 480);
            }
            self.dismiss(key, refusal, farewell, env);
        }
        self.settle(env);
    }
}

/// A Reason field for a BYE.
///
/// # Spec
/// RFC 3326 s.2.
pub(super) fn reason(cause: u16, text: &str) -> Headers {
    Headers::new().with("Reason", format!("SIP;cause={cause};text=\"{text}\""))
}
