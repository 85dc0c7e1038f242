//! The engine with real sockets, on both backends.
#![expect(
    clippy::unwrap_used,
    reason = "a test stops where something is missing"
)]

mod binding;
mod node;
mod relaying;
mod slow;
