//! What the SIP engine tells about the dialogs of a conference.

use crate::address::NameAddr;
use crate::focus::charging;
use crate::focus::conference::engine::reason;
use crate::focus::conference::seating::participant_id;
use crate::focus::conference::{Conference, Env};
use crate::focus::desk::Purpose;
use crate::focus::headers::wants_privacy;
use crate::focus::media::SDP;
use crate::focus::participant::State;
use crate::focus::refusal::Refusal;
use crate::focus::session_timer::{Agreement, read_min_se};
use crate::limits::SESSION_INTERVAL_S_MIN;
use crate::multipart::media_type;
use crate::ua::{DialogEnd, DialogId, Headers, Response};

impl Conference {
    /// The SIP engine gave an INVITE of ours its dialog. False when nobody waits for it.
    pub(crate) fn on_invite_sent(&mut self, key: u64, dialog: DialogId, env: &mut Env<'_>) -> bool {
        let seat = self.seat(key);
        match self.participants.get_mut(&key).map(|p| &mut p.state) {
            Some(State::Invited(invitation)) => {
                invitation.dialog = Some(dialog);
                env.desk.dialogs.insert(dialog, seat);
                true
            }
            Some(_) | None => false,
        }
    }

    /// A response to an INVITE of ours.
    pub(crate) fn on_invite_response(
        &mut self,
        key: u64,
        dialog: DialogId,
        response: Response,
        env: &mut Env<'_>,
    ) {
        let Some(participant) = self.participants.get_mut(&key) else {
            return;
        };
        let State::Invited(invitation) = &participant.state else {
            return;
        };
        let interval_s = invitation.interval_s;
        if response.status < 300 {
            participant.remember_methods(&response.headers);
            participant.remember_software(&response.headers);
            if response.status >= 200 {
                participant.charging = charging::read(&response.headers);
            }
        }
        self.note_response(key, &response);
        match response.status {
            180 => self.relay_ringing(env),
            0..=199 => {}
            200..=299 => self.on_invite_accepted(key, dialog, response, interval_s, env),
            422 => self.on_interval_too_small(key, dialog, &response, interval_s, env),
            status => self.fail_invitation(key, status, env),
        }
        self.settle(env);
    }

    /// # Spec
    /// CTRL-7.2.2.2-10 to CTRL-7.2.2.2-15; AMB-75.
    fn on_invite_accepted(
        &mut self,
        key: u64,
        dialog: DialogId,
        response: Response,
        interval_s: u32,
        env: &mut Env<'_>,
    ) {
        let agreement = Agreement::answered(&response.headers, interval_s);
        self.name_invitee(key, &response.headers);
        let body = response.body.filter(|b| media_type(&b.content_type) == SDP);
        let answer = match body {
            Some(body) => self.read_first_answer(key, &body.octets, env),
            None => Err(Refusal::NotAcceptable(
                "The answer has no session description.".into(),
            )),
        };
        let is_exposed =
            wants_privacy(&response.headers) && !self.hide_invitee(key, &response.headers, env);
        match answer {
            Ok(()) if !is_exposed => self.accept(key, dialog, agreement, env),
            answer => {
                let (status, text) = if is_exposed {
                    (403, "Anonymity not allowed")
                } else {
                    (488, "Not Acceptable Here")
                };
                let word = answer
                    .err()
                    .map_or("anonymity_forbidden", |refusal| refusal.word());
                tracing::info!(room = %self.room, participant = %participant_id(key), reason = word, "invitee released");
                self.note_failure(key, status);
                if let Some(participant) = self.participants.get_mut(&key) {
                    participant.state = State::Joined {
                        dialog,
                        is_acknowledged: true,
                    };
                }
                self.dismiss(key, &Refusal::SessionEnded, reason(status, text), env);
            }
        }
    }

    /// Gives an invitee that wants to be hidden an alias, by which the room and everybody in it know it
    /// from now on. `false` where hidden participants are not let in.
    ///
    /// # Spec
    /// CTRL-7.2.2.2-13, CTRL-7.2.2.2-14; AMB-34, AMB-75.
    fn hide_invitee(&mut self, key: u64, headers: &Headers, env: &Env<'_>) -> bool {
        let Some(participant) = self.participants.get(&key) else {
            return false;
        };
        let addresses = participant.addresses.clone();
        if !self.allows_anonymity(&addresses, env.policy) {
            return false;
        }
        let may_send_private = self.may_send_private(&addresses, true, env);
        let own = headers.first("To").and_then(|to| NameAddr::parse(to).ok());
        let alias = self.aliases.assign(own.as_ref());
        if let Some(participant) = self.participants.get_mut(&key) {
            participant.identities = vec![alias.uri.clone()];
            participant.entity = alias.uri;
            participant.display_name = Some(alias.display_name);
            participant.is_hidden = true;
            participant.may_send_private = may_send_private;
        }
        true
    }

    /// The name of an invitee once it has accepted: that of the group, that of its asserted identity,
    /// that of its To, and without any of them the one on the list.
    ///
    /// # Spec
    /// CTRL-7.2.2.1-15; COM-5.5-05 to COM-5.5-07.
    fn name_invitee(&mut self, key: u64, headers: &Headers) {
        let Some(participant) = self.participants.get_mut(&key) else {
            return;
        };
        let member = self
            .kind
            .group()
            .and_then(|g| g.member(&participant.addresses));
        let of_group = member.and_then(|m| m.display_name.clone());
        let named = |field| {
            let values = headers.all(field);
            let mut names = values.flat_map(|v| NameAddr::parse_list(v).unwrap_or_default());
            names.find_map(|name| name.display_name)
        };
        let name = of_group
            .or_else(|| named("P-Asserted-Identity"))
            .or_else(|| named("To"));
        participant.display_name = name.or(participant.display_name.take());
    }

    /// The invitee's side wants a longer interval: asks once more with that.
    ///
    /// # Spec
    /// RFC 4028 s.7.3.
    fn on_interval_too_small(
        &mut self,
        key: u64,
        dialog: DialogId,
        response: &Response,
        asked_s: u32,
        env: &mut Env<'_>,
    ) {
        let wanted_s = read_min_se(&response.headers).unwrap_or(SESSION_INTERVAL_S_MIN);
        env.desk.dialogs.remove(&dialog);
        let is_first = asked_s == env.policy.session_expires_s;
        if is_first && wanted_s > asked_s {
            self.send_invitation(key, wanted_s, env);
        } else {
            self.fail_invitation(key, 422, env);
        }
    }

    /// The ACK to our 200 arrived.
    pub(crate) fn on_established(&mut self, key: u64, env: &mut Env<'_>) {
        let seat = self.seat(key);
        let Some(participant) = self.participants.get_mut(&key) else {
            return;
        };
        match &mut participant.state {
            State::Joined {
                is_acknowledged, ..
            } => {
                *is_acknowledged = true;
                self.try_offer(key, env);
            }
            State::Parting { dialog, headers } => {
                let (dialog, headers) = (*dialog, std::mem::take(headers));
                participant.state = State::Leaving { dialog };
                env.desk.bye(seat, dialog, headers);
            }
            _ => {}
        }
    }

    /// A dialog ended without our doing.
    ///
    /// # Spec
    /// CTRL-7.2.1.10-02, CTRL-7.2.1.10-03, CTRL-7.2.1.2-20.
    pub(crate) fn on_ended(&mut self, key: u64, why: DialogEnd, env: &mut Env<'_>) {
        let Some(participant) = self.participants.get(&key) else {
            return;
        };
        let word = match why {
            DialogEnd::Bye => "bye",
            DialogEnd::Cancelled => "cancelled",
            DialogEnd::NoAck => "no_ack",
            DialogEnd::TransportLost => "transport_lost",
        };
        tracing::info!(room = %self.room, participant = %participant.id, reason = word, "participant left");
        if matches!(participant.state, State::Waiting(_) | State::Entering(_)) {
            env.desk.count_invite(487);
        }
        if participant.is_pending() {
            self.note_failure(key, 480);
        }
        self.remove(key, env);
        self.settle(env);
    }

    /// The final response to a request of ours inside a dialog.
    pub(crate) fn on_response(
        &mut self,
        key: u64,
        purpose: Purpose,
        response: &Response,
        env: &mut Env<'_>,
    ) {
        match purpose {
            // Whatever the answer is, the dialog is gone.
            Purpose::Bye => {
                self.note_removed(key, response);
                self.remove(key, env);
            }
            Purpose::Notify => self.on_notified(key, response, env),
            Purpose::Refresh => self.on_refreshed(key, response, env),
            Purpose::Invite | Purpose::Subscribe => {}
        }
        self.settle(env);
    }

    /// Time passed.
    pub(crate) fn handle_timeout(&mut self, env: &mut Env<'_>) {
        if !self.is_closing && self.ends_ns.is_some_and(|at| at <= env.now) {
            self.release(crate::focus::release::ReleaseReason::TooLong, env);
            return;
        }
        let due: Vec<u64> = self
            .participants
            .iter()
            .filter(|(_, p)| p.deadline().is_some_and(|at| at <= env.now))
            .map(|(key, _)| *key)
            .collect();
        for key in due {
            match self.participants.get(&key).map(|p| &p.state) {
                Some(State::Invited(_)) => {
                    self.note_failure(key, 408);
                    tracing::info!(room = %self.room, participant = %participant_id(key), status = 408, "invitation failed");
                    self.dismiss(key, &Refusal::SessionEnded, Headers::new(), env);
                }
                Some(_) => self.on_timer(key, env),
                None => {}
            }
        }
        self.settle(env);
    }
}
