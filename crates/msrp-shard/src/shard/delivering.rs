//! Rooms that deliver messages: sessions take part when they stand, senders wait for them, and a
//! controller learns when a participant has everything.

use msrp_control::{ControlError, ErrorCode, Event, ParticipantId, Reply, ReplySender, RoomId};
use msrp_session::Timestamp;
use msrp_switch::{Delivery, LegKey};
use msrp_wire::StatusCode;
use ring_io::{ConnKey, Io, Read};

use super::Shard;
use super::commands::{Answer, no_such_room};
use crate::metrics::Cell;

/// Who wants to know when a session has everything that it is to have.
#[derive(Default)]
pub(super) struct Awaited {
    waiting: Vec<(LegKey, ReplySender)>,
    /// Copies that were settled when it was looked last.
    settled: u64,
}

impl<I: Io> Shard<I> {
    pub(super) fn set_delivery(&mut self, room: &RoomId, delivery: Delivery) -> Answer {
        let running = self.rooms.get(room).ok_or_else(no_such_room)?;
        self.switch.set_delivery(running.key, Some(delivery));
        Ok(Reply::Done)
    }

    pub(super) fn excuse_participant(
        &mut self,
        now: Timestamp,
        room: &RoomId,
        participant: &ParticipantId,
        status: StatusCode,
    ) -> Answer {
        let leg = self.find(room, participant)?;
        self.switch.excuse(leg, status);
        self.remove_participant(now, room, participant)
    }

    pub(super) fn await_served(
        &mut self,
        room: &RoomId,
        participant: &ParticipantId,
        reply: ReplySender,
    ) {
        match self.find(room, participant) {
            Ok(leg) if !self.switch.is_served(leg) => self.awaited.waiting.push((leg, reply)),
            Ok(_) => {
                let _ = reply.send(Ok(Reply::Done));
            }
            Err(error) => {
                let _ = reply.send(Err(error));
            }
        }
    }

    /// Answers those whose participant has everything, or is gone. Looks only when a copy has ended
    /// since.
    pub(super) fn answer_served(&mut self) {
        let settled = self.switch.sums().settled();
        if std::mem::replace(&mut self.awaited.settled, settled) == settled
            || self.awaited.waiting.is_empty()
        {
            return;
        }
        let (switch, sessions) = (&self.switch, &self.sessions);
        let is_over = |(leg, _): &mut (LegKey, ReplySender)| {
            switch.is_served(*leg) || sessions.get(*leg).is_none()
        };
        for (leg, reply) in self.awaited.waiting.extract_if(.., is_over) {
            let answer = match self.sessions.get(leg) {
                Some(_) => Ok(Reply::Done),
                None => Err(ControlError::new(
                    ErrorCode::NoSuchParticipant,
                    "the participant has left the room",
                )),
            };
            let _ = reply.send(answer);
        }
    }

    /// A session takes part: in a conversation as soon as both sides are known, because what is said
    /// meanwhile is kept for it; in a room that delivers when it has a connection as well, because a large
    /// message cannot be.
    pub(super) fn join_when_ready(&mut self, now: Timestamp, leg: LegKey) {
        let Some(session) = self.sessions.get(leg) else {
            return;
        };
        let room = self.rooms.get(&session.room).map(|room| room.key);
        let delivers = room.is_some_and(|room| self.switch.delivers(room));
        if session.is_answered() && (!delivers || session.bound().is_some()) {
            self.switch.join(leg);
            if delivers {
                self.carry_out(now);
            }
        }
    }

    /// A sender waits for those who are not there yet, or goes on. One whose connection carries other
    /// sessions as well does not: they would wait with it.
    pub(super) fn hold_sender(&mut self, leg: LegKey, is_held: bool) {
        let conn = self.sessions.get(leg).and_then(|session| session.bound());
        let Some(conn) = conn else { return };
        let Some(connection) = self.connections.get_mut(conn) else {
            return;
        };
        if !is_held {
            // It may wait for the recipients of several messages: one mark stands for each.
            let mut is_taken = false;
            let is_other =
                |slow: &ConnKey| *slow != HELD_MARK || std::mem::replace(&mut is_taken, true);
            connection.slowed_by.retain(is_other);
            return self.receive_again(conn);
        }
        if connection.sessions.len() + connection.routes.len() <= 1 {
            if connection.slowed_by.is_empty() {
                self.environment.counters.count(Cell::SendersPaused);
            }
            connection.slowed_by.push(HELD_MARK);
            connection.intake.end_turn();
            self.io.read(conn, Read::Paused);
        }
    }

    /// A participant misses a message.
    pub(super) fn tell_too_late(&mut self, leg: LegKey) {
        let Some(session) = self.sessions.get(leg) else {
            return;
        };
        let (room, participant) = (session.room.clone(), session.participant.clone());
        tracing::info!(%room, %participant, "participant is too late for a message");
        self.environment
            .hub
            .publish(&Event::ParticipantTooLate { room, participant });
    }
}

/// Stands among the slow recipients of a sender for those who are not there yet. Marks of shards
/// that do not keep up have small numbers in its place.
const HELD_MARK: ConnKey = ConnKey::new(u32::MAX, u32::MAX);
