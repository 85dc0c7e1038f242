//! Bounds on what a peer can make us keep or walk through.

/// Bounds of one [`Decoder`](crate::Decoder).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Octets from the start line to the end of the header section. Longer: [`Malformed`](crate::Malformed).
    pub head_octets_max: usize,
    /// Header lines of one request or response. More: [`Malformed`](crate::Malformed).
    pub header_lines_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head_octets_max: HEAD_OCTETS_MAX,
            header_lines_max: HEADER_LINES_MAX,
        }
    }
}

/// Octets of a header section, by default. Our choice: sixteen URIs of a relay chain in both paths fit.
pub const HEAD_OCTETS_MAX: usize = 16 * 1024;

/// Header lines of one request or response, by default. Our choice; RFC 4975 defines nine header fields.
pub const HEADER_LINES_MAX: usize = 64;

/// URIs of one To-Path or From-Path. Our choice. More: the request is rejected.
pub const PATH_URIS_MAX: usize = 16;

/// Octets of one MSRP URI. Our choice. Longer: the request is rejected.
pub const URI_OCTETS_MAX: usize = 2048;

/// Characters of a method. Our choice; the grammar has no bound. Longer: the connection is closed.
pub const METHOD_OCTETS_MAX: usize = 32;

/// Characters of an ident: RFC 4975 s.9.
pub const IDENT_OCTETS_MIN: usize = 4;

/// Characters of an ident: RFC 4975 s.9.
pub const IDENT_OCTETS_MAX: usize = 32;

/// Octets of the body of a request that is not a SEND: RFC 4975 s.7.1. The decoder does not count; callers do.
pub const NON_SEND_BODY_OCTETS_MAX: usize = 10_240;

/// Octets of a nickname: RFC 7701 s.7.1. Longer: malformed.
pub const NICKNAME_OCTETS_MAX: usize = 1023;

/// Octets of the CPIM message headers: AMB-27. Longer: malformed. Longer MIME headers behind them are not looked at.
pub const CPIM_HEAD_OCTETS_MAX: usize = 16 * 1024;

/// CPIM message headers of one wrapper. Our choice: several hundred To headers fit. More: malformed.
pub const CPIM_LINES_MAX: usize = 1024;

/// Octets of one address that can become an [`Identity`](crate::Identity). Our choice. Longer: not an identity.
pub const IDENTITY_OCTETS_MAX: usize = 1024;
