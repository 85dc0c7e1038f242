//! The header of a frame, read bit by bit and written whole.
//!
//! ```text
//!   F R R R op op op op | M length(7) | [length 16 or 64] | [mask 32]
//! ```
//!
//! # Spec
//! RFC 6455 s.5.2.

use crate::Failure;
use crate::limits::CONTROL_OCTETS_MAX;

/// What a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opcode {
    Continuation,
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

impl Opcode {
    fn from_wire(bits: u8) -> Option<Self> {
        match bits {
            0 => Some(Self::Continuation),
            1 => Some(Self::Text),
            2 => Some(Self::Binary),
            8 => Some(Self::Close),
            9 => Some(Self::Ping),
            10 => Some(Self::Pong),
            _ => None,
        }
    }

    fn bits(self) -> u8 {
        match self {
            Self::Continuation => 0,
            Self::Text => 1,
            Self::Binary => 2,
            Self::Close => 8,
            Self::Ping => 9,
            Self::Pong => 10,
        }
    }

    pub(super) fn is_control(self) -> bool {
        match self {
            Self::Continuation | Self::Text | Self::Binary => false,
            Self::Close | Self::Ping | Self::Pong => true,
        }
    }
}

/// The header of a frame from a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) opcode: Opcode,
    pub(super) is_final: bool,
    pub(super) mask: [u8; 4],
    pub(super) octets: u64,
}

impl Header {
    /// Reads the header at the start of the octets. Returns its own length too; `None` while octets are missing.
    ///
    /// # Errors
    /// [`Failure::Frame`] as soon as what is there can be no header of a client.
    fn read(octets: &[u8]) -> Result<Option<(Self, usize)>, Failure> {
        let Some((first, rest)) = octets.split_first() else {
            return Ok(None);
        };
        let opcode = Opcode::from_wire(first & 0x0f).filter(|_| first & 0x70 == 0);
        let opcode = opcode.ok_or(Failure::Frame)?;
        let Some((second, rest)) = rest.split_first() else {
            return Ok(None);
        };
        let is_final = first & 0x80 != 0;
        let is_masked = second & 0x80 != 0;
        let short = second & 0x7f;
        let is_wrong_control =
            opcode.is_control() && (!is_final || usize::from(short) > CONTROL_OCTETS_MAX);
        if !is_masked || is_wrong_control {
            return Err(Failure::Frame);
        }
        let (octets, mask, length) = match (short, rest) {
            (126, [a, b, m, n, o, p, ..]) => {
                let octets = u16::from_be_bytes([*a, *b]);
                (u64::from(octets), [*m, *n, *o, *p], 8)
            }
            (127, [a, b, c, d, e, f, g, h, m, n, o, p, ..]) => (
                u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]),
                [*m, *n, *o, *p],
                HEADER_OCTETS_MAX,
            ),
            (..126, [m, n, o, p, ..]) => (u64::from(short), [*m, *n, *o, *p], 6),
            _ => return Ok(None),
        };
        // The shortest form of the length is the only legal one.
        let is_shortest = match short {
            126 => octets > 125,
            127 => octets > u64::from(u16::MAX) && octets >> 63 == 0,
            _ => true,
        };
        if !is_shortest {
            return Err(Failure::Frame);
        }
        let header = Self {
            opcode,
            is_final,
            mask,
            octets,
        };
        Ok(Some((header, length)))
    }
}

/// The octets of a header that have come so far.
#[derive(Debug, Default)]
pub(super) struct PartialHeader {
    octets: [u8; HEADER_OCTETS_MAX],
    count: usize,
}

impl PartialHeader {
    /// Takes octets until the header is whole, and gives it then.
    ///
    /// # Errors
    /// [`Failure::Frame`] as soon as what has come can be no header of a client.
    pub(super) fn take(&mut self, octets: &mut &[u8]) -> Result<Option<Header>, Failure> {
        if self.count == 0
            && let Some((header, length)) = Header::read(octets)?
        {
            *octets = octets.get(length..).unwrap_or_default();
            return Ok(Some(header));
        }
        while let Some((octet, rest)) = octets.split_first() {
            *octets = rest;
            *self.octets.get_mut(self.count).ok_or(Failure::Frame)? = *octet;
            self.count = self.count.saturating_add(1);
            let so_far = self.octets.get(..self.count).unwrap_or_default();
            if let Some((header, _)) = Header::read(so_far)? {
                self.count = 0;
                return Ok(Some(header));
            }
        }
        Ok(None)
    }
}

/// Appends the header of a whole, unmasked frame.
pub(super) fn write_header(out: &mut Vec<u8>, opcode: Opcode, octets: usize) {
    out.push(0x80 | opcode.bits());
    match (u8::try_from(octets), u16::try_from(octets)) {
        (Ok(short), _) if short <= 125 => out.push(short),
        (_, Ok(medium)) => {
            out.push(126);
            out.extend_from_slice(&medium.to_be_bytes());
        }
        (_, Err(_)) => {
            out.push(127);
            out.extend_from_slice(&(octets as u64).to_be_bytes());
        }
    }
}

/// Takes the mask off octets of a payload that begin at this offset of it.
pub(super) fn unmask(octets: &mut [u8], mask: [u8; 4], offset: u64) {
    let turned = u32::try_from(offset & 3).unwrap_or(0).saturating_mul(8);
    let key = u32::from_le_bytes(mask).rotate_right(turned);
    let wide = u64::from(key) << 32 | u64::from(key);
    let (words, rest) = octets.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_le_bytes(*word) ^ wide).to_le_bytes();
    }
    for (octet, mask) in rest.iter_mut().zip(wide.to_le_bytes()) {
        *octet ^= mask;
    }
}

/// Octets of the longest header.
const HEADER_OCTETS_MAX: usize = 14;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unmask_at_every_offset_and_length_equals_the_plain_definition() {
        let mask = [0x11, 0x22, 0x83, 0xf4];
        for offset in 0..9u64 {
            for length in 0..40 {
                let mut octets: Vec<u8> = (0..length).collect();
                unmask(&mut octets, mask, offset);
                let plain = (0..length)
                    .map(|i| i ^ mask[usize::try_from(offset + u64::from(i)).unwrap() % 4]);
                assert_eq!(octets, plain.collect::<Vec<u8>>(), "{offset} {length}");
            }
        }
    }

    /// Reads a header whole and octet by octet; both have to say the same.
    fn read(octets: &[u8]) -> Result<Option<Header>, Failure> {
        let mut partial = PartialHeader::default();
        let mut parts = octets.chunks(1);
        let bit_by_bit = loop {
            let Some(mut part) = parts.next() else {
                break Ok(None);
            };
            match partial.take(&mut part) {
                Ok(None) => {}
                ended => {
                    assert!(
                        ended.is_err() || parts.next().is_none(),
                        "a header ended early"
                    );
                    break ended;
                }
            }
        };
        let mut rest = octets;
        assert_eq!(PartialHeader::default().take(&mut rest), bit_by_bit);
        bit_by_bit
    }

    #[test]
    fn header_of_every_length_form_is_read_back() {
        for octets in [0, 1, 125, 126, 65_535, 65_536, 1 << 40] {
            let mut frame = Vec::new();
            write_header(&mut frame, Opcode::Binary, octets);
            frame[1] |= 0x80;
            frame.extend_from_slice(&[1, 2, 3, 4]);
            let header = read(&frame).unwrap().unwrap();
            assert_eq!(header.octets, octets as u64);
            assert_eq!(header.mask, [1, 2, 3, 4]);
            assert!(header.is_final);
            assert_eq!(header.opcode, Opcode::Binary);
        }
    }

    #[test]
    fn header_that_breaks_a_rule_is_refused() {
        let wrong: [&[u8]; 9] = [
            &[0x82, 0x05],
            &[0xc2],
            &[0x83],
            &[0x8b],
            &[0x09, 0x80],
            &[0x89, 0xfe],
            &[0x82, 0xfe, 0, 125, 1, 2, 3, 4],
            &[0x82, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 1, 2, 3, 4],
            &[0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4],
        ];
        for octets in wrong {
            assert_eq!(read(octets), Err(Failure::Frame), "{octets:x?}");
        }
    }
}
