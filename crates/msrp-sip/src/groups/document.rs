//! Group documents: the list-service format of XDM.
//!
//! # Spec
//! `urn:oma:xml:poc:list-service`; AMB-41 to AMB-44.

use crate::address::Uri;
use crate::groups::group::{ActivePolicy, Group, Member};
use crate::groups::rules::{Condition, Identity, Rights, Rule};
use crate::limits::GROUP_MEMBERS_MAX;
use crate::resource_lists;
use crate::xml::{Element, XmlError};

/// Reads all groups of a document.
///
/// # Errors
/// [`XmlError`] with the line: the writer's fault. Nothing of the document is used then.
pub fn parse(text: &str) -> Result<Vec<Group>, XmlError> {
    let root = Element::parse(text)?;
    if !root.is(LIST_SERVICE, "group") {
        return Err(root.error(format!(
            "the root element is not group in the namespace {LIST_SERVICE}"
        )));
    }
    let services: Vec<&Element> = root
        .children
        .iter()
        .filter(|c| c.is(LIST_SERVICE, "list-service"))
        .collect();
    if services.is_empty() {
        return Err(root.error("there is no list-service element"));
    }
    services.into_iter().map(read_group).collect()
}

fn read_group(element: &Element) -> Result<Group, XmlError> {
    let uri = element
        .attribute("uri")
        .ok_or_else(|| element.error("list-service has no uri"))?;
    let uri = Uri::parse(uri)
        .map_err(|e| element.error(format!("the uri of list-service cannot be used: {e}")))?;
    let mut group = Group::new(uri);
    for child in &element.children {
        match (child.namespace.as_str(), child.name.as_str()) {
            (LIST_SERVICE, "display-name") => group.display_name = read_text(child),
            (LIST_SERVICE, "list") => group.members = read_members(child)?,
            (LIST_SERVICE, "invite-members") => group.invite_members = read_bool(child)?,
            (LIST_SERVICE, "max-participant-count") => {
                group.participants_max = Some(read_number(child)?)
            }
            (COMMON_POLICY, "ruleset") => group.rules = Some(read_rules(child)?),
            (EXTENSIONS, "supported-services") => {
                group.supports_im = supports(child, "message-session");
                group.supports_pager = supports(child, "pager-mode-message");
            }
            (EXTENSIONS, "subject") => group.subject = read_text(child),
            (EXTENSIONS, "session-active-policy") => {
                group.active_policy = read_active_policy(child)?
            }
            (EXTENSIONS, "age-restrictions") => group.is_age_restricted = must_understand(child),
            (_, "auto-release") => group.auto_release = Some(read_bool(child)?),
            _ => {}
        }
    }
    Ok(group)
}

fn read_members(list: &Element) -> Result<Vec<Member>, XmlError> {
    let mut members: Vec<Member> = Vec::new();
    for child in &list.children {
        match child.name.as_str() {
            "entry" if members.len() >= GROUP_MEMBERS_MAX => {
                return Err(child.error("the group has too many members"));
            }
            "entry" => {
                let uri = child
                    .attribute("uri")
                    .ok_or_else(|| child.error("entry has no uri"))?;
                let uri = Uri::parse_lenient(uri)
                    .map_err(|e| child.error(format!("the uri of entry cannot be used: {e}")))?;
                members.push(Member {
                    uri,
                    display_name: resource_lists::display_name(child),
                });
            }
            "external" => return Err(child.error("references to other lists are not followed")),
            _ => {}
        }
    }
    Ok(members)
}

fn read_rules(ruleset: &Element) -> Result<Vec<Rule>, XmlError> {
    ruleset
        .children
        .iter()
        .filter(|c| c.is(COMMON_POLICY, "rule"))
        .map(read_rule)
        .collect()
}

fn read_rule(rule: &Element) -> Result<Rule, XmlError> {
    let conditions = rule
        .child(COMMON_POLICY, "conditions")
        .map(|c| c.children.as_slice())
        .unwrap_or_default();
    let mut rights = Rights::default();
    for action in rule
        .child(COMMON_POLICY, "actions")
        .map(|a| a.children.as_slice())
        .unwrap_or_default()
    {
        let right = match (action.namespace.as_str(), action.name.as_str()) {
            (LIST_SERVICE, "allow-initiate-conference") => &mut rights.initiate,
            (LIST_SERVICE, "join-handling") => &mut rights.join,
            (LIST_SERVICE, "allow-conference-state") => &mut rights.conference_state,
            (LIST_SERVICE, "allow-invite-users-dynamically") => &mut rights.invite_dynamically,
            (LIST_SERVICE, "allow-anonymity") => &mut rights.anonymity,
            (EXTENSIONS, "allow-private-message") => &mut rights.private_messages,
            (EXTENSIONS, "allow-expelling") => &mut rights.expel,
            _ => continue,
        };
        *right = read_bool(action)?;
    }
    Ok(Rule {
        conditions: conditions.iter().map(read_condition).collect(),
        rights,
    })
}

fn read_condition(element: &Element) -> Condition {
    match (element.namespace.as_str(), element.name.as_str()) {
        (LIST_SERVICE, "is-list-member") => Condition::ListMember,
        (COMMON_POLICY, "identity") => {
            read_identities(element).map_or(Condition::Unknown, Condition::Identity)
        }
        (OMA_COMMON_POLICY, "other-identity") => Condition::OtherIdentity,
        (OMA_COMMON_POLICY, "anonymous-request") => Condition::AnonymousRequest,
        (EXTENSIONS, "media-list") => Condition::MessageSession(allows_message_session(element)),
        _ => Condition::Unknown,
    }
}

/// `None` when an exception cannot be read: a rule must not match more than its writer meant.
fn read_identities(element: &Element) -> Option<Vec<Identity>> {
    let mut identities = Vec::new();
    for child in &element.children {
        match (child.namespace.as_str(), child.name.as_str()) {
            (COMMON_POLICY, "one") => {
                identities.extend(read_key(child.attribute("id")).map(Identity::One))
            }
            (COMMON_POLICY, "many") => {
                let mut except_domains = Vec::new();
                let mut except = Vec::new();
                for exception in &child.children {
                    if !exception.is(COMMON_POLICY, "except") {
                        return None;
                    }
                    except_domains
                        .extend(exception.attribute("domain").map(str::to_ascii_lowercase));
                    if let Some(id) = exception.attribute("id") {
                        except.push(read_key(Some(id))?);
                    }
                }
                let domain = child.attribute("domain").map(str::to_ascii_lowercase);
                identities.push(Identity::Many {
                    domain,
                    except_domains,
                    except,
                });
            }
            _ => {}
        }
    }
    Some(identities)
}

fn read_key(id: Option<&str>) -> Option<String> {
    Uri::parse_lenient(id?).ok().map(|uri| uri.key())
}

/// # Spec
/// AMB-41.
fn read_active_policy(element: &Element) -> Result<ActivePolicy, XmlError> {
    let mut policy = ActivePolicy::default();
    for child in &element.children {
        match child.name.as_str() {
            "max-duration" => policy.duration_s_max = Some(read_number(child)?),
            "min-participant-count" => policy.participants_min = Some(read_number(child)?),
            _ => policy.has_unknown_condition |= must_understand(element),
        }
    }
    Ok(policy)
}

/// # Spec
/// AMB-43.
fn supports(element: &Element, media: &str) -> bool {
    if let Some(all) = element.child(EXTENSIONS, "all-services-except") {
        return !all.children.iter().any(is_im_service);
    }
    let services = element.children.iter().filter(|c| is_im_service(c));
    services.into_iter().any(|s| {
        s.child(EXTENSIONS, "group-media")
            .is_none_or(|list| allows_media(list, media))
    })
}

fn is_im_service(element: &Element) -> bool {
    const FEATURE_TAGS: [&str; 3] = ["+g.oma.sip-im", "+g.oma-sip-im", "+g.oma-im-sip"];
    const ENABLER: &str = "org.openmobilealliance:IM";
    let enabler = element
        .attribute("enabler")
        .map(str::trim)
        .unwrap_or_default();
    let is_enabler = enabler == "IM"
        || enabler
            .strip_prefix(ENABLER)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
    let is_tag = element
        .attribute("featuretag")
        .is_some_and(|tag| FEATURE_TAGS.contains(&tag.trim()));
    element.name == "service" && (is_enabler || is_tag)
}

fn allows_message_session(media_list: &Element) -> bool {
    allows_media(media_list, "message-session")
}

fn allows_media(media_list: &Element, media: &str) -> bool {
    match media_list.child(EXTENSIONS, "all-media-except") {
        Some(all) => all.child(EXTENSIONS, media).is_none(),
        None => media_list.child(EXTENSIONS, media).is_some(),
    }
}

fn must_understand(element: &Element) -> bool {
    element
        .attribute("must-understand")
        .is_some_and(|v| matches!(v.trim(), "true" | "1"))
}

fn read_text(element: &Element) -> Option<String> {
    let text: String = element
        .trimmed()
        .chars()
        .filter(|c| !c.is_control())
        .take(crate::limits::DISPLAY_NAME_CHARS_MAX)
        .collect();
    (!text.is_empty()).then_some(text)
}

fn read_bool(element: &Element) -> Result<bool, XmlError> {
    match element.trimmed() {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(element.error(format!("{} is neither true nor false", element.name))),
    }
}

fn read_number<T: std::str::FromStr>(element: &Element) -> Result<T, XmlError> {
    element
        .trimmed()
        .parse()
        .map_err(|_| element.error(format!("{} is not a number in range", element.name)))
}

const LIST_SERVICE: &str = "urn:oma:xml:poc:list-service";
const COMMON_POLICY: &str = "urn:ietf:params:xml:ns:common-policy";
const OMA_COMMON_POLICY: &str = "urn:oma:xml:xdm:common-policy";
const EXTENSIONS: &str = "urn:oma:xml:xdm:extensions";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::groups::Caller;

    const EXAMPLE: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<group xmlns="urn:oma:xml:poc:list-service" xmlns:rl="urn:ietf:params:xml:ns:resource-lists"
       xmlns:cp="urn:ietf:params:xml:ns:common-policy" xmlns:ocp="urn:oma:xml:xdm:common-policy"
       xmlns:oxe="urn:oma:xml:xdm:extensions">
  <list-service uri="sip:book-club@im.example.com">
    <display-name>Book club</display-name>
    <list>
      <entry uri="sip:alice@example.com"><rl:display-name>Alice A.</rl:display-name></entry>
      <entry uri="tel:+15550100"/>
    </list>
    <invite-members>true</invite-members>
    <max-participant-count>10</max-participant-count>
    <cp:ruleset>
      <cp:rule id="members">
        <cp:conditions><is-list-member/></cp:conditions>
        <cp:actions>
          <allow-initiate-conference>true</allow-initiate-conference>
          <join-handling>true</join-handling>
          <allow-anonymity>false</allow-anonymity>
          <oxe:allow-private-message>true</oxe:allow-private-message>
        </cp:actions>
      </cp:rule>
      <cp:rule id="guests">
        <cp:conditions><cp:identity><cp:many domain="Guests.example"><cp:except id="sip:x@guests.example"/></cp:many></cp:identity></cp:conditions>
        <cp:actions><join-handling>true</join-handling></cp:actions>
      </cp:rule>
    </cp:ruleset>
    <oxe:supported-services>
      <oxe:service enabler="org.openmobilealliance:IM"><oxe:group-media><oxe:message-session/></oxe:group-media></oxe:service>
    </oxe:supported-services>
    <oxe:session-active-policy oxe:must-understand="false">
      <oxe:max-duration>7200</oxe:max-duration>
      <oxe:min-participant-count>2</oxe:min-participant-count>
    </oxe:session-active-policy>
    <oxe:age-restrictions oxe:must-understand="true"><oxe:age from="18"/></oxe:age-restrictions>
    <oxe:subject>Monthly meeting</oxe:subject>
  </list-service>
</group>"#;

    fn uri(text: &str) -> Uri {
        Uri::parse(text).unwrap()
    }

    fn rights(group: &Group, text: &str) -> Rights {
        group.rights(&Caller {
            addresses: &[uri(text)],
            is_anonymous: false,
        })
    }

    #[test]
    fn document_example_is_read() {
        let group = parse(EXAMPLE).unwrap().remove(0);
        assert_eq!(group.uri.as_str(), "sip:book-club@im.example.com");
        assert_eq!(group.display_name.as_deref(), Some("Book club"));
        assert_eq!(group.subject.as_deref(), Some("Monthly meeting"));
        assert_eq!(group.members.len(), 2);
        assert_eq!(group.members[0].display_name.as_deref(), Some("Alice A."));
        assert!(group.invite_members && group.supports_im && group.is_age_restricted);
        assert_eq!(group.participants_max, Some(10));
        let policy = ActivePolicy {
            duration_s_max: Some(7200),
            participants_min: Some(2),
            has_unknown_condition: false,
        };
        assert_eq!(group.active_policy, policy);
        let alice = rights(&group, "sip:alice@example.com");
        assert!(
            alice.initiate
                && alice.join
                && alice.private_messages
                && !alice.anonymity
                && !alice.expel
        );
        let guest = rights(&group, "sip:y@guests.example");
        assert!(guest.join && !guest.initiate);
        assert_eq!(rights(&group, "sip:x@guests.example"), Rights::default());
    }

    #[test]
    fn document_faults_are_named_with_their_line() {
        let cases = [
            (
                EXAMPLE.replace(" uri=\"sip:book-club@im.example.com\"", ""),
                5,
                "no uri",
            ),
            (
                EXAMPLE.replace("sip:book-club@im", "book-club@im"),
                5,
                "neither sip",
            ),
            (
                EXAMPLE.replace("<invite-members>true", "<invite-members>yes"),
                11,
                "invite-members",
            ),
            (EXAMPLE.replace(">10<", ">-1<"), 12, "max-participant-count"),
            (
                EXAMPLE.replace(
                    "<entry uri=\"tel:+15550100\"/>",
                    "<external anchor='http://x'/>",
                ),
                9,
                "not followed",
            ),
            (
                EXAMPLE.replace("urn:oma:xml:poc:list-service\"", "urn:x\""),
                2,
                "root",
            ),
        ];
        for (text, line, part) in cases {
            let error = parse(&text).unwrap_err();
            assert!(error.line == line && error.what.contains(part), "{error}");
        }
    }

    #[test]
    fn supported_services_without_im_are_seen() {
        let service = "<oxe:service enabler=\"org.openmobilealliance:IM\">";
        let cases = [
            (
                EXAMPLE.replace(
                    service,
                    "<oxe:service enabler=\"org.openmobilealliance:PoC\">",
                ),
                false,
            ),
            (
                EXAMPLE.replace(service, "<oxe:service featuretag=\"+g.oma-sip-im\">"),
                true,
            ),
            (
                EXAMPLE.replace(
                    service,
                    "<oxe:service enabler=\"org.openmobilealliance:IM-1.0\">",
                ),
                true,
            ),
            (
                EXAMPLE.replace("<oxe:message-session/>", "<oxe:audio/>"),
                false,
            ),
            (
                EXAMPLE.replace(
                    "<oxe:message-session/>",
                    "<oxe:all-media-except><oxe:audio/></oxe:all-media-except>",
                ),
                true,
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(&text).unwrap()[0].supports_im, expected);
        }
    }

    // covers: PGR-8.3.1.1-03
    #[test]
    fn media_of_a_group_say_whether_it_takes_single_messages() {
        let service = "<oxe:service enabler=\"org.openmobilealliance:IM\">";
        for (text, expected) in [
            (EXAMPLE.to_owned(), false),
            (
                EXAMPLE.replace("<oxe:message-session/>", "<oxe:pager-mode-message/>"),
                true,
            ),
            (
                EXAMPLE.replace(
                    "<oxe:message-session/>",
                    "<oxe:all-media-except><oxe:message-session/></oxe:all-media-except>",
                ),
                true,
            ),
            (
                EXAMPLE.replace(
                    service,
                    "<oxe:service enabler=\"org.openmobilealliance:PoC\">",
                ),
                false,
            ),
        ] {
            assert_eq!(parse(&text).unwrap()[0].supports_pager, expected, "{text}");
        }
    }

    #[test]
    fn unknown_condition_never_matches() {
        let text = EXAMPLE.replace(
            "<cp:conditions><is-list-member/>",
            "<cp:conditions><is-list-member/><cp:sphere value='w'/>",
        );
        assert_eq!(
            rights(&parse(&text).unwrap()[0], "sip:alice@example.com"),
            Rights::default()
        );
        let text = EXAMPLE.replace(
            "<cp:except id=\"sip:x@guests.example\"/>",
            "<cp:except id=\"x\"/>",
        );
        assert_eq!(
            rights(&parse(&text).unwrap()[0], "sip:y@guests.example"),
            Rights::default()
        );
    }

    #[test]
    fn unknown_active_policy_that_must_be_understood_is_seen() {
        let text = EXAMPLE.replace(
            "<oxe:max-duration>7200</oxe:max-duration>",
            "<oxe:schedule/>",
        );
        assert!(!parse(&text).unwrap()[0].active_policy.has_unknown_condition);
        let text = text.replace("oxe:must-understand=\"false\"", "must-understand=\"true\"");
        assert!(parse(&text).unwrap()[0].active_policy.has_unknown_condition);
    }

    proptest::proptest! {
        #[test]
        fn document_mutated_example_never_panics(at in 0usize..4000, octet in 0x20u8..0x7f) {
            let mut text = EXAMPLE.as_bytes().to_vec();
            let length = text.len();
            text[at % length] = octet;
            let _ = parse(&String::from_utf8(text).unwrap());
        }
    }
}
