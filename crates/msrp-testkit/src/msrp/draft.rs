//! A message to be sent, and its chunks.

use super::byte_range::ByteRange;
use super::cpim::{cpim, cpim_with};
use super::frame::{Flag, Frame};
use crate::ident::fresh;

/// Octets of a chunk whose range end is written; longer chunks carry `*`.
///
/// # Spec
/// RFC 4975 s.7.1.1.
const FIXED_CHUNK_OCTETS_MAX: usize = 2048;

/// A message and how it is cut and labelled. Nothing is checked: a test may ask for what the standard forbids.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The Message-ID.
    pub message_id: String,
    content_type: Option<String>,
    body: Vec<u8>,
    headers: Vec<(String, String)>,
    mime_headers: Vec<(String, String)>,
    chunk_octets: usize,
    open_end: bool,
    open_total: bool,
    byte_range: bool,
    stop: Option<(usize, Flag)>,
    tids: Vec<String>,
    paths: (Option<String>, Option<String>),
}

/// What has been handed to the connection.
#[derive(Clone, Debug)]
pub struct Sent {
    /// The Message-ID.
    pub message_id: String,
    /// The transaction ids of its chunks.
    pub tids: Vec<String>,
}

impl Draft {
    /// A message of one chunk with a fresh Message-ID.
    pub fn new(content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            message_id: fresh("m"),
            content_type: Some(content_type.into()),
            body: body.into(),
            headers: Vec::new(),
            mime_headers: Vec::new(),
            chunk_octets: usize::MAX,
            open_end: false,
            open_total: false,
            byte_range: true,
            stop: None,
            tids: Vec::new(),
            paths: (None, None),
        }
    }

    /// A SEND without a body, as binds a connection or keeps it alive.
    pub fn empty() -> Self {
        Self {
            content_type: None,
            ..Self::new("", "")
        }
    }

    /// A text in a CPIM wrapper.
    pub fn text(from: &str, to: &str, text: &str) -> Self {
        Self::wrapped(from, to, "text/plain;charset=UTF-8", text.as_bytes())
    }

    /// Any content in a CPIM wrapper.
    pub fn wrapped(from: &str, to: &str, content_type: &str, body: &[u8]) -> Self {
        Self::new("message/cpim", cpim(from, to, content_type, body))
    }

    /// Any content in a CPIM wrapper with these message headers, values in full.
    pub fn wrapped_with(headers: &[(&str, &str)], content_type: &str, body: &[u8]) -> Self {
        Self::new("message/cpim", cpim_with(headers, content_type, body))
    }

    /// Replaces the Message-ID.
    #[must_use]
    pub fn message_id(mut self, id: &str) -> Self {
        self.message_id = id.into();
        self
    }

    /// Cuts the body into chunks of this many octets.
    #[must_use]
    pub fn chunk_octets(mut self, octets: usize) -> Self {
        self.chunk_octets = octets;
        self
    }

    /// Writes `*` as range end of every chunk.
    #[must_use]
    pub fn open_end(mut self) -> Self {
        self.open_end = true;
        self
    }

    /// Writes `*` as total.
    #[must_use]
    pub fn open_total(mut self) -> Self {
        self.open_total = true;
        self
    }

    /// Leaves Byte-Range out.
    #[must_use]
    pub fn without_byte_range(mut self) -> Self {
        self.byte_range = false;
        self
    }

    /// Stops after this many octets of the body: [`Flag::Abort`] gives the message up, [`Flag::More`] pauses it.
    #[must_use]
    pub fn stop_after(mut self, octets: usize, flag: Flag) -> Self {
        self.stop = Some((octets, flag));
        self
    }

    /// Uses these transaction ids for the first chunks.
    #[must_use]
    pub fn tids(mut self, tids: &[&str]) -> Self {
        self.tids = tids.iter().map(|tid| (*tid).into()).collect();
        self
    }

    /// Adds a header field, such as `Foo: bar`, after Message-ID and Byte-Range.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Adds a MIME header field, such as Content-Disposition, in front of Content-Type.
    #[must_use]
    pub fn mime_header(mut self, name: &str, value: &str) -> Self {
        self.mime_headers.push((name.into(), value.into()));
        self
    }

    /// Adds Success-Report.
    #[must_use]
    pub fn success_report(self, value: &str) -> Self {
        self.header("Success-Report", value)
    }

    /// Adds Failure-Report.
    #[must_use]
    pub fn failure_report(self, value: &str) -> Self {
        self.header("Failure-Report", value)
    }

    /// Replaces the To-Path that the peer would write.
    #[must_use]
    pub fn to_path(mut self, path: &str) -> Self {
        self.paths.0 = Some(path.into());
        self
    }

    /// Replaces the From-Path that the peer would write.
    #[must_use]
    pub fn from_path(mut self, path: &str) -> Self {
        self.paths.1 = Some(path.into());
        self
    }

    /// Octets of the body.
    pub fn octets(&self) -> usize {
        self.body.len()
    }

    /// Whether the peer answers the chunks of this message with 200.
    pub(crate) fn wants_response(&self) -> bool {
        self.headers
            .iter()
            .all(|(name, value)| name != "Failure-Report" || value == "yes")
    }

    /// All chunks as the options say.
    pub fn frames(&self, to_path: &str, from_path: &str) -> Vec<Frame> {
        let (octets, flag) = self.stop.unwrap_or((self.body.len(), Flag::Last));
        let (mut frames, mut from) = (Vec::new(), 0_usize);
        loop {
            let to = from.saturating_add(self.chunk_octets).min(octets);
            let flag = if to == octets { flag } else { Flag::More };
            frames.push(self.frame(frames.len(), from, to, flag, to_path, from_path));
            from = to;
            if to == octets {
                return frames;
            }
        }
    }

    /// One chunk: the octets of the body from index `from` up to index `to`.
    ///
    /// # Panics
    /// When the body has no such octets.
    pub fn chunk(
        &self,
        from: usize,
        to: usize,
        flag: Flag,
        to_path: &str,
        from_path: &str,
    ) -> Frame {
        self.frame(usize::MAX, from, to, flag, to_path, from_path)
    }

    fn frame(
        &self,
        index: usize,
        from: usize,
        to: usize,
        flag: Flag,
        to_path: &str,
        from_path: &str,
    ) -> Frame {
        let tid = self.tids.get(index).cloned().unwrap_or_else(|| fresh("t"));
        let to_path = self.paths.0.as_deref().unwrap_or(to_path);
        let from_path = self.paths.1.as_deref().unwrap_or(from_path);
        let mut frame =
            Frame::request("SEND", &tid, to_path, from_path).with("Message-ID", &self.message_id);
        if self.byte_range {
            frame = frame.with("Byte-Range", self.range(from, to));
        }
        frame
            .headers
            .extend(self.headers.iter().chain(&self.mime_headers).cloned());
        if let Some(content_type) = &self.content_type {
            frame = frame.with("Content-Type", content_type);
            frame.body = Some(self.body[from..to].to_vec());
        }
        frame.flag = flag;
        frame
    }

    fn range(&self, from: usize, to: usize) -> ByteRange {
        let wide = |octets: usize| u64::try_from(octets).expect("usize fits u64");
        ByteRange {
            start: wide(from) + 1,
            end: (!self.open_end && to - from <= FIXED_CHUNK_OCTETS_MAX).then(|| wide(to)),
            total: (!self.open_total).then(|| wide(self.body.len())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::FrameParser;
    use super::*;

    fn ranges(draft: &Draft) -> Vec<(String, Flag)> {
        let mut parser = FrameParser::default();
        for frame in draft.frames("msrp://a:1/b;tcp", "msrp://c:1/d;tcp") {
            parser.push(&frame.to_octets());
        }
        let mut ranges = Vec::new();
        while let Some(frame) = parser.next_frame().unwrap() {
            ranges.push((
                frame.header("Byte-Range").unwrap_or("none").into(),
                frame.flag,
            ));
        }
        ranges
    }

    #[test]
    fn draft_cut_into_chunks_has_exact_ranges() {
        let draft = Draft::new("text/plain", "abcdefg").chunk_octets(3);
        let expected = [
            ("1-3/7", Flag::More),
            ("4-6/7", Flag::More),
            ("7-7/7", Flag::Last),
        ];
        assert_eq!(
            ranges(&draft),
            expected.map(|(range, flag)| (range.to_owned(), flag))
        );
    }

    #[test]
    fn draft_options_shape_the_range() {
        let range = |draft: Draft| ranges(&draft).remove(0);
        assert_eq!(range(Draft::empty()), ("1-0/0".into(), Flag::Last));
        assert_eq!(
            range(Draft::new("text/plain", "")),
            ("1-0/0".into(), Flag::Last)
        );
        assert_eq!(
            range(Draft::new("text/plain", "abc").open_end().open_total()),
            ("1-*/*".into(), Flag::Last)
        );
        assert_eq!(
            range(Draft::new("text/plain", vec![b'x'; 2049])),
            ("1-*/2049".into(), Flag::Last)
        );
        assert_eq!(
            range(Draft::new("text/plain", "abc").without_byte_range()),
            ("none".into(), Flag::Last)
        );
        assert_eq!(
            range(Draft::new("text/plain", "abc").stop_after(2, Flag::Abort)),
            ("1-2/3".into(), Flag::Abort)
        );
    }
}
