//! What the operator decided for all rooms of a switch.

use crate::refused::Refused;
use crate::room::{Addressing, Room};

/// The operator's decisions. The default is what the standard asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rules {
    /// Whether the sender of a private message to somebody who takes none is told 428 in every
    /// room; else 403 in rooms of [`Addressing::Oma`] (AMB-31).
    pub private_refusal_is_428: bool,
    /// Whether results are told at the end of each turn in which some came, in documents of their
    /// own; else all together when the report is complete (AMB-05).
    pub interim_reports: bool,
    /// Whether a final report is kept from a session that does not list its type, unless it goes as
    /// a REPORT; else it is sent, since the sender asked for it (AMB-01).
    pub strict_report_types: bool,
}

impl Rules {
    /// What the sender of a private message is told when nobody takes it.
    ///
    /// # Spec
    /// PM-7.2.3.4-04, MSRP-7701-6.2-04; AMB-31.
    pub(crate) fn private_refusal(&self, room: &Room) -> Refused {
        match room.addressing {
            Addressing::Oma if !self.private_refusal_is_428 => Refused::RecipientLacksRelease,
            Addressing::Oma | Addressing::Rfc7701 => Refused::PrivateMessagesUnsupported,
        }
    }
}
