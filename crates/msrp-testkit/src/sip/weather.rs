//! A bad network: datagrams that are lost, and datagrams that others overtake.

use std::net::SocketAddr;

/// Of a hundred datagrams, so many are lost in each direction.
const LOST_OF_HUNDRED: u64 = 20;
/// Of a hundred datagrams that are sent, so many leave after the next one.
const LATE_OF_HUNDRED: u64 = 20;
/// Most datagrams that are lost one after the other in one direction, so that retransmission comes through within
/// the deadline of a wait.
const LOST_IN_A_ROW_MAX: u32 = 2;

/// A datagram and where it goes.
pub(crate) type Datagram = (SocketAddr, Vec<u8>);

/// What becomes of the datagrams of one peer. The same seed gives the same fates in the same order.
pub(crate) struct Weather {
    state: u64,
    lost_out: u32,
    lost_in: u32,
    late: Option<Datagram>,
}

impl Weather {
    pub(crate) fn new(seed: u64) -> Self {
        let state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        Self {
            state,
            lost_out: 0,
            lost_in: 0,
            late: None,
        }
    }

    /// What leaves now that this datagram is to be sent.
    pub(crate) fn out(&mut self, datagram: Datagram) -> Vec<Datagram> {
        if self.hits(LOST_OF_HUNDRED) && self.lost_out < LOST_IN_A_ROW_MAX {
            self.lost_out += 1;
            return Vec::new();
        }
        self.lost_out = 0;
        if self.late.is_none() && self.hits(LATE_OF_HUNDRED) {
            self.late = Some(datagram);
            return Vec::new();
        }
        std::iter::once(datagram).chain(self.late.take()).collect()
    }

    /// Whether a datagram arrives.
    pub(crate) fn lets_in(&mut self) -> bool {
        if self.hits(LOST_OF_HUNDRED) && self.lost_in < LOST_IN_A_ROW_MAX {
            self.lost_in += 1;
            return false;
        }
        self.lost_in = 0;
        true
    }

    /// Marsaglia's xorshift with 64 bits.
    fn hits(&mut self, of_hundred: u64) -> bool {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        (self.state >> 32) % 100 < of_hundred
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weather_loses_delays_and_never_stops_everything() {
        let to: SocketAddr = "127.0.0.1:1".parse().unwrap();
        let mut weather = Weather::new(7);
        let (mut left, mut swapped, mut silent) = (Vec::new(), 0, 0);
        for number in 0..1000_u32 {
            let out = weather.out((to, number.to_be_bytes().to_vec()));
            swapped += usize::from(out.len() == 2);
            silent = if out.is_empty() { silent + 1 } else { 0 };
            assert!(silent <= 6, "progress");
            left.extend(out);
        }
        assert!((700..900).contains(&left.len()), "{}", left.len());
        assert!(swapped > 50, "{swapped}");
        assert!((0..1000).filter(|_| !weather.lets_in()).count() > 100);
    }
}
