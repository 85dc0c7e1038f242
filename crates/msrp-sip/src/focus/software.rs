//! What a peer says of its software.
//!
//! # Spec
//! COM-F.1-03.

use crate::ua::Headers;

/// What kind of element of this specification a peer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A client.
    Client,
    /// A server.
    Server,
}

/// An element of this specification with the version that it named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Software {
    /// What it is.
    pub(crate) kind: Kind,
    /// The version of the specification, such as `1.0`.
    pub(crate) version: String,
}

impl Software {
    /// Reads User-Agent, or Server where there is none: the first product that names an element of
    /// this specification. Other products and comments may stand around it. `None` for software of
    /// another kind.
    pub(crate) fn read(headers: &Headers) -> Option<Self> {
        let value = headers
            .first("User-Agent")
            .or_else(|| headers.first("Server"))?;
        Products(value).find_map(Self::of_product)
    }

    fn of_product(product: &str) -> Option<Self> {
        let (name, version) = product.split_once('/')?;
        let kind = if name.eq_ignore_ascii_case("IM-client") {
            Kind::Client
        } else if name.eq_ignore_ascii_case("IM-serv") {
            Kind::Server
        } else {
            return None;
        };
        let prefix = version.get(..3)?;
        let version = version.get(3..)?;
        let is_version = prefix.eq_ignore_ascii_case("OMA")
            && (1..=VERSION_OCTETS_MAX).contains(&version.len())
            && version.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        is_version.then(|| Self {
            kind,
            version: version.to_owned(),
        })
    }
}

/// The products of a field value, comments left out.
struct Products<'a>(&'a str);

impl<'a> Iterator for Products<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let mut rest = self.0.trim_start();
        while rest.starts_with('(') {
            rest = after_comment(rest).trim_start();
        }
        let end = rest.find([' ', '\t', '(']).unwrap_or(rest.len());
        let (product, rest) = rest.split_at(end);
        self.0 = rest;
        (!product.is_empty()).then_some(product)
    }
}

/// What follows a comment, which may hold others.
fn after_comment(text: &str) -> &str {
    let mut depth = 0_usize;
    let mut is_quoted = false;
    for (at, octet) in text.bytes().enumerate() {
        match octet {
            _ if std::mem::take(&mut is_quoted) => {}
            b'\\' => is_quoted = true,
            b'(' => depth = depth.saturating_add(1),
            b')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return text.get(at.saturating_add(1)..).unwrap_or_default();
        }
    }
    ""
}

/// Longest version kept, in octets. A longer one is none. Source: ours.
const VERSION_OCTETS_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    // covers: COM-F.1-03
    #[test]
    fn software_is_read_among_other_products_and_comments() {
        let read = |name: &str, value: &str| Software::read(&Headers::new().with(name, value));
        let found = |kind, version: &str| {
            Some(Software {
                kind,
                version: version.into(),
            })
        };
        for (value, expected) in [
            ("IM-client/OMA1.0", found(Kind::Client, "1.0")),
            ("im-CLIENT/oma1.0 Acme/2.3", found(Kind::Client, "1.0")),
            ("IM-serv/OMA2.1(x)", found(Kind::Server, "2.1")),
            (
                "Acme/9 (see (nested \\) IM-serv/OMA9) it) IM-client/OMA1.0",
                found(Kind::Client, "1.0"),
            ),
            ("(IM-client/OMA1.0", None),
            ("IM-client/OMA", None),
            ("IM-client/OMA1.0beta", None),
            ("IM-client/1.0", None),
            ("IM-clients/OMA1.0", None),
            ("IM-client/ÖMA1.0", None),
            ("Acme/1.0", None),
            ("", None),
        ] {
            assert_eq!(read("User-Agent", value), expected, "{value}");
        }
        assert_eq!(read("Server", "IM-serv/OMA1.0"), found(Kind::Server, "1.0"));
        assert_eq!(Software::read(&Headers::new()), None);
    }
}
