//! How the engine comes up: what is bound, opened and shared before the first shard runs.

use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU8, AtomicUsize};
use std::sync::{Arc, Mutex, PoisonError};

use msrp_control::Drain;
use msrp_transport::Door;

use super::admission::Admission;
use super::bridges::Bridges;
use super::description::Advertised;
use super::doors::{self, CertificateFault, Kept};
use super::hub::Hub;
use super::load::Memory;
use super::registry::Rooms;
use super::relay_door::RelayDoor;
use super::resolver::Resolver;
use super::{ShardEngine, supervisor};
use crate::census::Census;
use crate::config::{EngineConfig, ListenerConfig};
use crate::crossing::Epochs;
use crate::limits::SHARDS_MAX;
use crate::metrics::NodeLimits;
use crate::relay::{RelayOptions, SystemNames};
use crate::shard::Environment;
use crate::source::Source;

/// Why the engine did not start.
#[derive(Debug)]
pub enum StartError {
    /// There is no listener to serve.
    NoListener,
    /// A listener's address could not be bound.
    Bind(SocketAddr, std::io::Error),
    /// A listener's certificate cannot be used.
    Certificate(CertificateFault),
    /// The relay cannot be served; a sentence says why.
    Relay(String),
    /// A shard could not open its backend or its thread.
    Shard(std::io::Error),
}

impl std::fmt::Display for StartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoListener => f.write_str("no MSRP listener is configured"),
            Self::Bind(address, error) => {
                write!(f, "the MSRP address {address} could not be bound: {error}")
            }
            Self::Certificate(fault) => write!(f, "a certificate cannot be used: {fault}"),
            Self::Relay(why) => write!(f, "the relay cannot be served: {why}"),
            Self::Shard(error) => write!(f, "a shard could not be started: {error}"),
        }
    }
}

impl std::error::Error for StartError {}

/// A running engine and what its start showed.
#[derive(Debug)]
pub struct Started {
    /// The engine.
    pub engine: Arc<ShardEngine>,
    /// The listeners by name with their real addresses.
    pub listeners: Vec<(String, SocketAddr)>,
    /// The backend that was chosen: `io_uring` or `epoll`.
    pub backend: &'static str,
    /// Why, in one sentence.
    pub reason: String,
}

/// Starts the engine: binds the listeners once for each shard and starts the shards' threads.
///
/// # Errors
/// [`StartError`]; nothing runs then.
pub fn start(config: &EngineConfig) -> Result<Started, StartError> {
    start_with(config, None)
}

/// Starts the engine with an MSRP relay in it.
///
/// # Errors
/// [`StartError`]; nothing runs then.
pub fn start_with_relay(config: &EngineConfig, relay: RelayOptions) -> Result<Started, StartError> {
    start_with(config, Some(relay))
}

fn start_with(config: &EngineConfig, relay: Option<RelayOptions>) -> Result<Started, StartError> {
    let shards_count = match config.shards {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        count => count,
    }
    .min(SHARDS_MAX);
    let (doors, certificates) = open_doors(config).map_err(StartError::Certificate)?;
    let (listeners, mut sockets) = bind(config, shards_count)?;
    if listeners.is_empty() {
        return Err(StartError::NoListener);
    }
    let source = Source::system();
    let opened = (doors, certificates);
    let (mut engine, mut common) = assemble(config, &listeners, opened, shards_count, &source);
    if let Some(options) = &relay {
        let names = Arc::clone(&options.names);
        common.resolver = Arc::new(Resolver::new(&common.peers, names));
    }
    common.relay = relay
        .map(|options| engine.open_relay((config, options), &listeners))
        .transpose()
        .map_err(StartError::Relay)?
        .map(Arc::new);
    let mut choice = None;
    for index in 0..shards_count {
        let environment = common.of_shard(index);
        let sockets = sockets.pop().unwrap_or_default();
        engine.counters.push(Arc::clone(&environment.counters));
        match supervisor::spawn((config.want, config.pin_shards), environment, sockets) {
            Ok((handle, thread, chosen)) => {
                engine.shards.push(handle);
                engine
                    .threads
                    .get_mut()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(thread);
                choice.get_or_insert(chosen);
            }
            Err(error) => {
                engine.shutdown();
                return Err(StartError::Shard(error));
            }
        }
    }
    let _ = common.peers.set(engine.shards.clone());
    let choice = choice.ok_or(StartError::NoListener)?;
    let backend = match choice.backend {
        ring_io::Kind::Uring => "io_uring",
        ring_io::Kind::Epoll => "epoll",
    };
    Ok(Started {
        engine: Arc::new(engine),
        listeners,
        backend,
        reason: choice.reason,
    })
}

/// The engine without its shards, and what they are to share.
pub(crate) fn assemble(
    config: &EngineConfig,
    listeners: &[(String, SocketAddr)],
    (doors, certificates): Doors,
    shards_count: usize,
    source: &Source,
) -> (ShardEngine, Environment) {
    let advertised = Advertised::new(&config.listeners, listeners, &certificates, source);
    let engine = ShardEngine {
        shards: Vec::new(),
        counters: Vec::new(),
        threads: Mutex::default(),
        hub: Arc::new(Hub::default()),
        rooms: Arc::new(Rooms::new()),
        bridges: Arc::new(Bridges::default()),
        usage: Arc::default(),
        next_shard: AtomicUsize::new(0),
        next_carrier: AtomicUsize::new(0),
        is_stopping: Arc::default(),
        drain: AtomicU8::new(Drain::Off as u8),
        admission: Admission::default(),
        advertised,
        certificates,
        limits: config.limits.clone(),
        limits_reached: NodeLimits::default(),
        memory: Memory::default(),
        source: source.clone(),
    };
    let peers = Arc::default();
    let common = Environment {
        index: 0,
        resolver: Arc::new(Resolver::new(&peers, Arc::new(SystemNames))),
        peers,
        epochs: Arc::new(Epochs::new(shards_count)),
        hub: Arc::clone(&engine.hub),
        rooms: Arc::clone(&engine.rooms),
        bridges: Arc::clone(&engine.bridges),
        counters: Arc::default(),
        usage: Arc::clone(&engine.usage),
        is_stopping: Arc::clone(&engine.is_stopping),
        limits: config.limits.clone(),
        census: Census::default(),
        ask_recipients: config.ask_recipients,
        rules: config.rules,
        doors,
        bound: listeners.iter().map(|(_, address)| *address).collect(),
        relay: None,
        source: source.clone(),
        planted: Default::default(),
    };
    (engine, common)
}

/// The bound listeners by name, and for each shard its own socket of each.
type Bound = (Vec<(String, SocketAddr)>, Vec<Vec<TcpListener>>);

fn bind(config: &EngineConfig, shards_count: usize) -> Result<Bound, StartError> {
    let mut listeners = Vec::new();
    let mut sockets: Vec<Vec<TcpListener>> = (0..shards_count).map(|_| Vec::new()).collect();
    for listener in &config.listeners {
        let mut address = listener.bind;
        for shard in &mut sockets {
            let failed = |error| StartError::Bind(address, error);
            let socket = ring_io::bind_reuseport(address).map_err(failed)?;
            address = socket.local_addr().map_err(failed)?;
            shard.push(socket);
        }
        listeners.push((listener.name.clone(), address));
    }
    Ok((listeners, sockets))
}

/// The door of each listener, and its certificate.
pub(crate) type Doors = (Arc<[Door]>, Vec<Option<Kept>>);

pub(crate) fn open_doors(config: &EngineConfig) -> Result<Doors, CertificateFault> {
    let kept = |listener: &ListenerConfig| Kept::read(&listener.transport);
    let certificates: Vec<_> = config
        .listeners
        .iter()
        .map(kept)
        .collect::<Result<_, _>>()?;
    let doors = config.listeners.iter().zip(&certificates);
    let doors = doors.map(|(listener, kept)| doors::open(listener, kept.as_ref()));
    Ok((doors.collect::<Result<_, _>>()?, certificates))
}

impl ShardEngine {
    /// What the shards have to know of the relay. The error is a sentence for the operator.
    pub(crate) fn open_relay(
        &self,
        options: (&EngineConfig, RelayOptions),
        bound: &[(String, SocketAddr)],
    ) -> Result<RelayDoor, String> {
        RelayDoor::open(options, bound, &self.certificates)
    }
}
