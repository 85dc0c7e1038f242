//! The door: every INVITE that makes a dialog is checked here and led to its conference.
//!
//! The order of the checks is that of the specification, identity before all others.
//!
//! # Spec
//! CTRL-7.2.1.2, CTRL-7.2.1.3, CTRL-7.2.1.4, CTRL-7.2.1.5, CTRL-7.2.2.3, CTRL-7.2.2.9; AMB-11,
//! AMB-12.

use std::collections::HashSet;
use std::sync::Arc;

use msrp_control::RoomId;

use crate::address::{AddressError, Uri};
use crate::focus::Focus;
use crate::focus::admission::{
    Caller, Knock, check_extensions, check_replaces, read_invitees, read_offer,
};
use crate::focus::conference::{Conference, Delivered, Env, Kind};
use crate::focus::headers::wants_large;
use crate::focus::media::PeerDescription;
use crate::focus::refusal::Refusal;
use crate::focus::session_timer::Agreement;
use crate::groups::{Caller as GroupCaller, Group};
use crate::limits::CONFERENCES_MAX;
use crate::resource_lists::Entry;
use crate::ua::{DialogId, Headers, Peer, Request, TxnId};

impl Focus {
    /// The checks on an INVITE, in the order of the specification, identity first.
    pub(super) fn admit(
        &mut self,
        now: u64,
        transaction: TxnId,
        dialog: DialogId,
        request: &Request,
        peer: Peer,
    ) -> Result<(), Refusal> {
        let caller = Caller::read(&self.policy, &request.headers, peer)?;
        if self.is_draining {
            return Err(Refusal::Draining);
        }
        if self.pager.blocks(&caller.addresses) {
            return Err(Refusal::AccessBlocked);
        }
        check_extensions(&request.headers)?;
        check_replaces(&request.headers)?;
        let agreement = Agreement::answering(&request.headers, &self.policy)?;
        let target = Uri::parse(&request.uri).map_err(|error| match error {
            AddressError::Scheme => Refusal::UnknownScheme,
            _ => Refusal::UnknownAddress,
        })?;
        let knock = |offer| Knock {
            caller: caller.clone(),
            transaction,
            dialog,
            peer,
            agreement,
            headers: request.headers.clone(),
            offer,
        };
        if let Some(factory) = self
            .policy
            .conference_factory
            .iter()
            .find(|f| f.is_same(&target))
            .cloned()
        {
            let (offer, invitees, purpose) = self.check_adhoc(&caller, request)?;
            let kind = if invitees.len() == 1 {
                Kind::OneToOne(factory)
            } else {
                Kind::AdHoc(factory)
            };
            return self.start(now, (kind, purpose), knock(offer), invitees);
        }
        if wants_large(&request.headers)
            && let Some(group) = self.groups.group(&target).filter(|g| g.supports_pager)
        {
            return self.admit_large(now, group, &caller, request, knock);
        }
        if let Some(group) = self.groups.group(&target).filter(|g| g.supports_im) {
            return self.admit_to_group(now, group, &caller, request, knock);
        }
        let room = self.session_of(&target).ok_or(Refusal::UnknownAddress)?;
        self.admit_to_session(now, &room, &caller, request, knock)
    }

    /// # Spec
    /// CTRL-7.2.1.2.
    fn check_adhoc(
        &self,
        caller: &Caller,
        request: &Request,
    ) -> Result<(PeerDescription, Vec<Entry>, Option<Delivered>), Refusal> {
        if caller.is_anonymous && !self.policy.anonymity {
            return Err(Refusal::AnonymityForbidden);
        }
        let (offer, parts) = read_offer(request, &self.policy)?;
        let purpose = purpose_of(&request.headers, &offer)?;
        let invitees = read_invitees(&parts, caller)?;
        if invitees.len() > self.policy.adhoc_participants_max {
            return Err(Refusal::TooManyParticipants);
        }
        Ok((offer, invitees, purpose))
    }

    /// # Spec
    /// CTRL-7.2.1.3, CTRL-7.2.1.4, CTRL-7.2.2.3.
    fn admit_to_group(
        &mut self,
        now: u64,
        group: Arc<Group>,
        caller: &Caller,
        request: &Request,
        knock: impl FnOnce(PeerDescription) -> Knock,
    ) -> Result<(), Refusal> {
        let running = self.group_rooms.get(&group.uri.key()).cloned();
        let is_of_file = |(offer, _): (PeerDescription, _)| offer.talk().is_none();
        if read_offer(request, &self.policy).is_ok_and(is_of_file) {
            return self.admit_large(now, group, caller, request, knock);
        }
        self.check_group(&group, running.as_ref(), caller)?;
        let (offer, _) = read_offer(request, &self.policy)?;
        check_talk(&offer)?;
        if let Some(room) = running {
            self.with(now, &room, |c, env| c.join(knock(offer), env));
            return Ok(());
        }
        let invitees = if group.invite_members {
            members_to_invite(&group, caller)
        } else {
            Vec::new()
        };
        self.start(now, (Kind::Group(group), None), knock(offer), invitees)
    }

    /// A large message, or a file, for a group. It goes to all members, in a session of its own.
    ///
    /// # Spec
    /// LRG-9.3.1.1-03, LRG-9.3.2.1-03; AMB-43.
    fn admit_large(
        &mut self,
        now: u64,
        group: Arc<Group>,
        caller: &Caller,
        request: &Request,
        knock: impl FnOnce(PeerDescription) -> Knock,
    ) -> Result<(), Refusal> {
        self.check_group(&group, None, caller)?;
        let (offer, _) = read_offer(request, &self.policy)?;
        let purpose = purpose_of(&request.headers, &offer)?;
        let invitees = members_to_invite(&group, caller);
        if invitees.is_empty() {
            return Err(Refusal::NobodyToInvite);
        }
        self.start(now, (Kind::Group(group), purpose), knock(offer), invitees)
    }

    /// What the group says about this caller, before its body is looked at.
    fn check_group(
        &self,
        group: &Group,
        running: Option<&RoomId>,
        caller: &Caller,
    ) -> Result<(), Refusal> {
        if caller.is_focus {
            return Err(Refusal::CallerIsFocus(Some(group.uri.as_str().to_owned())));
        }
        let rights = group.rights(&GroupCaller {
            addresses: &caller.addresses,
            is_anonymous: caller.is_anonymous,
        });
        let may_start = rights.initiate && !group.active_policy.has_unknown_condition;
        if running.is_none() && !may_start {
            return Err(Refusal::InitiationForbidden);
        }
        if running.is_some() && !rights.join {
            return Err(Refusal::JoinForbidden);
        }
        if group.is_age_restricted {
            return Err(Refusal::AgeUnknown);
        }
        let occupancy = running
            .and_then(|room| self.conferences.get(room))
            .map_or(0, |c| c.occupancy(&caller.addresses));
        if occupancy >= participants_max(group) {
            return Err(Refusal::TooManyParticipants);
        }
        if caller.is_anonymous && !rights.anonymity {
            return Err(Refusal::AnonymityForbidden);
        }
        Ok(())
    }

    /// # Spec
    /// CTRL-7.2.1.5, CTRL-7.2.2.9; AMB-11, AMB-14.
    fn admit_to_session(
        &mut self,
        now: u64,
        room: &RoomId,
        caller: &Caller,
        request: &Request,
        knock: impl FnOnce(PeerDescription) -> Knock,
    ) -> Result<(), Refusal> {
        let conference = self
            .conferences
            .get(room)
            .filter(|c| c.is_open())
            .ok_or(Refusal::NoSession)?;
        if caller.is_focus {
            return Err(Refusal::CallerIsFocus(None));
        }
        // A message is for those whom its sender named.
        if conference.is_delivery() {
            return Err(Refusal::RejoinForbidden);
        }
        let (may_join, participants_max) = match conference.kind() {
            Kind::OneToOne(_) | Kind::AdHoc(_) => (
                conference.welcomes(&caller.addresses),
                self.policy.adhoc_participants_max.saturating_add(1),
            ),
            Kind::Group(group) if group.is_age_restricted => return Err(Refusal::AgeUnknown),
            Kind::Group(group) => {
                let caller = GroupCaller {
                    addresses: &caller.addresses,
                    is_anonymous: caller.is_anonymous,
                };
                (group.rights(&caller).join, participants_max(group))
            }
        };
        if !may_join {
            return Err(Refusal::RejoinForbidden);
        }
        if conference.occupancy(&caller.addresses) >= participants_max {
            return Err(Refusal::TooManyParticipants);
        }
        if caller.is_anonymous && !conference.allows_anonymity(&caller.addresses, &self.policy) {
            return Err(Refusal::AnonymityForbidden);
        }
        let (offer, _) = read_offer(request, &self.policy)?;
        check_talk(&offer)?;
        self.with(now, room, |c, env| c.join(knock(offer), env));
        Ok(())
    }

    /// Starts a conference under a fresh session identity.
    ///
    /// # Spec
    /// CTRL-7.2.1.2-07, CTRL-7.2.1.3-10.
    fn start(
        &mut self,
        now: u64,
        (kind, purpose): (Kind, Option<Delivered>),
        knock: Knock,
        invitees: Vec<Entry>,
    ) -> Result<(), Refusal> {
        if self.conferences.len() >= CONFERENCES_MAX {
            return Err(Refusal::Overloaded);
        }
        let name = format!("{SESSION_PREFIX}{}", self.desk.draw_name());
        let room = RoomId::new(&name).map_err(|_| Refusal::Overloaded)?;
        if let (Kind::Group(group), None) = (&kind, purpose) {
            self.group_rooms.insert(group.uri.key(), room.clone());
        }
        let mut env = Env {
            now,
            policy: &self.policy,
            desk: &mut self.desk,
        };
        let conference =
            Conference::start(room.clone(), (kind, purpose), knock, invitees, &mut env);
        self.conferences.insert(room.clone(), conference);
        self.note_state(&room);
        Ok(())
    }

    /// The session that an address names, running or not. `None` when it is no session identity of
    /// this node.
    pub(super) fn session_of(&self, target: &Uri) -> Option<RoomId> {
        let name = target.user().filter(|_| self.policy.owns(target))?;
        let digits = name.strip_prefix(SESSION_PREFIX)?;
        let is_drawn = digits.len() == 32 && digits.bytes().all(|b| b.is_ascii_hexdigit());
        if is_drawn {
            RoomId::new(name).ok()
        } else {
            None
        }
    }
}

/// What an INVITE is for, when it may be.
///
/// # Errors
/// [`Refusal::NotAcceptable`] -> 488 for a session without wrapper in which people would talk, and for
/// a large message that its sender does not offer to send.
fn purpose_of(headers: &Headers, offer: &PeerDescription) -> Result<Option<Delivered>, Refusal> {
    let purpose = Delivered::of(headers, offer);
    match purpose {
        None => check_talk(offer)?,
        Some(Delivered::Message) => {
            let sender = offer.talk().or_else(|| offer.files().next());
            if !sender.is_some_and(|(_, remote)| remote.media.direction.may_send()) {
                return Err(Refusal::NotAcceptable(
                    "A large message is offered with a=sendonly.".into(),
                ));
            }
        }
        Some(Delivered::File) => {}
    }
    Ok(purpose)
}

/// Checks that whoever offers can talk.
fn check_talk(offer: &PeerDescription) -> Result<(), Refusal> {
    match offer.talk() {
        Some((_, remote)) => remote.check_wrapper(),
        None => Err(Refusal::NotAcceptable(
            "The offer has no message media to talk in.".into(),
        )),
    }
}

/// Most participants of a group session at once.
pub(super) fn participants_max(group: &Group) -> usize {
    let most = group.participants_max;
    most.map_or(usize::MAX, |n| usize::try_from(n).unwrap_or(usize::MAX))
}

/// The members other than the caller, each once, in list order, as many as there is room for.
///
/// # Spec
/// CTRL-7.2.2.3-04; AMB-40.
fn members_to_invite(group: &Group, caller: &Caller) -> Vec<Entry> {
    let mut seen = HashSet::new();
    let members = group.members.iter().filter(|m| !caller.is(&m.uri));
    members
        .filter(|m| seen.insert(m.uri.key()))
        .take(participants_max(group).saturating_sub(1))
        .map(|m| Entry {
            uri: m.uri.clone(),
            display_name: m.display_name.clone(),
            replaces: None,
        })
        .collect()
}

/// The start of the user part of every session identity; 32 hexadecimal digits follow.
const SESSION_PREFIX: &str = "im-";
