//! The MESSAGEs that wait to be sent.
//!
//! Copies are kept as numbers into what they are copies of, and written when they go: a MESSAGE to
//! a thousand recipients is held once.
//!
//! # Spec
//! RFC 3428 s.8: one MESSAGE to an address at a time.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::address::Uri;
use crate::focus::pager::explosion::{Explosion, Recipient};
use crate::focus::pager::rate::Rate;
use crate::focus::pager::turns::Turns;
use crate::limits::{PAGER_COPIES_MAX, PAGER_OCTETS_MAX, PAGER_OUTSTANDING_MAX};
use crate::ua::OutRequest;

/// One MESSAGE to send, or that was sent.
#[derive(Debug)]
pub(crate) enum Item {
    /// A copy, by the number of its recipient.
    Copy(Arc<Explosion>, usize),
    /// A MESSAGE of our own to this address.
    Own(String, Box<OutRequest>),
    /// The same with several notifications of a collection, which can go one by one too.
    Aggregate(String, Box<OutRequest>, u64, Vec<String>),
}

/// The queue.
#[derive(Debug)]
pub(crate) struct Queue {
    ready: Turns<Item>,
    /// Those that waited for an answer which has come; their address stays theirs.
    freed: VecDeque<Item>,
    /// Addresses that owe an answer, and what waits for it.
    busy: HashMap<String, VecDeque<Item>>,
    held_count: usize,
    octets: usize,
    rate: Rate,
}

impl Item {
    /// The recipient of a copy.
    pub(crate) fn recipient(&self) -> Option<&Recipient> {
        match self {
            Self::Copy(explosion, place) => explosion.recipients.get(*place),
            Self::Own(..) | Self::Aggregate(..) => None,
        }
    }

    /// The request to send.
    pub(crate) fn request(&self) -> Option<OutRequest> {
        match self {
            Self::Copy(explosion, _) => Some(explosion.copy(self.recipient()?)),
            Self::Own(_, request) | Self::Aggregate(_, request, ..) => {
                Some(request.as_ref().clone())
            }
        }
    }

    fn key(&self) -> String {
        match self {
            Self::Copy(..) => self.recipient().map(|r| r.uri.key()),
            Self::Own(address, _) | Self::Aggregate(address, ..) => {
                Uri::parse(address).ok().map(|uri| uri.key())
            }
        }
        .unwrap_or_default()
    }

    fn own_octets(&self) -> usize {
        match self {
            Self::Copy(..) => 0,
            Self::Own(_, request) | Self::Aggregate(_, request, ..) => {
                request.body.as_ref().map_or(0, |b| b.octets.len())
            }
        }
    }
}

impl Queue {
    pub(crate) fn new(per_s: u32) -> Self {
        Self {
            ready: Turns::new(),
            freed: VecDeque::new(),
            busy: HashMap::new(),
            held_count: 0,
            octets: 0,
            rate: Rate::new(per_s),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.ready
            .len()
            .saturating_add(self.freed.len())
            .saturating_add(self.held_count)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether so many MESSAGEs with so many octets find room.
    pub(crate) fn has_room(&self, count: usize, octets: usize) -> bool {
        self.len().saturating_add(count) <= PAGER_COPIES_MAX
            && self.octets.saturating_add(octets) <= PAGER_OCTETS_MAX
    }

    /// Takes all copies of a MESSAGE of this sender.
    pub(crate) fn push_copies(&mut self, sender: &str, explosion: Explosion) {
        if explosion.recipients.is_empty() {
            return;
        }
        self.octets = self.octets.saturating_add(explosion.octets());
        let explosion = Arc::new(explosion);
        for place in 0..explosion.recipients.len() {
            self.ready
                .push(sender, Item::Copy(explosion.clone(), place));
        }
    }

    /// Takes a MESSAGE of our own. Those to one address are one sender's.
    pub(crate) fn push_own(&mut self, item: Item) {
        self.octets = self.octets.saturating_add(item.own_octets());
        let sender = format!("to {}", item.key());
        self.ready.push(&sender, item);
    }

    /// The next MESSAGE that may leave now.
    pub(crate) fn next(&mut self, now: u64, outstanding: usize) -> Option<Item> {
        if outstanding >= PAGER_OUTSTANDING_MAX {
            return None;
        }
        if now < self.rate.next_ns() {
            return None;
        }
        if let Some(item) = self.freed.pop_front() {
            self.rate.take(now);
            return Some(item);
        }
        while let Some(item) = self.ready.pop() {
            let key = item.key();
            if let Some(held) = self.busy.get_mut(&key) {
                held.push_back(item);
                self.held_count = self.held_count.saturating_add(1);
                continue;
            }
            self.rate.take(now);
            self.busy.insert(key, VecDeque::new());
            return Some(item);
        }
        None
    }

    /// A MESSAGE was answered: the next one to its address may go.
    pub(crate) fn answered(&mut self, item: Item) {
        let key = item.key();
        match self.busy.get_mut(&key).and_then(VecDeque::pop_front) {
            Some(next) => {
                self.held_count = self.held_count.saturating_sub(1);
                self.freed.push_back(next);
            }
            None => {
                self.busy.remove(&key);
            }
        }
        let freed = match item {
            Item::Copy(explosion, _) => Arc::into_inner(explosion).map_or(0, |e| e.octets()),
            own @ (Item::Own(..) | Item::Aggregate(..)) => own.own_octets(),
        };
        self.octets = self.octets.saturating_sub(freed);
    }

    /// When the next MESSAGE may leave; `None` while none can.
    pub(crate) fn next_ns(&self, outstanding: usize) -> Option<u64> {
        let has_some = self.ready.len() > 0 || !self.freed.is_empty();
        let may_send = has_some && outstanding < PAGER_OUTSTANDING_MAX;
        may_send.then(|| self.rate.next_ns())
    }
}
