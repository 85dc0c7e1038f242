//! Where the parts of an MSRP URI lie.
//!
//! ```text
//! msrp://127.0.0.1:2855/jshA7weztas;tcp;x=y
//! |      |        |    ||          |   |
//! |      |        |    ||          |   transport_end: parameters follow
//! |      |        |    ||          session_end
//! |      |        |    |session-id
//! |      |        |    authority_end
//! |      |        host_end
//! |      authority_start, and host_start when there is no userinfo
//! scheme
//! ```

use super::Scheme;
use super::host::host_of;
use crate::limits::URI_OCTETS_MAX;
use crate::malformed::{Malformed, Place};
use crate::octet_class::OctetClass;
use crate::octets;

/// Where the parts of a URI lie in its text, as octet offsets.
#[derive(Clone, Copy)]
pub(super) struct Parts {
    pub(super) scheme: Scheme,
    pub(super) authority_start: u16,
    pub(super) host_start: u16,
    pub(super) host_end: u16,
    pub(super) port: Option<u16>,
    /// End of the authority; a `/` stands here when there is a session-id.
    pub(super) authority_end: u16,
    /// The `;` before the transport.
    pub(super) session_end: u16,
    pub(super) transport_end: u16,
}

/// Where the parts of an authority lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Authority {
    host_start: usize,
    host_end: usize,
    port: Option<u16>,
    end: usize,
}

impl Parts {
    /// Reads a whole text as a URI.
    pub(super) fn of(raw: &[u8]) -> Result<Self, Malformed> {
        if raw.len() > URI_OCTETS_MAX {
            return Err(Malformed::new(Place::UriLength, URI_OCTETS_MAX));
        }
        let (scheme, authority_start) = scheme_of(raw)?;
        let authority = match Authority::usual(raw, authority_start) {
            Some(authority) => authority,
            None => Authority::of(raw, authority_start)?,
        };
        let session_end = session_end(raw, authority.end)?;
        let transport_end = transport_end(raw, session_end)?;
        check_parameters(raw, transport_end)?;
        Ok(Self {
            scheme,
            authority_start: short(authority_start),
            host_start: short(authority.host_start),
            host_end: short(authority.host_end),
            port: authority.port,
            authority_end: short(authority.end),
            session_end: short(session_end),
            transport_end: short(transport_end),
        })
    }
}

impl Authority {
    /// The form that nearly every URI has, in one walk: a name or an IPv4 literal, perhaps a port, and a session-id
    /// behind it. `None` says nothing about the text.
    fn usual(raw: &[u8], start: usize) -> Option<Self> {
        let (host, rest) = OctetClass::HOST.split_run(raw.get(start..)?);
        if host.is_empty() {
            return None;
        }
        let host_end = start.checked_add(host.len())?;
        let (port, end) = match rest {
            [b'/', ..] => (None, host_end),
            [b':', rest @ ..] => {
                let digits = rest.iter().take(PORT_DIGITS_MAX);
                let len = digits.take_while(|c| c.is_ascii_digit()).count();
                let (digits, rest) = rest.split_at_checked(len)?;
                let port = u16::try_from(octets::number(digits)?).ok()?;
                let [b'/', ..] = rest else { return None };
                let end = host_end.checked_add(1)?.checked_add(len)?;
                (Some(port), end)
            }
            _ => return None,
        };
        Some(Self {
            host_start: start,
            host_end,
            port,
            end,
        })
    }

    /// Every legal form.
    fn of(raw: &[u8], start: usize) -> Result<Self, Malformed> {
        let rest = raw.get(start..).unwrap_or_default();
        let userinfo_len = userinfo_len(rest).ok_or(Malformed::new(Place::UriAuthority, start))?;
        let host_start = start.saturating_add(userinfo_len);
        let host_and_more = raw.get(host_start..).unwrap_or_default();
        let host_and_port = before(host_and_more, |c| c == b'/' || c == b';');
        let (host, port) =
            split_port(host_and_port).ok_or(Malformed::new(Place::UriAuthority, host_start))?;
        if host_of(host).is_none() {
            return Err(Malformed::new(Place::UriAuthority, host_start));
        }
        Ok(Self {
            host_start,
            host_end: host_start.saturating_add(host.len()),
            port,
            end: host_start.saturating_add(host_and_port.len()),
        })
    }
}

fn scheme_of(raw: &[u8]) -> Result<(Scheme, usize), Malformed> {
    let forms = [(Scheme::Msrp, MSRP), (Scheme::Msrps, MSRPS)];
    let as_written = forms.iter().find(|(_, text)| raw.starts_with(text));
    as_written
        .or_else(|| {
            forms.iter().find(|(_, text)| {
                raw.get(..text.len())
                    .is_some_and(|start| start.eq_ignore_ascii_case(text))
            })
        })
        .map(|(scheme, text)| (*scheme, text.len()))
        .ok_or(Malformed::new(Place::UriScheme, 0))
}

/// Octets of the userinfo and its `@`. Session-ids may hold an `@`, so only what stands before the first `/` counts.
/// `None`: an illegal character.
fn userinfo_len(rest: &[u8]) -> Option<usize> {
    let Some(at) = memchr::memrchr(b'@', before(rest, |c| c == b'/')) else {
        return Some(0);
    };
    OctetClass::USERINFO
        .has_all(rest.get(..at)?)
        .then_some(at.saturating_add(1))
}

/// Host and port; the port is `None` when absent or empty.
fn split_port(authority: &[u8]) -> Option<(&[u8], Option<u16>)> {
    let host_len = match authority {
        [b'[', ..] => memchr::memchr(b']', authority)?.checked_add(1)?,
        name => memchr::memchr(b':', name).unwrap_or(name.len()),
    };
    match authority.split_at_checked(host_len)? {
        (host, [] | [b':']) => Some((host, None)),
        (host, [b':', digits @ ..]) => {
            Some((host, Some(u16::try_from(octets::number(digits)?).ok()?)))
        }
        (_, _) => None,
    }
}

fn session_end(raw: &[u8], authority_end: usize) -> Result<usize, Malformed> {
    let rest = raw.get(authority_end..).unwrap_or_default();
    let [b'/', rest @ ..] = rest else {
        return Ok(authority_end);
    };
    let (session, rest) = OctetClass::SESSION.split_run(rest);
    let end = authority_end
        .saturating_add(1)
        .saturating_add(session.len());
    match rest {
        [] | [b';', ..] if !session.is_empty() => Ok(end),
        _ => Err(Malformed::new(Place::UriSessionId, end)),
    }
}

fn transport_end(raw: &[u8], session_end: usize) -> Result<usize, Malformed> {
    let malformed = Malformed::new(Place::UriTransport, session_end);
    let Some([b';', rest @ ..]) = raw.get(session_end..) else {
        return Err(malformed);
    };
    let (word, rest) = OctetClass::ALPHANUMERIC.split_run(rest);
    match rest {
        [] | [b';', ..] if !word.is_empty() => {
            Ok(session_end.saturating_add(1).saturating_add(word.len()))
        }
        _ => Err(malformed),
    }
}

fn check_parameters(raw: &[u8], start: usize) -> Result<(), Malformed> {
    let (legal, rest) = OctetClass::PARAMETERS.split_run(raw.get(start..).unwrap_or_default());
    if rest.is_empty() {
        Ok(())
    } else {
        let offset = start.saturating_add(legal.len());
        Err(Malformed::new(Place::UriParameter, offset))
    }
}

fn before(text: &[u8], ends: impl Fn(u8) -> bool) -> &[u8] {
    let len = text.iter().position(|c| ends(*c)).unwrap_or(text.len());
    text.get(..len).unwrap_or_default()
}

fn short(offset: usize) -> u16 {
    u16::try_from(offset).unwrap_or(u16::MAX)
}

const MSRP: &[u8] = b"msrp://";
const MSRPS: &[u8] = b"msrps://";

/// Digits of a port that the quick way reads; one with leading zeros takes the other way.
const PORT_DIGITS_MAX: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn authority_of_the_usual_form_is_read_alike_both_ways(text in "[a-c0-9%@:;/.\\[\\]-]{0,16}/[ab]{0,2};tcp") {
            if let Some(authority) = Authority::usual(text.as_bytes(), 0) {
                prop_assert_eq!(Authority::of(text.as_bytes(), 0), Ok(authority));
            }
        }
    }
}
