//! Names of the relay's next hops, looked up by the resolver that SIP uses too.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use msrp_shard::HopNames;
use msrp_sip::ua_rsipstack::RelayNames;
use tokio::runtime::Handle;

/// The way from the engine's threads to the resolver, which lives on the runtime.
pub(crate) struct Dns {
    names: Arc<RelayNames>,
    runtime: Handle,
}

impl Dns {
    /// Asks these name servers; without any, those of the system. Called on the runtime.
    ///
    /// # Errors
    /// A sentence: the resolver cannot be set up.
    pub(crate) fn new(servers: &[SocketAddr]) -> Result<Self, String> {
        Ok(Self {
            names: Arc::new(RelayNames::new(servers)?),
            runtime: Handle::current(),
        })
    }
}

impl HopNames for Dns {
    fn addresses(&self, host: &str, port: Option<u16>, is_secure: bool) -> Vec<SocketAddr> {
        let (sender, answer) = sync_channel(1);
        let (names, host) = (Arc::clone(&self.names), host.to_owned());
        self.runtime.spawn(async move {
            let _ = sender.send(names.addresses(&host, port, is_secure).await);
        });
        // Nobody answers when the runtime has ended.
        answer.recv_timeout(WAIT).unwrap_or_default()
    }
}

impl fmt::Debug for Dns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dns").finish_non_exhaustive()
    }
}

/// The search ends by itself after 10 s; this is for a runtime that has no time.
const WAIT: Duration = Duration::from_secs(15);
