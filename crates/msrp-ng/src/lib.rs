//! The ng dialect: the datagrams with which SIP proxies drive media proxies, for MSRP between two parties.
//!
//! Never opens a socket, never reads a clock, never reads a session description: it turns datagrams into commands of
//! `msrp-control` and their answers into datagrams.
//!
//! ```text
//!   datagram --> cookie known? --yes--> the same answer again
//!                   | no
//!                   v
//!            bencode or JSON --> Request --> bridge commands --> answer, in the same encoding
//! ```
//!
//! `docs/ng.md` says which commands and keys there are.
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

pub mod bencode;
mod calls;
mod cookies;
mod json;
pub mod limits;
mod request;
mod service;
mod value;

pub use request::{Command, Encoding, NgError, Options, Request};
pub use service::Service;
pub use value::Value;
