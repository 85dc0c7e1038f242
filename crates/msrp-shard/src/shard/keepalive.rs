//! Signs of life on idle WebSockets.
//!
//! ```text
//!   look: heard something since the last look -> nothing to do
//!         silent                              -> ping
//!         silent, and the ping lies with our own kernel still -> the peer is gone: the connection ends
//! ```
//!
//! Proxies and address translators forget connections on which nothing passes. MSRP over TCP leaves signs of life to
//! the clients; a page in a browser has no way to send a ping, so the engine does. A peer that is not read
//! for a while is not thought gone: its kernel acknowledges pings.
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
        let Some(connection) = self.connections.get_mut(conn).filter(|c| c.is_read()) else {
            return;
        };
        let Some(layered) = connection.layer.as_deref_mut() else {
            return;
        };
        if layered.was_silent() {
            if layered.is_pinged() && self.io.unacknowledged(conn) > 0 {
                tracing::info!(reason = "it gave no sign of life", "connection closed");
                self.end_connection(now, conn, EndReason::ConnectionLost);
                return;
            }
            layered.ping();
            self.mark_dirty(conn);
        }
        self.keep_alive(now, conn);
    }
}
