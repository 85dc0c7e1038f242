//! Dialogs (RFC 3261 s.12): who, by which way, with which numbers.
//!
//! ```text
//!            INVITE in                        INVITE out
//!                |                                |
//!              Early  --- final >= 300 ---> (gone) <--- Early
//!                | our 2xx                        | their 2xx, ACK sent
//!                v                                v
//!      Up, unacked ------- ACK ----------------> Up
//!                |                                |
//!                +-- no ACK in 64 T1: BYE --+     | BYE, ours
//!                                           v     v
//!                          (gone) <------- Ending
//! ```

use std::collections::HashMap;

use rsipstack::transaction::key::TransactionKey;

use super::draft::{Contact, Draft};
use super::net::ConnectionId;
use super::screen::Ids;
use super::value::{self, NameAddr};
use crate::ua::{Body, DialogId, Headers, Method, TxnId};

/// One dialog.
#[derive(Debug, Clone)]
pub(super) struct Dialog {
    /// Its name.
    pub(super) id: DialogId,
    /// Its Call-ID.
    pub(super) call_id: String,
    /// Our From or To value with its tag.
    pub(super) local: String,
    /// Our tag.
    pub(super) local_tag: String,
    /// The peer's From or To value, with its tag when that is known.
    pub(super) remote: String,
    /// The peer's tag; empty when the peer has none.
    pub(super) remote_tag: Option<String>,
    /// The number of our last request.
    pub(super) local_cseq: u32,
    /// The number of the peer's last request.
    pub(super) remote_cseq: Option<u32>,
    /// The route set: Route values in order.
    pub(super) routes: Vec<String>,
    /// The remote target.
    pub(super) target: String,
    /// Our Contact.
    pub(super) contact: Contact,
    /// The connection on which the peer was last heard: the way back when its target is out of
    /// reach.
    pub(super) heard_on: Option<ConnectionId>,
    /// Where it stands.
    pub(super) phase: Phase,
    /// The INVITE of the peer that has no ACK of our 2xx yet.
    pub(super) unacked: Option<Unacked>,
    /// Whether the ACK of the first INVITE has been told.
    pub(super) told: bool,
    /// An INVITE of the peer inside the dialog that has no final response.
    pub(super) invite_in: Option<TxnId>,
    /// Whether an INVITE of ours inside the dialog has no final response.
    pub(super) invite_out: bool,
    /// The peer's requests that have no final response.
    pub(super) pending: Vec<TxnId>,
    /// A BYE of ours that waits for the ACK (RFC 3261 s.15).
    pub(super) held_bye: Option<(TxnId, Headers)>,
}

/// Where a dialog stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Phase {
    /// The peer's INVITE has no final response.
    Offered(TxnId),
    /// Our INVITE has no final response. The flag says that nobody wants the dialog any more.
    Calling {
        /// Whether the focus has ended it already.
        unwanted: bool,
    },
    /// There is a 2xx.
    Up,
    /// Our BYE has no response.
    Ending,
}

/// A 2xx of ours that waits for its ACK.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unacked {
    /// The number of the INVITE.
    pub(super) cseq: u32,
    /// Its transaction.
    pub(super) key: TransactionKey,
}

impl Dialog {
    /// The dialog that a request of a peer makes.
    pub(super) fn offered(
        id: DialogId,
        ids: &Ids,
        local_tag: String,
        headers: &Headers,
        phase: Phase,
    ) -> Self {
        let from = NameAddr::read(&ids.from).map_or("", |from| from.uri);
        let contact = headers.first("Contact").and_then(contact_uri);
        Self {
            id,
            call_id: ids.call_id.clone(),
            local: format!("{};tag={local_tag}", ids.to),
            local_tag,
            remote: ids.from.clone(),
            remote_tag: Some(ids.from_tag.clone()),
            local_cseq: 0,
            remote_cseq: Some(ids.cseq),
            routes: record_routes(headers),
            target: contact.unwrap_or_else(|| from.to_owned()),
            contact: Contact::Ours,
            heard_on: None,
            phase,
            unacked: None,
            told: false,
            invite_in: None,
            invite_out: false,
            pending: Vec::new(),
            held_bye: None,
        }
    }

    /// The dialog that a request of ours will make.
    pub(super) fn calling(id: DialogId, draft: &Draft, local_tag: String) -> Self {
        Self {
            id,
            call_id: draft.call_id.clone(),
            local: draft.from.clone(),
            local_tag,
            remote: draft.to.clone(),
            remote_tag: None,
            local_cseq: draft.cseq,
            remote_cseq: None,
            routes: Vec::new(),
            target: draft.uri.clone(),
            contact: draft.contact.clone(),
            heard_on: None,
            phase: Phase::Calling { unwanted: false },
            unacked: None,
            told: true,
            invite_in: None,
            invite_out: false,
            pending: Vec::new(),
            held_bye: None,
        }
    }

    /// Takes the peer's tag, its target and the route set from a response to our INVITE (RFC 3261
    /// s.12.1.2). The last response counts: a 2xx settles what an early dialog guessed.
    pub(super) fn learn(&mut self, ids: &Ids, headers: &Headers) {
        self.remote.clone_from(&ids.to);
        self.remote_tag = Some(ids.to_tag.clone().unwrap_or_default());
        self.routes = record_routes(headers);
        self.routes.reverse();
        self.refresh(headers);
    }

    /// Takes a new remote target, if the message brings one (RFC 3261 s.12.2.1.2, s.12.2.2).
    pub(super) fn refresh(&mut self, headers: &Headers) {
        if let Some(target) = headers.first("Contact").and_then(contact_uri) {
            self.target = target;
        }
    }

    /// The next request of ours. A Contact in `headers` becomes the dialog's.
    pub(super) fn request(
        &mut self,
        method: Method,
        headers: Headers,
        body: Option<Body>,
    ) -> Draft {
        let given = headers
            .first("Contact")
            .map(|c| Contact::Given(c.to_owned()));
        let contact = if refreshes_target(&method) {
            self.contact = given.unwrap_or_else(|| self.contact.clone());
            self.contact.clone()
        } else {
            given.unwrap_or(Contact::Absent)
        };
        self.local_cseq = self.local_cseq.saturating_add(1);
        self.draft(method, self.local_cseq, contact, headers, body)
    }

    /// The ACK of a 2xx to our INVITE with this number.
    pub(super) fn ack(&self, cseq: u32) -> Draft {
        self.draft(Method::Ack, cseq, Contact::Absent, Headers::new(), None)
    }

    fn draft(
        &self,
        method: Method,
        cseq: u32,
        contact: Contact,
        headers: Headers,
        body: Option<Body>,
    ) -> Draft {
        let mut draft = Draft {
            method,
            uri: String::new(),
            routes: Vec::new(),
            is_strict: false,
            call_id: self.call_id.clone(),
            from: self.local.clone(),
            to: self.remote.clone(),
            cseq,
            contact,
            headers,
            body,
        };
        draft.route(&self.target, &self.routes);
        draft
    }

    /// Whether a request with these values is inside the dialog.
    fn has(&self, ids: &Ids) -> bool {
        self.remote_tag.as_deref() == Some(ids.from_tag.as_str())
    }
}

/// Requests whose Contact is the new remote target, and whose 2xx carries one.
pub(super) fn refreshes_target(method: &Method) -> bool {
    matches!(
        method,
        Method::Invite | Method::Update | Method::Subscribe | Method::Notify | Method::Refer
    )
}

/// The URI of a Contact value; the first when there are several.
pub(super) fn contact_uri(value: &str) -> Option<String> {
    let first = value::list(value).next()?;
    let uri = NameAddr::read(first)?.uri;
    value::is_uri(uri).then(|| uri.to_owned())
}

/// The Record-Route values in order.
pub(super) fn record_routes(headers: &Headers) -> Vec<String> {
    headers
        .all("Record-Route")
        .flat_map(value::list)
        .map(str::to_owned)
        .collect()
}

/// All dialogs.
#[derive(Debug, Default)]
pub(super) struct Dialogs {
    by_id: HashMap<DialogId, Dialog>,
    by_tag: HashMap<(String, String), DialogId>,
}

impl Dialogs {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Adds a dialog.
    pub(super) fn insert(&mut self, dialog: Dialog) {
        let tag = (dialog.call_id.clone(), dialog.local_tag.clone());
        self.by_tag.insert(tag, dialog.id);
        self.by_id.insert(dialog.id, dialog);
    }

    /// The dialog of this name.
    pub(super) fn get_mut(&mut self, id: DialogId) -> Option<&mut Dialog> {
        self.by_id.get_mut(&id)
    }

    /// Forgets a dialog.
    pub(super) fn remove(&mut self, id: DialogId) -> Option<Dialog> {
        let dialog = self.by_id.remove(&id)?;
        let tag = (dialog.call_id.clone(), dialog.local_tag.clone());
        self.by_tag.remove(&tag);
        Some(dialog)
    }

    /// The dialog that a request of a peer is inside of.
    pub(super) fn find(&mut self, ids: &Ids) -> Option<&mut Dialog> {
        let tag = (ids.call_id.clone(), ids.to_tag.clone()?);
        let id = self.by_tag.get(&tag)?;
        self.by_id.get_mut(id).filter(|dialog| dialog.has(ids))
    }
}
