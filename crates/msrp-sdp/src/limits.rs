//! Bounds on a description that a peer sent. Beyond any of them: [`SdpError::TooLarge`](crate::SdpError::TooLarge).

/// Octets of one description. Our choice; offers with several file-transfer sections stay below 8 KiB.
pub const DESCRIPTION_OCTETS_MAX: usize = 64 * 1024;

/// Lines of one description. Our choice.
pub const LINES_MAX: usize = 2048;

/// Octets of one line. Our choice: sixteen URIs of 500 octets fit.
pub const LINE_OCTETS_MAX: usize = 8 * 1024;

/// Media sections of one description. Our choice.
pub const MEDIA_SECTIONS_MAX: usize = 32;

/// Attribute lines of one section, and of the part before the first section. Our choice.
pub const ATTRIBUTES_MAX: usize = 256;

/// URIs of one path: as many as `msrp-wire` takes in To-Path.
pub const PATH_URIS_MAX: usize = msrp_wire::limits::PATH_URIS_MAX;

/// Entries of accept-types, and of accept-wrapped-types. Our choice.
pub const FORMAT_ENTRIES_MAX: usize = 128;

/// Tokens of chatroom. Our choice; RFC 7701 defines two.
pub const CHAT_TOKENS_MAX: usize = 32;

/// Characters of an unknown protocol that are kept for the error. Our choice.
pub const PROTOCOL_CHARS_MAX: usize = 32;
