//! Connections from one node to another, and nodes that die.
//!
//! A connection between nodes is two links, coupled where their peers would be: what one node's link delivers there is
//! written into the other's, as far as that one has room. An end is passed on as an end, a reset as a reset.
//!
//! ```text
//!   node --to_peer--> | coupling | --to_node--> node
//!        <--to_node-- |          | <--to_peer--
//! ```

use std::net::SocketAddr;
use std::ops::Range;

use super::link::NodeEnd;
use super::{Kernel, LinkId, PeerId, PeerView, Side};

/// The number of a node.
pub(crate) type SiteId = usize;

/// One node: the shards behind one address.
#[derive(Debug, Clone)]
pub(super) struct Site {
    pub(super) address: SocketAddr,
    pub(super) sides: Range<usize>,
}

impl Kernel {
    /// Another node can be connected to at this address; it has so many shards. Returns the number of its first one.
    ///
    /// # Errors
    /// No descriptor is left.
    pub(crate) fn add_site(
        &mut self,
        address: SocketAddr,
        shards: usize,
    ) -> std::io::Result<usize> {
        let first = self.sides.len();
        for _ in 0..shards {
            self.sides.push(Side::new()?);
        }
        let sides = first..self.sides.len();
        self.sites.push(Site { address, sides });
        Ok(first)
    }

    /// The node that a shard belongs to.
    pub(super) fn site_of(&self, shard: usize) -> SiteId {
        let found = self
            .sites
            .iter()
            .position(|site| site.sides.contains(&shard));
        found.unwrap_or(0)
    }

    /// Which shard of a node gets the next connection.
    pub(super) fn choose_side(&mut self, site: SiteId) -> usize {
        let sides = self.sites.get(site).map_or(0..1, |site| site.sides.clone());
        sides.start + self.chance.index(sides.len())
    }

    /// A link that a node opens to another node: what it is coupled with waits there to be accepted.
    pub(super) fn couple(&mut self, near: LinkId, site: SiteId) {
        let shard = self.choose_side(site);
        let far = self.new_link(usize::MAX, NodeEnd::Knocking { shard }, site);
        let at_ns = self.now_ns + self.delay(far);
        if let Some(found) = self.links.get_mut(far) {
            found.opens_ns = at_ns;
        }
        self.schedule(at_ns, far);
        self.couplings.push((near, far));
    }

    /// Both links of connections between nodes.
    pub(crate) fn couplings(&self) -> &[(LinkId, LinkId)] {
        &self.couplings
    }

    /// Passes on what can be passed on.
    pub(super) fn pump(&mut self) {
        if self.couplings.is_empty() {
            return;
        }
        let mut couplings = std::mem::take(&mut self.couplings);
        couplings.retain(|(near, far)| {
            self.carry(*near, *far);
            self.carry(*far, *near);
            !(self.is_done(*near) && self.is_done(*far))
        });
        self.couplings = couplings;
    }

    fn carry(&mut self, from: LinkId, to: LinkId) {
        loop {
            let room = self.links.get(to).map_or(0, |link| link.to_node.room());
            let octets = self.peer_read(from, room);
            if octets.is_empty() {
                break;
            }
            if self.is_verbose {
                let at = self.now_ns as f64 / 1e9;
                println!("{at:>10.6} link {from} => {to}: {}", octets.escape_ascii());
            }
            self.peer_write(to, &octets);
        }
        let is_reset = self.links.get(to).is_none_or(|link| link.is_broken());
        let has_ended = self
            .links
            .get(to)
            .is_none_or(|link| link.to_node.is_ended());
        match self.peer_view(from) {
            PeerView::Open => {}
            PeerView::AtEnd if !has_ended => self.peer_end(to),
            PeerView::AtEnd => {}
            PeerView::Reset if !is_reset => self.peer_reset(to),
            PeerView::Reset => {}
        }
    }

    /// Whether nothing more comes of a link.
    fn is_done(&self, link: LinkId) -> bool {
        let link = self.links.get(link);
        link.is_none_or(|link| link.node == NodeEnd::Gone && link.is_broken())
    }

    /// Whether octets wait between nodes.
    pub(super) fn is_pumped(&self) -> bool {
        self.couplings.iter().all(|(near, far)| {
            [near, far]
                .into_iter()
                .filter_map(|link| self.links.get(*link))
                .all(|link| link.is_black_hole || link.is_broken() || link.to_peer.arrived() == 0)
        })
    }

    /// A node dies: its connections break, and its kernel is a fresh one.
    ///
    /// # Errors
    /// No descriptor is left.
    pub(crate) fn kill(&mut self, site: SiteId) -> std::io::Result<()> {
        for link in 0..self.links.len() {
            let at_ns = self.now_ns + self.delay(link);
            let Some(found) = self.links.get_mut(link) else {
                continue;
            };
            if found.site == site && found.node != NodeEnd::Gone {
                found.node = NodeEnd::Gone;
                found.to_peer.lose();
                found.to_node.lose();
                self.reset_peer(link, at_ns);
            }
        }
        let sides = self.sites.get(site).map_or(0..0, |site| site.sides.clone());
        for side in self.sides.get_mut(sides).into_iter().flatten() {
            *side = Side::new()?;
        }
        Ok(())
    }

    /// A shard fails: the connections that it had close, and who waits to be accepted goes on waiting. Returns those
    /// connections with their owners, and those that were handed from shard to shard.
    ///
    /// # Errors
    /// No descriptor is left.
    pub(crate) fn fail(&mut self, shard: usize) -> std::io::Result<Vec<(PeerId, LinkId)>> {
        let mut owners = Vec::new();
        if let Some(side) = self.sides.get_mut(shard) {
            *side = Side::new()?;
        }
        for link in 0..self.links.len() {
            let Some(found) = self.links.get_mut(link) else {
                continue;
            };
            match found.node {
                NodeEnd::Open { shard: has, .. } if has == shard => {
                    owners.push((found.owner, link));
                    found.is_listed = false;
                    self.node_closes(link);
                }
                NodeEnd::Knocking { shard: has } if has == shard => {
                    found.is_listed = false;
                    self.list(link);
                }
                // Handed from shard to shard: perhaps to this one.
                NodeEnd::Held => owners.push((found.owner, LinkId::MAX)),
                NodeEnd::Knocking { .. } | NodeEnd::Open { .. } | NodeEnd::Gone => {}
            }
        }
        Ok(owners)
    }
}
