//! The door for MESSAGE: each is checked here and led to its recipients.
//!
//! Who it is comes first, then what is in the body, then the address: a list, a group or a running
//! session, each with its own rules.
//!
//! # Spec
//! PGR-8.3.1.1; RFC 3428 s.8, RFC 5365 s.7.1; AMB-11, AMB-12, AMB-50.

use crate::address::{AddressError, Uri, write_name_addr};
use crate::focus::Focus;
use crate::focus::admission::{Caller, check_extensions};
use crate::focus::headers::{SOFTWARE, has_token};
use crate::focus::pager::collection::{Collection, ReturnAddress};
use crate::focus::pager::explosion::{Behalf, Explosion, Recipient};
use crate::focus::pager::history::{self, ANONYMOUS};
use crate::focus::pager::imdn;
use crate::focus::pager::payload::{BodyPart, Payload};
use crate::focus::refusal::Refusal;
use crate::groups::{Caller as GroupCaller, Group};
use crate::limits::MESSAGE_DATAGRAM_OCTETS_MAX;
use crate::resource_lists::{self, Marked};
use crate::ua::{Answer, DialogId, Headers, Peer, Request, Transport, TxnId};

/// A MESSAGE whose address was found.
struct Addressed {
    behalf: Behalf,
    recipients: Vec<Recipient>,
    /// What the recipients are shown of each other.
    history: Option<String>,
    allows_anonymity: bool,
}

impl Focus {
    /// A MESSAGE, inside the dialog of a participant or outside of any.
    pub(in crate::focus) fn on_message(
        &mut self,
        now: u64,
        transaction: TxnId,
        dialog: Option<DialogId>,
        request: &Request,
        peer: Peer,
    ) {
        let answer = match self.take_message(now, dialog, request, peer) {
            Ok(()) => accepted(),
            Err(refusal) => {
                tracing::info!(
                    reason = refusal.word(),
                    status = refusal.status(),
                    "message refused"
                );
                self.desk.count_refusal(&refusal);
                refusal.answer(&self.policy)
            }
        };
        self.desk.answer(transaction, answer);
        self.send_messages(now);
    }

    fn take_message(
        &mut self,
        now: u64,
        dialog: Option<DialogId>,
        request: &Request,
        peer: Peer,
    ) -> Result<(), Refusal> {
        let caller = self.message_caller(dialog, request, peer)?;
        if self.is_draining {
            return Err(Refusal::Draining);
        }
        if !self.policy.pager.lists && has_token(&request.headers, "Require", LIST_EXTENSION) {
            return Err(Refusal::ListsForbidden);
        }
        check_extensions(&request.headers)?;
        let octets = request.body.as_ref().map_or(0, |b| b.octets.len());
        if peer.transport == Transport::Udp && octets > MESSAGE_DATAGRAM_OCTETS_MAX {
            return Err(Refusal::TooLargeForUdp);
        }
        let payload = Payload::read(request)?;
        let target = Uri::parse(&request.uri).map_err(|error| match error {
            AddressError::Scheme => Refusal::UnknownScheme,
            _ => Refusal::UnknownAddress,
        })?;
        if target.user().is_none() && self.policy.owns(&target) {
            return self.take_answer(&caller);
        }
        if self.pager.blocks(&caller.addresses) {
            return Err(Refusal::AccessBlocked);
        }
        if let [part] = payload.parts.as_slice()
            && let Some(notification) = imdn::Notification::read(part)?
        {
            return self.on_notification(now, &target, &caller, request, part, &notification);
        }
        let addressed = self.address(&target, &caller, &payload)?;
        if caller.is_anonymous && !addressed.allows_anonymity {
            return Err(Refusal::AnonymityForbidden);
        }
        if addressed.recipients.len() > self.policy.pager.recipients_max {
            return Err(Refusal::TooManyParticipants);
        }
        self.explode(now, &target, &caller, request, payload.parts, addressed)
    }

    /// What is sent to the server itself answers a message of the server.
    ///
    /// # Spec
    /// TMR-15.1-01.
    fn take_answer(&mut self, caller: &Caller) -> Result<(), Refusal> {
        if self.pager.supervision.on_answer(&caller.addresses) {
            Ok(())
        } else {
            Err(Refusal::UnknownAddress)
        }
    }

    /// Inside the dialog of a participant the sender may be hidden.
    fn message_caller(
        &self,
        dialog: Option<DialogId>,
        request: &Request,
        peer: Peer,
    ) -> Result<Caller, Refusal> {
        let mut caller = Caller::read(&self.policy, &request.headers, peer)?;
        let seat = dialog.and_then(|dialog| self.desk.dialogs.get(&dialog));
        if let Some(seat) = seat
            && let Some(conference) = self.conferences.get(&seat.room)
        {
            caller.is_anonymous |= conference.is_hidden(seat.key);
        }
        Ok(caller)
    }

    /// The rules of the address.
    fn address(
        &self,
        target: &Uri,
        caller: &Caller,
        payload: &Payload,
    ) -> Result<Addressed, Refusal> {
        let factories = self.policy.conference_factory.iter();
        let mut exploders = factories.chain(&self.policy.pager.exploder);
        if payload.list.is_some() && !self.policy.pager.lists {
            return Err(Refusal::ListsForbidden);
        }
        if exploders.any(|e| e.is_same(target)) {
            return self.address_list(payload);
        }
        if let Some(group) = self.groups.group(target) {
            return address_group(&group, caller);
        }
        match self.session_of(target) {
            Some(_) => self.address_session(target, caller),
            None => Err(Refusal::UnknownAddress),
        }
    }

    /// # Spec
    /// PGR-8.3.2.1-09, PGR-8.3.2.1-13.
    fn address_list(&self, payload: &Payload) -> Result<Addressed, Refusal> {
        if !self.policy.pager.lists {
            return Err(Refusal::ListsForbidden);
        }
        let octets = payload
            .list
            .as_ref()
            .ok_or_else(|| Refusal::MalformedBody("The MESSAGE has no resource list".into()))?;
        let list = resource_lists::parse_marked(octets)
            .map_err(|e| Refusal::MalformedBody(e.to_string()))?;
        let list = history::distinct(list);
        if list.is_empty() {
            return Err(Refusal::MalformedBody(
                "The resource list names no recipient".into(),
            ));
        }
        let recipient = |marked: &Marked| Recipient {
            uri: marked.entry.uri.clone(),
            is_hidden: false,
        };
        Ok(Addressed {
            behalf: Behalf::Sender,
            recipients: list.iter().map(recipient).collect(),
            history: history::write(&list).filter(|_| self.policy.pager.recipient_history),
            allows_anonymity: self.policy.anonymity,
        })
    }

    /// # Spec
    /// PGR-8.3.1.1-04, PGR-8.3.2.1-11.
    fn address_session(&self, target: &Uri, caller: &Caller) -> Result<Addressed, Refusal> {
        let conference = self
            .session_of(target)
            .and_then(|room| self.conferences.get(&room))
            .filter(|c| c.is_open())
            .ok_or(Refusal::NoSession)?;
        let sender = conference
            .attendee(&caller.addresses)
            .ok_or(Refusal::MessageForbidden)?;
        Ok(Addressed {
            behalf: Behalf::Conference(format!("<{target}>")),
            recipients: conference.others(sender),
            history: None,
            allows_anonymity: conference.allows_anonymity(&caller.addresses, &self.policy),
        })
    }

    /// Begins to gather the notifications of a message.
    ///
    /// # Spec
    /// PGR-8.3.1.1-10.
    fn gather_for(
        &mut self,
        now: u64,
        explosion: &mut Explosion,
        wish: imdn::Request,
        back: ReturnAddress,
    ) -> Result<(), Refusal> {
        explosion.returns_to = Some(back.own.clone());
        let policy = &self.policy.pager;
        let recipients = explosion.recipients.iter();
        let collection = Collection::new(
            wish,
            back,
            recipients.map(|r| (&r.uri, r.is_hidden)),
            policy.notification_wait_s,
            policy.notification_restarts,
            now,
        );
        explosion.collection = Some(self.pager.gather(now, collection)?);
        Ok(())
    }

    /// # Spec
    /// PGR-8.3.1.1-11.
    fn explode(
        &mut self,
        now: u64,
        target: &Uri,
        caller: &Caller,
        request: &Request,
        mut parts: Vec<BodyPart>,
        addressed: Addressed,
    ) -> Result<(), Refusal> {
        let wrapped = parts.iter().find(|p| p.is_wrapped()).cloned();
        let wish = match &wrapped {
            Some(part) => imdn::Request::read(part)?,
            None => None,
        };
        if let Some(text) = addressed.history {
            parts.push(BodyPart {
                content_type: crate::focus::admission::LIST.to_owned(),
                fields: Headers::new().with(
                    "Content-Disposition",
                    "recipient-list-history; handling=optional",
                ),
                octets: text.into_bytes(),
            });
        }
        let mut explosion = Explosion::new(
            caller,
            addressed.behalf,
            &request.headers,
            parts,
            addressed.recipients,
            self.desk.draw_name(),
        );
        let count = explosion.recipients.len();
        if !self.pager.queue.has_room(count, explosion.octets()) {
            return Err(Refusal::Overloaded);
        }
        if let Some(wish) = wish.filter(|_| count > 0) {
            let of_wrapper = wrapped.as_ref().and_then(imdn::sender);
            let back = ReturnAddress {
                sender: caller.address().to_owned(),
                wrapped_sender: of_wrapper
                    .filter(|_| !caller.is_anonymous)
                    .unwrap_or_else(|| ANONYMOUS.to_owned()),
                own: target.as_str().to_owned(),
            };
            self.gather_for(now, &mut explosion, wish, back)?;
        }
        tracing::info!(
            recipients = count,
            octets = explosion.octets(),
            "message accepted"
        );
        self.pager.queue.push_copies(caller.address(), explosion);
        Ok(())
    }
}

/// # Spec
/// PGR-8.3.1.1-03, PGR-8.3.1.1-06, PGR-8.3.1.1-08, PGR-8.3.2.1-10; AMB-43, AMB-44.
fn address_group(group: &Group, caller: &Caller) -> Result<Addressed, Refusal> {
    if !group.supports_pager {
        return Err(Refusal::UnknownAddress);
    }
    let rights = group.rights(&GroupCaller {
        addresses: &caller.addresses,
        is_anonymous: caller.is_anonymous,
    });
    if !rights.initiate {
        return Err(Refusal::MessageForbidden);
    }
    if group.is_age_restricted {
        return Err(Refusal::AgeUnknown);
    }
    let mut seen = std::collections::HashSet::new();
    let members = group.members.iter().map(|m| &m.uri);
    let recipients = members.filter(|uri| !caller.is(uri) && seen.insert(uri.key()));
    Ok(Addressed {
        behalf: Behalf::Conference(write_name_addr(
            group.display_name.as_deref(),
            group.uri.as_str(),
        )),
        recipients: recipients
            .map(|uri| Recipient {
                uri: uri.clone(),
                is_hidden: !rights.conference_state,
            })
            .collect(),
        history: None,
        allows_anonymity: rights.anonymity,
    })
}

/// # Spec
/// PGR-8.3.1.1-12.
fn accepted() -> Answer {
    Answer {
        status: 202,
        reason: None,
        headers: Headers::new().with("Server", SOFTWARE),
        body: None,
    }
}

/// The extension of MESSAGEs with a list.
const LIST_EXTENSION: &str = "recipient-list-message";
