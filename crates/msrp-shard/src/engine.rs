//! The engine as its controllers see it: all shards together.
//!
//! A command is checked here, on the caller's thread, and then posted to the one shard that owns
//! the room. Rooms are spread over the shards in turn. Shards share the registry of rooms, which only
//! controllers touch, and the count of connections, which is touched when one comes or goes.

mod admission;
mod bridges;
mod chat_functions;
mod delivering;
mod description;
mod doors;
mod hub;
mod load;
mod registry;
mod relay_door;
mod resolver;
mod starting;
mod supervisor;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use dashmap::mapref::entry::Entry;
use msrp_control::metrics::{Histogram, Sample};
use msrp_control::{
    Addressing, CHARGING_OCTETS_MAX, Command, ControlError, Drain, Engine, ErrorCode, Event,
    EventStream, IDENTITIES_MAX, Load, LocalMedia, Media, NodeStatus, PAGE_MAX, ParticipantConfig,
    ParticipantId, ROOM_URIS_MAX, Reply, ReplySender, RoomConfig, RoomId, RoomSummary,
    Subscription, TraceScope, Tracer,
};
use msrp_switch::RoomSpec;
use msrp_switch::limits::REPORT_URI_OCTETS_MAX;
use msrp_wire::Identity;

use crate::config::EngineLimits;
use crate::limits::ALIVE_NS;
use crate::mailbox::{Described, Reoffer, ShardHandle, ShardMessage};
use crate::metrics::{self, Counters, NodeLimit, NodeLimits};
use crate::rate;
use crate::source::Source;
use crate::usage::{UsageRecords, UsageTap};

use admission::Admission;
pub(crate) use bridges::{Bridges, no_such_bridge};
use chat_functions::ChatFunctions;
use description::Advertised;
pub(crate) use description::Homes;
pub(crate) use description::may_connect;
pub use doors::CertificateFault;
use doors::Kept;
pub(crate) use hub::Hub;
use load::Memory;
pub(crate) use registry::{Residence, Rooms};
pub(crate) use relay_door::RelayDoor;
pub(crate) use resolver::{Asker, Query, Resolver};
pub use starting::{StartError, Started, start, start_with_relay};
#[cfg(feature = "simulation")]
pub(crate) use starting::{assemble, open_doors};
#[cfg(feature = "simulation")]
pub(crate) use supervisor::settle_failure;

/// All shards of the node.
pub struct ShardEngine {
    shards: Vec<ShardHandle>,
    counters: Vec<Arc<Counters>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    hub: Arc<Hub>,
    usage: Arc<UsageTap>,
    rooms: Arc<Rooms>,
    bridges: Arc<Bridges>,
    next_shard: AtomicUsize,
    next_carrier: AtomicUsize,
    is_stopping: Arc<AtomicBool>,
    drain: AtomicU8,
    admission: Admission,
    advertised: Advertised,
    /// For each listener in order, when it has one.
    certificates: Vec<Option<Kept>>,
    limits: EngineLimits,
    limits_reached: NodeLimits,
    memory: Memory,
    source: Source,
}

impl std::fmt::Debug for ShardEngine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ShardEngine")
            .field("shards", &self.shards.len())
            .finish_non_exhaustive()
    }
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
        kept.iter()
            .zip(read)
            .try_for_each(|(kept, read)| kept.take(read))
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

    /// Puts a shard beside the others.
    #[cfg(feature = "simulation")]
    pub(crate) fn add_shard(&mut self, handle: ShardHandle, counters: Arc<Counters>) {
        self.shards.push(handle);
        self.counters.push(counters);
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

    fn update_room(
        &self,
        room: RoomId,
        config: &RoomConfig,
        reply: ReplySender,
    ) -> Result<(), (ReplySender, ControlError)> {
        let spec = match self.rules_of(config) {
            Ok(spec) => spec,
            Err(error) => return Err((reply, error)),
        };
        let key = room.clone();
        self.post_to(&key, reply, |reply| ShardMessage::UpdateRoom {
            room,
            spec,
            reply,
        })?;
        // What descriptions to come declare.
        if let Some(mut residence) = self.rooms.get_mut(&key) {
            residence.chat = ChatFunctions::of(config);
        }
        Ok(())
    }

    fn room_spec(&self, config: &RoomConfig) -> Result<RoomSpec, ControlError> {
        if self.is_stopping.load(Ordering::Relaxed) {
            return Err(ControlError::new(
                ErrorCode::Draining,
                "the node is going down",
            ));
        }
        if self.drain() != Drain::Off {
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
            return Err(self.admission.refuse(&self.hub, "rooms", detail));
        }
        self.admission.check_process(&self.hub)?;
        self.rules_of(config)
    }

    /// The rules of a room as the switch knows them.
    fn rules_of(&self, config: &RoomConfig) -> Result<RoomSpec, ControlError> {
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

    /// As [`ShardEngine::place`], for a participant that comes.
    fn place_new(&self, room: &RoomId) -> Result<Homes, ControlError> {
        if self.drain() == Drain::Sessions {
            let detail = "the node drains and takes no new participants; use another node";
            return Err(ControlError::new(ErrorCode::Draining, detail));
        }
        let sessions: u64 = self.counters.iter().map(|c| c.participants()).sum();
        if sessions >= self.limits.sessions_max {
            let detail = format!("the node has {sessions} sessions, the most it may have");
            return Err(self.admission.refuse(&self.hub, "sessions", detail));
        }
        self.admission.check_process(&self.hub)?;
        self.place(room)
    }

    fn drain(&self) -> Drain {
        match self.drain.load(Ordering::Relaxed) {
            off if off == Drain::Off as u8 => Drain::Off,
            rooms if rooms == Drain::Rooms as u8 => Drain::Rooms,
            _ => Drain::Sessions,
        }
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
            | ShardMessage::UpdateRoom { reply, .. }
            | ShardMessage::CloseRoom { reply, .. }
            | ShardMessage::SetPeer { reply, .. }
            | ShardMessage::UpdateParticipant { reply, .. }
            | ShardMessage::SendMessage { reply, .. }
            | ShardMessage::SetMuted { reply, .. }
            | ShardMessage::SetRate { reply, .. }
            | ShardMessage::SetDelivery { reply, .. }
            | ShardMessage::ExcuseParticipant { reply, .. }
            | ShardMessage::AwaitServed { reply, .. }
            | ShardMessage::StartTrace { reply, .. }
            | ShardMessage::Describe { reply, .. }
            | ShardMessage::RecordUsage { reply, .. }
            | ShardMessage::RemoveParticipant { reply, .. } => Err((reply, error)),
            ShardMessage::AddSession(session) => Err((session.reply, error)),
            ShardMessage::Reoffer(reoffer) => Err((reoffer.reply, error)),
            ShardMessage::Bridge(bridge) => Err((bridge.reply, error)),
            ShardMessage::Connection { .. }
            | ShardMessage::Crossing(_)
            | ShardMessage::Resolved(_)
            | ShardMessage::Stop => Ok(()),
            #[cfg(feature = "test-faults")]
            ShardMessage::Panic => Ok(()),
        }
    }

    /// Starts a trace where its sessions are. One of the node starts on every shard, and the first one
    /// answers.
    fn start_trace(
        &self,
        scope: TraceScope,
        tracer: &Tracer,
        reply: ReplySender,
    ) -> Result<(), (ReplySender, ControlError)> {
        let message = |scope, reply| ShardMessage::StartTrace {
            scope,
            tracer: tracer.clone(),
            reply,
        };
        let (TraceScope::Room(room) | TraceScope::Participant(room, _)) = &scope else {
            for shard in 1..self.shards.len() {
                let (unheard, _) = futures_channel::oneshot::channel();
                if let Err((_, error)) = self.post(shard, message(TraceScope::Node, unheard)) {
                    return Err((reply, error));
                }
            }
            return self.post(0, message(TraceScope::Node, reply));
        };
        let room = room.clone();
        self.post_to(&room, reply, |reply| message(scope, reply))
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
        self.source.now().as_ns()
    }

    fn status(&self) -> NodeStatus {
        NodeStatus {
            rooms_count: self.rooms.len() as u64,
            participants_count: self.counters.iter().map(|c| c.participants()).sum(),
            shards_count: self.shards.len() as u64,
            message_octets_max: self.limits.message_octets_max,
            drain: self.drain(),
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
            Command::UpdateRoom { room, config } => self.update_room(room, &config, reply),
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
                    .place_new(&room)
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
            Command::Bridge(command) => self.bridge(command, reply),
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
            Command::SetRate {
                room,
                participant,
                rate,
            } => {
                let key = room.clone();
                self.post_to(&key, reply, |reply| ShardMessage::SetRate {
                    room,
                    participant,
                    rate: rate.map(rate::of_switch),
                    reply,
                })
            }
            Command::SetDelivery { room, delivery } => {
                let key = room.clone();
                let delivery = delivering::delivery_of(delivery);
                self.post_to(&key, reply, |reply| ShardMessage::SetDelivery {
                    room,
                    delivery,
                    reply,
                })
            }
            Command::ExcuseParticipant {
                room,
                participant,
                status,
            } => {
                let status = match delivering::status_of(status) {
                    Ok(status) => status,
                    Err(error) => return Err((reply, error)),
                };
                let key = room.clone();
                self.post_to(&key, reply, |reply| ShardMessage::ExcuseParticipant {
                    room,
                    participant,
                    status,
                    reply,
                })
            }
            Command::AwaitServed { room, participant } => {
                let key = room.clone();
                self.post_to(&key, reply, |reply| ShardMessage::AwaitServed {
                    room,
                    participant,
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
            Command::StartTrace { scope, tracer } => self.start_trace(scope, &tracer, reply),
            Command::SetOverload { limit } => {
                self.admission.set_overload(limit);
                let _ = reply.send(Ok(Reply::Done));
                Ok(())
            }
            Command::SetDraining { drain, deadline_s } => {
                self.drain.store(drain as u8, Ordering::Relaxed);
                self.hub.publish(&Event::DrainChanged { drain, deadline_s });
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

    fn subscribe_with_interest(&self) -> Subscription {
        self.hub.subscribe_with_interest()
    }

    fn samples(&self) -> Vec<Sample> {
        let rooms_count = self.rooms.len() as u64;
        metrics::samples(&self.counters, rooms_count, &self.limits_reached)
    }

    fn histograms(&self) -> Vec<Histogram> {
        metrics::histograms(&self.counters)
    }

    fn is_alive(&self) -> bool {
        let now = self.source.now().as_ns();
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
