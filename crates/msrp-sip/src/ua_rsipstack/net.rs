//! What the sockets and the engine share: where messages come from and go to.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use rsipstack::sip;
use rsipstack::transport::{SipAddr, SipConnection};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::limits;
use super::screen::{Incoming, Screen};
use super::tcp::Connection;
use super::udp::UdpPort;
use crate::ua::{Peer, Transport};

/// Names a connection. Never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct ConnectionId(pub(super) u64);

/// What the sockets tell the engine.
pub(super) enum Ingress {
    /// A peer opened a connection.
    Opened(Arc<Connection>),
    /// A message.
    Message(Box<Incoming>, Arrival),
    /// A connection is gone.
    Closed(ConnectionId),
}

/// How a message came.
#[derive(Clone)]
pub(super) enum Arrival {
    /// In a datagram to this port of ours.
    Udp(Arc<UdpPort>, SocketAddr),
    /// On this connection.
    Stream(Arc<Connection>),
}

impl Arrival {
    /// Who sent it.
    pub(super) fn peer(&self) -> Peer {
        match self {
            Self::Udp(_, address) => Peer {
                address: *address,
                transport: Transport::Udp,
            },
            Self::Stream(connection) => Peer {
                address: connection.peer,
                transport: connection.transport,
            },
        }
    }

    /// The way back to the sender.
    pub(super) fn flow(&self) -> Flow {
        match self {
            Self::Udp(port, address) => Flow::udp(port, *address),
            Self::Stream(connection) => Flow::stream(connection),
        }
    }

    /// Writes octets to the sender, past the stack; they are lost when there is no room.
    pub(super) fn answer_raw(&self, octets: Vec<u8>, reply_to: SocketAddr) {
        match self {
            Self::Udp(port, _) => port.send(&octets, reply_to),
            Self::Stream(connection) => connection.write_raw(octets),
        }
    }
}

/// A way on which messages go to one neighbour.
#[derive(Clone)]
pub(super) struct Flow {
    /// The stack's handle.
    pub(super) connection: SipConnection,
    /// The neighbour.
    pub(super) destination: SipAddr,
    /// The transport.
    pub(super) transport: Transport,
    /// The neighbour's address.
    pub(super) peer: SocketAddr,
    /// Our address as the neighbour should see it.
    pub(super) sent_by: SocketAddr,
    /// The connection, if the transport has any.
    pub(super) id: Option<ConnectionId>,
}

impl Flow {
    /// Datagrams from a port of ours to an address.
    pub(super) fn udp(port: &UdpPort, address: SocketAddr) -> Self {
        Self {
            connection: port.connection.clone(),
            destination: sip_addr(Transport::Udp, address),
            transport: Transport::Udp,
            peer: address,
            sent_by: port.advertised,
            id: None,
        }
    }

    /// An open connection.
    pub(super) fn stream(connection: &Connection) -> Self {
        Self {
            connection: connection.handle.clone(),
            destination: sip_addr(connection.transport, connection.peer),
            transport: connection.transport,
            peer: connection.peer,
            sent_by: connection.advertised,
            id: Some(connection.id),
        }
    }

    /// Sends a message past the transactions: an ACK of a 2xx. Never waits; what has no room is
    /// lost, as the network may lose it.
    pub(super) fn send(&self, message: sip::SipMessage) {
        let sent = self.connection.send(message, Some(&self.destination));
        if let Some(Err(error)) = tokio::task::unconstrained(sent).now_or_never() {
            tracing::debug!(%error, "message not sent");
        }
    }
}

/// An address in the stack's words.
pub(super) fn sip_addr(transport: Transport, address: SocketAddr) -> SipAddr {
    let transport = match transport {
        Transport::Udp => sip::Transport::Udp,
        Transport::Tcp => sip::Transport::Tcp,
        Transport::Tls => sip::Transport::Tls,
    };
    SipAddr::new(transport, address.into())
}

/// Starts tasks that end when the engine ends. Those of connections are told before, so that they
/// write what waits.
#[derive(Debug, Clone, Default)]
pub(super) struct Spawner {
    tracker: TaskTracker,
    token: CancellationToken,
    connections: TaskTracker,
    closing: CancellationToken,
}

impl Spawner {
    /// Runs `task` until it is done or the engine ends.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let token = self.token.clone();
        self.tracker.spawn(async move {
            token.run_until_cancelled_owned(task).await;
        });
    }

    /// Runs the task of a connection, which ends by itself once [`Spawner::closing`] is told.
    pub(super) fn spawn_connection(&self, task: impl Future<Output = ()> + Send + 'static) {
        let connections = self.connections.token();
        self.spawn(async move {
            task.await;
            drop(connections);
        });
    }

    /// Told when connections have to write what waits, and to end.
    pub(super) fn closing(&self) -> CancellationToken {
        self.closing.clone()
    }

    /// Lets the connections write what waits and end; waits for that at most this long.
    pub(super) async fn close_connections(&self, wait: Duration) {
        self.closing.cancel();
        self.connections.close();
        if tokio::time::timeout(wait, self.connections.wait())
            .await
            .is_err()
        {
            tracing::debug!("connections were ended with octets that their peers did not take");
        }
    }

    /// Asks all tasks to end.
    pub(super) fn end(&self) {
        self.token.cancel();
        self.tracker.close();
    }

    /// Waits until all tasks have ended.
    pub(super) async fn wait(&self) {
        self.tracker.wait().await;
    }
}

/// What each socket task has.
#[derive(Clone)]
pub(super) struct Shared {
    /// To the engine.
    pub(super) ingress: mpsc::Sender<Ingress>,
    /// Judges messages.
    pub(super) screen: Screen,
    /// Starts tasks.
    pub(super) spawner: Spawner,
    /// Bounds of one connection.
    pub(super) waits: Waits,
}

/// How long a connection may do nothing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Waits {
    /// Before the rest of a message.
    pub(super) partial: Duration,
    /// Before the next message.
    pub(super) idle: Duration,
    /// Before anything is taken by the peer.
    pub(super) write: Duration,
}

impl Default for Waits {
    fn default() -> Self {
        Self {
            partial: limits::PARTIAL_WAIT,
            idle: limits::IDLE_WAIT,
            write: limits::WRITE_WAIT,
        }
    }
}
