//! Hosts of MSRP URIs.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::octet_class::OctetClass;
use crate::octets;

/// The host of an MSRP URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host<'a> {
    /// A name, as it stands in the URI.
    Name(&'a str),
    /// An IPv4 literal.
    V4(Ipv4Addr),
    /// An IPv6 literal, without its brackets.
    V6(Ipv6Addr),
}

impl<'a> Host<'a> {
    /// Reads a host as it stands in a URI; an IPv6 literal may also come without its brackets.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        match text.parse() {
            Ok(address) => Some(Self::V6(address)),
            Err(_) => host_of(text.as_bytes()),
        }
    }

    /// Literals by value, names without case and with percent-encoded unreserved characters decoded.
    #[must_use]
    pub fn same_as(self, other: Host<'_>) -> bool {
        match (self, other) {
            (Host::V4(one), Host::V4(two)) => one == two,
            (Host::V6(one), Host::V6(two)) => one == two,
            (Host::Name(one), Host::Name(two)) => folded(one).eq(folded(two)),
            (Host::V4(_) | Host::V6(_) | Host::Name(_), _) => false,
        }
    }
}

fn folded(name: &str) -> impl Iterator<Item = u8> {
    octets::normalised(name.as_bytes(), octets::is_unreserved).map(|c| c.to_ascii_lowercase())
}

/// Reads what stands between userinfo and port.
pub(super) fn host_of(host: &[u8]) -> Option<Host<'_>> {
    let host = std::str::from_utf8(host).ok()?;
    if let Some(literal) = host.strip_prefix('[') {
        return literal.strip_suffix(']')?.parse().ok().map(Host::V6);
    }
    if host.starts_with(|c: char| c.is_ascii_digit())
        && let Ok(address) = host.parse()
    {
        return Some(Host::V4(address));
    }
    let legal = !host.is_empty() && OctetClass::HOST.has_all(host.as_bytes());
    legal.then_some(Host::Name(host))
}

impl fmt::Display for Host<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Name(name) => f.write_str(name),
            Host::V4(address) => write!(f, "{address}"),
            Host::V6(address) => write!(f, "[{address}]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_of_each_form_is_read() {
        let localhost = Host::V6(Ipv6Addr::LOCALHOST);
        assert_eq!(Host::parse("::1"), Some(localhost));
        assert_eq!(Host::parse("[::1]"), Some(localhost));
        assert_eq!(
            Host::parse("127.0.0.1"),
            Some(Host::V4(Ipv4Addr::LOCALHOST))
        );
        assert_eq!(Host::parse("a.example"), Some(Host::Name("a.example")));
        for text in ["", "a b", "a:5", "u@a", "[a]"] {
            assert_eq!(Host::parse(text), None, "{text}");
        }
    }
}
