//! The admin HTTP server: liveness, readiness, metrics, and the API below `/v1`.
//!
//! Without tokens it listens on a loopback address only, unless the configuration opens it in as many
//! words. Every answer that is an error of the caller is a problem document (RFC 9457).

mod exposition;
mod local_socket;
pub mod metric;
mod phase;
pub(crate) mod process;
pub(crate) mod tls;

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use exposition::protobuf;
use local_socket::{LocalSocket, SocketFile};
use msrp_api::{Access, Api, ApiConfig, Reload, TokenStore, guard};
use msrp_control::Client;
use msrp_control::metrics::Sample;
pub use phase::Phase;
use tls::{TlsListener, TlsStore};

use crate::config::Admin;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Gives the present values of some metrics.
pub type Samples = Box<dyn Fn() -> Vec<Sample> + Send + Sync>;

/// What the admin server reports on.
pub struct Node {
    client: Client,
    api: Arc<Api>,
    sip: OnceLock<Samples>,
    others: std::sync::Mutex<Vec<Samples>>,
    phase: std::sync::Mutex<Phase>,
    start_s: u64,
}

impl Node {
    /// A node that is starting, with this engine. `domain` is the host part of the addresses that
    /// rooms have when the API is given none.
    pub fn new(client: Client, domain: &str) -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
        let since_epoch = since_epoch.unwrap_or_default();
        let config = ApiConfig {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            domain: domain.to_owned(),
            run: u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX),
            events_max: msrp_api::limits::EVENTS_MAX,
            patience: Default::default(),
        };
        Self {
            api: Api::new(client.clone(), config),
            client,
            sip: OnceLock::new(),
            others: std::sync::Mutex::default(),
            phase: std::sync::Mutex::new(Phase::Starting),
            start_s: since_epoch.as_secs(),
        }
    }

    /// Adds the metrics of the SIP focus, once.
    pub fn add_sip(&self, samples: Samples) {
        // A second call would be a second focus, of which there is none.
        let _ = self.sip.set(samples);
    }

    /// Says what reads everything anew when the API is asked for it, once.
    pub fn set_reload(&self, reload: Reload) {
        self.api.set_reload(reload);
    }

    /// Whether every shard goes round its loop.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.client.engine().is_alive()
    }

    /// The API of the node.
    pub fn api(&self) -> &Arc<Api> {
        &self.api
    }

    /// Adds the metrics of another part of the node.
    pub fn add_samples(&self, samples: Samples) {
        let mut others = self.others.lock().unwrap_or_else(|e| e.into_inner());
        others.push(samples);
    }

    /// Says where in its life the node is.
    pub fn set_phase(&self, phase: Phase) {
        *self.phase.lock().unwrap_or_else(|e| e.into_inner()) = phase;
    }

    /// Whether its end has begun.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        matches!(self.phase(), Phase::Stopping)
    }

    fn phase(&self) -> Phase {
        *self.phase.lock().unwrap_or_else(|e| e.into_inner())
    }

    fn samples(&self) -> Vec<Sample> {
        let mut samples = metric::of_process(self.start_s);
        samples.extend(self.client.engine().samples());
        if let Some(sip) = self.sip.get() {
            samples.extend(sip());
        }
        let others = self.others.lock().unwrap_or_else(|e| e.into_inner());
        samples.extend(others.iter().flat_map(|samples| samples()));
        drop(others);
        samples
    }
}

/// A running admin server. It ends when this is dropped.
pub struct AdminServer {
    address: SocketAddr,
    config: Admin,
    tokens: Option<Arc<TokenStore>>,
    tls: Option<Arc<TlsStore>>,
    tasks: Vec<JoinHandle<()>>,
    _socket: Option<SocketFile>,
}

/// What the admin server has beside its configuration.
#[derive(Debug, Default)]
pub struct AdminExtras {
    /// A socket that listens at its address already.
    pub listener: Option<std::net::TcpListener>,
    /// Further paths. The same callers may use them.
    pub pages: Router,
}

impl AdminServer {
    /// Listens as the configuration says and answers for `node`.
    ///
    /// # Errors
    /// A sentence that says which part of the configuration cannot be used and why: the operator's
    /// fault.
    pub async fn start(
        config: &Admin,
        node: Arc<Node>,
        extras: AdminExtras,
    ) -> Result<Self, String> {
        let tokens = config.read_tokens()?;
        let tokens = tokens.map(|tokens| Arc::new(TokenStore::new(tokens)));
        let access = access(config, tokens.clone());
        let tls = config.read_tls()?;
        let tls = tls.map(|tls| Arc::new(TlsStore::new(tls)));
        for webhook in &config.webhooks {
            node.api.add_webhook(webhook.read()?)?;
        }
        let listener = listen(config.bind, extras.listener)?;
        let unknown = |e| format!("the admin address is not known: {e}");
        let address = listener.local_addr().map_err(unknown)?;
        let router = router(node).merge(extras.pages);
        let (mut tasks, mut file) = (Vec::new(), None);
        if let Some(path) = &config.socket {
            let (socket, made) = LocalSocket::bind(path).map_err(|e| {
                let path = path.display();
                format!("the admin socket {path} could not be bound: {e}")
            })?;
            file = Some(made);
            let open = guard(router.clone(), Access::Everyone);
            tasks.push(tokio::spawn(async move {
                let _ = axum::serve(socket, open).await;
            }));
        }
        let guarded = guard(router, access);
        let secured = tls.clone();
        tasks.push(tokio::spawn(async move {
            // Ends with the task only: accept errors are retried inside.
            let _ = match secured {
                None => axum::serve(listener, guarded).await,
                Some(tls) => axum::serve(TlsListener::new(listener, address, tls), guarded).await,
            };
        }));
        Ok(Self {
            address,
            config: config.clone(),
            tokens,
            tls,
            tasks,
            _socket: file,
        })
    }

    /// What reads the tokens and the certificates anew. It returns what puts them in force, for requests and
    /// connections to come, or which file is wrong, and why.
    pub fn files(&self) -> impl Fn() -> Result<Take, String> + Clone + Send + 'static + use<> {
        let config = self.config.clone();
        let (store, secured) = (self.tokens.clone(), self.tls.clone());
        move || {
            let (tokens, tls) = (config.read_tokens()?, config.read_tls()?);
            let (store, secured) = (store.clone(), secured.clone());
            Ok(Box::new(move || {
                if let (Some(store), Some(tokens)) = (store, tokens) {
                    store.replace(tokens);
                }
                if let (Some(secured), Some(tls)) = (secured, tls) {
                    secured.replace(tls);
                }
            }))
        }
    }

    /// The address that was bound.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Puts in force what was read.
pub type Take = Box<dyn FnOnce() + Send>;

impl Drop for AdminServer {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// Takes the socket that listens already, or binds one.
fn listen(bind: SocketAddr, bound: Option<std::net::TcpListener>) -> Result<TcpListener, String> {
    let listen = || {
        let listener = bound.map_or_else(|| std::net::TcpListener::bind(bind), Ok)?;
        listener.set_nonblocking(true)?;
        TcpListener::from_std(listener)
    };
    listen().map_err(|e| format!("the admin address {bind} could not be bound: {e}"))
}

/// Who may use the address.
fn access(config: &Admin, tokens: Option<Arc<TokenStore>>) -> Access {
    match tokens {
        Some(tokens) => Access::Tokens(tokens),
        // Who got through the handshake showed a certificate.
        None if config.client_ca.is_some() || config.allow_unauthenticated => Access::Everyone,
        None => Access::Loopback,
    }
}

fn router(node: Arc<Node>) -> Router {
    let api = node.api.router();
    Router::new()
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .fallback(msrp_api::not_found)
        .method_not_allowed_fallback(msrp_api::method_not_allowed)
        .with_state(node)
        .merge(api)
}

async fn livez(State(node): State<Arc<Node>>) -> impl IntoResponse {
    if node.is_alive() {
        (StatusCode::OK, "ok\n")
    } else {
        let text = "not alive: a shard has not gone round its loop within the last second\n";
        (StatusCode::SERVICE_UNAVAILABLE, text)
    }
}

async fn readyz(State(node): State<Arc<Node>>) -> impl IntoResponse {
    match node.phase() {
        Phase::Ready if is_draining(&node).await => (StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
        Phase::Ready => (StatusCode::OK, "ready\n"),
        Phase::Starting => (StatusCode::SERVICE_UNAVAILABLE, "starting\n"),
        Phase::Stopping => (StatusCode::SERVICE_UNAVAILABLE, "stopping\n"),
    }
}

/// Whether new rooms are refused. An engine that does not answer is for `/livez` to tell.
async fn is_draining(node: &Node) -> bool {
    node.client
        .status()
        .await
        .is_ok_and(|status| status.drain != msrp_control::Drain::Off)
}

async fn metrics(State(node): State<Arc<Node>>, headers: HeaderMap) -> Response {
    let (samples, histograms) = (node.samples(), node.client.engine().histograms());
    let accept = headers.get(header::ACCEPT);
    let accept = accept.and_then(|value| value.to_str().ok());
    if protobuf::is_wanted(accept.unwrap_or_default()) {
        let octets = protobuf::render(&samples, &histograms);
        return ([(header::CONTENT_TYPE, protobuf::CONTENT_TYPE)], octets).into_response();
    }
    let text = exposition::render(&samples, &histograms);
    ([(header::CONTENT_TYPE, exposition::CONTENT_TYPE)], text).into_response()
}

#[cfg(test)]
mod tests;
