//! Slow recipients: their senders are slowed; those that take nothing are shed.

use msrp_control::EndReason;
use msrp_session::Timestamp;
use ring_io::{ConnKey, Io, Read};

use super::Shard;
use super::timers::Timer;
use crate::limits::{BACKLOG_OCTETS_MAX, BACKLOG_OCTETS_SOFT};
use crate::metrics::Cell;

impl<I: Io> Shard<I> {
    /// A sender's octets went to this connection. When it is slow, the sender is not read until
    /// the backlog has left.
    pub(super) fn pace(&mut self, recipient: ConnKey, sender: Option<ConnKey>) {
        let Some(sender) = sender.filter(|sender| *sender != recipient) else {
            return;
        };
        let Some(slow) = self.connections.get_mut(recipient) else {
            return;
        };
        if slow.outbox.backlog_octets() <= BACKLOG_OCTETS_SOFT || slow.slows.contains(&sender) {
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

    /// The connection is not slow any more, or gone: those it slowed are read again.
    pub(super) fn release_senders(&mut self, recipient: ConnKey) {
        let Some(connection) = self.connections.get_mut(recipient) else {
            return;
        };
        for sender in std::mem::take(&mut connection.slows) {
            let Some(connection) = self.connections.get_mut(sender) else {
                continue;
            };
            connection.slowed_by.retain(|slow| *slow != recipient);
            self.receive_again(sender);
        }
    }

    /// Octets wait that the kernel did not take: the connection has to make progress from now on.
    pub(super) fn watch_stall(&mut self, now: Timestamp, conn: ConnKey) {
        let Some(connection) = self.connections.get_mut(conn) else {
            return;
        };
        if connection.outbox.backlog_octets() > BACKLOG_OCTETS_MAX {
            tracing::info!(reason = "too much is waiting for it", "recipient shed");
            self.end_connection(now, conn, EndReason::Stalled);
            return;
        }
        self.io.want_writable(conn);
        if !connection.is_stall_timed {
            connection.is_stall_timed = true;
            connection.progress = now;
            let deadline = now.after(self.environment.limits.stall_ns);
            self.timers.set(deadline, Timer::Stall(conn));
        }
    }

    /// The stall time of a connection may be over.
    pub(super) fn check_stall(&mut self, now: Timestamp, conn: ConnKey) {
        let stall_ns = self.environment.limits.stall_ns;
        let Some(connection) = self.connections.get_mut(conn) else {
            return;
        };
        connection.is_stall_timed = false;
        if connection.outbox.is_empty() && connection.wire_octets() == 0 {
            return;
        }
        let deadline = connection.progress.after(stall_ns);
        if deadline <= now {
            tracing::info!(
                reason = "it took nothing for the stall time",
                "recipient shed"
            );
            self.end_connection(now, conn, EndReason::Stalled);
        } else {
            connection.is_stall_timed = true;
            self.timers.set(deadline, Timer::Stall(conn));
        }
    }
}
