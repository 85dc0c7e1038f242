//! Header field values that the focus writes.

use crate::focus::policy::Policy;
use crate::ua::{Headers, Transport};

/// What this software calls itself in Server and User-Agent.
///
/// # Spec
/// AMB-68.
pub const SOFTWARE: &str = concat!("IM-serv/OMA1.0 msrpd/", env!("CARGO_PKG_VERSION"));

/// What is really served.
pub(crate) const ALLOW: &str =
    "INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE, REFER, SUBSCRIBE, NOTIFY, MESSAGE";

/// Bodies that an INVITE may have.
pub(crate) const ACCEPT: &str = "application/sdp, multipart/mixed, application/resource-lists+xml";

/// The session identity as Contact: reaches this node, and says that a focus is there.
///
/// # Spec
/// AMB-09; RFC 4579 s.5.2.
pub(crate) fn focus_contact(policy: &Policy, session: &str, transport: Transport) -> String {
    format!(
        "<{}>;isfocus;+g.oma.sip-im",
        contact_uri(policy, session, transport)
    )
}

/// As [`focus_contact`], for a session that exists for one message.
///
/// # Spec
/// LRG-9.3.2.1-01.
pub(crate) fn large_contact(policy: &Policy, session: &str, transport: Transport) -> String {
    format!("{};{LARGE_TAG}", focus_contact(policy, session, transport))
}

/// Whether a request asks for a session that exists for one message. Its client says it in
/// Accept-Contact; functions on the way may say it in Contact.
///
/// # Spec
/// LRG-9.3.1.1-01; AMB-45.
pub(crate) fn wants_large(headers: &Headers) -> bool {
    let is_tag = |part: &str| {
        let name = part.split('=').next().unwrap_or_default();
        name.trim().eq_ignore_ascii_case(LARGE_TAG)
    };
    ["Accept-Contact", "Contact"].iter().any(|field| {
        headers
            .all(field)
            .flat_map(|value| value.split([';', ',']))
            .any(is_tag)
    })
}

/// The feature tag of large messages.
pub(crate) const LARGE_TAG: &str = "+g.oma.sip-im.large-message";

/// The address inside [`focus_contact`].
pub(crate) fn contact_uri(policy: &Policy, session: &str, transport: Transport) -> String {
    let (transport, host) = policy.contact_host(transport);
    match transport {
        Transport::Udp => format!("sip:{session}@{host}"),
        Transport::Tcp => format!("sip:{session}@{host};transport=tcp"),
        Transport::Tls => format!("sip:{session}@{host};transport=tls"),
    }
}

/// A Warning with free or agreed text.
///
/// # Spec
/// RFC 3261 s.20.43; AMB-10.
pub(crate) fn warning(agent: &str, text: &str) -> String {
    let text: String = text
        .chars()
        .filter(|c| !c.is_control() && !matches!(c, '"' | '\\'))
        .collect();
    format!("399 {agent} \"{text}\"")
}

/// A number of seconds or the like, without sign.
pub(crate) fn header_number(value: &str) -> Option<u64> {
    let digits = value.split(';').next().unwrap_or_default().trim();
    let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    digits.parse().ok().filter(|_| is_number)
}

/// Whether a field that holds tokens, in one or more values, holds this one. Case does not matter.
pub(crate) fn has_token(headers: &Headers, name: &str, token: &str) -> bool {
    tokens(headers, name).any(|t| t.eq_ignore_ascii_case(token))
}

/// All tokens of a field.
pub(crate) fn tokens<'a>(headers: &'a Headers, name: &'a str) -> impl Iterator<Item = &'a str> {
    headers
        .all(name)
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|t| !t.is_empty())
}

/// Whether the request or response asks that its sender be hidden.
///
/// # Spec
/// RFC 3323 s.4.2, RFC 3325 s.9.3.
pub(crate) fn wants_privacy(headers: &Headers) -> bool {
    let mut values = headers
        .all("Privacy")
        .flat_map(|value| value.split([';', ',']))
        .map(str::trim);
    values.any(|v| v.eq_ignore_ascii_case("id") || v.eq_ignore_ascii_case("user"))
}
