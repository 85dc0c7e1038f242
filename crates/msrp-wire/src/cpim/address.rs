//! Addresses in From, To and cc, and the URI of NS.

use std::borrow::Cow;

use super::{Mbox, escape};
use crate::identity::closing_quote;

/// Reads `[Formal-name] <URI>`; also a URI alone, and `user@host` in the place of a URI.
///
/// # Spec
/// RFC 3862 s.3.6, s.4.1; AMB-25.
pub(super) fn mbox(value: &str) -> Option<Mbox<'_>> {
    let (display, rest) = split_display(value)?;
    let uri = match rest.strip_prefix('<') {
        Some(bracketed) => bracketed.strip_suffix('>')?.trim(),
        None if display.is_none() => rest,
        None => return None,
    };
    (is_uri(uri) || is_user_at_host(uri)).then_some(Mbox { display, uri })
}

/// The name and the text from the angle bracket on.
fn split_display(value: &str) -> Option<(Option<Cow<'_, str>>, &str)> {
    if value.starts_with('<') {
        return Some((None, value));
    }
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
    Some(escape::decode(name)).filter(|name| !name.is_empty())
}

/// Reads `[prefix] <absolute-URI>`. Blanks inside the brackets are kept; see [`same_namespace`].
///
/// # Spec
/// RFC 3862 s.3.4, s.4.6; AMB-06.
pub(super) fn namespace(value: &str) -> Option<(Option<&str>, &str)> {
    let (prefix, uri) = value.strip_suffix('>')?.split_once('<')?;
    let (prefix, uri) = (prefix.trim(), uri.trim());
    let legal_prefix = prefix.bytes().all(is_name);
    let (scheme, rest) = uri.split_once(':')?;
    let legal_uri = is_scheme(scheme.trim_end())
        && !rest.trim().is_empty()
        && !uri.contains(['<', '>', '"', '#']);
    let legal = legal_prefix && legal_uri;
    legal.then_some(((!prefix.is_empty()).then_some(prefix), uri))
}

/// Whether both texts are the same namespace; blanks do not count.
///
/// # Spec
/// AMB-06.
pub(super) fn same_namespace(one: &str, two: &str) -> bool {
    let without_blanks = |c: &u8| *c != b' ';
    one == two
        || one
            .bytes()
            .filter(without_blanks)
            .eq(two.bytes().filter(without_blanks))
}

/// An address without its scheme.
fn is_user_at_host(text: &str) -> bool {
    let is_whole = text
        .split_once('@')
        .is_some_and(|(user, host)| !user.is_empty() && !host.is_empty());
    is_whole && has_no_border(text)
}

/// A scheme, a colon, and no character that would end the URI earlier.
fn is_uri(text: &str) -> bool {
    let colon = text.bytes().position(|c| c == b':');
    colon
        .and_then(|colon| text.split_at_checked(colon))
        .is_some_and(|(scheme, rest)| is_scheme(scheme) && rest.len() > 1 && has_no_border(text))
}

/// RFC 3986 s.3.1.
fn is_scheme(text: &str) -> bool {
    let starts_well = text.bytes().next().is_some_and(|c| c.is_ascii_alphabetic());
    let legal = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'+' | b'-' | b'.');
    starts_well && text.bytes().all(legal)
}

fn has_no_border(text: &str) -> bool {
    !text.bytes().any(|c| matches!(c, b' ' | b'<' | b'>' | b'"'))
}

/// RFC 3862 s.3.6, `NAMECHAR`.
pub(super) fn is_name(c: u8) -> bool {
    c.is_ascii_alphanumeric()
        || matches!(c, 0x21 | 0x23..=0x27 | 0x2a..=0x2b | 0x2d | 0x5e..=0x60 | 0x7c | 0x7e)
}
