//! Readers for the header field values that the engine itself must understand: name-addr with its
//! parameters, Via, and the part of a URI that says where a request goes.

use std::net::{IpAddr, SocketAddr};

use crate::ua::Transport;

/// The default port of SIP (RFC 3261 s.19.1.2).
pub(super) const PORT: u16 = 5060;

/// The port where a URI names none, over TLS (RFC 3261 s.19.1.2).
pub(super) const PORT_TLS: u16 = 5061;

/// The parts of a From, To, Contact, Route or Record-Route value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NameAddr<'a> {
    /// The URI without angle brackets.
    pub(super) uri: &'a str,
    /// What follows the URI.
    params: &'a str,
}

impl<'a> NameAddr<'a> {
    /// Reads one value; `None` when it has no URI.
    pub(super) fn read(value: &'a str) -> Option<Self> {
        let open = find_unquoted(value, '<');
        let (uri, params) = match open {
            Some(open) => {
                let rest = value.get(open + 1..)?;
                let close = rest.find('>')?;
                (rest.get(..close)?, rest.get(close + 1..)?)
            }
            None => value.split_once(';').unwrap_or((value, "")),
        };
        let uri = uri.trim();
        // Without brackets there is no name; a quotation without end swallows its brackets.
        let is_bare = open.is_some() || !uri.contains(['"', '<', ' ', '\t']);
        (uri.contains(':') && is_bare).then_some(Self { uri, params })
    }

    /// The value with its parameters written plainly, `;tag=x`, where blanks stood among them. The
    /// stack reads only the plain form.
    pub(super) fn plain(&self, value: &str) -> String {
        if !self.params.contains([' ', '\t']) {
            return value.to_owned();
        }
        let end = value.len().saturating_sub(self.params.len());
        let address = value
            .get(..end)
            .unwrap_or(value)
            .trim_end_matches([';', ' ', '\t']);
        let mut plain = address.to_owned();
        for (name, value) in params(self.params) {
            plain.push(';');
            plain.push_str(name);
            if let Some(value) = value {
                plain.push('=');
                plain.push_str(value);
            }
        }
        plain
    }

    /// The tag parameter.
    pub(super) fn tag(&self) -> Option<&'a str> {
        params(self.params)
            .find(|(name, _)| name.eq_ignore_ascii_case("tag"))
            .and_then(|(_, value)| value)
            .filter(|tag| !tag.is_empty())
    }
}

/// The parameters of `;a=b;c`, in order. Quoted semicolons do not part them.
pub(super) fn params(text: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            if rest.is_empty() {
                return None;
            }
            let end = find_unquoted(rest, ';').unwrap_or(rest.len());
            let param = rest.get(..end)?.trim();
            rest = rest.get(end + 1..).unwrap_or("");
            if !param.is_empty() {
                return Some(match param.split_once('=') {
                    Some((name, value)) => (name.trim(), Some(value.trim())),
                    None => (param, None),
                });
            }
        }
    })
}

/// The values of a field that may carry several, parted by commas outside of quotes and brackets.
pub(super) fn list(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let (value, tail) = match find_comma(text) {
            Some(at) => (text.get(..at)?, text.get(at + 1..)),
            None => (text, None),
        };
        rest = tail;
        Some(value.trim())
    })
    .filter(|value| !value.is_empty())
}

fn find_unquoted(text: &str, wanted: char) -> Option<usize> {
    let mut quoted = false;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            c if c == wanted && !quoted => return Some(at),
            _ => {}
        }
    }
    None
}

fn find_comma(text: &str) -> Option<usize> {
    let (mut quoted, mut escaped, mut bracketed) = (false, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '<' if !quoted => bracketed = true,
            '>' if !quoted => bracketed = false,
            ',' if !quoted && !bracketed => return Some(at),
            _ => {}
        }
    }
    None
}

/// The topmost Via of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Via<'a> {
    protocol: &'a str,
    sent_by: &'a str,
    params: Vec<(&'a str, Option<&'a str>)>,
}

impl<'a> Via<'a> {
    /// Reads one value, without the values after a comma.
    pub(super) fn read(value: &'a str) -> Option<Self> {
        let (head, tail) = value.split_once(';').unwrap_or((value, ""));
        let (protocol, sent_by) = head.trim().rsplit_once([' ', '\t'])?;
        let protocol = protocol.trim();
        let mut parts = protocol.split('/').map(str::trim);
        let known = parts.next()?.eq_ignore_ascii_case("SIP")
            && parts.next()? == "2.0"
            && !parts.next()?.is_empty()
            && parts.next().is_none();
        let via = Self {
            protocol,
            sent_by,
            params: params(tail).collect(),
        };
        (known && via.host_port().is_some()).then_some(via)
    }

    fn param(&self, wanted: &str) -> Option<Option<&'a str>> {
        self.params
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(wanted))
            .map(|(_, value)| *value)
    }

    fn host_port(&self) -> Option<(&'a str, Option<u16>)> {
        host_port(self.sent_by)
    }

    /// The value as it is written back in responses: `received` when the source is not what the
    /// sender named, `rport` when the sender asked for it (RFC 3261 s.18.2.1, RFC 3581 s.4).
    pub(super) fn with_source(&self, source: SocketAddr) -> String {
        let ip = source.ip().to_canonical();
        let named = self.host_port().and_then(|(host, _)| literal(host)) == Some(ip);
        let rport = self.param("rport").is_some();
        let mut text = self.write(rport.then_some(source.port()));
        if !named || rport {
            text.push_str(&format!(";received={ip}"));
        }
        text
    }

    /// The value as its sender wrote it: no `received`, and `rport` without a value.
    pub(super) fn without_source(&self) -> String {
        self.write(None)
    }

    fn write(&self, rport: Option<u16>) -> String {
        let mut text = format!("{} {}", self.protocol, self.sent_by);
        for (name, value) in &self.params {
            if name.eq_ignore_ascii_case("received") {
                continue;
            }
            if name.eq_ignore_ascii_case("rport") {
                text.push_str(";rport");
                if let Some(port) = rport {
                    text.push_str(&format!("={port}"));
                }
                continue;
            }
            text.push(';');
            text.push_str(name);
            if let Some(value) = value {
                text.push('=');
                text.push_str(value);
            }
        }
        text
    }

    /// Where a response goes over an unreliable transport (RFC 3261 s.18.2.2, RFC 3581 s.4).
    pub(super) fn reply_address(&self, source: SocketAddr) -> SocketAddr {
        if self.param("rport").is_some() {
            return source;
        }
        let port = self.host_port().and_then(|(_, port)| port);
        SocketAddr::new(source.ip(), port.unwrap_or(PORT))
    }
}

/// Where a request is to be sent, before names are resolved.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Target {
    /// A name or a literal address without brackets.
    pub(super) host: String,
    /// The port, if the URI names one.
    pub(super) port: Option<u16>,
    /// The transport, if the URI names one. `sips` names TLS.
    pub(super) transport: Option<Transport>,
}

impl Target {
    /// Reads the host part of a SIP URI; `None` when it cannot be reached by what we have.
    pub(super) fn of(uri: &str) -> Option<Self> {
        let (scheme, rest) = uri.split_once(':')?;
        let is_secure = scheme.eq_ignore_ascii_case("sips");
        if !is_secure && !scheme.eq_ignore_ascii_case("sip") {
            return None;
        }
        let rest = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
        let rest = rest.split_once('?').map_or(rest, |(host, _)| host);
        let (authority, tail) = rest.split_once(';').unwrap_or((rest, ""));
        let (mut host, port) = host_port(authority)?;
        let mut transport = None;
        for (name, value) in params(tail) {
            let value = value.unwrap_or("");
            if name.eq_ignore_ascii_case("transport") {
                transport = Some(match value.to_ascii_lowercase().as_str() {
                    "udp" if !is_secure => Transport::Udp,
                    "tcp" if !is_secure => Transport::Tcp,
                    "tcp" | "tls" => Transport::Tls,
                    _ => return None,
                });
            } else if name.eq_ignore_ascii_case("maddr") && !value.is_empty() {
                host = value;
            }
        }
        Some(Self {
            host: host.trim_matches(['[', ']']).to_ascii_lowercase(),
            port,
            transport: transport.or(is_secure.then_some(Transport::Tls)),
        })
    }

    /// Whether no name has to be resolved.
    pub(super) fn is_literal(&self) -> bool {
        self.host.parse::<IpAddr>().is_ok()
    }

    /// The address over a transport, when no name has to be resolved.
    pub(super) fn address(&self, transport: Transport) -> Option<SocketAddr> {
        let ip = self.host.parse::<IpAddr>().ok()?;
        Some(SocketAddr::new(ip, self.port_over(transport)))
    }

    /// The port of the URI, else the usual one of the transport.
    pub(super) fn port_over(&self, transport: Transport) -> u16 {
        let usual = match transport {
            Transport::Udp | Transport::Tcp => PORT,
            Transport::Tls => PORT_TLS,
        };
        self.port.unwrap_or(usual)
    }
}

/// Whether a route has the `lr` parameter.
pub(super) fn is_loose(uri: &str) -> bool {
    let rest = uri.rsplit_once('@').map_or(uri, |(_, host)| host);
    let rest = rest.split_once('?').map_or(rest, |(host, _)| host);
    let tail = rest.split_once(';').map_or("", |(_, tail)| tail);
    params(tail).any(|(name, _)| name.eq_ignore_ascii_case("lr"))
}

/// Whether a Request-URI can be one: a scheme and something after it, no blanks, no brackets, and
/// a host when the scheme is ours.
pub(super) fn is_uri(uri: &str) -> bool {
    let Some((scheme, rest)) = uri.split_once(':') else {
        return false;
    };
    let legal = |c: char| !c.is_control() && !c.is_whitespace() && !"<>\"".contains(c);
    let named = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    if !named || rest.is_empty() || !rest.chars().all(legal) {
        return false;
    }
    if !scheme.eq_ignore_ascii_case("sip") && !scheme.eq_ignore_ascii_case("sips") {
        return true;
    }
    let rest = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    let end = rest.find([';', '?']).unwrap_or(rest.len());
    rest.get(..end).and_then(host_port).is_some()
}

fn host_port(text: &str) -> Option<(&str, Option<u16>)> {
    let text = text.trim();
    let (host, port) = match text.strip_prefix('[').and_then(|t| t.split_once(']')) {
        Some((inner, rest)) => {
            inner.parse::<std::net::Ipv6Addr>().ok()?;
            (text.get(..inner.len() + 2)?, rest.strip_prefix(':'))
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let legal = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    if host.is_empty() || !(host.starts_with('[') || host.chars().all(legal)) {
        return None;
    }
    match port.map(str::trim) {
        None => Some((host, None)),
        Some(port) => Some((host, Some(port.parse().ok()?))),
    }
}

fn literal(host: &str) -> Option<IpAddr> {
    let host = host.trim_matches(['[', ']']);
    host.parse::<IpAddr>().ok().map(|ip| ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(uri: &str) -> Option<(String, Option<u16>, Option<Transport>)> {
        Target::of(uri).map(|t| (t.host, t.port, t.transport))
    }

    #[test]
    fn name_addr_with_quoted_brackets_gives_uri_and_tag() {
        let value = r#""A \" <b>; tag=x" <sip:a@b;tag=no>;x="1;2" ;tag=yes"#;
        let read = NameAddr::read(value).unwrap();
        assert_eq!(read.uri, "sip:a@b;tag=no");
        assert_eq!(read.tag(), Some("yes"));
        let bare = NameAddr::read("sip:a@b;tag=t").unwrap();
        assert_eq!((bare.uri, bare.tag()), ("sip:a@b", Some("t")));
        assert_eq!(NameAddr::read("<sip:a@b>").unwrap().tag(), None);
        assert_eq!(NameAddr::read("nothing"), None);
    }

    #[test]
    fn list_with_commas_in_brackets_is_parted_outside_of_them() {
        let values: Vec<_> = list(r#"<sip:a,b@c>, "x, y" <sip:d>,, <sip:e>"#).collect();
        assert_eq!(values, ["<sip:a,b@c>", r#""x, y" <sip:d>"#, "<sip:e>"]);
    }

    #[test]
    fn via_gains_and_loses_what_the_receiver_adds() {
        let source: SocketAddr = "192.0.2.7:4000".parse().unwrap();
        let via = Via::read("SIP/2.0/UDP host.example:5070;rport;branch=z9hG4bK1").unwrap();
        let seen = via.with_source(source);
        assert_eq!(
            seen,
            "SIP/2.0/UDP host.example:5070;rport=4000;branch=z9hG4bK1;received=192.0.2.7"
        );
        assert_eq!(via.reply_address(source), source);
        let back = Via::read(&seen).unwrap().without_source();
        assert_eq!(back, "SIP/2.0/UDP host.example:5070;rport;branch=z9hG4bK1");
        let plain = Via::read("SIP / 2.0 / UDP 192.0.2.7;branch=z9hG4bK2").unwrap();
        assert_eq!(
            plain.with_source(source),
            "SIP / 2.0 / UDP 192.0.2.7;branch=z9hG4bK2"
        );
        assert_eq!(plain.reply_address(source).port(), 5060);
        assert!(Via::read("SIP/3.0/UDP a").is_none());
        assert!(Via::read("SIP/2.0/UDP").is_none());
        assert!(Via::read("HTTP/2.0/UDP a").is_none());
    }

    #[test]
    fn target_of_uris_names_host_port_and_transport() {
        let tcp = Some(Transport::Tcp);
        assert_eq!(
            target("sip:a@b.example"),
            Some(("b.example".into(), None, None))
        );
        assert_eq!(
            target("sip:a;x=y:pw@127.0.0.1:5070;transport=TCP;lr?h=v"),
            Some(("127.0.0.1".into(), Some(5070), tcp))
        );
        assert_eq!(
            target("sip:[::1]:5071;transport=udp"),
            Some(("::1".into(), Some(5071), Some(Transport::Udp)))
        );
        assert_eq!(
            target("sip:b;maddr=192.0.2.1"),
            Some(("192.0.2.1".into(), None, None))
        );
        let tls = Some(Transport::Tls);
        for secure in ["sips:a@b", "sip:b;transport=tls", "sips:b;transport=tcp"] {
            assert_eq!(target(secure), Some(("b".into(), None, tls)), "{secure}");
        }
        let port =
            |uri| Target::of(uri).map(|t| t.port_over(t.transport.unwrap_or(Transport::Udp)));
        assert_eq!(port("sip:b"), Some(5060));
        assert_eq!(port("sips:b"), Some(5061));
        assert_eq!(port("sips:b:5062"), Some(5062));
        for bad in [
            "sips:a@b;transport=udp",
            "tel:+1",
            "sip:",
            "sip:a@",
            "sip:b;transport=sctp",
            "sip:b:x",
        ] {
            assert_eq!(target(bad), None, "{bad}");
        }
    }

    #[test]
    fn uri_without_host_or_with_blanks_is_none() {
        for good in [
            "sip:a@b",
            "tel:+1555",
            "urn:service:sos",
            "sip:[::1]",
            "im:a@b",
            "sip:a@b;x",
        ] {
            assert!(is_uri(good), "{good}");
        }
        for bad in [
            "sip:",
            "sip:a@",
            "nothing",
            "sip:a b",
            "<sip:a@b>",
            ":x",
            "sip:[::z]",
        ] {
            assert!(!is_uri(bad), "{bad}");
        }
    }

    #[test]
    fn loose_route_is_seen_only_as_a_uri_parameter() {
        assert!(is_loose("sip:p.example;lr"));
        assert!(is_loose("sip:u@p.example:5060;transport=tcp;lr=on"));
        assert!(!is_loose("sip:lr@p.example"));
        assert!(!is_loose("sip:p.example?lr"));
    }
}
