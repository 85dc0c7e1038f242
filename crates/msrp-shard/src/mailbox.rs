//! What other threads say to a shard.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError};

use msrp_control::{
    BridgeId, Charging, ControlError, OwnMessage, ParticipantId, ReplySender, RoomId, TraceScope,
    Tracer,
};
use msrp_sdp::{Description, Local, MessageMedia};
use msrp_switch::{Acceptance, LegSpec, RoomSpec};
use msrp_transport::{Connector, Fingerprint, Layer};
use msrp_wire::{MsrpPathBuf, MsrpUriBuf, StatusCode};
use ring_io::Bell;

use crate::census::Counted;
use crate::crossing::Crossing;
use crate::engine::Asker;

/// One message to a shard.
pub(crate) enum ShardMessage {
    /// Make a room.
    CreateRoom {
        room: RoomId,
        spec: RoomSpec,
        reply: ReplySender,
    },
    /// See [`Command::UpdateRoom`](msrp_control::Command::UpdateRoom).
    UpdateRoom {
        room: RoomId,
        spec: RoomSpec,
        reply: ReplySender,
    },
    /// End a room and its sessions.
    CloseRoom { room: RoomId, reply: ReplySender },
    /// Put a session into a room.
    AddSession(Box<NewSession>),
    /// The other side of a session is known now.
    SetPeer {
        room: RoomId,
        participant: ParticipantId,
        peer: Box<PeerMedia>,
        reply: ReplySender,
    },
    /// Change a session.
    Reoffer(Box<Reoffer>),
    /// End a session.
    RemoveParticipant {
        room: RoomId,
        participant: ParticipantId,
        reply: ReplySender,
    },
    /// A participant is somebody else from now on.
    UpdateParticipant {
        room: RoomId,
        participant: ParticipantId,
        update: Box<msrp_switch::Participant>,
        charging: Option<Arc<Charging>>,
        reply: ReplySender,
    },
    /// Take the word from a participant, or give it back.
    SetMuted {
        room: RoomId,
        participant: ParticipantId,
        is_muted: bool,
        reply: ReplySender,
    },
    /// Say how often a participant may begin a message.
    SetRate {
        room: RoomId,
        participant: ParticipantId,
        rate: Option<msrp_switch::Rate>,
        reply: ReplySender,
    },
    /// Say how a room delivers messages.
    SetDelivery {
        room: RoomId,
        delivery: msrp_switch::Delivery,
        reply: ReplySender,
    },
    /// End a session that never stood, and remember why.
    ExcuseParticipant {
        room: RoomId,
        participant: ParticipantId,
        status: StatusCode,
        reply: ReplySender,
    },
    /// Answer when a session has everything that it is to have.
    AwaitServed {
        room: RoomId,
        participant: ParticipantId,
        reply: ReplySender,
    },
    /// Make a record of each session of a room.
    RecordUsage { room: RoomId, reply: ReplySender },
    /// Say what is in a room.
    Describe {
        room: RoomId,
        what: Described,
        reply: ReplySender,
    },
    /// Send a message of the room itself.
    SendMessage {
        room: RoomId,
        message: Box<OwnMessage>,
        /// The time of its DateTime.
        reply: ReplySender,
    },
    /// Something about a bridge.
    Bridge(Box<BridgeMessage>),
    /// Show what passes between sessions of this shard and their peers.
    StartTrace {
        scope: TraceScope,
        tracer: Tracer,
        reply: ReplySender,
    },
    /// A connection whose first request names a session of this shard, with all its octets so far.
    Connection {
        stream: OwnedFd,
        layer: Option<Box<Layer>>,
        octets: Vec<u8>,
        counted: Counted,
    },
    /// To which addresses a name leads.
    Resolved(Resolved),
    /// What another shard has to tell about connections with sessions of both.
    Crossing(Box<Crossing>),
    /// End everything.
    Stop,
    /// Panic, as a defect would.
    #[cfg(feature = "test-faults")]
    Panic,
}

/// What a controller wants to know of a room.
#[derive(Debug)]
pub(crate) enum Described {
    /// Its rules.
    Room,
    /// One participant.
    Participant(ParticipantId),
    /// So many participants behind this one, by id.
    Participants(Option<ParticipantId>, usize),
}

/// What a shard is to do with a bridge.
pub(crate) struct BridgeMessage {
    pub(crate) bridge: BridgeId,
    pub(crate) what: BridgeTask,
    pub(crate) reply: ReplySender,
}

/// See [`BridgeMessage`]. Pairs are in the order of [`Side::BOTH`](msrp_control::Side::BOTH).
pub(crate) enum BridgeTask {
    /// Make it. Its sides are reached at these URIs of ours; the text is the controller's.
    Create([MsrpUriBuf; 2], String),
    /// Both sides are known, or known anew, with our URIs towards them; that towards a side that has moved
    /// may be a new one. The text is the controller's.
    Connect(Box<[(PeerMedia, MsrpUriBuf); 2]>, String),
    /// The answer refused the session: end it. The text is the controller's.
    Refuse(String),
    /// End it.
    Delete,
    /// Say what it does.
    Describe,
}

/// A session to be.
pub(crate) struct NewSession {
    pub(crate) room: RoomId,
    pub(crate) participant: ParticipantId,
    pub(crate) spec: LegSpec,
    /// Absent until the participant has answered our offer.
    pub(crate) peer: Option<PeerMedia>,
    /// Our side of it. The session-id of its path is the secret that binds a connection.
    pub(crate) local: Local,
    /// Our description, handed to the controller when the session stands.
    pub(crate) sdp: String,
    /// By what its accounts are known to other systems.
    pub(crate) charging: Option<Arc<Charging>>,
    pub(crate) reply: ReplySender,
}

/// A session to be changed.
pub(crate) struct Reoffer {
    pub(crate) room: RoomId,
    pub(crate) participant: ParticipantId,
    /// Our side as it shall be, with a URI that is used when the participant has moved.
    pub(crate) local: Local,
    /// The participant's offer; without one, the offer is ours.
    pub(crate) offer: Option<OfferedAgain>,
    pub(crate) reply: ReplySender,
}

/// An offer inside a session.
pub(crate) struct OfferedAgain {
    pub(crate) description: Description,
    pub(crate) media: MessageMedia,
    pub(crate) peer: PeerMedia,
}

/// What the participant's description says.
pub(crate) struct PeerMedia {
    pub(crate) path: MsrpPathBuf,
    pub(crate) acceptance: Acceptance,
    pub(crate) may_send: bool,
    pub(crate) may_receive: bool,
    /// What its certificate has to be over TLS, when it says so.
    pub(crate) fingerprint: Option<Fingerprint>,
    /// Whether it is reached over TLS.
    pub(crate) is_secure: bool,
    /// Where to connect to, when a connection is needed and ours to open; or why nobody can.
    pub(crate) connect: Option<Result<Destination, ControlError>>,
}

/// Where to open a connection to, and what lies between its socket and MSRP.
pub(crate) enum Destination {
    Address(SocketAddr, Option<Box<Layer>>),
    Name(Box<NamedHost>),
}

/// A peer that is known by its name.
#[derive(Debug)]
pub(crate) struct NamedHost {
    pub(crate) name: String,
    pub(crate) port: u16,
    /// What connections to it are begun with over TLS, and the fingerprint that its certificate has to have.
    pub(crate) tls: Option<(Connector, Option<Fingerprint>)>,
}

/// To which addresses a name leads: none when it is not known.
pub(crate) struct Resolved {
    /// The start of the shard that asked.
    pub(crate) epoch: u32,
    pub(crate) asker: Asker,
    pub(crate) name: String,
    pub(crate) port: Option<u16>,
    pub(crate) addresses: Vec<SocketAddr>,
}

/// The way to a shard. Cheap to clone.
#[derive(Clone)]
pub(crate) struct ShardHandle {
    pub(crate) sender: SyncSender<ShardMessage>,
    pub(crate) bell: Arc<Bell>,
}

impl ShardHandle {
    /// Hands over a message and wakes the shard. Gives the message back when the mailbox is full
    /// or the shard is gone.
    pub(crate) fn post(&self, message: ShardMessage) -> Result<(), ShardMessage> {
        match self.sender.try_send(message) {
            Ok(()) => {
                self.bell.ring();
                Ok(())
            }
            Err(TrySendError::Full(message) | TrySendError::Disconnected(message)) => Err(message),
        }
    }
}
