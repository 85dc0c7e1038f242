//! Scripted MSRP and SIP peers for tests of the real daemon on real sockets.
//!
//! Never uses the product's crates: the parsers here are small, strict and separate, so that a mistake in the
//! product's parser is not repeated in the test that should find it.
//!
//! Code map:
//!
//! | module | what it plays |
//! | --- | --- |
//! | [`daemon`] | the `msrpd` process: configuration, log, metrics, end |
//! | [`http`] | a client of the admin door |
//! | [`sip`] | a SIP user agent, also an outbound proxy with all invitees behind it |
//! | [`sdp`] | the MSRP media section of an offer or answer |
//! | [`msrp`] | an MSRP endpoint: frames, messages, reports |
//! | [`participant`] | a whole participant: dialog and session together |
//!
//! Every wait has a deadline ([`DEADLINE`]). When it passes, or when a peer breaks a rule of its standard, the
//! wait panics and prints the transcript of the peer that waited.
//!
//! ```no_run
//! # async fn example() {
//! use msrp_testkit::{Config, Daemon, Participant};
//!
//! let daemon = Daemon::start(Config::new().group("friends", "<group/>")).await;
//! let alice = Participant::join(&daemon, "sip:friends@localhost", "sip:alice@example.com").await;
//! let bob = Participant::join(&daemon, "sip:friends@localhost", "sip:bob@example.com").await;
//! alice.say("hello").await;
//! bob.expect_text("sip:alice@example.com", "hello").await;
//! # }
//! ```

#![forbid(unsafe_code)]

pub mod daemon;
pub mod http;
mod ident;
mod mailbox;
pub mod msrp;
pub mod participant;
pub mod sdp;
pub mod sip;
mod transcript;

pub use daemon::{Config, Daemon};
pub use msrp::{
    Challenge, Closed, Cpim, Draft, Event, Flag, Frame, Login, Message, Mode, MsrpEndpoint,
    MsrpPeer, Sent, cpim,
};
pub use participant::{AdHoc, Join, Participant};
pub use sdp::{Media, Sections};
pub use sip::{Dialog, Invitation, Invite, SipMessage, SipPeer};
pub use transcript::{DEADLINE, Transcript};
