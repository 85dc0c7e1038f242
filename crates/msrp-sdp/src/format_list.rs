//! Lists of media types, as accept-types and accept-wrapped-types have them.
//!
//! ```text
//! format-list  = format-entry *(SP format-entry)
//! format-entry = ((type "/" subtype) / (type "/*")) *(";" type-param)  /  "*"
//! ```
//! A quoted value of a parameter may hold spaces. An entry that breaks the grammar is left out: it can never match.

use crate::{SdpError, limits::FORMAT_ENTRIES_MAX};

/// Adds the entries of one attribute value to a list.
pub(crate) fn extend(list: &mut Vec<String>, value: &str) -> Result<(), SdpError> {
    for entry in Entries(value) {
        if !is_entry(entry) {
            continue;
        }
        if list.len() >= FORMAT_ENTRIES_MAX {
            return Err(SdpError::TooLarge {
                what: "accepted media types",
                max: FORMAT_ENTRIES_MAX,
            });
        }
        list.push(entry.to_owned());
    }
    Ok(())
}

/// Whether the text is one entry of a list.
pub(crate) fn is_entry(entry: &str) -> bool {
    let mut parts = Parameters(Some(entry));
    let essence = parts.next().unwrap_or_default();
    if essence == "*" {
        return parts.next().is_none();
    }
    let Some((kind, subtype)) = essence.split_once('/') else {
        return false;
    };
    is_token(kind) && is_token(subtype) && parts.all(is_parameter)
}

/// Whether a list names a media type itself, without regard to case and parameters.
pub(crate) fn lists(list: &[String], media_type: &str) -> bool {
    let wanted = essence(media_type);
    list.iter()
        .any(|entry| essence(entry).eq_ignore_ascii_case(wanted))
}

/// Whether a list allows a media type: by name, by `type/*` or by `*`.
pub(crate) fn allows(list: &[String], media_type: &str) -> bool {
    let Some((kind, subtype)) = essence(media_type).split_once('/') else {
        return false;
    };
    !kind.is_empty()
        && !subtype.is_empty()
        && list
            .iter()
            .map(|entry| essence(entry))
            .any(|entry| match entry.split_once('/') {
                None => entry == "*",
                Some((entry_kind, entry_subtype)) => {
                    entry_kind.eq_ignore_ascii_case(kind)
                        && (entry_subtype == "*" || entry_subtype.eq_ignore_ascii_case(subtype))
                }
            })
}

/// Whether the text is a token of SDP.
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_token_octet)
}

/// Whether the octet may stand in a token of SDP: RFC 8866 s.9.
pub(crate) fn is_token_octet(octet: u8) -> bool {
    matches!(octet, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'0'..=b'9' | b'A'..=b'Z' | b'^'..=b'~')
}

/// The type and the subtype of an entry, without parameters.
fn essence(entry: &str) -> &str {
    entry.split(';').next().unwrap_or_default().trim()
}

/// Whether the text is `name=value`, the value a token or a quoted string.
fn is_parameter(parameter: &str) -> bool {
    let Some((name, value)) = parameter.split_once('=') else {
        return false;
    };
    is_token(name) && (is_token(value) || is_quoted_string(value))
}

/// Whether the text is one quoted string: it opens, closes at its end, and nowhere before.
fn is_quoted_string(text: &str) -> bool {
    let Some(inner) = text
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
    else {
        return false;
    };
    let mut is_escaped = false;
    for octet in inner.bytes() {
        match octet {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return false,
            _ => {}
        }
    }
    !is_escaped
}

/// The entries of a list, separated by spaces outside quotes.
struct Entries<'a>(&'a str);

impl<'a> Iterator for Entries<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let text = self.0.trim_start_matches([' ', '\t']);
        if text.is_empty() {
            return None;
        }
        let (entry, rest) = text.split_at(unquoted(text, |octet| octet == b' ' || octet == b'\t'));
        self.0 = rest;
        Some(entry)
    }
}

/// The parts of an entry, separated by semicolons outside quotes.
struct Parameters<'a>(Option<&'a str>);

impl<'a> Iterator for Parameters<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let text = self.0?;
        let (part, rest) = text.split_at(unquoted(text, |octet| octet == b';'));
        self.0 = rest.strip_prefix(';');
        Some(part)
    }
}

/// Where the first wanted octet outside quotes stands; the length of the text when there is none. Wanted octets are ASCII.
fn unquoted(text: &str, is_wanted: impl Fn(u8) -> bool) -> usize {
    let (mut is_quoted, mut is_escaped) = (false, false);
    for (at, octet) in text.bytes().enumerate() {
        match octet {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_quoted => is_escaped = true,
            b'"' => is_quoted = !is_quoted,
            _ if !is_quoted && is_wanted(octet) => return at,
            _ => {}
        }
    }
    text.len()
}
