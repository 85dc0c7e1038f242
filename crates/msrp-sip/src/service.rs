//! The focus at work: one task that carries inputs to [`Focus`] and its outputs to the two engines.
//!
//! The task never waits for an engine: commands are submitted in the order in which the focus gave
//! them, and their answers are inputs like all others.

mod announcer;

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_channel::oneshot;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use ipnet::IpNet;
use msrp_control::metrics::Sample;
use msrp_control::{
    AnnouncementReply, Announcer, Client, ControlError, ErrorCode, EventStream, Reply,
};
use msrp_sdp::MediaTransport;
use rand_core::{OsRng, TryRngCore};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::address::{AddressError, Uri};
use crate::focus::{
    AdHocRight, CommandId, Focus, LargePolicy, Output, OwnMark, PagerPolicy, Policy, SOFTWARE,
    SystemMessage, SystemMessageError,
};
use crate::groups::Groups;
use crate::limits::SESSION_INTERVAL_S_MIN;
use crate::ua::{SipUa, Transport, UaEvent};
use crate::ua_rsipstack::{self, TlsFiles, UaConfig, UaHandle, UaLimits};

use announcer::OrderedAnnouncer;

/// How the SIP side is set up.
#[derive(Debug, Clone)]
pub struct SipConfig {
    /// The host part of the addresses that this node owns.
    pub domain: String,
    /// Where it listens. Port 0 lets the operating system choose.
    pub bind: Vec<(Transport, SocketAddr)>,
    /// Where requests of our own go, `sip:host:port;lr`. Without it they go to the host in their
    /// URI.
    pub outbound_proxy: Option<String>,
    /// Where names are looked up; empty means the name servers of the system.
    pub name_servers: Vec<SocketAddr>,
    /// The files of TLS.
    pub tls: TlsFiles,
    /// Neighbours whose P-Asserted-Identity is believed.
    pub trusted_peers: Vec<IpNet>,
    /// The conference-factory addresses.
    pub conference_factory: Vec<String>,
    /// Addresses beside them to which a MESSAGE with a list may go.
    pub exploder: Vec<String>,
    /// What concerns MESSAGEs to several recipients; [`SipConfig::exploder`] takes the place of its
    /// addresses.
    pub pager: PagerPolicy,
    /// Session interval that we ask for, in seconds; at least 90.
    pub session_expires_s: u32,
    /// Smallest session interval that we accept, in seconds; at least 90.
    pub min_se_s: u32,
    /// Whether ad-hoc sessions allow hidden callers.
    pub anonymity: bool,
    /// Whether ad-hoc sessions allow messages to single participants.
    pub private_messages: bool,
    /// Whether participants may be known by nicknames, in every session.
    pub nicknames: bool,
    /// Most users of an ad-hoc session other than its originator.
    pub adhoc_participants_max: usize,
    /// Longest session, in seconds; 0 means no limit.
    pub session_max_s: u64,
    /// Longest message, in octets; `None` leaves it to the engine.
    pub message_octets_max: Option<u64>,
    /// Whether a group session ends with its originator when the group does not say.
    pub auto_release: bool,
    /// What the engine's listeners serve, the first one's first. Offers of others are refused.
    pub media_transports: Vec<MediaTransport>,
    /// Whether the caller hears that an invitee rings.
    pub relay_ringing: bool,
    /// Who may add users to an ad-hoc session by REFER.
    pub adhoc_add: AdHocRight,
    /// Who may remove others from an ad-hoc session by REFER.
    pub adhoc_expel: AdHocRight,
    /// The status of a REFER that is carried out: 202 or 200.
    pub refer_status: u16,
    /// What concerns large messages and files.
    pub large: LargePolicy,
    /// The namespace of the mark on a subscriber's own entry; `None` writes the mark without.
    pub own_mark: Option<OwnMark>,
    /// The bounds of the SIP engine.
    pub limits: UaLimits,
}

impl SipConfig {
    /// The documented defaults: loopback only.
    #[must_use]
    pub fn new(domain: impl Into<String>) -> Self {
        let domain = domain.into();
        let policy = Policy::new(domain.clone());
        let loopback = SocketAddr::from(([127, 0, 0, 1], 5060));
        Self {
            bind: vec![(Transport::Udp, loopback), (Transport::Tcp, loopback)],
            outbound_proxy: None,
            name_servers: Vec::new(),
            tls: TlsFiles::default(),
            trusted_peers: Vec::new(),
            conference_factory: vec![format!("sip:conference-factory@{domain}")],
            exploder: vec![format!("sip:exploder@{domain}")],
            pager: policy.pager.clone(),
            session_expires_s: policy.session_expires_s,
            min_se_s: policy.min_se_s,
            anonymity: policy.anonymity,
            private_messages: policy.private_messages,
            nicknames: policy.nicknames,
            adhoc_participants_max: policy.adhoc_participants_max,
            session_max_s: policy.session_max_s,
            message_octets_max: policy.message_octets_max,
            auto_release: policy.auto_release,
            media_transports: policy.media_transports,
            relay_ringing: policy.relay_ringing,
            adhoc_add: policy.adhoc_add,
            adhoc_expel: policy.adhoc_expel,
            refer_status: policy.refer_status,
            large: policy.large,
            own_mark: policy.own_mark,
            limits: UaLimits::default(),
            domain,
        }
    }

    fn outbound_transport(&self) -> Transport {
        let proxy = self.outbound_proxy.as_ref();
        let proxy = proxy
            .map(|uri| uri.to_ascii_lowercase())
            .unwrap_or_default();
        let listens_on = |transport| self.bind.iter().any(|(t, _)| *t == transport);
        if proxy.starts_with("sips:") || proxy.contains(";transport=tls") {
            Transport::Tls
        } else if proxy.contains(";transport=tcp") || !listens_on(Transport::Udp) {
            Transport::Tcp
        } else {
            Transport::Udp
        }
    }

    fn policy(&self) -> Result<Policy, StartError> {
        for (name, seconds) in [
            ("session_expires_s", self.session_expires_s),
            ("min_se_s", self.min_se_s),
        ] {
            if seconds < SESSION_INTERVAL_S_MIN {
                return Err(StartError::Interval(name));
            }
        }
        let factory = |text: &String| {
            Uri::parse(text).map_err(|error| StartError::Factory {
                text: text.clone(),
                error,
            })
        };
        Ok(Policy {
            outbound_transport: self.outbound_transport(),
            trusted_peers: self.trusted_peers.clone(),
            conference_factory: self
                .conference_factory
                .iter()
                .map(factory)
                .collect::<Result<_, _>>()?,
            session_expires_s: self.session_expires_s,
            min_se_s: self.min_se_s,
            anonymity: self.anonymity,
            private_messages: self.private_messages,
            nicknames: self.nicknames,
            adhoc_participants_max: self.adhoc_participants_max,
            session_max_s: self.session_max_s,
            message_octets_max: self.message_octets_max,
            auto_release: self.auto_release,
            media_transports: self.media_transports.clone(),
            relay_ringing: self.relay_ringing,
            adhoc_add: self.adhoc_add,
            adhoc_expel: self.adhoc_expel,
            refer_status: self.refer_status,
            own_mark: self.own_mark.clone(),
            large: self.large.clone(),
            pager: PagerPolicy {
                exploder: self
                    .exploder
                    .iter()
                    .map(factory)
                    .collect::<Result<_, _>>()?,
                ..self.pager.clone()
            },
            ..Policy::new(self.domain.clone())
        })
    }
}

/// Why the SIP side did not start. The operator's fault, except for the generator.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The address of a conference factory or exploder cannot be read.
    #[error("the conference factory or exploder {text:?} cannot be used: {error}")]
    Factory {
        /// As configured.
        text: String,
        /// What is wrong.
        error: AddressError,
    },
    /// A session interval is below 90 seconds.
    #[error("{0} must be at least {SESSION_INTERVAL_S_MIN}")]
    Interval(&'static str),
    /// The SIP engine did not start.
    #[error(transparent)]
    Ua(#[from] ua_rsipstack::StartError),
    /// The operating system gave no random numbers.
    #[error("the operating system gives no random numbers")]
    Random,
}

/// The running SIP side of a node. Dropping it ends the conferences as [`SipService::shutdown`]
/// does, without waiting.
#[derive(Debug)]
pub struct SipService {
    /// Where it listens, with real ports, in the order of [`SipConfig::bind`].
    pub addresses: Vec<(Transport, SocketAddr)>,
    focus: Arc<Mutex<Focus>>,
    orders: mpsc::UnboundedSender<Order>,
    task: JoinHandle<()>,
    ua: UaHandle,
}

/// What the owner of the service asks of its task.
enum Order {
    /// Take other groups, then say so.
    SetGroups(Box<dyn Groups + Send>, oneshot::Sender<()>),
    /// Send a message of the server.
    SystemMessage(
        SystemMessage,
        oneshot::Sender<Result<usize, SystemMessageError>>,
    ),
    /// The same for one who holds an [`Announcer`].
    Announce(SystemMessage, AnnouncementReply),
    /// A user answered such a message.
    SystemAnswer(Uri),
    /// End all conferences, then the task.
    Shutdown,
}

/// Starts the SIP side on the current runtime.
///
/// # Errors
/// [`StartError`]. Nothing runs then.
pub async fn start(
    config: SipConfig,
    groups: Box<dyn Groups + Send>,
    client: Client,
) -> Result<SipService, StartError> {
    let mut policy = config.policy()?;
    let mut seed = [0; 32];
    OsRng
        .try_fill_bytes(&mut seed)
        .map_err(|_| StartError::Random)?;
    let ua_config = UaConfig {
        bind: config.bind,
        outbound_proxy: config.outbound_proxy.filter(|proxy| !proxy.is_empty()),
        name_servers: config.name_servers,
        tls: config.tls,
        user_agent: SOFTWARE.to_owned(),
        domain: config.domain,
        trusted_peers: config.trusted_peers,
        limits: config.limits,
    };
    let ua = ua_rsipstack::start(ua_config).await?;
    for (transport, contact) in [
        (Transport::Udp, &mut policy.contact_udp),
        (Transport::Tcp, &mut policy.contact_tcp),
        (Transport::Tls, &mut policy.contact_tls),
    ] {
        if ua.addresses.iter().any(|(t, _)| *t == transport) {
            *contact = Some(ua.handle.contact_host(transport));
        }
    }
    let focus = Arc::new(Mutex::new(Focus::new(policy, groups, seed)));
    let (orders, orders_out) = mpsc::unbounded_channel();
    let driver = Driver::new(focus.clone(), ua.handle.clone(), client);
    let task = tokio::spawn(driver.run(ua.events, orders_out));
    Ok(SipService {
        addresses: ua.addresses,
        focus,
        orders,
        task,
        ua: ua.handle,
    })
}

impl SipService {
    /// Ends all conferences: BYE to every participant. Waits for their answers, at most this long,
    /// then ends the SIP engine.
    pub async fn shutdown(mut self, deadline: Duration) {
        if self.orders.send(Order::Shutdown).is_ok()
            && tokio::time::timeout(deadline, &mut self.task)
                .await
                .is_err()
        {
            tracing::warn!("participants did not answer in time");
            self.task.abort();
        }
        self.ua.shutdown().await;
    }

    /// The present values of the metrics of the SIP side.
    #[must_use]
    pub fn samples(&self) -> Vec<Sample> {
        let focus = self.focus.lock().unwrap_or_else(PoisonError::into_inner);
        let mut samples = focus.samples();
        samples.extend(self.ua.samples());
        samples
    }

    /// The SIP engine, for what concerns no conference.
    #[must_use]
    pub fn ua(&self) -> UaHandle {
        self.ua.clone()
    }

    /// Takes other groups in the place of those it had; see [`Focus::set_groups`]. They are in force when
    /// the future ends, or the end of the service has begun.
    pub fn set_groups(
        &self,
        groups: Box<dyn Groups + Send>,
    ) -> impl Future<Output = ()> + Send + use<> {
        let (done, is_done) = oneshot::channel();
        let _ = self.orders.send(Order::SetGroups(groups, done));
        async {
            let _ = is_done.await;
        }
    }

    /// Sends a message of the server to users; see [`Focus::send_system_message`]. Returns the
    /// number of recipients, before the first has it.
    ///
    /// # Errors
    /// [`SystemMessageError`]; nothing was sent.
    pub async fn send_system_message(
        &self,
        message: SystemMessage,
    ) -> Result<usize, SystemMessageError> {
        let (reply, answer) = oneshot::channel();
        let order = Order::SystemMessage(message, reply);
        if self.orders.send(order).is_err() {
            return Err(SystemMessageError::Draining);
        }
        answer.await.unwrap_or(Err(SystemMessageError::Draining))
    }

    /// The door through which others have messages of the server sent, such as an API. Cheap to clone;
    /// it stays good when the service has ended, and says so then.
    #[must_use]
    pub fn announcer(&self) -> Arc<dyn Announcer> {
        Arc::new(OrderedAnnouncer::new(self.orders.clone()))
    }

    /// Takes note that a user answered a message of the server in another way than SIP; see
    /// [`Focus::note_system_answer`]. Does nothing once the end has begun.
    pub fn note_system_answer(&self, user: Uri) {
        let _ = self.orders.send(Order::SystemAnswer(user));
    }
}

type Answered = (CommandId, Result<Reply, ControlError>);

/// Carries inputs and outputs.
struct Driver<U> {
    focus: Arc<Mutex<Focus>>,
    ua: U,
    client: Client,
    started: Instant,
    answers: FuturesUnordered<Pin<Box<dyn Future<Output = Answered> + Send>>>,
    is_ending: bool,
}

impl<U: SipUa> Driver<U> {
    fn new(focus: Arc<Mutex<Focus>>, ua: U, client: Client) -> Self {
        Self {
            focus,
            ua,
            client,
            started: Instant::now(),
            answers: FuturesUnordered::new(),
            is_ending: false,
        }
    }

    async fn run(
        mut self,
        mut events: mpsc::Receiver<UaEvent>,
        mut orders: mpsc::UnboundedReceiver<Order>,
    ) {
        let mut engine: EventStream = self.client.subscribe();
        let mut has_engine = true;
        loop {
            let (wakes_at, is_idle) = self.drain();
            if self.is_ending && is_idle && self.answers.is_empty() {
                return;
            }
            let wakes_at =
                wakes_at.and_then(|ns| self.started.checked_add(Duration::from_nanos(ns)));
            tokio::select! {
                event = events.recv() => match event {
                    Some(event) => self.with_focus(|focus, now| focus.handle_ua(now, event)),
                    None => return,
                },
                Some((command, result)) = self.answers.next(), if !self.answers.is_empty() => {
                    self.with_focus(|focus, now| focus.handle_control(now, command, result));
                }
                event = engine.next(), if has_engine => match event {
                    Some(event) => self.with_focus(|focus, now| focus.handle_engine_event(now, &event)),
                    None => {
                        // Cut off for being slow, or the engine is gone; then the new stream ends
                        // at once.
                        tracing::error!("events of the engine were lost");
                        engine = self.client.subscribe();
                        has_engine = self.client.engine().is_alive();
                    }
                },
                order = orders.recv(), if !self.is_ending => match order {
                    Some(Order::SetGroups(groups, done)) => {
                        self.with_focus(|focus, now| focus.set_groups(now, groups));
                        let _ = done.send(());
                    }
                    Some(Order::SystemMessage(message, reply)) => self.with_focus(|focus, now| {
                        // Nobody may wait for the answer any more.
                        let _ = reply.send(focus.send_system_message(now, &message));
                    }),
                    Some(Order::Announce(message, reply)) => self.with_focus(|focus, now| {
                        let sent = focus.send_system_message(now, &message);
                        let _ = reply.send(sent.map_err(announcer::control_error));
                    }),
                    Some(Order::SystemAnswer(user)) => self.with_focus(|focus, _| {
                        focus.note_system_answer(&user);
                    }),
                    Some(Order::Shutdown) | None => {
                        self.is_ending = true;
                        self.with_focus(|focus, now| focus.begin_shutdown(now));
                    }
                },
                () = sleep_until(wakes_at) => self.with_focus(|focus, now| focus.handle_timeout(now)),
            }
        }
    }

    fn with_focus(&self, run: impl FnOnce(&mut Focus, u64)) {
        let now = self.now();
        run(
            &mut self.focus.lock().unwrap_or_else(PoisonError::into_inner),
            now,
        );
    }

    /// Does what the focus wants done. Tells when it wants to be called, and whether nothing is
    /// left.
    fn drain(&mut self) -> (Option<u64>, bool) {
        let now = self.now();
        let mut focus = self.focus.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(output) = focus.poll_output() {
            match output {
                Output::Ua(action) => {
                    if let Some(receipt) = action.perform(&mut self.ua) {
                        focus.handle_receipt(now, receipt);
                    }
                }
                Output::Control(id, command) => {
                    let (reply, answer) = oneshot::channel();
                    self.client.engine().submit(command, reply);
                    self.answers.push(Box::pin(async move {
                        (id, answer.await.unwrap_or_else(|_| Err(unavailable())))
                    }));
                }
            }
        }
        (focus.poll_timeout(), focus.is_idle())
    }

    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

fn unavailable() -> ControlError {
    ControlError::new(ErrorCode::Unavailable, "the engine did not answer")
}
