//! What the shards know of the node's relay: under which URI it is known, whom it trusts, and who looks names up.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::Path;
use std::sync::Arc;

use msrp_relay::RelayConfig;
use msrp_transport::{Connector, KnownHosts};
use msrp_wire::{Host, MsrpUriBuf, Scheme, Transport};

use super::description::Homes;
use super::doors::Kept;
use crate::config::{EngineConfig, ListenerConfig, ListenerTransport};
use crate::relay::{RelayOptions, SharedUsers};

/// The relay as all shards see it.
pub(crate) struct RelayDoor {
    /// The shard that it runs on.
    pub(crate) home: usize,
    pub(crate) config: RelayConfig,
    pub(crate) users: SharedUsers,
    /// The relays that are trusted, by their certificates.
    pub(crate) relays: KnownHosts,
    /// Begins connections over TLS; `None` where the relay has no certificate.
    pub(crate) connector: Option<Connector>,
}

impl RelayDoor {
    /// Puts the relay together when it is known what was bound. The error is a sentence for the operator.
    pub(super) fn open(
        (config, options): (&EngineConfig, RelayOptions),
        bound: &[(String, SocketAddr)],
        certificates: &[Option<Kept>],
    ) -> Result<Self, String> {
        let index = listener_of(config, &options)?;
        let relay = behaviour((&config.listeners[index], bound[index].1), bound, &options)?;
        let roots = options.roots.as_deref().map(read_roots).transpose()?;
        let all_roots = || roots.clone().unwrap_or_else(super::doors::system_roots);
        let kept = certificates[index].as_ref();
        check_certificate(kept, &relay)?;
        // Who signs for relays matters where some are trusted.
        let relay_roots = match options.relays.is_empty() {
            true => Vec::new(),
            false => all_roots(),
        };
        let connector = kept.map(|kept| Connector::new(Arc::clone(&kept.store), all_roots()));
        let users = SharedUsers(options.users);
        msrp_relay::Relay::new(relay.clone(), users.clone(), [0; 32])
            .map_err(|fault| explain(fault).to_owned())?;
        Ok(Self {
            home: HOME,
            config: relay,
            users,
            relays: KnownHosts::new(&options.relays, relay_roots),
            connector,
        })
    }

    /// Whether the relay may connect to an address: one that is not denied, and not this machine.
    pub(crate) fn may_connect(&self, address: IpAddr) -> bool {
        let is_allowed = self.config.addresses.allowed.contains(&address);
        self.config.addresses.check(address).is_ok() && (is_allowed || !is_this_machine(address))
    }
}

/// How the relay behaves that is known under the address of a listener.
fn behaviour(
    (listener, address): (&ListenerConfig, SocketAddr),
    bound: &[(String, SocketAddr)],
    options: &RelayOptions,
) -> Result<RelayConfig, String> {
    let own = || (address.ip().to_string(), 0);
    let (host, port) = listener.advertise.clone().unwrap_or_else(own);
    let port = if port == 0 { address.port() } else { port };
    let scheme = match listener.transport {
        ListenerTransport::Tls(_) => Scheme::Msrps,
        ListenerTransport::Tcp | ListenerTransport::Ws(_) | ListenerTransport::Wss(..) => {
            Scheme::Msrp
        }
    };
    let uri = |port| {
        MsrpUriBuf::compose(scheme, Host::Name(&host), port, None, Transport::Tcp).map_err(|_| {
            format!("{host} is none: the advertised host of its listener has to be a full name")
        })
    };
    let homes = Homes {
        carrier: HOME,
        home: HOME,
    };
    let mut relay = RelayConfig::new(uri(Some(port))?, &options.realm);
    relay.aliases = vec![uri(None)?];
    relay.handle_prefix = homes.prefix().into();
    relay.expires_s = options.expires_s;
    relay.allow_plain_auth = options.allow_plain_auth;
    relay
        .addresses
        .allowed
        .clone_from(&options.allowed_addresses);
    let is_one = |(_, address): &&(String, SocketAddr)| !address.ip().is_unspecified();
    relay.addresses.own = bound.iter().filter(is_one).map(|(_, a)| a.ip()).collect();
    Ok(relay)
}

/// Whether an address is one of this machine: then what is sent to it leaves from it. Asks the kernel's table of routes and
/// sends nothing.
fn is_this_machine(address: IpAddr) -> bool {
    let any: SocketAddr = match address {
        IpAddr::V4(_) => ([0, 0, 0, 0], 0).into(),
        IpAddr::V6(_) => ([0; 16], 0).into(),
    };
    let local = UdpSocket::bind(any).and_then(|socket| {
        socket.connect((address, DISCARD_PORT))?;
        socket.local_addr()
    });
    local.is_ok_and(|local| local.ip() == address)
}

fn listener_of(config: &EngineConfig, options: &RelayOptions) -> Result<usize, String> {
    let is_fit = |listener: &ListenerConfig| match listener.transport {
        ListenerTransport::Tls(_) => true,
        ListenerTransport::Tcp => options.allow_plain_auth,
        ListenerTransport::Ws(_) | ListenerTransport::Wss(..) => false,
    };
    let listeners = || config.listeners.iter();
    let found = match &options.listener {
        Some(name) => {
            let named = listeners().position(|listener| listener.name == *name);
            let named = named.ok_or_else(|| format!("no listener is called {name}"))?;
            config
                .listeners
                .get(named)
                .filter(|l| is_fit(l))
                .map(|_| named)
        }
        None => listeners()
            .position(|l| matches!(l.transport, ListenerTransport::Tls(_)))
            .or_else(|| listeners().position(is_fit)),
    };
    found.ok_or_else(|| {
        "it needs a listener over tls; with allow_plain_auth one over tcp serves too".to_owned()
    })
}

fn read_roots(file: &Path) -> Result<Vec<Vec<u8>>, String> {
    let fault = |why: String| format!("{}: {why}", file.display());
    let pem = std::fs::read(file).map_err(|error| fault(error.to_string()))?;
    let roots = msrp_transport::certificates_of_pem(&pem);
    if roots.is_empty() {
        return Err(fault("it holds no certificate".to_owned()));
    }
    Ok(roots)
}

/// Clients and relays believe a relay by the name in its URIs (RFC 4976 s.9.2).
fn check_certificate(kept: Option<&Kept>, relay: &RelayConfig) -> Result<(), String> {
    let uri = relay.advertised.as_uri();
    match (kept, uri.host()) {
        (Some(kept), Host::Name(name)) if !kept.store.has_for(name) => Err(format!(
            "its clients believe a certificate that names {name} among its subject alternative names; its listener has none"
        )),
        (Some(_) | None, _) => Ok(()),
    }
}

fn explain(fault: msrp_relay::NotARelay) -> &'static str {
    match fault {
        msrp_relay::NotARelay::AdvertisedUri => {
            "the advertised host of the relay's listener has to be a full name, such as relay.example.com"
        }
        msrp_relay::NotARelay::Expires => {
            "the lifetimes have to be in the order shortest, default, longest"
        }
        msrp_relay::NotARelay::Prefix => "its session-ids would be too long",
    }
}

/// The shard that the relay runs on. Its clients have to reach each other, so they are together.
const HOME: usize = 0;

/// A port that nothing is sent to.
const DISCARD_PORT: u16 = 9;
