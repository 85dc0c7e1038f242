//! `Idempotency-Key`: a request that is sent again is answered again and not carried out again.
//!
//! A key belongs to one method, path, query and body. Answers are remembered for a while; those of
//! the kind "try again" (5xx) are not, so that another try is one.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{FromRequest, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use crate::limits::{
    ANSWER_AGE_MAX, ANSWERS_MAX, ANSWERS_OCTETS_MAX, BODY_OCTETS_MAX, KEY_OCTETS_MAX,
};
use crate::{Api, Problem};

/// The answers to requests with a key.
#[derive(Debug, Default)]
pub(crate) struct Remembered(Mutex<Answers>);

#[derive(Debug, Default)]
struct Answers {
    by_key: HashMap<String, Entry>,
    /// In the order in which they came.
    order: VecDeque<(Instant, String)>,
    octets: usize,
}

#[derive(Debug)]
struct Entry {
    fingerprint: [u8; 32],
    /// Absent while the request is carried out.
    answer: Option<Answer>,
}

#[derive(Debug, Clone)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

/// What is known of a key.
enum Known {
    New,
    Answered(Answer),
}

/// Carries out a POST with a key once.
pub(crate) async fn answer_once(
    State(api): State<Arc<Api>>,
    request: Request,
    next: Next,
) -> Response {
    let key = request.headers().get("Idempotency-Key");
    let key = key.map(|key| key.to_str().unwrap_or_default().to_owned());
    match key {
        Some(key) if request.method() == Method::POST => keyed(&api, key, request, next)
            .await
            .unwrap_or_else(IntoResponse::into_response),
        _ => next.run(request).await,
    }
}

async fn keyed(
    api: &Arc<Api>,
    key: String,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    if key.is_empty() || key.len() > KEY_OCTETS_MAX {
        let detail = format!("Idempotency-Key has 1 to {KEY_OCTETS_MAX} octets of ASCII.");
        return Err(Problem::bad("malformed_idempotency_key", detail));
    }
    let (parts, body) = request.into_parts();
    let whole = Request::from_parts(parts.clone(), body);
    let body = Bytes::from_request(whole, api).await?;
    let mut hash = Sha256::new();
    hash.update(parts.uri.to_string());
    hash.update([0]);
    hash.update(&body);
    if let Known::Answered(answer) = api.remembered.claim(&key, hash.finalize().into())? {
        return Ok(answer.into_response());
    }
    let api = Arc::clone(api);
    let request = Request::from_parts(parts, Body::from(body));
    // A task of its own: a client that goes away in the middle asks again for the answer.
    let work = tokio::spawn(async move {
        let claim = Claim {
            remembered: &api.remembered,
            key: Some(key),
        };
        carry_out(claim, request, next).await
    });
    let broken = |_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "defect", 500, DEFECT);
    work.await.map_err(broken)?
}

async fn carry_out(
    mut claim: Claim<'_>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let (parts, body) = next.run(request).await.into_parts();
    let body = to_bytes(body, ANSWER_OCTETS_MAX).await;
    let body =
        body.map_err(|_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "defect", 500, DEFECT))?;
    let answer = Answer {
        status: parts.status,
        headers: parts.headers,
        body,
    };
    if !answer.status.is_server_error()
        && let Some(key) = claim.key.take()
    {
        claim.remembered.keep(&key, answer.clone());
    }
    Ok(answer.into_response())
}

impl Remembered {
    fn lock(&self) -> MutexGuard<'_, Answers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn claim(&self, key: &str, fingerprint: [u8; 32]) -> Result<Known, Problem> {
        let mut answers = self.lock();
        answers.forget_old();
        match answers.by_key.get(key) {
            Some(entry) if entry.fingerprint != fingerprint => {
                let detail = "This Idempotency-Key came with another request; take a new one.";
                let status = StatusCode::UNPROCESSABLE_ENTITY;
                Err(Problem::new(status, "idempotency_key_reused", 400, detail))
            }
            Some(Entry {
                answer: Some(answer),
                ..
            }) => Ok(Known::Answered(answer.clone())),
            Some(_) => {
                let detail = "The first request with this Idempotency-Key is being carried out; \
                              ask again for its answer.";
                let status = StatusCode::CONFLICT;
                Err(Problem::new(status, "request_in_progress", 500, detail).retry_after(1))
            }
            None => {
                let entry = Entry {
                    fingerprint,
                    answer: None,
                };
                answers.by_key.insert(key.to_owned(), entry);
                answers.order.push_back((Instant::now(), key.to_owned()));
                answers.forget_beyond();
                Ok(Known::New)
            }
        }
    }

    fn keep(&self, key: &str, answer: Answer) {
        let mut answers = self.lock();
        let octets = answer.body.len();
        if let Some(entry) = answers.by_key.get_mut(key) {
            entry.answer = Some(answer);
            answers.octets += octets;
        }
        answers.forget_beyond();
    }
}

impl Answers {
    fn forget_old(&mut self) {
        while let Some((since, _)) = self.order.front()
            && since.elapsed() > ANSWER_AGE_MAX
        {
            self.forget_first();
        }
    }

    fn forget_beyond(&mut self) {
        while self.order.len() > ANSWERS_MAX || self.octets > ANSWERS_OCTETS_MAX {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        if let Some((_, key)) = self.order.pop_front() {
            self.forget(&key);
        }
    }

    fn forget(&mut self, key: &str) {
        let answer = self.by_key.remove(key).and_then(|entry| entry.answer);
        self.octets -= answer.map_or(0, |answer| answer.body.len());
    }
}

/// A key whose request is being carried out. Dropped, the key is free for another try.
struct Claim<'a> {
    remembered: &'a Remembered,
    key: Option<String>,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        if let Some(key) = &self.key {
            let mut answers = self.remembered.lock();
            answers.order.retain(|(_, other)| other != key);
            answers.forget(key);
        }
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = (self.status, self.headers, self.body).into_response();
        // Written anew by the server.
        response.headers_mut().remove(header::CONTENT_LENGTH);
        response
    }
}

const DEFECT: &str = "The request failed inside; look into the log and report it.";
/// Longest answer, octets: twice what a request may bring.
const ANSWER_OCTETS_MAX: usize = BODY_OCTETS_MAX * 2;
