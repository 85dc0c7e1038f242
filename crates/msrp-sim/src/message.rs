//! The messages that participants send, and how they cut them.

use crate::chance::Chance;
use crate::kernel::PeerId;

/// The number of a message. It stands in its wrapper, so that whoever gets a part of it knows which one it is.
pub(crate) type Number = usize;

/// To whom a message goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum To {
    /// Everybody in the room.
    Room,
    /// These participants.
    Peers(Vec<PeerId>),
    /// Nobody that the room knows.
    Nobody,
}

/// How a message ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// With `$`.
    Last,
    /// With `#`, before all of it was sent.
    Abort,
}

/// What the switch has to do with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Relay it.
    Accepted,
    /// Refuse it with this status, and show nobody an octet.
    Refused(u16),
    /// Whatever it likes, as long as nobody is harmed.
    Any,
}

/// A message.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    /// Its number.
    pub number: Number,
    /// Who sends it.
    pub sender: PeerId,
    /// The room of the sender.
    pub room: usize,
    /// Who is to get it.
    pub to: To,
    /// The sender's Message-ID.
    pub id: String,
    /// The whole wrapper with what is in it.
    pub octets: Vec<u8>,
    /// Octets of the headers of the wrapper and of its content.
    pub head_octets: usize,
    /// Failure-Report.
    pub failure_report: &'static str,
    /// Whether the sender asks for a final report.
    pub asks_for_report: bool,
    /// How it ends.
    pub ending: Ending,
    /// What is to become of it.
    pub fate: Fate,
}

/// What a wrapper begins with.
const MARK: &[u8] = b"Subject: N";
const DIGITS: usize = 8;

/// The number in the first octets of a message.
#[must_use]
pub(crate) fn number_of(octets: &[u8]) -> Option<Number> {
    let digits = octets.strip_prefix(MARK)?.get(..DIGITS)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// The headers of a wrapper.
#[must_use]
pub(crate) fn head(number: Number, from: &str, to: &[String], asks_for_report: bool) -> Vec<u8> {
    let mut head = format!("Subject: N{number:08}\r\nFrom: <{from}>\r\n");
    for to in to {
        head += &format!("To: <{to}>\r\n");
    }
    if asks_for_report {
        head += "NS: Rep <urn:oma:xml:poc:final-report>\r\nRep.Final-Report: yes\r\n";
    }
    head += "\r\nContent-Type: text/plain\r\n\r\n";
    head.into_bytes()
}

/// Text that tells at every octet whether it is the right one, with hyphens and line ends where they could hurt.
pub(crate) fn text(chance: &mut Chance, octets: usize, rumour: &str) -> Vec<u8> {
    let mut text = Vec::with_capacity(octets);
    while text.len() < octets {
        match chance.within(0..=15) {
            0 => text.extend_from_slice(b"\r\n-------"),
            1 if !rumour.is_empty() => {
                text.extend_from_slice(b"\r\n-------");
                text.extend_from_slice(rumour.as_bytes());
                text.extend_from_slice(b"$\r\nMSRP zq9smug1 SEND\r\n");
            }
            _ => text.extend_from_slice(format!("{:016x}", chance.bits()).as_bytes()),
        }
    }
    text.truncate(octets);
    text
}

/// One SEND of a message: which octets it has, what it says of them, and its flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cut {
    /// First octet, from 0.
    pub start: usize,
    /// Behind the last octet.
    pub end: usize,
    /// `+`, `$` or `#`.
    pub flag: u8,
}

/// Most chunks whose order is mixed.
const SHUFFLED_MAX: usize = 24;

/// Cuts a message into SENDs.
pub(crate) fn cuts(chance: &mut Chance, message: &Message, is_lax: bool) -> Vec<Cut> {
    let octets = message.octets.len();
    let longest = match chance.within(0..=3) {
        0 if is_lax => chance.octets(1..=64).max(octets / 200),
        0 | 1 => 2048,
        _ => octets,
    };
    let mut cuts = Vec::new();
    let mut start = 0;
    while start < octets {
        // The wrapper goes first and whole, so that what comes ahead of it is not too much.
        let least = if start == 0 { message.head_octets } else { 1 };
        let end = (start + longest.max(least)).min(octets);
        cuts.push(Cut {
            start,
            end,
            flag: b'+',
        });
        start = end;
    }
    if message.ending == Ending::Abort {
        let kept = chance.octets(1..=cuts.len());
        cuts.truncate(kept);
        if let Some(last) = cuts.last_mut() {
            last.flag = b'#';
            if last.start > 0 || chance.one_in(2) {
                last.end = chance.octets(last.start..=last.end);
            }
        }
        return cuts;
    }
    // With more chunks the holes between them would be more than the switch remembers.
    if is_lax && (3..=SHUFFLED_MAX).contains(&cuts.len()) && chance.one_in(3) {
        let last = cuts.len() - 1;
        if let Some(middle) = cuts.get_mut(1..last) {
            chance.shuffle(middle);
        }
        if chance.one_in(2) {
            let again = chance.octets(1..=last);
            let mut cut = cuts[again - 1];
            if cut.start == 0 {
                cut.start = message.head_octets.min(cut.end);
            }
            if cut.start < cut.end {
                cuts.insert(again, cut);
            }
        }
    }
    if let Some(last) = cuts.last_mut() {
        last.flag = b'$';
    }
    cuts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_is_cut_so_that_every_octet_is_sent() {
        let mut chance = Chance::new(3);
        for octets in [0, 1, 5000, 40_000] {
            for is_lax in [false, true, true, true] {
                let mut message = Message {
                    number: 7,
                    sender: 0,
                    room: 0,
                    to: To::Room,
                    id: "m7".to_owned(),
                    octets: head(7, "sip:a@b", &["sip:r@b".to_owned()], false),
                    head_octets: 0,
                    failure_report: "yes",
                    asks_for_report: false,
                    ending: Ending::Last,
                    fate: Fate::Accepted,
                };
                message.head_octets = message.octets.len();
                assert_eq!(number_of(&message.octets), Some(7));
                let more = text(&mut chance, octets, "");
                message.octets.extend(more);
                let cuts = cuts(&mut chance, &message, is_lax);
                let mut seen = vec![false; message.octets.len()];
                for cut in &cuts {
                    seen[cut.start..cut.end].fill(true);
                }
                assert!(seen.iter().all(|seen| *seen));
                assert_eq!(cuts.iter().filter(|cut| cut.flag == b'$').count(), 1);
            }
        }
    }
}
