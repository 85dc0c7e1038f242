//! Media types of bodies, and the media ranges that a session accepts.

use std::fmt;

use crate::malformed::{Malformed, Place};
use crate::octet_class::OctetClass;
use crate::octets;

/// A legal Content-Type value in somebody else's bytes. Equality is that of type and subtype, without case and without
/// parameters.
///
/// # Spec
/// RFC 4975 s.9, `media-type`.
#[derive(Clone, Copy)]
pub struct ContentType<'a> {
    raw: &'a [u8],
    slash: u16,
    essence_end: u16,
}

/// A Content-Type value that owns its text.
#[derive(Clone)]
pub struct ContentTypeBuf {
    raw: Box<[u8]>,
    slash: u16,
    essence_end: u16,
}

/// One entry of accept-types or accept-wrapped-types: `*`, `type/*` or `type/subtype`.
///
/// # Spec
/// RFC 4975 s.8.6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaRange<'a> {
    /// `*` or `*/*`.
    All,
    /// `type/*`: every subtype of a type.
    Type(&'a [u8]),
    /// One media type.
    Exact(ContentType<'a>),
}

impl<'a> ContentType<'a> {
    /// `message/cpim`.
    pub const MESSAGE_CPIM: ContentType<'static> = ContentType {
        raw: b"message/cpim",
        slash: 7,
        essence_end: 12,
    };

    /// `text/plain`.
    pub const TEXT_PLAIN: ContentType<'static> = ContentType {
        raw: b"text/plain",
        slash: 4,
        essence_end: 10,
    };

    /// Reads a header value: a type, a slash, a subtype, and whatever parameters follow a semicolon.
    ///
    /// # Errors
    /// [`Malformed`] at [`Place::MediaType`]: no such form, a control character, or longer than 65,535 octets.
    pub fn parse(value: &'a [u8]) -> Result<Self, Malformed> {
        Self::read(octets::trim(value)).ok_or(Malformed::new(Place::MediaType, 0))
    }

    fn read(raw: &'a [u8]) -> Option<Self> {
        let usual = [Self::MESSAGE_CPIM, Self::TEXT_PLAIN];
        if let Some(usual) = usual.into_iter().find(|usual| usual.raw == raw) {
            return Some(usual);
        }
        let essence_end = raw
            .iter()
            .position(|c| matches!(c, b';' | b' ' | b'\t'))
            .unwrap_or(raw.len());
        let (essence, parameters) = raw.split_at_checked(essence_end)?;
        let (kind, subtype) = octets::split_once(essence, b'/')?;
        let is_token = |text: &[u8]| !text.is_empty() && OctetClass::TOKEN.has_all(text);
        let clean = !raw.iter().any(|c| octets::is_forbidden_control(*c));
        let separated = matches!(octets::trim(parameters), [] | [b';', ..]);
        if !(is_token(kind) && is_token(subtype) && clean && separated) {
            return None;
        }
        u16::try_from(raw.len()).ok()?;
        Some(Self {
            raw,
            slash: u16::try_from(kind.len()).ok()?,
            essence_end: u16::try_from(essence_end).ok()?,
        })
    }

    /// The whole value with its parameters.
    #[must_use]
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// `type/subtype`, as it stands.
    #[must_use]
    pub fn essence(&self) -> &'a [u8] {
        self.raw
            .get(..usize::from(self.essence_end))
            .unwrap_or_default()
    }

    /// The type, as it stands.
    #[must_use]
    pub fn kind(&self) -> &'a [u8] {
        self.raw.get(..usize::from(self.slash)).unwrap_or_default()
    }

    /// The subtype, as it stands.
    #[must_use]
    pub fn subtype(&self) -> &'a [u8] {
        self.essence()
            .get(usize::from(self.slash).saturating_add(1)..)
            .unwrap_or_default()
    }

    /// Whether type and subtype are these, without case: `is("text/plain")`.
    #[must_use]
    pub fn is(&self, essence: &str) -> bool {
        self.essence().eq_ignore_ascii_case(essence.as_bytes())
    }

    /// A copy that owns its text.
    #[must_use]
    pub fn to_buf(&self) -> ContentTypeBuf {
        ContentTypeBuf {
            raw: self.raw.into(),
            slash: self.slash,
            essence_end: self.essence_end,
        }
    }
}

impl ContentTypeBuf {
    /// Reads a header value and keeps a copy of it.
    ///
    /// # Errors
    /// [`Malformed`] as for [`ContentType::parse`].
    pub fn parse(value: impl AsRef<[u8]>) -> Result<Self, Malformed> {
        Ok(ContentType::parse(value.as_ref())?.to_buf())
    }

    /// The borrowed view. Free.
    #[must_use]
    pub fn as_content_type(&self) -> ContentType<'_> {
        ContentType {
            raw: &self.raw,
            slash: self.slash,
            essence_end: self.essence_end,
        }
    }
}

impl<'a> MediaRange<'a> {
    /// Reads one entry of an accept-types list. Parameters are kept but never compared.
    ///
    /// # Errors
    /// [`Malformed`] at [`Place::MediaType`].
    pub fn parse(token: &'a [u8]) -> Result<Self, Malformed> {
        let token = octets::trim(token);
        if token == b"*" {
            return Ok(Self::All);
        }
        let media_type = ContentType::parse(token)?;
        Ok(match (media_type.kind(), media_type.subtype()) {
            (b"*", b"*") => Self::All,
            (kind, b"*") => Self::Type(kind),
            _ => Self::Exact(media_type),
        })
    }

    /// Whether a media type is in this range, without case and without parameters.
    #[must_use]
    pub fn matches(&self, media_type: &ContentType<'_>) -> bool {
        match self {
            Self::All => true,
            Self::Type(kind) => kind.eq_ignore_ascii_case(media_type.kind()),
            Self::Exact(exact) => exact == media_type,
        }
    }
}

impl PartialEq for ContentType<'_> {
    fn eq(&self, other: &Self) -> bool {
        let (one, other) = (self.essence(), other.essence());
        one == other || one.eq_ignore_ascii_case(other)
    }
}

impl Eq for ContentType<'_> {}

impl fmt::Debug for ContentType<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.raw.escape_ascii())
    }
}

impl fmt::Debug for ContentTypeBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.raw.escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content_type(text: &str) -> ContentType<'_> {
        ContentType::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn content_type_with_parameters_has_its_parts() {
        let parsed = content_type(" Text/HTML ; charset=\"utf-8\" ");
        assert_eq!(parsed.kind(), b"Text");
        assert_eq!(parsed.subtype(), b"HTML");
        assert_eq!(parsed.raw(), b"Text/HTML ; charset=\"utf-8\"");
        assert!(parsed.is("text/html"));
        assert_eq!(
            parsed.to_buf().as_content_type(),
            content_type("text/html;x=y")
        );
        assert_ne!(parsed, content_type("text/htm"));
    }

    #[test]
    fn content_type_of_illegal_text_is_malformed() {
        for text in [
            "",
            "text",
            "text/",
            "/plain",
            "text/pl ain",
            "text/plain\r\nX: y",
            "te(xt/plain",
            "a/b/c",
        ] {
            assert!(ContentType::parse(text.as_bytes()).is_err(), "{text}");
        }
        assert!(ContentType::parse(format!("a/b;{}", "x".repeat(70_000)).as_bytes()).is_err());
    }

    #[test]
    fn content_type_constants_are_what_parsing_gives() {
        for constant in [ContentType::MESSAGE_CPIM, ContentType::TEXT_PLAIN] {
            let parsed = ContentType::parse(constant.raw()).unwrap();
            assert_eq!(
                (parsed.slash, parsed.essence_end),
                (constant.slash, constant.essence_end)
            );
        }
    }

    #[test]
    fn media_range_matches_what_it_names() {
        let cases = [
            ("*", "image/png", true),
            ("*/*", "image/png", true),
            ("text/*", "TEXT/plain", true),
            ("text/*", "image/png", false),
            ("text/plain", "Text/Plain;charset=utf-8", true),
            ("text/plain;charset=us-ascii", "text/plain", true),
            ("text/plain", "text/html", false),
        ];
        for (range, media_type, expected) in cases {
            let range = MediaRange::parse(range.as_bytes()).unwrap();
            assert_eq!(
                range.matches(&content_type(media_type)),
                expected,
                "{range:?} {media_type}"
            );
        }
        assert!(MediaRange::parse(b"text").is_err());
    }
}
