//! MSRP and Message/CPIM: bytes to types and back.
//!
//! No sockets, no clocks, no randomness, and no allocation per chunk: what is parsed borrows the bytes it came from.
//!
//! | need | look at |
//! | --- | --- |
//! | bytes of a connection to events | [`Decoder`], [`Event`] |
//! | events to bytes | [`encode`] |
//! | addresses of MSRP | [`MsrpUri`], [`Path`] |
//! | the wrapper inside a SEND | [`cpim`] |
//! | who is who (SIP and tel addresses) | [`Identity`] |
//!
//! # Spec
//! RFC 4975 (MSRP), RFC 3862 (Message/CPIM), the header fields of RFC 4976 and RFC 7701.

#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unwrap_used
    )
)]
#![cfg_attr(not(test), warn(missing_docs))]

mod byte_range;
mod content_type;
pub mod cpim;
mod decoder;
pub mod encode;
mod end_line;
mod head;
mod header;
mod ident;
mod identity;
pub mod limits;
mod malformed;
mod method;
mod msrp_uri;
mod octet_class;
mod octets;
mod path;
mod report_flags;
mod status;
mod use_nickname;

pub use byte_range::ByteRange;
pub use content_type::{ContentType, ContentTypeBuf, MediaRange};
pub use decoder::{Body, Decoder, Event, Step};
pub use end_line::{ContinuationFlag, EndLine, end_line_occurs};
pub use head::{Rejected, RequestHead, ResponseHead};
pub use header::{HeaderLine, Headers, RelayedHeaders, RelayedHeadersBuf};
pub use ident::{Ident, MessageId, TransactionId};
pub use identity::{Identity, NotAnIdentity};
pub use limits::Limits;
pub use malformed::{Malformed, Place};
pub use method::{Method, MethodToken};
pub use msrp_uri::{Host, MsrpUri, MsrpUriBuf, Scheme, Transport};
pub use path::{MsrpPathBuf, Path, PathValue, Uris};
pub use report_flags::{FailureReport, SuccessReport};
pub use status::{Status, StatusCode};
pub use use_nickname::UseNickname;
