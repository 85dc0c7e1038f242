//! The IM release that a peer shows.
//!
//! # Spec
//! COM-F.1-03; AMB-31.

use crate::ua::Headers;

/// What software the peer says it is: the first product of User-Agent or Server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ImRelease {
    /// Whether it is a client or a server.
    pub(crate) kind: PeerKind,
    /// What follows `OMA`, as `1.0`.
    pub(crate) version: String,
}

/// Who is at the other end of a dialog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PeerKind {
    /// An IM client.
    Client,
    /// Another IM server.
    Server,
}

impl ImRelease {
    /// Reads the header fields of a request or of a response. `None` when neither User-Agent nor
    /// Server begins with a release; products and comments behind it are skipped.
    pub(crate) fn of(headers: &Headers) -> Option<Self> {
        let shown = ["User-Agent", "Server"].into_iter();
        shown
            .filter_map(|name| headers.first(name))
            .find_map(Self::read)
    }

    fn read(value: &str) -> Option<Self> {
        let ends = |c: char| c.is_whitespace() || c == '(';
        let product = value.trim_start().split(ends).next()?;
        let (kind, rest) = KINDS.iter().find_map(|(name, kind)| {
            let (head, rest) = product.split_at_checked(name.len())?;
            head.eq_ignore_ascii_case(name).then_some((*kind, rest))
        })?;
        let version = rest.get(..VERSION_OCTETS_MAX).unwrap_or(rest);
        Some(Self {
            kind,
            version: version.to_owned(),
        })
    }
}

const KINDS: [(&str, PeerKind); 2] = [
    ("IM-client/OMA", PeerKind::Client),
    ("IM-serv/OMA", PeerKind::Server),
];

/// Longest version that is kept, in octets; the rest is cut.
const VERSION_OCTETS_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use PeerKind::{Client, Server};

    // covers: COM-F.1-03
    #[test]
    fn release_is_the_first_product_of_user_agent_or_server() {
        let table = [
            ("User-Agent", "IM-client/OMA1.0", Some((Client, "1.0"))),
            (
                "user-agent",
                "im-CLIENT/oma2.0 Vendor/3 (x)",
                Some((Client, "2.0")),
            ),
            (
                "Server",
                "IM-serv/OMA1.0(comment) IM-client/OMA9",
                Some((Server, "1.0")),
            ),
            ("Server", "  IM-serv/OMA", Some((Server, ""))),
            ("User-Agent", "Vendor/3 IM-client/OMA1.0", None),
            ("User-Agent", "(IM-client/OMA1.0)", None),
            ("User-Agent", "IM-client/1.0", None),
            ("User-Agent", "\u{e9}", None),
            ("X-Agent", "IM-client/OMA1.0", None),
        ];
        for (name, value, expected) in table {
            let release = ImRelease::of(&Headers::new().with(name, value));
            let shown = release.as_ref().map(|r| (r.kind, r.version.as_str()));
            assert_eq!(shown, expected, "{name}: {value}");
        }
        let both = Headers::new()
            .with("User-Agent", "Vendor/3")
            .with("Server", "IM-serv/OMA1.0");
        assert!(ImRelease::of(&both).is_some());
    }
}
