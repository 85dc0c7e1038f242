//! One TCP connection with both of its ends.

use ring_io::Read;

use super::pipe::Pipe;
use super::{Key, PeerId, SiteId, Watch};

/// A connection.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) owner: PeerId,
    /// The node that it leads to.
    pub(super) site: SiteId,
    pub(super) node: NodeEnd,
    pub(super) watch: Watch,
    pub(super) to_node: Pipe,
    pub(super) to_peer: Pipe,
    /// When it is there to be accepted, or when its opening has ended.
    pub(super) opens_ns: u64,
    /// Kept while the node opens it: whether somebody is there.
    pub(super) opening: Option<bool>,
    /// From when on the node's end is broken.
    pub(super) reset_node_ns: Option<u64>,
    /// From when on the peer's end is broken.
    pub(super) reset_peer_ns: Option<u64>,
    /// The peer reads no more.
    pub(super) is_peer_closed: bool,
    /// Nothing comes through any more, ever.
    pub(super) is_black_hole: bool,
    /// Whether it stands in the list of its shard.
    pub(super) is_listed: bool,
}

/// Who has the node's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NodeEnd {
    /// The kernel, until a shard accepts it.
    Knocking {
        /// The shard that will.
        shard: usize,
    },
    /// A shard, as a descriptor that no kernel watches.
    Held,
    /// A shard, under a key of its kernel.
    Open {
        /// The shard.
        shard: usize,
        /// The key.
        key: Key,
    },
    /// Nobody.
    Gone,
}

impl Link {
    pub(super) fn new(
        (owner, site): (PeerId, SiteId),
        node: NodeEnd,
        (to_node, to_peer): (Pipe, Pipe),
    ) -> Self {
        Self {
            owner,
            site,
            node,
            watch: Watch {
                read: Read::Paused,
                was_armed: false,
                wants_writable: false,
                is_ended: false,
            },
            to_node,
            to_peer,
            opens_ns: 0,
            opening: None,
            reset_node_ns: None,
            reset_peer_ns: None,
            is_peer_closed: false,
            is_black_hole: false,
            is_listed: false,
        }
    }

    /// Whether it is broken, or about to be, at either end.
    pub(super) fn is_broken(&self) -> bool {
        self.reset_node_ns.is_some() || self.reset_peer_ns.is_some()
    }

    pub(super) fn is_reset(&self, now_ns: u64) -> bool {
        self.reset_node_ns.is_some_and(|at| at <= now_ns)
    }

    pub(super) fn is_read(&self) -> bool {
        (self.watch.read != Read::Paused || self.watch.was_armed) && !self.watch.is_ended
    }

    /// Whether the node is to be told that it can write.
    pub(super) fn is_writable(&self, now_ns: u64) -> bool {
        let half = self.to_peer.manners.buffer_octets / 2;
        self.watch.wants_writable && (self.to_peer.room() >= half || self.is_reset(now_ns))
    }

    /// Whether the node's kernel has something to tell about it.
    pub(super) fn has_news(&self, now_ns: u64, has_slot: bool) -> bool {
        match self.node {
            NodeEnd::Knocking { .. } => self.opens_ns <= now_ns,
            NodeEnd::Held | NodeEnd::Gone => false,
            NodeEnd::Open { .. } if self.opening.is_some() => self.opens_ns <= now_ns,
            NodeEnd::Open { .. } => {
                let can_read = self.to_node.arrived() > 0 && has_slot;
                let is_over = self.is_reset(now_ns) || self.to_node.is_at_end(now_ns);
                self.is_writable(now_ns) || (self.is_read() && (can_read || is_over))
            }
        }
    }
}
