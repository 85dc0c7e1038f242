//! A bad network: datagrams that are lost, and datagrams that others overtake.

use std::collections::HashMap;
use std::net::SocketAddr;

/// Of a hundred datagrams, so many are lost in each direction.
const LOST_OF_HUNDRED: u64 = 20;
/// Of a hundred datagrams that are sent, so many leave after the next one.
const LATE_OF_HUNDRED: u64 = 20;
/// Most datagrams of one transaction that are lost or late, both directions together. With T1 of half a second the
/// fourth transmission leaves after 3.5 seconds, so two transactions that wait for each other end within the deadline
/// of a wait. A count over all transactions could not promise that: the luck of one would be paid by another.
const SPOILT_MAX: u32 = 3;

/// A datagram and where it goes.
pub(crate) type Datagram = (SocketAddr, Vec<u8>);

/// What becomes of the datagrams of one peer. The same seed gives the same fates to the same datagrams in the same
/// order.
pub(crate) struct Weather {
    state: u64,
    /// How many datagrams were lost or late, by transaction.
    spoilt: HashMap<String, u32>,
    late: Option<Datagram>,
}

impl Weather {
    pub(crate) fn new(seed: u64) -> Self {
        let state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        Self {
            state,
            spoilt: HashMap::new(),
            late: None,
        }
    }

    /// What leaves now that this datagram is to be sent.
    pub(crate) fn out(&mut self, datagram: Datagram) -> Vec<Datagram> {
        if self.spoils(LOST_OF_HUNDRED, &datagram.1) {
            return Vec::new();
        }
        if self.late.is_none() && self.spoils(LATE_OF_HUNDRED, &datagram.1) {
            self.late = Some(datagram);
            return Vec::new();
        }
        std::iter::once(datagram).chain(self.late.take()).collect()
    }

    /// Whether a datagram arrives.
    pub(crate) fn lets_in(&mut self, octets: &[u8]) -> bool {
        !self.spoils(LOST_OF_HUNDRED, octets)
    }

    fn spoils(&mut self, of_hundred: u64, octets: &[u8]) -> bool {
        if !self.hits(of_hundred) {
            return false;
        }
        let spoilt = self.spoilt.entry(transaction(octets)).or_default();
        *spoilt += 1;
        *spoilt <= SPOILT_MAX
    }

    /// Marsaglia's xorshift with 64 bits.
    fn hits(&mut self, of_hundred: u64) -> bool {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        (self.state >> 32) % 100 < of_hundred
    }
}

/// The Call-ID and the number of the CSeq: an INVITE, its responses, its ACK and its CANCEL share them.
fn transaction(octets: &[u8]) -> String {
    let text = String::from_utf8_lossy(octets);
    let value = |name: &str| {
        let mut lines = text.lines().take_while(|line| !line.is_empty());
        lines.find_map(|line| {
            let (field, value) = line.split_once(':')?;
            field.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    };
    let sequence = value("CSeq").and_then(|value| value.split_whitespace().next());
    format!(
        "{} {}",
        value("Call-ID").unwrap_or(""),
        sequence.unwrap_or("")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(call: u32, method: &str) -> Vec<u8> {
        format!("{method} sip:a@b SIP/2.0\r\nCall-ID: {call}\r\nCSeq: 7 {method}\r\n\r\n").into()
    }

    #[test]
    fn weather_loses_and_delays_in_both_directions() {
        let to: SocketAddr = "127.0.0.1:1".parse().unwrap();
        let mut weather = Weather::new(7);
        let (mut left, mut swapped) = (0, 0);
        for call in 0..1000 {
            let out = weather.out((to, request(call, "INVITE")));
            swapped += usize::from(out.len() == 2);
            left += out.len();
        }
        assert!((700..900).contains(&left), "{left}");
        assert!(swapped > 50, "{swapped}");
        let arrived = (0..1000).filter(|call| weather.lets_in(&request(*call, "BYE")));
        assert!((700..900).contains(&arrived.count()));
    }

    #[test]
    fn transaction_loses_no_more_than_its_share_whatever_happens_to_others() {
        for seed in 0..200 {
            let mut weather = Weather::new(seed);
            for call in 0..50 {
                let spoilt = (0..40)
                    .filter(|number| {
                        let method = if number % 2 == 0 { "INVITE" } else { "ACK" };
                        !weather.lets_in(&request(call, method))
                    })
                    .count();
                assert!(spoilt <= SPOILT_MAX as usize, "{spoilt}");
            }
        }
    }
}
