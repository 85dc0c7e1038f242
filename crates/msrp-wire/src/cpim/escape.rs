//! Backslash escapes in CPIM headers.

use std::borrow::Cow;

/// Resolves all escapes. Borrows when there are none.
///
/// An unknown escape stands for the character behind the backslash, and a backslash at the end for nothing. Surrogate
/// pairs of `\u` escapes become one character; a surrogate alone becomes the replacement character.
///
/// # Spec
/// RFC 3862 s.2.3.
pub(super) fn decode(text: &str) -> Cow<'_, str> {
    let Some((plain, escaped)) = text.split_once('\\') else {
        return Cow::Borrowed(text);
    };
    let mut decoded = String::with_capacity(text.len());
    decoded.push_str(plain);
    let mut rest = escaped;
    loop {
        rest = decode_one(rest, &mut decoded);
        let Some((plain, escaped)) = rest.split_once('\\') else {
            break;
        };
        decoded.push_str(plain);
        rest = escaped;
    }
    decoded.push_str(rest);
    Cow::Owned(decoded)
}

/// Resolves the escape whose backslash is taken; gives what follows it.
fn decode_one<'a>(escaped: &'a str, decoded: &mut String) -> &'a str {
    let mut characters = escaped.chars();
    let Some(first) = characters.next() else {
        return "";
    };
    if first == 'u'
        && let Some((c, rest)) = code_point(characters.as_str())
    {
        decoded.push(c);
        return rest;
    }
    decoded.push(match first {
        'b' => '\u{8}',
        't' => '\t',
        'n' => '\n',
        'r' => '\r',
        other => other,
    });
    characters.as_str()
}

/// The character of four hexadecimal digits, or of a surrogate pair.
fn code_point(digits: &str) -> Option<(char, &str)> {
    let (high, rest) = code_unit(digits)?;
    let low = rest.strip_prefix("\\u").and_then(code_unit);
    if let Some((low, behind)) = low
        && let [Ok(c)] = char::decode_utf16([high, low])
            .collect::<smallvec::SmallVec<[_; 2]>>()
            .as_slice()
    {
        return Some((*c, behind));
    }
    Some((
        char::from_u32(u32::from(high)).unwrap_or(char::REPLACEMENT_CHARACTER),
        rest,
    ))
}

fn code_unit(digits: &str) -> Option<(u16, &str)> {
    let (unit, rest) = digits.split_at_checked(4)?;
    let legal = unit.bytes().all(|c| c.is_ascii_hexdigit());
    if legal {
        Some((u16::from_str_radix(unit, 16).ok()?, rest))
    } else {
        None
    }
}

/// Appends a text with the escapes that the standard demands; with `quote`, that quote is escaped too.
///
/// # Spec
/// RFC 3862 s.2.3.1.
pub(super) fn encode(out: &mut Vec<u8>, text: &str, quote: Option<char>) {
    let mut utf8 = [0; 4];
    for c in text.chars() {
        match c {
            '\\' => out.extend_from_slice(b"\\\\"),
            '\u{8}' => out.extend_from_slice(b"\\b"),
            '\t' => out.extend_from_slice(b"\\t"),
            '\n' => out.extend_from_slice(b"\\n"),
            '\r' => out.extend_from_slice(b"\\r"),
            c if Some(c) == quote => {
                out.push(b'\\');
                out.extend_from_slice(c.encode_utf8(&mut utf8).as_bytes());
            }
            c if c.is_ascii_control() => {
                out.extend_from_slice(format!("\\u{:04x}", u32::from(c)).as_bytes())
            }
            c => out.extend_from_slice(c.encode_utf8(&mut utf8).as_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    // covers: MSRP-3862-2.3-06, MSRP-3862-2.3-07
    #[test]
    fn escape_of_each_form_is_decoded() {
        let cases = [
            ("plain", "plain"),
            (r"a\\b", r"a\b"),
            (r#"\"\'"#, "\"'"),
            (r"\b\t\n\r", "\u{8}\t\n\r"),
            (r"\u0041\u00e9\u00E9", "A\u{e9}\u{e9}"),
            (r"\ud83d\ude00!", "\u{1f600}!"),
            (r"\ud83dx", "\u{fffd}x"),
            (r"\ud83d\u0041", "\u{fffd}A"),
            (r"\u00", "u00"),
            (r"\u00\u00e9", "u00\u{e9}"),
            (r"\x\é", "xé"),
            ("end\\", "end"),
            ("\\", ""),
        ];
        for (text, decoded) in cases {
            assert_eq!(decode(text), decoded, "{text}");
        }
    }

    // covers: MSRP-3862-2.3-01, MSRP-3862-2.3-02, MSRP-3862-2.3-03, MSRP-3862-2.3-04, MSRP-3862-2.3-05
    #[test]
    fn escape_is_written_only_where_it_must() {
        let mut out = Vec::new();
        encode(&mut out, "a\\\u{8}\t\n\r\u{1}\u{7f}\"'é", None);
        assert_eq!(out, "a\\\\\\b\\t\\n\\r\\u0001\\u007f\"'é".as_bytes());
        out.clear();
        encode(&mut out, "\"'", Some('"'));
        assert_eq!(out, b"\\\"'");
        out.clear();
        encode(&mut out, "\"'", Some('\''));
        assert_eq!(out, b"\"\\'");
    }

    proptest! {
        #[test]
        fn escape_round_trips(text in any::<String>()) {
            let mut out = Vec::new();
            encode(&mut out, &text, Some('"'));
            prop_assert!(out.iter().all(|c| !c.is_ascii_control()));
            let encoded = String::from_utf8(out).unwrap();
            prop_assert_eq!(decode(&encoded), text);
        }
    }
}
