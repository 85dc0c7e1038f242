//! The engine as its controllers see it: all shards together.
//!
//! A command is checked here, on the caller's thread, and then posted to the one shard that owns
//! the room. Rooms are spread over the shards in turn. The registry of rooms is the only state
//! that shards share, and only controllers touch it.

mod chat_functions;
mod description;
mod doors;
mod hub;
mod load;
mod registry;
mod supervisor;

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use dashmap::mapref::entry::Entry;
use msrp_control::metrics::{Histogram, Sample};
use msrp_control::{
    Addressing, CHARGING_OCTETS_MAX, Command, ControlError, Engine, ErrorCode, EventStream,
    IDENTITIES_MAX, Load, LocalMedia, Media, NodeStatus, PAGE_MAX, ParticipantConfig,
    ParticipantId, ROOM_URIS_MAX, Reply, ReplySender, RoomConfig, RoomId, RoomSummary,
};
use msrp_switch::RoomSpec;
use msrp_switch::limits::REPORT_URI_OCTETS_MAX;
use msrp_transport::Door;
use msrp_wire::Identity;

use crate::config::{EngineConfig, EngineLimits, ListenerConfig};
use crate::crossing::Epochs;
use crate::limits::{ALIVE_NS, SHARDS_MAX};
use crate::mailbox::{Described, Reoffer, ShardHandle, ShardMessage};
use crate::metrics::{self, Counters, NodeLimit, NodeLimits};
use crate::shard::Environment;
use crate::usage::{UsageRecords, UsageTap};

use chat_functions::ChatFunctions;
use description::Advertised;
pub(crate) use description::Homes;
pub use doors::CertificateFault;
use doors::Kept;
pub(crate) use hub::Hub;
use load::Memory;
pub(crate) use registry::{Residence, Rooms};

/// Why the engine did not start.
#[derive(Debug)]
pub enum StartError {
    /// There is no listener to serve.
    NoListener,
    /// A listener's address could not be bound.
    Bind(SocketAddr, std::io::Error),
    /// A listener's certificate cannot be used.
    Certificate(CertificateFault),
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
            Self::Certificate(fault) => write!(f, "a certificate cannot be used: {fault}"),
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
    usage: Arc<UsageTap>,
    rooms: Arc<Rooms>,
    next_shard: AtomicUsize,
    next_carrier: AtomicUsize,
    is_stopping: Arc<AtomicBool>,
    is_draining: AtomicBool,
    advertised: Advertised,
    /// For each listener in order, when it has one.
    certificates: Vec<Option<Kept>>,
    limits: EngineLimits,
    limits_reached: NodeLimits,
    memory: Memory,
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
    let (doors, certificates) = open_doors(config).map_err(StartError::Certificate)?;
    let (listeners, mut sockets) = bind(config, shards_count)?;
    if listeners.is_empty() {
        return Err(StartError::NoListener);
    }
    let hub = Arc::new(Hub::default());
    let rooms = Arc::new(Rooms::new());
    let clock = Instant::now();
    let peers = Arc::new(OnceLock::new());
    let epochs = Arc::new(Epochs::new(shards_count));
    let mut engine = ShardEngine {
        shards: Vec::new(),
        counters: Vec::new(),
        threads: Mutex::default(),
        hub,
        usage: Arc::default(),
        rooms,
        next_shard: AtomicUsize::new(0),
        next_carrier: AtomicUsize::new(0),
        is_stopping: Arc::default(),
        is_draining: AtomicBool::new(false),
        advertised: Advertised::new(&config.listeners, &listeners, &certificates),
        certificates,
        limits: config.limits.clone(),
        limits_reached: NodeLimits::default(),
        memory: Memory::default(),
        clock,
    };
    let mut choice = None;
    for index in 0..shards_count {
        let environment = Environment {
            index,
            peers: Arc::clone(&peers),
            epochs: Arc::clone(&epochs),
            hub: Arc::clone(&engine.hub),
            rooms: Arc::clone(&engine.rooms),
            counters: Arc::default(),
            usage: Arc::clone(&engine.usage),
            is_stopping: Arc::clone(&engine.is_stopping),
            limits: config.limits.clone(),
            ask_recipients: config.ask_recipients,
            rules: config.rules,
            doors: Arc::clone(&doors),
            clock,
        };
        let sockets = sockets.pop().unwrap_or_default();
        engine.counters.push(Arc::clone(&environment.counters));
        match supervisor::spawn((config.want, config.pin_shards), environment, sockets) {
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

/// The door of each listener, and its certificate.
type Doors = (Arc<[Door]>, Vec<Option<Kept>>);

fn open_doors(config: &EngineConfig) -> Result<Doors, CertificateFault> {
    let kept = |listener: &ListenerConfig| Kept::read(&listener.transport);
    let certificates: Vec<_> = config
        .listeners
        .iter()
        .map(kept)
        .collect::<Result<_, _>>()?;
    let doors = config.listeners.iter().zip(&certificates);
    let doors = doors.map(|(listener, kept)| doors::open(listener, kept.as_ref()));
    Ok((doors.collect::<Result<_, _>>()?, certificates))
}

impl ShardEngine {
    /// Reads the files of all certificates anew, for handshakes to come. Connections that stand keep
    /// theirs. Either all are taken or none.
    ///
    /// # Errors
    /// [`CertificateFault`] of the first file that is wrong; what was read before stays in force.
    pub fn reload_certificates(&self) -> Result<(), CertificateFault> {
        let kept: Vec<&Kept> = self.certificates.iter().flatten().collect();
        let read: Vec<_> = kept
            .iter()
            .map(|kept| kept.read_again())
            .collect::<Result<_, _>>()?;
        for (kept, certificate) in kept.iter().zip(read) {
            kept.store.replace(certificate);
        }
        Ok(())
    }

    /// Ends all sessions, closes the MSRP connections and joins the shards' threads. Blocks until
    /// they are gone.
    pub fn shutdown(&self) {
        self.is_stopping.store(true, Ordering::Release);
        for shard in &self.shards {
            // A full mailbox empties by itself; the shard has to hear this.
            if shard.sender.send(ShardMessage::Stop).is_ok() {
                shard.bell.ring();
            }
        }
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        for thread in threads.drain(..) {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }

    /// Gives the usage records of all sessions that begin from now on, to one receiver. `None` when
    /// they have been given away already. Records beyond so many that wait are lost, and counted.
    pub fn usage_records(&self, records_max: usize) -> Option<UsageRecords> {
        self.usage.open(records_max)
    }

    /// Makes a shard panic, to test what follows from it.
    #[cfg(feature = "test-faults")]
    pub fn fail_shard(&self, shard: usize) {
        let _ = self.post(shard, ShardMessage::Panic);
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
        if self.is_draining.load(Ordering::Relaxed) {
            return Err(ControlError::new(
                ErrorCode::Draining,
                "the node drains and takes no new rooms; use another node",
            ));
        }
        if self.rooms.len() >= self.limits.rooms_max {
            self.limits_reached.count(NodeLimit::Rooms);
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
            addressing: match config.addressing {
                Addressing::Oma => msrp_switch::Addressing::Oma,
                Addressing::Rfc7701 => msrp_switch::Addressing::Rfc7701,
            },
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

    /// Which shards a new session of a room belongs to. The connections of a large room go to all
    /// shards in turn.
    fn place(&self, room: &RoomId) -> Result<Homes, ControlError> {
        let residence = self.residence_of(room)?;
        let home = residence.shard;
        let is_large = residence.sessions_count >= self.limits.spread_participants_min;
        let carrier = if is_large {
            self.next_carrier.fetch_add(1, Ordering::Relaxed) % self.shards.len().max(1)
        } else {
            home
        };
        Ok(Homes { carrier, home })
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
        self.limits_reached.count(NodeLimit::Mailbox);
        let error = ControlError::new(ErrorCode::Unavailable, "the shard of this room is too busy");
        match refused {
            ShardMessage::CreateRoom { reply, .. }
            | ShardMessage::CloseRoom { reply, .. }
            | ShardMessage::SetPeer { reply, .. }
            | ShardMessage::UpdateParticipant { reply, .. }
            | ShardMessage::SendMessage { reply, .. }
            | ShardMessage::SetMuted { reply, .. }
            | ShardMessage::Describe { reply, .. }
            | ShardMessage::RecordUsage { reply, .. }
            | ShardMessage::RemoveParticipant { reply, .. } => Err((reply, error)),
            ShardMessage::AddSession(session) => Err((session.reply, error)),
            ShardMessage::Reoffer(reoffer) => Err((reoffer.reply, error)),
            ShardMessage::Connection { .. } | ShardMessage::Crossing(_) | ShardMessage::Stop => {
                Ok(())
            }
            #[cfg(feature = "test-faults")]
            ShardMessage::Panic => Ok(()),
        }
    }

    fn reoffer(
        &self,
        room: RoomId,
        participant: ParticipantId,
        media: &Media,
        local: &LocalMedia,
        reply: ReplySender,
    ) -> Result<(), (ReplySender, ControlError)> {
        let max = self.limits.message_octets_max;
        let read = self.place(&room).and_then(|homes| {
            let placed = (homes, self.residence_of(&room)?.chat);
            let (local, offer) = self.advertised.reoffer(placed, media, local, max)?;
            Ok((homes.home, local, offer))
        });
        match read {
            Ok((shard, local, offer)) => {
                let reoffer = Reoffer {
                    room,
                    participant,
                    local,
                    offer,
                    reply,
                };
                self.post(shard, ShardMessage::Reoffer(Box::new(reoffer)))
            }
            Err(error) => Err((reply, error)),
        }
    }

    /// Nanoseconds of the engine's clock.
    fn now_ns(&self) -> u64 {
        u64::try_from(self.clock.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn status(&self) -> NodeStatus {
        NodeStatus {
            rooms_count: self.rooms.len() as u64,
            participants_count: self.counters.iter().map(|c| c.participants()).sum(),
            shards_count: self.shards.len() as u64,
            message_octets_max: self.limits.message_octets_max,
            is_draining: self.is_draining.load(Ordering::Relaxed),
        }
    }

    /// The first rooms behind one, by id.
    fn list_rooms(&self, after: Option<&RoomId>, limit: usize) -> Vec<RoomSummary> {
        let limit = limit.min(PAGE_MAX);
        let mut first = BTreeMap::new();
        for entry in self.rooms.iter() {
            if after.is_none_or(|after| entry.key() > after) {
                first.insert(entry.key().clone(), entry.value().sessions_count);
                if first.len() > limit {
                    first.pop_last();
                }
            }
        }
        let summary = |(room, count)| RoomSummary {
            room,
            participants_count: count as u64,
        };
        first.into_iter().map(summary).collect()
    }

    fn describe(
        &self,
        room: RoomId,
        what: Described,
        reply: ReplySender,
    ) -> Result<(), (ReplySender, ControlError)> {
        let key = room.clone();
        self.post_to(&key, reply, |reply| ShardMessage::Describe {
            room,
            what,
            reply,
        })
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
                let placed = self
                    .place(&room)
                    .and_then(|homes| Ok((homes, self.residence_of(&room)?.chat)));
                let (homes, chat) = match placed {
                    Ok(placed) => placed,
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
                    .new_session(homes, new, self.limits.message_octets_max, reply)
                {
                    Ok(session) => self.post(homes.home, ShardMessage::AddSession(session)),
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
            Command::Reoffer {
                room,
                participant,
                media,
                local,
            } => self.reoffer(room, participant, &media, &local, reply),
            Command::RemoveParticipant { room, participant } => {
                let key = room.clone();
                self.post_to(&key, reply, |reply| ShardMessage::RemoveParticipant {
                    room,
                    participant,
                    reply,
                })
            }
            Command::UpdateParticipant {
                room,
                participant,
                config,
            } => {
                let update = match participant_of(&config) {
                    Ok(update) => Box::new(update),
                    Err(error) => return Err((reply, error)),
                };
                let charging = config.charging;
                let key = room.clone();
                self.post_to(&key, reply, |reply| ShardMessage::UpdateParticipant {
                    room,
                    participant,
                    update,
                    charging,
                    reply,
                })
            }
            Command::SendMessage { room, message } => {
                let key = room.clone();
                self.post_to(&key, reply, |reply| ShardMessage::SendMessage {
                    room,
                    message: Box::new(message),
                    reply,
                })
            }
            Command::RecordUsage { room } => {
                let key = room.clone();
                self.post_to(&key, reply, |reply| ShardMessage::RecordUsage {
                    room,
                    reply,
                })
            }
            Command::Status => {
                let _ = reply.send(Ok(Reply::Status(self.status())));
                Ok(())
            }
            Command::SetMuted {
                room,
                participant,
                is_muted,
            } => {
                let key = room.clone();
                self.post_to(&key, reply, |reply| ShardMessage::SetMuted {
                    room,
                    participant,
                    is_muted,
                    reply,
                })
            }
            Command::ListRooms { after, limit } => {
                let rooms = self.list_rooms(after.as_ref(), limit);
                let _ = reply.send(Ok(Reply::Rooms(rooms)));
                Ok(())
            }
            Command::DescribeRoom { room } => self.describe(room, Described::Room, reply),
            Command::ListParticipants { room, after, limit } => {
                self.describe(room, Described::Participants(after, limit), reply)
            }
            Command::DescribeParticipant { room, participant } => {
                self.describe(room, Described::Participant(participant), reply)
            }
            Command::SetDraining { is_draining } => {
                self.is_draining.store(is_draining, Ordering::Relaxed);
                let _ = reply.send(Ok(Reply::Done));
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
        let rooms_count = self.rooms.len() as u64;
        metrics::samples(&self.counters, rooms_count, &self.limits_reached)
    }

    fn histograms(&self) -> Vec<Histogram> {
        metrics::histograms(&self.counters)
    }

    fn is_alive(&self) -> bool {
        let now = self.now_ns();
        self.counters
            .iter()
            .all(|shard| now.saturating_sub(shard.alive_ns.load(Ordering::Relaxed)) < ALIVE_NS)
    }

    fn load(&self) -> Load {
        self.load_at(self.now_ns())
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

/// A participant as the switch knows it. Its entity has to fit into a final report.
fn participant_of(config: &ParticipantConfig) -> Result<msrp_switch::Participant, ControlError> {
    if config.entity.len() > REPORT_URI_OCTETS_MAX {
        let detail = format!("an entity has at most {REPORT_URI_OCTETS_MAX} octets");
        return Err(ControlError::new(ErrorCode::MalformedAddress, detail));
    }
    if config.charging.as_ref().is_some_and(|ids| !ids.is_legal()) {
        let detail = format!(
            "an id for charging has at most {CHARGING_OCTETS_MAX} visible ASCII characters"
        );
        return Err(ControlError::new(ErrorCode::MalformedContent, detail));
    }
    let identities = identities(&config.identities, IDENTITIES_MAX)?;
    let entity = Identity::parse(&config.entity).ok();
    if config.is_hidden && entity.as_ref() != identities.first() {
        let detail = "the entity of a hidden participant is its alias, the first of its identities";
        return Err(ControlError::new(ErrorCode::MalformedAddress, detail));
    }
    Ok(msrp_switch::Participant {
        identities,
        entity: config.entity.clone(),
        is_hidden: config.is_hidden,
        may_send_private: config.may_send_private,
        shows_release: config.shows_release,
    })
}
