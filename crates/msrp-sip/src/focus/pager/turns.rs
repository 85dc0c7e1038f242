//! Senders take turns: a message to three does not wait for the thousand copies of somebody else.
//!
//! What one sender sends keeps its order.

use std::collections::{HashMap, VecDeque};

/// Things that wait, by sender.
#[derive(Debug)]
pub(crate) struct Turns<T> {
    /// The senders of whom something waits, each once; the first has the turn.
    order: VecDeque<String>,
    /// Not empty for those in the order.
    waiting: HashMap<String, VecDeque<T>>,
    count: usize,
}

impl<T> Turns<T> {
    pub(crate) fn new() -> Self {
        Self {
            order: VecDeque::new(),
            waiting: HashMap::new(),
            count: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.count
    }

    pub(crate) fn push(&mut self, sender: &str, item: T) {
        self.count = self.count.saturating_add(1);
        if let Some(waiting) = self.waiting.get_mut(sender) {
            return waiting.push_back(item);
        }
        self.waiting
            .insert(sender.to_owned(), VecDeque::from([item]));
        self.order.push_back(sender.to_owned());
    }

    /// The next thing of the sender whose turn it is.
    pub(crate) fn pop(&mut self) -> Option<T> {
        let sender = self.order.pop_front()?;
        let waiting = self.waiting.get_mut(&sender)?;
        let item = waiting.pop_front()?;
        self.count = self.count.saturating_sub(1);
        if waiting.is_empty() {
            self.waiting.remove(&sender);
        } else {
            self.order.push_back(sender);
        }
        Some(item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn senders_take_turns_and_keep_their_own_order() {
        let mut turns = Turns::new();
        for item in ["a1", "a2", "a3", "b1", "c1", "c2"] {
            turns.push(item.get(..1).unwrap(), item);
        }
        assert_eq!(turns.len(), 6);
        let order: Vec<_> = std::iter::from_fn(|| turns.pop()).collect();
        assert_eq!(order, ["a1", "b1", "c1", "a2", "c2", "a3"]);
        assert_eq!(turns.len(), 0);
        turns.push("a", "again");
        assert_eq!(turns.pop(), Some("again"));
    }
}
