//! The controlling function: conferences of SIP users over rooms of the media engine.
//!
//! [`Focus`] is a state machine without I/O, clock and randomness of its own. It takes one input at
//! a time, and its outputs are drained after each:
//!
//! ```text
//!   UaEvent ---------> handle_ua --------+
//!   Reply -----------> handle_control ---+--> poll_output --> UaAction  --> SIP engine --> handle_receipt
//!   engine Event ----> handle_engine ----+                `-> Command   --> media engine
//!   time ------------> handle_timeout ---+--> poll_timeout
//! ```
//!
//! # Spec
//! The rows CTRL, REL and COM-5.1 of the requirement matrix; RFC 4579.

#![cfg_attr(
    not(test),
    deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

mod admission;
mod alias;
mod charging;
mod conference;
mod conference_info;
mod desk;
mod headers;
mod invitation;
mod media;
mod notifier;
mod other_methods;
mod pager;
mod participant;
mod policy;
mod reception;
mod refer;
mod refusal;
mod release;
mod roster;
mod session_timer;
mod slots;
mod software;
mod subscription;
#[cfg(test)]
mod tests;
mod usages;

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

use msrp_control::metrics::{Kind as MetricKind, Sample};
use msrp_control::{ControlError, EndReason, Event, Reply, RoomId};

use crate::focus::conference::{Conference, Env, Kind, line_of_room};
use crate::focus::desk::{Asked, Desk, Purpose};
use crate::focus::other_methods::{answer_gone, answer_outside};
use crate::focus::pager::Pager;
use crate::focus::release::ReleaseReason;
use crate::groups::Groups;
use crate::ua::{DialogId, Method, Peer, Request, Response, TxnId, UaEvent};

pub use conference_info::OwnMark;
pub use desk::{CallId, CommandId, Output, UaAction, UaReceipt};
pub use headers::SOFTWARE;
pub use pager::{PagerPolicy, SystemContent, SystemMessage, SystemMessageError};
pub use policy::{AdHocRight, LargePolicy, Policy};

/// The controlling function of one node.
///
/// Handles one input, then wants [`Focus::poll_output`] called until it is empty; receipts of the
/// SIP engine come back in between. Times are nanoseconds of any clock that never goes back.
pub struct Focus {
    policy: Policy,
    groups: Box<dyn Groups + Send>,
    desk: Desk,
    conferences: HashMap<RoomId, Conference>,
    /// The running conference of a group, by the key of its address.
    group_rooms: HashMap<String, RoomId>,
    deadlines: BTreeSet<(u64, RoomId)>,
    deadline_of: HashMap<RoomId, u64>,
    pager: Pager,
    is_draining: bool,
}

impl fmt::Debug for Focus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Focus")
            .field("conferences_count", &self.conferences.len())
            .finish_non_exhaustive()
    }
}

impl Focus {
    /// A focus without conferences. The seed has to come from the operating system's generator:
    /// session identities are drawn from it.
    #[must_use]
    pub fn new(policy: Policy, groups: Box<dyn Groups + Send>, seed: [u8; 32]) -> Self {
        Self {
            pager: Pager::new(&policy.pager),
            policy,
            groups,
            desk: Desk::new(seed),
            conferences: HashMap::new(),
            group_rooms: HashMap::new(),
            deadlines: BTreeSet::new(),
            deadline_of: HashMap::new(),
            is_draining: false,
        }
    }

    /// Takes what the SIP engine tells.
    pub fn handle_ua(&mut self, now: u64, event: UaEvent) {
        match event {
            UaEvent::Invite {
                transaction,
                dialog,
                request,
                peer,
            } => {
                if let Err(refusal) = self.admit(now, transaction, dialog, &request, peer) {
                    self.desk.refuse(transaction, &refusal, &self.policy);
                }
            }
            UaEvent::Request {
                transaction,
                dialog,
                request,
                peer,
            } => {
                self.on_request(now, transaction, dialog, &request, peer);
            }
            UaEvent::InviteResponse { dialog, response } => {
                self.on_invite_response(now, dialog, response)
            }
            UaEvent::Response {
                transaction,
                response,
            } => {
                if self.on_message_answer(now, transaction, &response) {
                    return;
                }
                if let Some((seat, purpose)) = self.desk.transactions.remove(&transaction) {
                    self.with(now, &seat.room, |c, env| {
                        c.on_response(seat.key, purpose, &response, env)
                    });
                }
            }
            UaEvent::Established { dialog } => {
                if let Some(seat) = self.desk.dialogs.get(&dialog).cloned() {
                    self.with(now, &seat.room, |c, env| c.on_established(seat.key, env));
                }
            }
            UaEvent::Acknowledged { dialog, body } => {
                if let Some(seat) = self.desk.dialogs.get(&dialog).cloned() {
                    self.with(now, &seat.room, |c, env| {
                        c.on_acknowledged(seat.key, &body, env)
                    });
                }
            }
            UaEvent::Ended { dialog, why } => {
                self.desk.given_up.remove(&dialog);
                if let Some(seat) = self.desk.dialogs.get(&dialog).cloned() {
                    self.with(now, &seat.room, |c, env| c.on_ended(seat.key, why, env));
                }
                if let Some(room) = self.desk.watchers.remove(&dialog) {
                    self.with(now, &room, |c, env| c.on_watcher_ended(dialog, env));
                }
            }
        }
    }

    /// Takes the name that the SIP engine gave a request.
    pub fn handle_receipt(&mut self, now: u64, receipt: UaReceipt) {
        if self.on_message_receipt(&receipt) {
            return;
        }
        let (UaReceipt::Dialog(call, _)
        | UaReceipt::NoDialog(call)
        | UaReceipt::Transaction(call, _)) = receipt;
        let Some((seat, purpose)) = self.desk.calls.remove(&call) else {
            return;
        };
        match receipt {
            UaReceipt::Dialog(_, dialog) if purpose == Purpose::Subscribe => {
                let is_taken = self.with(now, &seat.room, |c, env| {
                    c.on_subscribed(seat.key, dialog, env)
                });
                if is_taken != Some(true) {
                    self.desk.forget_watcher(dialog);
                }
            }
            UaReceipt::NoDialog(_) => {
                self.with(now, &seat.room, |c, env| c.on_not_subscribed(seat.key, env));
            }
            UaReceipt::Dialog(_, dialog) => {
                let is_taken = self.with(now, &seat.room, |c, env| {
                    c.on_invite_sent(seat.key, dialog, env)
                });
                if is_taken != Some(true) {
                    self.desk.give_up(dialog);
                }
            }
            UaReceipt::Transaction(_, transaction) => {
                self.desk.transactions.insert(transaction, (seat, purpose));
            }
        }
    }

    /// Takes the media engine's answer to a command.
    pub fn handle_control(
        &mut self,
        now: u64,
        command: CommandId,
        result: Result<Reply, ControlError>,
    ) {
        match self.desk.commands.remove(&command) {
            Some(Asked::Create(room)) => {
                self.with(now, &room, |c, env| c.on_created(&result, env));
            }
            Some(Asked::Leg(seat, step, line)) => {
                self.with(now, &seat.room, |c, env| {
                    c.on_leg((seat.key, line), step, result, env)
                });
            }
            Some(Asked::Forget) | None => {}
        }
    }

    /// Takes what the media engine tells unasked.
    pub fn handle_engine_event(&mut self, now: u64, event: &Event) {
        match event {
            Event::NicknameChanged {
                room,
                participant,
                nickname,
            } => {
                self.with(now, room, |c, env| {
                    c.on_nickname_changed(participant, nickname.as_deref(), env)
                });
            }
            // What it asked for itself, or what concerns the media alone.
            Event::RoomStarted { .. }
            | Event::RoomUpdated { .. }
            | Event::ParticipantJoined { .. }
            | Event::ParticipantUpdated { .. }
            | Event::ParticipantBound { .. }
            | Event::Bridge(_)
            | Event::SessionEnded { .. }
            | Event::MessageEnded { .. }
            | Event::MessageContent { .. }
            | Event::FinalReport { .. }
            | Event::DrainChanged { .. }
            | Event::ShardLost { .. }
            | Event::LimitReached { .. } => {}
            // Its own removals and closings concern nobody whom it still knows.
            Event::ParticipantRemoved { room, participant } => {
                let (room, line) = line_of_room(room);
                self.with(now, &room, |c, env| {
                    c.on_participant_removed(line, participant, env)
                });
            }
            Event::RoomClosed { room } => {
                let (room, line) = line_of_room(room);
                self.with(now, &room, |c, env| {
                    c.on_line_lost(line, EndReason::RoomClosed, env)
                });
            }
            Event::ParticipantTooLate { room, participant } => {
                let (room, line) = line_of_room(room);
                self.with(now, &room, |c, env| c.on_too_late(line, participant, env));
            }
            Event::ParticipantLost {
                room,
                participant,
                reason,
            } => {
                let (room, line) = line_of_room(room);
                self.with(now, &room, |c, env| {
                    c.on_participant_lost(line, participant, *reason, env)
                });
            }
            Event::RoomLost { room, reason } => {
                let (room, line) = line_of_room(room);
                self.with(now, &room, |c, env| c.on_line_lost(line, *reason, env));
            }
        }
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: u64) {
        let due: Vec<RoomId> = self
            .deadlines
            .iter()
            .take_while(|(at, _)| *at <= now)
            .map(|(_, room)| room.clone())
            .collect();
        for room in due {
            self.with(now, &room, |c, env| c.handle_timeout(env));
        }
        self.on_message_timeout(now);
    }

    /// Ends all conferences and takes no new ones. Participants get BYE, pending callers 503.
    pub fn begin_shutdown(&mut self, now: u64) {
        self.is_draining = true;
        let rooms: Vec<RoomId> = self.conferences.keys().cloned().collect();
        for room in rooms {
            self.with(now, &room, |c, env| c.release(ReleaseReason::Shutdown, env));
        }
        self.finish_messages(now);
    }

    /// Whether no conference, no dialog and no MESSAGE is left.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.conferences.is_empty() && self.desk.given_up.is_empty() && self.pager.is_idle()
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.desk.take()
    }

    /// When [`Focus::handle_timeout`] wants to be called.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<u64> {
        let conference = self.deadlines.first().map(|(at, _)| *at);
        conference.into_iter().chain(self.pager.deadline()).min()
    }

    /// Takes other groups in the place of those it had. A session of a group that is gone ends; who
    /// may not take part by the new document leaves; the others stay.
    ///
    /// # Spec
    /// REL-7.2.2.8-13, REL-7.2.2.8-14.
    pub fn set_groups(&mut self, now: u64, groups: Box<dyn Groups + Send>) {
        self.groups = groups;
        // A message that is on its way was allowed when it was sent.
        let of_groups = |(room, c): (&RoomId, &Conference)| match c.kind() {
            _ if c.is_delivery() => None,
            Kind::Group(group) => Some((room.clone(), Arc::clone(group))),
            Kind::OneToOne(_) | Kind::AdHoc(_) => None,
        };
        let running: Vec<_> = self.conferences.iter().filter_map(of_groups).collect();
        for (room, old) in running {
            let new = self.groups.group(&old.uri).filter(|g| g.supports_im);
            self.with(now, &room, |c, env| match new {
                None => c.release(ReleaseReason::GroupGone, env),
                Some(new) if new != old => c.follow_group(new, env),
                Some(_) => {}
            });
        }
    }

    /// The methods that the peer of a dialog allows, as its Allow said.
    #[must_use]
    pub fn peer_methods(&self, dialog: DialogId) -> Option<&str> {
        let seat = self.desk.dialogs.get(&dialog)?;
        self.conferences.get(&seat.room)?.methods(seat.key)
    }

    /// Whether the peer of a dialog runs software of this specification, as its User-Agent or
    /// Server said: it shows the parties of a private message.
    ///
    /// # Spec
    /// COM-F.1-03; AMB-31.
    #[must_use]
    pub fn shows_release(&self, dialog: DialogId) -> Option<bool> {
        let seat = self.desk.dialogs.get(&dialog)?;
        self.conferences.get(&seat.room)?.shows_release(seat.key)
    }

    /// The present values of the focus's metrics.
    #[must_use]
    pub fn samples(&self) -> Vec<Sample> {
        let gauge = |name, help, value: usize| Sample {
            name,
            help,
            kind: MetricKind::Gauge,
            labels: Vec::new(),
            value: u64::try_from(value).unwrap_or(u64::MAX),
        };
        let mut samples = vec![
            gauge(
                "msrp_sip_conferences",
                "Conferences that run.",
                self.conferences.len(),
            ),
            gauge(
                "msrp_sip_dialogs",
                "SIP dialogs of participants.",
                self.desk.dialogs.len(),
            ),
            gauge(
                "msrp_sip_subscriptions",
                "Subscriptions to conferences and to the outcome of REFERs.",
                self.conferences
                    .values()
                    .map(Conference::subscriptions_count)
                    .sum(),
            ),
            gauge(
                "msrp_sip_messages_waiting",
                "MESSAGEs that wait to be sent.",
                self.pager.waiting_count(),
            ),
        ];
        samples.extend(self.pager.samples());
        samples.extend(
            self.desk
                .counts
                .invites
                .iter()
                .map(|(status, value)| Sample {
                    name: "msrp_sip_invites_total",
                    help: "Final answers to INVITEs that arrived, by status.",
                    kind: MetricKind::Counter,
                    labels: vec![("code", status.to_string())],
                    value: *value,
                }),
        );
        samples.extend(
            self.desk
                .counts
                .refusals
                .iter()
                .map(|(reason, value)| Sample {
                    name: "msrp_sip_refusals_total",
                    help: "Requests that were refused, by reason.",
                    kind: MetricKind::Counter,
                    labels: vec![("reason", (*reason).to_owned())],
                    value: *value,
                }),
        );
        samples
    }

    /// Runs one conference with an input and draws the conclusions.
    fn with<T>(
        &mut self,
        now: u64,
        room: &RoomId,
        run: impl FnOnce(&mut Conference, &mut Env<'_>) -> T,
    ) -> Option<T> {
        let conference = self.conferences.get_mut(room)?;
        let value = run(
            conference,
            &mut Env {
                now,
                policy: &self.policy,
                desk: &mut self.desk,
            },
        );
        self.note_state(room);
        Some(value)
    }

    /// Keeps the tables in step with a conference that was run.
    fn note_state(&mut self, room: &RoomId) {
        let Some(conference) = self.conferences.get(room) else {
            return;
        };
        let deadline = conference.deadline().filter(|_| !conference.is_over());
        if !conference.is_open()
            && let Kind::Group(group) = conference.kind()
        {
            let key = group.uri.key();
            if self.group_rooms.get(&key) == Some(room) {
                self.group_rooms.remove(&key);
            }
        }
        if conference.is_over() {
            self.conferences.remove(room);
        }
        if self.deadline_of.get(room).copied() != deadline {
            if let Some(old) = self.deadline_of.remove(room) {
                self.deadlines.remove(&(old, room.clone()));
            }
            if let Some(new) = deadline {
                self.deadline_of.insert(room.clone(), new);
                self.deadlines.insert((new, room.clone()));
            }
        }
    }

    fn on_request(
        &mut self,
        now: u64,
        transaction: TxnId,
        dialog: Option<DialogId>,
        request: &Request,
        peer: Peer,
    ) {
        if matches!(request.method, Method::Subscribe | Method::Refer) {
            return match dialog {
                Some(dialog) => self.on_usage_inside(now, transaction, dialog, request, peer),
                None => self.on_usage_outside(now, transaction, request, peer),
            };
        }
        if request.method == Method::Message {
            return self.on_message(now, transaction, dialog, request, peer);
        }
        let Some(dialog) = dialog else {
            let answer = answer_outside(&self.policy, request, peer).unwrap_or_else(|refusal| {
                self.desk.count_refusal(&refusal);
                refusal.answer(&self.policy)
            });
            self.desk.answer(transaction, answer);
            return;
        };
        let seat = self.desk.dialogs.get(&dialog).cloned();
        let handled = seat.and_then(|seat| {
            self.with(now, &seat.room, |c, env| {
                c.handle_request(seat.key, transaction, request, env)
            })
        });
        // A dialog that nobody owns is one that we ended.
        if handled.is_none() {
            self.desk.answer(transaction, answer_gone());
        }
    }

    fn on_invite_response(&mut self, now: u64, dialog: DialogId, response: Response) {
        if self.desk.given_up.contains(&dialog) {
            if response.status >= 200 {
                self.desk.given_up.remove(&dialog);
            }
            // The 2xx crossed our CANCEL.
            if (200..300).contains(&response.status) {
                self.desk.bye_unowned(dialog);
            }
            return;
        }
        if let Some(seat) = self.desk.dialogs.get(&dialog).cloned() {
            self.with(now, &seat.room, |c, env| {
                c.on_invite_response(seat.key, dialog, response, env)
            });
        }
    }
}
