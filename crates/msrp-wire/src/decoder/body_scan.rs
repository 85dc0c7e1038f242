//! Finds the end line behind a body, wherever reads cut it.
//!
//! The only text that ends a body is this one, 10 + id octets that no header or flag can vary but the flag itself:
//!
//! ```text
//! offset   0  2        9             len-3 len-2  len
//!          \r\n-------a786hjs2......$     \r\n
//!          |  |                     |
//!          |  |                     one of $ + #
//!          |  hyphens and id: where a body starts, CR LF is already there (it ended the blank line)
//!          belongs to the end line, not to the body
//! ```
//!
//! A carriage return stands at offset 0 and at len-2 only. So when a partial match fails, no later octet of it can
//! start another match, with one exception: at len-1, where the octet that failed may be a new carriage return; that one
//! is still in the input. This is why a failed match gives all its octets to the body at once.
//!
//! Octets that match but are not followed by anything yet are not stored: they are the first octets of the text above.

use std::ops::Range;

use memchr::memmem;

use crate::end_line::{
    ContinuationFlag, END_LINE_OCTETS_MAX, EndLine, FLAG_AND_LINE_END_OCTETS, LINE_END,
};
use crate::ident::TransactionId;

/// The search for the end line of one body.
#[derive(Clone, Copy)]
pub(super) struct BodyScan {
    /// The text to find; its flag is that of the last octet that stood in its place.
    line: [u8; END_LINE_OCTETS_MAX],
    len: usize,
    /// Octets of the text that the input so far ends with.
    matched: usize,
    /// Octets of the match that are not body octets even if it fails: the blank line's CR LF at the start of the body.
    not_body: usize,
}

/// What a part of the input is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Consumed without anything to tell.
    Nothing,
    /// The first `octets` of the input belong to the body; `consumed` counts held octets too.
    Octets { octets: usize, consumed: usize },
    /// Octets held before belong to the body. Nothing of this input is consumed.
    Held(Range<usize>),
    /// The end line ends here.
    End {
        flag: ContinuationFlag,
        consumed: usize,
    },
}

enum Match {
    Complete,
    Partial,
    None,
}

impl BodyScan {
    /// The search at the start of a body, directly behind the blank line.
    pub(super) fn new(tid: TransactionId) -> Self {
        Self::at(EndLine::new(tid, ContinuationFlag::Last), LINE_END.len())
    }

    /// The search behind all of the end line but its last octet.
    pub(super) fn at_last_octet(tid: TransactionId, flag: ContinuationFlag) -> Self {
        let end_line = EndLine::new(tid, flag);
        Self::at(end_line, end_line.after_body().len().saturating_sub(1))
    }

    fn at(end_line: EndLine, matched: usize) -> Self {
        let mut line = [0; END_LINE_OCTETS_MAX];
        let octets = end_line.after_body();
        if let Some(room) = line.get_mut(..octets.len()) {
            room.copy_from_slice(octets);
        }
        Self {
            line,
            len: octets.len(),
            matched,
            not_body: LINE_END.len(),
        }
    }

    /// Octets that were held back and turned out to be body.
    pub(super) fn held(&self, range: Range<usize>) -> &[u8] {
        self.line.get(range).unwrap_or_default()
    }

    /// Reads on.
    pub(super) fn scan(&mut self, input: &[u8]) -> Found {
        if self.matched > 0 {
            match self.compare(self.matched, input) {
                Match::Complete => return self.end(input),
                Match::Partial => return self.hold(self.matched, input),
                Match::None => {}
            }
            let held = self.not_body..self.matched;
            self.matched = 0;
            self.not_body = 0;
            if !held.is_empty() {
                return Found::Held(held);
            }
        }
        self.search(input)
    }

    fn search(&mut self, input: &[u8]) -> Found {
        match self.compare(0, input) {
            Match::Complete => return self.end(input),
            Match::Partial => return self.hold(0, input),
            Match::None => {}
        }
        // Many small messages may come in one read: most end lines are near.
        let (near, far) = input
            .split_at_checked(SHORT_OCTETS_MAX)
            .unwrap_or((input, &[]));
        let is_it = |at: &usize| self.compare_at(input, *at).is_some();
        let found = memchr::memchr_iter(b'\r', near).find(is_it);
        let found = if far.is_empty() || found.is_some() {
            found
        } else {
            let needle = self.line.get(..self.flag_at()).unwrap_or_default();
            memmem::find_iter(far, needle)
                .map(|at| near.len().saturating_add(at))
                .find(is_it)
                .or_else(|| self.partial_at_end(input))
        };
        match found {
            Some(at) => self.split(input, at),
            None => Found::Octets {
                octets: input.len(),
                consumed: input.len(),
            },
        }
    }

    /// The first place near the end of the input where an end line may have begun.
    fn partial_at_end(&self, input: &[u8]) -> Option<usize> {
        let window_start = input.len().saturating_sub(self.len.saturating_sub(1));
        let window = input.get(window_start..)?;
        memchr::memchr_iter(b'\r', window)
            .map(|at| window_start.saturating_add(at))
            .find(|at| self.compare_at(input, *at).is_some())
    }

    /// Body octets before `at`, where an end line begins or may begin. A complete one stays in the input.
    fn split(&mut self, input: &[u8], at: usize) -> Found {
        let rest = input.get(at..).unwrap_or_default();
        match self.compare(0, rest) {
            Match::Partial => {
                self.hold(0, rest);
                Found::Octets {
                    octets: at,
                    consumed: input.len(),
                }
            }
            Match::Complete | Match::None => Found::Octets {
                octets: at,
                consumed: at,
            },
        }
    }

    fn compare_at(&self, input: &[u8], at: usize) -> Option<Match> {
        match self.compare(0, input.get(at..)?) {
            Match::None => None,
            matched => Some(matched),
        }
    }

    /// Compares the input with the text from `matched` on.
    fn compare(&self, matched: usize, input: &[u8]) -> Match {
        let flag_at = self.flag_at();
        let expected = self.line.get(matched..self.len).unwrap_or_default();
        let (text, flag) = expected
            .split_at_checked(flag_at.saturating_sub(matched))
            .unwrap_or_default();
        let compared = input.len().min(text.len());
        if input.get(..compared) != text.get(..compared) {
            return Match::None;
        }
        let rest = input.get(compared..).unwrap_or_default();
        let same = flag.iter().zip(rest).enumerate().all(|(i, (expected, c))| {
            if i == 0 && matched <= flag_at {
                ContinuationFlag::from_octet(*c).is_some()
            } else {
                expected == c
            }
        });
        match same {
            true if input.len() >= expected.len() => Match::Complete,
            true => Match::Partial,
            false => Match::None,
        }
    }

    /// Keeps a partial match that reaches from `matched` to the end of the input.
    fn hold(&mut self, matched: usize, input: &[u8]) -> Found {
        self.note_flag(matched, input);
        self.matched = matched.saturating_add(input.len());
        Found::Nothing
    }

    fn end(&mut self, input: &[u8]) -> Found {
        self.note_flag(self.matched, input);
        let flag = self
            .line
            .get(self.flag_at())
            .and_then(|c| ContinuationFlag::from_octet(*c));
        Found::End {
            flag: flag.unwrap_or(ContinuationFlag::Last),
            consumed: self.len.saturating_sub(self.matched),
        }
    }

    fn note_flag(&mut self, matched: usize, input: &[u8]) {
        let flag_at = self.flag_at();
        let octet = flag_at.checked_sub(matched).and_then(|at| input.get(at));
        if let (Some(place), Some(octet)) = (self.line.get_mut(flag_at), octet) {
            *place = *octet;
        }
    }

    fn flag_at(&self) -> usize {
        self.len.saturating_sub(FLAG_AND_LINE_END_OCTETS)
    }
}

/// Octets up to which one search for each carriage return is cheaper than getting the search for the whole text ready,
/// which takes about 800 instructions.
const SHORT_OCTETS_MAX: usize = 512;
