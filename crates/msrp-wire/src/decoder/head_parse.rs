//! From a complete header section to its parsed form.

use super::head_scan::{FoundHead, SectionEnd, StartKind};
use crate::byte_range::ByteRange;
use crate::head::{Rejected, RequestHead, ResponseHead};
use crate::header::{Field, HeaderLine, Headers};
use crate::ident::MessageId;
use crate::malformed::{Malformed, Place};
use crate::method::Method;
use crate::path::Path;
use crate::report_flags::{FailureReport, SuccessReport};
use crate::status::Status;

/// What a header section turned out to be.
pub(super) enum Head<'a> {
    Request(RequestHead<'a>),
    Response(ResponseHead<'a>),
    Rejected(Rejected<'a>),
}

impl<'a> Head<'a> {
    /// Parses a header section; `octets` start with the start line.
    pub(super) fn parse(found: &FoundHead, octets: &'a [u8]) -> Self {
        let section_start = found.start.len.saturating_add(2);
        let section = octets
            .get(section_start..found.section_end)
            .unwrap_or_default();
        match found.start.kind {
            StartKind::Request(method) => {
                let headers = Headers::of_checked_section(section);
                match request(found, method, headers) {
                    Ok(head) => Self::Request(head),
                    Err(reason) => {
                        let reason = reason.moved_by(section_start);
                        Self::Rejected(salvage(found, method, headers, reason))
                    }
                }
            }
            StartKind::Response(status) => Self::Response(ResponseHead {
                transaction_id: found.start.tid,
                status,
                comment: found.start.comment(octets),
                headers: Headers::of_section(section),
            }),
        }
    }
}

fn request<'a>(
    found: &FoundHead,
    method: Method,
    headers: Headers<'a>,
) -> Result<RequestHead<'a>, Malformed> {
    let fields = Fields::read(headers)?;
    if method == Method::Send && fields.message_id.is_none() {
        return Err(Malformed::new(Place::MessageIdMissing, 0));
    }
    Ok(RequestHead {
        transaction_id: found.start.tid,
        method,
        to_path: fields
            .to_path
            .ok_or(Malformed::new(Place::ToPathMissing, 0))?,
        from_path: fields
            .from_path
            .ok_or(Malformed::new(Place::FromPathMissing, 0))?,
        message_id: fields.message_id,
        byte_range: fields.byte_range,
        success_report: fields.success_report.unwrap_or_default(),
        failure_report: fields.failure_report.unwrap_or_default(),
        status: fields.status,
        content_type: fields.content_type,
        use_nickname: fields.use_nickname,
        has_body: found.end == SectionEnd::BlankLine,
        has_relayed: fields.has_relayed,
        headers,
    })
}

/// Takes from an illegal header section what an answer to it needs.
fn salvage<'a>(
    found: &FoundHead,
    method: Method,
    headers: Headers<'a>,
    reason: Malformed,
) -> Rejected<'a> {
    let path = |name| {
        headers
            .value(name)
            .and_then(|value| Path::parse(value).ok())
    };
    Rejected {
        transaction_id: found.start.tid,
        method,
        from_path: path("From-Path"),
        to_path: path("To-Path"),
        failure_report: headers.value("Failure-Report").map(FailureReport::parse),
        reason,
    }
}

/// The header fields met so far.
#[derive(Default)]
struct Fields<'a> {
    to_path: Option<Path<'a>>,
    from_path: Option<Path<'a>>,
    message_id: Option<MessageId>,
    byte_range: Option<ByteRange>,
    success_report: Option<SuccessReport>,
    failure_report: Option<FailureReport>,
    status: Option<Status>,
    content_type: Option<&'a [u8]>,
    use_nickname: Option<&'a [u8]>,
    has_relayed: bool,
}

impl<'a> Fields<'a> {
    fn read(headers: Headers<'a>) -> Result<Self, Malformed> {
        let mut fields = Self::default();
        let mut lines = headers;
        let section_octets = lines.octets_left();
        loop {
            let offset = section_octets.saturating_sub(lines.octets_left());
            match lines.next_line() {
                None => return Ok(fields),
                Some(line) => line
                    .and_then(|line| fields.take_line(line))
                    .map_err(|m| m.moved_by(offset))?,
            }
        }
    }

    fn take_line(&mut self, line: HeaderLine<'a>) -> Result<(), Malformed> {
        match line.field() {
            Field::ToPath => return once(&mut self.to_path, path(line.value, Place::ToPath)?),
            Field::FromPath => {
                return once(&mut self.from_path, path(line.value, Place::FromPath)?);
            }
            Field::MessageId => return once(&mut self.message_id, MessageId::parse(line.value)?),
            Field::ByteRange => return once(&mut self.byte_range, ByteRange::parse(line.value)?),
            Field::SuccessReport => {
                first(&mut self.success_report, SuccessReport::parse(line.value))
            }
            Field::FailureReport => {
                first(&mut self.failure_report, FailureReport::parse(line.value))
            }
            Field::Status => first(&mut self.status, Status::parse(line.value)?),
            Field::ContentType => first(&mut self.content_type, line.value),
            Field::UseNickname => first(&mut self.use_nickname, line.value),
            Field::Hop => {}
            Field::Relayed => self.has_relayed = true,
        }
        Ok(())
    }
}

/// Names the header field rather than the part of its URI, whose offset says enough.
fn path(value: &[u8], place: Place) -> Result<Path<'_>, Malformed> {
    Path::parse(value).map_err(|malformed| match malformed.at {
        Place::PathLength => malformed,
        _ => Malformed {
            at: place,
            ..malformed
        },
    })
}

fn once<T>(field: &mut Option<T>, value: T) -> Result<(), Malformed> {
    match field.replace(value) {
        None => Ok(()),
        Some(_) => Err(Malformed::new(Place::Duplicate, 0)),
    }
}

fn first<T>(field: &mut Option<T>, value: T) {
    field.get_or_insert(value);
}
