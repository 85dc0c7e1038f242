//! What a controller can ask of the engine.

use std::sync::Arc;

use crate::{
    BridgeCommand, BridgeId, BridgeState, BridgeTotals, Charging, MessageRate, ParticipantId,
    RoomId, TraceScope, Tracer,
};

/// One request to the engine. Every command is answered with exactly one [`Reply`] or
/// [`ControlError`](crate::ControlError).
#[derive(Debug, Clone)]
pub enum Command {
    /// Creates an empty room. Answered with [`Reply::Done`].
    CreateRoom {
        /// The new room.
        room: RoomId,
        /// Its rules.
        config: RoomConfig,
    },
    /// Changes the rules of a room that runs, all of them. Messages of which the wrapper was read keep
    /// what was decided for them, and nicknames stay with those who have them. Session descriptions
    /// that were given are not changed. Answered with [`Reply::Done`].
    UpdateRoom {
        /// The room.
        room: RoomId,
        /// What takes the place of its rules.
        config: RoomConfig,
    },
    /// Ends a room with all its sessions. Answered with [`Reply::Done`] when the room is gone.
    CloseRoom {
        /// The room to end.
        room: RoomId,
    },
    /// Adds a participant with an MSRP session of its own. Answered with [`Reply::Sdp`]: the
    /// answer to the participant's offer, or an offer to send to it.
    AddParticipant {
        /// The room.
        room: RoomId,
        /// The new participant.
        participant: ParticipantId,
        /// Who it is.
        config: ParticipantConfig,
        /// Which side made the offer.
        media: Media,
        /// What the engine's own description says.
        local: LocalMedia,
    },
    /// Gives the answer to an offer that [`Command::AddParticipant`] or [`Command::Reoffer`] made,
    /// or that repeated the present session. Answered with [`Reply::Done`]; from then on the
    /// participant receives the room's messages.
    SetAnswer {
        /// The room.
        room: RoomId,
        /// The participant that was offered a session.
        participant: ParticipantId,
        /// Its SDP answer.
        sdp: String,
    },
    /// Changes the session of a participant that has one: what it takes, its direction, its path.
    /// Answered with [`Reply::Sdp`]: the answer to its new offer, or the present session as an
    /// offer, whose answer may follow as [`Command::SetAnswer`]. All of the offer takes effect at
    /// once, or nothing of it.
    ///
    /// While the participant's path stays the same, the session keeps its URI, its connection and
    /// the messages that are under way. A new path makes a new session in the place of the old one:
    /// the engine draws a URI of its own for it, messages under way have failed, and the old
    /// connection closes. [`Event::ParticipantBound`](crate::Event::ParticipantBound) comes again.
    Reoffer {
        /// The room.
        room: RoomId,
        /// The participant.
        participant: ParticipantId,
        /// Its new offer, or that the engine has to offer.
        media: Media,
        /// What the engine's own description says from now on.
        local: LocalMedia,
    },
    /// Ends one participant's session. Messages it was sending are aborted towards the others.
    /// Answered with [`Reply::Done`].
    RemoveParticipant {
        /// The room.
        room: RoomId,
        /// The participant to remove.
        participant: ParticipantId,
    },
    /// Changes who a participant is, or what it may do, while its session runs. Messages under way
    /// keep what was decided for them. Answered with [`Reply::Done`].
    UpdateParticipant {
        /// The room.
        room: RoomId,
        /// The participant.
        participant: ParticipantId,
        /// What takes the place of what was said of it before, all of it.
        config: ParticipantConfig,
    },
    /// Sends a message of the room itself, from the conference URI. Answered with [`Reply::Done`]
    /// when it is on its way; who cannot take it by type or size does not get it.
    SendMessage {
        /// The room.
        room: RoomId,
        /// The message.
        message: OwnMessage,
    },
    /// Takes the word from a participant, or gives it back: while it is muted, what it sends is
    /// refused with 403, and it receives as before. [`Command::UpdateParticipant`] and
    /// [`Command::Reoffer`] leave this as it is. Answered with [`Reply::Done`].
    SetMuted {
        /// The room.
        room: RoomId,
        /// The participant.
        participant: ParticipantId,
        /// Whether it is muted from now on.
        is_muted: bool,
    },
    /// Says how often a participant may begin a message; beyond that its messages are refused with 413. Each message
    /// counts, typing notices and delivery notices too; [`Command::UpdateParticipant`] and [`Command::Reoffer`] leave
    /// the rate as it is. Answered with [`Reply::Done`].
    SetRate {
        /// The room.
        room: RoomId,
        /// The participant.
        participant: ParticipantId,
        /// The rate from now on; `None` for as often as it likes.
        rate: Option<MessageRate>,
    },
    /// Makes a room one that delivers messages instead of one in which people talk, or changes how it
    /// does; see [`Delivery`]. Comes before the participants. Answered with [`Reply::Done`].
    SetDelivery {
        /// The room.
        room: RoomId,
        /// How it delivers from now on.
        delivery: Delivery,
    },
    /// Removes a participant that was invited to a room that delivers messages and never took part.
    /// Final reports of messages to the room name its entity with this status from now on; so do those
    /// of messages that were kept for it. One that has taken part is removed without that. Answered
    /// with [`Reply::Done`].
    ExcuseParticipant {
        /// The room.
        room: RoomId,
        /// The participant.
        participant: ParticipantId,
        /// What became of its invitation: a status of three digits, such as that of its SIP response.
        status: u16,
    },
    /// Waits until nothing is on its way to a participant and nothing is kept for it. Answered with
    /// [`Reply::Done`] then: in a room that delivers messages, every octet that it was given has been
    /// acknowledged or has failed. That takes no longer than the node's stall time without progress, and
    /// for one that has not taken part as long as the controller leaves it there. When the participant goes
    /// first, the answer is [`ErrorCode::NoSuchParticipant`](crate::ErrorCode::NoSuchParticipant).
    AwaitServed {
        /// The room.
        room: RoomId,
        /// The participant.
        participant: ParticipantId,
    },
    /// Does something with a bridge.
    Bridge(BridgeCommand),
    /// Has an interim record made of each session of a room, for whoever receives the records.
    /// Answered with [`Reply::Done`].
    RecordUsage {
        /// The room.
        room: RoomId,
    },
    /// Asks for the sums of the node. Answered with [`Reply::Status`].
    Status,
    /// Asks which rooms run, in the order of their ids. Answered with [`Reply::Rooms`].
    ListRooms {
        /// Only rooms behind this one.
        after: Option<RoomId>,
        /// Most rooms of the answer; the engine lowers it to [`PAGE_MAX`].
        limit: usize,
    },
    /// Asks for the rules of a room. Answered with [`Reply::Room`].
    DescribeRoom {
        /// The room.
        room: RoomId,
    },
    /// Asks who is in a room, in the order of their ids. Answered with [`Reply::Participants`].
    ListParticipants {
        /// The room.
        room: RoomId,
        /// Only participants behind this one.
        after: Option<ParticipantId>,
        /// Most participants of the answer; the engine lowers it to [`PAGE_MAX`].
        limit: usize,
    },
    /// Asks for one participant. Answered with [`Reply::Participants`] with that one in it.
    DescribeParticipant {
        /// The room.
        room: RoomId,
        /// The participant.
        participant: ParticipantId,
    },
    /// Has the engine refuse new rooms and new participants with
    /// [`ErrorCode::Limit`](crate::ErrorCode::Limit) because the process has reached a bound, or take
    /// them again. Whoever runs the process looks at its memory and its time. Answered with
    /// [`Reply::Done`].
    SetOverload {
        /// The bound, as one lower-case word; `None` when none is reached.
        limit: Option<&'static str>,
    },
    /// Has the engine refuse new rooms, or new participants as well, or take everything again.
    /// Rooms that run go on. All subscribers are told. Answered with [`Reply::Done`].
    SetDraining {
        /// What is refused with [`ErrorCode::Draining`](crate::ErrorCode::Draining).
        drain: Drain,
        /// Seconds until whoever drains the node ends what is left, for those who are told. The
        /// engine ends nothing by itself.
        deadline_s: Option<u64>,
    },
    /// Shows what passes on the connections of sessions, octet for octet, from now on.
    /// Answered with [`Reply::Done`]; the trace runs until its stream is dropped, or what it shows is
    /// over. Bodies are private: who may ask is for the controller to decide.
    StartTrace {
        /// Which sessions.
        scope: TraceScope,
        /// Where it is shown.
        tracer: Tracer,
    },
}

/// What the engine answers to a [`Command`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// The command has been carried out.
    Done,
    /// The engine's session description: an answer or an offer.
    Sdp(String),
    /// The sums of the node.
    Status(NodeStatus),
    /// Rooms that run.
    Rooms(Vec<RoomSummary>),
    /// The rules of a room as they are in force.
    Room(Box<RoomState>),
    /// Participants of a room.
    Participants(Vec<ParticipantState>),
    /// What a bridge does.
    Bridge(Box<BridgeState>),
    /// Bridges that there are.
    Bridges(Vec<BridgeId>),
    /// The sums over all bridges.
    BridgeTotals(BridgeTotals),
}

impl From<BridgeCommand> for Command {
    fn from(command: BridgeCommand) -> Self {
        Self::Bridge(command)
    }
}

/// A room in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomSummary {
    /// The room.
    pub room: RoomId,
    /// Its participants, as of the last one that came or went.
    pub participants_count: u64,
}

/// A room at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomState {
    /// Its rules. The first address is as it was given; the others are in the form in which they
    /// are compared.
    pub config: RoomConfig,
    /// Its participants.
    pub participants_count: u64,
}

/// A participant at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParticipantState {
    /// The participant.
    pub participant: ParticipantId,
    /// Who it is. Identities are in the form in which they are compared.
    pub config: ParticipantConfig,
    /// Its nickname as it is shown.
    pub nickname: Option<String>,
    /// Whether its session has a connection.
    pub is_bound: bool,
    /// Whether the word was taken from it.
    pub is_muted: bool,
    /// How often it may begin a message; `None` when nobody said so.
    pub rate: Option<MessageRate>,
}

/// The rules of a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomConfig {
    /// The addresses that mean the whole room in a CPIM `To`; the first is the conference URI.
    /// At least one, at most [`ROOM_URIS_MAX`].
    pub uris: Vec<String>,
    /// Longest message in octets of the whole CPIM message; `None` means the node's limit.
    pub message_octets_max: Option<u64>,
    /// Whether a message may be addressed to single participants.
    pub private_messages: bool,
    /// Whether participants may be known by nicknames that they choose.
    pub nicknames: bool,
    /// How messages name their recipients.
    pub addressing: Addressing,
}

/// How the messages of a room name their recipients, and what is said of those who take no private
/// messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Addressing {
    /// As OMA SIMPLE IM has it: a private message may name several participants. Who takes none is
    /// refused with 403, or with the status that the node is configured for.
    #[default]
    Oma,
    /// As RFC 7701 has it: exactly one recipient, the room or a participant; more are refused with
    /// 403. Who takes no private messages is refused with 428.
    Rfc7701,
}

/// How a room delivers messages, such as one large message to everybody on a list.
///
/// Everybody who was added is addressed by a message. The beginning of it is kept for those whose
/// session does not stand yet: they get it whole when it does. When as much is kept as may be,
/// the sender waits for them; when it has waited long enough, they miss the message, which
/// [`Event::ParticipantTooLate`](crate::Event::ParticipantTooLate) tells. Every piece asks its
/// recipient for an answer, so that what counts as delivered was acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivery {
    /// Octets of a message that are kept, at most 1 MiB. 0 keeps nothing.
    pub late_octets_max: u64,
    /// How long the sender waits when that much is kept, in milliseconds.
    pub late_ms: u64,
    /// Whether each session may send one message only. A further one is refused with 403.
    pub is_single: bool,
    /// Whether content without a CPIM wrapper is relayed as it is, to everybody. Else it is refused
    /// with 415.
    pub takes_bare: bool,
}

/// Who a participant is, for the switch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParticipantConfig {
    /// The values that its CPIM `From` may have. At least one, at most [`IDENTITIES_MAX`]. The
    /// others address it with one of these in a CPIM `To`.
    pub identities: Vec<String>,
    /// The address shown to others (conference events, final reports). Of a hidden participant its
    /// alias.
    pub entity: String,
    /// Whether it takes part under an alias: the first of its identities, by which alone others
    /// address it. A further one, as the anonymous From of its request, is accepted while no other
    /// participant has it. What others receive from it carries nothing else that its client made.
    pub is_hidden: bool,
    /// Whether it may send messages to single participants.
    pub may_send_private: bool,
    /// Whether its client showed a release that takes private messages. One whose session
    /// description declares them takes them too.
    pub shows_release: bool,
    /// By what its accounts are known to other systems.
    pub charging: Option<Arc<Charging>>,
}

/// A message of the room itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnMessage {
    /// Who gets it.
    pub to: MessageTo,
    /// The display name of its From, as `SysAdmin`; at most 256 octets.
    pub from_display_name: Option<String>,
    /// The type of the content, with its parameters.
    pub content_type: String,
    /// The content, at most 32 KiB.
    pub body: Vec<u8>,
}

/// Who gets a message of the room itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MessageTo {
    /// Everybody.
    Room,
    /// These participants, each once.
    Participants(Vec<ParticipantId>),
    /// Every participant with one of these addresses, each once. Each address has to be somebody's.
    Addresses(Vec<String>),
}

/// Which side made the SDP offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Media {
    /// The participant offered; the engine answers with [`Reply::Sdp`].
    Offer(String),
    /// The engine offers with [`Reply::Sdp`]; the answer follows as [`Command::SetAnswer`].
    MakeOffer,
}

/// What the engine's own session description says. The engine writes path, address, port and
/// setup itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LocalMedia {
    /// The listener that an offer of the engine names: a configured name, or `tcp`, `tls`, `ws` or
    /// `wss` for the first one of this kind. `None` means the first listener. An answer names one of
    /// the kind that was offered; it is an error when the listener is of another.
    pub listener: Option<String>,
    /// `a=accept-types`; `None` means `message/cpim`. The engine puts `message/cpim` first
    /// where it is missing.
    pub accept_types: Option<Vec<String>>,
    /// `a=accept-wrapped-types`; `None` means `*`.
    pub accept_wrapped_types: Option<Vec<String>>,
    /// `a=max-size` in octets; the engine lowers it to its own limit. `None` means that limit.
    pub max_size: Option<u64>,
    /// Further attribute lines of the media section, name and value, in this order. A direction among
    /// them (`sendonly`, `recvonly`, `inactive`) is that of our side; an answer keeps within what the offer
    /// allows.
    pub attributes: Vec<(String, Option<String>)>,
}

/// The sums of the node at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NodeStatus {
    /// Rooms that run.
    pub rooms_count: u64,
    /// Participants in all rooms.
    pub participants_count: u64,
    /// Shards that serve.
    pub shards_count: u64,
    /// Longest message that the node takes, octets of the whole CPIM message.
    pub message_octets_max: u64,
    /// What is refused.
    pub drain: Drain,
}

/// What a node refuses because it is to go down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Drain {
    /// Nothing.
    #[default]
    Off,
    /// New rooms. Those that run take participants: they live nowhere else.
    Rooms,
    /// New rooms, and new participants of those that run.
    Sessions,
}

/// Most addresses of one room.
pub const ROOM_URIS_MAX: usize = 8;
/// Most entries of one list that the engine gives.
pub const PAGE_MAX: usize = 1000;
/// Most identities of one participant.
pub const IDENTITIES_MAX: usize = 8;
