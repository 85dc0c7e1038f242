//! What a world is made of, drawn from its seed.

use crate::chance::Chance;
use crate::kernel::NetworkPlan;
use crate::temper::Temper;

/// One world.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) shards: usize,
    pub(crate) rooms: usize,
    pub(crate) network: NetworkPlan,
    pub(crate) guests: Vec<Guest>,
    /// How long participants talk, in nanoseconds.
    pub(crate) talk_ns: u64,
    pub(crate) ask_recipients: bool,
    pub(crate) interim_reports: bool,
    pub(crate) final_report_ns: u64,
    /// Participants from which on a room's connections are spread.
    pub(crate) spread_min: usize,
    /// Longest time that nothing comes through somewhere.
    pub(crate) clog_ns_max: u64,
    /// How often something happens to a link, and what the controller does.
    pub(crate) troubles: usize,
    pub(crate) commands: usize,
    /// Octets of texts of all participants together.
    pub(crate) budget: usize,
    /// Participants send more than slow ones can take.
    pub(crate) is_pressing: bool,
    /// Nobody is slow, means harm or dies, and nothing breaks.
    pub(crate) is_calm: bool,
    pub(crate) relay: Option<RelayPlan>,
    /// Which shard fails, and when.
    pub(crate) fails: Option<(usize, u64)>,
}

/// The relay of a world, which is a node of its own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RelayPlan {
    pub(crate) shards: usize,
    /// When it dies and starts again.
    pub(crate) dies_ns: Option<u64>,
    /// How often nothing comes through between it and the node with the rooms.
    pub(crate) troubles: usize,
}

/// One participant to be.
#[derive(Debug, Clone)]
pub(crate) struct Guest {
    pub(crate) temper: Temper,
    pub(crate) room: usize,
    pub(crate) is_hidden: bool,
    /// The engine offers, and the participant answers.
    pub(crate) is_invited: bool,
    /// The engine connects.
    pub(crate) is_passive: bool,
    pub(crate) joins_ns: u64,
    /// How many messages it has to say.
    pub(crate) says: usize,
    /// It comes through the relay.
    pub(crate) is_relayed: bool,
    /// Its URI has a name for a host.
    pub(crate) is_named: bool,
    /// How often it asks for a nickname.
    pub(crate) nicknames: usize,
    /// How often it moves to another session.
    pub(crate) moves: usize,
}

const SECOND_NS: u64 = 1_000_000_000;

/// Participants of a world with a relay, nicknames or moves in it.
const GUESTS_MAX: usize = 60;

impl Plan {
    /// What a world has, of everything that is drawn for it. `other` draws what only some worlds have, so that the others
    /// stay as they are.
    pub(crate) fn draw(chance: &mut Chance, other: &mut Chance, temper: Option<Temper>) -> Self {
        let mut plan = Self::draw_common(chance, temper);
        plan.draw_rest(other);
        plan
    }

    fn draw_rest(&mut self, chance: &mut Chance) {
        // Where too much is said, what matters is who misses some of it.
        if self.is_pressing {
            return;
        }
        for guest in &mut self.guests {
            guest.is_named = chance.one_in(4);
        }
        let is_small = self.guests.len() <= GUESTS_MAX;
        if is_small && chance.one_in(4) {
            self.draw_relay(chance);
        }
        if is_small && chance.one_in(3) {
            for guest in &mut self.guests {
                guest.nicknames = chance.octets(0..=4);
            }
        }
        if is_small && chance.one_in(3) {
            for guest in &mut self.guests {
                guest.moves = if chance.one_in(2) {
                    chance.octets(1..=2)
                } else {
                    0
                };
            }
        }
        if !self.is_calm && chance.one_in(8) {
            let shard = chance.index(self.shards);
            self.fails = Some((shard, chance.within(0..=self.talk_ns)));
        }
    }

    fn draw_relay(&mut self, chance: &mut Chance) {
        let share = chance.within(1..=3);
        for guest in &mut self.guests {
            guest.is_relayed = chance.one_in(share);
        }
        let is_calm = self.is_calm;
        self.relay = Some(RelayPlan {
            shards: if chance.one_in(3) { 2 } else { 1 },
            dies_ns: (!is_calm && chance.one_in(3)).then(|| chance.within(0..=self.talk_ns)),
            troubles: if is_calm { 0 } else { chance.octets(0..=3) },
        });
    }

    fn draw_common(chance: &mut Chance, temper: Option<Temper>) -> Self {
        let count = match chance.within(0..=199) {
            0 => chance.octets(100..=500),
            1..=7 => chance.octets(16..=60),
            8..=59 => chance.octets(6..=15),
            _ => chance.octets(2..=5),
        };
        let talk_ns = chance.within(2..=30) * SECOND_NS;
        let rooms = if count > 4 { chance.octets(1..=3) } else { 1 };
        let is_peaceful = chance.one_in(4);
        let is_pressing = count < 16 && chance.one_in(12);
        let guests: Vec<Guest> = (0..count)
            .map(|_| Guest::draw(chance, (rooms, talk_ns, count), temper, is_peaceful))
            .collect();
        let is_calm = is_peaceful && !is_pressing && temper.is_none();
        let mut plan = Self {
            shards: if chance.one_in(4) {
                chance.octets(2..=3)
            } else {
                1
            },
            rooms,
            network: Self::network(chance, count),
            guests,
            talk_ns,
            ask_recipients: chance.one_in(3),
            interim_reports: chance.one_in(4),
            final_report_ns: if chance.one_in(2) { 30 } else { 3 } * SECOND_NS,
            spread_min: if chance.one_in(3) { 2 } else { 32 },
            clog_ns_max: chance.within(1..=20) * SECOND_NS,
            troubles: if is_peaceful { 0 } else { chance.octets(0..=6) },
            commands: chance.octets(0..=5),
            budget: if is_pressing { 6_000_000 } else { 3_000_000 } / count,
            is_pressing,
            is_calm,
            relay: None,
            fails: None,
        };
        plan.is_calm &= plan.network.delay_ns_max < 100_000_000;
        plan
    }

    fn network(chance: &mut Chance, count: usize) -> NetworkPlan {
        let segments = if count > 20 {
            [1460, 1460, 9000]
        } else {
            [1, 100, 1460]
        };
        let delays = [1_000_000, 30_000_000, 400_000_000];
        let segment_octets_max = chance.pick(&segments).copied().unwrap_or(1460);
        NetworkPlan {
            segment_octets_max: if segment_octets_max == 1 && !chance.one_in(5) {
                1460
            } else {
                segment_octets_max
            },
            delay_ns_max: chance.pick(&delays).copied().unwrap_or(1_000_000),
            buffer_octets_max: chance.octets(4096..=256 * 1024),
            slots: if chance.one_in(4) { 16 } else { 64 },
            short_sends: chance.one_in(3),
        }
    }
}

impl Guest {
    /// One who offers, connects and says nothing of its own.
    pub(crate) fn plain(temper: Temper) -> Self {
        Self {
            temper,
            room: 0,
            is_hidden: false,
            is_invited: false,
            is_passive: false,
            joins_ns: 0,
            says: 0,
            is_relayed: false,
            is_named: false,
            nicknames: 0,
            moves: 0,
        }
    }

    fn draw(
        chance: &mut Chance,
        (rooms, talk_ns, count): (usize, u64, usize),
        temper: Option<Temper>,
        is_peaceful: bool,
    ) -> Self {
        let tempers = if is_peaceful {
            &[Temper::Correct, Temper::Lax][..]
        } else {
            &Temper::ALL
        };
        let drawn = chance.pick(tempers).copied().unwrap_or(Temper::Correct);
        let drawn = if chance.one_in(3) {
            Temper::Correct
        } else {
            drawn
        };
        let says_max = if count > 60 { 2 } else { 12 };
        Self {
            temper: temper.filter(|_| chance.one_in(2)).unwrap_or(drawn),
            room: chance.index(rooms),
            is_hidden: chance.one_in(5),
            is_invited: chance.one_in(4),
            is_passive: chance.one_in(4),
            joins_ns: if chance.one_in(4) {
                chance.within(0..=talk_ns / 2)
            } else {
                chance.within(0..=500_000_000)
            },
            says: chance.octets(0..=says_max),
            is_relayed: false,
            is_named: false,
            nicknames: 0,
            moves: 0,
        }
    }
}
