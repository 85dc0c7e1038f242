//! From the host of an MSRP URI to addresses, for the relay: SRV and address records.
//!
//! ```text
//!   a port, or not over TLS --------------------------> address records, with the port or 2855
//!   no port, over TLS --> SRV of _msrps._tcp
//!                           |-- none ---------------> address records, with 2855
//!                           |-- "." alone ----------> nothing: the domain says that it has no relay
//!                           \-- records in order ---> address records of each, with its port
//! ```
//!
//! # Spec
//! RFC 4976 s.8; RFC 2782.

use std::net::SocketAddr;

use hickory_resolver::proto::rr::RecordType;

use super::limits::{NAME_WAIT, RELAY_ADDRESSES_MAX, RELAY_SERVICES_MAX, RELAY_WAIT};
use super::names::{Names, in_order, services_of};

/// Looks the names of MSRP next hops up.
pub struct RelayNames(Names);

impl RelayNames {
    /// Asks these name servers; without any, those of the system.
    ///
    /// # Errors
    /// A sentence: the resolver cannot be set up. The operator's fault.
    pub fn new(servers: &[SocketAddr]) -> Result<Self, String> {
        Names::new(servers).map(Self)
    }

    /// The addresses of a next hop, best first, at most eight; none when the name leads nowhere. A name server gets 2 s for each
    /// query, all of them together 10 s; what was found until then counts. Whether an address may be connected to is the
    /// caller's to judge. Runs on a runtime of tokio.
    ///
    /// # Spec
    /// RFC 4976 s.8.
    pub async fn addresses(
        &self,
        host: &str,
        port: Option<u16>,
        is_secure: bool,
    ) -> Vec<SocketAddr> {
        let mut found = Vec::new();
        // What is found is kept when the time is over.
        let search = self.search((host, port, is_secure), &mut found);
        if tokio::time::timeout(RELAY_WAIT, search).await.is_err() {
            tracing::info!(host, "the name servers took too long");
        }
        found.truncate(RELAY_ADDRESSES_MAX);
        found
    }

    async fn search(
        &self,
        (host, port, is_secure): (&str, Option<u16>, bool),
        found: &mut Vec<SocketAddr>,
    ) {
        if port.is_none() && is_secure {
            let name = format!("_msrps._tcp.{host}");
            let lookup = self.0.ask(&name, RecordType::SRV).await;
            let services = lookup.map(|lookup| in_order(services_of(&lookup)));
            let services = services.unwrap_or_default();
            if !services.is_empty() {
                for service in services.iter().take(RELAY_SERVICES_MAX) {
                    let target = service.target.to_string();
                    if target != "." && found.len() < RELAY_ADDRESSES_MAX {
                        self.host(&target, service.port, found).await;
                    }
                }
                return;
            }
        }
        self.host(host, port.unwrap_or(PORT_DEFAULT), found).await;
    }

    async fn host(&self, host: &str, port: u16, found: &mut Vec<SocketAddr>) {
        let answer = tokio::time::timeout(NAME_WAIT * 2, self.0.lookup_ip(host)).await;
        match answer {
            Ok(Some(lookup)) => found.extend(lookup.iter().map(|ip| SocketAddr::new(ip, port))),
            Ok(None) | Err(_) => tracing::debug!(host, "name not resolved"),
        }
    }
}

impl std::fmt::Debug for RelayNames {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RelayNames").finish_non_exhaustive()
    }
}

/// The port of a URI without one, where no SRV record names another.
///
/// # Spec
/// RFC 4976 s.8.
const PORT_DEFAULT: u16 = 2855;
