//! Criterion benches of the data plane.
#![expect(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "a bench stops where something is missing"
)]

pub mod frame;
pub mod town;
pub mod wait;
