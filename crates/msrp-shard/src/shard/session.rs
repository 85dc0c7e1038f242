//! One participant's MSRP session, as the shard sees it.

use std::rc::Rc;

use msrp_control::{ParticipantId, RoomId};
use msrp_sdp::Local;
use msrp_session::{Piece, Question, TimerKey, Timestamp, Transactions};
use msrp_switch::{Kind, LegKey, MessageKey};
use msrp_transport::Fingerprint;
use msrp_wire::{MsrpPathBuf, MsrpUriBuf, Path, Scheme, encode};
use ring_io::ConnKey;

use super::accounting::Account;
use super::outbox::CopyRef;
use super::seeking::Sought;
use super::session_ids::SessionIds;
use super::wording::{self, Origin, Wordings};
use crate::limits::EARLY_OCTETS_MAX;

/// A session. It has the key of its leg in the switch.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) room: RoomId,
    pub(super) participant: ParticipantId,
    /// Whether it is one side of a bridge. `room` then has the id of the bridge, and `participant` the name
    /// of the side.
    pub(super) is_bridged: bool,
    /// Our URI. Its session-id is a secret between us and the participant.
    pub(super) own: MsrpUriBuf,
    /// What the participant's certificate has to be over TLS, when it has said so.
    pub(super) fingerprint: Option<Box<Fingerprint>>,
    /// `To-Path` and `From-Path` of everything we send, made once. Empty until the participant has
    /// answered our offer.
    pub(super) paths: Rc<[u8]>,
    /// Octets of the participant's path, which stands in `paths` behind the name of its header field.
    peer_octets: usize,
    /// Octets of its leftmost URI.
    peer_first_octets: usize,
    pub(super) link: Link,
    /// Set while it has to get a connection.
    pub(super) binding: Option<TimerKey>,
    pub(super) transactions: Transactions<Asked>,
    /// Whether a timer for the oldest transaction runs.
    pub(super) is_transaction_timed: bool,
    pub(super) started: Timestamp,
    /// The `o=` line of our last description.
    origin: Origin,
    /// What it said otherwise; `None` when it named another URI of ours.
    wording: Option<Rc<str>>,
    /// A connection that named the session before the participant's answer was known. It is read
    /// on once it is.
    pub(super) early_bird: Option<ConnKey>,
    /// Messages that ended for it because too much was waiting, and of which it was not told.
    pub(super) missed: u32,
    pub(super) account: Account,
}

/// How a session is connected.
#[derive(Debug)]
pub(super) enum Link {
    /// Waiting for a connection that names it. Holds what is to be sent until then.
    Waiting(Box<Early>),
    /// We are opening the connection.
    Opening(ConnKey, Box<Early>),
    /// Bound to a connection.
    Bound(ConnKey),
}

impl Link {
    /// This connection is being opened now.
    pub(super) fn open(&mut self, conn: ConnKey) {
        let early = match self {
            Self::Waiting(early) | Self::Opening(_, early) => std::mem::take(early),
            Self::Bound(_) => Box::default(),
        };
        *self = Self::Opening(conn, early);
    }
}

/// What a request of ours was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// A piece of this message.
    Piece {
        message: MessageKey,
        /// What the message holds.
        kind: Option<Kind>,
        /// Whether it is the whole message.
        is_only: bool,
    },
    /// The empty SEND with which we opened the session.
    Opening,
}

/// Octets for a session that has no connection yet, in memory of our own.
#[derive(Debug, Default)]
pub(super) struct Early {
    /// Since when the session has been looking for a connection.
    pub(super) since: Timestamp,
    pub(super) octets: Vec<u8>,
    pub(super) marks: Vec<(usize, CopyRef)>,
    /// Requests whose answers have to be waited for once they are written.
    /// With each whether its answer completes a copy.
    pub(super) asked: Vec<(Rc<Question<Asked>>, bool)>,
    /// The participant is being looked for, as its path names it.
    pub(super) sought: Option<Box<Sought>>,
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
        local: Local,
        started: Timestamp,
    ) -> Self {
        Self {
            room,
            participant,
            is_bridged: false,
            origin: Origin {
                id: local.session_id,
                version: local.session_version,
            },
            wording: None,
            own: local.path,
            fingerprint: None,
            paths: Rc::from(&[][..]),
            peer_octets: 0,
            peer_first_octets: 0,
            link: Link::Waiting(Box::new(Early {
                since: started,
                ..Early::default()
            })),
            binding: None,
            transactions: Transactions::new(),
            is_transaction_timed: false,
            started,
            early_bird: None,
            missed: 0,
            account: Account::default(),
        }
    }

    pub(super) fn set_peer(&mut self, peer: &MsrpPathBuf) {
        let mut paths = Vec::new();
        encode::paths(&mut paths, peer, &self.own);
        self.paths = paths.into();
        self.peer_octets = peer.raw().len();
        self.peer_first_octets = peer.first_raw().len();
    }

    /// Whether the participant's side is known.
    pub(super) fn is_answered(&self) -> bool {
        self.peer_octets > 0
    }

    /// The participant's path; unknown until it has answered our offer.
    pub(super) fn peer(&self) -> Option<Path<'_>> {
        let (_, path) = self.paths.split_at_checked(TO_PATH.len())?;
        Path::parse(path.get(..self.peer_octets)?).ok()
    }

    /// The leftmost URI of it, as a text.
    pub(super) fn peer_first_raw(&self) -> &[u8] {
        let path = self.paths.get(TO_PATH.len()..).unwrap_or_default();
        path.get(..self.peer_first_octets).unwrap_or_default()
    }

    /// Whether this path differs from the participant's present one, once that is known.
    pub(super) fn has_moved(&self, path: &MsrpPathBuf) -> Option<bool> {
        Some(self.peer()? != path.as_path()?)
    }

    /// A piece was answered with 200. Whether that was the last answer that its copy waited for.
    ///
    /// When the last piece is answered before an earlier one, the earlier one takes over its mark.
    pub(super) fn completes_copy(&mut self, message: MessageKey, is_last: bool) -> bool {
        let is_of_it = |asked: &Asked| matches!(asked, Asked::Piece { message: other, .. } if *other == message);
        match self.transactions.oldest_is_last(is_of_it) {
            Some(earlier) => {
                *earlier |= is_last;
                false
            }
            None => is_last,
        }
    }

    /// Our last description, unless it named another URI of ours.
    pub(super) fn description(&self) -> Option<String> {
        let wording = self.wording.as_ref()?;
        Some(wording::description(wording, &self.own, self.origin))
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

    /// Since when it has been looking for a connection, while it does.
    pub(super) fn waits_since(&self) -> Option<Timestamp> {
        match &self.link {
            Link::Waiting(early) | Link::Opening(_, early) => Some(early.since),
            Link::Bound(_) => None,
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
    by_session_id: SessionIds,
    wordings: Wordings,
    bound_count: usize,
}

impl Sessions {
    /// Keeps a session, which has been described so.
    pub(super) fn insert(&mut self, leg: LegKey, mut session: Session, sdp: &str) {
        let wording = self.wordings.keep(sdp, &session.own, session.origin);
        session.wording = Some(wording);
        self.by_session_id.insert(session.session_id(), leg);
        if self.by_leg.len() <= leg.index() {
            self.by_leg.resize_with(leg.index() + 1, || None);
        }
        self.by_leg[leg.index()] = Some((leg, Box::new(session)));
    }

    pub(super) fn remove(&mut self, leg: LegKey) -> Option<Box<Session>> {
        let slot = self.by_leg.get_mut(leg.index())?;
        let (_, mut session) = slot.take_if(|(key, _)| *key == leg)?;
        self.by_session_id.remove(session.session_id(), leg);
        if let Some(wording) = session.wording.take() {
            self.wordings.forget(&wording);
        }
        self.bound_count -= usize::from(session.bound().is_some());
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
        if let Some(wording) = session.wording.take() {
            self.wordings.forget(&wording);
        }
        self.by_session_id.remove(&old, leg);
        self.by_session_id.insert(&new, leg);
    }

    /// Describes our side of a session anew. The version of the `o=` line grows when anything differs
    /// from the last description.
    ///
    /// # Spec
    /// RFC 3264 s.8, RFC 4975 s.8.4.
    pub(super) fn describe(
        &mut self,
        leg: LegKey,
        mut local: Local,
        compose: impl Fn(&Local) -> String,
    ) -> Option<String> {
        let known = self.get(leg)?.description();
        let session = self.get_mut(leg)?;
        local.session_id = session.origin.id;
        local.session_version = session.origin.version;
        let mut sdp = compose(&local);
        if known.is_none_or(|known| known != sdp) {
            session.origin.version = session.origin.version.wrapping_add(1);
            local.session_version = session.origin.version;
            sdp = compose(&local);
        }
        let (origin, old) = (session.origin, session.wording.take());
        if let Some(old) = old {
            self.wordings.forget(&old);
        }
        let wording = self.wordings.keep(&sdp, &local.path, origin);
        self.get_mut(leg)?.wording = Some(wording);
        Some(sdp)
    }

    /// The leg whose session has this id.
    pub(super) fn find(&self, session_id: &[u8]) -> Option<LegKey> {
        let is_it = |leg| self.get(leg).is_some_and(|s| s.session_id() == session_id);
        self.by_session_id.find(session_id, is_it)
    }

    pub(super) fn bound_count(&self) -> usize {
        self.bound_count
    }

    /// A session was bound to a connection.
    pub(super) fn note_bound(&mut self) {
        self.bound_count += 1;
    }

    /// A session that stays has no connection any more.
    pub(super) fn note_unbound(&mut self) {
        self.bound_count -= 1;
    }

    /// How many sessions there are.
    pub(super) fn count(&self) -> usize {
        self.by_session_id.count()
    }
}

/// What stands in front of the participant's path.
const TO_PATH: &str = "To-Path: ";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_path_of_the_participant_is_that_of_its_answer() {
        let own = MsrpUriBuf::parse(b"msrp://h:1/own;tcp").unwrap();
        let local = Local::new(("h".to_owned(), 1), own, 1);
        let id = (RoomId::new("r").unwrap(), ParticipantId::new("p").unwrap());
        let mut session = Session::new(id.0, id.1, local, Timestamp::default());
        assert!(!session.is_answered() && session.peer().is_none());
        let path = b"msrp://relay:2/first;tcp msrp://peer:3/last;tcp";
        let path = MsrpPathBuf::parse(path).unwrap();
        session.set_peer(&path);
        assert_eq!(session.peer(), path.as_path());
        assert_eq!(session.peer_first_raw(), path.first_raw());
        assert_eq!(session.has_moved(&path), Some(false));
    }
}
