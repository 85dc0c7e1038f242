//! The data plane in a world of its own: the production shard loop on a seeded clock, kernel and network, among
//! participants of all tempers, with an oracle that watches every step.
//!
//! Never opens a socket, never waits: a minute of a world takes a few milliseconds. The same seed gives the same world,
//! octet for octet, so every fault that was found can be found again.
//!
//! | module | what it plays |
//! | --- | --- |
//! | `kernel` | sockets and the network between them, behind `ring_io::Io` |
//! | `peer` | participants: what they read, answer and say, and the harm they do |
//! | `controller` | the application server, on `msrp-control` |
//! | `oracle` | what must be so: privacy, order, ledger, progress, bounds |
//! | `world` | all of them together, moment by moment |
//! | `smuggling` | trials to end a frame from inside its body |
#![forbid(unsafe_code)]
#![expect(
    clippy::indexing_slicing,
    reason = "a simulation that does not know its own participants has to stop"
)]

mod chance;
mod controller;
mod kernel;
mod message;
mod oracle;
mod peer;
mod plan;
mod smuggling;
mod temper;
mod world;

pub use smuggling::{Trials, smuggle};
pub use temper::Temper;
pub use world::{Outcome, Wish, run};

#[cfg(feature = "planted-defects")]
pub use msrp_shard::simulation::{Plant, plants};
