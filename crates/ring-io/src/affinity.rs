//! Which core a thread runs on.

use std::io;
use std::mem;

/// Keeps the calling thread on one of the cores that it may run on: the `index`-th, counted round.
///
/// # Errors
/// The kernel refused.
pub fn pin_thread(index: usize) -> io::Result<()> {
    let allowed = allowed()?;
    let cores: Vec<usize> = (0..SETSIZE)
        // SAFETY: `core` is below the number of bits of the set.
        .filter(|core| unsafe { libc::CPU_ISSET(*core, &allowed) })
        .collect();
    let core = cores.get(index % cores.len().max(1)).copied();
    let core = core.ok_or_else(|| io::Error::other("no core may be used"))?;
    // SAFETY: a set of bits; all zeros is the empty set.
    let mut set: libc::cpu_set_t = unsafe { mem::zeroed() };
    // SAFETY: `core` is below the number of bits of the set.
    unsafe { libc::CPU_SET(core, &mut set) };
    // SAFETY: the pointer and the size are those of `set`, which outlives the call; 0 is the calling thread.
    let result = unsafe { libc::sched_setaffinity(0, size_of_val(&set), &raw const set) };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

fn allowed() -> io::Result<libc::cpu_set_t> {
    // SAFETY: a set of bits; all zeros is the empty set.
    let mut set: libc::cpu_set_t = unsafe { mem::zeroed() };
    // SAFETY: the pointer and the size are those of `set`, which outlives the call; 0 is the calling thread.
    let result = unsafe { libc::sched_getaffinity(0, size_of_val(&set), &raw mut set) };
    if result == 0 {
        Ok(set)
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Bits in a set of cores.
const SETSIZE: usize = libc::CPU_SETSIZE as usize;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thread_that_is_pinned_may_run_on_one_core_only() {
        let count = |set: &libc::cpu_set_t| {
            // SAFETY: a set that the kernel filled.
            unsafe { libc::CPU_COUNT(set) }
        };
        std::thread::spawn(move || {
            pin_thread(usize::MAX).unwrap();
            assert_eq!(count(&allowed().unwrap()), 1);
        })
        .join()
        .unwrap();
    }
}
