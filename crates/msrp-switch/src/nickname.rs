//! Nicknames as they are shown, and as they are told apart.
//!
//! Two nicknames are the same when they differ only in case, in width or another compatibility form,
//! or in blanks. Letters that merely look alike are not the same: which do depends on the font, and a
//! name of one script would be refused for the sake of another.
//!
//! # Spec
//! RFC 7701 s.7.1; RFC 7700 s.2.

use std::borrow::Cow;

use msrp_wire::limits::NICKNAME_OCTETS_MAX;
use precis_profiles::Nickname as Profile;
use precis_profiles::precis_core::Error;
use precis_profiles::precis_core::profile::{Profile as _, Rules as _, stabilize};
use unicase::UniCase;

/// A legal nickname.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Nickname {
    /// As it is shown, at most [`NICKNAME_OCTETS_MAX`] octets.
    pub(crate) shown: Box<str>,
    /// As it is compared, octet by octet.
    pub(crate) key: Box<str>,
}

impl Nickname {
    /// Prepares and enforces what a participant typed. `None` when it holds a character that no
    /// nickname may have, when nothing is left of it, or when it is longer than
    /// [`NICKNAME_OCTETS_MAX`] then.
    pub(crate) fn new(typed: &str) -> Option<Self> {
        if typed.len() > NICKNAME_OCTETS_MAX {
            return None;
        }
        let shown = Profile::new().enforce(typed).ok()?;
        if shown.len() > NICKNAME_OCTETS_MAX {
            return None;
        }
        let key = stabilize(&*shown, mapped).ok()?;
        Some(Self {
            shown: shown.as_ref().into(),
            key: key.into(),
        })
    }

    /// Whether nobody may have it: it is a name under which the conference itself speaks, or it
    /// reads as an address and would pass for somebody's.
    pub(crate) fn is_reserved(&self) -> bool {
        RESERVED.contains(&&*self.key) || SCHEMES.iter().any(|scheme| self.key.starts_with(scheme))
    }
}

/// Blanks, then case, then form. The rule for case is that of RFC 7700, full case folding; the
/// profile's own is the lower case of a later document, which tells the two small sigmas apart.
fn mapped(text: &str) -> Result<Cow<'_, str>, Error> {
    let profile = Profile::new();
    let text = profile.additional_mapping_rule(text)?;
    let folded = UniCase::unicode(&*text).to_folded_case();
    profile.normalization_rule(folded)
}

/// The names of the server's own messages, as they are compared (SYS-7.2.3.5-04).
const RESERVED: [&str; 3] = ["sysadmin", "announcement", "advertisement"];

/// How the addresses of participants begin.
const SCHEMES: [&str; 5] = ["sip:", "sips:", "tel:", "im:", "pres:"];

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(typed: &str) -> Option<String> {
        Nickname::new(typed).map(|nickname| nickname.shown.into())
    }

    fn key(typed: &str) -> String {
        Nickname::new(typed).unwrap().key.into()
    }

    #[test]
    fn nickname_is_shown_as_the_rules_leave_it() {
        for (typed, expected) in [
            ("Alice the great", "Alice the great"),
            ("  St \u{3000}  Peter ", "St Peter"),
            ("\u{ff21}lice", "Alice"),
            ("Richard \u{2163}", "Richard IV"),
            ("\u{265a}", "\u{265a}"),
            ("e\u{301}", "\u{e9}"),
            ("\u{1f600}", "\u{1f600}"),
        ] {
            assert_eq!(shown(typed).as_deref(), Some(expected), "{typed:?}");
        }
    }

    #[test]
    fn nickname_that_may_not_be_has_no_form() {
        for typed in [
            "",
            "   ",
            "\u{3000}",
            "a\tb",
            "a\u{0}",
            "a\u{200b}b",
            "a\u{ad}b",
            "\u{202e}evil",
            "a\u{e000}",
            // Assigned by Unicode after the registry's version.
            "\u{1f98a}",
            "\u{fdfa}".repeat(40).as_str(),
            "x".repeat(1024).as_str(),
        ] {
            assert_eq!(shown(typed), None, "{typed:?}");
        }
    }

    /// The table of RFC 7700 s.3.
    #[test]
    fn nickname_is_compared_as_the_examples_say() {
        for (typed, expected) in [
            ("Foo", "foo"),
            ("foo", "foo"),
            ("Foo Bar", "foo bar"),
            ("foo bar", "foo bar"),
            ("\u{3a3}", "\u{3c3}"),
            ("\u{3c3}", "\u{3c3}"),
            ("\u{3c2}", "\u{3c3}"),
            ("\u{265a}", "\u{265a}"),
            ("Richard \u{2163}", "richard iv"),
        ] {
            assert_eq!(key(typed), expected, "{typed:?}");
        }
        assert_eq!(key("Stra\u{df}e"), key("STRASSE"));
        assert_ne!(key("BOY"), key("B0Y"));
        assert_eq!(key("\u{1e9e}").as_str(), "ss");
    }

    #[test]
    fn nickname_of_the_conference_or_like_an_address_is_reserved() {
        for (typed, is_reserved) in [
            ("SysAdmin", true),
            (" sysADMIN ", true),
            ("\u{ff33}ysadmin", true),
            ("Announcement", true),
            ("ADVERTISEMENT", true),
            ("sip:bob@example.com", true),
            ("SIPS:bob", true),
            ("Tel:+1", true),
            ("Sysadmin of the year", false),
            ("sip", false),
            ("bob@example.com", false),
        ] {
            let nickname = Nickname::new(typed).unwrap();
            assert_eq!(nickname.is_reserved(), is_reserved, "{typed:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn nickname_of_any_text_never_panics_and_its_form_is_kept(typed in "\\PC{0,30}|[a-zA-Z \u{df}\u{130}\u{3a3}\u{fb03}\u{1f80}]{0,30}") {
            if let Some(nickname) = Nickname::new(&typed) {
                let again = Nickname::new(&nickname.shown).unwrap();
                proptest::prop_assert_eq!(again, nickname);
            }
        }
    }
}
