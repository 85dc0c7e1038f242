//! Whether a request outside of any dialog may begin a transaction, and how room is made for it.
//!
//! The order is: what concerns everybody, then the bounds of its source, then room. A request that is kept out is answered
//! without a transaction, so that it costs no memory. Neighbours that are trusted have no bounds of their own: behind them
//! are many.
//!
//! What begins sessions comes first: all other requests leave a quarter of the room for transactions and dialogs to it.
//!
//! An INVITE without ACK, and a BYE or NOTIFY of ours without answer, stand for 64 T1 by the standard. When there are too
//! many INVITEs and BYEs, or NOTIFYs, the oldest of them is given up after [`UNFINISHED_T1_MULTIPLE`] times T1: an ACK that
//! was lost has come again by then. A session whose ACK is given up ends without a BYE, which is forbidden before the ACK
//! (RFC 3261 s.15); what its peer sends in it later is answered 481.

use msrp_control::Source;
use rsipstack::transaction::key::TransactionKey;
use tokio::time::Instant;

use super::Engine;
use crate::ua::{DialogEnd, DialogId, Method, UaEvent};
use crate::ua_rsipstack::limits::UNFINISHED_T1_MULTIPLE;
use crate::ua_rsipstack::net::Arrival;
use crate::ua_rsipstack::refusals::Bound;
use crate::ua_rsipstack::screen::Incoming;
use crate::ua_rsipstack::sources::Count;
use crate::ua_rsipstack::unfinished::Kind;

impl Engine {
    /// Whether a request outside of any dialog may begin a transaction.
    ///
    /// # Errors
    /// The bound that keeps it out.
    pub(super) fn admit(
        &mut self,
        incoming: &Incoming,
        arrival: &Arrival,
        method: &Method,
    ) -> Result<(), Bound> {
        let kind = match method {
            Method::Invite => Some(Kind::Session),
            Method::Subscribe | Method::Refer => Some(Kind::Subscription),
            _ => None,
        };
        let share = |max: usize| match kind {
            Some(Kind::Session) => max,
            Some(Kind::Subscription) | None => max - max / 4,
        };
        if let Some(source) = self.bounded_source(arrival) {
            self.admit_source(source, incoming, method)?;
        }
        if self.refuses_new {
            return Err(Bound::Memory);
        }
        if self.is_busy() {
            return Err(Bound::Events);
        }
        if self.stack.len() >= share(self.settings.transactions_max) {
            return Err(Bound::Transactions);
        }
        let Some(kind) = kind else { return Ok(()) };
        if self.dialogs.len() >= share(self.settings.dialogs_max) {
            return Err(Bound::Dialogs);
        }
        if self.unfinished.len_of(kind) >= self.settings.unfinished_max {
            self.give_up_oldest(kind).ok_or(Bound::Unfinished)?;
        }
        Ok(())
    }

    fn admit_source(
        &mut self,
        source: Source,
        incoming: &Incoming,
        method: &Method,
    ) -> Result<(), Bound> {
        match self.sources.count(source, Instant::now()) {
            Count::Within => {}
            Count::First => {
                tracing::warn!(%source, call_id = %incoming.ids.call_id, "a source sends too many SIP requests in a second");
                return Err(Bound::SourceRequests);
            }
            Count::Beyond => return Err(Bound::SourceRequests),
        }
        let max = self.settings.source_unfinished_max;
        if *method == Method::Invite && max > 0 && self.unfinished.count_of(source) >= max {
            return Err(Bound::SourceUnfinished);
        }
        Ok(())
    }

    /// The source of a request, if it has bounds of its own.
    pub(super) fn bounded_source(&self, arrival: &Arrival) -> Option<Source> {
        let address = arrival.peer().address.ip().to_canonical();
        let mut trusted = self.settings.trusted_peers.iter();
        (!trusted.any(|net| net.contains(&address))).then(|| Source::of(address))
    }

    /// Gives up what of this kind has waited for its peer longest; `None` when nothing has waited long enough.
    fn give_up_oldest(&mut self, kind: Kind) -> Option<()> {
        let hold = self.settings.times.t1 * UNFINISHED_T1_MULTIPLE;
        let since = Instant::now().checked_sub(hold)?;
        let key = self.unfinished.oldest(kind, since)?;
        self.refusals.count_given_up();
        self.give_up(&key);
        Some(())
    }

    /// Gives up all that has waited for its peer long enough, since memory is short.
    pub(super) fn give_up_old(&mut self) {
        for kind in [Kind::Session, Kind::Subscription] {
            while self.give_up_oldest(kind).is_some() {}
        }
    }

    fn give_up(&mut self, key: &TransactionKey) {
        self.stack.forget_transaction(key);
        self.unfinished.end(key);
        self.give_up_client(key);
        let Some(transaction) = self.server_of.remove(key) else {
            return;
        };
        let Some(server) = self.servers.remove(&transaction) else {
            return;
        };
        let dialog = server.dialog.and_then(|id| self.dialogs.get_mut(id));
        let unacked = dialog.filter(|d| d.unacked.as_ref().is_some_and(|u| u.key == *key));
        if let Some(id) = unacked.map(|dialog| dialog.id) {
            self.end_without_bye(id);
        }
    }

    fn end_without_bye(&mut self, id: DialogId) {
        self.end_pending(id);
        let dialog = self.dialogs.remove(id);
        match dialog.and_then(|dialog| dialog.held_bye) {
            // The focus has ended the dialog already.
            Some((transaction, _)) => self.fail_at_once(transaction, 408),
            None => self.emit(UaEvent::Ended {
                dialog: id,
                why: DialogEnd::NoAck,
            }),
        }
    }

    /// Ends a transaction in place of the peer or of the network.
    pub(super) fn drop_transaction(&mut self, key: &TransactionKey) {
        self.stack.drop_transaction(key);
        self.unfinished.end(key);
    }
}
