//! One participant's MSRP session, as the shard sees it.

use std::collections::HashMap;
use std::rc::Rc;

use msrp_control::{ParticipantId, RoomId};
use msrp_sdp::Local;
use msrp_session::{Piece, TimerKey, Timestamp, Transactions};
use msrp_switch::{Kind, LegKey, MessageKey};
use msrp_transport::Fingerprint;
use msrp_wire::{MsrpPathBuf, MsrpUriBuf, Scheme, TransactionId, encode};
use ring_io::ConnKey;

use super::outbox::CopyRef;
use crate::limits::EARLY_OCTETS_MAX;

/// A session. It has the key of its leg in the switch.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) room: RoomId,
    pub(super) participant: ParticipantId,
    /// Our URI. Its session-id is a secret between us and the participant.
    pub(super) own: MsrpUriBuf,
    /// The participant's path; unknown until it has answered our offer.
    pub(super) peer: Option<MsrpPathBuf>,
    /// What the participant's certificate has to be over TLS, when it has said so.
    pub(super) fingerprint: Option<Box<Fingerprint>>,
    /// `To-Path` and `From-Path` of everything we send, made once.
    pub(super) paths: Rc<[u8]>,
    pub(super) link: Link,
    /// Set while it has to get a connection.
    pub(super) binding: Option<TimerKey>,
    pub(super) transactions: Transactions<Asked>,
    /// Whether a timer for the oldest transaction runs.
    pub(super) is_transaction_timed: bool,
    pub(super) started: Timestamp,
    /// Since when it has been looking for a connection; means nothing once it is bound.
    pub(super) waits_since: Timestamp,
    /// Our side as we described it last.
    local: Box<Local>,
    /// That description.
    pub(super) sdp: Box<str>,
    /// A connection that named the session before the participant's answer was known. It is read
    /// on once it is.
    pub(super) early_bird: Option<ConnKey>,
}

/// How a session is connected.
#[derive(Debug)]
pub(super) enum Link {
    /// Waiting for a connection that names it. Holds what is to be sent until then.
    Waiting(Early),
    /// We are opening the connection.
    Opening(ConnKey, Early),
    /// Bound to a connection.
    Bound(ConnKey),
}

/// What a request of ours was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// A piece of this message.
    Piece {
        message: MessageKey,
        is_last: bool,
        /// What the message holds.
        kind: Option<Kind>,
    },
    /// The empty SEND with which we opened the session.
    Opening,
}

/// Octets for a session that has no connection yet, in memory of our own.
#[derive(Debug, Default)]
pub(super) struct Early {
    pub(super) octets: Vec<u8>,
    pub(super) marks: Vec<(usize, CopyRef)>,
    /// Requests whose answers have to be waited for once they are written.
    pub(super) asked: Vec<(TransactionId, Asked)>,
}

impl Early {
    /// Keeps a piece. `false` when there is no room for it.
    pub(super) fn push(&mut self, piece: &Piece, paths: &[u8], done: Option<CopyRef>) -> bool {
        let octets = piece.octets_without_paths() + paths.len();
        if self.octets.len() + octets > EARLY_OCTETS_MAX {
            return false;
        }
        self.push_unbounded(piece, paths);
        if let Some(copy) = done {
            self.marks.push((self.octets.len(), copy));
        }
        true
    }

    /// Keeps a piece without body, of which there is one at most for each message.
    pub(super) fn push_unbounded(&mut self, piece: &Piece, paths: &[u8]) {
        let body = piece.body().iter().map(AsRef::as_ref);
        let parts = [piece.start(), paths, piece.tail()].into_iter().chain(body);
        for part in parts.chain([piece.end()]) {
            self.octets.extend_from_slice(part);
        }
    }
}

impl Session {
    pub(super) fn new(
        room: RoomId,
        participant: ParticipantId,
        (local, sdp): (Local, &str),
        started: Timestamp,
    ) -> Self {
        let own = local.path.clone();
        Self {
            room,
            participant,
            own,
            peer: None,
            fingerprint: None,
            paths: Rc::from(&[][..]),
            link: Link::Waiting(Early::default()),
            binding: None,
            transactions: Transactions::new(),
            is_transaction_timed: false,
            started,
            waits_since: started,
            local: Box::new(local),
            sdp: sdp.into(),
            early_bird: None,
        }
    }

    /// Describes our side anew. The version of the `o=` line grows when anything differs from the
    /// last description.
    ///
    /// # Spec
    /// RFC 3264 s.8, RFC 4975 s.8.4.
    pub(super) fn describe(
        &mut self,
        mut local: Local,
        compose: impl Fn(&Local) -> String,
    ) -> String {
        local.session_id = self.local.session_id;
        local.session_version = self.local.session_version;
        let mut sdp = compose(&local);
        if *sdp != *self.sdp {
            local.session_version = local.session_version.wrapping_add(1);
            sdp = compose(&local);
        }
        *self.local = local;
        self.sdp = sdp.as_str().into();
        sdp
    }

    pub(super) fn set_peer(&mut self, peer: MsrpPathBuf) {
        let mut paths = Vec::new();
        encode::paths(&mut paths, &peer, &self.own);
        self.paths = paths.into();
        self.peer = Some(peer);
    }

    /// Whether this path differs from the participant's present one, once that is known.
    pub(super) fn has_moved(&self, path: &MsrpPathBuf) -> Option<bool> {
        let present = self.peer.as_ref()?;
        Some(present.as_path() != path.as_path())
    }

    /// A piece was answered with 200. Whether that was the last answer that its copy waited for.
    ///
    /// When the last piece is answered before an earlier one, the earlier one takes over its mark.
    pub(super) fn completes_copy(&mut self, message: MessageKey, is_last: bool) -> bool {
        let open = self
            .transactions
            .contexts_mut()
            .find_map(|asked| match asked {
                Asked::Piece {
                    message: other,
                    is_last,
                    ..
                } if *other == message => Some(is_last),
                Asked::Piece { .. } | Asked::Opening => None,
            });
        match open {
            Some(earlier) => {
                *earlier |= is_last;
                false
            }
            None => is_last,
        }
    }

    pub(super) fn session_id(&self) -> &[u8] {
        self.own.as_uri().session_id().unwrap_or_default()
    }

    /// Whether its URI asks for TLS.
    pub(super) fn is_secure(&self) -> bool {
        self.own.as_uri().scheme() == Scheme::Msrps
    }

    /// The connection that carries the session, or that is being opened for it.
    pub(super) fn connection(&self) -> Option<ConnKey> {
        match &self.link {
            Link::Waiting(_) => None,
            Link::Opening(conn, _) | Link::Bound(conn) => Some(*conn),
        }
    }

    pub(super) fn bound(&self) -> Option<ConnKey> {
        match &self.link {
            Link::Waiting(_) | Link::Opening(..) => None,
            Link::Bound(conn) => Some(*conn),
        }
    }
}

/// All sessions of a shard, by leg and by session-id.
///
/// Found by leg for every piece and recipient: a slot number, no hash. Found by session-id once
/// for each binding.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    by_leg: Vec<Option<(LegKey, Box<Session>)>>,
    by_session_id: HashMap<Box<[u8]>, LegKey>,
}

impl Sessions {
    pub(super) fn insert(&mut self, leg: LegKey, session: Session) {
        self.by_session_id.insert(session.session_id().into(), leg);
        if self.by_leg.len() <= leg.index() {
            self.by_leg.resize_with(leg.index() + 1, || None);
        }
        self.by_leg[leg.index()] = Some((leg, Box::new(session)));
    }

    pub(super) fn remove(&mut self, leg: LegKey) -> Option<Box<Session>> {
        let slot = self.by_leg.get_mut(leg.index())?;
        let (_, session) = slot.take_if(|(key, _)| *key == leg)?;
        self.by_session_id.remove(session.session_id());
        Some(session)
    }

    pub(super) fn get(&self, leg: LegKey) -> Option<&Session> {
        let (key, session) = self.by_leg.get(leg.index())?.as_ref()?;
        (*key == leg).then_some(session)
    }

    pub(super) fn get_mut(&mut self, leg: LegKey) -> Option<&mut Session> {
        let (key, session) = self.by_leg.get_mut(leg.index())?.as_mut()?;
        (*key == leg).then_some(session)
    }

    /// Gives a session a new URI of ours. Requests to the old one find nothing from now on.
    pub(super) fn rename(&mut self, leg: LegKey, own: MsrpUriBuf) {
        let Some(session) = self.get_mut(leg) else {
            return;
        };
        let old: Box<[u8]> = session.session_id().into();
        session.own = own;
        let new: Box<[u8]> = session.session_id().into();
        self.by_session_id.remove(&old);
        self.by_session_id.insert(new, leg);
    }

    /// The leg whose session has this id.
    pub(super) fn find(&self, session_id: &[u8]) -> Option<LegKey> {
        self.by_session_id.get(session_id).copied()
    }

    pub(super) fn count(&self) -> usize {
        self.by_session_id.len()
    }
}
