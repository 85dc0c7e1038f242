//! What a peer does with arriving octets, and what it makes of them.

use super::frame::Frame;
use super::message::Message;

/// What the peer does with arriving octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Answers every SEND that asks for it with 200.
    Auto,
    /// Answers nothing; each SEND is also given as [`Event::Chunk`].
    Manual,
    /// Leaves the octets in the kernel.
    Deaf,
    /// Ends the connection with a reset. There is no way back.
    Reset,
}

/// What has arrived.
#[derive(Clone, Debug)]
pub enum Event {
    /// A message has ended, by `$` or by `#`.
    Message(Message),
    /// A SEND with a body, only in [`Mode::Manual`], before the message it ends.
    Chunk(Frame),
    /// A SEND without a body.
    Empty(Frame),
    /// A response.
    Response(Frame),
    /// A REPORT.
    Report(Frame),
    /// A request with another method.
    Other(Frame),
    /// The connection has ended.
    Closed(Closed),
}

/// How the connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    /// The octets of a frame that was cut off.
    pub rest: Vec<u8>,
    /// Message-IDs of messages without an end.
    pub unfinished: Vec<String>,
    /// The error of the kernel, such as a reset; `None` is an orderly end.
    pub error: Option<String>,
}
