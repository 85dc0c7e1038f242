//! Identifiers that differ between peers, tests and runs.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};

/// Sixteen hexadecimal digits behind a prefix. The hasher is seeded by the operating system.
pub(crate) fn fresh(prefix: &str) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_u64(COUNT.fetch_add(1, Ordering::Relaxed));
    format!("{prefix}{:016x}", hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::fresh;

    #[test]
    fn ident_drawn_twice_differs() {
        assert_ne!(fresh("a"), fresh("a"));
        assert_eq!(fresh("ab").len(), 18);
    }
}
