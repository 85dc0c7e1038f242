//! Addresses of SIP header fields, lists and groups.

use msrp_sip::address::{NameAddr, Uri, write_name_addr};
use msrp_sip::replaces::Replaces;

/// What is worth inserting.
pub(crate) const WORDS: &[&str] = &[
    "sip:",
    "sips:",
    "tel:+1555",
    "SIP:",
    "@",
    "example.com",
    "[::1]",
    ":5060",
    ";user=phone",
    ";lr",
    ";tag=a",
    "?Replaces=c%3Bto-tag%3D1%3Bfrom-tag%3D2",
    "<",
    ">",
    "\"",
    "\\",
    ", ",
    "%40",
    "%00",
    "é",
];

/// The input is an address, a name with an address, a list of them, and an entry of a list.
pub fn address(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    if let Ok(uri) = Uri::parse(text) {
        check(&uri);
    }
    if let Ok(uri) = Uri::parse_lenient(text) {
        check(&uri);
    }
    if let Ok(value) = NameAddr::parse(text) {
        check_name(&value);
    }
    for value in NameAddr::parse_list(text).unwrap_or_default() {
        check_name(&value);
    }
    if let Ok((rest, Some(replaces))) = Replaces::part(text) {
        let written = replaces.to_string();
        assert!(!written.contains(['\r', '\n']), "{written:?}");
        // A user may contain `?`.
        let host = rest.rsplit('@').next().unwrap_or_default();
        assert!(!host.contains('?'), "{rest:?} keeps header fields");
    }
}

/// An address is one word that reads as itself, and its key is the key of every reading of it.
fn check(uri: &Uri) {
    let text = uri.as_str();
    let is_word = |c: char| c.is_ascii_graphic() && !matches!(c, '<' | '>' | '"');
    assert!(text.chars().all(is_word), "{text:?}");
    let again = Uri::parse(text).unwrap_or_else(|e| panic!("{e}: {text}"));
    assert_eq!(again, *uri);
    assert_eq!(again.key(), uri.key());
    assert!(uri.is_same(&again));
}

/// A name cannot leave its quotes, nor an address its brackets.
fn check_name(value: &NameAddr) {
    check(&value.uri);
    let Some(name) = value.display_name.as_deref() else {
        return;
    };
    if name.contains(['\r', '\n']) {
        return;
    }
    let text = write_name_addr(Some(name), value.uri.as_str());
    let again = NameAddr::parse(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
    assert_eq!(again.uri, value.uri, "{text}");
    assert!(again.parameters.is_empty(), "{text}");
    assert_eq!(
        NameAddr::parse_list(&text).map(|l| l.len()),
        Ok(1),
        "{text}"
    );
}
