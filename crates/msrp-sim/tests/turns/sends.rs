//! A kernel that writes down what is sent together.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Duration;

use ring_io::{ConnKey, Event, Io, ListenerKey, PoolStats, Read, SendOp, Waker};

/// How many sends there were in each batch.
pub(crate) type Batches = Rc<RefCell<Vec<usize>>>;

/// A kernel as it is, and the batches that went through it.
pub(crate) struct Recorded {
    pub(crate) io: Box<dyn Io>,
    pub(crate) batches: Batches,
}

impl Io for Recorded {
    fn send_batch(&mut self, slices: &[IoSlice<'_>], ops: &mut [SendOp]) -> io::Result<()> {
        self.batches.borrow_mut().push(ops.len());
        self.io.send_batch(slices, ops)
    }

    fn listen(&mut self, listener: TcpListener) -> io::Result<ListenerKey> {
        self.io.listen(listener)
    }

    fn close_listener(&mut self, key: ListenerKey) {
        self.io.close_listener(key);
    }

    fn adopt(&mut self, stream: OwnedFd, read: Read) -> io::Result<ConnKey> {
        self.io.adopt(stream, read)
    }

    fn connect(&mut self, addr: SocketAddr) -> io::Result<ConnKey> {
        self.io.connect(addr)
    }

    fn read(&mut self, conn: ConnKey, read: Read) {
        self.io.read(conn, read);
    }

    fn want_writable(&mut self, conn: ConnKey) {
        self.io.want_writable(conn);
    }

    fn unacknowledged(&self, conn: ConnKey) -> usize {
        self.io.unacknowledged(conn)
    }

    fn addresses(&self, conn: ConnKey) -> Option<(SocketAddr, SocketAddr)> {
        self.io.addresses(conn)
    }

    fn detach(&mut self, conn: ConnKey) -> Option<OwnedFd> {
        self.io.detach(conn)
    }

    fn shutdown(&mut self, conn: ConnKey) {
        self.io.shutdown(conn);
    }

    fn close(&mut self, conn: ConnKey) {
        self.io.close(conn);
    }

    fn wait(&mut self, timeout: Option<Duration>, events: &mut Vec<Event>) -> io::Result<()> {
        self.io.wait(timeout, events)
    }

    fn waker(&self) -> Waker {
        self.io.waker()
    }

    fn pool(&self) -> PoolStats {
        self.io.pool()
    }
}
