//! Which recipients of a list are shown to each other.
//!
//! # Spec
//! RFC 5364 s.4, RFC 5365 s.7.3; PGR-8.3.2.1-13; AMB-48.

use std::collections::HashMap;
use std::fmt::Write;

use quick_xml::escape::escape;

use crate::address::Uri;
use crate::resource_lists::{CopyControl, Marked, NAMESPACE};

/// The distinct addresses of a list in their order, each with its highest mark.
pub(crate) fn distinct(list: Vec<Marked>) -> Vec<Marked> {
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut kept: Vec<Marked> = Vec::new();
    for marked in list {
        let place = *places.entry(marked.entry.uri.key()).or_insert(kept.len());
        match kept.get_mut(place) {
            None => kept.push(marked),
            Some(first) => {
                // An address that is to be hidden once is hidden.
                first.is_anonymized |= marked.is_anonymized;
                first.copy_control = first.copy_control.max(marked.copy_control);
            }
        }
    }
    kept
}

/// The list that every recipient gets; `None` when there is nobody to show.
pub(crate) fn write(list: &[Marked]) -> Option<String> {
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<resource-lists xmlns=\"{NAMESPACE}\" \
         xmlns:cp=\"{COPY_CONTROL}\">\r\n<list>\r\n"
    );
    let empty = text.len();
    for (level, word) in [(CopyControl::To, "to"), (CopyControl::Cc, "cc")] {
        let of_level = || list.iter().filter(|m| m.copy_control == level);
        for marked in of_level().filter(|m| !m.is_anonymized) {
            write_shown(&mut text, marked, word);
        }
        let hidden_count = of_level().filter(|m| m.is_anonymized).count();
        if hidden_count > 0 {
            let _ = write!(
                text,
                "<entry uri=\"{ANONYMOUS}\" cp:copyControl=\"{word}\" cp:count=\"{hidden_count}\"/>\r\n"
            );
        }
    }
    let is_empty = text.len() == empty;
    text.push_str("</list>\r\n</resource-lists>\r\n");
    (!is_empty).then_some(text)
}

fn write_shown(text: &mut String, marked: &Marked, word: &str) {
    let uri = without_method(&marked.entry.uri);
    let _ = write!(
        text,
        "<entry uri=\"{}\" cp:copyControl=\"{word}\"",
        escape(&uri)
    );
    let _ = match &marked.entry.display_name {
        Some(name) => write!(
            text,
            "><display-name>{}</display-name></entry>\r\n",
            escape(name)
        ),
        None => write!(text, "/>\r\n"),
    };
}

/// The address without a `method` parameter, which has no effect on a MESSAGE.
///
/// # Spec
/// RFC 5365 s.7.3.
pub(crate) fn without_method(uri: &Uri) -> String {
    let text = uri.as_str();
    if uri.parameter("method").is_none() {
        return text.to_owned();
    }
    let is_method = |part: &&str| {
        let name = part.split('=').next().unwrap_or_default();
        name.eq_ignore_ascii_case("method")
    };
    // The user part may hold a semicolon too, and is left as it is.
    let (head, tail) = match text.rsplit_once('@') {
        Some((user, rest)) => (format!("{user}@"), rest),
        None => (String::new(), text),
    };
    let parts: Vec<&str> = tail.split(';').filter(|p| !is_method(p)).collect();
    format!("{head}{}", parts.join(";"))
}

/// The address of whoever is not shown.
pub(crate) const ANONYMOUS: &str = "sip:anonymous@anonymous.invalid";

/// The namespace of RFC 5364.
const COPY_CONTROL: &str = "urn:ietf:params:xml:ns:copycontrol";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource_lists::parse_marked;

    fn list(entries: &str) -> Vec<Marked> {
        let text = format!(
            "<resource-lists xmlns=\"{NAMESPACE}\" xmlns:cp=\"{COPY_CONTROL}\"><list>{entries}</list></resource-lists>"
        );
        distinct(parse_marked(text.as_bytes()).unwrap())
    }

    /// The list of RFC 5365 s.9 and what its recipients are shown.
    // covers: PGR-8.3.2.1-13
    #[test]
    fn history_of_the_standards_example_hides_bcc_and_counts_the_anonymous() {
        let list = list(
            "<entry uri=\"sip:bill@example.com\" cp:copyControl=\"to\"/>\
             <entry uri=\"sip:randy@example.net\" cp:copyControl=\"to\" cp:anonymize=\"true\"/>\
             <entry uri=\"sip:eddy@example.com\" cp:copyControl=\"to\" cp:anonymize=\"true\"/>\
             <entry uri=\"sip:joe@example.org\" cp:copyControl=\"cc\"/>\
             <entry uri=\"sip:carol@example.net\" cp:copyControl=\"cc\" cp:anonymize=\"true\"/>\
             <entry uri=\"sip:ted@example.net\" cp:copyControl=\"bcc\"/>\
             <entry uri=\"sip:andy@example.com\" cp:copyControl=\"other\"/>\
             <entry uri=\"sip:una@example.com\"/>",
        );
        assert_eq!(list.len(), 8);
        let text = write(&list).unwrap();
        let entries: Vec<_> = text.lines().filter(|l| l.starts_with("<entry")).collect();
        assert_eq!(
            entries,
            [
                "<entry uri=\"sip:bill@example.com\" cp:copyControl=\"to\"/>",
                "<entry uri=\"sip:anonymous@anonymous.invalid\" cp:copyControl=\"to\" cp:count=\"2\"/>",
                "<entry uri=\"sip:joe@example.org\" cp:copyControl=\"cc\"/>",
                "<entry uri=\"sip:anonymous@anonymous.invalid\" cp:copyControl=\"cc\" cp:count=\"1\"/>",
            ]
        );
    }

    #[test]
    fn address_named_twice_is_one_recipient_with_its_highest_mark() {
        let list = list(
            "<entry uri=\"sip:bill@example.com\"/><entry uri=\"sip:bill@EXAMPLE.com;a=b\" cp:copyControl=\"cc\"/>\
             <entry uri=\"sip:bill@example.com\" cp:copyControl=\"bcc\"/>",
        );
        assert_eq!(list.len(), 1);
        assert_eq!(list[0].copy_control, CopyControl::Cc);
    }

    #[test]
    fn list_of_hidden_recipients_shows_nothing() {
        assert_eq!(write(&list("<entry uri=\"sip:bill@example.com\"/>")), None);
    }

    #[test]
    fn names_in_the_history_are_escaped() {
        let list = list(
            "<entry uri=\"sip:a&amp;b@example.com\" cp:copyControl=\"to\"><display-name>A &lt; B</display-name></entry>",
        );
        let text = write(&list).unwrap();
        assert!(text.contains("sip:a&amp;b@example.com"), "{text}");
        assert!(
            text.contains("<display-name>A &lt; B</display-name>"),
            "{text}"
        );
    }

    #[test]
    fn method_parameter_is_left_out() {
        for (text, expected) in [
            ("sip:a@h;method=INVITE;lr", "sip:a@h;lr"),
            ("sip:a@h;lr;METHOD=REFER", "sip:a@h;lr"),
            ("sip:a;method=x@h;method=INVITE", "sip:a;method=x@h"),
            ("sip:a@h;lr", "sip:a@h;lr"),
        ] {
            assert_eq!(without_method(&Uri::parse(text).unwrap()), expected);
        }
    }
}
