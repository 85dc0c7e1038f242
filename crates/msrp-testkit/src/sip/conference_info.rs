//! Conference documents, and the view of a subscriber that follows them.

use std::collections::BTreeMap;

use super::xml::Element;

const NAMESPACE: &str = "urn:ietf:params:xml:ns:conference-info";

/// One document of the conference event package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConferenceInfo {
    /// The address of the conference.
    pub entity: String,
    /// `full`, `partial` or `deleted`.
    pub state: String,
    /// The version.
    pub version: u32,
    /// The number of users, when it is told.
    pub user_count: Option<usize>,
    /// The users in their order.
    pub users: Vec<ConferenceUser>,
}

/// One user of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConferenceUser {
    /// The address.
    pub entity: String,
    /// The name.
    pub display_text: Option<String>,
    /// The nickname.
    pub nickname: Option<String>,
    /// The status of its endpoint, such as `connected`.
    pub status: String,
    /// Whether it is the subscriber.
    pub yourown: bool,
}

/// What a subscriber knows after a row of documents.
///
/// # Spec
/// RFC 4575 s.4.6.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConferenceView {
    /// The version of the last document.
    pub version: Option<u32>,
    /// Who takes part, by address, with the name.
    pub users: BTreeMap<String, Option<String>>,
    /// The own addresses.
    pub own: Vec<String>,
}

impl ConferenceInfo {
    /// Reads a document and checks its structure against the schema of RFC 4575.
    ///
    /// # Errors
    /// The broken rule.
    pub fn parse(text: &str) -> Result<Self, String> {
        let root = Element::parse(text)?;
        check(&root)?;
        let required = |name: &str| {
            let value = root.attribute(name).map(str::to_owned);
            value.ok_or(format!("no {name}"))
        };
        let state = root.attribute("state").unwrap_or("full").to_owned();
        let users = root.child("users");
        let is_complete = root.child("conference-description").is_some() && users.is_some();
        if state == "full" && !is_complete {
            return Err("a full document without its parts".into());
        }
        let count = root
            .child("conference-state")
            .and_then(|c| c.child("user-count"));
        let info = Self {
            entity: required("entity")?,
            version: required("version")?.parse().map_err(|_| "version")?,
            user_count: count.and_then(|count| count.text.parse().ok()),
            users: users.map_or(Ok(Vec::new()), |users| {
                users.children.iter().map(read_user).collect()
            })?,
            state,
        };
        let own = info.users.iter().filter(|user| user.yourown).count();
        if text.matches("yourown").count() == own {
            Ok(info)
        } else {
            Err("yourown where it does not belong".into())
        }
    }

    /// Addresses with their status.
    pub fn roster(&self) -> Vec<(&str, &str)> {
        let users = self.users.iter();
        users
            .map(|user| (user.entity.as_str(), user.status.as_str()))
            .collect()
    }
}

impl ConferenceView {
    /// Takes the next document.
    ///
    /// # Panics
    /// When a partial document does not follow the one before.
    pub fn apply(&mut self, info: &ConferenceInfo) {
        assert!(
            self.version.is_none_or(|version| info.version > version),
            "{info:?} after {self:?}"
        );
        if info.state == "partial" {
            let expected = self.version.map(|version| version + 1);
            assert_eq!(Some(info.version), expected, "{info:?} after {self:?}");
        } else {
            self.users.clear();
            self.own.clear();
        }
        self.version = Some(info.version);
        for user in &info.users {
            self.own.retain(|own| *own != user.entity);
            self.users.remove(&user.entity);
            if user.status == "connected" {
                let name = user.display_text.clone();
                self.users.insert(user.entity.clone(), name);
                self.own.extend(user.yourown.then(|| user.entity.clone()));
            }
        }
        if let Some(count) = info.user_count {
            assert_eq!(self.users.len(), count, "user-count of {info:?}");
        }
    }

    /// The addresses of those who take part.
    pub fn entities(&self) -> Vec<&str> {
        self.users.keys().map(String::as_str).collect()
    }
}

/// The elements that may be inside one, in their order; `*` may stand more than once.
fn inside(name: &str) -> &'static [&'static str] {
    match name {
        "conference-info" => &[
            "conference-description",
            "host-info",
            "conference-state",
            "users",
            "sidebars-by-ref",
            "sidebars-by-val",
        ],
        "conference-description" => &[
            "display-text",
            "subject",
            "free-text",
            "keywords",
            "conf-uris",
            "service-uris",
            "maximum-user-count",
            "available-media",
        ],
        "conference-state" => &["user-count", "active", "locked"],
        "users" => &["user*"],
        "user" => &[
            "display-text",
            "associated-aors",
            "roles",
            "languages",
            "cascaded-focus",
            "endpoint*",
        ],
        "endpoint" => &[
            "display-text",
            "referred",
            "status",
            "joining-method",
            "joining-info",
            "disconnection-method",
            "disconnection-info",
            "media*",
            "call-info",
        ],
        _ => &[],
    }
}

fn check(element: &Element) -> Result<(), String> {
    let (name, order) = (&element.name, inside(&element.name));
    if element.namespace != NAMESPACE {
        return Err(format!("{name} in the namespace {:?}", element.namespace));
    }
    for (field, value) in &element.attributes {
        let is_legal = match (name.as_str(), field.as_str()) {
            ("conference-info" | "users" | "user" | "endpoint", "state") => {
                ["full", "partial", "deleted"].contains(&value.as_str())
            }
            ("conference-info" | "user" | "endpoint", "entity") => value.contains(':'),
            ("conference-info", "version") => value.parse::<u32>().is_ok(),
            ("user", "xcon:nickname") => !value.is_empty(),
            ("user", field) => field.rsplit(':').next() == Some("yourown") && value == "true",
            _ => false,
        };
        if !is_legal {
            return Err(format!("{field}={value:?} in {name}"));
        }
    }
    let mut at = 0;
    for child in &element.children {
        let is_it = |known: &&str| known.trim_end_matches('*') == child.name;
        let found = order[at..].iter().position(is_it);
        at += found.ok_or(format!("{} in {name}, or out of order", child.name))?;
        if !order[at].ends_with('*') {
            at += 1;
        }
        check(child)?;
    }
    let has_text = !element.text.trim().is_empty();
    if has_text && !order.is_empty() {
        return Err(format!("text in {name}"));
    }
    Ok(())
}

fn read_user(user: &Element) -> Result<ConferenceUser, String> {
    let endpoints = user.children.iter().filter(|c| c.name == "endpoint");
    let [endpoint] = endpoints.collect::<Vec<_>>()[..] else {
        return Err("a user without exactly one endpoint".into());
    };
    endpoint
        .attribute("entity")
        .ok_or("an endpoint without entity")?;
    let status = endpoint
        .child("status")
        .ok_or("an endpoint without status")?;
    Ok(ConferenceUser {
        entity: user
            .attribute("entity")
            .ok_or("a user without entity")?
            .into(),
        display_text: user.child("display-text").map(|text| text.text.clone()),
        nickname: user.attribute("xcon:nickname").map(str::to_owned),
        status: status.text.clone(),
        yourown: user
            .attributes
            .iter()
            .any(|(name, _)| name.ends_with("yourown")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(state: &str, version: u32, inner: &str) -> String {
        format!(
            "<conference-info xmlns=\"{NAMESPACE}\" entity=\"sip:c@h\" state=\"{state}\" version=\"{version}\">{inner}</conference-info>"
        )
    }

    fn user(entity: &str, own: &str, status: &str) -> String {
        format!(
            "<user entity=\"{entity}\"{own}><endpoint entity=\"{entity}\"><status>{status}</status></endpoint></user>"
        )
    }

    #[test]
    fn conference_view_follows_its_documents() {
        let users =
            |users: &[String]| format!("<users state=\"partial\">{}</users>", users.concat());
        let full = format!(
            "<conference-description/><users>{}</users>",
            user("sip:a@h", " yourown=\"true\"", "connected")
        );
        let mut view = ConferenceView::default();
        view.apply(&ConferenceInfo::parse(&document("full", 1, &full)).unwrap());
        assert_eq!(
            (view.entities(), view.own.clone()),
            (vec!["sip:a@h"], vec!["sip:a@h".to_owned()])
        );
        let partial = users(&[
            user("sip:b@h", "", "connected"),
            user("sip:a@h", "", "disconnected"),
        ]);
        view.apply(&ConferenceInfo::parse(&document("partial", 2, &partial)).unwrap());
        assert_eq!((view.entities(), view.own.len()), (vec!["sip:b@h"], 0));
    }

    #[test]
    fn conference_document_that_breaks_the_schema_is_refused() {
        let connected = user("sip:a@h", "", "connected");
        let twice = format!("<users/><users>{connected}</users>");
        let turned = format!("<users>{connected}</users><conference-state/>");
        let own = connected.replace("<endpoint", "<endpoint yourown=\"true\"");
        for inner in [
            "<users/>".to_owned(),
            twice,
            turned,
            format!("<conference-description/><users>{own}</users>"),
            "<conference-description/><users><user entity=\"sip:a@h\"/></users>".to_owned(),
            "<conference-description/><users>text</users>".to_owned(),
            "<conference-description/><users><x/></users>".to_owned(),
        ] {
            assert!(
                ConferenceInfo::parse(&document("full", 1, &inner)).is_err(),
                "{inner}"
            );
        }
        assert!(ConferenceInfo::parse("<conference-info/>").is_err());
    }
}
