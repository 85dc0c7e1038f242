//! Where a request goes, and whether it may.

use std::rc::Rc;

use msrp_session::Timestamp;
use msrp_wire::limits::PATH_URIS_MAX;
use msrp_wire::{Host, Ident, MsrpPathBuf, MsrpUri, Path, Scheme, Transport};

use super::Relay;
use crate::connection::ConnectionId;
use crate::handle::{Handle, Owner};
use crate::known_route::KnownRoute;
use crate::limits::{OWN_HOPS_MAX, PEERS_PER_HANDLE_MAX};
use crate::outgoing::{HopState, Way};
use crate::refused::Refused;
use crate::users::Users;

/// Where a request goes.
#[derive(Debug)]
pub(super) enum Route {
    /// It ends here.
    Here,
    /// To the next hop.
    On(Rc<KnownRoute>),
}

impl<U: Users> Relay<U> {
    /// Whether a request with these paths came on this connection before, and its way is still as it was.
    #[must_use]
    pub fn has_route(
        &self,
        now: Timestamp,
        previous: ConnectionId,
        to: &Path<'_>,
        from: &Path<'_>,
    ) -> bool {
        let connection = self.connections.get(&previous);
        connection.is_some_and(|c| c.known.find((to, from), self.version, now).is_some())
    }

    /// Finds the way of a request and remembers who its sender is.
    ///
    /// # Spec
    /// RFC 4976 s.6.2, s.6.4: the URI was given by this relay, and the request comes from its owner or goes to it.
    pub(super) fn route(
        &mut self,
        now: Timestamp,
        previous: ConnectionId,
        to: &Path<'_>,
        from: &Path<'_>,
    ) -> Result<Route, Refused> {
        let connection = self.connections.get(&previous);
        if let Some(known) = connection.and_then(|c| c.known.find((to, from), self.version, now)) {
            return Ok(Route::On(Rc::clone(known)));
        }
        let own: Vec<MsrpUri<'_>> = to
            .iter()
            .take_while(|uri| self.config.is_own(uri))
            .collect();
        if own.is_empty() {
            return Err(Refused::NotAddressedHere);
        }
        let Some(next) = to.iter().nth(own.len()) else {
            return Ok(Route::Here);
        };
        let passed = from.iter().filter(|uri| self.config.is_own(uri)).count();
        if own.len() > OWN_HOPS_MAX || passed > OWN_HOPS_MAX {
            return Err(Refused::Loop);
        }
        if own.len().saturating_add(from.len()) > PATH_URIS_MAX {
            return Err(Refused::PathTooLong);
        }
        let way = self.way(now, previous, &own, &next, &from.first())?;
        let (to_path, from_path) = moved_paths(to, from, &own).ok_or(Refused::PathTooLong)?;
        let expires = own.iter().filter_map(|uri| self.handles.find(now, uri));
        let until = expires.map(|(_, handle)| handle.expires).min();
        let until = until.ok_or(Refused::NoHandle)?;
        let moved = (&to_path, &from_path);
        let route = Rc::new(KnownRoute::new((to, from), way, moved, self.version, until));
        if let Some(connection) = self.connections.get_mut(&previous) {
            connection.known.remember(Rc::clone(&route));
        }
        Ok(Route::On(route))
    }

    /// Whether the URIs of this relay may be used so, and the way to the next hop.
    fn way(
        &mut self,
        now: Timestamp,
        previous: ConnectionId,
        own: &[MsrpUri<'_>],
        next: &MsrpUri<'_>,
        sender: &MsrpUri<'_>,
    ) -> Result<Way, Refused> {
        let last = own.last().ok_or(Refused::NotAddressedHere)?;
        let (session, handle) = self.handles.find(now, last).ok_or(Refused::NoHandle)?;
        let goes_to_owner = handle.leads_to(next);
        match own.split_first() {
            Some((_, [])) if goes_to_owner => {
                self.bind_peer(previous, session, sender)?;
                self.way_to_owner(now, previous, session, next)
            }
            Some((_, [])) if self.is_owner(previous, handle) => {
                self.way_out(now, previous, session, next)
            }
            Some((first, [_, ..])) if goes_to_owner => {
                // Two clients of this relay: it is the previous hop of the second URI, and the next of the first.
                let (_, first) = self.handles.find(now, first).ok_or(Refused::NoHandle)?;
                if !self.is_owner(previous, first) {
                    return Err(Refused::NotOwner);
                }
                self.way_to_owner(now, previous, session, next)
            }
            Some(_) | None => Err(Refused::NotOwner),
        }
    }

    fn is_owner(&self, connection: ConnectionId, handle: &Handle) -> bool {
        match &handle.owner {
            Owner::Client(owner) => *owner == connection,
            Owner::Relay(name) => self.connections.get(&connection).is_some_and(|connection| {
                let other = connection.facts.relay.as_deref();
                other.is_some_and(|other| other.eq_ignore_ascii_case(name))
            }),
        }
    }

    /// The session's other side is bound to the connection on which it was heard first, while that lives.
    fn bind_peer(
        &mut self,
        previous: ConnectionId,
        session: Ident,
        sender: &MsrpUri<'_>,
    ) -> Result<(), Refused> {
        let is_owner = self
            .handles
            .get(session)
            .is_some_and(|h| self.is_owner(previous, h));
        let is_relay = self
            .connections
            .get(&previous)
            .is_some_and(|c| c.facts.relay.is_some());
        let (Some(handle), Some(connection)) = (
            self.handles.get_mut(session),
            self.connections.get_mut(&previous),
        ) else {
            return Err(Refused::NoHandle);
        };
        if is_owner {
            return Ok(());
        }
        match handle
            .peers
            .iter()
            .find(|(uri, _)| uri.as_uri().same_as(sender))
        {
            Some((_, bound)) if *bound == previous || is_relay => Ok(()),
            Some(_) => Err(Refused::PeerElsewhere),
            None if handle.peers.len() >= PEERS_PER_HANDLE_MAX => Err(Refused::Full),
            None => {
                handle.peers.push((sender.to_buf(), previous));
                connection.bound.insert(session);
                self.version = self.version.wrapping_add(1);
                Ok(())
            }
        }
    }

    fn way_to_owner(
        &mut self,
        now: Timestamp,
        asker: ConnectionId,
        session: Ident,
        next: &MsrpUri<'_>,
    ) -> Result<Way, Refused> {
        let owner = self.handles.get(session).map(|handle| handle.owner.clone());
        match owner.ok_or(Refused::NoHandle)? {
            Owner::Client(connection) => Ok(Way::Connection(connection)),
            Owner::Relay(name) => match self.relay_connection(&name) {
                Some(connection) => Ok(Way::Connection(connection)),
                None => self.way_to_hop(now, asker, next),
            },
        }
    }

    /// Away from the owner: over the connection of the session's peer, one to that relay, or one of our own.
    fn way_out(
        &mut self,
        now: Timestamp,
        asker: ConnectionId,
        session: Ident,
        next: &MsrpUri<'_>,
    ) -> Result<Way, Refused> {
        let peers = self
            .handles
            .get(session)
            .map(|handle| handle.peers.as_slice());
        let known =
            peers.and_then(|peers| peers.iter().find(|(uri, _)| uri.as_uri().same_as(next)));
        if let Some((_, connection)) = known {
            return Ok(Way::Connection(*connection));
        }
        if let Host::Name(name) = next.host()
            && let Some(connection) = self.relay_connection(name)
        {
            return Ok(Way::Connection(connection));
        }
        self.way_to_hop(now, asker, next)
    }

    /// A connection to the relay of this name.
    fn relay_connection(&self, name: &str) -> Option<ConnectionId> {
        let first = (name.to_ascii_lowercase().into_boxed_str(), ConnectionId(0));
        self.relays
            .range(first..)
            .take_while(|(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, id)| *id)
            .find(|id| self.connections.get(id).is_some_and(|c| !c.is_closing))
    }

    fn way_to_hop(
        &mut self,
        now: Timestamp,
        asker: ConnectionId,
        next: &MsrpUri<'_>,
    ) -> Result<Way, Refused> {
        if !matches!(next.transport(), Transport::Tcp) {
            return Err(Refused::Transport);
        }
        self.config
            .addresses
            .check_host(next.host())
            .map_err(Refused::Denied)?;
        let is_address = !matches!(next.host(), Host::Name(_));
        if is_address && next.scheme() == Scheme::Msrps && next.port().is_none() {
            return Err(Refused::NoPort);
        }
        let key = self.hop(now, asker, next)?;
        Ok(match self.hops.get(key).map(|hop| &hop.state) {
            Some(HopState::Up(connection)) => Way::Connection(*connection),
            Some(HopState::Connecting { .. }) | None => Way::Hop(key),
        })
    }
}

/// The paths behind this relay: its URIs moved one after the other from the front of To-Path to the front of From-Path.
///
/// # Spec
/// RFC 4976 s.6.4.1.
pub(super) fn moved_paths(
    to: &Path<'_>,
    from: &Path<'_>,
    own: &[MsrpUri<'_>],
) -> Option<(MsrpPathBuf, MsrpPathBuf)> {
    let to_path = MsrpPathBuf::join(to.iter().skip(own.len())).ok()?;
    let from_path = MsrpPathBuf::join(own.iter().rev().copied().chain(from.iter())).ok()?;
    Some((to_path, from_path))
}
