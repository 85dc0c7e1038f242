//! The HTTP request that opens a WebSocket, and its answer.
//!
//! # Spec
//! RFC 6455 s.4.2, RFC 7977 s.4.1 and s.7.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use httparse::{Error, Header, Request, Status};
use ring::digest;

use crate::Failure;
use crate::limits::{HANDSHAKE_HEADERS_MAX, HANDSHAKE_OCTETS_MAX};

/// Whose pages may open a WebSocket.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origins {
    allowed: Option<Vec<String>>,
}

impl Origins {
    /// Pages of every origin.
    #[must_use]
    pub fn any() -> Self {
        Self::default()
    }

    /// Pages of these origins alone, as `https://chat.example.com`. Clients that are no browsers name
    /// no origin and are always let in: what lets a session in is its secret URI.
    #[must_use]
    pub fn only(allowed: Vec<String>) -> Self {
        Self {
            allowed: Some(allowed),
        }
    }

    fn allow(&self, origin: &[u8]) -> bool {
        let is_it = |allowed: &String| allowed.as_bytes().eq_ignore_ascii_case(origin);
        self.allowed
            .as_ref()
            .is_none_or(|allowed| allowed.iter().any(is_it))
    }
}

/// Reads the request. Gives its length when it is complete; its answer is appended to `answer`.
///
/// # Errors
/// A [`Failure`], with the refusal appended to `answer`.
pub(super) fn read(
    head: &[u8],
    origins: &Origins,
    answer: &mut Vec<u8>,
) -> Result<Option<usize>, Failure> {
    let mut headers = [httparse::EMPTY_HEADER; HANDSHAKE_HEADERS_MAX];
    let mut request = Request::new(&mut headers);
    let octets = match request.parse(head) {
        Ok(Status::Complete(octets)) if octets <= HANDSHAKE_OCTETS_MAX => octets,
        Ok(Status::Partial) if head.len() < HANDSHAKE_OCTETS_MAX => return Ok(None),
        Ok(Status::Complete(_) | Status::Partial) | Err(Error::TooManyHeaders) => {
            return refuse(answer, Failure::HandshakeTooLong);
        }
        Err(_) => return refuse(answer, Failure::NotWebSocket),
    };
    match accept(&request, origins) {
        Ok(accepted) => {
            accepted.write(answer);
            Ok(Some(octets))
        }
        Err(failure) => refuse(answer, failure),
    }
}

/// What goes into the answer of a request that is accepted.
struct Accepted<'a> {
    key: &'a [u8],
    origin: Option<&'a [u8]>,
}

fn accept<'a>(request: &Request<'_, 'a>, origins: &Origins) -> Result<Accepted<'a>, Failure> {
    let headers = &*request.headers;
    let is_upgrade = request.method == Some("GET")
        && request.version == Some(1)
        && value(headers, "host").is_some()
        && has_token(headers, "upgrade", "websocket")
        && has_token(headers, "connection", "upgrade");
    if !is_upgrade {
        return Err(Failure::NotWebSocket);
    }
    if value(headers, "sec-websocket-version").is_none_or(|version| version != b"13") {
        return Err(Failure::Version);
    }
    let key = value(headers, "sec-websocket-key").ok_or(Failure::NotWebSocket)?;
    if STANDARD.decode(key).is_ok_and(|nonce| nonce.len() == 16) {
        let origin = value(headers, "origin");
        if origin.is_some_and(|origin| !origins.allow(origin)) {
            return Err(Failure::Origin);
        }
        // Names of sub-protocols are compared with their case.
        if !tokens(headers, "sec-websocket-protocol").any(|token| token == SUBPROTOCOL.as_bytes()) {
            return Err(Failure::Subprotocol);
        }
        Ok(Accepted { key, origin })
    } else {
        Err(Failure::NotWebSocket)
    }
}

impl Accepted<'_> {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ",
        );
        out.extend_from_slice(accept_value(self.key).as_bytes());
        out.extend_from_slice(b"\r\nSec-WebSocket-Protocol: ");
        out.extend_from_slice(SUBPROTOCOL.as_bytes());
        if let Some(origin) = self.origin {
            out.extend_from_slice(b"\r\nAccess-Control-Allow-Origin: ");
            out.extend_from_slice(origin);
        }
        out.extend_from_slice(b"\r\n\r\n");
    }
}

fn accept_value(key: &[u8]) -> String {
    let mut hash = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    hash.update(key);
    hash.update(KEY_SUFFIX);
    STANDARD.encode(hash.finish())
}

fn refuse<T>(answer: &mut Vec<u8>, failure: Failure) -> Result<T, Failure> {
    let (status, further) = match failure {
        Failure::Origin => ("403 Forbidden", ""),
        Failure::Version => (
            "426 Upgrade Required",
            "Sec-WebSocket-Version: 13\r\nUpgrade: websocket\r\n",
        ),
        Failure::HandshakeTooLong => ("431 Request Header Fields Too Large", ""),
        Failure::Tls
        | Failure::Certificate
        | Failure::NotWebSocket
        | Failure::Subprotocol
        | Failure::Frame
        | Failure::MessageTooLong => ("400 Bad Request", ""),
    };
    let reason = failure.to_string();
    let text = format!(
        "HTTP/1.1 {status}\r\n{further}Content-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{reason}\n",
        reason.len().saturating_add(1),
    );
    answer.extend_from_slice(text.as_bytes());
    Err(failure)
}

/// The value of the first field of this name.
fn value<'a>(headers: &[Header<'a>], name: &str) -> Option<&'a [u8]> {
    let field = headers
        .iter()
        .find(|field| field.name.eq_ignore_ascii_case(name))?;
    Some(field.value.trim_ascii())
}

/// The elements of all fields of this name.
fn tokens<'a>(headers: &[Header<'a>], name: &str) -> impl Iterator<Item = &'a [u8]> {
    headers
        .iter()
        .filter(move |field| field.name.eq_ignore_ascii_case(name))
        .flat_map(|field| field.value.split(|octet| *octet == b','))
        .map(<[u8]>::trim_ascii)
}

fn has_token(headers: &[Header<'_>], name: &str, token: &str) -> bool {
    tokens(headers, name).any(|other| other.eq_ignore_ascii_case(token.as_bytes()))
}

/// The name of MSRP among the sub-protocols (RFC 7977 s.4.1).
const SUBPROTOCOL: &str = "msrp";

/// What is put behind the client's key before it is hashed (RFC 6455 s.1.3).
const KEY_SUFFIX: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: &str = "GET /msrp HTTP/1.1\r\nHost: a.example.com\r\nUpgrade: WebSocket\r\n\
        Connection: keep-alive, Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        Origin: https://chat.example.com\r\nSec-WebSocket-Protocol: sip, msrp\r\n\
        Sec-WebSocket-Version: 13\r\n\r\n";

    fn answer(request: &str, origins: &Origins) -> (Result<Option<usize>, Failure>, String) {
        let mut answer = Vec::new();
        let read = read(request.as_bytes(), origins, &mut answer);
        (read, String::from_utf8(answer).unwrap())
    }

    // covers: MSRP-7977-4.1-02, MSRP-7977-7-02
    #[test]
    fn handshake_is_answered_with_the_accept_value_and_the_subprotocol() {
        let (read, answer) = answer(REQUEST, &Origins::any());
        assert_eq!(read, Ok(Some(REQUEST.len())));
        let lines: Vec<&str> = answer.split("\r\n").collect();
        assert_eq!(lines[0], "HTTP/1.1 101 Switching Protocols");
        assert!(lines.contains(&"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        assert!(lines.contains(&"Sec-WebSocket-Protocol: msrp"));
        assert!(lines.contains(&"Access-Control-Allow-Origin: https://chat.example.com"));
        assert!(!answer.contains("Extensions"), "{answer}");
    }

    #[test]
    fn handshake_cut_anywhere_waits_for_more() {
        for end in 0..REQUEST.len() {
            let (read, answer) = answer(&REQUEST[..end], &Origins::any());
            assert_eq!((read, answer.as_str()), (Ok(None), ""), "{end}");
        }
    }

    // covers: MSRP-7977-7-01
    #[test]
    fn handshake_that_is_wrong_is_refused_with_its_status() {
        let only = Origins::only(vec!["https://other.example.com".to_owned()]);
        let without = |line: &str| REQUEST.replace(line, "");
        let long = REQUEST.replace("Host: a", &format!("Host: {}a", "a".repeat(9000)));
        let many = REQUEST.replace("Host:", &format!("{}Host:", "X: y\r\n".repeat(100)));
        let table = [
            (REQUEST.to_owned(), &only, Failure::Origin, "403"),
            (
                REQUEST.replace("sip, msrp", "sip, MSRP"),
                &only,
                Failure::Origin,
                "403",
            ),
            (
                REQUEST.replace("sip, msrp", "sip"),
                &Origins::any(),
                Failure::Subprotocol,
                "400",
            ),
            (
                without("Sec-WebSocket-Protocol: sip, msrp\r\n"),
                &Origins::any(),
                Failure::Subprotocol,
                "400",
            ),
            (
                REQUEST.replace("Version: 13", "Version: 8"),
                &Origins::any(),
                Failure::Version,
                "426",
            ),
            (
                without("Host: a.example.com\r\n"),
                &Origins::any(),
                Failure::NotWebSocket,
                "400",
            ),
            (
                without("Upgrade: WebSocket\r\n"),
                &Origins::any(),
                Failure::NotWebSocket,
                "400",
            ),
            (
                REQUEST.replace("GET", "POST"),
                &Origins::any(),
                Failure::NotWebSocket,
                "400",
            ),
            (
                REQUEST.replace("HTTP/1.1", "HTTP/1.0"),
                &Origins::any(),
                Failure::NotWebSocket,
                "400",
            ),
            (
                REQUEST.replace("dGhl", ""),
                &Origins::any(),
                Failure::NotWebSocket,
                "400",
            ),
            (
                "MSRP abcd1234 SEND\r\n".to_owned(),
                &Origins::any(),
                Failure::NotWebSocket,
                "400",
            ),
            (long, &Origins::any(), Failure::HandshakeTooLong, "431"),
            (many, &Origins::any(), Failure::HandshakeTooLong, "431"),
        ];
        for (request, origins, failure, status) in table {
            let (read, answer) = answer(&request, origins);
            assert_eq!(read, Err(failure), "{request}");
            assert_eq!(answer.split(' ').nth(1), Some(status), "{answer}");
        }
    }

    #[test]
    fn origin_is_compared_without_case_and_its_absence_is_allowed() {
        let only = Origins::only(vec!["HTTPS://chat.EXAMPLE.com".to_owned()]);
        assert!(answer(REQUEST, &only).0.is_ok());
        let without = REQUEST.replace("Origin: https://chat.example.com\r\n", "");
        let (read, answer) = answer(&without, &only);
        assert!(read.is_ok());
        assert!(!answer.contains("Access-Control"));
    }
}
