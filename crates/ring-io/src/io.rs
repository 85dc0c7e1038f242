//! The trait that both backends implement, and the words it speaks.

use std::io::{self, IoSlice};
use std::net::{SocketAddr, TcpListener};
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::time::Duration;

use bytes::Bytes;

use crate::{ConnKey, Errno, ListenerKey, PoolStats, Waker};

/// The sockets of one thread: readable data in, sends with an immediate result out.
///
/// An `Io` belongs to the thread that opened it. Commands return at once; what the kernel has to tell comes out of
/// [`Io::wait`] as [`Event`]s. Commands with a stale key (a connection that was closed or detached) do nothing.
pub trait Io {
    /// Starts accepting on a listener; each connection comes out as [`Event::Accepted`].
    ///
    /// Takes the listener and makes it non-blocking.
    ///
    /// # Errors
    /// What the kernel says when it cannot watch the socket.
    fn listen(&mut self, listener: TcpListener) -> io::Result<ListenerKey>;

    /// Stops accepting and closes the listener. No event with this key comes out afterwards.
    fn close_listener(&mut self, key: ListenerKey);

    /// Takes ownership of a connected stream: accepted here, or handed over by another thread's `Io`.
    ///
    /// Sets the socket options of the [`Config`](crate::Config) and starts to receive as `read` says.
    ///
    /// # Errors
    /// What the kernel says when it cannot watch the socket; the stream is closed then.
    fn adopt(&mut self, stream: OwnedFd, read: Read) -> io::Result<ConnKey>;

    /// Opens a connection; [`Event::Connected`] or [`Event::Failed`] follows.
    ///
    /// Receiving starts with [`Read::Continuous`] once connected, unless [`Io::read`] said otherwise meanwhile. After
    /// `Failed` the caller still has to [`close`](Io::close) the key. There is no timeout but the kernel's (minutes):
    /// closing the key gives up.
    ///
    /// # Errors
    /// The socket could not be made (no descriptors left, address family not supported).
    fn connect(&mut self, addr: SocketAddr) -> io::Result<ConnKey>;

    /// Changes how a connection receives.
    ///
    /// `Once` arms one receive: after its [`Event::Received`] the connection is paused. `Continuous` receives until
    /// told otherwise. `Paused` stops; data already on its way may still arrive as `Received` from the next one or
    /// two [`Io::wait`]s, and no octet is ever lost by pausing. While paused, the end of the stream and a broken
    /// connection go unnoticed, save by a send that fails.
    fn read(&mut self, conn: ConnKey, read: Read);

    /// Sends each operation's parts with one `sendmsg(MSG_DONTWAIT | MSG_NOSIGNAL)`.
    ///
    /// `ops[i].parts` is a range of `slices`. All operations have ended when this returns: the kernel holds no
    /// pointer to the slices and every [`SendOp::outcome`] is final. Operations on one connection run in their order
    /// in `ops`; after one that did not take all octets, later operations on the same connection must not be in the
    /// same batch (they could overtake).
    ///
    /// # Errors
    /// The ring itself broke; the outcomes are then not to be trusted. A failed connection is not an error here, it
    /// is [`SendOutcome::Failed`].
    fn send_batch(&mut self, slices: &[IoSlice<'_>], ops: &mut [SendOp]) -> io::Result<()>;

    /// Asks for one [`Event::Writable`] when the socket can take more octets. Asking twice gives one event.
    fn want_writable(&mut self, conn: ConnKey);

    /// Octets that were sent and that the peer's kernel has not acknowledged: with what was sent in all, the caller
    /// sees whether a slow peer takes anything. One system call. 0 for a stale key.
    fn unacknowledged(&self, conn: ConnKey) -> usize;

    /// Our address of a connection and the peer's, as the kernel has them. `None` for a stale key.
    fn addresses(&self, conn: ConnKey) -> Option<(SocketAddr, SocketAddr)> {
        let _ = conn;
        None
    }

    /// Gives the socket back, to be adopted by another thread's `Io`.
    ///
    /// Only possible while no receive is armed or wanted, that is after [`Read::Once`] has delivered its data, or
    /// once [`Read::Paused`] has taken effect. `None` otherwise, and for a stale key; the connection then stays as it
    /// was. An [`Event::Writable`] that was asked for will not come.
    fn detach(&mut self, conn: ConnKey) -> Option<OwnedFd>;

    /// Half-closes: the peer sees the end of the stream after everything that was sent. Receiving goes on.
    fn shutdown(&mut self, conn: ConnKey);

    /// Closes the connection and cancels what is armed. No event with this key comes out afterwards.
    fn close(&mut self, conn: ConnKey);

    /// Waits until something happened and appends it to `events`.
    ///
    /// `None` waits without limit, `Some(ZERO)` only looks. May return early without an event; an interrupted system
    /// call is not an error. epoll rounds the timeout up to milliseconds.
    ///
    /// # Errors
    /// The ring or the epoll instance broke; nothing can be expected from this `Io` any more.
    fn wait(&mut self, timeout: Option<Duration>, events: &mut Vec<Event>) -> io::Result<()>;

    /// A handle with which other threads end this thread's [`Io::wait`].
    fn waker(&self) -> Waker;

    /// How full the receive buffers are, for metrics.
    fn pool(&self) -> PoolStats;
}

/// How a connection receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// One receive, then paused.
    Once,
    /// Receive until told otherwise.
    Continuous,
    /// Do not receive.
    Paused,
}

/// One send of a batch.
#[derive(Clone, Debug)]
pub struct SendOp {
    /// The connection to send on.
    pub conn: ConnKey,
    /// The range of the batch's slices that makes up the octets.
    pub parts: Range<u32>,
    /// The result, written by [`Io::send_batch`].
    pub outcome: SendOutcome,
}

impl SendOp {
    /// A send that has not run yet.
    #[must_use]
    pub fn new(conn: ConnKey, parts: Range<u32>) -> Self {
        Self {
            conn,
            parts,
            outcome: SendOutcome::WouldBlock,
        }
    }
}

/// The slices of one operation; `None` when its range does not fit the batch.
pub(crate) fn parts_of<'a, 'b>(
    slices: &'a [IoSlice<'b>],
    op: &SendOp,
) -> Option<&'a [IoSlice<'b>]> {
    slices.get(op.parts.start as usize..op.parts.end as usize)
}

/// How one send ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendOutcome {
    /// The kernel took this many octets, possibly fewer than offered.
    Sent(usize),
    /// The kernel took nothing; see [`Io::want_writable`].
    WouldBlock,
    /// The connection is broken (or the key is stale: `EBADF`).
    Failed(Errno),
}

/// What happened.
#[derive(Debug)]
pub enum Event {
    /// A peer connected to one of our listeners. The stream is non-blocking and close-on-exec, not yet adopted.
    Accepted {
        /// The listener it came in through.
        listener: ListenerKey,
        /// The connected socket, now the caller's.
        stream: OwnedFd,
        /// The peer's address.
        peer: SocketAddr,
    },
    /// A connection could not be accepted. Accepting goes on by itself, after a pause when resources are short.
    AcceptFailed {
        /// The listener.
        listener: ListenerKey,
        /// Why, e.g. `EMFILE`.
        error: Errno,
    },
    /// A connection asked for with [`Io::connect`] is up.
    Connected {
        /// The connection.
        conn: ConnKey,
    },
    /// Octets came in. Never empty.
    Received {
        /// The connection.
        conn: ConnKey,
        /// The octets, in place in the receive buffer. Holding it (or any slice of it) keeps a whole slot of the pool.
        data: Bytes,
    },
    /// The peer will send no more (FIN). Sending is still possible. Comes once.
    PeerClosed {
        /// The connection.
        conn: ConnKey,
    },
    /// The connection is broken, or could not be opened. Comes once; the caller still closes the key.
    Failed {
        /// The connection.
        conn: ConnKey,
        /// Why, e.g. `ECONNRESET` or `ECONNREFUSED`.
        error: Errno,
    },
    /// The socket can take more octets; answers [`Io::want_writable`].
    Writable {
        /// The connection.
        conn: ConnKey,
    },
    /// Somebody called [`Waker::wake`].
    Woken,
}

impl<I: Io + ?Sized> Io for Box<I> {
    fn listen(&mut self, listener: TcpListener) -> io::Result<ListenerKey> {
        (**self).listen(listener)
    }

    fn close_listener(&mut self, key: ListenerKey) {
        (**self).close_listener(key);
    }

    fn adopt(&mut self, stream: OwnedFd, read: Read) -> io::Result<ConnKey> {
        (**self).adopt(stream, read)
    }

    fn connect(&mut self, addr: SocketAddr) -> io::Result<ConnKey> {
        (**self).connect(addr)
    }

    fn read(&mut self, conn: ConnKey, read: Read) {
        (**self).read(conn, read);
    }

    fn send_batch(&mut self, slices: &[IoSlice<'_>], ops: &mut [SendOp]) -> io::Result<()> {
        (**self).send_batch(slices, ops)
    }

    fn want_writable(&mut self, conn: ConnKey) {
        (**self).want_writable(conn);
    }

    fn unacknowledged(&self, conn: ConnKey) -> usize {
        (**self).unacknowledged(conn)
    }

    fn addresses(&self, conn: ConnKey) -> Option<(SocketAddr, SocketAddr)> {
        (**self).addresses(conn)
    }

    fn detach(&mut self, conn: ConnKey) -> Option<OwnedFd> {
        (**self).detach(conn)
    }

    fn shutdown(&mut self, conn: ConnKey) {
        (**self).shutdown(conn);
    }

    fn close(&mut self, conn: ConnKey) {
        (**self).close(conn);
    }

    fn wait(&mut self, timeout: Option<Duration>, events: &mut Vec<Event>) -> io::Result<()> {
        (**self).wait(timeout, events)
    }

    fn waker(&self) -> Waker {
        (**self).waker()
    }

    fn pool(&self) -> PoolStats {
        (**self).pool()
    }
}
