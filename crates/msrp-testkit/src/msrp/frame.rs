//! One request or response on the wire.

use super::byte_range::ByteRange;

/// A request or a response as it stood on the wire. What the parser returns obeys the grammar.
///
/// # Spec
/// RFC 4975 s.9.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Transaction id of the start line and of the end line.
    pub tid: String,
    /// What the start line says.
    pub start: Start,
    /// Header fields in their order, names as written.
    pub headers: Vec<(String, String)>,
    /// Octets of the body; `None` is a request without a body, which an empty body is not.
    pub body: Option<Vec<u8>>,
    /// Continuation flag of the end line.
    pub flag: Flag,
}

/// The two kinds of start lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// A request with its method.
    Request(String),
    /// A response with its status code and its comment.
    Response(u16, Option<String>),
}

/// The continuation flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flag {
    /// `+`: more chunks of the message follow.
    More,
    /// `$`: the message ends with this chunk.
    Last,
    /// `#`: the sender gives the message up.
    Abort,
}

impl Flag {
    /// The octet on the wire.
    pub fn octet(self) -> u8 {
        match self {
            Self::More => b'+',
            Self::Last => b'$',
            Self::Abort => b'#',
        }
    }

    pub(crate) fn from_octet(octet: u8) -> Option<Self> {
        [Self::More, Self::Last, Self::Abort]
            .into_iter()
            .find(|flag| flag.octet() == octet)
    }
}

impl Frame {
    /// A request without a body.
    pub fn request(method: &str, tid: &str, to_path: &str, from_path: &str) -> Self {
        Self::new(Start::Request(method.into()), tid, to_path, from_path)
    }

    /// A response.
    pub fn response(status: u16, comment: &str, tid: &str, to_path: &str, from_path: &str) -> Self {
        let comment = (!comment.is_empty()).then(|| comment.to_owned());
        Self::new(Start::Response(status, comment), tid, to_path, from_path)
    }

    fn new(start: Start, tid: &str, to_path: &str, from_path: &str) -> Self {
        let headers = vec![
            ("To-Path".into(), to_path.into()),
            ("From-Path".into(), from_path.into()),
        ];
        Self {
            tid: tid.into(),
            start,
            headers,
            body: None,
            flag: Flag::Last,
        }
    }

    /// Adds a header field after the others.
    #[must_use]
    #[expect(
        clippy::needless_pass_by_value,
        reason = "callers hand over literals, numbers and fresh texts"
    )]
    pub fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.headers.push((name.into(), value.to_string()));
        self
    }

    /// The method of a request.
    pub fn method(&self) -> Option<&str> {
        match &self.start {
            Start::Request(method) => Some(method),
            Start::Response(..) => None,
        }
    }

    /// The status code of a response.
    pub fn status(&self) -> Option<u16> {
        match self.start {
            Start::Request(_) => None,
            Start::Response(status, _) => Some(status),
        }
    }

    /// The first header field of a name, compared without case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// URIs of To-Path from left to right.
    pub fn to_path(&self) -> Vec<&str> {
        self.header("To-Path")
            .map(|path| path.split(' ').collect())
            .unwrap_or_default()
    }

    /// URIs of From-Path from left to right.
    pub fn from_path(&self) -> Vec<&str> {
        self.header("From-Path")
            .map(|path| path.split(' ').collect())
            .unwrap_or_default()
    }

    /// The Message-ID.
    pub fn message_id(&self) -> Option<&str> {
        self.header("Message-ID")
    }

    /// The Byte-Range.
    pub fn byte_range(&self) -> Option<ByteRange> {
        self.header("Byte-Range")
            .and_then(|text| ByteRange::parse(text).ok())
    }

    /// The code of a REPORT's Status header field, without its namespace.
    pub fn report_status(&self) -> Option<u16> {
        self.header("Status")?.split(' ').nth(1)?.parse().ok()
    }

    /// Whether a receiver that could take the request answers it.
    ///
    /// # Spec
    /// RFC 4975 s.7.2: Failure-Report yes or absent, and never to a REPORT.
    pub fn wants_response(&self) -> bool {
        self.method().is_some_and(|method| method != "REPORT")
            && self
                .header("Failure-Report")
                .is_none_or(|value| value == "yes")
    }

    /// The octets on the wire. Nothing is checked: a test may build what the grammar forbids.
    pub fn to_octets(&self) -> Vec<u8> {
        let start = match &self.start {
            Start::Request(method) => method.clone(),
            Start::Response(status, None) => format!("{status:03}"),
            Start::Response(status, Some(comment)) => format!("{status:03} {comment}"),
        };
        let mut octets = format!("MSRP {} {start}\r\n", self.tid).into_bytes();
        for (name, value) in &self.headers {
            octets.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        if let Some(body) = &self.body {
            octets.extend_from_slice(b"\r\n");
            octets.extend_from_slice(body);
            octets.extend_from_slice(b"\r\n");
        }
        octets.extend_from_slice(format!("-------{}", self.tid).as_bytes());
        octets.extend_from_slice(&[self.flag.octet(), b'\r', b'\n']);
        octets
    }
}
