//! What controllers ask of this shard, and how sessions and rooms begin and end.

use std::sync::Arc;

use msrp_control::{
    Charging, ControlError, EndReason, ErrorCode, Event, ParticipantId, Reply, RoomId,
};
use msrp_session::Timestamp;
use msrp_switch::{LegKey, Participant, Rate, RoomSpec};
use ring_io::{Io, Read};

use super::accounting::Account;
use super::session::Session;
use super::{RunningRoom, Shard};
use crate::defect::Defect;
use crate::mailbox::{NewSession, ShardMessage};
use crate::metrics::Cell;

pub(super) type Answer = Result<Reply, ControlError>;

impl<I: Io> Shard<I> {
    pub(super) fn handle_message(&mut self, now: Timestamp, message: ShardMessage) {
        match message {
            ShardMessage::CreateRoom { room, spec, reply } => {
                let _ = reply.send(self.create_room(now, room, spec));
            }
            ShardMessage::UpdateRoom { room, spec, reply } => {
                let _ = reply.send(self.update_room(&room, spec));
            }
            ShardMessage::CloseRoom { room, reply } => {
                let _ = reply.send(self.close_room(now, &room));
            }
            ShardMessage::AddSession(new) => self.add_session(now, *new),
            ShardMessage::SetPeer {
                room,
                participant,
                peer,
                reply,
            } => {
                let _ = reply.send(self.set_peer(now, &room, &participant, *peer));
            }
            ShardMessage::Reoffer(reoffer) => self.handle_reoffer(now, *reoffer),
            ShardMessage::RemoveParticipant {
                room,
                participant,
                reply,
            } => {
                let _ = reply.send(self.remove_participant(now, &room, &participant));
            }
            ShardMessage::UpdateParticipant {
                room,
                participant,
                update,
                charging,
                reply,
            } => {
                let update = (*update, charging);
                let _ = reply.send(self.update_participant(&room, &participant, update));
            }
            ShardMessage::SetMuted {
                room,
                participant,
                is_muted,
                reply,
            } => {
                let _ = reply.send(self.set_muted(&room, &participant, is_muted));
            }
            ShardMessage::SetRate {
                room,
                participant,
                rate,
                reply,
            } => {
                let _ = reply.send(self.set_rate(&room, &participant, rate));
            }
            ShardMessage::SetDelivery {
                room,
                delivery,
                reply,
            } => {
                let _ = reply.send(self.set_delivery(&room, delivery));
            }
            ShardMessage::ExcuseParticipant {
                room,
                participant,
                status,
                reply,
            } => {
                let _ = reply.send(self.excuse_participant(now, &room, &participant, status));
            }
            ShardMessage::AwaitServed {
                room,
                participant,
                reply,
            } => self.await_served(&room, &participant, reply),
            ShardMessage::RecordUsage { room, reply } => {
                let _ = reply.send(self.record_room(now, &room));
            }
            ShardMessage::Describe { room, what, reply } => {
                let _ = reply.send(self.describe(&room, &what));
            }
            ShardMessage::SendMessage {
                room,
                message,
                reply,
            } => {
                let _ = reply.send(self.send_message(now, &room, *message));
            }
            ShardMessage::Bridge(message) => self.handle_bridge(now, *message),
            ShardMessage::StartTrace {
                scope,
                tracer,
                reply,
            } => {
                let _ = reply.send(self.start_trace(scope, tracer));
            }
            ShardMessage::Connection {
                stream,
                layer,
                octets,
                counted,
            } => {
                self.adopt(now, (stream, layer), octets, counted);
            }
            ShardMessage::Resolved(resolved) => self.resolved(now, resolved),
            ShardMessage::Crossing(crossing) => self.handle_crossing(now, *crossing),
            ShardMessage::Stop => self.stop(now),
            #[cfg(feature = "test-faults")]
            ShardMessage::Panic => panic!("a fault that a test asked for"),
        }
    }

    fn create_room(&mut self, now: Timestamp, room: RoomId, spec: RoomSpec) -> Answer {
        // A shard that fails takes rooms out of the registry before their command has come to it.
        let index = self.environment.index;
        let owner = self.environment.rooms.get(&room).map(|owner| owner.shard);
        if owner != Some(index) || self.rooms.contains_key(&room) {
            let detail = "the shard failed while the room was made; try again";
            return Err(ControlError::new(ErrorCode::Unavailable, detail));
        }
        let Some(key) = self.switch.create_room(spec) else {
            self.environment.rooms.remove(&room);
            return Err(ControlError::new(
                ErrorCode::Limit,
                "no more rooms fit into memory",
            ));
        };
        tracing::info!(%room, shard = self.environment.index, "room started");
        let running = RunningRoom {
            key,
            participants: Default::default(),
            started: now,
        };
        self.rooms.insert(room.clone(), running);
        self.environment.hub.publish(&Event::RoomStarted { room });
        Ok(Reply::Done)
    }

    fn update_room(&mut self, room: &RoomId, spec: RoomSpec) -> Answer {
        let key = self.rooms.get(room).ok_or_else(no_such_room)?.key;
        self.switch.update_room(key, spec);
        let room = room.clone();
        self.environment.hub.publish(&Event::RoomUpdated { room });
        Ok(Reply::Done)
    }

    fn close_room(&mut self, now: Timestamp, room: &RoomId) -> Answer {
        let Some(running) = self.rooms.get(room) else {
            return Err(no_such_room());
        };
        let (key, started) = (running.key, running.started);
        self.switch.end_messages(key);
        self.carry_out(now);
        let Some(running) = self.rooms.get(room) else {
            return Err(no_such_room());
        };
        for leg in running.participants.values().copied().collect::<Vec<_>>() {
            self.end_session(now, leg, EndReason::RoomClosed);
        }
        self.switch.close_room(key);
        if !self.environment.planted.strikes(Defect::RoomKept) {
            self.rooms.remove(room);
        }
        self.end_traces_of(room, None);
        self.environment.rooms.remove(room);
        tracing::info!(%room, seconds = seconds(now, started), "room ended");
        let room = room.clone();
        self.environment.hub.publish(&Event::RoomClosed { room });
        Ok(Reply::Done)
    }

    fn add_session(&mut self, now: Timestamp, new: NewSession) {
        let NewSession {
            room,
            participant,
            spec,
            peer,
            local,
            sdp,
            charging,
            reply,
        } = new;
        let max = self.environment.limits.participants_per_room_max;
        // All sessions of a room share its id.
        let room = self
            .rooms
            .get_key_value(&room)
            .map_or(room, |(id, _)| id.clone());
        let Some(running) = self.rooms.get_mut(&room) else {
            let _ = reply.send(Err(no_such_room()));
            return;
        };
        if running.participants.contains_key(&participant) {
            let detail = "the room has a participant of this id already";
            let _ = reply.send(Err(ControlError::new(ErrorCode::ParticipantExists, detail)));
            return;
        }
        let full = || {
            let detail = format!("the room has {max} participants, the most it may have");
            ControlError::new(ErrorCode::Limit, detail)
        };
        if running.participants.len() >= max {
            self.environment.counters.count(Cell::LimitRoom);
            let _ = reply.send(Err(full()));
            return;
        }
        let entity = spec.participant.entity.clone();
        let Some(leg) = self.switch.add_leg(running.key, spec) else {
            let _ = reply.send(Err(full()));
            return;
        };
        running.participants.insert(participant.clone(), leg);
        self.count_sessions(&room);
        tracing::info!(%room, %participant, "session started");
        self.environment.hub.publish(&Event::ParticipantJoined {
            room: room.clone(),
            participant: participant.clone(),
            entity,
        });
        let number = self.environment.usage.number_session();
        let mut session = Session::new(room, participant, local, now);
        session.account = Account::new(number, charging);
        self.sessions.insert(leg, session, &sdp);
        self.record_start(now, leg);
        if let Some(peer) = peer
            && let Err(error) = self.connect_peer(now, leg, peer, None)
        {
            self.end_session(now, leg, EndReason::ConnectFailed);
            let _ = reply.send(Err(error));
            return;
        }
        let _ = reply.send(Ok(Reply::Sdp(sdp)));
    }

    pub(super) fn remove_participant(
        &mut self,
        now: Timestamp,
        room: &RoomId,
        participant: &ParticipantId,
    ) -> Answer {
        let leg = self.find(room, participant)?;
        self.switch.end_copies(leg);
        self.carry_out(now);
        self.end_session(now, leg, EndReason::Removed);
        self.environment.hub.publish(&Event::ParticipantRemoved {
            room: room.clone(),
            participant: participant.clone(),
        });
        Ok(Reply::Done)
    }

    fn update_participant(
        &mut self,
        room: &RoomId,
        participant: &ParticipantId,
        (update, charging): (Participant, Option<Arc<Charging>>),
    ) -> Answer {
        let leg = self.find(room, participant)?;
        if let Some(session) = self.sessions.get_mut(leg) {
            session.account.set_charging(charging);
        }
        self.switch.update_participant(leg, update);
        self.tell_updated(room, participant);
        Ok(Reply::Done)
    }

    fn set_muted(&mut self, room: &RoomId, participant: &ParticipantId, is_muted: bool) -> Answer {
        let leg = self.find(room, participant)?;
        self.switch.set_muted(leg, is_muted);
        self.tell_updated(room, participant);
        Ok(Reply::Done)
    }

    fn set_rate(
        &mut self,
        room: &RoomId,
        participant: &ParticipantId,
        rate: Option<Rate>,
    ) -> Answer {
        let leg = self.find(room, participant)?;
        self.switch.set_rate(leg, rate);
        self.tell_updated(room, participant);
        Ok(Reply::Done)
    }

    pub(super) fn tell_updated(&self, room: &RoomId, participant: &ParticipantId) {
        self.environment.hub.publish(&Event::ParticipantUpdated {
            room: room.clone(),
            participant: participant.clone(),
        });
    }

    pub(super) fn find(
        &self,
        room: &RoomId,
        participant: &ParticipantId,
    ) -> Result<LegKey, ControlError> {
        let running = self.rooms.get(room).ok_or_else(no_such_room)?;
        running
            .participants
            .get(participant)
            .copied()
            .ok_or_else(|| {
                let detail = "the room has no participant of this id";
                ControlError::new(ErrorCode::NoSuchParticipant, detail)
            })
    }

    /// Ends a session: its leg leaves, its connection closes when it carries no other session,
    /// and the controllers are told unless they asked for it.
    pub(super) fn end_session(&mut self, now: Timestamp, leg: LegKey, reason: EndReason) {
        if self.sessions.get(leg).is_some_and(|s| s.is_bridged) {
            return self.end_bridge_with(now, leg, reason);
        }
        let Some(session) = self.take_session(now, leg, reason) else {
            return;
        };
        let (room, participant) = (&session.room, &session.participant);
        if let Some(running) = self.rooms.get_mut(room) {
            running.participants.remove(participant);
            self.count_sessions(room);
        }
        self.end_traces_of(room, Some(participant));
        if !matches!(
            reason,
            EndReason::Removed | EndReason::RoomClosed | EndReason::Shutdown
        ) {
            self.environment.hub.publish(&Event::ParticipantLost {
                room: session.room.clone(),
                participant: session.participant.clone(),
                reason,
            });
        }
    }

    /// Takes a session out: its leg leaves, and its connection is left.
    pub(super) fn take_session(
        &mut self,
        now: Timestamp,
        leg: LegKey,
        reason: EndReason,
    ) -> Option<Box<Session>> {
        let session = self.sessions.remove(leg)?;
        if let Some(timer) = session.binding {
            self.timers.cancel(timer);
        }
        if !session.is_bridged {
            self.record_stop(now, leg, &session, reason);
        }
        let sums = if self.environment.planted.strikes(Defect::LegKept) {
            Default::default()
        } else {
            self.switch.leave(leg)
        };
        self.carry_out(now);
        self.tell_messages(Some((leg, &session)));
        if !session.is_bridged {
            self.tell_session_end(now, &session, sums, reason);
        }
        self.environment.counters.count_end(reason);
        let (room, participant) = (&session.room, &session.participant);
        tracing::info!(%room, %participant, %reason, seconds = seconds(now, session.started), "session ended");
        if let Some(conn) = session.connection()
            && !self.environment.planted.strikes(Defect::ConnectionKept)
        {
            self.leave_connection(conn, leg);
        }
        // Whoever came early hears that there is no such session.
        self.read_early_bird(now, session.early_bird, leg);
        Some(session)
    }

    /// Tells the controllers' threads how large a room is: where they place sessions depends on it.
    fn count_sessions(&self, room: &RoomId) {
        if let Some(running) = self.rooms.get(room)
            && let Some(mut residence) = self.environment.rooms.get_mut(room)
        {
            residence.sessions_count = running.participants.len();
        }
    }

    /// Ends everything; the loop ends after this turn.
    fn stop(&mut self, now: Timestamp) {
        self.is_stopping = true;
        let mut rooms: Vec<_> = self.rooms.keys().cloned().collect();
        rooms.sort_unstable();
        for room in rooms {
            let _ = self.close_room(now, &room);
        }
        self.end_bridges(now);
        self.flush(now);
        for conn in self.connections.keys() {
            self.say_goodbye(conn);
            self.io.shutdown(conn);
            self.io.read(conn, Read::Paused);
        }
    }
}

pub(super) fn no_such_room() -> ControlError {
    ControlError::new(ErrorCode::NoSuchRoom, "no room of this id runs")
}

fn seconds(now: Timestamp, since: Timestamp) -> f64 {
    std::time::Duration::from_nanos(now.since(since)).as_secs_f64()
}
