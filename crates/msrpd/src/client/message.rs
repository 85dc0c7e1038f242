//! A chat message inside its Message/CPIM wrapper.

use std::borrow::Cow;

use msrp_wire::ContentType;
use msrp_wire::cpim::Wrapper;

/// Who writes, and to which room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Addresses {
    /// The writer's URI.
    pub(super) from: String,
    /// The writer's name.
    pub(super) display: Option<String>,
    /// The room's URI.
    pub(super) to: String,
}

/// A message that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Incoming {
    pub(super) from: String,
    pub(super) display: Option<String>,
    pub(super) text: String,
}

/// Wraps a text.
pub(super) fn compose(addresses: &Addresses, datetime: &str, text: &str) -> Vec<u8> {
    let from = match &addresses.display {
        Some(name) => format!("{} <{}>", quoted(name), addresses.from),
        None => format!("<{}>", addresses.from),
    };
    let to = &addresses.to;
    format!(
        "From: {from}\r\nTo: <{to}>\r\nDateTime: {datetime}\r\n\r\n\
         Content-Type: text/plain; charset=utf-8\r\n\r\n{text}"
    )
    .into_bytes()
}

/// Reads a wrapped message. `None` for what is not for people: typing notices, other media types,
/// and wrappers that cannot be read.
pub(super) fn read(octets: &[u8]) -> Option<Incoming> {
    let wrapper = Wrapper::parse(octets).ok()?;
    let body = octets.get(wrapper.inner_body_offset?..)?;
    let is_text = match wrapper.content_type {
        Some(value) => ContentType::parse(value).is_ok_and(|t| t.is("text/plain")),
        None => true,
    };
    is_text.then(|| Incoming {
        from: wrapper.from.uri.to_owned(),
        display: wrapper
            .from
            .display
            .map(Cow::into_owned)
            .filter(|name| !name.is_empty()),
        text: String::from_utf8_lossy(body).into_owned(),
    })
}

/// A quoted string of one line.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars().filter(|c| !c.is_control()) {
        if matches!(c, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(display: Option<&str>) -> Addresses {
        Addresses {
            from: "sip:alice@localhost".to_owned(),
            display: display.map(str::to_owned),
            to: "sip:demo@localhost".to_owned(),
        }
    }

    #[test]
    fn message_composed_has_the_wrapper_of_a_chat_room() {
        let octets = compose(&addresses(None), "2026-11-21T02:46:05Z", "hello");
        let expected = "From: <sip:alice@localhost>\r\nTo: <sip:demo@localhost>\r\n\
                        DateTime: 2026-11-21T02:46:05Z\r\n\r\n\
                        Content-Type: text/plain; charset=utf-8\r\n\r\nhello";
        assert_eq!(String::from_utf8(octets).unwrap(), expected);
    }

    #[test]
    fn message_composed_is_read_again() {
        let octets = compose(
            &addresses(Some("Al \"Ice\"\r\nTo: x")),
            "2026-11-21T02:46:05Z",
            "a\nb",
        );
        let message = read(&octets).unwrap();
        assert_eq!(message.from, "sip:alice@localhost");
        assert_eq!(message.display.as_deref(), Some("Al \"Ice\"To: x"));
        assert_eq!(message.text, "a\nb");
    }

    #[test]
    fn message_that_is_not_text_is_passed_over() {
        let text = "From: <sip:a@b>\r\nTo: <sip:c@d>\r\n\r\n\
                    Content-Type: application/im-iscomposing+xml\r\n\r\n<x/>";
        assert_eq!(read(text.as_bytes()), None);
        assert_eq!(read(b"hello"), None);
    }
}
