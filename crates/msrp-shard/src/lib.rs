//! The engine: one thread per core with its own sockets, sessions and rooms, and the door through
//! which controllers drive them.
//!
//! Never parses SIP, never decides who may join: it carries out `msrp-control` commands. No task,
//! no lock and no await on the way of a chunk.
#![forbid(unsafe_code)]

mod config;
mod crossing;
mod engine;
pub mod limits;
mod mailbox;
mod metrics;
mod shard;
mod usage;

pub use config::{EngineConfig, EngineLimits, ListenerConfig, ListenerTransport, TlsFiles};
pub use engine::{CertificateFault, ShardEngine, StartError, Started, start};
pub use metrics::{HISTOGRAMS, METRICS};
pub use msrp_switch::Rules;
pub use msrp_transport::Origins;
pub use usage::{UsageGauge, UsageRecords};
