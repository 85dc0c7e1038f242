//! Rules of a group: conditions, and what they permit.
//!
//! # Spec
//! RFC 4745 s.7 and s.10; AMB-44.

use crate::address::Uri;

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub struct Caller<'a> {
    /// All asserted addresses.
    pub addresses: &'a [Uri],
    /// Whether the request asks for privacy.
    pub is_anonymous: bool,
}

/// What a user may do in a group. An absent action is forbidden.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rights {
    /// Start a session (`allow-initiate-conference`).
    pub initiate: bool,
    /// Join a session (`join-handling`).
    pub join: bool,
    /// See who takes part (`allow-conference-state`).
    pub conference_state: bool,
    /// Add users (`allow-invite-users-dynamically`).
    pub invite_dynamically: bool,
    /// Take part under an alias (`allow-anonymity`).
    pub anonymity: bool,
    /// Write to single participants (`allow-private-message`).
    pub private_messages: bool,
    /// Remove others (`allow-expelling`).
    pub expel: bool,
}

impl Rights {
    /// What members may do in a group without rules: everything except expel.
    #[must_use]
    pub fn of_member() -> Self {
        Self {
            initiate: true,
            join: true,
            conference_state: true,
            invite_dynamically: true,
            anonymity: true,
            private_messages: true,
            expel: false,
        }
    }

    /// What either permits.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self {
            initiate: self.initiate || other.initiate,
            join: self.join || other.join,
            conference_state: self.conference_state || other.conference_state,
            invite_dynamically: self.invite_dynamically || other.invite_dynamically,
            anonymity: self.anonymity || other.anonymity,
            private_messages: self.private_messages || other.private_messages,
            expel: self.expel || other.expel,
        }
    }
}

/// A rule: when all conditions hold, the rights are given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// All must hold; none holds always.
    pub conditions: Vec<Condition>,
    /// What the rule permits.
    pub rights: Rights,
}

impl Rule {
    /// Whether the rule applies. `is_other` says that no rule without [`Condition::OtherIdentity`]
    /// did.
    #[must_use]
    pub fn matches(&self, caller: &Caller<'_>, is_member: bool, is_other: bool) -> bool {
        self.conditions.iter().all(|condition| match condition {
            Condition::ListMember => is_member,
            Condition::Identity(identities) => {
                identities.iter().any(|i| i.matches(caller.addresses))
            }
            Condition::OtherIdentity => is_other,
            Condition::AnonymousRequest => caller.is_anonymous,
            Condition::MessageSession(allowed) => *allowed,
            Condition::Unknown => false,
        })
    }
}

/// A condition of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// The caller is a member of the group.
    ListMember,
    /// The caller is one of these.
    Identity(Vec<Identity>),
    /// No other rule applies.
    OtherIdentity,
    /// The request asks for privacy.
    AnonymousRequest,
    /// A media list; whether message sessions are in it.
    MessageSession(bool),
    /// A condition that is not known here: it never holds.
    Unknown,
}

/// An identity or a set of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// The user with this [`Uri::key`].
    One(String),
    /// Every authenticated user, or those of a domain, except some.
    Many {
        /// The domain in lower case; `None` means all.
        domain: Option<String>,
        /// Domains in lower case that are left out.
        except_domains: Vec<String>,
        /// Keys of users that are left out.
        except: Vec<String>,
    },
}

impl Identity {
    fn matches(&self, addresses: &[Uri]) -> bool {
        match self {
            Self::One(key) => addresses.iter().any(|a| a.key() == *key),
            Self::Many {
                domain,
                except_domains,
                except,
            } => {
                let is_excepted = addresses.iter().any(|a| {
                    except_domains.iter().any(|d| d == a.host()) || except.contains(&a.key())
                });
                !is_excepted
                    && domain
                        .as_ref()
                        .is_none_or(|d| addresses.iter().any(|a| a.host() == d))
            }
        }
    }
}
