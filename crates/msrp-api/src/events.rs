//! `GET /v1/events`: what happens in the engine, in order, to any number of consumers.
//!
//! ```text
//!   engine --EventStream--> feed --> EventLog (ring) --read behind a cursor--> consumer task
//!                                                                                  | channel
//!                                                                 SSE or WebSocket <+
//! ```
//!
//! The feed takes every event at once, so the engine never waits and never cuts it off for a
//! consumer's sake. Each consumer reads the ring at its own pace. One that knows where it was goes
//! on there; when the ring has wrapped meanwhile it gets `gap`, then the state of every room as
//! `snapshot`, then `snapshot_end` with the cursor from which events go on. A snapshot is taken
//! after that cursor: events behind it may tell again what the snapshot shows already, and applied
//! in order they lead to the same state.

mod consumer;
mod document;
mod log;
mod snapshot;
mod sse;
mod watch;
mod web_socket;

use std::sync::Arc;

use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use msrp_control::{Client, RoomId, Subscription, Told};
use serde::Deserialize;
use serde_json::json;

use crate::access::ContentReading;
use crate::extract::Query;
use crate::{Api, Problem, limits};
pub(crate) use consumer::{Consumer, Filter, Frame, Start};
pub(crate) use document::drain_word;
pub(crate) use log::{Cursor, Detail, EventLog};
pub(crate) use watch::MessageWatch;

/// What a consumer wants.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EventQuery {
    cursor: Option<String>,
    types: Option<String>,
    rooms: Option<String>,
}

pub(crate) async fn open(
    State(api): State<Arc<Api>>,
    Query(query): Query<EventQuery>,
    reading: ContentReading,
    request: Request,
) -> Result<Response, Problem> {
    let filter = query.filter()?;
    reading.check(&filter)?;
    let consumer = Consumer::new(&api, query.start(request.headers())?, filter)?;
    if !request.headers().contains_key("Sec-WebSocket-Key") {
        return Ok(sse::respond(consumer.run(api)));
    }
    let (mut parts, _) = request.into_parts();
    let upgrade = WebSocketUpgrade::from_request_parts(&mut parts, &());
    let upgrade = upgrade.await.map_err(|rejection| {
        Problem::bad("malformed_upgrade", format!("{}.", rejection.body_text()))
    })?;
    Ok(upgrade
        .on_upgrade(move |socket| web_socket::serve(socket, consumer.run(api)))
        .into_response())
}

impl EventQuery {
    /// Where to start. A client of server-sent events that connects again says so in a header
    /// field, which is younger than its address.
    fn start(&self, headers: &HeaderMap) -> Result<Start, Problem> {
        let again = headers.get("Last-Event-ID");
        let again = again.and_then(|id| id.to_str().ok());
        match again.or(self.cursor.as_deref()) {
            None | Some("") => Ok(Start::State),
            Some("latest") => Ok(Start::Now),
            Some(text) => Cursor::parse(text).map(Start::Behind).ok_or_else(|| {
                let detail = format!(
                    "{text} is no cursor; give one that an event carried, latest, or none for a \
                     snapshot first."
                );
                Problem::bad("malformed_query", detail)
            }),
        }
    }

    fn filter(&self) -> Result<Filter, Problem> {
        let names = |list: &Option<String>| {
            let list = list.as_deref();
            list.map(|list| list.split(',').map(str::to_owned).collect::<Vec<_>>())
        };
        filter(names(&self.types).as_deref(), names(&self.rooms).as_deref())
            .map_err(|detail| Problem::bad("malformed_query", detail))
    }
}

/// Which events are wanted, from the names of types and rooms.
///
/// # Errors
/// What is no type and no id, in one sentence.
pub(crate) fn filter(types: Option<&[String]>, rooms: Option<&[String]>) -> Result<Filter, String> {
    let known = |name: &String| {
        let known = TYPES.iter().copied().find(|known| known == name);
        known.ok_or_else(|| format!("{name} is no type; there are {}.", TYPES.join(", ")))
    };
    let room = |name: &String| RoomId::new(name).map_err(|error| format!("{name}: {error}."));
    let types = types.map(|types| types.iter().map(known).collect());
    let rooms = rooms.map(|rooms| rooms.iter().map(room).collect());
    Ok(Filter {
        types: types.transpose()?,
        rooms: rooms.transpose()?,
    })
}

/// Takes the engine's events into the log as long as it runs.
pub(crate) async fn feed(
    client: Client,
    mut stream: Subscription,
    log: Arc<EventLog>,
    watch: Arc<MessageWatch>,
) {
    loop {
        while let Some(told) = stream.next().await {
            match told {
                Told::Event(event) => {
                    let (kind, document) = document::of(&event);
                    log.push(kind, event.room().cloned(), document);
                }
                Told::MessagesLost(count) => {
                    let document = json!({ "type": MESSAGES_LOST, "count": count });
                    log.push(MESSAGES_LOST, None, document);
                }
            }
        }
        // The engine cut us off, or goes down. What came meanwhile is lost; the log says so.
        tracing::warn!("events of the engine were lost; consumers get a snapshot");
        tokio::time::sleep(limits::RESUBSCRIBE_DELAY).await;
        stream = client.subscribe_with_interest();
        watch.renew(stream.interest());
        log.skip();
    }
}

/// What a consumer wants that names this type: those of messages are made only while somebody has named one.
pub(crate) fn detail_of(kind: &str) -> Detail {
    match kind {
        MESSAGE_CONTENT => Detail::Content,
        "message_ended" | "final_report" | MESSAGES_LOST => Detail::Messages,
        _ => Detail::Others,
    }
}

/// What a message held. The only type that carries what participants say, for who may read it.
const MESSAGE_CONTENT: &str = "message_content";
/// So many events of messages found no room.
const MESSAGES_LOST: &str = "messages_lost";

/// Every type of event that a consumer may choose. Those of messages come only to who names them.
/// What the stream says of itself comes always: `gap`, `snapshot`, `snapshot_end`, `progress`, `cut`.
pub const TYPES: [&str; 23] = [
    "room_started",
    "room_updated",
    "room_closed",
    "room_lost",
    "participant_joined",
    "participant_updated",
    "participant_removed",
    "participant_bound",
    "participant_lost",
    "participant_too_late",
    "nickname_changed",
    "relay_started",
    "relay_answered",
    "relay_bound",
    "relay_ended",
    "session_ended",
    "drain_changed",
    "shard_lost",
    "limit_reached",
    "message_ended",
    "final_report",
    MESSAGES_LOST,
    MESSAGE_CONTENT,
];
