//! The stamp that every message carries: who sent it, the how-manyth it is, and when it was meant to leave.
//!
//! ```text
//! msrpload:RRRRRRRRKOOOOOOOOSSSSSSSSSSSSSSSSTTTTTTTTTTTTTTTTPPPPPPPPHHHHHHHHHHHHHHHHCCCCCCCC;
//!          run     |origin  sequence        intended, ns    pattern head's sum      check of the stamp
//!                  kind                                     octets
//! ```
//!
//! All numbers are hexadecimal. The head's sum is taken over every octet of the message in front of the stamp (the CPIM
//! wrapper and the start of the body), so that a receiver can check them without knowing them. Behind the stamp come
//! `pattern octets` of [`Pattern`](crate::pattern::Pattern) and a fixed end that the kind names.

use std::sync::OnceLock;

use memchr::memmem;

use crate::mix::Kind;
use crate::pattern;

/// A stamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Names the run: messages of other generators in the same room are told apart by it.
    pub run: u32,
    /// What the message is.
    pub kind: Kind,
    /// Number of the participant who sent it.
    pub origin: u32,
    /// The how-manyth message of its sender to the same recipients, from 0.
    pub sequence: u64,
    /// When it was meant to leave, in nanoseconds since the start of the run.
    pub intended_ns: u64,
    /// Octets of pattern behind the stamp.
    pub pattern_octets: u32,
    /// The checksum of the octets in front of the stamp.
    pub head_sum: u64,
}

/// What was found in the first octets of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// The stamp, and where it starts.
    Stamp(Stamp, usize),
    /// A stamp that is not complete yet, or none so far.
    NeedMore,
    /// A stamp whose check is wrong.
    Damaged,
}

impl Stamp {
    /// Appends the stamp.
    pub fn write(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(MAGIC);
        hex(out, u64::from(self.run), 8);
        out.push(self.kind.letter());
        hex(out, u64::from(self.origin), 8);
        hex(out, self.sequence, 16);
        hex(out, self.intended_ns, 16);
        hex(out, u64::from(self.pattern_octets), 8);
        hex(out, self.head_sum, 16);
        let check = pattern::sum(&out[start..]) >> 32;
        hex(out, check, 8);
        out.push(b';');
    }

    /// Looks for a stamp.
    #[must_use]
    pub fn find(octets: &[u8]) -> Found {
        let Some(start) = finder().find(octets) else {
            return Found::NeedMore;
        };
        let Some(text) = octets.get(start..start + STAMP_OCTETS) else {
            return Found::NeedMore;
        };
        Self::read(text).map_or(Found::Damaged, |stamp| Found::Stamp(stamp, start))
    }

    fn read(text: &[u8]) -> Option<Self> {
        let (checked, check) = text.split_at_checked(STAMP_OCTETS - 9)?;
        if check.get(8) != Some(&b';')
            || number32(check.get(..8)?)? != u32::try_from(pattern::sum(checked) >> 32).ok()?
        {
            return None;
        }
        Some(Self {
            run: number32(text.get(9..17)?)?,
            kind: Kind::of_letter(*text.get(17)?)?,
            origin: number32(text.get(18..26)?)?,
            sequence: number(text.get(26..42)?)?,
            intended_ns: number(text.get(42..58)?)?,
            pattern_octets: number32(text.get(58..66)?)?,
            head_sum: number(text.get(66..82)?)?,
        })
    }
}

/// Building a search costs more than most searches here.
fn finder() -> &'static memmem::Finder<'static> {
    static FINDER: OnceLock<memmem::Finder<'static>> = OnceLock::new();
    FINDER.get_or_init(|| memmem::Finder::new(MAGIC))
}

fn hex(out: &mut Vec<u8>, value: u64, digits: u32) {
    for place in (0..digits).rev() {
        let digit = usize::try_from(value >> (4 * place) & 0xf).unwrap_or(0);
        out.push(DIGITS[digit]);
    }
}

fn number(text: &[u8]) -> Option<u64> {
    text.iter().try_fold(0, |value: u64, c| {
        let digit = match c {
            b'0'..=b'9' => c - b'0',
            b'a'..=b'f' => c - b'a' + 10,
            _ => return None,
        };
        Some(value << 4 | u64::from(digit))
    })
}

fn number32(text: &[u8]) -> Option<u32> {
    u32::try_from(number(text)?).ok()
}

/// How a stamp starts.
const MAGIC: &[u8; 9] = b"msrpload:";

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Octets of a stamp.
pub const STAMP_OCTETS: usize = 91;

#[cfg(test)]
mod tests {
    use super::*;

    const STAMP: Stamp = Stamp {
        run: 0xdead_beef,
        kind: Kind::Displayed,
        origin: 17,
        sequence: u64::MAX,
        intended_ns: 12_345_678_901,
        pattern_octets: 109,
        head_sum: 0x0123_4567_89ab_cdef,
    };

    #[test]
    fn stamp_is_found_again_behind_other_octets() {
        let mut octets = b"From: <sip:a@b>\r\n\r\n".to_vec();
        let start = octets.len();
        STAMP.write(&mut octets);
        assert_eq!(octets.len(), start + STAMP_OCTETS);
        assert_eq!(
            Stamp::find(&octets[..octets.len() - 1]),
            Found::NeedMore,
            "cut"
        );
        octets.extend_from_slice(b"rest");
        assert_eq!(Stamp::find(&octets), Found::Stamp(STAMP, start));
        assert_eq!(Stamp::find(b"hello"), Found::NeedMore);
    }

    #[test]
    fn stamp_with_any_octet_changed_is_not_read() {
        let mut octets = Vec::new();
        STAMP.write(&mut octets);
        for at in 0..STAMP_OCTETS {
            let mut changed = octets.clone();
            changed[at] ^= 1;
            assert!(!matches!(Stamp::find(&changed), Found::Stamp(..)), "{at}");
        }
    }
}
