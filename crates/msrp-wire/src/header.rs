//! Header lines of requests and responses.

use crate::malformed::{Malformed, Place};
use crate::octet_class::OctetClass;
use crate::octets;

/// One header line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderLine<'a> {
    /// The name, as it stands. Compare it without case.
    pub name: &'a [u8],
    /// The value without spaces and tabs at its ends; no control characters but tabs. Use-Nickname may have any, since
    /// its faults are answered in a way of their own.
    pub value: &'a [u8],
    field: Field,
}

/// Walks the header lines of one request or response in their order.
#[derive(Clone, Copy, Debug, Default)]
pub struct Headers<'a> {
    section: &'a [u8],
    /// No value has control characters.
    is_clean: bool,
}

/// Walks the header lines that a switch carries over to its copies of a request: Content-ID, Content-Description,
/// Content-Disposition and every header field that this crate has no name for. Addresses, flags, ranges, credentials
/// and the Content-Type are not among them.
///
/// # Spec
/// AMB-28.
#[derive(Clone, Copy, Debug, Default)]
pub struct RelayedHeaders<'a> {
    all: Headers<'a>,
}

/// The relayed header lines of one request, copied.
#[derive(Clone, Debug, Default)]
pub struct RelayedHeadersBuf {
    section: Box<[u8]>,
}

impl<'a> Headers<'a> {
    /// Walks a section whose lines all end with CR LF.
    pub(crate) fn of_section(section: &'a [u8]) -> Self {
        Self {
            section,
            is_clean: false,
        }
    }

    /// The same, for a section that will be walked whole: values are checked all at once.
    pub(crate) fn of_checked_section(section: &'a [u8]) -> Self {
        Self {
            section,
            is_clean: !octets::has_forbidden_control(section),
        }
    }

    /// The first value of a header field, found without case.
    #[must_use]
    pub fn value(mut self, name: &str) -> Option<&'a [u8]> {
        self.find(|line| line.name.eq_ignore_ascii_case(name.as_bytes()))
            .map(|line| line.value)
    }

    /// The next line with its offset in the section; `None` at the end.
    pub(crate) fn next_line(&mut self) -> Option<Result<HeaderLine<'a>, Malformed>> {
        let end = memchr::memchr(b'\r', self.section)?;
        let (line, rest) = self.section.split_at_checked(end)?;
        self.section = rest.get(2..).unwrap_or_default();
        Some(HeaderLine::parse(line, self.is_clean))
    }

    /// Octets that are not walked yet.
    pub(crate) fn octets_left(&self) -> usize {
        self.section.len()
    }
}

impl<'a> Iterator for Headers<'a> {
    type Item = HeaderLine<'a>;

    fn next(&mut self) -> Option<HeaderLine<'a>> {
        loop {
            if let Ok(line) = self.next_line()? {
                return Some(line);
            }
        }
    }
}

impl<'a> HeaderLine<'a> {
    /// Reads a line; one that `is_clean` is known to have no control characters.
    fn parse(line: &'a [u8], is_clean: bool) -> Result<Self, Malformed> {
        let (name, value, field) = usual_name(line)
            .or_else(|| any_name(line))
            .ok_or(Malformed::new(Place::HeaderLine, 0))?;
        let may_have_controls = is_clean || field == Field::UseNickname;
        if !may_have_controls && octets::has_control(value) {
            return Err(Malformed::new(Place::HeaderValue, name.len()));
        }
        Ok(Self {
            name,
            value: octets::trim(value),
            field,
        })
    }

    /// Which header field this is.
    pub(crate) fn field(&self) -> Field {
        self.field
    }
}

/// Name, value and field of a line whose name is one of the usual ones and spelled as the standard does.
fn usual_name(line: &[u8]) -> Option<(&[u8], &[u8], Field)> {
    KNOWN.iter().take(USUAL_COUNT).find_map(|(known, field)| {
        let colon = line.get(known.len())?;
        let is_it = *colon == b':' && line.starts_with(known.as_bytes());
        let (name, value) = line.split_at_checked(known.len()).filter(|_| is_it)?;
        Some((name, value.get(1..)?, *field))
    })
}

/// The same for any legal name.
fn any_name(line: &[u8]) -> Option<(&[u8], &[u8], Field)> {
    let (name, rest) = OctetClass::TOKEN.split_run(line);
    let value = rest.strip_prefix(b":")?;
    let starts_well = name.first().is_some_and(u8::is_ascii_alphabetic);
    starts_well.then(|| (name, value, Field::of(name)))
}

impl<'a> RelayedHeaders<'a> {
    pub(crate) fn of(all: Headers<'a>) -> Self {
        Self { all }
    }

    /// A copy of the lines that remain. No allocation when there are none.
    #[must_use]
    pub fn to_buf(self) -> RelayedHeadersBuf {
        let mut section = Vec::new();
        for line in self {
            crate::encode::header_line(&mut section, &line);
        }
        RelayedHeadersBuf {
            section: section.into_boxed_slice(),
        }
    }
}

impl<'a> Iterator for RelayedHeaders<'a> {
    type Item = HeaderLine<'a>;

    fn next(&mut self) -> Option<HeaderLine<'a>> {
        self.all.find(|line| line.field() == Field::Relayed)
    }
}

impl RelayedHeadersBuf {
    /// Walks the lines.
    #[must_use]
    pub fn lines(&self) -> RelayedHeaders<'_> {
        RelayedHeaders::of(Headers::of_section(&self.section))
    }

    /// A copy of those lines that pass.
    #[must_use]
    pub fn filtered(&self, mut keep: impl FnMut(&HeaderLine<'_>) -> bool) -> Self {
        let mut section = Vec::new();
        for line in self.lines().filter(|line| keep(line)) {
            crate::encode::header_line(&mut section, &line);
        }
        Self {
            section: section.into_boxed_slice(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.section.is_empty()
    }
}

/// The header fields that the reader knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    ToPath,
    FromPath,
    MessageId,
    ByteRange,
    SuccessReport,
    FailureReport,
    Status,
    ContentType,
    UseNickname,
    /// Belongs to one hop (relay addresses, credentials and their times), or may not be sent at all.
    Hop,
    /// Everything else.
    Relayed,
}

impl Field {
    fn of(name: &[u8]) -> Self {
        let is_known_length = name.len() < 32 && KNOWN_LENGTHS & (1 << name.len()) != 0;
        if !is_known_length {
            return Self::Relayed;
        }
        KNOWN
            .iter()
            .find(|(known, _)| known.as_bytes().eq_ignore_ascii_case(name))
            .map_or(Self::Relayed, |(_, field)| *field)
    }
}

/// How many of the known ones messages, responses and reports have.
const USUAL_COUNT: usize = 8;

/// A bit for each length that a known name has.
const KNOWN_LENGTHS: u32 = {
    let (mut lengths, mut rest) = (0, KNOWN);
    while let [(name, _), more @ ..] = rest {
        lengths |= 1 << name.len();
        rest = more;
    }
    lengths
};

/// In the order in which they are usually met.
const KNOWN: &[(&str, Field)] = &[
    ("To-Path", Field::ToPath),
    ("From-Path", Field::FromPath),
    ("Message-ID", Field::MessageId),
    ("Byte-Range", Field::ByteRange),
    ("Content-Type", Field::ContentType),
    ("Success-Report", Field::SuccessReport),
    ("Failure-Report", Field::FailureReport),
    ("Status", Field::Status),
    ("Use-Nickname", Field::UseNickname),
    ("Use-Path", Field::Hop),
    ("Expires", Field::Hop),
    ("Min-Expires", Field::Hop),
    ("Max-Expires", Field::Hop),
    ("Authorization", Field::Hop),
    ("WWW-Authenticate", Field::Hop),
    ("Authentication-Info", Field::Hop),
    // RFC 4975 s.7.1.1: the transfer encoding is always binary, and no header field may speak of it.
    ("Content-Transfer-Encoding", Field::Hop),
];
