//! Lines of a trace: read, and shown.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use msrp_control::{Direction, ParticipantId, RoomId, TraceRecord};
use serde_json::Value;

use super::super::clock::clock_time;
use crate::capture::head_of;
use crate::text::printable;

/// Reads a line of the API's trace. `None` for one that only says that nothing happened.
pub(super) fn record(line: &str) -> Option<TraceRecord> {
    let record: Value = serde_json::from_str(line).ok()?;
    let text = |name: &str| record.get(name).and_then(Value::as_str);
    let number = |name: &str| record.get(name).and_then(Value::as_u64);
    let address = |name| text(name).and_then(|text| text.parse().ok());
    Some(TraceRecord {
        time_ns: number("time_ns")?,
        room: RoomId::new(text("room")?).ok()?,
        participant: ParticipantId::new(text("participant")?).ok()?,
        direction: match text("direction")? {
            "in" => Direction::In,
            _ => Direction::Out,
        },
        addresses: address("own").zip(address("peer")),
        ends_frame: record.get("ends_frame") == Some(&Value::Bool(true)),
        octets: STANDARD.decode(text("octets")?).ok()?,
        dropped: number("dropped").unwrap_or(0),
    })
}

/// A frame as a person reads it.
pub(super) fn shown(frame: &TraceRecord, headers_only: bool) -> String {
    let us = frame.time_ns / 1000 % 1_000_000;
    let time = clock_time(frame.time_ns / 1_000_000);
    let who = frame.participant.as_str();
    let (from, to) = match frame.direction {
        Direction::In => (who, "msrpd"),
        Direction::Out => ("msrpd", who),
    };
    let mut text = String::new();
    if frame.dropped > 0 {
        text.push_str(&format!("({} parts are missing here)\n", frame.dropped));
    }
    let octets = frame.octets.len();
    text.push_str(&format!(
        "{time}.{us:06}  {from} -> {to}  {octets} octets\n"
    ));
    let head = head_of(&frame.octets);
    for line in String::from_utf8_lossy(head).lines() {
        if !line.is_empty() {
            text.push_str(&format!("  {}\n", printable(line)));
        }
    }
    let body = frame.octets.get(head.len()..).unwrap_or_default();
    if !headers_only && !body.is_empty() {
        text.push('\n');
        for line in body_text(body).lines() {
            text.push_str(&format!("  {}\n", printable(line)));
        }
    }
    text
}

/// A body that is text, or how long it is.
fn body_text(body: &[u8]) -> String {
    match std::str::from_utf8(body) {
        Ok(text) if text.len() <= BODY_OCTETS_SHOWN_MAX => text.to_owned(),
        Ok(text) => {
            let shown: String = text.chars().take(BODY_OCTETS_SHOWN_MAX / 4).collect();
            format!("{shown}\n({} octets in all)", body.len())
        }
        Err(_) => format!("({} octets that are no text)", body.len()),
    }
}

/// Octets of a body that are shown whole.
const BODY_OCTETS_SHOWN_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn frame_is_shown_without_control_characters() {
        assert_eq!(record("{}"), None);
        let octets = "MSRP a SEND\r\nTo-Path: x\r\n\r\nhi\u{1b}[2J\r\n-------a$\r\n";
        let line = json!({
            "time_ns": 45_296_000_001_000_u64, "room": "lunch", "participant": "alice",
            "direction": "in", "own": "127.0.0.1:2855", "peer": "127.0.0.1:9",
            "ends_frame": true, "dropped": 2, "octets": STANDARD.encode(octets),
        });
        let frame = record(&line.to_string()).unwrap();
        assert_eq!(frame.addresses.unwrap().1, "127.0.0.1:9".parse().unwrap());
        let expected = "(2 parts are missing here)\n\
                        12:34:56.000001  alice -> msrpd  46 octets\n  MSRP a SEND\n  To-Path: x\n\n  \
                        hi [2J\n  -------a$\n";
        assert_eq!(shown(&frame, false), expected);
        assert!(!shown(&frame, true).contains("hi"));
    }

    #[test]
    fn body_that_is_no_text_is_measured() {
        assert_eq!(body_text(&[0xff; 9]), "(9 octets that are no text)");
        assert!(body_text(&[b'x'; 5000]).ends_with("(5000 octets in all)"));
    }
}
