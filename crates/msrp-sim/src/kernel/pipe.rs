//! One direction of a connection.
//!
//! ```text
//!   written --> in flight: segments, each with its time of arrival --> arrived: what the reader has not taken
//!          bounded by the send buffer                                 bounded by the window
//! ```
//!
//! Octets never overtake each other. A clogged pipe delivers nothing until it heals; what is written meanwhile stays in
//! flight. A segment that finds the window shut waits in flight.

use std::collections::VecDeque;

/// How a pipe treats octets.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manners {
    /// Octets that may be in flight.
    pub(super) buffer_octets: usize,
    /// Octets that may wait for the reader.
    pub(super) window_octets: usize,
    /// Longest segment.
    pub(super) segment_octets: usize,
    /// How long a segment takes, at least and at most, in nanoseconds.
    pub(super) delay_ns: (u64, u64),
}

#[derive(Debug)]
pub(super) struct Pipe {
    pub(super) manners: Manners,
    /// Everything that the reader has not taken: what has arrived, then what is in flight.
    octets: VecDeque<u8>,
    arrived_octets: usize,
    /// When the octets in flight arrive, and how many at each time.
    in_flight: VecDeque<(u64, usize)>,
    /// When the end of the stream arrives, behind everything in flight.
    end_ns: Option<u64>,
    pub(super) clogged_until_ns: u64,
    latest_ns: u64,
}

impl Pipe {
    pub(super) fn new(manners: Manners) -> Self {
        Self {
            manners,
            octets: VecDeque::new(),
            arrived_octets: 0,
            in_flight: VecDeque::new(),
            end_ns: None,
            clogged_until_ns: 0,
            latest_ns: 0,
        }
    }

    /// Octets that the writer may still write.
    pub(super) fn room(&self) -> usize {
        self.manners
            .buffer_octets
            .saturating_sub(self.unacknowledged())
    }

    /// Octets that the reader's side has not acknowledged.
    pub(super) fn unacknowledged(&self) -> usize {
        self.octets.len() - self.arrived_octets
    }

    /// Octets that wait for the reader.
    pub(super) fn arrived(&self) -> usize {
        self.arrived_octets
    }

    /// Takes octets to arrive at this time at the earliest. Returns when they do, if nothing that is in flight arrives then.
    pub(super) fn push(&mut self, octets: &[u8], arrives_ns: u64) -> Option<u64> {
        self.latest_ns = self.latest_ns.max(arrives_ns);
        self.octets.extend(octets);
        match self.in_flight.back_mut() {
            Some((at_ns, count)) if *at_ns == self.latest_ns => {
                *count += octets.len();
                None
            }
            _ => {
                self.in_flight.push_back((self.latest_ns, octets.len()));
                Some(self.latest_ns)
            }
        }
    }

    /// The writer writes no more.
    pub(super) fn end(&mut self, arrives_ns: u64) -> u64 {
        self.latest_ns = self.latest_ns.max(arrives_ns);
        *self.end_ns.get_or_insert(self.latest_ns)
    }

    pub(super) fn is_ended(&self) -> bool {
        self.end_ns.is_some()
    }

    /// Lets arrive what is due. Returns whether anything did.
    pub(super) fn advance(&mut self, now_ns: u64) -> bool {
        if now_ns < self.clogged_until_ns {
            return false;
        }
        let before = self.arrived_octets;
        while let Some((arrives_ns, count)) = self.in_flight.front_mut() {
            let room = self
                .manners
                .window_octets
                .saturating_sub(self.arrived_octets);
            if *arrives_ns > now_ns || room == 0 {
                break;
            }
            let taken = room.min(*count);
            self.arrived_octets += taken;
            *count -= taken;
            if *count == 0 {
                self.in_flight.pop_front();
            }
        }
        self.arrived_octets > before
    }

    /// Whether the reader has everything and sees the end of the stream.
    pub(super) fn is_at_end(&self, now_ns: u64) -> bool {
        self.octets.is_empty()
            && now_ns >= self.clogged_until_ns
            && self.end_ns.is_some_and(|end_ns| end_ns <= now_ns)
    }

    /// Takes up to so many arrived octets.
    pub(super) fn take(&mut self, octets_max: usize) -> Vec<u8> {
        let count = octets_max.min(self.arrived_octets);
        self.arrived_octets -= count;
        let (first, second) = self.octets.as_slices();
        let split = count.min(first.len());
        let taken = [&first[..split], &second[..count - split]].concat();
        self.octets.drain(..count);
        taken
    }

    /// Loses everything that has not been taken.
    pub(super) fn lose(&mut self) {
        self.in_flight.clear();
        self.octets.clear();
        self.arrived_octets = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pipe() -> Pipe {
        Pipe::new(Manners {
            buffer_octets: 10,
            window_octets: 4,
            segment_octets: 10,
            delay_ns: (0, 0),
        })
    }

    #[test]
    fn pipe_keeps_order_and_stops_at_the_window() {
        let mut pipe = pipe();
        assert_eq!(pipe.push(b"abc", 20), Some(20));
        assert_eq!(pipe.push(b"defg", 10), None);
        assert_eq!(pipe.end(5), 20);
        assert!(!pipe.advance(19));
        assert!(pipe.advance(20));
        assert_eq!((pipe.room(), pipe.take(3)), (7, b"abc".to_vec()));
        assert!(pipe.advance(20) && !pipe.is_at_end(20));
        assert_eq!(pipe.take(9), b"defg");
        assert!(pipe.is_at_end(20));
    }

    #[test]
    fn pipe_that_is_clogged_delivers_when_it_heals() {
        let mut pipe = pipe();
        pipe.clogged_until_ns = 50;
        pipe.push(b"ab", 1);
        assert!(!pipe.advance(49));
        assert!(pipe.advance(50));
    }
}
