//! The daemon msrpd and the operator's tool msrpctl: configuration, start and end, logs, the admin
//! HTTP server, and a chat client.
//!
//! Never carries a chunk and never answers a SIP request itself: the shards and the focus do.
#![forbid(unsafe_code)]

pub mod admin;
pub mod capture;
pub mod certificates;
pub mod cli;
pub mod client;
pub mod config;
pub mod ctl;
pub mod daemon;
pub mod demo;
pub mod groups;
pub mod http;
pub mod log;
pub mod ng;
pub mod overload;
mod relay_names;
pub mod relay_users;
pub mod reload;
pub mod sd_notify;
pub mod serve;
pub mod signal;
pub mod text;
pub mod usage;
