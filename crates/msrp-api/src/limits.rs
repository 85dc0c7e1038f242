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

/// Tokens of one file. A file with more is refused.
pub const TOKENS_MAX: usize = 1000;

/// Consumers of events at once. One more is 503.
pub const CONSUMERS_MAX: usize = 256;

/// Events that the log keeps unless it is told otherwise. Older ones are a gap.
pub const EVENTS_MAX: usize = 65_536;

/// Octets of all events that the log keeps. Older ones are a gap.
pub const EVENTS_OCTETS_MAX: usize = 32 * 1024 * 1024;

/// Events that a consumer takes from the log at once: what it may keep the writer for.
pub const READ_EVENTS_MAX: usize = 256;

/// Frames that wait for a consumer's connection. The consumer does not read on meanwhile.
pub const CONSUMER_FRAMES_MAX: usize = 64;

/// How long a consumer may take nothing. It is cut off then and may come back with its cursor.
pub const CONSUMER_STALL_MAX: Duration = Duration::from_secs(30);

/// How long events of messages go on when the last consumer that named them is gone: long enough to
/// come back. One that comes later is told that some are missing.
pub const MESSAGES_LINGER: Duration = Duration::from_secs(60);

/// Longest time that a drain may take, seconds: a day. A longer one is 400.
pub const DRAIN_S_MAX: u64 = 86_400;

/// Longest message with which a drain is told to rooms, octets. A longer one is 400.
pub const DRAIN_MESSAGE_OCTETS_MAX: usize = 4096;

/// How often a draining node looks whether anybody is left.
pub const DRAIN_LOOK_EVERY: Duration = Duration::from_millis(200);

/// How long the events of the end may take to be delivered to webhooks.
pub const WEBHOOK_FLUSH_MAX: Duration = Duration::from_secs(2);

/// How often a webhook that gets no events notes how far it is.
pub const WEBHOOK_PROGRESS_EVERY: Duration = Duration::from_millis(500);

/// Webhooks of a node. One more is 503, or stops the start.
pub const WEBHOOKS_MAX: usize = 64;

/// Events of one request to a webhook. What is beyond comes with the next one.
pub const WEBHOOK_EVENTS_MAX: usize = 100;

/// Octets of the events of one request to a webhook, beyond which no further one is added.
pub const WEBHOOK_OCTETS_MAX: usize = 256 * 1024;

/// Octets of an answer of a webhook that are read to keep its connection. A longer one costs the
/// connection.
pub const WEBHOOK_ANSWER_OCTETS_MAX: usize = 64 * 1024;

/// Shortest secret of a webhook, octets. A shorter one is refused.
pub const WEBHOOK_SECRET_OCTETS_MIN: usize = 16;

/// How often a consumer that gets no events is told how far it is.
pub const PROGRESS_EVERY: Duration = Duration::from_secs(15);

/// Wait before the events are subscribed to again when the engine has cut the stream.
pub const RESUBSCRIBE_DELAY: Duration = Duration::from_millis(100);
