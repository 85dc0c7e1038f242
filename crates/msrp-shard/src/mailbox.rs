//! What other threads say to a shard.

use std::os::fd::OwnedFd;
use std::sync::mpsc::{SyncSender, TrySendError};

use msrp_control::{OwnMessage, ParticipantId, ReplySender, RoomId};
use msrp_switch::{Acceptance, LegSpec, RoomSpec};
use msrp_wire::{MsrpPathBuf, MsrpUriBuf};
use ring_io::Waker;

use std::net::SocketAddr;

/// One message to a shard.
pub(crate) enum ShardMessage {
    /// Make a room.
    CreateRoom {
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
        reply: ReplySender,
    },
    /// Send a message of the room itself.
    SendMessage {
        room: RoomId,
        message: Box<OwnMessage>,
        /// The time of its DateTime.
        datetime: String,
        reply: ReplySender,
    },
    /// A connection whose first request names a session of this shard, with all its octets so far.
    Connection {
        stream: OwnedFd,
        peer: SocketAddr,
        octets: Vec<u8>,
    },
    /// End everything.
    Stop,
}

/// A session to be.
pub(crate) struct NewSession {
    pub(crate) room: RoomId,
    pub(crate) participant: ParticipantId,
    pub(crate) spec: LegSpec,
    /// Our URI of the session; its session-id is the secret that binds a connection.
    pub(crate) own: MsrpUriBuf,
    /// Absent until the participant has answered our offer.
    pub(crate) peer: Option<PeerMedia>,
    /// Our description, handed to the controller when the session stands.
    pub(crate) sdp: String,
    pub(crate) reply: ReplySender,
}

/// What the participant's description says.
pub(crate) struct PeerMedia {
    pub(crate) path: MsrpPathBuf,
    pub(crate) acceptance: Acceptance,
    pub(crate) may_send: bool,
    pub(crate) may_receive: bool,
    /// Where to connect to, when the connection is ours to open.
    pub(crate) connect: Option<SocketAddr>,
}

/// The way to a shard. Cheap to clone.
#[derive(Clone)]
pub(crate) struct ShardHandle {
    pub(crate) sender: SyncSender<ShardMessage>,
    pub(crate) waker: Waker,
}

impl ShardHandle {
    /// Hands over a message and wakes the shard. Gives the message back when the mailbox is full
    /// or the shard is gone.
    pub(crate) fn post(&self, message: ShardMessage) -> Result<(), ShardMessage> {
        match self.sender.try_send(message) {
            Ok(()) => {
                self.waker.wake();
                Ok(())
            }
            Err(TrySendError::Full(message) | TrySendError::Disconnected(message)) => Err(message),
        }
    }
}
