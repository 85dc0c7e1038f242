//! SIP, SIPS and tel addresses: reading, comparing, writing.
//!
//! Two addresses name the same user when their [`Uri::key`]s are equal: user part by case, host
//! without case, no parameters, no headers, and `sip:+1555@host;user=phone` equal to `tel:+1555`.
//!
//! # Spec
//! RFC 3261 s.19.1 and s.20.10, RFC 3966 s.3; AMB-25.

use std::fmt;

use crate::limits::{DISPLAY_NAME_CHARS_MAX, NAME_ADDRESSES_MAX, URI_OCTETS_MAX};

/// Why an address could not be read. The peer's fault, or that of the writer of a configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Longer than [`URI_OCTETS_MAX`].
    #[error("the address is too long")]
    TooLong,
    /// No `sip:`, `sips:` or `tel:` in front.
    #[error("the address is neither sip, sips nor tel")]
    Scheme,
    /// A character that no URI may hold.
    #[error("the address holds an illegal character")]
    IllegalCharacter,
    /// No host, or one that is neither a name nor an IP address.
    #[error("the host of the address cannot be read")]
    Host,
    /// A tel address without a number.
    #[error("the number of the address cannot be read")]
    Number,
    /// Header fields after `?`, which we never follow.
    #[error("the address asks for header fields")]
    Headers,
    /// A quoted name or an angle bracket that does not end.
    #[error("a quotation or an angle bracket does not end")]
    Unbalanced,
}

/// The scheme of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// `sip:`
    Sip,
    /// `sips:`
    Sips,
    /// `tel:`
    Tel,
}

impl Scheme {
    fn as_str(self) -> &'static str {
        match self {
            Self::Sip => "sip",
            Self::Sips => "sips",
            Self::Tel => "tel",
        }
    }
}

/// A legal address without header fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uri {
    text: String,
    scheme: Scheme,
    user: Option<String>,
    host: String,
    port: Option<u16>,
    parameters: Vec<(String, String)>,
}

impl Uri {
    /// Reads an address as it stands between angle brackets.
    ///
    /// # Errors
    /// [`AddressError`]: the writer's fault.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let text = text.trim();
        if text.len() > URI_OCTETS_MAX {
            return Err(AddressError::TooLong);
        }
        let legal = |b: u8| {
            b.is_ascii_graphic()
                && !matches!(
                    b,
                    b'<' | b'>' | b'"' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}'
                )
        };
        if !text.bytes().all(legal) {
            return Err(AddressError::IllegalCharacter);
        }
        let (scheme, rest) = text.split_once(':').ok_or(AddressError::Scheme)?;
        if scheme.eq_ignore_ascii_case("tel") {
            return Self::parse_tel(text, rest);
        }
        let scheme = match scheme {
            s if s.eq_ignore_ascii_case("sip") => Scheme::Sip,
            s if s.eq_ignore_ascii_case("sips") => Scheme::Sips,
            _ => return Err(AddressError::Scheme),
        };
        Self::parse_sip(text, scheme, rest)
    }

    /// Reads an address that may lack its scheme: `alice@example.com` is `sip:alice@example.com`,
    /// `+1555` is a number.
    ///
    /// # Errors
    /// As [`Uri::parse`].
    ///
    /// # Spec
    /// AMB-49.
    pub fn parse_lenient(text: &str) -> Result<Self, AddressError> {
        let text = text.trim();
        let has_scheme = ["sip:", "sips:", "tel:"].iter().any(|s| {
            text.get(..s.len())
                .is_some_and(|head| head.eq_ignore_ascii_case(s))
        });
        if has_scheme {
            Self::parse(text)
        } else if text
            .split_once('@')
            .is_some_and(|(user, _)| !user.contains([':', '/']))
        {
            Self::parse(&format!("sip:{text}"))
        } else if text.starts_with('+') {
            Self::parse(&format!("tel:{text}"))
        } else {
            Err(AddressError::Scheme)
        }
    }

    fn parse_tel(text: &str, rest: &str) -> Result<Self, AddressError> {
        let (number, parameters) = rest.split_once(';').unwrap_or((rest, ""));
        let is_number = number.bytes().any(|b| b.is_ascii_digit())
            && number.bytes().all(|b| {
                b.is_ascii_hexdigit() || matches!(b, b'+' | b'-' | b'.' | b'(' | b')' | b'*' | b'#')
            });
        if !is_number {
            return Err(AddressError::Number);
        }
        Ok(Self {
            text: text.to_owned(),
            scheme: Scheme::Tel,
            user: Some(number.to_owned()),
            host: String::new(),
            port: None,
            parameters: read_parameters(parameters),
        })
    }

    fn parse_sip(text: &str, scheme: Scheme, rest: &str) -> Result<Self, AddressError> {
        let (user, rest) = match rest.split_once('@') {
            Some((user, rest)) if !user.is_empty() => (Some(user), rest),
            Some(_) => return Err(AddressError::IllegalCharacter),
            None => (None, rest),
        };
        if rest.contains('?') {
            return Err(AddressError::Headers);
        }
        let (host_port, parameters) = rest.split_once(';').unwrap_or((rest, ""));
        let (host, port) = read_host_port(host_port)?;
        let user = user.map(|user| {
            user.split_once(':')
                .map_or(user, |(name, _)| name)
                .to_owned()
        });
        Ok(Self {
            text: text.to_owned(),
            scheme,
            user,
            host,
            port,
            parameters: read_parameters(parameters),
        })
    }

    /// The address as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The scheme.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The user part as written, or the number of a tel address.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// The host in lower case; empty for tel.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, when one is written.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// The value of a URI parameter; empty when it has none. Names match without case.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, v)| v.as_str())
    }

    /// The form under which addresses are compared and looked up.
    ///
    /// # Spec
    /// AMB-25.
    #[must_use]
    pub fn key(&self) -> String {
        let user = self.user.as_deref().map(unescape);
        let is_phone = self.scheme == Scheme::Tel
            || self
                .parameter("user")
                .is_some_and(|v| v.eq_ignore_ascii_case("phone"));
        if let Some(number) = user
            .as_deref()
            .filter(|u| is_phone && (self.scheme == Scheme::Tel || u.starts_with('+')))
        {
            let digits = number.split(';').next().unwrap_or_default().chars();
            let digits: String = digits
                .filter(|c| !matches!(c, '-' | '.' | '(' | ')'))
                .collect();
            return format!("tel:{}", digits.to_ascii_lowercase());
        }
        let mut key = format!("{}:", self.scheme.as_str());
        if let Some(user) = user {
            key.push_str(&user);
            key.push('@');
        }
        key.push_str(&self.host);
        if let Some(port) = self.port {
            key.push_str(&format!(":{port}"));
        }
        key
    }

    /// Whether both name the same user.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// An address with a name in front and header parameters behind, as From, Contact and
/// P-Asserted-Identity have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameAddr {
    /// The display name without quotes.
    pub display_name: Option<String>,
    /// The address.
    pub uri: Uri,
    /// The header parameters, names as written.
    pub parameters: Vec<(String, String)>,
}

impl NameAddr {
    /// Reads one value.
    ///
    /// # Errors
    /// [`AddressError`]: the peer's fault.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let text = text.trim();
        let Some(open) = find_unquoted(text, '<')? else {
            // An addr-spec without brackets: what follows a semicolon belongs to the header field.
            let (uri, parameters) = text.split_once(';').unwrap_or((text, ""));
            return Ok(Self {
                display_name: None,
                uri: Uri::parse(uri)?,
                parameters: read_parameters(parameters),
            });
        };
        let (name, rest) = text.split_at(open);
        let (uri, rest) = rest
            .get(1..)
            .and_then(|rest| rest.split_once('>'))
            .ok_or(AddressError::Unbalanced)?;
        Ok(Self {
            display_name: read_display_name(name),
            uri: Uri::parse(uri)?,
            parameters: read_parameters(rest.trim().trim_start_matches(';')),
        })
    }

    /// Reads all values of a header field that may hold several, at most [`NAME_ADDRESSES_MAX`].
    ///
    /// # Errors
    /// The error of the first value that cannot be read.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, AddressError> {
        split_unquoted(text)?
            .into_iter()
            .take(NAME_ADDRESSES_MAX)
            .map(Self::parse)
            .collect()
    }

    /// Whether a header parameter is there. Names match without case.
    #[must_use]
    pub fn has_parameter(&self, name: &str) -> bool {
        self.parameters
            .iter()
            .any(|(n, _)| n.eq_ignore_ascii_case(name))
    }
}

/// Writes a name and an address as a header field value.
#[must_use]
pub fn write_name_addr(display_name: Option<&str>, uri: &str) -> String {
    match display_name {
        Some(name) if !name.is_empty() => {
            let escaped = name.replace('\\', "\\\\").replace('"', "\\\"");
            format!("\"{escaped}\" <{uri}>")
        }
        Some(_) | None => format!("<{uri}>"),
    }
}

fn read_host_port(text: &str) -> Result<(String, Option<u16>), AddressError> {
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let (inner, rest) = rest.split_once(']').ok_or(AddressError::Host)?;
        inner
            .parse::<std::net::Ipv6Addr>()
            .map_err(|_| AddressError::Host)?;
        let port = match rest.strip_prefix(':') {
            Some(port) => Some(port),
            None if rest.is_empty() => None,
            None => return Err(AddressError::Host),
        };
        (format!("[{}]", inner.to_ascii_lowercase()), port)
    } else {
        let (host, port) = text
            .split_once(':')
            .map_or((text, None), |(h, p)| (h, Some(p)));
        let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
        if host.is_empty() || !host.bytes().all(legal) {
            return Err(AddressError::Host);
        }
        (host.to_ascii_lowercase(), port)
    };
    let port = port
        .map(|p| p.parse().map_err(|_| AddressError::Host))
        .transpose()?;
    Ok((host, port))
}

fn read_parameters(text: &str) -> Vec<(String, String)> {
    text.split(';')
        .map(str::trim)
        .filter(|p| !p.is_empty())
        .take(NAME_ADDRESSES_MAX)
        .map(|p| match p.split_once('=') {
            Some((name, value)) => (
                name.trim().to_owned(),
                value.trim().trim_matches('"').to_owned(),
            ),
            None => (p.to_owned(), String::new()),
        })
        .collect()
}

fn read_display_name(text: &str) -> Option<String> {
    let text = text.trim();
    let inner = text.strip_prefix('"').and_then(|t| t.strip_suffix('"'));
    let mut name = String::new();
    let mut is_escaped = false;
    for c in inner.unwrap_or(text).chars().filter(|c| !c.is_control()) {
        if c == '\\' && !is_escaped && inner.is_some() {
            is_escaped = true;
        } else {
            is_escaped = false;
            name.push(c);
        }
    }
    let name: String = name.trim().chars().take(DISPLAY_NAME_CHARS_MAX).collect();
    (!name.is_empty()).then_some(name)
}

/// The place of a character outside of quotations.
fn find_unquoted(text: &str, wanted: char) -> Result<Option<usize>, AddressError> {
    let mut is_quoted = false;
    let mut is_escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            c if c == wanted && !is_quoted => return Ok(Some(at)),
            _ => {}
        }
    }
    if is_quoted {
        Err(AddressError::Unbalanced)
    } else {
        Ok(None)
    }
}

/// Splits at commas outside of quotations and angle brackets.
fn split_unquoted(text: &str) -> Result<Vec<&str>, AddressError> {
    let mut parts = Vec::new();
    let (mut start, mut is_quoted, mut is_escaped, mut is_bracketed) = (0, false, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            '<' if !is_quoted => is_bracketed = true,
            '>' if !is_quoted => is_bracketed = false,
            ',' if !is_quoted && !is_bracketed => {
                parts.extend(text.get(start..at));
                start = at + 1;
            }
            _ => {}
        }
    }
    if is_quoted || is_bracketed {
        return Err(AddressError::Unbalanced);
    }
    parts.extend(text.get(start..));
    Ok(parts)
}

/// Percent escapes of characters that need none are taken away; others stay as written.
fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        let (head, tail) = rest.split_at(at);
        out.push_str(head);
        let octet = tail
            .get(1..3)
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match octet.map(char::from) {
            Some(c) if c.is_ascii_alphanumeric() || "-_.!~*'()&=+$,;?/".contains(c) => {
                out.push(c);
                rest = tail.get(3..).unwrap_or_default();
            }
            Some(_) => {
                out.push_str(&tail.get(..3).unwrap_or_default().to_ascii_uppercase());
                rest = tail.get(3..).unwrap_or_default();
            }
            None => {
                out.push('%');
                rest = tail.get(1..).unwrap_or_default();
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> Uri {
        Uri::parse(text).unwrap()
    }

    #[test]
    fn uri_legal_forms_are_read() {
        let u = uri("SIP:Alice:pw@Example.COM:5062;transport=tcp;lr");
        assert_eq!(
            (
                u.user(),
                u.host(),
                u.port(),
                u.parameter("TRANSPORT"),
                u.parameter("lr")
            ),
            (
                Some("Alice"),
                "example.com",
                Some(5062),
                Some("tcp"),
                Some("")
            )
        );
        assert_eq!(uri("sips:[2001:DB8::1]:5061").host(), "[2001:db8::1]");
        assert_eq!(
            uri("tel:+1-555-0100;phone-context=x").user(),
            Some("+1-555-0100")
        );
    }

    #[test]
    fn uri_illegal_forms_are_refused() {
        let cases = [
            ("alice", AddressError::Scheme),
            ("http://a", AddressError::Scheme),
            ("sip:", AddressError::Host),
            ("sip:@host", AddressError::IllegalCharacter),
            ("sip:a@b c", AddressError::IllegalCharacter),
            ("sip:a@b\r\nX: y", AddressError::IllegalCharacter),
            ("sip:a@[::1", AddressError::Host),
            ("sip:a@h:99999", AddressError::Host),
            ("sip:a@h?Replaces=x", AddressError::Headers),
            ("tel:abc", AddressError::Number),
        ];
        for (text, error) in cases {
            assert_eq!(Uri::parse(text), Err(error), "{text}");
        }
        assert_eq!(
            Uri::parse(&format!("sip:{}@h", "a".repeat(600))),
            Err(AddressError::TooLong)
        );
    }

    #[test]
    fn uri_keys_follow_the_comparison_rules() {
        let same = [
            (
                "sip:alice@example.com",
                "SIP:alice@EXAMPLE.com;transport=tcp",
            ),
            ("sip:%61lice@example.com", "sip:alice@example.com"),
            ("sip:+1555@gw.example;user=phone", "tel:+1-555"),
        ];
        for (a, b) in same {
            assert!(uri(a).is_same(&uri(b)), "{a} {b}");
        }
        let different = [
            ("sip:alice@h", "sip:Alice@h"),
            ("sip:a@h", "sip:a@h:5060"),
            ("sip:a@h", "sips:a@h"),
            ("sip:h", "sip:a@h"),
        ];
        for (a, b) in different {
            assert!(!uri(a).is_same(&uri(b)), "{a} {b}");
        }
    }

    #[test]
    fn uri_without_scheme_is_completed() {
        assert_eq!(
            Uri::parse_lenient("bob@example.com").unwrap().as_str(),
            "sip:bob@example.com"
        );
        assert_eq!(
            Uri::parse_lenient("+15550100").unwrap().as_str(),
            "tel:+15550100"
        );
        assert_eq!(Uri::parse_lenient("bob"), Err(AddressError::Scheme));
        assert_eq!(
            Uri::parse_lenient("mailto:bob@example.com"),
            Err(AddressError::Scheme)
        );
    }

    #[test]
    fn name_addr_forms_are_read() {
        let n = NameAddr::parse("\"A \\\"B\\\" <C>\" <sip:a@h;x=1>;tag=7;isfocus").unwrap();
        assert_eq!(n.display_name.as_deref(), Some("A \"B\" <C>"));
        assert_eq!(n.uri.parameter("x"), Some("1"));
        assert!(n.has_parameter("IsFocus") && n.has_parameter("tag"));
        let n = NameAddr::parse("sip:a@h;tag=7").unwrap();
        assert_eq!(
            (n.display_name, n.uri.as_str(), n.parameters.len()),
            (None, "sip:a@h", 1)
        );
        assert_eq!(
            NameAddr::parse("Alice A. <sip:a@h>")
                .unwrap()
                .display_name
                .as_deref(),
            Some("Alice A.")
        );
        assert_eq!(
            NameAddr::parse("\"Alice <sip:a@h>"),
            Err(AddressError::Unbalanced)
        );
    }

    #[test]
    fn name_addr_list_is_split_outside_quotations() {
        let list = NameAddr::parse_list("\"A, B\" <sip:a,b@h>, <tel:+15>").unwrap();
        assert_eq!(list.len(), 2);
        assert_eq!(list[1].uri.key(), "tel:+15");
    }

    #[test]
    fn name_addr_written_is_read_back() {
        let text = write_name_addr(Some("A \"B\" \\"), "sip:a@h");
        assert_eq!(
            NameAddr::parse(&text).unwrap().display_name.as_deref(),
            Some("A \"B\" \\")
        );
        assert_eq!(write_name_addr(None, "sip:a@h"), "<sip:a@h>");
    }

    proptest::proptest! {
        #[test]
        fn address_any_text_never_panics(text in "\\PC{0,80}") {
            let _ = Uri::parse(&text).map(|u| u.key());
            let _ = Uri::parse_lenient(&text);
            let _ = NameAddr::parse_list(&text);
        }

        #[test]
        fn address_any_sip_like_text_never_panics(text in "(sip:|tel:)?[a-z%@:;<>\",\\\\\\[\\]=?0-9]{0,40}") {
            let _ = Uri::parse(&text).map(|u| u.key());
            let _ = NameAddr::parse(&text);
            let _ = NameAddr::parse_list(&text);
        }
    }
}
