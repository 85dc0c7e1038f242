//! A client of the admin door: one request, one connection.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::transcript::Transcript;

/// A response of the admin door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpResponse {
    /// The status code.
    pub status: u16,
    /// Header fields in their order.
    pub headers: Vec<(String, String)>,
    /// The body without its transfer coding.
    pub body: String,
}

impl HttpResponse {
    /// The first header field of a name, compared without case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// Sends a GET.
///
/// # Panics
/// When nobody answers before the deadline, or the answer is not HTTP/1.1.
pub async fn get(address: SocketAddr, path: &str) -> HttpResponse {
    request(address, "GET", path, None).await
}

/// Sends a request; the body comes with its Content-Type.
///
/// # Panics
/// When nobody answers before the deadline, or the answer is not HTTP/1.1.
pub async fn request(
    address: SocketAddr,
    method: &str,
    path: &str,
    body: Option<(&str, &str)>,
) -> HttpResponse {
    let content_type = body.map(|(content_type, _)| ("Content-Type", content_type));
    let headers: Vec<_> = content_type.into_iter().collect();
    let body = body.map(|(_, body)| body);
    send(address, method, path, &headers, body).await
}

/// Sends a request with these header fields.
///
/// # Panics
/// When nobody answers before the deadline, or the answer is not HTTP/1.1.
pub async fn send(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<&str>,
) -> HttpResponse {
    let transcript = Transcript::new(format!("HTTP client of {address}"));
    let mut text = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    if let Some(body) = body {
        text.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
    } else {
        text.push_str("\r\n");
    }
    transcript.octets("->", text.as_bytes());
    let mut octets = Vec::new();
    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(text.as_bytes()).await?;
        stream.read_to_end(&mut octets).await
    };
    let result = transcript.within("the response", exchange).await;
    transcript.octets("<-", &octets);
    match result
        .map_err(|error| error.to_string())
        .and_then(|_| parse(&octets))
    {
        Ok(response) => response,
        Err(fault) => panic!("{fault}\n{transcript}"),
    }
}

fn parse(octets: &[u8]) -> Result<HttpResponse, String> {
    let end = octets
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .ok_or("no blank line behind the head")?;
    let head = str::from_utf8(&octets[..end]).map_err(|_| "a head that is not UTF-8")?;
    let mut lines = head.split("\r\n");
    let status = lines
        .next()
        .and_then(|line| line.strip_prefix("HTTP/1.1 "))
        .and_then(|rest| rest.get(..3));
    let status = status
        .and_then(|status| status.parse().ok())
        .ok_or("no status line")?;
    let header = |line: &str| {
        line.split_once(':')
            .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
    };
    let headers = lines
        .map(|line| header(line).ok_or("a header line"))
        .collect::<Result<Vec<_>, _>>()?;
    let mut response = HttpResponse {
        status,
        headers,
        body: String::new(),
    };
    let rest = &octets[end + 4..];
    let body = match (
        response.header("Transfer-Encoding"),
        response.header("Content-Length"),
    ) {
        (Some(coding), _) if coding.eq_ignore_ascii_case("chunked") => decode_chunks(rest)?,
        (None, Some(length)) if length.parse() == Ok(rest.len()) => rest.to_vec(),
        (None, None) => rest.to_vec(),
        _ => return Err(format!("length of a body of {} octets", rest.len())),
    };
    response.body = String::from_utf8(body).map_err(|_| "a body that is not UTF-8")?;
    Ok(response)
}

fn decode_chunks(mut rest: &[u8]) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    loop {
        let end = rest
            .windows(2)
            .position(|window| window == b"\r\n")
            .ok_or("a chunk without its size")?;
        let size = str::from_utf8(&rest[..end])
            .ok()
            .and_then(|text| text.split(';').next());
        let size = size
            .and_then(|text| usize::from_str_radix(text.trim(), 16).ok())
            .ok_or("a chunk size")?;
        let data = rest.get(end + 2..).ok_or("a chunk")?;
        if size == 0 {
            return Ok(body);
        }
        body.extend_from_slice(data.get(..size).ok_or("a chunk that is cut off")?);
        rest = data.get(size + 2..).ok_or("a chunk that is cut off")?;
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn response_bodies_of_every_coding_are_read() {
        let plain = parse(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc").unwrap();
        assert_eq!(
            (
                plain.status,
                plain.body.as_str(),
                plain.header("Content-Length")
            ),
            (200, "abc", Some("3"))
        );
        let chunked = parse(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;x=y\r\nc\r\n0\r\n\r\n").unwrap();
        assert_eq!(chunked.body, "abc");
        assert_eq!(parse(b"HTTP/1.1 404 Not Found\r\n\r\nx").unwrap().body, "x");
        assert!(parse(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nabc").is_err());
    }

    #[tokio::test]
    async fn get_gives_what_the_server_wrote() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serve = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut buffer = [0; 1024];
            let octets = stream.read(&mut buffer).await.unwrap();
            assert!(buffer[..octets].starts_with(b"GET /metrics HTTP/1.1\r\n"));
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nup 1")
                .await
                .unwrap();
        };
        let (response, ()) = tokio::join!(get(address, "/metrics"), serve);
        assert_eq!((response.status, response.body.as_str()), (200, "up 1"));
    }
}
