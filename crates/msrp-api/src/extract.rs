//! What handlers take from a request, refused with problem documents.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use msrp_control::{BridgeId, ParticipantId, RoomId};
use serde::de::DeserializeOwned;

use crate::Problem;

/// The ids in the path.
pub(crate) struct Named {
    pub(crate) room: RoomId,
    participant: Option<ParticipantId>,
}

impl Named {
    /// The room and the participant of a path that names both.
    pub(crate) fn both(self) -> Result<(RoomId, ParticipantId), Problem> {
        match self.participant {
            Some(participant) => Ok((self.room, participant)),
            None => Err(Problem::bad("malformed_id", "The path names nobody.")),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let not_text = |_| Problem::bad("malformed_id", "The path is not UTF-8.");
        let params = RawPathParams::from_request_parts(parts, state)
            .await
            .map_err(not_text)?;
        let of = |name: &str| params.iter().find(|(n, _)| *n == name).map(|(_, v)| v);
        let participant = of("participant").map(ParticipantId::new).transpose()?;
        Ok(Self {
            room: RoomId::new(of("room").unwrap_or_default())?,
            participant,
        })
    }
}

/// The relay in the path.
pub(crate) struct NamedRelay(pub(crate) BridgeId);

impl<S: Send + Sync> FromRequestParts<S> for NamedRelay {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let not_text = |_| Problem::bad("malformed_id", "The path is not UTF-8.");
        let params = RawPathParams::from_request_parts(parts, state)
            .await
            .map_err(not_text)?;
        let relay = params.iter().find(|(name, _)| *name == "relay");
        let (_, relay) = relay.unwrap_or_default();
        Ok(Self(BridgeId::new(relay)?))
    }
}

/// The name of a webhook in the path.
pub(crate) struct WebhookName(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for WebhookName {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let not_text = |_| Problem::bad("malformed_id", "The path is not UTF-8.");
        let params = RawPathParams::from_request_parts(parts, state)
            .await
            .map_err(not_text)?;
        let name = params.iter().find(|(name, _)| *name == "webhook");
        Ok(Self(name.map_or("", |(_, value)| value).to_owned()))
    }
}

/// The query, with every parameter known.
pub(crate) struct Query<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let read = axum::extract::Query::<T>::try_from_uri(&parts.uri);
        let refuse = |error: axum::extract::rejection::QueryRejection| {
            Problem::bad("malformed_query", format!("{}.", error.body_text()))
        };
        read.map(|query| Self(query.0)).map_err(refuse)
    }
}

/// The body with what it says it is.
pub(crate) struct Content {
    /// The media type in lower case, without parameters. Empty when there is none.
    pub(crate) media_type: String,
    /// The media type as it was written.
    pub(crate) content_type: String,
    pub(crate) octets: Bytes,
}

impl<S: Send + Sync> FromRequest<S> for Content {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let content_type = content_type(request.headers()).to_owned();
        let media_type = content_type.split(';').next().unwrap_or_default();
        Ok(Self {
            media_type: media_type.trim().to_ascii_lowercase(),
            octets: Bytes::from_request(request, state).await?,
            content_type,
        })
    }
}

fn content_type(headers: &HeaderMap) -> &str {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

impl Content {
    /// Whether it is a session description.
    pub(crate) fn is_sdp(&self) -> bool {
        self.media_type == SDP
    }

    /// The session description that it is.
    pub(crate) fn sdp(&self) -> Result<String, Problem> {
        let text = std::str::from_utf8(&self.octets);
        let detail = "The session description is not UTF-8.";
        text.map(str::to_owned)
            .map_err(|_| Problem::bad("malformed_sdp", detail))
    }

    /// Reads JSON. Nothing at all is the same as `{}`.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        let octets: &[u8] = if self.octets.is_empty() {
            b"{}"
        } else if self.media_type == JSON || self.media_type.is_empty() {
            &self.octets
        } else {
            return Err(self.unsupported("application/json"));
        };
        serde_json::from_slice(octets)
            .map_err(|error| Problem::bad("malformed_json", format!("The body: {error}.")))
    }

    pub(crate) fn unsupported(&self, expected: &str) -> Problem {
        let found = &self.media_type;
        let detail = format!("The body is {found}; send {expected}.");
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        Problem::new(status, "unsupported_media_type", 415, detail)
    }
}

pub(crate) const SDP: &str = "application/sdp";
pub(crate) const JSON: &str = "application/json";
