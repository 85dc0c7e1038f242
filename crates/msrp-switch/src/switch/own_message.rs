//! Messages of the switch itself.

use std::rc::Rc;

use bytes::Bytes;
use msrp_session::{Coverage, PieceBody, PieceFields};
use msrp_wire::{
    ByteRange, ContentType, ContentTypeBuf, ContinuationFlag, FailureReport, RelayedHeadersBuf,
    SuccessReport, cpim,
};

use super::{Output, Switch};
use crate::ahead::Ahead;
use crate::content_class::ContentClass;
use crate::kind::Kind;
use crate::ledger::Outcome;
use crate::leg::{Leg, LegKey};
use crate::limits::{DISPLAY_NAME_OCTETS_MAX, OWN_MESSAGE_OCTETS_MAX};
use crate::message::{Message, MessageKey, Stage};
use crate::own_message::{MessageTo, OwnMessage, OwnMessageError};
use crate::relay::{Held, Relay};
use crate::room::RoomKey;

impl Switch {
    /// Sends a message of the switch itself: one SEND for each recipient, in a wrapper that names
    /// that recipient alone. The pieces ask for answers as all others do, and their copies are
    /// settled in the same way. Who cannot take the type or the size is left out and counted as
    /// refused.
    ///
    /// # Errors
    /// [`OwnMessageError`]; nobody gets anything then.
    ///
    /// # Spec
    /// SYS-7.2.3.5-01 to -06; AMB-32.
    pub fn send_message(
        &mut self,
        room: RoomKey,
        message: &OwnMessage,
    ) -> Result<(), OwnMessageError> {
        let addressed = self.addressed(room, message)?;
        let inner = message.content_type.as_content_type();
        let kind = self
            .rooms
            .get_mut(room.0)
            .and_then(|room| room.kinds.number(&inner));
        let mut bodies = Vec::new();
        for &key in &addressed {
            if let Some(body) = self.body_for(room, key, message, kind) {
                bodies.push((key, body));
            }
        }
        let to: Vec<LegKey> = bodies.iter().map(|(key, _)| *key).collect();
        let length = |body: &PieceBody| body.iter().map(|slice| slice.len() as u64).sum();
        let octets = bodies.iter().map(|(_, body)| length(body)).max();
        let new = NewOwn {
            room,
            kind,
            class: ContentClass::of(&inner),
            octets: octets.unwrap_or_default(),
            withheld: addressed.len().saturating_sub(to.len()),
        };
        let key = self
            .insert_own(&new, &to)
            .ok_or(OwnMessageError::TooManyMessages)?;
        for (leg, body) in bodies {
            self.write_own(leg, key, body);
        }
        self.check_invariants_in_debug();
        Ok(())
    }

    /// Who is meant; nobody twice.
    fn addressed(
        &self,
        room: RoomKey,
        message: &OwnMessage,
    ) -> Result<Vec<LegKey>, OwnMessageError> {
        if message.body.len() > OWN_MESSAGE_OCTETS_MAX {
            return Err(OwnMessageError::BodyTooLong);
        }
        let name = message.from_display_name.as_deref().unwrap_or_default();
        if name.len() > DISPLAY_NAME_OCTETS_MAX {
            return Err(OwnMessageError::DisplayNameTooLong);
        }
        let legs = self.rooms.get(room.0).map(|room| &room.legs);
        let legs = legs.ok_or(OwnMessageError::NoSuchRoom)?;
        let wanted = match &message.to {
            MessageTo::Room => None,
            MessageTo::Legs(wanted) => Some(wanted),
        };
        if wanted.is_some_and(|wanted| wanted.iter().any(|key| !legs.contains(key))) {
            return Err(OwnMessageError::NoSuchLeg);
        }
        let is_wanted = |key: &&LegKey| wanted.is_none_or(|wanted| wanted.contains(key));
        let has_joined = |key: &&LegKey| self.legs.get(key.0).is_some_and(|leg| leg.is_joined);
        let addressed = legs.iter().filter(is_wanted).filter(has_joined);
        Ok(addressed.copied().collect())
    }

    /// The message in its wrapper for one recipient. `None` when that cannot take it.
    fn body_for(
        &self,
        room: RoomKey,
        key: LegKey,
        message: &OwnMessage,
        kind: Option<Kind>,
    ) -> Option<PieceBody> {
        let leg = self.legs.get(key.0)?;
        let inner = message.content_type.as_content_type();
        let has_refused = kind.is_some_and(|kind| leg.refused_kinds.contains(kind));
        if !leg.may_receive || !leg.acceptance.takes(Some(&inner)) || has_refused {
            return None;
        }
        let from = cpim::Address {
            display: message.from_display_name.as_deref(),
            uri: &self.rooms.get(room.0)?.uri,
        };
        let head = head_for(leg, from, inner, &message.datetime);
        let octets = head.len().saturating_add(message.body.len()) as u64;
        leg.acceptance
            .fits(octets)
            .then(|| PieceBody::from_iter([Bytes::from(head), message.body.clone()]))
    }

    /// Opens a copy for each recipient. `None` when there is no room for one more message.
    fn insert_own(&mut self, new: &NewOwn, to: &[LegKey]) -> Option<MessageKey> {
        let id = self.ids.message_id();
        let mut coverage = Coverage::new();
        // One range leaves no hole.
        let _ = coverage.add(0, new.octets);
        let message = Message {
            sender: None,
            id,
            relayed_id: id,
            success_report: SuccessReport::No,
            failure_report: FailureReport::No,
            relayed: Rc::new(RelayedHeadersBuf::default()),
            content_type: Rc::new(ContentType::MESSAGE_CPIM.to_buf()),
            kind: new.kind,
            class: new.class,
            coverage,
            announced_total: None,
            counted_total: None,
            held: Held::default(),
            ahead: Ahead::default(),
            is_dirty: false,
            heard: None,
            report: None,
            tally: self.tally(new.room, Some(new.class)),
            stage: Stage::Relaying(Relay::of_own(to.to_vec())),
        };
        let key = MessageKey(self.messages.insert(message)?);
        self.sums.open(to.len().saturating_add(new.withheld) as u64);
        for _ in 0..new.withheld {
            self.settle_sums(key, Outcome::Refused);
        }
        for leg in to {
            if let Some(leg) = self.legs.get_mut(leg.0) {
                leg.receiving.push(key);
            }
        }
        if to.is_empty() {
            self.forget(key);
        }
        Some(key)
    }

    fn write_own(&mut self, leg: LegKey, key: MessageKey, body: PieceBody) {
        let Some(message) = self.messages.get(key.0) else {
            return;
        };
        let octets = body.iter().fold(0, |octets: u64, slice| {
            octets.saturating_add(slice.len() as u64)
        });
        let content_type: &Rc<ContentTypeBuf> = &message.content_type;
        let fields = PieceFields {
            message_id: message.relayed_id,
            byte_range: ByteRange {
                start: 1,
                end: Some(octets),
                total: Some(octets),
            },
            success_report: SuccessReport::No,
            failure_report: self.failure_report,
            relayed: Rc::clone(&message.relayed),
            content_type: Rc::clone(content_type),
            flag: ContinuationFlag::Last,
        };
        let (kind, class) = (message.kind, message.class);
        self.outputs.push_back(Output::Piece {
            fields,
            body,
            to: Rc::new(vec![leg]),
            message: key,
            is_last: true,
            sender: None,
            kind,
            class,
        });
    }
}

/// What is known of a message of the switch before it has a place.
struct NewOwn {
    room: RoomKey,
    kind: Option<Kind>,
    class: ContentClass,
    /// Of the longest copy.
    octets: u64,
    /// Recipients that cannot take it.
    withheld: usize,
}

/// The wrapper's headers and those of the content. To is the recipient's first address: the
/// authenticated one, or the alias of a hidden participant.
fn head_for(leg: &Leg, from: cpim::Address<'_>, inner: ContentType<'_>, datetime: &str) -> Vec<u8> {
    let to = leg.names().first().map_or("", |name| name.as_str());
    let to = [cpim::Address::of(to)];
    let mut wrapper = cpim::NewWrapper::new(from, &to, inner, b"");
    wrapper.datetime = Some(datetime);
    let mut head = Vec::new();
    cpim::write(&mut head, &wrapper);
    head
}
