//! Attribute lines: which of them go on to other participants, and what we write.

use sdp_types::Attribute;

use crate::{Direction, format_list::is_token};

/// Attributes that a focus repeats towards others; those that begin with `file-` too (AMB-23).
const COPYABLE: [&str; 4] = ["content", "label", "lang", "sdplang"];

/// Attributes that [`Local`](crate::Local) writes from its own values, or that MSRP forbids.
const RESERVED: [&str; 8] = [
    "path",
    "accept-types",
    "accept-wrapped-types",
    "max-size",
    "setup",
    "chatroom",
    "msrp-cema",
    // RFC 6135 s.4.4: never sent.
    "connection",
];

/// Whether a focus repeats the attribute towards others.
pub(crate) fn is_copyable(name: &str) -> bool {
    let is_file = name
        .get(..5)
        .is_some_and(|start| start.eq_ignore_ascii_case("file-"));
    is_file || is_one_of(&COPYABLE, name) || Direction::from_name(name).is_some()
}

/// The line that we write for an attribute of the caller's choice; `None` for one that we write from other values.
///
/// A value loses its control characters, so that it stays one line. A name that is not a token is left out.
pub(crate) fn to_write(name: &str, value: Option<&str>) -> Option<Attribute> {
    let is_reserved = is_one_of(&RESERVED, name) || Direction::from_name(name).is_some();
    if is_reserved || !is_token(name) {
        return None;
    }
    Some(match value {
        None => Attribute::new(name),
        Some(value) => Attribute::with_value(name, one_line(value)),
    })
}

/// The text without control characters.
fn one_line(text: &str) -> String {
    text.chars()
        .filter(|char| !char.is_control() || *char == '\t')
        .collect()
}

/// Whether the names hold this one, without regard to case.
fn is_one_of(names: &[&str], name: &str) -> bool {
    names.iter().any(|known| known.eq_ignore_ascii_case(name))
}
