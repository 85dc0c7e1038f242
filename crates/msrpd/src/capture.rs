//! Frames of MSRP on their way to whoever collects them.
//!
//! Never looks into a frame beyond where its header section ends.

pub mod export;
pub mod hep;

use std::collections::HashMap;

use msrp_control::{Direction, ParticipantId, RoomId, TraceRecord};

/// Frames that are not whole yet, by session and direction.
#[derive(Debug, Default)]
pub struct Frames {
    open: HashMap<(RoomId, ParticipantId, Direction), TraceRecord>,
}

impl Frames {
    /// Takes a record of a trace; gives the frame that is whole with it, or the part of one that is
    /// very large. Its time is that of its last octets.
    pub fn add(&mut self, record: TraceRecord) -> Option<TraceRecord> {
        let key = (
            record.room.clone(),
            record.participant.clone(),
            record.direction,
        );
        let frame = match self.open.remove(&key) {
            Some(mut open) => {
                open.octets.extend_from_slice(&record.octets);
                TraceRecord {
                    dropped: open.dropped.saturating_add(record.dropped),
                    octets: open.octets,
                    ..record
                }
            }
            None => record,
        };
        if frame.ends_frame || frame.octets.len() >= FRAME_OCTETS_MAX {
            return Some(frame);
        }
        // A session that ends inside of a frame leaves its beginning here.
        if self.open.len() >= FRAMES_OPEN_MAX {
            self.open.clear();
        }
        self.open.insert(key, frame);
        None
    }
}

/// The octets of a frame up to the end of its header section.
#[must_use]
pub fn head_of(frame: &[u8]) -> &[u8] {
    let end = frame.windows(4).position(|four| four == b"\r\n\r\n");
    end.map_or(frame, |end| frame.split_at(end + 4).0)
}

/// Octets from which on a frame is given in parts.
const FRAME_OCTETS_MAX: usize = 256 * 1024;
/// Most frames that are not whole. With one more all of them are forgotten.
const FRAMES_OPEN_MAX: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn record(room: &str, octets: &str, ends_frame: bool) -> TraceRecord {
        TraceRecord {
            time_ns: octets.len() as u64,
            room: RoomId::new(room).unwrap(),
            participant: ParticipantId::new("alice").unwrap(),
            direction: Direction::In,
            addresses: None,
            ends_frame,
            octets: octets.into(),
            dropped: 1,
        }
    }

    #[test]
    fn frame_is_put_together_for_each_session() {
        let mut frames = Frames::default();
        assert_eq!(frames.add(record("one", "be", false)), None);
        assert_eq!(frames.add(record("two", "other", false)), None);
        let frame = frames.add(record("one", "gin", true)).unwrap();
        assert_eq!(
            (&frame.octets[..], frame.dropped, frame.time_ns),
            (&b"begin"[..], 2, 3)
        );
        let large = "x".repeat(FRAME_OCTETS_MAX);
        let part = frames.add(record("two", &large, false)).unwrap();
        assert_eq!(part.octets.len(), FRAME_OCTETS_MAX + 5);
        assert!(frames.open.is_empty());
    }

    #[test]
    fn head_ends_with_its_blank_line() {
        assert_eq!(head_of(b"a\r\n\r\nbody\r\n\r\n"), b"a\r\n\r\n");
        assert_eq!(head_of(b"a\r\n"), b"a\r\n");
    }
}
