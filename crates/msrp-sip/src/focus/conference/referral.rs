//! Adding and removing participants for one who asks.
//!
//! # Spec
//! CTRL-7.2.1.7, CTRL-7.2.1.8, CTRL-7.2.2.7; RFC 3515 s.2.4, RFC 4579 s.5.5, s.5.11; AMB-14 to
//! AMB-18, AMB-38.

use std::collections::{BTreeSet, HashMap};

use crate::address::{NameAddr, Uri};
use crate::focus::conference::lines::MAIN;
use crate::focus::conference::{Conference, Env, Kind};
use crate::focus::headers::{self, ALLOW, SOFTWARE};
use crate::focus::invitation::Inviter;
use crate::focus::media::Remote;
use crate::focus::participant::Participant;
use crate::focus::policy::{AdHocRight, Policy};
use crate::focus::reception::participants_max;
use crate::focus::refer::{Action, Reference};
use crate::focus::refusal::Refusal;
use crate::focus::release::ReleaseReason;
use crate::focus::subscription::{
    ALLOW_EVENTS, EndReason, Matter, Place, Progress, Subscription, fragment, phrase_of,
};
use crate::groups::{Caller as GroupCaller, Rights};
use crate::limits::{INVITED_PER_PLACE_MAX, REFERRAL_NS_MAX};
use crate::resource_lists::Entry;
use crate::ua::{Answer, Headers, Response, Transport, TxnId};

/// A REFER with what is needed to answer it.
#[derive(Debug)]
pub(crate) struct Referral {
    /// To answer with.
    pub(crate) transaction: TxnId,
    /// The place of the referrer in the conference.
    pub(crate) referrer: u64,
    /// Where reports go.
    pub(crate) place: Place,
    /// The transport that the referrer uses.
    pub(crate) transport: Transport,
    /// The number of the REFER in its dialog.
    pub(crate) number: String,
    /// The From of a referrer who wants to be hidden in the invitations.
    pub(crate) hidden_from: Option<NameAddr>,
    /// What it asks for.
    pub(crate) reference: Reference,
}

/// What became of the targets of a REFER that is carried out.
enum Outcome {
    /// These are being invited or removed.
    Waits(BTreeSet<u64>),
    /// There is nothing to wait for.
    Done,
}

impl Conference {
    /// Carries a REFER out.
    ///
    /// # Errors
    /// [`Refusal::FunctionForbidden`], [`Refusal::AnonymityForbidden`] -> 403,
    /// [`Refusal::TooManyParticipants`] -> 486. Nothing is done then.
    ///
    /// # Spec
    /// CTRL-7.2.1.7, CTRL-7.2.1.8.
    pub(crate) fn refer(&mut self, referral: &Referral, env: &mut Env<'_>) -> Result<(), Refusal> {
        let key = referral.referrer;
        let is_there = self
            .participants
            .get(&key)
            .is_some_and(|p| p.is_connected());
        if !is_there || self.is_delivery() {
            return Err(Refusal::FunctionForbidden);
        }
        match referral.reference.action {
            Action::Add => self.add_referred(key, referral, env)?,
            Action::Remove if self.is_whole(&referral.reference, env.policy) => {
                self.end_referred(key, referral, env)?;
            }
            Action::Remove => self.remove_referred(key, referral, env)?,
        }
        self.settle(env);
        Ok(())
    }

    /// # Spec
    /// CTRL-7.2.1.7-01 to CTRL-7.2.1.7-13; AMB-15.
    fn add_referred(
        &mut self,
        key: u64,
        referral: &Referral,
        env: &mut Env<'_>,
    ) -> Result<(), Refusal> {
        self.check_adding(key, referral.hidden_from.is_some(), env.policy)?;
        let participant = self.participants.get(&key);
        let leg = participant.and_then(|p| p.slots.leg(MAIN));
        let remote = leg.and_then(|leg| leg.remote.as_ref());
        let local = remote.map(Remote::for_invitees);
        let sections = [(MAIN, local.ok_or(Refusal::FunctionForbidden)?)];
        let (known, fresh) = self.sort_targets(key, &referral.reference.targets);
        let admitted = fresh.into_iter().filter(|e| self.admits(&e.uri));
        let fresh: Vec<Entry> = admitted.map(|e| self.named_by_group(e)).collect();
        if known.is_none() && fresh.is_empty() {
            return Err(Refusal::FunctionForbidden);
        }
        self.check_room(fresh.len(), env.policy)?;
        let inviter = self.describe_referrer(key, referral.hidden_from.as_ref());
        let mut waits = known.unwrap_or_default();
        // The seats that they get below.
        waits.extend(
            std::iter::successors(Some(self.next_key), |k| k.checked_add(1)).take(fresh.len()),
        );
        let outcome = if waits.is_empty() {
            Outcome::Done
        } else {
            Outcome::Waits(waits)
        };
        self.accept_referral(referral, outcome, env);
        if let (Kind::OneToOne(factory), false) = (&self.kind, fresh.is_empty()) {
            self.kind = Kind::AdHoc(factory.clone());
        }
        for entry in fresh {
            if self.kind.group().is_none() {
                self.welcome.insert(entry.uri.key());
            }
            self.referrers.insert(self.next_key, inviter.clone());
            self.seat_invitee(entry, &sections, env);
        }
        Ok(())
    }

    /// # Spec
    /// CTRL-7.2.2.7-01, ALIAS-7.2.3.2-02; AMB-15.
    fn check_adding(&self, key: u64, is_hidden: bool, policy: &Policy) -> Result<(), Refusal> {
        let participant = self
            .participants
            .get(&key)
            .ok_or(Refusal::FunctionForbidden)?;
        let may_add = match &self.kind {
            Kind::OneToOne(_) | Kind::AdHoc(_) => self.has_right(key, policy.adhoc_add),
            Kind::Group(group) => {
                !group.is_age_restricted
                    && self
                        .rights_of(participant)
                        .is_some_and(|r| r.invite_dynamically)
            }
        };
        if !may_add {
            return Err(Refusal::FunctionForbidden);
        }
        if is_hidden && !self.allows_anonymity(&participant.addresses, policy) {
            return Err(Refusal::AnonymityForbidden);
        }
        Ok(())
    }

    /// What the group lets a participant do; `None` in an ad-hoc session.
    fn rights_of(&self, participant: &Participant) -> Option<Rights> {
        let caller = GroupCaller {
            addresses: &participant.addresses,
            is_anonymous: participant.is_hidden,
        };
        Some(self.kind.group()?.rights(&caller))
    }

    /// Parts the targets: those who are in the session or invited already, as far as they are not
    /// decided, and those who are not. `None` when nobody is known.
    fn sort_targets(&self, key: u64, targets: &[Entry]) -> (Option<BTreeSet<u64>>, Vec<Entry>) {
        let names = self.names_for(key);
        let mut known = None;
        let mut fresh = Vec::new();
        for target in targets {
            let Some(keys) = names.get(&target.uri.key()) else {
                fresh.push(target.clone());
                continue;
            };
            let waits: &mut BTreeSet<u64> = known.get_or_insert_default();
            let is_pending = |k: &&u64| self.participants.get(k).is_some_and(|p| p.is_pending());
            waits.extend(keys.iter().filter(is_pending));
        }
        (known, fresh)
    }

    /// The participants by the keys of the addresses under which a referrer may name them. A hidden
    /// one is named by its alias, except by itself: whether it is there is not told. O(addresses).
    fn names_for(&self, referrer: u64) -> HashMap<String, Vec<u64>> {
        let mut names: HashMap<String, Vec<u64>> = HashMap::new();
        for (key, participant) in self.participants.iter().filter(|(_, p)| p.is_counted()) {
            let is_shown = !participant.is_hidden || self.is_same_user(referrer, *key);
            let addresses = participant.addresses.iter().filter(|_| is_shown);
            let alias = Uri::parse(&participant.entity).ok();
            for name in addresses.chain(&alias).map(Uri::key) {
                let keys = names.entry(name).or_default();
                if keys.last() != Some(key) {
                    keys.push(*key);
                }
            }
        }
        names
    }

    /// # Spec
    /// CTRL-7.2.1.7-12, CTRL-7.2.2.7-02.
    fn admits(&self, target: &Uri) -> bool {
        let caller = GroupCaller {
            addresses: std::slice::from_ref(target),
            is_anonymous: false,
        };
        self.kind
            .group()
            .is_none_or(|group| group.rights(&caller).join)
    }

    /// The target under the name that the group gives its member.
    ///
    /// # Spec
    /// COM-5.5-05.
    fn named_by_group(&self, target: Entry) -> Entry {
        let group = self.kind.group();
        let member = group.and_then(|g| g.member(std::slice::from_ref(&target.uri)));
        Entry {
            display_name: member
                .and_then(|m| m.display_name.clone())
                .or(target.display_name),
            uri: target.uri,
            replaces: target.replaces,
        }
    }

    /// # Spec
    /// CTRL-7.2.1.7-06, CTRL-7.2.1.7-07; AMB-13.
    fn check_room(&self, fresh: usize, policy: &Policy) -> Result<(), Refusal> {
        let counted = self.occupancy(&[]).saturating_add(fresh);
        let most = match &self.kind {
            Kind::OneToOne(_) | Kind::AdHoc(_) => policy.adhoc_participants_max.saturating_add(1),
            Kind::Group(group) => participants_max(group),
        };
        let ever = self.welcome.len().saturating_add(fresh);
        let is_full = counted > most || ever > most.saturating_mul(INVITED_PER_PLACE_MAX);
        if fresh > 0 && is_full {
            return Err(Refusal::TooManyParticipants);
        }
        Ok(())
    }

    /// Who invites, as those see it whom a referrer named.
    ///
    /// # Spec
    /// CTRL-7.2.1.7-03, CTRL-7.2.2.1-07; AMB-38.
    fn describe_referrer(&mut self, key: u64, hidden_from: Option<&NameAddr>) -> Inviter {
        let Some(participant) = self.participants.get_mut(&key) else {
            return self.inviter.clone();
        };
        match hidden_from {
            Some(from) if !participant.is_hidden => {
                let aliases = &mut self.aliases;
                let alias = participant
                    .referrer_alias
                    .get_or_insert_with(|| aliases.assign(Some(from)))
                    .clone();
                self.describe_user(Some(&alias.display_name), &alias.uri, true)
            }
            Some(_) | None => {
                let name = participant.display_name.clone();
                let (entity, is_hidden) = (participant.entity.clone(), participant.is_hidden);
                self.describe_user(name.as_deref(), &entity, is_hidden)
            }
        }
    }

    /// Whether the target of a removal is the session itself.
    ///
    /// # Spec
    /// AMB-17.
    fn is_whole(&self, reference: &Reference, policy: &Policy) -> bool {
        let [target] = reference.targets.as_slice() else {
            return false;
        };
        let is_session = policy.owns(&target.uri) && target.uri.user() == Some(self.room.as_str());
        let is_group = self
            .kind
            .group()
            .is_some_and(|group| group.uri.is_same(&target.uri));
        is_session || is_group
    }

    /// Ends the session for its originator.
    ///
    /// # Spec
    /// AMB-17; RFC 4579 s.5.12.
    fn end_referred(
        &mut self,
        key: u64,
        referral: &Referral,
        env: &mut Env<'_>,
    ) -> Result<(), Refusal> {
        if !self.is_same_user(key, self.originator) {
            return Err(Refusal::FunctionForbidden);
        }
        self.accept_referral(referral, Outcome::Done, env);
        self.release(ReleaseReason::Requested, env);
        Ok(())
    }

    /// # Spec
    /// CTRL-7.2.1.8; AMB-14, AMB-17, AMB-18.
    fn remove_referred(
        &mut self,
        key: u64,
        referral: &Referral,
        env: &mut Env<'_>,
    ) -> Result<(), Refusal> {
        let names = self.names_for(key);
        let targets = referral.reference.targets.iter();
        let keys: BTreeSet<u64> = targets
            .filter_map(|target| names.get(&target.uri.key()))
            .flatten()
            .copied()
            .collect();
        if keys.is_empty() {
            return Err(Refusal::FunctionForbidden);
        }
        let is_self = |k: &u64| self.is_same_user(key, *k);
        if !keys.iter().all(is_self) && !self.may_expel(key, env.policy) {
            return Err(Refusal::FunctionForbidden);
        }
        let expelled: Vec<&Participant> = keys
            .iter()
            .filter(|k| !is_self(k))
            .filter_map(|k| self.participants.get(k))
            .collect();
        for address in expelled.into_iter().flat_map(|p| &p.addresses) {
            self.welcome.remove(&address.key());
        }
        // The dialog of one who removes itself carries no report after the BYE.
        let outcome = if keys.contains(&key) {
            Outcome::Done
        } else {
            Outcome::Waits(keys.clone())
        };
        self.accept_referral(referral, outcome, env);
        for key in keys {
            if let Some(participant) = self.participants.get(&key) {
                tracing::info!(room = %self.room, participant = %participant.id, reason = "expelled", "participant removed");
            }
            self.dismiss(key, &Refusal::RejoinForbidden, Headers::new(), env);
        }
        Ok(())
    }

    fn is_same_user(&self, one: u64, other: u64) -> bool {
        let (one, other) = (self.participants.get(&one), self.participants.get(&other));
        match (one, other) {
            (Some(one), Some(other)) => one.is_known_by(&other.addresses),
            _ => false,
        }
    }

    /// # Spec
    /// AMB-18.
    fn may_expel(&self, key: u64, policy: &Policy) -> bool {
        let Some(participant) = self.participants.get(&key) else {
            return false;
        };
        match self.rights_of(participant) {
            Some(rights) => rights.expel,
            None => self.has_right(key, policy.adhoc_expel),
        }
    }

    /// # Spec
    /// AMB-15, AMB-18.
    fn has_right(&self, key: u64, right: AdHocRight) -> bool {
        match right {
            AdHocRight::Originator => self.is_same_user(key, self.originator),
            AdHocRight::Participants => true,
        }
    }

    /// Answers a REFER that is carried out, and makes its subscription unless none is wanted.
    ///
    /// # Spec
    /// CTRL-7.2.1.7-08 to CTRL-7.2.1.7-11, CTRL-7.2.1.8-03 to CTRL-7.2.1.8-05; AMB-16.
    fn accept_referral(&mut self, referral: &Referral, outcome: Outcome, env: &mut Env<'_>) {
        let participant = self.participants.get(&referral.referrer);
        let addresses = participant.map_or(&[][..], |p| &p.addresses);
        let keys: Vec<String> = addresses.iter().map(Uri::key).collect();
        let is_told = !referral.reference.is_quiet
            && !referral.reference.is_list
            && self.notifier.has_room(&keys);
        let answer = self.referral_answer(referral, is_told, env.policy);
        if !is_told {
            return env.desk.answer(referral.transaction, answer);
        }
        let is_removal = referral.reference.action == Action::Remove;
        let (progress, is_done) = match outcome {
            Outcome::Waits(targets) => (Progress::new(targets, is_removal), false),
            Outcome::Done => (Progress::done(is_removal), true),
        };
        let mut subscription = Subscription::new(
            self.notifier
                .name_referral(referral.place.dialog(), &referral.number),
            keys,
            referral.place,
            referral.transport,
            env.now.saturating_add(REFERRAL_NS_MAX),
            Matter::Refer(progress),
        );
        if is_done {
            subscription.end(EndReason::NoResource);
        }
        let id = self.notifier.draw_id();
        self.notifier.insert(id, subscription);
        self.answer_usage(id, referral.place, referral.transaction, answer, env);
        self.serve(id, env);
    }

    fn referral_answer(&self, referral: &Referral, is_told: bool, policy: &Policy) -> Answer {
        let contact = headers::focus_contact(policy, self.room.as_str(), referral.transport);
        let mut fields = Headers::new()
            .with("Contact", contact)
            .with("Supported", "norefersub, multiple-refer")
            .with("Allow", ALLOW)
            .with("Allow-Events", ALLOW_EVENTS)
            .with("Server", SOFTWARE);
        if !is_told {
            fields.push("Refer-Sub", "false");
        }
        Answer {
            status: policy.refer_status,
            reason: None,
            headers: fields,
            body: None,
        }
    }

    /// A response to the INVITE of a target.
    ///
    /// # Spec
    /// CTRL-7.2.1.7-13, CTRL-7.2.1.7-14.
    pub(super) fn note_response(&mut self, key: u64, response: &Response) {
        let reason = phrase(response);
        match response.status {
            101..=199 => self.notifier.note_provisional(key, response.status, reason),
            // The first 422 is followed by another INVITE.
            422 | 0..=299 => {}
            status => {
                let warning = response.headers.first("Warning");
                let text = fragment(status, reason, warning);
                self.notifier.note_outcome(key, false, &text);
            }
        }
    }

    /// A target takes part, whether it was invited or came by itself.
    pub(super) fn note_joined(&mut self, key: u64) {
        self.notifier.is_stale = true;
        let text = fragment(200, "OK", None);
        self.notifier.note_outcome(key, false, &text);
        self.notifier.decide(key, false);
    }

    /// The answer to the BYE of a target.
    ///
    /// # Spec
    /// CTRL-7.2.1.8-11.
    pub(super) fn note_removed(&mut self, key: u64, response: &Response) {
        let text = fragment(response.status, phrase(response), None);
        self.notifier.note_outcome(key, true, &text);
        self.notifier.decide(key, true);
    }
}

/// The reason phrase of a response, also when the SIP engine made it without one.
fn phrase(response: &Response) -> &str {
    if response.reason.is_empty() {
        phrase_of(response.status)
    } else {
        &response.reason
    }
}
