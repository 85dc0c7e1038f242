//! The door for SUBSCRIBE and REFER: each is checked here and led to its conference.
//!
//! Both may come outside of any dialog, with an identity that a trusted neighbour asserts, and
//! inside the dialog of a participant, whose identity is known.
//!
//! # Spec
//! CONF-7.2.1.12, CTRL-7.2.1.7, CTRL-7.2.1.8; RFC 5057 s.4, RFC 6665 s.4.5.2; AMB-11, AMB-12.

use msrp_control::RoomId;

use crate::address::{NameAddr, Uri};
use crate::focus::Focus;
use crate::focus::admission::{Caller, check_extensions};
use crate::focus::conference::{Referral, Subscriber, Wish};
use crate::focus::conference_info::CONFERENCE_INFO;
use crate::focus::desk::Seat;
use crate::focus::headers::{tokens, wants_privacy};
use crate::focus::other_methods::answer_gone;
use crate::focus::refer::{Action, Reference, requires_list};
use crate::focus::refusal::Refusal;
use crate::focus::subscription::{EventName, Package, Place, read_expires};
use crate::multipart::media_type;
use crate::ua::{DialogId, Headers, Method, Peer, Request, TxnId};

/// A conference that an address names.
enum Named {
    /// It runs.
    Running(RoomId),
    /// A group that has no session now.
    IdleGroup,
    /// A session that has ended, or never was.
    NoSession,
    /// No conference of this node.
    Unknown,
}

impl Focus {
    /// A SUBSCRIBE or REFER outside of any dialog.
    pub(super) fn on_usage_outside(
        &mut self,
        now: u64,
        transaction: TxnId,
        request: &Request,
        peer: Peer,
    ) {
        let done = if request.method == Method::Subscribe {
            self.subscribe_outside(now, transaction, request, peer)
        } else {
            self.refer_outside(now, transaction, request, peer)
        };
        self.refuse_usage(transaction, done);
    }

    /// A SUBSCRIBE or REFER inside a dialog.
    pub(super) fn on_usage_inside(
        &mut self,
        now: u64,
        transaction: TxnId,
        dialog: DialogId,
        request: &Request,
        peer: Peer,
    ) {
        let done = if request.method == Method::Subscribe {
            self.subscribe_inside(now, transaction, dialog, request, peer)
        } else {
            self.refer_inside(now, transaction, dialog, request, peer)
        };
        self.refuse_usage(transaction, done);
    }

    fn refuse_usage(&mut self, transaction: TxnId, done: Result<bool, Refusal>) {
        match done {
            Ok(true) => {}
            Ok(false) => self.desk.answer(transaction, answer_gone()),
            Err(refusal) => {
                tracing::info!(
                    reason = refusal.word(),
                    status = refusal.status(),
                    "request refused"
                );
                self.desk.count_refusal(&refusal);
                self.desk.answer(transaction, refusal.answer(&self.policy));
            }
        }
    }

    /// # Spec
    /// CONF-7.2.1.12-01 to CONF-7.2.1.12-08; AMB-37.
    fn subscribe_outside(
        &mut self,
        now: u64,
        transaction: TxnId,
        request: &Request,
        peer: Peer,
    ) -> Result<bool, Refusal> {
        let caller = Caller::read(&self.policy, &request.headers, peer)?;
        let wish = self.read_wish(transaction, &request.headers)?;
        let room = match self.named(&request.uri) {
            Named::Running(room) => room,
            Named::IdleGroup => return Err(Refusal::FunctionForbidden),
            Named::NoSession | Named::Unknown => return Err(Refusal::UnknownAddress),
        };
        let subscriber = Subscriber {
            addresses: &caller.addresses,
            is_anonymous: caller.is_anonymous,
            transport: peer.transport,
        };
        self.with(now, &room, |c, env| {
            c.subscribe(wish, subscriber, Place::Unnamed, env)
        })
        .map_or(Ok(false), |done| done.map(|()| true))
    }

    fn subscribe_inside(
        &mut self,
        now: u64,
        transaction: TxnId,
        dialog: DialogId,
        request: &Request,
        peer: Peer,
    ) -> Result<bool, Refusal> {
        let wish = self.read_wish(transaction, &request.headers)?;
        let seat = self.desk.dialogs.get(&dialog).cloned();
        let watched = self.desk.watchers.get(&dialog).cloned();
        let Some(room) = seat.as_ref().map(|s| s.room.clone()).or(watched) else {
            return Ok(false);
        };
        self.with(now, &room, |c, env| {
            if c.resubscribe(&wish, dialog, env) {
                return Ok(true);
            }
            let Some(Seat { key, .. }) = seat else {
                // A dialog of subscriptions serves those that it was made for.
                return Ok(false);
            };
            if wish.event.package == Package::Refer {
                return Err(Refusal::FunctionForbidden);
            }
            c.subscribe_participant(key, wish, dialog, peer.transport, env)
                .map(|()| true)
        })
        .unwrap_or(Ok(false))
    }

    fn read_wish(&self, transaction: TxnId, headers: &Headers) -> Result<Wish, Refusal> {
        if self.is_draining {
            return Err(Refusal::Draining);
        }
        let event = EventName::read(headers)?;
        check_extensions(headers)?;
        if event.package == Package::Conference && !reads_conference_info(headers) {
            return Err(Refusal::NothingToRead);
        }
        Ok(Wish {
            transaction,
            expires_s: read_expires(headers)?,
            event,
        })
    }

    /// # Spec
    /// CTRL-7.2.1.7-01, CTRL-7.2.1.8-09; AMB-11.
    fn refer_outside(
        &mut self,
        now: u64,
        transaction: TxnId,
        request: &Request,
        peer: Peer,
    ) -> Result<bool, Refusal> {
        let caller = Caller::read(&self.policy, &request.headers, peer)?;
        let reference = self.read_reference(request)?;
        let room = match self.named(&request.uri) {
            Named::Running(room) => room,
            Named::NoSession if reference.action == Action::Add => return Err(Refusal::NoSession),
            Named::NoSession | Named::IdleGroup => return Err(Refusal::FunctionForbidden),
            Named::Unknown => return Err(Refusal::UnknownAddress),
        };
        self.with(now, &room, |c, env| {
            let referrer = c
                .attendee(&caller.addresses)
                .ok_or(Refusal::FunctionForbidden)?;
            let referral = Referral {
                transaction,
                referrer,
                place: Place::Unnamed,
                transport: peer.transport,
                number: String::new(),
                hidden_from: caller.is_anonymous.then_some(caller.from),
                reference,
            };
            c.refer(&referral, env).map(|()| true)
        })
        .unwrap_or(Ok(false))
    }

    fn refer_inside(
        &mut self,
        now: u64,
        transaction: TxnId,
        dialog: DialogId,
        request: &Request,
        peer: Peer,
    ) -> Result<bool, Refusal> {
        let Some(seat) = self.desk.dialogs.get(&dialog).cloned() else {
            return Ok(false);
        };
        let reference = self.read_reference(request)?;
        let from = request.headers.first("From").map(NameAddr::parse);
        let hidden_from = match from {
            Some(Ok(from)) if wants_privacy(&request.headers) => Some(from),
            Some(_) | None => None,
        };
        let number = request.headers.first("CSeq").unwrap_or_default();
        let number = number.split_whitespace().next().unwrap_or_default();
        let referral = Referral {
            transaction,
            referrer: seat.key,
            place: Place::Shared(dialog, seat.key),
            transport: peer.transport,
            number: number.to_owned(),
            hidden_from,
            reference,
        };
        self.with(now, &seat.room, |c, env| c.refer(&referral, env))
            .map_or(Ok(false), |done| done.map(|()| true))
    }

    fn read_reference(&self, request: &Request) -> Result<Reference, Refusal> {
        if self.is_draining {
            return Err(Refusal::Draining);
        }
        check_extensions(&request.headers)?;
        let reference = Reference::read(request)?;
        // Without its part a list cannot be required.
        if requires_list(&request.headers) && !reference.is_list {
            return Err(Refusal::MalformedHeader("Refer-To"));
        }
        Ok(reference)
    }

    fn named(&self, uri: &str) -> Named {
        let Ok(target) = Uri::parse(uri) else {
            return Named::Unknown;
        };
        let room = match self.groups.group(&target).filter(|g| g.supports_im) {
            Some(group) => match self.group_rooms.get(&group.uri.key()) {
                Some(room) => room.clone(),
                None => return Named::IdleGroup,
            },
            None => match self.session_of(&target) {
                Some(room) => room,
                None => return Named::Unknown,
            },
        };
        let is_open = self.conferences.get(&room).is_some_and(|c| c.is_open());
        if is_open {
            Named::Running(room)
        } else {
            Named::NoSession
        }
    }
}

/// Whether a subscriber takes the documents of the package.
///
/// # Spec
/// RFC 4575 s.3.4.
fn reads_conference_info(headers: &Headers) -> bool {
    let mut types = tokens(headers, "Accept").map(media_type).peekable();
    types.peek().is_none()
        || types.any(|t| [CONFERENCE_INFO, "application/*", "*/*"].contains(&t.as_str()))
}
