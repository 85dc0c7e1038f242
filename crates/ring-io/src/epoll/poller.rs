//! The epoll instance: descriptors, tokens and masks.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

use crate::limits;
use crate::socket::check;

/// One epoll instance with its buffer of readiness events.
pub(super) struct Poller {
    epoll: OwnedFd,
    ready: Vec<libc::epoll_event>,
}

/// What a descriptor's readiness event says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Readiness {
    pub(super) token: u64,
    pub(super) mask: u32,
}

impl Poller {
    pub(super) fn new() -> io::Result<Self> {
        // SAFETY: epoll_create1 takes no pointers.
        let fd = check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        // SAFETY: the kernel just made this descriptor for us; nobody else owns it.
        let epoll = unsafe { OwnedFd::from_raw_fd(fd) };
        Ok(Self {
            epoll,
            ready: Vec::with_capacity(limits::EPOLL_EVENTS),
        })
    }

    /// Changes what is watched on a descriptor from `old` to `new`; an empty mask means not watched at all.
    ///
    /// A descriptor with nothing to watch must leave the instance: epoll reports errors and hang-ups whatever the
    /// mask says, and level-triggered that would be a busy loop.
    pub(super) fn watch(&self, fd: RawFd, token: u64, old: u32, new: u32) -> io::Result<()> {
        let operation = match (old, new) {
            (0, 0) => return Ok(()),
            (0, _) => libc::EPOLL_CTL_ADD,
            (_, 0) => libc::EPOLL_CTL_DEL,
            (old, new) if old == new => return Ok(()),
            _ => libc::EPOLL_CTL_MOD,
        };
        let mut event = libc::epoll_event {
            events: new,
            u64: token,
        };
        // SAFETY: `event` is a valid epoll_event and outlives the call.
        check(unsafe { libc::epoll_ctl(self.epoll.as_raw_fd(), operation, fd, &raw mut event) })
            .map(drop)
    }

    /// Waits; the events are then read with [`Poller::ready`]. An interrupted wait has none.
    pub(super) fn wait(&mut self, timeout: Option<Duration>) -> io::Result<usize> {
        self.ready.clear();
        let capacity = i32::try_from(self.ready.capacity()).unwrap_or(i32::MAX);
        let timeout_ms = timeout.map_or(-1, millis_up);
        // SAFETY: the vector has room for `capacity` events and is not touched during the call.
        let count = unsafe {
            libc::epoll_wait(
                self.epoll.as_raw_fd(),
                self.ready.as_mut_ptr(),
                capacity,
                timeout_ms,
            )
        };
        let Ok(count) = usize::try_from(count) else {
            let error = io::Error::last_os_error();
            return if error.kind() == io::ErrorKind::Interrupted {
                Ok(0)
            } else {
                Err(error)
            };
        };
        // SAFETY: the kernel wrote `count` events, at most the capacity.
        unsafe { self.ready.set_len(count) };
        Ok(count)
    }

    pub(super) fn ready(&self, position: usize) -> Option<Readiness> {
        let event = self.ready.get(position)?;
        Some(Readiness {
            token: event.u64,
            mask: event.events,
        })
    }
}

/// Milliseconds, rounded up: a wait must not end before its time, or short waits would spin.
fn millis_up(timeout: Duration) -> i32 {
    i32::try_from(timeout.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeout_rounds_up_to_milliseconds() {
        assert_eq!(millis_up(Duration::ZERO), 0);
        assert_eq!(millis_up(Duration::from_nanos(1)), 1);
        assert_eq!(millis_up(Duration::from_millis(7)), 7);
        assert_eq!(millis_up(Duration::MAX), i32::MAX);
    }
}
