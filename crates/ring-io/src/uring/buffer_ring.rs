//! The ring of receive buffers that the kernel takes from.
//!
//! It is *incremental*: a receive uses up only as much of the buffer at the head as it brings, and the next receive, of
//! whichever connection, goes on behind it. A completion names the buffer but not the place in it; the place follows from
//! the order of the completions, so the pool's `filled` is the kernel's own offset.
//!
//! ```text
//!   ring (16 octets an entry)       head: the kernel's, moves when an entry is used up
//!   +-------+-------+-------+------- ... -+
//!   | addr  | addr  | addr  |             |     tail: ours, in the last two octets of entry 0
//!   | len   | len   | len   |             |
//!   | slot  | slot  | slot  |             |
//!   +-------+-------+-------+------- ... -+
//! ```

use std::io;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::Submitter;
use io_uring::types::BufRingEntry;

use crate::pool::{Pool, map_zeroed};

/// The shared ring and our end of it.
pub(super) struct BufferRing {
    base: NonNull<BufRingEntry>,
    entries: u16,
    tail: u16,
}

impl BufferRing {
    /// Maps a ring with room for every slot of the pool. The kernel does not know it yet.
    pub(super) fn new(slots: usize) -> io::Result<Self> {
        let entries =
            u16::try_from(slots.next_power_of_two()).map_err(|_| io::ErrorKind::InvalidInput)?;
        let base = map_zeroed(Self::octets(entries))?.cast();
        Ok(Self {
            base,
            entries,
            tail: 0,
        })
    }

    /// Makes the kernel take receive buffers from this ring.
    ///
    /// # Errors
    /// `EINVAL` before Linux 6.12.
    pub(super) fn register(&self, submitter: &Submitter<'_>) -> io::Result<()> {
        let address = self.base.as_ptr() as u64;
        // SAFETY: the mapping is page-aligned, has room for `entries`, and outlives the registration: the backend
        // unregisters it and drops the io_uring before this.
        unsafe { submitter.register_buf_ring_with_flags(address, self.entries, GROUP, INCREMENTAL) }
    }

    /// Gives a freshly taken slot to the kernel, from its first octet on.
    pub(super) fn provide(&mut self, pool: &Pool, slot: u16) {
        let position = usize::from(self.tail & (self.entries - 1));
        // SAFETY: the position is below `entries`, so the entry lies in the mapping. The kernel does not read entries
        // from the tail on, and the ring has as many entries as the pool has slots, so this one is not in use.
        let entry = unsafe { &mut *self.base.as_ptr().add(position) };
        entry.set_addr(pool.address(slot) as u64);
        entry.set_len(u32::try_from(pool.slot_octets()).unwrap_or(u32::MAX));
        entry.set_bid(slot);
        self.tail = self.tail.wrapping_add(1);
    }

    /// Shows the kernel what was provided.
    pub(super) fn publish(&mut self) {
        // SAFETY: `base` points to the first entry of a valid ring, as this function asks for.
        let tail = unsafe { BufRingEntry::tail(self.base.as_ptr()) };
        // SAFETY: the tail is an aligned u16 inside the mapping; kernel and user space share it by atomic access only.
        let tail = unsafe { AtomicU16::from_ptr(tail.cast_mut()) };
        tail.store(self.tail, Ordering::Release);
    }

    fn octets(entries: u16) -> usize {
        usize::from(entries) * size_of::<BufRingEntry>()
    }
}

impl Drop for BufferRing {
    fn drop(&mut self) {
        // SAFETY: the mapping was made with exactly this size, and the kernel's registration has ended (or pins the
        // pages for itself).
        unsafe { libc::munmap(self.base.as_ptr().cast(), Self::octets(self.entries)) };
    }
}

/// The buffer group's number; there is only one.
pub(super) const GROUP: u16 = 0;

/// `IOU_PBUF_RING_INC` of `<linux/io_uring.h>`.
const INCREMENTAL: u16 = 2;
