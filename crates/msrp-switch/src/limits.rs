//! Every bound of the switch, with what happens at it.

pub use msrp_wire::limits::CPIM_HEAD_OCTETS_MAX;

/// Most unfinished messages of one session. One more is refused with 413. Each keeps at most
/// 32 KiB while its headers are not complete, and its last piece after that.
pub const UNFINISHED_MESSAGES_MAX: usize = 64;

/// Most messages of one session whose final report is being collected. One more that asks for a
/// report is refused with 413. Each keeps an entry for each recipient.
pub const FINAL_REPORTS_MAX: usize = 16;

/// Longest document of a final report in octets: it fits into a REPORT (RFC 4975 s.7.1). Longer ones
/// are split.
pub const REPORT_OCTETS_MAX: usize = 10_239;

/// Longest address of a leg in a final report, in octets, so that one always fits into a document
/// whatever has to be escaped. Longer entities are refused where they come in; longer addresses of
/// unknown recipients are cut.
pub const REPORT_URI_OCTETS_MAX: usize = 1024;

/// How long a final report waits after the last octet was written to the slowest recipient, when
/// nothing else is configured, in nanoseconds: 30 s (AMB-05). Those that have not reported count as
/// 408 then.
pub const FINAL_REPORT_NS: u64 = 30_000_000_000;

/// Most Message-IDs that are remembered because a recipient got a part of the message only. With more, the
/// oldest may be used again.
pub const SPENT_IDS_MAX: usize = 1024;

/// How long octets of an open chunk may wait for more of it before they leave as a piece of their
/// own, in nanoseconds: 5 ms.
pub const HOLD_NS: u64 = 5_000_000;

/// Most media types of one room that a refusal with 415 is remembered for: the bits of a word. With
/// more, the later ones are sent again to who refused them.
pub const KINDS_MAX: usize = 64;

/// Longest content of a message of the switch itself, in octets: with its wrapper it fits into one
/// piece. Longer ones are refused to the controller.
pub const OWN_MESSAGE_OCTETS_MAX: usize = 32 * 1024;

/// Longest display name in From of a message of the switch itself, in octets. Longer ones are
/// refused to the controller.
pub const DISPLAY_NAME_OCTETS_MAX: usize = 256;

/// Longest message in octets when nothing else is configured: 4 GiB. Longer ones are refused with
/// 413.
pub const MESSAGE_OCTETS_MAX: u64 = 4_294_967_296;

/// Most ends of messages that wait for the caller to take them. One more is counted and not told.
pub const TOLD_MAX: usize = 4096;

/// Most octets of a message's content that controllers are told, when they want it: 8 KiB. What is longer is cut, and
/// that is said.
pub const TOLD_CONTENT_OCTETS_MAX: usize = 8192;

/// Most participants that one message may name as recipients. More are refused with 403.
pub const NAMED_RECIPIENTS_MAX: usize = 256;

/// How many requests for a nickname a session may make at once. One more is refused with 403.
pub const NICKNAMES_AT_ONCE_MAX: u32 = 10;

/// After how long a session may make one more request for a nickname, in nanoseconds: 1 s. Every one
/// may have to be told to all who watch the room.
pub const NICKNAME_NS: u64 = 1_000_000_000;

/// Most octets of one message that may be kept for participants who have not joined: 1 MiB, which
/// one connection can be given at once. More is lowered to this.
pub const LATE_OCTETS_MAX: u64 = 1024 * 1024;

/// Octets that may come beyond the kept ones while the sender is told to wait: what was read before.
/// With more, those who have not joined are too late.
pub const LATE_OCTETS_SLACK: u64 = 512 * 1024;

/// Octets of all messages of a switch together that are kept for participants who have not joined:
/// 64 MiB. With more, those who have not joined are too late for the message that would pass it.
pub const LATE_OCTETS_TOTAL_MAX: u64 = 64 * 1024 * 1024;

/// Most participants of a room that are remembered as excused. Further ones are not named in final
/// reports.
pub const EXCUSED_MAX: usize = 10_000;

/// How long the sender of an unfinished message may be silent, in nanoseconds: 540 s (RFC 7701
/// s.6.1, the chunk reception timer). The message is aborted then, at most an eighth of this time
/// later.
pub const SILENCE_NS: u64 = 540_000_000_000;

/// Messages of one half of a bridge that left without an answer asked for, and of which an error may still come and
/// has to be told to their sender. Of older ones the errors are counted only. It is as many as a session knows requests
/// of, see `msrp_session::limits::UNASKED_MAX`.
pub const BRIDGED_RECENT_MAX: usize = msrp_session::limits::UNASKED_MAX;
