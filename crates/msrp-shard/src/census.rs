//! How many MSRP connections the node has, over all shards.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts the connections of all shards. Touched when one comes and goes, never by what is said on it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Census(Arc<AtomicUsize>);

/// One connection that is counted, also while it goes from shard to shard, until this is dropped.
#[derive(Debug)]
pub(crate) struct Counted(Census);

impl Census {
    /// Counts one more, unless there are so many already.
    pub(crate) fn admit(&self, max: usize) -> Option<Counted> {
        let more = |count: usize| (count < max).then(|| count + 1);
        let admitted = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        admitted.ok().map(|_| Counted(self.clone()))
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_counted_while_they_are_there_and_no_more_than_the_bound() {
        let census = Census::default();
        let first = census.admit(2).unwrap();
        let second = census.admit(2).unwrap();
        assert!(census.admit(2).is_none());
        assert_eq!(census.count(), 2);
        drop(first);
        assert!(census.admit(2).is_some());
        drop(second);
        assert_eq!(census.count(), 0);
    }
}
