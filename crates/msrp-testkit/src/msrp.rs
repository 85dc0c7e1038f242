//! An MSRP endpoint that a test scripts: own frames, own strict parser, own bookkeeping of messages.

mod auth;
mod byte_range;
mod connection;
mod cpim;
mod draft;
mod endpoint;
mod event;
mod frame;
mod frame_parser;
mod grammar;
mod message;
mod nickname;
mod peer;

pub use auth::{Challenge, Login};
pub use byte_range::ByteRange;
pub use cpim::{Cpim, cpim};
pub use draft::{Draft, Sent};
pub use endpoint::MsrpEndpoint;
pub use event::{Closed, Event, Mode};
pub use frame::{Flag, Frame, Start};
pub use frame_parser::FrameParser;
pub use message::{Chunk, Message};
pub use peer::MsrpPeer;
