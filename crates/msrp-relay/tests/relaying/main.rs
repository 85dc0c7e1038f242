//! The relay, seen from its connections.
#![expect(clippy::unwrap_used, reason = "test code")]

mod auth;
mod bounds;
mod forwarding;
mod harness;
mod known_routes;
mod model;
mod pieces;
