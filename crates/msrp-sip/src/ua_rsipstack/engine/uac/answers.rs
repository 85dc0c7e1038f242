//! The peers' answers to requests of ours.

use rsipstack::sip;
use rsipstack::transaction::key::TransactionKey;

use super::super::{Deadline, Engine, connection_of};
use super::{Cancel, Client, Outgoing, Purpose, made_here};
use crate::ua::{DialogId, Headers, Method, Origin, Response, UaEvent};
use crate::ua_rsipstack::dialog::{Dialog, Phase, refreshes_target};
use crate::ua_rsipstack::draft::Draft;
use crate::ua_rsipstack::limits::FORKS_MAX;
use crate::ua_rsipstack::net::{Arrival, ConnectionId, Flow};
use crate::ua_rsipstack::screen::{Incoming, Start};

impl Engine {
    pub(in crate::ua_rsipstack::engine) fn on_response(
        &mut self,
        incoming: &Incoming,
        arrival: &Arrival,
    ) {
        let Start::Response { status, reason } = &incoming.start else {
            return;
        };
        let key = &incoming.key;
        let Some(client) = self.clients.get_mut(key) else {
            if self.stack.knows(key) {
                self.hand_over_response(incoming, arrival);
            }
            return;
        };
        let is_invite = client.draft.method == Method::Invite;
        let response = Response {
            status: *status,
            reason: reason.clone(),
            headers: incoming.headers.clone(),
            body: incoming.body.clone(),
            origin: Origin::Peer,
        };
        match *status {
            100..=199 if client.open => {
                client.provisional = true;
                client.has_rung |= *status > 100;
                let wanted = client.cancel == Cancel::Wanted;
                self.on_provisional(incoming, response);
                if wanted {
                    self.send_cancel(key);
                }
            }
            100..=199 => {}
            200..=299 if is_invite => self.on_accepted(incoming, arrival, response),
            _ if client.open => {
                client.open = false;
                self.finish(key, Some(incoming), response);
            }
            _ => {}
        }
        self.hand_over_response(incoming, arrival);
    }

    fn hand_over_response(&mut self, incoming: &Incoming, arrival: &Arrival) {
        let mut out = Vec::new();
        self.stack.handle(incoming, &arrival.flow(), None, &mut out);
        self.on_outputs(out);
    }

    fn on_provisional(&mut self, incoming: &Incoming, response: Response) {
        let Some(client) = self.clients.get(&incoming.key) else {
            return;
        };
        let Purpose::Invite(id) = client.purpose else {
            return;
        };
        let Some(dialog) = self.dialogs.get_mut(id) else {
            return;
        };
        if response.status > 100 && incoming.ids.to_tag.is_some() {
            dialog.learn(&incoming.ids, &incoming.headers);
        }
        if dialog.phase == (Phase::Calling { unwanted: false }) {
            self.emit(UaEvent::InviteResponse {
                dialog: id,
                response,
            });
        }
    }

    /// A 2xx to an INVITE: the first makes or changes the dialog, a copy gets its ACK again, one
    /// of another fork is acknowledged and ended (RFC 3261 s.13.2.2.4).
    fn on_accepted(&mut self, incoming: &Incoming, arrival: &Arrival, response: Response) {
        let key = &incoming.key;
        let Some(client) = self.clients.get_mut(key) else {
            return;
        };
        let tag = incoming.ids.to_tag.clone().unwrap_or_default();
        if let Some((_, ack)) = client.acks.iter().find(|(acked, _)| *acked == tag) {
            if let Some((request, flow)) = ack {
                flow.send(request.clone().into());
            }
            return;
        }
        if client.acks.len() >= FORKS_MAX {
            return;
        }
        client.acks.push((tag.clone(), None));
        let is_first = std::mem::replace(&mut client.open, false);
        let deadline = client.deadline.take();
        let (purpose, draft, id) = (client.purpose.clone(), client.draft.clone(), client.flow.id);
        self.cancel_deadline(deadline);
        if is_first {
            self.unwatch(id, key);
            let wait = self.settings.times.t1x64();
            self.set_deadline(wait, Deadline::Forget(key.clone()));
        }
        let from = connection_of(arrival);
        match purpose {
            Purpose::Invite(id) if is_first && self.dialogs.get_mut(id).is_some() => {
                self.on_made(id, incoming, from, tag, response);
            }
            Purpose::Reinvite(id, transaction) if is_first => {
                let event = UaEvent::Response {
                    transaction,
                    response,
                };
                self.on_changed(id, incoming, from, tag, event, draft);
            }
            _ => self.end_fork(incoming, from, tag, &draft),
        }
    }

    fn on_made(
        &mut self,
        id: DialogId,
        incoming: &Incoming,
        from: Option<ConnectionId>,
        tag: String,
        response: Response,
    ) {
        let Some(dialog) = self.dialogs.get_mut(id) else {
            return;
        };
        dialog.learn(&incoming.ids, &incoming.headers);
        dialog.heard_on = from.or(dialog.heard_on);
        let is_wanted = dialog.phase != Phase::Calling { unwanted: true };
        dialog.phase = Phase::Up;
        let (ack, fallback) = (dialog.ack(incoming.ids.cseq), dialog.heard_on);
        let event = UaEvent::InviteResponse {
            dialog: id,
            response,
        };
        let event = is_wanted.then(|| Box::new(event));
        let purpose = Purpose::Ack(incoming.key.clone(), tag, event);
        self.dispatch(ack, purpose, fallback);
        if !is_wanted {
            self.bye_quietly(id);
        }
    }

    fn on_changed(
        &mut self,
        id: DialogId,
        incoming: &Incoming,
        from: Option<ConnectionId>,
        tag: String,
        event: UaEvent,
        draft: Draft,
    ) {
        let (ack, fallback) = match self.dialogs.get_mut(id) {
            Some(dialog) => {
                dialog.refresh(&incoming.headers);
                dialog.invite_out = false;
                (dialog.ack(incoming.ids.cseq), dialog.heard_on)
            }
            // The dialog has ended meanwhile; the 2xx is owed its ACK all the same.
            None => (draft.bare(Method::Ack), from),
        };
        let purpose = Purpose::Ack(incoming.key.clone(), tag, Some(Box::new(event)));
        self.dispatch(ack, purpose, fallback);
    }

    fn end_fork(
        &mut self,
        incoming: &Incoming,
        from: Option<ConnectionId>,
        tag: String,
        draft: &Draft,
    ) {
        let mut fork = Dialog::calling(DialogId(0), draft, String::new());
        fork.learn(&incoming.ids, &incoming.headers);
        let ack = Purpose::Ack(incoming.key.clone(), tag, None);
        self.dispatch(fork.ack(incoming.ids.cseq), ack, from);
        let bye = fork.request(Method::Bye, Headers::new(), None);
        self.dispatch(bye, Purpose::Quiet, from);
    }

    pub(super) fn acknowledged(
        &mut self,
        invite: &TransactionKey,
        tag: &str,
        sent: Option<(sip::Request, Flow)>,
        event: Option<Box<UaEvent>>,
    ) {
        if let Some(client) = self.clients.get_mut(invite)
            && let Some((_, ack)) = client.acks.iter_mut().find(|(acked, _)| acked == tag)
        {
            *ack = sent;
        }
        if let Some(event) = event {
            self.emit(*event);
        }
    }

    /// The final response to a request of ours, other than a 2xx to an INVITE.
    fn finish(&mut self, key: &TransactionKey, incoming: Option<&Incoming>, response: Response) {
        let Some(client) = self.clients.remove(key) else {
            return;
        };
        self.cancel_deadline(client.deadline);
        self.unwatch(client.flow.id, key);
        if self.may_go_elsewhere(&client, &response) {
            return self.go_elsewhere(client);
        }
        if let (Some(incoming), Purpose::Inside(id, _)) = (incoming, &client.purpose)
            && (200..300).contains(&response.status)
            && refreshes_target(&client.draft.method)
            && let Some(dialog) = self.dialogs.get_mut(*id)
        {
            dialog.refresh(&incoming.headers);
        }
        self.conclude(client.purpose, response);
    }

    /// Whether the next hop gave no answer, or 503, and its name leads to another one.
    ///
    /// # Spec
    /// RFC 3263 s.4.3.
    fn may_go_elsewhere(&mut self, client: &Client, response: &Response) -> bool {
        let is_refused = match response.origin {
            Origin::Peer => response.status == 503 && !client.has_rung,
            Origin::Timeout | Origin::Transport => !client.provisional,
        };
        let is_wanted = client.cancel == Cancel::No && !matches!(client.purpose, Purpose::Quiet);
        match &client.target {
            Some(target) if is_refused && is_wanted => self.paths.fails_over(target, &client.flow),
            _ => false,
        }
    }

    /// Sends a request again, on the next way, as a transaction of its own.
    fn go_elsewhere(&mut self, client: Client) {
        let Client {
            draft,
            purpose,
            fallback,
            target,
            ..
        } = client;
        if let Purpose::Invite(dialog) = purpose {
            self.invite_of.remove(&dialog);
        }
        let Some(target) = target else { return };
        let outgoing = Outgoing {
            draft,
            purpose,
            fallback,
            branch: None,
            smaller: None,
            target: None,
        };
        self.find(target, outgoing);
    }

    pub(super) fn conclude(&mut self, purpose: Purpose, response: Response) {
        match purpose {
            Purpose::Invite(dialog) => {
                self.invite_of.remove(&dialog);
                let unwanted = self.dialogs.remove(dialog);
                let unwanted =
                    unwanted.is_some_and(|d| d.phase == Phase::Calling { unwanted: true });
                if !unwanted {
                    self.emit(UaEvent::InviteResponse { dialog, response });
                }
            }
            Purpose::Reinvite(id, transaction) => {
                if let Some(dialog) = self.dialogs.get_mut(id) {
                    dialog.invite_out = false;
                }
                self.emit(UaEvent::Response {
                    transaction,
                    response,
                });
            }
            Purpose::Bye(id, transaction) => {
                self.dialogs.remove(id);
                self.emit(UaEvent::Response {
                    transaction,
                    response,
                });
            }
            Purpose::Inside(_, transaction) | Purpose::Outside(transaction) => {
                self.emit(UaEvent::Response {
                    transaction,
                    response,
                });
            }
            Purpose::Ack(invite, tag, event) => self.acknowledged(&invite, &tag, None, event),
            Purpose::Quiet => {}
        }
    }

    /// The stack has a response for a request of ours. The peers' have been seen already; what is
    /// left is its own: no answer came.
    pub(in crate::ua_rsipstack::engine) fn on_answered(
        &mut self,
        key: &TransactionKey,
        status: u16,
    ) {
        if status >= 200 {
            self.finish_open(key, 408, Origin::Timeout);
        }
    }

    pub(in crate::ua_rsipstack::engine) fn on_client_ended(&mut self, key: &TransactionKey) {
        self.finish_open(key, 408, Origin::Timeout);
    }

    /// The connection of a request of ours is gone.
    pub(in crate::ua_rsipstack::engine) fn on_client_lost(&mut self, key: &TransactionKey) {
        if self.clients.contains_key(key) {
            self.drop_transaction(key);
        }
        self.finish_open(key, 503, Origin::Transport);
    }

    /// An INVITE of ours has waited too long: it is cancelled. One without any response has the
    /// stack's own limit.
    pub(in crate::ua_rsipstack::engine) fn on_unfinished(&mut self, key: &TransactionKey) {
        let client = self.clients.get(key).filter(|client| client.open);
        if client.is_some_and(|client| client.provisional && client.cancel != Cancel::Sent) {
            self.send_cancel(key);
        }
    }

    /// The peer has not even answered a cancelled INVITE: it is given up.
    pub(in crate::ua_rsipstack::engine) fn on_uncancelled(&mut self, key: &TransactionKey) {
        if self.clients.get(key).is_some_and(|client| client.open) {
            self.drop_transaction(key);
            self.finish_open(key, 408, Origin::Timeout);
        }
    }

    /// A request of ours has waited long enough for its answer: it has none, and is not sent on another way.
    pub(in crate::ua_rsipstack::engine) fn give_up_client(&mut self, key: &TransactionKey) {
        let Some(client) = self.clients.remove(key) else {
            return;
        };
        self.cancel_deadline(client.deadline);
        self.unwatch(client.flow.id, key);
        self.conclude(client.purpose, made_here(408, Origin::Timeout));
    }

    fn finish_open(&mut self, key: &TransactionKey, status: u16, origin: Origin) {
        if self.clients.get(key).is_some_and(|client| client.open) {
            self.finish(key, None, made_here(status, origin));
        }
    }
}
