//! Waking a thread whose waker may be exchanged.

use std::fmt;
use std::sync::PoisonError;

use crate::Waker;
use crate::shared::RwLock;

/// Wakes a thread by the waker that it has at the moment: one that starts anew has a new one.
///
/// ```text
///   ringing thread                    thread that starts anew
///   1. put a message                  a. wake the new waker, which nobody else knows
///   2. wake the waker that hangs      b. hang it up instead of the old one
///                                     c. wait (it returns at once), then look for messages
/// ```
///
/// A ring before b wakes the old waker, in which nobody waits any more. Its message was put before, and the lock orders 2
/// before b, so c finds it. A ring after b wakes the new waker.
pub struct Bell(RwLock<Waker>);

impl Bell {
    /// A bell that rings this waker.
    #[must_use]
    pub fn new(waker: Waker) -> Self {
        Self(RwLock::new(waker))
    }

    /// Wakes the thread. Put the message into its mailbox before.
    pub fn ring(&self) {
        self.0.read().unwrap_or_else(PoisonError::into_inner).wake();
    }

    /// From now on this waker is rung, and at once: what came meanwhile waits in the mailbox.
    pub fn hang(&self, waker: Waker) {
        waker.wake();
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = waker;
    }
}

impl fmt::Debug for Bell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bell").finish_non_exhaustive()
    }
}
