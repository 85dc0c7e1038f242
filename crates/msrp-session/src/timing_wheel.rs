//! Deadlines: set, cancelled and fired in constant time.
//!
//! Eight wheels of 64 slots, each slot as wide as all slots of the wheel below it together. A timer
//! hangs in the wheel of the highest digit (in base 64, of its tick) in which it differs from the
//! present tick, so everything in a lower wheel is due before everything in a higher one:
//!
//! ```text
//!   present tick  ... 2 | 0 | 61        wheel 0: timers at 2|0|61 .. 2|0|63
//!                                       wheel 1: timers at 2|1|xx .. 2|63|xx, a slot each xx
//!                                       wheel 2: timers at 3|xx|xx .. 63|xx|xx
//! ```
//!
//! When the present reaches a slot of a higher wheel, its timers move down: each timer moves at most
//! seven times in its life, whatever their number. The slots of a wheel that hold something are the
//! bits of one word, so the next one is found without looking at empty slots, and nothing happens
//! while nothing is due.
//!
//! A tick is 2^20 ns, a little more than a millisecond: the kernel's waits are not finer. A timer
//! never fires before its deadline, and at most a tick later than it is asked for.

use crate::Timestamp;

/// Names one timer that is set. One that has fired or was cancelled names nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimerKey {
    index: u32,
    generation: u32,
}

/// Timers that carry a `T` each. See the module's text.
#[derive(Debug)]
pub struct TimingWheel<T> {
    /// The present tick: everything before it has fired.
    now: u64,
    wheels: [Wheel; WHEELS],
    nodes: Vec<Node<T>>,
    /// The first of the unused nodes, which are linked by `next`.
    free: u32,
    count: usize,
}

#[derive(Debug, Clone, Copy)]
struct Wheel {
    /// Which slots hold something.
    occupied: u64,
    slots: [List; SLOTS],
}

/// A list of nodes, first set first.
#[derive(Debug, Clone, Copy)]
struct List {
    head: u32,
    tail: u32,
}

#[derive(Debug)]
struct Node<T> {
    tick: u64,
    previous: u32,
    next: u32,
    generation: u32,
    /// Where it hangs: the wheel and the slot.
    place: (u8, u8),
    value: Option<T>,
}

impl<T> Default for TimingWheel<T> {
    fn default() -> Self {
        Self {
            now: 0,
            wheels: [Wheel {
                occupied: 0,
                slots: [EMPTY; SLOTS],
            }; WHEELS],
            nodes: Vec::new(),
            free: NONE,
            count: 0,
        }
    }
}

impl<T> TimingWheel<T> {
    /// Without timers.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many timers are set.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether no timer is set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Sets a timer. `None`, and the value dropped, when 2^32 - 1 are set.
    pub fn set(&mut self, deadline: Timestamp, value: T) -> Option<TimerKey> {
        let tick = deadline.as_ns().div_ceil(TICK_NS).max(self.now);
        let index = self.take_node(tick, value)?;
        self.count = self.count.saturating_add(1);
        self.hang(index);
        let generation = self.node(index)?.generation;
        Some(TimerKey { index, generation })
    }

    /// Takes a timer out before its time. `None` when it has fired or was cancelled.
    pub fn cancel(&mut self, key: TimerKey) -> Option<T> {
        let node = self.node(key.index)?;
        if node.generation != key.generation {
            return None;
        }
        self.unhang(key.index);
        self.free_node(key.index)
    }

    /// Takes the next timer that is due, in the order of their ticks, and of one tick in the order in
    /// which they were set. Call it until `None`.
    pub fn due(&mut self, now: Timestamp) -> Option<T> {
        let now = now.as_ns() / TICK_NS;
        while let Some((wheel, slot, start)) = self.next_slot() {
            if start > now {
                break;
            }
            self.now = start;
            let index = self.wheels.get(wheel)?.slots.get(slot)?.head;
            if wheel == 0 {
                self.unhang(index);
                return self.free_node(index);
            }
            self.move_down(wheel, slot);
        }
        // No slot starts before that, so every timer is still in its wheel.
        self.now = self.now.max(now);
        None
    }

    /// When [`TimingWheel::due`] has to be called next: the next timer's time, or the earlier moment at
    /// which it has to move down, of which a timer has at most seven.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        let (_, _, start) = self.next_slot()?;
        Some(Timestamp::from_ns(start.saturating_mul(TICK_NS)))
    }

    /// The next slot that holds something: its wheel, its number and its first tick.
    fn next_slot(&self) -> Option<(usize, usize, u64)> {
        let (wheel, occupied) = self
            .wheels
            .iter()
            .enumerate()
            .map(|(index, wheel)| (index, wheel.occupied))
            .find(|(_, occupied)| *occupied != 0)?;
        // Slots before the present one are empty, so the lowest bit is the next slot.
        let slot = u64::from(occupied.trailing_zeros());
        let shift = shift_of(wheel);
        let above = self.now.checked_shr(shift.saturating_add(DIGIT_BITS));
        let above = above
            .unwrap_or(0)
            .checked_shl(shift.saturating_add(DIGIT_BITS));
        let start = above.unwrap_or(0) | (slot << shift);
        Some((wheel, usize::try_from(slot).ok()?, start))
    }

    /// Spreads a slot of a higher wheel over the wheels below it.
    fn move_down(&mut self, wheel: usize, slot: usize) {
        let Some(list) = self.wheels.get_mut(wheel).and_then(|wheel| {
            wheel.occupied &= !(1 << slot);
            let list = wheel.slots.get_mut(slot)?;
            Some(std::mem::replace(list, EMPTY))
        }) else {
            return;
        };
        let mut index = list.head;
        while let Some(node) = self.node(index) {
            let next = node.next;
            self.hang(index);
            index = next;
        }
    }

    /// Hangs a node where its tick belongs.
    fn hang(&mut self, index: u32) {
        let now = self.now;
        let Some(node) = self.nodes.get_mut(index as usize) else {
            return;
        };
        let place = place_of(now, node.tick);
        node.place = place;
        node.next = NONE;
        let (wheel, slot) = (usize::from(place.0), usize::from(place.1));
        let Some(list) = self.wheels.get_mut(wheel).and_then(|wheel| {
            wheel.occupied |= 1 << slot;
            wheel.slots.get_mut(slot)
        }) else {
            return;
        };
        node.previous = list.tail;
        let before = std::mem::replace(&mut list.tail, index);
        if list.head == NONE {
            list.head = index;
        }
        if let Some(before) = self.nodes.get_mut(before as usize) {
            before.next = index;
        }
    }

    fn unhang(&mut self, index: u32) {
        let Some(node) = self.node(index) else { return };
        let (previous, next, (wheel, slot)) = (node.previous, node.next, node.place);
        if let Some(node) = self.nodes.get_mut(previous as usize) {
            node.next = next;
        }
        if let Some(node) = self.nodes.get_mut(next as usize) {
            node.previous = previous;
        }
        let Some(wheel) = self.wheels.get_mut(usize::from(wheel)) else {
            return;
        };
        let Some(list) = wheel.slots.get_mut(usize::from(slot)) else {
            return;
        };
        if previous == NONE {
            list.head = next;
        }
        if next == NONE {
            list.tail = previous;
        }
        if list.head == NONE {
            wheel.occupied &= !(1 << slot);
        }
    }

    fn node(&self, index: u32) -> Option<&Node<T>> {
        self.nodes.get(index as usize)
    }

    fn take_node(&mut self, tick: u64, value: T) -> Option<u32> {
        let index = self.free;
        if let Some(node) = self.nodes.get_mut(index as usize) {
            self.free = node.next;
            node.tick = tick;
            node.value = Some(value);
            return Some(index);
        }
        let index = u32::try_from(self.nodes.len())
            .ok()
            .filter(|index| *index != NONE)?;
        self.nodes.push(Node {
            tick,
            previous: NONE,
            next: NONE,
            generation: 0,
            place: (0, 0),
            value: Some(value),
        });
        Some(index)
    }

    fn free_node(&mut self, index: u32) -> Option<T> {
        let node = self.nodes.get_mut(index as usize)?;
        node.generation = node.generation.wrapping_add(1);
        node.next = std::mem::replace(&mut self.free, index);
        self.count = self.count.saturating_sub(1);
        node.value.take()
    }
}

/// Where a tick hangs, seen from the present.
fn place_of(now: u64, tick: u64) -> (u8, u8) {
    let highest_bit = (now ^ tick).checked_ilog2().unwrap_or(0);
    let wheel = highest_bit / DIGIT_BITS;
    let slot = (tick >> shift_of(wheel as usize)) & DIGIT_MASK;
    // A tick has 44 bits, so there are eight digits at most.
    (
        u8::try_from(wheel).unwrap_or(0),
        u8::try_from(slot).unwrap_or(0),
    )
}

/// The bits below the digit that a wheel stands for.
fn shift_of(wheel: usize) -> u32 {
    u32::try_from(wheel).map_or(0, |wheel| wheel.saturating_mul(DIGIT_BITS))
}

/// One tick in nanoseconds.
const TICK_NS: u64 = 1 << 20;
/// Enough for every tick that 64 bits of nanoseconds have.
const WHEELS: usize = 8;
const DIGIT_BITS: u32 = 6;
const SLOTS: usize = 1 << DIGIT_BITS;
const DIGIT_MASK: u64 = (1 << DIGIT_BITS) - 1;
/// No node.
const NONE: u32 = u32::MAX;
const EMPTY: List = List {
    head: NONE,
    tail: NONE,
};

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone)]
    enum Step {
        /// Set a timer this far ahead.
        Set(u64),
        /// Cancel one of those that were ever set.
        Cancel(prop::sample::Index),
        /// Let time pass, and fire.
        Pass(u64),
        /// Sleep until the deadline that the wheel names, and fire.
        Sleep,
    }

    fn span() -> impl Strategy<Value = u64> {
        prop_oneof![
            0..3 * TICK_NS,
            0..200 * TICK_NS,
            0..10_000 * TICK_NS,
            0..300_000_000 * TICK_NS,
            Just(0),
            Just(64 * TICK_NS),
            Just(4096 * TICK_NS),
        ]
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            5 => span().prop_map(Step::Set),
            2 => any::<prop::sample::Index>().prop_map(Step::Cancel),
            2 => span().prop_map(Step::Pass),
            3 => Just(Step::Sleep),
        ]
    }

    /// The wheel beside a sorted set of (tick, number).
    #[derive(Default)]
    struct Twins {
        wheel: TimingWheel<usize>,
        set: BTreeSet<(u64, usize)>,
        keys: Vec<(TimerKey, u64)>,
        now: u64,
    }

    impl Twins {
        fn set(&mut self, ahead: u64) {
            let deadline = self.now.saturating_add(ahead);
            let number = self.keys.len();
            let key = self.wheel.set(Timestamp::from_ns(deadline), number);
            let tick = deadline.div_ceil(TICK_NS);
            self.keys.push((key.unwrap(), tick));
            self.set.insert((tick, number));
        }

        fn cancel(&mut self, number: usize) {
            let (key, tick) = self.keys[number];
            let was_set = self.set.remove(&(tick, number));
            assert_eq!(self.wheel.cancel(key).is_some(), was_set);
        }

        fn pass(&mut self, to: u64) {
            self.now = self.now.max(to);
            let now = Timestamp::from_ns(self.now);
            let mut fired = Vec::new();
            while let Some(number) = self.wheel.due(now) {
                fired.push((self.keys[number].1, number));
            }
            let later = self.set.split_off(&(self.now / TICK_NS + 1, 0));
            let expected: Vec<_> = std::mem::replace(&mut self.set, later)
                .into_iter()
                .collect();
            assert!(fired.is_sorted_by_key(|(tick, _)| *tick), "{fired:?}");
            fired.sort_unstable();
            assert_eq!(fired, expected);
        }

        fn check(&self) {
            assert_eq!(self.wheel.len(), self.set.len());
            let next = self.set.first().map(|(tick, _)| *tick);
            let named = self.wheel.deadline().map(|d| d.as_ns() / TICK_NS);
            assert_eq!(named.is_some(), next.is_some());
            assert!(named <= next, "{named:?} after {next:?}");
        }
    }

    proptest! {
        #[test]
        fn wheel_fires_what_a_sorted_set_would(steps in prop::collection::vec(step(), 1..120)) {
            let mut twins = Twins::default();
            for step in steps {
                match step {
                    Step::Set(ahead) => twins.set(ahead),
                    Step::Cancel(which) if !twins.keys.is_empty() => {
                        let number = which.index(twins.keys.len());
                        twins.cancel(number);
                    }
                    Step::Cancel(_) => {}
                    Step::Pass(ns) => twins.pass(twins.now.saturating_add(ns)),
                    Step::Sleep => {
                        if let Some(deadline) = twins.wheel.deadline() {
                            twins.pass(deadline.as_ns());
                        }
                    }
                }
                twins.check();
            }
        }

        #[test]
        fn wheel_wakes_a_sleeper_at_most_once_for_each_digit_of_a_timer(
            start in 0..1_000_000_000_u64, ahead in span(),
        ) {
            let mut twins = Twins::default();
            twins.pass(start);
            twins.set(ahead);
            let mut wakes = 0;
            while let Some(deadline) = twins.wheel.deadline() {
                twins.pass(deadline.as_ns());
                wakes += 1;
            }
            prop_assert!(wakes <= WHEELS, "{wakes}");
        }
    }

    #[test]
    fn timers_of_one_tick_fire_in_the_order_in_which_they_were_set() {
        let mut wheel = TimingWheel::new();
        let deadline = Timestamp::from_ns(1_000_000 * TICK_NS);
        for number in 0..10 {
            wheel.set(deadline, number);
        }
        assert_eq!(wheel.due(Timestamp::from_ns(deadline.as_ns() - 1)), None);
        let fired: Vec<i32> = std::iter::from_fn(|| wheel.due(deadline)).collect();
        assert_eq!(fired, (0..10).collect::<Vec<_>>());
        assert!(wheel.is_empty());
        assert_eq!(wheel.deadline(), None);
    }

    #[test]
    fn timer_at_the_last_moment_there_is_is_kept() {
        let mut wheel = TimingWheel::new();
        let key = wheel.set(Timestamp::from_ns(u64::MAX), "last").unwrap();
        assert_eq!(wheel.due(Timestamp::from_ns(u64::MAX)), None);
        assert_eq!(wheel.cancel(key), Some("last"));
        assert_eq!(wheel.cancel(key), None);
    }

    #[test]
    fn key_of_a_fired_timer_does_not_cancel_the_next_one() {
        let mut wheel = TimingWheel::new();
        let old = wheel.set(Timestamp::from_ns(0), "old").unwrap();
        assert_eq!(wheel.due(Timestamp::from_ns(0)), Some("old"));
        wheel.set(Timestamp::from_ns(0), "new");
        assert_eq!(wheel.cancel(old), None);
        assert_eq!(wheel.due(Timestamp::from_ns(0)), Some("new"));
    }
}
