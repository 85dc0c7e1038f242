//! What session descriptions change in a session: the participant's side becomes known, later it
//! may change.
//!
//! ```text
//!   AddSession with offer, SetPeer --> connect_peer --> the leg takes part
//!   Reoffer, SetPeer again, same path --> what it takes and its direction change, nothing else
//!                           other path --> restart: new URI of ours, new connection, same leg
//! ```
//! Steps that can fail come before the first change, so that a description takes effect as a whole
//! or not at all.
//!
//! # Spec
//! RFC 4975 s.5.4 and s.8.4; CTRL-7.2.1.6.

use std::net::SocketAddr;

use msrp_control::{ControlError, ErrorCode, ParticipantId, Reply, RoomId};
use msrp_sdp::{Description, Local};
use msrp_session::{Timestamp, Transactions};
use msrp_switch::LegKey;
use msrp_transport::Layer;
use msrp_wire::MsrpUriBuf;
use ring_io::{ConnKey, Io};

use super::Shard;
use super::commands::Answer;
use super::connection::{Connection, Inbound, Phase};
use super::inbound::Named;
use super::layer::Layered;
use super::session::{Early, Link};
use super::timers::Timer;
use crate::defect::Defect;
use crate::mailbox::{Destination, OfferedAgain, PeerMedia, Reoffer};

impl<I: Io> Shard<I> {
    /// The participant has answered an offer of ours.
    pub(super) fn set_peer(
        &mut self,
        now: Timestamp,
        room: &RoomId,
        participant: &ParticipantId,
        peer: PeerMedia,
    ) -> Answer {
        let leg = self.find(room, participant)?;
        let session = self.sessions.get(leg).ok_or_else(no_session)?;
        if session.is_secure() != peer.is_secure {
            let detail = "the answer has TLS where the offer has none, or the reverse";
            return Err(ControlError::new(ErrorCode::NotAcceptable, detail));
        }
        self.connect_peer(now, leg, peer, None)?;
        if let Some(session) = self.sessions.get_mut(leg) {
            let early_bird = session.early_bird.take();
            self.read_early_bird(now, early_bird, leg);
        }
        Ok(Reply::Done)
    }

    /// Changes a session, and answers its command.
    pub(super) fn handle_reoffer(&mut self, now: Timestamp, reoffer: Reoffer) {
        let Reoffer {
            room,
            participant,
            local,
            offer,
            reply,
        } = reoffer;
        let answer = self.find(&room, &participant);
        let answer = answer.and_then(|leg| match offer {
            Some(offer) => self.take_offer(now, leg, local, offer),
            None => self.offer_again(leg, local),
        });
        if answer.is_ok() {
            self.tell_updated(&room, &participant);
        }
        let _ = reply.send(answer);
    }

    fn take_offer(
        &mut self,
        now: Timestamp,
        leg: LegKey,
        mut local: Local,
        offer: OfferedAgain,
    ) -> Answer {
        let session = self.sessions.get(leg).ok_or_else(no_session)?;
        let has_moved = session.has_moved(&offer.peer.path).ok_or_else(unanswered)?;
        if !has_moved {
            local.path = session.own.clone();
        }
        let own = has_moved.then(|| local.path.clone());
        self.connect_peer(now, leg, offer.peer, own)?;
        let answer = |local: &Local| local.answer(&offer.description, &offer.media);
        let sdp = self.sessions.describe(leg, local, answer);
        sdp.map(Reply::Sdp).ok_or_else(no_session)
    }

    /// Offers the present session, with the sections that the participant knows.
    fn offer_again(&mut self, leg: LegKey, mut local: Local) -> Answer {
        let session = self.sessions.get(leg).ok_or_else(no_session)?;
        if !session.is_answered() {
            return Err(unanswered());
        }
        local.path = session.own.clone();
        let known = session.description().ok_or_else(no_session)?;
        let known = Description::parse(&known)
            .and_then(|known| known.message_media().map(|media| (known, media)));
        let (known, media) =
            known.map_err(|error| ControlError::new(ErrorCode::Unavailable, error.to_string()))?;
        let offer = |local: &Local| local.offer_again(&known, &media);
        let sdp = self.sessions.describe(leg, local, offer);
        sdp.map(Reply::Sdp).ok_or_else(no_session)
    }

    /// Both sides are known, or known anew: the leg takes part in the room from now on. A path that
    /// differs from the known one makes a new session in the place of the old; `own` is our URI of
    /// it.
    pub(super) fn connect_peer(
        &mut self,
        now: Timestamp,
        leg: LegKey,
        peer: PeerMedia,
        own: Option<MsrpUriBuf>,
    ) -> Result<(), ControlError> {
        let session = self.sessions.get(leg).ok_or_else(no_session)?;
        let has_moved = session.has_moved(&peer.path).unwrap_or(false);
        let is_waiting = has_moved || matches!(session.link, Link::Waiting(_));
        let destination = peer.connect.filter(|_| is_waiting).transpose()?;
        let (opened, sought) = match destination {
            Some(Destination::Name(host)) => (None, Some(self.seek(leg, *host)?)),
            Some(Destination::Address(to, layer)) => (Some(self.open(leg, to, layer)?), None),
            None => (None, None),
        };
        if has_moved {
            self.restart(now, leg, own);
        }
        if let Some(session) = self.sessions.get_mut(leg) {
            if let Some(conn) = opened {
                session.link.open(conn);
            } else if let (Some(sought), Link::Waiting(early)) = (sought, &mut session.link) {
                early.sought = Some(sought);
            }
            session.set_peer(&peer.path);
            session.fingerprint = peer.fingerprint.map(Box::new);
            if let Link::Waiting(early) | Link::Opening(_, early) = &mut session.link {
                early.since = now;
                let deadline = now.after(self.environment.limits.unbound_ns);
                if let Some(timer) = session.binding.take() {
                    self.timers.cancel(timer);
                }
                session.binding = self.timers.set(deadline, Timer::Unbound(leg));
            }
        }
        self.switch
            .set_acceptance(leg, peer.acceptance, peer.may_send, peer.may_receive);
        if !self.environment.planted.strikes(Defect::JoinForgotten) {
            self.join_when_ready(now, leg);
        }
        Ok(())
    }

    /// Opens a connection for a session.
    pub(super) fn open(
        &mut self,
        leg: LegKey,
        address: SocketAddr,
        layer: Option<Box<Layer>>,
    ) -> Result<ConnKey, ControlError> {
        let counted = self.environment.admit().ok_or_else(|| {
            let detail = "the node has limits.connections_max connections".to_owned();
            ControlError::new(ErrorCode::Unavailable, detail)
        })?;
        let conn = self.io.connect(address).map_err(|error| {
            let detail = format!("no connection could be opened: {error}");
            ControlError::new(ErrorCode::Unavailable, detail)
        })?;
        let mut connection = Connection::new(Phase::Opening(leg), &self.spares);
        connection.layer = layer.map(|layer| Box::new(Layered::new(*layer)));
        connection.counted = Some(counted);
        self.connections.insert(conn, connection);
        Ok(conn)
    }

    /// Ends what is under way on a session and takes it off its connection; the leg stays.
    ///
    /// # Spec
    /// RFC 4975 s.5.4; MSRP-4975-5.4-15, MSRP-4975-5.4-22.
    fn restart(&mut self, now: Timestamp, leg: LegKey, own: Option<MsrpUriBuf>) {
        let planted = &self.environment.planted;
        if !planted.strikes(Defect::RestartForgotten) {
            self.switch.restart(leg);
        }
        self.carry_out(now);
        let Some(session) = self.sessions.get_mut(leg) else {
            return;
        };
        let (room, participant) = (&session.room, &session.participant);
        tracing::info!(%room, %participant, "session re-created");
        let old = session.connection();
        let was_bound = session.bound().is_some();
        session.link = Link::Waiting(Box::new(Early {
            since: now,
            ..Early::default()
        }));
        session.transactions = Transactions::new();
        if let Some(own) = own {
            self.sessions.rename(leg, own);
        }
        if was_bound {
            self.sessions.note_unbound();
        }
        let Some(conn) = old else { return };
        let planted = &self.environment.planted;
        if planted.strikes(Defect::OldConnectionKept) {
            return;
        }
        if let Some(connection) = self.connections.get_mut(conn)
            && matches!(connection.inbound, Inbound::Send { leg: open, .. } if open == leg)
        {
            connection.inbound = Inbound::Idle;
        }
        self.leave_connection(conn, leg);
    }

    /// A connection named a session whose participant has not answered yet: it waits, unread, until
    /// the answer says what the participant takes. What is said from its first response on reaches
    /// it. A connection that carries other sessions cannot wait, and is bound at once.
    pub(super) fn keep_early_bird(
        &mut self,
        now: Timestamp,
        conn: ConnKey,
        leg: LegKey,
        request: &[u8],
    ) -> Named {
        let is_there = |conn| self.connections.get(conn).is_some();
        let session = self.sessions.get(leg);
        if session.and_then(|s| s.early_bird).is_some_and(is_there) {
            return Named::BoundElsewhere;
        }
        let connection = self.connections.get_mut(conn);
        if connection.is_some_and(|c| c.wait_for_answer(leg, request)) {
            if let Some(session) = self.sessions.get_mut(leg) {
                session.early_bird = Some(conn);
            }
            self.io.read(conn, ring_io::Read::Paused);
            Named::Unanswered(leg)
        } else if self.bind(now, conn, leg) {
            Named::Here(leg)
        } else {
            Named::BoundElsewhere
        }
    }

    /// Reads on what came before the answer of the participant.
    pub(super) fn read_early_bird(&mut self, now: Timestamp, conn: Option<ConnKey>, leg: LegKey) {
        let Some(conn) = conn else { return };
        if let Some(connection) = self.connections.get_mut(conn)
            && matches!(connection.phase, Phase::Early(named) if named == leg)
        {
            connection.phase = Phase::Unnamed;
            self.read_on(now, conn);
        }
    }
}

fn no_session() -> ControlError {
    ControlError::new(ErrorCode::NoSuchParticipant, "the session has ended")
}

fn unanswered() -> ControlError {
    let detail = "the participant has not answered the first offer";
    ControlError::new(ErrorCode::WrongState, detail)
}
