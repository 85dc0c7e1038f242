//! Group documents.

use std::fmt::Write as _;

/// A list-service document of one group.
#[derive(Clone, Debug)]
pub struct Document {
    uri: String,
    members: Vec<String>,
    elements: String,
}

impl Document {
    /// A group without members.
    #[must_use]
    pub fn new(uri: &str) -> Self {
        Self {
            uri: uri.into(),
            members: Vec::new(),
            elements: String::new(),
        }
    }

    /// Adds members.
    #[must_use]
    pub fn members<T: AsRef<str>>(mut self, uris: &[T]) -> Self {
        self.members
            .extend(uris.iter().map(|uri| uri.as_ref().to_owned()));
        self
    }

    /// Adds an element, such as `<max-participant-count>2</max-participant-count>`. The prefixes `rl`, `cp` and `oxe`
    /// are declared.
    #[must_use]
    pub fn element(mut self, xml: &str) -> Self {
        self.elements.push_str(xml);
        self.elements.push('\n');
        self
    }

    /// Adds a rule for members with these actions.
    #[must_use]
    pub fn member_rule(self, actions: &str) -> Self {
        self.element(&format!(
            "<cp:ruleset><cp:rule id=\"members\"><cp:conditions><is-list-member/></cp:conditions>\
             <cp:actions>{actions}</cp:actions></cp:rule></cp:ruleset>"
        ))
    }

    /// The document.
    #[must_use]
    pub fn xml(&self) -> String {
        let mut text = String::from(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <group xmlns=\"urn:oma:xml:poc:list-service\" xmlns:rl=\"urn:ietf:params:xml:ns:resource-lists\"\n\
             xmlns:cp=\"urn:ietf:params:xml:ns:common-policy\" xmlns:oxe=\"urn:oma:xml:xdm:extensions\">\n",
        );
        writeln!(text, "<list-service uri=\"{}\">\n<list>", self.uri).unwrap();
        for uri in &self.members {
            writeln!(text, "<entry uri=\"{uri}\"/>").unwrap();
        }
        writeln!(text, "</list>\n{}</list-service>\n</group>", self.elements).unwrap();
        text
    }
}
