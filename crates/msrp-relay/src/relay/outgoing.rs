//! Next hops and what is given to them.

use std::collections::VecDeque;

use msrp_session::limits::TRANSACTION_NS;
use msrp_session::{Key, Timestamp};
use msrp_wire::{FailureReport, MsrpUri, TransactionId};

use super::{CloseReason, HopKey, Output, Relay, Timer};
use crate::connection::{Connection, ConnectionFacts, ConnectionId};
use crate::limits::{
    CONNECT_NS, CONNECTING_PER_CONNECTION_MAX, HOP_WAITING_OCTETS_MAX, HOPS_MAX,
    TRANSACTIONS_PER_CONNECTION_MAX, UNASKED_PER_CONNECTION_MAX,
};
use crate::outgoing::{Awaited, Hop, HopState, Outgoing, Pending, Way};
use crate::refused::Refused;
use crate::users::Users;

impl<U: Users> Relay<U> {
    /// The next hop is connected. From now on the connection is one like all others: requests may come on it.
    pub fn handle_connected(
        &mut self,
        now: Timestamp,
        hop: HopKey,
        id: ConnectionId,
        facts: ConnectionFacts,
    ) {
        self.note_relay(id, &facts);
        let mut connection = Connection::new(now, facts);
        connection.is_proven = true;
        connection.hop = Some(hop.0);
        self.insert_connection(id, connection);
        let before = self
            .hops
            .get_mut(hop.0)
            .map(|hop| std::mem::replace(&mut hop.state, HopState::Up(id)));
        if before.is_none() {
            self.close(id, CloseReason::TooLate);
        }
        if let Some(HopState::Connecting {
            asker,
            waiting,
            deadline,
            ..
        }) = before
        {
            self.timers.remove(&(deadline, Timer::Hop(hop.0)));
            self.note_connecting_over(asker);
            for outgoing in waiting {
                self.give(id, outgoing);
            }
        }
        self.check_invariants_in_debug();
    }

    /// The next hop cannot be reached, or none of its addresses is allowed. What waited for it has failed.
    pub fn handle_unreachable(&mut self, hop: HopKey) {
        self.hop_failed(hop);
        self.check_invariants_in_debug();
    }

    /// The last octet of a request has left; the time of its answer runs.
    ///
    /// # Spec
    /// RFC 4976 s.6.4.1.
    pub fn handle_written(&mut self, now: Timestamp, connection: ConnectionId, id: TransactionId) {
        self.note_use(now, connection);
        let Some(pending) = self.pending.get_mut(&(connection, id)) else {
            return;
        };
        let report = match &pending.awaited {
            Awaited::Piece(transit) => self.transits.get(*transit).map(|t| t.failure_report),
            Awaited::Request(_) => Some(FailureReport::Yes),
        };
        if pending.deadline.is_some() {
            return;
        }
        if report.is_none_or(|report| report == FailureReport::No) {
            self.no_answer_is_due(connection, id);
        } else {
            let deadline = now.after(TRANSACTION_NS);
            pending.deadline = Some(deadline);
            self.timers
                .insert((deadline, Timer::Answer(connection, id)));
        }
        if report == Some(FailureReport::Partial) {
            self.note_unasked(connection, id);
        }
        self.check_invariants_in_debug();
    }

    /// A request could not be queued, because too much waits for its connection. It has failed with 413.
    pub fn handle_no_room(&mut self, connection: ConnectionId, id: TransactionId) {
        if let Some(pending) = self.take_pending(connection, id) {
            self.awaited_failed(pending.awaited, Refused::TooMuchWaiting);
        }
        self.check_invariants_in_debug();
    }

    /// Forgets the oldest of too many requests to which only an error would be told.
    fn note_unasked(&mut self, id: ConnectionId, transaction: TransactionId) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        connection.unasked.push_back(transaction);
        if connection.unasked.len() > UNASKED_PER_CONNECTION_MAX
            && let Some(oldest) = connection.unasked.pop_front()
        {
            self.no_answer_is_due(id, oldest);
        }
    }

    /// Whether a way takes one more request of so many octets.
    pub(super) fn has_room(&self, way: Way, octets: usize) -> bool {
        match way {
            Way::Connection(id) => self
                .connections
                .get(&id)
                .is_some_and(|c| c.awaited.len() < TRANSACTIONS_PER_CONNECTION_MAX),
            Way::Hop(key) => match self.hops.get(key).map(|hop| &hop.state) {
                Some(HopState::Connecting {
                    octets: waiting,
                    waiting: queue,
                    ..
                }) => {
                    waiting.saturating_add(octets) <= HOP_WAITING_OCTETS_MAX
                        && queue.len() < TRANSACTIONS_PER_CONNECTION_MAX
                }
                Some(HopState::Up(id)) => self.has_room(Way::Connection(*id), octets),
                None => false,
            },
        }
    }

    /// Gives a complete request to its way. The caller has looked for room; a way that has ended fails it.
    pub(super) fn send_on(&mut self, way: Way, outgoing: Outgoing) {
        let connection = match way {
            Way::Connection(id) => id,
            Way::Hop(key) => match self.hops.get_mut(key).map(|hop| &mut hop.state) {
                Some(HopState::Up(id)) => *id,
                Some(HopState::Connecting {
                    waiting, octets, ..
                }) => {
                    *octets = octets.saturating_add(outgoing.octets());
                    waiting.push_back(outgoing);
                    return;
                }
                None => return self.outgoing_failed(outgoing, Refused::Lost),
            },
        };
        self.give(connection, outgoing);
    }

    fn give(&mut self, id: ConnectionId, outgoing: Outgoing) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return self.outgoing_failed(outgoing, Refused::Lost);
        };
        let transaction = outgoing.id();
        let (awaited, output) = match outgoing {
            Outgoing::Piece {
                piece,
                paths,
                transit,
            } => {
                let previous = self.transits.get(transit).map_or(id, |t| t.previous);
                let output = Output::Piece {
                    connection: id,
                    piece,
                    paths,
                    previous,
                };
                (Some(Awaited::Piece(transit)), output)
            }
            Outgoing::Frame {
                octets, awaited, ..
            } => {
                let written = awaited.is_some().then_some(transaction);
                (
                    awaited,
                    Output::Frame {
                        connection: id,
                        octets,
                        written,
                    },
                )
            }
        };
        if let Some(awaited) = awaited {
            connection.awaited.insert(transaction);
            let pending = Pending {
                awaited,
                deadline: None,
            };
            self.pending.insert((id, transaction), pending);
        }
        self.outputs.push_back(output);
    }

    /// The next hop of a URI; asks for a connection when there is none.
    pub(super) fn hop(
        &mut self,
        now: Timestamp,
        asker: ConnectionId,
        uri: &MsrpUri<'_>,
    ) -> Result<Key, Refused> {
        let device = device_of(uri);
        if let Some(key) = self.hops_by_device.get(&device) {
            return Ok(*key);
        }
        let connecting = self.connections.get(&asker).map_or(0, |c| c.connecting);
        if self.hops.len() >= HOPS_MAX || connecting >= CONNECTING_PER_CONNECTION_MAX {
            return Err(Refused::Full);
        }
        let deadline = now.after(CONNECT_NS);
        let state = HopState::Connecting {
            asker,
            waiting: VecDeque::new(),
            octets: 0,
            deadline,
        };
        let key = self
            .hops
            .insert(Hop {
                device: device.clone(),
                state,
            })
            .ok_or(Refused::Full)?;
        if let Some(asker) = self.connections.get_mut(&asker) {
            asker.connecting = asker.connecting.saturating_add(1);
        }
        self.hops_by_device.insert(device, key);
        self.timers.insert((deadline, Timer::Hop(key)));
        self.outputs.push_back(Output::Connect {
            hop: HopKey(key),
            uri: uri.to_buf(),
        });
        Ok(key)
    }

    pub(super) fn hop_failed(&mut self, hop: HopKey) {
        let Some(Hop { state, .. }) = self.drop_hop(hop.0) else {
            return;
        };
        if let HopState::Connecting {
            asker,
            waiting,
            deadline,
            ..
        } = state
        {
            self.timers.remove(&(deadline, Timer::Hop(hop.0)));
            self.note_connecting_over(asker);
            for outgoing in waiting {
                self.outgoing_failed(outgoing, Refused::Timeout);
            }
        }
    }

    fn note_connecting_over(&mut self, asker: ConnectionId) {
        if let Some(asker) = self.connections.get_mut(&asker) {
            asker.connecting = asker.connecting.saturating_sub(1);
        }
    }

    pub(super) fn drop_hop(&mut self, key: Key) -> Option<Hop> {
        let hop = self.hops.remove(key)?;
        self.version = self.version.wrapping_add(1);
        self.hops_by_device.remove(&hop.device);
        Some(hop)
    }
}

/// Scheme, host and port, in lower case.
fn device_of(uri: &MsrpUri<'_>) -> Box<str> {
    let port = uri
        .port()
        .map(|port| format!(":{port}"))
        .unwrap_or_default();
    let host = match uri.host() {
        msrp_wire::Host::Name(name) => name.to_ascii_lowercase(),
        msrp_wire::Host::V4(address) => address.to_string(),
        msrp_wire::Host::V6(address) => format!("[{address}]"),
    };
    format!("{}://{host}{port}", uri.scheme()).into()
}
