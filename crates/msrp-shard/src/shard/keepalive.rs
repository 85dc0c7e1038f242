//! Signs of life on idle WebSockets.
//!
//! ```text
//!   look: heard something since the last look     -> nothing to do
//!         silent                                  -> ping
//!   and:  octets of ours, such as a ping, of which the peer's kernel has acknowledged nothing for the stall time
//!                                                 -> the peer is gone: the connection ends
//! ```
//!
//! Proxies and address translators forget connections on which nothing passes. MSRP over TCP leaves signs of life to
//! the clients; a page in a browser has no way to send a ping, so the engine does. Whether the answer comes is not
//! asked: a client that is not read for a while is not gone, and its kernel acknowledges what it gets.
//!
//! # Spec
//! RFC 7977 s.6; RFC 6455 s.5.5.2.

use msrp_control::EndReason;
use msrp_session::Timestamp;
use ring_io::{ConnKey, Io};

use super::Shard;
use super::timers::Timer;

impl<I: Io> Shard<I> {
    /// Looks after a WebSocket from now on.
    pub(super) fn keep_alive(&mut self, now: Timestamp, conn: ConnKey) {
        let connection = self.connections.get(conn);
        if connection.is_some_and(|c| c.layer.as_ref().is_some_and(|l| l.is_websocket())) {
            let deadline = now.after(self.environment.limits.ping_ns);
            self.timers.set(deadline, Timer::Ping(conn));
        }
    }

    /// Asks a WebSocket that was silent for a sign of life, or ends it.
    pub(super) fn check_alive(&mut self, now: Timestamp, conn: ConnKey) {
        let unacknowledged = self.io.unacknowledged(conn) as u64;
        let Some(connection) = self.connections.get_mut(conn).filter(|c| c.is_read()) else {
            return;
        };
        let written = connection.written_octets();
        let Some(layered) = connection.layer.as_deref_mut() else {
            return;
        };
        let waits_since = layered.waits_since(now, (written, unacknowledged));
        if waits_since.after(self.environment.limits.stall_ns) <= now {
            tracing::info!(reason = "it gave no sign of life", "connection closed");
            self.end_connection(now, conn, EndReason::Stalled);
            return;
        }
        if layered.was_silent() {
            layered.ping();
            self.mark_dirty(conn);
        }
        self.keep_alive(now, conn);
    }
}
