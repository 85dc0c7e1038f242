//! The admin server as msrpctl reaches it: by TCP or by a Unix socket, with a token or without.

use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request, Response, header};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use super::fault::{Fault, Refusal};
use super::secure::{Secure, Security};

/// Where the admin server is, and what opens it.
#[derive(Debug, Clone, clap::Args)]
pub struct Reach {
    /// The admin address of msrpd.
    #[arg(
        long,
        global = true,
        value_name = "ADDRESS:PORT",
        env = "MSRPCTL_ADMIN",
        hide_env_values = true,
        default_value = "127.0.0.1:8655"
    )]
    pub admin: String,
    /// The admin socket of msrpd, in the place of its address.
    #[arg(
        long,
        global = true,
        value_name = "PATH",
        env = "MSRPCTL_SOCKET",
        hide_env_values = true
    )]
    pub socket: Option<PathBuf>,
    /// A file that holds a token of msrpd, and nothing else.
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "MSRPCTL_TOKEN_FILE",
        hide_env_values = true
    )]
    pub token_file: Option<PathBuf>,
    /// Whether and how it speaks TLS.
    #[command(flatten)]
    pub security: Security,
}

/// The admin server of one node.
#[derive(Debug, Clone)]
pub(super) struct Server {
    place: Place,
    token: Option<String>,
}

#[derive(Debug, Clone)]
enum Place {
    Address(String, Option<Secure>),
    Socket(PathBuf),
}

/// An answer that is a success, or one that the caller wants to judge.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
}

impl Server {
    /// # Errors
    /// [`Fault::Local`] when the file of the token, or one of TLS, cannot be used.
    pub(super) fn new(reach: &Reach) -> Result<Self, Fault> {
        let place = match &reach.socket {
            Some(path) => Place::Socket(path.clone()),
            None => Place::Address(reach.admin.clone(), Secure::new(&reach.security)?),
        };
        let token = reach.token_file.as_deref().map(read_token).transpose()?;
        Ok(Self { place, token })
    }

    /// How a person names the place.
    pub(super) fn place(&self) -> String {
        match &self.place {
            Place::Address(address, _) => address.clone(),
            Place::Socket(path) => path.display().to_string(),
        }
    }

    /// Asks for a JSON document.
    ///
    /// # Errors
    /// Every [`Fault`] but [`Fault::Local`].
    pub(super) async fn get(&self, path: &str) -> Result<Value, Fault> {
        let answer = self.ask(Method::GET, path, None).await?;
        self.document(&answer)
    }

    /// Sends a JSON document, or nothing. An answer without a body is null.
    ///
    /// # Errors
    /// Every [`Fault`] but [`Fault::Local`].
    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Value, Fault> {
        let answer = self.ask(method, path, body).await?;
        self.document(&answer)
    }

    /// One request and its whole answer, which is a success.
    ///
    /// # Errors
    /// Every [`Fault`] but [`Fault::Local`].
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Answer, Fault> {
        let answer = self.ask_any(method, path, body).await?;
        if (200..300).contains(&answer.status) {
            Ok(answer)
        } else {
            Err(Refusal::read(answer.status, &answer.body).into())
        }
    }

    /// One request and its whole answer, whatever its status.
    ///
    /// # Errors
    /// [`Fault::Unreachable`] and [`Fault::Strange`].
    pub(super) async fn ask_any(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Answer, Fault> {
        let exchange = async {
            let response = self.open(method, path, body).await?;
            let status = response.status().as_u16();
            let octets = axum::body::to_bytes(response.into_body(), ANSWER_OCTETS_MAX).await;
            let octets = octets.map_err(|error| self.strange(&error.to_string()))?;
            let body = String::from_utf8(octets.to_vec())
                .map_err(|_| self.strange("its answer is not text"))?;
            Ok(Answer { status, body })
        };
        let late = format!("no answer within {} s", ANSWER_TIME_MAX.as_secs());
        let answer = timeout(ANSWER_TIME_MAX, exchange).await;
        answer.unwrap_or_else(|_| Err(self.unreachable(&late)))
    }

    /// Asks for an answer that goes on for long; gives its body once the answer is a success.
    ///
    /// # Errors
    /// Every [`Fault`] but [`Fault::Local`].
    pub(super) async fn stream(&self, path: &str) -> Result<Body, Fault> {
        let late = format!("no answer within {} s", ANSWER_TIME_MAX.as_secs());
        let response = timeout(ANSWER_TIME_MAX, self.open(Method::GET, path, None)).await;
        let response = response.unwrap_or_else(|_| Err(self.unreachable(&late)))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response.into_body());
        }
        let octets = axum::body::to_bytes(response.into_body(), ANSWER_OCTETS_MAX).await;
        let text = String::from_utf8_lossy(&octets.unwrap_or_default()).into_owned();
        Err(Refusal::read(status.as_u16(), &text).into())
    }

    /// A body that broke off.
    pub(super) fn broken(&self, error: &dyn std::fmt::Display) -> Fault {
        self.unreachable(&format!("the answer broke off: {error}"))
    }

    async fn open(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Response<Body>, Fault> {
        let request = self.request(method, path, body)?;
        match &self.place {
            Place::Address(address, secure) => {
                let stream = TcpStream::connect(address).await;
                let stream = stream.map_err(|e| self.unreachable(&e.to_string()))?;
                let Some(secure) = secure else {
                    return self.exchange(stream, request).await;
                };
                let stream = secure.connect(address, stream).await;
                self.exchange(stream.map_err(|e| self.unreachable(&e))?, request)
                    .await
            }
            Place::Socket(path) => {
                let stream = UnixStream::connect(path).await;
                self.exchange(
                    stream.map_err(|e| self.unreachable(&e.to_string()))?,
                    request,
                )
                .await
            }
        }
    }

    async fn exchange(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        request: Request<Body>,
    ) -> Result<Response<Body>, Fault> {
        let handshake = http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = handshake.map_err(|e| self.strange(&e.to_string()))?;
        // Ends when the answer was read, or with the answer when nobody reads it on.
        tokio::spawn(connection);
        let response = sender.send_request(request).await;
        let response = response.map_err(|e| self.strange(&e.to_string()))?;
        Ok(response.map(Body::new))
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Request<Body>, Fault> {
        let host = match &self.place {
            Place::Address(address, _) => address.as_str(),
            Place::Socket(_) => "localhost",
        };
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, host);
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = match body {
            Some(body) => request
                .header(header::CONTENT_TYPE, "application/json")
                .body(Body::from(body.to_string())),
            None => request.body(Body::empty()),
        };
        request.map_err(|error| Fault::Local(format!("the request cannot be written: {error}")))
    }

    fn document(&self, answer: &Answer) -> Result<Value, Fault> {
        if answer.body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&answer.body).map_err(|_| self.strange("its answer is not JSON"))
    }

    fn unreachable(&self, reason: &str) -> Fault {
        Fault::Unreachable {
            place: self.place(),
            reason: reason.to_owned(),
        }
    }

    fn strange(&self, what: &str) -> Fault {
        Fault::Strange {
            place: self.place(),
            what: what.to_owned(),
        }
    }
}

fn read_token(file: &Path) -> Result<String, Fault> {
    let name = file.display();
    let text = std::fs::read_to_string(file);
    let text = text
        .map_err(|error| Fault::Local(format!("the token file {name} cannot be read: {error}")))?;
    let token = text.trim();
    let is_one_word = !token.is_empty() && token.bytes().all(|b| b.is_ascii_graphic());
    if is_one_word {
        Ok(token.to_owned())
    } else {
        Err(Fault::Local(format!(
            "the token file {name} has to hold one token and nothing else"
        )))
    }
}

/// Longest wait for an answer, or for its beginning when it goes on for long.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(10);
/// Longest answer, octets; a longer one is refused.
const ANSWER_OCTETS_MAX: usize = 64 * 1024 * 1024;
