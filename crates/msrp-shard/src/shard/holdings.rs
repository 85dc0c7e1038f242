//! What a shard holds, for oracles that watch its bounds.

use std::rc::Rc;
use std::sync::mpsc::Receiver;

use msrp_switch::Sums;
use ring_io::Io;

use super::Shard;
use super::connection::Connections;
use super::session::Link;
use crate::mailbox::ShardMessage;

/// What a shard holds at one moment, in octets and numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Holdings {
    /// Rooms that run.
    pub rooms: usize,
    /// Sessions of all rooms.
    pub sessions: usize,
    /// Connections, without stand-ins for those of other shards.
    pub connections: usize,
    /// Most octets that wait for one connection.
    pub waiting_octets_max: usize,
    /// Octets that wait for all connections, with those that other shards were given.
    pub waiting_octets: usize,
    /// Octets that arrived and wait to be read, of all connections.
    pub unread_octets: usize,
    /// Most octets that are kept for a session without connection.
    pub early_octets_max: usize,
    /// Whether no message is on its way.
    pub is_idle: bool,
    /// Whether only refused messages are left, whose senders have not said that they end.
    pub is_waiting_for_ends: bool,
    /// Copies by outcome.
    pub sums: Sums,
    /// Connections that are not read because a recipient is slow.
    pub slowed: usize,
    /// What became of what the relay was given, on the shard that it runs on.
    pub relayed: msrp_relay::Sums,
    /// SENDs that are on their way through the relay, and the URIs that it has given.
    pub relaying: (usize, usize),
}

impl<I: Io> Shard<I> {
    /// What it holds. Panics when the switch's own books are wrong.
    pub(crate) fn holdings(&self) -> Holdings {
        self.switch.check_invariants();
        let mut holdings = Holdings {
            rooms: self.rooms.len(),
            sessions: self.sessions.count(),
            connections: self.connections.count(),
            is_idle: self.switch.is_idle(),
            is_waiting_for_ends: self.switch.is_waiting_for_ends(),
            sums: self.switch.sums(),
            ..Holdings::default()
        };
        if let Some(relaying) = &self.relaying {
            (holdings.relayed, holdings.relaying) = relaying.holdings();
        }
        for key in self.connections.keys() {
            let Some(connection) = self.connections.get(key) else {
                continue;
            };
            let waiting = connection.outbox.waiting_octets();
            holdings.waiting_octets_max = holdings.waiting_octets_max.max(waiting);
            holdings.waiting_octets += waiting;
            holdings.unread_octets += connection.intake.octets();
            holdings.slowed += usize::from(!connection.slowed_by.is_empty());
        }
        for leg in self
            .rooms
            .values()
            .flat_map(|room| room.participants.values())
        {
            let link = self.sessions.get(*leg).map(|session| &session.link);
            if let Some(Link::Bound(conn)) = link
                && Connections::is_stand_in(*conn)
                && let Some(stand_in) = self.connections.get(*conn)
            {
                holdings.waiting_octets += stand_in.outbox.waiting_octets();
            }
            let early = match link {
                Some(Link::Waiting(early) | Link::Opening(_, early)) => early.octets.len(),
                Some(Link::Bound(_)) | None => 0,
            };
            holdings.early_octets_max = holdings.early_octets_max.max(early);
        }
        holdings
    }

    /// It has failed: what outlives it. Its connections are its kernel's to close.
    pub(crate) fn into_remains(self) -> (Rc<Receiver<ShardMessage>>, super::Environment) {
        (self.mailbox, self.environment)
    }

    /// From now on it has this defect.
    #[cfg(feature = "planted-defects")]
    pub(crate) fn plant(&mut self, plant: crate::simulation::Plant) {
        match plant.0 {
            crate::simulation::PlantKind::Shard(defect) => {
                self.environment.planted.defect = Some(defect);
            }
            crate::simulation::PlantKind::Switch(defect) => self.switch.plant(defect),
        }
    }

    /// When it has something to do next, in nanoseconds since the start.
    pub(crate) fn due_ns(&self) -> Option<u64> {
        if self.has_put_off() {
            return Some(self.now().as_ns());
        }
        let held_up = self.crossings.is_held_up();
        let retry = held_up.then(|| self.now().after(crate::limits::RETRY_NS));
        let due = self.deadline().into_iter().chain(retry).min();
        due.map(|due| due.as_ns())
    }
}
