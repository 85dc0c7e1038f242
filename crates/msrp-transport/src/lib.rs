//! What lies between the octets of a socket and those of MSRP: TLS and WebSocket, alone or stacked.
//!
//! No sockets, no clocks, no threads: octets go in and come out.
//!
//! | need | look at |
//! | --- | --- |
//! | one connection's layers | [`Layer`] |
//! | what a listener's connections begin with | [`Door`] |
//! | our certificates, and whom we connect to over TLS | [`CertificateStore`], [`Connector`] |
//! | whose pages may open a WebSocket | [`Origins`] |
//!
//! # Spec
//! RFC 7977 and RFC 6455 (WebSocket); RFC 4975 s.14.2 (TLS).

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

mod chunks;
mod door;
mod failure;
mod layer;
pub mod limits;
mod tls;
mod websocket;

pub use door::Door;
pub use failure::Failure;
pub use layer::{Layer, Received};
pub use tls::{
    Certificate, CertificateError, CertificateStore, Connector, ConnectorError, Fingerprint,
    KnownHosts, certificates_of_pem,
};
pub use websocket::{CloseCode, Origins};
