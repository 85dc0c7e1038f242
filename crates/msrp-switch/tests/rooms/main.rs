//! Chat rooms from the outside: what participants say, and what each of them gets.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests stop the test where it goes wrong"
)]

mod addressing;
mod answers;
mod bridges;
mod chunks;
mod content;
mod delivery;
mod ending;
mod final_report;
mod harness;
mod hidden;
mod model;
mod nicknames;
mod own_message;
#[cfg(feature = "planted-defects")]
mod planted;
mod private;
mod rates;
mod recipient_errors;
mod report_document;
mod sizes;
mod telling;
