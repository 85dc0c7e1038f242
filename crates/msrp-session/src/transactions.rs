//! Requests of ours whose answer may still come.

use std::collections::VecDeque;

use msrp_wire::TransactionId;

use crate::Timestamp;
use crate::limits::{TRANSACTIONS_MAX, UNASKED_MAX};

/// The outstanding transactions of one session, oldest first.
///
/// Peers answer in the order in which they were asked nearly always, so the look-up starts at the
/// oldest: O(1) then, O(n) at worst with n bounded by [`TRANSACTIONS_MAX`]. Empty, it holds no heap.
#[derive(Debug)]
pub struct Transactions<T> {
    pending: VecDeque<Pending<T>>,
}

#[derive(Debug)]
struct Pending<T> {
    id: TransactionId,
    /// `None`: an answer was not asked for, only an error may come.
    deadline: Option<Timestamp>,
    context: T,
}

impl<T> Default for Transactions<T> {
    fn default() -> Self {
        Self {
            pending: VecDeque::new(),
        }
    }
}

impl<T> Transactions<T> {
    /// Nothing is outstanding.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Remembers a request that was sent. Deadlines must not decrease. Returns the context of the
    /// oldest transaction when it had to be forgotten and an answer to it had been asked for.
    pub fn open(
        &mut self,
        id: TransactionId,
        deadline: Option<Timestamp>,
        context: T,
    ) -> Option<T> {
        let bound = match self.pending.front() {
            Some(front) if front.deadline.is_none() => UNASKED_MAX,
            Some(_) | None => TRANSACTIONS_MAX,
        };
        let oldest = if self.pending.len() >= bound {
            self.pending.pop_front()
        } else {
            None
        };
        self.pending.push_back(Pending {
            id,
            deadline,
            context,
        });
        oldest.and_then(|p| p.deadline.map(|_| p.context))
    }

    /// Takes the transaction that a response names.
    pub fn answer(&mut self, id: &TransactionId) -> Option<T> {
        let position = self.pending.iter().position(|p| p.id == *id)?;
        let context = self.pending.remove(position)?.context;
        self.release();
        Some(context)
    }

    /// Whether a response of this id would be taken.
    #[must_use]
    pub fn is_open(&self, id: &TransactionId) -> bool {
        self.pending.iter().any(|p| p.id == *id)
    }

    /// Takes the oldest transaction whose time is over. Call until `None`.
    pub fn expire(&mut self, now: Timestamp) -> Option<T> {
        let position = self
            .pending
            .iter()
            .position(|p| p.deadline.is_some_and(|deadline| deadline <= now))?;
        let context = self.pending.remove(position)?.context;
        self.release();
        Some(context)
    }

    /// Forgets the transactions whose context does not pass.
    pub fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        self.pending.retain(|p| keep(&p.context));
        self.release();
    }

    /// The earliest moment at which [`Transactions::expire`] has something.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        self.pending.iter().find_map(|p| p.deadline)
    }

    /// What the outstanding transactions are about, to change it.
    pub fn contexts_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.pending.iter_mut().map(|p| &mut p.context)
    }

    /// How many are outstanding.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pending.len()
    }

    /// Whether nothing is outstanding.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// An idle session keeps no heap.
    fn release(&mut self) {
        if self.pending.is_empty() && self.pending.capacity() > IDLE_CAPACITY_MAX {
            self.pending = VecDeque::new();
        }
    }
}

/// Capacity kept by an empty table, in transactions; more is given back.
const IDLE_CAPACITY_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u128) -> TransactionId {
        TransactionId::from_random(n)
    }

    #[test]
    fn transaction_answered_out_of_order_is_found() {
        let mut t = Transactions::new();
        for n in 0..3 {
            assert_eq!(t.open(id(n), Some(Timestamp::from_ns(30)), n), None);
        }
        assert_eq!(t.answer(&id(1)), Some(1));
        assert_eq!(t.answer(&id(1)), None);
        assert_eq!(t.len(), 2);
    }

    // covers: MSRP-4975-7.1.1-07, MSRP-4975-7.1.1-08
    #[test]
    fn transaction_unanswered_expires_only_where_an_answer_was_asked_for() {
        let mut t = Transactions::new();
        t.open(id(1), None, "partial");
        t.open(id(2), Some(Timestamp::from_ns(30)), "yes");
        assert_eq!(t.deadline(), Some(Timestamp::from_ns(30)));
        assert_eq!(t.expire(Timestamp::from_ns(29)), None);
        assert_eq!(t.expire(Timestamp::from_ns(30)), Some("yes"));
        assert_eq!(t.expire(Timestamp::from_ns(u64::MAX)), None);
        assert_eq!(t.answer(&id(1)), Some("partial"));
    }

    #[test]
    fn transaction_over_the_bound_forgets_the_oldest_and_tells() {
        let mut t = Transactions::new();
        for n in 0..TRANSACTIONS_MAX as u128 {
            t.open(id(n), Some(Timestamp::default()), n);
        }
        assert_eq!(t.len(), TRANSACTIONS_MAX);
        assert_eq!(t.open(id(u128::MAX), None, u128::MAX), Some(0));
        assert_eq!(t.len(), TRANSACTIONS_MAX);
    }

    #[test]
    fn transaction_without_asked_answer_is_kept_for_the_last_few_only() {
        let mut t = Transactions::new();
        for n in 0..1000 {
            assert_eq!(t.open(id(n), None, n), None);
        }
        assert_eq!(t.len(), UNASKED_MAX);
        assert_eq!(t.answer(&id(999)), Some(999));
    }

    #[test]
    fn transaction_asked_for_is_kept_behind_those_that_are_not() {
        let mut t = Transactions::new();
        for n in 0..10 {
            assert_eq!(t.open(id(n), None, n), None);
        }
        for n in 10..1000 {
            assert_eq!(t.open(id(n), Some(Timestamp::from_ns(30)), n), None);
        }
        assert_eq!(t.len(), 990, "the others made room");
        assert_eq!(t.answer(&id(10)), Some(10));
        t.retain(|n| n % 2 == 0);
        assert_eq!(t.answer(&id(11)), None);
        assert_eq!(t.contexts_mut().next(), Some(&mut 12));
        assert!(!t.is_empty());
    }
}
