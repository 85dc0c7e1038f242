//! Connections that nobody uses.
//!
//! ```text
//!   unused for an hour, no session needs it              --> closed
//!   room is needed: unused for 60 s, no session needs it --> the one that was not used for the longest time is closed
//! ```
//!
//! `unused` has every connection under a time at which it was in use; a request costs no change of it. One whose turn has come is
//! looked at: when it was used since, or a session needs it, it goes back under the later time.
//!
//! # Spec
//! RFC 4976 s.6.5.

use msrp_session::Timestamp;

use super::{CloseReason, Relay};
use crate::connection::{Connection, ConnectionId};
use crate::limits::{CONNECTION_IDLE_NS, CONNECTION_IDLE_SHORT_NS, ROOM_LOOKS_MAX};
use crate::users::Users;

impl<U: Users> Relay<U> {
    /// The caller can have few more connections: closes the one that was used least recently, if no session needs it and it was
    /// not used for a minute. `false` when there is none such among the first that were looked at. The connection closes by
    /// [`Output::Close`](super::Output::Close).
    ///
    /// # Spec
    /// RFC 4976 s.6.5.
    pub fn make_room(&mut self, now: Timestamp) -> bool {
        let mut has_room = false;
        for _ in 0..ROOM_LOOKS_MAX {
            match self.look_at_unused(now, CONNECTION_IDLE_SHORT_NS) {
                Look::Kept => {}
                Look::Closed => has_room = true,
                Look::NoneIsIdle => break,
            }
            if has_room {
                break;
            }
        }
        self.check_invariants_in_debug();
        has_room
    }

    pub(super) fn insert_connection(&mut self, id: ConnectionId, connection: Connection) {
        self.unused.insert((connection.filed, id));
        self.connections.insert(id, connection);
    }

    pub(super) fn note_use(&mut self, now: Timestamp, id: ConnectionId) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.used = now;
        }
    }

    /// When the next connection has to be looked at.
    pub(super) fn idle_deadline(&self) -> Option<Timestamp> {
        let first = self.unused.first();
        first.map(|(filed, _)| filed.after(CONNECTION_IDLE_NS))
    }

    pub(super) fn close_idle(&mut self, now: Timestamp) {
        while self.look_at_unused(now, CONNECTION_IDLE_NS) != Look::NoneIsIdle {}
    }

    /// Looks at the connection that is filed first. It is filed later then, so that looking comes to an end.
    fn look_at_unused(&mut self, now: Timestamp, idle_ns: u64) -> Look {
        let is_due = |(filed, _): &&(Timestamp, ConnectionId)| filed.after(idle_ns) <= now;
        let Some((filed, id)) = self.unused.first().filter(is_due).copied() else {
            return Look::NoneIsIdle;
        };
        self.unused.remove(&(filed, id));
        let Some(connection) = self.connections.get_mut(&id) else {
            return Look::Kept;
        };
        let was_used = connection.used.after(idle_ns) > now;
        let is_kept = connection.is_needed() || connection.is_closing || was_used;
        connection.filed = if was_used { connection.used } else { now };
        self.unused.insert((connection.filed, id));
        if is_kept {
            return Look::Kept;
        }
        self.close(id, CloseReason::Idle);
        Look::Closed
    }
}

/// What came of a look at a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    /// It was used since, a session needs it, or it closes already.
    Kept,
    /// It closes.
    Closed,
    /// No connection can have been unused for so long.
    NoneIsIdle,
}
