//! How often each bound of the engine kept a request out.

use std::sync::atomic::{AtomicU64, Ordering};

/// What keeps requests outside of dialogs out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bound {
    /// The process can carry nothing new: `UaHandle::refuse_new`.
    Memory,
    /// Events that wait for the focus.
    Events,
    /// `UaLimits::transactions_max`.
    Transactions,
    /// `UaLimits::dialogs_max`.
    Dialogs,
    /// `UaLimits::unfinished_max`.
    Unfinished,
    /// `UaLimits::source_requests_per_s`.
    SourceRequests,
    /// `UaLimits::source_unfinished_max`.
    SourceUnfinished,
}

/// The bounds in the words of the metrics: a key of the configuration, or a constant of the program.
const NAMES: [(Bound, &str); 7] = [
    (Bound::Memory, "memory_octets_max"),
    (Bound::Events, "sip_events_max"),
    (Bound::Transactions, "sip_transactions_max"),
    (Bound::Dialogs, "sip_dialogs_max"),
    (Bound::Unfinished, "sip_unfinished_max"),
    (Bound::SourceRequests, "sip_source_requests_per_s"),
    (Bound::SourceUnfinished, "sip_source_unfinished_max"),
];

/// The counts. The engine alone counts; anybody reads.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    counts: [AtomicU64; NAMES.len()],
    given_up: AtomicU64,
}

impl Refusals {
    /// One request was kept out.
    pub(super) fn count(&self, bound: Bound) {
        self.counts[bound as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// One transaction was given up to make room.
    pub(super) fn count_given_up(&self) {
        self.given_up.fetch_add(1, Ordering::Relaxed);
    }

    /// Each bound with its count.
    pub(super) fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        NAMES.iter().map(|(bound, name)| {
            let count = self.counts[*bound as usize].load(Ordering::Relaxed);
            (*name, count)
        })
    }

    /// Transactions that were given up.
    pub(super) fn given_up(&self) -> u64 {
        self.given_up.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bound_has_its_own_count_under_its_name() {
        let refusals = Refusals::default();
        for (index, (bound, _)) in NAMES.iter().enumerate() {
            for _ in 0..=index {
                refusals.count(*bound);
            }
        }
        let expected = NAMES.iter().zip(1..).map(|((_, name), n)| (*name, n));
        assert!(refusals.counts().eq(expected));
    }
}
