//! Server-sent events.

use std::convert::Infallible;

use axum::body::Body;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use tokio::sync::mpsc;

use super::consumer::Frame;

/// The stream of a consumer as a body that never ends by itself.
pub(super) fn respond(frames: mpsc::Receiver<Frame>) -> Response {
    let stream = futures_util::stream::unfold(frames, |mut frames| async {
        let frame = frames.recv().await?;
        Some((Ok::<_, Infallible>(text(&frame)), frames))
    });
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers, Body::from_stream(stream)).into_response()
}

/// One event. JSON has no line end inside.
fn text(frame: &Frame) -> String {
    let id = frame.cursor.map(|cursor| format!("id: {cursor}\n"));
    let id = id.unwrap_or_default();
    format!("event: {}\n{id}data: {}\n\n", frame.kind, frame.json)
}
