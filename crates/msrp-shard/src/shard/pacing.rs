//! Slow recipients.
//!
//! ```text
//!               > 64 KiB wait                   takes < 8 KiB between two looks
//!   keeping up --------------> slow: senders ----------------------------------> behind: only those who send the
//!       ^                      |  wait                                           |   rest of large messages wait
//!       |                      |                                                 |        for 3 s
//!       +---- < 32 KiB wait ---+---- < 32 KiB wait, or it takes more again ------+          |
//!                                                                                |          v
//!                                                    took nothing for stall_s <--+---- nobody waits
//! ```
//!
//! A sender is slowed to the slowest recipient that can be waited for. One that takes nothing, or next to
//! nothing, holds nobody up: what comes for it is kept up to a bound, and what is beyond it fails, which
//! its sender can learn from a report. It may come back until the stall time is over.
//!
//! What a recipient takes is what its kernel acknowledged, not what ours accepted: send buffers hide more
//! than a slow link carries in seconds. It is only held against it when there was something to take. A stand-in
//! has no socket to look at; its carrier tells.

use msrp_control::EndReason;
use msrp_session::{Piece, Timestamp};
use ring_io::{ConnKey, Io, Read};

use super::Shard;
use super::connection::Connections;
use super::timers::Timer;
use crate::crossing::What;
use crate::defect::Defect;
use crate::limits::{
    BACKLOG_OCTETS_MAX, BACKLOG_OCTETS_SOFT, BEHIND_OCTETS_MAX, LOOK_NS, PACE_OCTETS_MIN,
    PACED_OCTETS_MAX, PATIENCE_NS, RECIPIENT_TURN_OCTETS, UNPACED_OCTETS_MAX,
};
use crate::metrics::Cell;

/// Who is slowed when a connection is slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WaitedBy {
    /// Everybody who sends to it.
    All,
    /// Those who send the rest of a large message: nobody looks at it while it comes.
    Large,
    /// Nobody.
    None,
}

/// How a connection keeps up with what is sent to it.
#[derive(Debug)]
pub(super) struct Pace {
    pub(super) waited_by: WaitedBy,
    /// Somebody on it missed something and was not told.
    pub(super) has_missed: bool,
    /// Whether it carries one side of a bridge: who sends to it waits for it until the stall time, since nobody
    /// else waits meanwhile.
    pub(super) is_bridged: bool,
    /// Kept while it is looked at from time to time.
    watch: Option<Box<Watch>>,
}

/// What a look at a slow connection showed.
#[derive(Debug)]
struct Watch {
    /// When it last took something.
    progress: Timestamp,
    /// Octets that it had taken at the last look, and those that it could have taken.
    seen_octets: u64,
    offered_octets: u64,
    /// Since when it takes too little, if it does.
    behind_since: Timestamp,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            waited_by: WaitedBy::All,
            has_missed: false,
            is_bridged: false,
            watch: None,
        }
    }
}

impl Watch {
    /// Whether the peer, which has taken so many octets by now, took enough since the last look: 8 KiB, or
    /// all that it could.
    fn look(&mut self, now: Timestamp, seen: u64, unacknowledged: u64) -> bool {
        let taken = seen.saturating_sub(self.seen_octets);
        self.seen_octets = seen;
        let offered = std::mem::replace(&mut self.offered_octets, unacknowledged);
        if taken > 0 || offered == 0 {
            self.progress = now;
        }
        taken >= offered.min(PACE_OCTETS_MIN)
    }
}

impl<I: Io> Shard<I> {
    /// Whether a piece for this connection can be queued: as long as not too much is waiting, which is
    /// more when its sender waits for the recipient from then on.
    pub(super) fn has_room(
        &self,
        recipient: ConnKey,
        sender: Option<ConnKey>,
        piece: &Piece,
    ) -> bool {
        let Some(connection) = self.connections.get(recipient) else {
            return true;
        };
        let outbox = &connection.outbox;
        if outbox.backlog_octets() == 0 {
            return true;
        }
        let octets_max = if self.waits_for(recipient, sender, piece) {
            PACED_OCTETS_MAX
        } else if connection.pace.waited_by == WaitedBy::All {
            UNPACED_OCTETS_MAX
        } else {
            BEHIND_OCTETS_MAX
        };
        outbox.waiting_octets() + piece.octets_without_paths() <= octets_max
    }

    /// Whether a sender is to wait for a slow recipient. One whose connection carries other sessions as
    /// well is not: they would wait with it.
    fn waits_for(&self, recipient: ConnKey, sender: Option<ConnKey>, piece: &Piece) -> bool {
        let waited_by = self.connections.get(recipient).map(|c| c.pace.waited_by);
        let is_waited_for = match waited_by {
            Some(WaitedBy::All) => true,
            Some(WaitedBy::Large) => piece.continues().is_some(),
            Some(WaitedBy::None) | None => false,
        };
        let can_wait = sender
            .filter(|sender| *sender != recipient)
            .and_then(|sender| self.connections.get(sender))
            .is_some_and(|connection| connection.sessions.len() + connection.routes.len() <= 1)
            && sender.is_none_or(|sender| self.relayed_sessions_count(sender) <= 1);
        can_wait && is_waited_for
    }

    /// A sender's piece went to this connection. When enough waits there, the sender's turn is over;
    /// when too much waits before the piece, the sender is not read until the backlog has left.
    pub(super) fn pace(&mut self, recipient: ConnKey, sender: Option<ConnKey>, piece: &Piece) {
        let Some(connection) = self.connections.get(recipient) else {
            return;
        };
        let outbox = &connection.outbox;
        let is_slow = outbox.octets_before(piece) > BACKLOG_OCTETS_SOFT;
        let is_full = outbox.waiting_octets() > RECIPIENT_TURN_OCTETS;
        if (!is_slow && !is_full) || !self.waits_for(recipient, sender, piece) {
            return;
        }
        let Some(sender) = sender else { return };
        if is_full && let Some(connection) = self.connections.get_mut(sender) {
            connection.intake.end_turn();
        }
        if is_slow {
            self.slow_down(recipient, sender);
        }
    }

    fn slow_down(&mut self, recipient: ConnKey, sender: ConnKey) {
        let Some(slow) = self.connections.get_mut(recipient) else {
            return;
        };
        if slow.slows.contains(&sender) {
            return;
        }
        slow.slows.push(sender);
        let Some(connection) = self.connections.get_mut(sender) else {
            return;
        };
        if connection.slowed_by.is_empty() {
            self.io.read(sender, Read::Paused);
            self.environment.counters.count(Cell::SendersPaused);
        }
        connection.slowed_by.push(recipient);
    }

    /// The connection slows nobody any more: those it slowed are read again.
    pub(super) fn release_senders(&mut self, recipient: ConnKey) {
        let Some(connection) = self.connections.get_mut(recipient) else {
            return;
        };
        for sender in std::mem::take(&mut connection.slows) {
            let Some(connection) = self.connections.get_mut(sender) else {
                continue;
            };
            connection.slowed_by.retain(|slow| *slow != recipient);
            if !self.environment.planted.strikes(Defect::SenderForgotten) {
                self.receive_again(sender);
            }
        }
    }

    /// So little waits that the connection keeps up.
    pub(super) fn keeps_up(&mut self, conn: ConnKey) {
        self.release_senders(conn);
        let Some(connection) = self.connections.get(conn) else {
            return;
        };
        let has_missed = connection.pace.has_missed;
        if !Connections::is_stand_in(conn) {
            self.set_waited_by(conn, WaitedBy::All);
        }
        if has_missed {
            self.tell_missed(conn);
        }
    }

    /// Octets wait that the kernel did not take: the connection has to make progress from now on.
    pub(super) fn watch(&mut self, now: Timestamp, conn: ConnKey) {
        let Some(connection) = self.connections.get_mut(conn) else {
            return;
        };
        if connection.outbox.backlog_octets() > BACKLOG_OCTETS_MAX {
            self.environment.counters.count(Cell::LimitBacklog);
            tracing::info!(reason = "too much is waiting for it", "recipient shed");
            self.end_connection(now, conn, EndReason::Stalled);
            return;
        }
        if Connections::is_stand_in(conn) {
            return;
        }
        if !self
            .environment
            .planted
            .strikes(Defect::WritabilityForgotten)
        {
            self.io.want_writable(conn);
        }
        if connection.pace.watch.is_none() {
            let unacknowledged = self.io.unacknowledged(conn) as u64;
            connection.pace.watch = Some(Box::new(Watch {
                progress: now,
                seen_octets: connection.written_octets().saturating_sub(unacknowledged),
                offered_octets: unacknowledged,
                behind_since: now,
            }));
            self.look_later(now, conn);
        }
    }

    fn look_later(&mut self, now: Timestamp, conn: ConnKey) {
        let interval = LOOK_NS.min(self.environment.limits.stall_ns);
        self.timers.set(now.after(interval), Timer::Look(conn));
    }

    /// A connection with a backlog is looked at: who waits for it, or whether it is shed.
    pub(super) fn check_pace(&mut self, now: Timestamp, conn: ConnKey) {
        let unacknowledged = self.io.unacknowledged(conn) as u64;
        let Some(connection) = self.connections.get_mut(conn) else {
            return;
        };
        if connection.outbox.is_empty() && connection.wire_octets() == 0 {
            connection.pace.watch = None;
            return;
        }
        let written = connection.written_octets();
        let before = connection.pace.waited_by;
        let Some(watch) = connection.pace.watch.as_deref_mut() else {
            return;
        };
        let takes_enough = watch.look(now, written.saturating_sub(unacknowledged), unacknowledged);
        let is_hasty = self.environment.planted.strikes(Defect::StallTooSoon);
        let stall_ns = if is_hasty {
            LOOK_NS
        } else {
            self.environment.limits.stall_ns
        };
        if watch.progress.after(stall_ns) <= now {
            tracing::info!(
                reason = "it took nothing for the stall time",
                "recipient shed"
            );
            self.end_connection(now, conn, EndReason::Stalled);
            return;
        }
        if before == WaitedBy::All {
            watch.behind_since = now;
        }
        let waited_by = match before {
            _ if takes_enough => WaitedBy::All,
            WaitedBy::All => WaitedBy::Large,
            WaitedBy::Large if watch.behind_since.after(PATIENCE_NS) <= now => WaitedBy::None,
            same => same,
        };
        self.set_waited_by(conn, waited_by);
        self.look_later(now, conn);
    }

    /// Who waits for the connection changes; the homes of its other sessions are told.
    fn set_waited_by(&mut self, conn: ConnKey, waited_by: WaitedBy) {
        let Some(connection) = self.connections.get_mut(conn) else {
            return;
        };
        if connection.pace.is_bridged
            || std::mem::replace(&mut connection.pace.waited_by, waited_by) == waited_by
        {
            return;
        }
        for route in connection.routes.iter() {
            self.crossings
                .tell(route.home, conn, What::WaitedBy(waited_by));
        }
        if waited_by == WaitedBy::Large {
            self.environment.counters.count(Cell::RecipientsBehind);
        }
        if waited_by != WaitedBy::All {
            // Those who still have to wait are slowed again by what they send next.
            self.release_senders(conn);
        }
    }

    /// The carrier tells who waits for the connection.
    pub(super) fn waited_elsewhere(&mut self, of: (usize, ConnKey), waited_by: WaitedBy) {
        let Some(key) = self.crossings.stand_in(of) else {
            return;
        };
        if let Some(connection) = self.connections.get_mut(key) {
            connection.pace.waited_by = waited_by;
        }
        if waited_by != WaitedBy::All {
            self.release_senders(key);
        }
    }
}
