//! A leg: one participant's MSRP session with the switch.

use std::rc::Rc;

use msrp_session::{Key, RareVec, Timestamp};
use msrp_wire::{FailureReport, Identity, MessageId};
use smallvec::SmallVec;

use crate::acceptance::Acceptance;
use crate::bridge::Bridged;
use crate::final_report::ReportKey;
use crate::kind::KindSet;
use crate::message::MessageKey;
use crate::rate::{Pace, Paid};
use crate::room::RoomKey;
use crate::told::LegSums;

/// Names a leg of a [`Switch`](crate::Switch).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LegKey(pub(crate) Key);

impl LegKey {
    /// The slot number: dense, small, used again after the leg is gone.
    #[must_use]
    pub fn index(self) -> usize {
        self.0.index()
    }
}

/// Who a participant is for the others, and what it may do. May change while its session runs.
#[derive(Debug, Clone)]
pub struct Participant {
    /// The addresses that its CPIM From may have, and by which others name it. Of a hidden
    /// participant the first is its alias, and others name it by that alone; From may have one of
    /// the rest while no other leg of the room has it (AMB-26).
    pub identities: Vec<Identity>,
    /// The address by which the others know it, at most
    /// [`REPORT_URI_OCTETS_MAX`](crate::limits::REPORT_URI_OCTETS_MAX) octets. Final reports name it.
    pub entity: String,
    /// Whether it takes part under an alias. What leaves of its messages carries nothing that its
    /// client made except the message itself.
    pub is_hidden: bool,
    /// Whether it may write to single participants.
    pub may_send_private: bool,
    /// Whether its client showed a release that takes private messages. The token in its session
    /// description does as well ([`Acceptance::with_private_messages`], AMB-31).
    pub shows_release: bool,
}

/// Who the participant of a leg is, and what its session takes.
#[derive(Debug, Clone)]
pub struct LegSpec {
    /// Who it is.
    pub participant: Participant,
    /// Types and sizes it takes.
    pub acceptance: Acceptance,
    /// Whether its session description lets it send.
    pub may_send: bool,
    /// Whether its session description lets it receive.
    pub may_receive: bool,
}

/// One participant's MSRP session with the switch.
#[derive(Debug)]
pub struct Leg {
    pub(crate) room: RoomKey,
    pub(crate) identities: SmallVec<[Identity; 1]>,
    pub(crate) entity: Rc<str>,
    pub(crate) is_hidden: bool,
    pub(crate) may_send_private: bool,
    shows_release: bool,
    pub(crate) acceptance: Acceptance,
    pub(crate) may_send: bool,
    pub(crate) may_receive: bool,
    /// Whether the controller took the word from it.
    pub(crate) is_muted: bool,
    /// Whether a message of it was relayed.
    pub(crate) has_sent: bool,
    /// Whether it gets the messages that start from now on.
    pub(crate) is_joined: bool,
    /// The chunk that is arriving on it.
    pub(crate) chunk: OpenChunk,
    /// Which answers the sender of that chunk wants.
    pub(crate) chunk_failure_report: FailureReport,
    /// Messages that it has begun to send and not finished.
    pub(crate) sending: SmallVec<[(MessageId, MessageKey); 1]>,
    /// Messages of which it has an open copy.
    pub(crate) receiving: SmallVec<[MessageKey; 2]>,
    /// What it has still to report.
    pub(crate) awaited: RareVec<Awaited>,
    /// Final reports that it is to get.
    pub(crate) reports: RareVec<ReportKey>,
    /// Kinds of content that it has answered with 415.
    pub(crate) refused_kinds: KindSet,
    /// What is known of it as one half of a bridge.
    pub(crate) bridged: Option<Box<Bridged>>,
    /// What it has sent and got; nothing yet when it is not there.
    pub(crate) sums: Option<Box<LegSums>>,
    /// Its requests for nicknames.
    pub(crate) nicknames_paid: Paid,
    /// How often it may begin a message; `None` when nobody said so.
    pub(crate) pace: Option<Box<Pace>>,
}

/// A message of which a recipient has still to report what became of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Awaited {
    /// The id under which the recipient got it.
    pub(crate) id: MessageId,
    pub(crate) report: ReportKey,
    /// The recipient's place in the report.
    pub(crate) index: usize,
}

/// The chunk that is arriving on a leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OpenChunk {
    /// None.
    Closed,
    /// One without a message behind it: no body, to be answered with 200 at its end.
    Empty,
    /// One that has been answered with an error; its octets are dropped. With the refused
    /// message, if there is one to remember.
    Discarded(Option<MessageKey>),
    /// One of a message; `position` is that of the next octet, from zero.
    Of {
        /// The message.
        message: MessageKey,
        /// The position of the next octet in it.
        position: u64,
    },
}

impl Leg {
    /// What it has sent and got, to be counted on.
    pub(crate) fn sums(&mut self) -> &mut LegSums {
        self.sums.get_or_insert_with(no_sums)
    }

    pub(crate) fn new(room: RoomKey, spec: LegSpec) -> Self {
        let participant = spec.participant;
        Self {
            room,
            identities: participant.identities.into_iter().collect(),
            entity: participant.entity.into(),
            is_hidden: participant.is_hidden,
            may_send_private: participant.may_send_private,
            shows_release: participant.shows_release,
            acceptance: spec.acceptance,
            may_send: spec.may_send,
            may_receive: spec.may_receive,
            is_muted: false,
            has_sent: false,
            is_joined: false,
            chunk: OpenChunk::Closed,
            chunk_failure_report: FailureReport::Yes,
            sending: SmallVec::new(),
            receiving: SmallVec::new(),
            awaited: RareVec::default(),
            reports: RareVec::default(),
            refused_kinds: KindSet::default(),
            bridged: None,
            sums: None,
            nicknames_paid: Paid::default(),
            pace: None,
        }
    }

    /// It is somebody else from now on, or may do something else.
    pub(crate) fn update(&mut self, participant: Participant) {
        self.identities = participant.identities.into_iter().collect();
        self.entity = participant.entity.into();
        self.is_hidden = participant.is_hidden;
        self.may_send_private = participant.may_send_private;
        self.shows_release = participant.shows_release;
    }

    /// Who it is at present.
    pub(crate) fn participant(&self) -> Participant {
        Participant {
            identities: self.identities.to_vec(),
            entity: self.entity.as_ref().to_owned(),
            is_hidden: self.is_hidden,
            may_send_private: self.may_send_private,
            shows_release: self.shows_release,
        }
    }

    /// Whether this is one of its addresses.
    pub(crate) fn is(&self, identity: &Identity) -> bool {
        self.identities.contains(identity)
    }

    /// The addresses by which others name it: of a hidden participant the alias alone.
    pub(crate) fn names(&self) -> &[Identity] {
        if self.is_hidden {
            self.identities.get(..1).unwrap_or_default()
        } else {
            &self.identities
        }
    }

    /// Whether private messages may be sent to it.
    ///
    /// # Spec
    /// AMB-31.
    pub(crate) fn takes_private(&self) -> bool {
        self.shows_release || self.acceptance.takes_private
    }

    /// Whether both are sessions of one user. The first address decides: those behind it may be
    /// shared by several hidden participants.
    pub(crate) fn is_same_user(&self, other: &Self) -> bool {
        self.identities.first() == other.identities.first()
    }

    /// The unfinished message of this id.
    pub(crate) fn unfinished(&self, id: MessageId) -> Option<MessageKey> {
        self.sending
            .iter()
            .find(|(i, _)| *i == id)
            .map(|(_, key)| *key)
    }

    pub(crate) fn forget_sending(&mut self, message: MessageKey) {
        self.sending.retain(|(_, key)| *key != message);
    }

    /// What it has still to report under this id.
    pub(crate) fn awaited_under(&self, id: MessageId) -> Option<Awaited> {
        self.awaited.iter().find(|a| a.id == id).copied()
    }

    /// What it has still to report in this report.
    pub(crate) fn awaited_in(&self, report: ReportKey) -> Option<Awaited> {
        self.awaited.iter().find(|a| a.report == report).copied()
    }

    pub(crate) fn forget_awaited(&mut self, report: ReportKey) {
        self.awaited.retain(|awaited| awaited.report != report);
    }

    /// Whether the leg has an open copy of this message.
    pub(crate) fn has_copy(&self, message: MessageKey) -> bool {
        self.receiving.contains(&message)
    }

    /// Whether the leg had an open copy of this message; it has none afterwards.
    pub(crate) fn take_copy(&mut self, message: MessageKey) -> bool {
        match self.receiving.iter().position(|key| *key == message) {
            Some(position) => {
                // The oldest one, mostly: the next oldest has to be as near.
                self.receiving.remove(position);
                true
            }
            None => false,
        }
    }
}

/// What a leg begins with. Comes once for each, so it stays out of the way of all that counts.
#[cold]
#[inline(never)]
fn no_sums() -> Box<LegSums> {
    Box::default()
}

/// When octets that wait for more of their chunk must leave.
pub(crate) type HoldDeadline = Timestamp;
