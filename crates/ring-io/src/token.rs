//! The 64 bits that come back from the kernel with every completion and readiness event.
//!
//! ```text
//!   63      56 55                  32 31                           0
//!   +---------+----------------------+------------------------------+
//!   |  kind   |  generation (low 24) |             index            |
//!   +---------+----------------------+------------------------------+
//! ```
//!
//! An index is not reused while the kernel may still speak about it, so the generation is a second line of defence.

/// What an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A receive on a connection (io_uring), anything on a connection (epoll).
    Connection = 1,
    /// Writability of a connection (io_uring only).
    Writability = 2,
    /// A listener.
    Listener = 3,
    /// The waker's eventfd.
    Wake = 4,
    /// A send; the index is its position in the batch.
    Send = 5,
    /// The cancellation of something else.
    Cancel = 6,
}

/// A kind with the index and generation that it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) index: u32,
    generation: u32,
}

impl Token {
    pub(crate) const fn new(kind: Kind, index: u32, generation: u32) -> Self {
        Self {
            kind,
            index,
            generation: generation & GENERATION_MASK,
        }
    }

    /// Whether this token was made for the given generation.
    pub(crate) const fn is_of(self, generation: u32) -> bool {
        self.generation == generation & GENERATION_MASK
    }

    pub(crate) const fn pack(self) -> u64 {
        (self.kind as u64) << 56 | (self.generation as u64) << 32 | self.index as u64
    }

    /// `None` for bits that [`Token::pack`] never makes.
    pub(crate) fn unpack(bits: u64) -> Option<Self> {
        let kind = match bits >> 56 {
            1 => Kind::Connection,
            2 => Kind::Writability,
            3 => Kind::Listener,
            4 => Kind::Wake,
            5 => Kind::Send,
            6 => Kind::Cancel,
            _ => return None,
        };
        let index = u32::try_from(bits & u64::from(u32::MAX)).ok()?;
        let generation = u32::try_from(bits >> 32 & u64::from(GENERATION_MASK)).ok()?;
        Some(Self {
            kind,
            index,
            generation,
        })
    }
}

const GENERATION_MASK: u32 = 0x00ff_ffff;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_survives_the_round_trip() {
        for kind in [
            Kind::Connection,
            Kind::Writability,
            Kind::Listener,
            Kind::Wake,
            Kind::Send,
            Kind::Cancel,
        ] {
            let token = Token::new(kind, u32::MAX - 1, 0xfedc_ba98);
            let back = Token::unpack(token.pack()).unwrap();
            assert_eq!(back, token);
            assert!(back.is_of(0xfedc_ba98));
            assert!(!back.is_of(0xfedc_ba99));
        }
        assert_eq!(Token::unpack(0), None);
    }
}
