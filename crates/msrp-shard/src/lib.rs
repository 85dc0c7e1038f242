//! The engine: one thread per core with its own sockets, sessions and rooms, and the door through
//! which controllers drive them.
//!
//! Never parses SIP, never decides who may join: it carries out `msrp-control` commands. No task,
//! no lock and no await on the way of a chunk.
#![forbid(unsafe_code)]

mod census;
mod config;
mod crossing;
mod defect;
mod engine;
pub mod limits;
mod mailbox;
mod metrics;
mod rate;
mod relay;
mod shard;
#[cfg(feature = "simulation")]
pub mod simulation;
mod source;
mod usage;

pub use config::{EngineConfig, EngineLimits, ListenerConfig, ListenerTransport, TlsFiles};
pub use engine::{CertificateFault, ShardEngine, StartError, Started, start, start_with_relay};
pub use metrics::{HISTOGRAMS, METRICS};
pub use msrp_relay::{UserLineError, UserLineFault, UserList};
pub use msrp_switch::Rules;
pub use msrp_transport::Origins;
pub use relay::{HopNames, RelayOptions, RelayUsers, SystemNames};
pub use usage::{UsageGauge, UsageRecords};
