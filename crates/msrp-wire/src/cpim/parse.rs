//! Reads a wrapper.
//!
//! The examples of RFC 4975 s.11.4 and RFC 7701 s.9 have no blank line between the CPIM headers and the Content-Type of
//! the content, so many senders leave it out. A header line without a prefix whose name starts with `Content-` therefore
//! starts the MIME headers. The lines behind it are still read as CPIM headers too: a second From hidden there must not
//! pass, since a recipient may read it.

use smallvec::SmallVec;

use super::address::{is_name, mbox, namespace, same_namespace};
use super::{Error, Mbox, OtherHeader, Parsed, Place, Subject, escape};
use crate::header::Headers;
use crate::limits::{CPIM_HEAD_OCTETS_MAX, CPIM_LINES_MAX};

/// Reads the headers at the start of `input`.
pub(super) fn wrapper(input: &[u8]) -> Result<Parsed<'_>, Error> {
    let head_octets = section(input, 0).ok_or(if input.len() >= CPIM_HEAD_OCTETS_MAX {
        Error::at(Place::TooLong, CPIM_HEAD_OCTETS_MAX)
    } else {
        Error::NeedMore
    })?;
    let head = input
        .get(..head_octets.saturating_sub(BLANK_LINE.len()))
        .unwrap_or_default();
    let head = std::str::from_utf8(head).map_err(|e| Error::at(Place::Utf8, e.valid_up_to()))?;
    let mut reader = Reader::default();
    let mut offset = 0_usize;
    let mut rest = head;
    for count in 0.. {
        let Some((line, behind)) = first_line(rest) else {
            break;
        };
        if count >= CPIM_LINES_MAX {
            return Err(Error::at(Place::TooManyHeaders, offset));
        }
        rest = behind;
        reader
            .take_line(line.strip_suffix(BLANK_LINE).unwrap_or(line), offset)
            .map_err(|at| Error::at(at, offset))?;
        offset = offset.saturating_add(line.len());
    }
    reader.finish(input, head_octets)
}

/// A line with its end, and what is behind it. A line feed alone ends a line here too: it is a control character in the
/// line then, and refused.
fn first_line(text: &str) -> Option<(&str, &str)> {
    let end = memchr::memchr(b'\n', text.as_bytes()).map_or(text.len(), |at| at.saturating_add(1));
    (end > 0).then(|| text.split_at_checked(end)).flatten()
}

/// The end of a header section that starts at `start`: behind its blank line.
fn section(input: &[u8], start: usize) -> Option<usize> {
    let end = start.saturating_add(CPIM_HEAD_OCTETS_MAX).min(input.len());
    let window = input.get(start..end)?;
    if window.starts_with(BLANK_LINE.as_bytes()) {
        return start.checked_add(BLANK_LINE.len());
    }
    // A wrapper has a few lines: a step from line to line costs less than getting a search for four octets ready.
    let end = memchr::memchr_iter(b'\n', window).find(|at| {
        let ends_line = at
            .checked_sub(1)
            .is_some_and(|before| window.get(before) == Some(&b'\r'));
        let behind = window.get(at.saturating_add(1)..).unwrap_or_default();
        ends_line && behind.starts_with(BLANK_LINE.as_bytes())
    })?;
    start.checked_add(end)?.checked_add("\n\r\n".len())
}

/// What the headers said so far.
#[derive(Default)]
struct Reader<'a> {
    from: Option<Mbox<'a>>,
    to: SmallVec<[Mbox<'a>; 1]>,
    cc: SmallVec<[Mbox<'a>; 1]>,
    datetime: Option<&'a str>,
    subjects: SmallVec<[Subject<'a>; 1]>,
    require: SmallVec<[&'a str; 1]>,
    other: SmallVec<[OtherHeader<'a>; 1]>,
    /// Declared prefixes and their URIs; later ones win.
    namespaces: SmallVec<[(Option<&'a str>, &'a str); 2]>,
    /// Where MIME headers start that no blank line sets apart from the CPIM headers.
    content_start: Option<usize>,
}

/// One header line, taken apart.
struct Line<'a> {
    prefix: Option<&'a str>,
    name: &'a str,
    parameters: &'a str,
    value: &'a str,
}

impl<'a> Reader<'a> {
    fn take_line(&mut self, line: &'a str, offset: usize) -> Result<(), Place> {
        let folded = match self.content_start {
            Some(_) => line.strip_prefix([' ', '\t']),
            None => None,
        };
        if folded.unwrap_or(line).bytes().any(|c| c.is_ascii_control()) {
            return Err(Place::ControlCharacter);
        }
        if folded.is_some() {
            return Ok(());
        }
        let line = Line::parse(line.trim_matches(' '))?;
        if line.is_mime() {
            self.content_start.get_or_insert(offset);
            return Ok(());
        }
        let namespace = self.namespace_of(line.prefix);
        let is_core = namespace.map_or(line.prefix.is_none(), |uri| {
            same_namespace(uri, CORE_NAMESPACE)
        });
        // NS works for names without a prefix even where their namespace is another.
        let is_ns = line.prefix.is_none() && line.name == "NS";
        match line.name {
            name if is_core || is_ns => self.take_core(name, &line, namespace),
            _ => {
                self.take_other(&line, namespace);
                Ok(())
            }
        }
    }

    fn take_core(
        &mut self,
        name: &str,
        line: &Line<'a>,
        namespace: Option<&'a str>,
    ) -> Result<(), Place> {
        match name {
            "From" => set_once(&mut self.from, mbox(line.value).ok_or(Place::From)?)?,
            "To" => self.to.push(mbox(line.value).ok_or(Place::To)?),
            "cc" => self.cc.push(mbox(line.value).ok_or(Place::Cc)?),
            "DateTime" => set_once(&mut self.datetime, line.value)?,
            "Subject" => self.subjects.push(line.subject()),
            "NS" => self.declare(line.value)?,
            "Require" => self.require.extend(
                line.value
                    .split(',')
                    .map(str::trim)
                    .filter(|name| !name.is_empty()),
            ),
            _ => self.take_other(line, namespace),
        }
        Ok(())
    }

    fn take_other(&mut self, line: &Line<'a>, namespace: Option<&'a str>) {
        self.other.push(OtherHeader {
            namespace,
            prefix: line.prefix,
            name: line.name,
            value: line.value,
        });
    }

    /// Keeps a declaration. A second one for the same prefix takes the place of the first, so that looking up stays as
    /// cheap as the number of different prefixes.
    fn declare(&mut self, value: &'a str) -> Result<(), Place> {
        let (prefix, uri) = namespace(value).ok_or(Place::Ns)?;
        if let Some((_, known)) = self
            .namespaces
            .iter_mut()
            .find(|(known, _)| *known == prefix)
        {
            *known = uri;
        } else if self.namespaces.len() < NAMESPACES_MAX {
            self.namespaces.push((prefix, uri));
        } else {
            return Err(Place::Ns);
        }
        Ok(())
    }

    fn namespace_of(&self, prefix: Option<&str>) -> Option<&'a str> {
        self.namespaces
            .iter()
            .find(|(known, _)| *known == prefix)
            .map(|(_, uri)| *uri)
    }

    fn finish(self, input: &'a [u8], head_octets: usize) -> Result<Parsed<'a>, Error> {
        let from = self
            .from
            .ok_or(Error::at(Place::FromMissing, head_octets))?;
        if self.to.is_empty() {
            return Err(Error::at(Place::ToMissing, head_octets));
        }
        let (content_start, inner_body_offset) = match self.content_start {
            Some(start) => (start, Some(head_octets)),
            None => (head_octets, section(input, head_octets)),
        };
        let content_end =
            inner_body_offset.map_or(content_start, |end| end.saturating_sub(BLANK_LINE.len()));
        let content_headers =
            Headers::of_section(input.get(content_start..content_end).unwrap_or_default());
        Ok(Parsed {
            from,
            to: self.to,
            cc: self.cc,
            datetime: self.datetime,
            subjects: self.subjects,
            require: self.require,
            other: self.other,
            head_octets,
            content_type: content_headers.value("Content-Type"),
            content_headers,
            inner_body_offset,
        })
    }
}

impl<'a> Line<'a> {
    fn parse(line: &'a str) -> Result<Self, Place> {
        let (first, rest) = name(line).ok_or(Place::Header)?;
        let (prefix, name, rest) = match rest.strip_prefix('.') {
            Some(rest) => {
                let (second, rest) = name(rest).ok_or(Place::Header)?;
                (Some(first), second, rest)
            }
            None => (None, first, rest),
        };
        let rest = rest.strip_prefix(':').ok_or(Place::Header)?;
        let parameters_end = parameters_end(rest).ok_or(Place::Parameters)?;
        let (parameters, value) = rest
            .split_at_checked(parameters_end)
            .ok_or(Place::Parameters)?;
        Ok(Self {
            prefix,
            name,
            parameters,
            value: value.trim_matches(' '),
        })
    }

    /// Whether this is a MIME header of the content rather than a CPIM header.
    fn is_mime(&self) -> bool {
        self.prefix.is_none()
            && self
                .name
                .get(..8)
                .is_some_and(|start| start.eq_ignore_ascii_case("Content-"))
    }

    fn subject(&self) -> Subject<'a> {
        let lang = self
            .parameters
            .split(';')
            .find_map(|parameter| parameter.strip_prefix("lang="));
        Subject {
            lang,
            text: escape::decode(self.value),
        }
    }
}

/// A name, and what is behind it.
fn name(text: &str) -> Option<(&str, &str)> {
    let len = text.bytes().position(|c| !is_name(c)).unwrap_or(text.len());
    (len > 0).then(|| text.split_at_checked(len)).flatten()
}

/// Where the parameters directly behind the colon end: at the first space outside quotes. `None`: a quote is open.
fn parameters_end(rest: &str) -> Option<usize> {
    if !rest.starts_with(';') {
        return Some(0);
    }
    let (mut quoted, mut escaped) = (false, false);
    let end = rest.bytes().position(|c| {
        quoted ^= c == b'"' && !escaped;
        escaped = c == b'\\' && !escaped;
        c == b' ' && !quoted
    });
    (!quoted).then_some(end.unwrap_or(rest.len()))
}

fn set_once<T>(field: &mut Option<T>, value: T) -> Result<(), Place> {
    match field.replace(value) {
        None => Ok(()),
        Some(_) => Err(Place::Duplicate),
    }
}

const BLANK_LINE: &str = "\r\n";

/// RFC 3862 s.4.
const CORE_NAMESPACE: &str = "urn:ietf:params:cpim-headers:";

/// Prefixes that one wrapper may declare. Our choice, far above what any application uses. More: malformed.
const NAMESPACES_MAX: usize = 32;
