//! The daemon as an MSRP relay: clients that authenticate, peers that do not, and other relays.

mod client;
mod one_relay;
