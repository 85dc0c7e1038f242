//! What the focus wants done, and what it waits for.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use msrp_control::{Command, RoomId};
use rand_chacha::ChaCha12Rng;
use rand_core::{RngCore, SeedableRng};

use crate::focus::policy::Policy;
use crate::focus::refusal::Refusal;
use crate::focus::slots::LineId;
use crate::ua::{Answer, Body, DialogId, Headers, Method, OutRequest, SipUa, TxnId};

/// Names a command to the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CommandId(pub u64);

/// Names a request to the SIP engine until the engine gave it a name of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallId(pub u64);

/// Something to do outside of the focus.
#[derive(Debug)]
pub enum Output {
    /// For the SIP engine.
    Ua(UaAction),
    /// For the media engine. Commands have to arrive there in this order; the answer comes back
    /// through [`Focus::handle_control`](super::Focus::handle_control).
    Control(CommandId, Command),
}

/// A call of a [`SipUa`] method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UaAction {
    /// [`SipUa::answer`].
    Answer {
        /// The transaction.
        transaction: TxnId,
        /// The answer.
        answer: Answer,
    },
    /// [`SipUa::invite`].
    Invite {
        /// Comes back in the receipt.
        call: CallId,
        /// The INVITE.
        request: Box<OutRequest>,
    },
    /// [`SipUa::cancel`].
    Cancel {
        /// The dialog.
        dialog: DialogId,
    },
    /// [`SipUa::request`].
    Request {
        /// Comes back in the receipt.
        call: CallId,
        /// The dialog.
        dialog: DialogId,
        /// The method.
        method: Method,
        /// Header fields.
        headers: Headers,
        /// The body.
        body: Option<Body>,
    },
    /// [`SipUa::accept_subscription`]. An engine without subscriptions answers 501.
    AcceptSubscription {
        /// Comes back in the receipt.
        call: CallId,
        /// The transaction.
        transaction: TxnId,
        /// The answer.
        answer: Answer,
    },
    /// [`SipUa::send`].
    Send {
        /// Comes back in the receipt.
        call: CallId,
        /// The request.
        request: Box<OutRequest>,
    },
    /// [`SipUa::forget`].
    Forget {
        /// The dialog.
        dialog: DialogId,
    },
    /// [`SipUa::bye`].
    Bye {
        /// Comes back in the receipt.
        call: CallId,
        /// The dialog.
        dialog: DialogId,
        /// Header fields.
        headers: Headers,
    },
}

/// The name that the SIP engine gave a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UaReceipt {
    /// An INVITE or a subscription has this dialog.
    Dialog(CallId, DialogId),
    /// A subscription has no dialog: the engine does not do subscriptions.
    NoDialog(CallId),
    /// A request inside a dialog, or outside of any, has this transaction.
    Transaction(CallId, TxnId),
}

impl UaAction {
    /// Does it. The receipt, if there is one, belongs to
    /// [`Focus::handle_receipt`](super::Focus::handle_receipt) before the next input.
    pub fn perform(self, ua: &mut impl SipUa) -> Option<UaReceipt> {
        match self {
            Self::Answer {
                transaction,
                answer,
            } => {
                ua.answer(transaction, answer);
                None
            }
            Self::Invite { call, request } => Some(UaReceipt::Dialog(call, ua.invite(*request))),
            Self::Cancel { dialog } => {
                ua.cancel(dialog);
                None
            }
            Self::AcceptSubscription {
                call,
                transaction,
                answer,
            } => {
                let dialog = ua.accept_subscription(transaction, answer);
                if dialog.is_none() {
                    ua.answer(transaction, not_implemented());
                }
                Some(dialog.map_or(UaReceipt::NoDialog(call), |d| UaReceipt::Dialog(call, d)))
            }
            Self::Send { call, request } => Some(UaReceipt::Transaction(call, ua.send(*request))),
            Self::Forget { dialog } => {
                ua.forget(dialog);
                None
            }
            Self::Request {
                call,
                dialog,
                method,
                headers,
                body,
            } => Some(UaReceipt::Transaction(
                call,
                ua.request(dialog, method, headers, body),
            )),
            Self::Bye {
                call,
                dialog,
                headers,
            } => Some(UaReceipt::Transaction(call, ua.bye(dialog, headers))),
        }
    }
}

/// One participant of one conference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seat {
    /// The conference.
    pub(crate) room: RoomId,
    /// The participant inside it.
    pub(crate) key: u64,
}

/// What a request of ours inside a dialog was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// An INVITE that makes a dialog.
    Invite,
    /// Ends the dialog.
    Bye,
    /// Refreshes the session.
    Refresh,
    /// A SUBSCRIBE or REFER whose answer makes a dialog; the key is that of the subscription.
    Subscribe,
    /// Tells a subscriber; the key is that of the subscription.
    Notify,
}

/// What a command was for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Create the room.
    Create(RoomId),
    /// Something about one leg of a participant.
    Leg(Seat, Step, LineId),
    /// Remove a participant or close a room: the answer changes nothing.
    Forget,
}

/// What the engine does with a leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Make an offer for an invitee.
    Offer,
    /// The room is to know a hidden invitee by its alias.
    Hide,
    /// Take the answer of an invitee.
    Accept,
    /// Take the offer of a caller.
    Enter,
    /// Take a new offer of a participant, or make one for it.
    Reoffer,
    /// Make an offer for somebody who takes part already.
    Extend,
    /// Take the answer of a participant inside its session.
    Change,
    /// Tell when a participant has everything.
    Serve,
}

/// What is counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Final answers to INVITEs, by status.
    pub(crate) invites: BTreeMap<u16, u64>,
    /// Refusals, by reason.
    pub(crate) refusals: BTreeMap<&'static str, u64>,
}

/// Collects outputs and remembers whom their answers concern.
#[derive(Debug)]
pub(crate) struct Desk {
    outputs: VecDeque<Output>,
    next_command: u64,
    next_call: u64,
    random: ChaCha12Rng,
    /// Commands without an answer.
    pub(crate) commands: HashMap<CommandId, Asked>,
    /// Requests without a receipt.
    pub(crate) calls: HashMap<CallId, (Seat, Purpose)>,
    /// Requests inside dialogs without a response.
    pub(crate) transactions: HashMap<TxnId, (Seat, Purpose)>,
    /// Whose dialog it is.
    pub(crate) dialogs: HashMap<DialogId, Seat>,
    /// Dialogs of subscriptions alone, and whose conference they are about.
    pub(crate) watchers: HashMap<DialogId, RoomId>,
    /// INVITEs of ours that were given up and have no final response.
    pub(crate) given_up: HashSet<DialogId>,
    /// What is counted.
    pub(crate) counts: Counts,
}

impl Desk {
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        Self {
            outputs: VecDeque::new(),
            next_command: 0,
            next_call: 0,
            random: ChaCha12Rng::from_seed(seed),
            commands: HashMap::new(),
            calls: HashMap::new(),
            transactions: HashMap::new(),
            dialogs: HashMap::new(),
            watchers: HashMap::new(),
            given_up: HashSet::new(),
            counts: Counts::default(),
        }
    }

    pub(crate) fn take(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// 128 bits that nobody can guess, as 32 hexadecimal digits.
    pub(crate) fn draw_name(&mut self) -> String {
        format!(
            "{:016x}{:016x}",
            self.random.next_u64(),
            self.random.next_u64()
        )
    }

    /// A number below this one, or 0.
    pub(crate) fn draw_below(&mut self, bound: u64) -> u64 {
        self.random.next_u64().checked_rem(bound).unwrap_or(0)
    }

    pub(crate) fn command(&mut self, asked: Asked, command: Command) {
        let id = CommandId(self.next_command);
        self.next_command = self.next_command.wrapping_add(1);
        self.commands.insert(id, asked);
        self.outputs.push_back(Output::Control(id, command));
    }

    /// Answers anything but an initial INVITE finally.
    pub(crate) fn answer(&mut self, transaction: TxnId, answer: Answer) {
        self.outputs.push_back(Output::Ua(UaAction::Answer {
            transaction,
            answer,
        }));
    }

    /// The one final answer to an initial INVITE.
    pub(crate) fn answer_invite(&mut self, transaction: TxnId, answer: Answer) {
        self.count_invite(answer.status);
        self.answer(transaction, answer);
    }

    /// Refuses an initial INVITE.
    pub(crate) fn refuse(&mut self, transaction: TxnId, refusal: &Refusal, policy: &Policy) {
        tracing::info!(
            reason = refusal.word(),
            status = refusal.status(),
            "invite refused"
        );
        self.count_refusal(refusal);
        self.answer_invite(transaction, refusal.answer(policy));
    }

    pub(crate) fn count_invite(&mut self, status: u16) {
        let count = self.counts.invites.entry(status).or_default();
        *count = count.saturating_add(1);
    }

    pub(crate) fn count_refusal(&mut self, refusal: &Refusal) {
        let count = self.counts.refusals.entry(refusal.word()).or_default();
        *count = count.saturating_add(1);
    }

    pub(crate) fn invite(&mut self, seat: Seat, request: OutRequest) {
        let call = self.next_call(seat, Purpose::Invite);
        self.outputs.push_back(Output::Ua(UaAction::Invite {
            call,
            request: Box::new(request),
        }));
    }

    /// Sends a request outside of any dialog. The receipt and the answer are the caller's.
    pub(crate) fn send(&mut self, request: OutRequest) -> CallId {
        let call = CallId(self.next_call);
        self.next_call = self.next_call.wrapping_add(1);
        self.outputs.push_back(Output::Ua(UaAction::Send {
            call,
            request: Box::new(request),
        }));
        call
    }

    /// Gives an INVITE of ours up. Its final response still comes, and a 2xx is followed by BYE.
    pub(crate) fn give_up(&mut self, dialog: DialogId) {
        self.dialogs.remove(&dialog);
        self.given_up.insert(dialog);
        self.outputs
            .push_back(Output::Ua(UaAction::Cancel { dialog }));
    }

    pub(crate) fn request(
        &mut self,
        seat: Seat,
        dialog: DialogId,
        method: Method,
        headers: Headers,
        body: Option<Body>,
    ) {
        let call = self.next_call(seat, Purpose::Refresh);
        self.outputs.push_back(Output::Ua(UaAction::Request {
            call,
            dialog,
            method,
            headers,
            body,
        }));
    }

    /// Answers a SUBSCRIBE or REFER that makes a dialog of its own. The seat names the
    /// subscription.
    pub(crate) fn accept_subscription(&mut self, seat: Seat, transaction: TxnId, answer: Answer) {
        let call = self.next_call(seat, Purpose::Subscribe);
        self.outputs
            .push_back(Output::Ua(UaAction::AcceptSubscription {
                call,
                transaction,
                answer,
            }));
    }

    /// Tells a subscriber. The seat names the subscription.
    pub(crate) fn notify(&mut self, seat: Seat, dialog: DialogId, headers: Headers, body: Body) {
        let call = self.next_call(seat, Purpose::Notify);
        self.outputs.push_back(Output::Ua(UaAction::Request {
            call,
            dialog,
            method: Method::Notify,
            headers,
            body: Some(body),
        }));
    }

    /// Forgets a dialog of subscriptions.
    pub(crate) fn forget_watcher(&mut self, dialog: DialogId) {
        self.watchers.remove(&dialog);
        self.outputs
            .push_back(Output::Ua(UaAction::Forget { dialog }));
    }

    pub(crate) fn bye(&mut self, seat: Seat, dialog: DialogId, headers: Headers) {
        let call = self.next_call(seat, Purpose::Bye);
        self.outputs.push_back(Output::Ua(UaAction::Bye {
            call,
            dialog,
            headers,
        }));
    }

    /// Ends a dialog that belongs to nobody any more.
    pub(crate) fn bye_unowned(&mut self, dialog: DialogId) {
        let call = CallId(self.next_call);
        self.next_call = self.next_call.wrapping_add(1);
        self.outputs.push_back(Output::Ua(UaAction::Bye {
            call,
            dialog,
            headers: Headers::new(),
        }));
    }

    fn next_call(&mut self, seat: Seat, purpose: Purpose) -> CallId {
        let call = CallId(self.next_call);
        self.next_call = self.next_call.wrapping_add(1);
        self.calls.insert(call, (seat, purpose));
        call
    }
}

fn not_implemented() -> Answer {
    Answer {
        status: 501,
        reason: None,
        headers: Headers::new(),
        body: None,
    }
}
