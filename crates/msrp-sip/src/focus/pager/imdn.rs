//! Notifications of what became of a message: asking for them, reading them, writing them.
//!
//! # Spec
//! RFC 5438; PGR-8.3.1.2 to PGR-8.3.1.4; AMB-51.

use msrp_wire::cpim::{Parsed, Wrapper};
use quick_xml::escape::escape;

use crate::focus::pager::history::ANONYMOUS;
use crate::focus::pager::payload::BodyPart;
use crate::focus::refusal::Refusal;
use crate::limits::IMDN_ID_OCTETS_MAX;
use crate::multipart::media_type;
use crate::ua::Headers;
use crate::xml::Element;

/// What a sender wants to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    /// How the sender names its message.
    pub(crate) message_id: String,
    /// When it was sent, as the sender wrote it; empty when it did not.
    pub(crate) datetime: String,
    /// Whether delivery is to be told.
    pub(crate) wants_positive: bool,
    /// Whether failure is to be told.
    pub(crate) wants_negative: bool,
}

impl Request {
    /// Reads the wish of a CPIM message for delivery notifications; `None` when there is none.
    ///
    /// # Errors
    /// [`Refusal::MalformedBody`] -> 400: not a CPIM message, or a wish without a usable Message-ID.
    ///
    /// # Spec
    /// RFC 5438 s.6.2, s.6.3.
    pub(crate) fn read(part: &BodyPart) -> Result<Option<Self>, Refusal> {
        let wrapper = parse(part)?;
        let Some(wish) = wrapper.other(IMDN, "Disposition-Notification") else {
            return Ok(None);
        };
        let wish = wish.text().to_ascii_lowercase();
        let wants = |kind: &str| {
            wish.split(',')
                .any(|w| w.split(';').next().unwrap_or_default().trim() == kind)
        };
        let (wants_positive, wants_negative) =
            (wants("positive-delivery"), wants("negative-delivery"));
        if !wants_positive && !wants_negative {
            return Ok(None);
        }
        let message_id = wrapper
            .other(IMDN, "Message-ID")
            .map(|h| h.text().trim().to_owned())
            .filter(|id| (1..=IMDN_ID_OCTETS_MAX).contains(&id.len()))
            .ok_or_else(|| {
                malformed("A message that asks for notifications needs a Message-ID of at most 256 octets")
            })?;
        Ok(Some(Self {
            message_id,
            datetime: wrapper.datetime.unwrap_or_default().to_owned(),
            wants_positive,
            wants_negative,
        }))
    }
}

/// A notification that arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Notification {
    /// The message that it is about.
    pub(crate) message_id: String,
    /// Whether it says what became of the delivery.
    pub(crate) is_delivery: bool,
    /// Whom the CPIM header names as the sender of the message.
    pub(crate) to: String,
    /// The notification.
    pub(crate) document: String,
    /// The same without the address of its recipient.
    pub(crate) nameless: String,
}

impl Notification {
    /// Reads a notification; `None` when the part is something else.
    ///
    /// # Errors
    /// [`Refusal::MalformedBody`] -> 400.
    pub(crate) fn read(part: &BodyPart) -> Result<Option<Self>, Refusal> {
        if !part.is_wrapped() {
            return Ok(None);
        }
        let wrapper = parse(part)?;
        let is_imdn = wrapper
            .content_type
            .and_then(|t| std::str::from_utf8(t).ok())
            .is_some_and(|t| media_type(t) == IMDN_XML);
        if !is_imdn {
            return Ok(None);
        }
        let begin = wrapper.inner_body_offset.unwrap_or(part.octets.len());
        let content = part.octets.get(begin..).unwrap_or_default();
        let document = std::str::from_utf8(content)
            .map_err(|_| malformed("The notification is not UTF-8"))?
            .trim();
        let root = Element::parse(document)
            .ok()
            .filter(|root| root.is(IMDN_XMLNS, "imdn"))
            .ok_or_else(|| malformed("The notification cannot be read"))?;
        let text = |name: &str| root.child(IMDN_XMLNS, name).map(Element::trimmed);
        let message_id = text("message-id")
            .filter(|id| (1..=IMDN_ID_OCTETS_MAX).contains(&id.len()))
            .ok_or_else(|| malformed("The notification names no message"))?;
        let kind = KINDS
            .into_iter()
            .find_map(|k| Some((k, root.child(IMDN_XMLNS, k)?)));
        let status = kind
            .and_then(|(_, k)| k.child(IMDN_XMLNS, "status"))
            .and_then(|s| s.children.first())
            .map_or("error", |s| s.name.as_str());
        let kind = kind.map_or(DELIVERY, |(k, _)| k);
        Ok(Some(Self {
            message_id: message_id.to_owned(),
            is_delivery: kind == DELIVERY,
            to: wrapper.to.first().map_or("", |to| to.uri).to_owned(),
            document: document.to_owned(),
            nameless: write(
                message_id,
                text("datetime").unwrap_or_default(),
                None,
                kind,
                status,
            ),
        }))
    }
}

/// The notification that a message did not reach a recipient; without its address when it is not
/// to be known.
///
/// # Spec
/// RFC 5438 s.8.2, s.12.2; AMB-51.
pub(crate) fn failed(request: &Request, recipient: Option<&str>) -> String {
    write(
        &request.message_id,
        &request.datetime,
        recipient,
        DELIVERY,
        "failed",
    )
}

fn write(
    message_id: &str,
    datetime: &str,
    recipient: Option<&str>,
    kind: &str,
    status: &str,
) -> String {
    let recipient = recipient.map_or_else(String::new, |uri| {
        let uri = escape(uri);
        format!(
            "<recipient-uri>{uri}</recipient-uri>\r\n\
             <original-recipient-uri>{uri}</original-recipient-uri>\r\n"
        )
    });
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<imdn xmlns=\"{IMDN_XMLNS}\">\r\n\
         <message-id>{}</message-id>\r\n<datetime>{}</datetime>\r\n{recipient}\
         <{kind}><status><{status}/></status></{kind}>\r\n</imdn>",
        escape(message_id),
        escape(datetime)
    )
}

/// Puts notifications into a CPIM message of our own: one as it is, several as a multipart.
///
/// # Spec
/// RFC 5438 s.8.3.
pub(crate) fn wrap(documents: &[String], from: &str, to: &str, name: &str) -> BodyPart {
    let mut text = format!(
        "From: <{from}>\r\nTo: <{to}>\r\nNS: imdn <{IMDN}>\r\nimdn.Message-ID: {name}\r\n\r\n"
    );
    match documents {
        [document] => {
            text.push_str(&format!(
                "Content-Type: {IMDN_XML}\r\n{NOTIFICATION}\r\n\r\n"
            ));
            text.push_str(document);
        }
        _ => {
            text.push_str(&format!(
                "Content-Type: multipart/mixed;boundary=\"{name}\"\r\n{NOTIFICATION}\r\n\r\n"
            ));
            for document in documents {
                text.push_str(&format!(
                    "--{name}\r\nContent-Type: {IMDN_XML}\r\n\r\n{document}\r\n"
                ));
            }
            text.push_str(&format!("--{name}--\r\n"));
        }
    }
    BodyPart {
        content_type: CPIM.to_owned(),
        fields: Headers::new(),
        octets: text.into_bytes(),
    }
}

/// What changes in the wrapper of a message on its way to one recipient.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Readdress<'a> {
    /// Whether the sender is hidden.
    pub(crate) hides_sender: bool,
    /// The recipient, and the address to which its notification goes; none changes neither.
    pub(crate) recipient: Option<(&'a str, &'a str)>,
}

/// Writes the wrapper of a message anew for one recipient; the content stays as it is.
///
/// # Spec
/// RFC 5438 s.6.4, s.6.5, s.8.
pub(crate) fn readdress(part: &BodyPart, change: Readdress<'_>) -> BodyPart {
    let Ok(wrapper) = parse(part) else {
        return part.clone();
    };
    let (head, rest) = part
        .octets
        .split_at(wrapper.head_octets.min(part.octets.len()));
    let head = String::from_utf8_lossy(head);
    let wish = wrapper.other(IMDN, "Disposition-Notification");
    let prefix = match wish.and_then(|w| w.prefix) {
        Some(prefix) => format!("{prefix}."),
        None => String::new(),
    };
    let route = format!("{prefix}IMDN-Record-Route");
    let asked = format!("{prefix}Disposition-Notification");
    let mut own = change.recipient.map(|(_, address)| {
        let mut lines = format!("{route}: <{address}>\r\n");
        let original = wrapper
            .to
            .first()
            .filter(|_| wrapper.other(IMDN, "Original-To").is_none());
        if let Some(original) = original {
            lines.push_str(&format!("{prefix}Original-To: <{}>\r\n", original.uri));
        }
        lines
    });
    let mut to = change.recipient.map(|(uri, _)| format!("To: <{uri}>\r\n"));
    let mut text = String::with_capacity(head.len().saturating_add(256));
    for line in head.split_inclusive('\n') {
        let name = line.split(':').next().unwrap_or_default().trim_end();
        match name {
            "From" if change.hides_sender => text.push_str(&format!("From: <{ANONYMOUS}>\r\n")),
            "To" | "cc" if change.recipient.is_some() => {
                text.push_str(&to.take().unwrap_or_default());
            }
            _ => {
                // What names a prefix stands after the line that declares it.
                if name == route || name == asked {
                    text.push_str(&own.take().unwrap_or_default());
                }
                text.push_str(line);
            }
        }
    }
    let mut octets = text.into_bytes();
    octets.extend_from_slice(rest);
    BodyPart {
        octets,
        ..part.clone()
    }
}

/// The address in the CPIM header From.
pub(crate) fn sender(part: &BodyPart) -> Option<String> {
    Some(parse(part).ok()?.from.uri.to_owned())
}

/// Takes our address off the way of a notification. The way that is left, and the message without
/// our address: the next address of the way, or whom the message is for.
///
/// # Spec
/// RFC 5438 s.8.
pub(crate) fn next_hop(part: &BodyPart) -> Option<(String, BodyPart)> {
    let wrapper = parse(part).ok()?;
    let mut ways = wrapper
        .other
        .iter()
        .filter(|h| h.name == "IMDN-Route" && h.is_in(IMDN));
    let own = ways.next()?;
    let next = ways.next().map(|h| h.text().trim().to_owned());
    let next = match next {
        Some(next) => next.rsplit_once('<')?.1.split_once('>')?.0.to_owned(),
        None => wrapper.to.first()?.uri.to_owned(),
    };
    let name = match own.prefix {
        Some(prefix) => format!("{prefix}.{}", own.name),
        None => own.name.to_owned(),
    };
    let (head, rest) = part
        .octets
        .split_at(wrapper.head_octets.min(part.octets.len()));
    let head = String::from_utf8_lossy(head);
    let mut is_taken = false;
    let kept = head.split_inclusive('\n').filter(|line| {
        let is_own = !is_taken && line.split(':').next().unwrap_or_default().trim_end() == name;
        is_taken |= is_own;
        !is_own
    });
    let mut octets = kept.collect::<String>().into_bytes();
    octets.extend_from_slice(rest);
    Some((
        next,
        BodyPart {
            octets,
            ..part.clone()
        },
    ))
}

fn parse(part: &BodyPart) -> Result<Parsed<'_>, Refusal> {
    Wrapper::parse(&part.octets).map_err(|_| malformed("The CPIM message cannot be read"))
}

fn malformed(text: &str) -> Refusal {
    Refusal::MalformedBody(text.to_owned())
}

const CPIM: &str = "message/cpim";
const IMDN_XML: &str = "message/imdn+xml";
const NOTIFICATION: &str = "Content-Disposition: notification";

/// The namespace of the header fields.
const IMDN: &str = "urn:ietf:params:imdn";

/// The namespace of the document.
const IMDN_XMLNS: &str = "urn:ietf:params:xml:ns:imdn";

const DELIVERY: &str = "delivery-notification";
const KINDS: [&str; 3] = [DELIVERY, "display-notification", "processing-notification"];

#[cfg(test)]
mod tests {
    use super::*;

    fn part(text: &str) -> BodyPart {
        BodyPart {
            content_type: "Message/CPIM".into(),
            fields: Headers::new(),
            octets: text.replace('\n', "\r\n").into_bytes(),
        }
    }

    const ASKING: &str = "From: Alice <im:alice@example.com>\nTo: List <sip:list@im.example>\ncc: <im:x@h>\nDateTime: 2026-11-21T10:00:00Z\nNS: n <urn:ietf:params:imdn>\nn.Message-ID: 34jk324j\nn.Disposition-Notification: positive-delivery, Negative-Delivery\n\nContent-type: text/plain\n\nTo: be\n";

    fn notification(kind: &str, status: &str) -> BodyPart {
        part(&format!(
            "From: <im:bob@example.com>\nTo: <im:alice@example.com>\nNS: imdn <urn:ietf:params:imdn>\n\
             imdn.IMDN-Route: <sip:list@im.example>\nimdn.IMDN-Route: \"N\" <sip:next@h>\nimdn.Message-ID: 1\n\n\
             Content-type: message/imdn+xml\nContent-Disposition: notification\n\n\
             <?xml version=\"1.0\"?><imdn xmlns=\"urn:ietf:params:xml:ns:imdn\"><message-id> 34jk324j </message-id>\
             <datetime>d</datetime><recipient-uri>im:bob@example.com</recipient-uri>\
             <{kind}><status><{status}/></status></{kind}></imdn>\n"
        ))
    }

    #[test]
    fn wish_is_read_under_any_prefix() {
        let request = Request::read(&part(ASKING)).unwrap().unwrap();
        assert_eq!(
            request,
            Request {
                message_id: "34jk324j".into(),
                datetime: "2026-11-21T10:00:00Z".into(),
                wants_positive: true,
                wants_negative: true,
            }
        );
        let display = ASKING.replace("positive-delivery, Negative-Delivery", "display");
        assert_eq!(Request::read(&part(&display)), Ok(None));
        let other = ASKING.replace("urn:ietf:params:imdn", "urn:other");
        assert_eq!(Request::read(&part(&other)), Ok(None));
    }

    #[test]
    fn wish_without_name_is_refused() {
        for text in [
            ASKING.replace("n.Message-ID: 34jk324j\n", ""),
            ASKING.replace("34jk324j", &"x".repeat(300)),
            "no header".to_owned(),
        ] {
            let read = Request::read(&part(&text));
            assert!(matches!(read, Err(Refusal::MalformedBody(_))), "{read:?}");
        }
    }

    #[test]
    fn wrapper_is_written_anew_and_content_stays() {
        let change = Readdress {
            hides_sender: true,
            recipient: Some(("sip:bob@example.com", "sip:list@im.example")),
        };
        let text = String::from_utf8(readdress(&part(ASKING), change).octets).unwrap();
        let expected = "From: <sip:anonymous@anonymous.invalid>\nTo: <sip:bob@example.com>\nDateTime: 2026-11-21T10:00:00Z\nNS: n <urn:ietf:params:imdn>\nn.Message-ID: 34jk324j\nn.IMDN-Record-Route: <sip:list@im.example>\nn.Original-To: <sip:list@im.example>\nn.Disposition-Notification: positive-delivery, Negative-Delivery\n\nContent-type: text/plain\n\nTo: be\n";
        assert_eq!(text.replace("\r\n", "\n"), expected);
    }

    #[test]
    fn own_route_stands_before_the_others_and_first_address_is_kept() {
        let text = ASKING.replace(
            "n.Message-ID",
            "n.IMDN-Record-Route: <sip:first@h>\nn.Original-To: <sip:o@h>\nn.Message-ID",
        );
        let change = Readdress {
            hides_sender: false,
            recipient: Some(("sip:bob@example.com", "sip:list@im.example")),
        };
        let text = String::from_utf8(readdress(&part(&text), change).octets).unwrap();
        let own = text.find("Record-Route: <sip:list@im.example>").unwrap();
        assert!(own < text.find("Record-Route: <sip:first@h>").unwrap());
        assert_eq!(text.matches("Original-To").count(), 1);
        assert!(text.starts_with("From: Alice <im:alice@example.com>"));
    }

    #[test]
    fn notification_is_read_and_can_lose_its_recipient() {
        let read = Notification::read(&notification("delivery-notification", "delivered"));
        let read = read.unwrap().unwrap();
        assert_eq!(read.message_id, "34jk324j");
        assert!(read.is_delivery);
        assert_eq!(read.to, "im:alice@example.com");
        assert!(read.document.contains("bob"));
        assert!(!read.nameless.contains("bob"), "{}", read.nameless);
        assert!(read.nameless.contains("<delivered/>"));
        let display = Notification::read(&notification("display-notification", "displayed"));
        assert!(!display.unwrap().unwrap().is_delivery);
        assert_eq!(Notification::read(&part(ASKING)), Ok(None));
    }

    #[test]
    fn broken_notification_is_refused() {
        let text = String::from_utf8(notification("delivery-notification", "failed").octets);
        for (what, by) in [("<imdn ", "<other "), ("</imdn>", ""), (" 34jk324j ", " ")] {
            let broken = text
                .clone()
                .unwrap()
                .replace("\r\n", "\n")
                .replace(what, by);
            let read = Notification::read(&part(&broken));
            assert!(
                matches!(read, Err(Refusal::MalformedBody(_))),
                "{what}: {read:?}"
            );
        }
    }

    #[test]
    fn own_notifications_are_read_again() {
        let request = Request::read(&part(ASKING)).unwrap().unwrap();
        let document = failed(&request, Some("sip:a&b@h"));
        assert!(document.contains("<recipient-uri>sip:a&amp;b@h</recipient-uri>"));
        let wrapped = wrap(
            std::slice::from_ref(&document),
            "sip:list@im.example",
            "im:alice@h",
            "n1",
        );
        let read = Notification::read(&wrapped).unwrap().unwrap();
        assert_eq!((read.to.as_str(), read.document), ("im:alice@h", document));
    }

    #[test]
    fn own_route_is_taken_off() {
        let (next, left) = next_hop(&notification("delivery-notification", "failed")).unwrap();
        assert_eq!(next, "sip:next@h");
        let (last, left) = next_hop(&left).unwrap();
        assert_eq!(last, "im:alice@example.com");
        assert_eq!(next_hop(&left), None);
    }

    proptest::proptest! {
        #[test]
        fn imdn_mutated_message_never_panics(at in 0usize..900, octet: u8, cut in 0usize..900) {
            for part in [part(ASKING), notification("delivery-notification", "failed")] {
                let mut part = part;
                let length = part.octets.len();
                part.octets[at % length] = octet;
                part.octets.truncate(cut.max(1));
                let _ = (Request::read(&part), Notification::read(&part), next_hop(&part), sender(&part));
                let change = Readdress {
                    hides_sender: true,
                    recipient: Some(("sip:b@h", "sip:l@h")),
                };
                let _ = readdress(&part, change);
            }
        }

        #[test]
        fn readdressed_wrapper_is_read_again(user in "[a-z]{1,8}", text in "[ -~]{0,40}") {
            let octets = [ASKING.replace('\n', "\r\n").into_bytes(), text.into_bytes()].concat();
            let before = BodyPart { octets, ..part("") };
            let uri = format!("sip:{user}@h");
            let change = Readdress {
                hides_sender: false,
                recipient: Some((&uri, "sip:l@h")),
            };
            let after = readdress(&before, change);
            let (old, new) = (parse(&before).unwrap(), parse(&after).unwrap());
            assert_eq!(new.to[0].uri, uri);
            assert_eq!(new.to.len(), 1);
            assert_eq!(old.from.uri, new.from.uri);
            assert_eq!(before.octets[old.head_octets..], after.octets[new.head_octets..]);
            assert_eq!(Request::read(&before), Request::read(&after));
        }
    }
}
