//! From types to octets. Every writer appends to a `Vec` and cannot fail.
//!
//! Values come from types that are legal by construction, so that no value can break out of its line.

use crate::byte_range::ByteRange;
use crate::content_type::ContentType;
use crate::end_line::{ContinuationFlag, EndLine};
use crate::header::{Field, HeaderLine, Headers, RelayedHeaders};
use crate::ident::{MessageId, TransactionId};
use crate::method::Method;
use crate::path::PathValue;
use crate::report_flags::{FailureReport, SuccessReport};
use crate::status::{Status, StatusCode};

/// Everything of a SEND between its paths and its body; the same for all recipients of a copy.
#[derive(Clone, Copy, Debug)]
pub struct SendTail<'a> {
    /// Names the message.
    pub message_id: MessageId,
    /// Which octets of the message the body is; RFC 4975 s.7.1.1 wants it in every chunk.
    pub byte_range: Option<ByteRange>,
    /// Written when it is not the default.
    pub success_report: SuccessReport,
    /// Written when it is not the default.
    pub failure_report: FailureReport,
    /// Header lines of the original request that are carried over.
    pub relayed: RelayedHeaders<'a>,
    /// The type of the body. `None`: no body, no blank line, and the end line comes next.
    pub content_type: Option<ContentType<'a>>,
}

/// The contents of a REPORT.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    /// The message that the report is about.
    pub message_id: MessageId,
    /// The octets that it is about.
    pub byte_range: Option<ByteRange>,
    /// What became of them.
    pub status: Status,
    /// A text for people behind the status. Control characters become spaces.
    pub comment: Option<&'a str>,
    /// More about it, at most [`NON_SEND_BODY_OCTETS_MAX`](crate::limits::NON_SEND_BODY_OCTETS_MAX) octets.
    pub body: Option<(ContentType<'a>, &'a [u8])>,
}

/// `MSRP tid METHOD`.
pub fn start_line(out: &mut Vec<u8>, tid: TransactionId, method: &Method) {
    out.extend_from_slice(b"MSRP ");
    out.extend_from_slice(tid.as_bytes());
    out.push(b' ');
    out.extend_from_slice(method.as_str().as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// `MSRP tid status comment`. Control characters in the comment become spaces.
pub fn status_line(
    out: &mut Vec<u8>,
    tid: TransactionId,
    status: StatusCode,
    comment: Option<&str>,
) {
    out.extend_from_slice(b"MSRP ");
    out.extend_from_slice(tid.as_bytes());
    out.push(b' ');
    out.extend_from_slice(&status.digits());
    self::comment(out, comment);
    out.extend_from_slice(b"\r\n");
}

/// One header line with a value of ours. Control characters in it become spaces.
pub fn text_field(out: &mut Vec<u8>, name: &'static str, value: &str) {
    out.extend_from_slice(name.as_bytes());
    out.push(b':');
    comment(out, Some(value));
    out.extend_from_slice(b"\r\n");
}

/// The header lines of a request or response that were read before, all but its paths: what a relay hands on unchanged.
///
/// # Spec
/// RFC 4976 s.6.4.2, s.6.4.3.
pub fn lines_behind_paths(out: &mut Vec<u8>, headers: Headers<'_>) {
    for line in headers {
        if !matches!(line.field(), Field::ToPath | Field::FromPath) {
            header_line(out, &line);
        }
    }
}

/// The blank line between the header section and the body.
pub fn blank_line(out: &mut Vec<u8>) {
    out.extend_from_slice(b"\r\n");
}

/// The To-Path and From-Path lines.
pub fn paths(out: &mut Vec<u8>, to: impl PathValue, from: impl PathValue) {
    field(out, b"To-Path", to.raw_value());
    field(out, b"From-Path", from.raw_value());
}

/// The end line directly behind the header section of a request without a body, or of a response.
pub fn end_line(out: &mut Vec<u8>, tid: TransactionId, flag: ContinuationFlag) {
    out.extend_from_slice(EndLine::new(tid, flag).after_headers());
}

/// CR LF and the end line, behind a body.
pub fn body_end(out: &mut Vec<u8>, tid: TransactionId, flag: ContinuationFlag) {
    out.extend_from_slice(EndLine::new(tid, flag).after_body());
}

/// The header lines of a SEND behind its paths, and the blank line when a body follows.
///
/// Content-Type comes last, and flags with their default value are not written.
pub fn send_headers_tail(out: &mut Vec<u8>, tail: &SendTail<'_>) {
    field(out, b"Message-ID", tail.message_id.as_bytes());
    byte_range(out, tail.byte_range);
    if tail.success_report != SuccessReport::default() {
        field(
            out,
            b"Success-Report",
            tail.success_report.as_str().as_bytes(),
        );
    }
    if tail.failure_report != FailureReport::default() {
        field(
            out,
            b"Failure-Report",
            tail.failure_report.as_str().as_bytes(),
        );
    }
    if let Some(content_type) = tail.content_type {
        for line in tail.relayed {
            header_line(out, &line);
        }
        content_type_and_blank_line(out, content_type);
    }
}

/// A complete response.
///
/// `to` is the leftmost URI of the request's From-Path for a SEND and the whole From-Path otherwise; `from` is our own
/// URI. Control characters in the comment become spaces.
///
/// # Spec
/// RFC 4975 s.7.2.
pub fn response(
    out: &mut Vec<u8>,
    tid: TransactionId,
    status: StatusCode,
    comment: Option<&str>,
    to: impl PathValue,
    from: impl PathValue,
) {
    status_line(out, tid, status, comment);
    paths(out, to, from);
    end_line(out, tid, ContinuationFlag::Last);
}

/// A complete REPORT. The caller has drawn an id that does not occur in the body.
///
/// # Spec
/// RFC 4975 s.7.1.2.
pub fn report(
    out: &mut Vec<u8>,
    tid: TransactionId,
    to: impl PathValue,
    from: impl PathValue,
    report: &Report<'_>,
) {
    start_line(out, tid, &Method::Report);
    paths(out, to, from);
    field(out, b"Message-ID", report.message_id.as_bytes());
    byte_range(out, report.byte_range);
    status(out, report.status, report.comment);
    match report.body {
        Some((content_type, body)) => {
            content_type_and_blank_line(out, content_type);
            out.extend_from_slice(body);
            body_end(out, tid, ContinuationFlag::Last);
        }
        None => end_line(out, tid, ContinuationFlag::Last),
    }
}

/// A complete NICKNAME request, which has no body. An empty nickname gives the present one back.
///
/// # Spec
/// RFC 7701 s.7.1, s.7.3.
pub fn nickname(
    out: &mut Vec<u8>,
    tid: TransactionId,
    to: impl PathValue,
    from: impl PathValue,
    nickname: &str,
) {
    start_line(out, tid, &Method::Nickname);
    paths(out, to, from);
    use_nickname(out, nickname);
    end_line(out, tid, ContinuationFlag::Last);
}

/// The Use-Nickname line: the nickname in quotes, control characters as spaces.
///
/// # Spec
/// RFC 7701 s.7.1.
pub fn use_nickname(out: &mut Vec<u8>, nickname: &str) {
    out.extend_from_slice(b"Use-Nickname: \"");
    for c in nickname.bytes() {
        if matches!(c, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(if c.is_ascii_control() { b' ' } else { c });
    }
    out.extend_from_slice(b"\"\r\n");
}

/// One header line that was read before.
pub(crate) fn header_line(out: &mut Vec<u8>, line: &HeaderLine<'_>) {
    field(out, line.name, line.value);
}

fn field(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

fn byte_range(out: &mut Vec<u8>, range: Option<ByteRange>) {
    if let Some(range) = range {
        out.extend_from_slice(b"Byte-Range: ");
        number(out, Some(range.start));
        out.push(b'-');
        number(out, range.end);
        out.push(b'/');
        number(out, range.total);
        out.extend_from_slice(b"\r\n");
    }
}

/// A decimal number, or `*` for one that is not known.
fn number(out: &mut Vec<u8>, number: Option<u64>) {
    let Some(mut rest) = number else {
        return out.push(b'*');
    };
    let start = out.len();
    loop {
        out.push(b'0' | u8::try_from(rest % 10).unwrap_or(0));
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if let Some(digits) = out.get_mut(start..) {
        digits.reverse();
    }
}

fn status(out: &mut Vec<u8>, status: Status, text: Option<&str>) {
    out.extend_from_slice(b"Status: ");
    out.extend_from_slice(&crate::status::digits(status.namespace));
    out.push(b' ');
    out.extend_from_slice(&status.code.digits());
    comment(out, text);
    out.extend_from_slice(b"\r\n");
}

fn comment(out: &mut Vec<u8>, text: Option<&str>) {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return;
    };
    out.push(b' ');
    out.extend(
        text.bytes()
            .map(|c| if c.is_ascii_control() { b' ' } else { c }),
    );
}

fn content_type_and_blank_line(out: &mut Vec<u8>, content_type: ContentType<'_>) {
    field(out, b"Content-Type", content_type.raw());
    out.extend_from_slice(b"\r\n");
}
