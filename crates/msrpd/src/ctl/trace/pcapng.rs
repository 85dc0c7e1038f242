//! Writing pcapng, so that Wireshark dissects what was traced.
//!
//! Frames were taken above TLS and WebSocket, so the packets around them are made here: one TCP
//! connection for each participant, with the addresses of its real one where they are known, and
//! sequence numbers that fit. What Wireshark says of round-trip times and windows means nothing.
//!
//! # Spec
//! draft-ietf-opsawg-pcapng: section header, interface description and enhanced packet blocks.

use std::collections::HashMap;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use msrp_control::{Direction, TraceRecord};

/// A file that is being written.
pub(super) struct Pcapng<W> {
    out: W,
    flows: HashMap<String, Flow>,
}

/// The TCP connection of one participant.
#[derive(Debug, Clone, Copy)]
struct Flow {
    own: SocketAddr,
    peer: SocketAddr,
    /// The next sequence numbers, ours and the peer's.
    own_next: u32,
    peer_next: u32,
}

impl<W: Write> Pcapng<W> {
    /// Begins a file.
    pub(super) fn new(mut out: W) -> io::Result<Self> {
        let mut head = Vec::new();
        let mut section = Vec::new();
        section.extend_from_slice(&BYTE_ORDER.to_le_bytes());
        section.extend_from_slice(&[1, 0, 0, 0]);
        // The length of the section is not known.
        section.extend_from_slice(&u64::MAX.to_le_bytes());
        block(&mut head, SECTION_HEADER, &section);
        let mut interface = Vec::new();
        interface.extend_from_slice(&LINK_RAW_IP.to_le_bytes());
        interface.extend_from_slice(&[0; 6]);
        option(&mut interface, OPTION_IF_NAME, b"msrpd");
        option(&mut interface, OPTION_IF_TSRESOL, &[9]);
        option(&mut interface, OPTION_END, &[]);
        block(&mut head, INTERFACE_DESCRIPTION, &interface);
        out.write_all(&head)?;
        out.flush()?;
        Ok(Self {
            out,
            flows: HashMap::new(),
        })
    }

    /// Writes a frame, in several packets when it is long.
    pub(super) fn write(&mut self, frame: &TraceRecord) -> io::Result<()> {
        let count = self.flows.len();
        let known = self.flows.entry(frame.participant.to_string());
        let flow = known.or_insert_with(|| Flow::new(frame.addresses, count));
        if let Some((own, peer)) = frame.addresses.filter(|(_, peer)| *peer != flow.peer) {
            // Another connection of the same participant.
            *flow = Flow::new(Some((own, peer)), count);
        }
        let mut blocks = Vec::new();
        let segments = frame.octets.chunks(SEGMENT_OCTETS_MAX);
        let last = segments.len().saturating_sub(1);
        for (index, octets) in segments.enumerate() {
            let packet = flow.packet(frame.direction == Direction::In, octets, index == last);
            let mut comment = frame.participant.to_string();
            if frame.dropped > 0 && index == 0 {
                comment.push_str(&format!(
                    "; {} parts are missing before this",
                    frame.dropped
                ));
            }
            packet_block(&mut blocks, frame.time_ns, &packet, &comment);
        }
        self.out.write_all(&blocks)?;
        self.out.flush()
    }
}

impl Flow {
    fn new(addresses: Option<(SocketAddr, SocketAddr)>, number: usize) -> Self {
        let (own, peer) = addresses
            .filter(|(own, peer)| own.is_ipv4() == peer.is_ipv4())
            .unwrap_or_else(|| made_up(number));
        Self {
            own,
            peer,
            own_next: 1,
            peer_next: 1,
        }
    }

    /// An IP packet with a TCP segment that carries these octets.
    fn packet(&mut self, is_in: bool, octets: &[u8], is_push: bool) -> Vec<u8> {
        let length = u32::try_from(octets.len()).unwrap_or(u32::MAX);
        let (from, to, sequence, acknowledged) = if is_in {
            let sequence = self.peer_next;
            self.peer_next = sequence.wrapping_add(length);
            (self.peer, self.own, sequence, self.own_next)
        } else {
            let sequence = self.own_next;
            self.own_next = sequence.wrapping_add(length);
            (self.own, self.peer, sequence, self.peer_next)
        };
        let mut tcp = Vec::with_capacity(TCP_HEADER_OCTETS + octets.len());
        tcp.extend_from_slice(&from.port().to_be_bytes());
        tcp.extend_from_slice(&to.port().to_be_bytes());
        tcp.extend_from_slice(&sequence.to_be_bytes());
        tcp.extend_from_slice(&acknowledged.to_be_bytes());
        tcp.extend_from_slice(&[0x50, if is_push { 0x18 } else { 0x10 }]);
        // Window, checksum, urgent pointer.
        tcp.extend_from_slice(&[0xff, 0xff, 0, 0, 0, 0]);
        tcp.extend_from_slice(octets);
        ip_packet(from.ip(), to.ip(), tcp)
    }
}

fn ip_packet(from: IpAddr, to: IpAddr, mut tcp: Vec<u8>) -> Vec<u8> {
    let length = u16::try_from(tcp.len()).unwrap_or(u16::MAX);
    let mut pseudo = Vec::new();
    let mut packet = Vec::new();
    match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let total = length.saturating_add(20);
            packet.extend_from_slice(&[0x45, 0]);
            packet.extend_from_slice(&total.to_be_bytes());
            packet.extend_from_slice(&[0, 0, 0x40, 0, 64, TCP, 0, 0]);
            packet.extend_from_slice(&from.octets());
            packet.extend_from_slice(&to.octets());
            let sum = checksum(&packet);
            packet[10..12].copy_from_slice(&sum.to_be_bytes());
            pseudo.extend_from_slice(&from.octets());
            pseudo.extend_from_slice(&to.octets());
        }
        (from, to) => {
            let octets = |address| match address {
                IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
                IpAddr::V6(address) => address.octets(),
            };
            packet.extend_from_slice(&[0x60, 0, 0, 0]);
            packet.extend_from_slice(&length.to_be_bytes());
            packet.extend_from_slice(&[TCP, 64]);
            packet.extend_from_slice(&octets(from));
            packet.extend_from_slice(&octets(to));
            pseudo.extend_from_slice(&octets(from));
            pseudo.extend_from_slice(&octets(to));
        }
    }
    pseudo.extend_from_slice(&[0, TCP]);
    pseudo.extend_from_slice(&length.to_be_bytes());
    pseudo.extend_from_slice(&tcp);
    let sum = checksum(&pseudo);
    tcp[16..18].copy_from_slice(&sum.to_be_bytes());
    packet.extend_from_slice(&tcp);
    packet
}

/// The checksum of the internet protocols (RFC 1071).
fn checksum(octets: &[u8]) -> u16 {
    let pairs = octets.chunks(2).map(|pair| match pair {
        [high, low] => u32::from(u16::from_be_bytes([*high, *low])),
        [high] => u32::from(*high) << 8,
        _ => 0,
    });
    // 65,535 pairs of 16 bits stay below 2^32.
    let mut sum: u32 = pairs.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(u16::MAX)
}

/// Addresses of a connection whose own are not known, from the range for documentation.
fn made_up(number: usize) -> (SocketAddr, SocketAddr) {
    let number = u16::try_from(number % 50_000).unwrap_or(0);
    let own = Ipv4Addr::new(192, 0, 2, 1);
    let peer = Ipv4Addr::new(192, 0, 2, 2);
    let port = 10_000_u16.saturating_add(number);
    ((own, 2855).into(), (peer, port).into())
}

fn packet_block(out: &mut Vec<u8>, time_ns: u64, packet: &[u8], comment: &str) {
    let length = u32::try_from(packet.len()).unwrap_or(u32::MAX);
    let mut body = Vec::with_capacity(packet.len() + comment.len() + 64);
    body.extend_from_slice(&0_u32.to_le_bytes());
    for half in [time_ns >> 32, time_ns & 0xffff_ffff] {
        body.extend_from_slice(&u32::try_from(half).unwrap_or(0).to_le_bytes());
    }
    body.extend_from_slice(&length.to_le_bytes());
    body.extend_from_slice(&length.to_le_bytes());
    body.extend_from_slice(packet);
    pad(&mut body);
    option(&mut body, OPTION_COMMENT, comment.as_bytes());
    option(&mut body, OPTION_END, &[]);
    block(out, ENHANCED_PACKET, &body);
}

fn block(out: &mut Vec<u8>, kind: u32, body: &[u8]) {
    let length = u32::try_from(body.len() + 12).unwrap_or(u32::MAX);
    out.extend_from_slice(&kind.to_le_bytes());
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(body);
    out.extend_from_slice(&length.to_le_bytes());
}

fn option(out: &mut Vec<u8>, code: u16, value: &[u8]) {
    let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&code.to_le_bytes());
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&value[..usize::from(length)]);
    pad(out);
}

fn pad(out: &mut Vec<u8>) {
    out.resize(out.len().next_multiple_of(4), 0);
}

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION: u32 = 1;
const ENHANCED_PACKET: u32 = 6;
const BYTE_ORDER: u32 = 0x1a2b_3c4d;
/// Packets begin with the IP header.
const LINK_RAW_IP: u16 = 101;
const OPTION_END: u16 = 0;
const OPTION_COMMENT: u16 = 1;
const OPTION_IF_NAME: u16 = 2;
const OPTION_IF_TSRESOL: u16 = 9;
const TCP: u8 = 6;
const TCP_HEADER_OCTETS: usize = 20;
/// Octets of one packet, so that its length fits into 16 bits.
const SEGMENT_OCTETS_MAX: usize = 60_000;

#[cfg(test)]
mod tests {
    use msrp_control::{ParticipantId, RoomId};

    use super::*;

    fn frame(direction: Direction, octets: &[u8]) -> TraceRecord {
        TraceRecord {
            time_ns: 0x1_0000_0002,
            room: RoomId::new("lunch").unwrap(),
            participant: ParticipantId::new("alice").unwrap(),
            direction,
            ends_frame: true,
            addresses: Some((
                "127.0.0.1:2855".parse().unwrap(),
                "127.0.0.1:4000".parse().unwrap(),
            )),
            octets: octets.to_vec(),
            dropped: 0,
        }
    }

    /// The blocks of a file: kind and body.
    fn blocks(mut file: &[u8]) -> Vec<(u32, Vec<u8>)> {
        let mut blocks = Vec::new();
        while !file.is_empty() {
            let word = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
            let length = word(4) as usize;
            assert_eq!(length % 4, 0);
            assert_eq!(word(length - 4) as usize, length);
            blocks.push((word(0), file[8..length - 4].to_vec()));
            file = &file[length..];
        }
        blocks
    }

    #[test]
    fn file_has_packets_whose_sums_and_numbers_fit() {
        let mut file = Vec::new();
        let mut pcapng = Pcapng::new(&mut file).unwrap();
        pcapng
            .write(&frame(Direction::In, &[b'x'; 70_000]))
            .unwrap();
        pcapng
            .write(&frame(Direction::Out, b"MSRP a 200 OK\r\n"))
            .unwrap();
        let blocks = blocks(&file);
        let kinds: Vec<_> = blocks.iter().map(|(kind, _)| *kind).collect();
        assert_eq!(kinds, [SECTION_HEADER, INTERFACE_DESCRIPTION, 6, 6, 6]);
        let packets: Vec<_> = blocks[2..]
            .iter()
            .map(|(_, body)| {
                let length = u32::from_le_bytes(body[12..16].try_into().unwrap()) as usize;
                body[20..20 + length].to_vec()
            })
            .collect();
        for packet in &packets {
            assert_eq!(checksum(&packet[..20]), 0);
            let mut tcp = packet[12..20].to_vec();
            tcp.extend_from_slice(&[0, TCP]);
            let length = u16::try_from(packet.len() - 20).unwrap();
            tcp.extend_from_slice(&length.to_be_bytes());
            tcp.extend_from_slice(&packet[20..]);
            assert_eq!(checksum(&tcp), 0);
        }
        let number = |packet: &[u8], at: usize| {
            u32::from_be_bytes(packet[20 + at..24 + at].try_into().unwrap())
        };
        assert_eq!(number(&packets[0], 4), 1);
        assert_eq!(number(&packets[1], 4), 60_001);
        // The answer acknowledges what came before it.
        assert_eq!(
            (number(&packets[2], 4), number(&packets[2], 8)),
            (1, 70_001)
        );
    }

    #[test]
    fn flow_without_addresses_gets_made_up_ones_and_keeps_them() {
        let mut file = Vec::new();
        let mut pcapng = Pcapng::new(&mut file).unwrap();
        let unknown = TraceRecord {
            addresses: None,
            ..frame(Direction::In, b"x")
        };
        pcapng.write(&unknown).unwrap();
        pcapng.write(&unknown).unwrap();
        let flow = pcapng.flows["alice"];
        assert_eq!(flow.peer, "192.0.2.2:10000".parse().unwrap());
        assert_eq!(flow.peer_next, 3);
    }
}
