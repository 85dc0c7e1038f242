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
mod log;
mod snapshot;
mod sse;
mod web_socket;

use std::sync::Arc;

use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt as _;
use msrp_control::{Client, Event, EventStream, RoomId};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::extract::Query;
use crate::{Api, Problem, limits};
use consumer::{Consumer, Filter, Start};
pub(crate) use log::{Cursor, EventLog};

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
    request: Request,
) -> Result<Response, Problem> {
    let consumer = Consumer::new(&api, query.start(request.headers())?, query.filter()?)?;
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
        let types = self.types.as_deref().map(|types| {
            types.split(',').map(|name| {
                TYPES
                    .iter()
                    .copied()
                    .find(|known| *known == name)
                    .ok_or_else(|| {
                        let detail = format!("{name} is no type; there are {}.", TYPES.join(", "));
                        Problem::bad("malformed_query", detail)
                    })
            })
        });
        let rooms = self
            .rooms
            .as_deref()
            .map(|rooms| rooms.split(',').map(RoomId::new));
        Ok(Filter {
            types: types.map(Iterator::collect).transpose()?,
            rooms: rooms.map(Iterator::collect).transpose()?,
        })
    }
}

/// Takes the engine's events into the log as long as it runs.
pub(crate) async fn feed(client: Client, mut stream: EventStream, log: Arc<EventLog>) {
    loop {
        while let Some(event) = stream.next().await {
            let (kind, document) = document(&event);
            log.push(kind, event.room().clone(), document);
        }
        // The engine cut us off, or goes down. What came meanwhile is lost; the log says so.
        tracing::warn!("events of the engine were lost; consumers get a snapshot");
        tokio::time::sleep(limits::RESUBSCRIBE_DELAY).await;
        stream = client.subscribe();
        log.skip();
    }
}

/// The type of an event, and what is told of it.
fn document(event: &Event) -> (&'static str, Value) {
    let (kind, more) = match event {
        Event::RoomStarted { .. } => ("room_started", json!({})),
        Event::RoomClosed { .. } => ("room_closed", json!({})),
        Event::RoomLost { reason, .. } => ("room_lost", json!({ "reason": reason.as_str() })),
        Event::ParticipantJoined { entity, .. } => {
            ("participant_joined", json!({ "entity": entity }))
        }
        Event::ParticipantUpdated { .. } => ("participant_updated", json!({})),
        Event::ParticipantRemoved { .. } => ("participant_removed", json!({})),
        Event::ParticipantBound { .. } => ("participant_bound", json!({})),
        Event::ParticipantLost { reason, .. } => {
            ("participant_lost", json!({ "reason": reason.as_str() }))
        }
        Event::ParticipantTooLate { .. } => ("participant_too_late", json!({})),
        Event::NicknameChanged { nickname, .. } => {
            ("nickname_changed", json!({ "nickname": nickname }))
        }
    };
    let mut document = json!({ "type": kind, "room": event.room().as_str() });
    let participant = match event {
        Event::RoomStarted { .. } | Event::RoomClosed { .. } | Event::RoomLost { .. } => None,
        Event::ParticipantJoined { participant, .. }
        | Event::ParticipantUpdated { participant, .. }
        | Event::ParticipantRemoved { participant, .. }
        | Event::ParticipantBound { participant, .. }
        | Event::ParticipantLost { participant, .. }
        | Event::ParticipantTooLate { participant, .. }
        | Event::NicknameChanged { participant, .. } => Some(participant.as_str()),
    };
    if let (Some(document), Value::Object(more)) = (document.as_object_mut(), more) {
        document.extend(participant.map(|id| ("participant".to_owned(), id.into())));
        document.extend(more);
    }
    (kind, document)
}

/// Every type of event that a consumer may choose. What the stream says of itself comes always:
/// `gap`, `snapshot`, `snapshot_end`, `progress` and `cut`.
pub const TYPES: [&str; 10] = [
    "room_started",
    "room_closed",
    "room_lost",
    "participant_joined",
    "participant_updated",
    "participant_removed",
    "participant_bound",
    "participant_lost",
    "participant_too_late",
    "nickname_changed",
];
