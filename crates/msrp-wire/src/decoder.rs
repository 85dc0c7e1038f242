//! From the octets of a connection to events.
//!
//! ```text
//!             +-------+   header section, legal     +------+
//!        +--->| Head  |---------------------------->| Body |---+
//!        |    +-------+                             +------+   |
//!        |        |  illegal, or a response             end line
//!        |        |  with a body      +------+                 |
//!        |        +------------------>| Skip |---- end line -->+
//!        |                            +------+                 |
//!        +-----------------------------------------------------+
//! ```
//!
//! A header section that lies whole in the input is parsed where it lies. One that is spread over reads is collected in
//! the *carry*, the only heap memory of a decoder, bounded by [`Limits::head_octets_max`] and given back with the next
//! call. A body is never copied: the events name ranges of the input. Only octets at the end of the input that could be
//! the start of the end line are held back, inline.
//!
//! Cost for one chunk of a few hundred octets in one read: two walks over the header section, one search in the body,
//! no allocation.
//!
//! # Spec
//! RFC 4975 s.5.1, s.7.1, s.9.

mod body_scan;
mod head_parse;
mod head_scan;
mod usual_response;

use std::fmt;
use std::ops::Range;

use crate::end_line::ContinuationFlag;
use crate::head::{Rejected, RequestHead, ResponseHead};
use crate::limits::Limits;
use crate::malformed::{Malformed, Place};

use body_scan::{BodyScan, Found};
use head_parse::Head;
use head_scan::{FoundHead, HeadScan, SectionEnd};
use usual_response::usual_response;

/// Reads one connection. Small while idle: no heap memory between requests.
///
/// What it reads more freely than the grammar: header fields in any order, any spacing behind the colon and at the end
/// of a line, several spaces between URIs, an empty body without its own CR LF before the end line, and responses with a
/// body, which is skipped.
pub struct Decoder {
    limits: Limits,
    state: State,
    /// Octets of a header section that came in several reads, or of one whose body is being skipped.
    carry: Vec<u8>,
}

/// What one call of [`Decoder::decode`] did.
#[derive(Debug)]
pub struct Step<'a> {
    /// Octets of the input that are done with. Drop them and call again with the rest.
    pub consumed: usize,
    /// What happened; `None` means that more input is needed.
    pub event: Option<Event<'a>>,
}

/// One thing that a peer said.
#[derive(Debug)]
pub enum Event<'a> {
    /// A request's header section is complete. Its body follows, then [`Event::End`].
    Request(RequestHead<'a>),
    /// A part of the request's body, at least one octet.
    Body(Body<'a>),
    /// The request's end line.
    End(ContinuationFlag),
    /// A complete response.
    Response(ResponseHead<'a>),
    /// A request with an illegal header section; it has ended.
    Rejected(Rejected<'a>),
}

/// Where a part of a body lies.
#[derive(Debug)]
pub enum Body<'a> {
    /// In this range of the input of the same call.
    Input(Range<usize>),
    /// At most 44 octets that came at the end of earlier input and could have been the start of the end line.
    Carried(&'a [u8]),
}

enum State {
    Head(HeadScan),
    Body(BodyScan),
    /// The body of something that is told as a whole behind its end line; its header section is in the carry.
    Skip(BodyScan, FoundHead),
    Closed(Malformed),
}

impl Decoder {
    /// A decoder at the start of a connection. Allocates nothing.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            state: State::Head(HeadScan::default()),
            carry: Vec::new(),
        }
    }

    /// Reads the next event.
    ///
    /// Call again with the rest of the input after advancing by `consumed`, until `event` is `None`: then all input is
    /// consumed and more is needed. While input is left there is always an event or an error.
    ///
    /// # Errors
    /// [`Malformed`]: the borders of requests are lost; close the connection. Everything before was delivered. Every
    /// further call gives the same error.
    pub fn decode<'a>(&'a mut self, input: &'a [u8]) -> Result<Step<'a>, Malformed> {
        match self.state {
            State::Head(scan) if scan.is_fresh() => {
                self.release();
                self.head_in_input(input)
            }
            State::Head(scan) => self.head_over_reads(scan, input),
            State::Body(_) => {
                self.release();
                Ok(self.body(input))
            }
            State::Skip(scan, head) => Ok(self.skip(scan, head, input, 0)),
            State::Closed(malformed) => Err(malformed),
        }
    }

    /// Whether the last octet that was consumed ended a request or response, or none was consumed at all.
    #[must_use]
    pub fn is_between_frames(&self) -> bool {
        matches!(self.state, State::Head(scan) if scan.is_fresh())
    }

    /// Gives back heap memory that the last event borrowed. The next call of [`Decoder::decode`] does the same.
    pub fn release(&mut self) {
        let in_use = match self.state {
            State::Head(scan) => !scan.is_fresh(),
            State::Skip(..) => true,
            State::Body(_) | State::Closed(_) => false,
        };
        if !in_use && self.carry.capacity() > 0 {
            self.carry = Vec::new();
        }
    }

    fn head_in_input<'a>(&'a mut self, input: &'a [u8]) -> Result<Step<'a>, Malformed> {
        if let Some((head, consumed)) = usual_response(input, &self.limits) {
            return Ok(Step {
                consumed,
                event: Some(Event::Response(head)),
            });
        }
        let mut scan = HeadScan::default();
        let window = input.get(..self.limits.head_octets_max).unwrap_or(input);
        match scan.advance(window, &self.limits) {
            Ok(Some(head)) => Ok(self.begin_in_input(head, input)),
            Ok(None) if window.len() >= self.limits.head_octets_max => Err(self.close_too_long()),
            Ok(None) => {
                self.carry.extend_from_slice(input);
                self.state = State::Head(scan);
                Ok(Step {
                    consumed: input.len(),
                    event: None,
                })
            }
            Err(malformed) => Err(self.close(malformed)),
        }
    }

    fn begin_in_input<'a>(&'a mut self, head: FoundHead, input: &'a [u8]) -> Step<'a> {
        let octets = input.get(..head.octets).unwrap_or_default();
        let parsed = Head::parse(&head, octets);
        if parsed.is_told_at_end(&head) {
            self.carry.extend_from_slice(octets);
            return self.skip(BodyScan::new(head.start.tid), head, input, head.octets);
        }
        self.state = State::after(&head, &parsed);
        Step {
            consumed: parsed.consumed(&head),
            event: Some(parsed.into_event()),
        }
    }

    /// Collects line by line, so that no body octets come into the carry.
    fn head_over_reads<'a>(
        &'a mut self,
        mut scan: HeadScan,
        input: &'a [u8],
    ) -> Result<Step<'a>, Malformed> {
        let mut rest = input;
        while !rest.is_empty() {
            let room = self.limits.head_octets_max.saturating_sub(self.carry.len());
            let line_octets =
                memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at.saturating_add(1));
            let (line, tail) = rest
                .split_at_checked(line_octets.min(room))
                .unwrap_or((rest, &[]));
            self.carry.extend_from_slice(line);
            rest = tail;
            match scan.advance(&self.carry, &self.limits) {
                Ok(Some(head)) => return Ok(self.begin_in_carry(head, input, rest)),
                Ok(None) if self.carry.len() >= self.limits.head_octets_max => {
                    return Err(self.close_too_long());
                }
                Ok(None) => {}
                Err(malformed) => return Err(self.close(malformed)),
            }
        }
        self.state = State::Head(scan);
        Ok(Step {
            consumed: input.len(),
            event: None,
        })
    }

    fn begin_in_carry<'a>(&'a mut self, head: FoundHead, input: &'a [u8], rest: &[u8]) -> Step<'a> {
        let taken = input.len().saturating_sub(rest.len());
        if Head::parse(&head, &self.carry).is_told_at_end(&head) {
            return self.skip(BodyScan::new(head.start.tid), head, input, taken);
        }
        let parsed = Head::parse(&head, &self.carry);
        self.state = State::after(&head, &parsed);
        let left = head.octets.saturating_sub(parsed.consumed(&head));
        Step {
            consumed: taken.saturating_sub(left),
            event: Some(parsed.into_event()),
        }
    }

    fn body<'a>(&'a mut self, input: &'a [u8]) -> Step<'a> {
        let found = match &mut self.state {
            State::Body(scan) => scan.scan(input),
            State::Head(_) | State::Skip(..) | State::Closed(_) => Found::Nothing,
        };
        match found {
            Found::Nothing => Step {
                consumed: input.len(),
                event: None,
            },
            Found::Octets { octets, consumed } => Step {
                consumed,
                event: Some(Event::Body(Body::Input(0..octets))),
            },
            Found::Held(range) => Step {
                consumed: 0,
                event: Some(Event::Body(Body::Carried(self.held(range)))),
            },
            Found::End { flag, consumed } => {
                self.state = State::Head(HeadScan::default());
                Step {
                    consumed,
                    event: Some(Event::End(flag)),
                }
            }
        }
    }

    fn held(&self, range: Range<usize>) -> &[u8] {
        match &self.state {
            State::Body(scan) => scan.held(range),
            State::Head(_) | State::Skip(..) | State::Closed(_) => &[],
        }
    }

    /// Drops body octets of `input` from `from` on until the end line.
    fn skip<'a>(
        &'a mut self,
        mut scan: BodyScan,
        head: FoundHead,
        input: &'a [u8],
        from: usize,
    ) -> Step<'a> {
        let mut at = from;
        loop {
            let rest = input.get(at..).unwrap_or_default();
            match scan.scan(rest) {
                Found::Octets { consumed, .. } => at = at.saturating_add(consumed),
                Found::Held(_) => {}
                Found::Nothing => {
                    self.state = State::Skip(scan, head);
                    return Step {
                        consumed: input.len(),
                        event: None,
                    };
                }
                Found::End { consumed, .. } => {
                    self.state = State::Head(HeadScan::default());
                    let event = Head::parse(&head, &self.carry).into_event();
                    return Step {
                        consumed: at.saturating_add(consumed),
                        event: Some(event),
                    };
                }
            }
        }
    }

    fn close_too_long(&mut self) -> Malformed {
        self.close(Malformed::new(
            Place::HeadTooLong,
            self.limits.head_octets_max,
        ))
    }

    fn close(&mut self, malformed: Malformed) -> Malformed {
        self.state = State::Closed(malformed);
        malformed
    }
}

impl State {
    /// What follows a header section that is told at once.
    fn after(head: &FoundHead, parsed: &Head<'_>) -> Self {
        match (parsed, head.end) {
            (Head::Request(_), SectionEnd::BlankLine) => Self::Body(BodyScan::new(head.start.tid)),
            (Head::Request(_), SectionEnd::EndLine(flag)) => {
                Self::Body(BodyScan::at_last_octet(head.start.tid, flag))
            }
            (Head::Response(_) | Head::Rejected(_), _) => Self::Head(HeadScan::default()),
        }
    }
}

impl<'a> Head<'a> {
    /// Whether a body stands between the header section and the event.
    fn is_told_at_end(&self, head: &FoundHead) -> bool {
        match self {
            Head::Request(_) => false,
            Head::Response(_) | Head::Rejected(_) => head.end == SectionEnd::BlankLine,
        }
    }

    /// Octets of the header section that are done with when it is told at once.
    ///
    /// The last octet of a request's end line stays in the input, so that its end becomes an event of its own while
    /// input is left.
    fn consumed(&self, head: &FoundHead) -> usize {
        match (self, head.end) {
            (Head::Request(_), SectionEnd::EndLine(_)) => head.octets.saturating_sub(1),
            (Head::Request(_) | Head::Response(_) | Head::Rejected(_), _) => head.octets,
        }
    }

    fn into_event(self) -> Event<'a> {
        match self {
            Head::Request(head) => Event::Request(head),
            Head::Response(head) => Event::Response(head),
            Head::Rejected(rejected) => Event::Rejected(rejected),
        }
    }
}

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Head(_) => "head",
            State::Body(_) => "body",
            State::Skip(..) => "skip",
            State::Closed(_) => "closed",
        };
        f.debug_struct("Decoder")
            .field("state", &state)
            .field("carry_octets", &self.carry.len())
            .finish()
    }
}
