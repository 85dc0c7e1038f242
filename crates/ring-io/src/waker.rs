//! Waking a thread out of its wait, with as few system calls as possible.
//!
//! A sleeping thread watches an eventfd. Writing it costs a system call, and a wake-up of a sleeping core costs ten
//! microseconds, so many wakes must become one write. An atomic flag says "a write is on its way or was not yet
//! looked at"; only the wake that turns it from false to true writes.
//!
//! ```text
//!   waking thread                        woken thread (inside wait)
//!   1. put a message into the mailbox    a. read the eventfd (its count becomes 0)
//!   2. flag.swap(true)                   b. flag.swap(false)
//!   3. only if it was false: write       c. emit Woken; the caller drains the mailbox
//! ```
//!
//! The order a, b, c is what makes it free of lost wakes:
//!
//! - A wake whose step 2 comes before b did not need to write if the flag was set. Step b then reads the value that
//!   step 2 wrote (both are acquire-release), so the message of step 1 is visible to c.
//! - A wake whose step 2 comes after b finds false and writes. Nobody reads the eventfd until the next wait, which
//!   therefore returns at once.
//! - With a and b exchanged, a wake between them would set the flag, write, and have its count read away: the flag
//!   would stay true over an empty eventfd, and every later wake would be lost.
//!
//! So callers drain their mailboxes *after* they saw [`Event::Woken`](crate::Event::Woken), and put messages in
//! *before* they call [`Waker::wake`].

use std::fmt;
use std::io;
use std::os::fd::RawFd;

use crate::shared::{Arc, AtomicBool, EventFd, Ordering};

/// Ends another thread's [`Io::wait`](crate::Io::wait). Cheap to clone; wakes that come together cost one system call.
#[derive(Clone)]
pub struct Waker {
    shared: Arc<Shared>,
}

struct Shared {
    eventfd: EventFd,
    woken: AtomicBool,
}

impl Waker {
    /// A waker with an eventfd of its own. For other implementations of [`Io`](crate::Io).
    ///
    /// # Errors
    /// No descriptor was left.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            shared: Arc::new(Shared {
                eventfd: EventFd::new()?,
                woken: AtomicBool::new(false),
            }),
        })
    }

    /// Makes the owner's next (or current) wait return with [`Event::Woken`](crate::Event::Woken).
    ///
    /// Several wakes before the owner looks give one event. Put the message into the mailbox before.
    pub fn wake(&self) {
        if !self.shared.woken.swap(true, Ordering::AcqRel) {
            self.signal();
        }
    }

    /// Takes the wakes that came so far: true if there was one. For implementations of [`Io`](crate::Io), which call
    /// it when the eventfd is readable and emit [`Event::Woken`](crate::Event::Woken) on true.
    #[must_use]
    pub fn acknowledge(&self) -> bool {
        self.shared.eventfd.clear();
        self.shared.woken.swap(false, Ordering::AcqRel)
    }

    /// Whether somebody woke the owner since it last looked. For implementations of [`Io`](crate::Io) that nobody waits
    /// in.
    #[must_use]
    pub fn is_woken(&self) -> bool {
        self.shared.woken.load(Ordering::Acquire)
    }

    /// Ends the wait without an event: the thread has something of its own to look at.
    pub(crate) fn signal(&self) {
        self.shared.eventfd.raise();
    }

    pub(crate) fn fd(&self) -> RawFd {
        self.shared.eventfd.fd()
    }

    #[cfg(all(test, loom))]
    pub(crate) fn wait(&self) {
        self.shared.eventfd.wait();
    }
}

impl fmt::Debug for Waker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waker")
            .field("woken", &self.shared.woken)
            .finish_non_exhaustive()
    }
}
