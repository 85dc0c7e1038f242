//! Pager mode: one MESSAGE in, one MESSAGE to each recipient out.
//!
//! ```text
//!   MESSAGE --> checks --> 202
//!                 `--> Explosion --> queue --pace--> copy --> answer of the recipient
//!                          |           ^                        | failure
//!                          v           |                        v
//!   notification --> Collection <------+------------------------'
//!                          `--- aggregate, or one alone, to the sender
//! ```
//! All MESSAGEs go through one queue with one pace, in which senders take turns. An address that has not answered the last one
//! gets no other until it has; what is for it waits apart.
//!
//! # Spec
//! PGR-8.3.1, PGR-8.3.2, SYS-5.4; RFC 3428 s.8, RFC 5365 s.7, RFC 5438 s.8; AMB-12, AMB-48, AMB-50 to
//! AMB-52.

mod collection;
mod door;
mod explosion;
mod history;
mod imdn;
mod notices;
mod payload;
mod policy;
mod queue;
mod rate;
mod supervision;
mod system_message;
mod turns;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use msrp_control::metrics::{Kind, Sample};

use crate::address::Uri;
use crate::focus::desk::CallId;
use crate::focus::pager::collection::Collection;
use crate::focus::pager::queue::{Item, Queue};
use crate::focus::pager::supervision::Supervision;
use crate::ua::TxnId;

pub(crate) use explosion::Recipient;
pub use policy::PagerPolicy;
pub use system_message::{SystemContent, SystemMessage, SystemMessageError};

/// Everything that pager mode keeps.
#[derive(Debug)]
pub(crate) struct Pager {
    queue: Queue,
    calls: HashMap<CallId, Item>,
    transactions: HashMap<TxnId, Item>,
    collections: BTreeMap<u64, Collection>,
    next_collection: u64,
    /// The collection of a message, by its name and the sender that recipients see.
    by_message: HashMap<(String, String), u64>,
    /// When Ts2 of a collection ends.
    deadlines: BTreeSet<(u64, u64)>,
    /// When a collection that only forwards may be forgotten.
    fading: BTreeSet<(u64, u64)>,
    /// Users who owe an answer to a message of the server.
    supervision: Supervision,
    taken_count: u64,
    failed_count: u64,
}

impl Pager {
    pub(crate) fn new(policy: &PagerPolicy) -> Self {
        Self {
            queue: Queue::new(policy.messages_per_s),
            calls: HashMap::new(),
            transactions: HashMap::new(),
            collections: BTreeMap::new(),
            next_collection: 0,
            by_message: HashMap::new(),
            deadlines: BTreeSet::new(),
            fading: BTreeSet::new(),
            supervision: Supervision::new(policy),
            taken_count: 0,
            failed_count: 0,
        }
    }

    /// Whether nothing waits to be sent or answered.
    pub(crate) fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.outstanding() == 0
    }

    /// When it wants to be looked at.
    pub(crate) fn deadline(&self) -> Option<u64> {
        let sends = self.queue.next_ns(self.outstanding());
        let ends = self.deadlines.first().map(|(at, _)| *at);
        let answers = self.supervision.deadline();
        sends.into_iter().chain(ends).chain(answers).min()
    }

    /// The MESSAGEs that wait to be sent.
    pub(crate) fn waiting_count(&self) -> usize {
        self.queue.len()
    }

    /// What became of the MESSAGEs that were sent.
    pub(crate) fn samples(&self) -> [Sample; 2] {
        let counter = |name, help, value| Sample {
            name,
            help,
            kind: Kind::Counter,
            labels: Vec::new(),
            value,
        };
        [
            counter(
                "msrp_sip_messages_taken_total",
                "MESSAGEs that were sent and answered with a 2xx.",
                self.taken_count,
            ),
            counter(
                "msrp_sip_messages_failed_total",
                "MESSAGEs that were not taken, or could not be sent.",
                self.failed_count,
            ),
        ]
    }

    /// Whether a user is not served because it owes an answer.
    pub(crate) fn blocks(&self, addresses: &[Uri]) -> bool {
        self.supervision.blocks(addresses)
    }

    fn outstanding(&self) -> usize {
        self.calls.len().saturating_add(self.transactions.len())
    }
}
