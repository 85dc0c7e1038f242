//! What the engine is started with.

use std::net::SocketAddr;
use std::path::PathBuf;

use msrp_sdp::MediaTransport;
use msrp_switch::Rules;
use msrp_transport::Origins;

/// The engine's configuration.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// Which backend to use.
    pub want: ring_io::Want,
    /// How many shards; 0 means one for each core.
    pub shards: usize,
    /// Whether each shard stays on one core. Else the scheduler may wake two shards on the same one.
    pub pin_shards: bool,
    /// Where MSRP is served. Sessions are given the address of the first.
    pub listeners: Vec<ListenerConfig>,
    /// Bounds and times.
    pub limits: EngineLimits,
    /// Whether recipients are asked for an answer to every piece (`Failure-Report: yes`); else
    /// only for errors (`partial`, AMB-28).
    pub ask_recipients: bool,
    /// The operator's decisions for all rooms.
    pub rules: Rules,
}

/// One MSRP address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerConfig {
    /// What logs call it.
    pub name: String,
    /// The address to bind; port 0 takes a free one.
    pub bind: SocketAddr,
    /// Host and port to write into `a=path`; `None` or port 0 means what was bound.
    pub advertise: Option<(String, u16)>,
    /// What lies between its sockets and MSRP.
    pub transport: ListenerTransport,
}

/// What lies between the sockets of a listener and MSRP.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ListenerTransport {
    /// Nothing.
    #[default]
    Tcp,
    /// TLS.
    Tls(TlsFiles),
    /// WebSocket (RFC 7977), opened by pages of these origins. Not protected.
    Ws(Origins),
    /// WebSocket over TLS.
    Wss(TlsFiles, Origins),
}

impl ListenerTransport {
    /// The files of its certificate, when it has one.
    #[must_use]
    pub fn files(&self) -> Option<&TlsFiles> {
        match self {
            Self::Tls(files) | Self::Wss(files, _) => Some(files),
            Self::Tcp | Self::Ws(_) => None,
        }
    }

    /// The same, to be changed.
    pub fn files_mut(&mut self) -> Option<&mut TlsFiles> {
        match self {
            Self::Tls(files) | Self::Wss(files, _) => Some(files),
            Self::Tcp | Self::Ws(_) => None,
        }
    }

    /// What a session description that fits it asks for.
    #[must_use]
    pub fn media_transport(&self) -> MediaTransport {
        match self {
            Self::Tcp => MediaTransport::Tcp,
            Self::Tls(_) => MediaTransport::Tls,
            Self::Ws(_) => MediaTransport::WebSocket,
            Self::Wss(..) => MediaTransport::SecureWebSocket,
        }
    }

    /// One lower-case word: `tcp`, `tls`, `ws` or `wss`.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Tls(_) => "tls",
            Self::Ws(_) => "ws",
            Self::Wss(..) => "wss",
        }
    }
}

/// The files of a listener's certificates, all in PEM.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TlsFiles {
    /// The certificate, then those of its chain.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// Further certificates with their keys, for clients that ask for a host of theirs.
    pub others: Vec<(PathBuf, PathBuf)>,
    /// The certificates of those who sign for clients. With it, clients have to show a certificate.
    pub client_roots: Option<PathBuf>,
}

impl TlsFiles {
    /// All of them.
    pub fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        let others = self.others.iter().flat_map(|(cert, key)| [cert, key]);
        let own = [&self.cert, &self.key].into_iter();
        own.chain(others).chain(&self.client_roots)
    }

    /// All of them, to be changed.
    pub fn paths_mut(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let others = self.others.iter_mut().flat_map(|(cert, key)| [cert, key]);
        let own = [&mut self.cert, &mut self.key].into_iter();
        own.chain(others).chain(&mut self.client_roots)
    }
}

/// Bounds and times of the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineLimits {
    /// Most MSRP connections. One more is closed as it comes.
    pub connections_max: usize,
    /// Most MSRP connections of one source that have named no session; 0 is no bound. Each shard keeps its part of it; one
    /// more is closed as it comes.
    pub source_unbound_max: usize,
    /// Longest message in octets. Longer ones are refused with 413.
    pub message_octets_max: u64,
    /// How long a connection may name no session, and a session have no connection, in
    /// nanoseconds.
    pub unbound_ns: u64,
    /// How long a recipient may take nothing before it is shed, in nanoseconds.
    pub stall_ns: u64,
    /// How long a WebSocket may be silent before it is pinged, in nanoseconds.
    pub ping_ns: u64,
    /// How long final reports wait for recipients once everything is written to them, in nanoseconds.
    pub final_report_ns: u64,
    /// Most rooms. One more is refused.
    pub rooms_max: usize,
    /// Participants of a room from which on the connections of new ones go to all shards in turn.
    pub spread_participants_min: usize,
    /// Most bridges. One more is refused.
    pub bridges_max: usize,
    /// How long the first offer of a bridge may wait for its answer, in nanoseconds. The bridge ends then.
    pub bridge_unanswered_ns: u64,
    /// How long neither side of a bridge may be heard, in nanoseconds; it ends then, at most a quarter of
    /// this time later.
    pub bridge_idle_ns: u64,
    /// Most sessions of all rooms, as counted at the end of each shard's turn. One more is refused.
    pub sessions_max: u64,
    /// Most participants of one room. One more is refused.
    pub participants_per_room_max: usize,
}

impl Default for EngineLimits {
    fn default() -> Self {
        Self {
            connections_max: 100_000,
            source_unbound_max: 2000,
            message_octets_max: msrp_switch::limits::MESSAGE_OCTETS_MAX,
            unbound_ns: 30_000_000_000,
            stall_ns: 30_000_000_000,
            ping_ns: 30_000_000_000,
            final_report_ns: msrp_switch::limits::FINAL_REPORT_NS,
            rooms_max: 100_000,
            spread_participants_min: crate::limits::SPREAD_PARTICIPANTS_MIN,
            bridges_max: 100_000,
            bridge_unanswered_ns: 300_000_000_000,
            bridge_idle_ns: 86_400_000_000_000,
            sessions_max: 1_000_000,
            participants_per_room_max: 10_000,
        }
    }
}
