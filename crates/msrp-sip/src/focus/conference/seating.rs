//! Who gets a place in a conference: callers at the door, invitees on the list.
//!
//! # Spec
//! CTRL-7.2.1.2-16, CTRL-7.2.2.2-15; AMB-26.

use msrp_control::{Command, IDENTITIES_MAX, LocalMedia, Media, ParticipantId};

use crate::address::Uri;
use crate::focus::admission::Knock;
use crate::focus::charging;
use crate::focus::conference::{Conference, Env};
use crate::focus::desk::Asked;
use crate::focus::participant::{Participant, State, Terms};
use crate::groups::Caller as GroupCaller;
use crate::resource_lists::Entry;
use crate::ua::Transport;

impl Conference {
    /// Gives a caller a seat; its INVITE stays unanswered.
    pub(super) fn seat_caller(&mut self, knock: Knock, env: &mut Env<'_>) -> u64 {
        let caller = &knock.caller;
        let member = self
            .kind
            .group()
            .and_then(|g| g.member(&caller.addresses))
            .cloned();
        let (entity, display_name, identities) = if caller.is_anonymous {
            let alias = self.aliases.assign(Some(&caller.from));
            (alias.uri.clone(), Some(alias.display_name), vec![alias.uri])
        } else {
            let name = caller.display_name(member.as_ref().and_then(|m| m.display_name.as_deref()));
            let addresses = caller
                .addresses
                .iter()
                .chain(member.as_ref().map(|m| &m.uri));
            let mut identities: Vec<String> = Vec::new();
            for address in addresses.map(Uri::as_str) {
                if identities.len() < IDENTITIES_MAX && !identities.iter().any(|i| i == address) {
                    identities.push(address.to_owned());
                }
            }
            (caller.address().to_owned(), name, identities)
        };
        let is_hidden = caller.is_anonymous;
        let may_send_private = self.may_send_private(&caller.addresses, is_hidden, env);
        let (dialog, transport, headers) =
            (knock.dialog, knock.peer.transport, knock.headers.clone());
        let addresses: Vec<Uri> = caller
            .addresses
            .iter()
            .chain(member.as_ref().map(|m| &m.uri))
            .cloned()
            .collect();
        let key = self.seat_new(
            entity,
            display_name,
            identities,
            State::Waiting(Box::new(knock)),
            transport,
        );
        if let Some(participant) = self.participants.get_mut(&key) {
            participant.remember_methods(&headers);
            participant.remember_software(&headers);
            participant.charging = charging::read(&headers);
            participant.addresses = addresses;
            participant.is_hidden = is_hidden;
            participant.may_send_private = may_send_private;
        }
        env.desk.dialogs.insert(dialog, self.seat(key));
        key
    }

    /// Gives an invitee a seat and asks the engine for an offer.
    pub(super) fn seat_invitee(&mut self, invitee: Entry, local: LocalMedia, env: &mut Env<'_>) {
        let uri = invitee.uri.as_str().to_owned();
        let name = invitee.display_name.clone();
        let transport = match invitee.uri.parameter("transport") {
            Some(name) if name.eq_ignore_ascii_case("tcp") => Transport::Tcp,
            Some(name) if name.eq_ignore_ascii_case("tls") => Transport::Tls,
            Some(_) | None => env.policy.outbound_transport,
        };
        let addresses = std::slice::from_ref(&invitee.uri);
        let may_send_private = self.may_send_private(addresses, false, env);
        let key = self.seat_new(uri.clone(), name, vec![uri], State::Offered, transport);
        let address = invitee.uri.clone();
        self.invitees.insert(key, invitee);
        if let Some(participant) = self.participants.get_mut(&key) {
            participant.addresses.push(address);
            participant.may_send_private = may_send_private;
            participant.terms = Terms {
                types: local.accept_types.clone(),
                max_size: local.max_size,
            };
        }
        self.add_to_room(
            key,
            Media::MakeOffer,
            local,
            Asked::Offer(self.seat(key)),
            env,
        );
    }

    /// Whether a user may write to single participants: the group's rules say it, or the operator
    /// for ad-hoc sessions.
    ///
    /// # Spec
    /// PM-7.2.3.4-02, PM-7.2.3.4-03.
    pub(super) fn may_send_private(
        &self,
        addresses: &[Uri],
        is_anonymous: bool,
        env: &Env<'_>,
    ) -> bool {
        self.kind
            .group()
            .map_or(env.policy.private_messages, |group| {
                let caller = GroupCaller {
                    addresses,
                    is_anonymous,
                };
                group.rights(&caller).private_messages
            })
    }

    fn seat_new(
        &mut self,
        entity: String,
        display_name: Option<String>,
        identities: Vec<String>,
        state: State,
        transport: Transport,
    ) -> u64 {
        let key = self.next_key;
        self.next_key = self.next_key.wrapping_add(1);
        let participant = Participant {
            id: participant_id(key),
            addresses: Vec::new(),
            identities,
            entity,
            is_hidden: false,
            may_send_private: false,
            display_name,
            nickname: None,
            referrer_alias: None,
            state,
            is_in_room: false,
            transport,
            allow: None,
            local_sdp: None,
            remote: None,
            timer: None,
            is_refreshing: false,
            terms: Terms::default(),
            reoffer: None,
            awaits_answer: false,
            software: None,
            absence: None,
            charging: None,
        };
        self.participants.insert(key, participant);
        key
    }

    /// Asks the engine to let a waiting caller in.
    pub(super) fn enter(&mut self, key: u64, env: &mut Env<'_>) {
        // Those who join later meet the switch alone.
        let accepted = self
            .accepted_types
            .as_deref()
            .filter(|_| key == self.originator);
        let Some(participant) = self.participants.get_mut(&key) else {
            return;
        };
        let State::Waiting(knock) = &mut participant.state else {
            return;
        };
        let offer = knock.offer.clone();
        let mut local = offer.for_answer(accepted);
        local.max_size = env.policy.message_octets_max;
        participant.terms = Terms {
            types: accepted.map(<[String]>::to_vec),
            max_size: local.max_size,
        };
        let sdp = offer.sdp.clone();
        participant.remote = Some(offer);
        let state = std::mem::replace(&mut participant.state, State::Offered);
        if let State::Waiting(knock) = state {
            participant.state = State::Entering(knock);
        }
        self.add_to_room(
            key,
            Media::Offer(sdp),
            local,
            Asked::Enter(self.seat(key)),
            env,
        );
    }

    fn add_to_room(
        &mut self,
        key: u64,
        media: Media,
        local: LocalMedia,
        asked: Asked,
        env: &mut Env<'_>,
    ) {
        let Some(participant) = self.participants.get_mut(&key) else {
            return;
        };
        participant.is_in_room = true;
        let config = participant.config();
        let (room, participant) = (self.room.clone(), participant.id.clone());
        env.desk.command(
            asked,
            Command::AddParticipant {
                room,
                participant,
                config,
                media,
                local,
            },
        );
    }

    /// Lets everybody in who waits for somebody to be there.
    pub(super) fn enter_waiting(&mut self, env: &mut Env<'_>) {
        let is_waiting = |p: &Participant| matches!(p.state, State::Waiting(_));
        let keys: Vec<u64> = self
            .participants
            .iter()
            .filter(|(_, p)| is_waiting(p))
            .map(|(key, _)| *key)
            .collect();
        for key in keys {
            self.enter(key, env);
        }
    }
}

/// The name of a participant inside its room.
#[expect(
    clippy::expect_used,
    reason = "the name is made here of legal characters"
)]
pub(super) fn participant_id(key: u64) -> ParticipantId {
    ParticipantId::new(&format!("p{key}")).expect("a letter and digits are a legal name")
}
