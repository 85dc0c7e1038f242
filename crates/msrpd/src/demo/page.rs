//! The page at the admin address: a browser joins the room by MSRP over WebSocket.
//!
//! The page is three files in the program itself. It loads nothing from elsewhere and runs nothing that
//! stands in its markup: a content security policy says so to the browser. It takes part like every other
//! application: a session by the HTTP API, then MSRP.
//!
//! ```text
//!   GET /  /page.css  /page.js  /msrp.js     what is shown
//!   GET /demo/room                           which room of the API the demo's is
//!   GET, PUT, DELETE /demo/slow-reader       somebody who takes next to nothing
//! ```

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use msrp_control::{Client, ControlError, RoomId};

use super::ROOM;
use super::slow_reader::{self, SlowReader};

/// What the page's paths work with.
struct Page {
    client: Client,
    policy: HeaderValue,
    slow_reader: tokio::sync::Mutex<Option<SlowReader>>,
}

/// The page's paths. `ws` is where MSRP over WebSocket listens.
pub(super) fn router(client: Client, ws: Option<SocketAddr>) -> Router {
    let page = Page {
        client,
        policy: policy(ws),
        slow_reader: tokio::sync::Mutex::default(),
    };
    let slow_reader = get(slow_reader_shown)
        .put(slow_reader_in)
        .delete(slow_reader_out);
    Router::new()
        .route("/", get(index))
        .route("/page.css", get(style))
        .route("/page.js", get(script))
        .route("/msrp.js", get(codec))
        .route("/demo/room", get(room))
        .route("/demo/slow-reader", slow_reader)
        .with_state(Arc::new(page))
}

/// The origins that the page has when it is served at this address.
pub(super) fn origins(admin: SocketAddr) -> Vec<String> {
    let port = admin.port();
    vec![
        format!("http://{admin}"),
        format!("http://localhost:{port}"),
    ]
}

/// What the browser may do for the page: load its own files, talk to this node, nothing else.
fn policy(ws: Option<SocketAddr>) -> HeaderValue {
    let ws = ws.map_or_else(String::new, |address| format!(" ws://{address}"));
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'{ws}; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    // An address is made of visible characters.
    HeaderValue::try_from(policy).unwrap_or_else(|_| HeaderValue::from_static("default-src 'none'"))
}

type Shared = State<Arc<Page>>;

async fn index(State(page): Shared) -> Response {
    let policy = (header::CONTENT_SECURITY_POLICY, page.policy.clone());
    let referrer = (header::REFERRER_POLICY, "no-referrer");
    let file = file("text/html; charset=utf-8", include_str!("page/index.html"));
    ([policy], [referrer], file).into_response()
}

async fn style() -> impl IntoResponse {
    file("text/css; charset=utf-8", include_str!("page/page.css"))
}

async fn script() -> impl IntoResponse {
    file(
        "text/javascript; charset=utf-8",
        include_str!("page/page.js"),
    )
}

async fn codec() -> impl IntoResponse {
    file(
        "text/javascript; charset=utf-8",
        include_str!("page/msrp.js"),
    )
}

/// A file of the page. The next version of the program may have another one under its name.
fn file(media_type: &'static str, text: &'static str) -> impl IntoResponse {
    let headers: [(HeaderName, &str); 3] = [
        (header::CONTENT_TYPE, media_type),
        (header::CACHE_CONTROL, "no-cache"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, text)
}

async fn room(State(page): Shared) -> Response {
    match find_room(&page.client).await {
        Ok(room) => json(format!("{{\"room\":\"{room}\",\"uri\":\"{ROOM}\"}}\n")),
        Err(refused) => refused,
    }
}

async fn slow_reader_shown(State(page): Shared) -> Response {
    let octets = page
        .slow_reader
        .lock()
        .await
        .as_ref()
        .and_then(SlowReader::octets);
    let octets = octets.map_or_else(|| "null".to_owned(), |octets| octets.to_string());
    json(format!("{{\"octets\":{octets}}}\n"))
}

async fn slow_reader_in(State(page): Shared) -> Response {
    let room = match find_room(&page.client).await {
        Ok(room) => room,
        Err(refused) => return refused,
    };
    let mut present = page.slow_reader.lock().await;
    if present.as_ref().and_then(SlowReader::octets).is_none() {
        match slow_reader::join(&page.client, room).await {
            Ok(reader) => *present = Some(reader),
            Err(reason) => return refuse(StatusCode::SERVICE_UNAVAILABLE, &reason),
        }
    }
    StatusCode::NO_CONTENT.into_response()
}

async fn slow_reader_out(State(page): Shared) -> StatusCode {
    *page.slow_reader.lock().await = None;
    StatusCode::NO_CONTENT
}

/// The room of the engine that has the demo's address. It is there as soon as somebody has joined.
async fn find_room(client: &Client) -> Result<RoomId, Response> {
    let failed = |error: ControlError| refuse(StatusCode::SERVICE_UNAVAILABLE, &error.to_string());
    for room in client.rooms(None, ROOMS_MAX).await.map_err(failed)? {
        let is_it = |uri: &String| uri == ROOM;
        // One that has just ended is not it.
        if let Ok(state) = client.room(room.room.clone()).await
            && state.config.uris.iter().any(is_it)
        {
            return Ok(room.room);
        }
    }
    let reason = "the room has not begun; try again in a second";
    Err(refuse(StatusCode::SERVICE_UNAVAILABLE, reason))
}

fn json(text: String) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}

fn refuse(status: StatusCode, reason: &str) -> Response {
    (status, format!("{reason}\n")).into_response()
}

/// Rooms that are looked through. The demo has one; further ones are of the user's making.
const ROOMS_MAX: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_holds_nothing_that_its_policy_forbids() {
        let text = include_str!("page/index.html");
        for forbidden in [
            "<style",
            "style=",
            " onclick",
            "javascript:",
            "http:",
            "https:",
            "//",
        ] {
            assert!(!text.contains(forbidden), "{forbidden}");
        }
        let inline = text
            .split("<script")
            .skip(1)
            .filter(|rest| !rest.contains("src="));
        assert_eq!(inline.count(), 0);
    }

    #[test]
    fn policy_lets_the_page_talk_to_its_node_alone() {
        let policy = policy(Some("127.0.0.1:2856".parse().unwrap()));
        let policy = policy.to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; "), "{policy}");
        assert!(
            policy.contains("connect-src 'self' ws://127.0.0.1:2856; "),
            "{policy}"
        );
        assert!(!policy.contains("unsafe"), "{policy}");
    }
}
