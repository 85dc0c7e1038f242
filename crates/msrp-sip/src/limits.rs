//! Bounds on what a SIP peer or a group document can make the focus hold. Each says its unit, its
//! source and what happens at the bound.

/// Longest URI, in octets. Longer ones are malformed: 400, or no identity (403) in
/// P-Asserted-Identity. Source: ours; far above any address in use.
pub const URI_OCTETS_MAX: usize = 512;

/// Longest Replaces value of a list entry, in octets. A longer one: 400. Source: ours; a Call-ID with
/// two tags has about a hundred.
pub const REPLACES_OCTETS_MAX: usize = 512;

/// Longest display name kept, in characters. The rest is cut off. Source: ours.
pub const DISPLAY_NAME_CHARS_MAX: usize = 128;

/// Most values read of one header field that holds addresses. The rest is ignored. Source: ours.
pub const NAME_ADDRESSES_MAX: usize = 16;

/// Longest Allow value kept of a peer, in octets. A longer one is not kept. Source: ours.
pub const ALLOW_OCTETS_MAX: usize = 512;

/// Largest INVITE body read, in octets. Larger: 413 is not used, the answer is 400 with a Warning.
/// Source: ours.
pub const BODY_OCTETS_MAX: usize = 256 * 1024;

/// Most parts of a multipart body, nested ones included. More: 400. Source: ours; an INVITE has
/// two.
pub const BODY_PARTS_MAX: usize = 16;

/// Deepest nesting of XML elements. Deeper: the document is refused. Source: ours; group documents
/// need 8.
pub const XML_DEPTH_MAX: usize = 24;

/// Most elements of one XML document. More: the document is refused. Source: ours.
pub const XML_ELEMENTS_MAX: usize = 50_000;

/// Most attributes of one XML element. More: the document is refused. Source: ours.
pub const XML_ATTRIBUTES_MAX: usize = 32;

/// Most namespace prefixes in force at one place. More: the document is refused. Source: ours.
pub const XML_NAMESPACES_MAX: usize = 64;

/// Most entries read from a resource list. More: 400. Source: ours; the configured maximum of
/// participants is checked after that.
pub const RESOURCE_LIST_ENTRIES_MAX: usize = 10_000;

/// Largest group document, in octets. Larger: the load fails. Source: ours.
pub const GROUP_DOCUMENT_OCTETS_MAX: u64 = 4 * 1024 * 1024;

/// Most members of one group. More: the load fails. Source: ours.
pub const GROUP_MEMBERS_MAX: usize = 10_000;

/// Most group documents of one directory. More: the load fails. Source: ours.
pub const GROUP_DOCUMENTS_MAX: usize = 100_000;

/// Most conferences at once. More: 503. Source: ours; each holds a few kilobytes.
pub const CONFERENCES_MAX: usize = 100_000;

/// The seconds in Retry-After of a 503 at [`CONFERENCES_MAX`]. Source: ours.
pub const RETRY_AFTER_S: u32 = 5;

/// How long an invitee may take to answer, in nanoseconds. After that its INVITE is cancelled and
/// counts as 408. Source: RFC 3261 s.16.6 timer C; AMB-22.
pub const INVITATION_NS_MAX: u64 = 180 * NS_PER_S;

/// Most files of one conference at once. More: port 0 in the answer. Source: ours; each is a room of the engine.
pub const FILES_MAX: usize = 8;

/// How long those who are offered a file inside a session may take to say whether they want it, in nanoseconds.
/// After that nobody does, and its owner is answered with port 0. Source: ours; RFC 3261 s.17.1.1.2 gives a
/// transaction without any answer 32 s.
pub const ADDING_NS_MAX: u64 = 60 * NS_PER_S;

/// How long we wait after a glare (491) before the refresh is sent again, in nanoseconds, at least.
/// Source: RFC 3261 s.14.1.
pub const GLARE_NS_MIN: u64 = 2_100_000_000;

/// Width of the random part of that wait, in nanoseconds. Source: RFC 3261 s.14.1.
pub const GLARE_NS_SPREAD: u64 = 1_900_000_000;

/// Smallest session interval that the standard allows, in seconds. Source: RFC 4028 s.4.
pub const SESSION_INTERVAL_S_MIN: u32 = 90;

/// Most addresses that one ad-hoc session may ever invite, for each participant that it may have. A
/// REFER beyond that: 486. Source: ours; those who refused are asked again a few times.
pub const INVITED_PER_PLACE_MAX: usize = 16;

/// Most subscriptions of one conference, those that REFERs make included. More: 403 with 122; a
/// REFER is carried out without reports. Source: ours; the members of the largest group.
pub const SUBSCRIPTIONS_MAX: usize = 10_000;

/// Most subscriptions of one user in one conference. More: as above. Source: ours; a few devices
/// with a few REFERs under way.
pub const SUBSCRIPTIONS_PER_USER_MAX: usize = 8;

/// Longest time for which a subscription is granted, in seconds. A longer wish is shortened.
/// Source: the default of RFC 4575 s.3.3.
pub const SUBSCRIPTION_S_MAX: u64 = 3600;

/// Shortest time for which a subscription is granted, in seconds. A shorter wish: 423. Source:
/// ours.
pub const SUBSCRIPTION_S_MIN: u64 = 60;

/// How long changes of a conference are gathered before subscribers are told, in nanoseconds.
/// Source: AMB-36.
pub const NOTIFY_COALESCE_NS: u64 = 500_000_000;

/// The mean time between NOTIFYs of one conference subscription, in nanoseconds; those that answer
/// a SUBSCRIBE or end the subscription always go. Sooner: changes are gathered. Source: RFC 4575
/// s.3.9.
pub const NOTIFY_INTERVAL_NS: u64 = 5 * NS_PER_S;

/// NOTIFYs of one conference subscription that may go without that time between them. Source:
/// ours; the joins and leaves of a small session are told at once.
pub const NOTIFY_BURST: u64 = 10;

/// How long after a NOTIFY of the package refer the next provisional state is held, in
/// nanoseconds. A final state is not held. Source: RFC 3515 s.3.10.
pub const REFER_PROGRESS_NS: u64 = NS_PER_S;

/// How long a subscription lives that a REFER made, in nanoseconds. Source: ours; longer than an
/// invitation may take.
pub const REFERRAL_NS_MAX: u64 = INVITATION_NS_MAX + 60 * NS_PER_S;

/// Longest `id` of an Event field, in octets. A longer one: 489. Source: ours.
pub const EVENT_ID_OCTETS_MAX: usize = 128;

/// Longest reason phrase or Warning of a peer that is passed on, in characters. The rest is cut
/// off. Source: ours.
pub const REASON_CHARS_MAX: usize = 256;

/// Most users that a client's view of a conference holds. Further ones are not told of. Source: ours.
pub const CONFERENCE_USERS_MAX: usize = 100_000;

/// Nanoseconds of a second.
pub const NS_PER_S: u64 = 1_000_000_000;

/// Largest body of a MESSAGE over UDP, in octets. Larger: 413, and one of ours goes over TCP or
/// not at all. Source: RFC 3428 s.8.
pub const MESSAGE_DATAGRAM_OCTETS_MAX: usize = 1300;

/// Copies of MESSAGEs that wait to be sent. A MESSAGE with more: 503. Source: ours; a hundred lists
/// of the usual maximum.
pub const PAGER_COPIES_MAX: usize = 100_000;

/// Octets of MESSAGEs whose copies wait to be sent. A MESSAGE with more: 503. Source: ours.
pub const PAGER_OCTETS_MAX: usize = 64 * 1024 * 1024;

/// MESSAGEs of ours without an answer. Further ones wait. Source: ours; a tenth of the
/// transactions that the SIP engine keeps.
pub const PAGER_OUTSTANDING_MAX: usize = 12_000;

/// How much of its pace the sending of MESSAGEs may catch up at once, in nanoseconds. Source: ours.
pub const PAGER_BURST_NS: u64 = 50_000_000;

/// MESSAGEs whose notifications are expected. At the bound the oldest that gathers no more is
/// forgotten; without one the MESSAGE gets 503. Source: ours.
pub const COLLECTIONS_MAX: usize = 10_000;

/// How long it is remembered who gets the notifications of a MESSAGE after they were gathered, in
/// nanoseconds. Later ones follow their own header fields. Source: ours; a phone that was off over
/// night.
pub const COLLECTION_NS_MAX: u64 = 24 * 3600 * NS_PER_S;

/// Octets of notifications in one aggregate. More: several aggregates. Source: ours; what fits well
/// into one MESSAGE over TCP.
pub const AGGREGATE_OCTETS_MAX: usize = 128 * 1024;

/// Longest Message-ID of a message that asks for notifications, in octets. A longer one: 400.
/// Source: ours.
pub const IMDN_ID_OCTETS_MAX: usize = 256;

/// Longest URL of a document that a message of the server names, in octets. A longer one is not
/// sent. Source: ours.
pub const DOCUMENT_URL_OCTETS_MAX: usize = 1024;

/// Users who owe an answer to a message of the server. A message to more is not sent. Source: ours.
pub const ANSWERS_OWED_MAX: usize = 100_000;
