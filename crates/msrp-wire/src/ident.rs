//! Idents: the names of transactions and messages.

use std::fmt;

use crate::limits::{IDENT_OCTETS_MAX, IDENT_OCTETS_MIN};
use crate::malformed::{Malformed, Place};
use crate::octet_class::OctetClass;

/// An ident: 4 to 32 characters, stored inline.
///
/// The first character is a letter or a digit, the others are letters, digits or one of `. - + % =`. Case matters.
///
/// # Spec
/// RFC 4975 s.9, `ident`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ident {
    /// Zero behind the last character, so that derived comparison is comparison of the text.
    octets: [u8; IDENT_OCTETS_MAX],
    len: u8,
}

impl Ident {
    /// Reads a whole text as an ident.
    ///
    /// # Errors
    /// [`Malformed`] at [`Place::Ident`]: wrong length, or the offset of the first illegal character.
    pub fn parse(text: &[u8]) -> Result<Self, Malformed> {
        let (legal, rest) = OctetClass::IDENT.split_run(text);
        if !rest.is_empty() && legal.first().is_some_and(u8::is_ascii_alphanumeric) {
            return Err(Malformed::new(Place::Ident, legal.len()));
        }
        Self::of_run(legal)
    }

    /// As [`Ident::parse`], of characters that are all legal behind the first one.
    fn of_run(text: &[u8]) -> Result<Self, Malformed> {
        if !text.first().is_none_or(u8::is_ascii_alphanumeric) {
            return Err(Malformed::new(Place::Ident, 0));
        }
        if text.len() < IDENT_OCTETS_MIN {
            return Err(Malformed::new(Place::Ident, text.len()));
        }
        let mut octets = [0; IDENT_OCTETS_MAX];
        let Some(room) = octets.get_mut(..text.len()) else {
            return Err(Malformed::new(Place::Ident, IDENT_OCTETS_MAX));
        };
        room.copy_from_slice(text);
        let len = u8::try_from(text.len()).unwrap_or(0);
        Ok(Self { octets, len })
    }

    /// Writes 128 bits as an ident of 22 characters; different bits give different idents.
    ///
    /// The caller draws the bits. RFC 4975 s.7.1 wants 64 of them to be random.
    #[must_use]
    pub fn from_random(bits: u128) -> Self {
        let mut octets = [0; IDENT_OCTETS_MAX];
        let halves = [bits >> 64, bits & u128::from(u64::MAX)];
        // Each half is eleven characters: ten of six bits, last first, and one of the four bits that remain.
        for (half, places) in halves.into_iter().zip(octets.chunks_exact_mut(11)) {
            let mut rest = u64::try_from(half).unwrap_or_default();
            for place in places.iter_mut().rev() {
                *place = digit(rest);
                rest >>= 6;
            }
        }
        Self { octets, len: 22 }
    }

    /// The characters.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.octets.get(..usize::from(self.len)).unwrap_or_default()
    }

    /// The characters as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }
}

/// The character of the last six bits.
fn digit(bits: u64) -> u8 {
    let index = usize::try_from(bits & 0x3f).unwrap_or(0);
    DIGITS.get(index).copied().unwrap_or(b'A')
}

/// Letters and digits, and the two other ident characters that no URI or XML syntax treats as special.
const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-";

impl fmt::Debug for Ident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Ident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

macro_rules! named_ident {
    ($(#[$doc:meta])* $name:ident, $place:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Ident);

        impl $name {
            /// Reads a whole text.
            ///
            /// # Errors
            /// [`Malformed`] with the offset of the first illegal character, or of the end when the length is wrong.
            pub fn parse(text: &[u8]) -> Result<Self, Malformed> {
                match Ident::parse(text) {
                    Ok(ident) => Ok(Self(ident)),
                    Err(malformed) => Err(Malformed { at: Place::$place, ..malformed }),
                }
            }

            /// Writes 128 bits as 22 characters; different bits give different names.
            #[must_use]
            pub fn from_random(bits: u128) -> Self {
                Self(Ident::from_random(bits))
            }

            /// The characters.
            #[must_use]
            pub fn as_bytes(&self) -> &[u8] {
                self.0.as_bytes()
            }

            /// The characters as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }

            /// The ident inside.
            #[must_use]
            pub fn ident(&self) -> Ident {
                self.0
            }
        }

        impl From<Ident> for $name {
            fn from(ident: Ident) -> Self {
                Self(ident)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

named_ident! {
    /// Names one request and its response on one connection, and ends the request.
    ///
    /// # Spec
    /// RFC 4975 s.7.1.
    TransactionId, TransactionId
}

named_ident! {
    /// Names a message: all chunks of it carry the same one.
    ///
    /// # Spec
    /// RFC 4975 s.7.1.1.
    MessageId, MessageId
}

impl TransactionId {
    /// As [`TransactionId::parse`], of characters that are all legal in an ident behind the first one.
    pub(crate) fn of_run(text: &[u8]) -> Option<Self> {
        Ident::of_run(text).ok().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn ident_of_legal_text_keeps_it() {
        for text in [
            "abcd",
            "9+==",
            "a786hjs2",
            "A.-+%=zZ",
            "12345678901234567890123456789012",
        ] {
            assert_eq!(Ident::parse(text.as_bytes()).unwrap().as_str(), text);
        }
    }

    #[test]
    fn ident_of_illegal_text_names_the_offset() {
        let cases = [
            ("", 0),
            ("abc", 3),
            (".abcd", 0),
            ("ab cd", 2),
            ("abcd_", 4),
            ("abc\u{e9}", 3),
            ("123456789012345678901234567890123", 32),
        ];
        for (text, offset) in cases {
            assert_eq!(
                Ident::parse(text.as_bytes()),
                Err(Malformed::new(Place::Ident, offset)),
                "{text}"
            );
        }
    }

    // covers: MSRP-4975-7.1-02
    #[test]
    fn transaction_id_from_random_keeps_every_bit() {
        let mut seen = BTreeSet::new();
        seen.insert(TransactionId::from_random(0));
        for bit in 0..128 {
            let id = TransactionId::from_random(1 << bit);
            assert_eq!(TransactionId::parse(id.as_bytes()), Ok(id));
            assert!(seen.insert(id), "bit {bit} is lost");
        }
        assert_eq!(TransactionId::from_random(u128::MAX).as_str().len(), 22);
    }

    #[test]
    fn ident_from_random_has_its_bits_in_its_characters() {
        let text = |bits| Ident::from_random(bits).as_str().to_owned();
        assert_eq!(text(0), "A".repeat(22));
        assert_eq!(text(u128::MAX), "P----------P----------");
        assert_eq!(
            text(0b01 << 126 | 0b01_0010 << 6 | 0b11_1110),
            format!("E{}S.", "A".repeat(19))
        );
        let base = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c834;
        for bit in 0..128 {
            let (one, other) = (text(base), text(base ^ 1 << bit));
            let changed = one.bytes().zip(other.bytes()).filter(|(a, b)| a != b);
            assert_eq!(changed.count(), 1, "bit {bit}");
        }
        let ident = Ident::parse(b"abcd").unwrap();
        assert_eq!(format!("{ident} {ident:?} {ident:6}|"), "abcd abcd abcd  |");
    }

    #[test]
    fn ident_order_is_order_of_text() {
        let id = |t: &[u8]| Ident::parse(t).unwrap();
        assert!(id(b"aaaa") < id(b"aaaaa"));
        assert!(id(b"aaaab") < id(b"aaab"));
    }
}
