//! Chat rooms: who may say what to whom, the fan-out plan, and what became of every copy.
//!
//! Never does I/O, never reads a clock, never writes to a connection: it says what to write, and
//! is told what became of it.
//!
//! # Features
//!
//! `planted-defects`: a switch can be told to have a defect, so that the tests can show that they
//! catch it (`cargo test -p msrp-switch --features planted-defects`). For tests alone: a release
//! build with it does not compile.
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
mod bridge;
mod content_class;
mod defect;
mod delivery;
mod final_report;
mod kind;
mod late;
mod ledger;
mod leg;
pub mod limits;
mod message;
mod messages;
mod nickname;
mod nicknames;
mod own_message;
mod rate;
mod recipient_error;
mod recipients;
mod refused;
mod relay;
mod room;
mod rules;
mod switch;
mod told;
mod told_content;
mod wrapper;

pub use acceptance::Acceptance;
pub use bridge::BridgeSums;
pub use content_class::{ClassSums, ContentClass};
#[cfg(feature = "planted-defects")]
pub use defect::Defect;
pub use delivery::Delivery;
pub use final_report::MEDIA_TYPE as FINAL_REPORT_TYPE;
pub use kind::Kind;
pub use ledger::{Outcome, Sums};
pub use leg::{Leg, LegKey, LegSpec, Participant};
pub use message::MessageKey;
pub use own_message::{MessageTo, OwnMessage, OwnMessageError};
pub use rate::Rate;
pub use recipient_error::RecipientError;
pub use refused::Refused;
pub use room::{Addressing, RoomKey, RoomSpec};
pub use rules::Rules;
pub use switch::{NicknameChange, Output, Switch, SwitchConfig};
pub use told::{CopySums, LegSums, MessageEnd, ReportEnd, Told};
pub use told_content::MessageContent;
