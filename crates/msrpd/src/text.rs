//! Text of others on a terminal.

/// The text without control characters; lines after the first are indented.
///
/// A terminal obeys control characters, and whoever writes into a room must not command the
/// terminals of the others.
#[must_use]
pub fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for c in text.trim_end().chars() {
        match c {
            '\n' => printable.push_str("\n  "),
            '\r' => {}
            c if c.is_control() || is_direction(c) => printable.push(' '),
            c => printable.push(c),
        }
    }
    printable
}

/// The user part of a URI, else the whole.
#[must_use]
pub fn short_name(uri: &str) -> &str {
    let rest = uri.split_once(':').map_or(uri, |(_, rest)| rest);
    rest.split_once('@').map_or(rest, |(user, _)| user)
}

/// Whether the character changes the direction of the text behind it.
fn is_direction(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printable_has_no_control_characters() {
        assert_eq!(printable("a\x1b[2Jb\tc\u{202e}d"), "a [2Jb c d");
        assert_eq!(printable("one\r\ntwo\n"), "one\n  two");
    }

    #[test]
    fn short_name_is_the_user_part() {
        assert_eq!(short_name("sip:bob@localhost"), "bob");
        assert_eq!(short_name("tel:+4912345"), "+4912345");
        assert_eq!(short_name("bob"), "bob");
    }
}
