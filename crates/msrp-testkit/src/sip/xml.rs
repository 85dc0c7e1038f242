//! A small strict reader of XML documents.

/// One element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Element {
    /// The namespace; empty without one.
    pub(crate) namespace: String,
    /// The name without prefix.
    pub(crate) name: String,
    /// Attributes as written, prefix included, without namespace declarations.
    pub(crate) attributes: Vec<(String, String)>,
    /// The elements inside.
    pub(crate) children: Vec<Element>,
    /// The text directly inside.
    pub(crate) text: String,
}

/// Prefixes and their namespaces; the last one of a prefix counts.
type Scope = Vec<(String, String)>;

impl Element {
    /// Reads a whole document.
    ///
    /// # Errors
    /// What is wrong. Document types, CDATA sections and processing instructions behind the first
    /// line are wrong here: no document of the tests needs them.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut rest = text.trim_start();
        if let Some(behind) = rest.strip_prefix("<?xml ") {
            let (_, behind) = behind.split_once("?>").ok_or("an open XML declaration")?;
            rest = behind.trim_start();
        }
        let (root, rest) = element(rest, &Vec::new())?;
        if rest.trim().is_empty() {
            Ok(root)
        } else {
            Err(format!("text behind the root: {rest:?}"))
        }
    }

    /// The first element inside with this name in the namespace of this one.
    pub(crate) fn child(&self, name: &str) -> Option<&Self> {
        self.children
            .iter()
            .find(|child| child.name == name && child.namespace == self.namespace)
    }

    /// An attribute by its name as written.
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        let mut found = self.attributes.iter().filter(|(field, _)| field == name);
        found.next().map(|(_, value)| value.as_str())
    }
}

fn element<'t>(text: &'t str, scope: &Scope) -> Result<(Element, &'t str), String> {
    let inside = text.strip_prefix('<').ok_or("no start tag")?;
    let end = tag_end(inside)?;
    let (tag, mut rest) = (&inside[..end], &inside[end + 1..]);
    let (tag, is_empty) = match tag.strip_suffix('/') {
        Some(tag) => (tag, true),
        None => (tag, false),
    };
    let name_end = tag.find(char::is_whitespace).unwrap_or(tag.len());
    let (full_name, fields) = tag.split_at(name_end);
    let mut scope = scope.clone();
    let mut attributes = Vec::new();
    for (name, value) in read_attributes(fields)? {
        match name.strip_prefix("xmlns") {
            Some("") => scope.push((String::new(), value)),
            Some(prefix) => scope.push((prefix.trim_start_matches(':').into(), value)),
            None if attributes.iter().any(|(known, _)| *known == name) => {
                return Err(format!("attribute {name} twice"));
            }
            None => attributes.push((name, value)),
        }
    }
    for (name, _) in &attributes {
        let prefix = name.split_once(':').map(|(prefix, _)| prefix);
        if prefix.is_some_and(|prefix| scope.iter().all(|(known, _)| known != prefix)) {
            return Err(format!("the prefix of {name} is not declared"));
        }
    }
    let (prefix, name) = full_name.split_once(':').unwrap_or(("", full_name));
    let bound = scope.iter().rev().find(|(known, _)| known == prefix);
    let namespace = match bound {
        Some((_, namespace)) => namespace.clone(),
        None if prefix.is_empty() => String::new(),
        None => return Err(format!("prefix {prefix} is not declared")),
    };
    let mut read = Element {
        namespace,
        name: name.into(),
        attributes,
        children: Vec::new(),
        text: String::new(),
    };
    if is_empty {
        return Ok((read, rest));
    }
    loop {
        let at = rest.find('<').ok_or(format!("{full_name} is open"))?;
        read.text.push_str(&unescape(&rest[..at])?);
        rest = &rest[at..];
        if let Some(behind) = rest.strip_prefix("</") {
            let (closed, behind) = behind.split_once('>').ok_or("an open end tag")?;
            return if closed.trim_end() == full_name {
                Ok((read, behind))
            } else {
                Err(format!("{full_name} is closed as {closed}"))
            };
        }
        let (child, behind) = element(rest, &scope)?;
        read.children.push(child);
        rest = behind;
    }
}

/// Where a tag ends, quotes left out.
fn tag_end(text: &str) -> Result<usize, String> {
    let mut quote = None;
    for (at, letter) in text.char_indices() {
        match (quote, letter) {
            (Some(open), _) if open == letter => quote = None,
            (Some(_), '<') => return Err("< in an attribute".into()),
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(letter),
            (None, '>') => return Ok(at),
            (None, '<' | '!' | '?') => return Err(format!("{letter} in a tag")),
            (None, _) => {}
        }
    }
    Err("an open tag".into())
}

fn read_attributes(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut attributes = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (name, behind) = rest.split_once('=').ok_or(format!("attribute {rest:?}"))?;
        let quote = behind.chars().next().filter(|q| ['"', '\''].contains(q));
        let quote = quote.ok_or(format!("attribute {name} without quotes"))?;
        let (value, behind) = behind[1..].split_once(quote).ok_or("an open attribute")?;
        attributes.push((name.trim().to_owned(), unescape(value)?));
        rest = behind.trim_start();
    }
    Ok(attributes)
}

fn unescape(text: &str) -> Result<String, String> {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('&') {
        plain.push_str(before);
        let (name, behind) = behind.split_once(';').ok_or("an open reference")?;
        plain.push(match name {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "apos" => '\'',
            _ => return Err(format!("reference {name}")),
        });
        rest = behind;
    }
    plain.push_str(rest);
    let is_legal = |c: char| !c.is_control() || matches!(c, '\t' | '\r' | '\n');
    if plain.chars().all(is_legal) {
        Ok(plain)
    } else {
        Err(format!("a control character in {plain:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xml_element_is_read_with_its_namespace() {
        let root = Element::parse(
            "<?xml version=\"1.0\"?>\n<a xmlns='u:a' xmlns:b=\"u:b\" x=\"1 &amp; '2'>\">\n<b:c/>t&lt;<c y=''></c></a>\n",
        );
        let root = root.unwrap();
        assert_eq!((root.namespace.as_str(), root.name.as_str()), ("u:a", "a"));
        assert_eq!(root.attribute("x"), Some("1 & '2'>"));
        assert_eq!(root.children[0].namespace, "u:b");
        assert_eq!(root.child("c").unwrap().attribute("y"), Some(""));
        assert_eq!(root.text.trim(), "t<");
    }

    #[test]
    fn xml_that_is_broken_is_refused() {
        for text in [
            "",
            "<a>",
            "<a></b>",
            "<a x=1/>",
            "<a x='1' x='2'/>",
            "<a/><b/>",
            "<b:a/>",
            "<a>&x;</a>",
            "<!DOCTYPE a><a/>",
            "<a><!-- --></a>",
            "<a x='<'/>",
            "<a>\u{1}</a>",
        ] {
            assert!(Element::parse(text).is_err(), "{text}");
        }
    }
}
