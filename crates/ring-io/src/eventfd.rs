//! A counter of the kernel that is readable while it is not zero.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

/// What a sleeping thread watches.
pub(crate) struct EventFd(OwnedFd);

impl EventFd {
    /// # Errors
    /// No descriptor was left.
    pub(crate) fn new() -> io::Result<Self> {
        // SAFETY: eventfd takes no pointers.
        let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel just made this descriptor for us; nobody else owns it.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Makes it readable.
    pub(crate) fn raise(&self) {
        let one = 1u64;
        // The only failure is a count at its limit, and then the eventfd is readable anyway.
        // SAFETY: `one` is eight readable octets and outlives the call.
        unsafe { libc::write(self.fd(), (&raw const one).cast(), size_of::<u64>()) };
    }

    /// Makes it not readable.
    pub(crate) fn clear(&self) {
        let mut count = 0u64;
        // The result does not matter: nothing to read means that nobody wrote.
        // SAFETY: `count` is eight writable octets and outlives the call.
        unsafe { libc::read(self.fd(), (&raw mut count).cast(), size_of::<u64>()) };
    }

    pub(crate) fn fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}
