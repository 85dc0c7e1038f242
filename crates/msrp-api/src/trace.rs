//! `GET .../trace`: the MSRP of one session or one room as it passes, one JSON object a line.
//!
//! A trace runs as long as its request. Nothing waits for its reader: what it does not take in time is
//! counted, and the next line says how much is missing.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use msrp_control::{TraceRecord, TraceScope, TraceStream};
use serde_json::json;
use tokio::time::timeout;

use crate::extract::Named;
use crate::limits::PROGRESS_EVERY;
use crate::{Api, Problem};

/// All sessions of a room, those that come later included.
pub(crate) async fn of_room(
    State(api): State<Arc<Api>>,
    named: Named,
) -> Result<Response, Problem> {
    let room = named.room;
    let stream = api.client.trace(TraceScope::Room(room.clone())).await?;
    tracing::info!(%room, "a room is traced");
    Ok(respond(stream))
}

/// One session.
pub(crate) async fn of_participant(
    State(api): State<Arc<Api>>,
    named: Named,
) -> Result<Response, Problem> {
    let (room, participant) = named.both()?;
    let scope = TraceScope::Participant(room.clone(), participant.clone());
    let stream = api.client.trace(scope).await?;
    tracing::info!(%room, %participant, "a session is traced");
    Ok(respond(stream))
}

fn respond(stream: TraceStream) -> Response {
    let stream = futures_util::stream::unfold(stream, |mut stream| async {
        let text = match timeout(PROGRESS_EVERY, stream.next()).await {
            Ok(Some(record)) => line(&record),
            // What was traced is over.
            Ok(None) => return None,
            // A reader that is gone is noticed by this.
            Err(_) => "{}\n".to_owned(),
        };
        Some((Ok::<_, Infallible>(text), stream))
    });
    let headers = [
        (header::CONTENT_TYPE, "application/x-ndjson"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers, Body::from_stream(stream)).into_response()
}

fn line(record: &TraceRecord) -> String {
    let (own, peer) = record.addresses.unzip();
    let document = json!({
        "time_ns": record.time_ns,
        "room": record.room.as_str(),
        "participant": record.participant.as_str(),
        "direction": record.direction.as_str(),
        "own": own.map(|address| address.to_string()),
        "peer": peer.map(|address| address.to_string()),
        "ends_frame": record.ends_frame,
        "dropped": record.dropped,
        "octets": STANDARD.encode(&record.octets),
    });
    format!("{document}\n")
}

#[cfg(test)]
mod tests {
    use msrp_control::{Direction, ParticipantId, RoomId};

    use super::*;

    #[test]
    fn record_is_one_line_with_its_octets_in_base64() {
        let record = TraceRecord {
            time_ns: 7,
            room: RoomId::new("lunch").unwrap(),
            participant: ParticipantId::new("alice").unwrap(),
            direction: Direction::In,
            addresses: Some((
                "127.0.0.1:2855".parse().unwrap(),
                "[::1]:9".parse().unwrap(),
            )),
            ends_frame: true,
            octets: b"MSRP\n".to_vec(),
            dropped: 2,
        };
        let expected = r#"{"direction":"in","dropped":2,"ends_frame":true,"octets":"TVNSUAo=","own":"127.0.0.1:2855","participant":"alice","peer":"[::1]:9","room":"lunch","time_ns":7}"#;
        assert_eq!(line(&record), format!("{expected}\n"));
    }
}
