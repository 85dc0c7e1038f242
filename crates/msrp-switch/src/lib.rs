//! Chat rooms: who may say what to whom, the fan-out plan, and what became of every copy.
//!
//! Never does I/O, never reads a clock, never writes to a connection: it says what to write, and
//! is told what became of it.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unwrap_used
    )
)]

mod acceptance;
mod ahead;
mod content_class;
mod final_report;
mod kind;
mod ledger;
mod leg;
pub mod limits;
mod message;
mod own_message;
mod recipient_error;
mod recipients;
mod refused;
mod relay;
mod room;
mod rules;
mod switch;
mod wrapper;

pub use acceptance::Acceptance;
pub use content_class::{ClassSums, ContentClass};
pub use final_report::MEDIA_TYPE as FINAL_REPORT_TYPE;
pub use kind::Kind;
pub use ledger::{Outcome, Sums};
pub use leg::{Leg, LegKey, LegSpec, Participant};
pub use message::MessageKey;
pub use own_message::{MessageTo, OwnMessage, OwnMessageError};
pub use recipient_error::RecipientError;
pub use refused::Refused;
pub use room::{Addressing, RoomKey, RoomSpec};
pub use rules::Rules;
pub use switch::{Output, Switch, SwitchConfig};
