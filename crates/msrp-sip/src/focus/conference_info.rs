//! Documents that tell who takes part in a conference.
//!
//! Every text from a peer is escaped, and what XML cannot hold is left out, so that no name and no
//! address can add an element.
//!
//! # Spec
//! RFC 4575 s.4 to s.6; RFC 7701 s.7.4, s.9.6; CONF-7.2.2.10, CONF-M.1; AMB-35, AMB-36.

use quick_xml::escape::escape;

/// The type of the documents.
pub(crate) const CONFERENCE_INFO: &str = "application/conference-info+xml";

/// One document for one subscriber.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConferenceInfo<'a> {
    /// The address of the conference: the group, or the session identity.
    pub(crate) entity: &'a str,
    /// Counts the documents of one subscription, from 1.
    pub(crate) version: u32,
    /// The namespace of the mark on the subscriber's own entry; `None` writes it without.
    pub(crate) own_mark: Option<&'a OwnMark>,
    /// What it tells.
    pub(crate) content: Content<'a>,
}

/// The prefix and the namespace of `yourown`, the mark on the subscriber's own entry.
///
/// # Spec
/// AMB-35.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnMark {
    prefix: String,
    namespace: String,
}

impl OwnMark {
    /// Reads `PREFIX=NAMESPACE`, such as `oma=urn:oma:xml:conference`. `None` when the prefix is
    /// none or means something else here, or the namespace holds what no address holds.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (prefix, namespace) = text.split_once('=')?;
        let mut octets = prefix.bytes();
        let is_prefix = octets.next().is_some_and(|b| b.is_ascii_alphabetic())
            && octets.all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && !prefix.to_ascii_lowercase().starts_with("xml")
            && prefix != NICKNAME_PREFIX;
        let is_namespace = namespace.contains(':')
            && namespace.bytes().all(|b| b.is_ascii_graphic())
            && !namespace.contains(['"', '\'', '<', '>', '&']);
        (is_prefix && is_namespace).then(|| Self {
            prefix: prefix.to_owned(),
            namespace: namespace.to_owned(),
        })
    }
}

/// What a document tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Content<'a> {
    /// Everything.
    Full(Description<'a>, Users<'a>),
    /// What changed since the document before.
    Partial(Users<'a>),
    /// The conference is over.
    Deleted,
}

/// What does not change while a conference runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Description<'a> {
    /// Its name.
    pub(crate) display_text: Option<&'a str>,
    /// Its subject.
    pub(crate) subject: Option<&'a str>,
    /// Most users at once.
    pub(crate) users_max: Option<usize>,
}

/// Users, and how many take part.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Users<'a> {
    /// How many take part, whoever is listed here.
    pub(crate) users_count: usize,
    /// Those that the document lists.
    pub(crate) users: Vec<User<'a>>,
}

/// One user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct User<'a> {
    /// The address shown to others.
    pub(crate) entity: &'a str,
    /// The name that belongs to the address.
    pub(crate) display_text: Option<&'a str>,
    /// The nickname that it chose.
    pub(crate) nickname: Option<&'a str>,
    /// Whether it takes part; else it has left.
    pub(crate) is_connected: bool,
    /// Whether it is the subscriber itself.
    pub(crate) is_own: bool,
}

impl ConferenceInfo<'_> {
    /// The document.
    pub(crate) fn write(&self) -> String {
        let state = match self.content {
            Content::Full(..) => "full",
            Content::Partial(_) => "partial",
            Content::Deleted => "deleted",
        };
        let mut xml = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n\
             <conference-info xmlns=\"{NAMESPACE}\"{} entity=\"{}\" state=\"{state}\" version=\"{}\">\r\n",
            self.namespaces(),
            clean(self.entity),
            self.version
        );
        match &self.content {
            Content::Full(description, users) => {
                description.write(&mut xml);
                users.write(state, self.own_mark, &mut xml);
            }
            Content::Partial(users) => users.write(state, self.own_mark, &mut xml),
            Content::Deleted => {}
        }
        xml.push_str("</conference-info>\r\n");
        xml
    }
}

impl ConferenceInfo<'_> {
    /// The further namespaces that the document needs.
    fn namespaces(&self) -> String {
        let users = match &self.content {
            Content::Full(_, users) | Content::Partial(users) => users.users.as_slice(),
            Content::Deleted => &[],
        };
        let mut xml = String::new();
        if users.iter().any(|user| user.nickname.is_some()) {
            xml.push_str(&format!(
                " xmlns:{NICKNAME_PREFIX}=\"{NICKNAME_NAMESPACE}\""
            ));
        }
        if let Some(mark) = self.own_mark
            && users.iter().any(|user| user.is_own)
        {
            xml.push_str(&format!(" xmlns:{}=\"{}\"", mark.prefix, mark.namespace));
        }
        xml
    }
}

impl Description<'_> {
    fn write(&self, xml: &mut String) {
        xml.push_str("<conference-description>");
        element("display-text", self.display_text, xml);
        element("subject", self.subject, xml);
        let users_max = self.users_max.map(|most| most.to_string());
        element("maximum-user-count", users_max.as_deref(), xml);
        xml.push_str("</conference-description>\r\n");
    }
}

impl Users<'_> {
    fn write(&self, state: &str, own_mark: Option<&OwnMark>, xml: &mut String) {
        xml.push_str("<conference-state>");
        element("user-count", Some(&self.users_count.to_string()), xml);
        xml.push_str("</conference-state>\r\n");
        xml.push_str(&format!("<users state=\"{state}\">\r\n"));
        for user in &self.users {
            user.write(own_mark, xml);
        }
        xml.push_str("</users>\r\n");
    }
}

impl User<'_> {
    fn write(&self, own_mark: Option<&OwnMark>, xml: &mut String) {
        let entity = clean(self.entity);
        let own = match (self.is_own, own_mark) {
            (true, Some(mark)) => format!(" {}:yourown=\"true\"", mark.prefix),
            (true, None) => " yourown=\"true\"".to_owned(),
            (false, _) => String::new(),
        };
        let nickname = self.nickname.map_or_else(String::new, |nickname| {
            format!(" {NICKNAME_PREFIX}:nickname=\"{}\"", clean(nickname))
        });
        let status = if self.is_connected {
            "connected"
        } else {
            "disconnected"
        };
        xml.push_str(&format!(
            "<user entity=\"{entity}\" state=\"full\"{own}{nickname}>"
        ));
        element("display-text", self.display_text, xml);
        // A Contact would show the device of a hidden user: the endpoint has the user's address.
        xml.push_str(&format!(
            "<endpoint entity=\"{entity}\" state=\"full\"><status>{status}</status></endpoint></user>\r\n"
        ));
    }
}

fn element(name: &str, text: Option<&str>, xml: &mut String) {
    if let Some(text) = text {
        xml.push_str(&format!("<{name}>{}</{name}>", clean(text)));
    }
}

/// Escapes a text, and leaves out the characters that XML does not know.
fn clean(text: &str) -> String {
    let is_known = |c: &char| !c.is_control() && !matches!(c, '\u{fffe}' | '\u{ffff}');
    escape(text.chars().filter(is_known).collect::<String>()).into_owned()
}

const NAMESPACE: &str = "urn:ietf:params:xml:ns:conference-info";

/// Where the nickname of a user is an attribute.
///
/// # Spec
/// RFC 7701 s.9.6.
const NICKNAME_NAMESPACE: &str = "urn:ietf:params:xml:ns:xcon-conference-info";
const NICKNAME_PREFIX: &str = "xcon";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::Element;

    fn users<'a>(name: Option<&'a str>, entity: &'a str) -> Users<'a> {
        let user = User {
            entity,
            display_text: name,
            nickname: name,
            is_connected: true,
            is_own: true,
        };
        Users {
            users_count: 1,
            users: vec![user],
        }
    }

    fn child<'a>(of: &'a Element, name: &str) -> &'a Element {
        of.child(NAMESPACE, name).unwrap()
    }

    // covers: CONF-M.1-01, CONF-M.1-02
    #[test]
    fn document_holds_any_text_in_its_place() {
        let name = "</user>\u{0}\u{b}\"<&'>\u{ffff} \u{1f600}";
        let entity = "sip:a&b\"<@example.com";
        let description = Description {
            display_text: Some(name),
            subject: Some("]]>"),
            users_max: Some(3),
        };
        let info = ConferenceInfo {
            entity,
            version: 7,
            own_mark: None,
            content: Content::Full(description, users(Some(name), entity)),
        };
        let root = Element::parse(&info.write()).unwrap();
        assert!(root.is(NAMESPACE, "conference-info"));
        assert_eq!(root.attribute("entity"), Some(entity));
        assert_eq!(root.attribute("version"), Some("7"));
        let names: Vec<_> = root.children.iter().map(|c| c.name.as_str()).collect();
        assert_eq!(
            names,
            ["conference-description", "conference-state", "users"]
        );
        let about = child(&root, "conference-description");
        assert_eq!(child(about, "display-text").text, "</user>\"<&'> \u{1f600}");
        assert_eq!(child(about, "subject").text, "]]>");
        let user = child(child(&root, "users"), "user");
        assert_eq!(user.attribute("yourown"), Some("true"));
        assert_eq!(user.attribute("entity"), Some(entity));
        assert_eq!(child(child(user, "endpoint"), "status").text, "connected");
        assert_eq!(user.attribute("nickname"), Some("</user>\"<&'> \u{1f600}"));
        let text = info.write();
        let namespace = " xmlns:xcon=\"urn:ietf:params:xml:ns:xcon-conference-info\"";
        assert!(text.contains(namespace) && text.contains(" xcon:nickname="));
        assert_eq!(text.matches("yourown").count(), 1);
    }

    #[test]
    fn own_entry_is_marked_under_the_prefix_that_is_set() {
        let mark = OwnMark::parse("oma=urn:oma:xml:conference").unwrap();
        let info = ConferenceInfo {
            entity: "sip:c@h",
            version: 1,
            own_mark: Some(&mark),
            content: Content::Partial(users(None, "sip:a@h")),
        };
        let text = info.write();
        assert!(
            text.contains(" xmlns:oma=\"urn:oma:xml:conference\""),
            "{text}"
        );
        assert!(
            text.contains("state=\"full\" oma:yourown=\"true\">"),
            "{text}"
        );
        Element::parse(&text).unwrap();
        for wrong in [
            "",
            "oma",
            "=urn:a",
            "1a=urn:a",
            "xmlns=urn:a",
            "xcon=urn:a",
            "a b=urn:a",
            "a=urn a:b",
            "a=urn:\"",
            "a=x",
        ] {
            assert_eq!(OwnMark::parse(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn document_of_a_conference_that_is_over_is_empty() {
        let info = ConferenceInfo {
            entity: "sip:c@h",
            version: 2,
            own_mark: None,
            content: Content::Deleted,
        };
        let root = Element::parse(&info.write()).unwrap();
        assert_eq!(root.attribute("state"), Some("deleted"));
        assert!(root.children.is_empty());
    }

    proptest::proptest! {
        #[test]
        fn document_with_any_text_is_read_back(name in ".{0,20}", entity in ".{0,20}") {
            let content = Content::Partial(users(Some(&name), &entity));
            let info = ConferenceInfo { entity: &entity, version: 1, own_mark: None, content };
            let root = Element::parse(&info.write()).unwrap();
            let user = child(child(&root, "users"), "user");
            let kept: String = name.chars().filter(|c| !c.is_control() && !matches!(c, '\u{fffe}' | '\u{ffff}')).collect();
            proptest::prop_assert_eq!(&child(user, "display-text").text, &kept);
        }
    }
}
