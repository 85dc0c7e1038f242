//! The kernel: io_uring and epoll behind one trait.
//!
//! This crate moves octets between sockets and its caller's thread, and wakes it. It knows no protocol, starts no thread,
//! and never decides what to send or whom to serve next.
//!
//! # The shape of a turn
//!
//! ```text
//!        +-> wait ----> Accepted, Received, PeerClosed, Writable, Woken ...
//!        |               |
//!        |               v   the caller: parse, decide, queue
//!        +-- send_batch <+   one operation per connection, results at once
//! ```
//!
//! Both backends have this shape: readable octets come in by themselves, sends never wait. What a socket does not take at
//! once is the caller's backlog; [`Io::want_writable`] tells when to go on. So no send is ever under way between two calls,
//! no buffer is pinned by a slow peer, and a receive buffer lives no longer than its holder wants.
//!
//! # Which backend
//!
//! [`open`] tries io_uring and falls back to epoll with a reason for the log. Containers often forbid io_uring, so the two
//! are equals: the same tests run on both. An `Io` belongs to the thread that opened it (its [`Waker`] does not).
//!
//! # Buffers
//!
//! [`Event::Received`] carries the octets in place in a slot of the receive pool; see [`PoolStats`] and the documentation of
//! the `pool` module for the life of a slot. A holder of one octet holds the whole slot: what must live longer than a few
//! turns is better copied.
#![allow(
    unsafe_code,
    reason = "the only crate that calls the kernel directly; each unsafe operation says why it is sound"
)]

mod affinity;
mod bell;
mod choice;
mod config;
mod epoll;
mod errno;
#[cfg(not(all(test, loom)))]
mod eventfd;
#[cfg(test)]
#[cfg(loom)]
mod interleavings;
mod io;
mod key;
pub mod limits;
mod memory;
mod pool;
mod rest;
mod shared;
mod socket;
mod table;
mod token;
mod uring;
mod waker;

pub use affinity::pin_thread;
pub use bell::Bell;
pub use choice::open;
pub use config::{Choice, Config, Kind, Want};
pub use epoll::Epoll;
pub use errno::Errno;
pub use io::{Event, Io, Read, SendOp, SendOutcome};
pub use key::{ConnKey, ListenerKey};
pub use memory::release_freed_memory;
pub use pool::PoolStats;
pub use socket::{bind_reuseport, reset};
pub use uring::Uring;
pub use waker::Waker;
