//! Addresses with display names and parameters.

/// The URI of a `name-addr` or `addr-spec` value.
///
/// # Spec
/// RFC 3261 s.20.10: without angle brackets the parameters belong to the header field.
pub fn uri(value: &str) -> &str {
    let after_name = after_display_name(value);
    match after_name.trim_start().strip_prefix('<') {
        Some(rest) => rest.split('>').next().unwrap_or_default(),
        None => value.split(';').next().unwrap_or_default().trim(),
    }
}

/// A parameter of the header field, without its quotes. A parameter without a value is empty.
pub fn parameter<'a>(value: &'a str, name: &str) -> Option<&'a str> {
    let rest = match after_display_name(value).split_once('>') {
        Some((_, rest)) => rest,
        None => value,
    };
    rest.split(';').skip(1).find_map(|word| {
        let (field, value) = word.split_once('=').unwrap_or((word, ""));
        field
            .trim()
            .eq_ignore_ascii_case(name)
            .then(|| value.trim().trim_matches('"'))
    })
}

/// Parts a list at commas outside of quotes and angle brackets.
pub(crate) fn split_list(value: &str) -> Vec<&str> {
    let (mut parts, mut start, mut quoted, mut angled, mut escaped) =
        (Vec::new(), 0, false, false, false);
    for (at, letter) in value.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '<' if !quoted => angled = true,
            '>' if !quoted => angled = false,
            ',' if !quoted && !angled => {
                parts.push(value[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(value[start..].trim());
    parts
}

/// What stands behind a display name; the angle bracket included.
fn after_display_name(value: &str) -> &str {
    let trimmed = value.trim_start();
    let quoted_end = trimmed.strip_prefix('"').and_then(|rest| {
        let mut escaped = false;
        rest.char_indices().find_map(|(at, letter)| {
            let ends = letter == '"' && !escaped;
            escaped = letter == '\\' && !escaped;
            ends.then_some(&rest[at + 1..])
        })
    });
    match quoted_end {
        Some(rest) => rest,
        None => trimmed.find('<').map_or(trimmed, |at| &trimmed[at..]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_addr_forms_give_uri_and_parameter() {
        let quoted = "\"A <b>; \\\"c\\\"\" <sip:a@b;lr>;tag=x;isfocus";
        assert_eq!(
            (
                uri(quoted),
                parameter(quoted, "tag"),
                parameter(quoted, "isfocus")
            ),
            ("sip:a@b;lr", Some("x"), Some(""))
        );
        assert_eq!(
            (uri("sip:a@b;tag=x"), parameter("sip:a@b;tag=x", "TAG")),
            ("sip:a@b", Some("x"))
        );
        assert_eq!(
            (uri("Bob <sip:a@b>"), parameter("<sip:a@b;tag=y>", "tag")),
            ("sip:a@b", None)
        );
        assert_eq!(parameter("<sip:a@b>;+g.x=\"y\"", "+g.x"), Some("y"));
    }

    #[test]
    fn list_is_parted_outside_of_quotes_and_brackets() {
        assert_eq!(
            split_list("\"a, b\" <sip:x,y@z>, <sip:c>;p=1"),
            ["\"a, b\" <sip:x,y@z>", "<sip:c>;p=1"]
        );
    }
}
