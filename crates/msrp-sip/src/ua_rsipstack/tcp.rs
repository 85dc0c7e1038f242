//! TCP, plain and under TLS: our own connections under the stack.
//!
//! ```text
//! peer -> reader: cut, judge -> ingress (bounded, the reader waits) -> engine
//! peer <- writer: bounded octets, bounded wait <- channel of the stack, raw answers
//! ```
//!
//! A peer that does not read fills its own writer and is closed; nobody waits for it. A message
//! that cannot be read is answered here and never reaches the stack.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use bytes::{Buf, BytesMut};
use rsipstack::transport::channel::ChannelConnection;
use rsipstack::transport::connection::TransportReceiver;
use rsipstack::transport::{SipConnection, TransportEvent};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::framing::{Framed, Framer};
use super::limits::{RAW_QUEUE, WRITE_QUEUE_OCTETS_BUSY, WRITE_QUEUE_OCTETS_MAX};
use super::names::Candidate;
use super::net::{Arrival, ConnectionId, Ingress, Shared, sip_addr};
use super::screen::Screened;
use super::tls::Tls;
use crate::ua::Transport;

/// A connection.
pub(super) struct Connection {
    /// Its name.
    pub(super) id: ConnectionId,
    /// Its transport: TCP or TLS.
    pub(super) transport: Transport,
    /// The other end.
    pub(super) peer: SocketAddr,
    /// The host that the certificate of the other end names, when we asked for it.
    pub(super) verified: Option<String>,
    /// Where peers of this connection's other end find us.
    pub(super) advertised: SocketAddr,
    /// The stack's handle.
    pub(super) handle: SipConnection,
    raw: mpsc::Sender<Raw>,
    ended: CancellationToken,
}

impl Connection {
    /// Whether the connection can no longer carry anything.
    pub(super) fn is_ended(&self) -> bool {
        self.ended.is_cancelled()
    }

    /// Writes octets past the stack; they are lost when many wait already.
    pub(super) fn write_raw(&self, octets: Vec<u8>) {
        if self.raw.try_send(Raw::More(octets)).is_err() {
            tracing::debug!(peer = %self.peer, "answer lost: too many wait");
        }
    }
}

enum Raw {
    More(Vec<u8>),
    Last(Vec<u8>),
}

/// Opens and counts connections.
#[derive(Clone)]
pub(super) struct Connections {
    shared: Shared,
    count: Arc<AtomicUsize>,
    count_max: usize,
    last_id: Arc<AtomicU64>,
    listeners: Arc<Vec<(Transport, SocketAddr)>>,
    tls: Arc<Tls>,
}

/// What is known of a connection before it is one.
struct Link {
    transport: Transport,
    local: SocketAddr,
    peer: SocketAddr,
    verified: Option<String>,
    slot: Slot,
}

/// One counted connection.
struct Slot(Arc<AtomicUsize>);

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Connections {
    /// `listeners` are the addresses at which peers find us.
    pub(super) fn new(
        shared: Shared,
        count_max: usize,
        listeners: Vec<(Transport, SocketAddr)>,
        tls: Arc<Tls>,
    ) -> Self {
        Self {
            shared,
            count: Arc::default(),
            count_max,
            last_id: Arc::default(),
            listeners: Arc::new(listeners),
            tls,
        }
    }

    fn slot(&self) -> Option<Slot> {
        let before = self.count.fetch_add(1, Ordering::Relaxed);
        let slot = Slot(self.count.clone());
        (before < self.count_max).then_some(slot)
    }

    /// Accepts connections until the engine ends.
    pub(super) async fn listen(self, transport: Transport, listener: TcpListener) {
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => match self.slot() {
                    Some(slot) => self.take(transport, stream, peer, slot).await,
                    None => tracing::debug!(%peer, "connection refused: too many"),
                },
                Err(error) => {
                    // Mostly: no more descriptors. Closing connections will free some.
                    tracing::warn!(%error, "no connection accepted");
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                }
            }
        }
    }

    /// Starts an accepted connection. A handshake has a task of its own, so that nobody waits for it.
    async fn take(&self, transport: Transport, stream: TcpStream, peer: SocketAddr, slot: Slot) {
        let Ok(local) = stream.local_addr().and_then(|local| {
            stream.set_nodelay(true)?;
            Ok(local)
        }) else {
            return;
        };
        let link = Link {
            transport,
            local,
            peer,
            verified: None,
            slot,
        };
        if transport != Transport::Tls {
            return self.announce(self.start(stream, link)).await;
        }
        let connections = self.clone();
        self.shared.spawner.spawn(async move {
            if let Some(stream) = connections.tls.accept(stream, peer).await {
                connections.announce(connections.start(stream, link)).await;
            }
        });
    }

    async fn announce(&self, connection: io::Result<Arc<Connection>>) {
        if let Ok(connection) = connection {
            let opened = Ingress::Opened(connection);
            self.shared.ingress.send(opened).await.ok();
        }
    }

    /// Opens a connection to a next hop whose URI names `host`.
    pub(super) async fn open(&self, way: Candidate, host: &str) -> io::Result<Arc<Connection>> {
        let slot = self.slot().ok_or(io::ErrorKind::QuotaExceeded)?;
        let stream = TcpStream::connect(way.address).await?;
        stream.set_nodelay(true)?;
        let is_tls = way.transport == Transport::Tls;
        let link = Link {
            transport: way.transport,
            local: stream.local_addr()?,
            peer: way.address,
            verified: is_tls.then(|| host.to_owned()),
            slot,
        };
        if is_tls {
            let stream = self.tls.connect(stream, host).await?;
            self.start(stream, link)
        } else {
            self.start(stream, link)
        }
    }

    fn start<S>(&self, stream: S, link: Link) -> io::Result<Arc<Connection>>
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        let Link {
            transport,
            local,
            peer,
            verified,
            slot,
        } = link;
        let ours =
            |(t, a): &&(Transport, SocketAddr)| *t == transport && a.is_ipv4() == local.is_ipv4();
        let advertised = self.listeners.iter().find(ours).map_or(local, |(_, a)| *a);
        let ended = CancellationToken::new();
        let (to_writer, from_stack) = mpsc::unbounded_channel();
        let (raw, raw_queue) = mpsc::channel(RAW_QUEUE);
        let handle = handle(to_writer, transport, peer, ended.clone())?;
        let id = ConnectionId(self.last_id.fetch_add(1, Ordering::Relaxed));
        let connection = Arc::new(Connection {
            id,
            transport,
            peer,
            verified,
            advertised,
            handle,
            raw,
            ended,
        });
        let (read, write) = tokio::io::split(stream);
        let writer = Writer {
            half: write,
            queue: BytesMut::new(),
            is_flushed: true,
            wait: self.shared.waits.write,
            closing: self.shared.spawner.closing(),
        };
        let shared = self.shared.clone();
        let task = run(
            connection.clone(),
            shared,
            read,
            writer,
            from_stack,
            raw_queue,
        );
        self.shared.spawner.spawn_connection(async move {
            task.await;
            drop(slot);
        });
        Ok(connection)
    }
}

/// The stack's end of a connection. Nothing ever comes in through it: messages are handed to the
/// stack with the handle as their source.
fn handle(
    to_writer: mpsc::UnboundedSender<TransportEvent>,
    transport: Transport,
    peer: SocketAddr,
    ended: CancellationToken,
) -> io::Result<SipConnection> {
    use futures_util::FutureExt;
    let (_, nothing) = mpsc::unbounded_channel();
    let address = sip_addr(transport, peer);
    ChannelConnection::create_connection(nothing, to_writer, address, Some(ended))
        .now_or_never()
        .and_then(Result::ok)
        .map(SipConnection::Channel)
        .ok_or_else(|| io::Error::other("no channel"))
}

async fn run<S: AsyncRead + AsyncWrite>(
    connection: Arc<Connection>,
    shared: Shared,
    read: ReadHalf<S>,
    writer: Writer<S>,
    from_stack: TransportReceiver,
    raw: mpsc::Receiver<Raw>,
) {
    let why = tokio::select! {
        why = reader(&connection, &shared, read) => why,
        why = writer.run(from_stack, raw) => why,
    };
    tracing::debug!(peer = %connection.peer, why, "connection closed");
    connection.ended.cancel();
    let closed = Ingress::Closed(connection.id);
    shared.ingress.send(closed).await.ok();
}

/// Reads messages; returns why the connection is to be closed.
async fn reader<S: AsyncRead>(
    connection: &Arc<Connection>,
    shared: &Shared,
    mut half: ReadHalf<S>,
) -> &'static str {
    let mut framer = Framer::default();
    let mut since = Instant::now();
    loop {
        let wait = if framer.is_partial() {
            shared.waits.partial
        } else {
            since = Instant::now();
            shared.waits.idle
        };
        let read = half.read_buf(framer.buffer());
        match tokio::time::timeout_at(since + wait, read).await {
            Err(_) => return "nothing came for too long",
            Ok(Err(_)) => return "read failed",
            Ok(Ok(0)) => return "the peer ended it",
            Ok(Ok(_)) => {}
        }
        loop {
            let was_partial = framer.is_partial();
            match framer.poll() {
                Framed::NeedMore => break,
                framed => {
                    if let Err(why) = take(connection, shared, framed).await {
                        return why;
                    }
                }
            }
            if was_partial {
                since = Instant::now();
            }
        }
    }
}

async fn take(
    connection: &Arc<Connection>,
    shared: &Shared,
    framed: Framed,
) -> Result<(), &'static str> {
    let (head, body, found) = match framed {
        Framed::NeedMore => return Ok(()),
        Framed::Ping => {
            let pong = Raw::More(b"\r\n".to_vec());
            return connection.raw.send(pong).await.map_err(|_| "gone");
        }
        Framed::Endless => return Err("a header section without end"),
        Framed::Message(head, body) => (head, body, None),
        Framed::Broken(head, fault) => (head, Default::default(), Some(fault)),
    };
    let broken = found.is_some();
    match shared.screen.judge(&head, &body, connection.peer, found) {
        Screened::Pass(message) => {
            let arrival = Arrival::Stream(connection.clone());
            let message = Ingress::Message(message, arrival);
            shared.ingress.send(message).await.map_err(|_| "gone")
        }
        Screened::Refuse(octets, _) if broken => {
            connection.raw.send(Raw::Last(octets)).await.ok();
            // The writer ends the connection once the answer is written.
            std::future::pending().await
        }
        Screened::Refuse(octets, _) => {
            let raw = Raw::More(octets);
            connection.raw.send(raw).await.map_err(|_| "gone")
        }
        Screened::Drop(why) if broken => Err(why),
        Screened::Drop(why) => {
            tracing::debug!(peer = %connection.peer, why, "message dropped");
            Ok(())
        }
    }
}

/// Writes what the stack and the reader have to say.
struct Writer<S> {
    half: WriteHalf<S>,
    queue: BytesMut,
    /// Whether all that was taken from the queue has left: TLS keeps a part.
    is_flushed: bool,
    wait: std::time::Duration,
    /// Told when the engine ends: what waits is written first.
    closing: CancellationToken,
}

impl<S: AsyncRead + AsyncWrite> Writer<S> {
    /// Writes; returns why the connection is to be closed.
    async fn run(
        mut self,
        mut from_stack: TransportReceiver,
        mut raw: mpsc::Receiver<Raw>,
    ) -> &'static str {
        let mut deadline = Instant::now();
        let mut last = false;
        loop {
            if self.queue.is_empty() && self.is_flushed {
                if last {
                    return "a message without end was refused";
                }
                if self.closing.is_cancelled() && from_stack.is_empty() && raw.is_empty() {
                    return "the engine ends";
                }
                deadline = Instant::now() + self.wait;
            } else if self.queue.len() > WRITE_QUEUE_OCTETS_MAX {
                return "too many octets wait for the peer";
            }
            let idle = self.queue.is_empty() && self.is_flushed;
            let room = self.queue.len() < WRITE_QUEUE_OCTETS_BUSY && !last;
            tokio::select! {
                biased;
                written = write_or_flush(&mut self.half, &self.queue), if !idle => match written {
                    Ok(0) if self.queue.is_empty() => self.is_flushed = true,
                    Ok(0) | Err(_) => return "write failed",
                    Ok(octets) => {
                        self.queue.advance(octets);
                        self.is_flushed = false;
                        deadline = Instant::now() + self.wait;
                    }
                },
                event = from_stack.recv() => match event {
                    Some(TransportEvent::Incoming(message, ..)) => {
                        self.queue.extend_from_slice(&message.to_bytes());
                    }
                    Some(_) => {}
                    None => return "nobody uses it",
                },
                octets = raw.recv(), if room => match octets {
                    Some(Raw::More(octets)) => self.queue.extend_from_slice(&octets),
                    Some(Raw::Last(octets)) => {
                        self.queue.extend_from_slice(&octets);
                        last = true;
                    }
                    None => return "nobody uses it",
                },
                () = self.closing.cancelled(), if idle && !self.closing.is_cancelled() => {}
                () = tokio::time::sleep_until(deadline), if !idle => {
                    return "the peer takes nothing";
                }
            }
        }
    }
}

/// Writes a part of the queue; when it is empty, lets what TLS has kept leave. Loses nothing when it is
/// dropped halfway.
async fn write_or_flush<S: AsyncRead + AsyncWrite>(
    half: &mut WriteHalf<S>,
    queue: &[u8],
) -> io::Result<usize> {
    if queue.is_empty() {
        half.flush().await?;
        return Ok(0);
    }
    half.write(queue).await
}
