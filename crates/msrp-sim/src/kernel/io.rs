//! The node's side of the kernel: what `ring_io` is in service.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsRawFd, OwnedFd};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use ring_io::{ConnKey, Event, Io, ListenerKey, PoolStats, Read, SendOp, SendOutcome, Waker};

use super::link::{Link, NodeEnd};
use super::{EBADF, ECONNREFUSED, ECONNRESET, EPIPE, Kernel, LinkId, PeerId};

/// The kernel of one shard.
pub(crate) struct SimulatedIo {
    kernel: Rc<RefCell<Kernel>>,
    shard: usize,
}

impl SimulatedIo {
    pub(super) fn new(kernel: &Rc<RefCell<Kernel>>, shard: usize) -> Self {
        Self {
            kernel: Rc::clone(kernel),
            shard,
        }
    }
}

/// Received octets; they give their slot back when the last handle is gone.
struct Slot {
    octets: Vec<u8>,
    in_use: Arc<AtomicUsize>,
}

impl AsRef<[u8]> for Slot {
    fn as_ref(&self) -> &[u8] {
        &self.octets
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.in_use.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Kernel {
    fn link_of(&self, shard: usize, key: ConnKey) -> Option<LinkId> {
        let (generation, link) = self.sides.get(shard)?.slots.get(key.index())?;
        link.filter(|_| *generation == key.generation())
    }

    fn open_slot(&mut self, shard: usize, link: LinkId) -> Option<ConnKey> {
        let side = self.sides.get_mut(shard)?;
        let index = match side.free.pop() {
            Some(index) => index,
            None => {
                side.slots.push((0, None));
                u32::try_from(side.slots.len() - 1).ok()?
            }
        };
        let slot = side.slots.get_mut(index as usize)?;
        slot.1 = Some(link);
        Some(ConnKey::new(index, slot.0))
    }

    fn free_slot(&mut self, shard: usize, key: ConnKey) -> Option<LinkId> {
        let link = self.link_of(shard, key)?;
        let side = self.sides.get_mut(shard)?;
        let slot = side.slots.get_mut(key.index())?;
        *slot = (slot.0.wrapping_add(1), None);
        side.free.push(u32::try_from(key.index()).ok()?);
        side.ready.retain(|other| *other != link);
        if let Some(found) = self.links.get_mut(link) {
            found.is_listed = false;
        }
        Some(link)
    }

    fn send(&mut self, shard: usize, key: ConnKey, parts: &[IoSlice<'_>]) -> SendOutcome {
        let now_ns = self.now_ns;
        let Some(link) = self.link_of(shard, key) else {
            return SendOutcome::Failed(EBADF);
        };
        let Some(found) = self.links.get(link) else {
            return SendOutcome::Failed(EBADF);
        };
        if found.is_reset(now_ns) || found.to_peer.is_ended() {
            return SendOutcome::Failed(EPIPE);
        }
        let offered: usize = parts.iter().map(|part| part.len()).sum();
        let mut taken = found.to_peer.room().min(offered);
        if self.plan.short_sends && taken > 1 && self.chance.one_in(8) {
            taken = self.chance.octets(1..=taken);
        }
        if taken == 0 && offered > 0 {
            return SendOutcome::WouldBlock;
        }
        let mut octets = Vec::with_capacity(offered);
        parts.iter().for_each(|part| octets.extend_from_slice(part));
        octets.truncate(taken);
        self.note_number(now_ns);
        self.note_number(link as u64);
        self.note(&octets);
        self.transmit(link, false, &octets);
        SendOutcome::Sent(taken)
    }

    /// What a link has to tell a shard. Returns whether it may have more.
    fn tell(&mut self, shard: usize, link: LinkId, events: &mut Vec<Event>) -> bool {
        let now_ns = self.now_ns;
        let Some(found) = self.links.get_mut(link) else {
            return false;
        };
        match found.node {
            NodeEnd::Knocking { .. } if found.opens_ns <= now_ns => {
                self.accept(shard, link, events);
                false
            }
            NodeEnd::Knocking { .. } => true,
            NodeEnd::Open { key, .. } => {
                if let Some(is_there) = found.opening {
                    if found.opens_ns <= now_ns {
                        found.opening = None;
                        let owner = found.owner;
                        if is_there {
                            events.push(Event::Connected { conn: key });
                            self.knocks.push((owner, link));
                        } else {
                            found.watch.is_ended = true;
                            let error = ECONNREFUSED;
                            events.push(Event::Failed { conn: key, error });
                        }
                    }
                    return true;
                }
                if found.is_writable(now_ns) {
                    found.watch.wants_writable = false;
                    events.push(Event::Writable { conn: key });
                }
                self.receive(shard, key, link, events)
            }
            NodeEnd::Held | NodeEnd::Gone => false,
        }
    }

    fn accept(&mut self, shard: usize, link: LinkId, events: &mut Vec<Event>) {
        let Ok(stream) = self.null.try_clone() else {
            return;
        };
        let stream = OwnedFd::from(stream);
        let owner = self.links.get(link).map_or(OWNERS_MAX, |link| link.owner);
        self.hold(stream.as_raw_fd(), link);
        if let Some(side) = self.sides.get_mut(shard) {
            side.accepted.push(link);
            if let Some(listener) = side.listeners.first() {
                events.push(Event::Accepted {
                    listener: *listener,
                    stream,
                    peer: crate::world::address(owner.min(OWNERS_MAX)),
                });
            }
        }
    }

    /// A descriptor names a link from now on. One of the same number that named another is closed.
    fn hold(&mut self, descriptor: i32, link: LinkId) {
        if let Some(found) = self.links.get_mut(link) {
            found.node = NodeEnd::Held;
            found.is_listed = false;
        }
        if let Some(other) = self.descriptors.insert(descriptor, link) {
            self.drop_held(other);
        }
    }

    fn drop_held(&mut self, link: LinkId) {
        if self
            .links
            .get(link)
            .is_some_and(|link| link.node == NodeEnd::Held)
        {
            self.node_closes(link);
        }
    }

    fn receive(
        &mut self,
        shard: usize,
        key: ConnKey,
        link: LinkId,
        events: &mut Vec<Event>,
    ) -> bool {
        let now_ns = self.now_ns;
        let has_slot = self
            .sides
            .get(shard)
            .is_some_and(|side| self.has_slot(side));
        let in_use = self
            .sides
            .get(shard)
            .map(|side| Arc::clone(&side.slots_in_use));
        let (Some(found), Some(in_use)) = (self.links.get_mut(link), in_use) else {
            return false;
        };
        if !found.is_read() {
            return false;
        }
        found.to_node.advance(now_ns);
        if found.is_reset(now_ns) {
            found.watch.is_ended = true;
            let error = ECONNRESET;
            events.push(Event::Failed { conn: key, error });
            return false;
        }
        if found.to_node.arrived() == 0 {
            if found.to_node.is_at_end(now_ns) {
                found.watch.is_ended = true;
                events.push(Event::PeerClosed { conn: key });
                return false;
            }
            return true;
        }
        if !has_slot {
            if let Some(side) = self.sides.get_mut(shard) {
                side.pauses += 1;
            }
            return true;
        }
        let most = found.to_node.arrived();
        let octets = match self.chance.within(0..=2) {
            0 => self.chance.octets(1..=most),
            _ => most,
        };
        let octets = found.to_node.take(octets);
        found.to_node.advance(now_ns);
        if found.watch.read == Read::Once {
            found.watch.read = Read::Paused;
        }
        let owner = found.owner;
        self.woken.push(owner);
        in_use.fetch_add(1, Ordering::Relaxed);
        self.note_number(now_ns);
        self.note(&octets);
        let data = Bytes::from_owner(Slot { octets, in_use });
        events.push(Event::Received { conn: key, data });
        true
    }

    fn set_read(found: &mut Link, read: Read, may_deliver: bool) {
        let was_read = found.watch.read != Read::Paused;
        found.watch.read = read;
        found.watch.was_armed =
            read == Read::Paused && (found.watch.was_armed || (was_read && may_deliver));
    }
}

/// Owners of links have addresses up to this number; that of the links between nodes is the last one.
const OWNERS_MAX: PeerId = 60_000;

impl Io for SimulatedIo {
    fn listen(&mut self, _listener: TcpListener) -> io::Result<ListenerKey> {
        let mut kernel = self.kernel.borrow_mut();
        let side = kernel.sides.get_mut(self.shard);
        let side = side.ok_or(io::ErrorKind::NotFound)?;
        let index = u32::try_from(side.listeners.len()).unwrap_or(u32::MAX);
        let key = ListenerKey::new(index, 0);
        side.listeners.push(key);
        Ok(key)
    }

    fn close_listener(&mut self, key: ListenerKey) {
        let mut kernel = self.kernel.borrow_mut();
        if let Some(side) = kernel.sides.get_mut(self.shard) {
            side.listeners.retain(|other| *other != key);
        }
    }

    fn adopt(&mut self, stream: OwnedFd, read: Read) -> io::Result<ConnKey> {
        let kernel = &mut *self.kernel.borrow_mut();
        let link = kernel.descriptors.remove(&stream.as_raw_fd());
        let link = link.ok_or(io::ErrorKind::NotConnected)?;
        let key = kernel.open_slot(self.shard, link);
        let key = key.ok_or(io::ErrorKind::OutOfMemory)?;
        if let Some(found) = kernel.links.get_mut(link) {
            found.node = NodeEnd::Open {
                shard: self.shard,
                key,
            };
            Kernel::set_read(found, read, false);
        }
        kernel.list(link);
        Ok(key)
    }

    fn connect(&mut self, addr: SocketAddr) -> io::Result<ConnKey> {
        let kernel = &mut *self.kernel.borrow_mut();
        let peer = kernel.listening.get(&addr).copied();
        let site = kernel.sites.iter().position(|site| site.address == addr);
        let own = kernel.site_of(self.shard);
        let link = kernel.new_link(peer.unwrap_or(usize::MAX), NodeEnd::Held, own);
        let key = kernel.open_slot(self.shard, link);
        let key = key.ok_or(io::ErrorKind::OutOfMemory)?;
        let at_ns = kernel.now_ns + kernel.delay(link);
        if let Some(found) = kernel.links.get_mut(link) {
            found.node = NodeEnd::Open {
                shard: self.shard,
                key,
            };
            found.watch.read = Read::Continuous;
            found.opening = Some(peer.is_some() || site.is_some());
            found.opens_ns = at_ns;
        }
        kernel.schedule(at_ns, link);
        if let Some(site) = site {
            kernel.couple(link, site);
        }
        Ok(key)
    }

    fn read(&mut self, conn: ConnKey, read: Read) {
        let kernel = &mut *self.kernel.borrow_mut();
        let may_deliver = kernel.chance.one_in(2);
        if let Some(link) = kernel.link_of(self.shard, conn) {
            if let Some(found) = kernel.links.get_mut(link) {
                Kernel::set_read(found, read, may_deliver);
            }
            kernel.list(link);
        }
    }

    fn send_batch(&mut self, slices: &[IoSlice<'_>], ops: &mut [SendOp]) -> io::Result<()> {
        let kernel = &mut *self.kernel.borrow_mut();
        let mut short: Vec<ConnKey> = Vec::new();
        for op in ops {
            assert!(
                !short.contains(&op.conn),
                "a send may overtake the one before it on its connection"
            );
            let range = op.parts.start as usize..op.parts.end as usize;
            let parts = slices.get(range).unwrap_or_default();
            op.outcome = kernel.send(self.shard, op.conn, parts);
            let offered = parts.iter().map(|part| part.len()).sum();
            if op.outcome != SendOutcome::Sent(offered) {
                short.push(op.conn);
            }
        }
        Ok(())
    }

    fn want_writable(&mut self, conn: ConnKey) {
        let kernel = &mut *self.kernel.borrow_mut();
        if let Some(link) = kernel.link_of(self.shard, conn) {
            if let Some(found) = kernel.links.get_mut(link) {
                found.watch.wants_writable = true;
            }
            kernel.list(link);
        }
    }

    fn unacknowledged(&self, conn: ConnKey) -> usize {
        let kernel = self.kernel.borrow();
        let link = kernel.link_of(self.shard, conn);
        link.and_then(|link| kernel.links.get(link))
            .map_or(0, |link| link.to_peer.unacknowledged())
    }

    fn addresses(&self, conn: ConnKey) -> Option<(SocketAddr, SocketAddr)> {
        let kernel = self.kernel.borrow();
        let link = kernel.links.get(kernel.link_of(self.shard, conn)?)?;
        let own = kernel.sites.get(link.site)?.address;
        Some((own, crate::world::address(link.owner.min(OWNERS_MAX))))
    }

    fn detach(&mut self, conn: ConnKey) -> Option<OwnedFd> {
        let kernel = &mut *self.kernel.borrow_mut();
        let link = kernel.link_of(self.shard, conn)?;
        let found = kernel.links.get(link)?;
        if found.opening.is_some() || found.is_read() {
            return None;
        }
        let stream = OwnedFd::from(kernel.null.try_clone().ok()?);
        kernel.free_slot(self.shard, conn);
        kernel.hold(stream.as_raw_fd(), link);
        Some(stream)
    }

    fn shutdown(&mut self, conn: ConnKey) {
        let kernel = &mut *self.kernel.borrow_mut();
        if let Some(link) = kernel.link_of(self.shard, conn) {
            let at_ns = kernel.now_ns + kernel.delay(link);
            if let Some(found) = kernel.links.get_mut(link) {
                let at_ns = found.to_peer.end(at_ns);
                kernel.schedule(at_ns, link);
            }
        }
    }

    fn close(&mut self, conn: ConnKey) {
        let kernel = &mut *self.kernel.borrow_mut();
        if let Some(link) = kernel.free_slot(self.shard, conn) {
            kernel.node_closes(link);
        }
    }

    fn wait(&mut self, _timeout: Option<Duration>, events: &mut Vec<Event>) -> io::Result<()> {
        let kernel = &mut *self.kernel.borrow_mut();
        let Some(side) = kernel.sides.get_mut(self.shard) else {
            return Ok(());
        };
        if side.waker.acknowledge() {
            events.push(Event::Woken);
        }
        let dropped = std::mem::take(&mut side.accepted);
        let mut ready = std::mem::take(&mut side.ready);
        for link in dropped {
            kernel.drop_held(link);
        }
        kernel.chance.shuffle(&mut ready);
        for link in ready {
            if let Some(found) = kernel.links.get_mut(link) {
                found.is_listed = false;
            }
            let goes_on = kernel.tell(self.shard, link, events);
            if let Some(found) = kernel.links.get_mut(link) {
                found.watch.was_armed = false;
            }
            if goes_on {
                kernel.list(link);
            }
        }
        Ok(())
    }

    fn waker(&self) -> Waker {
        let kernel = self.kernel.borrow();
        kernel.sides[self.shard].waker.clone()
    }

    fn pool(&self) -> PoolStats {
        let kernel = self.kernel.borrow();
        PoolStats {
            slots: kernel.plan.slots,
            slots_in_use: kernel.slots_in_use(self.shard),
            slot_octets: 65_536,
            pauses: kernel.sides.get(self.shard).map_or(0, |side| side.pauses),
        }
    }
}
