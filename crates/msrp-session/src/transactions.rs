//! Requests of ours whose answer may still come.

use std::collections::VecDeque;
use std::rc::Rc;

use msrp_wire::TransactionId;

use crate::Timestamp;
use crate::limits::{TRANSACTIONS_MAX, UNASKED_MAX};

/// A request of ours. A piece has the same id towards all its recipients, so that it is one question to all of them.
#[derive(Debug)]
pub struct Question<T> {
    /// Its transaction id.
    pub id: TransactionId,
    /// When the answer is late. `None`: an answer was not asked for, only an error may come.
    pub deadline: Option<Timestamp>,
    /// What it is about.
    pub context: T,
}

/// The outstanding transactions of one session, oldest first.
///
/// Peers answer in the order in which they were asked nearly always, so the look-up starts at the
/// oldest: O(1) then, O(n) at worst with n bounded by [`TRANSACTIONS_MAX`]. Sixteen octets for each; when it
/// becomes empty it keeps at most 256.
#[derive(Debug)]
pub struct Transactions<T> {
    pending: VecDeque<Pending<T>>,
}

#[derive(Debug)]
struct Pending<T> {
    question: Rc<Question<T>>,
    /// Whether the copy is complete once this is answered.
    is_last: bool,
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

    /// Remembers a request that was sent, and whether its answer completes a copy. Deadlines must not decrease.
    /// Returns the oldest one when it had to be forgotten and an answer to it had been asked for.
    pub fn open(&mut self, question: Rc<Question<T>>, is_last: bool) -> Option<Rc<Question<T>>> {
        let bound = match self.pending.front() {
            Some(front) if front.question.deadline.is_none() => UNASKED_MAX,
            Some(_) | None => TRANSACTIONS_MAX,
        };
        let oldest = if self.pending.len() >= bound {
            self.pending.pop_front()
        } else {
            None
        };
        self.pending.push_back(Pending { question, is_last });
        oldest
            .map(|pending| pending.question)
            .filter(|question| question.deadline.is_some())
    }

    /// Takes the transaction that a response names, and whether it completes a copy.
    pub fn answer(&mut self, id: &TransactionId) -> Option<(Rc<Question<T>>, bool)> {
        let position = self.pending.iter().position(|p| p.question.id == *id)?;
        let pending = self.pending.remove(position)?;
        self.release();
        Some((pending.question, pending.is_last))
    }

    /// Whether a response of this id would be taken.
    #[must_use]
    pub fn is_open(&self, id: &TransactionId) -> bool {
        self.pending.iter().any(|p| p.question.id == *id)
    }

    /// Takes the oldest transaction whose time is over. Call until `None`.
    pub fn expire(&mut self, now: Timestamp) -> Option<Rc<Question<T>>> {
        let is_over = |deadline: Timestamp| deadline <= now;
        let position = self
            .pending
            .iter()
            .position(|p| p.question.deadline.is_some_and(is_over))?;
        let pending = self.pending.remove(position)?;
        self.release();
        Some(pending.question)
    }

    /// The earliest moment at which [`Transactions::expire`] has something.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        self.pending.iter().find_map(|p| p.question.deadline)
    }

    /// Whether the answer to the oldest of those whose context passes completes a copy, to change it.
    pub fn oldest_is_last(&mut self, is_wanted: impl Fn(&T) -> bool) -> Option<&mut bool> {
        let oldest = |p: &&mut Pending<T>| is_wanted(&p.question.context);
        self.pending.iter_mut().find(oldest).map(|p| &mut p.is_last)
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

    /// An idle session keeps little heap.
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

    fn ask<T>(n: u128, deadline: Option<u64>, context: T) -> Rc<Question<T>> {
        Rc::new(Question {
            id: id(n),
            deadline: deadline.map(Timestamp::from_ns),
            context,
        })
    }

    fn answer<T: Copy>(transactions: &mut Transactions<T>, n: u128) -> Option<T> {
        Some(transactions.answer(&id(n))?.0.context)
    }

    fn expire<T: Copy>(transactions: &mut Transactions<T>, ns: u64) -> Option<T> {
        Some(transactions.expire(Timestamp::from_ns(ns))?.context)
    }

    #[test]
    fn transaction_answered_out_of_order_is_found() {
        let mut t = Transactions::new();
        for n in 0..3 {
            assert!(t.open(ask(n, Some(30), n), n == 1).is_none());
        }
        let (question, is_last) = t.answer(&id(1)).unwrap();
        assert_eq!((question.context, is_last), (1, true));
        assert_eq!(answer(&mut t, 1), None);
        assert_eq!(t.len(), 2);
    }

    // covers: MSRP-4975-7.1.1-07, MSRP-4975-7.1.1-08
    #[test]
    fn transaction_unanswered_expires_only_where_an_answer_was_asked_for() {
        let mut t = Transactions::new();
        t.open(ask(1, None, "partial"), true);
        t.open(ask(2, Some(30), "yes"), true);
        assert_eq!(t.deadline(), Some(Timestamp::from_ns(30)));
        assert_eq!(expire(&mut t, 29), None);
        assert_eq!(expire(&mut t, 30), Some("yes"));
        assert_eq!(expire(&mut t, u64::MAX), None);
        assert_eq!(answer(&mut t, 1), Some("partial"));
    }

    #[test]
    fn transaction_over_the_bound_forgets_the_oldest_and_tells() {
        let mut t = Transactions::new();
        for n in 0..TRANSACTIONS_MAX as u128 {
            t.open(ask(n, Some(0), n), true);
        }
        assert_eq!(t.len(), TRANSACTIONS_MAX);
        let forgotten = t.open(ask(u128::MAX, None, u128::MAX), true);
        assert_eq!(forgotten.map(|question| question.context), Some(0));
        assert_eq!(t.len(), TRANSACTIONS_MAX);
    }

    #[test]
    fn transaction_without_asked_answer_is_kept_for_the_last_few_only() {
        let mut t = Transactions::new();
        for n in 0..1000 {
            assert!(t.open(ask(n, None, n), true).is_none());
        }
        assert_eq!(t.len(), UNASKED_MAX);
        assert_eq!(answer(&mut t, 999), Some(999));
    }

    #[test]
    fn transaction_asked_for_is_kept_behind_those_that_are_not() {
        let mut t = Transactions::new();
        for n in 0..10 {
            assert!(t.open(ask(n, None, n), false).is_none());
        }
        for n in 10..1000 {
            assert!(t.open(ask(n, Some(30), n), false).is_none());
        }
        assert_eq!(t.len(), 990, "the others made room");
        assert_eq!(answer(&mut t, 10), Some(10));
        assert!(!t.is_empty());
    }

    #[test]
    fn transaction_of_a_context_is_the_oldest_and_can_be_made_the_last() {
        let mut t = Transactions::new();
        for n in 0..4 {
            t.open(ask(n, Some(30), n % 2), n == 3);
        }
        assert_eq!(t.oldest_is_last(|context| *context == 1), Some(&mut false));
        *t.oldest_is_last(|context| *context == 1).unwrap() = true;
        assert!(t.answer(&id(1)).unwrap().1);
        assert_eq!(t.oldest_is_last(|context| *context == 1), Some(&mut true));
        assert_eq!(t.oldest_is_last(|context| *context == 9), None);
    }
}
