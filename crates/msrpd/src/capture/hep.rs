//! Sending frames to a collector by HEP, version 3.
//!
//! ```text
//!   "HEP3" | length of all, 16 bits | chunks: vendor 16, kind 16, length 16, value
//! ```
//!
//! There is no protocol number for MSRP, so frames go as logs (100): collectors show them as text,
//! and correlate them by the participant's id.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};

use msrp_control::{Direction, TraceRecord};

/// Where frames are collected.
#[derive(Debug)]
pub struct Collector {
    socket: UdpSocket,
    to: SocketAddr,
    sent: u64,
    failed: u64,
}

impl Collector {
    /// For a collector at this address.
    ///
    /// # Errors
    /// The operating system's, when there is no way there.
    pub fn new(to: SocketAddr) -> io::Result<Self> {
        let any: SocketAddr = if to.is_ipv4() {
            ([0, 0, 0, 0], 0).into()
        } else {
            ([0_u16; 8], 0).into()
        };
        let socket = UdpSocket::bind(any)?;
        socket.connect(to)?;
        // A full socket drops rather than holds anybody up.
        socket.set_nonblocking(true)?;
        Ok(Self {
            socket,
            to,
            sent: 0,
            failed: 0,
        })
    }

    /// Sends a frame. What the network does not take is counted, and `false`.
    pub fn send(&mut self, frame: &TraceRecord) -> bool {
        let is_sent = self.socket.send(&datagram(frame)).is_ok();
        *if is_sent {
            &mut self.sent
        } else {
            &mut self.failed
        } += 1;
        is_sent
    }

    /// What became of the frames.
    #[must_use]
    pub fn summary(&self) -> String {
        let (sent, failed, to) = (self.sent, self.failed, self.to);
        if failed == 0 {
            format!("{sent} frames sent to {to}")
        } else {
            format!("{sent} frames sent to {to}, {failed} could not be sent")
        }
    }
}

fn datagram(frame: &TraceRecord) -> Vec<u8> {
    let (own, peer) = frame.addresses.unwrap_or_else(|| {
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        (nowhere, nowhere)
    });
    let (from, to) = if frame.direction == Direction::In {
        (peer, own)
    } else {
        (own, peer)
    };
    let mut chunks = Vec::new();
    let family = if from.is_ipv4() {
        FAMILY_IPV4
    } else {
        FAMILY_IPV6
    };
    chunk(&mut chunks, 1, &[family]);
    chunk(&mut chunks, 2, &[TCP]);
    for (address, of_ipv4, of_ipv6) in [(from, 3, 5), (to, 4, 6)] {
        match address.ip() {
            IpAddr::V4(ip) => chunk(&mut chunks, of_ipv4, &ip.octets()),
            IpAddr::V6(ip) => chunk(&mut chunks, of_ipv6, &ip.octets()),
        }
    }
    chunk(&mut chunks, 7, &from.port().to_be_bytes());
    chunk(&mut chunks, 8, &to.port().to_be_bytes());
    let seconds = u32::try_from(frame.time_ns / 1_000_000_000).unwrap_or(u32::MAX);
    let micros = u32::try_from(frame.time_ns / 1000 % 1_000_000).unwrap_or(0);
    chunk(&mut chunks, 9, &seconds.to_be_bytes());
    chunk(&mut chunks, 10, &micros.to_be_bytes());
    chunk(&mut chunks, 11, &[PROTOCOL_LOG]);
    chunk(&mut chunks, 12, &AGENT.to_be_bytes());
    chunk(&mut chunks, 17, frame.participant.as_str().as_bytes());
    let end = frame.octets.len().min(PAYLOAD_OCTETS_MAX);
    chunk(&mut chunks, 15, &frame.octets[..end]);
    let length = u16::try_from(chunks.len() + 6).unwrap_or(u16::MAX);
    let mut datagram = b"HEP3".to_vec();
    datagram.extend_from_slice(&length.to_be_bytes());
    datagram.extend_from_slice(&chunks);
    datagram
}

fn chunk(out: &mut Vec<u8>, kind: u16, value: &[u8]) {
    // Values are bounded by what a datagram holds.
    let length = u16::try_from(value.len() + 6).unwrap_or(u16::MAX);
    out.extend_from_slice(&[0, 0]);
    out.extend_from_slice(&kind.to_be_bytes());
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(value);
}

const FAMILY_IPV4: u8 = 2;
const FAMILY_IPV6: u8 = 10;
const TCP: u8 = 6;
const PROTOCOL_LOG: u8 = 100;
/// The number by which collectors know who captured.
const AGENT: u32 = 2855;
/// Octets of a frame that fit into a datagram with everything else; the rest is cut off.
const PAYLOAD_OCTETS_MAX: usize = 60_000;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use msrp_control::{ParticipantId, RoomId};

    use super::*;

    #[test]
    fn datagram_arrives_whole_with_addresses_time_and_octets() {
        let collector = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut sender = Collector::new(collector.local_addr().unwrap()).unwrap();
        assert!(sender.send(&TraceRecord {
            time_ns: 7_000_123_000,
            room: RoomId::new("lunch").unwrap(),
            participant: ParticipantId::new("alice").unwrap(),
            direction: Direction::In,
            ends_frame: true,
            addresses: Some((
                "192.0.2.1:2855".parse().unwrap(),
                "192.0.2.9:4000".parse().unwrap(),
            )),
            octets: b"MSRP a 200 OK\r\n".to_vec(),
            dropped: 0,
        }));
        let mut buffer = [0; 1500];
        let octets = collector.recv(&mut buffer).unwrap();
        let datagram = &buffer[..octets];
        assert_eq!(&datagram[..4], b"HEP3");
        assert_eq!(
            u16::from_be_bytes([datagram[4], datagram[5]]) as usize,
            octets
        );
        let mut chunks = BTreeMap::new();
        let mut rest = &datagram[6..];
        while let [0, 0, _, kind, high, low, ..] = rest {
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            chunks.insert(*kind, rest[6..length].to_vec());
            rest = &rest[length..];
        }
        assert!(rest.is_empty());
        assert_eq!(chunks[&3], [192, 0, 2, 9]);
        assert_eq!(chunks[&4], [192, 0, 2, 1]);
        assert_eq!(chunks[&7], 4000_u16.to_be_bytes());
        assert_eq!(chunks[&9], 7_u32.to_be_bytes());
        assert_eq!(chunks[&10], 123_u32.to_be_bytes());
        assert_eq!(chunks[&15], b"MSRP a 200 OK\r\n");
        assert_eq!(chunks[&17], b"alice");
        assert!(sender.summary().starts_with("1 frames sent to 127.0.0.1:"));
    }
}
