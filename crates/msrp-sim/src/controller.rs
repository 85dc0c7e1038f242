//! The application server of a world: it makes rooms, invites, offers again, takes the word, removes and closes.

use futures_channel::oneshot::{self, Receiver};
use msrp_control::{
    Command, ControlError, Engine as _, Event, EventStream, LocalMedia, Media, MessageTo,
    OwnMessage, ParticipantConfig, ParticipantId, Reply, RoomConfig, RoomId,
};
use msrp_shard::ShardEngine;

use crate::kernel::PeerId;
use crate::plan::Guest;

/// What a command was about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum About {
    Room,
    Join(PeerId),
    Answer(PeerId),
    Offer(PeerId),
    Move(PeerId),
    Mute,
    Say,
    Remove(PeerId),
    Close,
}

/// Drives the engine by `msrp-control` alone.
pub(crate) struct Controller {
    engine: std::sync::Arc<ShardEngine>,
    events: EventStream,
    open: Vec<(About, Receiver<Result<Reply, ControlError>>)>,
}

/// The id of a room.
pub(crate) fn room_id(room: usize) -> RoomId {
    id(&format!("room{room}"), RoomId::new)
}

/// The id of a participant.
pub(crate) fn participant_id(peer: PeerId) -> ParticipantId {
    id(&format!("p{peer}"), ParticipantId::new)
}

/// The participant of an id.
pub(crate) fn peer_of(participant: &ParticipantId) -> Option<PeerId> {
    participant.as_str().strip_prefix('p')?.parse().ok()
}

fn id<T, E: std::fmt::Debug>(text: &str, new: impl Fn(&str) -> Result<T, E>) -> T {
    match new(text) {
        Ok(id) => id,
        Err(error) => unreachable!("{text} is an id: {error:?}"),
    }
}

/// The URI of a room.
pub(crate) fn room_uri(room: usize) -> String {
    format!("sip:room{room}@example.com")
}

impl Controller {
    pub(crate) fn new(engine: std::sync::Arc<ShardEngine>) -> Self {
        let events = engine.subscribe();
        Self {
            engine,
            events,
            open: Vec::new(),
        }
    }

    fn submit(&mut self, about: About, command: Command) {
        let (reply, answer) = oneshot::channel();
        self.engine.submit(command, reply);
        self.open.push((about, answer));
    }

    /// The answers that have come.
    pub(crate) fn answers(&mut self) -> Vec<(About, Result<Reply, ControlError>)> {
        let mut answers = Vec::new();
        self.open
            .retain_mut(|(about, answer)| match answer.try_recv() {
                Ok(Some(result)) => {
                    answers.push((*about, result));
                    false
                }
                Ok(None) => true,
                Err(_) => {
                    let error =
                        ControlError::new(msrp_control::ErrorCode::Unavailable, "no answer");
                    answers.push((*about, Err(error)));
                    false
                }
            });
        answers
    }

    /// Whether every command was answered.
    pub(crate) fn is_answered(&self) -> bool {
        self.open.is_empty()
    }

    /// The next event.
    pub(crate) fn event(&mut self) -> Option<Event> {
        self.events.try_recv().ok()
    }

    pub(crate) fn create_room(&mut self, room: usize) {
        let config = RoomConfig {
            uris: vec![room_uri(room)],
            message_octets_max: None,
            private_messages: true,
            nicknames: true,
            addressing: msrp_control::Addressing::Oma,
        };
        let room = room_id(room);
        self.submit(About::Room, Command::CreateRoom { room, config });
    }

    /// Puts a participant into its room.
    pub(crate) fn join(&mut self, peer: PeerId, guest: &Guest, entity: &str, offer: String) {
        let config = ParticipantConfig {
            identities: vec![entity.to_owned()],
            entity: entity.to_owned(),
            is_hidden: guest.is_hidden,
            may_send_private: true,
            shows_release: true,
            charging: None,
        };
        let media = if guest.is_invited {
            Media::MakeOffer
        } else {
            Media::Offer(offer)
        };
        let command = Command::AddParticipant {
            room: room_id(guest.room),
            participant: participant_id(peer),
            config,
            media,
            local: LocalMedia::default(),
        };
        self.submit(About::Join(peer), command);
    }

    pub(crate) fn answer(&mut self, (room, peer): (usize, PeerId), sdp: String) {
        let (room, participant) = (room_id(room), participant_id(peer));
        let command = Command::SetAnswer {
            room,
            participant,
            sdp,
        };
        self.submit(About::Answer(peer), command);
    }

    /// The participant offers what it has again.
    pub(crate) fn reoffer(&mut self, who: (usize, PeerId), sdp: String) {
        self.offer(About::Offer(who.1), who, sdp);
    }

    /// The participant offers another path.
    pub(crate) fn offer_move(&mut self, who: (usize, PeerId), sdp: String) {
        self.offer(About::Move(who.1), who, sdp);
    }

    fn offer(&mut self, about: About, (room, peer): (usize, PeerId), sdp: String) {
        let command = Command::Reoffer {
            room: room_id(room),
            participant: participant_id(peer),
            media: Media::Offer(sdp),
            local: LocalMedia::default(),
        };
        self.submit(about, command);
    }

    pub(crate) fn mute(&mut self, (room, peer): (usize, PeerId), is_muted: bool) {
        let (room, participant) = (room_id(room), participant_id(peer));
        let command = Command::SetMuted {
            room,
            participant,
            is_muted,
        };
        self.submit(About::Mute, command);
    }

    /// The room says something itself.
    pub(crate) fn say(&mut self, room: usize) {
        let message = OwnMessage {
            to: MessageTo::Room,
            from_display_name: None,
            content_type: "text/plain".to_owned(),
            body: b"own message of the room".to_vec(),
        };
        let room = room_id(room);
        self.submit(About::Say, Command::SendMessage { room, message });
    }

    pub(crate) fn remove(&mut self, room: usize, peer: PeerId) {
        let (room, participant) = (room_id(room), participant_id(peer));
        let command = Command::RemoveParticipant { room, participant };
        self.submit(About::Remove(peer), command);
    }

    pub(crate) fn close_room(&mut self, room: usize) {
        let room = room_id(room);
        self.submit(About::Close, Command::CloseRoom { room });
    }
}
