//! One conference: its room, its participants, its end.
//!
//! ```text
//!   start --> runs --release--> closing --last participant gone--> over
//!               `-- join, leave, refresh ...
//! ```
//! Commands for one room reach the engine in the order in which they are put on the desk; so a
//! participant may be added before the answer to `CreateRoom`, and removed before the answer to
//! `AddParticipant`.
//!
//! # Spec
//! CTRL-7.2.1.1 to CTRL-7.2.1.5, CTRL-7.2.1.10, CTRL-7.2.2.1, CTRL-7.2.2.2, CTRL-7.2.2.12,
//! REL-7.2.2.8.

mod adding;
mod delivering;
mod dialog;
mod engine;
mod events;
mod following;
mod lines;
mod offering;
mod paging;
mod referral;
mod refresh;
mod reoffer;
mod seating;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

pub(crate) use delivering::Purpose as Delivered;
pub(crate) use events::{Subscriber, Wish};
pub(crate) use lines::line_of_room;
pub(crate) use referral::Referral;

use msrp_control::{Addressing, Command, RoomConfig, RoomId};

use crate::address::{Uri, write_name_addr};
use crate::focus::admission::Knock;
use crate::focus::alias::Aliases;
use crate::focus::conference::lines::{Lines, MAIN, farewell};
use crate::focus::desk::{Asked, Desk, Seat};
use crate::focus::headers;
use crate::focus::invitation::Inviter;
use crate::focus::notifier::Notifier;
use crate::focus::participant::{Participant, State};
use crate::focus::policy::Policy;
use crate::focus::refusal::Refusal;
use crate::focus::release::{self, Census, ReleaseReason, Rules};
use crate::focus::slots::LineId;
use crate::groups::{Caller as GroupCaller, Group};
use crate::limits::NS_PER_S;
use crate::resource_lists::Entry;
use crate::ua::{Headers, Transport};

/// What a conference may use while it handles one input.
pub(crate) struct Env<'a> {
    /// The time, in nanoseconds.
    pub(crate) now: u64,
    /// The operator's decisions.
    pub(crate) policy: &'a Policy,
    /// Where outputs go.
    pub(crate) desk: &'a mut Desk,
}

/// What a conference was made from.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    /// A list of one user, sent to this factory.
    OneToOne(Uri),
    /// A list of users, sent to this factory.
    AdHoc(Uri),
    /// A pre-defined group.
    Group(Arc<Group>),
}

impl Kind {
    fn word(&self) -> &'static str {
        match self {
            Self::OneToOne(_) => "one_to_one",
            Self::AdHoc(_) => "ad_hoc",
            Self::Group(_) => "group",
        }
    }

    fn group(&self) -> Option<&Group> {
        match self {
            Self::Group(group) => Some(group),
            Self::OneToOne(_) | Self::AdHoc(_) => None,
        }
    }
}

impl Kind {
    /// When a session that began then has lasted too long. What the group's document says takes the
    /// place of the operator's value.
    ///
    /// # Spec
    /// REL-7.2.2.8-06, REL-7.2.2.8-12.
    fn end_of(&self, started_ns: u64, policy: &Policy) -> Option<u64> {
        let of_group = self.group().and_then(|g| g.active_policy.duration_s_max);
        let duration_s = of_group
            .filter(|s| *s > 0)
            .or(Some(policy.session_max_s))
            .filter(|s| *s > 0)?;
        Some(started_ns.saturating_add(duration_s.saturating_mul(NS_PER_S)))
    }
}

/// One conference.
#[derive(Debug)]
pub(crate) struct Conference {
    room: RoomId,
    kind: Kind,
    /// What its participants have side by side.
    lines: Lines,
    next_line: LineId,
    /// Nothing more comes in a conference that delivers: those who are left follow when they have everything.
    is_serving: bool,
    inviter: Inviter,
    /// Who invites those that a REFER named.
    referrers: BTreeMap<u64, Inviter>,
    notifier: Notifier,
    participants: BTreeMap<u64, Participant>,
    invitees: BTreeMap<u64, Entry>,
    next_key: u64,
    originator: u64,
    aliases: Aliases,
    /// Who may come to an ad-hoc session: keys of the originator's addresses and of the list.
    welcome: HashSet<String>,
    lowest_failure: Option<u16>,
    present_peak: usize,
    started_ns: u64,
    ends_ns: Option<u64>,
    /// Somebody left or an invitation failed since the release policy was asked.
    is_changed: bool,
    has_rung: bool,
    is_closing: bool,
    is_over: bool,
}

impl Conference {
    /// Starts a conference: creates its room, invites, and lets the caller wait or in.
    pub(crate) fn start(
        room: RoomId,
        (kind, purpose): (Kind, Option<Delivered>),
        knock: Knock,
        invitees: Vec<Entry>,
        env: &mut Env<'_>,
    ) -> Self {
        tracing::info!(room = %room, kind = kind.word(), invitees = invitees.len(), "conference started");
        let mut conference = Self::empty(room, kind, &knock, &invitees, env);
        let places = conference.open_lines(&knock.offer, purpose, env);
        let sections = conference.sections_for_invitees(&knock.offer, &places);
        conference.originator = conference.seat_caller(knock, &places, env);
        conference.inviter = conference.describe_inviter();
        if invitees.is_empty() {
            conference.enter(conference.originator, env);
        }
        for invitee in invitees {
            conference.seat_invitee(invitee, &sections, env);
        }
        conference
    }

    /// A conference that nobody takes part in.
    fn empty(room: RoomId, kind: Kind, knock: &Knock, invitees: &[Entry], env: &Env<'_>) -> Self {
        Self {
            lines: Lines::new(),
            next_line: 0,
            is_serving: false,
            started_ns: env.now,
            ends_ns: kind.end_of(env.now, env.policy),
            inviter: Inviter {
                from: String::new(),
                asserted: None,
                referred_by: String::new(),
                is_hidden: false,
                subject: None,
            },
            referrers: BTreeMap::new(),
            notifier: Notifier::default(),
            participants: BTreeMap::new(),
            invitees: BTreeMap::new(),
            next_key: 0,
            originator: 0,
            aliases: Aliases::default(),
            welcome: knock
                .caller
                .addresses
                .iter()
                .chain(invitees.iter().map(|e| &e.uri))
                .map(Uri::key)
                .collect(),
            lowest_failure: None,
            present_peak: 0,
            is_changed: false,
            has_rung: false,
            is_closing: false,
            is_over: false,
            room,
            kind,
        }
    }

    /// Lets one more caller in.
    pub(crate) fn join(&mut self, knock: Knock, env: &mut Env<'_>) {
        let talk = knock.offer.talk().map(|(place, _)| (place, MAIN));
        let key = self.seat_caller(knock, talk.as_slice(), env);
        self.enter(key, env);
    }

    /// Whether nothing is left to do.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over
    }

    /// Whether callers may still come.
    pub(crate) fn is_open(&self) -> bool {
        !self.is_closing
    }

    /// What it was made from.
    pub(crate) fn kind(&self) -> &Kind {
        &self.kind
    }

    /// When [`Conference::handle_timeout`] has something to do.
    pub(crate) fn deadline(&self) -> Option<u64> {
        let end = self.ends_ns.filter(|_| !self.is_closing);
        self.participants
            .values()
            .filter_map(Participant::deadline)
            .chain(end)
            .chain(self.notifier.deadline())
            .min()
    }

    /// Whether this caller may come to an ad-hoc session.
    ///
    /// # Spec
    /// CTRL-7.2.2.9-01, CTRL-7.2.2.9-03; AMB-14.
    pub(crate) fn welcomes(&self, addresses: &[Uri]) -> bool {
        addresses.iter().any(|a| self.welcome.contains(&a.key()))
    }

    /// How many participants there are, open invitations of this caller left out: it answers them
    /// by calling.
    ///
    /// # Spec
    /// CTRL-7.2.1.4-03; AMB-13.
    pub(crate) fn occupancy(&self, caller: &[Uri]) -> usize {
        let is_own = |key: &u64| {
            self.invitees
                .get(key)
                .is_some_and(|e| caller.iter().any(|a| a.is_same(&e.uri)))
        };
        self.participants
            .iter()
            .filter(|(key, p)| p.is_counted() && !(p.is_pending() && is_own(key)))
            .count()
    }

    /// The methods that a participant allows, by its place.
    pub(crate) fn methods(&self, key: u64) -> Option<&str> {
        self.participants.get(&key)?.allow.as_deref()
    }

    /// Whether a participant runs software of this specification, by its place.
    pub(crate) fn shows_release(&self, key: u64) -> Option<bool> {
        Some(self.participants.get(&key)?.shows_release())
    }

    /// The name under which a participant is shown, by its place.
    #[cfg(test)]
    pub(crate) fn display_name(&self, key: u64) -> Option<&str> {
        self.participants.get(&key)?.display_name.as_deref()
    }

    /// Ends the session for everybody.
    pub(crate) fn release(&mut self, reason: ReleaseReason, env: &mut Env<'_>) {
        if self.is_closing {
            return;
        }
        self.is_closing = true;
        tracing::info!(room = %self.room, reason = %reason, "conference ends");
        let refusal = match reason {
            ReleaseReason::AllRefused => Refusal::AllRefused(self.lowest_failure.unwrap_or(480)),
            ReleaseReason::Shutdown => Refusal::Draining,
            ReleaseReason::Engine => Refusal::Engine(msrp_control::ErrorCode::Unavailable),
            ReleaseReason::GroupGone => Refusal::UnknownAddress,
            ReleaseReason::OriginatorLeft
            | ReleaseReason::TooFew
            | ReleaseReason::TooLong
            | ReleaseReason::Requested => Refusal::SessionEnded,
        };
        let keys: Vec<u64> = self.participants.keys().copied().collect();
        for key in keys {
            self.dismiss(key, &refusal, Headers::new(), env);
        }
        self.settle(env);
    }

    /// Draws the conclusions of an input: who is let in, release, and the end of the rooms.
    pub(crate) fn settle(&mut self, env: &mut Env<'_>) {
        if !self.is_closing {
            self.proceed(env);
        }
        let present = self
            .participants
            .values()
            .filter(|p| p.is_present())
            .count();
        self.present_peak = self.present_peak.max(present);
        if !self.is_closing
            && std::mem::take(&mut self.is_changed)
            && !self.begin_serving(env)
            && let Some(reason) = self.verdict(present, env.policy)
        {
            self.release(reason, env);
        }
        self.announce(env);
        if self.is_closing && self.participants.is_empty() && !self.is_over {
            // Subscribers may still owe the answer to their last NOTIFY.
            self.is_over = self.notifier.is_empty();
            for line in self.lines.values_mut() {
                if std::mem::take(&mut line.runs) {
                    let room = line.room.clone();
                    env.desk.command(Asked::Forget, Command::CloseRoom { room });
                }
            }
            if self.is_over {
                tracing::info!(room = %self.room, "conference ended");
            }
        }
    }

    fn verdict(&self, present: usize, policy: &Policy) -> Option<ReleaseReason> {
        let originator = self
            .participants
            .get(&self.originator)
            .filter(|p| p.is_counted());
        let counted = self
            .participants
            .values()
            .filter(|p| p.is_counted())
            .count();
        let has_invited = !self.invitees.is_empty();
        if has_invited && !self.is_taken() && originator.is_some() && counted == 1 {
            return Some(ReleaseReason::AllRefused);
        }
        let rules = match &self.kind {
            _ if self.is_delivery() => Rules::Delivery,
            Kind::OneToOne(_) => Rules::OneToOne,
            Kind::AdHoc(_) => Rules::AdHoc {
                remaining: policy.adhoc_remaining,
            },
            Kind::Group(group) => Rules::Group {
                remaining: policy.group_remaining,
                auto_release: group.auto_release.unwrap_or(policy.auto_release),
                participants_min: group
                    .active_policy
                    .participants_min
                    .and_then(|n| usize::try_from(n).ok()),
            },
        };
        let census = Census {
            has_originator: originator.is_some(),
            counted,
            present,
            present_peak: self.present_peak,
        };
        release::verdict(rules, census)
    }

    /// Sends a participant away, whatever it is doing.
    ///
    /// # Spec
    /// CTRL-7.2.2.12-01, CTRL-7.2.1.2-20.
    fn dismiss(&mut self, key: u64, refusal: &Refusal, farewell: Headers, env: &mut Env<'_>) {
        let seat = self.seat(key);
        self.drop_reoffer(key, env);
        self.end_shared(key, env);
        let Some(participant) = self.participants.get_mut(&key) else {
            return;
        };
        match &participant.state {
            State::Waiting(knock) | State::Entering(knock) => {
                env.desk.refuse(knock.transaction, refusal, env.policy);
                self.remove(key, env);
            }
            State::Offered => self.remove(key, env),
            State::Invited(invitation) => {
                // Without a dialog the receipt comes later, finds nobody, and cancels.
                if let Some(dialog) = invitation.dialog {
                    env.desk.give_up(dialog);
                }
                self.remove(key, env);
            }
            State::Accepting { dialog, .. }
            | State::Joined {
                dialog,
                is_acknowledged: true,
            } => {
                let dialog = *dialog;
                participant.state = State::Leaving { dialog };
                env.desk.bye(seat, dialog, farewell);
            }
            // RFC 3261 s.15: no BYE before the ACK.
            State::Joined {
                dialog,
                is_acknowledged: false,
            } => {
                participant.state = State::Parting {
                    dialog: *dialog,
                    headers: farewell,
                };
            }
            State::Parting { .. } | State::Leaving { .. } => {}
        }
        self.is_changed = true;
    }

    /// Forgets a participant whose dialog is gone or never was.
    fn remove(&mut self, key: u64, env: &mut Env<'_>) {
        self.drop_reoffer(key, env);
        let Some(participant) = self.participants.remove(&key) else {
            return;
        };
        self.is_changed = true;
        if let Some(dialog) = participant.dialog() {
            env.desk.dialogs.remove(&dialog);
        }
        self.forget_usages(key, participant.dialog());
        for leg in participant.slots.legs().filter(|leg| leg.is_in_room) {
            if let Some(line) = self.lines.get(&leg.line).filter(|line| line.runs) {
                let command = farewell(line, participant.id.clone(), participant.absence);
                env.desk.command(Asked::Forget, command);
            }
        }
        self.end_lines_of(key, env);
        self.tidy_lines(env);
    }

    fn seat(&self, key: u64) -> Seat {
        Seat {
            room: self.room.clone(),
            key,
        }
    }

    /// The address that answers carry as P-Asserted-Identity.
    ///
    /// # Spec
    /// CTRL-7.2.1.1-04, CTRL-7.2.1.1-05.
    fn asserted_identity(&self) -> String {
        match &self.kind {
            Kind::OneToOne(factory) | Kind::AdHoc(factory) => format!("<{factory}>"),
            Kind::Group(group) => {
                write_name_addr(group.display_name.as_deref(), group.uri.as_str())
            }
        }
    }

    /// # Spec
    /// AMB-25.
    fn room_config(&self, delivers: bool, policy: &Policy) -> RoomConfig {
        let session = self.room.as_str();
        let mut uris = vec![
            format!("sip:{session}@{}", policy.domain),
            headers::contact_uri(policy, session, Transport::Udp),
            headers::contact_uri(policy, session, Transport::Tcp),
            headers::contact_uri(policy, session, Transport::Tls),
        ];
        let mut private_messages = policy.private_messages;
        if let Kind::Group(group) = &self.kind {
            uris.insert(0, group.uri.as_str().to_owned());
            // Each participant comes with its own right.
            private_messages = true;
        }
        uris.dedup();
        RoomConfig {
            uris,
            message_octets_max: policy.message_octets_max,
            private_messages: private_messages && !delivers,
            addressing: Addressing::Oma,
            nicknames: policy.nicknames && !delivers,
        }
    }

    /// # Spec
    /// COM-5.1-02, CTRL-7.2.2.1-05, CTRL-7.2.2.1-06, CTRL-7.2.2.1-07, CTRL-7.2.2.1-11; AMB-38.
    fn describe_inviter(&self) -> Inviter {
        let (name, address, is_hidden) = match self.participants.get(&self.originator) {
            Some(p) => (p.display_name.as_deref(), p.entity.as_str(), p.is_hidden),
            None => (None, "", false),
        };
        self.describe_user(name, address, is_hidden)
    }

    /// The same for another user than the originator.
    fn describe_user(&self, name: Option<&str>, address: &str, is_hidden: bool) -> Inviter {
        let user = write_name_addr(name, address);
        match &self.kind {
            Kind::OneToOne(_) | Kind::AdHoc(_) => Inviter {
                from: user.clone(),
                asserted: (!is_hidden).then(|| user.clone()),
                referred_by: user,
                is_hidden,
                subject: None,
            },
            Kind::Group(group) => {
                let from = write_name_addr(group.display_name.as_deref(), group.uri.as_str());
                Inviter {
                    asserted: Some(from.clone()),
                    from,
                    referred_by: user,
                    is_hidden,
                    subject: group.subject.clone(),
                }
            }
        }
    }

    /// Whether the group lets a hidden participant in; ad-hoc sessions follow the operator.
    pub(crate) fn allows_anonymity(&self, addresses: &[Uri], policy: &Policy) -> bool {
        match &self.kind {
            Kind::OneToOne(_) | Kind::AdHoc(_) => policy.anonymity,
            Kind::Group(group) => {
                group
                    .rights(&GroupCaller {
                        addresses,
                        is_anonymous: true,
                    })
                    .anonymity
            }
        }
    }
}
