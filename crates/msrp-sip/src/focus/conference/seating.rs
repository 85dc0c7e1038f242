//! Who gets a place in a conference: callers at the door, invitees on the list.
//!
//! # Spec
//! CTRL-7.2.1.2-16, CTRL-7.2.2.2-15; AMB-26.

use msrp_control::{Command, IDENTITIES_MAX, LocalMedia, Media, ParticipantId};

use crate::address::Uri;
use crate::focus::admission::Knock;
use crate::focus::charging;
use crate::focus::conference::lines::Line;
use crate::focus::conference::{Conference, Env};
use crate::focus::desk::Step;
use crate::focus::media::PeerDescription;
use crate::focus::participant::{Participant, State};
use crate::focus::slots::{Leg, LineId, Slots, Terms};
use crate::groups::Caller as GroupCaller;
use crate::resource_lists::Entry;
use crate::ua::Transport;

impl Conference {
    /// Gives a caller a seat; its INVITE stays unanswered.
    pub(super) fn seat_caller(
        &mut self,
        knock: Knock,
        places: &[(usize, LineId)],
        env: &mut Env<'_>,
    ) -> u64 {
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
        let slots = slots_of(&knock.offer, places);
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
            participant.slots = slots;
        }
        env.desk.dialogs.insert(dialog, self.seat(key));
        key
    }

    /// Gives an invitee a seat and asks the engine for an offer.
    pub(super) fn seat_invitee(
        &mut self,
        invitee: Entry,
        sections: &[(LineId, LocalMedia)],
        env: &mut Env<'_>,
    ) {
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
        }
        let mut commands = Vec::new();
        for (line, local) in sections {
            if let Some(participant) = self.participants.get_mut(&key) {
                participant.slots.add(Leg::of_ours(*line, local));
            }
            let command = self.adding(key, *line, Media::MakeOffer, local.clone());
            commands.extend(command.map(|command| (*line, command)));
        }
        self.ask(key, Step::Offer, commands, env);
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
            transport,
            allow: None,
            slots: Slots::default(),
            asked: None,
            offer_due: false,
            timer: None,
            is_refreshing: false,
            reoffer: None,
            awaits_answer: false,
            software: None,
            absence: None,
            charging: None,
        };
        self.participants.insert(key, participant);
        key
    }

    /// Asks the engine to let a waiting caller in, on the lines that somebody took.
    pub(super) fn enter(&mut self, key: u64, env: &mut Env<'_>) {
        let Some(participant) = self.participants.get_mut(&key) else {
            return;
        };
        if !matches!(participant.state, State::Waiting(_)) {
            return;
        }
        if let State::Waiting(knock) = std::mem::replace(&mut participant.state, State::Offered) {
            participant.state = State::Entering(knock);
        }
        let mut commands = Vec::new();
        for line in participant.slots.lines() {
            let is_taken = |l: &Line| l.purpose.is_none() || l.accepted_types.is_some();
            if self.lines.get(&line).is_some_and(is_taken) {
                commands.extend(self.entering(key, line, env).map(|command| (line, command)));
            } else {
                self.drop_line(line, env);
            }
        }
        self.ask(key, Step::Enter, commands, env);
    }

    /// What takes a participant's own offer of a line.
    pub(super) fn entering(&mut self, key: u64, id: LineId, env: &Env<'_>) -> Option<Command> {
        let line = self.lines.get(&id)?;
        // Those who join later meet the switch alone.
        let accepted = line.accepted_types.as_deref().filter(|_| key == line.owner);
        let participant = self.participants.get_mut(&key)?;
        let leg = participant.slots.leg_mut(id)?;
        let offer = leg.remote.as_ref()?;
        let mut local = offer.for_answer(accepted);
        local.max_size = env.policy.message_octets_max;
        let sdp = offer.sdp.clone();
        leg.terms = Terms {
            types: accepted.map(<[String]>::to_vec),
            max_size: local.max_size,
        };
        leg.is_in_room = true;
        self.adding(key, id, Media::Offer(sdp), local)
    }

    /// What puts a participant into the room of a line.
    pub(super) fn adding(
        &self,
        key: u64,
        line: LineId,
        media: Media,
        local: LocalMedia,
    ) -> Option<Command> {
        let participant = self.participants.get(&key)?;
        Some(Command::AddParticipant {
            room: self.lines.get(&line)?.room.clone(),
            participant: participant.id.clone(),
            config: participant.config(),
            media,
            local,
        })
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

/// The lines of a caller's dialog: as it offers them, with a leg for each that it gets.
fn slots_of(offer: &PeerDescription, places: &[(usize, LineId)]) -> Slots {
    let mut slots = Slots::default();
    for (place, closed) in offer.closed().enumerate() {
        let line = places.iter().find(|(at, _)| *at == place);
        let leg = line.map(|(_, line)| Leg::of_peer(*line, offer.at(place)));
        slots.set(place, closed.clone(), leg);
    }
    slots
}

/// The name of a participant inside its room.
#[expect(
    clippy::expect_used,
    reason = "the name is made here of legal characters"
)]
pub(super) fn participant_id(key: u64) -> ParticipantId {
    ParticipantId::new(&format!("p{key}")).expect("a letter and digits are a legal name")
}
