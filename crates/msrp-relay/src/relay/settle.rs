//! How pieces, SENDs and connections end.

use msrp_session::Key;
use msrp_session::answering::is_failure_report_due;
use msrp_wire::{ByteRange, FailureReport, Status, TransactionId, encode};

use super::forward::failure;
use super::{Relay, Timer};
use crate::connection::ConnectionId;
use crate::ledger::count;
use crate::outgoing::{Awaited, BackWay, Outgoing, Pending, PieceEnd, Transit};
use crate::refused::Refused;
use crate::users::Users;

impl<U: Users> Relay<U> {
    /// A connection has ended. The URIs of a client on it are no longer valid; what was not answered on it has failed.
    ///
    /// # Spec
    /// RFC 4976 s.6.3.
    pub fn handle_closed(&mut self, id: ConnectionId) {
        let sending = self.sender_goes(id);
        let Some(connection) = self.connections.remove(&id) else {
            return;
        };
        self.unused.remove(&(connection.filed, id));
        self.version = self.version.wrapping_add(1);
        // Nothing leads to this connection any more before anything is told that it has ended.
        for session in connection.bound {
            if let Some(handle) = self.handles.get_mut(session) {
                handle.peers.retain(|(_, peer)| *peer != id);
            }
        }
        for session in connection.owned {
            self.drop_handle(session);
        }
        if let Some(hop) = connection.hop {
            self.drop_hop(hop);
        }
        if let Some(name) = &connection.facts.relay {
            self.relays.remove(&(name.to_ascii_lowercase().into(), id));
        }
        let mut lost = Vec::new();
        for transaction in connection.awaited {
            if let Some(pending) = self.pending.remove(&(id, transaction)) {
                if let Some(deadline) = pending.deadline {
                    self.timers
                        .remove(&(deadline, Timer::Answer(id, transaction)));
                }
                lost.push(pending.awaited);
            }
        }
        for awaited in lost {
            self.awaited_failed(awaited, Refused::Lost);
        }
        if let Some(transit) = sending {
            self.finish(transit);
        }
        self.check_invariants_in_debug();
    }

    pub(super) fn take_pending(
        &mut self,
        connection: ConnectionId,
        id: TransactionId,
    ) -> Option<Pending> {
        let pending = self.pending.remove(&(connection, id))?;
        if let Some(deadline) = pending.deadline {
            self.timers
                .remove(&(deadline, Timer::Answer(connection, id)));
        }
        if let Some(connection) = self.connections.get_mut(&connection) {
            connection.awaited.remove(&id);
            connection.unasked.retain(|unasked| *unasked != id);
        }
        Some(pending)
    }

    /// 30 s have passed: a failure where an acknowledgement was asked for; no bad news where only those were.
    ///
    /// # Spec
    /// RFC 4976 s.6.4.1.
    pub(super) fn answer_is_late(&mut self, connection: ConnectionId, id: TransactionId) {
        let Some(pending) = self.take_pending(connection, id) else {
            return;
        };
        match pending.awaited {
            Awaited::Piece(key) => {
                let report = self.transits.get(key).map(|transit| transit.failure_report);
                match report {
                    Some(FailureReport::Yes) => {
                        self.piece_ended(key, PieceEnd::Failed(failure(Refused::Timeout)))
                    }
                    Some(FailureReport::Partial | FailureReport::No) => {
                        self.piece_ended(key, PieceEnd::Sent)
                    }
                    None => {}
                }
            }
            awaited @ Awaited::Request(_) => self.awaited_failed(awaited, Refused::Timeout),
        }
    }

    pub(super) fn no_answer_is_due(&mut self, connection: ConnectionId, id: TransactionId) {
        if let Some(Awaited::Piece(key)) = self
            .take_pending(connection, id)
            .map(|pending| pending.awaited)
        {
            self.piece_ended(key, PieceEnd::Sent);
        }
    }

    /// A request that never left.
    pub(super) fn outgoing_failed(&mut self, outgoing: Outgoing, refused: Refused) {
        match outgoing {
            Outgoing::Piece { transit, .. } => {
                self.awaited_failed(Awaited::Piece(transit), refused)
            }
            Outgoing::Frame {
                awaited: Some(awaited),
                ..
            } => self.awaited_failed(awaited, refused),
            Outgoing::Frame { awaited: None, .. } => count(&mut self.sums.reports_dropped),
        }
    }

    pub(super) fn awaited_failed(&mut self, awaited: Awaited, refused: Refused) {
        match awaited {
            Awaited::Piece(transit) => {
                self.piece_ended(transit, PieceEnd::Failed(failure(refused)))
            }
            Awaited::Request(back) => self.answer_back(&back, refused),
        }
    }

    /// Answers a forwarded request in the place of who does not.
    fn answer_back(&mut self, back: &BackWay, refused: Refused) {
        let mut octets = Vec::new();
        let status = refused.status();
        let phrase = Some(status.phrase());
        encode::response(
            &mut octets,
            back.id,
            status,
            phrase,
            &back.route.from_path,
            &back.route.via,
        );
        self.write(back.connection, octets);
    }

    pub(super) fn piece_ended(&mut self, key: Key, end: PieceEnd) {
        let Some(transit) = self.transits.get_mut(key) else {
            return;
        };
        transit.pieces = transit.pieces.saturating_sub(1);
        match end {
            PieceEnd::Delivered => count(&mut self.sums.pieces_delivered),
            PieceEnd::Sent => count(&mut self.sums.pieces_sent),
            PieceEnd::Failed(failure) => {
                transit.failure.get_or_insert(failure);
                let sum = if failure.is_refusal {
                    &mut self.sums.pieces_refused
                } else {
                    &mut self.sums.pieces_failed
                };
                count(sum);
                self.fail_open(key, failure);
            }
        }
        self.finish(key);
    }

    /// Ends a SEND when all of it has come and every piece has ended, and tells its sender of a failure.
    ///
    /// # Spec
    /// RFC 4976 s.6.4.1, s.6.4.3.
    pub(super) fn finish(&mut self, key: Key) {
        let is_over = |transit: &Transit| !transit.is_open && transit.pieces == 0;
        if !self.transits.get(key).is_some_and(is_over) {
            return;
        }
        let Some(transit) = self.transits.remove(key) else {
            return;
        };
        match (transit.failure, transit.failure_report) {
            (None, FailureReport::Yes) => return count(&mut self.sums.delivered),
            (None, FailureReport::Partial | FailureReport::No) => {
                return count(&mut self.sums.sent);
            }
            (Some(failure), _) if failure.is_refusal => count(&mut self.sums.refused),
            (Some(_), _) => count(&mut self.sums.failed),
        }
        if transit.is_told {
            count(&mut self.sums.told_by_response);
        } else if !is_failure_report_due(transit.failure_report) {
            count(&mut self.sums.told_nothing);
        } else if self.connections.contains_key(&transit.previous) {
            self.report(&transit);
            count(&mut self.sums.told_by_report);
        } else {
            count(&mut self.sums.sender_gone);
        }
    }

    /// One REPORT on all octets of a SEND.
    fn report(&mut self, transit: &Transit) {
        let Some(failure) = transit.failure else {
            return;
        };
        let last = transit
            .start
            .saturating_sub(1)
            .saturating_add(transit.octets);
        let report = encode::Report {
            message_id: transit.message_id,
            byte_range: Some(ByteRange {
                start: transit.start,
                end: Some(last),
                total: transit.total,
            }),
            status: Status::new(failure.status),
            comment: Some(failure.status.phrase()),
            body: None,
        };
        let mut octets = Vec::new();
        let id = self.ids.transaction_id();
        encode::report(
            &mut octets,
            id,
            &transit.route.from_path,
            &transit.route.via,
            &report,
        );
        self.write(transit.previous, octets);
    }
}
