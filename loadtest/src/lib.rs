//! A load generator for MSRP switches and conference servers, which verifies every copy.
//!
//! It joins rooms as many participants, sends, and checks at every participant that each octet of each message arrived
//! once, in order and unchanged. It knows nothing of a server's inside: SIP, MSRP, and `/proc` for the processor time.
//!
//! ```text
//!   main thread (run)                tokio (sip)              load threads (engine)
//!   plan, stages, live lines  <----  joins, dialogs
//!        |  one session each  ------------------------------> connect, bind, send, read, verify
//!        |  commands          ------------------------------> Begin, Collect, Finish
//!        '-- summary          <------------------------------ intervals, stage figures, results
//! ```
//!
//! | need | look at |
//! | --- | --- |
//! | options | [`cli`] |
//! | what is to be done | [`plan`], [`mix`], [`schedule`] |
//! | what a message looks like | [`content`], [`stamp`], [`pattern`] |
//! | how a copy is checked | [`assembly`], [`tracker`] |
//! | the account | [`account`] |
//! | sockets and the data path | [`engine`] |
//! | joining | [`sip`], [`sessions`], [`pairs`], [`authorization`] |
//! | the other program, which floods | [`flood`] |
//! | a run from start to end | [`run`], [`summary`] |

#![forbid(unsafe_code)]

pub mod account;
pub mod assembly;
pub mod authorization;
pub mod cli;
pub mod clock;
pub mod content;
pub mod engine;
pub mod flood;
pub mod latency;
pub mod limits;
pub mod local_uri;
pub mod mix;
pub mod pairs;
pub mod part;
pub mod pattern;
pub mod plan;
pub mod process;
pub mod run;
pub mod schedule;
pub mod sessions;
pub mod sip;
pub mod stage;
pub mod stamp;
pub mod summary;
pub mod tracker;
