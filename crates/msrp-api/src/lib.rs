//! The HTTP API of the engine, `/v1`: JSON, and SDP where a proxy script wants nothing else.
//!
//! Never does what the SIP focus could not do as well: every request becomes commands of
//! `msrp-control`, and the engine alone knows what runs. This crate keeps nothing about rooms.
//!
//! ```text
//!   request -> access -> idempotency key -> handler -> Command -> engine
//!                                              |                    |
//!            problem document <- ControlError <-+<------- Reply <---+
//! ```
//!
//! Every answer that is no success is a [`Problem`]. `docs/openapi.json` describes all of it and is
//! served at `/v1/openapi.json`.
#![forbid(unsafe_code)]

mod access;
mod announcement;
mod drain;
pub mod events;
mod extract;
mod idempotency;
pub mod limits;
mod message;
mod node;
mod page;
mod participant;
mod problem;
mod random_id;
mod relay;
mod reload;
mod room;
mod trace;
pub mod webhook;

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::header;
use axum::middleware;
use axum::response::IntoResponse;
use axum::routing::{MethodRouter, get, patch, post, put};
use msrp_control::{Announcer, Client};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

pub use access::{Access, Scope, TokenStore, Tokens, TokensError, guard};
pub use drain::DrainPlan;
use drain::DrainSwitch;
use events::{EventLog, MessageWatch};
use idempotency::Remembered;
pub use problem::{Problem, method_not_allowed, not_found};
pub use reload::{Reload, Reloaded};
use webhook::Webhooks;

/// What the API tells about the node that it does not learn from the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiConfig {
    /// The version of the product.
    pub version: String,
    /// The host part of the address that a room has when none is given.
    pub domain: String,
    /// Tells this run of the node from every other one, so that cursors of another are known.
    pub run: u64,
    /// Events that are kept for consumers that come back.
    pub events_max: usize,
    /// How patient webhooks are.
    pub patience: webhook::Patience,
}

/// The API of one engine.
pub struct Api {
    client: Client,
    config: ApiConfig,
    remembered: Remembered,
    /// Held while a participant is read, changed and written.
    changes: tokio::sync::Mutex<()>,
    log: Arc<EventLog>,
    watch: Arc<MessageWatch>,
    consumers: Arc<Semaphore>,
    webhooks: Webhooks,
    draining: DrainSwitch,
    feed: JoinHandle<()>,
    reload: OnceLock<Reload>,
    announcer: OnceLock<Arc<dyn Announcer>>,
}

impl Drop for Api {
    fn drop(&mut self) {
        self.feed.abort();
    }
}

impl Api {
    /// The API of the engine behind this client. Events are kept from now on, by a task of the
    /// runtime that this is called in.
    #[must_use]
    pub fn new(client: Client, config: ApiConfig) -> Arc<Self> {
        let log = Arc::new(EventLog::new(config.run, config.events_max));
        let stream = client.subscribe_with_interest();
        let watch = MessageWatch::new(Arc::clone(&log), stream.interest());
        let feed = events::feed(client.clone(), stream, Arc::clone(&log), Arc::clone(&watch));
        Arc::new(Self {
            client,
            config,
            remembered: Remembered::default(),
            changes: tokio::sync::Mutex::default(),
            log,
            watch,
            consumers: Arc::new(Semaphore::new(limits::CONSUMERS_MAX)),
            webhooks: Webhooks::default(),
            draining: DrainSwitch::default(),
            feed: tokio::spawn(feed),
            reload: OnceLock::new(),
            announcer: OnceLock::new(),
        })
    }

    /// Says what reads everything anew that can be read anew, once. Until then a request for it is
    /// answered with 503.
    pub fn set_reload(&self, reload: Reload) {
        // A second one would be a second daemon, of which there is none.
        let _ = self.reload.set(reload);
    }

    /// Says who sends messages of the server to users, once. Until then a request for one is answered
    /// with 503.
    pub fn set_announcer(&self, announcer: Arc<dyn Announcer>) {
        // A second one would be a second focus, of which there is none.
        let _ = self.announcer.set(announcer);
    }

    /// The routes below `/v1`, with an answer of their own for methods that are not served.
    pub fn router(self: &Arc<Self>) -> Router {
        let keyed = middleware::from_fn_with_state(Arc::clone(self), idempotency::answer_once);
        let add = |router: Router<Arc<Self>>, (path, methods)| router.route(path, methods);
        routes()
            .into_iter()
            .fold(Router::new(), add)
            .method_not_allowed_fallback(method_not_allowed)
            .layer(keyed)
            .layer(DefaultBodyLimit::max(limits::BODY_OCTETS_MAX))
            .with_state(Arc::clone(self))
    }

    /// Every path that the API serves.
    #[must_use]
    pub fn paths() -> Vec<&'static str> {
        routes().into_iter().map(|(path, _)| path).collect()
    }
}

fn routes() -> Vec<(&'static str, MethodRouter<Arc<Api>>)> {
    vec![
        ("/v1/rooms", get(room::list)),
        (
            "/v1/rooms/{room}",
            put(room::put)
                .get(room::show)
                .patch(room::change)
                .delete(room::close),
        ),
        (
            "/v1/rooms/{room}/participants",
            get(participant::list).post(participant::add),
        ),
        (
            "/v1/rooms/{room}/participants/{participant}",
            patch(participant::change)
                .get(participant::show)
                .delete(participant::remove),
        ),
        (
            "/v1/rooms/{room}/participants/{participant}/answer",
            put(participant::answer),
        ),
        (
            "/v1/rooms/{room}/participants/{participant}/offer",
            post(participant::reoffer),
        ),
        ("/v1/rooms/{room}/messages", post(message::send)),
        ("/v1/rooms/{room}/trace", get(trace::of_room)),
        (
            "/v1/rooms/{room}/participants/{participant}/trace",
            get(trace::of_participant),
        ),
        ("/v1/announcements", post(announcement::send)),
        ("/v1/announcements/answers", post(announcement::note_answer)),
        ("/v1/relays", get(relay::list).post(relay::create)),
        ("/v1/relays/{relay}", get(relay::show).delete(relay::delete)),
        ("/v1/relays/{relay}/answer", put(relay::answer)),
        ("/v1/relays/{relay}/offer", post(relay::reoffer)),
        ("/v1/events", get(events::open)),
        ("/v1/webhooks", get(webhook::list)),
        (
            "/v1/webhooks/{webhook}",
            put(webhook::put).get(webhook::show).delete(webhook::remove),
        ),
        ("/v1/node", get(node::show)),
        ("/v1/node:drain", post(node::drain)),
        ("/v1/node:undrain", post(node::undrain)),
        ("/v1/node:reload", post(reload::reload)),
        ("/v1/openapi.json", get(document)),
    ]
}

async fn document() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT)
}

/// The OpenAPI document of the API.
pub const DOCUMENT: &str = include_str!("../../../docs/openapi.json");
