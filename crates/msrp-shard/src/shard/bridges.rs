//! Bridges: two sessions back to back.
//!
//! ```text
//!   Create --> Unanswered --Connect--> Answered --Connect (again)--+
//!                  |                      |   ^--------------------+
//!                  |                      +--a session ended, idle, Delete, Refuse--> gone
//!                  +--nobody answered in time, Delete, Refuse--> gone
//! ```
//! Both sessions go together: who sends to one side must not believe that the other is still there. The side that
//! goes first has its open messages told to the other one before that is closed.

use msrp_control::{
    BridgeEvent, BridgeId, BridgeLegState, BridgeState, ControlError, EndReason, ErrorCode, Event,
    LegLink, ParticipantId, Reply, RoomId, Side,
};
use msrp_sdp::Local;
use msrp_session::Timestamp;
use msrp_switch::{LegKey, RoomKey};
use msrp_wire::limits::NON_SEND_BODY_OCTETS_MAX;
use msrp_wire::{ByteRange, ContentTypeBuf, MessageId, MsrpUriBuf, RequestHead, StatusCode};
use ring_io::{ConnKey, Io};

use super::Shard;
use super::commands::Answer;
use super::connection::{ArrivingReport, Inbound};
use super::session::{Link, Session};
use super::timers::Timer;
use crate::engine::no_such_bridge;
use crate::mailbox::{BridgeMessage, BridgeTask, PeerMedia};
use crate::metrics::Cell;

/// A bridge of this shard.
pub(super) struct RunningBridge {
    room: RoomKey,
    /// In the order of [`Side::BOTH`].
    legs: [LegKey; 2],
    started: Timestamp,
    is_answered: bool,
    /// What had come from both sides when somebody was last heard, and when that was noticed.
    heard: (u64, Timestamp),
}

impl RunningBridge {
    fn side(&self, leg: LegKey) -> Side {
        if self.legs[0] == leg {
            Side::Offerer
        } else {
            Side::Answerer
        }
    }
}

impl<I: Io> Shard<I> {
    pub(super) fn handle_bridge(&mut self, now: Timestamp, message: BridgeMessage) {
        let BridgeMessage {
            bridge,
            what,
            reply,
        } = message;
        let answer = match what {
            BridgeTask::Create(own, sdp) => self.create_bridge(now, bridge, own, sdp),
            BridgeTask::Connect(peers, sdp) => self.connect_bridge(now, &bridge, *peers, sdp),
            BridgeTask::Refuse(sdp) => {
                let ended = self.delete_bridge(now, &bridge);
                ended.map(|_| Reply::Sdp(sdp))
            }
            BridgeTask::Delete => self.delete_bridge(now, &bridge),
            BridgeTask::Describe => self.describe_bridge(now, &bridge),
        };
        let _ = reply.send(answer);
    }

    fn create_bridge(
        &mut self,
        now: Timestamp,
        id: BridgeId,
        own: [MsrpUriBuf; 2],
        sdp: String,
    ) -> Answer {
        // A shard that fails takes bridges out of the registry before their command has come to it.
        let is_ours = self.environment.bridges.is_on(&id, self.environment.index);
        if !is_ours || self.bridges.contains_key(&id) {
            let detail = "the shard failed while the bridge was made; try again";
            return Err(ControlError::new(ErrorCode::Unavailable, detail));
        }
        let names = (RoomId::new(id.as_str()), Side::BOTH.map(name));
        let (Ok(room), [Ok(first), Ok(second)]) = names else {
            return Err(no_such_bridge());
        };
        let Some((key, legs)) = self.switch.create_bridge() else {
            self.environment.bridges.remove(&id);
            let detail = "no more bridges fit into memory";
            return Err(ControlError::new(ErrorCode::Limit, detail));
        };
        for ((leg, own), name) in legs.into_iter().zip(own).zip([first, second]) {
            let local = Local::new((String::new(), 0), own, 0);
            let mut session = Session::new(room.clone(), name, local, now);
            session.is_bridged = true;
            self.sessions.insert(leg, session, "");
        }
        let running = RunningBridge {
            room: key,
            legs,
            started: now,
            is_answered: false,
            heard: (0, now),
        };
        self.bridges.insert(id.clone(), running);
        let unanswered_ns = self.environment.limits.bridge_unanswered_ns;
        self.timers
            .set(now.after(unanswered_ns), Timer::Bridge(legs[0]));
        self.environment.counters.count(Cell::BridgesStarted);
        tracing::info!(bridge = %id, shard = self.environment.index, "bridge started");
        self.tell_bridge(BridgeEvent::Started { bridge: id });
        Ok(Reply::Sdp(sdp))
    }

    /// Both sides are known, or known anew.
    fn connect_bridge(
        &mut self,
        now: Timestamp,
        id: &BridgeId,
        peers: [(PeerMedia, MsrpUriBuf); 2],
        sdp: String,
    ) -> Answer {
        let running = self.bridges.get(id).ok_or_else(no_such_bridge)?;
        let legs = running.legs;
        for (leg, (peer, _)) in legs.iter().zip(&peers) {
            if let Some(Err(error)) = &peer.connect
                && self.is_to_connect(*leg, peer)
            {
                return Err(error.clone());
            }
        }
        for (leg, (peer, own)) in legs.into_iter().zip(peers) {
            self.rename_before_use(leg, &own);
            self.connect_peer(now, leg, peer, Some(own))?;
        }
        if let Some(running) = self.bridges.get_mut(id) {
            running.is_answered = true;
            running.heard.1 = now;
        }
        self.tell_bridge(BridgeEvent::Answered { bridge: id.clone() });
        for leg in legs {
            if let Some(session) = self.sessions.get_mut(leg) {
                let early_bird = session.early_bird.take();
                self.read_early_bird(now, early_bird, leg);
            }
        }
        Ok(Reply::Sdp(sdp))
    }

    /// Whether a connection to this peer has to be opened.
    fn is_to_connect(&self, leg: LegKey, peer: &PeerMedia) -> bool {
        self.sessions.get(leg).is_some_and(|session| {
            session.has_moved(&peer.path).unwrap_or(true)
                || matches!(session.link, Link::Waiting(_))
        })
    }

    /// A side that was never answered may have been offered another URI of ours since.
    fn rename_before_use(&mut self, leg: LegKey, own: &MsrpUriBuf) {
        let session = self.sessions.get(leg);
        if session.is_some_and(|session| !session.is_answered() && session.own != *own) {
            self.sessions.rename(leg, own.clone());
        }
    }

    /// A controller ends a bridge: in good order, so that nobody is left with half a message.
    fn delete_bridge(&mut self, now: Timestamp, id: &BridgeId) -> Answer {
        let running = self.bridges.get(id).ok_or_else(no_such_bridge)?;
        for leg in running.legs {
            self.switch.end_copies(leg);
        }
        self.carry_out(now);
        let state = self.end_bridge(now, id, EndReason::Removed, None);
        let state = state.ok_or_else(no_such_bridge)?;
        Ok(Reply::Bridge(Box::new(state)))
    }

    /// A session of a bridge ends, and the bridge with it.
    pub(super) fn end_bridge_with(&mut self, now: Timestamp, leg: LegKey, reason: EndReason) {
        if let Some(id) = self.bridge_of(leg) {
            let side = self.bridges.get(&id).map(|running| running.side(leg));
            self.end_bridge(now, &id, reason, side);
        }
    }

    /// Ends every bridge: the node goes down.
    pub(super) fn end_bridges(&mut self, now: Timestamp) {
        for id in self.bridges.keys().cloned().collect::<Vec<_>>() {
            self.end_bridge(now, &id, EndReason::Shutdown, None);
        }
    }

    fn end_bridge(
        &mut self,
        now: Timestamp,
        id: &BridgeId,
        reason: EndReason,
        side: Option<Side>,
    ) -> Option<BridgeState> {
        let running = self.bridges.remove(id)?;
        let mut state = self.state_of(now, &running);
        let first = side.unwrap_or(Side::Offerer);
        for side in [first, first.other()] {
            // That the first one goes may fail messages of the other.
            let leg = running.legs[side.index()];
            state.legs[side.index()] = self.leg_state(leg);
            let _ = self.take_session(now, leg, reason);
        }
        self.switch.close_room(running.room);
        self.environment.bridges.remove(id);
        tracing::info!(bridge = %id, %reason, "bridge ended");
        self.tell_bridge(BridgeEvent::Ended {
            bridge: id.clone(),
            reason,
            side,
            state: Some(Box::new(state)),
        });
        Some(state)
    }

    fn describe_bridge(&self, now: Timestamp, id: &BridgeId) -> Answer {
        let running = self.bridges.get(id).ok_or_else(no_such_bridge)?;
        Ok(Reply::Bridge(Box::new(self.state_of(now, running))))
    }

    fn state_of(&self, now: Timestamp, running: &RunningBridge) -> BridgeState {
        BridgeState {
            is_answered: running.is_answered,
            age_ms: now.since(running.started) / NS_PER_MS,
            legs: running.legs.map(|leg| self.leg_state(leg)),
        }
    }

    fn leg_state(&self, leg: LegKey) -> BridgeLegState {
        let sums = self.switch.bridge_sums(leg).unwrap_or_default();
        let link = self.sessions.get(leg).map(|session| &session.link);
        BridgeLegState {
            link: match link {
                Some(Link::Waiting(_)) | None => LegLink::Waiting,
                Some(Link::Opening(..)) => LegLink::Connecting,
                Some(Link::Bound(_)) => LegLink::Connected,
            },
            requests: sums.requests,
            messages: sums.messages,
            octets: sums.octets,
            failed: sums.failed,
            reports: sums.reports,
        }
    }

    /// A side of a bridge has its connection. Whoever sends to it waits for it.
    pub(super) fn bridge_bound(&mut self, conn: ConnKey, leg: LegKey) {
        if let Some(connection) = self.connections.get_mut(conn) {
            connection.pace.is_bridged = true;
        }
        if let Some(bridge) = self.bridge_of(leg)
            && let Some(running) = self.bridges.get(&bridge)
        {
            let side = running.side(leg);
            self.tell_bridge(BridgeEvent::Bound { bridge, side });
        }
    }

    /// The time of a bridge without answer is over, or it is looked whether it is idle.
    pub(super) fn look_at_bridge(&mut self, now: Timestamp, leg: LegKey) {
        let limits = &self.environment.limits;
        let (idle_ns, unanswered_ns) = (limits.bridge_idle_ns, limits.bridge_unanswered_ns);
        let Some(id) = self.bridge_of(leg) else {
            return;
        };
        let Some(running) = self.bridges.get_mut(&id) else {
            return;
        };
        let reason = if running.is_answered {
            let sums = running.legs.map(|leg| self.switch.bridge_sums(leg));
            let heard = sums
                .iter()
                .flatten()
                .map(|sums| sums.requests + sums.reports);
            let heard: u64 = heard.sum();
            if running.heard.0 != heard {
                running.heard = (heard, now);
            }
            (running.heard.1.after(idle_ns) <= now).then_some(EndReason::Idle)
        } else {
            (running.started.after(unanswered_ns) <= now).then_some(EndReason::Unanswered)
        };
        match reason {
            Some(reason) => {
                self.end_bridge(now, &id, reason, None);
            }
            None => {
                let next = now.after((idle_ns / LOOKS_PER_IDLE_TIME).max(1));
                self.timers.set(next, Timer::Bridge(leg));
            }
        }
    }

    /// A REPORT begins on one side of a bridge. Whether it has a document, which then arrives first.
    pub(super) fn begin_bridged_report(
        &mut self,
        leg: LegKey,
        head: &RequestHead<'_>,
        about: (MessageId, Option<ByteRange>, StatusCode),
    ) -> bool {
        let content_type = head.content_type.filter(|_| head.has_body);
        let content_type = content_type.and_then(|value| ContentTypeBuf::parse(value).ok());
        let conn = self.sessions.get(leg).and_then(Session::bound);
        let Some((content_type, conn)) = content_type.zip(conn) else {
            return false;
        };
        if !self.switch.is_bridged(leg) {
            return false;
        }
        if let Some(connection) = self.connections.get_mut(conn) {
            connection.inbound = Inbound::Report(Box::new(ArrivingReport {
                leg,
                about,
                content_type,
                body: Vec::new(),
            }));
        }
        true
    }

    /// A REPORT with a document is whole.
    pub(super) fn end_bridged_report(&mut self, inbound: Inbound) {
        if let Inbound::Report(report) = inbound {
            let ArrivingReport {
                leg,
                about,
                content_type,
                body,
            } = *report;
            let is_whole = body.len() <= NON_SEND_BODY_OCTETS_MAX;
            let body = is_whole.then(|| (content_type, body.into()));
            self.switch.handle_bridged_report(leg, about, body);
        }
    }

    fn bridge_of(&self, leg: LegKey) -> Option<BridgeId> {
        let session = self.sessions.get(leg).filter(|s| s.is_bridged)?;
        BridgeId::new(session.room.as_str()).ok()
    }

    fn tell_bridge(&self, event: BridgeEvent) {
        self.environment.hub.publish(&Event::Bridge(event));
    }
}

impl ArrivingReport {
    /// Takes octets of the document. One that is longer than it may be passes without it.
    pub(super) fn push(&mut self, octets: &[u8]) {
        if self.body.len() <= NON_SEND_BODY_OCTETS_MAX {
            self.body.extend_from_slice(octets);
        }
    }
}

/// What logs call a side.
fn name(side: Side) -> Result<ParticipantId, msrp_control::IdError> {
    ParticipantId::new(side.as_str())
}

/// How often it is looked at a bridge in the time that it may be idle.
const LOOKS_PER_IDLE_TIME: u64 = 4;

const NS_PER_MS: u64 = 1_000_000;
