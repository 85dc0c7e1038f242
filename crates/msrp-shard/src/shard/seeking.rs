//! Connections to participants that are known by name.
//!
//! ```text
//!   Waiting, sought --looked up--> addresses that may be connected --first--> Opening --+--> Bound
//!         \                             \--none is left--> ended                 ^       | broke
//!          \--the participant connects itself--> Bound                           +-next-+
//! ```
//!
//! # Spec
//! RFC 4975 s.6.2 (the host of a URI may be a name), s.8.1.

use std::collections::VecDeque;
use std::net::SocketAddr;

use msrp_control::{ControlError, EndReason, ErrorCode};
use msrp_session::Timestamp;
use msrp_switch::LegKey;
use msrp_transport::{ConnectorError, Layer};
use ring_io::Io;

use super::Shard;
use super::session::Link;
use crate::engine::{Asker, Query, may_connect};
use crate::limits::NAMED_ADDRESSES_MAX;
use crate::mailbox::{NamedHost, Resolved};

/// A participant that is being looked for.
#[derive(Debug)]
pub(super) struct Sought {
    host: NamedHost,
    /// What has not been tried. Empty until the name was looked up.
    addresses: VecDeque<SocketAddr>,
}

impl<I: Io> Shard<I> {
    /// Has the name of a participant looked up.
    pub(super) fn seek(&self, leg: LegKey, host: NamedHost) -> Result<Box<Sought>, ControlError> {
        let query = Query {
            shard: self.environment.index,
            epoch: self.environment.epochs.of(self.environment.index),
            asker: Asker::Session(leg),
            name: host.name.clone(),
            port: Some(host.port),
            is_secure: host.tls.is_some(),
        };
        if !self.environment.resolver.ask(query) {
            let detail = "too many names of participants are being looked up; try again later";
            return Err(ControlError::new(ErrorCode::Unavailable, detail));
        }
        Ok(Box::new(Sought {
            host,
            addresses: VecDeque::new(),
        }))
    }

    /// A name was looked up, for an earlier or this start of the shard.
    pub(super) fn resolved(&mut self, now: Timestamp, resolved: Resolved) {
        if resolved.epoch != self.environment.epochs.of(self.environment.index) {
            return;
        }
        match resolved.asker {
            Asker::Hop(hop) => self.try_addresses(hop, resolved.addresses),
            Asker::Session(leg) => self.try_participant(now, leg, resolved),
        }
    }

    fn try_participant(&mut self, now: Timestamp, leg: LegKey, resolved: Resolved) {
        let bound = &self.environment.bound;
        let is_a_peers = |address: &SocketAddr| may_connect(*address, bound);
        let usable = resolved.addresses.into_iter().filter(is_a_peers);
        // The participant may have connected itself meanwhile, or another path may have been agreed.
        if let Some(session) = self.sessions.get_mut(leg)
            && let Link::Waiting(early) = &mut session.link
            && let Some(sought) = &mut early.sought
            && sought.host.name == resolved.name
            && Some(sought.host.port) == resolved.port
        {
            sought.addresses = usable.take(NAMED_ADDRESSES_MAX).collect();
            self.try_next_address(now, leg);
        }
    }

    /// Whether a session that could not be connected has another address to try.
    pub(super) fn has_next_address(&self, leg: LegKey) -> bool {
        let link = self.sessions.get(leg).map(|session| &session.link);
        matches!(link, Some(Link::Opening(_, early))
            if early.sought.as_ref().is_some_and(|sought| !sought.addresses.is_empty()))
    }

    /// Opens a connection to the next address of a participant; the session ends when there is none.
    pub(super) fn try_next_address(&mut self, now: Timestamp, leg: LegKey) {
        while let Some((address, layer)) = self.next_address_of(leg) {
            let opened = layer.map_err(|error| error.to_string()).and_then(|layer| {
                let opened = self.open(leg, address, layer);
                opened.map_err(|error| error.to_string())
            });
            match opened {
                Ok(conn) => {
                    if let Some(session) = self.sessions.get_mut(leg) {
                        session.link.open(conn);
                    }
                    return;
                }
                Err(error) => tracing::info!(%address, %error, "a participant cannot be connected"),
            }
        }
        self.end_session(now, leg, EndReason::ConnectFailed);
    }

    #[expect(clippy::type_complexity, reason = "the parts are taken apart at once")]
    fn next_address_of(
        &mut self,
        leg: LegKey,
    ) -> Option<(SocketAddr, Result<Option<Box<Layer>>, ConnectorError>)> {
        let (Link::Waiting(early) | Link::Opening(_, early)) =
            &mut self.sessions.get_mut(leg)?.link
        else {
            return None;
        };
        let sought = early.sought.as_mut()?;
        let address = sought.addresses.pop_front()?;
        let NamedHost { name, tls, .. } = &sought.host;
        let layer = tls
            .as_ref()
            .map(|(connector, fingerprint)| connector.connect(name, fingerprint.clone()));
        Some((address, layer.transpose()))
    }
}
