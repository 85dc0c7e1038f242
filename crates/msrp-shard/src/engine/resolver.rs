//! Has names of peers looked up, on threads of its own: that blocks. The threads start with the first name.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use msrp_relay::HopKey;
use msrp_switch::LegKey;

use crate::limits::{LOOK_UPS_WAITING_MAX, RESOLVER_THREADS};
use crate::mailbox::{Resolved, ShardHandle, ShardMessage};
use crate::relay::HopNames;

/// A name to be looked up.
pub(crate) struct Query {
    pub(crate) shard: usize,
    /// The start of the shard that asks.
    pub(crate) epoch: u32,
    pub(crate) asker: Asker,
    pub(crate) name: String,
    /// The port of the URI, if it has one.
    pub(crate) port: Option<u16>,
    /// Whether the peer is reached over TLS.
    pub(crate) is_secure: bool,
}

/// Who needs the addresses of a name.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Asker {
    /// The relay, to connect a next hop.
    Hop(HopKey),
    /// A session, to connect its participant.
    Session(LegKey),
}

/// The way to the threads that look names up. They end with the last handle on it.
pub(crate) struct Resolver {
    peers: Arc<OnceLock<Vec<ShardHandle>>>,
    names: Arc<dyn HopNames>,
    /// `None` within when no thread could be started.
    queries: OnceLock<Option<SyncSender<Query>>>,
    /// No threads: whoever asks looks it up, and finds the answer in its mailbox.
    #[cfg(feature = "simulation")]
    is_threadless: bool,
}

impl Resolver {
    /// Answers go to the mailboxes of these shards.
    pub(super) fn new(peers: &Arc<OnceLock<Vec<ShardHandle>>>, names: Arc<dyn HopNames>) -> Self {
        Self {
            peers: Arc::clone(peers),
            names,
            queries: OnceLock::new(),
            #[cfg(feature = "simulation")]
            is_threadless: false,
        }
    }

    /// The same without threads, for names that are looked up at once.
    #[cfg(feature = "simulation")]
    pub(crate) fn threadless(
        peers: &Arc<OnceLock<Vec<ShardHandle>>>,
        names: Arc<dyn HopNames>,
    ) -> Self {
        Self {
            is_threadless: true,
            ..Self::new(peers, names)
        }
    }

    /// Has a name looked up, off this thread. `false` when too much is being looked up.
    pub(crate) fn ask(&self, query: Query) -> bool {
        #[cfg(feature = "simulation")]
        if self.is_threadless {
            answer(query, &self.peers, &*self.names);
            return true;
        }
        let queries = self.queries.get_or_init(|| match self.start() {
            Ok(queries) => Some(queries),
            Err(error) => {
                tracing::error!(%error, "no thread to look names up could be started");
                None
            }
        });
        let queries = queries.as_ref();
        queries.is_some_and(|queries| queries.try_send(query).is_ok())
    }

    fn start(&self) -> std::io::Result<SyncSender<Query>> {
        let (sender, queries) = sync_channel(LOOK_UPS_WAITING_MAX);
        let queries = Arc::new(Mutex::new(queries));
        for number in 0..RESOLVER_THREADS {
            let queries = Arc::clone(&queries);
            let (peers, names) = (Arc::clone(&self.peers), Arc::clone(&self.names));
            std::thread::Builder::new()
                .name(format!("resolver-{number}"))
                .spawn(move || work(&queries, &peers, &*names))?;
        }
        Ok(sender)
    }
}

fn work(
    queries: &Mutex<Receiver<Query>>,
    peers: &OnceLock<Vec<ShardHandle>>,
    names: &dyn HopNames,
) {
    loop {
        let query = queries
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .recv();
        let Ok(query) = query else { return };
        answer(query, peers, names);
    }
}

/// Looks a name up and tells the shard that asked.
fn answer(query: Query, peers: &OnceLock<Vec<ShardHandle>>, names: &dyn HopNames) {
    let addresses = names.addresses(&query.name, query.port, query.is_secure);
    let resolved = ShardMessage::Resolved(Resolved {
        epoch: query.epoch,
        asker: query.asker,
        name: query.name,
        port: query.port,
        addresses,
    });
    // A shard whose mailbox is full does not hear it; who asked gives the peer up in its time.
    if let Some(peer) = peers.get().and_then(|peers| peers.get(query.shard)) {
        let _ = peer.post(resolved);
    }
}
