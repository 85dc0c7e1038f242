//! The bounds of this crate.

use std::time::Duration;

/// Default octets of a receive slot. Measured: 256 KiB slots in an incremental ring cost least per delivered copy.
pub const SLOT_OCTETS: usize = 256 * 1024;

/// Default number of receive slots of one `Io` (16 MiB in all). When all are held, receiving pauses.
pub const SLOTS: usize = 64;

/// Smallest slot that [`open`](crate::open) accepts, octets. Smaller ones would make every receive a fragment.
pub const SLOT_OCTETS_MIN: usize = 512;

/// Largest slot that [`open`](crate::open) accepts, octets. The kernel counts a buffer's octets in 32 bits.
pub const SLOT_OCTETS_MAX: usize = 1 << 30;

/// Most slots that [`open`](crate::open) accepts: the kernel's bound for one buffer ring.
pub const SLOTS_MAX: usize = 32_768;

/// Default `TCP_NOTSENT_LOWAT` of every connection, octets. A send takes no more while so many octets have not gone out
/// to the network, and the socket is reported writable below half of it: what waits, waits with the caller, who can still
/// choose what goes first.
pub const NOTSENT_OCTETS: usize = 128 * 1024;

/// Default `SO_SNDBUF` of every connection, octets. Left to itself the kernel grows it to 4 MiB for each peer that
/// does not read; below 64 KiB large chunks crawl. The kernel may clamp it (`net.core.wmem_max`).
pub const SNDBUF_OCTETS: usize = 256 * 1024;

/// Connections that may wait in a listener's queue; the kernel clamps it to `net.core.somaxconn`.
pub const LISTEN_BACKLOG: i32 = 4096;

/// How long a listener rests after the process ran out of descriptors or memory. A closed connection ends the rest.
pub const ACCEPT_REST: Duration = Duration::from_millis(100);

/// Parts of one send; the kernel's bound (`UIO_MAXIOV`). Parts beyond are not offered: the send ends short.
pub const SEND_PARTS_MAX: usize = 1024;

/// Entries of the submission ring. A full ring is submitted and goes on.
pub(crate) const SUBMISSIONS: u32 = 1024;

/// Entries of the completion ring. The kernel keeps what does not fit and delivers it later, in order.
pub(crate) const COMPLETIONS: u32 = 4096;

/// Sends in one submission; a longer batch is cut.
pub(crate) const SENDS_PER_SUBMIT: usize = 256;

/// Fewer sends than this go through `sendmsg(2)` directly: a small submission costs more than it saves (measured:
/// one send per submission +6 %, sixteen per submission even).
pub(crate) const SENDS_PER_SUBMIT_MIN: usize = 8;

/// Readiness events that one `epoll_wait` takes; the rest waits for the next one.
pub(crate) const EPOLL_EVENTS: usize = 512;

/// Connections that one listener accepts in one [`Io::wait`](crate::Io::wait) under epoll; the rest waits.
pub(crate) const ACCEPTS_PER_WAIT: usize = 64;

/// Octets that one connection may deliver in one [`Io::wait`](crate::Io::wait) under epoll; the rest waits.
pub(crate) const RECEIVED_PER_WAIT_OCTETS: usize = 256 * 1024;

/// Under epoll a slot whose tail is shorter than this is finished (half of the slot when slots are that small).
pub(crate) const SLOT_TAIL_OCTETS_MIN: usize = 2048;
