//! Responses, the Status of REPORTs and Byte-Ranges.

use msrp_wire::{
    ByteRange, Decoder, Event, Limits, MessageId, MsrpUriBuf, Status, StatusCode, TransactionId,
    encode,
};

/// What is worth inserting.
pub(crate) const WORDS: &[&str] = &[
    "200",
    " OK",
    "000 ",
    "999",
    "1-",
    "*",
    "/",
    "18446744073709551615",
    "\r\n",
    "0",
    "-",
    " ",
];

/// The input is read as a Status, as a Byte-Range, and as what follows the transaction id of a response.
pub fn status(input: &[u8]) {
    let naive = std::str::from_utf8(input).ok().and_then(naive_range);
    assert_eq!(ByteRange::parse(input).ok(), naive);
    if let Some(range) = naive {
        assert_eq!(ByteRange::parse(range.to_string().as_bytes()), Ok(range));
    }
    let range = ByteRange::parse(input).unwrap_or(ByteRange::WHOLE);
    let read = Status::parse(input).unwrap_or(Status::new(StatusCode::OK));
    assert!(read.namespace <= 999);
    check_report(read, range, input);
    check_response(input);
}

/// A Byte-Range read by splitting its text.
fn naive_range(text: &str) -> Option<ByteRange> {
    let number = |text: &str| {
        let is_number = text.bytes().all(|c| c.is_ascii_digit());
        text.parse::<u64>().ok().filter(|_| is_number)
    };
    let or_star = |text: &str| match text {
        "*" => Some(None),
        digits => number(digits).map(Some),
    };
    let (start, rest) = text.split_once('-')?;
    let (end, total) = rest.split_once('/')?;
    let (start, end, total) = (number(start)?, or_star(end)?, or_star(total)?);
    let last = end.unwrap_or(start.checked_sub(1)?);
    let is_legal = start >= 1 && last >= start - 1 && total.is_none_or(|total| total >= last);
    is_legal.then_some(ByteRange { start, end, total })
}

fn check_report(status: Status, byte_range: ByteRange, comment: &[u8]) {
    let comment = String::from_utf8_lossy(comment);
    let (tid, to, from) = names();
    let message_id = MessageId::from(tid.ident());
    let report = encode::Report {
        message_id,
        byte_range: Some(byte_range),
        status,
        comment: Some(comment.as_ref()),
        body: None,
    };
    let mut out = Vec::new();
    encode::report(&mut out, tid, &to, &from, &report);
    let mut decoder = Decoder::new(Limits::default());
    let step = decoder.decode(&out).unwrap_or_else(|e| panic!("{e}"));
    // A comment that is too long for a header section is the caller's to cut.
    let Some(Event::Request(head)) = step.event else {
        panic!("{:?}", step.event)
    };
    assert_eq!(head.status, Some(status));
    assert_eq!(head.message_id, Some(message_id));
    assert_eq!(head.byte_range.unwrap_or(ByteRange::WHOLE), byte_range);
    assert!(!head.has_body);
}

fn check_response(rest: &[u8]) {
    let (tid, to, from) = names();
    let mut text = format!("MSRP {tid} ").into_bytes();
    text.extend_from_slice(rest);
    text.extend_from_slice(
        format!("\r\nTo-Path: {to}\r\nFrom-Path: {from}\r\n-------{tid}$\r\n").as_bytes(),
    );
    let mut decoder = Decoder::new(Limits::default());
    let Ok(step) = decoder.decode(&text) else {
        return;
    };
    let Some(Event::Response(head)) = step.event else {
        return;
    };
    assert!(rest.starts_with(&head.status.digits()));
    assert_eq!(head.transaction_id, tid);
    let comment = head
        .comment
        .map(|text| String::from_utf8_lossy(text).into_owned());
    let mut out = Vec::new();
    encode::response(&mut out, tid, head.status, comment.as_deref(), &to, &from);
    let mut decoder = Decoder::new(Limits::default());
    let step = decoder.decode(&out).unwrap_or_else(|e| panic!("{e}"));
    let Some(Event::Response(again)) = step.event else {
        panic!("{:?}", step.event)
    };
    assert_eq!(again.status, head.status);
    assert_eq!(again.to_path().map(|path| path.first().to_buf()), Some(to));
    assert_eq!(
        again.from_path().map(|path| path.first().to_buf()),
        Some(from)
    );
}

fn names() -> (TransactionId, MsrpUriBuf, MsrpUriBuf) {
    let uri = |text: &str| MsrpUriBuf::parse(text).unwrap_or_else(|e| panic!("{e}"));
    (
        TransactionId::from_random(7),
        uri("msrp://a.example:1/x;tcp"),
        uri("msrps://[::1]:2/y;tcp"),
    )
}
