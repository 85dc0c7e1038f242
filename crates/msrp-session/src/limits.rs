//! Every bound of one hop, with its source and what happens at it.

/// How long an answer to a transaction may take, in nanoseconds: 30 s (RFC 4975 s.7.1.1). Past it
/// the transaction counts as answered with 408.
pub const TRANSACTION_NS: u64 = 30_000_000_000;

/// Most separate ranges of one message that are kept while it arrives out of order. One more
/// refuses the chunk with 400.
pub const COVERAGE_RANGES_MAX: usize = 64;

/// Most transactions of one session of which an answer may still come. The oldest is forgotten for
/// one more; when an answer was asked for, it counts as answered with 408 then.
pub const TRANSACTIONS_MAX: usize = 4096;

/// Longest body of one piece, in octets. Longer bodies leave as several pieces.
pub const PIECE_OCTETS_MAX: usize = 65_536;

/// Shortest body, in octets, for which a piece is made while its chunk is still arriving
/// (RFC 4975 s.7.1.1 wants no chunks below 2048 octets but the last).
pub const PIECE_OCTETS_MIN: usize = 2048;

/// Most transactions of one session to which no answer was asked for and an error may still come.
/// The oldest is forgotten for one more; an error that comes later than that is counted and changes
/// nothing.
pub const UNASKED_MAX: usize = 16;
