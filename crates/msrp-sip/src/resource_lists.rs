//! Lists of addresses in a request.
//!
//! # Spec
//! RFC 4826 s.3, RFC 5366 s.4; AMB-48, AMB-49. `copyControl` has no effect on invitations;
//! MESSAGEs follow it.

use crate::address::{AddressError, Uri};
use crate::limits::RESOURCE_LIST_ENTRIES_MAX;
use crate::replaces::Replaces;
use crate::xml::{Element, XmlError};

/// One address of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The address.
    pub uri: Uri,
    /// The name that the list gives it.
    pub display_name: Option<String>,
    /// The dialog that an invitation of this address takes the place of.
    pub replaces: Option<Replaces>,
}

/// Why a list was refused. Always the peer's fault: 400.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// Not UTF-8.
    #[error("The resource list is not UTF-8")]
    Encoding,
    /// Not well-formed, or not within the bounds.
    #[error("The resource list is not usable: {0}")]
    Xml(#[from] XmlError),
    /// The root is not `resource-lists`.
    #[error("The resource list has another root element than resource-lists")]
    Root,
    /// An entry without an address.
    #[error("The entry in line {0} of the resource list has no uri")]
    NoUri(usize),
    /// An entry with an address that cannot be read.
    #[error("The entry in line {line} of the resource list cannot be used: {error}")]
    Address {
        /// The line of the entry.
        line: usize,
        /// What is wrong.
        error: AddressError,
    },
    /// `external` or `entry-ref`: we do not fetch lists.
    #[error("The reference in line {0} of the resource list is not followed")]
    Reference(usize),
    /// More than [`RESOURCE_LIST_ENTRIES_MAX`] entries.
    #[error("The resource list has too many entries")]
    TooMany,
}

/// Reads the entries of all lists of a document in their order, duplicates included.
///
/// # Errors
/// [`ListError`] -> 400. The peer's fault.
///
/// # Spec
/// RFC 4826 s.3.2; AMB-49.
pub fn parse(octets: &[u8]) -> Result<Vec<Entry>, ListError> {
    let entries = parse_marked(octets)?;
    Ok(entries.into_iter().map(|marked| marked.entry).collect())
}

/// Whether recipients of a MESSAGE are shown to each other. The higher goes before the lower when
/// an address is named twice.
///
/// # Spec
/// RFC 5364 s.4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum CopyControl {
    /// Shown to nobody; so are addresses without a mark.
    Bcc,
    /// Shown as one who gets a copy.
    Cc,
    /// Shown as one who is meant.
    To,
}

/// An address of a list with the marks of its writer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Marked {
    /// The address.
    pub(crate) entry: Entry,
    /// Who may see it.
    pub(crate) copy_control: CopyControl,
    /// Whether it is shown without its address.
    pub(crate) is_anonymized: bool,
}

/// As [`parse`], with the marks of RFC 5364.
///
/// # Errors
/// As [`parse`].
pub(crate) fn parse_marked(octets: &[u8]) -> Result<Vec<Marked>, ListError> {
    let text = std::str::from_utf8(octets).map_err(|_| ListError::Encoding)?;
    let root = Element::parse(text)?;
    if !root.is(NAMESPACE, "resource-lists") {
        return Err(ListError::Root);
    }
    let mut entries = Vec::new();
    for list in root.children.iter().filter(|c| c.is(NAMESPACE, "list")) {
        read_list(list, &mut entries)?;
    }
    Ok(entries)
}

/// The depth is bounded by the reader of the document.
fn read_list(list: &Element, entries: &mut Vec<Marked>) -> Result<(), ListError> {
    for child in list.children.iter().filter(|c| c.namespace == NAMESPACE) {
        match child.name.as_str() {
            "entry" if entries.len() >= RESOURCE_LIST_ENTRIES_MAX => {
                return Err(ListError::TooMany);
            }
            "entry" => entries.push(Marked {
                entry: read_entry(child)?,
                copy_control: read_copy_control(child),
                is_anonymized: child
                    .attribute("anonymize")
                    .is_some_and(|v| matches!(v.trim(), "true" | "1")),
            }),
            "list" => read_list(child, entries)?,
            "external" | "entry-ref" => return Err(ListError::Reference(child.line)),
            _ => {}
        }
    }
    Ok(())
}

fn read_entry(element: &Element) -> Result<Entry, ListError> {
    let uri = element
        .attribute("uri")
        .ok_or(ListError::NoUri(element.line))?;
    let unusable = |error| ListError::Address {
        line: element.line,
        error,
    };
    let (uri, replaces) = Replaces::part(uri).map_err(unusable)?;
    Ok(Entry {
        uri: Uri::parse_lenient(&uri).map_err(unusable)?,
        display_name: display_name(element),
        replaces,
    })
}

/// # Spec
/// AMB-48: an unknown value shows the address to nobody.
fn read_copy_control(element: &Element) -> CopyControl {
    match element.attribute("copyControl").map(str::trim) {
        Some("to") => CopyControl::To,
        Some("cc") => CopyControl::Cc,
        Some(_) | None => CopyControl::Bcc,
    }
}

/// The `display-name` inside an entry, of the resource-lists namespace.
pub(crate) fn display_name(element: &Element) -> Option<String> {
    let name = element.child(NAMESPACE, "display-name")?.trimmed();
    let name: String = name
        .chars()
        .filter(|c| !c.is_control())
        .take(crate::limits::DISPLAY_NAME_CHARS_MAX)
        .collect();
    (!name.is_empty()).then_some(name)
}

/// The namespace of RFC 4826.
pub(crate) const NAMESPACE: &str = "urn:ietf:params:xml:ns:resource-lists";

#[cfg(test)]
mod tests {
    use super::*;

    fn document(inner: &str) -> String {
        format!(
            "<?xml version=\"1.0\"?>\n<resource-lists xmlns=\"{NAMESPACE}\" xmlns:cp=\"urn:ietf:params:xml:ns:copycontrol\">{inner}</resource-lists>"
        )
    }

    #[test]
    fn list_entries_are_read_in_order() {
        let text = document(
            "<list><entry uri=\"sip:bill@example.com\" cp:copyControl=\"to\"><display-name>Bill</display-name></entry><entry uri=\"joe@example.org\"/><list name='n'><entry uri=\"tel:+15550100\"/></list></list>",
        );
        let list = parse(text.as_bytes()).unwrap();
        let uris: Vec<_> = list.iter().map(|e| e.uri.as_str()).collect();
        assert_eq!(
            uris,
            [
                "sip:bill@example.com",
                "sip:joe@example.org",
                "tel:+15550100"
            ]
        );
        assert_eq!(list[0].display_name.as_deref(), Some("Bill"));
    }

    #[test]
    fn list_faults_are_named() {
        let cases = [
            (document("<list><entry/></list>"), "no uri"),
            (
                document("<list><entry uri='nobody'/></list>"),
                "neither sip",
            ),
            (
                document("<list><entry uri='sip:a@h?Replaces=x'/></list>"),
                "header fields",
            ),
            (
                document("<list><external anchor='http://x'/></list>"),
                "not followed",
            ),
            (
                document("<list><entry-ref ref='x'/></list>"),
                "not followed",
            ),
            ("<resource-lists/>".to_owned(), "root"),
            ("<list".to_owned(), "not usable"),
        ];
        for (text, part) in cases {
            let error = parse(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
        assert_eq!(parse(&[0xff]), Err(ListError::Encoding));
    }

    proptest::proptest! {
        #[test]
        fn list_mutated_document_never_panics(at in 0usize..400, octet: u8) {
            let mut text = document("<list><entry uri=\"sip:bill@example.com\"/><entry uri=\"tel:+15\"/></list>").into_bytes();
            let length = text.len();
            text[at % length] = octet;
            let _ = parse(&text);
        }
    }
}
