//! Message/CPIM wrappers.

/// A wrapper taken apart.
///
/// # Spec
/// RFC 3862 s.2 and s.3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cpim {
    /// Message headers in their order, escapes as written.
    pub headers: Vec<(String, String)>,
    /// MIME headers of the content in their order.
    pub content_headers: Vec<(String, String)>,
    /// The content.
    pub body: Vec<u8>,
}

impl Cpim {
    /// Takes a wrapper apart.
    ///
    /// # Errors
    /// The broken rule of RFC 3862, in words.
    pub fn parse(octets: &[u8]) -> Result<Self, String> {
        let (head, rest) = split(octets)?;
        let (content, body) = split(rest)?;
        let headers = lines(head)?;
        if let Some((name, value)) = headers.iter().find(|(_, value)| value.ends_with(' ')) {
            return Err(format!("CPIM header {name}: {value:?} ends with a blank"));
        }
        let cpim = Self {
            headers,
            content_headers: lines(content)?,
            body: body.to_vec(),
        };
        cpim.content_type()
            .ok_or("the CPIM content has no Content-Type")?;
        Ok(cpim)
    }

    /// The first message header of a name; case matters in CPIM.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(field, _)| field == name)
            .map(|(_, value)| value.as_str())
    }

    /// The URI of From.
    pub fn from_uri(&self) -> Option<&str> {
        self.header("From").and_then(uri)
    }

    /// The URIs of all To headers.
    pub fn to_uris(&self) -> Vec<&str> {
        self.headers
            .iter()
            .filter(|(name, _)| name == "To")
            .filter_map(|(_, value)| uri(value))
            .collect()
    }

    /// The Content-Type of the content.
    pub fn content_type(&self) -> Option<&str> {
        let mut headers = self.content_headers.iter();
        headers
            .find(|(name, _)| name.eq_ignore_ascii_case("Content-Type"))
            .map(|(_, value)| value.as_str())
    }

    /// The content as text.
    ///
    /// # Panics
    /// When it is not UTF-8.
    pub fn text(&self) -> &str {
        str::from_utf8(&self.body).expect("CPIM content in UTF-8")
    }
}

/// Wraps a content: From, To, DateTime, a blank line, Content-Type, a blank line, the content.
pub fn cpim(from: &str, to: &str, content_type: &str, body: &[u8]) -> Vec<u8> {
    cpim_with(
        &[("From", &format!("<{from}>")), ("To", &format!("<{to}>"))],
        content_type,
        body,
    )
}

/// Wraps a content under message headers as given, values in full (`<sip:alice@example.com>`).
pub(crate) fn cpim_with(headers: &[(&str, &str)], content_type: &str, body: &[u8]) -> Vec<u8> {
    let mut text = headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect::<String>();
    text.push_str("DateTime: 2026-11-21T10:00:00Z\r\n");
    text.push_str("\r\nContent-Type: ");
    text.push_str(content_type);
    text.push_str("\r\n\r\n");
    let mut octets = text.into_bytes();
    octets.extend_from_slice(body);
    octets
}

fn split(octets: &[u8]) -> Result<(&[u8], &[u8]), String> {
    let at = octets
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .ok_or("a blank line of the CPIM wrapper is missing")?;
    Ok((&octets[..at], &octets[at + 4..]))
}

fn lines(octets: &[u8]) -> Result<Vec<(String, String)>, String> {
    let text = str::from_utf8(octets).map_err(|_| "CPIM header that is not UTF-8")?;
    text.split("\r\n").map(line).collect()
}

fn line(line: &str) -> Result<(String, String), String> {
    let fault = || format!("CPIM header line {line:?}");
    let (name, value) = line.split_once(':').ok_or_else(fault)?;
    let legal = |octet: u8| octet.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?={}".contains(&octet);
    if name.is_empty() || !name.bytes().all(legal) || line.contains(char::is_control) {
        return Err(fault());
    }
    let value = match value.strip_prefix(' ') {
        Some(value) => value,
        None if value.starts_with(";lang=") => value,
        None => return Err(fault()),
    };
    if value.starts_with(' ') {
        Err(fault())
    } else {
        Ok((name.into(), value.into()))
    }
}

fn uri(value: &str) -> Option<&str> {
    let start = value.rfind('<')? + 1;
    value[start..].strip_suffix('>')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpim_composed_is_read_back() {
        let octets = cpim(
            "sip:a@example.com",
            "sip:room@localhost",
            "text/plain; charset=utf-8",
            "gr\u{fc}n\r\n\r\nx".as_bytes(),
        );
        let cpim = Cpim::parse(&octets).unwrap();
        assert_eq!(cpim.from_uri(), Some("sip:a@example.com"));
        assert_eq!(cpim.to_uris(), ["sip:room@localhost"]);
        assert_eq!(cpim.content_type(), Some("text/plain; charset=utf-8"));
        assert_eq!(cpim.text(), "gr\u{fc}n\r\n\r\nx");
    }

    #[test]
    fn cpim_with_faults_is_refused() {
        for text in [
            "From: <a:b>\r\nContent-Type: text/plain\r\n\r\nx",
            "From:<a:b>\r\n\r\nContent-Type: text/plain\r\n\r\nx",
            "From:  <a:b>\r\n\r\nContent-Type: text/plain\r\n\r\nx",
            "From: <a:b> \r\n\r\nContent-Type: text/plain\r\n\r\nx",
            "From: <a:b>\n\r\n\r\nContent-Type: text/plain\r\n\r\nx",
            "From: <a:b>\r\n\r\nX: y\r\n\r\nx",
        ] {
            assert!(Cpim::parse(text.as_bytes()).is_err(), "{text:?}");
        }
    }
}
