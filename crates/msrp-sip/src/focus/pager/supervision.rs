//! Users who owe an answer to a message of the server.
//!
//! ```text
//!   message --> waits --answer--> nothing is owed
//!                `--Ts1 ends--> overdue --answer--> nothing is owed
//! ```
//! Kept in memory alone: a restart forgets what is owed.
//!
//! # Spec
//! SYS-5.4-07, TMR-15.1-01; AMB-63.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::address::Uri;
use crate::focus::pager::PagerPolicy;
use crate::limits::{ANSWERS_OWED_MAX, NS_PER_S};

/// Who owes an answer, by the key of the address.
#[derive(Debug)]
pub(crate) struct Supervision {
    wait_ns: u64,
    blocks_overdue: bool,
    waiting: HashMap<String, u64>,
    deadlines: BTreeSet<(u64, String)>,
    overdue: HashSet<String>,
}

impl Supervision {
    pub(crate) fn new(policy: &PagerPolicy) -> Self {
        Self {
            wait_ns: policy.answer_wait_s.saturating_mul(NS_PER_S),
            blocks_overdue: policy.block_unanswered,
            waiting: HashMap::new(),
            deadlines: BTreeSet::new(),
            overdue: HashSet::new(),
        }
    }

    /// Whether so many more may owe an answer.
    pub(crate) fn has_room(&self, count: usize) -> bool {
        let owed = self.waiting.len().saturating_add(self.overdue.len());
        owed.saturating_add(count) <= ANSWERS_OWED_MAX
    }

    /// Starts Ts1 for a user, anew when it runs; not at all when it is 0.
    pub(crate) fn expect(&mut self, now: u64, user: &Uri) {
        if self.wait_ns == 0 {
            return;
        }
        let key = user.key();
        let ends_ns = now.saturating_add(self.wait_ns);
        if let Some(old) = self.waiting.insert(key.clone(), ends_ns) {
            self.deadlines.remove(&(old, key.clone()));
        }
        self.deadlines.insert((ends_ns, key));
    }

    /// A user answered. Whether it owed an answer.
    pub(crate) fn on_answer(&mut self, addresses: &[Uri]) -> bool {
        let mut has_owed = false;
        for key in addresses.iter().map(Uri::key) {
            if let Some(ends_ns) = self.waiting.remove(&key) {
                self.deadlines.remove(&(ends_ns, key.clone()));
                has_owed = true;
            }
            has_owed |= self.overdue.remove(&key);
        }
        has_owed
    }

    /// Whether a user is not served until it answers.
    pub(crate) fn blocks(&self, addresses: &[Uri]) -> bool {
        self.blocks_overdue && addresses.iter().any(|a| self.overdue.contains(&a.key()))
    }

    /// When [`Supervision::handle_timeout`] has something to do.
    pub(crate) fn deadline(&self) -> Option<u64> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// Ts1 of some users may have ended.
    pub(crate) fn handle_timeout(&mut self, now: u64) {
        while let Some((at, key)) = self.deadlines.pop_first() {
            if at > now {
                self.deadlines.insert((at, key));
                break;
            }
            self.waiting.remove(&key);
            tracing::info!("a user did not answer a message of the server in time");
            self.overdue.insert(key);
        }
    }

    /// Nobody owes anything any more.
    pub(crate) fn clear(&mut self) {
        self.waiting.clear();
        self.deadlines.clear();
        self.overdue.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn supervision(answer_wait_s: u64, block_unanswered: bool) -> Supervision {
        Supervision::new(&PagerPolicy {
            answer_wait_s,
            block_unanswered,
            ..PagerPolicy::default()
        })
    }

    fn bob() -> [Uri; 2] {
        ["tel:+1555", "sip:bob@h"].map(|u| Uri::parse(u).unwrap())
    }

    // covers: SYS-5.4-07, TMR-15.1-01
    #[test]
    fn user_is_blocked_from_the_end_of_the_timer_until_the_answer() {
        let mut s = supervision(10, true);
        s.expect(0, &bob()[1]);
        s.expect(NS_PER_S, &bob()[1]);
        assert_eq!(s.deadline(), Some(11 * NS_PER_S));
        s.handle_timeout(10 * NS_PER_S);
        assert!(!s.blocks(&bob()));
        s.handle_timeout(11 * NS_PER_S);
        assert!(s.blocks(&bob()));
        assert_eq!(s.deadline(), None);
        assert!(s.on_answer(&bob()));
        assert!(!s.blocks(&bob()) && !s.on_answer(&bob()));
    }

    // covers: TMR-15.1-01
    #[test]
    fn answer_in_time_stops_the_timer() {
        let mut s = supervision(10, true);
        s.expect(0, &bob()[1]);
        assert!(s.on_answer(&bob()));
        assert_eq!(s.deadline(), None);
        s.handle_timeout(11 * NS_PER_S);
        assert!(!s.blocks(&bob()));
    }

    #[test]
    fn timer_of_zero_and_lenient_operator_block_nobody() {
        for (wait_s, blocks) in [(0, true), (1, false)] {
            let mut s = supervision(wait_s, blocks);
            s.expect(0, &bob()[1]);
            s.handle_timeout(2 * NS_PER_S);
            assert!(!s.blocks(&bob()));
        }
    }
}
