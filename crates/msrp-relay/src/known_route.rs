//! Ways that requests took, for the next ones with the same paths.
//!
//! Most requests of a connection have the paths of one before, octet for octet. What follows from paths depends on tables:
//! which URIs are valid, who is bound, who is connected. So a way is remembered with the version of the tables that it was found
//! in, and with the time at which the first of its URIs runs out. Any other version, a later time or another octet: the way is
//! looked for anew.

use std::rc::Rc;

use bytes::Bytes;
use msrp_session::Timestamp;
use msrp_wire::{ContentType, ContentTypeBuf, MsrpPathBuf, MsrpUriBuf, Path, encode};
use smallvec::SmallVec;

use crate::limits::KNOWN_ROUTES_MAX;
use crate::outgoing::Way;

/// A way that a request took.
#[derive(Debug)]
pub(crate) struct KnownRoute {
    /// To-Path as it came.
    to_path: Box<[u8]>,
    /// From-Path as it came: the way back of responses and REPORTs.
    pub(crate) from_path: MsrpPathBuf,
    /// The URI of this relay that the request was sent to.
    pub(crate) via: MsrpUriBuf,
    pub(crate) way: Way,
    /// To-Path and From-Path lines behind this relay.
    pub(crate) paths: Rc<[u8]>,
    /// To-Path and From-Path lines of the answer to a SEND.
    pub(crate) answer_paths: Bytes,
    /// The first URI of From-Path behind this relay: the one that answers are sent to.
    pub(crate) answers_to: Box<[u8]>,
    version: u64,
    until: Timestamp,
}

/// The last ways of a connection's requests.
#[derive(Debug, Default)]
pub(crate) struct KnownRoutes {
    routes: SmallVec<[Rc<KnownRoute>; 1]>,
    /// The one to be replaced next.
    oldest: usize,
    /// The type of the last SEND's content.
    content_type: Option<Rc<ContentTypeBuf>>,
}

impl KnownRoute {
    /// The way of a request with these paths, found in this version of the tables and good until a time.
    pub(crate) fn new(
        (to_path, from_path): (&Path<'_>, &Path<'_>),
        way: Way,
        (moved_to, moved_from): (&MsrpPathBuf, &MsrpPathBuf),
        version: u64,
        until: Timestamp,
    ) -> Self {
        let mut paths = Vec::with_capacity(
            moved_to
                .raw()
                .len()
                .saturating_add(moved_from.raw().len())
                .saturating_add(32),
        );
        encode::paths(&mut paths, moved_to, moved_from);
        let mut answer_paths = Vec::new();
        encode::paths(&mut answer_paths, from_path.first(), to_path.first());
        Self {
            to_path: to_path.raw().into(),
            from_path: from_path.to_buf(),
            via: to_path.first().to_buf(),
            way,
            paths: paths.into(),
            answer_paths: answer_paths.into(),
            answers_to: moved_from.first_raw().into(),
            version,
            until,
        }
    }
}

impl KnownRoutes {
    /// The way of a request with these paths, when it is still as it was.
    pub(crate) fn find(
        &self,
        (to_path, from_path): (&Path<'_>, &Path<'_>),
        version: u64,
        now: Timestamp,
    ) -> Option<&Rc<KnownRoute>> {
        self.routes.iter().find(|route| {
            route.version == version
                && now < route.until
                && *route.to_path == *to_path.raw()
                && route.from_path.raw() == from_path.raw()
        })
    }

    /// Remembers a way in the place of an old one.
    pub(crate) fn remember(&mut self, route: Rc<KnownRoute>) {
        if self.routes.len() < KNOWN_ROUTES_MAX {
            return self.routes.push(route);
        }
        if let Some(place) = self.routes.get_mut(self.oldest) {
            *place = route;
        }
        self.oldest = self.oldest.saturating_add(1);
        if self.oldest >= KNOWN_ROUTES_MAX {
            self.oldest = 0;
        }
    }

    /// The type that a SEND names, which mostly is that of the one before. `None` when it is illegal.
    pub(crate) fn content_type(&mut self, value: &[u8]) -> Option<Rc<ContentTypeBuf>> {
        if let Some(known) = &self.content_type
            && known.as_content_type().raw() == value
        {
            return Some(Rc::clone(known));
        }
        let parsed = Rc::new(ContentType::parse(value).ok()?.to_buf());
        self.content_type = Some(Rc::clone(&parsed));
        Some(parsed)
    }
}
