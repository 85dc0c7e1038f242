//! Keys of connections and listeners.

use crate::token::{Kind, Token};

/// Names one connection of one `Io`.
///
/// The index is reused after the connection has ended, the generation is not (it wraps after 2^32 uses of one
/// index), so a key that outlives its connection is harmless.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnKey {
    index: u32,
    generation: u32,
}

/// Names one listener of one `Io`. Same rules as [`ConnKey`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ListenerKey {
    index: u32,
    generation: u32,
}

macro_rules! key_impl {
    ($key:ident) => {
        impl $key {
            /// Makes a key. For other implementations of [`Io`](crate::Io), such as a simulated network.
            #[must_use]
            pub const fn new(index: u32, generation: u32) -> Self {
                Self { index, generation }
            }

            /// A small number, dense over what is open: good for indexing the caller's own table.
            #[must_use]
            pub const fn index(self) -> usize {
                self.index as usize
            }

            /// Tells successive users of one index apart.
            #[must_use]
            pub const fn generation(self) -> u32 {
                self.generation
            }

            pub(crate) const fn token(self, kind: Kind) -> Token {
                Token::new(kind, self.index, self.generation)
            }
        }
    };
}

key_impl!(ConnKey);
key_impl!(ListenerKey);
