//! What the caller can choose.

/// Which backend the operator wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Want {
    /// io_uring where the kernel lets us, else epoll.
    #[default]
    Auto,
    /// io_uring or nothing.
    Uring,
    /// epoll.
    Epoll,
}

/// Which backend runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// io_uring.
    Uring,
    /// epoll.
    Epoll,
}

/// The backend that [`open`](crate::open) chose, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The backend.
    pub backend: Kind,
    /// One plain sentence for the log.
    pub reason: String,
}

/// Sizes and socket options of one `Io`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Octets of one receive slot.
    pub slot_octets: usize,
    /// Receive slots of this `Io`; memory is touched only when used.
    pub slots: usize,
    /// `SO_SNDBUF` of every connection, octets; `None` leaves the kernel's autotuning.
    pub sndbuf_octets: Option<usize>,
    /// `TCP_NOTSENT_LOWAT` of every connection, octets; `None` leaves the kernel's (no bound).
    pub notsent_octets: Option<usize>,
    /// `TCP_NODELAY` on every connection.
    pub nodelay: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            slot_octets: crate::limits::SLOT_OCTETS,
            slots: crate::limits::SLOTS,
            sndbuf_octets: Some(crate::limits::SNDBUF_OCTETS),
            notsent_octets: Some(crate::limits::NOTSENT_OCTETS),
            nodelay: true,
        }
    }
}
