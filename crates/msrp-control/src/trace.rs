//! Watching the MSRP of a session, octet for octet.
//!
//! ```text
//!   shard --Tracer::give--> queue, bounded --TraceStream::next--> whoever asked
//! ```
//!
//! The shard never waits: what does not fit into the queue is counted, and the next record says how
//! much is missing before it. Dropping the stream ends the trace.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use futures_channel::mpsc;

use crate::{ParticipantId, RoomId};

/// What a trace shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TraceScope {
    /// Every session of the node, as long as its shards run.
    Node,
    /// The sessions of a room, those that come later included.
    Room(RoomId),
    /// One session.
    Participant(RoomId, ParticipantId),
}

/// Which way octets went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the participant to the engine.
    In,
    /// From the engine to the participant.
    Out,
}

impl Direction {
    /// One lower-case word: `in` or `out`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
        }
    }
}

/// Octets of one session, without TLS and WebSocket: a frame, or a part of a large one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceRecord {
    /// When they were read, or queued to be written; nanoseconds since 1970.
    pub time_ns: u64,
    /// The room of the session.
    pub room: RoomId,
    /// Whose session it is.
    pub participant: ParticipantId,
    /// Which way they went.
    pub direction: Direction,
    /// Our address of the connection and the peer's; unknown where another shard has the socket.
    pub addresses: Option<(SocketAddr, SocketAddr)>,
    /// Whether a frame ends with them.
    pub ends_frame: bool,
    /// The octets.
    pub octets: Vec<u8>,
    /// Records that did not fit into the queue since the one before.
    pub dropped: u64,
}

/// What the queue holds.
#[derive(Debug, Default)]
struct Fill {
    records: AtomicUsize,
    octets: AtomicUsize,
    dropped: AtomicU64,
}

/// The engine's end of a trace. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Tracer {
    sender: mpsc::UnboundedSender<TraceRecord>,
    fill: Arc<Fill>,
}

/// The end of a trace that is read. Dropping it ends the trace.
#[derive(Debug)]
pub struct TraceStream {
    receiver: mpsc::UnboundedReceiver<TraceRecord>,
    fill: Arc<Fill>,
}

/// Both ends of a trace.
#[must_use]
pub fn tracer() -> (Tracer, TraceStream) {
    // The queue is bounded by what `Fill` counts, in octets as well.
    let (sender, receiver) = mpsc::unbounded();
    let fill = Arc::<Fill>::default();
    let tracer = Tracer {
        sender,
        fill: Arc::clone(&fill),
    };
    (tracer, TraceStream { receiver, fill })
}

impl Tracer {
    /// Queues a record, or counts it as dropped when the queue is full. Its own `dropped` is set here.
    /// `false` when nobody reads any more.
    pub fn give(&self, mut record: TraceRecord) -> bool {
        let fill = &self.fill;
        let octets = record.octets.len();
        let is_full = fill.records.load(Ordering::Relaxed) >= TRACE_RECORDS_MAX
            || fill.octets.load(Ordering::Relaxed).saturating_add(octets) > TRACE_OCTETS_MAX;
        if is_full {
            fill.dropped.fetch_add(1, Ordering::Relaxed);
            return !self.is_closed();
        }
        record.dropped = fill.dropped.swap(0, Ordering::Relaxed);
        fill.records.fetch_add(1, Ordering::Relaxed);
        fill.octets.fetch_add(octets, Ordering::Relaxed);
        self.sender.unbounded_send(record).is_ok()
    }

    /// Whether nobody reads any more.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }
}

impl TraceStream {
    /// The next record; `None` when what was traced is over.
    pub async fn next(&mut self) -> Option<TraceRecord> {
        let record = self.receiver.recv().await.ok()?;
        self.fill.records.fetch_sub(1, Ordering::Relaxed);
        let octets = record.octets.len();
        self.fill.octets.fetch_sub(octets, Ordering::Relaxed);
        Some(record)
    }

    /// Records that did not fit into the queue and that no record has told of yet.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.fill.dropped.load(Ordering::Relaxed)
    }
}

/// Most records that wait for their reader. More are dropped and counted.
pub const TRACE_RECORDS_MAX: usize = 8192;
/// Most octets that wait for their reader. More are dropped and counted.
pub const TRACE_OCTETS_MAX: usize = 8 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn record(octets: usize) -> TraceRecord {
        TraceRecord {
            time_ns: 1,
            room: RoomId::new("lunch").unwrap(),
            participant: ParticipantId::new("alice").unwrap(),
            direction: Direction::In,
            addresses: None,
            ends_frame: true,
            octets: vec![0; octets],
            dropped: 0,
        }
    }

    #[test]
    fn record_that_does_not_fit_is_told_by_the_next_one() {
        let (tracer, mut stream) = tracer();
        assert!(tracer.give(record(TRACE_OCTETS_MAX)));
        assert!(tracer.give(record(1)) && tracer.give(record(1)));
        assert_eq!(stream.dropped(), 2);
        let mut next = || {
            let waker = std::task::Waker::noop();
            let mut context = std::task::Context::from_waker(waker);
            match std::pin::pin!(stream.next()).poll(&mut context) {
                std::task::Poll::Ready(record) => record,
                std::task::Poll::Pending => panic!("nothing there"),
            }
        };
        assert_eq!(next().unwrap().dropped, 0);
        assert!(tracer.give(record(1)));
        assert_eq!(next().unwrap().dropped, 2);
        drop(tracer);
        assert_eq!(next(), None);
    }

    #[test]
    fn trace_ends_when_its_stream_is_dropped() {
        let (tracer, stream) = tracer();
        drop(stream);
        assert!(tracer.is_closed());
        assert!(!tracer.give(record(1)));
    }
}
