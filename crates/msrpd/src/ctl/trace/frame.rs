//! Frames, put together from the lines of a trace.

use std::collections::HashMap;
use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::super::clock::clock_time;
use crate::text::printable;

/// One frame of one session, or a part of one that is very large.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    /// Of its last octets, nanoseconds since 1970.
    pub(super) time_ns: u64,
    pub(super) participant: String,
    /// Whether it is from the participant.
    pub(super) is_in: bool,
    /// Our address and the peer's.
    pub(super) addresses: Option<(SocketAddr, SocketAddr)>,
    pub(super) octets: Vec<u8>,
    /// Parts that are missing before it.
    pub(super) dropped: u64,
}

/// Frames that are not whole yet, by participant and direction.
#[derive(Debug, Default)]
pub(super) struct Frames {
    open: HashMap<(String, bool), (Vec<u8>, u64)>,
}

impl Frames {
    /// Takes a line of the trace; gives the frame that is whole with it.
    pub(super) fn push(&mut self, line: &str) -> Option<Frame> {
        let record: Value = serde_json::from_str(line).ok()?;
        let text = |name: &str| record.get(name).and_then(Value::as_str);
        let participant = text("participant")?.to_owned();
        let is_in = text("direction")? == "in";
        let part = STANDARD.decode(text("octets")?).ok()?;
        let address = |name| text(name).and_then(|text| text.parse().ok());
        let key = (participant, is_in);
        let (octets, dropped) = self.open.entry(key.clone()).or_default();
        octets.extend_from_slice(&part);
        *dropped += record.get("dropped").and_then(Value::as_u64).unwrap_or(0);
        let is_whole = record.get("ends_frame") == Some(&Value::Bool(true));
        if !is_whole && octets.len() < FRAME_OCTETS_MAX {
            return None;
        }
        let (octets, dropped) = self.open.remove(&key)?;
        Some(Frame {
            time_ns: record.get("time_ns").and_then(Value::as_u64)?,
            participant: key.0,
            is_in,
            addresses: address("own").zip(address("peer")),
            octets,
            dropped,
        })
    }
}

impl Frame {
    /// The frame as a person reads it.
    pub(super) fn text(&self, headers_only: bool) -> String {
        let us = self.time_ns / 1000 % 1_000_000;
        let time = clock_time(self.time_ns / 1_000_000);
        let who = printable(&self.participant);
        let (from, to) = if self.is_in {
            (who.as_str(), "msrpd")
        } else {
            ("msrpd", who.as_str())
        };
        let mut text = String::new();
        if self.dropped > 0 {
            text.push_str(&format!("({} parts are missing here)\n", self.dropped));
        }
        text.push_str(&format!(
            "{time}.{us:06}  {from} -> {to}  {} octets\n",
            self.octets.len()
        ));
        let end = self.octets.windows(4).position(|four| four == b"\r\n\r\n");
        let (head, body) = match end {
            Some(end) => self.octets.split_at(end + 4),
            None => (&self.octets[..], &[][..]),
        };
        for line in String::from_utf8_lossy(head).lines() {
            if !line.is_empty() {
                text.push_str(&format!("  {}\n", printable(line)));
            }
        }
        if !headers_only && !body.is_empty() {
            text.push('\n');
            for line in body_text(body).lines() {
                text.push_str(&format!("  {}\n", printable(line)));
            }
        }
        text
    }
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

/// Octets from which on a frame is shown in parts.
const FRAME_OCTETS_MAX: usize = 256 * 1024;
/// Octets of a body that are shown whole.
const BODY_OCTETS_SHOWN_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn line(octets: &str, ends_frame: bool) -> String {
        json!({
            "time_ns": 45_296_000_001_000_u64, "participant": "alice", "direction": "in",
            "own": "127.0.0.1:2855", "peer": "127.0.0.1:9", "ends_frame": ends_frame,
            "dropped": 1, "octets": STANDARD.encode(octets),
        })
        .to_string()
    }

    #[test]
    fn frame_is_put_together_and_shown_without_control_characters() {
        let mut frames = Frames::default();
        assert_eq!(frames.push("{}"), None);
        assert_eq!(
            frames.push(&line("MSRP a SEND\r\nTo-Path: x\r\n\r\nhi\u{1b}[2J", false)),
            None
        );
        let frame = frames.push(&line("\r\n-------a$\r\n", true)).unwrap();
        assert_eq!(frame.dropped, 2);
        let expected = "(2 parts are missing here)\n\
                        12:34:56.000001  alice -> msrpd  46 octets\n  MSRP a SEND\n  To-Path: x\n\n  \
                        hi [2J\n  -------a$\n";
        assert_eq!(frame.text(false), expected);
        assert!(!frame.text(true).contains("hi"));
    }

    #[test]
    fn body_that_is_no_text_is_measured() {
        assert_eq!(body_text(&[0xff; 9]), "(9 octets that are no text)");
        assert!(body_text(&[b'x'; 5000]).ends_with("(5000 octets in all)"));
    }
}
