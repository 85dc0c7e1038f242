//! Names for participants who want to be hidden.
//!
//! An alias is given once in the life of a session, so that a message meant for one hidden user
//! never reaches another.
//!
//! # Spec
//! ALIAS-7.2.3.2; COM-5.5-03, COM-5.5-04; AMB-34.

use std::collections::HashSet;

use crate::address::NameAddr;

/// How a hidden participant is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Alias {
    /// The address.
    pub(crate) uri: String,
    /// The name.
    pub(crate) display_name: String,
}

/// The aliases of one session.
#[derive(Debug, Default)]
pub(crate) struct Aliases {
    uris: HashSet<String>,
    display_names: HashSet<String>,
}

impl Aliases {
    /// Gives an alias. The caller's own anonymous From is kept where it is free. A From that could
    /// be somebody's address is never shown.
    pub(crate) fn assign(&mut self, from: Option<&NameAddr>) -> Alias {
        let from = from.filter(|from| from.uri.host() == HOST);
        let user = from.and_then(|from| from.uri.user()).unwrap_or(USER);
        let name = from.and_then(|from| from.display_name.as_deref());
        let name = name.unwrap_or(DISPLAY_NAME);
        let kept = format!("sip:{user}@{HOST}");
        let uri = free(&self.uris, |n| {
            if n == 1 {
                kept.clone()
            } else {
                format!("sip:{user}{n}@{HOST}")
            }
        });
        let display_name = free(&self.display_names, |n| {
            if n == 1 {
                name.to_owned()
            } else {
                format!("{name}-{n}")
            }
        });
        self.uris.insert(uri.clone());
        self.display_names.insert(display_name.clone());
        Alias { uri, display_name }
    }
}

/// The first name of a series that is free. At most one more than the set holds is tried.
fn free(used: &HashSet<String>, name: impl Fn(usize) -> String) -> String {
    (1..=used.len() + 1)
        .map(&name)
        .find(|n| !used.contains(n))
        .unwrap_or_else(|| name(used.len() + 2))
}

const HOST: &str = "anonymous.invalid";
const USER: &str = "anonymous";
const DISPLAY_NAME: &str = "Anonymous";

#[cfg(test)]
mod tests {
    use super::*;

    fn assign(aliases: &mut Aliases, from: &str) -> (String, String) {
        let alias = aliases.assign(Some(&NameAddr::parse(from).unwrap()));
        (alias.uri, alias.display_name)
    }

    // covers: ALIAS-7.2.3.2-01, ALIAS-7.2.3.2-06, ALIAS-7.2.3.2-07, COM-5.5-03, COM-5.5-04
    #[test]
    fn alias_is_kept_when_free_and_changed_when_used() {
        let mut aliases = Aliases::default();
        let from = "\"Miss Joy\" <sip:anonymous@anonymous.invalid>;tag=1";
        assert_eq!(
            assign(&mut aliases, from),
            ("sip:anonymous@anonymous.invalid".into(), "Miss Joy".into())
        );
        assert_eq!(
            assign(&mut aliases, from),
            (
                "sip:anonymous2@anonymous.invalid".into(),
                "Miss Joy-2".into()
            )
        );
        assert_eq!(
            assign(&mut aliases, from),
            (
                "sip:anonymous3@anonymous.invalid".into(),
                "Miss Joy-3".into()
            )
        );
    }

    #[test]
    fn alias_never_shows_an_address_of_somebody() {
        let mut aliases = Aliases::default();
        let alias = assign(&mut aliases, "\"Alice\" <sip:alice@example.com>");
        assert_eq!(
            alias,
            ("sip:anonymous@anonymous.invalid".into(), "Anonymous".into())
        );
    }
}
