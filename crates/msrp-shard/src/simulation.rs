//! A node whose shards have no threads: the caller gives each its kernel, says what time it is, and lets one shard
//! after the other go round its loop once.
//!
//! Everything else is the code that serves. What is different in service is who calls it: there a thread of each shard,
//! with the operating system's clock and chance.

#[cfg(feature = "planted-defects")]
mod plant;
mod run;

use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use ring_io::{Bell, Io};

use crate::config::EngineConfig;
use crate::engine::{self, ShardEngine};
use crate::limits::MAILBOX_MESSAGES_MAX;
use crate::mailbox::ShardHandle;
use crate::relay::{HopNames, RelayOptions, SystemNames};
use crate::shard::Shard;
use crate::source::Source;

pub use crate::shard::Holdings;
#[cfg(feature = "planted-defects")]
pub(crate) use plant::Kind as PlantKind;
#[cfg(feature = "planted-defects")]
pub use plant::{Plant, plants};
pub use run::Run;

/// A node that goes on when its caller says so.
pub struct SteppedNode<I: Io> {
    engine: Arc<ShardEngine>,
    shards: Vec<Shard<I>>,
    events: Vec<ring_io::Event>,
}

impl<I: Io> SteppedNode<I> {
    /// Puts a node together: one shard for each kernel, each with its listening socket of each listener of the
    /// configuration, in order. Listeners are taken to be bound to the address that the configuration names.
    ///
    /// # Errors
    /// A certificate cannot be read, or a kernel refuses a listener.
    pub fn new(
        config: &EngineConfig,
        run: &Arc<Run>,
        kernels: Vec<(I, Vec<TcpListener>)>,
    ) -> std::io::Result<Self> {
        Self::with_names(config, (None, Arc::new(SystemNames)), run, kernels)
    }

    /// The same for a node that may be a relay, and that looks names of peers up here: at once, and on no other thread.
    ///
    /// # Errors
    /// A certificate cannot be read, the relay cannot be served, or a kernel refuses a listener.
    pub fn with_names(
        config: &EngineConfig,
        (relay, names): (Option<RelayOptions>, Arc<dyn HopNames>),
        run: &Arc<Run>,
        kernels: Vec<(I, Vec<TcpListener>)>,
    ) -> std::io::Result<Self> {
        let source = Source::Run(Arc::clone(run));
        let doors = engine::open_doors(config);
        let doors = doors.map_err(|fault| std::io::Error::other(fault.to_string()))?;
        let bound = |listener: &crate::ListenerConfig| (listener.name.clone(), listener.bind);
        let listeners: Vec<(String, SocketAddr)> = config.listeners.iter().map(bound).collect();
        let (mut engine, mut common) =
            engine::assemble(config, &listeners, doors, kernels.len(), &source);
        common.resolver = Arc::new(engine::Resolver::threadless(&common.peers, names));
        let relay = relay.map(|options| engine.open_relay((config, options), &listeners));
        let relay = relay.transpose().map_err(std::io::Error::other)?;
        common.relay = relay.map(Arc::new);
        let (mut shards, mut handles) = (Vec::new(), Vec::new());
        for (index, (io, sockets)) in kernels.into_iter().enumerate() {
            let environment = common.of_shard(index);
            let (sender, mailbox) = sync_channel(MAILBOX_MESSAGES_MAX);
            let bell = Arc::new(Bell::new(io.waker()));
            let handle = ShardHandle { sender, bell };
            engine.add_shard(handle.clone(), Arc::clone(&environment.counters));
            handles.push(handle);
            shards.push(Shard::new(io, Rc::new(mailbox), environment, sockets)?);
        }
        let _ = common.peers.set(handles);
        Ok(Self {
            engine: Arc::new(engine),
            shards,
            events: Vec::new(),
        })
    }

    /// The node as its controllers see it.
    #[must_use]
    pub fn engine(&self) -> &Arc<ShardEngine> {
        &self.engine
    }

    /// How many shards it has.
    #[must_use]
    pub fn shards_count(&self) -> usize {
        self.shards.len()
    }

    /// When a shard has something to do unless its kernel tells it of something before, in nanoseconds since the start.
    #[must_use]
    pub fn deadline_ns(&self, shard: usize) -> Option<u64> {
        self.shards.get(shard)?.due_ns()
    }

    /// Lets a shard go round its loop once. Its kernel's `wait` must not block.
    ///
    /// # Errors
    /// What its kernel says.
    pub fn step(&mut self, shard: usize) -> std::io::Result<()> {
        match self.shards.get_mut(shard) {
            Some(shard) => shard.step(&mut self.events),
            None => Ok(()),
        }
    }

    /// A shard fails between two turns, as by a panic, and is started again on a kernel of its own. `close` is called when
    /// the shard is gone, before anybody is told: to close what its kernel held, and to make the next one.
    ///
    /// # Errors
    /// There is no such shard, the next kernel cannot be made, or it refuses a listener.
    pub fn fail(
        &mut self,
        shard: usize,
        close: impl FnOnce() -> std::io::Result<(I, Vec<TcpListener>)>,
    ) -> std::io::Result<()> {
        if shard >= self.shards.len() {
            return Err(std::io::ErrorKind::NotFound.into());
        }
        let (mailbox, environment) = self.shards.remove(shard).into_remains();
        let (io, sockets) = close()?;
        engine::settle_failure(&environment);
        let own = environment.peers.get().and_then(|peers| peers.get(shard));
        if let Some(own) = own {
            own.bell.hang(io.waker());
        }
        let next = Shard::new(io, mailbox, environment.clone(), sockets)?;
        self.shards.insert(shard, next);
        Ok(())
    }

    /// What a shard holds at the moment.
    #[must_use]
    pub fn holdings(&self, shard: usize) -> Holdings {
        self.shards
            .get(shard)
            .map_or_else(Holdings::default, Shard::holdings)
    }

    /// From now on every shard has this defect.
    #[cfg(feature = "planted-defects")]
    pub fn plant(&mut self, plant: Plant) {
        for shard in &mut self.shards {
            shard.plant(plant);
        }
    }
}
