//! The controller's end: a handle that sends commands and reads events.

use std::sync::Arc;

use futures_channel::{mpsc, oneshot};

use crate::metrics::{Histogram, Sample};
use crate::{
    Command, ControlError, Delivery, Drain, ErrorCode, Event, Interest, Load, LocalMedia, Media,
    MessageRate, NodeStatus, OwnMessage, ParticipantConfig, ParticipantId, ParticipantState, Reply,
    RoomConfig, RoomId, RoomState, RoomSummary, Subscription, TraceScope, TraceStream, tracer,
};

/// Where an engine puts the one answer to a command. Dropping it unused answers
/// [`ErrorCode::Unavailable`].
pub type ReplySender = oneshot::Sender<Result<Reply, ControlError>>;

/// The events of an engine, in order, from the moment of subscription.
pub type EventStream = mpsc::Receiver<Event>;

/// What carries out commands. Implemented by the shards; by scripted stand-ins in tests.
pub trait Engine: Send + Sync + 'static {
    /// Takes a command; answers through `reply`, at once or later, exactly once. Never blocks.
    fn submit(&self, command: Command, reply: ReplySender);

    /// Subscribes to the events. A subscriber that falls behind by more than the engine's event
    /// bound is cut off: its stream ends, and it reads the state anew.
    fn subscribe(&self) -> EventStream;

    /// As [`Engine::subscribe`], with events of messages for as long as they are wanted.
    fn subscribe_with_interest(&self) -> Subscription {
        Subscription::new(self.subscribe(), Interest::default())
    }

    /// The present values of all metrics.
    fn samples(&self) -> Vec<Sample>;

    /// The present values of all histograms.
    fn histograms(&self) -> Vec<Histogram> {
        Vec::new()
    }

    /// Whether every shard has gone round its loop within the last second.
    fn is_alive(&self) -> bool;

    /// How much of its means the node uses, for whoever decides about new work. An engine that does
    /// not measure says that it uses nothing.
    fn load(&self) -> Load {
        Load::default()
    }
}

/// A handle to an engine. Cheap to clone; all clones drive the same engine.
#[derive(Clone)]
pub struct Client {
    engine: Arc<dyn Engine>,
}

impl Client {
    /// A client of this engine.
    pub fn new(engine: Arc<dyn Engine>) -> Self {
        Self { engine }
    }

    /// The engine behind this client.
    #[must_use]
    pub fn engine(&self) -> &Arc<dyn Engine> {
        &self.engine
    }

    /// Subscribes to the engine's events.
    #[must_use]
    pub fn subscribe(&self) -> EventStream {
        self.engine.subscribe()
    }

    /// Subscribes to the engine's events, and to those of messages for as long as they are wanted.
    #[must_use]
    pub fn subscribe_with_interest(&self) -> Subscription {
        self.engine.subscribe_with_interest()
    }

    /// Sends one command and waits for its answer.
    ///
    /// # Errors
    /// What the engine answers; [`ErrorCode::Unavailable`] when it went away.
    pub async fn execute(&self, command: Command) -> Result<Reply, ControlError> {
        let (reply, answer) = oneshot::channel();
        self.engine.submit(command, reply);
        answer.await.unwrap_or_else(|_| Err(unavailable()))
    }

    /// [`Command::CreateRoom`].
    ///
    /// # Errors
    /// [`ErrorCode::RoomExists`], [`ErrorCode::MalformedAddress`], [`ErrorCode::Limit`].
    pub async fn create_room(&self, room: RoomId, config: RoomConfig) -> Result<(), ControlError> {
        done(&self.execute(Command::CreateRoom { room, config }).await?)
    }

    /// [`Command::UpdateRoom`].
    ///
    /// # Errors
    /// [`ErrorCode::NoSuchRoom`], [`ErrorCode::MalformedAddress`].
    pub async fn update_room(&self, room: RoomId, config: RoomConfig) -> Result<(), ControlError> {
        done(&self.execute(Command::UpdateRoom { room, config }).await?)
    }

    /// [`Command::CloseRoom`].
    ///
    /// # Errors
    /// [`ErrorCode::NoSuchRoom`].
    pub async fn close_room(&self, room: RoomId) -> Result<(), ControlError> {
        done(&self.execute(Command::CloseRoom { room }).await?)
    }

    /// [`Command::AddParticipant`]; returns the engine's session description.
    ///
    /// # Errors
    /// [`ErrorCode::NoSuchRoom`], [`ErrorCode::ParticipantExists`], [`ErrorCode::MalformedSdp`],
    /// [`ErrorCode::NotAcceptable`], [`ErrorCode::MalformedAddress`], [`ErrorCode::Limit`].
    pub async fn add_participant(
        &self,
        room: RoomId,
        participant: ParticipantId,
        config: ParticipantConfig,
        media: Media,
        local: LocalMedia,
    ) -> Result<String, ControlError> {
        let command = Command::AddParticipant {
            room,
            participant,
            config,
            media,
            local,
        };
        match self.execute(command).await? {
            Reply::Sdp(sdp) => Ok(sdp),
            _ => Err(unavailable()),
        }
    }

    /// [`Command::SetAnswer`].
    ///
    /// # Errors
    /// [`ErrorCode::NoSuchParticipant`], [`ErrorCode::WrongState`], [`ErrorCode::MalformedSdp`],
    /// [`ErrorCode::NotAcceptable`].
    pub async fn set_answer(
        &self,
        room: RoomId,
        participant: ParticipantId,
        sdp: String,
    ) -> Result<(), ControlError> {
        done(
            &self
                .execute(Command::SetAnswer {
                    room,
                    participant,
                    sdp,
                })
                .await?,
        )
    }

    /// [`Command::Reoffer`]; returns the engine's session description.
    ///
    /// # Errors
    /// [`ErrorCode::NoSuchRoom`], [`ErrorCode::NoSuchParticipant`], [`ErrorCode::WrongState`],
    /// [`ErrorCode::MalformedSdp`], [`ErrorCode::NotAcceptable`]. The session stays as it was.
    pub async fn reoffer(
        &self,
        room: RoomId,
        participant: ParticipantId,
        media: Media,
        local: LocalMedia,
    ) -> Result<String, ControlError> {
        let command = Command::Reoffer {
            room,
            participant,
            media,
            local,
        };
        match self.execute(command).await? {
            Reply::Sdp(sdp) => Ok(sdp),
            _ => Err(unavailable()),
        }
    }

    /// [`Command::RemoveParticipant`].
    ///
    /// # Errors
    /// [`ErrorCode::NoSuchRoom`], [`ErrorCode::NoSuchParticipant`].
    pub async fn remove_participant(
        &self,
        room: RoomId,
        participant: ParticipantId,
    ) -> Result<(), ControlError> {
        done(
            &self
                .execute(Command::RemoveParticipant { room, participant })
                .await?,
        )
    }

    /// [`Command::UpdateParticipant`].
    ///
    /// # Errors
    /// [`ErrorCode::NoSuchRoom`], [`ErrorCode::NoSuchParticipant`], [`ErrorCode::MalformedAddress`].
    pub async fn update_participant(
        &self,
        room: RoomId,
        participant: ParticipantId,
        config: ParticipantConfig,
    ) -> Result<(), ControlError> {
        let command = Command::UpdateParticipant {
            room,
            participant,
            config,
        };
        done(&self.execute(command).await?)
    }

    /// [`Command::SendMessage`].
    ///
    /// # Errors
    /// [`ErrorCode::NoSuchRoom`], [`ErrorCode::NoSuchParticipant`], [`ErrorCode::MalformedContent`],
    /// [`ErrorCode::Limit`].
    pub async fn send_message(
        &self,
        room: RoomId,
        message: OwnMessage,
    ) -> Result<(), ControlError> {
        done(&self.execute(Command::SendMessage { room, message }).await?)
    }

    /// [`Command::SetMuted`].
    ///
    /// # Errors
    /// [`ErrorCode::NoSuchRoom`], [`ErrorCode::NoSuchParticipant`].
    pub async fn set_muted(
        &self,
        room: RoomId,
        participant: ParticipantId,
        is_muted: bool,
    ) -> Result<(), ControlError> {
        let command = Command::SetMuted {
            room,
            participant,
            is_muted,
        };
        done(&self.execute(command).await?)
    }

    /// [`Command::SetRate`].
    ///
    /// # Errors
    /// [`ErrorCode::NoSuchRoom`], [`ErrorCode::NoSuchParticipant`].
    pub async fn set_rate(
        &self,
        room: RoomId,
        participant: ParticipantId,
        rate: Option<MessageRate>,
    ) -> Result<(), ControlError> {
        let command = Command::SetRate {
            room,
            participant,
            rate,
        };
        done(&self.execute(command).await?)
    }

    /// [`Command::SetDelivery`].
    ///
    /// # Errors
    /// [`ErrorCode::NoSuchRoom`].
    pub async fn set_delivery(&self, room: RoomId, delivery: Delivery) -> Result<(), ControlError> {
        let command = Command::SetDelivery { room, delivery };
        done(&self.execute(command).await?)
    }

    /// [`Command::ExcuseParticipant`].
    ///
    /// # Errors
    /// [`ErrorCode::NoSuchRoom`], [`ErrorCode::NoSuchParticipant`], [`ErrorCode::MalformedContent`]
    /// for a status without three digits.
    pub async fn excuse_participant(
        &self,
        room: RoomId,
        participant: ParticipantId,
        status: u16,
    ) -> Result<(), ControlError> {
        let command = Command::ExcuseParticipant {
            room,
            participant,
            status,
        };
        done(&self.execute(command).await?)
    }

    /// [`Command::AwaitServed`].
    ///
    /// # Errors
    /// [`ErrorCode::NoSuchRoom`], [`ErrorCode::NoSuchParticipant`], also when it goes meanwhile.
    pub async fn await_served(
        &self,
        room: RoomId,
        participant: ParticipantId,
    ) -> Result<(), ControlError> {
        let command = Command::AwaitServed { room, participant };
        done(&self.execute(command).await?)
    }

    /// [`Command::StartTrace`].
    ///
    /// # Errors
    /// [`ErrorCode::NoSuchRoom`], [`ErrorCode::NoSuchParticipant`], [`ErrorCode::Limit`].
    pub async fn trace(&self, scope: TraceScope) -> Result<TraceStream, ControlError> {
        let (tracer, stream) = tracer();
        let command = Command::StartTrace { scope, tracer };
        done(&self.execute(command).await?)?;
        Ok(stream)
    }

    /// [`Command::SetDraining`].
    ///
    /// # Errors
    /// [`ErrorCode::Unavailable`].
    pub async fn set_draining(
        &self,
        drain: Drain,
        deadline_s: Option<u64>,
    ) -> Result<(), ControlError> {
        done(
            &self
                .execute(Command::SetDraining { drain, deadline_s })
                .await?,
        )
    }

    /// [`Command::SetOverload`].
    ///
    /// # Errors
    /// [`ErrorCode::Unavailable`].
    pub async fn set_overload(&self, limit: Option<&'static str>) -> Result<(), ControlError> {
        done(&self.execute(Command::SetOverload { limit }).await?)
    }

    /// [`Command::ListRooms`].
    ///
    /// # Errors
    /// [`ErrorCode::Unavailable`].
    pub async fn rooms(
        &self,
        after: Option<RoomId>,
        limit: usize,
    ) -> Result<Vec<RoomSummary>, ControlError> {
        match self.execute(Command::ListRooms { after, limit }).await? {
            Reply::Rooms(rooms) => Ok(rooms),
            _ => Err(unavailable()),
        }
    }

    /// [`Command::DescribeRoom`].
    ///
    /// # Errors
    /// [`ErrorCode::NoSuchRoom`].
    pub async fn room(&self, room: RoomId) -> Result<RoomState, ControlError> {
        match self.execute(Command::DescribeRoom { room }).await? {
            Reply::Room(state) => Ok(*state),
            _ => Err(unavailable()),
        }
    }

    /// [`Command::ListParticipants`].
    ///
    /// # Errors
    /// [`ErrorCode::NoSuchRoom`].
    pub async fn participants(
        &self,
        room: RoomId,
        after: Option<ParticipantId>,
        limit: usize,
    ) -> Result<Vec<ParticipantState>, ControlError> {
        let command = Command::ListParticipants { room, after, limit };
        match self.execute(command).await? {
            Reply::Participants(participants) => Ok(participants),
            _ => Err(unavailable()),
        }
    }

    /// [`Command::DescribeParticipant`].
    ///
    /// # Errors
    /// [`ErrorCode::NoSuchRoom`], [`ErrorCode::NoSuchParticipant`].
    pub async fn participant(
        &self,
        room: RoomId,
        participant: ParticipantId,
    ) -> Result<ParticipantState, ControlError> {
        let command = Command::DescribeParticipant { room, participant };
        match self.execute(command).await? {
            Reply::Participants(mut one) => one.pop().ok_or_else(unavailable),
            _ => Err(unavailable()),
        }
    }

    /// [`Command::RecordUsage`].
    ///
    /// # Errors
    /// [`ErrorCode::NoSuchRoom`].
    pub async fn record_usage(&self, room: RoomId) -> Result<(), ControlError> {
        done(&self.execute(Command::RecordUsage { room }).await?)
    }

    /// [`Command::Status`].
    ///
    /// # Errors
    /// [`ErrorCode::Unavailable`].
    pub async fn status(&self) -> Result<NodeStatus, ControlError> {
        match self.execute(Command::Status).await? {
            Reply::Status(status) => Ok(status),
            _ => Err(unavailable()),
        }
    }
}

fn done(reply: &Reply) -> Result<(), ControlError> {
    match reply {
        Reply::Done => Ok(()),
        _ => Err(unavailable()),
    }
}

pub(crate) fn unavailable() -> ControlError {
    ControlError::new(ErrorCode::Unavailable, "the engine did not answer")
}
