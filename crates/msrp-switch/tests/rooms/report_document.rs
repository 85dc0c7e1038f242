//! A strict reader of final report documents, independent of the writer.

/// One `leg`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReportedLeg {
    pub(crate) uri: String,
    pub(crate) status: u16,
    pub(crate) max_size: Option<u64>,
}

/// One document that is well-formed and valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReportDocument {
    pub(crate) message_id: String,
    pub(crate) is_last: bool,
    pub(crate) legs: Vec<ReportedLeg>,
}

impl ReportDocument {
    /// Reads a document.
    ///
    /// # Panics
    /// When it is not well-formed XML, or breaks a rule of the final report schema.
    pub(crate) fn parse(octets: &[u8]) -> Self {
        let text = std::str::from_utf8(octets).expect("UTF-8");
        let is_char = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..);
        assert!(text.chars().all(is_char), "a character that XML forbids");
        let declaration = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";
        let rest = text
            .strip_prefix(declaration)
            .expect("a declaration")
            .trim_start();
        let (root, mut rest) = element(rest, "final", ">");
        let value = |name: &str| root.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone());
        assert_eq!(
            value("xmlns").as_deref(),
            Some("urn:oma:xml:poc:final-report")
        );
        assert!(value("last").is_none_or(|last| last == "true"), "last");
        let known = ["xmlns", "Message-ID", "last"];
        assert!(root.iter().all(|(name, _)| known.contains(&name.as_str())));
        let mut legs = Vec::new();
        while rest.starts_with("<leg") {
            let (attributes, behind) = element(rest, "leg", "/>");
            legs.push(leg(&attributes));
            rest = behind;
        }
        assert_eq!(rest.trim_end(), "</final>");
        Self {
            message_id: value("Message-ID").expect("a Message-ID"),
            is_last: value("last").is_some(),
            legs,
        }
    }
}

fn leg(attributes: &[(String, String)]) -> ReportedLeg {
    let value = |name: &str| {
        attributes
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    };
    let status = value("status").expect("a status");
    let is_code = status.len() == 3 && status.bytes().all(|c| c.is_ascii_digit());
    assert!(is_code || status == "9999", "{status}");
    let max_size = value("max-size").map(|max| max.parse().expect("a number"));
    assert_eq!(
        max_size.is_some(),
        status == "9999",
        "max-size with 9999 alone"
    );
    assert_eq!(attributes.len(), 2 + usize::from(max_size.is_some()));
    ReportedLeg {
        uri: value("uri").expect("a uri").to_owned(),
        status: status.parse().expect("a number"),
        max_size,
    }
}

/// Reads a tag of this name with its attributes; gives what follows it.
fn element<'a>(text: &'a str, name: &str, end: &str) -> (Vec<(String, String)>, &'a str) {
    let mut rest = text
        .strip_prefix('<')
        .and_then(|t| t.strip_prefix(name))
        .expect(name);
    let mut attributes: Vec<(String, String)> = Vec::new();
    loop {
        let trimmed = rest.trim_start();
        if let Some(behind) = trimmed.strip_prefix(end) {
            return (attributes, behind.trim_start());
        }
        assert_ne!(trimmed.len(), rest.len(), "a blank before an attribute");
        let (key, quoted) = trimmed.split_once("=\"").expect("an attribute");
        assert!(
            key.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-'),
            "{key}"
        );
        let (value, behind) = quoted.split_once('"').expect("a closing quote");
        assert!(
            attributes.iter().all(|(other, _)| other != key),
            "{key} twice"
        );
        attributes.push((key.to_owned(), unescape(value)));
        rest = behind;
    }
}

fn unescape(value: &str) -> String {
    assert!(!value.contains(['<', '\n', '\r', '\t']), "{value}");
    let mut parts = value.split('&');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (entity, behind) = part.split_once(';').expect("the end of an entity");
        text.push(match entity {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "apos" => '\'',
            "#9" => '\t',
            "#10" => '\n',
            "#13" => '\r',
            other => panic!("unknown entity {other}"),
        });
        text.push_str(behind);
    }
    text
}
