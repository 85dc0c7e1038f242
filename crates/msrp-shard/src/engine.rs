//! The engine as its controllers see it: all shards together.
//!
//! A command is checked here, on the caller's thread, and then posted to the one shard that owns
//! the room. Rooms are spread over the shards in turn. The registry of rooms is the only state
//! that shards share, and only controllers touch it.

mod chat_functions;
mod description;
mod hub;
mod registry;

use std::net::{SocketAddr, TcpListener};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use dashmap::mapref::entry::Entry;
use msrp_control::metrics::Sample;
use msrp_control::{
    Command, ControlError, EndReason, Engine, ErrorCode, Event, EventStream, IDENTITIES_MAX,
    NodeStatus, ParticipantConfig, ROOM_URIS_MAX, Reply, ReplySender, RoomConfig, RoomId,
};
use msrp_switch::RoomSpec;
use msrp_switch::limits::REPORT_URI_OCTETS_MAX;
use msrp_wire::Identity;

use crate::config::{EngineConfig, EngineLimits};
use crate::limits::{ALIVE_NS, MAILBOX_MESSAGES_MAX, SHARDS_MAX};
use crate::mailbox::{ShardHandle, ShardMessage};
use crate::metrics::{self, Counters};
use crate::shard::{Environment, Shard};

use chat_functions::ChatFunctions;
use description::Advertised;
pub(crate) use description::shard_of_session_id;
pub(crate) use hub::Hub;
pub(crate) use registry::{Residence, Rooms};

/// Why the engine did not start.
#[derive(Debug)]
pub enum StartError {
    /// There is no listener to serve.
    NoListener,
    /// A listener's address could not be bound.
    Bind(SocketAddr, std::io::Error),
    /// A shard could not open its backend or its thread.
    Shard(std::io::Error),
}

impl std::fmt::Display for StartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoListener => f.write_str("no MSRP listener is configured"),
            Self::Bind(address, error) => {
                write!(f, "the MSRP address {address} could not be bound: {error}")
            }
            Self::Shard(error) => write!(f, "a shard could not be started: {error}"),
        }
    }
}

impl std::error::Error for StartError {}

/// A running engine and what its start showed.
#[derive(Debug)]
pub struct Started {
    /// The engine.
    pub engine: Arc<ShardEngine>,
    /// The listeners by name with their real addresses.
    pub listeners: Vec<(String, SocketAddr)>,
    /// The backend that was chosen: `io_uring` or `epoll`.
    pub backend: &'static str,
    /// Why, in one sentence.
    pub reason: String,
}

/// All shards of the node.
pub struct ShardEngine {
    shards: Vec<ShardHandle>,
    counters: Vec<Arc<Counters>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    hub: Arc<Hub>,
    rooms: Arc<Rooms>,
    next_shard: AtomicUsize,
    is_stopping: AtomicBool,
    advertised: Advertised,
    limits: EngineLimits,
    clock: Instant,
}

impl std::fmt::Debug for ShardEngine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ShardEngine")
            .field("shards", &self.shards.len())
            .finish_non_exhaustive()
    }
}

/// Starts the engine: binds the listeners once for each shard and starts the shards' threads.
///
/// # Errors
/// [`StartError`]; nothing runs then.
pub fn start(config: &EngineConfig) -> Result<Started, StartError> {
    let shards_count = match config.shards {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        count => count,
    }
    .min(SHARDS_MAX);
    let (listeners, mut sockets) = bind(config, shards_count)?;
    let first = config.listeners.first().ok_or(StartError::NoListener)?;
    let bound = listeners
        .first()
        .map(|(_, address)| *address)
        .ok_or(StartError::NoListener)?;
    let hub = Arc::new(Hub::default());
    let rooms = Arc::new(Rooms::new());
    let clock = Instant::now();
    let peers = Arc::new(OnceLock::new());
    let mut engine = ShardEngine {
        shards: Vec::new(),
        counters: Vec::new(),
        threads: Mutex::default(),
        hub,
        rooms,
        next_shard: AtomicUsize::new(0),
        is_stopping: AtomicBool::new(false),
        advertised: Advertised::new(first.advertise.clone(), bound),
        limits: config.limits.clone(),
        clock,
    };
    let mut choice = None;
    for index in 0..shards_count {
        let environment = Environment {
            index,
            peers: Arc::clone(&peers),
            hub: Arc::clone(&engine.hub),
            rooms: Arc::clone(&engine.rooms),
            counters: Arc::default(),
            limits: config.limits.clone(),
            ask_recipients: config.ask_recipients,
            clock,
        };
        let sockets = sockets.pop().unwrap_or_default();
        engine.counters.push(Arc::clone(&environment.counters));
        match spawn(config.want, environment, sockets) {
            Ok((handle, thread, chosen)) => {
                engine.shards.push(handle);
                engine
                    .threads
                    .get_mut()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(thread);
                choice.get_or_insert(chosen);
            }
            Err(error) => {
                engine.shutdown();
                return Err(StartError::Shard(error));
            }
        }
    }
    let _ = peers.set(engine.shards.clone());
    let choice = choice.ok_or(StartError::NoListener)?;
    let backend = match choice.backend {
        ring_io::Kind::Uring => "io_uring",
        ring_io::Kind::Epoll => "epoll",
    };
    Ok(Started {
        engine: Arc::new(engine),
        listeners,
        backend,
        reason: choice.reason,
    })
}

/// The bound listeners by name, and for each shard its own socket of each.
type Bound = (Vec<(String, SocketAddr)>, Vec<Vec<TcpListener>>);

fn bind(config: &EngineConfig, shards_count: usize) -> Result<Bound, StartError> {
    let mut listeners = Vec::new();
    let mut sockets: Vec<Vec<TcpListener>> = (0..shards_count).map(|_| Vec::new()).collect();
    for listener in &config.listeners {
        let mut address = listener.bind;
        for shard in &mut sockets {
            let failed = |error| StartError::Bind(address, error);
            let socket = ring_io::bind_reuseport(address).map_err(failed)?;
            address = socket.local_addr().map_err(failed)?;
            shard.push(socket);
        }
        listeners.push((listener.name.clone(), address));
    }
    Ok((listeners, sockets))
}

fn spawn(
    want: ring_io::Want,
    environment: Environment,
    sockets: Vec<TcpListener>,
) -> std::io::Result<(ShardHandle, JoinHandle<()>, ring_io::Choice)> {
    let (sender, mailbox) = sync_channel(MAILBOX_MESSAGES_MAX);
    let (opened_sender, opened) = sync_channel(1);
    let name = format!("shard-{}", environment.index);
    let (index, hub) = (environment.index, Arc::clone(&environment.hub));
    let rooms = Arc::clone(&environment.rooms);
    let thread = std::thread::Builder::new().name(name).spawn(move || {
        let started = ring_io::open(want, &ring_io::Config::default()).and_then(|(io, choice)| {
            let waker = ring_io::Io::waker(&io);
            Shard::new(io, mailbox, environment, sockets).map(|shard| (shard, waker, choice))
        });
        match started {
            Ok((shard, waker, choice)) => {
                let _ = opened_sender.send(Ok((waker, choice)));
                // The shard's sockets close while it unwinds; its rooms must not vanish in silence.
                if catch_unwind(AssertUnwindSafe(|| shard.run())).is_err() {
                    tracing::error!(shard = index, "the shard failed; its rooms are lost");
                    report_lost(index, &rooms, &hub);
                }
            }
            Err(error) => {
                let _ = opened_sender.send(Err(error));
            }
        }
    })?;
    match opened.recv() {
        Ok(Ok((waker, choice))) => Ok((ShardHandle { sender, waker }, thread, choice)),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(std::io::Error::other(
            "the shard's thread ended at its start",
        )),
    }
}

/// Tells the controllers that the rooms of a shard are gone with it.
fn report_lost(shard: usize, rooms: &Rooms, hub: &Hub) {
    let mut lost = Vec::new();
    rooms.retain(|room, owner| {
        let is_lost = owner.shard == shard;
        if is_lost {
            lost.push(room.clone());
        }
        !is_lost
    });
    for room in lost {
        let reason = EndReason::ShardFailed;
        hub.publish(&Event::RoomLost { room, reason });
    }
}

impl ShardEngine {
    /// Ends all sessions, closes the MSRP connections and joins the shards' threads. Blocks until
    /// they are gone.
    pub fn shutdown(&self) {
        self.is_stopping.store(true, Ordering::Relaxed);
        for shard in &self.shards {
            // A full mailbox empties by itself; the shard has to hear this.
            if shard.sender.send(ShardMessage::Stop).is_ok() {
                shard.waker.wake();
            }
        }
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        for thread in threads.drain(..) {
            let _ = thread.join();
        }
    }

    fn create_room(
        &self,
        room: &RoomId,
        config: &RoomConfig,
        reply: ReplySender,
    ) -> Result<(), (ReplySender, ControlError)> {
        let spec = match self.room_spec(config) {
            Ok(spec) => spec,
            Err(error) => return Err((reply, error)),
        };
        let shard = match self.rooms.entry(room.clone()) {
            Entry::Occupied(_) => {
                let detail = "a room of this id runs already";
                return Err((reply, ControlError::new(ErrorCode::RoomExists, detail)));
            }
            Entry::Vacant(vacant) => {
                let next = self.next_shard.fetch_add(1, Ordering::Relaxed);
                let shard = next % self.shards.len().max(1);
                vacant.insert(Residence::new(shard, ChatFunctions::of(config)));
                shard
            }
        };
        let message = ShardMessage::CreateRoom {
            room: room.clone(),
            spec,
            reply,
        };
        self.post(shard, message).inspect_err(|_| {
            self.rooms.remove(room);
        })
    }

    fn room_spec(&self, config: &RoomConfig) -> Result<RoomSpec, ControlError> {
        if self.is_stopping.load(Ordering::Relaxed) {
            return Err(ControlError::new(
                ErrorCode::Draining,
                "the node is going down",
            ));
        }
        if self.rooms.len() >= self.limits.rooms_max {
            let detail = format!(
                "the node runs {} rooms, the most it may",
                self.limits.rooms_max
            );
            return Err(ControlError::new(ErrorCode::Limit, detail));
        }
        let own = self.limits.message_octets_max;
        Ok(RoomSpec {
            uri: config.uris.first().cloned().unwrap_or_default(),
            addresses: identities(&config.uris, ROOM_URIS_MAX)?,
            message_octets_max: config.message_octets_max.map_or(own, |max| max.min(own)),
            private_messages: config.private_messages,
            nicknames: config.nicknames,
        })
    }

    fn shard_of(&self, room: &RoomId) -> Result<usize, ControlError> {
        self.residence_of(room).map(|residence| residence.shard)
    }

    fn residence_of(&self, room: &RoomId) -> Result<Residence, ControlError> {
        let residence = self.rooms.get(room).map(|entry| *entry);
        residence.ok_or_else(|| ControlError::new(ErrorCode::NoSuchRoom, "no room of this id runs"))
    }

    /// Posts to the shard that owns the room.
    fn post_to(
        &self,
        room: &RoomId,
        reply: ReplySender,
        message: impl FnOnce(ReplySender) -> ShardMessage,
    ) -> Result<(), (ReplySender, ControlError)> {
        match self.shard_of(room) {
            Ok(shard) => self.post(shard, message(reply)),
            Err(error) => Err((reply, error)),
        }
    }

    fn post(&self, shard: usize, message: ShardMessage) -> Result<(), (ReplySender, ControlError)> {
        let refused = match self.shards.get(shard) {
            Some(handle) => match handle.post(message) {
                Ok(()) => return Ok(()),
                Err(message) => message,
            },
            None => message,
        };
        let error = ControlError::new(ErrorCode::Unavailable, "the shard of this room is too busy");
        match refused {
            ShardMessage::CreateRoom { reply, .. }
            | ShardMessage::CloseRoom { reply, .. }
            | ShardMessage::SetPeer { reply, .. }
            | ShardMessage::RemoveParticipant { reply, .. } => Err((reply, error)),
            ShardMessage::AddSession(session) => Err((session.reply, error)),
            ShardMessage::Connection { .. } | ShardMessage::Stop => Ok(()),
        }
    }

    fn status(&self) -> NodeStatus {
        NodeStatus {
            rooms_count: self.rooms.len() as u64,
            participants_count: self.counters.iter().map(|c| c.participants()).sum(),
            shards_count: self.shards.len() as u64,
        }
    }

    fn dispatch(
        &self,
        command: Command,
        reply: ReplySender,
    ) -> Result<(), (ReplySender, ControlError)> {
        match command {
            Command::CreateRoom { room, config } => self.create_room(&room, &config, reply),
            Command::CloseRoom { room } => {
                let key = room.clone();
                self.post_to(&key, reply, |reply| ShardMessage::CloseRoom { room, reply })
            }
            Command::AddParticipant {
                room,
                participant,
                config,
                media,
                local,
            } => {
                let Residence { shard, chat } = match self.residence_of(&room) {
                    Ok(residence) => residence,
                    Err(error) => return Err((reply, error)),
                };
                let new = description::Request {
                    room,
                    participant,
                    config,
                    media,
                    local,
                    chat,
                };
                match self
                    .advertised
                    .new_session(shard, new, self.limits.message_octets_max, reply)
                {
                    Ok(session) => self.post(shard, ShardMessage::AddSession(session)),
                    Err(refused) => Err(refused),
                }
            }
            Command::SetAnswer {
                room,
                participant,
                sdp,
            } => {
                let peer = match self.advertised.read_answer(&sdp) {
                    Ok(peer) => Box::new(peer),
                    Err(error) => return Err((reply, error)),
                };
                let key = room.clone();
                self.post_to(&key, reply, |reply| ShardMessage::SetPeer {
                    room,
                    participant,
                    peer,
                    reply,
                })
            }
            Command::RemoveParticipant { room, participant } => {
                let key = room.clone();
                self.post_to(&key, reply, |reply| ShardMessage::RemoveParticipant {
                    room,
                    participant,
                    reply,
                })
            }
            Command::Status => {
                let _ = reply.send(Ok(Reply::Status(self.status())));
                Ok(())
            }
        }
    }
}

impl Engine for ShardEngine {
    fn submit(&self, command: Command, reply: ReplySender) {
        if let Err((reply, error)) = self.dispatch(command, reply) {
            let _ = reply.send(Err(error));
        }
    }

    fn subscribe(&self) -> EventStream {
        self.hub.subscribe()
    }

    fn samples(&self) -> Vec<Sample> {
        metrics::samples(&self.counters, self.rooms.len() as u64)
    }

    fn is_alive(&self) -> bool {
        let now = u64::try_from(self.clock.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.counters
            .iter()
            .all(|shard| now.saturating_sub(shard.alive_ns.load(Ordering::Relaxed)) < ALIVE_NS)
    }
}

/// Reads addresses of a room or a participant.
fn identities(uris: &[String], max: usize) -> Result<Vec<Identity>, ControlError> {
    if uris.is_empty() || uris.len() > max {
        let detail = format!("1 to {max} addresses are needed, not {}", uris.len());
        return Err(ControlError::new(ErrorCode::MalformedAddress, detail));
    }
    let parse = |uri: &String| {
        Identity::parse(uri).map_err(|error| {
            ControlError::new(ErrorCode::MalformedAddress, format!("{uri}: {error}"))
        })
    };
    uris.iter().map(parse).collect()
}

/// The addresses of a participant, whose entity has to fit into a final report.
fn participant_identities(config: &ParticipantConfig) -> Result<Vec<Identity>, ControlError> {
    if config.entity.len() > REPORT_URI_OCTETS_MAX {
        let detail = format!("an entity has at most {REPORT_URI_OCTETS_MAX} octets");
        return Err(ControlError::new(ErrorCode::MalformedAddress, detail));
    }
    identities(&config.identities, IDENTITIES_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rooms_of_a_failed_shard_are_reported_and_forgotten_and_no_others() {
        let rooms = Rooms::new();
        let room = |name| RoomId::new(name).unwrap();
        let residence = |shard| Residence::new(shard, ChatFunctions::default());
        rooms.insert(room("lost"), residence(1));
        rooms.insert(room("kept"), residence(0));
        let hub = Hub::default();
        let mut events = hub.subscribe();
        report_lost(1, &rooms, &hub);
        let expected = Event::RoomLost {
            room: room("lost"),
            reason: EndReason::ShardFailed,
        };
        assert_eq!(events.try_recv(), Ok(expected));
        assert!(events.try_recv().is_err());
        assert_eq!(rooms.len(), 1);
        assert!(rooms.contains_key(&room("kept")));
    }
}
