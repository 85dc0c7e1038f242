//! From the host of a URI to addresses: NAPTR, SRV and address records.
//!
//! # Spec
//! RFC 3263 s.4; RFC 2782 for the order of SRV records.

use std::net::{IpAddr, SocketAddr};

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ProtocolConfig, ResolverConfig, ResolverOpts,
};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::lookup_ip::LookupIp;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::rdata::{NAPTR, SRV};
use hickory_resolver::proto::rr::{RData, RecordType};
use rand_core::{OsRng, TryRngCore};
use tokio::time::Instant;

use super::limits::{CANDIDATES_MAX, NAME_WAIT, RESOLVED_FOR, RESOLVED_MAX, UNRESOLVED_FOR};
use super::value::Target;
use crate::ua::Transport;

/// One way to a next hop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Candidate {
    /// The transport.
    pub(super) transport: Transport,
    /// The address.
    pub(super) address: SocketAddr,
}

/// The ways to a next hop, best first, and until when they are good.
#[derive(Debug, Clone)]
pub(super) struct Candidates {
    /// The ways. None: the name is unknown, or leads nowhere that we can reach.
    pub(super) ways: Vec<Candidate>,
    /// When to ask again.
    pub(super) until: Instant,
}

/// What we can send over.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reach {
    /// We have a UDP port for IPv4.
    pub(super) udp_v4: bool,
    /// We have a UDP port for IPv6.
    pub(super) udp_v6: bool,
}

impl Reach {
    /// The transport where nobody names one.
    pub(super) fn usual(self) -> Transport {
        if self.udp_v4 || self.udp_v6 {
            Transport::Udp
        } else {
            Transport::Tcp
        }
    }

    fn has(self, transport: Transport) -> bool {
        transport != Transport::Udp || self.udp_v4 || self.udp_v6
    }

    fn covers(self, way: &Candidate) -> bool {
        match (way.transport, way.address) {
            (Transport::Udp, SocketAddr::V4(_)) => self.udp_v4,
            (Transport::Udp, SocketAddr::V6(_)) => self.udp_v6,
            (Transport::Tcp | Transport::Tls, _) => true,
        }
    }
}

/// Asks name servers.
pub(super) struct Names {
    resolver: TokioResolver,
}

impl Names {
    /// Asks these servers; without any, those of the system.
    ///
    /// # Errors
    /// The system's configuration cannot be read, in words.
    pub(super) fn new(servers: &[SocketAddr]) -> Result<Self, String> {
        let config = if servers.is_empty() {
            system_servers()
        } else {
            let servers = servers.iter().map(name_server).collect();
            ResolverConfig::from_parts(None, Vec::new(), servers)
        };
        let builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        let mut options = ResolverOpts::default();
        options.timeout = NAME_WAIT;
        options.attempts = 1;
        options.cache_size = RESOLVED_MAX as u64;
        let resolver = builder.with_options(options).build();
        let resolver = resolver.map_err(|error| error.to_string())?;
        Ok(Self { resolver })
    }

    /// The ways to a host that is a name. A port in the URI, or a name without a dot, means
    /// address records at once; else NAPTR records say the transport, SRV records host and port.
    pub(super) async fn candidates(&self, target: &Target, reach: Reach) -> Candidates {
        let mut found = Search {
            names: self,
            ways: Vec::new(),
            until: Instant::now() + RESOLVED_FOR,
        };
        if target.port.is_none() && target.host.contains('.') {
            found.services(target, reach).await;
        }
        if found.ways.is_empty() {
            let transport = target.transport.unwrap_or(reach.usual());
            let port = target.port_over(transport);
            found.addresses(&target.host, transport, port).await;
        }
        found.ways.retain(|way| reach.covers(way));
        found.ways.truncate(CANDIDATES_MAX);
        if found.ways.is_empty() {
            found.until = Instant::now() + UNRESOLVED_FOR;
        }
        Candidates {
            ways: found.ways,
            until: found.until,
        }
    }

    pub(super) async fn ask(&self, name: &str, kind: RecordType) -> Option<Lookup> {
        // With the dot at its end the name is whole, and no search list applies.
        let name = format!("{}.", name.trim_end_matches('.'));
        match self.resolver.lookup(name.as_str(), kind).await {
            Ok(lookup) => Some(lookup),
            Err(error) => {
                tracing::debug!(name, %kind, %error, "no record");
                None
            }
        }
    }

    /// The addresses of a host.
    pub(super) async fn lookup_ip(&self, host: &str) -> Option<LookupIp> {
        match self.resolver.lookup_ip(host).await {
            Ok(found) => Some(found),
            Err(error) => {
                tracing::debug!(host, %error, "name not resolved");
                None
            }
        }
    }
}

/// A system without name servers has its hosts file all the same.
fn system_servers() -> ResolverConfig {
    match hickory_resolver::system_conf::read_system_conf() {
        Ok((config, _)) => config,
        Err(error) => {
            tracing::warn!(%error, "the system names no name server");
            ResolverConfig::from_parts(None, Vec::new(), Vec::new())
        }
    }
}

fn name_server(address: &SocketAddr) -> NameServerConfig {
    let connections = [ProtocolConfig::Udp, ProtocolConfig::Tcp].map(|protocol| {
        let mut connection = ConnectionConfig::new(protocol);
        connection.port = address.port();
        connection
    });
    NameServerConfig::new(address.ip(), true, connections.into())
}

/// A search for the ways to one next hop.
struct Search<'a> {
    names: &'a Names,
    ways: Vec<Candidate>,
    until: Instant,
}

impl Search<'_> {
    async fn services(&mut self, target: &Target, reach: Reach) {
        for (transport, name) in self.service_names(target, reach).await {
            let Some(lookup) = self.names.ask(&name, RecordType::SRV).await else {
                continue;
            };
            self.note_age(lookup.valid_until());
            for service in in_order(services_of(&lookup)) {
                let host = service.target.to_string();
                // A host of "." says that there is no such service.
                if host != "." && self.ways.len() < CANDIDATES_MAX {
                    self.addresses(&host, transport, service.port).await;
                }
            }
        }
    }

    /// The names to ask SRV records for, in order of preference.
    async fn service_names(&mut self, target: &Target, reach: Reach) -> Vec<(Transport, String)> {
        if let Some(transport) = target.transport {
            return vec![(transport, service_name(transport, &target.host))];
        }
        let lookup = self.names.ask(&target.host, RecordType::NAPTR).await;
        let mut rules: Vec<_> = lookup.iter().flat_map(rules_of).collect();
        rules.sort_by_key(|(order, _, _)| *order);
        if let Some(lookup) = &lookup {
            self.note_age(lookup.valid_until());
        }
        let named: Vec<_> = rules
            .into_iter()
            .filter(|(_, transport, _)| reach.has(*transport))
            .map(|(_, transport, name)| (transport, name))
            .collect();
        if !named.is_empty() {
            return named;
        }
        [Transport::Udp, Transport::Tcp]
            .into_iter()
            .filter(|transport| reach.has(*transport))
            .map(|transport| (transport, service_name(transport, &target.host)))
            .collect()
    }

    async fn addresses(&mut self, host: &str, transport: Transport, port: u16) {
        let way = |ip: IpAddr| Candidate {
            transport,
            address: SocketAddr::new(ip, port),
        };
        if let Some(found) = self.names.lookup_ip(host).await {
            self.note_age(found.valid_until());
            self.ways.extend(found.iter().map(way));
        }
    }

    fn note_age(&mut self, until: std::time::Instant) {
        self.until = self.until.min(Instant::from_std(until));
    }
}

fn service_name(transport: Transport, host: &str) -> String {
    let service = match transport {
        Transport::Udp => "_sip._udp",
        Transport::Tcp => "_sip._tcp",
        Transport::Tls => "_sips._tcp",
    };
    format!("{service}.{host}")
}

/// Order and preference, transport, and name of the rules that lead to SRV records of SIP.
fn rules_of(lookup: &Lookup) -> impl Iterator<Item = ((u16, u16), Transport, String)> {
    lookup.answers().iter().filter_map(|record| {
        let RData::NAPTR(rule) = &record.data else {
            return None;
        };
        let transport = transport_of(rule)?;
        let name = rule.replacement.to_string();
        Some(((rule.order, rule.preference), transport, name))
    })
}

fn transport_of(rule: &NAPTR) -> Option<Transport> {
    if !rule.flags.eq_ignore_ascii_case(b"s") {
        return None;
    }
    match rule.services.to_ascii_uppercase().as_slice() {
        b"SIP+D2U" => Some(Transport::Udp),
        b"SIP+D2T" => Some(Transport::Tcp),
        b"SIPS+D2T" => Some(Transport::Tls),
        _ => None,
    }
}

pub(super) fn services_of(lookup: &Lookup) -> Vec<SRV> {
    let records = lookup.answers().iter();
    records
        .filter_map(|record| match &record.data {
            RData::SRV(service) => Some(service.clone()),
            _ => None,
        })
        .collect()
}

/// By priority; among equals by lot, weighted.
pub(super) fn in_order(mut services: Vec<SRV>) -> Vec<SRV> {
    services.sort_by_key(|service| (service.priority, service.weight));
    let mut ordered = Vec::new();
    while let Some(priority) = services.first().map(|service| service.priority) {
        let equals = services
            .iter()
            .take_while(|service| service.priority == priority);
        let weights: Vec<u32> = equals.map(|service| service.weight.into()).collect();
        ordered.push(services.remove(drawn(&weights, OsRng.try_next_u32().unwrap_or(0))));
    }
    ordered
}

/// The place at which the running sum of the weights reaches the lot.
fn drawn(weights: &[u32], lot: u32) -> usize {
    let total: u32 = weights.iter().sum();
    let lot = lot % total.saturating_add(1);
    let mut sum = 0_u32;
    weights
        .iter()
        .position(|weight| {
            sum += weight;
            sum >= lot
        })
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lot_falls_by_weight() {
        assert_eq!(drawn(&[0, 10, 30], 0), 0);
        assert_eq!(drawn(&[0, 10, 30], 1), 1);
        assert_eq!(drawn(&[0, 10, 30], 11), 2);
        assert_eq!(drawn(&[0, 10, 30], 41), 0);
        assert_eq!(drawn(&[], 7), 0);
    }

    #[test]
    fn services_keep_the_order_of_their_priorities() {
        let service = |priority, weight| {
            let name = format!("h{weight}.example.").parse().unwrap();
            SRV::new(priority, weight, 5060, name)
        };
        let services = vec![
            service(20, 1),
            service(10, 5),
            service(10, 0),
            service(20, 9),
        ];
        let priorities: Vec<u16> = in_order(services).iter().map(|s| s.priority).collect();
        assert_eq!(priorities, [10, 10, 20, 20]);
    }
}
