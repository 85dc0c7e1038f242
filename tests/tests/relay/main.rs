//! The daemon as an MSRP relay: clients that authenticate, peers that do not, and other relays.
#![expect(
    clippy::unwrap_used,
    reason = "a test stops where something is missing"
)]

#[path = "../../../crates/msrp-shard/tests/engine/gateway.rs"]
mod gateway;
#[path = "../../../crates/msrp-shard/tests/engine/tls_peer.rs"]
mod tls_peer;

mod attacks;
mod authentication;
mod certificates;
mod client;
mod crowd;
mod one_relay;
mod races;
mod stalled;
mod two_relays;
mod zone;
