//! Commands and events of the engine, and a client for them: the one vocabulary that the SIP focus,
//! the HTTP door and the tools share.
//!
//! Never does I/O, never parses MSRP, and knows no SIP. Whatever a controller needs from the engine
//! exists here first; nothing reaches around it.
#![forbid(unsafe_code)]

mod announcement;
mod bridge;
mod client;
mod command;
mod error;
mod event;
mod id;
mod load;
mod message_rate;
pub mod metrics;
mod outcome;
mod source;
mod subscription;
mod trace;
mod usage;

pub use announcement::{Announcement, AnnouncementContent, AnnouncementReply, Announcer};
pub use bridge::{
    BridgeCommand, BridgeConfig, BridgeEvent, BridgeLeg, BridgeLegState, BridgeState, BridgeTotals,
    LegLink, Side,
};
pub use client::{Client, Engine, EventStream, ReplySender};
pub use command::{
    Addressing, Command, Delivery, Drain, IDENTITIES_MAX, LocalMedia, Media, MessageTo, NodeStatus,
    OwnMessage, PAGE_MAX, ParticipantConfig, ParticipantState, ROOM_URIS_MAX, Reply, RoomConfig,
    RoomState, RoomSummary,
};
pub use error::{ControlError, ErrorCode};
pub use event::{EndReason, Event};
pub use id::{BridgeId, ID_OCTETS_MAX, IdError, ParticipantId, RoomId};
pub use load::Load;
pub use message_rate::{
    MessageRate, RATE_BURST_MAX, RATE_MESSAGES_MAX, RATE_SECONDS_MAX, RateError,
};
pub use outcome::{
    CopyCounts, MessageClass, MessageContent, MessageOutcome, ReportOutcome, SessionStatistics,
};
pub use source::Source;
pub use subscription::{
    CONTENT_OCTETS_WAITING_MAX, Interest, MESSAGE_EVENTS_MAX, MessagesWanted, Subscription, Told,
    Wanted,
};
pub use trace::{
    Direction, TRACE_OCTETS_MAX, TRACE_RECORDS_MAX, TraceRecord, TraceScope, TraceStream, Tracer,
    tracer,
};
pub use usage::{
    CHARGING_OCTETS_MAX, Charging, ClassCounts, SessionUsage, UsageEvent, UsageNote, UsageRecord,
};
