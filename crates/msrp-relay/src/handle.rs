//! The URIs that were given: who may use which.

use std::collections::BTreeMap;

use msrp_session::Timestamp;
use msrp_wire::{Host, Ident, MsrpPathBuf, MsrpUri, MsrpUriBuf};
use smallvec::SmallVec;

use crate::connection::ConnectionId;

/// To whom a URI leads back.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Owner {
    /// A client: only this connection (RFC 4976 s.6.3).
    Client(ConnectionId),
    /// A relay, by the name in its certificate: any connection to it.
    Relay(Box<str>),
}

/// One URI of a Use-Path.
#[derive(Debug)]
pub(crate) struct Handle {
    pub(crate) uri: MsrpUriBuf,
    pub(crate) owner: Owner,
    /// The From-Path of the AUTH.
    pub(crate) path: MsrpPathBuf,
    pub(crate) expires: Timestamp,
    /// On which connection the other side of the session was heard, by the first URI of its From-Path.
    pub(crate) peers: SmallVec<[(MsrpUriBuf, ConnectionId); 1]>,
}

/// All valid URIs, by their session-id.
#[derive(Debug, Default)]
pub(crate) struct Handles {
    by_session: BTreeMap<Ident, Handle>,
    /// The same by owner and by the text of the From-Path.
    by_path: BTreeMap<(Owner, Box<[u8]>), Ident>,
}

impl Handles {
    pub(crate) fn len(&self) -> usize {
        self.by_session.len()
    }

    pub(crate) fn insert(&mut self, session: Ident, handle: Handle) {
        let path = (handle.owner.clone(), handle.path.raw().into());
        self.by_path.insert(path, session);
        self.by_session.insert(session, handle);
    }

    pub(crate) fn remove(&mut self, session: Ident) -> Option<Handle> {
        let handle = self.by_session.remove(&session)?;
        let path = (handle.owner.clone(), handle.path.raw().into());
        self.by_path.remove(&path);
        Some(handle)
    }

    pub(crate) fn get(&self, session: Ident) -> Option<&Handle> {
        self.by_session.get(&session)
    }

    pub(crate) fn get_mut(&mut self, session: Ident) -> Option<&mut Handle> {
        self.by_session.get_mut(&session)
    }

    /// The URI that this owner got for this path.
    pub(crate) fn of_path(&self, owner: &Owner, path: &MsrpPathBuf) -> Option<Ident> {
        self.by_path
            .get(&(owner.clone(), path.raw().into()))
            .copied()
    }

    /// The session-id of a URI that is valid now.
    pub(crate) fn find(&self, now: Timestamp, uri: &MsrpUri<'_>) -> Option<(Ident, &Handle)> {
        let session = Ident::parse(uri.session_id()?).ok()?;
        let handle = self.by_session.get(&session)?;
        (handle.expires > now).then_some((session, handle))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Ident, &Handle)> {
        self.by_session.iter()
    }
}

impl Handle {
    /// Whether a next hop is the owner's: for a client its device, for a relay its name.
    pub(crate) fn leads_to(&self, next: &MsrpUri<'_>) -> bool {
        match &self.owner {
            Owner::Client(_) => self
                .path
                .as_path()
                .is_some_and(|path| same_device(&path.first(), next)),
            Owner::Relay(name) => next.host().same_as(Host::Name(name)),
        }
    }
}

/// Whether two URIs have the same host and port. A client takes another session-id for each session.
pub(crate) fn same_device(one: &MsrpUri<'_>, two: &MsrpUri<'_>) -> bool {
    one.port() == two.port() && one.host().same_as(two.host())
}
