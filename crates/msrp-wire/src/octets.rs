//! Small readers of octet slices that several grammars share.

use crate::octet_class::OctetClass;

/// The parts before and after the first `separator`.
pub(crate) fn split_once(text: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let (before, rest) = text.split_at_checked(memchr::memchr(separator, text)?)?;
    Some((before, rest.get(1..)?))
}

/// A decimal number of one digit or more; `None` for anything else and beyond 64 bits.
pub(crate) fn number(digits: &[u8]) -> Option<u64> {
    match leading_number(digits)? {
        (number, []) => Some(number),
        (_, _) => None,
    }
}

/// A decimal number of one digit or more at the start, and what is behind it; `None` without digits and beyond 64 bits.
pub(crate) fn leading_number(text: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0_u64;
    let mut rest = text;
    while let [c @ b'0'..=b'9', tail @ ..] = rest {
        number = number.checked_mul(10)?.checked_add(u64::from(c & 0x0f))?;
        rest = tail;
    }
    (rest.len() < text.len()).then_some((number, rest))
}

/// The text without spaces and tabs at both ends.
pub(crate) fn trim(text: &[u8]) -> &[u8] {
    // As nearly everybody writes: one space before it.
    let mut rest = match text {
        [b' ', rest @ ..] => rest,
        _ => text,
    };
    if let ([b'!'..=b'~', ..], [.., b'!'..=b'~']) = (rest, rest) {
        return rest;
    }
    while let [b' ' | b'\t', tail @ ..] = rest {
        rest = tail;
    }
    trim_end(rest)
}

/// The text without spaces and tabs at its end.
pub(crate) fn trim_end(text: &[u8]) -> &[u8] {
    let mut rest = text;
    while let [head @ .., b' ' | b'\t'] = rest {
        rest = head;
    }
    rest
}

/// A character of `unreserved`: RFC 3986 s.2.3.
pub(crate) fn is_unreserved(c: u8) -> bool {
    OctetClass::UNRESERVED.has(c)
}

/// A control character that no header value may hold. The tab is not one of them.
pub(crate) fn is_forbidden_control(c: u8) -> bool {
    (c < 0x20 && c != b'\t') || c == 0x7f
}

/// Whether there is such a character. Looks at every octet, so that many go in one step.
pub(crate) fn has_control(text: &[u8]) -> bool {
    text.iter()
        .fold(false, |found, c| found | is_forbidden_control(*c))
}

/// Whether there is such a character besides line ends. Looks at every octet, so that many go in one step.
pub(crate) fn has_forbidden_control(lines: &[u8]) -> bool {
    lines.iter().fold(false, |found, c| {
        found | (is_forbidden_control(*c) & (*c != b'\r') & (*c != b'\n'))
    })
}

/// The text behind a status code, when there is one that has no control characters.
pub(crate) fn comment(text: &[u8]) -> Option<&[u8]> {
    let comment = trim(text);
    let clean = !comment.iter().any(|c| is_forbidden_control(*c));
    (clean && !comment.is_empty()).then_some(comment)
}

/// The value of two hexadecimal digits.
pub(crate) fn hex_pair(high: u8, low: u8) -> Option<u8> {
    let high = char::from(high).to_digit(16)?;
    let low = char::from(low).to_digit(16)?;
    u8::try_from(high << 4 | low).ok()
}

/// The octets with percent-encoded characters of the `plain` set decoded and other encodings in capital digits.
///
/// A percent sign that starts no encoding becomes `%25`. Left as it is, it could form an encoding with what is decoded
/// behind it, and normalising twice would differ from normalising once.
///
/// # Spec
/// RFC 3986 s.6.2.2.
pub(crate) fn normalised(text: &[u8], plain: fn(u8) -> bool) -> impl Iterator<Item = u8> {
    let mut rest = text;
    let mut digits = [None; 2].into_iter();
    std::iter::from_fn(move || {
        if let Some(digit) = digits.next().flatten() {
            return Some(digit);
        }
        let (first, tail) = rest.split_first()?;
        rest = tail;
        if *first != b'%' {
            return Some(*first);
        }
        let encoded = tail.split_first_chunk::<2>();
        match encoded.and_then(|(pair, behind)| Some((hex_pair(pair[0], pair[1])?, *pair, behind)))
        {
            Some((c, pair, behind)) => {
                rest = behind;
                if plain(c) {
                    return Some(c);
                }
                digits = pair
                    .map(|digit| Some(digit.to_ascii_uppercase()))
                    .into_iter();
            }
            None => digits = [Some(b'2'), Some(b'5')].into_iter(),
        }
        Some(b'%')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalised_text_is_normal() {
        let normal = |text: &[u8]| normalised(text, is_unreserved).collect::<Vec<u8>>();
        let cases: [(&[u8], &[u8]); 7] = [
            (b"a%41%2f%2F", b"aA%2F%2F"),
            (b"%", b"%25"),
            (b"%4", b"%254"),
            (b"%%34a", b"%254a"),
            (b"%2%35", b"%2525"),
            (b"%%%41%zz", b"%25%25A%25zz"),
            (b"%25%25", b"%25%25"),
        ];
        for (text, expected) in cases {
            assert_eq!(normal(text), expected, "{}", text.escape_ascii());
            assert_eq!(normal(expected), expected);
        }
    }
}
