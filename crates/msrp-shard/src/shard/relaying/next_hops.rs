//! Connections that the relay opens.
//!
//! ```text
//!   asked for --literal--------------> its address is tried ----> connected, over TLS when the URI says so
//!       \--name--> looked up elsewhere --> allowed addresses are tried one after the other
//!                                            \--none is left--> unreachable
//! ```
//!
//! # Spec
//! RFC 4976 s.6.4, s.8; RFC 4975 s.6.2.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

use msrp_relay::HopKey;
use msrp_session::Timestamp;
use msrp_transport::Layer;
use msrp_wire::{Host, MsrpUriBuf, Scheme};
use ring_io::{ConnKey, Io, Read};

use super::super::Shard;
use super::super::connection::{Connection, Phase};
use super::super::layer::Layered;
use super::id_of;
use crate::engine::{Asker, Query};
use crate::limits::{NAMED_ADDRESSES_MAX, SPARE_SHARE};
use crate::metrics::Cell;
use crate::relay::PORT_DEFAULT;

/// A next hop that is being connected.
#[derive(Debug)]
pub(super) struct Attempt {
    uri: MsrpUriBuf,
    /// What has not been tried.
    addresses: VecDeque<SocketAddr>,
}

impl<I: Io> Shard<I> {
    /// The relay wants a next hop to be connected.
    pub(super) fn reach(&mut self, hop: HopKey, uri: MsrpUriBuf) {
        let parsed = uri.as_uri();
        let port = parsed.port().unwrap_or(PORT_DEFAULT);
        let literal = match parsed.host() {
            Host::V4(address) => Some(IpAddr::V4(address)),
            Host::V6(address) => Some(IpAddr::V6(address)),
            Host::Name(_) => None,
        };
        let is_asked = literal.is_some()
            || self.environment.resolver.ask(Query {
                shard: self.environment.index,
                epoch: self.environment.epochs.of(self.environment.index),
                asker: Asker::Hop(hop),
                name: parsed.host().to_string(),
                port: parsed.port(),
                is_secure: parsed.scheme() == Scheme::Msrps,
            });
        let Some(relaying) = &mut self.relaying else {
            return;
        };
        let attempt = Attempt {
            uri,
            addresses: VecDeque::new(),
        };
        relaying.attempts.insert(hop, attempt);
        if let Some(address) = literal {
            self.try_addresses(hop, [SocketAddr::new(address, port)]);
        } else if !is_asked {
            self.give_up(hop);
        }
    }

    /// The addresses of a next hop are tried, those that the relay may connect to.
    pub(in crate::shard) fn try_addresses(
        &mut self,
        hop: HopKey,
        addresses: impl IntoIterator<Item = SocketAddr>,
    ) {
        let Some(door) = self.environment.relay.clone() else {
            return;
        };
        let Some(relaying) = &mut self.relaying else {
            return;
        };
        let Some(attempt) = relaying.attempts.get_mut(&hop) else {
            return;
        };
        for address in addresses.into_iter().take(NAMED_ADDRESSES_MAX) {
            if door.may_connect(address.ip()) {
                attempt.addresses.push_back(address);
            } else {
                self.environment.counters.count(Cell::RelayDenied);
                tracing::info!(%address, "a next hop is denied");
            }
        }
        self.try_next(hop);
    }

    /// Opens a connection to the next address of a next hop.
    fn try_next(&mut self, hop: HopKey) {
        self.ask_for_room();
        while let Some(address) = self.next_address(hop) {
            let Some(counted) = self.environment.admit() else {
                self.environment.counters.count(Cell::ConnectionsRefused);
                tracing::warn!("a next hop is not connected: connections_max is reached");
                break;
            };
            let Some(layer) = self.next_layer(hop) else {
                break;
            };
            match self.io.connect(address) {
                Ok(conn) => {
                    let mut connection = Connection::new(Phase::Reaching(hop), &self.spares);
                    connection.layer = layer.map(|layer| Box::new(Layered::new(*layer)));
                    connection.counted = Some(counted);
                    self.connections.insert(conn, connection);
                    return;
                }
                Err(error) => tracing::info!(%address, %error, "a next hop cannot be connected"),
            }
        }
        self.give_up(hop);
    }

    /// One more connection is to come. When few more can be had, the relay closes one that no session needs, at the end of the
    /// turn.
    ///
    /// # Spec
    /// RFC 4976 s.6.5.
    pub(in crate::shard) fn ask_for_room(&mut self) {
        let is_nearly_full = self.is_nearly_full();
        if let Some(relaying) = &mut self.relaying
            && is_nearly_full
        {
            relaying.room_wanted = relaying.room_wanted.saturating_add(1);
        }
    }

    /// Whether few more connections can be had.
    fn is_nearly_full(&self) -> bool {
        let max = self.environment.limits.connections_max;
        self.environment.census.count() >= max.saturating_sub(max / SPARE_SHARE)
    }

    fn next_address(&mut self, hop: HopKey) -> Option<SocketAddr> {
        let attempt = self.relaying.as_mut()?.attempts.get_mut(&hop)?;
        attempt.addresses.pop_front()
    }

    /// What a connection to a next hop begins with. `None` when it cannot begin.
    #[expect(
        clippy::option_option,
        reason = "no layer is not the same as none possible"
    )]
    fn next_layer(&self, hop: HopKey) -> Option<Option<Box<Layer>>> {
        let uri = self.relaying.as_ref()?.attempts.get(&hop)?.uri.as_uri();
        if uri.scheme() == Scheme::Msrp {
            return Some(None);
        }
        let connector = self.environment.relay.as_deref()?.connector.as_ref()?;
        match connector.connect(&host_of(&uri.host()), None) {
            Ok(layer) => Some(Some(layer)),
            Err(error) => {
                tracing::warn!(%error, "a next hop cannot be connected over TLS");
                None
            }
        }
    }

    fn give_up(&mut self, hop: HopKey) {
        self.environment.counters.count(Cell::RelayUnreachable);
        if let Some(relaying) = &mut self.relaying {
            relaying.attempts.remove(&hop);
            relaying.relay.handle_unreachable(hop);
        }
    }

    /// A connection to a next hop did not come up: the next address is tried.
    pub(in crate::shard) fn hop_failed(&mut self, conn: ConnKey, hop: HopKey) {
        self.close(conn);
        self.try_next(hop);
    }

    /// A connection to a next hop is up, with its layer.
    pub(in crate::shard) fn hop_connected(&mut self, now: Timestamp, conn: ConnKey, hop: HopKey) {
        let mut facts = self.facts_of(conn);
        let Some(relaying) = &mut self.relaying else {
            return self.close(conn);
        };
        let attempt = relaying.attempts.remove(&hop);
        let Some(connection) = self.connections.get_mut(conn) else {
            return;
        };
        connection.phase = Phase::Serving;
        connection.is_relaying = true;
        self.io.read(conn, Read::Continuous);
        // Its certificate is valid for the name that was asked for; whether that is a relay, the list of relays says.
        if let (Some(attempt), Some(door)) = (attempt, &self.environment.relay)
            && facts.is_tls
        {
            let name = host_of(&attempt.uri.as_uri().host());
            facts.relay = door.relays.knows(&name).then(|| name.into());
        }
        if let Some(relaying) = &mut self.relaying {
            relaying
                .relay
                .handle_connected(now, hop, id_of(conn), facts);
        }
    }
}

/// A host as a certificate names it.
fn host_of(host: &Host<'_>) -> String {
    match host {
        Host::Name(name) => (*name).to_owned(),
        Host::V4(address) => address.to_string(),
        Host::V6(address) => address.to_string(),
    }
}
