//! The Authorization header field.

use std::borrow::Cow;

use crate::digest::Algorithm;
use crate::limits::{AUTHORIZATION_OCTETS_MAX, AUTHORIZATION_PARAMETERS_MAX, USERNAME_OCTETS_MAX};

/// What a client shows to be let in. Complete: the parameters that Digest needs are there and legal.
///
/// # Spec
/// RFC 4976 s.7, s.9.1; RFC 7616 s.3.4.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials<'a> {
    /// Who it is.
    pub username: Cow<'a, str>,
    /// The realm that the client was challenged for.
    pub realm: Cow<'a, str>,
    /// The nonce of the challenge.
    pub nonce: Cow<'a, str>,
    /// The client's own nonce, not empty.
    pub cnonce: Cow<'a, str>,
    /// Eight hexadecimal digits, as they stand.
    pub nc: Cow<'a, str>,
    /// The value of `nc`, 1 or more.
    pub nonce_count: u32,
    /// The hash to compare with, as it stands.
    pub response: Cow<'a, str>,
    /// The hash that is used; MD5 when it is not said.
    pub algorithm: Algorithm,
}

/// Why credentials cannot be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotCredentials {
    /// Another scheme than Digest, or another algorithm or quality than was offered: 401 with a new challenge.
    NotOffered,
    /// Not the grammar, too long, a parameter twice, or one that must be there is not: 400.
    Malformed,
}

impl<'a> Credentials<'a> {
    /// Reads the value of an Authorization header field.
    ///
    /// # Errors
    /// [`NotCredentials`]; the peer's fault.
    ///
    /// # Spec
    /// MSRP-4976-9.1-02 (no Basic), -06, -07.
    pub fn parse(value: &'a [u8]) -> Result<Self, NotCredentials> {
        let value = std::str::from_utf8(value)
            .ok()
            .filter(|value| value.len() <= AUTHORIZATION_OCTETS_MAX)
            .ok_or(NotCredentials::Malformed)?;
        let (scheme, rest) = value
            .split_once([' ', '\t'])
            .ok_or(NotCredentials::Malformed)?;
        if !scheme.eq_ignore_ascii_case("Digest") {
            return Err(NotCredentials::NotOffered);
        }
        let mut fields = Fields::default();
        for (index, parameter) in Parameters(rest).enumerate() {
            if index >= AUTHORIZATION_PARAMETERS_MAX {
                return Err(NotCredentials::Malformed);
            }
            let (name, value) = parameter?;
            fields.set(name, value)?;
        }
        fields.into_credentials()
    }
}

/// The parameters that count, while they are collected.
#[derive(Debug, Default)]
struct Fields<'a> {
    values: [Option<Cow<'a, str>>; NAMES.len()],
}

impl<'a> Fields<'a> {
    fn set(&mut self, name: &str, value: Cow<'a, str>) -> Result<(), NotCredentials> {
        let Some(at) = NAMES.iter().position(|n| n.eq_ignore_ascii_case(name)) else {
            return Ok(());
        };
        let place = self.values.get_mut(at).ok_or(NotCredentials::Malformed)?;
        match place.replace(value) {
            None => Ok(()),
            Some(_) => Err(NotCredentials::Malformed),
        }
    }

    fn into_credentials(self) -> Result<Credentials<'a>, NotCredentials> {
        let [username, realm, nonce, cnonce, nc, response, algorithm, qop] = self.values;
        let must = |value: Option<Cow<'a, str>>| {
            value
                .filter(|value| !value.is_empty())
                .ok_or(NotCredentials::Malformed)
        };
        let algorithm = match algorithm {
            Some(name) => Algorithm::parse(&name).ok_or(NotCredentials::NotOffered)?,
            None => Algorithm::Md5,
        };
        if must(qop)? != "auth" {
            return Err(NotCredentials::NotOffered);
        }
        let username = must(username)?;
        let nc = must(nc)?;
        let nonce_count = nonce_count(&nc).ok_or(NotCredentials::Malformed)?;
        if username.len() > USERNAME_OCTETS_MAX {
            return Err(NotCredentials::Malformed);
        }
        Ok(Credentials {
            username,
            realm: must(realm)?,
            nonce: must(nonce)?,
            cnonce: must(cnonce)?,
            nc,
            nonce_count,
            response: must(response)?,
            algorithm,
        })
    }
}

fn nonce_count(nc: &str) -> Option<u32> {
    let is_legal = nc.len() == 8 && nc.bytes().all(|c| c.is_ascii_hexdigit());
    let count = u32::from_str_radix(nc, 16).ok().filter(|_| is_legal)?;
    (count > 0).then_some(count)
}

/// Walks `name=value` pairs between commas; ends after the first wrong one.
struct Parameters<'a>(&'a str);

impl<'a> Iterator for Parameters<'a> {
    type Item = Result<(&'a str, Cow<'a, str>), NotCredentials>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.0.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            return None;
        }
        let parameter = parameter(rest);
        self.0 = parameter.as_ref().map_or("", |(_, _, rest)| rest);
        Some(match parameter {
            Some((name, value, _)) => Ok((name, value)),
            None => Err(NotCredentials::Malformed),
        })
    }
}

/// One parameter, and what is behind it: nothing or a comma.
fn parameter(text: &str) -> Option<(&str, Cow<'_, str>, &str)> {
    let (name, rest) = text.split_once('=')?;
    let name = name.trim_end_matches([' ', '\t']);
    let rest = rest.trim_start_matches([' ', '\t']);
    if name.is_empty() || !name.bytes().all(is_token) {
        return None;
    }
    let (value, rest) = match rest.strip_prefix('"') {
        Some(rest) => quoted(rest)?,
        None => {
            let end = rest
                .bytes()
                .position(|c| !is_token(c))
                .unwrap_or(rest.len());
            let (value, rest) = rest.split_at_checked(end)?;
            (!value.is_empty()).then_some((Cow::Borrowed(value), rest))?
        }
    };
    let rest = rest.trim_start_matches([' ', '\t']);
    (rest.is_empty() || rest.starts_with(',')).then_some((name, value, rest))
}

/// The contents of a quoted string without its escapes, and what is behind the closing quote. The value is never written
/// again with its escapes undone: what is compared and hashed is what the user typed.
fn quoted(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => {
                let raw = text.get(..at)?;
                let rest = text.get(at.checked_add(1)?..)?;
                let is_plain = raw.len() == value.len();
                let value = if is_plain {
                    Cow::Borrowed(raw)
                } else {
                    Cow::Owned(value)
                };
                return Some((value, rest));
            }
            '\\' => value.push(characters.next().map(|(_, c)| c).filter(is_text)?),
            c => value.push(Some(c).filter(is_text)?),
        }
    }
    None
}

fn is_text(c: &char) -> bool {
    !c.is_control() || *c == '\t'
}

fn is_token(c: u8) -> bool {
    c.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&c)
}

/// In the order in which [`Fields::into_credentials`] takes them apart.
const NAMES: [&str; 8] = [
    "username",
    "realm",
    "nonce",
    "cnonce",
    "nc",
    "response",
    "algorithm",
    "qop",
];

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "Digest username=\"Al\\\"ice\", realm=\"r\", nonce=\"n\", qop=auth, \
                        nc=0000000a, cnonce=\"c\", response=\"00\"";

    #[test]
    fn credentials_of_legal_text_are_read() {
        let read = Credentials::parse(GOOD.as_bytes()).unwrap();
        assert_eq!(read.username, "Al\"ice");
        assert_eq!(read.nonce_count, 10);
        assert_eq!(read.algorithm, Algorithm::Md5);
        let other = format!("{GOOD} ,\talgorithm = SHA-256,opaque=\"x, y\", other=z,");
        let read = Credentials::parse(other.as_bytes()).unwrap();
        assert_eq!(read.algorithm, Algorithm::Sha256);
    }

    // covers: MSRP-4976-9.1-06, MSRP-4976-9.1-07
    #[test]
    fn credentials_without_a_needed_parameter_are_malformed() {
        for name in [
            "username", "realm", "nonce", "qop", "nc", "cnonce", "response",
        ] {
            let text = GOOD.replacen(&format!("{name}="), "x-other=", 1);
            let read = Credentials::parse(text.as_bytes());
            assert_eq!(read, Err(NotCredentials::Malformed), "{name}");
        }
    }

    // covers: MSRP-4976-9.1-02, MSRP-4976-9.1-03, MSRP-4976-9.1-04
    #[test]
    fn credentials_of_another_kind_were_not_offered() {
        let cases = [
            "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==".to_owned(),
            GOOD.replace("qop=auth", "qop=auth-int"),
            format!("{GOOD}, algorithm=MD5-sess"),
        ];
        for text in cases {
            let read = Credentials::parse(text.as_bytes());
            assert_eq!(read, Err(NotCredentials::NotOffered), "{text}");
        }
    }

    #[test]
    fn credentials_of_illegal_text_are_malformed() {
        let cases = [
            String::new(),
            "Digest".to_owned(),
            "Digest ".to_owned(),
            format!("{GOOD} x"),
            format!("{GOOD}, a"),
            format!("{GOOD}, a=\"b"),
            format!("{GOOD}, a=\"b\\"),
            format!("{GOOD}, a=\"b\u{18}\""),
            format!("{GOOD}, a=\"b\\\u{18}\""),
            format!("{GOOD}, a=\"b\\\r\""),
            format!("{GOOD}, =b"),
            format!("{GOOD}, nonce=\"m\""),
            GOOD.replace("0000000a", "00000000"),
            GOOD.replace("0000000a", "a"),
            GOOD.replace("0000000a", "+000000a"),
            GOOD.replace("Al", &"l".repeat(USERNAME_OCTETS_MAX)),
            format!("{GOOD}, x=\"{}\"", "y".repeat(AUTHORIZATION_OCTETS_MAX)),
            format!("{GOOD}{}", ", x=y".repeat(AUTHORIZATION_PARAMETERS_MAX)),
        ];
        for text in cases {
            let read = Credentials::parse(text.as_bytes());
            assert_eq!(read, Err(NotCredentials::Malformed), "{text}");
        }
        assert!(Credentials::parse(b"Digest \xff").is_err());
        let named = |octets: usize| GOOD.replace("Al\\\"ice", &"l".repeat(octets));
        assert!(Credentials::parse(named(USERNAME_OCTETS_MAX).as_bytes()).is_ok());
        assert!(Credentials::parse(named(USERNAME_OCTETS_MAX + 1).as_bytes()).is_err());
    }
}
