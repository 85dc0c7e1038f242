//! Writes wrappers of our own.

use super::address::is_name;
use super::escape;
use crate::content_type::ContentType;

/// An address to write.
#[derive(Clone, Copy, Debug)]
pub struct Address<'a> {
    /// The name of its owner; written in quotes.
    pub display: Option<&'a str>,
    /// The URI. Blanks, control characters, quotes and angle brackets in it are percent-encoded.
    pub uri: &'a str,
}

/// A wrapper to write: for messages of the server itself, and for clients. Texts are escaped, so that none can add a
/// line.
#[derive(Clone, Copy, Debug)]
pub struct NewWrapper<'a> {
    /// The sender.
    pub from: Address<'a>,
    /// The recipients; the standard wants one or more.
    pub to: &'a [Address<'a>],
    /// Further recipients.
    pub cc: &'a [Address<'a>],
    /// When it is sent, in the form of RFC 3339.
    pub datetime: Option<&'a str>,
    /// What it is about.
    pub subject: Option<&'a str>,
    /// Prefixes and the URIs of their namespaces.
    pub namespaces: &'a [(&'a str, &'a str)],
    /// Further headers: name with its prefix, and value. Characters that no name may have are left out.
    pub headers: &'a [(&'a str, &'a str)],
    /// The type of the content.
    pub content_type: ContentType<'a>,
    /// The content.
    pub body: &'a [u8],
}

impl<'a> NewWrapper<'a> {
    /// A wrapper with nothing but what it must have.
    #[must_use]
    pub fn new(
        from: Address<'a>,
        to: &'a [Address<'a>],
        content_type: ContentType<'a>,
        body: &'a [u8],
    ) -> Self {
        Self {
            from,
            to,
            cc: &[],
            datetime: None,
            subject: None,
            namespaces: &[],
            headers: &[],
            content_type,
            body,
        }
    }
}

impl<'a> Address<'a> {
    /// An address without a name.
    #[must_use]
    pub fn of(uri: &'a str) -> Self {
        Self { display: None, uri }
    }
}

/// Appends a wrapper and its content.
///
/// # Spec
/// RFC 3862 s.2 to s.4; RFC 4975 s.13.
pub fn write(out: &mut Vec<u8>, wrapper: &NewWrapper<'_>) {
    address(out, "From", wrapper.from);
    for to in wrapper.to {
        address(out, "To", *to);
    }
    for cc in wrapper.cc {
        address(out, "cc", *cc);
    }
    if let Some(datetime) = wrapper.datetime {
        header(out, "DateTime", datetime);
    }
    if let Some(subject) = wrapper.subject {
        header(out, "Subject", subject);
    }
    for (prefix, uri) in wrapper.namespaces {
        namespace(out, prefix, uri);
    }
    for (name, value) in wrapper.headers {
        header(out, name, value);
    }
    out.extend_from_slice(b"\r\nContent-Type: ");
    out.extend_from_slice(wrapper.content_type.raw());
    out.extend_from_slice(b"\r\n\r\n");
    out.extend_from_slice(wrapper.body);
}

fn address(out: &mut Vec<u8>, name: &str, address: Address<'_>) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    if let Some(display) = address.display {
        out.push(b'"');
        escape::encode(out, display, Some('"'));
        out.extend_from_slice(b"\" ");
    }
    bracketed(out, address.uri);
}

fn namespace(out: &mut Vec<u8>, prefix: &str, uri: &str) {
    out.extend_from_slice(b"NS: ");
    out.extend(prefix.bytes().filter(|c| is_name(*c)));
    out.push(b' ');
    bracketed(out, uri);
}

fn bracketed(out: &mut Vec<u8>, uri: &str) {
    out.push(b'<');
    for c in uri.bytes() {
        if c.is_ascii_control() || matches!(c, b' ' | b'<' | b'>' | b'"') {
            out.extend_from_slice(format!("%{c:02X}").as_bytes());
        } else {
            out.push(c);
        }
    }
    out.extend_from_slice(b">\r\n");
}

fn header(out: &mut Vec<u8>, name: &str, value: &str) {
    out.extend(name.bytes().filter(|c| is_name(*c) || *c == b'.'));
    out.extend_from_slice(b": ");
    escape::encode(out, value.trim_matches(' '), None);
    out.extend_from_slice(b"\r\n");
}
