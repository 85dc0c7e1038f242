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
use crate::focus::conference::lines::MAIN;
use crate::focus::conference::{Conference, Env};
use crate::focus::desk::{Asked, Step};
use crate::focus::headers;
use crate::focus::media::{PeerDescription, Remote};
use crate::focus::participant::{Participant, State};
use crate::focus::refusal::Refusal;
use crate::focus::slots::LineId;
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
    pub(crate) fn of(headers: &Headers, offer: &PeerDescription) -> Option<Self> {
        if headers::wants_large(headers) {
            Some(Self::Message)
        } else {
            offer.talk().is_none().then_some(Self::File)
        }
    }
}

impl Conference {
    /// Whether it exists to deliver what its originator sends.
    pub(crate) fn is_delivery(&self) -> bool {
        self.lines
            .get(&MAIN)
            .is_some_and(|line| line.purpose.is_some())
    }

    /// Whether that is a large message.
    pub(super) fn is_large(&self) -> bool {
        let line = self.lines.get(&MAIN);
        line.is_some_and(|line| line.purpose == Some(Purpose::Message))
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

    /// Tells the engine that a line delivers, when it does.
    pub(super) fn set_delivery(&self, id: LineId, env: &mut Env<'_>) {
        let Some(line) = self.lines.get(&id) else {
            return;
        };
        let Some(purpose) = line.purpose else {
            return;
        };
        let large = &env.policy.large;
        let delivery = Delivery {
            late_octets_max: large.hold_octets,
            late_ms: large.hold_ms,
            is_single: large.one_message && purpose == Purpose::Message,
            takes_bare: line.takes_bare,
        };
        let room = line.room.clone();
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

    /// Checks that a participant takes the wrapper, except where content comes without one.
    ///
    /// # Errors
    /// [`Refusal::NotAcceptable`] -> 488. The peer's fault.
    pub(super) fn check_wrapper(&self, line: LineId, remote: &Remote) -> Result<(), Refusal> {
        if self.lines.get(&line).is_some_and(|line| line.takes_bare) {
            return Ok(());
        }
        remote.check_wrapper()
    }

    /// A recipient whose answer does not say that it only receives has no word all the same.
    ///
    /// # Spec
    /// LRG-9.4.4-03.
    pub(super) fn silence_recipient(&self, key: u64, env: &mut Env<'_>) {
        let Some(participant) = self.participants.get(&key).filter(|_| self.is_large()) else {
            return;
        };
        let leg = participant.slots.leg(MAIN);
        let remote = leg.and_then(|leg| leg.remote.as_ref());
        let direction = remote.map(|r| r.media.direction);
        if direction.is_some_and(Direction::may_send) {
            let command = Command::SetMuted {
                room: self.room.clone(),
                participant: participant.id.clone(),
                is_muted: true,
            };
            env.desk.command(Asked::Forget, command);
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
        if !self.is_delivery() || goes_on || rest.is_empty() || !self.is_taken() {
            return false;
        }
        if !std::mem::replace(&mut self.is_serving, true) {
            for key in rest {
                let lines = self.participants.get(&key).map(|p| p.slots.lines());
                for line in lines.unwrap_or_default() {
                    self.ask_served(key, line, env);
                }
                self.release_served(key, env);
            }
        }
        true
    }

    /// Has the engine tell when a participant has everything of a line.
    pub(super) fn ask_served(&self, key: u64, id: LineId, env: &mut Env<'_>) {
        if let (Some(participant), Some(line)) = (self.participants.get(&key), self.lines.get(&id))
        {
            let command = Command::AwaitServed {
                room: line.room.clone(),
                participant: participant.id.clone(),
            };
            let asked = Asked::Leg(self.seat(key), Step::Serve, id);
            env.desk.command(asked, command);
        }
    }

    /// A participant has everything of a line, and nothing more comes: it leaves the line, and is released
    /// when the conference is at its end. So is one for which nothing is kept, whatever it is doing.
    ///
    /// # Spec
    /// LRG-9.3.1.3-02, LRG-9.3.1.3-05.
    pub(super) fn on_served(
        &mut self,
        (key, id): (u64, LineId),
        result: &Result<Reply, ControlError>,
        env: &mut Env<'_>,
    ) {
        // A participant that went first is known to be gone, or its event follows.
        if result.is_err() {
            return;
        }
        if let Some(leg) = self
            .participants
            .get_mut(&key)
            .and_then(|p| p.slots.leg_mut(id))
        {
            leg.is_served = true;
        }
        if self.is_serving {
            self.release_served(key, env);
        } else if self.lines.get(&id).is_some_and(|line| line.is_ending) {
            self.leave_line(key, id, env);
            self.offer_soon(key, env);
        }
    }

    fn release_served(&mut self, key: u64, env: &mut Env<'_>) {
        let is_served = |p: &Participant| p.slots.legs().all(|leg| leg.is_served);
        if self.participants.get(&key).is_some_and(is_served) {
            self.dismiss(key, &Refusal::SessionEnded, Headers::new(), env);
        }
    }

    /// The message went on without a participant that had not come: there is nothing left for it.
    pub(crate) fn on_too_late(&mut self, line: LineId, id: &ParticipantId, env: &mut Env<'_>) {
        let found = self.participants.iter().find(|(_, p)| p.id == *id);
        let Some((key, participant)) = found.map(|(key, p)| (*key, p)) else {
            return;
        };
        tracing::info!(room = %self.room, participant = %id, line, "recipient is too late");
        if self.outlives(key, line) {
            self.refuse_line(key, line, 408, env);
            self.offer_soon(key, env);
        } else if !matches!(participant.state, State::Leaving { .. }) {
            self.note_failure(key, 408);
            let farewell = reason(480, "The message could not be kept any longer");
            self.dismiss(key, &Refusal::SessionEnded, farewell, env);
        }
        self.settle(env);
    }
}
