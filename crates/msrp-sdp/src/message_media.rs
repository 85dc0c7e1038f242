//! The MSRP media section of a peer, as values.

use std::fmt;

use msrp_wire::MsrpUriBuf;

use crate::{
    Direction, Protocol, SdpError, Setup, attribute, format_list,
    limits::CHAT_TOKENS_MAX,
    path::{self, Authority},
    section::Section,
};

/// The media section of an MSRP session, written by a peer and checked.
///
/// `Debug` shows no URI: the session id in a path is a secret.
///
/// # Spec
/// RFC 4975 s.8, RFC 6135 s.4, RFC 6714 s.5, RFC 7701 s.8.
#[derive(Clone, PartialEq, Eq)]
pub struct MessageMedia {
    /// The place of the section in the description, from 0.
    pub index: usize,
    /// The protocol of the `m=` line.
    pub protocol: Protocol,
    /// The port of the `m=` line, not 0. Not where to connect to: see [`connect_address`](Self::connect_address).
    pub port: u16,
    /// The host of the `c=` line of the section, otherwise of the description.
    pub connection: Option<String>,
    /// The URIs to the peer: the first is the next hop, the last is the peer. 1 to 16, each with a port.
    pub path: Vec<MsrpUriBuf>,
    /// Media types allowed alone and inside containers. At least one entry.
    pub accept_types: Vec<String>,
    /// Media types allowed inside containers only.
    pub accept_wrapped_types: Vec<String>,
    /// The largest message in octets that the peer wants; `u64::MAX` for larger numbers.
    pub max_size: Option<u64>,
    /// Who may send, seen from the peer; taken from the section, otherwise from the description.
    pub direction: Direction,
    /// The role in opening the connection. `None` for holdconn too, as RFC 6135 demands.
    pub setup: Option<Setup>,
    /// The chat room functions that the peer supports and allows, each once. `None` without the attribute.
    pub chatroom: Option<Vec<String>>,
    /// Whether the peer announces msrp-cema.
    pub cema: bool,
    /// The fingerprint of the peer's certificate: `hash-func SP fingerprint`. Of several, the first with SHA-256.
    pub fingerprint: Option<String>,
    /// All attribute lines of the section in their order.
    pub attributes: Vec<(String, Option<String>)>,
}

impl MessageMedia {
    /// Reads a section whose media, port and protocol are known to be right.
    pub(crate) fn read(
        section: Section<'_>,
        index: usize,
        protocol: Protocol,
    ) -> Result<Self, SdpError> {
        let path = path::parse(section.only(path::NAME)?.ok_or(SdpError::NoPath)?)?;
        check_first_hop(&path, protocol)?;
        Ok(Self {
            index,
            protocol,
            port: section.media.port,
            connection: connection(section),
            path,
            accept_types: accept_types(section)?,
            accept_wrapped_types: format_list_of(section, "accept-wrapped-types")?,
            max_size: max_size(section)?,
            direction: direction(section)?,
            setup: setup(section)?,
            chatroom: chatroom(section)?,
            cema: section.lines("msrp-cema").next().is_some(),
            fingerprint: fingerprint(section, protocol)?,
            attributes: section
                .media
                .attributes
                .iter()
                .map(|line| (line.attribute.clone(), line.value.clone()))
                .collect(),
        })
    }

    /// Whether the peer takes a message whose outermost type is this one. Case and parameters do not matter.
    ///
    /// # Spec
    /// RFC 4975 s.8.6; MSRP-4975-8.6-09.
    #[must_use]
    pub fn accepts(&self, media_type: &str) -> bool {
        format_list::allows(&self.accept_types, media_type)
    }

    /// Whether the peer takes this type inside a container that it accepts.
    ///
    /// # Spec
    /// RFC 4975 s.8.6; MSRP-4975-8.6-05, MSRP-4975-8.6-08.
    #[must_use]
    pub fn accepts_wrapped(&self, media_type: &str) -> bool {
        self.accepts(media_type) || format_list::allows(&self.accept_wrapped_types, media_type)
    }

    /// Whether the peer takes this type inside this container, for example inside `message/cpim`.
    #[must_use]
    pub fn accepts_inside(&self, container: &str, media_type: &str) -> bool {
        self.accepts(container) && self.accepts_wrapped(media_type)
    }

    /// The best outermost type among the candidates: the first that the peer lists by name, otherwise the first that a
    /// `*` allows.
    ///
    /// # Spec
    /// RFC 4975 s.8.6; MSRP-4975-8.6-02.
    #[must_use]
    pub fn preferred<'a>(&self, candidates: &[&'a str]) -> Option<&'a str> {
        let listed = candidates
            .iter()
            .find(|candidate| format_list::lists(&self.accept_types, candidate));
        listed
            .or_else(|| candidates.iter().find(|candidate| self.accepts(candidate)))
            .copied()
    }

    /// Whether the peer declares nicknames (RFC 7701 s.7). The plural of the token counts too.
    #[must_use]
    pub fn supports_nicknames(&self) -> bool {
        self.has_chat_token("nickname") || self.has_chat_token("nicknames")
    }

    /// Whether the peer declares private messages (RFC 7701 s.6.2).
    #[must_use]
    pub fn supports_private_messages(&self) -> bool {
        self.has_chat_token("private-messages")
    }

    /// Whether the chatroom attribute holds this token, without regard to case.
    #[must_use]
    pub fn has_chat_token(&self, token: &str) -> bool {
        self.chatroom
            .iter()
            .flatten()
            .any(|known| known.eq_ignore_ascii_case(token))
    }

    /// Whether a relay stands in front of the peer.
    #[must_use]
    pub fn uses_relay(&self) -> bool {
        self.path.len() > 1
    }

    /// The attribute lines that a focus repeats towards other participants, in their order: file-* lines, content, label,
    /// lang, sdplang and the direction. Nothing else, so that no line about a transport or a vendor's extension slips through.
    ///
    /// Media types and max-size go on as values, because the focus changes them.
    ///
    /// # Spec
    /// AMB-23.
    #[must_use]
    pub fn copyable_attributes(&self) -> Vec<(String, Option<String>)> {
        self.attributes
            .iter()
            .filter(|(name, _)| attribute::is_copyable(name))
            .cloned()
            .collect()
    }
}

impl fmt::Debug for MessageMedia {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageMedia")
            .field("index", &self.index)
            .field("protocol", &self.protocol)
            .field("path_uris_count", &self.path.len())
            .field("accept_types", &self.accept_types)
            .field("accept_wrapped_types", &self.accept_wrapped_types)
            .field("max_size", &self.max_size)
            .field("direction", &self.direction)
            .field("setup", &self.setup)
            .field("chatroom", &self.chatroom)
            .field("cema", &self.cema)
            .field("attributes_count", &self.attributes.len())
            .finish_non_exhaustive()
    }
}

/// A session that promises TLS must not fall back to plain TCP through its first URI.
fn check_first_hop(path: &[MsrpUriBuf], protocol: Protocol) -> Result<(), SdpError> {
    let is_secure = path.first().is_some_and(|uri| Authority::of(uri).is_secure);
    match protocol {
        Protocol::TcpTlsMsrp if !is_secure => Err(path::bad(
            "the protocol is TCP/TLS/MSRP and its first URI is not msrps",
        )),
        Protocol::TcpTlsMsrp | Protocol::TcpMsrp => Ok(()),
    }
}

/// The host of the nearest `c=` line, without a multicast suffix.
fn connection(section: Section<'_>) -> Option<String> {
    let line = section
        .media
        .connections
        .first()
        .or(section.session.connection.as_ref())?;
    line.connection_address.split('/').next().map(str::to_owned)
}

/// The entries of all lines of a list attribute.
fn format_list_of(section: Section<'_>, name: &str) -> Result<Vec<String>, SdpError> {
    let mut list = Vec::new();
    for line in section.lines(name) {
        format_list::extend(&mut list, line.value.as_deref().unwrap_or_default())?;
    }
    Ok(list)
}

fn accept_types(section: Section<'_>) -> Result<Vec<String>, SdpError> {
    const NAME: &str = "accept-types";
    let list = format_list_of(section, NAME)?;
    match (list.is_empty(), section.lines(NAME).next()) {
        (false, _) => Ok(list),
        (true, None) => Err(SdpError::NoAcceptTypes),
        (true, Some(_)) => Err(SdpError::BadAttribute {
            name: NAME,
            why: "it has no media type",
        }),
    }
}

fn max_size(section: Section<'_>) -> Result<Option<u64>, SdpError> {
    const NAME: &str = "max-size";
    let Some(value) = section.only(NAME)? else {
        return Ok(None);
    };
    if value.is_empty() || !value.bytes().all(|octet| octet.is_ascii_digit()) {
        return Err(SdpError::BadAttribute {
            name: NAME,
            why: "it is not a number",
        });
    }
    // More digits than a u64 holds is a legal number, and as good as no bound.
    Ok(Some(value.parse().unwrap_or(u64::MAX)))
}

fn direction(section: Section<'_>) -> Result<Direction, SdpError> {
    let lines = [&section.media.attributes, &section.session.attributes];
    for level in lines {
        let mut found = level
            .iter()
            .filter_map(|line| Direction::from_name(&line.attribute));
        if let Some(first) = found.next() {
            return if found.all(|other| other == first) {
                Ok(first)
            } else {
                Err(SdpError::BadAttribute {
                    name: first.name(),
                    why: "another direction contradicts it",
                })
            };
        }
    }
    Ok(Direction::SendRecv)
}

fn setup(section: Section<'_>) -> Result<Option<Setup>, SdpError> {
    const NAME: &str = "setup";
    let Some(value) = section.only_inherited(NAME)? else {
        return Ok(None);
    };
    match Setup::from_token(value) {
        None => Err(SdpError::BadAttribute {
            name: NAME,
            why: "it is not active, passive or actpass",
        }),
        // RFC 6135 s.4.2.1: as if the attribute were not there.
        Some(Setup::HoldConn) => Ok(None),
        Some(setup) => Ok(Some(setup)),
    }
}

fn chatroom(section: Section<'_>) -> Result<Option<Vec<String>>, SdpError> {
    let Some(value) = section.only("chatroom")? else {
        return Ok(None);
    };
    let mut tokens: Vec<String> = Vec::new();
    for token in value.split_ascii_whitespace() {
        if tokens.iter().any(|known| known.eq_ignore_ascii_case(token)) {
            continue;
        }
        if tokens.len() >= CHAT_TOKENS_MAX {
            return Err(SdpError::TooLarge {
                what: "chatroom tokens",
                max: CHAT_TOKENS_MAX,
            });
        }
        tokens.push(token.to_owned());
    }
    Ok(Some(tokens))
}

/// The fingerprint to check a certificate against. Broken lines matter only where TLS is used.
fn fingerprint(section: Section<'_>, protocol: Protocol) -> Result<Option<String>, SdpError> {
    const NAME: &str = "fingerprint";
    let in_section: Vec<_> = section.lines(NAME).collect();
    let in_session = || {
        section
            .session
            .attributes
            .iter()
            .filter(|line| line.attribute.eq_ignore_ascii_case(NAME))
    };
    let lines = if in_section.is_empty() {
        in_session().collect()
    } else {
        in_section
    };
    let values = || {
        lines
            .iter()
            .map(|line| line.value.as_deref().unwrap_or_default().trim())
    };
    if protocol == Protocol::TcpTlsMsrp && !values().all(is_fingerprint) {
        return Err(SdpError::BadAttribute {
            name: NAME,
            why: "it is not a hash function and octets in hexadecimal",
        });
    }
    let is_sha256 = |value: &&str| {
        value
            .get(..8)
            .is_some_and(|start| start.eq_ignore_ascii_case("sha-256 "))
    };
    let good = || values().filter(|value| is_fingerprint(value));
    Ok(good()
        .find(is_sha256)
        .or_else(|| good().next())
        .map(str::to_owned))
}

/// Whether the text is a hash function, a space, and octets as two hexadecimal digits with colons between them.
fn is_fingerprint(value: &str) -> bool {
    let is_octet =
        |octet: &str| octet.len() == 2 && octet.bytes().all(|digit| digit.is_ascii_hexdigit());
    value.split_once(' ').is_some_and(|(function, octets)| {
        format_list::is_token(function) && octets.split(':').all(is_octet)
    })
}
