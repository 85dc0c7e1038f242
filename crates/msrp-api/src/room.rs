//! Rooms.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use msrp_control::{Addressing, ErrorCode, RoomConfig, RoomId, RoomState};
use serde::{Deserialize, Serialize};

use crate::extract::{Content, Named, Query};
use crate::page::{PageQuery, cut};
use crate::{Api, Problem};

/// The rules of a room, as a request gives them.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Rules {
    uris: Vec<String>,
    message_octets_max: Option<u64>,
    private_messages: Option<bool>,
    nicknames: Option<bool>,
    addressing: NamedAddressing,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum NamedAddressing {
    #[default]
    Oma,
    Rfc7701,
}

/// A room as an answer shows it.
#[derive(Debug, Serialize)]
pub(crate) struct RoomBody {
    room: String,
    uris: Vec<String>,
    message_octets_max: Option<u64>,
    private_messages: bool,
    nicknames: bool,
    addressing: NamedAddressing,
    participants_count: u64,
}

/// A room in a list.
#[derive(Debug, Serialize)]
struct RoomEntry {
    room: String,
    participants_count: u64,
}

#[derive(Debug, Serialize)]
struct RoomList {
    rooms: Vec<RoomEntry>,
    next: Option<String>,
}

pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    Query(page): Query<PageQuery>,
) -> Result<Response, Problem> {
    let limit = page.limit()?;
    let after = page.after.as_deref().map(RoomId::new).transpose()?;
    let rooms = api.client.rooms(after, limit + 1).await?;
    let entry = |room: &msrp_control::RoomSummary| RoomEntry {
        room: room.room.to_string(),
        participants_count: room.participants_count,
    };
    let mut entries: Vec<_> = rooms.iter().map(entry).collect();
    let next = cut(&mut entries, limit, |entry| entry.room.clone());
    Ok(Json(RoomList {
        rooms: entries,
        next,
    })
    .into_response())
}

pub(crate) async fn put(
    State(api): State<Arc<Api>>,
    named: Named,
    content: Content,
) -> Result<Response, Problem> {
    let room = named.room;
    let config = content.json::<Rules>()?.config(&room, &api.config.domain);
    let made = api.client.create_room(room.clone(), config.clone()).await;
    let is_new = match made {
        Ok(()) => true,
        Err(error) if error.code == ErrorCode::RoomExists => false,
        Err(error) => return Err(error.into()),
    };
    let state = api.client.room(room.clone()).await?;
    if !is_new
        && !is_same(
            &state.config,
            &config,
            api.client.status().await?.message_octets_max,
        )
    {
        let detail = "The room runs with other rules; GET shows them, and PATCH changes them.";
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "room_differs",
            500,
            detail,
        ));
    }
    let status = if is_new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    let mut response = (status, Json(RoomBody::new(&room, state))).into_response();
    // An id holds only characters that stand in a path as they are.
    if is_new && let Ok(location) = HeaderValue::from_str(&format!("/v1/rooms/{room}")) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// Changes the rules of a room that runs: what is not named stays.
pub(crate) async fn change(
    State(api): State<Arc<Api>>,
    named: Named,
    content: Content,
) -> Result<Json<RoomBody>, Problem> {
    let change: RulesChange = content.json()?;
    let room = named.room;
    let _one_at_a_time = api.changes.lock().await;
    let config = api.client.room(room.clone()).await?.config;
    let wanted = change.applied_to(config.clone())?;
    if wanted != config {
        api.client.update_room(room.clone(), wanted).await?;
    }
    let state = api.client.room(room.clone()).await?;
    Ok(Json(RoomBody::new(&room, state)))
}

pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    named: Named,
) -> Result<Json<RoomBody>, Problem> {
    let state = api.client.room(named.room.clone()).await?;
    Ok(Json(RoomBody::new(&named.room, state)))
}

pub(crate) async fn close(
    State(api): State<Arc<Api>>,
    named: Named,
) -> Result<StatusCode, Problem> {
    api.client.close_room(named.room).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A change of rules.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RulesChange {
    uris: Option<Vec<String>>,
    message_octets_max: Option<u64>,
    private_messages: Option<bool>,
    nicknames: Option<bool>,
    addressing: Option<NamedAddressing>,
}

impl RulesChange {
    fn applied_to(self, mut config: RoomConfig) -> Result<RoomConfig, Problem> {
        if self.uris.as_ref().is_some_and(Vec::is_empty) {
            let detail = "uris is empty; give the addresses that mean the room, or leave it out.";
            return Err(Problem::bad("malformed_address", detail));
        }
        config.uris = self.uris.unwrap_or(config.uris);
        config.message_octets_max = self.message_octets_max.or(config.message_octets_max);
        config.private_messages = self.private_messages.unwrap_or(config.private_messages);
        config.nicknames = self.nicknames.unwrap_or(config.nicknames);
        if let Some(addressing) = self.addressing {
            config.addressing = addressing.into();
        }
        Ok(config)
    }
}

impl From<NamedAddressing> for Addressing {
    fn from(named: NamedAddressing) -> Self {
        match named {
            NamedAddressing::Oma => Self::Oma,
            NamedAddressing::Rfc7701 => Self::Rfc7701,
        }
    }
}

impl Rules {
    fn config(self, room: &RoomId, domain: &str) -> RoomConfig {
        let mut uris = self.uris;
        if uris.is_empty() {
            uris.push(format!("sip:{room}@{domain}"));
        }
        RoomConfig {
            uris,
            message_octets_max: self.message_octets_max,
            private_messages: self.private_messages.unwrap_or(true),
            nicknames: self.nicknames.unwrap_or(true),
            addressing: self.addressing.into(),
        }
    }
}

/// Whether a room that runs is the one that is asked for. The engine lowers the longest message to
/// the node's, and shows further addresses in another form, so of these the count has to do.
fn is_same(runs: &RoomConfig, asked: &RoomConfig, node_octets_max: u64) -> bool {
    let octets_max = asked.message_octets_max.unwrap_or(node_octets_max);
    runs.uris.first() == asked.uris.first()
        && runs.uris.len() == asked.uris.len()
        && runs.message_octets_max == Some(octets_max.min(node_octets_max))
        && runs.private_messages == asked.private_messages
        && runs.nicknames == asked.nicknames
        && runs.addressing == asked.addressing
}

impl RoomBody {
    pub(crate) fn new(room: &RoomId, state: RoomState) -> Self {
        let config = state.config;
        Self {
            room: room.to_string(),
            uris: config.uris,
            message_octets_max: config.message_octets_max,
            private_messages: config.private_messages,
            nicknames: config.nicknames,
            addressing: match config.addressing {
                Addressing::Oma => NamedAddressing::Oma,
                Addressing::Rfc7701 => NamedAddressing::Rfc7701,
            },
            participants_count: state.participants_count,
        }
    }
}
