//! XML documents from outside: lists of a request, groups, and what a conference tells.

use std::collections::BTreeSet;

use msrp_sip::conference_view::{Change, ConferenceView};
use msrp_sip::groups::parse_document;
use msrp_sip::limits::{CONFERENCE_USERS_MAX, GROUP_MEMBERS_MAX, RESOURCE_LIST_ENTRIES_MAX};
use msrp_sip::resource_lists;

/// What is worth inserting into a list.
pub(crate) const LIST_WORDS: &[&str] = &[
    "<resource-lists xmlns=\"urn:ietf:params:xml:ns:resource-lists\">",
    "</resource-lists>",
    "<list>",
    "</list>",
    "<entry uri=\"sip:a@b\"/>",
    "<entry uri=\"sip:a@b\" cp:copyControl=\"to\" xmlns:cp=\"urn:ietf:params:xml:ns:copycontrol\"/>",
    "<display-name>a</display-name>",
    "<external anchor=\"http://a\"/>",
    "<entry-ref ref=\"a\"/>",
    "<!DOCTYPE a [<!ENTITY b \"c\">]>",
    "<![CDATA[",
    "]]>",
    "<!--",
    "-->",
    "&amp;",
    "&#x41;",
    "&b;",
    "<?xml version=\"1.0\"?>",
];

/// What is worth inserting into a group.
pub(crate) const GROUP_WORDS: &[&str] = &[
    "<list-service uri=\"sip:g@x\">",
    "</list-service>",
    "<list>",
    "</list>",
    "<entry uri=\"sip:a@b\"/>",
    "<display-name>a</display-name>",
    "<invite-members>true</invite-members>",
    "<max-participant-count>7</max-participant-count>",
    "<cp:ruleset>",
    "</cp:ruleset>",
    "<cp:rule id=\"a\">",
    "</cp:rule>",
    "<cp:conditions/>",
    "<cp:actions><allow-join>true</allow-join></cp:actions>",
    "<is-list-member/>",
    "<!DOCTYPE a>",
    "&lt;",
    "18446744073709551616",
    "-1",
];

/// What is worth inserting into a document of a conference.
pub(crate) const CONFERENCE_WORDS: &[&str] = &[
    "\0",
    "version=\"1\"",
    "version=\"4294967295\"",
    "state=\"full\"",
    "state=\"partial\"",
    "state=\"deleted\"",
    "<user entity=\"sip:a@b\">",
    "</user>",
    "<users>",
    "</users>",
    "<display-text>a</display-text>",
    "<endpoint><status>connected</status></endpoint>",
    "<endpoint><status>disconnected</status></endpoint>",
    "nickname=\"b\"",
    "yourown=\"true\"",
];

/// The input is a list of addresses: at most so many, and each is an address by itself.
pub fn resource_list(input: &[u8]) {
    let Ok(entries) = resource_lists::parse(input) else {
        return;
    };
    assert!(entries.len() <= RESOURCE_LIST_ENTRIES_MAX);
    for entry in entries {
        crate::address(entry.uri.as_str().as_bytes());
        if let Some(replaces) = entry.replaces {
            assert!(!replaces.to_string().contains(['\r', '\n']));
        }
    }
}

/// The input is a group document: its groups have usable addresses and bounded members.
pub fn group_document(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let lines = text.lines().count().max(1);
    match parse_document(text) {
        Ok(groups) => {
            assert!(!groups.is_empty());
            for group in groups {
                crate::address(group.uri.as_str().as_bytes());
                assert!(group.members.len() <= GROUP_MEMBERS_MAX);
            }
        }
        Err(error) => {
            assert!((1..=lines + 1).contains(&error.line), "{error}");
            assert!(!error.what.is_empty());
        }
    }
}

/// The input is documents of a conference with zero octets between them. What is told as a change must be one: nobody
/// leaves who was not there, nobody comes twice.
pub fn conference_info(input: &[u8]) {
    let mut view = ConferenceView::default();
    let mut there = BTreeSet::new();
    for document in input.split(|octet| *octet == 0) {
        let Ok(document) = std::str::from_utf8(document) else {
            continue;
        };
        let before = view.clone();
        match view.apply(document) {
            Ok(news) => {
                for presence in news {
                    match presence.change {
                        Change::Present | Change::Joined => {
                            assert!(there.insert(presence.entity), "came twice");
                        }
                        Change::Left => assert!(there.remove(&presence.entity), "was not there"),
                        Change::Renamed => assert!(there.contains(&presence.entity)),
                    }
                }
            }
            Err(_) => assert_eq!(view, before, "a broken document changes nothing"),
        }
        assert!(there.len() <= CONFERENCE_USERS_MAX);
    }
}
