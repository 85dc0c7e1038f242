//! The engine with real sockets, on both backends.
#![expect(
    clippy::unwrap_used,
    reason = "a test stops where something is missing"
)]

mod binding;
mod bridges;
mod control;
mod crossing;
mod delivering;
mod failure;
mod final_report;
mod gateway;
mod measures;
mod nickname;
mod node;
mod recipient_errors;
mod relaying;
mod reoffer;
#[path = "../../../msrp-switch/tests/rooms/report_document.rs"]
mod report_document;
mod slow;
mod spread;
mod tls;
mod tls_choice;
mod tls_peer;
mod trace;
mod websocket;
