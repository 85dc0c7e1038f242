//! Requests of ours and the peers' answers to them.

mod answers;

use rsipstack::sip;
use rsipstack::transaction::key::TransactionKey;
use tokio::time::Instant;

use super::{Deadline, DeadlineKey, Engine};
use crate::ua::{
    Body, DialogId, Headers, Method, Origin, OutRequest, Response, Transport, TxnId, UaEvent,
};
use crate::ua_rsipstack::dialog::{Dialog, Phase};
use crate::ua_rsipstack::draft::{Contact, Draft, new_branch, new_call_id, new_tag, our_contact};
use crate::ua_rsipstack::limits::{DATAGRAM_REQUEST_OCTETS_MAX, INVITE_T1_MULTIPLE};
use crate::ua_rsipstack::net::{ConnectionId, Flow};
use crate::ua_rsipstack::paths::{Found, Path};
use crate::ua_rsipstack::unfinished::Kind;
use crate::ua_rsipstack::value::Target;

/// A request of ours that waits for a way, or is about to go.
#[derive(Debug)]
pub(in crate::ua_rsipstack) struct Outgoing {
    draft: Draft,
    purpose: Purpose,
    /// A connection to try when the target is out of reach.
    fallback: Option<ConnectionId>,
    /// The branch, when it is not a new one: a CANCEL has that of its INVITE.
    branch: Option<String>,
    /// The next hop over UDP, when TCP is tried only because of the size.
    smaller: Option<Target>,
    /// The next hop, when a name may lead to another address after this one fails.
    target: Option<Target>,
}

/// What a request of ours is for.
#[derive(Debug, Clone)]
enum Purpose {
    /// It makes a dialog.
    Invite(DialogId),
    /// It changes a dialog.
    Reinvite(DialogId, TxnId),
    /// It ends a dialog.
    Bye(DialogId, TxnId),
    /// It refreshes the target of a dialog.
    Inside(DialogId, TxnId),
    /// It stands alone.
    Outside(TxnId),
    /// It acknowledges a 2xx of this INVITE with this tag; then this event is told.
    Ack(TransactionKey, String, Option<Box<UaEvent>>),
    /// Nobody waits for the answer.
    Quiet,
}

/// A request of ours that went.
pub(in crate::ua_rsipstack) struct Client {
    draft: Draft,
    purpose: Purpose,
    flow: Flow,
    branch: String,
    /// Whether a final response is to come.
    open: bool,
    /// When it is cancelled for want of one.
    deadline: Option<DeadlineKey>,
    /// Whether a provisional response has come.
    provisional: bool,
    /// Whether one has come from the peer itself, and not only from its next hop.
    has_rung: bool,
    fallback: Option<ConnectionId>,
    /// The next hop.
    target: Option<Target>,
    cancel: Cancel,
    /// The ACK for each 2xx, by the tag of the peer; `None` until it went.
    acks: Vec<(String, Option<(sip::Request, Flow)>)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cancel {
    No,
    /// Once a provisional response has come (RFC 3261 s.9.1).
    Wanted,
    Sent,
}

impl Engine {
    pub(super) fn invite(&mut self, id: DialogId, mut request: OutRequest) {
        let tag = new_tag();
        request.method = Method::Invite;
        let draft = self.draft_outside(request, &tag);
        if self.dialogs.len() >= self.settings.dialogs_max {
            return self.fail(Purpose::Invite(id), 503, Origin::Transport);
        }
        self.dialogs.insert(Dialog::calling(id, &draft, tag));
        self.dispatch(draft, Purpose::Invite(id), None);
    }

    pub(super) fn send(&mut self, transaction: TxnId, request: OutRequest) {
        if needs_dialog(&request.method) {
            return self.fail_at_once(transaction, 503);
        }
        let draft = self.draft_outside(request, &new_tag());
        self.dispatch(draft, Purpose::Outside(transaction), None);
    }

    fn draft_outside(&self, request: OutRequest, tag: &str) -> Draft {
        let given = request.headers.first("Contact").map(str::to_owned);
        let contact = match (request.contact.or(given), &request.method) {
            (Some(contact), _) => Contact::Given(contact),
            (None, Method::Invite | Method::Subscribe | Method::Refer) => Contact::Ours,
            (None, _) => Contact::Absent,
        };
        let given: Vec<String> = request.headers.all("Route").map(str::to_owned).collect();
        let proxy = self.settings.proxy.as_ref().map(|(_, route)| route.clone());
        let routes = if given.is_empty() {
            proxy.into_iter().collect()
        } else {
            given
        };
        let mut draft = Draft {
            method: request.method,
            uri: String::new(),
            routes: Vec::new(),
            is_strict: false,
            call_id: new_call_id(&self.settings.domain),
            from: format!("{};tag={tag}", request.from),
            to: request.to,
            cseq: 1,
            contact,
            headers: request.headers,
            body: request.body,
        };
        draft.route(&request.uri, &routes);
        draft
    }

    pub(super) fn request(
        &mut self,
        transaction: TxnId,
        id: DialogId,
        method: Method,
        headers: Headers,
        body: Option<Body>,
    ) {
        match method {
            Method::Bye => return self.bye(transaction, id, headers),
            Method::Ack | Method::Cancel => return self.fail_at_once(transaction, 503),
            _ => {}
        }
        let is_invite = method == Method::Invite;
        let purpose = if is_invite {
            Purpose::Reinvite(id, transaction)
        } else {
            Purpose::Inside(id, transaction)
        };
        let dialog = self.dialogs.get_mut(id);
        let Some(dialog) = dialog.filter(|d| d.remote_tag.is_some() && d.phase != Phase::Ending)
        else {
            return self.fail_at_once(transaction, 481);
        };
        if is_invite {
            let busy = dialog.invite_out
                || dialog.invite_in.is_some()
                || dialog.unacked.is_some()
                || dialog.phase != Phase::Up;
            if busy {
                return self.fail_at_once(transaction, 491);
            }
            dialog.invite_out = true;
        }
        let fallback = dialog.heard_on;
        let draft = dialog.request(method, headers, body);
        self.dispatch(draft, purpose, fallback);
    }

    pub(super) fn bye(&mut self, transaction: TxnId, id: DialogId, headers: Headers) {
        let Some(dialog) = self.dialogs.get_mut(id) else {
            return self.fail_at_once(transaction, 481);
        };
        match &mut dialog.phase {
            Phase::Ending => return self.fail_at_once(transaction, 481),
            Phase::Offered(offer) => {
                let offer = *offer;
                self.end_offer_for_focus(offer, id);
                return self.fail_at_once(transaction, 481);
            }
            Phase::Calling { unwanted } => {
                *unwanted = true;
                self.cancel(id);
                return self.fail_at_once(transaction, 481);
            }
            Phase::Up => {}
        }
        if dialog.unacked.is_some() {
            if dialog.held_bye.is_some() {
                return self.fail_at_once(transaction, 481);
            }
            dialog.held_bye = Some((transaction, headers));
            return;
        }
        dialog.phase = Phase::Ending;
        let fallback = dialog.heard_on;
        let draft = dialog.request(Method::Bye, headers, None);
        self.end_pending(id);
        self.dispatch(draft, Purpose::Bye(id, transaction), fallback);
    }

    /// Ends a dialog with a BYE whose answer nobody waits for.
    pub(super) fn bye_quietly(&mut self, id: DialogId) {
        if let Some(mut dialog) = self.dialogs.remove(id) {
            let draft = dialog.request(Method::Bye, Headers::new(), None);
            self.dispatch(draft, Purpose::Quiet, dialog.heard_on);
        }
    }

    pub(super) fn cancel(&mut self, id: DialogId) {
        let wanted = |o: &Outgoing| matches!(o.purpose, Purpose::Invite(d) if d == id);
        if let Some(outgoing) = self.paths.withdraw(wanted) {
            return self.fail(outgoing.purpose, 487, Origin::Transport);
        }
        let Some(key) = self.invite_of.get(&id).cloned() else {
            return;
        };
        let Some(client) = self.clients.get_mut(&key) else {
            return;
        };
        if !client.open || client.cancel != Cancel::No {
            return;
        }
        client.cancel = Cancel::Wanted;
        if client.provisional {
            self.send_cancel(&key);
        }
    }

    fn send_cancel(&mut self, key: &TransactionKey) {
        let Some(client) = self.clients.get_mut(key) else {
            return;
        };
        client.cancel = Cancel::Sent;
        let outgoing = Outgoing {
            draft: client.draft.clone().bare(Method::Cancel),
            purpose: Purpose::Quiet,
            fallback: None,
            branch: Some(client.branch.clone()),
            smaller: None,
            target: None,
        };
        let flow = client.flow.clone();
        self.transmit(outgoing, flow);
        // No final response within 64 T1 of the CANCEL: the INVITE is over (RFC 3261 s.9.1).
        let wait = self.settings.times.t1x64();
        self.set_deadline(wait, Deadline::Uncancelled(key.clone()));
    }

    fn dispatch(&mut self, draft: Draft, purpose: Purpose, fallback: Option<ConnectionId>) {
        let target = self.target_of(&draft);
        let mut outgoing = Outgoing {
            draft,
            purpose,
            fallback,
            branch: None,
            smaller: None,
            target: None,
        };
        let Some(mut target) = target else {
            return self.go_back(outgoing);
        };
        let is_large = outgoing.draft.octets() > DATAGRAM_REQUEST_OCTETS_MAX;
        // Content never goes over a path without congestion control (RFC 3428 s.8).
        let is_content = is_large && outgoing.draft.method == Method::Message;
        if is_content && target.transport == Some(Transport::Udp) {
            return self.fail(outgoing.purpose, 503, Origin::Transport);
        }
        if is_large && target.transport.is_none() && self.paths.has_udp() {
            let smaller = target.clone();
            target.transport = Some(Transport::Tcp);
            outgoing.smaller = (!is_content).then_some(Target {
                transport: Some(Transport::Udp),
                ..smaller
            });
        }
        self.find(target, outgoing);
    }

    fn find(&mut self, target: Target, mut outgoing: Outgoing) {
        outgoing.target = Some(target.clone());
        match self.paths.find(target, outgoing) {
            Path::Open(flow, outgoing) => self.transmit(outgoing, *flow),
            Path::Sought => {}
            Path::None(outgoing) => self.go_back(outgoing),
        }
    }

    /// The next hop. A remote target that is a name goes to the outbound proxy when there is one.
    fn target_of(&self, draft: &Draft) -> Option<Target> {
        let target = Target::of(draft.next_hop());
        let proxy = self.settings.proxy.as_ref().map(|(target, _)| target);
        let literal = target.as_ref().is_some_and(|t| t.is_literal());
        match proxy {
            Some(proxy) if draft.routes.is_empty() && !literal => Some(proxy.clone()),
            _ => target,
        }
    }

    pub(super) fn on_found(&mut self, found: Found) {
        let (flow, waiting) = self.paths.take(found);
        for outgoing in waiting {
            match &flow {
                Some(flow) => self.transmit(outgoing, flow.clone()),
                None => self.go_back(outgoing),
            }
        }
    }

    /// Sends on the connection on which the peer was heard, when there is no other way.
    fn go_back(&mut self, mut outgoing: Outgoing) {
        if let Some(smaller) = outgoing.smaller.take() {
            return self.find(smaller, outgoing);
        }
        match outgoing.fallback.and_then(|id| self.paths.flow(id)) {
            Some(flow) => self.transmit(outgoing, flow),
            None => self.fail(outgoing.purpose, 503, Origin::Transport),
        }
    }

    fn transmit(&mut self, outgoing: Outgoing, flow: Flow) {
        let branch = outgoing.branch.unwrap_or_else(new_branch);
        let built = outgoing
            .draft
            .build(&flow, &branch, &self.settings.user_agent);
        let Some(request) = built else {
            return self.fail(outgoing.purpose, 503, Origin::Transport);
        };
        if let Purpose::Ack(invite, tag, event) = outgoing.purpose {
            flow.send(request.clone().into());
            return self.acknowledged(&invite, &tag, Some((request, flow)), event);
        }
        let key = match self.stack.send(request, &flow) {
            Some(key) if !self.paths.has_failed(&flow) => key,
            sent => {
                if let Some(key) = sent {
                    self.drop_transaction(&key);
                }
                return self.fail(outgoing.purpose, 503, Origin::Transport);
            }
        };
        self.watch(flow.id, &key);
        let is_invite = outgoing.draft.method == Method::Invite;
        if let Purpose::Invite(dialog) = outgoing.purpose {
            self.invite_of.insert(dialog, key.clone());
            if let Some(dialog) = self.dialogs.get_mut(dialog)
                && dialog.contact == Contact::Ours
            {
                let contact = our_contact(&flow);
                dialog.contact = Contact::Given(contact);
                dialog.heard_on = flow.id;
            }
        }
        let client = Client {
            draft: outgoing.draft,
            purpose: outgoing.purpose,
            flow,
            branch,
            open: true,
            deadline: None,
            provisional: false,
            has_rung: false,
            fallback: outgoing.fallback,
            target: outgoing.target,
            cancel: Cancel::No,
            acks: Vec::new(),
        };
        let unfinished = match client.draft.method {
            Method::Bye => Some(Kind::Session),
            Method::Notify => Some(Kind::Subscription),
            _ => None,
        };
        if let Some(kind) = unfinished {
            self.unfinished.begin(&key, kind, None);
            self.unfinished.wait(&key, Instant::now());
        }
        self.clients.insert(key.clone(), client);
        if is_invite {
            let wait = self.settings.times.t1 * INVITE_T1_MULTIPLE;
            let deadline = self.set_deadline(wait, Deadline::Unfinished(key.clone()));
            if let Some(client) = self.clients.get_mut(&key) {
                client.deadline = Some(deadline);
            }
        }
    }

    fn fail(&mut self, purpose: Purpose, status: u16, origin: Origin) {
        self.conclude(purpose, made_here(status, origin));
    }

    /// Answers a wish of the focus that cannot be sent.
    pub(super) fn fail_at_once(&mut self, transaction: TxnId, status: u16) {
        self.fail(Purpose::Outside(transaction), status, Origin::Transport);
    }

    pub(super) fn forget_client(&mut self, key: &TransactionKey) {
        if let Some(Client {
            purpose: Purpose::Invite(dialog),
            ..
        }) = self.clients.remove(key)
        {
            self.invite_of.remove(&dialog);
        }
    }
}

/// Requests that never stand alone.
fn needs_dialog(method: &Method) -> bool {
    matches!(
        method,
        Method::Invite | Method::Ack | Method::Cancel | Method::Bye
    )
}

fn made_here(status: u16, origin: Origin) -> Response {
    Response {
        status,
        reason: sip::StatusCode::from(status).text().to_owned(),
        headers: Headers::new(),
        body: None,
        origin,
    }
}
