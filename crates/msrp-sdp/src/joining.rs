//! Descriptions with several MSRP sessions, of which each is negotiated as a description of its own.
//!
//! ```text
//!   o=, c=, t=        o=, c=, t=   o=, c=, t=               o=, c=, t=
//!   m=message  only   m=message                     join    m=message
//!   m=audio   ----->               m=message       ----->   m=audio 0
//!   m=message                                               m=message
//! ```
//!
//! # Spec
//! RFC 3264 s.6, s.8; RFC 5547 s.8.

use std::fmt;

use sdp_types::{Attribute, Connection, Media, Session};

use crate::Description;

/// What stays of a section when its port is 0: the media, the protocol, the formats, and which file it was about.
///
/// # Spec
/// RFC 3264 s.8.2; RFC 5547 s.8.1, s.8.3.
#[derive(Clone, PartialEq, Eq)]
pub struct ClosedSection {
    media: Media,
}

/// One place of a joined description.
#[derive(Debug, Clone, Copy)]
pub enum Place<'a> {
    /// The first section of this description.
    Open(&'a Description),
    /// A section with port 0.
    Closed(&'a ClosedSection),
}

impl Description {
    /// The description with this section alone. What was said before the first section holds for it as before.
    /// `None` when there is no such section.
    #[must_use]
    pub fn only(&self, index: usize) -> Option<String> {
        let media = self.session.medias.get(index)?;
        let session = Session {
            medias: vec![media.clone()],
            ..self.without_sections()
        };
        Some(written(&session))
    }

    /// What stays of this section when it is refused or ends. `None` when there is no such section.
    #[must_use]
    pub fn closed(&self, index: usize) -> Option<ClosedSection> {
        let theirs = self.session.medias.get(index)?;
        let is_kept = |line: &&Attribute| {
            let names = ["file-selector", "file-transfer-id"];
            names
                .iter()
                .any(|name| line.attribute.eq_ignore_ascii_case(name))
        };
        let media = Media {
            media: theirs.media.clone(),
            port: 0,
            num_ports: None,
            proto: theirs.proto.clone(),
            fmt: theirs.fmt.clone(),
            media_title: None,
            connections: Vec::new(),
            bandwidths: Vec::new(),
            key: None,
            attributes: theirs.attributes.iter().filter(is_kept).cloned().collect(),
        };
        Some(ClosedSection { media })
    }

    /// Whether this section has port 0.
    #[must_use]
    pub fn is_closed(&self, index: usize) -> bool {
        let media = self.session.medias.get(index);
        media.is_some_and(|media| media.port == 0)
    }

    /// One description with a section for each place. The lines before the first section are those of `self` with this
    /// version in the `o=` line; its `c=` line stands there, and in sections that are reached elsewhere their own.
    #[must_use]
    pub fn join(&self, version: u64, places: &[Place<'_>]) -> String {
        let mut session = self.without_sections();
        session.origin.sess_version = version;
        let shared = session.connection.clone();
        let medias = places.iter().map(|place| match place {
            Place::Open(description) => description.first_section(shared.as_ref()),
            Place::Closed(section) => Some(section.media.clone()),
        });
        session.medias = medias.flatten().collect();
        written(&session)
    }

    /// The first section with the `c=` line that holds for it, when that is another than this.
    fn first_section(&self, shared: Option<&Connection>) -> Option<Media> {
        let mut media = self.session.medias.first()?.clone();
        if media.connections.is_empty() {
            media.connections.extend(self.session.connection.clone());
        }
        media.connections.retain(|own| Some(own) != shared);
        Some(media)
    }

    fn without_sections(&self) -> Session {
        let mut session = self.session.clone();
        session.medias.clear();
        session
    }
}

impl fmt::Debug for ClosedSection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClosedSection")
            .field("media", &self.media.media)
            .field("protocol", &self.media.proto)
            .finish_non_exhaustive()
    }
}

/// The text of a description. Writing into memory cannot fail, and all of it was text before.
pub(crate) fn written(session: &Session) -> String {
    let mut octets = Vec::new();
    match session.write(&mut octets) {
        Ok(()) => String::from_utf8(octets).unwrap_or_default(),
        Err(_) => String::new(),
    }
}
