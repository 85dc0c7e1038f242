//! Which connections have named no session yet, counted for each source.
//!
//! Touched when a connection comes, names its session and goes, never for a chunk. An entry needs a connection, so the
//! tables are bounded by `connections_max`.

use std::collections::HashMap;

use msrp_control::Source;
use ring_io::{ConnKey, Io};

use super::Shard;
use crate::metrics::Cell;

/// The connections of one shard that have named no session.
#[derive(Debug, Default)]
pub(super) struct Unnamed {
    source_of: HashMap<ConnKey, Source>,
    counts: HashMap<Source, usize>,
}

impl Unnamed {
    /// How many this source has.
    fn count_of(&self, source: Source) -> usize {
        self.counts.get(&source).copied().unwrap_or_default()
    }

    fn insert(&mut self, conn: ConnKey, source: Source) {
        self.source_of.insert(conn, source);
        *self.counts.entry(source).or_default() += 1;
    }

    /// The connection is not one of them any more.
    pub(super) fn remove(&mut self, conn: ConnKey) {
        let Some(source) = self.source_of.remove(&conn) else {
            return;
        };
        if let Some(count) = self.counts.get_mut(&source) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&source);
            }
        }
    }
}

impl<I: Io> Shard<I> {
    /// Whether one more connection may come from there. `false` when the source has too many that have named no session.
    pub(super) fn may_come(&self, source: Source) -> bool {
        let max = self.environment.source_unbound_max();
        if max == 0 || self.unnamed.count_of(source) < max {
            return true;
        }
        self.environment.counters.count(Cell::LimitSource);
        tracing::warn!(%source, "a connection was refused: its source has too many without a session");
        false
    }

    /// Counts a connection that has come.
    pub(super) fn count_unnamed(&mut self, conn: ConnKey, source: Source) {
        if self.environment.source_unbound_max() > 0 {
            self.unnamed.insert(conn, source);
        }
    }

    /// The connection has named its session, or is gone.
    pub(super) fn end_naming(&mut self, conn: ConnKey) {
        self.unnamed.remove(conn);
        let connection = self.connections.get_mut(conn);
        if let Some(timer) = connection.and_then(|connection| connection.naming.take()) {
            self.timers.cancel(timer);
        }
    }
}

impl super::Environment {
    /// This shard's part of the node's bound for one source; 0 is no bound.
    fn source_unbound_max(&self) -> usize {
        let shards_count = self.peers.get().map_or(1, Vec::len).max(1);
        self.limits.source_unbound_max.div_ceil(shards_count)
    }
}
