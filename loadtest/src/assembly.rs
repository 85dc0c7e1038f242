//! One message as it arrives in chunks at one receiver, and what is wrong with it.
//!
//! Nothing of a body is kept: the octets up to the stamp are collected, what follows is compared as it comes in.
//!
//! ```text
//!   Head --stamp--> Pattern --all octets of it--> End --`$`--> verdict
//!     \--no stamp in HEAD_OCTETS_MAX--> Foreign
//! ```

use msrp_wire::{ByteRange, ContinuationFlag, MessageId};

use crate::content;
use crate::limits::HEAD_OCTETS_MAX;
use crate::mix::Kind;
use crate::pattern::{self, Pattern};
use crate::stamp::{Found, Stamp};

/// A message that is arriving.
#[derive(Debug)]
pub struct Assembly {
    /// Its name.
    pub id: MessageId,
    received: u64,
    total: Option<u64>,
    chunk_end: Option<u64>,
    head: Vec<u8>,
    state: State,
    fault: Option<Fault>,
    is_compared: bool,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Head,
    /// Behind the stamp, this many octets.
    Tail(Stamp, usize),
    Foreign,
}

/// What is wrong with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A Byte-Range that does not follow the one before, or does not say what the chunk has.
    ByteRange,
    /// An octet of the body.
    Body,
    /// An octet of the wrapper, or of the body in front of the stamp.
    Wrapper,
    /// An octet of the stamp.
    Stamp,
}

/// What a complete message was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// One of a generator's; what is wrong with it, if anything is.
    Stamped(Stamp, Option<Fault>),
    /// One of a generator's with a stamp that cannot be read.
    Unreadable,
    /// A message of somebody else.
    Foreign,
}

impl Assembly {
    /// A message of which nothing has come. `is_compared`: whether octets are compared.
    #[must_use]
    pub fn new(id: MessageId, is_compared: bool) -> Self {
        Self {
            id,
            received: 0,
            total: None,
            chunk_end: None,
            head: Vec::new(),
            state: State::Head,
            fault: None,
            is_compared,
        }
    }

    /// The header section of a chunk.
    pub fn begin_chunk(&mut self, range: ByteRange) {
        let is_first = self.received == 0;
        let continues = range.start == self.received.saturating_add(1);
        let agrees = is_first || range.total.is_none() || self.total == range.total;
        if !continues || !agrees {
            self.fault.get_or_insert(Fault::ByteRange);
        }
        self.total = self.total.or(range.total);
        self.chunk_end = range.end;
    }

    /// Octets of the body of a chunk.
    pub fn feed(&mut self, octets: &[u8]) {
        self.received = self.received.saturating_add(octets.len() as u64);
        match self.state {
            State::Foreign => {}
            State::Tail(stamp, at) => self.compare(stamp, at, octets),
            State::Head if self.head.is_empty() => {
                if !self.read_head(octets) {
                    self.head.extend_from_slice(octets);
                }
            }
            State::Head => {
                let mut head = std::mem::take(&mut self.head);
                head.extend_from_slice(octets);
                if !self.read_head(&head) {
                    self.head = head;
                }
            }
        }
    }

    /// The end line of a chunk. Gives a verdict when the message is complete.
    pub fn end_chunk(&mut self, flag: ContinuationFlag) -> Option<Verdict> {
        let is_exact = self.chunk_end.is_none_or(|end| end == self.received);
        let is_whole = self.total.is_none_or(|total| total == self.received);
        let is_right = match flag {
            ContinuationFlag::More => is_exact,
            ContinuationFlag::Last => is_exact && is_whole,
            ContinuationFlag::Abort => true,
        };
        if !is_right {
            self.fault.get_or_insert(Fault::ByteRange);
        }
        (flag == ContinuationFlag::Last).then(|| self.verdict())
    }

    /// Octets so far.
    #[must_use]
    pub fn octets(&self) -> u64 {
        self.received
    }

    /// Looks for the stamp; `true` when these octets need not be seen again.
    fn read_head(&mut self, octets: &[u8]) -> bool {
        match Stamp::find(octets) {
            Found::Stamp(stamp, start) => {
                if self.is_compared && pattern::sum(&octets[..start]) != stamp.head_sum {
                    self.fault.get_or_insert(Fault::Wrapper);
                }
                self.state = State::Tail(stamp, 0);
                let behind = octets.get(start + crate::stamp::STAMP_OCTETS..);
                self.compare(stamp, 0, behind.unwrap_or_default());
                true
            }
            Found::Damaged => {
                self.fault = Some(Fault::Stamp);
                self.state = State::Foreign;
                true
            }
            Found::NeedMore if octets.len() > HEAD_OCTETS_MAX => {
                self.state = State::Foreign;
                true
            }
            Found::NeedMore => false,
        }
    }

    fn compare(&mut self, stamp: Stamp, at: usize, octets: &[u8]) {
        self.state = State::Tail(stamp, at + octets.len());
        if !self.is_compared {
            return;
        }
        let pattern_octets = usize::try_from(stamp.pattern_octets).unwrap_or(usize::MAX);
        let of_pattern = pattern_octets.saturating_sub(at).min(octets.len());
        let (pattern, end) = octets.split_at(of_pattern);
        let end_at = (at + of_pattern).saturating_sub(pattern_octets);
        let expected = content::body_end(stamp.kind).get(end_at..end_at + end.len());
        let is_right =
            Pattern::of(stamp.origin, stamp.sequence).matches(at, pattern) && expected == Some(end);
        if !is_right {
            self.fault.get_or_insert(Fault::Body);
        }
    }

    fn verdict(&mut self) -> Verdict {
        match self.state {
            State::Tail(stamp, at) => {
                if at != tail_octets(stamp) {
                    self.fault.get_or_insert(Fault::Body);
                }
                Verdict::Stamped(stamp, self.fault)
            }
            State::Head | State::Foreign if self.fault == Some(Fault::Stamp) => Verdict::Unreadable,
            State::Head | State::Foreign => Verdict::Foreign,
        }
    }
}

/// Octets that a complete message has behind its stamp.
fn tail_octets(stamp: Stamp) -> usize {
    let kind: Kind = stamp.kind;
    usize::try_from(stamp.pattern_octets).unwrap_or(0) + content::body_end(kind).len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::{Wrapping, compose};

    fn message(kind: Kind, size: u32) -> (Stamp, Vec<u8>) {
        let wrapping = Wrapping {
            from: "sip:load2@localhost",
            to: "sip:demo@localhost",
            datetime: "2026-11-21T02:46:05Z",
            imdn_id: None,
        };
        let stamp = Stamp {
            run: 1,
            kind,
            origin: 2,
            sequence: 3,
            intended_ns: 4,
            pattern_octets: content::pattern_octets(kind, size),
            head_sum: 0,
        };
        let mut octets = Vec::new();
        let stamp = compose(&mut octets, &wrapping, stamp);
        (stamp, octets)
    }

    fn range(start: usize, end: usize, total: usize) -> ByteRange {
        ByteRange {
            start: start as u64,
            end: Some(end as u64),
            total: Some(total as u64),
        }
    }

    fn assembly() -> Assembly {
        Assembly::new(MessageId::parse(b"abcd").unwrap(), true)
    }

    /// Receives in chunks of `chunk` octets, each in reads of `read` octets.
    fn receive(octets: &[u8], chunk: usize, read: usize) -> Verdict {
        let (mut assembly, mut at) = (assembly(), 0);
        loop {
            let end = (at + chunk).min(octets.len());
            assembly.begin_chunk(range(at + 1, end, octets.len()));
            octets[at..end].chunks(read).for_each(|p| assembly.feed(p));
            at = end;
            let is_last = at == octets.len();
            let flag = if is_last {
                ContinuationFlag::Last
            } else {
                ContinuationFlag::More
            };
            if let Some(verdict) = assembly.end_chunk(flag) {
                return verdict;
            }
        }
    }

    #[test]
    fn message_of_each_kind_is_right_however_it_is_cut() {
        for (kind, size) in [
            (Kind::Text, 200),
            (Kind::File, 100_000),
            (Kind::Composing, 0),
            (Kind::Delivered, 0),
            (Kind::Displayed, 0),
        ] {
            let (stamp, octets) = message(kind, size);
            for (chunk, read) in [(usize::MAX / 2, usize::MAX / 2), (2048, 1000), (50, 7)] {
                let verdict = receive(&octets, chunk, read);
                assert_eq!(verdict, Verdict::Stamped(stamp, None), "{kind:?} {chunk}");
            }
        }
    }

    #[test]
    fn message_with_one_wrong_octet_is_found_wherever_it_is() {
        for kind in [Kind::Text, Kind::Composing] {
            let (_, octets) = message(kind, 200);
            for at in 0..octets.len() {
                let mut damaged = octets.clone();
                damaged[at] ^= 1;
                let verdict = receive(&damaged, 10_000, 10_000);
                // A stamp that does not start like one is a message of somebody else: it will be missing.
                let is_seen = !matches!(verdict, Verdict::Stamped(_, None));
                assert!(is_seen, "octet {at} of {kind:?}");
            }
        }
    }

    #[test]
    fn message_that_is_too_short_or_too_long_is_found() {
        let (stamp, octets) = message(Kind::Text, 200);
        let short = receive(&octets[..octets.len() - 1], 10_000, 10_000);
        assert_eq!(short, Verdict::Stamped(stamp, Some(Fault::Body)));
        let long = receive(&[octets.as_slice(), b"x"].concat(), 10_000, 10_000);
        assert_eq!(long, Verdict::Stamped(stamp, Some(Fault::Body)));
    }

    #[test]
    fn message_with_wrong_byte_ranges_is_found() {
        let (stamp, octets) = message(Kind::Text, 200);
        let total = octets.len();
        let wrong = Verdict::Stamped(stamp, Some(Fault::ByteRange));
        for first in [
            range(2, total, total),
            range(1, total - 1, total),
            range(1, total, total + 1),
        ] {
            let mut assembly = assembly();
            assembly.begin_chunk(first);
            assembly.feed(&octets);
            assert_eq!(
                assembly.end_chunk(ContinuationFlag::Last),
                Some(wrong),
                "{first}"
            );
        }
    }

    #[test]
    fn message_of_somebody_else_is_foreign() {
        assert_eq!(receive(b"hello", 100, 100), Verdict::Foreign);
        assert_eq!(receive(&[b'x'; 20_000], 2048, 500), Verdict::Foreign);
    }

    #[test]
    fn message_not_compared_is_still_told_by_its_stamp() {
        let (stamp, mut octets) = message(Kind::Text, 200);
        *octets.last_mut().unwrap() ^= 1;
        let mut assembly = Assembly::new(MessageId::parse(b"abcd").unwrap(), false);
        assembly.begin_chunk(ByteRange::WHOLE);
        assembly.feed(&octets);
        assert_eq!(
            assembly.end_chunk(ContinuationFlag::Last),
            Some(Verdict::Stamped(stamp, None))
        );
    }
}
