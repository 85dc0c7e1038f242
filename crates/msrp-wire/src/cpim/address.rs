//! Addresses in From, To and cc, and the URI of NS.

use std::borrow::Cow;

use super::{Mbox, escape};
use crate::identity::closing_quote;

/// Reads `[Formal-name] <URI>`; also a URI alone.
///
/// # Spec
/// RFC 3862 s.3.6, s.4.1.
pub(super) fn mbox(value: &str) -> Option<Mbox<'_>> {
    let (display, rest) = split_display(value)?;
    let uri = match rest.strip_prefix('<') {
        Some(bracketed) => bracketed.strip_suffix('>')?.trim(),
        None if display.is_none() => rest,
        None => return None,
    };
    is_uri(uri).then_some(Mbox { display, uri })
}

/// The name and the text from the angle bracket on.
fn split_display(value: &str) -> Option<(Option<Cow<'_, str>>, &str)> {
    if let Some(quoted) = value.strip_prefix('"') {
        let (name, rest) = quoted.split_at_checked(closing_quote(quoted)?)?;
        let rest = rest.strip_prefix('"')?.trim_start();
        return Some((named(name), rest));
    }
    match value.find('<') {
        Some(at) => {
            let (name, rest) = value.split_at_checked(at)?;
            Some((named(name.trim()), rest))
        }
        None => Some((None, value)),
    }
}

fn named(name: &str) -> Option<Cow<'_, str>> {
    (!name.is_empty()).then(|| escape::decode(name))
}

/// Reads `[prefix] <absolute-URI>`.
///
/// # Spec
/// RFC 3862 s.3.4, s.4.6.
pub(super) fn namespace(value: &str) -> Option<(Option<&str>, &str)> {
    let (prefix, uri) = value.strip_suffix('>')?.split_once('<')?;
    let (prefix, uri) = (prefix.trim(), uri.trim());
    let legal_prefix = prefix.bytes().all(is_name);
    let legal = legal_prefix && is_uri(uri) && !uri.contains('#');
    legal.then_some(((!prefix.is_empty()).then_some(prefix), uri))
}

/// A scheme, a colon, and no character that would end the URI earlier.
fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else {
        return false;
    };
    let starts_well = scheme
        .bytes()
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic());
    let legal_scheme = scheme
        .bytes()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, b'+' | b'-' | b'.'));
    starts_well && legal_scheme && !rest.is_empty() && !text.contains([' ', '<', '>', '"'])
}

/// RFC 3862 s.3.6, `NAMECHAR`.
pub(super) fn is_name(c: u8) -> bool {
    c.is_ascii_alphanumeric()
        || matches!(c, 0x21 | 0x23..=0x27 | 0x2a..=0x2b | 0x2d | 0x5e..=0x60 | 0x7c | 0x7e)
}
