//! Deadlines of a shard: what each is about.
//!
//! A timer that is set when something begins and nearly always proves needless, as that of a
//! connection that has to name a session, is cancelled. The others are not: one that fires looks
//! whether it still means something, so that progress costs no timer.

use msrp_session::TimingWheel;
use msrp_switch::LegKey;
use ring_io::ConnKey;

/// What a deadline is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Timer {
    /// A connection has to name a session.
    Unnamed(ConnKey),
    /// A session has to get a connection.
    Unbound(LegKey),
    /// A recipient with a backlog is looked at.
    Look(ConnKey),
    /// An answer is due on a session.
    Transaction(LegKey),
    /// The bridge with this leg is looked at: whether it is answered, and whether it is idle.
    Bridge(LegKey),
    /// A connection without sessions has to be closed by its peer.
    Linger(ConnKey),
    /// A WebSocket is looked at: whether its peer gives signs of life.
    Ping(ConnKey),
}

/// The deadlines of a shard.
pub(super) type Timers = TimingWheel<Timer>;
