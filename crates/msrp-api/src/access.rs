//! Who may ask for what: bearer tokens with scopes, or everybody where the address alone decides.
//!
//! A file of tokens has one line for each: a name for the log, scopes, and the SHA-256 of the token.
//! The token itself stands nowhere. What a request shows is hashed and compared with every line in
//! constant time, so that neither the time nor the file tells a token.

use std::convert::Infallible;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use axum::Router;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq as _;

use crate::Problem;
use crate::events::{Detail, Filter};
use crate::limits::TOKENS_MAX;

/// Who may use a listener.
#[derive(Debug, Clone)]
pub enum Access {
    /// Whoever reaches it: a Unix socket whose peers are known, or an address that the operator
    /// opened in as many words.
    Everyone,
    /// Programs of this machine. Pages in a browser of this machine may not: they come with another
    /// origin, or with a name that resolves to loopback.
    Loopback,
    /// Who shows a token.
    Tokens(Arc<TokenStore>),
}

/// What a token lets its holder do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// GET of what runs, and of metrics.
    Read,
    /// Everything that changes something.
    Control,
    /// The stream of events.
    Events,
    /// What passes on connections, bodies included.
    Trace,
    /// What messages held, in events.
    Content,
}

/// Whether who asks may read what participants say. Set by [`guard`]; who comes by no guard may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ContentReading {
    is_allowed: bool,
}

impl ContentReading {
    /// Refuses a filter that names what is not allowed.
    ///
    /// # Errors
    /// `insufficient_scope`, 403.
    pub(crate) fn check(self, filter: &Filter) -> Result<(), Problem> {
        if self.is_allowed || filter.detail() < Detail::Content {
            return Ok(());
        }
        let detail = "message_content needs the scope content; add it to the token in the file of \
                      tokens, or leave this type out.";
        let status = StatusCode::FORBIDDEN;
        Err(Problem::new(status, "insufficient_scope", 500, detail))
    }
}

impl<S: Sync> FromRequestParts<S> for ContentReading {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let set = parts.extensions.get::<Self>().copied();
        Ok(set.unwrap_or(Self { is_allowed: false }))
    }
}

impl Scope {
    const ALL: [(Self, &'static str); 5] = [
        (Self::Read, "read"),
        (Self::Control, "control"),
        (Self::Events, "events"),
        (Self::Trace, "trace"),
        (Self::Content, "content"),
    ];

    fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Control => "control",
            Self::Events => "events",
            Self::Trace => "trace",
            Self::Content => "content",
        }
    }

    /// What a request needs; `None` when anybody may ask.
    fn of(method: &Method, path: &str) -> Option<Self> {
        match (method, path) {
            (_, "/livez" | "/readyz" | "/v1/openapi.json") => None,
            (_, "/v1/events") => Some(Self::Events),
            (_, path) if is_trace(path) => Some(Self::Trace),
            (&Method::GET | &Method::HEAD, _) => Some(Self::Read),
            _ => Some(Self::Control),
        }
    }
}

/// Whether a path is that of a trace, and not of a room or participant of that name.
fn is_trace(path: &str) -> bool {
    let segments: Vec<_> = path.split('/').collect();
    matches!(
        segments[..],
        ["", "v1", "rooms", _, "trace"] | ["", "v1", "rooms", _, "participants", _, "trace"]
    )
}

/// The tokens of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tokens(Vec<Token>);

/// The tokens in force. They may be exchanged while requests are checked.
#[derive(Debug)]
pub struct TokenStore(RwLock<Tokens>);

impl TokenStore {
    /// With these tokens in force.
    #[must_use]
    pub fn new(tokens: Tokens) -> Self {
        Self(RwLock::new(tokens))
    }

    /// Has these in force from the next request on.
    pub fn replace(&self, tokens: Tokens) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = tokens;
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Token {
    name: String,
    scopes: Vec<Scope>,
    sha256: [u8; 32],
}

/// A line of a file of tokens that cannot be used. Says nothing of what stands there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokensError {
    /// The line, from one; 0 for the whole file.
    pub line: usize,
    /// What was expected.
    pub expected: &'static str,
}

impl fmt::Display for TokensError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "expected {}", self.expected),
            line => write!(f, "line {line}: expected {}", self.expected),
        }
    }
}

impl std::error::Error for TokensError {}

impl Tokens {
    /// Reads the text of a file: `NAME SCOPE[,SCOPE...] SHA256` a line; blank lines and lines that
    /// begin with `#` are left out.
    ///
    /// # Errors
    /// [`TokensError`]: the operator's fault.
    pub fn parse(text: &str) -> Result<Self, TokensError> {
        let mut tokens: Vec<Token> = Vec::new();
        for (index, text) in text.lines().enumerate() {
            let text = text.trim();
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            let wrong = |expected| TokensError {
                line: index + 1,
                expected,
            };
            let token = Token::parse(text).map_err(wrong)?;
            if tokens.iter().any(|other| other.name == token.name) {
                return Err(wrong("a name that no other line has"));
            }
            tokens.push(token);
        }
        if tokens.is_empty() || tokens.len() > TOKENS_MAX {
            let expected = "1 to 1000 lines NAME SCOPES SHA256";
            return Err(TokensError { line: 0, expected });
        }
        Ok(Self(tokens))
    }

    /// The token that a request shows. Takes the same time whichever it is.
    fn find(&self, shown: &str) -> Option<&Token> {
        let hash: [u8; 32] = Sha256::digest(shown).into();
        let mut found = None;
        for token in &self.0 {
            if bool::from(token.sha256.ct_eq(&hash)) {
                found = Some(token);
            }
        }
        found
    }
}

impl Token {
    fn parse(text: &str) -> Result<Self, &'static str> {
        let mut fields = text.split_ascii_whitespace();
        let (Some(name), Some(scopes), Some(hash), None) =
            (fields.next(), fields.next(), fields.next(), fields.next())
        else {
            return Err("NAME SCOPES SHA256");
        };
        let scope = |name: &str| {
            let known = Scope::ALL.into_iter().find(|(_, known)| *known == name);
            known.map(|(scope, _)| scope)
        };
        let scopes = scopes.split(',').map(scope).collect::<Option<_>>();
        Ok(Self {
            name: name.to_owned(),
            scopes: scopes
                .ok_or("scopes read, control, events, trace and content, with commas between")?,
            sha256: sha256(hash).ok_or("the SHA-256 of the token, 64 hexadecimal digits")?,
        })
    }
}

fn sha256(hex: &str) -> Option<[u8; 32]> {
    if hex.len() != 64 || !hex.is_ascii() {
        return None;
    }
    let mut octets = [0; 32];
    for (index, octet) in octets.iter_mut().enumerate() {
        let digits = hex.get(index * 2..index * 2 + 2)?;
        *octet = u8::from_str_radix(digits, 16).ok()?;
    }
    Some(octets)
}

/// Puts the check in front of every route. `/livez`, `/readyz` and the description of the API need
/// nothing.
pub fn guard(router: Router, access: Access) -> Router {
    router.layer(from_fn_with_state(access, check))
}

async fn check(State(access): State<Access>, mut request: Request, next: Next) -> Response {
    let everything = ContentReading { is_allowed: true };
    let checked = match &access {
        Access::Everyone => Ok(everything),
        Access::Loopback => check_loopback(request.headers()).map(|()| everything),
        Access::Tokens(store) => {
            let tokens = store.0.read().unwrap_or_else(PoisonError::into_inner);
            check_token(&tokens, &request)
        }
    };
    match checked {
        Ok(reading) => {
            request.extensions_mut().insert(reading);
            next.run(request).await
        }
        Err(response) => *response,
    }
}

fn check_token(tokens: &Tokens, request: &Request) -> Result<ContentReading, Box<Response>> {
    let Some(scope) = Scope::of(request.method(), request.uri().path()) else {
        return Ok(ContentReading { is_allowed: false });
    };
    let shown = request.headers().get(header::AUTHORIZATION);
    let shown = shown.and_then(|value| value.to_str().ok()).and_then(bearer);
    let Some(token) = shown.and_then(|shown| tokens.find(shown)) else {
        let detail = "Show a token of the file that admin.tokens names, as \
                      Authorization: Bearer TOKEN.";
        let problem = Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", 500, detail);
        return Err(challenge(problem, "Bearer realm=\"msrpd\""));
    };
    if token.scopes.contains(&scope) {
        let is_allowed = token.scopes.contains(&Scope::Content);
        return Ok(ContentReading { is_allowed });
    }
    let (name, scope) = (&token.name, scope.as_str());
    let detail = format!("The token {name} lacks the scope {scope}; add it in the file of tokens.");
    let problem = Problem::new(StatusCode::FORBIDDEN, "insufficient_scope", 500, detail);
    let text = "Bearer realm=\"msrpd\", error=\"insufficient_scope\"";
    Err(challenge(problem, text))
}

/// The token of an `Authorization` field.
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn challenge(problem: Problem, text: &'static str) -> Box<Response> {
    let mut response = problem.into_response();
    let value = HeaderValue::from_static(text);
    response
        .headers_mut()
        .insert(header::WWW_AUTHENTICATE, value);
    Box::new(response)
}

/// Keeps pages of browsers out. Other programs send no origin, and an address as the host.
fn check_loopback(headers: &HeaderMap) -> Result<(), Box<Response>> {
    let text = |name| {
        let value: Option<&HeaderValue> = headers.get(name);
        value.map(|value| value.to_str().unwrap_or("?"))
    };
    let host = text(header::HOST);
    let is_same_origin = |origin: &str| origin.strip_prefix("http://") == host;
    if host.is_none_or(is_loopback) && text(header::ORIGIN).is_none_or(is_same_origin) {
        return Ok(());
    }
    let detail = "Without a token this address serves programs that name it as 127.0.0.1, [::1] \
                  or localhost, and no pages of other origins. Set admin.tokens to serve more.";
    let problem = Problem::new(StatusCode::FORBIDDEN, "foreign_origin", 500, detail);
    Err(Box::new(problem.into_response()))
}

fn is_loopback(host: &str) -> bool {
    let is_port = |port: &str| port.bytes().all(|b| b.is_ascii_digit());
    let name = match host.rsplit_once(':') {
        Some((name, port)) if is_port(port) => name,
        _ => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || address
            .parse()
            .is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The SHA-256 of `secret`.
    const SECRET: &str = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";

    #[test]
    fn tokens_are_found_by_what_is_shown_alone() {
        let text = format!("# for the proxy\n\nproxy control,read {SECRET}\n");
        let tokens = Tokens::parse(&text).unwrap();
        let found = tokens.find("secret").unwrap();
        assert_eq!(
            (found.name.as_str(), &found.scopes[..]),
            ("proxy", &[Scope::Control, Scope::Read][..])
        );
        for shown in ["", "Secret", "secret ", SECRET] {
            assert_eq!(tokens.find(shown), None, "{shown}");
        }
        assert_eq!(bearer("bearer secret"), Some("secret"));
        assert_eq!(bearer("Basic secret"), None);
    }

    #[test]
    fn tokens_of_a_wrong_line_are_refused_without_showing_it() {
        let cases = [
            (String::new(), "expected 1 to 1000 lines NAME SCOPES SHA256"),
            ("a read".to_owned(), "line 1: expected NAME SCOPES SHA256"),
            (
                format!("a write {SECRET}"),
                "line 1: expected scopes read, control, events, trace and content, with commas between",
            ),
            (
                "#\na read secret".to_owned(),
                "line 2: expected the SHA-256 of the token, 64 hexadecimal digits",
            ),
            (
                format!("a read {SECRET}\na read {SECRET}"),
                "line 2: expected a name that no other line has",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(Tokens::parse(&text).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn scope_follows_from_method_and_path() {
        assert_eq!(Scope::of(&Method::GET, "/v1/rooms"), Some(Scope::Read));
        assert_eq!(Scope::of(&Method::GET, "/metrics"), Some(Scope::Read));
        assert_eq!(Scope::of(&Method::PUT, "/v1/rooms/a"), Some(Scope::Control));
        assert_eq!(Scope::of(&Method::GET, "/v1/events"), Some(Scope::Events));
        let trace = "/v1/rooms/a/participants/b/trace";
        assert_eq!(Scope::of(&Method::GET, trace), Some(Scope::Trace));
        let room = "/v1/rooms/trace";
        assert_eq!(Scope::of(&Method::DELETE, room), Some(Scope::Control));
        let trace = "/v1/rooms/trace/trace";
        assert_eq!(Scope::of(&Method::GET, trace), Some(Scope::Trace));
        assert_eq!(Scope::of(&Method::GET, "/livez"), None);
    }

    #[test]
    fn loopback_serves_programs_and_no_pages() {
        let of = |fields: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in fields {
                headers.insert(*name, HeaderValue::from_static(value));
            }
            check_loopback(&headers).is_ok()
        };
        assert!(of(&[]));
        for host in ["127.0.0.1:8655", "[::1]:8655", "localhost", "LOCALHOST:1"] {
            assert!(of(&[("host", host)]), "{host}");
        }
        for host in [
            "evil.example:8655",
            "192.0.2.1",
            "localhost.evil.example",
            "",
        ] {
            assert!(!of(&[("host", host)]), "{host}");
        }
        let host = ("host", "127.0.0.1:8655");
        assert!(of(&[host, ("origin", "http://127.0.0.1:8655")]));
        assert!(!of(&[host, ("origin", "http://127.0.0.1:80")]));
        assert!(!of(&[host, ("origin", "null")]));
    }
}
