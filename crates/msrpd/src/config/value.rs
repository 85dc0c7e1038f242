//! The shapes of addresses in the configuration.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use msrp_sip::address::Uri;

/// A SIP transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SipTransport {
    /// RFC 3261 s.18.
    Udp,
    /// RFC 3261 s.18.
    Tcp,
    /// RFC 3261 s.26.2.
    Tls,
}

/// One address of the SIP focus, written `udp:ADDRESS:PORT`, `tcp:ADDRESS:PORT` or
/// `tls:ADDRESS:PORT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SipBind {
    /// The transport.
    pub transport: SipTransport,
    /// The address; port 0 lets the kernel choose.
    pub address: SocketAddr,
}

/// What goes into `a=path`, written `HOST:PORT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advertise {
    /// A name or an address; an IPv6 address has its brackets.
    pub host: String,
    /// The port; 0 means the port that was bound.
    pub port: u16,
}

impl SipBind {
    /// Reads `udp:ADDRESS:PORT`, `tcp:ADDRESS:PORT` or `tls:ADDRESS:PORT`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (transport, address) = text.split_once(':')?;
        let transport = match transport {
            "udp" => SipTransport::Udp,
            "tcp" => SipTransport::Tcp,
            "tls" => SipTransport::Tls,
            _ => return None,
        };
        Some(Self {
            transport,
            address: address.parse().ok()?,
        })
    }
}

impl Advertise {
    /// Reads `HOST:PORT`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (host, port) = text.rsplit_once(':')?;
        is_host(host).then_some(())?;
        Some(Self {
            host: host.to_owned(),
            port: port.parse().ok()?,
        })
    }
}

impl fmt::Display for SipTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
        })
    }
}

impl fmt::Display for SipBind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.transport, self.address)
    }
}

impl fmt::Display for Advertise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Whether this is a host name, an IPv4 address or an IPv6 address in brackets.
pub(super) fn is_host(text: &str) -> bool {
    if let Some(inner) = text.strip_prefix('[') {
        let address = inner.strip_suffix(']').map(str::parse::<IpAddr>);
        return matches!(address, Some(Ok(IpAddr::V6(_))));
    }
    let label = |l: &str| {
        let legal = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        !l.is_empty() && l.len() <= 63 && l.bytes().all(legal) && !l.starts_with('-')
    };
    text.len() <= HOST_OCTETS_MAX && text.split('.').all(label)
}

/// Whether this is a `sip:` URI with a user and a host.
pub(crate) fn is_user_uri(text: &str) -> bool {
    let is_complete = |uri: &Uri| uri.user().is_some_and(|user| !user.is_empty());
    text.starts_with("sip:") && Uri::parse(text).is_ok_and(|uri| is_complete(&uri))
}

/// Whether this is `sip:HOST`, `sip:HOST:PORT`, each with or without parameters.
pub(super) fn is_route(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("sip:") else {
        return false;
    };
    let (host, parameters) = rest.split_once(';').unwrap_or((rest, ""));
    let legal = |b: u8| b.is_ascii_alphanumeric() || b"-_.;=~".contains(&b);
    is_host_port(host) && parameters.bytes().all(legal)
}

/// Whether this is the origin of a page, `http://HOST` or `https://HOST`, each with or without a port.
pub(super) fn is_origin(text: &str) -> bool {
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(is_host_port)
}

/// Reads a network such as `10.0.0.0/8`, or a single address.
pub(super) fn net(text: &str) -> Option<IpNet> {
    let single = || text.parse::<IpAddr>().ok().map(IpNet::from);
    text.parse().ok().or_else(single)
}

fn is_host_port(text: &str) -> bool {
    is_host(text) || Advertise::parse(text).is_some_and(|a| a.port != 0)
}

/// Longest host name, octets. Source: RFC 1035 s.2.3.4.
const HOST_OCTETS_MAX: usize = 253;
