//! A running node: the engine, the SIP focus and the admin server, started and ended in order.

use std::fmt;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use msrp_api::{DrainPlan, Reloaded};
use msrp_control::{Client, Drain};
use msrp_shard::{
    EngineConfig, EngineLimits, ListenerConfig, RelayOptions, RelayUsers, Rules, StartError,
    Started,
};
use msrp_sip::focus::PagerPolicy;
use msrp_sip::groups::Groups;
use msrp_sip::service::{self, SipConfig, SipService};
use msrp_sip::ua::Transport;
use msrp_sip::ua_rsipstack::{UaHandle, UaLimits};

use crate::admin::{AdminExtras, AdminServer, Node, Phase};
use crate::capture::export::export;
use crate::capture::hep::Collector;
use crate::certificates::Expiries;
use crate::config::{Config, Limits, SipTransport};
use crate::ng::NgServer;
use crate::relay_names::Dns;
use crate::sd_notify;
use crate::usage::{self, UsageKeeper};

/// A running node.
pub struct Daemon {
    engine: Started,
    /// Of the MSRP listeners, in their order.
    transports: Vec<&'static str>,
    /// Empty once its end has begun.
    sip: Arc<Mutex<Option<SipService>>>,
    sip_addresses: Vec<(Transport, SocketAddr)>,
    node: Arc<Node>,
    admin: AdminServer,
    /// Open while it is kept.
    ng: Option<NgServer>,
    usage: Option<UsageKeeper>,
    expiries: Arc<Expiries>,
}

/// A node that did not start. What had started has been ended.
#[derive(Debug)]
pub struct StartFault {
    /// Which part did not start.
    pub part: Part,
    /// Why, in one sentence.
    pub reason: String,
}

/// The parts of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The MSRP engine.
    Msrp,
    /// The SIP focus.
    Sip,
    /// The admin server.
    Admin,
    /// The door for the ng dialect.
    Ng,
    /// The usage records.
    Usage,
}

impl Daemon {
    /// Starts everything that the configuration names; the relay when it is given users.
    ///
    /// # Errors
    /// [`StartFault`]: an address is taken, or the kernel refuses something.
    pub async fn start(
        config: &Config,
        groups: Box<dyn Groups + Send>,
        relay_users: Option<Arc<RelayUsers>>,
    ) -> Result<Self, StartFault> {
        Self::start_with(config, groups, relay_users, |_, _| AdminExtras::default()).await
    }

    /// The same, with more at the admin address: `extras` is given a client of the engine and the
    /// addresses of the MSRP listeners, in their order.
    ///
    /// # Errors
    /// As [`Daemon::start`].
    pub async fn start_with(
        config: &Config,
        groups: Box<dyn Groups + Send>,
        relay_users: Option<Arc<RelayUsers>>,
        extras: impl FnOnce(Client, &[(String, SocketAddr)]) -> AdminExtras,
    ) -> Result<Self, StartFault> {
        let expiries = Arc::new(Expiries::of(config));
        let engine = start_engine(config, relay_users).await?;
        let node = Arc::new(Node::new(
            Client::new(engine.engine.clone()),
            &config.domain,
        ));
        let shown = Arc::clone(&expiries);
        node.add_samples(Box::new(move || shown.samples()));
        let usage = match keep_usage(config, &engine, &node) {
            Ok(usage) => usage,
            Err(fault) => {
                end_engine(&engine).await;
                return Err(fault);
            }
        };
        let extras = extras(Client::new(engine.engine.clone()), &engine.listeners);
        let started = start_doors(config, groups, &engine, (&node, extras)).await;
        match started {
            Ok((sip, admin, ng)) => {
                let sip_addresses = sip.addresses.clone();
                node.api().set_announcer(sip.announcer());
                let sip = Arc::new(Mutex::new(Some(sip)));
                let source = Arc::clone(&sip);
                node.add_sip(Box::new(move || {
                    lock(&source)
                        .as_ref()
                        .map_or_else(Vec::new, SipService::samples)
                }));
                let listeners = config.msrp_listeners.iter();
                Ok(Self {
                    engine,
                    transports: listeners.map(|l| l.transport.as_str()).collect(),
                    sip,
                    sip_addresses,
                    node,
                    admin,
                    ng,
                    usage,
                    expiries,
                })
            }
            Err(fault) => {
                end_engine(&engine).await;
                end_usage(usage).await;
                Err(fault)
            }
        }
    }

    /// Logs where it listens, and says that it is ready.
    pub fn announce(&self) {
        for ((name, address), transport) in self.engine.listeners.iter().zip(&self.transports) {
            tracing::info!(kind = "msrp", name, transport, %address, "listening");
        }
        for (transport, address) in &self.sip_addresses {
            tracing::info!(kind = "sip", name = "sip", %transport, %address, "listening");
        }
        let address = self.admin.address();
        tracing::info!(kind = "admin", name = "admin", transport = "tcp", %address, "listening");
        if let Some(ng) = &self.ng {
            let address = ng.address();
            tracing::info!(kind = "ng", name = "ng", transport = "udp", %address, "listening");
        }
        let (backend, reason) = (self.engine.backend, &self.engine.reason);
        tracing::info!(backend, reason, "data path");
        self.node.set_phase(Phase::Ready);
        tracing::info!("ready");
    }

    /// The first MSRP address.
    #[must_use]
    pub fn msrp_address(&self) -> Option<SocketAddr> {
        self.engine.listeners.first().map(|(_, address)| *address)
    }

    /// The first SIP address of a transport.
    #[must_use]
    pub fn sip_address(&self, transport: Transport) -> Option<SocketAddr> {
        let mut addresses = self.sip_addresses.iter();
        addresses
            .find(|(t, _)| *t == transport)
            .map(|(_, address)| *address)
    }

    /// The address of the admin server.
    #[must_use]
    pub fn admin_address(&self) -> SocketAddr {
        self.admin.address()
    }

    /// Takes other groups in the place of those it had. They are in force afterwards.
    pub async fn set_groups(&self, groups: Box<dyn Groups + Send>) {
        let done = lock(&self.sip).as_ref().map(|sip| sip.set_groups(groups));
        if let Some(done) = done {
            done.await;
        }
    }

    /// The SIP user agent; `None` while it is not there.
    #[must_use]
    pub fn sip(&self) -> Option<UaHandle> {
        lock(&self.sip).as_ref().map(SipService::ua)
    }

    /// What reads the certificates of SIP, of the MSRP listeners and of the admin address, and its
    /// tokens, anew, for the connections to come: all or none. It
    /// returns which file is wrong, and why; what was read before stays in force then.
    pub fn certificates(&self) -> impl Fn() -> Result<(), String> + Clone + Send + 'static + use<> {
        let ua = self.sip();
        let engine = Arc::clone(&self.engine.engine);
        let admin = self.admin.files();
        let expiries = Arc::clone(&self.expiries);
        move || {
            let sip = ua.as_ref().map(UaHandle::read_tls).transpose();
            let take_sip = sip.map_err(|error| error.to_string())?;
            let take_admin = admin()?;
            let msrp = engine.reload_certificates();
            msrp.map_err(|fault| fault.to_string())?;
            if let Some(take) = take_sip {
                take();
            }
            take_admin();
            expiries.read();
            Ok(())
        }
    }

    /// A client of the engine.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::new(self.engine.engine.clone())
    }

    /// Waits until a drain with a deadline is over; returns how many take part still.
    pub async fn drained(&self) -> u64 {
        self.node.api().drained().await
    }

    /// Refuses new rooms and participants, and waits until nobody is left, for so long at most.
    /// Returns how many take part still. It cannot be undone.
    pub async fn drain(&self, deadline: Duration) -> u64 {
        let plan = DrainPlan {
            drain: Drain::Sessions,
            deadline: Some(deadline),
            message: None,
            is_final: true,
        };
        match self.node.api().drain(plan).await {
            Ok(()) => self.drained().await,
            // An engine that does not answer has nothing to wait for.
            Err(_) => 0,
        }
    }

    /// Says what reads everything anew when the API is asked for it.
    pub fn set_reload(
        &self,
        reload: impl Fn() -> Result<Reloaded, String> + Send + Sync + 'static,
    ) {
        self.node.set_reload(Box::new(reload));
    }

    /// Sends every frame to a collector from now on.
    pub async fn export(&self, collector: Collector, with_bodies: bool) {
        let client = Client::new(self.engine.engine.clone());
        tracing::info!(with_bodies, "frames go to a collector");
        tokio::spawn(export(client, collector, with_bodies).await);
    }

    /// From now on the service manager is told that the node lives, as often as it wants to hear it:
    /// while every shard goes round its loop, and while the node ends.
    pub fn watch_over(&self) {
        let Some(every) = sd_notify::watchdog() else {
            return;
        };
        let node = Arc::clone(&self.node);
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(every);
            loop {
                ticks.tick().await;
                if node.is_alive() || node.is_stopping() {
                    sd_notify::alive();
                } else {
                    tracing::error!("a shard has not gone round its loop; the watchdog is not fed");
                }
            }
        });
    }

    /// From now on signals make shards panic: SIGUSR1 the first, SIGUSR2 the second.
    ///
    /// # Errors
    /// The signals cannot be received.
    #[cfg(feature = "test-faults")]
    pub fn fail_at_signals(&self) -> std::io::Result<()> {
        use tokio::signal::unix::{SignalKind, signal};

        let kinds = [SignalKind::user_defined1(), SignalKind::user_defined2()];
        for (shard, kind) in kinds.into_iter().enumerate() {
            let (engine, mut signals) = (Arc::clone(&self.engine.engine), signal(kind)?);
            tokio::spawn(async move {
                while signals.recv().await.is_some() {
                    engine.fail_shard(shard);
                }
            });
        }
        Ok(())
    }

    /// What opens the file of usage records again; does nothing when none are kept.
    pub fn usage(&self) -> impl Fn() + Send + 'static + use<> {
        let handle = self.usage.as_ref().map(UsageKeeper::handle);
        move || {
            if let Some(handle) = &handle {
                handle.reopen();
            }
        }
    }

    /// Ends everything: first the SIP sessions with BYE, then the MSRP connections, then what keeps
    /// their usage records.
    pub async fn stop(mut self) {
        self.ng = None;
        self.node.set_phase(Phase::Stopping);
        let sip = lock(&self.sip).take();
        if let Some(sip) = sip {
            sip.shutdown(SIP_END_MAX).await;
        }
        end_engine(&self.engine).await;
        self.node.api().flush_webhooks().await;
        self.node.api().end_webhooks();
        end_usage(self.usage).await;
    }
}

impl fmt::Display for StartFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for StartFault {}

async fn start_engine(
    config: &Config,
    users: Option<Arc<RelayUsers>>,
) -> Result<Started, StartFault> {
    for listener in &config.msrp_listeners {
        refuse_shared(listener.bind)?;
    }
    let fault = |reason: String| StartFault {
        part: Part::Msrp,
        reason,
    };
    let relay = users.map(|users| relay_options(config, users));
    let relay = relay.transpose().map_err(fault)?;
    let config = engine_config(config);
    let start = move || match relay {
        Some(relay) => msrp_shard::start_with_relay(&config, relay),
        None => msrp_shard::start(&config),
    };
    let started = tokio::task::spawn_blocking(start).await;
    started
        .map_err(|e| fault(e.to_string()))?
        .map_err(|e: StartError| fault(e.to_string()))
}

/// Refuses an address that another process listens on.
///
/// The shards bind with `SO_REUSEPORT`, so a second msrpd of the same user would get its part of
/// the first one's connections instead of an error.
fn refuse_shared(address: SocketAddr) -> Result<(), StartFault> {
    match TcpListener::bind(address) {
        Ok(_) => Ok(()),
        Err(error) => Err(StartFault {
            part: Part::Msrp,
            reason: format!("the MSRP address {address} could not be bound: {error}"),
        }),
    }
}

fn keep_usage(
    config: &Config,
    engine: &Started,
    node: &Node,
) -> Result<Option<UsageKeeper>, StartFault> {
    let kept = UsageKeeper::start(&config.usage, &config.domain, &engine.engine);
    let kept = kept.map_err(|reason| StartFault {
        part: Part::Usage,
        reason,
    })?;
    match kept.as_ref().map(UsageKeeper::handle) {
        Some(handle) => node.add_samples(Box::new(move || handle.samples())),
        None => node.add_samples(Box::new(usage::no_samples)),
    }
    Ok(kept)
}

async fn start_doors(
    config: &Config,
    groups: Box<dyn Groups + Send>,
    engine: &Started,
    (node, extras): (&Arc<Node>, AdminExtras),
) -> Result<(SipService, AdminServer, Option<NgServer>), StartFault> {
    let admin = AdminServer::start(&config.admin, Arc::clone(node), extras)
        .await
        .map_err(|reason| StartFault {
            part: Part::Admin,
            reason,
        })?;
    let client = Client::new(engine.engine.clone());
    let ng = NgServer::start(&config.ng, client.clone());
    let ng = ng.await.map_err(|reason| StartFault {
        part: Part::Ng,
        reason,
    })?;
    let sip = service::start(sip_config(config), groups, client).await;
    let sip = sip.map_err(|e| StartFault {
        part: Part::Sip,
        reason: e.to_string(),
    })?;
    Ok((sip, admin, ng))
}

async fn end_engine(engine: &Started) {
    let engine = Arc::clone(&engine.engine);
    // A panic in there leaves nothing to end.
    let _ = tokio::task::spawn_blocking(move || engine.shutdown()).await;
}

async fn end_usage(usage: Option<UsageKeeper>) {
    if let Some(usage) = usage {
        // A panic in there leaves nothing to write.
        let _ = tokio::task::spawn_blocking(move || usage.stop()).await;
    }
}

fn engine_config(config: &Config) -> EngineConfig {
    let listeners = config.msrp_listeners.iter().map(|listener| ListenerConfig {
        name: listener.name.clone(),
        bind: listener.bind,
        advertise: listener.advertise.clone().map(|a| (a.host, a.port)),
        transport: listener.transport.clone(),
    });
    EngineConfig {
        want: config.io.backend,
        shards: config.io.shards,
        pin_shards: config.io.pin_shards,
        listeners: listeners.collect(),
        limits: engine_limits(&config.limits),
        ask_recipients: false,
        rules: Rules {
            private_refusal_is_428: config.policy.private_refusal_status == 428,
            interim_reports: config.policy.interim_reports,
            strict_report_types: config.policy.strict_report_types,
        },
    }
}

fn relay_options(config: &Config, users: Arc<RelayUsers>) -> Result<RelayOptions, String> {
    let relay = &config.relay;
    Ok(RelayOptions {
        listener: relay.listener.clone(),
        realm: relay.realm.clone(),
        users,
        expires_s: (relay.expires_min_s, relay.expires_max_s, relay.expires_s),
        allowed_addresses: relay.allow_addresses.clone(),
        relays: relay.relays.clone(),
        roots: relay.ca.clone(),
        allow_plain_auth: relay.allow_plain_auth,
        names: Arc::new(Dns::new(&config.sip.name_servers)?),
    })
}

fn engine_limits(limits: &Limits) -> EngineLimits {
    EngineLimits {
        connections_max: usize::try_from(limits.connections_max).unwrap_or(usize::MAX),
        source_unbound_max: usize::try_from(limits.source_unbound_max).unwrap_or(usize::MAX),
        message_octets_max: limits.message_octets_max,
        sessions_max: limits.sessions_max.into(),
        unbound_ns: nanoseconds(limits.unbound_s),
        stall_ns: nanoseconds(limits.stall_s),
        ping_ns: nanoseconds(limits.websocket_ping_s),
        final_report_ns: nanoseconds(limits.final_report_s),
        bridges_max: usize::try_from(limits.bridges_max).unwrap_or(usize::MAX),
        bridge_unanswered_ns: nanoseconds(limits.bridge_unanswered_s),
        bridge_idle_ns: nanoseconds(limits.bridge_idle_s),
        ..EngineLimits::default()
    }
}

fn sip_config(config: &Config) -> SipConfig {
    let limits = &config.limits;
    SipConfig {
        bind: config
            .sip
            .bind
            .iter()
            .map(|bind| (transport(bind.transport), bind.address))
            .collect(),
        outbound_proxy: config.sip.outbound_proxy.clone(),
        name_servers: config.sip.name_servers.clone(),
        tls: config.sip.tls.clone(),
        trusted_peers: config.sip.trusted_peers.clone(),
        conference_factory: config.sip.conference_factory.clone(),
        exploder: config.pager.exploder.clone(),
        pager: pager_policy(config),
        session_expires_s: config.sip.session_expires_s,
        min_se_s: config.sip.min_se_s,
        anonymity: config.policy.anonymity,
        private_messages: config.policy.private_messages,
        nicknames: config.policy.nicknames,
        adhoc_add: config.policy.adhoc_add,
        adhoc_expel: config.policy.adhoc_expel,
        refer_status: config.policy.refer_status,
        own_mark: config.policy.own_mark.clone(),
        large: config.policy.large.clone(),
        adhoc_participants_max: usize::try_from(limits.adhoc_participants_max)
            .unwrap_or(usize::MAX),
        session_max_s: u64::from(limits.session_max_s),
        message_octets_max: Some(limits.message_octets_max),
        media_transports: config
            .msrp_listeners
            .iter()
            .map(|listener| listener.transport.media_transport())
            .collect(),
        limits: sip_limits(limits),
        ..SipConfig::new(config.domain.clone())
    }
}

fn sip_limits(limits: &Limits) -> UaLimits {
    let count = |count| usize::try_from(count).unwrap_or(usize::MAX);
    let of_sip = UaLimits {
        unfinished_max: count(limits.sip_unfinished_max),
        source_requests_per_s: limits.sip_source_requests_per_s,
        source_unfinished_max: count(limits.sip_source_unfinished_max),
        ..UaLimits::default()
    };
    match limits.memory_octets_max {
        0 => of_sip,
        octets => of_sip.within(octets),
    }
}

fn pager_policy(config: &Config) -> PagerPolicy {
    PagerPolicy {
        lists: config.pager.lists,
        recipients_max: usize::try_from(config.limits.pager_recipients_max).unwrap_or(usize::MAX),
        messages_per_s: config.pager.messages_per_s,
        recipient_history: config.pager.recipient_history,
        notification_wait_s: u64::from(config.pager.notification_wait_s),
        notification_restarts: config.pager.notification_restarts,
        answer_wait_s: u64::from(config.pager.answer_wait_s),
        block_unanswered: config.pager.block_unanswered,
        ..PagerPolicy::default()
    }
}

fn transport(transport: SipTransport) -> Transport {
    match transport {
        SipTransport::Udp => Transport::Udp,
        SipTransport::Tcp => Transport::Tcp,
        SipTransport::Tls => Transport::Tls,
    }
}

fn lock(sip: &Mutex<Option<SipService>>) -> MutexGuard<'_, Option<SipService>> {
    sip.lock().unwrap_or_else(PoisonError::into_inner)
}

fn nanoseconds(seconds: u32) -> u64 {
    u64::from(seconds) * 1_000_000_000
}

/// Longest wait for the answers to the BYEs at the end.
const SIP_END_MAX: Duration = Duration::from_secs(5);
