//! Every bound of the relay: unit, source and what happens at it.

/// How long a nonce is good, in nanoseconds: 5 minutes. Our choice. Later: 401 with `stale=true`.
pub const NONCE_NS: u64 = 300_000_000_000;

/// Nonces whose counts are remembered. Our choice. More: the oldest is forgotten and refused from then on with `stale=true`,
/// so that a forgotten count cannot be used again.
pub const NONCES_MAX: usize = 16_384;

/// Octets of the value of an Authorization header field. Our choice. Longer: 400.
pub const AUTHORIZATION_OCTETS_MAX: usize = 4096;

/// Parameters of an Authorization header field. Our choice; RFC 7616 defines twelve. More: 400.
pub const AUTHORIZATION_PARAMETERS_MAX: usize = 24;

/// Octets of a user name. Our choice. Longer: 400.
pub const USERNAME_OCTETS_MAX: usize = 255;

/// Shortest and longest lifetime of a URI in seconds, and the one that is given when none is asked for. Our choice. Outside:
/// 423 with Min-Expires or Max-Expires (RFC 4976 s.6.3).
pub const EXPIRES_MIN_S: u32 = 60;
/// See [`EXPIRES_MIN_S`].
pub const EXPIRES_MAX_S: u32 = 86_400;
/// See [`EXPIRES_MIN_S`].
pub const EXPIRES_DEFAULT_S: u32 = 1800;

/// Wrong credentials of one source within [`FAILURES_WINDOW_NS`]. Our choice. More: 403, unread.
pub const FAILURES_PER_SOURCE_MAX: u32 = 10;

/// The time in which wrong credentials of one source are counted, in nanoseconds: 60 s. Our choice.
pub const FAILURES_WINDOW_NS: u64 = 60_000_000_000;

/// Sources whose wrong credentials are counted. Our choice. More: the source whose window began first is forgotten.
pub const FAILURE_SOURCES_MAX: usize = 16_384;

/// Wrong credentials on one client's connection, our own and those that a relay further on refuses ("several" in RFC 4976
/// s.6.3). At the bound the connection is closed; that of a relay never is.
pub const FAILURES_PER_CONNECTION_MAX: u32 = 5;

/// How long a connection may be without a successful request, in nanoseconds: 30 s (RFC 4976 s.6.1). Then it is closed.
pub const PROBATION_NS: u64 = 30_000_000_000;

/// Requests refused on a connection that has had none accepted ("several" in RFC 4976 s.6.1). At the bound it is closed.
pub const PROBATION_FAILURES_MAX: u32 = 8;

/// URIs that one relay has given and that are valid. Our choice. More: 403.
pub const HANDLES_MAX: usize = 262_144;

/// Valid URIs of one client's connection. Our choice. More: 403. A relay's connection has no bound of its own.
pub const HANDLES_PER_CONNECTION_MAX: usize = 256;

/// Peers' connections remembered for one URI, which is for one session (RFC 4976 s.5.1). Our choice. More: 403.
pub const PEERS_PER_HANDLE_MAX: usize = 4;

/// Own URIs that may stand one after the other in a To-Path: two clients of one relay need two. More: 403, and so are more
/// own URIs than that in a From-Path, which means that a request goes in a circle.
pub const OWN_HOPS_MAX: usize = 2;

/// Requests of one connection to whose next hop no answer has come. Our choice. More: 413 for a SEND, 403 for another.
pub const TRANSACTIONS_PER_CONNECTION_MAX: usize = 4096;

/// Requests of one connection whose next hop answers errors only (Failure-Report `partial`) and may still do so. Our choice.
/// More: the oldest counts as sent, and an error that comes later changes nothing.
pub const UNASKED_PER_CONNECTION_MAX: usize = 256;

/// Next hops that one connection makes the relay connect to at a time. Our choice: nobody looks for open ports through a
/// relay. More: 403.
pub const CONNECTING_PER_CONNECTION_MAX: usize = 16;

/// Next hops that are being connected or are connected by us. Our choice. More: 403.
pub const HOPS_MAX: usize = 65_536;

/// Octets that wait for one next hop while it is being connected. Our choice. More: 413 for a SEND, 403 for another.
pub const HOP_WAITING_OCTETS_MAX: usize = 1024 * 1024;

/// How long a next hop may take to be connected, in nanoseconds: as long as an answer. Then what waits has failed with 408.
pub const CONNECT_NS: u64 = msrp_session::limits::TRANSACTION_NS;

/// How long a connection that no session needs may be unused, in nanoseconds: one hour (RFC 4976 s.6.5). Then it is closed.
pub const CONNECTION_IDLE_NS: u64 = 3_600_000_000_000;

/// How long a connection that no session needs is kept, in nanoseconds, when room is needed for others: 60 s. Our choice: one
/// that is in use is not closed for the sake of a new one. Where all were used since, the new one is refused.
pub const CONNECTION_IDLE_SHORT_NS: u64 = 60_000_000_000;

/// Connections that are looked at to find one that makes room. Our choice: many requests for room cost little each.
pub const ROOM_LOOKS_MAX: usize = 16;

/// How long up to [`PIECE_OCTETS_MIN`](msrp_session::limits::PIECE_OCTETS_MIN) octets of a SEND that is still coming in wait
/// for more, in nanoseconds: 5 ms. Our choice. Then they leave as a piece, without the last one.
pub const HOLD_NS: u64 = 5_000_000;

/// Ways of requests that are remembered for one connection. Our choice. More: the oldest is looked for anew when it is needed.
pub const KNOWN_ROUTES_MAX: usize = 8;
