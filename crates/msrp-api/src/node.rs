//! The node: what it carries, and whether it takes new rooms.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use msrp_control::Drain;
use serde::Serialize;

use crate::{Api, Problem};

#[derive(Debug, Serialize)]
pub(crate) struct NodeBody {
    version: String,
    alive: bool,
    draining: bool,
    rooms_count: u64,
    participants_count: u64,
    shards_count: u64,
    message_octets_max: u64,
}

pub(crate) async fn show(State(api): State<Arc<Api>>) -> Result<Json<NodeBody>, Problem> {
    let status = api.client.status().await?;
    Ok(Json(NodeBody {
        version: api.config.version.clone(),
        alive: api.client.engine().is_alive(),
        draining: status.drain != Drain::Off,
        rooms_count: status.rooms_count,
        participants_count: status.participants_count,
        shards_count: status.shards_count,
        message_octets_max: status.message_octets_max,
    }))
}

/// New rooms are refused from now on; those that run go on.
pub(crate) async fn drain(State(api): State<Arc<Api>>) -> Result<Json<NodeBody>, Problem> {
    api.client.set_draining(Drain::Rooms, None).await?;
    tracing::info!("draining: new rooms are refused");
    show(State(api)).await
}

/// New rooms are taken again.
pub(crate) async fn undrain(State(api): State<Arc<Api>>) -> Result<Json<NodeBody>, Problem> {
    api.client.set_draining(Drain::Off, None).await?;
    tracing::info!("new rooms are taken again");
    show(State(api)).await
}
