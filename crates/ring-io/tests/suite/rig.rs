//! A backend with a log of what came out of it, and peers to talk to.

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use bytes::Bytes;
use ring_io::{
    Config, ConnKey, Epoll, Errno, Event, Io, ListenerKey, Read, SendOp, SendOutcome, Uring,
};

/// How to open the backend under test.
#[derive(Clone, Copy)]
pub(crate) struct Backend {
    open: fn(&Config) -> io::Result<Box<dyn Io>>,
}

impl Backend {
    pub(crate) const EPOLL: Self = Self {
        open: |config| Ok(Box::new(Epoll::open(config)?)),
    };
    pub(crate) const URING: Self = Self {
        open: |config| Ok(Box::new(Uring::open(config)?)),
    };

    pub(crate) fn rig(self) -> Rig {
        self.rig_with(&Config::default())
    }

    /// Few and small slots, to see them run out.
    pub(crate) fn tiny_rig(self, slots: usize, slot_octets: usize) -> Rig {
        self.rig_with(&Config {
            slots,
            slot_octets,
            ..Config::default()
        })
    }

    pub(crate) fn rig_with(self, config: &Config) -> Rig {
        Rig {
            io: (self.open)(config).unwrap(),
            log: Log::default(),
        }
    }
}

/// Why io_uring cannot be had here. Only refusals by policy or kernel version count; anything else fails the suite.
pub(crate) fn uring_refusal() -> Option<&'static str> {
    static REFUSAL: OnceLock<Option<String>> = OnceLock::new();
    let refusal = REFUSAL.get_or_init(|| {
        let error = Uring::open(&Config::default()).err()?;
        let known = [
            "refused (EPERM",
            "missing (ENOSYS",
            "(EINVAL: before",
            "order of completions",
        ];
        let text = error.to_string();
        assert!(
            known.iter().any(|known| text.contains(known)),
            "unexpected refusal: {text}"
        );
        Some(text)
    });
    refusal.as_deref()
}

/// What came out so far.
#[derive(Default)]
pub(crate) struct Log {
    pub(crate) received: HashMap<ConnKey, Vec<Bytes>>,
    pub(crate) accepted: Vec<(ListenerKey, OwnedFd, SocketAddr)>,
    pub(crate) connected: Vec<ConnKey>,
    pub(crate) closed: Vec<ConnKey>,
    pub(crate) failed: Vec<(ConnKey, Errno)>,
    pub(crate) writable: Vec<ConnKey>,
    pub(crate) woken: usize,
}

impl Log {
    pub(crate) fn text(&self, conn: ConnKey) -> Vec<u8> {
        self.received
            .get(&conn)
            .map_or(Vec::new(), |parts| parts.concat())
    }

    pub(crate) fn octets(&self, conn: ConnKey) -> usize {
        self.received
            .get(&conn)
            .map_or(0, |parts| parts.iter().map(Bytes::len).sum())
    }

    fn add(&mut self, event: Event) {
        match event {
            Event::Received { conn, data } => {
                assert!(!data.is_empty());
                self.received.entry(conn).or_default().push(data);
            }
            Event::Accepted {
                listener,
                stream,
                peer,
            } => {
                self.accepted.push((listener, stream, peer));
            }
            Event::AcceptFailed { error, .. } => panic!("accept failed: {error}"),
            Event::Connected { conn } => self.connected.push(conn),
            Event::PeerClosed { conn } => self.closed.push(conn),
            Event::Failed { conn, error } => self.failed.push((conn, error)),
            Event::Writable { conn } => self.writable.push(conn),
            Event::Woken => self.woken += 1,
        }
    }
}

/// A backend and its log.
pub(crate) struct Rig {
    pub(crate) io: Box<dyn Io>,
    pub(crate) log: Log,
}

impl Rig {
    /// One wait; its events go into the log, and their number is returned.
    pub(crate) fn turn(&mut self, timeout: Duration) -> usize {
        let mut events = Vec::new();
        self.io.wait(Some(timeout), &mut events).unwrap();
        let count = events.len();
        events.into_iter().for_each(|event| self.log.add(event));
        count
    }

    /// Waits until the log shows it; a deadline fails the test.
    pub(crate) fn until(&mut self, what: &str, mut shown: impl FnMut(&Log) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        while !shown(&self.log) {
            assert!(Instant::now() < deadline, "timed out: {what}");
            self.turn(Duration::from_millis(200));
        }
    }

    /// Runs turns until everything that was already under way has come out: two rounds through the waker.
    pub(crate) fn settle(&mut self) {
        for _ in 0..2 {
            let before = self.log.woken;
            self.io.waker().wake();
            self.until("own wake", |log| log.woken > before);
        }
    }

    /// A connected pair: our key, and the peer's blocking socket.
    pub(crate) fn pair(&mut self, read: Read) -> (ConnKey, TcpStream) {
        let (ours, peer) = pair();
        (self.io.adopt(ours, read).unwrap(), peer)
    }

    /// Sends all octets on one connection, waiting as often as it takes.
    pub(crate) fn send_all(&mut self, conn: ConnKey, mut octets: &[u8]) {
        while !octets.is_empty() {
            let slices = [io::IoSlice::new(octets)];
            let mut ops = [SendOp::new(conn, 0..1)];
            self.io.send_batch(&slices, &mut ops).unwrap();
            match ops[0].outcome {
                SendOutcome::Sent(sent) => octets = &octets[sent..],
                SendOutcome::WouldBlock => {
                    let before = self.log.writable.len();
                    self.io.want_writable(conn);
                    self.until("writable", |log| log.writable.len() > before);
                }
                SendOutcome::Failed(error) => panic!("send failed: {error}"),
            }
        }
    }
}

/// A connected non-blocking socket and its blocking peer.
pub(crate) fn pair() -> (OwnedFd, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (ours, _) = listener.accept().unwrap();
    ours.set_nonblocking(true).unwrap();
    peer.set_read_timeout(Some(DEADLINE)).unwrap();
    peer.set_write_timeout(Some(DEADLINE)).unwrap();
    (ours.into(), peer)
}

/// Octets that differ from place to place and from seed to seed.
pub(crate) fn pattern(seed: u64, octets: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..octets).map(|_| next()).collect()
}

/// How long anything may take before a test fails.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);
