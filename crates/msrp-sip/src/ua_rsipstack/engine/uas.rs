//! Requests of peers and our answers to them.

mod answers;

use rsipstack::transaction::key::TransactionKey;

use super::{Deadline, DeadlineKey, Engine, connection_of, reply_to, request_of};
use crate::ua::{DialogEnd, DialogId, Headers, Method, Peer, Request, TxnId, UaEvent};
use crate::ua_rsipstack::dialog::{Dialog, Phase, refreshes_target};
use crate::ua_rsipstack::draft::{Contact, new_tag, our_contact};
use crate::ua_rsipstack::limits::{INVITE_T1_MULTIPLE, RETRY_AFTER_S};
use crate::ua_rsipstack::net::{Arrival, Flow};
use crate::ua_rsipstack::screen::{Fault, Ids, Incoming, Start};
use crate::ua_rsipstack::unfinished::Kind;

/// A request of a peer that has no final response, or an INVITE whose transaction is open.
#[derive(Clone)]
pub(in crate::ua_rsipstack) struct Server {
    key: TransactionKey,
    ids: Ids,
    method: Method,
    headers: Headers,
    arrival: Arrival,
    /// The dialog it is inside of or makes.
    pub(super) dialog: Option<DialogId>,
    /// Whether it makes a dialog.
    begins: bool,
    local_tag: String,
    /// Whether a final response is owed.
    open: bool,
    /// When it is given in the place of the focus.
    deadline: Option<DeadlineKey>,
}

const NO_DIALOG: Fault = Fault {
    status: 481,
    reason: "Call/Transaction Does Not Exist",
};
const FULL: Fault = Fault {
    status: 503,
    reason: "Service Unavailable",
};
const MERGED: Fault = Fault {
    status: 482,
    reason: "Loop Detected",
};
const GLARE: Fault = Fault {
    status: 491,
    reason: "Request Pending",
};
const OUT_OF_ORDER: Fault = Fault {
    status: 500,
    reason: "CSeq Out Of Order",
};
const INVITE_PENDING: Fault = Fault {
    status: 500,
    reason: "INVITE Pending",
};

impl Engine {
    pub(super) fn on_request(&mut self, incoming: &Incoming, arrival: &Arrival) {
        let Start::Request { method, uri } = &incoming.start else {
            return;
        };
        match method {
            Method::Ack => return self.on_ack(incoming, arrival),
            Method::Cancel => return self.hand_over(incoming, arrival),
            _ if self.stack.knows(&incoming.key) => return self.hand_over(incoming, arrival),
            _ => {}
        }
        let judged = if incoming.ids.to_tag.is_some() {
            self.judge_inside(incoming, arrival, method)
        } else {
            self.judge_outside(incoming, arrival, method)
        };
        match judged {
            Ok(dialog) => self.begin(incoming, arrival, method, uri, dialog),
            Err(fault) => self.refuse(incoming, arrival, fault),
        }
    }

    fn hand_over(&mut self, incoming: &Incoming, arrival: &Arrival) {
        let mut out = Vec::new();
        self.stack.handle(
            incoming,
            &self.reply_flow(incoming, arrival),
            None,
            &mut out,
        );
        self.on_outputs(out);
    }

    /// The way of the response: over UDP the address is what Via says.
    fn reply_flow(&self, incoming: &Incoming, arrival: &Arrival) -> Flow {
        match arrival {
            Arrival::Udp(port, _) => Flow::udp(port, reply_to(incoming)),
            Arrival::Stream(_) => arrival.flow(),
        }
    }

    fn refuse(&mut self, incoming: &Incoming, arrival: &Arrival, fault: Fault) {
        let retry = [("Retry-After", RETRY_AFTER_S.to_string())];
        let more: &[_] = if fault == FULL || fault == INVITE_PENDING {
            &retry
        } else {
            &[]
        };
        let octets = self.screen.answer(&incoming.ids, fault, more);
        arrival.answer_raw(octets, reply_to(incoming));
    }

    /// Whether a request outside of any dialog may begin a transaction.
    fn judge_outside(
        &mut self,
        incoming: &Incoming,
        arrival: &Arrival,
        method: &Method,
    ) -> Result<Option<DialogId>, Fault> {
        if *method == Method::Bye {
            return Err(NO_DIALOG);
        }
        if self.merging.contains_key(&merge_key(&incoming.ids)) {
            return Err(MERGED);
        }
        match self.admit(incoming, arrival, method) {
            Ok(()) => Ok(None),
            Err(bound) => {
                self.refusals.count(bound);
                Err(FULL)
            }
        }
    }

    /// Whether a request inside a dialog may begin a transaction (RFC 3261 s.12.2.2, s.14.2).
    fn judge_inside(
        &mut self,
        incoming: &Incoming,
        arrival: &Arrival,
        method: &Method,
    ) -> Result<Option<DialogId>, Fault> {
        let ids = &incoming.ids;
        let is_flooded = self.stack.len() / 2 >= self.settings.transactions_max;
        let dialog = self.dialogs.find(ids).ok_or(NO_DIALOG)?;
        if is_flooded && *method != Method::Bye {
            return Err(FULL);
        }
        if dialog.phase == Phase::Ending && *method != Method::Bye {
            return Err(NO_DIALOG);
        }
        match dialog.remote_cseq {
            Some(last) if ids.cseq < last => return Err(OUT_OF_ORDER),
            Some(last) if ids.cseq == last => return Err(MERGED),
            _ => {}
        }
        if *method == Method::Invite {
            if dialog.invite_in.is_some() || matches!(dialog.phase, Phase::Offered(_)) {
                return Err(INVITE_PENDING);
            }
            if dialog.invite_out || matches!(dialog.phase, Phase::Calling { .. }) {
                return Err(GLARE);
            }
        }
        dialog.remote_cseq = Some(ids.cseq);
        dialog.heard_on = connection_of(arrival).or(dialog.heard_on);
        if refreshes_target(method) {
            dialog.refresh(&incoming.headers);
        }
        Ok(Some(dialog.id))
    }

    fn begin(
        &mut self,
        incoming: &Incoming,
        arrival: &Arrival,
        method: &Method,
        uri: &str,
        dialog: Option<DialogId>,
    ) {
        let transaction = self.next_transaction();
        let mut server = Server {
            key: incoming.key.clone(),
            ids: incoming.ids.clone(),
            method: method.clone(),
            headers: incoming.headers.clone(),
            arrival: arrival.clone(),
            dialog,
            begins: dialog.is_none() && *method == Method::Invite,
            local_tag: new_tag(),
            open: true,
            deadline: None,
        };
        self.hand_over(incoming, arrival);
        if !self.stack.knows(&server.key) {
            return;
        }
        if *method == Method::Invite {
            let source = self.bounded_source(arrival);
            self.unfinished.begin(&server.key, Kind::Session, source);
        }
        self.watch(connection_of(arrival), &server.key);
        self.server_of.insert(server.key.clone(), transaction);
        if dialog.is_none() {
            let merge = merge_key(&server.ids);
            self.merging.insert(merge, server.key.clone());
        }
        if *method == Method::Bye {
            self.servers.insert(transaction, server);
            return self.on_bye(transaction, dialog);
        }
        if server.begins {
            server.dialog = Some(self.offer(transaction, &server));
        }
        self.await_answer(transaction, &mut server);
        let request = request_of(incoming, method, uri);
        let event = told(transaction, &server, request, arrival.peer());
        self.servers.insert(transaction, server);
        self.emit(event);
    }

    /// An answer is owed: the dialog knows of it, and so does the clock.
    fn await_answer(&mut self, transaction: TxnId, server: &mut Server) {
        let is_invite = server.method == Method::Invite;
        let wait = if is_invite {
            self.stack.trying(&server.key);
            self.settings.times.t1 * INVITE_T1_MULTIPLE
        } else {
            self.settings.times.t1x64()
        };
        server.deadline = Some(self.set_deadline(wait, Deadline::Unanswered(transaction)));
        if let Some(dialog) = server.dialog.and_then(|id| self.dialogs.get_mut(id)) {
            dialog.pending.push(transaction);
            if is_invite && !server.begins {
                dialog.invite_in = Some(transaction);
            }
        }
    }

    fn offer(&mut self, transaction: TxnId, server: &Server) -> DialogId {
        let id = self.next_dialog();
        let mut dialog = Dialog::offered(
            id,
            &server.ids,
            server.local_tag.clone(),
            &server.headers,
            Phase::Offered(transaction),
        );
        dialog.contact = Contact::Given(our_contact(&server.arrival.flow()));
        dialog.heard_on = connection_of(&server.arrival);
        self.dialogs.insert(dialog);
        id
    }

    fn on_ack(&mut self, incoming: &Incoming, arrival: &Arrival) {
        let dialog = self.dialogs.find(&incoming.ids);
        let unacked = dialog.as_ref().and_then(|dialog| dialog.unacked.clone());
        let unacked = unacked.filter(|unacked| unacked.cseq == incoming.ids.cseq);
        let mut told = None;
        let mut held = None;
        let mut answer = None;
        if let (Some(_), Some(dialog)) = (&unacked, dialog) {
            dialog.unacked = None;
            dialog.heard_on = connection_of(arrival).or(dialog.heard_on);
            if !std::mem::replace(&mut dialog.told, true) {
                told = Some(dialog.id);
            }
            answer = incoming.body.clone().map(|body| (dialog.id, body));
            held = dialog.held_bye.take().map(|bye| (dialog.id, bye));
        }
        let mut out = Vec::new();
        let flow = self.reply_flow(incoming, arrival);
        let acked = unacked.map(|unacked| unacked.key);
        self.stack.handle(incoming, &flow, acked.as_ref(), &mut out);
        if let Some(dialog) = told {
            self.emit(UaEvent::Established { dialog });
        }
        if let Some((dialog, body)) = answer {
            self.emit(UaEvent::Acknowledged { dialog, body });
        }
        self.on_outputs(out);
        if let Some((dialog, (transaction, headers))) = held {
            self.bye(transaction, dialog, headers);
        }
    }

    fn on_bye(&mut self, transaction: TxnId, dialog: Option<DialogId>) {
        self.answer_simply(transaction, 200);
        let Some(dialog) = dialog.and_then(|id| self.dialogs.get_mut(id)) else {
            return;
        };
        if dialog.phase == Phase::Ending {
            return;
        }
        let id = dialog.id;
        let held = dialog.held_bye.take();
        self.end_pending(id);
        self.dialogs.remove(id);
        match held {
            // The focus has ended the dialog already; its BYE has no other answer than this.
            Some((transaction, _)) => self.fail_at_once(transaction, 481),
            None => self.emit(UaEvent::Ended {
                dialog: id,
                why: DialogEnd::Bye,
            }),
        }
    }

    /// Answers 487 to what the peer asked in a dialog that is over (RFC 3261 s.15.1.2).
    pub(super) fn end_pending(&mut self, dialog: DialogId) {
        let pending = self
            .dialogs
            .get_mut(dialog)
            .map(|d| std::mem::take(&mut d.pending));
        for transaction in pending.unwrap_or_default() {
            self.answer_simply(transaction, 487);
        }
    }

    pub(super) fn on_cancelled(&mut self, key: &TransactionKey) {
        let Some(transaction) = self.server_of.get(key).copied() else {
            return;
        };
        let server = self.servers.get(&transaction);
        let Some(server) = server.filter(|server| server.open).cloned() else {
            return;
        };
        self.answer_simply(transaction, 487);
        self.end_offer(&server, DialogEnd::Cancelled);
    }

    /// The focus ends a dialog whose INVITE it has not answered: 480.
    pub(super) fn end_offer_for_focus(&mut self, transaction: TxnId, dialog: DialogId) {
        self.answer_simply(transaction, 480);
        self.end_pending(dialog);
        self.dialogs.remove(dialog);
    }

    /// An INVITE ends without a 2xx and without a wish of the focus.
    fn end_offer(&mut self, server: &Server, why: DialogEnd) {
        let Some(id) = server.dialog else { return };
        if server.begins {
            self.dialogs.remove(id);
            self.emit(UaEvent::Ended { dialog: id, why });
        } else if let Some(dialog) = self.dialogs.get_mut(id) {
            dialog.invite_in = None;
        }
    }

    /// The connection of a request is gone, or its answer could not be written.
    pub(super) fn on_server_lost(&mut self, key: &TransactionKey) {
        let Some(transaction) = self.server_of.get(key).copied() else {
            return;
        };
        self.close(transaction);
        if let Some(server) = self.servers.get(&transaction).cloned() {
            self.abandon(transaction, &server);
            self.end_offer(&server, DialogEnd::TransportLost);
        } else {
            self.drop_transaction(key);
        }
    }

    pub(super) fn on_unanswered(&mut self, transaction: TxnId) {
        let server = self.servers.get(&transaction);
        let Some(server) = server.filter(|server| server.open).cloned() else {
            return;
        };
        if server.method == Method::Invite {
            self.answer_simply(transaction, 480);
            self.end_offer(&server, DialogEnd::Cancelled);
        } else {
            // The peer has given up by now.
            self.close(transaction);
            self.drop_transaction(&server.key);
        }
    }

    pub(super) fn on_server_ended(&mut self, key: &TransactionKey) {
        let Some(transaction) = self.server_of.remove(key) else {
            return;
        };
        let Some(server) = self.servers.remove(&transaction) else {
            return;
        };
        self.cancel_deadline(server.deadline);
        self.merging.remove(&merge_key(&server.ids));
        self.unwatch(connection_of(&server.arrival), key);
        let dialog = server.dialog.and_then(|id| self.dialogs.get_mut(id));
        let Some(dialog) = dialog else { return };
        if dialog.unacked.as_ref().is_some_and(|u| u.key == *key) {
            dialog.unacked = None;
            let id = dialog.id;
            self.on_no_ack(id);
        }
    }

    /// No ACK came in 64 T1: the session is ended (RFC 3261 s.13.3.1.4).
    fn on_no_ack(&mut self, id: DialogId) {
        let held = self.dialogs.get_mut(id).and_then(|d| d.held_bye.take());
        match held {
            Some((transaction, headers)) => self.bye(transaction, id, headers),
            None => {
                self.end_pending(id);
                self.bye_quietly(id);
                self.emit(UaEvent::Ended {
                    dialog: id,
                    why: DialogEnd::NoAck,
                });
            }
        }
    }
}

fn told(transaction: TxnId, server: &Server, request: Request, peer: Peer) -> UaEvent {
    match (server.dialog, server.begins) {
        (Some(dialog), true) => UaEvent::Invite {
            transaction,
            dialog,
            request,
            peer,
        },
        (dialog, _) => UaEvent::Request {
            transaction,
            dialog,
            request,
            peer,
        },
    }
}

fn merge_key(ids: &Ids) -> (String, String, u32) {
    (ids.call_id.clone(), ids.from_tag.clone(), ids.cseq)
}
