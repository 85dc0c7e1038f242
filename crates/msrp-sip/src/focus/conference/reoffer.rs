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

use msrp_control::{Command, ControlError, ErrorCode, Reply};

use crate::focus::Policy;
use crate::focus::admission::check_extensions;
use crate::focus::conference::engine::reason;
use crate::focus::conference::{Conference, Env};
use crate::focus::desk::Asked;
use crate::focus::headers::{ALLOW, SOFTWARE};
use crate::focus::media::{Remote, SDP, offer_again, sdp_body};
use crate::focus::other_methods::{answer_gone, answer_plain};
use crate::focus::participant::{Participant, Reoffer, State};
use crate::focus::refusal::Refusal;
use crate::focus::session_timer::{Agreement, SessionTimer};
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
            .and_then(|agreement| Ok((agreement, self.read_offer(request, env.policy)?)));
        let (agreement, offer) = match read {
            Ok(read) => read,
            Err(refusal) => {
                env.desk.count_refusal(&refusal);
                return Some(refusal.answer(env.policy));
            }
        };
        let Some(participant) = self.participants.get_mut(&key) else {
            return Some(answer_gone());
        };
        participant.remember_methods(&request.headers);
        if offer.is_none() && request.method == Method::Update {
            participant.timer = Some(SessionTimer::start(env.now, agreement));
            return Some(self.agree(key, agreement, None, env));
        }
        let (media, local) = offer_again(offer.as_ref(), &participant.terms);
        participant.reoffer = Some(Reoffer {
            transaction,
            agreement,
            offer,
        });
        let command = Command::Reoffer {
            room: self.room.clone(),
            participant: participant.id.clone(),
            media,
            local,
        };
        env.desk.command(Asked::Reoffer(self.seat(key)), command);
        None
    }

    fn read_offer(&self, request: &Request, policy: &Policy) -> Result<Option<Remote>, Refusal> {
        match &request.body {
            None => Ok(None),
            Some(body) if media_type(&body.content_type) == SDP => {
                let offer = self.read_description(&body.octets)?;
                offer.served_by(policy).map(Some)
            }
            Some(_) => Err(Refusal::UnsupportedBody),
        }
    }

    /// The engine took the new offer of a participant, or not: then the old parameters stay.
    ///
    /// # Spec
    /// CTRL-7.2.1.6-01 to CTRL-7.2.1.6-04.
    pub(crate) fn on_reoffered(
        &mut self,
        key: u64,
        result: Result<Reply, ControlError>,
        env: &mut Env<'_>,
    ) {
        let Some(participant) = self.participants.get_mut(&key) else {
            return;
        };
        let Some(reoffer) = participant.reoffer.take() else {
            return;
        };
        let answer = match result {
            Ok(Reply::Sdp(sdp)) => {
                participant.timer = Some(SessionTimer::start(env.now, reoffer.agreement));
                participant.awaits_answer = reoffer.offer.is_none();
                participant.remote = reoffer.offer.or(participant.remote.take());
                participant.local_sdp = Some(sdp.clone());
                self.agree(key, reoffer.agreement, Some(sdp_body(&sdp)), env)
            }
            Ok(_) => with_retry(plain(500)),
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
        let seat = self.seat(key);
        let read = self.read_description(&body.octets);
        let Some(participant) = self.participants.get_mut(&key) else {
            return;
        };
        if media_type(&body.content_type) != SDP
            || !matches!(participant.state, State::Joined { .. })
        {
            return;
        }
        let Ok(answer) = read else {
            return self.end_unserved(key, env);
        };
        if participant
            .remote
            .as_ref()
            .is_some_and(|r| r.is_same(&answer))
        {
            return;
        }
        let command = Command::SetAnswer {
            room: self.room.clone(),
            participant: participant.id.clone(),
            sdp: answer.sdp.clone(),
        };
        participant.remote = Some(answer);
        env.desk.command(Asked::Change(seat), command);
    }

    /// The engine took the answer of a participant inside its session, or not.
    pub(crate) fn on_changed(
        &mut self,
        key: u64,
        result: &Result<Reply, ControlError>,
        env: &mut Env<'_>,
    ) {
        if result.is_err() {
            self.end_unserved(key, env);
        }
        self.settle(env);
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
