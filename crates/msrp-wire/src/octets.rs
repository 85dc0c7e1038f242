//! Small readers of octet slices that several grammars share.

/// The parts before and after the first `separator`.
pub(crate) fn split_once(text: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let (before, rest) = text.split_at_checked(memchr::memchr(separator, text)?)?;
    Some((before, rest.get(1..)?))
}

/// A decimal number of one digit or more; `None` for anything else and beyond 64 bits.
pub(crate) fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |sum, c| {
        let digit = c.is_ascii_digit().then_some(u64::from(c & 0x0f))?;
        sum.checked_mul(10)?.checked_add(digit)
    })
}

/// The text without spaces and tabs at both ends.
pub(crate) fn trim(text: &[u8]) -> &[u8] {
    let mut rest = text;
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

/// A character of `token`: RFC 4975 s.9.
pub(crate) fn is_token(c: u8) -> bool {
    matches!(c, 0x21 | 0x23..=0x27 | 0x2a..=0x2b | 0x2d..=0x2e | 0x30..=0x39 | 0x41..=0x5a | 0x5e..=0x7e)
}

/// A character of `unreserved`: RFC 3986 s.2.3.
pub(crate) fn is_unreserved(c: u8) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, b'-' | b'.' | b'_' | b'~')
}

/// A control character that no header value may hold. The tab is not one of them.
pub(crate) fn is_forbidden_control(c: u8) -> bool {
    (c < 0x20 && c != b'\t') || c == 0x7f
}

/// The value of two hexadecimal digits.
pub(crate) fn hex_pair(high: u8, low: u8) -> Option<u8> {
    let high = char::from(high).to_digit(16)?;
    let low = char::from(low).to_digit(16)?;
    u8::try_from(high << 4 | low).ok()
}

/// The octets with percent-encoded characters of the `plain` set decoded and other encodings in capital digits.
///
/// # Spec
/// RFC 3986 s.6.2.2.
pub(crate) fn normalised(text: &[u8], plain: fn(u8) -> bool) -> impl Iterator<Item = u8> {
    let mut rest = text;
    let mut digits_left = 0_u8;
    std::iter::from_fn(move || {
        let (first, tail) = rest.split_first()?;
        if digits_left > 0 {
            digits_left = digits_left.saturating_sub(1);
            rest = tail;
            return Some(first.to_ascii_uppercase());
        }
        if let [b'%', high, low, tail @ ..] = rest
            && let Some(c) = hex_pair(*high, *low)
        {
            if plain(c) {
                rest = tail;
                return Some(c);
            }
            digits_left = 2;
        }
        rest = tail;
        Some(*first)
    })
}
