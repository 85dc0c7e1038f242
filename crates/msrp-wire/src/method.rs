//! Request methods.

use std::fmt;

use crate::limits::METHOD_OCTETS_MAX;
use crate::malformed::{Malformed, Place};

/// The method of a request.
///
/// # Spec
/// RFC 4975 s.9 (SEND, REPORT), RFC 4976 s.4.1 (AUTH), RFC 7701 s.7.1 (NICKNAME).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// Carries a chunk, or nothing at all.
    Send,
    /// Tells what became of a message.
    Report,
    /// Asks a relay for a URI.
    Auth,
    /// Asks a switch for a nickname.
    Nickname,
    /// A method that this crate has no name for; answered with 501.
    Other(MethodToken),
}

/// One to 32 capital letters, stored inline.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct MethodToken {
    octets: [u8; METHOD_OCTETS_MAX],
    len: u8,
}

impl Method {
    /// Reads a method name. Case matters.
    ///
    /// # Errors
    /// [`Malformed`] at [`Place::Method`]: not 1 to 32 capital letters.
    pub fn parse(text: &[u8]) -> Result<Self, Malformed> {
        match text {
            b"SEND" => Ok(Self::Send),
            b"REPORT" => Ok(Self::Report),
            b"AUTH" => Ok(Self::Auth),
            b"NICKNAME" => Ok(Self::Nickname),
            other => MethodToken::parse(other).map(Self::Other),
        }
    }

    /// The name as it stands in a start line.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Send => "SEND",
            Self::Report => "REPORT",
            Self::Auth => "AUTH",
            Self::Nickname => "NICKNAME",
            Self::Other(token) => token.as_str(),
        }
    }
}

impl MethodToken {
    fn parse(text: &[u8]) -> Result<Self, Malformed> {
        let offset = text
            .iter()
            .position(|c| !c.is_ascii_uppercase())
            .unwrap_or(text.len());
        let mut octets = [0; METHOD_OCTETS_MAX];
        match octets.get_mut(..text.len()) {
            Some(room) if offset == text.len() && !text.is_empty() => {
                room.copy_from_slice(text);
                Ok(Self {
                    octets,
                    len: u8::try_from(text.len()).unwrap_or(0),
                })
            }
            Some(_) | None => Err(Malformed::new(Place::Method, offset)),
        }
    }

    /// The letters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let letters = self.octets.get(..usize::from(self.len)).unwrap_or_default();
        std::str::from_utf8(letters).unwrap_or_default()
    }
}

impl fmt::Debug for MethodToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn method_of_legal_name_round_trips() {
        for name in [
            "SEND",
            "REPORT",
            "AUTH",
            "NICKNAME",
            "X",
            "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF",
        ] {
            assert_eq!(Method::parse(name.as_bytes()).unwrap().as_str(), name);
        }
    }

    #[test]
    fn method_of_illegal_name_is_malformed() {
        for name in [
            "",
            "send",
            "SEND ",
            "200",
            "SEND2",
            "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG",
        ] {
            assert_eq!(
                Method::parse(name.as_bytes()).unwrap_err().at,
                Place::Method,
                "{name}"
            );
        }
    }
}
