//! What one participant's session description lets through to it.

use std::sync::Arc;

use msrp_wire::{ContentType, ContentTypeBuf, Malformed, MediaRange};

use crate::final_report::MEDIA_TYPE as REGISTERED;

/// Types and sizes that a session takes.
#[derive(Debug, Clone)]
pub struct Acceptance {
    wrapped: Types,
    /// What may come without a wrapper.
    root: Types,
    takes_cpim: bool,
    final_report: Form,
    /// `a=max-size` in octets of the whole CPIM message.
    pub(crate) max_size: Option<u64>,
    /// Whether `a=chatroom` declares private messages.
    pub(crate) takes_private: bool,
}

/// How a final report is given to a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Form {
    /// Its place among the spellings.
    spelling: u8,
    /// Whether the session takes it without a wrapper.
    pub(crate) is_bare: bool,
    /// Whether the session lists the type at all.
    pub(crate) is_listed: bool,
}

impl Form {
    /// The registered type where it is welcome or none is; else the spelling that is listed.
    ///
    /// # Spec
    /// AMB-01, AMB-02.
    fn choose(root: &Types, wrapped: &Types) -> Self {
        let listed = |types: &Types| {
            let is_listed = |spelling: &&&'static str| {
                let parsed = ContentType::parse(spelling.as_bytes());
                parsed.is_ok_and(|parsed| types.contains(&parsed))
            };
            (0_u8..)
                .zip(&SPELLINGS)
                .find(|(_, spelling)| is_listed(spelling))
        };
        let bare = listed(root);
        let anywhere = bare.or_else(|| listed(wrapped));
        Self {
            spelling: anywhere.map_or(0, |(place, _)| place),
            is_bare: bare.is_some(),
            is_listed: anywhere.is_some(),
        }
    }
}

impl Form {
    /// The media type under which it is sent.
    pub(crate) fn content_type(self) -> &'static str {
        SPELLINGS
            .get(usize::from(self.spelling))
            .unwrap_or(&REGISTERED)
    }
}

/// The spellings of the specification, the one that is sent first.
const SPELLINGS: [&str; 4] = [
    REGISTERED,
    "application/vnd.oma.final-report+xml",
    "application/vnd.oma.final+xml",
    "application/vnd.oma.poc.final-report",
];

#[derive(Debug, Clone)]
enum Types {
    All,
    Some(Arc<[Range]>),
}

#[derive(Debug, Clone)]
enum Range {
    Type(Box<[u8]>),
    Exact(ContentTypeBuf),
}

/// Two are equal when they match the same types.
impl PartialEq for Range {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Type(own), Self::Type(other)) => own == other,
            (Self::Exact(own), Self::Exact(other)) => {
                own.as_content_type() == other.as_content_type()
            }
            (Self::Type(_) | Self::Exact(_), Self::Type(_) | Self::Exact(_)) => false,
        }
    }
}

impl Types {
    fn parse<'a>(tokens: impl Iterator<Item = &'a str>) -> Result<Self, Malformed> {
        let mut ranges = Vec::new();
        for token in tokens {
            match MediaRange::parse(token.as_bytes())? {
                MediaRange::All => return Ok(Self::All),
                MediaRange::Type(kind) => ranges.push(Range::Type(kind.into())),
                MediaRange::Exact(exact) => ranges.push(Range::Exact(exact.to_buf())),
            }
        }
        Ok(Self::Some(ranges.into()))
    }

    /// Shares the list with the other one where they list the same.
    fn share(&mut self, other: &Self) -> bool {
        match (self, other) {
            (Self::Some(own), Self::Some(others)) if own == others => {
                *own = Arc::clone(others);
                true
            }
            (Self::Some(_) | Self::All, Self::Some(_) | Self::All) => false,
        }
    }

    fn contains(&self, content_type: &ContentType<'_>) -> bool {
        match self {
            Self::All => true,
            Self::Some(ranges) => ranges.iter().any(|range| match range {
                Range::Type(kind) => MediaRange::Type(kind).matches(content_type),
                Range::Exact(exact) => exact.as_content_type() == *content_type,
            }),
        }
    }
}

impl Acceptance {
    /// Reads the lists of a session description. Inside a wrapper the types of both lists are
    /// welcome.
    ///
    /// # Errors
    /// [`Malformed`] when an entry is no media type and no `*`.
    ///
    /// # Spec
    /// RFC 4975 s.8.6.
    pub fn new(
        accept_types: &[String],
        accept_wrapped_types: &[String],
        max_size: Option<u64>,
    ) -> Result<Self, Malformed> {
        let root = Types::parse(accept_types.iter().map(String::as_str))?;
        let wrapped = Types::parse(
            accept_types
                .iter()
                .chain(accept_wrapped_types)
                .map(String::as_str),
        )?;
        Ok(Self {
            takes_cpim: root.contains(&ContentType::MESSAGE_CPIM),
            final_report: Form::choose(&root, &wrapped),
            wrapped,
            root,
            max_size,
            takes_private: false,
        })
    }

    /// The same, of a session description that declares private messages or does not (RFC 7701 s.8).
    #[must_use]
    pub fn with_private_messages(self, takes_private: bool) -> Self {
        Self {
            takes_private,
            ..self
        }
    }

    /// Shares the list of types with this one where they list the same: most clients do.
    pub(crate) fn share(&mut self, other: &Self) -> bool {
        self.root.share(&other.root);
        self.wrapped.share(&other.wrapped)
    }

    /// Takes everything of any size.
    #[must_use]
    pub fn everything() -> Self {
        Self {
            wrapped: Types::All,
            root: Types::All,
            takes_cpim: true,
            final_report: Form::choose(&Types::All, &Types::All),
            max_size: None,
            takes_private: true,
        }
    }

    /// Whether a CPIM message with this inner type may be sent. A wrapper without inner
    /// Content-Type holds text/plain (RFC 3862 s.2, RFC 2045 s.5.2).
    pub(crate) fn takes(&self, inner: Option<&ContentType<'_>>) -> bool {
        self.takes_cpim
            && self
                .wrapped
                .contains(inner.unwrap_or(&ContentType::TEXT_PLAIN))
    }

    /// Whether content of this type may be sent without a wrapper.
    pub(crate) fn takes_bare(&self, content_type: &ContentType<'_>) -> bool {
        self.root.contains(content_type)
    }

    /// How a final report is given to the session.
    pub(crate) fn final_report_form(&self) -> Form {
        self.final_report
    }

    /// Whether a message of this many octets may be sent; equal is allowed (AMB-07).
    pub(crate) fn fits(&self, octets: u64) -> bool {
        self.max_size.is_none_or(|max| octets <= max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn list_is_shared_with_one_that_matches_the_same_types_and_with_no_other() {
        let lists = [
            "text/plain",
            "TEXT/Plain",
            "text/*",
            "image/*",
            "image/* text/*",
            "*",
        ];
        let of =
            |wrapped: &str| Acceptance::new(&list("message/cpim"), &list(wrapped), None).unwrap();
        for (one, two) in lists.iter().flat_map(|one| lists.map(|two| (*one, two))) {
            let (mut own, other) = (of(one), of(two));
            let is_same = one.eq_ignore_ascii_case(two) && one != "*";
            assert_eq!(own.share(&other), is_same, "{one}, {two}");
            for inner in ["text/plain", "text/html", "image/png", "audio/ogg"] {
                let inner = ContentType::parse(inner.as_bytes()).unwrap();
                assert_eq!(own.takes(Some(&inner)), of(one).takes(Some(&inner)));
            }
        }
    }

    // covers: MSRP-4975-8.6-05, MSRP-4975-8.6-08, MSRP-4975-8.6-09
    #[test]
    fn acceptance_follows_both_lists() {
        let table = [
            ("message/cpim text/plain", "", "text/plain", true),
            (
                "message/cpim",
                "text/plain",
                "TEXT/plain;charset=utf-8",
                true,
            ),
            ("message/cpim", "text/plain", "image/png", false),
            ("message/cpim", "image/*", "image/png", true),
            ("*", "", "image/png", true),
            ("message/cpim", "*", "image/png", true),
            ("text/plain", "*", "text/plain", false),
            ("message/cpim", "", "text/plain", false),
        ];
        for (types, wrapped, inner, takes) in table {
            let acceptance = Acceptance::new(&list(types), &list(wrapped), None).unwrap();
            let inner = ContentType::parse(inner.as_bytes()).unwrap();
            assert_eq!(
                acceptance.takes(Some(&inner)),
                takes,
                "{types} / {wrapped} / {inner:?}"
            );
        }
    }

    // covers: FR-O.1-10
    #[test]
    fn acceptance_chooses_the_spelling_of_the_final_report() {
        let other = "application/vnd.oma.final-report+xml";
        let table = [
            ("message/cpim", "*", REGISTERED, false),
            ("*", "", REGISTERED, true),
            ("message/cpim application/*", "", REGISTERED, true),
            (
                "message/cpim application/vnd.oma.final+xml",
                "",
                "application/vnd.oma.final+xml",
                true,
            ),
            (
                "message/cpim",
                "text/plain APPLICATION/vnd.oma.final-report+xml",
                other,
                false,
            ),
            ("message/cpim", "text/plain", REGISTERED, false),
            (
                "message/cpim application/vnd.oma.final-report+xml",
                REGISTERED,
                other,
                true,
            ),
        ];
        for (types, wrapped, content_type, is_bare) in table {
            let acceptance = Acceptance::new(&list(types), &list(wrapped), None).unwrap();
            let form = acceptance.final_report_form();
            assert_eq!(
                (form.content_type(), form.is_bare),
                (content_type, is_bare),
                "{types} / {wrapped}"
            );
            let is_unlisted = (types, wrapped) == ("message/cpim", "text/plain");
            assert_eq!(form.is_listed, !is_unlisted, "{types} / {wrapped}");
        }
    }

    #[test]
    fn acceptance_size_equal_to_the_limit_fits() {
        let acceptance = Acceptance::new(&list("*"), &[], Some(10)).unwrap();
        assert!(acceptance.fits(10));
        assert!(!acceptance.fits(11));
    }
}
