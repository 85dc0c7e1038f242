//! A kernel and a network that exist in memory alone.
//!
//! A [`Link`](link::Link) is one TCP connection with both of its ends: one at the node, behind the trait
//! [`ring_io::Io`] ([`SimulatedIo`]), and one in the hand of a peer, which calls [`Kernel`]. Everything that happens has
//! its time and its place in one order, so a run of the same seed does the same again.
//!
//! Descriptors are real ones, of `/dev/null`: the node hands them from shard to shard, and their number says which link
//! is meant. Nothing is ever read from or written to them.

mod coupling;
mod io;
mod link;
mod pipe;

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{OwnedFd, RawFd};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use ring_io::{ConnKey, Errno, ListenerKey, Read, Waker};

use crate::chance::Chance;

use coupling::Site;
pub(crate) use coupling::SiteId;
pub(crate) use io::SimulatedIo;
use link::{Link, NodeEnd};
use pipe::{Manners, Pipe};

/// The number of a link. Never used again.
pub(crate) type LinkId = usize;

/// The number of a peer.
pub(crate) type PeerId = usize;

/// How the network of a world behaves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NetworkPlan {
    /// Longest segment; 1 splits at every octet.
    pub segment_octets_max: usize,
    /// Longest delay of a segment, in nanoseconds.
    pub delay_ns_max: u64,
    /// Largest send buffer.
    pub buffer_octets_max: usize,
    /// Receive slots of a shard.
    pub slots: usize,
    /// Whether sends are cut short now and then, although there is room.
    pub short_sends: bool,
}

/// All links of a world.
pub(crate) struct Kernel {
    pub(crate) now_ns: u64,
    plan: NetworkPlan,
    chance: Chance,
    links: Vec<Link>,
    events: BinaryHeap<Reverse<(u64, u64, LinkId)>>,
    events_count: u64,
    sides: Vec<Side>,
    descriptors: BTreeMap<RawFd, LinkId>,
    listening: BTreeMap<SocketAddr, PeerId>,
    /// The nodes, the one with the rooms first.
    sites: Vec<Site>,
    /// Links whose other ends are at nodes too.
    couplings: Vec<(LinkId, LinkId)>,
    /// Peers whose links changed.
    woken: Vec<PeerId>,
    /// Connections that the node opened, for the peers that they reached.
    knocks: Vec<(PeerId, LinkId)>,
    null: File,
    trace: u64,
    /// What goes between nodes is told on standard output.
    pub(crate) is_verbose: bool,
}

/// What belongs to one shard.
struct Side {
    slots: Vec<(u32, Option<LinkId>)>,
    free: Vec<u32>,
    /// Links that may have something to tell.
    ready: Vec<LinkId>,
    /// Links that were accepted by the last wait.
    accepted: Vec<LinkId>,
    listeners: Vec<ListenerKey>,
    waker: Waker,
    slots_in_use: Arc<AtomicUsize>,
    pauses: u64,
}

/// What a peer sees of its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PeerView {
    /// Octets may come.
    Open,
    /// The node has ended its stream, and everything was read.
    AtEnd,
    /// The connection is broken.
    Reset,
}

impl Kernel {
    /// A network with one node of this many shards.
    ///
    /// # Errors
    /// No descriptor is left.
    pub(crate) fn new(
        plan: NetworkPlan,
        (address, shards): (SocketAddr, usize),
        chance: Chance,
    ) -> std::io::Result<Self> {
        let mut kernel = Self {
            now_ns: 0,
            plan,
            chance,
            links: Vec::new(),
            events: BinaryHeap::new(),
            events_count: 0,
            sides: Vec::new(),
            descriptors: BTreeMap::new(),
            listening: BTreeMap::new(),
            sites: Vec::new(),
            couplings: Vec::new(),
            woken: Vec::new(),
            knocks: Vec::new(),
            null: File::open("/dev/null")?,
            trace: 0xcbf2_9ce4_8422_2325,
            is_verbose: false,
        };
        kernel.add_site(address, shards)?;
        Ok(kernel)
    }

    /// A shard's part of the kernel, and a listening socket for it.
    ///
    /// # Errors
    /// No descriptor is left.
    pub(crate) fn shard(
        this: &Rc<RefCell<Self>>,
        shard: usize,
    ) -> std::io::Result<(SimulatedIo, Vec<TcpListener>)> {
        let listener = TcpListener::from(OwnedFd::from(this.borrow().null.try_clone()?));
        Ok((SimulatedIo::new(this, shard), vec![listener]))
    }

    /// What has happened so far as one number: the same for the same seed.
    #[must_use]
    pub(crate) fn trace(&self) -> u64 {
        self.trace
    }

    fn note(&mut self, octets: &[u8]) {
        for part in octets.chunks(8) {
            let number = part
                .iter()
                .fold(0, |all, octet| (all << 8) | u64::from(*octet));
            self.trace = (self.trace ^ number)
                .wrapping_mul(0x0100_0000_01b3)
                .rotate_left(23);
        }
    }

    fn note_number(&mut self, number: u64) {
        self.note(&number.to_le_bytes());
    }

    /// When something happens next in the network.
    #[must_use]
    pub(crate) fn next_ns(&self) -> Option<u64> {
        if !self.woken.is_empty() || !self.knocks.is_empty() {
            return Some(self.now_ns);
        }
        self.events.peek().map(|Reverse((at, ..))| *at)
    }

    /// Time goes on to this moment.
    pub(crate) fn advance(&mut self, now_ns: u64) {
        self.now_ns = self.now_ns.max(now_ns);
        while let Some(Reverse((at, _, link))) = self.events.peek().copied() {
            if at > self.now_ns {
                break;
            }
            self.events.pop();
            self.look(link);
        }
        self.pump();
    }

    fn schedule(&mut self, at_ns: u64, link: LinkId) {
        self.events_count += 1;
        self.events.push(Reverse((at_ns, self.events_count, link)));
    }

    /// Lets arrive on a link what is due, and tells both ends.
    fn look(&mut self, link: LinkId) {
        let now_ns = self.now_ns;
        let Some(found) = self.links.get_mut(link) else {
            return;
        };
        found.to_node.advance(now_ns);
        if found.to_peer.advance(now_ns) && found.is_peer_closed {
            // Nobody reads there any more.
            found.to_peer.lose();
            found.reset_node_ns.get_or_insert(now_ns);
        }
        self.woken.push(found.owner);
        self.list(link);
    }

    /// The node's end of a link may have something to tell.
    fn list(&mut self, link: LinkId) {
        let Some(found) = self.links.get_mut(link) else {
            return;
        };
        if let NodeEnd::Knocking { shard } | NodeEnd::Open { shard, .. } = found.node
            && !std::mem::replace(&mut found.is_listed, true)
            && let Some(side) = self.sides.get_mut(shard)
        {
            side.ready.push(link);
        }
    }

    /// Whether a shard's wait would tell something.
    #[must_use]
    pub(crate) fn has_news(&self, shard: usize) -> bool {
        let now_ns = self.now_ns;
        self.sides.get(shard).is_some_and(|side| {
            side.waker.is_woken()
                || side.ready.iter().any(|link| {
                    self.links
                        .get(*link)
                        .is_some_and(|link| link.has_news(now_ns, self.has_slot(side)))
                })
        })
    }

    fn has_slot(&self, side: &Side) -> bool {
        side.slots_in_use.load(std::sync::atomic::Ordering::Relaxed) < self.plan.slots
    }

    /// Receive slots of a shard that somebody holds.
    #[must_use]
    pub(crate) fn slots_in_use(&self, shard: usize) -> usize {
        self.sides.get(shard).map_or(0, |side| {
            side.slots_in_use.load(std::sync::atomic::Ordering::Relaxed)
        })
    }

    /// The peers that have to look at their links, and the links that the node opened to peers.
    pub(crate) fn take_news(&mut self) -> (Vec<PeerId>, Vec<(PeerId, LinkId)>) {
        let mut woken = std::mem::take(&mut self.woken);
        woken.sort_unstable();
        woken.dedup();
        (woken, std::mem::take(&mut self.knocks))
    }

    fn manners(&mut self) -> Manners {
        let plan = self.plan;
        let chance = &mut self.chance;
        let delay_max = chance.within(1_000..=plan.delay_ns_max.max(1_000));
        Manners {
            buffer_octets: chance.octets(4096..=plan.buffer_octets_max.max(4096)),
            window_octets: chance.octets(2048..=65_536),
            segment_octets: match chance.within(0..=3) {
                0 => plan.segment_octets_max,
                _ => chance.octets(1..=plan.segment_octets_max),
            },
            delay_ns: (delay_max / 8, delay_max),
        }
    }

    fn new_link(&mut self, owner: PeerId, node: NodeEnd, site: SiteId) -> LinkId {
        let link = self.links.len();
        let (to_node, to_peer) = (self.manners(), self.manners());
        let pipes = (Pipe::new(to_node), Pipe::new(to_peer));
        self.links.push(Link::new((owner, site), node, pipes));
        link
    }

    /// Puts octets into one direction of a link, cut as its manners say.
    fn transmit(&mut self, link: LinkId, is_to_node: bool, mut octets: &[u8]) {
        let now_ns = self.now_ns;
        while let Some(found) = self.links.get_mut(link)
            && !octets.is_empty()
        {
            let pipe = if is_to_node {
                &mut found.to_node
            } else {
                &mut found.to_peer
            };
            let Manners {
                segment_octets,
                delay_ns: (least, most),
                ..
            } = pipe.manners;
            let (segment, rest) = octets.split_at(segment_octets.clamp(1, octets.len()));
            if let Some(at_ns) = pipe.push(segment, now_ns + self.chance.within(least..=most)) {
                self.schedule(at_ns, link);
            }
            octets = rest;
        }
    }

    fn delay(&mut self, link: LinkId) -> u64 {
        let manners = self.links.get(link).map(|link| link.to_node.manners);
        let (least, most) = manners.map_or((0, 0), |manners| manners.delay_ns);
        self.chance.within(least..=most)
    }

    // What peers do.

    /// A peer can be connected to at this address.
    pub(crate) fn peer_listen(&mut self, peer: PeerId, address: SocketAddr) {
        self.listening.insert(address, peer);
    }

    /// A peer connects to the node with the rooms: to whichever shard the kernel chooses.
    pub(crate) fn peer_connect(&mut self, peer: PeerId) -> LinkId {
        self.peer_connect_to(peer, 0)
    }

    /// A peer connects to a node.
    pub(crate) fn peer_connect_to(&mut self, peer: PeerId, site: SiteId) -> LinkId {
        let shard = self.choose_side(site);
        let link = self.new_link(peer, NodeEnd::Knocking { shard }, site);
        let at_ns = self.now_ns + self.delay(link);
        if let Some(found) = self.links.get_mut(link) {
            found.opens_ns = at_ns;
        }
        self.schedule(at_ns, link);
        link
    }

    /// What arrived for a peer, up to so many octets.
    pub(crate) fn peer_read(&mut self, link: LinkId, octets_max: usize) -> Vec<u8> {
        let now_ns = self.now_ns;
        let Some(found) = self.links.get_mut(link) else {
            return Vec::new();
        };
        found.to_peer.advance(now_ns);
        let octets = found.to_peer.take(octets_max);
        if found.to_peer.advance(now_ns) {
            self.woken.push(found.owner);
        }
        if !octets.is_empty() {
            self.list(link);
        }
        octets
    }

    /// What a peer sees of its end.
    #[must_use]
    pub(crate) fn peer_view(&self, link: LinkId) -> PeerView {
        let Some(found) = self.links.get(link) else {
            return PeerView::Reset;
        };
        if found.reset_peer_ns.is_some_and(|at| at <= self.now_ns) {
            PeerView::Reset
        } else if found.to_peer.is_at_end(self.now_ns) {
            PeerView::AtEnd
        } else {
            PeerView::Open
        }
    }

    /// Octets that a peer could read now.
    #[must_use]
    pub(crate) fn peer_unread(&self, link: LinkId) -> usize {
        self.links
            .get(link)
            .map_or(0, |link| link.to_peer.arrived())
    }

    /// A peer writes; returns how many octets there was room for.
    pub(crate) fn peer_write(&mut self, link: LinkId, octets: &[u8]) -> usize {
        let view = self.peer_view(link);
        let Some(found) = self.links.get(link) else {
            return 0;
        };
        if view == PeerView::Reset || found.to_node.is_ended() {
            return octets.len();
        }
        let taken = found.to_node.room().min(octets.len());
        if matches!(found.node, NodeEnd::Gone) {
            // What a closed socket receives is answered with a reset.
            let at_ns = self.now_ns + self.delay(link);
            self.reset_peer(link, at_ns);
            return octets.len();
        }
        let (sent, _) = octets.split_at(taken);
        self.transmit(link, true, sent);
        taken
    }

    /// A peer ends its stream (FIN) and goes on reading.
    pub(crate) fn peer_end(&mut self, link: LinkId) {
        let at_ns = self.now_ns + self.delay(link);
        if let Some(found) = self.links.get_mut(link) {
            let at_ns = found.to_node.end(at_ns);
            self.schedule(at_ns, link);
        }
    }

    /// A peer closes its socket: what still comes is answered with a reset.
    pub(crate) fn peer_close(&mut self, link: LinkId) {
        self.peer_end(link);
        if let Some(found) = self.links.get_mut(link) {
            found.is_peer_closed = true;
            if found.to_peer.arrived() > 0 {
                self.peer_reset(link);
            }
        }
    }

    /// A peer breaks the connection (RST). What is under way is lost.
    pub(crate) fn peer_reset(&mut self, link: LinkId) {
        let at_ns = self.now_ns + self.delay(link);
        if let Some(found) = self.links.get_mut(link) {
            found.is_peer_closed = true;
            found.to_peer.lose();
            found.reset_node_ns.get_or_insert(at_ns);
            found.reset_peer_ns.get_or_insert(self.now_ns);
            self.schedule(at_ns, link);
        }
    }

    /// Nothing comes through in these directions until then.
    pub(crate) fn clog(&mut self, link: LinkId, (to_node, to_peer): (bool, bool), until_ns: u64) {
        if let Some(found) = self.links.get_mut(link) {
            for (is_meant, pipe) in [(to_node, &mut found.to_node), (to_peer, &mut found.to_peer)] {
                if is_meant {
                    pipe.clogged_until_ns = pipe.clogged_until_ns.max(until_ns);
                }
            }
            self.schedule(until_ns, link);
        }
    }

    /// Everything comes through again, from now on and everywhere.
    pub(crate) fn heal(&mut self) {
        let now_ns = self.now_ns;
        for link in 0..self.links.len() {
            if let Some(found) = self.links.get_mut(link)
                && !found.is_black_hole
            {
                found.to_node.clogged_until_ns = now_ns;
                found.to_peer.clogged_until_ns = now_ns;
                self.schedule(now_ns, link);
            }
        }
    }

    /// Whether nothing is under way on any link that both ends still use.
    #[must_use]
    pub(crate) fn is_still(&self) -> bool {
        self.is_pumped()
            && self.links.iter().all(|link| {
                let is_used = matches!(link.node, NodeEnd::Knocking { .. } | NodeEnd::Open { .. });
                let is_over = link.is_black_hole || link.is_peer_closed || link.watch.is_ended;
                !is_used
                    || is_over
                    || (link.to_node.unacknowledged() == 0
                        && link.to_node.arrived() == 0
                        && link.to_peer.unacknowledged() == 0)
            })
    }

    /// A link goes dead for ever, and nobody is told.
    pub(crate) fn vanish(&mut self, link: LinkId) {
        if let Some(found) = self.links.get_mut(link) {
            found.is_black_hole = true;
            found.to_node.clogged_until_ns = u64::MAX;
            found.to_peer.clogged_until_ns = u64::MAX;
        }
    }

    fn reset_peer(&mut self, link: LinkId, at_ns: u64) {
        if let Some(found) = self.links.get_mut(link) {
            found.reset_peer_ns.get_or_insert(at_ns);
            self.schedule(at_ns, link);
        }
    }

    /// The node lets go of a link: everything that was written goes out first, unless something was not read.
    fn node_closes(&mut self, link: LinkId) {
        let at_ns = self.now_ns + self.delay(link);
        let Some(found) = self.links.get_mut(link) else {
            return;
        };
        found.node = NodeEnd::Gone;
        if found.to_node.arrived() == 0 {
            let at_ns = found.to_peer.end(at_ns);
            self.schedule(at_ns, link);
        } else {
            found.to_peer.lose();
            found.to_node.lose();
            self.reset_peer(link, at_ns);
        }
    }
}

impl Side {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            slots: Vec::new(),
            free: Vec::new(),
            ready: Vec::new(),
            accepted: Vec::new(),
            listeners: Vec::new(),
            waker: Waker::new()?,
            slots_in_use: Arc::default(),
            pauses: 0,
        })
    }
}

const ECONNRESET: Errno = Errno::new(104);
const ECONNREFUSED: Errno = Errno::new(111);
const EPIPE: Errno = Errno::new(32);
const EBADF: Errno = Errno::new(9);

/// The state of a connection that the node sees and sets.
#[derive(Debug, Clone, Copy)]
struct Watch {
    read: Read,
    /// Set until the next wait when reading was stopped while a receive was armed: it may still deliver.
    was_armed: bool,
    wants_writable: bool,
    /// The end of the stream, or that it broke, has been told.
    is_ended: bool,
}

/// The key under which the node knows a link.
type Key = ConnKey;
