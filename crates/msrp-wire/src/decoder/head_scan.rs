//! Finds the end of a header section, wherever reads cut it.

use crate::end_line::{ContinuationFlag, HYPHENS};
use crate::ident::TransactionId;
use crate::limits::Limits;
use crate::malformed::{Malformed, Place};
use crate::method::Method;
use crate::octets;
use crate::status::StatusCode;

/// How far a header section has been walked. Every octet is looked at once, however small the reads are.
#[derive(Clone, Copy, Default)]
pub(super) struct HeadScan {
    start: Option<StartLine>,
    /// Start of the line that is not complete yet.
    line_start: usize,
    /// Octets in which no further line end is.
    searched: usize,
    lines: usize,
}

/// The first line.
#[derive(Clone, Copy)]
pub(super) struct StartLine {
    pub(super) tid: TransactionId,
    pub(super) kind: StartKind,
    /// Octets without CR LF.
    pub(super) len: usize,
}

/// What the first line starts.
#[derive(Clone, Copy)]
pub(super) enum StartKind {
    Request(Method),
    Response(StatusCode),
}

/// A complete header section; offsets count from the start line.
#[derive(Clone, Copy)]
pub(super) struct FoundHead {
    pub(super) start: StartLine,
    /// Where the header lines end.
    pub(super) section_end: usize,
    /// Octets with the line that ends the section.
    pub(super) octets: usize,
    pub(super) end: SectionEnd,
}

/// The line that ends a header section.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum SectionEnd {
    BlankLine,
    EndLine(ContinuationFlag),
}

impl HeadScan {
    /// Whether nothing has been walked.
    pub(super) fn is_fresh(&self) -> bool {
        self.searched == 0
    }

    /// Walks on in `head`, which starts with the start line and has grown since the last call.
    pub(super) fn advance(
        &mut self,
        head: &[u8],
        limits: &Limits,
    ) -> Result<Option<FoundHead>, Malformed> {
        if self.start.is_none() {
            check_protocol(head)?;
        }
        while let Some(line_end) = self.line_end(head)? {
            let line = head.get(self.line_start..line_end).unwrap_or_default();
            let next = line_end.saturating_add(2);
            match &self.start {
                None => self.start = Some(StartLine::parse(line)?),
                Some(start) => {
                    if let Some(end) = start
                        .section_end(line)
                        .map_err(|m| m.moved_by(self.line_start))?
                    {
                        return Ok(Some(FoundHead {
                            start: *start,
                            section_end: self.line_start,
                            octets: next,
                            end,
                        }));
                    }
                    self.count_line(limits)?;
                }
            }
            self.line_start = next;
            self.searched = next;
        }
        Ok(None)
    }

    /// The offset of the CR LF that ends the current line. Notices the octets that no line may hold.
    fn line_end(&mut self, head: &[u8]) -> Result<Option<usize>, Malformed> {
        let rest = head.get(self.searched..).unwrap_or_default();
        let Some(at) = memchr::memchr3(b'\r', b'\n', 0, rest) else {
            self.searched = head.len();
            return Ok(None);
        };
        let offset = self.searched.saturating_add(at);
        match rest.get(at..) {
            Some([b'\r', b'\n', ..]) => Ok(Some(offset)),
            Some([b'\r']) => {
                self.searched = offset;
                Ok(None)
            }
            Some([0, ..]) => Err(Malformed::new(Place::Nul, offset)),
            Some(_) | None => Err(Malformed::new(Place::LineEnd, offset)),
        }
    }

    fn count_line(&mut self, limits: &Limits) -> Result<(), Malformed> {
        self.lines = self.lines.saturating_add(1);
        if self.lines > limits.header_lines_max {
            return Err(Malformed::new(Place::TooManyHeaders, self.line_start));
        }
        Ok(())
    }
}

/// Tells other protocols apart at their first octets, without waiting for a line end.
fn check_protocol(head: &[u8]) -> Result<(), Malformed> {
    match head.iter().zip(PROTOCOL).position(|(one, two)| one != two) {
        Some(offset) => Err(Malformed::new(Place::Protocol, offset)),
        None => Ok(()),
    }
}

impl StartLine {
    fn parse(line: &[u8]) -> Result<Self, Malformed> {
        let malformed = Malformed::new(Place::StartLine, 0);
        let rest = line.strip_prefix(PROTOCOL).ok_or(malformed)?;
        let (tid, rest) = octets::split_once(rest, b' ').ok_or(malformed)?;
        let tid_start = PROTOCOL.len();
        let parsed = TransactionId::parse(tid).map_err(|m| m.moved_by(tid_start))?;
        let rest_start = tid_start.saturating_add(tid.len()).saturating_add(1);
        let kind = StartKind::parse(rest).map_err(|m| m.moved_by(rest_start))?;
        Ok(Self {
            tid: parsed,
            kind,
            len: line.len(),
        })
    }

    /// Whether a line ends the section.
    ///
    /// No header line starts with a hyphen, so an end line that does not fit the start line means that the peer and we
    /// disagree about the borders.
    fn section_end(&self, line: &[u8]) -> Result<Option<SectionEnd>, Malformed> {
        if line.is_empty() {
            return Ok(Some(SectionEnd::BlankLine));
        }
        let Some(end) = line.strip_prefix(HYPHENS.as_slice()) else {
            return Ok(None);
        };
        match end.strip_prefix(self.tid.as_bytes()) {
            Some([flag]) => ContinuationFlag::from_octet(*flag),
            Some(_) | None => None,
        }
        .map(|flag| Some(SectionEnd::EndLine(flag)))
        .ok_or(Malformed::new(Place::EndLine, 0))
    }

    /// The text behind the status code, when it is there and has no control characters.
    pub(super) fn comment<'a>(&self, head: &'a [u8]) -> Option<&'a [u8]> {
        let start = PROTOCOL
            .len()
            .saturating_add(self.tid.as_bytes().len())
            .saturating_add(" 200".len());
        octets::comment(head.get(start..self.len)?)
    }
}

impl StartKind {
    fn parse(rest: &[u8]) -> Result<Self, Malformed> {
        match rest {
            [b'0'..=b'9', ..] => {
                let code = octets::split_once(rest, b' ').map_or(rest, |(code, _comment)| code);
                StatusCode::parse(code).map(Self::Response)
            }
            method => Method::parse(octets::trim_end(method)).map(Self::Request),
        }
    }
}

const PROTOCOL: &[u8] = b"MSRP ";
