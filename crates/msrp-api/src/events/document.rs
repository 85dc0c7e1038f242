//! What is told of an event, as JSON.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use msrp_control::{
    CopyCounts, Drain, Event, MessageContent, MessageOutcome, ReportOutcome, SessionStatistics,
};
use serde_json::{Map, Value, json};

use crate::relay;

/// The type of an event, and what is told of it.
pub(super) fn of(event: &Event) -> (&'static str, Value) {
    let (kind, more) = match event {
        Event::Bridge(event) => return relay::event(event),
        Event::RoomStarted { .. } => ("room_started", json!({})),
        Event::RoomUpdated { .. } => ("room_updated", json!({})),
        Event::RoomClosed { .. } => ("room_closed", json!({})),
        Event::RoomLost { reason, .. } => ("room_lost", json!({ "reason": reason.as_str() })),
        Event::ParticipantJoined { entity, .. } => {
            ("participant_joined", json!({ "entity": entity }))
        }
        Event::ParticipantUpdated { .. } => ("participant_updated", json!({})),
        Event::ParticipantRemoved { .. } => ("participant_removed", json!({})),
        Event::ParticipantBound { .. } => ("participant_bound", json!({})),
        Event::ParticipantLost { reason, .. } => {
            ("participant_lost", json!({ "reason": reason.as_str() }))
        }
        Event::ParticipantTooLate { .. } => ("participant_too_late", json!({})),
        Event::NicknameChanged { nickname, .. } => {
            ("nickname_changed", json!({ "nickname": nickname }))
        }
        Event::SessionEnded {
            reason, statistics, ..
        } => ("session_ended", session(reason.as_str(), statistics)),
        Event::MessageEnded { message, .. } => ("message_ended", message_end(message)),
        Event::MessageContent { content, .. } => (super::MESSAGE_CONTENT, content_of(content)),
        Event::FinalReport { report, .. } => ("final_report", report_end(report)),
        Event::DrainChanged { drain, deadline_s } => (
            "drain_changed",
            json!({ "drain": drain_word(*drain), "deadline_s": deadline_s }),
        ),
        Event::ShardLost { shard } => ("shard_lost", json!({ "shard": shard })),
        Event::LimitReached { limit } => ("limit_reached", json!({ "limit": limit })),
    };
    let mut document = Map::new();
    document.insert("type".to_owned(), kind.into());
    if let Some(room) = event.room() {
        document.insert("room".to_owned(), room.as_str().into());
    }
    if let Some(participant) = participant(event) {
        document.insert("participant".to_owned(), participant);
    }
    if let Value::Object(more) = more {
        document.extend(more);
    }
    (kind, document.into())
}

/// Whom it is about; `null` where that is not known any more.
fn participant(event: &Event) -> Option<Value> {
    match event {
        Event::RoomStarted { .. }
        | Event::RoomUpdated { .. }
        | Event::RoomClosed { .. }
        | Event::RoomLost { .. }
        | Event::Bridge(_)
        | Event::DrainChanged { .. }
        | Event::ShardLost { .. }
        | Event::LimitReached { .. } => None,
        Event::ParticipantJoined { participant, .. }
        | Event::ParticipantUpdated { participant, .. }
        | Event::ParticipantRemoved { participant, .. }
        | Event::ParticipantBound { participant, .. }
        | Event::ParticipantLost { participant, .. }
        | Event::ParticipantTooLate { participant, .. }
        | Event::SessionEnded { participant, .. }
        | Event::NicknameChanged { participant, .. } => Some(participant.as_str().into()),
        Event::MessageEnded { message, .. } => {
            Some(message.participant.as_ref().map(|id| id.as_str()).into())
        }
        Event::MessageContent { content, .. } => {
            Some(content.participant.as_ref().map(|id| id.as_str()).into())
        }
        Event::FinalReport { report, .. } => {
            Some(report.participant.as_ref().map(|id| id.as_str()).into())
        }
    }
}

fn session(reason: &str, statistics: &SessionStatistics) -> Value {
    json!({
        "reason": reason,
        "duration_ms": statistics.duration_ms,
        "messages_sent": statistics.messages_sent,
        "octets_sent": statistics.octets_sent,
        "requests_refused": statistics.requests_refused,
        "received": copies(&statistics.received),
        "octets_received": statistics.octets_received,
    })
}

fn message_end(message: &MessageOutcome) -> Value {
    json!({
        "message_id": message.message_id,
        "octets": message.octets,
        "class": message.class.map(|class| class.as_str()),
        "refused": message.refused,
        "copies": copies(&message.copies),
    })
}

/// What a message held: text as text, everything else as base64. A letter that is cut in two is left out.
fn content_of(content: &MessageContent) -> Value {
    let mut document = json!({
        "message_id": content.message_id,
        "content_type": content.content_type,
        "truncated": !content.is_whole,
    });
    let (name, value) = match text(content) {
        Some(text) => ("text", text.to_owned()),
        None => ("base64", STANDARD.encode(&content.octets)),
    };
    document[name] = value.into();
    document
}

/// The text of a content of type text, when it is UTF-8.
fn text(content: &MessageContent) -> Option<&str> {
    let kind = content.content_type.get(..5);
    kind.filter(|kind| kind.eq_ignore_ascii_case("text/"))?;
    match str::from_utf8(&content.octets) {
        Ok(text) => Some(text),
        Err(error) if !content.is_whole && error.error_len().is_none() => {
            let whole = content.octets.get(..error.valid_up_to())?;
            str::from_utf8(whole).ok()
        }
        Err(_) => None,
    }
}

fn report_end(report: &ReportOutcome) -> Value {
    let result = |(status, count): &(u16, u32)| json!({ "status": status, "count": count });
    let results: Vec<Value> = report.results.iter().map(result).collect();
    json!({
        "message_id": report.message_id,
        "sent": report.is_sent,
        "results": results,
    })
}

fn copies(counts: &CopyCounts) -> Value {
    json!({
        "delivered": counts.delivered,
        "sent": counts.sent,
        "refused": counts.refused,
        "failed": counts.failed,
        "aborted": counts.aborted,
    })
}

/// What a node refuses, as one lower-case word.
pub(crate) fn drain_word(drain: Drain) -> &'static str {
    match drain {
        Drain::Off => "off",
        Drain::Rooms => "rooms",
        Drain::Sessions => "sessions",
    }
}
