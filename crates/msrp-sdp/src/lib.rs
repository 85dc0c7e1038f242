//! The MSRP media section of an SDP offer or answer: a typed view of what a peer wrote, and the text that we write.
//!
//! Never opens a connection, never resolves a name, never chooses a session id: those values come in.
//!
//! | need | look at |
//! | --- | --- |
//! | text of a peer to values | [`Description`], [`MessageMedia`] |
//! | values to an offer, an answer, or a description of what is supported | [`Local`] |
//! | a description that passes through us, with us in it | [`Anchor`] |
//! | several sessions in one description | [`Description::only`], [`Description::join`] |
//! | who opens the connection, and to which address | [`Setup`], [`answer_setup`], [`offerer_connects`], [`AddressMatch`] |
//! | why a description is refused | [`SdpError`] |
//!
//! The base grammar of SDP is read and written by `sdp-types`.
//!
//! # Spec
//! RFC 4975 s.8, RFC 6135, RFC 6714, RFC 7701 s.8; AMB-23, AMB-66, AMB-71.

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
#![cfg_attr(not(test), warn(missing_docs))]

mod anchor;
mod attribute;
mod cema;
mod description;
mod direction;
mod error;
mod format_list;
mod joining;
pub mod limits;
mod local;
mod media_transport;
mod message_media;
mod path;
mod protocol;
mod section;
mod setup;

pub use anchor::Anchor;
pub use cema::{AddressMatch, CemaAnswer};
pub use description::Description;
pub use direction::Direction;
pub use error::SdpError;
pub use joining::{ClosedSection, Place};
pub use local::Local;
pub use media_transport::MediaTransport;
pub use message_media::MessageMedia;
pub use protocol::Protocol;
pub use setup::{Setup, answer_setup, offerer_connects};
