//! The SIP header fields of a chat client.
//!
//! # Spec
//! CLI-7.1.1.1-01 to -08, CLI-7.1.1.8-01; RFC 4028.

use std::net::SocketAddr;
use std::time::Duration;

use msrp_sip::ua::{Headers, Response, Transport};

use super::message::quoted;

/// A display name and a URI as `From` and its like have them.
pub(super) fn name_addr(display: Option<&str>, uri: &str) -> String {
    match display {
        Some(name) => format!("{} <{uri}>", quoted(name)),
        None => format!("<{uri}>"),
    }
}

/// The Contact of a client at this address.
pub(super) fn contact(identity: &str, address: SocketAddr, transport: Transport) -> String {
    let user = identity.split_once(':').map_or("", |(_, rest)| rest);
    let user = user.split_once('@').map_or("client", |(user, _)| user);
    format!("<sip:{user}@{address};transport={transport}>;{FEATURE_TAG}")
}

/// The header fields of the INVITE. The engine adds Route and User-Agent.
pub(super) fn of_invite(asserted: &str) -> Headers {
    of_refresh()
        .with("P-Asserted-Identity", asserted)
        .with("Accept-Contact", format!("*;{FEATURE_TAG}"))
}

/// The header fields of a re-INVITE that keeps the session alive.
pub(super) fn of_refresh() -> Headers {
    Headers::new()
        .with("Allow", ALLOW)
        .with("Supported", "timer")
        .with(
            "Session-Expires",
            format!("{SESSION_EXPIRES_S};refresher=uac"),
        )
}

/// The header fields of a SUBSCRIBE to who takes part.
///
/// # Spec
/// CLI-7.1.1.11-01.
pub(super) fn of_subscribe() -> Headers {
    Headers::new()
        .with("Event", "conference")
        .with("Accept", "application/conference-info+xml")
        .with("Expires", SUBSCRIPTION_S.to_string())
        .with("Allow", ALLOW)
}

/// How long after this answer the subscription has to be refreshed; `None` when there is none.
pub(super) fn resubscribe_after(response: &Response) -> Option<Duration> {
    let granted = (200..300).contains(&response.status);
    let expires = response.headers.first("Expires").filter(|_| granted)?;
    let seconds = expires.trim().parse::<u64>().ok()?;
    Some(Duration::from_secs(seconds.clamp(2, YEAR_S)) / 2)
}

/// The header fields of a 200 to a request inside the dialog, which had these.
pub(super) fn of_answer(request: &Headers) -> Headers {
    let headers = Headers::new()
        .with("Allow", ALLOW)
        .with("Supported", "timer");
    let Some(expires) = request
        .first("Session-Expires")
        .or_else(|| request.first("x"))
    else {
        return headers;
    };
    // The side that asked goes on refreshing unless it wished otherwise.
    let expires = match refresher(expires) {
        Some(_) => expires.to_owned(),
        None => format!("{expires};refresher=uac"),
    };
    headers
        .with("Require", "timer")
        .with("Session-Expires", expires)
}

/// How long after this 2xx the client has to refresh the session; `None` when the other side does.
pub(super) fn refresh_after(response: &Response) -> Option<Duration> {
    let headers = &response.headers;
    let expires = headers
        .first("Session-Expires")
        .or_else(|| headers.first("x"))?;
    if refresher(expires) != Some("uac") {
        return None;
    }
    let interval = expires.split(';').next()?.trim().parse::<u64>().ok()?;
    Some(Duration::from_secs(interval.max(1)) / 2)
}

/// The texts of the Warning header fields, without codes and agents.
pub(super) fn warnings(headers: &Headers) -> Vec<String> {
    headers.all("Warning").flat_map(warning_texts).collect()
}

fn warning_texts(value: &str) -> Vec<String> {
    let (mut texts, mut text, mut escaped) = (Vec::new(), None::<String>, false);
    for c in value.chars() {
        match (&mut text, c) {
            (Some(t), _) if escaped => {
                t.push(c);
                escaped = false;
            }
            (Some(_), '\\') => escaped = true,
            (Some(_), '"') => texts.extend(text.take()),
            (Some(t), _) => t.push(c),
            (None, '"') => text = Some(String::new()),
            (None, _) => {}
        }
    }
    texts
}

fn refresher(expires: &str) -> Option<&str> {
    let mut parameters = expires.split(';').skip(1).filter_map(|p| p.split_once('='));
    let parameter = parameters.find(|(name, _)| name.trim().eq_ignore_ascii_case("refresher"));
    parameter.map(|(_, value)| value.trim())
}

/// The tag of the service.
const FEATURE_TAG: &str = "+g.oma.sip-im";
/// The client's name; its first word is the version of the service.
pub(super) const USER_AGENT: &str = concat!("IM-client/OMA1.0 msrpd/", env!("CARGO_PKG_VERSION"));
/// The methods that the client answers.
const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, NOTIFY";
/// How long a subscription runs, seconds. Source: RFC 4575 s.3.4.
const SUBSCRIPTION_S: u32 = 3600;
/// No subscription is granted for longer than a year, in seconds.
const YEAR_S: u64 = 31_536_000;
/// The session interval that the client asks for, seconds. Source: RFC 4028 s.4 recommends it.
const SESSION_EXPIRES_S: u32 = 1800;

#[cfg(test)]
mod tests {
    use msrp_sip::ua::Origin;

    use super::*;

    #[test]
    fn warning_texts_are_unquoted() {
        let headers = Headers::new()
            .with("Warning", "399 host \"one, \\\"two\\\"\", 399 h \"three\"")
            .with("Warning", "nonsense");
        assert_eq!(warnings(&headers), ["one, \"two\"", "three"]);
    }

    #[test]
    fn contact_has_user_address_and_tag() {
        let address = "127.0.0.1:4000".parse().unwrap();
        let text = contact("sip:alice@localhost", address, Transport::Tcp);
        assert_eq!(
            text,
            "<sip:alice@127.0.0.1:4000;transport=tcp>;+g.oma.sip-im"
        );
    }

    #[test]
    fn refresh_is_due_at_half_time_when_it_is_ours() {
        let response = |expires: &str| Response {
            status: 200,
            reason: "OK".to_owned(),
            headers: Headers::new().with("Session-Expires", expires),
            body: None,
            origin: Origin::Peer,
        };
        assert_eq!(
            refresh_after(&response("90;refresher=uac")),
            Some(Duration::from_secs(45))
        );
        assert_eq!(refresh_after(&response("90 ; refresher=uas")), None);
        assert_eq!(refresh_after(&response("90")), None);
    }

    #[test]
    fn answer_to_a_refresh_keeps_its_timer() {
        let request = Headers::new().with("Session-Expires", "90");
        assert_eq!(
            of_answer(&request).first("Session-Expires"),
            Some("90;refresher=uac")
        );
        assert_eq!(of_answer(&request).first("Require"), Some("timer"));
        assert_eq!(of_answer(&Headers::new()).first("Require"), None);
    }
}
