//! One order in which the messages of a room begin.

use std::collections::{BTreeMap, BTreeSet};

use super::{Oracle, Verdict};
use crate::message::Number;

impl Oracle {
    /// There is one order that all participants agree with: who sees one message begin right after another is an edge,
    /// and no way along the edges leads back.
    ///
    /// # Errors
    /// The messages of a circle.
    pub(crate) fn check_order(&self) -> Verdict {
        let mut after: BTreeMap<Number, BTreeSet<Number>> = BTreeMap::new();
        let mut before: BTreeMap<Number, usize> = BTreeMap::new();
        for witness in &self.witnesses {
            for pair in witness.starts.windows(2) {
                if let [one, other] = *pair
                    && after.entry(one).or_default().insert(other)
                {
                    *before.entry(other).or_default() += 1;
                    before.entry(one).or_default();
                }
            }
        }
        let mut free: Vec<Number> = before
            .iter()
            .filter(|(_, count)| **count == 0)
            .map(|(number, _)| *number)
            .collect();
        let mut left = before.len();
        while let Some(number) = free.pop() {
            left -= 1;
            for next in after.get(&number).into_iter().flatten() {
                let count = before.entry(*next).or_default();
                *count -= 1;
                if *count == 0 {
                    free.push(*next);
                }
            }
        }
        if left == 0 {
            return Ok(());
        }
        before.retain(|_, count| *count > 0);
        Err(format!(
            "participants disagree on the order in which messages began: {:?}",
            before.keys().collect::<Vec<_>>()
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::temper::Temper;

    #[test]
    fn order_of_participants_that_disagree_is_seen() {
        let mut oracle = Oracle::default();
        for starts in [vec![1, 2, 4], vec![2, 3, 4], vec![1, 3]] {
            oracle.add_witness(0, Temper::Correct, "a");
            oracle.witnesses.last_mut().unwrap().starts = starts;
        }
        assert!(oracle.check_order().is_ok());
        oracle.add_witness(0, Temper::Correct, "a");
        oracle.witnesses.last_mut().unwrap().starts = vec![4, 1];
        assert!(oracle.check_order().is_err());
    }
}
