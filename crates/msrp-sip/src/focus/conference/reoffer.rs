//! Requests of peers inside the dialogs of a conference: refreshes, and offers that change the
//! session of one participant.
//!
//! ```text
//!   re-INVITE, UPDATE with offer --> engine --> 200 with its answer, or a refusal and nothing changed
//!   re-INVITE without offer -------> engine --> 200 with an offer; the ACK, or no answer at all, follows
//!   UPDATE without offer ----------> 200
//! ```
//! Whether an offer changes anything is the engine's to say: it answers one that does not with the
//! description that it gave before.
//!
//! # Spec
//! CTRL-7.2.1.6, CTRL-7.2.1.11; RFC 3261 s.14.2; RFC 3311 s.5.2; RFC 4975 s.8.4; AMB-20.

use msrp_control::{ControlError, ErrorCode, Reply};

use crate::focus::Policy;
use crate::focus::admission::check_extensions;
use crate::focus::conference::adding::{Plan, Untaken};
use crate::focus::conference::engine::reason;
use crate::focus::conference::{Conference, Env};
use crate::focus::headers::{ALLOW, SOFTWARE};
use crate::focus::media::{PeerDescription, SDP, sdp_body};
use crate::focus::other_methods::{answer_gone, answer_plain};
use crate::focus::participant::{Participant, Reoffer, State};
use crate::focus::refusal::Refusal;
use crate::focus::session_timer::{Agreement, SessionTimer};
use crate::focus::slots::LineId;
use crate::multipart::media_type;
use crate::ua::{Answer, Body, Headers, Method, Request, TxnId};

impl Conference {
    /// A request inside a dialog. It is answered now, or when the engine has said what it makes of
    /// it.
    pub(crate) fn handle_request(
        &mut self,
        key: u64,
        transaction: TxnId,
        request: &Request,
        env: &mut Env<'_>,
    ) {
        let answer = match request.method {
            Method::Invite | Method::Update => self.handle_refresh(key, transaction, request, env),
            _ => Some(answer_plain(&request.method)),
        };
        if let Some(answer) = answer {
            env.desk.answer(transaction, answer);
        }
    }

    fn handle_refresh(
        &mut self,
        key: u64,
        transaction: TxnId,
        request: &Request,
        env: &mut Env<'_>,
    ) -> Option<Answer> {
        let Some(participant) = self.participants.get(&key) else {
            return Some(answer_gone());
        };
        if let Some(answer) = untimely(participant) {
            return Some(answer);
        }
        let read = check_extensions(&request.headers)
            .and_then(|()| Agreement::answering(&request.headers, env.policy))
            .and_then(|agreement| Ok((agreement, read_offer(request, env.policy)?)));
        let (agreement, offer) = match read {
            Ok(read) => read,
            Err(refusal) => return Some(refused(&refusal, env)),
        };
        let plan = match offer.as_ref().map(|o| self.plan(key, o, &request.method)) {
            Some(Err(Untaken::Refused(refusal))) => return Some(refused(&refusal, env)),
            Some(Err(Untaken::Crossing)) => return Some(plain(491)),
            Some(Ok(plan)) => plan,
            None => Plan::default(),
        };
        let Some(participant) = self.participants.get_mut(&key) else {
            return Some(answer_gone());
        };
        participant.remember_methods(&request.headers);
        let Some(offer) = offer else {
            if request.method == Method::Update {
                participant.timer = Some(SessionTimer::start(env.now, agreement));
                return Some(self.agree(key, agreement, None, env));
            }
            participant.reoffer = Some(Reoffer {
                transaction,
                agreement,
                offer: None,
                adds: Vec::new(),
                decides_ns: None,
            });
            self.ask_reoffer(key, env);
            return None;
        };
        self.carry_out(key, plan, (transaction, agreement), offer, env);
        None
    }

    /// The engine took the new offer of a participant, or not: then the old parameters stay.
    ///
    /// # Spec
    /// CTRL-7.2.1.6-01 to CTRL-7.2.1.6-04.
    pub(super) fn on_reoffered(
        &mut self,
        key: u64,
        result: Result<(), ControlError>,
        env: &mut Env<'_>,
    ) {
        let Some(participant) = self.participants.get_mut(&key) else {
            return;
        };
        let Some(reoffer) = participant.reoffer.take() else {
            return;
        };
        let answer = match result {
            Ok(()) => {
                participant.timer = Some(SessionTimer::start(env.now, reoffer.agreement));
                participant.awaits_answer = reoffer.offer.is_none();
                let sdp = match &reoffer.offer {
                    Some(offer) => {
                        keep_offer(participant, offer);
                        participant.slots.answer(offer.count())
                    }
                    None => participant.slots.offer(),
                };
                // What else has changed is in this answer.
                participant.offer_due = participant.slots.has_offered();
                self.agree(key, reoffer.agreement, Some(sdp_body(&sdp)), env)
            }
            // The engine has just lost the session, or cannot be asked: its event follows, or another try.
            Err(error) if !is_of_the_peer(error.code) => with_retry(plain(500)),
            Err(error) => {
                let refusal = Refusal::of_engine(error);
                tracing::info!(room = %self.room, participant = %participant.id, reason = refusal.word(), "offer refused");
                env.desk.count_refusal(&refusal);
                refusal.answer(env.policy)
            }
        };
        env.desk.answer(reoffer.transaction, answer);
        self.try_offer(key, env);
    }

    /// The 200 to a request that refreshes the session.
    fn agree(&self, key: u64, agreement: Agreement, body: Option<Body>, env: &Env<'_>) -> Answer {
        let transport = self.participants.get(&key).map(|p| p.transport);
        let contact = self.contact(transport, env);
        let mut headers = Headers::new()
            .with("Contact", contact)
            .with("Allow", ALLOW)
            .with("Server", SOFTWARE);
        agreement.write(&mut headers);
        Answer {
            status: 200,
            reason: None,
            headers,
            body,
        }
    }

    /// The ACK to a 2xx of ours carries a body.
    pub(crate) fn on_acknowledged(&mut self, key: u64, body: &Body, env: &mut Env<'_>) {
        let awaits = |p: &mut Participant| std::mem::take(&mut p.awaits_answer);
        if self.participants.get_mut(&key).is_some_and(awaits) {
            self.take_answer(key, body, env);
        }
        self.settle(env);
    }

    /// Takes the answer to an offer of ours inside the session. One that cannot be served ends it:
    /// there is no other way to refuse an answer.
    ///
    /// # Spec
    /// RFC 3261 s.14.1, s.13.2.2.4; RFC 4975 s.8.4.
    pub(super) fn take_answer(&mut self, key: u64, body: &Body, env: &mut Env<'_>) {
        let state = self.participants.get(&key).map(|p| &p.state);
        if media_type(&body.content_type) != SDP || !matches!(state, Some(State::Joined { .. })) {
            return;
        }
        if self.read_answer(key, &body.octets, env).is_err() {
            self.end_unserved(key, env);
        }
    }

    /// The engine took the answer of a participant inside its session, or not.
    pub(super) fn on_changed(
        &mut self,
        (key, line): (u64, LineId),
        result: &Result<Reply, ControlError>,
        env: &mut Env<'_>,
    ) {
        match result {
            Ok(_) => self.note_taken(key, line),
            Err(_) if self.outlives(key, line) => {
                self.refuse_line(key, line, 488, env);
                self.offer_soon(key, env);
            }
            Err(_) => self.end_unserved(key, env),
        }
    }

    fn end_unserved(&mut self, key: u64, env: &mut Env<'_>) {
        let farewell = reason(488, "The answer is not acceptable");
        self.dismiss(key, &Refusal::SessionEnded, farewell, env);
    }

    /// Answers the request of a participant that goes while the engine is asked of it.
    ///
    /// # Spec
    /// RFC 3261 s.15.1.2.
    pub(super) fn drop_reoffer(&mut self, key: u64, env: &mut Env<'_>) {
        let reoffer = self
            .participants
            .get_mut(&key)
            .and_then(|p| p.reoffer.take());
        if let Some(reoffer) = reoffer {
            env.desk.answer(reoffer.transaction, plain(487));
        }
    }
}

fn read_offer(request: &Request, policy: &Policy) -> Result<Option<PeerDescription>, Refusal> {
    match &request.body {
        None => Ok(None),
        Some(body) if media_type(&body.content_type) == SDP => {
            PeerDescription::read(&body.octets).map(|offer| Some(offer.served_by(policy)))
        }
        Some(_) => Err(Refusal::UnsupportedBody),
    }
}

fn refused(refusal: &Refusal, env: &mut Env<'_>) -> Answer {
    env.desk.count_refusal(refusal);
    refusal.answer(env.policy)
}

/// What the participant says of its sessions from now on.
fn keep_offer(participant: &mut Participant, offer: &PeerDescription) {
    for place in 0..offer.count() {
        let line = participant.slots.leg_at(place).map(|leg| leg.line);
        let leg = line.and_then(|line| participant.slots.leg_mut(line));
        if let (Some(leg), Some(remote)) = (leg, offer.at(place)) {
            leg.remote = Some(remote.clone());
        }
    }
}

/// The answer to a request that comes at the wrong time.
///
/// # Spec
/// RFC 3261 s.14.2; RFC 3311 s.5.2.
fn untimely(participant: &Participant) -> Option<Answer> {
    match participant.state {
        State::Joined { .. } if participant.reoffer.is_some() => Some(with_retry(plain(500))),
        State::Joined { .. } if participant.is_refreshing => Some(plain(491)),
        State::Joined { .. } => None,
        State::Parting { .. } | State::Leaving { .. } => Some(answer_gone()),
        State::Waiting(_)
        | State::Entering(_)
        | State::Offered
        | State::Invited(_)
        | State::Accepting { .. } => Some(with_retry(plain(500))),
    }
}

/// Whether the engine found fault with the description itself.
fn is_of_the_peer(code: ErrorCode) -> bool {
    matches!(code, ErrorCode::MalformedSdp | ErrorCode::NotAcceptable)
}

fn plain(status: u16) -> Answer {
    Answer {
        status,
        reason: None,
        headers: Headers::new().with("Server", SOFTWARE),
        body: None,
    }
}

fn with_retry(mut answer: Answer) -> Answer {
    answer.headers.push("Retry-After", "5");
    answer
}
