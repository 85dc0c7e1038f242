//! Receive buffers: slots that are filled piece by piece and lent out as [`Bytes`].
//!
//! # The life of a slot
//!
//! A pool is one mapping, cut into slots. The kernel (or `recv`) fills a slot from front to back, over many receives
//! and for many connections; each receive gives out the octets it brought, in place:
//!
//! ```text
//!            0                                     slot_octets
//!            +--------+-------+-----------+--------------+
//!   slot 7   | conn 3 | conn 9|  conn 3   |  not filled  |
//!            +--------+-------+-----------+--------------+
//!              Bytes    Bytes    Bytes    ^filled
//!            |<------------------ whole ---------------->|   one Bytes over all of it, kept by the pool, never read
//! ```
//!
//! ```text
//!   free --take--> filling --finish--> lent --last Bytes dropped--> returned --reclaim--> free
//!           |         |  ^                          (any thread)       (an atomic bit)
//!           |         +--+ consume: one Bytes per receive
//!           +-- `whole` is made here, while nobody writes to the slot
//! ```
//!
//! `whole` is made once per life with [`Bytes::from_owner`]: one allocation for 256 KiB. A receive costs one slice of it:
//! a reference count. The owner inside is dropped with the last slice, wherever that happens, and sets the slot's bit in
//! `returned`; the pool picks the bits up before its next wait.
//!
//! # Why no reader meets a writer
//!
//! The octets below `filled` are final: nobody writes them until the slot was taken again, and it is taken only after
//! its owner was dropped, that is after the last `Bytes` on it. The octets above `filled` belong to the kernel, and no
//! reference to them exists: `whole` covers them but is only sliced, which is pointer arithmetic. The one moment at which
//! a `&[u8]` over the whole slot exists is inside `from_owner`, before the slot is given to the kernel.
//!
//! A `Bytes` is an address and a length, and makes its `&[u8]` anew each time it is read. So what it shows is what the kernel
//! wrote before the completion was seen, never a value remembered from the moment the address was taken.
//!
//! What does not hold are the draft rules for aliases that Miri can apply (Stacked Borrows, Tree Borrows): by them the
//! address inside `whole`, taken from a shared reference over the slot, is worth nothing after the next write to the slot,
//! although no reference exists by then. The compiler may rely on a reference while a function has it, and `from_owner` has
//! ended when the first octet comes; on addresses it relies nowhere. An owner for each receive would keep these rules
//! too, at the price of an allocation for each. All else that Miri looks for it has not found (`docs/testing.md`).
//!
//! # When all slots are held
//!
//! Receiving stops and must start again by itself when a slot comes back, perhaps from another thread while this one
//! sleeps. The pool sets `starving` and then looks at `returned` once more; a dropped owner sets its bit and then looks at
//! `starving`. Between the two steps of either side is a sequentially consistent fence, so at least one side sees the
//! other: either the pool finds the slot, or the dropping thread signals the eventfd. No timer is needed and nothing spins.

use std::io;
use std::ptr::{self, NonNull};

use bytes::Bytes;

use crate::shared::{Arc, AtomicBool, AtomicU64, Ordering, fence};
use crate::{Config, Waker, limits};

/// How full the receive buffers of one `Io` are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct PoolStats {
    /// Slots in all.
    pub slots: usize,
    /// Slots that are filled and that somebody still holds octets of. When this reaches `slots`, receiving pauses.
    pub slots_in_use: usize,
    /// Octets of one slot.
    pub slot_octets: usize,
    /// How often since the start a connection stopped receiving because no slot was free.
    pub pauses: u64,
}

/// The slots of one `Io`.
pub(crate) struct Pool {
    region: Arc<Region>,
    /// By slot: the handle over all of it and how much is given out; `None` while free or lent.
    filling: Box<[Option<Filling>]>,
    filling_count: usize,
    free: Vec<u16>,
    pauses: u64,
}

struct Filling {
    whole: Bytes,
    filled: usize,
}

/// The kernel said it wrote more than the slot holds.
#[derive(Debug)]
pub(crate) struct Overrun;

impl Pool {
    pub(crate) fn new(config: &Config, waker: Waker) -> io::Result<Self> {
        let slots_ok = (1..=limits::SLOTS_MAX).contains(&config.slots);
        let octets_ok =
            (limits::SLOT_OCTETS_MIN..=limits::SLOT_OCTETS_MAX).contains(&config.slot_octets);
        if !slots_ok || !octets_ok {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "slots or slot_octets out of range",
            ));
        }
        Ok(Self {
            region: Arc::new(Region::new(config.slots, config.slot_octets, waker)?),
            filling: (0..config.slots).map(|_| None).collect(),
            filling_count: 0,
            free: (0..config.slots)
                .rev()
                .filter_map(|slot| u16::try_from(slot).ok())
                .collect(),
            pauses: 0,
        })
    }

    /// Picks up the slots that came back. Cheap when none did.
    pub(crate) fn reclaim(&mut self) {
        for (word, base) in self.region.returned.iter().zip((0u16..).step_by(64)) {
            if word.load(Ordering::Relaxed) == 0 {
                continue;
            }
            // Whatever the last holder read of the slot, it read before: the slot may be written again.
            let mut bits = word.swap(0, Ordering::Acquire);
            while bits != 0 {
                let bit = bits.trailing_zeros();
                bits &= bits - 1;
                self.free.push(base + u16::try_from(bit).unwrap_or(0));
            }
        }
    }

    /// Starts a life: the slot is the caller's to fill, from its first octet on.
    pub(crate) fn take(&mut self) -> Option<u16> {
        let slot = self.free.pop()?;
        let whole = Bytes::from_owner(SlotOwner {
            region: Arc::clone(&self.region),
            slot,
        });
        self.filling[usize::from(slot)] = Some(Filling { whole, filled: 0 });
        self.filling_count += 1;
        Some(slot)
    }

    /// Where a slot starts.
    pub(crate) fn address(&self, slot: u16) -> *mut u8 {
        self.region.address(slot)
    }

    /// Where the octets that were not given out yet start.
    pub(crate) fn tail(&self, slot: u16) -> *mut u8 {
        let start = self.region.address(slot);
        // SAFETY: `filled` is at most `slot_octets`, so the result stays in the slot or at its end.
        unsafe { start.add(self.filled(slot)) }
    }

    pub(crate) fn slot_octets(&self) -> usize {
        self.region.slot_octets
    }

    /// Octets given out of a slot that is being filled.
    pub(crate) fn filled(&self, slot: u16) -> usize {
        self.filling[usize::from(slot)]
            .as_ref()
            .map_or(self.region.slot_octets, |filling| filling.filled)
    }

    /// Gives out the next `octets` of a slot: they are final from now on.
    pub(crate) fn consume(&mut self, slot: u16, octets: usize) -> Result<Bytes, Overrun> {
        let entry = self.filling.get_mut(usize::from(slot)).ok_or(Overrun)?;
        let filling = entry.as_mut().ok_or(Overrun)?;
        let end = filling
            .filled
            .checked_add(octets)
            .filter(|end| *end <= filling.whole.len())
            .ok_or(Overrun)?;
        let data = filling.whole.slice(filling.filled..end);
        filling.filled = end;
        Ok(data)
    }

    /// Ends the filling of a slot: it comes back when the last of its octets is dropped.
    pub(crate) fn finish(&mut self, slot: u16) {
        if self.filling[usize::from(slot)].take().is_some() {
            self.filling_count -= 1;
        }
    }

    /// Asks for a signal when the next slot comes back. True: one already has, go on at once.
    pub(crate) fn starve(&mut self) -> bool {
        self.region.starving.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        self.reclaim();
        let found = !self.free.is_empty();
        if found {
            self.region.starving.store(false, Ordering::Relaxed);
        }
        found
    }

    pub(crate) fn count_pause(&mut self) {
        self.pauses += 1;
    }

    pub(crate) fn stats(&self) -> PoolStats {
        let returned = self
            .region
            .returned
            .iter()
            .map(|word| word.load(Ordering::Relaxed).count_ones() as usize);
        let idle = self.free.len() + self.filling_count + returned.sum::<usize>();
        PoolStats {
            slots: self.filling.len(),
            slots_in_use: self.filling.len().saturating_sub(idle),
            slot_octets: self.region.slot_octets,
            pauses: self.pauses,
        }
    }
}

/// The mapping, and where its slots report back to. Lives until the pool and the last `Bytes` are gone.
struct Region {
    base: NonNull<u8>,
    octets: usize,
    slot_octets: usize,
    returned: Box<[AtomicU64]>,
    starving: AtomicBool,
    waker: Waker,
}

impl Region {
    /// Maps the slots. The kernel supplies memory page by page as octets come in, so an idle pool costs nothing.
    fn new(slots: usize, slot_octets: usize, waker: Waker) -> io::Result<Self> {
        let octets = slots
            .checked_mul(slot_octets)
            .ok_or_else(|| io::Error::from(io::ErrorKind::OutOfMemory))?;
        let base = map_zeroed(octets)?;
        let returned = (0..slots.div_ceil(64)).map(|_| AtomicU64::new(0)).collect();
        Ok(Self {
            base,
            octets,
            slot_octets,
            returned,
            starving: AtomicBool::new(false),
            waker,
        })
    }

    fn address(&self, slot: u16) -> *mut u8 {
        let offset = usize::from(slot) * self.slot_octets;
        assert!(offset < self.octets, "slot out of range");
        // SAFETY: the offset was just checked to lie inside the mapping that `base` starts.
        unsafe { self.base.as_ptr().add(offset) }
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: the mapping was made with exactly these values, and neither the pool nor a `Bytes` is left that
        // could point into it: each of them holds this region by `Arc`.
        unsafe { libc::munmap(self.base.as_ptr().cast(), self.octets) };
    }
}

// SAFETY: `base` is only an address; which thread may read or write which octets is governed by the slots' life
// (module documentation), and the rest of the region is atomic or itself `Send`.
unsafe impl Send for Region {}
// SAFETY: as above; shared access goes through the atomics alone.
unsafe impl Sync for Region {}

/// The owner inside a slot's `Bytes`: dropped with the last of them.
struct SlotOwner {
    region: Arc<Region>,
    slot: u16,
}

impl AsRef<[u8]> for SlotOwner {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: the range lies inside the mapping, which is zeroed at first and therefore initialised, and which
        // `region` keeps alive. Called by `Bytes::from_owner` alone, in `Pool::take`, when nobody writes to the slot.
        unsafe {
            std::slice::from_raw_parts(self.region.address(self.slot), self.region.slot_octets)
        }
    }
}

impl Drop for SlotOwner {
    fn drop(&mut self) {
        let bit = 1u64 << (self.slot % 64);
        self.region.returned[usize::from(self.slot / 64)].fetch_or(bit, Ordering::Release);
        fence(Ordering::SeqCst);
        let starving = &self.region.starving;
        if !starving.load(Ordering::Relaxed) {
            return;
        }
        // One of several threads signals; the others write nothing, for the flag may have been set anew.
        let won = starving.compare_exchange(true, false, Ordering::Relaxed, Ordering::Relaxed);
        if won.is_ok() {
            self.region.waker.signal();
        }
    }
}

/// Maps private zeroed memory that costs nothing until it is touched.
pub(crate) fn map_zeroed(octets: usize) -> io::Result<NonNull<u8>> {
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    // Miri has no accounts of memory that it could be kept out of.
    let unaccounted = if cfg!(miri) { 0 } else { libc::MAP_NORESERVE };
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | unaccounted;
    // SAFETY: an anonymous mapping at an address of the kernel's choice touches no memory of ours.
    let address = unsafe { libc::mmap(ptr::null_mut(), octets, protection, flags, -1, 0) };
    if address == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    NonNull::new(address.cast()).ok_or_else(|| io::Error::from(io::ErrorKind::OutOfMemory))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(slots: usize) -> Pool {
        let config = Config {
            slots,
            slot_octets: 512,
            ..Config::default()
        };
        Pool::new(&config, Waker::new().unwrap()).unwrap()
    }

    #[test]
    fn slot_comes_back_after_its_last_slice() {
        let mut pool = pool(1);
        let slot = pool.take().unwrap();
        let first = pool.consume(slot, 100).unwrap();
        let second = pool.consume(slot, 412).unwrap();
        pool.finish(slot);
        assert_eq!(pool.stats().slots_in_use, 1);
        drop(first);
        pool.reclaim();
        assert!(pool.take().is_none());
        std::thread::spawn(move || drop(second)).join().unwrap();
        assert_eq!(pool.stats().slots_in_use, 0);
        pool.reclaim();
        assert_eq!(pool.take(), Some(slot));
    }

    #[test]
    fn slot_overrun_is_refused() {
        let mut pool = pool(1);
        let slot = pool.take().unwrap();
        assert!(pool.consume(slot, 513).is_err());
        assert!(pool.consume(slot, 512).is_ok());
        assert!(pool.consume(slot, 1).is_err());
        assert!(pool.consume(99, 1).is_err());
    }

    #[test]
    fn starving_pool_is_signalled_by_a_drop_or_finds_the_slot() {
        let mut pool = pool(65);
        let slots: Vec<u16> = (0..65).map(|_| pool.take().unwrap()).collect();
        let held: Vec<Bytes> = slots
            .iter()
            .map(|slot| pool.consume(*slot, 1).unwrap())
            .collect();
        slots.iter().for_each(|slot| pool.finish(*slot));
        assert!(!pool.starve());
        drop(held);
        assert!(!pool.region.starving.load(Ordering::Relaxed));
        assert!(!pool.region.waker.acknowledge(), "a signal is not a wake");
        assert!(pool.starve());
        assert_eq!(pool.free.len(), 65);
    }

    #[test]
    fn slices_outlive_the_pool() {
        let mut pool = pool(2);
        let slot = pool.take().unwrap();
        let data = pool.consume(slot, 512).unwrap();
        drop(pool);
        assert!(data.iter().all(|octet| *octet == 0));
    }

    /// Miri sees here whether a reader ever meets a writer.
    #[test]
    fn slot_is_filled_anew_while_threads_have_read_it() {
        let mut pool = pool(1);
        let mut readers = Vec::new();
        for round in 0..4 {
            let slot = loop {
                pool.reclaim();
                match pool.take() {
                    Some(slot) => break slot,
                    None => std::thread::yield_now(),
                }
            };
            // SAFETY: the slot was just taken, has 512 octets, and nothing of it is given out yet.
            unsafe { ptr::write_bytes(pool.tail(slot), round, 512) };
            let data = pool.consume(slot, 512).unwrap();
            pool.finish(slot);
            for part in [data.slice(..200), data.slice(100..)] {
                readers.push(std::thread::spawn(move || {
                    assert!(part.iter().all(|octet| *octet == round));
                }));
            }
        }
        for reader in readers {
            reader.join().unwrap();
        }
    }
}
