//! Events as WebSocket messages, one JSON document each.

use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::consumer::Frame;
use crate::limits::CONSUMER_STALL_MAX;

/// Sends until the consumer or the peer ends. What the peer says is not used.
pub(super) async fn serve(mut socket: WebSocket, mut frames: mpsc::Receiver<Frame>) {
    loop {
        tokio::select! {
            frame = frames.recv() => {
                let Some(frame) = frame else { break };
                let sent = socket.send(Message::Text(frame.json.into()));
                if !matches!(timeout(CONSUMER_STALL_MAX, sent).await, Ok(Ok(()))) {
                    return;
                }
            }
            received = socket.recv() => {
                if !matches!(received, Some(Ok(_))) {
                    return;
                }
            }
        }
    }
    let close = CloseFrame {
        code: close_code::AGAIN,
        reason: "connect again with the cursor".into(),
    };
    let end = socket.send(Message::Close(Some(close)));
    // Nothing is left to do when it does not come through.
    let _ = timeout(CONSUMER_STALL_MAX, end).await;
}
