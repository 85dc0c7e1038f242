//! Telling subscribers who takes part.
//!
//! # Spec
//! CONF-7.2.1.12, CONF-7.2.2.10, CONF-7.2.2.11; RFC 4575, RFC 6665 s.4.2; AMB-35 to AMB-37.

use std::collections::HashMap;

use msrp_control::ParticipantId;

use crate::address::Uri;
use crate::focus::conference::{Conference, Env, Kind};
use crate::focus::conference_info::{
    CONFERENCE_INFO, ConferenceInfo, Content, Description, User, Users,
};
use crate::focus::desk::Seat;
use crate::focus::headers::{self, ALLOW, SOFTWARE};
use crate::focus::notifier::Presence;
use crate::focus::participant::Participant;
use crate::focus::policy::Policy;
use crate::focus::reception::participants_max;
use crate::focus::refusal::Refusal;
use crate::focus::roster::Names;
use crate::focus::subscription::{
    ALLOW_EVENTS, EndReason, EventName, Matter, Package, Phase, Place, Subscription, Watch,
};
use crate::groups::Caller as GroupCaller;
use crate::limits::NS_PER_S;
use crate::ua::{Answer, Body, DialogId, Headers, Response, Transport, TxnId};

/// What a SUBSCRIBE asks for.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    /// To answer with.
    pub(crate) transaction: TxnId,
    /// What is to be told.
    pub(crate) event: EventName,
    /// For how many seconds; 0 means once, or no longer.
    pub(crate) expires_s: u64,
}

/// Who subscribes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subscriber<'a> {
    /// All its addresses.
    pub(crate) addresses: &'a [Uri],
    /// Whether it wants to be hidden.
    pub(crate) is_anonymous: bool,
    /// The transport that it uses.
    pub(crate) transport: Transport,
}

impl Conference {
    /// A SUBSCRIBE outside of any dialog, or one that makes a new subscription inside `place`.
    ///
    /// # Errors
    /// [`Refusal::FunctionForbidden`] -> 403: not a participant, not allowed, or too many.
    ///
    /// # Spec
    /// CONF-7.2.1.12-03 to CONF-7.2.1.12-10.
    pub(crate) fn subscribe(
        &mut self,
        wish: Wish,
        subscriber: Subscriber<'_>,
        place: Place,
        env: &mut Env<'_>,
    ) -> Result<(), Refusal> {
        self.refresh_roster(env.now);
        self.check_subscriber(subscriber)?;
        let keys: Vec<String> = subscriber.addresses.iter().map(Uri::key).collect();
        if wish.event.package != Package::Conference || !self.notifier.has_room(&keys) {
            return Err(Refusal::FunctionForbidden);
        }
        let id = self.notifier.draw_id();
        let watch = Watch {
            wants_full: true,
            ..Watch::default()
        };
        let mut subscription = Subscription::new(
            wish.event,
            keys,
            place,
            subscriber.transport,
            ends_at(env.now, wish.expires_s),
            Matter::Conference(watch),
        );
        if wish.expires_s == 0 {
            subscription.end(EndReason::Timeout);
        }
        let answer = self.granted(wish.expires_s, subscriber.transport, env.policy);
        self.notifier.insert(id, subscription);
        self.answer_usage(id, place, wish.transaction, answer, env);
        tracing::debug!(room = %self.room, subscription = id, "subscription made");
        self.serve(id, env);
        Ok(())
    }

    /// Answers what made a subscription. Outside of a dialog the answer makes one.
    pub(super) fn answer_usage(
        &self,
        id: u64,
        place: Place,
        transaction: TxnId,
        answer: Answer,
        env: &mut Env<'_>,
    ) {
        match place {
            Place::Unnamed => {
                env.desk
                    .accept_subscription(self.seat(id), transaction, answer);
            }
            Place::Own(_) | Place::Shared(..) => env.desk.answer(transaction, answer),
        }
    }

    /// A SUBSCRIBE inside the dialog of a participant that makes a new subscription there.
    ///
    /// # Errors
    /// As [`Conference::subscribe`].
    ///
    /// # Spec
    /// RFC 6665 s.4.5.2, RFC 5057 s.4.
    pub(crate) fn subscribe_participant(
        &mut self,
        key: u64,
        wish: Wish,
        dialog: DialogId,
        transport: Transport,
        env: &mut Env<'_>,
    ) -> Result<(), Refusal> {
        let participant = self.participants.get(&key).filter(|p| p.is_connected());
        let participant = participant.ok_or(Refusal::FunctionForbidden)?;
        let (addresses, is_anonymous) = (participant.addresses.clone(), participant.is_hidden);
        let subscriber = Subscriber {
            addresses: &addresses,
            is_anonymous,
            transport,
        };
        self.subscribe(wish, subscriber, Place::Shared(dialog, key), env)
    }

    /// A SUBSCRIBE inside a dialog for a subscription that is there: it goes on, or ends.
    /// False when there is no such subscription.
    ///
    /// # Spec
    /// RFC 6665 s.4.2.1.4.
    pub(crate) fn resubscribe(&mut self, wish: &Wish, dialog: DialogId, env: &mut Env<'_>) -> bool {
        let Some(id) = self.notifier.find(dialog, &wish.event) else {
            return false;
        };
        let Some(subscription) = self.notifier.get_mut(id) else {
            return false;
        };
        if subscription.phase != Phase::Active {
            return false;
        }
        match &mut subscription.matter {
            Matter::Conference(watch) => watch.wants_full = true,
            Matter::Refer(progress) => progress.has_news = true,
        }
        subscription.expires_ns = ends_at(env.now, wish.expires_s);
        if wish.expires_s == 0 {
            subscription.end(EndReason::Timeout);
        }
        let transport = subscription.transport;
        let answer = self.granted(wish.expires_s, transport, env.policy);
        env.desk.answer(wish.transaction, answer);
        self.serve(id, env);
        true
    }

    /// # Spec
    /// CONF-7.2.1.12-03, CONF-7.2.1.12-06; AMB-37.
    fn check_subscriber(&self, subscriber: Subscriber<'_>) -> Result<(), Refusal> {
        self.attendee(subscriber.addresses)
            .ok_or(Refusal::FunctionForbidden)?;
        let may_watch = match &self.kind {
            Kind::OneToOne(_) | Kind::AdHoc(_) => true,
            Kind::Group(group) => {
                let caller = GroupCaller {
                    addresses: subscriber.addresses,
                    is_anonymous: subscriber.is_anonymous,
                };
                group.rights(&caller).conference_state
            }
        };
        may_watch.then_some(()).ok_or(Refusal::FunctionForbidden)
    }

    /// The participant that has one of these addresses and takes part.
    pub(crate) fn attendee(&self, addresses: &[Uri]) -> Option<u64> {
        self.participants
            .iter()
            .find(|(_, p)| p.is_connected() && p.is_known_by(addresses))
            .map(|(key, _)| *key)
    }

    /// # Spec
    /// CONF-7.2.1.12-08, CONF-7.2.1.12-09.
    fn granted(&self, expires_s: u64, transport: Transport, policy: &Policy) -> Answer {
        let contact = headers::focus_contact(policy, self.room.as_str(), transport);
        Answer {
            status: 200,
            reason: None,
            headers: Headers::new()
                .with("Expires", expires_s.to_string())
                .with("Contact", contact)
                .with("Allow", ALLOW)
                .with("Allow-Events", ALLOW_EVENTS)
                .with("Server", SOFTWARE),
            body: None,
        }
    }

    /// How many subscriptions there are, those included whose last NOTIFY is unanswered.
    pub(crate) fn subscriptions_count(&self) -> usize {
        self.notifier.len()
    }

    /// The SIP engine gave a subscription its dialog. False when nobody waits for it.
    pub(crate) fn on_subscribed(&mut self, id: u64, dialog: DialogId, env: &mut Env<'_>) -> bool {
        let room = self.room.clone();
        let Some(subscription) = self.notifier.get_mut(id) else {
            return false;
        };
        subscription.place = Place::Own(dialog);
        env.desk.watchers.insert(dialog, room);
        self.serve(id, env);
        true
    }

    /// The SIP engine does no subscriptions.
    pub(crate) fn on_not_subscribed(&mut self, id: u64, env: &mut Env<'_>) {
        self.drop_subscription(id, env);
        self.settle(env);
    }

    /// A dialog of subscriptions ended without our doing.
    pub(crate) fn on_watcher_ended(&mut self, dialog: DialogId, env: &mut Env<'_>) {
        for id in self.notifier.in_dialog(dialog) {
            self.drop_subscription(id, env);
        }
        self.settle(env);
    }

    /// The answer to a NOTIFY. A subscriber that does not take it is not told any more.
    ///
    /// # Spec
    /// RFC 6665 s.4.2.2.
    pub(super) fn on_notified(&mut self, id: u64, response: &Response, env: &mut Env<'_>) {
        let Some(subscription) = self.notifier.get_mut(id) else {
            return;
        };
        subscription.is_notifying = false;
        let is_taken = (200..300).contains(&response.status);
        if subscription.phase == Phase::Ended || !is_taken {
            if !is_taken {
                tracing::info!(room = %self.room, subscription = id, status = response.status, "subscriber dropped");
            }
            self.drop_subscription(id, env);
        } else {
            self.serve(id, env);
        }
    }

    fn drop_subscription(&mut self, id: u64, env: &mut Env<'_>) {
        if let Some(dialog) = self.notifier.remove(id) {
            env.desk.forget_watcher(dialog);
        }
    }

    /// Tells the subscribers in the dialog of a participant that it goes away, before it does.
    /// What was to become of it is decided.
    pub(super) fn end_shared(&mut self, key: u64, env: &mut Env<'_>) {
        self.notifier.is_stale = true;
        self.notifier.decide(key, false);
        for id in self.notifier.shared_with(key) {
            if let Some(subscription) = self.notifier.get_mut(id) {
                subscription.end(EndReason::NoResource);
            }
            self.serve(id, env);
        }
    }

    /// A participant is gone, and its dialog with it.
    pub(super) fn forget_usages(&mut self, key: u64, dialog: Option<DialogId>) {
        self.notifier.is_stale = true;
        self.notifier.note_outcome(key, true, REMOVED);
        self.notifier.decide(key, true);
        self.notifier.decide(key, false);
        for id in self.notifier.shared_with(key) {
            self.notifier.remove(id);
        }
        if let Some(dialog) = dialog {
            self.notifier.forget_dialog(dialog);
        }
        if self.referrers.remove(&key).is_some() {
            self.invitees.remove(&key);
        }
    }

    /// Brings the roster up to date and tells those whose time has come.
    pub(super) fn announce(&mut self, env: &mut Env<'_>) {
        if self.notifier.is_empty() {
            return;
        }
        self.refresh_roster(env.now);
        let due = self.notifier.take_due(env.now);
        if due.is_empty() {
            return;
        }
        for id in due {
            self.serve(id, env);
        }
        self.notifier.forget_told();
    }

    fn refresh_roster(&mut self, now: u64) {
        if !self.notifier.is_stale {
            return;
        }
        let connected = || self.participants.values().filter(|p| p.is_connected());
        // A user may have a nickname on one device alone.
        let mut nicknames: HashMap<&str, &str> = HashMap::new();
        for participant in connected() {
            if let Some(nickname) = &participant.nickname {
                nicknames.entry(&participant.entity).or_insert(nickname);
            }
        }
        let present: Vec<Presence<'_>> = connected()
            .map(|p| presence(p, nicknames.get(p.entity.as_str()).copied()))
            .collect();
        self.notifier.update(&present, now);
    }

    /// The room knows a participant by another nickname, or by none.
    ///
    /// # Spec
    /// RFC 7701 s.7.4.
    pub(crate) fn on_nickname_changed(
        &mut self,
        id: &ParticipantId,
        nickname: Option<&str>,
        env: &mut Env<'_>,
    ) {
        let Some(participant) = self.participants.values_mut().find(|p| p.id == *id) else {
            return;
        };
        participant.nickname = nickname.map(str::to_owned);
        self.notifier.is_stale = true;
        self.settle(env);
    }

    /// Sends a subscription the NOTIFY that it is owed now, if any.
    pub(super) fn serve(&mut self, id: u64, env: &mut Env<'_>) {
        let seat = self.seat(id);
        let Some(subscription) = self.notifier.get_mut(id) else {
            return;
        };
        if subscription.phase == Phase::Active && subscription.expires_ns <= env.now {
            subscription.end(EndReason::Timeout);
        }
        let is_due = subscription.due().is_some_and(|at| at <= env.now);
        if is_due && let Some(dialog) = subscription.place.dialog() {
            self.notify(seat, id, dialog, env);
        }
        self.notifier.note_due(id);
    }

    /// # Spec
    /// CONF-7.2.2.10-01, CONF-7.2.2.10-04, CONF-7.2.2.11-03, CONF-7.2.2.11-04.
    fn notify(&mut self, seat: Seat, id: u64, dialog: DialogId, env: &mut Env<'_>) {
        let Some(body) = self.body_for(id, env.policy) else {
            return;
        };
        let revision = self.notifier.roster.revision();
        let Some(subscription) = self.notifier.get_mut(id) else {
            return;
        };
        let fields = Headers::new()
            .with(
                "Contact",
                headers::focus_contact(env.policy, self.room.as_str(), subscription.transport),
            )
            .with("Event", subscription.event.write())
            .with("Subscription-State", subscription.state(env.now))
            .with("Allow", ALLOW)
            .with("Allow-Events", ALLOW_EVENTS);
        match &mut subscription.matter {
            Matter::Conference(watch) => {
                let answers_subscribe = std::mem::take(&mut watch.wants_full);
                watch.version = watch.version.wrapping_add(1);
                watch.told_at = revision;
                watch.news_ns = None;
                if !answers_subscribe {
                    watch.pace.note_sent(env.now);
                }
            }
            Matter::Refer(progress) => progress.note_sent(env.now),
        }
        subscription.is_notifying = true;
        if matches!(subscription.phase, Phase::Ending(_)) {
            subscription.phase = Phase::Ended;
        }
        env.desk.notify(seat, dialog, fields, body);
    }

    fn body_for(&self, id: u64, policy: &Policy) -> Option<Body> {
        let subscription = self.notifier.get(id)?;
        let (content_type, text) = match &subscription.matter {
            Matter::Refer(progress) => (SIPFRAG, progress.fragment.clone()),
            Matter::Conference(watch) => {
                let entity = self.entity(subscription.transport, policy);
                let info = ConferenceInfo {
                    entity: &entity,
                    version: watch.version.wrapping_add(1),
                    own_mark: policy.own_mark.as_ref(),
                    content: self.content_for(subscription, watch, policy),
                };
                (CONFERENCE_INFO, info.write())
            }
        };
        Some(Body {
            content_type: content_type.to_owned(),
            octets: text.into_bytes(),
        })
    }

    /// # Spec
    /// CONF-7.2.2.10-03, CONF-7.2.2.10-06, CONF-7.2.2.10-11 to CONF-7.2.2.10-18.
    fn content_for<'a>(
        &'a self,
        subscription: &'a Subscription,
        watch: &Watch,
        policy: &Policy,
    ) -> Content<'a> {
        let roster = &self.notifier.roster;
        let user = |(entity, entry): (&'a str, &'a crate::focus::roster::Entry)| User {
            entity,
            display_text: entry.display_name.as_deref(),
            nickname: entry.nickname.as_deref(),
            is_connected: entry.is_present,
            is_own: self.notifier.is_own(&subscription.subscriber, entity),
        };
        let users_count = roster.present_count();
        if self.is_closing {
            Content::Deleted
        } else if watch.wants_full {
            let users = roster.present().map(user).collect();
            Content::Full(self.description(policy), Users { users_count, users })
        } else {
            let users = roster.since(watch.told_at).map(user).collect();
            Content::Partial(Users { users_count, users })
        }
    }

    /// # Spec
    /// CONF-7.2.2.10-05; AMB-36.
    fn entity(&self, transport: Transport, policy: &Policy) -> String {
        match &self.kind {
            Kind::OneToOne(_) | Kind::AdHoc(_) => {
                headers::contact_uri(policy, self.room.as_str(), transport)
            }
            Kind::Group(group) => group.uri.as_str().to_owned(),
        }
    }

    fn description(&self, policy: &Policy) -> Description<'_> {
        match &self.kind {
            Kind::OneToOne(_) | Kind::AdHoc(_) => Description {
                users_max: policy.adhoc_participants_max.checked_add(1),
                ..Description::default()
            },
            Kind::Group(group) => Description {
                display_text: group.display_name.as_deref(),
                subject: group.subject.as_deref(),
                users_max: Some(participants_max(group)).filter(|most| *most < usize::MAX),
            },
        }
    }
}

fn presence<'a>(participant: &'a Participant, nickname: Option<&'a str>) -> Presence<'a> {
    Presence {
        entity: &participant.entity,
        names: Names {
            display_name: participant.display_name.as_deref(),
            nickname,
        },
        keys: participant.addresses.iter().map(Uri::key).collect(),
    }
}

fn ends_at(now: u64, expires_s: u64) -> u64 {
    now.saturating_add(expires_s.saturating_mul(NS_PER_S))
}

const SIPFRAG: &str = "message/sipfrag;version=2.0";

/// What a removal without a dialog comes to.
const REMOVED: &str = "SIP/2.0 200 OK\r\n";
