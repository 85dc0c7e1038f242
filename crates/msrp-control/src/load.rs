//! How much of its means a node uses.

/// How much of its means a node uses at one moment: what decides whether it takes new work.
///
/// Measured by the engine and cheap to ask for; nothing in it is older than half a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Load {
    /// Thousandths of the time in which the busiest shard had work, over the last quarter of a second or so.
    /// 1000 for a shard that does not come round its loop at all.
    pub busy_permille: u16,
    /// Octets of memory that the process has in use (its resident set). 0 where the system does not
    /// tell.
    pub resident_octets: u64,
    /// Sessions that there are, with and without a connection.
    pub sessions_count: u64,
    /// MSRP connections that are open.
    pub connections_count: u64,
}
