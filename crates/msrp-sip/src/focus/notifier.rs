//! The subscriptions of one conference, and what their subscribers are owed.
//!
//! Holds state alone; [`Conference`](super::conference::Conference) sends.
//!
//! # Spec
//! RFC 4575 s.3.6; CONF-7.2.2.10; AMB-36.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::focus::roster::{Names, Roster};
use crate::focus::subscription::{
    EndReason, EventName, Matter, Package, Phase, Place, Progress, Subscription, fragment,
};
use crate::limits::{SUBSCRIPTIONS_MAX, SUBSCRIPTIONS_PER_USER_MAX};
use crate::ua::DialogId;

/// The subscriptions of one conference.
#[derive(Debug)]
pub(crate) struct Notifier {
    subscriptions: BTreeMap<u64, Subscription>,
    next_id: u64,
    /// Who takes part, as far as anybody subscribes.
    pub(crate) roster: Roster,
    /// The addresses under which each user is shown, by the keys of the user's addresses.
    shown_as: HashMap<String, Vec<String>>,
    /// Whether participants came or went since the roster was made.
    pub(crate) is_stale: bool,
    /// When a subscription wants to be looked at, or before.
    next_due: Option<u64>,
    /// Dialogs in which a REFER came: the next one there needs an `id`.
    referred_in: HashSet<DialogId>,
}

/// A participant as the roster sees it.
#[derive(Debug)]
pub(crate) struct Presence<'a> {
    /// The address shown to others.
    pub(crate) entity: &'a str,
    /// The names shown to others.
    pub(crate) names: Names<'a>,
    /// The keys of all its addresses.
    pub(crate) keys: Vec<String>,
}

impl Default for Notifier {
    fn default() -> Self {
        Self {
            subscriptions: BTreeMap::new(),
            next_id: 0,
            roster: Roster::default(),
            shown_as: HashMap::new(),
            is_stale: true,
            next_due: None,
            referred_in: HashSet::new(),
        }
    }
}

impl Notifier {
    /// Whether there is no subscription.
    pub(crate) fn is_empty(&self) -> bool {
        self.subscriptions.is_empty()
    }

    /// How many subscriptions there are.
    pub(crate) fn len(&self) -> usize {
        self.subscriptions.len()
    }

    /// When a subscription wants to be looked at, or before.
    pub(crate) fn deadline(&self) -> Option<u64> {
        self.next_due
    }

    /// Whether one more subscription of this user is within the bounds.
    pub(crate) fn has_room(&self, subscriber: &[String]) -> bool {
        let own = self
            .subscriptions
            .values()
            .filter(|s| s.is_of(subscriber))
            .take(SUBSCRIPTIONS_PER_USER_MAX)
            .count();
        self.subscriptions.len() < SUBSCRIPTIONS_MAX && own < SUBSCRIPTIONS_PER_USER_MAX
    }

    /// The name of the next subscription.
    pub(crate) fn draw_id(&mut self) -> u64 {
        let id = self.next_id;
        self.next_id = self.next_id.wrapping_add(1);
        id
    }

    pub(crate) fn insert(&mut self, id: u64, subscription: Subscription) {
        self.subscriptions.insert(id, subscription);
    }

    pub(crate) fn get(&self, id: u64) -> Option<&Subscription> {
        self.subscriptions.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: u64) -> Option<&mut Subscription> {
        self.subscriptions.get_mut(&id)
    }

    /// The subscription that a SUBSCRIBE in a dialog is about.
    pub(crate) fn find(&self, dialog: DialogId, event: &EventName) -> Option<u64> {
        let is_it = |s: &&Subscription| s.place.dialog() == Some(dialog) && s.event == *event;
        self.with_ids(is_it).next()
    }

    /// The subscriptions in a dialog.
    pub(crate) fn in_dialog(&self, dialog: DialogId) -> Vec<u64> {
        self.with_ids(|s| s.place.dialog() == Some(dialog))
            .collect()
    }

    /// The subscriptions in the dialog of a participant.
    pub(crate) fn shared_with(&self, key: u64) -> Vec<u64> {
        self.with_ids(|s| matches!(s.place, Place::Shared(_, k) if k == key))
            .collect()
    }

    fn with_ids(&self, is_it: impl Fn(&&Subscription) -> bool) -> impl Iterator<Item = u64> {
        self.subscriptions
            .iter()
            .filter(move |(_, s)| is_it(s))
            .map(|(id, _)| *id)
    }

    /// Those that are due. Until the next call nothing is due before what
    /// [`Notifier::note_due`] is told.
    pub(crate) fn take_due(&mut self, now: u64) -> Vec<u64> {
        if self.next_due.is_none_or(|at| at > now) {
            return Vec::new();
        }
        let is_due = |s: &&Subscription| s.due().is_some_and(|at| at <= now);
        let due = self.with_ids(is_due).collect();
        self.next_due = self
            .subscriptions
            .values()
            .filter_map(Subscription::due)
            .filter(|at| *at > now)
            .min();
        due
    }

    /// Takes the present due time of a subscription that changed.
    pub(crate) fn note_due(&mut self, id: u64) {
        let due = self.subscriptions.get(&id).and_then(Subscription::due);
        self.next_due = self.next_due.into_iter().chain(due).min();
    }

    /// Forgets a subscription; gives its dialog when that carries nothing any more.
    pub(crate) fn remove(&mut self, id: u64) -> Option<DialogId> {
        let place = self.subscriptions.remove(&id)?.place;
        if self.subscriptions.is_empty() {
            self.next_due = None;
        }
        match place {
            Place::Own(dialog) if self.in_dialog(dialog).is_empty() => {
                self.referred_in.remove(&dialog);
                Some(dialog)
            }
            Place::Own(_) | Place::Shared(..) | Place::Unnamed => None,
        }
    }

    /// Takes those who are present now. Subscribers who are owed a change have waited since `now`;
    /// subscriptions to the conference of users who are gone end. So do all of them when it ends,
    /// because everybody is gone then.
    ///
    /// # Spec
    /// CONF-7.2.2.11-01, CONF-7.2.2.11-02; RFC 4575 s.3.3; AMB-36.
    pub(crate) fn update(&mut self, present: &[Presence<'_>], now: u64) {
        self.is_stale = false;
        self.shown_as.clear();
        for presence in present {
            for key in &presence.keys {
                let entities = self.shown_as.entry(key.clone()).or_default();
                if !entities.iter().any(|e| e == presence.entity) {
                    entities.push(presence.entity.to_owned());
                }
            }
        }
        let users = present.iter().map(|p| (p.entity, p.names));
        let is_changed = self.roster.update(users);
        for subscription in self.subscriptions.values_mut() {
            let Matter::Conference(watch) = &mut subscription.matter else {
                continue;
            };
            if is_changed {
                watch.news_ns.get_or_insert(now);
            }
            let is_there = subscription
                .subscriber
                .iter()
                .any(|key| self.shown_as.contains_key(key));
            if !is_there {
                subscription.end(EndReason::NoResource);
            }
        }
        self.next_due = self
            .subscriptions
            .values()
            .filter_map(Subscription::due)
            .min();
    }

    /// Whether an entity of the roster is one of a subscriber's own.
    pub(crate) fn is_own(&self, subscriber: &[String], entity: &str) -> bool {
        subscriber
            .iter()
            .filter_map(|key| self.shown_as.get(key))
            .any(|entities| entities.iter().any(|e| e == entity))
    }

    /// Forgets what every subscriber was told.
    pub(crate) fn forget_told(&mut self) {
        let told_at = self.subscriptions.values().filter_map(|s| match &s.matter {
            Matter::Conference(watch) if s.phase != Phase::Ended => Some(watch.told_at),
            Matter::Conference(_) | Matter::Refer(_) => None,
        });
        let told_at = told_at.min().unwrap_or(self.roster.revision());
        self.roster.forget_told(told_at);
    }

    /// The name of the event of a REFER: from the second in one dialog on it has the number of the
    /// REFER.
    ///
    /// # Spec
    /// RFC 3515 s.2.4.6.
    pub(crate) fn name_referral(&mut self, shared: Option<DialogId>, number: &str) -> EventName {
        let is_first = shared.is_none_or(|dialog| self.referred_in.insert(dialog));
        EventName {
            package: Package::Refer,
            id: (!is_first).then(|| number.to_owned()),
        }
    }

    /// Forgets that REFERs came in a dialog.
    pub(crate) fn forget_dialog(&mut self, dialog: DialogId) {
        self.referred_in.remove(&dialog);
    }

    /// The invitation of a target goes on: provisional responses.
    pub(crate) fn note_provisional(&mut self, target: u64, status: u16, reason: &str) {
        self.each_progress(target, |progress, _| {
            if !progress.is_removal {
                progress.note_provisional(status, reason);
            }
        });
    }

    /// What the end of a target's invitation or removal is told as, unless something is known
    /// already. `is_removal` says which of the two.
    pub(crate) fn note_outcome(&mut self, target: u64, is_removal: bool, text: &str) {
        self.each_progress(target, |progress, _| {
            if progress.is_removal == is_removal {
                progress.outcome.get_or_insert_with(|| text.to_owned());
            }
        });
    }

    /// The invitation or removal of a target is over.
    ///
    /// # Spec
    /// CTRL-7.2.1.7-13, CTRL-7.2.1.8-11; RFC 3515 s.2.4.7.
    pub(crate) fn decide(&mut self, target: u64, is_removal: bool) {
        self.each_progress(target, |progress, phase| {
            if progress.is_removal != is_removal {
                return;
            }
            progress.targets.remove(&target);
            if progress.targets.is_empty() {
                let unknown = || fragment(480, "Temporarily Unavailable", None);
                progress.fragment = progress.outcome.take().unwrap_or_else(unknown);
                if *phase == Phase::Active {
                    *phase = Phase::Ending(EndReason::NoResource);
                }
            }
        });
    }

    fn each_progress(&mut self, target: u64, run: impl Fn(&mut Progress, &mut Phase)) {
        let mut has_any = false;
        for subscription in self.subscriptions.values_mut() {
            if let Matter::Refer(progress) = &mut subscription.matter
                && progress.targets.contains(&target)
            {
                run(progress, &mut subscription.phase);
                has_any = true;
            }
        }
        if has_any {
            self.next_due = Some(0);
        }
    }
}
