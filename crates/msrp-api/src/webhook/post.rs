//! One POST after the other to one target, on one connection while it lasts.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{Request, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::limits::WEBHOOK_ANSWER_OCTETS_MAX;

/// Where a webhook goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    uri: Uri,
    host: String,
    port: u16,
    is_tls: bool,
}

impl Target {
    /// Reads `http://` or `https://` with host, port, path and query.
    ///
    /// # Errors
    /// What was expected.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        const EXPECTED: &str = "http://HOST[:PORT]/PATH or https://, without a user";
        let uri: Uri = text.parse().map_err(|_| EXPECTED)?;
        let is_tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(EXPECTED),
        };
        let authority = uri.authority().ok_or(EXPECTED)?;
        if authority.as_str().contains('@') || authority.host().is_empty() {
            return Err(EXPECTED);
        }
        let default_port = if is_tls { 443 } else { 80 };
        Ok(Self {
            host: authority.host().trim_matches(['[', ']']).to_owned(),
            port: authority.port_u16().unwrap_or(default_port),
            is_tls,
            uri,
        })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.uri.fmt(f)
    }
}

/// The way to a target.
pub(super) struct Poster {
    target: Target,
    connection: Option<SendRequest<Full<Bytes>>>,
}

impl Poster {
    pub(super) fn new(target: Target) -> Self {
        Self {
            target,
            connection: None,
        }
    }

    /// Sends a document and waits for a success. Anything else, or nothing within the time, is an
    /// error, told in a few words.
    pub(super) async fn post(
        &mut self,
        headers: &[(&'static str, String)],
        body: Bytes,
        time_max: Duration,
    ) -> Result<(), String> {
        let kept = self.connection.take();
        let tried = timeout(time_max, self.exchange(kept, headers, body)).await;
        match tried {
            Ok(Ok(status)) if status.is_success() => Ok(()),
            Ok(Ok(status)) => Err(format!("it answered {}", status.as_u16())),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(format!(
                "it did not answer within {} ms",
                time_max.as_millis()
            )),
        }
    }

    async fn exchange(
        &mut self,
        kept: Option<SendRequest<Full<Bytes>>>,
        headers: &[(&'static str, String)],
        body: Bytes,
    ) -> Result<StatusCode, String> {
        // A target may close a connection that nothing went over for some time.
        if let Some(kept) = kept
            && let Ok(status) = self.exchange_on(kept, headers, body.clone()).await
        {
            return Ok(status);
        }
        let connection = self.connect().await?;
        self.exchange_on(connection, headers, body).await
    }

    async fn exchange_on(
        &mut self,
        mut connection: SendRequest<Full<Bytes>>,
        headers: &[(&'static str, String)],
        body: Bytes,
    ) -> Result<StatusCode, String> {
        let request = self.request(headers, body)?;
        let failed = |error: hyper::Error| format!("the request failed: {error}");
        connection.ready().await.map_err(failed)?;
        let response = connection.send_request(request).await.map_err(failed)?;
        let status = response.status();
        let answer = Limited::new(response.into_body(), WEBHOOK_ANSWER_OCTETS_MAX);
        if answer.collect().await.is_ok() {
            self.connection = Some(connection);
        }
        Ok(status)
    }

    fn request(
        &self,
        headers: &[(&'static str, String)],
        body: Bytes,
    ) -> Result<Request<Full<Bytes>>, String> {
        let uri = &self.target.uri;
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let host = uri.authority().map_or("", |authority| authority.as_str());
        let mut request = Request::post(path)
            .header(header::HOST, host)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::USER_AGENT, "msrpd");
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let request = request.body(Full::new(body));
        request.map_err(|error| format!("the request cannot be written: {error}"))
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, String> {
        let place = (self.target.host.as_str(), self.target.port);
        let stream = TcpStream::connect(place).await;
        let stream = stream.map_err(|error| format!("it cannot be reached: {error}"))?;
        let _ = stream.set_nodelay(true);
        if !self.target.is_tls {
            return open(stream).await;
        }
        let name = ServerName::try_from(self.target.host.clone());
        let name = name.map_err(|_| "its name cannot stand in a certificate".to_owned())?;
        let stream = TlsConnector::from(trust()?).connect(name, stream).await;
        open(stream.map_err(|error| format!("TLS failed: {error}"))?).await
    }
}

async fn open<S>(stream: S) -> Result<SendRequest<Full<Bytes>>, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let opened = handshake(TokioIo::new(stream)).await;
    let (sender, connection) = opened.map_err(|error| format!("HTTP failed: {error}"))?;
    // Ends when the sender is dropped or the target closes.
    tokio::spawn(async move {
        let _ = connection.await;
    });
    Ok(sender)
}

/// The roots of the system, read once.
fn trust() -> Result<Arc<ClientConfig>, String> {
    static TRUST: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    if let Some(trust) = TRUST.get() {
        return Ok(Arc::clone(trust));
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err("the system has no root certificates; install them".to_owned());
    }
    let config = ClientConfig::builder().with_root_certificates(roots);
    Ok(Arc::clone(
        TRUST.get_or_init(|| Arc::new(config.with_no_client_auth())),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn target_is_an_http_address_without_a_user() {
        let target = Target::parse("http://[::1]:8080/hook?a=b").unwrap();
        assert_eq!((target.host.as_str(), target.port), ("::1", 8080));
        let target = Target::parse("https://example.com").unwrap();
        assert_eq!((target.port, target.is_tls), (443, true));
        for wrong in ["ftp://x/", "/hook", "http://u:p@x/", "", "http://"] {
            assert!(Target::parse(wrong).is_err(), "{wrong}");
        }
    }
}
