//! A parsed session description.

use std::fmt;

use sdp_types::{Media, ParserError, Session};

use crate::{
    MessageMedia, Protocol, SdpError,
    format_list::is_token_octet,
    limits::{
        ATTRIBUTES_MAX, DESCRIPTION_OCTETS_MAX, LINE_OCTETS_MAX, LINES_MAX, MEDIA_SECTIONS_MAX,
        PROTOCOL_CHARS_MAX,
    },
    section::Section,
};

/// A session description that a peer sent. Its size is bounded by [`limits`](crate::limits).
///
/// Missing `o=`, `s=` and `t=` lines, unknown lines, and lines that end with a bare LF are accepted.
/// `Debug` shows no content, because the session ids in it are secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct Description {
    pub(crate) session: Session,
}

impl Description {
    /// Reads a description. Costs one pass and one allocation per field.
    ///
    /// # Errors
    /// [`SdpError::TooLarge`] -> 488, [`SdpError::Malformed`] -> 400. The peer's fault.
    pub fn parse(text: &str) -> Result<Self, SdpError> {
        check_size(text)?;
        let session = Session::parse(text.as_bytes()).map_err(|error| malformed(&error))?;
        at_most("media sections", session.medias.len(), MEDIA_SECTIONS_MAX)?;
        at_most(
            "attributes of the session",
            session.attributes.len(),
            ATTRIBUTES_MAX,
        )?;
        for media in &session.medias {
            at_most(
                "attributes of one media section",
                media.attributes.len(),
                ATTRIBUTES_MAX,
            )?;
        }
        Ok(Self { session })
    }

    /// The first section that can carry MSRP: media `message`, a protocol that we know, a port other than 0.
    ///
    /// # Errors
    /// [`SdpError::NoMessageMedia`], [`SdpError::UnsupportedProtocol`] or [`SdpError::MediaRefused`] when there is none;
    /// otherwise as [`message_media_at`](Self::message_media_at).
    pub fn message_media(&self) -> Result<MessageMedia, SdpError> {
        let usable = self
            .session
            .medias
            .iter()
            .position(|media| usable_protocol(media).is_ok());
        match usable {
            Some(index) => self.message_media_at(index),
            None => Err(self.why_none()),
        }
    }

    /// The section at this place, from 0. For descriptions with several MSRP sessions, as file transfers have them.
    ///
    /// # Errors
    /// [`SdpError::NoMessageMedia`] when the section does not exist or has another media,
    /// [`SdpError::UnsupportedProtocol`], [`SdpError::MediaRefused`], [`SdpError::NoPath`], [`SdpError::NoAcceptTypes`],
    /// [`SdpError::TooLarge`] -> 488; [`SdpError::BadAttribute`] -> 400. The peer's fault.
    pub fn message_media_at(&self, index: usize) -> Result<MessageMedia, SdpError> {
        let media = self
            .session
            .medias
            .get(index)
            .ok_or(SdpError::NoMessageMedia)?;
        let protocol = usable_protocol(media)?;
        MessageMedia::read(
            Section {
                session: &self.session,
                media,
            },
            index,
            protocol,
        )
    }

    /// How many media sections there are, of any kind, refused ones included.
    #[must_use]
    pub fn media_count(&self) -> usize {
        self.session.medias.len()
    }

    /// The session id and the version of the `o=` line. A peer that changes nothing repeats both.
    ///
    /// # Spec
    /// RFC 4975 s.8.4, RFC 3264 s.8.
    #[must_use]
    pub fn origin(&self) -> (&str, u64) {
        (
            &self.session.origin.sess_id,
            self.session.origin.sess_version,
        )
    }

    /// Why no section is usable: the most telling reason of all message sections.
    fn why_none(&self) -> SdpError {
        let errors = || {
            self.session
                .medias
                .iter()
                .filter_map(|media| usable_protocol(media).err())
        };
        let telling = |error: &SdpError| matches!(error, SdpError::UnsupportedProtocol(_));
        errors()
            .find(telling)
            .or_else(|| errors().find(|error| *error == SdpError::MediaRefused))
            .unwrap_or(SdpError::NoMessageMedia)
    }
}

impl fmt::Debug for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Description")
            .field("media_count", &self.media_count())
            .finish_non_exhaustive()
    }
}

/// The protocol of a section that can carry MSRP.
fn usable_protocol(media: &Media) -> Result<Protocol, SdpError> {
    if !media.media.eq_ignore_ascii_case("message") {
        return Err(SdpError::NoMessageMedia);
    }
    if media.port == 0 {
        return Err(SdpError::MediaRefused);
    }
    Protocol::from_token(&media.proto)
        .ok_or_else(|| SdpError::UnsupportedProtocol(printable(&media.proto)))
}

/// The token, cut, and without anything that does not belong into a protocol.
fn printable(protocol: &str) -> String {
    let is_good = |char: &char| *char == '/' || u8::try_from(*char).is_ok_and(is_token_octet);
    protocol
        .chars()
        .filter(is_good)
        .take(PROTOCOL_CHARS_MAX)
        .collect()
}

/// Checks the bounds that can be checked before anything is allocated.
fn check_size(text: &str) -> Result<(), SdpError> {
    at_most("octets", text.len(), DESCRIPTION_OCTETS_MAX)?;
    let longest = text.split('\n').map(str::len).max().unwrap_or_default();
    at_most("octets in one line", longest, LINE_OCTETS_MAX)?;
    at_most("lines", text.split('\n').count(), LINES_MAX)
}

fn at_most(what: &'static str, count: usize, max: usize) -> Result<(), SdpError> {
    if count > max {
        Err(SdpError::TooLarge { what, max })
    } else {
        Ok(())
    }
}

/// Where the base grammar is broken. The peer's text is not repeated.
fn malformed(error: &ParserError) -> SdpError {
    let (line, what) = match error {
        ParserError::InvalidLineFormat(line, what)
        | ParserError::InvalidFieldEncoding(line, what)
        | ParserError::InvalidFieldFormat(line, what)
        | ParserError::MissingField(line, what)
        | ParserError::FieldTrailingData(line, what) => (*line, *what),
        ParserError::InvalidVersion(line, _) => (*line, "the version is not 0"),
        ParserError::NoVersion => (0, "it does not begin with a version"),
        ParserError::MultipleVersions(line)
        | ParserError::MultipleOrigins(line)
        | ParserError::MultipleSessionNames(line)
        | ParserError::MultipleSessionDescription(line)
        | ParserError::MultipleUris(line)
        | ParserError::MultipleConnections(line)
        | ParserError::MultipleTimeZones(line)
        | ParserError::MultipleMediaTitles(line)
        | ParserError::MultipleKeys(line) => (*line, "a line that may stand only once is repeated"),
        ParserError::RepeatWithoutTime(line) => (*line, "a repeat line without a time line"),
        #[expect(
            deprecated,
            reason = "the parser keeps the variants and no longer gives them"
        )]
        ParserError::UnexpectedLine(..) | ParserError::NoOrigin | ParserError::NoSessionName => {
            (0, "an unexpected line")
        }
    };
    SdpError::Malformed { line, what }
}
