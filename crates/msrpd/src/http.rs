//! The smallest HTTP client that can read the admin server: one request, one answer, one
//! connection.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The header fields, in order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl Answer {
    /// The value of the first header field of this name; case does not matter.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let field = self
            .headers
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name));
        field.map(|(_, value)| value.as_str())
    }
}

/// Asks for a path.
///
/// # Errors
/// What the connection says; `TimedOut` after [`TIME_MAX`], `InvalidData` when the answer is not
/// HTTP or longer than [`ANSWER_OCTETS_MAX`].
pub async fn get(server: SocketAddr, path: &str) -> io::Result<Answer> {
    request(server, "GET", path).await
}

pub(crate) async fn request(server: SocketAddr, method: &str, path: &str) -> io::Result<Answer> {
    let exchange = exchange(server, method, path);
    let octets = timeout(TIME_MAX, exchange)
        .await
        .map_err(|_| io::ErrorKind::TimedOut)??;
    let text = String::from_utf8(octets).map_err(|_| io::ErrorKind::InvalidData)?;
    parse(&text).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

async fn exchange(server: SocketAddr, method: &str, path: &str) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(server).await?;
    // HTTP/1.0 keeps the answer free of transfer codings and ends it with the connection.
    let request = format!("{method} {path} HTTP/1.0\r\nHost: {server}\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut octets = Vec::new();
    stream
        .take(ANSWER_OCTETS_MAX + 1)
        .read_to_end(&mut octets)
        .await?;
    if octets.len() as u64 > ANSWER_OCTETS_MAX {
        return Err(io::ErrorKind::InvalidData.into());
    }
    Ok(octets)
}

fn parse(text: &str) -> Option<Answer> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.strip_prefix("HTTP/1.")?.split(' ').nth(1)?;
    let field = |line: &str| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_owned(), value.trim().to_owned()))
    };
    Some(Answer {
        status: status.parse().ok()?,
        headers: lines.map(field).collect::<Option<_>>()?,
        body: body.to_owned(),
    })
}

/// Longest wait for an answer.
pub const TIME_MAX: Duration = Duration::from_secs(5);
/// Longest answer, octets; a longer one is refused.
pub const ANSWER_OCTETS_MAX: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answer_head_and_body_are_split() {
        let answer = parse("HTTP/1.1 503 Service Unavailable\r\nA: b c\r\n\r\nx\r\n\r\ny").unwrap();
        assert_eq!(answer.status, 503);
        assert_eq!(answer.header("a"), Some("b c"));
        assert_eq!(answer.body, "x\r\n\r\ny");
    }

    #[test]
    fn answer_that_is_not_http_is_refused() {
        assert_eq!(parse("SSH-2.0\r\n\r\n"), None);
        assert_eq!(parse("HTTP/1.1 200 OK\r\n"), None);
    }
}
