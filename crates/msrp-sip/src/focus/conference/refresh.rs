//! Session refreshes of ours, and the end of sessions that nobody refreshes.
//!
//! # Spec
//! CTRL-7.2.1.11; RFC 4028 s.7.4, s.9, s.10; AMB-20.

use crate::focus::conference::engine::reason;
use crate::focus::conference::seating::participant_id;
use crate::focus::conference::{Conference, Env};
use crate::focus::headers::ALLOW;
use crate::focus::media::sdp_body;
use crate::focus::participant::State;
use crate::focus::refusal::Refusal;
use crate::focus::session_timer::{Agreement, Due, SessionTimer, read_min_se};
use crate::focus::slots::Leg;
use crate::limits::{GLARE_NS_MIN, GLARE_NS_SPREAD};
use crate::ua::{Headers, Method, Response};

impl Conference {
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

    /// Offers our description again, or what it has become.
    pub(super) fn send_refresh(&mut self, key: u64, env: &mut Env<'_>) {
        let seat = self.seat(key);
        let transport = self.participants.get(&key).map(|p| p.transport);
        let contact = self.contact(transport, env);
        let Some(participant) = self.participants.get_mut(&key) else {
            return;
        };
        let (State::Joined { dialog, .. }, Some(timer)) = (&participant.state, &participant.timer)
        else {
            return;
        };
        if participant.reoffer.is_some() || participant.slots.legs().any(Leg::is_unwritten) {
            participant.offer_due = true;
            return;
        }
        let headers = Headers::new()
            .with("Contact", contact)
            .with(
                "Session-Expires",
                format!("{};refresher=uac", timer.interval_s),
            )
            .with("Min-SE", env.policy.min_se_s.to_string())
            .with("Supported", "timer")
            .with("Allow", ALLOW);
        let dialog = *dialog;
        let body = Some(sdp_body(&participant.slots.offer()));
        (participant.is_refreshing, participant.offer_due) = (true, false);
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
                match &response.body {
                    Some(body) => self.take_answer(key, body, env),
                    None => self.refuse_offered(key, 488, env),
                }
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
            status => {
                timer.retry_later(env.now);
                self.refuse_offered(key, status, env);
            }
        }
        self.try_offer(key, env);
    }
}
