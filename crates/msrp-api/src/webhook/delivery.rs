//! The events of one webhook, delivered in order, each until its target has taken it.
//!
//! ```text
//!   EventLog --Consumer--> frames --batch--> POST --2xx--> the cursor moves, next batch
//!                                             ^  |
//!                                   back-off  +--+ anything else
//! ```
//!
//! One request is under way at a time, so the order of a room stays. The ring of events is all that a
//! dead target holds: when what it has to get next is gone, it gets `gap` and the state of all rooms.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::body::Bytes;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::post::Poster;
use super::{State, Webhook};
use crate::Api;
use crate::events::{Consumer, Cursor, Filter, Frame, Start};
use crate::limits::{WEBHOOK_EVENTS_MAX, WEBHOOK_OCTETS_MAX};

/// How patient webhooks are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Longest wait for the answer to one request.
    pub answer_max: Duration,
    /// Wait after the first failure; it doubles with each further one.
    pub delay_min: Duration,
    /// Longest wait between two tries.
    pub delay_max: Duration,
    /// How long one request is tried. Then its events are given up: `gap` and the state follow.
    pub request_max: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            answer_max: Duration::from_secs(10),
            delay_min: Duration::from_millis(500),
            delay_max: Duration::from_secs(60),
            request_max: Duration::from_secs(3600),
        }
    }
}

/// Some events on their way.
struct Batch {
    frames: Vec<Frame>,
    /// Where to go on when it is taken.
    cursor: Option<Cursor>,
}

/// Delivers for ever.
pub(super) async fn run(api: Arc<Api>, webhook: Arc<Webhook>, filter: Filter, state: Arc<State>) {
    let mut start = Start::Behind(Cursor::NEVER);
    let mut sender = Sender {
        poster: Poster::new(webhook.target.clone()),
        patience: api.config.patience,
        run: api.config.run,
        sent: 0,
        webhook,
        state,
    };
    loop {
        let consumer = Consumer::of_webhook(&api, start, filter.clone());
        let mut frames = consumer.run(Arc::clone(&api));
        while let Some(batch) = next_batch(&mut frames).await {
            if !sender.deliver(&batch).await {
                start = Start::Behind(Cursor::NEVER);
                break;
            }
            if let Some(cursor) = batch.cursor {
                sender.state.reached(cursor);
                start = Start::Behind(cursor);
            }
        }
        // The events are gone, the target gave no sign, or the engine does not answer.
        tokio::time::sleep(crate::limits::RESUBSCRIBE_DELAY).await;
    }
}

/// What has come, at most so much. What the stream says of itself alone moves the cursor.
async fn next_batch(frames: &mut mpsc::Receiver<Frame>) -> Option<Batch> {
    let mut batch = Batch {
        frames: Vec::new(),
        cursor: None,
    };
    let mut octets = 0;
    let mut next = frames.recv().await;
    next.as_ref()?;
    while let Some(frame) = next {
        batch.cursor = frame.cursor.or(batch.cursor);
        if !matches!(frame.kind, "progress" | "cut") {
            octets += frame.json.len();
            batch.frames.push(frame);
        }
        if batch.frames.len() >= WEBHOOK_EVENTS_MAX || octets >= WEBHOOK_OCTETS_MAX {
            break;
        }
        next = frames.try_recv().ok();
    }
    Some(batch)
}

struct Sender {
    poster: Poster,
    webhook: Arc<Webhook>,
    state: Arc<State>,
    patience: Patience,
    run: u64,
    /// Requests so far.
    sent: u64,
}

impl Sender {
    /// Tries until the target has taken it; `false` when its time is over.
    async fn deliver(&mut self, batch: &Batch) -> bool {
        if batch.frames.is_empty() {
            return true;
        }
        self.sent += 1;
        let id = format!("{}.{:x}.{}", self.webhook.name, self.run, self.sent);
        let body = body(&self.webhook.name, &batch.frames);
        let begun = Instant::now();
        let mut delay = self.patience.delay_min;
        loop {
            let Err(error) = self.attempt(&id, body.clone()).await else {
                self.state.delivered(batch.frames.len());
                return true;
            };
            let name = &self.webhook.name;
            if self.state.failed(&error) {
                tracing::warn!(webhook = name, error, "a webhook does not take its events");
            }
            if begun.elapsed() >= self.patience.request_max {
                tracing::warn!(webhook = name, "events of a webhook were given up");
                return false;
            }
            tokio::time::sleep(delay).await;
            delay = (delay * 2).min(self.patience.delay_max);
        }
    }

    async fn attempt(&mut self, id: &str, body: Bytes) -> Result<(), String> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let time_s = since.map_or(0, |since| since.as_secs());
        let headers = [
            ("webhook-id", id.to_owned()),
            ("webhook-timestamp", time_s.to_string()),
            (
                "webhook-signature",
                self.webhook.secret.sign(id, time_s, &body),
            ),
        ];
        self.poster
            .post(&headers, body, self.patience.answer_max)
            .await
    }
}

fn body(name: &str, frames: &[Frame]) -> Bytes {
    let events: Vec<&str> = frames.iter().map(|frame| frame.json.as_str()).collect();
    let events = events.join(",\n");
    format!("{{\"webhook\":\"{name}\",\"events\":[\n{events}\n]}}\n").into()
}
