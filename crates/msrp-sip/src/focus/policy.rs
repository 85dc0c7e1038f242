//! What the operator decided.

use std::net::IpAddr;

use ipnet::IpNet;
use msrp_sdp::MediaTransport;

use crate::address::Uri;
use crate::focus::conference_info::OwnMark;
use crate::focus::pager::PagerPolicy;
use crate::ua::Transport;

/// The operator's decisions, fixed while the focus lives.
#[derive(Debug, Clone)]
pub struct Policy {
    /// The host part of the addresses that this node owns, and the agent of Warnings.
    pub domain: String,
    /// `host:port` under which this node is reached over UDP, when it listens there.
    pub contact_udp: Option<String>,
    /// `host:port` under which this node is reached over TCP, when it listens there.
    pub contact_tcp: Option<String>,
    /// `host:port` under which this node is reached over TLS, when it listens there.
    pub contact_tls: Option<String>,
    /// The transport of requests that start here, as far as it is known beforehand.
    pub outbound_transport: Transport,
    /// Neighbours whose P-Asserted-Identity is believed.
    pub trusted_peers: Vec<IpNet>,
    /// The conference-factory addresses.
    pub conference_factory: Vec<Uri>,
    /// Session interval that we ask for, in seconds.
    pub session_expires_s: u32,
    /// Smallest session interval that we accept, in seconds; at least 90.
    pub min_se_s: u32,
    /// Whether ad-hoc sessions allow hidden callers.
    pub anonymity: bool,
    /// Whether ad-hoc sessions allow messages to single participants.
    pub private_messages: bool,
    /// Whether participants may be known by nicknames, in every session.
    pub nicknames: bool,
    /// Most users of an ad-hoc session other than its originator.
    pub adhoc_participants_max: usize,
    /// Longest session, in seconds; 0 means no limit.
    pub session_max_s: u64,
    /// Longest message, in octets; `None` leaves it to the engine.
    pub message_octets_max: Option<u64>,
    /// Whether a group session ends with its originator when the group does not say.
    pub auto_release: bool,
    /// An ad-hoc session ends when this many participants or fewer are left.
    pub adhoc_remaining: usize,
    /// A group session ends when this many participants or fewer are left.
    pub group_remaining: usize,
    /// What the engine's listeners serve, the first one's first. Offers of others are refused.
    pub media_transports: Vec<MediaTransport>,
    /// Whether the caller hears that an invitee rings.
    pub relay_ringing: bool,
    /// Who may add users to an ad-hoc session by REFER.
    pub adhoc_add: AdHocRight,
    /// Who may remove others from an ad-hoc session by REFER.
    pub adhoc_expel: AdHocRight,
    /// The status of a REFER that is carried out: 202 as RFC 3515 has it, or 200 as RFC 7647 has it.
    pub refer_status: u16,
    /// The namespace of the mark on a subscriber's own entry; `None` writes the mark without.
    pub own_mark: Option<OwnMark>,
    /// What concerns MESSAGEs to several recipients.
    pub pager: PagerPolicy,
    /// What concerns large messages and files.
    pub large: LargePolicy,
}

/// The operator's decisions about large messages and files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LargePolicy {
    /// Octets of a message that are kept for recipients who have not accepted or connected, at most
    /// 1 MiB. 0 keeps nothing: who is not there when the message starts misses it.
    pub hold_octets: u64,
    /// How long a sender waits for such recipients when that much is kept, in milliseconds.
    pub hold_ms: u64,
    /// Whether a session for a large message takes one message only.
    pub one_message: bool,
}

impl Default for LargePolicy {
    /// # Spec
    /// AMB-78.
    fn default() -> Self {
        Self {
            hold_octets: 256 * 1024,
            hold_ms: 10_000,
            one_message: false,
        }
    }
}

/// Who has a right in an ad-hoc session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdHocRight {
    /// The one who started it, on any device.
    Originator,
    /// Everybody who takes part.
    Participants,
}

impl Policy {
    /// The documented defaults for a node of this domain, reached under nothing.
    ///
    /// # Spec
    /// AMB-13, AMB-15, AMB-16, AMB-18, AMB-20, AMB-21, AMB-35, AMB-39.
    #[must_use]
    pub fn new(domain: impl Into<String>) -> Self {
        Self {
            domain: domain.into(),
            contact_udp: None,
            contact_tcp: None,
            contact_tls: None,
            outbound_transport: Transport::Udp,
            trusted_peers: Vec::new(),
            conference_factory: Vec::new(),
            session_expires_s: 1800,
            min_se_s: 90,
            anonymity: true,
            private_messages: true,
            nicknames: true,
            adhoc_participants_max: 100,
            session_max_s: 0,
            message_octets_max: None,
            auto_release: false,
            adhoc_remaining: 1,
            group_remaining: 0,
            media_transports: vec![MediaTransport::Tcp],
            relay_ringing: true,
            adhoc_add: AdHocRight::Participants,
            adhoc_expel: AdHocRight::Originator,
            refer_status: 202,
            own_mark: None,
            pager: PagerPolicy::default(),
            large: LargePolicy::default(),
        }
    }

    /// Whether this neighbour's assertions are believed.
    #[must_use]
    pub fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.trusted_peers.iter().any(|net| net.contains(&address))
    }

    /// The transport and `host:port` for peers on this transport: another one when this node does
    /// not listen there, the domain when it listens nowhere.
    pub(crate) fn contact_host(&self, transport: Transport) -> (Transport, &str) {
        let (udp, tcp, tls) = (Transport::Udp, Transport::Tcp, Transport::Tls);
        let order = match transport {
            Transport::Udp => [udp, tcp, tls],
            Transport::Tcp => [tcp, udp, tls],
            Transport::Tls => [tls, tcp, udp],
        };
        let found = order
            .into_iter()
            .find_map(|transport| Some((transport, self.contact(transport)?)));
        found.unwrap_or((transport, &self.domain))
    }

    fn contact(&self, transport: Transport) -> Option<&str> {
        match transport {
            Transport::Udp => self.contact_udp.as_deref(),
            Transport::Tcp => self.contact_tcp.as_deref(),
            Transport::Tls => self.contact_tls.as_deref(),
        }
    }

    /// Whether the host of this address is this node.
    pub(crate) fn owns(&self, uri: &Uri) -> bool {
        let hosts = [Transport::Udp, Transport::Tcp, Transport::Tls].map(|t| self.contact(t));
        let own = |contact: &str| {
            contact
                .rsplit_once(':')
                .map_or(contact, |(host, _)| host)
                .eq_ignore_ascii_case(uri.host())
        };
        uri.host().eq_ignore_ascii_case(&self.domain) || hosts.into_iter().flatten().any(own)
    }
}
