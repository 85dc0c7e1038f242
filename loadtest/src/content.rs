//! The octets of a message: a Message/CPIM wrapper, and a body of the right media type around the stamp.
//!
//! ```text
//! | CPIM wrapper | start of the body | stamp | pattern | end of the body |
//! |<---- covered by the stamp ------>|
//! ```

use msrp_wire::ContentType;
use msrp_wire::cpim::{self, Address, NewWrapper};

use crate::mix::Kind;
use crate::pattern::{self, Pattern};
use crate::stamp::{STAMP_OCTETS, Stamp};

/// What stands in the wrapper of one message.
#[derive(Debug, Clone, Copy)]
pub struct Wrapping<'a> {
    /// The sender's URI.
    pub from: &'a str,
    /// The URI of the room, or of the participant.
    pub to: &'a str,
    /// When, as RFC 3339 writes it.
    pub datetime: &'a str,
    /// The name of the message for its notifications. When it is there, they are asked for.
    pub imdn_id: Option<&'a str>,
}

/// Writes the message that a stamp describes; its `head_sum` is filled in here. Gives the stamp as it was written.
pub fn compose(out: &mut Vec<u8>, wrapping: &Wrapping<'_>, stamp: Stamp) -> Stamp {
    let start = out.len();
    write_wrapper(out, wrapping, stamp.kind);
    out.extend_from_slice(body_start(stamp.kind));
    let stamp = Stamp {
        head_sum: pattern::sum(&out[start..]),
        ..stamp
    };
    stamp.write(out);
    let octets = usize::try_from(stamp.pattern_octets).unwrap_or(0);
    Pattern::of(stamp.origin, stamp.sequence).write(out, octets);
    out.extend_from_slice(body_end(stamp.kind));
    stamp
}

fn write_wrapper(out: &mut Vec<u8>, wrapping: &Wrapping<'_>, kind: Kind) {
    let to = [Address::of(wrapping.to)];
    let content_type = ContentType::parse(media_type(kind).as_bytes());
    let content_type = content_type.unwrap_or(ContentType::TEXT_PLAIN);
    let mut wrapper = NewWrapper::new(Address::of(wrapping.from), &to, content_type, &[]);
    wrapper.datetime = Some(wrapping.datetime);
    let id = wrapping.imdn_id.unwrap_or_default();
    let headers = [
        ("imdn.Message-ID", id),
        (
            "imdn.Disposition-Notification",
            "positive-delivery, display",
        ),
    ];
    if wrapping.imdn_id.is_some() {
        wrapper.namespaces = &[("imdn", "urn:ietf:params:imdn")];
        wrapper.headers = &headers;
    }
    cpim::write(out, &wrapper);
}

/// Octets of pattern that make a body of this size.
#[must_use]
pub fn pattern_octets(kind: Kind, size: u32) -> u32 {
    if kind.is_sized() {
        size.saturating_sub(SIZE_MIN)
    } else {
        0
    }
}

/// The media type of the body.
#[must_use]
pub fn media_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "text/plain; charset=utf-8",
        Kind::File => "text/plain",
        Kind::Composing => "application/im-iscomposing+xml",
        Kind::Delivered | Kind::Displayed => "message/imdn+xml",
    }
}

/// What the body starts with, in front of the stamp.
fn body_start(kind: Kind) -> &'static [u8] {
    match kind {
        Kind::Text | Kind::File => b"",
        Kind::Composing => {
            b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n\
              <isComposing xmlns=\"urn:ietf:params:xml:ns:im-iscomposing\">\r\n<!-- "
        }
        Kind::Delivered | Kind::Displayed => {
            b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n\
              <imdn xmlns=\"urn:ietf:params:xml:ns:imdn\">\r\n<message-id>"
        }
    }
}

/// What the body ends with, behind the pattern.
#[must_use]
pub fn body_end(kind: Kind) -> &'static [u8] {
    match kind {
        Kind::Text | Kind::File => b"",
        Kind::Composing => {
            b" -->\r\n<state>active</state>\r\n<contenttype>text/plain</contenttype>\r\n\
              <refresh>60</refresh>\r\n</isComposing>\r\n"
        }
        Kind::Delivered => {
            b"</message-id>\r\n<datetime>2026-01-01T00:00:00Z</datetime>\r\n\
              <delivery-notification><status><delivered/></status></delivery-notification>\r\n</imdn>\r\n"
        }
        Kind::Displayed => {
            b"</message-id>\r\n<datetime>2026-01-01T00:00:00Z</datetime>\r\n\
              <display-notification><status><displayed/></status></display-notification>\r\n</imdn>\r\n"
        }
    }
}

/// Octets of the smallest body: the stamp alone.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a constant below one hundred"
)]
pub const SIZE_MIN: u32 = STAMP_OCTETS as u32;

#[cfg(test)]
mod tests {
    use msrp_wire::cpim::Wrapper;

    use super::*;
    use crate::stamp::Found;

    fn stamp(kind: Kind) -> Stamp {
        Stamp {
            run: 1,
            kind,
            origin: 2,
            sequence: 3,
            intended_ns: 4,
            pattern_octets: pattern_octets(kind, 200),
            head_sum: 0,
        }
    }

    fn wrapping(imdn_id: Option<&'static str>) -> Wrapping<'static> {
        Wrapping {
            from: "sip:load2@localhost",
            to: "sip:demo@localhost",
            datetime: "2026-11-21T02:46:05Z",
            imdn_id,
        }
    }

    #[test]
    fn text_has_a_body_of_the_size_that_was_asked_for() {
        let mut octets = Vec::new();
        let written = compose(&mut octets, &wrapping(None), stamp(Kind::Text));
        let wrapper = Wrapper::parse(&octets).unwrap();
        assert_eq!(wrapper.from.uri, "sip:load2@localhost");
        assert_eq!(wrapper.to[0].uri, "sip:demo@localhost");
        let body = wrapper.inner_body_offset.unwrap();
        assert_eq!(octets.len() - body, 200);
        assert_eq!(Stamp::find(&octets), Found::Stamp(written, body));
        assert_eq!(written.head_sum, pattern::sum(&octets[..body]));
    }

    #[test]
    fn each_kind_has_its_media_type_and_a_stamp() {
        for kind in Kind::ALL {
            let mut octets = Vec::new();
            let written = compose(&mut octets, &wrapping(Some("abcd")), stamp(kind));
            let wrapper = Wrapper::parse(&octets).unwrap();
            assert_eq!(wrapper.content_type.unwrap(), media_type(kind).as_bytes());
            assert!(
                wrapper
                    .other("urn:ietf:params:imdn", "Message-ID")
                    .is_some()
            );
            assert!(matches!(Stamp::find(&octets), Found::Stamp(found, _) if found == written));
            assert!(octets.ends_with(body_end(kind)));
        }
    }
}
