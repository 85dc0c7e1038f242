//! Every bound of the layers, with what happens at it.

/// Octets of the HTTP request that opens a WebSocket. A longer one is answered with 431.
pub const HANDSHAKE_OCTETS_MAX: usize = 8 * 1024;

/// Header fields of that request. More are answered with 431.
pub const HANDSHAKE_HEADERS_MAX: usize = 64;

/// Octets of one WebSocket message. It is read as it comes and never held, so the bound costs no
/// memory; a longer one ends the connection with close code 1009.
pub const MESSAGE_OCTETS_MAX: u64 = 64 * 1024 * 1024;

/// Octets of the payload of a control frame (RFC 6455 s.5.5). A longer one ends the connection with
/// close code 1002.
pub const CONTROL_OCTETS_MAX: usize = 125;

/// Octets of our own that may wait to be written when a ping comes. With more it is not answered: a
/// later one is, and one answer is enough (RFC 6455 s.5.5.3).
pub const PONG_BEHIND_OCTETS_MAX: usize = 64 * 1024;

/// Octets of plain text in one TLS record (RFC 8446 s.5.1).
pub const RECORD_OCTETS_MAX: usize = 16 * 1024;

/// Octets that a TLS peer may send ahead of the end of a record or of its handshake. More end the
/// connection.
pub const TLS_UNREAD_OCTETS_MAX: usize = 80 * 1024;
