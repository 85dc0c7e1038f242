//! Rooms in which a message is delivered rather than talked about.
//!
//! ```text
//!   added, not joined ("late") --join--> gets the beginning, then what follows
//!        |                 |
//!        |                 `-- the beginning could not be kept any longer: [`Output::TooLate`]
//!        `-- excused: final reports name it with the status that the controller gives
//! ```
//!
//! In such a room everybody who was added is addressed by a message, joined or not. The beginning of a
//! message is kept, copied once, for those who have not joined; when they do, they get it whole.
//! When as much is kept as may be, the sender waits ([`Output::HoldSender`]) until they are there
//! or the time for it is over. Every piece asks for an answer, so that a copy which ends as
//! [`Outcome::Delivered`](crate::Outcome::Delivered) was acknowledged to its last octet.
//!
//! [`Output::TooLate`]: crate::Output::TooLate
//! [`Output::HoldSender`]: crate::Output::HoldSender
//!
//! # Spec
//! OMA SIMPLE IM s.9.3, s.9.4.4; AMB-46, AMB-47, AMB-78.

/// How a room delivers messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivery {
    /// Octets of a message that are kept for participants who have not joined, at most
    /// [`LATE_OCTETS_MAX`](crate::limits::LATE_OCTETS_MAX). 0 keeps nothing: who has not joined when
    /// the first octets leave is too late.
    pub late_octets_max: u64,
    /// How long a sender waits for participants who have not joined when that much is kept, in
    /// nanoseconds.
    pub late_ns: u64,
    /// Whether a session may send one message only. A further one is refused with
    /// [`Refused::OneMessageOnly`](crate::Refused::OneMessageOnly) -> 403.
    pub is_single: bool,
    /// Whether content without a wrapper is relayed as it is, to everybody. Else it is refused with
    /// 415.
    pub takes_bare: bool,
}
