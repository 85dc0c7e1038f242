//! What the focus asks of any SIP engine, and what an engine tells it.
//!
//! The types here are ours; no SIP library shows through. An engine implements [`SipUa`] and
//! sends [`UaEvent`]s; the focus and the chat client are written against these two alone, so
//! that another engine can take the place of the present one.
//!
//! # Division of work
//!
//! The engine does the transaction and dialog rules of RFC 3261: retransmissions, 100 Trying,
//! ACK of a 2xx and of other finals, tags, CSeq, route sets, CANCEL (it answers 200 to the CANCEL
//! and 487 to the INVITE), the 200 to a BYE, forked 2xx (it acknowledges and ends the second),
//! 481 for unknown dialogs, 400 and 501 for what cannot be read. The focus decides everything
//! else and writes every header that is policy.

use std::fmt;
use std::net::SocketAddr;

/// A SIP method.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Method {
    /// RFC 3261.
    Invite,
    /// RFC 3261.
    Ack,
    /// RFC 3261.
    Bye,
    /// RFC 3261.
    Cancel,
    /// RFC 3261.
    Options,
    /// RFC 3261.
    Register,
    /// RFC 3428.
    Message,
    /// RFC 3515.
    Refer,
    /// RFC 6665.
    Subscribe,
    /// RFC 6665.
    Notify,
    /// RFC 3311.
    Update,
    /// RFC 6086.
    Info,
    /// RFC 3903.
    Publish,
    /// RFC 3262.
    Prack,
    /// Any other token.
    Other(String),
}

/// Header fields in their order on the wire, names in their long form.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers(Vec<(String, String)>);

impl Headers {
    /// No header fields.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a header field. `value` must be one line; line ends in it are replaced by blanks, so
    /// that no value can add a header field.
    pub fn push(&mut self, name: impl Into<String>, value: impl AsRef<str>) {
        let value = value.as_ref().replace(['\r', '\n'], " ");
        self.0.push((name.into(), value));
    }

    /// Appends a header field and returns the whole, for chains.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl AsRef<str>) -> Self {
        self.push(name, value);
        self
    }

    /// The value of the first header field of this name; case does not matter.
    #[must_use]
    pub fn first(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, v)| v.as_str())
    }

    /// The values of all header fields of this name, in order. A field with several values
    /// separated by commas is one item.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        self.0
            .iter()
            .filter(move |(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, v)| v.as_str())
    }

    /// All header fields in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(n, v)| (n.as_str(), v.as_str()))
    }
}

/// A body with its Content-Type value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// The value of Content-Type, with parameters.
    pub content_type: String,
    /// The octets.
    pub octets: Vec<u8>,
}

/// A request that arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Its method.
    pub method: Method,
    /// The Request-URI as it stood.
    pub uri: String,
    /// Its header fields.
    pub headers: Headers,
    /// Its body, if any octet follows the header section.
    pub body: Option<Body>,
}

/// A response that arrived, or that the engine made for a request nobody answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// 100 to 699. A timeout looks like 408, a transport failure like 503.
    pub status: u16,
    /// The reason phrase.
    pub reason: String,
    /// Its header fields; none when the engine made it.
    pub headers: Headers,
    /// Its body.
    pub body: Option<Body>,
    /// Who made it.
    pub origin: Origin,
}

/// Who made a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The peer sent it.
    Peer,
    /// The engine made it: no answer came in time.
    Timeout,
    /// The engine made it: the request could not be sent.
    Transport,
}

/// Where a request came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// The neighbour's address.
    pub address: SocketAddr,
    /// The transport it used.
    pub transport: Transport,
}

/// A SIP transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// RFC 3261 s.18.
    Udp,
    /// RFC 3261 s.18.
    Tcp,
    /// RFC 3261 s.26.2: TLS over TCP.
    Tls,
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
        })
    }
}

/// Names a transaction, ours or the peer's. Never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TxnId(pub u64);

/// Names a dialog, from its INVITE on. Never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DialogId(pub u64);

/// An answer to a request that arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// 101 to 699.
    pub status: u16,
    /// `None` writes the standard's phrase.
    pub reason: Option<String>,
    /// Header fields beyond those the dialog rules make. A `Contact` here takes the place of the
    /// engine's own and keeps its parameters.
    pub headers: Headers,
    /// The body.
    pub body: Option<Body>,
}

/// A request to send outside of a dialog, or one that makes a dialog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutRequest {
    /// Its method.
    pub method: Method,
    /// The Request-URI.
    pub uri: String,
    /// The `From` value without tag: display name and URI.
    pub from: String,
    /// The `To` value.
    pub to: String,
    /// The `Contact` value with its parameters; the engine's address when `None`. May name a URI
    /// whose host is the domain: the engine sees to it that requests to it reach this node by
    /// record in the dialog, not by DNS.
    pub contact: Option<String>,
    /// Further header fields.
    pub headers: Headers,
    /// The body.
    pub body: Option<Body>,
}

/// Why a dialog ended without a wish of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DialogEnd {
    /// The peer sent BYE; the engine answered 200.
    Bye,
    /// The peer cancelled its INVITE; the engine answered 487.
    Cancelled,
    /// No ACK came for our 2xx within 64 T1; the engine sent BYE.
    NoAck,
    /// The connection of a pending INVITE went away.
    TransportLost,
}

/// What a SIP engine offers.
///
/// Calls never block; what they cause comes back as [`UaEvent`]s.
pub trait SipUa {
    /// Answers a request. A final answer to an unanswered INVITE below 300 makes its dialog;
    /// another final ends it. Answers to unknown or answered transactions are dropped.
    fn answer(&mut self, transaction: TxnId, answer: Answer);

    /// Answers a SUBSCRIBE or REFER that came outside of any dialog, and makes a dialog of it when
    /// the answer is a 2xx: [`SipUa::request`] then sends NOTIFYs inside, [`UaEvent::Request`]
    /// brings what refreshes or ends the subscription, and [`SipUa::forget`] ends the dialog
    /// without a BYE. `None` from engines without subscriptions, which do not answer.
    fn accept_subscription(&mut self, transaction: TxnId, answer: Answer) -> Option<DialogId> {
        let _ = (transaction, answer);
        None
    }

    /// Forgets a dialog that [`SipUa::accept_subscription`] made; nothing is sent. Requests
    /// inside it get 481 from then on; those that were told before still want their answer.
    fn forget(&mut self, dialog: DialogId) {
        let _ = dialog;
    }

    /// Sends an INVITE. [`UaEvent::InviteResponse`] follows for every provisional and for the
    /// final response. A 2xx has been acknowledged when it is seen.
    fn invite(&mut self, request: OutRequest) -> DialogId;

    /// Cancels an INVITE of ours that has no final response. The final response still comes.
    fn cancel(&mut self, dialog: DialogId);

    /// Sends a request inside a dialog. [`UaEvent::Response`] follows with the final response.
    fn request(
        &mut self,
        dialog: DialogId,
        method: Method,
        headers: Headers,
        body: Option<Body>,
    ) -> TxnId;

    /// Sends a request outside of any dialog. [`UaEvent::Response`] follows with the final one.
    fn send(&mut self, request: OutRequest) -> TxnId;

    /// Ends a dialog with BYE and forgets it. [`UaEvent::Response`] follows: the answer to the BYE.
    fn bye(&mut self, dialog: DialogId, headers: Headers) -> TxnId;
}

/// What a SIP engine tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UaEvent {
    /// An INVITE outside of any dialog. 100 Trying is the engine's; a final answer is owed.
    Invite {
        /// To answer with.
        transaction: TxnId,
        /// The dialog it will make.
        dialog: DialogId,
        /// The request.
        request: Request,
        /// Who sent it.
        peer: Peer,
    },
    /// Any other request that needs an answer: inside a dialog (re-INVITE, UPDATE, INFO, REFER,
    /// SUBSCRIBE, NOTIFY, MESSAGE) or outside.
    Request {
        /// To answer with.
        transaction: TxnId,
        /// The dialog it belongs to.
        dialog: Option<DialogId>,
        /// The request.
        request: Request,
        /// Who sent it.
        peer: Peer,
    },
    /// A provisional or final response to an INVITE of ours. A final of 300 and above ends the
    /// dialog; no [`UaEvent::Ended`] follows.
    InviteResponse {
        /// The dialog.
        dialog: DialogId,
        /// The response.
        response: Response,
    },
    /// The final response to another request of ours.
    Response {
        /// The transaction that [`SipUa::request`], [`SipUa::send`] or [`SipUa::bye`] named.
        transaction: TxnId,
        /// The response.
        response: Response,
    },
    /// The ACK to our 2xx arrived.
    Established {
        /// The dialog.
        dialog: DialogId,
    },
    /// The ACK to a 2xx of ours carries a body: the answer to the offer of that 2xx. Told once for
    /// each 2xx, after [`UaEvent::Established`] where that is told too.
    Acknowledged {
        /// The dialog.
        dialog: DialogId,
        /// The body.
        body: Body,
    },
    /// A dialog ended without a wish of ours.
    Ended {
        /// The dialog.
        dialog: DialogId,
        /// Why.
        why: DialogEnd,
    },
}
