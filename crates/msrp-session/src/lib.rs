//! One MSRP hop: what is outstanding, what has arrived, who is owed an answer, and how a chunk to
//! send is put together.
//!
//! Never does I/O, never reads a clock, draws no randomness: time and ids come in. Knows nothing
//! of rooms.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unwrap_used
    )
)]

pub mod answering;
mod arena;
mod coverage;
mod ids;
pub mod limits;
mod piece;
mod rare_vec;
mod timestamp;
mod timing_wheel;
mod transactions;

pub use arena::{Arena, Key};
pub use coverage::{Coverage, TooManyHoles};
pub use ids::IdSource;
pub use piece::{Piece, PieceBody, PieceFields};
pub use rare_vec::RareVec;
pub use timestamp::Timestamp;
pub use timing_wheel::{TimerKey, TimingWheel};
pub use transactions::{Question, Transactions};
