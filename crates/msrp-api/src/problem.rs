//! Answers that are no success: problem documents (RFC 9457), and the one table from the engine's
//! codes to HTTP statuses.

use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use msrp_control::{ControlError, ErrorCode, IdError};
use serde_json::json;

use crate::limits;

/// Why a request was not carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The HTTP status.
    pub status: StatusCode,
    /// What a program decides on. Never changes.
    pub code: &'static str,
    /// What a person reads: what is wrong and what to do.
    pub detail: String,
    /// The SIP status for a request that failed for this reason.
    pub sip_status: u16,
    /// Seconds after which another try is worth it.
    pub retry_after_s: Option<u64>,
}

impl Problem {
    /// A problem that the request made, answered 400 by SIP as well.
    pub(crate) fn bad(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, 400, detail)
    }

    pub(crate) fn new(
        status: StatusCode,
        code: &'static str,
        sip_status: u16,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            status,
            code,
            detail: detail.into(),
            sip_status,
            retry_after_s: None,
        }
    }

    pub(crate) fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }
}

impl From<ControlError> for Problem {
    fn from(error: ControlError) -> Self {
        let code = error.code;
        let (status, retry_after_s) = match code {
            ErrorCode::MalformedSdp | ErrorCode::MalformedAddress | ErrorCode::MalformedContent => {
                (StatusCode::BAD_REQUEST, None)
            }
            ErrorCode::NoSuchRoom | ErrorCode::NoSuchParticipant | ErrorCode::NoSuchBridge => {
                (StatusCode::NOT_FOUND, None)
            }
            ErrorCode::RoomExists
            | ErrorCode::ParticipantExists
            | ErrorCode::BridgeExists
            | ErrorCode::WrongState => (StatusCode::CONFLICT, None),
            ErrorCode::NotAcceptable => (StatusCode::UNPROCESSABLE_ENTITY, None),
            ErrorCode::Limit => (
                StatusCode::SERVICE_UNAVAILABLE,
                Some(limits::RETRY_AFTER_LIMIT_S),
            ),
            ErrorCode::Draining => (
                StatusCode::SERVICE_UNAVAILABLE,
                Some(limits::RETRY_AFTER_DRAINING_S),
            ),
            ErrorCode::Unavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                Some(limits::RETRY_AFTER_UNAVAILABLE_S),
            ),
        };
        Self {
            status,
            code: code.as_str(),
            detail: sentence(&error.detail),
            sip_status: code.sip_status(),
            retry_after_s,
        }
    }
}

impl From<IdError> for Problem {
    fn from(error: IdError) -> Self {
        Self::bad("malformed_id", sentence(&error.to_string()))
    }
}

impl From<BytesRejection> for Problem {
    fn from(rejection: BytesRejection) -> Self {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            let max = limits::BODY_OCTETS_MAX;
            let detail = format!("The body is longer than {max} octets; send less.");
            return Self::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", 413, detail);
        }
        Self::bad("incomplete_body", "The body did not arrive whole.")
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let document = json!({
            "type": "about:blank",
            "title": self.status.canonical_reason().unwrap_or_default(),
            "status": self.status.as_u16(),
            "detail": self.detail,
            "code": self.code,
            "sip_status": self.sip_status,
        });
        let media_type = [(header::CONTENT_TYPE, "application/problem+json")];
        let mut response = (self.status, media_type, format!("{document}\n")).into_response();
        if let Some(seconds) = self.retry_after_s {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// The answer to a path that is not served.
pub async fn not_found(uri: Uri) -> Problem {
    let detail = format!(
        "Nothing is served at {}; /v1/openapi.json says what is.",
        uri.path()
    );
    Problem::new(StatusCode::NOT_FOUND, "no_such_path", 404, detail)
}

/// The answer to a method that a path does not serve. The router adds `Allow`.
pub async fn method_not_allowed(method: Method, uri: Uri) -> Problem {
    let detail = format!(
        "{} does not serve {method}; the header field Allow says what it serves.",
        uri.path()
    );
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        405,
        detail,
    )
}

/// A sentence of its own, from the engine's part of one.
fn sentence(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|c| c.to_uppercase().to_string());
    format!("{}{}.", first.unwrap_or_default(), characters.as_str())
}
