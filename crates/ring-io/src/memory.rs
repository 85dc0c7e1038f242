//! Memory that the allocator keeps.

/// Gives memory that was freed back to the kernel; the allocator keeps it for later otherwise, so that a burst shows in the
/// resident memory long after it. Takes some ten milliseconds for some hundred megabytes, and whoever allocates
/// meanwhile may wait: not for the thread of a shard. Does nothing where the allocator has no such call.
pub fn release_freed_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: `malloc_trim` has no precondition; it takes the locks of the allocator itself and touches free memory alone.
    unsafe {
        libc::malloc_trim(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Resident pages.
    fn resident() -> usize {
        let text = std::fs::read_to_string("/proc/self/statm").unwrap();
        text.split(' ').nth(1).unwrap().parse().unwrap()
    }

    #[test]
    fn freed_memory_goes_back_to_the_kernel() {
        // Small pieces, with one in use at the end: the allocator gives nothing back by itself.
        let mut pieces: Vec<Vec<u8>> = (0..40_000).map(|_| vec![1; 1000]).collect();
        let last = pieces.pop();
        drop(pieces);
        let before = resident();
        release_freed_memory();
        assert!(resident() + 5_000 < before, "{before}");
        drop(last);
    }
}
