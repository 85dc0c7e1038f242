//! Whole messages from chunks.

use super::cpim::Cpim;
use super::frame::{Flag, Frame};

/// All chunks with one Message-ID, put together.
#[derive(Clone, Debug)]
pub struct Message {
    /// The Message-ID.
    pub id: String,
    /// Header fields of the first chunk.
    pub headers: Vec<(String, String)>,
    /// The chunks in their order of arrival.
    pub chunks: Vec<Chunk>,
    /// All octets that arrived.
    pub body: Vec<u8>,
    /// How the last chunk ended: [`Flag::Last`] or [`Flag::Abort`].
    pub ended: Flag,
}

/// What one SEND brought, without its octets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Its transaction id.
    pub tid: String,
    /// Position of its first octet; the message starts at 1.
    pub start: u64,
    /// Its octets.
    pub octets: usize,
    /// Its Byte-Range header field as written.
    pub byte_range: Option<String>,
    /// Its continuation flag.
    pub flag: Flag,
}

impl Message {
    /// The first header field of a name in the first chunk, compared without case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The Content-Type.
    pub fn content_type(&self) -> Option<&str> {
        self.header("Content-Type")
    }

    /// The body as a CPIM wrapper.
    ///
    /// # Panics
    /// When the Content-Type is not `message/cpim` or the body breaks RFC 3862.
    pub fn cpim(&self) -> Cpim {
        let content_type = self.content_type().unwrap_or_default();
        assert!(
            content_type.eq_ignore_ascii_case("message/cpim"),
            "Content-Type is {content_type:?}: {}",
            self.describe()
        );
        Cpim::parse(&self.body).unwrap_or_else(|fault| panic!("{fault}: {}", self.describe()))
    }

    /// The body as text.
    ///
    /// # Panics
    /// When it is not UTF-8.
    pub fn text(&self) -> &str {
        str::from_utf8(&self.body).expect("a body in UTF-8")
    }

    /// A short text for messages of a test.
    pub fn describe(&self) -> String {
        let shown = self.body.get(..600).unwrap_or(&self.body).escape_ascii();
        format!(
            "message {} of {} octets in {} chunks: {shown}",
            self.id,
            self.body.len(),
            self.chunks.len()
        )
    }
}

/// The messages whose end has not arrived.
#[derive(Default)]
pub(crate) struct Assembly {
    unfinished: Vec<Message>,
}

impl Assembly {
    /// Takes a SEND with a body; gives the message when the SEND ends it.
    ///
    /// A direct peer writes its chunks in order (RFC 4975 s.7.1.1), so a hole or an overlap is a fault.
    pub(crate) fn add(&mut self, frame: &Frame) -> Result<Option<Message>, String> {
        let id = frame.message_id().unwrap_or_default();
        let body = frame.body.as_deref().unwrap_or_default();
        let start = frame.byte_range().map_or(1, |range| range.start);
        let at = match self.unfinished.iter().position(|message| message.id == id) {
            Some(at) => {
                check_same(&self.unfinished[at], frame)?;
                at
            }
            None => {
                self.unfinished.push(begin(frame));
                self.unfinished.len() - 1
            }
        };
        let message = &mut self.unfinished[at];
        let expected = u64::try_from(message.body.len()).expect("usize fits u64") + 1;
        if start != expected {
            return Err(format!(
                "a chunk of message {id} starts at octet {start}, octet {expected} is next"
            ));
        }
        message.body.extend_from_slice(body);
        message.ended = frame.flag;
        message.chunks.push(Chunk {
            tid: frame.tid.clone(),
            start,
            octets: body.len(),
            byte_range: frame.header("Byte-Range").map(Into::into),
            flag: frame.flag,
        });
        Ok((frame.flag != Flag::More).then(|| self.unfinished.remove(at)))
    }

    /// The ids of the messages whose end has not arrived.
    pub(crate) fn unfinished(&self) -> Vec<String> {
        self.unfinished
            .iter()
            .map(|message| message.id.clone())
            .collect()
    }
}

fn begin(frame: &Frame) -> Message {
    Message {
        id: frame.message_id().unwrap_or_default().into(),
        headers: frame.headers.clone(),
        chunks: Vec::new(),
        body: Vec::new(),
        ended: Flag::More,
    }
}

/// Chunks of one message repeat what belongs to the message.
fn check_same(message: &Message, frame: &Frame) -> Result<(), String> {
    if frame.byte_range().is_none() {
        return Err(format!(
            "a later chunk of message {} has no Byte-Range",
            message.id
        ));
    }
    for name in [
        "To-Path",
        "From-Path",
        "Content-Type",
        "Success-Report",
        "Failure-Report",
    ] {
        if message.header(name) != frame.header(name) {
            return Err(format!(
                "{name} of message {} changes from chunk to chunk",
                message.id
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(range: &str, body: &str, flag: Flag) -> Frame {
        let mut frame = Frame::request("SEND", "abcd", "msrp://a:1/b;tcp", "msrp://c:1/d;tcp")
            .with("Message-ID", "m123")
            .with("Byte-Range", range)
            .with("Content-Type", "text/plain");
        frame.body = Some(body.into());
        frame.flag = flag;
        frame
    }

    #[test]
    fn assembly_chunks_in_order_make_the_message() {
        let mut assembly = Assembly::default();
        assert!(
            assembly
                .add(&chunk("1-*/6", "abc", Flag::More))
                .unwrap()
                .is_none()
        );
        assert_eq!(assembly.unfinished(), ["m123"]);
        let message = assembly
            .add(&chunk("4-6/6", "def", Flag::Last))
            .unwrap()
            .unwrap();
        assert_eq!(
            (message.text(), message.chunks.len(), message.ended),
            ("abcdef", 2, Flag::Last)
        );
        assert_eq!(message.chunks[1].byte_range.as_deref(), Some("4-6/6"));
        assert!(assembly.unfinished().is_empty());
    }

    #[test]
    fn assembly_abort_gives_what_arrived() {
        let message = Assembly::default()
            .add(&chunk("1-*/6", "abc", Flag::Abort))
            .unwrap()
            .unwrap();
        assert_eq!((message.text(), message.ended), ("abc", Flag::Abort));
    }

    #[test]
    fn assembly_hole_overlap_and_change_are_faults() {
        let later = [
            chunk("5-6/6", "ef", Flag::Last),
            chunk("3-6/6", "cdef", Flag::Last),
            chunk("4-6/6", "def", Flag::Last).with("Success-Report", "yes"),
        ];
        for frame in later {
            let mut assembly = Assembly::default();
            assembly.add(&chunk("1-*/6", "abc", Flag::More)).unwrap();
            assert!(assembly.add(&frame).is_err(), "{frame:?}");
        }
        assert!(
            Assembly::default()
                .add(&chunk("2-3/3", "bc", Flag::Last))
                .is_err()
        );
    }
}
