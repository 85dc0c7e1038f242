//! The public face of the crate: octets in, events out, and back.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "test code stops at the first surprise"
)]

mod cpim;
mod decoder;
mod encode;
mod nickname;
mod seen;
mod split;
mod tables;
mod vectors;
