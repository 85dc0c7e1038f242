//! Conferences that exist to deliver what their originator sends: a large message, or a file.
//!
//! ```text
//!   INVITE --> invitations --first acceptance--> 200 to the sender --> message --> BYE of the sender
//!                                                                                       |
//!       each recipient: BYE when it has acknowledged all; CANCEL when nothing is kept for it <-+
//! ```
//! The room keeps the beginning of the message for those who accept late. Who declines, is busy or does
//! not answer is told to the room, so that a final report names everybody who was invited.
//!
//! # Spec
//! LRG-9.3.1.1, LRG-9.3.1.2, LRG-9.3.1.3, LRG-9.3.2.1; FR-5.7.3-17; AMB-45 to AMB-47, AMB-78.

use msrp_control::{Command, ControlError, Delivery, LocalMedia, ParticipantId, Reply};
use msrp_sdp::Direction;

use crate::focus::conference::engine::reason;
use crate::focus::conference::{Conference, Env};
use crate::focus::desk::Asked;
use crate::focus::headers;
use crate::focus::media::Remote;
use crate::focus::participant::{Participant, State};
use crate::focus::refusal::Refusal;
use crate::ua::{Headers, Transport};

/// What is delivered.
///
/// # Spec
/// RFC 5547 s.6: a description with a file-selector is about one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A large message: clients are asked by the feature tag.
    Message,
    /// A file: clients see it in the session description.
    File,
}

impl Purpose {
    /// What an INVITE is for; `None` for a session in which people talk.
    pub(crate) fn of(headers: &Headers, offer: &Remote) -> Option<Self> {
        if headers::wants_large(headers) {
            Some(Self::Message)
        } else {
            offer.is_of_file().then_some(Self::File)
        }
    }
}

/// How far the delivery is.
#[derive(Debug)]
pub(crate) struct Delivering {
    purpose: Purpose,
    /// Whether content comes without a wrapper.
    pub(super) takes_bare: bool,
    /// Nothing more comes: those who are left follow when they have everything.
    is_serving: bool,
}

impl Delivering {
    pub(super) fn new(purpose: Purpose) -> Self {
        Self {
            purpose,
            takes_bare: false,
            is_serving: false,
        }
    }
}

impl Conference {
    /// Whether it exists to deliver what its originator sends.
    pub(crate) fn is_delivery(&self) -> bool {
        self.delivery.is_some()
    }

    /// Whether that is a large message.
    pub(super) fn is_large(&self) -> bool {
        let purpose = self.delivery.as_ref().map(|delivery| delivery.purpose);
        purpose == Some(Purpose::Message)
    }

    /// Our Contact towards peers of this transport.
    pub(super) fn contact(&self, transport: Option<Transport>, env: &Env<'_>) -> String {
        let transport = transport.unwrap_or(env.policy.outbound_transport);
        if self.is_large() {
            headers::large_contact(env.policy, self.room.as_str(), transport)
        } else {
            headers::focus_contact(env.policy, self.room.as_str(), transport)
        }
    }

    /// Tells the engine that the room delivers.
    ///
    /// # Spec
    /// AMB-47: content without a wrapper is relayed only when the sender's offer has no wrapper.
    pub(super) fn set_delivery(&mut self, offer: &Remote, env: &mut Env<'_>) {
        let Some(delivering) = &mut self.delivery else {
            return;
        };
        delivering.takes_bare = !offer.takes_wrapped();
        let large = &env.policy.large;
        let delivery = Delivery {
            late_octets_max: large.hold_octets,
            late_ms: large.hold_ms,
            is_single: large.one_message && delivering.purpose == Purpose::Message,
            takes_bare: delivering.takes_bare,
        };
        let room = self.room.clone();
        env.desk
            .command(Asked::Forget, Command::SetDelivery { room, delivery });
    }

    /// What our offer to invitees says. A large message goes to them and nowhere else.
    ///
    /// # Spec
    /// LRG-9.3.2.1-05, LRG-9.3.2.1-06.
    pub(super) fn offer_for_invitees(&self, offer: &Remote) -> LocalMedia {
        let mut local = offer.for_invitees();
        if self.is_large() {
            local
                .attributes
                .retain(|(name, _)| Direction::from_name(name).is_none());
            let only_sends = Direction::SendOnly.name().to_owned();
            local.attributes.push((only_sends, None));
        }
        local
    }

    /// Reads the description of a participant. Where content comes without a wrapper, nobody has to
    /// take one.
    pub(super) fn read_description(&self, octets: &[u8]) -> Result<Remote, Refusal> {
        if self.delivery.as_ref().is_some_and(|d| d.takes_bare) {
            Remote::read_any(octets)
        } else {
            Remote::read(octets)
        }
    }

    /// A recipient whose answer does not say that it only receives has no word all the same.
    ///
    /// # Spec
    /// LRG-9.4.4-03.
    pub(super) fn silence_recipient(&self, key: u64, env: &mut Env<'_>) {
        let Some(participant) = self.participants.get(&key).filter(|_| self.is_large()) else {
            return;
        };
        let direction = participant.remote.as_ref().map(|r| r.media.direction);
        if direction.is_some_and(Direction::may_send) {
            let command = Command::SetMuted {
                room: self.room.clone(),
                participant: participant.id.clone(),
                is_muted: true,
            };
            env.desk.command(Asked::Forget, command);
        }
    }

    /// How the engine is told that somebody has gone.
    ///
    /// # Spec
    /// FR-5.7.3-17.
    pub(super) fn farewell_to(&self, participant: Participant) -> Command {
        let (room, id) = (self.room.clone(), participant.id);
        match participant.absence.filter(|_| self.is_delivery()) {
            Some(status) => Command::ExcuseParticipant {
                room,
                participant: id,
                status,
            },
            None => Command::RemoveParticipant {
                room,
                participant: id,
            },
        }
    }

    /// When the originator has gone, or all others: asks the engine to tell when each of the rest has
    /// everything. Whether it has, now or before.
    ///
    /// # Spec
    /// LRG-9.3.1.3-02; AMB-46.
    pub(super) fn begin_serving(&mut self, env: &mut Env<'_>) -> bool {
        let counted = self.participants.iter().filter(|(_, p)| p.is_counted());
        let rest: Vec<u64> = counted.map(|(key, _)| *key).collect();
        let goes_on = rest.contains(&self.originator) && rest.len() > 1;
        let has_begun = self.accepted_types.is_some();
        let Some(delivering) = self.delivery.as_mut() else {
            return false;
        };
        if goes_on || rest.is_empty() || !has_begun {
            return false;
        }
        if !std::mem::replace(&mut delivering.is_serving, true) {
            for key in rest {
                self.ask_served(key, env);
            }
        }
        true
    }

    fn ask_served(&self, key: u64, env: &mut Env<'_>) {
        if let Some(participant) = self.participants.get(&key) {
            let command = Command::AwaitServed {
                room: self.room.clone(),
                participant: participant.id.clone(),
            };
            env.desk.command(Asked::Serve(self.seat(key)), command);
        }
    }

    /// A participant has everything, and nothing more comes: it is released. So is one for which
    /// nothing is kept, whatever it is doing.
    ///
    /// # Spec
    /// LRG-9.3.1.3-02, LRG-9.3.1.3-05.
    pub(crate) fn on_served(
        &mut self,
        key: u64,
        result: &Result<Reply, ControlError>,
        env: &mut Env<'_>,
    ) {
        // A participant that went first is known to be gone, or its event follows.
        if result.is_ok() {
            self.dismiss(key, &Refusal::SessionEnded, Headers::new(), env);
        }
        self.settle(env);
    }

    /// The message went on without a participant that had not come: there is nothing left for it.
    pub(crate) fn on_too_late(&mut self, id: &ParticipantId, env: &mut Env<'_>) {
        let found = self.participants.iter().find(|(_, p)| p.id == *id);
        let Some((key, participant)) = found.map(|(key, p)| (*key, p)) else {
            return;
        };
        tracing::info!(room = %self.room, participant = %id, "recipient is too late");
        if !matches!(participant.state, State::Leaving { .. }) {
            self.note_failure(key, 408);
            let farewell = reason(480, "The message could not be kept any longer");
            self.dismiss(key, &Refusal::SessionEnded, farewell, env);
        }
        self.settle(env);
    }
}
