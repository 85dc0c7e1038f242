//! Deadlines of a shard. Nothing is cancelled: a timer that fires looks whether it still means
//! something.

use std::collections::BTreeSet;

use msrp_session::Timestamp;
use msrp_switch::LegKey;
use ring_io::ConnKey;

/// What a deadline is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// A connection has to name a session.
    Unnamed(ConnIndex),
    /// A session has to get a connection.
    Unbound(LegKey),
    /// A recipient has to take something.
    Stall(ConnIndex),
    /// An answer is due on a session.
    Transaction(LegKey),
    /// A connection without sessions has to be closed by its peer.
    Linger(ConnIndex),
}

/// A connection key that can be ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ConnIndex(pub(super) ConnKey);

impl PartialOrd for ConnIndex {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ConnIndex {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let order = |key: ConnKey| (key.index(), key.generation());
        order(self.0).cmp(&order(other.0))
    }
}

/// The deadlines, earliest first.
#[derive(Debug, Default)]
pub(super) struct Timers {
    pending: BTreeSet<(Timestamp, Timer)>,
}

impl Timers {
    pub(super) fn set(&mut self, deadline: Timestamp, timer: Timer) {
        self.pending.insert((deadline, timer));
    }

    /// Takes the earliest timer that is due.
    pub(super) fn due(&mut self, now: Timestamp) -> Option<Timer> {
        let first = *self.pending.first()?;
        if first.0 > now {
            return None;
        }
        self.pending.remove(&first);
        Some(first.1)
    }

    pub(super) fn deadline(&self) -> Option<Timestamp> {
        self.pending.first().map(|(deadline, _)| *deadline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_fire_in_order_and_not_before_their_time() {
        let key = |index| ConnIndex(ConnKey::new(index, 0));
        let mut timers = Timers::default();
        timers.set(Timestamp::from_ns(20), Timer::Stall(key(1)));
        timers.set(Timestamp::from_ns(10), Timer::Linger(key(2)));
        assert_eq!(timers.deadline(), Some(Timestamp::from_ns(10)));
        assert_eq!(timers.due(Timestamp::from_ns(9)), None);
        assert_eq!(
            timers.due(Timestamp::from_ns(20)),
            Some(Timer::Linger(key(2)))
        );
        assert_eq!(
            timers.due(Timestamp::from_ns(20)),
            Some(Timer::Stall(key(1)))
        );
        assert_eq!(timers.due(Timestamp::from_ns(20)), None);
    }
}
