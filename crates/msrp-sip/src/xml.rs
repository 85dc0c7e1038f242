//! Small XML documents as bounded trees of elements with resolved namespaces.
//!
//! No document type, no entities beyond the five of the standard: such documents are refused.
//! Comments and processing instructions are skipped.

use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::{NamespaceResolver, ResolveResult};
use quick_xml::reader::NsReader;

use crate::limits::{XML_ATTRIBUTES_MAX, XML_DEPTH_MAX, XML_ELEMENTS_MAX, XML_NAMESPACES_MAX};

/// Why a document was refused, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct XmlError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong: one sentence without its full stop.
    pub what: String,
}

/// One element with all that is in it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Element {
    /// The namespace; empty when it has none.
    pub(crate) namespace: String,
    /// The name without prefix.
    pub(crate) name: String,
    /// The attributes: name without prefix, value.
    pub(crate) attributes: Vec<(String, String)>,
    /// The elements directly inside.
    pub(crate) children: Vec<Element>,
    /// The text directly inside.
    pub(crate) text: String,
    /// The line of its start tag, from 1.
    pub(crate) line: usize,
}

impl Element {
    /// Reads a document and returns its root element.
    pub(crate) fn parse(text: &str) -> Result<Self, XmlError> {
        let mut reader = NsReader::from_str(text);
        reader.config_mut().expand_empty_elements = true;
        reader
            .resolver_mut()
            .set_max_namespace_bindings(XML_NAMESPACES_MAX);
        let mut builder = Builder {
            text,
            at: 0,
            open: Vec::new(),
            root: None,
            elements_count: 0,
            counted_to: 0,
            lines_count: 0,
        };
        loop {
            let event = reader.read_event();
            let before = builder.at;
            builder.at = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX);
            let event = event.map_err(|e| builder.error(&e.to_string()))?;
            // Errors in a tag are shown with the line on which it starts.
            let after =
                std::mem::replace(&mut builder.at, before.max(first_non_blank(text, before)));
            let more = builder.take(event, reader.resolver())?;
            builder.at = after;
            if !more {
                break;
            }
        }
        builder.finish()
    }

    /// Whether it has this name in this namespace.
    pub(crate) fn is(&self, namespace: &str, name: &str) -> bool {
        self.name == name && self.namespace == namespace
    }

    /// The first element directly inside with this name.
    pub(crate) fn child(&self, namespace: &str, name: &str) -> Option<&Self> {
        self.children.iter().find(|c| c.is(namespace, name))
    }

    /// The value of an attribute, whatever its prefix.
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    }

    /// The text without blanks around it.
    pub(crate) fn trimmed(&self) -> &str {
        self.text.trim()
    }

    /// An error about this element.
    pub(crate) fn error(&self, what: impl Into<String>) -> XmlError {
        XmlError {
            line: self.line,
            what: what.into(),
        }
    }
}

struct Builder<'t> {
    text: &'t str,
    at: usize,
    open: Vec<Element>,
    root: Option<Element>,
    elements_count: usize,
    /// Up to where line ends were counted, so that each octet is looked at once.
    counted_to: usize,
    lines_count: usize,
}

impl Builder<'_> {
    /// Takes one event; false at the end of the document.
    fn take(&mut self, event: Event<'_>, resolver: &NamespaceResolver) -> Result<bool, XmlError> {
        match event {
            Event::Start(start) | Event::Empty(start) => self.start(&start, resolver)?,
            Event::End(_) => self.end(),
            Event::Text(text) => self.add_text(&text.xml10_content())?,
            Event::CData(text) => self.add_text(&text.xml10_content())?,
            Event::GeneralRef(reference) => {
                let c = match reference.resolve_char_ref() {
                    Ok(Some(c)) => Some(c),
                    Ok(None) => named(&reference),
                    Err(_) => None,
                };
                let c = c.ok_or_else(|| self.error("an entity reference is not known"))?;
                self.add_text(c.encode_utf8(&mut [0; 4]))?;
            }
            Event::DocType(_) => return Err(self.error("a document type is not allowed")),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
            Event::Eof => return Ok(false),
        }
        Ok(true)
    }

    fn start(
        &mut self,
        start: &BytesStart<'_>,
        resolver: &NamespaceResolver,
    ) -> Result<(), XmlError> {
        self.elements_count += 1;
        if self.elements_count > XML_ELEMENTS_MAX {
            return Err(self.error("there are too many elements"));
        }
        if self.open.len() >= XML_DEPTH_MAX {
            return Err(self.error("the elements are nested too deep"));
        }
        if self.open.is_empty() && self.root.is_some() {
            return Err(self.error("there is more than one root element"));
        }
        let (namespace, name) = resolver.resolve_element(start.name());
        let namespace = match namespace {
            ResolveResult::Bound(ns) => ns.as_ref().to_owned(),
            ResolveResult::Unbound => String::new(),
            ResolveResult::Unknown(_) => {
                return Err(self.error("a namespace prefix is not declared"));
            }
        };
        let mut element = Element {
            namespace,
            name: name.as_ref().to_owned(),
            line: self.count_lines(),
            ..Element::default()
        };
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|e| self.error(&e.to_string()))?;
            if attribute.key.as_namespace_binding().is_some() {
                continue;
            }
            if element.attributes.len() >= XML_ATTRIBUTES_MAX {
                return Err(self.error("an element has too many attributes"));
            }
            let value = attribute
                .normalized_value(XmlVersion::Implicit1_0)
                .map_err(|e| self.error(&e.to_string()))?;
            element.attributes.push((
                attribute.key.local_name().as_ref().to_owned(),
                value.into_owned(),
            ));
        }
        self.open.push(element);
        Ok(())
    }

    fn end(&mut self) {
        if let Some(element) = self.open.pop() {
            match self.open.last_mut() {
                Some(parent) => parent.children.push(element),
                None => self.root = Some(element),
            }
        }
    }

    fn add_text(&mut self, text: &str) -> Result<(), XmlError> {
        match self.open.last_mut() {
            Some(element) => element.text.push_str(text),
            None if text
                .trim_matches(['\u{feff}', ' ', '\t', '\r', '\n'])
                .is_empty() => {}
            None => return Err(self.error("there is text outside of the root element")),
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Element, XmlError> {
        if !self.open.is_empty() {
            return Err(self.error("the document ends inside an element"));
        }
        self.root
            .take()
            .ok_or_else(|| self.error("there is no element"))
    }

    /// The line of the present place, which is behind the last one that was asked for.
    fn count_lines(&mut self) -> usize {
        let at = self.at.min(self.text.len());
        let passed = self.text.as_bytes().get(self.counted_to..at);
        let passed = passed.unwrap_or_default();
        self.lines_count += passed.iter().filter(|b| **b == b'\n').count();
        self.counted_to = self.counted_to.max(at);
        self.lines_count + 1
    }

    fn line(&self) -> usize {
        let head = self
            .text
            .as_bytes()
            .get(..self.at.min(self.text.len()))
            .unwrap_or_default();
        head.iter().filter(|b| **b == b'\n').count() + 1
    }

    fn error(&self, what: &str) -> XmlError {
        XmlError {
            line: self.line(),
            what: what.to_owned(),
        }
    }
}

fn named(reference: &str) -> Option<char> {
    match reference {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => None,
    }
}

fn first_non_blank(text: &str, from: usize) -> usize {
    let tail = text.as_bytes().get(from..).unwrap_or_default();
    let blanks = tail.iter().take_while(|b| b.is_ascii_whitespace()).count();
    if blanks == tail.len() {
        from
    } else {
        from + blanks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xml_document_becomes_a_tree() {
        let root = Element::parse(
            "<?xml version=\"1.0\"?>\n<!-- c -->\n<a xmlns='u:a' xmlns:b='u:b' x='1&amp;2'>\n  <b:c b:y='z'>t&lt;&#65;<![CDATA[<]]></b:c>\n  <d/>\n</a>\n",
        )
        .unwrap();
        assert!(root.is("u:a", "a") && root.line == 3);
        assert_eq!(root.attribute("x"), Some("1&2"));
        let c = root.child("u:b", "c").unwrap();
        assert_eq!(
            (c.text.as_str(), c.attribute("y"), c.line),
            ("t<A<", Some("z"), 4)
        );
        assert!(root.child("u:a", "d").is_some_and(|d| d.line == 5));
    }

    #[test]
    fn xml_illegal_documents_are_refused_with_their_line() {
        let deep = format!("{}{}", "<a>".repeat(40), "</a>".repeat(40));
        let cases = [
            ("", 1, "no element"),
            ("<a>\n<b>\n</a>", 3, ""),
            ("<a>\n", 2, ""),
            (
                "<!DOCTYPE a [<!ENTITY x 'y'>]>\n<a>&x;</a>",
                1,
                "document type",
            ),
            ("<a>\n&x;</a>", 2, "entity"),
            ("<a/>\n<b/>", 2, "root"),
            ("<a/>x", 1, "outside"),
            ("<x:a/>", 1, "prefix"),
            ("<a b='1' b='2'/>", 1, ""),
            (deep.as_str(), 1, "deep"),
        ];
        for (text, line, part) in cases {
            let error = Element::parse(text).unwrap_err();
            assert!(
                error.line == line && error.what.contains(part),
                "{text}: {error}"
            );
        }
    }

    proptest::proptest! {
        #[test]
        fn xml_any_text_never_panics(text in "[<>a/!&;'\"= \\[\\]\\-?:x\\n]{0,60}") {
            let _ = Element::parse(&text);
        }
    }
}
