//! Descriptions that pass through us: where the MSRP section is reached is ours, the rest stays as it was.
//!
//! ```text
//!   o=- 1 1 IN IP4 a.example.com            the host, when the caller wants
//!   c=IN IP4 a.example.com                  ours, when this is the only section
//!   m=audio 49170 RTP/AVP 0                 octet for octet, with all its lines
//!   m=message 7654 TCP/MSRP *               port and protocol
//!   c=IN IP4 host                           ours; written where it is missing
//!   a=accept-types:text/plain               octet for octet
//!   a=path:msrp://a.example.com:7654/s;tcp  ours
//!   a=setup:active  a=fingerprint:...       ours
//!   a=msrp-cema     a=connection:new        ours or none; none
//! ```
//!
//! The text is changed line by line and not written anew, so that what we do not know stays.

use std::net::IpAddr;

use msrp_wire::MsrpUriBuf;

use crate::{Description, MessageMedia, Protocol, Setup, path::Authority};

/// What the MSRP section of a description says of us in the place of its writer.
///
/// # Spec
/// RFC 4975 s.8, RFC 6135 s.4.2, RFC 6714 s.5.
#[derive(Clone, PartialEq, Eq)]
pub struct Anchor {
    /// Our URI, with a port. Its host and port stand in the `c=` and `m=` lines.
    pub path: MsrpUriBuf,
    /// The protocol; the scheme of `path` has to agree with it.
    pub protocol: Protocol,
    /// The role in opening the connection.
    pub setup: Setup,
    /// Whether msrp-cema is announced.
    pub cema: bool,
    /// The fingerprint of our certificate, `hash-func SP fingerprint`.
    pub fingerprint: Option<String>,
    /// Whether the host of the `o=` line becomes ours, so that it does not tell where the writer is.
    pub replaces_origin: bool,
}

impl Anchor {
    /// The description with this anchor in its MSRP section. `text` is what `description` and `media` were read from.
    #[must_use]
    pub fn apply(&self, text: &str, description: &Description, media: &MessageMedia) -> String {
        let mut writer = Writer {
            anchor: self,
            host: Authority::of(&self.path).host,
            line_end: if text.contains("\r\n") { "\r\n" } else { "\n" },
            is_only_section: description.media_count() == 1,
            has_shared_connection: false,
            out: String::with_capacity(text.len().saturating_add(GROWTH_OCTETS_USUAL)),
        };
        let mut section = None;
        let mut state = Section::default();
        for line in text.split_inclusive('\n') {
            let content = line.trim_end_matches(['\r', '\n']);
            if content.starts_with("m=") {
                if section == Some(media.index) {
                    writer.finish(&mut state);
                }
                section = Some(section.map_or(0, |index: usize| index.saturating_add(1)));
            }
            match section {
                None => writer.shared(content, line),
                Some(index) if index == media.index => writer.own(&mut state, content, line),
                Some(_) => writer.out.push_str(line),
            }
        }
        if section == Some(media.index) {
            writer.finish(&mut state);
        }
        writer.out
    }
}

/// What of our section is written.
#[derive(Default)]
struct Section {
    has_connection: bool,
    has_path: bool,
}

struct Writer<'a> {
    anchor: &'a Anchor,
    host: String,
    line_end: &'static str,
    is_only_section: bool,
    has_shared_connection: bool,
    out: String,
}

impl Writer<'_> {
    /// A line before the first section.
    fn shared(&mut self, content: &str, line: &str) {
        if content.starts_with("c=") && self.is_only_section {
            self.has_shared_connection = true;
            self.line(&self.connection());
        } else if content.starts_with("o=") && self.anchor.replaces_origin {
            let kept: Vec<&str> = content.split(' ').take(ORIGIN_WORDS_KEPT).collect();
            self.line(&format!("{} {}", kept.join(" "), self.address()));
        } else {
            self.out.push_str(line);
        }
    }

    /// A line of our section.
    fn own(&mut self, state: &mut Section, content: &str, line: &str) {
        if content.starts_with("m=") {
            return self.line(&self.media(content));
        }
        if content.starts_with("c=") {
            if !std::mem::replace(&mut state.has_connection, true) {
                self.line(&self.connection());
            }
            return;
        }
        if !content.starts_with("i=") {
            self.connect(state);
        }
        let name = content
            .strip_prefix("a=")
            .map(|attribute| attribute.split(':').next().unwrap_or_default().trim());
        let is_ours = name.is_some_and(|name| OURS.iter().any(|o| o.eq_ignore_ascii_case(name)));
        if !is_ours {
            self.out.push_str(line);
        } else if name.is_some_and(|name| name.eq_ignore_ascii_case("path")) {
            self.reach(state);
        }
    }

    /// Our section ends.
    fn finish(&mut self, state: &mut Section) {
        self.connect(state);
        self.reach(state);
    }

    /// The `c=` line stands behind `m=` and `i=`; one before the first section is enough when it is ours.
    fn connect(&mut self, state: &mut Section) {
        if !std::mem::replace(&mut state.has_connection, true) && !self.has_shared_connection {
            self.line(&self.connection());
        }
    }

    /// The attributes about how we are reached, once.
    fn reach(&mut self, state: &mut Section) {
        if std::mem::replace(&mut state.has_path, true) {
            return;
        }
        let anchor = self.anchor;
        self.line(&format!("a=path:{}", anchor.path));
        self.line(&format!("a=setup:{}", anchor.setup.token()));
        if let Some(fingerprint) = &anchor.fingerprint {
            self.line(&format!("a=fingerprint:{fingerprint}"));
        }
        if anchor.cema {
            self.line("a=msrp-cema");
        }
    }

    fn media(&self, content: &str) -> String {
        let port = self.anchor.path.as_uri().port().unwrap_or_default();
        let protocol = self.anchor.protocol.token();
        let mut words = content.split_ascii_whitespace();
        let media = words.next().unwrap_or_default();
        let formats: Vec<&str> = words.skip(2).collect();
        format!("{media} {port} {protocol} {}", formats.join(" "))
    }

    fn connection(&self) -> String {
        format!("c={}", self.address())
    }

    /// Network, kind and host.
    fn address(&self) -> String {
        let is_v6 = matches!(self.host.parse(), Ok(IpAddr::V6(_)));
        format!("IN {} {}", if is_v6 { "IP6" } else { "IP4" }, self.host)
    }

    /// Writes a line of ours. The text before it may lack its last line end.
    fn line(&mut self, content: &str) {
        if !self.out.is_empty() && !self.out.ends_with('\n') {
            self.out.push_str(self.line_end);
        }
        self.out.push_str(content);
        self.out.push_str(self.line_end);
    }
}

/// Attributes that are written from the anchor, and the one that MSRP forbids (RFC 6135 s.4.4).
const OURS: [&str; 5] = ["path", "setup", "fingerprint", "msrp-cema", "connection"];

/// `o=` with the user name, the id and the version.
const ORIGIN_WORDS_KEPT: usize = 3;

/// A description seldom grows by more, in octets.
const GROWTH_OCTETS_USUAL: usize = 256;
