//! Addresses of users and groups in a form that can be compared.
//!
//! An [`Identity`] is made once, when an address is learnt, and compared often; equality is equality of its text.
//!
//! | address | canonical text |
//! | --- | --- |
//! | `sip:%61lice:pw@Example.COM:5060;transport=tcp?subject=x` | `sip:alice@example.com:5060` |
//! | `sips:alice@example.com` | `sip:alice@example.com` |
//! | `alice@example.com` | `sip:alice@example.com` |
//! | `sip:+1-212-555@gw.example.com;user=phone` | `tel:+1212555` |
//! | `tel:+1(212)555;par=x` | `tel:+1212555` |
//! | `tel:+1(212)555;ext=(7)` | `tel:+1212555;ext=7` |
//! | `tel:555;phone-context=Example.com` | `tel:555;phone-context=example.com` |
//! | `im:bob@EXAMPLE.com` | `im:bob@example.com` |
//!
//! A sips address equals the sip address of the same user: RFC 3261 s.19.1 lets any SIP address be upgraded by its
//! scheme alone, so both name one resource, and the scheme says how to reach it, not who it is.
//! An extension and an ISDN subaddress are part of a number, as in RFC 3966 s.4: they name another station. Other
//! parameters say how to reach it. A percent-encoded character of a number counts as the character.
//!
//! A port is part of the identity, and an absent port differs from 5060, as in RFC 3261 s.19.1.4.

use std::fmt;
use std::net::Ipv6Addr;

use crate::limits::IDENTITY_OCTETS_MAX;
use crate::octet_class::OctetClass;
use crate::octets;

/// The normalised form of an address, owned. Compared and hashed by its text.
///
/// # Spec
/// AMB-25; RFC 3261 s.19.1.4, RFC 3966 s.4.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Identity {
    canonical: Box<str>,
}

/// The text is no address that can be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAnIdentity;

impl Identity {
    /// Reads an address: a bare URI, `<uri>` or `Name <uri>`. One allocation or a few; for setting up and for the first
    /// chunk of a message.
    ///
    /// # Errors
    /// [`NotAnIdentity`]: no host or number, blanks or control characters inside, or longer than
    /// [`IDENTITY_OCTETS_MAX`], as it stands or in its canonical form.
    pub fn parse(text: &str) -> Result<Self, NotAnIdentity> {
        Self::canonical(text)
            .filter(|canonical| canonical.len() <= IDENTITY_OCTETS_MAX)
            .map(|text| Self {
                canonical: text.into_boxed_str(),
            })
            .ok_or(NotAnIdentity)
    }

    fn canonical(text: &str) -> Option<String> {
        if is_canonical_sip(text) {
            return Some(text.to_owned());
        }
        let uri = without_display_name(text)?;
        if uri.len() > IDENTITY_OCTETS_MAX
            || uri
                .chars()
                .any(|c| c.is_control() || c.is_whitespace() || matches!(c, '<' | '>' | '"'))
        {
            return None;
        }
        let (scheme, rest) = split_scheme(uri);
        match scheme.to_ascii_lowercase().as_str() {
            "" | "sip" | "sips" => sip(rest),
            "tel" => tel(rest),
            scheme @ ("im" | "pres") => Some(format!("{scheme}:{}", mailbox(rest)?)),
            scheme => other(scheme, rest),
        }
    }

    /// The canonical text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.canonical
    }
}

/// Whether the text is the canonical form of a SIP address with a user and without a port, as most are written. `false`
/// says nothing.
fn is_canonical_sip(text: &str) -> bool {
    let Some(rest) = text.as_bytes().strip_prefix(b"sip:") else {
        return false;
    };
    let (user, rest) = OctetClass::UNRESERVED.split_run(rest);
    let Some(host) = rest.strip_prefix(b"@") else {
        return false;
    };
    let is_host = |c: &u8| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, b'.' | b'-');
    !user.is_empty()
        && !host.is_empty()
        && host.iter().all(is_host)
        && text.len() <= IDENTITY_OCTETS_MAX
}

/// The URI of `Name <uri>`; the name may be quoted and hold angle brackets then.
fn without_display_name(text: &str) -> Option<&str> {
    let text = text.trim();
    let after_name = match text.strip_prefix('"') {
        Some(quoted) => quoted.get(closing_quote(quoted)?..)?.get(1..)?,
        None => text,
    };
    match after_name.split_once('<') {
        Some((_name, rest)) => Some(rest.split_once('>')?.0.trim()),
        None => Some(text),
    }
}

/// The offset of the quote that ends a string whose first quote is taken.
pub(crate) fn closing_quote(quoted: &str) -> Option<usize> {
    let mut escaped = false;
    quoted.bytes().position(|c| {
        let ends = c == b'"' && !escaped;
        escaped = c == b'\\' && !escaped;
        ends
    })
}

/// Scheme and rest; the scheme is empty when there is none. `example.com:5060` has none.
fn split_scheme(uri: &str) -> (&str, &str) {
    let Some((scheme, rest)) = uri.split_once(':') else {
        return ("", uri);
    };
    let mut letters = scheme.bytes();
    let is_scheme = letters.next().is_some_and(|c| c.is_ascii_alphabetic())
        && letters.all(|c| c.is_ascii_alphanumeric() || matches!(c, b'+' | b'-' | b'.'));
    // Looked at as it will stand in the canonical text, so that a percent-encoded digit counts too.
    let starts_with_digit = octets::normalised(rest.as_bytes(), octets::is_unreserved)
        .next()
        .is_some_and(|c| c.is_ascii_digit());
    let is_host = scheme.contains('.') && starts_with_digit;
    if is_scheme && !is_host {
        (scheme, rest)
    } else {
        ("", uri)
    }
}

fn sip(rest: &str) -> Option<String> {
    let parameters = rest.split_once('@').map_or(rest, |(_user, host)| host);
    if has_parameter(parameters, "user", "phone")
        && let Some((user, _host)) = rest.split_once('@')
        && let Some(number) = tel(before(user, &[':']))
    {
        return Some(number);
    }
    Some(format!("sip:{}", mailbox(rest)?))
}

/// `user@host:port` without password, parameters and headers; the user may be absent.
fn mailbox(rest: &str) -> Option<String> {
    let (user, host) = match rest.split_once('@') {
        Some((user, host)) => (Some(before(user, &[':'])), host),
        None => (None, rest),
    };
    let host = host_port(before(host, &[';', '?']))?;
    match user {
        Some("") => None,
        Some(user) => Some(format!("{}@{host}", decoded(user)?)),
        None => Some(host),
    }
}

fn host_port(text: &str) -> Option<String> {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((literal, port)) => (format!("[{}]", literal.parse::<Ipv6Addr>().ok()?), port),
        None => {
            let host = before(text, &[':']);
            (decoded(host)?.to_ascii_lowercase(), text.get(host.len()..)?)
        }
    };
    let legal =
        |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | '~' | '%' | '[' | ']' | ':');
    if host.is_empty() || !host.chars().all(legal) {
        return None;
    }
    match port.strip_prefix(':') {
        Some(digits) => Some(format!("{host}:{}", digits.parse::<u16>().ok()?)),
        None if port.is_empty() => Some(host),
        None => None,
    }
}

/// A number in its canonical form; `None` when the text is not a number.
fn tel(rest: &str) -> Option<String> {
    let rest: Vec<u8> = octets::normalised(rest.as_bytes(), is_of_number).collect();
    let rest = String::from_utf8(rest).ok()?.to_ascii_lowercase();
    let (number, parameters) = rest.split_once(';').unwrap_or((&rest, ""));
    let digits = without_separators(number);
    let station = |name| match parameter(parameters, name) {
        Some(value) => format!(";{name}={}", without_separators(value)),
        None => String::new(),
    };
    let station = station("ext") + &station("isub");
    match digits.strip_prefix('+') {
        Some(global) => {
            is_all(global, |c| c.is_ascii_digit()).then(|| format!("tel:{digits}{station}"))
        }
        None => {
            let local = is_all(&digits, |c| {
                c.is_ascii_hexdigit() || matches!(c, b'*' | b'#')
            });
            // A short word of hexadecimal letters is a name, not a number, unless it says where it is valid.
            let context = parameter(parameters, "phone-context");
            let sure = context.is_some() || digits.bytes().all(|c| !c.is_ascii_alphabetic());
            let context = match context {
                Some(number) if number.starts_with('+') => without_separators(number),
                Some(domain) => domain.to_owned(),
                None => return (local && sure).then(|| format!("tel:{digits}{station}")),
            };
            local.then(|| format!("tel:{digits}{station};phone-context={context}"))
        }
    }
}

fn without_separators(number: &str) -> String {
    number
        .chars()
        .filter(|c| !matches!(c, '-' | '.' | '(' | ')'))
        .collect()
}

/// A character that a number may hold: RFC 3966 s.3, `phonedigit-hex` and `+`.
fn is_of_number(c: u8) -> bool {
    c.is_ascii_hexdigit() || matches!(c, b'+' | b'*' | b'#' | b'-' | b'.' | b'(' | b')')
}

/// Any other absolute URI: compared by its text, with scheme and percent-encoding normalised.
fn other(scheme: &str, rest: &str) -> Option<String> {
    if rest.is_empty() {
        return None;
    }
    let rest = octets::normalised(rest.as_bytes(), octets::is_unreserved).collect();
    Some(format!("{scheme}:{}", String::from_utf8(rest).ok()?))
}

fn decoded(text: &str) -> Option<String> {
    String::from_utf8(octets::normalised(text.as_bytes(), is_sip_unreserved).collect()).ok()
}

/// RFC 3261 s.25.1, `unreserved`.
fn is_sip_unreserved(c: u8) -> bool {
    octets::is_unreserved(c) || matches!(c, b'!' | b'*' | b'\'' | b'(' | b')')
}

fn has_parameter(text: &str, name: &str, value: &str) -> bool {
    let parameters = before(text, &['?'])
        .split_once(';')
        .map_or("", |(_host, parameters)| parameters);
    parameter(parameters, name).is_some_and(|found| found.eq_ignore_ascii_case(value))
}

fn parameter<'a>(parameters: &'a str, name: &str) -> Option<&'a str> {
    parameters
        .split(';')
        .filter_map(|parameter| parameter.split_once('='))
        .find(|(found, _value)| found.eq_ignore_ascii_case(name))
        .map(|(_name, value)| value)
}

fn before<'a>(text: &'a str, ends: &[char]) -> &'a str {
    text.split(ends).next().unwrap_or_default()
}

fn is_all(text: &str, legal: fn(u8) -> bool) -> bool {
    !text.is_empty() && text.bytes().all(legal)
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.canonical)
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.canonical)
    }
}

impl fmt::Display for NotAnIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an address must be a sip, sips, tel, im or other absolute URI")
    }
}

impl std::error::Error for NotAnIdentity {}

impl std::str::FromStr for Identity {
    type Err = NotAnIdentity;

    fn from_str(text: &str) -> Result<Self, NotAnIdentity> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn identity(text: &str) -> Identity {
        Identity::parse(text).unwrap()
    }

    #[test]
    fn identity_of_each_form_has_its_canonical_text() {
        let cases = [
            (
                "sip:%61lice:pw@Example.COM:5060;transport=tcp?subject=x",
                "sip:alice@example.com:5060",
            ),
            ("sips:alice@example.com", "sip:alice@example.com"),
            ("alice@example.com", "sip:alice@example.com"),
            ("SIP:Alice@example.com", "sip:Alice@example.com"),
            ("sip:a%2bb@example.com", "sip:a%2Bb@example.com"),
            ("sip:example.com", "sip:example.com"),
            ("example.com:5070", "sip:example.com:5070"),
            (
                "sip:bob@[2001:DB8:0::1]:5070;lr",
                "sip:bob@[2001:db8::1]:5070",
            ),
            ("sip:+1-212-555@gw.example.com;user=phone", "tel:+1212555"),
            ("tel:+1(212)555;par=x", "tel:+1212555"),
            ("tel:+1(212)555;EXT=(7);par=x", "tel:+1212555;ext=7"),
            ("tel:+1212;isub=A1;ext=7", "tel:+1212;ext=7;isub=a1"),
            ("sip:+1212;ext=7@gw;user=phone", "tel:+1212;ext=7"),
            ("sips:+1212@gw:5061;USER=Phone", "tel:+1212"),
            ("+1212@gw;user=phone", "tel:+1212"),
            ("sip:%2B1212@gw;user=phone", "tel:+1212"),
            ("sip:*31%23@gw;user=phone", "tel:*31#"),
            (
                "tel:5(5)5;phone-context=+1-212",
                "tel:555;phone-context=+1212",
            ),
            ("tel:0A;phone-context=X", "tel:0a;phone-context=x"),
            (
                "tel:555;phone-context=Example.com",
                "tel:555;phone-context=example.com",
            ),
            (
                "sip:555;phone-context=example.com@gw;user=phone",
                "tel:555;phone-context=example.com",
            ),
            ("sip:carol@gw;user=phone", "sip:carol@gw"),
            ("tel:112", "tel:112"),
            ("0", "sip:0"),
            ("im:bob@EXAMPLE.com?x=y", "im:bob@example.com"),
            (
                "sip:anonymous@anonymous.invalid",
                "sip:anonymous@anonymous.invalid",
            ),
            (
                "Alice Smith <sip:alice@example.com>",
                "sip:alice@example.com",
            ),
            (
                "\"A <b> \\\" c\" <sip:alice@example.com;x>;tag=1",
                "sip:alice@example.com",
            ),
            ("URN:example:%7Ea", "urn:example:~a"),
        ];
        for (text, canonical) in cases {
            assert_eq!(identity(text).as_str(), canonical, "{text}");
            let shown = format!("{0} {0:?}", identity(text));
            assert_eq!(shown, format!("{canonical} {canonical}"));
            assert_eq!(identity(canonical).as_str(), canonical, "{canonical}");
        }
    }

    #[test]
    fn identity_of_different_users_differs() {
        let cases = [
            ("sip:alice@example.com", "sip:Alice@example.com"),
            ("sip:alice@example.com", "sip:alice@example.com:5060"),
            ("sip:alice@example.com", "im:alice@example.com"),
            ("sip:+1212@example.com", "tel:+1212"),
            ("tel:1212", "tel:+1212"),
            ("tel:+1212;ext=7", "tel:+1212;ext=8"),
            ("tel:+1212;ext=7", "tel:+1212"),
            ("tel:555;phone-context=a", "tel:555;phone-context=b"),
            ("sip:a%2Fb@example.com", "sip:a/b@example.com"),
        ];
        for (one, two) in cases {
            assert_ne!(identity(one), identity(two));
        }
    }

    #[test]
    fn identity_of_what_is_no_address_is_refused() {
        let long = format!("sip:{}@example.com", "a".repeat(2000));
        let growing = format!("sip:{}@example.com", "%".repeat(1000));
        for text in [
            "",
            " ",
            "sip:",
            "sip:@example.com",
            "sip:alice@",
            "sip:a b@example.com",
            "tel:",
            "tel:bob",
            "<sip:a@b",
            "sip<<@->",
            "\"x",
            "sip:a@b:99999",
            "sip:a@b\u{0}",
            "sip:a@b/c",
            "sip:a@b@c",
            "a.b:%30",
            &long,
            &growing,
        ] {
            assert_eq!(Identity::parse(text), Err(NotAnIdentity), "{text}");
        }
    }

    #[test]
    fn identity_of_usual_and_other_form_is_the_same() {
        for (usual, other) in [
            ("sip:alice@example.com", "<sip:alice@example.com>"),
            ("sip:a.b-c_d~1@10.0.0.1", "SIP:a.b-c_d~1@10.0.0.1;x"),
        ] {
            assert!(is_canonical_sip(usual));
            assert_eq!(identity(usual), identity(other));
        }
        for other in [
            "sip:alice@Example.com",
            "sip:a%61@x",
            "sip:@x",
            "sip:a@",
            "sip:a@x:1",
        ] {
            assert!(!is_canonical_sip(other), "{other}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn identity_of_any_text_is_stable(text in "\\PC{0,60}") {
            if let Ok(identity) = Identity::parse(&text) {
                prop_assert_eq!(Identity::parse(identity.as_str()), Ok(identity));
            }
        }

        #[test]
        fn identity_of_bracketed_text_is_that_of_the_text(text in "sip:[a-cA-C0-9%._!~-]{0,6}@[a-cA-C0-9%._~-]{0,6}") {
            prop_assert_eq!(Identity::parse(&text), Identity::parse(&format!("<{text}>")));
        }

        #[test]
        fn identity_of_address_like_text_is_stable(text in "(sip|sips|tel|im|)[:]?[a-f0-9%+;:@<>\"\\\\?=.-]{0,24}(;user=phone)?") {
            if let Ok(identity) = Identity::parse(&text) {
                prop_assert_eq!(Identity::parse(identity.as_str()), Ok(identity));
            }
        }
    }
}
