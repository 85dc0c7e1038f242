//! Between session descriptions and the shards: offers read, answers written, session ids drawn.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use msrp_control::{
    ControlError, ErrorCode, LocalMedia, Media, ParticipantConfig, ParticipantId, ReplySender,
    RoomId,
};
use msrp_sdp::{
    Anchor, Description, Direction, Local, MediaTransport, MessageMedia, Protocol, SdpError, Setup,
    offerer_connects,
};
use msrp_switch::{Acceptance, FINAL_REPORT_TYPE, LegSpec};
use msrp_transport::{CertificateStore, Connector, Fingerprint};
use msrp_wire::{Host, MessageId, MsrpPathBuf, MsrpUriBuf};

use super::chat_functions::ChatFunctions;
use super::doors::Kept;
use super::participant_of;
use crate::config::ListenerConfig;
use crate::mailbox::{Destination, NamedHost, NewSession, OfferedAgain, PeerMedia};
use crate::source::Source;

/// The addresses under which sessions are offered to peers, one for each listener.
pub(super) struct Advertised {
    /// At least one.
    addresses: Vec<Address>,
    /// The addresses that are really bound; the engine never connects to itself.
    bound: Vec<SocketAddr>,
}

/// One of them.
pub(super) struct Address {
    /// Its place among all.
    pub(super) index: usize,
    name: String,
    kind_name: &'static str,
    host: String,
    port: u16,
    pub(super) kind: MediaTransport,
    certificate: Option<Arc<CertificateStore>>,
    /// What connections of ours are begun with where this listener is over TLS.
    connector: Option<Connector>,
    /// Where session-ids come from.
    source: Source,
}

/// The parts of a command to add a participant.
pub(super) struct Request {
    pub(super) room: RoomId,
    pub(super) participant: ParticipantId,
    pub(super) config: ParticipantConfig,
    pub(super) media: Media,
    pub(super) local: LocalMedia,
    /// What the room's rules allow.
    pub(super) chat: ChatFunctions,
}

impl Advertised {
    /// The listeners, where they are bound, and their certificates.
    pub(super) fn new(
        listeners: &[ListenerConfig],
        bound: &[(String, SocketAddr)],
        certificates: &[Option<Kept>],
        source: &Source,
    ) -> Self {
        let listener = |(index, listener): (usize, &ListenerConfig)| {
            let (_, bound) = bound.get(index)?;
            let kept = certificates.get(index)?;
            let own = || (bound.ip().to_string(), 0);
            let (host, port) = listener.advertise.clone().unwrap_or_else(own);
            Some(Address {
                index,
                name: listener.name.clone(),
                kind_name: listener.transport.as_str(),
                host,
                port: if port == 0 { bound.port() } else { port },
                kind: listener.transport.media_transport(),
                certificate: kept.as_ref().map(|kept| Arc::clone(&kept.store)),
                connector: kept.as_ref().map(Kept::connector),
                source: source.clone(),
            })
        };
        Self {
            addresses: listeners.iter().enumerate().filter_map(listener).collect(),
            bound: bound.iter().map(|(_, address)| *address).collect(),
        }
    }

    /// The listener for a peer that is reached in this way: one of its address family where there is one.
    fn for_peer(&self, media: &MessageMedia) -> Result<&Address, ControlError> {
        let kind = MediaTransport::of(media);
        let is_v6 = |host: &str| host.parse::<IpAddr>().ok().map(|ip| ip.is_ipv6());
        let family = is_v6(&media.connect_address(false).0);
        let mut fitting = self.addresses.iter().filter(|own| own.kind == kind);
        let nearest = fitting
            .clone()
            .find(|own| family.is_some() && is_v6(&own.host) == family);
        nearest.or_else(|| fitting.next()).ok_or_else(|| {
            let detail =
                format!("the participant is reached over {kind}, and no listener serves that");
            ControlError::new(ErrorCode::NotAcceptable, detail)
        })
    }

    /// The listener at this place.
    pub(super) fn at(&self, index: usize) -> Result<&Address, ControlError> {
        self.addresses.get(index).ok_or_else(|| {
            ControlError::new(ErrorCode::Unavailable, "no MSRP listener is configured")
        })
    }

    /// The first listener of a kind.
    pub(super) fn of_kind(&self, kind: MediaTransport) -> Option<&Address> {
        self.addresses.iter().find(|own| own.kind == kind)
    }

    /// The listener that a controller chose by its name or its kind; the first one when it chose none.
    pub(super) fn chosen(&self, listener: Option<&str>) -> Result<&Address, ControlError> {
        let Some(wanted) = listener else {
            return self.at(0);
        };
        let by_name = self.addresses.iter().find(|own| own.name == wanted);
        let by_kind = || self.addresses.iter().find(|own| own.kind_name == wanted);
        by_name.or_else(by_kind).ok_or_else(|| {
            let detail = format!(
                "no listener is named {wanted} or of that kind; there are {}",
                self.names()
            );
            ControlError::new(ErrorCode::NotAcceptable, detail)
        })
    }

    fn names(&self) -> String {
        let names = self.addresses.iter().map(|own| own.name.as_str());
        names.collect::<Vec<_>>().join(", ")
    }

    /// The listener for a peer whose offer is this: the one that the controller chose, if it fits.
    pub(super) fn chosen_for_peer(
        &self,
        listener: Option<&str>,
        media: &MessageMedia,
    ) -> Result<&Address, ControlError> {
        if listener.is_none() {
            return self.for_peer(media);
        }
        let chosen = self.chosen(listener)?;
        let kind = MediaTransport::of(media);
        if chosen.kind == kind {
            return Ok(chosen);
        }
        let detail = format!("the participant is reached over {kind}, and the listener is not");
        Err(ControlError::new(ErrorCode::NotAcceptable, detail))
    }

    /// Makes the session of a new participant, with our description of it.
    pub(super) fn new_session(
        &self,
        homes: Homes,
        request: Request,
        message_octets_max: u64,
        reply: ReplySender,
    ) -> Result<Box<NewSession>, (ReplySender, ControlError)> {
        match self.compose(homes, &request, message_octets_max) {
            Ok((spec, local, peer, sdp)) => Ok(Box::new(NewSession {
                room: request.room,
                participant: request.participant,
                spec,
                peer,
                local,
                sdp,
                charging: request.config.charging,
                reply,
            })),
            Err(error) => Err((reply, error)),
        }
    }

    fn compose(
        &self,
        homes: Homes,
        request: &Request,
        message_octets_max: u64,
    ) -> Result<(LegSpec, Local, Option<PeerMedia>, String), ControlError> {
        let participant = participant_of(&request.config)?;
        let describe = |address: &Address| {
            let mut local = address.local(homes, &request.local, message_octets_max)?;
            local.chatroom = Some(request.chat.tokens());
            Ok::<_, ControlError>(local)
        };
        let (local, peer, sdp) = match &request.media {
            Media::MakeOffer => {
                let local = describe(self.chosen(request.local.listener.as_deref())?)?;
                let offer = local.offer();
                (local, None, offer)
            }
            Media::Offer(offer) => {
                let description = Description::parse(offer).map_err(|e| sdp_error(&e))?;
                let media = description.message_media().map_err(|e| sdp_error(&e))?;
                let chosen = request.local.listener.as_deref();
                let local = describe(self.chosen_for_peer(chosen, &media)?)?;
                let is_ours = local.setup_for_answer(media.setup) == Setup::Active;
                let peer = self.peer(&media, Reach::by_path(is_ours))?;
                if let Some(Err(error)) = &peer.connect {
                    return Err(error.clone());
                }
                let answer = local.answer(&description, &media);
                (local, Some(peer), answer)
            }
        };
        let spec = LegSpec {
            participant,
            acceptance: Acceptance::everything(),
            // Who answers our offer may send on a connection of another session before its answer
            // has come to us.
            may_send: true,
            // Before that nothing is sent to it, but something may be kept.
            may_receive: local.direction.may_send(),
        };
        Ok((spec, local, peer, sdp))
    }

    /// Reads what a session shall be changed to: our side, and the participant's offer when it
    /// made one.
    pub(super) fn reoffer(
        &self,
        (homes, chat): (Homes, ChatFunctions),
        media: &Media,
        wanted: &LocalMedia,
        message_octets_max: u64,
    ) -> Result<(Local, Option<OfferedAgain>), ControlError> {
        let describe = |address: &Address| {
            let mut local = address.local(homes, wanted, message_octets_max)?;
            local.chatroom = Some(chat.tokens());
            Ok::<_, ControlError>(local)
        };
        let (local, offer) = match media {
            Media::MakeOffer => (describe(self.chosen(wanted.listener.as_deref())?)?, None),
            Media::Offer(offer) => {
                let description = Description::parse(offer).map_err(|e| sdp_error(&e))?;
                let media = description.message_media().map_err(|e| sdp_error(&e))?;
                let chosen = wanted.listener.as_deref();
                let local = describe(self.chosen_for_peer(chosen, &media)?)?;
                let is_ours = local.setup_for_answer(media.setup) == Setup::Active;
                let peer = self.peer(&media, Reach::by_path(is_ours))?;
                let offer = OfferedAgain {
                    description,
                    media,
                    peer,
                };
                (local, Some(offer))
            }
        };
        Ok((local, offer))
    }

    /// Reads the answer to an offer of ours.
    pub(super) fn read_answer(&self, sdp: &str) -> Result<PeerMedia, ControlError> {
        let description = Description::parse(sdp).map_err(|e| sdp_error(&e))?;
        let media = description.message_media().map_err(|e| sdp_error(&e))?;
        self.peer(&media, Reach::by_path(offerer_connects(media.setup)))
    }

    pub(super) fn peer(
        &self,
        media: &MessageMedia,
        reach: Reach,
    ) -> Result<PeerMedia, ControlError> {
        let path = MsrpPathBuf::join(media.path.iter().map(MsrpUriBuf::as_uri));
        let path = path.map_err(|_| malformed("the path attribute holds no MSRP URI"))?;
        let acceptance = Acceptance::new(
            &media.accept_types,
            &media.accept_wrapped_types,
            media.max_size,
        );
        let acceptance = acceptance.map_err(|_| malformed("accept-types holds no media type"))?;
        let connect = match reach {
            Reach::Waits => None,
            Reach::Path => Some(self.destination(media, false)),
            Reach::ConnectionLine => Some(self.destination(media, true)),
        };
        Ok(PeerMedia {
            path,
            acceptance: acceptance.with_private_messages(media.supports_private_messages()),
            may_send: media.direction.may_send(),
            may_receive: media.direction.may_receive(),
            fingerprint: fingerprint_of(media)?,
            is_secure: MediaTransport::of(media).is_secure(),
            connect,
        })
    }

    /// Where to connect to, over what the peer asks for. To an address, TLS says its first words here, on the caller's
    /// thread.
    fn destination(
        &self,
        media: &MessageMedia,
        by_connection_line: bool,
    ) -> Result<Destination, ControlError> {
        let (host, port) = connect_address(media, by_connection_line)?;
        let fingerprint = fingerprint_of(media)?;
        let connector = self.for_peer(media)?.connector.as_ref();
        let Ok(ip) = host.parse() else {
            let tls = connector.map(|connector| (connector.clone(), fingerprint));
            let name = NamedHost {
                name: host,
                port,
                tls,
            };
            return Ok(Destination::Name(Box::new(name)));
        };
        let address = SocketAddr::new(ip, port);
        if !may_connect(address, &self.bound) {
            let detail = "the path names an address that nobody can be reached at";
            return Err(ControlError::new(ErrorCode::NotAcceptable, detail));
        }
        let layer = connector.map(|connector| connector.connect(&host, fingerprint));
        let layer = layer
            .transpose()
            .map_err(|error| ControlError::new(ErrorCode::NotAcceptable, error.to_string()))?;
        Ok(Destination::Address(address, layer))
    }
}

/// Whether an address is a peer's: one host's, and not bound by us.
pub(crate) fn may_connect(address: SocketAddr, bound: &[SocketAddr]) -> bool {
    let ip = address.ip();
    !ip.is_unspecified() && !ip.is_multicast() && address.port() != 0 && !bound.contains(&address)
}

/// The host, without brackets, and the port to connect to.
fn connect_address(
    media: &MessageMedia,
    by_connection_line: bool,
) -> Result<(String, u16), ControlError> {
    if MediaTransport::of(media).is_websocket() {
        let detail = "the participant would have to be connected to over WebSocket; it has to \
            connect itself (a=setup:active)";
        return Err(ControlError::new(ErrorCode::NotAcceptable, detail));
    }
    Ok(media.connect_address(by_connection_line))
}

impl Address {
    fn local(
        &self,
        homes: Homes,
        wanted: &LocalMedia,
        message_octets_max: u64,
    ) -> Result<Local, ControlError> {
        let own = self.uri(homes)?;
        // The o= line identifies the description; it must not tell anything of the session id.
        let origin = self.source.bits().map_err(no_chance)? >> 66;
        let address = (self.host.clone(), self.port);
        let mut local = Local::new(address, own, u64::try_from(origin).unwrap_or(1));
        local.accept_types = accept_types(wanted.accept_types.as_deref());
        local.accept_wrapped_types = wanted
            .accept_wrapped_types
            .clone()
            .unwrap_or_else(|| vec!["*".to_owned()]);
        local.max_size = Some(
            wanted
                .max_size
                .map_or(message_octets_max, |m| m.min(message_octets_max)),
        );
        let mut names = wanted.attributes.iter().map(|(name, _)| name);
        if let Some(direction) = names.find_map(|name| Direction::from_name(name)) {
            local.direction = direction;
        }
        local.attributes.clone_from(&wanted.attributes);
        if let Some(store) = &self.certificate {
            let value = store.for_host(&self.host).fingerprint();
            local
                .attributes
                .push(("fingerprint".to_owned(), Some(value)));
        }
        Ok(local)
    }

    /// A URI of ours for one session.
    pub(super) fn uri(&self, homes: Homes) -> Result<MsrpUriBuf, ControlError> {
        let session_id = homes.session_id(self.source.bits().map_err(no_chance)?);
        let host = match self.host.parse::<IpAddr>() {
            Ok(IpAddr::V4(ip)) => Host::V4(ip),
            Ok(IpAddr::V6(ip)) => Host::V6(ip),
            Err(_) => Host::Name(&self.host),
        };
        let (scheme, transport) = self.kind.uri_parts();
        MsrpUriBuf::compose(scheme, host, Some(self.port), Some(&session_id), transport).map_err(
            |_| {
                ControlError::new(
                    ErrorCode::Unavailable,
                    "the advertised host is not a host name",
                )
            },
        )
    }

    /// Us in the MSRP section of a description that passes through.
    pub(super) fn anchor(&self, path: MsrpUriBuf, setup: Setup, cema: bool) -> Anchor {
        let certificate = self.certificate.as_ref();
        Anchor {
            path,
            protocol: if self.kind.is_secure() {
                Protocol::TcpTlsMsrp
            } else {
                Protocol::TcpMsrp
            },
            setup,
            cema,
            fingerprint: certificate.map(|store| store.current().fingerprint()),
            replaces_origin: false,
        }
    }
}

/// Who opens the connection to a peer, and where to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// The peer does.
    Waits,
    /// We do, to the first URI of its path.
    Path,
    /// We do, to the address in its `c=` and `m=` lines (RFC 6714).
    ConnectionLine,
}

impl Reach {
    fn by_path(is_ours: bool) -> Self {
        if is_ours { Self::Path } else { Self::Waits }
    }
}

/// The fingerprint that the peer's certificate has to have. That of a peer behind a relay is not
/// the one of the connection.
fn fingerprint_of(media: &MessageMedia) -> Result<Option<Fingerprint>, ControlError> {
    let is_ours_to_check = media.protocol == Protocol::TcpTlsMsrp && media.path.len() == 1;
    let Some(value) = media.fingerprint.as_ref().filter(|_| is_ours_to_check) else {
        return Ok(None);
    };
    let fingerprint = Fingerprint::parse(value).ok_or_else(|| {
        let detail = "the fingerprint is of a hash function that is not known; use sha-256";
        ControlError::new(ErrorCode::NotAcceptable, detail)
    })?;
    Ok(Some(fingerprint))
}

/// `message/cpim` first, then the type of final reports (AMB-01), then what the controller wants.
fn accept_types(wanted: Option<&[String]>) -> Vec<String> {
    let own = ["message/cpim", FINAL_REPORT_TYPE];
    let is_own = |token: &String| own.iter().any(|own| token.eq_ignore_ascii_case(own));
    let others = wanted.unwrap_or_default().iter();
    let others = others.filter(|token| !is_own(token)).cloned();
    own.map(str::to_owned).into_iter().chain(others).collect()
}

/// The shards that a session belongs to. Its session-id names both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Homes {
    /// The shard that its connection goes to when the connection names this session first.
    pub(crate) carrier: usize,
    /// The shard that has its room.
    pub(crate) home: usize,
}

impl Homes {
    /// Two hexadecimal digits for each shard, then 128 random bits.
    fn session_id(self, bits: u128) -> String {
        let random = MessageId::from_random(bits);
        format!("{}{}", self.prefix(), random.as_str())
    }

    /// What session-ids of these shards begin with.
    pub(super) fn prefix(self) -> String {
        let Self { carrier, home } = self;
        format!("{carrier:02x}{home:02x}")
    }

    /// The shards that a session-id names.
    pub(crate) fn of_session_id(session_id: &[u8]) -> Option<Self> {
        let number = |digits: &[u8]| {
            let digits = std::str::from_utf8(digits).ok()?;
            usize::from_str_radix(digits, 16).ok()
        };
        let (carrier, home) = session_id.get(..4)?.split_at(2);
        Some(Self {
            carrier: number(carrier)?,
            home: number(home)?,
        })
    }
}

fn no_chance(_error: std::io::Error) -> ControlError {
    ControlError::new(
        ErrorCode::Unavailable,
        "the operating system gives no random numbers",
    )
}

pub(super) fn sdp_error(error: &SdpError) -> ControlError {
    let code = if error.is_malformed() {
        ErrorCode::MalformedSdp
    } else {
        ErrorCode::NotAcceptable
    };
    ControlError::new(code, error.to_string())
}

fn malformed(detail: &str) -> ControlError {
    ControlError::new(ErrorCode::MalformedSdp, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    // covers: MSRP-7701-5.2-02
    #[test]
    fn accept_types_name_the_wrapper_and_final_reports_first_and_once() {
        let own = ["message/cpim", FINAL_REPORT_TYPE];
        assert_eq!(accept_types(None), own);
        let wanted = [FINAL_REPORT_TYPE, "Message/CPIM", "text/plain"].map(str::to_owned);
        assert_eq!(
            accept_types(Some(&wanted)),
            [&own[..], &["text/plain"]].concat()
        );
    }

    // covers: MSRP-4975-14.1-01, MSRP-4975-8.2-05
    #[test]
    fn session_id_shows_every_random_bit() {
        let homes = Homes {
            carrier: 3,
            home: 3,
        };
        let ids: std::collections::HashSet<String> =
            (0..128).map(|bit| homes.session_id(1 << bit)).collect();
        assert_eq!(ids.len(), 128);
        let source = Source::system();
        assert_ne!(source.bits().unwrap(), source.bits().unwrap());
    }

    #[test]
    fn session_id_names_its_shards() {
        for (carrier, home) in [(0, 0), (1, 0), (17, 1), (255, 254)] {
            let homes = Homes { carrier, home };
            let id = homes.session_id(u128::MAX / 3);
            assert_eq!(Homes::of_session_id(id.as_bytes()), Some(homes));
        }
        assert_eq!(Homes::of_session_id(b"00z"), None);
        assert_eq!(Homes::of_session_id(b"00zz1234"), None);
    }
}
