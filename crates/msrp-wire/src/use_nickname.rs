//! The value of the Use-Nickname header field.

use std::borrow::Cow;

use crate::limits::NICKNAME_OCTETS_MAX;
use crate::malformed::{Malformed, Place};

/// What a Use-Nickname header field asks for: a nickname, or to be known by none.
///
/// The text is what the participant typed. Which nicknames are legal, and which of them are the same, is not decided
/// here.
///
/// # Spec
/// RFC 7701 s.7.1, s.7.3; RFC 4975 s.9 (`qdtext`, `qd-esc`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UseNickname<'a> {
    text: Cow<'a, str>,
}

impl<'a> UseNickname<'a> {
    /// Reads a value with its quotes. Borrows it unless a character is escaped. An empty pair of quotes asks for no
    /// nickname.
    ///
    /// # Errors
    /// [`Malformed`] at [`Place::UseNickname`]: no quotes, not UTF-8, a control character other than the tab, a
    /// backslash before anything but a backslash or a quote, a quote inside, or more than [`NICKNAME_OCTETS_MAX`]
    /// octets between the quotes after escapes are taken away. The peer's fault; a NICKNAME request gets a 424.
    pub fn parse(value: &'a [u8]) -> Result<Self, Malformed> {
        let malformed = |offset| Malformed::new(Place::UseNickname, offset);
        let quoted = value
            .strip_prefix(b"\"")
            .and_then(|rest| rest.strip_suffix(b"\""))
            .ok_or(malformed(0))?;
        let quoted = std::str::from_utf8(quoted)
            .map_err(|error| malformed(error.valid_up_to().saturating_add(1)))?;
        let text = unescaped(quoted).map_err(|offset| malformed(offset.saturating_add(1)))?;
        if text.len() > NICKNAME_OCTETS_MAX {
            return Err(malformed(NICKNAME_OCTETS_MAX));
        }
        Ok(Self { text })
    }

    /// The nickname; `None` when the participant wants to be known by none.
    #[must_use]
    pub fn nickname(&self) -> Option<&str> {
        Some(&*self.text).filter(|text| !text.is_empty())
    }
}

/// The text without its escapes, or the offset of the first octet that may not stand there.
fn unescaped(quoted: &str) -> Result<Cow<'_, str>, usize> {
    let mut text: Option<String> = None;
    let mut characters = quoted.char_indices();
    while let Some((offset, mut c)) = characters.next() {
        if c == '\\' {
            let kept = || quoted.get(..offset).unwrap_or_default().to_owned();
            text.get_or_insert_with(kept);
            c = match characters.next() {
                Some((_, escaped @ ('\\' | '"'))) => escaped,
                Some(_) | None => return Err(offset),
            };
        } else if c == '"' || (c.is_ascii_control() && c != '\t') {
            return Err(offset);
        }
        if let Some(text) = &mut text {
            text.push(c);
        }
    }
    Ok(text.map_or(Cow::Borrowed(quoted), Cow::Owned))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode;
    use proptest::prelude::*;

    fn nickname(value: &str) -> Option<String> {
        let read = UseNickname::parse(value.as_bytes()).unwrap();
        read.nickname().map(str::to_owned)
    }

    #[test]
    fn use_nickname_of_legal_value_is_read() {
        for (value, expected) in [
            (r#""Alice the great""#, "Alice the great"),
            (r#"" a ""#, " a "),
            (r#""say \"hi\" \\ bye""#, r#"say "hi" \ bye"#),
            (r#""\\""#, r"\"),
            (r#""\"""#, "\""),
            ("\"a\tb\"", "a\tb"),
            ("\"Ζωή 王\"", "Ζωή 王"),
        ] {
            assert_eq!(nickname(value).as_deref(), Some(expected), "{value}");
        }
    }

    #[test]
    fn use_nickname_of_empty_quotes_asks_for_none() {
        assert_eq!(nickname("\"\""), None);
    }

    #[test]
    fn use_nickname_of_illegal_value_is_malformed_where_it_goes_wrong() {
        for (value, offset) in [
            (&b""[..], 0),
            (b"\"", 0),
            (b"Alice", 0),
            (b"\"Alice", 0),
            (b"Alice\"", 0),
            (b"'Alice'", 0),
            (b"\"a\"b\"", 2),
            (b"\"ab\\c\"", 3),
            (b"\"ab\\\"", 3),
            (b"\"a\x01\"", 2),
            (b"\"a\x7f\"", 2),
            (b"\"ab\xff\"", 3),
            (b"\"\xc0\x80\"", 1),
        ] {
            let error = UseNickname::parse(value).unwrap_err();
            assert_eq!(error.at, Place::UseNickname, "{value:?}");
            assert_eq!(error.offset, offset, "{value:?}");
        }
    }

    // covers: MSRP-7701-7.1-03
    #[test]
    fn use_nickname_length_is_bounded_in_octets_without_escapes() {
        let quoted = |text: String| format!("\"{text}\"");
        for longest in ["x".repeat(1023), "\u{20ac}".repeat(341), r"\\".repeat(1023)] {
            assert!(UseNickname::parse(quoted(longest).as_bytes()).is_ok());
        }
        for longer in ["x".repeat(1024), "\u{20ac}".repeat(342), r"\\".repeat(1024)] {
            assert!(UseNickname::parse(quoted(longer).as_bytes()).is_err());
        }
    }

    proptest! {
        #[test]
        fn use_nickname_written_and_read_is_the_same(text in "\\PC{0,40}|[\\\\\" a]{0,20}") {
            let mut line = Vec::new();
            encode::use_nickname(&mut line, &text);
            let value = line.strip_prefix(b"Use-Nickname: ").unwrap();
            let value = value.strip_suffix(b"\r\n").unwrap();
            let read = UseNickname::parse(value).unwrap();
            prop_assert_eq!(read.nickname().unwrap_or_default(), text);
        }

        #[test]
        fn use_nickname_of_any_octets_never_panics(value in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = UseNickname::parse(&value);
        }
    }
}
