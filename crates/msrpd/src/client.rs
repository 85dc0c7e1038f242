//! A chat client: joins a room by SIP, talks by MSRP.
//!
//! It is a client like any other: it uses nothing of the daemon's inside.

mod assembly;
#[cfg(test)]
mod fake_switch;
#[cfg(test)]
mod fake_ua;
mod join_error;
mod media;
mod message;
mod msrp_leg;
mod room;
mod session;
mod sip_head;
mod sip_leg;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

pub use join_error::JoinError;
pub(crate) use media::{OwnMedia, SwitchMedia};
use msrp_sip::conference_view::Presence;
use msrp_sip::ua::Transport;
use msrp_sip::ua_rsipstack::{self, Ua, UaConfig, UaHandle, UaLimits};
use msrp_wire::StatusCode;
use room::Room;
use sip_leg::Invitation;

/// Who joins which room, and how it gets there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatConfig {
    /// The SIP server.
    pub server: SocketAddr,
    /// How SIP gets there.
    pub transport: Transport,
    /// The room's URI.
    pub room: String,
    /// The client's URI; also the `From` of its messages.
    pub identity: String,
    /// The client's name.
    pub display: Option<String>,
}

/// A stay in a room, from a SIP endpoint of its own.
pub struct Chat {
    room: Room<UaHandle>,
}

impl Chat {
    /// Joins: INVITE, then the MSRP connection with the request that binds it.
    ///
    /// # Errors
    /// [`JoinError`]; nothing is left behind then.
    pub async fn join(config: &ChatConfig) -> Result<Self, JoinError> {
        let ua = start_ua(config).await?;
        let address = ua.addresses.iter().find(|(t, _)| *t == config.transport);
        let (_, address) =
            *address.ok_or_else(|| JoinError::Engine("it has no address".to_owned()))?;
        let invitation = Invitation {
            room: config.room.clone(),
            identity: config.identity.clone(),
            display: config.display.clone(),
            contact: sip_head::contact(&config.identity, address, config.transport),
        };
        let room = Room::join(ua.handle, ua.events, &invitation, address.ip()).await?;
        Ok(Self { room })
    }

    /// Queues a text at once, behind those before it, and gives the wait for the switch's answer.
    ///
    /// # Errors
    /// [`Refusal`]: what the switch answered; 408 when it did not.
    pub fn send(&self, text: &str) -> impl Future<Output = Result<(), Refusal>> + Send + use<> {
        self.room.send(text)
    }

    /// Asks for a nickname behind the messages before it, or gives the present one back when it is
    /// empty, and gives the wait for the switch's answer.
    ///
    /// # Errors
    /// [`Refusal`]: what the switch answered; 403 when it declares no nicknames, 408 when it did not
    /// answer.
    pub fn ask_nickname(
        &self,
        nickname: &str,
    ) -> impl Future<Output = Result<(), Refusal>> + Send + use<> {
        self.room.ask_nickname(nickname)
    }

    /// Asks to be told who takes part, as [`ChatEvent::Presence`]; a room that does not tell is
    /// silent.
    pub fn watch(&mut self) {
        self.room.watch();
    }

    /// What happens next. After [`ChatEvent::Ended`] it is always that. Losing the future loses
    /// nothing.
    pub async fn next(&mut self) -> ChatEvent {
        self.room.next().await
    }

    /// Leaves with BYE.
    pub async fn leave(self) {
        self.room.leave().await;
    }
}

/// Something that happened in the room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChatEvent {
    /// Somebody wrote.
    Message {
        /// The writer's URI.
        from: String,
        /// The writer's name.
        display: Option<String>,
        /// The text.
        text: String,
    },
    /// Somebody takes part, came, left, or has another name.
    Presence(Presence),
    /// A message of ours did not reach everybody.
    Refused(Refusal),
    /// The stay is over.
    Ended {
        /// Why, as a part of a sentence.
        reason: String,
    },
}

/// Starts a SIP endpoint on a free port of the address from which the server is reached.
async fn start_ua(config: &ChatConfig) -> Result<Ua, JoinError> {
    let engine = |e: &dyn fmt::Display| JoinError::Engine(e.to_string());
    let own = own_address(config.server).map_err(|e| engine(&e))?;
    let ua_config = UaConfig {
        bind: vec![(config.transport, SocketAddr::new(own, 0))],
        outbound_proxy: Some(format!(
            "sip:{};transport={};lr",
            config.server, config.transport
        )),
        domain: own.to_string(),
        user_agent: sip_head::USER_AGENT.to_owned(),
        name_servers: Vec::new(),
        tls: Default::default(),
        trusted_peers: Vec::new(),
        limits: UaLimits::default(),
    };
    ua_rsipstack::start(ua_config).await.map_err(|e| engine(&e))
}

/// The address of this host from which packets to the server leave.
fn own_address(server: SocketAddr) -> std::io::Result<IpAddr> {
    let any: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    // Connecting a UDP socket sends nothing; it only chooses the way.
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(server)?;
    Ok(socket.local_addr()?.ip())
}

/// A message that was not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The MSRP status.
    pub status: u16,
    /// What the other side said about it, else the usual phrase.
    pub phrase: String,
}

impl Refusal {
    fn new(status: StatusCode, comment: Option<&[u8]>) -> Self {
        let comment = comment.map(|c| String::from_utf8_lossy(c).into_owned());
        let comment = comment.filter(|c| !c.is_empty());
        Self {
            status: status.value(),
            phrase: comment.unwrap_or_else(|| status.phrase().to_owned()),
        }
    }

    fn unanswered() -> Self {
        Self {
            status: StatusCode::TIMEOUT.value(),
            phrase: "the switch did not answer".to_owned(),
        }
    }

    fn too_many() -> Self {
        Self {
            status: StatusCode::TIMEOUT.value(),
            phrase: "too many messages wait to be sent".to_owned(),
        }
    }

    fn ended() -> Self {
        Self {
            status: StatusCode::TIMEOUT.value(),
            phrase: "the session ended before the answer".to_owned(),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.status, self.phrase)
    }
}

impl std::error::Error for Refusal {}

/// Longest wait for a TCP connection.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(5);
/// Longest wait for the answer to a request. Source: RFC 4975 s.7.1.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests;
