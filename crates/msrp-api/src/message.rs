//! Messages of the room itself.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use msrp_control::{MessageTo, OwnMessage, ParticipantId};
use serde::Deserialize;

use crate::extract::{Content, JSON, Named, Query};
use crate::{Api, Problem};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Message {
    body: String,
    #[serde(default = "plain_text")]
    content_type: String,
    from_display_name: Option<String>,
    to: Option<Vec<String>>,
}

/// What stands in the query when the body is the message itself.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SendQuery {
    from_display_name: Option<String>,
    /// Ids of participants, or addresses of theirs, with commas between.
    to: Option<String>,
}

/// The type of a body of which none is said.
pub(crate) fn plain_text() -> String {
    "text/plain;charset=UTF-8".to_owned()
}

/// Sends a message from the address of the room. A body that is not JSON is the message.
pub(crate) async fn send(
    State(api): State<Arc<Api>>,
    named: Named,
    Query(query): Query<SendQuery>,
    content: Content,
) -> Result<StatusCode, Problem> {
    let names = query
        .to
        .map(|to| to.split(',').map(str::to_owned).collect());
    let message = if content.media_type == JSON {
        let message: Message = content.json()?;
        OwnMessage {
            to: to(message.to.or(names))?,
            from_display_name: message.from_display_name.or(query.from_display_name),
            content_type: message.content_type,
            body: message.body.into_bytes(),
        }
    } else if content.media_type.is_empty() {
        let detail = "The body has no Content-Type; send application/json, or the message itself \
                      with its type, such as text/plain.";
        return Err(Problem::bad("malformed_content", detail));
    } else {
        OwnMessage {
            to: to(names)?,
            from_display_name: query.from_display_name,
            content_type: content.content_type,
            body: content.octets.to_vec(),
        }
    };
    api.client.send_message(named.room, message).await?;
    Ok(StatusCode::ACCEPTED)
}

fn to(names: Option<Vec<String>>) -> Result<MessageTo, Problem> {
    let Some(names) = names else {
        return Ok(MessageTo::Room);
    };
    // An id has no colon, and an address has one.
    if !names.is_empty() && names.iter().all(|name| name.contains(':')) {
        return Ok(MessageTo::Addresses(names));
    }
    let ids = names.iter().map(|name| ParticipantId::new(name));
    Ok(MessageTo::Participants(ids.collect::<Result<_, _>>()?))
}
