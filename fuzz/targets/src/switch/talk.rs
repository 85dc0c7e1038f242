//! What participants say: SENDs, legal and not, and the octets of their messages.

use msrp_wire::{ByteRange, ContinuationFlag};

use super::FLAGS;
use crate::input::Input;

/// One SEND to be spoken.
pub(super) struct Talk {
    pub(super) text: Vec<u8>,
}

/// The octet at a position of every message, behind its wrapper. So a piece shows whether its octets are where its
/// Byte-Range says.
pub(super) fn octet_at(position: u64) -> u8 {
    b"abcdefghijklmnopqrstuvw"[usize::try_from(position % 23).unwrap_or(0)]
}

/// Octets at the start of a message that may be its wrapper.
pub(super) const WRAPPER_OCTETS_MAX: u64 = 600;

/// Participants that addresses name.
pub(super) const NAMES: usize = 4;

pub(super) fn address(name: usize) -> String {
    format!("sip:user{name}@example.com")
}

pub(super) const ROOM: &str = "sip:room@example.com";

impl Talk {
    /// A SEND of the participant with this name. `next` is the number of the octet that would go on with its message.
    pub(super) fn read(input: &mut Input<'_>, name: usize, next: &mut [u64; 4]) -> Self {
        let id = input.below(next.len());
        let start = match input.below(8) {
            0 => u64::from(input.short()) % 3000 + 1,
            1 | 2 => next[id],
            _ => 1,
        };
        let octets = match input.below(8) {
            0 => 0,
            1 => input.short().into(),
            _ => usize::from(input.octet()),
        };
        let body = body(input, name, start, octets);
        let len = u64::try_from(body.len()).unwrap_or(u64::MAX);
        next[id] = start + len;
        let flag = input.pick(&FLAGS);
        let total = match input.below(4) {
            0 => None,
            1 => Some(start + len - 1),
            2 => Some(start + len - 1 + u64::from(input.short())),
            _ => Some(next[id].saturating_sub(2)),
        };
        let range = ByteRange {
            start,
            end: None,
            total,
        };
        Self {
            text: send(input, id, range, &body, flag),
        }
    }
}

fn send(
    input: &mut Input<'_>,
    id: usize,
    range: ByteRange,
    body: &[u8],
    flag: ContinuationFlag,
) -> Vec<u8> {
    let reports = input.octet();
    let success = if reports & 1 == 0 { "no" } else { "yes" };
    let failure = ["yes", "no", "partial", "YES"][usize::from(reports / 2 % 4)];
    let content_type = match reports / 8 % 16 {
        0 => "Content-Type: text/plain\r\n",
        1 => "",
        2 => "Content-Type: nonsense\r\n",
        _ => "Content-Type: message/cpim\r\n",
    };
    let mut text = format!(
        "MSRP zzzz SEND\r\nTo-Path: msrp://s:1/a;tcp\r\nFrom-Path: msrp://c:2/b;tcp\r\n\
         Message-ID: msg-{id}\r\nByte-Range: {range}\r\nSuccess-Report: {success}\r\n\
         Failure-Report: {failure}\r\n{content_type}"
    )
    .into_bytes();
    if reports & 128 == 0 || !body.is_empty() {
        text.extend_from_slice(b"\r\n");
        text.extend_from_slice(body);
        text.extend_from_slice(b"\r\n");
    }
    text.extend_from_slice(b"-------zzzz");
    text.push(flag.octet());
    text.extend_from_slice(b"\r\n");
    text
}

/// `octets` octets of a message from number `start` on. At the start the wrapper comes first.
fn body(input: &mut Input<'_>, name: usize, start: u64, octets: usize) -> Vec<u8> {
    let mut body = if start == 1 {
        wrapper(input, name)
    } else {
        Vec::new()
    };
    let first = start + u64::try_from(body.len()).unwrap_or(0) - 1;
    body.extend((first..).take(octets).map(octet_at));
    body
}

fn wrapper(input: &mut Input<'_>, name: usize) -> Vec<u8> {
    let form = input.octet();
    let from = match form % 16 {
        0 => address(name + 1),
        1 => ROOM.to_owned(),
        2 => "nonsense".to_owned(),
        _ => address(name),
    };
    let mut text = format!("From: <{from}>\r\n");
    for _ in 0..form / 16 % 4 {
        let to = match input.below(8) {
            0..4 => ROOM.to_owned(),
            4 | 5 => address(input.below(NAMES)),
            6 => "sip:nobody@example.com".to_owned(),
            _ => "tel:+1".to_owned(),
        };
        text += &format!("To: <{to}>\r\n");
    }
    if form & 64 != 0 {
        text += "NS: FR <urn:oma:xml:poc:final-report>\r\nFR.Final-Report: yes\r\n";
    }
    text += "\r\nContent-Type: text/plain\r\n\r\n";
    if form & 128 != 0 {
        text.truncate(text.len() / 2);
    }
    text.into_bytes()
}
