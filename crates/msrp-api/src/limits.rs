//! Every bound of the API, with what happens at it.

use std::time::Duration;

/// Longest request body, octets: a session description or a message of 32 KiB with its escapes.
/// A longer one is 413.
pub const BODY_OCTETS_MAX: usize = 256 * 1024;

/// Entries of a list when the request does not say how many.
pub const PAGE_DEFAULT: usize = 100;

/// Most entries of a list: less than the engine gives, so that one more shows whether more follow.
pub const PAGE_MAX: usize = 500;
const _: () = assert!(PAGE_MAX < msrp_control::PAGE_MAX);

/// Longest `Idempotency-Key`, octets. A longer one is 400.
pub const KEY_OCTETS_MAX: usize = 255;

/// Answers that are remembered for requests with a key. The oldest one is forgotten for one more,
/// and what is asked again then is done again.
pub const ANSWERS_MAX: usize = 10_000;

/// Octets of all answers that are remembered. The oldest ones are forgotten beyond it.
pub const ANSWERS_OCTETS_MAX: usize = 16 * 1024 * 1024;

/// How long an answer is remembered.
pub const ANSWER_AGE_MAX: Duration = Duration::from_secs(600);

/// What `Retry-After` says beyond a limit, seconds: long enough for a hang-up to make room.
pub const RETRY_AFTER_LIMIT_S: u64 = 5;

/// What `Retry-After` says when a shard is starting again, seconds.
pub const RETRY_AFTER_UNAVAILABLE_S: u64 = 1;

/// What `Retry-After` says while the node drains, seconds: for a proxy that has no other node.
pub const RETRY_AFTER_DRAINING_S: u64 = 30;
