//! Messages that the switch itself writes: what a controller gives it to say, and what it has to tell a
//! recipient that missed something.

use std::collections::BTreeMap;

use msrp_control::{ControlError, ErrorCode, MessageTo, OwnMessage, Reply, RoomId};
use msrp_session::Timestamp;
use msrp_switch::{LegKey, OwnMessageError};
use msrp_wire::{ContentTypeBuf, Identity, cpim};
use ring_io::{ConnKey, Io};

use super::Shard;
use super::commands::{Answer, no_such_room};

impl<I: Io> Shard<I> {
    /// Sends a message of the room itself.
    pub(super) fn send_message(
        &mut self,
        now: Timestamp,
        room: &RoomId,
        message: OwnMessage,
    ) -> Answer {
        let running = self.rooms.get(room).ok_or_else(no_such_room)?;
        let key = running.key;
        let to = match &message.to {
            MessageTo::Room => msrp_switch::MessageTo::Room,
            MessageTo::Participants(participants) => {
                let legs = participants.iter().map(|name| self.find(room, name));
                msrp_switch::MessageTo::Legs(legs.collect::<Result<_, _>>()?)
            }
            MessageTo::Addresses(addresses) => {
                let legs = running.participants.values().copied();
                msrp_switch::MessageTo::Legs(self.addressed(legs, addresses)?)
            }
        };
        let content_type = ContentTypeBuf::parse(&message.content_type).map_err(|error| {
            let detail = format!("content_type is no media type: {error}");
            ControlError::new(ErrorCode::MalformedContent, detail)
        })?;
        let message = msrp_switch::OwnMessage {
            to,
            from_display_name: message.from_display_name,
            content_type,
            body: message.body.into(),
            datetime: self.datetime(),
        };
        let sent = self.switch.send_message(key, &message);
        sent.map_err(|error| own_message_error(&error))?;
        self.carry_out(now);
        Ok(Reply::Done)
    }

    /// Those of the legs that have one of these addresses, of which each has to be somebody's.
    fn addressed(
        &self,
        legs: impl Iterator<Item = LegKey>,
        addresses: &[String],
    ) -> Result<Vec<LegKey>, ControlError> {
        let mut found = BTreeMap::new();
        for address in addresses {
            let identity = Identity::parse(address).map_err(|_| {
                let detail = format!("{address} is no address");
                ControlError::new(ErrorCode::MalformedAddress, detail)
            })?;
            found.insert(identity, (address, false));
        }
        let mut to = Vec::new();
        for leg in legs {
            let who = self.switch.participant(leg);
            let mut is_addressed = false;
            for identity in who.iter().flat_map(|who| &who.identities) {
                if let Some((_, is_found)) = found.get_mut(identity) {
                    (*is_found, is_addressed) = (true, true);
                }
            }
            if is_addressed {
                to.push(leg);
            }
        }
        match found.values().find(|(_, is_found)| !is_found) {
            Some((address, _)) => {
                let detail = format!("{address} is nobody's address in this room");
                Err(ControlError::new(ErrorCode::NoSuchParticipant, detail))
            }
            None => Ok(to),
        }
    }

    /// Copies for a participant ended because too much was waiting for it: it is told when it keeps up again.
    pub(super) fn note_missed(&mut self, leg: LegKey, conn: ConnKey) {
        if let Some(session) = self.sessions.get(leg)
            && session.missed > 0
            && let Some(connection) = self.connections.get_mut(conn)
        {
            connection.pace.has_missed = true;
        }
    }

    /// Tells the participants on a connection how many messages they missed.
    ///
    /// # Spec
    /// RFC 7701 s.6.4.
    pub(super) fn tell_missed(&mut self, conn: ConnKey) {
        let Some(connection) = self.connections.get_mut(conn) else {
            return;
        };
        connection.pace.has_missed = false;
        for leg in connection.sessions.clone() {
            let Some(session) = self.sessions.get_mut(leg) else {
                continue;
            };
            let missed = std::mem::take(&mut session.missed);
            if session.is_bridged {
                continue;
            }
            let room = self.rooms.get(&session.room).map(|room| room.key);
            let content_type = ContentTypeBuf::parse("text/plain");
            if missed > 0
                && let (Some(room), Ok(content_type)) = (room, content_type)
            {
                let message = msrp_switch::OwnMessage {
                    to: msrp_switch::MessageTo::Legs(vec![leg]),
                    from_display_name: None,
                    content_type,
                    body: missed_text(missed).into(),
                    datetime: self.datetime(),
                };
                // A participant that takes no plain text, or a node full of messages: nothing is told.
                let _ = self.switch.send_message(room, &message);
            }
        }
    }

    /// The time of day, as DateTime says it.
    fn datetime(&self) -> String {
        cpim::datetime(self.environment.source.unix_seconds())
    }
}

fn missed_text(missed: u32) -> String {
    let messages = if missed == 1 {
        "message was"
    } else {
        "messages were"
    };
    format!("{missed} {messages} not delivered to you: too much was waiting for you.")
}

fn own_message_error(error: &OwnMessageError) -> ControlError {
    let code = match error {
        OwnMessageError::NoSuchRoom => ErrorCode::NoSuchRoom,
        OwnMessageError::NoSuchLeg => ErrorCode::NoSuchParticipant,
        OwnMessageError::BodyTooLong | OwnMessageError::DisplayNameTooLong => {
            ErrorCode::MalformedContent
        }
        OwnMessageError::TooManyMessages => ErrorCode::Limit,
    };
    ControlError::new(code, error.to_string())
}
