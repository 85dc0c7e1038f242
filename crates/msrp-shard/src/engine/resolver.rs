//! Has names of next hops looked up, on threads of its own: that blocks.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use msrp_relay::HopKey;

use crate::limits::{LOOK_UPS_WAITING_MAX, RESOLVER_THREADS};
use crate::mailbox::{ShardHandle, ShardMessage};
use crate::relay::HopNames;

/// A name to be looked up.
pub(super) struct Query {
    pub(super) shard: usize,
    /// The start of the shard that asks.
    pub(super) epoch: u32,
    pub(super) hop: HopKey,
    pub(super) name: String,
    /// The port of the URI, if it has one.
    pub(super) port: Option<u16>,
    /// Whether the next hop is reached over TLS.
    pub(super) is_secure: bool,
}

/// The way to the threads that look names up. They end with the last handle on it.
pub(super) struct Resolver(SyncSender<Query>);

impl Resolver {
    /// Starts the threads. Answers go to the mailboxes of the shards.
    pub(super) fn start(
        peers: &Arc<OnceLock<Vec<ShardHandle>>>,
        names: &Arc<dyn HopNames>,
    ) -> std::io::Result<Self> {
        let (sender, queries) = sync_channel(LOOK_UPS_WAITING_MAX);
        let queries = Arc::new(Mutex::new(queries));
        for number in 0..RESOLVER_THREADS {
            let (queries, peers, names) =
                (Arc::clone(&queries), Arc::clone(peers), Arc::clone(names));
            std::thread::Builder::new()
                .name(format!("resolver-{number}"))
                .spawn(move || work(&queries, &peers, &*names))?;
        }
        Ok(Self(sender))
    }

    /// `false` when too much waits.
    pub(super) fn ask(&self, query: Query) -> bool {
        self.0.try_send(query).is_ok()
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
        let addresses = names.addresses(&query.name, query.port, query.is_secure);
        let resolved = ShardMessage::Resolved {
            epoch: query.epoch,
            hop: query.hop,
            addresses,
        };
        // A shard whose mailbox is full does not hear it; the relay gives the next hop up in its time.
        if let Some(peer) = peers.get().and_then(|peers| peers.get(query.shard)) {
            let _ = peer.post(resolved);
        }
    }
}
