//! Session refreshes in both directions, and other requests inside the dialogs of a conference.
//!
//! # Spec
//! CTRL-7.2.1.11; RFC 4028 s.7.4, s.9, s.10; RFC 3261 s.14.2; AMB-20.

use crate::focus::conference::engine::reason;
use crate::focus::conference::seating::participant_id;
use crate::focus::conference::{Conference, Env};
use crate::focus::headers::{self, ALLOW, SOFTWARE};
use crate::focus::media::{self, Remote, SDP, sdp_body};
use crate::focus::other_methods::{answer_gone, answer_plain};
use crate::focus::participant::State;
use crate::focus::refusal::Refusal;
use crate::focus::session_timer::{Agreement, Due, SessionTimer, read_min_se};
use crate::limits::{GLARE_NS_MIN, GLARE_NS_SPREAD};
use crate::multipart::media_type;
use crate::ua::{Answer, Headers, Method, Request, Response};

impl Conference {
    /// A request inside a dialog.
    pub(crate) fn answer_request(
        &mut self,
        key: u64,
        request: &Request,
        env: &mut Env<'_>,
    ) -> Answer {
        match request.method {
            Method::Invite | Method::Update => self.answer_refresh(key, request, env),
            _ => answer_plain(&request.method),
        }
    }

    fn answer_refresh(&mut self, key: u64, request: &Request, env: &mut Env<'_>) -> Answer {
        let Some(participant) = self.participants.get_mut(&key) else {
            return answer_gone();
        };
        match participant.state {
            State::Joined { .. } => {}
            State::Parting { .. } | State::Leaving { .. } => return answer_gone(),
            // RFC 3311 s.5.2: an offer before the first exchange is over.
            _ => return with_retry(plain(500)),
        }
        if participant.is_refreshing {
            return plain(491);
        }
        let answered = Agreement::answering(&request.headers, env.policy).and_then(|agreement| {
            let offer = read_refresh_offer(request)?;
            if let (Some(offer), Some(known)) = (&offer, &participant.remote)
                && !offer.is_same(known)
            {
                return Err(Refusal::NotAcceptable(
                    "The media of a running session cannot be changed.".into(),
                ));
            }
            Ok((agreement, offer))
        });
        let (agreement, offer) = match answered {
            Ok(answered) => answered,
            Err(refusal) => {
                env.desk.count_refusal(&refusal);
                return refusal.answer(env.policy);
            }
        };
        participant.timer = Some(SessionTimer::start(env.now, agreement));
        participant.remember_methods(&request.headers);
        let local = participant.local_sdp.as_deref().unwrap_or_default();
        let body = match &offer {
            Some(offer) => Some(sdp_body(&media::as_answer(local, offer))),
            // A re-INVITE without an offer asks us for one; an UPDATE does not.
            None if request.method == Method::Invite => Some(sdp_body(local)),
            None => None,
        };
        let contact = headers::focus_contact(env.policy, self.room.as_str(), participant.transport);
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

    /// The session timer of a participant is due.
    pub(super) fn on_timer(&mut self, key: u64, env: &mut Env<'_>) {
        let due = self
            .participants
            .get_mut(&key)
            .and_then(|p| p.timer.as_mut())
            .and_then(|t| t.take_due(env.now));
        match due {
            Some(Due::Expired) => {
                tracing::info!(room = %self.room, participant = %participant_id(key), reason = "session_expired", "participant removed");
                self.dismiss(
                    key,
                    &Refusal::SessionEnded,
                    reason(408, "Session expired"),
                    env,
                );
            }
            Some(Due::Refresh) => self.send_refresh(key, env),
            None => {}
        }
    }

    fn send_refresh(&mut self, key: u64, env: &mut Env<'_>) {
        let seat = self.seat(key);
        let Some(participant) = self.participants.get_mut(&key) else {
            return;
        };
        let (State::Joined { dialog, .. }, Some(timer)) = (&participant.state, &participant.timer)
        else {
            return;
        };
        let headers = Headers::new()
            .with(
                "Contact",
                headers::focus_contact(env.policy, self.room.as_str(), participant.transport),
            )
            .with(
                "Session-Expires",
                format!("{};refresher=uac", timer.interval_s),
            )
            .with("Min-SE", env.policy.min_se_s.to_string())
            .with("Supported", "timer")
            .with("Allow", ALLOW);
        let body = participant.local_sdp.as_deref().map(sdp_body);
        let dialog = *dialog;
        participant.is_refreshing = true;
        env.desk
            .request(seat, dialog, Method::Invite, headers, body);
    }

    /// The answer to a refresh of ours.
    ///
    /// # Spec
    /// RFC 4028 s.10; RFC 3261 s.12.2.1.2, s.14.1.
    pub(super) fn on_refreshed(&mut self, key: u64, response: &Response, env: &mut Env<'_>) {
        let Some(participant) = self.participants.get_mut(&key) else {
            return;
        };
        participant.is_refreshing = false;
        let Some(timer) = &mut participant.timer else {
            return;
        };
        match response.status {
            200..=299 => {
                let agreement = Agreement::answered(&response.headers, timer.interval_s);
                *timer = SessionTimer::start(env.now, agreement);
                participant.remember_methods(&response.headers);
            }
            408 | 481 => {
                tracing::info!(room = %self.room, participant = %participant_id(key), reason = "refresh_failed", "participant removed");
                self.dismiss(
                    key,
                    &Refusal::SessionEnded,
                    reason(408, "Session refresh failed"),
                    env,
                );
            }
            422 => {
                timer.interval_s = read_min_se(&response.headers)
                    .unwrap_or(timer.interval_s)
                    .max(timer.interval_s);
                timer.retry_later(env.now);
            }
            491 => timer.retry_after(
                env.now,
                GLARE_NS_MIN.saturating_add(env.desk.draw_below(GLARE_NS_SPREAD)),
            ),
            _ => timer.retry_later(env.now),
        }
    }
}

fn read_refresh_offer(request: &Request) -> Result<Option<Remote>, Refusal> {
    match &request.body {
        None => Ok(None),
        Some(body) if media_type(&body.content_type) == SDP => Remote::read(&body.octets).map(Some),
        Some(_) => Err(Refusal::UnsupportedBody),
    }
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
