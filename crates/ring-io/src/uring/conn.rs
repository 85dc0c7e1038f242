//! The state of one connection under io_uring.
//!
//! ```text
//!                    arm                       last completion
//!     Idle ----------------------> Once/Multi ----------------> Idle
//!      ^                            |    |  ENOBUFS
//!      |          last completion   |    +---------> Starved --(slot free)--> armed again, or Idle when paused
//!      +----------------- Ending <--+ cancel
//! ```
//!
//! A receive that was cancelled is over only with its last completion; until then nothing new is armed, so one connection
//! never has two receives and its octets keep their order. What the caller wants (`read`) is looked at again then.

use std::net::TcpStream;

use crate::Read;

/// One connection.
pub(super) struct Conn {
    /// `None` after the descriptor was detached while a poll was still armed.
    pub(super) stream: Option<TcpStream>,
    pub(super) phase: Phase,
    /// What the caller wants.
    pub(super) read: Read,
    /// What is armed.
    pub(super) receive: Receive,
    /// A poll for writability is armed.
    pub(super) polling: bool,
    pub(super) want_writable: bool,
    /// The end of the stream or a failure was reported.
    pub(super) ended: bool,
}

/// How far the connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The handshake runs.
    Connecting,
    /// Usable.
    Open,
    /// Closed by the caller; kept until the last armed operation has ended.
    Closing,
}

/// What the kernel does for a connection's receiving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Receive {
    /// Nothing is armed.
    Idle,
    /// One receive is armed.
    Once,
    /// A multishot receive is armed.
    Multi,
    /// A receive was cancelled and has not ended yet.
    Ending,
    /// A receive ended for want of a slot.
    Starved,
}

impl Conn {
    pub(super) fn new(stream: TcpStream, phase: Phase, read: Read) -> Self {
        Self {
            stream: Some(stream),
            phase,
            read,
            receive: Receive::Idle,
            polling: false,
            want_writable: false,
            ended: false,
        }
    }

    /// Whether the kernel still owes a completion.
    pub(super) fn in_flight(&self) -> bool {
        self.polling || self.receiving()
    }

    /// Whether a receive is armed or about to end.
    pub(super) fn receiving(&self) -> bool {
        matches!(
            self.receive,
            Receive::Once | Receive::Multi | Receive::Ending
        )
    }

    /// What to arm now, if anything.
    pub(super) fn next_receive(&self) -> Option<Receive> {
        let possible = self.phase == Phase::Open && !self.ended && !self.receiving();
        match self.read {
            Read::Once if possible => Some(Receive::Once),
            Read::Continuous if possible => Some(Receive::Multi),
            Read::Once | Read::Continuous | Read::Paused => None,
        }
    }

    /// Whether what is armed goes against what the caller wants.
    pub(super) fn must_cancel(&self) -> bool {
        match self.receive {
            Receive::Multi => self.read != Read::Continuous,
            Receive::Once => self.read == Read::Paused,
            Receive::Idle | Receive::Ending | Receive::Starved => false,
        }
    }
}
