//! MSRP URIs: a borrowed view, an owned text, and their comparison.

mod host;
mod parts;

use std::fmt;

use crate::malformed::{Malformed, Place};
use crate::octet_class::OctetClass;
use host::host_of;
use parts::Parts;

pub use host::Host;

/// A legal MSRP URI in somebody else's bytes. Small and `Copy`.
///
/// Equality is that of the standard: scheme, host, port, session-id and transport count; the session-id with its case,
/// the others without; IP literals by value; userinfo and other parameters not at all. A URI with a port never equals one
/// without.
///
/// Besides the grammar's characters, a session-id may hold the other characters of a URI path.
///
/// # Spec
/// RFC 4975 s.6, s.6.1, s.9.
#[derive(Clone, Copy)]
pub struct MsrpUri<'a> {
    raw: &'a [u8],
    parts: Parts,
}

/// An MSRP URI that owns its text. Equality is that of [`MsrpUri`].
#[derive(Clone)]
pub struct MsrpUriBuf {
    raw: Box<str>,
    parts: Parts,
}

/// The scheme of an MSRP URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// `msrp`.
    Msrp,
    /// `msrps`: the hop must be protected with TLS.
    Msrps,
}

/// The transport of an MSRP URI. Case does not matter on input.
#[derive(Clone, Copy, Debug)]
pub enum Transport<'a> {
    /// `tcp`: TCP, or TLS when the scheme is `msrps`.
    Tcp,
    /// `ws`: WebSocket (RFC 7977).
    Ws,
    /// Another word, as it stands in the URI.
    Other(&'a str),
}

impl<'a> MsrpUri<'a> {
    /// Reads a whole text as a URI.
    ///
    /// # Errors
    /// [`Malformed`] at one of the `Uri` places, with the offset of the wrong part.
    pub fn parse(raw: &'a [u8]) -> Result<Self, Malformed> {
        Ok(Self {
            raw,
            parts: Parts::of(raw)?,
        })
    }

    /// The text, octet by octet as it was read.
    #[must_use]
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &'a str {
        text(self.raw)
    }

    /// The scheme.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        self.parts.scheme
    }

    /// Userinfo, host and port, as they stand.
    #[must_use]
    pub fn authority(&self) -> &'a str {
        text(self.slice(self.parts.authority_start, self.parts.authority_end))
    }

    /// The host.
    #[must_use]
    pub fn host(&self) -> Host<'a> {
        host_of(self.slice(self.parts.host_start, self.parts.host_end)).unwrap_or(Host::Name(""))
    }

    /// The port, when it is written.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.parts.port
    }

    /// The session-id; without one the URI names a device, not a session.
    #[must_use]
    pub fn session_id(&self) -> Option<&'a [u8]> {
        let start = self.parts.authority_end.checked_add(1)?;
        (self.parts.session_end > start).then(|| self.slice(start, self.parts.session_end))
    }

    /// The transport.
    #[must_use]
    pub fn transport(&self) -> Transport<'a> {
        let word = self.slice(
            self.parts.session_end.saturating_add(1),
            self.parts.transport_end,
        );
        if word.eq_ignore_ascii_case(b"tcp") {
            Transport::Tcp
        } else if word.eq_ignore_ascii_case(b"ws") {
            Transport::Ws
        } else {
            Transport::Other(text(word))
        }
    }

    /// Whether both URIs name the same session of the same device.
    ///
    /// # Spec
    /// RFC 4975 s.6.1.
    #[must_use]
    pub fn same_as(&self, other: &MsrpUri<'_>) -> bool {
        self.raw == other.raw
            || (self.scheme() == other.scheme()
                && self.port() == other.port()
                && self.session_id() == other.session_id()
                && self.transport().same_as(other.transport())
                && self.host().same_as(other.host()))
    }

    fn slice(&self, start: u16, end: u16) -> &'a [u8] {
        self.raw
            .get(usize::from(start)..usize::from(end))
            .unwrap_or_default()
    }
}

impl MsrpUriBuf {
    /// Reads a whole text as a URI and keeps a copy of it.
    ///
    /// # Errors
    /// [`Malformed`] as for [`MsrpUri::parse`].
    pub fn parse(raw: impl AsRef<[u8]>) -> Result<Self, Malformed> {
        Ok(MsrpUri::parse(raw.as_ref())?.to_buf())
    }

    /// Composes a URI from its parts. Never with userinfo.
    ///
    /// # Errors
    /// [`Malformed`] when the host, the session-id or the transport has an illegal character, or an IP literal has no
    /// port; the caller's fault.
    ///
    /// # Spec
    /// RFC 4975 s.6.
    pub fn compose(
        scheme: Scheme,
        host: Host<'_>,
        port: Option<u16>,
        session_id: Option<&str>,
        transport: Transport<'_>,
    ) -> Result<Self, Malformed> {
        let legal_host = match host {
            Host::Name(name) => matches!(host_of(name.as_bytes()), Some(Host::Name(_))),
            Host::V4(_) | Host::V6(_) => port.is_some(),
        };
        if !legal_host {
            return Err(Malformed::new(Place::UriAuthority, 0));
        }
        if !OctetClass::SESSION.has_all(session_id.unwrap_or_default().as_bytes()) {
            return Err(Malformed::new(Place::UriSessionId, 0));
        }
        if !OctetClass::ALPHANUMERIC.has_all(transport.as_str().as_bytes()) {
            return Err(Malformed::new(Place::UriTransport, 0));
        }
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        let session = session_id.map(|id| format!("/{id}")).unwrap_or_default();
        Self::parse(format!("{scheme}://{host}{port}{session};{transport}"))
    }

    /// The borrowed view. Free.
    #[must_use]
    pub fn as_uri(&self) -> MsrpUri<'_> {
        MsrpUri {
            raw: self.raw.as_bytes(),
            parts: self.parts,
        }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.raw
    }
}

impl MsrpUri<'_> {
    /// A copy that owns its text.
    #[must_use]
    pub fn to_buf(&self) -> MsrpUriBuf {
        MsrpUriBuf {
            raw: self.as_str().into(),
            parts: self.parts,
        }
    }
}

fn text(raw: &[u8]) -> &str {
    std::str::from_utf8(raw).unwrap_or_default()
}

impl Transport<'_> {
    /// Comparison without case.
    #[must_use]
    pub fn same_as(self, other: Transport<'_>) -> bool {
        self.as_str().eq_ignore_ascii_case(other.as_str())
    }

    /// The word; in lower case for the transports that have a name here.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Transport::Tcp => "tcp",
            Transport::Ws => "ws",
            Transport::Other(word) => word,
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Msrp => "msrp",
            Self::Msrps => "msrps",
        })
    }
}

impl fmt::Display for Transport<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl PartialEq for MsrpUri<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.same_as(other)
    }
}

impl Eq for MsrpUri<'_> {}

impl PartialEq for MsrpUriBuf {
    fn eq(&self, other: &Self) -> bool {
        self.as_uri().same_as(&other.as_uri())
    }
}

impl Eq for MsrpUriBuf {}

impl fmt::Debug for MsrpUri<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for MsrpUriBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.raw)
    }
}

impl fmt::Display for MsrpUri<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for MsrpUriBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.raw)
    }
}

impl std::str::FromStr for MsrpUriBuf {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::net::Ipv6Addr;

    fn uri(text: &str) -> MsrpUriBuf {
        MsrpUriBuf::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"))
    }

    // covers: MSRP-4975-6-05
    #[test]
    fn msrp_uri_has_its_parts() {
        let buf = uri("MSRPS://alice@Host.example.com:8493/as/fd+=34;TCP;x;y=z");
        let view = buf.as_uri();
        assert_eq!(view.scheme(), Scheme::Msrps);
        assert_eq!(view.authority(), "alice@Host.example.com:8493");
        assert_eq!(view.host(), Host::Name("Host.example.com"));
        assert_eq!(view.port(), Some(8493));
        assert_eq!(view.session_id(), Some(b"as/fd+=34".as_slice()));
        assert!(matches!(view.transport(), Transport::Tcp));
        assert_eq!(view.raw(), buf.as_str().as_bytes());
    }

    #[test]
    fn msrp_uri_with_few_parts_is_read() {
        let buf = uri("msrps://intra.example.com;tcp");
        assert_eq!(
            (buf.as_uri().session_id(), buf.as_uri().port()),
            (None, None)
        );
        assert_eq!(
            uri("msrp://10.0.0.1:9/x;tcp").as_uri().host(),
            Host::V4([10, 0, 0, 1].into())
        );
        assert_eq!(
            uri("msrp://[::1]:9/x;tcp").as_uri().host(),
            Host::V6(Ipv6Addr::LOCALHOST)
        );
        assert!(matches!(
            uri("msrps://x.invalid:2855/98cjs;ws").as_uri().transport(),
            Transport::Ws
        ));
        assert_eq!(uri("msrp://x/y;sctp").as_uri().transport().as_str(), "sctp");
        assert_eq!(
            uri("msrp://x/a@b:c;tcp").as_uri().session_id(),
            Some(b"a@b:c".as_slice())
        );
    }

    #[test]
    fn msrp_uri_of_illegal_text_names_the_part() {
        let long = format!("msrp://x/{};tcp", "y".repeat(3000));
        let cases = [
            ("", Place::UriScheme),
            ("sip:alice@x", Place::UriScheme),
            ("msrp:/x;tcp", Place::UriScheme),
            ("msrp://;tcp", Place::UriAuthority),
            ("msrp://a b;tcp", Place::UriAuthority),
            ("msrp://a\r\nb@x/y;tcp", Place::UriAuthority),
            ("msrp://a@b@x/y;tcp", Place::UriAuthority),
            ("msrp://\u{e9}@x/y;tcp", Place::UriAuthority),
            ("msrp://x:70000/y;tcp", Place::UriAuthority),
            ("msrp://x:y/y;tcp", Place::UriAuthority),
            ("msrp://[::1/y;tcp", Place::UriAuthority),
            ("msrp://[::1]x/y;tcp", Place::UriAuthority),
            ("msrp://[v1.x]/y;tcp", Place::UriAuthority),
            ("msrp://x/;tcp", Place::UriSessionId),
            ("msrp://x/a\"b;tcp", Place::UriSessionId),
            ("msrp://x/y", Place::UriTransport),
            ("msrp://x/y;", Place::UriTransport),
            ("msrp://x/y;t-p", Place::UriTransport),
            ("msrp://x/y;tcp;a b", Place::UriParameter),
            ("msrp://x/y;tcp;a\r\nb", Place::UriParameter),
            (&long, Place::UriLength),
        ];
        for (text, place) in cases {
            assert_eq!(
                MsrpUri::parse(text.as_bytes()).unwrap_err().at,
                place,
                "{text}"
            );
        }
    }

    // covers: MSRP-4975-6-05, MSRP-4975-6.1-01, MSRP-4975-6.1-02, MSRP-4975-6.1-03, MSRP-4975-6.1-04, MSRP-4975-6.1-05
    #[test]
    fn msrp_uri_comparison_follows_each_rule() {
        let same = [
            ("msrp://host:1/a;tcp", "MSRP://HOST:1/a;TCP"),
            ("msrp://host:1/a;tcp", "msrp://alice@host:01/a;tcp;x=y"),
            ("msrp://h%6Fst:1/a;tcp", "msrp://host:1/a;tcp"),
            ("msrp://h%2fst:1/a;tcp", "msrp://h%2Fst:1/a;tcp"),
            ("msrp://[::1]:1/a;tcp", "msrp://[0:0:0:0:0:0:0:1]:1/a;tcp"),
            ("msrp://host:/a;tcp", "msrp://host/a;tcp"),
        ];
        for (one, two) in same {
            assert_eq!(uri(one), uri(two));
        }
        let different = [
            ("msrp://host:1/a;tcp", "msrps://host:1/a;tcp"),
            ("msrp://host:1/a;tcp", "msrp://host:2/a;tcp"),
            ("msrp://host:2855/a;tcp", "msrp://host/a;tcp"),
            ("msrp://host:1/a;tcp", "msrp://host:1/A;tcp"),
            ("msrp://host:1/a;tcp", "msrp://host:1;tcp"),
            ("msrp://host:1/a;tcp", "msrp://host:1/a;ws"),
            ("msrp://host:1/a;tcp", "msrp://host.:1/a;tcp"),
            (
                "msrp://127.0.0.1:1/a;tcp",
                "msrp://[::ffff:127.0.0.1]:1/a;tcp",
            ),
            ("msrp://host:1/%61;tcp", "msrp://host:1/a;tcp"),
        ];
        for (one, two) in different {
            assert_ne!(uri(one), uri(two));
        }
    }

    // covers: MSRP-4975-6-01, MSRP-4975-6-02, MSRP-4975-6-06
    #[test]
    fn msrp_uri_composed_from_parts_has_them() {
        let host = Host::V6(Ipv6Addr::LOCALHOST);
        let buf = MsrpUriBuf::compose(Scheme::Msrp, host, Some(2855), Some("abc"), Transport::Tcp)
            .unwrap();
        assert_eq!(buf.as_str(), "msrp://[::1]:2855/abc;tcp");
        let buf =
            MsrpUriBuf::compose(Scheme::Msrps, Host::Name("x"), None, None, Transport::Ws).unwrap();
        assert_eq!(buf.as_str(), "msrps://x;ws");
        let literal = Host::V6(Ipv6Addr::LOCALHOST);
        let cases = [
            (Host::Name("x y"), "abc"),
            (Host::Name("x/y"), "abc"),
            (Host::Name("alice:pw@x"), "abc"),
            (Host::Name("10.0.0.1"), "abc"),
            (Host::Name("x"), "a b"),
            (Host::Name("x"), "a;b"),
            (Host::Name("x"), ""),
            (literal, "abc"),
        ];
        for (host, session) in cases {
            let uri = MsrpUriBuf::compose(Scheme::Msrp, host, None, Some(session), Transport::Tcp);
            assert!(uri.is_err(), "{host} {session}");
        }
        let transport = Transport::Other("a;b");
        assert!(MsrpUriBuf::compose(Scheme::Msrp, Host::Name("x"), None, None, transport).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn msrp_uri_of_any_octets_never_panics(octets in prop::collection::vec(any::<u8>(), 0..60)) {
            let text = [b"msrp://".as_slice(), &octets].concat();
            if let Ok(uri) = MsrpUri::parse(&text) {
                prop_assert!(uri.same_as(&uri.to_buf().as_uri()));
                prop_assert!(!text.iter().any(|c| c.is_ascii_control() || *c == b' '));
                let _ = (uri.host(), uri.session_id(), uri.transport().as_str().len(), uri.authority());
            }
        }

        #[test]
        fn msrp_uri_equality_is_symmetric(one in "msrps?://[a-b%6:.]{1,4}(/[a-b]{1,2})?;tcp", two in "msrps?://[a-b%6:.]{1,4}(/[a-b]{1,2})?;tcp") {
            if let (Ok(one), Ok(two)) = (MsrpUriBuf::parse(one), MsrpUriBuf::parse(two)) {
                prop_assert_eq!(one == two, two == one);
            }
        }
    }
}
