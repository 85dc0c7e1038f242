//! What a fuzzer runs, as plain functions of octets.
//!
//! Each target states what must hold for every input and panics where it does not. `fuzz/` gives them to libFuzzer;
//! the tests here replay the committed corpus and run seeded mutations of it; `soak` does the latter for as long as
//! wanted.
//!
//! | target | input | what must hold |
//! | --- | --- | --- |
//! | [`decoder`] | cuts, octets of a connection | the same events wherever reads cut; only legal parts |
//! | [`uri`] | a URI or a path | equality, copies and composition agree with the text |
//! | [`cpim`] | a wrapper | the same decision however much of the message is there; what is written is read back |
//! | [`coverage`] | ranges | agrees with a set of single octets |
//! | [`status`] | a response, a Status, a Byte-Range | what is written is read back |
//! | [`sdp`] | a session description | answers are readable and add no line |
//! | [`auth`] | an Authorization value | what is complete is legal and says the same when written again |
//! | [`address`] | SIP addresses | reads as itself; names stay in their quotes |
//! | [`resource_list`], [`group_document`] | XML documents | bounded; addresses are usable, mistakes have a line |
//! | [`conference_info`] | documents of a conference | each change is one |
//! | [`multipart`] | a body of several parts | few parts, no octet from nowhere |
//! | [`sip_stream`] | octets of a SIP connection | the same wherever reads cut; a refusal is one message |
//! | [`websocket`] | octets of a WebSocket connection | the same wherever reads cut |
//! | [`config`] | a configuration file | taken, or refused with a place |
//! | [`ng`] | a datagram of the ng dialect | bencode that is read is written the same; nothing panics |
//! | [`switch`] | operations on rooms | invariants; nothing to strangers; every copy is settled once |
#![forbid(unsafe_code)]

mod address;
mod auth;
mod config;
mod coverage;
mod cpim;
mod decoder;
mod documents;
mod input;
mod multipart;
pub mod mutation;
mod ng;
mod sdp;
mod sip_stream;
mod status;
mod switch;
mod uri;
mod websocket;

pub use address::address;
pub use auth::auth;
pub use config::config;
pub use coverage::coverage;
pub use cpim::cpim;
pub use decoder::decoder;
pub use documents::{conference_info, group_document, resource_list};
pub use multipart::multipart;
pub use ng::ng;
pub use sdp::sdp;
pub use sip_stream::sip_stream;
pub use status::status;
pub use switch::switch;
pub use uri::uri;
pub use websocket::websocket;

/// One target.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// The name of the target, of its corpus folder and of its fuzz program.
    pub name: &'static str,
    /// Runs one input. Panics when something does not hold.
    pub run: fn(&[u8]),
    /// Texts that mutations insert.
    pub words: &'static [&'static str],
}

/// All targets.
pub const TARGETS: &[Target] = &[
    Target {
        name: "decoder",
        run: decoder,
        words: decoder::WORDS,
    },
    Target {
        name: "uri",
        run: uri,
        words: uri::WORDS,
    },
    Target {
        name: "cpim",
        run: cpim,
        words: cpim::WORDS,
    },
    Target {
        name: "coverage",
        run: coverage,
        words: &[],
    },
    Target {
        name: "status",
        run: status,
        words: status::WORDS,
    },
    Target {
        name: "sdp",
        run: sdp,
        words: sdp::WORDS,
    },
    Target {
        name: "auth",
        run: auth,
        words: auth::WORDS,
    },
    Target {
        name: "ng",
        run: ng,
        words: ng::WORDS,
    },
    Target {
        name: "switch",
        run: switch,
        words: &[],
    },
    Target {
        name: "address",
        run: address,
        words: address::WORDS,
    },
    Target {
        name: "config",
        run: config,
        words: config::WORDS,
    },
    Target {
        name: "conference_info",
        run: conference_info,
        words: documents::CONFERENCE_WORDS,
    },
    Target {
        name: "group_document",
        run: group_document,
        words: documents::GROUP_WORDS,
    },
    Target {
        name: "multipart",
        run: multipart,
        words: multipart::WORDS,
    },
    Target {
        name: "resource_list",
        run: resource_list,
        words: documents::LIST_WORDS,
    },
    Target {
        name: "sip_stream",
        run: sip_stream,
        words: sip_stream::WORDS,
    },
    Target {
        name: "websocket",
        run: websocket,
        words: websocket::WORDS,
    },
];
