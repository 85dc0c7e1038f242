//! One pre-defined group.

use crate::address::Uri;
use crate::groups::rules::{Caller, Condition, Rights, Rule};

/// A pre-defined group as its document describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The group identity.
    pub uri: Uri,
    /// Its name.
    pub display_name: Option<String>,
    /// The Subject of its invitations.
    pub subject: Option<String>,
    /// Its members in the order of the document.
    pub members: Vec<Member>,
    /// Whether the members are invited when a session starts.
    pub invite_members: bool,
    /// Most participants at once, the originator included. `None` means no limit.
    pub participants_max: Option<u32>,
    /// Who may do what. `None`: members may do everything except expel, others nothing.
    pub rules: Option<Vec<Rule>>,
    /// Whether the group may be used for message sessions.
    pub supports_im: bool,
    /// Whether the group may be used for single messages.
    pub supports_pager: bool,
    /// Whether the session ends when its originator leaves. `None` leaves it to the operator.
    pub auto_release: Option<bool>,
    /// How long a session may run.
    pub active_policy: ActivePolicy,
    /// Whether only users of certain ages may join. Ages are not known here, so nobody may.
    pub is_age_restricted: bool,
}

/// One member of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The address.
    pub uri: Uri,
    /// The name that the group gives this member.
    pub display_name: Option<String>,
}

/// The conditions under which a session goes on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ActivePolicy {
    /// Longest session, in seconds.
    pub duration_s_max: Option<u64>,
    /// The session ends when fewer participants are left, once there were that many.
    pub participants_min: Option<u32>,
    /// The document demands a condition that is not known here: no session may start.
    pub has_unknown_condition: bool,
}

impl Group {
    /// A group of nobody, without rules, limits and names, that does not invite.
    #[must_use]
    pub fn new(uri: Uri) -> Self {
        Self {
            uri,
            display_name: None,
            subject: None,
            members: Vec::new(),
            invite_members: false,
            participants_max: None,
            rules: None,
            supports_im: true,
            supports_pager: true,
            auto_release: None,
            active_policy: ActivePolicy::default(),
            is_age_restricted: false,
        }
    }

    /// A group that everybody may start and join under the real name.
    #[must_use]
    pub fn open_to_all(uri: Uri) -> Self {
        let rights = Rights {
            initiate: true,
            join: true,
            conference_state: true,
            private_messages: true,
            ..Rights::default()
        };
        Self {
            rules: Some(vec![Rule {
                conditions: Vec::new(),
                rights,
            }]),
            ..Self::new(uri)
        }
    }

    /// Gives the group a name.
    #[must_use]
    pub fn with_display_name(mut self, name: impl Into<String>) -> Self {
        self.display_name = Some(name.into());
        self
    }

    /// Adds a member.
    #[must_use]
    pub fn with_member(mut self, uri: Uri, display_name: Option<&str>) -> Self {
        self.members.push(Member {
            uri,
            display_name: display_name.map(str::to_owned),
        });
        self
    }

    /// The first member entry that names one of these addresses.
    #[must_use]
    pub fn member(&self, addresses: &[Uri]) -> Option<&Member> {
        self.members
            .iter()
            .find(|member| addresses.iter().any(|a| a.is_same(&member.uri)))
    }

    /// What a caller may do: the permissions of all rules that match, joined.
    ///
    /// # Spec
    /// AMB-44.
    #[must_use]
    pub fn rights(&self, caller: &Caller<'_>) -> Rights {
        let is_member = self.member(caller.addresses).is_some();
        let Some(rules) = &self.rules else {
            return if is_member {
                Rights::of_member()
            } else {
                Rights::default()
            };
        };
        let mut rights = Rights::default();
        let mut has_matched = false;
        for rule in rules
            .iter()
            .filter(|r| !r.conditions.contains(&Condition::OtherIdentity))
        {
            if rule.matches(caller, is_member, false) {
                has_matched = true;
                rights = rights.union(rule.rights);
            }
        }
        for rule in rules
            .iter()
            .filter(|r| r.conditions.contains(&Condition::OtherIdentity))
        {
            if rule.matches(caller, is_member, !has_matched) {
                rights = rights.union(rule.rights);
            }
        }
        rights
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::groups::Identity;

    fn uri(text: &str) -> Uri {
        Uri::parse(text).unwrap()
    }

    fn caller(addresses: &[Uri]) -> Caller<'_> {
        Caller {
            addresses,
            is_anonymous: false,
        }
    }

    fn rule(conditions: Vec<Condition>, rights: Rights) -> Rule {
        Rule { conditions, rights }
    }

    #[test]
    fn rights_without_ruleset_are_those_of_members() {
        let group = Group::new(uri("sip:g@h")).with_member(uri("sip:a@h"), None);
        let member = group.rights(&caller(&[uri("tel:+1"), uri("sip:a@h;x=y")]));
        assert!(member.initiate && member.join && member.anonymity && !member.expel);
        assert_eq!(group.rights(&caller(&[uri("sip:b@h")])), Rights::default());
    }

    // covers: CTRL-7.2.2.9-04
    #[test]
    fn rights_of_all_matching_rules_are_joined() {
        let join = Rights {
            join: true,
            ..Rights::default()
        };
        let initiate = Rights {
            initiate: true,
            ..Rights::default()
        };
        let other = Rights {
            conference_state: true,
            ..Rights::default()
        };
        let mut group = Group::new(uri("sip:g@h")).with_member(uri("sip:a@h"), None);
        let domain = Identity::Many {
            domain: Some("h".into()),
            except_domains: vec![],
            except: vec!["sip:x@h".into()],
        };
        group.rules = Some(vec![
            rule(vec![Condition::ListMember], join),
            rule(vec![Condition::Identity(vec![domain])], initiate),
            rule(vec![Condition::OtherIdentity], other),
            rule(vec![Condition::Unknown], Rights::of_member()),
        ]);
        assert_eq!(
            group.rights(&caller(&[uri("sip:a@h")])),
            join.union(initiate)
        );
        assert_eq!(group.rights(&caller(&[uri("sip:b@h")])), initiate);
        assert_eq!(group.rights(&caller(&[uri("sip:x@h")])), other);
        assert_eq!(group.rights(&caller(&[uri("sip:a@elsewhere")])), other);
    }

    #[test]
    fn anonymous_condition_needs_an_anonymous_request() {
        let mut group = Group::new(uri("sip:g@h"));
        group.rules = Some(vec![rule(
            vec![Condition::AnonymousRequest],
            Rights::of_member(),
        )]);
        let addresses = [uri("sip:a@h")];
        assert_eq!(group.rights(&caller(&addresses)), Rights::default());
        assert!(
            group
                .rights(&Caller {
                    addresses: &addresses,
                    is_anonymous: true
                })
                .join
        );
    }
}
