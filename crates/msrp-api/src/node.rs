//! The node: what it carries, and what it refuses before it goes down.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use msrp_control::Drain;
use serde::{Deserialize, Serialize};

use crate::drain::DrainPlan;
use crate::events::drain_word;
use crate::extract::Content;
use crate::limits::{DRAIN_MESSAGE_OCTETS_MAX, DRAIN_S_MAX};
use crate::{Api, Problem};

#[derive(Debug, Serialize)]
pub(crate) struct NodeBody {
    version: String,
    alive: bool,
    draining: bool,
    drain: &'static str,
    ends_in_s: Option<u64>,
    rooms_count: u64,
    participants_count: u64,
    shards_count: u64,
    message_octets_max: u64,
}

/// How to drain.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct DrainRequest {
    deadline_s: Option<u64>,
    refuse: Refuse,
    message: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Refuse {
    #[default]
    Rooms,
    Sessions,
}

pub(crate) async fn show(State(api): State<Arc<Api>>) -> Result<Json<NodeBody>, Problem> {
    let status = api.client.status().await?;
    let draining = *api.draining.borrow();
    Ok(Json(NodeBody {
        version: api.config.version.clone(),
        alive: api.client.engine().is_alive(),
        draining: status.drain != Drain::Off,
        drain: drain_word(status.drain),
        ends_in_s: draining.left_s(),
        rooms_count: status.rooms_count,
        participants_count: status.participants_count,
        shards_count: status.shards_count,
        message_octets_max: status.message_octets_max,
    }))
}

/// Refuses new work from now on; with a deadline the node ends when nobody is left, and then at the
/// latest.
pub(crate) async fn drain(
    State(api): State<Arc<Api>>,
    content: Content,
) -> Result<Json<NodeBody>, Problem> {
    let request: DrainRequest = content.json()?;
    let malformed = |detail: String| Problem::bad("malformed_drain", detail);
    if request.deadline_s.is_some_and(|s| s > DRAIN_S_MAX) {
        return Err(malformed(format!(
            "deadline_s is at most {DRAIN_S_MAX}; leave it out to wait for ever."
        )));
    }
    let octets = request.message.as_ref().map_or(0, String::len);
    if octets > DRAIN_MESSAGE_OCTETS_MAX {
        return Err(malformed(format!(
            "The message has {octets} octets; send at most {DRAIN_MESSAGE_OCTETS_MAX}."
        )));
    }
    let plan = DrainPlan {
        drain: match request.refuse {
            Refuse::Rooms => Drain::Rooms,
            Refuse::Sessions => Drain::Sessions,
        },
        deadline: request.deadline_s.map(Duration::from_secs),
        message: request.message,
        is_final: false,
    };
    api.drain(plan).await?;
    show(State(api)).await
}

/// Takes everything again.
pub(crate) async fn undrain(State(api): State<Arc<Api>>) -> Result<Json<NodeBody>, Problem> {
    api.undrain().await?;
    show(State(api)).await
}
