//! What is sent, what comes back, and what senders are told of it.
//!
//! # Spec
//! PGR-8.3.1.2 to PGR-8.3.1.4; RFC 5438 s.8; AMB-51, AMB-52.

use std::collections::BTreeSet;

use crate::address::{Uri, write_name_addr};
use crate::focus::Focus;
use crate::focus::admission::Caller;
use crate::focus::desk::UaReceipt;
use crate::focus::headers::SOFTWARE;
use crate::focus::pager::Pager;
use crate::focus::pager::collection::{Collection, Verdict};
use crate::focus::pager::imdn::{self, Notification};
use crate::focus::pager::payload::{BodyPart, compose};
use crate::focus::pager::queue::Item;
use crate::focus::refusal::Refusal;
use crate::limits::{AGGREGATE_OCTETS_MAX, COLLECTIONS_MAX};
use crate::ua::{Headers, Method, Origin, OutRequest, Request, Response, TxnId};

impl Pager {
    /// Begins to gather; forgets the oldest that only forwards when there are too many.
    ///
    /// # Errors
    /// [`Refusal::MalformedBody`] -> 400 when the message has the name of one of somebody else,
    /// [`Refusal::Overloaded`] -> 503.
    pub(super) fn gather(&mut self, now: u64, collection: Collection) -> Result<u64, Refusal> {
        let name = name_of(&collection);
        if let Some(old) = self.by_message.get(&name).copied() {
            let known = self.collections.get(&old);
            if known.is_some_and(|c| c.is_gathering() || c.back.sender != collection.back.sender) {
                return Err(Refusal::MalformedBody(
                    "The Message-ID has been used before".into(),
                ));
            }
            self.forget(old);
        }
        self.forget_faded(now);
        if self.collections.len() >= COLLECTIONS_MAX {
            let oldest = self.fading.first().map(|(_, id)| *id);
            self.forget(oldest.ok_or(Refusal::Overloaded)?);
        }
        let id = self.next_collection;
        self.next_collection = id.wrapping_add(1);
        self.by_message.insert(name, id);
        self.queue_of(&collection)
            .insert((collection.deadline(), id));
        self.collections.insert(id, collection);
        Ok(id)
    }

    fn queue_of(&mut self, collection: &Collection) -> &mut BTreeSet<(u64, u64)> {
        if collection.is_gathering() {
            &mut self.deadlines
        } else {
            &mut self.fading
        }
    }

    fn forget(&mut self, id: u64) {
        if let Some(collection) = self.collections.remove(&id) {
            self.queue_of(&collection)
                .remove(&(collection.deadline(), id));
            self.by_message.remove(&name_of(&collection));
        }
    }

    fn forget_faded(&mut self, now: u64) {
        while let Some((_, id)) = self.fading.first().filter(|(at, _)| *at <= now).copied() {
            self.forget(id);
        }
    }

    /// Runs a collection and keeps the tables in step.
    fn with<T>(&mut self, id: u64, run: impl FnOnce(&mut Collection) -> T) -> Option<T> {
        let mut collection = self.collections.remove(&id)?;
        self.queue_of(&collection)
            .remove(&(collection.deadline(), id));
        let value = run(&mut collection);
        self.queue_of(&collection)
            .insert((collection.deadline(), id));
        self.collections.insert(id, collection);
        Some(value)
    }
}

impl Focus {
    /// Sends what may leave now.
    pub(in crate::focus) fn send_messages(&mut self, now: u64) {
        while let Some(item) = self.pager.queue.next(now, self.pager.outstanding()) {
            match item.request() {
                Some(request) => {
                    let call = self.desk.send(request);
                    self.pager.calls.insert(call, item);
                }
                None => self.pager.queue.answered(item),
            }
        }
    }

    /// Takes the name of a MESSAGE of ours. Whether it was one.
    pub(in crate::focus) fn on_message_receipt(&mut self, receipt: &UaReceipt) -> bool {
        let UaReceipt::Transaction(call, transaction) = receipt else {
            return false;
        };
        match self.pager.calls.remove(call) {
            Some(item) => {
                self.pager.transactions.insert(*transaction, item);
                true
            }
            None => false,
        }
    }

    /// Takes the answer to a MESSAGE of ours. Whether it was one.
    pub(in crate::focus) fn on_message_answer(
        &mut self,
        now: u64,
        transaction: TxnId,
        response: &Response,
    ) -> bool {
        let Some(item) = self.pager.transactions.remove(&transaction) else {
            return false;
        };
        if response.status < 300 {
            self.pager.taken_count = self.pager.taken_count.saturating_add(1);
        } else {
            self.pager.failed_count = self.pager.failed_count.saturating_add(1);
            self.on_message_failure(now, &item, response);
        }
        self.pager.queue.answered(item);
        self.send_messages(now);
        true
    }

    /// # Spec
    /// PGR-8.3.1.4; AMB-52.
    fn on_message_failure(&mut self, now: u64, item: &Item, response: &Response) {
        let status = response.status;
        let explosion = match item {
            Item::Copy(explosion, _) => explosion,
            // What is too large for UDP, where there is nothing else, goes in small parts.
            Item::Aggregate(_, _, id, documents) if response.origin == Origin::Transport => {
                for document in documents {
                    self.tell(*id, vec![document.clone()]);
                }
                return;
            }
            Item::Own(..) | Item::Aggregate(..) => {
                tracing::warn!(
                    status,
                    "a notification did not reach the sender of its message"
                );
                return;
            }
        };
        tracing::info!(status, "a copy of a message was not taken");
        let (Some(id), Some(recipient)) = (explosion.collection, item.recipient()) else {
            return;
        };
        let verdict = self.pager.with(id, |c| c.on_failure(now, &recipient.uri));
        if let Some(Verdict::Tell(documents)) = verdict {
            self.tell(id, documents);
        }
    }

    /// Takes a notification that arrived at one of our addresses.
    ///
    /// # Spec
    /// PGR-8.3.1.2.
    pub(super) fn on_notification(
        &mut self,
        now: u64,
        target: &Uri,
        caller: &Caller,
        request: &Request,
        part: &BodyPart,
        notification: &Notification,
    ) -> Result<(), Refusal> {
        if !self.policy.owns(target) {
            return Err(Refusal::UnknownAddress);
        }
        let name = (notification.message_id.clone(), notification.to.clone());
        let Some(id) = self.pager.by_message.get(&name).copied() else {
            return self.forward_by_route(caller, request, part);
        };
        let verdict = self.pager.with(id, |c| {
            c.on_notification(now, &caller.addresses, notification)
        });
        match verdict.unwrap_or(Verdict::Kept) {
            Verdict::Kept => {}
            Verdict::Tell(documents) => self.tell(id, documents),
            Verdict::Stranger => return Err(Refusal::FunctionForbidden),
            Verdict::Forward => {
                let to = self
                    .pager
                    .collections
                    .get(&id)
                    .map(|c| c.back.sender.clone());
                let passed = imdn::next_hop(part).map_or_else(|| part.clone(), |(_, p)| p);
                return self.forward(to.unwrap_or_default(), caller, request, &passed);
            }
        }
        Ok(())
    }

    /// Passes a notification on whose message is not known here any more.
    fn forward_by_route(
        &mut self,
        caller: &Caller,
        request: &Request,
        part: &BodyPart,
    ) -> Result<(), Refusal> {
        let (to, passed) = imdn::next_hop(part).ok_or(Refusal::UnknownAddress)?;
        // CPIM names users by im addresses too; those of SIP have the same form.
        let to = to
            .strip_prefix("im:")
            .map_or(to.clone(), |rest| format!("sip:{rest}"));
        let next = Uri::parse(&to).map_err(|_| Refusal::UnknownAddress)?;
        if next.host() == "anonymous.invalid" {
            return Err(Refusal::UnknownAddress);
        }
        self.forward(to, caller, request, &passed)
    }

    fn forward(
        &mut self,
        to: String,
        caller: &Caller,
        request: &Request,
        part: &BodyPart,
    ) -> Result<(), Refusal> {
        if !self.pager.queue.has_room(1, part.octets.len()) {
            return Err(Refusal::Overloaded);
        }
        let mut headers = Headers::new()
            .with("Accept-Contact", "*;+g.oma.sip-im")
            .with("Server", SOFTWARE);
        for name in ["P-Asserted-Identity", "Privacy"] {
            for value in request.headers.all(name) {
                headers.push(name, value);
            }
        }
        let from = write_name_addr(
            caller.from.display_name.as_deref(),
            caller.from.uri.as_str(),
        );
        let request = own_request(&to, from, headers, part);
        self.pager.queue.push_own(Item::Own(to, Box::new(request)));
        Ok(())
    }

    /// Tells a sender what became of its message, in as few MESSAGEs as is sensible.
    ///
    /// # Spec
    /// PGR-8.3.1.3-01; RFC 5438 s.8.3.
    fn tell(&mut self, id: u64, documents: Vec<String>) {
        let Some(back) = self.pager.collections.get(&id).map(|c| c.back.clone()) else {
            return;
        };
        let own = format!("<{}>", back.own);
        let mut documents = documents.into_iter().peekable();
        while documents.peek().is_some() {
            let mut octets = 0_usize;
            let mut batch = Vec::new();
            while let Some(document) = documents.next_if(|d| {
                batch.is_empty() || octets.saturating_add(d.len()) <= AGGREGATE_OCTETS_MAX
            }) {
                octets = octets.saturating_add(document.len());
                batch.push(document);
            }
            let name = self.desk.draw_name();
            let part = imdn::wrap(&batch, &back.own, &back.wrapped_sender, &name);
            let headers = Headers::new()
                .with("Accept-Contact", "*;+g.oma.sip-im")
                .with("Server", SOFTWARE)
                .with("P-Asserted-Identity", &own);
            let to = back.sender.clone();
            let request = Box::new(own_request(&to, own.clone(), headers, &part));
            self.pager.queue.push_own(if batch.len() > 1 {
                Item::Aggregate(to, request, id, batch)
            } else {
                Item::Own(to, request)
            });
        }
    }

    /// Ends the gathering whose time is over, and sends what may leave.
    pub(in crate::focus) fn on_message_timeout(&mut self, now: u64) {
        while let Some((at, id)) = self.pager.deadlines.first().copied() {
            if at > now {
                break;
            }
            let documents = self.pager.with(id, |c| c.handle_timeout(now));
            self.tell(id, documents.unwrap_or_default());
        }
        self.pager.forget_faded(now);
        self.pager.supervision.handle_timeout(now);
        self.send_messages(now);
    }

    /// Tells all senders what is known now, since nothing is gathered any more.
    pub(in crate::focus) fn finish_messages(&mut self, now: u64) {
        self.pager.supervision.clear();
        let ids: Vec<u64> = self.pager.collections.keys().copied().collect();
        for id in ids {
            let stored = self.pager.with(id, |c| c.finish(now));
            self.tell(id, stored.unwrap_or_default());
        }
        self.send_messages(now);
    }
}

/// A MESSAGE of our own.
fn own_request(to: &str, from: String, headers: Headers, part: &BodyPart) -> OutRequest {
    let (_, body) = compose(std::slice::from_ref(part), "");
    OutRequest {
        method: Method::Message,
        uri: to.to_owned(),
        from,
        to: format!("<{to}>"),
        contact: None,
        headers,
        body: Some(body),
    }
}

fn name_of(collection: &Collection) -> (String, String) {
    (
        collection.request.message_id.clone(),
        collection.back.wrapped_sender.clone(),
    )
}
