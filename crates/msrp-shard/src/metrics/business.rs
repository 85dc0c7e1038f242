//! How busy a shard is.
//!
//! ```text
//!   wait ~~~~~~ | turn ------ | wait ~~ | turn -- | wait ~~~~~~~~ | ...
//!               <--- busy --->          < busy >
//! ```
//!
//! Costs no look at the clock: a turn begins and ends where the loop looks at it anyhow.

use std::sync::atomic::{AtomicU64, Ordering};

/// The shard alone writes; anybody reads.
#[derive(Debug, Default)]
pub(crate) struct Business {
    /// Time outside of waiting since the node started.
    busy_ns: AtomicU64,
    /// When the present window began, and what [`Business::busy_ns`] was then.
    window_ns: AtomicU64,
    window_busy_ns: AtomicU64,
    window_longest_ns: AtomicU64,
    /// Of the last complete window.
    permille: AtomicU64,
    longest_ns: AtomicU64,
}

impl Business {
    /// A turn lasted from one time to the other, nanoseconds of the engine's clock.
    pub(crate) fn end_turn(&self, began_ns: u64, now_ns: u64) {
        let turn_ns = now_ns.saturating_sub(began_ns);
        let busy_ns = load(&self.busy_ns).wrapping_add(turn_ns);
        store(&self.busy_ns, busy_ns);
        let longest_ns = load(&self.window_longest_ns).max(turn_ns);
        store(&self.window_longest_ns, longest_ns);
        let window_ns = now_ns.saturating_sub(load(&self.window_ns));
        if window_ns < WINDOW_NS {
            return;
        }
        let used_ns = busy_ns.wrapping_sub(load(&self.window_busy_ns));
        let permille = used_ns.saturating_mul(1000) / window_ns;
        store(&self.permille, permille.min(1000));
        store(&self.longest_ns, longest_ns);
        store(&self.window_ns, now_ns);
        store(&self.window_busy_ns, busy_ns);
        store(&self.window_longest_ns, 0);
    }

    /// Time outside of waiting, in nanoseconds.
    pub(crate) fn busy_ns(&self) -> u64 {
        load(&self.busy_ns)
    }

    /// Thousandths of the last window in which there was work.
    pub(crate) fn permille(&self) -> u16 {
        u16::try_from(load(&self.permille)).unwrap_or(1000)
    }

    /// The longest turn of the last window, or of the present one when that has a longer one.
    pub(crate) fn longest_turn_ns(&self) -> u64 {
        load(&self.longest_ns).max(load(&self.window_longest_ns))
    }
}

fn load(cell: &AtomicU64) -> u64 {
    cell.load(Ordering::Relaxed)
}

fn store(cell: &AtomicU64, value: u64) {
    cell.store(value, Ordering::Relaxed);
}

/// Time over which the ratio is taken, in nanoseconds: 250 ms, as long as a shard without work sleeps.
const WINDOW_NS: u64 = crate::limits::SLEEP_NS_MAX;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn business_is_the_part_of_a_window_that_turns_took() {
        let business = Business::default();
        business.end_turn(0, 50_000_000);
        assert_eq!(business.permille(), 0, "the window is still open");
        assert_eq!(business.longest_turn_ns(), 50_000_000);
        business.end_turn(450_000_000, 500_000_000);
        assert_eq!(business.permille(), 200);
        assert_eq!(business.busy_ns(), 100_000_000);
        // The next window knows nothing of the one before.
        business.end_turn(990_000_000, 1_000_000_000);
        assert_eq!(business.permille(), 20);
        assert_eq!(business.longest_turn_ns(), 10_000_000);
    }
}
