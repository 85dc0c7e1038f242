//! The bounds of the engine: unit, source, and what happens at the bound.

use std::time::Duration;

/// Octets of a start line with its header section. A longer one on a stream closes the connection;
/// a longer one in a datagram is refused with 513.
pub(super) const HEAD_OCTETS_MAX: usize = 32 * 1024;

/// Octets of a body. A longer one is refused with 413; on a stream the connection is then closed.
pub(super) const BODY_OCTETS_MAX: usize = 256 * 1024;

/// Header fields of a message. One more, and the message is refused with 400.
pub(super) const FIELDS_MAX: usize = 256;

/// Octets of a datagram: the largest that IPv4 can carry.
pub(super) const DATAGRAM_OCTETS_MAX: usize = 65_535;

/// Octets that wait to be written to one connection. At the bound the connection is closed.
pub(super) const WRITE_QUEUE_OCTETS_MAX: usize = 512 * 1024;

/// Octets above which answers to unreadable messages are no longer taken from their queue, so that
/// the reader waits.
pub(super) const WRITE_QUEUE_OCTETS_BUSY: usize = 64 * 1024;

/// Answers to unreadable messages that wait for the writer of one connection. At the bound the
/// reader waits.
pub(super) const RAW_QUEUE: usize = 16;

/// Octets of a request above which TCP is tried first, when the URI names no transport (RFC 3261
/// s.18.1.1).
pub(super) const DATAGRAM_REQUEST_OCTETS_MAX: usize = 1300;

/// 2xx from different peers to one INVITE. More are left without ACK.
pub(super) const FORKS_MAX: usize = 16;

/// Messages that wait for the engine. At the bound connections are not read and datagrams are lost.
pub(super) const INGRESS_QUEUE: usize = 512;

/// Events that wait for the focus. At the bound new requests outside of a dialog get 503, others
/// go to the backlog.
pub(super) const EVENTS_QUEUE: usize = 4096;

/// Events that wait behind a full events queue. At the bound nothing more is taken from the
/// network.
pub(super) const BACKLOG_MAX: usize = 1024;

/// Transactions that are open or that finished within the last 64 T1. At the bound new INVITEs get 503, other requests
/// from three quarters of it on.
pub(super) const TRANSACTIONS_MAX: usize = 131_072;

/// Memory of a transaction that is over and still answers copies, in octets, as measured with OPTIONS.
pub(super) const FINISHED_OCTETS: usize = 2 * 1024;

/// INVITEs of peers without ACK and BYEs of ours without answer, and NOTIFYs of ours without answer: so many of each. At the
/// bound the oldest is given up for a new INVITE, or for a new SUBSCRIBE or REFER, when it has waited long enough; else the
/// new one gets 503.
pub(super) const UNFINISHED_MAX: usize = 8192;

/// Memory of one of them with all that the process keeps for it, in octets: 20 KiB as measured with INVITEs to a group
/// that nobody acknowledges, and what the allocator loses by their coming and going.
pub(super) const UNFINISHED_OCTETS: usize = 32 * 1024;

/// How long one of them has to wait for its peer before it may be given up, in multiples of T1: two seconds with the
/// standard's T1, in which a final response is sent three times.
pub(super) const UNFINISHED_T1_MULTIPLE: u32 = 4;

/// Sources whose requests are counted within a second. Beyond that the others are counted together.
pub(super) const SOURCES_MAX: usize = 65_536;

/// Dialogs. At the bound a new INVITE gets 503, a SUBSCRIBE or REFER from three quarters of it on.
pub(super) const DIALOGS_MAX: usize = 100_000;

/// TCP connections, in and out. At the bound a new one is closed at once.
pub(super) const CONNECTIONS_MAX: usize = 10_000;

/// Ways to one next hop that are kept, best first. More are left out.
pub(super) const CANDIDATES_MAX: usize = 8;

/// How long an address that gave no answer is passed over while there is another one for the same next
/// hop.
pub(super) const DOWN_FOR: Duration = Duration::from_secs(30);

/// Addresses that are passed over. At the bound all are tried again.
pub(super) const DOWN_MAX: usize = 1024;

/// Addresses of one MSRP next hop that are given, and SRV records that are followed to find them, best first. More are left
/// out.
pub(super) const RELAY_ADDRESSES_MAX: usize = 8;
/// See [`RELAY_ADDRESSES_MAX`].
pub(super) const RELAY_SERVICES_MAX: usize = 8;

/// How long the name of an MSRP next hop is looked up at most. What was found until then counts.
pub(super) const RELAY_WAIT: Duration = Duration::from_secs(10);

/// How long one query to a name server may take. The name is taken as unknown then.
pub(super) const NAME_WAIT: Duration = Duration::from_secs(2);

/// How long a handshake of TLS may take. The connection is closed then.
pub(super) const HANDSHAKE_WAIT: Duration = Duration::from_secs(10);

/// Addresses of next hops that are remembered. At the bound the memory is emptied.
pub(super) const RESOLVED_MAX: usize = 1024;

/// How long the addresses of a next hop are remembered at most; less when their records say so.
pub(super) const RESOLVED_FOR: Duration = Duration::from_secs(60);

/// How long it is remembered that a name led nowhere.
pub(super) const UNRESOLVED_FOR: Duration = Duration::from_secs(5);

/// How long a name may take to be resolved and a connection to be opened. Then the request fails.
pub(super) const CONNECT_WAIT: Duration = Duration::from_secs(10);

/// How long a connection may take nothing while octets wait for it. Then it is closed.
pub(super) const WRITE_WAIT: Duration = Duration::from_secs(10);

/// How long a connection may take to send the rest of a message. Then it is closed.
pub(super) const PARTIAL_WAIT: Duration = Duration::from_secs(30);

/// How long the end of the engine waits for what is still to be written. Then it is lost.
pub(super) const FLUSH_WAIT: Duration = Duration::from_secs(1);

/// How long a connection may send nothing. Then it is closed.
pub(super) const IDLE_WAIT: Duration = Duration::from_secs(3600);

/// How long an INVITE may stay without a final response, ours or the peer's, in multiples of T1:
/// three minutes with the standard's T1 (RFC 3261 s.16.6, timer C). Ours gets 480, the peer's is
/// cancelled.
pub(super) const INVITE_T1_MULTIPLE: u32 = 360;

/// The seconds in Retry-After when the engine is full.
pub(super) const RETRY_AFTER_S: u32 = 5;
