//! What we write: offers, answers, and what we support.

use std::{fmt, net::IpAddr};

use msrp_wire::MsrpUriBuf;
use sdp_types::{AddrType, Attribute, Connection, Media, NetType, Origin, Session, Time};

use crate::{
    Description, Direction, MessageMedia, Protocol, Setup, answer_setup, attribute, format_list,
    joining::written, path::Authority,
};

/// Our side of one MSRP session, from which descriptions are composed.
///
/// Equal values give equal text, so a refresh that changes nothing repeats the same `o=` line. After a change the caller
/// raises `session_version` by one.
///
/// No value can add a line: control characters are dropped, and entries that are not tokens are left out.
/// `Debug` shows no URI: the session id in a path is a secret.
///
/// # Spec
/// RFC 4975 s.8, RFC 6135 s.4.2, RFC 6714 s.4.2 and s.4.3, RFC 7701 s.8.
#[derive(Clone, PartialEq, Eq)]
pub struct Local {
    /// Host and port of our listener. The host stands in the `o=` line, and in the `c=` line of
    /// [`supported`](Self::supported). The port counts when `path` names none.
    pub address: (String, u16),
    /// Our URI, made for this session only. Its host and port stand in the `c=` and `m=` lines.
    pub path: MsrpUriBuf,
    /// The protocol; the scheme of `path` has to agree with it.
    pub protocol: Protocol,
    /// Media types that we take alone and inside containers. `*` is written when it has no legal entry.
    pub accept_types: Vec<String>,
    /// Media types that we take inside containers only. The attribute is left out when it has no legal entry.
    pub accept_wrapped_types: Vec<String>,
    /// The largest message that we take, in octets.
    pub max_size: Option<u64>,
    /// Who may send, seen from us.
    pub direction: Direction,
    /// The role that we want. What is written follows RFC 6135: see [`setup_for_offer`](Self::setup_for_offer) and
    /// [`setup_for_answer`](Self::setup_for_answer).
    pub setup: Setup,
    /// The chat room functions that we support and allow. `None` leaves the attribute out.
    pub chatroom: Option<Vec<String>>,
    /// Whether we announce msrp-cema.
    pub cema: bool,
    /// Further attribute lines, for example those of [`MessageMedia::copyable_attributes`]. Lines that are written from the
    /// other values (path, setup, the directions and so on) are left out.
    pub attributes: Vec<(String, Option<String>)>,
    /// The session id of the `o=` line.
    pub session_id: u64,
    /// The version in the `o=` line.
    pub session_version: u64,
}

impl Local {
    /// A side with the usual values: takes everything, sends and receives, `actpass`, no chat room, no msrp-cema, version 1.
    /// The protocol follows the scheme of `path`.
    #[must_use]
    pub fn new(address: (String, u16), path: MsrpUriBuf, session_id: u64) -> Self {
        let is_secure = Authority::of(&path).is_secure;
        Self {
            address,
            path,
            protocol: if is_secure {
                Protocol::TcpTlsMsrp
            } else {
                Protocol::TcpMsrp
            },
            accept_types: vec![ANY_TYPE.to_owned()],
            accept_wrapped_types: Vec::new(),
            max_size: None,
            direction: Direction::SendRecv,
            setup: Setup::ActPass,
            chatroom: None,
            cema: false,
            attributes: Vec::new(),
            session_id,
            session_version: 1,
        }
    }

    /// An offer with one media section.
    ///
    /// # Spec
    /// RFC 4975 s.8, RFC 6135 s.4.2.2; UPS-7.2.3-01.
    #[must_use]
    pub fn offer(&self) -> String {
        self.compose(vec![self.offered_section()])
    }

    /// An offer inside a session that has been negotiated: one section for each section that the peer knows, ours at the
    /// place of `media`, the others with port 0. A section must never vanish from a later offer.
    ///
    /// # Spec
    /// RFC 3264 s.8, RFC 4975 s.8.4.
    #[must_use]
    pub fn offer_again(&self, peer: &Description, media: &MessageMedia) -> String {
        let sections = peer.session.medias.iter().enumerate();
        let section = |(index, theirs)| {
            if index == media.index {
                self.offered_section()
            } else {
                refused(theirs)
            }
        };
        self.compose(sections.map(section).collect())
    }

    /// The answer that accepts one media section and refuses the others with port 0. All sections keep their order, their
    /// protocol and their formats.
    ///
    /// `media` comes from `offer`. When its protocol is not ours, it is refused as well: look first.
    ///
    /// # Spec
    /// RFC 3264 s.6, RFC 4975 s.8.1, RFC 6135 s.4.2.2, RFC 6714 s.4.3.
    #[must_use]
    pub fn answer(&self, offer: &Description, media: &MessageMedia) -> String {
        self.answer_all(offer, &[(self, media)])
    }

    /// The answer that accepts several media sections, each with a session of its own; the others are refused with port 0.
    /// The lines before the first section come from `self`.
    #[must_use]
    pub fn answer_all(&self, offer: &Description, accepted: &[(&Self, &MessageMedia)]) -> String {
        let sections = offer
            .session
            .medias
            .iter()
            .enumerate()
            .map(|(index, theirs)| {
                let ours = accepted.iter().find(|(local, media)| {
                    media.index == index && media.protocol == local.protocol
                });
                ours.map_or_else(
                    || refused(theirs),
                    |(local, media)| local.answered_section(media),
                )
            });
        self.compose(sections.collect())
    }

    /// The answer that refuses every media section, for an offer that ends the media and keeps the dialog.
    #[must_use]
    pub fn answer_none(&self, offer: &Description) -> String {
        self.answer_all(offer, &[])
    }

    /// What we support, for the body of a 488: the section with port 0, media types and the largest message, without a path.
    ///
    /// # Spec
    /// AMB-71, RFC 3264 s.9.
    #[must_use]
    pub fn supported(&self) -> String {
        self.compose(vec![self.section(0, self.content_attributes())])
    }

    /// Our URI as the peer sees it: always with a port.
    ///
    /// # Spec
    /// RFC 4975 s.8.2; MSRP-4975-8.2-02.
    #[must_use]
    pub fn session_uri(&self) -> MsrpUriBuf {
        let uri = self.path.as_uri();
        if uri.port().is_some() {
            return self.path.clone();
        }
        let session_id = uri.session_id().and_then(|id| std::str::from_utf8(id).ok());
        let port = Some(self.address.1);
        let with_port =
            MsrpUriBuf::compose(uri.scheme(), uri.host(), port, session_id, uri.transport());
        with_port.unwrap_or_else(|_| self.path.clone())
    }

    /// The role that our offers have: `active` when we want it, otherwise `actpass`. Never `passive` or `holdconn`.
    ///
    /// # Spec
    /// RFC 6135 s.4.2.2.
    #[must_use]
    pub fn setup_for_offer(&self) -> Setup {
        match self.setup {
            Setup::Active => Setup::Active,
            Setup::ActPass | Setup::Passive | Setup::HoldConn => Setup::ActPass,
        }
    }

    /// The role that our answer has: [`answer_setup`], except that an offer of `actpass` leaves us the choice of `active`.
    ///
    /// # Spec
    /// RFC 6135 s.4.2.2, AMB-66.
    #[must_use]
    pub fn setup_for_answer(&self, offered: Option<Setup>) -> Setup {
        let is_our_choice = offered == Some(Setup::ActPass);
        if is_our_choice && self.setup == Setup::Active {
            Setup::Active
        } else {
            answer_setup(offered)
        }
    }

    /// Whether our answer announces msrp-cema: we want it, the offer has it, and no relay of the peer has to connect.
    ///
    /// # Spec
    /// RFC 6714 s.4.3.
    #[must_use]
    pub fn cema_for_answer(&self, media: &MessageMedia) -> bool {
        let relay_connects =
            media.uses_relay() && self.setup_for_answer(media.setup) == Setup::Passive;
        self.cema && media.cema && !relay_connects
    }

    fn offered_section(&self) -> Media {
        self.accepted_section(self.setup_for_offer(), self.direction, self.cema)
    }

    /// The direction stays within what the offer allows: RFC 3264 s.6.1.
    fn answered_section(&self, media: &MessageMedia) -> Media {
        let direction = self.direction.within(media.direction.reverse());
        self.accepted_section(
            self.setup_for_answer(media.setup),
            direction,
            self.cema_for_answer(media),
        )
    }

    fn accepted_section(&self, setup: Setup, direction: Direction, cema: bool) -> Media {
        let uri = self.session_uri();
        let mut lines = self.content_attributes();
        lines.push(Attribute::with_value("path", &uri));
        lines.push(Attribute::with_value("setup", setup.token()));
        if direction != Direction::SendRecv {
            lines.push(Attribute::new(direction.name()));
        }
        lines.extend(self.chatroom.as_deref().map(chatroom));
        if cema {
            lines.push(Attribute::new("msrp-cema"));
        }
        let further = self.attributes.iter();
        lines.extend(
            further.filter_map(|(name, value)| attribute::to_write(name, value.as_deref())),
        );
        self.section(uri.as_uri().port().unwrap_or(self.address.1), lines)
    }

    /// The lines about what we take.
    fn content_attributes(&self) -> Vec<Attribute> {
        let list = |types: &[String]| {
            types
                .iter()
                .map(String::as_str)
                .filter(|entry| format_list::is_entry(entry))
                .collect::<Vec<_>>()
                .join(" ")
        };
        let (types, wrapped) = (list(&self.accept_types), list(&self.accept_wrapped_types));
        let types = if types.is_empty() {
            ANY_TYPE
        } else {
            types.as_str()
        };
        let mut lines = vec![Attribute::with_value("accept-types", types)];
        if !wrapped.is_empty() {
            lines.push(Attribute::with_value("accept-wrapped-types", wrapped));
        }
        lines.extend(
            self.max_size
                .map(|octets| Attribute::with_value("max-size", octets)),
        );
        lines
    }

    /// A section with its own `c=` line.
    fn section(&self, port: u16, attributes: Vec<Attribute>) -> Media {
        let host = if port == 0 {
            self.origin_host()
        } else {
            Authority::of(&self.path).host
        };
        Media {
            connections: vec![connection(&host)],
            attributes,
            ..media("message", port, self.protocol.token(), "*")
        }
    }

    /// Puts the lines before the first section, and moves the `c=` line there. A section keeps its own where it differs.
    fn compose(&self, mut sections: Vec<Media>) -> String {
        let host = self.origin_host();
        let origin = Origin::new(
            self.session_id,
            self.session_version,
            NetType::In,
            address_type(&host),
            &host,
        );
        let shared = sections
            .iter()
            .find_map(|section| section.connections.first().cloned());
        let shared = shared.unwrap_or_else(|| connection(&host));
        for section in &mut sections {
            section.connections.retain(|own| *own != shared);
        }
        let mut session = Session::new(origin, "-");
        session.connection = Some(shared);
        session.times.push(Time::new(0, 0));
        session.medias = sections;
        written(&session)
    }

    /// The host of the `o=` line: that of the listener, otherwise that of the path.
    fn origin_host(&self) -> String {
        let host = self.address.0.trim_start_matches('[').trim_end_matches(']');
        let is_name = !host.is_empty()
            && host
                .bytes()
                .all(|octet| octet.is_ascii_alphanumeric() || b".-_".contains(&octet));
        if is_name || host.parse::<IpAddr>().is_ok() {
            host.to_owned()
        } else {
            Authority::of(&self.path).host
        }
    }
}

impl fmt::Debug for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Local")
            .field("address", &self.address)
            .field("protocol", &self.protocol)
            .field("accept_types", &self.accept_types)
            .field("accept_wrapped_types", &self.accept_wrapped_types)
            .field("max_size", &self.max_size)
            .field("direction", &self.direction)
            .field("setup", &self.setup)
            .field("chatroom", &self.chatroom)
            .field("cema", &self.cema)
            .field("session_version", &self.session_version)
            .finish_non_exhaustive()
    }
}

/// The entry that allows every media type.
const ANY_TYPE: &str = "*";

/// The section with port 0 that refuses a section of the peer.
fn refused(theirs: &Media) -> Media {
    media(&theirs.media, 0, &theirs.proto, &theirs.fmt)
}

fn media(media: &str, port: u16, proto: &str, fmt: &str) -> Media {
    Media {
        media: media.to_owned(),
        port,
        num_ports: None,
        proto: proto.to_owned(),
        fmt: fmt.to_owned(),
        media_title: None,
        connections: Vec::new(),
        bandwidths: Vec::new(),
        key: None,
        attributes: Vec::new(),
    }
}

/// The chatroom line: every token once, and only tokens.
fn chatroom(tokens: &[String]) -> Attribute {
    let mut unique: Vec<&str> = Vec::new();
    for token in tokens {
        if format_list::is_token(token)
            && !unique.iter().any(|known| known.eq_ignore_ascii_case(token))
        {
            unique.push(token);
        }
    }
    if unique.is_empty() {
        Attribute::new("chatroom")
    } else {
        Attribute::with_value("chatroom", unique.join(" "))
    }
}

fn connection(host: &str) -> Connection {
    Connection::new(NetType::In, address_type(host), host)
}

/// `IP6` for an IPv6 address, otherwise `IP4`: names are written so in RFC 4975 s.8.7.
fn address_type(host: &str) -> AddrType {
    match host.parse() {
        Ok(IpAddr::V6(_)) => AddrType::Ip6,
        Ok(IpAddr::V4(_)) | Err(_) => AddrType::Ip4,
    }
}
