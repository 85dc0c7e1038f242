//! Sets of octets that grammars share, looked up in one table.
//!
//! A walk over a text asks one question for each octet. A table answers it with one load, whatever the set; comparing
//! with each range of the set takes five to ten instructions.

/// A set of octets.
#[derive(Clone, Copy)]
pub(crate) struct OctetClass(u8);

impl OctetClass {
    /// A character of `token`: RFC 4975 s.9.
    pub(crate) const TOKEN: Self = Self(1);
    /// A character of an ident behind its first one: RFC 4975 s.9.
    pub(crate) const IDENT: Self = Self(1 << 1);
    /// A character of a host name in a URI: RFC 3986 s.3.2.2, without the semicolon.
    pub(crate) const HOST: Self = Self(1 << 2);
    /// A character of a session-id: RFC 4975 s.9, and the others of a URI path.
    pub(crate) const SESSION: Self = Self(1 << 3);
    /// A letter or a digit.
    pub(crate) const ALPHANUMERIC: Self = Self(1 << 4);
    /// A character of the parameters of an MSRP URI: RFC 4975 s.9, and the brackets of an IPv6 literal.
    pub(crate) const PARAMETERS: Self = Self(1 << 5);
    /// A character of `unreserved`: RFC 3986 s.2.3.
    pub(crate) const UNRESERVED: Self = Self(1 << 6);
    /// A character of a userinfo: RFC 3986 s.3.2.1.
    pub(crate) const USERINFO: Self = Self(1 << 7);

    /// Whether the octet is in the set.
    pub(crate) fn has(self, c: u8) -> bool {
        CLASSES
            .get(usize::from(c))
            .is_some_and(|classes| classes & self.0 != 0)
    }

    /// Whether all octets are in the set.
    pub(crate) fn has_all(self, text: &[u8]) -> bool {
        text.iter().all(|c| self.has(*c))
    }

    /// Splits behind the octets at the start that are in the set.
    pub(crate) fn split_run(self, text: &[u8]) -> (&[u8], &[u8]) {
        let octets = text
            .iter()
            .position(|c| !self.has(*c))
            .unwrap_or(text.len());
        text.split_at_checked(octets).unwrap_or((text, &[]))
    }
}

/// The sets of each octet.
static CLASSES: [u8; 256] = classes();

#[expect(
    clippy::indexing_slicing,
    reason = "runs at compile time, where an index out of bounds is an error"
)]
const fn classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut c = 0_u8;
    loop {
        table[c as usize] = classes_of(c);
        if c == u8::MAX {
            return table;
        }
        c = c.wrapping_add(1);
    }
}

const fn classes_of(c: u8) -> u8 {
    let alphanumeric = c.is_ascii_alphanumeric();
    let token = matches!(c, 0x21 | 0x23..=0x27 | 0x2a..=0x2b | 0x2d..=0x2e | 0x30..=0x39 | 0x41..=0x5a | 0x5e..=0x7e);
    let unreserved = alphanumeric || matches!(c, b'-' | b'.' | b'_' | b'~');
    // RFC 3986 s.2.2, `sub-delims`, without the semicolon that starts the transport.
    let sub_delimiter = matches!(
        c,
        b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b'='
    );
    let host = unreserved || sub_delimiter || c == b'%';
    when(token, OctetClass::TOKEN)
        | when(
            alphanumeric || matches!(c, b'.' | b'-' | b'+' | b'%' | b'='),
            OctetClass::IDENT,
        )
        | when(host, OctetClass::HOST)
        | when(host || matches!(c, b'/' | b':' | b'@'), OctetClass::SESSION)
        | when(alphanumeric, OctetClass::ALPHANUMERIC)
        | when(
            token || matches!(c, b';' | b'=' | b':' | b'/' | b'[' | b']'),
            OctetClass::PARAMETERS,
        )
        | when(unreserved, OctetClass::UNRESERVED)
        | when(host || matches!(c, b':' | b';'), OctetClass::USERINFO)
}

const fn when(is_in: bool, class: OctetClass) -> u8 {
    if is_in { class.0 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(class: OctetClass) -> String {
        (0..=u8::MAX)
            .filter(|c| class.has(*c))
            .map(char::from)
            .collect()
    }

    #[test]
    fn octet_class_holds_what_its_grammar_says() {
        let letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
        let small = "abcdefghijklmnopqrstuvwxyz";
        let digits = "0123456789";
        let cases = [
            (
                OctetClass::ALPHANUMERIC,
                format!("{digits}{letters}{small}"),
            ),
            (
                OctetClass::TOKEN,
                format!("!#$%&'*+-.{digits}{letters}^_`{small}{{|}}~"),
            ),
            (OctetClass::IDENT, format!("%+-.{digits}={letters}{small}")),
            (
                OctetClass::UNRESERVED,
                format!("-.{digits}{letters}_{small}~"),
            ),
            (
                OctetClass::HOST,
                format!("!$%&'()*+,-.{digits}={letters}_{small}~"),
            ),
            (
                OctetClass::SESSION,
                format!("!$%&'()*+,-./{digits}:=@{letters}_{small}~"),
            ),
            (
                OctetClass::USERINFO,
                format!("!$%&'()*+,-.{digits}:;={letters}_{small}~"),
            ),
            (
                OctetClass::PARAMETERS,
                format!("!#$%&'*+-./{digits}:;={letters}[]^_`{small}{{|}}~"),
            ),
        ];
        for (class, expected) in cases {
            assert_eq!(members(class), expected);
        }
    }

    #[test]
    fn octet_class_splits_behind_its_run() {
        let split = |text: &'static [u8]| OctetClass::TOKEN.split_run(text);
        assert_eq!(
            split(b"To-Path: x"),
            (b"To-Path".as_slice(), b": x".as_slice())
        );
        assert_eq!(split(b":"), (b"".as_slice(), b":".as_slice()));
        assert_eq!(split(b"abc"), (b"abc".as_slice(), b"".as_slice()));
    }
}
