//! What makes the engine an MSRP relay (RFC 4976).

use std::fmt::Debug;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use msrp_relay::{Algorithm, Ha1, UserList, Users};

/// The relay of a node. It stands beside the rooms, at the same addresses.
#[derive(Debug, Clone)]
pub struct RelayOptions {
    /// The listener under whose address the relay is known. `None`: the first over TLS; without one, the first on TCP. Its
    /// advertised host has to be a full name.
    pub listener: Option<String>,
    /// The realm of challenges.
    pub realm: String,
    /// Who may use it.
    pub users: Arc<RelayUsers>,
    /// Lifetimes of URIs, in seconds: shortest, longest, and the one that is given when none is asked for.
    pub expires_s: (u32, u32, u32),
    /// Addresses that it connects to although they would be denied.
    pub allowed_addresses: Vec<IpAddr>,
    /// The names of the relays that it trusts when they show a certificate of that name.
    pub relays: Vec<String>,
    /// The file, in PEM, of who signs the certificates of other relays and of next hops. `None`: the roots of the system.
    pub roots: Option<PathBuf>,
    /// Whether AUTH is taken on connections without TLS. For networks that only clients reach that are trusted.
    pub allow_plain_auth: bool,
    /// Who looks names of next hops and of participants up.
    pub names: Arc<dyn HopNames>,
}

/// Looks the names of next hops and of participants up.
pub trait HopNames: Debug + Send + Sync {
    /// The addresses of a host, best first. Without a port: where SRV records say, for `is_secure`; else port 2855. It may
    /// block for some seconds: it is asked on threads of its own. The engine connects to none that is denied.
    ///
    /// # Spec
    /// RFC 4976 s.8.
    fn addresses(&self, host: &str, port: Option<u16>, is_secure: bool) -> Vec<SocketAddr>;
}

/// The system's resolver, which knows no SRV records.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemNames;

impl HopNames for SystemNames {
    fn addresses(&self, host: &str, port: Option<u16>, _: bool) -> Vec<SocketAddr> {
        match (host, port.unwrap_or(PORT_DEFAULT)).to_socket_addrs() {
            Ok(addresses) => addresses.collect(),
            Err(error) => {
                tracing::info!(host, %error, "the name of a peer is not known");
                Vec::new()
            }
        }
    }
}

/// The port of a URI without one.
///
/// # Spec
/// RFC 4976 s.8.
pub(crate) const PORT_DEFAULT: u16 = 2855;

/// The users of the relay, who can be replaced while it runs. A lock, which only an AUTH takes.
#[derive(Debug, Default)]
pub struct RelayUsers(RwLock<Arc<UserList>>);

impl RelayUsers {
    /// These users.
    #[must_use]
    pub fn new(users: UserList) -> Arc<Self> {
        Arc::new(Self(RwLock::new(Arc::new(users))))
    }

    /// From now on these users, for AUTHs to come. A URI that was given stays valid until its time is over.
    pub fn replace(&self, users: UserList) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(users);
    }

    fn current(&self) -> Arc<UserList> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A shard's view of the users.
#[derive(Debug, Clone)]
pub(crate) struct SharedUsers(pub(crate) Arc<RelayUsers>);

impl Users for SharedUsers {
    fn ha1(&self, realm: &str, user: &str, algorithm: Algorithm) -> Option<Ha1> {
        self.0.current().ha1(realm, user, algorithm)
    }

    fn may_relay(&self, realm: &str, user: &str) -> bool {
        self.0.current().may_relay(realm, user)
    }
}
