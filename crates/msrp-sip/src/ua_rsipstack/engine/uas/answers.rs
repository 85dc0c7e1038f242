//! Our answers to requests of peers.

use rsipstack::sip;
use tokio::time::Instant;

use super::super::{Engine, connection_of};
use super::{Server, merge_key};
use crate::ua::{Answer, Body, DialogEnd, DialogId, Headers, Method, TxnId};
use crate::ua_rsipstack::dialog::{Dialog, Phase, Unacked, record_routes, refreshes_target};
use crate::ua_rsipstack::draft::{Contact, content_type, free_headers, our_contact};
use crate::ua_rsipstack::head::clean;

impl Engine {
    pub(in crate::ua_rsipstack::engine) fn answer(&mut self, transaction: TxnId, answer: &Answer) {
        let Some(server) = self.servers.get(&transaction) else {
            return;
        };
        if !server.open || !(101..700).contains(&answer.status) {
            return;
        }
        let server = server.clone();
        let contact = self.contact_of(&server, answer);
        let sent = self.respond(&server, answer, contact);
        if answer.status < 200 {
            return;
        }
        self.close(transaction);
        if !sent {
            self.abandon(transaction, &server);
            if server.method == Method::Invite {
                self.end_offer(&server, DialogEnd::TransportLost);
            }
            return;
        }
        let Some(dialog) = server.dialog.filter(|_| server.method == Method::Invite) else {
            return;
        };
        if answer.status >= 300 {
            if server.begins {
                self.dialogs.remove(dialog);
            } else if let Some(dialog) = self.dialogs.get_mut(dialog) {
                dialog.invite_in = None;
            }
            return;
        }
        if let Some(dialog) = self.dialogs.get_mut(dialog) {
            dialog.invite_in = None;
            if server.begins {
                dialog.phase = Phase::Up;
            }
            dialog.unacked = Some(Unacked {
                cseq: server.ids.cseq,
                key: server.key,
            });
        }
    }

    /// Marks a request as answered.
    pub(super) fn close(&mut self, transaction: TxnId) {
        let Some(server) = self.servers.get_mut(&transaction) else {
            return;
        };
        server.open = false;
        let deadline = server.deadline.take();
        let server = server.clone();
        self.cancel_deadline(deadline);
        self.merging.remove(&merge_key(&server.ids));
        self.unwatch(connection_of(&server.arrival), &server.key);
        if let Some(dialog) = server.dialog.and_then(|id| self.dialogs.get_mut(id)) {
            dialog.pending.retain(|pending| *pending != transaction);
        }
        if server.begins {
            self.unfinished.wait(&server.key, Instant::now());
        }
        if server.method != Method::Invite {
            self.servers.remove(&transaction);
            self.server_of.remove(&server.key);
        }
    }

    /// The Contact values of an answer; the first becomes the dialog's.
    fn contact_of(&mut self, server: &Server, answer: &Answer) -> Vec<String> {
        let given: Vec<String> = answer.headers.all("Contact").map(clean).collect();
        let dialog = server.dialog.and_then(|id| self.dialogs.get_mut(id));
        let wanted = answer.status < 300 && refreshes_target(&server.method);
        if let (Some(contact), Some(dialog), true) = (given.first(), dialog, wanted) {
            dialog.contact = Contact::Given(contact.clone());
        }
        if !given.is_empty() || !wanted {
            return given;
        }
        let dialog = server.dialog.and_then(|id| self.dialogs.get_mut(id));
        match dialog.map(|dialog| dialog.contact.clone()) {
            Some(Contact::Given(contact)) => vec![contact],
            _ => vec![our_contact(&server.arrival.flow())],
        }
    }

    fn respond(&mut self, server: &Server, answer: &Answer, contact: Vec<String>) -> bool {
        let status = status_code(answer.status, answer.reason.as_deref());
        let to = if server.ids.to_tag.is_some() {
            server.ids.to.clone()
        } else {
            format!("{};tag={}", server.ids.to, server.local_tag)
        };
        let octets = answer.body.as_ref().map(|body: &Body| body.octets.clone());
        let Some(mut response) = self.stack.response(&server.key, status, to, octets) else {
            return false;
        };
        let forms_dialog = server.ids.to_tag.is_none() && answer.status < 300;
        if forms_dialog && refreshes_target(&server.method) {
            let routes = record_routes(&server.headers);
            let routes = routes
                .into_iter()
                .map(|r| sip::Header::RecordRoute(r.into()));
            response.headers.extend(routes.collect());
        }
        let contact = contact.into_iter().map(|c| sip::Header::Contact(c.into()));
        response.headers.extend(contact.collect());
        response
            .headers
            .extend(free_headers(&answer.headers, false));
        response
            .headers
            .extend(answer.body.iter().map(content_type).collect());
        let mut out = Vec::new();
        let sent = self.stack.respond(&server.key, response, &mut out);
        self.on_outputs(out);
        sent
    }

    /// Answers in place of the focus.
    pub(super) fn answer_simply(&mut self, transaction: TxnId, status: u16) {
        let Some(server) = self.servers.get(&transaction).cloned() else {
            return;
        };
        if !server.open {
            return;
        }
        let answer = Answer {
            status,
            reason: None,
            headers: Headers::new(),
            body: None,
        };
        let sent = self.respond(&server, &answer, Vec::new());
        self.close(transaction);
        if !sent {
            self.abandon(transaction, &server);
        }
    }

    /// Forgets a transaction that has nobody to talk to. Without its response it has no timer, so
    /// it would never end by itself.
    pub(super) fn abandon(&mut self, transaction: TxnId, server: &Server) {
        self.drop_transaction(&server.key);
        self.servers.remove(&transaction);
        self.server_of.remove(&server.key);
    }

    pub(in crate::ua_rsipstack::engine) fn accept_subscription(
        &mut self,
        transaction: TxnId,
        id: DialogId,
        answer: &Answer,
    ) {
        let server = self.servers.get_mut(&transaction);
        let Some(server) = server.filter(|s| s.open && s.dialog.is_none()) else {
            return self.answer(transaction, answer);
        };
        if (200..300).contains(&answer.status) {
            server.dialog = Some(id);
            let server = server.clone();
            let mut dialog = Dialog::offered(
                id,
                &server.ids,
                server.local_tag.clone(),
                &server.headers,
                Phase::Up,
            );
            dialog.contact = Contact::Given(our_contact(&server.arrival.flow()));
            dialog.heard_on = connection_of(&server.arrival);
            dialog.told = true;
            self.dialogs.insert(dialog);
        }
        self.answer(transaction, answer);
    }
}

fn status_code(status: u16, reason: Option<&str>) -> sip::StatusCode {
    let standard = sip::StatusCode::from(status);
    match reason {
        Some(reason) => sip::StatusCode::Other(status, clean(reason)),
        None => standard,
    }
}
