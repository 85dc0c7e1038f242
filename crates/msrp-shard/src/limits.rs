//! Every bound of the engine that is not configuration, with what happens at it.

/// Most commands waiting for one shard. One more is answered with `unavailable`.
pub const MAILBOX_MESSAGES_MAX: usize = 4096;

/// Most events that a subscriber may be behind. One that is further behind is cut off.
pub const EVENTS_MAX: usize = 65_536;

/// Octets waiting for one connection above which those who send to it are not read any more.
pub const BACKLOG_OCTETS_SOFT: usize = 64 * 1024;

/// Octets of one connection that are read in one turn. What is beyond waits for the next.
pub const TURN_OCTETS_MAX: usize = 256 * 1024;

/// Octets of one connection that are read at a time; then it is looked whether there is room for more.
pub const READ_OCTETS: usize = 64 * 1024;

/// Octets of a connection that is not read on for some time up to which they are copied out of the receive buffers.
/// What one very fast sender has sent beyond stays there: the buffers bound it.
pub const HELD_BACK_OCTETS_MAX: usize = 512 * 1024;

/// Requests of one connection that are read in one turn. What is beyond waits for the next, so that one connection with
/// many small requests keeps nobody else waiting. A read that was begun is read to its end.
pub const TURN_REQUESTS_MAX: usize = 64;

/// Octets that are read at a time of a connection whose last read had more than a few requests: so little
/// is beyond [`TURN_REQUESTS_MAX`].
pub const READ_OCTETS_DENSE: usize = 8 * 1024;

/// Requests in one read above which a connection's reads are short.
pub const READ_REQUESTS_MANY: usize = 16;

/// Reads of less than [`READ_OCTETS`] in a row after which a connection that has sent more than its budget is received
/// from without bounds again. Our choice: a read is also short where a receive buffer ends.
pub const SHORT_READS: u8 = 8;

/// Reads of at least [`READ_OCTETS`] in a row that make a connection one that says much. Our choice: a window of messages
/// fills one or two, a large file or a flood all.
pub const FULL_READS: u8 = 4;

/// Requests that are read in one turn of all connections that say much, together. A read that was begun is read to its end.
pub const BOUNDED_REQUESTS_MAX: usize = 32;

/// Octets that are read in one turn of all connections that say much, together.
pub const BOUNDED_OCTETS_MAX: usize = 64 * 1024;

/// Requests of all connections that are read in one turn. With more, nothing is read on in this turn, but for those that
/// say much: they have a budget of their own, so that the others cannot keep them waiting.
pub const TURN_REQUESTS_OF_ALL_MAX: usize = 2048;

/// Connections that are accepted in one turn, or closed because they named no session. What is beyond waits for the
/// next, so that a crowd at the door keeps nobody waiting who talks.
pub const TURN_ARRIVALS_MAX: usize = 16;

/// Of these, how many may wait, with a descriptor each. With one more the oldest does not.
pub const ARRIVALS_WAITING_MAX: usize = 8192;

/// Pieces that a shard queues for recipients in one turn, and their octets. With more, nothing is read on
/// in this turn: what is read after it comes no later, and nobody waits longer for a turn to end than it takes to write
/// these.
pub const TURN_COPIES_MAX: usize = 32 * 1024;
/// See [`TURN_COPIES_MAX`].
pub const TURN_COPY_OCTETS_MAX: usize = 32 * 1024 * 1024;

/// Octets queued for one recipient in one turn above which those who send to it are not read on in that
/// turn: so a recipient that stalls has no more than that, and one read of each sender, when it is noticed.
pub const RECIPIENT_TURN_OCTETS: usize = 128 * 1024;

/// How often a connection with octets that the kernel did not take is looked at, in nanoseconds:
/// 500 ms. It is longer than a retransmission takes on a usual path, and short for people who wait.
pub const LOOK_NS: u64 = 500_000_000;

/// Octets that a slow recipient has to take between two looks to be waited for: 16 KiB/s. One that takes
/// less, although it could, is *behind*.
pub const PACE_OCTETS_MIN: u64 = 8 * 1024;

/// How long the rest of a large message waits for a recipient that is behind, in nanoseconds: 3 s, as long as
/// a phone takes to change its cell.
pub const PATIENCE_NS: u64 = 3_000_000_000;

/// Octets waiting for a recipient that is behind above which further copies for it end: with `#` when a part of
/// them is under way, and as failed.
pub const BEHIND_OCTETS_MAX: usize = 192 * 1024;

/// Octets waiting for a slow recipient above which copies end although their senders wait: so many senders
/// that one read of each is more than that.
pub const PACED_OCTETS_MAX: usize = 2 * 1024 * 1024;

/// Octets waiting for a slow recipient above which copies end that come from a connection with several
/// sessions: such a connection is not slowed, because the other sessions would wait with it.
pub const UNPACED_OCTETS_MAX: usize = 1024 * 1024;

/// Octets of a backlog that one send offers: what arrives meanwhile can go before the rest.
pub const BACKLOG_SEND_OCTETS: usize = 64 * 1024;

/// Octets that TLS or WebSocket have encoded ahead of the kernel: what comes later goes behind them.
pub const WIRE_OCTETS_AHEAD: usize = 128 * 1024;

/// Octets of starting messages, responses and reports after which a message that is under way has its turn.
pub const BACKLOG_RUN_OCTETS: usize = 64 * 1024;

/// Octets waiting for one connection above which it is shed at once: what arrives in one turn from
/// many senders, before they are slowed, fits below it, and the `#` of copies that end.
pub const BACKLOG_OCTETS_MAX: usize = 4 * 1024 * 1024;

/// Octets kept for a participant whose connection has not come yet. A message that goes beyond is
/// ended with `#` for that participant.
pub const EARLY_OCTETS_MAX: usize = 256 * 1024;

/// Sessions of one shard that one connection may carry. One more is answered with 506.
pub const SESSIONS_PER_CONNECTION_MAX: usize = 64;

/// How long a connection whose last session has ended waits for the peer to close, in
/// nanoseconds: 2 s.
pub const LINGER_NS: u64 = 2_000_000_000;

/// Octets that one connection may have forwarded to another shard and that were not read there. With
/// more the connection is not read.
pub const FORWARDED_OCTETS_MAX: usize = 256 * 1024;

/// Participants of a room from which on new sessions get their connections on all shards in turn, so
/// that the copies are written by all cores. A smaller room stays on one: what crosses costs more
/// than it saves.
pub const SPREAD_PARTICIPANTS_MIN: usize = 32;

/// How soon a shard looks again whether another one's mailbox has room, in nanoseconds: 1 ms.
pub const RETRY_NS: u64 = 1_000_000;

/// Traces that run on one shard at once. One more is refused: each copies what it shows.
pub const TRACES_MAX: usize = 16;

/// Longest sleep of a shard, in nanoseconds: 250 ms. It bounds how old the sign of life is.
pub const SLEEP_NS_MAX: u64 = 250_000_000;

/// Age of a shard's last sign of life above which it counts as dead, in nanoseconds: 1 s.
pub const ALIVE_NS: u64 = 1_000_000_000;

/// Age up to which a look at the memory of the process is good enough, in nanoseconds: 100 ms. Whoever
/// decides about new work asks for it each time.
pub const MEMORY_LOOK_NS: u64 = 100_000_000;

/// Slices that one send may have; the kernel takes 1024.
pub const SLICES_PER_SEND_MAX: usize = 1000;

/// Empty lists for what leaves that a shard keeps for whichever connection needs one next. More are freed. One
/// holds some 400 octets, seldom 2 KiB.
pub const SPARE_BATCHES_MAX: usize = 4096;

/// Most shards; a session-id names its shard with two hexadecimal digits. More are not started.
pub const SHARDS_MAX: usize = 256;

/// How long a shard has to serve after a failure for the next one to be restarted without delay, in
/// nanoseconds: 10 s.
pub const RESTART_CALM_NS: u64 = 10_000_000_000;

/// Delay before a shard that fails for the second time in a row is restarted, in nanoseconds:
/// 10 ms. It doubles with every further failure.
pub const RESTART_DELAY_NS_MIN: u64 = 10_000_000;

/// Longest delay before a failed shard is restarted, in nanoseconds: 1 s. Who connects meanwhile
/// waits in the listener's queue that long.
pub const RESTART_DELAY_NS_MAX: u64 = 1_000_000_000;

/// Threads that look names of peers up, once there is one. Our choice: names that nobody answers for hold up no more than
/// these.
pub const RESOLVER_THREADS: usize = 4;

/// Names of peers that wait to be looked up. Our choice. More: a next hop counts as unreachable, and a participant is refused
/// with `unavailable`.
pub const LOOK_UPS_WAITING_MAX: usize = 1024;

/// Addresses of one name that are tried. Our choice. Further ones are not.
pub const NAMED_ADDRESSES_MAX: usize = 8;

/// The part of all connections, one in so many, that is kept free while the relay has some that no session needs: 32. Our choice.
/// With less room the one that was used least recently is closed for each new connection (RFC 4976 s.6.5).
pub const SPARE_SHARE: usize = 32;
