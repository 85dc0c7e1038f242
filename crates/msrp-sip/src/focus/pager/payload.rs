//! What a MESSAGE carries: its list of recipients, and the parts that its copies carry on.
//!
//! The parts keep their octets and their header fields; only a transfer encoding is undone, since
//! SIP has none.
//!
//! # Spec
//! RFC 5365 s.7.3, RFC 5621 s.3, RFC 2046 s.5.1.

use mail_parser::decoders::base64::base64_decode;
use mail_parser::decoders::quoted_printable::quoted_printable_decode;

use crate::focus::admission::LIST;
use crate::focus::refusal::Refusal;
use crate::limits::{BODY_OCTETS_MAX, BODY_PARTS_MAX};
use crate::multipart::media_type;
use crate::ua::{Body, Headers, Request};

/// One part of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BodyPart {
    /// The Content-Type value.
    pub(crate) content_type: String,
    /// The other header fields that describe the content.
    pub(crate) fields: Headers,
    /// The content.
    pub(crate) octets: Vec<u8>,
}

/// What a MESSAGE carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Payload {
    /// What is meant for the recipients; not empty.
    pub(crate) parts: Vec<BodyPart>,
    /// The list of recipients, when there is one.
    pub(crate) list: Option<Vec<u8>>,
}

impl Payload {
    /// Reads the body of a MESSAGE.
    ///
    /// # Errors
    /// [`Refusal::UnsupportedEncoding`] -> 415, [`Refusal::MalformedBody`] -> 400.
    pub(crate) fn read(request: &Request) -> Result<Self, Refusal> {
        let encodings = request.headers.all("Content-Encoding");
        if encodings
            .into_iter()
            .any(|e| !e.trim().eq_ignore_ascii_case("identity"))
        {
            return Err(Refusal::UnsupportedEncoding);
        }
        let body = request
            .body
            .as_ref()
            .ok_or_else(|| malformed("The MESSAGE has no body"))?;
        if body.octets.len() > BODY_OCTETS_MAX {
            return Err(malformed("The body is too large"));
        }
        let whole = BodyPart {
            content_type: body.content_type.clone(),
            fields: content_fields(request.headers.iter()),
            octets: body.octets.clone(),
        };
        let parts = if media_type(&body.content_type) == MIXED {
            divide(body)?
        } else {
            vec![whole.clone()]
        };
        let (mut lists, parts): (Vec<_>, Vec<_>) = parts.into_iter().partition(BodyPart::is_list);
        if lists.len() > 1 {
            return Err(malformed("The MESSAGE has several resource lists"));
        }
        let Some(list) = lists.pop() else {
            // Without a list the body passes as it is, boundary and all.
            return Ok(Self {
                parts: vec![whole],
                list: None,
            });
        };
        if parts.is_empty() {
            return Err(malformed("The MESSAGE has nothing but its resource list"));
        }
        Ok(Self {
            parts,
            list: Some(list.octets),
        })
    }
}

impl BodyPart {
    fn is_list(&self) -> bool {
        let disposition = self.fields.first("Content-Disposition").map(media_type);
        media_type(&self.content_type) == LIST && disposition.is_none_or(|d| d == "recipient-list")
    }

    /// Whether it is a CPIM message.
    pub(crate) fn is_wrapped(&self) -> bool {
        media_type(&self.content_type) == "message/cpim"
    }
}

/// Puts a body together: one part as it is, several as a multipart. The header fields that belong
/// to the whole come with it.
pub(crate) fn compose(parts: &[BodyPart], boundary: &str) -> (Headers, Body) {
    if let [part] = parts {
        let body = Body {
            content_type: part.content_type.clone(),
            octets: part.octets.clone(),
        };
        return (part.fields.clone(), body);
    }
    let mut octets = Vec::new();
    for part in parts {
        octets.extend_from_slice(format!("--{boundary}\r\n").as_bytes());
        octets.extend_from_slice(format!("Content-Type: {}\r\n", part.content_type).as_bytes());
        for (name, value) in part.fields.iter() {
            octets.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        octets.extend_from_slice(b"\r\n");
        octets.extend_from_slice(&part.octets);
        octets.extend_from_slice(b"\r\n");
    }
    octets.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    let body = Body {
        content_type: format!("{MIXED};boundary=\"{boundary}\""),
        octets,
    };
    (Headers::new(), body)
}

fn divide(body: &Body) -> Result<Vec<BodyPart>, Refusal> {
    let boundary = boundary(&body.content_type)
        .ok_or_else(|| malformed("The multipart body names no boundary"))?;
    let opening = format!("--{boundary}");
    let closing = format!("--{boundary}--");
    let mut parts = Vec::new();
    let mut begins: Option<usize> = None;
    let mut at = 0_usize;
    for line in body.octets.split_inclusive(|b| *b == b'\n') {
        let after = at.saturating_add(line.len());
        let text = line.trim_ascii_end();
        let ends = text == closing.as_bytes();
        if ends || text == opening.as_bytes() {
            if let Some(begin) = begins {
                if parts.len() >= BODY_PARTS_MAX {
                    return Err(malformed("The multipart body has too many parts"));
                }
                let part = body.octets.get(begin..at).unwrap_or_default();
                parts.push(read_part(without_line_end(part))?);
            }
            if ends {
                return Ok(parts);
            }
            begins = Some(after);
        }
        at = after;
    }
    Err(malformed("The multipart body does not end"))
}

fn read_part(part: &[u8]) -> Result<BodyPart, Refusal> {
    let (head, octets) = match head_octets(part) {
        Some((head, begin)) => (
            part.get(..head).unwrap_or_default(),
            part.get(begin..).unwrap_or_default(),
        ),
        None => {
            return Err(malformed(
                "A part of the body has no blank line after its header",
            ));
        }
    };
    let head = std::str::from_utf8(head)
        .map_err(|_| malformed("The header of a part of the body is not UTF-8"))?;
    let unfolded = head.replace("\r\n ", " ").replace("\r\n\t", " ");
    let lines = unfolded.lines().filter_map(|line| line.split_once(':'));
    let lines: Vec<(&str, &str)> = lines.map(|(n, v)| (n.trim(), v.trim())).collect();
    let value = |name: &str| {
        let found = lines.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
        found.map(|(_, v)| *v)
    };
    let encoding = value("Content-Transfer-Encoding").unwrap_or_default();
    let octets = match encoding.to_ascii_lowercase().as_str() {
        "base64" => base64_decode(octets),
        "quoted-printable" => quoted_printable_decode(octets),
        _ => Some(octets.to_vec()),
    };
    Ok(BodyPart {
        content_type: value("Content-Type").unwrap_or("text/plain").to_owned(),
        fields: content_fields(lines.iter().copied()),
        octets: octets
            .ok_or_else(|| malformed("A part of the body has a broken transfer encoding"))?,
    })
}

/// Where the header of a part ends, and where its content begins.
fn head_octets(part: &[u8]) -> Option<(usize, usize)> {
    let mut at = 0_usize;
    for line in part.split_inclusive(|b| *b == b'\n') {
        let after = at.saturating_add(line.len());
        if line == b"\r\n" || line == b"\n" {
            return Some((at, after));
        }
        at = after;
    }
    None
}

fn without_line_end(part: &[u8]) -> &[u8] {
    let part = part.strip_suffix(b"\n").unwrap_or(part);
    part.strip_suffix(b"\r").unwrap_or(part)
}

/// The fields that describe the content and mean the same in SIP.
fn content_fields<'a>(fields: impl Iterator<Item = (&'a str, &'a str)>) -> Headers {
    let mut kept = Headers::new();
    for (name, value) in fields {
        let known = ["Content-Disposition", "Content-Language", "Content-ID"];
        if let Some(name) = known.into_iter().find(|k| k.eq_ignore_ascii_case(name)) {
            kept.push(name, value);
        }
    }
    kept
}

fn boundary(content_type: &str) -> Option<&str> {
    let lower = content_type.to_ascii_lowercase();
    let (begin, _) = lower.match_indices("boundary").find(|(at, _)| {
        lower
            .get(..*at)
            .is_some_and(|h| h.trim_end().ends_with(';'))
    })?;
    let value = content_type.get(begin.saturating_add("boundary".len())..)?;
    let value = value.trim_start().strip_prefix('=')?.trim_start();
    let value = match value.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next()?,
        None => value.split([';', ' ', '\t']).next()?,
    };
    (1..=BOUNDARY_OCTETS_MAX)
        .contains(&value.len())
        .then_some(value)
}

fn malformed(text: &str) -> Refusal {
    Refusal::MalformedBody(text.to_owned())
}

const MIXED: &str = "multipart/mixed";

/// Longest boundary, in octets. A longer one: 400. Source: RFC 2046 s.5.1.1.
const BOUNDARY_OCTETS_MAX: usize = 70;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ua::Method;

    fn message(content_type: &str, text: &str) -> Request {
        Request {
            method: Method::Message,
            uri: "sip:x@h".into(),
            headers: Headers::new().with("Content-Language", "en"),
            body: Some(Body {
                content_type: content_type.into(),
                octets: text.replace('\n', "\r\n").into_bytes(),
            }),
        }
    }

    const TWO: &str = "preamble\n--b1\nContent-Type: text/plain; charset=utf-8\nContent-Disposition: render\n\nHello\n\nWorld\n--b1 \nContent-Type: application/resource-lists+xml\nContent-Disposition: recipient-list\n\n<a/>\n--b1--\nepilogue";

    #[test]
    fn list_and_content_are_parted() {
        let request = message("multipart/mixed; Boundary=\"b1\"", TWO);
        let payload = Payload::read(&request).unwrap();
        assert_eq!(payload.list.as_deref(), Some(b"<a/>".as_slice()));
        let [part] = payload.parts.as_slice() else {
            panic!("{payload:?}")
        };
        assert_eq!(part.content_type, "text/plain; charset=utf-8");
        assert_eq!(part.fields.first("content-disposition"), Some("render"));
        assert_eq!(part.octets, b"Hello\r\n\r\nWorld");
    }

    #[test]
    fn body_without_list_passes_as_it_is() {
        let text = "--b1\nContent-Type: text/plain\n\nx\n--b1--\n";
        let request = message("multipart/mixed;boundary=b1", text);
        let payload = Payload::read(&request).unwrap();
        let (fields, body) = compose(&payload.parts, "other");
        assert_eq!(Some(body), request.body);
        assert_eq!(fields.first("Content-Language"), Some("en"));
        assert_eq!(payload.list, None);
    }

    #[test]
    fn composed_pieces_are_read_again() {
        let request = message("multipart/mixed;boundary=b1", TWO);
        let mut parts = Payload::read(&request).unwrap().parts;
        parts.push(BodyPart {
            content_type: "image/png".into(),
            fields: Headers::new(),
            octets: vec![0, 13, 10, 255, 13, 10],
        });
        let (_, body) = compose(&parts, "b2");
        assert_eq!(divide(&body).unwrap(), parts);
    }

    #[test]
    fn transfer_encodings_are_undone() {
        let text = "--b1\nContent-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: base64\n\n6Q==\n--b1\nContent-Type: application/resource-lists+xml\n\n<a/>\n--b1--\n";
        let payload = Payload::read(&message("multipart/mixed;boundary=b1", text)).unwrap();
        assert_eq!(payload.parts[0].octets, [0xe9]);
        assert_eq!(payload.parts[0].fields, Headers::new());
    }

    #[test]
    fn broken_bodies_are_refused() {
        let list = "Content-Type: application/resource-lists+xml\n\n<a/>\n";
        let open = TWO.replace("--b1--", "");
        let twice = format!("--b1\n{list}--b1\n{list}--b1--\n");
        let alone = format!("--b1\n{list}--b1--\n");
        let many = format!("{}--b1--\n", "--b1\nA: b\n\nx\n".repeat(40));
        for (content_type, text) in [
            ("multipart/mixed", TWO),
            ("multipart/mixed;boundary=\"\"", TWO),
            ("multipart/mixed;boundary=b1", open.as_str()),
            (
                "multipart/mixed;boundary=b1",
                "--b1\nContent-Type: text/plain\n--b1--\n",
            ),
            ("multipart/mixed;boundary=b1", twice.as_str()),
            ("multipart/mixed;boundary=b1", alone.as_str()),
            ("multipart/mixed;boundary=b1", many.as_str()),
            ("application/resource-lists+xml", "<a/>"),
        ] {
            let read = Payload::read(&message(content_type, text));
            assert!(
                matches!(read, Err(Refusal::MalformedBody(_))),
                "{text}: {read:?}"
            );
        }
    }

    proptest::proptest! {
        #[test]
        fn payload_mutated_body_never_panics(at in 0usize..400, octet: u8, cut in 0usize..400) {
            let mut request = message("multipart/mixed;boundary=b1", TWO);
            let body = request.body.as_mut().unwrap();
            let length = body.octets.len();
            body.octets[at % length] = octet;
            body.octets.truncate(cut.max(1));
            let _ = Payload::read(&request);
        }
    }
}
