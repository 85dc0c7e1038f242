//! The configuration: what an operator can choose, with the default of every key.
//!
//! [`Config::parse`] is strict: an unknown key, a wrong type or an impossible value is a
//! [`ConfigError`] that names the place, the key and what was expected. The keys are declared once,
//! in [`catalogue`]; `docs/config.md` is written from there.

pub mod catalogue;
mod error;
mod item;
mod reading;
mod relay;
mod value;
mod webhook;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use error::ConfigError;
use ipnet::IpNet;
use msrp_api::Tokens;
use msrp_shard::ListenerTransport;
use msrp_sip::focus::{AdHocRight, LargePolicy, OwnMark};
use msrp_sip::ua_rsipstack::TlsFiles;
pub use relay::Relay;
pub(crate) use relay::read_users;
use ring_io::Want;
use tokio_rustls::rustls::ServerConfig;
pub(crate) use value::is_user_uri;
pub use value::{Advertise, SipBind, SipTransport};
pub use webhook::WebhookEntry;

/// Everything that msrpd can be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Host part of the URIs that msrpd owns.
    pub domain: String,
    /// The kernel interface.
    pub io: Io,
    /// Where MSRP connections arrive. At least one.
    pub msrp_listeners: Vec<Listener>,
    /// The SIP focus.
    pub sip: Sip,
    /// Where group documents lie.
    pub groups: Groups,
    /// Rules of ad-hoc sessions, and what rooms of all kinds do.
    pub policy: Policy,
    /// Pager mode: MESSAGEs to several recipients.
    pub pager: Pager,
    /// The MSRP relay.
    pub relay: Relay,
    /// The door for SIP proxies that speak the ng dialect.
    pub ng: Ng,
    /// Bounds.
    pub limits: Limits,
    /// The admin HTTP server.
    pub admin: Admin,
    /// What passes, for a collector.
    pub trace: Trace,
    /// Usage records.
    pub usage: Usage,
}

/// The kernel interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Io {
    /// Which one.
    pub backend: Want,
    /// Shards; 0 means one for each core.
    pub shards: usize,
    /// Whether each shard stays on one core.
    pub pin_shards: bool,
}

/// One MSRP listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Its name in logs.
    pub name: String,
    /// The address it listens on; port 0 lets the kernel choose.
    pub bind: SocketAddr,
    /// What goes into `a=path`; `None` means what was bound.
    pub advertise: Option<Advertise>,
    /// What MSRP runs on, with the files of a certificate relative to the configuration file's
    /// directory.
    pub transport: ListenerTransport,
}

/// The SIP focus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sip {
    /// The addresses it listens on. At least one.
    pub bind: Vec<SipBind>,
    /// Where requests of msrpd's own go; `None` resolves the URI.
    pub outbound_proxy: Option<String>,
    /// Where names are looked up; empty means the name servers of the system.
    pub name_servers: Vec<SocketAddr>,
    /// The files of TLS, relative to the configuration file's directory.
    pub tls: TlsFiles,
    /// `P-Asserted-Identity` is believed from these neighbours only.
    pub trusted_peers: Vec<IpNet>,
    /// The URIs whose INVITE makes an ad-hoc conference.
    pub conference_factory: Vec<String>,
    /// Session interval that msrpd asks for, seconds.
    pub session_expires_s: u32,
    /// Smallest session interval that msrpd accepts, seconds.
    pub min_se_s: u32,
}

/// Where group documents lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Groups {
    /// The directory; a relative path starts at the configuration file's directory.
    pub directory: PathBuf,
    /// Whether the operator named the directory; a named one must exist.
    pub is_named: bool,
}

/// Rules of sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Whether participants may hide their identity.
    pub anonymity: bool,
    /// Whether a message may go to single participants.
    pub private_messages: bool,
    /// Whether participants may be known by nicknames.
    pub nicknames: bool,
    /// What the sender of a private message is told when nobody whom it names takes any: 403 or 428.
    pub private_refusal_status: u16,
    /// Whether final reports come in parts, as results come in.
    pub interim_reports: bool,
    /// Whether final reports are kept from sessions that do not list their type.
    pub strict_report_types: bool,
    /// Who may add users to an ad-hoc session by REFER.
    pub adhoc_add: AdHocRight,
    /// Who may remove others from an ad-hoc session by REFER.
    pub adhoc_expel: AdHocRight,
    /// The status of a REFER that is carried out: 202 or 200.
    pub refer_status: u16,
    /// The namespace of the mark on a subscriber's own entry; `None` writes the mark without.
    pub own_mark: Option<OwnMark>,
    /// Large messages and files.
    pub large: LargePolicy,
}

/// Pager mode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pager {
    /// Addresses beside the conference factories to which a MESSAGE with a list may go.
    pub exploder: Vec<String>,
    /// Whether a MESSAGE may bring its own list of recipients.
    pub lists: bool,
    /// Whether recipients are shown those that the list marks `to` and `cc`.
    pub recipient_history: bool,
    /// Most MESSAGEs sent in a second.
    pub messages_per_s: u32,
    /// How long delivery notifications are gathered, seconds; 0 means not at all.
    pub notification_wait_s: u32,
    /// How often that wait starts again.
    pub notification_restarts: u32,
    /// How long users have to answer a message of the server, seconds; 0 means they are not waited
    /// for.
    pub answer_wait_s: u32,
    /// Whether a user who did not answer is not served.
    pub block_unanswered: bool,
}

/// Bounds, each with its unit in its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Most participants of an ad-hoc session.
    pub adhoc_participants_max: u32,
    /// Most recipients of one pager-mode message.
    pub pager_recipients_max: u32,
    /// Most MSRP connections.
    pub connections_max: u32,
    /// Longest message, octets of the whole CPIM message.
    pub message_octets_max: u64,
    /// Longest life of a SIP session, seconds.
    pub session_max_s: u32,
    /// Longest life of a connection that names no session, seconds.
    pub unbound_s: u32,
    /// Longest time in which a recipient may take nothing, seconds.
    pub stall_s: u32,
    /// How long a WebSocket may be silent before it is pinged, seconds.
    pub websocket_ping_s: u32,
    /// Longest wait for the legs of a final report, seconds.
    pub final_report_s: u32,
    /// Most bridges of two sessions.
    pub bridges_max: u32,
    /// Longest wait of a bridge for its first answer, seconds.
    pub bridge_unanswered_s: u32,
    /// Longest time in which neither side of a bridge is heard, seconds.
    pub bridge_idle_s: u32,
    /// Most sessions of all rooms.
    pub sessions_max: u32,
    /// Resident memory of the process above which new work is refused, in octets; 0 is no bound.
    pub memory_octets_max: u64,
    /// INVITEs without ACK and BYEs without answer, and NOTIFYs without answer, at most so many of each.
    pub sip_unfinished_max: u32,
    /// SIP requests outside of dialogs that a source that is not trusted may send in a second; 0 is no bound.
    pub sip_source_requests_per_s: u32,
    /// INVITEs without ACK of a source that is not trusted; 0 is no bound.
    pub sip_source_unfinished_max: u32,
    /// MSRP connections of one source that have not named a session; 0 is no bound.
    pub source_unbound_max: u32,
    /// Processor time of the process, in hundredths of what all processors have, above which new work
    /// is refused; 0 is no bound.
    pub cpu_percent_max: u32,
    /// How long sessions may go on when the process is told to end, in seconds; 0 ends them at once.
    pub drain_s: u32,
}

/// The door for SIP proxies that speak the ng dialect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ng {
    /// The UDP address it listens on; `None` keeps it closed.
    pub bind: Option<SocketAddr>,
    /// Who is answered. A bind address beyond loopback needs this written down.
    pub allowed_peers: Vec<IpNet>,
}

impl Default for Ng {
    fn default() -> Self {
        let loopback = ["127.0.0.0/8", "::1/128"];
        Self {
            bind: None,
            allowed_peers: loopback.into_iter().filter_map(value::net).collect(),
        }
    }
}

/// What passes, for a collector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Trace {
    /// Where HEP goes.
    pub hep: Option<SocketAddr>,
    /// Whether bodies go along.
    pub hep_bodies: bool,
}

/// The admin HTTP server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admin {
    /// The address it listens on. A loopback address, or there are tokens, or
    /// `allow_unauthenticated` is set.
    pub bind: SocketAddr,
    /// The file of bearer tokens, relative to the configuration file's directory.
    pub tokens: Option<PathBuf>,
    /// A Unix socket to listen on as well, relative to the configuration file's directory.
    pub socket: Option<PathBuf>,
    /// Whether everybody who reaches the address may do everything.
    pub allow_unauthenticated: bool,
    /// Its certificate, then those of its chain, and its key; without them it speaks plain HTTP.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// The authorities whose clients alone may connect.
    pub client_ca: Option<PathBuf>,
    /// Who gets events.
    pub webhooks: Vec<WebhookEntry>,
}

impl Admin {
    /// On this address, without tokens and without a Unix socket.
    #[must_use]
    pub fn on(bind: SocketAddr) -> Self {
        Self {
            bind,
            tokens: None,
            socket: None,
            allow_unauthenticated: false,
            certificate: None,
            client_ca: None,
            webhooks: Vec::new(),
        }
    }

    /// The tokens of the file that is named.
    ///
    /// # Errors
    /// A sentence with the file and the line: the operator's fault.
    pub fn read_tokens(&self) -> Result<Option<Tokens>, String> {
        let Some(file) = &self.tokens else {
            return Ok(None);
        };
        let name = file.display();
        let text = std::fs::read_to_string(file).map_err(|e| format!("{name}: {e}"))?;
        let tokens = Tokens::parse(&text).map_err(|e| format!("{name}: {e}"))?;
        Ok(Some(tokens))
    }

    /// What TLS needs, when it is asked for.
    ///
    /// # Errors
    /// A sentence with the file: the operator's fault.
    pub fn read_tls(&self) -> Result<Option<Arc<ServerConfig>>, String> {
        let Some((cert, key)) = &self.certificate else {
            return Ok(None);
        };
        crate::admin::tls::read(cert, key, self.client_ca.as_deref()).map(Some)
    }

    /// The files that are read again when they change.
    pub fn files(&self) -> impl Iterator<Item = &PathBuf> {
        let pair = self.certificate.iter().flat_map(|(cert, key)| [cert, key]);
        pair.chain(&self.client_ca).chain(&self.tokens)
    }

    /// What an operator should know about who may use the admin server; `None` when it is as by
    /// default.
    #[must_use]
    pub fn explanation(&self) -> Option<String> {
        let bind = self.bind;
        if self.tokens.is_some() {
            return Some(format!("admin: {bind} asks for a token"));
        }
        if self.client_ca.is_some() {
            return Some(format!("admin: {bind} asks for a certificate"));
        }
        let open = "serves everybody who reaches it, without authentication";
        self.allow_unauthenticated
            .then(|| format!("admin: {bind} {open}"))
    }
}

/// Usage records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usage {
    /// Where they go; `None` keeps none.
    pub file: Option<UsageFile>,
    /// Seconds between the interim records of a session; 0 makes none.
    pub interim_s: u32,
    /// How participants are named in them.
    pub identities: UsageIdentities,
}

/// Where usage records go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UsageFile {
    /// To standard output.
    Stdout,
    /// To the end of a file; a relative path starts at the configuration file's directory.
    Path(PathBuf),
}

/// How participants are named in usage records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UsageIdentities {
    /// By the id inside the room alone.
    None,
    /// By the address shown to others: of a hidden participant its alias.
    Entity,
    /// By all their addresses as well.
    All,
}

impl UsageIdentities {
    /// The word of the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Entity => "entity",
            Self::All => "all",
        }
    }
}

impl Default for Usage {
    fn default() -> Self {
        Self {
            file: None,
            interim_s: 300,
            identities: UsageIdentities::Entity,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            domain: "localhost".to_owned(),
            io: Io {
                backend: Want::Auto,
                shards: 0,
                pin_shards: false,
            },
            msrp_listeners: vec![Listener {
                name: "lo".to_owned(),
                bind: loopback(2855),
                advertise: None,
                transport: ListenerTransport::Tcp,
            }],
            sip: Sip::default(),
            groups: Groups {
                directory: PathBuf::from("groups"),
                is_named: false,
            },
            policy: Policy {
                anonymity: true,
                private_messages: true,
                nicknames: true,
                private_refusal_status: 403,
                interim_reports: false,
                strict_report_types: false,
                adhoc_add: AdHocRight::Participants,
                adhoc_expel: AdHocRight::Originator,
                refer_status: 202,
                own_mark: None,
                large: LargePolicy::default(),
            },
            pager: Pager::default(),
            relay: Relay::default(),
            ng: Ng::default(),
            limits: Limits::default(),
            admin: Admin::on(loopback(8655)),
            trace: Trace::default(),
            usage: Usage::default(),
        }
    }
}

impl Default for Sip {
    fn default() -> Self {
        Self {
            bind: vec![
                SipBind {
                    transport: SipTransport::Udp,
                    address: loopback(5060),
                },
                SipBind {
                    transport: SipTransport::Tcp,
                    address: loopback(5060),
                },
            ],
            outbound_proxy: None,
            name_servers: Vec::new(),
            tls: TlsFiles::default(),
            trusted_peers: value::net("127.0.0.0/8").into_iter().collect(),
            conference_factory: vec![conference_factory("localhost")],
            session_expires_s: 1800,
            min_se_s: MIN_SE_S,
        }
    }
}

impl Default for Pager {
    fn default() -> Self {
        Self {
            exploder: vec![exploder("localhost")],
            lists: true,
            recipient_history: true,
            messages_per_s: 500,
            notification_wait_s: 30,
            notification_restarts: 3,
            answer_wait_s: 0,
            block_unanswered: false,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            adhoc_participants_max: 100,
            pager_recipients_max: 1000,
            connections_max: 100_000,
            message_octets_max: 4_294_967_296,
            session_max_s: 86_400,
            unbound_s: 30,
            stall_s: 30,
            websocket_ping_s: 30,
            final_report_s: 30,
            bridges_max: 100_000,
            bridge_unanswered_s: 300,
            bridge_idle_s: 86_400,
            sessions_max: 1_000_000,
            memory_octets_max: 0,
            sip_unfinished_max: 8192,
            sip_source_requests_per_s: 100,
            sip_source_unfinished_max: 100,
            source_unbound_max: 2000,
            cpu_percent_max: 0,
            drain_s: 0,
        }
    }
}

impl Config {
    /// Reads and checks a configuration file.
    ///
    /// # Errors
    /// [`ConfigError`] with the place and what was expected: the operator's fault.
    pub fn load(file: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(file).map_err(|e| ConfigError::unreadable(file, &e))?;
        let config = Self::parse(file, &text)?;
        if config.groups.is_named && !config.groups.directory.is_dir() {
            let path = config.groups.directory.display();
            let expected = format!("expected an existing directory, found {path}");
            return Err(reading::locate(
                file,
                &text,
                &["groups", "directory"],
                &expected,
            ));
        }
        if let Err(fault) = config.relay.read_users() {
            let path = ["relay", "users"];
            return Err(reading::locate(file, &text, &path, &fault));
        }
        if let Err(fault) = config.admin.read_tokens() {
            let path = ["admin", "tokens"];
            return Err(reading::locate(file, &text, &path, &fault));
        }
        if let Err(fault) = config.admin.read_tls() {
            let path = ["admin", "cert"];
            return Err(reading::locate(file, &text, &path, &fault));
        }
        for webhook in &config.admin.webhooks {
            if let Err(fault) = webhook.read() {
                let path = ["admin", "webhook"];
                return Err(reading::locate(file, &text, &path, &fault));
            }
        }
        Ok(config)
    }

    /// Checks the text of a configuration file; `file` is for messages and for the directory that
    /// relative paths start at.
    ///
    /// # Errors
    /// [`ConfigError`] with the place and what was expected: the operator's fault.
    pub fn parse(file: &Path, text: &str) -> Result<Self, ConfigError> {
        reading::read(file, text)
    }
}

/// The default conference factory of a domain.
fn conference_factory(domain: &str) -> String {
    format!("sip:conference-factory@{domain}")
}

/// The default exploder of a domain.
fn exploder(domain: &str) -> String {
    format!("sip:exploder@{domain}")
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

/// Smallest session interval that RFC 4028 s.4 allows, seconds.
pub const MIN_SE_S: u32 = 90;

#[cfg(test)]
mod tests;
