//! Traces: what passes between sessions and their peers, for somebody who asked to see it.
//!
//! A connection with a traced session has a [`Tap`] in its outbox, nearly always none: then all of this
//! costs one branch for each frame that is queued and each read. A tap sees what the sessions' peers
//! see, in clear: inbound what the decoder reads, outbound what is queued. Other sessions on the same
//! connection are left out: a frame belongs to the session whose id stands in its header section, and
//! nobody else knows that id.

use std::net::SocketAddr;
use std::time::SystemTime;

use memchr::memmem;
use msrp_control::{
    ControlError, Direction, ErrorCode, ParticipantId, Reply, RoomId, TraceRecord, TraceScope,
    Tracer,
};
use msrp_switch::LegKey;
use msrp_wire::{StatusCode, TransactionId, encode};
use ring_io::{ConnKey, Io};

use super::Shard;
use super::commands::{Answer, no_such_room};
use crate::limits::TRACES_MAX;

/// What somebody asked to see.
#[derive(Debug)]
pub(super) struct Trace {
    scope: TraceScope,
    tracer: Tracer,
}

/// Who looks at a connection.
#[derive(Debug)]
pub(super) struct Tap {
    looks: Vec<Look>,
    /// The beginning of a frame that arrives, while it does not tell whose it is.
    undecided: Vec<u8>,
    is_between_frames: bool,
    addresses: Option<(SocketAddr, SocketAddr)>,
}

/// One trace of one session.
#[derive(Debug)]
struct Look {
    leg: LegKey,
    session_id: Box<[u8]>,
    room: RoomId,
    participant: ParticipantId,
    tracer: Tracer,
    /// Whether the frame that arrives is of this session.
    is_in_own_frame: bool,
}

impl Tap {
    /// Octets of the connection are being read. `false` when nobody looks any more.
    fn inbound(&mut self, part: &[u8], ends_frame: bool) -> bool {
        if part.is_empty() && !ends_frame {
            return true;
        }
        let joined;
        let mut part = part;
        if self.is_between_frames || !self.undecided.is_empty() {
            self.undecided.extend_from_slice(part);
            let is_decided = ends_frame
                || self.undecided.len() >= HEAD_OCTETS_MAX
                || memmem::find(&self.undecided, FROM_PATH).is_some();
            self.is_between_frames = false;
            if !is_decided {
                return true;
            }
            joined = std::mem::take(&mut self.undecided);
            part = &joined;
            for look in &mut self.looks {
                look.is_in_own_frame = look.is_in_head_of(part);
            }
        }
        self.is_between_frames = ends_frame;
        let addresses = self.addresses;
        self.looks.retain(|look| {
            !look.is_in_own_frame || look.give(Direction::In, addresses, ends_frame, part.to_vec())
        });
        !self.looks.is_empty()
    }

    /// Something is queued to be written; `head` is the part of it that names the session. `false` when
    /// nobody looks any more.
    pub(super) fn outbound<'a>(
        &mut self,
        head: &[u8],
        parts: &(impl Iterator<Item = &'a [u8]> + Clone),
    ) -> bool {
        let addresses = self.addresses;
        self.looks.retain(|look| {
            let octets = || parts.clone().collect::<Vec<_>>().concat();
            !look.is_in_head_of(head) || look.give(Direction::Out, addresses, true, octets())
        });
        !self.looks.is_empty()
    }
}

impl Look {
    fn is_in_head_of(&self, octets: &[u8]) -> bool {
        let head = octets.get(..HEAD_OCTETS_MAX).unwrap_or(octets);
        memmem::find(head, &self.session_id).is_some()
    }

    fn give(
        &self,
        direction: Direction,
        addresses: Option<(SocketAddr, SocketAddr)>,
        ends_frame: bool,
        octets: Vec<u8>,
    ) -> bool {
        self.tracer.give(TraceRecord {
            time_ns: time_ns(),
            room: self.room.clone(),
            participant: self.participant.clone(),
            direction,
            addresses,
            ends_frame,
            octets,
            dropped: 0,
        })
    }
}

impl<I: Io> Shard<I> {
    /// Somebody wants to see what sessions of a room say.
    pub(super) fn start_trace(&mut self, scope: TraceScope, tracer: Tracer) -> Answer {
        self.traces.retain(|trace| !trace.tracer.is_closed());
        if self.traces.len() >= TRACES_MAX {
            let detail = format!("{TRACES_MAX} traces run on this shard, the most it may; end one");
            return Err(ControlError::new(ErrorCode::Limit, detail));
        }
        let legs: Vec<_> = match &scope {
            TraceScope::Participant(room, participant) => vec![self.find(room, participant)?],
            TraceScope::Room(room) => {
                let running = self.rooms.get(room).ok_or_else(no_such_room)?;
                running.participants.values().copied().collect()
            }
            TraceScope::Node => {
                let rooms = self.rooms.values();
                let legs = rooms.flat_map(|room| room.participants.values().copied());
                legs.collect()
            }
        };
        tracing::info!(?scope, shard = self.environment.index, "trace started");
        self.traces.push(Trace { scope, tracer });
        let newest = self.traces.len() - 1;
        for leg in legs {
            self.tap(leg, newest);
        }
        Ok(Reply::Done)
    }

    /// A session has got a connection: who wants to see it, does.
    pub(super) fn tap_bound(&mut self, leg: LegKey) {
        for index in 0..self.traces.len() {
            self.tap(leg, index);
        }
    }

    /// Lets a trace see a session, when it is one of its own and has a connection.
    fn tap(&mut self, leg: LegKey, trace: usize) {
        let (Some(trace), Some(session)) = (self.traces.get(trace), self.sessions.get(leg)) else {
            return;
        };
        let is_wanted = match &trace.scope {
            TraceScope::Node => true,
            TraceScope::Room(room) => *room == session.room,
            TraceScope::Participant(room, participant) => {
                *room == session.room && *participant == session.participant
            }
        };
        let Some(conn) = session.bound().filter(|_| is_wanted) else {
            return;
        };
        let addresses = self.io.addresses(conn);
        let Some(connection) = self.connections.get_mut(conn) else {
            return;
        };
        let is_between_frames = !connection.is_in_request && connection.head_octets.is_empty();
        let tap = connection.outbox.tap.get_or_insert_with(|| {
            Box::new(Tap {
                looks: Vec::new(),
                undecided: Vec::new(),
                is_between_frames,
                addresses,
            })
        });
        tap.looks.push(Look {
            leg,
            session_id: session.session_id().into(),
            room: session.room.clone(),
            participant: session.participant.clone(),
            tracer: trace.tracer.clone(),
            is_in_own_frame: false,
        });
    }

    /// A session leaves its connection.
    pub(super) fn untap(&mut self, conn: ConnKey, leg: LegKey) {
        if let Some(connection) = self.connections.get_mut(conn)
            && let Some(tap) = connection.outbox.tap.as_deref_mut()
        {
            tap.looks.retain(|look| look.leg != leg);
            if tap.looks.is_empty() {
                connection.outbox.tap = None;
            }
        }
    }

    /// Octets of a connection with a tap are being read.
    pub(super) fn tap_inbound(&mut self, conn: ConnKey, part: &[u8], ends_frame: bool) {
        if let Some(connection) = self.connections.get_mut(conn)
            && let Some(tap) = connection.outbox.tap.as_deref_mut()
            && !tap.inbound(part, ends_frame)
        {
            connection.outbox.tap = None;
        }
    }

    /// A header section has been read, and may have given the connection its session. Whether it has a
    /// tap now; the tap is shown the header section then, of which earlier reads have kept a part.
    pub(super) fn tap_first(&mut self, conn: ConnKey, head: &[u8]) -> bool {
        let Some(connection) = self.connections.get_mut(conn) else {
            return false;
        };
        let Some(tap) = connection.outbox.tap.as_deref_mut() else {
            return false;
        };
        tap.is_between_frames = true;
        tap.inbound(&connection.head_octets, false) && tap.inbound(head, false)
    }

    /// A response came by way of the shard that has the socket, which forwards its meaning alone: it is
    /// shown as it has to read.
    pub(super) fn tap_answer(&mut self, conn: ConnKey, id: TransactionId, status: StatusCode) {
        let Some(connection) = self.connections.get(conn) else {
            return;
        };
        if connection.outbox.tap.is_none() {
            return;
        }
        let asked = connection.sessions.iter().copied().find(|leg| {
            let session = self.sessions.get(*leg);
            session.is_some_and(|session| session.transactions.is_open(&id))
        });
        let Some(session) = asked.and_then(|leg| self.sessions.get(leg)) else {
            return;
        };
        let Some(peer) = session.peer() else { return };
        let mut octets = Vec::new();
        let phrase = Some(status.phrase());
        encode::response(&mut octets, id, status, phrase, &session.own, peer.first());
        self.tap_inbound(conn, &octets, true);
    }

    /// A session has ended; a trace of it alone is over.
    pub(super) fn end_traces_of(&mut self, room: &RoomId, participant: Option<&ParticipantId>) {
        self.traces.retain(|trace| {
            let is_over = match &trace.scope {
                TraceScope::Node => false,
                TraceScope::Room(of) => of == room && participant.is_none(),
                TraceScope::Participant(of, traced) => {
                    of == room && participant.is_none_or(|ended| ended == traced)
                }
            };
            !is_over
        });
    }
}

/// The time of day, nanoseconds since 1970.
fn time_ns() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    })
}

/// Behind it, the session is known.
const FROM_PATH: &[u8] = b"\r\nFrom-Path:";
/// Octets of a frame in which the session's id may stand.
const HEAD_OCTETS_MAX: usize = msrp_wire::limits::HEAD_OCTETS_MAX;

#[cfg(test)]
mod tests {
    use msrp_control::TraceStream;

    use super::super::session_ids::tests::legs;
    use super::*;

    fn tap(session_id: &[u8]) -> (Tap, TraceStream) {
        let (tracer, stream) = msrp_control::tracer();
        let look = Look {
            leg: legs()[0],
            session_id: session_id.into(),
            room: RoomId::new("lunch").unwrap(),
            participant: ParticipantId::new("alice").unwrap(),
            tracer,
            is_in_own_frame: false,
        };
        let tap = Tap {
            looks: vec![look],
            undecided: Vec::new(),
            is_between_frames: true,
            addresses: None,
        };
        (tap, stream)
    }

    fn taken(stream: &mut TraceStream) -> Vec<(String, bool)> {
        let mut records = Vec::new();
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        while let std::task::Poll::Ready(Some(record)) =
            std::pin::pin!(stream.next()).poll(&mut context)
        {
            let text = String::from_utf8(record.octets).unwrap();
            records.push((text, record.ends_frame));
        }
        records
    }

    const OWN: &str =
        "MSRP a SEND\r\nTo-Path: msrp://h:1/own;tcp\r\nFrom-Path: msrp://p:1/x;tcp\r\n";
    const OTHER: &str =
        "MSRP b SEND\r\nTo-Path: msrp://h:1/not;tcp\r\nFrom-Path: msrp://p:1/y;tcp\r\n";

    #[test]
    fn tap_sees_its_own_session_alone_wherever_reads_end() {
        for cut in 0..OWN.len() {
            let (mut tap, mut stream) = tap(b"/own;");
            assert!(tap.inbound(OTHER.as_bytes(), false));
            assert!(tap.inbound(b"private", true));
            let (one, two) = OWN.split_at(cut);
            assert!(tap.inbound(one.as_bytes(), false));
            assert!(tap.inbound(two.as_bytes(), false));
            assert!(tap.inbound(b"body", true));
            assert!(tap.inbound(OTHER.as_bytes(), true));
            let records = taken(&mut stream);
            let text: String = records.iter().map(|(text, _)| text.as_str()).collect();
            assert_eq!(text, format!("{OWN}body"), "{cut}");
            let ends: Vec<_> = records.iter().map(|(_, ends)| *ends).collect();
            assert_eq!(ends.iter().filter(|ends| **ends).count(), 1);
            assert_eq!(ends.last(), Some(&true));
        }
    }

    #[test]
    fn tap_outbound_is_chosen_by_the_paths() {
        let (mut tap, mut stream) = tap(b"/own;");
        for (paths, body) in [(OWN, "mine"), (OTHER, "theirs: /own;")] {
            let parts = [paths.as_bytes(), body.as_bytes()];
            assert!(tap.outbound(parts[0], &parts.into_iter()));
        }
        assert_eq!(taken(&mut stream), [(format!("{OWN}mine"), true)]);
        drop(stream);
        assert!(!tap.outbound(OWN.as_bytes(), &[OWN.as_bytes()].into_iter()));
    }
}
