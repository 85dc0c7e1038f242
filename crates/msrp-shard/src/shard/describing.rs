//! What controllers want to know of a room and of those in it.

use msrp_control::{
    Addressing, PAGE_MAX, ParticipantConfig, ParticipantId, ParticipantState, Reply, RoomConfig,
    RoomId, RoomState,
};
use msrp_switch::LegKey;
use msrp_wire::Identity;
use ring_io::Io;

use super::Shard;
use super::commands::{Answer, no_such_room};
use super::session::Link;
use crate::mailbox::Described;
use crate::rate;

impl<I: Io> Shard<I> {
    pub(super) fn describe(&self, room: &RoomId, what: &Described) -> Answer {
        match what {
            Described::Room => self.describe_room(room),
            Described::Participant(participant) => {
                let leg = self.find(room, participant)?;
                let one = self.describe_participant(participant, leg);
                Ok(Reply::Participants(one.into_iter().collect()))
            }
            Described::Participants(after, limit) => {
                self.describe_participants(room, after.as_ref(), *limit)
            }
        }
    }

    fn describe_room(&self, room: &RoomId) -> Answer {
        let running = self.rooms.get(room).ok_or_else(no_such_room)?;
        let spec = self.switch.room_spec(running.key);
        let spec = spec.ok_or_else(no_such_room)?;
        let others = spec.addresses.iter().skip(1);
        let uris = std::iter::once(spec.uri).chain(others.map(text)).collect();
        let config = RoomConfig {
            uris,
            message_octets_max: Some(spec.message_octets_max),
            private_messages: spec.private_messages,
            nicknames: spec.nicknames,
            addressing: match spec.addressing {
                msrp_switch::Addressing::Oma => Addressing::Oma,
                msrp_switch::Addressing::Rfc7701 => Addressing::Rfc7701,
            },
        };
        Ok(Reply::Room(Box::new(RoomState {
            config,
            participants_count: running.participants.len() as u64,
        })))
    }

    fn describe_participants(
        &self,
        room: &RoomId,
        after: Option<&ParticipantId>,
        limit: usize,
    ) -> Answer {
        let running = self.rooms.get(room).ok_or_else(no_such_room)?;
        let behind = running.participants.iter();
        let mut behind: Vec<_> = behind
            .filter(|(id, _)| after.is_none_or(|after| *id > after))
            .collect();
        behind.sort_unstable_by_key(|(id, _)| *id);
        let page = behind.into_iter().take(limit.min(PAGE_MAX));
        let page = page.filter_map(|(id, leg)| self.describe_participant(id, *leg));
        Ok(Reply::Participants(page.collect()))
    }

    fn describe_participant(
        &self,
        participant: &ParticipantId,
        leg: LegKey,
    ) -> Option<ParticipantState> {
        let who = self.switch.participant(leg)?;
        let session = self.sessions.get(leg)?;
        Some(ParticipantState {
            participant: participant.clone(),
            config: ParticipantConfig {
                identities: who.identities.iter().map(text).collect(),
                entity: who.entity,
                is_hidden: who.is_hidden,
                may_send_private: who.may_send_private,
                shows_release: who.shows_release,
                charging: session.account.charging(),
            },
            nickname: self.switch.nickname(leg).map(str::to_owned),
            is_bound: matches!(session.link, Link::Bound(_)),
            is_muted: self.switch.is_muted(leg),
            rate: self.switch.rate(leg).and_then(rate::of_controllers),
        })
    }
}

fn text(identity: &Identity) -> String {
    identity.as_str().to_owned()
}
