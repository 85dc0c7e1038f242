//! What became of every SEND.

/// Sums over the life of a relay.
///
/// Every SEND that was taken is in one of `delivered`, `sent`, `refused`, `failed` once its last piece has ended, and every
/// piece in one of the `pieces_` sums. [`Relay::check_invariants`](crate::Relay::check_invariants) compares them with what is
/// under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sums {
    /// SENDs that were taken to be forwarded.
    pub sends_taken: u64,
    /// SENDs that were refused before an octet of them was forwarded.
    pub sends_refused: u64,
    /// SENDs of which the next hop has acknowledged every piece.
    pub delivered: u64,
    /// SENDs that were written whole; no acknowledgement was asked for.
    pub sent: u64,
    /// SENDs of which the next hop refused a piece.
    pub refused: u64,
    /// SENDs that timed out, lost their connection or broke a bound.
    pub failed: u64,
    /// Pieces that were made.
    pub pieces_made: u64,
    /// Pieces that the next hop acknowledged.
    pub pieces_delivered: u64,
    /// Pieces that were written without an acknowledgement being asked for.
    pub pieces_sent: u64,
    /// Pieces that the next hop refused.
    pub pieces_refused: u64,
    /// Pieces that timed out or lost their connection.
    pub pieces_failed: u64,
    /// SENDs whose sender was told of the failure by a response.
    pub told_by_response: u64,
    /// SENDs whose sender was told of the failure by a REPORT.
    pub told_by_report: u64,
    /// SENDs that failed and whose sender did not ask to hear of it.
    pub told_nothing: u64,
    /// SENDs that failed and whose sender had gone.
    pub sender_gone: u64,
    /// Requests other than SEND that were forwarded.
    pub requests_forwarded: u64,
    /// Responses that were forwarded.
    pub responses_forwarded: u64,
    /// Responses that belong to nothing, or whose way back has gone.
    pub responses_dropped: u64,
    /// REPORTs that could not be forwarded.
    pub reports_dropped: u64,
    /// URIs that were given.
    pub handles_given: u64,
    /// Body octets that were copied because their piece was not complete at the end of a turn.
    pub octets_copied: u64,
}

impl Sums {
    /// SENDs that have ended.
    #[must_use]
    pub fn sends_ended(&self) -> u64 {
        [self.delivered, self.sent, self.refused, self.failed]
            .iter()
            .fold(0, |sum, one| sum.saturating_add(*one))
    }

    /// Pieces that have ended.
    #[must_use]
    pub fn pieces_ended(&self) -> u64 {
        let all = [
            self.pieces_delivered,
            self.pieces_sent,
            self.pieces_refused,
            self.pieces_failed,
        ];
        all.iter().fold(0, |sum, one| sum.saturating_add(*one))
    }

    /// SENDs that failed, by what their senders were told.
    #[must_use]
    pub fn failures_told(&self) -> u64 {
        let all = [
            self.told_by_response,
            self.told_by_report,
            self.told_nothing,
            self.sender_gone,
        ];
        all.iter().fold(0, |sum, one| sum.saturating_add(*one))
    }
}

/// Adds one.
pub(crate) fn count(sum: &mut u64) {
    *sum = sum.saturating_add(1);
}
