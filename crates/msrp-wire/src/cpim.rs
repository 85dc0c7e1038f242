//! Message/CPIM: the wrapper that says who wrote a message and to whom.
//!
//! ```text
//! From: MR SANDERS <im:piglet@100akerwood.com>      \
//! To: Depressed Donkey <im:eeyore@100akerwood.com>   |  CPIM message headers
//! DateTime: 2000-12-13T13:40:00-08:00                |
//!                                                   /   <- head_octets ends behind this blank line
//! Content-type: text/plain                              MIME headers of the content
//!                                                       <- inner_body_offset is behind this blank line
//! Here is the text of my message.
//! ```
//!
//! Header names are compared with their case, as the standard demands; everything about spacing is tolerated: spaces at
//! the ends of a line, none or several behind the colon, an address without angle brackets, one without a scheme, which
//! [`Identity`](crate::Identity) reads as sip, blanks inside the URI of a namespace. What is read is never
//! written again: a wrapper that is passed on keeps its octets.
//!
//! # Spec
//! RFC 3862; RFC 4975 s.13; AMB-27.

mod address;
mod compose;
mod datetime;
mod error;
mod escape;
mod parse;

use std::borrow::Cow;

use smallvec::SmallVec;

use crate::header::Headers;

pub use compose::{Address, NewWrapper, write};
pub use datetime::datetime;
pub use error::{Error, Place};

/// Reads wrappers.
#[derive(Clone, Copy, Debug)]
pub struct Wrapper;

/// An address with the name of its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mbox<'a> {
    /// The name, unescaped and without its quotes.
    pub display: Option<Cow<'a, str>>,
    /// The URI as it stands, without its angle brackets. Not empty, no blanks, perhaps without a scheme, not checked
    /// further.
    pub uri: &'a str,
}

/// A Subject header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject<'a> {
    /// The language tag, when there is one.
    pub lang: Option<&'a str>,
    /// The text, unescaped.
    pub text: Cow<'a, str>,
}

/// A header that is not one of those that RFC 3862 names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OtherHeader<'a> {
    /// The namespace that an NS header declared for the prefix, or for names without one, before this line.
    /// `None`: the namespace of RFC 3862 itself without a prefix, or a prefix that was not declared. As it stands, with
    /// blanks that do not count; compare with [`OtherHeader::is_in`].
    pub namespace: Option<&'a str>,
    /// The prefix.
    pub prefix: Option<&'a str>,
    /// The name behind the prefix; case matters.
    pub name: &'a str,
    /// The value as it stands, with its escapes.
    pub value: &'a str,
}

/// A wrapper, borrowed from the bytes it came in.
#[derive(Clone, Debug)]
pub struct Parsed<'a> {
    /// The sender.
    pub from: Mbox<'a>,
    /// The recipients, one or more.
    pub to: SmallVec<[Mbox<'a>; 1]>,
    /// Further recipients.
    pub cc: SmallVec<[Mbox<'a>; 1]>,
    /// When it was sent, in the form of RFC 3339; not checked.
    pub datetime: Option<&'a str>,
    /// The subjects, one for each language.
    pub subjects: SmallVec<[Subject<'a>; 1]>,
    /// Names of headers and features that the recipient must understand, as they stand.
    pub require: SmallVec<[&'a str; 1]>,
    /// All other headers in their order.
    pub other: SmallVec<[OtherHeader<'a>; 1]>,
    /// Octets of the CPIM message headers with the blank line behind them.
    pub head_octets: usize,
    /// The Content-Type of the wrapped content, up to the end of its first line; `None` when absent, which RFC 2045 reads
    /// as text/plain, or not complete yet.
    pub content_type: Option<&'a [u8]>,
    /// The MIME headers of the wrapped content; none while they are not complete.
    pub content_headers: Headers<'a>,
    /// Offset of the wrapped content; `None` until its MIME headers are complete.
    pub inner_body_offset: Option<usize>,
}

impl Wrapper {
    /// Reads the CPIM headers at the start of a message, and the MIME headers of its content as far as they are there.
    ///
    /// Borrows; allocates only for several recipients, and for texts with escapes. Starts from the first octet every
    /// time: O(octets of the headers).
    ///
    /// # Errors
    /// [`Error::NeedMore`]: the blank line behind the CPIM headers is not there yet.
    /// [`Error::Malformed`]: the sender's fault; 400, or 403 when [`Error::names_no_sender_or_recipient`] says so.
    ///
    /// # Spec
    /// RFC 3862 s.2 to s.4.
    pub fn parse(input: &[u8]) -> Result<Parsed<'_>, Error> {
        parse::wrapper(input)
    }
}

impl Parsed<'_> {
    /// The first header of a name in a namespace: `other("urn:oma:xml:poc:final-report", "Final-Report")`.
    #[must_use]
    pub fn other(&self, namespace: &str, name: &str) -> Option<&OtherHeader<'_>> {
        self.other
            .iter()
            .find(|header| header.name == name && header.is_in(namespace))
    }
}

impl OtherHeader<'_> {
    /// Whether this is a header of a namespace; blanks in the declaration do not count.
    ///
    /// # Spec
    /// AMB-06.
    #[must_use]
    pub fn is_in(&self, namespace: &str) -> bool {
        self.namespace
            .is_some_and(|own| address::same_namespace(own, namespace))
    }

    /// The value without its escapes.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        escape::decode(self.value)
    }
}
