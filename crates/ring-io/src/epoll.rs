//! The epoll backend.
//!
//! Level-triggered: a connection that could not be emptied in one wait is reported again by the next one, so bounded
//! work per wait (fairness) and a full buffer pool need no list of unfinished sockets. What is watched follows from the
//! connection's state ([`Conn::wanted`]); a connection that wants nothing leaves the epoll instance, because errors and
//! hang-ups are reported whatever was asked for and would spin.
//!
//! Receives go straight into the tail of the pool's current slot, and the octets are handed out in place. A slot ends
//! when its tail gets short. When no slot is left, the connection leaves the instance (`starved`) until one comes back;
//! the pool's signal ends the wait (see [`crate::pool`]).
//!
//! Timeouts of a wait are rounded up to milliseconds.

mod poller;
mod readiness;

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use poller::Poller;
use readiness::{READABLE, WRITABLE};

use crate::io::parts_of;
use crate::pool::Pool;
use crate::rest::Rest;
use crate::socket::{self, Attempt};
use crate::table::Table;
use crate::token::{Kind, Token};
use crate::{
    Config, ConnKey, Errno, Event, Io, ListenerKey, PoolStats, Read, SendOp, SendOutcome, Waker,
    limits,
};

/// The epoll backend. One thread's, as every [`Io`].
pub struct Epoll {
    poller: Poller,
    pool: Pool,
    /// The slot that is being filled.
    slot: Option<u16>,
    waker: Waker,
    conns: Table<Conn>,
    listeners: Table<Listener>,
    /// Connections that stopped receiving because no slot was free.
    starved: VecDeque<ConnKey>,
    /// Connection attempts that ended inside the call.
    attempts: VecDeque<(ConnKey, Result<(), Errno>)>,
    rest: Rest,
    config: Config,
}

struct Conn {
    stream: TcpStream,
    connecting: bool,
    read: Read,
    /// The end of the stream or a failure was reported.
    ended: bool,
    starved: bool,
    want_writable: bool,
    /// What the epoll instance watches now; 0 = not registered.
    mask: u32,
}

struct Listener {
    listener: TcpListener,
    mask: u32,
}

impl Conn {
    fn new(stream: TcpStream, connecting: bool, read: Read) -> Self {
        Self {
            stream,
            connecting,
            read,
            ended: false,
            starved: false,
            want_writable: false,
            mask: 0,
        }
    }

    /// What has to be watched in this state.
    fn wanted(&self) -> u32 {
        if self.connecting {
            return WRITABLE;
        }
        let read = self.read != Read::Paused && !self.ended && !self.starved;
        (if read { READABLE } else { 0 }) | (if self.want_writable { WRITABLE } else { 0 })
    }
}

impl Epoll {
    /// Opens the backend.
    ///
    /// # Errors
    /// A size in `config` is out of range (`InvalidInput`), or no descriptor or memory is left.
    pub fn open(config: &Config) -> io::Result<Self> {
        let poller = Poller::new()?;
        let waker = Waker::new()?;
        poller.watch(waker.fd(), Token::new(Kind::Wake, 0, 0).pack(), 0, READABLE)?;
        Ok(Self {
            poller,
            pool: Pool::new(config, waker.clone())?,
            slot: None,
            waker,
            conns: Table::new(),
            listeners: Table::new(),
            starved: VecDeque::new(),
            attempts: VecDeque::new(),
            rest: Rest::default(),
            config: config.clone(),
        })
    }

    fn conn(&mut self, key: ConnKey) -> Option<&mut Conn> {
        self.conns.get_mut(key.index(), key.generation())
    }

    fn insert(&mut self, conn: Conn) -> io::Result<ConnKey> {
        let (index, generation) = self
            .conns
            .insert(conn)
            .map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
        Ok(ConnKey::new(index, generation))
    }

    /// Makes the epoll instance watch what the connection's state wants.
    fn sync(&mut self, key: ConnKey) -> io::Result<()> {
        let Some(conn) = self.conns.get_mut(key.index(), key.generation()) else {
            return Ok(());
        };
        let wanted = conn.wanted();
        let token = key.token(Kind::Connection).pack();
        self.poller
            .watch(conn.stream.as_raw_fd(), token, conn.mask, wanted)?;
        conn.mask = wanted;
        Ok(())
    }

    /// As [`Epoll::sync`], where the caller cannot be told: the connection then fails by its next event or send.
    fn resync(&mut self, key: ConnKey) {
        if let Err(error) = self.sync(key) {
            self.attempts.push_back((key, Err(Errno::of(&error))));
        }
    }

    /// Takes a connection out of the table and out of the epoll instance.
    fn remove(&mut self, key: ConnKey) -> Option<TcpStream> {
        let conn = self.conns.remove(key.index(), key.generation())?;
        // Descriptors may have duplicates elsewhere, so closing alone would not end the watch.
        let _ = self.poller.watch(conn.stream.as_raw_fd(), 0, conn.mask, 0);
        Some(conn.stream)
    }

    /// Lets starved connections receive again if a slot is free; else asks the pool for a signal.
    fn feed(&mut self) {
        self.pool.reclaim();
        if self.starved.is_empty() {
            return;
        }
        let room = self.has_room() || (self.pool.starve() && self.has_room());
        if !room {
            return;
        }
        for key in std::mem::take(&mut self.starved) {
            if let Some(conn) = self.conn(key) {
                conn.starved = false;
                self.resync(key);
            }
        }
    }

    /// Whether there is a slot to receive into, taking a new one if needed.
    fn has_room(&mut self) -> bool {
        let tail_min = limits::SLOT_TAIL_OCTETS_MIN.min(self.pool.slot_octets() / 2);
        if let Some(slot) = self
            .slot
            .filter(|slot| self.pool.slot_octets() - self.pool.filled(*slot) < tail_min)
        {
            self.pool.finish(slot);
            self.slot = None;
        }
        if self.slot.is_none() {
            self.slot = self.pool.take();
        }
        if self.slot.is_none() {
            self.pool.reclaim();
            self.slot = self.pool.take();
        }
        self.slot.is_some()
    }
}

impl Io for Epoll {
    fn listen(&mut self, listener: TcpListener) -> io::Result<ListenerKey> {
        listener.set_nonblocking(true)?;
        let fd = listener.as_raw_fd();
        let entry = Listener {
            listener,
            mask: READABLE,
        };
        let (index, generation) = self
            .listeners
            .insert(entry)
            .map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
        let token = Token::new(Kind::Listener, index, generation).pack();
        if let Err(error) = self.poller.watch(fd, token, 0, READABLE) {
            self.listeners.remove(index as usize, generation);
            return Err(error);
        }
        Ok(ListenerKey::new(index, generation))
    }

    fn close_listener(&mut self, key: ListenerKey) {
        if let Some(entry) = self.listeners.remove(key.index(), key.generation()) {
            let _ = self
                .poller
                .watch(entry.listener.as_raw_fd(), 0, entry.mask, 0);
        }
    }

    fn adopt(&mut self, stream: OwnedFd, read: Read) -> io::Result<ConnKey> {
        let stream = TcpStream::from(stream);
        socket::tune(&stream, &self.config);
        let key = self.insert(Conn::new(stream, false, read))?;
        if let Err(error) = self.sync(key) {
            self.remove(key);
            return Err(error);
        }
        Ok(key)
    }

    fn connect(&mut self, addr: SocketAddr) -> io::Result<ConnKey> {
        let (stream, attempt) = socket::connect(addr)?;
        socket::tune(&stream, &self.config);
        match attempt {
            Attempt::Pending => {
                let key = self.insert(Conn::new(stream, true, Read::Continuous))?;
                if let Err(error) = self.sync(key) {
                    self.remove(key);
                    return Err(error);
                }
                Ok(key)
            }
            Attempt::Ended(result) => {
                let key = self.insert(Conn::new(stream, false, Read::Continuous))?;
                self.attempts.push_back((key, result));
                Ok(key)
            }
        }
    }

    fn read(&mut self, conn: ConnKey, read: Read) {
        let Some(entry) = self.conn(conn) else { return };
        entry.read = read;
        self.resync(conn);
    }

    fn send_batch(&mut self, slices: &[IoSlice<'_>], ops: &mut [SendOp]) -> io::Result<()> {
        for op in ops {
            op.outcome = match (
                self.conns.get(op.conn.index(), op.conn.generation()),
                parts_of(slices, op),
            ) {
                (Some(conn), Some(parts)) => socket::send(conn.stream.as_raw_fd(), parts),
                (None, _) => SendOutcome::Failed(Errno::new(libc::EBADF)),
                (_, None) => SendOutcome::Failed(Errno::new(libc::EINVAL)),
            };
        }
        Ok(())
    }

    fn want_writable(&mut self, conn: ConnKey) {
        let Some(entry) = self.conn(conn) else { return };
        entry.want_writable = true;
        self.resync(conn);
    }

    fn unacknowledged(&self, conn: ConnKey) -> usize {
        let entry = self.conns.get(conn.index(), conn.generation());
        entry.map_or(0, |entry| socket::unacknowledged(entry.stream.as_raw_fd()))
    }

    fn addresses(&self, conn: ConnKey) -> Option<(SocketAddr, SocketAddr)> {
        let stream = &self.conns.get(conn.index(), conn.generation())?.stream;
        Some((stream.local_addr().ok()?, stream.peer_addr().ok()?))
    }

    fn detach(&mut self, conn: ConnKey) -> Option<OwnedFd> {
        let entry = self.conn(conn)?;
        if entry.connecting || (entry.read != Read::Paused && !entry.ended) {
            return None;
        }
        self.remove(conn).map(OwnedFd::from)
    }

    fn shutdown(&mut self, conn: ConnKey) {
        if let Some(entry) = self.conn(conn) {
            let _ = entry.stream.shutdown(std::net::Shutdown::Write);
        }
    }

    fn close(&mut self, conn: ConnKey) {
        if self.remove(conn).is_some() {
            self.rest.end();
        }
    }

    fn wait(&mut self, timeout: Option<Duration>, events: &mut Vec<Event>) -> io::Result<()> {
        self.feed();
        self.resume_listeners()?;
        let timeout = if self.attempts.is_empty() {
            self.rest.shorten(timeout)
        } else {
            Some(Duration::ZERO)
        };
        let count = self.poller.wait(timeout)?;
        while let Some((key, result)) = self.attempts.pop_front() {
            self.on_attempt(key, result, events);
            self.sync(key)?;
        }
        for position in 0..count {
            if let Some(ready) = self.poller.ready(position) {
                self.on_ready(ready, events)?;
            }
        }
        Ok(())
    }

    fn waker(&self) -> Waker {
        self.waker.clone()
    }

    fn pool(&self) -> PoolStats {
        self.pool.stats()
    }
}

impl std::fmt::Debug for Epoll {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Epoll")
            .field("pool", &self.pool.stats())
            .finish_non_exhaustive()
    }
}
