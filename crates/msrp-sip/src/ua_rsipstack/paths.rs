//! Finds the way for requests of ours: which address, which port of ours, which connection.
//!
//! What needs no waiting is answered at once. All else waits in a queue of its next hop while one
//! task resolves the name and opens the connection, so that requests to one next hop keep their
//! order and one connection is opened, not many.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use super::limits::{CONNECT_WAIT, DOWN_FOR, DOWN_MAX, RESOLVED_MAX};
use super::names::{Candidate, Candidates, Names, Reach};
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
    by_peer: HashMap<Candidate, ConnectionId>,
    names: Arc<Names>,
    resolved: HashMap<Target, Candidates>,
    /// Ways that gave no answer, and until when they are passed over.
    down: HashMap<Candidate, Instant>,
    waiting: HashMap<Target, VecDeque<W>>,
}

/// What a search for a way has found.
pub(super) struct Found {
    target: Target,
    /// What the name servers said, if they were asked.
    resolved: Option<Candidates>,
    /// Ways that were tried in vain.
    failed: Vec<Candidate>,
    way: Option<Candidate>,
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
        names: Names,
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
            names: Arc::new(names),
            resolved: HashMap::new(),
            down: HashMap::new(),
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
        self.by_peer.insert(way_of(&connection), connection.id);
        self.open.insert(connection.id, connection);
    }

    /// Forgets a connection.
    pub(super) fn closed(&mut self, id: ConnectionId) {
        if let Some(connection) = self.open.remove(&id)
            && self.by_peer.get(&way_of(&connection)) == Some(&id)
        {
            self.by_peer.remove(&way_of(&connection));
        }
    }

    /// The flow of a connection that is still open.
    pub(super) fn flow(&self, id: ConnectionId) -> Option<Flow> {
        let connection = self.open.get(&id)?;
        (!connection.is_ended()).then(|| Flow::stream(connection))
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
    pub(super) fn find(&mut self, target: Target, what: W) -> Path<W> {
        if let Some(queue) = self.waiting.get_mut(&target) {
            queue.push_back(what);
            return Path::Sought;
        }
        if let Some(way) = self.known(&target).and_then(|ways| self.best(&ways)) {
            if way.transport == Transport::Udp {
                return match self.udp_flow(way.address) {
                    Some(flow) => Path::Open(Box::new(flow), what),
                    None => Path::None(what),
                };
            }
            if let Some(flow) = self.open_flow(way, &target) {
                return Path::Open(Box::new(flow), what);
            }
        }
        self.waiting.insert(target.clone(), VecDeque::from([what]));
        self.seek(target);
        Path::Sought
    }

    /// A request on this flow to this next hop had no answer. Whether there is another way to go.
    pub(super) fn fails_over(&mut self, target: &Target, flow: &Flow) -> bool {
        let failed = Candidate {
            transport: flow.transport,
            address: flow.peer,
        };
        let Some(ways) = self.known(target).filter(|ways| ways.len() > 1) else {
            return false;
        };
        self.pass_over(failed);
        ways.iter().any(|way| !self.is_down(way))
    }

    fn known(&self, target: &Target) -> Option<Vec<Candidate>> {
        let transport = target.transport.unwrap_or(self.reach().usual());
        if let Some(address) = target.address(transport) {
            return Some(vec![Candidate { transport, address }]);
        }
        let known = self.resolved.get(target);
        known
            .filter(|known| known.until > Instant::now())
            .map(|known| known.ways.clone())
    }

    fn best(&self, ways: &[Candidate]) -> Option<Candidate> {
        let up = ways.iter().find(|way| !self.is_down(way));
        up.or(ways.first()).copied()
    }

    fn is_down(&self, way: &Candidate) -> bool {
        self.down
            .get(way)
            .is_some_and(|until| *until > Instant::now())
    }

    fn pass_over(&mut self, way: Candidate) {
        if self.down.len() >= DOWN_MAX {
            self.down.clear();
        }
        tracing::info!(transport = %way.transport, address = %way.address, "next hop passed over");
        self.down.insert(way, Instant::now() + DOWN_FOR);
    }

    /// The connection that is open on this way. Under TLS its certificate has to name the host.
    fn open_flow(&self, way: Candidate, target: &Target) -> Option<Flow> {
        let id = self.by_peer.get(&way).copied()?;
        let connection = self.open.get(&id)?;
        let is_right = way.transport != Transport::Tls
            || target.is_literal()
            || connection.verified.as_deref() == Some(&target.host);
        is_right.then(|| self.flow(id)).flatten()
    }

    fn udp_flow(&self, address: SocketAddr) -> Option<Flow> {
        let port = self
            .udp
            .iter()
            .find(|port| port.advertised.is_ipv4() == address.is_ipv4())?;
        Some(Flow::udp(port, address))
    }

    fn reach(&self) -> Reach {
        Reach {
            udp_v4: self.udp.iter().any(|port| port.advertised.is_ipv4()),
            udp_v6: self.udp.iter().any(|port| port.advertised.is_ipv6()),
        }
    }

    fn seek(&self, target: Target) {
        let (opener, names) = (self.opener.clone(), self.names.clone());
        let (found, reach) = (self.found.clone(), self.reach());
        let known = self.known(&target);
        let down: Vec<_> = self
            .down
            .keys()
            .copied()
            .filter(|w| self.is_down(w))
            .collect();
        self.spawner.spawn(async move {
            let mut result = Found {
                target,
                resolved: None,
                failed: Vec::new(),
                way: None,
                connection: None,
            };
            // What has been found when the time is over counts.
            let search = result.search(&opener, &names, reach, known, &down);
            if timeout(CONNECT_WAIT, search).await.is_err() {
                tracing::debug!(host = %result.target.host, "no way found in time");
            }
            found.send(result).ok();
        });
    }

    /// Takes the result of a search: what waited for it, and the way if there is one.
    pub(super) fn take(&mut self, found: Found) -> (Option<Flow>, VecDeque<W>) {
        let waiting = self.waiting.remove(&found.target).unwrap_or_default();
        if let Some(resolved) = found.resolved {
            if self.resolved.len() >= RESOLVED_MAX {
                self.resolved.clear();
            }
            self.resolved.insert(found.target, resolved);
        }
        for way in found.failed {
            self.pass_over(way);
        }
        let flow = match (found.connection, found.way) {
            (Some(connection), _) => {
                let id = connection.id;
                self.opened(connection);
                self.flow(id)
            }
            (None, Some(way)) => self.udp_flow(way.address),
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

impl Found {
    /// Asks for the addresses if they are not known, and opens the first connection that opens.
    async fn search(
        &mut self,
        opener: &Connections,
        names: &Names,
        reach: Reach,
        known: Option<Vec<Candidate>>,
        down: &[Candidate],
    ) {
        let ways = match known {
            Some(ways) => ways,
            None => {
                let resolved = names.candidates(&self.target, reach).await;
                let ways = resolved.ways.clone();
                self.resolved = Some(resolved);
                ways
            }
        };
        let (up, last): (Vec<_>, Vec<_>) = ways.into_iter().partition(|way| !down.contains(way));
        for way in up.into_iter().chain(last) {
            if way.transport == Transport::Udp {
                self.way = Some(way);
                return;
            }
            match opener.open(way, &self.target.host).await {
                Ok(connection) => {
                    self.connection = Some(connection);
                    return;
                }
                Err(error) => {
                    let Candidate { transport, address } = way;
                    tracing::debug!(%transport, %address, %error, "connection not opened");
                    self.failed.push(way);
                }
            }
        }
    }
}

fn way_of(connection: &Connection) -> Candidate {
    Candidate {
        transport: connection.transport,
        address: connection.peer,
    }
}
