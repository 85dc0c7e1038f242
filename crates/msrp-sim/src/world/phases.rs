//! The parts of a world's life, and what has to be so at the end of each.

use std::cmp::Reverse;

use super::World;
use crate::oracle::Verdict;

const SECOND_NS: u64 = 1_000_000_000;

/// How long everything that waits may take to leave when the world has healed. A session that went silent is ended
/// after 30 s, a final report waits 30 s more.
const HEALED_NS_MAX: u64 = 120 * SECOND_NS;

/// The same when a relay could not pass on a part of something: a room waits 540 s for it, and an eighth of that longer.
const SILENT_NS_MAX: u64 = 700 * SECOND_NS;

/// How long those who mean harm are still there when the world has healed.
const SUSPENSE_NS: u64 = 5 * SECOND_NS;

/// How long a connection may live without a session, with the time that its peer has to close.
const LEFT_OVER_NS: u64 = 40 * SECOND_NS;

impl World {
    /// Lives to the end.
    ///
    /// # Errors
    /// What the oracle says.
    pub(super) fn live(&mut self) -> Verdict {
        for room in 0..self.plan.rooms {
            self.controller.create_room(room);
        }
        self.go_on(self.plan.talk_ns, |_| false)?;
        self.heal()?;
        self.probe()?;
        self.oracle.lost_by_relay = self.nodes.lost_by_relay();
        self.oracle.check_order()?;
        self.oracle.check_ledger()?;
        self.close()
    }

    fn heal(&mut self) -> Verdict {
        self.tell(|| "the world heals".to_owned());
        self.is_healed = true;
        self.kernel.borrow_mut().heal();
        self.wake_everybody();
        self.go_on(self.now_ns + SUSPENSE_NS, |_| false)?;
        // Of a sender that waits for a slow recipient it is not read that its connection has ended.
        self.go_on(self.now_ns + HEALED_NS_MAX, |world| {
            !world.is_anybody_slowed()
        })?;
        self.oracle.check_losses()?;
        for peer in 0..self.peers.len() {
            let witness = &self.oracle.witnesses[peer];
            let is_here = witness.maybe_from_ns.is_some() && !self.closed[witness.room];
            if is_here && !witness.temper.is_honest() && !self.peers[peer].is_deaf {
                let room = witness.room;
                self.oracle.remove(peer, self.now_ns);
                self.controller.remove(room, peer);
            }
        }
        self.ring();
        self.rest("heals")
    }

    /// Waits until nothing is under way any more.
    fn rest(&mut self, when: &str) -> Verdict {
        let most_ns = if self.nodes.lost_by_relay() > 0 {
            SILENT_NS_MAX
        } else {
            HEALED_NS_MAX
        };
        self.go_on(self.now_ns + most_ns, Self::is_quiet)?;
        if self.is_quiet() {
            return Ok(());
        }
        let mut restless = Vec::new();
        for peer in 0..self.peers.len() {
            let text = self.with_peer(peer, |peer, scene| {
                (!peer.is_quiet(scene)).then(|| peer.describe(scene))
            });
            restless.extend(text.flatten());
        }
        let shards = 0..self.nodes.shards_count();
        let holdings: Vec<_> = shards.map(|shard| self.nodes.holdings(shard)).collect();
        Err(format!(
            "the world {when} and does not come to rest: {restless:#?} {holdings:?}"
        ))
    }

    fn is_anybody_slowed(&self) -> bool {
        (0..self.nodes.shards_count()).any(|shard| self.nodes.holdings(shard).slowed > 0)
    }

    fn is_quiet(&mut self) -> bool {
        // A SEND that is under way at the relay ends with the connection that it comes on.
        let is_cut_off = |peer: &&crate::peer::Peer| peer.has_vanished && peer.is_relayed();
        let cut_off = self.peers.iter().filter(is_cut_off).count();
        // A relay does not pass the rest of a message on to who has refused it.
        let has_relay = self.plan.relay.is_some();
        let is_at_rest = |shard| {
            let holdings = self.nodes.holdings(shard);
            (holdings.is_idle || has_relay && holdings.is_waiting_for_ends)
                && holdings.waiting_octets == 0
                && holdings.unread_octets == 0
                && holdings.slowed == 0
                && holdings.relaying.0 <= cut_off
        };
        (0..self.nodes.shards_count()).all(is_at_rest)
            && self.controller.is_answered()
            && self.kernel.borrow().is_still()
            && (0..self.nodes.shards_count()).all(|shard| !self.kernel.borrow().has_news(shard))
            && (0..self.peers.len()).all(|peer| {
                self.with_peer(peer, |peer, scene| peer.is_quiet(scene))
                    .unwrap_or(true)
            })
    }

    /// Everybody who is left says something.
    fn probe(&mut self) -> Verdict {
        self.tell(|| "everybody says something".to_owned());
        for peer in 0..self.peers.len() {
            let witness = &self.oracle.witnesses[peer];
            let is_here = witness.surely_from_ns.is_some() && witness.gone_ns.is_none();
            if is_here
                && witness.temper.is_honest()
                && self.chance.one_in(1 + self.peers.len() as u64 / 10)
            {
                self.oracle.see("probe");
                self.with_peer(peer, |peer, scene| peer.probe(scene));
                self.wakes.push(Reverse((self.now_ns, peer)));
            }
        }
        self.rest("was asked to speak")
    }

    fn close(&mut self) -> Verdict {
        self.tell(|| "the rooms close".to_owned());
        for room in 0..self.closed.len() {
            if !self.closed[room] {
                self.close_room(room);
            }
        }
        self.leave_relay();
        self.ring();
        self.go_on(self.now_ns + LEFT_OVER_NS, |_| false)?;
        for shard in 0..self.nodes.shards_count() {
            let left = self.nodes.holdings(shard);
            let sums = left.sums;
            let slots = self.kernel.borrow().slots_in_use(shard);
            let is_empty = left.rooms == 0
                && left.sessions == 0
                && left.connections == 0
                && left.waiting_octets == 0
                && left.unread_octets == 0
                && left.is_idle
                && left.relaying == (0, 0)
                && slots == 0;
            if !is_empty || sums.opened != sums.settled() {
                return Err(format!(
                    "all rooms are closed, and shard {shard} still holds {left:?} and {slots} receive slots"
                ));
            }
        }
        Ok(())
    }

    /// What a shard holds stays within its bounds.
    pub(super) fn check_bounds(&self, shard: usize) -> Verdict {
        let held = self.nodes.holdings(shard);
        let limits = [
            (
                "octets that wait for one connection",
                held.waiting_octets_max,
                msrp_shard::limits::BACKLOG_OCTETS_MAX,
            ),
            (
                "octets for a session without connection",
                held.early_octets_max,
                msrp_shard::limits::EARLY_OCTETS_MAX + EARLY_ENDS_OCTETS,
            ),
        ];
        for (what, octets, max) in limits {
            if octets > max {
                return Err(format!("shard {shard}: {octets} {what}, the most is {max}"));
            }
        }
        Ok(())
    }

    fn wake_everybody(&mut self) {
        for peer in 0..self.peers.len() {
            self.wakes.push(Reverse((self.now_ns, peer)));
        }
    }

    /// The shards look into their mailboxes.
    fn ring(&mut self) {
        for turn in &mut self.turns_ns {
            *turn = Some(self.now_ns);
        }
    }
}

/// The ends of messages for which there was no room any more.
const EARLY_ENDS_OCTETS: usize = 16 * 1024;
