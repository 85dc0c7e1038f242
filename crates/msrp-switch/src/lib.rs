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
mod final_report;
mod ledger;
mod leg;
pub mod limits;
mod message;
mod nickname;
mod nicknames;
mod recipients;
mod refused;
mod relay;
mod room;
mod switch;
mod wrapper;

pub use acceptance::Acceptance;
pub use final_report::MEDIA_TYPE as FINAL_REPORT_TYPE;
pub use ledger::{Outcome, Sums};
pub use leg::{Leg, LegKey, LegSpec};
pub use message::MessageKey;
pub use refused::Refused;
pub use room::{RoomKey, RoomSpec};
pub use switch::{NicknameChange, Output, Switch, SwitchConfig};
