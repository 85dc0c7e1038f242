//! One shard's thread: it runs the shard, and starts it anew when it has failed.
//!
//! ```text
//!   open --> running --told to stop--> gone
//!    ^          |
//!    |          +--panicked, or its backend broke--> closed: rooms reported lost, numbers settled
//!    +----------------delay-----------------------------+
//! ```
//!
//! What a shard owned goes with it: its connections close while it unwinds, its rooms are reported
//! lost, its open copies count as failed. What outlives it stays here: the mailbox, so that the way
//! to the shard stays the same, and a second handle on each listening socket, so that the kernel
//! keeps the node's place and queues who connects meanwhile. Commands that wait in the mailbox are
//! answered by the new shard, which knows none of the rooms that are lost.
//!
//! The first failure costs no delay. One that follows within the calm time waits, twice as long each
//! time up to a bound, so that a defect that strikes at once cannot eat a core.

use std::net::TcpListener;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, atomic::Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use msrp_control::{EndReason, Event, RoomId, UsageNote};
use ring_io::{Bell, Choice, Io, Want};

use super::{Hub, Rooms};
use crate::defect::Defect;
use crate::limits::{
    MAILBOX_MESSAGES_MAX, RESTART_CALM_NS, RESTART_DELAY_NS_MAX, RESTART_DELAY_NS_MIN,
};
use crate::mailbox::{ShardHandle, ShardMessage};
use crate::metrics::Cell;
use crate::shard::{Ended, Environment, Shard};

/// What a shard is made of again after a failure.
struct Supervisor {
    want: Want,
    environment: Environment,
    listeners: Vec<TcpListener>,
    mailbox: Rc<Receiver<ShardMessage>>,
    restarts: Restarts,
}

type Opened = (Shard<Box<dyn Io>>, ring_io::Waker, Choice);

/// Starts the thread of a shard and waits until the shard accepts.
///
/// # Errors
/// The thread, the backend or a listener could not be opened; nothing runs then.
pub(super) fn spawn(
    (want, is_pinned): (Want, bool),
    environment: Environment,
    listeners: Vec<TcpListener>,
) -> std::io::Result<(ShardHandle, JoinHandle<()>, Choice)> {
    let (sender, mailbox) = sync_channel(MAILBOX_MESSAGES_MAX);
    let (opened_sender, opened) = sync_channel(1);
    let name = format!("shard-{}", environment.index);
    let thread = std::thread::Builder::new().name(name).spawn(move || {
        if is_pinned && let Err(error) = ring_io::pin_thread(environment.index) {
            tracing::warn!(shard = environment.index, %error, "the shard is not pinned to a core");
        }
        let supervisor = Supervisor {
            want,
            environment,
            listeners,
            mailbox: Rc::new(mailbox),
            restarts: Restarts::default(),
        };
        match supervisor.open() {
            Ok((shard, waker, choice)) => {
                let bell = Arc::new(Bell::new(waker));
                let _ = opened_sender.send(Ok((Arc::clone(&bell), choice)));
                supervisor.run(shard, &bell);
            }
            Err(error) => {
                let _ = opened_sender.send(Err(error));
            }
        }
    })?;
    match opened.recv() {
        Ok(Ok((bell, choice))) => Ok((ShardHandle { sender, bell }, thread, choice)),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(std::io::Error::other(
            "the shard's thread ended at its start",
        )),
    }
}

impl Supervisor {
    fn open(&self) -> std::io::Result<Opened> {
        let listeners: Vec<_> = self
            .listeners
            .iter()
            .map(TcpListener::try_clone)
            .collect::<Result<_, _>>()?;
        let (io, choice) = ring_io::open(self.want, &ring_io::Config::default())?;
        let waker = io.waker();
        let mailbox = Rc::clone(&self.mailbox);
        let shard = Shard::new(io, mailbox, self.environment.clone(), listeners)?;
        Ok((shard, waker, choice))
    }

    /// Runs the shard, and the ones after it, until one ends because it was told to.
    fn run(mut self, first: Shard<Box<dyn Io>>, bell: &Bell) {
        let index = self.environment.index;
        let mut shard = first;
        loop {
            let started = Instant::now();
            // The shard's sockets close while it unwinds.
            match catch_unwind(AssertUnwindSafe(|| shard.run())) {
                Ok(Ended::Stopped) => return,
                Ok(Ended::BackendBroke) => {}
                Err(_) => tracing::error!(shard = index, "the shard failed; its rooms are lost"),
            }
            settle_failure(&self.environment);
            let mut served = started.elapsed();
            shard = loop {
                if !self.wait(served) {
                    return;
                }
                match self.open() {
                    Ok((shard, waker, _)) => {
                        bell.hang(waker);
                        break shard;
                    }
                    Err(error) => {
                        tracing::error!(shard = index, %error, "the shard could not be started again");
                        served = Duration::ZERO;
                    }
                }
            };
            self.environment.counters.count(Cell::Restarts);
            tracing::warn!(shard = index, "the shard serves again");
        }
    }

    /// Waits before the next start. `false` when the node goes down.
    fn wait(&mut self, served: Duration) -> bool {
        let delay = self.restarts.delay(served);
        let until = Instant::now() + delay;
        loop {
            if self.environment.is_stopping.load(Ordering::Acquire) {
                return false;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            std::thread::park_timeout(left);
        }
    }
}

/// A shard has failed: its open copies have failed, its rooms are lost, and the other shards end what they shared with it.
pub(crate) fn settle_failure(environment: &Environment) {
    let index = environment.index;
    environment.counters.settle_failure();
    environment.epochs.advance(index);
    for peer in environment.peers.get().into_iter().flatten() {
        peer.bell.ring();
    }
    environment.hub.publish(&Event::ShardLost { shard: index });
    if !environment.planted.strikes(Defect::FailureUntold) {
        for room in report_lost(index, &environment.rooms, &environment.hub) {
            let at = SystemTime::now();
            environment.usage.put(UsageNote::RoomLost { room, at });
        }
    }
    environment.bridges.report_lost(index, &environment.hub);
}

/// How often in a row a shard has failed.
#[derive(Debug, Default)]
struct Restarts {
    in_a_row: u32,
}

impl Restarts {
    /// How long to wait before the next start, when the shard failed after having served so long.
    fn delay(&mut self, served: Duration) -> Duration {
        if served >= Duration::from_nanos(RESTART_CALM_NS) {
            self.in_a_row = 0;
        }
        let doublings = self.in_a_row.saturating_sub(1).min(u64::BITS - 1);
        let delay = match self.in_a_row {
            0 => 0,
            _ => RESTART_DELAY_NS_MIN
                .saturating_mul(1 << doublings)
                .min(RESTART_DELAY_NS_MAX),
        };
        self.in_a_row = self.in_a_row.saturating_add(1);
        Duration::from_nanos(delay)
    }
}

/// Tells the controllers that the rooms of a shard are gone with it. Returns them.
fn report_lost(shard: usize, rooms: &Rooms, hub: &Hub) -> Vec<RoomId> {
    let mut lost = Vec::new();
    rooms.retain(|room, residence| {
        let is_lost = residence.shard == shard;
        if is_lost {
            lost.push(room.clone());
        }
        !is_lost
    });
    for room in &lost {
        let (room, reason) = (room.clone(), EndReason::ShardFailed);
        hub.publish(&Event::RoomLost { room, reason });
    }
    lost
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Residence;
    use crate::engine::chat_functions::ChatFunctions;

    #[test]
    fn rooms_of_a_failed_shard_are_reported_and_forgotten_and_no_others() {
        let rooms = Rooms::new();
        let room = |name| RoomId::new(name).unwrap();
        let residence = |shard| Residence::new(shard, ChatFunctions::default());
        rooms.insert(room("lost"), residence(1));
        rooms.insert(room("kept"), residence(0));
        let hub = Hub::default();
        let mut events = hub.subscribe();
        report_lost(1, &rooms, &hub);
        let expected = Event::RoomLost {
            room: room("lost"),
            reason: EndReason::ShardFailed,
        };
        assert_eq!(events.try_recv(), Ok(expected));
        assert!(events.try_recv().is_err());
        assert_eq!(rooms.len(), 1);
        assert!(rooms.contains_key(&room("kept")));
    }

    #[test]
    fn restart_delay_grows_to_its_bound_and_is_forgiven_after_the_calm_time() {
        let mut restarts = Restarts::default();
        assert_eq!(restarts.delay(Duration::ZERO), Duration::ZERO);
        let mut last = Duration::ZERO;
        for _ in 0..100 {
            let delay = restarts.delay(Duration::ZERO);
            let is_at_bound = delay == Duration::from_nanos(RESTART_DELAY_NS_MAX);
            assert!(is_at_bound || delay > last, "{delay:?} after {last:?}");
            last = delay;
        }
        assert_eq!(last, Duration::from_nanos(RESTART_DELAY_NS_MAX));
        let calm = Duration::from_nanos(RESTART_CALM_NS);
        assert_eq!(restarts.delay(calm), Duration::ZERO);
    }
}
