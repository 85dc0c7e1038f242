//! Participants: in by an offer of theirs or of the engine, changed, and out.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use msrp_control::{
    Charging, LocalMedia, Media, MessageRate, ParticipantConfig, ParticipantId, ParticipantState,
    RATE_BURST_MAX, RateError, RoomId,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::extract::{Content, JSON, Named, Query, SDP};
use crate::page::{PageQuery, cut};
use crate::random_id::random_id;
use crate::{Api, Problem};

/// Who shall take part, and how.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct NewParticipant {
    participant: Option<String>,
    call_id: Option<String>,
    charging_id: Option<String>,
    #[serde(flatten)]
    who: Who,
    offer: Option<Sdp>,
    policy: Policy,
}

/// Who takes part. Of a participant that is there, what is not said stays.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Who {
    uri: Option<String>,
    identities: Option<Vec<String>>,
    entity: Option<String>,
    hidden: Option<bool>,
    may_send_private: Option<bool>,
    takes_private: Option<bool>,
    muted: Option<bool>,
    /// `Some(None)`: as often as it likes.
    #[serde(deserialize_with = "said")]
    rate: Option<Option<Rate>>,
}

/// How often it may begin a message.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(try_from = "SaidRate", into = "SaidRate")]
struct Rate(MessageRate);

/// As it stands in a document: one second, and as many at once as in that time, unless it says otherwise.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SaidRate {
    messages: u32,
    per_s: Option<u32>,
    burst: Option<u32>,
}

/// What the engine's description says.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Policy {
    listener: Option<String>,
    accept_types: Option<Vec<String>>,
    accept_wrapped_types: Option<Vec<String>>,
    max_size: Option<u64>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sdp {
    pub(crate) sdp: String,
}

/// What stands in the query when the body is a session description.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AddQuery {
    participant: Option<String>,
    uri: Option<String>,
    entity: Option<String>,
    call_id: Option<String>,
    charging_id: Option<String>,
}

#[derive(Debug, Serialize)]
pub(crate) struct ParticipantBody {
    room: String,
    participant: String,
    identities: Vec<String>,
    entity: String,
    hidden: bool,
    may_send_private: bool,
    takes_private: bool,
    muted: bool,
    rate: Option<Rate>,
    bound: bool,
    nickname: Option<String>,
}

pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    named: Named,
    Query(page): Query<PageQuery>,
) -> Result<Response, Problem> {
    let limit = page.limit()?;
    let after = page.after.as_deref().map(ParticipantId::new).transpose()?;
    let room = named.room;
    let all = api
        .client
        .participants(room.clone(), after, limit + 1)
        .await?;
    let mut all: Vec<_> = all
        .into_iter()
        .map(|p| ParticipantBody::new(&room, p))
        .collect();
    let next = cut(&mut all, limit, |entry| entry.participant.clone());
    Ok(Json(json!({ "participants": all, "next": next })).into_response())
}

pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    named: Named,
) -> Result<Json<ParticipantBody>, Problem> {
    let (room, participant) = named.both()?;
    let state = api.client.participant(room.clone(), participant).await?;
    Ok(Json(ParticipantBody::new(&room, state)))
}

/// Puts a participant into a room: with an offer of its own, the answer comes back; without one,
/// an offer to send to it.
pub(crate) async fn add(
    State(api): State<Arc<Api>>,
    named: Named,
    Query(query): Query<AddQuery>,
    headers: HeaderMap,
    content: Content,
) -> Result<Response, Problem> {
    let wants_sdp = content.is_sdp() || accepts_sdp(&headers);
    let new = NewParticipant::read(&content, query)?;
    let room = named.room;
    let participant = new.id()?;
    let charging = Charging {
        call_id: new.call_id,
        charging_id: new.charging_id,
    };
    let mut config = new.who.config(&participant)?;
    config.charging = charging.shared();
    let is_muted = new.who.muted == Some(true);
    let rate = new.who.rate.flatten();
    let is_dial_out = new.offer.is_none();
    let media = media(new.offer);
    let local = new.policy.local();
    let sdp = api
        .client
        .add_participant(room.clone(), participant.clone(), config, media, local)
        .await?;
    if is_muted {
        api.client
            .set_muted(room.clone(), participant.clone(), true)
            .await?;
    }
    if let Some(Rate(rate)) = rate {
        let set = api
            .client
            .set_rate(room.clone(), participant.clone(), Some(rate));
        set.await?;
    }
    let location = format!("/v1/rooms/{room}/participants/{participant}");
    let described = describe(&sdp, is_dial_out);
    let mut response = if wants_sdp {
        ([(header::CONTENT_TYPE, SDP)], sdp).into_response()
    } else {
        let mut body = json!({ "room": room.as_str(), "participant": participant.as_str() });
        merge(&mut body, described);
        Json(body).into_response()
    };
    *response.status_mut() = StatusCode::CREATED;
    // Ids hold only characters that stand in a path as they are.
    if let Ok(location) = location.parse() {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// Takes the answer to an offer of the engine.
pub(crate) async fn answer(
    State(api): State<Arc<Api>>,
    named: Named,
    content: Content,
) -> Result<StatusCode, Problem> {
    let (room, participant) = named.both()?;
    let sdp = if content.is_sdp() {
        content.sdp()?
    } else {
        content.json::<Sdp>()?.sdp
    };
    api.client.set_answer(room, participant, sdp).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// An offer inside a session.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Reoffered {
    offer: Option<Sdp>,
    policy: Policy,
}

/// Changes a session: with an offer, its answer comes back; without one, the present session as an
/// offer.
pub(crate) async fn reoffer(
    State(api): State<Arc<Api>>,
    named: Named,
    headers: HeaderMap,
    content: Content,
) -> Result<Response, Problem> {
    let (room, participant) = named.both()?;
    let wants_sdp = content.is_sdp() || accepts_sdp(&headers);
    let reoffered = if content.is_sdp() {
        Reoffered {
            offer: Some(Sdp {
                sdp: content.sdp()?,
            }),
            ..Reoffered::default()
        }
    } else {
        content.json()?
    };
    let is_ours = reoffered.offer.is_none();
    let (media, local) = (media(reoffered.offer), reoffered.policy.local());
    let sdp = api.client.reoffer(room, participant, media, local).await?;
    if wants_sdp {
        return Ok(([(header::CONTENT_TYPE, SDP)], sdp).into_response());
    }
    Ok(Json(describe(&sdp, is_ours)).into_response())
}

/// Changes who a participant is and what it may do.
pub(crate) async fn change(
    State(api): State<Arc<Api>>,
    named: Named,
    content: Content,
) -> Result<Json<ParticipantBody>, Problem> {
    let (room, participant) = named.both()?;
    let change: Change = content.json()?;
    let change = change.0;
    let _one_at_a_time = api.changes.lock().await;
    let now = api.client.participant(room.clone(), participant.clone());
    let config = now.await?.config;
    let wanted = change.applied_to(config.clone());
    if wanted != config {
        let update = api
            .client
            .update_participant(room.clone(), participant.clone(), wanted);
        update.await?;
    }
    if let Some(is_muted) = change.muted {
        let mute = api
            .client
            .set_muted(room.clone(), participant.clone(), is_muted);
        mute.await?;
    }
    if let Some(rate) = change.rate {
        let rate = rate.map(|Rate(rate)| rate);
        let set = api.client.set_rate(room.clone(), participant.clone(), rate);
        set.await?;
    }
    let state = api.client.participant(room.clone(), participant).await?;
    Ok(Json(ParticipantBody::new(&room, state)))
}

pub(crate) async fn remove(
    State(api): State<Arc<Api>>,
    named: Named,
) -> Result<StatusCode, Problem> {
    let (room, participant) = named.both()?;
    api.client.remove_participant(room, participant).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl NewParticipant {
    fn read(content: &Content, query: AddQuery) -> Result<Self, Problem> {
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
        new.participant = new.participant.or(query.participant);
        new.call_id = new.call_id.or(query.call_id);
        new.charging_id = new.charging_id.or(query.charging_id);
        new.who.uri = new.who.uri.or(query.uri);
        new.who.entity = new.who.entity.or(query.entity);
        Ok(new)
    }

    /// The id that was chosen, or one that nobody guesses.
    fn id(&self) -> Result<ParticipantId, Problem> {
        if let Some(id) = &self.participant {
            return Ok(ParticipantId::new(id)?);
        }
        Ok(ParticipantId::new(&random_id("p", "participant")?)?)
    }
}

impl Who {
    fn config(&self, participant: &ParticipantId) -> Result<ParticipantConfig, Problem> {
        if self.uri.is_none() && self.identities.is_none() {
            let detail = format!(
                "Nothing says who {participant} is; give uri, the address that the From of its \
                 messages has."
            );
            return Err(Problem::bad("malformed_address", detail));
        }
        Ok(self.applied_to(ParticipantConfig {
            identities: Vec::new(),
            entity: String::new(),
            is_hidden: false,
            may_send_private: true,
            shows_release: false,
            charging: None,
        }))
    }

    fn applied_to(&self, mut config: ParticipantConfig) -> ParticipantConfig {
        if self.uri.is_some() || self.identities.is_some() {
            let others = self.identities.iter().flatten();
            let others = others.filter(|other| self.uri.as_ref() != Some(other));
            config.identities = self.uri.iter().chain(others).cloned().collect();
            config.entity = config.identities.first().cloned().unwrap_or_default();
        }
        if let Some(entity) = &self.entity {
            config.entity.clone_from(entity);
        }
        let flags = [
            (self.hidden, &mut config.is_hidden),
            (self.may_send_private, &mut config.may_send_private),
            (self.takes_private, &mut config.shows_release),
        ];
        for (wanted, flag) in flags {
            *flag = wanted.unwrap_or(*flag);
        }
        config
    }
}

impl Policy {
    fn local(self) -> LocalMedia {
        LocalMedia {
            listener: self.listener,
            accept_types: self.accept_types,
            accept_wrapped_types: self.accept_wrapped_types,
            max_size: self.max_size,
            attributes: Vec::new(),
        }
    }
}

impl ParticipantBody {
    pub(crate) fn new(room: &RoomId, state: ParticipantState) -> Self {
        let config = state.config;
        Self {
            room: room.to_string(),
            participant: state.participant.to_string(),
            identities: config.identities,
            entity: config.entity,
            hidden: config.is_hidden,
            may_send_private: config.may_send_private,
            takes_private: config.shows_release,
            muted: state.is_muted,
            rate: state.rate.map(Rate),
            bound: state.is_bound,
            nickname: state.nickname,
        }
    }
}

impl TryFrom<SaidRate> for Rate {
    type Error = RateError;

    fn try_from(said: SaidRate) -> Result<Self, RateError> {
        let burst = said.burst.unwrap_or(said.messages.min(RATE_BURST_MAX));
        MessageRate::new(said.messages, said.per_s.unwrap_or(1), burst).map(Self)
    }
}

impl From<Rate> for SaidRate {
    fn from(Rate(rate): Rate) -> Self {
        Self {
            messages: rate.messages(),
            per_s: Some(rate.per_s()),
            burst: Some(rate.burst()),
        }
    }
}

/// What stands in a document, `null` too.
fn said<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}

fn media(offer: Option<Sdp>) -> Media {
    offer.map_or(Media::MakeOffer, |offer| Media::Offer(offer.sdp))
}

/// The engine's description under its name, and the MSRP URI that stands in it.
pub(crate) fn describe(sdp: &str, is_offer: bool) -> serde_json::Value {
    let name = if is_offer { "offer" } else { "answer" };
    let path = sdp.lines().find_map(|line| line.strip_prefix("a=path:"));
    let uri = path.and_then(|path| path.split_ascii_whitespace().next());
    json!({ name: { "sdp": sdp }, "msrp_uri": uri })
}

pub(crate) fn merge(body: &mut serde_json::Value, with: serde_json::Value) {
    if let (Some(body), serde_json::Value::Object(with)) = (body.as_object_mut(), with) {
        body.extend(with);
    }
}

/// Whether the answer shall be a bare session description: it is asked for before JSON.
pub(crate) fn accepts_sdp(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT);
    let accept = accept.and_then(|value| value.to_str().ok()).unwrap_or("");
    match (accept.find(SDP), accept.find(JSON)) {
        (Some(sdp), Some(json)) => sdp < json,
        (sdp, _) => sdp.is_some(),
    }
}

/// A change: what it does not name stays, and nothing else may stand in it.
#[derive(Debug)]
struct Change(Who);

impl<'de> Deserialize<'de> for Change {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Strict {
            #[serde(flatten)]
            who: Who,
        }
        Strict::deserialize(deserializer).map(|strict| Self(strict.who))
    }
}
