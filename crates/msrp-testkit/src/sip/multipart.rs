//! Multipart bodies.

use super::name_addr::parameter;

/// One part of a multipart body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// MIME header fields in their order.
    pub headers: Vec<(String, String)>,
    /// The content.
    pub body: Vec<u8>,
}

impl Part {
    /// A part with its Content-Type.
    pub fn new(content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            headers: vec![("Content-Type".into(), content_type.into())],
            body: body.into(),
        }
    }

    /// Adds a MIME header field.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The Content-Type; empty when missing.
    pub fn content_type(&self) -> &str {
        self.header("Content-Type").unwrap_or_default()
    }

    /// The first header field of a name, compared without case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// The body for `multipart/mixed;boundary=BOUNDARY`.
///
/// # Spec
/// RFC 2046 s.5.1.1: every line of a delimiter ends with CRLF.
pub fn compose_multipart(boundary: &str, parts: &[Part]) -> Vec<u8> {
    let mut octets = Vec::new();
    for part in parts {
        octets.extend_from_slice(format!("--{boundary}\r\n").as_bytes());
        for (name, value) in &part.headers {
            octets.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        octets.extend_from_slice(b"\r\n");
        octets.extend_from_slice(&part.body);
        octets.extend_from_slice(b"\r\n");
    }
    octets.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    octets
}

/// Takes a multipart body apart.
///
/// # Errors
/// The missing boundary, or the part that is broken.
pub fn parse_multipart(content_type: &str, body: &[u8]) -> Result<Vec<Part>, String> {
    let boundary = parameter(content_type, "boundary").ok_or("no boundary")?;
    let delimiter = format!("\r\n--{boundary}").into_bytes();
    let octets = [b"\r\n", body].concat();
    let starts = octets
        .windows(delimiter.len())
        .enumerate()
        .filter(|(_, window)| *window == delimiter);
    let starts = starts.map(|(at, _)| at).collect::<Vec<_>>();
    let (last, rest) = starts.split_last().ok_or("no delimiter")?;
    if !octets[last + delimiter.len()..].starts_with(b"--") || rest.is_empty() {
        return Err("no closing delimiter, or no part".into());
    }
    let parts = starts
        .windows(2)
        .map(|pair| &octets[pair[0] + delimiter.len()..pair[1]]);
    parts.map(part).collect()
}

fn part(octets: &[u8]) -> Result<Part, String> {
    let fault = || format!("part {:?}", octets.escape_ascii().to_string());
    let at = octets
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .ok_or_else(fault)?;
    let head = str::from_utf8(&octets[..at]).map_err(|_| fault())?;
    let mut lines = head.split("\r\n");
    if !lines
        .next()
        .is_some_and(|padding| padding.trim().is_empty())
    {
        return Err(fault());
    }
    let header = |line: &str| {
        line.split_once(':')
            .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
    };
    let headers = lines
        .map(|line| header(line).ok_or_else(fault))
        .collect::<Result<_, _>>()?;
    Ok(Part {
        headers,
        body: octets[at + 4..].to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn multipart_composed_is_taken_apart() {
        let parts = [
            Part::new("application/sdp", "v=0\r\n"),
            Part::new("text/xml", "<a/>").with("Content-Disposition", "x"),
        ];
        let body = compose_multipart("b1", &parts);
        assert_eq!(
            parse_multipart("multipart/mixed;boundary=\"b1\"", &body).unwrap(),
            parts
        );
    }

    #[test]
    fn multipart_broken_is_refused() {
        let body = compose_multipart("b1", &[Part::new("text/plain", "x")]);
        assert!(parse_multipart("multipart/mixed", &body).is_err());
        assert!(parse_multipart("multipart/mixed;boundary=b2", &body).is_err());
        assert!(parse_multipart("multipart/mixed;boundary=b1", &body[..body.len() - 8]).is_err());
    }
}
