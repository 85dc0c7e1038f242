//! Messages of the server to users, outside of any room.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use futures_channel::oneshot;
use msrp_control::{Announcement, AnnouncementContent, Announcer, ControlError, ErrorCode};
use serde::{Deserialize, Serialize};

use crate::extract::Content;
use crate::message::plain_text;
use crate::{Api, Problem};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    to: Vec<String>,
    body: Option<String>,
    content_type: Option<String>,
    document: Option<String>,
    #[serde(default)]
    wants_answer: bool,
}

/// What came of a message of the server.
#[derive(Debug, Serialize)]
pub(crate) struct Announced {
    recipients_count: usize,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Answered {
    user: String,
}

/// Sends one SIP MESSAGE to each user.
///
/// # Spec
/// SYS-5.4.
pub(crate) async fn send(
    State(api): State<Arc<Api>>,
    content: Content,
) -> Result<(StatusCode, Json<Announced>), Problem> {
    let announcer = announcer(&api)?;
    let announcement = read(&content)?;
    let (reply, answer) = oneshot::channel();
    announcer.announce(announcement, reply);
    let recipients_count = answer.await.unwrap_or_else(|_| Err(ended()))?;
    Ok((StatusCode::ACCEPTED, Json(Announced { recipients_count })))
}

/// Takes note that a user answered in another way than by SIP.
///
/// # Spec
/// SYS-5.4-07.
pub(crate) async fn note_answer(
    State(api): State<Arc<Api>>,
    content: Content,
) -> Result<StatusCode, Problem> {
    let announcer = announcer(&api)?;
    let answered: Answered = content.json()?;
    announcer.note_answer(&answered.user)?;
    Ok(StatusCode::NO_CONTENT)
}

fn announcer(api: &Api) -> Result<&Arc<dyn Announcer>, Problem> {
    api.announcer.get().ok_or_else(|| {
        let detail = "No SIP focus runs on this node, or it is still starting, and only the focus reaches \
                      users; ask a node that runs one, or POST to /v1/rooms/{room}/messages for those \
                      in a room.";
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "no_focus", 503, detail)
    })
}

fn read(content: &Content) -> Result<Announcement, Problem> {
    let request: Request = content.json()?;
    let content = match (request.body, request.document, request.content_type) {
        (Some(body), None, content_type) => AnnouncementContent::Inline {
            content_type: content_type.unwrap_or_else(plain_text),
            body: body.into_bytes(),
        },
        (None, Some(url), None) => AnnouncementContent::Document(url),
        _ => {
            let detail = "Say what the message holds: body, with its content_type, or document, the URL of \
                          an HTML page; not both.";
            return Err(Problem::bad("malformed_content", detail));
        }
    };
    Ok(Announcement {
        recipients: request.to,
        content,
        wants_answer: request.wants_answer,
    })
}

fn ended() -> ControlError {
    ControlError::new(ErrorCode::Draining, "the node takes no new messages")
}
