//! Bodies of several parts.
//!
//! # Spec
//! RFC 5621 s.3, RFC 2046 s.5.1.

use mail_parser::{MessageParser, MessagePart, MimeHeaders, PartType};

use crate::limits::{BODY_OCTETS_MAX, BODY_PARTS_MAX};
use crate::ua::Body;

/// One part of a body, or a body that has no parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Type and subtype in lower case, without parameters.
    pub media_type: String,
    /// The Content-Disposition value in lower case, without parameters.
    pub disposition: Option<String>,
    /// The Content-ID value without angle brackets.
    pub content_id: Option<String>,
    /// Whether a reader that does not know the part may ignore it (`handling=optional`).
    pub is_optional: bool,
    /// The content, transfer encoding undone.
    pub octets: Vec<u8>,
}

/// Why a body could not be divided. The peer's fault: 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// Larger than [`BODY_OCTETS_MAX`].
    #[error("The body is too large")]
    TooLarge,
    /// No boundary, or no part.
    #[error("The multipart body cannot be divided into parts")]
    NoParts,
    /// More than [`BODY_PARTS_MAX`] parts.
    #[error("The multipart body has too many parts")]
    TooManyParts,
    /// A part with a broken transfer encoding.
    #[error("A part of the body has a broken transfer encoding")]
    Encoding,
}

/// Divides a body. A body that is not multipart is its own single part.
///
/// # Errors
/// [`BodyError`] -> 400. The peer's fault.
///
/// # Spec
/// RFC 5621 s.3.1, s.8.
pub fn divide(body: &Body) -> Result<Vec<Part>, BodyError> {
    if body.octets.len() > BODY_OCTETS_MAX {
        return Err(BodyError::TooLarge);
    }
    let media_type = media_type(&body.content_type);
    if !media_type.starts_with("multipart/") {
        return Ok(vec![Part {
            media_type: legal_type(media_type),
            disposition: None,
            content_id: None,
            is_optional: false,
            octets: body.octets.clone(),
        }]);
    }
    let delimiters = body.octets.windows(3).filter(|w| *w == b"\n--").count();
    if delimiters > 4 * BODY_PARTS_MAX {
        return Err(BodyError::TooManyParts);
    }
    let mut text = format!(
        "Content-Type: {}\r\n\r\n",
        body.content_type.replace(['\r', '\n'], " ")
    )
    .into_bytes();
    text.extend_from_slice(&body.octets);
    let message = MessageParser::new()
        .with_mime_headers()
        .parse(&text)
        .ok_or(BodyError::NoParts)?;
    if message.parts.len() > BODY_PARTS_MAX + 1 {
        return Err(BodyError::TooManyParts);
    }
    let parts = message
        .parts
        .iter()
        .skip(1)
        .filter_map(read_part)
        .collect::<Result<Vec<_>, _>>()?;
    if parts.is_empty() {
        Err(BodyError::NoParts)
    } else {
        Ok(parts)
    }
}

/// `None` for a part that only holds other parts.
fn read_part(part: &MessagePart<'_>) -> Option<Result<Part, BodyError>> {
    let octets = match &part.body {
        PartType::Text(text) | PartType::Html(text) => text.as_bytes().to_vec(),
        PartType::Binary(octets) | PartType::InlineBinary(octets) => octets.to_vec(),
        PartType::Message(message) => message.raw_message.to_vec(),
        PartType::Multipart(_) => return None,
    };
    if part.is_encoding_problem {
        return Some(Err(BodyError::Encoding));
    }
    let media_type = match part.content_type() {
        None => "text/plain".to_owned(),
        Some(t) => legal_type(format!(
            "{}/{}",
            t.c_type,
            t.c_subtype.as_deref().unwrap_or_default()
        )),
    };
    let disposition = part.content_disposition();
    Some(Ok(Part {
        media_type: media_type.to_ascii_lowercase(),
        disposition: disposition.map(|d| d.c_type.to_ascii_lowercase()),
        content_id: part.content_id().map(str::to_owned),
        is_optional: disposition
            .and_then(|d| d.attribute("handling"))
            .is_some_and(|h| h.eq_ignore_ascii_case("optional")),
        octets,
    }))
}

/// What is no type at all is one that nobody knows.
///
/// # Spec
/// RFC 2045 s.5.1, s.5.2.
fn legal_type(text: String) -> String {
    let is_legal = |b: u8| b.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?=".contains(&b);
    let is_token = |part: &str| !part.is_empty() && part.bytes().all(is_legal);
    match text.split_once('/') {
        Some((kind, subtype)) if is_token(kind) && is_token(subtype) => text,
        _ => "application/octet-stream".to_owned(),
    }
}

/// Type and subtype in lower case.
pub(crate) fn media_type(content_type: &str) -> String {
    content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(text: &str) -> Body {
        Body {
            content_type: "multipart/mixed;boundary=\"boundary1\"".into(),
            octets: text.replace('\n', "\r\n").into_bytes(),
        }
    }

    const INVITE: &str = "--boundary1\nContent-Type: application/sdp\n\nv=0\no=- 1 1 IN IP4 h\n\n--boundary1\nContent-Type: application/resource-lists+xml; charset=\"UTF-8\"\nContent-Disposition: recipient-list\n\n<a/>\n--boundary1--\n";

    #[test]
    fn type_that_is_none_is_one_that_nobody_knows() {
        for line in ["application/sdp\rx", "application", "a b/c", "a/b\rc"] {
            let text = format!("--boundary1\nContent-Type: {line}\n\nx\n--boundary1--\n");
            let part = divide(&body(&text)).unwrap().remove(0);
            assert_eq!(part.media_type, "application/octet-stream", "{line:?}");
        }
    }

    #[test]
    fn multipart_body_is_divided() {
        let parts = divide(&body(INVITE)).unwrap();
        assert_eq!(parts.len(), 2);
        assert_eq!(
            (parts[0].media_type.as_str(), parts[0].octets.as_slice()),
            ("application/sdp", b"v=0\r\no=- 1 1 IN IP4 h\r\n".as_slice())
        );
        assert_eq!(parts[1].media_type, "application/resource-lists+xml");
        assert_eq!(parts[1].disposition.as_deref(), Some("recipient-list"));
        assert_eq!(parts[1].octets, b"<a/>");
    }

    #[test]
    fn single_body_is_one_part() {
        let parts = divide(&Body {
            content_type: "Application/SDP; a=b".into(),
            octets: b"v=0".to_vec(),
        })
        .unwrap();
        assert_eq!(
            (parts.len(), parts[0].media_type.as_str()),
            (1, "application/sdp")
        );
    }

    #[test]
    fn optional_handling_is_seen() {
        let text = "--boundary1\nContent-Type: image/png\nContent-Disposition: render;handling=optional\n\nx\n--boundary1--\n";
        let parts = divide(&body(text)).unwrap();
        assert!(parts[0].is_optional);
    }

    #[test]
    fn broken_multipart_is_refused() {
        let without = Body {
            content_type: "multipart/mixed".into(),
            octets: b"--x\r\n".to_vec(),
        };
        assert!(divide(&without).is_err());
        assert_eq!(divide(&body("no delimiter here")), Err(BodyError::NoParts));
        let many = format!(
            "{}--boundary1--\n",
            "--boundary1\nContent-Type: text/plain\n\nx\n".repeat(200)
        );
        assert_eq!(divide(&body(&many)), Err(BodyError::TooManyParts));
        let large = Body {
            content_type: "application/sdp".into(),
            octets: vec![0; BODY_OCTETS_MAX + 1],
        };
        assert_eq!(divide(&large), Err(BodyError::TooLarge));
    }

    proptest::proptest! {
        #[test]
        fn multipart_mutated_body_never_panics(at in 0usize..400, octet: u8, cut in 0usize..400) {
            let mut body = body(INVITE);
            let length = body.octets.len();
            body.octets[at % length] = octet;
            body.octets.truncate(cut.max(1));
            let _ = divide(&body);
        }
    }
}
