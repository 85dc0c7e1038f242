//! Webhooks: events brought to an HTTP server of the operator, signed, in order, each until it was
//! taken.
//!
//! Those of the configuration are there from the start and stay; others come and go by the API. A
//! webhook is a consumer of events like any other, so nothing waits for it.

mod delivery;
mod post;
mod signature;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Json;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::access::ContentReading;
use crate::events::{self, Cursor, Filter};
use crate::extract::{Content, WebhookName};
use crate::limits::{RESUBSCRIBE_DELAY, RETRY_AFTER_LIMIT_S, WEBHOOK_FLUSH_MAX, WEBHOOKS_MAX};
use crate::{Api, Problem};
pub use delivery::Patience;
pub use post::Target;
pub use signature::Secret;

/// One webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// What it is called: as an id.
    pub name: String,
    /// Where its events go.
    pub target: Target,
    /// What its requests are signed with.
    pub secret: Secret,
    /// The types of events that it gets; `None` means all but those of messages.
    pub types: Option<Vec<String>>,
    /// The rooms whose events it gets; `None` means all.
    pub rooms: Option<Vec<String>>,
}

impl Webhook {
    /// Whether its name, its types and its rooms can be.
    ///
    /// # Errors
    /// What is wrong, in one sentence.
    pub fn check(&self) -> Result<(), String> {
        msrp_control::RoomId::new(&self.name)
            .map_err(|error| format!("{}: {error}.", self.name))?;
        self.filter().map(drop)
    }

    fn filter(&self) -> Result<Filter, String> {
        events::filter(self.types.as_deref(), self.rooms.as_deref())
    }
}

/// The webhooks of a node.
#[derive(Default)]
pub(crate) struct Webhooks(Mutex<BTreeMap<String, Running>>);

struct Running {
    webhook: Arc<Webhook>,
    state: Arc<State>,
    is_configured: bool,
    task: JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// How far a webhook is.
#[derive(Debug, Default)]
struct State {
    delivered: AtomicU64,
    /// Failures since the last success.
    failures: AtomicU64,
    trouble: Mutex<Option<String>>,
    cursor: Mutex<Option<Cursor>>,
}

impl State {
    fn reached(&self, cursor: Cursor) {
        *self.cursor.lock().unwrap_or_else(PoisonError::into_inner) = Some(cursor);
    }

    fn delivered(&self, events: usize) {
        self.delivered.fetch_add(events as u64, Ordering::Relaxed);
        self.failures.store(0, Ordering::Relaxed);
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Whether it is the first failure after a success.
    fn failed(&self, error: &str) -> bool {
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        *trouble = Some(error.to_owned());
        self.failures.fetch_add(1, Ordering::Relaxed) == 0
    }
}

impl Webhooks {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Running>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends all of them.
    pub(crate) fn end(&self) {
        self.lock().clear();
    }
}

impl Running {
    fn document(&self) -> Value {
        let webhook = &self.webhook;
        let lock = |text: &Mutex<Option<String>>| {
            let text = text.lock().unwrap_or_else(PoisonError::into_inner);
            text.clone()
        };
        let cursor = self.state.cursor.lock();
        let cursor = *cursor.unwrap_or_else(PoisonError::into_inner);
        json!({
            "webhook": webhook.name,
            "url": webhook.target.to_string(),
            "types": webhook.types,
            "rooms": webhook.rooms,
            "configured": self.is_configured,
            "events_delivered": self.state.delivered.load(Ordering::Relaxed),
            "failures": self.state.failures.load(Ordering::Relaxed),
            "last_error": lock(&self.state.trouble),
            "cursor": cursor.map(|cursor| cursor.to_string()),
        })
    }
}

impl Api {
    /// Starts a webhook of the configuration, which stays as long as the node runs.
    ///
    /// # Errors
    /// What is wrong with it, in one sentence: the operator's fault.
    pub fn add_webhook(self: &Arc<Self>, webhook: Webhook) -> Result<(), String> {
        let started = self.start_webhook(webhook, true);
        started.map(drop).map_err(|problem| problem.detail)
    }

    /// Waits until the webhooks whose targets answer have what has happened so far, for a short time.
    pub async fn flush_webhooks(&self) {
        let end = self.log.end();
        let is_behind = |running: &Running| {
            let cursor = running.state.cursor.lock();
            let cursor = *cursor.unwrap_or_else(PoisonError::into_inner);
            let fails = running.state.failures.load(Ordering::Relaxed) > 0;
            !fails && cursor.is_none_or(|cursor| cursor.seq < end.seq)
        };
        let delivered = async {
            while self.webhooks.lock().values().any(is_behind) {
                tokio::time::sleep(RESUBSCRIBE_DELAY).await;
            }
        };
        let _ = tokio::time::timeout(WEBHOOK_FLUSH_MAX, delivered).await;
    }

    /// Ends the webhooks. What was not delivered is lost; a node that starts anew tells its state.
    pub fn end_webhooks(&self) {
        self.webhooks.end();
    }

    /// Starts a webhook, in the place of one of the same name that says otherwise. Whether it is new.
    fn start_webhook(self: &Arc<Self>, new: Webhook, is_configured: bool) -> Result<bool, Problem> {
        new.check()
            .map_err(|detail| Problem::bad("malformed_webhook", detail))?;
        let filter = new
            .filter()
            .map_err(|detail| Problem::bad("malformed_webhook", detail))?;
        let mut running = self.webhooks.lock();
        let present = running.get(&new.name);
        if present.is_some_and(|present| present.is_configured) {
            return Err(configured(&new.name));
        }
        if present.is_some_and(|present| *present.webhook == new) {
            return Ok(false);
        }
        let is_new = present.is_none();
        if is_new && running.len() >= WEBHOOKS_MAX {
            let detail = format!("{WEBHOOKS_MAX} webhooks run, the most there may be; remove one.");
            let status = StatusCode::SERVICE_UNAVAILABLE;
            return Err(Problem::new(status, "limit", 503, detail).retry_after(RETRY_AFTER_LIMIT_S));
        }
        let (webhook, state) = (Arc::new(new), Arc::<State>::default());
        let delivery = delivery::run(
            Arc::clone(self),
            Arc::clone(&webhook),
            filter,
            Arc::clone(&state),
        );
        let name = webhook.name.clone();
        let started = Running {
            webhook,
            state,
            is_configured,
            task: tokio::spawn(delivery),
        };
        running.insert(name, started);
        Ok(is_new)
    }
}

/// A webhook, as a request gives it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewWebhook {
    url: String,
    secret: String,
    types: Option<Vec<String>>,
    rooms: Option<Vec<String>>,
}

pub(crate) async fn list(Shared(api): Shared<Arc<Api>>) -> Json<Value> {
    let webhooks: Vec<Value> = api
        .webhooks
        .lock()
        .values()
        .map(Running::document)
        .collect();
    Json(json!({ "webhooks": webhooks }))
}

pub(crate) async fn show(
    Shared(api): Shared<Arc<Api>>,
    WebhookName(name): WebhookName,
) -> Result<Json<Value>, Problem> {
    let running = api.webhooks.lock();
    let one = running.get(&name).ok_or_else(|| no_such(&name))?;
    Ok(Json(one.document()))
}

pub(crate) async fn put(
    Shared(api): Shared<Arc<Api>>,
    WebhookName(name): WebhookName,
    reading: ContentReading,
    content: Content,
) -> Result<Response, Problem> {
    let new: NewWebhook = content.json()?;
    let wrong = |field: &str, expected: &str| {
        Problem::bad("malformed_webhook", format!("{field}: give {expected}."))
    };
    let webhook = Webhook {
        target: Target::parse(&new.url).map_err(|expected| wrong("url", expected))?,
        secret: Secret::parse(&new.secret).map_err(|expected| wrong("secret", expected))?,
        types: new.types,
        rooms: new.rooms,
        name: name.clone(),
    };
    let filter = webhook.filter();
    reading.check(&filter.map_err(|detail| Problem::bad("malformed_webhook", detail))?)?;
    let status = if api.start_webhook(webhook, false)? {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    let running = api.webhooks.lock();
    let document = running.get(&name).map(Running::document);
    Ok((status, Json(document)).into_response())
}

pub(crate) async fn remove(
    Shared(api): Shared<Arc<Api>>,
    WebhookName(name): WebhookName,
) -> Result<StatusCode, Problem> {
    let mut running = api.webhooks.lock();
    let one = running.get(&name).ok_or_else(|| no_such(&name))?;
    if one.is_configured {
        return Err(configured(&name));
    }
    running.remove(&name);
    Ok(StatusCode::NO_CONTENT)
}

fn no_such(name: &str) -> Problem {
    let detail = format!("There is no webhook {name}; GET /v1/webhooks lists them.");
    Problem::new(StatusCode::NOT_FOUND, "no_such_webhook", 404, detail)
}

fn configured(name: &str) -> Problem {
    let detail = format!("The webhook {name} stands in the configuration; change it there.");
    Problem::new(StatusCode::CONFLICT, "webhook_configured", 500, detail)
}
