//! The MSRP relay: AUTH, Use-Path and forwarding.
//!
//! Never does I/O, never reads a clock, never resolves a name: time, seeds and what the kernel says come in, and what is to
//! be written or connected is polled.
//!
//! # Spec
//! RFC 4976; Digest by RFC 7616 with the restrictions of RFC 4976 s.9.1.
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

mod address;
mod authenticator;
mod connection;
mod credentials;
mod digest;
mod handle;
mod known_route;
mod ledger;
pub mod limits;
mod nonce;
mod outgoing;
mod refused;
mod relay;
mod users;

pub use address::{AddressPolicy, DeniedAddress};
pub use authenticator::{Authenticator, Verdict};
pub use connection::{ConnectionFacts, ConnectionId};
pub use credentials::{Credentials, NotCredentials};
pub use digest::{Algorithm, Ha1, Proof};
pub use ledger::Sums;
pub use refused::Refused;
pub use relay::{CloseReason, HopKey, NotARelay, Output, Relay, RelayConfig};
pub use users::{UserLineError, UserLineFault, UserList, Users};
