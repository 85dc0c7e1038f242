//! Every bound of the dialect, with what happens at it.

/// Deepest nesting of lists and dictionaries. One level more is no request.
pub const DEPTH_MAX: usize = 8;

/// Most values of one request, those inside others among them. One more is no request.
pub const VALUES_MAX: usize = 1024;

/// Longest datagram, octets: what UDP over IPv4 carries. Longer answers are errors.
pub const DATAGRAM_OCTETS_MAX: usize = 65_507;

/// Longest cookie, octets. A datagram with a longer one is not answered.
pub const COOKIE_OCTETS_MAX: usize = 256;

/// Answers that are kept for cookies that come again. The oldest is forgotten for one more.
pub const ANSWERS_MAX: usize = 8192;

/// Octets of all answers that are kept. The oldest are forgotten beyond it.
pub const ANSWERS_OCTETS_MAX: usize = 16 * 1024 * 1024;

/// How long an answer is kept, in milliseconds: 30 s. A proxy asks again for a few seconds.
pub const ANSWER_AGE_MS_MAX: u64 = 30_000;

/// Longest Call-ID or tag, octets. A longer one is an error.
pub const NAME_OCTETS_MAX: usize = 1024;

/// Calls of a list when the request does not say how many.
pub const LIST_DEFAULT: usize = 32;

/// Most calls of a list.
pub const LIST_MAX: usize = 1000;
