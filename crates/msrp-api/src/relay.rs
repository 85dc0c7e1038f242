//! Two-leg relays: offer in, offer out; answer in, answer out. The engine calls them bridges.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use msrp_control::{
    BridgeConfig, BridgeEvent, BridgeId, BridgeLeg, BridgeLegState, BridgeState, Side,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::extract::{Content, NamedRelay, Query, SDP};
use crate::page::{PageQuery, cut};
use crate::participant::{Sdp, accepts_sdp, describe, merge};
use crate::random_id::random_id;
use crate::{Api, Problem};

/// A relay to be.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct NewRelay {
    relay: Option<String>,
    offer: Option<Sdp>,
    offerer: Leg,
    answerer: Leg,
    replace_origin: bool,
}

/// What is wanted of the node's side towards one peer.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Leg {
    listener: Option<String>,
    active: bool,
    ignore_cema: bool,
}

/// What stands in the query when the body is a session description.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateQuery {
    relay: Option<String>,
    offerer_listener: Option<String>,
    answerer_listener: Option<String>,
    replace_origin: Option<bool>,
}

/// As [`CreateQuery`], for an offer inside a relay.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReofferQuery {
    from: Option<NamedSide>,
}

/// An offer inside a relay.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Reoffered {
    from: Option<NamedSide>,
    offer: Sdp,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum NamedSide {
    Offerer,
    Answerer,
}

/// A relay as an answer shows it.
#[derive(Debug, Serialize)]
pub(crate) struct RelayBody {
    relay: String,
    answered: bool,
    age_ms: u64,
    offerer: LegBody,
    answerer: LegBody,
}

#[derive(Debug, Serialize)]
struct LegBody {
    state: &'static str,
    requests: u64,
    messages: u64,
    octets: u64,
    failed: u64,
    reports: u64,
}

pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    Query(page): Query<PageQuery>,
) -> Result<Response, Problem> {
    let limit = page.limit()?;
    let after = page.after.as_deref().map(BridgeId::new).transpose()?;
    let mut ids = api.client.bridges(after, limit + 1).await?;
    let next = cut(&mut ids, limit, |id| id.to_string());
    let mut relays = Vec::with_capacity(ids.len());
    for id in ids {
        // One that ends meanwhile is left out.
        if let Ok(state) = api.client.bridge(id.clone()).await {
            relays.push(RelayBody::new(&id, &state));
        }
    }
    Ok(Json(json!({ "relays": relays, "next": next })).into_response())
}

pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    NamedRelay(relay): NamedRelay,
) -> Result<Json<RelayBody>, Problem> {
    let state = api.client.bridge(relay.clone()).await?;
    Ok(Json(RelayBody::new(&relay, &state)))
}

/// Ends a relay, and tells what it did.
pub(crate) async fn delete(
    State(api): State<Arc<Api>>,
    NamedRelay(relay): NamedRelay,
) -> Result<Json<RelayBody>, Problem> {
    let state = api.client.delete_bridge(relay.clone()).await?;
    Ok(Json(RelayBody::new(&relay, &state)))
}

/// Takes an offer; the offer for the other side comes back.
pub(crate) async fn create(
    State(api): State<Arc<Api>>,
    Query(query): Query<CreateQuery>,
    headers: HeaderMap,
    content: Content,
) -> Result<Response, Problem> {
    let wants_sdp = content.is_sdp() || accepts_sdp(&headers);
    let new = NewRelay::read(&content, query)?;
    let relay = new.id()?;
    let sdp = new.offer.map(|offer| offer.sdp).ok_or_else(|| {
        let detail = "There is no offer; give offer.sdp, or the offer as application/sdp.";
        Problem::bad("malformed_sdp", detail)
    })?;
    let config = BridgeConfig {
        legs: [new.offerer.config(), new.answerer.config()],
        replaces_origin: new.replace_origin,
    };
    let sdp = api.client.create_bridge(relay.clone(), sdp, config).await?;
    let mut response = described(&relay, sdp, (wants_sdp, true));
    *response.status_mut() = StatusCode::CREATED;
    // Ids hold only characters that stand in a path as they are.
    if let Ok(location) = format!("/v1/relays/{relay}").parse() {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// Takes an answer; the answer for the side that offered comes back.
pub(crate) async fn answer(
    State(api): State<Arc<Api>>,
    NamedRelay(relay): NamedRelay,
    headers: HeaderMap,
    content: Content,
) -> Result<Response, Problem> {
    let wants_sdp = content.is_sdp() || accepts_sdp(&headers);
    let sdp = if content.is_sdp() {
        content.sdp()?
    } else {
        content.json::<Sdp>()?.sdp
    };
    let sdp = api.client.answer_bridge(relay.clone(), sdp).await?;
    Ok(described(&relay, sdp, (wants_sdp, false)))
}

/// Takes a new offer of either side; the offer for the other one comes back.
pub(crate) async fn reoffer(
    State(api): State<Arc<Api>>,
    NamedRelay(relay): NamedRelay,
    Query(query): Query<ReofferQuery>,
    headers: HeaderMap,
    content: Content,
) -> Result<Response, Problem> {
    let wants_sdp = content.is_sdp() || accepts_sdp(&headers);
    let (from, sdp) = if content.is_sdp() {
        (None, content.sdp()?)
    } else {
        let reoffered: Reoffered = content.json()?;
        (reoffered.from, reoffered.offer.sdp)
    };
    let from = from.or(query.from).ok_or_else(|| {
        let detail = "Nothing says whose offer it is; give from, offerer or answerer.";
        Problem::bad("malformed_query", detail)
    })?;
    let from = match from {
        NamedSide::Offerer => Side::Offerer,
        NamedSide::Answerer => Side::Answerer,
    };
    let sdp = api.client.reoffer_bridge(relay.clone(), from, sdp).await?;
    Ok(described(&relay, sdp, (wants_sdp, true)))
}

fn described(relay: &BridgeId, sdp: String, (wants_sdp, is_offer): (bool, bool)) -> Response {
    if wants_sdp {
        return ([(header::CONTENT_TYPE, SDP)], sdp).into_response();
    }
    let mut body = json!({ "relay": relay.as_str() });
    merge(&mut body, describe(&sdp, is_offer));
    Json(body).into_response()
}

impl NewRelay {
    fn read(content: &Content, query: CreateQuery) -> Result<Self, Problem> {
        let mut new = if content.is_sdp() {
            Self {
                offer: Some(Sdp {
                    sdp: content.sdp()?,
                }),
                ..Self::default()
            }
        } else {
            content.json()?
        };
        new.relay = new.relay.or(query.relay);
        new.offerer.listener = new.offerer.listener.or(query.offerer_listener);
        new.answerer.listener = new.answerer.listener.or(query.answerer_listener);
        new.replace_origin |= query.replace_origin.unwrap_or(false);
        Ok(new)
    }

    /// The id that was chosen, or one that nobody guesses.
    fn id(&self) -> Result<BridgeId, Problem> {
        if let Some(id) = &self.relay {
            return Ok(BridgeId::new(id)?);
        }
        Ok(BridgeId::new(&random_id("r", "relay")?)?)
    }
}

impl Leg {
    fn config(self) -> BridgeLeg {
        BridgeLeg {
            listener: self.listener,
            is_active: self.active,
            ignores_cema: self.ignore_cema,
        }
    }
}

impl RelayBody {
    pub(crate) fn new(relay: &BridgeId, state: &BridgeState) -> Self {
        let [offerer, answerer] = state.legs.map(LegBody::new);
        Self {
            relay: relay.to_string(),
            answered: state.is_answered,
            age_ms: state.age_ms,
            offerer,
            answerer,
        }
    }
}

impl LegBody {
    fn new(leg: BridgeLegState) -> Self {
        Self {
            state: leg.link.as_str(),
            requests: leg.requests,
            messages: leg.messages,
            octets: leg.octets,
            failed: leg.failed,
            reports: leg.reports,
        }
    }
}

/// The type of an event of a relay, and what is told of it.
pub(crate) fn event(event: &BridgeEvent) -> (&'static str, Value) {
    let (kind, more) = match event {
        BridgeEvent::Started { .. } => ("relay_started", json!({})),
        BridgeEvent::Answered { .. } => ("relay_answered", json!({})),
        BridgeEvent::Bound { side, .. } => ("relay_bound", json!({ "side": side.as_str() })),
        BridgeEvent::Ended {
            bridge,
            reason,
            side,
            state,
        } => {
            let state = state.as_ref().map(|state| RelayBody::new(bridge, state));
            let side = side.map(Side::as_str);
            let more = json!({ "reason": reason.as_str(), "side": side, "state": state });
            ("relay_ended", more)
        }
    };
    let mut document = json!({ "type": kind, "relay": event.bridge().as_str() });
    merge(&mut document, more);
    (kind, document)
}
