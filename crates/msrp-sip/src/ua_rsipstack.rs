//! The SIP engine: rsipstack's transactions under dialogs and sockets of our own.
//!
//! Only this module names types of the stack.
//!
//! ```text
//! focus -- UaHandle --> commands --+                       +-- udp: one task a socket
//!                                  v                       |
//! focus <-- UaEvent -------- engine (one task) <-- ingress +-- tcp: one task a connection
//!                             |        |    |
//!                          dialogs   stack  paths -- one task a search for a way
//! ```
//!
//! # What is the stack's and what is ours
//!
//! The stack does the transactions: retransmissions, timers, absorbing copies, ACK of finals of
//! 300 and above, the answer to CANCEL. Dialogs are ours: the contract asks for answers with any
//! header and body, Contact values that stay as they are, a target refresh by each request that
//! makes one, one order of events, and dialogs small enough that ten thousands can stand. Sockets
//! are ours: each queue towards a peer is bounded, and a message that cannot be read is answered
//! without harm to others on its connection.
//!
//! # Order
//!
//! One task does all: it hands a message to the stack, polls the transaction that the message
//! belongs to, changes the dialog and tells the focus before it looks at the next one. Sending
//! never waits, so no peer can hold up another. What a peer sent first is told first, and what the
//! focus asked first goes out first.
//!
//! # What is bounded
//!
//! See `limits`. When events are not taken, new requests outside of a dialog get 503 with
//! Retry-After, those inside wait; then connections are no longer read and datagrams are lost.
//!
//! # Logs
//!
//! The stack writes whole messages at `info` and `debug` under the target `rsipstack`; the binary
//! should let only `warn` pass from there. This module writes under its own path and never a body.
//!
//! # Spec
//! RFC 3261 s.8, s.9, s.12 to s.18; RFC 3263; RFC 3581 s.4; RFC 5626 s.3.5.1; RFC 6026.

mod dialog;
mod draft;
mod engine;
mod framing;
mod head;
#[cfg(feature = "inspection")]
pub mod inspection;
mod limits;
mod names;
mod net;
mod paths;
mod refusals;
mod relay_names;
mod screen;
mod sources;
mod stack;
mod tcp;
mod tls;
mod udp;
mod unfinished;
mod value;

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ipnet::IpNet;
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::{mpsc, oneshot};

use self::engine::{Command, Engine, Inputs, Settings};
use self::names::Names;
use self::net::{Shared, Spawner, Waits};
use self::paths::Paths;
use self::refusals::Refusals;
use self::screen::Screen;
use self::stack::{Stack, Times};
use self::tcp::Connections;
use self::tls::Tls;
use self::udp::UdpPort;
use self::value::Target;
use msrp_control::metrics::{Kind as MetricKind, Sample};

use crate::ua::{
    Answer, Body, DialogId, Headers, Method, OutRequest, SipUa, Transport, TxnId, UaEvent,
};

pub use self::relay_names::RelayNames;
pub use self::tls::{TlsError, TlsFiles};

/// How the engine is set up.
#[derive(Debug, Clone)]
pub struct UaConfig {
    /// Where it listens. Port 0 lets the operating system choose.
    pub bind: Vec<(Transport, SocketAddr)>,
    /// Where requests of ours outside of a dialog go first: `sip:host:port;transport=tcp;lr`. It
    /// stands in their Route. Inside a dialog the route set decides; when that is empty and the
    /// peer's target is a name, the request goes to the proxy too. Without a proxy requests go to
    /// the host in their URI. `;lr` is added when it is missing. A name is looked up as RFC 3263 says;
    /// when a next hop gives no answer, the request goes to the next one that the name leads to.
    pub outbound_proxy: Option<String>,
    /// Where names are looked up; empty means the name servers of the system.
    pub name_servers: Vec<SocketAddr>,
    /// The files of TLS. A listener with TLS needs a certificate.
    pub tls: TlsFiles,
    /// The value of User-Agent in requests and of Server in responses.
    pub user_agent: String,
    /// The host part of Call-ID values.
    pub domain: String,
    /// Neighbours to whom the bounds of one source do not apply: behind them are many.
    pub trusted_peers: Vec<IpNet>,
    /// The bounds.
    pub limits: UaLimits,
}

/// Bounds and times of the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UaLimits {
    /// Transactions that are open or finished within the last 64 T1. At the bound an INVITE outside of a dialog gets 503, all
    /// other requests from three quarters of it on.
    pub transactions_max: usize,
    /// INVITEs of peers without ACK together with BYEs of ours without answer, and apart from them NOTIFYs of ours without
    /// answer: at most so many of each. At the bound the oldest that has waited for its peer longer than four T1 is given up for
    /// a new INVITE, or for a new SUBSCRIBE or REFER; without one the new request gets 503.
    pub unfinished_max: usize,
    /// Requests outside of dialogs that one source may send in a second; 0, the default, is no bound. Beyond it they get
    /// 503. Does not apply to [`UaConfig::trusted_peers`].
    pub source_requests_per_s: u32,
    /// INVITEs of one source without ACK; 0, the default, is no bound. At the bound a new one gets 503. Does not apply to
    /// [`UaConfig::trusted_peers`].
    pub source_unfinished_max: usize,
    /// Dialogs. At the bound a new INVITE gets 503, and one of ours fails with 503; a SUBSCRIBE or REFER gets it from three
    /// quarters of it on.
    pub dialogs_max: usize,
    /// TCP and TLS connections in both directions. At the bound a new one is closed at once.
    pub tcp_connections_max: usize,
    /// Events that may wait for the focus.
    pub events_max: usize,
    /// T1 of RFC 3261 s.17.1.1.1; all other times follow from it. 500 ms by the standard.
    pub t1: Duration,
    /// How long a connection may take nothing while octets wait for it.
    pub tcp_write_wait: Duration,
    /// How long a connection may be silent between messages.
    pub tcp_idle_wait: Duration,
}

impl Default for UaLimits {
    fn default() -> Self {
        Self {
            transactions_max: limits::TRANSACTIONS_MAX,
            unfinished_max: limits::UNFINISHED_MAX,
            source_requests_per_s: 0,
            source_unfinished_max: 0,
            dialogs_max: limits::DIALOGS_MAX,
            tcp_connections_max: limits::CONNECTIONS_MAX,
            events_max: limits::EVENTS_QUEUE,
            t1: Duration::from_millis(500),
            tcp_write_wait: limits::WRITE_WAIT,
            tcp_idle_wait: limits::IDLE_WAIT,
        }
    }
}

impl UaLimits {
    /// The same, or less: what is unfinished or finished within the last 64 T1 takes at most a quarter each of this much
    /// memory, in octets.
    #[must_use]
    pub fn within(mut self, memory_octets: u64) -> Self {
        let quarter = usize::try_from(memory_octets / 4).unwrap_or(usize::MAX);
        let at_most = |max: usize, octets: usize| max.min((quarter / octets).max(1));
        // Sessions and subscriptions have so many each.
        self.unfinished_max = at_most(self.unfinished_max, 2 * limits::UNFINISHED_OCTETS);
        self.transactions_max = at_most(self.transactions_max, limits::FINISHED_OCTETS);
        self
    }
}

/// Why the engine did not start. The configuration is at fault.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// An address could not be bound.
    Bind {
        /// The transport.
        transport: Transport,
        /// The address as configured.
        address: SocketAddr,
        /// What the operating system said.
        source: io::Error,
    },
    /// The outbound proxy is not a SIP URI that can be reached over UDP, TCP or TLS.
    Proxy(String),
    /// A file of TLS cannot be used, or the certificate of a listener is missing.
    Tls(TlsError),
    /// The configuration of the system's name servers cannot be read.
    Names(String),
    /// There is nothing to listen on.
    NoAddress,
    /// A bound or a time is zero.
    Limit(&'static str),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bind {
                transport,
                address,
                source,
            } => write!(f, "cannot bind {transport}:{address}: {source}"),
            Self::Proxy(uri) => {
                write!(f, "{uri:?} is not the URI of a proxy over UDP, TCP or TLS")
            }
            Self::Tls(error) => write!(f, "TLS: {error}"),
            Self::Names(why) => write!(f, "name servers: {why}"),
            Self::NoAddress => f.write_str("no address to listen on"),
            Self::Limit(name) => write!(f, "{name} must not be zero"),
        }
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Bind { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// A running engine.
#[derive(Debug)]
pub struct Ua {
    /// To ask with. The engine ends when the last clone is dropped.
    pub handle: UaHandle,
    /// What happens.
    pub events: mpsc::Receiver<UaEvent>,
    /// Where it listens, with real ports, in the order of [`UaConfig::bind`].
    pub addresses: Vec<(Transport, SocketAddr)>,
}

/// Asks a running engine. Clones ask the same one.
#[derive(Debug, Clone)]
pub struct UaHandle {
    commands: mpsc::UnboundedSender<Command>,
    last_id: Arc<AtomicU64>,
    advertised: Arc<HashMap<Transport, SocketAddr>>,
    spawner: Spawner,
    tls: Arc<Tls>,
    refusals: Arc<Refusals>,
}

/// How much an engine holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UaStats {
    /// Dialogs, early ones and those whose BYE has no answer included.
    pub dialogs: usize,
    /// INVITEs of peers without ACK, and BYEs and NOTIFYs of ours without answer.
    pub unfinished: usize,
    /// Transactions that are open, and INVITEs of ours whose 2xx may still be repeated.
    pub transactions_open: usize,
    /// Transactions that are over and still answer copies.
    pub transactions_finished: usize,
    /// TCP and TLS connections.
    pub connections: usize,
    /// Events that wait because the events queue is full.
    pub events_waiting: usize,
}

/// Starts an engine on the current runtime, which must have I/O and time enabled.
///
/// # Errors
/// See [`StartError`].
pub async fn start(config: UaConfig) -> Result<Ua, StartError> {
    check(&config)?;
    let proxy = config.outbound_proxy.as_deref();
    let proxy = proxy.map(read_proxy).transpose()?;
    let tls = Arc::new(Tls::read(config.tls.clone()).map_err(StartError::Tls)?);
    let names = Names::new(&config.name_servers).map_err(StartError::Names)?;
    if config.bind.iter().any(|(t, _)| *t == Transport::Tls) && !tls.has_certificate() {
        return Err(StartError::Tls(TlsError {
            file: "the certificate".into(),
            why: "a listener with TLS needs one, and its key".into(),
        }));
    }
    let bound = bind(&config.bind).await?;
    let (ingress_in, ingress) = mpsc::channel(limits::INGRESS_QUEUE);
    let spawner = Spawner::default();
    let shared = Shared {
        ingress: ingress_in,
        screen: Screen::new(&config.user_agent),
        spawner: spawner.clone(),
        waits: Waits {
            idle: config.limits.tcp_idle_wait,
            write: config.limits.tcp_write_wait,
            ..Waits::default()
        },
    };
    let (addresses, advertised) = (bound.addresses.clone(), bound.advertised());
    let (ports, connections) = serve(bound, &shared, &config.limits, tls.clone()).await?;
    let (found_in, found) = mpsc::unbounded_channel();
    let (commands_in, commands) = mpsc::unbounded_channel();
    let (events_in, events) = mpsc::channel(config.limits.events_max);
    let last_id = Arc::new(AtomicU64::new(1));
    let paths = Paths::new(ports, connections, names, spawner.clone(), found_in);
    let settings = settings(config, proxy);
    let stack = Stack::new(settings.times, &settings.user_agent).ok_or(StartError::NoAddress)?;
    let refusals = Arc::new(Refusals::default());
    let engine = Engine::new(
        settings,
        stack,
        paths,
        events_in,
        last_id.clone(),
        refusals.clone(),
    );
    let inputs = Inputs {
        commands,
        ingress,
        found,
    };
    let ender = spawner.clone();
    spawner.spawn(async move {
        engine.run(inputs).await;
        ender.end();
    });
    let handle = UaHandle {
        commands: commands_in,
        last_id,
        advertised: Arc::new(advertised),
        spawner,
        tls,
        refusals,
    };
    Ok(Ua {
        handle,
        events,
        addresses,
    })
}

/// Starts the tasks of the sockets.
async fn serve(
    bound: Bound,
    shared: &Shared,
    limits: &UaLimits,
    tls: Arc<Tls>,
) -> Result<(Vec<Arc<UdpPort>>, Connections), StartError> {
    let mut ports = Vec::new();
    for (socket, address) in bound.udp {
        let port = UdpPort::new(socket, address).await;
        ports.push(Arc::new(port.map_err(|source| StartError::Bind {
            transport: Transport::Udp,
            address,
            source,
        })?));
    }
    for port in &ports {
        shared
            .spawner
            .spawn(udp::serve(port.clone(), shared.clone()));
    }
    let advertised = bound
        .streams
        .iter()
        .map(|(_, transport, a)| (*transport, *a));
    let connections = Connections::new(
        shared.clone(),
        limits.tcp_connections_max,
        advertised.collect(),
        tls,
    );
    for (listener, transport, _) in bound.streams {
        let listen = connections.clone().listen(transport, listener);
        shared.spawner.spawn(listen);
    }
    Ok((ports, connections))
}

fn settings(config: UaConfig, proxy: Option<(Target, String)>) -> Settings {
    Settings {
        user_agent: config.user_agent,
        domain: config.domain,
        proxy,
        times: Times {
            t1: config.limits.t1,
        },
        dialogs_max: config.limits.dialogs_max,
        transactions_max: config.limits.transactions_max,
        unfinished_max: config.limits.unfinished_max,
        source_requests_per_s: config.limits.source_requests_per_s,
        source_unfinished_max: config.limits.source_unfinished_max,
        trusted_peers: config.trusted_peers,
    }
}

fn check(config: &UaConfig) -> Result<(), StartError> {
    let limits = &config.limits;
    for (name, zero) in [
        ("transactions_max", limits.transactions_max == 0),
        ("dialogs_max", limits.dialogs_max == 0),
        ("unfinished_max", limits.unfinished_max == 0),
        ("tcp_connections_max", limits.tcp_connections_max == 0),
        ("events_max", limits.events_max == 0),
        ("t1", limits.t1.is_zero()),
        ("tcp_write_wait", limits.tcp_write_wait.is_zero()),
        ("tcp_idle_wait", limits.tcp_idle_wait.is_zero()),
    ] {
        if zero {
            return Err(StartError::Limit(name));
        }
    }
    if config.bind.is_empty() {
        return Err(StartError::NoAddress);
    }
    Ok(())
}

fn read_proxy(uri: &str) -> Result<(Target, String), StartError> {
    let target = Target::of(uri).filter(|_| value::is_uri(uri));
    let target = target.ok_or_else(|| StartError::Proxy(uri.to_owned()))?;
    let lr = if value::is_loose(uri) { "" } else { ";lr" };
    Ok((target, format!("<{uri}{lr}>")))
}

#[derive(Default)]
struct Bound {
    udp: Vec<(UdpSocket, SocketAddr)>,
    streams: Vec<(TcpListener, Transport, SocketAddr)>,
    addresses: Vec<(Transport, SocketAddr)>,
}

impl Bound {
    /// The first address of each transport, as peers see it.
    fn advertised(&self) -> HashMap<Transport, SocketAddr> {
        let udp = self.udp.iter().map(|(_, a)| (Transport::Udp, *a));
        let streams = self.streams.iter().map(|(_, t, a)| (*t, *a));
        let mut first = HashMap::new();
        for (transport, address) in udp.chain(streams) {
            first.entry(transport).or_insert(address);
        }
        first
    }
}

async fn bind(wanted: &[(Transport, SocketAddr)]) -> Result<Bound, StartError> {
    let mut bound = Bound::default();
    for (transport, address) in wanted.iter().copied() {
        let failed = |source| StartError::Bind {
            transport,
            address,
            source,
        };
        let local = match transport {
            Transport::Udp => {
                let socket = UdpSocket::bind(address).await.map_err(failed)?;
                let local = socket.local_addr().map_err(failed)?;
                bound.udp.push((socket, advertise(local)));
                local
            }
            Transport::Tcp | Transport::Tls => {
                let listener = TcpListener::bind(address).await.map_err(failed)?;
                let local = listener.local_addr().map_err(failed)?;
                bound.streams.push((listener, transport, advertise(local)));
                local
            }
        };
        bound.addresses.push((transport, local));
    }
    Ok(bound)
}

/// The address that peers see. For "any" it is the one from which the operating system would
/// reach the world; no datagram is sent to learn it.
fn advertise(local: SocketAddr) -> SocketAddr {
    if !local.ip().is_unspecified() {
        return local;
    }
    let (any, world): (IpAddr, IpAddr) = if local.is_ipv4() {
        (
            Ipv4Addr::UNSPECIFIED.into(),
            Ipv4Addr::new(192, 0, 2, 1).into(),
        )
    } else {
        let world = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
        (Ipv6Addr::UNSPECIFIED.into(), world.into())
    };
    let loopback = if local.is_ipv4() {
        IpAddr::from(Ipv4Addr::LOCALHOST)
    } else {
        IpAddr::from(Ipv6Addr::LOCALHOST)
    };
    let probe = std::net::UdpSocket::bind((any, 0)).and_then(|socket| {
        socket.connect((world, value::PORT))?;
        socket.local_addr()
    });
    let ip = probe.map_or(loopback, |probe| probe.ip());
    SocketAddr::new(ip, local.port())
}

impl UaHandle {
    /// The host and port that belong in a Contact URI, `127.0.0.1:5060`, so that requests to it
    /// reach this engine over `transport`. When it does not listen on that transport, the address
    /// of the other one.
    #[must_use]
    pub fn contact_host(&self, transport: Transport) -> String {
        self.advertised
            .get(&transport)
            .or_else(|| self.advertised.values().next())
            .map(ToString::to_string)
            .unwrap_or_default()
    }

    /// Says whether requests outside of dialogs are refused with 503 and Retry-After because the process can carry
    /// nothing new. Such a refusal makes no transaction, so it holds no memory. Dialogs go on; but each time that this is
    /// said, what has waited for its peer longer than four T1 is given up, see [`UaLimits::unfinished_max`].
    pub fn refuse_new(&self, refuses: bool) {
        self.ask(Command::RefuseNew(refuses));
    }

    /// The metrics of the engine's bounds.
    #[must_use]
    pub fn samples(&self) -> Vec<Sample> {
        let counter = |name, help, labels, value| Sample {
            name,
            help,
            kind: MetricKind::Counter,
            labels,
            value,
        };
        let [(limits, limits_help), (given_up, given_up_help)] = METRICS;
        let mut samples: Vec<_> = self
            .refusals
            .counts()
            .map(|(name, value)| {
                counter(limits, limits_help, vec![("limit", name.to_owned())], value)
            })
            .collect();
        let count = self.refusals.given_up();
        samples.push(counter(given_up, given_up_help, Vec::new(), count));
        samples
    }

    /// How much the engine holds now; nothing once it has ended.
    pub async fn stats(&self) -> UaStats {
        let (answer, stats) = oneshot::channel();
        self.ask(Command::Stats(answer));
        stats.await.unwrap_or_default()
    }

    /// Ends the engine and its sockets, and waits until they are gone. What was asked before, and
    /// what follows from messages that were told, is written first; peers have a second to take
    /// it. Dialogs are not ended: that is for the focus to do before.
    pub async fn shutdown(&self) {
        // The engine takes things in turn: it has answered once it has done what came before.
        let _ = tokio::time::timeout(limits::FLUSH_WAIT, self.stats()).await;
        self.spawner.close_connections(limits::FLUSH_WAIT).await;
        self.spawner.end();
        self.spawner.wait().await;
    }

    /// Reads the files of TLS anew. What was read is in force once the result was called, for the handshakes to
    /// come; connections that stand are not touched.
    ///
    /// # Errors
    /// [`TlsError`]: the operator's fault.
    pub fn read_tls(&self) -> Result<impl FnOnce() + Send + use<>, TlsError> {
        self.tls.read_again()
    }

    fn next_id(&self) -> u64 {
        self.last_id.fetch_add(1, Ordering::Relaxed)
    }

    /// After the engine has ended nothing is asked and nothing follows.
    fn ask(&self, command: Command) {
        self.commands.send(command).ok();
    }
}

/// The metrics of the engine's bounds: name and help.
pub const METRICS: [(&str, &str); 2] = [
    (
        "msrp_sip_limits_reached_total",
        "SIP requests that a bound kept out, by the bound: a key of the configuration, or a constant of the program.",
    ),
    (
        "msrp_sip_given_up_total",
        "INVITEs without ACK, and BYEs and NOTIFYs without answer, that were given up before their time because there were too many or memory was short.",
    ),
];

impl SipUa for UaHandle {
    fn answer(&mut self, transaction: TxnId, answer: Answer) {
        self.ask(Command::Answer(transaction, answer));
    }

    fn accept_subscription(&mut self, transaction: TxnId, answer: Answer) -> Option<DialogId> {
        let dialog = DialogId(self.next_id());
        self.ask(Command::Subscription(transaction, dialog, answer));
        Some(dialog)
    }

    fn forget(&mut self, dialog: DialogId) {
        self.ask(Command::Forget(dialog));
    }

    fn invite(&mut self, request: OutRequest) -> DialogId {
        let dialog = DialogId(self.next_id());
        self.ask(Command::Invite(dialog, request));
        dialog
    }

    fn cancel(&mut self, dialog: DialogId) {
        self.ask(Command::Cancel(dialog));
    }

    fn request(
        &mut self,
        dialog: DialogId,
        method: Method,
        headers: Headers,
        body: Option<Body>,
    ) -> TxnId {
        let transaction = TxnId(self.next_id());
        self.ask(Command::Request(transaction, dialog, method, headers, body));
        transaction
    }

    fn send(&mut self, request: OutRequest) -> TxnId {
        let transaction = TxnId(self.next_id());
        self.ask(Command::Send(transaction, request));
        transaction
    }

    fn bye(&mut self, dialog: DialogId, headers: Headers) -> TxnId {
        let transaction = TxnId(self.next_id());
        self.ask(Command::Bye(transaction, dialog, headers));
        transaction
    }
}
