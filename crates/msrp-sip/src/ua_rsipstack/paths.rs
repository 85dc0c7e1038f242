//! Finds the way for requests of ours: which address, which port of ours, which connection.
//!
//! What needs no waiting is answered at once. All else waits in a queue of its next hop while one
//! task resolves the name and opens the connection, so that requests to one next hop keep their
//! order and one connection is opened, not many.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::lookup_host;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use super::limits::{CONNECT_WAIT, RESOLVED_FOR, RESOLVED_MAX};
use super::net::{ConnectionId, Flow, Spawner};
use super::tcp::{Connection, Connections};
use super::udp::UdpPort;
use super::value::Target;
use crate::ua::Transport;

/// The ways to the neighbours.
pub(super) struct Paths<W> {
    udp: Vec<Arc<UdpPort>>,
    opener: Connections,
    spawner: Spawner,
    found: mpsc::UnboundedSender<Found>,
    open: HashMap<ConnectionId, Arc<Connection>>,
    by_peer: HashMap<SocketAddr, ConnectionId>,
    resolved: HashMap<(String, u16), (SocketAddr, Instant)>,
    waiting: HashMap<Target, VecDeque<W>>,
}

/// What a search for a way has found.
pub(super) struct Found {
    target: Target,
    address: Option<SocketAddr>,
    connection: Option<Arc<Connection>>,
}

/// A way, or what to do without one.
pub(super) enum Path<W> {
    /// There it is.
    Open(Box<Flow>, W),
    /// It is being looked for; what was to be sent is kept.
    Sought,
    /// There is none.
    None(W),
}

impl<W> Paths<W> {
    /// `found` brings results of searches back to the engine.
    pub(super) fn new(
        udp: Vec<Arc<UdpPort>>,
        opener: Connections,
        spawner: Spawner,
        found: mpsc::UnboundedSender<Found>,
    ) -> Self {
        Self {
            udp,
            opener,
            spawner,
            found,
            open: HashMap::new(),
            by_peer: HashMap::new(),
            resolved: HashMap::new(),
            waiting: HashMap::new(),
        }
    }

    /// How many connections are open.
    pub(super) fn connections_count(&self) -> usize {
        self.open.len()
    }

    /// Whether we have a UDP port at all.
    pub(super) fn has_udp(&self) -> bool {
        !self.udp.is_empty()
    }

    /// Takes note of an open connection. One that has ended already is left out: the news of its
    /// end may have come before.
    pub(super) fn opened(&mut self, connection: Arc<Connection>) {
        if connection.is_ended() {
            return;
        }
        self.by_peer.insert(connection.peer, connection.id);
        self.open.insert(connection.id, connection);
    }

    /// Forgets a connection.
    pub(super) fn closed(&mut self, id: ConnectionId) {
        if let Some(connection) = self.open.remove(&id)
            && self.by_peer.get(&connection.peer) == Some(&id)
        {
            self.by_peer.remove(&connection.peer);
        }
    }

    /// The flow of a connection that is still open.
    pub(super) fn flow(&self, id: ConnectionId) -> Option<Flow> {
        let connection = self.open.get(&id)?;
        (!connection.is_ended()).then(|| Flow::tcp(connection))
    }

    /// Whether the operating system refused what was last sent on this flow.
    pub(super) fn has_failed(&self, flow: &Flow) -> bool {
        match flow.id {
            Some(id) => self.flow(id).is_none(),
            None => self
                .udp
                .iter()
                .any(|port| port.advertised == flow.sent_by && port.has_failed()),
        }
    }

    /// Finds the way to `target` for `what`.
    pub(super) fn find(&mut self, mut target: Target, what: W) -> Path<W> {
        let usual = if self.udp.is_empty() {
            Transport::Tcp
        } else {
            Transport::Udp
        };
        let transport = *target.transport.get_or_insert(usual);
        if let Some(queue) = self.waiting.get_mut(&target) {
            queue.push_back(what);
            return Path::Sought;
        }
        if let Some(address) = self.address(&target) {
            match transport {
                Transport::Udp => {
                    return match self.udp_flow(address) {
                        Some(flow) => Path::Open(Box::new(flow), what),
                        None => Path::None(what),
                    };
                }
                Transport::Tcp => {
                    let id = self.by_peer.get(&address).copied();
                    if let Some(flow) = id.and_then(|id| self.flow(id)) {
                        return Path::Open(Box::new(flow), what);
                    }
                }
            }
        }
        self.waiting.insert(target.clone(), VecDeque::from([what]));
        self.seek(target, transport);
        Path::Sought
    }

    fn address(&self, target: &Target) -> Option<SocketAddr> {
        target.address().or_else(|| {
            let known = self.resolved.get(&(target.host.clone(), target.port));
            known
                .filter(|(_, until)| *until > Instant::now())
                .map(|(address, _)| *address)
        })
    }

    fn udp_flow(&self, address: SocketAddr) -> Option<Flow> {
        let port = self
            .udp
            .iter()
            .find(|port| port.advertised.is_ipv4() == address.is_ipv4())?;
        Some(Flow::udp(port, address))
    }

    fn seek(&self, target: Target, transport: Transport) {
        let opener = self.opener.clone();
        let found = self.found.clone();
        let known = self.address(&target);
        let families = (
            self.udp.iter().any(|port| port.advertised.is_ipv4()),
            self.udp.iter().any(|port| port.advertised.is_ipv6()),
        );
        self.spawner.spawn(async move {
            let search = async {
                let candidates = match known {
                    Some(address) => vec![address],
                    None => resolve(&target).await,
                };
                match transport {
                    Transport::Udp => {
                        let usable =
                            |a: &SocketAddr| if a.is_ipv4() { families.0 } else { families.1 };
                        (candidates.into_iter().find(usable), None)
                    }
                    Transport::Tcp => open_first(&opener, candidates).await,
                }
            };
            let (address, connection) = timeout(CONNECT_WAIT, search).await.unwrap_or_default();
            let result = Found {
                target,
                address,
                connection,
            };
            found.send(result).ok();
        });
    }

    /// Takes the result of a search: what waited for it, and the way if there is one.
    pub(super) fn take(&mut self, found: Found) -> (Option<Flow>, VecDeque<W>) {
        let waiting = self.waiting.remove(&found.target).unwrap_or_default();
        if let (Some(address), None) = (found.address, found.target.address()) {
            if self.resolved.len() >= RESOLVED_MAX {
                self.resolved.clear();
            }
            let name = (found.target.host, found.target.port);
            let until = Instant::now() + RESOLVED_FOR;
            self.resolved.insert(name, (address, until));
        }
        let flow = match (found.connection, found.address) {
            (Some(connection), _) => {
                let id = connection.id;
                self.opened(connection);
                self.flow(id)
            }
            (None, Some(address)) => self.udp_flow(address),
            (None, None) => None,
        };
        (flow, waiting)
    }

    /// Takes back something that waits for a way.
    pub(super) fn withdraw(&mut self, wanted: impl Fn(&W) -> bool) -> Option<W> {
        self.waiting.values_mut().find_map(|queue| {
            let at = queue.iter().position(&wanted)?;
            queue.remove(at)
        })
    }
}

async fn resolve(target: &Target) -> Vec<SocketAddr> {
    match lookup_host((target.host.as_str(), target.port)).await {
        Ok(addresses) => addresses.collect(),
        Err(error) => {
            tracing::debug!(host = %target.host, %error, "name not resolved");
            Vec::new()
        }
    }
}

async fn open_first(
    opener: &Connections,
    candidates: Vec<SocketAddr>,
) -> (Option<SocketAddr>, Option<Arc<Connection>>) {
    for address in candidates {
        match opener.open(address).await {
            Ok(connection) => return (Some(address), Some(connection)),
            Err(error) => tracing::debug!(%address, %error, "connection not opened"),
        }
    }
    (None, None)
}
