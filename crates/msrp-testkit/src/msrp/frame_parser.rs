//! From octets to frames, strictly.
//!
//! Every rule that RFC 4975 states for a single request or response is checked. The first fault ends the parsing:
//! a test must not go on with a peer that writes illegal octets.

use super::byte_range::ByteRange;
use super::frame::{Flag, Frame, Start};
use super::grammar::{check_ident, check_media_type, check_msrp_uri, is_header_name};

/// Octets that a head may have, which is far more than a sane peer writes.
const HEAD_OCTETS_MAX: usize = 64 * 1024;

/// Takes octets in any portions, gives whole frames.
#[derive(Default)]
pub struct FrameParser {
    buffer: Vec<u8>,
    /// Octets at the front that hold no complete end line.
    scanned: usize,
}

impl FrameParser {
    /// Adds octets in the order of the wire.
    pub fn push(&mut self, octets: &[u8]) {
        self.buffer.extend_from_slice(octets);
    }

    /// Whether no octet of an unfinished frame is held.
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// The octets of the unfinished frame.
    pub fn rest(&self) -> &[u8] {
        &self.buffer
    }

    /// The next frame, or `None` when octets are missing.
    ///
    /// # Errors
    /// The broken rule, in words.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, String> {
        let Some(line_end) = find(&self.buffer, b"\r\n", 0) else {
            return if self.buffer.len() > HEAD_OCTETS_MAX {
                Err("endless start line".into())
            } else {
                Ok(None)
            };
        };
        let (tid, start) = start_line(&self.buffer[..line_end])?;
        let Some((end, flag)) = self.find_end_line(line_end, &tid)? else {
            return Ok(None);
        };
        let content = &self.buffer[line_end..end];
        let (headers, body) = match find(content, b"\r\n\r\n", 0) {
            Some(at) => (
                header_lines(&content[..at])?,
                Some(content[at + 4..].to_vec()),
            ),
            None => (header_lines(content)?, None),
        };
        self.buffer
            .drain(..end + b"\r\n-------$\r\n".len() + tid.len());
        self.scanned = 0;
        let frame = Frame {
            tid,
            start,
            headers,
            body,
            flag,
        };
        check(&frame).map_err(|fault| format!("{fault} in {:?}", frame.headers))?;
        Ok(Some(frame))
    }

    /// The position of the CRLF in front of the end line, and the flag.
    ///
    /// # Spec
    /// RFC 4975 s.7.1: hyphens, id and flag stand nowhere in a body, whatever is around them.
    fn find_end_line(
        &mut self,
        line_end: usize,
        tid: &str,
    ) -> Result<Option<(usize, Flag)>, String> {
        let mark = format!("-------{tid}");
        let mut from = self.scanned.max(line_end);
        while let Some(at) = find(&self.buffer, mark.as_bytes(), from) {
            let after = at + mark.len();
            let Some(tail) = self.buffer.get(after..after + 3) else {
                self.scanned = at;
                return Ok(None);
            };
            if let Some(flag) = Flag::from_octet(tail[0]) {
                if &tail[1..] != b"\r\n" || !self.buffer[..at].ends_with(b"\r\n") {
                    return Err(format!("the end line of {tid:?} is not a line of its own"));
                }
                return Ok(Some((at - 2, flag)));
            }
            from = at + 1;
        }
        self.scanned = self.buffer.len().saturating_sub(mark.len()).max(from);
        Ok(None)
    }
}

fn start_line(line: &[u8]) -> Result<(String, Start), String> {
    let text = str::from_utf8(line).map_err(|_| format!("start line {}", line.escape_ascii()))?;
    let fault = || format!("start line {text:?}");
    check_text(text)?;
    let mut words = text.splitn(4, ' ');
    let (Some("MSRP"), Some(tid), Some(word), comment) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(fault());
    };
    check_ident(tid)?;
    if word.len() == 3 && word.bytes().all(|octet| octet.is_ascii_digit()) {
        let status = word.parse().map_err(|_| fault())?;
        return Ok((tid.into(), Start::Response(status, comment.map(Into::into))));
    }
    if word.is_empty() || !word.bytes().all(|octet| octet.is_ascii_uppercase()) || comment.is_some()
    {
        return Err(fault());
    }
    Ok((tid.into(), Start::Request(word.into())))
}

/// Header lines, each behind the CRLF of the line before it.
fn header_lines(content: &[u8]) -> Result<Vec<(String, String)>, String> {
    let text = str::from_utf8(content)
        .map_err(|_| format!("header that is not UTF-8: {}", content.escape_ascii()))?;
    let mut headers = Vec::new();
    for line in text.split("\r\n").skip(1) {
        check_text(line)?;
        let (name, value) = line
            .split_once(": ")
            .ok_or_else(|| format!("header line {line:?}"))?;
        if !is_header_name(name) {
            return Err(format!("header name {name:?}"));
        }
        headers.push((name.to_owned(), value.to_owned()));
    }
    Ok(headers)
}

fn check_text(text: &str) -> Result<(), String> {
    match text
        .chars()
        .find(|letter| letter.is_ascii_control() && *letter != '\t')
    {
        Some(letter) => Err(format!("control character {letter:?} in {text:?}")),
        None => Ok(()),
    }
}

fn check(frame: &Frame) -> Result<(), String> {
    check_order(frame)?;
    for path in [frame.to_path(), frame.from_path()] {
        path.into_iter().try_for_each(check_msrp_uri)?;
    }
    if let Some(id) = frame.message_id() {
        check_ident(id)?;
    }
    for (name, legal) in [
        ("Success-Report", &["yes", "no"][..]),
        ("Failure-Report", &["yes", "no", "partial"]),
    ] {
        if frame
            .header(name)
            .is_some_and(|value| !legal.contains(&value))
        {
            return Err(format!("value of {name}"));
        }
    }
    let range = frame
        .header("Byte-Range")
        .map(ByteRange::parse)
        .transpose()?;
    match &frame.start {
        Start::Response(..) => check_response(frame),
        Start::Request(method) if method == "SEND" => check_send(frame, range),
        Start::Request(method) if method == "REPORT" => check_report(frame),
        Start::Request(_) => Ok(()),
    }
}

/// Paths first, Content-Type last and only with a body, no header field twice but one challenge for each algorithm.
fn check_order(frame: &Frame) -> Result<(), String> {
    let names = frame
        .headers
        .iter()
        .map(|(name, _)| name.to_ascii_lowercase())
        .collect::<Vec<_>>();
    if names.first().is_none_or(|name| name != "to-path")
        || names.get(1).is_none_or(|name| name != "from-path")
    {
        return Err("To-Path and From-Path are not the first header fields".into());
    }
    for (at, name) in names.iter().enumerate() {
        if names[..at].contains(name) && name != "www-authenticate" {
            return Err(format!("header field {name} twice"));
        }
    }
    match (
        names.iter().position(|name| name == "content-type"),
        &frame.body,
    ) {
        (Some(at), Some(_)) if at + 1 == names.len() => check_media_type(&frame.headers[at].1),
        (Some(_), Some(_)) => Err("Content-Type is not the last header field".into()),
        (Some(_), None) => Err("Content-Type without a body".into()),
        (None, Some(_)) => Err("a body without Content-Type".into()),
        (None, None) => Ok(()),
    }
}

fn check_response(frame: &Frame) -> Result<(), String> {
    if frame.body.is_some() || frame.flag != Flag::Last {
        return Err("a response with a body or a flag other than $".into());
    }
    Ok(())
}

fn check_send(frame: &Frame, range: Option<ByteRange>) -> Result<(), String> {
    frame.message_id().ok_or("SEND without Message-ID")?;
    let Some(range) = range else { return Ok(()) };
    let octets = frame.body.as_ref().map(Vec::len);
    range.check(octets)?;
    let reached = range.reached(u64::try_from(octets.unwrap_or(0)).expect("usize fits u64"));
    if frame.flag == Flag::Last && range.total.is_some_and(|total| total != reached) {
        return Err(format!(
            "the last chunk ends at octet {reached} of Byte-Range {range}"
        ));
    }
    if frame.flag == Flag::More
        && range.end.is_some()
        && range.end == range.total
        && octets.is_some()
    {
        return Err(format!(
            "flag + although Byte-Range {range} ends the message"
        ));
    }
    Ok(())
}

fn check_report(frame: &Frame) -> Result<(), String> {
    frame.message_id().ok_or("REPORT without Message-ID")?;
    let status = frame.header("Status").ok_or("REPORT without Status")?;
    let words = status.splitn(3, ' ').collect::<Vec<_>>();
    let digits = |word: &str| word.len() == 3 && word.bytes().all(|octet| octet.is_ascii_digit());
    if words.len() < 2 || !words[..2].iter().all(|word| digits(word)) {
        return Err(format!("Status {status:?}"));
    }
    if frame.header("Success-Report").is_some() || frame.header("Failure-Report").is_some() {
        return Err("REPORT that asks for a report".into());
    }
    Ok(())
}

fn find(octets: &[u8], pattern: &[u8], from: usize) -> Option<usize> {
    let (first, mut at) = (*pattern.first()?, from);
    loop {
        at += octets.get(at..)?.iter().position(|octet| *octet == first)?;
        if octets.get(at..)?.starts_with(pattern) {
            return Some(at);
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TO: &str = "msrp://127.0.0.1:1/bob;tcp";
    const FROM: &str = "msrp://127.0.0.1:2/alice;tcp";

    fn send(body: &str) -> Frame {
        let octets = body.len();
        let mut frame = Frame::request("SEND", "d93kswow", TO, FROM)
            .with("Message-ID", "12339sdqwer")
            .with("Byte-Range", format!("1-{octets}/{octets}"))
            .with("Content-Type", "text/plain");
        frame.body = Some(body.into());
        frame
    }

    fn parse(octets: &[u8]) -> Result<Option<Frame>, String> {
        let mut parser = FrameParser::default();
        parser.push(octets);
        parser.next_frame()
    }

    #[test]
    fn parser_frames_cut_at_every_octet_are_the_same() {
        let frames = [
            send("Hey Bob, are you there?"),
            Frame::response(200, "OK", "d93kswow", FROM, TO),
            send(""),
            Frame::request("SEND", "abcd", TO, FROM)
                .with("Message-ID", "12339sdqwer")
                .with("Byte-Range", "1-0/0"),
            send("a\r\n\r\nb\r\n-------d93ksw$\r\n-------d93kswo"),
            Frame::request("REPORT", "abcd", TO, FROM)
                .with("Message-ID", "1234")
                .with("Status", "000 200 OK"),
        ];
        let octets = frames.iter().flat_map(Frame::to_octets).collect::<Vec<_>>();
        for portion in [1, 2, 3, 7, 64, octets.len()] {
            let (mut parser, mut seen) = (FrameParser::default(), Vec::new());
            for part in octets.chunks(portion) {
                parser.push(part);
                while let Some(frame) = parser.next_frame().unwrap() {
                    seen.push(frame);
                }
            }
            assert_eq!(seen, frames, "portions of {portion}");
            assert!(parser.is_empty());
        }
    }

    #[test]
    fn parser_body_with_id_but_no_flag_is_body() {
        let frame = send("x\r\n-------d93kswowX$\r\ny");
        assert_eq!(parse(&frame.to_octets()), Ok(Some(frame)));
    }

    #[test]
    fn parser_end_line_inside_the_body_is_a_fault() {
        for body in [
            "x-------d93kswow$\r\ny",
            "x\r\n--------d93kswow$\r\ny",
            "x\r\n-------d93kswow+y",
        ] {
            assert!(parse(&send(body).to_octets()).is_err(), "{body:?}");
        }
    }

    #[test]
    fn parser_frame_with_one_change_is_refused() {
        let good = String::from_utf8(send("abc").to_octets()).unwrap();
        let changes = [
            ("MSRP d93kswow SEND", "MSRP  d93kswow SEND"),
            ("MSRP d93kswow SEND", "msrp d93kswow SEND"),
            ("MSRP d93kswow SEND", "MSRP d93kswow send"),
            ("MSRP d93kswow SEND", "MSRP d93kswow SEND x"),
            ("d93kswow", "d93"),
            ("To-Path: ", "To-Path:"),
            ("To-Path: msrp", "To-Path:  msrp"),
            ("bob;tcp\r\n", "bob\r\n"),
            (
                "To-Path: msrp://127.0.0.1:1/bob;tcp\r\nFrom-Path",
                "From-Path",
            ),
            ("Message-ID: 12339sdqwer\r\n", ""),
            ("12339sdqwer", "12_39"),
            ("Byte-Range: 1-3/3", "Byte-Range: 1-4/4"),
            ("Byte-Range: 1-3/3", "Byte-Range: 1-*/4"),
            (
                "Byte-Range: 1-3/3",
                "Byte-Range: 1-3/3\r\nByte-Range: 1-3/3",
            ),
            ("Content-Type: text/plain\r\n\r\n", "\r\n"),
            (
                "Content-Type: text/plain\r\n\r\n",
                "Content-Type: text/plain\r\nX-Y: z\r\n\r\n",
            ),
            (
                "Content-Type: text/plain\r\n\r\nabc",
                "Content-Type: text/plain",
            ),
            (
                "Content-Type: text/plain\r\n\r\nabc\r\n",
                "Content-Type: text/plain\r\n\r\n",
            ),
            ("Content-Type: text/plain", "Content-Type: text"),
            ("Byte-Range", "Failure-Report: maybe\r\nByte-Range"),
            ("Byte-Range", "Bad\x07: x\r\nByte-Range"),
            ("abc\r\n-------", "abc\n-------"),
            ("d93kswow$", "d93kswow+"),
        ];
        for (from, to) in changes {
            assert!(good.contains(from), "{from:?}");
            let octets = good.replace(from, to);
            assert!(parse(octets.as_bytes()).is_err(), "{from:?} as {to:?}");
        }
    }

    #[test]
    fn parser_report_and_response_rules_hold() {
        let report = Frame::request("REPORT", "abcd", TO, FROM).with("Message-ID", "1234");
        assert!(parse(&report.to_octets()).is_err());
        assert!(parse(&report.clone().with("Status", "200").to_octets()).is_err());
        assert!(
            parse(
                &report
                    .with("Status", "000 200")
                    .with("Success-Report", "no")
                    .to_octets()
            )
            .is_err()
        );
        let mut response = Frame::response(200, "", "abcd", TO, FROM);
        assert!(parse(&response.to_octets()).unwrap().is_some());
        response.flag = Flag::More;
        assert!(parse(&response.to_octets()).is_err());
    }
}
