//! The same bare fan-out on two asynchronous runtimes, so that the choice of a loop of our own can be checked.
//!
//! Like the floor they know the length of a message, write ready-made lines around the body, one write for each recipient
//! and read, and look at nothing. What differs is what the runtimes ask for: a task for each connection that reads, and
//! with tokio-uring a future for each write, and buffers that the operation owns.
//!
//! tokio-uring 0.5 gets the flags that it can work with: with DEFER_TASKRUN it never sees a completion, an operation with
//! several completions makes it panic, and a read that is given up swallows the octets that it gets. So there are
//! neither multishot receives nor timeouts here.

use std::io::IoSlice;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::mpsc;
use std::thread::JoinHandle;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use ring_io::Want;
use tokio::io::AsyncReadExt as _;
use tokio_uring::buf::BoundedBuf;

use crate::engine;
use crate::floor::END_OCTETS;
use crate::load::Load;
use crate::{Cell, Server};

/// A fan-out on tokio: one thread, epoll underneath.
pub(crate) struct OnTokio(JoinHandle<()>);

/// A fan-out on tokio-uring: one thread.
pub(crate) struct OnTokioUring(JoinHandle<()>);

impl Server for OnTokio {
    const NAME: &'static str = "tokio";

    fn start(_: Want, cell: Cell) -> (Self, Load) {
        let (thread, load) = start("on-tokio", cell, |listener, cell| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_io()
                .build()
                .unwrap();
            let local = tokio::task::LocalSet::new();
            runtime.block_on(local.run_until(serve_tokio(listener, cell)));
        });
        (Self(thread), load)
    }

    fn thread(&self) -> &'static str {
        "on-tokio"
    }

    fn stop(self, load: Load) {
        drop(load);
        self.0.join().unwrap();
    }
}

impl Server for OnTokioUring {
    const NAME: &'static str = "tokio-uring";

    fn start(_: Want, cell: Cell) -> (Self, Load) {
        let (thread, load) = start("on-tokio-uring", cell, |listener, cell| {
            let mut ring = tokio_uring::uring_builder();
            ring.setup_coop_taskrun().setup_single_issuer();
            tokio_uring::builder()
                .entries(4096)
                .uring_builder(&ring)
                .start(serve_tokio_uring(listener, cell));
        });
        (Self(thread), load)
    }

    fn thread(&self) -> &'static str {
        "on-tokio-uring"
    }

    fn stop(self, load: Load) {
        // Its end waits for the reads that are under way; they end with their connections.
        drop(load);
        self.0.join().unwrap();
    }
}

/// Runs a server on a thread of this name and connects the load to it.
fn start(
    name: &str,
    cell: Cell,
    serve: impl FnOnce(std::net::TcpListener, Cell) + Send + 'static,
) -> (JoinHandle<()>, Load) {
    let (sender, address) = mpsc::channel();
    let thread = std::thread::Builder::new().name(name.to_owned());
    let thread = thread.spawn(move || {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        sender.send(listener.local_addr().unwrap()).unwrap();
        serve(listener, cell);
    });
    let address: SocketAddr = address.recv().unwrap();
    let mut parties = Vec::new();
    for index in 0..=cell.recipients_count {
        let (mut party, _) = engine::plain(index, cell.body_octets, address);
        party.welcome_octets = 1;
        parties.push(party);
    }
    let (_, frame) = engine::plain(0, cell.body_octets, address);
    let load = Load::connect(address, parties, frame, cell.window);
    (thread.unwrap(), load)
}

/// The octets of the sender, from which whole messages are cut.
struct Frames {
    pending: BytesMut,
    frame_octets: usize,
    body_octets: usize,
}

impl Frames {
    fn new(cell: Cell) -> Self {
        let any = SocketAddr::from(([127, 0, 0, 1], 40_000));
        let (_, frame) = engine::plain(0, cell.body_octets, any);
        Self {
            pending: BytesMut::with_capacity(READ_OCTETS),
            frame_octets: frame.len(),
            body_octets: cell.body_octets,
        }
    }

    /// The bodies of the messages that are complete.
    fn take(&mut self) -> Vec<Bytes> {
        let frames = self.pending.len() / self.frame_octets;
        let whole = self.pending.split_to(frames * self.frame_octets).freeze();
        let ends = (1..=frames).map(|n| n * self.frame_octets - END_OCTETS);
        ends.map(|end| Bytes::slice(&whole, end - self.body_octets..end))
            .collect()
    }
}

async fn serve_tokio(listener: std::net::TcpListener, cell: Cell) {
    listener.set_nonblocking(true).unwrap();
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    let mut streams = Vec::new();
    for _ in 0..=cell.recipients_count {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let mut hello = [0; 4096];
        assert!(stream.read(&mut hello).await.unwrap() > 0);
        assert_eq!(stream.try_write(b"!").unwrap(), 1);
        streams.push(Rc::new(stream));
    }
    for stream in streams.iter().skip(1) {
        tokio::task::spawn_local(drop_answers_tokio(Rc::clone(stream)));
    }
    let lines: Vec<_> = (0..=cell.recipients_count)
        .map(|index| engine::copy(index, cell.body_octets))
        .collect();
    let mut frames = Frames::new(cell);
    loop {
        frames.pending.reserve(READ_OCTETS);
        if streams[0].readable().await.is_err() {
            return;
        }
        match streams[0].try_read_buf(&mut frames.pending) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => continue,
            Err(_) => return,
        }
        let bodies = frames.take();
        if bodies.is_empty() {
            continue;
        }
        let answer = vec![b'a'; ANSWER_OCTETS * bodies.len()];
        assert_eq!(streams[0].try_write(&answer).unwrap(), answer.len());
        for (stream, [start, paths, tail, end]) in streams.iter().zip(&lines).skip(1) {
            let parts = bodies
                .iter()
                .flat_map(|body| [start, paths.as_slice(), tail, body, end]);
            let slices: Vec<IoSlice<'_>> = parts.map(IoSlice::new).collect();
            let octets: usize = slices.iter().map(|slice| slice.len()).sum();
            // The window fits the send buffers; a short write would make the figure meaningless.
            assert_eq!(stream.try_write_vectored(&slices).unwrap(), octets);
        }
    }
}

async fn drop_answers_tokio(stream: Rc<tokio::net::TcpStream>) {
    let mut octets = vec![0; READ_OCTETS / 16];
    while stream.readable().await.is_ok() {
        match stream.try_read(&mut octets) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}

async fn serve_tokio_uring(listener: std::net::TcpListener, cell: Cell) {
    let listener = tokio_uring::net::TcpListener::from_std(listener);
    let mut streams = Vec::new();
    for _ in 0..=cell.recipients_count {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (read, _) = stream.read(vec![0; 4096]).await;
        assert!(read.unwrap() > 0);
        let (written, _) = stream.write(b"!".to_vec()).submit().await;
        assert_eq!(written.unwrap(), 1);
        streams.push(Rc::new(stream));
    }
    let mut readers = Vec::new();
    for stream in streams.iter().skip(1) {
        readers.push(tokio_uring::spawn(drop_answers_uring(Rc::clone(stream))));
    }
    let lines: Vec<[Bytes; 4]> = (0..=cell.recipients_count)
        .map(|index| engine::copy(index, cell.body_octets).map(Bytes::from))
        .collect();
    let mut frames = Frames::new(cell);
    loop {
        frames.pending.reserve(READ_OCTETS);
        let start = frames.pending.len();
        let pending = std::mem::take(&mut frames.pending);
        let (read, slice) = streams[0].read(BoundedBuf::slice(pending, start..)).await;
        frames.pending = slice.into_inner();
        if !matches!(read, Ok(octets) if octets > 0) {
            break;
        }
        let bodies = frames.take();
        if bodies.is_empty() {
            continue;
        }
        forward_uring(&streams, &lines, &bodies).await;
    }
    for reader in readers {
        reader.await.unwrap();
    }
}

/// Writes to everybody; all writes are under way before the first one is waited for.
async fn forward_uring(
    streams: &[Rc<tokio_uring::net::TcpStream>],
    lines: &[[Bytes; 4]],
    bodies: &[Bytes],
) {
    let answer = Bytes::from(vec![b'a'; ANSWER_OCTETS * bodies.len()]);
    let copies = lines.iter().skip(1).map(|[start, paths, tail, end]| {
        let parts = bodies
            .iter()
            .flat_map(|body| [start, paths, tail, body, end]);
        parts.cloned().collect()
    });
    let writes: FuturesUnordered<_> = streams
        .iter()
        .zip(std::iter::once(vec![answer]).chain(copies))
        .map(|(stream, parts): (_, Vec<Bytes>)| async move {
            let octets: usize = parts.iter().map(Bytes::len).sum();
            let (written, _) = stream.writev(parts).await;
            // The window fits the send buffers; a short write would make the figure meaningless.
            assert_eq!(written.unwrap(), octets);
        })
        .collect();
    writes.collect::<()>().await;
}

async fn drop_answers_uring(stream: Rc<tokio_uring::net::TcpStream>) {
    let mut octets = vec![0; READ_OCTETS / 16];
    loop {
        let (read, buffer) = stream.read(octets).await;
        if !matches!(read, Ok(read) if read > 0) {
            return;
        }
        octets = buffer;
    }
}

/// What one read may bring from the sender; recipients say less.
const READ_OCTETS: usize = 256 * 1024;
/// What an answer to a SEND is long.
const ANSWER_OCTETS: usize = 170;
