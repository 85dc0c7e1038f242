//! Every bound of the generator, with what happens at it.

use std::time::Duration;

/// Octets that wait for one socket above which nothing more is composed for it. Messages wait with their intended time.
pub const OUT_OCTETS_SOFT: usize = 64 * 1024;

/// Unanswered messages of one participant. One more waits, with its intended time, until one is answered.
pub const OUTSTANDING_MAX: usize = 65_536;

/// Messages that one participant has still to begin. A schedule that is further ahead waits, and keeps its times.
pub const JOBS_MAX: usize = 65_536;

/// Octets of a message in which its stamp must have begun; a message without one there is foreign.
pub const HEAD_OCTETS_MAX: usize = 4096;

/// Unfinished messages of one participant. The oldest one is given up for one more and shows as missing.
pub const ASSEMBLIES_MAX: usize = 4096;

/// Ranges of sequence numbers that one participant misses from one sender. The oldest range is closed for one more: what
/// comes of it later counts as a duplicate.
pub const GAPS_MAX: usize = 4096;

/// Longest wait for all participants to be in their rooms after the last one was invited.
pub const JOIN_TIME_MAX: Duration = Duration::from_secs(30);

/// Longest wait for the answers to BYE.
pub const LEAVE_TIME_MAX: Duration = Duration::from_secs(3);

/// INVITEs without a final response. The next one waits.
pub const JOINING_MAX: usize = 256;

/// Participants of one run: what one SIP engine holds in dialogs.
pub const PARTICIPANTS_MAX: u32 = 100_000;

/// Octets of a message; sizes in stamps have 32 bits.
pub const SIZE_MAX: u32 = 1 << 30;

/// Longest latency that is told apart; longer ones count as this.
pub const LATENCY_MAX: Duration = Duration::from_secs(120);

/// A load thread that used more than this share of a core may have been the bottleneck.
pub const BUSY_SHARE_MAX: f64 = 0.95;
