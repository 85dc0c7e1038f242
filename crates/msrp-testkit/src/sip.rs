//! A SIP user agent that a test scripts: own messages, own strict parser, own transactions and dialogs.
//!
//! One [`SipPeer`] can be a caller, and it can be the outbound proxy of the daemon with all invitees behind it:
//! requests to any URI arrive at it and are told apart by their Request-URI.

mod conference_info;
mod dialog;
mod invitation;
mod invite;
mod message;
mod multipart;
mod name_addr;
mod peer;
mod resource_list;
mod stream_parser;
mod subscription;
mod transaction;
mod transport;
mod weather;
mod xml;

pub use conference_info::{ConferenceInfo, ConferenceUser, ConferenceView};
pub use dialog::Dialog;
pub use invitation::Invitation;
pub use invite::{Calling, Invite};
pub use message::{SipMessage, StartLine};
pub use multipart::{Part, compose_multipart, parse_multipart};
pub use name_addr::{parameter, uri};
pub use peer::SipPeer;
pub use resource_list::{resource_list, resource_list_uris};
pub use subscription::{Notify, refer, subscribe};
pub use transaction::{ClientTransaction, ServerTransaction};
