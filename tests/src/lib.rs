//! End-to-end tests - the real daemon on real sockets.
//!
//! The tests stand in `tests/`; here is what several of them need.
//!
//! | module | content |
//! | --- | --- |
//! | [`browser`] | a browser without a window |
//! | [`document`] | group documents |
//! | [`people`] | who takes part |
//! | [`program`] | a program of the project with its terminal |
//! | [`refusal`] | a connection that the server refuses |
//! | [`way`] | the transports and backends that a test runs over |

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "helpers of tests stop where something is missing"
)]

pub mod browser;
pub mod document;
pub mod people;
pub mod program;
pub mod refusal;
pub mod way;

pub use browser::Browser;
pub use document::Document;
pub use people::{ALICE, BOB, CAROL, DAVE, FACTORY, FRIENDS, person};
pub use program::Program;
pub use refusal::expect_reset;
pub use way::{WAYS, Way, accept, config_with_friends, friends, seated};
