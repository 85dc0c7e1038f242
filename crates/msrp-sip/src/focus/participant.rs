//! One participant: a SIP dialog and a place in the room.
//!
//! ```text
//!  caller:   Waiting --> Entering --200--> Joined --BYE from us--> Leaving --answer--> gone
//!                                            |  `--no ACK yet--> Parting --ACK--> Leaving
//!  invitee:  Offered --> Invited --2xx--> Accepting --> Joined
//! ```
//! A dialog that the peer ends goes from every state to gone.

use std::sync::Arc;

use msrp_control::{Charging, ControlError, ParticipantConfig, ParticipantId};

use crate::address::Uri;
use crate::focus::admission::Knock;
use crate::focus::alias::Alias;
use crate::focus::desk::Step;
use crate::focus::media::PeerDescription;
use crate::focus::session_timer::{Agreement, SessionTimer};
use crate::focus::slots::{LineId, Slots};
use crate::focus::software::Software;
use crate::limits::ALLOW_OCTETS_MAX;
use crate::ua::{DialogId, Headers, Transport, TxnId};

/// One participant.
#[derive(Debug)]
pub(crate) struct Participant {
    /// The name inside the room.
    pub(crate) id: ParticipantId,
    /// The values that its CPIM From may have.
    pub(crate) identities: Vec<String>,
    /// The address shown to others.
    pub(crate) entity: String,
    /// Whether it may write to single participants.
    pub(crate) may_send_private: bool,
    /// The name shown to others.
    pub(crate) display_name: Option<String>,
    /// The nickname by which the room knows it.
    pub(crate) nickname: Option<String>,
    /// All addresses that it is known by; shown to nobody when it is hidden.
    pub(crate) addresses: Vec<Uri>,
    /// Whether it is hidden: shown under an alias.
    pub(crate) is_hidden: bool,
    /// How invitees see it whom it asked for as a hidden referrer; given once.
    pub(crate) referrer_alias: Option<Alias>,
    /// Where it stands.
    pub(crate) state: State,
    /// The transport of its dialog, for our Contact.
    pub(crate) transport: Transport,
    /// The methods that it allows.
    pub(crate) allow: Option<String>,
    /// Its MSRP sessions, and both sides' descriptions of them.
    pub(crate) slots: Slots,
    /// What the engine is asked about several legs at once.
    pub(crate) asked: Option<Gathering>,
    /// Whether our description changed and it has to be offered.
    pub(crate) offer_due: bool,
    /// The session timer, once the dialog stands.
    pub(crate) timer: Option<SessionTimer>,
    /// Whether a refresh of ours is unanswered.
    pub(crate) is_refreshing: bool,
    /// The re-INVITE or UPDATE of which the engine is asked.
    pub(crate) reoffer: Option<Reoffer>,
    /// Whether our last 2xx had an offer that its ACK answers.
    pub(crate) awaits_answer: bool,
    /// The software that it named.
    pub(crate) software: Option<Software>,
    /// Why it never took part.
    pub(crate) absence: Option<u16>,
    /// By what its accounts are known elsewhere.
    pub(crate) charging: Option<Arc<Charging>>,
}

/// The same step for several legs; it is done when all of them have an answer.
#[derive(Debug)]
pub(crate) struct Gathering {
    /// What is asked.
    pub(crate) step: Step,
    /// Answers that are missing.
    pub(crate) left: usize,
    /// The first fault.
    pub(crate) error: Option<ControlError>,
}

/// A request that changes the session, before its answer.
#[derive(Debug)]
pub(crate) struct Reoffer {
    /// To answer with.
    pub(crate) transaction: TxnId,
    /// The timer that our 2xx says.
    pub(crate) agreement: Agreement,
    /// The offer; without one, ours is wanted.
    pub(crate) offer: Option<PeerDescription>,
    /// The lines of the conference that it adds.
    pub(crate) adds: Vec<LineId>,
    /// When nobody else is waited for any more who may take what is added; none once the engine is asked.
    pub(crate) decides_ns: Option<u64>,
}

/// Where a participant stands.
#[derive(Debug)]
pub(crate) enum State {
    /// Its INVITE waits for somebody to accept.
    Waiting(Box<Knock>),
    /// Its INVITE waits for the engine.
    Entering(Box<Knock>),
    /// The engine makes our offer.
    Offered,
    /// Our INVITE is on its way.
    Invited(Invitation),
    /// The engine takes its answer.
    Accepting {
        /// The dialog.
        dialog: DialogId,
        /// The timer that its 2xx agreed.
        agreement: Agreement,
    },
    /// It takes part.
    Joined {
        /// The dialog.
        dialog: DialogId,
        /// Whether the 2xx was acknowledged.
        is_acknowledged: bool,
    },
    /// It has to go as soon as it acknowledged our 2xx.
    Parting {
        /// The dialog.
        dialog: DialogId,
        /// For the BYE.
        headers: Headers,
    },
    /// Our BYE is unanswered.
    Leaving {
        /// The dialog.
        dialog: DialogId,
    },
}

/// An INVITE of ours.
#[derive(Debug)]
pub(crate) struct Invitation {
    /// Known once the SIP engine took it.
    pub(crate) dialog: Option<DialogId>,
    /// When it is given up.
    pub(crate) gives_up_ns: u64,
    /// The session interval that it asks for, in seconds.
    pub(crate) interval_s: u32,
}

impl Participant {
    /// Whether it counts for the release policy; open invitations do.
    ///
    /// # Spec
    /// AMB-39.
    pub(crate) fn is_counted(&self) -> bool {
        !matches!(self.state, State::Parting { .. } | State::Leaving { .. })
    }

    /// Whether its invitation is open.
    pub(crate) fn is_pending(&self) -> bool {
        matches!(
            self.state,
            State::Offered | State::Invited(_) | State::Accepting { .. }
        )
    }

    /// Whether it takes part, or will without anybody else's doing.
    pub(crate) fn is_present(&self) -> bool {
        matches!(self.state, State::Joined { .. } | State::Entering(_))
    }

    /// Whether it runs a client of this specification, as its User-Agent or Server said. Only such
    /// a client is known to show the parties of a private message.
    ///
    /// # Spec
    /// COM-F.1-03; AMB-31.
    pub(crate) fn shows_release(&self) -> bool {
        self.software.is_some()
    }

    /// Whether it takes part: from our 200 or its own on, until a BYE.
    ///
    /// # Spec
    /// AMB-37.
    pub(crate) fn is_connected(&self) -> bool {
        matches!(self.state, State::Joined { .. })
    }

    /// Whether one of its addresses is one of these.
    pub(crate) fn is_known_by(&self, addresses: &[Uri]) -> bool {
        addresses
            .iter()
            .any(|a| self.addresses.iter().any(|b| a.is_same(b)))
    }

    /// The dialog, when there is one.
    pub(crate) fn dialog(&self) -> Option<DialogId> {
        match &self.state {
            State::Waiting(knock) | State::Entering(knock) => Some(knock.dialog),
            State::Offered => None,
            State::Invited(invitation) => invitation.dialog,
            State::Accepting { dialog, .. }
            | State::Joined { dialog, .. }
            | State::Parting { dialog, .. }
            | State::Leaving { dialog } => Some(*dialog),
        }
    }

    /// When it needs to be looked at.
    pub(crate) fn deadline(&self) -> Option<u64> {
        match &self.state {
            State::Invited(invitation) => Some(invitation.gives_up_ns),
            State::Joined { .. } => {
                let decides = self.reoffer.as_ref().and_then(|r| r.decides_ns);
                let timer = self.timer.map(|t| t.deadline());
                timer.into_iter().chain(decides).min()
            }
            State::Waiting(_)
            | State::Entering(_)
            | State::Offered
            | State::Accepting { .. }
            | State::Parting { .. }
            | State::Leaving { .. } => None,
        }
    }

    /// Who it is, for the engine.
    pub(crate) fn config(&self) -> ParticipantConfig {
        ParticipantConfig {
            identities: self.identities.clone(),
            entity: self.entity.clone(),
            is_hidden: self.is_hidden,
            may_send_private: self.may_send_private,
            shows_release: self.shows_release(),
            charging: self.charging.clone(),
        }
    }

    /// Keeps the methods that a message of the peer names.
    ///
    /// # Spec
    /// CTRL-7.2.1.2-05, CTRL-7.2.2.2-08, CTRL-7.2.2.2-10.
    pub(crate) fn remember_methods(&mut self, headers: &Headers) {
        let values: Vec<&str> = headers.all("Allow").collect();
        let allow = values.join(", ");
        if !allow.is_empty() && allow.len() <= ALLOW_OCTETS_MAX {
            self.allow = Some(allow);
        }
    }

    /// Keeps the software that a message of the peer names.
    ///
    /// # Spec
    /// COM-F.1-03.
    pub(crate) fn remember_software(&mut self, headers: &Headers) {
        if let Some(software) = Software::read(headers) {
            self.software = Some(software);
        }
    }
}
