//! Where the connection goes when a middlebox may stand between the peers.
//!
//! Without msrp-cema the path alone says where to connect. A middlebox that anchors media rewrites the `c=` and `m=` lines
//! and leaves the path. Peers that announce msrp-cema then connect to the rewritten address and keep the path for To-Path.

use std::net::IpAddr;

use crate::{MessageMedia, SdpError, Setup, offerer_connects, path::Authority};

/// Whether the address in the `c=` and `m=` lines is one of the addresses in the path.
///
/// # Spec
/// RFC 6714 s.4.4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressMatch {
    /// It is. No middlebox rewrote it.
    Matches,
    /// It is not.
    Differs,
    /// A name stands on one side and an address or another name on the other: the caller has to resolve them.
    NeedsResolution,
}

/// What an offerer that announced msrp-cema does with an answer.
///
/// # Spec
/// RFC 6714 s.4.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CemaAnswer {
    /// Whoever connects uses the `c=` and `m=` lines: [`MessageMedia::connect_address`] with `true`.
    ConnectionLine,
    /// As without the extension: [`MessageMedia::connect_address`] with `false`.
    Path,
    /// A middlebox is in the way of a peer without the extension: make a new offer without msrp-cema.
    OfferAgain,
}

impl MessageMedia {
    /// Compares the `c=` and `m=` lines with the URIs of the path, without resolving names.
    ///
    /// An active side may write port 9; its port is not compared then.
    #[must_use]
    pub fn address_match(&self) -> AddressMatch {
        let Some(connection) = &self.connection else {
            return AddressMatch::Matches;
        };
        let is_discard_port = self.setup == Some(Setup::Active) && self.port == DISCARD_PORT;
        let mut found = AddressMatch::Differs;
        for authority in self.path.iter().map(Authority::of) {
            if !is_discard_port && authority.port != Some(self.port) {
                continue;
            }
            match host_match(connection, &authority.host) {
                AddressMatch::Matches => return AddressMatch::Matches,
                AddressMatch::NeedsResolution => found = AddressMatch::NeedsResolution,
                AddressMatch::Differs => {}
            }
        }
        found
    }

    /// Refuses an offer of a peer without msrp-cema whose address a middlebox changed. For strict deployments; the default
    /// is to use the path.
    ///
    /// # Errors
    /// [`SdpError::AddressMismatch`] -> 488, for [`AddressMatch::Differs`] only.
    ///
    /// # Spec
    /// RFC 6714 s.4.3, AMB-66; MSRP-6714-4.3-01.
    pub fn require_address_match(&self) -> Result<(), SdpError> {
        match self.address_match() {
            AddressMatch::Differs if !self.cema => Err(SdpError::AddressMismatch),
            AddressMatch::Differs | AddressMatch::Matches | AddressMatch::NeedsResolution => Ok(()),
        }
    }

    /// What to do with this answer to an offer that announced msrp-cema and that came without a relay of ours.
    ///
    /// `address_match` is [`address_match`](Self::address_match), with names resolved by the caller. Unresolved names
    /// count as different, as if a middlebox were there.
    #[must_use]
    pub fn after_cema_offer(&self, address_match: AddressMatch) -> CemaAnswer {
        let is_same = address_match == AddressMatch::Matches;
        let we_connect = offerer_connects(self.setup);
        match (self.cema, is_same) {
            (_, true) => CemaAnswer::Path,
            (true, false) => CemaAnswer::ConnectionLine,
            (false, false) if !we_connect || self.uses_relay() => CemaAnswer::OfferAgain,
            (false, false) => CemaAnswer::ConnectionLine,
        }
    }

    /// The host and the port to connect to, when we are the active side. An IPv6 address has no brackets.
    ///
    /// `by_connection_line` is true when msrp-cema was agreed on; otherwise the first URI of the path counts. To-Path is
    /// made from the path in both cases.
    ///
    /// # Spec
    /// RFC 4975 s.8.1, s.8.3; RFC 6714 s.4.2, s.4.3; AMB-66.
    #[must_use]
    pub fn connect_address(&self, by_connection_line: bool) -> (String, u16) {
        match (&self.connection, self.path.first().map(Authority::of)) {
            (Some(host), _) if by_connection_line => (host.clone(), self.port),
            (_, Some(first)) => (first.host, first.port.unwrap_or(self.port)),
            (_, None) => (String::new(), self.port),
        }
    }
}

/// The port that a side writes when nobody can connect to it: RFC 4145 s.4.1.
const DISCARD_PORT: u16 = 9;

/// Compares two hosts without resolving them.
fn host_match(left: &str, right: &str) -> AddressMatch {
    match (left.parse::<IpAddr>(), right.parse::<IpAddr>()) {
        (Ok(left), Ok(right)) if left == right => AddressMatch::Matches,
        (Ok(_), Ok(_)) => AddressMatch::Differs,
        _ if left.eq_ignore_ascii_case(right) => AddressMatch::Matches,
        _ => AddressMatch::NeedsResolution,
    }
}
