//! The io_uring backend.
//!
//! One ring per thread: commands queue submissions, [`Io::wait`] enters the kernel once, and completions become events.
//! What was measured to be worth its code: multishot receive and accept, deferred task work, the incremental buffer ring
//! ([`buffer_ring`]). Plain descriptors serve as well as registered ones and can be handed to another thread.
//!
//! # The ways of a completion
//!
//! ```text
//!   completion ring --collect--> `completions` (kept in order) --wait--> events
//!                      |
//!                      +-- of a send: its outcome, inside send_batch
//! ```
//!
//! Sends end inside their submission, because `MSG_DONTWAIT` forbids them to wait: the kernel copied what it took, and the
//! caller's slices are free again when [`Io::send_batch`] returns. Completions of other operations that show up meanwhile
//! are kept for the next wait, in order: the place of received octets follows from that order, so *every* completion with
//! a buffer is accounted for, also those of connections that were closed meanwhile.
//!
//! # Closing
//!
//! A closed connection keeps its index and its descriptor until the last armed operation has ended: first the cancellation
//! is submitted, then comes the operation's last completion, then the descriptor is closed and the index is free. Nothing
//! the kernel says about the old connection can therefore be taken for the new one.
//!
//! # Without buffers
//!
//! A receive that finds no buffer ends with `ENOBUFS`. The connection waits in `starved` and is armed again as soon as the
//! ring *has* a buffer: not only when one has just come back, since the buffer may have come back before the completion
//! was looked at. With no buffer at all the pool is asked for a signal ([`crate::pool`]).

mod buffer_ring;
mod completion;
mod conn;
mod refusal;
mod send;
mod submission;

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use buffer_ring::{BufferRing, GROUP};
use completion::Completion;
use conn::{Conn, Phase, Receive};
use io_uring::IoUring;
use io_uring::types::{CancelBuilder, Timespec};
use refusal::{Step, refusal};

use crate::pool::Pool;
use crate::rest::Rest;
use crate::socket::{self, Attempt};
use crate::table::Table;
use crate::token::Kind;
use crate::{
    Config, ConnKey, Errno, Event, Io, ListenerKey, PoolStats, Read, SendOp, Waker, limits,
};

/// The io_uring backend. Stays on the thread that opened it: the kernel lets no other thread enter the ring.
pub struct Uring {
    // Dropped first: with the ring gone the kernel writes to no buffer any more.
    ring: IoUring,
    buffers: BufferRing,
    pool: Pool,
    /// Slots that the kernel may fill.
    provided: usize,
    waker: Waker,
    conns: Table<Conn>,
    listeners: Table<Listener>,
    completions: VecDeque<Completion>,
    /// Connections whose receive ended for want of a slot.
    starved: VecDeque<ConnKey>,
    /// Connection attempts that ended inside the call.
    attempts: VecDeque<(ConnKey, Result<(), Errno>)>,
    /// The headers of the sends in submission; its capacity never changes, so that they do not move.
    headers: Vec<libc::msghdr>,
    rest: Rest,
    /// The ring failed; it is not entered again.
    broken: Option<Errno>,
    config: Config,
}

struct Listener {
    listener: TcpListener,
    armed: bool,
    closing: bool,
}

impl Uring {
    /// Opens the backend. Needs Linux 6.15 and a seccomp filter that lets io_uring through.
    ///
    /// # Errors
    /// The message is one sentence that says what was refused; `InvalidInput` when a size in `config` is out of range.
    pub fn open(config: &Config) -> io::Result<Self> {
        refusal::check_order(&kernel_release()?)?;
        let ring = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_coop_taskrun()
            .setup_submit_all()
            .setup_cqsize(limits::COMPLETIONS)
            .dontfork()
            .build(limits::SUBMISSIONS)
            .map_err(|error| refusal(Step::Setup, &error))?;
        let waker = Waker::new()?;
        let pool = Pool::new(config, waker.clone())?;
        let buffers = BufferRing::new(config.slots)?;
        buffers
            .register(&ring.submitter())
            .map_err(|error| refusal(Step::Buffers, &error))?;
        let mut uring = Self {
            ring,
            buffers,
            pool,
            provided: 0,
            waker,
            conns: Table::new(),
            listeners: Table::new(),
            completions: VecDeque::new(),
            starved: VecDeque::new(),
            attempts: VecDeque::new(),
            headers: Vec::with_capacity(limits::SENDS_PER_SUBMIT),
            rest: Rest::default(),
            broken: None,
            config: config.clone(),
        };
        uring.provide();
        uring.arm_waker();
        uring.enter(Some(Duration::ZERO))?;
        Ok(uring)
    }

    fn conn(&mut self, key: ConnKey) -> Option<&mut Conn> {
        self.conns
            .get_mut(key.index(), key.generation())
            .filter(|conn| conn.phase != Phase::Closing)
    }

    fn insert(&mut self, conn: Conn) -> io::Result<ConnKey> {
        let (index, generation) = self
            .conns
            .insert(conn)
            .map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
        Ok(ConnKey::new(index, generation))
    }
}

impl Io for Uring {
    fn listen(&mut self, listener: TcpListener) -> io::Result<ListenerKey> {
        self.intact()?;
        listener.set_nonblocking(true)?;
        let entry = Listener {
            listener,
            armed: false,
            closing: false,
        };
        let (index, generation) = self
            .listeners
            .insert(entry)
            .map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
        let key = ListenerKey::new(index, generation);
        self.arm_listener(key);
        Ok(key)
    }

    fn close_listener(&mut self, key: ListenerKey) {
        let Some(entry) = self
            .listeners
            .get_mut(key.index(), key.generation())
            .filter(|entry| !entry.closing)
        else {
            return;
        };
        entry.closing = true;
        if entry.armed {
            self.cancel(key.token(Kind::Listener));
        } else {
            self.listeners.remove(key.index(), key.generation());
        }
    }

    fn adopt(&mut self, stream: OwnedFd, read: Read) -> io::Result<ConnKey> {
        self.intact()?;
        let stream = TcpStream::from(stream);
        socket::tune(&stream, &self.config);
        let key = self.insert(Conn::new(stream, Phase::Open, read))?;
        self.arm_receive(key);
        Ok(key)
    }

    fn connect(&mut self, addr: SocketAddr) -> io::Result<ConnKey> {
        self.intact()?;
        let (stream, attempt) = socket::connect(addr)?;
        socket::tune(&stream, &self.config);
        let key = self.insert(Conn::new(stream, Phase::Connecting, Read::Continuous))?;
        match attempt {
            Attempt::Pending => self.arm_poll(key),
            Attempt::Ended(result) => self.attempts.push_back((key, result)),
        }
        Ok(key)
    }

    fn read(&mut self, conn: ConnKey, read: Read) {
        let Some(entry) = self.conn(conn) else { return };
        entry.read = read;
        match entry.receive {
            Receive::Idle => self.arm_receive(conn),
            Receive::Once | Receive::Multi => self.cancel_unwanted(conn),
            Receive::Ending | Receive::Starved => {}
        }
    }

    fn send_batch(&mut self, slices: &[IoSlice<'_>], ops: &mut [SendOp]) -> io::Result<()> {
        self.send(slices, ops)
    }

    fn want_writable(&mut self, conn: ConnKey) {
        let Some(entry) = self.conn(conn) else { return };
        entry.want_writable = true;
        if entry.phase == Phase::Open {
            self.arm_poll(conn);
        }
    }

    fn unacknowledged(&self, conn: ConnKey) -> usize {
        let entry = self.conns.get(conn.index(), conn.generation());
        let stream = entry.and_then(|entry| entry.stream.as_ref());
        stream.map_or(0, |stream| socket::unacknowledged(stream.as_raw_fd()))
    }

    fn addresses(&self, conn: ConnKey) -> Option<(SocketAddr, SocketAddr)> {
        let entry = self.conns.get(conn.index(), conn.generation())?;
        let stream = entry.stream.as_ref()?;
        Some((stream.local_addr().ok()?, stream.peer_addr().ok()?))
    }

    fn detach(&mut self, conn: ConnKey) -> Option<OwnedFd> {
        let entry = self.conn(conn)?;
        let wants = entry.read != Read::Paused && !entry.ended;
        if entry.phase != Phase::Open || entry.receiving() || wants {
            return None;
        }
        if entry.polling {
            // The poll was perhaps not submitted yet, and would then find another file under this number.
            self.submit(0).ok()?;
            self.collect();
        }
        let stream = self.conn(conn)?.stream.take();
        self.retire(conn);
        stream.map(OwnedFd::from)
    }

    fn shutdown(&mut self, conn: ConnKey) {
        if let Some(stream) = self.conn(conn).and_then(|conn| conn.stream.as_ref()) {
            let _ = stream.shutdown(std::net::Shutdown::Write);
        }
    }

    fn close(&mut self, conn: ConnKey) {
        if self.conn(conn).is_some() {
            self.retire(conn);
            self.rest.end();
        }
    }

    fn wait(&mut self, timeout: Option<Duration>, events: &mut Vec<Event>) -> io::Result<()> {
        self.feed();
        self.resume_listeners();
        let busy = !self.completions.is_empty() || !self.attempts.is_empty();
        self.enter(if busy {
            Some(Duration::ZERO)
        } else {
            self.rest.shorten(timeout)
        })?;
        while let Some((key, result)) = self.attempts.pop_front() {
            self.on_attempt(key, result, events);
        }
        while let Some(completion) = self.completions.pop_front() {
            self.on_completion(completion, events)?;
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

impl Drop for Uring {
    /// Ends everything that is armed, so that sockets are closed and buffers are ours when this returns.
    ///
    /// The kernel takes the ring itself down a little later and may interrupt this thread for it: a blocking system call
    /// with a timeout can then end with `EINTR`.
    fn drop(&mut self) {
        // What is still queued must be armed first to be found by the cancellation; what the cancellation ended completes
        // in the enter after it.
        let _ = self.enter(Some(Duration::ZERO));
        let limit = Timespec::new().sec(1);
        let _ = self
            .ring
            .submitter()
            .register_sync_cancel(Some(limit), CancelBuilder::any());
        let _ = self.enter(Some(Duration::ZERO));
        while let Some(completion) = self.completions.pop_front() {
            drop(completion.accepted());
        }
        let _ = self.ring.submitter().unregister_buf_ring(GROUP);
    }
}

impl std::fmt::Debug for Uring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Uring")
            .field("pool", &self.pool.stats())
            .finish_non_exhaustive()
    }
}

/// The running kernel's release, such as `6.18.4`.
fn kernel_release() -> io::Result<String> {
    // SAFETY: all-zero is a valid utsname.
    let mut names: libc::utsname = unsafe { std::mem::zeroed() };
    // SAFETY: `names` is writable and outlives the call.
    socket::check(unsafe { libc::uname(&raw mut names) })?;
    let octets = names
        .release
        .iter()
        .map(|octet| octet.cast_unsigned())
        .take_while(|octet| *octet != 0);
    Ok(String::from_utf8_lossy(&octets.collect::<Vec<u8>>()).into_owned())
}
