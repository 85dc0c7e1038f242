//! What the switch tells a sender of its own: REPORTs and final reports.

use std::rc::Rc;

use msrp_session::{Piece, PieceBody, PieceFields};
use msrp_switch::LegKey;
use msrp_wire::{MsrpUriBuf, encode, end_line_occurs};
use ring_io::Io;

use super::Shard;
use super::outbox::{Parcel, Recipient};
use crate::metrics::Cell;

impl<I: Io> Shard<I> {
    /// Sends a REPORT to the participant of a leg.
    pub(super) fn report(&mut self, leg: LegKey, report: encode::Report<'_>) {
        let Some(session) = self.sessions.get(leg) else {
            return;
        };
        let Some((conn, peer)) = session.bound().zip(session.peer()) else {
            return;
        };
        let Some(connection) = self.connections.get_mut(conn) else {
            return;
        };
        let mut id = self.ids.transaction_id();
        while report
            .body
            .is_some_and(|(_, body)| end_line_occurs([body], id))
        {
            id = self.ids.transaction_id();
        }
        let own: &MsrpUriBuf = &session.own;
        connection
            .outbox
            .push_control(|out| encode::report(out, id, peer, own, &report));
        self.environment
            .counters
            .count(Cell::of_report_sent(report.status.code));
        self.mark_dirty(conn);
    }

    /// Sends a message of the switch itself, which asks for no answer.
    pub(super) fn send_own(&mut self, leg: LegKey, fields: &PieceFields, body: PieceBody) {
        let ids = &mut self.ids;
        let piece = Rc::new(Piece::compose(fields, body, || ids.transaction_id()));
        let Some(session) = self.sessions.get_mut(leg) else {
            return;
        };
        let Some(conn) = session.bound() else {
            return;
        };
        if let Some(connection) = self.connections.get_mut(conn) {
            let paths = Rc::clone(&session.paths);
            let to = Recipient { leg: None, paths };
            connection.outbox.push_piece(&Parcel::plain(piece), to);
            self.environment.counters.count(Cell::PiecesSent);
            self.mark_dirty(conn);
        }
    }
}
