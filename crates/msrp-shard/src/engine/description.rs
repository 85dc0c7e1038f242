//! Between session descriptions and the shards: offers read, answers written, session ids drawn.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use msrp_control::{
    ControlError, ErrorCode, LocalMedia, Media, ParticipantConfig, ParticipantId, ReplySender,
    RoomId,
};
use msrp_sdp::{
    Description, Local, MediaTransport, MessageMedia, Protocol, SdpError, Setup, offerer_connects,
};
use msrp_switch::{Acceptance, FINAL_REPORT_TYPE, LegSpec};
use msrp_transport::{CertificateStore, Connector, Fingerprint};
use msrp_wire::{Host, MessageId, MsrpPathBuf, MsrpUriBuf};
use rand_core::{OsRng, TryRngCore};

use super::chat_functions::ChatFunctions;
use super::doors::Kept;
use super::participant_of;
use crate::config::ListenerConfig;
use crate::mailbox::{Destination, NewSession, OfferedAgain, PeerMedia};

/// The addresses under which sessions are offered to peers, one for each listener.
pub(super) struct Advertised {
    /// At least one.
    addresses: Vec<Address>,
}

/// One of them.
struct Address {
    host: String,
    port: u16,
    /// The address that is really bound; the engine never connects to itself.
    bound: SocketAddr,
    kind: MediaTransport,
    certificate: Option<Arc<CertificateStore>>,
    /// What connections of ours are begun with where this listener is over TLS.
    connector: Option<Connector>,
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
    ) -> Self {
        let address = |((listener, (_, bound)), kept): (
            (&ListenerConfig, &(String, SocketAddr)),
            &Option<Kept>,
        )| {
            let own = || (bound.ip().to_string(), 0);
            let (host, port) = listener.advertise.clone().unwrap_or_else(own);
            Address {
                host,
                port: if port == 0 { bound.port() } else { port },
                bound: *bound,
                kind: listener.transport.media_transport(),
                certificate: kept.as_ref().map(|kept| Arc::clone(&kept.store)),
                connector: kept.as_ref().map(Kept::connector),
            }
        };
        Self {
            addresses: listeners
                .iter()
                .zip(bound)
                .zip(certificates)
                .map(address)
                .collect(),
        }
    }

    /// The listener for a peer that is reached in this way.
    fn for_peer(&self, media: &MessageMedia) -> Result<&Address, ControlError> {
        let kind = MediaTransport::of(media);
        let fitting = self.addresses.iter().find(|address| address.kind == kind);
        fitting.ok_or_else(|| {
            let detail =
                format!("the participant is reached over {kind}, and no listener serves that");
            ControlError::new(ErrorCode::NotAcceptable, detail)
        })
    }

    /// The listener for a peer of which nothing is known.
    fn default(&self) -> Result<&Address, ControlError> {
        self.addresses.first().ok_or_else(|| {
            ControlError::new(ErrorCode::Unavailable, "no MSRP listener is configured")
        })
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
                let local = describe(self.default()?)?;
                let offer = local.offer();
                (local, None, offer)
            }
            Media::Offer(offer) => {
                let description = Description::parse(offer).map_err(|e| sdp_error(&e))?;
                let media = description.message_media().map_err(|e| sdp_error(&e))?;
                let local = describe(self.for_peer(&media)?)?;
                let is_ours = local.setup_for_answer(media.setup) == Setup::Active;
                let peer = self.peer(&media, is_ours)?;
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
            may_receive: false,
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
            Media::MakeOffer => (describe(self.default()?)?, None),
            Media::Offer(offer) => {
                let description = Description::parse(offer).map_err(|e| sdp_error(&e))?;
                let media = description.message_media().map_err(|e| sdp_error(&e))?;
                let local = describe(self.for_peer(&media)?)?;
                let is_ours = local.setup_for_answer(media.setup) == Setup::Active;
                let peer = self.peer(&media, is_ours)?;
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
        self.peer(&media, offerer_connects(media.setup))
    }

    fn peer(&self, media: &MessageMedia, connects: bool) -> Result<PeerMedia, ControlError> {
        let path = MsrpPathBuf::join(media.path.iter().map(MsrpUriBuf::as_uri));
        let path = path.map_err(|_| malformed("the path attribute holds no MSRP URI"))?;
        let acceptance = Acceptance::new(
            &media.accept_types,
            &media.accept_wrapped_types,
            media.max_size,
        );
        let acceptance = acceptance.map_err(|_| malformed("accept-types holds no media type"))?;
        let connect = connects.then(|| self.destination(media));
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

    /// Where to connect to, over what the peer asks for. TLS says its first words here, on the caller's
    /// thread.
    fn destination(&self, media: &MessageMedia) -> Result<Destination, ControlError> {
        let address = self.connect_address(media)?;
        let listener = self.for_peer(media)?;
        let layer = match &listener.connector {
            Some(connector) => {
                let layer = connector.connect(address.ip(), fingerprint_of(media)?);
                Some(layer.map_err(|error| {
                    ControlError::new(ErrorCode::NotAcceptable, error.to_string())
                })?)
            }
            None => None,
        };
        Ok(Destination { address, layer })
    }

    /// Where to connect to: an address literal that is a peer's, not a group's and not our own.
    fn connect_address(&self, media: &MessageMedia) -> Result<SocketAddr, ControlError> {
        if MediaTransport::of(media).is_websocket() {
            let detail = "the participant would have to be connected to over WebSocket; it has to \
                connect itself (a=setup:active)";
            return Err(ControlError::new(ErrorCode::NotAcceptable, detail));
        }
        let (host, port) = media.connect_address(false);
        let ip: IpAddr = host.parse().map_err(|_| {
            let detail = "the path names a host to connect to; an address literal is needed";
            ControlError::new(ErrorCode::NotAcceptable, detail)
        })?;
        let address = SocketAddr::new(ip, port);
        if ip.is_unspecified() || ip.is_multicast() || port == 0 || self.is_ours(address) {
            let detail = "the path names an address that nobody can be reached at";
            return Err(ControlError::new(ErrorCode::NotAcceptable, detail));
        }
        Ok(address)
    }

    fn is_ours(&self, address: SocketAddr) -> bool {
        self.addresses.iter().any(|own| own.bound == address)
    }
}

impl Address {
    fn local(
        &self,
        homes: Homes,
        wanted: &LocalMedia,
        message_octets_max: u64,
    ) -> Result<Local, ControlError> {
        let bits = random_bits()?;
        let session_id = homes.session_id(bits);
        let host = match self.host.parse::<IpAddr>() {
            Ok(IpAddr::V4(ip)) => Host::V4(ip),
            Ok(IpAddr::V6(ip)) => Host::V6(ip),
            Err(_) => Host::Name(&self.host),
        };
        let (scheme, transport) = self.kind.uri_parts();
        let own = MsrpUriBuf::compose(scheme, host, Some(self.port), Some(&session_id), transport)
            .map_err(|_| {
                ControlError::new(
                    ErrorCode::Unavailable,
                    "the advertised host is not a host name",
                )
            })?;
        // The o= line identifies the description; it must not tell anything of the session id.
        let origin = random_bits()? >> 66;
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
        local.attributes.clone_from(&wanted.attributes);
        if let Some(store) = &self.certificate {
            let value = store.current().fingerprint();
            local
                .attributes
                .push(("fingerprint".to_owned(), Some(value)));
        }
        Ok(local)
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
        let Self { carrier, home } = self;
        let random = MessageId::from_random(bits);
        format!("{carrier:02x}{home:02x}{}", random.as_str())
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

/// 128 bits from the operating system.
fn random_bits() -> Result<u128, ControlError> {
    let mut octets = [0; 16];
    OsRng.try_fill_bytes(&mut octets).map_err(|_| {
        ControlError::new(
            ErrorCode::Unavailable,
            "the operating system gives no random numbers",
        )
    })?;
    Ok(u128::from_ne_bytes(octets))
}

fn sdp_error(error: &SdpError) -> ControlError {
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
        assert_ne!(random_bits().unwrap(), random_bits().unwrap());
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
