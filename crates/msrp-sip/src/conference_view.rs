//! Who takes part in a conference, as a subscriber follows it.
//!
//! The other side of the focus's documents: for clients. Never asks for anything itself.
//!
//! # Spec
//! RFC 4575 s.4.6, s.5; RFC 7701 s.9.6.

use std::collections::BTreeMap;

use crate::limits::CONFERENCE_USERS_MAX;
use crate::xml::{Element, XmlError};

/// What a subscriber knows after a row of documents.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConferenceView {
    version: Option<u32>,
    /// The name of each user that takes part, by its address.
    users: BTreeMap<String, Option<String>>,
}

/// What one document changed for one user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presence {
    /// The address of the user.
    pub entity: String,
    /// The nickname of the user, else the name that belongs to the address.
    pub name: Option<String>,
    /// What happened.
    pub change: Change,
}

/// What happened to a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It takes part since before the first document.
    Present,
    /// It came.
    Joined,
    /// It left.
    Left,
    /// It has another name.
    Renamed,
}

impl ConferenceView {
    /// Takes the next document and tells what is new, the subscriber's own entry left out. An older
    /// document than the last changes nothing. O(users of the document), for a full one O(users).
    ///
    /// # Errors
    /// [`XmlError`]: the notifier's fault; nothing is changed.
    pub fn apply(&mut self, document: &str) -> Result<Vec<Presence>, XmlError> {
        let root = Element::parse(document)?;
        let version = root.attribute("version").and_then(|v| v.parse().ok());
        if !root.is(NAMESPACE, "conference-info") {
            return Err(root.error("expected a conference-info document"));
        }
        if version.is_some() && version <= self.version {
            return Ok(Vec::new());
        }
        let is_first = self.version.is_none();
        self.version = version.or(self.version).or(Some(0));
        let users = root.child(NAMESPACE, "users");
        let users = users.map_or(&[][..], |users| users.children.as_slice());
        let users: Vec<&Element> = users.iter().filter(|u| u.is(NAMESPACE, "user")).collect();
        let mut news = Vec::new();
        if root.attribute("state").is_none_or(|state| state == "full") {
            self.drop_missing(&users, &mut news);
        }
        for user in users {
            self.take_user(user, is_first, &mut news);
        }
        Ok(news)
    }

    /// A full document names everybody: who is missing has left.
    fn drop_missing(&mut self, users: &[&Element], news: &mut Vec<Presence>) {
        let named = users.iter().filter_map(|u| u.attribute("entity"));
        let named: std::collections::HashSet<&str> = named.collect();
        self.users.retain(|entity, name| {
            let is_named = named.contains(entity.as_str());
            if !is_named {
                news.push(Presence {
                    entity: entity.clone(),
                    name: name.clone(),
                    change: Change::Left,
                });
            }
            is_named
        });
    }

    fn take_user(&mut self, user: &Element, is_first: bool, news: &mut Vec<Presence>) {
        let Some(entity) = user.attribute("entity") else {
            return;
        };
        if user.attribute("yourown") == Some("true") {
            return;
        }
        let display = user
            .child(NAMESPACE, "display-text")
            .map(Element::trimmed)
            .filter(|name| !name.is_empty());
        let name = user.attribute("nickname").or(display).map(str::to_owned);
        let known = self.users.get(entity);
        let change = match (is_connected(user), known) {
            (true, Some(known)) if *known == name => return,
            (true, Some(_)) => Change::Renamed,
            (true, None) if self.users.len() >= CONFERENCE_USERS_MAX => return,
            (true, None) if is_first => Change::Present,
            (true, None) => Change::Joined,
            (false, Some(_)) => Change::Left,
            (false, None) => return,
        };
        let left = match change {
            Change::Left => self.users.remove(entity).flatten(),
            Change::Present | Change::Joined | Change::Renamed => {
                self.users.insert(entity.to_owned(), name.clone());
                None
            }
        };
        news.push(Presence {
            entity: entity.to_owned(),
            name: name.or(left),
            change,
        });
    }
}

/// Whether an endpoint of the user is connected; a user without endpoints takes part.
fn is_connected(user: &Element) -> bool {
    let mut endpoints = user
        .children
        .iter()
        .filter(|c| c.is(NAMESPACE, "endpoint"))
        .filter_map(|endpoint| endpoint.child(NAMESPACE, "status"))
        .peekable();
    let is_deleted = user.attribute("state") == Some("deleted");
    let is_silent = endpoints.peek().is_none();
    !is_deleted && (is_silent || endpoints.any(|status| status.trimmed() == "connected"))
}

const NAMESPACE: &str = "urn:ietf:params:xml:ns:conference-info";

#[cfg(test)]
mod tests {
    use super::*;

    fn document(state: &str, version: u32, users: &[(&str, &str, &str)]) -> String {
        let user = |(entity, more, status): &(&str, &str, &str)| {
            format!(
                "<user entity=\"{entity}\" {more}><display-text>N</display-text>\
                 <endpoint entity=\"e:1\"><status>{status}</status></endpoint></user>"
            )
        };
        let users: String = users.iter().map(user).collect();
        format!(
            "<conference-info xmlns=\"{NAMESPACE}\" xmlns:x=\"urn:x\" entity=\"sip:c@h\" state=\"{state}\" \
             version=\"{version}\"><users>{users}</users></conference-info>"
        )
    }

    fn news(view: &mut ConferenceView, document: &str) -> Vec<(String, String, Change)> {
        let news = view.apply(document).unwrap().into_iter();
        news.map(|p| (p.entity, p.name.unwrap_or_default(), p.change))
            .collect()
    }

    fn told(entity: &str, name: &str, change: Change) -> (String, String, Change) {
        (entity.to_owned(), name.to_owned(), change)
    }

    #[test]
    fn view_tells_who_is_there_comes_goes_and_is_renamed() {
        let mut view = ConferenceView::default();
        let own = ("sip:a@h", "yourown=\"true\"", "connected");
        let (here, gone) = ("connected", "disconnected");
        let first = document("full", 1, &[own, ("sip:b@h", "", here)]);
        assert_eq!(
            news(&mut view, &first),
            [told("sip:b@h", "N", Change::Present)]
        );
        let second = document("partial", 2, &[("sip:c@h", "", here)]);
        assert_eq!(
            news(&mut view, &second),
            [told("sip:c@h", "N", Change::Joined)]
        );
        assert_eq!(news(&mut view, &second), [], "an old one again");
        let named = ("sip:b@h", "x:nickname=\"Bee\"", here);
        let third = document("partial", 3, &[named, ("sip:c@h", "", gone)]);
        let expected = [
            told("sip:b@h", "Bee", Change::Renamed),
            told("sip:c@h", "N", Change::Left),
        ];
        assert_eq!(news(&mut view, &third), expected);
        let fourth = document("full", 4, &[own, ("sip:d@h", "", here)]);
        let expected = [
            told("sip:b@h", "Bee", Change::Left),
            told("sip:d@h", "N", Change::Joined),
        ];
        assert_eq!(news(&mut view, &fourth), expected);
    }

    #[test]
    fn view_is_not_changed_by_what_is_no_document() {
        let mut view = ConferenceView::default();
        for text in ["", "<a/>", "<conference-info/>"] {
            assert!(view.apply(text).is_err(), "{text:?}");
        }
        assert_eq!(view, ConferenceView::default());
    }
}
