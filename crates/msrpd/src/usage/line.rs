//! One record as one line of JSON. `docs/usage.md` says what each field means.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use msrp_control::{Charging, ClassCounts, UsageEvent, UsageNote, UsageRecord};
use msrp_wire::cpim;
use serde::Serialize;

use crate::config::UsageIdentities;

/// Makes the lines of one run of the node.
#[derive(Debug)]
pub(super) struct Lines {
    node: String,
    /// Tells the sessions of this run from those of another.
    run: u64,
    identities: UsageIdentities,
}

#[derive(Serialize)]
struct SessionLine<'a> {
    version: u32,
    event: &'static str,
    time: String,
    time_ms: u64,
    node: &'a str,
    session: String,
    room: &'a str,
    participant: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    entity: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    identities: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    call_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    charging_id: Option<&'a str>,
    duration_ms: u64,
    received: Counts,
    sent: Counts,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_reason: Option<&'static str>,
}

#[derive(Serialize)]
struct RoomLine<'a> {
    version: u32,
    event: &'static str,
    time: String,
    time_ms: u64,
    node: &'a str,
    run: String,
    room: &'a str,
    end_reason: &'static str,
}

#[derive(Serialize)]
struct Counts {
    text: u32,
    composing: u32,
    disposition: u32,
    file: u32,
    other: u32,
    octets: u64,
}

impl Lines {
    pub(super) fn new(node: &str, identities: UsageIdentities) -> Self {
        Self {
            node: node.to_owned(),
            run: milliseconds(SystemTime::now()),
            identities,
        }
    }

    /// Appends a line.
    pub(super) fn write(&self, note: &UsageNote, out: &mut Vec<u8>) {
        // Strings and numbers always have a form in JSON, and memory takes them.
        let _ = match note {
            UsageNote::Record(record) => serde_json::to_writer(&mut *out, &self.session(record)),
            UsageNote::RoomLost { room, at } => serde_json::to_writer(
                &mut *out,
                &RoomLine {
                    version: VERSION,
                    event: "room_lost",
                    time: clock(*at),
                    time_ms: milliseconds(*at),
                    node: &self.node,
                    run: format!("{:x}", self.run),
                    room: room.as_str(),
                    end_reason: msrp_control::EndReason::ShardFailed.as_str(),
                },
            ),
        };
        out.push(b'\n');
    }

    fn session<'a>(&'a self, record: &'a UsageRecord) -> SessionLine<'a> {
        let (event, end_reason) = match record.event {
            UsageEvent::Start => ("start", None),
            UsageEvent::Interim => ("interim", None),
            UsageEvent::Stop(reason) => ("stop", Some(reason.as_str())),
        };
        let id = |of: fn(&Charging) -> Option<&String>| {
            let charging = record.charging.as_deref();
            charging.and_then(of).map(String::as_str)
        };
        let usage = &record.usage;
        SessionLine {
            version: VERSION,
            event,
            time: clock(record.at),
            time_ms: milliseconds(record.at),
            node: &self.node,
            session: format!("{:x}-{:x}", self.run, record.session),
            room: record.room.as_str(),
            participant: record.participant.as_str(),
            entity: match self.identities {
                UsageIdentities::Entity | UsageIdentities::All => Some(&record.entity),
                UsageIdentities::None => None,
            },
            identities: match self.identities {
                UsageIdentities::All => Some(&record.identities),
                UsageIdentities::Entity | UsageIdentities::None => None,
            },
            call_id: id(|charging| charging.call_id.as_ref()),
            charging_id: id(|charging| charging.charging_id.as_ref()),
            duration_ms: record.duration_ms,
            received: Counts::new(&usage.messages_received, usage.octets_received),
            sent: Counts::new(&usage.messages_sent, usage.octets_sent),
            end_reason,
        }
    }
}

impl Counts {
    fn new(messages: &ClassCounts, octets: u64) -> Self {
        Self {
            text: messages.text,
            composing: messages.composing,
            disposition: messages.disposition,
            file: messages.file,
            other: messages.other,
            octets,
        }
    }
}

fn since_epoch(at: SystemTime) -> Duration {
    at.duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn clock(at: SystemTime) -> String {
    cpim::datetime(since_epoch(at).as_secs())
}

fn milliseconds(at: SystemTime) -> u64 {
    u64::try_from(since_epoch(at).as_millis()).unwrap_or(u64::MAX)
}

/// The version of the schema. It changes when a field changes its meaning or goes; fields may be added.
const VERSION: u32 = 1;

#[cfg(test)]
mod tests {
    use msrp_control::{EndReason, ParticipantId, RoomId, SessionUsage};

    use super::*;

    fn record() -> UsageRecord {
        UsageRecord {
            session: 26,
            event: UsageEvent::Stop(EndReason::Removed),
            at: UNIX_EPOCH + Duration::from_millis(1_500),
            duration_ms: 1000,
            room: RoomId::new("r").unwrap(),
            participant: ParticipantId::new("p").unwrap(),
            entity: "sip:a@b".to_owned(),
            identities: vec!["sip:a@b".to_owned(), "tel:+1".to_owned()],
            charging: Charging {
                call_id: Some("c\"1".to_owned()),
                charging_id: None,
            }
            .shared(),
            usage: SessionUsage {
                messages_received: ClassCounts {
                    text: 1,
                    file: 2,
                    ..ClassCounts::default()
                },
                octets_received: 3,
                messages_sent: ClassCounts::default(),
                octets_sent: 4,
            },
        }
    }

    fn line(identities: UsageIdentities, note: &UsageNote) -> String {
        let lines = Lines {
            node: "n".to_owned(),
            run: 255,
            identities,
        };
        let mut out = Vec::new();
        lines.write(note, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn record_is_one_line_of_json() {
        let note = UsageNote::Record(Box::new(record()));
        let expected = "{\"version\":1,\"event\":\"stop\",\"time\":\"1970-01-01T00:00:01Z\",\
            \"time_ms\":1500,\"node\":\"n\",\"session\":\"ff-1a\",\"room\":\"r\",\"participant\":\"p\",\
            \"entity\":\"sip:a@b\",\"call_id\":\"c\\\"1\",\"duration_ms\":1000,\
            \"received\":{\"text\":1,\"composing\":0,\"disposition\":0,\"file\":2,\"other\":0,\"octets\":3},\
            \"sent\":{\"text\":0,\"composing\":0,\"disposition\":0,\"file\":0,\"other\":0,\"octets\":4},\
            \"end_reason\":\"removed\"}\n";
        assert_eq!(line(UsageIdentities::Entity, &note), expected);
    }

    #[test]
    fn record_names_the_participant_as_the_operator_wants() {
        let note = UsageNote::Record(Box::new(record()));
        let all = line(UsageIdentities::All, &note);
        assert!(
            all.contains("\"identities\":[\"sip:a@b\",\"tel:+1\"]"),
            "{all}"
        );
        let none = line(UsageIdentities::None, &note);
        assert!(!none.contains("sip:a@b"), "{none}");
    }

    #[test]
    fn lost_room_is_told_in_a_line_of_its_own() {
        let note = UsageNote::RoomLost {
            room: RoomId::new("r").unwrap(),
            at: UNIX_EPOCH,
        };
        let expected = "{\"version\":1,\"event\":\"room_lost\",\"time\":\"1970-01-01T00:00:00Z\",\
            \"time_ms\":0,\"node\":\"n\",\"run\":\"ff\",\"room\":\"r\",\"end_reason\":\"shard_failed\"}\n";
        assert_eq!(line(UsageIdentities::All, &note), expected);
    }
}
