//! One SIP request or response.

use super::multipart::{Part, parse_multipart};
use super::name_addr::{parameter, split_list, uri};
use crate::sdp::{Media, Sections};

/// A request or a response. What the parser returns obeys the rules that [`SipMessage::parse`] names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SipMessage {
    /// The start line.
    pub start: StartLine,
    /// Header fields in their order; the parser turns compact names into long ones.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// The two kinds of start lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StartLine {
    /// Method and Request-URI.
    Request(String, String),
    /// Status code and reason phrase.
    Response(u16, String),
}

impl SipMessage {
    /// A request without header fields.
    pub fn request(method: &str, uri: &str) -> Self {
        Self {
            start: StartLine::Request(method.into(), uri.into()),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// A response without header fields.
    pub fn response(status: u16, reason: &str) -> Self {
        Self {
            start: StartLine::Response(status, reason.into()),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// Adds a header field after the others.
    #[must_use]
    #[expect(
        clippy::needless_pass_by_value,
        reason = "callers hand over literals, numbers and fresh texts"
    )]
    pub fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.headers.push((name.into(), value.to_string()));
        self
    }

    /// Replaces the header fields of a name by one.
    #[must_use]
    pub fn replaced(mut self, name: &str, value: impl ToString) -> Self {
        self = self.without(name);
        self.with(name, value)
    }

    /// Removes the header fields of a name.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.headers
            .retain(|(field, _)| !field.eq_ignore_ascii_case(name));
        self
    }

    /// Sets the body with its Content-Type.
    #[must_use]
    pub fn with_body(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.replaced("Content-Type", content_type)
    }

    /// Sets an SDP body.
    #[must_use]
    pub fn with_media(self, media: &Media) -> Self {
        self.with_body("application/sdp", media.to_string())
    }

    /// Sets an SDP body with several sections.
    #[must_use]
    pub fn with_sections(self, sections: &Sections) -> Self {
        self.with_body("application/sdp", sections.to_string())
    }

    /// The first header field of a name, compared without case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The values of a list header field, in one header field or in several.
    pub fn values(&self, name: &str) -> Vec<&str> {
        let fields = self
            .headers
            .iter()
            .filter(|(field, _)| field.eq_ignore_ascii_case(name));
        fields.flat_map(|(_, value)| split_list(value)).collect()
    }

    /// Whether a list header field has this value, compared without case.
    pub fn lists(&self, name: &str, value: &str) -> bool {
        self.values(name)
            .iter()
            .any(|listed| listed.eq_ignore_ascii_case(value))
    }

    /// The method of a request, or that of CSeq in a response.
    pub fn method(&self) -> &str {
        match &self.start {
            StartLine::Request(method, _) => method,
            StartLine::Response(..) => self.cseq().1,
        }
    }

    /// The Request-URI; empty in a response.
    pub fn request_uri(&self) -> &str {
        match &self.start {
            StartLine::Request(_, uri) => uri,
            StartLine::Response(..) => "",
        }
    }

    /// The status code; 0 in a request.
    pub fn status(&self) -> u16 {
        match self.start {
            StartLine::Request(..) => 0,
            StartLine::Response(status, _) => status,
        }
    }

    /// Number and method of CSeq.
    pub fn cseq(&self) -> (u32, &str) {
        let (number, method) = self
            .header("CSeq")
            .and_then(|value| value.split_once(' '))
            .unwrap_or(("0", ""));
        (number.parse().unwrap_or(0), method.trim())
    }

    /// The Call-ID; empty when missing.
    pub fn call_id(&self) -> &str {
        self.header("Call-ID").unwrap_or_default()
    }

    /// The tag of From.
    pub fn from_tag(&self) -> Option<&str> {
        parameter(self.header("From")?, "tag")
    }

    /// The tag of To.
    pub fn to_tag(&self) -> Option<&str> {
        parameter(self.header("To")?, "tag")
    }

    /// The URI of From.
    pub fn from_uri(&self) -> &str {
        uri(self.header("From").unwrap_or_default())
    }

    /// The URI of To.
    pub fn to_uri(&self) -> &str {
        uri(self.header("To").unwrap_or_default())
    }

    /// The URI of Contact.
    pub fn contact_uri(&self) -> Option<&str> {
        self.header("Contact").map(uri)
    }

    /// URIs of P-Asserted-Identity.
    pub fn asserted_uris(&self) -> Vec<&str> {
        self.values("P-Asserted-Identity")
            .into_iter()
            .map(uri)
            .collect()
    }

    /// The branch of the topmost Via; empty when missing.
    pub fn branch(&self) -> &str {
        self.values("Via")
            .first()
            .and_then(|via| parameter(via, "branch"))
            .unwrap_or_default()
    }

    /// Whether a Warning carries the three digits, such as 127 in `399 host "127 Service not authorised"`.
    pub fn has_warning(&self, code: u16) -> bool {
        self.values("Warning")
            .iter()
            .any(|value| value.contains(&format!("\"{code} ")))
    }

    /// The body as text.
    ///
    /// # Panics
    /// When it is not UTF-8.
    pub fn text(&self) -> &str {
        str::from_utf8(&self.body).expect("a body in UTF-8")
    }

    /// The parts of the body: the whole body when it is not multipart.
    ///
    /// # Panics
    /// When a multipart body is broken.
    pub fn parts(&self) -> Vec<Part> {
        let content_type = self.header("Content-Type").unwrap_or_default();
        if !content_type.to_ascii_lowercase().starts_with("multipart/") {
            let headers = vec![("Content-Type".to_owned(), content_type.to_owned())];
            return vec![Part {
                headers,
                body: self.body.clone(),
            }];
        }
        let parts = parse_multipart(content_type, &self.body);
        parts.unwrap_or_else(|fault| panic!("{fault}\n{}", self.body.escape_ascii()))
    }

    /// The MSRP section of the SDP body, alone or in a multipart body.
    ///
    /// # Panics
    /// When there is none, or it is broken.
    pub fn media(&self) -> Media {
        Media::parse(&self.description())
    }

    /// All MSRP sections of the SDP body.
    ///
    /// # Panics
    /// When there is none, or one is broken.
    pub fn sections(&self) -> Sections {
        Sections::parse(&self.description())
    }

    fn description(&self) -> String {
        let mut parts = self.parts().into_iter();
        let part = parts.find(|part| part.content_type().eq_ignore_ascii_case("application/sdp"));
        let part = part.unwrap_or_else(|| panic!("no SDP in {}", self.to_octets().escape_ascii()));
        String::from_utf8(part.body).expect("SDP in UTF-8")
    }

    /// Reads one whole message.
    ///
    /// # Errors
    /// The broken rule: start line, header lines with CRLF and without folding, the mandatory header fields of
    /// RFC 3261 s.8.1.1 and s.8.2.6, tag of From, magic cookie, CSeq, Content-Length equal to the body, Content-Type
    /// with every body, one Contact in INVITE.
    pub fn parse(octets: &[u8]) -> Result<Self, String> {
        let end = octets
            .windows(4)
            .position(|window| window == b"\r\n\r\n")
            .ok_or("no blank line behind the head")?;
        let head = str::from_utf8(&octets[..end]).map_err(|_| "a head that is not UTF-8")?;
        let mut lines = head.split("\r\n");
        let start = start_line(lines.next().unwrap_or_default())?;
        let headers = lines.map(header_line).collect::<Result<Vec<_>, _>>()?;
        let message = Self {
            start,
            headers,
            body: octets[end + 4..].to_vec(),
        };
        check(&message).map_err(|fault| format!("{fault} in {head:?}"))?;
        Ok(message)
    }

    /// The octets on the wire. Content-Length is added when missing; nothing is checked.
    pub fn to_octets(&self) -> Vec<u8> {
        let mut text = match &self.start {
            StartLine::Request(method, uri) => format!("{method} {uri} SIP/2.0\r\n"),
            StartLine::Response(status, reason) => format!("SIP/2.0 {status} {reason}\r\n"),
        };
        for (name, value) in &self.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        if self.header("Content-Length").is_none() {
            text.push_str(&format!("Content-Length: {}\r\n", self.body.len()));
        }
        text.push_str("\r\n");
        let mut octets = text.into_bytes();
        octets.extend_from_slice(&self.body);
        octets
    }
}

fn start_line(line: &str) -> Result<StartLine, String> {
    let fault = || format!("start line {line:?}");
    if let Some(rest) = line.strip_prefix("SIP/2.0 ") {
        let (status, reason) = rest.split_once(' ').ok_or_else(fault)?;
        let status = status.parse().map_err(|_| fault())?;
        return if (100..700).contains(&status) {
            Ok(StartLine::Response(status, reason.into()))
        } else {
            Err(fault())
        };
    }
    let words = line.split(' ').collect::<Vec<_>>();
    match words[..] {
        [method, uri, "SIP/2.0"]
            if is_token(method) && uri.contains(':') && !uri.contains(['<', '>', '"']) =>
        {
            Ok(StartLine::Request(method.into(), uri.into()))
        }
        _ => Err(fault()),
    }
}

fn header_line(line: &str) -> Result<(String, String), String> {
    let (name, value) = line
        .split_once(':')
        .ok_or_else(|| format!("header line {line:?}"))?;
    let name = name.trim_end_matches([' ', '\t']);
    if !is_token(name)
        || line
            .chars()
            .any(|letter| letter.is_ascii_control() && letter != '\t')
    {
        return Err(format!("header line {line:?}"));
    }
    Ok((
        long_name(name).into(),
        value.trim_matches([' ', '\t']).into(),
    ))
}

fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|octet| octet.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&octet))
}

fn long_name(name: &str) -> &str {
    let letter = if name.len() == 1 {
        name.as_bytes()[0].to_ascii_lowercase()
    } else {
        b' '
    };
    match letter {
        b'a' => "Accept-Contact",
        b'b' => "Referred-By",
        b'c' => "Content-Type",
        b'd' => "Request-Disposition",
        b'e' => "Content-Encoding",
        b'f' => "From",
        b'i' => "Call-ID",
        b'j' => "Reject-Contact",
        b'k' => "Supported",
        b'l' => "Content-Length",
        b'm' => "Contact",
        b'o' => "Event",
        b'r' => "Refer-To",
        b's' => "Subject",
        b't' => "To",
        b'u' => "Allow-Events",
        b'v' => "Via",
        b'x' => "Session-Expires",
        _ => name,
    }
}

fn check(message: &SipMessage) -> Result<(), String> {
    for name in [
        "From",
        "To",
        "Call-ID",
        "CSeq",
        "Content-Length",
        "Content-Type",
        "Max-Forwards",
    ] {
        let count = message
            .headers
            .iter()
            .filter(|(field, _)| field.eq_ignore_ascii_case(name))
            .count();
        if count > 1 || (count == 0 && ["From", "To", "Call-ID", "CSeq"].contains(&name)) {
            return Err(format!("{count} times {name}"));
        }
    }
    if message.from_tag().is_none_or(str::is_empty) {
        return Err("From without a tag".into());
    }
    if !message.branch().starts_with("z9hG4bK") || message.branch().len() == 7 {
        return Err("no Via with the magic cookie".into());
    }
    let (number, method) = message.cseq();
    if number > 0x7FFF_FFFF
        || !is_token(method)
        || message.header("CSeq") != Some(&format!("{number} {method}"))
    {
        return Err("CSeq".into());
    }
    check_body(message)?;
    check_request(message)
}

fn check_body(message: &SipMessage) -> Result<(), String> {
    let octets = message.body.len();
    let length = message.header("Content-Length").map(str::parse);
    if length.is_some_and(|length: Result<usize, _>| length != Ok(octets)) {
        return Err(format!("Content-Length with a body of {octets} octets"));
    }
    if octets > 0 && message.header("Content-Type").is_none() {
        return Err("a body without Content-Type".into());
    }
    Ok(())
}

fn check_request(message: &SipMessage) -> Result<(), String> {
    let StartLine::Request(method, _) = &message.start else {
        return Ok(());
    };
    if message.cseq().1 != method {
        return Err("CSeq names another method".into());
    }
    let hops = message.header("Max-Forwards").map(str::parse::<u8>);
    if !matches!(hops, Some(Ok(_))) {
        return Err("Max-Forwards".into());
    }
    if method == "INVITE" && message.values("Contact").len() != 1 {
        return Err("INVITE without exactly one Contact".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invite() -> String {
        let message = SipMessage::request("INVITE", "sip:bob@example.com")
            .with("Via", "SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK1")
            .with("Max-Forwards", 70)
            .with("From", "<sip:a@example.com>;tag=1")
            .with("To", "<sip:bob@example.com>")
            .with("Call-ID", "x")
            .with("CSeq", "1 INVITE")
            .with("Contact", "<sip:a@127.0.0.1>")
            .with_body("text/plain", "hello");
        String::from_utf8(message.to_octets()).unwrap()
    }

    #[test]
    fn message_written_is_read_back() {
        let message = SipMessage::parse(invite().as_bytes()).unwrap();
        assert_eq!(
            (message.method(), message.request_uri()),
            ("INVITE", "sip:bob@example.com")
        );
        assert_eq!(
            (message.cseq(), message.from_tag(), message.to_tag()),
            ((1, "INVITE"), Some("1"), None)
        );
        assert_eq!((message.text(), message.branch()), ("hello", "z9hG4bK1"));
    }

    #[test]
    fn message_compact_names_become_long() {
        let text = invite()
            .replace("Via:", "v:")
            .replace("From:", "F :")
            .replace("Call-ID:", "i:");
        let message = SipMessage::parse(text.as_bytes()).unwrap();
        assert_eq!(
            (message.branch(), message.from_uri(), message.call_id()),
            ("z9hG4bK1", "sip:a@example.com", "x")
        );
    }

    #[test]
    fn message_with_one_fault_is_refused() {
        for (from, to) in [
            (
                "INVITE sip:bob@example.com SIP/2.0",
                "INVITE  sip:bob@example.com SIP/2.0",
            ),
            (
                "INVITE sip:bob@example.com SIP/2.0",
                "INVITE <sip:bob@example.com> SIP/2.0",
            ),
            ("INVITE sip:bob@example.com SIP/2.0", "SIP/2.0 2000 OK"),
            (";tag=1", ""),
            ("z9hG4bK1", "1"),
            ("Max-Forwards: 70\r\n", ""),
            ("Max-Forwards: 70", "Max-Forwards: 256"),
            ("CSeq: 1 INVITE", "CSeq: 1 BYE"),
            ("CSeq: 1 INVITE", "CSeq: -1 INVITE"),
            ("Call-ID: x\r\n", ""),
            ("Call-ID: x\r\n", "Call-ID: x\r\nCall-ID: y\r\n"),
            ("Call-ID: x\r\n", "Call-ID: x\r\n y\r\n"),
            ("Content-Length: 5", "Content-Length: 6"),
            ("Content-Type: text/plain\r\n", ""),
            ("Contact: <sip:a@127.0.0.1>\r\n", ""),
            ("\r\n\r\n", "\n\n"),
        ] {
            assert!(invite().contains(from), "{from:?}");
            assert!(
                SipMessage::parse(invite().replacen(from, to, 1).as_bytes()).is_err(),
                "{from:?} as {to:?}"
            );
        }
    }

    #[test]
    fn warning_is_found_by_its_digits() {
        let message = SipMessage::response(403, "Forbidden")
            .with("Warning", "399 localhost \"127 Service not authorised\"");
        assert!(message.has_warning(127) && !message.has_warning(122));
    }
}
